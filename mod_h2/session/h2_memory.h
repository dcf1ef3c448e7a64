/*
 * What nghttp2 takes memory with, and what happens where there is none.
 *
 * Holder of the loop only.
 */
#ifndef H2_MEMORY_H
#define H2_MEMORY_H

#include "session/h2_session.h"

/* What nghttp2 takes memory with. */
nghttp2_mem h2_session_memory(h2_session *session);

/* nghttp2 was out of memory: the connection ends, as nobody knows what is missing. */
void h2_session_end_without_memory(h2_session *session);

#endif /* H2_MEMORY_H */

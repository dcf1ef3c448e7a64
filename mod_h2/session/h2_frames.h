/*
 * The client's frames: nghttp2's callbacks for what the client sends.
 *
 * Holder of the loop only.
 */
#ifndef H2_FRAMES_H
#define H2_FRAMES_H

#include "session/h2_session.h"

/* Registers them with nghttp2. */
void h2_frames_callbacks(nghttp2_session_callbacks *callbacks);

#endif /* H2_FRAMES_H */

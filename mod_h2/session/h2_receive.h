/*
 * Bytes in.
 *
 * Holder of the loop only.
 */
#ifndef H2_RECEIVE_H
#define H2_RECEIVE_H

#include "session/h2_session.h"

/* Reads and works on what has arrived, but not for ever: APR_SUCCESS and
 * *pmore if there may be more. APR_EOF: the client has ended its side; any other
 * status has closed the session. */
apr_status_t h2_session_receive(h2_session *session, int *pmore);

#endif /* H2_RECEIVE_H */

/*
 * The end of a connection, step by step: GOAWAY is out, close_notify and FIN,
 * what the client still sends is read away for a while, the socket is closed,
 * and last the connection's pool goes.
 *
 * Leader and holder of the loop only.
 */
#ifndef H2_CLOSING_H
#define H2_CLOSING_H

#include "session/h2_session.h"

/* The session has nothing left to do, or is on its way out: takes the next step. */
void h2_closing_go_on(h2_session *session);

/* All is closed; destroys the connection's pool when it is time (is_due). */
void h2_closing_bury(h2_session *session, int is_due);

#endif /* H2_CLOSING_H */

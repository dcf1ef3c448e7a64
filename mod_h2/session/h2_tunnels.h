/*
 * How many threads may be in tunnels (WebSockets), of a connection and of a child.
 *
 * Holder of the loop only.
 */
#ifndef H2_TUNNELS_H
#define H2_TUNNELS_H

#include "session/h2_session.h"

/* Have its streams, or those of the child, as many threads for tunnels as such may have? Sessions
 * of other loops may change the answer at any time. */
int h2_session_has_its_tunnels(const h2_session *session);

/* A stream that is to be a tunnel gets a thread. 0: there are too many, its request is to be
 * answered otherwise. To be left when its request has run. */
int h2_session_enter_tunnel(h2_session *session);
void h2_session_leave_tunnel(h2_session *session);

#endif /* H2_TUNNELS_H */

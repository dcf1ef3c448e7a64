/*
 * The work of an H2Worker: leading a loop, where each task gets its turn (read,
 * start requests, write, end requests, close), or running a request detached.
 */
#ifndef H2_TURN_H
#define H2_TURN_H

#include "session/h2_session.h"
#include "worker/h2_workers.h"

/* The work of a thread, for h2_workers_create(). */
h2_worker_main h2_turn_main;

/* prefork, on the MPM's thread: leads the session's loop until the session is over. */
void h2_turn_alone(h2_session *session, h2_worker *worker);

#endif /* H2_TURN_H */

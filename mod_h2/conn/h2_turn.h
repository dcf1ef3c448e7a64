/*
 * The work of an H2Worker: leading a loop, where each task gets its turn (read,
 * start requests, write, end requests, close), or running a request detached.
 */
#ifndef H2_TURN_H
#define H2_TURN_H

#include "worker/h2_workers.h"

/* The work of a thread, for h2_workers_create(). */
h2_worker_main h2_turn_main;

#endif /* H2_TURN_H */

/*
 * What a loop knows of a connection: the sockets' events, a deadline, and whether there is
 * something to do. It is embedded in the connection that it stands for.
 *
 * Touched by the holder of the loop only, but for pfds, which poll reads without the lock: they
 * never change while the task is there.
 */
#ifndef H2_TASK_H
#define H2_TASK_H

#include <apr_poll.h>

#include "base/h2_base.h"

/* The sets of events that poll can be asked for: none but errors, in, out, both. */
#define H2_LOOP_WATCHES 4

typedef struct h2_task h2_task;
struct h2_task {
    APR_RING_ENTRY(h2_task) link;       /* in the loop's tasks */
    APR_RING_ENTRY(h2_task) ready_link;
    APR_RING_ENTRY(h2_task) timer_link;
    APR_RING_ENTRY(h2_task) starved_link;
    apr_pollfd_t pfds[H2_LOOP_WATCHES]; /* the pollset has the address of one while is_polled */
    apr_time_t deadline;   /* 0: none */
    int slot;              /* of the timer wheel; -1: in none */
    apr_int16_t reqevents; /* APR_POLL*: asked for while is_polled */
    apr_int16_t revents;   /* APR_POLL*: seen by the leader, not yet worked on */
    unsigned is_ready : 1; /* in the ready or in the later list */
    unsigned is_polled : 1;
    unsigned is_starved : 1; /* in the starved list */
    unsigned is_due : 1;   /* the deadline has passed, not yet worked on */
    void *owner;           /* the connection */
};

#endif /* H2_TASK_H */

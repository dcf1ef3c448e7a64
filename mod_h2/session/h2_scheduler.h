/*
 * Who sends next. Streams with something to send stand in one list; each gets
 * one turn (a frame's worth) and goes to the end, so that they share the
 * connection equally.
 *
 * Part of the session; holder of the loop only.
 */
#ifndef H2_SCHEDULER_H
#define H2_SCHEDULER_H

#include "stream/h2_stream.h"

typedef struct h2_scheduler {
    APR_RING_HEAD(h2_scheduler_ring, h2_stream) sending;
    int count;
} h2_scheduler;

void h2_scheduler_init(h2_scheduler *scheduler);

/* The stream has something to send (does nothing if it is known already). */
void h2_scheduler_add(h2_scheduler *scheduler, h2_stream *stream);

/* The stream has nothing to send, or may not. */
void h2_scheduler_remove(h2_scheduler *scheduler, h2_stream *stream);

/* Whose turn it is; NULL: nobody's. */
h2_stream *h2_scheduler_next(h2_scheduler *scheduler);

/* The stream, which is still in the list, has had its turn. */
void h2_scheduler_had_turn(h2_scheduler *scheduler, h2_stream *stream);

/* Streams in the list. */
int h2_scheduler_count(const h2_scheduler *scheduler);

#endif /* H2_SCHEDULER_H */

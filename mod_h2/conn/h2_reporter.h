/*
 * Lets each loop look up once a second: for the history of the server, and, where somebody has
 * asked, for a report of its connections.
 */
#ifndef H2_REPORTER_H
#define H2_REPORTER_H

#include "loop/h2_loop.h"

/* Leader and holder, in each of its rounds: does it if a second has passed and there are
 * connections, which there are no sooner than the child knows of itself. */
void h2_reporter_tick_now(h2_loop *loop);

static inline void h2_reporter_tick(h2_loop *loop)
{
    if (loop->now >= loop->tick_at && !h2_loop_is_empty(loop)) {
        h2_reporter_tick_now(loop);
    }
}

#endif /* H2_REPORTER_H */

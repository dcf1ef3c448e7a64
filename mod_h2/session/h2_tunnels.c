/*
 * How many tunnels (WebSockets) there may be. Each holds a thread for as long as it lasts, so
 * they must not take all: what is left is for requests, which end.
 */
#include "session/h2_tunnels.h"

#include <apr_atomic.h>

/* Of a connection's share of threads, and of all threads of the child, tunnels get three
 * quarters, and at least one. */
#define PART_OF(threads) (((threads) < 2) ? 1 : (threads) * 3 / 4)

/* Any thread, atomically. */
static volatile apr_uint32_t child_count;

/* A share is half of the child's threads. */
static apr_uint32_t child_max(const h2_session *session)
{
    return (apr_uint32_t)PART_OF(session->running_max > 1 ? 2 * session->running_max : 1);
}

int h2_session_has_its_tunnels(const h2_session *session)
{
    return session->count.tunnels >= PART_OF(session->running_max)
           || apr_atomic_read32(&child_count) >= child_max(session);
}

int h2_session_enter_tunnel(h2_session *session)
{
    h2_loop_assert_held(session->loop);
    if (h2_session_has_its_tunnels(session)) {
        return 0;
    }
    if (apr_atomic_inc32(&child_count) >= child_max(session)) {
        apr_atomic_dec32(&child_count); /* another connection was faster */
        return 0;
    }
    ++session->count.tunnels;
    h2_stats_count(session->loop->stats, H2_COUNT_TUNNELS);
    h2_stats_gauge(session->loop->stats, H2_GAUGE_TUNNELS, 1);
    return 1;
}

void h2_session_leave_tunnel(h2_session *session)
{
    h2_loop_assert_held(session->loop);
    --session->count.tunnels;
    h2_stats_gauge(session->loop->stats, H2_GAUGE_TUNNELS, -1);
    apr_atomic_dec32(&child_count);
}

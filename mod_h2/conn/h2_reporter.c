#include "conn/h2_reporter.h"

#include <stdlib.h>

#include "conn/h2_child.h"
#include "request/h2_context.h"
#include "session/h2_session_report.h"
#include "stats/h2_history.h"

/* So many times a second is enough for a page that people look at. */
#define H2_REPORTER_USEC APR_USEC_PER_SEC

static void report_connection(const h2_child *child, const h2_session *session)
{
    h2_connection_report *report = malloc(sizeof(*report));

    if (report) {
        h2_session_report_whole(session, report);
        apr_thread_mutex_lock(child->report_lock);
        h2_report_put_connection(h2_stats_index(child->stats), report);
        apr_thread_mutex_unlock(child->report_lock);
        free(report);
    }
}

static void report_loop(const h2_child *child, const h2_loop *loop, apr_int64_t wanted_id)
{
    h2_loop_report *report = calloc(1, sizeof(*report));
    const h2_task *task;

    if (!report) {
        return;
    }
    report->made = apr_time_now();
    report->memory[H2_MEMORY_BLOCKS] = loop->blocks.kept_bytes;
    report->memory[H2_MEMORY_CONTEXTS] = (apr_uint64_t)h2_context_spare_count(loop);
    APR_RING_FOREACH(task, &loop->tasks, h2_task, link) {
        const h2_session *session = task->owner;

        if (session->held.is_buried) {
            continue;
        }
        h2_session_report_add(session, report);
        if (session->c->id == wanted_id) {
            report_connection(child, session);
        }
    }
    h2_report_put_loop(h2_stats_index(child->stats), loop->index, report);
    free(report);
}

void h2_reporter_tick_now(h2_loop *loop)
{
    const h2_child *child = h2_child_get();
    apr_time_t wall = apr_time_now();
    apr_int64_t wanted_id;

    h2_loop_assert_held(loop);
    loop->tick_at = loop->now + H2_REPORTER_USEC;
    if (!child || !child->stats) {
        return;
    }
    h2_history_tick(wall);
    if (h2_report_is_asked(wall, &wanted_id)) {
        report_loop(child, loop, wanted_id);
    }
}

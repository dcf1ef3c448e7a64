#include "request/h2_pump.h"

#include "session/h2_ending.h"
#include "session/h2_pack.h"
#include "session/h2_timers.h"
#include "worker/h2_leader.h"

/* Buffers that one session may write before others have a turn. */
#define H2_PUMP_BUFFERS 4

/* Their last bytes are packed: who reads them finds the requests counted. */
static void count_done(h2_session *session, const h2_worker *worker)
{
    h2_stream *stream;

    for (stream = session->done; stream; stream = stream->next_done) {
        if (stream->exchange.context) {
            h2_context_count(stream->exchange.context, worker);
        }
    }
}

void h2_pump_output(h2_session *session, const h2_worker *worker)
{
    int buffers;

    session->c->current_thread = worker->thread;
    for (buffers = 0; buffers < H2_PUMP_BUFFERS; ++buffers) {
        apr_size_t used = h2_session_pack(session);

        count_done(session, worker);
        if (!used || h2_session_write(session) != APR_SUCCESS
            || h2_io_is_blocked(&session->io)) {
            break;
        }
    }
    h2_session_follow_end(session);
    if (buffers == H2_PUMP_BUFFERS) {
        h2_loop_ready_later(session->loop, &session->task);
    }
    h2_session_arm(session);
}

void h2_pump_by_runner(h2_context *context)
{
    h2_session *session = context->session;

    h2_pump_output(session, context->worker);
    if (h2_session_is_finished(session) || session->done) {
        h2_loop_ready(session->loop, &session->task);
    }
}

void h2_pump_credit(h2_context *context)
{
    if (nghttp2_session_want_write(context->session->ngh2)) {
        h2_pump_by_runner(context);
    }
}

/* Its time is over; but is it the client that keeps it waiting? */
static int waits_for_its_turn(const h2_context *context)
{
    const h2_stream *stream = context->stream;

    return h2_stream_has_output(stream)
           && h2_session_lets_wait(context->session, stream, context->exchange->timeout);
}

/* prefork: nobody else reads from the client and writes to it. */
static apr_status_t serve_until_woken(h2_context *context)
{
    h2_exchange *exchange = context->exchange;
    h2_loop *loop = context->session->loop;
    h2_task *task = &context->session->task;
    h2_worker *worker = context->worker;
    apr_time_t until = (exchange->timeout > 0) ? loop->now + exchange->timeout : 0;

    exchange->is_woken = 0;
    h2_pump_output(context->session, worker);
    while (!exchange->is_woken && !exchange->is_aborted) {
        if (until && loop->now >= until) {
            return waits_for_its_turn(context) ? APR_SUCCESS : APR_TIMEUP;
        }
        if (until && (!task->deadline || until < task->deadline)) {
            h2_loop_deadline(loop, task, until);
        }
        worker->serve(worker);
    }
    return APR_SUCCESS;
}

void h2_pump_look(h2_context *context)
{
    h2_session *session = context->session;
    h2_worker *worker = context->worker;

    if (worker->serve && !session->in.is_eof && !session->in.is_paused) {
        session->task.revents |= APR_POLLIN;
        h2_loop_ready(session->loop, &session->task);
        worker->serve(worker);
    }
}

/* By our own clock, whatever else ends a wait. Holder. */
static apr_status_t wait_until_woken(h2_exchange *exchange, h2_loop *loop, apr_thread_cond_t *cond)
{
    apr_interval_time_t left = exchange->timeout;
    apr_time_t until = loop->now + left;
    apr_status_t rv = APR_SUCCESS;

    exchange->waiter = cond;
    exchange->is_woken = 0;
    while (!exchange->is_woken && (rv == APR_SUCCESS || APR_STATUS_IS_TIMEUP(rv))) {
        if (exchange->timeout >= 0) {
            left = until - loop->now;
            if (left <= 0) {
                rv = APR_TIMEUP;
                break;
            }
        }
        rv = h2_loop_cond_wait(loop, cond, left);
    }
    exchange->waiter = NULL;
    return exchange->is_woken ? APR_SUCCESS : rv;
}

apr_status_t h2_pump_wait(h2_context *context)
{
    h2_loop *loop = context->session->loop;
    h2_worker *worker = context->worker;
    apr_status_t rv;

    context->has_waited = 1;
    context->exchange->timeout = context->stream_timeout;
    if (worker->serve) {
        return serve_until_woken(context);
    }
    if (h2_leader_is(worker, loop)) {
        /* The watchdog would do it, but later. */
        h2_loop_unlock(loop);
        h2_leader_detach(worker);
        h2_loop_lock(loop);
        return APR_SUCCESS; /* it may have changed meanwhile: look again */
    }
    rv = wait_until_woken(context->exchange, loop, worker->wait_cond);
    return (APR_STATUS_IS_TIMEUP(rv) && waits_for_its_turn(context)) ? APR_SUCCESS : rv;
}

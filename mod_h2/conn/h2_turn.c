#include "conn/h2_turn.h"

#include <ap_mpm.h>

#include "base/h2_probe.h"
#include "conn/h2_child.h"
#include "conn/h2_closing.h"
#include "conn/h2_reporter.h"
#include "request/h2_context.h"
#include "request/h2_habits.h"
#include "request/h2_pump.h"
#include "request/h2_request.h"
#include "session/h2_ending.h"
#include "session/h2_receive.h"
#include "session/h2_session.h"
#include "session/h2_streams.h"
#include "session/h2_timers.h"
#include "session/h2_tunnels.h"

/* When so much time has passed since the turn began to start requests, although more
 * of them wait: the answers are sent, and others have their turn. */
#define H2_TURN_USEC 2000

/* When so many have been answered, they are sent: the next requests then run in
 * contexts that are still in the processor's cache. */
#define H2_TURN_SEND_STREAMS 24

/* Why a session's requests are not started any more for now. */
typedef enum {
    H2_START_DONE,     /* all of them run, or something is to happen first */
    H2_START_LATER,    /* others have their turn first */
    H2_START_LEAD_LOST /* the thread leads no more */
} h2_start_end;

/* A request, from here to its end, by worker; gives the loop back meanwhile.
 * Returns 0 if worker is not the leader any more. */
static int run_here(h2_worker *worker, h2_session *session, h2_stream *stream)
{
    h2_loop *loop = session->loop;
    h2_context *context = h2_context_create(session, stream);
    int is_leader;

    if (!context) {
        h2_session_terminate(session, NGHTTP2_INTERNAL_ERROR, "no memory for a request");
        return 1;
    }
    h2_habits_begin(loop->index, context->habit);
    h2_session_started(session, stream);
    h2_stats_count(loop->stats, H2_COUNT_REQUESTS_LEADER);
    h2_leader_run_begin(loop, h2_child_get()->watchdog);
    h2_request_run(context, worker);
    is_leader = h2_leader_run_end(loop, worker);
    if (!is_leader) {
        h2_stats_count(loop->stats, H2_COUNT_LEADS_LOST);
    }
    h2_request_finish(context, is_leader);
    return is_leader;
}

/* Would it hold up the leader? Its body is not there, or it was slow before; or it is a tunnel,
 * unless that is to be refused. */
static int is_for_other_thread(const h2_session *session, h2_stream *stream)
{
    if (stream->is_tunnel) {
        return !h2_session_has_its_tunnels(session);
    }
    return !session->loop->is_single
           && (!stream->exchange.in_is_ended
               || h2_habits_is_slow(session->loop->index, h2_habits_of(stream)));
}

/* The request to be started next. Where there is no thread for those that are for
 * another one, the quick ones pass them. NULL: none. */
static h2_stream *next_to_start(h2_session *session, int is_held_up)
{
    h2_stream *stream = h2_session_next_waiting(session, NULL);

    while (stream && is_held_up && is_for_other_thread(session, stream)) {
        stream = h2_session_next_waiting(session, stream);
    }
    return stream;
}

/* Returns 0 if there is no spare thread to be had: the session waits for one. */
static int keep_runner(h2_session *session)
{
    h2_loop *loop = session->loop;
    int is_kept;

    h2_loop_starve(loop, &session->task);
    h2_loop_unlock(loop);
    is_kept = h2_workers_keep(h2_child_get()->workers, H2_KEEP_RUNNER);
    h2_loop_lock(loop);
    if (is_kept) {
        h2_loop_unstarve(loop, &session->task);
    }
    return is_kept;
}

/* Gives a request to a spare thread. Returns 0 if there is no thread for it; somebody
 * sees to it that the session has its turn when there is. */
static int hand_over(h2_session *session)
{
    h2_loop *loop = session->loop;
    h2_workers *workers = h2_child_get()->workers;
    h2_job job = {NULL, NULL};
    h2_stream *stream;

    if (h2_session_has_its_share(session) || !keep_runner(session)) {
        return 0;
    }
    stream = h2_session_next_waiting(session, NULL); /* it may be another one by now */
    if (stream && is_for_other_thread(session, stream)) {
        job.run = h2_context_create(session, stream);
        if (job.run) {
            h2_session_started(session, stream);
            H2_PROBE_HAND_OVER(session->c->id, stream->id, loop->now - stream->trace.queued);
        }
        else {
            h2_session_terminate(session, NGHTTP2_INTERNAL_ERROR, "no memory for a request");
        }
    }
    h2_loop_unlock(loop);
    if (job.run) {
        h2_workers_use_kept(workers, job);
    }
    else {
        h2_workers_release_kept(workers, H2_KEEP_RUNNER);
    }
    h2_loop_lock(loop);
    return 1;
}

static int ensure_standby(h2_session *session)
{
    h2_loop *loop = session->loop;
    int was_starved = session->task.is_starved;
    int is_kept;

    h2_loop_starve(loop, &session->task);
    is_kept = h2_leader_ensure_standby(loop, h2_child_get()->workers);
    if (is_kept && !was_starved) { /* else for another one of its requests */
        h2_loop_unstarve(loop, &session->task);
    }
    return is_kept;
}

/* May the leader end requests of the session now? That may get it stuck: it needs a
 * standby, and the connection room in its share. If not, it has its turn later. */
static int may_end_requests(h2_session *session)
{
    if (session->loop->is_stopping) {
        return 1;
    }
    if (session->count.enders >= session->running_max) {
        return 0; /* one of these sees what is left */
    }
    return session->loop->has_standby || ensure_standby(session);
}

/* Logs the requests whose streams are closed, and frees what they had: with all the
 * cleanups of their modules, and thus without the loop. Returns 0 if worker has lost
 * the lead of it meanwhile. */
static int end_requests(h2_worker *worker, h2_session *session)
{
    h2_loop *loop = session->loop;
    int is_leader = h2_leader_is(worker, loop), was_leader = is_leader;
    h2_stream *stream, *next, *done;

    if (!session->done || (is_leader && !may_end_requests(session))) {
        return 1;
    }
    done = h2_session_take_done(session);
    if (!done) {
        return 1; /* the loop was given back, and another thread has them */
    }
    ++session->count.enders;
    if (is_leader) {
        h2_leader_run_begin(loop, h2_child_get()->watchdog);
    }
    else {
        h2_loop_unlock(loop);
    }
    for (stream = done; stream; stream = stream->next_done) {
        if (stream->exchange.context) {
            h2_context_end(stream->exchange.context, worker);
        }
    }
    if (is_leader) {
        is_leader = h2_leader_run_end(loop, worker);
    }
    else {
        h2_loop_lock(loop);
    }
    --session->count.enders;
    for (stream = done; stream; stream = next) {
        next = stream->next_done;
        if (stream->exchange.context) {
            h2_context_recycle(stream->exchange.context, loop);
        }
        h2_session_release(session, stream);
    }
    return is_leader || !was_leader;
}

/* Runs those that the leader runs itself, or hands to others. */
static h2_start_end start_requests(h2_worker *worker, h2_session *session)
{
    h2_loop *loop = session->loop;
    apr_time_t begun = loop->now;
    int is_held_up = 0;

    while (!h2_io_is_blocked(&session->io) && !loop->is_stopping) {
        h2_stream *stream = next_to_start(session, is_held_up);

        if (!stream) {
            return H2_START_DONE;
        }
        if (is_for_other_thread(session, stream)) {
            is_held_up = !hand_over(session);
            continue;
        }
        if (session->count.running > session->running_max) {
            return H2_START_DONE;
        }
        if (!loop->has_standby) {
            if (!ensure_standby(session)) {
                return H2_START_DONE;
            }
            continue; /* the loop was given back for a moment */
        }
        if (!run_here(worker, session, stream)) {
            return H2_START_LEAD_LOST;
        }
        if (h2_scheduler_count(&session->scheduler) >= H2_TURN_SEND_STREAMS) {
            h2_pump_output(session, worker);
            if (!end_requests(worker, session)) {
                return H2_START_LEAD_LOST;
            }
        }
        if (loop->now - begun > H2_TURN_USEC) {
            return H2_START_LATER;
        }
    }
    return H2_START_DONE;
}

/* Who does not lead lets the leader do what only it may. */
static void leave_to_leader(h2_session *session)
{
    if (h2_session_is_finished(session) || h2_session_next_waiting(session, NULL)
        || session->done || session->loop->is_draining || session->loop->is_stopping) {
        h2_loop_ready(session->loop, &session->task);
    }
}

/* Sends what there is, without leading. */
static void end_detached(h2_worker *worker, h2_session *session)
{
    h2_pump_output(session, worker);
    end_requests(worker, session);
    leave_to_leader(session);
}

static void move_bytes(h2_session *session, apr_int16_t events)
{
    int has_more;

    if (events & APR_POLLOUT) {
        apr_uint64_t before = session->io.sent_bytes;

        if (h2_io_write_pending(&session->io) != APR_SUCCESS) {
            h2_session_abort(session, APR_ECONNABORTED);
        }
        if (session->io.sent_bytes > before) {
            session->times.last_progress = session->loop->now;
        }
    }
    if ((events & (APR_POLLHUP | APR_POLLERR))
        && (session->in.is_eof || session->in.is_paused)) {
        h2_session_abort(session, APR_ECONNRESET); /* nobody reads what we have */
    }
    else if ((events & (APR_POLLIN | APR_POLLHUP | APR_POLLERR)) && !session->io.is_broken
             && h2_session_receive(session, &has_more) == APR_SUCCESS && has_more) {
        session->task.revents |= APR_POLLIN;
        h2_loop_ready_later(session->loop, &session->task);
    }
}

/* What has happened to the session since its last turn. */
static void work_on_events(h2_session *session)
{
    h2_loop *loop = session->loop;
    apr_int16_t events = session->task.revents;
    int is_due = session->task.is_due;

    session->task.revents = 0;
    session->task.is_due = 0;
    if (loop->is_stopping) {
        h2_session_abort(session, APR_ECONNABORTED);
        if (session->held.waiter) {
            /* Its thread does not wait for ever now. */
            apr_thread_cond_signal(session->held.waiter);
        }
    }
    else if (loop->is_draining) {
        h2_session_drain(session, 1);
    }
    move_bytes(session, events);
    if (is_due) {
        h2_session_check_timers(session, loop->now);
    }
}

/* One session's turn. */
static void turn(h2_worker *worker, h2_session *session)
{
    h2_loop *loop = session->loop;
    h2_start_end end;

    if (session->held.is_buried) {
        h2_closing_bury(session, session->task.is_due);
        return;
    }
    session->c->current_thread = worker->thread;
    work_on_events(session);
    end = start_requests(worker, session);
    if (end == H2_START_LEAD_LOST) {
        end_detached(worker, session);
        return;
    }
    if (end == H2_START_LATER) {
        h2_loop_ready_later(loop, &session->task);
    }
    h2_pump_output(session, worker);
    if (!end_requests(worker, session)) {
        leave_to_leader(session);
        return;
    }
    if (h2_session_is_finished(session) || session->is_shut) {
        h2_closing_go_on(session);
    }
}

static void lead(h2_worker *worker, h2_loop *loop)
{
    h2_task *task;

    worker->loop = loop;
    h2_loop_lock(loop);
    loop->leader = worker;
    while (h2_leader_is(worker, loop)) {
        h2_reporter_tick(loop);
        task = h2_loop_next(loop);
        if (task) {
            loop->current = task;
            turn(worker, task->owner);
            if (h2_leader_is(worker, loop)) {
                loop->current = NULL;
            }
        }
        else if (loop->is_stopping && h2_loop_is_empty(loop)) {
            h2_leader_resign(loop, worker->workers);
        }
        else {
            h2_loop_wait(loop);
        }
    }
    h2_loop_unlock(loop);
}

static void run_detached(h2_worker *worker, h2_context *context)
{
    h2_session *session = context->session;
    h2_loop *loop = session->loop;

    h2_request_run(context, worker);
    h2_loop_lock(loop);
    h2_request_finish(context, 0);
    end_detached(worker, session);
    h2_loop_unlock(loop);
}

void h2_turn_main(h2_worker *worker, h2_job job)
{
    if (job.lead) {
        lead(worker, job.lead);
    }
    else {
        run_detached(worker, job.run);
    }
}

/* The MPM tells nobody that its child is to end: it does so after this connection. */
static void note_end_of_child(h2_loop *loop)
{
    int state;

    if (ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS && state == AP_MPMQ_STOPPING
        && !loop->is_draining) {
        loop->is_draining = 1;
        h2_loop_ready_all(loop);
    }
}

/* The next session that has something to do; waits where there is none. NULL: not yet. */
static h2_session *wait_for_session(h2_loop *loop)
{
    h2_task *task;

    note_end_of_child(loop);
    h2_reporter_tick(loop);
    task = h2_loop_next(loop);
    if (!task) {
        h2_loop_wait(loop);
        task = h2_loop_next(loop);
    }
    return task ? task->owner : NULL;
}

static void serve(h2_worker *worker)
{
    h2_session *session = wait_for_session(worker->loop);

    if (session) {
        work_on_events(session);
        h2_pump_output(session, worker);
    }
}

void h2_turn_alone(h2_session *session, h2_worker *worker)
{
    h2_loop *loop = session->loop;

    worker->loop = loop;
    worker->serve = serve;
    h2_loop_lock(loop);
    loop->leader = worker;
    loop->has_standby = 1; /* none is needed */
    while (!session->held.is_over) {
        h2_session *next = wait_for_session(loop);

        if (next) {
            turn(worker, next);
        }
    }
    loop->leader = NULL;
    h2_loop_unlock(loop);
}

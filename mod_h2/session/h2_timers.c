/*
 * When a session's time is up: who waits for whom decides which timeout. Sets what the
 * loop is to wait for.
 */
#include "session/h2_session_parts.h"

/* 0 is never. */
static apr_time_t earlier(apr_time_t a, apr_time_t b)
{
    return (!a || (b && b < a)) ? b : a;
}

/* When the client has had its time: who waits for whom decides which timeout.
 * 0: nobody waits for the client. */
static apr_time_t base_deadline_of(const h2_session *session)
{
    if (session->is_shut) {
        return session->linger_until;
    }
    if (h2_io_is_blocked(&session->io)) {
        return session->last_progress + session->timeout;
    }
    if (!session->open_count) {
        return session->idle_since
               + (session->has_request ? session->idle_timeout : session->timeout);
    }
    if ((session->running_count || !APR_RING_EMPTY(&session->waiting, h2_stream, wait_link))
        && !h2_scheduler_count(&session->scheduler)) {
        return 0; /* the handlers have their own timeouts, and who waits for a thread, for us */
    }
    return session->last_progress + session->timeout;
}

static apr_time_t deadline_of(const h2_session *session)
{
    apr_time_t deadline = base_deadline_of(session);

    if (session->is_shut) {
        return deadline;
    }
    deadline = earlier(deadline, session->drain_at);
    return earlier(deadline, session->stall_check_at);
}

void h2_session_stream_stalled(h2_session *session, h2_stream *stream)
{
    apr_interval_time_t timeout = stream->exchange.timeout;

    if (!stream->stalled_since) {
        stream->stalled_since = session->loop->now;
    }
    if (timeout > 0) {
        session->stall_check_at = earlier(session->stall_check_at,
                                          stream->stalled_since + timeout);
    }
}

/* Resets the streams whose window has been shut for too long. */
int h2_session_lets_wait(const h2_session *session, const h2_stream *stream,
                         apr_interval_time_t timeout)
{
    return session->loop->now - session->last_sent < timeout
           && nghttp2_session_get_stream_remote_window_size(session->ngh2, stream->id) > 0;
}

static void check_stalled(h2_session *session, apr_time_t now)
{
    h2_stream *stream;

    session->stall_check_at = 0;
    APR_RING_FOREACH(stream, &session->streams, h2_stream, link) {
        apr_interval_time_t timeout = stream->exchange.timeout;

        if (stream->is_closed || !stream->stalled_since || timeout <= 0) {
            continue;
        }
        if (h2_session_lets_wait(session, stream, timeout)) {
            stream->stalled_since = now;
        }
        if (stream->stalled_since + timeout > now) {
            session->stall_check_at = earlier(session->stall_check_at,
                                              stream->stalled_since + timeout);
            continue;
        }
        ap_log_cerror(APLOG_MARK, APLOG_DEBUG, APR_TIMEUP, session->c,
                      H2_ID_FMT "the client takes no data, stream is reset",
                      session->c->id, stream->id);
        stream->stalled_since = 0;
        nghttp2_submit_rst_stream(session->ngh2, NGHTTP2_FLAG_NONE, stream->id,
                                  NGHTTP2_CANCEL);
    }
}

void h2_session_check_timers(h2_session *session, apr_time_t now)
{
    apr_time_t deadline;

    if (session->drain_at && session->drain_at <= now) {
        h2_session_end_drain(session);
    }
    deadline = base_deadline_of(session);
    if (!deadline || deadline > now) {
        if (session->stall_check_at && session->stall_check_at <= now) {
            check_stalled(session, now);
        }
        return;
    }
    if (session->is_shut || h2_io_is_blocked(&session->io)) {
        h2_session_abort(session, APR_TIMEUP);
    }
    else if (session->open_count) {
        h2_session_terminate(session, NGHTTP2_NO_ERROR, "timeout");
    }
    else if (session->state == H2_SESSION_OPEN) {
        ap_log_cerror(APLOG_MARK, APLOG_DEBUG, 0, session->c,
                      H2_ID_FMT "idle, closing", session->c->id, 0);
        h2_session_drain(session, 0);
    }
}

/* What the loop is to wait for. A broken socket has nothing more to say, and says so for ever while
 * requests of its session still run. */
static apr_int16_t wanted_events(const h2_session *session)
{
    apr_int16_t events = 0;

    if (session->io.is_broken) {
        return 0;
    }
    if (!session->is_eof && (session->is_shut || !session->is_read_paused)) {
        events |= APR_POLLIN;
    }
    if (h2_io_is_blocked(&session->io)) {
        events |= APR_POLLOUT;
    }
    if (session->is_eof && !session->is_shut) {
        events |= APR_POLLERR; /* the client is gone, and not only has ended its side */
    }
    return events;
}

void h2_session_arm(h2_session *session)
{
    int was_paused = session->is_read_paused;

    h2_loop_assert_held(session->loop);
    session->is_read_paused = h2_session_has_too_much(session);
    if (was_paused && !session->is_read_paused) {
        session->task.revents |= APR_POLLIN; /* the filters may have kept some */
        h2_loop_ready(session->loop, &session->task);
    }
    if (h2_loop_watch(session->loop, &session->task, wanted_events(session)) != APR_SUCCESS) {
        h2_session_abort(session, APR_EGENERAL);
    }
    h2_loop_deadline(session->loop, &session->task, deadline_of(session));
}

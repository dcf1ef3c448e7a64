/*
 * When a session's time is up: who waits for whom decides which timeout. Sets what the
 * loop is to wait for.
 */
#include "session/h2_timers.h"

#include "base/h2_log.h"
#include "session/h2_ending.h"
#include "session/h2_memory.h"
#include "session/h2_streams.h"

/* 0 is never. */
static apr_time_t earlier(apr_time_t a, apr_time_t b)
{
    return (!a || (b && b < a)) ? b : a;
}

/* When the client has had its time: who waits for whom decides which timeout.
 * 0: nobody waits for the client. */
static apr_time_t base_deadline_of(const h2_session *session)
{
    if (session->io.is_broken) {
        return 0; /* it waits for its requests alone */
    }
    if (session->is_shut) {
        return session->times.linger_until;
    }
    if (h2_io_is_blocked(&session->io)) {
        return (session->times.blocked_since ? session->times.blocked_since
                                             : session->times.last_progress)
               + session->timeout;
    }
    if (!session->count.open) {
        return session->times.idle_since
               + (session->client.has_request ? session->idle_timeout : session->timeout);
    }
    if (!h2_scheduler_count(&session->scheduler)
        && (session->count.running || h2_session_next_waiting(session, NULL))) {
        return 0; /* the handlers have their own timeouts, and who may have a thread waits for us */
    }
    return session->times.last_progress + session->timeout;
}

/* When the connection as such has had its time. 0: never. */
static apr_time_t end_of_patience(const h2_session *session)
{
    const h2_server_conf *conf = session->conf;
    apr_time_t end = 0;

    if (session->state == H2_SESSION_CLOSING) {
        return 0; /* it has come to its end */
    }
    if (!session->client.is_settings_acked) {
        end = session->times.begun + session->timeout;
    }
    if (session->in.within_since && conf->max_header_time) {
        end = earlier(end, session->in.within_since + conf->max_header_time);
    }
    if (conf->max_connection_time && session->state == H2_SESSION_OPEN) {
        end = earlier(end, session->times.begun + conf->max_connection_time);
    }
    return end;
}

static apr_time_t deadline_of(const h2_session *session)
{
    apr_time_t deadline = base_deadline_of(session);

    if (session->is_shut) {
        return deadline;
    }
    deadline = earlier(deadline, session->times.drain_at);
    deadline = earlier(deadline, session->times.check_streams_at);
    return earlier(deadline, end_of_patience(session));
}

void h2_session_check_streams_at(h2_session *session, apr_time_t when)
{
    session->times.check_streams_at = earlier(session->times.check_streams_at, when);
}

void h2_session_stream_stalled(h2_session *session, h2_stream *stream)
{
    apr_interval_time_t timeout = stream->exchange.timeout;

    if (!stream->stalled_since) {
        stream->stalled_since = session->loop->now;
        stream->stalled_bytes = stream->out_bytes;
    }
    if (!stream->trace.shut) {
        stream->trace.shut = session->loop->now;
        h2_stats_count(session->loop->stats, H2_COUNT_STALLS);
    }
    if (timeout > 0) {
        h2_session_check_streams_at(session, stream->stalled_since + timeout);
    }
}

int h2_session_lets_wait(const h2_session *session, const h2_stream *stream,
                         apr_interval_time_t timeout)
{
    return session->loop->now - session->out.last_sent < timeout
           && nghttp2_session_get_stream_remote_window_size(session->ngh2, stream->id) > 0;
}

/* What a client must take, or send, in such a time. At least something. */
static apr_uint64_t bytes_for(int rate, apr_interval_time_t time)
{
    apr_uint64_t bytes = (apr_uint64_t)rate * (apr_uint64_t)apr_time_sec(time);

    return bytes ? bytes : 1;
}

/* Has the client taken enough of the response since it let it wait? Then it has as much time
 * again, if it still does. */
static int keeps_up(const h2_session *session, h2_stream *stream, apr_interval_time_t timeout)
{
    return stream->out_bytes - stream->stalled_bytes
               >= bytes_for(session->conf->min_response_rate, timeout)
           || h2_session_lets_wait(session, stream, timeout);
}

static void reset(h2_session *session, h2_stream *stream, apr_uint32_t error)
{
    stream->stalled_since = stream->grace_until = stream->credit_until = 0;
    nghttp2_submit_rst_stream(session->ngh2, NGHTTP2_FLAG_NONE, stream->id, error);
}

void h2_session_note_slow(h2_session *session, const h2_stream *stream,
                          apr_interval_time_t timeout)
{
    /* Where the client's TCP takes nothing, it is the connection that ends, with a line of its
     * own. */
    int level = h2_io_is_blocked(&session->io) ? APLOG_DEBUG : APLOG_INFO;

    h2_stats_count(session->loop->stats, H2_COUNT_LIMIT_RESPONSE_RATE);
    h2_log(level, 0, session->c,
           H2_ID_FMT
           "the client takes less of the response than H2MinResponseRate (%d bytes a second) "
           "within H2StreamTimeout (%" APR_TIME_T_FMT " ms): the stream is reset",
           session->c->id, stream->id, session->conf->min_response_rate, apr_time_as_msec(timeout));
}

static void check_stalled(h2_session *session, h2_stream *stream, apr_time_t now)
{
    apr_interval_time_t timeout = stream->exchange.timeout;

    if (!stream->stalled_since || timeout <= 0) {
        return;
    }
    if (stream->stalled_since + timeout <= now) {
        if (stream->is_sending || !h2_stream_has_data(stream)) {
            stream->stalled_since = 0; /* its window is open */
            return;
        }
        if (!keeps_up(session, stream, timeout)) {
            h2_session_note_slow(session, stream, timeout);
            reset(session, stream, NGHTTP2_CANCEL);
            return;
        }
        stream->stalled_since = now;
        stream->stalled_bytes = stream->out_bytes;
    }
    h2_session_check_streams_at(session, stream->stalled_since + timeout);
}

static void check_stream(h2_session *session, h2_stream *stream, apr_time_t now)
{
    check_stalled(session, stream, now);
    if (stream->grace_until) {
        if (stream->grace_until <= now) {
            h2_log(APLOG_DEBUG, 0, session->c, H2_ID_FMT "the response is out, and the rest of the "
                   "request has not come: the stream is reset", session->c->id, stream->id);
            reset(session, stream, NGHTTP2_NO_ERROR);
            return;
        }
        h2_session_check_streams_at(session, stream->grace_until);
    }
    if (stream->credit_until) {
        if (stream->credit_until <= now) {
            h2_session_has_output(session, stream); /* it is sent what its window allows */
        }
        else {
            h2_session_check_streams_at(session, stream->credit_until);
        }
    }
}

static void check_streams(h2_session *session, apr_time_t now)
{
    h2_stream *stream;

    session->times.check_streams_at = 0;
    APR_RING_FOREACH(stream, &session->streams, h2_stream, link) {
        if (!stream->is_closed) {
            check_stream(session, stream, now);
        }
    }
}

/* Returns whether the session goes on. */
static int check_patience(h2_session *session, apr_time_t now)
{
    const h2_server_conf *conf = session->conf;

    if (session->state == H2_SESSION_CLOSING) {
        return 0;
    }
    if (!session->client.is_settings_acked && session->times.begun + session->timeout <= now) {
        h2_stats_count(session->loop->stats, H2_COUNT_LIMIT_SETTINGS);
        h2_session_terminate(session, NGHTTP2_SETTINGS_TIMEOUT,
                             "the client has not acknowledged our SETTINGS within Timeout (%"
                             APR_TIME_T_FMT " ms)", apr_time_as_msec(session->timeout));
        return 0;
    }
    if (session->in.within_since && conf->max_header_time
        && session->in.within_since + conf->max_header_time <= now) {
        h2_stats_count(session->loop->stats, H2_COUNT_LIMIT_HEADER_TIME);
        h2_session_terminate(session, NGHTTP2_ENHANCE_YOUR_CALM,
                             "a frame or field block took longer than H2MaxHeaderTime (%"
                             APR_TIME_T_FMT " ms)", apr_time_as_msec(conf->max_header_time));
        return 0;
    }
    if (conf->max_connection_time && session->times.begun + conf->max_connection_time <= now
        && session->state == H2_SESSION_OPEN) {
        h2_stats_count(session->loop->stats, H2_COUNT_LIMIT_TIME);
        h2_log(APLOG_INFO, 0, session->c, H2_ID_FMT "H2MaxConnectionTime (%" APR_TIME_T_FMT
               " ms) is over: the connection ends when what it has asked for is answered",
               session->c->id, 0, apr_time_as_msec(conf->max_connection_time));
        h2_session_drain(session, 1);
    }
    return 1;
}

/* The time is up for which we have waited for the client. */
static void give_up(h2_session *session)
{
    if (session->is_shut) {
        h2_session_abort(session, APR_TIMEUP);
    }
    else if (h2_io_is_blocked(&session->io)) {
        h2_stats_count(session->loop->stats, H2_COUNT_LIMIT_TIMEOUT);
        h2_session_log_end(session, NGHTTP2_NO_ERROR,
                           "the client's TCP has taken less than H2MinResponseRate (%d bytes a "
                           "second) within Timeout (%" APR_TIME_T_FMT " ms)",
                           session->conf->min_response_rate, apr_time_as_msec(session->timeout));
        h2_session_abort(session, APR_TIMEUP);
    }
    else if (session->count.open) {
        h2_stats_count(session->loop->stats, H2_COUNT_LIMIT_TIMEOUT);
        h2_session_terminate(session, NGHTTP2_NO_ERROR,
                             "requests are open, and nothing has come or gone within Timeout (%"
                             APR_TIME_T_FMT " ms)", apr_time_as_msec(session->timeout));
    }
    else if (session->state == H2_SESSION_OPEN) {
        h2_stats_count(session->loop->stats, H2_COUNT_LIMIT_IDLE);
        h2_log(APLOG_DEBUG, 0, session->c, H2_ID_FMT "idle, closing", session->c->id, 0);
        h2_session_drain(session, 0);
    }
}

/* Since when the socket has taken too little. */
static void note_blocked(h2_session *session)
{
    apr_uint64_t sent = session->io.sent_bytes;

    if (!h2_io_is_blocked(&session->io)) {
        session->times.blocked_since = 0;
    }
    else if (!session->times.blocked_since
             || sent - session->times.blocked_at
                    >= bytes_for(session->conf->min_response_rate, session->timeout)) {
        if (!session->times.blocked_since) {
            h2_stats_count(session->loop->stats, H2_COUNT_SOCKET_STALLS);
        }
        session->times.blocked_since = session->loop->now;
        session->times.blocked_at = sent;
    }
}

void h2_session_check_timers(h2_session *session, apr_time_t now)
{
    apr_time_t deadline;

    if (session->times.drain_at && session->times.drain_at <= now) {
        h2_session_end_drain(session);
    }
    note_blocked(session); /* it may have taken something in this very turn */
    deadline = base_deadline_of(session);
    if (deadline && deadline <= now) {
        give_up(session);
        return;
    }
    if (session->is_shut || !check_patience(session, now)) {
        return;
    }
    if (session->times.check_streams_at && session->times.check_streams_at <= now) {
        check_streams(session, now);
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
    if (!session->in.is_eof && (session->is_shut || !session->in.is_paused)) {
        events |= APR_POLLIN;
    }
    if (h2_io_is_blocked(&session->io)) {
        events |= APR_POLLOUT;
    }
    if (session->in.is_eof && !session->is_shut) {
        events |= APR_POLLERR; /* the client is gone, and not only has ended its side */
    }
    return events;
}

void h2_session_arm(h2_session *session)
{
    int was_paused = session->in.is_paused;

    h2_loop_assert_held(session->loop);
    note_blocked(session);
    if (session->is_out_of_memory) {
        h2_session_end_without_memory(session);
    }
    session->in.is_paused = h2_session_has_too_much(session);
    if (was_paused && !session->in.is_paused) {
        session->task.revents |= APR_POLLIN; /* the filters may have kept some */
        h2_loop_ready(session->loop, &session->task);
    }
    if (h2_loop_watch(session->loop, &session->task, wanted_events(session)) != APR_SUCCESS) {
        h2_session_abort(session, APR_EGENERAL);
    }
    h2_loop_deadline(session->loop, &session->task, deadline_of(session));
}

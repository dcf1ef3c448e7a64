#include "session/h2_ending.h"

#include <string.h>

#include "base/h2_log.h"
#include "session/h2_streams.h"

/* From the first GOAWAY, which lets requests on their way arrive, to the last: a round trip, RFC
 * 9113, 6.8, which a PING tells of; not less than the one time, in which a client may still use
 * what it has read late, and not more than the other. */
#define H2_DRAIN_USEC (APR_USEC_PER_SEC / 4)
#define H2_DRAIN_MAX_USEC (2 * APR_USEC_PER_SEC)

/* What that PING holds. */
static const unsigned char drain_mark[8] = {'d', 'r', 'a', 'i', 'n', 'i', 'n', 'g'};

/* Frames that wait in nghttp2 to be sent, beyond which nothing is read: replies
 * to a client that sends but does not read. */
#define H2_OUTBOUND_QUEUE_MAX 1000

/* What the log says of the end of one. */
#define H2_REASON_BYTES 256

/* Only bytes out from now on. nghttp2 closes no stream for us once it is of no use: do it for
 * all. */
static void begin_closing(h2_session *session)
{
    h2_stream *stream;

    session->state = H2_SESSION_CLOSING;
    session->times.drain_at = 0;
    session->is_goaway_queued = 0; /* another one may come, or none */
    APR_RING_FOREACH(stream, &session->streams, h2_stream, link) {
        if (!stream->is_closed) {
            h2_session_give_up_stream(session, stream);
        }
    }
}

static void log_end(h2_session *session, apr_uint32_t error, const char *format, va_list args)
{
    char reason[H2_REASON_BYTES];
    apr_interval_time_t lasted = session->loop->now - session->times.begun;

    if (session->is_end_logged) {
        return;
    }
    session->is_end_logged = 1;
    apr_vsnprintf(reason, sizeof(reason), format, args);
    h2_log((error == NGHTTP2_INTERNAL_ERROR) ? APLOG_ERR : APLOG_INFO, 0, session->c,
           APLOGNO(03401) H2_ID_FMT
           "%s, shutdown, remote.emitted=%d, answered=%u, resets.client=%u, "
           "resets.server=%u, seconds=%" APR_TIME_T_FMT ".%03d, error=%s",
           session->c->id, 0, reason, session->client.stream_count,
           (unsigned)session->gate.flood.requests_done, session->gate.reset_count,
           session->out.reset_count, apr_time_sec(lasted), (int)apr_time_msec(lasted),
           h2_session_error_name(error));
}

void h2_session_log_end(h2_session *session, apr_uint32_t error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    log_end(session, error, format, args);
    va_end(args);
}

void h2_session_terminate(h2_session *session, apr_uint32_t error, const char *format, ...)
{
    va_list args;

    h2_loop_assert_held(session->loop);
    if (session->state == H2_SESSION_CLOSING) {
        return;
    }
    va_start(args, format);
    log_end(session, error, format, args);
    va_end(args);
    session->is_goaway_final = 1;
    begin_closing(session);
    nghttp2_session_terminate_session2(session->ngh2, session->client.last_id, error);
}

void h2_session_abort(h2_session *session, apr_status_t rv)
{
    h2_loop_assert_held(session->loop);
    if (!session->io.is_broken) {
        h2_log((rv == APR_EGENERAL) ? APLOG_ERR : APLOG_DEBUG, rv, session->c,
               H2_ID_FMT "the connection is given up", session->c->id, 0);
    }
    session->io.is_broken = 1;
    begin_closing(session);
}

void h2_session_end_drain(h2_session *session)
{
    session->is_goaway_final = 1;
    session->is_goaway_queued = (session->client.last_id != APR_INT32_MAX); /* else none follows */
    session->times.drain_at = 0;
    nghttp2_submit_goaway(session->ngh2, NGHTTP2_FLAG_NONE, session->client.last_id,
                          NGHTTP2_NO_ERROR, NULL, 0);
}

void h2_session_drain(h2_session *session, int is_gentle)
{
    h2_loop_assert_held(session->loop);
    if (session->state != H2_SESSION_OPEN) {
        return;
    }
    session->state = H2_SESSION_DRAINING;
    if (is_gentle) {
        nghttp2_submit_shutdown_notice(session->ngh2);
        nghttp2_submit_ping(session->ngh2, NGHTTP2_FLAG_NONE, drain_mark);
        session->times.drain_from = session->loop->now + H2_DRAIN_USEC;
        session->times.drain_at = session->loop->now + H2_DRAIN_MAX_USEC;
    }
    else {
        h2_session_end_drain(session);
    }
}

void h2_session_note_round_trip(h2_session *session, const unsigned char *mark)
{
    if (session->times.drain_at && !memcmp(mark, drain_mark, sizeof(drain_mark))) {
        session->times.drain_at = session->times.drain_from;
    }
}

int h2_session_is_finished(const h2_session *session)
{
    if (session->io.is_broken) {
        return 1;
    }
    if (h2_io_is_blocked(&session->io)) {
        return 0;
    }
    if (session->state == H2_SESSION_CLOSING) {
        return !nghttp2_session_want_write(session->ngh2);
    }
    if (session->count.open) {
        return 0;
    }
    if (session->in.is_eof) {
        return 1;
    }
    return (session->client.has_goaway
            || (session->state == H2_SESSION_DRAINING && session->is_goaway_final))
           && !nghttp2_session_want_write(session->ngh2);
}

int h2_session_has_too_much(const h2_session *session)
{
    return session->is_goaway_queued
           || nghttp2_session_get_outbound_queue_size(session->ngh2) > H2_OUTBOUND_QUEUE_MAX;
}

void h2_session_follow_end(h2_session *session)
{
    if (session->state != H2_SESSION_CLOSING && !session->is_shut
        && !nghttp2_session_want_read(session->ngh2)
        && !nghttp2_session_want_write(session->ngh2)) {
        if (session->state == H2_SESSION_OPEN && !session->client.has_goaway) {
            h2_session_log_end(session, NGHTTP2_PROTOCOL_ERROR, "protocol error of the client");
        }
        begin_closing(session);
    }
}

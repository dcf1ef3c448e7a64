/*
 * The client's way in: how much it may send of a request's body before that is read, RFC 9113,
 * 6.9. nghttp2 counts; how wide a window is, and when it is given back early, is decided here.
 */
#include "session/h2_windows.h"

#include <apr_atomic.h>

/* Where H2WindowSize is not given: by what the window of a stream grows whose request reads
 * fast, and how wide it may become; how much all streams of a child may have together beyond
 * H2WindowSize (those of a connection: H2_WIDENED_MAX). */
#define H2_WINDOW_GROWTH 16
#define H2_WINDOW_WIDEST ((apr_size_t)4 * 1024 * 1024)
#define H2_WIDENED_CHILD_MAX_KIB (64 * 1024)

/* A client that needs longer for a window has no use for a wider one: no way is so long. */
#define H2_WINDOW_USEC APR_USEC_PER_SEC

/* Credit is given back when half of a window is consumed (nghttp2); to a request that waits, when
 * it is this part: it could wait for more than the client may send. */
#define H2_CREDIT_DIVISOR 4

/* Any thread, atomically. */
static volatile apr_uint32_t child_widened_kib;

void h2_session_consumed(h2_session *session, h2_stream *stream, apr_size_t length)
{
    h2_loop_assert_held(session->loop);
    stream->in_unread_bytes -= length;
    if (stream->is_closed) {
        nghttp2_session_consume_connection(session->ngh2, length);
    }
    else {
        nghttp2_session_consume(session->ngh2, stream->id, length);
    }
}

void h2_session_credit(h2_session *session, h2_stream *stream)
{
    apr_size_t width = (apr_size_t)session->conf->window_bytes + stream->widened_bytes;
    apr_int64_t consumed;

    h2_loop_assert_held(session->loop);
    if (stream->is_closed || stream->exchange.in_is_ended) {
        return;
    }
    consumed = nghttp2_session_get_stream_effective_recv_data_length(session->ngh2, stream->id)
               - (apr_int64_t)stream->in_unread_bytes;
    if (consumed >= (apr_int64_t)(width / H2_CREDIT_DIVISOR)) {
        nghttp2_submit_window_update(session->ngh2, NGHTTP2_FLAG_NONE, stream->id,
                                     (int32_t)consumed);
    }
}

/* Takes so many bytes of what windows may be wider than H2WindowSize. 0: too many are taken. */
static int take_width(h2_session *session, apr_size_t bytes)
{
    apr_uint32_t kib = (apr_uint32_t)(bytes / 1024);

    if (session->in.widened_bytes + bytes > H2_WIDENED_MAX) {
        return 0;
    }
    if (apr_atomic_add32(&child_widened_kib, kib) + kib > H2_WIDENED_CHILD_MAX_KIB) {
        apr_atomic_sub32(&child_widened_kib, kib);
        return 0;
    }
    session->in.widened_bytes += bytes;
    return 1;
}

void h2_session_give_width_back(h2_session *session, apr_size_t bytes)
{
    session->in.widened_bytes -= bytes;
    apr_atomic_sub32(&child_widened_kib, (apr_uint32_t)(bytes / 1024));
}

/* Has the request read so much so fast that the width of the window may be what keeps its
 * client from sending more? If it was too slow, the time begins anew. */
static int is_fast(const h2_session *session, h2_stream *stream, apr_size_t width)
{
    apr_time_t now = session->loop->now;
    apr_time_t since = stream->width_since;

    if (stream->in_bytes - stream->width_begun < (apr_off_t)width * 3 / 4) {
        return 0;
    }
    stream->width_since = now;
    stream->width_begun = stream->in_bytes;
    return now - since <= H2_WINDOW_USEC;
}

void h2_session_widen(h2_session *session, h2_stream *stream)
{
    apr_size_t width = (apr_size_t)session->conf->window_bytes + stream->widened_bytes;
    apr_size_t more = width * (H2_WINDOW_GROWTH - 1);

    h2_loop_assert_held(session->loop);
    if (session->conf->is_window_set || stream->is_closed || stream->exchange.in_is_ended
        || !is_fast(session, stream, width)) {
        return;
    }
    if (more > H2_WINDOW_WIDEST - width) {
        more = H2_WINDOW_WIDEST - width;
    }
    more -= more % 1024; /* it is counted in KiB */
    if (!more || !take_width(session, more)) {
        return;
    }
    if (nghttp2_session_set_local_window_size(session->ngh2, NGHTTP2_FLAG_NONE, stream->id,
                                              (int32_t)(width + more)) != 0) {
        h2_session_give_width_back(session, more);
        return;
    }
    stream->widened_bytes += more;
}

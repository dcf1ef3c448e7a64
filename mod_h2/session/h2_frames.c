/*
 * What nghttp2's callbacks make of the client's frames. They note what has happened; no request is
 * started in them, and nothing is sent or freed but by nghttp2.
 */
#include "session/h2_frames.h"

#include "base/h2_log.h"
#include "base/h2_probe.h"
#include "session/h2_dependencies.h"
#include "session/h2_ending.h"
#include "session/h2_frame_log.h"
#include "session/h2_gate.h"
#include "session/h2_priorities.h"
#include "session/h2_push.h"
#include "session/h2_streams.h"

static h2_stream *stream_of(nghttp2_session *ngh2, int32_t id)
{
    return nghttp2_session_get_stream_user_data(ngh2, id);
}

static int refuse(h2_session *session, int32_t id, int is_ended)
{
    h2_log(APLOG_DEBUG, 0, session->c,
           H2_ID_FMT "the stream is refused: %s (H2MaxSessionStreams is "
                     "%d)",
           session->c->id, id,
           (session->is_goaway_final || session->state == H2_SESSION_CLOSING)
               ? "the connection ends"
               : "too many are open, or still run",
           session->conf->max_session_streams);
    h2_stats_count(session->loop->stats, H2_COUNT_STREAMS_REFUSED);
    if (!is_ended) {
        h2_session_note_reset(session, id);
    }
    nghttp2_submit_rst_stream(session->ngh2, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    return 0;
}

/* Has the frame whose head was complete last named a dependency of the stream? */
static int has_dependency(const h2_frame_scan *scan, int32_t id)
{
    return scan->stream_id == id && scan->type == NGHTTP2_HEADERS
           && (scan->flags & NGHTTP2_FLAG_PRIORITY);
}

static int begin_request(h2_session *session, const nghttp2_frame_hd *hd)
{
    int32_t id = hd->stream_id;
    int is_ended = (hd->flags & NGHTTP2_FLAG_END_STREAM) != 0;
    int most = session->conf->max_connection_requests;
    h2_stream *stream;

    ++session->client.stream_count;
    h2_stats_count(session->loop->stats, H2_COUNT_STREAMS);
    session->client.highest_id = id;
    if (most && session->client.stream_count >= most && session->state == H2_SESSION_OPEN) {
        h2_session_drain(session, 1);
        h2_stats_count(session->loop->stats, H2_COUNT_LIMIT_REQUESTS);
        h2_log(APLOG_INFO, 0, session->c, H2_ID_FMT "H2MaxConnectionRequests (%d) have come: the "
               "connection ends when they are answered", session->c->id, id, most);
    }
    /* With the streams that were reset and still have a thread there may be twice as many: a client
     * cannot have ever more work done by resetting. */
    if (session->state == H2_SESSION_CLOSING
        || session->count.open - session->count.pushed >= session->conf->max_session_streams
        || (session->count.all - session->count.pushed) / 2
               >= session->conf->max_session_streams
        || session->is_goaway_final) {
        return refuse(session, id, is_ended);
    }
    stream = h2_stream_create(session, id, h2_session_blocks(session));
    if (!stream) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    stream->head = h2_head_create(h2_session_blocks(session));
    if (!stream->head) {
        h2_stream_destroy(stream, h2_session_blocks(session));
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    stream->is_end_seen = is_ended;
    h2_session_enter_stream(session, stream, NULL, H2_WEIGHT_DEFAULT);
    nghttp2_session_set_stream_user_data(session->ngh2, id, stream);
    if (has_dependency(&session->in.scan, id)) {
        h2_session_depend(session, stream, &session->in.scan.dependency);
    }
    else if (session->groups) {
        h2_session_depend(session, stream, NULL);
    }
    session->in.stream = stream;
    return 0;
}

static int begin_trailers(h2_session *session, int32_t id)
{
    h2_stream *stream = stream_of(session->ngh2, id);

    if (stream && !stream->trailers) {
        stream->trailers = h2_head_create(h2_session_blocks(session));
        if (!stream->trailers) {
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
    }
    session->in.stream = stream;
    return 0;
}

static int on_begin_headers(nghttp2_session *ngh2, const nghttp2_frame *frame, void *user_data)
{
    h2_session *session = user_data;

    (void)ngh2;
    session->in.stream = NULL;
    return (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
               ? begin_request(session, &frame->hd)
               : begin_trailers(session, frame->hd.stream_id);
}

/* The first time tells whom it concerns and what can be done; a client that goes on is ended by
 * H2MaxClientErrors. */
static void note_long_fields(h2_session *session, int32_t id)
{
    int level = session->in.has_long_fields ? APLOG_DEBUG : APLOG_INFO;

    session->in.has_long_fields = 1;
    h2_log(level, 0, session->c, H2_ID_FMT "fields of more than H2MaxHeaderListSize (%lu): the "
           "stream is reset", session->c->id, (int)id, (unsigned long)session->header_list_bytes);
}

static int on_header(nghttp2_session *ngh2, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *user_data)
{
    const h2_session *session = user_data;
    h2_stream *stream = session->in.stream;
    nghttp2_vec name_bytes = nghttp2_rcbuf_get_buf(name);
    nghttp2_vec value_bytes = nghttp2_rcbuf_get_buf(value);
    h2_head *head;
    apr_status_t rv;

    (void)flags;
    if (!stream || stream->is_rejected) {
        return 0; /* the block must be decoded all the same */
    }
    head = (frame->headers.cat == NGHTTP2_HCAT_REQUEST) ? stream->head : stream->trailers;
    if (!head) {
        return 0;
    }
    rv = h2_head_add_checked(head, (const char *)name_bytes.base, name_bytes.len,
                             (const char *)value_bytes.base, value_bytes.len,
                             session->header_list_bytes);
    switch (rv) {
    case APR_SUCCESS:
        return 0;
    case APR_ENOSPC:
        stream->is_rejected = 1;
        h2_stats_count(session->loop->stats, H2_COUNT_LIMIT_HEADER_LIST);
        note_long_fields(user_data, frame->hd.stream_id);
        nghttp2_submit_rst_stream(ngh2, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                  NGHTTP2_ENHANCE_YOUR_CALM);
        /* The rest of the block is decoded and not looked at, which can be 64 MB; nghttp2 would
         * reset the stream for that, but it is reset already. */
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    default:
        return (rv == APR_EINVAL) ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
                                  : NGHTTP2_ERR_CALLBACK_FAILURE;
    }
}

/* nghttp2 would drop such a field and go on: a request is not what it seems. */
static int on_invalid_header(nghttp2_session *ngh2, const nghttp2_frame *frame,
                             nghttp2_rcbuf *name, nghttp2_rcbuf *value, uint8_t flags,
                             void *user_data)
{
    (void)ngh2;
    (void)frame;
    (void)name;
    (void)value;
    (void)flags;
    (void)user_data;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* For many of these errors nghttp2 resets the stream, but only when its RST_STREAM is packed: that
 * is after requests have been started. */
static int on_invalid_frame_recv(nghttp2_session *ngh2, const nghttp2_frame *frame, int error,
                                 void *user_data)
{
    h2_session *session = user_data;
    h2_stream *stream = frame->hd.stream_id ? stream_of(ngh2, frame->hd.stream_id) : NULL;

    h2_log(APLOG_DEBUG, 0, session->c, H2_ID_FMT "a frame of the client is invalid: %s",
           session->c->id, (int)frame->hd.stream_id, nghttp2_strerror(error));
    if (stream) {
        h2_session_reject_waiting(stream);
    }
    return 0;
}

/* What its head has said. */
static void count_request(const h2_session *session, const h2_stream *stream)
{
    h2_stats *stats = session->loop->stats;

    h2_stats_add(stats, H2_COUNT_FIELDS_IN, h2_head_bytes(stream->head));
    h2_stats_count_of(stats, H2_COUNT_URGENCIES0, (unsigned)stream->priority.urgency,
                      H2_STATS_URGENCIES);
    if (stream->priority.is_incremental) {
        h2_stats_count(stats, H2_COUNT_INCREMENTAL);
    }
    if (stream->dependency.parent_id || stream->dependency.weight != H2_WEIGHT_DEFAULT) {
        h2_stats_count(stats, H2_COUNT_DEPENDENCIES);
    }
}

static void request_is_complete(h2_session *session, h2_stream *stream)
{
    stream->exchange.head = stream->head;
    if (session->conf->websockets) {
        stream->is_tunnel = (h2_head_protocol(stream->head) != NULL);
    }
    h2_session_note_digest(session, stream);
    if (session->client.has_priorities || h2_head_has_priority(stream->head)) {
        h2_session_prioritize(session, stream);
    }
    count_request(session, stream);
    h2_session_enter_waiting(session, stream, session->loop->now,
                             h2_loop_wall_time(session->loop));
    session->client.has_request = 1;
    session->times.last_progress = session->loop->now;
    if (stream->id > session->client.last_id) {
        session->client.last_id = stream->id;
    }
}

static void body_is_complete(h2_session *session, h2_stream *stream)
{
    stream->exchange.in_trailers = stream->trailers;
    stream->exchange.in_is_ended = 1;
    session->times.last_progress = session->loop->now;
    h2_exchange_wake(&stream->exchange);
}

/* The client's windows have grown: who was blocked by them may go on. */
static void windows_have_grown(h2_session *session, int32_t stream_id)
{
    h2_stream *stream;

    if (stream_id) {
        stream = stream_of(session->ngh2, stream_id);
        if (stream) {
            h2_session_has_output(session, stream);
        }
        return;
    }
    APR_RING_FOREACH(stream, &session->streams, h2_stream, link) {
        h2_session_has_output(session, stream);
    }
}

/* The client's SETTINGS change the windows of all streams. One beyond what a window can be ends the
 * connection, RFC 9113, 6.9.2; nghttp2 would reset that stream. Returns 0 then. */
static int note_window(h2_session *session)
{
    apr_int64_t window = nghttp2_session_get_remote_settings(session->ngh2,
                                                             NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
    apr_int64_t growth = window - session->client.window;

    session->client.window = window;
    if (session->gate.widest_window + growth > APR_INT32_MAX) {
        h2_session_terminate(session, NGHTTP2_FLOW_CONTROL_ERROR,
                             "SETTINGS make the window of a stream too large");
        return 0;
    }
    return 1;
}

/* Nothing but padding is as empty as nothing, which the gate has counted. */
static int is_empty_data(const nghttp2_frame *frame)
{
    return frame->hd.length && frame->data.padlen == frame->hd.length
           && !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
}

static void note_reset(const h2_session *session, h2_stream *stream, apr_uint32_t error)
{
    h2_stats *stats = session->loop->stats;

    h2_stats_count_of(stats, H2_COUNT_RESETS_RECEIVED0, error, H2_STATS_ERRORS);
    if (!stream) {
        return;
    }
    stream->trace.reset_by = H2_RESET_RECEIVED;
    stream->trace.reset_error = error;
    if (stream->pushed_on) {
        h2_stats_count(stats, H2_COUNT_PUSHES_CANCELLED);
    }
}

/* Returns 0 if the session is terminated. */
static int settings_are_there(h2_session *session, const nghttp2_frame_hd *hd)
{
    if (hd->flags & NGHTTP2_FLAG_ACK) {
        session->client.is_settings_acked = 1;
        return 1;
    }
    if (!note_window(session)) {
        return 0;
    }
    windows_have_grown(session, 0);
    h2_session_note_settings(session);
    return 1;
}

static int on_frame_recv(nghttp2_session *ngh2, const nghttp2_frame *frame, void *user_data)
{
    h2_session *session = user_data;
    h2_stream *stream = frame->hd.stream_id ? stream_of(ngh2, frame->hd.stream_id) : NULL;

    h2_session_log_frame(session, frame, "recv");
    if (stream) {
        ++stream->trace.in_frames;
    }
    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        if (stream && stream->state == H2_STREAM_HEAD && !stream->is_rejected) {
            request_is_complete(session, stream);
        }
        if (stream && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
            body_is_complete(session, stream);
        }
        break;
    case NGHTTP2_DATA:
        if (is_empty_data(frame) && !h2_session_charge(session, H2_FLOOD_EMPTY_DATA)) {
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
        if (stream && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
            body_is_complete(session, stream);
        }
        break;
    case NGHTTP2_SETTINGS:
        if (!settings_are_there(session, &frame->hd)) {
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
        break;
    case NGHTTP2_PING:
        if (frame->hd.flags & NGHTTP2_FLAG_ACK) {
            h2_session_note_round_trip(session, frame->ping.opaque_data);
        }
        break;
    case NGHTTP2_RST_STREAM:
        H2_PROBE_STREAM_RESET(session->c->id, frame->hd.stream_id, frame->rst_stream.error_code,
                              H2_PROBE_BY_CLIENT);
        note_reset(session, stream, frame->rst_stream.error_code);
        break;
    case NGHTTP2_GOAWAY:
        session->client.has_goaway = 1;
        h2_stats_count_of(session->loop->stats, H2_COUNT_GOAWAYS_RECEIVED0,
                          frame->goaway.error_code, H2_STATS_ERRORS);
        break;
    case NGHTTP2_WINDOW_UPDATE:
        windows_have_grown(session, frame->hd.stream_id);
        break;
    case H2_FRAME_PRIORITY_UPDATE:
        h2_session_note_update(session, &frame->hd);
        break;
    default:
        break;
    }
    return 0;
}

static int on_data_chunk_recv(nghttp2_session *ngh2, uint8_t flags, int32_t stream_id,
                              const uint8_t *data, size_t length, void *user_data)
{
    h2_session *session = user_data;
    h2_stream *stream = stream_of(ngh2, stream_id);

    (void)flags;
    h2_stats_add(session->loop->stats, H2_COUNT_BODY_IN, length);
    if (!stream || stream->state == H2_STREAM_FINISHED) {
        /* Nobody reads it: the stream's window stays shut, the connection's not. */
        return nghttp2_session_consume_connection(ngh2, length) == 0
                   ? 0
                   : NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    stream->in_bytes += (apr_off_t)length;
    stream->in_unread_bytes += length;
    session->times.last_progress = session->loop->now;
    if (h2_chunks_add_copy(&stream->exchange.in, (const char *)data, length) != APR_SUCCESS) {
        return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    h2_exchange_wake(&stream->exchange);
    return 0;
}

static int on_stream_close(nghttp2_session *ngh2, int32_t stream_id, uint32_t error_code,
                           void *user_data)
{
    h2_stream *stream = stream_of(ngh2, stream_id);

    if (stream) {
        nghttp2_session_set_stream_user_data(ngh2, stream_id, NULL);
        h2_session_stream_closed(user_data, stream, error_code);
    }
    return 0;
}

void h2_frames_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks,
                                                                 on_invalid_frame_recv);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk_recv);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}

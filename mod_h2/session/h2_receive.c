/*
 * The way in: bytes from the client to nghttp2, and what its callbacks make of
 * frames. Callbacks note what has happened; no request is started in them, and
 * nothing is sent or freed but by nghttp2.
 */
#include "session/h2_session_parts.h"

/* Bytes that are read in one turn at most, so that a client which sends all the
 * time does not keep the loop from the others. */
#define H2_RECEIVE_TURN_BYTES (256 * 1024)

/* Where H2MaxFrameSize lets a client send longer ones: what every client may send without it. */
#define H2_GOAWAY_BYTES_MAX H2_FRAME_BYTES_MIN

static h2_stream *stream_of(nghttp2_session *ngh2, int32_t id)
{
    return nghttp2_session_get_stream_user_data(ngh2, id);
}

static int begin_request(h2_session *session, int32_t id)
{
    h2_stream *stream;

    ++session->emitted_count;
    session->highest_id = id;
    /* Streams that were reset and still have a thread count as well: a client
     * cannot have more work done by resetting. */
    if (session->state == H2_SESSION_CLOSING
        || session->open_count - session->pushed_count >= session->conf->max_session_streams
        || (session->stream_count - session->pushed_count) / 2
               >= session->conf->max_session_streams
        || session->is_goaway_final) {
        nghttp2_submit_rst_stream(session->ngh2, NGHTTP2_FLAG_NONE, id,
                                  NGHTTP2_REFUSED_STREAM);
        return 0;
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
    h2_session_enter_stream(session, stream, NULL, H2_WEIGHT_DEFAULT);
    nghttp2_session_set_stream_user_data(session->ngh2, id, stream);
    if (session->scan.stream_id == id) {
        h2_session_depend(session, stream, &session->scan.dependency);
    }
    else if (session->groups) {
        h2_session_depend(session, stream, NULL);
    }
    session->receiving = stream;
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
    session->receiving = stream;
    return 0;
}

static int on_begin_headers(nghttp2_session *ngh2, const nghttp2_frame *frame, void *user_data)
{
    h2_session *session = user_data;

    (void)ngh2;
    session->receiving = NULL;
    return (frame->headers.cat == NGHTTP2_HCAT_REQUEST)
               ? begin_request(session, frame->hd.stream_id)
               : begin_trailers(session, frame->hd.stream_id);
}

static int on_header(nghttp2_session *ngh2, const nghttp2_frame *frame, nghttp2_rcbuf *name,
                     nghttp2_rcbuf *value, uint8_t flags, void *user_data)
{
    const h2_session *session = user_data;
    h2_stream *stream = session->receiving;
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
        nghttp2_submit_rst_stream(ngh2, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                  NGHTTP2_ENHANCE_YOUR_CALM);
        return 0;
    default:
        return (rv == APR_EINVAL) ? NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
                                  : NGHTTP2_ERR_CALLBACK_FAILURE;
    }
}

/* nghttp2 keeps what is left of a GOAWAY, for which we have no use, in memory of that length. */
static int on_begin_frame(nghttp2_session *ngh2, const nghttp2_frame_hd *hd, void *user_data)
{
    (void)ngh2;
    if (hd->type != NGHTTP2_GOAWAY || hd->length <= H2_GOAWAY_BYTES_MAX) {
        return 0;
    }
    h2_session_terminate(user_data, NGHTTP2_ENHANCE_YOUR_CALM, "too long a GOAWAY");
    return NGHTTP2_ERR_CALLBACK_FAILURE;
}

void h2_receive_large_frames_callback(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
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

static void request_is_complete(h2_session *session, h2_stream *stream)
{
    stream->exchange.head = stream->head;
    if (session->conf->websockets) {
        stream->is_tunnel = (h2_head_protocol(stream->head) != NULL);
    }
    h2_session_note_digest(session, stream);
    if (session->has_priorities || h2_head_has_priority(stream->head)) {
        h2_session_prioritize(session, stream);
    }
    h2_session_enter_waiting(session, stream, session->loop->now);
    session->has_request = 1;
    session->last_progress = session->loop->now;
    if (stream->id > session->last_stream_id) {
        session->last_stream_id = stream->id;
    }
}

static void body_is_complete(h2_session *session, h2_stream *stream)
{
    stream->exchange.in_trailers = stream->trailers;
    stream->exchange.in_is_ended = 1;
    session->last_progress = session->loop->now;
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

static int on_frame_recv(nghttp2_session *ngh2, const nghttp2_frame *frame, void *user_data)
{
    h2_session *session = user_data;
    h2_stream *stream = frame->hd.stream_id ? stream_of(ngh2, frame->hd.stream_id) : NULL;

    h2_session_log_frame(session, frame, "recv");
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
        if (stream && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)) {
            body_is_complete(session, stream);
        }
        break;
    case NGHTTP2_SETTINGS:
        if (!(frame->hd.flags & NGHTTP2_FLAG_ACK)) {
            windows_have_grown(session, 0);
            h2_session_note_settings(session);
        }
        break;
    case NGHTTP2_GOAWAY:
        session->has_goaway = 1;
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
    if (!stream || stream->state == H2_STREAM_FINISHED) {
        /* Nobody reads it: the stream's window stays shut, the connection's not. */
        return nghttp2_session_consume_connection(ngh2, length) == 0
                   ? 0
                   : NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    stream->in_bytes += (apr_off_t)length;
    stream->in_unread_bytes += length;
    session->last_progress = session->loop->now;
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

void h2_receive_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk_recv);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
}

/* An error of nghttp2 that ends the session: never its number on the wire. */
static apr_uint32_t wire_error(ssize_t error)
{
    switch (error) {
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
        return NGHTTP2_PROTOCOL_ERROR;
    case NGHTTP2_ERR_FLOODED:
        return NGHTTP2_ENHANCE_YOUR_CALM;
    default:
        return NGHTTP2_INTERNAL_ERROR;
    }
}

/* In pieces, so that what the client says of the place of a stream is known when nghttp2 begins
 * that stream, and counts from then on. */
static apr_status_t feed(h2_session *session, const char *data, apr_size_t length)
{
    h2_frame_scan *scan = &session->scan;

    while (length) {
        const uint8_t *bytes = (const uint8_t *)data;
        apr_size_t count = h2_frame_scan_next(scan, bytes, length);
        ssize_t used = nghttp2_session_mem_recv(session->ngh2, bytes, count);

        if (used < 0) {
            h2_session_terminate(session, wire_error(used), nghttp2_strerror((int)used));
            return APR_EGENERAL;
        }
        if (scan->stream_id && !scan->is_headers) {
            h2_session_note_dependency(session, scan->stream_id, &scan->dependency);
        }
        data += count;
        length -= count;
    }
    return APR_SUCCESS;
}

/* What the client has asked for completely it may still read, as far as its
 * windows allow; the rest of the other requests never comes. */
static void client_has_ended(h2_session *session, apr_status_t rv)
{
    h2_stream *stream;

    session->is_eof = 1;
    if (!APR_STATUS_IS_EOF(rv)) {
        h2_session_abort(session, rv);
        return;
    }
    APR_RING_FOREACH(stream, &session->streams, h2_stream, link) {
        int is_blocked = !stream->is_sending && h2_stream_has_output(stream);

        if (!stream->is_closed && (!stream->exchange.in_is_ended || is_blocked)) {
            h2_session_give_up_stream(session, stream);
        }
    }
    if (session->open_count) {
        /* One that reads no more, either, has its system say so when something comes. */
        nghttp2_submit_ping(session->ngh2, NGHTTP2_FLAG_NONE, NULL);
    }
}

static apr_status_t receive(h2_session *session, int *pmore)
{
    apr_size_t total = 0;

    *pmore = 0;
    while (total < H2_RECEIVE_TURN_BYTES && !h2_session_has_too_much(session)) {
        const char *data;
        apr_size_t length;
        apr_status_t rv = h2_io_read(&session->io, session->loop->scratch,
                                     H2_LOOP_SCRATCH_BYTES / 2, &data, &length);

        if (APR_STATUS_IS_EAGAIN(rv)) {
            return APR_SUCCESS;
        }
        if (rv != APR_SUCCESS) {
            client_has_ended(session, rv);
            return rv;
        }
        total += length;
        if (session->is_shut) {
            continue; /* only waiting for the client to read and to close */
        }
        rv = feed(session, data, length);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (length < H2_LOOP_SCRATCH_BYTES / 2 && data == session->loop->scratch) {
            return APR_SUCCESS; /* the socket is empty */
        }
    }
    /* Else h2_session_arm() sees to it when there is less to be sent. */
    *pmore = !h2_session_has_too_much(session);
    return APR_SUCCESS;
}

apr_status_t h2_session_receive(h2_session *session, int *pmore)
{
    apr_status_t rv;

    h2_loop_assert_held(session->loop);
    rv = receive(session, pmore);
    h2_io_end_reading(&session->io);
    return rv;
}

/*
 * The way in: bytes from the client to nghttp2, and what its callbacks make of
 * frames. Callbacks note what has happened; no request is started in them, and
 * nothing is sent or freed but by nghttp2.
 */
#include "session/h2_session_parts.h"

#include "base/h2_probe.h"

/* Bytes that are read in one turn at most, so that a client which sends all the
 * time does not keep the loop from the others. */
#define H2_RECEIVE_TURN_BYTES (256 * 1024)

/* What a GOAWAY begins with, RFC 9113, 6.8. */
#define STREAM_ID_BYTES 4

static h2_stream *stream_of(nghttp2_session *ngh2, int32_t id)
{
    return nghttp2_session_get_stream_user_data(ngh2, id);
}

static int refuse(h2_session *session, int32_t id, int is_ended)
{
    h2_log(APLOG_DEBUG, 0, session->c, H2_ID_FMT "the stream is refused: %s (H2MaxSessionStreams is "
           "%d)", session->c->id, id,
           (session->is_goaway_final || session->state == H2_SESSION_CLOSING)
               ? "the connection ends" : "too many are open, or still run",
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

    ++session->emitted_count;
    h2_stats_count(session->loop->stats, H2_COUNT_STREAMS);
    session->highest_id = id;
    if (most && session->emitted_count >= most && session->state == H2_SESSION_OPEN) {
        h2_session_drain(session, 1);
        h2_stats_count(session->loop->stats, H2_COUNT_LIMIT_REQUESTS);
        h2_log(APLOG_INFO, 0, session->c, H2_ID_FMT "H2MaxConnectionRequests (%d) have come: the "
               "connection ends when they are answered", session->c->id, id, most);
    }
    /* Streams that were reset and still have a thread count as well: a client
     * cannot have more work done by resetting. */
    if (session->state == H2_SESSION_CLOSING
        || session->open_count - session->pushed_count >= session->conf->max_session_streams
        || (session->stream_count - session->pushed_count) / 2
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
    if (has_dependency(&session->scan, id)) {
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
               ? begin_request(session, &frame->hd)
               : begin_trailers(session, frame->hd.stream_id);
}

/* The first time tells whom it concerns and what can be done; a client that goes on is ended by
 * H2MaxClientErrors. */
static void note_long_fields(h2_session *session, int32_t id)
{
    int level = session->has_long_fields ? APLOG_DEBUG : APLOG_INFO;

    session->has_long_fields = 1;
    h2_log(level, 0, session->c, H2_ID_FMT "fields of more than H2MaxHeaderListSize (%lu): the "
           "stream is reset", session->c->id, (int)id, (unsigned long)session->header_list_bytes);
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
        h2_session_reject_waiting(session, stream);
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
    if (session->has_priorities || h2_head_has_priority(stream->head)) {
        h2_session_prioritize(session, stream);
    }
    count_request(session, stream);
    h2_session_enter_waiting(session, stream, session->loop->now,
                             h2_loop_wall_time(session->loop));
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

/* The client's SETTINGS change the windows of all streams. One beyond what a window can be ends the
 * connection, RFC 9113, 6.9.2; nghttp2 would reset that stream. Returns 0 then. */
static int note_window(h2_session *session)
{
    apr_int64_t window = nghttp2_session_get_remote_settings(session->ngh2,
                                                             NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE);
    apr_int64_t growth = window - session->peer_window;

    session->peer_window = window;
    if (session->widest_window + growth > APR_INT32_MAX) {
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
        if (frame->hd.flags & NGHTTP2_FLAG_ACK) {
            session->is_settings_acked = 1;
            break;
        }
        if (!note_window(session)) {
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
        windows_have_grown(session, 0);
        h2_session_note_settings(session);
        break;
    case NGHTTP2_RST_STREAM:
        H2_PROBE_STREAM_RESET(session->c->id, frame->hd.stream_id, frame->rst_stream.error_code,
                              H2_PROBE_BY_CLIENT);
        note_reset(session, stream, frame->rst_stream.error_code);
        break;
    case NGHTTP2_GOAWAY:
        session->has_goaway = 1;
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
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks,
                                                                 on_invalid_frame_recv);
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

static int give_as_is(h2_session *session, const unsigned char *data, apr_size_t length)
{
    ssize_t used = nghttp2_session_mem_recv(session->ngh2, data, length);

    if (used < 0) {
        h2_session_terminate(session, wire_error(used), "%s", nghttp2_strerror((int)used));
        return 0;
    }
    return 1;
}

/* Of a GOAWAY's last stream id the lowest bit is cleared: nghttp2 takes an odd one, which clients
 * send who mean all ids, for an error. It is of use for our ids only, which are even. */
static int give(h2_session *session, const unsigned char *data, apr_size_t length)
{
    unsigned char even;
    apr_size_t before = session->even_byte_in - 1;

    if (!session->even_byte_in || session->even_byte_in > length) {
        session->even_byte_in -= session->even_byte_in ? (unsigned)length : 0;
        return give_as_is(session, data, length);
    }
    session->even_byte_in = 0;
    even = data[before] & 0xfe;
    return (!before || give_as_is(session, data, before)) && give_as_is(session, &even, 1)
           && (length == before + 1
               || give_as_is(session, data + before + 1, length - before - 1));
}

/* What comes behind a head, or a part of it. */
static int give_payload(h2_session *session, const unsigned char *data, apr_size_t length)
{
    apr_uint32_t error = 0;

    if (session->settings_scan.left_bytes) {
        error = h2_settings_scan_next(&session->settings_scan, data, length);
    }
    if (error) {
        h2_session_terminate(session, error, "SETTINGS with a value that is not allowed");
        return 0;
    }
    return give(session, data, length);
}

static int judge_frame(h2_session *session)
{
    const h2_frame_scan *scan = &session->scan;

    if (!h2_session_admit(session, scan) || !give(session, scan->seen, H2_FRAME_HEADER_BYTES)) {
        return 0;
    }
    session->even_byte_in = (scan->type == NGHTTP2_GOAWAY && scan->length >= STREAM_ID_BYTES)
                                ? STREAM_ID_BYTES
                                : 0;
    return 1;
}

/* In pieces. The head of a frame that has to be judged is kept back until it is complete and
 * everything before it has been worked on; and what the client says of the place of a stream is
 * known when nghttp2 begins that stream. */
static apr_status_t feed(h2_session *session, const unsigned char *data, apr_size_t length)
{
    h2_frame_scan *scan = &session->scan;
    apr_size_t scanned = 0;

    while (scanned < length) {
        const unsigned char *piece = data + scanned;
        h2_scan_found found;
        apr_size_t count = h2_frame_scan_next(scan, piece, length - scanned, &found);
        apr_size_t kept = h2_frame_scan_head_bytes(scan, found);

        scanned += count;
        if (count > kept && !give_payload(session, piece, count - kept)) {
            return APR_EGENERAL;
        }
        if (found == H2_SCAN_HEAD && !judge_frame(session)) {
            return APR_EGENERAL;
        }
        if (found == H2_SCAN_DEPENDENCY && scan->type == NGHTTP2_PRIORITY) {
            h2_session_note_dependency(session, scan->stream_id, &scan->dependency);
        }
    }
    return APR_SUCCESS;
}

/* HEADERS frames that the gate has not seen. */
static void count_usual(h2_session *session)
{
    h2_frame_scan *scan = &session->scan;
    h2_stats *stats = session->loop->stats;

    h2_stats_add(stats, H2_COUNT_FRAMES_IN0 + NGHTTP2_HEADERS, scan->usual_count);
    h2_stats_add(stats, H2_COUNT_BLOCKS_IN, scan->usual_bytes);
    scan->usual_count = 0;
    scan->usual_bytes = 0;
}

/* A frame or a field block that has begun is to come to its end. */
static void note_where_it_stops(h2_session *session)
{
    if (!h2_frame_scan_is_within(&session->scan)) {
        session->within_since = 0;
    }
    else if (!session->within_since || session->within_block != session->scan.block_count) {
        session->within_since = session->loop->now;
        session->within_block = session->scan.block_count;
    }
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
    while (total < H2_RECEIVE_TURN_BYTES
           && (session->is_shut || !h2_session_has_too_much(session))) {
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
        h2_stats_add(session->loop->stats, H2_COUNT_BYTES_IN, length);
        if (session->is_shut) {
            continue; /* only waiting for the client to read and to close */
        }
        rv = feed(session, (const unsigned char *)data, length);
        count_usual(session);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (length < H2_LOOP_SCRATCH_BYTES / 2 && data == session->loop->scratch) {
            return APR_SUCCESS; /* the socket is empty */
        }
    }
    /* Paused, h2_session_arm() sees to it when there is less to be sent: also when all of it is out
     * by then, as the filters have taken bytes from the socket that nobody has seen. */
    session->is_read_paused = h2_session_has_too_much(session);
    *pmore = !session->is_read_paused;
    return APR_SUCCESS;
}

apr_status_t h2_session_receive(h2_session *session, int *pmore)
{
    apr_status_t rv;

    h2_loop_assert_held(session->loop);
    rv = receive(session, pmore);
    h2_io_end_reading(&session->io);
    note_where_it_stops(session);
    return rv;
}

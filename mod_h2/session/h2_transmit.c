/*
 * The way out: responses to nghttp2 when it is their turn, frames into the
 * loop's scratch buffer, and that to the client.
 */
#include "session/h2_session_parts.h"

#include <string.h>

#include <apr_strings.h>

/* Frames of a stream before the next one has its turn; alone it may go on. */
#define H2_TURN_FRAMES 1
#define H2_TURN_FRAMES_ALONE 64

/* Room that a DATA frame needs beside its payload: its header and padding. */
#define H2_DATA_OVERHEAD_BYTES (H2_FRAME_HEADER_BYTES + 256)

/* No use in a DATA frame for less room than this. */
#define H2_DATA_ROOM_MIN_BYTES 1024

/* A client that opens its window byte by byte has a frame made for each. A DATA frame that the
 * window cuts below this is a small one; after so many in a row the stream waits, as long as this
 * at most, for a window that is of use. */
#define H2_SMALL_DATA_BYTES 256
#define H2_SMALL_DATA_FRAMES 16
#define H2_USEFUL_WINDOW_USEC (APR_USEC_PER_SEC / 5)

/* A request whose response is out, and which its client could send to the end without our doing:
 * the client shall not lose the response by our reset. */
#define H2_GRACE_USEC (APR_USEC_PER_SEC / 2)

/* Of DATA, what useful work is counted in. */
#define H2_WORK_BYTES 2048

static apr_size_t room_of(const h2_session *session)
{
    return H2_SESSION_PACK_BYTES - session->pack_used;
}

static void append(h2_session *session, const void *data, apr_size_t length)
{
    memcpy(session->pack + session->pack_used, data, length);
    session->pack_used += length;
}

/* Our first SETTINGS with MAX_CONCURRENT_STREAMS added to it. nghttp2 must not know
 * of that limit: it would end the connection of a client that exceeds it, where
 * RFC 9113, 5.1.2 has the stream refused. */
static void append_first_settings(h2_session *session, const uint8_t *data, size_t length)
{
    uint32_t limit = (uint32_t)session->conf->max_session_streams;
    unsigned char *frame = (unsigned char *)session->pack + session->pack_used;
    unsigned char entry[H2_SETTING_BYTES] = {
        0, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (unsigned char)(limit >> 24),
        (unsigned char)(limit >> 16), (unsigned char)(limit >> 8), (unsigned char)limit,
    };

    H2_ASSERT(length >= H2_FRAME_HEADER_BYTES && data[3] == NGHTTP2_SETTINGS);
    append(session, data, length);
    append(session, entry, sizeof(entry));
    frame[2] = (unsigned char)(frame[2] + sizeof(entry)); /* a handful of settings */
    session->is_settings_sent = 1;
}

static ssize_t on_send(nghttp2_session *ngh2, const uint8_t *data, size_t length, int flags,
                       void *user_data)
{
    h2_session *session = user_data;

    (void)ngh2;
    (void)flags;
    if (!room_of(session)) {
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    if (length > room_of(session)) {
        length = room_of(session); /* the rest is the first that goes into the next one */
    }
    if (!session->is_settings_sent) {
        append_first_settings(session, data, length);
    }
    else {
        append(session, data, length);
    }
    return (ssize_t)length;
}

static int submit_trailers(h2_stream *stream)
{
    h2_response *trailers = stream->exchange.out_trailers;

    if (stream->pushed_on) {
        h2_response_let_copy(trailers);
    }
    return nghttp2_submit_trailer(stream->session->ngh2, stream->id, trailers->nva,
                                  trailers->nva_count);
}

/* The last byte is out: the end of the stream, by a flag or by trailers. Returns 0 if these cannot
 * be sent: without them the response would not be what it says to be. */
static int end_data(h2_stream *stream, uint32_t *flags)
{
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (stream->exchange.out_trailers) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        return submit_trailers(stream) == 0;
    }
    return 1;
}

static ssize_t defer(h2_stream *stream)
{
    stream->is_deferred = 1;
    return NGHTTP2_ERR_DEFERRED;
}

/* The window lets so much of the stream's data go: is that too little to be worth a frame, after
 * many such? Then the stream has its turn again when there is more, or its time is up. */
static int is_too_small(h2_session *session, h2_stream *stream, apr_size_t length)
{
    apr_time_t now = session->loop->now;

    if (length >= H2_SMALL_DATA_BYTES || (apr_off_t)length >= stream->exchange.out.total_bytes) {
        stream->small_count = 0;
        stream->credit_until = 0;
        return 0;
    }
    if (++stream->small_count <= H2_SMALL_DATA_FRAMES) {
        return 0;
    }
    if (!stream->credit_until) {
        stream->credit_until = now + H2_USEFUL_WINDOW_USEC;
        h2_session_check_streams_at(session, stream->credit_until);
    }
    else if (stream->credit_until <= now) {
        stream->credit_until = 0;
        return 0;
    }
    return 1;
}

static ssize_t on_read(nghttp2_session *ngh2, int32_t stream_id, uint8_t *buffer,
                       size_t length, uint32_t *flags, nghttp2_data_source *source,
                       void *user_data)
{
    h2_session *session = user_data;
    h2_stream *stream = nghttp2_session_get_stream_user_data(ngh2, stream_id);
    apr_size_t limit = (apr_size_t)session->conf->max_data_frame_bytes;
    apr_size_t reserved = H2_DATA_OVERHEAD_BYTES;
    h2_exchange *exchange;

    (void)buffer;
    (void)source;
    if (!stream) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* closed by us already */
    }
    exchange = &stream->exchange;
    if (session->turn != stream || session->turn_frames <= 0) {
        return defer(stream);
    }
    if (!exchange->out.total_bytes) {
        if (exchange->out_is_failed) {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* RST_STREAM, not an end */
        }
        if (!exchange->out_is_ended) {
            return defer(stream);
        }
        return end_data(stream, flags) ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (exchange->out_trailers) {
        reserved += exchange->out_trailers->bytes; /* they may follow at once */
    }
    if (room_of(session) < H2_DATA_ROOM_MIN_BYTES + reserved) {
        return defer(stream);
    }
    if (is_too_small(session, stream, length)) {
        return defer(stream);
    }
    if (limit && length > limit) {
        length = limit;
    }
    if (length > room_of(session) - reserved) {
        length = room_of(session) - reserved;
    }
    if ((apr_off_t)length >= exchange->out.total_bytes) {
        length = (size_t)exchange->out.total_bytes;
        if (exchange->out_is_ended && !exchange->out_is_failed && !end_data(stream, flags)) {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
    }
    --session->turn_frames;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    return (ssize_t)length;
}

static int on_send_data(nghttp2_session *ngh2, nghttp2_frame *frame, const uint8_t *framehd,
                        size_t length, nghttp2_data_source *source, void *user_data)
{
    static const char zeros[256];
    h2_session *session = user_data;
    h2_stream *stream = nghttp2_session_get_stream_user_data(ngh2, frame->hd.stream_id);
    apr_size_t used = session->pack_used;
    apr_size_t padding = frame->data.padlen;
    apr_status_t rv;

    (void)source;
    if (!stream) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (H2_FRAME_HEADER_BYTES + padding + length > room_of(session)) {
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    append(session, framehd, H2_FRAME_HEADER_BYTES);
    if (padding) {
        unsigned char pad_length = (unsigned char)(padding - 1);

        append(session, &pad_length, 1);
    }
    rv = h2_chunks_read(&stream->exchange.out, session->pack + session->pack_used, length);
    if (rv != APR_SUCCESS) {
        ap_log_cerror(APLOG_MARK, APLOG_ERR, rv, session->c,
                      H2_ID_FMT "response cannot be read any more", session->c->id, stream->id);
        session->pack_used = used;
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    session->pack_used += length;
    if (!stream->small_count) {
        session->flood.data_sent += 1 + (apr_uint32_t)(length / H2_WORK_BYTES);
    }
    if (!stream->exchange.out.total_bytes) {
        stream->stalled_since = 0; /* the client has taken all that there was */
    }
    h2_exchange_has_room(&stream->exchange);
    if (padding > 1) {
        append(session, zeros, padding - 1);
    }
    session->last_progress = session->last_sent = session->loop->now;
    return 0;
}

static ssize_t on_select_padding(nghttp2_session *ngh2, const nghttp2_frame *frame,
                                 size_t max_length, void *user_data)
{
    h2_session *session = user_data;
    apr_size_t length = frame->hd.length;
    unsigned char random;

    (void)ngh2;
    apr_generate_random_bytes(&random, 1);
    length += random & ((1u << session->conf->padding_bits) - 1);
    return (ssize_t)((length < max_length) ? length : max_length);
}

static void reset_stream(h2_session *session, h2_stream *stream, apr_uint32_t error)
{
    nghttp2_submit_rst_stream(session->ngh2, NGHTTP2_FLAG_NONE, stream->id, error);
    h2_scheduler_remove(&session->scheduler, stream);
}

/* Could the client send the rest of the request's body although nobody reads it? */
static int may_be_sent(const h2_session *session, const h2_stream *stream)
{
    const char *length = h2_head_get(stream->head, "content-length");
    apr_off_t left = length ? apr_atoi64(length) - stream->in_bytes : 0;

    return length
           && left <= nghttp2_session_get_stream_local_window_size(session->ngh2, stream->id)
           && left <= nghttp2_session_get_local_window_size(session->ngh2);
}

/* The complete response is out before the request is: the rest of its body is
 * of no use, RFC 9113, 8.1. But a tunnel is ended by each side on its own. */
static void reset_unread(h2_session *session, h2_stream *stream)
{
    if (stream->exchange.in_is_ended || (stream->is_tunnel && stream->exchange.is_running)) {
        return;
    }
    if (!stream->is_tunnel && may_be_sent(session, stream)) {
        stream->grace_until = session->loop->now + H2_GRACE_USEC;
        h2_session_check_streams_at(session, stream->grace_until);
        return;
    }
    reset_stream(session, stream, NGHTTP2_NO_ERROR);
}

/* We have had to reset a stream: if that was for an error of the client, it is counted. One that
 * makes us do so again and again is not worth a connection. */
static void note_reset(h2_session *session, apr_uint32_t error)
{
    int limit = session->conf->max_stream_errors;

    switch (error) {
    case NGHTTP2_NO_ERROR:
    case NGHTTP2_INTERNAL_ERROR:
    case NGHTTP2_HTTP_1_1_REQUIRED:
        return;
    case NGHTTP2_REFUSED_STREAM:
        h2_session_charge(session, H2_FLOOD_REFUSED);
        return;
    default:
        break;
    }
    if (error == NGHTTP2_FLOW_CONTROL_ERROR && limit && ++session->error_count > limit) {
        h2_session_terminate(session, NGHTTP2_PROTOCOL_ERROR, "more errors than H2MaxStreamErrors");
        return;
    }
    h2_session_charge(session, H2_FLOOD_ERRORS);
}

static int on_frame_send(nghttp2_session *ngh2, const nghttp2_frame *frame, void *user_data)
{
    h2_session *session = user_data;
    h2_stream *stream;

    h2_session_log_frame(session, frame, "sent");
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
        note_reset(session, frame->rst_stream.error_code);
    }
    if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS) {
        return 0;
    }
    stream = nghttp2_session_get_stream_user_data(ngh2, frame->hd.stream_id);
    if (!stream) {
        return 0;
    }
    stream->out_bytes += frame->hd.length + H2_FRAME_HEADER_BYTES;
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
        stream->is_end_sent = 1;
        reset_unread(session, stream);
    }
    return 0;
}

static int is_interim(const nghttp2_headers *headers)
{
    const nghttp2_nv *first = headers->nva;

    return headers->nvlen && first->namelen == 7 && !memcmp(first->name, ":status", 7)
           && first->value[0] == '1';
}

/* nghttp2 has dropped a frame of ours. */
static int on_frame_not_send(nghttp2_session *ngh2, const nghttp2_frame *frame, int error,
                             void *user_data)
{
    h2_session *session = user_data;

    /* A stream whose PUSH_PROMISE it is, nghttp2 closes next. */
    if (frame->hd.type == NGHTTP2_HEADERS && error == NGHTTP2_ERR_FRAME_SIZE_ERROR) {
        h2_stream *stream = nghttp2_session_get_stream_user_data(ngh2, frame->hd.stream_id);

        ap_log_cerror(APLOG_MARK, APLOG_ERR, 0, session->c,
                      H2_ID_FMT "response fields are larger than H2MaxHeaderBlockLen allows",
                      session->c->id, frame->hd.stream_id);
        if (stream && !is_interim(&frame->headers)) {
            reset_stream(session, stream, NGHTTP2_INTERNAL_ERROR);
        }
    }
    return 0;
}

void h2_transmit_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_send_callback(callbacks, on_send);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, on_send_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
}

void h2_transmit_padding_callback(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_select_padding_callback(callbacks, on_select_padding);
}

/* Bytes of the final head and of the trailers, as far as they are still to be sent. They
 * point into the request's pool, so none of them may stay behind in nghttp2's queue. */
static apr_size_t bytes_of_heads(const h2_stream *stream)
{
    const h2_exchange *exchange = &stream->exchange;
    apr_size_t bytes = 0;

    if (exchange->out_response && !stream->is_head_submitted) {
        bytes += exchange->out_response->bytes;
    }
    if (exchange->out_trailers) {
        bytes += exchange->out_trailers->bytes;
    }
    return bytes;
}

static int has_room_for(const h2_session *session, apr_size_t bytes)
{
    return bytes + H2_DATA_ROOM_MIN_BYTES + H2_DATA_OVERHEAD_BYTES <= room_of(session);
}

/* Is there room for what the stream sends next? There is in an empty buffer. */
static int has_room_for_heads(const h2_session *session, const h2_stream *stream)
{
    const h2_response *interim = stream->exchange.out_interim;

    return has_room_for(session, interim ? interim->bytes : bytes_of_heads(stream));
}

/* At least the first of them, and as many more as there is room for beside the final
 * head. Returns 0 if some are left. */
static int submit_interim(h2_session *session, h2_stream *stream)
{
    h2_exchange *exchange = &stream->exchange;
    apr_size_t bytes = bytes_of_heads(stream);
    int is_first = 1;

    while (exchange->out_interim) {
        h2_response *interim = exchange->out_interim;

        bytes += interim->bytes;
        if (!is_first && !has_room_for(session, bytes)) {
            return 0;
        }
        is_first = 0;
        exchange->out_interim = interim->next;
        nghttp2_submit_headers(session->ngh2, NGHTTP2_FLAG_NONE, stream->id, NULL,
                               interim->nva, interim->nva_count, NULL);
        h2_exchange_has_room(exchange); /* who makes many of them waits */
    }
    return is_first || has_room_for(session, bytes);
}

/* The head goes to nghttp2 when it is the stream's turn, so that heads and data
 * leave in the scheduler's order. */
static void submit_head(h2_session *session, h2_stream *stream)
{
    h2_exchange *exchange = &stream->exchange;
    h2_response *response = exchange->out_response;
    int is_empty = exchange->out_is_ended && !exchange->out_is_failed
                   && !exchange->out_trailers && !h2_stream_has_data(stream);
    nghttp2_data_provider provider;

    if (stream->pushed_on) {
        /* nghttp2 holds it back while the client allows no more streams of ours. */
        h2_response_let_copy(response);
    }
    provider.source.ptr = stream;
    provider.read_callback = on_read;
    stream->is_head_submitted = 1;
    if (nghttp2_submit_response(session->ngh2, stream->id, response->nva, response->nva_count,
                                is_empty ? NULL : &provider) != 0) {
        reset_stream(session, stream, NGHTTP2_INTERNAL_ERROR);
    }
}

/* May the stream send DATA, by its window and the connection's? */
static int has_window(const h2_session *session, const h2_stream *stream)
{
    return nghttp2_session_get_stream_remote_window_size(session->ngh2, stream->id) > 0
           && nghttp2_session_get_remote_window_size(session->ngh2) > 0;
}

/* nghttp2 sends no DATA at all while a window is shut, not even an empty frame that
 * only ends the stream: trailers without fields do the same. */
static void end_without_window(h2_session *session, h2_stream *stream)
{
    const h2_exchange *exchange = &stream->exchange;
    const h2_response *trailers = exchange->out_trailers;

    if (!stream->is_head_submitted || !exchange->out_is_ended || exchange->out_is_failed
        || stream->is_end_submitted || h2_stream_has_data(stream)
        || has_window(session, stream)) {
        return;
    }
    stream->is_end_submitted = 1;
    nghttp2_submit_trailer(session->ngh2, stream->id, trailers ? trailers->nva : NULL,
                           trailers ? trailers->nva_count : 0);
}

/* What stands after the interim responses, but for the data, which nghttp2 asks for. */
static void submit_final(h2_session *session, h2_stream *stream)
{
    const h2_exchange *exchange = &stream->exchange;

    if (exchange->out_response && !stream->is_head_submitted) {
        submit_head(session, stream);
    }
    else if (exchange->out_is_failed && (!exchange->out_response || !has_window(session, stream))) {
        /* Nothing of it is out, or nothing more will be: it waits for no window. */
        reset_stream(session, stream, exchange->needs_http_1_1 ? NGHTTP2_HTTP_1_1_REQUIRED
                                                               : NGHTTP2_INTERNAL_ERROR);
    }
    else {
        end_without_window(session, stream);
    }
}

/* nghttp2 keeps the head of a pushed response while the client allows no more of them. It has its
 * turn again when one of them has ended, or with the client's next SETTINGS. */
static int is_held_back(const h2_stream *stream)
{
    return stream->pushed_on && stream->is_head_submitted && !stream->out_bytes;
}

/* Has it more to send, and may it? */
static void end_turn(h2_session *session, h2_stream *stream, apr_size_t bytes)
{
    int is_shut = h2_stream_has_data(stream)
                  && (stream->credit_until || !has_window(session, stream));

    if (bytes || !is_shut) {
        h2_scheduler_had_turn(stream, bytes);
    }
    if (!h2_stream_has_output(stream) || is_shut || is_held_back(stream)) {
        h2_scheduler_remove(&session->scheduler, stream);
    }
    if (is_shut) {
        h2_session_stream_stalled(session, stream);
        if (session->is_eof) {
            h2_session_give_up_stream(session, stream); /* no window ever comes */
        }
    }
}

/* One stream's turn. */
static int send_turn(h2_session *session, h2_stream *stream)
{
    apr_size_t used = session->pack_used;
    int rv;

    if (!stream->exchange.out_interim || submit_interim(session, stream)) {
        submit_final(session, stream);
    }
    session->turn = stream;
    session->turn_begun = used;
    session->turn_frames = h2_scheduler_is_alone(stream) ? H2_TURN_FRAMES_ALONE : H2_TURN_FRAMES;
    if (stream->is_deferred) {
        stream->is_deferred = 0;
        nghttp2_session_resume_data(session->ngh2, stream->id);
    }
    rv = nghttp2_session_send(session->ngh2);
    if (session->turn == stream) { /* else it was closed */
        session->turn = NULL;
        if (stream->is_sending) {
            end_turn(session, stream, session->pack_used - used);
        }
    }
    if (rv != 0) {
        h2_session_abort(session, APR_EGENERAL);
        return 0;
    }
    return session->pack_used > used;
}

/* Interim responses wait for nobody's turn: the client waits for them with its body, or could
 * use the time. Those that there is no room for now have their turn. */
static void send_interim(h2_session *session)
{
    h2_stream *stream;

    session->has_interim = 0;
    APR_RING_FOREACH(stream, &session->streams, h2_stream, link) {
        if (!stream->exchange.out_interim || stream->is_closed) {
            continue;
        }
        if (!has_room_for_heads(session, stream)) {
            return;
        }
        submit_interim(session, stream);
        if (nghttp2_session_send(session->ngh2) != 0) {
            return; /* who packs next, finds out */
        }
    }
}

apr_size_t h2_session_pack(h2_session *session)
{
    int idle_turns = 0;

    h2_loop_assert_held(session->loop);
    if (h2_io_is_blocked(&session->io) || session->io.is_broken || session->is_shut) {
        return 0;
    }
    if (session->is_out_of_memory) {
        h2_session_end_without_memory(session);
    }
    session->pack = session->loop->scratch;
    session->pack_used = 0;
    if (nghttp2_session_want_write(session->ngh2) && nghttp2_session_send(session->ngh2) != 0) {
        h2_session_abort(session, APR_EGENERAL); /* what stands before the streams */
        return 0;
    }
    if (session->has_interim) {
        send_interim(session);
    }
    while (room_of(session) >= H2_DATA_ROOM_MIN_BYTES + H2_DATA_OVERHEAD_BYTES) {
        h2_stream *stream = h2_scheduler_next(&session->scheduler);

        if (!stream || idle_turns > h2_scheduler_count(&session->scheduler)) {
            break;
        }
        if (!has_room_for_heads(session, stream)) {
            break; /* there is after the next write */
        }
        idle_turns = send_turn(session, stream) ? 0 : idle_turns + 1;
    }
    if (!session->io.is_broken && nghttp2_session_want_write(session->ngh2)
        && nghttp2_session_send(session->ngh2) != 0) {
        h2_session_abort(session, APR_EGENERAL);
    }
    return session->pack_used;
}

apr_status_t h2_session_write(h2_session *session)
{
    apr_size_t length = session->pack_used;
    apr_status_t rv;

    h2_loop_assert_held(session->loop);
    if (!length) {
        return APR_SUCCESS;
    }
    session->pack_used = 0;
    rv = h2_io_write(&session->io, session->pack, length, session->loop->now,
                     session->loop->record_scratch, H2_LOOP_SCRATCH_BYTES);
    if (rv != APR_SUCCESS) {
        h2_session_abort(session, rv);
    }
    return rv;
}

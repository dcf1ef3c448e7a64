/*
 * The way out, as nghttp2 asks for it: the data of the stream whose turn it is, and frames into the
 * loop's scratch buffer. h2_pack.c gives the turns.
 */
#include "session/h2_transmit.h"

#include <string.h>

#include <apr_strings.h>

#include "base/h2_log.h"
#include "base/h2_probe.h"
#include "message/h2_server_timing.h"
#include "session/h2_ending.h"
#include "session/h2_frame_log.h"
#include "session/h2_gate.h"
#include "session/h2_pack.h"
#include "session/h2_timers.h"

/* A client that opens its window byte by byte has a frame made for each. A DATA frame that the
 * window cuts below this is a small one; after so many in a row the stream waits, as long as this
 * at most, for a window that is of use. */
#define H2_SMALL_DATA_BYTES 256
#define H2_SMALL_DATA_FRAMES 16
#define H2_USEFUL_WINDOW_USEC (APR_USEC_PER_SEC / 5)

/* A request whose response is out, and which its client could send to the end without our doing:
 * the client shall not lose the response by our reset. */
#define H2_GRACE_USEC (APR_USEC_PER_SEC / 2)

/* What nghttp2 lets a response's fields have where H2MaxHeaderBlockLen does not say. */
#define H2_NGHTTP2_HEADER_BLOCK_BYTES 65536

/* Of DATA, what useful work is counted in. */
#define H2_WORK_BYTES 2048

static void append(h2_session *session, const void *data, apr_size_t length)
{
    memcpy(session->out.pack + session->out.used, data, length);
    session->out.used += length;
}

/* Our first SETTINGS with MAX_CONCURRENT_STREAMS added to it. nghttp2 must not know
 * of that limit: it would end the connection of a client that exceeds it, where
 * RFC 9113, 5.1.2 has the stream refused. */
static void append_first_settings(h2_session *session, const uint8_t *data, size_t length)
{
    uint32_t limit = (uint32_t)session->conf->max_session_streams;
    unsigned char *frame = (unsigned char *)session->out.pack + session->out.used;
    unsigned char entry[H2_SETTING_BYTES] = {
        0, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, (unsigned char)(limit >> 24),
        (unsigned char)(limit >> 16), (unsigned char)(limit >> 8), (unsigned char)limit,
    };

    H2_ASSERT(length >= H2_FRAME_HEADER_BYTES && data[3] == NGHTTP2_SETTINGS);
    append(session, data, length);
    append(session, entry, sizeof(entry));
    frame[2] = (unsigned char)(frame[2] + sizeof(entry)); /* a handful of settings */
    session->out.is_settings_sent = 1;
}

static ssize_t on_send(nghttp2_session *ngh2, const uint8_t *data, size_t length, int flags,
                       void *user_data)
{
    h2_session *session = user_data;

    (void)ngh2;
    (void)flags;
    if (!h2_session_room(session)) {
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    if (length > h2_session_room(session)) {
        length = h2_session_room(session); /* the rest is the first that goes into the next one */
    }
    if (!session->out.is_settings_sent) {
        append_first_settings(session, data, length);
    }
    else {
        append(session, data, length);
    }
    return (ssize_t)length;
}

void h2_transmit_time_trailers(const h2_session *session, const h2_stream *stream)
{
    h2_response *trailers = stream->exchange.out_trailers;
    const h2_stream_trace *trace = &stream->trace;
    apr_time_t now = session->loop->now;

    if (trailers && trailers->timing) {
        h2_server_timing_of_end(trailers->timing, now - trace->queued,
                                trace->shut_usec + (trace->shut ? now - trace->shut : 0),
                                trace->finished - trace->started);
        h2_response_note_timing(trailers);
    }
}

static int submit_trailers(h2_stream *stream)
{
    h2_response *trailers = stream->exchange.out_trailers;

    h2_transmit_time_trailers(stream->session, stream);
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
    if (session->out.turn != stream || session->out.turn_frames <= 0) {
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
    if (h2_session_room(session) < H2_DATA_ROOM_MIN_BYTES + reserved) {
        return defer(stream);
    }
    if (is_too_small(session, stream, length)) {
        return defer(stream);
    }
    if (limit && length > limit) {
        length = limit;
    }
    if (length > h2_session_room(session) - reserved) {
        length = h2_session_room(session) - reserved;
    }
    if ((apr_off_t)length >= exchange->out.total_bytes) {
        length = (size_t)exchange->out.total_bytes;
        if (exchange->out_is_ended && !exchange->out_is_failed && !end_data(stream, flags)) {
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        }
    }
    --session->out.turn_frames;
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    return (ssize_t)length;
}

nghttp2_data_provider h2_transmit_provider(h2_stream *stream)
{
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = on_read};

    return provider;
}

static int on_send_data(nghttp2_session *ngh2, nghttp2_frame *frame, const uint8_t *framehd,
                        size_t length, nghttp2_data_source *source, void *user_data)
{
    static const char zeros[256];
    h2_session *session = user_data;
    h2_stream *stream = nghttp2_session_get_stream_user_data(ngh2, frame->hd.stream_id);
    apr_size_t used = session->out.used;
    apr_size_t padding = frame->data.padlen;
    apr_status_t rv;

    (void)source;
    if (!stream) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (H2_FRAME_HEADER_BYTES + padding + length > h2_session_room(session)) {
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    append(session, framehd, H2_FRAME_HEADER_BYTES);
    if (padding) {
        unsigned char pad_length = (unsigned char)(padding - 1);

        append(session, &pad_length, 1);
    }
    rv = h2_chunks_read(&stream->exchange.out, session->out.pack + session->out.used, length);
    if (rv != APR_SUCCESS) {
        h2_log(APLOG_ERR, rv, session->c,
               H2_ID_FMT "a file of the response cannot be read any more: "
                         "the stream is reset",
               session->c->id, stream->id);
        session->out.used = used;
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    session->out.used += length;
    h2_stats_add(session->loop->stats, H2_COUNT_BODY_OUT, length);
    h2_stream_end_shut(stream, session->loop->now);
    if (!stream->small_count) {
        session->gate.flood.data_sent += 1 + (apr_uint32_t)(length / H2_WORK_BYTES);
    }
    if (!stream->exchange.out.total_bytes) {
        stream->stalled_since = 0; /* the client has taken all that there was */
    }
    h2_exchange_note_room(&stream->exchange);
    if (padding > 1) {
        append(session, zeros, padding - 1);
    }
    session->times.last_progress = session->out.last_sent = session->loop->now;
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

void h2_transmit_reset(h2_session *session, h2_stream *stream, apr_uint32_t error)
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
    h2_transmit_reset(session, stream, NGHTTP2_NO_ERROR);
}

/* We have had to reset a stream: if that was for an error of the client, it is counted. One that
 * makes us do so again and again is not worth a connection. */
static void note_reset(h2_session *session, h2_stream *stream, apr_uint32_t error)
{
    int limit = session->conf->max_stream_errors;

    ++session->out.reset_count;
    h2_stats_count_of(session->loop->stats, H2_COUNT_RESETS_SENT0, error, H2_STATS_ERRORS);
    if (stream) {
        stream->trace.reset_by = H2_RESET_SENT;
        stream->trace.reset_error = error;
    }
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
    if (error == NGHTTP2_FLOW_CONTROL_ERROR && limit && ++session->out.error_count > limit) {
        h2_stats_count(session->loop->stats, H2_COUNT_LIMIT_STREAM_ERRORS);
        h2_session_terminate(session, NGHTTP2_PROTOCOL_ERROR,
                             "more errors than H2MaxStreamErrors (%d) in flow control", limit);
        return;
    }
    h2_session_charge(session, H2_FLOOD_ERRORS);
}

static void note_goaway(h2_session *session, const nghttp2_goaway *goaway)
{
    if (goaway->last_stream_id == APR_INT32_MAX) {
        return; /* the notice that goes before it */
    }
    session->is_goaway_queued = 0;
    if (goaway->error_code != NGHTTP2_NO_ERROR) { /* unless we have said why, nghttp2 does */
        h2_session_log_end(session, goaway->error_code, "protocol error of the client%s%.*s",
                           goaway->opaque_data_len ? ": " : "", (int)goaway->opaque_data_len,
                           goaway->opaque_data_len ? (const char *)goaway->opaque_data : "");
    }
    h2_stats_count_of(session->loop->stats, H2_COUNT_GOAWAYS_SENT0, goaway->error_code,
                      H2_STATS_ERRORS);
}

/* The class of the status of a head, '1' to '5'; 0: these are trailers. */
static int class_of(const nghttp2_headers *headers)
{
    const nghttp2_nv *first = headers->nva;

    return (headers->nvlen && first->namelen == 7 && !memcmp(first->name, ":status", 7))
               ? first->value[0] : 0;
}

/* What the fields of a head have, RFC 9113, 6.5.2. That of a response mostly knows it. */
static apr_size_t field_bytes(const h2_stream *stream, const nghttp2_headers *headers, int class)
{
    const h2_response *response = (stream && class > '1') ? stream->exchange.out_response : NULL;
    apr_size_t bytes = 0, i;

    if (response && response->bytes) {
        return response->bytes;
    }
    for (i = 0; i < headers->nvlen; ++i) {
        bytes += headers->nva[i].namelen + headers->nva[i].valuelen + H2_FIELD_OVERHEAD_BYTES;
    }
    return bytes;
}

/* A head is out: what it was, and what HPACK has made of it. */
static void count_head(const h2_session *session, h2_stream *stream, const nghttp2_frame *frame)
{
    const nghttp2_headers *headers = &frame->headers;
    h2_stats *stats = session->loop->stats;
    int class = class_of(headers);

    h2_stats_add(stats, H2_COUNT_FIELDS_OUT, field_bytes(stream, headers, class));
    h2_stats_add(stats, H2_COUNT_BLOCKS_OUT, frame->hd.length);
    if (class < '1' || class > '5') {
        return;
    }
    h2_stats_count(stats, H2_COUNT_RESPONSES_1XX + (unsigned)(class - '1'));
    if (class == '1') {
        if (!memcmp(headers->nva[0].value, "103", 3)) {
            h2_stats_count(stats, H2_COUNT_EARLY_HINTS);
        }
    }
    else if (stream) {
        stream->trace.first_byte = session->loop->now;
        H2_PROBE_FIRST_BYTE(session->c->id, stream->id, session->loop->now - stream->trace.queued);
    }
}

static int on_frame_send(nghttp2_session *ngh2, const nghttp2_frame *frame, void *user_data)
{
    h2_session *session = user_data;
    h2_stream *stream;

    h2_session_log_frame(session, frame, "sent");
    h2_stats_count_of(session->loop->stats, H2_COUNT_FRAMES_OUT0, frame->hd.type, H2_STATS_FRAMES);
    stream = frame->hd.stream_id
                 ? nghttp2_session_get_stream_user_data(ngh2, frame->hd.stream_id) : NULL;
    if (stream) {
        ++stream->trace.out_frames;
    }
    switch (frame->hd.type) {
    case NGHTTP2_RST_STREAM:
        H2_PROBE_STREAM_RESET(session->c->id, frame->hd.stream_id, frame->rst_stream.error_code,
                              H2_PROBE_BY_SERVER);
        note_reset(session, stream, frame->rst_stream.error_code);
        return 0;
    case NGHTTP2_GOAWAY:
        note_goaway(session, &frame->goaway);
        return 0;
    case NGHTTP2_HEADERS:
        count_head(session, stream, frame);
        break;
    case NGHTTP2_DATA:
        break;
    default:
        return 0;
    }
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

/* nghttp2 has dropped a frame of ours. */
static int on_frame_not_send(nghttp2_session *ngh2, const nghttp2_frame *frame, int error,
                             void *user_data)
{
    h2_session *session = user_data;

    /* A stream whose PUSH_PROMISE it is, nghttp2 closes next. */
    if (frame->hd.type == NGHTTP2_HEADERS && error == NGHTTP2_ERR_FRAME_SIZE_ERROR) {
        h2_stream *stream = nghttp2_session_get_stream_user_data(ngh2, frame->hd.stream_id);

        int is_interim = class_of(&frame->headers) == '1';

        h2_log(APLOG_ERR, 0, session->c,
               H2_ID_FMT "response fields are larger than H2MaxHeaderBlockLen (%d) allows: %s",
               session->c->id, frame->hd.stream_id, session->conf->max_header_block_bytes
                   ? session->conf->max_header_block_bytes : H2_NGHTTP2_HEADER_BLOCK_BYTES,
               is_interim ? "the interim response is left out" : "the stream is reset");
        if (stream && !is_interim) {
            h2_transmit_reset(session, stream, NGHTTP2_INTERNAL_ERROR);
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

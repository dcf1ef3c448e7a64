/*
 * Turns: responses are given to nghttp2 in the scheduler's order until the loop's scratch buffer is
 * full, and that goes to the client. h2_transmit.c says what nghttp2 then asks for.
 */
#include "session/h2_pack.h"

#include "session/h2_ending.h"
#include "session/h2_memory.h"
#include "session/h2_streams.h"
#include "session/h2_timers.h"
#include "session/h2_transmit.h"

/* Frames of a stream before the next one has its turn; alone it may go on. */
#define H2_TURN_FRAMES 1
#define H2_TURN_FRAMES_ALONE 64

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
    return bytes + H2_DATA_ROOM_MIN_BYTES + H2_DATA_OVERHEAD_BYTES <= h2_session_room(session);
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
        h2_exchange_note_room(exchange); /* who makes many of them waits */
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
    nghttp2_data_provider provider = h2_transmit_provider(stream);

    if (stream->pushed_on) {
        /* nghttp2 holds it back while the client allows no more streams of ours. */
        h2_response_let_copy(response);
    }
    stream->is_head_submitted = 1;
    if (nghttp2_submit_response(session->ngh2, stream->id, response->nva, response->nva_count,
                                is_empty ? NULL : &provider) != 0) {
        h2_transmit_reset(session, stream, NGHTTP2_INTERNAL_ERROR);
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
    h2_transmit_time_trailers(session, stream);
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
        h2_transmit_reset(session, stream, exchange->needs_http_1_1 ? NGHTTP2_HTTP_1_1_REQUIRED
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
        if (session->in.is_eof) {
            h2_session_give_up_stream(session, stream); /* no window ever comes */
        }
    }
}

/* One stream's turn. */
static int send_turn(h2_session *session, h2_stream *stream)
{
    apr_size_t used = session->out.used;
    int rv;

    if (!stream->exchange.out_interim || submit_interim(session, stream)) {
        submit_final(session, stream);
    }
    session->out.turn = stream;
    session->out.turn_begun = used;
    session->out.turn_frames =
        h2_scheduler_is_alone(stream) ? H2_TURN_FRAMES_ALONE : H2_TURN_FRAMES;
    if (stream->is_deferred) {
        stream->is_deferred = 0;
        nghttp2_session_resume_data(session->ngh2, stream->id);
    }
    rv = nghttp2_session_send(session->ngh2);
    if (session->out.turn == stream) { /* else it was closed */
        session->out.turn = NULL;
        if (stream->is_sending) {
            end_turn(session, stream, session->out.used - used);
        }
    }
    if (rv != 0) {
        h2_session_abort(session, APR_EGENERAL);
        return 0;
    }
    return session->out.used > used;
}

/* Interim responses wait for nobody's turn: the client waits for them with its body, or could
 * use the time. Those that there is no room for now have their turn. */
static void send_interim(h2_session *session)
{
    h2_stream *stream;

    session->out.has_interim = 0;
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
    session->out.pack = session->loop->scratch;
    session->out.used = 0;
    if (nghttp2_session_want_write(session->ngh2) && nghttp2_session_send(session->ngh2) != 0) {
        h2_session_abort(session, APR_EGENERAL); /* what stands before the streams */
        return 0;
    }
    if (session->out.has_interim) {
        send_interim(session);
    }
    while (h2_session_room(session) >= H2_DATA_ROOM_MIN_BYTES + H2_DATA_OVERHEAD_BYTES) {
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
    return session->out.used;
}

static void count_records(h2_session *session)
{
    h2_io *io = &session->io;

    if (io->is_tls) {
        h2_stats_add(session->loop->stats, H2_COUNT_RECORDS_SMALL, io->small_records);
        h2_stats_add(session->loop->stats, H2_COUNT_RECORDS_LARGE, io->large_records);
        io->small_records = io->large_records = 0;
    }
}

apr_status_t h2_session_write(h2_session *session)
{
    apr_size_t length = session->out.used;
    apr_status_t rv;

    h2_loop_assert_held(session->loop);
    if (!length) {
        return APR_SUCCESS;
    }
    session->out.used = 0;
    h2_stats_add(session->loop->stats, H2_COUNT_BYTES_OUT, length);
    rv = h2_io_write(&session->io, session->out.pack, length, session->loop->now,
                     session->loop->record_scratch, H2_LOOP_SCRATCH_BYTES);
    count_records(session);
    if (rv != APR_SUCCESS) {
        h2_session_abort(session, rv);
    }
    return rv;
}

/*
 * The streams of a session, from their first frame until their memory is freed: waiting for a
 * thread, running, closed, done.
 */
#include "session/h2_streams.h"

#include "base/h2_log.h"
#include "base/h2_probe.h"
#include "session/h2_gate.h"
#include "session/h2_priorities.h"
#include "session/h2_windows.h"

/* Responses that wait for their windows to be opened: what one of them takes beside its content,
 * how many there may be whatever they take, and what more of them may take together. */
#define H2_SHUT_STREAM_BYTES ((apr_size_t)22 * 1024)
#define H2_SHUT_STREAMS 100
#define H2_SHUT_BYTES ((apr_size_t)4 * 1024 * 1024)

void h2_session_enter_stream(h2_session *session, h2_stream *stream, h2_stream *parent,
                             int weight)
{
    stream->number = session->client.stream_count;
    APR_RING_INSERT_TAIL(&session->streams, stream, h2_stream, link);
    h2_scheduler_join(&session->scheduler, stream, parent, weight);
    ++session->count.all;
    h2_session_gauge(session, H2_GAUGE_STREAMS, 1);
    if (!session->count.open++) {
        h2_session_gauge(session, H2_GAUGE_SESSIONS_IDLE, -1);
    }
    session->times.idle_since = 0;
    H2_PROBE_STREAM_OPEN(session->c->id, stream->id, stream->pushed_on);
}

void h2_session_enter_waiting(h2_session *session, h2_stream *stream, apr_time_t now,
                              apr_time_t wall)
{
    stream->begun = wall;
    stream->width_since = now;
    stream->trace.queued = now;
    h2_session_gauge(session, H2_GAUGE_WAITING, 1);
    h2_stream_advance(stream, H2_STREAM_EV_HEAD_COMPLETE);
    stream->is_waiting = 1;
    if (stream->is_critical) {
        APR_RING_INSERT_HEAD(&session->waiting, stream, h2_stream, wait_link);
    }
    else {
        APR_RING_INSERT_TAIL(&session->waiting, stream, h2_stream, wait_link);
    }
}

static void leave_waiting(h2_stream *stream)
{
    if (stream->is_waiting) {
        h2_session_gauge(stream->session, H2_GAUGE_WAITING, -1);
        stream->is_waiting = 0;
        APR_RING_REMOVE(stream, wait_link);
    }
}

void h2_session_reject_waiting(h2_stream *stream)
{
    stream->is_rejected = 1;
    leave_waiting(stream);
}

void h2_session_drop_stream(h2_session *session, h2_stream *stream)
{
    leave_waiting(stream);
    if (stream->node.parent) {
        h2_scheduler_leave(&session->scheduler, stream);
    }
    h2_stream_destroy(stream, h2_session_blocks(session));
}

/* Is there so much that the client has asked for and does not take that it shall take some of it
 * first? Responses that only wait for their turn are not meant. */
static int is_glutted(const h2_session *session)
{
    const h2_stream *stream;
    apr_size_t bytes = 0;
    int count = 0;

    if (session->count.open <= H2_SHUT_STREAMS) {
        return 0;
    }
    APR_RING_FOREACH(stream, &session->streams, h2_stream, link) {
        if (!stream->is_closed && !stream->is_sending && h2_stream_has_data(stream)) {
            ++count;
            bytes += H2_SHUT_STREAM_BYTES + stream->exchange.out.memory_bytes;
        }
    }
    return count > H2_SHUT_STREAMS && bytes > H2_SHUT_BYTES;
}

h2_stream *h2_session_next_waiting(const h2_session *session, h2_stream *after)
{
    h2_stream *next;

    if (session->state == H2_SESSION_CLOSING || is_glutted(session)) {
        return NULL;
    }
    next = after ? APR_RING_NEXT(after, wait_link) : APR_RING_FIRST(&session->waiting);
    return (next == APR_RING_SENTINEL(&session->waiting, h2_stream, wait_link)) ? NULL : next;
}

int h2_session_has_its_share(const h2_session *session)
{
    return session->count.running + session->count.enders >= session->running_max;
}

void h2_session_started(h2_session *session, h2_stream *stream)
{
    leave_waiting(stream);
    h2_stream_advance(stream, H2_STREAM_EV_STARTED);
    stream->exchange.is_running = 1;
    stream->trace.started = session->loop->now;
    h2_stats_count(session->loop->stats, H2_COUNT_REQUESTS);
    h2_stats_gauge(session->loop->stats, H2_GAUGE_RUNNING, 1);
    if (!session->count.running++) {
        h2_session_gauge_parked(session, -1);
    }
}

/* What nobody will read must not hold the window of the connection. */
static void drop_unread(h2_session *session, h2_stream *stream)
{
    if (stream->in_unread_bytes) {
        nghttp2_session_consume_connection(session->ngh2, stream->in_unread_bytes);
        stream->in_unread_bytes = 0;
        h2_chunks_clear(&stream->exchange.in);
    }
}

/* Nothing of the stream can happen any more: its request is to be ended. */
static void append_done(h2_session *session, h2_stream *stream)
{
    if (session->done_last) {
        session->done_last->next_done = stream;
    }
    else {
        session->done = stream;
    }
    session->done_last = stream;
}

void h2_session_finished(h2_session *session, h2_stream *stream)
{
    h2_loop_assert_held(session->loop);
    H2_ASSERT(stream->exchange.is_running);
    h2_stream_advance(stream, H2_STREAM_EV_FINISHED);
    stream->exchange.is_running = 0;
    stream->trace.finished = session->loop->now;
    h2_stats_gauge(session->loop->stats, H2_GAUGE_RUNNING, -1);
    if (!--session->count.running) {
        h2_session_gauge_parked(session, 1);
    }
    if (stream->is_closed) {
        drop_unread(session, stream);
        append_done(session, stream);
        return;
    }
    if (stream->is_end_sent) { /* a tunnel: nobody reads what its client still sends */
        nghttp2_submit_rst_stream(session->ngh2, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR);
        return;
    }
    /* Whatever it is that the handler did not say: there is no more to come. */
    if (!stream->exchange.out_is_ended) {
        stream->exchange.out_is_failed = 1;
    }
    h2_session_has_output(session, stream);
}

void h2_session_has_output(h2_session *session, h2_stream *stream)
{
    if (h2_stream_has_output(stream)) {
        const h2_response *response = stream->exchange.out_response;

        if (response && !stream->is_placed) {
            stream->is_placed = 1;
            h2_session_place(session, stream);
        }
        session->out.has_interim |= (stream->exchange.out_interim != NULL);
        h2_scheduler_add(&session->scheduler, stream);
    }
}

/* A pushed stream has ended: nghttp2 may send the heads of others now. */
static void let_held_back_send(h2_session *session)
{
    h2_stream *stream;

    APR_RING_FOREACH(stream, &session->streams, h2_stream, link) {
        if (stream->pushed_on && !stream->is_closed) {
            h2_session_has_output(session, stream);
        }
    }
}

/* What has become of it is known, and counted. A request that still runs is not measured as one:
 * its client is gone. */
static void note_trace(const h2_session *session, h2_stream *stream, apr_uint32_t error)
{
    h2_stream_trace *trace = &stream->trace;
    h2_stats *stats = session->loop->stats;
    apr_time_t now = session->loop->now;

    h2_stream_end_shut(stream, now);
    if (!session->blocks || !trace->queued) {
        H2_PROBE_STREAM_END(session->c->id, stream->id, stream->out_bytes, 0, error);
        return;
    }
    if (stream->is_end_sent) {
        h2_stats_count(stats, H2_COUNT_COMPLETED);
    }
    if (trace->started) {
        h2_stats_time(stats, H2_TIME_WAIT, trace->started - trace->queued);
    }
    if (trace->finished) {
        h2_stats_time(stats, H2_TIME_RUN, trace->finished - trace->started);
    }
    if (trace->first_byte) {
        h2_stats_time(stats, H2_TIME_FIRST_BYTE, trace->first_byte - trace->queued);
    }
    if (trace->shut_usec) {
        h2_stats_time(stats, H2_TIME_CLIENT, trace->shut_usec);
        h2_stats_add(stats, H2_COUNT_STALL_USEC, (apr_uint64_t)trace->shut_usec);
    }
    h2_stats_time(stats, H2_TIME_TOTAL, now - trace->queued);
    H2_PROBE_STREAM_END(session->c->id, stream->id, stream->out_bytes, now - trace->queued, error);
}

/* A tunnel that both sides have ended, ours first: its runner has yet to read the client's last
 * bytes. */
static int is_to_be_read(const h2_stream *stream)
{
    return stream->is_tunnel && stream->exchange.is_running && stream->is_end_sent
           && stream->exchange.in_is_ended;
}

static const char *side_of(const h2_stream *stream)
{
    switch (stream->trace.reset_by) {
    case H2_RESET_SENT:
        return "by us";
    case H2_RESET_RECEIVED:
        return "by the client";
    case H2_RESET_NONE:
    case H2_RESET_LOST:
        break;
    }
    return "by the end of its connection";
}

void h2_session_stream_closed(h2_session *session, h2_stream *stream, apr_uint32_t error)
{
    int is_running = stream->exchange.is_running;

    H2_ASSERT(!stream->is_closed);
    stream->is_closed = 1;
    h2_session_gauge(session, H2_GAUGE_STREAMS, -1);
    if (!--session->count.open) {
        h2_session_gauge(session, H2_GAUGE_SESSIONS_IDLE, 1);
        session->times.idle_since = session->loop->now;
    }
    if (stream->pushed_on) {
        --session->count.pushed;
        let_held_back_send(session);
    }
    leave_waiting(stream);
    if (session->in.stream == stream) {
        session->in.stream = NULL;
    }
    if (session->out.turn == stream) {
        session->out.turn = NULL;
        if (stream->is_sending) { /* its last turn is paid for, too */
            h2_scheduler_had_turn(stream, session->out.used - session->out.turn_begun);
        }
    }
    h2_scheduler_leave(&session->scheduler, stream);
    if (stream->widened_bytes) {
        h2_session_give_width_back(session, stream->widened_bytes);
    }
    if (!is_to_be_read(stream)) {
        drop_unread(session, stream);
        h2_exchange_abort(&stream->exchange);
    }
    h2_stream_advance(stream, H2_STREAM_EV_CLOSED);
    if (!stream->is_end_seen && session->state != H2_SESSION_CLOSING) {
        h2_session_note_reset(session, stream->id);
    }
    note_trace(session, stream, error);
    session->gate.flood.requests_done += (error == NGHTTP2_NO_ERROR && stream->is_end_sent);
    if (error) {
        h2_log(APLOG_DEBUG, 0, session->c, H2_ID_FMT "stream reset with error %u (%s) %s",
               session->c->id, stream->id, (unsigned)error, h2_session_error_name(error),
               side_of(stream));
    }
    if (!is_running) {
        append_done(session, stream);
    }
}

h2_stream *h2_session_take_done(h2_session *session)
{
    h2_stream *stream, *first = session->done;

    h2_loop_assert_held(session->loop);
    for (stream = first; stream; stream = stream->next_done) {
        APR_RING_REMOVE(stream, link);
        --session->count.all;
        ++session->count.ending;
        h2_exchange_clear(&stream->exchange); /* before the memory that it points to */
    }
    session->done = NULL;
    session->done_last = NULL;
    return first;
}

void h2_session_release(h2_session *session, h2_stream *stream)
{
    h2_loop_assert_held(session->loop);
    --session->count.ending;
    h2_stream_destroy(stream, h2_session_blocks(session));
}

void h2_session_give_up_stream(h2_session *session, h2_stream *stream)
{
    nghttp2_session_set_stream_user_data(session->ngh2, stream->id, NULL);
    if (stream->trace.reset_by == H2_RESET_NONE) {
        stream->trace.reset_by = H2_RESET_LOST;
        stream->trace.reset_error = NGHTTP2_CANCEL;
    }
    h2_session_stream_closed(session, stream, NGHTTP2_CANCEL);
}

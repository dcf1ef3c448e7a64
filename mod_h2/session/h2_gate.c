/*
 * The gate: what is asked of each frame's head before nghttp2 gets it. May such a frame come on
 * its stream, as things stand, and does the client send too many of its kind?
 */
#include "session/h2_gate.h"

#include "session/h2_ending.h"
#include "session/h2_priorities.h"

/* CONTINUATION frames of a field block beyond what the longest list needs: the client may leave
 * some of them half empty. */
#define CONTINUATIONS_SPARE 4

/* Of a GOAWAY, where H2MaxFrameSize lets a client send longer frames. */
#define GOAWAY_BYTES_MAX H2_FRAME_BYTES_MIN

/* What a client's frames meet on their stream. */
typedef enum {
    OF_CONNECTION, /* stream 0 */
    IDLE,          /* the client may still open it */
    NOT_PROMISED,  /* we may still */
    SKIPPED,       /* the client has opened a higher one without it */
    OPEN,          /* for the client */
    ENDED,         /* by the client, with END_STREAM or RST_STREAM */
    RESET          /* by us, while it was open for the client */
} stream_past;

typedef enum {
    PASS,     /* for nghttp2 to work on */
    LATE,     /* it may have been sent before the client knew: nghttp2 drops it, we count */
    CLOSED,   /* the connection ends with STREAM_CLOSED, */
    PROTOCOL  /* with PROTOCOL_ERROR */
} verdict;

/* RFC 9113, 5.1 and 5.1.1. A client that goes on after its own end is in error whether our
 * response is out or not, so it gets the same answer both times: 5.4.1 lets us end the connection
 * for any error of a stream. What says nothing about the stream's state (PRIORITY, unknown types)
 * and what nghttp2 has an order for (CONTINUATION, PUSH_PROMISE) is not here. */
static const struct {
    verdict data, headers, rst_stream, window_update;
} verdicts[] = {
    [OF_CONNECTION] = {PASS, PASS, PASS, PASS}, /* what may not be there, nghttp2 says */
    [IDLE] = {PROTOCOL, PASS, PROTOCOL, PROTOCOL},
    [NOT_PROMISED] = {PROTOCOL, PROTOCOL, PROTOCOL, PROTOCOL},
    [SKIPPED] = {CLOSED, PROTOCOL, LATE, LATE},
    [OPEN] = {PASS, PASS, PASS, PASS},
    [ENDED] = {CLOSED, CLOSED, PASS, PASS},
    [RESET] = {LATE, LATE, LATE, LATE},
};

static stream_past past_of(const h2_session *session, const h2_frame_scan *head)
{
    int id = head->stream_id;
    const h2_stream *stream;

    if (!id) {
        return OF_CONNECTION;
    }
    if (id % 2 == 0) {
        return (id > session->push.highest_id) ? NOT_PROMISED : ENDED;
    }
    if (head->is_opening || id > head->opened_id) {
        return IDLE;
    }
    stream = nghttp2_session_get_stream_user_data(session->ngh2, id);
    if (stream && !stream->is_closed) {
        return stream->is_end_seen ? ENDED : OPEN;
    }
    if (id > session->client.highest_id) {
        return RESET; /* nghttp2 has dropped it, as it came after our GOAWAY */
    }
    if (h2_id_ranges_has(session->gate.skipped_ids, id)) {
        return SKIPPED;
    }
    /* Of one that may have been forgotten, what is on its way is no error of the client. */
    return h2_id_ranges_may_have(session->gate.reset_ids, id) ? RESET : ENDED;
}

static verdict judge(const h2_frame_scan *head, stream_past past)
{
    switch (head->type) {
    case NGHTTP2_DATA:
        return verdicts[past].data;
    case NGHTTP2_HEADERS:
        return verdicts[past].headers;
    case NGHTTP2_RST_STREAM:
        return verdicts[past].rst_stream;
    case NGHTTP2_WINDOW_UPDATE:
        return verdicts[past].window_update;
    default:
        return PASS;
    }
}

/* They are counted one by one. */
_Static_assert((int)H2_FLOOD_CAUSES == H2_STATS_FLOODS, "a count for each cause");

int h2_session_charge(h2_session *session, h2_flood_cause cause)
{
    h2_flood_limit limit;

    if (h2_flood_charge(&session->gate.flood, cause, session->loop->now)) {
        return 1;
    }
    if (session->state != H2_SESSION_CLOSING) {
        h2_stats_count(session->loop->stats, H2_COUNT_FLOODS0 + cause);
    }
    limit = h2_flood_limit_of(&session->gate.flood, cause);
    h2_session_terminate(session, NGHTTP2_ENHANCE_YOUR_CALM, "%s (%d a second, %d at once)",
                         h2_flood_reason(cause), limit.rate, limit.burst);
    return 0;
}

/* The client opens a stream: what it has left out it will never open. */
static void note_opening(h2_session *session, const h2_frame_scan *head)
{
    session->gate.continuation_count = 0;
    if (head->stream_id > head->opened_before + 2) {
        h2_id_ranges_add(&session->gate.skipped_ids, head->opened_before + 2, head->stream_id - 2);
    }
}

void h2_session_note_reset(h2_session *session, int id)
{
    h2_id_ranges_add(&session->gate.reset_ids, id, id);
}

static int end(h2_session *session, apr_uint32_t error, const char *reason)
{
    h2_session_terminate(session, error, "%s", reason);
    return 0;
}

/* H2MaxFrameSize holds from when the client knows of it. */
static int is_too_long(const h2_session *session, const h2_frame_scan *head)
{
    int most =
        session->client.is_settings_acked ? session->conf->max_frame_bytes : H2_FRAME_BYTES_MIN;

    return head->length > (apr_uint32_t)most;
}

static int check_continuation(h2_session *session, const h2_frame_scan *head)
{
    apr_size_t most = session->header_list_bytes / H2_FRAME_BYTES_MIN + CONTINUATIONS_SPARE;

    if (is_too_long(session, head)) { /* nghttp2 takes any */
        h2_session_terminate(session, NGHTTP2_FRAME_SIZE_ERROR,
                             "a CONTINUATION longer than H2MaxFrameSize (%d)",
                             session->conf->max_frame_bytes);
        return 0;
    }
    if (++session->gate.continuation_count > most) {
        h2_session_terminate(session, NGHTTP2_ENHANCE_YOUR_CALM,
                             "too many CONTINUATION frames for H2MaxHeaderListSize (%lu)",
                             (unsigned long)session->header_list_bytes);
        return 0;
    }
    session->gate.is_in_block = !(head->flags & NGHTTP2_FLAG_END_HEADERS);
    return h2_session_charge(session, H2_FLOOD_CONTINUATION);
}

/* nghttp2 keeps what is left of it, for which we have no use, in memory of that length. */
static int check_goaway(h2_session *session, const h2_frame_scan *head)
{
    if (head->length > GOAWAY_BYTES_MAX && !is_too_long(session, head)) {
        return end(session, NGHTTP2_ENHANCE_YOUR_CALM, "too long a GOAWAY");
    }
    return h2_session_charge(session, H2_FLOOD_OTHER);
}

/* nghttp2 says nothing of what SETTINGS do to windows. */
static int check_settings(h2_session *session, const h2_frame_scan *head)
{
    h2_stream *stream;

    if (head->flags & NGHTTP2_FLAG_ACK) {
        return 1;
    }
    h2_settings_scan_begin(&session->in.settings_scan, head->length);
    session->gate.widest_window = 0;
    APR_RING_FOREACH(stream, &session->streams, h2_stream, link) {
        apr_int64_t window = nghttp2_session_get_stream_remote_window_size(session->ngh2,
                                                                           stream->id);

        if (!stream->is_closed && window > session->gate.widest_window) {
            session->gate.widest_window = window;
        }
    }
    return h2_session_charge(session, H2_FLOOD_SETTINGS);
}

/* RFC 9113, 6.3. From version 1.65 on nghttp2 looks at nothing but the length. */
static int check_priority(h2_session *session, const h2_frame_scan *head)
{
    if (!head->stream_id && head->length == H2_DEPENDENCY_BYTES) {
        return end(session, NGHTTP2_PROTOCOL_ERROR, "PRIORITY on the connection");
    }
    return h2_session_charge(session, H2_FLOOD_PRIORITY);
}

/* A frame that may come on its stream: is it one too many of its kind, or is something else wrong
 * with its head? Returns 0 if so: the session is terminated. */
static int check_frame(h2_session *session, const h2_frame_scan *head)
{
    switch (head->type) {
    case NGHTTP2_DATA:
        return head->length || (head->flags & NGHTTP2_FLAG_END_STREAM)
               || h2_session_charge(session, H2_FLOOD_EMPTY_DATA);
    case NGHTTP2_HEADERS:
        session->gate.continuation_count = 0;
        session->gate.is_in_block = !(head->flags & NGHTTP2_FLAG_END_HEADERS);
        return 1;
    case NGHTTP2_CONTINUATION:
        return check_continuation(session, head);
    case NGHTTP2_RST_STREAM: /* its stream may be half closed, or closed, as the answer is out */
        return h2_session_charge(session, nghttp2_session_get_stream_user_data(
                                              session->ngh2, head->stream_id)
                                              ? H2_FLOOD_RESETS
                                              : H2_FLOOD_LATE);
    case NGHTTP2_PING:
        return h2_session_charge(session, H2_FLOOD_PING);
    case NGHTTP2_SETTINGS:
        return check_settings(session, head);
    case NGHTTP2_PRIORITY:
        return check_priority(session, head);
    case H2_FRAME_PRIORITY_UPDATE:
        return h2_session_charge(session, H2_FLOOD_PRIORITY_UPDATE);
    case NGHTTP2_WINDOW_UPDATE:
        return h2_session_charge(session, H2_FLOOD_WINDOW_UPDATE);
    case NGHTTP2_GOAWAY:
        return check_goaway(session, head);
    case NGHTTP2_PUSH_PROMISE:
        return 1; /* nghttp2 ends the connection */
    default:
        return h2_session_charge(session, H2_FLOOD_OTHER);
    }
}

/* Notes whether the client's side of the stream ends with this frame. */
static void note_end(h2_session *session, const h2_frame_scan *head)
{
    int is_end = head->type == NGHTTP2_RST_STREAM
                 || ((head->type == NGHTTP2_DATA || head->type == NGHTTP2_HEADERS)
                     && (head->flags & NGHTTP2_FLAG_END_STREAM));
    h2_stream *stream;

    if (is_end) {
        stream = nghttp2_session_get_stream_user_data(session->ngh2, head->stream_id);
        if (stream) {
            stream->is_end_seen = 1;
        }
    }
}

static void count_frame(h2_session *session, const h2_frame_scan *head)
{
    h2_stats *stats = session->loop->stats;
    unsigned kind = (head->type == H2_FRAME_PRIORITY_UPDATE) ? H2_STATS_PRIORITY_UPDATE
                    : (head->type > NGHTTP2_CONTINUATION)    ? H2_STATS_FRAMES - 1
                                                             : head->type;

    h2_stats_count(stats, H2_COUNT_FRAMES_IN0 + kind);
    if (head->type == NGHTTP2_RST_STREAM) {
        ++session->gate.reset_count;
    }
    if (head->type == NGHTTP2_HEADERS || head->type == NGHTTP2_CONTINUATION) {
        h2_stats_add(stats, H2_COUNT_BLOCKS_IN, head->length);
    }
}

int h2_session_admit(h2_session *session, const h2_frame_scan *head)
{
    stream_past past = past_of(session, head);

    count_frame(session, head);
    if (session->state == H2_SESSION_CLOSING) {
        return 0;
    }
    switch (judge(head, past)) {
    case CLOSED:
        if (session->gate.is_in_block) {
            return end(session, NGHTTP2_PROTOCOL_ERROR, "a frame within a field block");
        }
        return end(session, NGHTTP2_STREAM_CLOSED,
                   "a frame on a stream that the client has ended");
    case PROTOCOL:
        return end(session, NGHTTP2_PROTOCOL_ERROR, "a frame on a stream that was never opened");
    case LATE:
        session->gate.continuation_count = 0;
        session->gate.is_in_block = head->type == NGHTTP2_HEADERS
                               && !(head->flags & NGHTTP2_FLAG_END_HEADERS);
        return h2_session_charge(session, H2_FLOOD_LATE);
    case PASS:
        break;
    }
    if (!check_frame(session, head)) {
        return 0;
    }
    if (head->is_opening) {
        note_opening(session, head);
    }
    else if (past == OPEN) {
        note_end(session, head);
    }
    return 1;
}

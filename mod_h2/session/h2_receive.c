/*
 * The way in: bytes from the client to nghttp2, each frame's head past the gate first.
 */
#include "session/h2_receive.h"

#include "session/h2_dependencies.h"
#include "session/h2_ending.h"
#include "session/h2_gate.h"
#include "session/h2_streams.h"

/* Bytes that are read in one turn at most, so that a client which sends all the
 * time does not keep the loop from the others. */
#define H2_RECEIVE_TURN_BYTES (256 * 1024)

/* What a GOAWAY begins with, RFC 9113, 6.8. */
#define STREAM_ID_BYTES 4

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
    apr_size_t before = session->in.even_byte_in - 1;

    if (!session->in.even_byte_in || session->in.even_byte_in > length) {
        session->in.even_byte_in -= session->in.even_byte_in ? (unsigned)length : 0;
        return give_as_is(session, data, length);
    }
    session->in.even_byte_in = 0;
    even = data[before] & 0xfe;
    return (!before || give_as_is(session, data, before)) && give_as_is(session, &even, 1)
           && (length == before + 1
               || give_as_is(session, data + before + 1, length - before - 1));
}

/* What comes behind a head, or a part of it. */
static int give_payload(h2_session *session, const unsigned char *data, apr_size_t length)
{
    apr_uint32_t error = 0;

    if (session->in.settings_scan.left_bytes) {
        error = h2_settings_scan_next(&session->in.settings_scan, data, length);
    }
    if (error) {
        h2_session_terminate(session, error, "SETTINGS with a value that is not allowed");
        return 0;
    }
    return give(session, data, length);
}

static int judge_frame(h2_session *session)
{
    const h2_frame_scan *scan = &session->in.scan;

    if (!h2_session_admit(session, scan) || !give(session, scan->seen, H2_FRAME_HEADER_BYTES)) {
        return 0;
    }
    session->in.even_byte_in = (scan->type == NGHTTP2_GOAWAY && scan->length >= STREAM_ID_BYTES)
                                ? STREAM_ID_BYTES
                                : 0;
    return 1;
}

/* What a PRIORITY frame says. That no stream depends on itself, RFC 7540, 5.3.1, nghttp2 checks in
 * HEADERS alone from version 1.65 on. */
static int take_priority(h2_session *session)
{
    const h2_frame_scan *scan = &session->in.scan;

    if (scan->dependency.parent_id == scan->stream_id) {
        h2_session_terminate(session, NGHTTP2_PROTOCOL_ERROR,
                             "PRIORITY of a stream that depends on itself");
        return 0;
    }
    h2_session_note_dependency(session, scan->stream_id, &scan->dependency);
    return 1;
}

/* In pieces. The head of a frame that has to be judged is kept back until it is complete and
 * everything before it has been worked on; and what the client says of the place of a stream is
 * known when nghttp2 begins that stream. */
static apr_status_t feed(h2_session *session, const unsigned char *data, apr_size_t length)
{
    h2_frame_scan *scan = &session->in.scan;
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
        if (found == H2_SCAN_DEPENDENCY && scan->type == NGHTTP2_PRIORITY
            && !take_priority(session)) {
            return APR_EGENERAL;
        }
    }
    return APR_SUCCESS;
}

/* HEADERS frames that the gate has not seen. */
static void count_usual(h2_session *session)
{
    h2_frame_scan *scan = &session->in.scan;
    h2_stats *stats = session->loop->stats;

    h2_stats_add(stats, H2_COUNT_FRAMES_IN0 + NGHTTP2_HEADERS, scan->usual_count);
    h2_stats_add(stats, H2_COUNT_BLOCKS_IN, scan->usual_bytes);
    scan->usual_count = 0;
    scan->usual_bytes = 0;
}

/* A frame or a field block that has begun is to come to its end. */
static void note_where_it_stops(h2_session *session)
{
    unsigned within = h2_frame_scan_within(&session->in.scan);

    if (!within) {
        session->in.within_since = 0;
    }
    else if (!session->in.within_since || session->in.within_block != within) {
        session->in.within_since = session->loop->now;
        session->in.within_block = within;
    }
}

/* What the client has asked for completely it may still read, as far as its
 * windows allow; the rest of the other requests never comes. */
static void client_has_ended(h2_session *session, apr_status_t rv)
{
    h2_stream *stream;

    session->in.is_eof = 1;
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
    if (session->count.open) {
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
    session->in.is_paused = h2_session_has_too_much(session);
    *pmore = !session->in.is_paused;
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

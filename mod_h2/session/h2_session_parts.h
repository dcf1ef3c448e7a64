/*
 * What the files of a session say to each other; nobody else includes it.
 *
 * Holder of the loop only.
 */
#ifndef H2_SESSION_PARTS_H
#define H2_SESSION_PARTS_H

#include "session/h2_session.h"

/* Registers the callbacks of each half with nghttp2. */
void h2_receive_callbacks(nghttp2_session_callbacks *callbacks);
void h2_transmit_callbacks(nghttp2_session_callbacks *callbacks);

/* The same for sessions that pad frames, H2Padding. */
void h2_transmit_padding_callback(nghttp2_session_callbacks *callbacks);

/* Room in the scratch buffer that a DATA frame needs beside its payload: its header and padding. */
#define H2_DATA_OVERHEAD_BYTES (H2_FRAME_HEADER_BYTES + 256)

/* No use in a DATA frame for less room than this. */
#define H2_DATA_ROOM_MIN_BYTES 1024

/* Room that is left for frames while packing. */
static inline apr_size_t h2_session_room(const h2_session *session)
{
    return H2_SESSION_PACK_BYTES - session->pack_used;
}

/* Whom nghttp2 is to ask for the data of the stream. */
nghttp2_data_provider h2_transmit_provider(h2_stream *stream);

/* The stream's trailers, if it has any, are about to be submitted: they say what it took. */
void h2_transmit_time_trailers(const h2_session *session, const h2_stream *stream);

/* RST_STREAM with this code, and no more turns. */
void h2_transmit_reset(h2_session *session, h2_stream *stream, apr_uint32_t error);

/* Those for PRIORITY_UPDATE. */
void h2_priorities_callbacks(nghttp2_session_callbacks *callbacks);

/* The type of PRIORITY_UPDATE, RFC 9218, 7.1: nghttp2 leaves it to us. */
#define H2_FRAME_PRIORITY_UPDATE 0x10

/* The head of the client's request is complete: its place in the order of sending. */
void h2_session_prioritize(h2_session *session, h2_stream *stream);

/* The client's SETTINGS, or a PRIORITY_UPDATE of its, has been received. */
void h2_session_note_settings(h2_session *session);
void h2_session_note_update(h2_session *session, const nghttp2_frame_hd *hd);

/* A new stream of the client: its place as its HEADERS name it (NULL: they do not), or as a
 * PRIORITY frame has named it before, RFC 7540, 5.3. */
void h2_session_depend(h2_session *session, h2_stream *stream, const h2_dependency *dependency);

/* A PRIORITY frame for this id, which may be one that is not opened yet, or never. */
void h2_session_note_dependency(h2_session *session, int id, const h2_dependency *dependency);

/* Frees the places of ids without a stream; who is below them stays in the tree. */
void h2_session_drop_groups(h2_session *session);

/* Frees what is kept of PRIORITY_UPDATE frames. */
void h2_priorities_clear(h2_session *session);

/* One more or less of them in this child. Before the session is in a loop its block is not ours:
 * h2_session_joined() tells then. */
static inline void h2_session_gauge(const h2_session *session, h2_gauge gauge, int change)
{
    if (session->blocks) {
        h2_stats_gauge(session->loop->stats, gauge, change);
    }
}

/* None of its requests has a thread, or one has again. With the worker MPM, and prefork's, the MPM's
 * thread stays with it. */
static inline void h2_session_gauge_parked(const h2_session *session, int change)
{
    if (!session->waiter) {
        h2_session_gauge(session, H2_GAUGE_SESSIONS_PARKED, change);
    }
}

/* A frame whose head the client has sent, while all that came before has been worked on: may
 * nghttp2 have it? Returns 0 if not: the session is terminated. */
int h2_session_admit(h2_session *session, const h2_frame_scan *head);

/* Another event of this cause. Returns 0 if it was one too many: the session is terminated. */
int h2_session_charge(h2_session *session, h2_flood_cause cause);

/* The stream was reset by us while it was open for the client, whose frames for it may still
 * come. */
void h2_session_note_reset(h2_session *session, int id);

/* The client has made an error on the stream: it does not start any more. */
void h2_session_reject_waiting(h2_session *session, h2_stream *stream);

/* Memory for what comes and goes with a request. NULL while the session is in no loop yet,
 * as it may not touch that then. */
h2_blocks *h2_session_blocks(const h2_session *session);

/* What nghttp2 takes memory with. */
nghttp2_mem h2_session_memory(h2_session *session);

/* nghttp2 was out of memory: the connection ends, as nobody knows what is missing. */
void h2_session_end_without_memory(h2_session *session);

/* nghttp2 has closed the stream: takes it out of all lists but the session's. */
void h2_session_stream_closed(h2_session *session, h2_stream *stream, apr_uint32_t error);

/* Do so many replies wait to be sent that no more may be read? Or the last GOAWAY: a second one that
 * nghttp2 makes for an error beyond it would name a higher stream, against RFC 9113, 6.8. */
int h2_session_has_too_much(const h2_session *session);

/* The last GOAWAY: no stream begins beyond those that were worked on. */
void h2_session_end_drain(h2_session *session);

/* The client's window of the stream is shut although it has data. */
void h2_session_stream_stalled(h2_session *session, h2_stream *stream);

/* At this time something is due for one of the streams. */
void h2_session_check_streams_at(h2_session *session, apr_time_t when);

/* What all streams of a connection may have together beyond H2WindowSize, where that is not
 * given. */
#define H2_WIDENED_MAX ((apr_size_t)4 * 1024 * 1024)

/* A stream has ended whose window was so much wider than H2WindowSize. */
void h2_session_give_width_back(h2_session *session, apr_size_t bytes);

/* A new stream: below parent in the order of sending (NULL: below none). */
void h2_session_enter_stream(h2_session *session, h2_stream *stream, h2_stream *parent,
                             int weight);

/* Its request is complete since now, when the system's clock shows wall, and waits for a thread. */
void h2_session_enter_waiting(h2_session *session, h2_stream *stream, apr_time_t now,
                              apr_time_t wall);

/* The client may have said in its request what it has in its cache. */
void h2_session_note_digest(h2_session *session, const h2_stream *stream);

/* The head of a response is there: its place in the order of sending, if that is not only for
 * the client to say. */
void h2_session_place(h2_session *session, h2_stream *stream);

/* The same for a pushed one, by H2PushPriority. */
void h2_session_place_pushed(h2_session *session, h2_stream *stream);

/* Frees a stream that has never been started and is in no list of the loop, out of turn. */
void h2_session_drop_stream(h2_session *session, h2_stream *stream);

/* The stream cannot go on, as the session ends or the client is not there any more. */
void h2_session_give_up_stream(h2_session *session, h2_stream *stream);

/* A line for a frame; at debug level, where somebody reads it. */
void h2_session_write_frame_line(h2_session *session, const nghttp2_frame *frame,
                                 const char *direction);

static inline void h2_session_log_frame(h2_session *session, const nghttp2_frame *frame,
                                        const char *direction)
{
    if (APLOGcdebug(session->c)) {
        h2_session_write_frame_line(session, frame, direction);
    }
}

#endif /* H2_SESSION_PARTS_H */

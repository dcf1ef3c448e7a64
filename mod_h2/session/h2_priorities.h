/*
 * The order of sending as clients and applications ask for it by RFC 9218.
 *
 * Holder of the loop only.
 */
#ifndef H2_PRIORITIES_H
#define H2_PRIORITIES_H

#include "session/h2_session.h"

/* The type of PRIORITY_UPDATE, RFC 9218, 7.1: nghttp2 leaves it to us. */
#define H2_FRAME_PRIORITY_UPDATE 0x10

/* Registers with nghttp2 the callbacks for PRIORITY_UPDATE. */
void h2_priorities_callbacks(nghttp2_session_callbacks *callbacks);

/* The head of the client's request is complete: its place in the order of sending. */
void h2_session_prioritize(h2_session *session, h2_stream *stream);

/* SETTINGS of the client have been received, or a PRIORITY_UPDATE. */
void h2_session_note_settings(h2_session *session);
void h2_session_note_update(h2_session *session, const nghttp2_frame_hd *hd);

/* Frees what is kept of PRIORITY_UPDATE frames. */
void h2_priorities_clear(h2_session *session);

/* The head of a response is there: its place in the order of sending, if that is not only for
 * the client to say. */
void h2_session_place(h2_session *session, h2_stream *stream);

#endif /* H2_PRIORITIES_H */

/*
 * What clients may send ahead: windows that are given back, and widened.
 *
 * Holder of the loop only.
 */
#ifndef H2_WINDOWS_H
#define H2_WINDOWS_H

#include "session/h2_session.h"

/* What all streams of a connection may have together beyond H2WindowSize, where that is not
 * given. */
#define H2_WIDENED_MAX ((apr_size_t)4 * 1024 * 1024)

/* For conn/ and request/: */

/* The request has read length bytes of its body: the client may send more. */
void h2_session_consumed(h2_session *session, h2_stream *stream, apr_size_t length);

/* The request is about to wait for its body: what it has read is given back to the client's
 * window now, if that is worth a frame. */
void h2_session_credit(h2_session *session, h2_stream *stream);

/* The request has had to wait for its body: if it has read most of a window within a second, the
 * client gets a wider one, as far as the bounds of stream, connection and child allow. */
void h2_session_widen(h2_session *session, h2_stream *stream);

/* Within session/: */

/* A stream has ended whose window was so much wider than H2WindowSize. */
void h2_session_give_width_back(h2_session *session, apr_size_t bytes);

#endif /* H2_WINDOWS_H */

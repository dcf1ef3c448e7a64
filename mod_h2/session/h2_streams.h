/*
 * The streams of a session from their beginning to their release: waiting for a thread, running,
 * done.
 *
 * Holder of the loop only.
 */
#ifndef H2_STREAMS_H
#define H2_STREAMS_H

#include "session/h2_session.h"

/* For conn/ and request/: */

/* The stream that waits for a thread behind this one; NULL: the first. It stays in
 * the list. NULL: none, or none may be started for now, or any more. */
h2_stream *h2_session_next_waiting(const h2_session *session, h2_stream *after);

/* Do its requests hold its share of threads, running or being ended? The leader may
 * run one more that is expected to be quick. */
int h2_session_has_its_share(const h2_session *session);

/* The caller runs its request now, on some thread. */
void h2_session_started(h2_session *session, h2_stream *stream);

/* The request has run; its context belongs to the holder. */
void h2_session_finished(h2_session *session, h2_stream *stream);

/* The stream has new output in its exchange. */
void h2_session_has_output(h2_session *session, h2_stream *stream);

/* All streams that are closed and whose requests do not run, by next_done; NULL:
 * none. They have left all other lists. The caller ends the requests in their
 * exchange.context, without holding the loop if it likes, and then releases each;
 * until then the session stays. */
h2_stream *h2_session_take_done(h2_session *session);
void h2_session_release(h2_session *session, h2_stream *stream);

/* Within session/: */

/* The client has made an error on the stream: it does not start any more. */
void h2_session_reject_waiting(h2_stream *stream);

/* nghttp2 has closed the stream: takes it out of all lists but the session's. */
void h2_session_stream_closed(h2_session *session, h2_stream *stream, apr_uint32_t error);

/* A new stream: below parent in the order of sending (NULL: below none). */
void h2_session_enter_stream(h2_session *session, h2_stream *stream, h2_stream *parent,
                             int weight);

/* Its request is complete since now, when the system's clock shows wall, and waits for a thread. */
void h2_session_enter_waiting(h2_session *session, h2_stream *stream, apr_time_t now,
                              apr_time_t wall);

/* Frees a stream whose session has never been in a loop, and which has left the session's list. */
void h2_session_drop_stream(h2_session *session, h2_stream *stream);

/* The stream cannot go on, as the session ends or the client is not there any more. */
void h2_session_give_up_stream(h2_session *session, h2_stream *stream);

#endif /* H2_STREAMS_H */

/*
 * When a session has waited for too long, and what the loop is to wait for.
 *
 * Holder of the loop only.
 */
#ifndef H2_TIMERS_H
#define H2_TIMERS_H

#include "session/h2_session.h"

/* For conn/ and request/: */

/* Does the stream wait for other ones of its connection, as its own window is open and its client
 * has taken their data within the last timeout? Then it is not its client that lets it wait. */
int h2_session_lets_wait(const h2_session *session, const h2_stream *stream,
                         apr_interval_time_t timeout);

/* The client has let the stream wait for so long, and it is to be reset: counts and logs that. */
void h2_session_note_slow(h2_session *session, const h2_stream *stream,
                          apr_interval_time_t timeout);

/* Timers: does what is due at now. */
void h2_session_check_timers(h2_session *session, apr_time_t now);

/* Sets what the loop is to wait for: readability, writability, the next timer. */
void h2_session_arm(h2_session *session);

/* Within session/: */

/* The client's window of the stream is shut although it has data. */
void h2_session_stream_stalled(h2_session *session, h2_stream *stream);

/* At this time something is due for one of the streams. */
void h2_session_check_streams_at(h2_session *session, apr_time_t when);

#endif /* H2_TIMERS_H */

/*
 * How a session ends: with GOAWAY in two steps, with GOAWAY for an error, or without one.
 *
 * Holder of the loop only.
 */
#ifndef H2_ENDING_H
#define H2_ENDING_H

#include "session/h2_session.h"

/* For conn/ and request/: */

/* Says GOAWAY with this error code, aborts all streams, closes when it is sent. The reason, made by
 * format, is for the log. */
void h2_session_terminate(h2_session *session, apr_uint32_t error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The line in the log that says why a session ends which does not end by itself; only the first is
 * written. At info, as it is the client's doing, and at error for INTERNAL_ERROR. */
void h2_session_log_end(h2_session *session, apr_uint32_t error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The connection is of no use: aborts all streams, sends nothing. */
void h2_session_abort(h2_session *session, apr_status_t rv);

/* No more requests are to come, as the child ends, the connection has had its number of them or
 * its time, or nobody has asked for long: GOAWAY in two steps where is_gentle, else the last
 * one. */
void h2_session_drain(h2_session *session, int is_gentle);

/* Is there nothing left that it could send or receive? */
int h2_session_is_finished(const h2_session *session);

/* Within session/: */

/* nghttp2 has ended the session by itself, for an error of the client: so do we. */
void h2_session_follow_end(h2_session *session);

/* Do so many replies wait to be sent that no more may be read? Or the last GOAWAY: a second one
 * that nghttp2 makes for an error beyond it would name a higher stream, against RFC 9113, 6.8. */
int h2_session_has_too_much(const h2_session *session);

/* The client has acknowledged a PING, and with that of the mark all that was sent before it: what
 * it had sent before it knew of the end is there. */
void h2_session_note_round_trip(h2_session *session, const unsigned char *mark);

/* The last GOAWAY: no stream begins beyond those that were worked on. */
void h2_session_end_drain(h2_session *session);

#endif /* H2_ENDING_H */

/*
 * Server push: what is promised to the client, and what is not as it has that already.
 *
 * Holder of the loop only.
 */
#ifndef H2_PUSH_H
#define H2_PUSH_H

#include "message/h2_promise.h"
#include "session/h2_session.h"

/* For conn/ and request/: */

/* Does the client take pushed responses, as things stand? */
int h2_session_may_push(const h2_session *session);

/* Promises the client what goes with main's response, as far as it takes it and does not
 * have it, and lets the requests wait for a thread. To be called before the response's
 * head is given to the stream. Takes the promises' heads. */
void h2_session_push(h2_session *session, h2_stream *main, h2_promise *promises);

/* Within session/: */

/* The client may have said in its request what it has in its cache. */
void h2_session_note_digest(h2_session *session, const h2_stream *stream);

/* The head of a pushed response is there: its place in the order of sending, by H2PushPriority. */
void h2_session_place_pushed(h2_session *session, h2_stream *stream);

#endif /* H2_PUSH_H */

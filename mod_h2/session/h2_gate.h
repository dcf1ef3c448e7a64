/*
 * What of the client's frames nghttp2 may have: the account of floods, frames for streams that are
 * closed or were never opened.
 *
 * Holder of the loop only.
 */
#ifndef H2_GATE_H
#define H2_GATE_H

#include "session/h2_session.h"

/* A frame whose head the client has sent, while all that came before has been worked on: may
 * nghttp2 have it? Returns 0 if not: the session is terminated. */
int h2_session_admit(h2_session *session, const h2_frame_scan *head);

/* Another event of this cause. Returns 0 if it was one too many: the session is terminated. */
int h2_session_charge(h2_session *session, h2_flood_cause cause);

/* The stream was reset by us while it was open for the client, whose frames for it may still
 * come. */
void h2_session_note_reset(h2_session *session, int id);

#endif /* H2_GATE_H */

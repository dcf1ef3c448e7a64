/*
 * Moves what a session has for its client, and lets a runner wait for the client.
 * Any thread that holds the loop may pump: a runner sends its own output without
 * waking anybody.
 */
#ifndef H2_PUMP_H
#define H2_PUMP_H

#include "request/h2_context.h"

/* Holder: packs frames and writes, until there is no more, the socket is full, or
 * others want to be served; sets what the loop is to wait for. worker: the calling
 * thread. */
void h2_pump_output(h2_session *session, const h2_worker *worker);

/* The same for a runner, in the middle of its request: what it may not do itself is
 * left to the leader. */
void h2_pump_by_runner(h2_context *context);

/* The runner, as holder: its request has read of its body; tells the client so
 * when it is worth a frame. */
void h2_pump_credit(h2_context *context);

/* The runner, as holder: it asks whether there is something to read, and does not wait for it.
 * Under prefork nobody else has looked meanwhile: does that, and answers what needs an answer. */
void h2_pump_look(h2_context *context);

/* The runner, as holder: waits until the exchange has changed. Gives the lead of
 * the loop away before. APR_TIMEUP after H2StreamTimeout; gives the loop back
 * meanwhile. Under prefork there is nobody to give it to: does the loop's work itself. */
apr_status_t h2_pump_wait(h2_context *context);

#endif /* H2_PUMP_H */

/*
 * What a running request and the loop share: the request's body on its way in,
 * the response on its way out, and the word that the stream is gone. Part of
 * the stream, which outlives the request.
 *
 * Guarded by the loop's lock, all but the fixed fields. The runner of the
 * request takes the lock for each piece that it reads or writes; it waits on its
 * worker's condition variable with that same lock.
 */
#ifndef H2_EXCHANGE_H
#define H2_EXCHANGE_H

#include <apr_file_io.h>
#include <apr_thread_cond.h>

#include "base/h2_base.h"
#include "exchange/h2_chunk.h"
#include "message/h2_head.h"
#include "message/h2_response.h"

typedef struct h2_exchange {
    /* Fixed before the request runs. */
    const h2_head *head;          /* of the request, lives in the stream */

    /* Guarded by the loop's lock: */
    h2_chunks in;                 /* the body that has arrived, not yet read */
    const h2_head *in_trailers;   /* NULL: none (yet) */
    unsigned in_is_ended : 1;     /* the client has sent all of it */

    h2_response *out_interim;     /* not yet submitted, oldest first */
    h2_response *out_response;    /* the final one; NULL: not there yet */
    h2_response *out_trailers;
    h2_chunks out;                /* the body that is not yet sent */
    unsigned out_is_ended : 1;    /* nothing comes after what is there */
    unsigned out_is_failed : 1;   /* it ended too early: the stream is to be reset */
    unsigned needs_http_1_1 : 1;  /* then: as this resource is not for HTTP/2 */

    apr_interval_time_t timeout;  /* usec a wait for the client may take, H2StreamTimeout;
                                   * negative: any */
    unsigned is_aborted : 1;      /* the stream is gone: neither read nor write */
    unsigned is_running : 1;      /* from the start of the request to its end */
    unsigned is_woken : 1;        /* something has changed since the runner cleared it */
    unsigned is_signalled : 1;    /* there is a byte in the pipe */
    unsigned is_choked : 1;       /* signal_in is not writable: see h2_exchange_choke() */
    apr_thread_cond_t *waiter;    /* of the runner that waits, NULL: it does not */
    apr_file_t *signal_in;        /* a pipe for a runner that polls: both its ends, or NULL;
                                   * the runner polls signal_in without the lock */
    apr_file_t *signal_out;
    apr_off_t room_bytes;         /* while it is choked: when out has so little, there is room */
    void *context;                /* the request's context; the runner's while
                                   * is_running, then the holder's, at last the one's
                                   * who ends it */
} h2_exchange;

/* At the creation of the stream. */
void h2_exchange_init(h2_exchange *exchange);

/* Holder: something has changed that the runner may wait for. */
void h2_exchange_wake(h2_exchange *exchange);

/* Holder: some of the response is gone, so that there may be room for more. A runner that polls
 * is not woken by it unless it is choked. */
void h2_exchange_note_room(h2_exchange *exchange);

/* Holder, where the signals go through a pair of sockets: signal_in cannot be written to until at
 * most room_bytes are left of out, so that a runner which polls both ways waits for that. */
void h2_exchange_choke(h2_exchange *exchange, apr_off_t room_bytes);

/* Holder: the runner has found nothing to read. Its pipe has none until the next change. */
void h2_exchange_settle(h2_exchange *exchange);

/* Holder: the runner is done, and what it polls ends with its request. */
void h2_exchange_drop_signals(h2_exchange *exchange);

/* Holder: the stream is gone; the runner sees it at its next read or write. */
void h2_exchange_abort(h2_exchange *exchange);

/* Holder: all that waits in queues is thrown away. */
void h2_exchange_clear(h2_exchange *exchange);

#endif /* H2_EXCHANGE_H */

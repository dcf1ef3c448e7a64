/*
 * What a request needs to run in httpd: an allocator with a pool, a bucket
 * allocator, a secondary connection and the request_rec. Kept and used again,
 * last in first out: making them anew costs more than the request itself.
 *
 * A context belongs to the thread that runs its request until that thread has
 * called h2_request_finish(); after it to the holder of the loop. When the stream
 * has ended, to the thread that has taken it for h2_context_end(). Spare ones belong
 * to the holder of their loop.
 */
#ifndef H2_CONTEXT_H
#define H2_CONTEXT_H

#include <apr_buckets.h>

#include "base/h2_base.h"
#include "base/h2_text.h"
#include "message/h2_promise.h"
#include "request/h2_interim.h"
#include "session/h2_session.h"
#include "worker/h2_workers.h"

typedef struct h2_context h2_context;
typedef struct h2_tunnel h2_tunnel;
struct h2_context {
    /* Fixed as long as the context lives. */
    apr_allocator_t *allocator;
    apr_pool_t *pool;               /* cleared after each request */
    apr_bucket_alloc_t *bucket_alloc;

    /* The holder, while it is spare or waits for a thread. */
    APR_RING_ENTRY(h2_context) link;
    int use_count;

    /* Fixed for one request. What stands from here on is zero while the context is spare. */
    h2_session *session;
    h2_stream *stream;
    h2_exchange *exchange;
    conn_rec *c;                    /* the secondary connection */
    h2_priority priority;           /* the client's, when the request began */
    h2_dependency dependency;       /* likewise */
    apr_uint32_t habit;             /* where h2_habits remembers this request */
    unsigned has_no_body : 1;       /* the request ended with its head, without trailers */
    unsigned has_priority : 1;      /* the client speaks of priorities as RFC 9218 does */
    unsigned may_push : 1;          /* the client takes pushed responses with this one */
    unsigned is_tunnel : 1;         /* or is to become one, RFC 8441 */
    unsigned may_tunnel : 1;        /* then: counted as one of those that there may be */

    /* The runner; after the request the holder, then who ends it. */
    h2_worker *worker;              /* that runs it */
    request_rec *r;
    const char *original_host;      /* Host, where :authority was another; NULL */
    char *tag;                      /* H2_STREAM_TAG, once it was asked for; else NULL */
    char tag_text[H2_SESSION_TAG_BYTES + H2_TEXT_NUMBER_BYTES];
    apr_size_t staged_max;          /* of H2StreamMaxMemSize: a quarter for what is staged, */
    apr_size_t published_max;       /* the rest for what is in the exchange */

    apr_interval_time_t stream_timeout; /* H2StreamTimeout, for the exchange */
    apr_bucket_brigade *body;       /* read from the exchange, not yet asked for */
    apr_interval_time_t waited;     /* for the body, and how much of it has come since that was 0 */
    apr_off_t waited_bytes;
    unsigned body_is_ended : 1;     /* its EOS has been given */
    unsigned has_trailers : 1;      /* those of the request, if there were any, are in r */

    h2_promise *promises;           /* to be pushed with what is published next */
    int preload_count;              /* resources named so far, for whatever became of them */
    h2_tunnel *tunnel;              /* of an extended CONNECT, else NULL */
    h2_interim *interim;            /* reads the text of ap_send_interim_response() */
    h2_response *response;          /* the final head, once httpd has made it */
    h2_response *trailers;
    apr_off_t announced_bytes;      /* the handler's Content-Length; -1: none, -2: not seen */
    apr_off_t body_bytes;           /* of the response's body, so far */
    apr_bucket_brigade *behind;     /* H2_LENGTH's, while it passes what came before */
    apr_bucket_brigade staged;      /* output that is not yet in the exchange */
    apr_size_t staged_bytes;        /* of these, those in memory */
    apr_bucket_brigade pinned;      /* buckets to whose bytes the exchange points */
    h2_chunks last_chunks;          /* made of what was staged at the end */
    apr_bucket *end_of_request;     /* its destruction logs and ends the request */
    unsigned is_published : 1;      /* the final head is in the exchange */
    unsigned is_ended : 1;          /* EOS was seen */
    unsigned has_timing : 1;        /* Server-Timing is to be among the trailers */
    unsigned is_nph : 1;            /* a script wrote the response's head */
    unsigned char interim_count;    /* of heads that it wrote before that */
    unsigned has_no_response_body : 1; /* what its nph script writes behind the head is left out */
    unsigned is_failed : 1;         /* the response is broken: reset the stream */
    unsigned needs_http_1_1 : 1;    /* then: the client shall ask in HTTP/1.1 */
    unsigned is_buffering : 1;      /* H2OutputBuffering */
    unsigned is_copying_files : 1;  /* H2CopyFiles */
    unsigned may_wait_for_backend : 1; /* its thread is known to h2_backend */
    unsigned is_polling : 1;        /* a tunnel whose runner polls for room, and never waits here */
    unsigned has_waited : 1;        /* it was slow, or had to wait for something */
    unsigned is_counted : 1;        /* in the scoreboard */
    unsigned is_ending : 1;         /* who ends it has it: nobody else touches its stream */
};

/* Child start: lists of spare contexts for that many loops, in pool, which is the
 * parent of all their pools; its allocator needs a lock. */
void h2_context_init(apr_pool_t *pool, int loop_count);

/* Holder: gives a context for the stream's request, with a secondary connection that has all
 * that it needs of the session; NULL without memory. */
h2_context *h2_context_create(h2_session *session, h2_stream *stream);

/* Holder: the stream has ended and so has the request; it is counted in the
 * scoreboard, once. worker: the calling thread. */
void h2_context_count(h2_context *context, const h2_worker *worker);

/* Not holding the loop, as it runs the cleanups of any module: the stream has ended
 * and so has the request. Logs it, and frees all it had. worker: the calling thread. */
void h2_context_end(h2_context *context, const h2_worker *worker);

/* Holder: an ended context is kept for another request of loop. Takes context. */
void h2_context_recycle(h2_context *context, h2_loop *loop);

/* Holder: how many are kept for requests to come. */
int h2_context_spare_count(const h2_loop *loop);

/* The context of a secondary connection, NULL: c is none of ours. Any thread
 * that may use c. */
h2_context *h2_context_of(const conn_rec *c);

#endif /* H2_CONTEXT_H */

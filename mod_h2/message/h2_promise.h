/*
 * A request that the server makes in the client's place, RFC 9113, 8.4: what is to be
 * promised and pushed.
 *
 * Built by the thread that runs the request whose response it goes with, in that
 * request's pool; its head is malloc'ed and goes, with the promise, to the session.
 */
#ifndef H2_PROMISE_H
#define H2_PROMISE_H

#include "message/h2_head.h"

typedef struct h2_promise h2_promise;
struct h2_promise {
    h2_promise *next;
    h2_head *head;
    apr_uint64_t url_hash;    /* as h2_cache_digest_hash() gives it */
    unsigned is_critical : 1; /* to be sent before the response that it goes with */
};

#endif /* H2_PROMISE_H */

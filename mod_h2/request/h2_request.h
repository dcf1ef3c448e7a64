/*
 * One request through httpd, from its head to the end of the handler.
 */
#ifndef H2_REQUEST_H
#define H2_REQUEST_H

#include "request/h2_context.h"

/* At the start of httpd: hooks that see requests of ours. */
void h2_request_register_hooks(apr_pool_t *pool);

/* HTTP/1.1's limits of s on the fields of a request, or its trailers: 0, or the status
 * to answer. Any thread. */
int h2_request_check_fields(const server_rec *s, const h2_head *head);

/* The runner, not holding the loop: runs the context's request on worker. */
void h2_request_run(h2_context *context, h2_worker *worker);

/* The runner, as holder, after h2_request_run(): the response is complete, the
 * context belongs to the holder. Remembers whether it was quick; has_kept_lead:
 * it has run on the leader, which leads still. */
void h2_request_finish(h2_context *context, int has_kept_lead);

#endif /* H2_REQUEST_H */

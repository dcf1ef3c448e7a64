/*
 * Heads that a handler writes as text to the connection's filters, as for HTTP/1.1: httpd does so
 * with interim responses, an nph script with all of its heads, a tunnel with its 101.
 *
 * Runner of the request only.
 */
#ifndef H2_HEAD_TEXT_H
#define H2_HEAD_TEXT_H

#include <apr_buckets.h>

#include "request/h2_context.h"

/* Data before the response's head is in context: reads the heads in it, sends interim ones, and
 * makes a final one the response's. What follows that is split off b. Where it is no head, that is
 * logged, and the response is broken (a tunnel: refused). Borrows b. */
apr_status_t h2_head_text_read(h2_context *context, apr_bucket *b);

#endif /* H2_HEAD_TEXT_H */

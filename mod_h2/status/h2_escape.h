/*
 * Text of clients, so that it stays text in HTML and in JSON, whatever bytes it has.
 *
 * Pure; any thread.
 */
#ifndef H2_ESCAPE_H
#define H2_ESCAPE_H

#include "base/h2_base.h"

/* Gives text as it may stand between tags and in quoted attributes. Bytes that are no UTF-8, and
 * control characters, become U+FFFD. */
const char *h2_escape_html(apr_pool_t *pool, const char *text);

/* Gives text as a string of JSON (RFC 8259, 7), with its quotes. Bytes that are no UTF-8 become
 * U+FFFD; what a browser would take for a tag is escaped too. */
const char *h2_escape_json(apr_pool_t *pool, const char *text);

#endif /* H2_ESCAPE_H */

/*
 * The head of a request (or its trailers) as the client sent it: pseudo-fields
 * and fields, NUL-terminated in memory of its own.
 *
 * Built by one thread: the holder of the loop while nghttp2 decodes the field block, the MPM's
 * thread for an Upgrade, the runner for a promise. Then it is immutable and belongs to the stream:
 * the thread that runs the request may read it. Freed by the holder with h2_head_destroy() when
 * the stream ends.
 */
#ifndef H2_HEAD_H
#define H2_HEAD_H

#include "base/h2_base.h"
#include "base/h2_blocks.h"

typedef struct h2_head h2_head;

/* One field; both strings are NUL-terminated and live in the head. */
typedef struct h2_field {
    const char *name; /* in lower case */
    const char *value;
} h2_field;

/* Gives a new head; NULL without memory. blocks: the loop's, for its holder; else NULL. */
h2_head *h2_head_create(h2_blocks *blocks);

/* Frees a head, or NULL. blocks: likewise, whatever it was created with. */
void h2_head_destroy(h2_head *head, h2_blocks *blocks);

/* Appends a field; blanks at both ends of the value are stripped. Borrows the
 * bytes. APR_ENOSPC: the list is beyond limit_bytes, counted as RFC 9113, 6.5.2
 * counts it; APR_EINVAL: a NUL, CR or LF, or an unknown pseudo-field. */
apr_status_t h2_head_add(h2_head *head, const char *name, apr_size_t name_length,
                         const char *value, apr_size_t value_length,
                         apr_size_t limit_bytes);

/* The same for a field of which nghttp2 has seen that no octet is forbidden. */
apr_status_t h2_head_add_checked(h2_head *head, const char *name, apr_size_t name_length,
                                 const char *value, apr_size_t value_length,
                                 apr_size_t limit_bytes);

/* The pseudo-fields, RFC 9113, 8.3.1; NULL where missing. Borrowed. */
const char *h2_head_method(const h2_head *head);
const char *h2_head_scheme(const h2_head *head);
const char *h2_head_authority(const h2_head *head);
const char *h2_head_path(const h2_head *head);
const char *h2_head_protocol(const h2_head *head); /* RFC 8441 */

/* The other fields, index from 0 to h2_head_count() - 1. */
int h2_head_count(const h2_head *head);
h2_field h2_head_field(const h2_head *head, int index);

/* The value of the first field of this lower-case name, NULL: none. */
const char *h2_head_get(const h2_head *head, const char *name);

/* 0: no name is there twice. */
int h2_head_may_repeat(const h2_head *head);

/* Is there a field named priority? */
int h2_head_has_priority(const h2_head *head);

/* Bytes of the list as counted against limit_bytes. */
apr_size_t h2_head_bytes(const h2_head *head);

/* Fields into a table of httpd's: the strings are not copied and the head must
 * outlive the table. Cookie crumbs are joined (RFC 9113, 8.2.3), other repeated
 * names merged as httpd does it for HTTP/1.1. */
void h2_head_to_table(const h2_head *head, apr_table_t *table);

#endif /* H2_HEAD_H */

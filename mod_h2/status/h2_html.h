/*
 * The frame of a page of status/, and figures as people read them.
 *
 * Called by the one that runs the request. Only the title of a page is text, and escaped here. All
 * other strings are HTML: who has text that is not ours escapes it before (h2_escape.h).
 */
#ifndef H2_HTML_H
#define H2_HTML_H

#include "base/h2_base.h"

/* Writes all that comes before the main part's content, and the fields of the response: a
 * Content-Security-Policy that allows this page's own style and script and nothing else. title:
 * text. details: below it. refresh: seconds between two readings without script; 0: none. */
void h2_html_begin(request_rec *r, const char *title, const char *details, int refresh);

/* Writes all that comes after it. */
void h2_html_end(request_rec *r);

/* A figure with what it is, and what belongs to it. kind: a class, "" for none. */
void h2_html_tile(request_rec *r, const char *label, const char *value, const char *more,
                  const char *kind);

/* A part with a table in it. intro: "": none. heads: cells of its head. */
void h2_html_begin_table(request_rec *r, const char *title, const char *intro, const char *heads);
void h2_html_end_table(request_rec *r);

/* "12,345", "1.5 MiB", "340 µs", "12.5 %", "2026-01-31 12:00:00": as HTML. */
const char *h2_html_count(apr_pool_t *pool, apr_uint64_t count);
const char *h2_html_bytes(apr_pool_t *pool, apr_uint64_t bytes);
const char *h2_html_duration(apr_pool_t *pool, apr_interval_time_t usec);
const char *h2_html_share(apr_pool_t *pool, apr_uint64_t part, apr_uint64_t whole);
const char *h2_html_time(apr_pool_t *pool, apr_time_t time);

/* Words of ours with "_" between them, with blanks instead. */
const char *h2_html_words(apr_pool_t *pool, const char *name);

#endif /* H2_HTML_H */

/*
 * Our filters on a secondary connection and its request:
 *
 *   request's input:   H2_BODY      limits, 100-continue, trailers
 *   secondary's input: H2_IN        the exchange's bytes as buckets
 *   request's output:  H2_HINTS     for some only, see h2_hint_filter.h
 *                      H2_LENGTH    is the body as long as its handler said?
 *                      H2_RESPONSE  in the place of HTTP_HEADER: the head
 *   secondary's output: H2_OUT      buckets into the exchange, interim responses
 *
 * All run on the thread that runs the request.
 */
#ifndef H2_FILTERS_H
#define H2_FILTERS_H

#include <util_filter.h>

#include "base/h2_base.h"

/* At the start of httpd. */
void h2_filters_register(void);

/* When all modules have registered theirs: finds those of httpd that ours replace. */
void h2_filters_find(void);

/* The runner: puts the filters on a secondary connection of ours. */
void h2_filters_add_connection(conn_rec *c);

/* The runner: puts the output filters on its request, in the place of HTTP/1.1's. */
void h2_filters_add_response(request_rec *r);

/* The runner: puts the one for the body on its request, in the place of HTTP/1.1's. */
void h2_filters_add_body(request_rec *r);

/* Hook insert_filter, on the runner: puts H2_LENGTH on a request of ours, and anew
 * on the one of an internal redirect. */
void h2_filters_add_length(request_rec *r);

/* For h2_filters.c only: the filters, each in the file of its kind. */
apr_status_t h2_filter_body(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
                            apr_read_type_e block, apr_off_t readbytes);
apr_status_t h2_filter_in(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
                          apr_read_type_e block, apr_off_t readbytes);
apr_status_t h2_filter_length(ap_filter_t *f, apr_bucket_brigade *bb);
apr_status_t h2_filter_response(ap_filter_t *f, apr_bucket_brigade *bb);
apr_status_t h2_filter_out(ap_filter_t *f, apr_bucket_brigade *bb);

#endif /* H2_FILTERS_H */

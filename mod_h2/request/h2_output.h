/*
 * The output of a request: what its filters hand down, staged in the context
 * until it is published into the exchange: at the end, on a FLUSH, before a wait for
 * more of it, or when there is more than a quarter of H2StreamMaxMemSize.
 *
 * The thread that runs the request, not holding the loop, unless said.
 */
#ifndef H2_OUTPUT_H
#define H2_OUTPUT_H

#include "request/h2_context.h"

/* The final head; what is written from now on is body. Borrows the tables of r.
 * APR_EINVAL: a field cannot be sent, the stream is to be reset. */
apr_status_t h2_output_head(h2_context *context, request_rec *r, int status);

/* An interim response, RFC 9110, 15.2; at once to the client. fields may be NULL.
 * Waits while 16 are not sent yet. APR_ECONNABORTED: the stream is gone;
 * APR_TIMEUP: H2StreamTimeout is over; APR_EINVAL: a field cannot be sent. */
apr_status_t h2_output_interim(h2_context *context, int status, const apr_table_t *fields);

/* What the context is to push is promised to the client, now. */
void h2_output_promises(h2_context *context);

/* Takes the data bucket out of its brigade and stages it. */
apr_status_t h2_output_stage(h2_context *context, apr_bucket *b);

/* All that is staged goes to the client, now. Waits while there is more in the exchange than the
 * limit; who polls is choked instead. APR_ECONNABORTED: the stream is gone; APR_TIMEUP. */
apr_status_t h2_output_publish(h2_context *context);

/* All of the response is published, although the request runs on: a tunnel that only the
 * client still uses. */
void h2_output_end(h2_context *context);

/* The request has run: makes what is staged ready for the exchange, without
 * copying; h2_output_finish() then hands it over. */
void h2_output_prepare_finish(h2_context *context, h2_chunks *chunks);

/* Holder: all of it goes to the exchange. */
void h2_output_finish(h2_context *context, h2_chunks *chunks);

#endif /* H2_OUTPUT_H */

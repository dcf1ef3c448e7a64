/*
 * H2ServerTiming: the field Server-Timing in a response, and in its trailers.
 */
#ifndef H2_TIMING_H
#define H2_TIMING_H

#include "request/h2_context.h"

/* Runner: adds what is known to the fields of r's response, whose head is about to be made and
 * whose body begins with bb; and asks for trailers with the rest, where the client takes such. */
void h2_timing_add(h2_context *context, request_rec *r, const apr_bucket_brigade *bb);

#endif /* H2_TIMING_H */

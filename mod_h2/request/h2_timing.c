#include "request/h2_timing.h"

#include <httpd.h>

#include "base/h2_clock.h"
#include "message/h2_server_timing.h"

static int has_data(const apr_bucket_brigade *bb)
{
    const apr_bucket *b;

    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = APR_BUCKET_NEXT(b)) {
        if (!APR_BUCKET_IS_METADATA(b) && b->length) {
            return 1;
        }
    }
    return 0;
}

/* Does the client take trailers, RFC 9110, 6.5.1? */
static int takes_trailers(const request_rec *r)
{
    const char *te = apr_table_get(r->headers_in, "TE");

    return te && ap_find_token(r->pool, te, "trailers");
}

void h2_timing_add(h2_context *context, request_rec *r, const apr_bucket_brigade *bb)
{
    const h2_stream_trace *trace = &context->stream->trace;
    char *text = apr_palloc(r->pool, H2_SERVER_TIMING_BYTES);

    h2_server_timing_of_head(text, trace->started - trace->queued, h2_clock_now() - trace->started);
    apr_table_mergen(r->headers_out, "Server-Timing", text);
    if (takes_trailers(r)) {
        context->has_timing = 1;
        /* Not announced where there may be no body, and thus no trailers. */
        if (has_data(bb) && !r->header_only && !AP_STATUS_IS_HEADER_ONLY(r->status)) {
            apr_table_mergen(r->headers_out, "Trailer", "Server-Timing");
        }
    }
}

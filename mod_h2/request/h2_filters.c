#include "request/h2_filters.h"

#include "request/h2_context.h"
#include "request/h2_hint_filter.h"

static ap_filter_rec_t *header_filter; /* httpd's own */
static ap_filter_rec_t *body_filter;
static ap_filter_rec_t *in_filter;
static ap_filter_rec_t *length_filter;
static ap_filter_rec_t *response_filter;
static ap_filter_rec_t *out_filter;

void h2_filters_register(void)
{
    body_filter = ap_register_input_filter("H2_BODY", h2_filter_body, NULL, AP_FTYPE_PROTOCOL);
    in_filter = ap_register_input_filter("H2_IN", h2_filter_in, NULL, AP_FTYPE_NETWORK);
    /* Behind what changes the content, before httpd sets the length anew. */
    length_filter = ap_register_output_filter("H2_LENGTH", h2_filter_length, NULL,
                                              AP_FTYPE_PROTOCOL - 1);
    response_filter = ap_register_output_filter("H2_RESPONSE", h2_filter_response, NULL,
                                                AP_FTYPE_PROTOCOL);
    out_filter = ap_register_output_filter("H2_OUT", h2_filter_out, NULL, AP_FTYPE_NETWORK);
    h2_hint_filter_register();
}

void h2_filters_find(void)
{
    header_filter = ap_get_output_filter_handle("HTTP_HEADER");
}

void h2_filters_add_connection(conn_rec *c)
{
    h2_context *context = h2_context_of(c);

    ap_add_input_filter_handle(in_filter, context, NULL, c);
    ap_add_output_filter_handle(out_filter, context, NULL, c);
}

/* In the place of httpd's HTTP_HEADER, which is among the first. */
void h2_filters_add_response(request_rec *r)
{
    h2_context *context = h2_context_of(r->connection);
    ap_filter_t *f;

    for (f = r->output_filters; f; f = f->next) {
        if (f->frec == header_filter) {
            f->frec = response_filter;
            f->ctx = context;
            return;
        }
    }
    ap_add_output_filter_handle(response_filter, context, r, r->connection);
}

void h2_filters_add_body(request_rec *r)
{
    h2_context *context = h2_context_of(r->connection);

    ap_add_input_filter_handle(body_filter, context, r, r->connection);
}

void h2_filters_add_length(request_rec *r)
{
    h2_context *context = h2_context_of(r->connection);

    if (context && !r->main) {
        context->announced_bytes = -2;
        context->body_bytes = 0;
        ap_add_output_filter_handle(length_filter, context, r, r->connection);
    }
}

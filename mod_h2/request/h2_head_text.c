#include "request/h2_head_text.h"

#include <http_protocol.h>

#include "request/h2_interim.h"
#include "request/h2_output.h"
#include "request/h2_preload.h"
#include "request/h2_tunnel.h"

/* Hints are for those clients only that an administrator thinks of, but what they name is
 * pushed in any case. */
static apr_status_t pass_interim(h2_context *context, int status, apr_table_t *fields)
{
    const request_rec *r = context->r;

    while (r->next) {
        r = r->next;
    }
    if (h2_preload_is_wanted(context, r)) {
        h2_preload_add_links(context, r, fields);
    }
    if (status == HTTP_EARLY_HINTS && !h2_config_is_early_hints(r)) {
        h2_output_promises(context);
        return APR_SUCCESS;
    }
    return h2_output_interim(context, status, fields);
}

/* Has the handler left the connection's filters only? An nph script writes its heads itself. */
static int is_nph(const h2_context *context)
{
    const request_rec *r = context->r;

    while (r && r->next) {
        r = r->next;
    }
    return r && r->output_filters->frec->ftype >= AP_FTYPE_CONNECTION;
}

/* How long the body of an nph script is to be; -1: anything. APR_EINVAL: it cannot be told. */
static apr_status_t note_nph_length(h2_context *context, const request_rec *r,
                                    const apr_table_t *fields)
{
    const char *length = apr_table_getm(r->pool, fields, "Content-Length");

    context->announced_bytes = -1;
    if (length && !ap_parse_strict_length(&context->announced_bytes, length)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      H2_ID_FMT "Content-Length of an nph script is no number: '%s'",
                      context->session->c->id, context->stream->id, length);
        return APR_EINVAL;
    }
    if (context->has_no_response_body) {
        context->announced_bytes = -1;
    }
    return APR_SUCCESS;
}

/* The final head of an nph script: its fields, and those alone, are sent. */
static apr_status_t take_nph_head(h2_context *context, int status, const apr_table_t *fields)
{
    request_rec *r = context->r;
    apr_status_t rv;

    while (r->next) {
        r = r->next;
    }
    if (apr_table_get(fields, "Transfer-Encoding")) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      H2_ID_FMT "an nph script must not encode its body for HTTP/1.1 "
                      "(Transfer-Encoding)", context->session->c->id, context->stream->id);
        return APR_EINVAL;
    }
    r->status = status;
    r->headers_out = apr_table_clone(r->pool, fields);
    context->is_nph = 1;
    context->has_no_response_body = (r->header_only || AP_STATUS_IS_HEADER_ONLY(status));
    rv = note_nph_length(context, r, fields);
    return (rv == APR_SUCCESS) ? h2_output_head(context, r, status) : rv;
}

/* An nph script's are counted, as another script's are. */
static apr_status_t take_interim(h2_context *context, int status, apr_table_t *fields)
{
    if (is_nph(context) && ++context->interim_count > H2_INTERIM_HEADS_MAX) {
        ap_log_cerror(APLOG_MARK, APLOG_ERR, 0, context->c,
                      H2_ID_FMT "an nph script sends more than %d interim responses: the stream is "
                      "reset", context->session->c->id, context->stream->id, H2_INTERIM_HEADS_MAX);
        return APR_ENOSPC;
    }
    return pass_interim(context, status, fields);
}

/* A head is there. */
static apr_status_t take_head(h2_context *context, h2_interim *head)
{
    const char *name;
    int dropped = h2_interim_dropped(head, &name), status = h2_interim_status(head);

    if (context->tunnel && status == HTTP_SWITCHING_PROTOCOLS) {
        return h2_tunnel_open(context, h2_interim_fields(head));
    }
    /* mod_proxy_wstunnel's own one reads none. */
    if (context->tunnel && ap_is_HTTP_SUCCESS(status)) {
        return h2_tunnel_refuse(context, "the back end's answer is no 101");
    }
    if (dropped) {
        ap_log_cerror(APLOG_MARK, APLOG_WARNING, 0, context->c,
                      H2_ID_FMT "response %d: %d of its fields cannot be sent and are left out, "
                      "the first is '%s'", context->session->c->id, context->stream->id, status,
                      dropped, name);
    }
    return (status < HTTP_OK) ? take_interim(context, status, h2_interim_fields(head))
                              : take_nph_head(context, status, h2_interim_fields(head));
}

apr_status_t h2_head_text_read(h2_context *context, apr_bucket *b)
{
    const char *data;
    apr_size_t length, used, offset = 0;
    apr_status_t rv = apr_bucket_read(b, &data, &length, APR_BLOCK_READ);

    if (!context->interim) {
        context->interim = h2_interim_create(context->pool);
    }
    if (is_nph(context)) {
        h2_interim_take_any(context->interim);
    }
    while (rv == APR_SUCCESS && offset < length && !context->response) {
        rv = h2_interim_feed(context->interim, data + offset, length - offset, &used);
        offset += used;
        if (rv == APR_SUCCESS && h2_interim_is_complete(context->interim)) {
            rv = take_head(context, context->interim);
            h2_interim_reset(context->interim);
        }
    }
    if (rv == APR_SUCCESS && offset < length) {
        rv = apr_bucket_split(b, offset);
    }
    if (rv != APR_SUCCESS && !APR_STATUS_IS_ECONNABORTED(rv)) {
        ap_log_cerror(APLOG_MARK, APLOG_WARNING, rv, context->c,
                      H2_ID_FMT "output before the head is no interim response%s",
                      context->session->c->id, context->stream->id,
                      context->tunnel ? "" : ": the stream is reset");
        if (context->tunnel) {
            return h2_tunnel_refuse(context, "the back end's answer is no 101");
        }
        context->is_failed = 1;
    }
    return rv;
}

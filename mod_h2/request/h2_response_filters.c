/*
 * The way of a response out of httpd: H2_LENGTH counts its body, H2_RESPONSE makes its
 * head, H2_OUT takes its body and the interim responses.
 */
#include "base/h2_base.h"
#include "base/h2_text.h"

#include <http_connection.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_time.h>

#include "request/h2_context.h"
#include "request/h2_filters.h"
#include "request/h2_head_text.h"
#include "request/h2_output.h"
#include "request/h2_preload.h"
#include "request/h2_timing.h"
#include "request/h2_tunnel.h"

/* Most fields are new, which is cheaper than to look for one that is replaced. */
static void set_field(apr_table_t *table, const char *name, const char *value)
{
    if (apr_table_get(table, name)) {
        apr_table_setn(table, name, value);
    }
    else {
        apr_table_addn(table, name, value);
    }
}

static void set_default(apr_table_t *table, const char *name, const char *value)
{
    if (value && !apr_table_get(table, name)) {
        apr_table_addn(table, name, value);
    }
}

static const char *http_date(apr_pool_t *pool, apr_time_t when)
{
    char *date = apr_palloc(pool, APR_RFC822_DATE_LEN);

    ap_recent_rfc822_date(date, when);
    return date;
}

static void set_content_fields(request_rec *r)
{
    apr_table_t *fields = r->headers_out;

    if (r->content_type) {
        const char *type = ap_make_content_type(r, r->content_type);

        if (type) {
            set_field(fields, "Content-Type", type);
        }
    }
    if (r->content_encoding) {
        apr_table_setn(fields, "Content-Encoding", r->content_encoding);
    }
    if (r->content_languages && !apr_table_get(fields, "Content-Language")) {
        const char *const *languages = (const char *const *)r->content_languages->elts;
        int i;

        for (i = 0; i < r->content_languages->nelts; ++i) {
            apr_table_mergen(fields, "Content-Language", languages[i]);
        }
    }
}

static int is_listed(const apr_array_header_t *list, const char *token)
{
    int i;

    for (i = 0; i < list->nelts; ++i) {
        if (!ap_cstr_casecmp(APR_ARRAY_IDX(list, i, const char *), token)) {
            return 1;
        }
    }
    return 0;
}

/* All Vary fields in one, each name once: caches compare the text. */
static void unify_vary(request_rec *r)
{
    apr_array_header_t *names;
    char *token, *state, *text;

    if (!apr_table_get(r->headers_out, "Vary")) {
        return;
    }
    names = apr_array_make(r->pool, 5, sizeof(const char *));
    text = apr_pstrdup(r->pool, apr_table_getm(r->pool, r->headers_out, "Vary"));
    for (token = apr_strtok(text, ", \t", &state); token;
         token = apr_strtok(NULL, ", \t", &state)) {
        if (!is_listed(names, token)) {
            APR_ARRAY_PUSH(names, const char *) = token;
        }
    }
    if (apr_table_get(r->subprocess_env, "force-no-vary")) {
        apr_table_unset(r->headers_out, "Vary");
    }
    else if (names->nelts) {
        apr_table_setn(r->headers_out, "Vary", apr_array_pstrcat(r->pool, names, ','));
    }
}

/* Of the response to HEAD: that its handler wrote no body does not say that GET has none. */
static void drop_length_0(request_rec *r)
{
    const char *length = apr_table_get(r->headers_out, "Content-Length");

    if (length && !strcmp(length, "0")) {
        apr_table_unset(r->headers_out, "Content-Length");
    }
}

/* What httpd's own HTTP_HEADER adds to, and takes from, what a handler has set. */
static void complete_fields(request_rec *r)
{
    if (!apr_is_empty_table(r->err_headers_out)) {
        r->headers_out = apr_table_overlay(r->pool, r->err_headers_out, r->headers_out);
    }
    if (AP_STATUS_IS_HEADER_ONLY(r->status)) { /* 204, 304 */
        r->content_type = r->content_encoding = NULL;
        r->content_languages = NULL;
        apr_table_unset(r->headers_out, "Content-Length");
    }
    set_content_fields(r);
    unify_vary(r);
    set_default(r->headers_out, "Date", http_date(r->pool, r->request_time));
    if (r->proxyreq == PROXYREQ_NONE) {
        set_field(r->headers_out, "Server", ap_get_server_banner());
    }
    else {
        set_default(r->headers_out, "Server", ap_get_server_banner());
    }
    if (r->no_cache) {
        set_default(r->headers_out, "Expires", http_date(r->pool, r->request_time));
    }
    apr_table_unset(r->headers_out, "Transfer-Encoding");
    if (r->header_only) {
        drop_length_0(r);
    }
}

/* Is the text what ap_set_content_length() has made of r->clength? */
static int is_clength(const request_rec *r, const char *text)
{
    char digits[H2_TEXT_NUMBER_BYTES + 1];

    digits[H2_TEXT_NUMBER_BYTES] = '\0';
    return r->clength >= 0 && !strcmp(text, h2_text_number(digits + H2_TEXT_NUMBER_BYTES,
                                                           (apr_uint64_t)r->clength));
}

static void note_announced(h2_context *context, request_rec *r)
{
    const char *length = apr_table_get(r->headers_out, "Content-Length");

    if (!length || r->header_only || !ap_is_HTTP_SUCCESS(r->status)) {
        context->announced_bytes = -1;
    }
    else if (is_clength(r, length)) {
        context->announced_bytes = r->clength;
    }
    else if (!ap_parse_strict_length(&context->announced_bytes, length)) {
        context->announced_bytes = -1;
    }
}

/* A client that is gone has cut it short itself: nobody sees what is left of it. */
static void check_announced(h2_context *context, const request_rec *r)
{
    if (context->body_bytes != context->announced_bytes && !context->c->aborted) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      H2_ID_FMT "response of %" APR_OFF_T_FMT " bytes, but Content-Length "
                      "%" APR_OFF_T_FMT ": the stream is reset", context->session->c->id,
                      context->stream->id, context->body_bytes, context->announced_bytes);
        context->is_failed = 1;
    }
}

/* Passes what stands before b, which begins bb then. */
static apr_status_t pass_before(ap_filter_t *f, apr_bucket_brigade *bb, apr_bucket *b)
{
    h2_context *context = f->ctx;
    apr_status_t rv;

    if (!context->behind) {
        context->behind = apr_brigade_create(context->pool, context->bucket_alloc);
    }
    if (b == APR_BRIGADE_FIRST(bb)) {
        return APR_SUCCESS;
    }
    apr_brigade_split_ex(bb, b, context->behind);
    rv = ap_pass_brigade(f->next, bb);
    apr_brigade_cleanup(bb);
    APR_BRIGADE_CONCAT(bb, context->behind);
    return rv;
}

/* A bucket of unknown length, as a pipe: becomes one with bytes, which the rest
 * follows. What stands before it is passed, and flushed if this has to wait. */
static apr_status_t read_unknown(ap_filter_t *f, apr_bucket_brigade *bb, apr_bucket *b)
{
    const char *data;
    apr_size_t length;
    apr_status_t rv = apr_bucket_read(b, &data, &length, APR_NONBLOCK_READ);
    int has_to_wait = APR_STATUS_IS_EAGAIN(rv);

    if (rv != APR_SUCCESS && !has_to_wait) {
        return rv;
    }
    if (has_to_wait) {
        APR_BUCKET_INSERT_BEFORE(b, apr_bucket_flush_create(f->c->bucket_alloc));
    }
    rv = pass_before(f, bb, b);
    return (rv == APR_SUCCESS && has_to_wait)
               ? apr_bucket_read(b, &data, &length, APR_BLOCK_READ) : rv;
}

/* A response that is not as long as it said is broken, RFC 9113, 8.1.1. Later on
 * it could not be seen: httpd corrects the length of a short response. */
apr_status_t h2_filter_length(ap_filter_t *f, apr_bucket_brigade *bb)
{
    h2_context *context = f->ctx;
    apr_status_t rv = APR_SUCCESS;
    apr_bucket *b;

    if (context->announced_bytes == -2) {
        note_announced(context, f->r);
    }
    if (context->announced_bytes == -1) {
        ap_remove_output_filter(f);
        return ap_pass_brigade(f->next, bb);
    }
    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb) && rv == APR_SUCCESS;
         b = APR_BUCKET_NEXT(b)) {
        if (APR_BUCKET_IS_EOS(b)) {
            check_announced(context, f->r);
        }
        else if (!APR_BUCKET_IS_METADATA(b)) {
            rv = (b->length == (apr_size_t)-1) ? read_unknown(f, bb, b) : APR_SUCCESS;
            context->body_bytes += (rv == APR_SUCCESS) ? (apr_off_t)b->length : 0;
        }
    }
    return (rv == APR_SUCCESS) ? ap_pass_brigade(f->next, bb) : rv;
}

/* The status that a filter wants instead of what it has seen, 0: none. */
static int error_in(const apr_bucket_brigade *bb)
{
    const apr_bucket *b;

    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = APR_BUCKET_NEXT(b)) {
        if (AP_BUCKET_IS_ERROR(b)) {
            return ((const ap_bucket_error *)b->data)->status;
        }
    }
    return 0;
}

static void drop_data(apr_bucket_brigade *bb)
{
    apr_bucket *b, *next;

    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = next) {
        next = APR_BUCKET_NEXT(b);
        if (!APR_BUCKET_IS_METADATA(b)) {
            apr_bucket_delete(b);
        }
    }
}

/* What mod_ssl would have to change of what was negotiated for the connection, NULL:
 * nothing. In HTTP/2 that is forbidden, RFC 9113, 9.2.1 and 9.2.3. */
static const char *renegotiation_wanted(const request_rec *r)
{
    const char *what = NULL;

    for (; r && !what; r = r->prev) {
        what = apr_table_get(r->notes, "ssl-renegotiate-forbidden");
    }
    return what;
}

/* A status that HTTP/2 cannot end a request with: 1xx, RFC 9113, 8.1, or no status at all. httpd
 * takes any of a script for a final one. */
static int is_no_final(const h2_context *context, const request_rec *r)
{
    if (r->status >= HTTP_OK && r->status <= 999) {
        return 0;
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                  H2_ID_FMT "%d is not the status of a final response: an error page is sent",
                  context->session->c->id, context->stream->id, r->status);
    return 1;
}

/* The status of the error to answer instead, 0: none. */
static int error_instead(const h2_context *context, request_rec *r, const apr_bucket_brigade *bb)
{
    int error = error_in(bb);

    if (!error && is_no_final(context, r)) {
        r->status = HTTP_OK; /* else it would be an error before this one */
        r->status_line = NULL;
        r->bytes_sent = 0; /* of the body that is left out, by httpd's CONTENT_LENGTH */
        error = (r->proxyreq != PROXYREQ_NONE) ? HTTP_BAD_GATEWAY : HTTP_INTERNAL_SERVER_ERROR;
    }
    return error;
}

/* The final response names what is to be pushed with it; an error page's does not. */
static void push_links(h2_context *context, request_rec *r)
{
    if (context->may_push && r->status < HTTP_BAD_REQUEST) {
        h2_preload_set_policy(context, r);
        if (h2_preload_is_wanted(context, r)) {
            h2_preload_add_links(context, r, r->headers_out);
        }
    }
}

apr_status_t h2_filter_response(ap_filter_t *f, apr_bucket_brigade *bb)
{
    h2_context *context = f->ctx;
    request_rec *r = f->r;
    const char *what;
    int error;

    if (!context->response && !context->is_failed) {
        error = error_instead(context, r, bb);
        if (!error && context->tunnel && r->status < HTTP_MULTIPLE_CHOICES) {
            error = HTTP_NOT_IMPLEMENTED; /* its handler knows no WebSockets, but a 200 says so */
        }
        if (error) {
            apr_brigade_cleanup(bb);
            ap_die(error, r);
            return AP_FILTER_ERROR;
        }
        what = renegotiation_wanted(r);
        if (what) {
            ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                          H2_ID_FMT "TLS would have to be negotiated anew (%s), which needs "
                          "HTTP/1.1: the stream is reset", context->session->c->id,
                          context->stream->id, what);
            context->needs_http_1_1 = 1;
            context->is_failed = 1;
            apr_brigade_cleanup(bb);
            return AP_FILTER_ERROR;
        }
        complete_fields(r);
        push_links(context, r);
        if (h2_config_is_server_timing(r)) {
            h2_timing_add(context, r, bb);
        }
        if (h2_output_head(context, r, r->status) != APR_SUCCESS) {
            apr_brigade_cleanup(bb);
            return AP_FILTER_ERROR;
        }
    }
    if (r->header_only || AP_STATUS_IS_HEADER_ONLY(r->status)) {
        drop_data(bb);
    }
    else {
        r->sent_bodyct = 1; /* whatever follows is body */
    }
    return ap_pass_brigade(f->next, bb);
}

/* A response without a body, of which the client has nothing yet: if its head waits for the end
 * that stands behind this FLUSH, the end is a flag of the head's frame. gRPC knows by that flag
 * that the head's fields are those of the end. */
static int is_before_empty_end(const h2_context *context, const apr_bucket_brigade *bb,
                               const apr_bucket *flush)
{
    const apr_bucket *next = APR_BUCKET_NEXT(flush);

    return !context->is_published && APR_BRIGADE_EMPTY(&context->staged)
           && next != APR_BRIGADE_SENTINEL(bb) && APR_BUCKET_IS_EOS(next);
}

/* The end of the response. Without a head, as of an nph script that has written none, it is one of
 * nothing, and the client would wait for ever, if it is still there. */
static void note_end(h2_context *context)
{
    context->is_ended = 1;
    if (!context->response && !context->is_failed && !context->c->aborted) {
        ap_log_cerror(APLOG_MARK, APLOG_ERR, 0, context->c,
                      H2_ID_FMT "the response ends before its head: the stream is reset",
                      context->session->c->id, context->stream->id);
        context->is_failed = 1;
    }
}

/* One bucket of bb that is no data. Sets *pflush if it asks for what came before. */
static void work_on_meta(h2_context *context, const apr_bucket_brigade *bb, apr_bucket *b,
                         int *pflush)
{
    if (AP_BUCKET_IS_EOR(b)) {
        APR_BUCKET_REMOVE(b);
        context->end_of_request = b; /* destroyed when the stream has ended */
        return;
    }
    if (APR_BUCKET_IS_EOS(b)) {
        note_end(context);
    }
    else if (APR_BUCKET_IS_FLUSH(b)) {
        *pflush = !is_before_empty_end(context, bb, b);
    }
    else if (AP_BUCKET_IS_ERROR(b) || AP_BUCKET_IS_EOC(b)) {
        context->is_failed = 1;
    }
    apr_bucket_delete(b);
}

static apr_status_t work_on_data(h2_context *context, apr_bucket *b)
{
    apr_status_t rv = APR_SUCCESS;

    if (context->response && !context->is_ended && !context->is_failed && b->length
        && !context->has_no_response_body) {
        return h2_output_stage(context, b); /* takes b */
    }
    if (!context->response && !context->is_failed) {
        rv = h2_head_text_read(context, b);
        if (context->tunnel && context->response) {
            h2_tunnel_note_answer(context);
        }
    }
    apr_bucket_delete(b);
    return rv;
}

apr_status_t h2_filter_out(ap_filter_t *f, apr_bucket_brigade *bb)
{
    h2_context *context = f->ctx;
    apr_status_t rv = f->c->aborted ? APR_ECONNABORTED : APR_SUCCESS;
    int wants_flush = 0;

    if (!bb) { /* mod_proxy's way to ask for what is pending */
        return context->tunnel ? h2_tunnel_flush(context) : rv;
    }
    while (!APR_BRIGADE_EMPTY(bb)) {
        apr_bucket *b = APR_BRIGADE_FIRST(bb);

        if (APR_BUCKET_IS_METADATA(b)) {
            work_on_meta(context, bb, b, &wants_flush);
            if (wants_flush && rv == APR_SUCCESS && context->response) {
                rv = h2_output_publish(context);
            }
            wants_flush = 0;
        }
        else if (rv == APR_SUCCESS) {
            rv = work_on_data(context, b);
        }
        else {
            apr_bucket_delete(b);
        }
    }
    if (rv == APR_SUCCESS && !context->is_buffering && context->response
        && !context->end_of_request) {
        rv = h2_output_publish(context);
    }
    if (rv != APR_SUCCESS) {
        context->is_failed = 1;
        f->c->aborted = 1;
    }
    return rv;
}

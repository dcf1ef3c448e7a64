#include "request/h2_hint_filter.h"

#include <string.h>

#include <apr_strings.h>

#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <util_filter.h>
#include <util_script.h>

#include "base/h2_base.h"
#include "config/h2_config.h"
#include "request/h2_context.h"
#include "request/h2_interim.h"

/* Of httpd 2.4.66 and later: a script's Content-Length is to be trusted. */
#define TRUSTED_LENGTH "ap_trust_cgilike_cl"

#define HEAD_BYTES_FIRST 1024

typedef enum {
    IS_CGI,
    IS_SCGI,
    IS_FASTCGI,
    IS_UWSGI,  /* or a balancer's, of any kind */
    IS_NO_SCRIPT
} script_kind;

/* What the request was before its script's head was read into it. */
typedef struct request_state {
    int status;
    const char *content_type;
    apr_time_t mtime;
    apr_table_t *fields;
    apr_table_t *err_fields;
} request_state;

typedef struct hint_filter {
    script_kind kind;
    request_state before;
    int count;             /* of interim responses so far */
    char *head;            /* the next one, as far as it is read */
    apr_size_t head_bytes;
    apr_size_t head_room;
    apr_size_t line_bytes; /* of its last line, without CR and LF */
    apr_size_t empty_bytes; /* of empty lines before heads */
    unsigned is_reading : 1; /* that head; else httpd has read the first one */
    unsigned is_over : 1;  /* the response was another: what still comes is dropped */
} hint_filter;

static ap_filter_rec_t *filter_rec;

static const struct {
    const char *scheme;
    script_kind kind;
} schemes[] = {
    {"fcgi:", IS_FASTCGI}, {"scgi:", IS_SCGI}, {"uwsgi:", IS_UWSGI}, {"balancer:", IS_UWSGI},
};

/* What mod_proxy is to ask; NULL: it is not. */
static const char *proxied_url(const request_rec *r)
{
    const char *url = NULL, *bar;

    if (!strncmp(r->handler, "proxy:", 6)) {
        url = r->handler + 6;
    }
    else if (!strcmp(r->handler, "proxy-server") && r->filename
             && !strncmp(r->filename, "proxy:", 6)) {
        url = r->filename + 6;
    }
    bar = (url && !ap_cstr_casecmpn(url, "unix:", 5)) ? strchr(url, '|') : NULL;
    return bar ? bar + 1 : url;
}

static script_kind kind_of(const request_rec *r)
{
    const char *url = proxied_url(r);
    apr_size_t i;

    if (!strcmp(r->handler, "cgi-script")) {
        return IS_CGI;
    }
    for (i = 0; url && i < sizeof(schemes) / sizeof(schemes[0]); ++i) {
        if (!ap_cstr_casecmpn(url, schemes[i].scheme, strlen(schemes[i].scheme))) {
            return schemes[i].kind;
        }
    }
    return IS_NO_SCRIPT;
}

void h2_hint_filter_add(request_rec *r)
{
    hint_filter *filter;
    script_kind kind;

    if (!h2_config_is_early_hints(r) || r->main) {
        return;
    }
    kind = kind_of(r);
    if (kind == IS_NO_SCRIPT) {
        return;
    }
    filter = apr_pcalloc(r->pool, sizeof(*filter));
    filter->kind = kind;
    filter->before.status = r->status;
    filter->before.content_type = r->content_type;
    filter->before.mtime = r->mtime;
    filter->before.fields = apr_table_copy(r->pool, r->headers_out);
    filter->before.err_fields = apr_table_copy(r->pool, r->err_headers_out);
    if (r->proto_num >= HTTP_VERSION(1, 1)) {
        apr_table_setn(r->subprocess_env, "H2_EARLY_HINTS", "on");
    }
    ap_add_output_filter_handle(filter_rec, filter, r, r->connection);
}

static int is_interim(int status)
{
    return status == HTTP_CONTINUE || status == HTTP_PROCESSING || status == HTTP_EARLY_HINTS;
}

typedef struct field_reader {
    request_rec *r;
    const apr_table_t *before;
    apr_table_t *fields;
} field_reader;

static int is_same(void *value, const char *name, const char *other)
{
    (void)name;
    return strcmp(value, other) != 0;
}

/* What begins a line in the log: over HTTP/1.1 there is no stream. */
static const char *tag_of(const request_rec *r)
{
    const h2_context *context = h2_context_of(r->connection);

    return context ? apr_psprintf(r->pool, H2_ID_FMT, context->session->c->id, context->stream->id)
                   : "";
}

/* Takes what the head has set, and not what was there before. */
static int add_field(void *data, const char *name, const char *value)
{
    field_reader *reader = data;
    const char *old = apr_table_get(reader->before, name);
    apr_size_t old_length = old ? strlen(old) : 0;

    if (old && !apr_table_do(is_same, (void *)value, reader->before, name, NULL)) {
        return 1;
    }
    if (old && !strncmp(value, old, old_length) && !strncmp(value + old_length, ", ", 2)) {
        value += old_length + 2; /* httpd has merged them */
    }
    if (h2_interim_is_good_field(name, value)) {
        apr_table_addn(reader->fields, name, value);
    }
    else {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, reader->r,
                      "%sfield '%s' of an interim response cannot be sent and is left out",
                      tag_of(reader->r), name);
    }
    return 1;
}

static int copy_field(void *table, const char *name, const char *value)
{
    apr_table_addn(table, name, value);
    return 1;
}

static void put_back(apr_table_t *table, const apr_table_t *before)
{
    apr_table_clear(table);
    apr_table_do(copy_field, table, before, NULL);
}

/* As it was before a head was read into it. */
static void restore(const request_state *before, request_rec *r)
{
    r->status = before->status;
    r->status_line = NULL;
    r->content_type = before->content_type;
    r->mtime = before->mtime;
    put_back(r->headers_out, before->fields);
    put_back(r->err_headers_out, before->err_fields);
}

/* Sends r's head, and restores r for the next. */
static void send_interim(hint_filter *filter, request_rec *r)
{
    apr_table_t *fields = apr_table_make(r->pool, 4), *kept;
    field_reader reader = {r, filter->before.err_fields, fields};
    int status = r->status;

    apr_table_do(add_field, &reader, r->err_headers_out, NULL);
    reader.before = filter->before.fields;
    apr_table_do(add_field, &reader, r->headers_out, NULL);
    restore(&filter->before, r);
    kept = r->headers_out;
    r->headers_out = fields;
    r->status = status;
    r->status_line = (status == HTTP_EARLY_HINTS) ? "103 Early Hints" : NULL;
    ap_send_interim_response(r, 1); /* not to clients of HTTP/1.0 */
    r->status = filter->before.status;
    r->status_line = NULL;
    r->headers_out = kept;
    filter->is_reading = 1;
    filter->head_bytes = 0;
    filter->line_bytes = 0;
    ++filter->count;
}

/* Appends up to the end of the head; *pused: so many bytes. Gives whether it is complete.
 * APR_ENOSPC: it is too long. */
static apr_status_t append(hint_filter *filter, apr_pool_t *pool, const char *data,
                           apr_size_t length, apr_size_t *pused, int *pis_complete)
{
    const char *lf = memchr(data, '\n', length);
    apr_size_t bytes = lf ? (apr_size_t)(lf - data) + 1 : length;

    *pused = bytes;
    *pis_complete = 0;
    if (filter->empty_bytes + filter->head_bytes + bytes > H2_INTERIM_HEAD_BYTES_MAX) {
        return APR_ENOSPC;
    }
    if (filter->head_bytes + bytes > filter->head_room) {
        apr_size_t room = (filter->head_bytes + bytes) * 2 + HEAD_BYTES_FIRST;
        char *head = apr_palloc(pool, room);

        if (filter->head_bytes) {
            memcpy(head, filter->head, filter->head_bytes);
        }
        filter->head = head;
        filter->head_room = room;
    }
    memcpy(filter->head + filter->head_bytes, data, bytes);
    filter->head_bytes += bytes;
    filter->line_bytes += bytes;
    if (lf) {
        const char *end = filter->head + filter->head_bytes;
        int is_empty = filter->line_bytes == 1 || (filter->line_bytes == 2 && end[-2] == '\r');

        /* An empty line before the head is allowed, RFC 9112, 2.2. */
        *pis_complete = is_empty && filter->head_bytes > filter->line_bytes;
        if (is_empty && !*pis_complete) {
            filter->empty_bytes += filter->head_bytes;
            filter->head_bytes = 0;
        }
        filter->line_bytes = 0;
    }
    return APR_SUCCESS;
}

/* The response is an error page, or a redirect. */
static apr_status_t answer(ap_filter_t *f, apr_bucket_brigade *bb, int status)
{
    hint_filter *filter = f->ctx;
    apr_bucket_alloc_t *list = f->c->bucket_alloc;

    filter->is_over = 1;
    f->r->status = filter->before.status; /* as this error is the first */
    f->r->status_line = NULL;
    apr_brigade_cleanup(bb);
    APR_BRIGADE_INSERT_TAIL(bb, ap_bucket_error_create(status, NULL, f->r->pool, list));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(list));
    return ap_pass_brigade(f->next, bb);
}

/* The next head is none. */
static int status_of_failure(const request_rec *r, apr_status_t rv)
{
    if (APR_STATUS_IS_TIMEUP(rv)) {
        return HTTP_GATEWAY_TIME_OUT;
    }
    return (r->proxyreq != PROXYREQ_NONE) ? HTTP_BAD_GATEWAY : HTTP_INTERNAL_SERVER_ERROR;
}

/* Reads the head from the brigade, as far as it is there. *pstatus: 0, or the error to answer. */
static int read_head(ap_filter_t *f, apr_bucket_brigade *bb, int *pstatus)
{
    hint_filter *filter = f->ctx;
    int is_complete = 0;

    *pstatus = 0;
    while (!is_complete && !*pstatus && !APR_BRIGADE_EMPTY(bb)) {
        apr_bucket *b = APR_BRIGADE_FIRST(bb);
        apr_status_t rv = APR_SUCCESS;
        const char *data;
        apr_size_t length, used = 0;

        if (AP_BUCKET_IS_ERROR(b)) {
            *pstatus = ((ap_bucket_error *)b->data)->status;
            break;
        }
        if (APR_BUCKET_IS_EOS(b)) {
            rv = APR_EOF;
        }
        else if (!APR_BUCKET_IS_METADATA(b)) {
            rv = apr_bucket_read(b, &data, &length, APR_BLOCK_READ);
            if (rv == APR_SUCCESS && length) {
                rv = append(filter, f->r->pool, data, length, &used, &is_complete);
            }
            if (rv == APR_SUCCESS && used < length) {
                rv = apr_bucket_split(b, used);
            }
        }
        if (rv != APR_SUCCESS) {
            ap_log_rerror(APLOG_MARK, APLOG_ERR, rv, f->r,
                          "%sthe script or back end has ended without a final response, after %d "
                          "interim ones", tag_of(f->r), filter->count);
            *pstatus = status_of_failure(f->r, rv);
        }
        apr_bucket_delete(b);
    }
    return is_complete;
}

/* The head's text for httpd, which knows "Status: 200 OK" and no "HTTP/1.1 200 OK". */
static apr_bucket_brigade *text_of(hint_filter *filter, ap_filter_t *f)
{
    apr_bucket_brigade *text = apr_brigade_create(f->r->pool, f->c->bucket_alloc);
    const char *head = filter->head;
    apr_size_t length = filter->head_bytes;
    const char *blank = (length > 5 && !memcmp(head, "HTTP/", 5)) ? memchr(head, ' ', length)
                                                                 : NULL;

    if (blank) {
        APR_BRIGADE_INSERT_TAIL(text, apr_bucket_immortal_create("Status:", 7,
                                                                 f->c->bucket_alloc));
        length -= (apr_size_t)(blank - head);
        head = blank;
    }
    APR_BRIGADE_INSERT_TAIL(text, apr_bucket_transient_create(head, length, f->c->bucket_alloc));
    return text;
}

/* Reads the head into r. 0, or the status to answer instead. */
static int parse_head(hint_filter *filter, ap_filter_t *f)
{
    request_rec *r = f->r;
    apr_bucket_brigade *text = text_of(filter, f);
    int status = ap_scan_script_header_err_brigade_ex(r, text, NULL, APLOG_MODULE_INDEX);

    apr_brigade_destroy(text);
    filter->is_reading = 0;
    if (filter->kind != IS_UWSGI && !apr_table_get(r->subprocess_env, TRUSTED_LENGTH)) {
        apr_table_unset(r->headers_out, "Content-Length");
    }
    apr_table_unset(r->headers_out, "Transfer-Encoding");
    if (status == HTTP_NOT_MODIFIED) {
        r->status = status;
        return 0;
    }
    return status;
}

/* Where a script's Location leads when it gives no status, RFC 3875, 6.2; NULL: it has none. */
static const char *redirection_of(const hint_filter *filter, const request_rec *r)
{
    const char *location = apr_table_get(r->headers_out, "Location");

    if (!location || r->status != HTTP_OK) {
        return NULL;
    }
    return filter->kind == IS_CGI || (filter->kind == IS_SCGI && location[0] == '/') ? location
                                                                                   : NULL;
}

/* The answer of another resource of ours, as mod_cgid has it. */
static apr_status_t redirect_here(ap_filter_t *f, apr_bucket_brigade *bb, const char *location)
{
    hint_filter *filter = f->ctx;

    filter->is_over = 1;
    apr_brigade_cleanup(bb);
    f->r->method = "GET";
    f->r->method_number = M_GET;
    apr_table_unset(f->r->headers_in, "Content-Length");
    ap_internal_redirect_handler(location, f->r);
    return APR_SUCCESS;
}

/* r has the final head. */
static apr_status_t go_on(ap_filter_t *f, apr_bucket_brigade *bb)
{
    const hint_filter *filter = f->ctx;
    const char *location = filter->count ? redirection_of(filter, f->r) : NULL;

    if (location) {
        return location[0] == '/' ? redirect_here(f, bb, location)
                                  : answer(f, bb, HTTP_MOVED_TEMPORARILY);
    }
    ap_remove_output_filter(f);
    return ap_pass_brigade(f->next, bb);
}

static apr_status_t filter_hints(ap_filter_t *f, apr_bucket_brigade *bb)
{
    hint_filter *filter = f->ctx;
    int status = 0;

    if (filter->is_over) {
        apr_brigade_cleanup(bb);
        return APR_SUCCESS;
    }
    while (filter->is_reading || is_interim(f->r->status)) {
        if (!filter->is_reading) {
            send_interim(filter, f->r);
        }
        if (f->c->aborted) {
            apr_brigade_cleanup(bb);
            return APR_ECONNABORTED;
        }
        if (!read_head(f, bb, &status) && !status) {
            return APR_SUCCESS; /* the rest of it comes later */
        }
        if (!status) {
            status = parse_head(filter, f);
        }
        if (!status && is_interim(f->r->status) && filter->count == H2_INTERIM_HEADS_MAX) {
            ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, f->r,
                          "%smore than %d interim responses before a final one", tag_of(f->r),
                          H2_INTERIM_HEADS_MAX);
            status = status_of_failure(f->r, APR_ENOSPC);
        }
        if (status) {
            return answer(f, bb, status);
        }
    }
    return go_on(f, bb);
}

void h2_hint_filter_register(void)
{
    filter_rec = ap_register_output_filter("H2_HINTS", filter_hints, NULL, AP_FTYPE_RESOURCE - 1);
}

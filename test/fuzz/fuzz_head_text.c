/*
 * Heads of responses that come as text: from ap_send_interim_response(), and from nph scripts.
 * request/h2_interim reads them; request/h2_head_text decides what becomes of them. What it calls
 * is played here.
 *
 * Input: flags, how the text is cut, the text.
 */
#include <stdlib.h>
#include <string.h>

#include <http_protocol.h>
#include <util_filter.h>

#include "fuzz.h"
#include "config/h2_draft.h"
#include "request/h2_head_text.h"
#include "request/h2_output.h"
#include "request/h2_preload.h"
#include "request/h2_tunnel.h"
#include "standins.h"

#define FLAG_ANY    1 /* of an nph script */
#define FLAG_TUNNEL 2
#define FLAG_HINTS  4
#define FLAG_HEAD   8

static int heads, finals;

/* ---- what the rest of request/ would do ------------------------------------------------------ */

static int check_field(void *baton, const char *name, const char *value)
{
    const int *pstatus = baton;
    size_t length = strlen(value);

    FUZZ_CHECK(*name && !strpbrk(name, " \t\r\n:"));
    FUZZ_CHECK(!strpbrk(value, "\r\n"));
    FUZZ_CHECK(!length || (!strchr(" \t", *value) && !strchr(" \t", value[length - 1])));
    FUZZ_CHECK(*pstatus >= 200 || *pstatus == 101 || h2_interim_is_good_field(name, value));
    return 1;
}

static void check_fields(int status, const apr_table_t *fields)
{
    FUZZ_CHECK(apr_table_elts(fields)->nelts <= H2_INTERIM_FIELDS_MAX);
    apr_table_do(check_field, &status, fields, NULL);
}

apr_status_t h2_output_interim(h2_context *context, int status, const apr_table_t *fields)
{
    (void)context;
    FUZZ_CHECK(status >= 100 && status < 200);
    check_fields(status, fields);
    ++heads;
    return APR_SUCCESS;
}

apr_status_t h2_output_head(h2_context *context, request_rec *r, int status)
{
    static h2_response response;

    FUZZ_CHECK(status >= 200 && status < 600 && r->status == status);
    FUZZ_CHECK(!finals++);
    FUZZ_CHECK(context->announced_bytes >= -1);
    check_fields(status, r->headers_out);
    context->response = &response;
    return APR_SUCCESS;
}

void h2_output_promises(h2_context *context)
{
    (void)context;
}

void h2_preload_add_links(h2_context *context, const request_rec *r, const apr_table_t *fields)
{
    (void)context;
    (void)r;
    (void)fields;
}

int h2_preload_is_wanted(const h2_context *context, const request_rec *r)
{
    (void)context;
    return r->server != NULL;
}

apr_status_t h2_tunnel_open(h2_context *context, const apr_table_t *fields)
{
    check_fields(101, fields);
    context->response = (h2_response *)context; /* it is there */
    return APR_SUCCESS;
}

apr_status_t h2_tunnel_refuse(h2_context *context, const char *why)
{
    (void)context;
    (void)why;
    return APR_EINVAL;
}

/* ---- the reader alone ------------------------------------------------------------------------ */

/* What a head came to. */
typedef struct outcome {
    int status, fields, dropped;
    size_t used;
    apr_status_t rv;
} outcome;

static outcome read_one(apr_pool_t *pool, const uint8_t *data, size_t size, size_t piece, int any)
{
    h2_interim *interim = h2_interim_create(pool);
    outcome result = {.rv = APR_SUCCESS};
    const char *name = NULL;

    if (any) {
        h2_interim_take_any(interim);
    }
    while (result.used < size && result.rv == APR_SUCCESS && !h2_interim_is_complete(interim)) {
        size_t left = size - result.used, length = (piece && piece < left) ? piece : left;
        char *copy = fuzz_copy(data + result.used, length);
        apr_size_t used = 0;

        result.rv = h2_interim_feed(interim, copy, length, &used);
        free(copy);
        FUZZ_CHECK(used <= length && (result.rv == APR_SUCCESS || !used));
        FUZZ_CHECK(used == length || result.rv != APR_SUCCESS || h2_interim_is_complete(interim));
        result.used += used;
    }
    result.status = h2_interim_status(interim);
    result.dropped = h2_interim_dropped(interim, &name);
    FUZZ_CHECK((result.dropped > 0) == (name != NULL));
    if (h2_interim_is_complete(interim)) {
        result.fields = apr_table_elts(h2_interim_fields(interim))->nelts;
        check_fields(result.status, h2_interim_fields(interim));
        FUZZ_CHECK(result.status >= 100 && result.status < (any ? 600 : 200));
    }
    return result;
}

static void check_reader(apr_pool_t *pool, const uint8_t *data, size_t size, size_t piece, int any)
{
    outcome whole = read_one(pool, data, size, 0, any),
            cut = read_one(pool, data, size, piece, any);

    FUZZ_CHECK(whole.rv == cut.rv && whole.status == cut.status && whole.fields == cut.fields
               && whole.dropped == cut.dropped);
    FUZZ_CHECK(whole.rv != APR_SUCCESS || whole.used == cut.used);
}

/* ---- with what is made of it ----------------------------------------------------------------- */

static request_rec *make_request(apr_pool_t *pool, conn_rec *c, server_rec *server, unsigned flags)
{
    static ap_filter_rec_t rec = {.name = "some"};
    ap_filter_t *filter = apr_pcalloc(pool, sizeof(*filter));
    request_rec *r = apr_pcalloc(pool, sizeof(*r));
    h2_dir_conf *dir = ap_get_module_config(server->lookup_defaults, &http2_module);

    dir->early_hints = (flags & FLAG_HINTS) != 0;
    rec.ftype = (flags & FLAG_ANY) ? AP_FTYPE_NETWORK : AP_FTYPE_RESOURCE;
    filter->frec = &rec;
    r->pool = pool;
    r->connection = c;
    r->server = server;
    r->per_dir_config = server->lookup_defaults;
    r->headers_out = apr_table_make(pool, 2);
    r->header_only = (flags & FLAG_HEAD) != 0;
    r->output_filters = filter;
    return r;
}

static void run_text(apr_pool_t *pool, unsigned flags, const uint8_t *data, size_t size,
                     size_t piece)
{
    h2_server_conf *conf = h2_config_create_server(pool, NULL);
    server_rec *server = standins_server(pool, conf);
    conn_rec *c = standins_connection(pool, server, 0);
    h2_session session = {.c = c, .conf = conf};
    h2_stream stream = {.id = 1, .session = &session};
    h2_context context = {.pool = pool, .c = c, .session = &session, .stream = &stream};
    apr_bucket_brigade *bb = apr_brigade_create(pool, c->bucket_alloc);
    apr_status_t rv = APR_SUCCESS;
    size_t length;

    context.announced_bytes = -2;
    context.exchange = &stream.exchange;
    context.r = make_request(pool, c, server, flags);
    if (flags & FLAG_TUNNEL) {
        context.tunnel = apr_pcalloc(pool, sizeof(*context.tunnel));
    }
    for (; size && rv == APR_SUCCESS && !context.response; data += length, size -= length) {
        apr_bucket *b;

        length = (piece && piece < size) ? piece : size;
        b = apr_bucket_heap_create(fuzz_copy(data, length), length, free, c->bucket_alloc);
        APR_BRIGADE_INSERT_TAIL(bb, b);
        rv = h2_head_text_read(&context, b);
        apr_brigade_cleanup(bb);
    }
    FUZZ_CHECK(!(flags & FLAG_ANY) || context.interim_count <= H2_INTERIM_HEADS_MAX + 1);
}

void fuzz_run(apr_pool_t *pool, const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    unsigned flags = fuzz_byte(&input);
    size_t piece = fuzz_byte(&input);

    heads = finals = 0;
    standins_init();
    check_reader(pool, input.at, input.left, piece, flags & FLAG_ANY);
    run_text(pool, flags, input.at, input.left, piece);
}

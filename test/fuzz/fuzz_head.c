/*
 * From the fields of a request, as nghttp2 lets them pass, to what httpd reads: message/h2_head,
 * and request/h2_request with h2_serial up to where httpd itself would go on. That is played here.
 *
 * Input: flags, limits, and fields: the number of a name or 0, the name then, and the value, each
 * with its length before it.
 */
#include <stdlib.h>
#include <string.h>

#include <http_protocol.h>
#include <http_request.h>
#include <nghttp2/nghttp2.h>

#include "fuzz.h"
#include "config/h2_draft.h"
#include "message/h2_websocket.h"
#include "request/h2_backend.h"
#include "request/h2_filters.h"
#include "request/h2_hint_filter.h"
#include "request/h2_output.h"
#include "request/h2_preload.h"
#include "request/h2_request.h"
#include "request/h2_tunnel.h"
#include "session/h2_streams.h"
#include "session/h2_tunnels.h"
#include "standins.h"

#define FLAG_SERIALIZE 1
#define FLAG_TUNNEL    2
#define FLAG_PROXY     4
#define FLAG_BODY      8
#define FLAG_CONNECT   16

static const char *const names[] = {
    "", ":authority", ":scheme", ":path", "cookie", "host", "content-length", "expect", "priority",
    "x", "accept", "user-agent", ":method", ":protocol", "te", "connection",
};

/* What is at work. */
static struct {
    apr_pool_t *pool;
    h2_head *head;
    h2_context *context;
    server_rec *server;
    request_rec *r;
    int is_processed;
    int (*take_request)(request_rec *r, conn_rec *c);
} at;

/* ---- what httpd and the rest of request/ would do -------------------------------------------- */

h2_context *h2_context_of(const conn_rec *c)
{
    return c->master ? at.context : NULL;
}

void ap_hook_pre_read_request(ap_HOOK_pre_read_request_t *hook, const char *const *before,
                              const char *const *after, int order)
{
    (void)before;
    (void)after;
    (void)order;
    at.take_request = (int (*)(request_rec *, conn_rec *))hook;
}

#define NO_HOOK(name)                                                                              \
    void ap_hook_##name(ap_HOOK_##name##_t *hook, const char *const *before,                       \
                        const char *const *after, int order)                                       \
    {                                                                                              \
        (void)hook;                                                                                \
        (void)before;                                                                              \
        (void)after;                                                                               \
        (void)order;                                                                               \
    }
NO_HOOK(post_read_request)
NO_HOOK(handler)
NO_HOOK(fixups)
NO_HOOK(insert_filter)
NO_HOOK(insert_error_filter)

void ap_hook_optional_fn_retrieve(void (*hook)(void), const char *const *before,
                                  const char *const *after, int order)
{
    (void)hook;
    (void)before;
    (void)after;
    (void)order;
}

request_rec *ap_create_request(conn_rec *c)
{
    request_rec *r = apr_pcalloc(c->pool, sizeof(*r));

    r->pool = c->pool;
    r->connection = c;
    r->server = at.server;
    r->status = HTTP_OK;
    r->headers_in = apr_table_make(r->pool, 25);
    r->headers_out = apr_table_make(r->pool, 12);
    r->per_dir_config = at.server->lookup_defaults;
    at.r = r;
    return r;
}

void ap_run_pre_read_request(request_rec *r, conn_rec *c)
{
    at.take_request(r, c);
    FUZZ_CHECK(at.context->r == r);
}

static const char *method_of(void)
{
    return at.context->tunnel ? "GET" : h2_head_method(at.head);
}

/* "METHOD TARGET HTTP/2.0", and none of the three can be taken for two. */
static void check_request_line(const char *line)
{
    size_t method = strcspn(line, " ");
    const char *target = line + method + 1;
    size_t length = strcspn(target, " ");

    FUZZ_CHECK(line[method] == ' ' && method == strlen(method_of()));
    FUZZ_CHECK(!strncmp(line, method_of(), method));
    FUZZ_CHECK(!strcmp(target + length, " HTTP/2.0"));
    FUZZ_CHECK(length || !at.head || !h2_head_path(at.head) || !*h2_head_path(at.head));
    FUZZ_CHECK(!strpbrk(line, "\r\n\t"));
}

/* No limit is passed, and no field can be taken for two. */
static int check_field(void *baton, const char *name, const char *value)
{
    (void)baton;
    FUZZ_CHECK(strlen(value) <= (size_t)at.server->limit_req_fieldsize);
    FUZZ_CHECK(*name && *name != ':' && !strpbrk(name, ": \t\r\n"));
    FUZZ_CHECK(!strpbrk(value, "\r\n"));
    return 1;
}

static void check_host(const apr_table_t *fields)
{
    const char *authority = h2_head_authority(at.head);

    if (authority && *authority) {
        const char *host = apr_table_get(fields, "Host");

        FUZZ_CHECK(host && !strcmp(host, authority));
    }
}

int ap_parse_request_line(request_rec *r)
{
    check_request_line(r->the_request);
    check_host(r->headers_in);
    return 1;
}

int ap_check_request_header(request_rec *r)
{
    (void)r;
    return 1;
}

int ap_post_read_request(request_rec *r)
{
    FUZZ_CHECK(strlen(r->the_request) <= (size_t)at.server->limit_req_line);
    FUZZ_CHECK(!at.server->limit_req_fields
               || h2_head_count(at.head) <= at.server->limit_req_fields);
    apr_table_do(check_field, NULL, r->headers_in, NULL);
    return OK;
}

void ap_process_async_request(request_rec *r)
{
    FUZZ_CHECK(r == at.r && !at.is_processed);
    at.is_processed = 1;
}

void ap_die(int type, request_rec *r)
{
    FUZZ_CHECK(ap_is_HTTP_VALID_RESPONSE(type) && ap_is_HTTP_ERROR(type) && r->status == HTTP_OK);
}

AP_DECLARE(apr_bucket *) ap_bucket_eor_create(apr_bucket_alloc_t *list, request_rec *r)
{
    (void)r;
    return apr_bucket_eos_create(list);
}

/* The text that HTTP/1.1 would have: as many lines as there are fields, and none of two. */
request_rec *ap_read_request(conn_rec *c)
{
    char *text, *line, *end;
    apr_size_t length;
    int lines = 0, crumbs = 0, i, dropped = 0, is_head = 1;
    const char *authority = h2_head_authority(at.head);
    int has_host = authority && *authority;

    FUZZ_CHECK(apr_brigade_pflatten(at.context->body, &text, &length, c->pool) == APR_SUCCESS);
    apr_brigade_cleanup(at.context->body);
    FUZZ_CHECK(length >= 4 && !memchr(text, '\0', length));
    text = apr_pstrmemdup(c->pool, text, length);
    FUZZ_CHECK(!strcmp(text + length - 4, "\r\n\r\n"));
    for (line = text; *line; line = end + 2) {
        end = strstr(line, "\r\n");
        FUZZ_CHECK(end);
        *end = '\0';
        FUZZ_CHECK(!strpbrk(line, "\r\n"));
        if (is_head) {
            check_request_line(line);
            is_head = 0;
        }
        else if (*line) {
            FUZZ_CHECK(*line != ' ' && *line != '\t' && *line != ':' && strstr(line, ": "));
            ++lines;
        }
        else {
            FUZZ_CHECK(end + 2 == text + length);
        }
    }
    for (i = 0; i < h2_head_count(at.head); ++i) {
        h2_field field = h2_head_field(at.head, i);

        crumbs += !strcmp(field.name, "cookie");
        dropped += (has_host && !strcmp(field.name, "host"))
                   || (at.context->tunnel && h2_websocket_drops(field.name));
    }
    FUZZ_CHECK(lines == h2_head_count(at.head) - crumbs - dropped + (crumbs > 0) + has_host);
    return NULL;
}

int ap_run_pre_connection(conn_rec *c, void *socket)
{
    (void)c;
    (void)socket;
    return OK;
}

void h2_backend_enter(h2_context *context)
{
    (void)context;
}

void h2_backend_leave(void)
{
}

void h2_filters_add_body(request_rec *r)
{
    (void)r;
}

void h2_filters_add_connection(conn_rec *c)
{
    (void)c;
}

void h2_filters_add_length(request_rec *r)
{
    (void)r;
}

void h2_filters_add_response(request_rec *r)
{
    (void)r;
}

void h2_filters_find(void)
{
}

void h2_hint_filter_add(request_rec *r)
{
    (void)r;
}

void h2_habits_end(int loop_index, apr_uint32_t place, int was_quick);
void h2_habits_end(int loop_index, apr_uint32_t place, int was_quick)
{
    (void)loop_index;
    (void)place;
    (void)was_quick;
}

int h2_leader_detach(h2_worker *worker)
{
    (void)worker;
    return 0;
}

void h2_output_finish(h2_context *context, h2_chunks *chunks)
{
    (void)context;
    (void)chunks;
}

apr_status_t h2_output_interim(h2_context *context, int status, const apr_table_t *fields)
{
    (void)context;
    (void)status;
    (void)fields;
    return APR_SUCCESS;
}

void h2_output_prepare_finish(h2_context *context, h2_chunks *chunks)
{
    (void)context;
    h2_chunks_init(chunks);
}

void h2_output_promises(h2_context *context)
{
    (void)context;
}

void h2_preload_add(h2_context *context, const request_rec *r, const char *target, const char *as,
                    int is_critical)
{
    (void)context;
    (void)r;
    (void)target;
    (void)as;
    (void)is_critical;
}

int h2_preload_is_wanted(const h2_context *context, const request_rec *r)
{
    (void)context;
    (void)r;
    return 0;
}

void h2_session_finished(h2_session *session, h2_stream *stream)
{
    (void)session;
    (void)stream;
}

void h2_session_leave_tunnel(h2_session *session)
{
    (void)session;
}

int h2_tunnel_check(h2_context *context, request_rec *r)
{
    (void)context;
    (void)r;
    return 0;
}

void h2_tunnel_create(h2_context *context)
{
    context->tunnel = apr_pcalloc(context->pool, sizeof(*context->tunnel));
}

void h2_tunnel_drop_fields(apr_table_t *fields)
{
    (void)fields;
}

/* ---- the head -------------------------------------------------------------------------------- */

/* Does nghttp2 let it pass? */
static int is_valid(const char *name, size_t name_length, const char *value, size_t length)
{
    const uint8_t *octets = (const uint8_t *)value;

    if (!strncmp(name, ":path", name_length) && name_length == 5) {
        return length && nghttp2_check_path(octets, length)
               && (*value == '/' || (length == 1 && *value == '*'));
    }
    if ((!strncmp(name, ":authority", name_length) && name_length == 10)
        || (!strncmp(name, "host", name_length) && name_length == 4)) {
        return nghttp2_check_authority(octets, length);
    }
    if (!strncmp(name, ":method", name_length) && name_length == 7) {
        return nghttp2_check_method(octets, length);
    }
    if (!strncmp(name, ":scheme", name_length) && name_length == 7) {
        size_t i;

        for (i = 0; i < length; ++i) {
            char c = (char)(value[i] | 0x20);

            if (!((c >= 'a' && c <= 'z') || (i && value[i] >= '0' && value[i] <= '9'))) {
                return 0;
            }
        }
        return length > 0;
    }
    return nghttp2_check_header_name((const uint8_t *)name, name_length)
           && nghttp2_check_header_value(octets, length);
}

static void check_last(const h2_head *head, const char *name, size_t name_length, size_t length)
{
    h2_field last;

    if (*name == ':') {
        return;
    }
    last = h2_head_field(head, h2_head_count(head) - 1);
    FUZZ_CHECK(strlen(last.name) == name_length && !memcmp(last.name, name, name_length));
    FUZZ_CHECK(strlen(last.value) <= length);
    FUZZ_CHECK(h2_head_get(head, last.name) != NULL);
    length = strlen(last.value);
    FUZZ_CHECK(!length
               || (!strchr(" \t", last.value[0]) && !strchr(" \t", last.value[length - 1])));
}

static void add_one(fuzz_input *input, h2_head *head, size_t limit, size_t *psum)
{
    const char *name = names[fuzz_byte(input) % (sizeof(names) / sizeof(names[0]))];
    size_t name_length = strlen(name), length;
    const uint8_t *value;
    char *name_copy, *copy;
    apr_status_t rv;

    if (!name_length) {
        name = (const char *)fuzz_bytes(input, fuzz_byte(input), &name_length);
    }
    length = fuzz_byte(input);
    value = fuzz_bytes(input, (length > 240) ? 700 * (length - 240) : length, &length);
    name_copy = fuzz_copy((const uint8_t *)name, name_length);
    copy = fuzz_copy(value, length);
    rv = APR_EINVAL;
    if (name_length && is_valid(name_copy, name_length, copy, length)) {
        rv = h2_head_add_checked(head, name_copy, name_length, copy, length, limit);
    }
    else if (name_length && *name_copy != ':') { /* as if nobody had looked at it */
        h2_head *other = h2_head_create(NULL);

        h2_head_add(other, name_copy, name_length, copy, length, limit);
        h2_head_destroy(other, NULL);
    }
    if (rv == APR_SUCCESS) {
        *psum += name_length + length + H2_FIELD_OVERHEAD_BYTES;
        check_last(head, name_copy, name_length, length);
    }
    else {
        FUZZ_CHECK(rv == APR_EINVAL
                   || *psum + name_length + length + H2_FIELD_OVERHEAD_BYTES > limit);
    }
    FUZZ_CHECK(h2_head_bytes(head) == *psum && *psum <= limit);
    free(name_copy);
    free(copy);
}

static void add_missing(h2_head *head, const char *name, const char *value, size_t *psum)
{
    FUZZ_CHECK(h2_head_add(head, name, strlen(name), value, strlen(value), SIZE_MAX)
               == APR_SUCCESS);
    *psum = h2_head_bytes(head);
}

static h2_head *read_head(fuzz_input *input, unsigned flags, size_t limit)
{
    h2_head *head = h2_head_create(NULL);
    size_t sum = 0;

    while (input->left) {
        add_one(input, head, limit, &sum);
    }
    if (!h2_head_method(head)) {
        add_missing(head, ":method", (flags & FLAG_CONNECT) ? "CONNECT" : "GET", &sum);
    }
    if (!h2_head_path(head) && (!(flags & FLAG_CONNECT) || !h2_head_authority(head))) {
        add_missing(head, ":path", "/", &sum);
    }
    return head;
}

/* ---- the request ----------------------------------------------------------------------------- */

static server_rec *make_server(apr_pool_t *pool, unsigned flags, unsigned limits)
{
    h2_server_conf *conf = h2_config_create_server(pool, NULL);
    server_rec *server = standins_server(pool, conf);
    h2_dir_conf *dir = ap_get_module_config(server->lookup_defaults, &http2_module);

    conf->serialize_headers = (flags & FLAG_SERIALIZE) != 0;
    dir->proxy_requests = (flags & FLAG_PROXY) != 0;
    server->limit_req_fields = (int)(limits & 15);
    server->limit_req_fieldsize = (int)(8 << (limits >> 4 & 7));
    server->limit_req_line = (limits & 128) ? 40 : 8190;
    return server;
}

static void run_request(apr_pool_t *pool, unsigned flags)
{
    h2_context context = {.pool = pool, .is_tunnel = (flags & FLAG_TUNNEL) != 0};
    h2_exchange exchange = {.head = at.head};
    h2_session session = {.conf = h2_config_server(at.server)};
    h2_stream stream = {.id = 1, .session = &session};
    h2_worker worker = {.slot = -1};

    session.c = standins_connection(pool, at.server, 0);
    context.session = &session;
    context.stream = &stream;
    context.exchange = &exchange;
    context.c = apr_pmemdup(pool, session.c, sizeof(*session.c));
    context.c->master = session.c;
    context.c->output_filters = NULL;
    context.bucket_alloc = session.c->bucket_alloc;
    context.has_no_body = !(flags & FLAG_BODY);
    at.context = &context;
    h2_request_register_hooks(pool);
    h2_request_run(&context, &worker);
    FUZZ_CHECK(at.is_processed || context.r == NULL || (flags & FLAG_SERIALIZE)
               || at.r != NULL);
}

/* What is to become of the fields in HTTP/1.1's form. */
static void check_table(apr_pool_t *pool)
{
    apr_table_t *table = apr_table_make(pool, 4);
    int i, j, count = h2_head_count(at.head);

    h2_head_to_table(at.head, table);
    for (i = 0; i < count; ++i) {
        h2_field field = h2_head_field(at.head, i);
        const char *value = apr_table_get(table, field.name);

        FUZZ_CHECK(value && strstr(value, field.value));
        for (j = 0; j < i && !h2_head_may_repeat(at.head); ++j) {
            FUZZ_CHECK(strcmp(h2_head_field(at.head, j).name, field.name));
        }
    }
    FUZZ_CHECK(apr_table_elts(table)->nelts <= count);
}

void fuzz_run(apr_pool_t *pool, const uint8_t *data, size_t size)
{
    static const size_t list_limits[] = {65536, 400, 4096, SIZE_MAX};
    fuzz_input input = {data, size};
    unsigned flags = fuzz_byte(&input), limits = fuzz_byte(&input);

    memset(&at, 0, sizeof(at));
    at.pool = pool;
    at.server = make_server(pool, flags, limits);
    standins_init();
    at.head = read_head(&input, flags, list_limits[flags >> 6]);
    check_table(pool);
    run_request(pool, flags);
    h2_head_destroy(at.head, NULL);
}

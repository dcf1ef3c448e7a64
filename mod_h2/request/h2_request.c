#include "request/h2_request.h"

#include <apr_portable.h>

#include <http_connection.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_log_config.h>
#include <scoreboard.h>

#include "base/h2_clock.h"
#include "request/h2_backend.h"
#include "request/h2_filters.h"
#include "request/h2_habits.h"
#include "request/h2_hint_filter.h"
#include "request/h2_output.h"
#include "request/h2_preload.h"
#include "request/h2_serial.h"
#include "request/h2_tunnel.h"
#include "session/h2_streams.h"
#include "session/h2_tunnels.h"
#include "worker/h2_leader.h"

/* A handed-over request that took no longer is run by the leader again some day. */
#define H2_QUICK_USEC 1000

APR_DECLARE_OPTIONAL_FN(void, ap_logio_add_bytes_in, (conn_rec *c, apr_off_t bytes));

/* Fixed since the configuration was read. */
static APR_OPTIONAL_FN_TYPE(ap_logio_add_bytes_in) *add_bytes_in;

/* Handlers that wait for somebody else: not for the leader. */
static const struct {
    const char *name;
    apr_size_t length;
} waiting_handlers[] = {
#define NAME(text) {text, sizeof(text) - 1}
    NAME("proxy-server"), NAME("cgi-script"), NAME("fcgid-script"), NAME("lua-script"),
    NAME("balancer-manager"), NAME("dav-handler"), NAME("http2-status"),
#undef NAME
};

/* SetHandler "proxy:fcgi://...": begins all such. */
#define H2_PROXY_HANDLER "proxy:"

/* Is the client's request one to a forward proxy? */
static int is_for_proxy(const h2_context *context)
{
    return h2_config_is_proxy_requests(context->c->base_server);
}

/* What a request line of HTTP/1.1 would have, RFC 9112, 3.2. */
static const char *target_of(const h2_context *context)
{
    const h2_head *head = context->exchange->head;
    const char *path = h2_head_path(head), *authority = h2_head_authority(head);

    if (!path) {
        return authority; /* CONNECT has none */
    }
    if (!authority) {
        authority = h2_head_get(head, "host");
    }
    return (h2_head_scheme(head) && authority && path[0] == '/' && is_for_proxy(context))
               ? apr_pstrcat(context->pool, h2_head_scheme(head), "://", authority, path, NULL)
               : path;
}

int h2_request_check_fields(const server_rec *s, const h2_head *head)
{
    int i, count = h2_head_count(head);

    if (s->limit_req_fields > 0 && count > s->limit_req_fields) {
        return HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
    }
    if (h2_head_bytes(head) <= (apr_size_t)s->limit_req_fieldsize) {
        return 0; /* all together are no longer than one may be */
    }
    for (i = 0; i < count; ++i) {
        h2_field field = h2_head_field(head, i);

        if (strlen(field.name) + 2 + strlen(field.value) > (apr_size_t)s->limit_req_fieldsize) {
            return HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
        }
    }
    return 0;
}

/* HTTP/1.1's limits on a head hold here as well. 0, or the status to answer. */
static int check_limits(const request_rec *r, const h2_head *head)
{
    const server_rec *s = r->server;
    const char *authority = h2_head_authority(head); /* becomes Host */
    apr_size_t bytes = h2_head_bytes(head);          /* more than any part of it has */

    if (bytes > (apr_size_t)s->limit_req_line
        && strlen(r->the_request) > (apr_size_t)s->limit_req_line) {
        return HTTP_REQUEST_URI_TOO_LARGE;
    }
    if (bytes > (apr_size_t)s->limit_req_fieldsize && authority
        && strlen(authority) > (apr_size_t)s->limit_req_fieldsize) {
        return HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
    }
    return h2_request_check_fields(s, head);
}

static int is_within_limit(void *data, const char *name, const char *value)
{
    const server_rec *s = data;

    (void)name;
    return strlen(value) <= (apr_size_t)s->limit_req_fieldsize;
}

/* Fields of one name, and the crumbs of a cookie, are one by now: as HTTP/1.1 has it,
 * that is measured, too. */
static int check_merged(const request_rec *r)
{
    return apr_table_do(is_within_limit, r->server, r->headers_in, NULL)
               ? 0 : HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
}

static int is_known_scheme(const h2_context *context)
{
    const char *scheme = h2_head_scheme(context->exchange->head);

    return !scheme || !strcmp(scheme, "http") || !strcmp(scheme, "https") || is_for_proxy(context);
}

/* Host, where :authority has replaced another one. */
static void note_original_host(h2_context *context, const char *authority, const char *host)
{
    context->original_host = (host && ap_cstr_casecmp(host, authority)) ? host : NULL;
}

/* httpd's modules tell by it that there is a body. */
static void mark_body(const h2_context *context, request_rec *r)
{
    if (!context->has_no_body && !apr_table_get(r->headers_in, "Content-Length")) {
        apr_table_setn(r->headers_in, "Transfer-Encoding", "chunked");
    }
}

static void set_fields(h2_context *context, request_rec *r, const h2_head *head)
{
    const char *authority = h2_head_authority(head);

    h2_head_to_table(head, r->headers_in);
    if (authority && *authority) {
        note_original_host(context, authority, apr_table_get(r->headers_in, "Host"));
        apr_table_setn(r->headers_in, "Host", authority);
    }
    mark_body(context, r);
    if (context->tunnel) {
        h2_tunnel_drop_fields(r->headers_in);
    }
}

/* A request_rec of ours is new. */
static void take_request(request_rec *r, conn_rec *c)
{
    h2_context *context = h2_context_of(c);

    if (context) {
        context->r = r;
        h2_filters_add_response(r);
    }
}

/* httpd has read the request itself: what it takes for HTTP/1.1's is not. And whether an
 * extended CONNECT may be one, only its vhost says. */
static int adapt_read_request(request_rec *r)
{
    h2_context *context = h2_context_of(r->connection);
    int status = DECLINED;

    if (!context || r->prev || r->main) {
        return status;
    }
    if (context->session->conf->serialize_headers) {
        r->connection->keepalive = AP_CONN_CLOSE;
        r->request_time = context->stream->begun;
        r->read_length = 0; /* of the body, so far */
        ap_remove_input_filter_byhandle(r->input_filters, "HTTP_IN");
        h2_filters_add_body(r);
        mark_body(context, r);
    }
    if (context->tunnel) {
        status = h2_tunnel_check(context, r);
    }
    return status ? status : DECLINED;
}

/* Lets httpd read the request. If it is NULL, httpd has answered what was wrong with it. */
static request_rec *read_request(h2_context *context)
{
    const h2_head *head = context->exchange->head;
    const char *authority = h2_head_authority(head);
    request_rec *r;

    if (authority && *authority) {
        note_original_host(context, authority, h2_head_get(head, "host"));
    }
    h2_serial_write(context, target_of(context));
    r = ap_read_request(context->c);
    if (!context->end_of_request) {
        context->r = r; /* without an answer it is gone */
    }
    return r;
}

/* "METHOD TARGET HTTP/2.0"; apr_pstrcat() would take three times as long. */
static char *request_line(apr_pool_t *pool, const char *method, const char *target)
{
    static const char protocol[] = " HTTP/2.0";
    apr_size_t method_length = strlen(method), target_length = strlen(target);
    char *line = apr_palloc(pool, method_length + 1 + target_length + sizeof(protocol));

    memcpy(line, method, method_length + 1);
    line[method_length] = ' ';
    memcpy(line + method_length + 1, target, target_length + 1);
    memcpy(line + method_length + 1 + target_length, protocol, sizeof(protocol));
    return line;
}

/* Makes the request_rec. Returns 0, or the status of the error to answer. */
static int make_request(h2_context *context)
{
    const h2_head *head = context->exchange->head;
    request_rec *r = ap_create_request(context->c);
    int status;

    ap_run_pre_read_request(r, context->c);
    if (!context->has_no_body || context->tunnel) {
        h2_filters_add_body(r);
    }
    r->request_time = context->stream->begun;
    r->the_request = request_line(r->pool, context->tunnel ? "GET" : h2_head_method(head),
                                  target_of(context));
    status = check_limits(r, head);
    set_fields(context, r, head);
    if (!status && h2_head_may_repeat(head)) {
        status = check_merged(r);
    }
    if (!ap_parse_request_line(r)) {
        status = r->status;
    }
    else if (!is_known_scheme(context)) {
        status = HTTP_BAD_REQUEST;
    }
    if (!status && !ap_check_request_header(r)) {
        status = r->status;
    }
    r->per_dir_config = r->server->lookup_defaults;
    if (status) {
        r->status = HTTP_OK; /* the first error */
        return status;
    }
    return ap_post_read_request(r);
}

/* What the vhost says at first, and then what the directory says. */
static void apply_config(h2_context *context, const request_rec *r)
{
    apr_interval_time_t timeout = h2_config_stream_timeout(r);

    context->stream_timeout = (timeout > 0) ? timeout : -1;
    context->is_buffering = (h2_config_is_output_buffering(r) != 0);
    context->is_copying_files = (h2_config_is_copy_files(r) != 0);
}

/* What H2PushResource names: pushed, and told in fields (NULL: not to be told). */
static void add_resources(h2_context *context, request_rec *r, apr_table_t *fields)
{
    const apr_array_header_t *resources = h2_config_push_resources(r);
    int is_pushed = h2_preload_is_wanted(context, r);
    int i;

    for (i = 0; resources && r->method_number == M_GET && i < resources->nelts; ++i) {
        const h2_push_resource *resource = &APR_ARRAY_IDX(resources, i, h2_push_resource);

        if (is_pushed) {
            h2_preload_add(context, r, resource->path, NULL, resource->is_critical);
        }
        if (fields) {
            apr_table_addn(fields, "Link", apr_pstrcat(r->pool, "<", resource->path,
                                                       ">; rel=preload", NULL));
        }
    }
}

/* Before the request is handled: pushes, and hints, RFC 8297. */
static void send_early(h2_context *context, request_rec *r)
{
    const apr_table_t *hints = h2_config_hint_fields(r);
    apr_table_t *fields = NULL;

    if (!hints && !h2_config_push_resources(r)) {
        return;
    }
    if (h2_config_is_early_hints(r)) {
        fields = hints ? apr_table_copy(r->pool, hints) : apr_table_make(r->pool, 4);
    }
    add_resources(context, r, fields);
    if (!fields || apr_is_empty_table(fields)) {
        h2_output_promises(context);
    }
    else if (h2_output_interim(context, HTTP_EARLY_HINTS, fields) != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      H2_ID_FMT "a field of H2EarlyHint cannot be sent, so none of them is",
                      context->session->c->id, context->stream->id);
    }
}

static int prepare_handling(request_rec *r)
{
    h2_context *context = h2_context_of(r->connection);

    if (context && !r->main) {
        apply_config(context, r);
        if (!context->tunnel && !r->prev) {
            send_early(context, r);
        }
    }
    return DECLINED;
}

/* An answer without a handler, and the end of the request. */
static void answer_error(h2_context *context, int status)
{
    request_rec *r = context->r;
    apr_bucket_brigade *bb;

    ap_die(status, r);
    bb = apr_brigade_create(context->pool, context->bucket_alloc);
    APR_BRIGADE_INSERT_TAIL(bb, ap_bucket_eor_create(context->bucket_alloc, r));
    ap_pass_brigade(context->c->output_filters, bb);
    apr_brigade_cleanup(bb);
}

/* The client's socket, for modules that ask about it. Where httpd reads requests it also
 * sets the timeout, which the loop must not see: it gets one of its own then. */
static apr_socket_t *socket_for(const h2_context *context)
{
    apr_socket_t *socket = ap_get_conn_socket(context->session->c);
    apr_os_sock_t descriptor;

    if (context->tunnel && context->tunnel->socket) {
        return context->tunnel->socket;
    }
    if (context->session->conf->serialize_headers
        && apr_os_sock_get(&descriptor, socket) == APR_SUCCESS) {
        socket = NULL;
        apr_os_sock_put(&socket, &descriptor, context->pool);
    }
    return socket;
}

/* Modules put their state on a connection in pre_connection; the core stops
 * there for a secondary. */
static void prepare_connection(h2_context *context)
{
    conn_rec *c = context->c;
    apr_socket_t *socket;

    if (context->is_tunnel) {
        h2_tunnel_create(context);
    }
    socket = socket_for(context);
    c->sbh = context->worker->scoreboard;
    c->current_thread = context->worker->thread;
    h2_filters_add_connection(c);
    ap_run_pre_connection(c, socket);
    ap_set_core_module_config(c->conn_config, socket);
    if (add_bytes_in) {
        add_bytes_in(c, (apr_off_t)h2_head_bytes(context->exchange->head));
    }
}

/* From the head to the end of the handler. */
static void process(h2_context *context)
{
    request_rec *r;
    int status = 0;

    if (context->session->conf->serialize_headers) {
        r = read_request(context);
    }
    else {
        status = make_request(context);
        r = context->r;
    }
    if (!r) {
        return;
    }
    apply_config(context, r);
    if (context->worker->has_own_slot) {
        ap_update_child_status(context->c->sbh, SERVER_BUSY_WRITE, r);
    }
    if (status) {
        answer_error(context, status);
    }
    else {
        ap_process_async_request(r);
    }
}

void h2_request_run(h2_context *context, h2_worker *worker)
{
    apr_time_t begun = h2_clock_now();

    context->worker = worker;
    worker->loop = context->session->loop;
    if (!worker->scoreboard) {
        h2_worker_find_scoreboard(worker);
    }
    prepare_connection(context);
    process(context);
    if (context->may_wait_for_backend) {
        h2_backend_leave();
    }
    if (worker->has_own_slot) {
        ap_update_child_status(context->c->sbh, SERVER_READY, NULL);
    }
    if (h2_clock_now() - begun > H2_QUICK_USEC) {
        context->has_waited = 1;
    }
    h2_output_prepare_finish(context, &context->last_chunks);
}

void h2_request_finish(h2_context *context, int has_kept_lead)
{
    h2_loop *loop = context->session->loop;

    h2_loop_assert_held(loop);
    context->c->sbh = NULL;
    h2_exchange_drop_signals(context->exchange);
    if (context->may_tunnel) {
        h2_session_leave_tunnel(context->session);
    }
    h2_habits_end(loop->index, context->habit, has_kept_lead || !context->has_waited);
    h2_output_finish(context, &context->last_chunks);
    h2_session_finished(context->session, context->stream);
}

static int is_waiting_handler(const char *name)
{
    apr_size_t i, length = strlen(name);

    for (i = 0; i < sizeof(waiting_handlers) / sizeof(waiting_handlers[0]); ++i) {
        if (waiting_handlers[i].length == length
            && !memcmp(waiting_handlers[i].name, name, length)) {
            return 1;
        }
    }
    return !strncmp(name, H2_PROXY_HANDLER, sizeof(H2_PROXY_HANDLER) - 1);
}

/* Before the handler, of any protocol: is it one that waits? Then somebody else leads the loop,
 * and its application may have hints for the meantime. */
static int detach_before_waiting(request_rec *r)
{
    h2_context *context = h2_context_of(r->connection);

    if (r->handler && is_waiting_handler(r->handler)) {
        h2_hint_filter_add(r);
        if (context) {
            context->has_waited |= h2_leader_detach(context->worker);
            h2_backend_enter(context);
        }
    }
    return DECLINED;
}

/* An error page after the head is out cannot be one: the response is broken. */
static void note_late_error(request_rec *r)
{
    h2_context *context = h2_context_of(r->connection);

    if (context && context->response && !context->is_ended) {
        context->is_failed = 1;
    }
}

static void find_what_others_have(void)
{
    add_bytes_in = APR_RETRIEVE_OPTIONAL_FN(ap_logio_add_bytes_in);
    h2_filters_find();
}

void h2_request_register_hooks(apr_pool_t *pool)
{
    static const char *const behind_core[] = {"core.c", NULL}; /* it offers h2 in Upgrade */

    (void)pool;
    ap_hook_pre_read_request(take_request, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_post_read_request(adapt_read_request, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_handler(detach_before_waiting, behind_core, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(prepare_handling, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_insert_filter(h2_filters_add_length, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_insert_error_filter(note_late_error, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_optional_fn_retrieve(find_what_others_have, NULL, NULL, APR_HOOK_MIDDLE);
}

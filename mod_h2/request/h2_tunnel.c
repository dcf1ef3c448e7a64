#include "request/h2_tunnel.h"

#include <sys/socket.h>
#include <unistd.h>

#include <apr_portable.h>

#include "message/h2_websocket.h"
#include "request/h2_output.h"

/* Stands for "without end": poll() takes milliseconds as an int. */
#define H2_TUNNEL_LONGEST apr_time_from_sec(2000000)

/* One end of the pair as the file that an exchange signals with, closed with the pool. */
static apr_file_t *file_of(int descriptor, apr_pool_t *pool)
{
    apr_file_t *file = NULL;

    apr_os_pipe_put_ex(&file, &descriptor, 1, pool);
    apr_file_pipe_timeout_set(file, 0);
    return file;
}

static void make_pair(h2_context *context)
{
    h2_tunnel *tunnel = context->tunnel;
    h2_exchange *exchange = context->exchange;
    h2_loop *loop = context->session->loop;
    apr_file_t *in, *out;
    int ends[2], smallest = 1;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) {
        ap_log_cerror(APLOG_MARK, APLOG_ERR, apr_get_os_error(), context->c,
                      H2_ID_FMT
                      "no pair of sockets for a WebSocket (are there too many open files?): it "
                      "is refused with 503",
                      context->session->c->id, context->stream->id);
        return;
    }
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof(smallest));
    in = file_of(ends[0], context->pool);
    out = file_of(ends[1], context->pool);
    tunnel->far_end = ends[1];
    apr_os_sock_put(&tunnel->socket, &ends[0], context->pool);
    h2_loop_lock(loop);
    exchange->signal_in = in;
    exchange->signal_out = out;
    h2_exchange_wake(exchange); /* for what is there already */
    h2_loop_unlock(loop);
}

void h2_tunnel_create(h2_context *context)
{
    h2_tunnel *tunnel = apr_pcalloc(context->pool, sizeof(*tunnel));

    context->tunnel = tunnel;
    tunnel->is_one_way = context->has_no_body;
    context->has_no_body = 1; /* a GET */
    if (context->may_tunnel) {
        make_pair(context);
    }
}

void h2_tunnel_drop_fields(apr_table_t *fields)
{
    apr_table_unset(fields, "Content-Length");
    apr_table_unset(fields, "Expect");
}

static void add_fields(h2_context *context, apr_table_t *fields)
{
    apr_table_setn(fields, "Upgrade", H2_WEBSOCKET_PROTOCOL);
    apr_table_setn(fields, "Connection", "Upgrade");
    if (!apr_table_get(fields, "Sec-WebSocket-Key")) {
        context->tunnel->key = h2_websocket_make_key(context->pool);
        apr_table_setn(fields, "Sec-WebSocket-Key", context->tunnel->key);
    }
}

/* 0, or the status to answer. */
static int find_objection(const h2_context *context, const request_rec *r)
{
    const char *protocol = h2_head_protocol(context->exchange->head);
    const h2_session *session = context->session;

    if (ap_cstr_casecmp(protocol, H2_WEBSOCKET_PROTOCOL)) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, H2_ID_FMT "the client asks for a tunnel of "
                      "the protocol '%s', which is not known: refused with 501",
                      session->c->id, context->stream->id, protocol);
        return HTTP_NOT_IMPLEMENTED;
    }
    if (!h2_config_server(r->server)->websockets) {
        return HTTP_NOT_IMPLEMENTED; /* another vhost's connection */
    }
    if (context->tunnel->is_one_way) {
        return HTTP_BAD_REQUEST;
    }
    if (!context->may_tunnel) {
        ap_log_rerror(
            APLOG_MARK, APLOG_INFO, 0, r,
            H2_ID_FMT
            "no thread for one more WebSocket: three quarters of H2MaxWorkers, "
            "or of what this connection may have of them, are taken by such; refused with "
            "503",
            session->c->id, context->stream->id);
    }
    return context->tunnel->socket ? 0 : HTTP_SERVICE_UNAVAILABLE;
}

int h2_tunnel_check(h2_context *context, request_rec *r)
{
    int status = find_objection(context, r);

    if (!status) {
        context->tunnel->is_allowed = 1;
        add_fields(context, r->headers_in);
    }
    return status;
}

/* As long as over HTTP/1.1, where Timeout counts for the client's socket; H2StreamTimeout can
 * only make it longer. */
static apr_interval_time_t timeout_of(const h2_context *context)
{
    apr_interval_time_t timeout = context->r->server->timeout;

    if (context->stream_timeout < 0) {
        return H2_TUNNEL_LONGEST;
    }
    return (context->stream_timeout > timeout) ? context->stream_timeout : timeout;
}

static request_rec *last_request(const h2_context *context)
{
    request_rec *r = context->r;

    while (r->next) {
        r = r->next;
    }
    return r;
}

/* Its handler goes on until it reads from the client. */
apr_status_t h2_tunnel_refuse(h2_context *context, const char *why)
{
    request_rec *r = last_request(context);
    const char *bad_name;

    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, H2_ID_FMT "no WebSocket: %s",
                  context->session->c->id, context->stream->id, why);
    r->status = HTTP_BAD_GATEWAY;
    r->status_line = NULL;
    context->tunnel->is_refused = 1;
    context->is_ended = 1;
    return h2_response_create(&context->response, context->pool, r->status, NULL, NULL, &bad_name);
}

apr_status_t h2_tunnel_open(h2_context *context, const apr_table_t *fields)
{
    h2_tunnel *tunnel = context->tunnel;
    apr_table_t *kept = apr_table_clone(context->pool, fields);
    const char *accept = apr_table_get(kept, "Sec-WebSocket-Accept"), *bad_name = NULL;
    apr_status_t rv;

    if (!tunnel->is_allowed) {
        return h2_tunnel_refuse(context, "an error page is none");
    }
    if (tunnel->key && !h2_websocket_is_accept_of(context->pool, accept, tunnel->key)) {
        return h2_tunnel_refuse(context, "the back end has not answered our Sec-WebSocket-Key");
    }
    apr_table_unset(kept, "Sec-WebSocket-Accept");
    apr_table_unset(kept, "Content-Length");
    rv = h2_response_create(&context->response, context->pool, HTTP_OK, kept, NULL, &bad_name);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    tunnel->is_open = 1;
    context->is_buffering = 0;
    apr_socket_timeout_set(tunnel->socket, timeout_of(context));
    return h2_output_publish(context);
}

void h2_tunnel_note_answer(h2_context *context)
{
    h2_loop *loop = context->session->loop;

    h2_loop_lock(loop);
    h2_exchange_wake(context->exchange);
    h2_loop_unlock(loop);
}

apr_status_t h2_tunnel_may_read(h2_context *context)
{
    h2_exchange *exchange = context->exchange;
    h2_loop *loop = context->session->loop;
    apr_status_t rv = APR_EAGAIN;

    if (context->tunnel->is_open || (context->body && !APR_BRIGADE_EMPTY(context->body))) {
        return APR_SUCCESS; /* the latter is the head, which httpd reads itself */
    }
    h2_loop_lock(loop);
    if (exchange->is_aborted) {
        rv = APR_ECONNABORTED;
    }
    else if (exchange->in_is_ended && (context->response || h2_chunks_is_empty(&exchange->in))) {
        rv = APR_EOF;
    }
    else {
        h2_exchange_settle(exchange);
    }
    h2_loop_unlock(loop);
    return rv;
}

apr_status_t h2_tunnel_flush(h2_context *context)
{
    h2_exchange *exchange = context->exchange;
    h2_loop *loop = context->session->loop;
    apr_status_t rv;

    h2_loop_lock(loop);
    rv = exchange->is_aborted ? APR_ECONNABORTED : APR_SUCCESS;
    context->is_polling = 1;
    context->c->data_in_output_filters = exchange->is_choked;
    if (!exchange->is_choked && !context->is_ended) {
        context->tunnel->may_be_shut = 1;
        h2_exchange_wake(exchange); /* then it reads, and we look */
    }
    h2_loop_unlock(loop);
    return rv;
}

void h2_tunnel_look_at_end(h2_context *context)
{
    char byte;

    if (context->tunnel->may_be_shut && !context->is_ended) {
        context->tunnel->may_be_shut = 0;
        if (recv(context->tunnel->far_end, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) {
            context->is_ended = 1;
            h2_output_end(context);
        }
    }
}

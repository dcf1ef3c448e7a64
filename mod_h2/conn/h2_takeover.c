#include "conn/h2_takeover.h"

#include <apr_atomic.h>
#include <apr_optional_hooks.h>
#include <openssl/ssl.h>

#include <http_connection.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>
#include <http_ssl.h>
#include <mpm_common.h>

#include "base/h2_clock.h"
#include "config/h2_config.h"
#include "conn/h2_child.h"
#include "conn/h2_tls_policy.h"
#include "conn/h2_turn.h"
#include "conn/h2_upgrade.h"
#include "session/h2_ending.h"
#include "session/h2_session.h"

/* How often a preface that does not come to its end is looked at. */
#define H2_PREFACE_LOOK_USEC (APR_USEC_PER_SEC / 4)

/* mod_ssl's optional hook, as its mod_ssl_openssl.h declares it; Debian has no such
 * file in its development package. */
typedef int ssl_HOOK_pre_handshake_t(conn_rec *c, SSL *ssl, int is_proxy);

/* What we keep of a connection of the MPM until it is a session; in its
 * conn_config. The MPM's thread only; runners read protocol. */
typedef struct h2_connection {
    const char *protocol;   /* that it was switched to, NULL: none of ours */
    server_rec *server;     /* whose configuration holds */
    h2_upgrade *upgrade;    /* the request that is to be stream 1 */
    SSL *ssl;               /* mod_ssl's, during the handshake only */
    h2_session *session;    /* made, and on its way to the loop */
    unsigned is_inspected : 1;
    unsigned is_direct : 1; /* by its first bytes, without being asked */
    unsigned is_silent : 1; /* nothing came in time, or no more than a part of the preface */
} h2_connection;

static h2_connection *connection_of(conn_rec *c)
{
    h2_connection *connection = ap_get_module_config(c->conn_config, &http2_module);

    if (!connection) {
        connection = apr_pcalloc(c->pool, sizeof(*connection));
        connection->server = c->base_server;
        ap_set_module_config(c->conn_config, &http2_module, connection);
    }
    return connection;
}

static const char *protocol_name(conn_rec *c)
{
    return ap_ssl_conn_is_ssl(c) ? H2_PROTOCOL_TLS : H2_PROTOCOL_CLEAR;
}

/* When ALPN asks, OpenSSL has chosen the cipher, but mod_ssl does not tell it yet. */
static const char *pending_cipher(conn_rec *c)
{
    const h2_connection *connection = ap_get_module_config(c->conn_config, &http2_module);
    const SSL_CIPHER *cipher = NULL;

    if (connection && connection->ssl) {
        cipher = SSL_get_pending_cipher(connection->ssl);
    }
    return cipher ? SSL_CIPHER_get_name(cipher) : NULL;
}

static int note_ssl(conn_rec *c, SSL *ssl, int is_proxy)
{
    if (!is_proxy && !c->master) {
        connection_of(c)->ssl = ssl;
    }
    return DECLINED;
}

/* Is its TLS good enough? What is not known of it before the handshake has ended is
 * good enough for then. */
static int has_good_tls(conn_rec *c, const server_rec *s)
{
    const char *protocol, *cipher;

    if (!h2_config_server(s)->modern_tls_only || !ap_ssl_conn_is_ssl(c)) {
        return 1;
    }
    protocol = ap_ssl_var_lookup(c->pool, (server_rec *)s, c, NULL, "SSL_PROTOCOL");
    cipher = ap_ssl_var_lookup(c->pool, (server_rec *)s, c, NULL, "SSL_CIPHER");
    if (!cipher || !*cipher) {
        cipher = pending_cipher(c);
    }
    return !protocol || !*protocol || !cipher || !*cipher
           || h2_tls_policy_is_modern(protocol, cipher);
}

static int propose(conn_rec *c, request_rec *r, server_rec *s,
                   const apr_array_header_t *offers, apr_array_header_t *proposals)
{
    const char *name = protocol_name(c);

    if (c->master || !h2_child_get() || strcmp(ap_get_protocol(c), AP_PROTOCOL_HTTP1)
        || !ap_array_str_contains(offers, name) || !has_good_tls(c, s)) {
        return DECLINED;
    }
    if (r && (c->keepalives || !h2_config_is_upgrade(r, ap_ssl_conn_is_ssl(c))
              || !h2_upgrade_is_possible(r))) {
        return DECLINED; /* not on a later request either: who wants HTTP/2 asks first */
    }
    APR_ARRAY_PUSH(proposals, const char *) = name;
    return OK;
}

static const char *get_protocol(const conn_rec *c)
{
    const conn_rec *master = c->master ? c->master : c;
    const h2_connection *connection = ap_get_module_config(master->conn_config, &http2_module);

    return connection ? connection->protocol : NULL;
}

/* The session of c; before it is in a loop. */
static h2_session *make_session(conn_rec *c, h2_connection *connection)
{
    h2_child *child = h2_child_get();
    apr_uint32_t number = apr_atomic_inc32(&child->session_count);
    h2_loop *loop = child->loops[number % (apr_uint32_t)child->loop_count];
    h2_session *session;
    apr_status_t rv;

    rv = h2_session_create(&session, c, connection->server, loop, child->running_max);
    if (rv == APR_SUCCESS) {
        rv = h2_session_start(session);
    }
    if (rv == APR_SUCCESS && connection->upgrade) {
        h2_upgrade *upgrade = connection->upgrade;
        h2_head *head = upgrade->head;

        connection->upgrade = NULL;
        upgrade->head = NULL;
        rv = h2_session_upgrade(session, upgrade->settings, upgrade->settings_length, head,
                                upgrade->is_head_request);
    }
    if (rv != APR_SUCCESS) {
        ap_log_cerror(APLOG_MARK, APLOG_ERR, rv, c,
                      "cannot start HTTP/2: the connection is closed");
        return NULL;
    }
    if (!has_good_tls(c, connection->server)) {
        session->held.has_bad_tls = 1;
    }
    return session;
}

static h2_session_origin origin_of(const h2_session *session, const h2_connection *connection)
{
    if (session->count.open) {
        return H2_SESSION_BY_UPGRADE;
    }
    if (!connection->is_direct) {
        return H2_SESSION_BY_ALPN;
    }
    return session->io.is_tls ? H2_SESSION_BY_PREFACE_TLS : H2_SESSION_BY_PREFACE;
}

/* The loop has it from here on. Returns 0 if it takes none any more: the child ends
 * at once, and nobody may lead it. */
static int join_loop(h2_session *session, const h2_connection *connection)
{
    h2_loop *loop = session->loop;

    h2_loop_lock(loop);
    if (loop->is_stopping) {
        h2_loop_unlock(loop);
        return 0;
    }
    /* The MPM's number is used again as soon as its thread is free. */
    session->c->id = h2_loop_next_id(loop);
    session->tag_length = (unsigned)apr_snprintf(session->tag, sizeof(session->tag), "%ld-",
                                                 session->c->id);
    h2_loop_add(loop, &session->task, session->io.socket, session);
    h2_session_joined(session, origin_of(session, connection));
    if (session->held.has_bad_tls) {
        h2_session_terminate(session, NGHTTP2_INADEQUATE_SECURITY,
                             "its TLS is not good enough for H2ModernTLSOnly");
    }
    session->task.revents = APR_POLLIN; /* the filters may have bytes already */
    h2_loop_ready(loop, &session->task);
    h2_loop_unlock(loop);
    return 1;
}

/* prefork: the only thread, which does all. */
static void lead_alone(conn_rec *c, h2_session *session)
{
    h2_worker self = {0};

    self.thread = c->current_thread;
    self.scoreboard = c->sbh;
    self.has_own_slot = 1;
    h2_turn_alone(session, &self);
}

/* Waits for those who lead its loop; when the child stops at once, not for long. */
static void wait_until_over(h2_session *session)
{
    h2_loop *loop = session->loop;
    apr_time_t until = 0;

    h2_loop_lock(loop);
    while (!session->held.is_over) {
        if (!loop->is_stopping) {
            h2_loop_cond_wait(loop, session->held.waiter, -1);
            continue;
        }
        if (!until) {
            until = h2_clock_now() + h2_child_stop_usec();
        }
        if (h2_clock_now() >= until) {
            h2_child_leave();
        }
        h2_loop_cond_wait(loop, session->held.waiter, until - h2_clock_now());
    }
    h2_loop_unlock(loop);
}

/* worker MPM: the thread stays with its connection until the session has ended. */
static int serve_on_this_thread(conn_rec *c, h2_connection *connection)
{
    apr_thread_t *thread = c->current_thread;
    h2_session *session = make_session(c, connection);

    if (!session) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (apr_thread_cond_create(&session->held.waiter, c->pool) != APR_SUCCESS) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!join_loop(session, connection)) {
        h2_io_remove_filters(&session->io);
        h2_session_destroy(session);
        c->aborted = 1;
        return OK;
    }
    if (h2_child_get()->is_single) {
        lead_alone(c, session);
    }
    else {
        wait_until_over(session);
    }
    c->current_thread = thread;
    return OK;
}

/* event MPM: it lets go of the connection, and then its suspend_connection hook
 * hands it to the loop. */
static int leave_to_loop(conn_rec *c, h2_connection *connection)
{
    connection->session = make_session(c, connection);
    if (!connection->session) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    c->cs->state = CONN_STATE_SUSPENDED;
    return OK;
}

static void suspend_connection(conn_rec *c, request_rec *r)
{
    h2_connection *connection = ap_get_module_config(c->conn_config, &http2_module);
    h2_session *session;

    (void)r;
    /* The hook runs for other reasons, too: a connection that broke meanwhile is
     * on its way to be closed by the MPM. */
    if (c->master || !connection || !connection->session
        || c->cs->state != CONN_STATE_SUSPENDED) {
        return;
    }
    session = connection->session;
    connection->session = NULL;
    if (!join_loop(session, connection)) {
        apr_socket_close(session->io.socket); /* its memory goes with the process */
    }
}

/* Looks at what has arrived, without taking it: *plength is how many bytes of it are
 * those of the preface, 0 where it is something else. An error: nothing comes. */
static apr_status_t look_for_preface(conn_rec *c, apr_bucket_brigade *bb, apr_size_t wanted,
                                     apr_size_t *plength)
{
    char seen[H2_PREFACE_BYTES] = {0};
    apr_size_t length = sizeof(seen);
    apr_status_t rv = ap_get_brigade(c->input_filters, bb, AP_MODE_SPECULATIVE,
                                     APR_BLOCK_READ, (apr_off_t)wanted);

    *plength = 0;
    if (rv == APR_SUCCESS) {
        rv = apr_brigade_flatten(bb, seen, &length);
    }
    apr_brigade_cleanup(bb);
    if (rv == APR_SUCCESS && !memcmp(seen, H2_PREFACE, length)) {
        *plength = length;
    }
    return rv;
}

/* Is there more to be read, or the end, within the time? */
static int wait_for_bytes(conn_rec *c, apr_interval_time_t timeout)
{
    apr_pollfd_t pfd = {0};
    apr_int32_t count;

    pfd.desc_type = APR_POLL_SOCKET;
    pfd.desc.s = ap_get_conn_socket(c);
    pfd.reqevents = APR_POLLIN;
    pfd.p = c->pool;
    return apr_poll(&pfd, 1, &count, timeout) == APR_SUCCESS;
}

/* Does what the client sends begin with the preface, RFC 9113, 3.4? Looks at no
 * more than it takes to say no: a short HTTP/1.0 request must not wait. APR_TIMEUP:
 * not even that has come within the time that the filters allow, or Timeout. */
static apr_status_t find_preface(conn_rec *c, int *pis_found)
{
    apr_bucket_brigade *bb = apr_brigade_create(c->pool, c->bucket_alloc);
    apr_time_t until = apr_time_now() + c->base_server->timeout;
    apr_size_t before, length;
    int is_readable, is_ended = 0, is_tls = ap_ssl_conn_is_ssl(c);
    /* mod_ssl gives what a record has, but never more than it was asked for at first. */
    apr_status_t rv = look_for_preface(c, bb, is_tls ? H2_PREFACE_BYTES : 4, &length);

    if (rv == APR_SUCCESS && length && !is_tls) {
        rv = look_for_preface(c, bb, H2_PREFACE_BYTES, &length);
    }
    while (rv == APR_SUCCESS && length && length < H2_PREFACE_BYTES && !is_ended) {
        if (apr_time_now() >= until) {
            rv = APR_TIMEUP;
            break;
        }
        before = length;
        is_readable = wait_for_bytes(c, H2_PREFACE_LOOK_USEC);
        /* Also when there is nothing: mod_reqtimeout looks at its clock then. */
        rv = look_for_preface(c, bb, H2_PREFACE_BYTES, &length);
        is_ended = is_readable && length == before;
    }
    apr_brigade_destroy(bb);
    *pis_found = rv == APR_SUCCESS && length == H2_PREFACE_BYTES;
    return rv;
}

static int is_direct(conn_rec *c, h2_connection *connection)
{
    int is_found = 0, is_tls = ap_ssl_conn_is_ssl(c);

    if (connection->is_inspected || c->keepalives) {
        return 0;
    }
    connection->is_inspected = 1;
    if (h2_config_is_direct(connection->server, is_tls)
        && !strcmp(ap_get_protocol(c), AP_PROTOCOL_HTTP1)
        && ap_is_allowed_protocol(c, NULL, connection->server, protocol_name(c))
        && has_good_tls(c, connection->server)) {
        connection->is_silent = APR_STATUS_IS_TIMEUP(find_preface(c, &is_found));
    }
    return is_found;
}

static int process_connection(conn_rec *c)
{
    h2_child *child = h2_child_get();
    h2_connection *connection;

    if (c->master || !child) {
        return DECLINED;
    }
    connection = connection_of(c);
    connection->ssl = NULL;
    if (!connection->protocol && is_direct(c, connection)) {
        connection->protocol = protocol_name(c);
        connection->is_direct = 1;
    }
    if (connection->is_silent) {
        if (c->cs) {
            c->cs->state = CONN_STATE_LINGER;
        }
        return OK; /* to be closed: HTTP/1.1 would wait for as long once more */
    }
    if (!connection->protocol) {
        return DECLINED;
    }
    return child->is_async ? leave_to_loop(c, connection)
                           : serve_on_this_thread(c, connection);
}

/* The 101 is out and its request ends: the MPM must not close, but come back to
 * process_connection when the client goes on. */
static apr_status_t keep_connection(void *data)
{
    conn_rec *c = data;

    c->keepalive = AP_CONN_KEEPALIVE;
    return APR_SUCCESS;
}

static int switch_protocol(conn_rec *c, request_rec *r, server_rec *s, const char *protocol)
{
    h2_connection *connection;

    if (c->master || strcmp(protocol, protocol_name(c))) {
        return DECLINED;
    }
    connection = connection_of(c);
    connection->server = s;
    if (r) {
        r->eos_sent = 1; /* the 101 was its answer, none in HTTP/1.1 follows */
        connection->upgrade = h2_upgrade_create(r, c->pool, ap_http_scheme(r));
        if (!connection->upgrade) {
            return DECLINED;
        }
    }
    connection->protocol = protocol_name(c);
    if (r && h2_child_get()->is_async) {
        apr_pool_pre_cleanup_register(r->pool, c, keep_connection);
    }
    else if (r && serve_on_this_thread(c, connection) != OK) {
        c->aborted = 1; /* the client waits for HTTP/2, which it cannot have */
    }
    return OK;
}

void h2_takeover_register_hooks(apr_pool_t *pool)
{
    static const char *const after_ssl[] = {"mod_ssl.c", "mod_reqtimeout.c", NULL};

    (void)pool;
    ap_hook_process_connection(process_connection, after_ssl, NULL, APR_HOOK_LAST);
    ap_hook_suspend_connection(suspend_connection, NULL, NULL, APR_HOOK_REALLY_LAST);
    APR_OPTIONAL_HOOK(ssl, pre_handshake, note_ssl, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_protocol_propose(propose, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_protocol_switch(switch_protocol, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_protocol_get(get_protocol, NULL, NULL, APR_HOOK_MIDDLE);
}

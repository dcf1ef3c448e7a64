#include "request/h2_pollfd.h"

#include <apr_optional.h>
#include <apr_poll.h>

#include <http_core.h>

#include "request/h2_tunnel.h"

/* As httpd's mod_http2.h declares it. */
APR_DECLARE_OPTIONAL_FN(apr_status_t, http2_get_pollfd_from_conn,
                        (conn_rec *c, struct apr_pollfd_t *pfd, apr_interval_time_t *ptimeout));

apr_status_t h2_pollfd_open(h2_context *context)
{
    h2_exchange *exchange = context->exchange;
    apr_file_t *in, *out;
    apr_status_t rv;

    if (exchange->signal_in) {
        return APR_SUCCESS;
    }
    rv = apr_file_pipe_create_ex(&in, &out, APR_FULL_NONBLOCK, context->pool);
    if (rv == APR_SUCCESS) {
        exchange->signal_in = in;
        exchange->signal_out = out;
        if (!h2_chunks_is_empty(&exchange->in) || exchange->in_is_ended || exchange->is_aborted) {
            h2_exchange_wake(exchange);
        }
    }
    return rv;
}

static apr_status_t http2_get_pollfd_from_conn(conn_rec *c, struct apr_pollfd_t *pfd,
                                               apr_interval_time_t *ptimeout)
{
    h2_context *context = h2_context_of(c);
    h2_loop *loop;
    apr_status_t rv;

    if (!context || context->worker->serve) {
        return APR_ENOTIMPL; /* prefork: nobody would see what comes while it polls */
    }
    if (ptimeout) {
        *ptimeout = context->stream_timeout;
    }
    if (context->tunnel && context->tunnel->socket) {
        pfd->desc_type = APR_POLL_SOCKET;
        pfd->desc.s = context->tunnel->socket;
        return APR_SUCCESS;
    }
    if (context->has_no_body) {
        pfd->desc_type = APR_NO_DESC;
        return APR_SUCCESS;
    }
    loop = context->session->loop;
    h2_loop_lock(loop);
    rv = h2_pollfd_open(context);
    h2_loop_unlock(loop);
    pfd->desc_type = APR_POLL_FILE;
    pfd->desc.f = context->exchange->signal_in;
    return rv;
}

void h2_pollfd_register(void)
{
    APR_REGISTER_OPTIONAL_FN(http2_get_pollfd_from_conn);
#if H2_HAS_POLLFD_HOOK
    ap_hook_get_pollfd_from_conn(http2_get_pollfd_from_conn, NULL, NULL, APR_HOOK_MIDDLE);
#endif
}

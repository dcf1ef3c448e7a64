#include "request/h2_backend.h"

#include <apr_poll.h>

#include <http_connection.h>
#include <http_core.h>
#include <http_ssl.h>
#include <util_filter.h>

#include "message/h2_framing.h"
#include "request/h2_pollfd.h"

/* A frame without payload of a type that is reserved for being ignored: 0x0b + 0x1f * n. */
#define H2_NEWS_FRAME "\0\0\0\xa6\0\0\0\0\0"

/* A back end that answers within this time costs no pipe. It is what poll() can count. */
#define H2_QUICK_ANSWER_USEC 1000

/* How often the socket may be readable without giving a byte, as a part of a TLS record does,
 * before it is read as the reader has asked for. */
#define H2_EMPTY_READS_MAX 8

/* What the filter keeps of a connection to a back end. It is the runner's who uses that. */
typedef struct backend_input {
    h2_framing framing;
    long told_id;               /* of the secondary whose request was told something; 0: none */
    apr_off_t told_bytes;       /* how much of its body there was then, */
    unsigned has_told_end : 1;  /* and whether that was all */
} backend_input;

typedef enum { NEWS_NONE, NEWS_BODY, NEWS_GONE } client_news;

static ap_filter_rec_t *backend_filter;

/* The request that runs on this thread, if it may wait for a back end. */
static _Thread_local h2_context *current;

void h2_backend_enter(h2_context *context)
{
    if (!context->worker->serve) { /* prefork: nobody would see what comes while it polls */
        context->may_wait_for_backend = 1;
        current = context;
    }
}

void h2_backend_leave(void)
{
    current = NULL;
}

static void follow(h2_framing *framing, const apr_bucket_brigade *bb)
{
    apr_bucket *b;
    const char *data;
    apr_size_t length;

    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = APR_BUCKET_NEXT(b)) {
        if (!APR_BUCKET_IS_METADATA(b)) {
            if (apr_bucket_read(b, &data, &length, APR_BLOCK_READ) != APR_SUCCESS) {
                framing->is_other = 1; /* nobody knows where it is any more */
                return;
            }
            h2_framing_follow(framing, data, length);
        }
    }
}

/* What the request does not know yet. Each piece is told once: what it is not ready to read,
 * it reads later. Without news the pipe has none, either. Holder. */
static client_news news_of(backend_input *input, h2_context *context)
{
    h2_exchange *exchange = context->exchange;
    const h2_stream *stream = context->stream;

    if (exchange->is_aborted) {
        return NEWS_GONE;
    }
    if (input->told_id != context->c->id) {
        input->told_id = context->c->id;
        input->told_bytes = 0;
        input->has_told_end = 0;
    }
    if ((!h2_chunks_is_empty(&exchange->in) && input->told_bytes != stream->in_bytes)
        || (exchange->in_is_ended && !context->body_is_ended && !input->has_told_end)) {
        input->told_bytes = stream->in_bytes;
        input->has_told_end = exchange->in_is_ended;
        return NEWS_BODY;
    }
    h2_exchange_settle(exchange);
    return NEWS_NONE;
}

static apr_status_t ask_client(backend_input *input, h2_context *context, client_news *pnews)
{
    h2_loop *loop = context->session->loop;
    apr_status_t rv;

    h2_loop_lock(loop);
    rv = h2_pollfd_open(context);
    *pnews = (rv == APR_SUCCESS) ? news_of(input, context) : NEWS_NONE;
    h2_loop_unlock(loop);
    return rv;
}

/* Waits for the first count of fds. */
static apr_status_t poll_fds(apr_pollfd_t *fds, int count, apr_interval_time_t timeout)
{
    apr_int32_t ready;
    apr_status_t rv;

    do {
        rv = apr_poll(fds, count, &ready, timeout);
    } while (APR_STATUS_IS_EINTR(rv));
    return rv;
}

/* Waits for the back end, and for news of the client, at most as long as the socket says:
 * APR_TIMEUP. */
static apr_status_t wait_for_both(const ap_filter_t *f, h2_context *context, client_news *pnews)
{
    apr_socket_t *socket = ap_get_conn_socket(f->c);
    apr_pollfd_t fds[2] = {
        {context->pool, APR_POLL_SOCKET, APR_POLLIN, 0, {NULL}, NULL},
        {context->pool, APR_POLL_FILE, APR_POLLIN, 0, {NULL}, NULL},
    };
    apr_interval_time_t timeout = -1;
    apr_status_t rv = socket ? apr_socket_timeout_get(socket, &timeout) : APR_ENOTIMPL;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    fds[0].desc.s = socket;
    if (!context->exchange->signal_in) {
        int is_short = (timeout >= 0 && timeout <= H2_QUICK_ANSWER_USEC);

        rv = poll_fds(fds, 1, is_short ? timeout : H2_QUICK_ANSWER_USEC);
        if (is_short || !APR_STATUS_IS_TIMEUP(rv)) {
            return rv;
        }
    }
    rv = ask_client(f->ctx, context, pnews);
    while (rv == APR_SUCCESS && *pnews == NEWS_NONE) {
        fds[1].desc.f = context->exchange->signal_in;
        rv = poll_fds(fds, 2, timeout);
        if (rv != APR_SUCCESS || fds[0].rtnevents) {
            break;
        }
        rv = ask_client(f->ctx, context, pnews);
    }
    return rv;
}

static apr_status_t tell(const ap_filter_t *f, apr_bucket_brigade *bb, h2_context *context,
                         client_news news)
{
    if (news == NEWS_GONE) {
        context->c->aborted = 1;
    }
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_immortal_create(H2_NEWS_FRAME, H2_FRAME_HEADER_BYTES,
                                                           f->c->bucket_alloc));
    return APR_SUCCESS;
}

static int has_nothing(apr_status_t rv, const apr_bucket_brigade *bb)
{
    return APR_STATUS_IS_EAGAIN(rv) || (rv == APR_SUCCESS && APR_BRIGADE_EMPTY(bb));
}

/* As a blocking read, but that news of the client end it. */
static apr_status_t read_beside_client(ap_filter_t *f, apr_bucket_brigade *bb,
                                       apr_off_t readbytes)
{
    h2_context *context = current;
    client_news news = NEWS_NONE;
    apr_status_t rv;
    int tries;

    for (tries = 0; tries < H2_EMPTY_READS_MAX; ++tries) {
        rv = ap_get_brigade(f->next, bb, AP_MODE_READBYTES, APR_NONBLOCK_READ, readbytes);
        if (!has_nothing(rv, bb)) {
            return rv;
        }
        rv = wait_for_both(f, context, &news);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (news != NEWS_NONE) {
            return tell(f, bb, context, news);
        }
    }
    return ap_get_brigade(f->next, bb, AP_MODE_READBYTES, APR_BLOCK_READ, readbytes);
}

static apr_status_t filter_backend(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
                                   apr_read_type_e block, apr_off_t readbytes)
{
    backend_input *input = f->ctx;
    apr_status_t rv;

    if (mode != AP_MODE_READBYTES) {
        /* HTTP/2 is not read in lines. mod_proxy looks whether a connection still lives. */
        input->framing.is_other |= (mode != AP_MODE_INIT && mode != AP_MODE_SPECULATIVE);
    }
    if (mode != AP_MODE_READBYTES || input->framing.is_other) {
        return ap_get_brigade(f->next, bb, mode, block, readbytes);
    }
    rv = (block == APR_BLOCK_READ && current && h2_framing_is_between(&input->framing))
             ? read_beside_client(f, bb, readbytes)
             : ap_get_brigade(f->next, bb, mode, block, readbytes);
    if (rv == APR_SUCCESS) {
        follow(&input->framing, bb);
    }
    return rv;
}

#if H2_HAS_OUTGOING_HOOK
/* With each use of a connection to a back end, as a rule; for the first time before it has any
 * other filter. */
static int bind_outgoing(conn_rec *c, ap_conf_vector_t *dir_conf, int enable_ssl)
{
    (void)dir_conf;
    (void)enable_ssl;
    if (!c->input_filters) {
        ap_add_input_filter_handle(backend_filter, apr_pcalloc(c->pool, sizeof(backend_input)),
                                   NULL, c);
    }
    return DECLINED;
}
#endif

void h2_backend_register(void)
{
    /* It sees what TLS has decrypted. */
    backend_filter = ap_register_input_filter("H2_BACKEND", filter_backend, NULL,
                                              AP_FTYPE_CONNECTION);
#if H2_HAS_OUTGOING_HOOK
    ap_hook_ssl_bind_outgoing(bind_outgoing, NULL, NULL, APR_HOOK_REALLY_FIRST);
#endif
}

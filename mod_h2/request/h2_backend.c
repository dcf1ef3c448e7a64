#include "request/h2_backend.h"

#include <apr_poll.h>

#include <http_connection.h>
#include <http_core.h>
#include <http_ssl.h>
#include <util_filter.h>

#include "request/h2_pollfd.h"

/* A frame without payload of a type that is reserved for being ignored: 0x0b + 0x1f * n. */
#define H2_NEWS_FRAME "\0\0\0\xa6\0\0\0\0\0"

#define H2_TYPE_SETTINGS 4

/* How often the socket may be readable without giving a byte, as a part of a TLS record does,
 * before it is read as the reader has asked for. */
#define H2_EMPTY_READS_MAX 8

/* Where the bytes of a back end's connection are in their frames. Who uses the connection. */
typedef struct backend_frames {
    unsigned char header[H2_FRAME_HEADER_BYTES];
    apr_size_t header_bytes;    /* of it that are there */
    apr_size_t payload_left;
    unsigned is_http2 : 1;      /* it began with SETTINGS */
    unsigned is_other : 1;      /* it began with something else */
    apr_off_t told_bytes;       /* of the body of told_stream: news that were told */
    const h2_stream *told_stream;
    unsigned has_told_end : 1;
} backend_frames;

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

static void header_is_complete(backend_frames *frames)
{
    const unsigned char *header = frames->header;

    frames->payload_left = (apr_size_t)header[0] << 16 | (apr_size_t)header[1] << 8 | header[2];
    frames->header_bytes = 0;
    if (!frames->is_http2) { /* the first one: RFC 9113, 3.4 */
        frames->is_http2 = header[3] == H2_TYPE_SETTINGS && header[4] == 0 && header[5] == 0
                           && header[6] == 0 && header[7] == 0 && header[8] == 0;
        frames->is_other = !frames->is_http2;
    }
}

static void follow_bytes(backend_frames *frames, const char *data, apr_size_t length)
{
    while (length && !frames->is_other) {
        apr_size_t used = frames->payload_left;

        if (used > length) {
            used = length;
        }
        frames->payload_left -= used;
        data += used;
        length -= used;
        while (length && !frames->payload_left && frames->header_bytes < H2_FRAME_HEADER_BYTES) {
            frames->header[frames->header_bytes++] = (unsigned char)*data++;
            --length;
        }
        if (frames->header_bytes == H2_FRAME_HEADER_BYTES) {
            header_is_complete(frames);
        }
    }
}

static void follow(backend_frames *frames, const apr_bucket_brigade *bb)
{
    apr_bucket *b;
    const char *data;
    apr_size_t length;

    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb); b = APR_BUCKET_NEXT(b)) {
        if (!APR_BUCKET_IS_METADATA(b)) {
            if (apr_bucket_read(b, &data, &length, APR_BLOCK_READ) != APR_SUCCESS) {
                frames->is_other = 1; /* nobody knows where it is any more */
                return;
            }
            follow_bytes(frames, data, length);
        }
    }
}

/* May a frame be put between what was read and what comes? */
static int is_between_frames(const backend_frames *frames)
{
    return frames->is_http2 && !frames->is_other && !frames->header_bytes
           && !frames->payload_left;
}

/* What the request does not know yet. Each piece is told once: what it is not ready to read,
 * it reads later. Without news the pipe has none, either. Holder. */
static client_news news_of(backend_frames *frames, h2_context *context)
{
    h2_exchange *exchange = context->exchange;
    const h2_stream *stream = context->stream;

    if (exchange->is_aborted) {
        return NEWS_GONE;
    }
    if (frames->told_stream != stream) {
        frames->told_stream = stream;
        frames->told_bytes = 0;
        frames->has_told_end = 0;
    }
    if ((!h2_chunks_is_empty(&exchange->in) && frames->told_bytes != stream->in_bytes)
        || (exchange->in_is_ended && !context->body_is_ended && !frames->has_told_end)) {
        frames->told_bytes = stream->in_bytes;
        frames->has_told_end = exchange->in_is_ended;
        return NEWS_BODY;
    }
    h2_exchange_settle(exchange);
    return NEWS_NONE;
}

static apr_status_t ask_client(backend_frames *frames, h2_context *context, client_news *pnews)
{
    h2_loop *loop = context->session->loop;
    apr_status_t rv;

    h2_loop_lock(loop);
    rv = h2_pollfd_open(context);
    *pnews = (rv == APR_SUCCESS) ? news_of(frames, context) : NEWS_NONE;
    h2_loop_unlock(loop);
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
    apr_int32_t count;

    if (rv == APR_SUCCESS) {
        rv = ask_client(f->ctx, context, pnews);
    }
    while (rv == APR_SUCCESS && *pnews == NEWS_NONE) {
        fds[0].desc.s = socket;
        fds[1].desc.f = context->exchange->signal_in;
        rv = apr_poll(fds, 2, &count, timeout);
        if (APR_STATUS_IS_EINTR(rv)) {
            rv = APR_SUCCESS;
            continue;
        }
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
    backend_frames *frames = f->ctx;
    apr_status_t rv;

    if (mode != AP_MODE_READBYTES) {
        /* HTTP/2 is not read in lines. mod_proxy looks whether a connection still lives. */
        frames->is_other |= (mode != AP_MODE_INIT && mode != AP_MODE_SPECULATIVE);
    }
    if (mode != AP_MODE_READBYTES || frames->is_other) {
        return ap_get_brigade(f->next, bb, mode, block, readbytes);
    }
    rv = (block == APR_BLOCK_READ && current && is_between_frames(frames))
             ? read_beside_client(f, bb, readbytes)
             : ap_get_brigade(f->next, bb, mode, block, readbytes);
    if (rv == APR_SUCCESS) {
        follow(frames, bb);
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
        ap_add_input_filter_handle(backend_filter, apr_pcalloc(c->pool, sizeof(backend_frames)),
                                   NULL, c);
    }
    return DECLINED;
}
#endif

void h2_backend_register(void)
{
    backend_filter = ap_register_input_filter("H2_BACKEND", filter_backend, NULL,
                                              AP_FTYPE_CONNECTION); /* sees what TLS has decrypted */
#if H2_HAS_OUTGOING_HOOK
    ap_hook_ssl_bind_outgoing(bind_outgoing, NULL, NULL, APR_HOOK_REALLY_FIRST);
#endif
}

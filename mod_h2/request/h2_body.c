/*
 * The body of a request: from the exchange to whoever reads it in httpd.
 */
#include <http_core.h>
#include <http_protocol.h>

#include <stdlib.h>

#include "base/h2_log.h"
#include "message/h2_trailer.h"
#include "request/h2_context.h"
#include "request/h2_filters.h"
#include "request/h2_output.h"
#include "request/h2_pump.h"
#include "request/h2_request.h"
#include "request/h2_tunnel.h"
#include "session/h2_windows.h"

/* RFC 9110, 8.3.1, with whatever follows it. */
#define GRPC_TYPE "application/grpc"

/* What is taken out of the exchange at once, at least a chunk: the handler has that
 * beside what the client may send ahead. */
#define H2_BODY_TAKE_BYTES 65536

/* May the client send as slowly as it likes? Who has begun to answer talks with it; and so do calls
 * of gRPC, whose messages come when there are any. */
static int may_be_slow(const h2_context *context)
{
    const request_rec *r = context->r;
    const char *type;

    if (!context->session->conf->min_request_rate || context->tunnel || context->is_published) {
        return 1;
    }
    type = apr_table_get(r->headers_in, "Content-Type");
    return type && r->proxyreq
           && !strncasecmp(type, GRPC_TYPE, sizeof(GRPC_TYPE) - 1);
}

/* Waits, where that has not been for so long and for so little that nobody does: APR_TIMEUP. */
static apr_status_t wait_for_more(h2_context *context)
{
    h2_loop *loop = context->session->loop;
    apr_interval_time_t timeout = context->stream_timeout;
    apr_off_t least = (apr_off_t)context->session->conf->min_request_rate * apr_time_sec(timeout);
    apr_time_t begun = loop->now;
    apr_status_t rv;

    if (timeout > 0 && context->waited >= timeout) {
        if (context->waited_bytes < least && !may_be_slow(context)) {
            h2_stats_count(loop->stats, H2_COUNT_LIMIT_REQUEST_RATE);
            h2_log(APLOG_INFO, 0, context->session->c,
                   H2_ID_FMT
                   "the request's body comes slower than H2MinRequestRate (%d bytes a second) "
                   "within H2StreamTimeout (%" APR_TIME_T_FMT " ms): reading it fails",
                   context->session->c->id, context->stream->id,
                   context->session->conf->min_request_rate, apr_time_as_msec(timeout));
            return APR_TIMEUP;
        }
        context->waited = 0;
        context->waited_bytes = 0;
    }
    rv = h2_pump_wait(context);
    context->waited += loop->now - begun;
    if (APR_STATUS_IS_TIMEUP(rv)) {
        h2_log(APLOG_INFO, 0, context->session->c,
               H2_ID_FMT
               "nothing of the request's body has come within H2StreamTimeout (%" APR_TIME_T_FMT
               " ms): reading it fails",
               context->session->c->id, context->stream->id, apr_time_as_msec(timeout));
    }
    return rv;
}

/* Waits until there is something to read; gives the first chunks, or none when the
 * body has ended. */
static apr_status_t take_chunks(h2_context *context, apr_read_type_e block, h2_chunks *taken)
{
    h2_exchange *exchange = context->exchange;
    h2_loop *loop = context->session->loop;
    apr_status_t rv = APR_SUCCESS;
    int has_waited = 0, has_credited = 0;

    h2_chunks_init(taken);
    h2_loop_lock(loop);
    if (block == APR_NONBLOCK_READ && h2_chunks_is_empty(&exchange->in)) {
        h2_pump_look(context);
    }
    while (rv == APR_SUCCESS && h2_chunks_is_empty(&exchange->in) && !exchange->in_is_ended
           && !exchange->is_aborted) {
        if (!has_credited) {
            h2_session_credit(context->session, context->stream);
            h2_pump_credit(context);
            has_credited = 1;
            continue; /* writing may have ended the stream, and nobody wakes it for that */
        }
        if (block == APR_NONBLOCK_READ) {
            rv = APR_EAGAIN;
            break;
        }
        rv = wait_for_more(context);
        has_waited = 1;
        has_credited = 0;
    }
    if (APR_STATUS_IS_EAGAIN(rv)) {
        h2_exchange_settle(exchange);
    }
    if (exchange->is_aborted) {
        rv = APR_ECONNABORTED;
    }
    else if (rv == APR_SUCCESS && !h2_chunks_is_empty(&exchange->in)) {
        while (!h2_chunks_is_empty(&exchange->in) && taken->total_bytes < H2_BODY_TAKE_BYTES) {
            h2_chunks_append(taken, h2_chunks_pop(&exchange->in));
        }
        context->waited_bytes += taken->total_bytes;
        if (has_waited) {
            h2_session_widen(context->session, context->stream);
        }
        h2_session_consumed(context->session, context->stream,
                            (apr_size_t)taken->total_bytes);
        h2_pump_credit(context);
    }
    h2_loop_unlock(loop);
    return rv;
}

/* Gives the chunk's bytes as a bucket, which frees it. */
static apr_bucket *bucket_of(h2_chunk *chunk, apr_bucket_alloc_t *list)
{
    /* The chunk's header and its bytes are one block: free both through it. */
    apr_size_t before = (apr_size_t)(chunk->data - (const char *)chunk);
    apr_size_t length = (apr_size_t)chunk->length;
    apr_bucket *b = apr_bucket_heap_create((const char *)chunk, before + length, free, list);

    b->start += (apr_off_t)before;
    b->length = length;
    return b;
}

/* Fills context->body unless it has something. */
static apr_status_t fill_body(h2_context *context, apr_read_type_e block)
{
    apr_bucket_alloc_t *list = context->bucket_alloc;
    h2_chunks taken;
    h2_chunk *chunk;
    apr_status_t rv;

    if (!context->body) {
        context->body = apr_brigade_create(context->pool, list);
    }
    if (!APR_BRIGADE_EMPTY(context->body)) {
        return APR_SUCCESS;
    }
    if (!context->body_is_ended) {
        rv = take_chunks(context, block, &taken);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        context->body_is_ended = h2_chunks_is_empty(&taken);
        while ((chunk = h2_chunks_pop(&taken)) != NULL) {
            APR_BRIGADE_INSERT_TAIL(context->body, bucket_of(chunk, list));
        }
    }
    if (context->body_is_ended && context->tunnel) {
        return APR_EOF; /* as of a socket */
    }
    if (context->body_is_ended) { /* who asks again sees the end again, as of HTTP_IN */
        APR_BRIGADE_INSERT_TAIL(context->body, apr_bucket_eos_create(list));
    }
    return APR_SUCCESS;
}

static apr_status_t read_bytes(h2_context *context, apr_bucket_brigade *bb,
                               apr_off_t readbytes)
{
    apr_bucket *after;
    apr_status_t rv = apr_brigade_partition(context->body, readbytes, &after);

    if (rv != APR_SUCCESS && rv != APR_INCOMPLETE) {
        return rv;
    }
    while (!APR_BRIGADE_EMPTY(context->body) && APR_BRIGADE_FIRST(context->body) != after) {
        apr_bucket *b = APR_BRIGADE_FIRST(context->body);

        APR_BUCKET_REMOVE(b);
        APR_BRIGADE_INSERT_TAIL(bb, b);
    }
    return APR_SUCCESS;
}

static apr_status_t look_ahead(h2_context *context, apr_bucket_brigade *bb,
                               apr_off_t readbytes)
{
    apr_bucket *b;

    for (b = APR_BRIGADE_FIRST(context->body);
         b != APR_BRIGADE_SENTINEL(context->body) && readbytes > 0; b = APR_BUCKET_NEXT(b)) {
        apr_bucket *copy;
        apr_status_t rv = apr_bucket_copy(b, &copy);

        if (rv != APR_SUCCESS) {
            return rv;
        }
        if ((apr_off_t)copy->length > readbytes) {
            apr_bucket_split(copy, (apr_size_t)readbytes);
            apr_bucket_delete(APR_BUCKET_NEXT(copy));
        }
        APR_BRIGADE_INSERT_TAIL(bb, copy);
        readbytes -= (apr_off_t)copy->length;
    }
    return APR_SUCCESS;
}

apr_status_t h2_filter_in(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
                          apr_read_type_e block, apr_off_t readbytes)
{
    h2_context *context = f->ctx;
    apr_status_t rv;

    if (f->c->aborted) {
        return APR_ECONNABORTED;
    }
    if (mode == AP_MODE_INIT) {
        return APR_SUCCESS;
    }
    rv = APR_SUCCESS;
    if (context->tunnel) {
        if (context->tunnel->is_refused) {
            return APR_ECONNABORTED;
        }
        h2_tunnel_look_at_end(context);
        rv = h2_tunnel_may_read(context);
    }
    if (rv == APR_SUCCESS) {
        rv = fill_body(context, block);
    }
    if (rv != APR_SUCCESS) {
        f->c->aborted = APR_STATUS_IS_ECONNABORTED(rv);
        return rv;
    }
    switch (mode) {
    case AP_MODE_SPECULATIVE:
        return look_ahead(context, bb, readbytes);
    case AP_MODE_GETLINE:
        return apr_brigade_split_line(bb, context->body, block, HUGE_STRING_LEN);
    case AP_MODE_EXHAUSTIVE:
        APR_BRIGADE_CONCAT(bb, context->body);
        return APR_SUCCESS;
    default:
        return read_bytes(context, bb, readbytes);
    }
}

/* The client waits for a 100 before it sends the body: it gets one when somebody will wait for
 * that. Who reads without waiting may leave the decision to another, as mod_proxy_http does to
 * the back end. Gives whether there will be no body, as the request is refused. */
static int ask_for_body(h2_context *context, request_rec *r)
{
    request_rec *of;

    if (r->eos_sent || r->bytes_sent) {
        return 0;
    }
    if (!ap_is_HTTP_SUCCESS(r->status)) {
        return 1;
    }
    for (of = r; of; of = of->main) {
        of->expecting_100 = 0;
    }
    if (!r->read_length) {
        h2_output_interim(context, HTTP_CONTINUE, NULL);
    }
    return 0;
}

/* What is understood in a head only would mislead those who read it as if it had been there. */
static void keep_allowed(const h2_context *context, request_rec *r, const h2_head *trailers)
{
    int i;

    for (i = 0; i < h2_head_count(trailers); ++i) {
        const char *name = h2_head_field(trailers, i).name;

        if (!h2_trailer_is_allowed(name) && apr_table_get(r->trailers_in, name)) {
            apr_table_unset(r->trailers_in, name);
            ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                          H2_ID_FMT "field '%s' may not be a trailer and is left out",
                          context->session->c->id, context->stream->id, name);
        }
    }
}

/* Gives 0, or the status of the error to answer: r has none of them then. */
static int take_trailers(h2_context *context, request_rec *r)
{
    h2_loop *loop = context->session->loop;
    const h2_head *trailers;

    if (context->has_trailers) {
        return 0; /* who reads past the end sees it again */
    }
    context->has_trailers = 1;
    h2_loop_lock(loop);
    trailers = context->exchange->in_trailers;
    h2_loop_unlock(loop);
    if (trailers) { /* immutable since the body has ended */
        int status = h2_request_check_fields(r->server, trailers);

        if (status) {
            return status;
        }
        h2_head_to_table(trailers, r->trailers_in);
        keep_allowed(context, r, trailers);
    }
    return 0;
}

/* In the place of a body that the request is not to see: the response is this error. */
static apr_status_t answer_error(ap_filter_t *f, apr_bucket_brigade *bb, int status)
{
    apr_bucket_alloc_t *list = f->c->bucket_alloc;

    apr_brigade_cleanup(bb);
    APR_BRIGADE_INSERT_TAIL(bb, ap_bucket_error_create(status, NULL, f->r->pool, list));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(list));
    ap_pass_brigade(f->r->output_filters, bb);
    apr_brigade_cleanup(bb);
    return AP_FILTER_ERROR;
}

/* Adds to r->read_length, APR_ENOSPC beyond LimitRequestBody. */
static apr_status_t check_limit(const h2_context *context, request_rec *r,
                                apr_bucket_brigade *bb)
{
    apr_off_t limit = ap_get_limit_req_body(r);
    apr_off_t length = 0;

    apr_brigade_length(bb, 0, &length);
    r->read_length += length;
    if (limit > 0 && r->read_length > limit) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r,
                      H2_ID_FMT
                      "the request's body is larger than LimitRequestBody (%" APR_OFF_T_FMT ")",
                      context->session->c->id, context->stream->id, limit);
        return APR_ENOSPC; /* httpd makes a 413 of it */
    }
    return APR_SUCCESS;
}

apr_status_t h2_filter_body(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
                            apr_read_type_e block, apr_off_t readbytes)
{
    h2_context *context = f->ctx;
    apr_status_t rv;

    if (context->tunnel) { /* what follows the head is no body: who reads it knows that it is open,
                            * and asks the connection's filters */
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(f->c->bucket_alloc));
        return APR_SUCCESS;
    }
    if (f->r->expecting_100 && block == APR_BLOCK_READ && ask_for_body(context, f->r)) {
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_eos_create(f->c->bucket_alloc));
        return APR_SUCCESS;
    }
    rv = ap_get_brigade(f->next, bb, mode, block, readbytes);
    if (rv != APR_SUCCESS || mode == AP_MODE_SPECULATIVE) {
        return rv;
    }
    if (!APR_BRIGADE_EMPTY(bb) && APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(bb))) {
        int status = take_trailers(context, f->r);

        if (status) {
            return answer_error(f, bb, status);
        }
    }
    return check_limit(context, f->r, bb);
}

#include "request/h2_output.h"

#include <stdlib.h>

#include <apr_portable.h>

#include <http_protocol.h>

#include "message/h2_server_timing.h"
#include "request/h2_pump.h"
#include "session/h2_push.h"
#include "session/h2_streams.h"
#include "session/h2_timers.h"

/* Interim responses of a request that may wait to be sent. */
#define H2_INTERIM_PENDING_MAX 16

/* What a bucket costs beside its bytes. */
#define H2_BUCKET_BYTES (sizeof(apr_bucket) + 64)

apr_status_t h2_output_head(h2_context *context, request_rec *r, int status)
{
    const char *bad_name = NULL;
    apr_status_t rv = h2_response_create(&context->response, r->pool, status, r->headers_out,
                                         NULL, &bad_name);

    if (rv != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, rv, r,
                      H2_ID_FMT "response field '%s' cannot be sent, the stream is reset",
                      context->session->c->id, context->stream->id, bad_name);
        context->is_failed = 1;
    }
    return rv;
}

/* Before what they go with. Holder. */
static void publish_promises(h2_context *context)
{
    if (context->promises) {
        h2_session_push(context->session, context->stream, context->promises);
        context->promises = NULL;
    }
}

/* Puts the final head into the exchange, once. Holder. */
static void publish_head(h2_context *context)
{
    publish_promises(context);
    if (context->response && !context->is_published) {
        context->is_published = 1;
        context->exchange->timeout = context->stream_timeout;
        context->exchange->out_response = context->response;
    }
}

/* Lets the client have it. Holder, by the runner. */
static void pump(h2_context *context)
{
    h2_session_has_output(context->session, context->stream);
    h2_pump_by_runner(context);
}

static apr_status_t wait_for_client(h2_context *context)
{
    apr_status_t rv = h2_pump_wait(context);

    if (APR_STATUS_IS_TIMEUP(rv)) {
        h2_session_note_slow(context->session, context->stream, context->stream_timeout);
        context->stream->stalled_since = 0; /* it is told, and the request ends by it */
    }
    return rv;
}

static int count_interim(const h2_exchange *exchange)
{
    const h2_response *interim;
    int count = 0;

    for (interim = exchange->out_interim; interim; interim = interim->next) {
        ++count;
    }
    return count;
}

apr_status_t h2_output_interim(h2_context *context, int status, const apr_table_t *fields)
{
    h2_exchange *exchange = context->exchange;
    h2_loop *loop = context->session->loop;
    h2_response *interim, **plast;
    const char *bad_name;
    apr_status_t rv;

    if (status == HTTP_SWITCHING_PROTOCOLS || context->response || context->stream->pushed_on) {
        return APR_SUCCESS; /* no such thing in HTTP/2, RFC 9113, 8.6; too late; not asked for */
    }
    fields = fields ? apr_table_clone(context->pool, fields) : NULL;
    rv = h2_response_create(&interim, context->pool, status, fields, NULL, &bad_name);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    h2_loop_lock(loop);
    while (rv == APR_SUCCESS && !exchange->is_aborted
           && count_interim(exchange) >= H2_INTERIM_PENDING_MAX) {
        rv = wait_for_client(context);
    }
    if (exchange->is_aborted) {
        rv = APR_ECONNABORTED;
    }
    else if (rv == APR_SUCCESS) {
        for (plast = &exchange->out_interim; *plast; plast = &(*plast)->next) {
            continue;
        }
        *plast = interim;
        publish_promises(context);
        pump(context);
    }
    h2_loop_unlock(loop);
    return rv;
}

void h2_output_promises(h2_context *context)
{
    h2_loop *loop = context->session->loop;

    if (context->promises) {
        h2_loop_lock(loop);
        publish_promises(context);
        h2_pump_by_runner(context);
        h2_loop_unlock(loop);
    }
}

/* A file that stays open until the stream has ended is read when it is sent. */
static int is_lasting_file(h2_context *context, apr_bucket *b)
{
    apr_bucket_file *file = b->data;

    return APR_BUCKET_IS_FILE(b) && !context->is_copying_files
           && (apr_file_pool_get(file->fd) == context->r->pool
               || apr_bucket_setaside(b, context->pool) == APR_SUCCESS);
}

/* Reads a bucket of unknown length, as from a pipe; what was staged before goes
 * out first if this would have to wait. */
static apr_status_t read_unknown(h2_context *context, apr_bucket *b)
{
    const char *data;
    apr_size_t length;
    apr_status_t rv = apr_bucket_read(b, &data, &length, APR_NONBLOCK_READ);

    if (APR_STATUS_IS_EAGAIN(rv)) {
        rv = h2_output_publish(context);
        if (rv == APR_SUCCESS) {
            rv = apr_bucket_read(b, &data, &length, APR_BLOCK_READ);
        }
    }
    return rv;
}

apr_status_t h2_output_stage(h2_context *context, apr_bucket *b)
{
    apr_status_t rv = APR_SUCCESS;

    if (b->length == (apr_size_t)-1) {
        /* Becomes a bucket with bytes, and the rest follows it. */
        rv = read_unknown(context, b);
    }
    if (rv == APR_SUCCESS && !is_lasting_file(context, b)) {
        const char *data;
        apr_size_t length;

        rv = apr_bucket_read(b, &data, &length, APR_BLOCK_READ);
        if (rv == APR_SUCCESS) {
            rv = apr_bucket_setaside(b, context->pool);
            if (APR_STATUS_IS_ENOTIMPL(rv)) {
                rv = APR_SUCCESS;
            }
        }
        context->staged_bytes += b->length + H2_BUCKET_BYTES;
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    APR_BUCKET_REMOVE(b);
    APR_BRIGADE_INSERT_TAIL(&context->staged, b);
    return (context->staged_bytes > context->staged_max) ? h2_output_publish(context)
                                                         : APR_SUCCESS;
}

static apr_status_t append_file(apr_pool_t *pool, h2_chunks *chunks, const apr_bucket *b,
                                int is_malloced)
{
    const apr_bucket_file *file = b->data;
    h2_chunk *chunk = is_malloced ? calloc(1, sizeof(*chunk))
                                  : apr_pcalloc(pool, sizeof(*chunk));

    if (!chunk) {
        return APR_ENOMEM;
    }
    apr_os_file_get(&chunk->descriptor, file->fd);
    chunk->offset = b->start;
    chunk->length = (apr_off_t)b->length;
    chunk->is_malloced = (is_malloced != 0);
    h2_chunks_append(chunks, chunk);
    return APR_SUCCESS;
}

static void append_memory(apr_pool_t *pool, h2_chunks *chunks, const char *data,
                          apr_size_t length)
{
    h2_chunk *chunk = apr_pcalloc(pool, sizeof(*chunk));

    chunk->data = data;
    chunk->length = (apr_off_t)length;
    h2_chunks_append(chunks, chunk);
}

/* Turns staged buckets into chunks. While the request runs, its pool and its
 * buckets are its own: bytes are copied then. */
static apr_status_t make_chunks(h2_context *context, h2_chunks *chunks, int is_running)
{
    h2_chunks_init(chunks);
    while (!APR_BRIGADE_EMPTY(&context->staged)) {
        apr_bucket *b = APR_BRIGADE_FIRST(&context->staged);
        const char *data;
        apr_size_t length;
        apr_status_t rv = APR_SUCCESS;
        int is_pinned = 1;

        if (!b->length) {
            is_pinned = 0;
        }
        else if (APR_BUCKET_IS_FILE(b)) {
            rv = append_file(context->pool, chunks, b, is_running);
        }
        else {
            rv = apr_bucket_read(b, &data, &length, APR_BLOCK_READ);
            if (rv == APR_SUCCESS && is_running) {
                rv = h2_chunks_add_copy(chunks, data, length);
                is_pinned = 0;
            }
            else if (rv == APR_SUCCESS) {
                append_memory(context->pool, chunks, data, length);
            }
        }
        if (rv != APR_SUCCESS) {
            h2_chunks_clear(chunks);
            return rv;
        }
        APR_BUCKET_REMOVE(b);
        if (is_pinned) {
            APR_BRIGADE_INSERT_TAIL(&context->pinned, b);
        }
        else {
            apr_bucket_destroy(b);
        }
    }
    context->staged_bytes = 0;
    if (context->is_nph) { /* H2_LENGTH does not see it */
        context->body_bytes += chunks->total_bytes;
    }
    return APR_SUCCESS;
}

/* The body of an nph script is there. Is it as long as the script has said, RFC 9113, 8.1.1? */
static void check_nph_length(h2_context *context)
{
    if (context->announced_bytes >= 0 && context->body_bytes != context->announced_bytes) {
        ap_log_cerror(APLOG_MARK, APLOG_ERR, 0, context->c,
                      H2_ID_FMT "an nph script's response of %" APR_OFF_T_FMT " bytes, but "
                      "Content-Length %" APR_OFF_T_FMT ": the stream is reset",
                      context->session->c->id, context->stream->id, context->body_bytes,
                      context->announced_bytes);
        context->is_failed = 1;
    }
}

apr_status_t h2_output_publish(h2_context *context)
{
    h2_exchange *exchange = context->exchange;
    h2_loop *loop = context->session->loop;
    h2_chunks chunks;
    apr_status_t rv = make_chunks(context, &chunks, 1);

    if (rv != APR_SUCCESS) {
        return rv;
    }
    h2_loop_lock(loop);
    if (!exchange->is_aborted) {
        h2_chunks_move(&exchange->out, &chunks);
        publish_head(context);
        pump(context);
    }
    while (rv == APR_SUCCESS && !exchange->is_aborted && !context->is_polling
           && exchange->out.memory_bytes > context->published_max) {
        rv = wait_for_client(context);
    }
    if (exchange->is_aborted) {
        rv = APR_ECONNABORTED;
    }
    else if (context->is_polling && exchange->out.memory_bytes > context->published_max) {
        h2_exchange_choke(exchange, (apr_off_t)context->published_max / 2);
        context->c->data_in_output_filters = 1;
    }
    h2_loop_unlock(loop);
    h2_chunks_clear(&chunks);
    return rv;
}

void h2_output_end(h2_context *context)
{
    h2_loop *loop = context->session->loop;

    h2_loop_lock(loop);
    if (!context->exchange->is_aborted) {
        context->exchange->out_is_ended = 1;
        pump(context);
    }
    h2_loop_unlock(loop);
}

/* Room for Server-Timing among the trailers, NULL: it is not to be there. It alone makes none of a
 * response without a body: the end of such is a flag of its head, which gRPC looks for. */
static char *room_for_timing(const h2_context *context, apr_pool_t *pool)
{
    int has_body = context->is_published || !APR_BRIGADE_EMPTY(&context->staged);

    return (context->has_timing && has_body) ? apr_palloc(pool, H2_SERVER_TIMING_BYTES) : NULL;
}

/* Those of the response, but for one that ends with its head: to HEAD, 204 and 304 (RFC 9110,
 * 15.3.5 and 15.4.5). */
static void make_trailers(h2_context *context)
{
    const request_rec *r = context->r;
    apr_array_header_t *dropped;
    char *timing;
    int i;

    while (r && r->next) {
        r = r->next; /* an internal redirect: its last one has answered */
    }
    if (!r || r->header_only || AP_STATUS_IS_HEADER_ONLY(r->status)) {
        return;
    }
    timing = room_for_timing(context, r->pool);
    if (apr_is_empty_table(r->trailers_out) && !timing) {
        return;
    }
    dropped = apr_array_make(r->pool, 0, sizeof(const char *));
    context->trailers = h2_response_create_trailers(r->pool, r->trailers_out, timing, dropped);
    for (i = 0; i < dropped->nelts; ++i) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      H2_ID_FMT "trailer '%s' cannot be sent and is left out",
                      context->session->c->id, context->stream->id,
                      APR_ARRAY_IDX(dropped, i, const char *));
    }
}

void h2_output_prepare_finish(h2_context *context, h2_chunks *chunks)
{
    h2_chunks_init(chunks);
    if (context->is_ended && !context->is_failed) {
        make_trailers(context);
        if (make_chunks(context, chunks, 0) != APR_SUCCESS) {
            context->is_failed = 1;
        }
        if (context->is_nph) {
            check_nph_length(context);
        }
    }
}

void h2_output_finish(h2_context *context, h2_chunks *chunks)
{
    h2_exchange *exchange = context->exchange;

    if (exchange->is_aborted) {
        h2_chunks_clear(chunks);
        return;
    }
    h2_chunks_move(&exchange->out, chunks);
    publish_head(context);
    exchange->out_trailers = context->trailers;
    exchange->out_is_failed = context->is_failed || !context->is_ended;
    exchange->needs_http_1_1 = context->needs_http_1_1;
    exchange->out_is_ended = context->is_ended && !context->is_failed;
}

/*
 * The requests of the machine: what httpd and its handlers would do is done by a plan. An octet of
 * it says what a request does; output, waiting and the end are those of request/.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <http_protocol.h>

#include "machine.h"
#include "request/h2_habits.h"
#include "request/h2_output.h"
#include "request/h2_pump.h"
#include "request/h2_request.h"
#include "session/h2_streams.h"
#include "session/h2_tunnels.h"
#include "session/h2_windows.h"
#include "worker/h2_leader.h"
#include "wire.h"

/* What the upper four bits of the plan's octet mean: bytes of a body. */
static const size_t body_sizes[16] = {0, 1, 5, 100, 1000, 4096, 16384, 16385,
                                      20000, 30000, 50000, 65536, 70000, 100000, 131072, 200000};

#define FILE_BYTES 70000

/* One request at work. */
typedef struct job {
    h2_context *context;
    h2_worker *worker;
    size_t size;    /* of its body, as planned */
    uint64_t sent;  /* of it, so far */
} job;

static void stage_bytes(job *at, size_t size)
{
    apr_bucket *b;
    char *bytes = fuzz_copy(wire_body(at->sent, size), size);
    apr_bucket_brigade *bb = apr_brigade_create(at->context->pool, at->context->bucket_alloc);

    at->sent += size;
    b = apr_bucket_heap_create(bytes, size, free, at->context->bucket_alloc);
    APR_BRIGADE_INSERT_TAIL(bb, b);
    if (h2_output_stage(at->context, b) != APR_SUCCESS) {
        at->context->is_failed = 1;
    }
    apr_brigade_cleanup(bb);
}

/* A descriptor whose content is the beginning of every body. */
static int file_descriptor(void)
{
    static int descriptor = -1;

    if (descriptor < 0) {
        descriptor = memfd_create("body", MFD_CLOEXEC);
        FUZZ_CHECK(write(descriptor, wire_body(0, FILE_BYTES), FILE_BYTES) == FILE_BYTES);
    }
    return descriptor;
}

/* The file is said to be longer than it is where the plan has more bytes. */
static void stage_file(job *at)
{
    h2_context *context = at->context;
    apr_bucket_brigade *bb = apr_brigade_create(context->pool, context->bucket_alloc);
    apr_os_file_t descriptor = file_descriptor();
    apr_file_t *file = NULL;

    apr_os_file_put(&file, &descriptor, APR_FOPEN_READ, context->pool);
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_file_create(file, 0, at->size, context->pool,
                                                       context->bucket_alloc));
    if (h2_output_stage(context, APR_BRIGADE_FIRST(bb)) != APR_SUCCESS) {
        context->is_failed = 1;
    }
    at->sent += at->size;
    apr_brigade_cleanup(bb);
}

static void make_head(job *at, int status)
{
    apr_table_t *fields = at->context->r->headers_out;

    apr_table_setn(fields, "Date", "Thu, 01 Jan 1970 00:00:00 GMT");
    apr_table_setn(fields, "X-Field", " \tblanks ");
    h2_output_head(at->context, at->context->r, status);
}

/* All of it, or up to limit octets; as H2_IN does it. Returns how many; *pis_gone: the stream. */
static size_t read_body(job *at, size_t limit, int *pis_gone)
{
    h2_context *context = at->context;
    h2_exchange *exchange = context->exchange;
    h2_loop *loop = context->session->loop;
    apr_status_t rv = APR_SUCCESS;
    size_t total = 0;

    h2_loop_lock(loop);
    while (rv == APR_SUCCESS && total < limit) {
        if (exchange->is_aborted) {
            rv = APR_ECONNABORTED;
        }
        else if (!h2_chunks_is_empty(&exchange->in)) {
            h2_chunk *chunk = h2_chunks_pop(&exchange->in);
            apr_size_t length = (apr_size_t)chunk->length;

            total += length;
            h2_session_widen(context->session, context->stream);
            h2_session_consumed(context->session, context->stream, length);
            h2_pump_credit(context);
            h2_chunk_destroy(chunk);
        }
        else if (exchange->in_is_ended) {
            break;
        }
        else {
            h2_session_credit(context->session, context->stream);
            h2_pump_credit(context);
            if (h2_chunks_is_empty(&exchange->in) && !exchange->in_is_ended
                && !exchange->is_aborted) {
                rv = h2_pump_wait(context);
            }
        }
    }
    h2_loop_unlock(loop);
    *pis_gone = (rv != APR_SUCCESS);
    return total;
}

/* Whoever has the lead may lose it here, as the watchdog sees a request that takes long. */
static void take_long(job *at)
{
    machine_pass_time(5000);
    at->context->has_waited |= h2_leader_detach(at->worker);
}

/* NULL: without memory. */
static h2_head *make_promised_head(const char *path)
{
    static const char *const fields[][2] = {
        {":method", "GET"}, {":scheme", "http"}, {":authority", "a.example"}, {"accept", "*/*"},
    };
    h2_head *head = h2_head_create(NULL);
    apr_status_t rv = APR_SUCCESS;
    size_t i;

    for (i = 0; head && rv == APR_SUCCESS && i < sizeof(fields) / sizeof(fields[0]); ++i) {
        rv = h2_head_add(head, fields[i][0], strlen(fields[i][0]), fields[i][1],
                         strlen(fields[i][1]), 1000);
    }
    if (head && rv == APR_SUCCESS) {
        rv = h2_head_add(head, ":path", 5, path, strlen(path), 1000);
    }
    if (rv != APR_SUCCESS) {
        h2_head_destroy(head, NULL);
    }
    return (rv == APR_SUCCESS) ? head : NULL;
}

static void add_promise(job *at, const char *path, int is_critical)
{
    h2_context *context = at->context;
    h2_promise *promise = apr_pcalloc(context->pool, sizeof(*promise)), **plast;

    promise->head = make_promised_head(path);
    promise->url_hash = strlen(path) * 0x9e3779b97f4a7c15;
    promise->is_critical = (is_critical != 0);
    for (plast = &context->promises; *plast; plast = &(*plast)->next) {
        continue;
    }
    if (promise->head) {
        *plast = promise;
    }
}

static void respond(job *at, size_t size)
{
    make_head(at, 200);
    if (size) {
        stage_bytes(at, size);
    }
    at->context->is_ended = 1;
}

static void respond_in_pieces(job *at)
{
    size_t left = at->size;
    int i;

    make_head(at, 200);
    for (i = 0; i < 3 && !at->context->is_failed; ++i) {
        size_t piece = (i < 2) ? at->size / 3 : left;

        stage_bytes(at, piece);
        left -= piece;
        if (h2_output_publish(at->context) != APR_SUCCESS) {
            at->context->is_failed = 1;
        }
    }
    at->context->is_ended = 1;
}

static void respond_with_trailers(job *at)
{
    request_rec *r = at->context->r;

    apr_table_setn(r->trailers_out, "Grpc-Status", "0");
    apr_table_setn(r->trailers_out, "Content-Length", "not allowed");
    apr_table_setn(r->trailers_out, "x-bad", "a\rb");
    respond(at, at->size);
}

static void respond_with_interim(job *at)
{
    apr_table_t *fields = apr_table_make(at->context->pool, 2);
    int i;

    apr_table_setn(fields, "Link", "</x.css>; rel=preload");
    for (i = 0; i < 20 && h2_output_interim(at->context, 103, fields) == APR_SUCCESS; ++i) {
        continue;
    }
    respond(at, at->size);
}

static void respond_with_promises(job *at)
{
    static const char *const paths[] = {"/1", "/22", "/333", "/4444"};
    size_t i;

    for (i = 0; at->context->may_push && i < sizeof(paths) / sizeof(paths[0]); ++i) {
        add_promise(at, paths[i], i == 2);
    }
    if (at->size & 1) {
        h2_output_promises(at->context);
    }
    respond(at, at->size);
}

static void respond_with_large_head(job *at)
{
    request_rec *r = at->context->r;
    char *value = apr_palloc(r->pool, 9000);
    int i;

    memset(value, 'v', 8999);
    value[8999] = '\0';
    for (i = 0; i < (int)(at->size % 17); ++i) {
        apr_table_addn(r->headers_out, "X-Large", value);
    }
    respond(at, at->size);
}

static void fail(job *at)
{
    h2_context *context = at->context;

    switch (at->size % 4) {
    case 0:
        break; /* nothing at all */
    case 1:
        apr_table_setn(context->r->headers_out, "x", "a\nb");
        make_head(at, 200);
        break;
    case 2:
        context->needs_http_1_1 = 1;
        context->is_failed = 1;
        break;
    default:
        make_head(at, 200);
        stage_bytes(at, at->size);
        h2_output_publish(context);
        context->is_failed = 1;
        break;
    }
}

/* Each side says something; who ends first is in the plan. */
static void talk(job *at)
{
    int is_gone, i;

    if (!at->context->may_tunnel || (at->size & 1)) {
        respond(at, at->size);
        return;
    }
    make_head(at, 200);
    for (i = 0; i < 3; ++i) {
        stage_bytes(at, at->size);
        if (h2_output_publish(at->context) != APR_SUCCESS
            || !read_body(at, at->size + 1, &is_gone)) {
            break;
        }
    }
    if (at->size & 4) {
        h2_output_end(at->context);
        read_body(at, SIZE_MAX, &is_gone);
    }
    at->context->is_ended = 1;
}

static void do_as_planned(job *at, unsigned plan)
{
    int is_gone = 0;

    switch (plan & 15) {
    case 0:
        respond(at, at->size);
        break;
    case 1:
        make_head(at, (at->size & 1) ? 204 : 304);
        at->context->is_ended = 1;
        break;
    case 2:
        respond_in_pieces(at);
        break;
    case 3:
        read_body(at, SIZE_MAX, &is_gone);
        respond(at, at->size);
        break;
    case 4:
        read_body(at, at->size, &is_gone);
        respond_in_pieces(at);
        break;
    case 5:
        respond_with_interim(at);
        break;
    case 6:
        respond_with_promises(at);
        break;
    case 7:
        fail(at);
        break;
    case 8:
        respond_with_trailers(at);
        break;
    case 9:
        make_head(at, 200);
        stage_file(at);
        at->context->is_ended = 1;
        break;
    case 10:
        respond_with_large_head(at);
        break;
    case 11:
        take_long(at);
        respond(at, at->size);
        break;
    case 12:
        apr_table_setn(at->context->r->headers_out, "Priority", (at->size & 1) ? "u=0, i" : "u=6");
        respond_in_pieces(at);
        break;
    case 13:
        make_head(at, 200);
        h2_output_publish(at->context);
        read_body(at, SIZE_MAX, &is_gone);
        stage_bytes(at, at->size);
        at->context->is_ended = 1;
        break;
    case 14:
        apr_table_setn(at->context->r->headers_out, "Content-Type", "text/css; charset=x");
        respond(at, at->size);
        break;
    default:
        respond_with_promises(at);
        take_long(at);
        break;
    }
}

static request_rec *make_request(h2_context *context)
{
    request_rec *r = apr_pcalloc(context->pool, sizeof(*r));

    r->pool = context->pool;
    r->connection = context->c;
    r->server = the_machine.server;
    r->status = 200;
    r->headers_out = apr_table_make(r->pool, 8);
    r->trailers_out = apr_table_make(r->pool, 2);
    return r;
}

void h2_request_run(h2_context *context, h2_worker *worker)
{
    unsigned plan = the_machine.setup->plan[the_machine.run_count++ % MACHINE_PLAN_BYTES];
    job at = {context, worker, body_sizes[plan >> 4], 0};

    context->worker = worker;
    worker->loop = context->session->loop;
    context->r = make_request(context);
    if (context->is_tunnel) {
        talk(&at);
    }
    else {
        do_as_planned(&at, plan);
    }
    h2_output_prepare_finish(context, &context->last_chunks);
}

/* As in request/h2_request.c. */
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

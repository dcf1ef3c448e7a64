#include "request/h2_context.h"

#include <stdlib.h>

#include <http_core.h>
#include <mod_log_config.h>

#include "request/h2_habits.h"
#include "session/h2_push.h"
#include "session/h2_tunnels.h"

/* Spare contexts of a loop: what a busy connection runs at a time. The others
 * go back to the system. */
#define H2_CONTEXT_SPARE_MAX 64

/* Memory that the allocator of a spare context may keep. */
#define H2_CONTEXT_KEPT_BYTES (256 * 1024)

/* After so many requests a context is made anew: what its bucket allocator has
 * once taken, it keeps. */
#define H2_CONTEXT_USES_MAX 10000

/* Beyond the state that any MPM keeps for a connection. */
#define H2_MPM_STATE_BYTES 512

APR_DECLARE_OPTIONAL_FN(void, ap_logio_add_bytes_out, (conn_rec *c, apr_off_t bytes));

typedef struct spare_list {
    APR_RING_HEAD(h2_context_spare, h2_context) ring;
    int count;
} spare_list;

/* One for each loop, guarded by it. */
static spare_list *spares;

/* The parent of all contexts' pools: what lives in the child's pool, as a file that
 * a module keeps open, outlives a request. */
static apr_pool_t *parent_pool;

/* Fixed since child start. */
static APR_OPTIONAL_FN_TYPE(ap_logio_add_bytes_out) *add_bytes_out;
static module *event_mpm;

void h2_context_init(apr_pool_t *pool, int loop_count)
{
    int i;

    parent_pool = pool;
    spares = apr_pcalloc(pool, loop_count * sizeof(spares[0]));
    for (i = 0; i < loop_count; ++i) {
        APR_RING_INIT(&spares[i].ring, h2_context, link);
    }
    add_bytes_out = APR_RETRIEVE_OPTIONAL_FN(ap_logio_add_bytes_out);
    event_mpm = ap_find_linked_module("event.c");
}

static h2_context *make_context(void)
{
    apr_allocator_t *allocator;
    apr_pool_t *pool;
    h2_context *context = calloc(1, sizeof(*context));

    if (!context || apr_allocator_create(&allocator) != APR_SUCCESS) {
        free(context);
        return NULL;
    }
    if (apr_pool_create_ex(&pool, parent_pool, NULL, allocator) != APR_SUCCESS) {
        apr_allocator_destroy(allocator);
        free(context);
        return NULL;
    }
    apr_allocator_owner_set(allocator, pool);
    apr_allocator_max_free_set(allocator, H2_CONTEXT_KEPT_BYTES);
    apr_pool_tag(pool, "h2_context");
    context->allocator = allocator;
    context->pool = pool;
    context->bucket_alloc = apr_bucket_alloc_create_ex(allocator);
    return context;
}

static void free_context(h2_context *context)
{
    apr_bucket_alloc_destroy(context->bucket_alloc);
    apr_pool_destroy(context->pool);
    free(context);
}

static h2_context *take_context(const h2_loop *loop)
{
    spare_list *list = &spares[loop->index];
    h2_context *context;

    if (APR_RING_EMPTY(&list->ring, h2_context, link)) {
        h2_stats_count(loop->stats, H2_COUNT_CONTEXTS_MADE);
        return make_context();
    }
    h2_stats_count(loop->stats, H2_COUNT_CONTEXTS_REUSED);
    context = APR_RING_FIRST(&list->ring);
    APR_RING_REMOVE(context, link);
    --list->count;
    return context;
}

/* Event's hooks write to the state that it keeps for a connection; a secondary
 * gets one of its own, which nobody reads. */
static void set_mpm_state(conn_rec *c)
{
    if (event_mpm) {
        ap_set_module_config(c->conn_config, event_mpm,
                             apr_pcalloc(c->pool, H2_MPM_STATE_BYTES));
    }
}

/* Nothing of it may be shared with another thread but what never changes. */
static conn_rec *make_secondary(h2_context *context, conn_rec *master, long id)
{
    apr_pool_t *pool = context->pool;
    conn_rec *c = apr_pcalloc(pool, sizeof(*c));

    c->pool = pool;
    c->base_server = master->base_server;
    c->vhost_lookup_data = master->vhost_lookup_data;
    c->local_addr = master->local_addr;
    c->local_ip = master->local_ip;
    /* A look-up of the client's name is kept in the address. */
    apr_sockaddr_info_copy(&c->client_addr, master->client_addr, pool);
    c->client_ip = master->client_ip;
    c->conn_config = ap_create_conn_config(pool);
    c->notes = apr_table_make(pool, 5);
    c->bucket_alloc = context->bucket_alloc;
    c->id = id;
    c->keepalives = 1;
    c->keepalive = AP_CONN_CLOSE; /* nobody is to drain a body or to look ahead */
    c->clogging_input_filters = 1;
    c->master = master;
    c->cs = apr_pcalloc(pool, sizeof(*c->cs));
    c->cs->state = CONN_STATE_HANDLER;
    ap_set_module_config(c->conn_config, &http2_module, context);
    set_mpm_state(c);
    return c;
}

/* One that h2_context_end() cleans up, and not the pool. */
static void init_brigade(apr_bucket_brigade *bb, const h2_context *context)
{
    bb->p = context->pool;
    bb->bucket_alloc = context->bucket_alloc;
    APR_RING_INIT(&bb->list, apr_bucket, link);
}

h2_context *h2_context_create(h2_session *session, h2_stream *stream)
{
    h2_loop *loop = session->loop;
    h2_context *context = take_context(loop);

    if (!context) {
        return NULL;
    }
    ++context->use_count;
    context->session = session;
    context->stream = stream;
    context->exchange = &stream->exchange;
    context->staged_max = session->conf->stream_mem_bytes / 4;
    context->published_max = session->conf->stream_mem_bytes - context->staged_max;
    context->stream_timeout = session->timeout;
    context->is_buffering = 1;
    context->announced_bytes = -2;
    context->has_no_body = stream->exchange.in_is_ended && !stream->in_bytes
                           && !stream->exchange.in_trailers;
    context->may_push = !stream->pushed_on && !stream->is_tunnel && h2_session_may_push(session);
    context->is_tunnel = stream->is_tunnel;
    context->may_tunnel = stream->is_tunnel && h2_session_enter_tunnel(session);
    context->habit = h2_habits_of(stream);
    context->priority = stream->priority;
    context->has_priority = session->client.has_priorities;
    context->dependency = stream->dependency;
    stream->exchange.context = context;
    context->c = make_secondary(context, session->c, h2_loop_next_id(loop));
    init_brigade(&context->staged, context);
    init_brigade(&context->pinned, context);
    return context;
}

/* httpd would count it when it is logged, which is after its last bytes were sent. */
void h2_context_count(h2_context *context, const h2_worker *worker)
{
    if (!context->is_counted && context->end_of_request && ap_extended_status) {
        context->is_counted = 1;
        /* mod_logio knows of no bytes before the log; without it r->bytes_sent is used. */
        h2_worker_count_request(worker, context->r,
                                add_bytes_out ? context->stream->out_bytes : 0);
    }
}

void h2_context_end(h2_context *context, const h2_worker *worker)
{
    conn_rec *c = context->c;

    h2_context_count(context, worker);
    context->is_ending = 1;
    c->sbh = NULL; /* httpd counts it no second time */
    c->current_thread = worker->thread;
    if (add_bytes_out) {
        add_bytes_out(c, (apr_off_t)context->stream->out_bytes);
    }
    for (; context->promises; context->promises = context->promises->next) {
        h2_head_destroy(context->promises->head, NULL); /* nothing was published after them */
    }
    apr_brigade_cleanup(&context->staged);
    apr_brigade_cleanup(&context->pinned);
    if (context->end_of_request) {
        apr_bucket_destroy(context->end_of_request); /* logs it */
    }
    apr_pool_clear(context->pool);
}

void h2_context_recycle(h2_context *context, h2_loop *loop)
{
    spare_list *list = &spares[loop->index];
    apr_size_t kept_bytes = APR_OFFSETOF(h2_context, session);

    h2_loop_assert_held(loop);
    if (list->count >= H2_CONTEXT_SPARE_MAX || context->use_count >= H2_CONTEXT_USES_MAX) {
        free_context(context);
        return;
    }
    memset((char *)context + kept_bytes, 0, sizeof(*context) - kept_bytes);
    APR_RING_INSERT_HEAD(&list->ring, context, h2_context, link);
    ++list->count;
}

int h2_context_spare_count(const h2_loop *loop)
{
    return spares[loop->index].count;
}

h2_context *h2_context_of(const conn_rec *c)
{
    return c->master ? ap_get_module_config(c->conn_config, &http2_module) : NULL;
}

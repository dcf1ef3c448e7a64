#include "request/h2_log_items.h"

#include <mod_log_config.h>

#include "base/h2_clock.h"
#include "request/h2_context.h"

#define ITEM "^H2"

/* A stream at the moment of the log. */
typedef struct figures {
    const h2_context *context;
    apr_pool_t *pool;
    const h2_stream *stream; /* of it, what is fixed */
    h2_stream_trace trace;
    h2_priority priority;
    h2_dependency dependency;
} figures;

static void copy_stream(figures *of)
{
    of->trace = of->stream->trace;
    of->priority = of->stream->priority;
    of->dependency = of->stream->dependency;
}

/* The stream has ended, and belongs to the thread that logs; unless a module has a request of its
 * own logged while that runs. */
static void take_figures(figures *of)
{
    h2_loop *loop = of->context->session->loop;

    if (of->context->is_ending) {
        copy_stream(of);
        return;
    }
    h2_loop_lock(loop);
    copy_stream(of);
    h2_loop_unlock(loop);
}

static const char *number(const figures *of, apr_int64_t value)
{
    return apr_psprintf(of->pool, "%" APR_INT64_T_FMT, value);
}

static const char *item_stream(const figures *of)
{
    return apr_itoa(of->pool, of->stream->id);
}

static const char *item_tag(const figures *of)
{
    return apr_psprintf(of->pool, "%s%d", of->context->session->tag, of->stream->id);
}

static const char *item_weight(const figures *of)
{
    return apr_itoa(of->pool, of->dependency.weight);
}

static const char *item_depends_on(const figures *of)
{
    return apr_itoa(of->pool, of->dependency.parent_id);
}

static const char *item_urgency(const figures *of)
{
    return apr_itoa(of->pool, of->priority.urgency);
}

static const char *item_incremental(const figures *of)
{
    return of->priority.is_incremental ? "on" : "off";
}

static const char *item_pushed(const figures *of)
{
    return of->stream->pushed_on ? apr_itoa(of->pool, of->stream->pushed_on) : NULL;
}

static const char *item_requests(const figures *of)
{
    return apr_itoa(of->pool, of->stream->number);
}

static const char *item_frames_in(const figures *of)
{
    return number(of, of->trace.in_frames);
}

static const char *item_frames_out(const figures *of)
{
    return number(of, of->trace.out_frames);
}

static const char *item_wait(const figures *of)
{
    return number(of, of->trace.started - of->trace.queued);
}

static const char *item_run(const figures *of)
{
    apr_time_t end = of->trace.finished ? of->trace.finished : h2_clock_now();

    return number(of, end - of->trace.started);
}

static const char *item_first_byte(const figures *of)
{
    return of->trace.first_byte ? number(of, of->trace.first_byte - of->trace.queued) : NULL;
}

static const char *item_blocked(const figures *of)
{
    return number(of, of->trace.shut_usec);
}

static const char *item_reset(const figures *of)
{
    const char *side = NULL;

    switch (of->trace.reset_by) {
    case H2_RESET_NONE:
        return NULL;
    case H2_RESET_SENT:
        side = "server";
        break;
    case H2_RESET_RECEIVED:
        side = "client";
        break;
    case H2_RESET_LOST:
        side = "connection";
        break;
    }
    return apr_pstrcat(of->pool, h2_session_error_name(of->trace.reset_error), "/", side, NULL);
}

static const struct {
    const char *name;
    const char *(*value)(const figures *of); /* NULL: "-" */
} items[] = {
    {"stream", item_stream},
    {"tag", item_tag},
    {"weight", item_weight},
    {"depends-on", item_depends_on},
    {"urgency", item_urgency},
    {"incremental", item_incremental},
    {"pushed", item_pushed},
    {"requests", item_requests},
    {"frames-in", item_frames_in},
    {"frames-out", item_frames_out},
    {"wait", item_wait},
    {"run", item_run},
    {"first-byte", item_first_byte},
    {"blocked", item_blocked},
    {"reset", item_reset},
};

static const char *value_of(const h2_context *context, apr_pool_t *pool,
                            const char *(*value)(const figures *of))
{
    figures *of = apr_pcalloc(pool, sizeof(*of));

    of->context = context;
    of->pool = pool;
    of->stream = context->stream;
    take_figures(of);
    return value(of);
}

/* Called for each item of each request that is logged in a format that has it. */
static const char *log_item(request_rec *r, char *name)
{
    const h2_context *context = h2_context_of(r->connection);
    apr_size_t i;

    for (i = 0; context && i < sizeof(items) / sizeof(items[0]); ++i) {
        if (!strcmp(items[i].name, name)) {
            return value_of(context, r->pool, items[i].value);
        }
    }
    return NULL; /* HTTP/1.1, or no such name */
}

static int register_items(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp)
{
    APR_OPTIONAL_FN_TYPE(ap_register_log_handler) *add =
        APR_RETRIEVE_OPTIONAL_FN(ap_register_log_handler);

    (void)plog;
    (void)ptemp;
    if (add) {
        add(pconf, ITEM, log_item, 0);
    }
    return OK;
}

void h2_log_items_register_hooks(apr_pool_t *pool)
{
    (void)pool;
    /* Whenever a module is loaded: formats are read after that. */
    ap_hook_pre_config(register_items, NULL, NULL, APR_HOOK_REALLY_LAST);
}

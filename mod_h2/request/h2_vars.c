#include "request/h2_vars.h"

#include <apr_optional.h>

#include <ap_expr.h>
#include <http_protocol.h>
#include <http_request.h>

#include "base/h2_text.h"
#include "request/h2_context.h"

/* As httpd's mod_http2.h declares them. */
APR_DECLARE_OPTIONAL_FN(char *, http2_var_lookup,
                        (apr_pool_t *, server_rec *, conn_rec *, request_rec *, char *));
APR_DECLARE_OPTIONAL_FN(int, http2_is_h2, (conn_rec *));

/* What a variable's value may depend on; a request has the sum of what is true for it. */
enum {
    IS_STREAM = 1,      /* it has a stream of ours: mostly all there is */
    MAY_PUSH = 2,
    IS_PUSHED = 4,
    HAS_OTHER_HOST = 8,
    HAS_PRIORITY = 16,
    HAS_DEPENDENCY = 32,
    IS_ASKED = 64       /* somebody asks for this very one: it is in no environment */
};

static unsigned facts_of(const h2_context *context)
{
    return IS_STREAM | (context->may_push ? MAY_PUSH : 0)
           | (context->stream->pushed_on ? IS_PUSHED : 0)
           | (context->original_host ? HAS_OTHER_HOST : 0)
           | (context->has_priority ? HAS_PRIORITY : 0)
           | ((context->dependency.parent_id || context->dependency.weight != H2_WEIGHT_DEFAULT)
                  ? HAS_DEPENDENCY : 0);
}

static const char *value_push(h2_context *context, apr_pool_t *pool)
{
    (void)pool;
    return (context->r && h2_config_is_push(context->r)) ? "on" : "off";
}

static const char *value_pushed(h2_context *context, apr_pool_t *pool)
{
    (void)context;
    (void)pool;
    return "PUSHED";
}

static const char *value_pushed_on(h2_context *context, apr_pool_t *pool)
{
    return apr_itoa(pool, context->stream->pushed_on);
}

/* "CONNECTION-STREAM", worked out once. */
static const char *tag_of(h2_context *context)
{
    if (!context->tag) {
        apr_size_t length = context->session->tag_length;
        char *end = context->tag_text + sizeof(context->tag_text) - 1; /* which is 0 */

        context->tag = h2_text_number(end, (apr_uint64_t)context->stream->id) - length;
        memcpy(context->tag, context->session->tag, length);
    }
    return context->tag;
}

static const char *value_stream_tag(h2_context *context, apr_pool_t *pool)
{
    (void)pool;
    return tag_of(context);
}

static const char *value_stream_id(h2_context *context, apr_pool_t *pool)
{
    (void)pool;
    return tag_of(context) + context->session->tag_length;
}

static const char *value_original_host(h2_context *context, apr_pool_t *pool)
{
    (void)pool;
    return context->original_host;
}

static const char *value_urgency(h2_context *context, apr_pool_t *pool)
{
    return apr_itoa(pool, context->priority.urgency);
}

static const char *value_incremental(h2_context *context, apr_pool_t *pool)
{
    (void)pool;
    return context->priority.is_incremental ? "on" : "off";
}

static const char *value_weight(h2_context *context, apr_pool_t *pool)
{
    return apr_itoa(pool, context->dependency.weight);
}

static const char *value_depends_on(h2_context *context, apr_pool_t *pool)
{
    return apr_itoa(pool, context->dependency.parent_id);
}

static const char *value_wait(h2_context *context, apr_pool_t *pool)
{
    const h2_stream_trace *trace = &context->stream->trace;

    return apr_psprintf(pool, "%" APR_TIME_T_FMT, trace->started - trace->queued);
}

static const char *value_requests(h2_context *context, apr_pool_t *pool)
{
    return apr_itoa(pool, context->stream->number);
}

/* Its value where the fact is true; else the usual one, NULL: none. field: of a request, that
 * tells back ends the same by H2PriorityHeaders. */
static const struct variable {
    const char *name;
    unsigned fact;
    const char *usual;
    const char *(*value)(h2_context *context, apr_pool_t *pool);
    const char *field;
} variables[] = {
    {"HTTP2", 0, "on", NULL, NULL},
    {"H2PUSH", MAY_PUSH, "off", value_push, NULL},
    {"H2_PUSH", MAY_PUSH, "off", value_push, NULL},
    {"H2_PUSHED", IS_PUSHED, NULL, value_pushed, NULL},
    {"H2_PUSHED_ON", IS_PUSHED, NULL, value_pushed_on, NULL},
    {"H2_STREAM_ID", IS_STREAM, NULL, value_stream_id, NULL},
    {"H2_STREAM_TAG", IS_STREAM, NULL, value_stream_tag, NULL},
    {"H2_ORIGINAL_HOST", HAS_OTHER_HOST, NULL, value_original_host, NULL},
    {"H2_PRIORITY_URGENCY", HAS_PRIORITY, NULL, value_urgency, "H2-Priority-Urgency"},
    {"H2_PRIORITY_INCREMENTAL", HAS_PRIORITY, NULL, value_incremental,
     "H2-Priority-Incremental"},
    {"H2_STREAM_WEIGHT", HAS_DEPENDENCY, "16", value_weight, "H2-Stream-Weight"},
    {"H2_STREAM_DEPENDS_ON", HAS_DEPENDENCY, "0", value_depends_on, "H2-Stream-Depends-On"},
    /* For who asks; each request would pay for them otherwise. */
    {"H2_WAIT", IS_ASKED, NULL, value_wait, NULL},
    {"H2_REQUESTS", IS_ASKED, NULL, value_requests, NULL},
};

#define VARIABLE_COUNT (sizeof(variables) / sizeof(variables[0]))
#define ENVIRONMENT_COUNT (VARIABLE_COUNT - 2)

static const char *value_of(const struct variable *variable, unsigned facts, h2_context *context,
                            apr_pool_t *pool)
{
    return (variable->fact & facts) ? variable->value(context, pool) : variable->usual;
}

static void set_variables(request_rec *r, h2_context *context)
{
    unsigned facts = facts_of(context);
    int is_new = ap_is_initial_req(r); /* else they may be there already */
    apr_size_t i;

    for (i = 0; i < ENVIRONMENT_COUNT; ++i) {
        const char *value = value_of(&variables[i], facts, context, r->pool);

        if (value && is_new) {
            apr_table_addn(r->subprocess_env, variables[i].name, value);
        }
        else if (value) {
            apr_table_setn(r->subprocess_env, variables[i].name, value);
        }
    }
}

/* Whatever the client has said in fields of these names, also over HTTP/1.1: it was not us. */
static void set_fields(request_rec *r, h2_context *context)
{
    apr_size_t i;

    for (i = 0; i < ENVIRONMENT_COUNT; ++i) {
        const char *value;

        if (variables[i].field) {
            apr_table_unset(r->headers_in, variables[i].field);
            value = context ? value_of(&variables[i], facts_of(context), context, r->pool) : NULL;
            if (value) {
                apr_table_addn(r->headers_in, variables[i].field, value);
            }
        }
    }
}

static int tell_application(request_rec *r)
{
    h2_context *context = h2_context_of(r->connection);

    if (context) {
        set_variables(r, context);
    }
    if (h2_config_is_priority_headers(r)) {
        set_fields(r, context);
    }
    return DECLINED;
}

static int http2_is_h2(conn_rec *c)
{
    const char *protocol = ap_get_protocol(c);

    return !strcmp(protocol, H2_PROTOCOL_TLS) || !strcmp(protocol, H2_PROTOCOL_CLEAR);
}

/* Of a connection as a whole only what does not depend on a request is known. */
static const char *look_up(const char *name, h2_context *context, apr_pool_t *pool)
{
    apr_size_t i;

    for (i = 0; i < VARIABLE_COUNT; ++i) {
        const struct variable *variable = &variables[i];

        if (!strcmp(variable->name, name)) {
            return context ? value_of(variable, facts_of(context) | IS_ASKED, context, pool)
                           : (variable->fact & HAS_DEPENDENCY) ? NULL : variable->usual;
        }
    }
    return NULL;
}

static char *http2_var_lookup(apr_pool_t *pool, server_rec *s, conn_rec *c, request_rec *r,
                              char *name)
{
    conn_rec *of = r ? r->connection : c;
    const char *value;

    (void)s;
    if (!of || !http2_is_h2(of)) {
        return apr_pstrdup(pool, strcmp(name, "HTTP2") ? "" : "off");
    }
    value = look_up(name, h2_context_of(of), pool);
    return apr_pstrdup(pool, value ? value : "");
}

static const char *value_in_expression(ap_expr_eval_ctx_t *ctx, const void *data)
{
    const conn_rec *c = ctx->r ? ctx->r->connection : ctx->c;
    h2_context *context = c ? h2_context_of(c) : NULL;
    const char *value = context ? look_up(data, context, ctx->p) : NULL;

    return value ? value : "";
}

/* "%{H2_STREAM_ID}" and so on in an expression. HTTP2 is httpd's own there. */
static int find_for_expression(ap_expr_lookup_parms *parms)
{
    apr_size_t i;

    for (i = 0; i < VARIABLE_COUNT && parms->type == AP_EXPR_FUNC_VAR; ++i) {
        const char *name = variables[i].name;

        if (!strncmp(name, "H2", 2) && !ap_cstr_casecmp(name, parms->name)) {
            /* httpd wants a function as an object there, for which ISO C has no conversion. */
            *parms->func = __extension__(const void *)value_in_expression;
            *parms->data = name;
            return OK;
        }
    }
    return DECLINED;
}

void h2_vars_register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_expr_lookup(find_for_expression, NULL, NULL, APR_HOOK_MIDDLE);
    APR_REGISTER_OPTIONAL_FN(http2_is_h2);
    APR_REGISTER_OPTIONAL_FN(http2_var_lookup);
    ap_hook_fixups(tell_application, NULL, NULL, APR_HOOK_MIDDLE);
}

#include "request/h2_vars.h"

#include <apr_optional.h>

#include <http_protocol.h>
#include <http_request.h>

#include "base/h2_text.h"
#include "request/h2_context.h"

/* As httpd's mod_http2.h declares them. */
APR_DECLARE_OPTIONAL_FN(char *, http2_var_lookup,
                        (apr_pool_t *, server_rec *, conn_rec *, request_rec *, char *));
APR_DECLARE_OPTIONAL_FN(int, http2_is_h2, (conn_rec *));

static const char *value_http2(h2_context *context, apr_pool_t *pool)
{
    (void)context;
    (void)pool;
    return "on";
}

static const char *value_push(h2_context *context, apr_pool_t *pool)
{
    (void)pool;
    return (context && context->may_push && context->r && h2_config_is_push(context->r)) ? "on"
                                                                                        : "off";
}

static const char *value_pushed(h2_context *context, apr_pool_t *pool)
{
    (void)pool;
    return (context && context->stream->pushed_on) ? "PUSHED" : NULL;
}

static const char *value_pushed_on(h2_context *context, apr_pool_t *pool)
{
    return (context && context->stream->pushed_on) ? apr_itoa(pool, context->stream->pushed_on)
                                                   : NULL;
}

/* "CONNECTION-STREAM", worked out once. */
static const char *tag_of(h2_context *context)
{
    const char *connection = context->session->tag;
    apr_size_t length = strlen(connection);

    if (!context->tag) {
        char *end = (char *)apr_palloc(context->pool, length + H2_TEXT_NUMBER_BYTES + 1)
                    + length + H2_TEXT_NUMBER_BYTES;

        *end = '\0';
        context->tag = h2_text_number(end, (apr_uint64_t)context->stream->id) - length;
        memcpy(context->tag, connection, length);
    }
    return context->tag;
}

static const char *value_stream_tag(h2_context *context, apr_pool_t *pool)
{
    (void)pool;
    return context ? tag_of(context) : NULL;
}

static const char *value_stream_id(h2_context *context, apr_pool_t *pool)
{
    (void)pool;
    return context ? tag_of(context) + strlen(context->session->tag) : NULL;
}

static const char *value_original_host(h2_context *context, apr_pool_t *pool)
{
    (void)pool;
    return context ? context->original_host : NULL;
}

static const char *value_urgency(h2_context *context, apr_pool_t *pool)
{
    static const char *const digits[H2_URGENCY_MAX + 1] = {"0", "1", "2", "3",
                                                           "4", "5", "6", "7"};

    (void)pool;
    return (context && context->has_priority) ? digits[context->priority.urgency] : NULL;
}

static const char *value_incremental(h2_context *context, apr_pool_t *pool)
{
    (void)pool;
    return (context && context->has_priority) ? (context->priority.is_incremental ? "on" : "off")
                                              : NULL;
}

/* NULL: not on this connection. Without a function: that of the one before. */
static const struct {
    const char *name;
    const char *(*value)(h2_context *context, apr_pool_t *pool);
} variables[] = {
    {"HTTP2", value_http2},
    {"H2PUSH", value_push},
    {"H2_PUSH", NULL},
    {"H2_PUSHED", value_pushed},
    {"H2_PUSHED_ON", value_pushed_on},
    {"H2_STREAM_ID", value_stream_id},
    {"H2_STREAM_TAG", value_stream_tag},
    {"H2_ORIGINAL_HOST", value_original_host},
    {"H2_PRIORITY_URGENCY", value_urgency},
    {"H2_PRIORITY_INCREMENTAL", value_incremental},
};

static int set_variables(request_rec *r)
{
    h2_context *context = h2_context_of(r->connection);
    int is_new = context && !apr_table_get(r->subprocess_env, variables[0].name);
    const char *value = NULL;
    apr_size_t i;

    for (i = 0; context && i < sizeof(variables) / sizeof(variables[0]); ++i) {
        if (variables[i].value) {
            value = variables[i].value(context, r->pool);
        }
        if (value && is_new) {
            apr_table_addn(r->subprocess_env, variables[i].name, value);
        }
        else if (value) {
            apr_table_setn(r->subprocess_env, variables[i].name, value);
        }
    }
    return DECLINED;
}

static int http2_is_h2(conn_rec *c)
{
    const char *protocol = ap_get_protocol(c);

    return !strcmp(protocol, H2_PROTOCOL_TLS) || !strcmp(protocol, H2_PROTOCOL_CLEAR);
}

static char *http2_var_lookup(apr_pool_t *pool, server_rec *s, conn_rec *c, request_rec *r,
                              char *name)
{
    conn_rec *of = r ? r->connection : c;
    apr_size_t i;

    (void)s;
    for (i = 0; of && http2_is_h2(of) && i < sizeof(variables) / sizeof(variables[0]); ++i) {
        if (!strcmp(variables[i].name, name)) {
            apr_size_t by = variables[i].value ? i : i - 1;
            const char *value = variables[by].value(h2_context_of(of), pool);

            return apr_pstrdup(pool, value ? value : "");
        }
    }
    return apr_pstrdup(pool, strcmp(name, "HTTP2") ? "" : "off");
}

void h2_vars_register_hooks(apr_pool_t *pool)
{
    (void)pool;
    APR_REGISTER_OPTIONAL_FN(http2_is_h2);
    APR_REGISTER_OPTIONAL_FN(http2_var_lookup);
    ap_hook_fixups(set_variables, NULL, NULL, APR_HOOK_MIDDLE);
}

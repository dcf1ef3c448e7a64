#include "request/h2_vars.h"

#include <http_request.h>

#include "request/h2_context.h"

static int set_variables(request_rec *r)
{
    const h2_context *context = h2_context_of(r->connection);
    apr_table_t *env = r->subprocess_env;

    if (context) {
        apr_table_setn(env, "HTTP2", "on");
        apr_table_setn(env, "H2_STREAM_ID", apr_itoa(r->pool, context->stream->id));
        apr_table_setn(env, "H2_STREAM_TAG",
                       apr_psprintf(r->pool, "%ld-%d", context->session->c->id,
                                    context->stream->id));
    }
    return DECLINED;
}

void h2_vars_register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_fixups(set_variables, NULL, NULL, APR_HOOK_MIDDLE);
}

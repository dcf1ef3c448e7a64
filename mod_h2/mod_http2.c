/* The module record and its hooks, nothing else. */

#include "base/h2_base.h"

#include <mpm_common.h>

#include "config/h2_directives.h"
#include "config/h2_draft.h"
#include "config/h2_dump.h"
#include "conn/h2_child.h"
#include "conn/h2_takeover.h"
#include "io/h2_io.h"
#include "request/h2_backend.h"
#include "request/h2_filters.h"
#include "request/h2_log_items.h"
#include "request/h2_pollfd.h"
#include "request/h2_request.h"
#include "request/h2_vars.h"
#include "status/h2_status.h"
#include "status/h2_status_block.h"

static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    (void)pconf;
    (void)plog;
    (void)ptemp;
    h2_directives_check(s);
    return OK;
}

static void register_hooks(apr_pool_t *pool)
{
    h2_io_register();
    h2_filters_register();
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_test_config(h2_dump_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(h2_child_post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(h2_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_status(h2_child_status, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_stopping(h2_child_stopping, NULL, NULL, APR_HOOK_MIDDLE);
    h2_child_register_functions();
    h2_takeover_register_hooks(pool);
    h2_request_register_hooks(pool);
    h2_vars_register_hooks(pool);
    h2_log_items_register_hooks(pool);
    h2_pollfd_register();
    h2_backend_register();
    ap_hook_handler(h2_status_handler, NULL, NULL, APR_HOOK_MIDDLE);
    h2_status_block_register();
}

module AP_MODULE_DECLARE_DATA http2_module = {
    STANDARD20_MODULE_STUFF,
    h2_config_create_dir,
    h2_config_merge_dir,
    h2_config_create_server,
    h2_config_merge_server,
    h2_config_commands,
    register_hooks,
    AP_MODULE_FLAG_ALWAYS_MERGE,
};

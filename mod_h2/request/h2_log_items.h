/*
 * "%{NAME}^H2" in formats of mod_log_config: what is known of a stream when its request is logged.
 */
#ifndef H2_LOG_ITEMS_H
#define H2_LOG_ITEMS_H

#include "base/h2_base.h"

/* At the start of httpd. */
void h2_log_items_register_hooks(apr_pool_t *pool);

#endif /* H2_LOG_ITEMS_H */

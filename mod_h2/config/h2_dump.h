/*
 * "httpd -t -D DUMP_H2": the values that hold for each server, and where each comes from.
 *
 * Thread that checks the configuration.
 */
#ifndef H2_DUMP_H
#define H2_DUMP_H

#include "base/h2_base.h"

/* The hook test_config: prints if it was asked for. */
void h2_dump_config(apr_pool_t *pool, server_rec *main_server);

#endif /* H2_DUMP_H */

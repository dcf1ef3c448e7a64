/*
 * Stand-ins for what the module calls in httpd.
 */
#ifndef STANDINS_H
#define STANDINS_H

#include "base/h2_base.h"
#include "config/h2_config.h"

/* At the begin of a run. */
void standins_init(void);

/* The MPM says so, when it is asked. */
void standins_child_ends(void);

/* A server with that configuration; a connection to it, which has a pool of its own. */
server_rec *standins_server(apr_pool_t *pool, h2_server_conf *conf);
conn_rec *standins_connection(apr_pool_t *pool, server_rec *server, int is_tls);

/* What stands in for TLS: two octets of length before each record, and every octet turned round. */
#define STANDINS_TLS_OCTET(octet) ((unsigned char)((octet) ^ 0x5a))

#endif /* STANDINS_H */

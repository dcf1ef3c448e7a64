#include "base/h2_log.h"

#include <string.h>

void h2_log_client(conn_rec *copy, const conn_rec *c)
{
    memset(copy, 0, sizeof(*copy));
    copy->pool = c->pool;
    copy->base_server = c->base_server;
    copy->vhost_lookup_data = c->vhost_lookup_data;
    copy->local_addr = c->local_addr;
    copy->local_ip = c->local_ip;
    copy->local_host = c->local_host;
    copy->client_addr = c->client_addr;
    copy->client_ip = c->client_ip;
    copy->remote_host = c->remote_host;
    copy->id = c->id;
    copy->conn_config = c->conn_config;
    copy->notes = c->notes;
    copy->keepalives = c->keepalives;
    copy->log = c->log;
    copy->log_id = c->log_id;
    copy->sbh = copy; /* which nobody looks into */
}

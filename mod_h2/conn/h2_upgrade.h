/*
 * The request of an "Upgrade: h2c", RFC 7540, 3.2, which is answered as stream 1.
 *
 * The MPM's thread that processes the connection.
 */
#ifndef H2_UPGRADE_H
#define H2_UPGRADE_H

#include "base/h2_base.h"
#include "message/h2_head.h"

typedef struct h2_upgrade {
    h2_head *head;                  /* freed with the pool; NULL once it is taken */
    const unsigned char *settings;  /* the client's, as in a SETTINGS frame */
    apr_size_t settings_length;
    int is_head_request;
} h2_upgrade;

/* May this request be answered in HTTP/2? It has no body, exactly one valid
 * HTTP2-Settings field, and is of HTTP/1.1. */
int h2_upgrade_is_possible(request_rec *r);

/* Gives the request in pool (the connection's), its head malloc'ed; NULL: it
 * cannot be one of HTTP/2. */
h2_upgrade *h2_upgrade_create(request_rec *r, apr_pool_t *pool, const char *scheme);

#endif /* H2_UPGRADE_H */

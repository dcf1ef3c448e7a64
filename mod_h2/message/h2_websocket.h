/*
 * What the two sides of a WebSocket's opening handshake say to each other over HTTP/1.1,
 * RFC 6455, 4: HTTP/2 has neither key nor answer (RFC 8441, 5), so both are ours to make
 * and to check.
 *
 * Pure, any thread.
 */
#ifndef H2_WEBSOCKET_H
#define H2_WEBSOCKET_H

#include "base/h2_base.h"

/* The :protocol of RFC 8441, and the token of Upgrade. */
#define H2_WEBSOCKET_PROTOCOL "websocket"

/* Gives a new value for Sec-WebSocket-Key: 16 random bytes, in base64. */
const char *h2_websocket_make_key(apr_pool_t *pool);

/* Is accept (NULL: there is none) the Sec-WebSocket-Accept that belongs to key? Blanks
 * around it do not count. */
int h2_websocket_is_accept_of(apr_pool_t *pool, const char *accept, const char *key);

/* Is the field of this name (in lower case) of a request none of a WebSocket's handshake, as it
 * speaks of a body that the GET does not have? */
int h2_websocket_drops(const char *name);

#endif /* H2_WEBSOCKET_H */

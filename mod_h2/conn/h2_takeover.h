/*
 * How a connection becomes HTTP/2: by ALPN, by the client's preface, or by an
 * Upgrade, RFC 9113, 3; and how it goes from the MPM's thread to a loop.
 *
 * The MPM's thread that processes the connection.
 */
#ifndef H2_TAKEOVER_H
#define H2_TAKEOVER_H

#include "base/h2_base.h"

/* At the start of httpd. */
void h2_takeover_register_hooks(apr_pool_t *pool);

#endif /* H2_TAKEOVER_H */

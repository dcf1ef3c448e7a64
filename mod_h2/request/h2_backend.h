/*
 * A request that waits for its back end sees its client meanwhile: more of the body that
 * comes, and a stream that is reset. mod_proxy_http2 looks at the client every 100 ms at best,
 * and not at all once it has the whole request.
 *
 * A filter of ours reads the back end's connections. When an HTTP/2 back end has nothing to say,
 * it polls the client's exchange beside the back end's socket. It tells mod_proxy_http2 by a
 * frame of a type that nobody knows, which ends its wait and is ignored otherwise (RFC 9113, 5.5).
 */
#ifndef H2_BACKEND_H
#define H2_BACKEND_H

#include "request/h2_context.h"

/* At the start of httpd: the filter, and the hook that puts it on connections to back ends. */
void h2_backend_register(void);

/* The runner: its request's handler is one that may wait for a back end. Until
 * h2_backend_leave() what this thread reads of back ends is for this request. */
void h2_backend_enter(h2_context *context);

/* The same thread, before the context is given away. */
void h2_backend_leave(void);

#endif /* H2_BACKEND_H */

/*
 * A descriptor to poll for the body of a request, for modules that wait for it and for
 * something else at the same time, as mod_proxy does in its tunnels.
 */
#ifndef H2_POLLFD_H
#define H2_POLLFD_H

#include "request/h2_context.h"

/* At the start of httpd: the optional function http2_get_pollfd_from_conn() and, where
 * httpd has it, the hook get_pollfd_from_conn. */
void h2_pollfd_register(void);

/* The runner, as holder: opens the pipe of its exchange unless it is open; readable where there is
 * something to read already. */
apr_status_t h2_pollfd_open(h2_context *context);

#endif /* H2_POLLFD_H */

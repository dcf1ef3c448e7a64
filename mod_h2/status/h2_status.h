/*
 * "SetHandler http2-status": what HTTP/2 does on this server, as a page for people, as JSON and as
 * metrics; and for one connection. It works over any protocol and with any MPM.
 *
 *     (nothing)                 the page; with refresh=N read anew by browsers without script
 *     ?json                     JSON
 *     ?metrics                  OpenMetrics, or Prometheus' text format
 *     ?connection=ID            one connection, as a page
 *     ?json&connection=ID       the same as JSON
 */
#ifndef H2_STATUS_H
#define H2_STATUS_H

#include "base/h2_base.h"

/* The hook handler; the one that runs the request. */
int h2_status_handler(request_rec *r);

#endif /* H2_STATUS_H */

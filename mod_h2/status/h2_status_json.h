/*
 * What there is to be seen, as JSON. docs/observability.md has its members, which keep their
 * meaning while "schema" stays the same; others may come.
 *
 * Called by the one that runs the request.
 */
#ifndef H2_STATUS_JSON_H
#define H2_STATUS_JSON_H

#include "base/h2_base.h"
#include "stats/h2_report.h"
#include "status/h2_view.h"

#define H2_STATUS_SCHEMA 1

/* Writes all of the server. */
void h2_status_json_write(request_rec *r, const h2_view *view);

/* Writes one connection in detail. */
void h2_status_json_connection(request_rec *r, const h2_connection_report *report);

#endif /* H2_STATUS_JSON_H */

/*
 * The tables of the status page.
 *
 * Called by the one that runs the request.
 */
#ifndef H2_STATUS_TABLES_H
#define H2_STATUS_TABLES_H

#include "base/h2_base.h"
#include "status/h2_view.h"

/* Writes all of them. */
void h2_status_tables_write(request_rec *r, const h2_view *view);

#endif /* H2_STATUS_TABLES_H */

/*
 * The status page for people: HTML with its style, charts and script in it, nothing from elsewhere.
 * All of it is there without script; the script reads the page again every two seconds, and puts
 * the new one's main part into the place of the old.
 *
 * Called by the one that runs the request.
 */
#ifndef H2_STATUS_PAGE_H
#define H2_STATUS_PAGE_H

#include "base/h2_base.h"
#include "stats/h2_report.h"
#include "status/h2_view.h"

/* Writes the page of the server. refresh: so many seconds, for browsers without script; 0: not. */
void h2_status_page_write(request_rec *r, const h2_view *view, int refresh);

/* Writes the page of one connection. */
void h2_status_page_connection(request_rec *r, const h2_connection_report *report, int refresh);

#endif /* H2_STATUS_PAGE_H */

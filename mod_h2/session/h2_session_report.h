/*
 * What a session looks like to somebody from outside: figures for the status page.
 *
 * Holder of the loop only.
 */
#ifndef H2_SESSION_REPORT_H
#define H2_SESSION_REPORT_H

#include "session/h2_session.h"
#include "stats/h2_report.h"

/* Adds the session to its loop's report: to its sums, and to its list while there is room. */
void h2_session_report_add(const h2_session *session, h2_loop_report *report);

/* The session in detail. */
void h2_session_report_whole(const h2_session *session, h2_connection_report *report);

#endif /* H2_SESSION_REPORT_H */

/*
 * Lines in the error log about a client's connection.
 *
 * httpd writes "[client ADDRESS]" only of a connection that has a place in the scoreboard, and else
 * "[remote ADDRESS]", as of one to a back end. The event MPM takes that place from connections that
 * it does not serve itself, as ours.
 */
#ifndef H2_LOG_H
#define H2_LOG_H

#include "base/h2_base.h"

/* Gives in copy what httpd needs of c for a line that says "client"; nothing that the MPM may still
 * write to. Lives as long as c does. */
void h2_log_client(conn_rec *copy, const conn_rec *c);

/* As ap_log_cerror(APLOG_MARK, level, rv, c, format, ...). The holder of the loop. Costs a test
 * where the level is off. */
#define h2_log(level, rv, c, ...)                                                                  \
    do {                                                                                           \
        if (APLOG_C_IS_LEVEL(c, level)) {                                                          \
            conn_rec client_;                                                                      \
                                                                                                   \
            h2_log_client(&client_, c);                                                            \
            ap_log_cerror(APLOG_MARK, level, rv, &client_, __VA_ARGS__);                           \
            (c)->log_id = client_.log_id; /* made for the first line */                            \
        }                                                                                          \
    } while (0)

#endif /* H2_LOG_H */

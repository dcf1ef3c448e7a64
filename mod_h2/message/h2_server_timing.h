/*
 * Members of a Server-Timing field (W3C Server Timing): what a stream took, for a browser's
 * developer tools. No state; any thread.
 */
#ifndef H2_SERVER_TIMING_H
#define H2_SERVER_TIMING_H

#include <apr.h>
#include <apr_time.h>

/* Room for the texts below, with their ends. */
#define H2_SERVER_TIMING_BYTES 192

/* Writes what is known when the head is made: how long the request has waited for a thread, and
 * how long it has run since. */
void h2_server_timing_of_head(char text[H2_SERVER_TIMING_BYTES], apr_interval_time_t wait,
                              apr_interval_time_t run);

/* Writes what is known at the end: since the request was there, of that blocked by flow control,
 * and the whole run. */
void h2_server_timing_of_end(char text[H2_SERVER_TIMING_BYTES], apr_interval_time_t total,
                             apr_interval_time_t blocked, apr_interval_time_t run);

#endif /* H2_SERVER_TIMING_H */

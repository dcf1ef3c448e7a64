/*
 * The time by which this module waits: it goes on evenly, whatever is done to the clock of the
 * system. What is shown to somebody, as in a log, is apr_time_now() instead; the two are never
 * compared.
 *
 * Pure; any thread.
 */
#ifndef H2_CLOCK_H
#define H2_CLOCK_H

#include <apr_time.h>

/* Microseconds since some time in the past, never 0. */
apr_time_t h2_clock_now(void);

#endif /* H2_CLOCK_H */

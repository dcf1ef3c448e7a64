/*
 * The last minutes of the whole server, a sample for each second, in shared memory. Whichever loop
 * first sees a new second takes the sample; while there are no connections nobody does, and nothing
 * has changed.
 */
#ifndef H2_HISTORY_H
#define H2_HISTORY_H

#include "base/h2_base.h"
#include "stats/h2_stats.h"

#define H2_HISTORY_SECONDS 300

typedef struct h2_sample {
    apr_int64_t second;          /* since 1970; 0: there is no sample */
    apr_time_t since;            /* h2_stats_since() of then: other counts are not comparable */
    apr_uint64_t requests;       /* counts until then */
    apr_uint64_t sent_bytes;
    apr_uint64_t received_bytes;
    apr_uint64_t stall_usec;
    apr_uint64_t sessions;       /* gauges of then */
    apr_uint64_t streams;
    apr_uint64_t waiting;
    apr_uint64_t running;
    apr_uint64_t workers;
    apr_uint64_t spare_workers;
} h2_sample;

/* The parent, after each reading of the configuration. 0: no memory. */
int h2_history_create(server_rec *s);

/* Holder of any loop, at most about once a second: takes the sample if nobody has. */
void h2_history_tick(apr_time_t wall);

/* Any thread of any process: the samples of the last H2_HISTORY_SECONDS until now, oldest first,
 * one for each second; where there was none it has the counts of the one before, and no gauges. */
void h2_history_get(h2_sample samples[H2_HISTORY_SECONDS], apr_time_t now);

#endif /* H2_HISTORY_H */

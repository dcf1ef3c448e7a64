/*
 * What there is to be seen of the whole server at a moment, gathered for one request: the page, the
 * JSON and the block in mod_status show the same.
 *
 * Any thread of any process; lives in the pool of the request.
 */
#ifndef H2_VIEW_H
#define H2_VIEW_H

#include "base/h2_base.h"
#include "stats/h2_history.h"
#include "stats/h2_report.h"
#include "stats/h2_stats.h"

/* h2_stream_state, and those that are shut. */
#define H2_VIEW_STATES 6

/* A child process that lives. */
typedef struct h2_view_child {
    int pid;
    int generation;
    apr_uint64_t gauges[H2_GAUGES];
    apr_uint64_t workers[H2_WORKERS_FIGURES];
} h2_view_child;

/* A thread that runs a request, as httpd's scoreboard shows it. Texts may have any bytes; they are
 * empty, and begun 0, where ExtendedStatus is off. */
typedef struct h2_view_worker {
    int pid;
    int slot;          /* of the scoreboard, in its child */
    apr_time_t begun;  /* apr_time_now() of then */
    const char *client;
    const char *vhost;
    const char *request;
} h2_view_worker;

typedef struct h2_view {
    apr_time_t now;
    apr_time_t since;              /* the counts began then */
    int is_extended;               /* clients and requests may be shown */
    int has_worker_rows;           /* the scoreboard has rows that only our threads use */
    h2_stats_sum sum;
    h2_sample samples[H2_HISTORY_SECONDS];
    apr_uint64_t memory[H2_MEMORY_USES];
    apr_uint64_t states[H2_VIEW_STATES];
    int session_count;             /* of the loops that have reported */
    apr_array_header_t *sessions;  /* of h2_session_report; at most so many of each loop */
    apr_array_header_t *children;  /* of h2_view_child */
    apr_array_header_t *workers;   /* of h2_view_worker */
} h2_view;

/* What is counted and measured, and the children: quick. */
h2_view *h2_view_counts(apr_pool_t *pool);

/* And what has to be asked for, history and threads: may wait for about a second. */
h2_view *h2_view_all(apr_pool_t *pool);

/* Is this one of the connections that the last reports have? */
int h2_view_has_session(apr_pool_t *pool, apr_int64_t id);

/* Of one family of h2_stats_names.h: all its members together. */
apr_uint64_t h2_view_total(const h2_stats_sum *sum, const char *family);

/* h2_session_origin and h2_session_state of session/h2_session.h, h2_stream_state of
 * stream/h2_stream.h, h2_memory_use, and settings by their numbers (NULL: has no name). */
const char *h2_view_origin(int origin);
const char *h2_view_session_state(int state);
const char *h2_view_stream_state(int state);
const char *h2_view_memory(int use);
const char *h2_view_setting(int number);

/* Settings that have numbers below this may have a name. */
#define H2_VIEW_SETTINGS 10

#endif /* H2_VIEW_H */

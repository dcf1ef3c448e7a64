/*
 * What the figures of h2_stats.h are called where they are shown: in JSON, in metrics, and on the
 * status page. Each count belongs to a family, whose members a label tells apart.
 *
 * Constant; any thread.
 */
#ifndef H2_STATS_NAMES_H
#define H2_STATS_NAMES_H

#include "stats/h2_stats.h"

/* Counts that are of one kind. */
typedef struct h2_stats_family {
    const char *name;            /* in words with "_" between them, with the unit, if it has one */
    const char *help;            /* a sentence without its full stop */
    const char *label;           /* what tells the members apart; NULL: it has one */
    const char *const *values;   /* the members' values of the label */
    unsigned first;              /* an h2_count, and so many after it */
    unsigned count;
    unsigned divisor;            /* of the count, to have it in its unit; 1 mostly */
} h2_stats_family;

/* Ends with one whose name is NULL. */
extern const h2_stats_family h2_stats_families[];

/* What is told apart by an h2_gauge, an h2_time or an h2_workers_figure. */
typedef struct h2_stats_name {
    const char *name;
    const char *help;
} h2_stats_name;

extern const h2_stats_name h2_stats_gauge_names[H2_GAUGES];
extern const h2_stats_name h2_stats_time_names[H2_TIMES];
extern const h2_stats_name h2_stats_workers_names[H2_WORKERS_FIGURES];

/* The names of RFC 9113, 7, in small letters: "no_error", ... and "other". */
extern const char *const h2_stats_error_names[H2_STATS_ERRORS];

#endif /* H2_STATS_NAMES_H */

/*
 * What has been counted and measured, for whoever wants to see it: in memory that all children
 * share, so that one of them can show the whole server.
 *
 * Each child has a slot, and each loop of it a block of its own there, to which only the loop's
 * holder writes: no locks and no atomic additions where requests run. Counts only rise, whoever has
 * the slot: what a child that has ended, or crashed, had counted stays counted. Gauges hold for
 * the child that has the slot now; those of a slot that nobody has are nothing.
 *
 * The segment outlives graceful restarts. Knows nothing of HTTP/2 but names.
 */
#ifndef H2_STATS_H
#define H2_STATS_H

#include <sys/types.h>

#include "base/h2_base.h"
#include "stats/h2_figures.h"
#include "stats/h2_histogram.h"

/* A loop's block. Its holder writes, anybody reads. */
typedef struct h2_stats {
    h2_cell counts[H2_COUNTS];
    h2_cell gauges[H2_GAUGES];
    h2_histogram times[H2_TIMES];
} h2_stats;

/* Of a child's threads, guarded by the lock of its pool of workers; anybody reads. */
typedef struct h2_workers_stats {
    h2_cell figures[H2_WORKERS_FIGURES];
} h2_workers_stats;

/* A child's slot. */
typedef struct h2_stats_slot {
    _Atomic(int) pid;            /* of the child that has it; 0: nobody, -1: is being claimed */
    _Atomic(int) generation;     /* of that child, as the MPM counts them */
    _Atomic(int) is_used;        /* somebody has, or had, it */
    h2_workers_stats workers;
    h2_stats *loops;             /* mapped at one address in all processes; fixed */
} h2_stats_slot;

/* What all of them have together. */
typedef struct h2_stats_sum {
    apr_uint64_t counts[H2_COUNTS];
    apr_uint64_t gauges[H2_GAUGES];
    apr_uint64_t workers[H2_WORKERS_FIGURES];
    h2_durations times[H2_TIMES];
    int child_count;
} h2_stats_sum;

/* The parent, after each reading of the configuration: makes the segment, or finds that of before
 * the graceful restart. slot_count: children that there may be at a time, of all generations;
 * loop_count: of each of them. 0: no memory. */
int h2_stats_create(server_rec *s, int slot_count, int loop_count);

/* A child, once: takes a slot. NULL where there is none left. */
h2_stats_slot *h2_stats_claim(void);

/* The parent: the child has ended, however. A pid that has no slot is nobody's. */
void h2_stats_release(pid_t pid);

/* Child start: the block of the loop with that index. NULL: the slot, which may be NULL itself, has
 * none for it. */
h2_stats *h2_stats_of_loop(h2_stats_slot *slot, int index);

/* Any thread of any process: when the counts began, apr_time_now(); 0: there is no segment. */
apr_time_t h2_stats_since(void);

/* Any thread: all together. The sum is cleared before. */
void h2_stats_add_up(h2_stats_sum *sum);

/* Any thread: the slots, to be looked at one by one. */
const h2_stats_slot *h2_stats_slots(int *pcount, int *ploop_count);

/* Any thread: the number of a slot among them. */
int h2_stats_index(const h2_stats_slot *slot);

/* Any thread: a count of all children; a gauge of the one that has the slot, 0 if nobody has. */
apr_uint64_t h2_stats_total(unsigned count);
apr_uint64_t h2_stats_gauge_of(const h2_stats_slot *slot, h2_gauge gauge);

/* Likewise, of one of its loops. */
apr_uint64_t h2_stats_gauge_of_loop(const h2_stats_slot *slot, int loop, h2_gauge gauge);

/* Holder of the loop whose block it is: */
static inline void h2_stats_add(h2_stats *stats, unsigned count, apr_uint64_t n)
{
    h2_cell_add(&stats->counts[count], n);
}

static inline void h2_stats_count(h2_stats *stats, unsigned count)
{
    h2_cell_add(&stats->counts[count], 1);
}

/* A row of counts: index beyond it is its last one. */
static inline void h2_stats_count_of(h2_stats *stats, unsigned first, unsigned index, unsigned size)
{
    h2_cell_add(&stats->counts[first + ((index < size) ? index : size - 1)], 1);
}

static inline void h2_stats_gauge(h2_stats *stats, h2_gauge gauge, int change)
{
    h2_cell_add(&stats->gauges[gauge], (apr_uint64_t)(apr_int64_t)change);
}

static inline void h2_stats_time(h2_stats *stats, h2_time time, apr_interval_time_t usec)
{
    h2_histogram_record(&stats->times[time], usec);
}

#endif /* H2_STATS_H */

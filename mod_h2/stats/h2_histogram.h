/*
 * How long something took, over many of its kind: counts by duration, in steps that are an eighth
 * of a power of two wide, so that any figure read from it is at most 12.5 % too high.
 *
 * In memory that several processes share: one thread at a time records, under a lock of its user;
 * anybody reads, and finds each count whole, if not all of the same moment.
 */
#ifndef H2_HISTOGRAM_H
#define H2_HISTOGRAM_H

#include <stdatomic.h>

#include <apr.h>
#include <apr_time.h>

/* Steps of each power of two, and how many powers: up to 38 hours in microseconds. */
#define H2_HISTOGRAM_STEP_BITS 3
#define H2_HISTOGRAM_STEPS (1 << H2_HISTOGRAM_STEP_BITS)
#define H2_HISTOGRAM_POWERS 37
#define H2_HISTOGRAM_BUCKETS                                                                       \
    ((H2_HISTOGRAM_POWERS - H2_HISTOGRAM_STEP_BITS + 1) * H2_HISTOGRAM_STEPS)

typedef _Atomic(apr_uint64_t) h2_cell;

typedef struct h2_histogram {
    h2_cell buckets[H2_HISTOGRAM_BUCKETS];
    h2_cell sum; /* microseconds */
} h2_histogram;

/* The same, of several histograms together, by whoever reads. */
typedef struct h2_durations {
    apr_uint64_t buckets[H2_HISTOGRAM_BUCKETS];
    apr_uint64_t count;
    apr_uint64_t sum; /* microseconds */
} h2_durations;

/* Writer: n more. One writer at a time, so that no other instruction than an addition is needed. */
static inline void h2_cell_add(h2_cell *cell, apr_uint64_t n)
{
    atomic_store_explicit(cell, atomic_load_explicit(cell, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* Anybody: what it is now. */
static inline apr_uint64_t h2_cell_get(const h2_cell *cell)
{
    return atomic_load_explicit(cell, memory_order_relaxed);
}

/* Writer: a gauge, or a count that begins. */
static inline void h2_cell_set(h2_cell *cell, apr_uint64_t value)
{
    atomic_store_explicit(cell, value, memory_order_relaxed);
}

/* In which bucket such a duration is counted; negative ones are 0. Pure. */
unsigned h2_histogram_bucket(apr_interval_time_t usec);

/* The longest duration that is counted in the bucket, in microseconds. Pure. */
apr_uint64_t h2_histogram_bound(unsigned bucket);

/* Writer: one more. */
void h2_histogram_record(h2_histogram *histogram, apr_interval_time_t usec);

/* Adds what the histogram has to the sum. */
void h2_durations_add(h2_durations *durations, const h2_histogram *histogram);

/* Which duration, in microseconds, so many in a thousand do not exceed; 0 where there are none. */
apr_uint64_t h2_durations_quantile(const h2_durations *durations, unsigned per_mille);

/* How many did not exceed usec, which is to be the bound of a bucket, such as a power of two
 * less 1: else those of the bucket that it lies in are not counted. */
apr_uint64_t h2_durations_within(const h2_durations *durations, apr_uint64_t usec);

#endif /* H2_HISTOGRAM_H */

#include "stats/h2_histogram.h"

/* Durations below the number of steps have a bucket each; then the highest bits below the first one
 * say which step of its power. */
unsigned h2_histogram_bucket(apr_interval_time_t usec)
{
    apr_uint64_t value = (usec > 0) ? (apr_uint64_t)usec : 0;
    unsigned power, bucket;

    if (value < H2_HISTOGRAM_STEPS) {
        return (unsigned)value;
    }
    power = 63u - (unsigned)__builtin_clzll(value);
    bucket = (power - H2_HISTOGRAM_STEP_BITS + 1) * H2_HISTOGRAM_STEPS
             + (unsigned)((value >> (power - H2_HISTOGRAM_STEP_BITS)) & (H2_HISTOGRAM_STEPS - 1));
    return (bucket < H2_HISTOGRAM_BUCKETS) ? bucket : H2_HISTOGRAM_BUCKETS - 1;
}

apr_uint64_t h2_histogram_bound(unsigned bucket)
{
    unsigned shift;
    apr_uint64_t step;

    if (bucket < H2_HISTOGRAM_STEPS) {
        return bucket;
    }
    shift = bucket / H2_HISTOGRAM_STEPS - 1;
    step = H2_HISTOGRAM_STEPS + bucket % H2_HISTOGRAM_STEPS;
    return ((step + 1) << shift) - 1;
}

void h2_histogram_record(h2_histogram *histogram, apr_interval_time_t usec)
{
    h2_cell_add(&histogram->buckets[h2_histogram_bucket(usec)], 1);
    h2_cell_add(&histogram->sum, (usec > 0) ? (apr_uint64_t)usec : 0);
}

void h2_durations_add(h2_durations *durations, const h2_histogram *histogram)
{
    unsigned i;

    for (i = 0; i < H2_HISTOGRAM_BUCKETS; ++i) {
        apr_uint64_t count = h2_cell_get(&histogram->buckets[i]);

        durations->buckets[i] += count;
        durations->count += count;
    }
    durations->sum += h2_cell_get(&histogram->sum);
}

apr_uint64_t h2_durations_quantile(const h2_durations *durations, unsigned per_mille)
{
    apr_uint64_t wanted = (durations->count * per_mille + 999) / 1000, seen = 0;
    unsigned i;

    for (i = 0; i < H2_HISTOGRAM_BUCKETS && durations->count; ++i) {
        seen += durations->buckets[i];
        if (seen >= wanted && seen) {
            return h2_histogram_bound(i);
        }
    }
    return 0;
}

apr_uint64_t h2_durations_within(const h2_durations *durations, apr_uint64_t usec)
{
    apr_uint64_t seen = 0;
    unsigned i;

    for (i = 0; i < H2_HISTOGRAM_BUCKETS && h2_histogram_bound(i) <= usec; ++i) {
        seen += durations->buckets[i];
    }
    return seen;
}

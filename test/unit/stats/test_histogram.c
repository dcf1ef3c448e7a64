/* stats/h2_histogram.c: durations by steps that are an eighth of a power of two wide. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "stats/h2_histogram.h"

static void a_duration_is_in_a_bucket_that_ends_at_most_an_eighth_above_it(void **state)
{
    apr_uint64_t usec;

    (void)state;
    for (usec = 0; usec < (apr_uint64_t)1 << 36; usec += 1 + usec / 13) {
        apr_uint64_t bound = h2_histogram_bound(h2_histogram_bucket((apr_interval_time_t)usec));

        assert_true(bound >= usec);
        assert_true(bound - usec <= usec / 8);
    }
}

static void buckets_follow_each_other_without_a_gap(void **state)
{
    unsigned i;

    (void)state;
    for (i = 0; i < H2_HISTOGRAM_BUCKETS; ++i) {
        apr_interval_time_t bound = (apr_interval_time_t)h2_histogram_bound(i);

        assert_int_equal(h2_histogram_bucket(bound), i);
        if (i + 1 < H2_HISTOGRAM_BUCKETS) {
            assert_int_equal(h2_histogram_bucket(bound + 1), i + 1);
        }
    }
}

static void what_is_too_long_or_negative_is_in_the_last_or_the_first_bucket(void **state)
{
    (void)state;
    assert_int_equal(h2_histogram_bucket(INT64_MAX), H2_HISTOGRAM_BUCKETS - 1);
    assert_int_equal(h2_histogram_bucket(-1), 0);
    assert_int_equal(h2_histogram_bucket(INT64_MIN), 0);
}

static void quantiles_sums_and_bounds_are_those_of_what_was_recorded(void **state)
{
    h2_histogram histogram;
    h2_durations durations;
    int i;

    (void)state;
    memset(&histogram, 0, sizeof(histogram));
    memset(&durations, 0, sizeof(durations));
    for (i = 1; i <= 1000; ++i) {
        h2_histogram_record(&histogram, i);
    }
    h2_durations_add(&durations, &histogram);
    assert_int_equal(durations.count, 1000);
    assert_int_equal(durations.sum, 500500);
    assert_in_range(h2_durations_quantile(&durations, 500), 500, 562);
    assert_in_range(h2_durations_quantile(&durations, 900), 900, 1012);
    assert_in_range(h2_durations_quantile(&durations, 1000), 1000, 1125);
    assert_int_equal(h2_durations_within(&durations, 127), 127);
    assert_int_equal(h2_durations_within(&durations, 511), 511);
    assert_int_equal(h2_durations_within(&durations, 1 << 20), 1000);
}

static void of_nothing_all_is_0(void **state)
{
    h2_durations durations;

    (void)state;
    memset(&durations, 0, sizeof(durations));
    assert_int_equal(h2_durations_quantile(&durations, 999), 0);
    assert_int_equal(h2_durations_within(&durations, 1 << 30), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_duration_is_in_a_bucket_that_ends_at_most_an_eighth_above_it),
        cmocka_unit_test(buckets_follow_each_other_without_a_gap),
        cmocka_unit_test(what_is_too_long_or_negative_is_in_the_last_or_the_first_bucket),
        cmocka_unit_test(quantiles_sums_and_bounds_are_those_of_what_was_recorded),
        cmocka_unit_test(of_nothing_all_is_0),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* io/h2_record_size.c: small TLS records first, large ones later. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "io/h2_record_size.h"

#define NOW  apr_time_from_sec(1700000000)
#define IDLE apr_time_from_sec(1)
#define WARM 4000

static void a_new_connection_starts_small(void **state)
{
    h2_record_size size;

    (void)state;
    h2_record_size_init(&size, WARM, IDLE);
    assert_int_equal(h2_record_size_next(&size, NOW), H2_RECORD_SMALL_BYTES);
    assert_int_equal(h2_record_size_next(&size, NOW + 10 * IDLE), H2_RECORD_SMALL_BYTES);
}

static void the_last_byte_of_the_warm_up_makes_it_large(void **state)
{
    h2_record_size size;

    (void)state;
    h2_record_size_init(&size, WARM, IDLE);
    h2_record_size_wrote(&size, WARM - 1, NOW);
    assert_int_equal(h2_record_size_next(&size, NOW), H2_RECORD_SMALL_BYTES);
    h2_record_size_wrote(&size, 1, NOW);
    assert_int_equal(h2_record_size_next(&size, NOW), H2_RECORD_LARGE_BYTES);
}

static void idleness_makes_it_small_again_for_a_whole_warm_up(void **state)
{
    h2_record_size size;

    (void)state;
    h2_record_size_init(&size, WARM, IDLE);
    h2_record_size_wrote(&size, WARM, NOW);
    assert_int_equal(h2_record_size_next(&size, NOW + IDLE - 1), H2_RECORD_LARGE_BYTES);
    assert_int_equal(h2_record_size_next(&size, NOW + IDLE), H2_RECORD_SMALL_BYTES);
    h2_record_size_wrote(&size, WARM - 1, NOW + IDLE);
    assert_int_equal(h2_record_size_next(&size, NOW + IDLE), H2_RECORD_SMALL_BYTES);
    h2_record_size_wrote(&size, 1, NOW + IDLE);
    assert_int_equal(h2_record_size_next(&size, NOW + IDLE), H2_RECORD_LARGE_BYTES);
}

static void idleness_within_the_warm_up_starts_it_anew(void **state)
{
    h2_record_size size;

    (void)state;
    h2_record_size_init(&size, WARM, IDLE);
    h2_record_size_wrote(&size, WARM - 1, NOW);
    assert_int_equal(h2_record_size_next(&size, NOW + IDLE), H2_RECORD_SMALL_BYTES);
    h2_record_size_wrote(&size, WARM - 1, NOW + IDLE);
    assert_int_equal(h2_record_size_next(&size, NOW + IDLE), H2_RECORD_SMALL_BYTES);
}

static void steady_writing_stays_large(void **state)
{
    h2_record_size size;
    apr_time_t now = NOW;
    int i;

    (void)state;
    h2_record_size_init(&size, WARM, IDLE);
    h2_record_size_wrote(&size, WARM, now);
    for (i = 0; i < 100; ++i) {
        now += IDLE - 1;
        assert_int_equal(h2_record_size_next(&size, now), H2_RECORD_LARGE_BYTES);
        h2_record_size_wrote(&size, 1, now);
    }
}

static void without_cool_down_it_stays_large_for_ever(void **state)
{
    h2_record_size size;

    (void)state;
    h2_record_size_init(&size, WARM, 0);
    h2_record_size_wrote(&size, WARM, NOW);
    assert_int_equal(h2_record_size_next(&size, NOW + 1000000 * IDLE), H2_RECORD_LARGE_BYTES);
}

static void without_warm_up_it_is_always_large(void **state)
{
    h2_record_size size;

    (void)state;
    h2_record_size_init(&size, 0, IDLE);
    assert_int_equal(h2_record_size_next(&size, NOW), H2_RECORD_LARGE_BYTES);
    h2_record_size_wrote(&size, 1, NOW);
    assert_int_equal(h2_record_size_next(&size, NOW + 10 * IDLE), H2_RECORD_LARGE_BYTES);
    h2_record_size_wrote(&size, SIZE_MAX, NOW);
    assert_int_equal(h2_record_size_next(&size, NOW), H2_RECORD_LARGE_BYTES);
}

static void a_clock_that_steps_back_does_no_harm(void **state)
{
    h2_record_size size;

    (void)state;
    h2_record_size_init(&size, WARM, IDLE);
    h2_record_size_wrote(&size, WARM, NOW);
    assert_int_equal(h2_record_size_next(&size, NOW - 100 * IDLE), H2_RECORD_LARGE_BYTES);
}

static void no_amount_overflows_the_count(void **state)
{
    h2_record_size size;
    int i;

    (void)state;
    h2_record_size_init(&size, INT64_MAX, 0);
    size.sent_bytes = INT64_MAX - 10; /* so near that a size_t of 32 bits gets there */
    for (i = 0; i < 4; ++i) {
        h2_record_size_wrote(&size, SIZE_MAX, NOW);
        assert_int_equal(h2_record_size_next(&size, NOW), H2_RECORD_LARGE_BYTES);
        assert_true(size.sent_bytes == INT64_MAX);
    }
}

static void a_write_of_nothing_counts_as_nothing(void **state)
{
    h2_record_size size;

    (void)state;
    h2_record_size_init(&size, 1, IDLE);
    h2_record_size_wrote(&size, 0, NOW);
    assert_int_equal(h2_record_size_next(&size, NOW), H2_RECORD_SMALL_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_connection_starts_small),
        cmocka_unit_test(the_last_byte_of_the_warm_up_makes_it_large),
        cmocka_unit_test(idleness_makes_it_small_again_for_a_whole_warm_up),
        cmocka_unit_test(idleness_within_the_warm_up_starts_it_anew),
        cmocka_unit_test(steady_writing_stays_large),
        cmocka_unit_test(without_cool_down_it_stays_large_for_ever),
        cmocka_unit_test(without_warm_up_it_is_always_large),
        cmocka_unit_test(a_clock_that_steps_back_does_no_harm),
        cmocka_unit_test(no_amount_overflows_the_count),
        cmocka_unit_test(a_write_of_nothing_counts_as_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

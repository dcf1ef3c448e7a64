/* session/h2_flood.c: who reaches a limit, and who never does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "session/h2_flood.h"

static h2_server_conf conf;
static h2_flood flood;
static apr_time_t now;

static int setup(void **state)
{
    (void)state;
    memset(&conf, 0, sizeof(conf));
    conf.max_session_streams = 100;
    conf.resets = (h2_flood_limit){20, H2_CONFIG_UNSET};
    conf.client_errors = (h2_flood_limit){10, 50};
    conf.control_frames = (h2_flood_limit){100, 1000};
    now = apr_time_from_sec(1000000);
    h2_flood_init(&flood, &conf);
    return 0;
}

/* How many of so many events are let pass, with so much time between them. */
static int passed(h2_flood_cause cause, int events, apr_interval_time_t pause)
{
    int i;

    for (i = 0; i < events; ++i) {
        if (!h2_flood_charge(&flood, cause, now)) {
            break;
        }
        now += pause;
    }
    return i;
}

static void a_burst_passes_and_no_more(void **state)
{
    (void)state;
    assert_int_equal(passed(H2_FLOOD_RESETS, 1000, 0), 200);
    assert_int_equal(passed(H2_FLOOD_ERRORS, 1000, 0), 50);
    assert_int_equal(passed(H2_FLOOD_PING, 10000, 0), 1000);
}

static void a_burst_has_room_for_all_streams_twice(void **state)
{
    (void)state;
    conf.max_session_streams = 1000;
    assert_int_equal(passed(H2_FLOOD_RESETS, 10000, 0), 2000);
}

static void the_rate_holds_for_long(void **state)
{
    (void)state;
    assert_int_equal(passed(H2_FLOOD_PING, 100000, apr_time_from_msec(10)), 100000);
    assert_true(passed(H2_FLOOD_RESETS, 1000, apr_time_from_msec(10)) <= 251); /* 100 a second */
}

static void after_a_pause_there_is_room_again(void **state)
{
    (void)state;
    assert_int_equal(passed(H2_FLOOD_PING, 1000, 0), 1000);
    now += apr_time_from_sec(5);
    assert_int_equal(passed(H2_FLOOD_PING, 10000, 0), 500);
    now += apr_time_from_sec(1000000);
    assert_int_equal(passed(H2_FLOOD_PING, 10000, 0), 1000);
}

static void useful_work_makes_up_for_resets(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 100000; ++i) {
        assert_true(h2_flood_charge(&flood, H2_FLOOD_RESETS, now));
        ++flood.requests_done;
    }
}

static void counters_may_wrap(void **state)
{
    (void)state;
    flood.requests_done = 0xfffffff0u;
    flood.accounts[H2_FLOOD_RESETS].work = 0xfffffff0u * 100;
    assert_int_equal(passed(H2_FLOOD_RESETS, 200, 0), 200);
    flood.requests_done += 100;
    assert_int_equal(passed(H2_FLOOD_RESETS, 1000, 0), 100);
}

static void window_updates_for_what_was_sent_are_free(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 100000; ++i) {
        ++flood.data_sent;
        assert_int_equal(passed(H2_FLOOD_WINDOW_UPDATE, 2, 0), 2);
    }
    assert_int_equal(passed(H2_FLOOD_WINDOW_UPDATE, 10000, 0), 1000 - 2);
}

static void causes_do_not_share_an_account(void **state)
{
    (void)state;
    assert_int_equal(passed(H2_FLOOD_PING, 1000, 0), 1000);
    assert_int_equal(passed(H2_FLOOD_PRIORITY, 1000, 0), 1000);
    assert_int_equal(passed(H2_FLOOD_SETTINGS, 1000, 0), 100); /* each is ten */
    assert_int_equal(passed(H2_FLOOD_LATE, 100000, 0), 10000); /* each is a tenth */
}

static void slow_resets_have_an_end_too(void **state)
{
    (void)state;
    assert_int_equal(passed(H2_FLOOD_RESETS, 20000, apr_time_from_msec(100)), 10000);
}

static void slow_pings_have_none(void **state)
{
    (void)state;
    assert_int_equal(passed(H2_FLOOD_PING, 200000, apr_time_from_sec(1)), 200000);
}

static void a_limit_of_0_is_none(void **state)
{
    (void)state;
    conf.resets.rate = 0;
    assert_int_equal(passed(H2_FLOOD_RESETS, 100000, 0), 100000);
}

static void a_clock_that_jumps_does_no_harm(void **state)
{
    (void)state;
    assert_int_equal(passed(H2_FLOOD_RESETS, 100, 0), 100);
    now -= apr_time_from_sec(500000);
    assert_int_equal(passed(H2_FLOOD_RESETS, 1000, 0), 100);
    now += APR_INT64_MAX / 2;
    assert_int_equal(passed(H2_FLOOD_RESETS, 1000, 0), 200);
}

static void each_cause_has_its_words(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < H2_FLOOD_CAUSES; ++i) {
        assert_non_null(strstr(h2_flood_reason((h2_flood_cause)i), "H2Max"));
    }
}

static void a_limit_is_told_with_its_burst(void **state)
{
    (void)state;
    assert_int_equal(h2_flood_limit_of(&flood, H2_FLOOD_RESETS).rate, 20);
    assert_int_equal(h2_flood_limit_of(&flood, H2_FLOOD_RESETS).burst, 200);
    assert_int_equal(h2_flood_limit_of(&flood, H2_FLOOD_REFUSED).burst, 50);
    assert_int_equal(h2_flood_limit_of(&flood, H2_FLOOD_LATE).rate, 100);
    conf.max_session_streams = APR_INT32_MAX;
    assert_int_equal(h2_flood_limit_of(&flood, H2_FLOOD_RESETS).burst, APR_INT32_MAX);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_burst_passes_and_no_more),
        TEST(a_burst_has_room_for_all_streams_twice),
        TEST(the_rate_holds_for_long),
        TEST(after_a_pause_there_is_room_again),
        TEST(useful_work_makes_up_for_resets),
        TEST(counters_may_wrap),
        TEST(window_updates_for_what_was_sent_are_free),
        TEST(causes_do_not_share_an_account),
        TEST(slow_resets_have_an_end_too),
        TEST(slow_pings_have_none),
        TEST(a_limit_of_0_is_none),
        TEST(a_clock_that_jumps_does_no_harm),
        TEST(each_cause_has_its_words),
        TEST(a_limit_is_told_with_its_burst),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

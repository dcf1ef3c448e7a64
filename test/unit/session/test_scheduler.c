/* session/h2_scheduler.c: who sends next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "session/h2_scheduler.h"

#define STREAMS 5

static h2_scheduler scheduler;
static h2_stream streams[STREAMS];

static int setup(void **state)
{
    int i;

    (void)state;
    memset(streams, 0, sizeof(streams));
    for (i = 0; i < STREAMS; ++i) {
        streams[i].id = 2 * i + 1;
    }
    h2_scheduler_init(&scheduler);
    return 0;
}

static void add_all(void)
{
    int i;

    for (i = 0; i < STREAMS; ++i) {
        h2_scheduler_add(&scheduler, &streams[i]);
    }
}

/* Whose turn it is, and has been then. */
static int turn(void)
{
    h2_stream *stream = h2_scheduler_next(&scheduler);

    assert_non_null(stream);
    h2_scheduler_had_turn(&scheduler, stream);
    return stream->id;
}

static void without_streams_it_is_nobodys_turn(void **state)
{
    (void)state;
    assert_null(h2_scheduler_next(&scheduler));
    assert_int_equal(h2_scheduler_count(&scheduler), 0);
}

static void turns_go_round_in_the_order_of_coming(void **state)
{
    int round, i;

    (void)state;
    add_all();
    assert_int_equal(h2_scheduler_count(&scheduler), STREAMS);
    for (round = 0; round < 3; ++round) {
        for (i = 0; i < STREAMS; ++i) {
            assert_int_equal(turn(), streams[i].id);
        }
    }
    assert_int_equal(h2_scheduler_count(&scheduler), STREAMS);
}

static void asking_whose_turn_it_is_changes_nothing(void **state)
{
    (void)state;
    add_all();
    assert_ptr_equal(h2_scheduler_next(&scheduler), &streams[0]);
    assert_ptr_equal(h2_scheduler_next(&scheduler), &streams[0]);
}

static void a_single_stream_has_every_turn(void **state)
{
    (void)state;
    h2_scheduler_add(&scheduler, &streams[2]);
    assert_int_equal(turn(), streams[2].id);
    assert_int_equal(turn(), streams[2].id);
    assert_int_equal(h2_scheduler_count(&scheduler), 1);
}

static void adding_a_stream_again_gains_it_nothing(void **state)
{
    (void)state;
    add_all();
    h2_scheduler_add(&scheduler, &streams[4]);
    h2_scheduler_add(&scheduler, &streams[0]);
    assert_int_equal(h2_scheduler_count(&scheduler), STREAMS);
    assert_int_equal(turn(), streams[0].id);
    assert_int_equal(turn(), streams[1].id);
}

static void a_stream_that_comes_waits_for_those_that_are_there(void **state)
{
    (void)state;
    h2_scheduler_add(&scheduler, &streams[0]);
    h2_scheduler_add(&scheduler, &streams[1]);
    assert_int_equal(turn(), streams[0].id);
    h2_scheduler_add(&scheduler, &streams[2]);
    assert_int_equal(turn(), streams[1].id);
    assert_int_equal(turn(), streams[0].id);
    assert_int_equal(turn(), streams[2].id);
}

static void a_removed_stream_has_no_turn_and_the_others_keep_theirs(void **state)
{
    (void)state;
    add_all();
    h2_scheduler_remove(&scheduler, &streams[0]);
    h2_scheduler_remove(&scheduler, &streams[2]);
    assert_false(streams[0].is_sending);
    assert_int_equal(h2_scheduler_count(&scheduler), 3);
    assert_int_equal(turn(), streams[1].id);
    assert_int_equal(turn(), streams[3].id);
    assert_int_equal(turn(), streams[4].id);
    assert_int_equal(turn(), streams[1].id);
}

static void removing_twice_or_what_was_never_there_does_no_harm(void **state)
{
    (void)state;
    h2_scheduler_remove(&scheduler, &streams[0]);
    h2_scheduler_add(&scheduler, &streams[0]);
    h2_scheduler_remove(&scheduler, &streams[0]);
    h2_scheduler_remove(&scheduler, &streams[0]);
    assert_int_equal(h2_scheduler_count(&scheduler), 0);
    assert_null(h2_scheduler_next(&scheduler));
}

static void a_stream_that_comes_back_is_the_last(void **state)
{
    (void)state;
    add_all();
    h2_scheduler_remove(&scheduler, &streams[0]);
    h2_scheduler_add(&scheduler, &streams[0]);
    assert_int_equal(turn(), streams[1].id);
    assert_int_equal(turn(), streams[2].id);
    assert_int_equal(turn(), streams[3].id);
    assert_int_equal(turn(), streams[4].id);
    assert_int_equal(turn(), streams[0].id);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_streams_it_is_nobodys_turn),
        TEST(turns_go_round_in_the_order_of_coming),
        TEST(asking_whose_turn_it_is_changes_nothing),
        TEST(a_single_stream_has_every_turn),
        TEST(adding_a_stream_again_gains_it_nothing),
        TEST(a_stream_that_comes_waits_for_those_that_are_there),
        TEST(a_removed_stream_has_no_turn_and_the_others_keep_theirs),
        TEST(removing_twice_or_what_was_never_there_does_no_harm),
        TEST(a_stream_that_comes_back_is_the_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* session/h2_scheduler.c: who sends next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "session/h2_scheduler.h"

#define STREAMS 5    /* those of most tests */
#define MANY    1000
#define FRAME   16384

static h2_scheduler scheduler;
static h2_stream streams[MANY];
static apr_uint64_t got[MANY]; /* bytes that each stream has sent */
static unsigned random_state;

static int setup(void **state)
{
    int i;

    (void)state;
    memset(streams, 0, sizeof(streams));
    memset(got, 0, sizeof(got));
    for (i = 0; i < MANY; ++i) {
        streams[i].id = 2 * i + 1;
    }
    random_state = 1;
    h2_scheduler_init(&scheduler);
    return 0;
}

/* Numbers from 0 to limit - 1, the same ones in each run. */
static int random_below(int limit)
{
    random_state = random_state * 1103515245u + 12345u;
    return (int)((random_state >> 8) % (unsigned)limit);
}

static int index_of(const h2_stream *stream)
{
    return (int)(stream - streams);
}

static void add(int i)
{
    h2_scheduler_add(&scheduler, &streams[i]);
}

static void remove_(int i)
{
    h2_scheduler_remove(&scheduler, &streams[i]);
}

static void leave(int i)
{
    h2_scheduler_leave(&scheduler, &streams[i]);
}

static int count(void)
{
    return h2_scheduler_count(&scheduler);
}

/* Below nobody if parent is negative. */
static void join(int i, int parent, int weight)
{
    h2_scheduler_join(&scheduler, &streams[i], (parent < 0) ? NULL : &streams[parent], weight);
}

static void join_and_add(int i, int parent, int weight)
{
    join(i, parent, weight);
    add(i);
}

static void move_above(int i, int main)
{
    h2_scheduler_move_above(&streams[i], &streams[main]);
}

static void move_beside(int i, int main, int weight)
{
    h2_scheduler_move_beside(&streams[i], &streams[main], weight);
}

static void move_below(int i, int main, int weight)
{
    h2_scheduler_move_below(&streams[i], &streams[main], weight);
}

static void join_all(void)
{
    int i;

    for (i = 0; i < STREAMS; ++i) {
        join(i, -1, H2_WEIGHT_DEFAULT);
    }
}

static void add_all(void)
{
    int i;

    join_all();
    for (i = 0; i < STREAMS; ++i) {
        add(i);
    }
}

/* Whose turn it is, -1: nobody's. */
static int next(void)
{
    const h2_stream *stream = h2_scheduler_next(&scheduler);

    return stream ? index_of(stream) : -1;
}

/* Whose turn it is, and has been then. */
static int turn_of(int bytes)
{
    int i = next();

    assert_true(i >= 0);
    h2_scheduler_had_turn(&streams[i], (apr_size_t)bytes);
    got[i] += (apr_uint64_t)bytes;
    return i;
}

static int turn(void)
{
    return turn_of(FRAME);
}

static void take_turns(int turns)
{
    memset(got, 0, sizeof(got));
    while (turns-- > 0) {
        turn();
    }
}

/* Frames as a response of an application has them. */
static void take_mixed_turns(int turns)
{
    memset(got, 0, sizeof(got));
    while (turns-- > 0) {
        turn_of((random_below(3) == 0) ? FRAME : 256 + random_below(FRAME - 256));
    }
}

/* What i got is its part of what all got, within 5% of it. */
static void assert_share(int i, int part, int whole)
{
    apr_uint64_t sum = 0, due;
    int k;

    for (k = 0; k < MANY; ++k) {
        sum += got[k];
    }
    due = sum * (apr_uint64_t)part / (apr_uint64_t)whole;
    assert_in_range(got[i], due - due / 20, due + due / 20);
}

static void without_streams_it_is_nobodys_turn(void **state)
{
    (void)state;
    assert_null(h2_scheduler_next(&scheduler));
    assert_int_equal(count(), 0);
    join_all();
    assert_null(h2_scheduler_next(&scheduler));
    assert_int_equal(count(), 0);
}

static void turns_go_round_in_the_order_of_coming(void **state)
{
    int round, i;

    (void)state;
    add_all();
    assert_int_equal(count(), STREAMS);
    for (round = 0; round < 3; ++round) {
        for (i = 0; i < STREAMS; ++i) {
            assert_int_equal(turn(), i);
        }
    }
    assert_int_equal(count(), STREAMS);
}

static void the_order_of_coming_is_that_of_the_output_and_not_of_the_streams(void **state)
{
    static const int order[STREAMS] = {3, 0, 4, 2, 1};
    int i;

    (void)state;
    join_all();
    for (i = 0; i < STREAMS; ++i) {
        add(order[i]);
    }
    for (i = 0; i < 3 * STREAMS; ++i) {
        assert_int_equal(turn(), order[i % STREAMS]);
    }
}

static void asking_whose_turn_it_is_changes_nothing(void **state)
{
    (void)state;
    add_all();
    assert_int_equal(next(), 0);
    assert_int_equal(next(), 0);
}

static void a_single_stream_has_every_turn(void **state)
{
    (void)state;
    join_all();
    add(2);
    assert_int_equal(turn(), 2);
    assert_int_equal(turn(), 2);
    assert_int_equal(count(), 1);
}

static void adding_a_stream_again_gains_it_nothing(void **state)
{
    (void)state;
    add_all();
    add(4);
    add(0);
    assert_int_equal(count(), STREAMS);
    assert_int_equal(turn(), 0);
    assert_int_equal(turn(), 1);
    add(1);
    assert_int_equal(turn(), 2);
}

static void a_stream_that_comes_waits_for_those_that_wait_already(void **state)
{
    int first, second;

    (void)state;
    join_all();
    add(0);
    add(1);
    assert_int_equal(turn(), 0);
    add(2);
    assert_int_equal(turn(), 1);
    first = turn();
    second = turn();
    assert_true((first == 0 && second == 2) || (first == 2 && second == 0));
    assert_int_equal(turn(), 1);
}

static void a_removed_stream_has_no_turn_and_the_others_keep_theirs(void **state)
{
    (void)state;
    add_all();
    remove_(0);
    remove_(2);
    assert_false(streams[0].is_sending);
    assert_int_equal(count(), 3);
    assert_int_equal(turn(), 1);
    assert_int_equal(turn(), 3);
    assert_int_equal(turn(), 4);
    assert_int_equal(turn(), 1);
}

static void removing_twice_or_what_was_never_there_does_no_harm(void **state)
{
    (void)state;
    join_all();
    remove_(0);
    assert_int_equal(count(), 0);
    add(0);
    remove_(0);
    remove_(0);
    assert_int_equal(count(), 0);
    assert_null(h2_scheduler_next(&scheduler));
}

static void a_stream_that_comes_back_is_the_last(void **state)
{
    (void)state;
    add_all();
    remove_(0);
    add(0);
    assert_int_equal(turn(), 1);
    assert_int_equal(turn(), 2);
    assert_int_equal(turn(), 3);
    assert_int_equal(turn(), 4);
    assert_int_equal(turn(), 0);
}

static void weights_are_kept_between_1_and_256(void **state)
{
    static const struct {
        int given;
        int used;
    } cases[] = {{-5, 1}, {0, 1}, {1, 1}, {16, 16}, {256, 256}, {257, 256}, {512, 256}};
    size_t i;

    (void)state;
    join(0, -1, 100);
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
        join(1, -1, cases[i].given);
        assert_int_equal(h2_scheduler_weight(&streams[1]), cases[i].used);
        move_below(1, 0, cases[i].given);
        assert_int_equal(h2_scheduler_weight(&streams[1]), cases[i].used);
        move_beside(1, 0, cases[i].given);
        assert_int_equal(h2_scheduler_weight(&streams[1]), cases[i].used);
        leave(1);
    }
}

/* Two streams side by side, with frames of one size and with mixed ones. */
static void check_two(int first, int second, int turns)
{
    setup(NULL);
    join_and_add(0, -1, first);
    join_and_add(1, -1, second);
    take_turns(turns);
    assert_share(0, first, first + second);
    assert_share(1, second, first + second);
    take_mixed_turns(turns);
    assert_share(0, first, first + second);
    assert_share(1, second, first + second);
}

static void two_streams_share_by_their_weights(void **state)
{
    (void)state;
    check_two(16, 16, 1000);
    check_two(256, 128, 1000);
    check_two(1, 256, 257 * 100);
    check_two(256, 1, 257 * 100);
    check_two(1, 2, 1000);
    check_two(17, 23, 1000);
}

static void three_streams_share_by_their_weights(void **state)
{
    (void)state;
    join_and_add(0, -1, 1);
    join_and_add(1, -1, 2);
    join_and_add(2, -1, 5);
    take_turns(2000);
    assert_share(0, 1, 8);
    assert_share(1, 2, 8);
    assert_share(2, 5, 8);
    take_mixed_turns(5000);
    assert_share(0, 1, 8);
    assert_share(1, 2, 8);
    assert_share(2, 5, 8);
}

static void shares_are_of_bytes_and_not_of_turns(void **state)
{
    static const int frames[] = {FRAME, 1000, 256};
    int i;

    (void)state;
    for (i = 0; i < 3; ++i) {
        join_and_add(i, -1, H2_WEIGHT_DEFAULT);
    }
    for (i = 0; i < 20000; ++i) {
        turn_of(frames[next()]);
    }
    for (i = 0; i < 3; ++i) {
        assert_share(i, 1, 3);
    }
}

static void shares_hold_in_the_short_run_too(void **state)
{
    int round;

    (void)state;
    join_and_add(0, -1, 64);
    join_and_add(1, -1, 192);
    for (round = 0; round < 100; ++round) {
        take_turns(4);
        assert_int_equal(got[0], FRAME);
        assert_int_equal(got[1], 3 * FRAME);
    }
}

static void a_turn_without_bytes_is_not_for_free(void **state)
{
    int i, turns_of_other = 0;

    (void)state;
    join_and_add(0, -1, H2_WEIGHT_DEFAULT);
    join_and_add(1, -1, H2_WEIGHT_DEFAULT);
    for (i = 0; i < 6500; ++i) {
        turns_of_other += (turn_of(next() == 0 ? 0 : FRAME) == 1);
    }
    assert_in_range(turns_of_other, 3249, 3251);
}

/* Its handler makes one frame at a time. */
static void who_is_removed_after_its_turn_has_paid_for_it(void **state)
{
    int i;

    (void)state;
    join_and_add(0, -1, 1);
    join_and_add(1, -1, 256);
    for (i = 0; i < 257 * 100; ++i) {
        if (turn() == 0) {
            remove_(0);
        }
        else {
            add(0);
        }
    }
    assert_share(0, 1, 257);
}

static void a_stream_below_another_one_has_what_that_leaves(void **state)
{
    int i;

    (void)state;
    join_and_add(0, -1, 1);
    join_and_add(1, 0, 256);
    for (i = 0; i < 100; ++i) {
        assert_int_equal(turn(), 0);
    }
    remove_(0);
    for (i = 0; i < 100; ++i) {
        assert_int_equal(turn(), 1);
    }
    add(0);
    for (i = 0; i < 100; ++i) {
        assert_int_equal(turn(), 0);
    }
    assert_int_equal(count(), 2);
}

static void all_below_a_stream_wait_for_it(void **state)
{
    (void)state;
    join_and_add(3, -1, 16);
    join_and_add(2, 3, 16);
    join_and_add(1, 2, 16);
    join_and_add(0, 1, 16);
    assert_int_equal(turn(), 3);
    remove_(2);
    assert_int_equal(turn(), 3);
    remove_(3);
    assert_int_equal(turn(), 1);
    remove_(1);
    assert_int_equal(turn(), 0);
    add(2);
    assert_int_equal(turn(), 2);
    remove_(2);
    assert_int_equal(turn(), 0);
    remove_(0);
    assert_int_equal(next(), -1);
}

static void those_below_share_the_weight_of_the_one_above(void **state)
{
    (void)state;
    join_and_add(0, -1, 16);
    join(1, -1, 16);
    join_and_add(2, 1, 1);
    join_and_add(3, 1, 3);
    take_turns(4000);
    assert_share(0, 4, 8);
    assert_share(2, 1, 8);
    assert_share(3, 3, 8);
    take_mixed_turns(8000);
    assert_share(0, 4, 8);
    assert_share(2, 1, 8);
    assert_share(3, 3, 8);
}

static void who_is_below_an_idle_stream_uses_its_share(void **state)
{
    (void)state;
    join_and_add(0, -1, 16);
    join_and_add(1, -1, 48);
    join_and_add(2, 1, 1);
    take_turns(1000);
    assert_share(0, 1, 4);
    assert_share(1, 3, 4);
    remove_(1);
    take_turns(1000);
    assert_share(0, 1, 4);
    assert_share(2, 3, 4);
}

static void a_stream_moved_above_another_one_goes_first_with_its_weight(void **state)
{
    (void)state;
    join_and_add(0, -1, 48);
    join_and_add(1, -1, 16);
    join(2, 0, 1);
    move_above(2, 0);
    assert_int_equal(h2_scheduler_weight(&streams[2]), 48);
    assert_int_equal(h2_scheduler_weight(&streams[0]), 48);
    take_turns(1000);
    assert_share(0, 3, 4); /* the new one has nothing yet */
    add(2);
    take_turns(1000);
    assert_int_equal(got[0], 0);
    assert_share(2, 3, 4);
    assert_share(1, 1, 4);
    remove_(2);
    take_turns(1000);
    assert_share(0, 3, 4);
    leave(2);
    assert_int_equal(h2_scheduler_weight(&streams[0]), 48);
    take_turns(1000);
    assert_share(0, 3, 4);
}

static void who_is_below_stays_there_when_another_one_moves_above(void **state)
{
    (void)state;
    join(0, -1, 16);
    join_and_add(1, 0, 16);
    join(2, -1, 16);
    move_above(2, 0);
    assert_int_equal(turn(), 1);
    add(0);
    assert_int_equal(turn(), 0);
    add(2);
    assert_int_equal(turn(), 2);
    remove_(2);
    assert_int_equal(turn(), 0);
    remove_(0);
    assert_int_equal(turn(), 1);
}

static void a_stream_moves_above_while_both_send(void **state)
{
    (void)state;
    add_all();
    take_turns(7);
    move_above(3, 1);
    assert_int_equal(count(), STREAMS);
    take_turns(400);
    assert_int_equal(got[1], 0);
    assert_share(0, 1, 4);
    assert_share(2, 1, 4);
    assert_share(3, 1, 4);
    assert_share(4, 1, 4);
}

static void moving_above_again_changes_nothing(void **state)
{
    (void)state;
    join_and_add(0, -1, 16);
    join_and_add(1, 0, 16);
    move_above(1, 0);
    move_above(1, 0);
    assert_int_equal(count(), 2);
    assert_int_equal(turn(), 1);
    remove_(1);
    assert_int_equal(turn(), 0);
    leave(1);
    assert_int_equal(turn(), 0);
    assert_int_equal(count(), 1);
}

static void of_two_above_the_first_one_goes_first(void **state)
{
    (void)state;
    join_and_add(0, -1, 40);
    join_and_add(1, 0, 16);
    join_and_add(2, 0, 16);
    join_and_add(3, -1, 40);
    move_above(1, 0);
    move_above(2, 0);
    take_turns(100);
    assert_share(1, 1, 2);
    assert_share(3, 1, 2);
    remove_(1);
    take_turns(100);
    assert_share(2, 1, 2);
    assert_share(3, 1, 2);
    remove_(2);
    take_turns(100);
    assert_share(0, 1, 2);
    assert_share(3, 1, 2);
    leave(1); /* in whatever order they end */
    take_turns(100);
    assert_share(0, 1, 2);
    add(2);
    take_turns(100);
    assert_share(2, 1, 2);
    leave(2);
    take_turns(100);
    assert_share(0, 1, 2);
    assert_share(3, 1, 2);
}

static void a_stream_moved_beside_shares_by_its_weight(void **state)
{
    (void)state;
    join_and_add(0, -1, 16);
    join_and_add(1, 0, 16);
    assert_int_equal(turn(), 0);
    assert_int_equal(turn(), 0);
    move_beside(1, 0, 32);
    assert_int_equal(count(), 2);
    assert_int_equal(h2_scheduler_weight(&streams[1]), 32);
    take_turns(3000);
    assert_share(0, 1, 3);
    assert_share(1, 2, 3);
    move_beside(1, 0, 16); /* a new weight in the same place */
    take_turns(3000);
    assert_share(0, 1, 2);
    assert_share(1, 1, 2);
}

static void beside_is_below_the_same_one(void **state)
{
    (void)state;
    join_and_add(0, -1, 16);
    join_and_add(1, 0, 16);
    join_and_add(2, -1, 16);
    move_beside(2, 1, 16);
    take_turns(10);
    assert_share(0, 1, 1);
    remove_(0);
    take_turns(100);
    assert_share(1, 1, 2);
    assert_share(2, 1, 2);
}

static void a_stream_moved_below_waits(void **state)
{
    (void)state;
    add_all();
    take_turns(3);
    move_below(4, 2, 200);
    assert_int_equal(h2_scheduler_weight(&streams[4]), 200);
    assert_int_equal(count(), STREAMS);
    take_turns(400);
    assert_int_equal(got[4], 0);
    assert_share(2, 1, 4);
    remove_(2);
    take_turns(400);
    assert_share(4, 1, 4); /* the weight of the one above counts */
    move_below(4, 0, 1);
    take_turns(300);
    assert_int_equal(got[4], 0);
    assert_share(0, 1, 3);
}

static void a_stream_that_has_nothing_to_send_may_be_moved(void **state)
{
    (void)state;
    join_all();
    add(0);
    move_above(1, 0);
    move_beside(2, 0, 16);
    move_below(3, 0, 16);
    move_below(4, 3, 16);
    assert_int_equal(count(), 1);
    assert_int_equal(turn(), 0);
    add(4);
    assert_int_equal(turn(), 0);
    remove_(0);
    assert_int_equal(turn(), 4);
    add(3);
    assert_int_equal(turn(), 3);
    add(1);
    assert_int_equal(turn(), 1);
}

static void who_ends_is_replaced_by_those_below(void **state)
{
    (void)state;
    join_and_add(0, -1, 16);
    join_and_add(1, -1, 16);
    join_and_add(2, 1, 1);
    join_and_add(3, 1, 3);
    assert_int_equal(count(), 4);
    leave(1);
    assert_int_equal(count(), 3);
    assert_false(streams[1].is_sending);
    assert_int_equal(h2_scheduler_weight(&streams[2]), 4);
    assert_int_equal(h2_scheduler_weight(&streams[3]), 12);
    take_turns(4000);
    assert_share(0, 4, 8);
    assert_share(2, 1, 8);
    assert_share(3, 3, 8);
}

static void those_below_go_to_the_one_above_and_not_to_the_top(void **state)
{
    (void)state;
    join_and_add(0, -1, 16);
    join_and_add(1, 0, 16);
    join_and_add(2, 1, 16);
    join_and_add(3, 2, 16);
    leave(1);
    assert_int_equal(count(), 3);
    assert_int_equal(turn(), 0);
    remove_(0);
    assert_int_equal(turn(), 2);
    remove_(2);
    assert_int_equal(turn(), 3);
    add(0);
    assert_int_equal(turn(), 0);
    leave(0);
    assert_int_equal(turn(), 3);
    leave(2);
    assert_int_equal(turn(), 3);
    leave(3);
    assert_int_equal(next(), -1);
    assert_int_equal(count(), 0);
}

static void a_share_of_a_share_is_never_less_than_1(void **state)
{
    int i;

    (void)state;
    join(0, -1, 1);
    for (i = 1; i < 20; ++i) {
        join_and_add(i, 0, (i == 1) ? 1 : 256);
    }
    leave(0);
    for (i = 1; i < 20; ++i) {
        assert_int_equal(h2_scheduler_weight(&streams[i]), 1);
    }
    take_turns(19 * 20);
    for (i = 1; i < 20; ++i) {
        assert_share(i, 1, 19);
    }
}

static void those_below_may_have_nothing_to_send_when_their_parent_ends(void **state)
{
    (void)state;
    join_and_add(0, -1, 16);
    join_and_add(1, -1, 16);
    join(2, 1, 16);
    join_and_add(3, 2, 16);
    join(4, 3, 16);
    leave(1);
    take_turns(100);
    assert_share(0, 1, 2);
    assert_share(3, 1, 2);
    add(2);
    take_turns(100);
    assert_share(0, 1, 2);
    assert_share(2, 1, 2);
    remove_(2);
    remove_(3);
    add(4);
    take_turns(100);
    assert_share(0, 1, 2);
    assert_share(4, 1, 2);
}

static void who_has_left_may_join_again(void **state)
{
    (void)state;
    add_all();
    take_turns(3);
    leave(2);
    assert_int_equal(count(), STREAMS - 1);
    join(2, 0, 16);
    assert_int_equal(count(), STREAMS - 1);
    add(2);
    take_turns(40);
    assert_int_equal(got[2], 0);
    remove_(0);
    take_turns(40);
    assert_share(2, 1, 4);
}

static void an_idle_stream_does_not_catch_up(void **state)
{
    (void)state;
    join_and_add(0, -1, 16);
    join_and_add(1, -1, 16);
    take_turns(10);
    remove_(0);
    take_turns(10000);
    add(0);
    take_turns(10);
    assert_in_range(got[0], 4 * FRAME, 6 * FRAME);
    take_turns(1000);
    assert_share(0, 1, 2);
}

static void an_idle_family_does_not_catch_up(void **state)
{
    (void)state;
    join_and_add(0, -1, 16);
    join(1, -1, 16);
    join_and_add(2, 1, 16);
    join_and_add(3, 1, 16);
    take_turns(16);
    remove_(2);
    take_turns(10000);
    remove_(3);
    take_turns(10000);
    add(2);
    add(3);
    take_turns(16);
    assert_in_range(got[0], 7 * FRAME, 9 * FRAME);
    assert_in_range(got[2], 3 * FRAME, 5 * FRAME);
    assert_in_range(got[3], 3 * FRAME, 5 * FRAME);
}

static void coming_and_going_gains_nothing(void **state)
{
    int i;

    (void)state;
    join_and_add(0, -1, 16);
    join_and_add(1, -1, 48);
    for (i = 0; i < 4000; ++i) {
        turn();
        remove_(0);
        add(0);
    }
    assert_share(0, 1, 4);
    assert_share(1, 3, 4);
}

/* There is always so many small responses waiting: who has had its turn is replaced. */
static void check_flow(int waiting)
{
    int i, newest = waiting;

    setup(NULL);
    join_and_add(0, -1, 16);
    turn();
    for (i = 1; i <= waiting; ++i) {
        join_and_add(i, -1, 16);
    }
    memset(got, 0, sizeof(got));
    for (i = 0; i < 900; ++i) {
        int k = turn();

        if (k) {
            leave(k);
            newest = (newest == MANY - 1) ? 1 : newest + 1;
            join_and_add(newest, -1, 16);
        }
    }
    assert_true(got[0] / FRAME >= (apr_uint64_t)(900 / (waiting + 1) - 900 / (waiting + 1) / 5));
}

static void a_flow_of_short_streams_does_not_starve_a_long_one(void **state)
{
    (void)state;
    check_flow(1);
    check_flow(5);
    check_flow(50);
}

static void of_two_that_cannot_send_each_is_asked(void **state)
{
    int i, had[2] = {0, 0};

    (void)state;
    join_and_add(0, -1, 16);
    join_and_add(1, -1, 16);
    turn();
    turn();
    turn_of(0);
    turn();
    for (i = 0; i < count() + 1; ++i) {
        int k = next();

        had[k == 1]++;
        turn_of(k ? FRAME : 0);
    }
    assert_true(had[0] && had[1]);
}

static void a_new_stream_soon_has_its_share(void **state)
{
    int i;

    (void)state;
    join_and_add(0, -1, 16);
    take_turns(100000);
    for (i = 1; i < 20; ++i) {
        int k;

        join_and_add(i, -1, 16);
        memset(got, 0, sizeof(got));
        for (k = 0; k < i + 1; ++k) {
            turn();
        }
        assert_int_equal(got[i], FRAME);
        take_turns(10 * (i + 1));
        for (k = 0; k <= i; ++k) {
            assert_int_equal(got[k], 10 * FRAME);
        }
    }
}

static void a_new_stream_does_not_keep_the_old_ones_waiting(void **state)
{
    int i;

    (void)state;
    join_and_add(0, -1, 1);
    join_and_add(1, -1, 1);
    take_turns(1000);
    for (i = 2; i < 100; ++i) {
        int k, turns;

        join_and_add(i, -1, 1);
        for (k = 0; k <= i; ++k) {
            for (turns = 0; next() != k; ++turns) {
                assert_true(turns <= 2 * i);
                turn();
            }
            turn();
        }
    }
}

/* The other one may now send as much; it is a session's largest turn. */
static void after_a_large_turn_the_old_stream_waits_no_longer_than_that_is_long(void **state)
{
    int i;

    (void)state;
    join_and_add(0, -1, 16);
    turn_of(64 * FRAME);
    turn_of(64 * FRAME);
    join_and_add(1, -1, 16);
    for (i = 0; next() == 1; ++i) {
        assert_true(i < 65);
        turn();
    }
    take_turns(100);
    assert_share(0, 1, 2);
}

static void alone_is_who_has_nobody_to_share_with(void **state)
{
    (void)state;
    join_and_add(0, -1, 16);
    assert_true(h2_scheduler_is_alone(&streams[0]));
    join(1, -1, 16);
    assert_true(h2_scheduler_is_alone(&streams[0]));
    add(1);
    assert_false(h2_scheduler_is_alone(&streams[0]));
    assert_false(h2_scheduler_is_alone(&streams[1]));
    remove_(0);
    assert_true(h2_scheduler_is_alone(&streams[1]));
}

static void who_waits_below_disturbs_nobody(void **state)
{
    (void)state;
    join_and_add(0, -1, 16);
    join_and_add(1, 0, 16);
    join_and_add(2, 0, 16);
    assert_true(h2_scheduler_is_alone(&streams[0]));
    remove_(0);
    assert_false(h2_scheduler_is_alone(&streams[1]));
    remove_(2);
    assert_true(h2_scheduler_is_alone(&streams[1]));
}

static void who_is_beside_one_above_disturbs(void **state)
{
    (void)state;
    join(0, -1, 16);
    join(1, -1, 16);
    join_and_add(2, 0, 16);
    join(3, 1, 16);
    assert_true(h2_scheduler_is_alone(&streams[2]));
    add(3);
    assert_false(h2_scheduler_is_alone(&streams[2]));
    assert_false(h2_scheduler_is_alone(&streams[3]));
    move_below(3, 2, 16);
    assert_true(h2_scheduler_is_alone(&streams[2]));
    leave(2);
    assert_true(h2_scheduler_is_alone(&streams[3]));
}

static void each_of_a_hundred_levels_waits_for_those_above(void **state)
{
    const int levels = 100;
    int i;

    (void)state;
    for (i = 0; i < levels; ++i) {
        join(i, i - 1, 1 + random_below(256));
    }
    for (i = levels - 1; i >= 0; --i) { /* from below: each has the turn of the one before */
        add(i);
        assert_int_equal(turn(), i);
        assert_true(h2_scheduler_is_alone(&streams[i]));
    }
    assert_int_equal(count(), levels);
    for (i = 0; i < levels; ++i) {
        assert_int_equal(turn(), i);
        remove_(i);
    }
    assert_int_equal(next(), -1);
}

static void a_deep_tree_has_the_share_of_its_top(void **state)
{
    const int levels = 100;
    int i;

    (void)state;
    for (i = 0; i < levels; ++i) {
        join(i, i - 1, (i == 0) ? 48 : 1 + random_below(256));
    }
    join_and_add(levels, -1, 16);
    add(levels - 1);
    take_mixed_turns(2000);
    assert_share(levels - 1, 3, 4);
    assert_share(levels, 1, 4);
    for (i = 0; i < levels - 1; i += 2) { /* every second one ends */
        leave(i);
    }
    take_mixed_turns(2000);
    assert_share(levels - 1, 3, 4);
    for (i = levels - 3; i > 0; i -= 2) { /* and the others, from below */
        leave(i);
    }
    assert_int_equal(h2_scheduler_weight(&streams[levels - 1]), 48);
    assert_int_equal(count(), 2);
    take_mixed_turns(2000);
    assert_share(levels - 1, 3, 4);
    assert_share(levels, 1, 4);
}

static void a_thousand_streams_take_turns(void **state)
{
    int round, i;

    (void)state;
    for (i = 0; i < MANY; ++i) {
        join_and_add(i, -1, H2_WEIGHT_DEFAULT);
    }
    assert_int_equal(count(), MANY);
    for (round = 0; round < 3; ++round) {
        for (i = 0; i < MANY; ++i) {
            assert_int_equal(turn(), i);
        }
    }
    for (i = 0; i < MANY; i += 3) {
        remove_(i);
    }
    for (i = 0; i < MANY; ++i) {
        if (i % 3) {
            assert_int_equal(turn(), i);
        }
    }
}

static void a_thousand_streams_share_by_their_weights(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < MANY; ++i) {
        join_and_add(i, -1, 1 + i % 4);
    }
    take_turns(2500 * 40);
    for (i = 0; i < MANY; ++i) {
        assert_share(i, 1 + i % 4, 2500);
    }
}

static void a_thousand_below_one_that_ends_are_all_there(void **state)
{
    int i;

    (void)state;
    join_and_add(0, -1, 256);
    for (i = 1; i < MANY; ++i) {
        join_and_add(i, 0, 1 + i % 256);
    }
    leave(0);
    assert_int_equal(count(), MANY - 1);
    for (i = 1; i < MANY; ++i) {
        int k = turn();

        assert_int_equal(got[k], FRAME); /* each one once */
        remove_(k);
    }
    assert_int_equal(count(), 0);
    assert_int_equal(next(), -1);
}

/* What the tree must look like, kept in the simplest way. */
#define PLAYERS 64

typedef struct player {
    int is_there;
    int is_sending;
    int parent; /* -1: none */
} player;

static player players[PLAYERS];

static int has_player_below(int i)
{
    int k;

    for (k = 0; k < PLAYERS; ++k) {
        if (players[k].is_there && players[k].parent == i) {
            return 1;
        }
    }
    return 0;
}

static void random_join(int i)
{
    int parent = random_below(PLAYERS);

    players[i].is_there = 1;
    players[i].is_sending = 0;
    players[i].parent = (players[parent].is_there && parent != i) ? parent : -1;
    join(i, players[i].parent, 1 + random_below(256));
}

static void random_leave(int i)
{
    int k;

    for (k = 0; k < PLAYERS; ++k) {
        if (players[k].is_there && players[k].parent == i) {
            players[k].parent = players[i].parent;
        }
    }
    players[i].is_there = 0;
    leave(i);
}

static void random_move(int i)
{
    int main = random_below(PLAYERS), weight = 1 + random_below(256);

    if (main == i || !players[main].is_there || has_player_below(i)) {
        return;
    }
    switch (random_below(3)) {
    case 0:
        players[i].parent = players[main].parent;
        players[main].parent = i;
        move_above(i, main);
        break;
    case 1:
        players[i].parent = players[main].parent;
        move_beside(i, main, weight);
        break;
    default:
        players[i].parent = main;
        move_below(i, main, weight);
        break;
    }
}

static void random_operation(void)
{
    int i = random_below(PLAYERS);

    if (!players[i].is_there) {
        random_join(i);
        return;
    }
    switch (random_below(12)) {
    case 0:
        random_leave(i);
        break;
    case 1:
    case 2:
        random_move(i);
        break;
    case 3:
    case 4:
    case 5:
        players[i].is_sending = 1;
        add(i);
        break;
    case 6:
    case 7:
        players[i].is_sending = 0;
        remove_(i);
        break;
    default:
        if (next() >= 0) {
            turn_of(random_below(FRAME + 1));
        }
        break;
    }
}

static void check_next(void)
{
    int i, sending = 0, turn_is = next();

    for (i = 0; i < PLAYERS; ++i) {
        sending += players[i].is_there && players[i].is_sending;
    }
    assert_int_equal(count(), sending);
    if (turn_is < 0) {
        assert_int_equal(sending, 0);
        return;
    }
    assert_true(players[turn_is].is_there && players[turn_is].is_sending);
    for (i = players[turn_is].parent; i >= 0; i = players[i].parent) {
        assert_true(players[i].is_there && !players[i].is_sending);
    }
}

/* Everyone has the parent that it is to have, and is known to that. */
static void check_tree(void)
{
    int i;

    for (i = 0; i < PLAYERS; ++i) {
        const h2_node *node = &streams[i].node;
        int parent = players[i].parent, seen = 0;
        h2_node *child;

        if (!players[i].is_there) {
            continue;
        }
        assert_int_equal(streams[i].is_sending, players[i].is_sending);
        assert_ptr_equal(node->parent, (parent < 0) ? &scheduler.usual.root
                                                    : &streams[parent].node);
        assert_in_range(node->weight, H2_WEIGHT_MIN, H2_WEIGHT_MAX);
        APR_RING_FOREACH(child, &node->parent->children, h2_node, link) {
            seen += (child == node);
        }
        assert_int_equal(seen, 1);
    }
}

static void whatever_happens_it_is_the_turn_of_one_who_may(void **state)
{
    int i, most = 0;

    (void)state;
    memset(players, 0, sizeof(players));
    random_state = 20240701;
    for (i = 0; i < 100000; ++i) {
        random_operation();
        check_next();
        if (i % 100 == 0) {
            check_tree();
        }
        most = (count() > most) ? count() : most;
    }
    assert_true(most > PLAYERS / 2); /* else it was no test */
    /* Nobody is lost: all come to their turn. */
    for (i = count(); i > 0; --i) {
        int k = next();

        players[k].is_sending = 0;
        remove_(k);
        check_next();
    }
    for (i = 0; i < PLAYERS; ++i) {
        if (players[i].is_there) {
            random_leave(i);
            check_tree();
        }
    }
    assert_ptr_equal(APR_RING_FIRST(&scheduler.usual.root.children), &scheduler.usual.sequence);
    assert_ptr_equal(APR_RING_LAST(&scheduler.usual.root.children), &scheduler.usual.sequence);
    assert_true(APR_RING_EMPTY(&scheduler.usual.root.eager, h2_node, eager_link));
}

/* -- urgency and incremental, RFC 9218 -- */

static void prioritize(int i, int urgency, int is_incremental)
{
    h2_priority priority = {urgency, (unsigned)is_incremental};

    h2_scheduler_set_priority(&scheduler, &streams[i], &priority);
}

static void the_more_urgent_one_goes_first_whenever_it_comes(void **state)
{
    int urgency;

    (void)state;
    for (urgency = H2_URGENCY_MAX; urgency >= 0; --urgency) {
        join_and_add(urgency, -1, H2_WEIGHT_DEFAULT);
        prioritize(urgency, urgency, urgency % 2);
        assert_int_equal(turn(), urgency);
        assert_int_equal(turn(), urgency);
    }
    for (urgency = 0; urgency < H2_URGENCY_MAX; ++urgency) {
        remove_(urgency);
        assert_int_equal(turn(), urgency + 1);
    }
    add(0);
    assert_int_equal(turn(), 0);
}

static void those_that_are_not_incremental_go_one_after_another_by_their_ids(void **state)
{
    static const int order[STREAMS] = {3, 0, 4, 2, 1};
    int i, k;

    (void)state;
    for (i = 0; i < STREAMS; ++i) {
        join_and_add(order[i], -1, H2_WEIGHT_DEFAULT);
        prioritize(order[i], H2_URGENCY_DEFAULT, 0);
    }
    for (i = 0; i < STREAMS; ++i) {
        for (k = 0; k < 10; ++k) {
            assert_int_equal(turn(), i);
        }
        remove_(i);
    }
    assert_int_equal(next(), -1);
}

static void incremental_ones_share_and_those_that_are_not_have_one_share_together(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 5; ++i) {
        join_and_add(i, -1, 1 + 50 * i); /* weights are RFC 7540's, and do not count here */
        prioritize(i, 1, i < 3);
    }
    take_mixed_turns(2000);
    for (i = 0; i < 4; ++i) {
        assert_share(i, 1, 4);
    }
    assert_int_equal(got[4], 0);
    leave(3);
    take_turns(2000);
    assert_share(4, 1, 4);
}

static void a_priority_may_change_while_it_sends(void **state)
{
    (void)state;
    join_and_add(0, -1, H2_WEIGHT_DEFAULT);
    join_and_add(1, -1, H2_WEIGHT_DEFAULT);
    prioritize(0, 3, 0);
    prioritize(1, 3, 0);
    assert_int_equal(turn(), 0);
    prioritize(1, 2, 0);
    assert_int_equal(turn(), 1);
    prioritize(0, 0, 1);
    assert_int_equal(turn(), 0);
    prioritize(0, 7, 1);
    assert_int_equal(turn(), 1);
    prioritize(0, 2, 1);
    take_turns(1000);
    assert_share(0, 1, 2);
    assert_int_equal(count(), 2);
}

static void who_waits_below_another_goes_where_that_one_goes(void **state)
{
    (void)state;
    join_and_add(0, -1, H2_WEIGHT_DEFAULT);
    join_and_add(1, 0, H2_WEIGHT_DEFAULT); /* pushed with 0 */
    join_and_add(2, -1, H2_WEIGHT_DEFAULT);
    prioritize(2, 3, 0);
    prioritize(0, 1, 0);
    assert_int_equal(turn(), 0);
    remove_(0);
    assert_int_equal(turn(), 1);
    leave(0);
    assert_int_equal(turn(), 1);
    leave(1);
    assert_int_equal(turn(), 2);
}

static void before_and_beside_hold_among_those_that_go_one_after_another(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 3; ++i) {
        join_and_add(i, -1, H2_WEIGHT_DEFAULT);
        prioritize(i, 3, 0);
    }
    join_and_add(3, 1, H2_WEIGHT_DEFAULT);
    join_and_add(4, 1, H2_WEIGHT_DEFAULT);
    move_above(3, 1);
    move_beside(4, 1, H2_WEIGHT_DEFAULT);
    for (i = 0; i < 5; ++i) {
        static const int order[] = {0, 3, 1, 4, 2};

        assert_int_equal(turn(), order[i]);
        remove_(order[i]);
    }
}

static void weights_do_not_count_among_incremental_ones(void **state)
{
    (void)state;
    join_and_add(0, -1, 256);
    join_and_add(1, -1, 1);
    prioritize(0, H2_URGENCY_DEFAULT, 1);
    prioritize(1, H2_URGENCY_DEFAULT, 1);
    take_turns(1000);
    assert_share(0, 1, 2);
}

/* A pushed one has an even id. */
static void join_pushed(int i, int main)
{
    streams[i].id = 2 * i;
    join_and_add(i, main, H2_WEIGHT_DEFAULT);
}

static void what_was_pushed_with_a_stream_takes_its_place_when_that_ends(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 3; ++i) {
        join_and_add(i, -1, H2_WEIGHT_DEFAULT);
        prioritize(i, 3, 0);
    }
    streams[3].id = 2; /* lower than those of all that were asked for but the first */
    join_and_add(3, 1, H2_WEIGHT_DEFAULT);
    leave(1);
    assert_int_equal(turn(), 0);
    remove_(0);
    assert_int_equal(turn(), 3);
    remove_(3);
    assert_int_equal(turn(), 2);
}

static void what_is_pushed_before_a_stream_goes_with_it(void **state)
{
    (void)state;
    join_and_add(0, -1, H2_WEIGHT_DEFAULT);
    join_and_add(1, -1, H2_WEIGHT_DEFAULT);
    join_pushed(2, 0);
    move_above(2, 0);
    prioritize(1, 3, 0);
    prioritize(0, 2, 0);
    assert_int_equal(turn(), 2);
    remove_(2);
    assert_int_equal(turn(), 0);
    remove_(0);
    assert_int_equal(turn(), 1);
}

static void what_was_pushed_before_a_stream_may_go_without_it(void **state)
{
    (void)state;
    join_and_add(0, -1, H2_WEIGHT_DEFAULT);
    join_and_add(1, -1, H2_WEIGHT_DEFAULT);
    prioritize(0, 2, 0);
    prioritize(1, 3, 0);
    join_pushed(2, 0);
    move_above(2, 0);
    prioritize(2, 7, 0);
    assert_int_equal(turn(), 0);
    remove_(0);
    assert_int_equal(turn(), 1);
    remove_(1);
    assert_int_equal(turn(), 2);
}

/* The most urgent of those that have something to send; of these it is somebody's turn. */
static void whatever_happens_the_most_urgent_one_is_next(void **state)
{
    int urgency_of[40], is_there[40] = {0}, i, n;

    (void)state;
    for (n = 0; n < 100000; ++n) {
        int k = random_below(40), most = H2_URGENCY_MAX + 1, sending = 0;

        switch (is_there[k] ? random_below(6) : 0) {
        case 0:
            if (is_there[k]) {
                leave(k);
                is_there[k] = 0;
                break;
            }
            join(k, -1, H2_WEIGHT_DEFAULT);
            is_there[k] = 1;
            /* fall through */
        case 1:
            urgency_of[k] = random_below(H2_URGENCY_MAX + 1);
            prioritize(k, urgency_of[k], random_below(2));
            break;
        case 2:
            remove_(k);
            break;
        case 3:
            if (count()) {
                turn_of(random_below(FRAME));
            }
            break;
        default:
            add(k);
        }
        for (i = 0; i < 40; ++i) {
            if (is_there[i] && streams[i].is_sending) {
                ++sending;
                most = (urgency_of[i] < most) ? urgency_of[i] : most;
            }
        }
        assert_int_equal(count(), sending);
        assert_int_equal(next() >= 0, sending > 0);
        assert_true(!sending || urgency_of[next()] == most);
    }
    for (i = 0; i < 40; ++i) {
        if (is_there[i]) {
            leave(i);
        }
    }
    assert_int_equal(next(), -1);
}

static void move(int i, int parent, int weight)
{
    h2_scheduler_move(&scheduler, &streams[i].node, (parent < 0) ? NULL : &streams[parent].node,
                      weight);
}

static void who_moves_below_another_one_waits_for_it(void **state)
{
    (void)state;
    join_and_add(0, -1, H2_WEIGHT_DEFAULT);
    join_and_add(1, 0, H2_WEIGHT_DEFAULT);
    join_and_add(2, -1, H2_WEIGHT_DEFAULT);
    move(0, 2, 100); /* with 1 below it */
    assert_true(h2_scheduler_is_below(&streams[1].node, &streams[2].node));
    assert_false(h2_scheduler_is_below(&streams[2].node, &streams[1].node));
    assert_int_equal(turn(), 2);
    remove_(2);
    assert_int_equal(turn(), 0);
    remove_(0);
    assert_int_equal(turn(), 1);
    move(1, -1, 16);
    assert_false(h2_scheduler_is_below(&streams[1].node, &streams[0].node));
}

static void a_place_without_a_stream_has_a_share_for_those_below_it(void **state)
{
    h2_node group;
    int i;

    (void)state;
    join_and_add(0, -1, 20);
    join_and_add(1, -1, H2_WEIGHT_DEFAULT);
    join_and_add(2, -1, H2_WEIGHT_DEFAULT);
    h2_scheduler_join_node(&scheduler, &group, 1001);
    h2_scheduler_move(&scheduler, &group, NULL, 60);
    h2_scheduler_move(&scheduler, &streams[1].node, &group, 10);
    h2_scheduler_move(&scheduler, &streams[2].node, &group, 20);
    for (i = 0; i < 1200; ++i) {
        turn_of(FRAME);
    }
    assert_in_range(got[0] / FRAME, 299, 301);
    assert_in_range(got[1] / FRAME, 299, 301);
    assert_in_range(got[2] / FRAME, 599, 601);
    h2_scheduler_leave_node(&group);
    assert_int_equal(h2_scheduler_weight(&streams[1]), 20);
    assert_int_equal(h2_scheduler_weight(&streams[2]), 40);
}

static void a_place_without_a_stream_may_be_left_in_a_sequence(void **state)
{
    h2_node group;

    (void)state;
    join(0, -1, H2_WEIGHT_DEFAULT);
    join_and_add(1, -1, H2_WEIGHT_DEFAULT);
    join_and_add(2, -1, H2_WEIGHT_DEFAULT);
    h2_scheduler_join_node(&scheduler, &group, 1001);
    h2_scheduler_move(&scheduler, &group, &streams[0].node, 60);
    h2_scheduler_move(&scheduler, &streams[1].node, &group, 10);
    prioritize(0, 2, 0);
    prioritize(2, 2, 0);
    leave(0); /* the group takes its place, before that of stream 2 */
    assert_int_equal(turn(), 1);
    leave(1);
    assert_int_equal(turn(), 2);
    h2_scheduler_leave_node(&group);
    assert_int_equal(turn(), 2);
}

static void what_is_pushed_stays_where_it_is_if_its_main_stream_depends_on_it(void **state)
{
    (void)state;
    join_and_add(0, -1, H2_WEIGHT_DEFAULT);
    join_pushed(2, 0);
    move(2, -1, 16);
    move(0, 2, 16);
    move_above(2, 0);
    move_below(2, 0, 16);
    move_beside(2, 0, 16);
    assert_true(h2_scheduler_is_below(&streams[0].node, &streams[2].node));
    assert_int_equal(turn(), 2);
}

/* Streams and groups move to and fro; nobody is lost, and nobody sends before its parent. */
static void whatever_moves_nobody_goes_before_whom_it_depends_on(void **state)
{
    int parent_of[40], i, n;

    (void)state;
    for (i = 0; i < 40; ++i) {
        join_and_add(i, -1, H2_WEIGHT_DEFAULT);
        parent_of[i] = -1;
    }
    for (n = 0; n < 50000; ++n) {
        int k = random_below(40), to = random_below(41) - 1, sending = 0;

        if (to != k
            && (to < 0 || !h2_scheduler_is_below(&streams[to].node, &streams[k].node))) {
            move(k, to, 1 + random_below(256));
            parent_of[k] = to;
        }
        if (random_below(2)) {
            add(random_below(40));
        }
        else {
            remove_(random_below(40));
        }
        for (i = 0; i < 40; ++i) {
            sending += streams[i].is_sending;
        }
        assert_int_equal(next() >= 0, sending > 0);
        for (i = next(); i >= 0; i = parent_of[i]) {
            assert_true(i == next() || !streams[i].is_sending);
        }
        if (sending) {
            turn_of(random_below(FRAME));
        }
    }
}

static void one_that_goes_first_in_any_case_is_alone(void **state)
{
    (void)state;
    join_and_add(0, -1, H2_WEIGHT_DEFAULT);
    join_and_add(1, -1, H2_WEIGHT_DEFAULT);
    prioritize(0, 3, 0);
    prioritize(1, 3, 0);
    assert_true(h2_scheduler_is_alone(&streams[0]));
    prioritize(1, 3, 1);
    assert_false(h2_scheduler_is_alone(&streams[0]));
    prioritize(1, 4, 1);
    assert_true(h2_scheduler_is_alone(&streams[0]));
}

/* Without it, what an urgency has taken would be a leak. */
static int teardown(void **state)
{
    (void)state;
    h2_scheduler_destroy(&scheduler);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void the_list_has_all_in_the_order_of_their_turns(void **state)
{
    const h2_stream *list[8];

    (void)state;
    join_and_add(0, -1, 16);
    join_and_add(1, 0, 16); /* waits for 0 */
    join(2, -1, 16);        /* has nothing to send */
    join_and_add(3, -1, 16);
    prioritize(3, 1, 0);
    assert_int_equal(turn(), 3);
    join_and_add(4, -1, 16);
    assert_int_equal(turn(), 3);
    assert_int_equal(h2_scheduler_list(&scheduler, list, 8), 5);
    assert_int_equal(index_of(list[0]), 3);
    assert_int_equal(index_of(list[1]), 0);
    assert_int_equal(index_of(list[2]), 1);
    assert_int_equal(index_of(list[3]), 4);
    assert_int_equal(index_of(list[4]), 2);
    assert_int_equal(h2_scheduler_list(&scheduler, list, 2), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_streams_it_is_nobodys_turn),
        TEST(turns_go_round_in_the_order_of_coming),
        TEST(the_order_of_coming_is_that_of_the_output_and_not_of_the_streams),
        TEST(asking_whose_turn_it_is_changes_nothing),
        TEST(a_single_stream_has_every_turn),
        TEST(adding_a_stream_again_gains_it_nothing),
        TEST(a_stream_that_comes_waits_for_those_that_wait_already),
        TEST(a_removed_stream_has_no_turn_and_the_others_keep_theirs),
        TEST(removing_twice_or_what_was_never_there_does_no_harm),
        TEST(a_stream_that_comes_back_is_the_last),
        TEST(weights_are_kept_between_1_and_256),
        TEST(two_streams_share_by_their_weights),
        TEST(three_streams_share_by_their_weights),
        TEST(shares_are_of_bytes_and_not_of_turns),
        TEST(shares_hold_in_the_short_run_too),
        TEST(a_turn_without_bytes_is_not_for_free),
        TEST(who_is_removed_after_its_turn_has_paid_for_it),
        TEST(a_stream_below_another_one_has_what_that_leaves),
        TEST(all_below_a_stream_wait_for_it),
        TEST(those_below_share_the_weight_of_the_one_above),
        TEST(who_is_below_an_idle_stream_uses_its_share),
        TEST(a_stream_moved_above_another_one_goes_first_with_its_weight),
        TEST(who_is_below_stays_there_when_another_one_moves_above),
        TEST(a_stream_moves_above_while_both_send),
        TEST(moving_above_again_changes_nothing),
        TEST(of_two_above_the_first_one_goes_first),
        TEST(a_stream_moved_beside_shares_by_its_weight),
        TEST(beside_is_below_the_same_one),
        TEST(a_stream_moved_below_waits),
        TEST(a_stream_that_has_nothing_to_send_may_be_moved),
        TEST(who_ends_is_replaced_by_those_below),
        TEST(those_below_go_to_the_one_above_and_not_to_the_top),
        TEST(a_share_of_a_share_is_never_less_than_1),
        TEST(those_below_may_have_nothing_to_send_when_their_parent_ends),
        TEST(who_has_left_may_join_again),
        TEST(an_idle_stream_does_not_catch_up),
        TEST(an_idle_family_does_not_catch_up),
        TEST(coming_and_going_gains_nothing),
        TEST(a_flow_of_short_streams_does_not_starve_a_long_one),
        TEST(of_two_that_cannot_send_each_is_asked),
        TEST(a_new_stream_soon_has_its_share),
        TEST(a_new_stream_does_not_keep_the_old_ones_waiting),
        TEST(after_a_large_turn_the_old_stream_waits_no_longer_than_that_is_long),
        TEST(alone_is_who_has_nobody_to_share_with),
        TEST(who_waits_below_disturbs_nobody),
        TEST(who_is_beside_one_above_disturbs),
        TEST(each_of_a_hundred_levels_waits_for_those_above),
        TEST(a_deep_tree_has_the_share_of_its_top),
        TEST(a_thousand_streams_take_turns),
        TEST(a_thousand_streams_share_by_their_weights),
        TEST(a_thousand_below_one_that_ends_are_all_there),
        TEST(whatever_happens_it_is_the_turn_of_one_who_may),
        TEST(the_more_urgent_one_goes_first_whenever_it_comes),
        TEST(those_that_are_not_incremental_go_one_after_another_by_their_ids),
        TEST(incremental_ones_share_and_those_that_are_not_have_one_share_together),
        TEST(a_priority_may_change_while_it_sends),
        TEST(who_waits_below_another_goes_where_that_one_goes),
        TEST(before_and_beside_hold_among_those_that_go_one_after_another),
        TEST(who_moves_below_another_one_waits_for_it),
        TEST(a_place_without_a_stream_has_a_share_for_those_below_it),
        TEST(a_place_without_a_stream_may_be_left_in_a_sequence),
        TEST(what_is_pushed_stays_where_it_is_if_its_main_stream_depends_on_it),
        TEST(whatever_moves_nobody_goes_before_whom_it_depends_on),
        TEST(one_that_goes_first_in_any_case_is_alone),
        TEST(weights_do_not_count_among_incremental_ones),
        TEST(what_was_pushed_with_a_stream_takes_its_place_when_that_ends),
        TEST(what_is_pushed_before_a_stream_goes_with_it),
        TEST(what_was_pushed_before_a_stream_may_go_without_it),
        TEST(whatever_happens_the_most_urgent_one_is_next),
        TEST(the_list_has_all_in_the_order_of_their_turns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

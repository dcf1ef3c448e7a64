/* request/h2_habits.c: which requests were slow last time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>

#include "request/h2_habits.h"

#define LOOPS 3

/* Quick runs that a slow request needs until it is trusted again: enough, and far
 * more than enough. */
#define SOME_QUICK_RUNS 2
#define MANY_QUICK_RUNS 1000

static apr_pool_t *pool;

static int setup(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    h2_habits_init(pool, LOOPS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return 0;
}

static void add(h2_head *head, const char *name, const char *value)
{
    if (value) {
        assert_int_equal(h2_head_add(head, name, strlen(name), value, strlen(value), 65536),
                         APR_SUCCESS);
    }
}

static apr_uint32_t place_of(const char *authority, const char *method, const char *path)
{
    h2_head *head = h2_head_create(NULL);
    apr_uint32_t place;

    add(head, ":authority", authority);
    add(head, ":method", method);
    add(head, ":path", path);
    place = h2_habits_place(head);
    h2_head_destroy(head, NULL);
    return place;
}

static void run(int loop, apr_uint32_t place, int is_quick)
{
    h2_habits_begin(loop, place);
    h2_habits_end(loop, place, is_quick);
}

static void the_same_request_has_the_same_place(void **state)
{
    (void)state;
    assert_int_equal(place_of("a", "GET", "/x"), place_of("a", "GET", "/x"));
}

static void the_query_does_not_count(void **state)
{
    apr_uint32_t place = place_of("a", "GET", "/x");

    (void)state;
    assert_int_equal(place_of("a", "GET", "/x?"), place);
    assert_int_equal(place_of("a", "GET", "/x?a=b"), place);
    assert_int_equal(place_of("a", "GET", "/x?a?b"), place);
}

static void authority_method_and_path_count(void **state)
{
    apr_uint32_t place = place_of("a", "GET", "/x");

    (void)state;
    assert_int_not_equal(place_of("b", "GET", "/x"), place);
    assert_int_not_equal(place_of("a", "POST", "/x"), place);
    assert_int_not_equal(place_of("a", "GET", "/y"), place);
}

static void a_head_may_lack_any_of_them(void **state)
{
    (void)state;
    place_of(NULL, NULL, NULL);
    place_of(NULL, "GET", "/x");
    place_of("a", NULL, "/x");
    place_of("a", "CONNECT", NULL);
    place_of("", "", "");
}

static void every_place_is_one_of_the_table(void **state)
{
    char path[] = "/aaa";
    int i;

    (void)state;
    /* ASan watches the table's end while all of these are written. */
    for (i = 0; i < 26 * 26 * 26; ++i) {
        path[1] = (char)('a' + i % 26);
        path[2] = (char)('a' + i / 26 % 26);
        path[3] = (char)('a' + i / 676);
        run(LOOPS - 1, place_of("a", "GET", path), 0);
        assert_true(h2_habits_is_slow(LOOPS - 1, place_of("a", "GET", path)));
    }
}

static void paths_are_spread_over_the_table(void **state)
{
    char path[] = "/aa";
    int i, slow_count = 0;

    (void)state;
    for (i = 0; i < 20; ++i) {
        path[1] = (char)('a' + i);
        run(0, place_of("a", "GET", path), 0);
    }
    for (i = 0; i < 26 * 26; ++i) {
        path[1] = (char)('A' + i % 26);
        path[2] = (char)('a' + i / 26);
        slow_count += h2_habits_is_slow(0, place_of("a", "GET", path));
    }
    assert_true(slow_count < 26);
}

static void what_never_ran_is_quick(void **state)
{
    (void)state;
    assert_false(h2_habits_is_slow(0, place_of("a", "GET", "/x")));
}

static void one_that_runs_counts_as_slow_until_it_has_been_quick(void **state)
{
    apr_uint32_t place = place_of("a", "GET", "/x");

    (void)state;
    h2_habits_begin(0, place);
    assert_true(h2_habits_is_slow(0, place));
    h2_habits_end(0, place, 1);
    assert_false(h2_habits_is_slow(0, place));
}

static void one_that_was_slow_is_slow(void **state)
{
    apr_uint32_t place = place_of("a", "GET", "/x");

    (void)state;
    run(0, place, 0);
    assert_true(h2_habits_is_slow(0, place));
}

static void trust_comes_back_after_many_quick_runs_and_not_after_few(void **state)
{
    apr_uint32_t place = place_of("a", "GET", "/x");
    int i;

    (void)state;
    run(0, place, 0);
    for (i = 0; i < SOME_QUICK_RUNS; ++i) {
        run(0, place, 1);
        assert_true(h2_habits_is_slow(0, place));
    }
    for (i = 0; i < MANY_QUICK_RUNS && h2_habits_is_slow(0, place); ++i) {
        run(0, place, 1);
    }
    assert_false(h2_habits_is_slow(0, place));
    for (i = 0; i < MANY_QUICK_RUNS; ++i) {
        run(0, place, 1);
        assert_false(h2_habits_is_slow(0, place));
    }
}

static void another_slow_run_begins_the_mistrust_anew(void **state)
{
    apr_uint32_t place = place_of("a", "GET", "/x");
    int round, runs[2] = {0, 0};

    (void)state;
    for (round = 0; round < 2; ++round) {
        run(0, place, 0);
        run(0, place, round != 0); /* slow twice in the first round */
        while (h2_habits_is_slow(0, place)) {
            run(0, place, 1);
            ++runs[round];
        }
    }
    assert_int_equal(runs[0], runs[1] + 1);
}

static void a_request_that_never_began_may_end(void **state)
{
    apr_uint32_t place = place_of("a", "GET", "/x");

    (void)state;
    h2_habits_end(0, place, 1);
    assert_false(h2_habits_is_slow(0, place));
    h2_habits_end(0, place, 0);
    assert_true(h2_habits_is_slow(0, place));
}

static void each_loop_remembers_for_itself(void **state)
{
    apr_uint32_t place = place_of("a", "GET", "/x");

    (void)state;
    run(1, place, 0);
    assert_false(h2_habits_is_slow(0, place));
    assert_true(h2_habits_is_slow(1, place));
    assert_false(h2_habits_is_slow(2, place));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_same_request_has_the_same_place),
        TEST(the_query_does_not_count),
        TEST(authority_method_and_path_count),
        TEST(a_head_may_lack_any_of_them),
        TEST(every_place_is_one_of_the_table),
        TEST(paths_are_spread_over_the_table),
        TEST(what_never_ran_is_quick),
        TEST(one_that_runs_counts_as_slow_until_it_has_been_quick),
        TEST(one_that_was_slow_is_slow),
        TEST(trust_comes_back_after_many_quick_runs_and_not_after_few),
        TEST(another_slow_run_begins_the_mistrust_anew),
        TEST(a_request_that_never_began_may_end),
        TEST(each_loop_remembers_for_itself),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

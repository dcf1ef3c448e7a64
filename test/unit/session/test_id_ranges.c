/* session/h2_id_ranges.c: which ids are remembered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "session/h2_id_ranges.h"

static void ids_that_follow_each_other_are_one_range(void **state)
{
    h2_id_ranges *ids = NULL;
    int id;

    (void)state;
    for (id = 1; id < 100000; id += 2) {
        h2_id_ranges_add(&ids, id, id);
    }
    assert_int_equal(ids->count, 1);
    assert_true(h2_id_ranges_has(ids, 1));
    assert_true(h2_id_ranges_has(ids, 99999));
    assert_false(h2_id_ranges_has(ids, 100001));
    free(ids);
}

static void ids_may_come_downwards(void **state)
{
    h2_id_ranges *ids = NULL;
    int id;

    (void)state;
    for (id = 199; id > 99; id -= 2) {
        h2_id_ranges_add(&ids, id, id);
    }
    assert_int_equal(ids->count, 1);
    assert_true(h2_id_ranges_has(ids, 101));
    assert_false(h2_id_ranges_has(ids, 99));
    free(ids);
}

static void ids_between_are_not_in_it(void **state)
{
    h2_id_ranges *ids = NULL;

    (void)state;
    h2_id_ranges_add(&ids, 1, 1);
    h2_id_ranges_add(&ids, 5, 9);
    assert_false(h2_id_ranges_has(ids, 3));
    assert_true(h2_id_ranges_has(ids, 7));
    assert_false(h2_id_ranges_has(ids, 11));
    free(ids);
}

/* Under the sanitizer, as a sum beyond it would be seen there alone. */
static void the_highest_id_may_be_in_it(void **state)
{
    h2_id_ranges *ids = NULL;

    (void)state;
    h2_id_ranges_add(&ids, 1, 1);
    h2_id_ranges_add(&ids, 0x7fffffff, 0x7fffffff);
    h2_id_ranges_add(&ids, 5, 5);
    assert_true(h2_id_ranges_has(ids, 0x7fffffff));
    assert_false(h2_id_ranges_has(ids, 0x7ffffffd));
    free(ids);
}

static void the_oldest_is_forgotten(void **state)
{
    h2_id_ranges *ids = NULL;
    int i;

    (void)state;
    for (i = 0; i <= H2_ID_RANGES_MAX; ++i) {
        h2_id_ranges_add(&ids, 1 + 4 * i, 1 + 4 * i);
    }
    assert_int_equal(ids->count, H2_ID_RANGES_MAX);
    assert_false(h2_id_ranges_has(ids, 1));
    assert_true(h2_id_ranges_has(ids, 5));
    assert_true(h2_id_ranges_has(ids, 1 + 4 * H2_ID_RANGES_MAX));
    free(ids);
}

static void what_is_forgotten_may_have_been_in_it(void **state)
{
    h2_id_ranges *ids = NULL;
    int i;

    (void)state;
    assert_false(h2_id_ranges_may_have(ids, 1));
    for (i = H2_ID_RANGES_MAX; i > 0; --i) {
        h2_id_ranges_add(&ids, 1 + 4 * i, 1 + 4 * i);
    }
    assert_false(h2_id_ranges_may_have(ids, 1));
    h2_id_ranges_add(&ids, 8001, 8001);
    h2_id_ranges_add(&ids, 8009, 8009);
    assert_true(h2_id_ranges_may_have(ids, 1));
    assert_true(h2_id_ranges_may_have(ids, 1 + 4 * H2_ID_RANGES_MAX));
    assert_false(h2_id_ranges_may_have(ids, 3 + 4 * H2_ID_RANGES_MAX));
    assert_true(h2_id_ranges_may_have(ids, 8001));
    free(ids);
}

static void nothing_is_in_what_is_not_there(void **state)
{
    (void)state;
    assert_false(h2_id_ranges_has(NULL, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_that_follow_each_other_are_one_range),
        cmocka_unit_test(ids_may_come_downwards),
        cmocka_unit_test(ids_between_are_not_in_it),
        cmocka_unit_test(the_highest_id_may_be_in_it),
        cmocka_unit_test(the_oldest_is_forgotten),
        cmocka_unit_test(what_is_forgotten_may_have_been_in_it),
        cmocka_unit_test(nothing_is_in_what_is_not_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

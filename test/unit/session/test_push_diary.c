/* session/h2_push_diary.c: what a client has already. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "session/h2_push_diary.h"

#define SIZE_MAX_ALLOWED 32768 /* as H2PushDiarySize has it */

static h2_push_diary diary;

static int teardown(void **state)
{
    (void)state;
    h2_push_diary_clear(&diary);
    return 0;
}

/* Hashes that differ from each other in their upper bits as well as in the lower ones. */
static apr_uint64_t hash_of(int number)
{
    return (apr_uint64_t)(number + 1) * 0x9E3779B97F4A7C15ull;
}

static void add(int number)
{
    h2_push_diary_add(&diary, hash_of(number), 64);
}

static int knows(int number)
{
    return h2_push_diary_knows(&diary, hash_of(number));
}

static void a_diary_of_size_0_remembers_nothing(void **state)
{
    (void)state;
    h2_push_diary_init(&diary, 0);
    add(1);
    h2_push_diary_add(&diary, 0, 1);
    assert_false(knows(1));
    assert_false(h2_push_diary_knows(&diary, 0));
    assert_int_equal(diary.count, 0);
    assert_null(diary.entries);
}

static void a_new_diary_knows_nothing_and_needs_no_memory(void **state)
{
    (void)state;
    h2_push_diary_init(&diary, 256);
    assert_false(h2_push_diary_knows(&diary, 0));
    assert_false(h2_push_diary_knows(&diary, ~(apr_uint64_t)0));
    assert_null(diary.entries);
}

static void what_was_added_is_known_and_nothing_else(void **state)
{
    int i;

    (void)state;
    h2_push_diary_init(&diary, 256);
    for (i = 0; i < 100; ++i) {
        assert_false(knows(i));
        add(i);
        assert_true(knows(i));
    }
    for (i = 0; i < 100; ++i) {
        assert_true(knows(i));
        assert_false(knows(1000 + i));
    }
    assert_false(h2_push_diary_knows(&diary, hash_of(0) ^ 1));
    assert_false(h2_push_diary_knows(&diary, hash_of(0) ^ (apr_uint64_t)1 << 63));
}

static void the_hashes_at_both_ends_are_hashes_like_others(void **state)
{
    (void)state;
    h2_push_diary_init(&diary, 2);
    h2_push_diary_add(&diary, 0, 64);
    assert_true(h2_push_diary_knows(&diary, 0));
    assert_false(h2_push_diary_knows(&diary, 1));
    assert_false(h2_push_diary_knows(&diary, ~(apr_uint64_t)0));
    h2_push_diary_add(&diary, ~(apr_uint64_t)0, 64);
    assert_true(h2_push_diary_knows(&diary, ~(apr_uint64_t)0));
    assert_false(h2_push_diary_knows(&diary, ~(apr_uint64_t)1));
}

static void a_full_diary_forgets_the_oldest_first(void **state)
{
    int i;

    (void)state;
    h2_push_diary_init(&diary, 4);
    for (i = 0; i < 4; ++i) {
        add(i);
    }
    for (i = 4; i < 23; ++i) { /* more than once round */
        int k;

        add(i);
        assert_int_equal(diary.count, 4);
        assert_false(knows(i - 4));
        for (k = i - 3; k <= i; ++k) {
            assert_true(knows(k));
        }
    }
}

static void a_diary_of_size_1_knows_the_last_one(void **state)
{
    (void)state;
    h2_push_diary_init(&diary, 1);
    add(1);
    assert_true(knows(1));
    add(2);
    assert_false(knows(1));
    assert_true(knows(2));
    assert_int_equal(diary.allocated, 1);
}

/* value, and what is like it in so many upper bits and no more. */
static void check_bits(int bits)
{
    const apr_uint64_t value = 0xA5C3F00F12345678ull;

    h2_push_diary_init(&diary, 16);
    h2_push_diary_add(&diary, value, bits);
    assert_true(h2_push_diary_knows(&diary, value));
    assert_false(h2_push_diary_knows(&diary, value ^ (apr_uint64_t)1 << 63));
    assert_false(h2_push_diary_knows(&diary, value ^ (apr_uint64_t)1 << (64 - bits)));
    if (bits < 64) {
        apr_uint64_t rest = ~(apr_uint64_t)0 >> bits;

        assert_true(h2_push_diary_knows(&diary, value ^ (apr_uint64_t)1 << (63 - bits)));
        assert_true(h2_push_diary_knows(&diary, value ^ 1));
        assert_true(h2_push_diary_knows(&diary, value | rest));
        assert_true(h2_push_diary_knows(&diary, value & ~rest));
    }
    h2_push_diary_clear(&diary);
}

static void a_part_of_a_hash_stands_for_all_that_begin_like_it(void **state)
{
    int bits;

    (void)state;
    check_bits(1);
    check_bits(20);
    check_bits(64);
    for (bits = 1; bits <= 64; ++bits) {
        check_bits(bits);
    }
}

static void one_bit_knows_half_of_all(void **state)
{
    (void)state;
    h2_push_diary_init(&diary, 2);
    h2_push_diary_add(&diary, 0, 1);
    assert_true(h2_push_diary_knows(&diary, 0));
    assert_true(h2_push_diary_knows(&diary, ~(apr_uint64_t)0 >> 1));
    assert_false(h2_push_diary_knows(&diary, (apr_uint64_t)1 << 63));
    h2_push_diary_add(&diary, (apr_uint64_t)1 << 63, 1);
    assert_true(h2_push_diary_knows(&diary, (apr_uint64_t)1 << 63));
    assert_true(h2_push_diary_knows(&diary, ~(apr_uint64_t)0));
}

static void parts_and_whole_hashes_share_a_diary(void **state)
{
    (void)state;
    h2_push_diary_init(&diary, 2);
    h2_push_diary_add(&diary, 0x1234500000000000ull, 20);
    h2_push_diary_add(&diary, 0xABCDEF0000000001ull, 64);
    assert_true(h2_push_diary_knows(&diary, 0x12345FFFFFFFFFFFull));
    assert_true(h2_push_diary_knows(&diary, 0xABCDEF0000000001ull));
    assert_false(h2_push_diary_knows(&diary, 0xABCDEF0000000000ull));
    h2_push_diary_add(&diary, 0x5000000000000000ull, 4); /* in the place of the first */
    assert_false(h2_push_diary_knows(&diary, 0x12345FFFFFFFFFFFull));
    assert_true(h2_push_diary_knows(&diary, 0x5FFFFFFFFFFFFFFFull));
    assert_true(h2_push_diary_knows(&diary, 0xABCDEF0000000001ull));
}

static void it_grows_to_the_largest_size_and_no_further(void **state)
{
    int i;

    (void)state;
    h2_push_diary_init(&diary, SIZE_MAX_ALLOWED);
    for (i = 0; i < SIZE_MAX_ALLOWED; ++i) {
        add(i);
        assert_int_equal(diary.count, i + 1);
        assert_true(diary.allocated > i && diary.allocated <= SIZE_MAX_ALLOWED);
    }
    for (i = 0; i < SIZE_MAX_ALLOWED; i += 97) {
        assert_true(knows(i));
    }
    add(SIZE_MAX_ALLOWED);
    assert_int_equal(diary.count, SIZE_MAX_ALLOWED);
    assert_int_equal(diary.allocated, SIZE_MAX_ALLOWED);
    assert_false(knows(0));
    assert_true(knows(1));
    assert_true(knows(SIZE_MAX_ALLOWED));
}

static void it_has_never_more_memory_than_its_size(void **state)
{
    static const int sizes[] = {1, 2, 15, 16, 17, 31, 33, 100};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); ++i) {
        int k;

        h2_push_diary_init(&diary, sizes[i]);
        for (k = 0; k < 3 * sizes[i]; ++k) {
            add(k);
            assert_true(diary.allocated <= sizes[i]);
            assert_true(knows(k));
        }
        assert_int_equal(diary.count, sizes[i]);
        h2_push_diary_clear(&diary);
    }
}

static void a_cleared_diary_knows_nothing_and_can_be_used_again(void **state)
{
    int i;

    (void)state;
    h2_push_diary_init(&diary, 3);
    h2_push_diary_clear(&diary);
    for (i = 0; i < 5; ++i) {
        add(i);
    }
    h2_push_diary_clear(&diary);
    assert_int_equal(diary.size, 3);
    assert_int_equal(diary.count, 0);
    assert_null(diary.entries);
    for (i = 0; i < 5; ++i) {
        assert_false(knows(i));
    }
    for (i = 5; i < 9; ++i) { /* the oldest one is counted from the start */
        add(i);
    }
    assert_false(knows(5));
    assert_true(knows(6) && knows(7) && knows(8));
    h2_push_diary_clear(&diary);
    h2_push_diary_clear(&diary);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_diary_of_size_0_remembers_nothing),
        TEST(a_new_diary_knows_nothing_and_needs_no_memory),
        TEST(what_was_added_is_known_and_nothing_else),
        TEST(the_hashes_at_both_ends_are_hashes_like_others),
        TEST(a_full_diary_forgets_the_oldest_first),
        TEST(a_diary_of_size_1_knows_the_last_one),
        TEST(a_part_of_a_hash_stands_for_all_that_begin_like_it),
        TEST(one_bit_knows_half_of_all),
        TEST(parts_and_whole_hashes_share_a_diary),
        TEST(it_grows_to_the_largest_size_and_no_further),
        TEST(it_has_never_more_memory_than_its_size),
        TEST(a_cleared_diary_knows_nothing_and_can_be_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

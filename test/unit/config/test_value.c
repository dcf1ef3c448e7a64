/* config/h2_value.c: the text of a directive's argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <apr_general.h>

#include "config/h2_value.h"

#define UNTOUCHED (-77)

static apr_int64_t parsed(const char *text, apr_int64_t min, apr_int64_t max)
{
    apr_int64_t value = UNTOUCHED;

    assert_int_equal(h2_value_number_parse(text, min, max, &value), APR_SUCCESS);
    return value;
}

static void assert_refused(const char *text, apr_int64_t min, apr_int64_t max)
{
    apr_int64_t value = UNTOUCHED;

    assert_int_equal(h2_value_number_parse(text, min, max, &value), APR_EINVAL);
    assert_int_equal(value, UNTOUCHED);
}

static void a_number_within_the_range_is_taken(void **state)
{
    (void)state;
    assert_int_equal(parsed("0", 0, 8), 0);
    assert_int_equal(parsed("8", 0, 8), 8);
    assert_int_equal(parsed("007", 0, 8), 7);
    assert_int_equal(parsed("1", 1, APR_INT32_MAX), 1);
    assert_int_equal(parsed("2147483647", 1, APR_INT32_MAX), APR_INT32_MAX);
    assert_int_equal(parsed("9223372036854775807", 0, APR_INT64_MAX), APR_INT64_MAX);
}

static void a_number_beyond_the_range_is_refused(void **state)
{
    (void)state;
    assert_refused("0", 1, APR_INT32_MAX);
    assert_refused("1023", 1024, APR_INT32_MAX);
    assert_refused("9", 0, 8);
    assert_refused("10", 0, 8);
    assert_refused("2147483648", 1, APR_INT32_MAX);
    assert_refused("1", 0, 0);
}

static void a_number_that_overflows_is_refused(void **state)
{
    (void)state;
    assert_refused("9223372036854775808", 0, APR_INT64_MAX);
    assert_refused("18446744073709551617", 0, APR_INT64_MAX);
    assert_refused("4294967297", 1, APR_INT32_MAX);
    assert_refused("99999999999999999999999999999999999999999", 0, APR_INT64_MAX);
}

static void anything_but_digits_is_refused(void **state)
{
    const char *texts[] = {"",   " ",   "-1",   "+1",  " 1", "1 ",
                           "1k", "1.0", "0x10", "1e3", "on", "\xb2"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); ++i) {
        assert_refused(texts[i], 0, APR_INT64_MAX);
    }
}

static void a_flag_is_on_or_off_in_any_case(void **state)
{
    int value = UNTOUCHED;

    (void)state;
    assert_int_equal(h2_value_flag_parse("on", &value), APR_SUCCESS);
    assert_int_equal(value, 1);
    assert_int_equal(h2_value_flag_parse("OFF", &value), APR_SUCCESS);
    assert_int_equal(value, 0);
    assert_int_equal(h2_value_flag_parse("On", &value), APR_SUCCESS);
    assert_int_equal(value, 1);
}

static void any_other_word_is_no_flag(void **state)
{
    const char *texts[] = {"", "yes", "no", "1", "0", "o", "onn", "on ", "offf", "true"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); ++i) {
        int value = UNTOUCHED;

        assert_int_equal(h2_value_flag_parse(texts[i], &value), APR_EINVAL);
        assert_int_equal(value, UNTOUCHED);
    }
}

static void the_message_names_directive_value_and_range(void **state)
{
    apr_pool_t *pool;

    (void)state;
    apr_pool_create(&pool, NULL);
    assert_string_equal(
        h2_value_number_error(pool, "H2MaxSessionStreams", "0", 1, APR_INT32_MAX),
        "H2MaxSessionStreams: '0' is not allowed, must be a number from 1 to 2147483647");
    assert_string_equal(
        h2_value_number_error(pool, "H2TLSWarmUpSize", "%s", 0, APR_INT64_MAX),
        "H2TLSWarmUpSize: '%s' is not allowed, must be a number from 0 to 9223372036854775807");
    assert_string_equal(h2_value_error(pool, "H2Direct", "maybe", "on or off"),
                        "H2Direct: 'maybe' is not allowed, must be on or off");
    apr_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_within_the_range_is_taken),
        cmocka_unit_test(a_number_beyond_the_range_is_refused),
        cmocka_unit_test(a_number_that_overflows_is_refused),
        cmocka_unit_test(anything_but_digits_is_refused),
        cmocka_unit_test(a_flag_is_on_or_off_in_any_case),
        cmocka_unit_test(any_other_word_is_no_flag),
        cmocka_unit_test(the_message_names_directive_value_and_range),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* base/h2_text.c: control characters in text, and numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/h2_text.h"

#define LENGTH_MAX 40

static int is_control(int octet)
{
    return octet < 0x20 || octet == 0x7f;
}

/* Each octet at each place of texts of each length, between the most different others. */
static void each_control_is_found_wherever_it_is(void **state)
{
    static const unsigned char fillers[] = {' ', 'a', 0x7e, 0x80, 0x9f, 0xa0, 0xff};
    size_t length, place, i;
    int octet;

    (void)state;
    for (length = 1; length < LENGTH_MAX; ++length) {
        for (place = 0; place < length; ++place) {
            for (i = 0; i < sizeof(fillers); ++i) {
                char text[LENGTH_MAX];

                memset(text, fillers[i], sizeof(text));
                for (octet = 0; octet < 256; ++octet) {
                    text[place] = (char)octet;
                    assert_int_equal(h2_text_has_control(text, length), is_control(octet));
                }
            }
        }
    }
}

static void what_stands_behind_the_text_is_not_looked_at(void **state)
{
    (void)state;
    assert_false(h2_text_has_control("\n", 0));
    assert_false(h2_text_has_control("abc\n", 3));
    assert_false(h2_text_has_control("abcdefgh\n", 8));
    assert_true(h2_text_has_control("abcdefgh\n", 9));
}

static void texts_that_differ_in_one_octet_have_different_hashes(void **state)
{
    size_t length, place;

    (void)state;
    for (length = 1; length < LENGTH_MAX; ++length) {
        char text[LENGTH_MAX];
        apr_uint64_t hash;

        memset(text, 'a', sizeof(text));
        hash = h2_text_hash(0, text, length);
        assert_true(h2_text_hash(0, text, length) == hash);
        assert_true(h2_text_hash(0, text, length - 1) != hash);
        assert_true(h2_text_hash(1, text, length) != hash);
        for (place = 0; place < length; ++place) {
            text[place] = 'b';
            assert_true(h2_text_hash(0, text, length) != hash);
            text[place] = 'a';
        }
    }
}

static void a_hash_is_the_same_on_machines_of_either_byte_order(void **state)
{
    (void)state;
    assert_true(h2_text_hash(0, "te", 2) == 0xdb7db60213794a03);
    assert_true(h2_text_hash(0, "accept", 6) == 0x59772ade3a9fbe77);
    assert_true(h2_text_hash(0, "user-agent", 10) == 0xdfceb2c3a0bf9de2);
    assert_true(h2_text_hash(0, "sec-ch-ua-platform", 18) == 0x9bfa688f9e5e4b54);
}

static void numbers_are_decimal(void **state)
{
    static const struct {
        apr_uint64_t number;
        const char *text;
    } cases[] = {
        {0, "0"}, {9, "9"}, {10, "10"}, {4294967296, "4294967296"},
        {18446744073709551615u, "18446744073709551615"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
        char text[H2_TEXT_NUMBER_BYTES + 1];

        text[H2_TEXT_NUMBER_BYTES] = '\0';
        assert_string_equal(h2_text_number(text + H2_TEXT_NUMBER_BYTES, cases[i].number),
                            cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_control_is_found_wherever_it_is),
        cmocka_unit_test(what_stands_behind_the_text_is_not_looked_at),
        cmocka_unit_test(texts_that_differ_in_one_octet_have_different_hashes),
        cmocka_unit_test(a_hash_is_the_same_on_machines_of_either_byte_order),
        cmocka_unit_test(numbers_are_decimal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

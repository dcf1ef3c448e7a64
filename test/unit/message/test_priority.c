/* message/h2_priority.c: what a priority field says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "message/h2_priority.h"

static h2_priority priority;

static int setup(void **state)
{
    (void)state;
    h2_priority_init(&priority);
    return 0;
}

/* Parses text that stands in memory of exactly its size. */
static int parse(const char *text)
{
    size_t length = strlen(text);
    char *copy = malloc(length + !length);
    int rv;

    memcpy(copy, text, length);
    rv = h2_priority_parse(&priority, copy, length);
    free(copy);
    return rv;
}

static void assert_says(const char *text, int urgency, int is_incremental)
{
    h2_priority_init(&priority);
    assert_true(parse(text));
    assert_int_equal(priority.urgency, urgency);
    assert_int_equal(priority.is_incremental, is_incremental);
}

static void the_default_is_3_and_not_incremental(void **state)
{
    (void)state;
    assert_int_equal(priority.urgency, 3);
    assert_int_equal(priority.is_incremental, 0);
    assert_says("", 3, 0);
    assert_says("  ", 3, 0);
}

static void each_urgency_and_incremental_is_read(void **state)
{
    (void)state;
    assert_says("u=0", 0, 0);
    assert_says("u=7", 7, 0);
    assert_says("i", 3, 1);
    assert_says("i=?1", 3, 1);
    assert_says("i=?0", 3, 0);
    assert_says("u=5, i", 5, 1);
    assert_says("i,u=1", 1, 1);
    assert_says(" u=2 \t,\t i  ", 2, 1);
    assert_says("u=-0", 0, 0);
    assert_says("u=006", 6, 0);
}

static void what_is_wrong_for_a_priority_says_nothing(void **state)
{
    (void)state;
    assert_says("u=8", 3, 0);
    assert_says("u=-1", 3, 0);
    assert_says("u=999999999999999", 3, 0);
    assert_says("u=1.0", 3, 0);
    assert_says("u=a", 3, 0);
    assert_says("u", 3, 0);
    assert_says("u=?1", 3, 0);
    assert_says("u=(1 2)", 3, 0);
    assert_says("i=1", 3, 0);
    assert_says("i=\"?1\"", 3, 0);
    assert_says("u=9, i", 3, 1);
}

static void unknown_members_and_parameters_are_left_alone(void **state)
{
    (void)state;
    assert_says("x=5, u=1", 1, 0);
    assert_says("u=1;x;y=2;z=\"a;b\", i;u=4", 1, 1);
    assert_says("uu=1, ii", 3, 0);
    assert_says(
        "a=\"x, u=0 \\\" \\\\\", b=:YQ==:, c=*t/o:k, d=-1.25, e=(), f=(a \"b\";c 1), *-._=1, u=6",
        6, 0);
}

static void the_last_of_a_key_counts(void **state)
{
    (void)state;
    assert_says("u=1, u=2", 2, 0);
    assert_says("u=1, u=x", 3, 0);
    assert_says("i, i=?0", 3, 0);
    assert_says("i, i=1", 3, 0);
}

static void what_it_does_not_say_stays(void **state)
{
    (void)state;
    priority.urgency = 6;
    priority.is_incremental = 1;
    assert_true(parse("u=1"));
    assert_int_equal(priority.urgency, 1);
    assert_int_equal(priority.is_incremental, 1);
    assert_true(parse("i=?0"));
    assert_int_equal(priority.urgency, 1);
    assert_int_equal(priority.is_incremental, 0);
}

static void what_is_no_dictionary_changes_nothing(void **state)
{
    static const char *const texts[] = {
        "u=",
        "u=1,",
        "u=1, ,i",
        ",u=1",
        "U=1",
        "u=1 i",
        "u =1",
        "u= 1",
        "1",
        "=1",
        "\tu=1",
        "u=1;",
        "u=1;X",
        "u=1;x=",
        "u=\"",
        "u=\"\\",
        "u=\"\\a\"",
        "u=\"\x01\"",
        "u=\"\x7f\"",
        "u=\"\xc3\xa4\"",
        "u=:YQ",
        "u=:?:",
        "u=?",
        "u=?2",
        "u=(",
        "u=(1",
        "u=(1,2)",
        "u=(1\"a\")",
        "u=-",
        "u=--1",
        "u=1.",
        "u=1.1234",
        "u=.5",
        "u=1234567890123.5",
        "u=1000000000000000",
        "u=@1",
        "u=\xff",
        "u=1\n",
        "u=1,\x01i",
    };
    size_t i;

    (void)state;
    priority.urgency = 5;
    priority.is_incremental = 1;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); ++i) {
        assert_false(parse(texts[i]));
        assert_int_equal(priority.urgency, 5);
        assert_int_equal(priority.is_incremental, 1);
    }
    assert_false(h2_priority_parse(&priority, "u=1\0", 4));
    assert_false(h2_priority_parse(&priority, "\0", 1));
}

static void any_octets_can_be_parsed(void **state)
{
    static const char octets[] = "u=0123456789i?,; \t-.\"\\:()*aA\n\x80";
    unsigned random = 1;
    int round;

    (void)state;
    for (round = 0; round < 20000; ++round) {
        char text[12];
        size_t i, length = (size_t)round % sizeof(text);

        for (i = 0; i < length; ++i) {
            random = random * 1103515245u + 12345u;
            text[i] = octets[(random >> 8) % (sizeof(octets) - 1)];
        }
        h2_priority_parse(&priority, text, length);
        assert_in_range(priority.urgency, 0, H2_URGENCY_MAX);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_default_is_3_and_not_incremental),
        TEST(each_urgency_and_incremental_is_read),
        TEST(what_is_wrong_for_a_priority_says_nothing),
        TEST(unknown_members_and_parameters_are_left_alone),
        TEST(the_last_of_a_key_counts),
        TEST(what_it_does_not_say_stays),
        TEST(what_is_no_dictionary_changes_nothing),
        TEST(any_octets_can_be_parsed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

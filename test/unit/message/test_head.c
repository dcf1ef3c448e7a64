/* message/h2_head.c: the head of a request as the client sent it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "message/h2_head.h"

/* A limit that nothing here reaches. */
#define NO_LIMIT (1024 * 1024)

static apr_pool_t *pool;
static h2_head *head;

static int setup(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    head = h2_head_create(NULL);
    return head ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    h2_head_destroy(head, NULL);
    apr_pool_destroy(pool);
    return 0;
}

/* Adds bytes that stand in memory of exactly their size. */
static apr_status_t add_bytes(const char *name, size_t name_length, const char *value,
                              size_t value_length, size_t limit)
{
    char *name_copy = malloc(name_length + !name_length);
    char *value_copy = malloc(value_length + !value_length);
    apr_status_t rv;

    memcpy(name_copy, name, name_length);
    memcpy(value_copy, value, value_length);
    rv = h2_head_add(head, name_copy, name_length, value_copy, value_length, limit);
    free(name_copy);
    free(value_copy);
    return rv;
}

static apr_status_t add_within(const char *name, const char *value, size_t limit)
{
    return add_bytes(name, strlen(name), value, strlen(value), limit);
}

static void add(const char *name, const char *value)
{
    assert_int_equal(add_within(name, value, NO_LIMIT), APR_SUCCESS);
}

static apr_table_t *as_table(void)
{
    apr_table_t *table = apr_table_make(pool, 4);

    h2_head_to_table(head, table);
    return table;
}

static void a_new_head_has_nothing(void **state)
{
    (void)state;
    assert_int_equal(h2_head_count(head), 0);
    assert_int_equal(h2_head_bytes(head), 0);
    assert_null(h2_head_method(head));
    assert_null(h2_head_scheme(head));
    assert_null(h2_head_authority(head));
    assert_null(h2_head_path(head));
    assert_null(h2_head_protocol(head));
    assert_null(h2_head_get(head, "host"));
    assert_true(apr_is_empty_table(as_table()));
}

static void each_pseudo_field_is_found_under_its_own_name(void **state)
{
    (void)state;
    add(":path", "/a?b");
    add(":scheme", "https");
    add(":method", "CONNECT");
    add(":protocol", "websocket");
    add(":authority", "example.org:8443");
    assert_string_equal(h2_head_method(head), "CONNECT");
    assert_string_equal(h2_head_scheme(head), "https");
    assert_string_equal(h2_head_authority(head), "example.org:8443");
    assert_string_equal(h2_head_path(head), "/a?b");
    assert_string_equal(h2_head_protocol(head), "websocket");
}

static void a_pseudo_field_is_not_among_the_fields(void **state)
{
    (void)state;
    add(":method", "GET");
    add("accept", "*/*");
    assert_int_equal(h2_head_count(head), 1);
    assert_string_equal(h2_head_field(head, 0).name, "accept");
    assert_null(h2_head_get(head, ":method"));
    assert_null(apr_table_get(as_table(), ":method"));
}

static void an_empty_pseudo_field_is_not_a_missing_one(void **state)
{
    (void)state;
    add(":authority", "");
    add(":path", " \t");
    assert_string_equal(h2_head_authority(head), "");
    assert_string_equal(h2_head_path(head), "");
    assert_null(h2_head_method(head));
}

static void an_unknown_pseudo_field_is_refused(void **state)
{
    static const char *const unknown[] = {":",       ":m",      ":metho", ":methods",
                                          ":status", ":Method", "::path"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); ++i) {
        assert_int_equal(add_within(unknown[i], "x", NO_LIMIT), APR_EINVAL);
    }
    assert_int_equal(h2_head_count(head), 0);
    assert_int_equal(h2_head_bytes(head), 0);
}

static void fields_keep_their_order_and_their_repetitions(void **state)
{
    static const char *const names[] = {"b", "a", "b", "c", "a"};
    int i;

    (void)state;
    for (i = 0; i < 5; ++i) {
        add(names[i], apr_itoa(pool, i));
    }
    assert_int_equal(h2_head_count(head), 5);
    for (i = 0; i < 5; ++i) {
        assert_string_equal(h2_head_field(head, i).name, names[i]);
        assert_string_equal(h2_head_field(head, i).value, apr_itoa(pool, i));
    }
}

static void the_first_of_a_name_is_got_and_no_part_of_a_name(void **state)
{
    (void)state;
    add("x-ab", "longer");
    add("x-a", "first");
    add("x-a", "second");
    assert_string_equal(h2_head_get(head, "x-a"), "first");
    assert_null(h2_head_get(head, "x-"));
    assert_null(h2_head_get(head, "x-abc"));
    assert_null(h2_head_get(head, ""));
}

static void blanks_at_both_ends_of_a_value_are_stripped_and_none_within(void **state)
{
    (void)state;
    add("a", " \t x \t y\t ");
    add("b", " \t \t");
    add("c", "");
    add("d", " z");
    add("e", "z\t");
    add(":path", " /p ");
    assert_string_equal(h2_head_get(head, "a"), "x \t y");
    assert_string_equal(h2_head_get(head, "b"), "");
    assert_string_equal(h2_head_get(head, "c"), "");
    assert_string_equal(h2_head_get(head, "d"), "z");
    assert_string_equal(h2_head_get(head, "e"), "z");
    assert_string_equal(h2_head_path(head), "/p");
}

static void nul_cr_and_lf_are_refused_wherever_they_stand(void **state)
{
    static const char octets[] = {'\0', '\r', '\n'};
    size_t i, place;

    (void)state;
    for (i = 0; i < sizeof(octets); ++i) {
        for (place = 0; place < 5; ++place) {
            char bad[] = "abcde";

            bad[place] = octets[i];
            assert_int_equal(add_bytes("x", 1, bad, 5, NO_LIMIT), APR_EINVAL);
            assert_int_equal(add_bytes(bad, 5, "x", 1, NO_LIMIT), APR_EINVAL);
            assert_int_equal(add_bytes(":path", 5, bad, 5, NO_LIMIT), APR_EINVAL);
        }
    }
    assert_int_equal(h2_head_count(head), 0);
    assert_int_equal(h2_head_bytes(head), 0);
    assert_null(h2_head_path(head));
}

static void any_other_octet_is_left_to_nghttp2(void **state)
{
    (void)state;
    assert_int_equal(add_bytes("x", 1, "\x01\x7f\x80\xff", 4, NO_LIMIT), APR_SUCCESS);
    assert_string_equal(h2_head_get(head, "x"), "\x01\x7f\x80\xff");
}

static void a_field_counts_its_octets_as_sent_and_32_more(void **state)
{
    (void)state;
    add(":method", "GET");
    assert_int_equal(h2_head_bytes(head), 7 + 3 + 32);
    add("a", "  b  ");
    assert_int_equal(h2_head_bytes(head), (7 + 3 + 32) + (1 + 5 + 32));
    add("", "");
    assert_int_equal(h2_head_bytes(head), (7 + 3 + 32) + (1 + 5 + 32) + 32);
}

static void the_limit_may_be_reached_but_not_passed(void **state)
{
    (void)state;
    assert_int_equal(add_within("ab", "cd", 35), APR_ENOSPC);
    assert_int_equal(add_within("ab", "cd", 36), APR_SUCCESS);
    assert_int_equal(add_within("", "", 36 + 31), APR_ENOSPC);
    assert_int_equal(add_within("", "", 36 + 32), APR_SUCCESS);
    assert_int_equal(h2_head_count(head), 2);
}

static void no_limit_is_so_small_or_large_that_it_wraps(void **state)
{
    (void)state;
    assert_int_equal(add_within("a", "b", 0), APR_ENOSPC);
    assert_int_equal(add_within("a", "b", 1), APR_ENOSPC);
    assert_int_equal(add_within("a", "b", 33), APR_ENOSPC);
    assert_int_equal(add_within("a", "b", APR_SIZE_MAX), APR_SUCCESS);
    assert_int_equal(add_within("a", "b", APR_SIZE_MAX), APR_SUCCESS);
    /* What is there already may be beyond a limit that has become smaller. */
    assert_int_equal(add_within("a", "b", 40), APR_ENOSPC);
}

static void a_field_that_is_too_large_does_not_keep_out_a_smaller_one(void **state)
{
    (void)state;
    assert_int_equal(add_within("a", "0123456789", 40), APR_ENOSPC);
    assert_int_equal(h2_head_bytes(head), 0);
    assert_int_equal(add_within("a", "01234", 40), APR_SUCCESS);
    assert_string_equal(h2_head_get(head, "a"), "01234");
}

static void strings_survive_as_many_fields_as_come(void **state)
{
    char name[32], value[32];
    int i;

    (void)state;
    add(":path", "/first");
    for (i = 0; i < 3000; ++i) {
        snprintf(name, sizeof(name), "name-%d", i);
        snprintf(value, sizeof(value), "value-%d", i);
        add(name, value);
    }
    assert_int_equal(h2_head_count(head), 3000);
    for (i = 0; i < 3000; ++i) {
        snprintf(name, sizeof(name), "name-%d", i);
        snprintf(value, sizeof(value), "value-%d", i);
        assert_string_equal(h2_head_field(head, i).name, name);
        assert_string_equal(h2_head_field(head, i).value, value);
    }
    assert_string_equal(h2_head_path(head), "/first");
}

/* The block of memory is passed at every distance: ASan sees one byte too much. */
static void a_value_of_any_length_fits(void **state)
{
    static char value[70000];
    size_t length;

    (void)state;
    memset(value, 'v', sizeof(value));
    for (length = 0; length < 3200; ++length) {
        teardown(NULL);
        setup(NULL);
        assert_int_equal(add_bytes("x", 1, value, length, NO_LIMIT), APR_SUCCESS);
        assert_int_equal(add_bytes(":path", 5, value, length, NO_LIMIT), APR_SUCCESS);
        assert_int_equal(strlen(h2_head_get(head, "x")), length);
        assert_int_equal(strlen(h2_head_path(head)), length);
    }
    assert_int_equal(add_bytes("y", 1, value, sizeof(value), NO_LIMIT), APR_SUCCESS);
    assert_int_equal(strlen(h2_head_get(head, "y")), sizeof(value));
}

static void a_table_gets_the_strings_themselves(void **state)
{
    apr_table_t *table;

    (void)state;
    add("accept", "*/*");
    add("x-empty", "");
    table = as_table();
    assert_int_equal(apr_table_elts(table)->nelts, 2);
    assert_ptr_equal(apr_table_get(table, "Accept"), h2_head_field(head, 0).value);
    assert_string_equal(apr_table_get(table, "x-empty"), "");
}

static void crumbs_of_cookies_become_one_cookie(void **state)
{
    apr_table_t *table;

    (void)state;
    add("cookie", "a=1");
    add("accept", "text/html");
    add("cookie", "b=2");
    add("cookie", "c=3");
    table = as_table();
    assert_int_equal(apr_table_elts(table)->nelts, 2);
    assert_string_equal(apr_table_get(table, "Cookie"), "a=1; b=2; c=3");
    assert_string_equal(apr_table_get(table, "Accept"), "text/html");
}

static void a_single_cookie_stays_as_it_is(void **state)
{
    apr_table_t *table;

    (void)state;
    add("cookie", "a=1; b=2");
    add("x", "1");
    add("x", "2");
    table = as_table();
    assert_string_equal(apr_table_get(table, "cookie"), "a=1; b=2");
    assert_string_equal(apr_table_get(table, "x"), "1, 2");
}

static void other_repeated_names_are_merged_as_in_http_1(void **state)
{
    apr_table_t *table;

    (void)state;
    add("accept", "a");
    add("via", "x");
    add("accept", "b");
    add("accept", "");
    add("accept", "c");
    table = as_table();
    assert_int_equal(apr_table_elts(table)->nelts, 2);
    assert_string_equal(apr_table_get(table, "accept"), "a, b, , c");
    assert_string_equal(apr_table_get(table, "via"), "x");
}

/* Names are told apart by 256 bits at first: of 200 names some share one. */
static void different_names_are_never_merged(void **state)
{
    apr_table_t *table;
    char name[16];
    int i;

    (void)state;
    for (i = 0; i < 200; ++i) {
        snprintf(name, sizeof(name), "x-%d", i);
        add(name, name);
    }
    table = as_table();
    assert_int_equal(apr_table_elts(table)->nelts, 200);
    for (i = 0; i < 200; ++i) {
        snprintf(name, sizeof(name), "x-%d", i);
        assert_string_equal(apr_table_get(table, name), name);
    }
}

static void a_browsers_names_are_not_taken_for_repeated_ones(void **state)
{
    static const char *const names[] = {
        "user-agent", "accept", "accept-language", "accept-encoding", "referer", "cookie",
        "upgrade-insecure-requests", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site",
        "sec-fetch-user", "sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform", "priority",
        "te", "cache-control", "pragma", "if-none-match", "if-modified-since",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
        add(names[i], "x");
        assert_false(h2_head_may_repeat(head));
    }
    add("referer", "y");
    assert_true(h2_head_may_repeat(head));
}

static void what_the_table_had_before_stays(void **state)
{
    apr_table_t *table = apr_table_make(pool, 4);

    (void)state;
    apr_table_setn(table, "Host", "example.org");
    add("accept", "*/*");
    h2_head_to_table(head, table);
    assert_string_equal(apr_table_get(table, "host"), "example.org");
    assert_string_equal(apr_table_get(table, "accept"), "*/*");
}

static void no_head_can_be_destroyed_as_well(void **state)
{
    (void)state;
    h2_head_destroy(NULL, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_head_has_nothing),
        TEST(each_pseudo_field_is_found_under_its_own_name),
        TEST(a_pseudo_field_is_not_among_the_fields),
        TEST(an_empty_pseudo_field_is_not_a_missing_one),
        TEST(an_unknown_pseudo_field_is_refused),
        TEST(fields_keep_their_order_and_their_repetitions),
        TEST(the_first_of_a_name_is_got_and_no_part_of_a_name),
        TEST(blanks_at_both_ends_of_a_value_are_stripped_and_none_within),
        TEST(nul_cr_and_lf_are_refused_wherever_they_stand),
        TEST(any_other_octet_is_left_to_nghttp2),
        TEST(a_field_counts_its_octets_as_sent_and_32_more),
        TEST(the_limit_may_be_reached_but_not_passed),
        TEST(no_limit_is_so_small_or_large_that_it_wraps),
        TEST(a_field_that_is_too_large_does_not_keep_out_a_smaller_one),
        TEST(strings_survive_as_many_fields_as_come),
        TEST(a_value_of_any_length_fits),
        TEST(a_table_gets_the_strings_themselves),
        TEST(crumbs_of_cookies_become_one_cookie),
        TEST(a_single_cookie_stays_as_it_is),
        TEST(other_repeated_names_are_merged_as_in_http_1),
        TEST(different_names_are_never_merged),
        TEST(a_browsers_names_are_not_taken_for_repeated_ones),
        TEST(what_the_table_had_before_stays),
        TEST(no_head_can_be_destroyed_as_well),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

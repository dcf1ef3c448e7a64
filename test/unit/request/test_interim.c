/* request/h2_interim.c: the text that ap_send_interim_response() writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "request/h2_interim.h"

static const char hints[] = "HTTP/1.1 103 Early Hints\r\n"
                            "Link: </a.css>; rel=preload\r\n"
                            "Link: </b.js>; rel=preload\r\n"
                            "X-Empty: \r\n"
                            "\r\n";

static apr_pool_t *pool;
static h2_interim *interim;

static int setup(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    interim = h2_interim_create(pool);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return 0;
}

/* Feeds text in pieces of so many bytes, each in memory of exactly its size. */
static apr_status_t feed_pieces(const char *text, apr_size_t len, apr_size_t piece,
                                apr_size_t *pused)
{
    apr_size_t offset = 0;
    apr_status_t rv = APR_SUCCESS;

    while (offset < len && rv == APR_SUCCESS && !h2_interim_is_complete(interim)) {
        apr_size_t n = piece < len - offset ? piece : len - offset;
        apr_size_t used = 0;
        char *copy = malloc(n);

        memcpy(copy, text + offset, n);
        rv = h2_interim_feed(interim, copy, n, &used);
        free(copy);
        assert_true(used <= n);
        assert_true(used == n || rv != APR_SUCCESS || h2_interim_is_complete(interim));
        offset += used;
    }
    *pused = offset;
    return rv;
}

static apr_status_t feed(const char *text)
{
    apr_size_t used;

    return feed_pieces(text, strlen(text), strlen(text) ? strlen(text) : 1, &used);
}

/* The text is refused whole and byte by byte alike. */
static void assert_refused(const char *text, apr_size_t len, apr_status_t expected)
{
    apr_size_t used;

    h2_interim_reset(interim);
    assert_int_equal(feed_pieces(text, len, len, &used), expected);
    assert_false(h2_interim_is_complete(interim));
    assert_int_equal(h2_interim_status(interim), 0);
    h2_interim_reset(interim);
    assert_int_equal(feed_pieces(text, len, 1, &used), expected);
    assert_false(h2_interim_is_complete(interim));
}

static int count_field(void *count, const char *name, const char *value)
{
    (void)name;
    (void)value;
    ++*(int *)count;
    return 1;
}

static int fields_count(void)
{
    int count = 0;

    apr_table_do(count_field, &count, h2_interim_fields(interim), NULL);
    return count;
}

static void assert_hints(void)
{
    const apr_array_header_t *fields = apr_table_elts(h2_interim_fields(interim));
    const apr_table_entry_t *entry = (const apr_table_entry_t *)fields->elts;

    assert_true(h2_interim_is_complete(interim));
    assert_int_equal(h2_interim_status(interim), 103);
    assert_int_equal(fields->nelts, 3);
    assert_string_equal(entry[0].key, "Link");
    assert_string_equal(entry[0].val, "</a.css>; rel=preload");
    assert_string_equal(entry[1].key, "Link");
    assert_string_equal(entry[1].val, "</b.js>; rel=preload");
    assert_string_equal(entry[2].key, "X-Empty");
    assert_string_equal(entry[2].val, "");
}

static void hints_split_anywhere_are_read_alike(void **state)
{
    apr_size_t len = strlen(hints);
    apr_size_t piece;

    (void)state;
    for (piece = 1; piece <= len; ++piece) {
        apr_size_t used;

        h2_interim_reset(interim);
        assert_int_equal(feed_pieces(hints, len, piece, &used), APR_SUCCESS);
        assert_int_equal(used, len);
        assert_hints();
    }
}

static void any_two_pieces_are_read_alike(void **state)
{
    apr_size_t len = strlen(hints);
    apr_size_t split;

    (void)state;
    for (split = 0; split <= len; ++split) {
        apr_size_t used;

        h2_interim_reset(interim);
        assert_int_equal(h2_interim_feed(interim, hints, split, &used), APR_SUCCESS);
        assert_int_equal(used, split);
        assert_int_equal(h2_interim_feed(interim, hints + split, len - split, &used), APR_SUCCESS);
        assert_int_equal(used, len - split);
        assert_hints();
    }
}

static void a_continue_without_fields_is_complete(void **state)
{
    (void)state;
    assert_int_equal(feed("HTTP/1.1 100 Continue\r\n\r\n"), APR_SUCCESS);
    assert_true(h2_interim_is_complete(interim));
    assert_int_equal(h2_interim_status(interim), 100);
    assert_int_equal(fields_count(), 0);
}

static void a_status_line_without_reason_is_taken(void **state)
{
    (void)state;
    assert_int_equal(feed("HTTP/1.1 199\r\n\r\n"), APR_SUCCESS);
    assert_int_equal(h2_interim_status(interim), 199);
    h2_interim_reset(interim);
    assert_int_equal(feed("HTTP/1.0 102 \r\n\r\n"), APR_SUCCESS);
    assert_int_equal(h2_interim_status(interim), 102);
}

static void nothing_is_known_before_the_empty_line(void **state)
{
    (void)state;
    assert_int_equal(feed("HTTP/1.1 103 Early Hints\r\nA: b\r\n\r"), APR_SUCCESS);
    assert_false(h2_interim_is_complete(interim));
    assert_int_equal(h2_interim_status(interim), 0);
    assert_int_equal(feed("\n"), APR_SUCCESS);
    assert_true(h2_interim_is_complete(interim));
}

static void what_follows_the_head_is_left_to_the_caller(void **state)
{
    const char *text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 x\r\n\r\nbody";
    apr_size_t used;

    (void)state;
    assert_int_equal(h2_interim_feed(interim, text, strlen(text), &used), APR_SUCCESS);
    assert_int_equal(used, strlen("HTTP/1.1 100 Continue\r\n\r\n"));
    assert_int_equal(h2_interim_status(interim), 100);
    text += used;
    assert_int_equal(h2_interim_feed(interim, text, strlen(text), &used), APR_SUCCESS);
    assert_int_equal(used, 0);

    h2_interim_reset(interim);
    assert_int_equal(h2_interim_feed(interim, text, strlen(text), &used), APR_SUCCESS);
    assert_int_equal(h2_interim_status(interim), 103);
    assert_string_equal(text + used, "body");
}

static void no_bytes_are_no_news(void **state)
{
    apr_size_t used = 7;

    (void)state;
    assert_int_equal(h2_interim_feed(interim, "", 0, &used), APR_SUCCESS);
    assert_int_equal(used, 0);
    assert_int_equal(h2_interim_feed(interim, NULL, 0, &used), APR_SUCCESS);
    assert_false(h2_interim_is_complete(interim));
}

static void blanks_around_a_value_are_not_part_of_it(void **state)
{
    (void)state;
    assert_int_equal(feed("HTTP/1.1 103 x\r\nA: \t b  c \t\r\nB:d\r\nC:\r\nD: \t\r\n\r\n"),
                     APR_SUCCESS);
    assert_string_equal(apr_table_get(h2_interim_fields(interim), "A"), "b  c");
    assert_string_equal(apr_table_get(h2_interim_fields(interim), "B"), "d");
    assert_string_equal(apr_table_get(h2_interim_fields(interim), "C"), "");
    assert_string_equal(apr_table_get(h2_interim_fields(interim), "D"), "");
}

static void bytes_above_ascii_pass_in_values_only(void **state)
{
    const char *name;

    (void)state;
    assert_int_equal(feed("HTTP/1.1 103 \xc3\xa4\r\n\xc3\xa4: b\r\nA: \xff\x80\r\n\r\n"),
                     APR_SUCCESS);
    assert_string_equal(apr_table_get(h2_interim_fields(interim), "A"), "\xff\x80");
    assert_int_equal(fields_count(), 1);
    assert_int_equal(h2_interim_dropped(interim, &name), 1);
    assert_string_equal(name, "");
}

static void what_is_no_interim_response_is_refused(void **state)
{
    static const char *const texts[] = {
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 099 x\r\n\r\n",
        "HTTP/1.1 1000 x\r\n\r\n",
        "HTTP/1.1 10 x\r\n\r\n",
        "HTTP/1.1 10x y\r\n\r\n",
        "HTTP/2.0 103 x\r\n\r\n",
        "HTTP/1.1  103 x\r\n\r\n",
        "http/1.1 103 x\r\n\r\n",
        "HTTP/1.1\t103 x\r\n\r\n",
        "\r\n",
        "\n",
        " HTTP/1.1 103 x\r\n\r\n",
        "<html>",
        "HTTP/1.1 103 x\n\r\n",
        "HTTP/1.1 103\n",
        "HTTP/1.1 103\tx\r\n",
        "HTTP/1.1 103 x\ry\r\n",
        "HTTP/1.1 103 \x01\r\n",
        "HTTP/1.1\r\n",
        "HTTP/1.1 103 \x7f\r\n\r\n",
        "HTTP/1.11 103 x\r\n",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); ++i) {
        assert_refused(texts[i], strlen(texts[i]), APR_EINVAL);
    }
}

static void what_cannot_become_one_is_refused_at_its_first_wrong_byte(void **state)
{
    apr_size_t used;

    (void)state;
    assert_int_equal(feed("HTTP/1.1 "), APR_SUCCESS);
    assert_int_equal(h2_interim_feed(interim, "2", 1, &used), APR_EINVAL);
    h2_interim_reset(interim);
    assert_int_equal(h2_interim_feed(interim, "h", 1, &used), APR_EINVAL);
}

/* Whole and byte by byte alike: the head is taken with its other fields, and none but one is
 * dropped. */
static void assert_dropped(const char *text, apr_size_t len, const char *expected_name)
{
    apr_size_t piece, used;
    const char *name;

    for (piece = 1; piece <= len; piece += len - 1) {
        h2_interim_reset(interim);
        assert_int_equal(feed_pieces(text, len, piece, &used), APR_SUCCESS);
        assert_int_equal(used, len);
        assert_true(h2_interim_is_complete(interim));
        assert_int_equal(h2_interim_dropped(interim, &name), 1);
        assert_string_equal(name, expected_name);
        assert_int_equal(fields_count(), 2);
        assert_string_equal(apr_table_get(h2_interim_fields(interim), "Ok"), "yes");
        assert_string_equal(apr_table_get(h2_interim_fields(interim), "Also"), "yes");
    }
}

static void assert_field_dropped(const char *line, apr_size_t len, const char *name)
{
    static const char before[] = "HTTP/1.1 103 x\r\nOk: yes\r\n", after[] = "Also: yes\r\n\r\n";
    apr_size_t before_len = sizeof(before) - 1, after_len = sizeof(after) - 1;
    char *text = apr_palloc(pool, before_len + len + after_len);

    memcpy(text, before, before_len);
    memcpy(text + before_len, line, len);
    memcpy(text + before_len + len, after, after_len);
    assert_dropped(text, before_len + len + after_len, name);
}

static void a_malformed_field_is_left_out(void **state)
{
    static const struct {
        const char *line;
        const char *name;
    } fields[] = {
        {"no colon\r\n", "no"}, {": value\r\n", ""}, {"Name : value\r\n", "Name"},
        {" Folded: value\r\n", ""}, {"\tfolded\r\n", ""}, {"Na me: x\r\n", "Na"},
        {"A: b\rc\r\n", "A"}, {"A: b\x01\r\n", "A"}, {"A: b\x7f\r\n", "A"}, {"A\r\n", "A"},
        {"(a): b\r\n", ""}, {"\r\r\n", ""},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); ++i) {
        assert_field_dropped(fields[i].line, strlen(fields[i].line), fields[i].name);
    }
}

static void lf_alone_ends_no_line_and_injects_no_field(void **state)
{
    (void)state;
    assert_field_dropped("A: b\nInjected: yes\r\n", strlen("A: b\nInjected: yes\r\n"), "A");
    assert_field_dropped("A: b\n\r\n", strlen("A: b\n\r\n"), "A");
    assert_field_dropped("\n\r\n", 3, "");
}

static void fields_of_a_connection_are_left_out_of_interim_responses(void **state)
{
    static const char *const names[] = {
        "Connection", "keep-alive", "Proxy-Connection", "TRANSFER-ENCODING", "Upgrade", "TE",
        "Trailer", "Content-Length",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
        char *line = apr_pstrcat(pool, names[i], ": 5\r\n", NULL);

        assert_field_dropped(line, strlen(line), names[i]);
        assert_false(h2_interim_is_good_field(names[i], "5"));
    }
    assert_true(h2_interim_is_good_field("Content-Type", "a\tb"));
    assert_false(h2_interim_is_good_field("", "x"));
    assert_false(h2_interim_is_good_field("a b", "x"));
    assert_false(h2_interim_is_good_field("a", "x\r\ny: z"));
    h2_interim_reset(interim);
    assert_int_equal(feed("HTTP/1.1 101 x\r\nUpgrade: a\r\nConnection: Upgrade\r\n\r\n"),
                     APR_SUCCESS);
    assert_int_equal(fields_count(), 2);
}

static void a_nul_byte_is_taken_nowhere(void **state)
{
    static const char in_status[] = "HTTP/1.1 103 a\0b\r\n\r\n";
    static const char in_name[] = "A\0: b\r\n";
    static const char in_value[] = "A: b\0c\r\n";

    (void)state;
    assert_refused(in_status, sizeof(in_status) - 1, APR_EINVAL);
    assert_field_dropped(in_name, sizeof(in_name) - 1, "A");
    assert_field_dropped(in_value, sizeof(in_value) - 1, "A");
}

/* A field line of exactly bytes bytes, CRLF included. */
static char *field_of(apr_size_t bytes)
{
    char *line = apr_palloc(pool, bytes + 1);

    memset(line, 'v', bytes);
    memcpy(line, "A: ", 3);
    memcpy(line + bytes - 2, "\r\n", 3);
    return line;
}

static void a_line_may_have_its_limit_and_no_byte_more(void **state)
{
    char *most =
        apr_pstrcat(pool, "HTTP/1.1 103 x\r\n", field_of(H2_INTERIM_LINE_BYTES_MAX), "\r\n", NULL);
    char *more = field_of(H2_INTERIM_LINE_BYTES_MAX + 1);

    (void)state;
    assert_int_equal(feed(most), APR_SUCCESS);
    assert_true(h2_interim_is_complete(interim));
    assert_int_equal(strlen(apr_table_get(h2_interim_fields(interim), "A")),
                     H2_INTERIM_LINE_BYTES_MAX - 5);
    assert_field_dropped(more, strlen(more), "A");
    more = field_of(3 * H2_INTERIM_LINE_BYTES_MAX);
    assert_field_dropped(more, strlen(more), "A");
}

static void a_status_line_that_never_ends_is_refused_at_the_limit(void **state)
{
    char *text = apr_pstrcat(pool, "HTTP/1.1 103 ", field_of(3 * H2_INTERIM_LINE_BYTES_MAX), NULL);

    (void)state;
    assert_refused(text, strlen(text) - 2, APR_ENOSPC);
}

/* A head of exactly bytes bytes, in lines that are each below their limit. */
static char *head_of(apr_size_t bytes)
{
    char *head = apr_pstrdup(pool, "HTTP/1.1 103 x\r\n");
    apr_size_t left = bytes - strlen(head) - 2;

    while (left) {
        apr_size_t n = left > 8000 ? 7000 : left;

        head = apr_pstrcat(pool, head, field_of(n), NULL);
        left -= n;
    }
    return apr_pstrcat(pool, head, "\r\n", NULL);
}

static void a_head_may_have_its_limit_and_no_byte_more(void **state)
{
    char *most = head_of(H2_INTERIM_HEAD_BYTES_MAX);
    char *more = head_of(H2_INTERIM_HEAD_BYTES_MAX + 1);
    const char *name;

    (void)state;
    assert_int_equal(strlen(most), H2_INTERIM_HEAD_BYTES_MAX);
    assert_int_equal(feed(most), APR_SUCCESS);
    assert_true(h2_interim_is_complete(interim));
    assert_int_equal(h2_interim_dropped(interim, &name), 0);
    h2_interim_reset(interim);
    assert_int_equal(feed(more), APR_SUCCESS);
    assert_true(h2_interim_is_complete(interim));
    assert_int_equal(h2_interim_dropped(interim, &name), 1);
}

static char *head_with(int count)
{
    char *head = apr_pstrdup(pool, "HTTP/1.1 103 x\r\n");

    while (count--) {
        head = apr_pstrcat(pool, head, "A: b\r\n", NULL);
    }
    return apr_pstrcat(pool, head, "\r\n", NULL);
}

static void a_head_may_have_so_many_fields_and_none_more(void **state)
{
    const char *name;

    (void)state;
    assert_int_equal(feed(head_with(H2_INTERIM_FIELDS_MAX)), APR_SUCCESS);
    assert_int_equal(fields_count(), H2_INTERIM_FIELDS_MAX);
    assert_int_equal(h2_interim_dropped(interim, &name), 0);
    h2_interim_reset(interim);
    assert_int_equal(feed(head_with(H2_INTERIM_FIELDS_MAX + 2)), APR_SUCCESS);
    assert_int_equal(fields_count(), H2_INTERIM_FIELDS_MAX);
    assert_int_equal(h2_interim_dropped(interim, &name), 2);
}

static void a_scripts_own_heads_are_taken_where_asked_for(void **state)
{
    static const char *const refused[] = {
        "HTTP/1.1 600 x\n", "HTTP/1.1 099 x\n", "HTTP/x.1 200 OK\n", "HTTP/1.1 20 OK\n", "\n",
    };
    size_t i;

    (void)state;
    h2_interim_take_any(interim);
    assert_int_equal(feed("HTTP/2.0 200 OK\nA: b\nConnection: close\r\nBad: \x01\n\nbody"),
                     APR_SUCCESS);
    assert_true(h2_interim_is_complete(interim));
    assert_int_equal(h2_interim_status(interim), 200);
    assert_string_equal(apr_table_get(h2_interim_fields(interim), "A"), "b");
    assert_string_equal(apr_table_get(h2_interim_fields(interim), "Connection"), "close");
    assert_int_equal(fields_count(), 2);
    h2_interim_reset(interim);
    assert_int_equal(feed("HTTP/1.1 404\r\nA: b\nc\r\nD: e\r\n\r\n"), APR_SUCCESS);
    assert_int_equal(h2_interim_status(interim), 404);
    assert_int_equal(fields_count(), 1); /* with CRLF first, LF is no end of a line */
    h2_interim_reset(interim);
    assert_int_equal(feed("HTTP/1.0 302\n\n"), APR_SUCCESS);
    assert_int_equal(h2_interim_status(interim), 302);
    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); ++i) {
        assert_refused(refused[i], strlen(refused[i]), APR_EINVAL);
    }
}

static void an_error_stays_until_reset(void **state)
{
    apr_size_t used = 7;

    (void)state;
    assert_int_equal(feed("nonsense"), APR_EINVAL);
    assert_int_equal(h2_interim_feed(interim, hints, strlen(hints), &used), APR_EINVAL);
    assert_int_equal(used, 0);
    assert_int_equal(h2_interim_feed(interim, NULL, 0, &used), APR_EINVAL);
    h2_interim_reset(interim);
    assert_int_equal(feed(hints), APR_SUCCESS);
    assert_hints();
}

/* Of a final head, and of 101, whose fields are not those of an interim response. */
static void a_field_without_a_name_is_left_out_of_any_head(void **state)
{
    static const char *const heads[] = {
        "HTTP/1.1 200 OK\r\n: b\r\nA: b\r\n\r\n", "HTTP/1.1 101 x\r\n: b\r\nA: b\r\n\r\n",
    };
    const char *name;
    size_t i;

    (void)state;
    h2_interim_take_any(interim);
    for (i = 0; i < sizeof(heads) / sizeof(heads[0]); ++i) {
        h2_interim_reset(interim);
        assert_int_equal(feed(heads[i]), APR_SUCCESS);
        assert_int_equal(fields_count(), 1);
        assert_int_equal(h2_interim_dropped(interim, &name), 1);
        assert_string_equal(name, "");
    }
}

static void a_reader_that_is_used_again_remembers_nothing(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 1000; ++i) {
        assert_int_equal(feed(hints), APR_SUCCESS);
        assert_hints();
        h2_interim_reset(interim);
        assert_false(h2_interim_is_complete(interim));
        assert_int_equal(h2_interim_status(interim), 0);
        assert_int_equal(fields_count(), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hints_split_anywhere_are_read_alike),
        TEST(any_two_pieces_are_read_alike),
        TEST(a_continue_without_fields_is_complete),
        TEST(a_status_line_without_reason_is_taken),
        TEST(nothing_is_known_before_the_empty_line),
        TEST(what_follows_the_head_is_left_to_the_caller),
        TEST(no_bytes_are_no_news),
        TEST(blanks_around_a_value_are_not_part_of_it),
        TEST(bytes_above_ascii_pass_in_values_only),
        TEST(what_is_no_interim_response_is_refused),
        TEST(what_cannot_become_one_is_refused_at_its_first_wrong_byte),
        TEST(a_malformed_field_is_left_out),
        TEST(lf_alone_ends_no_line_and_injects_no_field),
        TEST(fields_of_a_connection_are_left_out_of_interim_responses),
        TEST(a_scripts_own_heads_are_taken_where_asked_for),
        TEST(a_field_without_a_name_is_left_out_of_any_head),
        TEST(a_nul_byte_is_taken_nowhere),
        TEST(a_line_may_have_its_limit_and_no_byte_more),
        TEST(a_status_line_that_never_ends_is_refused_at_the_limit),
        TEST(a_head_may_have_its_limit_and_no_byte_more),
        TEST(a_head_may_have_so_many_fields_and_none_more),
        TEST(an_error_stays_until_reset),
        TEST(a_reader_that_is_used_again_remembers_nothing),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

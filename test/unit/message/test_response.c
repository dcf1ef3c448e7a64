/* message/h2_response.c: from httpd's tables to a list for nghttp2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "message/h2_response.h"
#include "message/h2_server_timing.h"

static apr_pool_t *pool;
static apr_table_t *fields;

static int setup(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    fields = apr_table_make(pool, 4);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return 0;
}

static h2_response *create(int status, const apr_table_t *first, const apr_table_t *second)
{
    const char *bad_name = NULL;
    h2_response *response = NULL;

    assert_int_equal(h2_response_create(&response, pool, status, first, second, &bad_name),
                     APR_SUCCESS);
    assert_non_null(response);
    assert_null(bad_name);
    return response;
}

static const char *name_at(const h2_response *response, size_t index)
{
    const nghttp2_nv *nv = &response->nva[index];

    assert_true(index < response->nva_count);
    return apr_pstrmemdup(pool, (const char *)nv->name, nv->namelen);
}

static const char *value_at(const h2_response *response, size_t index)
{
    const nghttp2_nv *nv = &response->nva[index];

    assert_true(index < response->nva_count);
    return apr_pstrmemdup(pool, (const char *)nv->value, nv->valuelen);
}

static void assert_field(const h2_response *response, size_t index, const char *name,
                         const char *value)
{
    assert_string_equal(name_at(response, index), name);
    assert_string_equal(value_at(response, index), value);
}

static void assert_refused(const char *name, const char *value)
{
    apr_table_t *table = apr_table_make(pool, 2);
    const char *bad_name = NULL;
    h2_response *response = NULL;

    apr_table_setn(table, "Good", "1");
    apr_table_setn(table, name, value);
    assert_int_equal(h2_response_create(&response, pool, 200, table, NULL, &bad_name), APR_EINVAL);
    assert_null(response);
    assert_string_equal(bad_name, name);
}

static void the_status_comes_first_and_has_three_digits(void **state)
{
    static const struct {
        int status;
        const char *text;
    } cases[] = {{100, "100"}, {103, "103"}, {200, "200"},
                 {304, "304"}, {599, "599"}, {999, "999"}};
    size_t i;

    (void)state;
    apr_table_setn(fields, "Date", "today");
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
        const h2_response *response = create(cases[i].status, fields, NULL);

        assert_int_equal(response->status, cases[i].status);
        assert_int_equal(response->nva_count, 2);
        assert_field(response, 0, ":status", cases[i].text);
        assert_field(response, 1, "date", "today");
        assert_null(response->next);
    }
}

static apr_array_header_t *dropped;

static h2_response *create_trailers(void)
{
    dropped = apr_array_make(pool, 0, sizeof(const char *));
    return h2_response_create_trailers(pool, fields, NULL, dropped);
}

static void trailers_have_no_status(void **state)
{
    const h2_response *trailers;

    (void)state;
    apr_table_addn(fields, "Digest", " x ");
    apr_table_addn(fields, "X", "1");
    apr_table_addn(fields, "x", "2");
    trailers = create_trailers();
    assert_int_equal(trailers->status, 0);
    assert_int_equal(trailers->nva_count, 3);
    assert_field(trailers, 0, "digest", "x");
    assert_field(trailers, 1, "x", "1");
    assert_field(trailers, 2, "x", "2");
    assert_int_equal(dropped->nelts, 0);
}

static void what_cannot_be_a_trailer_is_dropped_and_named(void **state)
{
    static const char *const bad[][2] = {
        {"Content-Length", "1"}, {":status", "200"}, {"Connection", "close"}, {"no name", "1"},
        {"X-Control", "a\nb"}, {"", "1"},
    };
    const h2_response *trailers;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); ++i) {
        apr_table_addn(fields, bad[i][0], bad[i][1]);
        apr_table_addn(fields, "Good", "1");
    }
    apr_table_addn(fields, "None", NULL);
    trailers = create_trailers();
    assert_int_equal(trailers->nva_count, i);
    assert_int_equal(dropped->nelts, i);
    while (i-- > 0) {
        assert_field(trailers, i, "good", "1");
        assert_string_equal(APR_ARRAY_IDX(dropped, (int)i, const char *), bad[i][0]);
    }
}

static void without_any_there_are_no_trailers(void **state)
{
    (void)state;
    assert_null(create_trailers());
    apr_table_addn(fields, "Date", "today");
    assert_null(create_trailers());
    assert_int_equal(dropped->nelts, 1);
}

static void trailers_of_more_than_32_kib_are_copied(void **state)
{
    char *value = apr_pcalloc(pool, 32 * 1024 + 1);

    (void)state;
    memset(value, 'x', 32 * 1024 - 33); /* 33 are counted for the name and the rest */
    apr_table_addn(fields, "a", value);
    assert_int_equal(create_trailers()->bytes, 32 * 1024);
    value[strlen(value)] = 'x';
    assert_int_equal(create_trailers()->bytes, 0);
}

static void a_value_of_timing_is_written_later(void **state)
{
    char timing[H2_SERVER_TIMING_BYTES];
    h2_response *trailers;

    (void)state;
    apr_table_addn(fields, "a", "b");
    trailers = h2_response_create_trailers(pool, fields, timing, dropped);
    assert_int_equal(trailers->nva_count, 2);
    assert_ptr_equal(trailers->timing, timing);
    assert_true(trailers->bytes > 34 + H2_SERVER_TIMING_BYTES);
    strcpy(timing, "x;dur=1");
    h2_response_note_timing(trailers);
    assert_string_equal(h2_response_get(trailers, "server-timing"), "x;dur=1");
    assert_int_equal(trailers->nva[1].valuelen, 7);
    apr_table_clear(fields);
    assert_int_equal(h2_response_create_trailers(pool, fields, timing, dropped)->nva_count, 1);
}

static void a_response_may_have_no_fields_at_all(void **state)
{
    (void)state;
    assert_int_equal(create(204, NULL, NULL)->nva_count, 1);
    assert_int_equal(create(204, fields, fields)->nva_count, 1);
}

static void the_second_table_follows_the_first_in_the_order_of_both(void **state)
{
    apr_table_t *more = apr_table_make(pool, 2);
    const h2_response *response;

    (void)state;
    apr_table_addn(fields, "B", "1");
    apr_table_addn(fields, "A", "2");
    apr_table_addn(fields, "B", "3");
    apr_table_addn(more, "A", "4");
    response = create(200, fields, more);
    assert_int_equal(response->nva_count, 5);
    assert_field(response, 1, "b", "1");
    assert_field(response, 2, "a", "2");
    assert_field(response, 3, "b", "3");
    assert_field(response, 4, "a", "4");
    response = create(200, NULL, more);
    assert_int_equal(response->nva_count, 2);
    assert_field(response, 1, "a", "4");
}

static void every_name_is_in_lower_case(void **state)
{
    static const char *const names[][2] = {
        {"Content-Type", "content-type"},
        {"CONTENT-LENGTH", "content-length"},
        {"etag", "etag"},
        {"X-Powered-By", "x-powered-by"},
        {"Z", "z"},
        {"Set-Cookie2", "set-cookie2"},
        {"dAte", "date"},
        {"Datf", "datf"},
        {"x_!#$%&'*+.^`|~09", "x_!#$%&'*+.^`|~09"},
    };
    const h2_response *response;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
        apr_table_addn(fields, names[i][0], "v");
    }
    response = create(200, fields, NULL);
    for (i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
        assert_field(response, 1 + i, names[i][1], "v");
    }
    /* httpd's own strings stay as they were. */
    assert_string_equal(APR_ARRAY_IDX(apr_table_elts(fields), 3, apr_table_entry_t).key,
                        "X-Powered-By");
}

static void fields_of_one_connection_are_left_out(void **state)
{
    const h2_response *response;

    (void)state;
    apr_table_addn(fields, "Connection", "close");
    apr_table_addn(fields, "Keep-Alive", "timeout=5");
    apr_table_addn(fields, "Date", "today");
    apr_table_addn(fields, "Proxy-Connection", "close");
    apr_table_addn(fields, "TRANSFER-ENCODING", "chunked");
    apr_table_addn(fields, "upgrade", "h2c");
    response = create(200, fields, NULL);
    assert_int_equal(response->nva_count, 2);
    assert_field(response, 1, "date", "today");
}

static void names_that_only_look_like_those_are_sent(void **state)
{
    const h2_response *response;

    (void)state;
    apr_table_addn(fields, "Connection-Id", "1");
    apr_table_addn(fields, "Upgrade-Insecure-Requests", "1");
    apr_table_addn(fields, "Keep", "1");
    apr_table_addn(fields, "Content-Encoding", "gzip");
    response = create(200, fields, NULL);
    assert_int_equal(response->nva_count, 5);
}

static void blanks_around_a_value_are_not_sent(void **state)
{
    const h2_response *response;

    (void)state;
    apr_table_addn(fields, "A", " \tx \t y\t ");
    apr_table_addn(fields, "B", "");
    apr_table_addn(fields, "C", " \t ");
    response = create(200, fields, NULL);
    assert_field(response, 1, "a", "x \t y");
    assert_field(response, 2, "b", "");
    assert_field(response, 3, "c", "");
}

static void a_name_that_is_no_token_is_refused(void **state)
{
    static const char *const names[] = {"",    " ",      "a b",  "a:",    ":status",
                                        ":",   "a\r\nb", "\x80", "a\x7f", "(comment)",
                                        "a\t", "\"a\"",  "{",    "a,b"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
        assert_refused(names[i], "v");
    }
}

static void a_control_character_in_a_value_is_refused(void **state)
{
    static const char *const values[] = {"\n", "a\rb", "a\nb: c", "\x01", "a\x7f", "\x1f", "\x08"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(values) / sizeof(values[0]); ++i) {
        assert_refused("X-Value", values[i]);
    }
}

static void bytes_above_ascii_pass_in_a_value(void **state)
{
    (void)state;
    apr_table_setn(fields, "X", "caf\xc3\xa9 \xff");
    assert_field(create(200, fields, NULL), 1, "x", "caf\xc3\xa9 \xff");
}

static void a_bad_field_of_the_second_table_is_named_too(void **state)
{
    apr_table_t *more = apr_table_make(pool, 2);
    const char *bad_name = NULL;
    h2_response *response;

    (void)state;
    apr_table_setn(fields, "A", "1");
    apr_table_setn(more, "Bad Name", "1");
    assert_int_equal(h2_response_create(&response, pool, 200, fields, more, &bad_name), APR_EINVAL);
    assert_null(response);
    assert_string_equal(bad_name, "Bad Name");
}

static void an_entry_without_a_value_is_none(void **state)
{
    const h2_response *response;

    (void)state;
    apr_table_addn(fields, "A", NULL);
    apr_table_addn(fields, "B", "1");
    response = create(200, fields, NULL);
    assert_int_equal(response->nva_count, 2);
    assert_field(response, 1, "b", "1");
}

static void values_are_borrowed_from_the_table(void **state)
{
    static char value[] = " value";
    const h2_response *response;

    (void)state;
    apr_table_setn(fields, "A", value);
    response = create(200, fields, NULL);
    assert_ptr_equal(response->nva[1].value, value + 1);
    assert_int_equal(response->nva[1].flags,
                     NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}

/* Of every kind of byte, so that Huffman codes are no gain. */
static void add_expensive_fields(size_t length)
{
    char *value = apr_palloc(pool, length + 1);
    size_t i;

    for (i = 0; i < length; ++i) {
        value[i] = (char)(0x80 + i % 0x80);
    }
    value[length] = '\0';
    apr_table_setn(fields, apr_psprintf(pool, "X-%" APR_SIZE_T_FMT, length), value);
}

static void its_frames_are_never_larger_than_its_bytes(void **state)
{
    static const size_t lengths[] = {0, 1, 126, 127, 128, 300, 14000, 16384};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); ++i) {
        const h2_response *response;
        nghttp2_hd_deflater *deflater;
        size_t room, frames;
        ssize_t used;
        uint8_t *block;

        add_expensive_fields(lengths[i]);
        response = create(200, fields, NULL);
        assert_int_equal(nghttp2_hd_deflate_new(&deflater, 0), 0);
        room = nghttp2_hd_deflate_bound(deflater, response->nva, response->nva_count);
        block = malloc(room);
        used = nghttp2_hd_deflate_hd(deflater, block, room, response->nva, response->nva_count);
        free(block);
        nghttp2_hd_deflate_del(deflater);
        assert_true(used > 0);
        frames = ((size_t)used + 16383) / 16384;
        assert_true((size_t)used + frames * H2_FRAME_HEADER_BYTES <= response->bytes);
    }
}

/* 75 bytes are counted for all but the value. */
static void a_response_of_more_than_32_kib_is_copied(void **state)
{
    const apr_size_t longest = 32 * 1024 - 75;
    char *value = apr_palloc(pool, longest + 2);
    const h2_response *response;
    size_t i;

    (void)state;
    memset(value, 'x', longest + 1);
    value[longest] = '\0';
    apr_table_setn(fields, "A", value);
    response = create(200, fields, NULL);
    assert_int_equal(response->bytes, 32 * 1024);
    assert_int_equal(response->nva[1].flags,
                     NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
    value[longest] = 'x';
    value[longest + 1] = '\0';
    response = create(200, fields, NULL);
    assert_int_equal(response->bytes, 0);
    assert_int_equal(response->nva_count, 2);
    for (i = 0; i < response->nva_count; ++i) {
        assert_int_equal(response->nva[i].flags, NGHTTP2_NV_FLAG_NONE);
    }
    assert_field(response, 0, ":status", "200");
    assert_int_equal(response->nva[1].valuelen, longest + 1);
    assert_ptr_equal(h2_response_get(response, "a"), value);

    /* and so is one of many small fields */
    apr_table_clear(fields);
    for (i = 0; i < 1000; ++i) {
        apr_table_addn(fields, "B", "1");
    }
    response = create(200, fields, NULL);
    assert_int_equal(response->bytes, 0);
    assert_int_equal(response->nva[1000].flags, NGHTTP2_NV_FLAG_NONE);
}

static void a_large_response_with_a_bad_field_is_refused(void **state)
{
    char *value = apr_palloc(pool, 65536);

    (void)state;
    memset(value, 'x', 65535);
    value[65535] = '\0';
    value[40000] = '\n';
    assert_refused("X-Value", value);
}

static void a_field_is_found_by_its_name(void **state)
{
    const h2_response *response;

    (void)state;
    apr_table_addn(fields, "Content-Type", "text/css");
    apr_table_addn(fields, "X-One", "1");
    apr_table_addn(fields, "Link", "</a>");
    apr_table_addn(fields, "link", "</b>");
    apr_table_addn(fields, "Empty", "");
    response = create(200, fields, NULL);
    assert_string_equal(h2_response_get(response, "content-type"), "text/css");
    assert_string_equal(h2_response_get(response, "x-one"), "1");
    assert_string_equal(h2_response_get(response, "link"), "</a>"); /* the first one */
    assert_string_equal(h2_response_get(response, "empty"), "");
    assert_string_equal(h2_response_get(response, ":status"), "200");
}

static void a_field_is_found_by_all_of_its_name_in_lower_case(void **state)
{
    static const char *const names[] = {"content-typ", "content-types", "ontent-type", "content",
                                        "Content-Type", "", "connection", ":path"};
    const h2_response *response;
    size_t i;

    (void)state;
    apr_table_addn(fields, "Content-Type", "text/css");
    apr_table_addn(fields, "Connection", "close");
    response = create(200, fields, NULL);
    for (i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
        assert_null(h2_response_get(response, names[i]));
    }
}

static void a_field_of_either_table_is_found(void **state)
{
    apr_table_t *more = apr_table_make(pool, 2);
    const h2_response *response;

    (void)state;
    apr_table_addn(fields, "A", "1");
    apr_table_addn(more, "A", "2");
    apr_table_addn(more, "B", "3");
    response = create(200, fields, more);
    assert_string_equal(h2_response_get(response, "a"), "1");
    assert_string_equal(h2_response_get(response, "b"), "3");
}

static void nothing_is_found_where_there_is_nothing(void **state)
{
    (void)state;
    assert_null(h2_response_get(create(200, NULL, NULL), "content-type"));
    apr_table_addn(fields, "X", "1");
    assert_null(h2_response_get(create_trailers(), ":status"));
    assert_null(h2_response_get(create(204, NULL, NULL), "content-type"));
}

static void only_blanks_before_a_value_are_left_out_where_it_is_asked_for(void **state)
{
    static char value[] = " \ttext/css \t";
    const h2_response *response;

    (void)state;
    apr_table_setn(fields, "Content-Type", value);
    response = create(200, fields, NULL);
    assert_ptr_equal(h2_response_get(response, "content-type"), value + 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_status_comes_first_and_has_three_digits),
        TEST(trailers_have_no_status),
        TEST(what_cannot_be_a_trailer_is_dropped_and_named),
        TEST(without_any_there_are_no_trailers),
        TEST(a_value_of_timing_is_written_later),
        TEST(trailers_of_more_than_32_kib_are_copied),
        TEST(a_response_may_have_no_fields_at_all),
        TEST(the_second_table_follows_the_first_in_the_order_of_both),
        TEST(every_name_is_in_lower_case),
        TEST(fields_of_one_connection_are_left_out),
        TEST(names_that_only_look_like_those_are_sent),
        TEST(blanks_around_a_value_are_not_sent),
        TEST(a_name_that_is_no_token_is_refused),
        TEST(a_control_character_in_a_value_is_refused),
        TEST(bytes_above_ascii_pass_in_a_value),
        TEST(a_bad_field_of_the_second_table_is_named_too),
        TEST(an_entry_without_a_value_is_none),
        TEST(values_are_borrowed_from_the_table),
        TEST(its_frames_are_never_larger_than_its_bytes),
        TEST(a_response_of_more_than_32_kib_is_copied),
        TEST(a_large_response_with_a_bad_field_is_refused),
        TEST(a_field_is_found_by_its_name),
        TEST(a_field_is_found_by_all_of_its_name_in_lower_case),
        TEST(a_field_of_either_table_is_found),
        TEST(nothing_is_found_where_there_is_nothing),
        TEST(only_blanks_before_a_value_are_left_out_where_it_is_asked_for),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

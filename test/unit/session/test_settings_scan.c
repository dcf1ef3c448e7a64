/* session/h2_settings_scan.c: each value counts, whatever the pieces it comes in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <nghttp2/nghttp2.h>

#include "session/h2_settings_scan.h"

static unsigned char bytes[600];
static apr_uint32_t length;

static int setup(void **state)
{
    (void)state;
    length = 0;
    return 0;
}

static void append(unsigned id, apr_uint32_t value)
{
    unsigned char entry[] = {(unsigned char)(id >> 8), (unsigned char)id,
                             (unsigned char)(value >> 24), (unsigned char)(value >> 16),
                             (unsigned char)(value >> 8), (unsigned char)value};

    memcpy(bytes + length, entry, sizeof(entry));
    length += sizeof(entry);
}

/* What is said of a frame of these bytes, whatever follows it. */
static apr_uint32_t said(void)
{
    apr_uint32_t size, at, error = 0, first = 0;

    memset(bytes + length, 0xff, sizeof(bytes) - length);
    for (size = 1; size <= length + 7; ++size) {
        h2_settings_scan scan = {0};

        h2_settings_scan_begin(&scan, length);
        error = 0;
        for (at = 0; at < length + 7 && !error; at += size) {
            error = h2_settings_scan_next(&scan, bytes + at, size);
        }
        if (size == 1) {
            first = error;
        }
        assert_int_equal(error, first);
    }
    return error;
}

static void a_later_value_does_not_help(void **state)
{
    (void)state;
    append(NGHTTP2_SETTINGS_ENABLE_PUSH, 2);
    append(NGHTTP2_SETTINGS_ENABLE_PUSH, 1);
    assert_int_equal(said(), NGHTTP2_PROTOCOL_ERROR);
}

static void each_setting_has_its_range(void **state)
{
    static const struct {
        unsigned id;
        apr_uint32_t good, bad, error;
    } cases[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 1, 2, NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0x7fffffff, 0x80000000u,
         NGHTTP2_FLOW_CONTROL_ERROR},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 16384, 16383, NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, 16777215, 16777216, NGHTTP2_PROTOCOL_ERROR},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 0, 0xffffffffu, NGHTTP2_PROTOCOL_ERROR},
        {9, 1, 7, NGHTTP2_PROTOCOL_ERROR},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
        length = 0;
        append(cases[i].id, cases[i].good);
        assert_int_equal(said(), 0);
        append(cases[i].id, cases[i].bad);
        assert_int_equal(said(), cases[i].error);
    }
}

static void others_may_be_anything(void **state)
{
    (void)state;
    append(NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0xffffffffu);
    append(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0);
    append(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, 0xffffffffu);
    append(0, 99);
    append(0xffff, 0xffffffffu);
    append(0x0200, 2); /* not ENABLE_PUSH */
    assert_int_equal(said(), 0);
}

static void nothing_is_looked_at_without_a_frame(void **state)
{
    h2_settings_scan scan = {0};

    (void)state;
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(h2_settings_scan_next(&scan, bytes, sizeof(bytes)), 0);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_later_value_does_not_help),
        TEST(each_setting_has_its_range),
        TEST(others_may_be_anything),
        TEST(nothing_is_looked_at_without_a_frame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* message/h2_framing.c: where the bytes of a connection are in their frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "message/h2_framing.h"

/* SETTINGS with one entry, an empty frame of type 8, one of 300 bytes. */
#define FIRST "\0\0\6\4\0\0\0\0\0abcdef"
#define SECOND "\0\0\0\10\0\0\0\0\1"
#define THIRD "\0\1\54\0\1\0\0\0\3"

#define FIRST_END (sizeof(FIRST) - 1)
#define SECOND_END (FIRST_END + sizeof(SECOND) - 1)
#define ALL_BYTES (SECOND_END + sizeof(THIRD) - 1 + 300)

static char bytes[ALL_BYTES];
static h2_framing framing;

static int setup(void **state)
{
    (void)state;
    memset(&framing, 0, sizeof(framing));
    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes, FIRST, FIRST_END);
    memcpy(bytes + FIRST_END, SECOND, SECOND_END - FIRST_END);
    memcpy(bytes + SECOND_END, THIRD, sizeof(THIRD) - 1);
    return 0;
}

static int is_edge(size_t offset)
{
    return offset == FIRST_END || offset == SECOND_END || offset == ALL_BYTES;
}

static void the_edges_are_found_for_bytes_in_pieces_of_any_size(void **state)
{
    size_t size, offset, length;

    (void)state;
    for (size = 1; size <= ALL_BYTES; ++size) {
        memset(&framing, 0, sizeof(framing));
        assert_false(h2_framing_is_between(&framing));
        for (offset = 0; offset < ALL_BYTES; offset += length) {
            length = (size < ALL_BYTES - offset) ? size : ALL_BYTES - offset;
            h2_framing_follow(&framing, bytes + offset, length);
            assert_int_equal(h2_framing_is_between(&framing), is_edge(offset + length));
        }
        assert_true(framing.is_http2);
        assert_false(framing.is_other);
    }
}

static void assert_other(const char *data, size_t length)
{
    memset(&framing, 0, sizeof(framing));
    h2_framing_follow(&framing, data, length);
    h2_framing_follow(&framing, bytes, ALL_BYTES);
    assert_true(framing.is_other);
    assert_false(h2_framing_is_between(&framing));
}

static void what_does_not_begin_with_settings_is_something_else(void **state)
{
    (void)state;
    assert_other("HTTP/1.1 200 OK\r\n\r\n", 19);
    assert_other(SECOND, 9);
    assert_other("\0\0\0\4\1\0\0\0\0", 9); /* an ACK */
    assert_other("\0\0\0\4\0\0\0\0\1", 9); /* of a stream */
}

static int is_between_after(const char *header)
{
    memset(&framing, 0, sizeof(framing));
    h2_framing_follow(&framing, FIRST, FIRST_END);
    h2_framing_follow(&framing, header, H2_FRAME_HEADER_BYTES);
    return h2_framing_is_between(&framing);
}

static void within_a_field_block_no_other_frame_may_stand(void **state)
{
    (void)state;
    assert_false(is_between_after("\0\0\0\1\1\0\0\0\3")); /* HEADERS, END_STREAM only */
    assert_false(is_between_after("\0\0\0\5\0\0\0\0\3")); /* PUSH_PROMISE */
    h2_framing_follow(&framing, "\0\0\0\11\0\0\0\0\3", H2_FRAME_HEADER_BYTES);
    assert_false(h2_framing_is_between(&framing));
    h2_framing_follow(&framing, "\0\0\0\11\4\0\0\0\3", H2_FRAME_HEADER_BYTES);
    assert_true(h2_framing_is_between(&framing));
    assert_true(is_between_after("\0\0\0\1\4\0\0\0\3")); /* END_HEADERS */
    assert_true(is_between_after("\0\0\0\0\1\0\0\0\3")); /* DATA */
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_edges_are_found_for_bytes_in_pieces_of_any_size),
        TEST(within_a_field_block_no_other_frame_may_stand),
        TEST(what_does_not_begin_with_settings_is_something_else),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

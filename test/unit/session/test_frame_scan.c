/* session/h2_frame_scan.c: what a client says of dependencies, whatever the pieces it comes in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <nghttp2/nghttp2.h>

#include "session/h2_frame_scan.h"

#define FOUND_MAX 16

/* What a scan has found, and after how many bytes. */
typedef struct found {
    int id, is_headers, parent_id, weight, is_exclusive;
    apr_size_t end;
} found;

static unsigned char bytes[65536];
static apr_size_t length;
static found all[FOUND_MAX];
static int count;

/* The ids of the frames that are to be judged. */
#define HEADS_MAX 64
static int heads[HEADS_MAX];
static int head_count;

/* HEADERS frames and their payload: that are to be judged, and that are usual. */
static apr_uint32_t judged_count, judged_bytes, usual_count, usual_bytes;

static int setup(void **state)
{
    (void)state;
    memcpy(bytes, NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN);
    length = NGHTTP2_CLIENT_MAGIC_LEN;
    return 0;
}

static void append(const void *data, apr_size_t size)
{
    memcpy(bytes + length, data, size);
    length += size;
}

static void append_head(apr_size_t payload, int type, int flags, int id)
{
    unsigned char head[9] = {(unsigned char)(payload >> 16), (unsigned char)(payload >> 8),
                             (unsigned char)payload, (unsigned char)type, (unsigned char)flags,
                             (unsigned char)(id >> 24), (unsigned char)(id >> 16),
                             (unsigned char)(id >> 8), (unsigned char)id};

    append(head, sizeof(head));
}

static void append_zeros(apr_size_t size)
{
    memset(bytes + length, 0, size);
    length += size;
}

static void append_dependency(unsigned parent, int weight)
{
    unsigned char payload[5] = {(unsigned char)(parent >> 24), (unsigned char)(parent >> 16),
                                (unsigned char)(parent >> 8), (unsigned char)parent,
                                (unsigned char)(weight - 1)};

    append(payload, sizeof(payload));
}

static void priority_frame(int id, unsigned parent, int weight)
{
    append_head(5, NGHTTP2_PRIORITY, 0, id);
    append_dependency(parent, weight);
}

/* A frame that is to be judged; is its head all there is of it? */
static void note_head(const h2_frame_scan *scan, apr_size_t at)
{
    assert_int_equal(h2_frame_scan_head_bytes(scan, H2_SCAN_HEAD), 9);
    assert_memory_equal(scan->seen, bytes + at - 9, 9);
    assert_true(head_count < HEADS_MAX);
    heads[head_count++] = scan->stream_id;
    if (scan->type == NGHTTP2_HEADERS) {
        ++judged_count;
        judged_bytes += scan->length;
    }
}

/* Everything, in pieces of so many bytes. */
static void scan_in_pieces(apr_size_t size)
{
    h2_frame_scan scan;
    apr_size_t at = 0;

    h2_frame_scan_init(&scan);
    count = 0;
    head_count = 0;
    judged_count = 0;
    judged_bytes = 0;
    while (at < length) {
        apr_size_t piece = (length - at < size) ? length - at : size;
        h2_scan_found what;
        apr_size_t used = h2_frame_scan_next(&scan, bytes + at, piece, &what);

        assert_true(used > 0 && used <= piece);
        at += used;
        if (what == H2_SCAN_NOTHING) {
            assert_int_equal(used, piece);
        }
        else if (what == H2_SCAN_HEAD) {
            note_head(&scan, at);
        }
        else {
            assert_true(count < FOUND_MAX);
            all[count++] = (found){scan.stream_id, scan.type == NGHTTP2_HEADERS,
                                   scan.dependency.parent_id, scan.dependency.weight,
                                   scan.dependency.is_exclusive, at};
        }
    }
    usual_count = scan.usual_count;
    usual_bytes = scan.usual_bytes;
}

static void assert_found(int n, int id, int parent_id, int weight, int is_exclusive)
{
    assert_int_equal(all[n].id, id);
    assert_int_equal(all[n].parent_id, parent_id);
    assert_int_equal(all[n].weight, weight);
    assert_int_equal(all[n].is_exclusive, is_exclusive);
}

static void a_frame_is_found_whatever_the_pieces(void **state)
{
    apr_size_t size, first_end, second_end;

    (void)state;
    append_head(12, NGHTTP2_SETTINGS, 0, 0);
    append_zeros(12);
    priority_frame(3, 0x80000001u, 256);
    first_end = length;
    append_head(300, NGHTTP2_DATA, NGHTTP2_FLAG_PRIORITY, 3); /* means nothing there */
    append_zeros(300);
    append_head(26, NGHTTP2_HEADERS, NGHTTP2_FLAG_PRIORITY | NGHTTP2_FLAG_PADDED, 0x7fffffff);
    append_zeros(1);
    append_dependency(0x7ffffffeu, 1);
    second_end = length;
    append_zeros(20);
    append_head(0, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0);
    for (size = 1; size <= length; ++size) {
        scan_in_pieces(size);
        assert_int_equal(count, 2);
        assert_found(0, 3, 1, 256, 1);
        assert_false(all[0].is_headers);
        assert_int_equal(all[0].end, first_end);
        assert_found(1, 0x7fffffff, 0x7ffffffe, 1, 0);
        assert_true(all[1].is_headers);
        assert_int_equal(all[1].end, second_end);
    }
}

static void many_in_one_piece_are_found_one_by_one(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 10; ++i) {
        priority_frame(2 * i + 1, (unsigned)i, i + 1);
    }
    scan_in_pieces(length);
    assert_int_equal(count, 10);
    for (i = 0; i < 10; ++i) {
        assert_found(i, 2 * i + 1, i, i + 1, 0);
    }
}

static void headers_without_the_flag_say_nothing(void **state)
{
    (void)state;
    append_head(50, NGHTTP2_HEADERS, NGHTTP2_FLAG_PADDED | NGHTTP2_FLAG_END_HEADERS, 1);
    append_zeros(50);
    append_head(50, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_PRIORITY, 1);
    append_zeros(50);
    scan_in_pieces(length);
    assert_int_equal(count, 0);
}

static void frames_that_are_too_short_are_passed_over(void **state)
{
    (void)state;
    append_head(4, NGHTTP2_PRIORITY, 0, 1);
    append_zeros(4);
    append_head(4, NGHTTP2_HEADERS, NGHTTP2_FLAG_PRIORITY, 1);
    append_zeros(4);
    append_head(5, NGHTTP2_HEADERS, NGHTTP2_FLAG_PRIORITY | NGHTTP2_FLAG_PADDED, 1);
    append_zeros(5);
    append_head(0, NGHTTP2_PRIORITY, 0, 1);
    priority_frame(5, 3, 9);
    scan_in_pieces(7);
    assert_int_equal(count, 1);
    assert_found(0, 5, 3, 9, 0);
}

static void what_follows_in_a_longer_frame_is_passed_over(void **state)
{
    (void)state;
    append_head(1000, NGHTTP2_PRIORITY, 0, 1); /* nghttp2 ends the connection */
    append_dependency(3, 7);
    append_zeros(995);
    priority_frame(5, 3, 9);
    scan_in_pieces(length);
    assert_int_equal(count, 2);
    assert_found(1, 5, 3, 9, 0);
}

static void the_largest_frame_is_passed_over(void **state)
{
    h2_frame_scan scan;
    h2_scan_found what;
    unsigned char head[9] = {0xff, 0xff, 0xff, NGHTTP2_DATA, 0, 0, 0, 0, 1};
    apr_size_t left = 0xffffff;

    (void)state;
    h2_frame_scan_init(&scan);
    assert_int_equal(h2_frame_scan_next(&scan, bytes, length, &what), length);
    assert_int_equal(h2_frame_scan_next(&scan, head, sizeof(head), &what), sizeof(head));
    assert_int_equal(what, H2_SCAN_HEAD);
    while (left) {
        apr_size_t piece = (left < sizeof(bytes)) ? left : sizeof(bytes);

        assert_false(h2_frame_scan_within(&scan)); /* a body has limits of its own */
        assert_int_equal(h2_frame_scan_next(&scan, bytes, piece, &what), piece);
        assert_int_equal(what, H2_SCAN_NOTHING);
        left -= piece;
    }
    length = 0;
    priority_frame(1, 0, 16);
    assert_int_equal(h2_frame_scan_next(&scan, bytes, length, &what), 9);
    assert_int_equal(what, H2_SCAN_HEAD);
    assert_int_equal(h2_frame_scan_next(&scan, bytes + 9, length - 9, &what), length - 9);
    assert_int_equal(what, H2_SCAN_DEPENDENCY);
    assert_int_equal(scan.stream_id, 1);
}

/* The usual requests cost nothing; whatever else there is has to be looked at. */
static void all_but_the_next_request_in_one_frame_is_judged(void **state)
{
    apr_size_t size;

    (void)state;
    append_head(4, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1);
    append_zeros(4);
    append_head(4, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 3);
    append_zeros(4);
    append_head(0, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1);
    append_head(4, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 3); /* trailers, or an error */
    append_zeros(4);
    append_head(4, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 7); /* 5 is left out */
    append_zeros(4);
    append_head(4, NGHTTP2_HEADERS, 0, 9);
    append_zeros(4);
    append_head(0, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 9);
    append_head(0, 0x99, 0, 11);
    for (size = 20; size <= length; ++size) {
        scan_in_pieces(length);
        assert_int_equal(head_count, 6);
        assert_int_equal(heads[0], 1);
        assert_int_equal(heads[1], 3);
        assert_int_equal(heads[2], 7);
        assert_int_equal(heads[3], 9);
        assert_int_equal(heads[4], 9);
        assert_int_equal(heads[5], 11);
    }
}

/* Whether a request is usual depends on where the pieces end. */
static void each_request_is_judged_or_counted_as_usual(void **state)
{
    apr_size_t size;

    (void)state;
    append_head(4, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1);
    append_zeros(4);
    append_head(50, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM, 3);
    append_zeros(50);
    append_head(3, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1);
    append_zeros(3);
    append_head(0, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 5);
    append_head(10, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 9); /* 7 is left out */
    append_zeros(10);
    for (size = 1; size <= length; ++size) {
        scan_in_pieces(size);
        assert_int_equal(judged_count + usual_count, 4);
        assert_int_equal(judged_bytes + usual_bytes, 64);
    }
    assert_int_equal(usual_count, 3);
    assert_int_equal(usual_bytes, 54);
}

static void what_has_begun_is_known(void **state)
{
    h2_frame_scan scan;
    h2_scan_found what;

    (void)state;
    h2_frame_scan_init(&scan);
    assert_false(h2_frame_scan_within(&scan)); /* silence */
    h2_frame_scan_next(&scan, bytes, 5, &what);
    assert_true(h2_frame_scan_within(&scan)); /* a part of the preface */
    h2_frame_scan_next(&scan, bytes + 5, length - 5, &what);
    assert_false(h2_frame_scan_within(&scan));
    length = 0;
    append_head(1, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1);
    append_zeros(1);
    append_head(2, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1);
    append_zeros(2);
    h2_frame_scan_next(&scan, bytes, 4, &what);
    assert_true(h2_frame_scan_within(&scan));
    assert_int_equal(h2_frame_scan_head_bytes(&scan, what), 4);
    h2_frame_scan_next(&scan, bytes + 4, 5, &what);
    h2_frame_scan_next(&scan, bytes + 9, 1, &what);
    assert_true(h2_frame_scan_within(&scan)); /* the field block goes on */
    assert_int_equal(scan.block_count, 1);
    h2_frame_scan_next(&scan, bytes + 10, 9, &what);
    assert_true(h2_frame_scan_within(&scan));
    h2_frame_scan_next(&scan, bytes + 19, 2, &what);
    assert_false(h2_frame_scan_within(&scan));
    assert_int_equal(scan.block_count, 1);
}

static void a_block_has_one_number_from_the_first_byte_of_its_head_on(void **state)
{
    h2_frame_scan scan;
    h2_scan_found what;
    apr_size_t at;
    unsigned first, second;

    (void)state;
    h2_frame_scan_init(&scan);
    h2_frame_scan_next(&scan, bytes, length, &what);
    length = 0;
    append_head(1, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1);
    append_zeros(1);
    append_head(0, NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1);
    append_head(8, NGHTTP2_PING, 0, 0);
    append_zeros(8);
    h2_frame_scan_next(&scan, bytes, 1, &what);
    first = h2_frame_scan_within(&scan);
    for (at = 1; at < 9 + 1 + 8; ++at) {
        assert_int_equal(h2_frame_scan_within(&scan), first);
        h2_frame_scan_next(&scan, bytes + at, 1, &what);
    }
    h2_frame_scan_next(&scan, bytes + at++, 1, &what);
    assert_int_equal(h2_frame_scan_within(&scan), 0);
    h2_frame_scan_next(&scan, bytes + at++, 1, &what);
    second = h2_frame_scan_within(&scan);
    assert_int_not_equal(second, first);
    while (at < length) {
        assert_int_equal(h2_frame_scan_within(&scan), second);
        h2_frame_scan_next(&scan, bytes + at++, 1, &what);
    }
    assert_int_equal(h2_frame_scan_within(&scan), 0);
}

static void the_reserved_bit_of_an_id_does_not_count(void **state)
{
    (void)state;
    append_head(5, NGHTTP2_PRIORITY, 0, (int)0x80000007u);
    append_dependency(5, 2);
    scan_in_pieces(length);
    assert_int_equal(count, 1);
    assert_found(0, 7, 5, 2, 0);
}

/* Under the sanitizer, as a sum beyond it would be seen there alone. */
static void no_stream_follows_the_highest_id(void **state)
{
    h2_frame_scan scan;
    h2_scan_found what;

    (void)state;
    append_head(0, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 0x7fffffff);
    append_head(0, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1);
    append_zeros(1);
    h2_frame_scan_init(&scan);
    assert_int_equal(h2_frame_scan_next(&scan, bytes, length, &what), length - 10);
    assert_int_equal(what, H2_SCAN_HEAD);
    assert_int_equal(scan.opened_id, 0x7fffffff);
    assert_int_equal(h2_frame_scan_next(&scan, bytes + length - 10, 10, &what), 9);
    assert_int_equal(what, H2_SCAN_HEAD);
    assert_false(scan.is_opening);
    assert_int_equal(scan.opened_id, 0x7fffffff);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_frame_is_found_whatever_the_pieces),
        TEST(many_in_one_piece_are_found_one_by_one),
        TEST(headers_without_the_flag_say_nothing),
        TEST(frames_that_are_too_short_are_passed_over),
        TEST(what_follows_in_a_longer_frame_is_passed_over),
        TEST(the_largest_frame_is_passed_over),
        TEST(all_but_the_next_request_in_one_frame_is_judged),
        TEST(each_request_is_judged_or_counted_as_usual),
        TEST(what_has_begun_is_known),
        TEST(a_block_has_one_number_from_the_first_byte_of_its_head_on),
        TEST(no_stream_follows_the_highest_id),
        TEST(the_reserved_bit_of_an_id_does_not_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What finds frames in a stream of bytes: message/h2_framing (where they begin and end) and
 * session/h2_frame_scan (what they say of dependencies). Both must see the same however the bytes are
 * cut, and what a plain reading of all of them says.
 *
 * Input: how they are cut, and the bytes. The scan's begin with a preface of any content.
 */
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "fuzz.h"
#include "message/h2_framing.h"
#include "session/h2_frame_scan.h"

#define FOUND_MAX 64

typedef struct found_place {
    size_t at; /* the octet behind it */
    int stream_id;
    unsigned is_headers;
    h2_dependency dependency;
} found_place;

typedef struct found_list {
    found_place all[FOUND_MAX];
    int count;
} found_list;

static unsigned number_at(const unsigned char *data)
{
    return (unsigned)data[0] << 24 | (unsigned)data[1] << 16 | (unsigned)data[2] << 8 | data[3];
}

/* piece: how many octets at a time; 0: all. */
static void scan(const unsigned char *data, size_t size, size_t piece, found_list *list)
{
    h2_frame_scan scan;
    size_t at = 0;

    memset(list, 0, sizeof(*list));
    h2_frame_scan_init(&scan);
    while (at < size) {
        size_t length = (piece && piece < size - at) ? piece : size - at, used;
        unsigned char *copy = (unsigned char *)fuzz_copy(data + at, length);

        used = h2_frame_scan_next(&scan, copy, length);
        free(copy);
        FUZZ_CHECK(used > 0 && used <= length && (used == length || scan.stream_id));
        at += used;
        if (scan.stream_id && list->count < FOUND_MAX) {
            found_place *place = &list->all[list->count++];

            place->at = at;
            place->stream_id = scan.stream_id;
            place->is_headers = scan.is_headers;
            place->dependency.parent_id = scan.dependency.parent_id;
            place->dependency.weight = scan.dependency.weight;
            place->dependency.is_exclusive = scan.dependency.is_exclusive;
        }
    }
}

static void read_plainly(const unsigned char *data, size_t size, found_list *list)
{
    size_t at = NGHTTP2_CLIENT_MAGIC_LEN;

    memset(list, 0, sizeof(*list));
    while (at + 9 <= size && list->count < FOUND_MAX) {
        const unsigned char *head = data + at;
        size_t payload = number_at(head) >> 8, place = 9, wanted;
        int is_headers = head[3] == NGHTTP2_HEADERS && (head[4] & NGHTTP2_FLAG_PRIORITY);
        int id = (int)(number_at(head + 5) & 0x7fffffff);

        place += is_headers && (head[4] & NGHTTP2_FLAG_PADDED);
        wanted = place + 5;
        if ((is_headers || head[3] == NGHTTP2_PRIORITY) && wanted <= 9 + payload
            && at + wanted <= size && id) {
            found_place *found = &list->all[list->count++];
            unsigned parent = number_at(head + place);

            found->at = at + wanted;
            found->stream_id = id;
            found->is_headers = (unsigned)is_headers;
            found->dependency.parent_id = (int)(parent & 0x7fffffff);
            found->dependency.is_exclusive = parent >> 31;
            found->dependency.weight = head[place + 4] + 1;
        }
        at += 9 + payload;
    }
}

static int is_same(const found_list *a, const found_list *b)
{
    int i;

    for (i = 0; i < a->count && i < b->count; ++i) {
        const found_place *one = &a->all[i], *other = &b->all[i];

        if (one->at != other->at || one->stream_id != other->stream_id
            || one->is_headers != other->is_headers
            || one->dependency.parent_id != other->dependency.parent_id
            || one->dependency.weight != other->dependency.weight
            || one->dependency.is_exclusive != other->dependency.is_exclusive) {
            return 0;
        }
    }
    return a->count == b->count;
}

static void check_framing(const unsigned char *data, size_t size, size_t piece)
{
    h2_framing whole, cut;
    size_t at, length;

    memset(&whole, 0, sizeof(whole));
    memset(&cut, 0, sizeof(cut));
    h2_framing_follow(&whole, (const char *)data, size);
    for (at = 0; at < size; at += length) {
        length = (piece && piece < size - at) ? piece : size - at;
        h2_framing_follow(&cut, (const char *)data + at, length);
        FUZZ_CHECK(!h2_framing_is_between(&cut) || (!cut.header_bytes && !cut.payload_left));
    }
    FUZZ_CHECK(whole.is_other == cut.is_other && whole.is_http2 == cut.is_http2);
    FUZZ_CHECK(h2_framing_is_between(&whole) == h2_framing_is_between(&cut));
    FUZZ_CHECK(whole.is_other || whole.payload_left == cut.payload_left);
}

void fuzz_run(apr_pool_t *pool, const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    size_t piece = fuzz_byte(&input);
    found_list whole, cut, single, plain;

    (void)pool;
    scan(input.at, input.left, 0, &whole);
    scan(input.at, input.left, piece, &cut);
    scan(input.at, input.left, 1, &single);
    read_plainly(input.at, input.left, &plain);
    FUZZ_CHECK(is_same(&whole, &plain));
    FUZZ_CHECK(is_same(&whole, &cut));
    FUZZ_CHECK(is_same(&whole, &single));
    check_framing(input.at, input.left, piece);
}

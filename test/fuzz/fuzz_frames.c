/*
 * What finds frames in a stream of bytes: session/h2_frame_scan (heads, and dependencies),
 * session/h2_settings_scan (wrong values), message/h2_framing (where frames begin and end). Each
 * must see the same however the bytes are cut, and what a plain reading of all of them says.
 *
 * Input: how they are cut, and the bytes. The scan's begin with a preface of any content.
 */
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "fuzz.h"
#include "message/h2_framing.h"
#include "session/h2_frame_scan.h"
#include "session/h2_settings_scan.h"

#define FOUND_MAX 128
#define NOT_OPENED (-1)

typedef struct found_thing {
    h2_scan_found what;
    size_t at; /* the octet behind it */
    unsigned type, flags, length;
    int id, is_opening, opened_before;
    int is_usual; /* a head that may be passed over */
    h2_dependency dependency;
} found_thing;

typedef struct found_list {
    found_thing all[FOUND_MAX];
    int count;
    int is_within, opened_id;
    unsigned block_count;
} found_list;

static unsigned number_at(const unsigned char *data)
{
    return (unsigned)data[0] << 24 | (unsigned)data[1] << 16 | (unsigned)data[2] << 8 | data[3];
}

static void note(found_list *list, const h2_frame_scan *scan, h2_scan_found what, size_t at)
{
    found_thing *thing;

    if (list->count == FOUND_MAX) {
        return;
    }
    thing = &list->all[list->count++];
    thing->what = what;
    thing->at = at;
    thing->type = scan->type;
    thing->flags = scan->flags;
    thing->length = scan->length;
    thing->id = scan->stream_id;
    thing->is_opening = scan->is_opening;
    thing->opened_before = scan->opened_before;
    thing->dependency.parent_id = scan->dependency.parent_id;
    thing->dependency.weight = scan->dependency.weight;
    thing->dependency.is_exclusive = scan->dependency.is_exclusive;
}

/* piece: how many octets at a time; 0: all. */
static void scan_all(const unsigned char *data, size_t size, size_t piece, found_list *list)
{
    h2_frame_scan scan;
    size_t at = 0;

    memset(list, 0, sizeof(*list));
    h2_frame_scan_init(&scan);
    FUZZ_CHECK(!h2_frame_scan_within(&scan));
    while (at < size) {
        size_t length = (piece && piece < size - at) ? piece : size - at, used;
        unsigned char *copy = (unsigned char *)fuzz_copy(data + at, length);
        h2_scan_found found;

        used = h2_frame_scan_next(&scan, copy, length, &found);
        free(copy);
        FUZZ_CHECK(used > 0 && used <= length);
        FUZZ_CHECK(used == length || found != H2_SCAN_NOTHING);
        FUZZ_CHECK(h2_frame_scan_head_bytes(&scan, found) <= 9);
        at += used;
        if (found != H2_SCAN_NOTHING) {
            note(list, &scan, found, at);
        }
    }
    list->is_within = h2_frame_scan_within(&scan);
    list->opened_id = scan.opened_id;
    list->block_count = scan.block_count;
}

/* The next frame of the plain reading; its payload may not be complete. */
static void read_frame(const unsigned char *frame, size_t left, size_t at, int *popened,
                       found_list *list)
{
    size_t payload = number_at(frame) >> 8, place = 9;
    found_thing thing = {.what = H2_SCAN_HEAD, .at = at + 9};
    int has_place;

    thing.type = frame[3];
    thing.flags = frame[4];
    thing.length = (unsigned)payload;
    thing.id = (int)(number_at(frame + 5) & 0x7fffffff);
    thing.opened_before = *popened;
    thing.is_opening = thing.type == NGHTTP2_HEADERS && thing.id % 2 && thing.id > *popened;
    has_place = thing.type == NGHTTP2_HEADERS && (thing.flags & NGHTTP2_FLAG_PRIORITY);
    thing.is_usual = thing.type == NGHTTP2_HEADERS && !has_place
                     && (thing.flags & NGHTTP2_FLAG_END_HEADERS)
                     && (apr_int64_t)thing.id == (apr_int64_t)*popened + 2;
    if (thing.is_opening) {
        *popened = thing.id;
    }
    list->block_count += (thing.type != NGHTTP2_CONTINUATION);
    if (list->count < FOUND_MAX) {
        list->all[list->count++] = thing;
    }
    place += has_place && (thing.flags & NGHTTP2_FLAG_PADDED);
    if ((has_place || thing.type == NGHTTP2_PRIORITY) && place + 5 <= 9 + payload
        && place + 5 <= left && list->count < FOUND_MAX) {
        unsigned parent = number_at(frame + place);

        thing.what = H2_SCAN_DEPENDENCY;
        thing.at = at + place + 5;
        thing.dependency.parent_id = (int)(parent & 0x7fffffff);
        thing.dependency.is_exclusive = parent >> 31;
        thing.dependency.weight = frame[place + 4] + 1;
        list->all[list->count++] = thing;
    }
}

static void read_plainly(const unsigned char *data, size_t size, found_list *list)
{
    size_t at = NGHTTP2_CLIENT_MAGIC_LEN;
    int opened = NOT_OPENED;

    memset(list, 0, sizeof(*list));
    while (at + 9 <= size) {
        read_frame(data + at, size - at, at, &opened, list);
        at += 9 + (number_at(data + at) >> 8);
    }
    list->opened_id = opened;
}

static int is_same(const found_thing *one, const found_thing *other)
{
    return one->what == other->what && one->at == other->at && one->type == other->type
           && one->flags == other->flags && one->length == other->length && one->id == other->id
           && one->is_opening == other->is_opening && one->opened_before == other->opened_before
           && (one->what == H2_SCAN_HEAD
               || (one->dependency.parent_id == other->dependency.parent_id
                   && one->dependency.weight == other->dependency.weight
                   && one->dependency.is_exclusive == other->dependency.is_exclusive));
}

/* Whatever is there was found, but for usual heads, which may have been passed over. */
static void check_found(const found_list *found, const found_list *plain)
{
    int i = 0, j;

    for (j = 0; j < plain->count; ++j) {
        if (i < found->count && is_same(&found->all[i], &plain->all[j])) {
            ++i;
        }
        else if (i < FOUND_MAX) {
            FUZZ_CHECK(plain->all[j].is_usual || found->count == FOUND_MAX);
        }
    }
    FUZZ_CHECK(i == found->count || plain->count == FOUND_MAX);
    FUZZ_CHECK(found->opened_id == plain->opened_id);
    FUZZ_CHECK(found->block_count == plain->block_count);
}

static void check_scan(const unsigned char *data, size_t size, size_t piece)
{
    found_list whole, cut, single, plain;

    scan_all(data, size, 0, &whole);
    scan_all(data, size, piece, &cut);
    scan_all(data, size, 1, &single);
    read_plainly(data, size, &plain);
    check_found(&whole, &plain);
    check_found(&cut, &plain);
    check_found(&single, &plain);
    FUZZ_CHECK(whole.is_within == cut.is_within && whole.is_within == single.is_within);
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

/* As the payload of a SETTINGS frame: the first error counts. */
static apr_uint32_t scan_settings(const unsigned char *data, size_t size, size_t payload,
                                  size_t piece)
{
    h2_settings_scan scan;
    apr_uint32_t error = 0;
    size_t at, length;

    memset(&scan, 0, sizeof(scan));
    h2_settings_scan_begin(&scan, (apr_uint32_t)payload);
    for (at = 0; at < size && !error; at += length) {
        char *copy;

        length = (piece && piece < size - at) ? piece : size - at;
        copy = fuzz_copy(data + at, length);
        error = h2_settings_scan_next(&scan, (unsigned char *)copy, length);
        free(copy);
    }
    FUZZ_CHECK(error || scan.left_bytes == (size < payload ? payload - size : 0));
    return error;
}

static void check_settings(const unsigned char *data, size_t size, size_t piece)
{
    size_t payload = size ? data[0] : 0;
    apr_uint32_t error = scan_settings(data, size, payload, 0);

    FUZZ_CHECK(error == 0 || error == NGHTTP2_PROTOCOL_ERROR
               || error == NGHTTP2_FLOW_CONTROL_ERROR);
    FUZZ_CHECK(error == scan_settings(data, size, payload, piece));
    FUZZ_CHECK(error == scan_settings(data, size, payload, 1));
}

void fuzz_run(apr_pool_t *pool, const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    size_t piece = fuzz_byte(&input);

    (void)pool;
    check_scan(input.at, input.left, piece);
    check_framing(input.at, input.left, piece);
    check_settings(input.at, input.left, piece);
}

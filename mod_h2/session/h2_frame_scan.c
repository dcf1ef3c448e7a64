#include "session/h2_frame_scan.h"

#include <string.h>

#include <nghttp2/nghttp2.h>

void h2_frame_scan_init(h2_frame_scan *scan)
{
    memset(scan, 0, sizeof(*scan));
    scan->skip_bytes = NGHTTP2_CLIENT_MAGIC_LEN;
    scan->type = NGHTTP2_SETTINGS; /* the preface is to be completed like a frame */
    scan->opened_id = -1;
    h2_dependency_init(&scan->dependency);
}

static apr_uint32_t payload_bytes(const unsigned char *head)
{
    return (apr_uint32_t)head[0] << 16 | (apr_uint32_t)head[1] << 8 | head[2];
}

/* Without the bit that stands before it. */
static int stream_id_at(const unsigned char *bytes)
{
    return (int)((apr_uint32_t)(bytes[0] & 0x7f) << 24 | (apr_uint32_t)bytes[1] << 16
                 | (apr_uint32_t)bytes[2] << 8 | bytes[3]);
}

/* Of the payload, those that have to be looked at; 0: none. */
static apr_uint32_t wanted_of_payload(const unsigned char *head)
{
    apr_uint32_t wanted = 0;

    if (head[3] == NGHTTP2_PRIORITY) {
        wanted = H2_DEPENDENCY_BYTES;
    }
    else if (head[3] == NGHTTP2_HEADERS && (head[4] & NGHTTP2_FLAG_PRIORITY)) {
        wanted = H2_DEPENDENCY_BYTES + ((head[4] & NGHTTP2_FLAG_PADDED) ? 1 : 0);
    }
    return (wanted <= payload_bytes(head)) ? wanted : 0;
}

/* A whole field block for the next stream, without anything that has to be looked at? */
static int is_usual(const h2_frame_scan *scan, const unsigned char *head)
{
    return head[3] == NGHTTP2_HEADERS
           && (head[4] & (NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_PRIORITY))
                  == NGHTTP2_FLAG_END_HEADERS
           && stream_id_at(head + 5) - 2 == scan->opened_id; /* which may be the highest there is */
}

/* Of such a one, what is of use. */
static void pass_usual(h2_frame_scan *scan, const unsigned char *head)
{
    scan->skip_bytes = H2_FRAME_HEADER_BYTES + payload_bytes(head);
    scan->type = NGHTTP2_HEADERS;
    scan->flags = head[4];
    scan->opened_id += 2;
    scan->stream_id = scan->opened_id;
    ++scan->block_count;
    ++scan->usual_count;
    scan->usual_bytes += payload_bytes(head);
}

static void note_head(h2_frame_scan *scan, const unsigned char *head)
{
    scan->length = payload_bytes(head);
    scan->type = head[3];
    scan->flags = head[4];
    scan->stream_id = stream_id_at(head + 5);
    scan->block_count += (scan->type != NGHTTP2_CONTINUATION);
    scan->opened_before = scan->opened_id;
    scan->is_opening = scan->type == NGHTTP2_HEADERS && scan->stream_id % 2
                       && scan->stream_id > scan->opened_id;
    if (scan->is_opening) {
        scan->opened_id = scan->stream_id;
    }
}

/* The payload's first bytes were wanted, and are there. */
static void note_dependency(h2_frame_scan *scan)
{
    const unsigned char *bytes = scan->seen + scan->wanted_count - H2_DEPENDENCY_BYTES;

    scan->dependency.is_exclusive = (bytes[0] & 0x80) != 0;
    scan->dependency.parent_id = stream_id_at(bytes);
    scan->dependency.weight = bytes[4] + 1;
}

/* Another byte of what a frame begins with. */
static h2_scan_found take(h2_frame_scan *scan, unsigned char byte)
{
    h2_scan_found found = H2_SCAN_NOTHING;

    scan->seen[scan->seen_count++] = byte;
    if (scan->seen_count == H2_FRAME_HEADER_BYTES) {
        scan->wanted_count = (unsigned char)(H2_FRAME_HEADER_BYTES + wanted_of_payload(scan->seen));
        note_head(scan, scan->seen);
        found = H2_SCAN_HEAD;
    }
    else if (scan->seen_count == scan->wanted_count) {
        note_dependency(scan);
        found = H2_SCAN_DEPENDENCY;
    }
    if (scan->seen_count == scan->wanted_count) {
        scan->skip_bytes = H2_FRAME_HEADER_BYTES + scan->length - scan->seen_count;
        scan->seen_count = 0;
        scan->wanted_count = 0;
    }
    return found;
}

apr_size_t h2_frame_scan_next(h2_frame_scan *scan, const unsigned char *data, apr_size_t length,
                              h2_scan_found *pfound)
{
    apr_size_t at = 0;

    scan->is_begun |= (length > 0);
    *pfound = H2_SCAN_NOTHING;
    for (;;) {
        if (scan->skip_bytes >= length - at) {
            scan->skip_bytes -= (apr_uint32_t)(length - at);
            return length;
        }
        at += scan->skip_bytes;
        scan->skip_bytes = 0;
        if (!scan->seen_count && length - at >= H2_FRAME_HEADER_BYTES
            && is_usual(scan, data + at)) {
            pass_usual(scan, data + at);
            continue;
        }
        *pfound = take(scan, data[at++]);
        if (*pfound != H2_SCAN_NOTHING) {
            return at;
        }
    }
}

apr_size_t h2_frame_scan_head_bytes(const h2_frame_scan *scan, h2_scan_found found)
{
    if (found == H2_SCAN_HEAD) {
        return H2_FRAME_HEADER_BYTES;
    }
    return (scan->seen_count < H2_FRAME_HEADER_BYTES) ? scan->seen_count : 0;
}

static int is_in_field_block(const h2_frame_scan *scan)
{
    return (scan->type == NGHTTP2_HEADERS || scan->type == NGHTTP2_CONTINUATION)
           && !(scan->flags & NGHTTP2_FLAG_END_HEADERS);
}

unsigned h2_frame_scan_within(const h2_frame_scan *scan)
{
    if (!scan->is_begun) {
        return 0;
    }
    if (is_in_field_block(scan)) {
        return scan->block_count + 1;
    }
    if (scan->seen_count && scan->seen_count < H2_FRAME_HEADER_BYTES) {
        return scan->block_count + 2; /* what the head says is counted when it is complete */
    }
    return (scan->seen_count || (scan->skip_bytes && scan->type != NGHTTP2_DATA))
               ? scan->block_count + 1 : 0;
}

#include "session/h2_frame_scan.h"

#include <string.h>

#include <nghttp2/nghttp2.h>

#define HEAD_BYTES       9
#define DEPENDENCY_BYTES 5

void h2_frame_scan_init(h2_frame_scan *scan)
{
    memset(scan, 0, sizeof(*scan));
    scan->skip_bytes = NGHTTP2_CLIENT_MAGIC_LEN;
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
        wanted = DEPENDENCY_BYTES;
    }
    else if (head[3] == NGHTTP2_HEADERS && (head[4] & NGHTTP2_FLAG_PRIORITY)) {
        wanted = DEPENDENCY_BYTES + ((head[4] & NGHTTP2_FLAG_PADDED) ? 1 : 0);
    }
    return (wanted <= payload_bytes(head)) ? wanted : 0;
}

/* Another byte of what a frame begins with. Returns whether it says something. */
static int take(h2_frame_scan *scan, unsigned char byte)
{
    const unsigned char *bytes;

    scan->seen[scan->seen_count++] = byte;
    if (scan->seen_count == HEAD_BYTES) {
        scan->wanted_count = (unsigned char)(HEAD_BYTES + wanted_of_payload(scan->seen));
    }
    if (scan->seen_count != scan->wanted_count) {
        return 0;
    }
    scan->skip_bytes = HEAD_BYTES + payload_bytes(scan->seen) - scan->seen_count;
    scan->seen_count = 0;
    if (scan->wanted_count == HEAD_BYTES) {
        return 0;
    }
    bytes = scan->seen + scan->wanted_count - DEPENDENCY_BYTES;
    scan->stream_id = stream_id_at(scan->seen + HEAD_BYTES - 4);
    scan->is_headers = scan->seen[3] == NGHTTP2_HEADERS;
    scan->dependency.is_exclusive = (bytes[0] & 0x80) != 0;
    scan->dependency.parent_id = stream_id_at(bytes);
    scan->dependency.weight = bytes[4] + 1;
    return 1;
}

apr_size_t h2_frame_scan_next(h2_frame_scan *scan, const unsigned char *data, apr_size_t length)
{
    apr_size_t at = 0;

    scan->stream_id = 0;
    for (;;) {
        if (scan->skip_bytes >= length - at) {
            scan->skip_bytes -= (apr_uint32_t)(length - at);
            return length;
        }
        at += scan->skip_bytes;
        scan->skip_bytes = 0;
        if (!scan->seen_count && length - at >= HEAD_BYTES && !wanted_of_payload(data + at)) {
            scan->skip_bytes = HEAD_BYTES + payload_bytes(data + at);
        }
        else if (take(scan, data[at++])) {
            return at;
        }
    }
}

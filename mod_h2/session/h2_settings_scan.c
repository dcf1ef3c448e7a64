#include "session/h2_settings_scan.h"

#include <nghttp2/nghttp2.h>

#define WINDOW_MAX    0x7fffffffu /* RFC 9113, 6.9.1 */
#define FRAME_SIZE_MIN 16384u     /* 6.5.2 */
#define FRAME_SIZE_MAX 16777215u

void h2_settings_scan_begin(h2_settings_scan *scan, apr_uint32_t payload_bytes)
{
    scan->left_bytes = payload_bytes;
    scan->entry_bytes = 0;
}

static apr_uint32_t check(const unsigned char *entry)
{
    unsigned id = (unsigned)entry[0] << 8 | entry[1];
    apr_uint32_t value = (apr_uint32_t)entry[2] << 24 | (apr_uint32_t)entry[3] << 16
                         | (apr_uint32_t)entry[4] << 8 | entry[5];

    switch (id) {
    case NGHTTP2_SETTINGS_ENABLE_PUSH:
    case NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL:
    case NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES:
        return (value > 1) ? NGHTTP2_PROTOCOL_ERROR : 0;
    case NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE:
        return (value > WINDOW_MAX) ? NGHTTP2_FLOW_CONTROL_ERROR : 0;
    case NGHTTP2_SETTINGS_MAX_FRAME_SIZE:
        return (value < FRAME_SIZE_MIN || value > FRAME_SIZE_MAX) ? NGHTTP2_PROTOCOL_ERROR : 0;
    default:
        return 0;
    }
}

apr_uint32_t h2_settings_scan_next(h2_settings_scan *scan, const unsigned char *data,
                                   apr_size_t length)
{
    apr_uint32_t error = 0;

    while (length && scan->left_bytes && !error) {
        scan->entry[scan->entry_bytes++] = *data++;
        --scan->left_bytes;
        --length;
        if (scan->entry_bytes == H2_SETTING_BYTES) {
            scan->entry_bytes = 0;
            error = check(scan->entry);
        }
    }
    return error;
}

/*
 * Looks at each value of a client's SETTINGS frame, in their order, RFC 9113, 6.5.3: nghttp2 looks
 * only at the last one of each setting.
 *
 * Knows nobody. Part of the session; holder of the loop only.
 */
#ifndef H2_SETTINGS_SCAN_H
#define H2_SETTINGS_SCAN_H

#include <apr.h>

/* An entry, RFC 9113, 6.5.1. */
#define H2_SETTING_BYTES 6

typedef struct h2_settings_scan {
    apr_uint32_t left_bytes; /* of the current frame; 0: there is none */
    unsigned char entry[H2_SETTING_BYTES];
    unsigned entry_bytes;    /* of entry, that are there */
} h2_settings_scan;

/* A frame with such a payload begins. */
void h2_settings_scan_begin(h2_settings_scan *scan, apr_uint32_t payload_bytes);

/* The bytes that come next; those behind the frame's end are passed over. Gives the error code that
 * a wrong value asks for, or 0. */
apr_uint32_t h2_settings_scan_next(h2_settings_scan *scan, const unsigned char *data,
                                   apr_size_t length);

#endif /* H2_SETTINGS_SCAN_H */

/*
 * Finds in what a client sends the dependencies and weights of RFC 7540, 5.3: the five bytes that
 * a PRIORITY frame consists of, and that a HEADERS frame may begin with. nghttp2 has dropped
 * them since its version 1.65, so they are read here, whatever the version.
 *
 * Of frames it knows where they begin and end, and nothing else: what is wrong with one is for
 * nghttp2 to say, which gets every byte, too.
 *
 * Part of the session; holder of the loop only.
 */
#ifndef H2_FRAME_SCAN_H
#define H2_FRAME_SCAN_H

#include "message/h2_priority.h"

/* The head of a frame, RFC 9113, 4.1, the length of padding, and the five bytes. */
#define H2_FRAME_SCAN_BYTES (9 + 1 + 5)

typedef struct h2_frame_scan {
    apr_uint32_t skip_bytes;                  /* of the current frame, of no interest */
    unsigned char seen[H2_FRAME_SCAN_BYTES];  /* what it begins with, as far as it is there */
    unsigned char seen_count;
    unsigned char wanted_count;               /* 0: not known, as the head is not complete */

    /* What was found last. */
    int stream_id;                            /* whose place is named; 0: nothing was found */
    unsigned is_headers : 1;                  /* by its HEADERS, not by PRIORITY */
    h2_dependency dependency;
} h2_frame_scan;

/* A connection begins, with the client's preface. */
void h2_frame_scan_init(h2_frame_scan *scan);

/* Goes through the bytes that come next. Returns how many it has gone through: all, with
 * stream_id 0, or up to the end of those that have said what stands in the scan now. */
apr_size_t h2_frame_scan_next(h2_frame_scan *scan, const unsigned char *data, apr_size_t length);

#endif /* H2_FRAME_SCAN_H */

/*
 * Goes through what a client sends before nghttp2 gets it, and finds the heads of frames, so that
 * each is judged with everything before it worked on; and the dependencies and weights of
 * RFC 7540, 5.3: the five bytes that a PRIORITY frame consists of, and that a HEADERS frame may
 * begin with, which nghttp2 has dropped since its version 1.65.
 *
 * Of frames it knows where they begin and end. What is wrong within one is for nghttp2 to say,
 * which gets every byte, too.
 *
 * Part of the session; holder of the loop only.
 */
#ifndef H2_FRAME_SCAN_H
#define H2_FRAME_SCAN_H

#include "base/h2_base.h"
#include "message/h2_priority.h"

/* What PRIORITY consists of, and HEADERS may begin with: RFC 7540, 6.2 and 6.3. */
#define H2_DEPENDENCY_BYTES 5

/* The head of a frame, the length of padding, and a dependency. */
#define H2_FRAME_SCAN_BYTES (H2_FRAME_HEADER_BYTES + 1 + H2_DEPENDENCY_BYTES)

typedef enum {
    H2_SCAN_NOTHING,
    H2_SCAN_HEAD,      /* of a frame, which stands in the scan */
    H2_SCAN_DEPENDENCY /* of that frame */
} h2_scan_found;

typedef struct h2_frame_scan {
    apr_uint32_t skip_bytes;                  /* of the current frame, of no interest */
    unsigned char seen[H2_FRAME_SCAN_BYTES];  /* what it begins with, as far as it is there */
    unsigned char seen_count;
    unsigned char wanted_count;               /* of the current frame; 0: its head is incomplete */
    unsigned is_begun : 1;                    /* there was a byte, ever */

    /* Of the frame whose head was complete last. */
    unsigned char type;
    unsigned char flags;
    int stream_id;
    apr_uint32_t length;                      /* of the payload */
    h2_dependency dependency;                 /* its last one, RFC 7540, 5.3 */

    unsigned is_opening : 1;                  /* HEADERS, for a stream above all others before */

    unsigned block_count;                     /* frames, but for CONTINUATION */
    apr_uint32_t usual_count;                 /* usual requests, and the size of their field */
    apr_uint32_t usual_bytes;                 /* blocks; who counts them sets both to 0 */
    int opened_id;                            /* the highest id of the client's HEADERS; -1: none */
    int opened_before;                        /* what that was before the frame came */
} h2_frame_scan;

/* A connection begins, with the client's preface. */
void h2_frame_scan_init(h2_frame_scan *scan);

/* Goes through the bytes that come next, and gives how many it has gone through: all, unless it
 * finds something, after which it stops. It does not stop for the usual request: a whole field
 * block for the next stream, without a dependency. */
apr_size_t h2_frame_scan_next(h2_frame_scan *scan, const unsigned char *data, apr_size_t length,
                              h2_scan_found *pfound);

/* How many of the bytes that it has gone through last, or before, are of a frame's head that stands
 * in seen: of the one found, or of one that is not complete. */
apr_size_t h2_frame_scan_head_bytes(const h2_frame_scan *scan, h2_scan_found found);

/* Has something begun that is not at its end: the preface, a field block, a frame other than
 * DATA? 0 if not, else a number that is the same from its first byte on and another one for the
 * next. */
unsigned h2_frame_scan_within(const h2_frame_scan *scan);

#endif /* H2_FRAME_SCAN_H */

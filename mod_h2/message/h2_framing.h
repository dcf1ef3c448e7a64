/*
 * Where the bytes that a peer sends are in their frames, for who lets them pass and wants to put
 * a frame of his own between two of them. Owned by its user; no lock.
 */
#ifndef H2_FRAMING_H
#define H2_FRAMING_H

#include "base/h2_base.h"

/* All zero before the first byte. */
typedef struct h2_framing {
    unsigned char header[H2_FRAME_HEADER_BYTES];
    apr_size_t header_bytes;   /* of it that are there */
    apr_size_t payload_left;
    unsigned is_http2 : 1;     /* it began with SETTINGS */
    unsigned is_other : 1;     /* it began with something else, or is not followed any more */
    unsigned is_in_block : 1;  /* the last frame's field block goes on in a CONTINUATION */
} h2_framing;

/* The next bytes; once it is_other they do not matter. */
void h2_framing_follow(h2_framing *framing, const char *data, apr_size_t length);

/* Is it HTTP/2, and may another frame stand here? All of the last one is there, and its field
 * block, in which no other frame is allowed (RFC 9113, 4.3), is at its end. Not before the first
 * frame. */
int h2_framing_is_between(const h2_framing *framing);

#endif /* H2_FRAMING_H */

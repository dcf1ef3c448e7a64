#include "message/h2_framing.h"

/* The type of the frame that a peer begins with, RFC 9113, 3.4 and 6.5. */
#define H2_FRAMING_SETTINGS 4

/* Those with a piece of a field block, and the flag of its last one: RFC 9113, 6.2, 6.6, 6.10. */
#define H2_FRAMING_HEADERS      1
#define H2_FRAMING_PUSH_PROMISE 5
#define H2_FRAMING_CONTINUATION 9
#define H2_FRAMING_END_HEADERS  4

static int has_field_block(int type)
{
    return type == H2_FRAMING_HEADERS || type == H2_FRAMING_PUSH_PROMISE
           || type == H2_FRAMING_CONTINUATION;
}

static void header_is_complete(h2_framing *framing)
{
    const unsigned char *header = framing->header;

    framing->payload_left = (apr_size_t)header[0] << 16 | (apr_size_t)header[1] << 8 | header[2];
    framing->header_bytes = 0;
    framing->is_in_block = has_field_block(header[3]) && !(header[4] & H2_FRAMING_END_HEADERS);
    if (!framing->is_http2) { /* the first one: RFC 9113, 3.4 */
        framing->is_http2 = header[3] == H2_FRAMING_SETTINGS && header[4] == 0 && header[5] == 0
                           && header[6] == 0 && header[7] == 0 && header[8] == 0;
        framing->is_other = !framing->is_http2;
    }
}

void h2_framing_follow(h2_framing *framing, const char *data, apr_size_t length)
{
    while (length && !framing->is_other) {
        apr_size_t used = framing->payload_left;

        if (used > length) {
            used = length;
        }
        framing->payload_left -= used;
        data += used;
        length -= used;
        while (length && !framing->payload_left && framing->header_bytes < H2_FRAME_HEADER_BYTES) {
            framing->header[framing->header_bytes++] = (unsigned char)*data++;
            --length;
        }
        if (framing->header_bytes == H2_FRAME_HEADER_BYTES) {
            header_is_complete(framing);
        }
    }
}

int h2_framing_is_between(const h2_framing *framing)
{
    return framing->is_http2 && !framing->is_other && !framing->header_bytes
           && !framing->payload_left && !framing->is_in_block;
}

/*
 * Frames out: what nghttp2 has, stream by stream as the scheduler says, into the loop's scratch
 * buffer, and that to the client.
 *
 * Holder of the loop only.
 */
#ifndef H2_PACK_H
#define H2_PACK_H

#include "session/h2_session.h"

/* Bytes of frames that are packed before they are written: with its TLS records
 * it fits into the loop's scratch buffer. */
#define H2_SESSION_PACK_BYTES (96 * 1024)

/* Room in it that a DATA frame needs beside its payload: its header and padding. */
#define H2_DATA_OVERHEAD_BYTES (H2_FRAME_HEADER_BYTES + 256)

/* No use in a DATA frame for less room than this. */
#define H2_DATA_ROOM_MIN_BYTES 1024

/* Room that is left for frames while packing. */
static inline apr_size_t h2_session_room(const h2_session *session)
{
    return H2_SESSION_PACK_BYTES - session->out.used;
}

/* Packs frames into the loop's scratch buffer until it is full or there is no
 * more; 0 if nothing is packed. */
apr_size_t h2_session_pack(h2_session *session);

/* Writes what was packed. */
apr_status_t h2_session_write(h2_session *session);

#endif /* H2_PACK_H */

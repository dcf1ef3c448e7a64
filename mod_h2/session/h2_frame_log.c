/*
 * A line for each frame, in the form that tools know.
 */
#include "session/h2_session_parts.h"

static const char *frame_name(int type)
{
    static const char *const names[] = {
        "DATA", "HEADERS", "PRIORITY", "RST_STREAM", "SETTINGS", "PUSH_PROMISE",
        "PING", "GOAWAY", "WINDOW_UPDATE", "CONTINUATION",
    };

    if (type == H2_FRAME_PRIORITY_UPDATE) {
        return "PRIORITY_UPDATE";
    }
    return (type >= 0 && type < (int)(sizeof(names) / sizeof(names[0]))) ? names[type]
                                                                         : "UNKNOWN";
}

void h2_session_write_frame_line(h2_session *session, const nghttp2_frame *frame,
                                 const char *direction)
{
    const nghttp2_frame_hd *hd = &frame->hd;

    if (hd->type == NGHTTP2_GOAWAY) {
        ap_log_cerror(APLOG_MARK, APLOG_DEBUG, 0, session->c, APLOGNO(03066)
                      H2_ID_FMT "%s FRAME[GOAWAY[error=%u, last_stream=%d]], remote.emitted=%d",
                      session->c->id, 0, direction, (unsigned)frame->goaway.error_code,
                      (int)frame->goaway.last_stream_id, session->emitted_count);
        return;
    }
    ap_log_cerror(APLOG_MARK, APLOG_DEBUG, 0, session->c, APLOGNO(03066)
                  H2_ID_FMT "%s FRAME[%s[length=%d, flags=%d, stream=%d]]", session->c->id,
                  (int)hd->stream_id, direction, frame_name(hd->type), (int)hd->length,
                  (int)hd->flags, (int)hd->stream_id);
}

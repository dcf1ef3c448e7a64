/*
 * A line for each frame, in the form that tools know; below it, at trace2, what is in it.
 */
#include "session/h2_frame_log.h"

#include "base/h2_log.h"
#include "session/h2_priorities.h"

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

static void log_settings(h2_session *session, const nghttp2_settings *settings,
                         const char *direction)
{
    size_t i;

    for (i = 0; i < settings->niv; ++i) {
        h2_log(APLOG_TRACE2, 0, session->c, H2_ID_FMT "%s SETTINGS: 0x%x is %lu", session->c->id, 0,
               direction, (unsigned)settings->iv[i].settings_id,
               (unsigned long)settings->iv[i].value);
    }
}

/* How large the fields are in all, counted as RFC 9113, 6.5.2 does, and what they depend on. */
static void log_headers(h2_session *session, const nghttp2_frame *frame, const char *direction)
{
    const nghttp2_headers *headers = &frame->headers;
    const h2_stream *stream = nghttp2_session_get_stream_user_data(session->ngh2,
                                                                   frame->hd.stream_id);
    unsigned long bytes = 0;
    size_t i;

    for (i = 0; i < headers->nvlen; ++i) {
        bytes += headers->nva[i].namelen + headers->nva[i].valuelen + H2_FIELD_OVERHEAD_BYTES;
    }
    if (!headers->nvlen && stream && stream->head) {
        bytes = h2_head_bytes(stream->head); /* received: nghttp2 has given the fields one by one */
    }
    h2_log(APLOG_TRACE2, 0, session->c, H2_ID_FMT "%s HEADERS: fields of %lu bytes%s",
           session->c->id, (int)frame->hd.stream_id, direction, bytes,
           (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) ? ", the end" : "");
    if (frame->hd.flags & NGHTTP2_FLAG_PRIORITY) {
        h2_log(APLOG_TRACE2, 0, session->c, H2_ID_FMT "%s HEADERS: depends on %d%s, weight %d",
               session->c->id, (int)frame->hd.stream_id, direction,
               (int)headers->pri_spec.stream_id, headers->pri_spec.exclusive ? " alone" : "",
               (int)headers->pri_spec.weight);
    }
}

/* What is in it, but for content. */
static void log_details(h2_session *session, const nghttp2_frame *frame, const char *direction)
{
    int id = (int)frame->hd.stream_id;

    switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
        log_headers(session, frame, direction);
        break;
    case NGHTTP2_SETTINGS:
        log_settings(session, &frame->settings, direction);
        break;
    case NGHTTP2_RST_STREAM:
        h2_log(APLOG_TRACE2, 0, session->c, H2_ID_FMT "%s RST_STREAM: %s", session->c->id, id,
               direction, h2_session_error_name(frame->rst_stream.error_code));
        break;
    case NGHTTP2_GOAWAY:
        h2_log(APLOG_TRACE2, 0, session->c, H2_ID_FMT "%s GOAWAY: %s", session->c->id, id,
               direction, h2_session_error_name(frame->goaway.error_code));
        break;
    case NGHTTP2_WINDOW_UPDATE:
        h2_log(APLOG_TRACE2, 0, session->c, H2_ID_FMT "%s WINDOW_UPDATE: %d more", session->c->id,
               id, direction, (int)frame->window_update.window_size_increment);
        break;
    case NGHTTP2_PRIORITY:
        h2_log(APLOG_TRACE2, 0, session->c, H2_ID_FMT "%s PRIORITY: depends on %d%s, weight %d",
               session->c->id, id, direction, (int)frame->priority.pri_spec.stream_id,
               frame->priority.pri_spec.exclusive ? " alone" : "",
               (int)frame->priority.pri_spec.weight);
        break;
    case NGHTTP2_PUSH_PROMISE:
        h2_log(APLOG_TRACE2, 0, session->c, H2_ID_FMT "%s PUSH_PROMISE: stream %d", session->c->id,
               id, direction, (int)frame->push_promise.promised_stream_id);
        break;
    default:
        break;
    }
}

void h2_session_write_frame_line(h2_session *session, const nghttp2_frame *frame,
                                 const char *direction)
{
    const nghttp2_frame_hd *hd = &frame->hd;

    if (hd->type == NGHTTP2_GOAWAY) {
        h2_log(APLOG_DEBUG, 0, session->c, APLOGNO(03066)
               H2_ID_FMT "%s FRAME[GOAWAY[error=%u, last_stream=%d]], remote.emitted=%d",
               session->c->id, 0, direction, (unsigned)frame->goaway.error_code,
               (int)frame->goaway.last_stream_id, session->client.stream_count);
    }
    else {
        h2_log(APLOG_DEBUG, 0, session->c, APLOGNO(03066)
               H2_ID_FMT "%s FRAME[%s[length=%d, flags=%d, stream=%d]]", session->c->id,
               (int)hd->stream_id, direction, frame_name(hd->type), (int)hd->length,
               (int)hd->flags, (int)hd->stream_id);
    }
    if (APLOGctrace2(session->c)) {
        log_details(session, frame, direction);
    }
}

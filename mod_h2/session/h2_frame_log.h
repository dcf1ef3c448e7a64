/*
 * A line in the log for each frame, for who reads at debug.
 *
 * Holder of the loop only.
 */
#ifndef H2_FRAME_LOG_H
#define H2_FRAME_LOG_H

#include "base/h2_log.h"
#include "session/h2_session.h"

/* A line for a frame; at debug level, where somebody reads it. */
void h2_session_write_frame_line(h2_session *session, const nghttp2_frame *frame,
                                 const char *direction);

static inline void h2_session_log_frame(h2_session *session, const nghttp2_frame *frame,
                                        const char *direction)
{
    if (APLOGcdebug(session->c)) {
        h2_session_write_frame_line(session, frame, direction);
    }
}

#endif /* H2_FRAME_LOG_H */

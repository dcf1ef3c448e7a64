/*
 * nghttp2's callbacks for what is sent: the data of responses, and their ends.
 *
 * Holder of the loop only.
 */
#ifndef H2_TRANSMIT_H
#define H2_TRANSMIT_H

#include "session/h2_session.h"

/* Registers them with nghttp2. */
void h2_transmit_callbacks(nghttp2_session_callbacks *callbacks);

/* The same for sessions that pad frames, H2Padding. */
void h2_transmit_padding_callback(nghttp2_session_callbacks *callbacks);

/* Whom nghttp2 is to ask for the data of the stream. */
nghttp2_data_provider h2_transmit_provider(h2_stream *stream);

/* The stream's trailers, if it has any, are about to be submitted: they say what it took. */
void h2_transmit_time_trailers(const h2_session *session, const h2_stream *stream);

/* RST_STREAM with this code, and no more turns. */
void h2_transmit_reset(h2_session *session, h2_stream *stream, apr_uint32_t error);

#endif /* H2_TRANSMIT_H */

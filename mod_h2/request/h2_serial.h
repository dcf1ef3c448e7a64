/*
 * H2SerializeHeaders: the head of a request as HTTP/1.1 text, which httpd's own reader gets
 * from the secondary connection, for hooks and filters that want to see it there.
 *
 * The thread that runs the request.
 */
#ifndef H2_SERIAL_H
#define H2_SERIAL_H

#include "request/h2_context.h"

/* Puts the text of the request's head in front of its body. target: of the request line. */
void h2_serial_write(h2_context *context, const char *target);

#endif /* H2_SERIAL_H */

/*
 * Looks at what goes over the machine's socket: what the server sends must be HTTP/2, within what
 * the client allows, and the bodies those of requests.c.
 */
#ifndef WIRE_H
#define WIRE_H

#include "machine.h"

void wire_begin(const machine_setup *setup);
void wire_end(void);

/* The server has read, or sent, these bytes. */
void wire_received(const void *data, size_t size);
void wire_sent(const void *data, size_t size);

/* The highest id that was promised; 2: there was none. */
unsigned wire_last_promise(void);

/* What every response's body has there; no body is longer than the maximum. */
#define WIRE_BODY_BYTES_MAX (2 << 20)
const unsigned char *wire_body(uint64_t offset, size_t size);

#endif /* WIRE_H */

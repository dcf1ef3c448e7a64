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

/* The octet at that place of any response's body. */
unsigned char wire_body_octet(uint64_t offset);

#endif /* WIRE_H */

/*
 * Which fields may be trailers. No state; any thread.
 */
#ifndef H2_TRAILER_H
#define H2_TRAILER_H

#include "base/h2_base.h"

/* May a field of this lower-case name be a trailer? Not what frames or routes the message, what
 * must be known before its content, and what speaks of one connection: RFC 9110, 6.5.1. */
int h2_trailer_is_allowed(const char *name);

#endif /* H2_TRAILER_H */

/*
 * Memory that all children share, which outlives graceful restarts; and how something larger than a
 * number is put there by one and read by others.
 */
#ifndef H2_SHARED_H
#define H2_SHARED_H

#include <stdatomic.h>

#include "base/h2_base.h"

/* The parent, after each reading of the configuration: gives bytes of shared memory, zero at first,
 * mapped at the same address in all children. The same as before the graceful restart if key, bytes
 * and the version of the module are the same; else *pis_new is 1. NULL: there is none to be had.
 * Lives as long as the process, as children of the last generation may still use it. */
void *h2_shared_create(server_rec *s, const char *key, apr_size_t bytes, int *pis_new);

/* Guards a piece of shared memory that one thread at a time writes, and anybody reads. Odd while it
 * is written. */
typedef _Atomic(apr_uint32_t) h2_shared_guard;

/* Before the first put of a new writer: one that has died in the middle of its own is forgotten.
 * Nobody else may write. */
void h2_shared_reset(h2_shared_guard *guard);

/* The writer: puts a copy there. bytes: a multiple of 8; both are aligned to 8. */
void h2_shared_put(h2_shared_guard *guard, void *to, const void *from, apr_size_t bytes);

/* Anybody: takes a copy. 0: it is written all the time, or its writer has died. */
int h2_shared_get(const h2_shared_guard *guard, void *to, const void *from, apr_size_t bytes);

#endif /* H2_SHARED_H */

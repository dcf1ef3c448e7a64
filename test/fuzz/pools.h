/*
 * Compiled into every source of the module (clang -include): what these take from a pool becomes a
 * block of malloc() of its own, which goes with the pool. So each is seen by the sanitizer, and
 * using one beyond its end, or after its pool, is an error. And malloc() may have no memory for
 * them; pools always have, as with httpd, which ends the process otherwise.
 */
#ifndef POOLS_H
#define POOLS_H

#include <stdlib.h>

#include <apr_pools.h>
#include <apr_strings.h>

void *pools_alloc(apr_pool_t *pool, apr_size_t size) __attribute__((alloc_size(2)));
char *pools_strdup(apr_pool_t *pool, const char *text);
char *pools_strmemdup(apr_pool_t *pool, const char *text, apr_size_t length);
void *pools_memdup(apr_pool_t *pool, const void *data, apr_size_t length);

/* After so many blocks of malloc() and its like the next count of them cannot be had; 0, 0: all can
 * again. */
void pools_fail(unsigned after, unsigned count);

void *pools_malloc(size_t size);
void *pools_calloc(size_t count, size_t size);
void *pools_realloc(void *memory, size_t size);

#ifdef POOLS_MAY_FAIL
#define malloc pools_malloc
#define calloc pools_calloc
#define realloc pools_realloc
#endif

#define apr_palloc pools_alloc
#define apr_pstrdup pools_strdup
#define apr_pstrmemdup pools_strmemdup
#define apr_pmemdup pools_memdup

#endif /* POOLS_H */

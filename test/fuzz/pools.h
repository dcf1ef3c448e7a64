/*
 * Compiled into every source of the module (clang -include): what these take from a pool becomes a
 * block of malloc() of its own, which goes with the pool. So each is seen by the sanitizer, and
 * using one beyond its end, or after its pool, is an error.
 */
#ifndef POOLS_H
#define POOLS_H

#include <apr_pools.h>
#include <apr_strings.h>

void *pools_alloc(apr_pool_t *pool, apr_size_t size) __attribute__((alloc_size(2)));
char *pools_strdup(apr_pool_t *pool, const char *text);
char *pools_strmemdup(apr_pool_t *pool, const char *text, apr_size_t length);
void *pools_memdup(apr_pool_t *pool, const void *data, apr_size_t length);

#define apr_palloc pools_alloc
#define apr_pstrdup pools_strdup
#define apr_pstrmemdup pools_strmemdup
#define apr_pmemdup pools_memdup

#endif /* POOLS_H */

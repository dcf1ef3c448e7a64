/*
 * A directive's argument: text to value, and the message when it is not one.
 *
 * Knows no directive and no httpd; keeps nothing. Any thread.
 */
#ifndef H2_VALUE_H
#define H2_VALUE_H

#include <apr.h>
#include <apr_errno.h>
#include <apr_pools.h>

/* Decimal digits and nothing else, from min to max (both not negative).
 * APR_EINVAL if text is anything else; *pvalue is left alone then. */
apr_status_t h2_value_number_parse(const char *text, apr_int64_t min, apr_int64_t max,
                                   apr_int64_t *pvalue);

/* "on" or "off" in any case gives 1 or 0. APR_EINVAL and *pvalue left alone if
 * text is neither. */
apr_status_t h2_value_flag_parse(const char *text, int *pvalue);

/* Gives what an administrator is told, in pool, without the full stop:
 * "DIRECTIVE: 'TEXT' is not allowed, must be ALLOWED". */
const char *h2_value_error(apr_pool_t *pool, const char *directive, const char *text,
                           const char *allowed);

/* The same with "a number from MIN to MAX". */
const char *h2_value_number_error(apr_pool_t *pool, const char *directive, const char *text,
                                  apr_int64_t min, apr_int64_t max);

#endif /* H2_VALUE_H */

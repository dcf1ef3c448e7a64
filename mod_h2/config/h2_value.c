#include "config/h2_value.h"

#include <strings.h>

#include <apr_strings.h>

apr_status_t h2_value_number_parse(const char *text, apr_int64_t min, apr_int64_t max,
                                   apr_int64_t *pvalue)
{
    apr_int64_t value = 0;

    if (!*text) {
        return APR_EINVAL;
    }
    for (; *text; ++text) {
        int digit = *text - '0';

        /* Stop at the first digit too many: no number, however long, overflows. */
        if (digit < 0 || digit > 9 || value > (max - digit) / 10) {
            return APR_EINVAL;
        }
        value = value * 10 + digit;
    }
    if (value < min || value > max) {
        return APR_EINVAL;
    }
    *pvalue = value;
    return APR_SUCCESS;
}

apr_status_t h2_value_flag_parse(const char *text, int *pvalue)
{
    if (!strcasecmp(text, "on")) {
        *pvalue = 1;
        return APR_SUCCESS;
    }
    if (!strcasecmp(text, "off")) {
        *pvalue = 0;
        return APR_SUCCESS;
    }
    return APR_EINVAL;
}

const char *h2_value_error(apr_pool_t *pool, const char *directive, const char *text,
                           const char *allowed)
{
    return apr_psprintf(pool, "%s: '%s' is not allowed, must be %s", directive, text, allowed);
}

const char *h2_value_number_error(apr_pool_t *pool, const char *directive, const char *text,
                                  apr_int64_t min, apr_int64_t max)
{
    return apr_psprintf(pool,
                        "%s: '%s' is not allowed, must be a number from %" APR_INT64_T_FMT
                        " to %" APR_INT64_T_FMT,
                        directive, text, min, max);
}

/*
 * Variables of HTTP/2 for CGI, SSI, expressions and logs, and the optional
 * functions by which other modules ask for them.
 */
#ifndef H2_VARS_H
#define H2_VARS_H

#include "base/h2_base.h"

/* At the start of httpd. */
void h2_vars_register_hooks(apr_pool_t *pool);

#endif /* H2_VARS_H */

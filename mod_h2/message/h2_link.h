/*
 * Reads the value of a Link field (RFC 8288), one link after the other, for what
 * says that a resource will be needed: rel=preload and its companions.
 *
 * Pure functions without state: any thread. Strings are copied into the pool given.
 */
#ifndef H2_LINK_H
#define H2_LINK_H

#include "base/h2_base.h"

typedef struct h2_link {
    const char *target;       /* the URI reference between < and >, as it is; may be empty */
    const char *as;           /* value of the first as=, as written; NULL: none or empty */
    unsigned is_preload : 1;  /* the first rel names "preload", and there is no anchor */
    unsigned is_nopush : 1;   /* has the parameter nopush, with a value or without */
    unsigned is_critical : 1; /* has the parameter critical, with a value or without */
} h2_link;

/* Reads the next link of a field's value at *ptext and moves *ptext behind it;
 * 0 and an untouched *link: there is none any more. A malformed link is passed
 * over, up to the next comma outside of <> and quotes, and the one behind it is
 * read: an unclosed < or quote so ends the field. Borrows the text; all calls for
 * a field together look at each octet a fixed number of times. */
int h2_link_next(const char **ptext, apr_pool_t *pool, h2_link *link);

#endif /* H2_LINK_H */

/*
 * Which of two representations a client wants, by its Accept field, RFC 9110, 12.5.1.
 *
 * Pure; any thread.
 */
#ifndef H2_ACCEPT_H
#define H2_ACCEPT_H

#include "base/h2_base.h"

/* What can be had. */
typedef struct h2_offer {
    const char *type;    /* "text/plain" */
    const char *version; /* what its parameter of that name is: other parameters do not count */
} h2_offer;

/* Is one preferred to the other? Where both are liked the same, or none, or there is no field
 * (NULL), it is not; but who names one and takes the other as one of many prefers the first. */
int h2_accept_prefers(const char *accept, const h2_offer *one, const h2_offer *other);

#endif /* H2_ACCEPT_H */

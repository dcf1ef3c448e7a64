#include "message/h2_trailer.h"

#include <stdlib.h>
#include <string.h>

/* Sorted. What frames, routes, controls or authenticates a message, or says how its content is to
 * be read; cookies; and the connection-specific ones of RFC 9113, 8.2.2. */
static const char *const head_only[] = {
    "age", "authorization", "cache-control", "connection", "content-encoding", "content-length",
    "content-range", "content-type", "cookie", "date", "expect", "expires", "host", "if-match",
    "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "keep-alive",
    "location", "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization",
    "proxy-connection", "range", "retry-after", "set-cookie", "te", "trailer",
    "transfer-encoding", "upgrade", "vary", "www-authenticate",
};

static int compare(const void *key, const void *entry)
{
    return strcmp(key, *(const char *const *)entry);
}

int h2_trailer_is_allowed(const char *name)
{
    return !bsearch(name, head_only, sizeof(head_only) / sizeof(head_only[0]),
                    sizeof(head_only[0]), compare);
}

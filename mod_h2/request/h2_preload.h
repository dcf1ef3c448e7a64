/*
 * What is pushed with a response: resources that its Link fields ask to be loaded early,
 * and those of H2PushResource. Makes the requests that a browser would make for them.
 *
 * The thread that runs the request, not holding the loop.
 */
#ifndef H2_PRELOAD_H
#define H2_PRELOAD_H

#include "request/h2_context.h"

/* May something be pushed with r's response, to this client, as it has asked, and as the
 * directory says? */
int h2_preload_is_wanted(const h2_context *context, const request_rec *r);

/* Adds what the Link fields of the table name to what the context is to push when it
 * next publishes something. */
void h2_preload_add_links(h2_context *context, const request_rec *r, const apr_table_t *fields);

/* Adds one resource. target: a URI reference. as: the kind of resource in a link's words,
 * NULL: not known. is_critical: it is to be sent before the response. */
void h2_preload_add(h2_context *context, const request_rec *r, const char *target, const char *as,
                    int is_critical);

/* Tells the client how its Accept-Push-Policy was understood. */
void h2_preload_set_policy(const h2_context *context, request_rec *r);

#endif /* H2_PRELOAD_H */

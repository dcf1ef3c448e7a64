/*
 * The head of a response, interim or final, and trailers, as a list that
 * nghttp2 takes: names in lower case, no connection-specific fields.
 *
 * Built in a request's pool by the thread that runs the request; after it has
 * been published it belongs to the holder of the loop and is immutable. Lives
 * as long as that pool.
 */
#ifndef H2_RESPONSE_H
#define H2_RESPONSE_H

#include <nghttp2/nghttp2.h>

#include "base/h2_base.h"

typedef struct h2_response h2_response;
struct h2_response {
    h2_response *next;   /* interim responses in their order */
    int status;          /* 0: these are trailers */
    nghttp2_nv *nva;     /* :status first unless trailers */
    apr_size_t nva_count;
    apr_size_t bytes;    /* more than its frames can have, which must leave at once, as nghttp2
                          * borrows the strings; 0: it is large and nghttp2 copies it */
    char status_text[4];
    char *timing;        /* of trailers: the value of their last field, to be written; or NULL */
    unsigned has_priority : 1; /* a field of RFC 9218 */
};

/* Gives a response of this status with the fields of up to two tables (either may be NULL).
 * Borrows the strings: they must live as long as pool. APR_EINVAL: a field has
 * a name that is no token, or a control character in its value; *pbad_name is
 * its name then. Any thread. */
apr_status_t h2_response_create(h2_response **presponse, apr_pool_t *pool, int status,
                                const apr_table_t *first, const apr_table_t *second,
                                const char **pbad_name);

/* Gives trailers of fields, whose strings it borrows as above; NULL: there are none. What may not
 * be a trailer (RFC 9110, 6.5.1) or cannot be sent is left out, and its name appended to dropped,
 * an array of const char *. timing: H2_SERVER_TIMING_BYTES of pool for one more, Server-Timing,
 * whose value follows; NULL: not. Any thread. */
h2_response *h2_response_create_trailers(apr_pool_t *pool, const apr_table_t *fields, char *timing,
                                         apr_array_header_t *dropped);

/* To be called when the value of Server-Timing has been written to trailers->timing, before nghttp2
 * gets the trailers. The holder. */
void h2_response_note_timing(h2_response *trailers);

/* From now on nghttp2 copies what it takes of the response, which may end before it is
 * sent. Its holder, while nobody else uses it. */
void h2_response_let_copy(h2_response *response);

/* The value of the first field of this lower-case name, NULL: none. Borrowed; there may be
 * blanks behind it. */
const char *h2_response_get(const h2_response *response, const char *name);

#endif /* H2_RESPONSE_H */

/*
 * Writes JSON (RFC 8259) as a response's body, a member at a time, with commas where they belong.
 *
 * Used by the one that runs the request.
 */
#ifndef H2_JSON_H
#define H2_JSON_H

#include "base/h2_base.h"

typedef struct h2_json {
    request_rec *r;
    int needs_comma;
} h2_json;

/* A name of NULL is that of an element of an array, or of the outermost value: it has none. Names
 * are ours and need no escape. open: '{' or '['; close: the one that goes with it. */
void h2_json_open(h2_json *json, const char *name, char open);
void h2_json_close(h2_json *json, char close);

void h2_json_number(h2_json *json, const char *name, apr_int64_t number);
void h2_json_count(h2_json *json, const char *name, apr_uint64_t count);
void h2_json_flag(h2_json *json, const char *name, int is_true);
void h2_json_null(h2_json *json, const char *name);
void h2_json_text(h2_json *json, const char *name, const char *text);

/* Microseconds as seconds; part as a share of whole, null where there is no whole. */
void h2_json_seconds(h2_json *json, const char *name, apr_int64_t usec);
void h2_json_ratio(h2_json *json, const char *name, apr_uint64_t part, apr_uint64_t whole);

#endif /* H2_JSON_H */

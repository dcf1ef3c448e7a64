#include "status/h2_json.h"

#include <http_protocol.h>

#include "status/h2_escape.h"

static void begin(h2_json *json, const char *name)
{
    if (json->needs_comma) {
        ap_rputc(',', json->r);
    }
    json->needs_comma = 1;
    if (name) {
        ap_rvputs(json->r, "\"", name, "\":", NULL);
    }
}

void h2_json_open(h2_json *json, const char *name, char open)
{
    begin(json, name);
    ap_rputc(open, json->r);
    json->needs_comma = 0;
}

void h2_json_close(h2_json *json, char close)
{
    ap_rputc(close, json->r);
    json->needs_comma = 1;
}

void h2_json_number(h2_json *json, const char *name, apr_int64_t number)
{
    begin(json, name);
    ap_rprintf(json->r, "%" APR_INT64_T_FMT, number);
}

void h2_json_count(h2_json *json, const char *name, apr_uint64_t count)
{
    begin(json, name);
    ap_rprintf(json->r, "%" APR_UINT64_T_FMT, count);
}

void h2_json_flag(h2_json *json, const char *name, int is_true)
{
    begin(json, name);
    ap_rputs(is_true ? "true" : "false", json->r);
}

void h2_json_null(h2_json *json, const char *name)
{
    begin(json, name);
    ap_rputs("null", json->r);
}

void h2_json_text(h2_json *json, const char *name, const char *text)
{
    begin(json, name);
    ap_rputs(h2_escape_json(json->r->pool, text), json->r);
}

void h2_json_seconds(h2_json *json, const char *name, apr_int64_t usec)
{
    begin(json, name);
    ap_rprintf(json->r, "%s%" APR_INT64_T_FMT ".%06d", (usec < 0) ? "-" : "",
               ((usec < 0) ? -usec : usec) / APR_USEC_PER_SEC,
               (int)(((usec < 0) ? -usec : usec) % APR_USEC_PER_SEC));
}

void h2_json_ratio(h2_json *json, const char *name, apr_uint64_t part, apr_uint64_t whole)
{
    if (!whole) {
        h2_json_null(json, name);
        return;
    }
    begin(json, name);
    ap_rprintf(json->r, "%.4f", (double)part / (double)whole);
}

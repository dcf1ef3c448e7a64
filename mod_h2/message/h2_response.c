#include "message/h2_response.h"

#include <string.h>

#include "base/h2_text.h"
#include "message/h2_server_timing.h"
#include "message/h2_trailer.h"

/* More than this is copied by nghttp2 instead of being borrowed. */
#define H2_RESPONSE_BORROWED_BYTES (32 * 1024)

/* Fields that speak of one HTTP/1.1 connection, RFC 9113, 8.2.2. */
static const char *const connection_fields[] = {
    "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
};

/* Names that most responses have, as httpd and its modules write them and as HTTP/2 does. */
static const struct {
    const char *usual;
    const char *lower;
    apr_size_t length;
} common_names[] = {
#define NAME(usual, lower) {usual, lower, sizeof(lower) - 1}
    NAME("Date", "date"),
    NAME("Server", "server"),
    NAME("Last-Modified", "last-modified"),
    NAME("ETag", "etag"),
    NAME("Accept-Ranges", "accept-ranges"),
    NAME("Content-Length", "content-length"),
    NAME("Content-Type", "content-type"),
    NAME("Vary", "vary"),
    NAME("Cache-Control", "cache-control"),
    NAME("Expires", "expires"),
    NAME("Content-Encoding", "content-encoding"),
    NAME("Location", "location"),
    NAME("Set-Cookie", "set-cookie"),
    NAME("Link", "link"),
    NAME("Content-Range", "content-range"),
    NAME("Strict-Transport-Security", "strict-transport-security"),
#undef NAME
};

#define COMMON_COUNT (sizeof(common_names) / sizeof(common_names[0]))

/* A common name in lower case; NULL: it is none, or not written as usual. Begins at *pnext,
 * as responses have their fields mostly in the order above. */
static const char *common_name(const char *name, apr_size_t length, apr_size_t *pnext)
{
    apr_size_t i, n = *pnext;

    for (i = 0; i < COMMON_COUNT; ++i) {
        if (n >= COMMON_COUNT) {
            n = 0;
        }
        if (common_names[n].length == length && !memcmp(common_names[n].usual, name, length)) {
            *pnext = n + 1;
            return common_names[n].lower;
        }
        ++n;
    }
    return NULL;
}

static int is_connection_field(const char *lower)
{
    apr_size_t i;

    for (i = 0; i < sizeof(connection_fields) / sizeof(connection_fields[0]); ++i) {
        if (!strcmp(connection_fields[i], lower)) {
            return 1;
        }
    }
    return 0;
}

/* Blanks around a value would make nghttp2 and clients refuse it. */
static void add_nv(h2_response *response, const char *name, apr_size_t name_length,
                   const char *value, apr_size_t length)
{
    nghttp2_nv *nv = &response->nva[response->nva_count++];

    while (length && (*value == ' ' || *value == '\t')) {
        ++value;
        --length;
    }
    while (length && (value[length - 1] == ' ' || value[length - 1] == '\t')) {
        --length;
    }
    nv->name = (uint8_t *)name;
    nv->namelen = name_length;
    nv->value = (uint8_t *)value;
    nv->valuelen = length;
    nv->flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    /* Literals with their lengths at the worst, frame headers included. */
    response->bytes += name_length + length + 32;
}

static int is_good_value(const char *value, apr_size_t length)
{
    return !h2_text_has_control(value, length)
           || nghttp2_check_header_value((const uint8_t *)value, length);
}

/* Gives the name for HTTP/2; NULL: it is none. *pis_left_out: it is not for HTTP/2. pnext:
 * see common_name(). */
static const char *name_of(apr_pool_t *pool, const char *key, apr_size_t length,
                           apr_size_t *pnext, int *pis_left_out)
{
    const char *name = common_name(key, length, pnext);
    char *copy;

    *pis_left_out = 0;
    if (name) {
        return name;
    }
    copy = apr_pstrmemdup(pool, key, length);
    ap_str_tolower(copy);
    *pis_left_out = is_connection_field(copy);
    return (copy[0] != ':' && nghttp2_check_header_name((const uint8_t *)copy, length)) ? copy
                                                                                       : NULL;
}

static apr_status_t append(h2_response *response, apr_pool_t *pool, const apr_table_t *table,
                           const char **pbad_name)
{
    const apr_array_header_t *list = apr_table_elts(table);
    const apr_table_entry_t *entry = (const apr_table_entry_t *)list->elts;
    const apr_table_entry_t *end = entry + list->nelts;
    apr_size_t next_common = 0;

    for (; entry < end; ++entry) {
        apr_size_t length, value_length;
        const char *name;
        int is_left_out;

        if (!entry->key || !entry->val) {
            continue;
        }
        length = strlen(entry->key);
        name = name_of(pool, entry->key, length, &next_common, &is_left_out);
        if (is_left_out) {
            continue;
        }
        value_length = strlen(entry->val);
        if (!name || !is_good_value(entry->val, value_length)) {
            *pbad_name = entry->key;
            return APR_EINVAL;
        }
        if (length == 8 && !memcmp(name, "priority", 8)) {
            response->has_priority = 1;
        }
        add_nv(response, name, length, entry->val, value_length);
    }
    return APR_SUCCESS;
}

static void append_status(h2_response *response)
{
    response->status_text[0] = (char)('0' + response->status / 100 % 10);
    response->status_text[1] = (char)('0' + response->status / 10 % 10);
    response->status_text[2] = (char)('0' + response->status % 10);
    add_nv(response, ":status", 7, response->status_text, 3);
}

void h2_response_let_copy(h2_response *response)
{
    apr_size_t i;

    for (i = 0; i < response->nva_count; ++i) {
        response->nva[i].flags = NGHTTP2_NV_FLAG_NONE;
    }
    response->bytes = 0;
}

apr_status_t h2_response_create(h2_response **presponse, apr_pool_t *pool, int status,
                                const apr_table_t *first, const apr_table_t *second,
                                const char **pbad_name)
{
    h2_response *response = apr_pcalloc(pool, sizeof(*response));
    int count = 1 + (first ? apr_table_elts(first)->nelts : 0)
                + (second ? apr_table_elts(second)->nelts : 0);
    apr_status_t rv = APR_SUCCESS;

    response->status = status;
    response->nva = apr_palloc(pool, count * sizeof(response->nva[0]));
    append_status(response);
    if (first) {
        rv = append(response, pool, first, pbad_name);
    }
    if (second && rv == APR_SUCCESS) {
        rv = append(response, pool, second, pbad_name);
    }
    if (response->bytes > H2_RESPONSE_BORROWED_BYTES) {
        h2_response_let_copy(response); /* its frames need not fit into a buffer at once */
    }
    *presponse = (rv == APR_SUCCESS) ? response : NULL;
    return rv;
}

static void add_timing(h2_response *trailers, char *timing)
{
    static const char name[] = "server-timing";

    timing[0] = '\0';
    trailers->timing = timing;
    add_nv(trailers, name, sizeof(name) - 1, timing, 0);
    trailers->bytes += H2_SERVER_TIMING_BYTES;
}

void h2_response_note_timing(h2_response *trailers)
{
    trailers->nva[trailers->nva_count - 1].valuelen = strlen(trailers->timing);
}

h2_response *h2_response_create_trailers(apr_pool_t *pool, const apr_table_t *fields, char *timing,
                                         apr_array_header_t *dropped)
{
    const apr_array_header_t *list = apr_table_elts(fields);
    const apr_table_entry_t *entry = (const apr_table_entry_t *)list->elts;
    const apr_table_entry_t *end = entry + list->nelts;
    h2_response *trailers = apr_pcalloc(pool, sizeof(*trailers));
    apr_size_t next_common = 0;

    trailers->nva = apr_palloc(pool, (list->nelts + 1) * sizeof(trailers->nva[0]));
    for (; entry < end; ++entry) {
        apr_size_t length, value_length;
        const char *name;
        int is_left_out;

        if (!entry->key || !entry->val) {
            continue;
        }
        length = strlen(entry->key);
        value_length = strlen(entry->val);
        name = name_of(pool, entry->key, length, &next_common, &is_left_out);
        if (name && h2_trailer_is_allowed(name) && is_good_value(entry->val, value_length)) {
            add_nv(trailers, name, length, entry->val, value_length);
        }
        else {
            APR_ARRAY_PUSH(dropped, const char *) = entry->key;
        }
    }
    if (timing) {
        add_timing(trailers, timing);
    }
    if (trailers->bytes > H2_RESPONSE_BORROWED_BYTES) {
        h2_response_let_copy(trailers);
    }
    return trailers->nva_count ? trailers : NULL;
}

const char *h2_response_get(const h2_response *response, const char *name)
{
    apr_size_t i, length = strlen(name);

    for (i = 0; i < response->nva_count; ++i) {
        const nghttp2_nv *nv = &response->nva[i];

        if (nv->namelen == length && !memcmp(nv->name, name, length)) {
            return (const char *)nv->value;
        }
    }
    return NULL;
}

#include "message/h2_response.h"

#include <string.h>

/* More than this is copied by nghttp2 instead of being borrowed. */
#define H2_RESPONSE_BORROWED_BYTES (32 * 1024)

/* Fields that speak of one HTTP/1.1 connection, RFC 9113, 8.2.2. */
static const char *const connection_fields[] = {
    "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade",
};

/* Names that most responses have, so that they need not be copied. */
static const struct {
    const char *name;
    apr_size_t length;
} common_names[] = {
#define NAME(text) {text, sizeof(text) - 1}
    NAME("date"),          NAME("server"),           NAME("last-modified"),
    NAME("etag"),          NAME("accept-ranges"),    NAME("content-length"),
    NAME("content-type"),  NAME("vary"),             NAME("cache-control"),
    NAME("expires"),       NAME("content-encoding"), NAME("location"),
    NAME("set-cookie"),    NAME("link"),             NAME("content-range"),
    NAME("strict-transport-security"),
#undef NAME
};

static const char *lower_name(apr_pool_t *pool, const char *name, apr_size_t length)
{
    apr_size_t i;
    char *copy;

    for (i = 0; i < sizeof(common_names) / sizeof(common_names[0]); ++i) {
        if (common_names[i].length == length && !ap_cstr_casecmpn(common_names[i].name, name,
                                                                  length)) {
            return common_names[i].name;
        }
    }
    copy = apr_pstrmemdup(pool, name, length);
    ap_str_tolower(copy);
    return copy;
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
static nghttp2_nv make_nv(const char *name, apr_size_t name_length, const char *value)
{
    apr_size_t length;
    nghttp2_nv nv;

    while (*value == ' ' || *value == '\t') {
        ++value;
    }
    length = strlen(value);
    while (length && (value[length - 1] == ' ' || value[length - 1] == '\t')) {
        --length;
    }
    nv.name = (uint8_t *)name;
    nv.namelen = name_length;
    nv.value = (uint8_t *)value;
    nv.valuelen = length;
    nv.flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    return nv;
}

static void add_nv(h2_response *response, nghttp2_nv nv)
{
    /* Literals with their lengths at the worst, frame headers included. */
    response->bytes += nv.namelen + nv.valuelen + 32;
    response->nva[response->nva_count++] = nv;
}

static apr_status_t append(h2_response *response, apr_pool_t *pool, const apr_table_t *table,
                           const char **pbad_name)
{
    const apr_array_header_t *list = apr_table_elts(table);
    const apr_table_entry_t *entries = (const apr_table_entry_t *)list->elts;
    int i;

    for (i = 0; i < list->nelts; ++i) {
        apr_size_t length;
        const char *name;

        if (!entries[i].key || !entries[i].val) {
            continue;
        }
        length = strlen(entries[i].key);
        name = lower_name(pool, entries[i].key, length);
        if (is_connection_field(name)) {
            continue;
        }
        if (!nghttp2_check_header_name((const uint8_t *)name, length) || name[0] == ':'
            || !nghttp2_check_header_value((const uint8_t *)entries[i].val,
                                           strlen(entries[i].val))) {
            *pbad_name = entries[i].key;
            return APR_EINVAL;
        }
        add_nv(response, make_nv(name, length, entries[i].val));
    }
    return APR_SUCCESS;
}

static void append_status(h2_response *response)
{
    response->status_text[0] = (char)('0' + response->status / 100 % 10);
    response->status_text[1] = (char)('0' + response->status / 10 % 10);
    response->status_text[2] = (char)('0' + response->status % 10);
    add_nv(response, make_nv(":status", 7, response->status_text));
}

/* Its frames need not fit into a buffer at once. */
static void let_copy(h2_response *response)
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
    if (status) {
        append_status(response);
    }
    if (first) {
        rv = append(response, pool, first, pbad_name);
    }
    if (second && rv == APR_SUCCESS) {
        rv = append(response, pool, second, pbad_name);
    }
    if (response->bytes > H2_RESPONSE_BORROWED_BYTES) {
        let_copy(response);
    }
    *presponse = (rv == APR_SUCCESS) ? response : NULL;
    return rv;
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

#include "conn/h2_upgrade.h"

#include <apr_encode.h>
#include <apr_uri.h>

#include <http_protocol.h>

/* Of a decoded HTTP2-Settings: far more settings than there are. */
#define H2_UPGRADE_SETTINGS_BYTES_MAX (32 * 6)

/* What belongs to the HTTP/1.1 connection, or to the change. */
static const char *const dropped_fields[] = {
    "Host", "Connection", "Upgrade", "HTTP2-Settings", "Keep-Alive", "Proxy-Connection",
    "Transfer-Encoding", "TE",
};

static const unsigned char *decode_settings(const char *text, apr_pool_t *pool,
                                            apr_size_t *plength)
{
    apr_size_t length = 0;
    const unsigned char *settings;

    if (strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=")
        != strlen(text)) {
        return NULL;
    }
    settings = apr_pdecode_base64_binary(pool, text, APR_ENCODE_STRING, APR_ENCODE_BASE64URL,
                                         &length);
    if (!settings || length % 6 || length > H2_UPGRADE_SETTINGS_BYTES_MAX) {
        return NULL;
    }
    *plength = length;
    return settings;
}

int h2_upgrade_is_possible(request_rec *r)
{
    const char *settings = apr_table_get(r->headers_in, "HTTP2-Settings");
    const char *connection = apr_table_get(r->headers_in, "Connection");
    const char *length = apr_table_get(r->headers_in, "Content-Length");
    apr_size_t settings_length;

    return settings && connection && r->proto_num == HTTP_VERSION(1, 1) && !r->main
           && !apr_table_get(r->headers_in, "Transfer-Encoding")
           && (!length || !strcmp(length, "0"))
           && ap_find_token(r->pool, connection, "http2-settings")
           && decode_settings(settings, r->pool, &settings_length) != NULL;
}

static int is_dropped(const char *name)
{
    apr_size_t i;

    for (i = 0; i < sizeof(dropped_fields) / sizeof(dropped_fields[0]); ++i) {
        if (!ap_cstr_casecmp(dropped_fields[i], name)) {
            return 1;
        }
    }
    return 0;
}

static apr_status_t add(h2_head *head, const char *name, const char *value)
{
    return value ? h2_head_add(head, name, strlen(name), value, strlen(value), APR_SIZE_MAX)
                 : APR_SUCCESS;
}

static const char *target_of(request_rec *r)
{
    return (r->unparsed_uri[0] == '*')
               ? "*"
               : apr_uri_unparse(r->pool, &r->parsed_uri, APR_URI_UNP_OMITSITEPART);
}

static apr_status_t free_head(void *data)
{
    h2_upgrade *upgrade = data;

    h2_head_destroy(upgrade->head, NULL);
    return APR_SUCCESS;
}

h2_upgrade *h2_upgrade_create(request_rec *r, apr_pool_t *pool, const char *scheme)
{
    const apr_array_header_t *list = apr_table_elts(r->headers_in);
    const apr_table_entry_t *entries = (const apr_table_entry_t *)list->elts;
    h2_upgrade *upgrade = apr_pcalloc(pool, sizeof(*upgrade));
    h2_head *head = h2_head_create(NULL);
    apr_status_t rv;
    int i;

    if (!head) {
        return NULL;
    }
    rv = add(head, ":method", r->method);
    if (rv == APR_SUCCESS) {
        rv = add(head, ":scheme", scheme);
    }
    if (rv == APR_SUCCESS) {
        rv = add(head, ":path", target_of(r));
    }
    for (i = 0; i < list->nelts && rv == APR_SUCCESS; ++i) {
        if (!is_dropped(entries[i].key)) {
            char *name = apr_pstrdup(r->pool, entries[i].key);

            ap_str_tolower(name);
            rv = add(head, name, entries[i].val);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = add(head, ":authority", apr_table_get(r->headers_in, "Host"));
    }
    if (rv != APR_SUCCESS) {
        h2_head_destroy(head, NULL);
        return NULL;
    }
    upgrade->head = head;
    apr_pool_cleanup_register(pool, upgrade, free_head, apr_pool_cleanup_null);
    upgrade->is_head_request = r->header_only;
    upgrade->settings = decode_settings(apr_table_get(r->headers_in, "HTTP2-Settings"), pool,
                                        &upgrade->settings_length);
    return upgrade;
}

#include "request/h2_preload.h"

#include <apr_uri.h>

#include <http_protocol.h>

#include "message/h2_cache_digest.h"
#include "message/h2_link.h"

/* Resources of one response; more of them are no help to any page. */
#define H2_PUSH_RESOURCES_MAX 128

/* What any request may have: a promised one is no larger than one of a client. */
#define H2_PUSH_HEAD_BYTES 65536

/* Fields of the client's request that its own one for the resource would have as well. */
static const char *const inherited_fields[] = {
    "user-agent", "accept-encoding", "accept-language", "cookie", "authorization",
    "cache-control", "pragma", "dnt", "save-data",
};

/* What a browser accepts, by the kind of the resource. */
static const struct {
    const char *as;
    const char *accept;
} accepts[] = {
    {"style", "text/css,*/*;q=0.1"},
    {"image", "image/avif,image/webp,image/svg+xml,image/*,*/*;q=0.8"},
    {"document", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
};

typedef enum {
    POLICY_UNKNOWN, /* not said, or nothing that we know */
    POLICY_DEFAULT,
    POLICY_NONE,
    POLICY_HEAD,
    POLICY_FAST_LOAD
} push_policy;

static const struct {
    const char *name;
    push_policy policy;
} policies[] = {
    {"default", POLICY_DEFAULT},
    {"none", POLICY_NONE},
    {"head", POLICY_HEAD},
    {"fast-load", POLICY_FAST_LOAD},
};

/* The field Accept-Push-Policy; its parameters mean nothing to us. */
static push_policy policy_of(const h2_context *context, const char **pname)
{
    const char *text = h2_head_get(context->exchange->head, "accept-push-policy");
    apr_size_t i, length = text ? strcspn(text, ";, \t") : 0;

    for (i = 0; text && i < sizeof(policies) / sizeof(policies[0]); ++i) {
        if (strlen(policies[i].name) == length
            && !ap_cstr_casecmpn(policies[i].name, text, length)) {
            *pname = policies[i].name;
            return policies[i].policy;
        }
    }
    return POLICY_UNKNOWN;
}

int h2_preload_is_wanted(const h2_context *context, const request_rec *r)
{
    const char *name;

    return context->may_push && !r->header_only
           && (r->method_number == M_GET || r->method_number == M_POST) && h2_config_is_push(r)
           && policy_of(context, &name) != POLICY_NONE;
}

void h2_preload_set_policy(const h2_context *context, request_rec *r)
{
    const char *name;

    if (context->may_push && policy_of(context, &name) != POLICY_UNKNOWN) {
        apr_table_setn(r->headers_out, "Push-Policy", name);
    }
}

/* The authority without the port that its scheme has anyway. */
static apr_size_t host_length(const char *authority, const char *scheme)
{
    const char *port = strcmp(scheme, "https") ? ":80" : ":443";
    apr_size_t length = strlen(authority), port_length = strlen(port);

    return (length > port_length && !strcmp(authority + length - port_length, port))
               ? length - port_length : length;
}

static int is_same_authority(const char *authority, const char *scheme, const apr_uri_t *uri)
{
    apr_size_t length, own_length = host_length(authority, scheme);

    if (uri->scheme && ap_cstr_casecmp(uri->scheme, scheme)) {
        return 0;
    }
    if (!uri->hostinfo) {
        return !uri->scheme;
    }
    length = host_length(uri->hostinfo, scheme);
    return length == own_length && !ap_cstr_casecmpn(uri->hostinfo, authority, length);
}

/* Printable US-ASCII without what no URI has, RFC 3986. */
static int is_uri_text(const char *text)
{
    for (; *text; ++text) {
        if (*text <= ' ' || *text >= '\x7f' || strchr("\"<>\\^`{|}", *text)) {
            return 0;
        }
    }
    return 1;
}

/* The path that a reference leads to, RFC 3986, 5.2.2, of the same authority as base; NULL:
 * to another one, or nowhere. */
static const char *resolve(apr_pool_t *pool, const char *scheme, const char *authority,
                           const char *base, const char *target)
{
    apr_size_t base_length = strcspn(base, "?");
    apr_uri_t uri;
    char *path;

    if (!is_uri_text(target) || apr_uri_parse(pool, target, &uri) != APR_SUCCESS
        || uri.user || !is_same_authority(authority, scheme, &uri)) {
        return NULL;
    }
    if (uri.path && uri.path[0] == '/') {
        path = apr_pstrdup(pool, uri.path);
    }
    else if (uri.hostinfo) {
        path = apr_pstrdup(pool, "/");
    }
    else if (uri.path && uri.path[0]) {
        while (base_length && base[base_length - 1] != '/') {
            --base_length;
        }
        path = apr_pstrcat(pool, apr_pstrmemdup(pool, base, base_length), uri.path, NULL);
    }
    else {
        path = apr_pstrmemdup(pool, base, base_length);
    }
    if (path[0] != '/' || !ap_normalize_path(path, AP_NORMALIZE_NOT_ABOVE_ROOT)) {
        return NULL;
    }
    return uri.query ? apr_pstrcat(pool, path, "?", uri.query, NULL) : path;
}

static apr_status_t add_field(h2_head *head, const char *name, const char *value)
{
    return h2_head_add(head, name, strlen(name), value, strlen(value), H2_PUSH_HEAD_BYTES);
}

static apr_status_t add_inherited(h2_head *head, const h2_head *main)
{
    apr_status_t rv = APR_SUCCESS;
    int i;
    apr_size_t n;

    for (i = 0; i < h2_head_count(main) && rv == APR_SUCCESS; ++i) {
        h2_field field = h2_head_field(main, i);

        for (n = 0; n < sizeof(inherited_fields) / sizeof(inherited_fields[0]); ++n) {
            if (!strcmp(field.name, inherited_fields[n])) {
                rv = add_field(head, field.name, field.value);
                break;
            }
        }
    }
    return rv;
}

static const char *accept_for(const char *as)
{
    apr_size_t i;

    for (i = 0; as && i < sizeof(accepts) / sizeof(accepts[0]); ++i) {
        if (!ap_cstr_casecmp(as, accepts[i].as)) {
            return accepts[i].accept;
        }
    }
    return "*/*";
}

/* The request of a browser that loads path for the page of main; NULL: it cannot be. */
static h2_head *make_head(const h2_context *context, const char *scheme, const char *authority,
                          const char *path, const char *as)
{
    const h2_head *main = context->exchange->head;
    const char *name, *referer;
    const char *method = (policy_of(context, &name) == POLICY_HEAD) ? "HEAD" : "GET";
    h2_head *head = h2_head_create(NULL);

    if (!head) {
        return NULL;
    }
    referer = apr_pstrcat(context->pool, scheme, "://", authority, h2_head_path(main), NULL);
    if (add_field(head, ":method", method) != APR_SUCCESS
        || add_field(head, ":scheme", scheme) != APR_SUCCESS
        || add_field(head, ":authority", authority) != APR_SUCCESS
        || add_field(head, ":path", path) != APR_SUCCESS
        || add_field(head, "accept", accept_for(as)) != APR_SUCCESS
        || add_field(head, "referer", referer) != APR_SUCCESS
        || add_inherited(head, main) != APR_SUCCESS) {
        h2_head_destroy(head, NULL);
        return NULL;
    }
    return head;
}

/* Where the promise is to be appended; NULL: there is one for this URL. */
static h2_promise **place_for(h2_context *context, apr_uint64_t url_hash)
{
    h2_promise **plast = &context->promises;

    for (; *plast; plast = &(*plast)->next) {
        if ((*plast)->url_hash == url_hash) {
            return NULL;
        }
    }
    return plast;
}

void h2_preload_add(h2_context *context, const request_rec *r, const char *target, const char *as,
                    int is_critical)
{
    const h2_head *main = context->exchange->head;
    const char *authority = h2_head_authority(main);
    const char *scheme = h2_head_scheme(main) ? h2_head_scheme(main) : ap_http_scheme(r);
    const char *base = h2_head_path(main), *path;
    h2_promise *promise, **place;
    apr_uint64_t url_hash;

    if (!authority) {
        authority = h2_head_get(main, "host");
    }
    if (!authority || !base || ++context->preload_count > H2_PUSH_RESOURCES_MAX) {
        return;
    }
    path = resolve(context->pool, scheme, authority, base, target);
    if (!path || !strcmp(path, base)) {
        return;
    }
    url_hash = h2_cache_digest_hash(apr_pstrcat(context->pool, scheme, "://", authority, path,
                                                NULL));
    place = place_for(context, url_hash);
    if (place) {
        promise = apr_pcalloc(context->pool, sizeof(*promise));
        promise->head = make_head(context, scheme, authority, path, as);
        promise->url_hash = url_hash;
        promise->is_critical = (is_critical != 0);
        if (promise->head) {
            *place = promise;
        }
    }
}

typedef struct link_reader {
    h2_context *context;
    const request_rec *r;
} link_reader;

static int add_links_of_field(void *data, const char *name, const char *value)
{
    link_reader *reader = data;
    h2_link link;

    (void)name;
    while (h2_link_next(&value, reader->context->pool, &link)) {
        if (link.is_preload && !link.is_nopush) {
            h2_preload_add(reader->context, reader->r, link.target, link.as, link.is_critical);
        }
    }
    return 1;
}

void h2_preload_add_links(h2_context *context, const request_rec *r, const apr_table_t *fields)
{
    link_reader reader = {context, r};

    apr_table_do(add_links_of_field, &reader, fields, "Link", NULL);
}

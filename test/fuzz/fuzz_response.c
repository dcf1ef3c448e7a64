/*
 * The head of a response and its trailers, as a list for nghttp2, and that list as frames: no
 * longer than was said of it, and nothing in it that was not a field.
 *
 * Input: the status, and fields: for each the number of a name or 0, the name then, and the value.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "message/h2_response.h"
#include "message/h2_trailer.h"

static const char *const names[] = {
    "",         "Date", "Server", "Content-Type", "Connection", "Transfer-Encoding", "Set-Cookie",
    "Priority", "ETag", "etag",   "Upgrade",      "Link",       "Content-Length",    "grpc-status",
    "X",        "Vary",
};

static char *read_text(fuzz_input *input, apr_pool_t *pool)
{
    size_t length = fuzz_byte(input);
    const uint8_t *bytes = fuzz_bytes(input, (length > 240) ? 4000 * (length - 240) : length,
                                      &length);
    char *text = fuzz_text(bytes, length), *copy = apr_pstrdup(pool, text);

    free(text);
    return copy;
}

static apr_table_t *read_fields(fuzz_input *input, apr_pool_t *pool)
{
    apr_table_t *fields = apr_table_make(pool, 4);

    while (input->left) {
        const char *name = names[fuzz_byte(input) % (sizeof(names) / sizeof(names[0]))];

        name = *name ? name : read_text(input, pool);
        apr_table_addn(fields, name, read_text(input, pool));
    }
    return fields;
}

static void check_field(const nghttp2_nv *nv, int is_first)
{
    size_t i;

    FUZZ_CHECK(nv->namelen && (is_first || *nv->name != ':'));
    for (i = 0; i < nv->namelen; ++i) {
        FUZZ_CHECK(nv->name[i] > ' ' && nv->name[i] < 0x7f);
        FUZZ_CHECK(!(nv->name[i] >= 'A' && nv->name[i] <= 'Z'));
    }
    for (i = 0; i < nv->valuelen; ++i) {
        FUZZ_CHECK((nv->value[i] >= ' ' && nv->value[i] != 0x7f) || nv->value[i] == '\t');
    }
    FUZZ_CHECK(!nv->valuelen || (!strchr(" \t", nv->value[0])
                                 && !strchr(" \t", nv->value[nv->valuelen - 1])));
    FUZZ_CHECK(nv->namelen != 10 || memcmp(nv->name, "connection", 10));
    FUZZ_CHECK(nv->namelen != 17 || memcmp(nv->name, "transfer-encoding", 17));
}

/* With the frames' headers, however small these are. */
static void check_bytes(const h2_response *response)
{
    nghttp2_hd_deflater *deflater;
    size_t bound;
    unsigned char *block;
    ssize_t length;

    nghttp2_hd_deflate_new(&deflater, 4096);
    bound = nghttp2_hd_deflate_bound(deflater, response->nva, response->nva_count);
    block = malloc(bound);
    length = nghttp2_hd_deflate_hd(deflater, block, bound, response->nva, response->nva_count);
    FUZZ_CHECK(length >= 0);
    FUZZ_CHECK(!response->bytes
               || (size_t)length + 9 * (size_t)(length / 16384 + 1) <= response->bytes);
    free(block);
    nghttp2_hd_deflate_del(deflater);
}

static void check(const h2_response *response)
{
    apr_size_t i;

    for (i = 0; i < response->nva_count; ++i) {
        check_field(&response->nva[i], i == 0 && response->status);
    }
    check_bytes(response);
}

void fuzz_run(apr_pool_t *pool, const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    int status = 100 + (int)(fuzz_number(&input, 2) % 500), i;
    apr_table_t *fields = read_fields(&input, pool), *second = apr_table_make(pool, 1);
    apr_array_header_t *dropped = apr_array_make(pool, 1, sizeof(const char *));
    const char *bad_name = NULL;
    h2_response *response = NULL;

    apr_table_setn(second, "x-second", "1");
    if (h2_response_create(&response, pool, status, fields, second, &bad_name) == APR_SUCCESS) {
        FUZZ_CHECK(response->nva_count <= (apr_size_t)apr_table_elts(fields)->nelts + 2);
        FUZZ_CHECK(h2_response_get(response, "x-second"));
        check(response);
        h2_response_let_copy(response);
        check(response);
    }
    else {
        FUZZ_CHECK(bad_name && !response);
    }
    response = h2_response_create_trailers(pool, fields, NULL, dropped);
    i = apr_table_elts(fields)->nelts - dropped->nelts;
    FUZZ_CHECK((response ? (int)response->nva_count : 0) == i);
    if (response) {
        check(response);
        for (i = 0; i < (int)response->nva_count; ++i) {
            char *name = fuzz_text(response->nva[i].name, response->nva[i].namelen);

            FUZZ_CHECK(h2_trailer_is_allowed(name));
            free(name);
        }
    }
}

#include "message/h2_websocket.h"

#include <string.h>

#include <apr_base64.h>
#include <apr_general.h>
#include <apr_sha1.h>

/* RFC 6455, 4.1: what a key is made of, and 1.3: what its answer has added to it. */
#define KEY_BYTES 16
#define KEY_GUID  "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

static const char *to_base64(apr_pool_t *pool, const unsigned char *bytes, int length)
{
    char *text = apr_palloc(pool, (apr_size_t)apr_base64_encode_len(length));

    apr_base64_encode_binary(text, bytes, length);
    return text;
}

const char *h2_websocket_make_key(apr_pool_t *pool)
{
    unsigned char bytes[KEY_BYTES];

    apr_generate_random_bytes(bytes, sizeof(bytes));
    return to_base64(pool, bytes, sizeof(bytes));
}

int h2_websocket_is_accept_of(apr_pool_t *pool, const char *accept, const char *key)
{
    unsigned char digest[APR_SHA1_DIGESTSIZE];
    apr_sha1_ctx_t sha1;
    const char *expected;
    apr_size_t length;

    if (!accept) {
        return 0;
    }
    apr_sha1_init(&sha1);
    apr_sha1_update(&sha1, key, (unsigned)strlen(key));
    apr_sha1_update(&sha1, KEY_GUID, sizeof(KEY_GUID) - 1);
    apr_sha1_final(digest, &sha1);
    expected = to_base64(pool, digest, sizeof(digest));
    length = strlen(expected);
    accept += strspn(accept, " \t");
    return !strncmp(accept, expected, length) && !accept[length + strspn(accept + length, " \t")];
}

int h2_websocket_drops(const char *name)
{
    return !strcmp(name, "content-length") || !strcmp(name, "expect");
}

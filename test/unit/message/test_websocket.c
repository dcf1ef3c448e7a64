/* RFC 6455's opening handshake: keys, and what belongs to them. */
#include "message/h2_websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <apr_base64.h>
#include <cmocka.h>

/* RFC 6455, 1.3 */
#define KEY    "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static apr_pool_t *pool;

static int make_pool(void **state)
{
    (void)state;
    return apr_initialize() == APR_SUCCESS && apr_pool_create(&pool, NULL) == APR_SUCCESS ? 0 : -1;
}

static int destroy_pool(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}

static void a_key_is_16_bytes_in_base64(void **state)
{
    const char *key = h2_websocket_make_key(pool);
    char bytes[32];

    (void)state;
    assert_int_equal(strlen(key), 24);
    assert_int_equal(apr_base64_decode(bytes, key), 16);
}

static void no_key_is_like_another(void **state)
{
    (void)state;
    assert_string_not_equal(h2_websocket_make_key(pool), h2_websocket_make_key(pool));
}

static void the_answer_of_the_rfcs_key_is_known(void **state)
{
    (void)state;
    assert_true(h2_websocket_is_accept_of(pool, ACCEPT, KEY));
    assert_true(h2_websocket_is_accept_of(pool, " \t" ACCEPT " ", KEY));
}

static void other_answers_are_none(void **state)
{
    static const char *const answers[] = {
        NULL, "", " ", KEY, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo", ACCEPT "=", ACCEPT ", " ACCEPT,
        ACCEPT " x", "s3pplmbitxaq9kygzzhzrbk+xoo=",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); ++i) {
        assert_false(h2_websocket_is_accept_of(pool, answers[i], KEY));
    }
    assert_false(h2_websocket_is_accept_of(pool, ACCEPT, h2_websocket_make_key(pool)));
}

static void fields_of_a_body_are_dropped(void **state)
{
    (void)state;
    assert_true(h2_websocket_drops("content-length"));
    assert_true(h2_websocket_drops("expect"));
    assert_false(h2_websocket_drops("cookie"));
    assert_false(h2_websocket_drops("sec-websocket-version"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_16_bytes_in_base64),
        cmocka_unit_test(no_key_is_like_another),
        cmocka_unit_test(the_answer_of_the_rfcs_key_is_known),
        cmocka_unit_test(other_answers_are_none),
        cmocka_unit_test(fields_of_a_body_are_dropped),
    };

    return cmocka_run_group_tests(tests, make_pool, destroy_pool);
}

/* message/h2_trailer.c: what may be a trailer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "message/h2_trailer.h"

#define COUNT(list) (sizeof(list) / sizeof(list[0]))

static void what_is_needed_before_the_content_is_no_trailer(void **state)
{
    static const char *const names[] = {
        "content-length", "transfer-encoding", "trailer", "te", "host", "connection", "upgrade",
        "keep-alive", "proxy-connection", "authorization", "www-authenticate", "cookie",
        "set-cookie", "cache-control", "if-match", "if-none-match", "if-range",
        "if-modified-since", "if-unmodified-since", "range", "expect", "max-forwards", "age",
        "date", "expires", "location", "retry-after", "vary", "content-encoding", "content-type",
        "content-range", "pragma", "proxy-authenticate", "proxy-authorization",
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(names); ++i) {
        assert_false(h2_trailer_is_allowed(names[i]));
    }
}

static void other_fields_may_be_trailers(void **state)
{
    static const char *const names[] = {
        "", "a", "etag", "digest", "content-digest", "server-timing", "grpc-status",
        "grpc-message", "x-date", "dat", "datf", "date2", "content-typ", "zzz",
        "authentication-info", "proxy-authentication-info", "accept-ranges",
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT(names); ++i) {
        assert_true(h2_trailer_is_allowed(names[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_needed_before_the_content_is_no_trailer),
        cmocka_unit_test(other_fields_may_be_trailers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

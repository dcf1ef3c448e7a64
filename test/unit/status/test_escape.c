/* status/h2_escape.c: whatever a client sends stays text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "status/h2_escape.h"

#define UNKNOWN "\xef\xbf\xbd"

static apr_pool_t *pool;

static int set_up(void **state)
{
    (void)state;
    return apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS;
}

static int tear_down(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}

static void characters_of_html_are_escaped(void **state)
{
    (void)state;
    assert_string_equal(h2_escape_html(pool, "a<b>&\"'c"), "a&lt;b&gt;&amp;&quot;&#39;c");
    assert_string_equal(h2_escape_html(pool, ""), "");
}

static void characters_of_json_are_escaped(void **state)
{
    (void)state;
    assert_string_equal(h2_escape_json(pool, "a\"b\\c/d"), "\"a\\u0022b\\u005cc/d\"");
    assert_string_equal(h2_escape_json(pool, "\n\x1f\x7f"), "\"\\u000a\\u001f\\u007f\"");
    assert_string_equal(h2_escape_json(pool, "</script>"), "\"\\u003c/script\\u003e\"");
    assert_string_equal(h2_escape_json(pool, ""), "\"\"");
}

static void control_characters_are_unknown_in_html(void **state)
{
    (void)state;
    assert_string_equal(h2_escape_html(pool, "\x01\t\x7f"), UNKNOWN UNKNOWN UNKNOWN);
}

static void utf_8_of_any_length_stays(void **state)
{
    static const char text[] =
        "\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf "
        "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf";

    (void)state;
    assert_string_equal(h2_escape_html(pool, text), text);
    assert_memory_equal(h2_escape_json(pool, text) + 1, text, strlen(text));
}

/* Overlong, surrogates, beyond the last one, cut off, and what never begins one. */
static void bytes_that_are_no_utf_8_are_unknown(void **state)
{
    static const char *const texts[] = {"\x80", "\xbf", "\xc0", "\xc1", "\xc3",
                                        "\xe2", "\xf0", "\xf5", "\xfe", "\xff"};
    static const char *const longer[] = {"\xc0\x80", "\xe2\x82", "\xc3\xc3"};
    static const char *const longest[] = {"\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x9f\x98"};
    unsigned i;

    (void)state;
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); ++i) {
        assert_string_equal(h2_escape_html(pool, texts[i]), UNKNOWN);
        assert_string_equal(h2_escape_json(pool, texts[i]), "\"" UNKNOWN "\"");
    }
    for (i = 0; i < sizeof(longer) / sizeof(longer[0]); ++i) {
        assert_string_equal(h2_escape_html(pool, longer[i]), UNKNOWN UNKNOWN);
    }
    for (i = 0; i < sizeof(longest) / sizeof(longest[0]); ++i) {
        assert_string_equal(h2_escape_html(pool, longest[i]), UNKNOWN UNKNOWN UNKNOWN);
    }
    assert_string_equal(h2_escape_html(pool, "\xf4\x90\x80\x80"), UNKNOWN UNKNOWN UNKNOWN UNKNOWN);
    assert_string_equal(h2_escape_html(pool, "\xc3<"), UNKNOWN "&lt;");
}

static void every_byte_on_its_own_is_safe(void **state)
{
    int byte;

    (void)state;
    for (byte = 1; byte < 256; ++byte) {
        char text[2] = {(char)byte, '\0'};
        const char *html = h2_escape_html(pool, text), *json = h2_escape_json(pool, text);

        assert_null(strpbrk(html, "<>\"'"));
        assert_int_equal(json[0], '"');
        assert_null(strpbrk(apr_pstrmemdup(pool, json + 1, strlen(json) - 2), "<>\"'&"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_of_html_are_escaped),
        cmocka_unit_test(characters_of_json_are_escaped),
        cmocka_unit_test(control_characters_are_unknown_in_html),
        cmocka_unit_test(utf_8_of_any_length_stays),
        cmocka_unit_test(bytes_that_are_no_utf_8_are_unknown),
        cmocka_unit_test(every_byte_on_its_own_is_safe),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

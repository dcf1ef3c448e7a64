/* status/h2_accept.c: which of two representations an Accept field prefers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "status/h2_accept.h"

static const h2_offer open = {"application/openmetrics-text", "1.0.0"};
static const h2_offer text = {"text/plain", "0.0.4"};

/* Which one is had: the second one where the first one is not preferred. */
static void assert_choice(const char *accept, const h2_offer *choice)
{
    int is_open = h2_accept_prefers(accept, &open, &text);

    if (is_open != (choice == &open)) {
        fail_msg("Accept: %s", accept ? accept : "(none)");
    }
}

static void without_a_preference_it_is_the_second_one(void **state)
{
    (void)state;
    assert_choice(NULL, &text);
    assert_choice("", &text);
    assert_choice(" , ,;,", &text);
    assert_choice("*/*", &text);
    assert_choice("application/json", &text);
    assert_choice("text/html, image/*;q=0.8", &text);
    assert_choice("application/openmetrics-text, text/plain", &text);
    assert_choice("*/*;q=0", &text);
}

static void the_better_quality_wins(void **state)
{
    (void)state;
    assert_choice("application/openmetrics-text", &open);
    assert_choice("application/openmetrics-text;q=0.5,text/plain;q=0.4", &open);
    assert_choice("application/openmetrics-text;q=0.4,text/plain;q=0.5", &text);
    assert_choice("application/openmetrics-text;q=0.501,text/plain;q=0.5", &open);
    assert_choice("application/openmetrics-text;q=0.499,text/plain;q=0.5", &text);
    assert_choice("application/openmetrics-text;q=0", &text);
    assert_choice("application/openmetrics-text;q=0.000,*/*", &text);
    assert_choice("application/openmetrics-text;q=1,text/plain;q=0.9", &open);
    assert_choice("application/openmetrics-text;q=1.000,text/plain;q=0.999", &open);
    assert_choice("application/*;q=0.6, text/*;q=0.5", &open);
    assert_choice("application/*;q=0.4, text/*;q=0.5", &text);
}

static void the_most_specific_range_says_the_quality(void **state)
{
    (void)state;
    assert_choice("*/*, text/plain;q=0.1", &open);
    assert_choice("*/*;q=0.9, application/openmetrics-text;q=0.1", &text);
    assert_choice("text/*;q=1, text/plain;q=0.2, */*;q=0.3", &open);
    assert_choice("text/plain;q=0.9, text/plain;version=0.0.4;q=0.1, "
                  "application/openmetrics-text;q=0.5", &open);
    assert_choice("application/openmetrics-text, */*", &open);
    assert_choice("*/*, application/openmetrics-text", &open);
    assert_choice("text/plain, */*", &text);
    assert_choice("application/*, */*", &open);
}

static void other_versions_are_not_meant(void **state)
{
    (void)state;
    assert_choice("application/openmetrics-text;version=0.0.1", &text);
    assert_choice("application/openmetrics-text;version=0.0.1,text/plain;version=0.0.4;q=0.1",
                  &text);
    assert_choice("application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=1.0.0",
                  &open);
    assert_choice("application/openmetrics-text; version=\"1.0.0\"; charset=utf-8", &open);
    assert_choice("application/openmetrics-text;version=1.0.00", &text);
    assert_choice("application/openmetrics-text;version=1.0", &text);
}

/* As versions 2.5, 2.42 and 3 of it send them. */
static void prometheus_gets_what_it_prefers(void **state)
{
    (void)state;
    assert_choice("application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,"
                  "*/*;q=0.1", &text);
    assert_choice("application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
                  "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", &open);
    assert_choice("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
                  "application/openmetrics-text;version=0.0.1;q=0.4,"
                  "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
                  "text/plain;version=0.0.4;q=0.2,*/*;q=0.1", &open);
}

static void case_and_blanks_do_not_matter(void **state)
{
    (void)state;
    assert_choice("Application/OpenMetrics-Text ; Version=1.0.0 ;\tQ=0.5 , TEXT/PLAIN ; q=0.4",
                  &open);
    assert_choice("\tapplication/openmetrics-text\t", &open);
    assert_choice("application/openmetrics-text;;q=0.4,text/plain;q=0.5", &text);
    assert_choice("application/openmetrics-text; q = 0.4, text/plain; q = 0.5", &text);
}

static void quoted_strings_hold_together(void **state)
{
    (void)state;
    assert_choice("text/html;x=\"a,application/openmetrics-text\"", &text);
    assert_choice("application/openmetrics-text;x=\";q=0\"", &open);
    assert_choice("application/openmetrics-text;x=\"\\\";q=0\"", &open);
    assert_choice("text/html;x=\"\\", &text);
    assert_choice("text/html;x=\"", &text);
    assert_choice("application/openmetrics-text;version=\"", &text);
}

static void a_bad_quality_is_as_if_it_were_not_there(void **state)
{
    static const char *const bad[] = {"", ".5", "2", "1.001", "-1", "0.x", "abc", "05"};
    char accept[100];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); ++i) {
        apr_snprintf(accept, sizeof(accept),
                     "text/plain;q=0.999, application/openmetrics-text;q=%s", bad[i]);
        assert_choice(accept, &open);
    }
}

static void parts_of_types_are_others(void **state)
{
    (void)state;
    assert_choice("application/openmetrics", &text);
    assert_choice("application/openmetrics-texts", &text);
    assert_choice("application", &text);
    assert_choice("application/", &text);
    assert_choice("app/*", &text);
    assert_choice("*", &text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_preference_it_is_the_second_one),
        cmocka_unit_test(the_better_quality_wins),
        cmocka_unit_test(the_most_specific_range_says_the_quality),
        cmocka_unit_test(other_versions_are_not_meant),
        cmocka_unit_test(prometheus_gets_what_it_prefers),
        cmocka_unit_test(case_and_blanks_do_not_matter),
        cmocka_unit_test(quoted_strings_hold_together),
        cmocka_unit_test(a_bad_quality_is_as_if_it_were_not_there),
        cmocka_unit_test(parts_of_types_are_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

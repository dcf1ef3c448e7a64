/* message/h2_link.c: the reader of the Link field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "message/h2_link.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

static apr_pool_t *pool;

static int setup(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return 0;
}

/* What is read of a field, in one string: a target in <>, "as" and a letter for each
 * flag; "" for none. The field stands in memory of exactly its size. */
static const char *read_all(const char *field)
{
    char *copy = malloc(strlen(field) + 1);
    const char *text = strcpy(copy, field);
    const char *all = "";
    h2_link link;

    while (h2_link_next(&text, pool, &link)) {
        all = apr_pstrcat(pool, all, "<", link.target, ">", link.as ? link.as : "-",
                          link.is_preload ? "P" : "", link.is_nopush ? "N" : "",
                          link.is_critical ? "C" : "", " ", NULL);
    }
    assert_ptr_equal(text, copy + strlen(field));
    free(copy);
    return all;
}

static void assert_read(const char *field, const char *expected)
{
    assert_string_equal(read_all(field), expected);
}

static int is_preload(const char *params)
{
    const char *all = read_all(apr_pstrcat(pool, "</a>", params, NULL));

    assert_true(!strcmp(all, "</a>-P ") || !strcmp(all, "</a>- "));
    return strchr(all, 'P') != NULL;
}

static void assert_skipped(const char *malformed)
{
    assert_read(malformed, "");
    assert_read(apr_pstrcat(pool, "</1>, ", malformed, NULL), "</1>- ");
    assert_read(apr_pstrcat(pool, malformed, ",</2>;rel=preload", NULL), "</2>-P ");
}

static void a_field_without_links_has_none(void **state)
{
    (void)state;
    assert_read("", "");
    assert_read(" \t ", "");
    assert_read(",", "");
    assert_read(" ,, \t, ", "");
}

static void a_link_needs_no_parameters(void **state)
{
    (void)state;
    assert_read("</a>", "</a>- ");
    assert_read(" \t</a>\t ", "</a>- ");
    assert_read("<>", "<>- ");
}

static void a_usual_link_is_read(void **state)
{
    (void)state;
    assert_read("</style.css>; rel=preload; as=style", "</style.css>styleP ");
    assert_read("<https://example.org/a?b=c&d#e>;rel=\"preload\";as=\"script\";nopush",
                "<https://example.org/a?b=c&d#e>scriptPN ");
    assert_read("</b.js>; rel=preload; as=script; critical; crossorigin", "</b.js>scriptPC ");
    assert_read("</c>; rel=next", "</c>- ");
}

static void several_links_come_in_their_order(void **state)
{
    (void)state;
    assert_read("</1>;rel=preload, </2>;as=x,</3>,,, </4>;nopush ,",
                "</1>-P </2>x </3>- </4>-N ");
}

static void after_the_last_link_the_text_stays_at_its_end(void **state)
{
    const char *text = "</a>,";
    const char *field = text;
    h2_link link;

    (void)state;
    assert_true(h2_link_next(&text, pool, &link));
    assert_false(h2_link_next(&text, pool, &link));
    assert_ptr_equal(text, field + 5);
    assert_false(h2_link_next(&text, pool, &link));
    assert_ptr_equal(text, field + 5);
}

static void without_a_link_the_last_one_is_untouched(void **state)
{
    const char *text = "</a>;as=x;critical, <b";
    h2_link link;

    (void)state;
    assert_true(h2_link_next(&text, pool, &link));
    assert_false(h2_link_next(&text, pool, &link));
    assert_string_equal(link.target, "/a");
    assert_string_equal(link.as, "x");
    assert_true(link.is_critical);
}

static void strings_do_not_depend_on_the_text(void **state)
{
    char field[] = "</abc>;as=\"style\"";
    const char *text = field;
    h2_link link;

    (void)state;
    assert_true(h2_link_next(&text, pool, &link));
    memset(field, 'x', sizeof(field) - 1);
    assert_string_equal(link.target, "/abc");
    assert_string_equal(link.as, "style");
}

static void commas_and_semicolons_in_a_target_do_not_separate(void **state)
{
    (void)state;
    assert_read("</a,b;c>;rel=preload,</d>", "</a,b;c>-P </d>- ");
    assert_read("</a\",>, </b\"> ", "</a\",>- </b\">- ");
}

static void commas_and_semicolons_in_quotes_do_not_separate(void **state)
{
    (void)state;
    assert_read("</a>;title=\"x, </b>; rel=preload; as=y\";rel=next,</c>", "</a>- </c>- ");
    assert_read("</a>;as=\"a,b;c\"", "</a>a,b;c ");
}

static void quoted_pairs_are_resolved_and_close_no_string(void **state)
{
    (void)state;
    assert_read("</a>;title=\"x\\\", </b>;\";rel=preload", "</a>-P ");
    assert_read("</a>;as=\"s\\t\\\"y\\\\le\"", "</a>st\"y\\le ");
    assert_read("</a>;title=\"\\\\\";rel=preload", "</a>-P ");
    assert_true(is_preload(";rel=\"pre\\load\""));
    /* outside of quotes a backslash is an octet like others */
    assert_read("</a>;as=x\\y", "</a>x\\y ");
}

static void blanks_are_allowed_around_each_sign(void **state)
{
    (void)state;
    assert_read("</a> \t; \trel \t= \tpreload \t; as = \"x\" ; nopush ;critical\t, </b>",
                "</a>xPNC </b>- ");
}

static void names_of_parameters_ignore_case(void **state)
{
    (void)state;
    assert_read("</a>;REL=preload;As=x;NoPush;CRITICAL", "</a>xPNC ");
}

static void a_part_of_a_name_is_not_the_name(void **state)
{
    (void)state;
    assert_read("</a>;re=preload;rel2=preload;rel*=preload;a=x;asx=x;as*=x;nopus;nopush2;critica;"
                "xcritical",
                "</a>- ");
}

static void preload_is_found_in_any_list_of_relations(void **state)
{
    static const char *const lists[] = {
        ";rel=preload",
        ";rel=\"preload\"",
        ";rel=PreLoad",
        ";rel=\"  preload \t\"",
        ";rel=\"preload stylesheet\"",
        ";rel=\"stylesheet preload\"",
        ";rel=\"a\tPRELOAD\tb\"",
        ";rel=preload stylesheet",
        ";rel=\"http://example.org/preload preload\"",
    };
    int i;

    (void)state;
    for (i = 0; i < COUNT(lists); ++i) {
        assert_true(is_preload(lists[i]));
    }
}

static void other_relations_are_no_preload(void **state)
{
    static const char *const lists[] = {
        "",
        ";rel",
        ";rel=",
        ";rel=\"\"",
        ";rel=\" \"",
        ";rel=preloa",
        ";rel=preload2",
        ";rel=\"modulepreload\"",
        ";rel=\"pre load\"",
        ";rel=preload/x",
        ";rel=\"http://example.org/preload\"",
        ";rev=preload",
        ";title=preload",
        ";preload",
    };
    int i;

    (void)state;
    for (i = 0; i < COUNT(lists); ++i) {
        assert_false(is_preload(lists[i]));
    }
}

static void only_the_first_rel_counts(void **state)
{
    (void)state;
    assert_true(is_preload(";rel=preload;rel=next"));
    assert_false(is_preload(";rel=next;rel=preload"));
    assert_false(is_preload(";rel;rel=preload"));
    assert_false(is_preload(";rel=\"\";REL=preload"));
}

static void only_the_first_as_counts_and_an_empty_one_is_none(void **state)
{
    (void)state;
    assert_read("</a>;as=style;as=script", "</a>style ");
    assert_read("</a>;as=;as=script", "</a>- ");
    assert_read("</a>;as=\"\"", "</a>- ");
    assert_read("</a>;as", "</a>- ");
    assert_read("</a>;as=Style", "</a>Style ");
    assert_read("</a>;as=font/woff2 ", "</a>font/woff2 ");
}

static void a_link_with_an_anchor_is_no_preload(void **state)
{
    (void)state;
    assert_false(is_preload(";rel=preload;anchor=\"/b\""));
    assert_false(is_preload(";anchor=/b;rel=preload"));
    assert_false(is_preload(";rel=preload;Anchor"));
    assert_read("</a>;rel=preload;anchor=\"#x\";as=style, </b>;rel=preload", "</a>style </b>-P ");
}

static void nopush_and_critical_may_have_a_value(void **state)
{
    (void)state;
    assert_read("</a>;nopush=\"\";critical=0", "</a>-NC ");
    assert_read("</a>;nopush;nopush=x", "</a>-N ");
}

static void empty_and_unknown_parameters_are_passed_over(void **state)
{
    (void)state;
    assert_read("</a>;;;; ;rel=preload;;", "</a>-P ");
    assert_read("</a>;=x;=;=\"y\";rel=preload", "</a>-P ");
    assert_read("</a>;title*=UTF-8'de'n%c3%a4chste;x;y=;rel=preload;z=a=b", "</a>-P ");
}

static void any_octet_from_80_on_is_let_through(void **state)
{
    (void)state;
    assert_read("</\x80\xff\xc3\xa4>;\xe4\xff=\"\x80\";as=\xfe;rel=preload",
                "</\x80\xff\xc3\xa4>\xfeP ");
}

static void a_malformed_link_does_not_spoil_the_others(void **state)
{
    static const char *const malformed[] = {
        "a",
        "/a;rel=preload",
        ";rel=preload",
        "a</b>;rel=preload",
        "</a>b",
        "</a> b;rel=preload",
        "</a>>;rel=preload",
        "</a></b>;rel=preload",
        "</a>\"x,y\";rel=preload",
        "</a>=x",
        "<a<b>;rel=preload",
        "\"</a>,\";rel=preload",
        "a<b,c>;rel=preload",
        "</a>;rel=\"preload\"x",
        "</a>;rel=\"preload\" x;as=y",
        "</a>;rel=pre\"load\"",
        "</a>;re l=preload",
        "</a>;\"rel\"=preload",
        "</a>;r\"e,l\"=preload",
        "</a>;rel = preload; a\"b,c\\\",\"",
        ">",
        "=",
    };
    int i;

    (void)state;
    for (i = 0; i < COUNT(malformed); ++i) {
        assert_skipped(malformed[i]);
    }
}

static void an_unclosed_bracket_or_quote_ends_the_field(void **state)
{
    (void)state;
    assert_read("</1>,<", "</1>- ");
    assert_read("</1>,</a,b", "</1>- ");
    assert_read("</1>,</a, </b>;rel=preload", "</1>- ");
    assert_read("</1>,</a>;rel=\"preload", "</1>- ");
    assert_read("</1>,</a>;rel=\"preload, </b>", "</1>- ");
    assert_read("</1>,</a>;rel=\"preload\\", "</1>- ");
    assert_read("</1>,</a>;rel=\"preload\\\"", "</1>- ");
    assert_read("</1>,</a>;rel=\"", "</1>- ");
    assert_read("</1>,\"", "</1>- ");
    assert_read("</1>,x\"\\", "</1>- ");
}

static void a_bracket_in_a_parameter_hides_no_link(void **state)
{
    (void)state;
    assert_read("</a>;title=a<b, </c>;rel=preload", "</a>- </c>-P ");
}

static void any_end_is_an_end(void **state)
{
    static const char whole[] =
        " <a,\"b>; rel = \"x preload\\\" y\" ;; as =style; nopush=\"\\,\", <c>";
    apr_size_t length;

    (void)state;
    for (length = 0; length <= strlen(whole); ++length) {
        read_all(apr_pstrmemdup(pool, whole, length));
    }
}

/* Each text of four of these octets. */
static void any_order_of_signs_is_survived(void **state)
{
    static const char signs[] = "<>,;=\"\\ \ta\xff";
    int n = (int)strlen(signs), i, place;
    char field[] = "<a>;rel=....";

    (void)state;
    for (i = 0; i < n * n * n * n; ++i) {
        int rest = i;

        for (place = 0; place < 4; ++place, rest /= n) {
            field[8 + place] = signs[rest % n];
        }
        read_all(field);
        read_all(field + 4);
        read_all(field + 8);
        apr_pool_clear(pool);
    }
}

static int count_links(const char *text)
{
    apr_pool_t *sub;
    h2_link link;
    int count = 0;

    apr_pool_create(&sub, pool);
    while (h2_link_next(&text, sub, &link)) {
        ++count;
        apr_pool_clear(sub);
    }
    apr_pool_destroy(sub);
    return count;
}

/* Were time not linear, these 4 MB would take hours. */
static void long_fields_take_linear_time(void **state)
{
    static const struct {
        const char *piece;
        int links;
    } cases[] = {
        {",", 0}, {"<", 0},    {"<>,", 1}, {"<>;,", 1},  {"\"\\", 0},
        {";", 0}, {"<a<,", 0}, {"a,", 0},  {"\"\",", 0}, {"<>;rel=\"a b\",", 1},
    };
    const int bytes = 4 * 1024 * 1024;
    char *field = malloc(bytes + 64);
    int i;

    (void)state;
    for (i = 0; i < COUNT(cases); ++i) {
        int size = (int)strlen(cases[i].piece), count = bytes / size, n;

        for (n = 0; n < count; ++n) {
            memcpy(field + n * size, cases[i].piece, size);
        }
        field[n * size] = '\0';
        assert_int_equal(count_links(field), count * cases[i].links);
    }
    free(field);
}

static void long_parameters_are_read(void **state)
{
    const int bytes = 1024 * 1024;
    char *many = apr_palloc(pool, bytes + 1);

    (void)state;
    memset(many, ';', bytes);
    many[bytes] = '\0';
    assert_true(is_preload(apr_pstrcat(pool, many, "rel=preload", NULL)));
    memset(many, 'x', bytes);
    assert_true(is_preload(apr_pstrcat(pool, ";", many, "=", many, ";rel=preload", NULL)));
    memset(many, ' ', bytes);
    assert_true(is_preload(apr_pstrcat(pool, ";rel=\"", many, "preload\"", many, NULL)));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_field_without_links_has_none),
        TEST(a_link_needs_no_parameters),
        TEST(a_usual_link_is_read),
        TEST(several_links_come_in_their_order),
        TEST(after_the_last_link_the_text_stays_at_its_end),
        TEST(without_a_link_the_last_one_is_untouched),
        TEST(strings_do_not_depend_on_the_text),
        TEST(commas_and_semicolons_in_a_target_do_not_separate),
        TEST(commas_and_semicolons_in_quotes_do_not_separate),
        TEST(quoted_pairs_are_resolved_and_close_no_string),
        TEST(blanks_are_allowed_around_each_sign),
        TEST(names_of_parameters_ignore_case),
        TEST(a_part_of_a_name_is_not_the_name),
        TEST(preload_is_found_in_any_list_of_relations),
        TEST(other_relations_are_no_preload),
        TEST(only_the_first_rel_counts),
        TEST(only_the_first_as_counts_and_an_empty_one_is_none),
        TEST(a_link_with_an_anchor_is_no_preload),
        TEST(nopush_and_critical_may_have_a_value),
        TEST(empty_and_unknown_parameters_are_passed_over),
        TEST(any_octet_from_80_on_is_let_through),
        TEST(a_malformed_link_does_not_spoil_the_others),
        TEST(an_unclosed_bracket_or_quote_ends_the_field),
        TEST(a_bracket_in_a_parameter_hides_no_link),
        TEST(any_end_is_an_end),
        TEST(any_order_of_signs_is_survived),
        TEST(long_fields_take_linear_time),
        TEST(long_parameters_are_read),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

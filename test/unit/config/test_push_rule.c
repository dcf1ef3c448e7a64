/* config/h2_push_rule.c: which rule a pushed response has, and which resources are pushed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "config/h2_push_rule.h"

static apr_pool_t *pool;
static apr_array_header_t *rules;
static apr_array_header_t *resources;

static int setup(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    rules = NULL;
    resources = NULL;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return 0;
}

static void add_rule(apr_array_header_t **plist, const char *type, h2_push_order order, int weight)
{
    h2_push_rule rule;

    memset(&rule, 0, sizeof(rule));
    rule.type = type;
    rule.order = order;
    rule.weight = weight;
    h2_push_rules_add(plist, pool, &rule);
}

static void add_resource(apr_array_header_t **plist, const char *path, int is_critical)
{
    h2_push_resource resource;

    resource.path = path;
    resource.is_critical = is_critical;
    h2_push_resources_add(plist, pool, &resource);
}

/* The weights tell the rules of these tests from each other. */
static int weight_of(const apr_array_header_t *list, const char *content_type)
{
    const h2_push_rule *rule = h2_push_rules_find(list, content_type);

    assert_non_null(rule);
    return rule->weight;
}

static void assert_is_default(const h2_push_rule *rule)
{
    assert_non_null(rule);
    assert_string_equal(rule->type, "*");
    assert_int_equal(rule->order, H2_PUSH_AFTER);
    assert_int_equal(rule->weight, 16);
}

static void assert_resource(const apr_array_header_t *list, int index, const char *path,
                            int is_critical)
{
    const h2_push_resource *resource;

    assert_true(index < list->nelts);
    resource = &APR_ARRAY_IDX(list, index, h2_push_resource);
    assert_string_equal(resource->path, path);
    assert_int_equal(resource->is_critical, is_critical);
}

static void without_rules_everything_comes_after_with_16(void **state)
{
    (void)state;
    assert_is_default(h2_push_rules_find(NULL, "text/css"));
    assert_is_default(h2_push_rules_find(NULL, "*"));
    assert_is_default(h2_push_rules_find(NULL, ""));
    assert_is_default(h2_push_rules_find(NULL, NULL));
}

static void a_type_without_a_rule_has_the_default(void **state)
{
    (void)state;
    add_rule(&rules, "text/css", H2_PUSH_BEFORE, 1);
    assert_is_default(h2_push_rules_find(rules, "text/html"));
    assert_is_default(h2_push_rules_find(rules, "text/css2"));
    assert_is_default(h2_push_rules_find(rules, "text/cs"));
    assert_is_default(h2_push_rules_find(rules, "text/"));
    assert_is_default(h2_push_rules_find(rules, " text/css"));
    assert_is_default(h2_push_rules_find(rules, ""));
    assert_is_default(h2_push_rules_find(rules, ";"));
    assert_is_default(h2_push_rules_find(rules, NULL));
}

static void a_rule_is_found_by_its_type_in_any_case(void **state)
{
    static const char *const types[] = {"text/css", "TEXT/CSS", "Text/Css"};
    size_t i;

    (void)state;
    add_rule(&rules, "image/png", H2_PUSH_AFTER, 7);
    add_rule(&rules, "Text/CSS", H2_PUSH_INTERLEAVED, 300);
    for (i = 0; i < sizeof(types) / sizeof(types[0]); ++i) {
        const h2_push_rule *rule = h2_push_rules_find(rules, types[i]);

        assert_string_equal(rule->type, "Text/CSS");
        assert_int_equal(rule->order, H2_PUSH_INTERLEAVED);
        assert_int_equal(rule->weight, 300);
    }
    assert_int_equal(weight_of(rules, "image/png"), 7);
}

static void parameters_of_a_content_type_do_not_count(void **state)
{
    static const char *const types[] = {
        "text/css;charset=utf-8",   "text/css; charset=utf-8", "text/css ;charset=utf-8",
        "text/css\t; charset=utf-8", "text/css;",              "text/css ",
        "text/css; x=\"image/png\"",
    };
    size_t i;

    (void)state;
    add_rule(&rules, "image/png", H2_PUSH_AFTER, 7);
    add_rule(&rules, "text/css", H2_PUSH_AFTER, 9);
    for (i = 0; i < sizeof(types) / sizeof(types[0]); ++i) {
        assert_int_equal(weight_of(rules, types[i]), 9);
    }
}

static void the_rule_for_all_is_for_those_without_their_own(void **state)
{
    (void)state;
    add_rule(&rules, "*", H2_PUSH_AFTER, 3);
    add_rule(&rules, "text/css", H2_PUSH_AFTER, 9);
    assert_int_equal(weight_of(rules, "text/css"), 9);
    assert_int_equal(weight_of(rules, "text/html"), 3);
    assert_int_equal(weight_of(rules, "*"), 3);
    assert_int_equal(weight_of(rules, ""), 3);
    assert_int_equal(weight_of(rules, NULL), 3);
}

static void its_place_among_the_rules_does_not_matter(void **state)
{
    (void)state;
    add_rule(&rules, "text/css", H2_PUSH_AFTER, 9);
    add_rule(&rules, "*", H2_PUSH_AFTER, 3);
    add_rule(&rules, "text/html", H2_PUSH_AFTER, 11);
    assert_int_equal(weight_of(rules, "text/css"), 9);
    assert_int_equal(weight_of(rules, "text/html"), 11);
    assert_int_equal(weight_of(rules, "image/png"), 3);
}

static void a_second_rule_for_a_type_replaces_the_first(void **state)
{
    (void)state;
    add_rule(&rules, "text/css", H2_PUSH_AFTER, 9);
    add_rule(&rules, "*", H2_PUSH_AFTER, 3);
    add_rule(&rules, "TEXT/css", H2_PUSH_BEFORE, 10);
    add_rule(&rules, "*", H2_PUSH_INTERLEAVED, 4);
    assert_int_equal(rules->nelts, 2);
    assert_int_equal(weight_of(rules, "text/css"), 10);
    assert_int_equal(h2_push_rules_find(rules, "text/css")->order, H2_PUSH_BEFORE);
    assert_int_equal(weight_of(rules, "text/html"), 4);
    assert_int_equal(h2_push_rules_find(rules, NULL)->order, H2_PUSH_INTERLEAVED);
}

static void rules_are_copied_and_there_may_be_many(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 100; ++i) {
        add_rule(&rules, apr_psprintf(pool, "x/%d", i), H2_PUSH_AFTER, i + 1);
    }
    assert_int_equal(rules->nelts, 100);
    for (i = 0; i < 100; ++i) {
        assert_int_equal(weight_of(rules, apr_psprintf(pool, "X/%d; a", i)), i + 1);
    }
}

static void rules_of_one_side_alone_hold(void **state)
{
    (void)state;
    assert_null(h2_push_rules_merge(pool, NULL, NULL));
    add_rule(&rules, "text/css", H2_PUSH_AFTER, 9);
    assert_int_equal(weight_of(h2_push_rules_merge(pool, rules, NULL), "text/css"), 9);
    assert_int_equal(weight_of(h2_push_rules_merge(pool, NULL, rules), "text/css"), 9);
}

static void inner_rules_win_by_type_and_outer_ones_stay(void **state)
{
    apr_array_header_t *inner = NULL, *merged;

    (void)state;
    add_rule(&rules, "text/css", H2_PUSH_AFTER, 9);
    add_rule(&rules, "*", H2_PUSH_AFTER, 3);
    add_rule(&inner, "image/png", H2_PUSH_AFTER, 20);
    add_rule(&inner, "Text/Css", H2_PUSH_BEFORE, 21);
    merged = h2_push_rules_merge(pool, rules, inner);
    assert_int_equal(merged->nelts, 3);
    assert_int_equal(weight_of(merged, "text/css"), 21);
    assert_int_equal(weight_of(merged, "image/png"), 20);
    assert_int_equal(weight_of(merged, "text/html"), 3);

    /* Other vhosts merge the same ones. */
    assert_int_equal(rules->nelts, 2);
    assert_int_equal(weight_of(rules, "text/css"), 9);
    assert_int_equal(weight_of(rules, "image/png"), 3);
    assert_int_equal(inner->nelts, 2);
    assert_int_equal(weight_of(inner, "text/html"), 16);
}

static void resources_stay_in_their_order(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 50; ++i) {
        add_resource(&resources, apr_psprintf(pool, "/%d", i), i % 2);
    }
    assert_int_equal(resources->nelts, 50);
    for (i = 0; i < 50; ++i) {
        assert_resource(resources, i, apr_psprintf(pool, "/%d", i), i % 2);
    }
}

static void a_resource_that_is_given_again_replaces_itself(void **state)
{
    (void)state;
    add_resource(&resources, "/a.css", 0);
    add_resource(&resources, "/b.css", 1);
    add_resource(&resources, "/a.css", 1);
    add_resource(&resources, "/b.css", 0);
    add_resource(&resources, "/A.css", 0); /* paths have a case */
    assert_int_equal(resources->nelts, 3);
    assert_resource(resources, 0, "/a.css", 1);
    assert_resource(resources, 1, "/b.css", 0);
    assert_resource(resources, 2, "/A.css", 0);
}

static void resources_of_one_side_alone_hold(void **state)
{
    (void)state;
    assert_null(h2_push_resources_merge(pool, NULL, NULL));
    add_resource(&resources, "/a.css", 1);
    assert_resource(h2_push_resources_merge(pool, resources, NULL), 0, "/a.css", 1);
    assert_resource(h2_push_resources_merge(pool, NULL, resources), 0, "/a.css", 1);
}

static void resources_of_both_sides_add_up(void **state)
{
    apr_array_header_t *inner = NULL, *merged;

    (void)state;
    add_resource(&resources, "/a.css", 0);
    add_resource(&resources, "/b.css", 0);
    add_resource(&inner, "/c.css", 1);
    add_resource(&inner, "/a.css", 1);
    merged = h2_push_resources_merge(pool, resources, inner);
    assert_int_equal(merged->nelts, 3);
    assert_resource(merged, 0, "/a.css", 1);
    assert_resource(merged, 1, "/b.css", 0);
    assert_resource(merged, 2, "/c.css", 1);

    /* Other requests merge the same ones. */
    assert_int_equal(resources->nelts, 2);
    assert_resource(resources, 0, "/a.css", 0);
    assert_int_equal(inner->nelts, 2);
    assert_resource(inner, 0, "/c.css", 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_rules_everything_comes_after_with_16),
        TEST(a_type_without_a_rule_has_the_default),
        TEST(a_rule_is_found_by_its_type_in_any_case),
        TEST(parameters_of_a_content_type_do_not_count),
        TEST(the_rule_for_all_is_for_those_without_their_own),
        TEST(its_place_among_the_rules_does_not_matter),
        TEST(a_second_rule_for_a_type_replaces_the_first),
        TEST(rules_are_copied_and_there_may_be_many),
        TEST(rules_of_one_side_alone_hold),
        TEST(inner_rules_win_by_type_and_outer_ones_stay),
        TEST(resources_stay_in_their_order),
        TEST(a_resource_that_is_given_again_replaces_itself),
        TEST(resources_of_one_side_alone_hold),
        TEST(resources_of_both_sides_add_up),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

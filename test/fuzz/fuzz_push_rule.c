/*
 * The rules of H2PushPriority and the resources of H2PushResource: of an outer place, an inner one,
 * and both together. Input: for each rule its place, its order and weight, its type; then content
 * types that are looked up.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/h2_push_rule.h"
#include "fuzz.h"

#define RULES_MAX 64

/* The same, done plainly: the last rule for a type counts. */
static struct {
    h2_push_rule rules[2][RULES_MAX]; /* outer, inner */
    int counts[2];
} plain;

static const h2_push_rule *last_of(int place, const char *type, size_t length)
{
    const h2_push_rule *found = NULL;
    int i;

    for (i = 0; i < plain.counts[place]; ++i) {
        const h2_push_rule *rule = &plain.rules[place][i];

        if (strlen(rule->type) == length && !strncasecmp(rule->type, type, length)) {
            found = rule;
        }
    }
    return found;
}

static const h2_push_rule *find_plainly(const char *type)
{
    const h2_push_rule *found = NULL;
    size_t length = type ? strcspn(type, "; \t") : 0;

    if (type) {
        found = last_of(1, type, length);
        found = found ? found : last_of(0, type, length);
    }
    if (!found) {
        found = last_of(1, "*", 1);
        found = found ? found : last_of(0, "*", 1);
    }
    return found;
}

static char *read_text(fuzz_input *input, apr_pool_t *pool)
{
    size_t length;
    const uint8_t *bytes = fuzz_bytes(input, fuzz_byte(input) % 24, &length);
    char *text = fuzz_text(bytes, length), *copy = apr_pstrdup(pool, text);

    free(text);
    return copy;
}

static void add_rule(fuzz_input *input, apr_pool_t *pool, apr_array_header_t **places)
{
    int place = (int)fuzz_byte(input) & 1;
    h2_push_rule rule;

    rule.order = (h2_push_order)(fuzz_byte(input) % 3);
    rule.weight = H2_PUSH_WEIGHT_MIN + (int)fuzz_byte(input);
    rule.type = read_text(input, pool);
    h2_push_rules_add(&places[place], pool, &rule);
    plain.rules[place][plain.counts[place]++] = rule;
}

static void check_rules(const apr_array_header_t *rules)
{
    int i, j;

    for (i = 0; rules && i < rules->nelts; ++i) {
        for (j = 0; j < i; ++j) {
            FUZZ_CHECK(strcasecmp(APR_ARRAY_IDX(rules, i, h2_push_rule).type,
                                  APR_ARRAY_IDX(rules, j, h2_push_rule).type));
        }
    }
}

static void check_find(const apr_array_header_t *rules, const char *type)
{
    const h2_push_rule *found = h2_push_rules_find(rules, type), *expected = find_plainly(type);

    FUZZ_CHECK(found);
    if (!expected) {
        FUZZ_CHECK(found->order == H2_PUSH_AFTER && found->weight == H2_PUSH_AFTER_WEIGHT);
        return;
    }
    FUZZ_CHECK(found->order == expected->order && found->weight == expected->weight);
}

static void check_resources(fuzz_input *input, apr_pool_t *pool)
{
    apr_array_header_t *places[2] = {NULL, NULL}, *merged;
    int count = (int)(fuzz_byte(input) % 8), i, j;

    while (count--) {
        h2_push_resource resource = {read_text(input, pool), (int)fuzz_byte(input) & 1};
        int place = (int)fuzz_byte(input) & 1;

        h2_push_resources_add(&places[place], pool, &resource);
    }
    merged = h2_push_resources_merge(pool, places[0], places[1]);
    for (i = 0; merged && i < merged->nelts; ++i) {
        for (j = 0; j < i; ++j) {
            FUZZ_CHECK(strcmp(APR_ARRAY_IDX(merged, i, h2_push_resource).path,
                              APR_ARRAY_IDX(merged, j, h2_push_resource).path));
        }
    }
    FUZZ_CHECK((merged == NULL) == (!places[0] && !places[1]));
}

void fuzz_run(apr_pool_t *pool, const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    apr_array_header_t *places[2] = {NULL, NULL}, *merged;
    int count = (int)(fuzz_byte(&input) % RULES_MAX);

    memset(&plain, 0, sizeof(plain));
    while (count-- && input.left) {
        add_rule(&input, pool, places);
    }
    merged = h2_push_rules_merge(pool, places[0], places[1]);
    check_rules(places[0]);
    check_rules(places[1]);
    check_rules(merged);
    check_resources(&input, pool);
    check_find(merged, NULL);
    while (input.left) {
        check_find(merged, read_text(&input, pool));
    }
}

#include "config/h2_push_rule.h"

#include <string.h>
#include <strings.h>

#define ANY_TYPE "*"

static const h2_push_rule default_rule = {ANY_TYPE, H2_PUSH_AFTER, H2_PUSH_AFTER_WEIGHT};

/* Bytes of a media type before its parameters, RFC 9110, 8.3.1. */
static size_t length_of_type(const char *content_type)
{
    return strcspn(content_type, "; \t");
}

static h2_push_rule *find(const apr_array_header_t *rules, const char *type, size_t length)
{
    int i;

    for (i = 0; rules && i < rules->nelts; ++i) {
        h2_push_rule *rule = &APR_ARRAY_IDX(rules, i, h2_push_rule);

        if (strlen(rule->type) == length && !strncasecmp(rule->type, type, length)) {
            return rule;
        }
    }
    return NULL;
}

void h2_push_rules_add(apr_array_header_t **prules, apr_pool_t *pool, const h2_push_rule *rule)
{
    h2_push_rule *known = find(*prules, rule->type, strlen(rule->type));

    if (!*prules) {
        *prules = apr_array_make(pool, 4, sizeof(*rule));
    }
    if (!known) {
        known = apr_array_push(*prules);
    }
    *known = *rule;
}

apr_array_header_t *h2_push_rules_merge(apr_pool_t *pool, apr_array_header_t *outer,
                                        apr_array_header_t *inner)
{
    apr_array_header_t *merged;
    int i;

    if (!outer || !inner) {
        return outer ? outer : inner;
    }
    merged = apr_array_copy(pool, outer);
    for (i = 0; i < inner->nelts; ++i) {
        h2_push_rules_add(&merged, pool, &APR_ARRAY_IDX(inner, i, h2_push_rule));
    }
    return merged;
}

const h2_push_rule *h2_push_rules_find(const apr_array_header_t *rules, const char *content_type)
{
    const h2_push_rule *rule = NULL;

    if (rules && content_type) {
        rule = find(rules, content_type, length_of_type(content_type));
    }
    if (!rule) {
        rule = find(rules, ANY_TYPE, strlen(ANY_TYPE));
    }
    return rule ? rule : &default_rule;
}

void h2_push_resources_add(apr_array_header_t **presources, apr_pool_t *pool,
                           const h2_push_resource *resource)
{
    int i;

    if (!*presources) {
        *presources = apr_array_make(pool, 4, sizeof(*resource));
    }
    for (i = 0; i < (*presources)->nelts; ++i) {
        h2_push_resource *known = &APR_ARRAY_IDX(*presources, i, h2_push_resource);

        if (!strcmp(known->path, resource->path)) {
            *known = *resource;
            return;
        }
    }
    *(h2_push_resource *)apr_array_push(*presources) = *resource;
}

apr_array_header_t *h2_push_resources_merge(apr_pool_t *pool, apr_array_header_t *outer,
                                            apr_array_header_t *inner)
{
    apr_array_header_t *merged;
    int i;

    if (!outer || !inner) {
        return outer ? outer : inner;
    }
    merged = apr_array_copy(pool, outer);
    for (i = 0; i < inner->nelts; ++i) {
        h2_push_resources_add(&merged, pool, &APR_ARRAY_IDX(inner, i, h2_push_resource));
    }
    return merged;
}

/*
 * What H2PushPriority and H2PushResource say: when a pushed response is sent, by its
 * content type, and which resources are pushed without a response that names them.
 *
 * Owner: the configuration pool (the request's pool for what .htaccess adds). Written
 * by the thread that reads the configuration, after that constant.
 */
#ifndef H2_PUSH_RULE_H
#define H2_PUSH_RULE_H

#include <apr_pools.h>
#include <apr_tables.h>

/* Where a pushed stream stands, seen from the one that it was pushed for. */
typedef enum {
    H2_PUSH_AFTER,       /* below it: has what the other one does not use */
    H2_PUSH_BEFORE,      /* above it, with its weight */
    H2_PUSH_INTERLEAVED  /* beside it: both share, by their weights */
} h2_push_order;

#define H2_PUSH_WEIGHT_MIN         1
#define H2_PUSH_WEIGHT_MAX         512 /* twice the other one's; what a stream gets is cut to 256 */
#define H2_PUSH_AFTER_WEIGHT       16  /* default */
#define H2_PUSH_INTERLEAVED_WEIGHT 256 /* default: as much as the other one */

typedef struct h2_push_rule {
    const char *type;     /* a content type without parameters, or "*" */
    h2_push_order order;
    int weight;           /* with H2_PUSH_INTERLEAVED in 256ths of the other stream's */
} h2_push_rule;

typedef struct h2_push_resource {
    const char *path;     /* a URI reference, resolved for each request */
    int is_critical;      /* boolean: before the response itself */
} h2_push_resource;

/* Adds a rule to *prules (made in pool where NULL) or replaces the one for its type. */
void h2_push_rules_add(apr_array_header_t **prules, apr_pool_t *pool, const h2_push_rule *rule);

/* Gives the rules of outer and inner, the latter preferred; either may be NULL. */
apr_array_header_t *h2_push_rules_merge(apr_pool_t *pool, apr_array_header_t *outer,
                                        apr_array_header_t *inner);

/* The rule for a response with this Content-Type (NULL: none), never NULL: without a
 * rule of its own that of "*", without that one "* after 16". Any thread. */
const h2_push_rule *h2_push_rules_find(const apr_array_header_t *rules, const char *content_type);

/* Adds a resource to *presources (made in pool where NULL), or replaces the same path. */
void h2_push_resources_add(apr_array_header_t **presources, apr_pool_t *pool,
                           const h2_push_resource *resource);

/* Gives the resources of outer and inner; either may be NULL. */
apr_array_header_t *h2_push_resources_merge(apr_pool_t *pool, apr_array_header_t *outer,
                                            apr_array_header_t *inner);

#endif /* H2_PUSH_RULE_H */

#include "config/h2_push_directives.h"

#include <apr_lib.h>

#include "config/h2_config.h"
#include "config/h2_draft.h"
#include "config/h2_value.h"

#define H2_PUSH_DIARY_LIMIT 32768

#define ALLOWED_TYPE  "a content type such as text/css, or *"
#define ALLOWED_ORDER "after, before or interleaved"
#define ALLOWED_PATH  "the path of a resource such as /style.css"
#define ALLOWED_DIARY "0 or a power of 2 up to 32768"

const char *h2_set_push_diary_size(cmd_parms *cmd, void *dir_conf, const char *text)
{
    const char *error = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    apr_int64_t value;

    (void)dir_conf;
    if (error) {
        return error;
    }
    if (h2_value_number_parse(text, 0, H2_PUSH_DIARY_LIMIT, &value) != APR_SUCCESS
        || (value & (value - 1))) {
        return h2_value_error(cmd->pool, cmd->cmd->name, text, ALLOWED_DIARY);
    }
    h2_config_set(h2_config_draft(cmd->server), H2_CONFIG_PUSH_DIARY, value);
    return NULL;
}

/* The order in a word, or a weight alone, which means after. Returns 0 if it is neither. */
static int parse_push_order(const char *text, h2_push_order *porder, const char **pweight)
{
    static const struct {
        const char *name;
        h2_push_order order;
    } orders[] = {
        {"after", H2_PUSH_AFTER},
        {"before", H2_PUSH_BEFORE},
        {"interleaved", H2_PUSH_INTERLEAVED},
    };
    apr_size_t i;

    for (i = 0; i < sizeof(orders) / sizeof(orders[0]); ++i) {
        if (!strcasecmp(text, orders[i].name)) {
            *porder = orders[i].order;
            return 1;
        }
    }
    *porder = H2_PUSH_AFTER;
    if (*pweight || !apr_isdigit(*text)) {
        return 0;
    }
    *pweight = text;
    return 1;
}

const char *h2_add_push_rule(cmd_parms *cmd, void *dir_conf, const char *type,
                                 const char *order, const char *weight)
{
    const char *error = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    h2_push_rule rule = {type, H2_PUSH_AFTER, H2_PUSH_AFTER_WEIGHT};
    apr_int64_t value;

    (void)dir_conf;
    if (error) {
        return error;
    }
    if (!*type) {
        return h2_value_error(cmd->pool, cmd->cmd->name, type, ALLOWED_TYPE);
    }
    if (strcmp(type, "*") && (!strchr(type, '/') || strpbrk(type, "*; \t"))) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, NULL, "%s: '%s' is the type of no response",
                     cmd->cmd->name, type);
    }
    if (!parse_push_order(order, &rule.order, &weight)) {
        return h2_value_error(cmd->pool, cmd->cmd->name, order,
                              weight ? ALLOWED_ORDER : ALLOWED_ORDER ", or a weight");
    }
    if (weight && rule.order == H2_PUSH_BEFORE) {
        return h2_value_error(cmd->pool, cmd->cmd->name, weight,
                              "left out: with before the weight is that of the client's request");
    }
    if (rule.order == H2_PUSH_INTERLEAVED) {
        rule.weight = H2_PUSH_INTERLEAVED_WEIGHT;
    }
    if (weight) {
        if (h2_value_number_parse(weight, H2_PUSH_WEIGHT_MIN, H2_PUSH_WEIGHT_MAX, &value)
            != APR_SUCCESS) {
            return h2_value_number_error(cmd->pool, cmd->cmd->name, weight, H2_PUSH_WEIGHT_MIN,
                                         H2_PUSH_WEIGHT_MAX);
        }
        rule.weight = (int)value;
    }
    h2_push_rules_add(&h2_config_draft(cmd->server)->push_rules, cmd->pool, &rule);
    return NULL;
}

/* [add] path [critical] */
const char *h2_add_push_resource(cmd_parms *cmd, void *dir_conf, const char *first,
                                     const char *second, const char *third)
{
    h2_dir_conf *conf = dir_conf;
    h2_push_resource resource = {first, 0};
    const char *last = second;

    if (!strcasecmp(first, "add") && second) {
        resource.path = second;
        last = third;
    }
    else if (third) {
        return h2_value_error(cmd->pool, cmd->cmd->name, first, "add where three words are given");
    }
    if (last && strcasecmp(last, "critical")) {
        return h2_value_error(cmd->pool, cmd->cmd->name, last, "critical, or left out");
    }
    if (!*resource.path || strpbrk(resource.path, "<> \t\r\n")) {
        return h2_value_error(cmd->pool, cmd->cmd->name, resource.path, ALLOWED_PATH);
    }
    resource.is_critical = (last != NULL);
    h2_push_resources_add(&conf->push_resources, cmd->pool, &resource);
    return NULL;
}

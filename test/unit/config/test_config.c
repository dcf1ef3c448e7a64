/* config/h2_config.c: defaults, merging, and who decides where several may. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>

#include "config/h2_config.h"
#include "config/h2_draft.h"

/* Stands in for the module record: its place in httpd's tables is 0. */
module AP_MODULE_DECLARE_DATA http2_module;

static apr_pool_t *pool;

static int setup(void **state)
{
    (void)state;
    return apr_pool_create(&pool, NULL);
}

static int teardown(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return 0;
}

static h2_server_conf *fresh_server(void)
{
    return h2_config_create_server(pool, NULL);
}

static h2_dir_conf *fresh_dir(void)
{
    return h2_config_create_dir(pool, NULL);
}

/* A value for each field that is not its default. */
static apr_int64_t odd_value(h2_config_field field)
{
    switch (field) {
    case H2_CONFIG_DIRECT:
    case H2_CONFIG_UPGRADE:
        return 1;
    case H2_CONFIG_MODERN_TLS_ONLY:
    case H2_CONFIG_OUTPUT_BUFFERING:
        return 0;
    default:
        return 1000 + (apr_int64_t)field;
    }
}

static void a_fresh_server_has_the_documented_defaults(void **state)
{
    h2_server_conf *conf = fresh_server();

    (void)state;
    assert_int_equal(conf->max_session_streams, 100);
    assert_int_equal(conf->window_bytes, 65535);
    assert_int_equal(conf->is_window_set, 0);
    assert_int_equal(conf->max_frame_bytes, 16384);
    assert_int_equal(conf->header_list_bytes, 65536);
    assert_null(conf->profile);
    assert_int_equal(conf->profile_fields, 0);
    assert_int_equal(conf->stream_mem_bytes, 65536);
    assert_int_equal(conf->min_workers, 0);
    assert_int_equal(conf->max_workers, 0);
    assert_int_equal(conf->worker_idle, apr_time_from_sec(600));
    assert_int_equal(conf->modern_tls_only, 1);
    assert_int_equal(conf->tls_warm_up_bytes, 1048576);
    assert_int_equal(conf->tls_cool_down, apr_time_from_sec(1));
    assert_int_equal(conf->padding_bits, 0);
    assert_int_equal(conf->max_data_frame_bytes, 0);
    assert_int_equal(conf->direct, H2_CONFIG_UNSET);
    assert_int_equal(conf->upgrade, H2_CONFIG_UNSET);
    assert_int_equal(conf->output_buffering, 1);
    assert_int_equal(conf->stream_timeout, H2_CONFIG_UNSET);
    assert_int_equal(conf->push_diary_size, 256);
    assert_int_equal(conf->max_header_block_bytes, 0);
    assert_int_equal(conf->max_stream_errors, 8);
    assert_int_equal(conf->serialize_headers, 0);
    assert_int_equal(conf->websockets, 0);
    assert_int_equal(conf->resets.rate, 20);
    assert_int_equal(conf->resets.burst, H2_CONFIG_UNSET);
    assert_int_equal(conf->client_errors.rate, 10);
    assert_int_equal(conf->client_errors.burst, H2_CONFIG_UNSET);
    assert_int_equal(conf->control_frames.rate, 100);
    assert_int_equal(conf->control_frames.burst, 1000);
    assert_int_equal(conf->max_header_time, apr_time_from_sec(10));
    assert_int_equal(conf->min_request_rate, 100);
    assert_int_equal(conf->min_response_rate, 100);
    assert_int_equal(conf->max_connection_requests, 0);
    assert_int_equal(conf->max_connection_time, 0);
    assert_int_equal(conf->server_timing, 0);
    assert_null(conf->push_rules);
    assert_int_equal(conf->set_fields, 0);
}

static void a_fresh_directory_says_nothing(void **state)
{
    h2_dir_conf *conf = fresh_dir();

    (void)state;
    assert_int_equal(conf->upgrade, H2_CONFIG_UNSET);
    assert_int_equal(conf->output_buffering, H2_CONFIG_UNSET);
    assert_int_equal(conf->stream_timeout, H2_CONFIG_UNSET);
    assert_int_equal(conf->early_hints, H2_CONFIG_UNSET);
    assert_int_equal(conf->priority_headers, H2_CONFIG_UNSET);
    assert_int_equal(conf->copy_files, H2_CONFIG_UNSET);
    assert_int_equal(conf->server_timing, H2_CONFIG_UNSET);
    assert_int_equal(conf->push, H2_CONFIG_UNSET);
    assert_int_equal(conf->proxy_requests, H2_CONFIG_UNSET);
    assert_null(conf->push_resources);
    assert_null(conf->hint_fields);
}

static void a_vhost_without_directives_has_the_servers_values(void **state)
{
    h2_server_conf *base = fresh_server();
    h2_server_conf *merged;
    int i;

    (void)state;
    for (i = 0; i < H2_CONFIG_FIELDS_COUNT; ++i) {
        h2_config_set(base, (h2_config_field)i, odd_value((h2_config_field)i));
    }
    merged = h2_config_merge_server(pool, base, fresh_server());
    assert_ptr_not_equal(merged, base);
    assert_memory_equal(merged, base, offsetof(h2_server_conf, own_fields));
    assert_int_equal(base->own_fields, base->set_fields);
    assert_int_equal(merged->own_fields, 0);
}

static void each_value_of_a_vhost_wins_alone(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < H2_CONFIG_FIELDS_COUNT; ++i) {
        h2_server_conf *child = fresh_server();
        h2_server_conf *merged;

        h2_config_set(child, (h2_config_field)i, odd_value((h2_config_field)i));
        assert_int_equal(child->set_fields, H2_CONFIG_BIT(i));
        merged = h2_config_merge_server(pool, fresh_server(), child);
        assert_memory_equal(merged, child, sizeof(*child));
        /* and it is the field that the setting is about: no other default moved */
        assert_memory_not_equal(merged, fresh_server(), offsetof(h2_server_conf, set_fields));
    }
}

static void a_default_that_is_given_in_a_vhost_wins(void **state)
{
    h2_server_conf *base = fresh_server();
    h2_server_conf *child = fresh_server();
    h2_server_conf *merged;

    (void)state;
    h2_config_set(base, H2_CONFIG_WINDOW, 1 << 20);
    h2_config_set(base, H2_CONFIG_MODERN_TLS_ONLY, 0);
    h2_config_set(child, H2_CONFIG_WINDOW, 65535);
    h2_config_set(child, H2_CONFIG_MODERN_TLS_ONLY, 1);
    merged = h2_config_merge_server(pool, base, child);
    assert_int_equal(merged->window_bytes, 65535);
    assert_int_equal(merged->is_window_set, 1);
    assert_int_equal(merged->modern_tls_only, 1);
}

static void each_value_is_kept_where_its_field_says(void **state)
{
    h2_server_conf *conf = fresh_server();

    (void)state;
    h2_config_set(conf, H2_CONFIG_PUSH_DIARY, 32768);
    h2_config_set(conf, H2_CONFIG_MAX_HEADER_BLOCK, APR_INT32_MAX);
    h2_config_set(conf, H2_CONFIG_MAX_STREAM_ERRORS, 0);
    h2_config_set(conf, H2_CONFIG_SERIALIZE_HEADERS, 1);
    assert_int_equal(conf->push_diary_size, 32768);
    assert_int_equal(conf->max_header_block_bytes, APR_INT32_MAX);
    assert_int_equal(conf->max_stream_errors, 0);
    assert_int_equal(conf->serialize_headers, 1);
    conf = h2_config_merge_server(pool, fresh_server(), conf);
    assert_int_equal(conf->push_diary_size, 32768);
    assert_int_equal(conf->max_header_block_bytes, APR_INT32_MAX);
    assert_int_equal(conf->max_stream_errors, 0);
    assert_int_equal(conf->serialize_headers, 1);
}

static void add_rule(h2_server_conf *conf, const char *type, int weight)
{
    h2_push_rule rule = {type, H2_PUSH_AFTER, weight};

    h2_push_rules_add(&conf->push_rules, pool, &rule);
}

static int rule_weight(const h2_server_conf *conf, const char *type)
{
    return h2_push_rules_find(conf->push_rules, type)->weight;
}

static void rules_of_a_vhost_win_by_type(void **state)
{
    h2_server_conf *base = fresh_server();
    h2_server_conf *child = fresh_server();
    h2_server_conf *merged;

    (void)state;
    add_rule(base, "text/css", 1);
    add_rule(base, "*", 2);
    assert_int_equal(rule_weight(h2_config_merge_server(pool, base, fresh_server()), "text/css"),
                     1);
    add_rule(child, "TEXT/CSS", 3);
    add_rule(child, "image/png", 4);
    merged = h2_config_merge_server(pool, base, child);
    assert_int_equal(rule_weight(merged, "text/css"), 3);
    assert_int_equal(rule_weight(merged, "image/png"), 4);
    assert_int_equal(rule_weight(merged, "text/html"), 2);
    assert_int_equal(rule_weight(base, "text/css"), 1); /* for the next vhost */
    assert_int_equal(rule_weight(base, "image/png"), 2);
    assert_int_equal(rule_weight(child, "text/html"), H2_PUSH_AFTER_WEIGHT);
    merged = h2_config_merge_server(pool, fresh_server(), child);
    assert_int_equal(rule_weight(merged, "text/css"), 3);
    assert_int_equal(merged->set_fields, 0);
}

static void values_keep_their_full_width(void **state)
{
    h2_server_conf *conf = fresh_server();
    apr_int64_t idle = (apr_int64_t)APR_INT32_MAX * APR_USEC_PER_SEC;
    h2_server_conf *merged;

    (void)state;
    h2_config_set(conf, H2_CONFIG_WORKER_IDLE, idle);
    h2_config_set(conf, H2_CONFIG_TLS_COOL_DOWN, idle);
    h2_config_set(conf, H2_CONFIG_TLS_WARM_UP, APR_INT64_MAX);
    h2_config_set(conf, H2_CONFIG_STREAM_TIMEOUT, idle);
    merged = h2_config_merge_server(pool, fresh_server(), conf);
    assert_true(merged->worker_idle == idle);
    assert_true(merged->tls_cool_down == idle);
    assert_true(merged->tls_warm_up_bytes == APR_INT64_MAX);
    assert_true(merged->stream_timeout == idle);
}

static void an_inner_directory_wins_where_it_says_something(void **state)
{
    h2_dir_conf *base = fresh_dir();
    h2_dir_conf *child = fresh_dir();
    h2_dir_conf *merged;

    (void)state;
    merged = h2_config_merge_dir(pool, base, child);
    assert_int_equal(merged->upgrade, H2_CONFIG_UNSET);
    assert_int_equal(merged->output_buffering, H2_CONFIG_UNSET);
    assert_int_equal(merged->stream_timeout, H2_CONFIG_UNSET);

    base->upgrade = 1;
    base->output_buffering = 0;
    base->stream_timeout = 5;
    merged = h2_config_merge_dir(pool, base, child);
    assert_int_equal(merged->upgrade, 1);
    assert_int_equal(merged->output_buffering, 0);
    assert_int_equal(merged->stream_timeout, 5);

    child->upgrade = 0;
    child->output_buffering = 1;
    child->stream_timeout = 0;
    merged = h2_config_merge_dir(pool, base, child);
    assert_int_equal(merged->upgrade, 0);
    assert_int_equal(merged->output_buffering, 1);
    assert_int_equal(merged->stream_timeout, 0);
}

static void flags_of_an_inner_directory_win_each_alone(void **state)
{
    h2_dir_conf *base = fresh_dir();
    h2_dir_conf *child = fresh_dir();
    h2_dir_conf *merged = h2_config_merge_dir(pool, base, child);

    (void)state;
    assert_int_equal(merged->push, H2_CONFIG_UNSET);
    assert_int_equal(merged->proxy_requests, H2_CONFIG_UNSET);
    base->push = 0;
    base->proxy_requests = 1;
    merged = h2_config_merge_dir(pool, base, child);
    assert_int_equal(merged->push, 0);
    assert_int_equal(merged->proxy_requests, 1);
    child->push = 1;
    merged = h2_config_merge_dir(pool, base, child);
    assert_int_equal(merged->push, 1);
    assert_int_equal(merged->proxy_requests, 1);
    child->proxy_requests = 0;
    merged = h2_config_merge_dir(pool, base, child);
    assert_int_equal(merged->proxy_requests, 0);
    assert_int_equal(base->push, 0);
    assert_int_equal(base->proxy_requests, 1);
}

static void add_resource(h2_dir_conf *conf, const char *path, int is_critical)
{
    h2_push_resource resource = {path, is_critical};

    h2_push_resources_add(&conf->push_resources, pool, &resource);
}

static void assert_resource(const h2_dir_conf *conf, int index, const char *path, int is_critical)
{
    const h2_push_resource *resource = &APR_ARRAY_IDX(conf->push_resources, index,
                                                      h2_push_resource);

    assert_true(index < conf->push_resources->nelts);
    assert_string_equal(resource->path, path);
    assert_int_equal(resource->is_critical, is_critical);
}

static void resources_of_directories_add_up(void **state)
{
    h2_dir_conf *base = fresh_dir();
    h2_dir_conf *child = fresh_dir();
    h2_dir_conf *merged, *again;

    (void)state;
    add_resource(base, "/a.css", 0);
    add_resource(base, "/b.css", 0);
    merged = h2_config_merge_dir(pool, base, child);
    assert_int_equal(merged->push_resources->nelts, 2);
    merged = h2_config_merge_dir(pool, child, base);
    assert_int_equal(merged->push_resources->nelts, 2);
    add_resource(child, "/c.css", 1);
    add_resource(child, "/b.css", 1);
    merged = h2_config_merge_dir(pool, base, child);
    assert_int_equal(merged->push_resources->nelts, 3);
    assert_resource(merged, 0, "/a.css", 0);
    assert_resource(merged, 1, "/b.css", 1);
    assert_resource(merged, 2, "/c.css", 1);
    again = h2_config_merge_dir(pool, base, child); /* for the next request */
    assert_int_equal(again->push_resources->nelts, 3);
    assert_int_equal(base->push_resources->nelts, 2);
    assert_resource(base, 1, "/b.css", 0);
    assert_int_equal(child->push_resources->nelts, 2);
}

static void hints_of_an_inner_directory_follow_those_of_the_outer_one(void **state)
{
    h2_dir_conf *base = h2_config_create_dir(pool, NULL);
    h2_dir_conf *child = h2_config_create_dir(pool, NULL);
    h2_dir_conf *merged;
    const apr_table_entry_t *entries;

    (void)state;
    assert_null(((h2_dir_conf *)h2_config_merge_dir(pool, base, child))->hint_fields);
    base->early_hints = 1;
    base->priority_headers = 1;
    base->hint_fields = apr_table_make(pool, 1);
    apr_table_addn(base->hint_fields, "Link", "</a>");
    merged = h2_config_merge_dir(pool, base, child);
    assert_int_equal(merged->early_hints, 1);
    assert_int_equal(merged->priority_headers, 1);
    assert_int_equal(merged->copy_files, H2_CONFIG_UNSET);
    assert_ptr_equal(merged->hint_fields, base->hint_fields);

    child->early_hints = 0;
    child->priority_headers = 0;
    child->copy_files = 1;
    child->hint_fields = apr_table_make(pool, 1);
    apr_table_addn(child->hint_fields, "Link", "</b>");
    merged = h2_config_merge_dir(pool, base, child);
    assert_int_equal(merged->early_hints, 0);
    assert_int_equal(merged->priority_headers, 0);
    assert_int_equal(merged->copy_files, 1);
    assert_int_equal(apr_table_elts(merged->hint_fields)->nelts, 2);
    entries = (const apr_table_entry_t *)apr_table_elts(merged->hint_fields)->elts;
    assert_string_equal(entries[0].val, "</a>");
    assert_string_equal(entries[1].val, "</b>");
}

static void a_minimum_above_the_maximum_raises_the_maximum(void **state)
{
    h2_server_conf *conf = fresh_server();

    (void)state;
    h2_config_set(conf, H2_CONFIG_MIN_WORKERS, 20);
    h2_config_set(conf, H2_CONFIG_MAX_WORKERS, 10);
    assert_int_equal(h2_config_correct_workers(conf), 1);
    assert_int_equal(conf->min_workers, 20);
    assert_int_equal(conf->max_workers, 20);
    assert_int_equal(h2_config_correct_workers(conf), 0);
}

static void workers_that_need_no_correction_are_left_alone(void **state)
{
    h2_server_conf *conf = fresh_server();

    (void)state;
    assert_int_equal(h2_config_correct_workers(conf), 0);
    h2_config_set(conf, H2_CONFIG_MIN_WORKERS, 20);
    assert_int_equal(h2_config_correct_workers(conf), 0);
    assert_int_equal(conf->max_workers, 0);
    h2_config_set(conf, H2_CONFIG_MAX_WORKERS, 20);
    assert_int_equal(h2_config_correct_workers(conf), 0);

    conf = fresh_server();
    h2_config_set(conf, H2_CONFIG_MAX_WORKERS, 1);
    assert_int_equal(h2_config_correct_workers(conf), 0);
    assert_int_equal(conf->min_workers, 0);
}

static void what_was_set_can_be_got(void **state)
{
    h2_server_conf *conf = fresh_server();
    int i;

    (void)state;
    assert_int_equal(h2_config_get(conf, H2_CONFIG_STREAM_TIMEOUT), H2_CONFIG_UNSET);
    for (i = 0; i < H2_CONFIG_FIELDS_COUNT; ++i) {
        assert_int_equal(h2_config_is_set(conf, (h2_config_field)i), 0);
        h2_config_set(conf, (h2_config_field)i, odd_value((h2_config_field)i));
        assert_int_equal(h2_config_is_set(conf, (h2_config_field)i), 1);
        assert_int_equal(h2_config_get(conf, (h2_config_field)i), odd_value((h2_config_field)i));
    }
}

/* A vhost with what its directives gave it, merged and completed. */
static h2_server_conf *completed(h2_server_conf *base, h2_server_conf *child)
{
    h2_server_conf *merged = h2_config_merge_server(pool, base, child);

    h2_config_apply_profiles(merged, base);
    return merged;
}

static void a_profile_sets_what_no_directive_has_set(void **state)
{
    h2_server_conf *conf = fresh_server();

    (void)state;
    h2_config_set(conf, H2_CONFIG_MAX_FRAME, 16384);
    conf->profile = h2_profile_find("high-concurrency");
    h2_config_apply_profiles(conf, conf);
    assert_int_equal(conf->max_session_streams, 256);
    assert_int_equal(conf->window_bytes, 1048576);
    assert_int_equal(conf->is_window_set, 1);
    assert_int_equal(conf->max_frame_bytes, 16384);
    assert_int_equal(conf->stream_mem_bytes, 262144);
    assert_int_equal(conf->min_workers, 32);
    assert_int_equal(conf->max_workers, 256);
    assert_int_equal(conf->set_fields, 1u << H2_CONFIG_MAX_FRAME);
    assert_int_equal(conf->profile_fields & conf->set_fields, 0);
}

static void who_decides_is_vhost_main_profile_of_vhost_profile_of_main(void **state)
{
    h2_server_conf *base = fresh_server();
    h2_server_conf *child = fresh_server();
    h2_server_conf *merged;

    (void)state;
    base->profile = h2_profile_find("balanced");
    assert_int_equal(completed(base, child)->window_bytes, 262144);
    child->profile = h2_profile_find("conservative");
    merged = completed(base, child);
    assert_int_equal(merged->window_bytes, 65535);
    assert_int_equal(merged->is_window_set, 1);
    assert_int_equal(merged->max_session_streams, 100);
    h2_config_set(base, H2_CONFIG_WINDOW, 5000);
    merged = completed(base, child);
    assert_int_equal(merged->window_bytes, 5000);
    assert_int_equal(merged->max_session_streams, 100);
    h2_config_set(child, H2_CONFIG_WINDOW, 6000);
    assert_int_equal(completed(base, child)->window_bytes, 6000);
}

static void workers_come_from_the_main_servers_profile_only(void **state)
{
    h2_server_conf *base = fresh_server();
    h2_server_conf *child = fresh_server();
    h2_server_conf *merged;

    (void)state;
    child->profile = h2_profile_find("high-concurrency");
    merged = completed(base, child);
    assert_int_equal(merged->min_workers, 0);
    assert_int_equal(merged->max_workers, 0);
    base->profile = h2_profile_find("balanced");
    merged = completed(base, child);
    assert_int_equal(merged->min_workers, 8);
    assert_int_equal(merged->max_workers, 64);
    assert_int_equal(merged->max_session_streams, 256);
}

static void a_profiles_workers_give_way_to_a_directives(void **state)
{
    h2_server_conf *conf = fresh_server();

    (void)state;
    conf->profile = h2_profile_find("balanced");
    h2_config_set(conf, H2_CONFIG_MAX_WORKERS, 3);
    h2_config_apply_profiles(conf, conf);
    assert_int_equal(h2_config_correct_workers(conf), 0);
    assert_int_equal(conf->min_workers, 3);
    assert_int_equal(conf->max_workers, 3);

    conf = fresh_server();
    conf->profile = h2_profile_find("balanced");
    h2_config_set(conf, H2_CONFIG_MIN_WORKERS, 100);
    h2_config_apply_profiles(conf, conf);
    assert_int_equal(h2_config_correct_workers(conf), 0);
    assert_int_equal(conf->min_workers, 100);
    assert_int_equal(conf->max_workers, 100);
}

/* A request with its server, each with our values and nothing else. */
typedef struct fake {
    void *server_vector[1];
    void *dir_vector[1];
    server_rec server;
    request_rec r;
    h2_server_conf *server_conf;
    h2_dir_conf *dir_conf;
} fake;

static fake *fake_make(void)
{
    fake *f = apr_pcalloc(pool, sizeof(*f));

    f->server_vector[0] = f->server_conf = fresh_server();
    f->dir_vector[0] = f->dir_conf = fresh_dir();
    f->server.module_config = (ap_conf_vector_t *)f->server_vector;
    f->server.timeout = apr_time_from_sec(60);
    f->r.server = &f->server;
    f->r.per_dir_config = (ap_conf_vector_t *)f->dir_vector;
    return f;
}

static void direct_is_for_clear_text_unless_given(void **state)
{
    fake *f = fake_make();

    (void)state;
    assert_ptr_equal(h2_config_server(&f->server), f->server_conf);
    assert_int_equal(h2_config_is_direct(&f->server, 0), 1);
    assert_int_equal(h2_config_is_direct(&f->server, 1), 0);
    h2_config_set(f->server_conf, H2_CONFIG_DIRECT, 1);
    assert_int_equal(h2_config_is_direct(&f->server, 1), 1);
    h2_config_set(f->server_conf, H2_CONFIG_DIRECT, 0);
    assert_int_equal(h2_config_is_direct(&f->server, 0), 0);
}

static void upgrade_asks_directory_then_vhost_then_the_connection(void **state)
{
    fake *f = fake_make();

    (void)state;
    assert_int_equal(h2_config_is_upgrade(&f->r, 0), 1);
    assert_int_equal(h2_config_is_upgrade(&f->r, 1), 0);
    h2_config_set(f->server_conf, H2_CONFIG_UPGRADE, 0);
    assert_int_equal(h2_config_is_upgrade(&f->r, 0), 0);
    f->dir_conf->upgrade = 1;
    assert_int_equal(h2_config_is_upgrade(&f->r, 0), 1);
    assert_int_equal(h2_config_is_upgrade(&f->r, 1), 1);
}

static void output_buffering_asks_directory_then_vhost(void **state)
{
    fake *f = fake_make();

    (void)state;
    assert_int_equal(h2_config_is_output_buffering(&f->r), 1);
    h2_config_set(f->server_conf, H2_CONFIG_OUTPUT_BUFFERING, 0);
    assert_int_equal(h2_config_is_output_buffering(&f->r), 0);
    f->dir_conf->output_buffering = 1;
    assert_int_equal(h2_config_is_output_buffering(&f->r), 1);
}

static void stream_timeout_asks_directory_then_vhost_then_timeout(void **state)
{
    fake *f = fake_make();

    (void)state;
    assert_int_equal(h2_config_stream_timeout(&f->r), apr_time_from_sec(60));
    h2_config_set(f->server_conf, H2_CONFIG_STREAM_TIMEOUT, apr_time_from_sec(5));
    assert_int_equal(h2_config_stream_timeout(&f->r), apr_time_from_sec(5));
    f->dir_conf->stream_timeout = 0;
    assert_int_equal(h2_config_stream_timeout(&f->r), 0);
}

static void push_is_on_unless_the_directory_says_no(void **state)
{
    fake *f = fake_make();

    (void)state;
    assert_int_equal(h2_config_is_push(&f->r), 1);
    assert_null(h2_config_push_resources(&f->r));
    f->dir_conf->push = 0;
    assert_int_equal(h2_config_is_push(&f->r), 0);
    f->dir_conf->push = 1;
    assert_int_equal(h2_config_is_push(&f->r), 1);
    add_resource(f->dir_conf, "/a.css", 0);
    assert_ptr_equal(h2_config_push_resources(&f->r), f->dir_conf->push_resources);
}

static void requests_to_a_proxy_are_the_servers_own_decision(void **state)
{
    fake *f = fake_make();
    void *defaults_vector[1];
    h2_dir_conf *defaults;

    (void)state;
    defaults_vector[0] = defaults = fresh_dir();
    f->server.lookup_defaults = (ap_conf_vector_t *)defaults_vector;
    assert_int_equal(h2_config_is_proxy_requests(&f->server), 0);
    f->dir_conf->proxy_requests = 1;
    assert_int_equal(h2_config_is_proxy_requests(&f->server), 0);
    defaults->proxy_requests = 0;
    assert_int_equal(h2_config_is_proxy_requests(&f->server), 0);
    defaults->proxy_requests = 1;
    assert_int_equal(h2_config_is_proxy_requests(&f->server), 1);
}

static void what_a_directory_must_ask_for_is_off_unless_it_does(void **state)
{
    fake *f = fake_make();

    (void)state;
    assert_int_equal(h2_config_is_early_hints(&f->r), 0);
    assert_int_equal(h2_config_is_copy_files(&f->r), 0);
    assert_int_equal(h2_config_is_priority_headers(&f->r), 0);
    f->dir_conf->priority_headers = 1;
    assert_int_equal(h2_config_is_priority_headers(&f->r), 1);
    f->dir_conf->early_hints = 1;
    assert_int_equal(h2_config_is_early_hints(&f->r), 1);
    assert_int_equal(h2_config_is_copy_files(&f->r), 0);
    f->dir_conf->copy_files = 1;
    f->dir_conf->early_hints = 0;
    assert_int_equal(h2_config_is_early_hints(&f->r), 0);
    assert_int_equal(h2_config_is_copy_files(&f->r), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_server_has_the_documented_defaults),
        cmocka_unit_test(a_fresh_directory_says_nothing),
        cmocka_unit_test(a_vhost_without_directives_has_the_servers_values),
        cmocka_unit_test(each_value_of_a_vhost_wins_alone),
        cmocka_unit_test(a_default_that_is_given_in_a_vhost_wins),
        cmocka_unit_test(each_value_is_kept_where_its_field_says),
        cmocka_unit_test(rules_of_a_vhost_win_by_type),
        cmocka_unit_test(values_keep_their_full_width),
        cmocka_unit_test(an_inner_directory_wins_where_it_says_something),
        cmocka_unit_test(flags_of_an_inner_directory_win_each_alone),
        cmocka_unit_test(resources_of_directories_add_up),
        cmocka_unit_test(hints_of_an_inner_directory_follow_those_of_the_outer_one),
        cmocka_unit_test(a_minimum_above_the_maximum_raises_the_maximum),
        cmocka_unit_test(workers_that_need_no_correction_are_left_alone),
        cmocka_unit_test(what_was_set_can_be_got),
        cmocka_unit_test(a_profile_sets_what_no_directive_has_set),
        cmocka_unit_test(who_decides_is_vhost_main_profile_of_vhost_profile_of_main),
        cmocka_unit_test(workers_come_from_the_main_servers_profile_only),
        cmocka_unit_test(a_profiles_workers_give_way_to_a_directives),
        cmocka_unit_test(direct_is_for_clear_text_unless_given),
        cmocka_unit_test(upgrade_asks_directory_then_vhost_then_the_connection),
        cmocka_unit_test(output_buffering_asks_directory_then_vhost),
        cmocka_unit_test(stream_timeout_asks_directory_then_vhost_then_timeout),
        cmocka_unit_test(push_is_on_unless_the_directory_says_no),
        cmocka_unit_test(requests_to_a_proxy_are_the_servers_own_decision),
        cmocka_unit_test(what_a_directory_must_ask_for_is_off_unless_it_does),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, setup, teardown);
}

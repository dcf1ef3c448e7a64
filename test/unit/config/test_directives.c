/* config/h2_directives.c: each directive with what it takes and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>

#include "config/h2_config.h"
#include "config/h2_directives.h"

/* Stand-ins for httpd. */
module AP_MODULE_DECLARE_DATA http2_module;

static unsigned asked_context;
static const char *context_error;
static int log_count;

const char *ap_check_cmd_context(cmd_parms *cmd, unsigned forbidden)
{
    (void)cmd;
    asked_context = forbidden;
    return context_error;
}

/* Lenient as httpd's is: blanks, signs and no number at all pass. Knows s and ms. */
apr_status_t ap_timeout_parameter_parse(const char *text, apr_interval_time_t *timeout,
                                        const char *default_unit)
{
    char *end;
    long number = strtol(text, &end, 10);

    assert_string_equal(default_unit, "s");
    if (!*end || !strcmp(end, "s")) {
        *timeout = apr_time_from_sec(number);
        return APR_SUCCESS;
    }
    if (!strcmp(end, "ms")) {
        *timeout = apr_time_from_msec(number);
        return APR_SUCCESS;
    }
    return APR_EGENERAL;
}

/* The first byte that is none of a token's, or of a field value's. */
const char *ap_scan_http_token(const char *text)
{
    while (*text && !strchr(" :()<>@,;\\\"/[]?={}\r\n\t", *text)) {
        ++text;
    }
    return text;
}

const char *ap_scan_http_field_content(const char *text)
{
    while (*text && ((unsigned char)*text >= ' ' || *text == '\t')) {
        ++text;
    }
    return text;
}

void ap_log_error_(const char *file, int line, int index, int level, apr_status_t status,
                   const server_rec *s, const char *fmt, ...)
{
    (void)file;
    (void)line;
    (void)index;
    (void)status;
    (void)fmt;
    assert_int_equal(level & APLOG_LEVELMASK, APLOG_WARNING);
    assert_non_null(s);
    ++log_count;
}

static apr_pool_t *pool;
static void *server_vector[1];
static server_rec server;
static h2_server_conf *conf;
static h2_dir_conf *dir;

static int setup(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    server_vector[0] = conf = h2_config_create_server(pool, NULL);
    server.module_config = (ap_conf_vector_t *)server_vector;
    server.next = NULL;
    server.log.level = APLOG_WARNING;
    dir = h2_config_create_dir(pool, NULL);
    asked_context = 0;
    context_error = NULL;
    log_count = 0;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    apr_pool_destroy(pool);
    return 0;
}

static const command_rec *command(const char *name)
{
    const command_rec *cmd = h2_config_commands;

    while (cmd->name && strcmp(cmd->name, name)) {
        ++cmd;
    }
    assert_non_null(cmd->name);
    return cmd;
}

/* Gives the directive as httpd does, in <Directory path> unless path is NULL. */
static const char *given_in(const char *path, const char *name, const char *text)
{
    cmd_parms parms;

    memset(&parms, 0, sizeof(parms));
    parms.cmd = command(name);
    parms.info = parms.cmd->cmd_data;
    parms.pool = pool;
    parms.server = &server;
    parms.path = (char *)path;
    assert_int_equal(parms.cmd->args_how, TAKE1);
    return parms.cmd->AP_TAKE1(&parms, dir, text);
}

static const char *given(const char *name, const char *text)
{
    return given_in(NULL, name, text);
}

static void numbers_are_stored_in_the_readers_units(void **state)
{
    (void)state;
    assert_null(given("H2MaxSessionStreams", "20"));
    assert_int_equal(conf->max_session_streams, 20);
    assert_null(given("H2WindowSize", "128000"));
    assert_int_equal(conf->window_bytes, 128000);
    assert_null(given("H2StreamMaxMemSize", "128000"));
    assert_int_equal(conf->stream_mem_bytes, 128000);
    assert_null(given("H2MinWorkers", "10"));
    assert_int_equal(conf->min_workers, 10);
    assert_null(given("H2MaxWorkers", "20"));
    assert_int_equal(conf->max_workers, 20);
    assert_null(given("H2MaxWorkerIdleSeconds", "20"));
    assert_int_equal(conf->worker_idle, apr_time_from_sec(20));
    assert_null(given("H2TLSWarmUpSize", "0"));
    assert_int_equal(conf->tls_warm_up_bytes, 0);
    assert_null(given("H2TLSCoolDownSecs", "0"));
    assert_int_equal(conf->tls_cool_down, 0);
    assert_null(given("H2TLSCoolDownSecs", "30"));
    assert_int_equal(conf->tls_cool_down, apr_time_from_sec(30));
    assert_null(given("H2Padding", "8"));
    assert_int_equal(conf->padding_bits, 8);
    assert_null(given("H2MaxDataFrameLen", "16777215"));
    assert_int_equal(conf->max_data_frame_bytes, 16777215);
}

static void the_ends_of_each_range_are_taken_and_no_more(void **state)
{
    static const struct {
        const char *name, *below, *min, *max, *above;
    } rules[] = {
        {"H2MaxSessionStreams", "0", "1", "2147483647", "2147483648"},
        {"H2WindowSize", "1023", "1024", "2147483647", "2147483648"},
        {"H2StreamMaxMemSize", "1023", "1024", "2147483647", "2147483648"},
        {"H2MinWorkers", "0", "1", "65535", "65536"},
        {"H2MaxWorkers", "0", "1", "65535", "65536"},
        {"H2MaxWorkerIdleSeconds", "0", "1", "2147483647", "2147483648"},
        {"H2TLSWarmUpSize", "-1", "0", "9223372036854775807", "9223372036854775808"},
        {"H2TLSCoolDownSecs", "-1", "0", "2147483647", "2147483648"},
        {"H2Padding", "-1", "0", "8", "9"},
        {"H2MaxDataFrameLen", "-1", "0", "16777215", "16777216"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rules) / sizeof(rules[0]); ++i) {
        assert_null(given(rules[i].name, rules[i].min));
        assert_null(given(rules[i].name, rules[i].max));
        assert_string_equal(given(rules[i].name, rules[i].below),
                            apr_psprintf(pool,
                                         "%s: '%s' is not allowed, must be a number from %s to %s",
                                         rules[i].name, rules[i].below, rules[i].min,
                                         rules[i].max));
        assert_non_null(given(rules[i].name, rules[i].above));
        assert_non_null(given(rules[i].name, "many"));
    }
}

static void a_refused_value_changes_nothing(void **state)
{
    (void)state;
    assert_non_null(given("H2WindowSize", "64k"));
    assert_non_null(given("H2Direct", "maybe"));
    assert_non_null(given("H2StreamTimeout", "soon"));
    assert_int_equal(conf->set_fields, 0);
    assert_int_equal(conf->window_bytes, 65535);
}

static void flags_are_on_or_off(void **state)
{
    static const char *const names[] = {"H2Direct", "H2Upgrade", "H2ModernTLSOnly",
                                        "H2OutputBuffering"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
        assert_null(given(names[i], "off"));
        assert_string_equal(given(names[i], "1"),
                            apr_psprintf(pool, "%s: '1' is not allowed, must be on or off",
                                         names[i]));
    }
    assert_int_equal(conf->direct, 0);
    assert_int_equal(conf->upgrade, 0);
    assert_int_equal(conf->modern_tls_only, 0);
    assert_int_equal(conf->output_buffering, 0);
    assert_null(given("H2Direct", "On"));
    assert_int_equal(conf->direct, 1);
}

static void a_directorys_value_stays_in_the_directory(void **state)
{
    (void)state;
    assert_null(given_in("/var/www", "H2Upgrade", "off"));
    assert_null(given_in("/var/www", "H2OutputBuffering", "off"));
    assert_null(given_in("/var/www", "H2StreamTimeout", "250ms"));
    assert_int_equal(dir->upgrade, 0);
    assert_int_equal(dir->output_buffering, 0);
    assert_int_equal(dir->stream_timeout, apr_time_from_msec(250));
    assert_int_equal(conf->set_fields, 0);
}

static void a_servers_value_stays_out_of_the_directory(void **state)
{
    (void)state;
    assert_null(given("H2Upgrade", "off"));
    assert_null(given("H2OutputBuffering", "off"));
    assert_null(given("H2StreamTimeout", "30"));
    assert_int_equal(dir->upgrade, H2_CONFIG_UNSET);
    assert_int_equal(dir->output_buffering, H2_CONFIG_UNSET);
    assert_int_equal(dir->stream_timeout, H2_CONFIG_UNSET);
    assert_int_equal(conf->stream_timeout, apr_time_from_sec(30));
}

static void a_timeout_starts_with_a_digit_and_is_httpds(void **state)
{
    static const char *const refused[] = {"", " 30", "-30", "+30", "s", "30 parsecs"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); ++i) {
        const char *error = given("H2StreamTimeout", refused[i]);

        assert_non_null(error);
        assert_non_null(strstr(error, "H2StreamTimeout: '"));
    }
}

static void workers_are_for_the_main_server_only(void **state)
{
    (void)state;
    assert_null(given("H2MinWorkers", "1"));
    assert_int_equal(asked_context, GLOBAL_ONLY);
    assert_null(given("H2MaxWorkers", "1"));
    assert_int_equal(asked_context, GLOBAL_ONLY);
    assert_null(given("H2MaxWorkerIdleSeconds", "1"));
    assert_int_equal(asked_context, GLOBAL_ONLY);
    assert_null(given("H2MaxSessionStreams", "1"));
    assert_int_equal(asked_context & NOT_IN_VIRTUALHOST, 0);

    context_error = "not here";
    assert_string_equal(given("H2MinWorkers", "1"), "not here");
    assert_string_equal(given("H2Direct", "on"), "not here");
}

static void hints_have_a_name_and_a_value_of_http(void **state)
{
    const command_rec *cmd = command("H2EarlyHint");
    cmd_parms parms = {0};
    const apr_array_header_t *list;
    const char *error;

    (void)state;
    parms.cmd = cmd;
    parms.pool = pool;
    parms.server = &server;
    assert_int_equal(cmd->args_how, TAKE2);
    assert_null(cmd->AP_TAKE2(&parms, dir, "Link", "</a>; rel=preload"));
    assert_null(cmd->AP_TAKE2(&parms, dir, "Link", "</b>; rel=preload"));
    list = apr_table_elts(dir->hint_fields);
    assert_int_equal(list->nelts, 2);
    assert_string_equal(APR_ARRAY_IDX(list, 1, apr_table_entry_t).val, "</b>; rel=preload");
    error = cmd->AP_TAKE2(&parms, dir, "Li nk", "</c>");
    assert_non_null(strstr(error, "H2EarlyHint"));
    assert_non_null(strstr(error, "'Li nk'"));
    assert_non_null(cmd->AP_TAKE2(&parms, dir, "", "</c>"));
    assert_non_null(cmd->AP_TAKE2(&parms, dir, "Link", "</c>\r\nX: y"));
    assert_int_equal(list->nelts, 2);
}

static void what_has_no_effect_is_taken_with_a_warning(void **state)
{
    (void)state;
    assert_null(given("H2SessionExtraFiles", "5"));
    assert_int_equal(log_count, 1);
    assert_non_null(given("H2SessionExtraFiles", "many"));
    assert_int_equal(log_count, 1);
}

static void each_directive_has_its_context_and_a_help_text(void **state)
{
    const command_rec *cmd;
    int count = 0;

    (void)state;
    for (cmd = h2_config_commands; cmd->name; ++cmd, ++count) {
        assert_true(cmd->req_override & RSRC_CONF);
        assert_non_null(strstr(cmd->errmsg, "(default: "));
    }
    assert_int_equal(count, 19);
    assert_true(command("H2Upgrade")->req_override & OR_FILEINFO);
    assert_true(command("H2OutputBuffering")->req_override == (RSRC_CONF | ACCESS_CONF));
    assert_true(command("H2StreamTimeout")->req_override == (RSRC_CONF | ACCESS_CONF));
}

static void the_check_corrects_all_vhosts_and_warns_once(void **state)
{
    void *vhost_vector[1];
    server_rec vhost;
    h2_server_conf *vhost_conf;

    (void)state;
    assert_null(given("H2MinWorkers", "8"));
    assert_null(given("H2MaxWorkers", "4"));
    vhost_vector[0] = vhost_conf =
        h2_config_merge_server(pool, conf, h2_config_create_server(pool, NULL));
    vhost = server;
    vhost.module_config = (ap_conf_vector_t *)vhost_vector;
    vhost.next = NULL;
    server.next = &vhost;

    h2_directives_check(&server);
    assert_int_equal(conf->max_workers, 8);
    assert_int_equal(vhost_conf->max_workers, 8);
    assert_int_equal(log_count, 1);
    h2_directives_check(&server);
    assert_int_equal(log_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_are_stored_in_the_readers_units, setup, teardown),
        cmocka_unit_test_setup_teardown(the_ends_of_each_range_are_taken_and_no_more, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_refused_value_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(flags_are_on_or_off, setup, teardown),
        cmocka_unit_test_setup_teardown(a_directorys_value_stays_in_the_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(a_servers_value_stays_out_of_the_directory, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_timeout_starts_with_a_digit_and_is_httpds, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(workers_are_for_the_main_server_only, setup, teardown),
        cmocka_unit_test_setup_teardown(hints_have_a_name_and_a_value_of_http, setup, teardown),
        cmocka_unit_test_setup_teardown(what_has_no_effect_is_taken_with_a_warning, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(each_directive_has_its_context_and_a_help_text, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(the_check_corrects_all_vhosts_and_warns_once, setup,
                                        teardown),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* config/h2_directives.c: each directive with what it takes and what it refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "config/h2_config.h"
#include "config/h2_directives.h"
#include "config/h2_draft.h"

/* Stand-ins for httpd. */
module AP_MODULE_DECLARE_DATA http2_module;

static unsigned asked_context;
static const char *context_error;
static int log_count;
static char last_log[512];
static const server_rec *log_server; /* whose log it was; NULL: the main one */

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
    va_list args;

    (void)file;
    (void)line;
    (void)index;
    (void)status;
    assert_int_equal(level & APLOG_LEVELMASK, APLOG_WARNING);
    log_server = s;
    ++log_count;
    va_start(args, fmt);
    apr_vsnprintf(last_log, sizeof(last_log), fmt, args);
    va_end(args);
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
    server.is_virtual = 0;
    server.log.level = APLOG_WARNING;
    dir = h2_config_create_dir(pool, NULL);
    asked_context = 0;
    context_error = NULL;
    log_count = 0;
    last_log[0] = '\0';
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

static cmd_parms parms_of(const char *path, const char *name)
{
    cmd_parms parms;

    memset(&parms, 0, sizeof(parms));
    parms.cmd = command(name);
    parms.info = parms.cmd->cmd_data;
    parms.pool = pool;
    parms.server = &server;
    parms.path = (char *)path;
    return parms;
}

/* Gives the directive as httpd does, in <Directory path> unless path is NULL. */
static const char *given_in(const char *path, const char *name, const char *text)
{
    cmd_parms parms = parms_of(path, name);

    assert_int_equal(parms.cmd->args_how, TAKE1);
    return parms.cmd->AP_TAKE1(&parms, dir, text);
}

/* One that takes up to three words, the last ones NULL where they are left out. */
static const char *given_words(const char *name, const char *first, const char *second,
                               const char *third)
{
    cmd_parms parms = parms_of(NULL, name);

    assert_true(parms.cmd->args_how == TAKE123 || parms.cmd->args_how == TAKE23);
    assert_true(second || parms.cmd->args_how == TAKE123); /* else httpd refuses it */
    return parms.cmd->AP_TAKE3(&parms, dir, first, second, third);
}

static void assert_refused(const char *error, const char *name, const char *text,
                           const char *allowed)
{
    assert_non_null(error);
    assert_string_equal(error, apr_psprintf(pool, "%s: '%s' is not allowed, must be %s", name,
                                            text, allowed));
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
    assert_null(given("H2MaxFrameSize", "32768"));
    assert_int_equal(conf->max_frame_bytes, 32768);
    assert_null(given("H2MaxHeaderListSize", "100000"));
    assert_int_equal(conf->header_list_bytes, 100000);
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
    assert_null(given("H2MaxHeaderBlockLen", "100000"));
    assert_int_equal(conf->max_header_block_bytes, 100000);
    assert_null(given("H2MaxStreamErrors", "20"));
    assert_int_equal(conf->max_stream_errors, 20);
    assert_null(given("H2MaxStreamErrors", "0"));
    assert_int_equal(conf->max_stream_errors, 0);
}

static void assert_no_number(const char *name, const char *text, const char *min,
                             const char *max)
{
    assert_refused(given(name, text), name, text,
                   apr_psprintf(pool, "a number from %s to %s", min, max));
}

static void the_ends_of_each_range_are_taken_and_no_more(void **state)
{
    static const struct {
        const char *name, *below, *min, *max, *above;
    } rules[] = {
        {"H2MaxSessionStreams", "0", "1", "2147483647", "2147483648"},
        {"H2WindowSize", "1023", "1024", "2147483647", "2147483648"},
        {"H2MaxFrameSize", "16383", "16384", "16777215", "16777216"},
        {"H2MaxHeaderListSize", "4095", "4096", "16777216", "16777217"},
        {"H2StreamMaxMemSize", "1023", "1024", "2147483647", "2147483648"},
        {"H2MinWorkers", "0", "1", "65535", "65536"},
        {"H2MaxWorkers", "0", "1", "65535", "65536"},
        {"H2TLSWarmUpSize", "-1", "0", "9223372036854775807", "9223372036854775808"},
        {"H2TLSCoolDownSecs", "-1", "0", "2147483647", "2147483648"},
        {"H2Padding", "-1", "0", "8", "9"},
        {"H2MaxDataFrameLen", "-1", "0", "16777215", "16777216"},
        {"H2MaxHeaderBlockLen", "-1", "0", "2147483647", "2147483648"},
        {"H2MaxStreamErrors", "-1", "0", "2147483647", "2147483648"},
        {"H2MinRequestRate", "-1", "0", "2147483647", "2147483648"},
        {"H2MinResponseRate", "-1", "0", "2147483647", "2147483648"},
        {"H2MaxConnectionRequests", "-1", "0", "2147483647", "2147483648"},
    };
    static const char *const no_numbers[] = {"", "many", "1x", " 1", "+1", "0x1", "1.0", "on"};
    size_t i, k;

    (void)state;
    for (i = 0; i < sizeof(rules) / sizeof(rules[0]); ++i) {
        assert_null(given(rules[i].name, rules[i].min));
        assert_null(given(rules[i].name, rules[i].max));
        for (k = 0; k < sizeof(no_numbers) / sizeof(no_numbers[0]); ++k) {
            assert_no_number(rules[i].name, no_numbers[k], rules[i].min, rules[i].max);
        }
        assert_no_number(rules[i].name, rules[i].below, rules[i].min, rules[i].max);
        assert_no_number(rules[i].name, rules[i].above, rules[i].min, rules[i].max);
    }
}

static void a_refused_value_changes_nothing(void **state)
{
    (void)state;
    assert_non_null(given("H2WindowSize", "64k"));
    assert_non_null(given("H2Direct", "maybe"));
    assert_non_null(given("H2StreamTimeout", "soon"));
    assert_non_null(given("H2MaxHeaderBlockLen", "64k"));
    assert_non_null(given("H2MaxStreamErrors", "-1"));
    assert_non_null(given("H2PushDiarySize", "3"));
    assert_non_null(given("H2SerializeHeaders", "yes"));
    assert_int_equal(conf->push_diary_size, 256);
    assert_int_equal(conf->serialize_headers, 0);
    assert_int_equal(conf->set_fields, 0);
    assert_int_equal(conf->window_bytes, 65535);
}

static void limits_of_floods_have_a_rate_and_may_have_a_burst(void **state)
{
    static const struct {
        const char *name;
        apr_size_t offset;
        int burst; /* the default */
    } limits[] = {
        {"H2MaxResets", APR_OFFSETOF(h2_server_conf, resets), H2_CONFIG_UNSET},
        {"H2MaxClientErrors", APR_OFFSETOF(h2_server_conf, client_errors), H2_CONFIG_UNSET},
        {"H2MaxControlFrames", APR_OFFSETOF(h2_server_conf, control_frames), 1000},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); ++i) {
        const command_rec *cmd = command(limits[i].name);
        h2_flood_limit *limit = (h2_flood_limit *)((char *)conf + limits[i].offset);
        cmd_parms parms = {0};

        parms.cmd = cmd;
        parms.info = cmd->cmd_data;
        parms.pool = pool;
        parms.server = &server;
        assert_int_equal(cmd->args_how, TAKE12);
        assert_null(cmd->AP_TAKE2(&parms, dir, "7", NULL));
        assert_int_equal(limit->rate, 7);
        assert_int_equal(limit->burst, limits[i].burst);
        assert_null(cmd->AP_TAKE2(&parms, dir, "0", "2147483647"));
        assert_int_equal(limit->rate, 0);
        assert_int_equal(limit->burst, 2147483647);
        assert_refused(cmd->AP_TAKE2(&parms, dir, "x", "5"), limits[i].name, "x",
                       "a number from 0 to 2147483647");
        assert_refused(cmd->AP_TAKE2(&parms, dir, "8", "0"), limits[i].name, "0",
                       "a number from 1 to 2147483647");
        assert_int_equal(limit->rate, 0);
    }
}

static void limits_of_time_may_be_none(void **state)
{
    (void)state;
    assert_null(given("H2MaxHeaderTime", "500ms"));
    assert_int_equal(conf->max_header_time, apr_time_from_msec(500));
    assert_null(given("H2MaxConnectionTime", "3600"));
    assert_int_equal(conf->max_connection_time, apr_time_from_sec(3600));
    assert_null(given("H2MaxHeaderTime", "0"));
    assert_int_equal(conf->max_header_time, 0);
    assert_refused(given("H2MaxHeaderTime", "-1"), "H2MaxHeaderTime", "-1",
                   "a time from 0 (no limit) in s, ms, mi or h, such as 30 or 1h");
    assert_refused(given("H2MaxConnectionTime", "soon"), "H2MaxConnectionTime", "soon",
                   "a time from 0 (no limit) in s, ms, mi or h, such as 30 or 1h");
}

static void flags_are_on_or_off(void **state)
{
    static const char *const names[] = {"H2Direct", "H2Upgrade", "H2ModernTLSOnly",
                                        "H2OutputBuffering", "H2SerializeHeaders",
                                        "H2ProxyRequests", "H2Push", "H2EarlyHints",
                                        "H2CopyFiles", "H2WebSockets", "H2PriorityHeaders",
                                        "H2ServerTiming"};
    static const char *const refused[] = {"1", "0", "", "yes", "true", "onn", " on", "on off"};
    size_t i, k;

    (void)state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
        assert_null(given(names[i], "ON"));
        assert_null(given(names[i], "oFF"));
        assert_null(given(names[i], "off"));
        for (k = 0; k < sizeof(refused) / sizeof(refused[0]); ++k) {
            assert_refused(given(names[i], refused[k]), names[i], refused[k], "on or off");
        }
    }
    assert_int_equal(conf->direct, 0);
    assert_int_equal(conf->upgrade, 0);
    assert_int_equal(conf->modern_tls_only, 0);
    assert_int_equal(conf->output_buffering, 0);
    assert_int_equal(conf->serialize_headers, 0);
    assert_int_equal(dir->proxy_requests, 0);
    assert_int_equal(dir->push, 0);
    assert_int_equal(dir->early_hints, 0);
    assert_int_equal(dir->copy_files, 0);
    assert_null(given("H2Direct", "On"));
    assert_int_equal(conf->direct, 1);
    assert_null(given("H2SerializeHeaders", "on"));
    assert_int_equal(conf->serialize_headers, 1);
    assert_int_equal(conf->websockets, 0);
    assert_null(given("H2WebSockets", "on"));
    assert_int_equal(conf->websockets, 1);
}

/* A server's are those of its lookup defaults, so that there is one place for both. */
static void flags_of_directories_are_each_their_own(void **state)
{
    static const char *const paths[] = {NULL, "/var/www"};
    size_t i;

    (void)state;
    for (i = 0; i < 2; ++i) {
        dir = h2_config_create_dir(pool, NULL);
        assert_null(given_in(paths[i], "H2Push", "off"));
        assert_int_equal(dir->push, 0);
        assert_int_equal(dir->proxy_requests, H2_CONFIG_UNSET);
        assert_null(given_in(paths[i], "H2ProxyRequests", "on"));
        assert_int_equal(dir->proxy_requests, 1);
        assert_int_equal(dir->push, 0);
        assert_int_equal(dir->early_hints, H2_CONFIG_UNSET);
        assert_int_equal(dir->copy_files, H2_CONFIG_UNSET);
        assert_null(given_in(paths[i], "H2EarlyHints", "on"));
        assert_null(given_in(paths[i], "H2CopyFiles", "off"));
        assert_int_equal(dir->early_hints, 1);
        assert_int_equal(dir->copy_files, 0);
        assert_null(given_in(paths[i], "H2Push", "on"));
        assert_int_equal(dir->push, 1);
        assert_non_null(given_in(paths[i], "H2Push", "maybe"));
        assert_int_equal(dir->push, 1);
    }
    assert_int_equal(conf->set_fields, 0);
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

static void a_timeout_begins_with_a_digit_and_has_a_known_unit(void **state)
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

static void workers_in_a_vhost_have_no_effect_but_a_warning(void **state)
{
    static const char *const names[] = {"H2MinWorkers", "H2MaxWorkers", "H2MaxWorkerIdleSeconds"};
    int i;

    (void)state;
    server.is_virtual = 1;
    for (i = 0; i < 3; ++i) {
        assert_null(given(names[i], "5"));
        assert_int_equal(log_count, i + 1);
        assert_ptr_equal(strstr(last_log, names[i]), last_log);
        assert_non_null(strstr(last_log, "has no effect in <VirtualHost>"));
        assert_null(log_server); /* the vhost's own is not open yet */
    }
    assert_int_equal(conf->set_fields, 0);
    assert_int_equal(conf->min_workers, 0);
    assert_int_equal(conf->max_workers, 0);
    assert_int_equal(conf->worker_idle, apr_time_from_sec(600));

    /* What is no number there is a mistake as everywhere. */
    assert_no_number("H2MinWorkers", "0", "1", "65535");
    assert_no_number("H2MaxWorkers", "65536", "1", "65535");
    assert_refused(given("H2MaxWorkerIdleSeconds", "long"), "H2MaxWorkerIdleSeconds", "long",
                   "a time of more than 0 in s, ms, mi or h, such as 600 or 10mi");
    assert_int_equal(log_count, 3);
}

static void other_numbers_in_a_vhost_are_the_vhosts(void **state)
{
    (void)state;
    server.is_virtual = 1;
    assert_null(given("H2MaxSessionStreams", "7"));
    assert_null(given("H2PushDiarySize", "64"));
    assert_null(given("H2MaxStreamErrors", "9"));
    assert_null(given("H2MaxHeaderBlockLen", "9000"));
    assert_int_equal(conf->max_session_streams, 7);
    assert_int_equal(conf->push_diary_size, 64);
    assert_int_equal(conf->max_stream_errors, 9);
    assert_int_equal(conf->max_header_block_bytes, 9000);
    assert_int_equal(log_count, 0);
}

static void a_servers_directives_are_for_servers_only(void **state)
{
    static const char *const names[] = {
        "H2MinWorkers",        "H2MaxWorkers",     "H2MaxWorkerIdleSeconds", "H2MaxSessionStreams",
        "H2MaxHeaderBlockLen", "H2MaxStreamErrors", "H2PushDiarySize",       "H2SessionExtraFiles",
    };
    static const char *const flags[] = {"H2Direct", "H2ModernTLSOnly", "H2SerializeHeaders",
                                        "H2WebSockets"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
        asked_context = 0;
        assert_null(given(names[i], "1"));
        assert_int_equal(asked_context, NOT_IN_DIR_CONTEXT);
    }
    for (i = 0; i < sizeof(flags) / sizeof(flags[0]); ++i) {
        asked_context = 0;
        assert_null(given(flags[i], "off"));
        assert_int_equal(asked_context, NOT_IN_DIR_CONTEXT);
    }
    asked_context = 0;
    assert_null(given_words("H2PushPriority", "*", "after", NULL));
    assert_int_equal(asked_context, NOT_IN_DIR_CONTEXT);

    setup(NULL);
    context_error = "not here";
    for (i = 0; i < sizeof(names) / sizeof(names[0]); ++i) {
        assert_string_equal(given(names[i], "1"), "not here");
    }
    for (i = 0; i < sizeof(flags) / sizeof(flags[0]); ++i) {
        assert_string_equal(given(flags[i], "on"), "not here");
    }
    assert_string_equal(given_words("H2PushPriority", "*", "after", NULL), "not here");
    assert_int_equal(conf->set_fields, 0);
    assert_null(conf->push_rules);
    assert_int_equal(log_count, 0);
}

static void a_profile_has_one_of_three_names(void **state)
{
    static const char *const refused[] = {"", "none", "balance", " balanced", "high concurrency"};
    size_t i;

    (void)state;
    assert_null(given("H2TuningProfile", "Conservative"));
    assert_string_equal(conf->profile->name, "conservative");
    assert_null(given("H2TuningProfile", "high-concurrency"));
    assert_string_equal(conf->profile->name, "high-concurrency");
    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); ++i) {
        assert_refused(given("H2TuningProfile", refused[i]), "H2TuningProfile", refused[i],
                       "conservative, balanced or high-concurrency");
    }
    assert_string_equal(conf->profile->name, "high-concurrency");
    assert_int_equal(conf->set_fields, 0);
    assert_int_equal(conf->window_bytes, 65535); /* only when all is read */
}

static void the_check_completes_each_server(void **state)
{
    void *vhost_vector[1];
    server_rec vhost;
    h2_server_conf *vhost_conf = h2_config_create_server(pool, NULL);

    (void)state;
    assert_null(given("H2MaxHeaderListSize", "5000"));
    assert_null(given("H2TuningProfile", "balanced"));
    assert_null(given("H2WindowSize", "4000"));
    vhost = server;
    vhost.is_virtual = 1;
    vhost.limit_req_fields = 500;
    vhost.limit_req_fieldsize = 200;
    vhost.module_config = (ap_conf_vector_t *)vhost_vector;
    vhost_vector[0] = vhost_conf;
    vhost.next = NULL;
    server.next = &vhost;

    h2_directives_check(&server);
    assert_int_equal(conf->header_list_bytes, 5000);
    assert_int_equal(conf->max_session_streams, 128);
    assert_int_equal(conf->window_bytes, 4000);
    assert_int_equal(vhost_conf->header_list_bytes, 500 * 232);
    assert_int_equal(vhost_conf->max_session_streams, 100);
    assert_int_equal(log_count, 0);
}

static void a_diary_has_no_place_or_a_power_of_2(void **state)
{
    static const char *const refused[] = {
        "3",    "5",  "255", "257", "24576", "32767", "32769",      "65536",
        "-1",   "",   "many", "1k", " 8",    "+8",    "2147483648", "18446744073709551616",
        "0x10", "8 ",
    };
    size_t i;
    int size;

    (void)state;
    assert_null(given("H2PushDiarySize", "0"));
    assert_int_equal(conf->push_diary_size, 0);
    for (size = 1; size <= 32768; size *= 2) {
        assert_null(given("H2PushDiarySize", apr_itoa(pool, size)));
        assert_int_equal(conf->push_diary_size, size);
    }
    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); ++i) {
        assert_refused(given("H2PushDiarySize", refused[i]), "H2PushDiarySize", refused[i],
                       "0 or a power of 2 up to 32768");
        assert_int_equal(conf->push_diary_size, 32768);
    }
}

static void assert_rule(const char *content_type, h2_push_order order, int weight)
{
    const h2_push_rule *rule = h2_push_rules_find(conf->push_rules, content_type);

    assert_non_null(rule);
    assert_int_equal(rule->order, order);
    assert_int_equal(rule->weight, weight);
}

static void the_order_of_pushes_has_a_weight_or_the_one_that_is_usual(void **state)
{
    static const struct {
        const char *order, *weight;
        h2_push_order is_order;
        int is_weight;
    } cases[] = {
        {"after", NULL, H2_PUSH_AFTER, 16},
        {"after", "1", H2_PUSH_AFTER, 1},
        {"after", "256", H2_PUSH_AFTER, 256},
        {"AFTER", "17", H2_PUSH_AFTER, 17},
        {"1", NULL, H2_PUSH_AFTER, 1},
        {"32", NULL, H2_PUSH_AFTER, 32},
        {"256", NULL, H2_PUSH_AFTER, 256},
        {"before", NULL, H2_PUSH_BEFORE, 16},
        {"Before", NULL, H2_PUSH_BEFORE, 16},
        {"interleaved", NULL, H2_PUSH_INTERLEAVED, 256},
        {"interleaved", "1", H2_PUSH_INTERLEAVED, 1},
        {"interleaved", "512", H2_PUSH_INTERLEAVED, 512},
        {"INTERLEAVED", "128", H2_PUSH_INTERLEAVED, 128},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
        assert_null(given_words("H2PushPriority", "text/css", cases[i].order, cases[i].weight));
        assert_rule("text/css; charset=utf-8", cases[i].is_order, cases[i].is_weight);
        assert_rule("text/html", H2_PUSH_AFTER, 16);
    }
    assert_int_equal(conf->push_rules->nelts, 1);
    assert_null(given_words("H2PushPriority", "*", "before", NULL));
    assert_rule("text/html", H2_PUSH_BEFORE, 16);
    assert_null(given_words("H2PushPriority", "application/vnd.a+json", "3", NULL));
    assert_rule("Application/vnd.a+JSON", H2_PUSH_AFTER, 3);
    assert_int_equal(conf->push_rules->nelts, 3);
}

/* As httpd's own module does. */
static void a_type_that_no_response_has_is_taken_with_a_warning(void **state)
{
    static const char *const types[] = {"text", "**", "*/*", "text/*", "text/css;a=b",
                                        "text/css ", " text/css", "te\txt/css", "css"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(types) / sizeof(types[0]); ++i) {
        last_log[0] = '\0';
        assert_null(given_words("H2PushPriority", types[i], "after", NULL));
        assert_non_null(strstr(last_log, "is the type of no response"));
    }
    assert_refused(given_words("H2PushPriority", "", "after", NULL), "H2PushPriority", "",
                   "a content type such as text/css, or *");
}

static void a_wrong_order_of_pushes_is_refused(void **state)
{
    static const char *const orders[] = {"", "behind", "afterwards", "-1", "+16", " after", "*",
                                         "x16"};
    static const char *const weights[] = {"", "0", "-1", "513", "many", "1x", " 1", "1.5",
                                          "99999999999999999999"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(orders) / sizeof(orders[0]); ++i) {
        assert_refused(given_words("H2PushPriority", "*", orders[i], NULL), "H2PushPriority",
                       orders[i], "after, before or interleaved, or a weight");
        assert_refused(given_words("H2PushPriority", "*", orders[i], "16"), "H2PushPriority",
                       orders[i], "after, before or interleaved");
    }
    for (i = 0; i < sizeof(weights) / sizeof(weights[0]); ++i) {
        assert_refused(given_words("H2PushPriority", "*", "after", weights[i]), "H2PushPriority",
                       weights[i], "a number from 1 to 512");
    }
    assert_refused(given_words("H2PushPriority", "*", "0", NULL), "H2PushPriority", "0",
                   "a number from 1 to 512");
    assert_refused(given_words("H2PushPriority", "*", "513", NULL), "H2PushPriority", "513",
                   "a number from 1 to 512");
    assert_refused(given_words("H2PushPriority", "*", "16x", NULL), "H2PushPriority", "16x",
                   "a number from 1 to 512");
    assert_refused(given_words("H2PushPriority", "*", "interleaved", "0"), "H2PushPriority", "0",
                   "a number from 1 to 512");
    assert_refused(given_words("H2PushPriority", "*", "interleaved", "513"), "H2PushPriority",
                   "513", "a number from 1 to 512");
    assert_refused(given_words("H2PushPriority", "*", "before", "16"), "H2PushPriority", "16",
                   "left out: with before the weight is that of the client's request");
    assert_non_null(given_words("H2PushPriority", "*", "16", "16"));
    assert_null(conf->push_rules);
}

static void assert_resource(int index, const char *path, int is_critical)
{
    const h2_push_resource *resource;

    assert_non_null(dir->push_resources);
    assert_true(index < dir->push_resources->nelts);
    resource = &APR_ARRAY_IDX(dir->push_resources, index, h2_push_resource);
    assert_string_equal(resource->path, path);
    assert_int_equal(resource->is_critical, is_critical);
}

static void resources_are_added_in_one_to_three_words(void **state)
{
    (void)state;
    assert_null(given_words("H2PushResource", "/a.css", NULL, NULL));
    assert_null(given_words("H2PushResource", "/b.css", "critical", NULL));
    assert_null(given_words("H2PushResource", "add", "/c.css", NULL));
    assert_null(given_words("H2PushResource", "ADD", "/d.css", "Critical"));
    assert_null(given_words("H2PushResource", "e.css?x=1&y", NULL, NULL));
    assert_null(given_words("H2PushResource", "/a.css", "CRITICAL", NULL)); /* again */
    assert_null(given_words("H2PushResource", "add", NULL, NULL)); /* a name like others */
    assert_resource(5, "add", 0);
    assert_int_equal(dir->push_resources->nelts, 6);
    assert_resource(0, "/a.css", 1);
    assert_resource(1, "/b.css", 1);
    assert_resource(2, "/c.css", 0);
    assert_resource(3, "/d.css", 1);
    assert_resource(4, "e.css?x=1&y", 0);
    assert_int_equal(asked_context, 0); /* allowed everywhere */
    assert_int_equal(conf->set_fields, 0);
}

static void wrong_resources_are_refused(void **state)
{
    static const char *const paths[] = {"", "</a.css>", "/a b.css", "/a\tb", "/a\r\nb", ">",
                                        " /a"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(paths) / sizeof(paths[0]); ++i) {
        assert_refused(given_words("H2PushResource", paths[i], NULL, NULL), "H2PushResource",
                       paths[i], "the path of a resource such as /style.css");
        assert_refused(given_words("H2PushResource", "add", paths[i], "critical"),
                       "H2PushResource", paths[i], "the path of a resource such as /style.css");
    }
    assert_refused(given_words("H2PushResource", "/a", "urgent", NULL), "H2PushResource", "urgent",
                   "critical, or left out");
    assert_refused(given_words("H2PushResource", "/a", "", NULL), "H2PushResource", "",
                   "critical, or left out");
    assert_refused(given_words("H2PushResource", "add", "/a", "urgent"), "H2PushResource",
                   "urgent", "critical, or left out");
    assert_refused(given_words("H2PushResource", "/a", "/b", "critical"), "H2PushResource", "/a",
                   "add where three words are given");
    assert_refused(given_words("H2PushResource", "clear", "/b", "critical"), "H2PushResource",
                   "clear", "add where three words are given");
    assert_null(dir->push_resources);
}

static void what_is_no_longer_known_is_refused_with_an_advice(void **state)
{
    static const struct {
        const char *name, *advice;
    } cases[] = {
        {"H2AltSvc", "Header set Alt-Svc"},
        {"H2AltSvcMaxAge", "Header set Alt-Svc"},
        {"H2Engine", "Protocols h2 h2c http/1.1"},
        {"H2KeepAliveTimeout", "KeepAliveTimeout"},
        {"H2Timeout", "H2StreamTimeout"},
    };
    static const char *const texts[] = {"", "on", "h2=\":443\" and more", "\"unended"};
    size_t i, k;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
        for (k = 0; k < sizeof(texts) / sizeof(texts[0]); ++k) {
            cmd_parms parms = parms_of(k % 2 ? "/var/www" : NULL, cases[i].name);
            const char *error;

            assert_int_equal(parms.cmd->args_how, RAW_ARGS); /* whatever is written */
            error = parms.cmd->AP_RAW_ARGS(&parms, dir, texts[k]);
            assert_non_null(error);
            assert_ptr_equal(strstr(error, cases[i].name), error);
            assert_non_null(strstr(error, " is no longer supported: "));
            assert_non_null(strstr(strchr(error, ':'), cases[i].advice));
        }
    }
    assert_int_equal(conf->set_fields, 0);
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

static void each_directive_has_a_help_text_and_is_there_once(void **state)
{
    const command_rec *cmd;
    int count = 0, refused_count = 0;

    (void)state;
    for (cmd = h2_config_commands; cmd->name; ++cmd, ++count) {
        assert_ptr_equal(command(cmd->name), cmd);
        assert_true(cmd->req_override & RSRC_CONF);
        if (cmd->args_how == RAW_ARGS) {
            assert_ptr_equal(strstr(cmd->errmsg, "no longer supported: "), cmd->errmsg);
            ++refused_count;
        }
        else {
            assert_non_null(strstr(cmd->errmsg, "(default: "));
        }
    }
    assert_int_equal(count, 46);
    assert_int_equal(refused_count, 5);
}

static void each_directive_has_its_context(void **state)
{
    static const struct {
        const char *name;
        int override;
    } cases[] = {
        {"H2Upgrade", RSRC_CONF | OR_FILEINFO | OR_AUTHCFG},
        {"H2OutputBuffering", RSRC_CONF | ACCESS_CONF},
        {"H2StreamTimeout", RSRC_CONF | ACCESS_CONF},
        {"H2EarlyHints", RSRC_CONF | OR_FILEINFO},
        {"H2EarlyHint", RSRC_CONF | OR_FILEINFO | OR_AUTHCFG},
        {"H2CopyFiles", RSRC_CONF | OR_FILEINFO},
        {"H2PriorityHeaders", RSRC_CONF | OR_FILEINFO},
        {"H2ServerTiming", RSRC_CONF | OR_FILEINFO},
        {"H2ProxyRequests", RSRC_CONF | OR_FILEINFO},
        {"H2Push", RSRC_CONF | OR_FILEINFO | OR_AUTHCFG},
        {"H2PushResource", RSRC_CONF | OR_FILEINFO | OR_AUTHCFG},
        {"H2AltSvc", RSRC_CONF | OR_ALL},
        {"H2AltSvcMaxAge", RSRC_CONF | OR_ALL},
        {"H2Engine", RSRC_CONF | OR_ALL},
        {"H2KeepAliveTimeout", RSRC_CONF | OR_ALL},
        {"H2Timeout", RSRC_CONF | OR_ALL},
    };
    const size_t count = sizeof(cases) / sizeof(cases[0]);
    const command_rec *cmd;

    (void)state;
    for (cmd = h2_config_commands; cmd->name; ++cmd) {
        size_t i = 0;

        while (i < count && strcmp(cases[i].name, cmd->name)) {
            ++i;
        }
        assert_int_equal(cmd->req_override, (i < count) ? cases[i].override : RSRC_CONF);
    }
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
    assert_ptr_equal(log_server, &server);
    h2_directives_check(&server);
    assert_int_equal(log_count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numbers_are_stored_in_the_readers_units),
        TEST(the_ends_of_each_range_are_taken_and_no_more),
        TEST(a_refused_value_changes_nothing),
        TEST(limits_of_floods_have_a_rate_and_may_have_a_burst),
        TEST(limits_of_time_may_be_none),
        TEST(flags_are_on_or_off),
        TEST(flags_of_directories_are_each_their_own),
        TEST(a_directorys_value_stays_in_the_directory),
        TEST(a_servers_value_stays_out_of_the_directory),
        TEST(a_timeout_begins_with_a_digit_and_has_a_known_unit),
        TEST(workers_in_a_vhost_have_no_effect_but_a_warning),
        TEST(other_numbers_in_a_vhost_are_the_vhosts),
        TEST(a_servers_directives_are_for_servers_only),
        TEST(a_profile_has_one_of_three_names),
        TEST(the_check_completes_each_server),
        TEST(a_diary_has_no_place_or_a_power_of_2),
        TEST(the_order_of_pushes_has_a_weight_or_the_one_that_is_usual),
        TEST(a_type_that_no_response_has_is_taken_with_a_warning),
        TEST(a_wrong_order_of_pushes_is_refused),
        TEST(resources_are_added_in_one_to_three_words),
        TEST(wrong_resources_are_refused),
        TEST(what_is_no_longer_known_is_refused_with_an_advice),
        TEST(hints_have_a_name_and_a_value_of_http),
        TEST(what_has_no_effect_is_taken_with_a_warning),
        TEST(each_directive_has_a_help_text_and_is_there_once),
        TEST(each_directive_has_its_context),
        TEST(the_check_corrects_all_vhosts_and_warns_once),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

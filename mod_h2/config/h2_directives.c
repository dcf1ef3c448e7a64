#include "config/h2_directives.h"

#include <apr_lib.h>

#include "config/h2_config.h"
#include "config/h2_value.h"

/* More threads than this are a typing error on any machine of today. */
#define H2_WORKERS_LIMIT 65535

/* Below this a window or a buffer costs a round trip for a handful of bytes;
 * httpd's own module draws the line at the same place. */
#define H2_BUFFER_MIN_BYTES 1024

/* RFC 9113, 4.2: the largest payload that a frame can have. */
#define H2_FRAME_PAYLOAD_LIMIT ((1 << 24) - 1)

#define ALLOWED_FLAG    "on or off"
#define ALLOWED_NAME    "the name of a field, RFC 9110, 5.1"
#define ALLOWED_FIELD   "the value of a field, without control characters"
#define ALLOWED_TIMEOUT "a time from 0 (without end) in s, ms, mi or h, such as 30 or 500ms"

/* What a directive with a number as argument takes. */
typedef struct number_rule {
    h2_config_field field;
    apr_int64_t min;
    apr_int64_t max;
    apr_int64_t factor; /* from the directive's unit to the field's */
    unsigned forbidden; /* contexts, see ap_check_cmd_context() */
} number_rule;

static const number_rule max_session_streams = {H2_CONFIG_MAX_SESSION_STREAMS, 1, APR_INT32_MAX, 1,
                                                NOT_IN_DIR_CONTEXT};
static const number_rule window_size = {H2_CONFIG_WINDOW, H2_BUFFER_MIN_BYTES, APR_INT32_MAX, 1,
                                        NOT_IN_DIR_CONTEXT};
static const number_rule stream_max_mem_size = {H2_CONFIG_STREAM_MEM, H2_BUFFER_MIN_BYTES,
                                                APR_INT32_MAX, 1, NOT_IN_DIR_CONTEXT};
static const number_rule min_workers = {H2_CONFIG_MIN_WORKERS, 1, H2_WORKERS_LIMIT, 1, GLOBAL_ONLY};
static const number_rule max_workers = {H2_CONFIG_MAX_WORKERS, 1, H2_WORKERS_LIMIT, 1, GLOBAL_ONLY};
static const number_rule max_worker_idle = {H2_CONFIG_WORKER_IDLE, 1, APR_INT32_MAX,
                                            APR_USEC_PER_SEC, GLOBAL_ONLY};
static const number_rule tls_warm_up_size = {H2_CONFIG_TLS_WARM_UP, 0, APR_INT64_MAX, 1,
                                             NOT_IN_DIR_CONTEXT};
static const number_rule tls_cool_down = {H2_CONFIG_TLS_COOL_DOWN, 0, APR_INT32_MAX,
                                          APR_USEC_PER_SEC, NOT_IN_DIR_CONTEXT};
static const number_rule padding = {H2_CONFIG_PADDING, 0, 8, 1, NOT_IN_DIR_CONTEXT};
static const number_rule max_data_frame_len = {H2_CONFIG_MAX_DATA_FRAME, 0, H2_FRAME_PAYLOAD_LIMIT,
                                               1, NOT_IN_DIR_CONTEXT};

/* What a directive with on or off as argument sets in a server. */
static const h2_config_field direct_field = H2_CONFIG_DIRECT;
static const h2_config_field modern_tls_only_field = H2_CONFIG_MODERN_TLS_ONLY;

/* Only while the configuration is read: later on it is constant. */
static h2_server_conf *server_conf(server_rec *s)
{
    return ap_get_module_config(s->module_config, &http2_module);
}

/* Are the values for a directory? Else they are for the server, and dir_conf is
 * that of the server's lookup defaults, which we leave alone. */
static int is_in_directory(const cmd_parms *cmd)
{
    return cmd->path != NULL;
}

static const char *set_number(cmd_parms *cmd, void *dir_conf, const char *text)
{
    const number_rule *rule = cmd->info;
    const char *error = ap_check_cmd_context(cmd, rule->forbidden);
    apr_int64_t value;

    (void)dir_conf;
    if (error) {
        return error;
    }
    if (h2_value_number_parse(text, rule->min, rule->max, &value) != APR_SUCCESS) {
        return h2_value_number_error(cmd->pool, cmd->cmd->name, text, rule->min, rule->max);
    }
    h2_config_set(server_conf(cmd->server), rule->field, value * rule->factor);
    return NULL;
}

static const char *set_server_flag(cmd_parms *cmd, void *dir_conf, const char *text)
{
    const h2_config_field *field = cmd->info;
    const char *error = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    int value;

    (void)dir_conf;
    if (error) {
        return error;
    }
    if (h2_value_flag_parse(text, &value) != APR_SUCCESS) {
        return h2_value_error(cmd->pool, cmd->cmd->name, text, ALLOWED_FLAG);
    }
    h2_config_set(server_conf(cmd->server), *field, value);
    return NULL;
}

static const char *set_upgrade(cmd_parms *cmd, void *dir_conf, const char *text)
{
    int value;

    if (h2_value_flag_parse(text, &value) != APR_SUCCESS) {
        return h2_value_error(cmd->pool, cmd->cmd->name, text, ALLOWED_FLAG);
    }
    if (is_in_directory(cmd)) {
        ((h2_dir_conf *)dir_conf)->upgrade = value;
    }
    else {
        h2_config_set(server_conf(cmd->server), H2_CONFIG_UPGRADE, value);
    }
    return NULL;
}

static const char *set_output_buffering(cmd_parms *cmd, void *dir_conf, const char *text)
{
    int value;

    if (h2_value_flag_parse(text, &value) != APR_SUCCESS) {
        return h2_value_error(cmd->pool, cmd->cmd->name, text, ALLOWED_FLAG);
    }
    if (is_in_directory(cmd)) {
        ((h2_dir_conf *)dir_conf)->output_buffering = value;
    }
    else {
        h2_config_set(server_conf(cmd->server), H2_CONFIG_OUTPUT_BUFFERING, value);
    }
    return NULL;
}

static const char *set_stream_timeout(cmd_parms *cmd, void *dir_conf, const char *text)
{
    apr_interval_time_t value;

    /* httpd's parser takes an empty text, blanks and signs for a number. */
    if (!apr_isdigit(*text) || ap_timeout_parameter_parse(text, &value, "s") != APR_SUCCESS) {
        return h2_value_error(cmd->pool, cmd->cmd->name, text, ALLOWED_TIMEOUT);
    }
    if (is_in_directory(cmd)) {
        ((h2_dir_conf *)dir_conf)->stream_timeout = value;
    }
    else {
        h2_config_set(server_conf(cmd->server), H2_CONFIG_STREAM_TIMEOUT, value);
    }
    return NULL;
}

/* The server's own values are those of its directory configuration, too. */
static const char *set_dir_flag(cmd_parms *cmd, void *dir_conf, const char *text)
{
    int *pvalue = (int *)((char *)dir_conf + (apr_size_t)cmd->info);

    return (h2_value_flag_parse(text, pvalue) == APR_SUCCESS)
               ? NULL
               : h2_value_error(cmd->pool, cmd->cmd->name, text, ALLOWED_FLAG);
}

static const char *add_early_hint(cmd_parms *cmd, void *dir_conf, const char *name,
                                  const char *value)
{
    h2_dir_conf *conf = dir_conf;

    if (!*name || *ap_scan_http_token(name)) {
        return h2_value_error(cmd->pool, cmd->cmd->name, name, ALLOWED_NAME);
    }
    if (*ap_scan_http_field_content(value)) {
        return h2_value_error(cmd->pool, cmd->cmd->name, value, ALLOWED_FIELD);
    }
    if (!conf->hint_fields) {
        conf->hint_fields = apr_table_make(cmd->pool, 4);
    }
    apr_table_add(conf->hint_fields, name, value);
    return NULL;
}

/* Of httpd's own module in its first years, and still in configurations. */
static const char *ignore_number(cmd_parms *cmd, void *dir_conf, const char *text)
{
    const char *error = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    apr_int64_t value;

    (void)dir_conf;
    if (error) {
        return error;
    }
    if (h2_value_number_parse(text, 0, APR_INT32_MAX, &value) != APR_SUCCESS) {
        return h2_value_number_error(cmd->pool, cmd->cmd->name, text, 0, APR_INT32_MAX);
    }
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, cmd->server,
                 "%s has no effect and can be removed: files stay open as long as they are sent",
                 cmd->cmd->name);
    return NULL;
}

/* Flags are taken as one word, not by AP_INIT_FLAG, whose message names no value. */
#define NUMBER(name, rule, help) AP_INIT_TAKE1(name, set_number, (void *)&(rule), RSRC_CONF, help)
#define SERVER_FLAG(name, field, help)                                                             \
    AP_INIT_TAKE1(name, set_server_flag, (void *)&(field), RSRC_CONF, help)

const command_rec h2_config_commands[] = {
    SERVER_FLAG("H2Direct", direct_field,
                "on|off: take HTTP/2 where a connection's first bytes are the client's "
                "preface (default: on in clear text, off over TLS)"),
    AP_INIT_TAKE1("H2Upgrade", set_upgrade, NULL, RSRC_CONF | OR_FILEINFO | OR_AUTHCFG,
                  "on|off: allow requests to switch to HTTP/2 by Upgrade: h2c "
                  "(default: on in clear text, off over TLS)"),
    NUMBER("H2MaxSessionStreams", max_session_streams,
           "requests in progress at a time on a connection, 1 to 2147483647 (default: 100)"),
    NUMBER("H2WindowSize", window_size,
           "bytes of a request body that the client may send ahead and the server must "
           "buffer, 1024 to 2147483647 (default: 65535)"),
    NUMBER("H2StreamMaxMemSize", stream_max_mem_size,
           "bytes of a response kept in memory until the client takes them, "
           "1024 to 2147483647 (default: 65536)"),
    NUMBER("H2MinWorkers", min_workers,
           "threads for requests that each child keeps, 1 to 65535 "
           "(default: two for each core)"),
    NUMBER("H2MaxWorkers", max_workers,
           "requests that run in threads of their own in each child at most, 1 to 65535 "
           "(default: one and a half for each thread of the MPM)"),
    NUMBER("H2MaxWorkerIdleSeconds", max_worker_idle,
           "seconds until an idle thread above the minimum ends, 1 to 2147483647 "
           "(default: 600)"),
    SERVER_FLAG("H2ModernTLSOnly", modern_tls_only_field,
                "on|off: HTTP/2 over TLS only with TLS 1.2 or better and without the ciphers "
                "of RFC 9113, appendix A (default: on)"),
    NUMBER("H2TLSWarmUpSize", tls_warm_up_size,
           "bytes sent in small TLS records before large ones are used, 0 (none) to "
           "9223372036854775807 (default: 1048576)"),
    NUMBER("H2TLSCoolDownSecs", tls_cool_down,
           "seconds without sending until TLS records are small again, 0 (never) to "
           "2147483647 (default: 1)"),
    NUMBER("H2Padding", padding,
           "random padding of frames, in bits of its length in bytes, 0 (none) to 8 "
           "(default: 0)"),
    AP_INIT_TAKE1("H2OutputBuffering", set_output_buffering, NULL, RSRC_CONF | ACCESS_CONF,
                  "on|off: off sends every piece of a response at once, however small "
                  "(default: on)"),
    AP_INIT_TAKE1("H2StreamTimeout", set_stream_timeout, NULL, RSRC_CONF | ACCESS_CONF,
                  "how long a request waits for its client to send or take data, in s, ms, mi "
                  "or h, 0 for without end (default: Timeout)"),
    AP_INIT_TAKE1("H2EarlyHints", set_dir_flag, (void *)APR_OFFSETOF(h2_dir_conf, early_hints),
                  RSRC_CONF | OR_FILEINFO,
                  "on|off: clients get 103 responses, those of H2EarlyHint and those that a "
                  "handler makes (default: off)"),
    AP_INIT_TAKE2("H2EarlyHint", add_early_hint, NULL, RSRC_CONF | OR_FILEINFO,
                  "name and value of a field that clients get in a 103 response before the "
                  "request is handled, where H2EarlyHints is on; adds to others (default: none)"),
    AP_INIT_TAKE1("H2CopyFiles", set_dir_flag, (void *)APR_OFFSETOF(h2_dir_conf, copy_files),
                  RSRC_CONF | OR_FILEINFO,
                  "on|off: copy the content of files while a request is handled, for modules "
                  "that close their files before they are sent (default: off)"),
    AP_INIT_TAKE1("H2SessionExtraFiles", ignore_number, NULL, RSRC_CONF,
                  "a number; has no effect any more (default: none)"),
    NUMBER("H2MaxDataFrameLen", max_data_frame_len,
           "bytes of a response in one DATA frame, 0 (no limit but HTTP/2's) to 16777215 "
           "(default: 0)"),
    {.name = NULL},
};

void h2_directives_check(server_rec *main_server)
{
    server_rec *s;

    for (s = main_server; s; s = s->next) {
        int was_corrected = h2_config_correct_workers(server_conf(s));

        /* All vhosts have the main server's value: say it once. */
        if (was_corrected && s == main_server) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                         "H2MaxWorkers is below H2MinWorkers: using %d for both",
                         server_conf(s)->min_workers);
        }
    }
}

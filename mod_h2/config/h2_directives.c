#include "config/h2_directives.h"

#include <apr_lib.h>

#include "config/h2_config.h"
#include "config/h2_draft.h"
#include "config/h2_header_list.h"
#include "config/h2_push_directives.h"
#include "config/h2_value.h"

/* More threads than this are a typing error on any machine of today. */
#define H2_WORKERS_LIMIT 65535

/* Below this a window or a buffer costs a round trip for a handful of bytes;
 * httpd's own module draws the line at the same place. */
#define H2_BUFFER_MIN_BYTES 1024

/* RFC 9113, 4.2: the largest payload that a frame can have. */
#define H2_FRAME_PAYLOAD_LIMIT ((1 << 24) - 1)

/* Below this a browser's usual request with its cookies would be refused; beyond it no head is
 * one, and 100 of them would be more memory than servers have. */
#define H2_HEADER_LIST_MIN 4096
#define H2_HEADER_LIST_LIMIT (1 << 24)

#define ALLOWED_FLAG    "on or off"
#define ALLOWED_NAME    "the name of a field, RFC 9110, 5.1"
#define ALLOWED_FIELD   "the value of a field, without control characters"
#define ALLOWED_IDLE    "a time of more than 0 in s, ms, mi or h, such as 600 or 10mi"
#define ALLOWED_LIMIT   "a time from 0 (no limit) in s, ms, mi or h, such as 30 or 1h"
#define ALLOWED_TIMEOUT "a time from 0 (without end) in s, ms, mi or h, such as 30 or 500ms"

/* Longer times are taken for this one, 68 years, with which one can calculate. */
#define TIME_MAX apr_time_from_sec(APR_INT32_MAX)

/* What a directive with a number as argument takes. */
typedef struct number_rule {
    h2_config_field field;
    apr_int64_t min;
    apr_int64_t max;
    apr_int64_t factor; /* from the directive's unit to the field's */
    int is_global;      /* boolean: a child's, not a vhost's */
} number_rule;

static const number_rule max_session_streams = {H2_CONFIG_MAX_SESSION_STREAMS, 1, APR_INT32_MAX,
                                                1, 0};
static const number_rule window_size = {H2_CONFIG_WINDOW, H2_BUFFER_MIN_BYTES, APR_INT32_MAX, 1,
                                        0};
static const number_rule max_frame_size = {H2_CONFIG_MAX_FRAME, H2_FRAME_BYTES_MIN,
                                           H2_FRAME_PAYLOAD_LIMIT, 1, 0};
static const number_rule max_header_list_size = {H2_CONFIG_HEADER_LIST, H2_HEADER_LIST_MIN,
                                                 H2_HEADER_LIST_LIMIT, 1, 0};
static const number_rule stream_max_mem_size = {H2_CONFIG_STREAM_MEM, H2_BUFFER_MIN_BYTES,
                                                APR_INT32_MAX, 1, 0};
static const number_rule min_workers = {H2_CONFIG_MIN_WORKERS, 1, H2_WORKERS_LIMIT, 1, 1};
static const number_rule max_workers = {H2_CONFIG_MAX_WORKERS, 1, H2_WORKERS_LIMIT, 1, 1};
static const number_rule tls_warm_up_size = {H2_CONFIG_TLS_WARM_UP, 0, APR_INT64_MAX, 1, 0};
static const number_rule tls_cool_down = {H2_CONFIG_TLS_COOL_DOWN, 0, APR_INT32_MAX,
                                          APR_USEC_PER_SEC, 0};
static const number_rule padding = {H2_CONFIG_PADDING, 0, 8, 1, 0};
static const number_rule max_data_frame_len = {H2_CONFIG_MAX_DATA_FRAME, 0, H2_FRAME_PAYLOAD_LIMIT,
                                               1, 0};
static const number_rule max_header_block_len = {H2_CONFIG_MAX_HEADER_BLOCK, 0, APR_INT32_MAX, 1,
                                                 0};
static const number_rule max_stream_errors = {H2_CONFIG_MAX_STREAM_ERRORS, 0, APR_INT32_MAX, 1, 0};

static const number_rule min_request_rate = {H2_CONFIG_MIN_REQUEST_RATE, 0, APR_INT32_MAX, 1, 0};
static const number_rule min_response_rate = {H2_CONFIG_MIN_RESPONSE_RATE, 0, APR_INT32_MAX, 1, 0};
static const number_rule max_connection_requests = {H2_CONFIG_MAX_CONNECTION_REQUESTS, 0,
                                                    APR_INT32_MAX, 1, 0};

/* What a directive sets that says how often a client may do something. */
typedef struct flood_rule {
    h2_config_field rate;
    h2_config_field burst;
} flood_rule;

static const flood_rule max_resets = {H2_CONFIG_RESETS, H2_CONFIG_RESETS_BURST};
static const flood_rule max_client_errors = {H2_CONFIG_CLIENT_ERRORS,
                                             H2_CONFIG_CLIENT_ERRORS_BURST};
static const flood_rule max_control_frames = {H2_CONFIG_CONTROL_FRAMES,
                                              H2_CONFIG_CONTROL_FRAMES_BURST};

/* What a directive with a time as argument, 0 being no limit, sets in a server. */
static const h2_config_field max_header_time_field = H2_CONFIG_MAX_HEADER_TIME;
static const h2_config_field max_connection_time_field = H2_CONFIG_MAX_CONNECTION_TIME;

/* What a directive with on or off as argument sets in a server or in a directory. */
typedef struct flag_rule {
    h2_config_field field;
    apr_size_t dir_offset; /* of an int in h2_dir_conf */
} flag_rule;

static const flag_rule upgrade = {H2_CONFIG_UPGRADE, APR_OFFSETOF(h2_dir_conf, upgrade)};
static const flag_rule output_buffering = {H2_CONFIG_OUTPUT_BUFFERING,
                                           APR_OFFSETOF(h2_dir_conf, output_buffering)};

static const flag_rule server_timing = {H2_CONFIG_SERVER_TIMING,
                                        APR_OFFSETOF(h2_dir_conf, server_timing)};

/* What one sets in a server. */
static const h2_config_field direct_field = H2_CONFIG_DIRECT;
static const h2_config_field modern_tls_only_field = H2_CONFIG_MODERN_TLS_ONLY;
static const h2_config_field serialize_headers_field = H2_CONFIG_SERIALIZE_HEADERS;
static const h2_config_field websockets_field = H2_CONFIG_WEBSOCKETS;

/* Are the values for a directory? Else they are for the server, and dir_conf is
 * that of the server's lookup defaults, which we leave alone. */
static int is_in_directory(const cmd_parms *cmd)
{
    return cmd->path != NULL;
}

/* If so, warns that the directive has no effect there, of which httpd's own module says nothing. */
static int is_in_vhost(const cmd_parms *cmd)
{
    if (cmd->server->is_virtual) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, NULL, /* the vhost has no log yet */
                     "%s has no effect in <VirtualHost>: it is for all of the server",
                     cmd->cmd->name);
    }
    return cmd->server->is_virtual;
}

/* A number of seconds, or with a unit. Returns 0 if it is neither. */
static int parse_time(const char *text, apr_interval_time_t *pvalue)
{
    /* httpd's parser takes an empty text, blanks and signs for a number. */
    if (!apr_isdigit(*text) || ap_timeout_parameter_parse(text, pvalue, "s") != APR_SUCCESS) {
        return 0;
    }
    if (*pvalue > TIME_MAX) {
        *pvalue = TIME_MAX;
    }
    return 1;
}

static const char *set_number(cmd_parms *cmd, void *dir_conf, const char *text)
{
    const number_rule *rule = cmd->info;
    const char *error = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    apr_int64_t value;

    (void)dir_conf;
    if (error) {
        return error;
    }
    if (h2_value_number_parse(text, rule->min, rule->max, &value) != APR_SUCCESS) {
        return h2_value_number_error(cmd->pool, cmd->cmd->name, text, rule->min, rule->max);
    }
    if (rule->is_global && is_in_vhost(cmd)) {
        return NULL;
    }
    h2_config_set(h2_config_draft(cmd->server), rule->field, value * rule->factor);
    return NULL;
}

/* RATE [BURST] */
static const char *set_flood_limit(cmd_parms *cmd, void *dir_conf, const char *rate,
                                   const char *burst)
{
    const flood_rule *rule = cmd->info;
    const char *error = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    apr_int64_t rate_value, burst_value;

    (void)dir_conf;
    if (error) {
        return error;
    }
    if (h2_value_number_parse(rate, 0, APR_INT32_MAX, &rate_value) != APR_SUCCESS) {
        return h2_value_number_error(cmd->pool, cmd->cmd->name, rate, 0, APR_INT32_MAX);
    }
    if (burst
        && h2_value_number_parse(burst, 1, APR_INT32_MAX, &burst_value) != APR_SUCCESS) {
        return h2_value_number_error(cmd->pool, cmd->cmd->name, burst, 1, APR_INT32_MAX);
    }
    h2_config_set(h2_config_draft(cmd->server), rule->rate, rate_value);
    if (burst) {
        h2_config_set(h2_config_draft(cmd->server), rule->burst, burst_value);
    }
    return NULL;
}

static const char *set_limit_of_time(cmd_parms *cmd, void *dir_conf, const char *text)
{
    const h2_config_field *field = cmd->info;
    const char *error = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    apr_interval_time_t value;

    (void)dir_conf;
    if (error) {
        return error;
    }
    if (!parse_time(text, &value)) {
        return h2_value_error(cmd->pool, cmd->cmd->name, text, ALLOWED_LIMIT);
    }
    h2_config_set(h2_config_draft(cmd->server), *field, value);
    return NULL;
}

static const char *set_max_worker_idle(cmd_parms *cmd, void *dir_conf, const char *text)
{
    const char *error = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    apr_interval_time_t value;

    (void)dir_conf;
    if (error) {
        return error;
    }
    if (!parse_time(text, &value) || value <= 0) {
        return h2_value_error(cmd->pool, cmd->cmd->name, text, ALLOWED_IDLE);
    }
    if (!is_in_vhost(cmd)) {
        h2_config_set(h2_config_draft(cmd->server), H2_CONFIG_WORKER_IDLE, value);
    }
    return NULL;
}

static const char *set_tuning_profile(cmd_parms *cmd, void *dir_conf, const char *text)
{
    const char *error = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    const h2_profile *profile = h2_profile_find(text);

    (void)dir_conf;
    if (error) {
        return error;
    }
    if (!profile) {
        return h2_value_error(cmd->pool, cmd->cmd->name, text, H2_PROFILE_NAMES);
    }
    h2_config_draft(cmd->server)->profile = profile;
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
    h2_config_set(h2_config_draft(cmd->server), *field, value);
    return NULL;
}

/* For the server, or for the directory that it is given in. */
static const char *set_flag(cmd_parms *cmd, void *dir_conf, const char *text)
{
    const flag_rule *rule = cmd->info;
    int value;

    if (h2_value_flag_parse(text, &value) != APR_SUCCESS) {
        return h2_value_error(cmd->pool, cmd->cmd->name, text, ALLOWED_FLAG);
    }
    if (is_in_directory(cmd)) {
        *(int *)((char *)dir_conf + rule->dir_offset) = value;
    }
    else {
        h2_config_set(h2_config_draft(cmd->server), rule->field, value);
    }
    return NULL;
}

static const char *set_stream_timeout(cmd_parms *cmd, void *dir_conf, const char *text)
{
    apr_interval_time_t value;

    if (!parse_time(text, &value)) {
        return h2_value_error(cmd->pool, cmd->cmd->name, text, ALLOWED_TIMEOUT);
    }
    if (is_in_directory(cmd)) {
        ((h2_dir_conf *)dir_conf)->stream_timeout = value;
    }
    else {
        h2_config_set(h2_config_draft(cmd->server), H2_CONFIG_STREAM_TIMEOUT, value);
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
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, NULL,
                 "%s has no effect and can be removed: files stay open as long as they are sent",
                 cmd->cmd->name);
    return NULL;
}

/* Of older httpds, or of the module before it was httpd's. info: what to do instead. */
static const char *refuse(cmd_parms *cmd, void *dir_conf, const char *text)
{
    (void)dir_conf;
    (void)text;
    return apr_pstrcat(cmd->pool, cmd->cmd->name, " is no longer supported: ", cmd->info, NULL);
}

#define NUMBER(name, rule, help) AP_INIT_TAKE1(name, set_number, (void *)&(rule), RSRC_CONF, help)
#define FLOOD_LIMIT(name, rule, help)                                                              \
    AP_INIT_TAKE12(name, set_flood_limit, (void *)&(rule), RSRC_CONF, help)
#define REFUSED(name, advice) AP_INIT_RAW_ARGS(name, refuse, (void *)(advice), RSRC_CONF | OR_ALL, \
                                               "no longer supported: " advice)
/* Flags are taken as one word, not by AP_INIT_FLAG, whose message names no value. */
#define SERVER_FLAG(name, field, help)                                                             \
    AP_INIT_TAKE1(name, set_server_flag, (void *)&(field), RSRC_CONF, help)

const command_rec h2_config_commands[] = {
    SERVER_FLAG("H2Direct", direct_field,
                "on|off: take HTTP/2 where a connection's first bytes are the client's "
                "preface (default: on in clear text, off over TLS)"),
    AP_INIT_TAKE1("H2Upgrade", set_flag, (void *)&upgrade, RSRC_CONF | OR_FILEINFO | OR_AUTHCFG,
                  "on|off: allow requests to switch to HTTP/2 by Upgrade: h2c "
                  "(default: on in clear text, off over TLS)"),
    NUMBER("H2MaxSessionStreams", max_session_streams,
           "requests in progress at a time on a connection, 1 to 2147483647 (default: 100)"),
    NUMBER("H2WindowSize", window_size,
           "bytes of a request body that the client may send ahead and the server must "
           "buffer, 1024 to 2147483647 (default: 65535)"),
    NUMBER("H2MaxFrameSize", max_frame_size,
           "bytes of a frame that the client may send, 16384 to 16777215 (default: 16384)"),
    NUMBER("H2MaxHeaderListSize", max_header_list_size,
           "bytes of a request's fields, 4096 to 16777216 (default: 65536, or what raised "
           "LimitRequestFields and LimitRequestFieldSize allow, to 262144)"),
    AP_INIT_TAKE1(
        "H2TuningProfile", set_tuning_profile, NULL, RSRC_CONF,
        "conservative, balanced or high-concurrency: values for streams, windows, frames, "
        "memory and workers where no directive gives one (default: none)"),
    NUMBER("H2StreamMaxMemSize", stream_max_mem_size,
           "bytes of a response kept in memory until the client takes them, "
           "1024 to 2147483647 (default: 65536)"),
    NUMBER("H2MinWorkers", min_workers,
           "threads for requests that each child keeps, 1 to 65535 "
           "(default: two for each event loop)"),
    NUMBER("H2MaxWorkers", max_workers,
           "requests that run in threads of their own in each child at most, 1 to 65535 "
           "(default: one and a half for each thread of the MPM)"),
    AP_INIT_TAKE1("H2MaxWorkerIdleSeconds", set_max_worker_idle, NULL, RSRC_CONF,
                  "seconds, or a time in s, ms, mi or h, until an idle thread above the minimum "
                  "ends, more than 0 (default: 600)"),
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
    AP_INIT_TAKE1("H2OutputBuffering", set_flag, (void *)&output_buffering, RSRC_CONF | ACCESS_CONF,
                  "on|off: off sends every piece of a response at once, however small "
                  "(default: on)"),
    AP_INIT_TAKE1("H2StreamTimeout", set_stream_timeout, NULL, RSRC_CONF | ACCESS_CONF,
                  "how long a request waits for its client to send or take data, in s, ms, mi "
                  "or h, 0 for without end (default: Timeout)"),
    AP_INIT_TAKE1("H2EarlyHints", set_dir_flag, (void *)APR_OFFSETOF(h2_dir_conf, early_hints),
                  RSRC_CONF | OR_FILEINFO,
                  "on|off: clients get 103 responses, those of H2EarlyHint and those that a "
                  "handler makes (default: off)"),
    AP_INIT_TAKE2("H2EarlyHint", add_early_hint, NULL, RSRC_CONF | OR_FILEINFO | OR_AUTHCFG,
                  "name and value of a field that clients get in a 103 response before the "
                  "request is handled, where H2EarlyHints is on; adds to others (default: none)"),
    AP_INIT_TAKE1("H2PriorityHeaders", set_dir_flag,
                  (void *)APR_OFFSETOF(h2_dir_conf, priority_headers), RSRC_CONF | OR_FILEINFO,
                  "on|off: tell back ends the priority of a stream in fields of its request "
                  "(default: off)"),
    AP_INIT_TAKE1("H2CopyFiles", set_dir_flag, (void *)APR_OFFSETOF(h2_dir_conf, copy_files),
                  RSRC_CONF | OR_FILEINFO,
                  "on|off: copy the content of files while a request is handled, for modules "
                  "that close their files before they are sent (default: off)"),
    AP_INIT_TAKE1("H2ServerTiming", set_flag, (void *)&server_timing, RSRC_CONF | OR_FILEINFO,
                  "on|off: responses say in the field Server-Timing how long they waited and ran "
                  "(default: off)"),
    AP_INIT_TAKE1("H2SessionExtraFiles", ignore_number, NULL, RSRC_CONF,
                  "a number; has no effect any more (default: none)"),
    NUMBER("H2MaxDataFrameLen", max_data_frame_len,
           "bytes of a response in one DATA frame, 0 (no limit but HTTP/2's) to 16777215 "
           "(default: 0)"),
    NUMBER("H2MaxHeaderBlockLen", max_header_block_len,
           "bytes of a response's fields, 0 (nghttp2's own limit, 65536) to 2147483647 "
           "(default: 0)"),
    NUMBER("H2MaxStreamErrors", max_stream_errors,
           "errors in flow control that a client may make on its streams until the connection "
           "is ended, 0 (any number) to 2147483647 (default: 8)"),
    FLOOD_LIMIT("H2MaxResets", max_resets,
                "streams that a client may reset in a second, 0 (any number) to 2147483647, and at "
                "once (default: 20, at once 2 x H2MaxSessionStreams, but at least 200)"),
    FLOOD_LIMIT("H2MaxClientErrors", max_client_errors,
                "streams in a second that are reset for errors of the client, 0 (any number) to "
                "2147483647, and at once (default: 10, at once 2 x H2MaxSessionStreams, but at "
                "least 200)"),
    FLOOD_LIMIT("H2MaxControlFrames", max_control_frames,
                "frames of each kind beside requests and bodies that a client may send in a "
                "second, 0 (any number) to 2147483647, and at once (default: 100 1000)"),
    AP_INIT_TAKE1("H2MaxHeaderTime", set_limit_of_time, (void *)&max_header_time_field, RSRC_CONF,
                  "time for a request's fields, and for any frame but DATA, once begun, in s, ms, "
                  "mi or h, 0 for no limit (default: 10)"),
    NUMBER("H2MinRequestRate", min_request_rate,
           "bytes in a second of a request's body that its handler waits for, 0 (no limit) to "
           "2147483647 (default: 100)"),
    NUMBER("H2MinResponseRate", min_response_rate,
           "bytes in a second of a response that a client must take, 0 (no limit) to 2147483647 "
           "(default: 100)"),
    NUMBER("H2MaxConnectionRequests", max_connection_requests,
           "requests after which a connection is ended gracefully, 0 (no limit) to 2147483647 "
           "(default: 0)"),
    AP_INIT_TAKE1("H2MaxConnectionTime", set_limit_of_time, (void *)&max_connection_time_field,
                  RSRC_CONF,
                  "time after which a connection is ended gracefully, in s, ms, mi or h, 0 for no "
                  "limit (default: 0)"),
    SERVER_FLAG("H2SerializeHeaders", serialize_headers_field,
                "on|off: write requests as HTTP/1.1 and let httpd read them, for modules that "
                "want to see them so (default: off)"),
    AP_INIT_TAKE1("H2ProxyRequests", set_dir_flag,
                  (void *)APR_OFFSETOF(h2_dir_conf, proxy_requests), RSRC_CONF | OR_FILEINFO,
                  "on|off: take the requests of HTTP/2 connections as those to a forward proxy, "
                  "see ProxyRequests (default: off)"),
    AP_INIT_TAKE1("H2Push", set_dir_flag, (void *)APR_OFFSETOF(h2_dir_conf, push),
                  RSRC_CONF | OR_FILEINFO | OR_AUTHCFG,
                  "on|off: push what the Link fields of responses and H2PushResource name to "
                  "clients that take it (default: on)"),
    AP_INIT_TAKE1("H2PushDiarySize", h2_set_push_diary_size, NULL, RSRC_CONF,
                  "pushes that a connection remembers so as not to repeat them, 0 (none) or a "
                  "power of 2 up to 32768 (default: 256)"),
    AP_INIT_TAKE23("H2PushPriority", h2_add_push_rule, NULL, RSRC_CONF,
                   "content type or *, then after, before or interleaved, then a weight, 1 to 512 "
                   "(none with before): when a pushed response is sent (default: * after 16)"),
    AP_INIT_TAKE123("H2PushResource", h2_add_push_resource, NULL,
                    RSRC_CONF | OR_FILEINFO | OR_AUTHCFG,
                    "[add] path [critical]: a resource to be pushed with GET requests, critical "
                    "before their responses; adds to others (default: none)"),
    SERVER_FLAG("H2WebSockets", websockets_field,
                "on|off: clients may open WebSockets over HTTP/2, for which mod_proxy's tunnels "
                "have back ends (default: off)"),
    REFUSED("H2AltSvc", "send the field with \"Header set Alt-Svc\" of mod_headers"),
    REFUSED("H2AltSvcMaxAge", "send the field with \"Header set Alt-Svc\" of mod_headers"),
    REFUSED("H2Engine", "use \"Protocols h2 h2c http/1.1\""),
    REFUSED("H2KeepAliveTimeout", "use KeepAliveTimeout"),
    REFUSED("H2Timeout", "use Timeout, or H2StreamTimeout for a request"),
    {.name = NULL},
};

void h2_directives_check(server_rec *main_server)
{
    server_rec *s;

    for (s = main_server; s; s = s->next) {
        h2_server_conf *conf = h2_config_draft(s);
        int was_corrected;

        h2_config_apply_profiles(conf, h2_config_draft(main_server));
        was_corrected = h2_config_correct_workers(conf);
        if (!h2_config_is_set(conf, H2_CONFIG_HEADER_LIST)) {
            conf->header_list_bytes = h2_header_list_of_server(main_server, s);
        }
        /* All vhosts have the main server's value: say it once. */
        if (was_corrected && s == main_server) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                         "H2MaxWorkers is below H2MinWorkers: using %d for both",
                         conf->min_workers);
        }
    }
}

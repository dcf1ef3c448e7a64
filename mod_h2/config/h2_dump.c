#include "config/h2_dump.h"

#include <apr_file_io.h>

#include <http_core.h>

#include "config/h2_config.h"
#include "config/h2_draft.h"
#include "config/h2_header_list.h"

/* What to write after -D. */
#define DUMP_NAME "DUMP_H2"

typedef enum {
    KIND_NUMBER,
    KIND_FLAG,
    KIND_TIME /* usec */
} row_kind;

typedef struct row {
    h2_config_field field;
    const char *name;
    row_kind kind;
    int is_global;          /* boolean: of all of the server, so it is shown once */
    const char *if_default; /* what is printed for a default that is no number; NULL: it is one */
} row;

#define BY_TRANSPORT "on in clear text"
#define BY_STREAMS   "2 x H2MaxSessionStreams"

static const row rows[] = {
    {H2_CONFIG_MAX_SESSION_STREAMS, "H2MaxSessionStreams", KIND_NUMBER, 0, NULL},
    {H2_CONFIG_WINDOW, "H2WindowSize", KIND_NUMBER, 0, NULL},
    {H2_CONFIG_MAX_FRAME, "H2MaxFrameSize", KIND_NUMBER, 0, NULL},
    {H2_CONFIG_HEADER_LIST, "H2MaxHeaderListSize", KIND_NUMBER, 0, NULL},
    {H2_CONFIG_STREAM_MEM, "H2StreamMaxMemSize", KIND_NUMBER, 0, NULL},
    {H2_CONFIG_MIN_WORKERS, "H2MinWorkers", KIND_NUMBER, 1, "2 for each loop"},
    {H2_CONFIG_MAX_WORKERS, "H2MaxWorkers", KIND_NUMBER, 1, "1.5 x ThreadsPerChild"},
    {H2_CONFIG_WORKER_IDLE, "H2MaxWorkerIdleSeconds", KIND_TIME, 1, NULL},
    {H2_CONFIG_STREAM_TIMEOUT, "H2StreamTimeout", KIND_TIME, 0, "Timeout"},
    {H2_CONFIG_MAX_DATA_FRAME, "H2MaxDataFrameLen", KIND_NUMBER, 0, NULL},
    {H2_CONFIG_MAX_HEADER_BLOCK, "H2MaxHeaderBlockLen", KIND_NUMBER, 0, NULL},
    {H2_CONFIG_MAX_STREAM_ERRORS, "H2MaxStreamErrors", KIND_NUMBER, 0, NULL},
    {H2_CONFIG_RESETS, "H2MaxResets", KIND_NUMBER, 0, NULL},
    {H2_CONFIG_RESETS_BURST, "H2MaxResets at once", KIND_NUMBER, 0, BY_STREAMS},
    {H2_CONFIG_CLIENT_ERRORS, "H2MaxClientErrors", KIND_NUMBER, 0, NULL},
    {H2_CONFIG_CLIENT_ERRORS_BURST, "H2MaxClientErrors at once", KIND_NUMBER, 0, BY_STREAMS},
    {H2_CONFIG_CONTROL_FRAMES, "H2MaxControlFrames", KIND_NUMBER, 0, NULL},
    {H2_CONFIG_CONTROL_FRAMES_BURST, "H2MaxControlFrames at once", KIND_NUMBER, 0, NULL},
    {H2_CONFIG_MAX_HEADER_TIME, "H2MaxHeaderTime", KIND_TIME, 0, NULL},
    {H2_CONFIG_MIN_REQUEST_RATE, "H2MinRequestRate", KIND_NUMBER, 0, NULL},
    {H2_CONFIG_MIN_RESPONSE_RATE, "H2MinResponseRate", KIND_NUMBER, 0, NULL},
    {H2_CONFIG_MAX_CONNECTION_REQUESTS, "H2MaxConnectionRequests", KIND_NUMBER, 0, NULL},
    {H2_CONFIG_MAX_CONNECTION_TIME, "H2MaxConnectionTime", KIND_TIME, 0, NULL},
    {H2_CONFIG_PADDING, "H2Padding", KIND_NUMBER, 0, NULL},
    {H2_CONFIG_PUSH_DIARY, "H2PushDiarySize", KIND_NUMBER, 0, NULL},
    {H2_CONFIG_TLS_WARM_UP, "H2TLSWarmUpSize", KIND_NUMBER, 0, NULL},
    {H2_CONFIG_TLS_COOL_DOWN, "H2TLSCoolDownSecs", KIND_TIME, 0, NULL},
    {H2_CONFIG_MODERN_TLS_ONLY, "H2ModernTLSOnly", KIND_FLAG, 0, NULL},
    {H2_CONFIG_OUTPUT_BUFFERING, "H2OutputBuffering", KIND_FLAG, 0, NULL},
    {H2_CONFIG_SERVER_TIMING, "H2ServerTiming", KIND_FLAG, 0, NULL},
    {H2_CONFIG_SERIALIZE_HEADERS, "H2SerializeHeaders", KIND_FLAG, 0, NULL},
    {H2_CONFIG_WEBSOCKETS, "H2WebSockets", KIND_FLAG, 0, NULL},
    {H2_CONFIG_DIRECT, "H2Direct", KIND_FLAG, 0, BY_TRANSPORT},
    {H2_CONFIG_UPGRADE, "H2Upgrade", KIND_FLAG, 0, BY_TRANSPORT},
};

static const char *time_text(apr_pool_t *pool, apr_int64_t usec)
{
    return (usec % APR_USEC_PER_SEC)
               ? apr_psprintf(pool, "%" APR_INT64_T_FMT "ms", usec / 1000)
               : apr_psprintf(pool, "%" APR_INT64_T_FMT "s", usec / APR_USEC_PER_SEC);
}

static const char *value_text(apr_pool_t *pool, const row *of, apr_int64_t value)
{
    switch (of->kind) {
    case KIND_FLAG:
        return value ? "on" : "off";
    case KIND_TIME:
        return time_text(pool, value);
    case KIND_NUMBER:
        break;
    }
    return apr_psprintf(pool, "%" APR_INT64_T_FMT, value);
}

static const char *origin_text(apr_pool_t *pool, const h2_server_conf *conf, const row *of,
                               const h2_server_conf *main_conf)
{
    const h2_profile *profile = of->is_global ? main_conf->profile : conf->profile;
    h2_config_fields bit = H2_CONFIG_BIT(of->field);

    if (conf->set_fields & bit) {
        return (conf->own_fields & bit) ? "directive" : "directive of the main server";
    }
    if (conf->profile_fields & bit) {
        return apr_pstrcat(pool, "profile ", profile->name, NULL);
    }
    if (of->field == H2_CONFIG_HEADER_LIST && conf->header_list_bytes != H2_HEADER_LIST_DEFAULT) {
        return "LimitRequestFields, LimitRequestFieldSize";
    }
    return "default";
}

static void print_row(apr_pool_t *pool, apr_file_t *out, const row *of,
                      const h2_server_conf *conf, const h2_server_conf *main_conf)
{
    const char *origin = origin_text(pool, conf, of, main_conf);
    int is_default = !((conf->set_fields | conf->profile_fields) & H2_CONFIG_BIT(of->field));
    const char *value = (is_default && of->if_default)
                            ? of->if_default
                            : value_text(pool, of, h2_config_get(conf, of->field));

    apr_file_printf(out, "    %-26s %-24s %s\n", of->name, value, origin);
}

/* "*" is an address of IPv4 and one of IPv6. */
static int is_same_name(const server_addr_rec *a, const server_addr_rec *b)
{
    return a->host_port == b->host_port && !strcmp(a->virthost, b->virthost);
}

static void print_head(apr_file_t *out, const server_rec *s)
{
    const server_addr_rec *addr, *before = NULL;

    apr_file_printf(out, "vhost %s", s->server_hostname);
    for (addr = s->addrs; addr; before = addr, addr = addr->next) {
        if (!before || !is_same_name(before, addr)) {
            apr_file_printf(out, " %s:%u", addr->virthost, (unsigned)addr->host_port);
        }
    }
    apr_file_printf(out, " (%s:%u)\n", s->defn_name, s->defn_line_number);
}

static void print_server(apr_pool_t *pool, apr_file_t *out, const server_rec *s,
                         const server_rec *main_server)
{
    const h2_server_conf *conf = h2_config_server(s);
    apr_size_t i;

    if (s == main_server) {
        apr_file_printf(out, "main server %s\n", s->server_hostname);
    }
    else {
        print_head(out, s);
    }
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); ++i) {
        if (s == main_server || !rows[i].is_global) {
            print_row(pool, out, &rows[i], conf, h2_config_server(main_server));
        }
    }
}

void h2_dump_config(apr_pool_t *pool, server_rec *main_server)
{
    apr_file_t *out;
    server_rec *s;

    if (!ap_exists_config_define(DUMP_NAME) || apr_file_open_stdout(&out, pool) != APR_SUCCESS) {
        return;
    }
    apr_file_printf(out, "HTTP/2 configuration: what holds, and where it comes from\n");
    for (s = main_server; s; s = s->next) {
        print_server(pool, out, s, main_server);
    }
}

#include "config/h2_config.h"

#include "config/h2_draft.h"
#include "config/h2_header_list.h"

/* Defaults that httpd's documentation promises; most are httpd's own module's. */
#define H2_DEFAULT_MAX_SESSION_STREAMS 100
#define H2_DEFAULT_WINDOW_BYTES        65535 /* RFC 9113, 6.9.2: nothing to announce */
#define H2_DEFAULT_MAX_FRAME_BYTES     H2_FRAME_BYTES_MIN
#define H2_DEFAULT_STREAM_MEM_BYTES    65536
#define H2_DEFAULT_WORKER_IDLE         apr_time_from_sec(600)
#define H2_DEFAULT_TLS_WARM_UP_BYTES   (1024 * 1024)
#define H2_DEFAULT_TLS_COOL_DOWN       apr_time_from_sec(1)
#define H2_DEFAULT_PUSH_DIARY_SIZE     256
#define H2_DEFAULT_MAX_STREAM_ERRORS   8

/* Ours: what no client that means well comes near to, see SECURITY.md. */
#define H2_DEFAULT_RESETS               20
#define H2_DEFAULT_CLIENT_ERRORS        10
#define H2_DEFAULT_CONTROL_FRAMES       100
#define H2_DEFAULT_CONTROL_FRAMES_BURST 1000
#define H2_DEFAULT_MAX_HEADER_TIME      apr_time_from_sec(10)
#define H2_DEFAULT_MIN_RATE             100

void *h2_config_create_server(apr_pool_t *pool, server_rec *s)
{
    h2_server_conf *conf = apr_pcalloc(pool, sizeof(*conf));

    (void)s;
    conf->max_session_streams = H2_DEFAULT_MAX_SESSION_STREAMS;
    conf->window_bytes = H2_DEFAULT_WINDOW_BYTES;
    conf->max_frame_bytes = H2_DEFAULT_MAX_FRAME_BYTES;
    conf->header_list_bytes = H2_HEADER_LIST_DEFAULT;
    conf->stream_mem_bytes = H2_DEFAULT_STREAM_MEM_BYTES;
    conf->worker_idle = H2_DEFAULT_WORKER_IDLE;
    conf->modern_tls_only = 1;
    conf->tls_warm_up_bytes = H2_DEFAULT_TLS_WARM_UP_BYTES;
    conf->tls_cool_down = H2_DEFAULT_TLS_COOL_DOWN;
    conf->direct = H2_CONFIG_UNSET;
    conf->upgrade = H2_CONFIG_UNSET;
    conf->output_buffering = 1;
    conf->stream_timeout = H2_CONFIG_UNSET;
    conf->push_diary_size = H2_DEFAULT_PUSH_DIARY_SIZE;
    conf->max_stream_errors = H2_DEFAULT_MAX_STREAM_ERRORS;
    conf->resets.rate = H2_DEFAULT_RESETS;
    conf->resets.burst = H2_CONFIG_UNSET;
    conf->client_errors.rate = H2_DEFAULT_CLIENT_ERRORS;
    conf->client_errors.burst = H2_CONFIG_UNSET;
    conf->control_frames.rate = H2_DEFAULT_CONTROL_FRAMES;
    conf->control_frames.burst = H2_DEFAULT_CONTROL_FRAMES_BURST;
    conf->max_header_time = H2_DEFAULT_MAX_HEADER_TIME;
    conf->min_request_rate = H2_DEFAULT_MIN_RATE;
    conf->min_response_rate = H2_DEFAULT_MIN_RATE;
    return conf;
}

/* Where each field is, and how large: an int, or a number of 64 bits. */
static const struct {
    apr_size_t offset;
    apr_size_t size;
} fields[H2_CONFIG_FIELDS_COUNT] = {
#define FIELD(name) {APR_OFFSETOF(h2_server_conf, name), sizeof(((h2_server_conf *)NULL)->name)}
    [H2_CONFIG_DIRECT] = FIELD(direct),
    [H2_CONFIG_UPGRADE] = FIELD(upgrade),
    [H2_CONFIG_MAX_SESSION_STREAMS] = FIELD(max_session_streams),
    [H2_CONFIG_WINDOW] = FIELD(window_bytes),
    [H2_CONFIG_MAX_FRAME] = FIELD(max_frame_bytes),
    [H2_CONFIG_HEADER_LIST] = FIELD(header_list_bytes),
    [H2_CONFIG_STREAM_MEM] = FIELD(stream_mem_bytes),
    [H2_CONFIG_MIN_WORKERS] = FIELD(min_workers),
    [H2_CONFIG_MAX_WORKERS] = FIELD(max_workers),
    [H2_CONFIG_WORKER_IDLE] = FIELD(worker_idle),
    [H2_CONFIG_MODERN_TLS_ONLY] = FIELD(modern_tls_only),
    [H2_CONFIG_TLS_WARM_UP] = FIELD(tls_warm_up_bytes),
    [H2_CONFIG_TLS_COOL_DOWN] = FIELD(tls_cool_down),
    [H2_CONFIG_PADDING] = FIELD(padding_bits),
    [H2_CONFIG_MAX_DATA_FRAME] = FIELD(max_data_frame_bytes),
    [H2_CONFIG_OUTPUT_BUFFERING] = FIELD(output_buffering),
    [H2_CONFIG_STREAM_TIMEOUT] = FIELD(stream_timeout),
    [H2_CONFIG_PUSH_DIARY] = FIELD(push_diary_size),
    [H2_CONFIG_MAX_HEADER_BLOCK] = FIELD(max_header_block_bytes),
    [H2_CONFIG_MAX_STREAM_ERRORS] = FIELD(max_stream_errors),
    [H2_CONFIG_SERIALIZE_HEADERS] = FIELD(serialize_headers),
    [H2_CONFIG_WEBSOCKETS] = FIELD(websockets),
    [H2_CONFIG_RESETS] = FIELD(resets.rate),
    [H2_CONFIG_RESETS_BURST] = FIELD(resets.burst),
    [H2_CONFIG_CLIENT_ERRORS] = FIELD(client_errors.rate),
    [H2_CONFIG_CLIENT_ERRORS_BURST] = FIELD(client_errors.burst),
    [H2_CONFIG_CONTROL_FRAMES] = FIELD(control_frames.rate),
    [H2_CONFIG_CONTROL_FRAMES_BURST] = FIELD(control_frames.burst),
    [H2_CONFIG_MAX_HEADER_TIME] = FIELD(max_header_time),
    [H2_CONFIG_MIN_REQUEST_RATE] = FIELD(min_request_rate),
    [H2_CONFIG_MIN_RESPONSE_RATE] = FIELD(min_response_rate),
    [H2_CONFIG_MAX_CONNECTION_REQUESTS] = FIELD(max_connection_requests),
    [H2_CONFIG_MAX_CONNECTION_TIME] = FIELD(max_connection_time),
    [H2_CONFIG_SERVER_TIMING] = FIELD(server_timing),
#undef FIELD
};

static void store(h2_server_conf *conf, h2_config_field field, apr_int64_t value)
{
    char *place = (char *)conf + fields[field].offset;

    if (fields[field].size == sizeof(int)) {
        int small = (int)value;

        memcpy(place, &small, sizeof(small));
    }
    else {
        memcpy(place, &value, sizeof(value));
    }
    conf->is_window_set |= (field == H2_CONFIG_WINDOW);
}

void h2_config_set(h2_server_conf *conf, h2_config_field field, apr_int64_t value)
{
    conf->set_fields |= H2_CONFIG_BIT(field);
    conf->own_fields |= H2_CONFIG_BIT(field);
    store(conf, field, value);
}

int h2_config_is_set(const h2_server_conf *conf, h2_config_field field)
{
    return (conf->set_fields & H2_CONFIG_BIT(field)) != 0;
}

apr_int64_t h2_config_get(const h2_server_conf *conf, h2_config_field field)
{
    const char *place = (const char *)conf + fields[field].offset;
    int small;
    apr_int64_t value;

    if (fields[field].size == sizeof(int)) {
        memcpy(&small, place, sizeof(small));
        return small;
    }
    memcpy(&value, place, sizeof(value));
    return value;
}

static void apply(h2_server_conf *conf, h2_config_field field, apr_int64_t value)
{
    if (!(conf->set_fields & H2_CONFIG_BIT(field))) {
        conf->profile_fields |= H2_CONFIG_BIT(field);
        store(conf, field, value);
    }
}

void h2_config_apply_profiles(h2_server_conf *conf, const h2_server_conf *main_conf)
{
    const h2_profile *profile = conf->profile;

    if (profile) {
        apply(conf, H2_CONFIG_MAX_SESSION_STREAMS, profile->max_session_streams);
        apply(conf, H2_CONFIG_WINDOW, profile->window_bytes);
        apply(conf, H2_CONFIG_MAX_FRAME, profile->max_frame_bytes);
        apply(conf, H2_CONFIG_STREAM_MEM, profile->stream_mem_bytes);
    }
    profile = main_conf->profile;
    if (profile) {
        apply(conf, H2_CONFIG_MIN_WORKERS, profile->min_workers);
        apply(conf, H2_CONFIG_MAX_WORKERS, profile->max_workers);
    }
}

static void copy_field(h2_server_conf *to, const h2_server_conf *from, h2_config_field field)
{
    memcpy((char *)to + fields[field].offset, (const char *)from + fields[field].offset,
           fields[field].size);
}

void *h2_config_merge_server(apr_pool_t *pool, void *base, void *child)
{
    const h2_server_conf *inner = child;
    h2_server_conf *merged = apr_pmemdup(pool, base, sizeof(*merged));
    int i;

    for (i = 0; i < H2_CONFIG_FIELDS_COUNT; ++i) {
        if (inner->set_fields & H2_CONFIG_BIT(i)) {
            copy_field(merged, inner, (h2_config_field)i);
        }
    }
    merged->set_fields |= inner->set_fields;
    merged->own_fields = inner->own_fields;
    merged->is_window_set |= inner->is_window_set;
    if (inner->profile) {
        merged->profile = inner->profile;
    }
    merged->push_rules = h2_push_rules_merge(pool, merged->push_rules, inner->push_rules);
    return merged;
}

void *h2_config_create_dir(apr_pool_t *pool, char *dir)
{
    h2_dir_conf *conf = apr_palloc(pool, sizeof(*conf));

    (void)dir;
    conf->upgrade = H2_CONFIG_UNSET;
    conf->output_buffering = H2_CONFIG_UNSET;
    conf->stream_timeout = H2_CONFIG_UNSET;
    conf->early_hints = H2_CONFIG_UNSET;
    conf->priority_headers = H2_CONFIG_UNSET;
    conf->copy_files = H2_CONFIG_UNSET;
    conf->server_timing = H2_CONFIG_UNSET;
    conf->push = H2_CONFIG_UNSET;
    conf->proxy_requests = H2_CONFIG_UNSET;
    conf->push_resources = NULL;
    conf->hint_fields = NULL;
    return conf;
}

static void set_if_given(int *pvalue, int inner)
{
    if (inner != H2_CONFIG_UNSET) {
        *pvalue = inner;
    }
}

void *h2_config_merge_dir(apr_pool_t *pool, void *base, void *child)
{
    const h2_dir_conf *inner = child;
    h2_dir_conf *merged = apr_pmemdup(pool, base, sizeof(*merged));

    set_if_given(&merged->upgrade, inner->upgrade);
    set_if_given(&merged->output_buffering, inner->output_buffering);
    if (inner->stream_timeout != H2_CONFIG_UNSET) {
        merged->stream_timeout = inner->stream_timeout;
    }
    set_if_given(&merged->early_hints, inner->early_hints);
    set_if_given(&merged->priority_headers, inner->priority_headers);
    set_if_given(&merged->copy_files, inner->copy_files);
    set_if_given(&merged->server_timing, inner->server_timing);
    set_if_given(&merged->push, inner->push);
    set_if_given(&merged->proxy_requests, inner->proxy_requests);
    merged->push_resources = h2_push_resources_merge(pool, merged->push_resources,
                                                     inner->push_resources);
    if (inner->hint_fields) { /* those of the outer one hold as well */
        merged->hint_fields = merged->hint_fields
                                  ? apr_table_overlay(pool, merged->hint_fields,
                                                      inner->hint_fields)
                                  : inner->hint_fields;
    }
    return merged;
}

int h2_config_correct_workers(h2_server_conf *conf)
{
    const h2_config_fields both = H2_CONFIG_BIT(H2_CONFIG_MIN_WORKERS)
                                  | H2_CONFIG_BIT(H2_CONFIG_MAX_WORKERS);

    if (((conf->set_fields | conf->profile_fields) & both) != both
        || conf->min_workers <= conf->max_workers) {
        return 0;
    }
    if (conf->profile_fields & H2_CONFIG_BIT(H2_CONFIG_MIN_WORKERS)) {
        conf->min_workers = conf->max_workers;
        return 0;
    }
    conf->max_workers = conf->min_workers;
    return (conf->set_fields & both) == both;
}

h2_server_conf *h2_config_draft(server_rec *s)
{
    return ap_get_module_config(s->module_config, &http2_module);
}

const h2_server_conf *h2_config_server(const server_rec *s)
{
    return ap_get_module_config(s->module_config, &http2_module);
}

static const h2_dir_conf *dir_conf(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &http2_module);
}

int h2_config_is_direct(const server_rec *s, int is_tls)
{
    const h2_server_conf *conf = h2_config_server(s);

    return conf->direct == H2_CONFIG_UNSET ? !is_tls : conf->direct;
}

int h2_config_is_upgrade(const request_rec *r, int is_tls)
{
    int value = dir_conf(r)->upgrade;

    if (value == H2_CONFIG_UNSET) {
        value = h2_config_server(r->server)->upgrade;
    }
    return value == H2_CONFIG_UNSET ? !is_tls : value;
}

int h2_config_is_output_buffering(const request_rec *r)
{
    int value = dir_conf(r)->output_buffering;

    return value == H2_CONFIG_UNSET ? h2_config_server(r->server)->output_buffering : value;
}

apr_interval_time_t h2_config_stream_timeout(const request_rec *r)
{
    apr_interval_time_t value = dir_conf(r)->stream_timeout;

    if (value == H2_CONFIG_UNSET) {
        value = h2_config_server(r->server)->stream_timeout;
    }
    return value == H2_CONFIG_UNSET ? r->server->timeout : value;
}

int h2_config_is_priority_headers(const request_rec *r)
{
    return dir_conf(r)->priority_headers == 1;
}

int h2_config_is_early_hints(const request_rec *r)
{
    return dir_conf(r)->early_hints == 1;
}

int h2_config_is_copy_files(const request_rec *r)
{
    return dir_conf(r)->copy_files == 1;
}

int h2_config_is_server_timing(const request_rec *r)
{
    int value = dir_conf(r)->server_timing;

    return value == H2_CONFIG_UNSET ? h2_config_server(r->server)->server_timing : value;
}

int h2_config_is_push(const request_rec *r)
{
    return dir_conf(r)->push != 0;
}

const apr_array_header_t *h2_config_push_resources(const request_rec *r)
{
    return dir_conf(r)->push_resources;
}

int h2_config_is_proxy_requests(const server_rec *s)
{
    const h2_dir_conf *conf = ap_get_module_config(s->lookup_defaults, &http2_module);

    return conf->proxy_requests == 1;
}

const apr_table_t *h2_config_hint_fields(const request_rec *r)
{
    return dir_conf(r)->hint_fields;
}

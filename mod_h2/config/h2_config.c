#include "config/h2_config.h"

/* Defaults that httpd's documentation promises; most are httpd's own module's. */
#define H2_DEFAULT_MAX_SESSION_STREAMS 100
#define H2_DEFAULT_WINDOW_BYTES        65535 /* RFC 9113, 6.9.2: nothing to announce */
#define H2_DEFAULT_STREAM_MEM_BYTES    65536
#define H2_DEFAULT_WORKER_IDLE         apr_time_from_sec(600)
#define H2_DEFAULT_TLS_WARM_UP_BYTES   (1024 * 1024)
#define H2_DEFAULT_TLS_COOL_DOWN       apr_time_from_sec(1)

#define field_bit(field) (1u << (field))

void *h2_config_create_server(apr_pool_t *pool, server_rec *s)
{
    h2_server_conf *conf = apr_pcalloc(pool, sizeof(*conf));

    (void)s;
    conf->max_session_streams = H2_DEFAULT_MAX_SESSION_STREAMS;
    conf->window_bytes = H2_DEFAULT_WINDOW_BYTES;
    conf->stream_mem_bytes = H2_DEFAULT_STREAM_MEM_BYTES;
    conf->worker_idle = H2_DEFAULT_WORKER_IDLE;
    conf->modern_tls_only = 1;
    conf->tls_warm_up_bytes = H2_DEFAULT_TLS_WARM_UP_BYTES;
    conf->tls_cool_down = H2_DEFAULT_TLS_COOL_DOWN;
    conf->direct = H2_CONFIG_UNSET;
    conf->upgrade = H2_CONFIG_UNSET;
    conf->output_buffering = 1;
    conf->stream_timeout = H2_CONFIG_UNSET;
    return conf;
}

void h2_config_set(h2_server_conf *conf, h2_config_field field, apr_int64_t value)
{
    conf->set_fields |= field_bit(field);
    switch (field) {
    case H2_CONFIG_DIRECT:
        conf->direct = (int)value;
        break;
    case H2_CONFIG_UPGRADE:
        conf->upgrade = (int)value;
        break;
    case H2_CONFIG_MAX_SESSION_STREAMS:
        conf->max_session_streams = (int)value;
        break;
    case H2_CONFIG_WINDOW:
        conf->window_bytes = (int)value;
        conf->is_window_set = 1;
        break;
    case H2_CONFIG_STREAM_MEM:
        conf->stream_mem_bytes = (apr_size_t)value;
        break;
    case H2_CONFIG_MIN_WORKERS:
        conf->min_workers = (int)value;
        break;
    case H2_CONFIG_MAX_WORKERS:
        conf->max_workers = (int)value;
        break;
    case H2_CONFIG_WORKER_IDLE:
        conf->worker_idle = value;
        break;
    case H2_CONFIG_MODERN_TLS_ONLY:
        conf->modern_tls_only = (int)value;
        break;
    case H2_CONFIG_TLS_WARM_UP:
        conf->tls_warm_up_bytes = (apr_off_t)value;
        break;
    case H2_CONFIG_TLS_COOL_DOWN:
        conf->tls_cool_down = value;
        break;
    case H2_CONFIG_PADDING:
        conf->padding_bits = (int)value;
        break;
    case H2_CONFIG_MAX_DATA_FRAME:
        conf->max_data_frame_bytes = (int)value;
        break;
    case H2_CONFIG_OUTPUT_BUFFERING:
        conf->output_buffering = (int)value;
        break;
    case H2_CONFIG_STREAM_TIMEOUT:
        conf->stream_timeout = value;
        break;
    }
}

static apr_int64_t value_of(const h2_server_conf *conf, h2_config_field field)
{
    switch (field) {
    case H2_CONFIG_DIRECT:
        return conf->direct;
    case H2_CONFIG_UPGRADE:
        return conf->upgrade;
    case H2_CONFIG_MAX_SESSION_STREAMS:
        return conf->max_session_streams;
    case H2_CONFIG_WINDOW:
        return conf->window_bytes;
    case H2_CONFIG_STREAM_MEM:
        return (apr_int64_t)conf->stream_mem_bytes;
    case H2_CONFIG_MIN_WORKERS:
        return conf->min_workers;
    case H2_CONFIG_MAX_WORKERS:
        return conf->max_workers;
    case H2_CONFIG_WORKER_IDLE:
        return conf->worker_idle;
    case H2_CONFIG_MODERN_TLS_ONLY:
        return conf->modern_tls_only;
    case H2_CONFIG_TLS_WARM_UP:
        return conf->tls_warm_up_bytes;
    case H2_CONFIG_TLS_COOL_DOWN:
        return conf->tls_cool_down;
    case H2_CONFIG_PADDING:
        return conf->padding_bits;
    case H2_CONFIG_MAX_DATA_FRAME:
        return conf->max_data_frame_bytes;
    case H2_CONFIG_OUTPUT_BUFFERING:
        return conf->output_buffering;
    case H2_CONFIG_STREAM_TIMEOUT:
        return conf->stream_timeout;
    }
    return H2_CONFIG_UNSET;
}

void *h2_config_merge_server(apr_pool_t *pool, void *base, void *child)
{
    const h2_server_conf *inner = child;
    h2_server_conf *merged = apr_pmemdup(pool, base, sizeof(*merged));
    int i;

    for (i = 0; i < H2_CONFIG_FIELDS_COUNT; ++i) {
        if (inner->set_fields & field_bit(i)) {
            h2_config_set(merged, (h2_config_field)i, value_of(inner, (h2_config_field)i));
        }
    }
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
    conf->copy_files = H2_CONFIG_UNSET;
    conf->hint_fields = NULL;
    return conf;
}

void *h2_config_merge_dir(apr_pool_t *pool, void *base, void *child)
{
    const h2_dir_conf *inner = child;
    h2_dir_conf *merged = apr_pmemdup(pool, base, sizeof(*merged));

    if (inner->upgrade != H2_CONFIG_UNSET) {
        merged->upgrade = inner->upgrade;
    }
    if (inner->output_buffering != H2_CONFIG_UNSET) {
        merged->output_buffering = inner->output_buffering;
    }
    if (inner->stream_timeout != H2_CONFIG_UNSET) {
        merged->stream_timeout = inner->stream_timeout;
    }
    if (inner->early_hints != H2_CONFIG_UNSET) {
        merged->early_hints = inner->early_hints;
    }
    if (inner->copy_files != H2_CONFIG_UNSET) {
        merged->copy_files = inner->copy_files;
    }
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
    const unsigned both = field_bit(H2_CONFIG_MIN_WORKERS) | field_bit(H2_CONFIG_MAX_WORKERS);

    if ((conf->set_fields & both) != both || conf->min_workers <= conf->max_workers) {
        return 0;
    }
    conf->max_workers = conf->min_workers;
    return 1;
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

int h2_config_is_early_hints(const request_rec *r)
{
    return dir_conf(r)->early_hints == 1;
}

int h2_config_is_copy_files(const request_rec *r)
{
    return dir_conf(r)->copy_files == 1;
}

const apr_table_t *h2_config_hint_fields(const request_rec *r)
{
    return dir_conf(r)->hint_fields;
}

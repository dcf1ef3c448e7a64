/*
 * The values of config/h2_config.h while httpd reads its configuration: they are made, set by
 * directives and profiles, merged and put right.
 *
 * The thread that reads the configuration only.
 */
#ifndef H2_DRAFT_H
#define H2_DRAFT_H

#include "config/h2_config.h"

/* The values in h2_server_conf that directives set. */
typedef enum {
    H2_CONFIG_DIRECT,
    H2_CONFIG_UPGRADE,
    H2_CONFIG_MAX_SESSION_STREAMS,
    H2_CONFIG_WINDOW,
    H2_CONFIG_MAX_FRAME,
    H2_CONFIG_HEADER_LIST,
    H2_CONFIG_STREAM_MEM,
    H2_CONFIG_MIN_WORKERS,
    H2_CONFIG_MAX_WORKERS,
    H2_CONFIG_WORKER_IDLE,
    H2_CONFIG_MODERN_TLS_ONLY,
    H2_CONFIG_TLS_WARM_UP,
    H2_CONFIG_TLS_COOL_DOWN,
    H2_CONFIG_PADDING,
    H2_CONFIG_MAX_DATA_FRAME,
    H2_CONFIG_OUTPUT_BUFFERING,
    H2_CONFIG_STREAM_TIMEOUT,
    H2_CONFIG_PUSH_DIARY,
    H2_CONFIG_MAX_HEADER_BLOCK,
    H2_CONFIG_MAX_STREAM_ERRORS,
    H2_CONFIG_SERIALIZE_HEADERS,
    H2_CONFIG_WEBSOCKETS,
    H2_CONFIG_RESETS,
    H2_CONFIG_RESETS_BURST,
    H2_CONFIG_CLIENT_ERRORS,
    H2_CONFIG_CLIENT_ERRORS_BURST,
    H2_CONFIG_CONTROL_FRAMES,
    H2_CONFIG_CONTROL_FRAMES_BURST,
    H2_CONFIG_MAX_HEADER_TIME,
    H2_CONFIG_MIN_REQUEST_RATE,
    H2_CONFIG_MIN_RESPONSE_RATE,
    H2_CONFIG_MAX_CONNECTION_REQUESTS,
    H2_CONFIG_MAX_CONNECTION_TIME,
    H2_CONFIG_SERVER_TIMING
} h2_config_field;

#define H2_CONFIG_FIELDS_COUNT (H2_CONFIG_SERVER_TIMING + 1)

#define H2_CONFIG_BIT(field) ((h2_config_fields)1 << (field))

/* For the module record: */

/* Gives a server's values, all of them defaults, in pool. */
void *h2_config_create_server(apr_pool_t *pool, server_rec *s);

/* Gives a vhost's values in pool: child's where given, else base's. Borrows both. */
void *h2_config_merge_server(apr_pool_t *pool, void *base, void *child);

/* Gives a directory's values in pool, all unset. dir may be NULL and is not kept. */
void *h2_config_create_dir(apr_pool_t *pool, char *dir);

/* Gives an inner directory's values in pool: child's where set, else base's. */
void *h2_config_merge_dir(apr_pool_t *pool, void *base, void *child);

/* Stores what a directive gave: value is in the units of h2_server_conf, and
 * the caller has checked its range. */
void h2_config_set(h2_server_conf *conf, h2_config_field field, apr_int64_t value);

/* Was a directive given for the field, in the vhost or in the main server? */
int h2_config_is_set(const h2_server_conf *conf, h2_config_field field);

/* The value of a field, in the units of h2_server_conf. */
apr_int64_t h2_config_get(const h2_server_conf *conf, h2_config_field field);

/* Gives conf the values of its profile where no directive did, neither in the vhost nor in the
 * main server. Those of all of the server (workers) come from the profile of main_conf. Once, when
 * all is merged. */
void h2_config_apply_profiles(h2_server_conf *conf, const h2_server_conf *main_conf);

/* Puts right what only several directives together can have wrong: where both
 * were given and the minimum of workers is the larger one, it becomes the
 * maximum too: returns 1. Where one is a profile's, that one gives way: returns 0. */
int h2_config_correct_workers(h2_server_conf *conf);

/* The vhost's own values while the configuration is read, to be set: never NULL. */
h2_server_conf *h2_config_draft(server_rec *s);

#endif /* H2_DRAFT_H */

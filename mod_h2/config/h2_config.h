/*
 * The values of our directives, merged for each vhost and for each directory.
 *
 * Owner: the configuration pool (the request's pool for what .htaccess adds).
 * Written by one thread while httpd reads and checks its configuration, after
 * that constant: every thread reads without a lock.
 *
 * The values of a server are complete from their creation: what no directive
 * gave holds its default, and a set of bits knows what was given. Where the
 * default depends on who asks, the field holds H2_CONFIG_UNSET and has a
 * function below that must be used instead of it.
 */
#ifndef H2_CONFIG_H
#define H2_CONFIG_H

#include "base/h2_base.h"
#include "config/h2_profile.h"
#include "config/h2_push_rule.h"

/* In a field whose default depends on the connection or on the vhost. */
#define H2_CONFIG_UNSET (-1)

/* A set of values, h2_config_field in config/h2_draft.h. */
typedef apr_uint64_t h2_config_fields;

/* How often a client may do something. */
typedef struct h2_flood_limit {
    int rate;  /* in a second, in the long run; 0: any number */
    int burst; /* at once; unset: it follows from max_session_streams, see session/h2_flood.c */
} h2_flood_limit;

typedef struct h2_server_conf {
    int max_session_streams;           /* active streams of a session, 1 to 2^31-1 */
    int window_bytes;                  /* of a request's body, 1024 to 2^31-1 */
    int is_window_set;                 /* boolean, by whatever: then it is never widened */
    int max_frame_bytes;               /* of the client's frames, 2^14 to 2^24-1 */
    apr_size_t header_list_bytes;      /* of a request's fields, 4096 to 2^24 */
    apr_size_t stream_mem_bytes;       /* of a response kept for a stream, 1024 to 2^31-1 */
    int min_workers;                   /* threads that a child keeps, 1 to 65535; 0: derive it */
    int max_workers;                   /* requests beside the leaders, likewise; if both are
                                        * given, not below min_workers */
    apr_interval_time_t worker_idle;   /* usec, > 0: a thread above the minimum ends then */
    int modern_tls_only;               /* boolean, see conn/h2_tls_policy.h */
    apr_off_t tls_warm_up_bytes;       /* sent in small TLS records first; 0: none */
    apr_interval_time_t tls_cool_down; /* usec idle until records are small again; 0: never */
    int padding_bits;                  /* frames get 0 to 2^bits - 1 bytes of padding, 0 to 8 */
    int max_data_frame_bytes;          /* of a DATA frame without padding, to 2^24-1; 0: no limit */
    int direct;                        /* unset, 0 or 1: ask h2_config_is_direct() */
    int upgrade;                       /* unset, 0 or 1: ask h2_config_is_upgrade() */
    int output_buffering;              /* boolean: ask h2_config_is_output_buffering() */
    apr_interval_time_t stream_timeout; /* usec or unset: ask h2_config_stream_timeout() */
    int push_diary_size;               /* pushes that a session remembers, to 32768; 0: none */
    int max_header_block_bytes;        /* of a response's fields; 0: nghttp2's own limit */
    int max_stream_errors;             /* of a client that are tolerated; 0: all */
    int serialize_headers;             /* boolean: requests are read by httpd as HTTP/1.1 */
    int websockets;                    /* boolean: extended CONNECT is announced, RFC 8441 */
    h2_flood_limit resets;             /* of streams, by the client */
    h2_flood_limit client_errors;      /* for which streams are reset by us */
    h2_flood_limit control_frames;     /* of each kind; no burst is unset here */
    apr_interval_time_t max_header_time; /* usec for a frame or field block; 0: any */
    int min_request_rate;              /* bytes per second of a body that is waited for; 0: any */
    int min_response_rate;             /* bytes per second that the client takes; 0: any */
    int max_connection_requests;       /* then a connection ends; 0: never */
    apr_interval_time_t max_connection_time; /* usec, then it ends; 0: never */
    int server_timing;                 /* boolean: ask h2_config_is_server_timing() */
    apr_array_header_t *push_rules;    /* of H2PushPriority, h2_push_rule; NULL: none */

    const h2_profile *profile;         /* of H2TuningProfile; NULL: none */

    h2_config_fields set_fields;     /* for which a directive was given */
    h2_config_fields profile_fields; /* which h2_config_apply_profiles() has set */
    h2_config_fields own_fields;     /* of set_fields: given in this very server or vhost */
} h2_server_conf;

/* What a directory says; where it is H2_CONFIG_UNSET, the vhost's value holds, or the default of
 * what a vhost has no value for. */
typedef struct h2_dir_conf {
    int upgrade;                        /* boolean: ask h2_config_is_upgrade() */
    int output_buffering;               /* boolean: ask h2_config_is_output_buffering() */
    apr_interval_time_t stream_timeout; /* usec: ask h2_config_stream_timeout() */
    int early_hints;                    /* boolean: ask h2_config_is_early_hints() */
    int priority_headers;               /* boolean: ask h2_config_is_priority_headers() */
    int copy_files;                     /* boolean: ask h2_config_is_copy_files() */
    int server_timing;                  /* boolean: ask h2_config_is_server_timing() */
    int push;                           /* boolean: ask h2_config_is_push() */
    int proxy_requests;                 /* boolean: ask h2_config_is_proxy_requests() */
    apr_array_header_t *push_resources; /* h2_push_resource, in their order; NULL: none */
    apr_table_t *hint_fields;           /* of H2EarlyHint, in their order; NULL: none */
} h2_dir_conf;

/* Any thread, once the configuration is read: */

/* The vhost's values: never NULL, borrowed from the configuration. */
const h2_server_conf *h2_config_server(const server_rec *s);

/* Is a new connection searched for the client's preface (RFC 9113, 3.3)? Unless
 * given, in clear text only: over TLS, ALPN has decided. */
int h2_config_is_direct(const server_rec *s, int is_tls);

/* May r switch to HTTP/2 by "Upgrade: h2c" (RFC 7540, 3.2)? The directory's
 * value, else the vhost's, else in clear text only. */
int h2_config_is_upgrade(const request_rec *r, int is_tls);

/* May what r's handler writes wait until there is enough for a frame, or must
 * it be sent at once? The directory's value, else the vhost's, else 1. */
int h2_config_is_output_buffering(const request_rec *r);

/* How long r's stream may wait for its client, usec; 0: without end. The
 * directory's value, else the vhost's, else the vhost's Timeout. */
apr_interval_time_t h2_config_stream_timeout(const request_rec *r);

/* Does the client of r get 103 responses (RFC 8297)? Unless given, no: there are
 * clients that do not expect them. */
int h2_config_is_early_hints(const request_rec *r);

/* Do handlers and back ends see the priority of r's stream in fields of the request? Unless
 * given, no. */
int h2_config_is_priority_headers(const request_rec *r);

/* Is the content of files copied while r is handled, as its handler may close them
 * before they are sent? Unless given, no. */
int h2_config_is_copy_files(const request_rec *r);

/* Does r's response say in Server-Timing what it took? The directory's value, else the vhost's,
 * else 0. */
int h2_config_is_server_timing(const request_rec *r);

/* May other resources be pushed with r's response? Unless given, yes. */
int h2_config_is_push(const request_rec *r);

/* The resources that are pushed with r, h2_push_resource; NULL: none. Borrowed from the
 * configuration. */
const apr_array_header_t *h2_config_push_resources(const request_rec *r);

/* Are the requests of a connection, whose vhost s is, those of a client to its forward
 * proxy? Asked before a request has a directory. Unless given, no. */
int h2_config_is_proxy_requests(const server_rec *s);

/* The fields of the 103 response that r gets before it is handled, NULL: none.
 * Borrowed from the configuration. */
const apr_table_t *h2_config_hint_fields(const request_rec *r);

#endif /* H2_CONFIG_H */

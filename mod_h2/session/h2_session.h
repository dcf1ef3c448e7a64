/*
 * One HTTP/2 connection: the nghttp2 session, all its streams, what may start
 * and what is sent. Owns its streams and its io. Lives in the connection's pool.
 *
 * Holder of the loop only, every function and every field; what is fixed is read by
 * runners, too.
 *
 * Order of use in a turn:
 *   h2_session_receive()               bytes in, frames worked on: h2_receive.h
 *   h2_session_next_waiting(), ...     requests started by the caller: h2_streams.h
 *   h2_session_pack()                  frames into the loop's scratch buffer: h2_pack.h
 *   h2_session_write()                 the scratch buffer to the client
 *   h2_session_take_done()             requests to be ended by the caller: h2_streams.h
 *   h2_session_arm()                   what the loop is to wait for: h2_timers.h
 */
#ifndef H2_SESSION_H
#define H2_SESSION_H

#include <nghttp2/nghttp2.h>

#include "config/h2_config.h"
#include "io/h2_io.h"
#include "loop/h2_loop.h"
#include "message/h2_head.h"
#include "session/h2_scheduler.h"
#include "session/h2_session_parts.h"

/* Of a connection's id with a "-" and 0 behind it. */
#define H2_SESSION_TAG_BYTES 24

typedef enum {
    H2_SESSION_OPEN,
    H2_SESSION_DRAINING, /* GOAWAY is sent: streams finish, none begins after the last one */
    H2_SESSION_CLOSING   /* GOAWAY with an error, or nothing left: only bytes out */
} h2_session_state;

/* How a client has come to speak HTTP/2. */
typedef enum {
    H2_SESSION_BY_ALPN,
    H2_SESSION_BY_PREFACE_TLS,
    H2_SESSION_BY_PREFACE,
    H2_SESSION_BY_UPGRADE
} h2_session_origin;

typedef struct h2_session h2_session;
struct h2_session {
    /* Fixed. */
    conn_rec *c;
    const h2_server_conf *conf;
    h2_loop *loop;
    apr_interval_time_t timeout;       /* Timeout of the vhost */
    apr_interval_time_t idle_timeout;  /* KeepAliveTimeout */
    apr_size_t header_list_bytes;      /* H2MaxHeaderListSize */
    int running_max;                   /* its share: threads that its requests may hold */
    char tag[H2_SESSION_TAG_BYTES];    /* "ID-", before the ids of its streams; fixed when it has
                                        * joined its loop */
    unsigned tag_length;
    h2_session_origin origin;          /* likewise */

    h2_task task;
    h2_io io;
    nghttp2_session *ngh2;
    nghttp2_option *options;
    h2_blocks *blocks;                 /* the loop's; NULL while it is in no loop yet */

    h2_session_state state;
    unsigned is_goaway_final : 1;      /* the GOAWAY with the true last id is submitted */
    unsigned is_goaway_queued : 1;     /* and not packed yet */
    unsigned is_out_of_memory : 1;     /* nghttp2 was, once: the session is to end */
    unsigned is_end_logged : 1;        /* why it ends is in the log */
    unsigned is_shut : 1;              /* h2_io_shutdown() is done */

    APR_RING_HEAD(h2_session_streams, h2_stream) streams; /* all, the closed ones too */
    APR_RING_HEAD(h2_session_waiting, h2_stream) waiting; /* for a thread */
    h2_stream *done, *done_last;       /* closed and not running, by next_done: to be ended */
    h2_scheduler scheduler;            /* who sends next */
    struct h2_updates *updates;        /* of PRIORITY_UPDATE; NULL: there was none */
    struct h2_groups *groups;          /* that streams depend on; NULL: there was none */

    h2_session_counts count;
    h2_session_client client;
    h2_session_in in;
    h2_session_gate gate;
    h2_session_out out;
    h2_session_pushes push;
    h2_session_times times;
    h2_session_hold held;
};

/* At the start of httpd. */
apr_status_t h2_session_module_init(apr_pool_t *pool);

/* The name of an error code, RFC 9113, 7; "unknown" for others. Any thread. */
const char *h2_session_error_name(apr_uint32_t error);

/* The version of nghttp2 that is in use. Any thread. */
const char *h2_session_library_version(void);

/* Gives a session on c, which nobody else uses from now on. server: the vhost whose
 * configuration holds. running_max: the session's share of threads. Until it has joined the loop
 * it belongs to the calling thread, which may be any, and then to the holder. */
apr_status_t h2_session_create(h2_session **psession, conn_rec *c, server_rec *server,
                               h2_loop *loop, int running_max);

/* Frees what is not in the pool of c, before that pool does it. No stream may be
 * running. */
void h2_session_destroy(h2_session *session);

/* Holder: the loop has it from now on, it is counted. */
void h2_session_joined(h2_session *session, h2_session_origin origin);

/* Submits our SETTINGS; first thing. */
apr_status_t h2_session_start(h2_session *session);

/* The request of an "Upgrade: h2c", RFC 7540, 3.2: becomes stream 1, which is
 * half closed. settings: decoded value of HTTP2-Settings. Takes head. */
apr_status_t h2_session_upgrade(h2_session *session, const unsigned char *settings,
                                apr_size_t length, h2_head *head, int is_head_request);

/* Within session/: */

/* Memory for what comes and goes with a request. NULL while the session is in no loop yet,
 * as it may not touch that then. */
h2_blocks *h2_session_blocks(const h2_session *session);

/* One more or less of them in this child. Before the session is in a loop its block is not ours:
 * h2_session_joined() tells then. */
static inline void h2_session_gauge(const h2_session *session, h2_gauge gauge, int change)
{
    if (session->blocks) {
        h2_stats_gauge(session->loop->stats, gauge, change);
    }
}

/* None of its requests has a thread, or one has again. With the worker MPM, and prefork's, the
 * MPM's thread stays with it. */
static inline void h2_session_gauge_parked(const h2_session *session, int change)
{
    if (!session->held.waiter) {
        h2_session_gauge(session, H2_GAUGE_SESSIONS_PARKED, change);
    }
}

#endif /* H2_SESSION_H */

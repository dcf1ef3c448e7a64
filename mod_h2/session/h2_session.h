/*
 * One HTTP/2 connection: the nghttp2 session, all its streams, what may start
 * and what is sent. Owns its streams and its io. Lives in the connection's pool.
 *
 * Holder of the loop only, every function and every field; what is fixed is read by
 * runners, too.
 *
 * Order of use in a turn:
 *   h2_session_receive()               bytes in, frames worked on
 *   h2_session_next_waiting(), ...     requests started by the caller
 *   h2_session_pack()                  frames into the loop's scratch buffer
 *   h2_session_write()                 the scratch buffer to the client
 *   h2_session_take_done()             requests to be ended by the caller
 */
#ifndef H2_SESSION_H
#define H2_SESSION_H

#include <nghttp2/nghttp2.h>

#include "base/h2_base.h"
#include "base/h2_log.h"
#include "config/h2_config.h"
#include "io/h2_io.h"
#include "loop/h2_loop.h"
#include "message/h2_promise.h"
#include "session/h2_flood.h"
#include "session/h2_frame_scan.h"
#include "session/h2_id_ranges.h"
#include "session/h2_push_diary.h"
#include "session/h2_scheduler.h"
#include "session/h2_settings_scan.h"
#include "stream/h2_stream.h"

/* Bytes of frames that are packed before they are written: with its TLS records
 * it fits into the loop's scratch buffer. */
#define H2_SESSION_PACK_BYTES (96 * 1024)

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
    char tag[H2_SESSION_TAG_BYTES];    /* "ID-", before the ids of its streams; set in a loop */
    unsigned tag_length;
    h2_session_origin origin;          /* likewise */

    h2_task task;
    h2_io io;
    nghttp2_session *ngh2;
    nghttp2_option *options;
    h2_session_state state;

    APR_RING_HEAD(h2_session_streams, h2_stream) streams; /* all, the closed ones too */
    APR_RING_HEAD(h2_session_waiting, h2_stream) waiting; /* for a thread */
    h2_scheduler scheduler;
    h2_blocks *blocks;                 /* the loop's; NULL while it is in no loop yet */
    struct h2_updates *updates;        /* of PRIORITY_UPDATE; NULL: there was none */
    struct h2_groups *groups;          /* that streams depend on; NULL: there was none */
    h2_frame_scan scan;
    h2_settings_scan settings_scan;
    unsigned even_byte_in;             /* so many bytes on is the last one of a GOAWAY's id; 0: not */
    apr_int64_t peer_window;           /* SETTINGS_INITIAL_WINDOW_SIZE of the client */
    apr_int64_t widest_window;         /* of all streams, when the client's last SETTINGS began */
    h2_flood flood;
    h2_id_ranges *reset_ids;           /* by us, before the client had ended them; NULL: none */
    h2_id_ranges *skipped_ids;         /* that the client has never opened; NULL: none */
    unsigned continuation_count;       /* of the current field block */
    h2_push_diary push_diary;
    unsigned digest_hash;              /* of the client's last Cache-Digest, with its length */
    apr_ssize_t digest_length;
    int stream_count;                  /* in streams */
    int open_count;                    /* of these: not closed */
    int pushed_count;                  /* of these: opened by us */
    int running_count;                 /* streams, closed ones too, that a thread runs */
    int tunnel_count;                  /* of these: that may become tunnels, or are */
    h2_stream *done, *done_last;       /* closed and not running, by next_done: to be ended */
    int ending_count;                  /* taken for that, and not yet released */
    int ender_count;                   /* threads that end some */
    int last_stream_id;                /* the highest that we have worked on */
    int highest_id;                    /* of the client's streams, also of refused ones */
    int highest_pushed_id;             /* of ours; 0: there was none */
    int emitted_count;                 /* streams of the client that we have seen */
    unsigned reset_in_count;           /* RST_STREAM frames of the client */
    unsigned reset_out_count;          /* and ours */
    int error_count;                   /* streams that we have reset for what counts as an error */
    apr_size_t widened_bytes;          /* of all streams' windows, beyond H2WindowSize */

    h2_stream *receiving;              /* whose field block is being decoded, NULL: nobody's */
    h2_stream *turn;                   /* who may give data to nghttp2 */
    int turn_frames;                   /* how many frames of it still */
    apr_size_t turn_begun;             /* pack_used when its turn began */
    char *pack;                        /* the scratch buffer while packing */
    apr_size_t pack_used;

    apr_time_t last_sent;              /* bytes of any response */
    apr_time_t last_progress;          /* bytes of a body, a request, a response */
    apr_time_t idle_since;             /* no stream since; 0: there are some */
    apr_time_t begun;
    apr_time_t begun_wall;             /* what the system's clock showed then, for those who look */
    apr_time_t within_since;           /* the scan is within that block, and waits for more of */
    unsigned within_block;             /* it; 0: it is not */
    apr_time_t blocked_since;          /* the socket takes no more than sent_before; 0: it does */
    apr_uint64_t sent_before;
    apr_time_t stream_check_at;        /* when a stream's time is up next; 0: no stream waits */
    apr_time_t drain_at;               /* when the last GOAWAY follows the first; 0: not */
    apr_time_t linger_until;           /* after the shutdown: when to close; 0: not yet */
    unsigned is_eof : 1;               /* the client has ended its side */
    unsigned has_goaway : 1;           /* the client has said that it opens no more streams */
    unsigned is_settings_sent : 1;     /* ours are packed */
    unsigned is_settings_acked : 1;    /* and the client has acknowledged them */
    unsigned has_interim : 1;          /* a stream has an interim response to be sent */
    unsigned has_priorities : 1;       /* the client speaks of them as RFC 9218 does */
    unsigned has_request : 1;          /* there was one, ever */
    unsigned is_end_logged : 1;        /* why it ends is in the log */
    unsigned has_long_fields : 1;      /* likewise that some were too long */
    unsigned is_out_of_memory : 1;     /* nghttp2 was, once: the session is to end */
    unsigned is_in_block : 1;          /* the client's last field block is not complete */
    unsigned is_goaway_final : 1;      /* the GOAWAY with the true last id is submitted */
    unsigned is_goaway_queued : 1;     /* and not packed yet */
    unsigned is_read_paused : 1;       /* too much to be sent: read nothing */
    unsigned is_shut : 1;              /* h2_io_shutdown() is done */
    unsigned has_bad_tls : 1;          /* RFC 9113, 9.2: refused at the start */
    unsigned is_buried : 1;            /* all is closed, only the pool is left */
    unsigned is_let_go : 1;            /* then: c->sbh is gone, see h2_closing.c */
    unsigned is_over : 1;              /* for a thread of the MPM that waits for it */
    apr_thread_cond_t *waiter;         /* of that thread; NULL: the MPM has suspended c */
};

/* At the start of httpd. */
apr_status_t h2_session_module_init(apr_pool_t *pool);

/* The name of an error code, RFC 9113, 7; "unknown" for others. Any thread. */
const char *h2_session_error_name(apr_uint32_t error);

/* The version of nghttp2 that is in use. Any thread. */
const char *h2_session_library_version(void);

/* Gives a session on c, which nobody else uses from now on. Before it has been
 * added to the loop any thread may call it, after that it is the holder's. */
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

/* Reads and works on what has arrived, but not for ever: APR_SUCCESS and
 * *pmore if there may be more. APR_EOF: the client has ended its side; any other
 * status has closed the session. */
apr_status_t h2_session_receive(h2_session *session, int *pmore);

/* The stream that waits for a thread behind this one; NULL: the first. It stays in
 * the list. NULL: none, or none may be started any more. */
h2_stream *h2_session_next_waiting(const h2_session *session, h2_stream *after);

/* Do its requests hold its share of threads, running or being ended? The leader may
 * run one more that is expected to be quick. */
int h2_session_has_its_share(const h2_session *session);

/* Have its streams, or those of the child, as many threads for tunnels as such may have? Any
 * thread, but for other sessions' it may be another answer soon. */
int h2_session_has_its_tunnels(const h2_session *session);

/* A stream that is to be a tunnel gets a thread. 0: there are too many, its request is to be
 * answered otherwise. To be left when its request has run. */
int h2_session_enter_tunnel(h2_session *session);
void h2_session_leave_tunnel(h2_session *session);

/* The caller runs its request now, on some thread. */
void h2_session_started(h2_session *session, h2_stream *stream);

/* The request has run; its context belongs to the holder. */
void h2_session_finished(h2_session *session, h2_stream *stream);

/* The stream has new output in its exchange. */
void h2_session_has_output(h2_session *session, h2_stream *stream);

/* Does the client take pushed responses, as things stand? */
int h2_session_may_push(const h2_session *session);

/* Promises the client what goes with main's response, as far as it takes it and does not
 * have it, and lets the requests wait for a thread. To be called before the response's
 * head is given to the stream. Takes the promises' heads. */
void h2_session_push(h2_session *session, h2_stream *main, h2_promise *promises);

/* Does the stream wait for other ones of its connection, as its own window is open and its client
 * has taken their data within the last timeout? Then it is not its client that lets it wait. */
int h2_session_lets_wait(const h2_session *session, const h2_stream *stream,
                         apr_interval_time_t timeout);

/* The client has let the stream wait for so long, and it is to be reset: counts and logs that. */
void h2_session_note_slow(h2_session *session, const h2_stream *stream,
                          apr_interval_time_t timeout);

/* The request has read length bytes of its body: the client may send more. */
void h2_session_consumed(h2_session *session, h2_stream *stream, apr_size_t length);

/* The request is about to wait for its body: what it has read is given back to the client's
 * window now, if that is worth a frame. */
void h2_session_credit(h2_session *session, h2_stream *stream);

/* The request has had to wait for its body: if it has read most of a window within a second, the
 * client gets a wider one, as far as the bounds of stream, connection and child allow. */
void h2_session_widen(h2_session *session, h2_stream *stream);

/* Packs frames into the loop's scratch buffer until it is full or there is no
 * more; 0 if nothing is packed. */
apr_size_t h2_session_pack(h2_session *session);

/* Writes what was packed. */
apr_status_t h2_session_write(h2_session *session);

/* All streams that are closed and whose requests do not run, by next_done; NULL:
 * none. They have left all other lists. The caller ends the requests in their
 * exchange.context, without holding the loop if it likes, and then releases each;
 * until then the session stays. */
h2_stream *h2_session_take_done(h2_session *session);
void h2_session_release(h2_session *session, h2_stream *stream);

/* Says GOAWAY with this error code, aborts all streams, closes when it is sent. The reason, made by
 * format, is for the log. */
void h2_session_terminate(h2_session *session, apr_uint32_t error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The line in the log that says why a session ends which does not end by itself; only the first is
 * written. At info, as it is the client's doing, and at error for INTERNAL_ERROR. */
void h2_session_log_end(h2_session *session, apr_uint32_t error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The connection is of no use: aborts all streams, sends nothing. */
void h2_session_abort(h2_session *session, apr_status_t rv);

/* The child ends, or nobody has asked for long: GOAWAY in two steps where is_gentle,
 * else the last one. */
void h2_session_drain(h2_session *session, int is_gentle);

/* Timers: does what is due at now. */
void h2_session_check_timers(h2_session *session, apr_time_t now);

/* Sets what the loop is to wait for: readability, writability, the next timer. */
void h2_session_arm(h2_session *session);

/* Is there nothing left that it could send or receive? */
int h2_session_is_finished(const h2_session *session);

/* nghttp2 has ended the session by itself, for an error of the client: so do we. */
void h2_session_follow_end(h2_session *session);

#endif /* H2_SESSION_H */

/*
 * What the parts of a session keep. Each names the file of session/ that it belongs to, and the
 * other files that write to it; a field that yet another file writes names that itself.
 * h2_session.c gives all of them their first values.
 *
 * Holder of the loop only, every field.
 */
#ifndef H2_SESSION_PARTS_H
#define H2_SESSION_PARTS_H

#include "base/h2_base.h"
#include "session/h2_flood.h"
#include "session/h2_frame_scan.h"
#include "session/h2_id_ranges.h"
#include "session/h2_push_diary.h"
#include "session/h2_settings_scan.h"
#include "stream/h2_stream.h"

/* How many streams are what; h2_streams.c. */
typedef struct {
    int all;                      /* closed ones, too */
    int open;                     /* of these: not closed */
    int pushed;                   /* of these: opened by us; h2_push.c */
    int running;                  /* closed ones, too: that a thread runs */
    int tunnels;                  /* of these: tunnels, or may become such; h2_tunnels.c */
    int ending;                   /* taken to be ended, and not yet released */
    int enders;                   /* threads that end some; conn/h2_turn.c */
} h2_session_counts;

/* What is known of the client; h2_frames.c. */
typedef struct {
    apr_int64_t window;           /* its SETTINGS_INITIAL_WINDOW_SIZE */
    int last_id;                  /* the highest stream that we have worked on */
    int highest_id;               /* of its streams, also of refused ones */
    int stream_count;             /* its streams that we have seen */
    unsigned has_request : 1;     /* there was one, ever */
    unsigned has_goaway : 1;      /* it has said that it opens no more streams */
    unsigned has_priorities : 1;  /* it speaks of them as RFC 9218 does; h2_priorities.c */
    unsigned is_settings_acked : 1; /* it has acknowledged our SETTINGS */
} h2_session_client;

/* Bytes in; h2_receive.c, and h2_frames.c for what nghttp2 makes of them. */
typedef struct {
    h2_frame_scan scan;
    h2_settings_scan settings_scan; /* h2_gate.c begins it */
    h2_stream *stream;            /* whose field block is being decoded, NULL: nobody's;
                                   * h2_streams.c, when it is closed */
    unsigned even_byte_in;        /* so many bytes on is the last one of a GOAWAY's id; 0: not */
    unsigned within_block;        /* what the scan was within then: h2_frame_scan_within() */
    apr_time_t within_since;      /* since then it waits for more of it */
    apr_size_t widened_bytes;     /* of all streams' windows, beyond H2WindowSize; h2_windows.c */
    unsigned is_eof : 1;          /* the client has ended its side */
    unsigned is_paused : 1;       /* too much to be sent: read nothing; h2_timers.c */
    unsigned has_long_fields : 1; /* it is logged that some were too long */
} h2_session_in;

/* Which of these frames may be worked on, and the client's account; h2_gate.c. */
typedef struct {
    h2_flood flood;               /* useful work: h2_streams.c, h2_transmit.c */
    h2_id_ranges *reset_ids;      /* by us, before the client had ended them; NULL: none */
    h2_id_ranges *skipped_ids;    /* that the client has never opened; NULL: none */
    apr_int64_t widest_window;    /* of all streams, when the client's last SETTINGS began */
    unsigned continuation_count;  /* of the current field block */
    unsigned reset_count;         /* RST_STREAM frames of the client */
    unsigned is_in_block : 1;     /* the client's last field block is not complete */
} h2_session_gate;

/* Frames out; h2_pack.c and h2_transmit.c. */
typedef struct {
    h2_stream *turn;              /* who may give data to nghttp2; h2_streams.c, likewise */
    int turn_frames;              /* how many frames of it still */
    apr_size_t turn_begun;        /* what used was when its turn began */
    char *pack;                   /* the scratch buffer while packing */
    apr_size_t used;              /* bytes of it */
    apr_time_t last_sent;         /* bytes of any response */
    unsigned reset_count;         /* RST_STREAM frames of ours */
    int error_count;              /* of these: for errors in flow control, H2MaxStreamErrors */
    unsigned has_interim : 1;     /* a stream has an interim response to send; h2_streams.c */
    unsigned is_settings_sent : 1; /* ours are packed */
} h2_session_out;

/* Server push; h2_push.c. */
typedef struct {
    h2_push_diary diary;
    apr_ssize_t digest_length;    /* of the client's last Cache-Digest */
    unsigned digest_hash;         /* likewise */
    int highest_id;               /* of our streams; 0: there was none */
} h2_session_pushes;

/* Since when, and until when: h2_timers.c looks at it, and who knows of it sets it. By the loop's
 * clock, 0: not. */
typedef struct {
    apr_time_t begun;
    apr_time_t begun_wall;        /* what the system's clock showed then, for those who look */
    apr_time_t idle_since;        /* no stream since */
    apr_time_t last_progress;     /* bytes of a body, a request, a response */
    apr_time_t blocked_since;     /* the socket takes no more than blocked_at */
    apr_uint64_t blocked_at;      /* bytes sent */
    apr_time_t check_streams_at;  /* when a stream's time is up next */
    apr_time_t drain_from;        /* the last GOAWAY follows the first not before */
    apr_time_t drain_at;          /* and then at the latest */
    apr_time_t linger_until;      /* after the shutdown: when to close */
} h2_session_times;

/* How the connection is held; written by conn/ alone. */
typedef struct {
    apr_thread_cond_t *waiter;    /* of the MPM's thread that waits; NULL: it has suspended c */
    unsigned is_over : 1;         /* for that thread */
    unsigned has_bad_tls : 1;     /* RFC 9113, 9.2: refused at the start */
    unsigned is_buried : 1;       /* all is closed, only the pool is left */
    unsigned is_let_go : 1;       /* then: c->sbh is gone, see h2_closing.c */
} h2_session_hold;

#endif /* H2_SESSION_PARTS_H */

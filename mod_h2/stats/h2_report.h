/*
 * What a loop's connections look like at a moment, in shared memory: more than is worth keeping up
 * to date with each request. A loop that has connections reports about once a second while somebody
 * looks, and never else.
 *
 * The holder of the loop writes its report, and, with a lock of the child, that of a connection;
 * any thread of any process asks for reports and reads them. A reader that comes while one is
 * written reads it again.
 */
#ifndef H2_REPORT_H
#define H2_REPORT_H

#include "base/h2_base.h"
#include "stats/h2_stats.h"

/* Connections that a loop reports, and streams of the one that was asked for: others are
 * counted. */
#define H2_REPORT_SESSIONS_MAX 128
#define H2_REPORT_STREAMS_MAX 128

/* Texts are cut to this, with their end. They are empty where ExtendedStatus is off. */
#define H2_REPORT_TEXT_BYTES 64

typedef struct h2_session_report {
    apr_int64_t id;              /* as in the logs */
    apr_time_t begun;            /* apr_time_now() of then */
    apr_interval_time_t idle;    /* usec: so long without a stream; 0: it has some */
    apr_uint64_t streams;        /* that the client has opened, ever */
    apr_uint64_t sent_bytes;     /* to the socket, ever */
    apr_uint64_t pending_bytes;  /* that the socket has not taken */
    int origin;                  /* an h2_session_origin */
    int state;                   /* an h2_session_state */
    int open, waiting, running, pushed, tunnels; /* streams now */
    int is_blocked;              /* the socket takes no more */
    char client[H2_REPORT_TEXT_BYTES];
    char server[H2_REPORT_TEXT_BYTES];
} h2_session_report;

typedef struct h2_stream_report {
    int id;
    int state;                   /* an h2_stream_state */
    int is_closed;
    int is_sending;              /* has something to send, and a window */
    int is_shut;                 /* has something to send, and none */
    int pushed_on;               /* id of the stream that it was pushed for; 0: it was not */
    int parent_id;               /* RFC 7540; 0: none */
    int weight;                  /* 1 to 256 */
    int urgency;                 /* RFC 9218; -1: its client does not speak of it */
    int is_incremental;
    int status;                  /* of its response; 0: not there yet */
    apr_int64_t window;          /* so much it may send */
    apr_uint64_t received_bytes; /* of its body */
    apr_uint64_t sent_bytes;     /* of frames */
    apr_uint64_t waiting_bytes;  /* of its response, not yet sent */
    apr_interval_time_t age;     /* usec since its head was complete */
    apr_interval_time_t shut;    /* usec for want of a window, in all */
    char request[H2_REPORT_TEXT_BYTES]; /* method and path */
} h2_stream_report;

/* The connection that was asked for, in detail. */
typedef struct h2_connection_report {
    apr_time_t made;                /* apr_time_now() of then */
    h2_session_report session;      /* begins with its id: readers look at both first */
    apr_uint32_t our_settings[10];  /* by their numbers, RFC 9113, 6.5.2, RFC 8441 and RFC 9218 */
    apr_uint32_t their_settings[10];
    apr_int64_t is_acknowledged;    /* ours, by the client */
    apr_int64_t our_window;         /* so much the client may send on the connection */
    apr_int64_t their_window;       /* so much we may */
    apr_uint64_t queued_frames;     /* not yet sent, but for DATA */
    apr_uint64_t pushes_remembered;
    int stream_count;               /* of the connection, and of them in streams */
    int listed_count;
    h2_stream_report streams[H2_REPORT_STREAMS_MAX]; /* whose turn it is next at first */
} h2_connection_report;

/* Memory by its use, in bytes, as far as the module has it itself. */
typedef enum {
    H2_MEMORY_BLOCKS,            /* kept for requests to come */
    H2_MEMORY_CONTEXTS,          /* secondary connections that are kept: a number, not bytes */
    H2_MEMORY_BODIES,            /* of requests, not yet read */
    H2_MEMORY_RESPONSES,         /* not yet sent, in memory */
    H2_MEMORY_SOCKETS,           /* that sockets have not taken */
    H2_MEMORY_HPACK,             /* dynamic tables */
    H2_MEMORY_USES
} h2_memory_use;

/* Where streams without a window are counted: beyond any h2_stream_state. */
#define H2_REPORT_STATE_SHUT 7

typedef struct h2_loop_report {
    apr_time_t made;             /* apr_time_now() of then */
    apr_uint64_t memory[H2_MEMORY_USES];
    int stream_states[H2_REPORT_STATE_SHUT + 1]; /* open streams by h2_stream_state; those that
                                                  * are shut have one more place */
    int session_count;           /* of the loop, and of them in sessions */
    int listed_count;
    h2_session_report sessions[H2_REPORT_SESSIONS_MAX];
} h2_loop_report;

/* The parent, after h2_stats_create(): makes room. 0: no memory, nothing is reported. */
int h2_report_create(server_rec *s, int slot_count, int loop_count);

/* ---- who reports ---- */

/* A child that has claimed this slot: what the one before has left there is nothing. */
void h2_report_begin(int slot);

/* Any thread: is a report asked for, and which connection in detail (0: none)? */
int h2_report_is_asked(apr_time_t wall, apr_int64_t *pconnection_id);

/* Holder of the loop: puts a copy of its report. */
void h2_report_put_loop(int slot, int loop, const h2_loop_report *report);

/* One thread of the child at a time. */
void h2_report_put_connection(int slot, const h2_connection_report *report);

/* ---- who looks: any thread of any process ---- */

/* Asks all loops for reports during the next seconds, and for this connection in detail (0: none);
 * waits until each that has connections has made one lately (1.5 s), but no longer than 1.2 s. */
void h2_report_ask(apr_int64_t connection_id);

/* Gives a copy of the last report of a loop of a slot (see h2_stats_slots()). 0: there is none, or
 * it is not to be had whole. */
int h2_report_get_loop(int slot, int loop, h2_loop_report *report);

/* Gives a copy of what was asked for last. 0: no loop has such a connection. */
int h2_report_get_connection(apr_int64_t connection_id, h2_connection_report *report);

#endif /* H2_REPORT_H */

/*
 * One exchange of messages as the session sees it: how far it has come, and the
 * lists it is in. Owned by its session, created with the request's HEADERS, or when it is
 * promised, and freed when nghttp2 has closed it and its request has been ended.
 *
 * Holder of the loop only, but for what is fixed while its request runs (id, pushed_on, number,
 * head, begun, and of its trace queued and started): the runner reads that, too, but no bits, as
 * others of their word change. state is stored by h2_stream_advance() alone.
 */
#ifndef H2_STREAM_H
#define H2_STREAM_H

#include "base/h2_base.h"
#include "exchange/h2_exchange.h"
#include "message/h2_head.h"
#include "message/h2_priority.h"
#include "stream/h2_node.h"

struct h2_session;

/* How far the request of a stream has come. */
typedef enum {
    H2_STREAM_HEAD,     /* its head is being received */
    H2_STREAM_WAITING,  /* complete, waits for a thread */
    H2_STREAM_RUNNING,  /* a thread runs it */
    H2_STREAM_FINISHED, /* the thread is done, the response may still be on its way */
    H2_STREAM_DROPPED   /* reset before a thread had it: it never starts */
} h2_stream_state;

typedef enum {
    H2_STREAM_EV_HEAD_COMPLETE,
    H2_STREAM_EV_STARTED,
    H2_STREAM_EV_FINISHED,
    H2_STREAM_EV_CLOSED /* by nghttp2: ended both ways, or reset */
} h2_stream_event;

/* What becomes of a stream, as it is shown: times by h2_clock_now(), 0: not yet. */
typedef struct h2_stream_trace {
    apr_time_t queued;                   /* its head was complete */
    apr_time_t started;                  /* a thread has it */
    apr_time_t finished;                 /* that was done */
    apr_time_t first_byte;               /* the final head was packed */
    apr_time_t shut;                     /* since then it has data and no window; 0: not so */
    apr_interval_time_t shut_usec;       /* so long in all, before */
    apr_uint32_t in_frames, out_frames;
    apr_uint32_t reset_error;            /* of the RST_STREAM, or CANCEL */
    enum {
        H2_RESET_NONE,
        H2_RESET_SENT,
        H2_RESET_RECEIVED,
        H2_RESET_LOST                    /* its connection has ended before: there was no frame */
    } reset_by;
} h2_stream_trace;

typedef struct h2_stream h2_stream;
struct h2_stream {
    /* Fixed. */
    struct h2_session *session;
    int id;
    int pushed_on;                       /* id of that which it was pushed for; 0: it was not */
    int number;                          /* its connection's requests so far, with it; of a pushed
                                          * one, when it was promised */
    unsigned is_critical : 1;            /* pushed, and to be sent before that one */

    APR_RING_ENTRY(h2_stream) link;      /* in the session's streams */
    APR_RING_ENTRY(h2_stream) wait_link; /* in the session's waiting ones */
    h2_node node;                        /* in the order of sending */
    h2_priority priority;                /* as the client says, RFC 9218 */
    h2_dependency dependency;            /* as the client says, RFC 7540 */
    h2_stream *next_done;                /* after h2_session_take_done() */
    h2_stream_state state;
    h2_head *head;                       /* of the request, while and after it is received */
    h2_head *trailers;                   /* of the request; NULL: none */
    h2_exchange exchange;
    apr_off_t in_bytes;                  /* of the body, received */
    apr_size_t in_unread_bytes;          /* of these: their window is not yet returned */
    apr_size_t widened_bytes;            /* of its window, beyond H2WindowSize */
    apr_off_t width_begun;               /* in_bytes and the time from which it is seen how fast */
    apr_time_t width_since;              /* a window is used: at first its head's */
    apr_uint64_t out_bytes;              /* of frames, for the log */
    apr_time_t begun;                    /* when the head was complete, apr_time_now(): to show */
    h2_stream_trace trace;
    apr_uint32_t habit;                  /* where request/ remembers its like */
    unsigned has_habit : 1;
    apr_time_t stalled_since;            /* its client lets it wait, after so much; 0: not */
    apr_uint64_t stalled_bytes;
    apr_time_t grace_until;              /* for the rest of a body that nobody reads; 0: not */
    apr_time_t credit_until;             /* waits so long for a useful window; 0: it does not */
    unsigned small_count;                /* DATA frames in a row that a small window has cut */
    unsigned is_waiting : 1;             /* in the session's waiting list */
    unsigned is_sending : 1;             /* known to the scheduler as one with output */
    unsigned is_rejected : 1;            /* reset for an error of its client: it never starts */
    unsigned is_closed : 1;              /* nothing more is sent or received */
    unsigned is_head_submitted : 1;      /* the response's head is with nghttp2 */
    unsigned is_updated : 1;             /* PRIORITY or PRIORITY_UPDATE came while it was open */
    unsigned is_placed : 1;              /* its response has had its say in the order */
    unsigned is_deferred : 1;            /* nghttp2 waits for its turn: h2_pack.c resumes it */
    unsigned is_end_submitted : 1;       /* as trailers, for want of a window */
    unsigned is_end_sent : 1;            /* END_STREAM has been packed */
    unsigned is_end_seen : 1;            /* the client has sent END_STREAM or RST_STREAM */
    unsigned is_tunnel : 1;              /* an extended CONNECT, RFC 8441 */
};

/* Gives a stream; NULL without memory. blocks: the loop's, for its holder; else NULL. */
h2_stream *h2_stream_create(struct h2_session *session, int id, h2_blocks *blocks);

/* Frees it and its heads; it must be in no list. blocks: likewise. */
void h2_stream_destroy(h2_stream *stream, h2_blocks *blocks);

/* The state that follows; -1 where the event is not allowed. Pure. */
int h2_stream_state_after(h2_stream_state state, h2_stream_event event);

/* Moves the stream on, and asserts that it may be. */
void h2_stream_advance(h2_stream *stream, h2_stream_event event);

/* It has had a window again, or needs none any more: what it has waited is summed up. */
void h2_stream_end_shut(h2_stream *stream, apr_time_t now);

/* Has it something for the client that is not packed yet? */
int h2_stream_has_output(const h2_stream *stream);

/* Has it body bytes, as opposed to an end without bytes, to send? */
int h2_stream_has_data(const h2_stream *stream);

#endif /* H2_STREAM_H */

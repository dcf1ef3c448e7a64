/*
 * What has been counted and measured, for whoever wants to see it: in memory that all children
 * share, so that one of them can show the whole server.
 *
 * Each child has a slot, and each loop of it a block of its own there, to which only the loop's
 * holder writes: no locks and no atomic additions where requests run. Counts only rise, whoever has
 * the slot: what a child that has ended, or crashed, had counted stays counted. Gauges hold for
 * the child that has the slot now; those of a slot that nobody has are nothing.
 *
 * The segment outlives graceful restarts. Knows nothing of HTTP/2 but names.
 */
#ifndef H2_STATS_H
#define H2_STATS_H

#include <sys/types.h>

#include "base/h2_base.h"
#include "stats/h2_histogram.h"

/* Error codes, RFC 9113, 7; the last one stands for all that have no name. */
#define H2_STATS_ERRORS 15

/* Frame types, RFC 9113, 6; then PRIORITY_UPDATE, and all others. */
#define H2_STATS_FRAMES 12
#define H2_STATS_PRIORITY_UPDATE 10

/* Room for the causes of session/h2_flood.h. */
#define H2_STATS_FLOODS 12

#define H2_STATS_URGENCIES 8

/* What is counted, by the holder of a loop. A name that ends in S0 begins a row of as many as its
 * kind has: error codes, frame types, causes, urgencies. */
typedef enum {
    H2_COUNT_SESSIONS_ALPN,      /* connections: over TLS, negotiated */
    H2_COUNT_SESSIONS_TLS,       /* over TLS by the client's preface, H2Direct */
    H2_COUNT_SESSIONS_PREFACE,   /* in clear text, likewise */
    H2_COUNT_SESSIONS_UPGRADE,   /* by Upgrade: h2c */
    H2_COUNT_SESSIONS_ENDED,
    H2_COUNT_STREAMS,            /* opened by clients, refused ones included */
    H2_COUNT_STREAMS_REFUSED,
    H2_COUNT_TUNNELS,            /* extended CONNECT, RFC 8441 */
    H2_COUNT_REQUESTS,           /* that a thread has begun to run, pushed ones included */
    H2_COUNT_REQUESTS_LEADER,    /* of these: by the loop's leader, without another thread */
    H2_COUNT_LEADS_LOST,         /* of these: that took so long that another thread took the lead */
    H2_COUNT_RESPONSES_1XX,      /* final heads that were sent, by class; 1xx: interim ones */
    H2_COUNT_RESPONSES_2XX,
    H2_COUNT_RESPONSES_3XX,
    H2_COUNT_RESPONSES_4XX,
    H2_COUNT_RESPONSES_5XX,
    H2_COUNT_EARLY_HINTS,        /* of the interim ones: 103 */
    H2_COUNT_COMPLETED,          /* responses that were sent to their end */
    H2_COUNT_PUSHES,             /* promised */
    H2_COUNT_PUSHES_CANCELLED,   /* by the client */
    H2_COUNT_PUSHES_SPARED,      /* as the client has it already: diary or digest */
    H2_COUNT_BYTES_IN,           /* of the connection, without TLS */
    H2_COUNT_BYTES_OUT,
    H2_COUNT_BODY_IN,            /* payload of DATA */
    H2_COUNT_BODY_OUT,
    H2_COUNT_FIELDS_IN,          /* octets of fields, RFC 9113, 10.5.1, and of the blocks that */
    H2_COUNT_BLOCKS_IN,          /* HPACK has made of them */
    H2_COUNT_FIELDS_OUT,
    H2_COUNT_BLOCKS_OUT,
    H2_COUNT_STALLS,             /* a stream with data found its window, or the connection's, shut */
    H2_COUNT_STALL_USEC,         /* for so long */
    H2_COUNT_SOCKET_STALLS,      /* the client's TCP took no more */
    H2_COUNT_RECORDS_SMALL,      /* TLS records of warm-up size, and full ones */
    H2_COUNT_RECORDS_LARGE,
    H2_COUNT_INCREMENTAL,        /* streams whose client says so, RFC 9218 */
    H2_COUNT_DEPENDENCIES,       /* streams that have one, RFC 7540 */
    H2_COUNT_CONTEXTS_MADE,      /* secondary connections: new, and used again */
    H2_COUNT_CONTEXTS_REUSED,
    H2_COUNT_LIMIT_HEADER_TIME,  /* limits that have ended a stream or a connection, by directive */
    H2_COUNT_LIMIT_REQUEST_RATE,
    H2_COUNT_LIMIT_RESPONSE_RATE,
    H2_COUNT_LIMIT_REQUESTS,     /* H2MaxConnectionRequests */
    H2_COUNT_LIMIT_TIME,         /* H2MaxConnectionTime */
    H2_COUNT_LIMIT_STREAM_ERRORS,
    H2_COUNT_LIMIT_HEADER_LIST,
    H2_COUNT_LIMIT_SETTINGS,     /* not acknowledged within Timeout */
    H2_COUNT_LIMIT_TIMEOUT,      /* Timeout: neither sent nor took anything */
    H2_COUNT_LIMIT_IDLE,         /* KeepAliveTimeout: no requests */
    H2_COUNT_FLOODS0,            /* connections ended for it, by h2_flood_cause */
    H2_COUNT_RESETS_SENT0 = H2_COUNT_FLOODS0 + H2_STATS_FLOODS, /* by error code, as the next ones */
    H2_COUNT_RESETS_RECEIVED0 = H2_COUNT_RESETS_SENT0 + H2_STATS_ERRORS,
    H2_COUNT_GOAWAYS_SENT0 = H2_COUNT_RESETS_RECEIVED0 + H2_STATS_ERRORS,
    H2_COUNT_GOAWAYS_RECEIVED0 = H2_COUNT_GOAWAYS_SENT0 + H2_STATS_ERRORS,
    H2_COUNT_FRAMES_IN0 = H2_COUNT_GOAWAYS_RECEIVED0 + H2_STATS_ERRORS, /* by frame type */
    H2_COUNT_FRAMES_OUT0 = H2_COUNT_FRAMES_IN0 + H2_STATS_FRAMES,
    H2_COUNT_URGENCIES0 = H2_COUNT_FRAMES_OUT0 + H2_STATS_FRAMES, /* streams, by urgency */
    H2_COUNTS = H2_COUNT_URGENCIES0 + H2_STATS_URGENCIES
} h2_count;

/* What there is at a moment, by the holder of a loop. */
typedef enum {
    H2_GAUGE_SESSIONS,
    H2_GAUGE_SESSIONS_IDLE,      /* of these: without a stream */
    H2_GAUGE_SESSIONS_PARKED,    /* of these: that hold no thread, neither ours nor the MPM's */
    H2_GAUGE_STREAMS,            /* open ones */
    H2_GAUGE_WAITING,            /* of these: for a thread */
    H2_GAUGE_RUNNING,            /* requests that a thread runs */
    H2_GAUGE_TUNNELS,
    H2_GAUGES
} h2_gauge;

/* What is measured of each stream that has ended, in microseconds. */
typedef enum {
    H2_TIME_WAIT,                /* for a thread */
    H2_TIME_RUN,                 /* until its thread was done */
    H2_TIME_FIRST_BYTE,          /* from the end of its head to that of the response's */
    H2_TIME_CLIENT,              /* for windows of the client, of those that had to */
    H2_TIME_TOTAL,               /* from the end of its head to the end of the stream */
    H2_TIMES
} h2_time;

/* A loop's block. Its holder writes, anybody reads. */
typedef struct h2_stats {
    h2_cell counts[H2_COUNTS];
    h2_cell gauges[H2_GAUGES];
    h2_histogram times[H2_TIMES];
} h2_stats;

/* Of a child's threads, guarded by the lock of its pool of workers; anybody reads. */
typedef enum {
    H2_WORKERS_TOTAL,            /* gauges */
    H2_WORKERS_SPARE,
    H2_WORKERS_MIN,              /* fixed */
    H2_WORKERS_MAX,
    H2_WORKERS_GAUGES,
    H2_WORKERS_STARTED = H2_WORKERS_GAUGES, /* counts */
    H2_WORKERS_LEFT,
    H2_WORKERS_FIGURES
} h2_workers_figure;

typedef struct h2_workers_stats {
    h2_cell figures[H2_WORKERS_FIGURES];
} h2_workers_stats;

/* A child's slot. */
typedef struct h2_stats_slot {
    _Atomic(int) pid;            /* of the child that has it; 0: nobody */
    _Atomic(int) generation;
    _Atomic(int) is_used;        /* somebody has, or had, it */
    h2_workers_stats workers;
    h2_stats *loops;             /* mapped at one address in all processes; fixed */
} h2_stats_slot;

/* What all of them have together. */
typedef struct h2_stats_sum {
    apr_uint64_t counts[H2_COUNTS];
    apr_uint64_t gauges[H2_GAUGES];
    apr_uint64_t workers[H2_WORKERS_FIGURES];
    h2_durations times[H2_TIMES];
    int child_count;
} h2_stats_sum;

/* The parent, after each reading of the configuration: makes the segment, or finds that of before
 * the graceful restart. slot_count: children that there may be at a time, of all generations;
 * loop_count: of each of them. 0: no memory. */
int h2_stats_create(server_rec *s, int slot_count, int loop_count);

/* A child, once: takes a slot. NULL where there is none left. */
h2_stats_slot *h2_stats_claim(void);

/* The parent: the child has ended, however. A pid that has no slot is nobody's. */
void h2_stats_release(pid_t pid);

/* Child start: the block of the loop with that index. NULL: the slot, which may be NULL itself, has
 * none for it. */
h2_stats *h2_stats_of_loop(h2_stats_slot *slot, int index);

/* Any thread of any process: when the counts began, apr_time_now(); 0: there is no segment. */
apr_time_t h2_stats_since(void);

/* Any thread: all together. The sum is cleared before. */
void h2_stats_add_up(h2_stats_sum *sum);

/* Any thread: the slots, to be looked at one by one. */
const h2_stats_slot *h2_stats_slots(int *pcount, int *ploop_count);

/* Any thread: the number of a slot among them. */
int h2_stats_index(const h2_stats_slot *slot);

/* Any thread: a count of all children; a gauge of the one that has the slot, 0 if nobody has. */
apr_uint64_t h2_stats_total(unsigned count);
apr_uint64_t h2_stats_gauge_of(const h2_stats_slot *slot, h2_gauge gauge);

/* Likewise, of one of its loops. */
apr_uint64_t h2_stats_gauge_of_loop(const h2_stats_slot *slot, int loop, h2_gauge gauge);

/* Holder of the loop whose block it is: */
static inline void h2_stats_add(h2_stats *stats, unsigned count, apr_uint64_t n)
{
    h2_cell_add(&stats->counts[count], n);
}

static inline void h2_stats_count(h2_stats *stats, unsigned count)
{
    h2_cell_add(&stats->counts[count], 1);
}

/* A row of counts: index beyond it is its last one. */
static inline void h2_stats_count_of(h2_stats *stats, unsigned first, unsigned index, unsigned size)
{
    h2_cell_add(&stats->counts[first + ((index < size) ? index : size - 1)], 1);
}

static inline void h2_stats_gauge(h2_stats *stats, h2_gauge gauge, int change)
{
    h2_cell_add(&stats->gauges[gauge], (apr_uint64_t)(apr_int64_t)change);
}

static inline void h2_stats_time(h2_stats *stats, h2_time time, apr_interval_time_t usec)
{
    h2_histogram_record(&stats->times[time], usec);
}

#endif /* H2_STATS_H */

/*
 * What is counted and measured: the names by which the rest of the module says it, in the order in
 * which stats/h2_stats.h keeps it and stats/h2_stats_names.h shows it. Constants only.
 */
#ifndef H2_FIGURES_H
#define H2_FIGURES_H

/* Error codes, RFC 9113, 7; the last one stands for all that have no name. */
#define H2_STATS_ERRORS 15

/* Frame types, RFC 9113, 6; then PRIORITY_UPDATE, and all others. */
#define H2_STATS_FRAMES 12
#define H2_STATS_PRIORITY_UPDATE 10

/* Room for the causes of session/h2_flood.h. */
#define H2_STATS_FLOODS 12

#define H2_STATS_URGENCIES 8

/* What is counted, by the holder of a loop. A name that ends in 0 begins a row of as many as its
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
    H2_COUNT_FIELDS_IN,          /* octets of fields, RFC 9113, 6.5.2, and of the blocks that */
    H2_COUNT_BLOCKS_IN,          /* HPACK has made of them */
    H2_COUNT_FIELDS_OUT,
    H2_COUNT_BLOCKS_OUT,
    H2_COUNT_STALLS,             /* a stream with data found its or the connection's window shut */
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
    H2_COUNT_RESETS_SENT0 = H2_COUNT_FLOODS0 + H2_STATS_FLOODS, /* by error code; next ones too */
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

/* Of a child's threads. */
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

#endif /* H2_FIGURES_H */

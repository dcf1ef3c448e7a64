/*
 * The account of what a client does to a connection that is of no use to it: an account for each
 * cause. It rises with each event, and falls with time and with useful work, so that a browser
 * which cancels a lot, or a client that streams, never reaches the limit, and who does nothing
 * else soon does.
 *
 * Knows no session: it is given what has happened and when. Part of the session; holder of the
 * loop only.
 */
#ifndef H2_FLOOD_H
#define H2_FLOOD_H

#include <apr_time.h>

#include "config/h2_config.h"

typedef enum {
    H2_FLOOD_RESETS,          /* RST_STREAM of the client */
    H2_FLOOD_ERRORS,          /* streams that the client has made us reset */
    H2_FLOOD_REFUSED,         /* streams beyond H2MaxSessionStreams */
    H2_FLOOD_PING,
    H2_FLOOD_SETTINGS,
    H2_FLOOD_PRIORITY,
    H2_FLOOD_PRIORITY_UPDATE,
    H2_FLOOD_WINDOW_UPDATE,
    H2_FLOOD_EMPTY_DATA,      /* without END_STREAM */
    H2_FLOOD_CONTINUATION,
    H2_FLOOD_LATE,            /* frames on streams that are closed */
    H2_FLOOD_OTHER            /* unknown types, GOAWAY */
} h2_flood_cause;

#define H2_FLOOD_CAUSES (H2_FLOOD_OTHER + 1)

typedef struct h2_flood_account {
    apr_int64_t level;      /* millionths of an event */
    apr_time_t counted_at;  /* when it was level */
    apr_uint32_t work;      /* work_done of then */
    apr_uint32_t total;     /* events, less what useful work makes up for, not time */
} h2_flood_account;

typedef struct h2_flood {
    const h2_server_conf *conf;   /* fixed: the limits */
    apr_uint32_t requests_done;   /* that were answered to their end */
    apr_uint32_t data_sent;       /* DATA frames not cut by a small window, by 2 KiB begun */
    h2_flood_account accounts[H2_FLOOD_CAUSES];
} h2_flood;

/* A connection begins: nothing has happened. conf outlives it. */
void h2_flood_init(h2_flood *flood, const h2_server_conf *conf);

/* Another event of this cause, now. Returns 0 if that is one too many: the connection is to be
 * ended with ENHANCE_YOUR_CALM. */
int h2_flood_charge(h2_flood *flood, h2_flood_cause cause, apr_time_t now);

/* The limit of this cause, its burst worked out where only other directives say it. */
h2_flood_limit h2_flood_limit_of(const h2_flood *flood, h2_flood_cause cause);

/* What to say then in the log: the cause, and the directive. */
const char *h2_flood_reason(h2_flood_cause cause);

#endif /* H2_FLOOD_H */

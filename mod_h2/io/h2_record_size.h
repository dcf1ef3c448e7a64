/*
 * How large the TLS records of a connection are to be. A record can be read
 * only when all of it has arrived: while TCP's window is still small, records
 * that fit into one packet show the first bytes soonest, later on large ones
 * cost less. H2TLSWarmUpSize and H2TLSCoolDownSecs.
 *
 * Owner: the connection's writer, in whose struct it lies. Holder of the loop
 * only. Pure logic: knows no socket and no clock, allocates nothing.
 */
#ifndef H2_RECORD_SIZE_H
#define H2_RECORD_SIZE_H

#include <apr.h>
#include <apr_time.h>

/* With the 29 bytes of TLS and 72 of IPv6 and TCP this stays below the 1420
 * bytes that fit into one packet on a path through a tunnel. */
#define H2_RECORD_SMALL_BYTES 1300

/* The most that a record can carry, RFC 8446, 5.1. */
#define H2_RECORD_LARGE_BYTES 16384

typedef struct h2_record_size {
    /* Fixed. */
    apr_off_t warm_up_bytes;       /* to send in small records first; 0: none */
    apr_interval_time_t cool_down; /* usec without a write until it starts anew; 0: never */

    apr_off_t sent_bytes;  /* of the warm-up, at most warm_up_bytes */
    apr_time_t last_write; /* usec; 0: nothing written yet */
} h2_record_size;

/* Starts a connection's warm-up. */
void h2_record_size_init(h2_record_size *size, apr_off_t warm_up_bytes,
                         apr_interval_time_t cool_down);

/* The payload bytes that the next record should have at most. now: usec, any
 * clock, but the same one in all calls; a clock that steps back does no harm. */
apr_size_t h2_record_size_next(h2_record_size *size, apr_time_t now);

/* Payload of so many bytes was written at the time now. */
void h2_record_size_wrote(h2_record_size *size, apr_size_t bytes, apr_time_t now);

#endif /* H2_RECORD_SIZE_H */

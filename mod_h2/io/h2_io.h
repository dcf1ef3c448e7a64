/*
 * Bytes to and from the client, through httpd's connection filters, never
 * blocking. Where the only filter is the core's, the socket is used directly.
 *
 * Between mod_ssl and the core sit our network filters. The one for output gathers the
 * records that mod_ssl makes, so that many leave with one write; the one for input reads
 * the socket once for many small reads of mod_ssl. What the socket does not take waits in a
 * buffer of the connection; while there is any, the caller should produce nothing new.
 *
 * Owned by the session; holder of the loop only.
 */
#ifndef H2_IO_H
#define H2_IO_H

#include <apr_buckets.h>
#include <apr_network_io.h>
#include <util_filter.h>

#include "base/h2_base.h"
#include "io/h2_record_size.h"

typedef struct h2_io {
    /* Fixed. */
    conn_rec *c;
    apr_socket_t *socket;
    int descriptor;              /* of socket */
    int is_tls;
    ap_filter_t *network;        /* our filters on c, removed with it */
    ap_filter_t *network_in;     /* NULL: without TLS there is none */
    apr_bucket_brigade *in;
    apr_bucket_brigade *out;

    h2_record_size record_size;
    char *gather;                /* borrowed during a write: the encrypted records */
    apr_size_t gather_size;
    apr_size_t gather_used;
    const char *received;        /* from the socket, for mod_ssl: in the caller's scratch during */
    apr_size_t received_start;   /* its reads, else in received_own */
    apr_size_t received_end;
    char *received_own;          /* malloc'ed; NULL: nothing is left */
    char *scratch;               /* borrowed from h2_io_read() to h2_io_end_reading() */
    apr_size_t scratch_size;
    char *pending;               /* malloc'ed: what the socket did not take */
    apr_size_t pending_size;
    apr_size_t pending_start;
    apr_size_t pending_end;
    apr_uint64_t sent_bytes;     /* that the socket took, ever */
    unsigned small_records;      /* TLS records since the caller has set them to 0 */
    unsigned large_records;
    unsigned is_drained : 1;     /* the filters keep nothing that was read before */
    unsigned is_core_drained : 1; /* nor does the core's, below ours */
    unsigned is_socket_empty : 1; /* it had less than was asked for: ask again when poll says so */
    unsigned is_shut : 1;        /* TLS is gone: the filters must not be used any more */
    unsigned is_broken : 1;      /* the socket is of no use any more */
    unsigned is_cut : 1;         /* the client has our FIN */
} h2_io;

/* At the start of httpd: registers the network filters. */
void h2_io_register(void);

/* Takes over the bytes of c; any thread, as nobody else knows c yet. warm_up_bytes, cool_down
 * (usec): see h2_record_size_init(). */
void h2_io_init(h2_io *io, conn_rec *c, apr_off_t warm_up_bytes,
                apr_interval_time_t cool_down);

/* Frees what is not in the connection's pool. */
void h2_io_destroy(h2_io *io);

/* Gives bytes that have arrived: borrowed until the next call. scratch is used where there
 * is no other place, until h2_io_end_reading(). APR_EAGAIN: none at the moment; APR_EOF: the
 * client has ended; anything else: broken. */
apr_status_t h2_io_read(h2_io *io, char *scratch, apr_size_t scratch_size,
                        const char **pdata, apr_size_t *plength);

/* After the last h2_io_read() of a turn, before scratch is used for anything else. */
void h2_io_end_reading(h2_io *io);

/* No filter of ours is on the connection any more: the MPM goes on with it. */
void h2_io_remove_filters(h2_io *io);

/* Sends; what the socket does not take is kept. now: h2_clock_now(). gather is scratch for
 * encrypted records. APR_SUCCESS also if bytes are kept: see h2_io_is_blocked(). */
apr_status_t h2_io_write(h2_io *io, const char *data, apr_size_t length, apr_time_t now,
                         char *gather, apr_size_t gather_size);

/* Tries again to send what was kept. */
apr_status_t h2_io_write_pending(h2_io *io);

/* Are there bytes that the socket has not taken yet? */
int h2_io_is_blocked(const h2_io *io);

/* Says to the client that no more comes, and leaves TLS as it is, which running requests may
 * still look at. Called again, it does nothing. */
void h2_io_cut(h2_io *io);

/* Ends TLS and says to the client that no more comes. */
void h2_io_shutdown(h2_io *io);

#endif /* H2_IO_H */

/*
 * Bytes to and from the client, through httpd's connection filters, never
 * blocking. Where the only filter is the core's, the socket is used directly.
 *
 * Between mod_ssl and the core sits our network filter: it gathers the records
 * that mod_ssl makes, so that many leave with one write. What the socket does
 * not take waits in a buffer of the connection; while there is any, the caller
 * should produce nothing new.
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
    int descriptor;
    int is_tls;
    ap_filter_t *network;        /* our filter on c, removed with it */
    apr_bucket_brigade *in;
    apr_bucket_brigade *out;

    h2_record_size record_size;
    char *gather;                /* borrowed during a write: the encrypted records */
    apr_size_t gather_size;
    apr_size_t gather_used;
    char *pending;               /* malloc'ed: what the socket did not take */
    apr_size_t pending_size;
    apr_size_t pending_start;
    apr_size_t pending_end;
    apr_uint64_t sent_bytes;     /* that the socket took, ever */
    unsigned is_drained : 1;     /* the filters keep nothing that was read before */
    unsigned is_shut : 1;        /* TLS is gone: the filters must not be used any more */
    unsigned is_broken : 1;      /* the socket is of no use any more */
} h2_io;

/* At the start of httpd: registers the network filter. */
void h2_io_register(void);

/* Takes over the bytes of c; any thread, as nobody else knows c yet. */
void h2_io_init(h2_io *io, conn_rec *c, apr_off_t warm_up_bytes,
                apr_interval_time_t cool_down);

/* Frees what is not in the connection's pool. */
void h2_io_destroy(h2_io *io);

/* Gives bytes that have arrived: borrowed until the next call. scratch is used
 * where there is no other place. APR_EAGAIN: none at the moment; APR_EOF: the
 * client has ended; anything else: broken. */
apr_status_t h2_io_read(h2_io *io, char *scratch, apr_size_t scratch_size,
                        const char **pdata, apr_size_t *plength);

/* Sends; what the socket does not take is kept. gather is scratch for encrypted
 * records. APR_SUCCESS also if bytes are kept: see h2_io_is_blocked(). */
apr_status_t h2_io_write(h2_io *io, const char *data, apr_size_t length, apr_time_t now,
                         char *gather, apr_size_t gather_size);

/* Tries again to send what was kept. */
apr_status_t h2_io_write_pending(h2_io *io);

/* Are there bytes that the socket has not taken yet? */
int h2_io_is_blocked(const h2_io *io);

/* Ends TLS and says to the client that no more comes. */
void h2_io_shutdown(h2_io *io);

#endif /* H2_IO_H */

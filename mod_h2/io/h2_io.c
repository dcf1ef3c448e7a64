#include "io/h2_io.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <apr_portable.h>

#include <http_connection.h>
#include <http_core.h>
#include <http_ssl.h>

#define H2_NETWORK_FILTER "H2_NETWORK"
#define H2_NETWORK_IN_FILTER "H2_NETWORK_IN"

/* Bytes that the kernel may hold beyond those that the client's TCP window takes. */
#define H2_NOTSENT_BYTES (128 * 1024)

static ap_filter_rec_t *network_filter;
static ap_filter_rec_t *network_in_filter;

/* Keeps bytes that the socket did not take, or that came at an odd time. */
static apr_status_t keep(h2_io *io, const char *data, apr_size_t length)
{
    apr_size_t used = io->pending_end - io->pending_start;

    if (io->pending_end + length > io->pending_size) {
        apr_size_t size = used + length + used / 2;
        char *pending = malloc(size);

        if (!pending) {
            return APR_ENOMEM;
        }
        if (used && io->pending) {
            memcpy(pending, io->pending + io->pending_start, used);
        }
        free(io->pending);
        io->pending = pending;
        io->pending_size = size;
        io->pending_start = 0;
        io->pending_end = used;
    }
    memcpy(io->pending + io->pending_end, data, length);
    io->pending_end += length;
    return APR_SUCCESS;
}

static apr_status_t gather_bytes(h2_io *io, const char *data, apr_size_t length)
{
    apr_status_t rv = APR_SUCCESS;

    if (io->gather && io->gather_used + length <= io->gather_size) {
        memcpy(io->gather + io->gather_used, data, length);
        io->gather_used += length;
        return APR_SUCCESS;
    }
    if (io->gather && io->gather_used) {
        rv = keep(io, io->gather, io->gather_used);
        io->gather_used = 0;
    }
    io->gather = NULL; /* the order of bytes: from here on all go to pending */
    return (rv == APR_SUCCESS) ? keep(io, data, length) : rv;
}

/* Nothing passes it: what comes down is sent by h2_io_write() and its like. */
static apr_status_t network_filter_out(ap_filter_t *f, apr_bucket_brigade *bb)
{
    h2_io *io = f->ctx;
    apr_status_t rv = APR_SUCCESS;

    while (bb && !APR_BRIGADE_EMPTY(bb) && rv == APR_SUCCESS) {
        apr_bucket *b = APR_BRIGADE_FIRST(bb);
        const char *data;
        apr_size_t length;

        if (!APR_BUCKET_IS_METADATA(b)) {
            rv = apr_bucket_read(b, &data, &length, APR_BLOCK_READ);
            if (rv == APR_SUCCESS) {
                rv = gather_bytes(io, data, length);
            }
        }
        apr_bucket_delete(b);
    }
    return rv;
}

static apr_status_t read_socket(h2_io *io, char *scratch, apr_size_t scratch_size,
                                const char **pdata, apr_size_t *plength)
{
    ssize_t count;

    do {
        count = recv(io->descriptor, scratch, scratch_size, MSG_DONTWAIT);
    } while (count < 0 && errno == EINTR);
    if (count == 0) {
        return APR_EOF;
    }
    if (count < 0) {
        return APR_FROM_OS_ERROR(errno);
    }
    *pdata = scratch;
    *plength = (apr_size_t)count;
    return APR_SUCCESS;
}

/* Fills what is received from the socket. */
static apr_status_t receive(h2_io *io)
{
    apr_status_t rv;

    free(io->received_own);
    io->received_own = NULL;
    io->received_start = io->received_end = 0;
    if (io->is_socket_empty) {
        return APR_EAGAIN;
    }
    rv = read_socket(io, io->scratch, io->scratch_size, &io->received, &io->received_end);
    if (rv == APR_SUCCESS) {
        io->is_socket_empty = (io->received_end < io->scratch_size);
    }
    return rv;
}

/* mod_ssl reads the five bytes of a record's header, then the record: from what one read
 * of the socket has brought. What the core's filter still has comes first. */
static apr_status_t network_filter_in(ap_filter_t *f, apr_bucket_brigade *bb,
                                      ap_input_mode_t mode, apr_read_type_e block,
                                      apr_off_t readbytes)
{
    h2_io *io = f->ctx;
    apr_size_t length;
    apr_status_t rv;

    if (mode != AP_MODE_READBYTES || !io->is_core_drained || !io->scratch) {
        rv = ap_get_brigade(f->next, bb, mode, block, readbytes);
        if (mode == AP_MODE_READBYTES && block == APR_NONBLOCK_READ && !f->next->next
            && (APR_STATUS_IS_EAGAIN(rv) || (rv == APR_SUCCESS && APR_BRIGADE_EMPTY(bb)))) {
            io->is_core_drained = 1;
        }
        return rv;
    }
    if (io->received_start == io->received_end) {
        rv = receive(io);
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
    length = io->received_end - io->received_start;
    if ((apr_off_t)length > readbytes) {
        length = (apr_size_t)readbytes;
    }
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_transient_create(io->received + io->received_start,
                                                            length, f->c->bucket_alloc));
    io->received_start += length;
    return APR_SUCCESS;
}

void h2_io_end_reading(h2_io *io)
{
    apr_size_t left = io->received_end - io->received_start;

    io->scratch = NULL;
    io->is_socket_empty = 0;
    if (!left || io->received_own) {
        return;
    }
    io->received_own = malloc(left);
    if (!io->received_own) {
        io->is_broken = 1;
        return;
    }
    memcpy(io->received_own, io->received + io->received_start, left);
    io->received = io->received_own;
    io->received_start = 0;
    io->received_end = left;
}

void h2_io_register(void)
{
    /* The core's are of AP_FTYPE_NETWORK, and ours have to come before them. */
    network_filter = ap_register_output_filter(H2_NETWORK_FILTER, network_filter_out, NULL,
                                               AP_FTYPE_NETWORK - 1);
    network_in_filter = ap_register_input_filter(H2_NETWORK_IN_FILTER, network_filter_in, NULL,
                                                 AP_FTYPE_NETWORK - 1);
}

/* mod_reqtimeout's clock and mod_logio's count are of HTTP/1.1: the time for a
 * head and a body is ours now, and bytes are counted for each stream. */
static void remove_http1_filters(conn_rec *c)
{
    ap_remove_input_filter_byhandle(c->input_filters, "reqtimeout");
    ap_remove_output_filter_byhandle(c->output_filters, "reqtimeout");
    ap_remove_input_filter_byhandle(c->input_filters, "log_input_output");
}

/* The kernel keeps little that is not on its way: what it has taken can be neither reordered
 * nor taken back. Only a hint, and systems without it do as they always did. */
static void shorten_kernel_queue(int descriptor)
{
#ifdef TCP_NOTSENT_LOWAT
    int bytes = H2_NOTSENT_BYTES;

    (void)setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
#else
    (void)descriptor;
#endif
}

void h2_io_init(h2_io *io, conn_rec *c, apr_off_t warm_up_bytes,
                apr_interval_time_t cool_down)
{
    memset(io, 0, sizeof(*io));
    io->c = c;
    io->socket = ap_get_conn_socket(c);
    apr_os_sock_get(&io->descriptor, io->socket);
    shorten_kernel_queue(io->descriptor);
    apr_socket_timeout_set(io->socket, 0); /* for the filters: never wait */
    io->is_tls = ap_ssl_conn_is_ssl(c);
    io->in = apr_brigade_create(c->pool, c->bucket_alloc);
    io->out = apr_brigade_create(c->pool, c->bucket_alloc);
    h2_record_size_init(&io->record_size, warm_up_bytes, cool_down);
    remove_http1_filters(c);
    io->network = ap_add_output_filter_handle(network_filter, io, NULL, c);
    if (io->is_tls) {
        io->network_in = ap_add_input_filter_handle(network_in_filter, io, NULL, c);
    }
}

void h2_io_remove_filters(h2_io *io)
{
    ap_remove_output_filter(io->network);
    if (io->network_in) {
        ap_remove_input_filter(io->network_in);
    }
}

static void free_pending(h2_io *io)
{
    free(io->pending);
    io->pending = NULL;
    io->pending_size = io->pending_start = io->pending_end = 0;
}

void h2_io_destroy(h2_io *io)
{
    free_pending(io);
    free(io->received_own);
    io->received_own = NULL;
    io->received_start = io->received_end = 0;
}

/* Can the socket be read without the filters? Those of TLS and others keep bytes. */
static int is_direct(const h2_io *io)
{
    return io->c->input_filters && !io->c->input_filters->next && !io->is_tls
           && APR_BRIGADE_EMPTY(io->in);
}

static apr_status_t break_io(h2_io *io, apr_status_t rv)
{
    io->is_broken = 1;
    return rv;
}

/* What the filters kept when HTTP/1.1 was read must be taken out first: the
 * first read goes through them until they have nothing left. */
static apr_status_t read_filters(h2_io *io, apr_size_t size, const char **pdata,
                                 apr_size_t *plength)
{
    apr_status_t rv;

    if (!APR_BRIGADE_EMPTY(io->in)) { /* its bytes were given by the last call */
        apr_bucket_delete(APR_BRIGADE_FIRST(io->in));
    }
    for (;;) {
        while (!APR_BRIGADE_EMPTY(io->in)) {
            apr_bucket *b = APR_BRIGADE_FIRST(io->in);

            if (APR_BUCKET_IS_EOS(b)) {
                return APR_EOF;
            }
            if (!APR_BUCKET_IS_METADATA(b)) {
                rv = apr_bucket_read(b, pdata, plength, APR_NONBLOCK_READ);
                if (rv != APR_SUCCESS || *plength) {
                    return rv;
                }
            }
            apr_bucket_delete(b);
        }
        rv = ap_get_brigade(io->c->input_filters, io->in, AP_MODE_READBYTES,
                            APR_NONBLOCK_READ, (apr_off_t)size);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        if (APR_BRIGADE_EMPTY(io->in)) {
            return APR_EAGAIN;
        }
    }
}

apr_status_t h2_io_read(h2_io *io, char *scratch, apr_size_t scratch_size,
                        const char **pdata, apr_size_t *plength)
{
    apr_status_t rv;

    if (io->is_broken) {
        return APR_ECONNABORTED;
    }
    io->scratch = scratch;
    io->scratch_size = scratch_size;
    if (io->is_shut || (is_direct(io) && io->is_drained)) {
        rv = read_socket(io, scratch, scratch_size, pdata, plength);
    }
    else {
        rv = read_filters(io, scratch_size, pdata, plength);
        io->is_drained = APR_STATUS_IS_EAGAIN(rv);
    }
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(rv) && !APR_STATUS_IS_EOF(rv)) {
        break_io(io, rv);
    }
    return rv;
}

/* Sends as much as the socket takes at once. */
static apr_status_t send_bytes(h2_io *io, const char *data, apr_size_t length,
                               apr_size_t *psent)
{
    *psent = 0;
    while (*psent < length) {
        ssize_t count = send(io->descriptor, data + *psent, length - *psent,
                             MSG_DONTWAIT | MSG_NOSIGNAL);

        if (count >= 0) {
            *psent += (apr_size_t)count;
            io->sent_bytes += (apr_uint64_t)count;
        }
        else if (errno != EINTR) {
            return APR_FROM_OS_ERROR(errno);
        }
    }
    return APR_SUCCESS;
}

apr_status_t h2_io_write_pending(h2_io *io)
{
    apr_size_t sent;
    apr_status_t rv;

    if (io->is_broken) {
        return APR_ECONNABORTED;
    }
    if (!h2_io_is_blocked(io)) {
        return APR_SUCCESS;
    }
    rv = send_bytes(io, io->pending + io->pending_start, io->pending_end - io->pending_start,
                    &sent);
    io->pending_start += sent;
    if (io->pending_start == io->pending_end) {
        free_pending(io); /* an idle connection holds no buffer */
    }
    return (rv == APR_SUCCESS || APR_STATUS_IS_EAGAIN(rv)) ? APR_SUCCESS : break_io(io, rv);
}

int h2_io_is_blocked(const h2_io *io)
{
    return io->pending_end > io->pending_start;
}

static apr_status_t send_or_keep(h2_io *io, const char *data, apr_size_t length)
{
    apr_size_t sent = 0;
    apr_status_t rv = APR_SUCCESS;

    if (!h2_io_is_blocked(io)) {
        rv = send_bytes(io, data, length, &sent);
    }
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(rv)) {
        return break_io(io, rv);
    }
    if (sent < length) {
        rv = keep(io, data + sent, length - sent);
        return (rv == APR_SUCCESS) ? rv : break_io(io, rv);
    }
    return APR_SUCCESS;
}

/* Through the filters, a piece for each TLS record. Each is followed by a FLUSH:
 * without it mod_ssl would gather small pieces into records of its own size. */
static apr_status_t pass_pieces(h2_io *io, const char *data, apr_size_t length,
                                apr_time_t now)
{
    apr_bucket_alloc_t *list = io->c->bucket_alloc;

    while (length) {
        apr_size_t piece = io->is_tls ? h2_record_size_next(&io->record_size, now) : length;
        int is_small = io->is_tls && piece < H2_RECORD_LARGE_BYTES;

        if (!is_small || piece > length) {
            piece = length; /* mod_ssl cuts this into records of 16 KiB */
        }
        if (is_small) {
            ++io->small_records;
        }
        else {
            io->large_records +=
                (unsigned)((piece + H2_RECORD_LARGE_BYTES - 1) / H2_RECORD_LARGE_BYTES);
        }
        APR_BRIGADE_INSERT_TAIL(io->out, apr_bucket_transient_create(data, piece, list));
        APR_BRIGADE_INSERT_TAIL(io->out, apr_bucket_flush_create(list));
        h2_record_size_wrote(&io->record_size, piece, now);
        data += piece;
        length -= piece;
    }
    return ap_pass_brigade(io->c->output_filters, io->out);
}

apr_status_t h2_io_write(h2_io *io, const char *data, apr_size_t length, apr_time_t now,
                         char *gather, apr_size_t gather_size)
{
    apr_status_t rv;

    if (io->is_broken) {
        return APR_ECONNABORTED;
    }
    if (io->c->output_filters == io->network) {
        return send_or_keep(io, data, length);
    }
    io->gather = h2_io_is_blocked(io) ? NULL : gather;
    io->gather_size = gather_size;
    io->gather_used = 0;
    rv = pass_pieces(io, data, length, now);
    apr_brigade_cleanup(io->out);
    io->gather = NULL;
    if (rv != APR_SUCCESS) {
        return break_io(io, rv);
    }
    if (io->gather_used) {
        apr_size_t used = io->gather_used;

        io->gather_used = 0;
        return send_or_keep(io, gather, used);
    }
    return h2_io_is_blocked(io) ? h2_io_write_pending(io) : APR_SUCCESS;
}

void h2_io_cut(h2_io *io)
{
    if (!io->is_cut && !io->is_broken) {
        io->is_cut = 1;
        apr_socket_shutdown(io->socket, APR_SHUTDOWN_WRITE);
    }
}

void h2_io_shutdown(h2_io *io)
{
    io->is_shut = 1;
    if (!io->is_broken && !io->is_cut && io->is_tls) {
        /* mod_ssl sends its close_notify on this. */
        APR_BRIGADE_INSERT_TAIL(io->out, ap_bucket_eoc_create(io->c->bucket_alloc));
        ap_pass_brigade(io->c->output_filters, io->out);
        apr_brigade_cleanup(io->out);
        h2_io_write_pending(io);
    }
    h2_io_cut(io);
}

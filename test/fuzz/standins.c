#include "standins.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <apr_lib.h>
#include <apr_portable.h>

#include <http_connection.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_ssl.h>
#include <ap_mpm.h>
#include <mpm_common.h>
#include <scoreboard.h>
#include <util_filter.h>

#include "fuzz.h"
#include "config/h2_draft.h"
#include "io/h2_io.h"
#include "worker/h2_workers.h"

module AP_MODULE_DECLARE_DATA http2_module = {.name = "mod_http2.c", .module_index = 0};

apr_size_t ap_thread_stacksize = 0;
int ap_extended_status = 1;

static int is_ending;

/* ---- text ------------------------------------------------------------------------------------ */

void ap_log_assert(const char *exp, const char *file, int line)
{
    fuzz_failed(exp, file, line);
}

/* A line for the log is made, so that its arguments are looked at, and not kept. */
void ap_log_cerror_(const char *file, int line, int index, int level, apr_status_t status,
                    const conn_rec *c, const char *format, ...)
{
    char text[1024];
    va_list args;

    (void)file;
    (void)line;
    (void)index;
    (void)level;
    (void)status;
    FUZZ_CHECK(c);
    va_start(args, format);
    apr_vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (fuzz_is_traced()) {
        fprintf(stderr, "log: %s\n", text);
    }
}

void ap_log_rerror_(const char *file, int line, int index, int level, apr_status_t status,
                    const request_rec *r, const char *format, ...)
{
    char text[1024];
    va_list args;

    (void)file;
    (void)line;
    (void)index;
    (void)level;
    (void)status;
    FUZZ_CHECK(r);
    va_start(args, format);
    apr_vsnprintf(text, sizeof(text), format, args);
    va_end(args);
}

void ap_str_tolower(char *s)
{
    for (; *s; ++s) {
        *s = (char)((*s >= 'A' && *s <= 'Z') ? *s - 'A' + 'a' : *s);
    }
}

int ap_cstr_casecmp(const char *s1, const char *s2)
{
    return strcasecmp(s1, s2);
}

int ap_cstr_casecmpn(const char *s1, const char *s2, apr_size_t n)
{
    return strncasecmp(s1, s2, n);
}

/* Is it one of the words, which stand between commas and blanks? */
int ap_find_token(apr_pool_t *p, const char *line, const char *token)
{
    apr_size_t length = strlen(token);

    (void)p;
    while (*line) {
        apr_size_t word;

        line += strspn(line, ", \t");
        word = strcspn(line, ", \t");
        if (word == length && !strncasecmp(line, token, length)) {
            return 1;
        }
        line += word;
    }
    return 0;
}

int ap_parse_strict_length(apr_off_t *length, const char *text)
{
    char *end;

    return apr_isdigit(*text) && apr_strtoff(length, text, &end, 10) == APR_SUCCESS && !*end
           && *length >= 0;
}

/* ---- threads and the scoreboard, of which there are none ------------------------------------- */

#ifdef ap_thread_create
#undef ap_thread_create
#endif
apr_status_t ap_thread_create(apr_thread_t **thread, apr_threadattr_t *attr,
                              apr_thread_start_t func, void *data, apr_pool_t *pool)
{
    (void)thread;
    (void)attr;
    (void)func;
    (void)data;
    (void)pool;
    return APR_ENOTIMPL;
}

int ap_update_child_status(ap_sb_handle_t *sbh, int status, request_rec *r)
{
    (void)sbh;
    (void)r;
    return status;
}

void standins_child_ends(void)
{
    is_ending = 1;
}

apr_status_t ap_mpm_query(int query_code, int *result)
{
    *result = (query_code == AP_MPMQ_MPM_STATE && is_ending) ? AP_MPMQ_STOPPING
                                                                         : AP_MPMQ_RUNNING;
    return APR_SUCCESS;
}

module *ap_find_linked_module(const char *name)
{
    (void)name;
    return NULL;
}

/* ---- connections ----------------------------------------------------------------------------- */

ap_conf_vector_t *ap_create_conn_config(apr_pool_t *p)
{
    return apr_pcalloc(p, 4 * sizeof(void *));
}

int ap_ssl_conn_is_ssl(conn_rec *c)
{
    return c->notes && apr_table_get(c->notes, "is-tls") != NULL;
}

apr_socket_t *ap_get_conn_socket(conn_rec *c)
{
    return ap_get_module_config(c->conn_config, &http2_module);
}

int ap_run_pre_close_connection(conn_rec *c)
{
    (void)c;
    return OK;
}

/* ---- filters --------------------------------------------------------------------------------- */

static ap_filter_rec_t network_rec, network_in_rec;

ap_filter_rec_t *ap_register_output_filter(const char *name, ap_out_filter_func filter_func,
                                           ap_init_filter_func filter_init, ap_filter_type ftype)
{
    (void)filter_init;
    network_rec.name = name;
    network_rec.filter_func.out_func = filter_func;
    network_rec.ftype = ftype;
    return &network_rec;
}

ap_filter_rec_t *ap_register_input_filter(const char *name, ap_in_filter_func filter_func,
                                          ap_init_filter_func filter_init, ap_filter_type ftype)
{
    (void)filter_init;
    network_in_rec.name = name;
    network_in_rec.filter_func.in_func = filter_func;
    network_in_rec.ftype = ftype;
    return &network_in_rec;
}

/* Behind those of its type and of lower ones. */
static ap_filter_t *add_filter(ap_filter_t **place, ap_filter_rec_t *rec, void *ctx, conn_rec *c)
{
    ap_filter_t *f = apr_pcalloc(c->pool, sizeof(*f));

    while (*place && (*place)->frec->ftype <= rec->ftype) {
        place = &(*place)->next;
    }
    f->frec = rec;
    f->ctx = ctx;
    f->c = c;
    f->next = *place;
    *place = f;
    return f;
}

static void remove_filter(ap_filter_t **place, const ap_filter_t *f)
{
    while (*place && *place != f) {
        place = &(*place)->next;
    }
    FUZZ_CHECK(*place);
    *place = f->next;
}

ap_filter_t *ap_add_output_filter_handle(ap_filter_rec_t *f, void *ctx, request_rec *r,
                                         conn_rec *c)
{
    (void)r;
    return add_filter(&c->output_filters, f, ctx, c);
}

ap_filter_t *ap_add_input_filter_handle(ap_filter_rec_t *f, void *ctx, request_rec *r, conn_rec *c)
{
    (void)r;
    return add_filter(&c->input_filters, f, ctx, c);
}

void ap_remove_output_filter(ap_filter_t *f)
{
    remove_filter(&f->c->output_filters, f);
}

void ap_remove_input_filter(ap_filter_t *f)
{
    remove_filter(&f->c->input_filters, f);
}

apr_status_t ap_remove_input_filter_byhandle(ap_filter_t *next, const char *handle)
{
    (void)next;
    (void)handle;
    return APR_NOTFOUND;
}

apr_status_t ap_remove_output_filter_byhandle(ap_filter_t *next, const char *handle)
{
    (void)next;
    (void)handle;
    return APR_NOTFOUND;
}

apr_status_t ap_get_brigade(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
                            apr_read_type_e block, apr_off_t readbytes)
{
    return f->frec->filter_func.in_func(f, bb, mode, block, readbytes);
}

apr_status_t ap_pass_brigade(ap_filter_t *f, apr_bucket_brigade *bb)
{
    return f ? f->frec->filter_func.out_func(f, bb) : APR_SUCCESS;
}

static apr_status_t read_socket(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
                                apr_read_type_e block, apr_off_t readbytes)
{
    (void)f;
    (void)bb;
    (void)mode;
    (void)block;
    (void)readbytes;
    return APR_EAGAIN; /* has nothing that came before HTTP/2: it lets h2_io read the socket */
}

static apr_status_t write_socket(ap_filter_t *f, apr_bucket_brigade *bb)
{
    (void)f;
    (void)bb;
    FUZZ_CHECK(!"h2_io has let something pass");
    return APR_EGENERAL;
}

/* A record that is being read. */
typedef struct tls_reader {
    unsigned char header[2];
    apr_size_t header_bytes;
    apr_size_t payload_left;
    char *bytes; /* of the last piece; malloc'ed, so that its use when it is gone is seen */
} tls_reader;

static apr_status_t free_bytes(void *data)
{
    tls_reader *reader = data;

    free(reader->bytes);
    reader->bytes = NULL;
    return APR_SUCCESS;
}

/* Up to wanted octets of what the client has sent, made readable again. */
static apr_status_t read_below(ap_filter_t *f, apr_size_t wanted, unsigned char *bytes,
                               apr_size_t *pcount)
{
    apr_bucket_brigade *bb = apr_brigade_create(f->c->pool, f->c->bucket_alloc);
    apr_status_t rv = ap_get_brigade(f->next, bb, AP_MODE_READBYTES, APR_NONBLOCK_READ,
                                     (apr_off_t)wanted);
    apr_size_t i;

    *pcount = wanted;
    if (rv == APR_SUCCESS) {
        rv = apr_brigade_flatten(bb, (char *)bytes, pcount);
    }
    apr_brigade_destroy(bb);
    for (i = 0; rv == APR_SUCCESS && i < *pcount; ++i) {
        bytes[i] = STANDINS_TLS_OCTET(bytes[i]);
    }
    return (rv == APR_SUCCESS && !*pcount) ? APR_EAGAIN : rv;
}

static apr_status_t read_tls(ap_filter_t *f, apr_bucket_brigade *bb, ap_input_mode_t mode,
                             apr_read_type_e block, apr_off_t readbytes)
{
    tls_reader *reader = f->ctx;
    apr_size_t count;
    apr_status_t rv;

    (void)mode;
    (void)block;
    while (!reader->payload_left) {
        rv = read_below(f, sizeof(reader->header) - reader->header_bytes,
                        reader->header + reader->header_bytes, &count);
        if (rv != APR_SUCCESS) {
            return rv;
        }
        reader->header_bytes += count;
        if (reader->header_bytes == sizeof(reader->header)) {
            reader->payload_left = (apr_size_t)reader->header[0] << 8 | reader->header[1];
            reader->header_bytes = 0;
        }
    }
    count = (reader->payload_left < (apr_size_t)readbytes) ? reader->payload_left
                                                           : (apr_size_t)readbytes;
    free(reader->bytes);
    reader->bytes = malloc(count);
    rv = read_below(f, count, (unsigned char *)reader->bytes, &count);
    if (rv == APR_SUCCESS) {
        reader->payload_left -= count;
        APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_transient_create(reader->bytes, count,
                                                                f->c->bucket_alloc));
    }
    return rv;
}

static apr_status_t pass_record(ap_filter_t *f, const char *data, apr_size_t length)
{
    apr_bucket_brigade *bb = apr_brigade_create(f->c->pool, f->c->bucket_alloc);
    char *record = malloc(length + 2);
    apr_status_t rv;
    apr_size_t i;

    record[0] = (char)STANDINS_TLS_OCTET(length >> 8);
    record[1] = (char)STANDINS_TLS_OCTET(length);
    for (i = 0; i < length; ++i) {
        record[2 + i] = (char)STANDINS_TLS_OCTET(data[i]);
    }
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_transient_create(record, length + 2,
                                                            f->c->bucket_alloc));
    rv = ap_pass_brigade(f->next, bb);
    apr_brigade_destroy(bb);
    free(record);
    return rv;
}

/* A record for each piece, of 16 KiB at most, as mod_ssl does it. */
static apr_status_t write_tls(ap_filter_t *f, apr_bucket_brigade *bb)
{
    apr_status_t rv = APR_SUCCESS;

    while (!APR_BRIGADE_EMPTY(bb) && rv == APR_SUCCESS) {
        apr_bucket *b = APR_BRIGADE_FIRST(bb);
        const char *data;
        apr_size_t length;

        if (!APR_BUCKET_IS_METADATA(b)) {
            rv = apr_bucket_read(b, &data, &length, APR_BLOCK_READ);
            while (rv == APR_SUCCESS && length) {
                apr_size_t piece = (length < 16384) ? length : 16384;

                rv = pass_record(f, data, piece);
                data += piece;
                length -= piece;
            }
        }
        apr_bucket_delete(b);
    }
    return rv;
}

apr_bucket *ap_bucket_eoc_create(apr_bucket_alloc_t *list)
{
    return apr_bucket_flush_create(list);
}

/* ---- the beginning --------------------------------------------------------------------------- */

void standins_init(void)
{
    is_ending = 0;
    h2_io_register();
}

server_rec *standins_server(apr_pool_t *pool, h2_server_conf *conf)
{
    server_rec *server = apr_pcalloc(pool, sizeof(*server));
    void **vector = apr_pcalloc(pool, 4 * sizeof(void *));
    void **lookup = apr_pcalloc(pool, 4 * sizeof(void *));

    vector[0] = conf;
    lookup[0] = h2_config_create_dir(pool, NULL);
    server->module_config = (ap_conf_vector_t *)vector;
    server->lookup_defaults = (ap_conf_vector_t *)lookup;
    server->log.level = APLOG_DEBUG;
    server->timeout = apr_time_from_sec(60);
    server->keep_alive_timeout = apr_time_from_sec(5);
    server->keep_alive_timeout_set = 1;
    server->limit_req_line = 8190;
    server->limit_req_fields = 100;
    server->limit_req_fieldsize = 8190;
    return server;
}

conn_rec *standins_connection(apr_pool_t *parent, server_rec *server, int is_tls)
{
    static ap_filter_rec_t core_in = {.name = "core_in", .ftype = AP_FTYPE_NETWORK,
                                      .filter_func.in_func = read_socket};
    static ap_filter_rec_t core_out = {.name = "core", .ftype = AP_FTYPE_NETWORK,
                                       .filter_func.out_func = write_socket};
    static ap_filter_rec_t tls_in = {.name = "ssl/tls filter", .ftype = AP_FTYPE_CONNECTION + 5,
                                     .filter_func.in_func = read_tls};
    static ap_filter_rec_t tls_out = {.name = "ssl/tls filter", .ftype = AP_FTYPE_CONNECTION + 5,
                                      .filter_func.out_func = write_tls};
    apr_os_sock_t descriptor = -1;
    apr_socket_t *socket = NULL;
    tls_reader *reader;
    apr_pool_t *pool;
    conn_rec *c;

    apr_pool_create(&pool, parent);
    c = apr_pcalloc(pool, sizeof(*c));
    c->pool = pool;
    c->base_server = server;
    c->bucket_alloc = apr_bucket_alloc_create(pool);
    c->conn_config = ap_create_conn_config(pool);
    c->notes = apr_table_make(pool, 2);
    c->client_ip = "127.0.0.1";
    c->sbh = (ap_sb_handle_t *)c; /* until the MPM has let go of it */
    apr_sockaddr_info_get(&c->client_addr, NULL, APR_INET, 1, 0, pool);
    apr_os_sock_put(&socket, &descriptor, pool);
    ap_set_module_config(c->conn_config, &http2_module, socket);
    add_filter(&c->input_filters, &core_in, NULL, c);
    add_filter(&c->output_filters, &core_out, NULL, c);
    if (is_tls) {
        apr_table_setn(c->notes, "is-tls", "1");
        reader = apr_pcalloc(pool, sizeof(*reader));
        apr_pool_cleanup_register(pool, reader, free_bytes, apr_pool_cleanup_null);
        add_filter(&c->input_filters, &tls_in, reader, c);
        add_filter(&c->output_filters, &tls_out, NULL, c);
    }
    return c;
}

/* ---- what is kept over restarts: there are none ---------------------------------------------- */

void *ap_retained_data_get(const char *key)
{
    (void)key;
    return NULL;
}

void *ap_retained_data_create(const char *key, apr_size_t size)
{
    (void)key;
    (void)size;
    return NULL;
}

void h2_worker_find_scoreboard(h2_worker *worker)
{
    (void)worker;
}

/* Licensed under the Apache License, Version 2.0 (see LICENSE). */
/*
 * mod_h2test: handlers that behave as the integration tests need them.
 *
 *     SetHandler h2test        the last part of the path names the behaviour, the query its arguments
 *     H2TestDir DIR            where gates and counters are (server)
 *     H2TestBanner on          the server speaks first on connections of this vhost
 *
 * Arguments that every behaviour knows:
 *     tag=NAME         count the request under NAME in DIR/counters (see struct counter)
 *     status=N         status of the response
 *     fixup_ms=N       sleep in the fixups hook
 *     fixup_gate=NAME  wait for a gate in the fixups hook
 *     set_trailers=NAME:VALUE|NAME:VALUE...  trailers of the response, %-encoded
 * A gate is open once the file DIR/NAME.gate exists; a handler waits for it as long as max=N ms
 * (default 20000). Bodies that are written have the byte `offset % 251` at each offset.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_optional.h>
#include <apr_poll.h>
#include <apr_strings.h>
#include <apr_time.h>

#include <httpd.h>
#include <http_config.h>
#include <http_connection.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_http2.h>
#include <util_filter.h>
#include <util_script.h>

#define COUNTERS_MAX 1024
#define PATTERN 251
#define CHUNK_MAX (1024 * 1024)

/* An entry of DIR/counters. The tests write its name before they use it, and read the rest. */
struct counter {
    char name[32];
    apr_int64_t running;        /* requests inside their handler or a fixup gate now */
    apr_int64_t running_max;
    apr_int64_t started;
    apr_int64_t finished;
    apr_int64_t failed;         /* finished after an error on reading or writing */
    apr_int64_t bytes_read;
    apr_int64_t bytes_written;
    apr_int64_t logged;         /* passed the log_transaction hook */
};

module AP_MODULE_DECLARE_DATA h2test_module;

typedef struct {
    int banner;
} server_config;

static const char *test_dir;
static struct counter *counters;
static char pattern[CHUNK_MAX + PATTERN];

/* -- counters ------------------------------------------------------------------------------- */

static struct counter *find_counter(const char *name)
{
    static struct counter unused;
    int i;

    for (i = 0; name && counters && i < COUNTERS_MAX && counters[i].name[0]; i++) {
        if (strcmp(counters[i].name, name) == 0) {
            return &counters[i];
        }
    }
    return &unused;
}

static apr_int64_t add(apr_int64_t *value, apr_int64_t n)
{
    return __atomic_add_fetch(value, n, __ATOMIC_SEQ_CST);
}

static void enter(struct counter *counter)
{
    apr_int64_t now = add(&counter->running, 1);
    apr_int64_t max = __atomic_load_n(&counter->running_max, __ATOMIC_SEQ_CST);

    add(&counter->started, 1);
    while (now > max
           && !__atomic_compare_exchange_n(&counter->running_max, &max, now, 0,
                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    }
}

static void leave(struct counter *counter)
{
    add(&counter->running, -1);
    add(&counter->finished, 1);
}

/* -- arguments ------------------------------------------------------------------------------ */

static const char *arg(request_rec *r, const char *name, const char *otherwise)
{
    apr_table_t *args;
    const char *value;

    ap_args_to_table(r, &args);
    value = apr_table_get(args, name);
    return value ? value : otherwise;
}

static apr_int64_t arg_number(request_rec *r, const char *name, apr_int64_t otherwise)
{
    const char *value = arg(r, name, NULL);
    return value ? apr_atoi64(value) : otherwise;
}

static int arg_is(request_rec *r, const char *name, const char *value)
{
    return strcmp(arg(r, name, ""), value) == 0;
}

static void wait_for_path(const char *path, apr_interval_time_t max)
{
    apr_time_t end = apr_time_now() + max;

    while (access(path, F_OK) != 0 && apr_time_now() < end) {
        apr_sleep(apr_time_from_msec(2));
    }
}

static void wait_for_gate(request_rec *r, const char *gate)
{
    wait_for_path(apr_psprintf(r->pool, "%s/%s.gate", test_dir, gate),
                  apr_time_from_msec(arg_number(r, "max", 20000)));
}

/* A request whose end waits, as mod_cgi's for a script that does not want to die. */
typedef struct {
    const char *path;
    struct counter *counter;
} end_gate;

static apr_status_t wait_at_end(void *data)
{
    const end_gate *gate = data;

    enter(gate->counter);
    wait_for_path(gate->path, apr_time_from_sec(20));
    leave(gate->counter);
    return APR_SUCCESS;
}

static void set_end_gate(request_rec *r)
{
    const char *name = arg(r, "end_gate", NULL);

    if (name) {
        end_gate *gate = apr_palloc(r->pool, sizeof(*gate));

        gate->path = apr_psprintf(r->pool, "%s/%s.gate", test_dir, name);
        gate->counter = find_counter(arg(r, "tag", NULL));
        apr_pool_cleanup_register(r->pool, gate, wait_at_end, apr_pool_cleanup_null);
    }
}

/* -- writing -------------------------------------------------------------------------------- */

typedef struct {
    request_rec *r;
    apr_bucket_brigade *bb;
    struct counter *counter;
    apr_int64_t offset;
} writer;

static apr_status_t writer_pass(writer *w)
{
    apr_status_t rv = ap_pass_brigade(w->r->output_filters, w->bb);
    apr_brigade_cleanup(w->bb);
    return rv;
}

static apr_status_t writer_pass_bucket(writer *w, apr_bucket *b)
{
    APR_BRIGADE_INSERT_TAIL(w->bb, b);
    return writer_pass(w);
}

static apr_status_t writer_flush(writer *w)
{
    return writer_pass_bucket(w, apr_bucket_flush_create(w->bb->bucket_alloc));
}

/* Writes n bytes of the pattern in pieces, each with a FLUSH if asked for. */
static apr_status_t writer_write(writer *w, apr_int64_t n, apr_int64_t chunk, int flush)
{
    apr_status_t rv = APR_SUCCESS;

    if (chunk < 1 || chunk > CHUNK_MAX) {
        chunk = CHUNK_MAX;
    }
    while (n > 0 && rv == APR_SUCCESS) {
        apr_int64_t size = n < chunk ? n : chunk;

        APR_BRIGADE_INSERT_TAIL(w->bb, apr_bucket_immortal_create(pattern + w->offset % PATTERN,
                                                                  (apr_size_t)size,
                                                                  w->bb->bucket_alloc));
        if (flush) {
            APR_BRIGADE_INSERT_TAIL(w->bb, apr_bucket_flush_create(w->bb->bucket_alloc));
        }
        rv = writer_pass(w);
        if (rv == APR_SUCCESS) {
            w->offset += size;
            n -= size;
            add(&w->counter->bytes_written, size);
        }
    }
    if (rv != APR_SUCCESS) {
        add(&w->counter->failed, 1);
    }
    return rv;
}

/* -- behaviours: each returns what a handler returns ---------------------------------------- */

static int do_sleep(request_rec *r, writer *w)
{
    apr_sleep(apr_time_from_msec(arg_number(r, "ms", 0)));
    writer_write(w, arg_number(r, "n", 10), 0, 0);
    return OK;
}

/* With flush=1 the head of the response is sent before. */
static int do_gate(request_rec *r, writer *w)
{
    if (arg_number(r, "flush", 0)) {
        writer_flush(w);
    }
    wait_for_gate(r, arg(r, "gate", "none"));
    writer_write(w, arg_number(r, "n", 10), 0, 0);
    return OK;
}

static int do_write(request_rec *r, writer *w)
{
    apr_int64_t n = arg_number(r, "n", 0);

    if (arg(r, "length", NULL)) {
        ap_set_content_length(r, arg_number(r, "length", 0));
    }
    return writer_write(w, n, arg_number(r, "chunk", 8000), (int)arg_number(r, "flush", 0))
           == APR_SUCCESS ? OK : AP_FILTER_ERROR;
}

static int do_endless(request_rec *r, writer *w)
{
    writer_write(w, APR_INT64_MAX, arg_number(r, "chunk", 8000), (int)arg_number(r, "flush", 0));
    return AP_FILTER_ERROR;
}

/* Server-sent events, each flushed (but with noflush=1); after event i it waits for GATE-i. */
static int do_events(request_rec *r, writer *w)
{
    apr_int64_t i, n = arg_number(r, "n", 3);
    const char *gate = arg(r, "gate", "none");

    ap_set_content_type(r, "text/event-stream");
    for (i = 0; i < n; i++) {
        apr_brigade_printf(w->bb, NULL, NULL, "data: %" APR_INT64_T_FMT "\n\n", i);
        if ((arg(r, "noflush", NULL) ? writer_pass(w) : writer_flush(w)) != APR_SUCCESS) {
            add(&w->counter->failed, 1);
            return AP_FILTER_ERROR;
        }
        wait_for_gate(r, apr_psprintf(r->pool, "%s-%" APR_INT64_T_FMT, gate, i));
    }
    return OK;
}

/* Writes n bytes, then fails in the way that `how` names. */
static int do_fail(request_rec *r, writer *w)
{
    apr_bucket_alloc_t *alloc = w->bb->bucket_alloc;
    apr_int64_t n = arg_number(r, "n", 0);

    if (arg(r, "length", NULL)) {
        ap_set_content_length(r, arg_number(r, "length", 0));
    }
    if (writer_write(w, n, 0, (int)arg_number(r, "flush", 1)) != APR_SUCCESS) {
        return AP_FILTER_ERROR;
    }
    if (arg_is(r, "how", "return")) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (arg_is(r, "how", "filter")) {
        return AP_FILTER_ERROR;
    }
    if (arg_is(r, "how", "error")) {
        /* As mod_proxy does when a back end goes away. */
        APR_BRIGADE_INSERT_TAIL(w->bb, ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, r->pool,
                                                              alloc));
        writer_pass_bucket(w, apr_bucket_eos_create(alloc));
        return OK;
    }
    if (arg_is(r, "how", "eoc")) {
        writer_pass_bucket(w, ap_bucket_eoc_create(alloc));
        return OK;
    }
    if (arg_is(r, "how", "aborted")) {
        r->connection->aborted = 1;
        return DONE;
    }
    if (arg_is(r, "how", "after-eos")) {
        writer_pass_bucket(w, apr_bucket_eos_create(alloc));
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;      /* "short": less than the content-length */
}

/* Reads at most `chunk` bytes of the body. The status is APR_EOF at its end. */
static apr_status_t read_some(request_rec *r, writer *w, apr_bucket_brigade *in, apr_int64_t chunk,
                              apr_int64_t *plength)
{
    apr_off_t length = 0;
    apr_status_t rv;

    apr_brigade_cleanup(in);
    rv = ap_get_brigade(r->input_filters, in, AP_MODE_READBYTES, APR_BLOCK_READ, chunk);
    if (rv != APR_SUCCESS) {
        add(&w->counter->failed, 1);
        return rv;
    }
    apr_brigade_length(in, 1, &length);
    add(&w->counter->bytes_read, length);
    *plength = length;
    return !APR_BRIGADE_EMPTY(in) && APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(in)) ? APR_EOF
                                                                             : APR_SUCCESS;
}

static int print_field(void *bb, const char *name, const char *value)
{
    apr_brigade_printf(bb, NULL, NULL, "%s: %s\n", name, value);
    return 1;
}

/* Reads the body, at most `limit` bytes of it, `ms` between two reads; tells what came. */
static int do_read(request_rec *r, writer *w)
{
    apr_bucket_brigade *in = apr_brigade_create(r->pool, w->bb->bucket_alloc);
    apr_int64_t chunk = arg_number(r, "chunk", 8192), limit = arg_number(r, "limit", APR_INT64_MAX);
    apr_int64_t ms = arg_number(r, "ms", 0), length, total = 0;
    apr_status_t rv = APR_SUCCESS;

    if (arg(r, "gate", NULL)) {
        wait_for_gate(r, arg(r, "gate", NULL));
    }
    while (rv == APR_SUCCESS && total < limit) {
        rv = read_some(r, w, in, chunk, &length);
        if (rv == APR_SUCCESS || rv == APR_EOF) {
            total += length;
        }
        if (ms) {
            apr_sleep(apr_time_from_msec(ms));
        }
    }
    if (arg_number(r, "again", 0) && rv == APR_EOF) {
        rv = read_some(r, w, in, chunk, &length); /* gives the end again, as HTTP_IN does */
    }
    if (rv != APR_SUCCESS && rv != APR_EOF) {
        return ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
    }
    if (arg_is(r, "trailers", "all")) {
        apr_table_do(print_field, w->bb, r->trailers_in, NULL);
    }
    else if (arg(r, "trailers", NULL)) {
        apr_brigade_printf(w->bb, NULL, NULL, "%d trailers, ",
                           apr_table_elts(r->trailers_in)->nelts);
    }
    apr_brigade_printf(w->bb, NULL, NULL, "read %" APR_INT64_T_FMT "\n", total);
    writer_pass(w);
    return OK;
}

/* Writes the body to DIR/stored/FILE as it comes; 507 where there is no room for it. */
static int do_store(request_rec *r, writer *w)
{
    apr_bucket_brigade *in = apr_brigade_create(r->pool, w->bb->bucket_alloc);
    const char *path = apr_pstrcat(r->pool, test_dir, "/stored/", arg(r, "file", "none"), NULL);
    apr_int32_t flags = APR_FOPEN_WRITE | APR_FOPEN_CREATE | APR_FOPEN_TRUNCATE;
    apr_status_t rv = APR_SUCCESS;
    apr_file_t *file;
    apr_int64_t length;

    if (apr_file_open(&file, path, flags, APR_FPROT_OS_DEFAULT, r->pool) != APR_SUCCESS) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    while (rv == APR_SUCCESS) {
        apr_bucket *b;

        rv = read_some(r, w, in, 16384, &length);
        if (rv != APR_SUCCESS && rv != APR_EOF) {
            return ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
        }
        for (b = APR_BRIGADE_FIRST(in); b != APR_BRIGADE_SENTINEL(in); b = APR_BUCKET_NEXT(b)) {
            const char *data;
            apr_size_t size;

            if (apr_bucket_read(b, &data, &size, APR_BLOCK_READ) != APR_SUCCESS
                || apr_file_write_full(file, data, size, NULL) != APR_SUCCESS) {
                return HTTP_INSUFFICIENT_STORAGE;
            }
        }
        apr_brigade_cleanup(in);
    }
    apr_file_close(file);
    apr_brigade_printf(w->bb, NULL, NULL, "stored\n");
    writer_pass(w);
    return OK;
}

/* Hands the body back as it comes. */
static int do_echo(request_rec *r, writer *w)
{
    apr_bucket_brigade *in = apr_brigade_create(r->pool, w->bb->bucket_alloc);
    apr_status_t rv = APR_SUCCESS;
    apr_int64_t length;

    ap_set_content_type(r, "application/octet-stream");
    while (rv == APR_SUCCESS) {
        apr_status_t written;

        rv = read_some(r, w, in, arg_number(r, "chunk", 16384), &length);
        if (rv != APR_SUCCESS && rv != APR_EOF) {
            return ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
        }
        if (rv == APR_EOF) {
            apr_bucket_delete(APR_BRIGADE_LAST(in));
        }
        if (arg_number(r, "flush", 0)) {
            APR_BRIGADE_INSERT_TAIL(in, apr_bucket_flush_create(w->bb->bucket_alloc));
        }
        written = ap_pass_brigade(r->output_filters, in);
        if (written != APR_SUCCESS) {
            add(&w->counter->failed, 1);
            return AP_FILTER_ERROR;
        }
        add(&w->counter->bytes_written, length);
    }
    return OK;
}

/* The same by a descriptor that is polled, as mod_proxy's tunnel does it. */
static int do_polled(request_rec *r, writer *w)
{
    APR_OPTIONAL_FN_TYPE(http2_get_pollfd_from_conn) *get_pollfd =
        APR_RETRIEVE_OPTIONAL_FN(http2_get_pollfd_from_conn);
    apr_bucket_brigade *in = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    apr_pollfd_t pfd = { r->pool, APR_NO_DESC, APR_POLLIN, 0, { NULL }, NULL };
    apr_interval_time_t timeout = -2;
    apr_status_t rv = get_pollfd ? get_pollfd(r->connection, &pfd, &timeout) : APR_ENOTIMPL;
    int polls = 0, count, is_ended = pfd.desc_type == APR_NO_DESC;

    if (rv != APR_SUCCESS) {
        return HTTP_NOT_IMPLEMENTED;
    }
    while (!is_ended) {
        rv = apr_poll(&pfd, 1, &count, 20 * APR_USEC_PER_SEC);
        polls++;
        while (rv == APR_SUCCESS && !is_ended) {
            rv = ap_get_brigade(r->input_filters, in, AP_MODE_READBYTES, APR_NONBLOCK_READ, 4096);
            if (rv == APR_SUCCESS) {
                is_ended = !APR_BRIGADE_EMPTY(in) && APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(in));
                if (is_ended) {
                    apr_bucket_delete(APR_BRIGADE_LAST(in));
                }
                APR_BRIGADE_CONCAT(w->bb, in);
                APR_BRIGADE_INSERT_TAIL(w->bb, apr_bucket_flush_create(in->bucket_alloc));
                rv = writer_pass(w);
            }
        }
        if (rv != APR_SUCCESS && !APR_STATUS_IS_EAGAIN(rv)) {
            return APR_STATUS_IS_TIMEUP(rv) ? HTTP_REQUEST_TIME_OUT : AP_FILTER_ERROR;
        }
    }
    apr_brigade_printf(w->bb, NULL, NULL, "(%d polls, timeout %" APR_TIME_T_FMT ")", polls, timeout);
    writer_pass(w);
    return OK;
}

/* Its process ends, as by a mistake of a module. */
static int do_crash(request_rec *r, writer *w)
{
    (void)w;
    if (arg(r, "gate", NULL)) {
        wait_for_gate(r, arg(r, "gate", NULL));
    }
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    return OK;
}

static int do_redirect(request_rec *r, writer *w)
{
    (void)w;
    ap_internal_redirect(arg(r, "to", "/"), r);
    return OK;
}

static int do_subrequest(request_rec *r, writer *w)
{
    request_rec *sub = ap_sub_req_lookup_uri(arg(r, "uri", "/"), r, r->output_filters);

    apr_brigade_puts(w->bb, NULL, NULL, "before\n");
    writer_pass(w);
    ap_run_sub_req(sub);
    ap_destroy_sub_req(sub);
    apr_brigade_puts(w->bb, NULL, NULL, "after\n");
    writer_pass(w);
    return OK;
}

static int do_interim(request_rec *r, writer *w)
{
    apr_table_setn(r->headers_out, "Link", "</a.css>; rel=preload; as=style");
    r->status = (int)arg_number(r, "interim", 103);
    r->status_line = NULL;
    ap_send_interim_response(r, 1);
    r->status = HTTP_OK;
    writer_write(w, 10, 0, 0);
    return OK;
}

static void send_interim(request_rec *r, int status)
{
    r->status = status;
    r->status_line = NULL;
    ap_send_interim_response(r, 1); /* clears r->headers_out */
    r->status = HTTP_OK;
}

/* Several, with a gate between; the first 103 has fields that cannot be sent, too. */
static int do_interims(request_rec *r, writer *w)
{
    send_interim(r, HTTP_CONTINUE);
    send_interim(r, HTTP_PROCESSING);
    wait_for_gate(r, apr_pstrcat(r->pool, arg(r, "gate", ""), "-0", NULL));
    apr_table_addn(r->headers_out, "Link", "</a.css>; rel=preload");
    apr_table_addn(r->headers_out, "Bad Name", "1");
    apr_table_addn(r->headers_out, "X-Control", "a\x01" "b");
    apr_table_addn(r->headers_out, "X-Lines", "a\nX-Injected: yes");
    apr_table_addn(r->headers_out, "Connection", "close");
    apr_table_addn(r->headers_out, "Transfer-Encoding", "chunked");
    apr_table_addn(r->headers_out, "Content-Length", "5");
    apr_table_addn(r->headers_out, "X-Good", "yes");
    send_interim(r, 103);
    wait_for_gate(r, apr_pstrcat(r->pool, arg(r, "gate", ""), "-1", NULL));
    apr_table_addn(r->headers_out, "X-Last", "yes");
    send_interim(r, 103);
    writer_write(w, 10, 0, 0);
    return OK;
}

/* A file that is closed when it has been written, as mod_wsgi does it. */
static int do_closed(request_rec *r, writer *w)
{
    const char *path = apr_pstrcat(r->pool, ap_document_root(r), "/files/", arg(r, "file", ""),
                                   NULL);
    apr_finfo_t info;
    apr_file_t *file;

    if (apr_file_open(&file, path, APR_FOPEN_READ, 0, r->pool) != APR_SUCCESS
        || apr_file_info_get(&info, APR_FINFO_SIZE, file) != APR_SUCCESS) {
        return HTTP_NOT_FOUND;
    }
    writer_pass_bucket(w, apr_bucket_file_create(file, 0, (apr_size_t)info.size, r->pool,
                                                 w->bb->bucket_alloc));
    apr_file_close(file);
    return OK;
}

/* What a module sees of the request, one "name=value" a line. */
static int do_info(request_rec *r, writer *w)
{
    APR_OPTIONAL_FN_TYPE(http2_is_h2) *is_h2 = APR_RETRIEVE_OPTIONAL_FN(http2_is_h2);
    APR_OPTIONAL_FN_TYPE(http2_get_num_workers) *num_workers =
        APR_RETRIEVE_OPTIONAL_FN(http2_get_num_workers);
    int min_workers = -1, max_workers = -1;

    if (num_workers) {
        num_workers(r->server, &min_workers, &max_workers);
    }
    ap_set_content_type(r, "text/plain");
    apr_brigade_printf(w->bb, NULL, NULL,
                       "protocol=%s\nproto_num=%d\nthe_request=%s\nmethod=%s\nuri=%s\n"
                       "hostname=%s\nscheme=%s\nport=%d\nuseragent_ip=%s\nclient_ip=%s\n"
                       "has_master=%d\nkeepalive=%d\nis_h2=%d\nserver=%s\nmin_workers=%d\n"
                       "max_workers=%d\npid=%d\nid=%ld\n",
                       r->protocol, r->proto_num, r->the_request, r->method, r->uri, r->hostname,
                       ap_http_scheme(r), (int)ap_get_server_port(r), r->useragent_ip,
                       r->connection->client_ip, r->connection->master != NULL,
                       r->connection->keepalive, is_h2 ? is_h2(r->connection) : -1,
                       r->server->server_hostname, min_workers, max_workers, (int)getpid(),
                       r->connection->id);
    writer_pass(w);
    return OK;
}

/* name=NAME  a variable, as other modules ask for it */
static int do_lookup(request_rec *r, writer *w)
{
    APR_OPTIONAL_FN_TYPE(http2_var_lookup) *look_up = APR_RETRIEVE_OPTIONAL_FN(http2_var_lookup);

    apr_brigade_printf(w->bb, NULL, NULL, "%s",
                       look_up ? look_up(r->pool, r->server, r->connection, r,
                                         (char *)arg(r, "name", "")) : "no such function");
    writer_pass(w);
    return OK;
}

static const struct {
    const char *name;
    int (*run)(request_rec *r, writer *w);
} behaviours[] = {
    { "sleep", do_sleep },
    { "gate", do_gate },
    { "write", do_write },
    { "endless", do_endless },
    { "events", do_events },
    { "fail", do_fail },
    { "read", do_read },
    { "noread", do_write },
    { "echo", do_echo },
    { "redirect", do_redirect },
    { "store", do_store },
    { "crash", do_crash },
    { "subrequest", do_subrequest },
    { "interim", do_interim },
    { "interims", do_interims },
    { "closed", do_closed },
    { "polled", do_polled },
    { "info", do_info },
    { "lookup", do_lookup },
};

static void set_trailers(request_rec *r)
{
    char *list = apr_pstrdup(r->pool, arg(r, "set_trailers", "")), *trailer, *state, *value;

    for (trailer = apr_strtok(list, "|", &state); trailer;
         trailer = apr_strtok(NULL, "|", &state)) {
        ap_unescape_urlencoded(trailer);
        value = strchr(trailer + 1, ':'); /* a name may begin with one */
        if (value) {
            *value = '\0';
            apr_table_addn(r->trailers_out, trailer, value + 1);
        }
    }
}

/* -- hooks ---------------------------------------------------------------------------------- */

static int handler(request_rec *r)
{
    const char *name = strrchr(r->uri, '/');
    size_t i;

    if (!r->handler || strcmp(r->handler, "h2test") != 0 || !name) {
        return DECLINED;
    }
    for (i = 0; i < sizeof(behaviours) / sizeof(behaviours[0]); i++) {
        if (strcmp(name + 1, behaviours[i].name) == 0) {
            writer w = { r, NULL, NULL, 0 };
            int status = (int)arg_number(r, "status", 0);
            int rv;

            w.bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
            w.counter = find_counter(arg(r, "tag", NULL));
            if (status) {
                r->status = status;
            }
            set_end_gate(r);
            if (arg(r, "trailer_bytes", NULL)) {
                size_t bytes = (size_t)arg_number(r, "trailer_bytes", 0);
                char *value = apr_pcalloc(r->pool, bytes + 1);

                apr_table_setn(r->trailers_out, "x-large", memset(value, 'x', bytes));
            }
            if (arg(r, "trailer", NULL)) {
                apr_table_set(r->trailers_out, "x-trailer", arg(r, "trailer", ""));
            }
            set_trailers(r);
            enter(w.counter);
            rv = behaviours[i].run(r, &w);
            leave(w.counter);
            return rv;
        }
    }
    return HTTP_NOT_FOUND;
}

static int fixups(request_rec *r)
{
    const char *gate;
    apr_int64_t ms;

    if (!r->args || !strstr(r->args, "fixup_") || !ap_is_initial_req(r)) {
        return DECLINED;
    }
    ms = arg_number(r, "fixup_ms", 0);
    gate = arg(r, "fixup_gate", NULL);
    if (ms) {
        apr_sleep(apr_time_from_msec(ms));
    }
    if (gate) {
        struct counter *counter = find_counter(arg(r, "tag", NULL));
        enter(counter);
        wait_for_gate(r, gate);
        leave(counter);
    }
    return OK;
}

static int log_transaction(request_rec *r)
{
    if (r->args && strstr(r->args, "tag=")) {
        add(&find_counter(arg(r, "tag", NULL))->logged, 1);
    }
    return DECLINED;
}

/* A protocol where the server speaks first: whoever reads the connection before, spoils it. */
static int process_connection(conn_rec *c)
{
    server_config *config = ap_get_module_config(c->base_server->module_config, &h2test_module);
    apr_bucket_brigade *bb;

    if (!config->banner || c->master) {
        return DECLINED;
    }
    bb = apr_brigade_create(c->pool, c->bucket_alloc);
    apr_brigade_puts(bb, NULL, NULL, "220 speaks first\r\n");
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(c->bucket_alloc));
    ap_pass_brigade(c->output_filters, bb);
    return DONE;
}

static int post_config(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    size_t size = COUNTERS_MAX * sizeof(struct counter);
    const char *path;
    int fd, i;

    (void)p;
    (void)plog;
    for (i = 0; i < (int)sizeof(pattern); i++) {
        pattern[i] = (char)(i % PATTERN);
    }
    if (!test_dir || counters || ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;
    }
    path = apr_pstrcat(ptemp, test_dir, "/counters", NULL);
    fd = open(path, O_RDWR);
    if (fd < 0) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, errno, s, "mod_h2test: %s", path);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    counters = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (counters == MAP_FAILED) {
        counters = NULL;
    }
    return OK;
}

static void *create_server_config(apr_pool_t *p, server_rec *s)
{
    (void)s;
    return apr_pcalloc(p, sizeof(server_config));
}

static const char *set_dir(cmd_parms *cmd, void *dir_config, const char *value)
{
    (void)cmd;
    (void)dir_config;
    test_dir = value;
    return NULL;
}

static const char *set_banner(cmd_parms *cmd, void *dir_config, int on)
{
    server_config *config = ap_get_module_config(cmd->server->module_config, &h2test_module);

    (void)dir_config;
    config->banner = on;
    return NULL;
}

static const command_rec commands[] = {
    AP_INIT_TAKE1("H2TestDir", set_dir, NULL, RSRC_CONF, "folder of gates and counters"),
    AP_INIT_FLAG("H2TestBanner", set_banner, NULL, RSRC_CONF, "the server speaks first"),
    { NULL, { NULL }, NULL, 0, RAW_ARGS, NULL }
};

static void register_hooks(apr_pool_t *p)
{
    (void)p;
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    /* After HTTP/2 and before HTTP/1.1 (which is REALLY_LAST). */
    ap_hook_process_connection(process_connection, NULL, NULL, APR_HOOK_LAST);
    ap_hook_fixups(fixups, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_log_transaction(log_transaction, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(h2test) = {
    STANDARD20_MODULE_STUFF,
    NULL,
    NULL,
    create_server_config,
    NULL,
    commands,
    register_hooks,
#if defined(AP_MODULE_FLAG_NONE)
    AP_MODULE_FLAG_NONE
#endif
};

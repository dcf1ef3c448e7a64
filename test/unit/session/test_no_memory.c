/* All of session/, with a client, while memory fails at any call: each request is answered, reset
 * or given up with its connection, and nothing is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_portable.h>

#include "config/h2_draft.h"
#include "session/h2_ending.h"
#include "session/h2_pack.h"
#include "session/h2_push.h"
#include "session/h2_receive.h"
#include "session/h2_session_parts.h"
#include "session/h2_streams.h"
#include "session/h2_timers.h"
#include "session/h2_windows.h"

#include <http_connection.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_ssl.h>

#include "../failing.h"
#include "../httpd_stubs.h"

/* Turns of both sides in which everything must have come to an end. */
#define TURNS_MAX 60

/* Streams of the client: ids up to twice as many. */
#define STREAMS_MAX 16

/* ---- httpd, as little of it as a session needs ---- */

static ap_filter_t core_in, core_out, network;
static apr_socket_t *near;
static h2_server_conf *conf;

void ap_log_cerror_(const char *file, int line, int module_index, int level, apr_status_t status,
                    const conn_rec *c, const char *fmt, ...)
{
    (void)file, (void)line, (void)module_index, (void)level, (void)status, (void)c, (void)fmt;
}

ap_filter_rec_t *ap_register_input_filter(const char *name, ap_in_filter_func filter,
                                          ap_init_filter_func init, ap_filter_type type)
{
    (void)name, (void)filter, (void)init, (void)type;
    return NULL;
}

ap_filter_rec_t *ap_register_output_filter(const char *name, ap_out_filter_func filter,
                                           ap_init_filter_func init, ap_filter_type type)
{
    (void)name, (void)filter, (void)init, (void)type;
    return NULL;
}

ap_filter_t *ap_add_input_filter_handle(ap_filter_rec_t *f, void *ctx, request_rec *r, conn_rec *c)
{
    (void)f, (void)ctx, (void)r;
    return c->input_filters;
}

ap_filter_t *ap_add_output_filter_handle(ap_filter_rec_t *f, void *ctx, request_rec *r, conn_rec *c)
{
    (void)f, (void)r;
    network.ctx = ctx;
    c->output_filters = &network;
    return &network;
}

void ap_remove_input_filter(ap_filter_t *f)
{
    (void)f;
}

void ap_remove_output_filter(ap_filter_t *f)
{
    (void)f;
}

apr_status_t ap_remove_input_filter_byhandle(ap_filter_t *next, const char *handle)
{
    (void)next, (void)handle;
    return APR_NOTFOUND;
}

apr_status_t ap_remove_output_filter_byhandle(ap_filter_t *next, const char *handle)
{
    (void)next, (void)handle;
    return APR_NOTFOUND;
}

apr_status_t ap_get_brigade(ap_filter_t *filter, apr_bucket_brigade *bucket, ap_input_mode_t mode,
                            apr_read_type_e block, apr_off_t readbytes)
{
    (void)filter, (void)bucket, (void)mode, (void)block, (void)readbytes;
    return APR_EAGAIN; /* nothing was kept back: h2_io reads the socket from now on */
}

apr_status_t ap_pass_brigade(ap_filter_t *filter, apr_bucket_brigade *bucket)
{
    (void)filter, (void)bucket;
    return APR_ENOTIMPL;
}

apr_bucket *ap_bucket_eoc_create(apr_bucket_alloc_t *list)
{
    return apr_bucket_flush_create(list);
}

int ap_ssl_conn_is_ssl(conn_rec *c)
{
    (void)c;
    return 0;
}

apr_socket_t *ap_get_conn_socket(conn_rec *c)
{
    (void)c;
    return near;
}

/* ---- both sides ---- */

static apr_pool_t *pool;  /* of the program */
static h2_loop *loop;
static server_rec server;

typedef struct far_side {
    nghttp2_session *ngh2;
    int descriptor;
    int is_over;            /* the connection has ended */
    struct {
        int is_asked, is_closed;
        apr_uint32_t error;
        apr_off_t bytes;
        int has_trailers;
        int status;
    } streams[STREAMS_MAX];
} far_side;

static far_side far;
static h2_session *session;

static int on_far_close(nghttp2_session *ngh2, int32_t id, uint32_t error, void *data)
{
    (void)ngh2, (void)data;
    if (id / 2 < STREAMS_MAX && id % 2) {
        far.streams[id / 2].is_closed = 1;
        far.streams[id / 2].error = error;
    }
    return 0;
}

static int on_far_data(nghttp2_session *ngh2, uint8_t flags, int32_t id, const uint8_t *data,
                       size_t length, void *user_data)
{
    (void)ngh2, (void)flags, (void)data, (void)user_data;
    if (id % 2) {
        far.streams[id / 2].bytes += (apr_off_t)length;
    }
    return 0;
}

static int on_far_header(nghttp2_session *ngh2, const nghttp2_frame *frame, const uint8_t *name,
                         size_t name_length, const uint8_t *value, size_t value_length,
                         uint8_t flags, void *data)
{
    int id = frame->hd.stream_id;

    (void)ngh2, (void)flags, (void)data, (void)value_length;
    if (frame->hd.type == NGHTTP2_HEADERS && id % 2) {
        if (name_length == 7 && !memcmp(name, ":status", 7)) {
            far.streams[id / 2].status = atoi((const char *)value);
        }
        far.streams[id / 2].has_trailers |= (name_length == 6 && !memcmp(name, "x-last", 6));
    }
    return 0;
}

static ssize_t give_body(nghttp2_session *ngh2, int32_t id, uint8_t *buffer, size_t length,
                         uint32_t *flags, nghttp2_data_source *source, void *data)
{
    (void)ngh2, (void)id, (void)source, (void)data;
    length = (length > 9000) ? 9000 : length;
    memset(buffer, 'b', length);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)length;
}

static void create_far_side(int descriptor)
{
    nghttp2_session_callbacks *callbacks;

    memset(&far, 0, sizeof(far));
    far.descriptor = descriptor;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_far_close);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_far_data);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_far_header);
    nghttp2_session_client_new(&far.ngh2, callbacks, NULL);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(far.ngh2, NGHTTP2_FLAG_NONE, NULL, 0);
}

#define NV(name, value)                                                                            \
    {                                                                                              \
        (uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, strlen(value), 0                  \
    }

static void ask(const char *path, int has_body)
{
    static char large[3000];
    nghttp2_data_provider body = {{0}, give_body};
    nghttp2_nv fields[] = {
        NV(":method", has_body ? "POST" : "GET"), NV(":scheme", "http"), NV(":authority", "a.test"),
        NV(":path", path), NV("priority", "u=1, i"), NV("x-1", "1"), NV("x-2", "2"),
        NV("x-3", "3"), NV("x-4", "4"), NV("x-5", "5"), NV("x-6", "6"), NV("x-7", "7"),
        NV("x-8", "8"), NV("x-9", "9"), NV("x-10", "10"), NV("cookie", "a=1"), NV("cookie", "b=2"),
        NV("cache-digest", "EeUM-QA"), NV("x-large", large),
    };
    int32_t id;

    memset(large, 'l', sizeof(large) - 1);
    fields[18].valuelen = sizeof(large) - 1;
    id = nghttp2_submit_request(far.ngh2, NULL, fields, sizeof(fields) / sizeof(fields[0]),
                                has_body ? &body : NULL, NULL);
    assert_true(id > 0 && id / 2 < STREAMS_MAX);
    far.streams[id / 2].is_asked = 1;
}

static void send_raw(const void *bytes, size_t length)
{
    if (send(far.descriptor, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)length) {
        far.is_over = 1;
    }
}

/* What it has to say, and what it is told. */
static void far_turn(void)
{
    static unsigned char buffer[65536];
    const uint8_t *data;
    ssize_t length;

    while (!far.is_over && (length = nghttp2_session_mem_send(far.ngh2, &data)) > 0) {
        send_raw(data, (size_t)length);
    }
    while (!far.is_over
           && (length = recv(far.descriptor, buffer, sizeof(buffer), MSG_DONTWAIT)) >= 0) {
        if (!length || nghttp2_session_mem_recv(far.ngh2, buffer, (size_t)length) != length) {
            far.is_over = 1;
        }
    }
    far.is_over |= !nghttp2_session_want_read(far.ngh2) && !nghttp2_session_want_write(far.ngh2);
}

static h2_promise *promise_of(apr_pool_t *of)
{
    static const char *const fields[][2] = {{":method", "GET"}, {":scheme", "http"},
                                            {":authority", "a.test"}, {":path", "/pushed"},
                                            {"accept", "*"}};
    h2_promise *promise = apr_pcalloc(of, sizeof(*promise));
    size_t i;

    promise->head = h2_head_create(NULL);
    promise->url_hash = 4711;
    for (i = 0; promise->head && i < sizeof(fields) / sizeof(fields[0]); ++i) {
        if (h2_head_add(promise->head, fields[i][0], strlen(fields[i][0]), fields[i][1],
                        strlen(fields[i][1]), 10000)
            != APR_SUCCESS) {
            h2_head_destroy(promise->head, NULL);
            promise->head = NULL;
        }
    }
    return promise->head ? promise : NULL;
}

/* A request, as a runner does it. */
static void run(h2_stream *stream, apr_pool_t *of)
{
    static const char body[40000];
    static char piece[4096];
    h2_exchange *exchange = &stream->exchange;
    apr_table_t *fields = apr_table_make(of, 2);
    apr_array_header_t *dropped = apr_array_make(of, 1, sizeof(char *));
    const char *bad_name;
    h2_response *interim;

    h2_session_started(session, stream);
    while (exchange->in.total_bytes) {
        apr_size_t length = (exchange->in.total_bytes < (apr_off_t)sizeof(piece))
                                ? (apr_size_t)exchange->in.total_bytes : sizeof(piece);

        h2_chunks_read(&exchange->in, piece, length);
        h2_session_consumed(session, stream, length);
        h2_session_credit(session, stream);
    }
    apr_table_setn(fields, "Content-Type", "text/plain");
    if (!stream->pushed_on) {
        h2_response_create(&interim, of, 103, fields, NULL, &bad_name);
        exchange->out_interim = interim;
        h2_session_push(session, stream, promise_of(of));
    }
    h2_response_create(&exchange->out_response, of, 200, fields, NULL, &bad_name);
    if (h2_chunks_add_copy(&exchange->out, body, sizeof(body)) != APR_SUCCESS) {
        exchange->out_is_failed = 1;
    }
    fields = apr_table_make(of, 1);
    apr_table_setn(fields, "X-Last", "yes");
    exchange->out_trailers = h2_response_create_trailers(of, fields, NULL, dropped);
    exchange->out_is_ended = !exchange->out_is_failed;
    h2_session_finished(session, stream);
}

/* What the leader does with it. */
static void near_turn(apr_pool_t *of)
{
    h2_stream *stream, *next;
    int more;

    h2_session_receive(session, &more);
    h2_session_receive(session, &more);
    while ((stream = h2_session_next_waiting(session, NULL)) != NULL) {
        run(stream, of);
    }
    while (h2_session_pack(session) && h2_session_write(session) == APR_SUCCESS
           && !h2_io_is_blocked(&session->io)) {
        continue;
    }
    h2_session_follow_end(session);
    h2_session_arm(session);
    for (stream = h2_session_take_done(session); stream; stream = next) {
        next = stream->next_done;
        h2_session_release(session, stream);
    }
    while (h2_loop_next(loop)) {
        continue;
    }
}

/* What older clients and newer ones say of priorities, with ids that are not open. */
static void send_priorities(void)
{
    static const unsigned char group[] = {0, 0, 5, 2, 0, 0, 0, 0, 101, 0, 0, 0, 0, 200,
                                          0, 0, 5, 2, 0, 0, 0, 0, 103, 0, 0, 0, 101, 1};
    static const unsigned char update[] = {0, 0, 7, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 111,
                                           'u', '=', '5'};

    send_raw(group, sizeof(group));
    send_raw(update, sizeof(update));
}

static int is_all_closed(void)
{
    int i;

    for (i = 0; i < STREAMS_MAX; ++i) {
        if (far.streams[i].is_asked && !far.streams[i].is_closed) {
            return 0;
        }
    }
    return 1;
}

/* Whole with its trailers, or said not to be. */
static void assert_no_half_success(void)
{
    int i;

    for (i = 0; i < STREAMS_MAX; ++i) {
        if (far.streams[i].is_closed && far.streams[i].error == NGHTTP2_NO_ERROR) {
            assert_int_equal(far.streams[i].status, 200);
            assert_int_equal(far.streams[i].bytes, 40000);
            assert_true(far.streams[i].has_trailers);
        }
    }
}

static int is_over(void)
{
    return far.is_over || session->io.is_broken || session->state == H2_SESSION_CLOSING;
}

static void converse(apr_pool_t *of)
{
    int turns;

    for (turns = 0; turns < TURNS_MAX && !is_over(); ++turns) {
        if (turns == 2) {
            ask("/first", 0);
            ask("/second", 1);
        }
        else if (turns == 4) {
            send_priorities();
        }
        else if (turns == 6) {
            ask("/third", 1);
            ask("/fourth", 0);
        }
        far_turn();
        near_turn(of);
    }
    far_turn();
    if (!is_over()) {
        assert_true(is_all_closed()); /* else somebody waits for ever */
    }
    assert_no_half_success();
}

static conn_rec *make_connection(apr_pool_t *of)
{
    conn_rec *c = apr_pcalloc(of, sizeof(*c));

    c->pool = of;
    c->bucket_alloc = apr_bucket_alloc_create(of);
    c->base_server = &server;
    c->input_filters = &core_in;
    c->output_filters = &core_out;
    c->conn_config = apr_pcalloc(of, sizeof(void *) * 64);
    return c;
}

/* A connection from its beginning to its end. */
static int converse_once(void *data)
{
    const int *pis_kept = data;
    int pair[2], is_done;
    apr_pool_t *of;
    conn_rec *c;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    apr_pool_create(&of, pool);
    near = NULL;
    apr_os_sock_put(&near, &pair[0], of);
    c = make_connection(of);
    create_far_side(pair[1]);
    is_done = h2_session_create(&session, c, &server, loop, 8) == APR_SUCCESS
              && h2_session_start(session) == APR_SUCCESS;
    if (is_done) {
        h2_loop_add(loop, &session->task, near, session);
        session->blocks = *pis_kept ? &loop->blocks : NULL;
        converse(of);
        is_done = is_all_closed() && !is_over();
        h2_session_abort(session, APR_ECONNABORTED);
        near_turn(of);
        h2_loop_remove(loop, &session->task);
        h2_session_destroy(session);
    }
    nghttp2_session_del(far.ngh2);
    apr_pool_destroy(of);
    close(pair[0]);
    close(pair[1]);
    h2_blocks_clear(&loop->blocks);
    return is_done;
}

static int setup(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    conf = h2_config_create_server(pool, &server);
    server.module_config = apr_pcalloc(pool, 256 * sizeof(void *));
    ap_set_module_config(server.module_config, &http2_module, conf);
    server.timeout = server.keep_alive_timeout = apr_time_from_sec(60);
    assert_int_equal(h2_loop_create(&loop, 0, NULL, pool), APR_SUCCESS);
    assert_int_equal(h2_session_module_init(pool), APR_SUCCESS);
    h2_loop_lock(loop);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    h2_loop_unlock(loop);
    apr_pool_destroy(pool);
    return 0;
}

static void a_connection_without_memory_ends_or_answers_everything(void **state)
{
    int is_kept = 0;

    (void)state;
    failing_each(converse_once, &is_kept, 1);
}

static void so_does_one_with_the_blocks_of_its_loop(void **state)
{
    int is_kept = 1;

    (void)state;
    failing_each(converse_once, &is_kept, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_connection_without_memory_ends_or_answers_everything),
        TEST(so_does_one_with_the_blocks_of_its_loop),
    };
    int rv;

    apr_initialize();
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}

/* exchange/h2_exchange.c: what a running request and the loop share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_portable.h>

#include "exchange/h2_exchange.h"

static apr_pool_t *pool;
static h2_exchange exchange;

static int setup(void **state)
{
    (void)state;
    apr_pool_create(&pool, NULL);
    memset(&exchange, 0x5a, sizeof(exchange));
    h2_exchange_init(&exchange);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    h2_exchange_clear(&exchange);
    apr_pool_destroy(pool);
    return 0;
}

static void a_new_exchange_has_nothing(void **state)
{
    (void)state;
    assert_null(exchange.head);
    assert_true(h2_chunks_is_empty(&exchange.in));
    assert_true(h2_chunks_is_empty(&exchange.out));
    assert_null(exchange.in_trailers);
    assert_null(exchange.out_interim);
    assert_null(exchange.out_response);
    assert_null(exchange.out_trailers);
    assert_null(exchange.waiter);
    assert_null(exchange.context);
    assert_false(exchange.in_is_ended);
    assert_false(exchange.out_is_ended);
    assert_false(exchange.out_is_failed);
    assert_false(exchange.is_aborted);
    assert_false(exchange.is_running);
    assert_false(exchange.needs_http_1_1);
    assert_false(exchange.is_woken);
    assert_false(exchange.is_signalled);
    assert_false(exchange.is_choked);
    assert_null(exchange.signal_in);
    assert_null(exchange.signal_out);
}

static void a_wake_up_that_nobody_waits_for_does_no_harm(void **state)
{
    (void)state;
    h2_exchange_wake(&exchange);
    h2_exchange_abort(&exchange);
    assert_true(exchange.is_aborted);
}

static void an_abort_leaves_the_queues_to_be_cleared(void **state)
{
    (void)state;
    h2_chunks_add_copy(&exchange.in, "abc", 3);
    h2_chunks_add_copy(&exchange.out, "defg", 4);
    h2_exchange_abort(&exchange);
    assert_int_equal(exchange.in.total_bytes, 3);
    assert_int_equal(exchange.out.total_bytes, 4);
    h2_exchange_clear(&exchange);
    assert_true(h2_chunks_is_empty(&exchange.in));
    assert_true(h2_chunks_is_empty(&exchange.out));
    h2_exchange_clear(&exchange);
}

/* A runner that waits as h2_pump_wait() does. */
typedef struct runner {
    apr_thread_mutex_t *lock; /* in the loop's place */
    apr_thread_cond_t *cond;
    apr_off_t seen_bytes;
    int has_seen_abort;
} runner;

static void *wait_for_input(void *data)
{
    runner *r = data;

    apr_thread_mutex_lock(r->lock);
    exchange.waiter = r->cond;
    while (h2_chunks_is_empty(&exchange.in) && !exchange.is_aborted) {
        apr_thread_cond_wait(r->cond, r->lock);
    }
    exchange.waiter = NULL;
    r->seen_bytes = exchange.in.total_bytes;
    r->has_seen_abort = exchange.is_aborted;
    apr_thread_mutex_unlock(r->lock);
    return NULL;
}

/* Starts the runner and returns, with the lock, when it waits. */
static void start(runner *r, pthread_t *thread)
{
    int is_waiting = 0;

    memset(r, 0, sizeof(*r));
    apr_thread_mutex_create(&r->lock, APR_THREAD_MUTEX_DEFAULT, pool);
    apr_thread_cond_create(&r->cond, pool);
    assert_int_equal(pthread_create(thread, NULL, wait_for_input, r), 0);
    while (!is_waiting) {
        apr_thread_mutex_lock(r->lock);
        is_waiting = exchange.waiter != NULL;
        if (!is_waiting) {
            apr_thread_mutex_unlock(r->lock);
            apr_sleep(100);
        }
    }
}

static void a_runner_that_waits_is_woken_by_what_has_come(void **state)
{
    pthread_t thread;
    runner r;

    (void)state;
    start(&r, &thread);
    h2_chunks_add_copy(&exchange.in, "abc", 3);
    h2_exchange_wake(&exchange);
    apr_thread_mutex_unlock(r.lock);
    pthread_join(thread, NULL);
    assert_int_equal(r.seen_bytes, 3);
    assert_false(r.has_seen_abort);
}

static void a_runner_that_waits_is_woken_by_an_abort(void **state)
{
    pthread_t thread;
    runner r;

    (void)state;
    start(&r, &thread);
    h2_exchange_abort(&exchange);
    apr_thread_mutex_unlock(r.lock);
    pthread_join(thread, NULL);
    assert_int_equal(r.seen_bytes, 0);
    assert_true(r.has_seen_abort);
}

/* A runner that polls, with a pair of sockets as a tunnel has it. */

static int ends[2];

static apr_file_t *file_of(int descriptor)
{
    apr_file_t *file = NULL;

    apr_os_pipe_put_ex(&file, &descriptor, 1, pool);
    apr_file_pipe_timeout_set(file, 0);
    return file;
}

static void make_pair(void)
{
    int smallest = 1;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &smallest, sizeof(smallest));
    exchange.signal_in = file_of(ends[0]);
    exchange.signal_out = file_of(ends[1]);
}

static int is_ready(short events)
{
    struct pollfd polled = {ends[0], events, 0};

    return poll(&polled, 1, 0) == 1 && (polled.revents & events);
}

static void who_polls_sees_one_byte_for_all_that_has_come(void **state)
{
    (void)state;
    make_pair();
    assert_false(is_ready(POLLIN));
    h2_exchange_wake(&exchange);
    h2_exchange_wake(&exchange);
    assert_true(is_ready(POLLIN));
    h2_exchange_settle(&exchange);
    assert_false(is_ready(POLLIN));
    h2_exchange_note_room(&exchange);
    assert_false(is_ready(POLLIN));
}

static void who_is_choked_waits_until_there_is_room(void **state)
{
    char bytes[100] = {0};

    (void)state;
    make_pair();
    h2_chunks_add_copy(&exchange.out, bytes, sizeof(bytes));
    assert_true(is_ready(POLLOUT));
    h2_exchange_choke(&exchange, 50);
    h2_exchange_choke(&exchange, 50);
    assert_false(is_ready(POLLOUT));
    h2_exchange_wake(&exchange);
    assert_true(is_ready(POLLIN));
    h2_exchange_note_room(&exchange);
    assert_false(is_ready(POLLOUT));
    h2_chunks_clear(&exchange.out);
    h2_exchange_note_room(&exchange);
    assert_true(is_ready(POLLOUT));
    assert_false(exchange.is_choked);
}

static void who_is_choked_sees_an_abort(void **state)
{
    (void)state;
    make_pair();
    h2_exchange_choke(&exchange, 0);
    h2_exchange_abort(&exchange);
    assert_true(is_ready(POLLIN));
    assert_true(is_ready(POLLOUT));
}

static void a_choked_exchange_outlives_its_sockets(void **state)
{
    (void)state;
    make_pair();
    h2_exchange_choke(&exchange, 0);
    h2_exchange_drop_signals(&exchange);
    h2_exchange_note_room(&exchange);
    h2_exchange_abort(&exchange);
    assert_false(exchange.is_choked);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_exchange_has_nothing),
        TEST(a_wake_up_that_nobody_waits_for_does_no_harm),
        TEST(an_abort_leaves_the_queues_to_be_cleared),
        TEST(a_runner_that_waits_is_woken_by_what_has_come),
        TEST(a_runner_that_waits_is_woken_by_an_abort),
        TEST(who_polls_sees_one_byte_for_all_that_has_come),
        TEST(who_is_choked_waits_until_there_is_room),
        TEST(who_is_choked_sees_an_abort),
        TEST(a_choked_exchange_outlives_its_sockets),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

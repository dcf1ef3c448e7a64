/* exchange/h2_exchange.c: what a running request and the loop share. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>

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

static void a_new_exchange_has_its_id_and_nothing_else(void **state)
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_exchange_has_its_id_and_nothing_else),
        TEST(a_wake_up_that_nobody_waits_for_does_no_harm),
        TEST(an_abort_leaves_the_queues_to_be_cleared),
        TEST(a_runner_that_waits_is_woken_by_what_has_come),
        TEST(a_runner_that_waits_is_woken_by_an_abort),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* loop/ and worker/ while what they are made of is not to be had: mutexes, condition variables, a
 * set to poll, threads. Also exchange/, whose signals cannot be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_portable.h>

#include "exchange/h2_exchange.h"
#include "worker/h2_leader.h"

#include "../failing.h"
#include "../httpd_stubs.h"
#include "../waiting.h"

static apr_pool_t *pool; /* of each try */

static void begin_try(void)
{
    httpd_stubs_reset();
    apr_pool_create(&pool, NULL);
}

/* ---- loop/h2_loop.c ---- */

static int make_a_loop(void *data)
{
    h2_loop *loop = NULL;
    apr_status_t rv;

    (void)data;
    begin_try();
    rv = h2_loop_create(&loop, 0, NULL, pool);
    assert_true((rv == APR_SUCCESS) == (loop != NULL));
    apr_pool_destroy(pool);
    return rv == APR_SUCCESS;
}

static void a_loop_is_there_or_not(void **state)
{
    (void)state;
    failing_each(make_a_loop, NULL, 0);
}

/* It is not polled then, and says so; it may be tried again, and be removed. */
static int watch_a_socket(void *data)
{
    static h2_task task;
    apr_socket_t *socket = NULL;
    h2_loop *loop = data;
    apr_status_t rv;
    int pair[2];

    begin_try();
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    apr_os_sock_put(&socket, &pair[0], pool);
    h2_loop_lock(loop);
    h2_loop_add(loop, &task, socket, &task);
    rv = h2_loop_watch(loop, &task, APR_POLLOUT);
    assert_int_equal(task.is_polled, rv == APR_SUCCESS);
    failing_end();
    assert_int_equal(h2_loop_watch(loop, &task, APR_POLLOUT), APR_SUCCESS);
    h2_loop_wait(loop);
    assert_ptr_equal(h2_loop_next(loop), &task);
    h2_loop_remove(loop, &task);
    assert_true(h2_loop_is_empty(loop));
    h2_loop_unlock(loop);
    close(pair[0]);
    close(pair[1]);
    apr_pool_destroy(pool);
    return rv == APR_SUCCESS;
}

static void a_socket_that_cannot_be_polled_can_be_tried_again(void **state)
{
    apr_pool_t *of;
    h2_loop *loop;
    int n;

    (void)state;
    apr_pool_create(&of, NULL);
    assert_int_equal(h2_loop_create(&loop, 0, NULL, of), APR_SUCCESS);
    for (n = 0; n < 3; ++n) {
        failing_begin(n, FAILING_ONCE);
        assert_int_equal(watch_a_socket(loop), n != 1);
    }
    apr_pool_destroy(of);
}

/* ---- worker/ ---- */

static waiting_count begun;

static void work(h2_worker *worker, h2_job job)
{
    (void)worker, (void)job;
    waiting_count_add(&begun, 1);
}

static h2_workers_limits limits_of(h2_loop **loops)
{
    h2_workers_limits limits = {0};

    limits.min_total = 2;
    limits.max_total = limits.max_detached = 4;
    limits.idle = 600 * APR_USEC_PER_SEC;
    limits.slot_count = 8;
    limits.loops = loops;
    limits.loop_count = 1;
    return limits;
}

/* As at the start of a child; who is made, works, and all leave. */
static int start_workers(void *data)
{
    static h2_loop *loop;
    h2_workers_limits limits = limits_of(&loop);
    h2_workers *workers = NULL;
    h2_watchdog *watchdog = NULL;
    h2_job job = {NULL, &limits};
    int is_done, is_kept = 0;

    (void)data;
    begin_try();
    waiting_count_reset(&begun);
    is_done = h2_loop_create(&loop, 0, NULL, pool) == APR_SUCCESS
              && h2_workers_create(&workers, pool, &limits, work) == APR_SUCCESS;
    if (is_done) {
        is_done = h2_watchdog_create(&watchdog, pool, workers, &loop, 1) == APR_SUCCESS;
        assert_true(is_done == (watchdog != NULL));
        h2_workers_fill(workers);
        is_kept = h2_workers_keep(workers, H2_KEEP_RUNNER);
        if (is_kept) {
            h2_workers_use_kept(workers, job);
            assert_true(waiting_count_reaches(&begun, 1));
        }
        is_done = is_done && is_kept && h2_workers_count(workers) >= limits.min_total;
        assert_int_equal(h2_workers_stop(workers, WAITING_PATIENCE_USEC), APR_SUCCESS);
        assert_int_equal(h2_workers_count(workers), 0);
        if (watchdog) {
            h2_watchdog_stop(watchdog);
        }
    }
    failing_end();
    apr_pool_destroy(pool);
    return is_done;
}

static void workers_that_can_be_made_work_and_leave(void **state)
{
    int n, how, done = 0;

    (void)state;
    for (n = 1; n < 40; ++n) {
        for (how = FAILING_ONCE; how <= FAILING_FROM_THEN_ON; ++how) {
            failing_begin(n, (failing_how)how);
            done += start_workers(NULL);
        }
    }
    assert_true(done > 10);
}

static void threads_that_cannot_be_made_are_not_counted(void **state)
{
    static h2_loop *loop;
    h2_workers_limits limits = limits_of(&loop);
    h2_workers *workers;
    int failures, left;

    (void)state;
    for (failures = 1; failures < 6; ++failures) {
        begin_try();
        assert_int_equal(h2_loop_create(&loop, 0, NULL, pool), APR_SUCCESS);
        assert_int_equal(h2_workers_create(&workers, pool, &limits, work), APR_SUCCESS);
        httpd_stubs.thread_failures = left = failures;
        while (!h2_workers_keep(workers, H2_KEEP_STANDBY)) {
            assert_int_equal(h2_workers_count(workers), 0);
            --left; /* each call has tried once */
        }
        assert_int_equal(left, 0);
        assert_int_equal(h2_workers_count(workers), 1);
        h2_workers_release_kept(workers, H2_KEEP_STANDBY);
        assert_int_equal(h2_workers_stop(workers, WAITING_PATIENCE_USEC), APR_SUCCESS);
        apr_pool_destroy(pool);
    }
}

/* ---- exchange/h2_exchange.c ---- */

static void a_signal_that_cannot_be_written_is_tried_again_with_the_next_change(void **state)
{
    h2_exchange exchange;
    char byte;
    apr_size_t length = 1;

    (void)state;
    begin_try();
    h2_exchange_init(&exchange);
    assert_int_equal(apr_file_pipe_create(&exchange.signal_in, &exchange.signal_out, pool),
                     APR_SUCCESS);
    failing_begin(1, FAILING_ONCE);
    h2_exchange_wake(&exchange);
    assert_true(failing_end());
    assert_false(exchange.is_signalled);
    h2_exchange_wake(&exchange);
    assert_true(exchange.is_signalled);
    assert_int_equal(apr_file_read(exchange.signal_in, &byte, &length), APR_SUCCESS);
    apr_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loop_is_there_or_not),
        cmocka_unit_test(a_socket_that_cannot_be_polled_can_be_tried_again),
        cmocka_unit_test(workers_that_can_be_made_work_and_leave),
        cmocka_unit_test(threads_that_cannot_be_made_are_not_counted),
        cmocka_unit_test(a_signal_that_cannot_be_written_is_tried_again_with_the_next_change),
    };
    int rv;

    apr_initialize();
    waiting_alarm(120);
    rv = cmocka_run_group_tests(tests, NULL, NULL);
    apr_terminate();
    return rv;
}

/* worker/h2_workers.c: how the pool of threads grows, works, shrinks and ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>

/* The source itself, to see how many threads are spare. */
#include "worker/h2_workers.c"

#include "../httpd_stubs.h"
#include "../waiting.h"

/* Short, for threads that are to leave. */
#define SHORT_IDLE_USEC 20000

/* What no test lives to see. */
#define LONG_IDLE_USEC (600 * APR_USEC_PER_SEC)

#define FIRST_SLOT 10

/* A job that the test watches: it runs until its gate is opened. */
typedef struct card {
    waiting_count started;
    waiting_count gate;
    waiting_count ended;
    h2_worker *by;
    h2_job job;
} card;

#define CARDS 8

static apr_pool_t *pool;
static h2_workers *workers;
static h2_workers_limits limits;
static h2_loop *loop;
static card cards[CARDS];

static card *card_of(h2_job job)
{
    return job.run ? job.run : &cards[0];
}

static void work(h2_worker *worker, h2_job job)
{
    card *c = card_of(job);

    c->by = worker;
    c->job = job;
    waiting_count_add(&c->started, 1);
    while (!waiting_count_reaches(&c->gate, 1)) {
        continue; /* teardown opens it at the latest */
    }
    waiting_count_add(&c->ended, 1);
}

static int setup(void **state)
{
    const waiting_count init = WAITING_COUNT_INIT;
    int i;

    (void)state;
    httpd_stubs_reset();
    apr_pool_create(&pool, NULL);
    for (i = 0; i < CARDS; ++i) {
        cards[i].started = cards[i].gate = cards[i].ended = init;
        cards[i].by = NULL;
    }
    assert_int_equal(h2_loop_create(&loop, 0, NULL, pool), APR_SUCCESS);
    limits.min_total = 0;
    limits.max_total = CARDS;
    limits.max_detached = CARDS;
    limits.idle = LONG_IDLE_USEC;
    limits.first_slot = FIRST_SLOT;
    limits.slot_count = 0;
    limits.are_slots_ours = 1;
    limits.loops = &loop;
    limits.loop_count = 1;
    workers = NULL;
    return 0;
}

static void create(void)
{
    assert_int_equal(h2_workers_create(&workers, pool, &limits, work), APR_SUCCESS);
}

static int teardown(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < CARDS; ++i) {
        waiting_count_add(&cards[i].gate, 1);
    }
    if (workers && h2_workers_stop(workers, WAITING_PATIENCE_USEC) != APR_SUCCESS) {
        return -1;
    }
    apr_pool_destroy(pool);
    return 0;
}

static h2_job job_of(card *c)
{
    h2_job job = {NULL, c};

    return job;
}

/* A job for a kept thread; returns when it runs. */
static void use_kept(card *c)
{
    h2_workers_use_kept(workers, job_of(c));
    assert_true(waiting_count_reaches(&c->started, 1));
}

static void start(card *c)
{
    assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER));
    use_kept(c);
}

static int spare_count(void)
{
    int count;

    apr_thread_mutex_lock(workers->lock);
    count = workers->spare_count;
    apr_thread_mutex_unlock(workers->lock);
    return count;
}

static int has_spare(void *count)
{
    return spare_count() == *(int *)count;
}

static int has_total(void *count)
{
    return h2_workers_count(workers) == *(int *)count;
}

static void assert_spare_becomes(int count)
{
    assert_true(waiting_until(has_spare, &count));
}

static void assert_total_becomes(int count)
{
    assert_true(waiting_until(has_total, &count));
}

/* Opens the gate; returns when the thread is spare again (or has left). */
static void end(card *c)
{
    int spare = spare_count();

    waiting_count_add(&c->gate, 1);
    assert_true(waiting_count_reaches(&c->ended, 1));
    if (limits.idle == LONG_IDLE_USEC) {
        assert_spare_becomes(spare + 1);
    }
}

static void reset(card *c)
{
    waiting_count_reset(&c->started);
    waiting_count_reset(&c->gate);
    waiting_count_reset(&c->ended);
    c->by = NULL;
}

/* ---- growing ---- */

static void a_new_pool_has_no_threads(void **state)
{
    (void)state;
    limits.min_total = 3;
    create();
    assert_int_equal(h2_workers_count(workers), 0);
}

static void filling_makes_the_minimum_of_threads(void **state)
{
    (void)state;
    limits.min_total = 3;
    create();
    h2_workers_fill(workers);
    assert_int_equal(h2_workers_count(workers), 3);
    assert_int_equal(spare_count(), 3);
    h2_workers_fill(workers);
    assert_int_equal(h2_workers_count(workers), 3);
}

static void a_minimum_beyond_the_maximum_is_not_reached(void **state)
{
    (void)state;
    limits.min_total = CARDS + 1;
    create();
    h2_workers_fill(workers);
    assert_int_equal(h2_workers_count(workers), CARDS);
}

static void a_thread_is_made_when_none_is_spare(void **state)
{
    (void)state;
    create();
    start(&cards[0]);
    assert_int_equal(h2_workers_count(workers), 1);
    assert_int_equal(spare_count(), 0);
    start(&cards[1]);
    assert_int_equal(h2_workers_count(workers), 2);
    assert_ptr_not_equal(cards[0].by, cards[1].by);
}

static void a_spare_thread_is_used_before_one_is_made(void **state)
{
    (void)state;
    create();
    start(&cards[0]);
    end(&cards[0]);
    start(&cards[1]);
    assert_int_equal(h2_workers_count(workers), 1);
    assert_ptr_equal(cards[0].by, cards[1].by);
}

static void the_thread_that_became_spare_last_works_first(void **state)
{
    h2_worker *last;

    (void)state;
    create();
    start(&cards[0]);
    start(&cards[1]);
    start(&cards[2]);
    end(&cards[2]);
    end(&cards[0]);
    end(&cards[1]);
    last = cards[1].by;
    start(&cards[3]);
    assert_ptr_equal(cards[3].by, last);
}

static void there_are_never_more_threads_than_the_maximum(void **state)
{
    int i;

    (void)state;
    limits.max_total = 3;
    create();
    for (i = 0; i < 3; ++i) {
        start(&cards[i]);
    }
    assert_false(h2_workers_keep(workers, H2_KEEP_RUNNER));
    assert_int_equal(h2_workers_count(workers), 3);
    end(&cards[1]);
    assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER));
    assert_false(h2_workers_keep(workers, H2_KEEP_RUNNER));
    use_kept(&cards[3]);
    assert_ptr_equal(cards[3].by, cards[1].by);
}

static void requests_do_not_take_the_threads_of_leaders_and_standbys(void **state)
{
    h2_job lead = {loop, NULL};

    (void)state;
    limits.max_total = 4; /* a leader, a standby, and: */
    limits.max_detached = 2;
    create();
    assert_true(h2_workers_keep(workers, H2_KEEP_STANDBY));
    h2_workers_use_kept(workers, lead);
    assert_true(waiting_count_reaches(&cards[0].started, 1));
    start(&cards[1]);
    assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER));
    assert_false(h2_workers_keep(workers, H2_KEEP_RUNNER));
    use_kept(&cards[2]);
    assert_false(h2_workers_keep(workers, H2_KEEP_RUNNER));
    assert_true(h2_workers_keep(workers, H2_KEEP_STANDBY));
    h2_workers_release_kept(workers, H2_KEEP_STANDBY);
    end(&cards[1]);
    assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER));
    h2_workers_release_kept(workers, H2_KEEP_RUNNER);
}

static void a_thread_that_cannot_be_made_leaves_no_trace(void **state)
{
    (void)state;
    limits.slot_count = 1;
    create();
    httpd_stubs.thread_failures = 2;
    assert_false(h2_workers_keep(workers, H2_KEEP_RUNNER));
    h2_workers_fill(workers);
    assert_false(h2_workers_keep(workers, H2_KEEP_RUNNER));
    assert_int_equal(h2_workers_count(workers), 0);
    assert_int_equal(spare_count(), 0);
    start(&cards[0]);
    assert_int_equal(h2_workers_count(workers), 1);
    assert_int_equal(cards[0].by->slot, 0);
}

/* ---- keeping and working ---- */

static void a_job_reaches_its_worker_as_it_was_given(void **state)
{
    h2_job lead = {loop, NULL};

    (void)state;
    create();
    assert_true(h2_workers_keep(workers, H2_KEEP_STANDBY));
    h2_workers_use_kept(workers, lead);
    assert_true(waiting_count_reaches(&cards[0].started, 1));
    assert_ptr_equal(cards[0].job.lead, loop);
    assert_null(cards[0].job.run);
    start(&cards[1]);
    assert_null(cards[1].job.lead);
    assert_ptr_equal(cards[1].job.run, &cards[1]);
    assert_ptr_equal(cards[1].by->workers, workers);
    assert_non_null(cards[1].by->thread);
    assert_non_null(cards[1].by->wait_cond);
}

static void a_kept_thread_is_kept_for_one_only(void **state)
{
    (void)state;
    limits.max_total = 2;
    create();
    assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER));
    assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER));
    assert_int_equal(h2_workers_count(workers), 2);
    assert_false(h2_workers_keep(workers, H2_KEEP_RUNNER));
    use_kept(&cards[0]);
    assert_false(h2_workers_keep(workers, H2_KEEP_RUNNER));
    use_kept(&cards[1]);
    assert_ptr_not_equal(cards[0].by, cards[1].by);
}

static void a_released_thread_can_be_kept_by_another(void **state)
{
    (void)state;
    limits.max_total = 1;
    create();
    assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER));
    assert_false(h2_workers_keep(workers, H2_KEEP_RUNNER));
    h2_workers_release_kept(workers, H2_KEEP_RUNNER);
    assert_int_equal(spare_count(), 1);
    assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER));
    h2_workers_release_kept(workers, H2_KEEP_RUNNER);
}

static void a_thread_runs_one_job_after_another(void **state)
{
    int i;

    (void)state;
    limits.max_total = 1;
    create();
    for (i = 0; i < 100; ++i) {
        start(&cards[i % CARDS]);
        end(&cards[i % CARDS]);
        reset(&cards[i % CARDS]);
    }
    assert_int_equal(h2_workers_count(workers), 1);
}

/* ---- telling the loops ---- */

static int is_retrying(void *data)
{
    int is_so;

    (void)data;
    h2_loop_lock(loop);
    is_so = loop->is_retrying;
    h2_loop_unlock(loop);
    return is_so;
}

static void starve(h2_task *task)
{
    h2_loop_lock(loop);
    h2_loop_add(loop, task, NULL, NULL);
    h2_loop_starve(loop, task);
    h2_loop_unlock(loop);
}

static void a_thread_that_becomes_spare_is_told_to_who_starves(void **state)
{
    static h2_task task;

    (void)state;
    limits.max_total = 1;
    create();
    start(&cards[0]);
    starve(&task);
    assert_false(h2_workers_keep(workers, H2_KEEP_RUNNER));
    assert_false(is_retrying(NULL));
    waiting_count_add(&cards[0].gate, 1);
    assert_true(waiting_until(is_retrying, NULL));
    assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER));
    h2_workers_release_kept(workers, H2_KEEP_RUNNER);
}

static void a_thread_that_was_kept_in_vain_is_told_to_who_starves(void **state)
{
    static h2_task task;

    (void)state;
    limits.max_total = 1;
    create();
    assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER));
    starve(&task);
    assert_false(h2_workers_keep(workers, H2_KEEP_RUNNER));
    h2_workers_release_kept(workers, H2_KEEP_RUNNER);
    assert_true(is_retrying(NULL));
}

/* ---- shrinking ---- */

static void threads_above_the_minimum_leave_after_their_idle_time(void **state)
{
    int i;

    (void)state;
    limits.min_total = 2;
    limits.idle = SHORT_IDLE_USEC;
    create();
    h2_workers_fill(workers);
    for (i = 0; i < CARDS; ++i) {
        start(&cards[i]);
    }
    assert_int_equal(h2_workers_count(workers), CARDS);
    for (i = 0; i < CARDS; ++i) {
        end(&cards[i]);
    }
    assert_total_becomes(2);
    assert_int_equal(spare_count(), 2);
}

static void without_a_minimum_all_threads_leave(void **state)
{
    (void)state;
    limits.idle = SHORT_IDLE_USEC;
    create();
    start(&cards[0]);
    start(&cards[1]);
    end(&cards[0]);
    end(&cards[1]);
    assert_total_becomes(0);
    reset(&cards[0]);
    start(&cards[0]);
    assert_int_equal(h2_workers_count(workers), 1);
}

static void a_kept_thread_does_not_leave(void **state)
{
    (void)state;
    limits.idle = SHORT_IDLE_USEC;
    create();
    assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER));
    start(&cards[0]);
    start(&cards[1]);
    end(&cards[0]);
    end(&cards[1]);
    assert_total_becomes(1);
    use_kept(&cards[2]);
    end(&cards[2]);
    assert_total_becomes(0);
}

/* As in a child: leaders and long requests count as threads and are never spare. */
static void threads_that_are_never_spare_keep_no_others_from_leaving(void **state)
{
    (void)state;
    limits.min_total = 2;
    limits.idle = SHORT_IDLE_USEC;
    create();
    h2_workers_fill(workers);
    start(&cards[0]);
    assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER)); /* the other one */
    start(&cards[1]);                      /* so this is a third */
    assert_int_equal(h2_workers_count(workers), 3);
    h2_workers_release_kept(workers, H2_KEEP_RUNNER);
    end(&cards[1]);
    assert_total_becomes(2);
    assert_int_equal(waiting_count_value(&cards[0].ended), 0);
}

static void a_pool_shrinks_and_grows_as_often_as_it_has_to(void **state)
{
    int round, i;

    (void)state;
    limits.min_total = 1;
    limits.idle = 1000;
    create();
    for (round = 0; round < 10; ++round) {
        for (i = 0; i < CARDS; ++i) {
            start(&cards[i]);
        }
        for (i = 0; i < CARDS; ++i) {
            end(&cards[i]);
            reset(&cards[i]);
        }
        assert_total_becomes(1);
    }
}

/* ---- the scoreboard ---- */

static void each_thread_has_a_slot_of_its_own_as_long_as_there_are(void **state)
{
    int i, own = 0;

    (void)state;
    limits.slot_count = 3;
    httpd_stubs.child_num = 2;
    create();
    for (i = 0; i < 5; ++i) {
        start(&cards[i]);
        own += cards[i].by->slot >= 0;
        assert_non_null(cards[i].by->scoreboard);
        /* What is shared counts requests, but shows none. */
        assert_int_equal(cards[i].by->has_own_slot, cards[i].by->slot >= 0);
    }
    assert_int_equal(own, 3);
    httpd_stubs_lock();
    for (i = 0; i < HTTPD_STUBS_SLOTS; ++i) {
        if (i >= FIRST_SLOT && i < FIRST_SLOT + 3) {
            assert_in_range(httpd_stubs.handles[i], 1, 3);
        }
        else {
            assert_int_equal(httpd_stubs.handles[i], 0);
        }
    }
    httpd_stubs_unlock();
}

static void the_slot_of_a_thread_that_has_left_is_used_again(void **state)
{
    int i;

    (void)state;
    limits.slot_count = 2;
    limits.idle = SHORT_IDLE_USEC;
    httpd_stubs.child_num = 0;
    create();
    for (i = 0; i < 2; ++i) {
        start(&cards[i]);
        assert_int_equal(cards[i].by->slot, i);
    }
    for (i = 0; i < 2; ++i) {
        end(&cards[i]);
    }
    assert_total_becomes(0);
    assert_int_equal(httpd_stubs.dead_count, 2);
    for (i = 2; i < 4; ++i) {
        start(&cards[i]);
        assert_int_equal(cards[i].by->slot, i - 2);
    }
}

static void a_slot_that_the_mpm_uses_counts_requests_but_shows_none(void **state)
{
    (void)state;
    limits.slot_count = 2;
    limits.are_slots_ours = 0;
    limits.idle = SHORT_IDLE_USEC;
    httpd_stubs.child_num = 0;
    create();
    start(&cards[0]);
    assert_non_null(cards[0].by->scoreboard);
    assert_false(cards[0].by->has_own_slot);
    end(&cards[0]);
    assert_total_becomes(0);
    assert_int_equal(httpd_stubs.dead_count, 0);
}

static void without_slots_no_thread_is_shown(void **state)
{
    (void)state;
    httpd_stubs.child_num = 0;
    create();
    start(&cards[0]);
    assert_null(cards[0].by->scoreboard);
}

static void a_child_that_is_not_known_yet_is_asked_for_again(void **state)
{
    (void)state;
    limits.slot_count = 1;
    create();
    start(&cards[0]);
    assert_null(cards[0].by->scoreboard);
    end(&cards[0]);
    httpd_stubs_lock();
    httpd_stubs.child_num = 0;
    httpd_stubs_unlock();
    start(&cards[1]);
    assert_non_null(cards[1].by->scoreboard);
    end(&cards[1]);
    start(&cards[2]);
    assert_int_equal(httpd_stubs.handles[FIRST_SLOT], 1);
}

/* ---- the end ---- */

static void stopping_ends_all_spare_threads(void **state)
{
    (void)state;
    limits.min_total = 4;
    create();
    h2_workers_fill(workers);
    start(&cards[0]);
    end(&cards[0]);
    assert_int_equal(h2_workers_stop(workers, WAITING_PATIENCE_USEC), APR_SUCCESS);
    assert_int_equal(h2_workers_count(workers), 0);
}

static void a_pool_that_stops_makes_no_threads(void **state)
{
    (void)state;
    limits.min_total = 2;
    create();
    assert_int_equal(h2_workers_stop(workers, WAITING_PATIENCE_USEC), APR_SUCCESS);
    assert_false(h2_workers_keep(workers, H2_KEEP_RUNNER));
    h2_workers_fill(workers);
    assert_int_equal(h2_workers_count(workers), 0);
}

static void stopping_waits_for_a_job_only_so_long(void **state)
{
    (void)state;
    limits.min_total = 3;
    create();
    h2_workers_fill(workers);
    start(&cards[0]);
    assert_true(APR_STATUS_IS_TIMEUP(h2_workers_stop(workers, 10000)));
    assert_true(h2_workers_count(workers) >= 1);
    waiting_count_add(&cards[0].gate, 1);
    assert_int_equal(h2_workers_stop(workers, WAITING_PATIENCE_USEC), APR_SUCCESS);
    assert_int_equal(h2_workers_count(workers), 0);
    assert_int_equal(waiting_count_value(&cards[0].ended), 1);
}

typedef struct stopper {
    pthread_t thread;
    apr_status_t rv;
} stopper;

static void *stop(void *data)
{
    stopper *self = data;

    self->rv = h2_workers_stop(workers, WAITING_PATIENCE_USEC);
    return NULL;
}

static void a_kept_thread_stays_until_it_is_used_or_released_although_the_pool_stops(void **state)
{
    stopper self;
    int i;

    (void)state;
    limits.min_total = 5;
    create();
    h2_workers_fill(workers);
    for (i = 0; i < 3; ++i) {
        assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER));
    }
    assert_int_equal(pthread_create(&self.thread, NULL, stop, &self), 0);
    assert_total_becomes(3);
    use_kept(&cards[0]);
    h2_workers_release_kept(workers, H2_KEEP_RUNNER);
    assert_total_becomes(2);
    waiting_count_add(&cards[0].gate, 1);
    assert_total_becomes(1);
    use_kept(&cards[1]);
    waiting_count_add(&cards[1].gate, 1);
    pthread_join(self.thread, NULL);
    assert_int_equal(self.rv, APR_SUCCESS);
    assert_int_equal(waiting_count_value(&cards[0].ended), 1);
    assert_int_equal(waiting_count_value(&cards[1].ended), 1);
}

static void when_the_time_is_up_kept_threads_leave_and_their_jobs_are_dropped(void **state)
{
    (void)state;
    create();
    start(&cards[0]);
    assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER));
    assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER));
    assert_true(APR_STATUS_IS_TIMEUP(h2_workers_stop(workers, 1)));
    assert_int_equal(h2_workers_count(workers), 1);
    h2_workers_use_kept(workers, job_of(&cards[1]));
    h2_workers_release_kept(workers, H2_KEEP_RUNNER);
    waiting_count_add(&cards[0].gate, 1);
    assert_int_equal(h2_workers_stop(workers, WAITING_PATIENCE_USEC), APR_SUCCESS);
    assert_int_equal(waiting_count_value(&cards[1].started), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_pool_has_no_threads),
        TEST(filling_makes_the_minimum_of_threads),
        TEST(a_minimum_beyond_the_maximum_is_not_reached),
        TEST(a_thread_is_made_when_none_is_spare),
        TEST(a_spare_thread_is_used_before_one_is_made),
        TEST(the_thread_that_became_spare_last_works_first),
        TEST(there_are_never_more_threads_than_the_maximum),
        TEST(requests_do_not_take_the_threads_of_leaders_and_standbys),
        TEST(a_thread_that_cannot_be_made_leaves_no_trace),
        TEST(a_job_reaches_its_worker_as_it_was_given),
        TEST(a_kept_thread_is_kept_for_one_only),
        TEST(a_released_thread_can_be_kept_by_another),
        TEST(a_thread_runs_one_job_after_another),
        TEST(a_thread_that_becomes_spare_is_told_to_who_starves),
        TEST(a_thread_that_was_kept_in_vain_is_told_to_who_starves),
        TEST(threads_above_the_minimum_leave_after_their_idle_time),
        TEST(without_a_minimum_all_threads_leave),
        TEST(a_kept_thread_does_not_leave),
        TEST(threads_that_are_never_spare_keep_no_others_from_leaving),
        TEST(a_pool_shrinks_and_grows_as_often_as_it_has_to),
        TEST(each_thread_has_a_slot_of_its_own_as_long_as_there_are),
        TEST(the_slot_of_a_thread_that_has_left_is_used_again),
        TEST(a_slot_that_the_mpm_uses_counts_requests_but_shows_none),
        TEST(without_slots_no_thread_is_shown),
        TEST(a_child_that_is_not_known_yet_is_asked_for_again),
        TEST(stopping_ends_all_spare_threads),
        TEST(a_pool_that_stops_makes_no_threads),
        TEST(stopping_waits_for_a_job_only_so_long),
        TEST(a_kept_thread_stays_until_it_is_used_or_released_although_the_pool_stops),
        TEST(when_the_time_is_up_kept_threads_leave_and_their_jobs_are_dropped),
    };

    apr_initialize();
    waiting_alarm(120);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

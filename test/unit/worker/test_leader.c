/* worker/h2_leader.c: who leads a loop, and how the lead is given or taken away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <apr_general.h>

/* The source itself, to see whether the watchdog sleeps. */
#include "worker/h2_leader.c"

#include "../httpd_stubs.h"
#include "../waiting.h"

#define LOOPS    2
#define SESSIONS 3
#define REQUESTS 256

/* The watchdog takes the lead away after 2 to 4 ms; what else the machine does may
 * delay it, but not in each of so many attempts. */
#define DEPOSED_WITHIN_USEC 15000
#define ATTEMPTS            40

typedef enum {
    QUICK,  /* ends at once */
    BRIEF,  /* takes a millisecond */
    STUCK,  /* until its gate is opened */
    DETACH, /* steps down first, then as STUCK */
    DETACH_TWICE
} manner;

typedef struct request {
    manner how;
    waiting_count gate;
    waiting_count ended;
    waiting_count started;
    /* For whoever has seen it started. */
    h2_worker *by;
    apr_time_t started_at;
    /* For whoever has seen it ended. */
    int has_given_lead;  /* what h2_leader_detach() said */
    int has_given_again; /* the second time */
    int has_kept_lead;   /* what h2_leader_run_end() said */
} request;

/* In the place of a connection: a list of requests to run, one after another. */
typedef struct session {
    h2_task task;
    int loop;
    int wants_standby;
    request *waiting[REQUESTS];
    int added_count;
    int begun_count;
} session;

static apr_pool_t *pool;
static h2_workers *workers;
static h2_watchdog *watchdog;
static h2_loop *loops[LOOPS];
static session sessions[SESSIONS]; /* the last one on the second loop */
static request requests[REQUESTS];

/* ---- an engine, as small as it can be; compare conn/h2_turn.c ---- */

static void run(request *r, h2_worker *worker)
{
    apr_time_t until = apr_time_now() + 1000;

    r->by = worker;
    r->started_at = apr_time_now();
    waiting_count_add(&r->started, 1);
    switch (r->how) {
    case QUICK:
        return;
    case BRIEF:
        while (apr_time_now() < until) {
            continue;
        }
        return;
    case DETACH_TWICE:
        r->has_given_lead = h2_leader_detach(worker);
        r->has_given_again = h2_leader_detach(worker);
        break;
    case DETACH:
        r->has_given_lead = h2_leader_detach(worker);
        break;
    case STUCK:
        break;
    }
    while (!waiting_count_reaches(&r->gate, 1)) {
        continue; /* teardown opens it at the latest */
    }
}

static int ensure_standby(session *s)
{
    h2_loop *loop = loops[s->loop];
    int is_kept;

    if (!s->wants_standby) {
        return 1;
    }
    h2_loop_starve(loop, &s->task);
    is_kept = h2_leader_ensure_standby(loop, workers);
    if (is_kept) {
        h2_loop_unstarve(loop, &s->task);
    }
    return is_kept;
}

static void turn(h2_worker *worker, session *s)
{
    h2_loop *loop = loops[s->loop];

    while (s->begun_count < s->added_count && ensure_standby(s)) {
        request *r = s->waiting[s->begun_count++];
        int has_kept_lead;

        h2_leader_run_begin(loop, watchdog);
        run(r, worker);
        has_kept_lead = r->has_kept_lead = h2_leader_run_end(loop, worker);
        waiting_count_add(&r->ended, 1);
        if (!has_kept_lead) {
            return;
        }
    }
}

static void work(h2_worker *worker, h2_job job)
{
    h2_loop *loop = job.lead;
    h2_task *task;

    if (job.run) {
        request *r = job.run;

        worker->loop = loops[0];
        run(r, worker);
        waiting_count_add(&r->ended, 1);
        return;
    }
    worker->loop = loop;
    h2_loop_lock(loop);
    loop->leader = worker;
    while (h2_leader_is(worker, loop)) {
        task = h2_loop_next(loop);
        if (task) {
            loop->current = task;
            turn(worker, task->owner);
            if (h2_leader_is(worker, loop)) {
                loop->current = NULL;
            }
        }
        else if (loop->is_stopping) {
            h2_leader_resign(loop, workers);
        }
        else {
            h2_loop_wait(loop);
        }
    }
    h2_loop_unlock(loop);
}

/* ---- the test's side ---- */

static int setup(void **state)
{
    const waiting_count init = WAITING_COUNT_INIT;
    int i;

    (void)state;
    httpd_stubs_reset();
    apr_pool_create(&pool, NULL);
    workers = NULL;
    watchdog = NULL;
    memset(sessions, 0, sizeof(sessions));
    memset(requests, 0, sizeof(requests));
    for (i = 0; i < REQUESTS; ++i) {
        requests[i].started = requests[i].gate = requests[i].ended = init;
    }
    for (i = 0; i < LOOPS; ++i) {
        assert_int_equal(h2_loop_create(&loops[i], i, NULL, pool), APR_SUCCESS);
    }
    for (i = 0; i < SESSIONS; ++i) {
        sessions[i].loop = (i == SESSIONS - 1);
        sessions[i].wants_standby = 1;
        h2_loop_lock(loops[sessions[i].loop]);
        h2_loop_add(loops[sessions[i].loop], &sessions[i].task, NULL, &sessions[i]);
        h2_loop_unlock(loops[sessions[i].loop]);
    }
    return 0;
}

static int has_leader(void *data)
{
    h2_loop *loop = data;
    int is_led;

    h2_loop_lock(loop);
    is_led = loop->leader != NULL;
    h2_loop_unlock(loop);
    return is_led;
}

static const void *leader_of(h2_loop *loop)
{
    const void *leader;

    assert_true(waiting_until(has_leader, loop));
    h2_loop_lock(loop);
    leader = loop->leader;
    h2_loop_unlock(loop);
    return leader;
}

/* A pool of that many threads; the first leads the first loop, and so on. */
static void start(int max_total, int loop_count)
{
    h2_workers_limits limits = {0};
    int i;

    limits.max_total = max_total;
    limits.max_detached = max_total;
    limits.min_total = max_total;
    limits.idle = 600 * APR_USEC_PER_SEC;
    limits.loops = loops;
    limits.loop_count = LOOPS;
    assert_int_equal(h2_workers_create(&workers, pool, &limits, work), APR_SUCCESS);
    for (i = 0; i < loop_count; ++i) {
        h2_job job = {loops[i], NULL};

        assert_true(h2_workers_keep(workers, H2_KEEP_STANDBY));
        h2_workers_use_kept(workers, job);
        leader_of(loops[i]);
    }
}

static void watch(void)
{
    assert_int_equal(h2_watchdog_create(&watchdog, pool, workers, loops, LOOPS), APR_SUCCESS);
}

static int teardown(void **state)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    (void)state;
    for (i = 0; i < REQUESTS; ++i) {
        waiting_count_add(&requests[i].gate, 1);
    }
    for (i = 0; i < LOOPS; ++i) {
        h2_loop_lock(loops[i]);
        loops[i]->is_stopping = 1;
        h2_loop_ready_all(loops[i]);
        h2_loop_unlock(loops[i]);
    }
    if (watchdog) {
        h2_watchdog_stop(watchdog);
    }
    if (workers) {
        rv = h2_workers_stop(workers, WAITING_PATIENCE_USEC);
    }
    if (rv == APR_SUCCESS) { /* else threads still use it */
        apr_pool_destroy(pool);
    }
    return rv == APR_SUCCESS ? 0 : -1;
}

static void give(session *s, request *r, manner how)
{
    h2_loop *loop = loops[s->loop];

    h2_loop_lock(loop);
    r->how = how;
    s->waiting[s->added_count++] = r;
    h2_loop_ready(loop, &s->task);
    h2_loop_unlock(loop);
}

static void assert_starts(request *r)
{
    assert_true(waiting_count_reaches(&r->started, 1));
}

static void assert_ends(request *r)
{
    assert_true(waiting_count_reaches(&r->ended, 1));
}

static int is_still_running(request *r)
{
    return waiting_count_value(&r->started) && !waiting_count_value(&r->ended);
}

static void release(request *r)
{
    waiting_count_add(&r->gate, 1);
    assert_ends(r);
}

static apr_uint32_t sequence_of(h2_loop *loop)
{
    return apr_atomic_read32(&loop->run_sequence);
}

/* ---- leading ---- */

static void who_is_told_to_lead_leads(void **state)
{
    (void)state;
    start(1, 1);
    sessions[0].wants_standby = 0;
    give(&sessions[0], &requests[0], QUICK);
    assert_ends(&requests[0]);
    assert_ptr_equal(leader_of(loops[0]), requests[0].by);
    assert_ptr_equal(requests[0].by->loop, loops[0]);
}

static void quick_requests_are_all_run_by_the_one_leader(void **state)
{
    const void *leader;
    int i;

    (void)state;
    start(2, 1);
    leader = leader_of(loops[0]);
    for (i = 0; i < REQUESTS; ++i) {
        give(&sessions[i % 2], &requests[i], QUICK);
    }
    for (i = 0; i < REQUESTS; ++i) {
        assert_ends(&requests[i]);
        assert_ptr_equal(requests[i].by, leader);
        assert_true(requests[i].has_kept_lead);
    }
}

static void the_number_of_runs_is_odd_while_the_leader_runs_a_request(void **state)
{
    (void)state;
    start(3, 1);
    assert_int_equal(sequence_of(loops[0]) & 1, 0);
    give(&sessions[0], &requests[0], STUCK);
    assert_starts(&requests[0]);
    assert_int_equal(sequence_of(loops[0]) & 1, 1);
    release(&requests[0]);
    assert_int_equal(sequence_of(loops[0]) & 1, 0);
    give(&sessions[0], &requests[1], DETACH);
    give(&sessions[1], &requests[2], QUICK);
    assert_ends(&requests[2]);
    assert_true(is_still_running(&requests[1]));
    assert_int_equal(sequence_of(loops[0]) & 1, 0);
    release(&requests[1]);
    assert_int_equal(sequence_of(loops[0]) & 1, 0);
}

/* ---- detaching ---- */

static void who_detaches_is_followed_by_its_standby(void **state)
{
    (void)state;
    start(3, 1);
    give(&sessions[0], &requests[0], DETACH);
    give(&sessions[1], &requests[1], STUCK);
    assert_starts(&requests[1]);
    assert_true(is_still_running(&requests[0]));
    assert_ptr_not_equal(requests[0].by, requests[1].by);
    assert_ptr_equal(leader_of(loops[0]), requests[1].by);
    release(&requests[0]);
    assert_true(requests[0].has_given_lead);
    assert_false(requests[0].has_kept_lead);
    release(&requests[1]);
    assert_true(requests[1].has_kept_lead);
}

static void the_task_in_work_goes_to_the_successor(void **state)
{
    (void)state;
    start(3, 1);
    give(&sessions[0], &requests[0], DETACH);
    give(&sessions[0], &requests[1], QUICK);
    give(&sessions[0], &requests[2], QUICK);
    assert_ends(&requests[1]);
    assert_ends(&requests[2]);
    assert_true(is_still_running(&requests[0]));
    assert_ptr_not_equal(requests[0].by, requests[1].by);
}

static void the_lead_can_be_given_away_once_only(void **state)
{
    (void)state;
    start(3, 1);
    give(&sessions[0], &requests[0], DETACH_TWICE);
    give(&sessions[1], &requests[1], QUICK);
    assert_ends(&requests[1]);
    assert_true(is_still_running(&requests[0]));
    assert_ptr_not_equal(requests[1].by, requests[0].by);
    release(&requests[0]);
    assert_true(requests[0].has_given_lead);
    assert_false(requests[0].has_given_again);
    assert_false(requests[0].has_kept_lead);
}

static void who_does_not_lead_has_nothing_to_give_away(void **state)
{
    h2_job job = {NULL, &requests[0]};
    const void *leader;

    (void)state;
    start(3, 1);
    leader = leader_of(loops[0]);
    give(&sessions[0], &requests[1], QUICK);
    assert_ends(&requests[1]); /* there is a standby now */
    requests[0].how = DETACH;
    assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER));
    h2_workers_use_kept(workers, job);
    assert_starts(&requests[0]);
    release(&requests[0]);
    give(&sessions[0], &requests[2], QUICK);
    assert_ends(&requests[2]);
    assert_false(requests[0].has_given_lead);
    assert_ptr_equal(requests[2].by, leader);
}

static void without_a_standby_a_leader_keeps_the_lead(void **state)
{
    (void)state;
    start(2, 1);
    sessions[0].wants_standby = 0;
    give(&sessions[0], &requests[0], DETACH);
    assert_starts(&requests[0]);
    release(&requests[0]);
    assert_false(requests[0].has_given_lead);
    assert_true(requests[0].has_kept_lead);
}

static void two_threads_take_turns_in_leading(void **state)
{
    int i;

    (void)state;
    start(2, 1);
    for (i = 0; i < 20; ++i) {
        give(&sessions[i % 2], &requests[i], DETACH);
        assert_starts(&requests[i]);
        release(&requests[i]);
        assert_true(requests[i].has_given_lead);
        if (i) {
            assert_ptr_not_equal(requests[i].by, requests[i - 1].by);
        }
    }
    assert_int_equal(h2_workers_count(workers), 2);
}

/* ---- standbys ---- */

static void one_standby_is_enough(void **state)
{
    int i;

    (void)state;
    start(4, 1);
    for (i = 0; i < 20; ++i) {
        give(&sessions[i % 2], &requests[i], QUICK);
        assert_ends(&requests[i]);
    }
    assert_int_equal(h2_workers_count(workers), 2);
    /* The others can still be had. */
    assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER));
    assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER));
    assert_false(h2_workers_keep(workers, H2_KEEP_RUNNER));
    h2_workers_release_kept(workers, H2_KEEP_RUNNER);
    h2_workers_release_kept(workers, H2_KEEP_RUNNER);
}

static void where_no_standby_is_to_be_had_it_is_said_so(void **state)
{
    (void)state;
    start(1, 0);
    assert_true(h2_workers_keep(workers, H2_KEEP_RUNNER)); /* all there are */
    h2_loop_lock(loops[0]);
    assert_false(h2_leader_ensure_standby(loops[0], workers));
    assert_false(loops[0]->has_standby);
    h2_loop_assert_held(loops[0]);
    h2_loop_unlock(loops[0]);
    h2_workers_release_kept(workers, H2_KEEP_RUNNER);
    h2_loop_lock(loops[0]);
    assert_true(h2_leader_ensure_standby(loops[0], workers));
    assert_true(loops[0]->has_standby);
    assert_true(h2_leader_ensure_standby(loops[0], workers));
    h2_leader_resign(loops[0], workers);
    h2_loop_unlock(loops[0]);
}

static void a_request_that_found_no_standby_runs_as_soon_as_a_thread_is_spare(void **state)
{
    (void)state;
    start(2, 1);
    give(&sessions[0], &requests[0], DETACH);
    assert_starts(&requests[0]);
    give(&sessions[1], &requests[1], QUICK);
    assert_true(is_still_running(&requests[0]));
    release(&requests[0]);
    assert_ends(&requests[1]);
    assert_true(requests[1].has_kept_lead);
}

static void a_leader_that_resigns_lets_its_standby_go(void **state)
{
    (void)state;
    start(2, 1);
    give(&sessions[0], &requests[0], QUICK);
    assert_ends(&requests[0]);
    h2_loop_lock(loops[0]);
    assert_true(loops[0]->has_standby);
    loops[0]->is_stopping = 1;
    h2_loop_wake(loops[0]);
    h2_loop_unlock(loops[0]);
    assert_int_equal(h2_workers_stop(workers, WAITING_PATIENCE_USEC), APR_SUCCESS);
    assert_null(loops[0]->leader);
    assert_false(loops[0]->has_standby);
}

static void *stop_workers(void *data)
{
    *(apr_status_t *)data = h2_workers_stop(workers, WAITING_PATIENCE_USEC);
    return NULL;
}

static int are_workers_stopping(void *data)
{
    int is_kept = h2_workers_keep(workers, H2_KEEP_RUNNER);

    (void)data;
    if (is_kept) {
        h2_workers_release_kept(workers, H2_KEEP_RUNNER);
    }
    return !is_kept;
}

static void a_standby_still_follows_while_the_child_ends(void **state)
{
    pthread_t thread;
    apr_status_t rv = APR_EGENERAL;

    (void)state;
    start(3, 1);
    give(&sessions[0], &requests[0], STUCK);
    assert_starts(&requests[0]);
    assert_int_equal(pthread_create(&thread, NULL, stop_workers, &rv), 0);
    assert_true(waiting_until(are_workers_stopping, NULL));
    watch();
    h2_loop_lock(loops[0]);
    sessions[1].wants_standby = 0; /* no more are to be had */
    loops[0]->is_stopping = 1;
    h2_loop_unlock(loops[0]);
    give(&sessions[1], &requests[1], QUICK);
    assert_ends(&requests[1]);
    assert_true(is_still_running(&requests[0]));
    release(&requests[0]);
    pthread_join(thread, NULL);
    assert_int_equal(rv, APR_SUCCESS);
}

/* ---- the watchdog ---- */

static void a_leader_that_is_stuck_loses_the_lead_within_milliseconds(void **state)
{
    apr_interval_time_t best = APR_INT64_MAX;
    int i;

    (void)state;
    start(3, 1);
    watch();
    for (i = 0; i < ATTEMPTS && best > DEPOSED_WITHIN_USEC; ++i) {
        request *stuck = &requests[2 * i];
        request *next = &requests[2 * i + 1];
        apr_interval_time_t took;

        give(&sessions[0], stuck, STUCK);
        assert_starts(stuck);
        give(&sessions[1], next, QUICK);
        assert_starts(next);
        assert_true(is_still_running(stuck));
        assert_ptr_not_equal(stuck->by, next->by);
        took = next->started_at - stuck->started_at;
        best = (took < best) ? took : best;
        release(stuck);
        assert_false(stuck->has_kept_lead);
    }
    assert_true(best <= DEPOSED_WITHIN_USEC);
    assert_true(best >= H2_WATCHDOG_TICK_USEC);
}

#define ROUND 16

static void quick_requests_keep_the_lead_under_the_watchdog(void **state)
{
    int i, changes = 0, fewest = ROUND;

    (void)state;
    start(3, 1);
    watch();
    for (i = 0; i < REQUESTS; ++i) {
        give(&sessions[i % 2], &requests[i], BRIEF);
        assert_ends(&requests[i]);
        changes += !requests[i].has_kept_lead;
        if (i % ROUND == ROUND - 1) {
            fewest = (changes < fewest) ? changes : fewest;
            changes = 0;
        }
    }
    /* A machine with other work to do makes some of them slow itself: its best moment counts. */
    assert_in_range(fewest, 0, ROUND / 8);
}

static void what_is_stuck_holds_up_none_behind_it(void **state)
{
    int i;

    (void)state;
    start(8, 1);
    watch();
    for (i = 0; i < 6; ++i) {
        give(&sessions[0], &requests[i], STUCK);
    }
    give(&sessions[0], &requests[6], QUICK);
    assert_ends(&requests[6]);
    for (i = 0; i < 6; ++i) {
        assert_true(is_still_running(&requests[i]));
    }
}

static void only_the_loop_that_is_stuck_loses_its_leader(void **state)
{
    const void *leader;

    (void)state;
    start(5, 2);
    watch();
    leader = leader_of(loops[1]);
    give(&sessions[SESSIONS - 1], &requests[0], QUICK);
    give(&sessions[0], &requests[1], STUCK);
    give(&sessions[0], &requests[2], QUICK);
    assert_ends(&requests[2]);
    assert_true(is_still_running(&requests[1]));
    assert_ends(&requests[0]);
    assert_ptr_equal(leader_of(loops[1]), leader);
}

static void without_a_standby_the_watchdog_lets_a_stuck_leader_lead(void **state)
{
    const void *leader;

    (void)state;
    start(4, 2);
    watch();
    leader = leader_of(loops[0]);
    sessions[0].wants_standby = 0;
    give(&sessions[0], &requests[0], STUCK);
    assert_starts(&requests[0]);
    /* The other loop's has been deposed twice: the watchdog has looked here as well. */
    give(&sessions[SESSIONS - 1], &requests[1], STUCK);
    give(&sessions[SESSIONS - 1], &requests[2], QUICK);
    assert_ends(&requests[2]);
    assert_ptr_equal(leader_of(loops[0]), leader);
    release(&requests[0]);
    assert_true(requests[0].has_kept_lead);
}

static int is_asleep(void *data)
{
    (void)data;
    return apr_atomic_read32(&watchdog->is_asleep) != 0;
}

static void the_watchdog_sleeps_while_nothing_runs_and_wakes_for_a_request(void **state)
{
    int i;

    (void)state;
    start(4, 1);
    watch();
    for (i = 0; i < 2; ++i) {
        assert_true(waiting_until(is_asleep, NULL));
        give(&sessions[0], &requests[2 * i], STUCK);
        give(&sessions[1], &requests[2 * i + 1], QUICK);
        assert_ends(&requests[2 * i + 1]);
        assert_false(is_asleep(NULL));
        release(&requests[2 * i]);
        assert_false(requests[2 * i].has_kept_lead);
    }
}

static void a_quick_request_that_wakes_the_watchdog_keeps_the_lead(void **state)
{
    int i, kept = 0;

    (void)state;
    start(4, 1);
    watch();
    for (i = 0; i < 6; ++i) {
        assert_true(waiting_until(is_asleep, NULL));
        give(&sessions[0], &requests[i], BRIEF);
        assert_ends(&requests[i]);
        kept += requests[i].has_kept_lead;
    }
    assert_in_range(kept, 4, 6); /* all, but for what else the machine does */
}

static void the_watchdog_can_be_stopped_awake_and_asleep(void **state)
{
    (void)state;
    start(2, 1);
    watch();
    h2_watchdog_stop(watchdog);
    watch();
    assert_true(waiting_until(is_asleep, NULL));
    h2_watchdog_stop(watchdog);
    watchdog = NULL;
}

static void a_watchdog_that_cannot_be_made_is_an_error(void **state)
{
    (void)state;
    start(1, 0);
    httpd_stubs.thread_failures = 1;
    assert_int_not_equal(h2_watchdog_create(&watchdog, pool, workers, loops, LOOPS), APR_SUCCESS);
    assert_null(watchdog);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_told_to_lead_leads),
        TEST(quick_requests_are_all_run_by_the_one_leader),
        TEST(the_number_of_runs_is_odd_while_the_leader_runs_a_request),
        TEST(who_detaches_is_followed_by_its_standby),
        TEST(the_task_in_work_goes_to_the_successor),
        TEST(the_lead_can_be_given_away_once_only),
        TEST(who_does_not_lead_has_nothing_to_give_away),
        TEST(without_a_standby_a_leader_keeps_the_lead),
        TEST(two_threads_take_turns_in_leading),
        TEST(one_standby_is_enough),
        TEST(where_no_standby_is_to_be_had_it_is_said_so),
        TEST(a_request_that_found_no_standby_runs_as_soon_as_a_thread_is_spare),
        TEST(a_leader_that_resigns_lets_its_standby_go),
        TEST(a_standby_still_follows_while_the_child_ends),
        TEST(a_leader_that_is_stuck_loses_the_lead_within_milliseconds),
        TEST(quick_requests_keep_the_lead_under_the_watchdog),
        TEST(what_is_stuck_holds_up_none_behind_it),
        TEST(only_the_loop_that_is_stuck_loses_its_leader),
        TEST(without_a_standby_the_watchdog_lets_a_stuck_leader_lead),
        TEST(the_watchdog_sleeps_while_nothing_runs_and_wakes_for_a_request),
        TEST(a_quick_request_that_wakes_the_watchdog_keeps_the_lead),
        TEST(the_watchdog_can_be_stopped_awake_and_asleep),
        TEST(a_watchdog_that_cannot_be_made_is_an_error),
    };

    apr_initialize();
    waiting_alarm(120);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

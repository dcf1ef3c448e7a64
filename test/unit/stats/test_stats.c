/* stats/: what children leave in shared memory, over restarts and crashes. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <http_core.h>
#include <mpm_common.h>

#include "stats/h2_history.h"
#include "stats/h2_report.h"
#include "stats/h2_shared.h"
#include "stats/h2_stats.h"

#define SLOTS 3
#define LOOPS 2

/* ---- stand-ins: httpd keeps this for the process ---- */

static apr_pool_t *process_pool;
static process_rec process;
static server_rec server = {.process = &process};
static apr_hash_t *kept;
static int generation;

void *ap_retained_data_get(const char *key)
{
    return apr_hash_get(kept, key, APR_HASH_KEY_STRING);
}

void *ap_retained_data_create(const char *key, apr_size_t size)
{
    void *data = apr_pcalloc(process_pool, size);

    apr_hash_set(kept, key, APR_HASH_KEY_STRING, data);
    return data;
}

apr_status_t ap_mpm_query(int code, int *value)
{
    assert_int_equal(code, AP_MPMQ_GENERATION);
    *value = generation;
    return APR_SUCCESS;
}

static int start(void **state)
{
    (void)state;
    apr_pool_create(&process_pool, NULL);
    process.pool = process_pool;
    kept = apr_hash_make(process_pool);
    generation = 0;
    return !(h2_stats_create(&server, SLOTS, LOOPS) && h2_report_create(&server, SLOTS, LOOPS)
             && h2_history_create(&server));
}

static int stop(void **state)
{
    (void)state;
    apr_pool_destroy(process_pool);
    return 0;
}

static h2_stats_sum sum(void)
{
    h2_stats_sum all;

    h2_stats_add_up(&all);
    return all;
}

/* A child that counts so many requests, has them run, and ends as it is told. Returns its pid. */
static pid_t run_child(int requests, int is_ended)
{
    pid_t pid = fork();

    if (pid == 0) {
        h2_stats_slot *slot = h2_stats_claim();
        h2_stats *stats = h2_stats_of_loop(slot, 1);

        h2_stats_add(stats, H2_COUNT_REQUESTS, (apr_uint64_t)requests);
        h2_stats_gauge(stats, H2_GAUGE_RUNNING, requests);
        h2_stats_time(stats, H2_TIME_RUN, 100);
        h2_cell_set(&slot->workers.figures[H2_WORKERS_TOTAL], 4);
        h2_cell_add(&slot->workers.figures[H2_WORKERS_STARTED], 4);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    if (is_ended) {
        h2_stats_release(pid);
    }
    return pid;
}

static void counts_of_a_child_that_has_ended_stay_and_its_gauges_do_not(void **state)
{
    pid_t pid = run_child(5, 0);

    (void)state;
    assert_int_equal(sum().counts[H2_COUNT_REQUESTS], 5);
    assert_int_equal(sum().gauges[H2_GAUGE_RUNNING], 5);
    assert_int_equal(sum().workers[H2_WORKERS_TOTAL], 4);
    assert_int_equal(sum().child_count, 1);
    h2_stats_release(pid);
    assert_int_equal(sum().counts[H2_COUNT_REQUESTS], 5);
    assert_int_equal(sum().times[H2_TIME_RUN].count, 1);
    assert_int_equal(sum().workers[H2_WORKERS_STARTED], 4);
    assert_int_equal(sum().gauges[H2_GAUGE_RUNNING], 0);
    assert_int_equal(sum().workers[H2_WORKERS_TOTAL], 0);
    assert_int_equal(sum().child_count, 0);
}

static void who_has_the_slot_next_goes_on_counting_and_has_its_own_gauges(void **state)
{
    (void)state;
    run_child(5, 1);
    run_child(7, 0);
    assert_int_equal(sum().counts[H2_COUNT_REQUESTS], 12);
    assert_int_equal(sum().gauges[H2_GAUGE_RUNNING], 7);
    assert_int_equal(sum().workers[H2_WORKERS_TOTAL], 4);
}

static void more_children_than_slots_find_none(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < SLOTS; ++i) {
        run_child(1, 0);
    }
    assert_null(h2_stats_claim());
    assert_null(h2_stats_of_loop(NULL, 0));
    assert_int_equal(sum().child_count, SLOTS);
}

static void a_pid_that_has_no_slot_is_nobodys(void **state)
{
    (void)state;
    run_child(1, 0);
    h2_stats_release(getpid());
    h2_stats_release(0);
    assert_int_equal(sum().child_count, 1);
}

static void a_graceful_restart_finds_what_was_there(void **state)
{
    apr_time_t since = h2_stats_since();

    (void)state;
    run_child(5, 1);
    assert_true(h2_stats_create(&server, SLOTS, LOOPS));
    ++generation;
    assert_int_equal(h2_stats_since(), since);
    assert_int_equal(sum().counts[H2_COUNT_REQUESTS], 5);
}

static void with_other_sizes_all_begins_anew(void **state)
{
    (void)state;
    run_child(5, 1);
    assert_true(h2_stats_create(&server, SLOTS + 1, LOOPS));
    assert_int_equal(sum().counts[H2_COUNT_REQUESTS], 0);
}

static void a_loop_that_the_segment_has_no_room_for_is_not_seen(void **state)
{
    (void)state;
    assert_null(h2_stats_of_loop(h2_stats_claim(), LOOPS));
}

static void a_row_of_counts_has_a_last_one_for_all_others(void **state)
{
    h2_stats *stats = h2_stats_of_loop(h2_stats_claim(), 0);

    (void)state;
    h2_stats_count_of(stats, H2_COUNT_RESETS_SENT0, 8, H2_STATS_ERRORS);
    h2_stats_count_of(stats, H2_COUNT_RESETS_SENT0, 0xffffffff, H2_STATS_ERRORS);
    assert_int_equal(sum().counts[H2_COUNT_RESETS_SENT0 + 8], 1);
    assert_int_equal(sum().counts[H2_COUNT_RESETS_SENT0 + H2_STATS_ERRORS - 1], 1);
    assert_int_equal(sum().counts[H2_COUNT_RESETS_RECEIVED0], 0);
}

/* ---- pieces that are put and taken whole ---- */

#define WORDS 512
static apr_uint64_t shared[WORDS];
static h2_shared_guard guard;
static atomic_int is_over;

static void *put_again_and_again(void *data)
{
    apr_uint64_t own[WORDS];
    apr_uint64_t number;
    int i;

    (void)data;
    for (number = 1; !atomic_load(&is_over); ++number) {
        for (i = 0; i < WORDS; ++i) {
            own[i] = number;
        }
        h2_shared_put(&guard, shared, own, sizeof(own));
    }
    return NULL;
}

static void a_reader_gets_all_of_one_writing_or_nothing(void **state)
{
    pthread_t writer;
    apr_uint64_t seen[WORDS];
    int i, k;

    (void)state;
    pthread_create(&writer, NULL, put_again_and_again, NULL);
    for (i = 0; i < 20000; ++i) {
        if (h2_shared_get(&guard, seen, shared, sizeof(seen))) {
            for (k = 1; k < WORDS && seen[k] == seen[0]; ++k) {
                continue;
            }
            if (k < WORDS) {
                break;
            }
        }
    }
    atomic_store(&is_over, 1);
    pthread_join(writer, NULL);
    assert_int_equal(i, 20000);
}

static void what_a_writer_has_left_half_done_is_not_to_be_had_until_it_is_reset(void **state)
{
    apr_uint64_t from[2] = {1, 2}, to[2], own[2] = {0, 0};
    h2_shared_guard own_guard = 1;

    (void)state;
    assert_false(h2_shared_get(&own_guard, to, own, sizeof(own)));
    h2_shared_reset(&own_guard);
    h2_shared_put(&own_guard, own, from, sizeof(own));
    assert_true(h2_shared_get(&own_guard, to, own, sizeof(own)));
    assert_memory_equal(to, from, sizeof(to));
}

/* ---- the last minutes ---- */

static void samples_have_a_second_each_and_gaps_have_what_was_before(void **state)
{
    static h2_sample samples[H2_HISTORY_SECONDS];
    h2_stats *stats = h2_stats_of_loop(h2_stats_claim(), 0);
    apr_time_t now = apr_time_from_sec(1000000);
    int last = H2_HISTORY_SECONDS - 1;

    (void)state;
    h2_stats_add(stats, H2_COUNT_REQUESTS, 10);
    h2_stats_gauge(stats, H2_GAUGE_SESSIONS, 2);
    h2_history_tick(now);
    h2_stats_add(stats, H2_COUNT_REQUESTS, 5);
    h2_history_tick(now); /* the second has its sample */
    h2_history_tick(now + apr_time_from_sec(3));
    h2_history_get(samples, now + apr_time_from_sec(4));
    assert_int_equal(samples[last].second, 1000004);
    assert_int_equal(samples[last - 4].requests, 10);
    assert_int_equal(samples[last - 4].sessions, 2);
    assert_int_equal(samples[last - 3].requests, 10);
    assert_int_equal(samples[last - 3].sessions, 0);
    assert_int_equal(samples[last - 1].requests, 15);
    assert_int_equal(samples[last].requests, 15);
    assert_int_equal(samples[0].requests, 10); /* nothing is known to have happened there */
    assert_int_equal(samples[0].sessions, 0);
}

static void old_samples_are_forgotten(void **state)
{
    static h2_sample samples[H2_HISTORY_SECONDS];
    h2_stats *stats = h2_stats_of_loop(h2_stats_claim(), 0);
    apr_time_t now = apr_time_from_sec(1000000);

    (void)state;
    h2_stats_add(stats, H2_COUNT_REQUESTS, 10);
    h2_history_tick(now);
    h2_history_get(samples, now + apr_time_from_sec(H2_HISTORY_SECONDS));
    assert_int_equal(samples[0].requests, 0);
    assert_int_equal(samples[H2_HISTORY_SECONDS - 1].requests, 0);
}

/* ---- reports ---- */

static void a_report_that_was_put_is_found_and_only_while_it_is_new(void **state)
{
    static h2_connection_report report, found;
    apr_int64_t id;
    int slot = h2_stats_index(h2_stats_claim());

    (void)state;
    assert_false(h2_report_is_asked(apr_time_now(), &id));
    h2_report_begin(slot);
    report.session.id = 77;
    report.made = apr_time_now();
    h2_report_put_connection(slot, &report);
    assert_true(h2_report_get_connection(77, &found));
    assert_false(h2_report_get_connection(78, &found));
    h2_report_ask(77); /* finds it at once */
    assert_true(h2_report_is_asked(apr_time_now(), &id));
    assert_int_equal(id, 77);
    assert_false(h2_report_is_asked(apr_time_now() + apr_time_from_sec(11), &id));
    report.made -= apr_time_from_sec(60);
    h2_report_put_connection(slot, &report);
    assert_false(h2_report_get_connection(77, &found));
}

static void who_asks_waits_for_loops_that_have_connections_but_not_long(void **state)
{
    h2_stats_slot *slot = h2_stats_claim();
    apr_time_t begun = apr_time_now();
    h2_loop_report report = {0}, found;

    (void)state;
    h2_report_ask(0);
    assert_true(apr_time_now() - begun < apr_time_from_sec(1)); /* there are none */
    h2_stats_gauge(h2_stats_of_loop(slot, 1), H2_GAUGE_SESSIONS, 1);
    begun = apr_time_now();
    h2_report_ask(0);
    assert_in_range(apr_time_now() - begun, apr_time_from_sec(1), apr_time_from_sec(30));
    assert_false(h2_report_get_loop(h2_stats_index(slot), 1, &found));
    report.made = apr_time_now();
    report.session_count = 3;
    h2_report_put_loop(h2_stats_index(slot), 1, &report);
    assert_true(h2_report_get_loop(h2_stats_index(slot), 1, &found));
    assert_int_equal(found.session_count, 3);
    h2_report_begin(h2_stats_index(slot)); /* another child has the slot */
    assert_false(h2_report_get_loop(h2_stats_index(slot), 1, &found));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)
    const struct CMUnitTest tests[] = {
        TEST(counts_of_a_child_that_has_ended_stay_and_its_gauges_do_not),
        TEST(who_has_the_slot_next_goes_on_counting_and_has_its_own_gauges),
        TEST(more_children_than_slots_find_none),
        TEST(a_pid_that_has_no_slot_is_nobodys),
        TEST(a_graceful_restart_finds_what_was_there),
        TEST(with_other_sizes_all_begins_anew),
        TEST(a_loop_that_the_segment_has_no_room_for_is_not_seen),
        TEST(a_row_of_counts_has_a_last_one_for_all_others),
        TEST(a_reader_gets_all_of_one_writing_or_nothing),
        TEST(what_a_writer_has_left_half_done_is_not_to_be_had_until_it_is_reset),
        TEST(samples_have_a_second_each_and_gaps_have_what_was_before),
        TEST(old_samples_are_forgotten),
        TEST(a_report_that_was_put_is_found_and_only_while_it_is_new),
        TEST(who_asks_waits_for_loops_that_have_connections_but_not_long),
    };

    apr_initialize();
    return cmocka_run_group_tests(tests, NULL, NULL);
}

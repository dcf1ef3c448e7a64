/* loop/h2_loop.c: sockets, timers, wake-ups and the tasks that have something to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/socket.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_portable.h>

#include "loop/h2_loop.h"
#include "../waiting.h"

/* More sockets than one call of poll reports. */
#define MANY_SOCKETS 300

/* Longest wait of a leader that has no timer. */
#define WAIT_MAX_USEC (30 * APR_USEC_PER_SEC)

#define MINUTE (60 * APR_USEC_PER_SEC)

static apr_pool_t *pool;
static h2_loop *loop;
static h2_task task;  /* with a socket */
static h2_task other; /* without */
static h2_task nudge; /* the same, see pass() */
static int peer;      /* the far end of task's socket, -1: closed */

/* Clocks that tests can set, ours and the system's. They take the places of the real ones for the
 * whole program, APR's waits too; only tests without threads that wait for a time set them. */
static apr_interval_time_t clock_offset;
static apr_interval_time_t wall_offset;

apr_time_t h2_clock_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return apr_time_from_sec((apr_time_t)now.tv_sec + 1000000) + now.tv_nsec / 1000 + clock_offset;
}

apr_time_t apr_time_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return apr_time_from_sec(now.tv_sec) + now.tv_nsec / 1000 + wall_offset;
}

static apr_socket_t *make_pair(int *pfar)
{
    apr_socket_t *near = NULL;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(apr_os_sock_put(&near, &pair[0], pool), APR_SUCCESS);
    *pfar = pair[1];
    return near;
}

static void close_near(h2_task *of)
{
    int descriptor;

    apr_os_sock_get(&descriptor, of->pfds[0].desc.s);
    close(descriptor);
}

static void close_peer(void)
{
    close(peer);
    peer = -1;
}

/* Each test holds the loop. */
static int setup(void **state)
{
    (void)state;
    clock_offset = wall_offset = 0;
    apr_pool_create(&pool, NULL);
    assert_int_equal(h2_loop_create(&loop, 7, NULL, pool), APR_SUCCESS);
    h2_loop_lock(loop);
    h2_loop_add(loop, &task, make_pair(&peer), &task);
    h2_loop_add(loop, &other, NULL, &other);
    h2_loop_add(loop, &nudge, NULL, &nudge);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    h2_loop_unlock(loop);
    clock_offset = wall_offset = 0;
    close_near(&task);
    if (peer >= 0) {
        close(peer);
    }
    apr_pool_destroy(pool);
    return 0;
}

static void say(int descriptor)
{
    assert_int_equal(write(descriptor, "x", 1), 1);
}

/* One wait that does not wait: what is there by now, so much later. */
static void pass(apr_interval_time_t usec)
{
    clock_offset += usec;
    h2_loop_ready(loop, &nudge);
    h2_loop_wait(loop);
    assert_ptr_equal(h2_loop_next(loop), &nudge);
}

static void assert_nothing_is_ready(void)
{
    assert_null(h2_loop_next(loop));
}

static void assert_only_is_ready(h2_task *expected)
{
    assert_ptr_equal(h2_loop_next(loop), expected);
    assert_nothing_is_ready();
}

/* ---- sockets ---- */

static void a_new_loop_has_nothing_to_do(void **state)
{
    (void)state;
    assert_int_equal(loop->index, 7);
    assert_null(loop->leader);
    assert_nothing_is_ready();
    pass(0);
    assert_nothing_is_ready();
}

static void a_socket_with_bytes_makes_its_task_ready(void **state)
{
    (void)state;
    assert_int_equal(h2_loop_watch(loop, &task, APR_POLLIN), APR_SUCCESS);
    pass(0);
    assert_nothing_is_ready();
    say(peer);
    h2_loop_wait(loop);
    assert_only_is_ready(&task);
    assert_int_equal(task.revents, APR_POLLIN);
    assert_ptr_equal(task.owner, &task);
}

static void a_socket_that_can_be_written_makes_its_task_ready(void **state)
{
    (void)state;
    h2_loop_watch(loop, &task, APR_POLLOUT);
    h2_loop_wait(loop);
    assert_only_is_ready(&task);
    assert_int_equal(task.revents, APR_POLLOUT);
}

static void a_peer_that_has_gone_is_an_event(void **state)
{
    (void)state;
    h2_loop_watch(loop, &task, APR_POLLIN);
    close_peer();
    h2_loop_wait(loop);
    assert_only_is_ready(&task);
    assert_true(task.revents & (APR_POLLIN | APR_POLLHUP));
}

static void events_gather_until_the_owner_has_seen_them(void **state)
{
    (void)state;
    say(peer);
    h2_loop_watch(loop, &task, APR_POLLIN);
    h2_loop_wait(loop);
    h2_loop_watch(loop, &task, APR_POLLOUT);
    h2_loop_wait(loop);
    assert_only_is_ready(&task);
    assert_int_equal(task.revents, APR_POLLIN | APR_POLLOUT);
}

static void a_socket_is_reported_until_it_is_read(void **state)
{
    char byte;
    int near;

    (void)state;
    apr_os_sock_get(&near, task.pfds[0].desc.s);
    h2_loop_watch(loop, &task, APR_POLLIN);
    say(peer);
    pass(0);
    assert_only_is_ready(&task);
    pass(0);
    assert_only_is_ready(&task);
    assert_int_equal(read(near, &byte, 1), 1);
    pass(0);
    assert_nothing_is_ready();
}

static void a_socket_that_is_not_watched_is_silent(void **state)
{
    (void)state;
    say(peer);
    pass(0);
    assert_nothing_is_ready();
    h2_loop_watch(loop, &task, APR_POLLIN);
    h2_loop_watch(loop, &task, 0);
    pass(0);
    assert_nothing_is_ready();
    h2_loop_watch(loop, &task, 0);
    pass(0);
    assert_nothing_is_ready();
}

static void watching_twice_is_watching_once(void **state)
{
    (void)state;
    say(peer);
    assert_int_equal(h2_loop_watch(loop, &task, APR_POLLIN), APR_SUCCESS);
    assert_int_equal(h2_loop_watch(loop, &task, APR_POLLIN), APR_SUCCESS);
    pass(0);
    assert_only_is_ready(&task);
    h2_loop_watch(loop, &task, 0);
    pass(0);
    assert_nothing_is_ready();
}

static void other_events_take_the_place_of_those_before(void **state)
{
    (void)state;
    say(peer);
    h2_loop_watch(loop, &task, APR_POLLIN);
    h2_loop_watch(loop, &task, APR_POLLOUT);
    pass(0);
    assert_only_is_ready(&task);
    assert_int_equal(task.revents, APR_POLLOUT);
}

static void a_socket_that_cannot_be_watched_is_an_error(void **state)
{
    static h2_task bad;
    apr_socket_t *near = NULL;
    int far, descriptor;

    (void)state;
    near = make_pair(&far);
    apr_os_sock_get(&descriptor, near);
    close(descriptor);
    close(far);
    h2_loop_add(loop, &bad, near, NULL);
    assert_int_not_equal(h2_loop_watch(loop, &bad, APR_POLLIN), APR_SUCCESS);
    assert_false(bad.is_polled);
    assert_int_not_equal(h2_loop_watch(loop, &bad, APR_POLLIN), APR_SUCCESS);
    h2_loop_remove(loop, &bad);
}

static void more_sockets_than_one_batch_are_all_served(void **state)
{
    static h2_task many[MANY_SOCKETS];
    int far[MANY_SOCKETS];
    int i, seen = 0, waits;
    h2_task *next;

    (void)state;
    for (i = 0; i < MANY_SOCKETS; ++i) {
        h2_loop_add(loop, &many[i], make_pair(&far[i]), NULL);
        assert_int_equal(h2_loop_watch(loop, &many[i], APR_POLLIN), APR_SUCCESS);
        say(far[i]);
    }
    for (waits = 0; waits < 10 && seen < MANY_SOCKETS; ++waits) {
        h2_loop_wait(loop);
        while ((next = h2_loop_next(loop)) != NULL) {
            h2_loop_watch(loop, next, 0);
            ++seen;
        }
    }
    assert_int_equal(seen, MANY_SOCKETS);
    for (i = 0; i < MANY_SOCKETS; ++i) {
        h2_loop_remove(loop, &many[i]);
        close_near(&many[i]);
        close(far[i]);
    }
}

/* ---- the ready list ---- */

static void ready_tasks_come_once_each_in_their_order(void **state)
{
    (void)state;
    h2_loop_ready(loop, &other);
    h2_loop_ready(loop, &task);
    h2_loop_ready(loop, &other);
    assert_ptr_equal(h2_loop_next(loop), &other);
    assert_ptr_equal(h2_loop_next(loop), &task);
    assert_nothing_is_ready();
}

static void a_task_that_becomes_ready_while_it_is_worked_on_comes_again(void **state)
{
    (void)state;
    h2_loop_ready(loop, &task);
    assert_ptr_equal(h2_loop_next(loop), &task);
    h2_loop_ready(loop, &task);
    assert_only_is_ready(&task);
}

static void all_tasks_can_be_made_ready_at_once(void **state)
{
    (void)state;
    h2_loop_ready(loop, &other);
    h2_loop_ready_all(loop);
    assert_ptr_equal(h2_loop_next(loop), &other);
    assert_ptr_equal(h2_loop_next(loop), &task);
    assert_ptr_equal(h2_loop_next(loop), &nudge);
    assert_nothing_is_ready();
}

static void events_are_looked_for_although_tasks_are_ready(void **state)
{
    (void)state;
    h2_loop_watch(loop, &task, APR_POLLIN);
    say(peer);
    h2_loop_ready(loop, &other);
    h2_loop_wait(loop);
    assert_ptr_equal(h2_loop_next(loop), &other);
    assert_only_is_ready(&task);
}

static void what_can_wait_comes_behind_what_cannot(void **state)
{
    (void)state;
    h2_loop_ready_later(loop, &task);
    h2_loop_ready_later(loop, &task);
    assert_nothing_is_ready();
    h2_loop_ready(loop, &other);
    h2_loop_wait(loop); /* does not wait */
    assert_ptr_equal(h2_loop_next(loop), &other);
    assert_only_is_ready(&task);
    assert_false(task.is_ready);
}

static void what_can_wait_comes_one_at_a_time(void **state)
{
    (void)state;
    h2_loop_ready_later(loop, &task);
    h2_loop_ready_later(loop, &other);
    h2_loop_wait(loop);
    assert_only_is_ready(&task);
    h2_loop_wait(loop);
    assert_only_is_ready(&other);
}

static void what_is_ready_already_does_not_fall_back(void **state)
{
    (void)state;
    h2_loop_ready(loop, &task);
    h2_loop_ready_later(loop, &task);
    assert_only_is_ready(&task);
    h2_loop_wake(loop);
    pass(0);
    assert_nothing_is_ready();
}

static void what_can_wait_need_not_wait_for_ever(void **state)
{
    int waits;

    (void)state;
    h2_loop_ready_later(loop, &task);
    for (waits = 0; waits < 10 && task.is_ready; ++waits) {
        h2_task *next;

        h2_loop_ready(loop, &other); /* there is always something */
        h2_loop_wait(loop);
        assert_ptr_equal(h2_loop_next(loop), &other);
        while ((next = h2_loop_next(loop)) != NULL) {
            assert_ptr_equal(next, &task);
        }
    }
    assert_false(task.is_ready);
}

static void a_loop_is_empty_when_all_tasks_have_been_removed(void **state)
{
    (void)state;
    assert_false(h2_loop_is_empty(loop));
    h2_loop_remove(loop, &nudge);
    h2_loop_remove(loop, &other);
    assert_false(h2_loop_is_empty(loop));
    h2_loop_ready_later(loop, &task);
    h2_loop_remove(loop, &task);
    assert_true(h2_loop_is_empty(loop));
}

static void a_removed_task_is_in_no_list_any_more(void **state)
{
    (void)state;
    h2_loop_watch(loop, &task, APR_POLLIN);
    say(peer);
    h2_loop_ready(loop, &task);
    h2_loop_starve(loop, &task);
    h2_loop_deadline(loop, &task, loop->now + 1);
    loop->current = &task;
    h2_loop_remove(loop, &task);
    assert_null(loop->current);
    assert_null(task.owner);
    assert_int_equal(loop->starved_count, 0);
    loop->is_retrying = 1;
    h2_loop_ready_all(loop);
    assert_ptr_equal(h2_loop_next(loop), &other);
    assert_ptr_equal(h2_loop_next(loop), &nudge);
    pass(MINUTE);
    assert_nothing_is_ready();
}

static void the_task_in_work_stays_when_another_is_removed(void **state)
{
    (void)state;
    loop->current = &task;
    h2_loop_remove(loop, &other);
    assert_ptr_equal(loop->current, &task);
}

static void a_task_can_come_back_after_its_removal(void **state)
{
    apr_socket_t *socket = task.pfds[0].desc.s;

    (void)state;
    h2_loop_watch(loop, &task, APR_POLLIN);
    h2_loop_remove(loop, &task);
    h2_loop_add(loop, &task, socket, &task);
    h2_loop_watch(loop, &task, APR_POLLIN);
    say(peer);
    pass(0);
    assert_only_is_ready(&task);
}

/* ---- timers ---- */

static void a_deadline_makes_its_task_due_and_never_too_early(void **state)
{
    apr_time_t when = loop->now + APR_USEC_PER_SEC;

    (void)state;
    h2_loop_deadline(loop, &task, when);
    pass(APR_USEC_PER_SEC / 2);
    assert_nothing_is_ready();
    assert_false(task.is_due);
    pass(APR_USEC_PER_SEC / 2 + H2_LOOP_SLOT_USEC);
    assert_only_is_ready(&task);
    assert_true(task.is_due);
    assert_int_equal(task.revents, 0);
    assert_true(loop->now >= when);
}

static void a_task_is_due_once(void **state)
{
    (void)state;
    h2_loop_deadline(loop, &task, loop->now + 1);
    pass(APR_USEC_PER_SEC);
    assert_only_is_ready(&task);
    pass(MINUTE);
    assert_nothing_is_ready();
    pass(10 * MINUTE);
    assert_nothing_is_ready();
}

static void a_deadline_in_the_past_is_due_at_the_next_slot(void **state)
{
    (void)state;
    h2_loop_deadline(loop, &task, loop->now - MINUTE);
    h2_loop_deadline(loop, &other, 1);
    pass(H2_LOOP_SLOT_USEC);
    assert_ptr_equal(h2_loop_next(loop), &task);
    assert_only_is_ready(&other);
}

static void a_deadline_that_was_taken_back_never_comes(void **state)
{
    (void)state;
    h2_loop_deadline(loop, &task, loop->now + 1);
    h2_loop_deadline(loop, &task, 0);
    pass(10 * MINUTE);
    assert_nothing_is_ready();
}

static void a_deadline_can_be_set_anew_after_it_was_taken_back(void **state)
{
    (void)state;
    h2_loop_deadline(loop, &task, loop->now + MINUTE);
    h2_loop_deadline(loop, &task, 0);
    h2_loop_deadline(loop, &task, loop->now + 1);
    pass(APR_USEC_PER_SEC);
    assert_only_is_ready(&task);
}

static void a_deadline_that_is_moved_back_is_kept_to(void **state)
{
    int second;

    (void)state;
    for (second = 0; second < 100; ++second) {
        h2_loop_deadline(loop, &task, loop->now + 2 * APR_USEC_PER_SEC);
        pass(APR_USEC_PER_SEC);
        assert_nothing_is_ready();
    }
    pass(APR_USEC_PER_SEC + H2_LOOP_SLOT_USEC);
    assert_only_is_ready(&task);
}

static void a_deadline_that_is_moved_forward_is_kept_to(void **state)
{
    (void)state;
    h2_loop_deadline(loop, &task, loop->now + MINUTE);
    h2_loop_deadline(loop, &task, loop->now + 2 * MINUTE);
    h2_loop_deadline(loop, &task, loop->now + APR_USEC_PER_SEC);
    pass(APR_USEC_PER_SEC + H2_LOOP_SLOT_USEC);
    assert_only_is_ready(&task);
    pass(3 * MINUTE);
    assert_nothing_is_ready();
}

static void a_new_deadline_takes_the_one_that_has_passed_away(void **state)
{
    (void)state;
    h2_loop_deadline(loop, &task, loop->now + 1);
    pass(APR_USEC_PER_SEC);
    assert_true(task.is_due);
    h2_loop_deadline(loop, &task, loop->now + APR_USEC_PER_SEC);
    assert_only_is_ready(&task);
    assert_false(task.is_due);
    pass(2 * APR_USEC_PER_SEC);
    assert_only_is_ready(&task);
    assert_true(task.is_due);
}

static void a_deadline_beyond_the_wheel_is_kept_to(void **state)
{
    int minute;

    (void)state;
    h2_loop_deadline(loop, &task, loop->now + 60 * MINUTE);
    h2_loop_deadline(loop, &other, loop->now + 65 * APR_USEC_PER_SEC);
    pass(MINUTE);
    assert_nothing_is_ready();
    pass(5 * APR_USEC_PER_SEC + H2_LOOP_SLOT_USEC);
    assert_only_is_ready(&other);
    for (minute = 1; minute < 59; ++minute) {
        pass(MINUTE);
        assert_nothing_is_ready();
    }
    pass(MINUTE);
    assert_only_is_ready(&task);
}

static apr_uint32_t next_random(apr_uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void no_deadline_is_missed_by_more_than_a_slot(void **state)
{
    static h2_task many[200];
    const apr_interval_time_t step = 70000;
    apr_uint32_t seed = 4711;
    int i, left = 200;
    h2_task *next;

    (void)state;
    for (i = 0; i < 200; ++i) {
        h2_loop_add(loop, &many[i], NULL, NULL);
        h2_loop_deadline(loop, &many[i],
                         loop->now + 1 + next_random(&seed) % (100 * APR_USEC_PER_SEC));
    }
    for (i = 0; i < 2000 && left; ++i) {
        /* The real clock goes on as well: judge by the loop's. */
        apr_time_t before = loop->now;

        pass(step);
        while ((next = h2_loop_next(loop)) != NULL) {
            assert_true(next->is_due);
            assert_true(next->deadline <= loop->now);
            assert_true(before - next->deadline <= H2_LOOP_SLOT_USEC);
            --left;
        }
    }
    assert_int_equal(left, 0);
}

static void a_clock_that_leaps_ahead_makes_due_what_lies_between(void **state)
{
    (void)state;
    h2_loop_deadline(loop, &task, loop->now + 30 * APR_USEC_PER_SEC);
    h2_loop_deadline(loop, &other, loop->now + 48 * 60 * MINUTE);
    pass(24 * 60 * MINUTE);
    assert_only_is_ready(&task);
    pass(24 * 60 * MINUTE - MINUTE);
    assert_nothing_is_ready();
    pass(2 * MINUTE);
    assert_only_is_ready(&other);
}

static void a_clock_that_is_set_back_makes_nothing_due_and_loses_nothing(void **state)
{
    apr_time_t when = loop->now + 10 * APR_USEC_PER_SEC;

    (void)state;
    h2_loop_deadline(loop, &task, when);
    pass(-60 * MINUTE);
    assert_nothing_is_ready();
    h2_loop_deadline(loop, &other, loop->now + APR_USEC_PER_SEC);
    pass(APR_USEC_PER_SEC + H2_LOOP_SLOT_USEC);
    assert_only_is_ready(&other);
    pass(59 * MINUTE);
    assert_nothing_is_ready();
    pass(MINUTE + 10 * APR_USEC_PER_SEC);
    assert_only_is_ready(&task);
    assert_true(loop->now >= when);
}

static void the_systems_clock_makes_nothing_due_and_is_followed(void **state)
{
    apr_interval_time_t steps[] = {60 * MINUTE, -120 * MINUTE, -1000, 90 * MINUTE};
    size_t i;

    (void)state;
    h2_loop_deadline(loop, &task, loop->now + APR_USEC_PER_SEC);
    for (i = 0; i < sizeof(steps) / sizeof(steps[0]); ++i) {
        wall_offset += steps[i];
        pass(0);
        assert_nothing_is_ready();
        assert_true(llabs(h2_loop_wall_time(loop) - apr_time_now()) < APR_USEC_PER_SEC);
    }
    pass(APR_USEC_PER_SEC + H2_LOOP_SLOT_USEC);
    assert_only_is_ready(&task);
}

static void a_wait_ends_when_a_deadline_has_passed(void **state)
{
    apr_time_t when = loop->now + 1000;

    (void)state;
    h2_loop_deadline(loop, &task, when);
    h2_loop_wait(loop);
    assert_only_is_ready(&task);
    assert_true(task.is_due);
    assert_true(h2_clock_now() >= when);
}

/* ---- the leader waits, others wake it ---- */

typedef struct leader {
    pthread_t thread;
    waiting_count returns; /* of h2_loop_wait() */
    waiting_count seen;    /* tasks that were ready */
    h2_task *last_seen;    /* guarded by the loop's lock, as is is_stopping */
    int is_stopping;
} leader;

static void *lead(void *data)
{
    leader *self = data;
    h2_task *next;

    h2_loop_lock(loop);
    while (!self->is_stopping) {
        next = h2_loop_next(loop);
        if (next) {
            self->last_seen = next;
            waiting_count_add(&self->seen, 1);
        }
        else {
            h2_loop_wait(loop);
            waiting_count_add(&self->returns, 1);
        }
    }
    h2_loop_unlock(loop);
    return NULL;
}

static int is_leader_waiting(void *data)
{
    int is_waiting;

    (void)data;
    h2_loop_lock(loop);
    is_waiting = loop->is_waiting;
    h2_loop_unlock(loop);
    return is_waiting;
}

/* Gives the loop to a leader and takes it when that waits. */
static void let_lead(leader *self)
{
    memset(self, 0, sizeof(*self));
    pthread_mutex_init(&self->returns.lock, NULL);
    pthread_cond_init(&self->returns.cond, NULL);
    pthread_mutex_init(&self->seen.lock, NULL);
    pthread_cond_init(&self->seen.cond, NULL);
    h2_loop_unlock(loop);
    assert_int_equal(pthread_create(&self->thread, NULL, lead, self), 0);
    assert_true(waiting_until(is_leader_waiting, NULL));
    h2_loop_lock(loop);
}

static void end_lead(leader *self)
{
    self->is_stopping = 1;
    h2_loop_wake(loop);
    h2_loop_unlock(loop);
    pthread_join(self->thread, NULL);
    h2_loop_lock(loop);
}

/* Gives the loop to the leader until it has seen so many tasks. */
static void assert_sees(leader *self, int count)
{
    int is_seen;

    h2_loop_unlock(loop);
    is_seen = waiting_count_reaches(&self->seen, count);
    h2_loop_lock(loop);
    assert_true(is_seen);
}

static void the_loop_is_free_while_its_leader_waits(void **state)
{
    leader self;

    (void)state;
    let_lead(&self);
    assert_true(loop->is_waiting);
    end_lead(&self);
    assert_false(loop->is_waiting);
}

static void without_timers_a_leader_waits_long_but_not_for_ever(void **state)
{
    leader self;

    (void)state;
    let_lead(&self);
    assert_true(loop->wait_until > loop->now + WAIT_MAX_USEC / 2);
    assert_true(loop->wait_until <= loop->now + WAIT_MAX_USEC + 1000);
    end_lead(&self);
}

static void a_task_that_is_made_ready_wakes_the_leader(void **state)
{
    leader self;

    (void)state;
    let_lead(&self);
    h2_loop_ready(loop, &other);
    assert_sees(&self, 1);
    assert_ptr_equal(self.last_seen, &other);
    end_lead(&self);
}

static void making_all_tasks_ready_wakes_the_leader(void **state)
{
    leader self;

    (void)state;
    let_lead(&self);
    h2_loop_ready_all(loop);
    assert_sees(&self, 3);
    end_lead(&self);
}

static void a_socket_that_is_watched_from_now_on_needs_no_wake_up(void **state)
{
    leader self;

    (void)state;
    say(peer);
    let_lead(&self);
    h2_loop_watch(loop, &other, 0);
    h2_loop_watch(loop, &task, APR_POLLIN);
    assert_sees(&self, 1);
    h2_loop_watch(loop, &task, 0);
    assert_ptr_equal(self.last_seen, &task);
    end_lead(&self);
}

/* Under ThreadSanitizer: what poll reads without the lock is not written meanwhile. The leader
 * comes back from poll, as the socket is writable, and then waits for the loop. */
static void other_events_can_be_watched_while_the_leader_polls(void **state)
{
    leader self;
    int i;

    (void)state;
    let_lead(&self);
    for (i = 1; i <= 20; ++i) {
        h2_loop_watch(loop, &task, APR_POLLIN | APR_POLLOUT);
        apr_sleep(2000); /* for the leader to read, which cannot be seen from here */
        h2_loop_watch(loop, &task, APR_POLLIN);
        h2_loop_wake(loop);
        h2_loop_unlock(loop);
        assert_true(waiting_count_reaches(&self.returns, i));
        assert_true(waiting_until(is_leader_waiting, NULL));
        h2_loop_lock(loop);
    }
    h2_loop_watch(loop, &task, APR_POLLIN | APR_POLLOUT);
    assert_sees(&self, 1);
    assert_ptr_equal(self.last_seen, &task);
    end_lead(&self);
}

static void an_earlier_deadline_wakes_the_leader_in_time(void **state)
{
    leader self;

    (void)state;
    h2_loop_deadline(loop, &other, loop->now + 20 * APR_USEC_PER_SEC);
    let_lead(&self);
    h2_loop_deadline(loop, &task, loop->now + 1000);
    assert_sees(&self, 1);
    assert_ptr_equal(self.last_seen, &task);
    assert_true(task.is_due);
    end_lead(&self);
}

static void a_later_deadline_lets_the_leader_sleep(void **state)
{
    leader self;

    (void)state;
    h2_loop_deadline(loop, &other, loop->now + 5 * APR_USEC_PER_SEC);
    let_lead(&self);
    h2_loop_deadline(loop, &task, loop->now + 10 * APR_USEC_PER_SEC);
    assert_false(loop->is_woken);
    h2_loop_deadline(loop, &task, loop->now + 2 * APR_USEC_PER_SEC);
    assert_true(loop->is_woken);
    end_lead(&self);
}

static void an_event_of_a_task_that_is_removed_meanwhile_is_dropped(void **state)
{
    leader self;

    (void)state;
    h2_loop_watch(loop, &task, APR_POLLIN);
    let_lead(&self);
    say(peer); /* the leader returns from poll, but we hold the loop */
    apr_thread_yield();
    h2_loop_remove(loop, &task);
    h2_loop_ready(loop, &other);
    assert_sees(&self, 1);
    assert_ptr_equal(self.last_seen, &other);
    end_lead(&self);
    assert_int_equal(waiting_count_value(&self.seen), 1);
    h2_loop_add(loop, &task, task.pfds[0].desc.s, &task);
}

static void several_wake_ups_are_one(void **state)
{
    leader self;
    int returns;

    (void)state;
    let_lead(&self);
    h2_loop_wake(loop);
    h2_loop_wake(loop);
    h2_loop_ready(loop, &other);
    h2_loop_ready(loop, &task);
    assert_sees(&self, 2);
    h2_loop_unlock(loop);
    waiting_until(is_leader_waiting, NULL);
    h2_loop_lock(loop);
    returns = waiting_count_value(&self.returns);
    assert_int_equal(returns, 1);
    /* No wake-up is left over: a deadline alone ends the next wait. */
    h2_loop_deadline(loop, &other, loop->now + 1000);
    assert_sees(&self, 3);
    assert_true(waiting_count_value(&self.returns) <= returns + 2);
    end_lead(&self);
}

static void a_wake_up_while_nobody_waits_is_none(void **state)
{
    leader self;

    (void)state;
    h2_loop_wake(loop);
    assert_false(loop->is_woken);
    let_lead(&self);
    assert_int_equal(waiting_count_value(&self.returns), 0);
    end_lead(&self);
}

/* ---- tasks that found no thread ---- */

static void a_starving_task_is_ready_again_when_a_thread_is_to_be_had(void **state)
{
    (void)state;
    h2_loop_starve(loop, &task);
    h2_loop_starve(loop, &other);
    pass(0);
    assert_nothing_is_ready();
    h2_loop_unlock(loop);
    h2_loop_retry(loop);
    h2_loop_lock(loop);
    h2_loop_wait(loop); /* does not wait */
    assert_ptr_equal(h2_loop_next(loop), &task);
    assert_ptr_equal(h2_loop_next(loop), &other);
    assert_nothing_is_ready();
    assert_int_equal(loop->starved_count, 0);
}

static void a_task_starves_once(void **state)
{
    (void)state;
    h2_loop_starve(loop, &task);
    h2_loop_starve(loop, &task);
    assert_int_equal(loop->starved_count, 1);
    h2_loop_unstarve(loop, &task);
    h2_loop_unstarve(loop, &task);
    h2_loop_unstarve(loop, &other);
    assert_int_equal(loop->starved_count, 0);
}

static void a_task_that_found_its_thread_after_all_is_not_tried_again(void **state)
{
    (void)state;
    h2_loop_starve(loop, &task);
    h2_loop_starve(loop, &other);
    h2_loop_unstarve(loop, &task);
    h2_loop_unlock(loop);
    h2_loop_retry(loop);
    h2_loop_lock(loop);
    h2_loop_wait(loop);
    assert_only_is_ready(&other);
}

static void a_retry_that_nobody_waits_for_touches_nothing(void **state)
{
    (void)state;
    /* We hold the loop: a retry that took it would hang. */
    h2_loop_retry(loop);
    assert_false(loop->is_retrying);
}

static void a_task_that_starves_anew_is_tried_at_the_next_retry_only(void **state)
{
    (void)state;
    h2_loop_starve(loop, &task);
    h2_loop_unlock(loop);
    h2_loop_retry(loop);
    h2_loop_lock(loop);
    pass(0);
    assert_only_is_ready(&task);
    h2_loop_starve(loop, &task);
    pass(0);
    assert_nothing_is_ready();
}

static void a_retry_wakes_the_leader(void **state)
{
    leader self;

    (void)state;
    h2_loop_starve(loop, &task);
    let_lead(&self);
    h2_loop_unlock(loop);
    h2_loop_retry(loop);
    h2_loop_lock(loop);
    assert_sees(&self, 1);
    assert_ptr_equal(self.last_seen, &task);
    end_lead(&self);
}

/* ---- the lock ---- */

typedef struct waiter {
    pthread_t thread;
    apr_thread_cond_t *cond;
    int is_waiting; /* guarded by the loop's lock, as is is_signalled */
    int is_signalled;
    apr_status_t rv;
} waiter;

static void *wait_on_cond(void *data)
{
    waiter *self = data;

    h2_loop_lock(loop);
    self->is_waiting = 1;
    while (!self->is_signalled && self->rv == APR_SUCCESS) {
        self->rv = h2_loop_cond_wait(loop, self->cond, -1);
        h2_loop_assert_held(loop);
    }
    h2_loop_unlock(loop);
    return NULL;
}

static int is_cond_awaited(void *data)
{
    waiter *self = data;
    int is_waiting;

    h2_loop_lock(loop);
    is_waiting = self->is_waiting;
    h2_loop_unlock(loop);
    return is_waiting;
}

static void who_waits_on_a_condition_gives_the_loop_back(void **state)
{
    waiter self = {0};

    (void)state;
    apr_thread_cond_create(&self.cond, pool);
    h2_loop_unlock(loop);
    assert_int_equal(pthread_create(&self.thread, NULL, wait_on_cond, &self), 0);
    assert_true(waiting_until(is_cond_awaited, &self));
    h2_loop_lock(loop);
    self.is_signalled = 1;
    apr_thread_cond_signal(self.cond);
    h2_loop_unlock(loop);
    pthread_join(self.thread, NULL);
    h2_loop_lock(loop);
    assert_int_equal(self.rv, APR_SUCCESS);
}

static void a_wait_on_a_condition_has_its_time_and_knows_it_afterwards(void **state)
{
    const apr_interval_time_t timeout = 20000;
    apr_thread_cond_t *cond;
    apr_time_t begun = h2_clock_now();
    apr_status_t rv = APR_SUCCESS;

    (void)state;
    apr_thread_cond_create(&cond, pool);
    while (rv == APR_SUCCESS) { /* woken without reason */
        rv = h2_loop_cond_wait(loop, cond, timeout);
    }
    assert_true(APR_STATUS_IS_TIMEUP(rv));
    assert_true(h2_clock_now() - begun >= timeout);
    assert_true(loop->now - begun >= timeout);
    h2_loop_assert_held(loop);
}

/* A thread that waits for long with the loop's lock. */
static void *wait_a_minute(void *data)
{
    waiting_count *count = data;
    apr_thread_cond_t *cond;

    apr_thread_cond_create(&cond, pool);
    h2_loop_lock(loop);
    waiting_count_add(count, 1);
    if (h2_loop_cond_wait(loop, cond, MINUTE) == APR_SUCCESS) {
        waiting_count_add(count, 1);
    }
    h2_loop_unlock(loop);
    return NULL;
}

static void who_waits_looks_again_when_the_systems_clock_is_set(void **state)
{
    waiting_count count = WAITING_COUNT_INIT;
    pthread_t thread;

    (void)state;
    h2_loop_unlock(loop);
    pthread_create(&thread, NULL, wait_a_minute, &count);
    assert_true(waiting_count_reaches(&count, 1));
    h2_loop_lock(loop); /* it waits now */
    wall_offset -= 60 * MINUTE;
    pass(0);
    h2_loop_unlock(loop);
    assert_true(waiting_count_reaches(&count, 2));
    pthread_join(thread, NULL);
    h2_loop_lock(loop);
}

static void taking_the_loop_brings_its_time_up_to_date(void **state)
{
    (void)state;
    h2_loop_unlock(loop);
    clock_offset += MINUTE;
    h2_loop_lock(loop);
    assert_true(loop->now <= h2_clock_now());
    assert_true(loop->now > h2_clock_now() - MINUTE);
}

static void who_does_not_hold_the_loop_is_caught_in_a_debug_build(void **state)
{
    (void)state;
#ifdef H2_DEBUG
    h2_loop_unlock(loop);
    expect_assert_failure(h2_loop_ready(loop, &task));
    expect_assert_failure(h2_loop_watch(loop, &task, APR_POLLIN));
    expect_assert_failure(h2_loop_deadline(loop, &task, 1));
    expect_assert_failure(h2_loop_starve(loop, &task));
    expect_assert_failure(h2_loop_next(loop));
    expect_assert_failure(h2_loop_wait(loop));
    expect_assert_failure(h2_loop_unlock(loop));
    h2_loop_lock(loop);
#else
    skip();
#endif
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_loop_has_nothing_to_do),
        TEST(a_socket_with_bytes_makes_its_task_ready),
        TEST(a_socket_that_can_be_written_makes_its_task_ready),
        TEST(a_peer_that_has_gone_is_an_event),
        TEST(events_gather_until_the_owner_has_seen_them),
        TEST(a_socket_is_reported_until_it_is_read),
        TEST(a_socket_that_is_not_watched_is_silent),
        TEST(watching_twice_is_watching_once),
        TEST(other_events_take_the_place_of_those_before),
        TEST(a_socket_that_cannot_be_watched_is_an_error),
        TEST(more_sockets_than_one_batch_are_all_served),
        TEST(ready_tasks_come_once_each_in_their_order),
        TEST(a_task_that_becomes_ready_while_it_is_worked_on_comes_again),
        TEST(all_tasks_can_be_made_ready_at_once),
        TEST(events_are_looked_for_although_tasks_are_ready),
        TEST(what_can_wait_comes_behind_what_cannot),
        TEST(what_can_wait_comes_one_at_a_time),
        TEST(what_is_ready_already_does_not_fall_back),
        TEST(what_can_wait_need_not_wait_for_ever),
        TEST(a_loop_is_empty_when_all_tasks_have_been_removed),
        TEST(a_removed_task_is_in_no_list_any_more),
        TEST(the_task_in_work_stays_when_another_is_removed),
        TEST(a_task_can_come_back_after_its_removal),
        TEST(a_deadline_makes_its_task_due_and_never_too_early),
        TEST(a_task_is_due_once),
        TEST(a_deadline_in_the_past_is_due_at_the_next_slot),
        TEST(a_deadline_that_was_taken_back_never_comes),
        TEST(a_deadline_can_be_set_anew_after_it_was_taken_back),
        TEST(a_deadline_that_is_moved_back_is_kept_to),
        TEST(a_deadline_that_is_moved_forward_is_kept_to),
        TEST(a_new_deadline_takes_the_one_that_has_passed_away),
        TEST(a_deadline_beyond_the_wheel_is_kept_to),
        TEST(no_deadline_is_missed_by_more_than_a_slot),
        TEST(a_clock_that_leaps_ahead_makes_due_what_lies_between),
        TEST(a_clock_that_is_set_back_makes_nothing_due_and_loses_nothing),
        TEST(the_systems_clock_makes_nothing_due_and_is_followed),
        TEST(a_wait_ends_when_a_deadline_has_passed),
        TEST(the_loop_is_free_while_its_leader_waits),
        TEST(without_timers_a_leader_waits_long_but_not_for_ever),
        TEST(a_task_that_is_made_ready_wakes_the_leader),
        TEST(making_all_tasks_ready_wakes_the_leader),
        TEST(a_socket_that_is_watched_from_now_on_needs_no_wake_up),
        TEST(other_events_can_be_watched_while_the_leader_polls),
        TEST(an_earlier_deadline_wakes_the_leader_in_time),
        TEST(a_later_deadline_lets_the_leader_sleep),
        TEST(an_event_of_a_task_that_is_removed_meanwhile_is_dropped),
        TEST(several_wake_ups_are_one),
        TEST(a_wake_up_while_nobody_waits_is_none),
        TEST(a_starving_task_is_ready_again_when_a_thread_is_to_be_had),
        TEST(a_task_starves_once),
        TEST(a_task_that_found_its_thread_after_all_is_not_tried_again),
        TEST(a_retry_that_nobody_waits_for_touches_nothing),
        TEST(a_task_that_starves_anew_is_tried_at_the_next_retry_only),
        TEST(a_retry_wakes_the_leader),
        TEST(who_waits_on_a_condition_gives_the_loop_back),
        TEST(a_wait_on_a_condition_has_its_time_and_knows_it_afterwards),
        TEST(who_waits_looks_again_when_the_systems_clock_is_set),
        TEST(taking_the_loop_brings_its_time_up_to_date),
        TEST(who_does_not_hold_the_loop_is_caught_in_a_debug_build),
    };

    apr_initialize();
    waiting_alarm(120);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "loop/h2_loop.h"

#include <unistd.h>

#include <apr_atomic.h>

#include "base/h2_clock.h"

/* A thread that waits on a condition variable with the loop's lock; on its stack. */
typedef struct h2_cond_wait {
    APR_RING_ENTRY(h2_cond_wait) link;
    apr_thread_cond_t *cond;
} h2_cond_wait;

/* Events that one call of poll brings at most: the batch of a leader. */
#define H2_LOOP_EVENTS_MAX 256

/* A thread that could not be made for want of memory may be had again without any
 * sign of it: so often the starved are tried again. */
#define H2_LOOP_RETRY_USEC APR_USEC_PER_SEC

/* Longest wait in poll, so that a lost wake-up could never hang a connection. */
#define H2_LOOP_WAIT_MAX_USEC (30 * APR_USEC_PER_SEC)

/* The system's clock has been set, and did not only go a little too fast or too slow: waits on
 * condition variables end by it. */
#define H2_LOOP_CLOCK_SET_USEC APR_USEC_PER_SEC

/* prefork: so often it is asked whether the child is to end. Its signal ends poll, but not when it
 * comes between the question and poll. */
#define H2_LOOP_SINGLE_WAIT_USEC APR_USEC_PER_SEC

static apr_int64_t slot_number(apr_time_t when)
{
    return when / H2_LOOP_SLOT_USEC;
}

static apr_status_t clear_blocks(void *data)
{
    h2_blocks_clear(data);
    return APR_SUCCESS;
}

apr_status_t h2_loop_create(h2_loop **ploop, int index, h2_stats *stats, apr_pool_t *pool)
{
    h2_loop *loop = apr_pcalloc(pool, sizeof(*loop));
    apr_status_t rv;
    int i;

    rv = apr_thread_mutex_create(&loop->lock, APR_THREAD_MUTEX_DEFAULT, pool);
    if (rv == APR_SUCCESS) {
        rv = apr_pollset_create(&loop->pollset, H2_LOOP_EVENTS_MAX, pool,
                                APR_POLLSET_THREADSAFE | APR_POLLSET_NOCOPY
                                | APR_POLLSET_WAKEABLE);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    loop->index = index;
    loop->stats = stats ? stats : apr_pcalloc(pool, sizeof(*stats));
    loop->process_bits = (apr_uint64_t)getpid() << 32;
    loop->scratch = apr_palloc(pool, H2_LOOP_SCRATCH_BYTES);
    loop->record_scratch = apr_palloc(pool, H2_LOOP_SCRATCH_BYTES);
    loop->now = h2_clock_now();
    loop->wall_offset = apr_time_now() - loop->now;
    loop->slot_done = slot_number(loop->now);
    APR_RING_INIT(&loop->cond_waits, h2_cond_wait, link);
    APR_RING_INIT(&loop->tasks, h2_task, link);
    APR_RING_INIT(&loop->ready, h2_task, ready_link);
    APR_RING_INIT(&loop->later, h2_task, ready_link);
    APR_RING_INIT(&loop->starved, h2_task, starved_link);
    APR_RING_INIT(&loop->fired, h2_task, timer_link);
    for (i = 0; i < H2_LOOP_SLOTS; ++i) {
        APR_RING_INIT(&loop->slots[i], h2_task, timer_link);
    }
    apr_pool_cleanup_register(pool, &loop->blocks, clear_blocks, apr_pool_cleanup_null);
    *ploop = loop;
    return APR_SUCCESS;
}

#ifdef H2_DEBUG
static void set_held(h2_loop *loop, int is_held)
{
    if (is_held) {
        loop->holder = apr_os_thread_current();
    }
    loop->is_held = is_held;
}

void h2_loop_assert_held(const h2_loop *loop)
{
    ap_assert(loop->is_held && apr_os_thread_equal(loop->holder, apr_os_thread_current()));
}
#else
#define set_held(loop, is_held) ((void)0)
#endif

void h2_loop_lock(h2_loop *loop)
{
    apr_thread_mutex_lock(loop->lock);
    set_held(loop, 1);
    loop->now = h2_clock_now();
}

void h2_loop_unlock(h2_loop *loop)
{
    h2_loop_assert_held(loop);
    set_held(loop, 0);
    apr_thread_mutex_unlock(loop->lock);
}

apr_status_t h2_loop_cond_wait(h2_loop *loop, apr_thread_cond_t *cond,
                               apr_interval_time_t timeout_usec)
{
    h2_cond_wait wait;
    apr_status_t rv;

    h2_loop_assert_held(loop);
    wait.cond = cond;
    APR_RING_INSERT_TAIL(&loop->cond_waits, &wait, h2_cond_wait, link);
    set_held(loop, 0);
    rv = (timeout_usec < 0) ? apr_thread_cond_wait(cond, loop->lock)
                            : apr_thread_cond_timedwait(cond, loop->lock, timeout_usec);
    set_held(loop, 1);
    APR_RING_REMOVE(&wait, link);
    loop->now = h2_clock_now();
    return rv;
}

/* Where the system's clock is now, from ours. If it has been set back, those who wait on a
 * condition variable would wait for so much longer: they look again. */
static void look_at_wall(h2_loop *loop)
{
    apr_time_t offset = apr_time_now() - loop->now;
    apr_time_t change = offset - loop->wall_offset;
    h2_cond_wait *wait;

    loop->wall_offset = offset;
    if (change > H2_LOOP_CLOCK_SET_USEC || change < -H2_LOOP_CLOCK_SET_USEC) {
        APR_RING_FOREACH(wait, &loop->cond_waits, h2_cond_wait, link) {
            apr_thread_cond_signal(wait->cond);
        }
    }
}

apr_time_t h2_loop_wall_time(const h2_loop *loop)
{
    h2_loop_assert_held(loop);
    return loop->now + loop->wall_offset;
}

/* The one of the task's pfds that asks for these events. */
static apr_pollfd_t *pfd_of(h2_task *task, apr_int16_t reqevents)
{
    return &task->pfds[(reqevents & APR_POLLIN ? 1 : 0) + (reqevents & APR_POLLOUT ? 2 : 0)];
}

/* Errors come unasked, but who asks for nothing at all is not polled. */
static void make_pfds(h2_task *task, apr_socket_t *socket)
{
    static const apr_int16_t sets[H2_LOOP_WATCHES] = {
        APR_POLLERR, APR_POLLIN, APR_POLLOUT, APR_POLLIN | APR_POLLOUT
    };
    int i;

    for (i = 0; i < H2_LOOP_WATCHES; ++i) {
        apr_pollfd_t *pfd = pfd_of(task, sets[i]);

        pfd->desc_type = APR_POLL_SOCKET;
        pfd->reqevents = sets[i];
        pfd->desc.s = socket;
        pfd->client_data = task;
    }
}

void h2_loop_add(h2_loop *loop, h2_task *task, apr_socket_t *socket, void *owner)
{
    h2_loop_assert_held(loop);
    memset(task, 0, sizeof(*task));
    APR_RING_ELEM_INIT(task, ready_link);
    APR_RING_ELEM_INIT(task, timer_link);
    APR_RING_ELEM_INIT(task, starved_link);
    task->slot = -1;
    task->owner = owner;
    make_pfds(task, socket);
    APR_RING_INSERT_TAIL(&loop->tasks, task, h2_task, link);
}

static void leave_slot(h2_task *task)
{
    if (task->slot >= 0) {
        APR_RING_REMOVE(task, timer_link);
        APR_RING_ELEM_INIT(task, timer_link);
        task->slot = -1;
    }
}

void h2_loop_unstarve(h2_loop *loop, h2_task *task)
{
    if (task->is_starved) {
        task->is_starved = 0;
        APR_RING_REMOVE(task, starved_link);
        apr_atomic_dec32(&loop->starved_count);
    }
}

void h2_loop_remove(h2_loop *loop, h2_task *task)
{
    h2_loop_unstarve(loop, task);
    h2_loop_watch(loop, task, 0);
    leave_slot(task);
    if (task->is_ready) {
        APR_RING_REMOVE(task, ready_link);
        task->is_ready = 0;
    }
    if (loop->current == task) {
        loop->current = NULL;
    }
    task->owner = NULL;
    APR_RING_REMOVE(task, link);
}

int h2_loop_is_empty(const h2_loop *loop)
{
    return APR_RING_EMPTY(&loop->tasks, h2_task, link);
}

apr_status_t h2_loop_watch(h2_loop *loop, h2_task *task, apr_int16_t reqevents)
{
    apr_status_t rv = APR_SUCCESS;

    h2_loop_assert_held(loop);
    if (task->is_polled && task->reqevents == reqevents) {
        return APR_SUCCESS;
    }
    if (task->is_polled) {
        apr_pollset_remove(loop->pollset, pfd_of(task, task->reqevents));
        task->is_polled = 0;
    }
    task->reqevents = reqevents;
    if (reqevents) {
        rv = apr_pollset_add(loop->pollset, pfd_of(task, reqevents));
        task->is_polled = (rv == APR_SUCCESS);
    }
    return rv;
}

static void push_ready(h2_loop *loop, h2_task *task)
{
    if (!task->is_ready) {
        task->is_ready = 1;
        APR_RING_INSERT_TAIL(&loop->ready, task, h2_task, ready_link);
    }
}

void h2_loop_ready(h2_loop *loop, h2_task *task)
{
    h2_loop_assert_held(loop);
    push_ready(loop, task);
    h2_loop_wake(loop);
}

void h2_loop_ready_later(h2_loop *loop, h2_task *task)
{
    h2_loop_assert_held(loop);
    if (!task->is_ready) {
        task->is_ready = 1;
        APR_RING_INSERT_TAIL(&loop->later, task, h2_task, ready_link);
        h2_loop_wake(loop);
    }
}

/* One at a time, so that poll is asked before each; behind what is ready, of which
 * there may always be something. */
static void feed_later(h2_loop *loop)
{
    h2_task *task;

    if (!APR_RING_EMPTY(&loop->later, h2_task, ready_link)) {
        task = APR_RING_FIRST(&loop->later);
        APR_RING_REMOVE(task, ready_link);
        APR_RING_INSERT_TAIL(&loop->ready, task, h2_task, ready_link);
    }
}

void h2_loop_ready_all(h2_loop *loop)
{
    h2_task *task;

    APR_RING_FOREACH(task, &loop->tasks, h2_task, link) {
        push_ready(loop, task);
    }
    h2_loop_wake(loop);
}

void h2_loop_wake(h2_loop *loop)
{
    h2_loop_assert_held(loop);
    if (loop->is_waiting && !loop->is_woken) {
        loop->is_woken = 1;
        apr_pollset_wakeup(loop->pollset);
    }
}

static void enter_slot(h2_loop *loop, h2_task *task)
{
    apr_int64_t number = slot_number(task->deadline) + 1;

    if (number <= loop->slot_done) {
        number = loop->slot_done + 1;
    }
    else if (number >= loop->slot_done + H2_LOOP_SLOTS) {
        number = loop->slot_done + H2_LOOP_SLOTS - 1;
    }
    task->slot = (int)(number % H2_LOOP_SLOTS);
    APR_RING_INSERT_TAIL(&loop->slots[task->slot], task, h2_task, timer_link);
    if (loop->is_waiting && number * H2_LOOP_SLOT_USEC < loop->wait_until) {
        h2_loop_wake(loop);
    }
}

void h2_loop_deadline(h2_loop *loop, h2_task *task, apr_time_t when)
{
    apr_time_t before = task->deadline;

    h2_loop_assert_held(loop);
    task->deadline = when;
    task->is_due = 0;
    if (!when || (task->slot >= 0 && before && when >= before)) {
        return; /* the slot it is in comes early enough, and is left then */
    }
    leave_slot(task);
    enter_slot(loop, task);
}

h2_task *h2_loop_next(h2_loop *loop)
{
    h2_task *task;

    h2_loop_assert_held(loop);
    if (APR_RING_EMPTY(&loop->ready, h2_task, ready_link)) {
        return NULL;
    }
    task = APR_RING_FIRST(&loop->ready);
    APR_RING_REMOVE(task, ready_link);
    task->is_ready = 0;
    return task;
}

/* The tasks of a slot whose time has come: due, or to be looked at later. */
static void work_through_slot(h2_loop *loop, int slot)
{
    APR_RING_CONCAT(&loop->fired, &loop->slots[slot], h2_task, timer_link);
    while (!APR_RING_EMPTY(&loop->fired, h2_task, timer_link)) {
        h2_task *task = APR_RING_FIRST(&loop->fired);

        leave_slot(task);
        if (task->deadline && task->deadline <= loop->now) {
            task->is_due = 1;
            push_ready(loop, task);
        }
        else if (task->deadline) {
            enter_slot(loop, task);
        }
    }
}

static void run_timers(h2_loop *loop)
{
    apr_int64_t until = slot_number(loop->now);

    if (until - loop->slot_done > H2_LOOP_SLOTS || until < loop->slot_done) {
        /* Slept long, or there is no clock that cannot be set: once around covers every slot. */
        loop->slot_done = until - H2_LOOP_SLOTS;
    }
    while (loop->slot_done < until) {
        ++loop->slot_done;
        work_through_slot(loop, (int)(loop->slot_done % H2_LOOP_SLOTS));
    }
}

static apr_interval_time_t time_to_next_timer(const h2_loop *loop)
{
    apr_int64_t number;

    for (number = loop->slot_done + 1; number < loop->slot_done + H2_LOOP_SLOTS; ++number) {
        if (!APR_RING_EMPTY(&loop->slots[number % H2_LOOP_SLOTS], h2_task, timer_link)) {
            apr_interval_time_t wait = number * H2_LOOP_SLOT_USEC - loop->now;

            return (wait < H2_LOOP_WAIT_MAX_USEC) ? ((wait > 0) ? wait : 0)
                                                  : H2_LOOP_WAIT_MAX_USEC;
        }
    }
    return H2_LOOP_WAIT_MAX_USEC;
}

void h2_loop_starve(h2_loop *loop, h2_task *task)
{
    h2_loop_assert_held(loop);
    if (!task->is_starved) {
        if (APR_RING_EMPTY(&loop->starved, h2_task, starved_link)) {
            loop->retry_at = loop->now + H2_LOOP_RETRY_USEC;
        }
        task->is_starved = 1;
        APR_RING_INSERT_TAIL(&loop->starved, task, h2_task, starved_link);
        apr_atomic_inc32(&loop->starved_count);
    }
}

void h2_loop_retry(h2_loop *loop)
{
    if (!apr_atomic_read32(&loop->starved_count)) {
        return;
    }
    h2_loop_lock(loop);
    loop->is_retrying = 1;
    h2_loop_wake(loop);
    h2_loop_unlock(loop);
}

static void feed_starved(h2_loop *loop)
{
    if (!loop->is_retrying && loop->now < loop->retry_at) {
        return;
    }
    loop->is_retrying = 0;
    while (!APR_RING_EMPTY(&loop->starved, h2_task, starved_link)) {
        h2_task *task = APR_RING_FIRST(&loop->starved);

        h2_loop_unstarve(loop, task);
        push_ready(loop, task);
    }
}

void h2_loop_wait(h2_loop *loop)
{
    const apr_pollfd_t *found = NULL;
    apr_interval_time_t timeout = 0;
    apr_int32_t i, count = 0;

    h2_loop_assert_held(loop);
    if (APR_RING_EMPTY(&loop->ready, h2_task, ready_link)
        && APR_RING_EMPTY(&loop->later, h2_task, ready_link) && !loop->is_retrying) {
        timeout = time_to_next_timer(loop);
        if (!APR_RING_EMPTY(&loop->starved, h2_task, starved_link)
            && timeout > loop->retry_at - loop->now) {
            timeout = (loop->retry_at > loop->now) ? loop->retry_at - loop->now : 0;
        }
        if (loop->is_single && timeout > H2_LOOP_SINGLE_WAIT_USEC) {
            timeout = H2_LOOP_SINGLE_WAIT_USEC;
        }
        if (loop->tick_at && !h2_loop_is_empty(loop) && timeout > loop->tick_at - loop->now) {
            timeout = (loop->tick_at > loop->now) ? loop->tick_at - loop->now : 0;
        }
        /* APR rounds down to milliseconds: round up, or the last one spins. */
        timeout = ((timeout + 999) / 1000) * 1000;
    }
    loop->wait_until = loop->now + timeout;
    loop->is_waiting = 1;
    h2_loop_unlock(loop);

    if (apr_pollset_poll(loop->pollset, timeout, &count, &found) != APR_SUCCESS) {
        count = 0; /* time up, woken or interrupted */
    }

    h2_loop_lock(loop);
    loop->is_waiting = 0;
    loop->is_woken = 0;
    look_at_wall(loop);
    feed_starved(loop);
    for (i = 0; i < count; ++i) {
        h2_task *task = found[i].client_data;

        if (task->is_polled) { /* not removed since poll saw it */
            task->revents |= found[i].rtnevents;
            push_ready(loop, task);
        }
    }
    run_timers(loop);
    feed_later(loop);
}

long h2_loop_next_id(h2_loop *loop)
{
    apr_uint32_t low = (++loop->id_count << 6) | (unsigned)loop->index;

    h2_loop_assert_held(loop);
    return (long)(loop->process_bits | low);
}

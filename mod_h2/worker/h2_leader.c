#include "worker/h2_leader.h"

#include <apr_atomic.h>

/* After so many ticks in which no leader ran or ended a request, the watchdog sleeps until it is
 * woken. */
#define H2_WATCHDOG_IDLE_TICKS 100

struct h2_watchdog {
    /* Fixed. */
    h2_workers *workers;
    h2_loop **loops;
    int count;
    apr_thread_t *thread;

    /* Any thread, atomically: 1 while the thread sleeps until it is woken. */
    volatile apr_uint32_t is_asleep;

    /* The watchdog's thread only. */
    apr_uint32_t *seen; /* each loop's run_sequence at the last tick */

    apr_thread_mutex_t *lock;
    /* Guarded by the lock: */
    apr_thread_cond_t *cond;
    unsigned is_stopping : 1;
};

/* Takes the lead from whoever has it. The task in work goes to the successor. */
static void depose_locked(h2_loop *loop)
{
    if (apr_atomic_read32(&loop->run_sequence) & 1) {
        apr_atomic_inc32(&loop->run_sequence); /* the leader runs nothing any more */
    }
    loop->leader = NULL;
    loop->has_standby = 0;
    if (loop->current) {
        h2_loop_ready(loop, loop->current);
        loop->current = NULL;
    }
}

static void let_standby_lead(h2_workers *workers, h2_loop *loop)
{
    h2_job job = {loop, NULL};

    h2_workers_use_kept(workers, job);
}

int h2_leader_detach(h2_worker *worker)
{
    h2_loop *loop = worker->loop;
    int was_leader;

    h2_loop_lock(loop);
    was_leader = h2_leader_is(worker, loop) && loop->has_standby && !loop->is_single;
    if (was_leader) {
        depose_locked(loop);
    }
    h2_loop_unlock(loop);
    if (was_leader) {
        let_standby_lead(worker->workers, loop);
    }
    return was_leader;
}

void h2_leader_run_begin(h2_loop *loop, h2_watchdog *watchdog)
{
    h2_loop_assert_held(loop);
    apr_atomic_inc32(&loop->run_sequence);
    h2_loop_unlock(loop);
    if (watchdog && apr_atomic_read32(&watchdog->is_asleep)) {
        apr_thread_mutex_lock(watchdog->lock);
        apr_atomic_set32(&watchdog->is_asleep, 0);
        apr_thread_cond_signal(watchdog->cond);
        apr_thread_mutex_unlock(watchdog->lock);
    }
}

int h2_leader_run_end(h2_loop *loop, const h2_worker *worker)
{
    h2_loop_lock(loop);
    if (!h2_leader_is(worker, loop)) {
        return 0;
    }
    apr_atomic_inc32(&loop->run_sequence);
    return 1;
}

int h2_leader_ensure_standby(h2_loop *loop, h2_workers *workers)
{
    int is_kept;

    h2_loop_assert_held(loop);
    if (loop->has_standby) {
        return 1;
    }
    h2_loop_unlock(loop);
    is_kept = h2_workers_keep(workers, H2_KEEP_STANDBY);
    h2_loop_lock(loop);
    /* Only the leader asks, and only where there is none; without one nobody deposes it, so
     * that it is the leader still. */
    loop->has_standby = is_kept;
    return is_kept;
}

void h2_leader_resign(h2_loop *loop, h2_workers *workers)
{
    int has_standby = loop->has_standby;

    h2_loop_assert_held(loop);
    loop->leader = NULL;
    loop->has_standby = 0;
    if (has_standby) {
        h2_loop_unlock(loop);
        h2_workers_release_kept(workers, H2_KEEP_STANDBY);
        h2_loop_lock(loop);
    }
}

/* A leader that runs the same request, or ends the same ones, as at the last tick is stuck. */
static void depose_if_stuck(h2_watchdog *watchdog, h2_loop *loop, apr_uint32_t sequence)
{
    int is_deposed;

    h2_loop_lock(loop);
    is_deposed = loop->leader && loop->has_standby
                 && apr_atomic_read32(&loop->run_sequence) == sequence;
    if (is_deposed) {
        depose_locked(loop);
    }
    h2_loop_unlock(loop);
    if (is_deposed) {
        let_standby_lead(watchdog->workers, loop);
    }
}

/* Looks at each loop; returns non-zero if a leader has run or ended requests since last time. */
static int tick(h2_watchdog *watchdog)
{
    int i, is_busy = 0;

    for (i = 0; i < watchdog->count; ++i) {
        h2_loop *loop = watchdog->loops[i];
        apr_uint32_t sequence = apr_atomic_read32(&loop->run_sequence);

        if (sequence != watchdog->seen[i]) {
            watchdog->seen[i] = sequence;
            is_busy = 1;
        }
        else if (sequence & 1) {
            depose_if_stuck(watchdog, loop, sequence);
            is_busy = 1;
        }
    }
    return is_busy;
}

static void *APR_THREAD_FUNC watchdog_run(apr_thread_t *thread, void *baton)
{
    h2_watchdog *watchdog = baton;
    int idle_ticks = 0;

    apr_thread_mutex_lock(watchdog->lock);
    while (!watchdog->is_stopping) {
        if (idle_ticks < H2_WATCHDOG_IDLE_TICKS) {
            /* A wait on cond ends by the system's clock: set back, that would hold us. */
            apr_thread_mutex_unlock(watchdog->lock);
            apr_sleep(H2_WATCHDOG_TICK_USEC);
            apr_thread_mutex_lock(watchdog->lock);
        }
        else {
            /* Say that we sleep, then look again: who has begun a request
             * since has either seen it, or is seen by this tick. */
            apr_atomic_set32(&watchdog->is_asleep, 1);
            while (!tick(watchdog) && apr_atomic_read32(&watchdog->is_asleep)
                   && !watchdog->is_stopping) {
                apr_thread_cond_wait(watchdog->cond, watchdog->lock);
            }
            apr_atomic_set32(&watchdog->is_asleep, 0);
            idle_ticks = 0;
            continue; /* what has woken us has just begun: leave it its time */
        }
        if (watchdog->is_stopping) {
            break;
        }
        apr_thread_mutex_unlock(watchdog->lock);
        idle_ticks = tick(watchdog) ? 0 : idle_ticks + 1;
        apr_thread_mutex_lock(watchdog->lock);
    }
    apr_thread_mutex_unlock(watchdog->lock);
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

apr_status_t h2_watchdog_create(h2_watchdog **pwatchdog, apr_pool_t *pool,
                                h2_workers *workers, h2_loop **loops, int count)
{
    h2_watchdog *watchdog = apr_pcalloc(pool, sizeof(*watchdog));
    apr_status_t rv;

    watchdog->workers = workers;
    watchdog->loops = loops;
    watchdog->count = count;
    watchdog->seen = apr_pcalloc(pool, sizeof(watchdog->seen[0]) * count);
    rv = apr_thread_mutex_create(&watchdog->lock, APR_THREAD_MUTEX_DEFAULT, pool);
    if (rv == APR_SUCCESS) {
        rv = apr_thread_cond_create(&watchdog->cond, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = ap_thread_create(&watchdog->thread, NULL, watchdog_run, watchdog, pool);
    }
    *pwatchdog = (rv == APR_SUCCESS) ? watchdog : NULL;
    return rv;
}

void h2_watchdog_stop(h2_watchdog *watchdog)
{
    apr_status_t rv;

    apr_thread_mutex_lock(watchdog->lock);
    watchdog->is_stopping = 1;
    apr_thread_cond_signal(watchdog->cond);
    apr_thread_mutex_unlock(watchdog->lock);
    apr_thread_join(&rv, watchdog->thread);
}

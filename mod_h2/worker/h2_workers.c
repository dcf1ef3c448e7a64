#include "worker/h2_workers.h"

#include <unistd.h>

#include <ap_mpm.h>
#include <mpm_common.h>

#include "base/h2_clock.h"

struct h2_workers {
    /* Fixed. */
    apr_pool_t *pool;
    h2_workers_limits limits;
    h2_worker_main *main;
    apr_thread_mutex_t *count_lock; /* for the counts in slots, which several may share */

    apr_thread_mutex_t *lock;
    /* Guarded by the lock: */
    apr_thread_cond_t *left_cond;  /* a thread has left */
    APR_RING_HEAD(h2_worker_spare, h2_worker) spare; /* last in, first out */
    APR_RING_HEAD(h2_worker_gone, h2_worker) gone;   /* left, to be joined */
    int total;                     /* threads that exist */
    int spare_count;
    int kept_count;                /* of the spare ones: kept for a job that comes */
    int kept_runners;              /* of these: for a request */
    char *is_slot_used;            /* of the scoreboard, slot_count of them */
    unsigned is_stopping : 1;      /* threads leave but those that are kept */
    unsigned is_over : 1;          /* these as well */
};

static void *APR_THREAD_FUNC worker_run(apr_thread_t *thread, void *baton);

apr_status_t h2_workers_create(h2_workers **pworkers, apr_pool_t *pool,
                               const h2_workers_limits *limits, h2_worker_main *main)
{
    h2_workers *workers = apr_pcalloc(pool, sizeof(*workers));
    apr_status_t rv;

    workers->pool = pool;
    workers->limits = *limits;
    workers->main = main;
    if (!workers->limits.stats) {
        workers->limits.stats = apr_pcalloc(pool, sizeof(*limits->stats));
    }
    h2_cell_set(&workers->limits.stats->figures[H2_WORKERS_MIN], (apr_uint64_t)limits->min_total);
    h2_cell_set(&workers->limits.stats->figures[H2_WORKERS_MAX], (apr_uint64_t)limits->max_total);
    workers->is_slot_used = apr_pcalloc(pool, limits->slot_count + 1);
    APR_RING_INIT(&workers->spare, h2_worker, link);
    APR_RING_INIT(&workers->gone, h2_worker, link);
    rv = apr_thread_mutex_create(&workers->lock, APR_THREAD_MUTEX_DEFAULT, pool);
    if (rv == APR_SUCCESS) {
        rv = apr_thread_mutex_create(&workers->count_lock, APR_THREAD_MUTEX_DEFAULT, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_thread_cond_create(&workers->left_cond, pool);
    }
    *pworkers = (rv == APR_SUCCESS) ? workers : NULL;
    return rv;
}

/* For whoever looks from outside. */
static void show_locked(const h2_workers *workers)
{
    h2_cell *figures = workers->limits.stats->figures;

    h2_cell_set(&figures[H2_WORKERS_TOTAL], (apr_uint64_t)workers->total);
    h2_cell_set(&figures[H2_WORKERS_SPARE], (apr_uint64_t)workers->spare_count);
}

static void push_spare_locked(h2_workers *workers, h2_worker *worker)
{
    worker->job.lead = NULL;
    worker->job.run = NULL;
    worker->spare_since = h2_clock_now();
    APR_RING_INSERT_HEAD(&workers->spare, worker, h2_worker, link);
    ++workers->spare_count;
    show_locked(workers);
}

static void remove_spare_locked(h2_workers *workers, h2_worker *worker)
{
    APR_RING_REMOVE(worker, link);
    --workers->spare_count;
    show_locked(workers);
}

/* Joins the threads that have left: they end at once, this does not wait. */
static void join_gone_locked(h2_workers *workers)
{
    while (!APR_RING_EMPTY(&workers->gone, h2_worker, link)) {
        h2_worker *worker = APR_RING_FIRST(&workers->gone);
        apr_status_t rv;

        APR_RING_REMOVE(worker, link);
        apr_thread_join(&rv, worker->thread);
        apr_pool_destroy(worker->pool);
    }
}

static void release_slot_locked(h2_workers *workers, const h2_worker *worker)
{
    if (worker->slot >= 0) {
        workers->is_slot_used[worker->slot] = 0;
    }
}

/* A slot for the thread to be seen in; those of others when all are taken. */
static void take_slot_locked(h2_workers *workers, h2_worker *worker)
{
    int i;

    worker->slot = -1;
    if (workers->limits.slot_count <= 0) {
        return;
    }
    for (i = 0; i < workers->limits.slot_count && worker->slot < 0; ++i) {
        if (!workers->is_slot_used[i]) {
            workers->is_slot_used[i] = 1;
            worker->slot = i;
        }
    }
    if (worker->slot < 0) {
        worker->shared_slot = workers->total % workers->limits.slot_count;
    }
}

/* Says whose the row is: if we crash, nobody clears it, as the MPM does with its own, and the next
 * child with this place in the scoreboard would seem to run our requests. */
static void sign_slot(const h2_worker *worker)
{
    worker_score *score =
        worker->has_own_slot ? ap_get_scoreboard_worker(worker->scoreboard) : NULL;
    int generation = 0;

    if (score && score->pid != getpid()) {
        ap_mpm_query(AP_MPMQ_GENERATION, &generation);
        score->status = SERVER_DEAD;
        score->pid = getpid();
        score->generation = generation;
    }
}

void h2_worker_find_scoreboard(h2_worker *worker)
{
    const h2_workers *workers = worker->workers;
    apr_proc_t self = {0};
    int child_num;

    if (worker->scoreboard || !workers || workers->limits.slot_count <= 0) {
        return;
    }
    self.pid = getpid();
    child_num = ap_find_child_by_pid(&self);
    if (child_num >= 0) {
        ap_create_sb_handle(&worker->scoreboard, worker->pool, child_num,
                            workers->limits.first_slot
                                + ((worker->slot >= 0) ? worker->slot : worker->shared_slot));
        /* Not to be shown in one that it shares, least of all with a thread of the
         * MPM: the MPM decides by what these show. */
        worker->has_own_slot = workers->limits.are_slots_ours && worker->slot >= 0;
        sign_slot(worker);
    }
}

void h2_worker_count_request(const h2_worker *worker, request_rec *r, apr_uint64_t bytes)
{
    worker_score *score = worker->scoreboard ? ap_get_scoreboard_worker(worker->scoreboard)
                                             : NULL;

    if (!score) {
        return;
    }
    if (worker->workers) {
        apr_thread_mutex_lock(worker->workers->count_lock);
    }
    ap_increment_counts(worker->scoreboard, r);
    score->bytes_served += bytes;
    score->my_bytes_served += bytes;
    score->conn_bytes += bytes;
    if (worker->workers) {
        apr_thread_mutex_unlock(worker->workers->count_lock);
    }
}

/* A new thread, spare from the start. */
static apr_status_t spawn_locked(h2_workers *workers)
{
    apr_threadattr_t *attr;
    apr_pool_t *pool;
    h2_worker *worker;
    apr_status_t rv;

    if (workers->is_stopping || workers->total >= workers->limits.max_total) {
        return APR_EAGAIN;
    }
    join_gone_locked(workers);
    apr_pool_create(&pool, workers->pool);
    worker = apr_pcalloc(pool, sizeof(*worker));
    worker->workers = workers;
    worker->pool = pool;
    take_slot_locked(workers, worker);
    rv = apr_thread_cond_create(&worker->job_cond, pool);
    if (rv == APR_SUCCESS) {
        rv = apr_thread_cond_create(&worker->wait_cond, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_threadattr_create(&attr, pool);
    }
    if (rv == APR_SUCCESS && ap_thread_stacksize) {
        apr_threadattr_stacksize_set(attr, ap_thread_stacksize);
    }
    if (rv == APR_SUCCESS) {
        push_spare_locked(workers, worker);
        rv = ap_thread_create(&worker->thread, attr, worker_run, worker, pool);
        if (rv != APR_SUCCESS) {
            remove_spare_locked(workers, worker);
        }
    }
    if (rv != APR_SUCCESS) {
        release_slot_locked(workers, worker);
        apr_pool_destroy(pool);
        return rv;
    }
    ++workers->total;
    h2_cell_add(&workers->limits.stats->figures[H2_WORKERS_STARTED], 1);
    show_locked(workers);
    return APR_SUCCESS;
}

/* Is there, or can there be, a spare thread that is not kept? */
static int ensure_free_locked(h2_workers *workers)
{
    return !workers->is_stopping
           && (workers->spare_count > workers->kept_count
               || spawn_locked(workers) == APR_SUCCESS);
}

/* May one more request have a thread of its own? The busy threads are the leaders
 * and those in requests. */
static int has_room_for_runner_locked(const h2_workers *workers)
{
    int detached = workers->total - workers->spare_count - workers->limits.loop_count;

    return detached + workers->kept_runners < workers->limits.max_detached;
}

static void count_kept_locked(h2_workers *workers, h2_keep_for what, int change)
{
    workers->kept_count += change;
    if (what == H2_KEEP_RUNNER) {
        workers->kept_runners += change;
    }
}

static void hand_job_locked(h2_workers *workers, h2_job job)
{
    h2_worker *worker = APR_RING_FIRST(&workers->spare);

    remove_spare_locked(workers, worker);
    worker->job = job;
    apr_thread_cond_signal(worker->job_cond);
}

/* A thread is to be had again. */
static void tell_loops(h2_workers *workers)
{
    int i;

    for (i = 0; i < workers->limits.loop_count; ++i) {
        h2_loop_retry(workers->limits.loops[i]);
    }
}

void h2_workers_fill(h2_workers *workers)
{
    apr_thread_mutex_lock(workers->lock);
    while (workers->total < workers->limits.min_total
           && spawn_locked(workers) == APR_SUCCESS) {
        continue;
    }
    apr_thread_mutex_unlock(workers->lock);
}

int h2_workers_keep(h2_workers *workers, h2_keep_for what)
{
    int is_kept;

    apr_thread_mutex_lock(workers->lock);
    is_kept = (what == H2_KEEP_STANDBY || has_room_for_runner_locked(workers))
              && ensure_free_locked(workers);
    if (is_kept) {
        count_kept_locked(workers, what, 1);
    }
    apr_thread_mutex_unlock(workers->lock);
    return is_kept;
}

void h2_workers_use_kept(h2_workers *workers, h2_job job)
{
    apr_thread_mutex_lock(workers->lock);
    H2_ASSERT(workers->kept_count > 0 && (workers->spare_count > 0 || workers->is_over));
    count_kept_locked(workers, job.lead ? H2_KEEP_STANDBY : H2_KEEP_RUNNER, -1);
    if (workers->spare_count > 0) {
        hand_job_locked(workers, job);
    }
    apr_thread_mutex_unlock(workers->lock);
}

/* It may sleep without a limit, from a time when there were no more threads than
 * the minimum: let it see whether it may leave by now. */
static void wake_longest_idle_locked(h2_workers *workers)
{
    if (!APR_RING_EMPTY(&workers->spare, h2_worker, link)) {
        apr_thread_cond_signal(APR_RING_LAST(&workers->spare)->job_cond);
    }
}

void h2_workers_release_kept(h2_workers *workers, h2_keep_for what)
{
    apr_thread_mutex_lock(workers->lock);
    count_kept_locked(workers, what, -1);
    wake_longest_idle_locked(workers);
    apr_thread_mutex_unlock(workers->lock);
    tell_loops(workers);
}

int h2_workers_count(h2_workers *workers)
{
    int total;

    apr_thread_mutex_lock(workers->lock);
    total = workers->total;
    apr_thread_mutex_unlock(workers->lock);
    return total;
}

/* None that is kept, even when the pool stops. Else the longest idle one, which is
 * at the end of the list. */
static int may_leave_locked(const h2_workers *workers, const h2_worker *worker)
{
    if (workers->is_over) {
        return 1;
    }
    if (workers->spare_count <= workers->kept_count) {
        return 0;
    }
    return workers->is_stopping
           || (workers->total > workers->limits.min_total
               && APR_RING_LAST(&workers->spare) == worker
               && h2_clock_now() - worker->spare_since >= workers->limits.idle);
}

/* Waits as a spare thread. Returns 0 when the thread is to leave. */
static int wait_for_job_locked(h2_workers *workers, h2_worker *worker)
{
    while (!worker->job.lead && !worker->job.run) {
        if (may_leave_locked(workers, worker)) {
            remove_spare_locked(workers, worker);
            return 0;
        }
        if (workers->total > workers->limits.min_total) {
            apr_status_t rv = apr_thread_cond_timedwait(worker->job_cond, workers->lock,
                                                        workers->limits.idle);

            if (APR_STATUS_IS_TIMEUP(rv)) {
                wake_longest_idle_locked(workers);
            }
        }
        else {
            apr_thread_cond_wait(worker->job_cond, workers->lock);
        }
    }
    return 1;
}

static void *APR_THREAD_FUNC worker_run(apr_thread_t *thread, void *baton)
{
    h2_worker *worker = baton;
    h2_workers *workers = worker->workers;

    apr_thread_mutex_lock(workers->lock);
    while (wait_for_job_locked(workers, worker)) {
        h2_job job = worker->job;

        apr_thread_mutex_unlock(workers->lock);
        h2_worker_find_scoreboard(worker);
        workers->main(worker, job);
        apr_thread_mutex_lock(workers->lock);
        push_spare_locked(workers, worker);
        apr_thread_mutex_unlock(workers->lock);
        tell_loops(workers);
        apr_thread_mutex_lock(workers->lock);
    }
    if (worker->has_own_slot) {
        ap_update_child_status(worker->scoreboard, SERVER_DEAD, NULL);
    }
    release_slot_locked(workers, worker);
    --workers->total;
    h2_cell_add(&workers->limits.stats->figures[H2_WORKERS_LEFT], 1);
    show_locked(workers);
    APR_RING_INSERT_TAIL(&workers->gone, worker, h2_worker, link);
    wake_longest_idle_locked(workers);
    apr_thread_cond_signal(workers->left_cond);
    apr_thread_mutex_unlock(workers->lock);
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

static void wake_spare_locked(h2_workers *workers)
{
    h2_worker *worker;

    APR_RING_FOREACH(worker, &workers->spare, h2_worker, link) {
        apr_thread_cond_signal(worker->job_cond);
    }
}

apr_status_t h2_workers_stop(h2_workers *workers, apr_interval_time_t timeout_usec)
{
    apr_time_t until = h2_clock_now() + timeout_usec;
    apr_status_t rv = APR_SUCCESS;

    apr_thread_mutex_lock(workers->lock);
    workers->is_stopping = 1;
    wake_spare_locked(workers);
    while (workers->total > 0) {
        apr_interval_time_t left = until - h2_clock_now();

        if (left <= 0) {
            rv = APR_TIMEUP;
            break;
        }
        apr_thread_cond_timedwait(workers->left_cond, workers->lock, left);
    }
    workers->is_over = 1;
    wake_spare_locked(workers);
    while (workers->spare_count > 0) { /* who destroys what they wait on would hang */
        apr_thread_cond_wait(workers->left_cond, workers->lock);
    }
    join_gone_locked(workers);
    apr_thread_mutex_unlock(workers->lock);
    return rv;
}

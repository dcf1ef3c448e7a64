/*
 * The H2Workers of a child: threads that lead a loop, run a request away from
 * its loop (detached), or are spare. The pool owns the threads; it is created
 * at child start and stopped at child end.
 *
 * How many: each loop has one leader and one standby, a spare thread that is
 * kept for the moment when the leader gets stuck in a request. On top of these
 * come at most H2MaxWorkers detached ones (and leaders that got stuck beyond
 * them). Thus with H2MaxWorkers requests stuck somewhere, each loop can still
 * answer quick requests: what is kept for running one may not take the place of
 * a standby.
 *
 * Lock order: a loop's lock is never held when the pool's lock is taken.
 */
#ifndef H2_WORKERS_H
#define H2_WORKERS_H

#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <apr_thread_proc.h>

#include "base/h2_base.h"

#include <scoreboard.h>

#include "loop/h2_loop.h"

typedef struct h2_workers h2_workers;
typedef struct h2_worker h2_worker;

/* Leader and holder: does what there is to do for the loop's connections, or waits until
 * there is, without starting requests. */
typedef void h2_worker_serve(h2_worker *worker);

/* What a spare thread is woken for: exactly one of both is set. */
typedef struct h2_job {
    h2_loop *lead;  /* become its leader */
    void *run;      /* run this request, detached */
} h2_job;

/* What a spare thread is kept for: to take the lead, or to run a request. */
typedef enum {
    H2_KEEP_STANDBY,
    H2_KEEP_RUNNER
} h2_keep_for;

/* The work of a thread; called with no lock held, returns when the thread is
 * to be spare again. */
typedef void h2_worker_main(h2_worker *worker, h2_job job);

struct h2_worker {
    /* Fixed. */
    h2_workers *workers;        /* NULL: it is the MPM's thread, prefork */
    h2_worker_serve *serve;     /* prefork: while its request waits; NULL: others do that */
    apr_pool_t *pool;
    apr_thread_t *thread;
    int slot;                   /* of the scoreboard, -1: none of its own */
    int shared_slot;            /* if it has none of its own */
    apr_thread_cond_t *wait_cond; /* waiting in a request, with the loop's lock */

    /* The thread itself; when it leads a loop, the loop's lock guards the
     * decision: loop->leader says who leads. */
    h2_loop *loop;              /* that it leads, or whose request it runs */
    ap_sb_handle_t *scoreboard; /* where requests are counted; NULL: not known yet */
    int has_own_slot;           /* its requests may be shown there, not only counted */

    /* Guarded by the pool's lock: */
    APR_RING_ENTRY(h2_worker) link; /* spare or gone */
    apr_thread_cond_t *job_cond;
    h2_job job;
    apr_time_t spare_since;         /* h2_clock_now() of then */
};

/* The thread itself: finds where its requests are counted, if that is not known yet. The parent may
 * have entered the child only after its first threads have begun, but long before it has a
 * connection: to be called before a request, too. */
void h2_worker_find_scoreboard(h2_worker *worker);

typedef struct h2_workers_limits {
    int min_total;            /* threads that stay however long they idle */
    int max_total;
    int max_detached;         /* of these: in a request that runs beside the leaders */
    apr_interval_time_t idle; /* usec of a thread above the minimum before it leaves */
    int first_slot;           /* of the scoreboard: where to show threads */
    int slot_count;           /* 0: none */
    int are_slots_ours;       /* no thread of the MPM uses them */
    h2_loop **loops;          /* to be told when a thread is spare again */
    int loop_count;
    h2_workers_stats *stats;  /* where its threads are counted; NULL: nowhere to be seen */
} h2_workers_limits;

/* Child start; the limits and what they point to are copied or live as long as
 * pool. Any thread makes subpools of pool and destroys them: its allocator needs a
 * lock. */
apr_status_t h2_workers_create(h2_workers **pworkers, apr_pool_t *pool,
                               const h2_workers_limits *limits, h2_worker_main *main);

/* Any thread, no loop held: starts threads up to the minimum. */
void h2_workers_fill(h2_workers *workers);

/* Any thread, no loop held: keeps one spare thread (made if need be) for a
 * later h2_workers_use_kept() with a job of that kind. 0 when there is none to be
 * had, or max_detached requests have one. */
int h2_workers_keep(h2_workers *workers, h2_keep_for what);

/* Any thread, no loop held: gives job to a thread that was kept. When the time for
 * h2_workers_stop() was up, that has left, and the job is dropped. */
void h2_workers_use_kept(h2_workers *workers, h2_job job);

/* Any thread, no loop held: a thread that was kept for this is not needed any more. */
void h2_workers_release_kept(h2_workers *workers, h2_keep_for what);

/* The worker itself: a request is counted in the slot of the scoreboard that it has,
 * also where it shares one. bytes: sent, where mod_logio counts them. */
void h2_worker_count_request(const h2_worker *worker, request_rec *r, apr_uint64_t bytes);

/* Any thread: threads at the moment. */
int h2_workers_count(h2_workers *workers);

/* Child end: spare threads leave, those that are kept when they are released or
 * when timeout_usec is over. Joins all that have left; APR_TIMEUP when some have
 * not, as they still work. */
apr_status_t h2_workers_stop(h2_workers *workers, apr_interval_time_t timeout_usec);

#endif /* H2_WORKERS_H */

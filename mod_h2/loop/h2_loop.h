/*
 * The event loop: sockets to watch, timers, and the list of tasks that have
 * something to do. It is data, not a thread. Whoever holds its lock is the
 * holder; one thread at a time is its leader and waits for events.
 *
 * Knows tasks and events, no HTTP. One loop is created for each core by the child and lives as
 * long as the child.
 *
 * Order of a leader's life:
 *   lock, then repeat { h2_loop_next() ... work ... } until it returns NULL,
 *   h2_loop_wait() (gives the lock back while it waits), and again.
 */
#ifndef H2_LOOP_H
#define H2_LOOP_H

#include <apr_portable.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>

#include "base/h2_base.h"
#include "base/h2_blocks.h"
#include "loop/h2_task.h"
#include "stats/h2_stats.h"

/* Slots of the timer wheel and the width of one. A deadline beyond the wheel's
 * 64 s waits in the last slot and is looked at again then. */
#define H2_LOOP_SLOTS 256
#define H2_LOOP_SLOT_USEC (APR_USEC_PER_SEC / 4)

/* Bytes of each of the loop's two scratch buffers: one for what is read or
 * packed, one for encrypted records. Eight frames of the default size. */
#define H2_LOOP_SCRATCH_BYTES (128 * 1024 + 4096)

typedef struct h2_loop h2_loop;
struct h2_loop {
    /* Fixed after creation. */
    int index;
    int is_single;             /* boolean, prefork: its leader is the only thread there is */
    apr_uint64_t process_bits; /* of the ids of connections, above the low 32 */
    apr_pollset_t *pollset;
    h2_stats *stats;           /* what its connections do; only its holder writes there */

    apr_thread_mutex_t *lock;
    /* Guarded by the lock: */
    const void *leader;    /* the thread that leads, its h2_worker; NULL: nobody at the moment */
    h2_task *current;      /* the task on which the leader works */
    unsigned is_waiting : 1;   /* the leader is in poll */
    unsigned is_woken : 1;     /* and has been woken already */
    unsigned is_retrying : 1;  /* a thread is to be had again: wake the starved */
    unsigned has_standby : 1;  /* a spare thread is kept for taking the lead */
    unsigned is_draining : 1;  /* the child ends: say GOAWAY, finish, close */
    unsigned is_stopping : 1;  /* the child ends now */
    APR_RING_HEAD(h2_tasks, h2_task) tasks; /* that were added and not removed */
    h2_blocks blocks;          /* for what comes and goes with each request */
    apr_uint32_t id_count;     /* of h2_loop_next_id() */
    apr_time_t now;            /* when the lock was taken last, by h2_clock_now() */
    apr_time_t wall_offset;    /* the system's clock less that one, when poll returned last */
    APR_RING_HEAD(h2_cond_waits, h2_cond_wait) cond_waits; /* who is in h2_loop_cond_wait() */
    apr_time_t wait_until;     /* when the leader in poll will look at timers */
    apr_time_t tick_at;        /* when the leader returns from poll if there are tasks; 0: never */
    apr_time_t retry_at;       /* when the starved are tried again, whatever happens */
    APR_RING_HEAD(h2_task_ready, h2_task) ready;     /* have something to do */
    APR_RING_HEAD(h2_task_later, h2_task) later;     /* ready behind others, by ready_link */
    APR_RING_HEAD(h2_task_starved, h2_task) starved; /* requests of theirs found no thread */
    APR_RING_HEAD(h2_task_slot, h2_task) slots[H2_LOOP_SLOTS]; /* the timer wheel */
    struct h2_task_slot fired; /* the tasks of a slot while it is worked through */
    apr_int64_t slot_done;     /* the last slot number that was worked through */
    char *scratch;             /* H2_LOOP_SCRATCH_BYTES, valid while the lock is held */
    char *record_scratch;      /* the same, for encrypted records */
#ifdef H2_DEBUG
    apr_os_thread_t holder;
    int is_held;
#endif

    /* Any thread, atomically: tasks in the starved list. */
    volatile apr_uint32_t starved_count;

    /* Written by the leader and who deposes it, read by the watchdog, atomically: odd while the
     * leader runs or ends requests. The same odd number seen twice is one that takes long. */
    volatile apr_uint32_t run_sequence;
};

/* Creates a loop in pool (of the child; also owns it). At child start. stats: its block, which
 * lives as long; NULL: one of its own, that nobody else sees. */
apr_status_t h2_loop_create(h2_loop **ploop, int index, h2_stats *stats, apr_pool_t *pool);

/* Any thread: take and give back the loop. No lock may be held that somebody takes
 * who holds a loop. */
void h2_loop_lock(h2_loop *loop);
void h2_loop_unlock(h2_loop *loop);

/* Asserts, in a debug build, that the calling thread holds the loop. */
#ifdef H2_DEBUG
void h2_loop_assert_held(const h2_loop *loop);
#else
#define h2_loop_assert_held(loop) ((void)0)
#endif

/* Holder: waits on cond and gives the loop back meanwhile. APR_TIMEUP after
 * timeout_usec (negative: no limit). Wakes without reason, too, and earlier than it
 * should where the system's clock has been set: whether the time is over, loop->now says. */
apr_status_t h2_loop_cond_wait(h2_loop *loop, apr_thread_cond_t *cond,
                               apr_interval_time_t timeout_usec);

/* Holder: what the system's clock shows now, within the time since poll returned last. */
apr_time_t h2_loop_wall_time(const h2_loop *loop);

/* Holder: a task, whose memory is the caller's and is cleared, joins the loop; socket is borrowed
 * until the removal. */
void h2_loop_add(h2_loop *loop, h2_task *task, apr_socket_t *socket, void *owner);

/* Holder: the task leaves the loop. Where the holder is not the leader, the task's
 * memory must stay until the leader's next h2_loop_wait() has returned, as poll may
 * have seen it already. */
void h2_loop_remove(h2_loop *loop, h2_task *task);

/* Holder: has it no tasks at all? */
int h2_loop_is_empty(const h2_loop *loop);

/* Holder: watch the task's socket for these APR_POLLIN/APR_POLLOUT; 0: not. */
apr_status_t h2_loop_watch(h2_loop *loop, h2_task *task, apr_int16_t reqevents);

/* Holder: the task has something to do. Wakes the leader if it is waiting. */
void h2_loop_ready(h2_loop *loop, h2_task *task);

/* Holder: when the task becomes due, by loop->now; 0: never. To move a deadline to a later time
 * costs nothing. */
void h2_loop_deadline(h2_loop *loop, h2_task *task, apr_time_t when);

/* Holder: a request of the task may find no thread; it is made ready again when
 * h2_loop_retry() says that there is one. To be called before asking for one, so
 * that no thread becomes spare unnoticed in between, and taken back after it. */
void h2_loop_starve(h2_loop *loop, h2_task *task);
void h2_loop_unstarve(h2_loop *loop, h2_task *task);

/* Holder: the task could go on, but what others have to do comes first. */
void h2_loop_ready_later(h2_loop *loop, h2_task *task);

/* Holder: makes all tasks ready, as something has changed for each of them. */
void h2_loop_ready_all(h2_loop *loop);

/* Any thread, not holding: a thread is to be had again. */
void h2_loop_retry(h2_loop *loop);

/* Leader and holder: the next task with something to do, NULL: none. */
h2_task *h2_loop_next(h2_loop *loop);

/* Leader and holder: waits for events, timers or h2_loop_wake(), gives the loop
 * back meanwhile; what happened is in the ready list. */
void h2_loop_wait(h2_loop *loop);

/* Holder: makes the leader return from h2_loop_wait(). */
void h2_loop_wake(h2_loop *loop);

/* Holder: an id for a connection. Modules make ids of the low 32 bits, which do not come
 * again in the child for 67 million connections; those above tell children apart. */
long h2_loop_next_id(h2_loop *loop);

#endif /* H2_LOOP_H */

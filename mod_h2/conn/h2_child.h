/*
 * What a child process has of the module: its loops, its H2Workers and its
 * watchdog. Created at child start, constant after it; one for each process.
 */
#ifndef H2_CHILD_H
#define H2_CHILD_H

#include <ap_mpm.h>
#include <mpm_common.h>
#include <scoreboard.h>

#include "base/h2_base.h"
#include "loop/h2_loop.h"
#include "worker/h2_leader.h"
#include "worker/h2_workers.h"

/* More loops than this bring nothing, as one accept queue feeds them all. */
#define H2_CHILD_LOOPS_MAX 16

typedef struct h2_child {
    /* Fixed. */
    apr_pool_t *pool;
    h2_loop *loops[H2_CHILD_LOOPS_MAX];
    int loop_count;
    h2_workers *workers;
    h2_watchdog *watchdog;
    apr_thread_mutex_t *report_lock; /* for the report of a connection in shared memory */
    h2_stats_slot *stats; /* where others see what it does; NULL: nowhere */
    int running_max;      /* threads that the requests of one connection may hold */
    int is_async;         /* the MPM lets us keep connections without a thread */
    int is_single;        /* prefork: one thread does all, and there are no workers */

    /* Any thread, atomically. */
    volatile apr_uint32_t session_count; /* ever: spreads them over the loops */
} h2_child;

/* After the configuration was read: says hello, and where HTTP/2 cannot be offered. */
int h2_child_post_config(apr_pool_t *pool, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s);

/* The hooks child_init and child_stopping. */
void h2_child_init(apr_pool_t *pool, server_rec *s);
void h2_child_stopping(apr_pool_t *pool, int is_graceful);

/* The hook child_status, in the parent. */
void h2_child_status(server_rec *s, pid_t pid, ap_generation_t generation, int slot,
                     mpm_child_status status);

/* This process's; NULL: it cannot serve HTTP/2. Any thread. */
h2_child *h2_child_get(void);

/* How long a thread may wait for the end of its session when the child stops at once, before it
 * calls h2_child_leave(), which ends the process without freeing anything. Any thread. */
apr_interval_time_t h2_child_stop_usec(void);
void h2_child_leave(void);

/* At the start of httpd: what other modules may ask of us. */
void h2_child_register_functions(void);

#endif /* H2_CHILD_H */

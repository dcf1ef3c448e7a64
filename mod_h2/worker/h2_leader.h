/*
 * Leadership of a loop: who waits for its events. At most one thread leads a
 * loop; it gives the lead away before it may get stuck (h2_leader_detach), or
 * loses it to the watchdog when a request, or the end of some, takes longer than a
 * few milliseconds. Who leads is said by loop->leader, guarded by the loop's lock.
 */
#ifndef H2_LEADER_H
#define H2_LEADER_H

#include "worker/h2_workers.h"

/* A request on the leader that takes longer than one to two of these loses it
 * the lead: long against a static file, short against what a person notices. */
#define H2_WATCHDOG_TICK_USEC 2000

typedef struct h2_watchdog h2_watchdog;

/* Holder: is worker the leader of the loop? */
#define h2_leader_is(leading_worker, of_loop) ((of_loop)->leader == (leading_worker))

/* The worker itself, no loop held: the request that it runs may have to wait; if
 * it leads its loop, the standby leads that from now on. Does nothing otherwise.
 * Returns non-zero if it has given the lead away. */
int h2_leader_detach(h2_worker *worker);

/* Leader and holder: gives the loop back for running or ending requests itself. */
void h2_leader_run_begin(h2_loop *loop, h2_watchdog *watchdog);

/* Who has called h2_leader_run_begin(), after that: takes the loop
 * again. Returns 0 if worker has lost the lead in the meantime. */
int h2_leader_run_end(h2_loop *loop, const h2_worker *worker);

/* Leader and holder: sees to it that the loop has a standby. Gives the loop back
 * and takes it again if it has to make one. 0: none to be had. */
int h2_leader_ensure_standby(h2_loop *loop, h2_workers *workers);

/* Leader and holder: nobody leads the loop any more, as the child ends. Gives the
 * loop back for a moment, to let its standby go. */
void h2_leader_resign(h2_loop *loop, h2_workers *workers);

/* Child start: watches loops (count of them), a thread of its own that sleeps
 * while nothing runs. pool: as for h2_workers_create(). */
apr_status_t h2_watchdog_create(h2_watchdog **pwatchdog, apr_pool_t *pool,
                                h2_workers *workers, h2_loop **loops, int count);

/* Child end. Waits for the thread. */
void h2_watchdog_stop(h2_watchdog *watchdog);

#endif /* H2_LEADER_H */

/*
 * A whole connection without httpd: the loop, the turns of its sessions, nghttp2, streams, exchange
 * and io are the real ones. What is around them is played here by one thread: the clock, poll, the
 * socket with its client (client.c), threads that may be had or not, and requests (requests.c),
 * which do what a plan says instead of what httpd would.
 *
 * One thread plays all: a request that waits calls, in its wait, a leader of the loop, until what
 * it waits for has come. So its life is what it would be with threads, in one order of many.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include "fuzz.h"
#include "request/h2_context.h"
#include "session/h2_session.h"

#define MACHINE_PLAN_BYTES 16

/* Of a setup, before the plan. */
#define MACHINE_FLAG_BYTES 4

typedef enum {
    MACHINE_EVENT,   /* the connection is the loop's */
    MACHINE_WORKER,  /* a thread of the MPM waits for its end */
    MACHINE_PREFORK  /* that thread is the only one */
} machine_mpm;

/* How a connection is set up; machine_setup() makes it from an input. */
typedef struct machine_setup {
    machine_mpm mpm;
    int is_tls;
    int has_preface;               /* the client's preface and SETTINGS are sent first */
    const uint8_t *plan;           /* MACHINE_PLAN_BYTES: what requests do, in turn */
    h2_server_conf *conf;
    const unsigned char *settings; /* of an Upgrade; NULL: there was none */
    apr_size_t settings_length;
    h2_head *head;                 /* of an Upgrade, is taken */
} machine_setup;

/* All of it, in this thread. Must be clear before its first run. */
typedef struct machine {
    apr_pool_t *pool;
    const machine_setup *setup;
    fuzz_input events;
    int is_at_end;                 /* no events any more: everything is brought to its end */

    h2_loop *loop;
    server_rec *server;
    conn_rec *c;
    h2_session *session;           /* NULL: its memory is gone */
    int run_count;                 /* of requests */
} machine;

extern machine the_machine;

/* The defaults, with what the first bytes of the input change in them. */
void machine_setup_from(machine_setup *setup, apr_pool_t *pool, fuzz_input *input);

/* From the connection's beginning to its end; events: what happens, see client.h. */
void machine_run(const machine_setup *setup, apr_pool_t *pool, const uint8_t *data, size_t size);

/* The clock goes on; the system's clock, which shows the time of day, is set. */
void machine_pass_time(apr_interval_time_t usec);
void machine_set_wall(apr_interval_time_t usec);

/* More bytes of the client have arrived; it will send no more; the connection is broken. */
void machine_arrive(const void *data, size_t size);
void machine_client_ends(void);
void machine_client_resets(void);

/* So many bytes the socket takes from now on; SIZE_MAX: all. */
void machine_set_room(size_t bytes);

/* So many threads may be had for requests that do not run on the leader. */
void machine_give_threads(int count);

/* The child ends, gently or at once. */
void machine_drain(void);
void machine_stop(void);

/* A thread begins with the request that has waited longest for one. */
void machine_run_detached(void);

#endif /* MACHINE_H */

/*
 * The engine's part in which threads meet, under load: loops, leaders, standbys, the
 * watchdog, detached runners that wait with the loop's lock, and chunks of bodies that pass
 * between them. Above it stands a connection of the simplest kind instead of HTTP/2.
 *
 * Made for ThreadSanitizer; counters of this test are relaxed atomics, so that they order
 * nothing that the engine does not order itself. Each of the tests takes about 0.7 s, or
 * H2_STRESS_SECONDS seconds.
 *
 * What a client sends, a byte for each:
 *   q  a quick request                      run by the leader
 *   s  one that takes longer than the watchdog allows
 *   d  one that steps down before it waits
 *   h  one that is handed to a spare thread
 *   l  one that sends back its body         begun by the leader
 *   w  the same                             handed to a spare thread
 *   b  a piece of the body of the last of these two, e: its end
 * Each request is answered with one byte when all of it is done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include <cmocka.h>

#include <apr_general.h>
#include <apr_portable.h>

#include "exchange/h2_exchange.h"
#include "worker/h2_leader.h"
#include "../httpd_stubs.h"
#include "../waiting.h"

#define LOOPS               2
#define CLIENTS             3
#define SESSIONS_PER_CLIENT 6

/* Requests in one go of a client. */
#define BATCH_REQUESTS 8

/* Output that a runner may have waiting. */
#define OUT_MAX_BYTES 8192

/* A runner that waits longer has been forgotten. */
#define RUNNER_PATIENCE_USEC WAITING_PATIENCE_USEC

/* Longer than two ticks of the watchdog. */
#define SLOW_USEC (3 * H2_WATCHDOG_TICK_USEC)

/* ---- what is counted and what must not be ---- */

static int mistakes; /* printed as they come */
static int opened_count, buried_count, started_count, finished_count, answered_count;
static int aborted_count, detached_count, deposed_count, due_count, waited_count;
static apr_int64_t in_bytes, out_bytes; /* of bodies that were echoed to their end */

#define COUNT(counter, by) ((void)__atomic_fetch_add(&(counter), (by), __ATOMIC_RELAXED))
#define VALUE(counter)     __atomic_load_n(&(counter), __ATOMIC_RELAXED)

static void check(int is_right, const char *what)
{
    if (!is_right) {
        fprintf(stderr, "mistake: %s\n", what);
        COUNT(mistakes, 1);
    }
}

/* ---- streams and sessions: the holder's of the loop ---- */

typedef struct session session;
typedef struct stream stream;

struct stream {
    APR_RING_ENTRY(stream) link;
    session *s;
    char kind;
    h2_exchange exchange;
    unsigned is_waiting : 1;  /* for a thread */
    unsigned is_finished : 1; /* the thread is done */
    apr_off_t received_bytes; /* of the body, from the client */
    apr_off_t sent_bytes;     /* of the echo, to the client */
    apr_off_t run_bytes;      /* the runner's: of the body that it has read */
};

struct session {
    APR_RING_ENTRY(session) link; /* in its loop's graves */
    h2_task task;
    apr_pool_t *pool;
    int loop;
    int descriptor;
    int running_count;
    unsigned is_gone : 1;                   /* the client has closed */
    APR_RING_HEAD(streams, stream) streams; /* oldest first */
};

APR_RING_HEAD(graves, session);

static apr_pool_t *pool;
static h2_workers *workers;
static h2_watchdog *watchdog;
static h2_loop *loops[LOOPS];
static struct graves graves[LOOPS]; /* removed, not yet freed; guarded by the loop's lock */

static char body_byte(apr_off_t offset)
{
    return (char)(offset * 31 + offset / 251);
}

static void free_stream(stream *st)
{
    APR_RING_REMOVE(st, link);
    h2_exchange_clear(&st->exchange);
    free(st);
}

static void free_session(session *s)
{
    while (!APR_RING_EMPTY(&s->streams, stream, link)) {
        free_stream(APR_RING_FIRST(&s->streams));
    }
    if (s->descriptor >= 0) {
        close(s->descriptor);
    }
    apr_pool_destroy(s->pool);
    free(s);
}

static void add_request(session *s, char kind)
{
    stream *st = calloc(1, sizeof(*st));

    h2_exchange_init(&st->exchange);
    st->s = s;
    st->kind = kind;
    st->is_waiting = 1;
    APR_RING_INSERT_TAIL(&s->streams, st, stream, link);
}

/* The request whose body arrives: the last that has one. */
static stream *body_stream(session *s)
{
    stream *st;

    for (st = APR_RING_LAST(&s->streams); st != APR_RING_SENTINEL(&s->streams, stream, link);
         st = APR_RING_PREV(st, link)) {
        if (st->kind == 'l' || st->kind == 'w') {
            return st;
        }
    }
    return NULL;
}

static void add_body(session *s)
{
    stream *st = body_stream(s);
    char *bytes = loops[s->loop]->scratch;
    apr_size_t length, i;

    if (st && !st->exchange.in_is_ended) {
        length = 1 + (apr_size_t)(st->received_bytes * 7 + 977) % 20000;
        for (i = 0; i < length; ++i) {
            bytes[i] = body_byte(st->received_bytes + (apr_off_t)i);
        }
        h2_chunks_add_copy(&st->exchange.in, bytes, length);
        st->received_bytes += (apr_off_t)length;
        h2_exchange_wake(&st->exchange);
    }
}

static void end_body(session *s)
{
    stream *st = body_stream(s);

    if (st) {
        st->exchange.in_is_ended = 1;
        h2_exchange_wake(&st->exchange);
    }
}

static void abort_all(session *s)
{
    stream *st, *next;

    s->is_gone = 1;
    for (st = APR_RING_FIRST(&s->streams); st != APR_RING_SENTINEL(&s->streams, stream, link);
         st = next) {
        next = APR_RING_NEXT(st, link);
        if (st->is_waiting) {
            free_stream(st);
        }
        else if (!st->exchange.is_aborted) {
            h2_exchange_abort(&st->exchange);
            COUNT(aborted_count, 1);
        }
    }
}

static void receive(session *s)
{
    char bytes[64];
    ssize_t count, i;

    while (!s->is_gone && (count = recv(s->descriptor, bytes, sizeof(bytes), MSG_DONTWAIT)) >= 0) {
        if (count == 0) {
            h2_loop_watch(loops[s->loop], &s->task, 0);
            abort_all(s);
        }
        for (i = 0; i < count; ++i) {
            switch (bytes[i]) {
            case 'b':
                add_body(s);
                break;
            case 'e':
                end_body(s);
                break;
            default:
                add_request(s, bytes[i]);
            }
        }
    }
}

/* Takes what a runner has put out, looks at each byte and wakes the runner. */
static void drain(stream *st)
{
    h2_exchange *exchange = &st->exchange;
    char *bytes = loops[st->s->loop]->scratch;
    apr_size_t i;

    while (exchange->out.total_bytes) {
        apr_size_t count =
            (exchange->out.total_bytes < 5000) ? (apr_size_t)exchange->out.total_bytes : 5000;

        check(h2_chunks_read(&exchange->out, bytes, count) == APR_SUCCESS, "chunks are read");
        for (i = 0; i < count; ++i) {
            if (bytes[i] != (char)~body_byte(st->sent_bytes + (apr_off_t)i)) {
                check(0, "the echo is the body");
                break;
            }
        }
        st->sent_bytes += (apr_off_t)count;
    }
    h2_exchange_wake(exchange);
}

static void send_all(session *s)
{
    stream *st, *next;

    for (st = APR_RING_FIRST(&s->streams); st != APR_RING_SENTINEL(&s->streams, stream, link);
         st = next) {
        next = APR_RING_NEXT(st, link);
        drain(st);
        if (st->is_finished) {
            if (!st->exchange.is_aborted) {
                check(st->received_bytes == st->sent_bytes, "the echo is complete");
                COUNT(in_bytes, st->received_bytes);
                COUNT(out_bytes, st->sent_bytes);
                COUNT(answered_count, 1);
                (void)!send(s->descriptor, ".", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
            }
            free_stream(st);
        }
    }
}

/* ---- requests: the runner's, without the loop ---- */

/* Compare h2_pump_wait(). Holder. */
static void wait_in_request(stream *st, h2_worker *worker)
{
    h2_loop *loop = loops[st->s->loop];

    if (h2_leader_is(worker, loop)) {
        h2_loop_unlock(loop);
        COUNT(detached_count, h2_leader_detach(worker));
        h2_loop_lock(loop);
        return;
    }
    check(!st->exchange.waiter, "one thread waits in a request");
    st->exchange.waiter = worker->wait_cond;
    COUNT(waited_count, 1);
    check(h2_loop_cond_wait(loop, worker->wait_cond, RUNNER_PATIENCE_USEC) == APR_SUCCESS,
          "a runner is not forgotten");
    st->exchange.waiter = NULL;
}

static void turn_round(stream *st, h2_chunk *chunk, h2_chunks *to)
{
    char *bytes = (char *)chunk->data;
    apr_off_t i;

    for (i = 0; i < chunk->length; ++i) {
        if (bytes[i] != body_byte(st->run_bytes + i)) {
            check(0, "the body is what was sent");
            break;
        }
    }
    for (i = 0; i < chunk->length; ++i) {
        bytes[i] = (char)~bytes[i];
    }
    st->run_bytes += chunk->length;
    /* Both ways in which a response gets its bytes. */
    if (chunk->length % 2) {
        h2_chunks_append(to, chunk);
    }
    else {
        h2_chunks_add_copy(to, bytes, (apr_size_t)chunk->length);
        h2_chunk_destroy(chunk);
    }
}

static void echo(stream *st, h2_worker *worker)
{
    h2_exchange *exchange = &st->exchange;
    session *s = st->s;
    h2_loop *loop = loops[s->loop];
    h2_chunks made;
    h2_chunk *chunk;

    h2_loop_lock(loop);
    while (!exchange->is_aborted) {
        chunk = h2_chunks_pop(&exchange->in);
        if (!chunk && exchange->in_is_ended) {
            break;
        }
        if (!chunk) {
            wait_in_request(st, worker);
            continue;
        }
        h2_loop_unlock(loop);
        h2_chunks_init(&made);
        turn_round(st, chunk, &made);
        h2_loop_lock(loop);
        h2_chunks_move(&exchange->out, &made);
        h2_loop_ready(loop, &s->task);
        while (!exchange->is_aborted && exchange->out.memory_bytes > OUT_MAX_BYTES) {
            wait_in_request(st, worker);
        }
    }
    h2_loop_unlock(loop);
}

static void run(stream *st, h2_worker *worker)
{
    switch (st->kind) {
    case 's':
        apr_sleep(SLOW_USEC);
        break;
    case 'd':
        COUNT(detached_count, h2_leader_detach(worker));
        apr_sleep(500);
        break;
    case 'l':
    case 'w':
        echo(st, worker);
        break;
    default:
        break;
    }
}

/* ---- turns: the leader's; compare conn/h2_turn.c ---- */

/* Holder: a thread has it from now on. */
static void begin(stream *st)
{
    check(st->is_waiting && !st->exchange.is_running, "a request runs once");
    st->is_waiting = 0;
    st->exchange.is_running = 1;
    ++st->s->running_count;
    COUNT(started_count, 1);
}

/* Holder, who has run it. */
static void finish(stream *st)
{
    st->exchange.is_running = 0;
    st->is_finished = 1;
    --st->s->running_count;
    COUNT(finished_count, 1);
}

static stream *next_waiting(session *s)
{
    stream *st;

    APR_RING_FOREACH(st, &s->streams, stream, link)
    {
        if (st->is_waiting) {
            return st;
        }
    }
    return NULL;
}

static int run_here(h2_worker *worker, stream *st)
{
    h2_loop *loop = loops[st->s->loop];
    int is_leader;

    begin(st);
    h2_leader_run_begin(loop, watchdog);
    run(st, worker);
    is_leader = h2_leader_run_end(loop, worker);
    finish(st);
    COUNT(deposed_count, !is_leader);
    return is_leader;
}

static int hand_over(session *s)
{
    h2_loop *loop = loops[s->loop];
    h2_job job = {NULL, NULL};
    int is_kept;

    h2_loop_starve(loop, &s->task);
    h2_loop_unlock(loop);
    is_kept = h2_workers_keep(workers, H2_KEEP_RUNNER);
    h2_loop_lock(loop);
    if (!is_kept) {
        return 0;
    }
    h2_loop_unstarve(loop, &s->task);
    job.run = next_waiting(s);
    if (job.run) {
        begin(job.run);
    }
    h2_loop_unlock(loop);
    if (job.run) {
        h2_workers_use_kept(workers, job);
    }
    else {
        h2_workers_release_kept(workers, H2_KEEP_RUNNER);
    }
    h2_loop_lock(loop);
    return 1;
}

static int ensure_standby(session *s)
{
    h2_loop *loop = loops[s->loop];
    int is_kept;

    if (loop->has_standby) {
        return 1;
    }
    h2_loop_starve(loop, &s->task);
    is_kept = h2_leader_ensure_standby(loop, workers);
    if (is_kept) {
        h2_loop_unstarve(loop, &s->task);
    }
    return is_kept;
}

/* Returns 0 if worker has lost the lead. */
static int start_requests(h2_worker *worker, session *s)
{
    stream *st;

    while ((st = next_waiting(s)) != NULL) {
        if (st->kind == 'h' || st->kind == 'w') {
            if (!hand_over(s)) {
                return 1;
            }
            continue;
        }
        if (!ensure_standby(s)) {
            return 1;
        }
        if (st == next_waiting(s) && !run_here(worker, st)) {
            return 0;
        }
    }
    return 1;
}

/* Leader, nothing of the session runs: it is freed after the next wait. */
static void bury(session *s)
{
    h2_loop_remove(loops[s->loop], &s->task);
    close(s->descriptor);
    s->descriptor = -1;
    APR_RING_INSERT_TAIL(&graves[s->loop], s, session, link);
}

static void turn(h2_worker *worker, session *s)
{
    h2_loop *loop = loops[s->loop];

    s->task.revents = 0;
    if (s->task.is_due) {
        s->task.is_due = 0;
        COUNT(due_count, 1);
        check(s->task.deadline <= loop->now, "nothing is due too early");
        h2_loop_deadline(loop, &s->task, loop->now + 1);
    }
    if (!s->is_gone) {
        h2_loop_watch(loop, &s->task, APR_POLLIN);
    }
    receive(s);
    if (loop->is_stopping) {
        abort_all(s);
    }
    if (!start_requests(worker, s)) {
        send_all(s);
        /* Only the leader does the rest. */
        h2_loop_ready(loop, &s->task);
        return;
    }
    send_all(s);
    if (s->is_gone && !s->running_count && !loop->is_stopping) {
        bury(s);
    }
}

static void free_graves(int loop)
{
    while (!APR_RING_EMPTY(&graves[loop], session, link)) {
        session *s = APR_RING_FIRST(&graves[loop]);

        APR_RING_REMOVE(s, link);
        free_session(s);
        COUNT(buried_count, 1);
    }
}

static void lead(h2_worker *worker, h2_loop *loop)
{
    h2_task *task;

    worker->loop = loop;
    h2_loop_lock(loop);
    check(!loop->leader, "a loop has one leader");
    loop->leader = worker;
    while (h2_leader_is(worker, loop)) {
        task = h2_loop_next(loop);
        if (task) {
            loop->current = task;
            turn(worker, task->owner);
            if (h2_leader_is(worker, loop)) {
                loop->current = NULL;
            }
        }
        else if (loop->is_stopping) {
            h2_leader_resign(loop, workers);
        }
        else {
            h2_loop_wait(loop);
            free_graves(loop->index);
        }
    }
    h2_loop_unlock(loop);
}

static void work(h2_worker *worker, h2_job job)
{
    stream *st = job.run;
    h2_loop *loop;

    if (job.lead) {
        lead(worker, job.lead);
        return;
    }
    loop = worker->loop = loops[st->s->loop];
    run(st, worker);
    h2_loop_lock(loop);
    finish(st);
    /* Two ways to have the leader look at it. */
    if (st->s->is_gone || st->kind == 'h') {
        h2_loop_ready(loop, &st->s->task);
    }
    else {
        h2_loop_watch(loop, &st->s->task, APR_POLLIN | APR_POLLOUT);
    }
    h2_loop_unlock(loop);
}

/* ---- clients: threads that know sockets only ---- */

typedef struct client {
    pthread_t thread;
    apr_uint32_t seed;
    int far[SESSIONS_PER_CLIENT];      /* ends of the socket pairs */
    int expected[SESSIONS_PER_CLIENT]; /* answers */
} client;

static int is_over;        /* clients and the pest are to end */
static int may_be_cut_off; /* the server may end before its clients */
static waiting_count ended_clients = WAITING_COUNT_INIT;

static int roll(apr_uint32_t *seed, int sides)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (int)((*seed >> 8) % (apr_uint32_t)sides);
}

static int open_session(apr_uint32_t *seed)
{
    const struct timeval patience = {(time_t)apr_time_sec(WAITING_PATIENCE_USEC), 0};
    session *s = calloc(1, sizeof(*s));
    apr_socket_t *socket = NULL;
    int pair[2];

    check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "there are sockets");
    setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    apr_pool_create_unmanaged_ex(&s->pool, NULL, NULL); /* nothing in common with others */
    apr_os_sock_put(&socket, &pair[0], s->pool);
    s->descriptor = pair[0];
    s->loop = roll(seed, LOOPS);
    APR_RING_INIT(&s->streams, stream, link);
    h2_loop_lock(loops[s->loop]);
    h2_loop_add(loops[s->loop], &s->task, socket, s);
    h2_loop_watch(loops[s->loop], &s->task, APR_POLLIN);
    h2_loop_deadline(loops[s->loop], &s->task, loops[s->loop]->now + 1);
    h2_loop_unlock(loops[s->loop]);
    COUNT(opened_count, 1);
    return pair[1];
}

static int send_bytes(int to, const char *bytes, size_t length)
{
    int is_sent = send(to, bytes, length, MSG_NOSIGNAL) == (ssize_t)length;

    check(is_sent || may_be_cut_off, "bytes are sent");
    return is_sent;
}

/* Some requests in one or two goes; bodies may be cut anywhere between. */
static int send_batch(client *c, int i)
{
    static const char kinds[] = "qqqqqqsdhhllww";
    char bytes[BATCH_REQUESTS * 8];
    size_t first, used = 0;
    int requests, pieces;

    for (requests = 1 + roll(&c->seed, BATCH_REQUESTS); requests; --requests) {
        char kind = kinds[roll(&c->seed, (int)sizeof(kinds) - 1)];

        bytes[used++] = kind;
        ++c->expected[i];
        if (kind == 'l' || kind == 'w') {
            for (pieces = roll(&c->seed, 6); pieces; --pieces) {
                bytes[used++] = 'b';
            }
            bytes[used++] = 'e';
        }
    }
    first = used / (size_t)(1 + roll(&c->seed, 2));
    return send_bytes(c->far[i], bytes, first) &&
           (first == used || send_bytes(c->far[i], bytes + first, used - first));
}

/* Returns 0 when the server has closed. */
static int await_answers(client *c, int i)
{
    char bytes[BATCH_REQUESTS];

    while (c->expected[i]) {
        ssize_t count = recv(c->far[i], bytes, sizeof(bytes), 0);

        check(count > 0 || may_be_cut_off, "answers come");
        if (count <= 0) {
            return 0;
        }
        c->expected[i] -= (int)count;
        check(c->expected[i] >= 0, "each request is answered once");
    }
    return 1;
}

static void leave(client *c, int i)
{
    close(c->far[i]);
    c->far[i] = -1;
    c->expected[i] = 0;
}

/* Returns 0 when the server has closed. */
static int go_round(client *c)
{
    int i;

    for (i = 0; i < SESSIONS_PER_CLIENT; ++i) {
        if (!send_batch(c, i)) {
            return 0;
        }
    }
    for (i = 0; i < SESSIONS_PER_CLIENT; ++i) {
        if (!roll(&c->seed, 8)) {
            leave(c, i); /* with answers under way */
            c->far[i] = open_session(&c->seed);
        }
        else if (!await_answers(c, i)) {
            return 0;
        }
    }
    return 1;
}

static void *be_client(void *data)
{
    client *c = data;
    int i;

    for (i = 0; i < SESSIONS_PER_CLIENT; ++i) {
        c->far[i] = open_session(&c->seed);
    }
    while (!VALUE(is_over) && go_round(c)) {
        continue;
    }
    for (i = 0; i < SESSIONS_PER_CLIENT; ++i) {
        leave(c, i);
    }
    waiting_count_add(&ended_clients, 1);
    return NULL;
}

/* Takes the loops at any moment, makes tasks ready and sets timers. */
static void *be_pest(void *data)
{
    apr_uint32_t seed = 99;

    (void)data;
    while (!VALUE(is_over)) {
        h2_loop *loop = loops[roll(&seed, LOOPS)];

        h2_loop_lock(loop);
        if (!APR_RING_EMPTY(&loop->tasks, h2_task, link)) {
            h2_task *task =
                roll(&seed, 2) ? APR_RING_FIRST(&loop->tasks) : APR_RING_LAST(&loop->tasks);

            if (roll(&seed, 2)) {
                h2_loop_ready(loop, task);
            }
            else {
                h2_loop_deadline(loop, task, loop->now + roll(&seed, 1000));
            }
        }
        h2_loop_unlock(loop);
        h2_loop_retry(loop);
        apr_sleep(200);
    }
    return NULL;
}

/* ---- the tests ---- */

static apr_interval_time_t duration(void)
{
    const char *seconds = getenv("H2_STRESS_SECONDS");

    return seconds ? apr_time_from_sec(atoi(seconds)) : 700 * 1000;
}

static client clients[CLIENTS];
static pthread_t pest;

static void start(int max_total, apr_interval_time_t idle)
{
    h2_workers_limits limits = {0};
    int i;

    mistakes = opened_count = buried_count = started_count = finished_count = answered_count = 0;
    aborted_count = detached_count = deposed_count = due_count = waited_count = is_over = 0;
    in_bytes = out_bytes = 0;
    waiting_count_reset(&ended_clients);
    httpd_stubs_reset();
    httpd_stubs.child_num = 0;
    apr_pool_create(&pool, NULL);
    for (i = 0; i < LOOPS; ++i) {
        APR_RING_INIT(&graves[i], session, link);
        assert_int_equal(h2_loop_create(&loops[i], i, NULL, pool), APR_SUCCESS);
    }
    limits.min_total = 2 * LOOPS;
    limits.max_total = max_total;
    limits.max_detached = max_total - 2 * LOOPS;
    limits.idle = idle;
    limits.slot_count = 4;
    limits.loops = loops;
    limits.loop_count = LOOPS;
    assert_int_equal(h2_workers_create(&workers, pool, &limits, work), APR_SUCCESS);
    assert_int_equal(h2_watchdog_create(&watchdog, pool, workers, loops, LOOPS), APR_SUCCESS);
    h2_workers_fill(workers);
    for (i = 0; i < LOOPS; ++i) {
        h2_job job = {loops[i], NULL};

        assert_true(h2_workers_keep(workers, H2_KEEP_STANDBY));
        h2_workers_use_kept(workers, job);
    }
    for (i = 0; i < CLIENTS; ++i) {
        clients[i].seed = (apr_uint32_t)(i + 1) * 12345u;
        memset(clients[i].expected, 0, sizeof(clients[i].expected));
        assert_int_equal(pthread_create(&clients[i].thread, NULL, be_client, &clients[i]), 0);
    }
    assert_int_equal(pthread_create(&pest, NULL, be_pest, NULL), 0);
}

static void stop_engine(void)
{
    int i;

    for (i = 0; i < LOOPS; ++i) {
        h2_loop_lock(loops[i]);
        loops[i]->is_stopping = 1;
        h2_loop_ready_all(loops[i]);
        h2_loop_unlock(loops[i]);
    }
    h2_watchdog_stop(watchdog);
    assert_int_equal(h2_workers_stop(workers, WAITING_PATIENCE_USEC), APR_SUCCESS);
    assert_int_equal(h2_workers_count(workers), 0);
}

static void join_clients(void)
{
    int i;

    for (i = 0; i < CLIENTS; ++i) {
        pthread_join(clients[i].thread, NULL);
    }
    pthread_join(pest, NULL);
}

static int are_all_buried(void *data)
{
    int i;

    (void)data;
    for (i = 0; i < LOOPS; ++i) { /* graves are freed when the leader has waited */
        h2_loop_lock(loops[i]);
        h2_loop_wake(loops[i]);
        h2_loop_unlock(loops[i]);
    }
    return VALUE(buried_count) == VALUE(opened_count);
}

static void say_what_happened(void)
{
    print_message("%d requests, %d answered, %d aborted; %d detached, %d deposed or detached, "
                  "%d waits, %d timers; %d sessions; %" APR_INT64_T_FMT " bytes echoed\n",
                  finished_count, answered_count, aborted_count, detached_count, deposed_count,
                  waited_count, due_count, opened_count, out_bytes);
}

/* All that is to be proved has come up; deposed_count has the detached ones, too. */
static int has_met_all(void *data)
{
    (void)data;
    return VALUE(answered_count) > 0 && VALUE(aborted_count) > 0 && VALUE(detached_count) > 0
           && VALUE(deposed_count) > VALUE(detached_count);
}

/* Runs, lets all of it end, and looks at the sums. */
static void run_to_the_end(int max_total, apr_interval_time_t idle)
{
    int i;

    start(max_total, idle);
    apr_sleep(duration());
    waiting_until(has_met_all, NULL); /* a slow machine takes longer */
    __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
    join_clients();
    assert_true(waiting_until(are_all_buried, NULL));
    stop_engine();
    say_what_happened();
    assert_int_equal(mistakes, 0);
    assert_int_equal(started_count, finished_count);
    assert_int_equal(in_bytes, out_bytes);
    assert_true(has_met_all(NULL));
    for (i = 0; i < LOOPS; ++i) {
        assert_int_equal(loops[i]->starved_count, 0);
        assert_int_equal(loops[i]->run_sequence & 1, 0);
        assert_true(APR_RING_EMPTY(&loops[i]->tasks, h2_task, link));
    }
    apr_pool_destroy(pool);
}

static void every_request_ends_and_no_byte_is_lost(void **state)
{
    (void)state;
    run_to_the_end(24, 600 * APR_USEC_PER_SEC);
}

static void the_same_holds_while_threads_are_short_and_come_and_go(void **state)
{
    (void)state;
    run_to_the_end(2 * LOOPS + 2, 1000);
}

/* What the engine has left of its sessions when it stopped. */
static void free_what_is_left(void)
{
    int i;

    for (i = 0; i < LOOPS; ++i) {
        h2_loop_lock(loops[i]);
        free_graves(i);
        while (!APR_RING_EMPTY(&loops[i]->tasks, h2_task, link)) {
            session *s = APR_RING_FIRST(&loops[i]->tasks)->owner;

            h2_loop_remove(loops[i], &s->task);
            free_session(s);
        }
        h2_loop_unlock(loops[i]);
    }
}

/* Clients may wait for answers from what they have opened after the end. */
static int have_all_clients_ended(void *data)
{
    (void)data;
    free_what_is_left();
    return waiting_count_value(&ended_clients) == CLIENTS;
}

static void the_end_may_come_at_any_moment(void **state)
{
    int round;

    (void)state;
    may_be_cut_off = 1;
    for (round = 0; round < 5; ++round) {
        start(2 * LOOPS + 4, 600 * APR_USEC_PER_SEC);
        apr_sleep(duration() / 5);
        stop_engine();
        __atomic_store_n(&is_over, 1, __ATOMIC_RELAXED);
        assert_true(waiting_until(have_all_clients_ended, NULL));
        join_clients();
        free_what_is_left();
        assert_int_equal(mistakes, 0);
        assert_int_equal(started_count, finished_count);
        apr_pool_destroy(pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_request_ends_and_no_byte_is_lost),
        cmocka_unit_test(the_same_holds_while_threads_are_short_and_come_and_go),
        cmocka_unit_test(the_end_may_come_at_any_moment),
    };

    apr_initialize();
    waiting_alarm(120 + 3 * (int)apr_time_sec(duration()));
    return cmocka_run_group_tests(tests, NULL, NULL);
}

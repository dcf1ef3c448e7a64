#include "machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <http_config.h>

#include "base/h2_clock.h"
#include "check.h"
#include "client.h"
#include "config/h2_draft.h"
#include "conn/h2_child.h"
#include "conn/h2_turn.h"
#include "standins.h"
#include "request/h2_habits.h"
#include "wire.h"

/* Requests that wait at a time, each on top of the other; one more is out of time. */
#define WAITS_MAX 6

/* Calls of poll in a row in which nothing happens: more would be a loop that spins. */
#define IDLE_POLLS_MAX 3000

/* Steps of a second until all timeouts are over. */
#define END_STEPS 3000

#define DETACHED_MAX 64
#define CONTEXTS_KEPT 32

/* A request that waits for its client. */
typedef struct wait_frame wait_frame;
struct wait_frame {
    wait_frame *below;
    apr_thread_cond_t *cond;
    apr_time_t until; /* 0: no timeout */
    int is_signalled;
    int is_interrupted; /* whoever led meanwhile has been stopped for it */
};

machine the_machine;

/* The world around it. */
static struct {
    apr_time_t now;
    apr_interval_time_t wall_offset; /* of the system's clock, which may be set */
    char *in; /* bytes that have arrived */
    size_t in_start, in_end, in_size;
    int is_closed, is_reset, is_gone;
    size_t room;

    apr_pollfd_t *polled;
    int is_woken;
    int idle_polls;
    int end_steps;

    wait_frame *waits;
    int wait_depth;

    h2_worker *standby; /* has got the lead, but not begun */
    int threads, kept_standbys, kept_runners, busy;
    void *detached[DETACHED_MAX];
    int detached_count;

    h2_context *kept[CONTEXTS_KEPT];
    int kept_count;
} world;

static h2_child child;

/* What the clock shows at first, and how much later the system's is. */
#define TIME_ZERO ((apr_time_t)1 << 42)
#define WALL_OFFSET (1700000000LL * APR_USEC_PER_SEC)

/* ---- the clock ------------------------------------------------------------------------------ */

apr_time_t h2_clock_now(void)
{
    world.now += 2;
    return world.now;
}

apr_time_t apr_time_now(void)
{
    return h2_clock_now() + world.wall_offset;
}

void machine_set_wall(apr_interval_time_t usec)
{
    world.wall_offset += usec;
}

void machine_pass_time(apr_interval_time_t usec)
{
    world.now += usec;
}

/* ---- the socket ------------------------------------------------------------------------------ */

ssize_t __wrap_recv(int descriptor, void *buffer, size_t size, int flags);
ssize_t __wrap_send(int descriptor, const void *data, size_t size, int flags);

void machine_arrive(const void *data, size_t size)
{
    if (!size || world.is_closed || world.is_reset) {
        return;
    }
    if (world.in_end + size > world.in_size) {
        world.in_size = 2 * (world.in_end + size);
        world.in = realloc(world.in, world.in_size);
    }
    memcpy(world.in + world.in_end, data, size);
    world.in_end += size;
}

void machine_client_ends(void)
{
    world.is_closed = 1;
}

void machine_client_resets(void)
{
    world.is_reset = 1;
}

void machine_set_room(size_t bytes)
{
    world.room = bytes;
}

ssize_t __wrap_recv(int descriptor, void *buffer, size_t size, int flags)
{
    size_t left = world.in_end - world.in_start;

    (void)descriptor;
    (void)flags;
    world.idle_polls = 0;
    if (world.is_reset) {
        errno = ECONNRESET;
        return -1;
    }
    if (!left) {
        errno = EAGAIN;
        return world.is_closed ? 0 : -1;
    }
    if (size > left) {
        size = left;
    }
    memcpy(buffer, world.in + world.in_start, size);
    world.in_start += size;
    wire_received(buffer, size);
    return (ssize_t)size;
}

ssize_t __wrap_send(int descriptor, const void *data, size_t size, int flags)
{
    (void)descriptor;
    (void)flags;
    if (world.is_reset) {
        errno = EPIPE;
        return -1;
    }
    if (size > world.room) {
        size = world.room;
    }
    if (!size) {
        errno = EAGAIN;
        return -1;
    }
    world.idle_polls = 0;
    world.room -= (world.room == SIZE_MAX) ? 0 : size;
    wire_sent(data, size);
    return (ssize_t)size;
}

/* ---- threads --------------------------------------------------------------------------------- */

static h2_worker *make_worker(void)
{
    h2_worker *worker = apr_pcalloc(the_machine.pool, sizeof(*worker));

    worker->workers = child.workers;
    worker->pool = the_machine.pool;
    worker->slot = -1;
    apr_thread_cond_create(&worker->wait_cond, the_machine.pool);
    return worker;
}

void machine_give_threads(int count)
{
    world.threads = count;
    h2_loop_retry(the_machine.loop);
}

int h2_workers_keep(h2_workers *workers, h2_keep_for what)
{
    (void)workers;
    if (what == H2_KEEP_STANDBY) {
        if (!world.threads && !the_machine.is_at_end) {
            return 0;
        }
        ++world.kept_standbys;
        return 1;
    }
    if (world.kept_runners + world.busy >= world.threads || world.detached_count >= DETACHED_MAX) {
        return 0;
    }
    ++world.kept_runners;
    return 1;
}

void h2_workers_use_kept(h2_workers *workers, h2_job job)
{
    (void)workers;
    if (job.lead) {
        FUZZ_CHECK(world.kept_standbys-- > 0);
        FUZZ_CHECK(!world.standby);
        world.standby = make_worker();
    }
    else {
        FUZZ_CHECK(world.kept_runners-- > 0);
        FUZZ_CHECK(world.detached_count < DETACHED_MAX);
        world.detached[world.detached_count++] = job.run;
        ++world.busy;
    }
}

void h2_workers_release_kept(h2_workers *workers, h2_keep_for what)
{
    int *kept = (what == H2_KEEP_STANDBY) ? &world.kept_standbys : &world.kept_runners;

    (void)workers;
    FUZZ_CHECK(*kept > 0);
    --*kept;
    h2_loop_retry(the_machine.loop);
}

void h2_worker_count_request(const h2_worker *worker, request_rec *r, apr_uint64_t bytes)
{
    (void)worker;
    (void)r;
    (void)bytes;
}

h2_child *h2_child_get(void)
{
    return &child;
}

void machine_run_detached(void)
{
    h2_job job = {NULL, world.detached[0]};

    if (!world.detached_count || world.wait_depth >= WAITS_MAX) {
        return;
    }
    --world.detached_count;
    memmove(world.detached, world.detached + 1,
            (size_t)world.detached_count * sizeof(world.detached[0]));
    h2_turn_main(make_worker(), job);
    --world.busy;
    h2_loop_retry(the_machine.loop);
}

void machine_drain(void)
{
    h2_loop *loop = the_machine.loop;

    standins_child_ends();
    if (!loop->is_single) {
        h2_loop_lock(loop);
        loop->is_draining = 1;
        h2_loop_ready_all(loop);
        h2_loop_unlock(loop);
    }
}

void machine_stop(void)
{
    h2_loop *loop = the_machine.loop;

    h2_loop_lock(loop);
    loop->is_stopping = 1;
    h2_loop_ready_all(loop);
    h2_loop_unlock(loop);
}

/* ---- waiting --------------------------------------------------------------------------------- */

static int is_over(const wait_frame *wait)
{
    return wait->is_signalled || (wait->until && world.now >= wait->until);
}

/* Whoever is in poll leads no more, for now. */
static void interrupt_leader(wait_frame *wait)
{
    h2_loop *loop = the_machine.loop;

    h2_loop_lock(loop);
    wait->is_interrupted = 1;
    loop->leader = NULL;
    h2_loop_unlock(loop);
}

static void lead(h2_worker *worker)
{
    h2_job job = {the_machine.loop, NULL};

    h2_turn_main(worker, job);
}

/* Others have the processor until the wait is over. */
static void let_others_run(wait_frame *wait)
{
    h2_loop *loop = the_machine.loop;

    while (!is_over(wait)) {
        h2_worker *standby = world.standby;
        h2_worker *leader = standby ? standby : (h2_worker *)loop->leader;

        /* A request that waits while nobody leads the loop would wait for ever. */
        FUZZ_CHECK(leader);
        world.standby = NULL;
        wait->is_interrupted = 0;
        lead(leader);
        if (!wait->is_interrupted) {
            continue; /* it has lost the lead to another one */
        }
        if (standby) {
            world.standby = standby;
        }
        else {
            loop->leader = leader; /* goes on where it was: in poll, below us */
        }
    }
}

apr_status_t apr_thread_cond_timedwait(apr_thread_cond_t *cond, apr_thread_mutex_t *mutex,
                                       apr_interval_time_t timeout)
{
    wait_frame wait = {world.waits, cond, (timeout < 0) ? 0 : world.now + timeout, 0, 0};

    apr_thread_mutex_unlock(mutex);
    if (world.wait_depth >= WAITS_MAX) {
        machine_pass_time(timeout < 0 ? 0 : timeout);
        wait.until = world.now;
    }
    world.waits = &wait;
    ++world.wait_depth;
    let_others_run(&wait);
    --world.wait_depth;
    world.waits = wait.below;
    apr_thread_mutex_lock(mutex);
    return wait.is_signalled ? APR_SUCCESS : APR_TIMEUP;
}

apr_status_t apr_thread_cond_wait(apr_thread_cond_t *cond, apr_thread_mutex_t *mutex)
{
    return apr_thread_cond_timedwait(cond, mutex, -1);
}

apr_status_t apr_thread_cond_signal(apr_thread_cond_t *cond)
{
    wait_frame *wait;

    for (wait = world.waits; wait; wait = wait->below) {
        wait->is_signalled |= (wait->cond == cond);
    }
    return APR_SUCCESS;
}

/* ---- poll ------------------------------------------------------------------------------------ */

apr_status_t apr_pollset_create(apr_pollset_t **pset, apr_uint32_t size, apr_pool_t *pool,
                                apr_uint32_t flags)
{
    (void)size;
    (void)flags;
    *pset = apr_pcalloc(pool, 1);
    return APR_SUCCESS;
}

apr_status_t apr_pollset_add(apr_pollset_t *set, const apr_pollfd_t *pfd)
{
    (void)set;
    FUZZ_CHECK(!world.polled);
    world.polled = (apr_pollfd_t *)pfd;
    return APR_SUCCESS;
}

apr_status_t apr_pollset_remove(apr_pollset_t *set, const apr_pollfd_t *pfd)
{
    (void)set;
    FUZZ_CHECK(world.polled == pfd);
    world.polled = NULL;
    return APR_SUCCESS;
}

apr_status_t apr_pollset_wakeup(apr_pollset_t *set)
{
    (void)set;
    world.is_woken = 1;
    return APR_SUCCESS;
}

static apr_int16_t events_now(void)
{
    apr_int16_t events = 0;

    if (!world.polled) {
        return 0;
    }
    if ((world.in_end > world.in_start || world.is_closed) && !world.is_gone) {
        events |= APR_POLLIN;
    }
    if (world.room) {
        events |= APR_POLLOUT;
    }
    events &= world.polled->reqevents;
    if (world.is_reset) {
        events |= APR_POLLERR | APR_POLLHUP;
    }
    return events;
}

/* No more events: the requests that wait for a thread get one, the child ends, time passes. */
static void go_on_to_the_end(void)
{
    if (!the_machine.is_at_end) {
        the_machine.is_at_end = 1;
        machine_give_threads(WAITS_MAX);
        machine_stop();
        machine_drain();
    }
    if (world.detached_count && world.wait_depth < WAITS_MAX) {
        machine_run_detached();
    }
    machine_pass_time(APR_USEC_PER_SEC);
    FUZZ_CHECK(++world.end_steps < END_STEPS);
}

static int has_more_time(apr_time_t until)
{
    return !until || world.now < until;
}

static int is_woken(const apr_thread_cond_t *cond)
{
    const wait_frame *wait;

    for (wait = world.waits; wait && wait->cond != cond; wait = wait->below) {
        continue;
    }
    return wait && wait->is_signalled;
}

/* The next thing happens. */
static void let_something_happen(void)
{
    check_session(the_machine.session, is_woken);
    if (the_machine.session && the_machine.session->held.is_buried) {
        the_machine.c->sbh = NULL; /* by now the MPM's thread has left it */
    }
    if (the_machine.is_at_end || !client_next_event(&the_machine.events)) {
        go_on_to_the_end();
    }
}

apr_status_t apr_pollset_poll(apr_pollset_t *set, apr_interval_time_t timeout, apr_int32_t *pcount,
                              const apr_pollfd_t **pfound)
{
    static apr_pollfd_t found;
    apr_time_t until = (timeout < 0) ? 0 : world.now + timeout;

    (void)set;
    *pcount = 0;
    FUZZ_CHECK(world.idle_polls++ < IDLE_POLLS_MAX);
    for (;;) {
        wait_frame *wait = world.waits;
        apr_int16_t events = events_now();

        if (wait && is_over(wait) && !the_machine.loop->is_single) {
            interrupt_leader(wait);
            return APR_EINTR;
        }
        if (events) {
            found = *world.polled;
            found.rtnevents = events;
            *pcount = 1;
            *pfound = &found;
            return APR_SUCCESS;
        }
        if (world.is_woken) {
            world.is_woken = 0;
            return APR_EINTR;
        }
        if (!has_more_time(until)) {
            return APR_TIMEUP;
        }
        world.idle_polls = 0;
        let_something_happen();
        if (the_machine.loop->leader == NULL) {
            return APR_EINTR; /* somebody who leads now has passed us */
        }
    }
}

/* ---- contexts, which a child keeps for ever -------------------------------------------------- */

h2_context *__real_h2_context_create(h2_session *session, h2_stream *stream);
h2_context *__wrap_h2_context_create(h2_session *session, h2_stream *stream);
void __real_h2_context_recycle(h2_context *context, h2_loop *loop);
void __wrap_h2_context_recycle(h2_context *context, h2_loop *loop);

h2_context *__wrap_h2_context_create(h2_session *session, h2_stream *stream)
{
    h2_context *context = __real_h2_context_create(session, stream);
    int i;

    for (i = 0; i < world.kept_count; ++i) {
        if (world.kept[i] == context) {
            world.kept[i] = world.kept[--world.kept_count];
        }
    }
    return context;
}

void __wrap_h2_context_recycle(h2_context *context, h2_loop *loop)
{
    if (world.kept_count < CONTEXTS_KEPT) {
        world.kept[world.kept_count++] = context;
    }
    else {
        context->use_count = 1000000; /* so it is not kept */
    }
    __real_h2_context_recycle(context, loop);
}

static void free_kept(void)
{
    while (world.kept_count) {
        h2_context *context = world.kept[--world.kept_count];

        apr_bucket_alloc_destroy(context->bucket_alloc);
        apr_pool_destroy(context->pool);
        free(context);
    }
}

/* ---- the run --------------------------------------------------------------------------------- */

/* How much of a client's misdeeds the server bears. */
static void set_patience(h2_server_conf *conf, unsigned patience)
{
    if (patience & 1) { /* nothing is counted */
        h2_config_set(conf, H2_CONFIG_RESETS, 0);
        h2_config_set(conf, H2_CONFIG_CLIENT_ERRORS, 0);
        h2_config_set(conf, H2_CONFIG_CONTROL_FRAMES, 0);
    }
    if (patience & 2) {
        h2_config_set(conf, H2_CONFIG_RESETS_BURST, 2);
        h2_config_set(conf, H2_CONFIG_CLIENT_ERRORS_BURST, 2);
        h2_config_set(conf, H2_CONFIG_CONTROL_FRAMES_BURST, 8);
    }
    if (patience & 4) {
        h2_config_set(conf, H2_CONFIG_MAX_HEADER_TIME, (patience & 8) ? 0 : APR_USEC_PER_SEC);
    }
    if (patience & 16) {
        h2_config_set(conf, H2_CONFIG_MAX_CONNECTION_REQUESTS, 1 + (patience & 3));
    }
    if (patience & 32) {
        h2_config_set(conf, H2_CONFIG_MAX_CONNECTION_TIME, 3 * APR_USEC_PER_SEC);
    }
    if (patience & 64) {
        h2_config_set(conf, H2_CONFIG_MIN_RESPONSE_RATE, (patience & 8) ? 0 : 100000);
    }
    if (patience & 128) {
        h2_config_set(conf, H2_CONFIG_MAX_STREAM_ERRORS, patience & 3);
    }
}

void machine_setup_from(machine_setup *setup, apr_pool_t *pool, fuzz_input *input)
{
    static const uint8_t no_plan[MACHINE_PLAN_BYTES];
    static const apr_size_t header_list[] = {65536, 4096, 16384, 1 << 20};
    unsigned flags = fuzz_byte(input), limits = fuzz_byte(input), more = fuzz_byte(input);
    unsigned patience = fuzz_byte(input);
    h2_server_conf *conf = h2_config_create_server(pool, NULL);
    size_t length;

    memset(setup, 0, sizeof(*setup));
    setup->mpm = (flags & 1) ? ((flags & 2) ? MACHINE_PREFORK : MACHINE_WORKER) : MACHINE_EVENT;
    setup->is_tls = (flags & 4) != 0;
    setup->has_preface = !(flags & 8);
    if (flags & 16) {
        h2_config_set(conf, H2_CONFIG_PADDING, more & 7);
    }
    if (flags & 32) {
        h2_config_set(conf, H2_CONFIG_MAX_FRAME, 65536);
    }
    if (!(flags & 64)) {
        h2_config_set(conf, H2_CONFIG_WEBSOCKETS, 1);
    }
    if (flags & 128) {
        h2_config_set(conf, H2_CONFIG_WINDOW, 1024 << (more & 15));
    }
    h2_config_set(conf, H2_CONFIG_MAX_SESSION_STREAMS, (limits & 15) ? (limits & 15) : 100);
    h2_config_set(conf, H2_CONFIG_HEADER_LIST, (apr_int64_t)header_list[(limits >> 4) & 3]);
    if (limits & 64) {
        h2_config_set(conf, H2_CONFIG_PUSH_DIARY, more & 31);
    }
    if (limits & 128) {
        h2_config_set(conf, H2_CONFIG_STREAM_MEM, 1024 + 64 * more);
    }
    if (more & 64) {
        h2_config_set(conf, H2_CONFIG_MAX_DATA_FRAME, 1 + (more & 15) * 100);
    }
    if (more & 128) {
        h2_config_set(conf, H2_CONFIG_MAX_HEADER_BLOCK, 1 + (more & 15) * 1000);
    }
    set_patience(conf, patience);
    setup->conf = conf;
    setup->plan = fuzz_bytes(input, MACHINE_PLAN_BYTES, &length);
    if (length < MACHINE_PLAN_BYTES) {
        setup->plan = no_plan;
    }
}

static apr_status_t forget_session(void *data)
{
    (void)data;
    the_machine.session = NULL;
    return APR_SUCCESS;
}

static void connect_client(void)
{
    machine *m = &the_machine;
    const machine_setup *setup = m->setup;

    m->server = standins_server(m->pool, setup->conf);
    m->c = standins_connection(m->pool, m->server, setup->is_tls);
    FUZZ_CHECK(h2_session_create(&m->session, m->c, m->server, m->loop, 4) == APR_SUCCESS);
    apr_pool_cleanup_register(m->c->pool, NULL, forget_session, apr_pool_cleanup_null);
    FUZZ_CHECK(h2_session_start(m->session) == APR_SUCCESS);
}

/* Returns 0 if the connection ends before it has begun. */
static int upgrade(void)
{
    machine *m = &the_machine;

    return !m->setup->head
           || h2_session_upgrade(m->session, m->setup->settings, m->setup->settings_length,
                                 m->setup->head, 0) == APR_SUCCESS;
}

static void join_loop(void)
{
    h2_session *session = the_machine.session;
    h2_loop *loop = session->loop;

    h2_loop_lock(loop);
    session->c->id = h2_loop_next_id(loop);
    session->tag_length = (unsigned)apr_snprintf(session->tag, sizeof(session->tag), "%ld-",
                                                 session->c->id);
    h2_loop_add(loop, &session->task, session->io.socket, session);
    h2_session_joined(session, session->count.open ? H2_SESSION_BY_UPGRADE : H2_SESSION_BY_PREFACE);
    session->task.revents = APR_POLLIN;
    h2_loop_ready(loop, &session->task);
    h2_loop_unlock(loop);
}

static void serve(void)
{
    machine *m = &the_machine;

    if (m->setup->mpm != MACHINE_EVENT) {
        apr_thread_cond_create(&m->session->held.waiter, m->c->pool);
    }
    join_loop();
    if (m->loop->is_single) {
        h2_worker self = {0};

        h2_turn_alone(m->session, &self);
        return;
    }
    world.standby = make_worker();
    while (world.standby) {
        h2_worker *leader = world.standby;

        world.standby = NULL;
        lead(leader);
    }
}

static void end_run(void)
{
    machine *m = &the_machine;

    FUZZ_CHECK(!world.waits && !world.detached_count && !world.busy);
    FUZZ_CHECK(!world.kept_runners);
    FUZZ_CHECK(h2_loop_is_empty(m->loop));
    FUZZ_CHECK(!m->loop->starved_count);
    if (m->session) {
        apr_pool_destroy(m->c->pool);
    }
    FUZZ_CHECK(!world.polled);
    wire_end();
    client_end();
    free_kept();
    free(world.in);
    world.in = NULL;
}

void machine_run(const machine_setup *setup, apr_pool_t *pool, const uint8_t *data, size_t size)
{
    machine *m = &the_machine;

    memset(m, 0, sizeof(*m));
    memset(&world, 0, sizeof(world));
    memset(&child, 0, sizeof(child));
    m->pool = pool;
    m->setup = setup;
    m->events = (fuzz_input){data, size};
    world.now = TIME_ZERO;
    world.wall_offset = WALL_OFFSET;
    world.room = SIZE_MAX;
    world.threads = 4;
    h2_loop_create(&m->loop, 0, NULL, pool);
    m->loop->is_single = (setup->mpm == MACHINE_PREFORK);
    child.pool = pool;
    child.loops[0] = m->loop;
    child.loop_count = 1;
    child.workers = (h2_workers *)&child; /* never looked at */
    child.running_max = 4;
    h2_context_init(pool, 1);
    h2_habits_init(pool, 1);
    standins_init();
    h2_session_module_init(pool);
    wire_begin(setup);
    client_begin();
    connect_client();
    if (upgrade()) {
        if (setup->has_preface) {
            client_send_preface();
        }
        serve();
    }
    end_run();
}

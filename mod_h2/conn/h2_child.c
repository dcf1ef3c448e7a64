#include "conn/h2_child.h"

#include <sched.h>
#include <unistd.h>

#include <ap_mpm.h>
#include <http_core.h>
#include <http_main.h>
#include <mpm_common.h>
#include <scoreboard.h>

#include "config/h2_config.h"
#include "conn/h2_turn.h"
#include "request/h2_context.h"
#include "request/h2_habits.h"
#include "stats/h2_history.h"
#include "stats/h2_report.h"

/* How long the child's end waits for threads that are in a request or its end. The parent
 * kills a child after 9 seconds. */
#define H2_STOP_USEC (5 * APR_USEC_PER_SEC)

/* Of H2MaxWorkers, how many one connection may hold: no client takes them all. */
#define H2_SHARE_DIVISOR 2

/* Children of which others may see what they do, however many there may be. */
#define H2_STATS_SLOTS_MAX 1024

static h2_child *child;

h2_child *h2_child_get(void)
{
    return child;
}

/* Cores that this process may use: with a cpuset fewer than there are. */
static int core_count(void)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
#ifdef CPU_COUNT
    cpu_set_t cores;

    if (sched_getaffinity(0, sizeof(cores), &cores) == 0) {
        count = CPU_COUNT(&cores);
    }
#endif
    return (count < 1) ? 1 : (count > H2_CHILD_LOOPS_MAX) ? H2_CHILD_LOOPS_MAX : (int)count;
}

static int mpm_value(int code, int otherwise)
{
    int value = 0;

    return (ap_mpm_query(code, &value) == APR_SUCCESS) ? value : otherwise;
}

/* Threads that may run requests: fewest and most. Also before there are children. */
static void worker_limits(const server_rec *s, int *pmin, int *pmax)
{
    const h2_server_conf *conf = h2_config_server(s);
    int mpm_threads = mpm_value(AP_MPMQ_MAX_THREADS, 1);
    int max = conf->max_workers;
    int min = conf->min_workers;

    if (max <= 0) {
        /* As many as the MPM has, and half of that for what only waits. */
        max = mpm_threads + mpm_threads / 2;
        max = (max < min) ? min : (max < 4) ? 4 : max;
    }
    if (min <= 0) {
        min = (max < mpm_threads) ? max : mpm_threads;
    }
    *pmin = min;
    *pmax = max;
}

/* Slots of the scoreboard that the MPM does not use; else those it does. */
static void find_slots(h2_workers_limits *limits)
{
    int used = mpm_value(AP_MPMQ_MAX_THREADS, 0);
    int all = mpm_value(AP_MPMQ_HARD_LIMIT_THREADS, 0);

    limits->first_slot = (all > used) ? used : 0;
    limits->slot_count = (all > used) ? all - used : used;
    limits->are_slots_ours = (all > used);
}

/* With an allocator and a lock of its own, as any thread of ours has subpools of it,
 * also while the parent is being destroyed. */
static apr_status_t create_pool(h2_child *of, apr_pool_t *parent)
{
    apr_allocator_t *allocator;
    apr_thread_mutex_t *lock;
    apr_status_t rv = apr_allocator_create(&allocator);

    if (rv == APR_SUCCESS) {
        rv = apr_pool_create_ex(&of->pool, parent, NULL, allocator);
    }
    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_allocator_owner_set(allocator, of->pool);
    apr_pool_tag(of->pool, "h2_child");
    rv = apr_thread_mutex_create(&lock, APR_THREAD_MUTEX_DEFAULT, of->pool);
    if (rv == APR_SUCCESS) {
        apr_allocator_mutex_set(allocator, lock);
    }
    return rv;
}

static apr_status_t create_loops(h2_child *of)
{
    int i;
    apr_status_t rv = APR_SUCCESS;

    of->loop_count = of->is_single ? 1 : core_count();
    for (i = 0; i < of->loop_count && rv == APR_SUCCESS; ++i) {
        rv = h2_loop_create(&of->loops[i], i, h2_stats_of_loop(of->stats, i), of->pool);
        if (rv == APR_SUCCESS) {
            of->loops[i]->is_single = of->is_single;
        }
    }
    return rv;
}

static apr_status_t create_workers(h2_child *of, server_rec *s)
{
    h2_workers_limits limits;
    int min, max;

    worker_limits(s, &min, &max);
    find_slots(&limits);
    /* Each loop's leader and its standby come on top, see h2_workers.h. */
    limits.min_total = h2_config_server(s)->min_workers;
    if (limits.min_total < 2 * of->loop_count) {
        limits.min_total = 2 * of->loop_count;
    }
    limits.max_total = max + 2 * of->loop_count;
    limits.max_detached = max;
    limits.idle = h2_config_server(s)->worker_idle;
    limits.loops = of->loops;
    limits.loop_count = of->loop_count;
    limits.stats = of->stats ? &of->stats->workers : NULL;
    of->running_max = (max > H2_SHARE_DIVISOR) ? max / H2_SHARE_DIVISOR : 1;
    return h2_workers_create(&of->workers, of->pool, &limits, h2_turn_main);
}

static apr_status_t start_leaders(h2_child *of)
{
    int i;

    h2_workers_fill(of->workers);
    for (i = 0; i < of->loop_count; ++i) {
        h2_job job = {of->loops[i], NULL};

        if (!h2_workers_keep(of->workers, H2_KEEP_STANDBY)) {
            return APR_EAGAIN;
        }
        h2_workers_use_kept(of->workers, job);
    }
    return APR_SUCCESS;
}

static void set_loops(h2_child *of, int is_stopping)
{
    int i;

    for (i = 0; i < of->loop_count; ++i) {
        h2_loop *loop = of->loops[i];

        if (of->is_single) { /* maybe in a signal's handler: then the child ends at once */
            loop->is_draining = 1;
            continue;
        }
        h2_loop_lock(loop);
        loop->is_draining = 1;
        loop->is_stopping = is_stopping;
        h2_loop_ready_all(loop);
        h2_loop_unlock(loop);
    }
}

apr_interval_time_t h2_child_stop_usec(void)
{
    return H2_STOP_USEC;
}

void h2_child_leave(void)
{
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, ap_server_conf,
                 "requests still run at the end of the child, it leaves them");
    _exit(0); /* what they use must not be freed; the parent would kill us soon */
}

static apr_status_t stop_child(void *data)
{
    h2_child *of = data;

    set_loops(of, 1);
    if (h2_workers_stop(of->workers, H2_STOP_USEC) != APR_SUCCESS) {
        h2_child_leave();
    }
    if (of->watchdog) { /* until now a leader may have got stuck */
        h2_watchdog_stop(of->watchdog);
    }
    child = NULL;
    return APR_SUCCESS;
}

/* prefork has none: what the only one uses needs not be stopped. */
static apr_status_t start_threads(h2_child *of, apr_pool_t *pool, server_rec *s)
{
    apr_status_t rv;

    if (of->is_single) {
        of->running_max = 1;
        return APR_SUCCESS;
    }
    rv = create_workers(of, s);
    if (rv == APR_SUCCESS) {
        rv = h2_watchdog_create(&of->watchdog, of->pool, of->workers, of->loops, of->loop_count);
    }
    if (rv == APR_SUCCESS) {
        apr_pool_pre_cleanup_register(pool, of, stop_child);
        rv = start_leaders(of);
    }
    return rv;
}

void h2_child_init(apr_pool_t *pool, server_rec *s)
{
    h2_child *created = apr_pcalloc(pool, sizeof(*created));
    apr_status_t rv;

    created->is_single = !mpm_value(AP_MPMQ_IS_THREADED, 0);
    created->is_async = mpm_value(AP_MPMQ_IS_ASYNC, 0);
    created->stats = h2_stats_claim();
    if (!created->stats) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, s, "what this child does is not shown: there is "
                     "no room left in shared memory");
    }
    else {
        h2_report_begin(h2_stats_index(created->stats));
    }
    rv = create_pool(created, pool);
    if (rv == APR_SUCCESS) {
        rv = apr_thread_mutex_create(&created->report_lock, APR_THREAD_MUTEX_DEFAULT,
                                     created->pool);
    }
    if (rv == APR_SUCCESS) {
        rv = create_loops(created);
    }
    if (rv == APR_SUCCESS) {
        h2_context_init(created->pool, created->loop_count);
        h2_habits_init(created->pool, created->loop_count);
        rv = start_threads(created, pool, s);
    }
    if (rv == APR_SUCCESS) {
        child = created;
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s,
                     "cannot start: this child serves no HTTP/2");
    }
}

void h2_child_stopping(apr_pool_t *pool, int is_graceful)
{
    (void)pool;
    if (child) {
        set_loops(child, !is_graceful);
    }
}

void h2_child_status(server_rec *s, pid_t pid, ap_generation_t generation, int slot,
                     mpm_child_status status)
{
    (void)s;
    (void)generation;
    (void)slot;
    if (status == MPM_CHILD_EXITED) {
        h2_stats_release(pid);
    }
}

/* Of all generations: the last one's may still run when the next one's have begun. */
static void share_stats(server_rec *s)
{
    int children = mpm_value(AP_MPMQ_HARD_LIMIT_DAEMONS, 1);
    int slots = (children < H2_STATS_SLOTS_MAX / 2) ? 2 * children : H2_STATS_SLOTS_MAX;
    int loops = mpm_value(AP_MPMQ_IS_THREADED, 0) ? core_count() : 1;

    if (!h2_stats_create(s, slots, loops) || !h2_report_create(s, slots, loops)
        || !h2_history_create(s)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     "no shared memory: not all of what HTTP/2 does can be shown");
    }
}

static void log_profiles(const server_rec *main_server)
{
    const h2_profile *of_main = h2_config_server(main_server)->profile;
    const server_rec *s;

    if (of_main) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, main_server, "H2TuningProfile %s is in use",
                     of_main->name);
    }
    for (s = main_server->next; s; s = s->next) {
        const h2_profile *profile = h2_config_server(s)->profile;

        if (profile != of_main) {
            ap_log_error(APLOG_MARK, APLOG_INFO, 0, s,
                         "H2TuningProfile %s is in use for %s (%s:%u)", profile->name,
                         s->server_hostname, s->defn_name, s->defn_line_number);
        }
    }
}

/* The one thread that there is could not read from the client while a tunnel polls. */
static void warn_of_websockets(const server_rec *s)
{
    for (; s; s = s->next) {
        if (h2_config_server(s)->websockets) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                         "H2WebSockets has no effect: the MPM has no threads");
            return;
        }
    }
}

int h2_child_post_config(apr_pool_t *pool, apr_pool_t *plog, apr_pool_t *ptemp, server_rec *s)
{
    apr_status_t rv;

    (void)plog;
    (void)ptemp;
    rv = h2_session_module_init(pool);
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, rv, s, "cannot use nghttp2");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK; /* httpd reads its configuration twice */
    }
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, s, APLOGNO(03090)
                 "mod_http2 (v%s, feats=NONE, nghttp2 %s), initializing...", H2_VERSION,
                 h2_session_library_version());
    share_stats(s);
    log_profiles(s);
    if (!mpm_value(AP_MPMQ_IS_THREADED, 0)) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s,
                     "the MPM has no threads: each child serves one HTTP/2 connection, and of "
                     "that one request after another; use event or worker");
        warn_of_websockets(s);
    }
    return OK;
}

APR_DECLARE_OPTIONAL_FN(void, http2_get_num_workers, (server_rec *s, int *pmin, int *pmax));

/* All threads that may run a request: mod_proxy sizes its pools by it. */
static void http2_get_num_workers(server_rec *s, int *pmin, int *pmax)
{
    if (!mpm_value(AP_MPMQ_IS_THREADED, 0)) {
        *pmin = *pmax = 1;
        return;
    }
    worker_limits(s, pmin, pmax);
    *pmax += core_count(); /* the leaders run requests, too */
}

void h2_child_register_functions(void)
{
    APR_REGISTER_OPTIONAL_FN(http2_get_num_workers);
}

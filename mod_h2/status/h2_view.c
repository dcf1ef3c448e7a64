#include "status/h2_view.h"

#include <string.h>

#include <ap_mpm.h>
#include <http_core.h>
#include <scoreboard.h>

#include "stats/h2_stats_names.h"

/* The second that is shown last is over, so that what is counted in it is all of it. */
#define HISTORY_DELAY APR_USEC_PER_SEC

/* Seconds without a sample between two that have one: loops have been late, nothing else. */
#define GAP_MAX 3

/* A loop's report is of no use after that: it has not answered. */
#define REPORT_USEC (5 * APR_USEC_PER_SEC)

static int mpm_value(int code)
{
    int value = 0;

    return (ap_mpm_query(code, &value) == APR_SUCCESS) ? value : 0;
}

static void add_child(h2_view *view, const h2_stats_slot *slot)
{
    h2_view_child *child = apr_array_push(view->children);
    int i;

    memset(child, 0, sizeof(*child));
    child->pid = atomic_load(&slot->pid);
    child->generation = atomic_load(&slot->generation);
    for (i = 0; i < H2_GAUGES; ++i) {
        child->gauges[i] = h2_stats_gauge_of(slot, i);
    }
    for (i = 0; i < H2_WORKERS_FIGURES; ++i) {
        child->workers[i] = h2_cell_get(&slot->workers.figures[i]);
    }
}

static void find_children(h2_view *view)
{
    int i, count, loop_count;
    const h2_stats_slot *slots = h2_stats_slots(&count, &loop_count);

    for (i = 0; i < count; ++i) {
        if (atomic_load(&slots[i].pid) > 0) {
            add_child(view, &slots[i]);
        }
    }
}

/* A loop that has no connections makes no reports: what its last one says of memory that is kept is
 * still so. */
static void add_empty(h2_view *view, const h2_loop_report *report)
{
    view->memory[H2_MEMORY_BLOCKS] += report->memory[H2_MEMORY_BLOCKS];
    view->memory[H2_MEMORY_CONTEXTS] += report->memory[H2_MEMORY_CONTEXTS];
}

static void add_report(h2_view *view, const h2_loop_report *report)
{
    int i;

    for (i = 0; i < H2_MEMORY_USES; ++i) {
        view->memory[i] += report->memory[i];
    }
    for (i = 0; i < H2_VIEW_STATES; ++i) {
        int state = (i < H2_VIEW_STATES - 1) ? i : H2_REPORT_STATE_SHUT;

        view->states[i] += (apr_uint64_t)report->stream_states[state];
    }
    view->session_count += report->session_count;
    for (i = 0; i < report->listed_count; ++i) {
        h2_session_report *session = apr_array_push(view->sessions);

        *session = report->sessions[i];
        if (!view->is_extended) {
            session->client[0] = session->server[0] = '\0';
        }
    }
}

static void find_reports(h2_view *view, apr_pool_t *pool)
{
    h2_loop_report *report = apr_palloc(pool, sizeof(*report));
    int i, k, count, loop_count;
    const h2_stats_slot *slots = h2_stats_slots(&count, &loop_count);

    for (i = 0; i < count; ++i) {
        for (k = 0; k < loop_count && atomic_load(&slots[i].pid) > 0; ++k) {
            if (!h2_report_get_loop(i, k, report)) {
                continue;
            }
            if (!h2_stats_gauge_of_loop(&slots[i], k, H2_GAUGE_SESSIONS)) {
                add_empty(view, report);
            }
            else if (report->made > view->now - REPORT_USEC) {
                add_report(view, report);
            }
        }
    }
}

/* A row of the scoreboard, copied, as its child writes it at any time. */
static void add_worker(h2_view *view, apr_pool_t *pool, int child, int slot)
{
    const process_score *process = ap_get_scoreboard_process(child);
    worker_score row;
    h2_view_worker *worker;

    ap_copy_scoreboard_worker(&row, child, slot);
    /* A child that has crashed leaves rows that say it was busy: they have another pid. */
    if (row.status != SERVER_BUSY_WRITE || !process->pid || row.pid != process->pid) {
        return;
    }
    worker = apr_array_push(view->workers);
    memset(worker, 0, sizeof(*worker));
    worker->pid = (int)process->pid;
    worker->slot = slot;
    worker->begun = view->is_extended ? row.start_time : 0;
    worker->client =
        view->is_extended ? apr_pstrndup(pool, row.client64, sizeof(row.client64)) : "";
    worker->vhost = view->is_extended ? apr_pstrndup(pool, row.vhost, sizeof(row.vhost)) : "";
    worker->request = view->is_extended ? apr_pstrndup(pool, row.request, sizeof(row.request)) : "";
}

/* Those rows that the MPM does not use, see conn/h2_child.c. */
static void find_workers(h2_view *view, apr_pool_t *pool)
{
    int used = mpm_value(AP_MPMQ_MAX_THREADS), all = mpm_value(AP_MPMQ_HARD_LIMIT_THREADS);
    int children = mpm_value(AP_MPMQ_HARD_LIMIT_DAEMONS);
    int child, slot;

    view->has_worker_rows = ap_exists_scoreboard_image() && all > used;
    for (child = 0; view->has_worker_rows && child < children; ++child) {
        for (slot = used; slot < all && ap_get_scoreboard_process(child)->pid; ++slot) {
            add_worker(view, pool, child, slot);
        }
    }
}

/* Has nobody taken that sample? Where there are children there are threads. */
static int is_missing(const h2_sample *sample)
{
    return !sample->workers && !sample->sessions;
}

/* What was counted in so many seconds, evenly. */
static apr_uint64_t between(apr_uint64_t first, apr_uint64_t last, int index, int count)
{
    return (last > first) ? first + (last - first) * (apr_uint64_t)index / (apr_uint64_t)count
                          : first;
}

/* The samples between first and last, which are there. */
static void fill_gap(h2_sample *samples, int first, int last)
{
    int i;

    for (i = first + 1; i < last; ++i) {
        const h2_sample *a = &samples[first], *b = &samples[last];
        apr_int64_t second = samples[i].second;

        samples[i] = *a;
        samples[i].second = second;
        samples[i].requests = between(a->requests, b->requests, i - first, last - first);
        samples[i].sent_bytes = between(a->sent_bytes, b->sent_bytes, i - first, last - first);
        samples[i].received_bytes = between(a->received_bytes, b->received_bytes, i - first,
                                            last - first);
    }
}

/* As it is now, where the last sample is missing. */
static void complete_last(h2_view *view)
{
    h2_sample *last = &view->samples[H2_HISTORY_SECONDS - 1];
    const apr_uint64_t *gauges = view->sum.gauges, *counts = view->sum.counts;

    if (is_missing(last)) {
        last->requests = counts[H2_COUNT_REQUESTS];
        last->sent_bytes = counts[H2_COUNT_BYTES_OUT];
        last->received_bytes = counts[H2_COUNT_BYTES_IN];
        last->sessions = gauges[H2_GAUGE_SESSIONS];
        last->streams = gauges[H2_GAUGE_STREAMS];
        last->waiting = gauges[H2_GAUGE_WAITING];
        last->running = gauges[H2_GAUGE_RUNNING];
        last->workers = view->sum.workers[H2_WORKERS_TOTAL];
        last->spare_workers = view->sum.workers[H2_WORKERS_SPARE];
    }
}

/* Nobody takes samples where there are no connections: but the threads stay. */
static void keep_threads(h2_sample *samples, int first, int last)
{
    int i;

    for (i = first + 1; i < last; ++i) {
        samples[i].workers = samples[first].workers;
        samples[i].spare_workers = samples[first].spare_workers;
    }
}

static void find_history(h2_view *view)
{
    int i, last = -1;

    h2_history_get(view->samples, view->now - HISTORY_DELAY);
    complete_last(view);
    for (i = 0; i < H2_HISTORY_SECONDS; ++i) {
        if (is_missing(&view->samples[i])) {
            continue;
        }
        if (last >= 0 && i - last <= GAP_MAX + 1) {
            fill_gap(view->samples, last, i);
        }
        else if (last >= 0) {
            keep_threads(view->samples, last, i);
        }
        last = i;
    }
}

h2_view *h2_view_counts(apr_pool_t *pool)
{
    h2_view *view = apr_pcalloc(pool, sizeof(*view));

    view->now = apr_time_now();
    view->since = h2_stats_since();
    view->is_extended = ap_extended_status;
    view->sessions = apr_array_make(pool, 16, sizeof(h2_session_report));
    view->children = apr_array_make(pool, 4, sizeof(h2_view_child));
    view->workers = apr_array_make(pool, 16, sizeof(h2_view_worker));
    h2_stats_add_up(&view->sum);
    find_children(view);
    return view;
}

h2_view *h2_view_all(apr_pool_t *pool)
{
    h2_view *view;

    h2_report_ask(0);
    view = h2_view_counts(pool);
    find_history(view);
    find_reports(view, pool);
    find_workers(view, pool);
    return view;
}

int h2_view_has_session(apr_pool_t *pool, apr_int64_t id)
{
    h2_view *view = h2_view_counts(pool);
    int i;

    find_reports(view, pool);
    for (i = 0; i < view->sessions->nelts; ++i) {
        if (APR_ARRAY_IDX(view->sessions, i, h2_session_report).id == id) {
            return 1;
        }
    }
    return 0;
}

apr_uint64_t h2_view_total(const h2_stats_sum *sum, const char *name)
{
    const h2_stats_family *family;
    apr_uint64_t total = 0;
    unsigned i;

    for (family = h2_stats_families; family->name; ++family) {
        for (i = 0; i < family->count && !strcmp(family->name, name); ++i) {
            total += sum->counts[family->first + i];
        }
    }
    return total;
}

/* ---- names ---- */

static const char *name_of(const char *const *names, int count, int index)
{
    return (index >= 0 && index < count) ? names[index] : "other";
}

#define NAME_OF(names, index) name_of(names, (int)(sizeof(names) / sizeof((names)[0])), index)

const char *h2_view_origin(int origin)
{
    static const char *const names[] = {"alpn", "preface_tls", "preface", "upgrade"};

    return NAME_OF(names, origin);
}

const char *h2_view_session_state(int state)
{
    static const char *const names[] = {"open", "draining", "closing"};

    return NAME_OF(names, state);
}

const char *h2_view_stream_state(int state)
{
    static const char *const names[] = {"head",     "waiting", "running",
                                        "finished", "dropped", "shut"};

    return NAME_OF(names, state);
}

const char *h2_view_memory(int use)
{
    static const char *const names[] = {
        "kept_bytes", "kept_secondaries", "request_body_bytes", "response_bytes", "socket_bytes",
        "hpack_bytes",
    };

    return NAME_OF(names, use);
}

const char *h2_view_setting(int number)
{
    static const char *const names[H2_VIEW_SETTINGS] = {
        NULL, "header_table_size", "enable_push", "max_concurrent_streams", "initial_window_size",
        "max_frame_size", "max_header_list_size", NULL, "enable_connect_protocol",
        "no_rfc7540_priorities",
    };

    return (number > 0 && number < H2_VIEW_SETTINGS) ? names[number] : NULL;
}

#include "status/h2_status_json.h"

#include <stddef.h>
#include <string.h>

#include <ap_mpm.h>
#include <http_core.h>
#include <http_protocol.h>

#include "stats/h2_stats_names.h"
#include "status/h2_json.h"

static void begin_document(h2_json *json)
{
    ap_set_content_type(json->r, "application/json");
    h2_json_open(json, NULL, '{');
    h2_json_number(json, "schema", H2_STATUS_SCHEMA);
}

static void end_document(h2_json *json)
{
    h2_json_close(json, '}');
    ap_rputc('\n', json->r);
}

static void write_server(h2_json *json, const h2_view *view)
{
    int generation = 0;

    ap_mpm_query(AP_MPMQ_GENERATION, &generation);
    h2_json_open(json, "server", '{');
    h2_json_text(json, "module", H2_VERSION);
    h2_json_text(json, "httpd", ap_get_server_description());
    h2_json_text(json, "mpm", ap_show_mpm());
    h2_json_number(json, "generation", generation);
    h2_json_flag(json, "extended_status", view->is_extended);
    h2_json_close(json, '}');
}

static apr_uint64_t in_unit(const h2_stats_family *family, apr_uint64_t count)
{
    return count / family->divisor;
}

static void write_family(h2_json *json, const h2_stats_family *family, const h2_stats_sum *sum)
{
    unsigned i;

    if (family->divisor == APR_USEC_PER_SEC) {
        h2_json_seconds(json, family->name, (apr_int64_t)sum->counts[family->first]);
    }
    else if (!family->label) {
        h2_json_count(json, family->name, in_unit(family, sum->counts[family->first]));
    }
    else {
        h2_json_open(json, family->name, '{');
        for (i = 0; i < family->count; ++i) {
            h2_json_count(json, family->values[i], in_unit(family, sum->counts[family->first + i]));
        }
        h2_json_close(json, '}');
    }
}

static void write_times(h2_json *json, const h2_stats_sum *sum)
{
    int i;

    h2_json_open(json, "times", '{');
    for (i = 0; i < H2_TIMES; ++i) {
        const h2_durations *time = &sum->times[i];

        h2_json_open(json, h2_stats_time_names[i].name, '{');
        h2_json_count(json, "count", time->count);
        h2_json_seconds(json, "sum", (apr_int64_t)time->sum);
        h2_json_seconds(json, "p50", (apr_int64_t)h2_durations_quantile(time, 500));
        h2_json_seconds(json, "p90", (apr_int64_t)h2_durations_quantile(time, 900));
        h2_json_seconds(json, "p99", (apr_int64_t)h2_durations_quantile(time, 990));
        h2_json_seconds(json, "max", (apr_int64_t)h2_durations_quantile(time, 1000));
        h2_json_close(json, '}');
    }
    h2_json_close(json, '}');
}

static void write_counts(h2_json *json, const h2_view *view)
{
    const h2_stats_family *family;
    int i;

    h2_json_open(json, "counts", '{');
    for (family = h2_stats_families; family->name; ++family) {
        write_family(json, family, &view->sum);
    }
    h2_json_close(json, '}');
    write_times(json, &view->sum);
    h2_json_open(json, "gauges", '{');
    for (i = 0; i < H2_GAUGES; ++i) {
        h2_json_count(json, h2_stats_gauge_names[i].name, view->sum.gauges[i]);
    }
    h2_json_close(json, '}');
}

static void write_worker(h2_json *json, const h2_view *view, const h2_view_worker *worker)
{
    h2_json_open(json, NULL, '{');
    h2_json_number(json, "pid", worker->pid);
    h2_json_number(json, "slot", worker->slot);
    if (worker->begun) {
        h2_json_seconds(json, "since", worker->begun);
        h2_json_seconds(json, "seconds",
                        (view->now > worker->begun) ? view->now - worker->begun : 0);
    }
    if (view->is_extended) {
        h2_json_text(json, "client", worker->client);
        h2_json_text(json, "vhost", worker->vhost);
        h2_json_text(json, "request", worker->request);
    }
    h2_json_close(json, '}');
}

static void write_workers(h2_json *json, const h2_view *view)
{
    int i;

    h2_json_open(json, "workers", '{');
    for (i = 0; i < H2_WORKERS_FIGURES; ++i) {
        h2_json_count(json, h2_stats_workers_names[i].name, view->sum.workers[i]);
    }
    h2_json_flag(json, "has_requests", view->has_worker_rows);
    h2_json_open(json, "requests", '[');
    for (i = 0; i < view->workers->nelts; ++i) {
        write_worker(json, view, &APR_ARRAY_IDX(view->workers, i, h2_view_worker));
    }
    h2_json_close(json, ']');
    h2_json_close(json, '}');
}

static void write_children(h2_json *json, const h2_view *view)
{
    int i, k;

    h2_json_open(json, "children", '[');
    for (i = 0; i < view->children->nelts; ++i) {
        const h2_view_child *child = &APR_ARRAY_IDX(view->children, i, h2_view_child);

        h2_json_open(json, NULL, '{');
        h2_json_number(json, "pid", child->pid);
        h2_json_number(json, "generation", child->generation);
        for (k = 0; k < H2_GAUGES; ++k) {
            h2_json_count(json, h2_stats_gauge_names[k].name, child->gauges[k]);
        }
        for (k = 0; k < H2_WORKERS_FIGURES; ++k) {
            h2_json_count(json, h2_stats_workers_names[k].name, child->workers[k]);
        }
        h2_json_close(json, '}');
    }
    h2_json_close(json, ']');
}

/* The members of a session; is_extended: of its client, too. */
static void write_session(h2_json *json, const h2_session_report *session, int is_extended)
{
    h2_json_number(json, "id", session->id);
    h2_json_text(json, "by", h2_view_origin(session->origin));
    h2_json_text(json, "state", h2_view_session_state(session->state));
    h2_json_seconds(json, "begun", session->begun);
    h2_json_seconds(json, "idle_seconds", session->idle);
    h2_json_count(json, "streams", session->streams);
    h2_json_number(json, "open_streams", session->open);
    h2_json_number(json, "waiting_requests", session->waiting);
    h2_json_number(json, "running_requests", session->running);
    h2_json_number(json, "pushed_streams", session->pushed);
    h2_json_number(json, "open_tunnels", session->tunnels);
    h2_json_count(json, "sent_bytes", session->sent_bytes);
    h2_json_count(json, "pending_bytes", session->pending_bytes);
    h2_json_flag(json, "is_blocked", session->is_blocked);
    if (is_extended) {
        h2_json_text(json, "client", session->client);
        h2_json_text(json, "server", session->server);
    }
}

static void write_sessions(h2_json *json, const h2_view *view)
{
    int i;

    h2_json_number(json, "session_count", view->session_count);
    h2_json_open(json, "sessions", '[');
    for (i = 0; i < view->sessions->nelts; ++i) {
        h2_json_open(json, NULL, '{');
        write_session(json, &APR_ARRAY_IDX(view->sessions, i, h2_session_report),
                      view->is_extended);
        h2_json_close(json, '}');
    }
    h2_json_close(json, ']');
}

static void write_uses(h2_json *json, const h2_view *view)
{
    const apr_uint64_t *counts = view->sum.counts;
    int i;

    h2_json_open(json, "streams", '{');
    for (i = 0; i < H2_VIEW_STATES; ++i) {
        h2_json_count(json, h2_view_stream_state(i), view->states[i]);
    }
    h2_json_close(json, '}');
    h2_json_open(json, "memory", '{');
    for (i = 0; i < H2_MEMORY_USES; ++i) {
        h2_json_count(json, h2_view_memory(i), view->memory[i]);
    }
    h2_json_close(json, '}');
    h2_json_open(json, "hpack", '{');
    h2_json_ratio(json, "received", counts[H2_COUNT_BLOCKS_IN], counts[H2_COUNT_FIELDS_IN]);
    h2_json_ratio(json, "sent", counts[H2_COUNT_BLOCKS_OUT], counts[H2_COUNT_FIELDS_OUT]);
    h2_json_close(json, '}');
}

/* A column of the history: how much it has grown in each second, or what it was. */
static void write_column(h2_json *json, const h2_view *view, const char *name, apr_size_t offset,
                         int is_count)
{
    apr_uint64_t value, last;
    int i;

    h2_json_open(json, name, '[');
    for (i = 1; i < H2_HISTORY_SECONDS; ++i) {
        memcpy(&value, (const char *)&view->samples[i] + offset, sizeof(value));
        memcpy(&last, (const char *)&view->samples[i - 1] + offset, sizeof(last));
        h2_json_count(json, NULL, !is_count ? value : (value > last) ? value - last : 0);
    }
    h2_json_close(json, ']');
}

static void write_history(h2_json *json, const h2_view *view)
{
    static const struct {
        const char *name;
        apr_size_t offset;
        int is_count;
    } columns[] = {
        {"requests", offsetof(h2_sample, requests), 1},
        {"sent_bytes", offsetof(h2_sample, sent_bytes), 1},
        {"received_bytes", offsetof(h2_sample, received_bytes), 1},
        {"open_sessions", offsetof(h2_sample, sessions), 0},
        {"open_streams", offsetof(h2_sample, streams), 0},
        {"waiting_requests", offsetof(h2_sample, waiting), 0},
        {"running_requests", offsetof(h2_sample, running), 0},
        {"workers", offsetof(h2_sample, workers), 0},
        {"spare_workers", offsetof(h2_sample, spare_workers), 0},
    };
    apr_size_t i;

    h2_json_open(json, "history", '{');
    h2_json_number(json, "begin", view->samples[1].second);
    h2_json_number(json, "step", 1);
    for (i = 0; i < sizeof(columns) / sizeof(columns[0]); ++i) {
        write_column(json, view, columns[i].name, columns[i].offset, columns[i].is_count);
    }
    h2_json_close(json, '}');
}

void h2_status_json_write(request_rec *r, const h2_view *view)
{
    h2_json json = {r, 0};

    begin_document(&json);
    write_server(&json, view);
    h2_json_seconds(&json, "now", view->now);
    h2_json_seconds(&json, "since", view->since);
    write_counts(&json, view);
    write_workers(&json, view);
    write_children(&json, view);
    write_sessions(&json, view);
    write_uses(&json, view);
    write_history(&json, view);
    end_document(&json);
}

/* ---- a connection ---- */

static void write_settings(h2_json *json, const char *name, const apr_uint32_t *settings)
{
    int i;

    h2_json_open(json, name, '{');
    for (i = 0; i < H2_VIEW_SETTINGS; ++i) {
        if (h2_view_setting(i)) {
            h2_json_count(json, h2_view_setting(i), settings[i]);
        }
    }
    h2_json_close(json, '}');
}

static void write_stream(h2_json *json, const h2_stream_report *stream)
{
    h2_json_open(json, NULL, '{');
    h2_json_number(json, "id", stream->id);
    h2_json_text(json, "state", h2_view_stream_state(stream->state));
    h2_json_flag(json, "is_closed", stream->is_closed);
    h2_json_flag(json, "is_sending", stream->is_sending);
    h2_json_flag(json, "is_shut", stream->is_shut);
    h2_json_number(json, "pushed_on", stream->pushed_on);
    if (stream->urgency >= 0) {
        h2_json_number(json, "urgency", stream->urgency);
        h2_json_flag(json, "incremental", stream->is_incremental);
    }
    else {
        h2_json_null(json, "urgency");
        h2_json_null(json, "incremental");
    }
    h2_json_number(json, "weight", stream->weight);
    h2_json_number(json, "depends_on", stream->parent_id);
    h2_json_number(json, "status", stream->status);
    h2_json_number(json, "window", stream->window);
    h2_json_count(json, "received_bytes", stream->received_bytes);
    h2_json_count(json, "sent_bytes", stream->sent_bytes);
    h2_json_count(json, "waiting_bytes", stream->waiting_bytes);
    h2_json_seconds(json, "age_seconds", stream->age);
    h2_json_seconds(json, "shut_seconds", stream->shut);
    if (ap_extended_status) {
        h2_json_text(json, "request", stream->request);
    }
    h2_json_close(json, '}');
}

void h2_status_json_connection(request_rec *r, const h2_connection_report *report)
{
    h2_json json = {r, 0};
    int i;

    begin_document(&json);
    h2_json_seconds(&json, "now", apr_time_now());
    h2_json_open(&json, "connection", '{');
    write_session(&json, &report->session, ap_extended_status);
    h2_json_open(&json, "settings", '{');
    write_settings(&json, "ours", report->our_settings);
    write_settings(&json, "client", report->their_settings);
    h2_json_flag(&json, "is_acknowledged", !!report->is_acknowledged);
    h2_json_close(&json, '}');
    h2_json_open(&json, "windows", '{');
    h2_json_number(&json, "receive", report->our_window);
    h2_json_number(&json, "send", report->their_window);
    h2_json_close(&json, '}');
    h2_json_count(&json, "queued_frames", report->queued_frames);
    h2_json_count(&json, "pushes_remembered", report->pushes_remembered);
    h2_json_number(&json, "stream_count", report->stream_count);
    h2_json_open(&json, "in_order", '[');
    for (i = 0; i < report->listed_count; ++i) {
        write_stream(&json, &report->streams[i]);
    }
    h2_json_close(&json, ']');
    h2_json_close(&json, '}');
    end_document(&json);
}

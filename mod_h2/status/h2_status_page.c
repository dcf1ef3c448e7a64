#include "status/h2_status_page.h"

#include <stddef.h>

#include <ap_mpm.h>
#include <http_core.h>
#include <http_protocol.h>

#include "stats/h2_stats_names.h"
#include "status/h2_charts.h"
#include "status/h2_escape.h"
#include "status/h2_html.h"
#include "status/h2_status_tables.h"

/* Seconds over which the tiles' rates are meant. */
#define RATE_SECONDS 10

static const char *details_of(request_rec *r, const h2_view *view)
{
    int generation = 0;

    ap_mpm_query(AP_MPMQ_GENERATION, &generation);
    return apr_psprintf(r->pool, "mod_h2 %s &#183; %s &#183; %s MPM &#183; generation %d &#183; "
                        "counts since %s", H2_VERSION,
                        h2_escape_html(r->pool, ap_get_server_description()),
                        h2_escape_html(r->pool, ap_show_mpm()), generation,
                        h2_html_time(r->pool, view->since));
}

/* Of the last seconds, each. */
static apr_uint64_t rate_of(apr_uint64_t now, apr_uint64_t before)
{
    return (now > before) ? (now - before + RATE_SECONDS / 2) / RATE_SECONDS : 0;
}

static const h2_sample *sample_before(const h2_view *view)
{
    return &view->samples[H2_HISTORY_SECONDS - 1 - RATE_SECONDS];
}

static const char *with_unit(apr_pool_t *pool, const char *value, const char *unit)
{
    return apr_pstrcat(pool, value, "<small>", unit, "</small>", NULL);
}

static void write_now_tiles(request_rec *r, const h2_view *view)
{
    const h2_sample *last = &view->samples[H2_HISTORY_SECONDS - 1], *before = sample_before(view);
    const apr_uint64_t *gauges = view->sum.gauges, *counts = view->sum.counts;
    apr_pool_t *pool = r->pool;

    h2_html_tile(r, "Requests",
                 with_unit(pool, h2_html_count(pool, rate_of(last->requests, before->requests)),
                           " /s"),
                 apr_pstrcat(pool, h2_html_count(pool, counts[H2_COUNT_REQUESTS]), " in all", NULL),
                 "");
    h2_html_tile(r, "Connections", h2_html_count(pool, gauges[H2_GAUGE_SESSIONS]),
                 apr_pstrcat(pool, h2_html_count(pool, gauges[H2_GAUGE_SESSIONS_IDLE]), " idle, ",
                             h2_html_count(pool, gauges[H2_GAUGE_SESSIONS_PARKED]), " parked, ",
                             h2_html_count(pool, h2_view_total(&view->sum, "sessions")), " in all",
                             NULL), "");
    h2_html_tile(r, "Streams", h2_html_count(pool, gauges[H2_GAUGE_STREAMS]),
                 apr_pstrcat(pool, h2_html_count(pool, counts[H2_COUNT_STREAMS]), " in all", NULL),
                 "");
    h2_html_tile(r, "Threads",
                 with_unit(pool, h2_html_count(pool, gauges[H2_GAUGE_RUNNING]),
                           apr_pstrcat(pool, " of ",
                                       h2_html_count(pool, view->sum.workers[H2_WORKERS_TOTAL]),
                                       NULL)),
                 apr_pstrcat(pool, "run requests, ", h2_html_count(pool, gauges[H2_GAUGE_WAITING]),
                             " wait", NULL),
                 (gauges[H2_GAUGE_WAITING] && !view->sum.workers[H2_WORKERS_SPARE]) ? "warn" : "");
    h2_html_tile(
        r, "Sent",
        with_unit(pool, h2_html_bytes(pool, rate_of(last->sent_bytes, before->sent_bytes)), " /s"),
        apr_pstrcat(pool, h2_html_bytes(pool, counts[H2_COUNT_BYTES_OUT]), " in all", NULL), "");
}

static void write_tiles(request_rec *r, const h2_view *view)
{
    const h2_durations *first = &view->sum.times[H2_TIME_FIRST_BYTE];
    const apr_uint64_t *counts = view->sum.counts;
    apr_uint64_t final = counts[H2_COUNT_RESPONSES_2XX] + counts[H2_COUNT_RESPONSES_3XX]
                         + counts[H2_COUNT_RESPONSES_4XX] + counts[H2_COUNT_RESPONSES_5XX];
    apr_uint64_t thrown_out = h2_view_total(&view->sum, "floods"),
                 limits = h2_view_total(&view->sum, "limits") - counts[H2_COUNT_LIMIT_IDLE];
    apr_pool_t *pool = r->pool;

    ap_rputs("<div class=\"tiles\">\n", r);
    write_now_tiles(r, view);
    h2_html_tile(r, "Time to first byte",
                 first->count ? h2_html_duration(pool, h2_durations_quantile(first, 500))
                              : "&#8211;",
                 first->count
                     ? apr_pstrcat(pool, "99 %: ",
                                   h2_html_duration(pool, h2_durations_quantile(first, 990)), NULL)
                     : "no response yet",
                 "");
    h2_html_tile(r, "Server errors", h2_html_count(pool, counts[H2_COUNT_RESPONSES_5XX]),
                 apr_pstrcat(pool, h2_html_share(pool, counts[H2_COUNT_RESPONSES_5XX], final),
                             " of responses", NULL), "");
    h2_html_tile(r, "Limits that were hit", h2_html_count(pool, thrown_out + limits),
                 apr_pstrcat(pool, h2_html_count(pool, thrown_out), " thrown out", NULL),
                 thrown_out ? "warn" : "");
    ap_rputs("</div>\n", r);
}

static h2_chart *new_chart(request_rec *r, const h2_view *view, const char *title, const char *per,
                           h2_chart_unit unit)
{
    h2_chart *chart = apr_pcalloc(r->pool, sizeof(*chart));

    chart->title = title;
    chart->per = per;
    chart->unit = unit;
    chart->end = apr_time_from_sec(view->samples[H2_HISTORY_SECONDS - 1].second);
    return chart;
}

static void write_lines(request_rec *r, const h2_view *view)
{
    const h2_sample *samples = view->samples;
    h2_chart *chart = new_chart(r, view, "Requests per second", "/s", H2_CHART_COUNT);

    chart->is_wide = 1;
    h2_chart_add(chart, "requests", "a", samples, offsetof(h2_sample, requests), 1);
    h2_chart_write(r, chart);
    chart = new_chart(r, view, "Threads", "", H2_CHART_COUNT);
    h2_chart_add(chart, "running", "a", samples, offsetof(h2_sample, running), 0);
    h2_chart_add(chart, "idle", "b", samples, offsetof(h2_sample, spare_workers), 0);
    h2_chart_add(chart, "waiting", "c", samples, offsetof(h2_sample, waiting), 0);
    h2_chart_write(r, chart);
    chart = new_chart(r, view, "Connections and streams", "", H2_CHART_COUNT);
    h2_chart_add(chart, "streams", "a", samples, offsetof(h2_sample, streams), 0);
    h2_chart_add(chart, "connections", "b", samples, offsetof(h2_sample, sessions), 0);
    h2_chart_write(r, chart);
    chart = new_chart(r, view, "Bytes per second", "/s", H2_CHART_BYTES);
    h2_chart_add(chart, "sent", "a", samples, offsetof(h2_sample, sent_bytes), 1);
    h2_chart_add(chart, "received", "d", samples, offsetof(h2_sample, received_bytes), 1);
    h2_chart_write(r, chart);
}

static void write_times(request_rec *r, const h2_view *view)
{
    static const char *const names[H2_TIMES] = {
        [H2_TIME_WAIT] = "for a thread", [H2_TIME_RUN] = "on a thread",
        [H2_TIME_FIRST_BYTE] = "to first byte", [H2_TIME_CLIENT] = "for the client",
        [H2_TIME_TOTAL] = "in all",
    };
    int i;

    h2_chart_begin_times(r);
    for (i = 0; i < H2_TIMES; ++i) {
        h2_chart_time(r, names[i], h2_stats_time_names[i].help, &view->sum.times[i]);
    }
    h2_chart_end_times(r);
}

static void write_memory(request_rec *r, const h2_view *view)
{
    static const char *const names[H2_MEMORY_USES] = {
        [H2_MEMORY_BLOCKS] = "kept for requests to come", [H2_MEMORY_CONTEXTS] = "",
        [H2_MEMORY_BODIES] = "request bodies, unread", [H2_MEMORY_RESPONSES] = "responses, unsent",
        [H2_MEMORY_SOCKETS] = "not taken by sockets", [H2_MEMORY_HPACK] = "HPACK tables",
    };
    apr_uint64_t highest = 1024, total = 0;
    int i;

    for (i = 0; i < H2_MEMORY_USES; ++i) {
        if (i != H2_MEMORY_CONTEXTS) {
            total += view->memory[i];
            highest = (view->memory[i] > highest) ? view->memory[i] : highest;
        }
    }
    ap_rvputs(r, "<figure class=\"card\"><figcaption><b>Memory of connections</b>"
              "<span class=\"key\"><b>", h2_html_bytes(r->pool, total),
              "</b> in all</span></figcaption><div class=\"bars\">", NULL);
    for (i = 0; i < H2_MEMORY_USES; ++i) {
        if (i != H2_MEMORY_CONTEXTS) {
            h2_chart_bar(r, names[i], h2_html_bytes(r->pool, view->memory[i]), view->memory[i],
                         highest, "u");
        }
    }
    ap_rputs("</div></figure>\n", r);
}

/* Streams that are open, by how far they have come. */
static void write_states(request_rec *r, const h2_view *view)
{
    static const char *const names[H2_VIEW_STATES] = {
        "receiving the head", "waiting for a thread", "running", "sending the rest", "dropped",
        "shut by the client's window",
    };
    apr_uint64_t highest = 1;
    int i;

    for (i = 0; i < H2_VIEW_STATES; ++i) {
        highest = (view->states[i] > highest) ? view->states[i] : highest;
    }
    ap_rvputs(r, "<figure class=\"card\"><figcaption><b>Open streams</b><span class=\"key\">as of ",
              h2_html_time(r->pool, view->now), "</span></figcaption><div class=\"bars\">", NULL);
    for (i = 0; i < H2_VIEW_STATES; ++i) {
        h2_chart_bar(r, names[i], h2_html_count(r->pool, view->states[i]), view->states[i], highest,
                     (i == H2_VIEW_STATES - 1) ? "w" : "p3");
    }
    ap_rputs("</div></figure>\n", r);
}

void h2_status_page_write(request_rec *r, const h2_view *view, int refresh)
{
    h2_html_begin(r, ap_get_server_name(r), details_of(r, view), refresh);
    write_tiles(r, view);
    ap_rputs("<div class=\"grid\">\n", r);
    write_lines(r, view);
    write_times(r, view);
    write_memory(r, view);
    write_states(r, view);
    ap_rputs("</div>\n", r);
    h2_status_tables_write(r, view);
    ap_rvputs(r, "<footer><span>as of ", h2_html_time(r->pool, view->now),
              "</span><a href=\"?json\">JSON</a><a href=\"?metrics\">metrics</a>", NULL);
    if (!view->is_extended) {
        ap_rputs("<span>Addresses and requests are shown with ExtendedStatus On.</span>", r);
    }
    ap_rputs("</footer>\n", r);
    h2_html_end(r);
}

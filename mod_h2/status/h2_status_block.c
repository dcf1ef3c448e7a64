#include "status/h2_status_block.h"

#include <string.h>

#include <http_protocol.h>

#include <apr_lib.h>
#include <apr_optional_hooks.h>
#include <mod_status.h>

#include "stats/h2_stats_names.h"
#include "status/h2_html.h"
#include "status/h2_view.h"

/* Families with more members than this have one line with their sum. */
#define MEMBERS_MAX 5

/* "H2" and the words of the name, each with a large first letter: "sent_bytes", "H2SentBytes". */
static const char *line_name(apr_pool_t *pool, const char *name)
{
    char *text = apr_palloc(pool, strlen(name) + 3), *to = text;
    int is_first = 1;

    *to++ = 'H';
    *to++ = '2';
    for (; *name; ++name) {
        if (*name != '_') {
            *to++ = is_first ? (char)apr_toupper(*name) : *name;
        }
        is_first = (*name == '_');
    }
    *to = '\0';
    return text;
}

static void write_line(request_rec *r, const char *name, const char *more, apr_uint64_t value)
{
    ap_rprintf(r, "%s%s: %" APR_UINT64_T_FMT "\n", line_name(r->pool, name),
               *more ? line_name(r->pool, more) + 2 : "", value);
}

static void write_seconds(request_rec *r, const char *name, const char *more, apr_uint64_t usec)
{
    ap_rprintf(r, "%s%s: %" APR_UINT64_T_FMT ".%06d\n", line_name(r->pool, name), more,
               usec / APR_USEC_PER_SEC, (int)(usec % APR_USEC_PER_SEC));
}

static void write_family(request_rec *r, const h2_stats_family *family, const h2_stats_sum *sum)
{
    apr_uint64_t total = h2_view_total(sum, family->name);
    unsigned i;

    if (family->divisor == APR_USEC_PER_SEC) {
        write_seconds(r, family->name, "", total);
        return;
    }
    write_line(r, family->name, "", total);
    for (i = 0; family->label && family->count <= MEMBERS_MAX && i < family->count; ++i) {
        write_line(r, family->name, family->values[i], sum->counts[family->first + i]);
    }
}

static void write_lines(request_rec *r, const h2_stats_sum *sum)
{
    const h2_stats_family *family;
    int i;

    for (family = h2_stats_families; family->name; ++family) {
        write_family(r, family, sum);
    }
    for (i = 0; i < H2_GAUGES; ++i) {
        write_line(r, h2_stats_gauge_names[i].name, "", sum->gauges[i]);
    }
    for (i = 0; i < H2_WORKERS_FIGURES; ++i) {
        write_line(r, h2_stats_workers_names[i].name, "", sum->workers[i]);
    }
    for (i = 0; i < H2_TIMES; ++i) {
        const char *name = apr_pstrcat(r->pool, "time_", h2_stats_time_names[i].name, NULL);

        write_seconds(r, name, "P50", h2_durations_quantile(&sum->times[i], 500));
        write_seconds(r, name, "P90", h2_durations_quantile(&sum->times[i], 900));
        write_seconds(r, name, "P99", h2_durations_quantile(&sum->times[i], 990));
    }
}

/* A table, or where none are wanted, a list. */
static void begin_row(request_rec *r, const char *name, int is_plain)
{
    ap_rvputs(r, is_plain ? "<dt>" : "<tr><th align=\"left\">", name,
              is_plain ? ": " : "</th><td>", NULL);
}

static void end_row(request_rec *r, int is_plain)
{
    ap_rputs(is_plain ? "</dt>\n" : "</td></tr>\n", r);
}

static void write_rows(request_rec *r, const h2_stats_sum *sum, int is_plain)
{
    const apr_uint64_t *counts = sum->counts, *gauges = sum->gauges;
    const h2_durations *first = &sum->times[H2_TIME_FIRST_BYTE];
    apr_pool_t *pool = r->pool;

    begin_row(r, "Requests", is_plain);
    ap_rvputs(r, h2_html_count(pool, counts[H2_COUNT_REQUESTS]), ", ",
              h2_html_count(pool, gauges[H2_GAUGE_RUNNING]), " run, ",
              h2_html_count(pool, gauges[H2_GAUGE_WAITING]), " wait for a thread", NULL);
    end_row(r, is_plain);
    begin_row(r, "Connections", is_plain);
    ap_rvputs(r, h2_html_count(pool, gauges[H2_GAUGE_SESSIONS]), " open, of these ",
              h2_html_count(pool, gauges[H2_GAUGE_SESSIONS_IDLE]), " idle; ",
              h2_html_count(pool, h2_view_total(sum, "sessions")), " in all", NULL);
    end_row(r, is_plain);
    begin_row(r, "Streams", is_plain);
    ap_rvputs(r, h2_html_count(pool, gauges[H2_GAUGE_STREAMS]), " open; ",
              h2_html_count(pool, counts[H2_COUNT_STREAMS]), " in all, of these ",
              h2_html_count(pool, counts[H2_COUNT_STREAMS_REFUSED]), " refused", NULL);
    end_row(r, is_plain);
    begin_row(r, "Threads", is_plain);
    ap_rvputs(r, h2_html_count(pool, sum->workers[H2_WORKERS_TOTAL]), ", of these ",
              h2_html_count(pool, sum->workers[H2_WORKERS_SPARE]), " idle", NULL);
    end_row(r, is_plain);
    begin_row(r, "Sent", is_plain);
    ap_rvputs(r, h2_html_bytes(pool, counts[H2_COUNT_BYTES_OUT]), ", received ",
              h2_html_bytes(pool, counts[H2_COUNT_BYTES_IN]), NULL);
    end_row(r, is_plain);
    begin_row(r, "Time to first byte", is_plain);
    ap_rvputs(r, "half ", h2_html_duration(pool, h2_durations_quantile(first, 500)), ", 99 % ",
              h2_html_duration(pool, h2_durations_quantile(first, 990)), NULL);
    end_row(r, is_plain);
    begin_row(r, "Thrown out", is_plain);
    ap_rvputs(r, h2_html_count(pool, h2_view_total(sum, "floods")), " connections; other limits: ",
              h2_html_count(pool, h2_view_total(sum, "limits")), " hits", NULL);
    end_row(r, is_plain);
}

/* The hook status_hook of mod_status; flags: AP_STATUS_... */
static int write_block(request_rec *r, int flags)
{
    const h2_view *view = h2_view_counts(r->pool);

    if (!view->since) {
        return DECLINED;
    }
    if (flags & AP_STATUS_SHORT) {
        write_lines(r, &view->sum);
        return OK;
    }
    ap_rputs("<hr />\n<h2>HTTP/2</h2>\n", r);
    ap_rputs((flags & AP_STATUS_NOTABLE) ? "<dl>\n" : "<table border=\"0\">\n", r);
    write_rows(r, &view->sum, (flags & AP_STATUS_NOTABLE) != 0);
    ap_rputs((flags & AP_STATUS_NOTABLE) ? "</dl>\n" : "</table>\n", r);
    return OK;
}

void h2_status_block_register(void)
{
    APR_OPTIONAL_HOOK(ap, status_hook, write_block, NULL, NULL, APR_HOOK_MIDDLE);
}

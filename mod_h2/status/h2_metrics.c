#include "status/h2_metrics.h"

#include <string.h>

#include <http_protocol.h>
#include <nghttp2/nghttp2.h>

#include "stats/h2_stats_names.h"
#include "status/h2_accept.h"

#define PREFIX "mod_http2_"

#define OPEN_METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* Bounds of the histograms: one for each power of two, from 63 microseconds to 67 seconds. Each is
 * the longest duration of a bucket, so that what is told of it is exact. */
#define FIRST_BOUND_BITS 6
#define LAST_BOUND_BITS 26

static const h2_offer open_metrics = {"application/openmetrics-text", "1.0.0"};
static const h2_offer prometheus = {"text/plain", "0.0.4"};

typedef struct writer {
    request_rec *r;
    int is_open; /* OpenMetrics */
} writer;

/* What the name says that its value is in. NULL: nothing. */
static const char *unit_of(const char *name)
{
    static const char *const units[] = {"bytes", "seconds"};
    apr_size_t length = strlen(name), i;

    for (i = 0; i < sizeof(units) / sizeof(units[0]); ++i) {
        apr_size_t unit_length = strlen(units[i]);

        if (length > unit_length && name[length - unit_length - 1] == '_'
            && !strcmp(name + length - unit_length, units[i])) {
            return units[i];
        }
    }
    return NULL;
}

/* What is said of a family before its samples. OpenMetrics knows the family by its name without the
 * suffix of its samples. The help is one of ours, without a character that is to be escaped. */
static void write_head(const writer *w, const char *name, const char *suffix, const char *type,
                       const char *help)
{
    const char *unit = unit_of(name);

    if (w->is_open) {
        suffix = "";
    }
    ap_rprintf(w->r, "# HELP " PREFIX "%s%s %s.\n# TYPE " PREFIX "%s%s %s\n", name, suffix, help,
               name, suffix, type);
    if (w->is_open && unit) {
        ap_rprintf(w->r, "# UNIT " PREFIX "%s %s\n", name, unit);
    }
}

/* LABEL="value", escaped. */
static void write_label(const writer *w, const char *label, const char *value)
{
    ap_rprintf(w->r, "%s=\"", label);
    for (; *value; ++value) {
        switch (*value) {
        case '\n':
            ap_rputs("\\n", w->r);
            break;
        case '\\':
        case '"':
            ap_rputc('\\', w->r);
            ap_rputc(*value, w->r);
            break;
        default:
            ap_rputc(*value, w->r);
            break;
        }
    }
    ap_rputc('"', w->r);
}

/* The end of a sample's line. */
static void write_value(const writer *w, apr_uint64_t value, apr_uint64_t divisor)
{
    if (divisor == 1) {
        ap_rprintf(w->r, " %" APR_UINT64_T_FMT "\n", value);
        return;
    }
    ap_rprintf(w->r, " %" APR_UINT64_T_FMT ".%06" APR_UINT64_T_FMT "\n", value / divisor,
               value % divisor * APR_USEC_PER_SEC / divisor);
}

static void write_family(const writer *w, const h2_stats_family *family,
                         const apr_uint64_t *counts)
{
    unsigned i;

    write_head(w, family->name, "_total", "counter", family->help);
    for (i = 0; i < family->count; ++i) {
        ap_rprintf(w->r, PREFIX "%s_total", family->name);
        if (family->label) {
            ap_rputc('{', w->r);
            write_label(w, family->label, family->values[i]);
            ap_rputc('}', w->r);
        }
        write_value(w, counts[family->first + i], family->divisor);
    }
}

static void write_counter(const writer *w, const h2_stats_name *name, apr_uint64_t value)
{
    write_head(w, name->name, "_total", "counter", name->help);
    ap_rprintf(w->r, PREFIX "%s_total", name->name);
    write_value(w, value, 1);
}

static void write_gauge(const writer *w, const char *name, const char *help, apr_uint64_t value,
                        apr_uint64_t divisor)
{
    write_head(w, name, "", "gauge", help);
    ap_rprintf(w->r, PREFIX "%s", name);
    write_value(w, value, divisor);
}

/* Only what is in the buckets is counted, so that buckets and count are of the same moment. */
static void write_histogram(const writer *w, const h2_stats_name *of, const h2_durations *times)
{
    const char *name = apr_pstrcat(w->r->pool, of->name, "_seconds", NULL);
    int bits;

    write_head(w, name, "", "histogram", of->help);
    for (bits = FIRST_BOUND_BITS; bits <= LAST_BOUND_BITS; ++bits) {
        apr_uint64_t bound = ((apr_uint64_t)1 << bits) - 1;

        ap_rprintf(w->r, PREFIX "%s_bucket{le=\"%" APR_UINT64_T_FMT ".%06" APR_UINT64_T_FMT "\"}",
                   name, bound / APR_USEC_PER_SEC, bound % APR_USEC_PER_SEC);
        write_value(w, h2_durations_within(times, bound), 1);
    }
    ap_rprintf(w->r, PREFIX "%s_bucket{le=\"+Inf\"}", name);
    write_value(w, times->count, 1);
    ap_rprintf(w->r, PREFIX "%s_sum", name);
    write_value(w, times->sum, APR_USEC_PER_SEC);
    ap_rprintf(w->r, PREFIX "%s_count", name);
    write_value(w, times->count, 1);
}

/* What it is that has these figures; for Prometheus, which knows no such type, a gauge that is
 * 1. */
static void write_build(const writer *w)
{
    write_head(w, "build", "_info", w->is_open ? "info" : "gauge",
               "Versions of the module, of nghttp2 and of httpd, and the MPM");
    ap_rputs(PREFIX "build_info{", w->r);
    write_label(w, "version", H2_VERSION);
    ap_rputc(',', w->r);
    write_label(w, "nghttp2", nghttp2_version(0)->version_str);
    ap_rputc(',', w->r);
    write_label(w, "httpd", AP_SERVER_BASEREVISION);
    ap_rputc(',', w->r);
    write_label(w, "mpm", ap_show_mpm());
    ap_rputs("} 1\n", w->r);
}

static void write_server(const writer *w, const h2_stats_sum *sum)
{
    apr_time_t since = h2_stats_since();

    write_build(w);
    if (since) {
        write_gauge(w, "start_time_seconds", "When the counts began, since 1970",
                    (apr_uint64_t)since, APR_USEC_PER_SEC);
    }
    write_gauge(w, "children", "Processes of httpd that serve HTTP/2, of all generations",
                (apr_uint64_t)sum->child_count, 1);
}

void h2_metrics_write(request_rec *r, const h2_stats_sum *sum)
{
    const char *accept = apr_table_get(r->headers_in, "Accept");
    writer w = {r, h2_accept_prefers(accept, &open_metrics, &prometheus)};
    const h2_stats_family *family;
    int i;

    ap_set_content_type(r, w.is_open ? OPEN_METRICS_TYPE : PROMETHEUS_TYPE);
    apr_table_mergen(r->headers_out, "Vary", "Accept");
    write_server(&w, sum);
    for (family = h2_stats_families; family->name; ++family) {
        write_family(&w, family, sum->counts);
    }
    for (i = 0; i < H2_GAUGES; ++i) {
        write_gauge(&w, h2_stats_gauge_names[i].name, h2_stats_gauge_names[i].help, sum->gauges[i],
                    1);
    }
    for (i = 0; i < H2_WORKERS_FIGURES; ++i) {
        const h2_stats_name *name = &h2_stats_workers_names[i];

        if (i < H2_WORKERS_GAUGES) {
            write_gauge(&w, name->name, name->help, sum->workers[i], 1);
        }
        else {
            write_counter(&w, name, sum->workers[i]);
        }
    }
    for (i = 0; i < H2_TIMES; ++i) {
        write_histogram(&w, &h2_stats_time_names[i], &sum->times[i]);
    }
    if (w.is_open) {
        ap_rputs("# EOF\n", r);
    }
}

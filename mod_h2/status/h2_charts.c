#include "status/h2_charts.h"

#include <string.h>

#include <http_protocol.h>

#include "status/h2_html.h"

/* What the drawing is high, and what is left free above the highest point. */
#define HEIGHT 100
#define FREE 4

/* Seconds that one note, shown where the mouse is, stands for. */
#define NOTE_SECONDS 10

/* The scale of times: octaves from 10 microseconds to 100 s. */
#define SCALE_FIRST_USEC 10
#define SCALE_OCTAVES 23.2535

void h2_chart_add(h2_chart *chart, const char *name, const char *color, const h2_sample *samples,
                  apr_size_t offset, int is_count)
{
    h2_chart_line *line = &chart->lines[chart->line_count++];
    int i;

    H2_ASSERT(chart->line_count <= H2_CHART_LINES_MAX);
    line->name = name;
    line->color = color;
    for (i = 0; i < H2_CHART_POINTS; ++i) {
        apr_uint64_t last, value;

        memcpy(&last, (const char *)&samples[i] + offset, sizeof(last));
        memcpy(&value, (const char *)&samples[i + 1] + offset, sizeof(value));
        line->points[i] = !is_count ? value : (value > last) ? value - last : 0;
    }
}

static const char *value_text(apr_pool_t *pool, const h2_chart *chart, apr_uint64_t value)
{
    return apr_pstrcat(pool, (chart->unit == H2_CHART_BYTES) ? h2_html_bytes(pool, value)
                                                             : h2_html_count(pool, value),
                       chart->per, NULL);
}

/* A round number that no point exceeds, and whose half is round, too. */
static apr_uint64_t top_of(const h2_chart *chart)
{
    static const apr_uint64_t steps[] = {2, 3, 4, 6, 10, 20};
    apr_uint64_t highest = 0, unit = 1;
    unsigned k, base = (chart->unit == H2_CHART_BYTES) ? 1024 : 10;
    int i, point;

    for (i = 0; i < chart->line_count; ++i) {
        for (point = 0; point < H2_CHART_POINTS; ++point) {
            if (chart->lines[i].points[point] > highest) {
                highest = chart->lines[i].points[point];
            }
        }
    }
    while (base == 1024 && highest / unit >= 1024) {
        unit *= 1024;
    }
    while (highest / unit >= 20) {
        unit *= 10;
    }
    for (k = 0; k < sizeof(steps) / sizeof(steps[0]); ++k) {
        if (highest <= steps[k] * unit && (unit > 1 || steps[k] % 2 == 0)) {
            return steps[k] * unit;
        }
    }
    return highest;
}

static double y_of(apr_uint64_t value, apr_uint64_t top)
{
    return HEIGHT - (HEIGHT - FREE) * (double)value / (double)top;
}

/* The points where the line turns: what stays the same needs none. */
static void write_points(request_rec *r, const h2_chart_line *line, apr_uint64_t top)
{
    int i;

    for (i = 0; i < H2_CHART_POINTS; ++i) {
        int is_flat = i && i + 1 < H2_CHART_POINTS && line->points[i] == line->points[i - 1]
                      && line->points[i] == line->points[i + 1];

        if (!is_flat) {
            ap_rprintf(r, "%s%d %.1f", i ? "L" : "", i, y_of(line->points[i], top));
        }
    }
}

static void write_line(request_rec *r, const h2_chart_line *line, apr_uint64_t top, int is_filled)
{
    if (is_filled) {
        ap_rprintf(r, "<path class=\"f %s\" d=\"M0 %dL", line->color, HEIGHT);
        write_points(r, line, top);
        ap_rprintf(r, "L%d %dZ\"/>", H2_CHART_POINTS - 1, HEIGHT);
    }
    ap_rprintf(r, "<path class=\"l %s\" d=\"M", line->color);
    write_points(r, line, top);
    ap_rputs("\"/>", r);
}

static const char *clock_of(apr_pool_t *pool, apr_time_t time)
{
    const char *text = h2_html_time(pool, time);
    apr_size_t length = strlen(text);

    return (length > 8) ? text + length - 8 : text;
}

/* The highest values of a few seconds, to be read where the mouse is. */
static void write_notes(request_rec *r, const h2_chart *chart)
{
    int begin, i, k;

    for (begin = 0; begin < H2_CHART_POINTS; begin += NOTE_SECONDS) {
        int end = begin + NOTE_SECONDS;

        end = (end > H2_CHART_POINTS) ? H2_CHART_POINTS : end;
        ap_rprintf(r, "<rect class=\"h\" x=\"%d\" width=\"%d\" height=\"%d\"><title>%s", begin,
                   end - begin, HEIGHT,
                   clock_of(r->pool, chart->end - apr_time_from_sec(H2_CHART_POINTS - end)));
        for (i = 0; i < chart->line_count; ++i) {
            apr_uint64_t highest = 0;

            for (k = begin; k < end; ++k) {
                if (chart->lines[i].points[k] > highest) {
                    highest = chart->lines[i].points[k];
                }
            }
            ap_rvputs(r, "\n", chart->lines[i].name, ": up to ",
                      value_text(r->pool, chart, highest), NULL);
        }
        ap_rputs("</title></rect>", r);
    }
}

static void write_caption(request_rec *r, const h2_chart *chart)
{
    int i;

    ap_rprintf(r, "<figure class=\"card%s\"><figcaption><b>%s</b>", chart->is_wide ? " wide" : "",
               chart->title);
    for (i = 0; i < chart->line_count; ++i) {
        const h2_chart_line *line = &chart->lines[i];

        ap_rprintf(r, "<span class=\"key %s\"><i></i>%s <b>%s</b></span>", line->color, line->name,
                   value_text(r->pool, chart, line->points[H2_CHART_POINTS - 1]));
    }
    ap_rputs("</figcaption>", r);
}

void h2_chart_write(request_rec *r, const h2_chart *chart)
{
    apr_uint64_t top = top_of(chart);
    int i;

    write_caption(r, chart);
    ap_rprintf(r,
               "<div class=\"plot\"><svg viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" "
               "role=\"img\" aria-label=\"%s, the last five minutes\">",
               H2_CHART_POINTS - 1, HEIGHT, chart->title);
    ap_rprintf(r, "<path class=\"g\" d=\"M0 %dH%dM0 %dH%dM0 %dH%d\"/>", FREE, H2_CHART_POINTS,
               (HEIGHT + FREE) / 2, H2_CHART_POINTS, HEIGHT, H2_CHART_POINTS);
    for (i = 0; i < chart->line_count; ++i) {
        write_line(r, &chart->lines[i], top, i == 0);
    }
    write_notes(r, chart);
    ap_rprintf(r, "</svg><span class=\"y1\">%s</span><span class=\"y2\">%s</span></div>",
               value_text(r->pool, chart, top), value_text(r->pool, chart, top / 2));
    ap_rputs("<div class=\"x\"><span>5 min ago</span><span>4</span><span>3</span><span>2</span>"
             "<span>1</span><span>now</span></div></figure>\n", r);
}

/* ---- bars ---- */

/* Where a duration is on the scale, of 1000. */
static double scale_of(apr_uint64_t usec)
{
    double value = (double)usec / SCALE_FIRST_USEC, octaves = 0;

    while (value >= 2) {
        value /= 2;
        ++octaves;
    }
    octaves += value - 1; /* straight between two octaves: near enough */
    return (octaves <= 0) ? 2 : (octaves >= SCALE_OCTAVES) ? 1000 : octaves / SCALE_OCTAVES * 1000;
}

void h2_chart_begin_times(request_rec *r)
{
    ap_rputs("<figure class=\"card\"><figcaption><b>Where the time goes</b>"
             "<span class=\"key\"><i></i>half</span><span class=\"key p2\"><i></i>90 %</span>"
             "<span class=\"key p1\"><i></i>99 %</span>"
             "</figcaption><div class=\"bars times\">", r);
}

void h2_chart_time(request_rec *r, const char *name, const char *help, const h2_durations *times)
{
    apr_uint64_t p50 = h2_durations_quantile(times, 500), p90 = h2_durations_quantile(times, 900),
                 p99 = h2_durations_quantile(times, 990);

    ap_rvputs(r, "<span title=\"", help, "\">", name, "</span>", NULL);
    ap_rvputs(r, "<svg viewBox=\"0 0 1000 12\" preserveAspectRatio=\"none\" role=\"img\" "
              "aria-label=\"", help, "\"><title>", help, ": half ", h2_html_duration(r->pool, p50),
              ", 90 % ", h2_html_duration(r->pool, p90), ", 99 % ", h2_html_duration(r->pool, p99),
              ", longest ", h2_html_duration(r->pool, h2_durations_quantile(times, 1000)), ", of ",
              h2_html_count(r->pool, times->count), "</title>", NULL);
    ap_rputs("<rect class=\"t\" width=\"1000\" height=\"12\"/>", r);
    if (times->count) {
        ap_rprintf(r, "<rect class=\"p1\" width=\"%.0f\" height=\"12\"/>", scale_of(p99));
        ap_rprintf(r, "<rect class=\"p2\" width=\"%.0f\" height=\"12\"/>", scale_of(p90));
        ap_rprintf(r, "<rect class=\"p3\" width=\"%.0f\" height=\"12\"/>", scale_of(p50));
    }
    ap_rvputs(r, "</svg><span class=\"n\">",
              times->count ? h2_html_duration(r->pool, p50) : "&#8211;", "</span>", NULL);
}

void h2_chart_end_times(request_rec *r)
{
    ap_rputs("</div><div class=\"x scale\"><span>10 &#181;s</span><span></span><span>1 ms</span>"
             "<span></span><span>100 ms</span><span></span><span>10 s</span></div></figure>\n", r);
}

void h2_chart_bar(request_rec *r, const char *name, const char *text, apr_uint64_t part,
                  apr_uint64_t whole, const char *color)
{
    ap_rvputs(r, "<span>", name, "</span><svg viewBox=\"0 0 1000 12\" preserveAspectRatio=\"none\" "
              "aria-hidden=\"true\"><rect class=\"t\" width=\"1000\" height=\"12\"/>", NULL);
    ap_rprintf(r, "<rect class=\"%s\" width=\"%.0f\" height=\"12\"/></svg>", color,
               whole ? 1000.0 * (double)part / (double)whole : 0);
    ap_rvputs(r, "<span class=\"n\">", text, "</span>", NULL);
}

/*
 * Charts as SVG within the page, drawn by the server: lines over the last minutes, and bars. Their
 * texts are HTML beside them, so that they stay readable at any width.
 *
 * Called by the one that runs the request. All strings are HTML, as in h2_html.h.
 */
#ifndef H2_CHARTS_H
#define H2_CHARTS_H

#include "base/h2_base.h"
#include "stats/h2_histogram.h"
#include "stats/h2_history.h"

/* Points of a line: between two samples each. */
#define H2_CHART_POINTS (H2_HISTORY_SECONDS - 1)

#define H2_CHART_LINES_MAX 3

/* How a value is written. */
typedef enum {
    H2_CHART_COUNT,
    H2_CHART_BYTES
} h2_chart_unit;

typedef struct h2_chart_line {
    const char *name;
    const char *color;              /* a class of h2_style.h: "a" to "d" */
    apr_uint64_t points[H2_CHART_POINTS];
} h2_chart_line;

typedef struct h2_chart {
    const char *title;
    const char *per;                /* behind a value: "/s", "" */
    h2_chart_unit unit;
    int is_wide;
    apr_time_t end;                 /* when the last point was; a second between two */
    int line_count;
    h2_chart_line lines[H2_CHART_LINES_MAX];
} h2_chart;

/* Adds a line to the chart, whose values are at offset in the samples: what they have grown by
 * (is_count), or what they were. */
void h2_chart_add(h2_chart *chart, const char *name, const char *color, const h2_sample *samples,
                  apr_size_t offset, int is_count);

/* Writes the chart. */
void h2_chart_write(request_rec *r, const h2_chart *chart);

/* Writes bars of how long something took: half, 90 % and 99 % of times, on a scale from 10
 * microseconds to 100 s. To be between h2_chart_begin_times() and h2_chart_end_times(). */
void h2_chart_begin_times(request_rec *r);
void h2_chart_time(request_rec *r, const char *name, const char *help, const h2_durations *times);
void h2_chart_end_times(request_rec *r);

/* Writes a bar of a row of bars: part of whole. name: what it is; text: how much. */
void h2_chart_bar(request_rec *r, const char *name, const char *text, apr_uint64_t part,
                  apr_uint64_t whole, const char *color);

#endif /* H2_CHARTS_H */

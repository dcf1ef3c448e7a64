/*
 * The figures of the whole server as a monitoring system reads them: OpenMetrics 1.0.0, or the text
 * format 0.0.4 of Prometheus. The names are those of stats/h2_stats_names.h; docs/observability.md
 * lists them.
 *
 * Handler of a request, in whichever thread; no state.
 */
#ifndef H2_METRICS_H
#define H2_METRICS_H

#include "base/h2_base.h"
#include "stats/h2_stats.h"

/* Writes them as the response of r, with its Content-Type and Vary: OpenMetrics where the Accept
 * field prefers it. */
void h2_metrics_write(request_rec *r, const h2_stats_sum *sum);

#endif /* H2_METRICS_H */

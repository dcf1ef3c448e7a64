#include "status/h2_status.h"

#include <string.h>

#include <http_protocol.h>
#include <http_request.h>

#include "stats/h2_report.h"
#include "status/h2_metrics.h"
#include "status/h2_status_json.h"
#include "status/h2_status_page.h"
#include "status/h2_view.h"

#define HANDLER "http2-status"

/* What a query may ask for in seconds. */
#define REFRESH_MAX 3600

/* Each takes a second at most. */
#define TRIES_MAX 4

typedef struct status_query {
    int wants_json;
    int wants_metrics;
    int refresh;                 /* seconds; 0: not at all */
    apr_int64_t connection_id;   /* 0: of the whole server */
} status_query;

/* Answers with a sentence, and no document of the site's: monitoring is to show it. */
static int refuse(request_rec *r, int status, const char *why)
{
    r->status = status;
    ap_set_content_type(r, "text/plain; charset=utf-8");
    ap_rvputs(r, why, "\n", NULL);
    return OK;
}

/* A number from 1 to max; 0: it is none. */
static apr_int64_t number_of(const char *text, apr_int64_t max)
{
    apr_int64_t number = 0;

    for (; *text; ++text) {
        if (*text < '0' || *text > '9' || number > max / 10) {
            return 0;
        }
        number = number * 10 + (*text - '0');
    }
    return (number <= max) ? number : 0;
}

/* What is wrong with that part of the query; NULL: nothing. */
static const char *parse_part(status_query *query, const char *part)
{
    if (!strcmp(part, "json")) {
        query->wants_json = 1;
    }
    else if (!strcmp(part, "metrics") || !strcmp(part, "metrics=")) { /* as Prometheus writes it */
        query->wants_metrics = 1;
    }
    else if (!strncmp(part, "connection=", 11)) {
        query->connection_id = number_of(part + 11, APR_INT64_MAX / 2);
        return query->connection_id ? NULL : "connection= is to be the number of a connection.";
    }
    else if (!strncmp(part, "refresh=", 8)) {
        query->refresh = (int)number_of(part + 8, REFRESH_MAX);
        return query->refresh ? NULL : "refresh= is to be a number of seconds from 1 to 3600.";
    }
    else if (*part) {
        return "The query may have json, metrics, connection=ID and refresh=SECONDS.";
    }
    return NULL;
}

static const char *parse_query(request_rec *r, status_query *query)
{
    char *next, *part, *text = apr_pstrdup(r->pool, r->args ? r->args : "");
    const char *error = NULL;

    memset(query, 0, sizeof(*query));
    for (part = apr_strtok(text, "&", &next); part && !error;
         part = apr_strtok(NULL, "&", &next)) {
        error = parse_part(query, part);
    }
    if (!error && query->wants_metrics
        && (query->wants_json || query->connection_id || query->refresh)) {
        error = "metrics goes with nothing else in the query.";
    }
    return error;
}

/* Its loop may be late, or somebody else may have asked for another one at the same time: as long
 * as there is such a connection it is asked again. */
static int find_connection(request_rec *r, apr_int64_t id, h2_connection_report *report)
{
    int tries;

    for (tries = 0; tries < TRIES_MAX; ++tries) {
        h2_report_ask(id);
        if (h2_report_get_connection(id, report)) {
            return 1;
        }
        if (!h2_view_has_session(r->pool, id)) {
            return 0;
        }
    }
    return 0;
}

static int show_connection(request_rec *r, const status_query *query)
{
    h2_connection_report *report = apr_pcalloc(r->pool, sizeof(*report));

    if (!find_connection(r, query->connection_id, report)) {
        return refuse(r, HTTP_NOT_FOUND, "There is no such connection, or it has ended.");
    }
    if (query->wants_json) {
        h2_status_json_connection(r, report);
    }
    else {
        h2_status_page_connection(r, report, query->refresh);
    }
    return OK;
}

static int show_metrics(request_rec *r)
{
    h2_stats_sum *sum = apr_palloc(r->pool, sizeof(*sum));

    h2_stats_add_up(sum);
    h2_metrics_write(r, sum);
    return OK;
}

static int show(request_rec *r, const status_query *query)
{
    if (query->wants_metrics) {
        return show_metrics(r);
    }
    if (query->connection_id) {
        return show_connection(r, query);
    }
    if (query->wants_json) {
        h2_status_json_write(r, h2_view_all(r->pool));
    }
    else {
        h2_status_page_write(r, h2_view_all(r->pool), query->refresh);
    }
    return OK;
}

int h2_status_handler(request_rec *r)
{
    const char *error;
    status_query query;

    if (!r->handler || r->handler[0] != HANDLER[0] || strcmp(r->handler, HANDLER)) {
        return DECLINED;
    }
    ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, -1);
    if (r->method_number != M_GET) { /* HEAD is that, too */
        return HTTP_METHOD_NOT_ALLOWED;
    }
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    error = parse_query(r, &query);
    if (error) {
        return refuse(r, HTTP_BAD_REQUEST, error);
    }
    if (!h2_stats_since()) {
        return refuse(r, HTTP_SERVICE_UNAVAILABLE, "There is no shared memory for statistics: the "
                      "error log says why.");
    }
    return show(r, &query);
}

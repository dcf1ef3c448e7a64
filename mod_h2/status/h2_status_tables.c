#include "status/h2_status_tables.h"

#include <stdlib.h>
#include <string.h>

#include <http_protocol.h>

#include "stats/h2_stats_names.h"
#include "status/h2_escape.h"
#include "status/h2_html.h"

/* More connections than this nobody reads. */
#define SESSIONS_MAX 30

/* What a limit that was hit means, and what to look at. */
typedef struct limit {
    const char *family;     /* of h2_stats_names.h */
    const char *value;      /* its label's value */
    const char *directive;
    const char *hint;
} limit;

static const limit limits[] = {
    {"floods", "resets", "H2MaxResets",
     "streams cancelled again and again, as in the Rapid Reset "
     "attack: the connection was ended"},
    {"floods", "client_errors", "H2MaxClientErrors",
     "malformed requests again and again: the "
     "connection was ended"},
    {"floods", "refused_streams", "H2MaxClientErrors",
     "more streams than H2MaxSessionStreams, again "
     "and again: the connection was ended"},
    {"floods", "ping", "H2MaxControlFrames", "too many PING frames"},
    {"floods", "settings", "H2MaxControlFrames", "too many SETTINGS frames"},
    {"floods", "priority", "H2MaxControlFrames", "too many PRIORITY frames"},
    {"floods", "priority_update", "H2MaxControlFrames", "too many PRIORITY_UPDATE frames"},
    {"floods", "window_update", "H2MaxControlFrames",
     "too many WINDOW_UPDATE frames: an attack, or "
     "a client that gives back each byte on its own"},
    {"floods", "empty_data", "H2MaxControlFrames", "too many DATA frames without content"},
    {"floods", "continuation", "H2MaxControlFrames", "too many CONTINUATION frames"},
    {"floods", "late_frames", "H2MaxControlFrames", "too many frames on streams that have ended"},
    {"floods", "other_frames", "H2MaxControlFrames", "too many frames of unknown types"},
    {"limits", "H2MaxHeaderTime", "H2MaxHeaderTime",
     "a request's head, or a frame, took too long: a "
     "slow attack, or a very bad network"},
    {"limits", "H2MinRequestRate", "H2MinRequestRate",
     "an upload was too slow: lower it if your "
     "clients are on bad networks"},
    {"limits", "H2MinResponseRate", "H2MinResponseRate",
     "a download was taken too slowly: lower it "
     "if your clients are on bad networks"},
    {"limits", "H2MaxConnectionRequests", "H2MaxConnectionRequests",
     "as you wish: the client comes "
     "again on a new connection"},
    {"limits", "H2MaxConnectionTime", "H2MaxConnectionTime",
     "as you wish: the client comes again on "
     "a new connection"},
    {"limits", "H2MaxStreamErrors", "H2MaxStreamErrors",
     "flow control was broken again and again: "
     "the client is faulty"},
    {"limits", "H2MaxHeaderListSize", "H2MaxHeaderListSize",
     "fields were too large: raise it if "
     "honest clients have large cookies or tokens"},
    {"limits", "settings_timeout", "Timeout",
     "our SETTINGS were not acknowledged: not a usual "
     "client"},
    {"limits", "Timeout", "Timeout",
     "the client neither sent nor took anything while a request was "
     "open"},
    {"limits", "KeepAliveTimeout", "KeepAliveTimeout",
     "the usual end of a connection that is idle"},
};

static const h2_stats_family *family_of(const char *name)
{
    const h2_stats_family *family = h2_stats_families;

    while (family->name && strcmp(family->name, name)) {
        ++family;
    }
    return family->name ? family : NULL;
}

/* A count by its family and label; 0 if there is no such one. */
static apr_uint64_t count_of(const h2_view *view, const char *name, const char *value)
{
    const h2_stats_family *family = family_of(name);
    unsigned i;

    for (i = 0; family && i < family->count; ++i) {
        if (!strcmp(family->values[i], value)) {
            return view->sum.counts[family->first + i];
        }
    }
    return 0;
}

/* ---- connections ---- */

static void write_session(request_rec *r, const h2_view *view, const h2_session_report *session)
{
    apr_pool_t *pool = r->pool;

    ap_rprintf(r, "<tr><td><a href=\"?connection=%" APR_INT64_T_FMT "\">%" APR_INT64_T_FMT
               "</a></td>", session->id, session->id);
    if (view->is_extended) {
        ap_rvputs(r, "<td class=\"nw\"><code>", h2_escape_html(pool, session->client),
                  "</code></td><td>", h2_escape_html(pool, session->server), "</td>", NULL);
    }
    ap_rvputs(r, "<td>", h2_html_words(pool, h2_view_origin(session->origin)),
              "</td><td><span class=\"pill",
              session->state  ? " w"
              : session->idle ? ""
                              : " a",
              "\">",
              session->state  ? h2_view_session_state(session->state)
              : session->idle ? "idle"
                              : "active",
              "</span>", session->is_blocked ? " <span class=\"pill w\">socket full</span>" : "",
              "</td><td class=\"r\">", h2_html_duration(pool, view->now - session->begun), "</td>",
              NULL);
    ap_rprintf(r, "<td class=\"r\">%d</td><td class=\"r\">%d</td><td class=\"r\">%d</td>",
               session->open, session->running, session->waiting);
    ap_rvputs(r, "<td class=\"r\">", h2_html_count(pool, session->streams), "</td><td class=\"r\">",
              h2_html_bytes(pool, session->sent_bytes), "</td></tr>\n", NULL);
}

/* Those with the most streams first, then those that were busy last. */
static int compare_sessions(const void *a, const void *b)
{
    const h2_session_report *first = a, *second = b;

    if (first->open != second->open) {
        return (first->open < second->open) ? 1 : -1;
    }
    return (first->idle > second->idle) - (first->idle < second->idle);
}

static void write_sessions(request_rec *r, const h2_view *view)
{
    apr_array_header_t *sessions = apr_array_copy(r->pool, view->sessions);
    int i, count = (sessions->nelts < SESSIONS_MAX) ? sessions->nelts : SESSIONS_MAX;
    const char *intro = "";

    if (view->session_count > count) {
        intro = apr_psprintf(r->pool, "The busiest %d of %d; the JSON has more.", count,
                             view->session_count);
    }
    qsort(sessions->elts, (size_t)sessions->nelts, (size_t)sessions->elt_size, compare_sessions);
    h2_html_begin_table(r, "Open connections", intro,
                        apr_pstrcat(r->pool, "<th>id</th>",
                                    view->is_extended ? "<th>client</th><th>site</th>" : "",
                                    "<th>by</th><th>state</th><th class=\"r\">for</th>"
                                    "<th class=\"r\">streams</th><th class=\"r\">running</th>"
                                    "<th class=\"r\">waiting</th><th class=\"r\">ever</th>"
                                    "<th class=\"r\">sent</th>", NULL));
    for (i = 0; i < count; ++i) {
        write_session(r, view, &APR_ARRAY_IDX(sessions, i, h2_session_report));
    }
    if (!count) {
        ap_rputs("<tr><td colspan=\"11\" class=\"s\">none</td></tr>\n", r);
    }
    h2_html_end_table(r);
}

/* ---- threads and children ---- */

static void write_worker(request_rec *r, const h2_view *view, const h2_view_worker *worker)
{
    ap_rprintf(r, "<tr><td>%d</td>", worker->pid);
    if (view->is_extended) {
        ap_rvputs(r, "<td class=\"r\">",
                  worker->begun ? h2_html_duration(r->pool, view->now - worker->begun) : "",
                  "</td><td class=\"nw\"><code>", h2_escape_html(r->pool, worker->client),
                  "</code></td><td>", h2_escape_html(r->pool, worker->vhost), "</td><td><code>",
                  h2_escape_html(r->pool, worker->request), "</code></td>", NULL);
    }
    ap_rputs("</tr>\n", r);
}

static void write_workers(request_rec *r, const h2_view *view)
{
    int i;

    h2_html_begin_table(r, "Threads at work",
                        view->has_worker_rows
                            ? "What each thread of ours does now, this page "
                              "included where it is read over HTTP/2."
                            : "httpd's scoreboard has no rows for our threads: a ThreadLimit above "
                              "ThreadsPerChild gives them some.",
                        view->is_extended
                            ? "<th>process</th><th class=\"r\">for</th><th>client</th>"
                              "<th>site</th><th>request</th>"
                            : "<th>process</th>");
    for (i = 0; i < view->workers->nelts; ++i) {
        write_worker(r, view, &APR_ARRAY_IDX(view->workers, i, h2_view_worker));
    }
    if (!i) {
        ap_rputs("<tr><td colspan=\"5\" class=\"s\">none</td></tr>\n", r);
    }
    h2_html_end_table(r);
}

static void write_children(request_rec *r, const h2_view *view)
{
    int i, k;

    h2_html_begin_table(r, "Processes", "", "<th>process</th><th class=\"r\">generation</th>"
                        "<th class=\"r\">connections</th><th class=\"r\">idle</th>"
                        "<th class=\"r\">parked</th>"
                        "<th class=\"r\">streams</th><th class=\"r\">waiting</th>"
                        "<th class=\"r\">running</th><th class=\"r\">tunnels</th>"
                        "<th class=\"r\">threads</th><th class=\"r\">idle</th>"
                        "<th class=\"r\">started</th><th class=\"r\">left</th>");
    for (i = 0; i < view->children->nelts; ++i) {
        const h2_view_child *child = &APR_ARRAY_IDX(view->children, i, h2_view_child);

        ap_rprintf(r, "<tr><td>%d</td><td class=\"r\">%d</td>", child->pid, child->generation);
        for (k = 0; k < H2_GAUGES; ++k) {
            ap_rvputs(r, "<td class=\"r\">", h2_html_count(r->pool, child->gauges[k]), "</td>",
                      NULL);
        }
        for (k = 0; k < H2_WORKERS_FIGURES; ++k) {
            if (k != H2_WORKERS_MIN && k != H2_WORKERS_MAX) {
                ap_rvputs(r, "<td class=\"r\">", h2_html_count(r->pool, child->workers[k]), "</td>",
                          NULL);
            }
        }
        ap_rputs("</tr>\n", r);
    }
    h2_html_end_table(r);
}

/* ---- limits and errors ---- */

static void write_limit(request_rec *r, const limit *of, apr_uint64_t hits)
{
    int is_usual = !strcmp(of->value, "KeepAliveTimeout");

    ap_rvputs(r, "<tr class=\"", !hits ? "zero" : is_usual ? "" : "hit", "\"><td class=\"nw\">",
              of->directive, "</td><td class=\"nw\">",
              !strcmp(of->value, of->directive) ? "" : h2_html_words(r->pool, of->value),
              "</td><td class=\"r hits\">", h2_html_count(r->pool, hits), "</td><td>", of->hint,
              "</td></tr>\n", NULL);
}

/* Those that were hit, or those that were not. How many there are. */
static int write_limits_that(request_rec *r, const h2_view *view, int are_hit, int is_written)
{
    unsigned i;
    int count = 0;

    for (i = 0; i < sizeof(limits) / sizeof(limits[0]); ++i) {
        apr_uint64_t hits = count_of(view, limits[i].family, limits[i].value);

        if (!hits == !are_hit) {
            ++count;
            if (is_written) {
                write_limit(r, &limits[i], hits);
            }
        }
    }
    return count;
}

static void write_limits(request_rec *r, const h2_view *view)
{
    static const char heads[] = "<th>directive</th><th>cause</th><th class=\"r\">hits</th><th>what "
                                "it means</th>";

    h2_html_begin_table(r, "Limits that were hit", "What clients were held to. The error log has a "
                        "line for each that was thrown out.", heads);
    if (!write_limits_that(r, view, 1, 1)) {
        ap_rputs("<tr><td colspan=\"4\" class=\"s\">none</td></tr>\n", r);
    }
    ap_rputs("</tbody></table></div>", r);
    ap_rprintf(r, "<details id=\"limits\"><summary>%d more that nobody has hit</summary>"
               "<div class=\"scroll\"><table><thead><tr>%s</tr></thead><tbody>\n",
               write_limits_that(r, view, 0, 0), heads);
    write_limits_that(r, view, 0, 1);
    ap_rputs("</tbody></table></div></details></section>\n", r);
}

static void write_error(request_rec *r, const h2_view *view, int error)
{
    static const unsigned columns[] = {
        H2_COUNT_RESETS_SENT0, H2_COUNT_RESETS_RECEIVED0, H2_COUNT_GOAWAYS_SENT0,
        H2_COUNT_GOAWAYS_RECEIVED0,
    };
    apr_uint64_t total = 0;
    unsigned i;

    for (i = 0; i < 4; ++i) {
        total += view->sum.counts[columns[i] + (unsigned)error];
    }
    ap_rvputs(r, "<tr class=\"", total ? "" : "zero", "\"><td>",
              h2_html_words(r->pool, h2_stats_error_names[error]), "</td>", NULL);
    for (i = 0; i < 4; ++i) {
        ap_rvputs(r, "<td class=\"r\">",
                  h2_html_count(r->pool, view->sum.counts[columns[i] + (unsigned)error]), "</td>",
                  NULL);
    }
    ap_rputs("</tr>\n", r);
}

static void write_errors(request_rec *r, const h2_view *view)
{
    int error;

    h2_html_begin_table(r, "Resets and GOAWAYs", "By the error code of RFC 9113, and who has sent "
                        "them.",
                        "<th>error</th><th class=\"r\">resets by us</th><th class=\"r\">by clients"
                        "</th><th class=\"r\">GOAWAYs by us</th><th class=\"r\">by clients</th>");
    for (error = 0; error < H2_STATS_ERRORS; ++error) {
        write_error(r, view, error);
    }
    h2_html_end_table(r);
}

/* ---- facts ---- */

static void begin_facts(request_rec *r, const char *title)
{
    ap_rvputs(r, "<section class=\"card\"><h2>", title, "</h2><dl>", NULL);
}

static void write_fact(request_rec *r, const char *name, const char *value)
{
    ap_rvputs(r, "<dt>", name, "</dt><dd>", value, "</dd>", NULL);
}

static void end_facts(request_rec *r)
{
    ap_rputs("</dl></section>\n", r);
}

static void write_counts(request_rec *r, const h2_view *view, const char *title, unsigned first,
                         const char *const *names)
{
    unsigned i;

    begin_facts(r, title);
    for (i = 0; names[i]; ++i) {
        write_fact(r, names[i], h2_html_count(r->pool, view->sum.counts[first + i]));
    }
    end_facts(r);
}

static void write_flow(request_rec *r, const h2_view *view)
{
    const apr_uint64_t *counts = view->sum.counts;
    apr_pool_t *pool = r->pool;
    const apr_uint64_t small = counts[H2_COUNT_RECORDS_SMALL],
                       large = counts[H2_COUNT_RECORDS_LARGE];
    const apr_uint64_t made = counts[H2_COUNT_CONTEXTS_MADE],
                       reused = counts[H2_COUNT_CONTEXTS_REUSED];

    begin_facts(r, "Flow control and bytes");
    write_fact(r, "stalls for want of a window", h2_html_count(pool, counts[H2_COUNT_STALLS]));
    write_fact(r, "time in them", h2_html_duration(pool, (apr_int64_t)counts[H2_COUNT_STALL_USEC]));
    write_fact(r, "stalls of sockets", h2_html_count(pool, counts[H2_COUNT_SOCKET_STALLS]));
    write_fact(r, "bodies sent", h2_html_bytes(pool, counts[H2_COUNT_BODY_OUT]));
    write_fact(r, "bodies received", h2_html_bytes(pool, counts[H2_COUNT_BODY_IN]));
    write_fact(r, "TLS records, small", h2_html_share(pool, small, small + large));
    end_facts(r);
    begin_facts(r, "What is spared");
    write_fact(r, "fields sent, of their size",
               h2_html_share(pool, counts[H2_COUNT_BLOCKS_OUT], counts[H2_COUNT_FIELDS_OUT]));
    write_fact(r, "fields received, of their size",
               h2_html_share(pool, counts[H2_COUNT_BLOCKS_IN], counts[H2_COUNT_FIELDS_IN]));
    write_fact(r, "secondary connections reused", h2_html_share(pool, reused, made + reused));
    write_fact(r, "secondary connections kept",
               h2_html_count(pool, view->memory[H2_MEMORY_CONTEXTS]));
    write_fact(r, "requests without another thread",
               h2_html_share(pool, counts[H2_COUNT_REQUESTS_LEADER], counts[H2_COUNT_REQUESTS]));
    write_fact(r, "of these, with the lead lost", h2_html_count(pool, counts[H2_COUNT_LEADS_LOST]));
    end_facts(r);
}

static void write_urgencies(request_rec *r, const h2_view *view)
{
    const apr_uint64_t *counts = view->sum.counts;
    int i;

    begin_facts(r, "Priorities of requests");
    for (i = 0; i < H2_STATS_URGENCIES; ++i) {
        if (counts[H2_COUNT_URGENCIES0 + i]) {
            write_fact(r, apr_psprintf(r->pool, "urgency %d", i),
                       h2_html_count(r->pool, counts[H2_COUNT_URGENCIES0 + i]));
        }
    }
    write_fact(r, "incremental", h2_html_count(r->pool, counts[H2_COUNT_INCREMENTAL]));
    write_fact(r, "by dependencies of RFC 7540",
               h2_html_count(r->pool, counts[H2_COUNT_DEPENDENCIES]));
    end_facts(r);
}

static void write_facts(request_rec *r, const h2_view *view)
{
    static const char *const origins[] = {"over TLS, by ALPN", "over TLS, by the preface",
                                          "in clear text, by the preface", "by Upgrade", NULL};
    static const char *const responses[] = {"1xx", "2xx", "3xx", "4xx", "5xx",
                                            "103, of the 1xx", "sent to their end", NULL};
    static const char *const pushes[] = {"promised", "cancelled by clients",
                                         "spared, as clients have them", NULL};

    ap_rputs("<div class=\"facts\">\n", r);
    write_counts(r, view, "Responses", H2_COUNT_RESPONSES_1XX, responses);
    write_counts(r, view, "Connections began", H2_COUNT_SESSIONS_ALPN, origins);
    write_counts(r, view, "Server push", H2_COUNT_PUSHES, pushes);
    write_flow(r, view);
    write_urgencies(r, view);
    ap_rputs("</div>\n", r);
}

/* ---- all there is ---- */

static void write_family(request_rec *r, const h2_view *view, const h2_stats_family *family)
{
    unsigned i;

    for (i = 0; i < family->count; ++i) {
        apr_uint64_t count = view->sum.counts[family->first + i];

        ap_rvputs(r, "<tr class=\"", count ? "" : "zero", "\"><td><code>", family->name,
                  family->label ? "{" : "", family->label ? family->values[i] : "",
                  family->label ? "}" : "", "</code></td><td class=\"r\">",
                  (family->divisor == APR_USEC_PER_SEC)
                      ? h2_html_duration(r->pool, (apr_int64_t)count)
                      : h2_html_count(r->pool, count),
                  "</td><td class=\"s\">", family->help, "</td></tr>\n", NULL);
    }
}

static void write_all(request_rec *r, const h2_view *view)
{
    const h2_stats_family *family;

    ap_rputs(
        "<details class=\"card\" id=\"counts\"><summary>Everything that is counted</summary>"
        "<div class=\"scroll\"><table><thead><tr><th>name</th><th class=\"r\">count</th><th>what "
        "it is</th></tr></thead><tbody>\n",
        r);
    for (family = h2_stats_families; family->name; ++family) {
        write_family(r, view, family);
    }
    ap_rputs("</tbody></table></div></details>\n", r);
}

void h2_status_tables_write(request_rec *r, const h2_view *view)
{
    write_sessions(r, view);
    write_workers(r, view);
    write_limits(r, view);
    write_facts(r, view);
    write_errors(r, view);
    write_children(r, view);
    write_all(r, view);
}

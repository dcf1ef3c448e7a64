/* The page of one connection. */

#include "status/h2_status_page.h"

#include <http_core.h>
#include <http_protocol.h>
#include <scoreboard.h>

#include "status/h2_escape.h"
#include "status/h2_html.h"

static const char *details_of(request_rec *r, const h2_session_report *session, apr_time_t now)
{
    const char *text = apr_psprintf(r->pool, "connection %" APR_INT64_T_FMT ", %s, open for %s",
                                    session->id,
                                    h2_html_words(r->pool, h2_view_origin(session->origin)),
                                    h2_html_duration(r->pool, now - session->begun));

    return apr_pstrcat(r->pool, text, " &#183; <a href=\"?\">all of the server</a>", NULL);
}

/* A window may be below 0, RFC 9113, 6.9.2. */
static const char *window_text(apr_pool_t *pool, apr_int64_t window)
{
    return (window < 0) ? apr_pstrcat(pool, "&#8722;", h2_html_bytes(pool, (apr_uint64_t)-window),
                                      NULL)
                        : h2_html_bytes(pool, (apr_uint64_t)window);
}

static void write_tiles(request_rec *r, const h2_connection_report *report)
{
    const h2_session_report *session = &report->session;
    apr_pool_t *pool = r->pool;

    ap_rputs("<div class=\"tiles\">\n", r);
    h2_html_tile(r, "State",
                 session->state ? h2_view_session_state(session->state)
                                : session->idle ? "idle" : "active",
                 session->idle ? apr_pstrcat(pool, "for ", h2_html_duration(pool, session->idle),
                                             NULL)
                               : session->is_blocked ? "its socket takes no more" : "",
                 (session->state || session->is_blocked) ? "warn" : "");
    h2_html_tile(r, "Streams", h2_html_count(pool, (apr_uint64_t)session->open),
                 apr_pstrcat(pool, h2_html_count(pool, session->streams), " ever", NULL), "");
    h2_html_tile(r, "Requests", apr_psprintf(pool, "%d", session->running),
                 apr_psprintf(pool, "run, %d wait", session->waiting),
                 session->waiting ? "warn" : "");
    h2_html_tile(r, "Sent", h2_html_bytes(pool, session->sent_bytes),
                 apr_pstrcat(pool, h2_html_bytes(pool, session->pending_bytes),
                             " not taken by its socket", NULL), "");
    h2_html_tile(r, "We may send", window_text(pool, report->their_window),
                 "by the client's window", (report->their_window <= 0) ? "warn" : "");
    h2_html_tile(r, "The client may send", window_text(pool, report->our_window), "by our window",
                 "");
    h2_html_tile(r, "Frames queued", h2_html_count(pool, report->queued_frames), "but for DATA",
                 "");
    h2_html_tile(r, "Pushes remembered", h2_html_count(pool, report->pushes_remembered),
                 apr_psprintf(pool, "%d pushed now", session->pushed), "");
    ap_rputs("</div>\n", r);
}

/* Most settings are a number; the others say yes or no. */
static const char *setting_text(apr_pool_t *pool, int number, apr_uint32_t value)
{
    if (number == 2 || number == 8 || number == 9) {
        return value ? "yes" : "no";
    }
    return (value == APR_UINT32_MAX || (number == 3 && value > APR_INT32_MAX))
               ? "any"
               : h2_html_count(pool, value);
}

static void write_settings(request_rec *r, const h2_connection_report *report)
{
    int i;

    h2_html_begin_table(
        r, "Settings",
        report->is_acknowledged ? "The client has acknowledged ours."
                                : "The client has not acknowledged ours yet.",
        "<th>setting</th><th class=\"r\">ours</th><th class=\"r\">the client's</th>");
    for (i = 1; i < H2_VIEW_SETTINGS; ++i) {
        if (h2_view_setting(i)) {
            ap_rvputs(r, "<tr><td>", h2_html_words(r->pool, h2_view_setting(i)),
                      "</td><td class=\"r\">", setting_text(r->pool, i, report->our_settings[i]),
                      "</td><td class=\"r\">", setting_text(r->pool, i, report->their_settings[i]),
                      "</td></tr>\n", NULL);
        }
    }
    h2_html_end_table(r);
}

static const char *priority_text(apr_pool_t *pool, const h2_stream_report *stream)
{
    if (stream->urgency >= 0) {
        return apr_psprintf(pool, "u=%d%s", stream->urgency, stream->is_incremental ? ", i" : "");
    }
    return stream->parent_id
               ? apr_psprintf(pool, "weight %d, on %d", stream->weight, stream->parent_id)
               : apr_psprintf(pool, "weight %d", stream->weight);
}

static void write_stream(request_rec *r, const h2_stream_report *stream, int position)
{
    apr_pool_t *pool = r->pool;

    ap_rprintf(r, "<tr><td class=\"r s\">%d</td><td class=\"r\">%d</td>", position, stream->id);
    if (ap_extended_status) {
        ap_rvputs(r, "<td><code>", h2_escape_html(pool, stream->request), "</code></td>", NULL);
    }
    ap_rvputs(r, "<td class=\"nw\"><span class=\"pill",
              stream->is_shut ? " w\">no window" : stream->is_sending ? " a\">sending" : "\">",
              (stream->is_shut || stream->is_sending)
                  ? "" : stream->is_closed ? "closed" : h2_view_stream_state(stream->state),
              "</span></td><td class=\"r\">", NULL);
    if (stream->status) {
        ap_rprintf(r, "%d", stream->status);
    }
    ap_rvputs(r, "</td><td class=\"nw\">", priority_text(pool, stream),
              stream->pushed_on ? apr_psprintf(pool, ", pushed on %d", stream->pushed_on) : "",
              "</td><td class=\"r\">", window_text(pool, stream->window), "</td><td class=\"r\">",
              h2_html_bytes(pool, stream->received_bytes), "</td><td class=\"r\">",
              h2_html_bytes(pool, stream->sent_bytes), "</td><td class=\"r\">",
              h2_html_bytes(pool, stream->waiting_bytes), "</td><td class=\"r\">",
              h2_html_duration(pool, stream->age), "</td><td class=\"r\">",
              stream->shut ? h2_html_duration(pool, stream->shut) : "", "</td></tr>\n", NULL);
}

static void write_streams(request_rec *r, const h2_connection_report *report)
{
    const char *intro = "Whose turn it is next comes first.";
    int i;

    if (report->stream_count > report->listed_count) {
        intro = apr_psprintf(r->pool, "Whose turn it is next comes first. %d of %d are listed.",
                             report->listed_count, report->stream_count);
    }
    h2_html_begin_table(r, "Streams in the order in which they are to be sent", intro,
                        apr_pstrcat(r->pool, "<th class=\"r\">#</th><th class=\"r\">stream</th>",
                                    ap_extended_status ? "<th>request</th>" : "",
                                    "<th>state</th><th class=\"r\">status</th><th>priority</th>"
                                    "<th class=\"r\">window</th><th class=\"r\">received</th>"
                                    "<th class=\"r\">sent</th><th class=\"r\">to send</th>"
                                    "<th class=\"r\">for</th><th class=\"r\">shut for</th>", NULL));
    for (i = 0; i < report->listed_count; ++i) {
        write_stream(r, &report->streams[i], i + 1);
    }
    if (!i) {
        ap_rputs("<tr><td colspan=\"12\" class=\"s\">none</td></tr>\n", r);
    }
    h2_html_end_table(r);
}

void h2_status_page_connection(request_rec *r, const h2_connection_report *report, int refresh)
{
    apr_time_t now = apr_time_now();

    h2_html_begin(r, (ap_extended_status && *report->session.client)
                         ? report->session.client
                         : apr_psprintf(r->pool, "Connection %" APR_INT64_T_FMT,
                                        report->session.id),
                  details_of(r, &report->session, now), refresh);
    write_tiles(r, report);
    write_streams(r, report);
    write_settings(r, report);
    ap_rprintf(r, "<footer><span>as of %s</span><a href=\"?json&amp;connection=%" APR_INT64_T_FMT
               "\">JSON</a></footer>\n", h2_html_time(r->pool, now), report->session.id);
    h2_html_end(r);
}

#include "status/h2_html.h"

#include <stdlib.h>
#include <string.h>

#include <apr_base64.h>
#include <apr_general.h>

#include <http_protocol.h>

#include "status/h2_escape.h"
#include "status/h2_style.h"

/* Of the page's own style and script, in its Content-Security-Policy. */
#define NONCE_BYTES 18
#define NONCE_NOTE "http2-status-nonce"

/* A new one for each page, so that nothing else may run in it. */
static const char *make_nonce(request_rec *r)
{
    unsigned char random[NONCE_BYTES];
    char *nonce = apr_palloc(r->pool, (apr_size_t)apr_base64_encode_len(NONCE_BYTES));

    if (apr_generate_random_bytes(random, NONCE_BYTES) != APR_SUCCESS) {
        return ""; /* then neither has its effect; all can be read */
    }
    apr_base64_encode_binary(nonce, random, NONCE_BYTES);
    apr_table_setn(r->notes, NONCE_NOTE, nonce);
    return nonce;
}

static void set_fields(request_rec *r, const char *nonce)
{
    ap_set_content_type(r, "text/html; charset=utf-8");
    apr_table_setn(r->headers_out, "Content-Security-Policy",
                   apr_psprintf(r->pool,
                                "default-src 'none'; style-src 'nonce-%s'; script-src 'nonce-%s'; "
                                "connect-src 'self'; base-uri 'none'; form-action 'none'; "
                                "frame-ancestors 'none'", nonce, nonce));
    apr_table_setn(r->headers_out, "Referrer-Policy", "no-referrer");
}

static void write_head(request_rec *r, const char *title, int refresh, const char *nonce)
{
    ap_rvputs(r, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
              "<meta name=\"color-scheme\" content=\"light dark\">\n"
              "<meta name=\"robots\" content=\"noindex\">\n<title>", title,
              " &#183; HTTP/2</title>\n", NULL);
    if (refresh) {
        ap_rprintf(r, "<noscript><meta http-equiv=\"refresh\" content=\"%d\"></noscript>\n",
                   refresh);
    }
    ap_rvputs(r, "<style nonce=\"", nonce, "\">", h2_style_sheet, "</style>\n</head>\n", NULL);
}

void h2_html_begin(request_rec *r, const char *title, const char *details, int refresh)
{
    const char *nonce = make_nonce(r), *safe = h2_escape_html(r->pool, title);

    set_fields(r, nonce);
    write_head(r, safe, refresh, nonce);
    ap_rvputs(
        r,
        "<body>\n<header>\n<div class=\"logo\" aria-hidden=\"true\">h2</div>\n"
        "<div class=\"name\"><h1>",
        safe, "</h1><p>", details,
        "</p></div>\n<nav>"
        "<span id=\"live\" hidden>live</span><button id=\"pause\" type=\"button\" hidden>Pause"
        "</button>",
        NULL);
    if (refresh) {
        ap_rprintf(r, "<noscript><span>read anew every %d s</span></noscript>", refresh);
    }
    else {
        ap_rputs("<noscript><a href=\"?refresh=5\">read anew every 5 s</a></noscript>", r);
    }
    ap_rputs("</nav>\n</header>\n<main>\n", r);
}

void h2_html_end(request_rec *r)
{
    const char *nonce = apr_table_get(r->notes, NONCE_NOTE);

    ap_rvputs(r, "</main>\n<script nonce=\"", nonce ? nonce : "", "\">", h2_style_script,
              "</script>\n</body>\n</html>\n", NULL);
}

void h2_html_tile(request_rec *r, const char *label, const char *value, const char *more,
                  const char *kind)
{
    ap_rvputs(r, "<div class=\"tile ", kind, "\"><span class=\"label\">", label,
              "</span><strong>", value, "</strong><span class=\"more\">", more, "</span></div>\n",
              NULL);
}

void h2_html_begin_table(request_rec *r, const char *title, const char *intro, const char *heads)
{
    ap_rvputs(r, "<section class=\"card\"><h2>", title, "</h2>", NULL);
    if (*intro) {
        ap_rvputs(r, "<p class=\"intro\">", intro, "</p>", NULL);
    }
    ap_rvputs(r, "<div class=\"scroll\"><table><thead><tr>", heads, "</tr></thead><tbody>\n", NULL);
}

void h2_html_end_table(request_rec *r)
{
    ap_rputs("</tbody></table></div></section>\n", r);
}

/* ---- figures ---- */

const char *h2_html_count(apr_pool_t *pool, apr_uint64_t count)
{
    const char *digits = apr_psprintf(pool, "%" APR_UINT64_T_FMT, count);
    apr_size_t length = strlen(digits), i;
    char *text = apr_palloc(pool, 2 * length + 1), *to = text;

    for (i = 0; i < length; ++i) {
        if (i && (length - i) % 3 == 0) {
            *to++ = ',';
        }
        *to++ = digits[i];
    }
    *to = '\0';
    return text;
}

const char *h2_html_bytes(apr_pool_t *pool, apr_uint64_t bytes)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = (double)bytes / 1024;
    int unit = 0;

    if (bytes < 1024) {
        return apr_psprintf(pool, "%d B", (int)bytes);
    }
    while (value >= 1000 && unit < 4) {
        value /= 1024;
        ++unit;
    }
    return apr_psprintf(pool, (value < 10) ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

static const char *two_units(apr_pool_t *pool, apr_int64_t count, int per, const char *large,
                             const char *small)
{
    if (count % per == 0) {
        return apr_psprintf(pool, "%d %s", (int)(count / per), large);
    }
    return apr_psprintf(pool, "%d %s %d %s", (int)(count / per), large, (int)(count % per), small);
}

const char *h2_html_duration(apr_pool_t *pool, apr_interval_time_t usec)
{
    apr_int64_t seconds = apr_time_sec(usec);

    if (usec < 1000) {
        return apr_psprintf(pool, "%d &#181;s", (usec < 0) ? 0 : (int)usec);
    }
    if (seconds < 1) {
        return apr_psprintf(pool, (usec < 10000) ? "%.1f ms" : "%.0f ms", (double)usec / 1000);
    }
    if (seconds < 60) {
        return apr_psprintf(pool, (seconds < 10) ? "%.1f s" : "%.0f s",
                            (double)usec / APR_USEC_PER_SEC);
    }
    if (seconds < 3600) {
        return two_units(pool, seconds, 60, "min", "s");
    }
    if (seconds < 86400) {
        return two_units(pool, seconds / 60, 60, "h", "min");
    }
    return two_units(pool, seconds / 3600, 24, "d", "h");
}

const char *h2_html_share(apr_pool_t *pool, apr_uint64_t part, apr_uint64_t whole)
{
    double percent = whole ? 100.0 * (double)part / (double)whole : 0;

    return whole ? apr_psprintf(pool, (percent < 10) ? "%.1f %%" : "%.0f %%", percent) : "&#8211;";
}

const char *h2_html_time(apr_pool_t *pool, apr_time_t time)
{
    apr_time_exp_t exploded;
    char text[32];
    apr_size_t length;

    if (apr_time_exp_lt(&exploded, time) != APR_SUCCESS
        || apr_strftime(text, &length, sizeof(text), "%Y-%m-%d %H:%M:%S", &exploded)
               != APR_SUCCESS) {
        return "";
    }
    return apr_pstrmemdup(pool, text, length);
}

const char *h2_html_words(apr_pool_t *pool, const char *name)
{
    char *words = apr_pstrdup(pool, name), *at;

    for (at = words; *at; ++at) {
        *at = (*at == '_') ? ' ' : *at;
    }
    return words;
}

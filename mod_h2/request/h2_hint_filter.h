/*
 * H2_HINTS: interim responses of applications that httpd hears as scripts (CGI, FastCGI,
 * SCGI, uwsgi). httpd takes the first head of those for the final one. Where H2EarlyHints is
 * on, this filter stands before all others of such a request: a head with status 100, 102 or
 * 103 it sends as an interim response, and reads the next one from what follows, until there
 * is a final one. The filters behind it see that one only. For all protocols.
 *
 * The thread that runs the request.
 */
#ifndef H2_HINT_FILTER_H
#define H2_HINT_FILTER_H

#include <httpd.h>

/* At the start of httpd. */
void h2_hint_filter_register(void);

/* Before a handler that waits for others, when its name is known: puts the filter on a request
 * that may need it, and tells the application so by H2_EARLY_HINTS, if its client takes interim
 * responses. */
void h2_hint_filter_add(request_rec *r);

#endif /* H2_HINT_FILTER_H */

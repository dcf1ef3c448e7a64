#include "message/h2_server_timing.h"

#include <apr_strings.h>

/* Milliseconds, with what is below them. */
#define MS_FMT "%" APR_TIME_T_FMT ".%03d"
#define MS(usec) ((usec) / 1000), (int)((usec) % 1000)

/* A duration that is none is a mistake of ours, but no reason for a field that nobody can read. */
static apr_interval_time_t sane(apr_interval_time_t usec)
{
    return (usec > 0) ? usec : 0;
}

void h2_server_timing_of_head(char text[H2_SERVER_TIMING_BYTES], apr_interval_time_t wait,
                              apr_interval_time_t run)
{
    wait = sane(wait);
    run = sane(run);
    apr_snprintf(text, H2_SERVER_TIMING_BYTES,
                 "h2-wait;dur=" MS_FMT ";desc=\"waited for a thread\", "
                 "h2-run;dur=" MS_FMT ";desc=\"ran until the head\"", MS(wait), MS(run));
}

void h2_server_timing_of_end(char text[H2_SERVER_TIMING_BYTES], apr_interval_time_t total,
                             apr_interval_time_t blocked, apr_interval_time_t run)
{
    total = sane(total);
    blocked = sane(blocked);
    run = sane(run);
    apr_snprintf(text, H2_SERVER_TIMING_BYTES,
                 "h2-total;dur=" MS_FMT ", h2-blocked;dur=" MS_FMT ";desc=\"by flow control\", "
                 "h2-run;dur=" MS_FMT, MS(total), MS(blocked), MS(run));
}

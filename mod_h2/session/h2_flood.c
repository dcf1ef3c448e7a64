#include "session/h2_flood.h"

#include <string.h>

#define MILLION 1000000

/* A page change, or a channel that is closed, cancels all streams at once. */
#define BURST_STREAMS 2

/* What a burst is at least where only H2MaxSessionStreams says how large: a client may open some
 * hundred streams before it has read our SETTINGS. */
#define BURST_MIN 200

/* Of resets and errors, which cost us requests: so many bursts of them in the life of a
 * connection, slow as they may come, unless requests are answered. */
#define BURSTS_OF_LIFE 50

/* Longer pauses all count the same. */
#define PAUSE_MAX apr_time_from_sec(3600)

typedef enum { BY_RESETS, BY_ERRORS, BY_CONTROL_FRAMES } limit_group;

/* cost: of one event, in hundredths of what the directive counts.
 * relief: of these that a piece of useful work makes up for. */
static const struct {
    limit_group group;
    int cost;
    int relief_by_request;
    int relief_by_data;
    const char *reason;
} rules[H2_FLOOD_CAUSES] = {
    [H2_FLOOD_RESETS] = {BY_RESETS, 100, 100, 0, "more RST_STREAM frames than H2MaxResets"},
    [H2_FLOOD_ERRORS] = {BY_ERRORS, 100, 100, 0, "more bad streams than H2MaxClientErrors"},
    [H2_FLOOD_REFUSED] = {BY_ERRORS, 10, 10, 0,
                          "more streams beyond H2MaxSessionStreams than H2MaxClientErrors"},
    [H2_FLOOD_PING] = {BY_CONTROL_FRAMES, 100, 100, 100,
                       "more PING frames than H2MaxControlFrames"},
    [H2_FLOOD_SETTINGS] = {BY_CONTROL_FRAMES, 1000, 0, 0,
                           "more SETTINGS frames than H2MaxControlFrames"},
    [H2_FLOOD_PRIORITY] = {BY_CONTROL_FRAMES, 100, 400, 0,
                           "more PRIORITY frames than H2MaxControlFrames"},
    [H2_FLOOD_PRIORITY_UPDATE] = {BY_CONTROL_FRAMES, 100, 400, 0,
                                  "more PRIORITY_UPDATE frames than H2MaxControlFrames"},
    [H2_FLOOD_WINDOW_UPDATE] = {BY_CONTROL_FRAMES, 100, 400, 400,
                                "more WINDOW_UPDATE frames than H2MaxControlFrames"},
    [H2_FLOOD_EMPTY_DATA] = {BY_CONTROL_FRAMES, 1000, 1000, 0,
                             "more empty DATA frames than H2MaxControlFrames"},
    [H2_FLOOD_CONTINUATION] = {BY_CONTROL_FRAMES, 100, 800, 0,
                               "more CONTINUATION frames than H2MaxControlFrames"},
    [H2_FLOOD_LATE] = {BY_CONTROL_FRAMES, 10, 100, 100,
                       "more frames on closed streams than H2MaxControlFrames"},
    [H2_FLOOD_OTHER] = {BY_CONTROL_FRAMES, 100, 100, 0,
                        "more frames of no use than H2MaxControlFrames"},
};

void h2_flood_init(h2_flood *flood, const h2_server_conf *conf)
{
    memset(flood, 0, sizeof(*flood));
    flood->conf = conf;
}

static const h2_flood_limit *limit_of(const h2_server_conf *conf, limit_group group)
{
    switch (group) {
    case BY_RESETS:
        return &conf->resets;
    case BY_ERRORS:
        return &conf->client_errors;
    case BY_CONTROL_FRAMES:
        break;
    }
    return &conf->control_frames;
}

static apr_int64_t burst_of(const h2_server_conf *conf, const h2_flood_limit *limit)
{
    apr_int64_t burst = (apr_int64_t)conf->max_session_streams * BURST_STREAMS;

    if (limit->burst != H2_CONFIG_UNSET) {
        return limit->burst;
    }
    return (burst > BURST_MIN) ? burst : BURST_MIN;
}

/* How much work has been done that makes up for events of this cause, in hundredths of one. */
static apr_uint32_t work_done(const h2_flood *flood, h2_flood_cause cause)
{
    return flood->requests_done * (apr_uint32_t)rules[cause].relief_by_request
           + flood->data_sent * (apr_uint32_t)rules[cause].relief_by_data;
}

/* What time and work since the last event have made of the account. */
static void fall(h2_flood *flood, h2_flood_cause cause, apr_int64_t rate, apr_time_t now)
{
    h2_flood_account *account = &flood->accounts[cause];
    apr_uint32_t work = work_done(flood, cause);
    apr_uint32_t relief = work - account->work; /* right also when the counters have wrapped */
    apr_interval_time_t pause = now - account->counted_at;

    if (pause > PAUSE_MAX) {
        pause = PAUSE_MAX;
    }
    if (pause > 0) { /* a clock that goes back gives nothing, and takes nothing */
        account->level -= pause * rate;
    }
    account->level -= (apr_int64_t)relief * (MILLION / 100);
    if (account->level < 0) {
        account->level = 0;
    }
    relief = (relief + 99) / 100;
    account->total -= (relief < account->total) ? relief : account->total;
    account->work = work;
    account->counted_at = now;
}

int h2_flood_charge(h2_flood *flood, h2_flood_cause cause, apr_time_t now)
{
    const h2_flood_limit *limit = limit_of(flood->conf, rules[cause].group);
    h2_flood_account *account = &flood->accounts[cause];
    apr_int64_t burst;

    if (!limit->rate) {
        return 1; /* any number */
    }
    burst = burst_of(flood->conf, limit);
    fall(flood, cause, limit->rate, now);
    account->level += (apr_int64_t)rules[cause].cost * (MILLION / 100);
    ++account->total;
    if (account->level > burst * MILLION) {
        return 0;
    }
    return rules[cause].group == BY_CONTROL_FRAMES
           || account->total <= burst * BURSTS_OF_LIFE * 100 / rules[cause].cost;
}

h2_flood_limit h2_flood_limit_of(const h2_flood *flood, h2_flood_cause cause)
{
    h2_flood_limit limit = *limit_of(flood->conf, rules[cause].group);
    apr_int64_t burst = burst_of(flood->conf, &limit);

    limit.burst = (burst < APR_INT32_MAX) ? (int)burst : APR_INT32_MAX;
    return limit;
}

const char *h2_flood_reason(h2_flood_cause cause)
{
    return rules[cause].reason;
}

/*
 * The account of what clients do, and the sets of stream ids. What passes is never more than the
 * burst, the rate and useful work allow; who stays below the rate always passes; a set has what was
 * added last, and nothing that was not.
 *
 * Input: the limits, and steps of a kind and three octets.
 */
#include <stdlib.h>
#include <string.h>

#include "config/h2_config.h"
#include "fuzz.h"
#include "config/h2_draft.h"
#include "session/h2_flood.h"
#include "session/h2_id_ranges.h"

/* The most that an event of any cause costs, and that a unit of work gives back, in hundredths. */
#define RELIEF_MAX 1000

#define IDS_MAX 4096

static struct {
    h2_flood flood;
    apr_time_t begun, now;
    apr_uint64_t passed[H2_FLOOD_CAUSES]; /* events */
    apr_uint64_t work;
    h2_id_ranges *ids;
    unsigned char has[IDS_MAX];
    int next_id;
} at;

static const h2_flood_limit *limit_of(const h2_server_conf *conf, int cause)
{
    if (cause == H2_FLOOD_RESETS) {
        return &conf->resets;
    }
    return (cause == H2_FLOOD_ERRORS || cause == H2_FLOOD_REFUSED) ? &conf->client_errors
                                                                    : &conf->control_frames;
}

/* Events of this cause at the least cost there is, a tenth, that may have passed. */
static apr_uint64_t most_of(const h2_flood_limit *limit, const h2_server_conf *conf)
{
    apr_uint64_t burst = limit->burst != H2_CONFIG_UNSET
                             ? (apr_uint64_t)limit->burst
                             : (apr_uint64_t)conf->max_session_streams * 2 + 200;
    apr_uint64_t seconds = (apr_uint64_t)(at.now - at.begun) / APR_USEC_PER_SEC + 1;

    return 10 * (burst + seconds * (apr_uint64_t)limit->rate + at.work * RELIEF_MAX / 100 + 1);
}

static void charge(const h2_server_conf *conf, int cause)
{
    const h2_flood_limit *limit = limit_of(conf, cause);
    int passes = h2_flood_charge(&at.flood, (h2_flood_cause)cause, at.now);

    FUZZ_CHECK(h2_flood_reason((h2_flood_cause)cause));
    if (!limit->rate) {
        FUZZ_CHECK(passes);
        return;
    }
    FUZZ_CHECK(at.flood.accounts[cause].level >= 0);
    at.passed[cause] += (passes != 0);
    FUZZ_CHECK(at.passed[cause] <= most_of(limit, conf));
}

static void add_ids(unsigned skip, unsigned count)
{
    int first = at.next_id + 2 * (int)(skip & 7), last = first + 2 * (int)(count & 7), id;

    if (last >= IDS_MAX) {
        return;
    }
    h2_id_ranges_add(&at.ids, first, last);
    for (id = first; id <= last; id += 2) {
        at.has[id] = 1;
    }
    at.next_id = last + 2;
    FUZZ_CHECK(h2_id_ranges_has(at.ids, first) && h2_id_ranges_has(at.ids, last));
    FUZZ_CHECK(at.ids->count <= H2_ID_RANGES_MAX);
}

static void step(fuzz_input *input, const h2_server_conf *conf)
{
    unsigned kind = fuzz_byte(input), a = fuzz_byte(input), b = fuzz_number(input, 1);

    switch (kind % 8) {
    case 0:
        at.now += (apr_time_t)1 << (a % 36); /* up to 19 hours */
        break;
    case 1:
        at.flood.requests_done += b;
        at.work += b;
        break;
    case 2:
        at.flood.data_sent += b;
        at.work += b;
        break;
    case 3:
        add_ids(a, b);
        break;
    case 4:
        a = a << 4 | b % 16 | 1;
        FUZZ_CHECK(!h2_id_ranges_has(at.ids, (int)a) || at.has[a]);
        break;
    default:
        for (; b; b >>= 1) {
            charge(conf, (int)(a % H2_FLOOD_CAUSES));
        }
        break;
    }
}

void fuzz_run(apr_pool_t *pool, const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    h2_server_conf *conf = h2_config_create_server(pool, NULL);
    unsigned limits = fuzz_byte(&input);

    memset(&at, 0, sizeof(at));
    if (limits & 1) {
        conf->resets = (h2_flood_limit){(int)fuzz_byte(&input), (int)fuzz_byte(&input)};
        conf->client_errors = (h2_flood_limit){(int)fuzz_byte(&input), (int)fuzz_byte(&input)};
        conf->control_frames = (h2_flood_limit){(int)fuzz_byte(&input), (int)fuzz_byte(&input)};
    }
    if (limits & 2) {
        conf->resets = conf->client_errors = (h2_flood_limit){0x7fffffff, 0x7fffffff};
        conf->control_frames = conf->resets;
        conf->max_session_streams = 0x7fffffff;
    }
    at.begun = at.now = 1700000000LL * APR_USEC_PER_SEC;
    at.next_id = 1;
    h2_flood_init(&at.flood, conf);
    while (input.left) {
        step(&input, conf);
    }
    free(at.ids);
}

#include "stats/h2_history.h"

#include <string.h>

#include "stats/h2_shared.h"

/* A loop whose second is older than the newest sample by less than this has only read its clock
 * before another loop took the sample; by more, the system's clock was set back. */
#define SET_BACK_SECONDS 60

typedef struct guarded_sample {
    h2_shared_guard guard;
    h2_sample sample;
} guarded_sample;

/* By its second, modulo their number. */
typedef struct ring {
    _Atomic(apr_int64_t) second; /* of the newest sample */
    guarded_sample samples[H2_HISTORY_SECONDS];
} ring;

/* Fixed in a child. NULL: none. */
static ring *the_ring;

int h2_history_create(server_rec *s)
{
    int is_new;

    the_ring = h2_shared_create(s, "mod_h2-history", sizeof(*the_ring), &is_new);
    return the_ring != NULL;
}

static void add_children(h2_sample *sample)
{
    int i, count, loop_count;
    const h2_stats_slot *slots = h2_stats_slots(&count, &loop_count);

    for (i = 0; i < count; ++i) {
        const h2_stats_slot *slot = &slots[i];

        if (atomic_load(&slot->pid) > 0) {
            sample->sessions += h2_stats_gauge_of(slot, H2_GAUGE_SESSIONS);
            sample->streams += h2_stats_gauge_of(slot, H2_GAUGE_STREAMS);
            sample->waiting += h2_stats_gauge_of(slot, H2_GAUGE_WAITING);
            sample->running += h2_stats_gauge_of(slot, H2_GAUGE_RUNNING);
            sample->workers += h2_cell_get(&slot->workers.figures[H2_WORKERS_TOTAL]);
            sample->spare_workers += h2_cell_get(&slot->workers.figures[H2_WORKERS_SPARE]);
        }
    }
}

void h2_history_tick(apr_time_t wall)
{
    apr_int64_t second = apr_time_sec(wall), newest;
    h2_sample sample = {0};
    guarded_sample *place;

    if (!the_ring) {
        return;
    }
    newest = atomic_load(&the_ring->second);
    if ((second <= newest && newest - second < SET_BACK_SECONDS)
        || !atomic_compare_exchange_strong(&the_ring->second, &newest, second)) {
        return;
    }
    sample.second = second;
    sample.since = h2_stats_since();
    sample.requests = h2_stats_total(H2_COUNT_REQUESTS);
    sample.sent_bytes = h2_stats_total(H2_COUNT_BYTES_OUT);
    sample.received_bytes = h2_stats_total(H2_COUNT_BYTES_IN);
    sample.stall_usec = h2_stats_total(H2_COUNT_STALL_USEC);
    add_children(&sample);
    place = &the_ring->samples[second % H2_HISTORY_SECONDS];
    h2_shared_reset(&place->guard); /* who has the second is alone */
    h2_shared_put(&place->guard, &place->sample, &sample, sizeof(sample));
}

/* The sample of that second; 0: there is none. */
static int get(apr_int64_t second, h2_sample *sample)
{
    guarded_sample *place = &the_ring->samples[second % H2_HISTORY_SECONDS];

    return h2_shared_get(&place->guard, sample, &place->sample, sizeof(*sample))
           && sample->second == second && sample->since == h2_stats_since();
}

/* A second without a sample: nothing has happened. */
static h2_sample go_on(const h2_sample *before, apr_int64_t second)
{
    h2_sample sample = {0};

    sample.second = second;
    sample.requests = before->requests;
    sample.sent_bytes = before->sent_bytes;
    sample.received_bytes = before->received_bytes;
    sample.stall_usec = before->stall_usec;
    return sample;
}

void h2_history_get(h2_sample samples[H2_HISTORY_SECONDS], apr_time_t now)
{
    apr_int64_t first = apr_time_sec(now) - H2_HISTORY_SECONDS + 1;
    h2_sample last = {0};
    int i, first_found = -1;

    for (i = 0; i < H2_HISTORY_SECONDS; ++i) {
        if (the_ring && get(first + i, &samples[i])) {
            first_found = (first_found < 0) ? i : first_found;
        }
        else {
            samples[i] = go_on(&last, first + i);
        }
        last = samples[i];
    }
    /* What was counted before the first sample was not counted in these minutes. */
    for (i = 0; i < H2_HISTORY_SECONDS && (first_found < 0 || i < first_found); ++i) {
        samples[i] = go_on((first_found < 0) ? &last : &samples[first_found], first + i);
    }
}

#include "stats/h2_stats.h"

#include <string.h>
#include <unistd.h>

#include <ap_mpm.h>

#include "stats/h2_shared.h"

/* What the segment begins with. Fixed once it is made. */
typedef struct segment {
    apr_time_t since;
    int slot_count;
    int loop_count;
    h2_stats_slot *slots;
    /* slots, then the blocks of their loops */
} segment;

/* Fixed in a child; in the parent between two readings of the configuration. NULL: none. */
static segment *the_segment;

/* Where the blocks begin: at a line of the cache of their own. */
#define ALIGNED(bytes) (((bytes) + 63) & ~(apr_size_t)63)

static apr_size_t bytes_for(int slot_count, int loop_count)
{
    return ALIGNED(sizeof(segment)) + ALIGNED((apr_size_t)slot_count * sizeof(h2_stats_slot))
           + (apr_size_t)slot_count * (apr_size_t)loop_count * ALIGNED(sizeof(h2_stats));
}

static void lay_out(segment *seg, int slot_count, int loop_count)
{
    char *next = (char *)seg + ALIGNED(sizeof(*seg));
    int i;

    seg->slot_count = slot_count;
    seg->loop_count = loop_count;
    seg->slots = (h2_stats_slot *)next;
    next += ALIGNED((apr_size_t)slot_count * sizeof(h2_stats_slot));
    for (i = 0; i < slot_count; ++i) {
        seg->slots[i].loops = (h2_stats *)next;
        next += (apr_size_t)loop_count * ALIGNED(sizeof(h2_stats));
    }
}

static h2_stats *block_of(const h2_stats_slot *slot, int index)
{
    return (h2_stats *)((char *)slot->loops + (apr_size_t)index * ALIGNED(sizeof(h2_stats)));
}

int h2_stats_create(server_rec *s, int slot_count, int loop_count)
{
    int is_new;

    the_segment = h2_shared_create(s, "mod_h2-stats", bytes_for(slot_count, loop_count), &is_new);
    if (the_segment && is_new) {
        lay_out(the_segment, slot_count, loop_count);
        the_segment->since = apr_time_now();
    }
    return the_segment != NULL;
}

/* What held for the child before. */
static void clear_gauges(h2_stats_slot *slot)
{
    int i, gauge;

    for (gauge = 0; gauge < H2_WORKERS_GAUGES; ++gauge) {
        h2_cell_set(&slot->workers.figures[gauge], 0);
    }
    for (i = 0; i < the_segment->loop_count; ++i) {
        for (gauge = 0; gauge < H2_GAUGES; ++gauge) {
            h2_cell_set(&block_of(slot, i)->gauges[gauge], 0);
        }
    }
}

h2_stats_slot *h2_stats_claim(void)
{
    int generation = 0, i;

    ap_mpm_query(AP_MPMQ_GENERATION, &generation);
    for (i = 0; the_segment && i < the_segment->slot_count; ++i) {
        h2_stats_slot *slot = &the_segment->slots[i];
        int nobody = 0;

        if (atomic_compare_exchange_strong(&slot->pid, &nobody, -1)) {
            clear_gauges(slot);
            atomic_store(&slot->generation, generation);
            atomic_store(&slot->is_used, 1);
            atomic_store(&slot->pid, (int)getpid());
            return slot;
        }
    }
    return NULL;
}

void h2_stats_release(pid_t pid)
{
    int i;

    for (i = 0; the_segment && pid > 0 && i < the_segment->slot_count; ++i) {
        int owner = (int)pid;

        if (atomic_compare_exchange_strong(&the_segment->slots[i].pid, &owner, 0)) {
            return;
        }
    }
}

h2_stats *h2_stats_of_loop(h2_stats_slot *slot, int index)
{
    return (slot && index < the_segment->loop_count) ? block_of(slot, index) : NULL;
}

int h2_stats_index(const h2_stats_slot *slot)
{
    return (int)(slot - the_segment->slots);
}

apr_uint64_t h2_stats_total(unsigned count)
{
    apr_uint64_t total = 0;
    int i, k;

    for (i = 0; the_segment && i < the_segment->slot_count; ++i) {
        const h2_stats_slot *slot = &the_segment->slots[i];

        for (k = 0; k < the_segment->loop_count && atomic_load(&slot->is_used); ++k) {
            total += h2_cell_get(&block_of(slot, k)->counts[count]);
        }
    }
    return total;
}

apr_uint64_t h2_stats_gauge_of_loop(const h2_stats_slot *slot, int loop, h2_gauge gauge)
{
    return (atomic_load(&slot->pid) > 0) ? h2_cell_get(&block_of(slot, loop)->gauges[gauge]) : 0;
}

apr_uint64_t h2_stats_gauge_of(const h2_stats_slot *slot, h2_gauge gauge)
{
    apr_uint64_t total = 0;
    int k;

    for (k = 0; k < the_segment->loop_count; ++k) {
        total += h2_stats_gauge_of_loop(slot, k, gauge);
    }
    return total;
}

apr_time_t h2_stats_since(void)
{
    return the_segment ? the_segment->since : 0;
}

const h2_stats_slot *h2_stats_slots(int *pcount, int *ploop_count)
{
    *pcount = the_segment ? the_segment->slot_count : 0;
    *ploop_count = the_segment ? the_segment->loop_count : 0;
    return the_segment ? the_segment->slots : NULL;
}

static void add_loop(h2_stats_sum *sum, const h2_stats *stats, int is_alive)
{
    int i;

    for (i = 0; i < H2_COUNTS; ++i) {
        sum->counts[i] += h2_cell_get(&stats->counts[i]);
    }
    for (i = 0; i < H2_GAUGES && is_alive; ++i) {
        sum->gauges[i] += h2_cell_get(&stats->gauges[i]);
    }
    for (i = 0; i < H2_TIMES; ++i) {
        h2_durations_add(&sum->times[i], &stats->times[i]);
    }
}

void h2_stats_add_up(h2_stats_sum *sum)
{
    int i, k;

    memset(sum, 0, sizeof(*sum));
    for (i = 0; the_segment && i < the_segment->slot_count; ++i) {
        const h2_stats_slot *slot = &the_segment->slots[i];
        int is_alive = atomic_load(&slot->pid) > 0;

        if (!atomic_load(&slot->is_used)) {
            continue; /* to look at it would give it memory */
        }
        sum->child_count += is_alive;
        for (k = is_alive ? 0 : H2_WORKERS_GAUGES; k < H2_WORKERS_FIGURES; ++k) {
            sum->workers[k] += h2_cell_get(&slot->workers.figures[k]);
        }
        for (k = 0; k < the_segment->loop_count; ++k) {
            add_loop(sum, block_of(slot, k), is_alive);
        }
    }
}

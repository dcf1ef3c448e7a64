#include "session/h2_id_ranges.h"

#include <stdlib.h>

/* Ids of a client are odd. */
#define STEP 2

void h2_id_ranges_add(h2_id_ranges **pids, int first, int last)
{
    h2_id_ranges *ids = *pids;
    h2_id_range *newest;

    if (!ids) {
        ids = *pids = calloc(1, sizeof(*ids));
        if (!ids) {
            return;
        }
    }
    newest = &ids->ranges[ids->newest];
    if (ids->count && first - STEP == newest->last) {
        newest->last = last;
        return;
    }
    if (ids->count && newest->first - STEP == last) { /* which may be the highest int */
        newest->first = first;
        return;
    }
    if (ids->count < H2_ID_RANGES_MAX) {
        ids->newest = ids->count++;
    }
    else {
        ids->newest = (ids->newest + 1) % H2_ID_RANGES_MAX;
        if (ids->ranges[ids->newest].last > ids->forgotten) {
            ids->forgotten = ids->ranges[ids->newest].last;
        }
    }
    newest = &ids->ranges[ids->newest];
    newest->first = first;
    newest->last = last;
}

int h2_id_ranges_has(const h2_id_ranges *ids, int id)
{
    int i;

    for (i = 0; ids && i < ids->count; ++i) {
        if (id >= ids->ranges[i].first && id <= ids->ranges[i].last) {
            return 1;
        }
    }
    return 0;
}

int h2_id_ranges_may_have(const h2_id_ranges *ids, int id)
{
    return h2_id_ranges_has(ids, id) || (ids && id <= ids->forgotten);
}

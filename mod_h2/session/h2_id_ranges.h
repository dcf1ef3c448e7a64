/*
 * A set of stream ids of a client, odd ones, which it has room for as ranges; where it is full,
 * the oldest range is forgotten. Ids that follow each other cost nothing.
 *
 * Knows nobody. Part of the session; holder of the loop only.
 */
#ifndef H2_ID_RANGES_H
#define H2_ID_RANGES_H

/* Late frames of a client are for the streams that it had open last; these are rarely more. */
#define H2_ID_RANGES_MAX 256

typedef struct h2_id_range {
    int first;
    int last;
} h2_id_range;

typedef struct h2_id_ranges {
    h2_id_range ranges[H2_ID_RANGES_MAX];
    int count; /* in use */
    int newest;
    int forgotten; /* the highest id that was in it, and is not any more; 0: none */
} h2_id_ranges;

/* Adds the ids from first to last, which are not in it. Makes *pids with malloc where it is NULL;
 * without memory it stays so, and the ids are forgotten. free() ends it. */
void h2_id_ranges_add(h2_id_ranges **pids, int first, int last);

/* Is id in it? ids may be NULL. */
int h2_id_ranges_has(const h2_id_ranges *ids, int id);

/* The same, or may it have been forgotten? */
int h2_id_ranges_may_have(const h2_id_ranges *ids, int id);

#endif /* H2_ID_RANGES_H */

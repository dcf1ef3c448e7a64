#include "request/h2_habits.h"

#include <string.h>

/* A power of two; 4 KiB for each loop. */
#define H2_HABITS_PLACES 4096

/* Quick runs until a slow request is trusted again. */
#define H2_HABITS_SLOW_SCORE 16

static unsigned char (*tables)[H2_HABITS_PLACES];

void h2_habits_init(apr_pool_t *pool, int loop_count)
{
    tables = apr_pcalloc(pool, loop_count * sizeof(tables[0]));
}

static apr_uint32_t hash_text(apr_uint32_t hash, const char *text, char end)
{
    for (; text && *text && *text != end; ++text) {
        hash = (hash ^ (unsigned char)*text) * 16777619u; /* FNV-1a */
    }
    return hash;
}

apr_uint32_t h2_habits_place(const h2_head *head)
{
    apr_uint32_t hash = hash_text(2166136261u, h2_head_authority(head), '\0');

    hash = hash_text(hash, h2_head_method(head), '\0');
    hash = hash_text(hash, h2_head_path(head), '?');
    return (hash ^ (hash >> 16)) % H2_HABITS_PLACES;
}

apr_uint32_t h2_habits_of(h2_stream *stream)
{
    if (!stream->has_habit) {
        stream->habit = h2_habits_place(stream->head);
        stream->has_habit = 1;
    }
    return stream->habit;
}

int h2_habits_is_slow(int loop_index, apr_uint32_t place)
{
    return tables[loop_index][place] != 0;
}

void h2_habits_begin(int loop_index, apr_uint32_t place)
{
    if (!tables[loop_index][place]) {
        tables[loop_index][place] = 1;
    }
}

void h2_habits_end(int loop_index, apr_uint32_t place, int was_quick)
{
    unsigned char *score = &tables[loop_index][place];

    if (!was_quick) {
        *score = H2_HABITS_SLOW_SCORE;
    }
    else if (*score) {
        --*score;
    }
}

#include "request/h2_habits.h"

#include <string.h>

#include "base/h2_text.h"

/* A power of two; 4 KiB for each loop. */
#define H2_HABITS_PLACES 4096

/* Quick runs until a slow request is trusted again. */
#define H2_HABITS_SLOW_SCORE 16

static unsigned char (*tables)[H2_HABITS_PLACES];

void h2_habits_init(apr_pool_t *pool, int loop_count)
{
    tables = apr_pcalloc(pool, loop_count * sizeof(tables[0]));
}

static apr_uint64_t hash_text(apr_uint64_t hash, const char *text)
{
    return text ? h2_text_hash(hash, text, strlen(text)) : hash;
}

/* As no two common methods begin with the same two letters. */
static apr_uint64_t hash_method(const char *method)
{
    return (method && method[0]) ? (apr_uint64_t)method[0] << 8 | (unsigned char)method[1] : 0;
}

apr_uint32_t h2_habits_place(const h2_head *head)
{
    const char *path = h2_head_path(head), *query = path ? strchr(path, '?') : NULL;
    apr_uint64_t hash = hash_text(hash_method(h2_head_method(head)), h2_head_authority(head));

    hash = query ? h2_text_hash(hash, path, (apr_size_t)(query - path)) : hash_text(hash, path);
    return (apr_uint32_t)(hash % H2_HABITS_PLACES);
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

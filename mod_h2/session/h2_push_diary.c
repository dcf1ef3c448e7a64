#include "session/h2_push_diary.h"

#include <stdlib.h>
#include <string.h>

#define H2_DIARY_FIRST_ENTRIES 16

void h2_push_diary_init(h2_push_diary *diary, int size)
{
    memset(diary, 0, sizeof(*diary));
    diary->size = size;
}

void h2_push_diary_clear(h2_push_diary *diary)
{
    free(diary->entries);
    h2_push_diary_init(diary, diary->size);
}

int h2_push_diary_knows(const h2_push_diary *diary, apr_uint64_t hash)
{
    int i;

    for (i = 0; i < diary->count; ++i) {
        if ((hash & diary->entries[i].mask) == diary->entries[i].value) {
            return 1;
        }
    }
    return 0;
}

static int grow(h2_push_diary *diary)
{
    int allocated = diary->allocated ? 2 * diary->allocated : H2_DIARY_FIRST_ENTRIES;
    h2_push_entry *entries;

    if (allocated > diary->size) {
        allocated = diary->size;
    }
    entries = realloc(diary->entries, (size_t)allocated * sizeof(entries[0]));
    if (!entries) {
        return 0;
    }
    diary->entries = entries;
    diary->allocated = allocated;
    return 1;
}

void h2_push_diary_add(h2_push_diary *diary, apr_uint64_t value, int bits)
{
    h2_push_entry entry;

    entry.mask = ~(apr_uint64_t)0 << (64 - bits);
    entry.value = value & entry.mask;
    if (diary->count < diary->size) {
        if (diary->count < diary->allocated || grow(diary)) {
            diary->entries[diary->count++] = entry;
        }
    }
    else if (diary->size) {
        diary->entries[diary->oldest] = entry;
        diary->oldest = (diary->oldest + 1) % diary->size;
    }
}

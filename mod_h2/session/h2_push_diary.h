/*
 * What a client has already: the hashes of the URLs that were pushed on its connection
 * and of those that it says to have (Cache-Digest). When it is full, new entries take
 * the place of the oldest.
 *
 * Part of the session; holder of the loop only.
 */
#ifndef H2_PUSH_DIARY_H
#define H2_PUSH_DIARY_H

#include <apr.h>

/* A hash, or the upper part of one, which stands for all that begin like it. */
typedef struct h2_push_entry {
    apr_uint64_t value;
    apr_uint64_t mask;
} h2_push_entry;

typedef struct h2_push_diary {
    int size;               /* entries at most, H2PushDiarySize; 0: nothing is remembered */
    int allocated;
    int count;
    int oldest;             /* index of the entry to be replaced when it is full */
    h2_push_entry *entries; /* malloc'ed with the first one */
} h2_push_diary;

void h2_push_diary_init(h2_push_diary *diary, int size);

/* Frees its entries. It may be used again. */
void h2_push_diary_clear(h2_push_diary *diary);

/* Has the client a resource with this hash? */
int h2_push_diary_knows(const h2_push_diary *diary, apr_uint64_t hash);

/* The client has it; of value only the upper bits (1 to 64) are given. Without memory
 * it is forgotten. */
void h2_push_diary_add(h2_push_diary *diary, apr_uint64_t value, int bits);

#endif /* H2_PUSH_DIARY_H */

#include "pools.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#undef apr_palloc

#define LIST_KEY "pools.c"

typedef struct block block;
struct block {
    block *next;
    max_align_t memory[];
};

typedef struct block_list {
    block *first;
} block_list;

static unsigned fail_after, fail_count;

void pools_fail(unsigned after, unsigned count)
{
    fail_after = after;
    fail_count = count;
}

static int is_none_left(void)
{
    if (fail_after) {
        --fail_after;
        return 0;
    }
    if (fail_count) {
        --fail_count;
        return 1;
    }
    return 0;
}

void *pools_malloc(size_t size)
{
    return is_none_left() ? NULL : malloc(size);
}

void *pools_calloc(size_t count, size_t size)
{
    return is_none_left() ? NULL : calloc(count, size);
}

void *pools_realloc(void *memory, size_t size)
{
    return is_none_left() ? NULL : realloc(memory, size);
}

static apr_status_t free_list(void *data)
{
    block_list *list = data;

    while (list->first) {
        block *next = list->first->next;

        free(list->first);
        list->first = next;
    }
    return APR_SUCCESS;
}

/* Made with the first block, so that its cleanup runs last, when nobody of ours uses any. */
static block_list *list_of(apr_pool_t *pool)
{
    void *found = NULL;

    apr_pool_userdata_get(&found, LIST_KEY, pool);
    if (!found) {
        found = apr_palloc(pool, sizeof(block_list));
        memset(found, 0, sizeof(block_list));
        apr_pool_userdata_setn(found, LIST_KEY, NULL, pool);
        apr_pool_cleanup_register(pool, found, free_list, apr_pool_cleanup_null);
    }
    return found;
}

void *pools_alloc(apr_pool_t *pool, apr_size_t size)
{
    block_list *list = list_of(pool);
    block *made = malloc(sizeof(*made) + size);

    made->next = list->first;
    list->first = made;
    return made->memory;
}

char *pools_strmemdup(apr_pool_t *pool, const char *text, apr_size_t length)
{
    char *copy;

    if (!text) {
        return NULL;
    }
    copy = pools_alloc(pool, length + 1);
    memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *pools_strdup(apr_pool_t *pool, const char *text)
{
    return text ? pools_strmemdup(pool, text, strlen(text)) : NULL;
}

void *pools_memdup(apr_pool_t *pool, const void *data, apr_size_t length)
{
    return data ? memcpy(pools_alloc(pool, length), data, length) : NULL;
}

#include "base/h2_blocks.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#if defined(H2_DEBUG) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ARE_BLOCKS_KEPT 0
#else
#define ARE_BLOCKS_KEPT 1
#endif

/* What stands before the memory. */
struct h2_block {
    _Alignas(max_align_t) union {
        h2_block *next;   /* while it is spare */
        apr_size_t bytes; /* that it has room for */
    } u;
};

/* Of a size that is not 0 and not beyond the maximum. */
static apr_size_t class_of(apr_size_t bytes)
{
    return (bytes - 1) / H2_BLOCK_STEP_BYTES;
}

static void *memory_of(h2_block *block)
{
    return block + 1;
}

static h2_block *block_of(void *memory)
{
    return (h2_block *)memory - 1;
}

void *h2_blocks_alloc(h2_blocks *blocks, apr_size_t bytes)
{
    h2_block *block;
    apr_size_t n;

    if (!bytes || bytes > H2_BLOCK_BYTES_MAX) {
        block = malloc(sizeof(*block) + bytes);
    }
    else {
        n = class_of(bytes);
        bytes = (n + 1) * H2_BLOCK_STEP_BYTES;
        block = blocks ? blocks->spare[n] : NULL;
        if (block) {
            blocks->spare[n] = block->u.next;
            blocks->kept_bytes -= bytes;
        }
        else {
            block = malloc(sizeof(*block) + bytes);
        }
    }
    if (!block) {
        return NULL;
    }
    block->u.bytes = bytes;
    return memory_of(block);
}

void h2_blocks_free(h2_blocks *blocks, void *memory)
{
    h2_block *block;
    apr_size_t bytes, n;

    if (!memory) {
        return;
    }
    block = block_of(memory);
    bytes = block->u.bytes;
    if (!ARE_BLOCKS_KEPT || !blocks || !bytes || bytes > H2_BLOCK_BYTES_MAX
        || blocks->kept_bytes + bytes > H2_BLOCKS_KEPT_BYTES) {
        free(block);
        return;
    }
    n = class_of(bytes);
    block->u.next = blocks->spare[n];
    blocks->spare[n] = block;
    blocks->kept_bytes += bytes;
}

void *h2_blocks_realloc(h2_blocks *blocks, void *memory, apr_size_t bytes)
{
    apr_size_t had = memory ? block_of(memory)->u.bytes : 0;
    void *other;

    if (memory && bytes <= had && bytes > had / 2) {
        return memory;
    }
    other = h2_blocks_alloc(blocks, bytes);
    if (other && memory) {
        memcpy(other, memory, (bytes < had) ? bytes : had);
        h2_blocks_free(blocks, memory);
    }
    return other;
}

void h2_blocks_clear(h2_blocks *blocks)
{
    int i;

    for (i = 0; i < H2_BLOCK_CLASSES; ++i) {
        while (blocks->spare[i]) {
            h2_block *block = blocks->spare[i];

            blocks->spare[i] = block->u.next;
            free(block);
        }
    }
    blocks->kept_bytes = 0;
}

/*
 * Small blocks of memory that come and go with each request, kept for the next one: the
 * C library's own lists are shorter than a page has requests.
 *
 * One for each loop; its holder only. A block may be freed to another list than the one it
 * came from. In builds for debugging each block comes from malloc() and goes back at once,
 * so that its misuse is seen.
 */
#ifndef H2_BLOCKS_H
#define H2_BLOCKS_H

#include <apr.h>

/* Larger ones come from malloc() and go back at once. */
#define H2_BLOCK_BYTES_MAX 2048

/* Sizes are rounded up to a multiple of this; each has a list. */
#define H2_BLOCK_STEP_BYTES 64
#define H2_BLOCK_CLASSES (H2_BLOCK_BYTES_MAX / H2_BLOCK_STEP_BYTES)

/* What a loop keeps at most. */
#define H2_BLOCKS_KEPT_BYTES (512 * 1024)

typedef struct h2_block h2_block;

typedef struct h2_blocks {
    h2_block *spare[H2_BLOCK_CLASSES]; /* by size, the last one freed first */
    apr_size_t kept_bytes;             /* in all of them */
} h2_blocks;

/* Gives a block, not cleared; NULL without memory. blocks may be NULL: from malloc(). */
void *h2_blocks_alloc(h2_blocks *blocks, apr_size_t bytes);

/* Frees what h2_blocks_alloc() has given, or nothing (NULL). blocks may be NULL. */
void h2_blocks_free(h2_blocks *blocks, void *memory);

/* A block of another size with the same content, as far as it fits. NULL without memory:
 * then memory stays as it is. */
void *h2_blocks_realloc(h2_blocks *blocks, void *memory, apr_size_t bytes);

/* Returns all that is kept to the C library; what is in use stays. */
void h2_blocks_clear(h2_blocks *blocks);

#endif /* H2_BLOCKS_H */

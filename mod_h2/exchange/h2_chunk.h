/*
 * A piece of a body on its way between a running request and the loop: bytes
 * in memory, or a range of an open file that is read when it is sent.
 *
 * Queues of chunks are guarded by the loop's lock. A chunk with is_malloced is
 * freed by h2_chunk_destroy(), by any thread; any other lives in the pool of the
 * request's context, its bytes there or in buckets that the context keeps. The
 * descriptor of a file is borrowed from the request, which keeps it open until the
 * stream has ended.
 */
#ifndef H2_CHUNK_H
#define H2_CHUNK_H

#include "base/h2_base.h"

typedef struct h2_chunk h2_chunk;
struct h2_chunk {
    APR_RING_ENTRY(h2_chunk) link;
    const char *data;      /* NULL: a range of a file */
    apr_size_t capacity;   /* malloced: bytes that data has room for from its start */
    apr_off_t length;      /* left to be read or sent */
    apr_off_t offset;      /* of a file: where the rest begins */
    int descriptor;        /* of a file */
    unsigned is_malloced : 1;
};

APR_RING_HEAD(h2_chunk_ring, h2_chunk);

/* A queue; fields guarded by the loop's lock once it is shared. */
typedef struct h2_chunks {
    struct h2_chunk_ring ring;
    apr_off_t total_bytes;
    apr_size_t memory_bytes; /* of these, those in memory, with overhead */
} h2_chunks;

/* All below: the holder of the loop, or the one thread that has the queue before it is shared. */

/* An empty queue. */
void h2_chunks_init(h2_chunks *chunks);

/* Has it no chunk at all, not even one without bytes? */
int h2_chunks_is_empty(const h2_chunks *chunks);

/* Appends chunk, and takes it. */
void h2_chunks_append(h2_chunks *chunks, h2_chunk *chunk);

/* Moves all of from to the end of to. */
void h2_chunks_move(h2_chunks *to, h2_chunks *from);

/* Gives the first chunk; NULL: empty. */
h2_chunk *h2_chunks_pop(h2_chunks *chunks);

/* Appends a copy of the bytes, into the last chunk where it has room. APR_ENOMEM: a part of them
 * may be there. */
apr_status_t h2_chunks_add_copy(h2_chunks *chunks, const char *data, apr_size_t length);

/* Takes length bytes (of total_bytes at most) off the front and into to. Files
 * are read; APR_EOF: a file has become shorter. After an error a part may have been taken. */
apr_status_t h2_chunks_read(h2_chunks *chunks, char *to, apr_size_t length);

/* Destroys all chunks: the queue is empty. */
void h2_chunks_clear(h2_chunks *chunks);

/* Takes chunk, which is in no queue, or NULL: frees it if it is malloc'ed. Any thread. */
void h2_chunk_destroy(h2_chunk *chunk);

#endif /* H2_CHUNK_H */

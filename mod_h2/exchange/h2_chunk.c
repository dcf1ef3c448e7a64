#include "exchange/h2_chunk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Room of a copied chunk at least: many small writes share one. */
#define H2_CHUNK_MIN_BYTES 4096

/* NOLINT in this file: clang's analyzer does not follow APR's rings, and takes the
 * sentinel or a removed element for one that is still there. */

/* What a copied chunk holds at most: a DATA frame of the default size. */
#define H2_CHUNK_MAX_BYTES 16384

void h2_chunks_init(h2_chunks *chunks)
{
    APR_RING_INIT(&chunks->ring, h2_chunk, link);
    chunks->total_bytes = 0;
    chunks->memory_bytes = 0;
}

int h2_chunks_is_empty(const h2_chunks *chunks)
{
    return APR_RING_EMPTY(&chunks->ring, h2_chunk, link);
}

/* What the chunk weighs against a limit of memory. */
static apr_size_t memory_of(const h2_chunk *chunk)
{
    return chunk->data ? sizeof(*chunk) + (apr_size_t)chunk->length : 0;
}

void h2_chunks_append(h2_chunks *chunks, h2_chunk *chunk)
{
    APR_RING_INSERT_TAIL(&chunks->ring, chunk, h2_chunk, link); /* NOLINT: see above */
    chunks->total_bytes += chunk->length;
    chunks->memory_bytes += memory_of(chunk);
}

void h2_chunks_move(h2_chunks *to, h2_chunks *from)
{
    APR_RING_CONCAT(&to->ring, &from->ring, h2_chunk, link);
    to->total_bytes += from->total_bytes;
    to->memory_bytes += from->memory_bytes;
    from->total_bytes = 0;
    from->memory_bytes = 0;
}

h2_chunk *h2_chunks_pop(h2_chunks *chunks)
{
    h2_chunk *chunk;

    if (h2_chunks_is_empty(chunks)) {
        return NULL;
    }
    chunk = APR_RING_FIRST(&chunks->ring);
    APR_RING_REMOVE(chunk, link); /* NOLINT: see above */
    chunks->total_bytes -= chunk->length;
    chunks->memory_bytes -= memory_of(chunk);
    return chunk;
}

/* Room that is left behind the bytes of a copied chunk; data moves forward as
 * bytes are taken, and capacity shrinks with it. */
static apr_size_t room_of(const h2_chunk *chunk)
{
    return (chunk->is_malloced && chunk->data) ? chunk->capacity - (apr_size_t)chunk->length : 0;
}

static apr_status_t append_room(h2_chunks *chunks, apr_size_t wanted)
{
    apr_size_t capacity = wanted;
    h2_chunk *chunk;

    if (capacity < H2_CHUNK_MIN_BYTES) {
        capacity = H2_CHUNK_MIN_BYTES;
    }
    else if (capacity > H2_CHUNK_MAX_BYTES) {
        capacity = H2_CHUNK_MAX_BYTES;
    }
    chunk = malloc(sizeof(*chunk) + capacity);
    if (!chunk) {
        return APR_ENOMEM;
    }
    memset(chunk, 0, sizeof(*chunk));
    chunk->data = (const char *)(chunk + 1);
    chunk->capacity = capacity;
    chunk->is_malloced = 1;
    h2_chunks_append(chunks, chunk);
    return APR_SUCCESS;
}

apr_status_t h2_chunks_add_copy(h2_chunks *chunks, const char *data, apr_size_t length)
{
    while (length) {
        h2_chunk *last = h2_chunks_is_empty(chunks) ? NULL : APR_RING_LAST(&chunks->ring);
        apr_size_t count = last ? room_of(last) : 0;

        if (!count) {
            apr_status_t rv = append_room(chunks, length);

            if (rv != APR_SUCCESS) {
                return rv;
            }
            continue;
        }
        if (count > length) {
            count = length;
        }
        memcpy((char *)last->data + last->length, data, count);
        last->length += (apr_off_t)count;
        chunks->total_bytes += (apr_off_t)count;
        chunks->memory_bytes += count;
        data += count;
        length -= count;
    }
    return APR_SUCCESS;
}

static apr_status_t read_file(const h2_chunk *chunk, char *to, apr_size_t length)
{
    apr_size_t done = 0;

    while (done < length) {
        ssize_t count = H2_PREAD(chunk->descriptor, to + done, length - done,
                                 chunk->offset + (apr_off_t)done);

        if (count == 0) {
            return APR_EOF;
        }
        if (count > 0) {
            done += (apr_size_t)count;
        }
        else if (errno != EINTR) {
            return APR_FROM_OS_ERROR(errno);
        }
    }
    return APR_SUCCESS;
}

static void advance(h2_chunks *chunks, h2_chunk *chunk, apr_size_t count)
{
    chunk->length -= (apr_off_t)count;
    chunks->total_bytes -= (apr_off_t)count;
    if (chunk->data) {
        chunk->data += count;
        chunk->capacity -= chunk->is_malloced ? count : 0;
        chunks->memory_bytes -= count;
    }
    else {
        chunk->offset += (apr_off_t)count;
    }
}

apr_status_t h2_chunks_read(h2_chunks *chunks, char *to, apr_size_t length)
{
    while (length) {
        h2_chunk *chunk = APR_RING_FIRST(&chunks->ring);
        apr_size_t count = ((apr_off_t)length < chunk->length) ? length /* NOLINT: see above */
                                                               : (apr_size_t)chunk->length;

        if (chunk->data) {
            memcpy(to, chunk->data, count);
        }
        else {
            apr_status_t rv = read_file(chunk, to, count);

            if (rv != APR_SUCCESS) {
                return rv;
            }
        }
        advance(chunks, chunk, count);
        to += count;
        length -= count;
        if (!chunk->length) {
            h2_chunk_destroy(h2_chunks_pop(chunks));
        }
    }
    return APR_SUCCESS;
}

void h2_chunk_destroy(h2_chunk *chunk)
{
    if (chunk && chunk->is_malloced) {
        free(chunk);
    }
}

void h2_chunks_clear(h2_chunks *chunks)
{
    h2_chunk *chunk;

    while ((chunk = h2_chunks_pop(chunks)) != NULL) {
        h2_chunk_destroy(chunk);
    }
}

/*
 * Two queues of chunks, which are written to, read from, moved and thrown away as the input says;
 * and the same done plainly with the octets alone.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exchange/h2_exchange.h"
#include "fuzz.h"

#define FILE_BYTES 4096
#define PLAIN_BYTES_MAX (1 << 18)

typedef struct plain_queue {
    unsigned char *bytes;
    size_t start, end;
} plain_queue;

typedef struct pair {
    h2_chunks *chunks;
    plain_queue plain;
} pair;

static unsigned char octet_at(size_t offset)
{
    return (unsigned char)(offset * 13 + (offset >> 8));
}

static int file_descriptor(void)
{
    static int descriptor = -1;
    size_t i;

    if (descriptor < 0) {
        descriptor = memfd_create("chunks", MFD_CLOEXEC);
        for (i = 0; i < FILE_BYTES; ++i) {
            unsigned char octet = octet_at(i);

            FUZZ_CHECK(write(descriptor, &octet, 1) == 1);
        }
    }
    return descriptor;
}

static size_t plain_length(const pair *queue)
{
    return queue->plain.end - queue->plain.start;
}

static void plain_add(pair *queue, const unsigned char *bytes, size_t length)
{
    memcpy(queue->plain.bytes + queue->plain.end, bytes, length);
    queue->plain.end += length;
}

/* How many octets may still be written. */
static size_t room_of(const pair *queue)
{
    return PLAIN_BYTES_MAX / 2 - queue->plain.end;
}

static unsigned char *make_bytes(size_t length, unsigned first)
{
    unsigned char *bytes = malloc(length + 1);
    size_t i;

    for (i = 0; i < length; ++i) {
        bytes[i] = octet_at(first + i);
    }
    return bytes;
}

static void add_copy(pair *queue, size_t length, unsigned first)
{
    unsigned char *bytes = make_bytes(length, first);

    FUZZ_CHECK(h2_chunks_add_copy(queue->chunks, (const char *)bytes, length) == APR_SUCCESS);
    plain_add(queue, bytes, length);
    free(bytes);
}

/* As those of a request that has run: in the pool of its context. */
static void add_memory(pair *queue, apr_pool_t *pool, size_t length, unsigned first)
{
    unsigned char *bytes = make_bytes(length, first);
    h2_chunk *chunk = apr_pcalloc(pool, sizeof(*chunk));

    chunk->data = apr_pmemdup(pool, bytes, length);
    chunk->length = (apr_off_t)length;
    h2_chunks_append(queue->chunks, chunk);
    plain_add(queue, bytes, length);
    free(bytes);
}

static void add_file(pair *queue, size_t length, unsigned first)
{
    h2_chunk *chunk = calloc(1, sizeof(*chunk));
    unsigned char *bytes;

    first %= FILE_BYTES;
    length = (length < FILE_BYTES - first) ? length : FILE_BYTES - first;
    chunk->is_malloced = 1;
    chunk->descriptor = file_descriptor();
    chunk->offset = first;
    chunk->length = (apr_off_t)length;
    h2_chunks_append(queue->chunks, chunk);
    bytes = make_bytes(length, first);
    plain_add(queue, bytes, length);
    free(bytes);
}

static void read_some(pair *queue, size_t length)
{
    char *bytes;

    length = (length < plain_length(queue)) ? length : plain_length(queue);
    bytes = malloc(length + 1);
    FUZZ_CHECK(h2_chunks_read(queue->chunks, bytes, length) == APR_SUCCESS);
    FUZZ_CHECK(!memcmp(bytes, queue->plain.bytes + queue->plain.start, length));
    queue->plain.start += length;
    free(bytes);
}

static void pop_one(pair *queue)
{
    h2_chunk *chunk = h2_chunks_pop(queue->chunks);

    if (!chunk) {
        FUZZ_CHECK(!plain_length(queue));
        return;
    }
    FUZZ_CHECK((size_t)chunk->length <= plain_length(queue));
    if (chunk->data) {
        FUZZ_CHECK(!memcmp(chunk->data, queue->plain.bytes + queue->plain.start,
                           (size_t)chunk->length));
    }
    queue->plain.start += (size_t)chunk->length;
    h2_chunk_destroy(chunk);
}

static void move_all(pair *to, pair *from)
{
    if (room_of(to) >= plain_length(from)) {
        plain_add(to, from->plain.bytes + from->plain.start, plain_length(from));
        from->plain.start = from->plain.end;
        h2_chunks_move(to->chunks, from->chunks);
    }
}

static void check(const pair *queue)
{
    const h2_chunk *chunk;
    apr_size_t memory = 0;
    apr_off_t total = 0;

    APR_RING_FOREACH(chunk, &queue->chunks->ring, h2_chunk, link) {
        FUZZ_CHECK(chunk->length >= 0);
        FUZZ_CHECK(!chunk->data || !chunk->is_malloced
                   || chunk->capacity >= (apr_size_t)chunk->length);
        total += chunk->length;
        memory += chunk->data ? sizeof(*chunk) + (apr_size_t)chunk->length : 0;
    }
    FUZZ_CHECK(total == queue->chunks->total_bytes && (size_t)total == plain_length(queue));
    FUZZ_CHECK(memory == queue->chunks->memory_bytes);
}

static void step(fuzz_input *input, apr_pool_t *pool, pair *queues)
{
    unsigned what = fuzz_byte(input), length = fuzz_number(input, 2), first = fuzz_byte(input);
    pair *queue = &queues[what >> 7], *other = &queues[!(what >> 7)];

    switch (what & 7) {
    case 0:
    case 1:
        add_copy(queue, length < room_of(queue) ? length : 0, first);
        break;
    case 2:
        if (length && length < room_of(queue)) { /* no chunk is empty */
            add_memory(queue, pool, length, first);
        }
        break;
    case 3:
        if (length && length < room_of(queue)) {
            add_file(queue, length, first);
        }
        break;
    case 4:
    case 5:
        read_some(queue, length);
        break;
    case 6:
        pop_one(queue);
        break;
    default:
        if (first & 1) {
            move_all(queue, other);
        }
        else if (first == 2) {
            h2_chunks_clear(queue->chunks);
            queue->plain.start = queue->plain.end;
        }
        break;
    }
    check(queue);
    check(other);
}

void fuzz_run(apr_pool_t *pool, const uint8_t *data, size_t size)
{
    static unsigned char memory[2][PLAIN_BYTES_MAX];
    fuzz_input input = {data, size};
    h2_exchange exchange;
    pair queues[2];

    h2_exchange_init(&exchange);
    queues[0] = (pair){&exchange.in, {memory[0], 0, 0}};
    queues[1] = (pair){&exchange.out, {memory[1], 0, 0}};
    while (input.left) {
        step(&input, pool, queues);
    }
    h2_exchange_clear(&exchange);
}

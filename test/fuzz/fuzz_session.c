/*
 * A connection, from its first octet to its end: bytes of a client, and what happens around them.
 *
 * Input: 4 octets of configuration, the plan of 16, and events (client.h). What mutates it knows
 * where events begin, so that most inputs stay connections that come far.
 */
#include <string.h>

#include "client.h"
#include "machine.h"

#define HEAD_BYTES (MACHINE_FLAG_BYTES + MACHINE_PLAN_BYTES)

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max_size, unsigned seed);

void fuzz_run(apr_pool_t *pool, const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    machine_setup setup;

    machine_setup_from(&setup, pool, &input);
    machine_run(&setup, pool, input.at, input.left);
}

/* ---- mutation -------------------------------------------------------------------------------- */

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1103515245 + 12345;
    return *seed >> 8;
}

/* Where one of the events begins; size: there is none, or behind the last. */
static size_t some_event(const uint8_t *data, size_t size, unsigned *seed)
{
    size_t at, count = 0, wanted;

    for (at = HEAD_BYTES; at < size; at += client_event_bytes(data + at, size - at)) {
        ++count;
    }
    wanted = next_random(seed) % (count + 1);
    for (at = HEAD_BYTES; at < size && wanted--;) {
        at += client_event_bytes(data + at, size - at);
    }
    return at;
}

/* Makes room for length octets at a place, or takes them out (negative). */
static size_t move(uint8_t *data, size_t size, size_t at, long length)
{
    if (length >= 0) {
        memmove(data + at + length, data + at, size - at);
    }
    else {
        memmove(data + at, data + at - length, size - at + (size_t)length);
    }
    return (size_t)((long)size + length);
}

static size_t insert(uint8_t *data, size_t size, size_t max_size, size_t at, const uint8_t *event,
                     size_t length)
{
    if (size + length > max_size) {
        return size;
    }
    size = move(data, size, at, (long)length);
    memcpy(data + at, event, length);
    return size;
}

/* Events that are likely to be of use, with something of chance in them. */
static size_t make_event(uint8_t *event, unsigned *seed)
{
    unsigned i, length = next_random(seed) % 8;

    event[0] = (uint8_t)(next_random(seed) % CLIENT_TYPES);
    event[0] |= (next_random(seed) % 3) ? 0 : CLIENT_MORE;
    event[1] = 0;
    event[2] = (uint8_t)length;
    for (i = 0; i < length; ++i) {
        unsigned random = next_random(seed);

        event[CLIENT_EVENT_HEAD_BYTES + i] =
            (uint8_t)((random & 1) ? random >> 8 : random >> 1 & 3);
    }
    return CLIENT_EVENT_HEAD_BYTES + length;
}

static size_t mutate_one(uint8_t *data, size_t size, size_t max_size, size_t at)
{
    uint8_t event[4096 + CLIENT_EVENT_HEAD_BYTES];
    size_t length = client_event_bytes(data + at, size - at), body;

    if (length > sizeof(event) / 2 || length < CLIENT_EVENT_HEAD_BYTES) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    memcpy(event, data + at, length);
    body = LLVMFuzzerMutate(event + CLIENT_EVENT_HEAD_BYTES, length - CLIENT_EVENT_HEAD_BYTES,
                            sizeof(event) / 2);
    event[1] = (uint8_t)(body >> 8);
    event[2] = (uint8_t)body;
    size = move(data, size, at, -(long)length);
    return insert(data, size, max_size, at, event, CLIENT_EVENT_HEAD_BYTES + body);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint8_t event[4096];
    size_t at, from, length;

    if (size < HEAD_BYTES || max_size < 256) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    at = some_event(data, size, &seed);
    from = some_event(data, size, &seed);
    length = (from < size) ? client_event_bytes(data + from, size - from) : 0;
    switch (next_random(&seed) % 8) {
    case 0:
        return LLVMFuzzerMutate(data, size, max_size);
    case 1: /* its head */
        LLVMFuzzerMutate(data, HEAD_BYTES, HEAD_BYTES);
        return size;
    case 2: /* one less */
        return move(data, size, from, -(long)length);
    case 3: /* one twice */
        if (length && length <= sizeof(event)) {
            memcpy(event, data + from, length);
            return insert(data, size, max_size, at, event, length);
        }
        return size;
    case 4:
    case 5:
        return insert(data, size, max_size, at, event, make_event(event, &seed));
    default:
        return (from < size) ? mutate_one(data, size, max_size, from)
                             : LLVMFuzzerMutate(data, size, max_size);
    }
}

/* The beginning of one, the end of another. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size,
                                 uint8_t *out, size_t max_size, unsigned seed)
{
    size_t first = some_event(a, a_size, &seed), second = some_event(b, b_size, &seed), rest;

    first = (first < a_size) ? first : a_size;
    first = (first < max_size) ? first : max_size;
    second = (second < b_size) ? second : b_size;
    rest = b_size - second;
    rest = (rest < max_size - first) ? rest : max_size - first;
    memcpy(out, a, first);
    memcpy(out + first, b + second, rest);
    return first + rest;
}

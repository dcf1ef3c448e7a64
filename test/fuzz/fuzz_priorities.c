/*
 * What a client says of the order of its responses, while many of them are to be sent:
 * PRIORITY_UPDATE and PRIORITY frames of any content, HEADERS with dependencies and priority
 * fields, and windows that let some go on. A connection of the machine, whose setup is always the
 * same but for its first octet.
 *
 * Input: that octet, and events as of the session, of which only these types are left.
 */
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "machine.h"

static const uint8_t types[] = {
    CLIENT_REQUEST, CLIENT_PRIORITY_UPDATE, CLIENT_PRIORITY, CLIENT_FRAME, CLIENT_WINDOW,
    CLIENT_RESET,   CLIENT_SETTINGS,        CLIENT_REQUEST,
};

/* Large bodies, some of them pushed, some with a priority of their own. */
static const uint8_t plan[MACHINE_PLAN_BYTES] = {
    0xf0, 0xf2, 0xb0, 0xfc, 0xa6, 0xc0, 0xd2, 0xf0, 0xec, 0x8e, 0xf0, 0xb9, 0xf6, 0xfc, 0xb5, 0xf0,
};

/* A frame may be of those types only that are of interest. */
static void change_event(uint8_t *event, size_t length)
{
    static const uint8_t frame_types[] = {0x10, 0x02, 0x01, 0x0b};

    event[0] = (uint8_t)((event[0] & CLIENT_MORE) | types[event[0] % sizeof(types)]);
    if ((event[0] & ~CLIENT_MORE) == CLIENT_FRAME && length > CLIENT_EVENT_HEAD_BYTES) {
        event[CLIENT_EVENT_HEAD_BYTES] =
            frame_types[event[CLIENT_EVENT_HEAD_BYTES] % sizeof(frame_types)];
    }
}

void fuzz_run(apr_pool_t *pool, const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    uint8_t head[MACHINE_FLAG_BYTES + MACHINE_PLAN_BYTES] = {0};
    fuzz_input of_setup = {head, sizeof(head)};
    unsigned first = fuzz_byte(&input);
    uint8_t *events = (uint8_t *)fuzz_copy(input.at, input.left);
    machine_setup setup;
    size_t at, length;

    head[0] = (first & 1) ? 64 : 0;  /* without WebSockets */
    head[1] = (uint8_t)((first & 2) ? 64 : 0) | (uint8_t)(first >> 4); /* a diary; streams */
    head[2] = 16;
    head[3] = (uint8_t)((first & 8) ? 0 : 1);    /* nothing is counted */
    memcpy(head + MACHINE_FLAG_BYTES, plan, sizeof(plan));
    machine_setup_from(&setup, pool, &of_setup);
    for (at = 0; at < input.left; at += length) {
        length = client_event_bytes(events + at, input.left - at);
        change_event(events + at, length);
    }
    machine_run(&setup, pool, events, input.left);
    free(events);
}

/*
 * Who sends next: any order of what may happen to the tree, with all that must hold for it after
 * each step. Input: steps of a kind and three octets.
 */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fuzz.h"
#include "session/h2_scheduler.h"

#define STREAMS_MAX 24
#define NODES_MAX   6

static struct {
    h2_scheduler scheduler;
    h2_stream *streams[STREAMS_MAX]; /* malloc'ed; NULL: none */
    h2_node nodes[NODES_MAX];
    int is_node_in[NODES_MAX];
    int next_id[2]; /* of the client, pushed */
} tree;

static h2_stream *some_stream(unsigned choice)
{
    return tree.streams[choice % STREAMS_MAX];
}

/* A stream, a node without one, or NULL: the root. */
static h2_node *some_node(unsigned choice)
{
    unsigned n = choice % (STREAMS_MAX + NODES_MAX + 1);

    if (n < STREAMS_MAX) {
        return tree.streams[n] ? &tree.streams[n]->node : NULL;
    }
    n -= STREAMS_MAX;
    return (n < NODES_MAX && tree.is_node_in[n]) ? &tree.nodes[n] : NULL;
}

static void join(unsigned where, unsigned parent, unsigned weight, int is_pushed)
{
    h2_stream **place = &tree.streams[where % STREAMS_MAX], *above = some_stream(parent);

    if (*place) {
        return;
    }
    *place = h2_stream_create(NULL, tree.next_id[is_pushed], NULL);
    tree.next_id[is_pushed] += 2;
    h2_scheduler_join(&tree.scheduler, *place, above, (int)weight);
}

static void leave(h2_stream **place)
{
    if (*place) {
        h2_scheduler_leave(&tree.scheduler, *place);
        FUZZ_CHECK(!(*place)->node.parent && !(*place)->is_sending);
        h2_stream_destroy(*place, NULL);
        *place = NULL;
    }
}

static void move(unsigned what, unsigned where, unsigned weight)
{
    h2_node *node = some_node(what), *parent = some_node(where);

    if (node && parent != node && (!parent || !h2_scheduler_is_below(parent, node))) {
        h2_scheduler_move(&tree.scheduler, node, parent, (int)weight);
    }
}

static void move_pushed(unsigned kind, unsigned what, unsigned where, unsigned weight)
{
    h2_stream *stream = some_stream(what), *main = some_stream(where);

    if (!stream || !main || stream == main || stream->id % 2) {
        return;
    }
    switch (kind % 3) {
    case 0:
        h2_scheduler_move_above(stream, main);
        break;
    case 1:
        h2_scheduler_move_beside(stream, main, (int)weight);
        break;
    default:
        h2_scheduler_move_below(stream, main, (int)weight);
        break;
    }
}

static void set_priority(unsigned what, unsigned urgency, unsigned is_incremental)
{
    h2_stream *stream = some_stream(what);
    h2_priority priority = {(int)(urgency % (H2_URGENCY_MAX + 1)), is_incremental & 1};

    if (stream) {
        h2_scheduler_set_priority(&tree.scheduler, stream, &priority);
    }
}

static void toggle_node(unsigned n)
{
    n %= NODES_MAX;
    if (tree.is_node_in[n]) {
        h2_scheduler_leave_node(&tree.nodes[n]);
    }
    else {
        h2_scheduler_join_node(&tree.scheduler, &tree.nodes[n], (int)(2 * n + 101));
    }
    tree.is_node_in[n] = !tree.is_node_in[n];
}

/* The next ones have their turns; whoever is alone has the next one, too. */
static void take_turns(unsigned count, unsigned bytes)
{
    while (count--) {
        h2_stream *stream = h2_scheduler_next(&tree.scheduler);

        if (!stream) {
            return;
        }
        FUZZ_CHECK(stream->is_sending);
        if (h2_scheduler_is_alone(stream)) {
            h2_scheduler_had_turn(stream, bytes * 64);
            FUZZ_CHECK(h2_scheduler_next(&tree.scheduler) == stream);
        }
        else {
            h2_scheduler_had_turn(stream, bytes * 64);
        }
    }
}

static void step(fuzz_input *input)
{
    unsigned kind = fuzz_byte(input), a = fuzz_byte(input), b = fuzz_byte(input);
    unsigned c = fuzz_byte(input);
    h2_stream *stream = some_stream(a);

    switch (kind % 12) {
    case 0:
    case 1:
        join(a, b, c, 0);
        break;
    case 2:
        join(a, b, c, 1);
        break;
    case 3:
        leave(&tree.streams[a % STREAMS_MAX]);
        break;
    case 4:
    case 5:
        if (stream) {
            h2_scheduler_add(&tree.scheduler, stream);
        }
        break;
    case 6:
        if (stream) {
            h2_scheduler_remove(&tree.scheduler, stream);
        }
        break;
    case 7:
        move(a, b, c);
        break;
    case 8:
        move_pushed(kind / 12, a, b, c);
        break;
    case 9:
        set_priority(a, b, c);
        break;
    case 10:
        toggle_node(a);
        break;
    default:
        take_turns(a % 16, b);
        break;
    }
    check_scheduler(&tree.scheduler);
}

/* Everybody who wants to send has a turn before long: none waits for ever. */
static void check_nobody_starves(void)
{
    int i, turns;

    for (turns = 0; tree.scheduler.count; ++turns) {
        h2_stream *stream = h2_scheduler_next(&tree.scheduler);

        FUZZ_CHECK(stream && turns <= STREAMS_MAX);
        h2_scheduler_remove(&tree.scheduler, stream);
    }
    for (i = 0; i < STREAMS_MAX; ++i) {
        FUZZ_CHECK(!tree.streams[i] || !tree.streams[i]->is_sending);
    }
}

void fuzz_run(apr_pool_t *pool, const uint8_t *data, size_t size)
{
    fuzz_input input = {data, size};
    int i;

    (void)pool;
    memset(&tree, 0, sizeof(tree));
    tree.next_id[0] = 1;
    tree.next_id[1] = 2;
    h2_scheduler_init(&tree.scheduler);
    while (input.left) {
        step(&input);
    }
    check_nobody_starves();
    for (i = 0; i < STREAMS_MAX; ++i) {
        leave(&tree.streams[i]);
        check_scheduler(&tree.scheduler);
    }
    for (i = 0; i < NODES_MAX; ++i) {
        if (tree.is_node_in[i]) {
            h2_scheduler_leave_node(&tree.nodes[i]);
        }
    }
    check_scheduler(&tree.scheduler);
    h2_scheduler_destroy(&tree.scheduler);
}

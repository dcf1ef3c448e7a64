#include "session/h2_scheduler.h"

#include <stdlib.h>

/* What a turn costs that brought no bytes: who does not use it waits for the others. */
#define H2_IDLE_TURN_BYTES 16384

static void init_node(h2_node *node)
{
    APR_RING_INIT(&node->children, h2_node, link);
    APR_RING_INIT(&node->eager, h2_node, eager_link);
}

static int is_root(const h2_node *node)
{
    return !node->parent;
}

static int is_in_sequence(const h2_node *node)
{
    return node->parent->is_sequence;
}

static int has_output(const h2_node *node)
{
    return node->stream && node->stream->is_sending;
}

static int has_eager_child(const h2_node *node)
{
    return !APR_RING_EMPTY(&node->eager, h2_node, eager_link);
}

/* Of its parent's children. */
static int is_only_eager(const h2_node *node)
{
    return APR_RING_FIRST(&node->parent->eager) == APR_RING_LAST(&node->parent->eager);
}

/* In a sequence the first one stays it until it has nothing to send. */
static int has_next_turn_too(const h2_node *node)
{
    return is_in_sequence(node) ? node == APR_RING_FIRST(&node->parent->eager)
                                : is_only_eager(node);
}

/* Of those that are sent one after another: by rank; of one rank those that the client has asked
 * for, and then those that were pushed; each of these by id. */
static apr_uint64_t due_in_sequence(const h2_node *node)
{
    apr_uint64_t id = node->stream ? (apr_uint64_t)node->stream->id : 1;

    return ((apr_uint64_t)node->rank << 32) | ((id % 2) ? 0 : (apr_uint64_t)1 << 31) | (id >> 1);
}

/* Into the list of its parent, behind those that are due before it or as early. From
 * the end on, as the last one that had its turn mostly belongs there. */
static void insert_by_due(h2_node *node)
{
    h2_node *parent = node->parent;
    h2_node *before = APR_RING_LAST(&parent->eager);

    while (before != APR_RING_SENTINEL(&parent->eager, h2_node, eager_link)
           && before->due > node->due) {
        before = APR_RING_PREV(before, eager_link);
    }
    if (before == APR_RING_SENTINEL(&parent->eager, h2_node, eager_link)) {
        APR_RING_INSERT_HEAD(&parent->eager, node, h2_node, eager_link);
    }
    else {
        APR_RING_INSERT_AFTER(before, node, eager_link);
    }
}

/* It has something to send, or somebody below it has. */
static void make_eager(h2_node *node)
{
    while (!is_root(node) && !node->is_eager) {
        node->is_eager = 1;
        node->parent->eager_weight += (apr_uint64_t)node->weight;
        if (is_in_sequence(node)) {
            node->due = due_in_sequence(node);
        }
        else if (node->due < node->parent->clock) {
            node->due = node->parent->clock;
        }
        insert_by_due(node);
        node = node->parent;
    }
}

static void leave_eager(h2_node *node)
{
    node->is_eager = 0;
    node->parent->eager_weight -= (apr_uint64_t)node->weight;
    APR_RING_REMOVE(node, eager_link);
}

/* Does it have something to send still? If not, nor may its parents. */
static void check_eager(h2_node *node)
{
    while (!is_root(node) && node->is_eager && !has_output(node) && !has_eager_child(node)) {
        leave_eager(node);
        node = node->parent;
    }
}

static void attach(h2_node *node, h2_node *parent, int weight)
{
    node->parent = parent;
    node->weight = weight;
    node->due = parent->clock;
    APR_RING_INSERT_TAIL(&parent->children, node, h2_node, link);
    if (has_output(node) || has_eager_child(node)) {
        make_eager(node);
    }
}

static void detach(h2_node *node)
{
    h2_node *parent = node->parent;

    APR_RING_REMOVE(node, link);
    if (node->is_eager) {
        leave_eager(node);
        check_eager(parent);
    }
}

static void init_urgency(h2_urgency *urgency)
{
    memset(urgency, 0, sizeof(*urgency));
    init_node(&urgency->root);
    init_node(&urgency->sequence);
    urgency->sequence.is_sequence = 1;
    attach(&urgency->sequence, &urgency->root, H2_WEIGHT_DEFAULT);
}

void h2_scheduler_init(h2_scheduler *scheduler)
{
    memset(scheduler, 0, sizeof(*scheduler));
    init_urgency(&scheduler->usual);
    scheduler->urgencies[H2_URGENCY_DEFAULT] = &scheduler->usual;
    scheduler->most_urgent = H2_URGENCY_DEFAULT;
}

void h2_scheduler_destroy(h2_scheduler *scheduler)
{
    int i;

    for (i = 0; i <= H2_URGENCY_MAX; ++i) {
        if (scheduler->urgencies[i] != &scheduler->usual) {
            free(scheduler->urgencies[i]);
        }
        scheduler->urgencies[i] = NULL;
    }
}

static int clamp_weight(int weight)
{
    return (weight < H2_WEIGHT_MIN) ? H2_WEIGHT_MIN
                                    : (weight > H2_WEIGHT_MAX) ? H2_WEIGHT_MAX : weight;
}

void h2_scheduler_join(h2_scheduler *scheduler, h2_stream *stream, h2_stream *parent, int weight)
{
    init_node(&stream->node);
    stream->node.stream = stream;
    stream->node.rank = parent ? parent->node.rank : stream->id;
    attach(&stream->node, parent ? &parent->node : &scheduler->usual.root, clamp_weight(weight));
}

void h2_scheduler_join_node(h2_scheduler *scheduler, h2_node *node, int id)
{
    memset(node, 0, sizeof(*node));
    init_node(node);
    node->rank = id;
    attach(node, &scheduler->usual.root, H2_WEIGHT_DEFAULT);
}

int h2_scheduler_is_below(const h2_node *node, const h2_node *above)
{
    for (node = node->parent; node && node != above; node = node->parent) {
    }
    return node != NULL;
}

void h2_scheduler_move(h2_scheduler *scheduler, h2_node *node, h2_node *parent, int weight)
{
    if (!parent) {
        parent = &scheduler->usual.root;
    }
    H2_ASSERT(parent != node && !h2_scheduler_is_below(parent, node));
    detach(node);
    attach(node, parent, clamp_weight(weight));
}

static int is_pushed(const h2_node *node)
{
    return node->stream && node->stream->id % 2 == 0;
}

/* What is pushed before a stream of the client goes where that one goes. */
static h2_node *top_of(h2_node *node)
{
    while (!is_pushed(node) && is_pushed(node->parent)) {
        node = node->parent;
    }
    return node;
}

/* What the client has asked for stays where it is when what was pushed before it moves. */
static void leave_clients_streams(h2_node *node)
{
    h2_node *child = APR_RING_FIRST(&node->children);

    while (child != APR_RING_SENTINEL(&node->children, h2_node, link)) {
        h2_node *next = APR_RING_NEXT(child, link);

        if (!is_pushed(child)) {
            detach(child);
            attach(child, node->parent, child->weight);
        }
        child = next;
    }
}

void h2_scheduler_set_priority(h2_scheduler *scheduler, h2_stream *stream,
                               const h2_priority *priority)
{
    h2_urgency **purgency = &scheduler->urgencies[priority->urgency];
    h2_node *node = top_of(&stream->node), *parent;

    if (!*purgency) {
        *purgency = malloc(sizeof(**purgency));
        if (!*purgency) {
            return;
        }
        init_urgency(*purgency);
        if (priority->urgency < scheduler->most_urgent) {
            scheduler->most_urgent = priority->urgency;
        }
    }
    parent = priority->is_incremental ? &(*purgency)->root : &(*purgency)->sequence;
    if (node->parent != parent || node->weight != H2_WEIGHT_DEFAULT) {
        if (stream->id % 2 == 0) {
            leave_clients_streams(node);
        }
        detach(node);
        attach(node, parent, H2_WEIGHT_DEFAULT);
    }
}

void h2_scheduler_move_above(h2_stream *stream, h2_stream *main)
{
    h2_node *parent = main->node.parent;

    if (h2_scheduler_is_below(&main->node, &stream->node)) {
        return;
    }
    detach(&stream->node);
    stream->node.rank = main->node.rank;
    attach(&stream->node, parent, main->node.weight);
    detach(&main->node);
    attach(&main->node, &stream->node, main->node.weight);
}

void h2_scheduler_move_beside(h2_stream *stream, h2_stream *main, int weight)
{
    if (h2_scheduler_is_below(&main->node, &stream->node)) {
        return;
    }
    detach(&stream->node);
    stream->node.rank = main->node.rank;
    attach(&stream->node, main->node.parent, clamp_weight(weight));
}

void h2_scheduler_move_below(h2_stream *stream, h2_stream *main, int weight)
{
    if (!h2_scheduler_is_below(&main->node, &stream->node)) {
        detach(&stream->node);
        attach(&stream->node, &main->node, clamp_weight(weight));
    }
}

void h2_scheduler_leave_node(h2_node *node)
{
    h2_node *parent = node->parent, *child;
    int sum = 0;

    APR_RING_FOREACH(child, &node->children, h2_node, link) {
        sum += child->weight;
    }
    while (!APR_RING_EMPTY(&node->children, h2_node, link)) {
        child = APR_RING_FIRST(&node->children);
        detach(child);
        child->rank = node->rank;
        attach(child, parent, clamp_weight(child->weight * node->weight / (sum ? sum : 1)));
    }
    detach(node);
    node->parent = NULL;
}

void h2_scheduler_leave(h2_scheduler *scheduler, h2_stream *stream)
{
    h2_scheduler_remove(scheduler, stream);
    h2_scheduler_leave_node(&stream->node);
}

int h2_scheduler_weight(const h2_stream *stream)
{
    return stream->node.weight;
}

void h2_scheduler_add(h2_scheduler *scheduler, h2_stream *stream)
{
    if (!stream->is_sending) {
        stream->is_sending = 1;
        ++scheduler->count;
        make_eager(&stream->node);
    }
}

void h2_scheduler_remove(h2_scheduler *scheduler, h2_stream *stream)
{
    if (stream->is_sending) {
        stream->is_sending = 0;
        --scheduler->count;
        check_eager(&stream->node);
    }
}

h2_stream *h2_scheduler_next(const h2_scheduler *scheduler)
{
    int urgency;

    for (urgency = scheduler->most_urgent; scheduler->count && urgency <= H2_URGENCY_MAX;
         ++urgency) {
        const h2_urgency *of = scheduler->urgencies[urgency];
        const h2_node *node = of ? &of->root : NULL;

        while (node && has_eager_child(node)) {
            node = APR_RING_FIRST(&node->eager);
            if (has_output(node)) {
                return node->stream;
            }
        }
    }
    return NULL;
}

void h2_scheduler_had_turn(h2_stream *stream, apr_size_t bytes)
{
    apr_uint64_t cost = (bytes ? bytes : H2_IDLE_TURN_BYTES) * (apr_uint64_t)H2_WEIGHT_MAX;
    h2_node *node;

    for (node = &stream->node; !is_root(node); node = node->parent) {
        if (is_in_sequence(node)) {
            continue; /* it has its turns until it has nothing to send */
        }
        if (bytes) { /* else time stands still for those who cannot send either */
            h2_node *parent = node->parent;

            parent->clock += cost / parent->eager_weight;
            if (parent->clock < node->due) {
                parent->clock = node->due;
            }
        }
        node->due += cost / (apr_uint64_t)node->weight;
        APR_RING_REMOVE(node, eager_link);
        insert_by_due(node);
    }
}

int h2_scheduler_is_alone(const h2_stream *stream)
{
    const h2_node *node;

    for (node = &stream->node; !is_root(node); node = node->parent) {
        if (!has_next_turn_too(node)) {
            return 0;
        }
    }
    return 1;
}

/* The streams of a list, of which there are count already. */
typedef struct stream_list {
    const h2_stream **streams;
    int count;
    int max;
} stream_list;

static void list_below(const h2_node *node, stream_list *list);

static void list_node(const h2_node *node, stream_list *list)
{
    if (node->stream && list->count < list->max) {
        list->streams[list->count++] = node->stream;
    }
    list_below(node, list);
}

/* As deep as the client has made its tree, of the streams that it may have. */
static void list_below(const h2_node *node, stream_list *list)
{
    const h2_node *child;

    if (list->count >= list->max) {
        return;
    }
    APR_RING_FOREACH(child, &node->eager, h2_node, eager_link) {
        list_node(child, list);
    }
    APR_RING_FOREACH(child, &node->children, h2_node, link) {
        if (!child->is_eager) {
            list_node(child, list);
        }
    }
}

int h2_scheduler_list(const h2_scheduler *scheduler, const h2_stream **streams, int max)
{
    stream_list list = {streams, 0, max};
    int urgency;

    for (urgency = scheduler->most_urgent; urgency <= H2_URGENCY_MAX; ++urgency) {
        if (scheduler->urgencies[urgency]) {
            list_below(&scheduler->urgencies[urgency]->root, &list);
        }
    }
    return list.count;
}

int h2_scheduler_count(const h2_scheduler *scheduler)
{
    return scheduler->count;
}

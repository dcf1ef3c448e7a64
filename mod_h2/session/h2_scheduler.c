#include "session/h2_scheduler.h"

/* What a turn costs that brought no bytes: who does not use it waits for the others. */
#define H2_IDLE_TURN_BYTES 16384

static void init_node(h2_node *node)
{
    APR_RING_INIT(&node->children, h2_node, link);
    APR_RING_INIT(&node->eager, h2_node, eager_link);
}

void h2_scheduler_init(h2_scheduler *scheduler)
{
    memset(scheduler, 0, sizeof(*scheduler));
    init_node(&scheduler->root);
}

static int is_root(const h2_node *node)
{
    return !node->stream;
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
        if (node->due < node->parent->clock) {
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
    while (!is_root(node) && node->is_eager && !node->stream->is_sending
           && !has_eager_child(node)) {
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
    if (node->stream->is_sending || has_eager_child(node)) {
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

static int clamp_weight(int weight)
{
    return (weight < H2_WEIGHT_MIN) ? H2_WEIGHT_MIN
                                    : (weight > H2_WEIGHT_MAX) ? H2_WEIGHT_MAX : weight;
}

void h2_scheduler_join(h2_scheduler *scheduler, h2_stream *stream, h2_stream *parent, int weight)
{
    init_node(&stream->node);
    stream->node.stream = stream;
    attach(&stream->node, parent ? &parent->node : &scheduler->root, clamp_weight(weight));
}

void h2_scheduler_move_above(h2_scheduler *scheduler, h2_stream *stream, h2_stream *main)
{
    h2_node *parent = main->node.parent;

    (void)scheduler;
    if (parent == &stream->node) {
        return;
    }
    detach(&stream->node);
    attach(&stream->node, parent, main->node.weight);
    detach(&main->node);
    attach(&main->node, &stream->node, main->node.weight);
}

void h2_scheduler_move_beside(h2_scheduler *scheduler, h2_stream *stream, h2_stream *main,
                              int weight)
{
    (void)scheduler;
    detach(&stream->node);
    attach(&stream->node, main->node.parent, clamp_weight(weight));
}

void h2_scheduler_move_below(h2_scheduler *scheduler, h2_stream *stream, h2_stream *main,
                             int weight)
{
    (void)scheduler;
    detach(&stream->node);
    attach(&stream->node, &main->node, clamp_weight(weight));
}

void h2_scheduler_leave(h2_scheduler *scheduler, h2_stream *stream)
{
    h2_node *node = &stream->node, *parent = node->parent, *child;
    int sum = 0;

    h2_scheduler_remove(scheduler, stream);
    APR_RING_FOREACH(child, &node->children, h2_node, link) {
        sum += child->weight;
    }
    while (!APR_RING_EMPTY(&node->children, h2_node, link)) {
        child = APR_RING_FIRST(&node->children);
        detach(child);
        attach(child, parent, clamp_weight(child->weight * node->weight / (sum ? sum : 1)));
    }
    detach(node);
    node->parent = NULL;
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
    const h2_node *node = &scheduler->root;

    while (has_eager_child(node)) {
        node = APR_RING_FIRST(&node->eager);
        if (node->stream->is_sending) {
            return node->stream;
        }
    }
    return NULL;
}

void h2_scheduler_had_turn(h2_scheduler *scheduler, h2_stream *stream, apr_size_t bytes)
{
    apr_uint64_t cost = (bytes ? bytes : H2_IDLE_TURN_BYTES) * (apr_uint64_t)H2_WEIGHT_MAX;
    h2_node *node;

    (void)scheduler;
    for (node = &stream->node; !is_root(node); node = node->parent) {
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
        if (!is_only_eager(node)) {
            return 0;
        }
    }
    return 1;
}

int h2_scheduler_count(const h2_scheduler *scheduler)
{
    return scheduler->count;
}

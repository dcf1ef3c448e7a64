/*
 * A stream's place in the order of sending: who must have nothing to send before it
 * may (its parent), and which share it has of what is left for its like.
 *
 * Part of the stream; of the scheduler alone (session/h2_scheduler.h), so holder of the
 * loop only.
 */
#ifndef H2_NODE_H
#define H2_NODE_H

#include "base/h2_base.h"

struct h2_stream;

typedef struct h2_node h2_node;
struct h2_node {
    struct h2_stream *stream;                    /* whose place it is; NULL: no stream's */
    h2_node *parent;                             /* NULL: it is a root */
    APR_RING_ENTRY(h2_node) link;                /* among the parent's children */
    APR_RING_ENTRY(h2_node) eager_link;          /* among its eager ones */
    APR_RING_HEAD(h2_node_children, h2_node) children;
    APR_RING_HEAD(h2_node_eager, h2_node) eager; /* who can send, itself or below; by due */
    int weight;                                  /* 1 to 256 */
    apr_uint64_t due;                            /* when its next turn begins, see clock */
    apr_uint64_t clock;                          /* its children's time: bytes for weight 256 */
    apr_uint64_t eager_weight;                   /* of all its eager children */
    int rank;                                    /* in a sequence: the lowest sends first */
    unsigned is_eager : 1;
    unsigned is_sequence : 1;                    /* its children send one after another */
};

#endif /* H2_NODE_H */

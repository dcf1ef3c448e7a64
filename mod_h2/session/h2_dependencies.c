/*
 * RFC 7540, 5.3: the tree that a client makes of its streams by saying which one depends on
 * which, as long as it does not speak of priorities as RFC 9218 does.
 *
 * Some clients never open the streams that others depend on, and use them as groups: such an id
 * has a place in the tree without a stream.
 */
#include "session/h2_dependencies.h"

#include <stdlib.h>

/* Groups of a client; with one more the oldest goes. Firefox had six. */
#define GROUPS_MAX 32

typedef struct group {
    h2_node node;
    int id; /* 0: free */
    h2_dependency dependency;
} group;

struct h2_groups {
    group all[GROUPS_MAX];
    int next; /* to be used */
};

static group *find_group(const h2_session *session, int id)
{
    int i;

    for (i = 0; session->groups && i < GROUPS_MAX; ++i) {
        if (session->groups->all[i].id == id) {
            return &session->groups->all[i];
        }
    }
    return NULL;
}

static void drop_group(group *old)
{
    if (old->id) {
        h2_scheduler_leave_node(&old->node);
        old->id = 0;
    }
}

/* NULL: without memory. */
static group *make_group(h2_session *session, int id)
{
    struct h2_groups *groups = session->groups;
    group *made;

    if (!groups) {
        groups = session->groups = calloc(1, sizeof(*groups));
        if (!groups) {
            return NULL;
        }
    }
    made = &groups->all[groups->next];
    groups->next = (groups->next + 1) % GROUPS_MAX;
    drop_group(made);
    made->id = id;
    h2_scheduler_join_node(&session->scheduler, &made->node, id);
    return made;
}

static h2_stream *open_stream(const h2_session *session, int id)
{
    h2_stream *stream = nghttp2_session_get_stream_user_data(session->ngh2, id);

    return (stream && !stream->is_closed) ? stream : NULL;
}

/* NULL: it has none. */
static h2_node *place_of(const h2_session *session, int id)
{
    h2_stream *stream = open_stream(session, id);
    group *found;

    if (stream) {
        return &stream->node;
    }
    found = find_group(session, id);
    return found ? &found->node : NULL;
}

/* All that are below parent, but for the node itself, to below the node. */
static void take_children(h2_session *session, h2_node *node, h2_node *parent)
{
    h2_node *child = APR_RING_FIRST(&parent->children);

    while (child != APR_RING_SENTINEL(&parent->children, h2_node, link)) {
        h2_node *next = APR_RING_NEXT(child, link);

        if (child != node && !child->is_sequence) {
            h2_scheduler_move(&session->scheduler, child, node, child->weight);
        }
        child = next;
    }
}

/* To its place, RFC 7540, 5.3.1 and 5.3.3. */
static void depend(h2_session *session, h2_node *node, const h2_dependency *dependency)
{
    h2_node *parent = dependency->parent_id ? place_of(session, dependency->parent_id)
                                            : &session->scheduler.usual.root;
    int weight = dependency->weight;

    if (parent == node) {
        return; /* an error, as nghttp2 or h2_receive.c says */
    }
    if (!parent) { /* of a stream that is gone, or of no use yet, nothing is known */
        h2_scheduler_move(&session->scheduler, node, NULL, H2_WEIGHT_DEFAULT);
        return;
    }
    if (h2_scheduler_is_below(parent, node)) {
        h2_scheduler_move(&session->scheduler, parent, node->parent, parent->weight);
    }
    h2_scheduler_move(&session->scheduler, node, parent, weight);
    if (dependency->is_exclusive) {
        take_children(session, node, parent);
    }
}

void h2_session_depend(h2_session *session, h2_stream *stream, const h2_dependency *dependency)
{
    group *own;

    own = find_group(session, stream->id);
    if (own) {
        stream->dependency = own->dependency;
        h2_scheduler_move(&session->scheduler, &stream->node, own->node.parent,
                          own->node.weight);
        take_children(session, &stream->node, &own->node);
        drop_group(own);
    }
    if (dependency) {
        stream->dependency = *dependency;
    }
    if (dependency && !session->client.has_priorities) {
        depend(session, &stream->node, dependency);
    }
}

/* May it still be opened by the client? */
static int is_idle(const h2_session *session, int id)
{
    return id % 2 && id > session->client.highest_id;
}

void h2_session_note_dependency(h2_session *session, int id, const h2_dependency *dependency)
{
    h2_stream *stream = open_stream(session, id);
    const h2_response *response = stream ? stream->exchange.out_response : NULL;
    group *of;

    if (!id) {
        return; /* of the connection, an error: 0 is a group that is free */
    }
    if (stream) {
        stream->dependency = *dependency;
        stream->is_updated = 1;
    }
    if (session->client.has_priorities || (response && response->has_priority)) {
        return; /* what these say counts more */
    }
    if (stream) {
        depend(session, &stream->node, dependency);
        return;
    }
    of = find_group(session, id);
    if (!of && is_idle(session, id)) {
        of = make_group(session, id);
    }
    if (of) {
        of->dependency = *dependency;
        depend(session, &of->node, dependency);
    }
}

void h2_session_drop_groups(h2_session *session)
{
    int i;

    for (i = 0; session->groups && i < GROUPS_MAX; ++i) {
        drop_group(&session->groups->all[i]);
    }
    free(session->groups);
    session->groups = NULL;
}

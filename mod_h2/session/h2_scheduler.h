/*
 * Who sends next. The streams are a tree: a stream sends before those below it, and
 * streams side by side share by their weights what is left for them, byte for byte
 * (RFC 7540, 5.3). Whoever has nothing to send, or may not, costs the others nothing.
 *
 * There is a tree for each urgency of RFC 9218, and the less urgent ones have what the more
 * urgent ones leave. In each of them a node without a stream, beside the streams that share,
 * has those below it that send one after another, as they were asked for.
 *
 * The tree is ours and not nghttp2's, as later versions of that have none. The shares
 * come from start-time fair queueing: each stream has the time at which its next turn
 * is due, and a turn moves it on by bytes / weight; the earliest one is next. A stream
 * that comes anew begins at the time of the others, so that it cannot catch up on what
 * it did not want before. That time goes on by bytes / weight of all who want to send, so
 * that however many come anew, the others have their share.
 *
 * Part of the session; holder of the loop only.
 */
#ifndef H2_SCHEDULER_H
#define H2_SCHEDULER_H

#include "message/h2_priority.h"
#include "stream/h2_stream.h"

/* The streams of one urgency. */
typedef struct h2_urgency {
    h2_node root;
    h2_node sequence; /* a child of root */
} h2_urgency;

typedef struct h2_scheduler {
    h2_urgency usual;                           /* of most streams */
    h2_urgency *urgencies[H2_URGENCY_MAX + 1];  /* malloc'ed but for usual; NULL: not yet used */
    int most_urgent;                            /* the first one that is used */
    int count;                                  /* streams that have something to send */
} h2_scheduler;

void h2_scheduler_init(h2_scheduler *scheduler);

/* Frees what it has taken; no stream may be in it any more. */
void h2_scheduler_destroy(h2_scheduler *scheduler);

/* A new stream: below parent; NULL: beside all that share and have the default urgency.
 * weight: 1 to 256. */
void h2_scheduler_join(h2_scheduler *scheduler, h2_stream *stream, h2_stream *parent, int weight);

/* A stream that has joined, with all below it, to where its priority has it, RFC 9218, 10:
 * incremental ones share, the others send one after another in the order of their ids, and all
 * these together have the share of one. Without memory it stays where it is. */
void h2_scheduler_set_priority(h2_scheduler *scheduler, h2_stream *stream,
                               const h2_priority *priority);

/* A place without a stream: has those below it that depend on the stream of this id, which is
 * not open. It begins beside all that share and have the default urgency, with the default
 * weight. */
void h2_scheduler_join_node(h2_scheduler *scheduler, h2_node *node, int id);

/* A node that has joined, with all below it, to below parent, which is not below the node itself;
 * NULL: as h2_scheduler_join(). weight: 1 to 256. */
void h2_scheduler_move(h2_scheduler *scheduler, h2_node *node, h2_node *parent, int weight);

/* Is the node below the other one, directly or not? */
int h2_scheduler_is_below(const h2_node *node, const h2_node *above);

/* A pushed stream that has joined, to another place. Above: between main and who is above main,
 * with main's weight. Beside and below: with weight; beside one of those that send one after
 * another it comes next after that. If main is below the stream, it stays where it is. */
void h2_scheduler_move_above(h2_stream *stream, h2_stream *main);
void h2_scheduler_move_beside(h2_stream *stream, h2_stream *main, int weight);
void h2_scheduler_move_below(h2_stream *stream, h2_stream *main, int weight);

/* The stream has ended. Who is below it takes its place and shares its weight. */
void h2_scheduler_leave(h2_scheduler *scheduler, h2_stream *stream);

/* The same for a place without a stream. */
void h2_scheduler_leave_node(h2_node *node);

/* The weight that the stream has. */
int h2_scheduler_weight(const h2_stream *stream);

/* The stream has something to send (does nothing if it is known already). */
void h2_scheduler_add(h2_scheduler *scheduler, h2_stream *stream);

/* The stream has nothing to send, or may not. */
void h2_scheduler_remove(h2_scheduler *scheduler, h2_stream *stream);

/* Whose turn it is; NULL: nobody's. */
h2_stream *h2_scheduler_next(const h2_scheduler *scheduler);

/* The stream, which h2_scheduler_remove() has not taken out, has had its turn and so many
 * bytes. 0: it could not send any, and time does not go on by that. */
void h2_scheduler_had_turn(h2_stream *stream, apr_size_t bytes);

/* Would it be this stream's turn again, whatever it sends? */
int h2_scheduler_is_alone(const h2_stream *stream);

/* The streams in the order in which their turns would come if each had one, those that have nothing
 * to send behind those beside them that do: at most max of them, into streams. Returns how many. */
int h2_scheduler_list(const h2_scheduler *scheduler, const h2_stream **streams, int max);

/* Streams that have something to send. */
int h2_scheduler_count(const h2_scheduler *scheduler);

#endif /* H2_SCHEDULER_H */

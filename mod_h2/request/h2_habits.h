/*
 * What is remembered of requests: those that were slow last time are not run by
 * the leader again. A small table, in which several requests may share a place: a wrong guess
 * costs a thread switch, or a few milliseconds once.
 *
 * One table for each loop; holder only.
 */
#ifndef H2_HABITS_H
#define H2_HABITS_H

#include "base/h2_base.h"
#include "message/h2_head.h"
#include "stream/h2_stream.h"

/* Child start. */
void h2_habits_init(apr_pool_t *pool, int loop_count);

/* Where a request of this head is remembered: by authority, method and path
 * without its query. Any thread. */
apr_uint32_t h2_habits_place(const h2_head *head);

/* Holder: the same for the stream's request, worked out once. */
apr_uint32_t h2_habits_of(h2_stream *stream);

/* Was it slow, or is one of its like running that a leader has begun? */
int h2_habits_is_slow(int loop_index, apr_uint32_t place);

/* The leader begins one: until it says otherwise, this counts as slow, which only
 * another leader can see. */
void h2_habits_begin(int loop_index, apr_uint32_t place);

/* It has run, and was quick or not. */
void h2_habits_end(int loop_index, apr_uint32_t place, int was_quick);

#endif /* H2_HABITS_H */

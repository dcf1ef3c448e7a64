/*
 * What holds for a session, a stream and the order of sending whenever nobody works on them.
 */
#ifndef CHECK_H
#define CHECK_H

#include "session/h2_session.h"

/* Has the thread been woken that waits on this? */
typedef int check_is_woken(const apr_thread_cond_t *cond);

/* NULL: it is gone, and all is well. */
void check_session(const h2_session *session, check_is_woken *is_woken);

/* The tree below root: parents and children agree, who is eager has a reason, the eager ones stand
 * in their order, and weights sum up. Returns the streams in it that send. */
int check_tree(const h2_node *root);

/* All trees. */
void check_scheduler(const h2_scheduler *scheduler);

#endif /* CHECK_H */

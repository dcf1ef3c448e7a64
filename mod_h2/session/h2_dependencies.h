/*
 * The order of sending as clients ask for it by RFC 7540: weights, and streams that depend on
 * others.
 *
 * Holder of the loop only.
 */
#ifndef H2_DEPENDENCIES_H
#define H2_DEPENDENCIES_H

#include "session/h2_session.h"

/* A new stream of the client: its place as its HEADERS name it (NULL: they do not), or as a
 * PRIORITY frame has named it before, RFC 7540, 5.3. */
void h2_session_depend(h2_session *session, h2_stream *stream, const h2_dependency *dependency);

/* A PRIORITY frame for this id, which may be one that is not opened yet, or never. */
void h2_session_note_dependency(h2_session *session, int id, const h2_dependency *dependency);

/* Frees the places of ids without a stream; who is below them stays in the tree. */
void h2_session_drop_groups(h2_session *session);

#endif /* H2_DEPENDENCIES_H */

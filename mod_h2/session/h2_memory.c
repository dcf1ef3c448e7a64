/*
 * nghttp2's memory: from the loop's blocks. What nghttp2 could not do without it, it does not say
 * in each case, and a frame that is not queued would let the client wait for ever: so the
 * connection ends.
 */
#include "session/h2_memory.h"

#include <string.h>

#include "session/h2_ending.h"

static void *note_memory(h2_session *session, void *memory)
{
    if (!memory) {
        session->is_out_of_memory = 1;
    }
    return memory;
}

static void *ngh2_malloc(size_t size, void *user_data)
{
    return note_memory(user_data, h2_blocks_alloc(h2_session_blocks(user_data), size));
}

static void ngh2_free(void *memory, void *user_data)
{
    h2_blocks_free(h2_session_blocks(user_data), memory);
}

static void *ngh2_calloc(size_t count, size_t size, void *user_data)
{
    void *memory = ngh2_malloc(count * size, user_data);

    return memory ? memset(memory, 0, count * size) : NULL;
}

static void *ngh2_realloc(void *memory, size_t size, void *user_data)
{
    return note_memory(user_data,
                       h2_blocks_realloc(h2_session_blocks(user_data), memory, size));
}

nghttp2_mem h2_session_memory(h2_session *session)
{
    nghttp2_mem memory = {session, ngh2_malloc, ngh2_free, ngh2_calloc, ngh2_realloc};

    return memory;
}

void h2_session_end_without_memory(h2_session *session)
{
    if (session->state != H2_SESSION_CLOSING) {
        h2_session_terminate(session, NGHTTP2_INTERNAL_ERROR, "out of memory");
        h2_loop_ready(session->loop, &session->task); /* to send that, or to close */
    }
}

#include "session/h2_scheduler.h"

void h2_scheduler_init(h2_scheduler *scheduler)
{
    APR_RING_INIT(&scheduler->sending, h2_stream, send_link);
    scheduler->count = 0;
}

void h2_scheduler_add(h2_scheduler *scheduler, h2_stream *stream)
{
    if (!stream->is_sending) {
        stream->is_sending = 1;
        ++scheduler->count;
        APR_RING_INSERT_TAIL(&scheduler->sending, stream, h2_stream, send_link);
    }
}

void h2_scheduler_remove(h2_scheduler *scheduler, h2_stream *stream)
{
    if (stream->is_sending) {
        stream->is_sending = 0;
        --scheduler->count;
        APR_RING_REMOVE(stream, send_link);
    }
}

h2_stream *h2_scheduler_next(h2_scheduler *scheduler)
{
    return APR_RING_EMPTY(&scheduler->sending, h2_stream, send_link)
               ? NULL
               : APR_RING_FIRST(&scheduler->sending);
}

void h2_scheduler_had_turn(h2_scheduler *scheduler, h2_stream *stream)
{
    APR_RING_REMOVE(stream, send_link);
    APR_RING_INSERT_TAIL(&scheduler->sending, stream, h2_stream, send_link);
}

int h2_scheduler_count(const h2_scheduler *scheduler)
{
    return scheduler->count;
}

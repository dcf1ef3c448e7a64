#include "stream/h2_stream.h"

#include <stdlib.h>

h2_stream *h2_stream_create(struct h2_session *session, int id, h2_blocks *blocks)
{
    h2_stream *stream = h2_blocks_alloc(blocks, sizeof(*stream));

    if (stream) {
        memset(stream, 0, sizeof(*stream));
        stream->session = session;
        stream->id = id;
        stream->state = H2_STREAM_HEAD;
        h2_priority_init(&stream->priority);
        h2_dependency_init(&stream->dependency);
        h2_exchange_init(&stream->exchange);
    }
    return stream;
}

void h2_stream_destroy(h2_stream *stream, h2_blocks *blocks)
{
    H2_ASSERT(!stream->is_waiting && !stream->is_sending && !stream->exchange.is_running);
    h2_exchange_clear(&stream->exchange);
    h2_head_destroy(stream->head, blocks);
    h2_head_destroy(stream->trailers, blocks);
    h2_blocks_free(blocks, stream);
}

int h2_stream_state_after(h2_stream_state state, h2_stream_event event)
{
    switch (event) {
    case H2_STREAM_EV_HEAD_COMPLETE:
        return (state == H2_STREAM_HEAD) ? H2_STREAM_WAITING : -1;
    case H2_STREAM_EV_STARTED:
        return (state == H2_STREAM_WAITING) ? H2_STREAM_RUNNING : -1;
    case H2_STREAM_EV_FINISHED:
        return (state == H2_STREAM_RUNNING) ? H2_STREAM_FINISHED : -1;
    case H2_STREAM_EV_CLOSED:
        switch (state) {
        case H2_STREAM_HEAD:
        case H2_STREAM_WAITING:
            return H2_STREAM_DROPPED;
        case H2_STREAM_RUNNING:
        case H2_STREAM_FINISHED:
        case H2_STREAM_DROPPED:
            return (int)state;
        }
    }
    return -1;
}

void h2_stream_advance(h2_stream *stream, h2_stream_event event)
{
    int state = h2_stream_state_after(stream->state, event);

    H2_ASSERT(state >= 0);
    stream->state = (h2_stream_state)state;
}

int h2_stream_has_data(const h2_stream *stream)
{
    return !h2_chunks_is_empty(&stream->exchange.out);
}

int h2_stream_has_output(const h2_stream *stream)
{
    const h2_exchange *exchange = &stream->exchange;

    if (stream->is_closed || stream->is_end_sent) {
        return 0;
    }
    return exchange->out_interim || (exchange->out_response && !stream->is_head_submitted)
           || h2_stream_has_data(stream) || exchange->out_is_ended || exchange->out_is_failed;
}

void h2_stream_end_shut(h2_stream *stream, apr_time_t now)
{
    if (stream->trace.shut) {
        stream->trace.shut_usec += now - stream->trace.shut;
        stream->trace.shut = 0;
    }
}

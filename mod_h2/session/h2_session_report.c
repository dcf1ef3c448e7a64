#include "session/h2_session_report.h"

#include <string.h>

#include <scoreboard.h>

static void copy_text(char *to, const char *text)
{
    if (ap_extended_status && text) {
        apr_cpystrn(to, text, H2_REPORT_TEXT_BYTES);
    }
}

static int is_shut(const h2_stream *stream)
{
    return stream->trace.shut && !stream->is_sending;
}

static void describe(const h2_session *session, h2_session_report *report)
{
    apr_time_t now = session->loop->now;
    const h2_stream *stream;

    memset(report, 0, sizeof(*report));
    report->id = session->c->id;
    report->begun = session->times.begun_wall;
    report->idle = session->times.idle_since ? now - session->times.idle_since : 0;
    report->streams = (apr_uint64_t)session->client.stream_count;
    report->sent_bytes = session->io.sent_bytes;
    report->pending_bytes = session->io.pending_end - session->io.pending_start;
    report->origin = (int)session->origin;
    report->state = (int)session->state;
    report->open = session->count.open;
    report->running = session->count.running;
    report->pushed = session->count.pushed;
    report->tunnels = session->count.tunnels;
    report->is_blocked = h2_io_is_blocked(&session->io);
    APR_RING_FOREACH(stream, &session->waiting, h2_stream, wait_link) {
        ++report->waiting;
    }
    copy_text(report->client, session->c->client_ip);
    copy_text(report->server, session->c->base_server->server_hostname);
}

void h2_session_report_add(const h2_session *session, h2_loop_report *report)
{
    const h2_stream *stream;

    ++report->session_count;
    if (report->listed_count < H2_REPORT_SESSIONS_MAX) {
        describe(session, &report->sessions[report->listed_count++]);
    }
    report->memory[H2_MEMORY_SOCKETS] += session->io.pending_end - session->io.pending_start;
    report->memory[H2_MEMORY_HPACK] +=
        nghttp2_session_get_hd_inflate_dynamic_table_size(session->ngh2)
        + nghttp2_session_get_hd_deflate_dynamic_table_size(session->ngh2);
    APR_RING_FOREACH(stream, &session->streams, h2_stream, link) {
        report->memory[H2_MEMORY_BODIES] += stream->exchange.in.memory_bytes;
        report->memory[H2_MEMORY_RESPONSES] += stream->exchange.out.memory_bytes;
        if (!stream->is_closed) {
            ++report->stream_states[stream->state];
            report->stream_states[H2_REPORT_STATE_SHUT] += is_shut(stream);
        }
    }
}

static void describe_stream(const h2_session *session, const h2_stream *stream,
                            h2_stream_report *report)
{
    apr_time_t now = session->loop->now;
    const h2_stream_trace *trace = &stream->trace;

    memset(report, 0, sizeof(*report));
    report->id = stream->id;
    report->state = (int)stream->state;
    report->is_closed = stream->is_closed;
    report->is_sending = stream->is_sending;
    report->is_shut = is_shut(stream);
    report->pushed_on = stream->pushed_on;
    report->parent_id = stream->dependency.parent_id;
    report->weight = h2_scheduler_weight(stream);
    report->urgency = session->client.has_priorities ? stream->priority.urgency : -1;
    report->is_incremental = stream->priority.is_incremental;
    report->status = stream->exchange.out_response ? stream->exchange.out_response->status : 0;
    report->window = nghttp2_session_get_stream_remote_window_size(session->ngh2, stream->id);
    report->received_bytes = (apr_uint64_t)stream->in_bytes;
    report->sent_bytes = stream->out_bytes;
    report->waiting_bytes = (apr_uint64_t)stream->exchange.out.total_bytes;
    report->age = trace->queued ? now - trace->queued : 0;
    report->shut = trace->shut_usec + (trace->shut ? now - trace->shut : 0);
    if (stream->exchange.head && ap_extended_status) {
        apr_snprintf(report->request, sizeof(report->request), "%s %s",
                     h2_head_method(stream->exchange.head),
                     h2_head_path(stream->exchange.head) ? h2_head_path(stream->exchange.head)
                                                         : "");
    }
}

static void describe_settings(const h2_session *session, h2_connection_report *report)
{
    const int last = NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES;
    int i;

    for (i = 1; i <= last; ++i) {
        if (i == 7) {
            continue; /* there is none of that number */
        }
        report->our_settings[i] = nghttp2_session_get_local_settings(session->ngh2, i);
        report->their_settings[i] = nghttp2_session_get_remote_settings(session->ngh2, i);
    }
    /* Neither 0 nor 1: it was not said. */
    report->our_settings[last] = (report->our_settings[last] == 1);
    report->their_settings[last] = (report->their_settings[last] == 1);
    /* nghttp2 does not know of this one, see h2_transmit.c. */
    report->our_settings[NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS] =
        (apr_uint32_t)session->conf->max_session_streams;
}

void h2_session_report_whole(const h2_session *session, h2_connection_report *report)
{
    const h2_stream *streams[H2_REPORT_STREAMS_MAX];
    int i;

    memset(report, 0, sizeof(*report));
    report->made = apr_time_now();
    describe(session, &report->session);
    describe_settings(session, report);
    report->is_acknowledged = session->client.is_settings_acked;
    report->our_window = nghttp2_session_get_local_window_size(session->ngh2);
    report->their_window = nghttp2_session_get_remote_window_size(session->ngh2);
    report->queued_frames = nghttp2_session_get_outbound_queue_size(session->ngh2);
    report->pushes_remembered = (apr_uint64_t)session->push.diary.count;
    report->stream_count = session->count.open;
    report->listed_count = h2_scheduler_list(&session->scheduler, streams, H2_REPORT_STREAMS_MAX);
    for (i = 0; i < report->listed_count; ++i) {
        describe_stream(session, streams[i], &report->streams[i]);
    }
}

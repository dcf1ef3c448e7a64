#include "session/h2_session.h"

#include <stdlib.h>

#include "base/h2_clock.h"
#include "base/h2_probe.h"
#include "session/h2_dependencies.h"
#include "session/h2_frames.h"
#include "session/h2_memory.h"
#include "session/h2_priorities.h"
#include "session/h2_push.h"
#include "session/h2_streams.h"
#include "session/h2_transmit.h"
#include "session/h2_windows.h"

/* What all streams of a connection together may have unread, at most: the
 * window of the connection, RFC 9113, 6.9. */
#define H2_CONNECTION_WINDOW_MAX ((apr_int64_t)0x7fffffff)

/* nghttp2 has limits of its own, for the same purpose as ours: they lie so far beyond these that
 * they only stand in for a mistake of ours. */
#define H2_NGHTTP2_LIMIT 1000000

/* The callbacks of sessions: those that pad frames have one more, which costs something for every
 * frame. */
#define H2_CALLBACKS_COUNT 2
static nghttp2_session_callbacks *callback_sets[H2_CALLBACKS_COUNT];

static apr_status_t delete_callbacks(void *data)
{
    int i;

    (void)data;
    for (i = 0; i < H2_CALLBACKS_COUNT; ++i) {
        nghttp2_session_callbacks_del(callback_sets[i]);
        callback_sets[i] = NULL;
    }
    return APR_SUCCESS;
}

static nghttp2_session_callbacks *make_callbacks(int is_padding)
{
    nghttp2_session_callbacks *callbacks;

    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        return NULL;
    }
    h2_frames_callbacks(callbacks);
    h2_transmit_callbacks(callbacks);
    h2_priorities_callbacks(callbacks);
    if (is_padding) {
        h2_transmit_padding_callback(callbacks);
    }
    return callbacks;
}

apr_status_t h2_session_module_init(apr_pool_t *pool)
{
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < H2_CALLBACKS_COUNT; ++i) {
        callback_sets[i] = make_callbacks(i);
        rv = callback_sets[i] ? rv : APR_ENOMEM;
    }
    apr_pool_cleanup_register(pool, NULL, delete_callbacks, apr_pool_cleanup_null);
    return rv;
}

const char *h2_session_library_version(void)
{
    return nghttp2_version(0)->version_str;
}

const char *h2_session_error_name(apr_uint32_t error)
{
    return nghttp2_http2_strerror(error);
}

h2_blocks *h2_session_blocks(const h2_session *session)
{
    return session->blocks;
}

static nghttp2_session_callbacks *callbacks_for(const h2_server_conf *conf)
{
    return callback_sets[conf->padding_bits > 0];
}

static void lift_limits(nghttp2_option *option)
{
    nghttp2_option_set_max_outbound_ack(option, H2_NGHTTP2_LIMIT);
#if H2_HAS_MAX_CONTINUATIONS
    nghttp2_option_set_max_continuations(option, H2_NGHTTP2_LIMIT);
#endif
#if H2_HAS_RESET_RATE_LIMIT
    nghttp2_option_set_stream_reset_rate_limit(option, H2_NGHTTP2_LIMIT, H2_NGHTTP2_LIMIT);
#endif
#if H2_HAS_GLITCH_RATE_LIMIT
    nghttp2_option_set_glitch_rate_limit(option, H2_NGHTTP2_LIMIT, H2_NGHTTP2_LIMIT);
#endif
}

static apr_status_t create_nghttp2(h2_session *session)
{
    nghttp2_mem memory = h2_session_memory(session);

    if (nghttp2_option_new(&session->options) != 0) {
        return APR_ENOMEM;
    }
    nghttp2_option_set_no_auto_window_update(session->options, 1);
    nghttp2_option_set_no_closed_streams(session->options, 1);
    nghttp2_option_set_user_recv_extension_type(session->options, H2_FRAME_PRIORITY_UPDATE);
    /* Blanks around a value are stripped by us, as httpd does it. */
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(session->options, 1);
    lift_limits(session->options);
    if (session->conf->max_header_block_bytes) {
        nghttp2_option_set_max_send_header_block_length(
            session->options, (size_t)session->conf->max_header_block_bytes);
    }
    if (nghttp2_session_server_new3(&session->ngh2, callbacks_for(session->conf), session,
                                    session->options, &memory)
        != 0) {
        return APR_ENOMEM;
    }
    return APR_SUCCESS;
}

void h2_session_joined(h2_session *session, h2_session_origin origin)
{
    h2_stats *stats = session->loop->stats;

    h2_loop_assert_held(session->loop);
    session->blocks = &session->loop->blocks;
    session->origin = origin;
    H2_PROBE_SESSION_BEGIN(session->c->id, (int)origin);
    h2_stats_count(stats, H2_COUNT_SESSIONS_ALPN + origin);
    h2_stats_gauge(stats, H2_GAUGE_SESSIONS, 1);
    h2_session_gauge_parked(session, 1);
    if (!session->count.open) {
        h2_stats_gauge(stats, H2_GAUGE_SESSIONS_IDLE, 1);
        return;
    }
    /* The request of its Upgrade. */
    h2_stats_count(stats, H2_COUNT_STREAMS);
    h2_stats_gauge(stats, H2_GAUGE_STREAMS, 1);
    h2_stats_gauge(stats, H2_GAUGE_WAITING, 1);
}

static apr_status_t destroy_with_pool(void *data)
{
    h2_session_destroy(data);
    return APR_SUCCESS;
}

apr_status_t h2_session_create(h2_session **psession, conn_rec *c, server_rec *server,
                               h2_loop *loop, int running_max)
{
    h2_session *session = apr_pcalloc(c->pool, sizeof(*session));
    apr_status_t rv;

    session->c = c;
    session->conf = h2_config_server(server);
    session->loop = loop;
    session->header_list_bytes = session->conf->header_list_bytes;
    session->timeout = server->timeout;
    session->idle_timeout = server->keep_alive_timeout_set
                                ? server->keep_alive_timeout
                                : c->base_server->keep_alive_timeout;
    session->running_max = running_max;
    APR_RING_INIT(&session->streams, h2_stream, link);
    APR_RING_INIT(&session->waiting, h2_stream, wait_link);
    h2_scheduler_init(&session->scheduler);
    h2_frame_scan_init(&session->in.scan);
    h2_flood_init(&session->gate.flood, session->conf);
    h2_push_diary_init(&session->push.diary, session->conf->push_diary_size);
    session->client.window = NGHTTP2_INITIAL_WINDOW_SIZE;
    session->times.begun = h2_clock_now();
    session->times.begun_wall = apr_time_now();
    session->times.last_progress = session->times.begun;
    session->times.idle_since = session->times.begun;
    apr_pool_pre_cleanup_register(c->pool, session, destroy_with_pool);
    rv = create_nghttp2(session);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    h2_io_init(&session->io, c, session->conf->tls_warm_up_bytes, session->conf->tls_cool_down);
    *psession = session;
    return APR_SUCCESS;
}

void h2_session_destroy(h2_session *session)
{
    H2_ASSERT(!session->count.running && !session->count.ending);
    apr_pool_cleanup_kill(session->c->pool, session, destroy_with_pool);
    if (session->blocks) {
        H2_PROBE_SESSION_END(session->c->id, session->client.stream_count,
                             session->loop->now - session->times.begun);
        h2_stats_count(session->loop->stats, H2_COUNT_SESSIONS_ENDED);
        h2_stats_gauge(session->loop->stats, H2_GAUGE_SESSIONS, -1);
        h2_session_gauge_parked(session, -1);
        h2_stats_gauge(session->loop->stats, H2_GAUGE_SESSIONS_IDLE, -1);
    }
    nghttp2_session_del(session->ngh2);
    nghttp2_option_del(session->options);
    session->ngh2 = NULL;
    session->options = NULL;
    while (!APR_RING_EMPTY(&session->streams, h2_stream, link)) {
        h2_stream *stream = APR_RING_FIRST(&session->streams); /* has never been in a loop */

        APR_RING_REMOVE(stream, link);
        h2_session_drop_stream(session, stream);
    }
    h2_session_drop_groups(session);
    h2_scheduler_destroy(&session->scheduler);
    h2_priorities_clear(session);
    h2_push_diary_clear(&session->push.diary);
    free(session->gate.reset_ids);
    free(session->gate.skipped_ids);
    h2_io_destroy(&session->io);
}

apr_status_t h2_session_start(h2_session *session)
{
    const h2_server_conf *conf = session->conf;
    apr_int64_t window = (apr_int64_t)conf->window_bytes * conf->max_session_streams;
    /* nghttp2 is not told of MAX_CONCURRENT_STREAMS, see h2_transmit.c. */
    nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)conf->window_bytes},
        {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, (uint32_t)conf->max_frame_bytes},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)conf->header_list_bytes},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1}, /* the last one: it may be left out */
    };
    size_t count = sizeof(settings) / sizeof(settings[0]);

    /* prefork: nobody would read from the client while a tunnel polls. */
    if (!conf->websockets || session->loop->is_single) {
        --count;
    }
    if (nghttp2_submit_settings(session->ngh2, NGHTTP2_FLAG_NONE, settings, count) != 0) {
        return APR_ENOMEM;
    }
    /* No stream, wide as it may become, may starve the others of the connection's
     * window. */
    if (!conf->is_window_set) {
        window += (apr_int64_t)H2_WIDENED_MAX;
    }
    if (window > H2_CONNECTION_WINDOW_MAX) {
        window = H2_CONNECTION_WINDOW_MAX;
    }
    if (window > NGHTTP2_INITIAL_CONNECTION_WINDOW_SIZE
        && nghttp2_session_set_local_window_size(session->ngh2, NGHTTP2_FLAG_NONE, 0,
                                                 (int32_t)window) != 0) {
        return APR_ENOMEM;
    }
    return APR_SUCCESS;
}

apr_status_t h2_session_upgrade(h2_session *session, const unsigned char *settings,
                                apr_size_t length, h2_head *head, int is_head_request)
{
    h2_stream *stream = h2_stream_create(session, 1, h2_session_blocks(session));

    if (!stream) {
        h2_head_destroy(head, h2_session_blocks(session));
        return APR_ENOMEM;
    }
    stream->head = head;
    if (nghttp2_session_upgrade2(session->ngh2, settings, length, is_head_request, NULL)
        != 0) {
        h2_stream_destroy(stream, h2_session_blocks(session));
        return APR_EINVAL;
    }
    nghttp2_session_set_stream_user_data(session->ngh2, 1, stream);
    ++session->client.stream_count;
    h2_session_enter_stream(session, stream, NULL, H2_WEIGHT_DEFAULT);
    session->client.highest_id = stream->id;
    session->in.scan.opened_id = stream->id;
    stream->is_end_seen = 1;
    h2_session_note_settings(session);
    h2_session_prioritize(session, stream);
    session->client.last_id = 1;
    session->client.has_request = 1;
    stream->exchange.head = head;
    stream->exchange.in_is_ended = 1;
    h2_session_note_digest(session, stream);
    h2_session_enter_waiting(session, stream, h2_clock_now(), apr_time_now());
    return APR_SUCCESS;
}

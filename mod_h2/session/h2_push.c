/*
 * Server push, RFC 9113, 8.4: promises to the client, their streams, and where these
 * stand in the order of sending.
 */
#include "session/h2_push.h"

#include <stdlib.h>

#include <apr_hash.h>

#include "base/h2_log.h"
#include "message/h2_cache_digest.h"
#include "session/h2_streams.h"

/* A longer Cache-Digest is ignored: one of 2000 resources has as many bytes. */
#define H2_DIGEST_BYTES_MAX 4096

/* Pseudo-fields of a promised request. */
#define PSEUDO_COUNT 4

static int is_promise_allowed(const h2_session *session)
{
    return session->state == H2_SESSION_OPEN && !session->client.has_goaway && !session->in.is_eof
           && nghttp2_session_get_remote_settings(session->ngh2, NGHTTP2_SETTINGS_ENABLE_PUSH);
}

int h2_session_may_push(const h2_session *session)
{
    return is_promise_allowed(session)
           && nghttp2_session_get_remote_settings(session->ngh2,
                                                  NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
}

/* Streams that we may have open on our own, by the client's limit and by ours. */
static int has_room(const h2_session *session)
{
    uint32_t limit = nghttp2_session_get_remote_settings(session->ngh2,
                                                         NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

    return (uint32_t)session->count.pushed < limit
           && session->count.pushed < session->conf->max_session_streams;
}

/* What a client says to have goes to the diary, which a "reset" empties first. */
typedef struct digest_reader {
    h2_push_diary *diary;
    int is_reset;
} digest_reader;

static void reset_if_said(digest_reader *reader)
{
    if (reader->is_reset) {
        reader->is_reset = 0;
        h2_push_diary_clear(reader->diary);
    }
}

static void add_known(void *baton, apr_uint64_t value, int bits)
{
    digest_reader *reader = baton;

    reset_if_said(reader);
    h2_push_diary_add(reader->diary, value, bits);
}

/* Clients repeat it with each request, which costs them nothing but us its decoding. */
static int is_new_digest(h2_session *session, const char *text)
{
    apr_ssize_t length = APR_HASH_KEY_STRING;
    unsigned hash = apr_hashfunc_default(text, &length);

    if (length > H2_DIGEST_BYTES_MAX
        || (hash == session->push.digest_hash && length == session->push.digest_length)) {
        return 0;
    }
    session->push.digest_hash = hash;
    session->push.digest_length = length;
    return 1;
}

void h2_session_note_digest(h2_session *session, const h2_stream *stream)
{
    digest_reader reader = {&session->push.diary, 0};
    const char *text;

    if (!session->push.diary.size || !is_promise_allowed(session)) {
        return;
    }
    text = h2_head_get(stream->head, "cache-digest");
    if (text && is_new_digest(session, text)) {
        h2_cache_digest_read(text, session->push.diary.size, &reader.is_reset, add_known, &reader);
        reset_if_said(&reader);
    }
}

static nghttp2_nv make_nv(const char *name, const char *value)
{
    nghttp2_nv nv = {(uint8_t *)name, (uint8_t *)value, strlen(name), strlen(value),
                     NGHTTP2_NV_FLAG_NONE};

    return nv;
}

/* The list that nghttp2 copies; NULL without memory. */
static nghttp2_nv *make_list(const h2_head *head, apr_size_t *pcount)
{
    int i, count = h2_head_count(head);
    nghttp2_nv *list = malloc((PSEUDO_COUNT + (apr_size_t)count) * sizeof(list[0]));

    if (!list) {
        return NULL;
    }
    list[0] = make_nv(":method", h2_head_method(head));
    list[1] = make_nv(":scheme", h2_head_scheme(head));
    list[2] = make_nv(":authority", h2_head_authority(head));
    list[3] = make_nv(":path", h2_head_path(head));
    for (i = 0; i < count; ++i) {
        h2_field field = h2_head_field(head, i);

        list[PSEUDO_COUNT + i] = make_nv(field.name, field.value);
    }
    *pcount = PSEUDO_COUNT + (apr_size_t)count;
    return list;
}

/* Gives the promised stream, whose head is not yet set; NULL if it cannot be had. */
static h2_stream *submit(h2_session *session, const h2_stream *main, const h2_head *head)
{
    h2_stream *stream = h2_stream_create(session, 0, h2_session_blocks(session));
    apr_size_t count;
    nghttp2_nv *list = make_list(head, &count);

    if (stream && list) {
        stream->id = nghttp2_submit_push_promise(session->ngh2, NGHTTP2_FLAG_NONE, main->id, list,
                                                 count, stream);
    }
    free(list);
    if (stream && stream->id <= 0) {
        h2_stream_destroy(stream, h2_session_blocks(session));
        return NULL;
    }
    return stream;
}

/* As if the client had sent it. */
static void accept_request(h2_session *session, h2_stream *main, h2_stream *stream,
                           const h2_promise *promise)
{
    stream->pushed_on = main->id;
    stream->is_critical = promise->is_critical;
    stream->head = promise->head;
    stream->exchange.head = promise->head;
    stream->exchange.in_is_ended = 1;
    stream->is_end_seen = 1;
    ++session->count.pushed;
    h2_stats_count(session->loop->stats, H2_COUNT_PUSHES);
    session->push.highest_id = stream->id;
    h2_session_enter_stream(session, stream, main, H2_WEIGHT_DEFAULT);
    h2_session_enter_waiting(session, stream, session->loop->now,
                             h2_loop_wall_time(session->loop));
    h2_log(APLOG_DEBUG, 0, session->c, H2_ID_FMT "pushes %s %s on stream %d", session->c->id,
           main->id, h2_head_method(promise->head), h2_head_path(promise->head), stream->id);
}

/* Does the client have it? */
static int is_known(const h2_session *session, const h2_promise *promise)
{
    int is_there = h2_push_diary_knows(&session->push.diary, promise->url_hash);

    if (is_there) {
        h2_stats_count(session->loop->stats, H2_COUNT_PUSHES_SPARED);
    }
    return is_there;
}

void h2_session_push(h2_session *session, h2_stream *main, h2_promise *promises)
{
    h2_promise *promise;

    h2_loop_assert_held(session->loop);
    for (promise = promises; promise; promise = promise->next) {
        h2_stream *stream = NULL;

        if (is_promise_allowed(session) && has_room(session) && !main->is_closed
            && !main->is_end_sent && !is_known(session, promise)) {
            stream = submit(session, main, promise->head);
        }
        if (!stream) {
            h2_head_destroy(promise->head, h2_session_blocks(session));
            continue;
        }
        h2_push_diary_add(&session->push.diary, promise->url_hash, 64);
        accept_request(session, main, stream, promise);
        h2_loop_ready(session->loop, &session->task); /* whoever leads is to start it */
    }
}

void h2_session_place_pushed(h2_session *session, h2_stream *stream)
{
    h2_stream *main = nghttp2_session_get_stream_user_data(session->ngh2, stream->pushed_on);
    const char *type = h2_response_get(stream->exchange.out_response, "content-type");
    const h2_push_rule *rule = h2_push_rules_find(session->conf->push_rules, type);

    if (!main) {
        return; /* has ended: then there is nobody to stand beside */
    }
    if (stream->is_critical || rule->order == H2_PUSH_BEFORE) {
        h2_scheduler_move_above(stream, main);
    }
    else if (rule->order == H2_PUSH_INTERLEAVED) {
        h2_scheduler_move_beside(stream, main, h2_scheduler_weight(main) * rule->weight
                                                   / H2_PUSH_INTERLEAVED_WEIGHT);
    }
    else {
        h2_scheduler_move_below(stream, main, rule->weight);
    }
}

/*
 * RFC 9218: what client and application say of the priority of a response, and what becomes of
 * it in the order of sending.
 *
 * A client that says nothing of the kind is served as RFC 7540 has it. From the first sign of
 * RFC 9218 on, all streams of its session have a priority, and weights do not count any more.
 */
#include "session/h2_priorities.h"

#include <stdlib.h>

#include "base/h2_log.h"
#include "session/h2_dependencies.h"
#include "session/h2_ending.h"
#include "session/h2_push.h"

/* PRIORITY_UPDATE, RFC 9218, 7.1: the prioritized stream's id, then a priority field's value. */
#define UPDATE_ID_BYTES        4
#define UPDATE_VALUE_BYTES_MAX 256

/* All values of priority fields together. */
#define FIELD_BYTES_MAX 512

/* Requests whose PRIORITY_UPDATE came before them, that are remembered: of no more than the
 * client may have open, and of no more than these. */
#define EARLY_MAX 256

typedef struct early_update {
    int id; /* not above highest_id: free */
    h2_priority priority;
} early_update;

/* What a session needs whose client sends PRIORITY_UPDATE. */
struct h2_updates {
    unsigned char payload[UPDATE_ID_BYTES + UPDATE_VALUE_BYTES_MAX]; /* of the current one */
    apr_size_t length; /* of what there is room for */
    early_update *early;
    int early_size;
};

/* The values of all fields of a name, which are one dictionary. */
typedef struct field_text {
    char text[FIELD_BYTES_MAX];
    apr_size_t length;
    int is_too_long; /* boolean */
} field_text;

static void add_value(field_text *field, const char *value, apr_size_t length)
{
    if (field->length + length + 1 > sizeof(field->text)) {
        field->is_too_long = 1;
        return;
    }
    if (field->length) {
        field->text[field->length++] = ',';
    }
    memcpy(field->text + field->length, value, length);
    field->length += length;
}

static void parse_field(const field_text *field, h2_priority *priority)
{
    if (!field->is_too_long) {
        h2_priority_parse(priority, field->text, field->length);
    }
}

static void read_request(const h2_head *head, h2_priority *priority)
{
    field_text found = {.length = 0};
    int i;

    for (i = 0; i < h2_head_count(head); ++i) {
        h2_field field = h2_head_field(head, i);

        if (!strcmp(field.name, "priority")) {
            add_value(&found, field.value, strlen(field.value));
        }
    }
    parse_field(&found, priority);
}

static void read_response(const h2_response *response, h2_priority *priority)
{
    field_text found = {.length = 0};
    apr_size_t i;

    for (i = 0; i < response->nva_count; ++i) {
        const nghttp2_nv *nv = &response->nva[i];

        if (nv->namelen == 8 && !memcmp(nv->name, "priority", 8)) {
            add_value(&found, (const char *)nv->value, nv->valuelen);
        }
    }
    parse_field(&found, priority);
}

/* To its place, by what the client says and what the application says to that. Messages of a
 * tunnel are of use one by one, and it may last for ever: it shares. */
static void place(h2_session *session, h2_stream *stream)
{
    const h2_response *response = stream->exchange.out_response;
    h2_priority priority = stream->priority;

    if (response && response->has_priority) {
        read_response(response, &priority);
    }
    priority.is_incremental |= stream->is_tunnel;
    h2_scheduler_set_priority(&session->scheduler, stream, &priority);
}

static void speaks_of_priorities(h2_session *session)
{
    h2_stream *stream;

    if (session->client.has_priorities) {
        return;
    }
    session->client.has_priorities = 1;
    APR_RING_FOREACH(stream, &session->streams, h2_stream, link) {
        if (!stream->is_closed && !stream->pushed_on) {
            place(session, stream);
        }
    }
    h2_session_drop_groups(session);
}

/* Was there a PRIORITY_UPDATE before? It is newer than the field, RFC 9218, 7. */
static int take_early(h2_session *session, h2_stream *stream)
{
    int i;

    for (i = 0; session->updates && i < session->updates->early_size; ++i) {
        const early_update *early = &session->updates->early[i];

        if (early->id == stream->id) {
            stream->priority = early->priority;
            return 1;
        }
    }
    return 0;
}

void h2_session_prioritize(h2_session *session, h2_stream *stream)
{
    if (!take_early(session, stream) && h2_head_has_priority(stream->head)) {
        speaks_of_priorities(session);
        read_request(stream->head, &stream->priority);
    }
    if (session->client.has_priorities) {
        place(session, stream);
    }
}

void h2_session_place(h2_session *session, h2_stream *stream)
{
    if (stream->exchange.out_response->has_priority) {
        place(session, stream); /* what the application says counts more than anything else */
    }
    else if (stream->pushed_on && !stream->is_updated) {
        h2_session_place_pushed(session, stream);
    }
}

void h2_session_note_settings(h2_session *session)
{
    if (nghttp2_session_get_remote_settings(session->ngh2,
                                            NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES) == 1) {
        speaks_of_priorities(session);
    }
}

static struct h2_updates *make_updates(const h2_session *session)
{
    struct h2_updates *updates = calloc(1, sizeof(*updates));
    int size = session->conf->max_session_streams;

    if (updates) {
        updates->early_size = (size < EARLY_MAX) ? size : EARLY_MAX;
        updates->early = calloc((apr_size_t)updates->early_size, sizeof(updates->early[0]));
        if (!updates->early) {
            free(updates);
            return NULL;
        }
    }
    return updates;
}

static int on_extension_chunk_recv(nghttp2_session *ngh2, const nghttp2_frame_hd *hd,
                                   const uint8_t *data, size_t length, void *user_data)
{
    h2_session *session = user_data;
    struct h2_updates *updates = session->updates;
    apr_size_t room;

    (void)ngh2;
    (void)hd;
    if (!updates) {
        updates = session->updates = make_updates(session);
        if (!updates) {
            return NGHTTP2_ERR_CALLBACK_FAILURE;
        }
    }
    room = sizeof(updates->payload) - updates->length;
    if (length > room) {
        length = room; /* of what is too long the id is needed all the same */
    }
    memcpy(updates->payload + updates->length, data, length);
    updates->length += length;
    return 0;
}

/* h2_session_note_update() looks at it. */
static int on_unpack_extension(nghttp2_session *ngh2, void **payload, const nghttp2_frame_hd *hd,
                               void *user_data)
{
    (void)ngh2;
    (void)hd;
    (void)user_data;
    *payload = NULL;
    return 0;
}

void h2_priorities_callbacks(nghttp2_session_callbacks *callbacks)
{
    nghttp2_session_callbacks_set_on_extension_chunk_recv_callback(callbacks,
                                                                   on_extension_chunk_recv);
    nghttp2_session_callbacks_set_unpack_extension_callback(callbacks, on_unpack_extension);
}

/* Returns 0 if there are too many, RFC 9218, 7.1: with the open streams more than may be. */
static int keep_for_later(h2_session *session, int id, const h2_priority *priority)
{
    struct h2_updates *updates = session->updates;
    early_update *free_one = NULL;
    int i, count = session->count.open - session->count.pushed;

    for (i = 0; i < updates->early_size; ++i) {
        early_update *early = &updates->early[i];

        if (early->id == id) {
            early->priority = *priority;
            return 1;
        }
        if (early->id > session->client.highest_id) {
            ++count;
        }
        else {
            free_one = early;
        }
    }
    if (count >= session->conf->max_session_streams) {
        return 0;
    }
    if (free_one) {
        free_one->id = id;
        free_one->priority = *priority;
    }
    return 1;
}

/* A whole one, with what it names. */
static void apply_update(h2_session *session, int id, const h2_priority *priority)
{
    h2_stream *stream = nghttp2_session_get_stream_user_data(session->ngh2, id);

    if (stream && !stream->is_closed) {
        stream->priority = *priority;
        stream->is_updated = 1;
        place(session, stream);
    }
    else if (id % 2 && id > session->client.highest_id) {
        if (!keep_for_later(session, id, priority)) {
            h2_session_terminate(session, NGHTTP2_PROTOCOL_ERROR,
                                 "PRIORITY_UPDATE for more streams than may be open");
        }
    }
    else if (id % 2 == 0 && id > session->push.highest_id) {
        h2_session_terminate(session, NGHTTP2_PROTOCOL_ERROR,
                             "PRIORITY_UPDATE for a stream that was not promised");
    }
}

void h2_session_note_update(h2_session *session, const nghttp2_frame_hd *hd)
{
    struct h2_updates *updates = session->updates;
    apr_size_t length = hd->length;
    const unsigned char *payload;
    h2_priority priority;
    int id;

    if (updates) {
        updates->length = 0; /* for the next one */
    }
    if (hd->stream_id) {
        h2_session_terminate(session, NGHTTP2_PROTOCOL_ERROR, "PRIORITY_UPDATE on a stream");
        return;
    }
    if (!updates || length < UPDATE_ID_BYTES) {
        h2_session_terminate(session, NGHTTP2_FRAME_SIZE_ERROR, "PRIORITY_UPDATE is too short");
        return;
    }
    payload = updates->payload;
    id = (int)((apr_uint32_t)(payload[0] & 0x7f) << 24 | (apr_uint32_t)payload[1] << 16
               | (apr_uint32_t)payload[2] << 8 | payload[3]);
    if (!id) {
        h2_session_terminate(session, NGHTTP2_PROTOCOL_ERROR,
                             "PRIORITY_UPDATE for the connection");
        return;
    }
    speaks_of_priorities(session);
    h2_priority_init(&priority);
    if (length > sizeof(updates->payload)
        || !h2_priority_parse(&priority, (const char *)payload + UPDATE_ID_BYTES,
                              length - UPDATE_ID_BYTES)) {
        h2_log(APLOG_DEBUG, 0, session->c,
               H2_ID_FMT "PRIORITY_UPDATE is not understood and ignored", session->c->id, id);
        return;
    }
    apply_update(session, id, &priority);
}

void h2_priorities_clear(h2_session *session)
{
    if (session->updates) {
        free(session->updates->early);
    }
    free(session->updates);
    session->updates = NULL;
}

#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "standins.h"
#include "machine.h"
#include "pools.h"
#include "wire.h"

#define FRAME_BYTES_MAX 70000

/* Fields of a request, by the octet that stands for them. What is empty is what the input says. */
static const struct {
    const char *name;
    const char *value;
} known_fields[] = {
    {"", ""},
    {"user-agent", "fuzz"},
    {"cookie", "a=1"},
    {"cookie", "b=2"},
    {"priority", ""},
    {"priority", "u=1, i"},
    {"priority", "u=7"},
    {"cache-digest", ""},
    {"cache-digest", "AfdA"},
    {"cache-digest", "CkyIeWZSrA;reset"},
    {"content-length", ""},
    {"content-length", "5"},
    {"te", "trailers"},
    {"te", "gzip"},
    {"connection", "close"},
    {"host", "other.example"},
    {":protocol", "websocket"},
    {":protocol", ""},
    {":authority", ""},
    {":path", ""},
    {":status", "200"},
    {":method", "CONNECT"},
    {"accept-push-policy", "none"},
    {"x", " \t blanks \t "},
    {"x", ""},
    {"Upper-Case", "x"},
    {"expect", "100-continue"},
    {"x-nul", "a\rb"},
    {"transfer-encoding", "chunked"},
    {"upgrade-insecure-requests", "1"},
    {"accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"},
    {"content-type", "application/grpc"},
};

#define KNOWN_COUNT (sizeof(known_fields) / sizeof(known_fields[0]))

/* What a request's flags mean. */
#define REQUEST_ENDS       1
#define REQUEST_HAS_PARENT 2
#define REQUEST_IS_PADDED  4
#define REQUEST_IS_CUT     8  /* into CONTINUATION frames */
#define REQUEST_IS_TRAILER 16 /* no pseudo-fields */
#define REQUEST_NO_HUFFMAN 32

static struct {
    nghttp2_hd_deflater *deflater;
    unsigned next_id;
    unsigned char frame[FRAME_BYTES_MAX + 9];
} client;

void client_begin(void)
{
    nghttp2_hd_deflate_new(&client.deflater, 4096);
    client.next_id = 1;
}

void client_end(void)
{
    nghttp2_hd_deflate_del(client.deflater);
    client.deflater = NULL;
}

/* In records, where the connection has what stands in for TLS. */
static void send_bytes(const unsigned char *data, size_t size)
{
    while (size && the_machine.setup->is_tls) {
        size_t i, length = (size < 16384) ? size : 16384;
        unsigned char *record = malloc(length + 2);

        record[0] = STANDINS_TLS_OCTET(length >> 8);
        record[1] = STANDINS_TLS_OCTET(length);
        for (i = 0; i < length; ++i) {
            record[2 + i] = STANDINS_TLS_OCTET(data[i]);
        }
        machine_arrive(record, length + 2);
        free(record);
        data += length;
        size -= length;
    }
    machine_arrive(data, size);
}

/* The payload stands in client.frame + 9 already. */
static void send_frame(unsigned type, unsigned flags, unsigned id, size_t length)
{
    unsigned char *head = client.frame;

    head[0] = (unsigned char)(length >> 16);
    head[1] = (unsigned char)(length >> 8);
    head[2] = (unsigned char)length;
    head[3] = (unsigned char)type;
    head[4] = (unsigned char)flags;
    head[5] = (unsigned char)(id >> 24);
    head[6] = (unsigned char)(id >> 16);
    head[7] = (unsigned char)(id >> 8);
    head[8] = (unsigned char)id;
    send_bytes(head, 9 + length);
}

static unsigned char *payload(void)
{
    return client.frame + 9;
}

static size_t put_number(unsigned char *to, unsigned number)
{
    to[0] = (unsigned char)(number >> 24);
    to[1] = (unsigned char)(number >> 16);
    to[2] = (unsigned char)(number >> 8);
    to[3] = (unsigned char)number;
    return 4;
}

/* 0: a new one; small ones: those that were opened last; then odd choices. */
static unsigned read_id(fuzz_input *input, int may_open)
{
    unsigned choice = fuzz_byte(input), id;

    if (choice == 0 && may_open) {
        id = client.next_id;
        client.next_id += 2;
        return id;
    }
    if (choice < 32) {
        choice += (choice == 0);
        return (client.next_id > 2 * choice) ? client.next_id - 2 * choice : 1;
    }
    switch (choice) {
    case 32:
        return 0;
    case 33:
        return wire_last_promise();
    case 34:
        return wire_last_promise() + 2;
    case 35:
        return 0x7fffffff;
    case 36:
        id = client.next_id + 40;
        client.next_id += may_open ? 42 : 0;
        return id;
    case 37:
        return client.next_id;
    case 38:
        return client.next_id + 2;
    case 39:
        return client.next_id + 4;
    default:
        return choice;
    }
}

static size_t put_rest(unsigned char *to, fuzz_input *input)
{
    size_t length;
    const uint8_t *bytes = fuzz_bytes(input, FRAME_BYTES_MAX - 16, &length);

    if (length) {
        memcpy(to, bytes, length);
    }
    return length;
}

static nghttp2_nv field(const char *name, size_t name_length, const char *value,
                        size_t value_length, unsigned flags)
{
    nghttp2_nv nv = {(uint8_t *)name, (uint8_t *)value, name_length, value_length, (uint8_t)flags};

    return nv;
}

/* A field's name or value: its length and that. */
static const char *read_text(fuzz_input *input, size_t *plength)
{
    unsigned length = fuzz_byte(input);

    if (length > 250) {
        length = 1000 * (length - 250) * (length - 250); /* as much as is there */
    }
    return (const char *)fuzz_bytes(input, length, plength);
}

static nghttp2_nv read_field(fuzz_input *input)
{
    unsigned choice = fuzz_byte(input);
    const char *name = known_fields[choice % KNOWN_COUNT].name;
    const char *value = known_fields[choice % KNOWN_COUNT].value;
    size_t name_length = strlen(name), value_length = strlen(value);

    if (!name_length) {
        name = read_text(input, &name_length);
    }
    if (!value_length) {
        value = read_text(input, &value_length);
    }
    return field(name, name_length, value, value_length,
                 (choice & 0x80) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE);
}

#define FIELDS_MAX 64

static size_t make_fields(fuzz_input *input, nghttp2_nv *list, int is_trailer)
{
    static const char *const methods[] = {"GET", "POST", "HEAD", "CONNECT", "OPTIONS", "get", "",
                                          "PUT"};
    static const char *const paths[] = {"/", "/a?b=c", "*", "", "a", "/%00", "/x#y",
                                        "http://h/"};
    size_t count = 0;

    if (!is_trailer) {
        unsigned choice = fuzz_byte(input);
        const char *method = methods[choice & 7], *path = paths[(choice >> 3) & 7];

        list[count++] = field(":method", 7, method, strlen(method), 0);
        list[count++] = field(":scheme", 7, (choice & 64) ? "https" : "http", (choice & 64) ? 5 : 4,
                              0);
        list[count++] = field(":path", 5, path, strlen(path), 0);
        if (!(choice & 128)) {
            list[count++] = field(":authority", 10, "a.example", 9, 0);
        }
    }
    while (input->left && count < FIELDS_MAX) {
        list[count++] = read_field(input);
    }
    return count;
}

static void send_request(fuzz_input *input)
{
    unsigned flags = fuzz_byte(input), id = read_id(input, !(flags & REQUEST_IS_TRAILER)), wire = 0;
    unsigned char *block = malloc(FRAME_BYTES_MAX);
    size_t before = 0, padding = 0, at = 0, piece;
    nghttp2_nv list[FIELDS_MAX];
    ssize_t length;
    size_t count;

    if (flags & REQUEST_IS_PADDED) {
        padding = fuzz_byte(input);
        payload()[before++] = (unsigned char)padding;
        wire |= NGHTTP2_FLAG_PADDED;
    }
    if (flags & REQUEST_HAS_PARENT) {
        unsigned parent = read_id(input, 0), weight = fuzz_byte(input);

        before += put_number(payload() + before, parent | (weight & 1) << 31);
        payload()[before++] = (unsigned char)weight;
        wire |= NGHTTP2_FLAG_PRIORITY;
    }
    count = make_fields(input, list, (flags & REQUEST_IS_TRAILER) != 0);
    length = nghttp2_hd_deflate_hd(client.deflater, block, FRAME_BYTES_MAX - 600, list, count);
    if (length > 0) {
        piece = (flags & REQUEST_IS_CUT) ? (size_t)length / 3 : (size_t)length;
        piece = (piece > 16000) ? 16000 : piece;
        memcpy(payload() + before, block, piece);
        memset(payload() + before + piece, 0, padding);
        wire |= (flags & REQUEST_ENDS) ? NGHTTP2_FLAG_END_STREAM : 0;
        wire |= (piece == (size_t)length) ? NGHTTP2_FLAG_END_HEADERS : 0;
        send_frame(NGHTTP2_HEADERS, wire, id, before + piece + padding);
        for (at = piece; at < (size_t)length; at += piece) {
            piece = ((size_t)length - at > 16000) ? 16000 : (size_t)length - at;
            memcpy(payload(), block + at, piece);
            send_frame(NGHTTP2_CONTINUATION,
                       (at + piece == (size_t)length) ? NGHTTP2_FLAG_END_HEADERS : 0, id, piece);
        }
    }
    free(block);
}

static void send_data(fuzz_input *input)
{
    unsigned id = read_id(input, 0), flags = fuzz_byte(input), length = fuzz_number(input, 2);
    size_t used = put_rest(payload(), input);

    if (!used) {
        used = (length < 16384) ? length : 16384;
        memset(payload(), 'b', used);
        if (flags & NGHTTP2_FLAG_PADDED) {
            payload()[0] = 3;
        }
    }
    send_frame(NGHTTP2_DATA, flags & (NGHTTP2_FLAG_END_STREAM | NGHTTP2_FLAG_PADDED), id, used);
}

/* An end of the client, or of the child. */
static void end(unsigned how)
{
    switch (how % 5) {
    case 0:
        machine_client_ends();
        break;
    case 1:
        machine_client_resets();
        break;
    case 2:
        machine_drain();
        break;
    case 3:
        machine_stop();
        break;
    default:
        client_send_preface();
        break;
    }
}

static void make_happen(unsigned type, fuzz_input *input)
{
    unsigned a, b, c;
    size_t length;
    const uint8_t *bytes;

    switch (type) {
    case CLIENT_BYTES:
        bytes = fuzz_bytes(input, input->left, &length);
        send_bytes(bytes, length);
        break;
    case CLIENT_FRAME:
        a = fuzz_byte(input);
        b = fuzz_byte(input);
        c = read_id(input, 0);
        send_frame(a, b, c, put_rest(payload(), input));
        break;
    case CLIENT_REQUEST:
        send_request(input);
        break;
    case CLIENT_DATA:
        send_data(input);
        break;
    case CLIENT_SETTINGS:
        a = fuzz_byte(input);
        send_frame(NGHTTP2_SETTINGS, a & 1, 0, put_rest(payload(), input));
        break;
    case CLIENT_WINDOW:
        a = read_id(input, 0);
        b = 1u << (fuzz_byte(input) & 31);
        send_frame(NGHTTP2_WINDOW_UPDATE, 0, a, put_number(payload(), b + fuzz_byte(input)));
        break;
    case CLIENT_PRIORITY:
        a = read_id(input, 0);
        b = read_id(input, 0);
        c = fuzz_byte(input);
        put_number(payload(), b | (fuzz_byte(input) & 1) << 31);
        payload()[4] = (unsigned char)c;
        send_frame(NGHTTP2_PRIORITY, 0, a, 5);
        break;
    case CLIENT_PRIORITY_UPDATE:
        put_number(payload(), read_id(input, 0));
        send_frame(0x10, 0, 0, 4 + put_rest(payload() + 4, input));
        break;
    case CLIENT_RESET:
        a = read_id(input, 0);
        send_frame(NGHTTP2_RST_STREAM, 0, a, put_number(payload(), fuzz_byte(input)));
        break;
    case CLIENT_PING:
        memset(payload(), 0, 8);
        send_frame(NGHTTP2_PING, fuzz_byte(input) & 1, 0, 8);
        break;
    case CLIENT_GOAWAY:
        put_number(payload(), 0);
        put_number(payload() + 4, fuzz_byte(input));
        send_frame(NGHTTP2_GOAWAY, 0, 0, 8 + put_rest(payload() + 8, input));
        break;
    case CLIENT_CLOCK:
        machine_pass_time((apr_interval_time_t)1 << (fuzz_byte(input) % 30));
        a = fuzz_byte(input);
        if (a) {
            machine_set_wall(((apr_interval_time_t)1 << (a & 31)) * ((a & 128) ? -1 : 1));
        }
        break;
    case CLIENT_ROOM:
        a = fuzz_number(input, 2);
        machine_set_room(a ? (size_t)(a - 1) * 16 : SIZE_MAX);
        break;
    case CLIENT_RUN:
        machine_run_detached();
        break;
    case CLIENT_END:
        end(fuzz_byte(input));
        break;
    case CLIENT_THREADS:
        machine_give_threads((int)(fuzz_byte(input) % 7));
        break;
    default: /* CLIENT_MEMORY */
        a = fuzz_byte(input);
        pools_fail(a + 1, 1 + fuzz_byte(input) % 16);
        break;
    }
}

size_t client_event_bytes(const uint8_t *data, size_t size)
{
    size_t length = CLIENT_EVENT_HEAD_BYTES;

    if (size >= CLIENT_EVENT_HEAD_BYTES) {
        length += (size_t)data[1] << 8 | data[2];
    }
    return (length < size) ? length : size;
}

int client_next_event(fuzz_input *input)
{
    unsigned type = CLIENT_MORE;

    while ((type & CLIENT_MORE) && input->left) {
        fuzz_input event = {input->at, client_event_bytes(input->at, input->left)};

        input->at += event.left;
        input->left -= event.left;
        type = fuzz_byte(&event);
        fuzz_number(&event, 2);
        if (fuzz_is_traced()) {
            fprintf(stderr, "event: %u\n", (type & 0x7f) % CLIENT_TYPES);
        }
        make_happen((type & 0x7f) % CLIENT_TYPES, &event);
    }
    return type != CLIENT_MORE;
}

void client_send_preface(void)
{
    send_bytes((const unsigned char *)H2_PREFACE, H2_PREFACE_BYTES);
    send_frame(NGHTTP2_SETTINGS, 0, 0, 0);
    send_frame(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, 0);
}

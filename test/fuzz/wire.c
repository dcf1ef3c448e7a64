#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nghttp2/nghttp2.h>

#include "standins.h"

/* Streams of a run whose windows and ends are followed: those of the lowest ids. */
#define STREAMS_MAX 2048

#define ERROR_CODE_MAX 0xd /* RFC 9113, 7 */

typedef struct wire_stream {
    uint64_t credit; /* of WINDOW_UPDATE */
    uint64_t data;   /* octets of DATA with padding; of bodies */
    uint64_t body;
    unsigned is_promised : 1, has_head : 1, is_ended : 1, is_reset : 1;
} wire_stream;

/* One way of the connection, cut into frames. */
typedef struct cutter {
    int is_tls;
    unsigned char tls_header[2];
    unsigned tls_header_bytes;
    size_t tls_left;
    size_t skip; /* the preface */
    unsigned char *frame;
    size_t frame_bytes, frame_size;
    void (*on_frame)(const unsigned char *frame, size_t payload);
} cutter;

static struct {
    cutter in, out;
    wire_stream streams[STREAMS_MAX];
    uint64_t credit, data;
    uint64_t initial_window;
    size_t frame_max;
    nghttp2_hd_inflater *inflater;
    unsigned block_id; /* whose field block goes on */
    unsigned block_type;
    unsigned block_ends;
    int has_status;
    unsigned last_promise;
    unsigned last_goaway_id;
    int has_settings;
} wire;

/* The beginning of every body, written once. */
static unsigned char body[WIRE_BODY_BYTES_MAX];

const unsigned char *wire_body(uint64_t offset, size_t size)
{
    size_t i;

    for (i = 0; body[1] == 0 && i < sizeof(body); ++i) {
        body[sizeof(body) - 1 - i] = (unsigned char)((sizeof(body) - 1 - i) * 7
                                                     + ((sizeof(body) - 1 - i) >> 8) * 3);
    }
    FUZZ_CHECK(offset + size <= sizeof(body));
    return body + offset;
}

unsigned wire_last_promise(void)
{
    return wire.last_promise ? wire.last_promise : 2;
}

static unsigned number_at(const unsigned char *data)
{
    return (unsigned)data[0] << 24 | (unsigned)data[1] << 16 | (unsigned)data[2] << 8 | data[3];
}

static wire_stream *stream_of(unsigned id)
{
    static wire_stream any;

    memset(&any, 0, sizeof(any));
    any.credit = UINT64_MAX / 2;
    return (id < STREAMS_MAX) ? &wire.streams[id] : &any;
}

static void add_to_frame(cutter *cut, const unsigned char *data, size_t size)
{
    if (cut->frame_bytes + size > cut->frame_size) {
        cut->frame_size = 2 * (cut->frame_bytes + size) + 1024;
        cut->frame = realloc(cut->frame, cut->frame_size);
    }
    memcpy(cut->frame + cut->frame_bytes, data, size);
    cut->frame_bytes += size;
}

/* So many octets are missing of the frame, or of its head. */
static size_t missing(const cutter *cut)
{
    const unsigned char *head = cut->frame;

    return (cut->frame_bytes < 9)
               ? 9 - cut->frame_bytes
               : 9 + ((size_t)head[0] << 16 | (size_t)head[1] << 8 | head[2]) - cut->frame_bytes;
}

/* Without what stands in for TLS. */
static void feed_plain(cutter *cut, const unsigned char *data, size_t size)
{
    while (size) {
        size_t length = cut->skip ? cut->skip : missing(cut);

        length = (length < size) ? length : size;
        if (cut->skip) {
            cut->skip -= length;
        }
        else {
            add_to_frame(cut, data, length);
        }
        data += length;
        size -= length;
        if (cut->frame_bytes >= 9 && !missing(cut)) {
            cut->on_frame(cut->frame, cut->frame_bytes - 9);
            cut->frame_bytes = 0;
        }
    }
}

static void feed_record(cutter *cut, const unsigned char *data, size_t size)
{
    unsigned char plain[4096];
    size_t i;

    while (size) {
        size_t length = (size < sizeof(plain)) ? size : sizeof(plain);

        for (i = 0; i < length; ++i) {
            plain[i] = STANDINS_TLS_OCTET(data[i]);
        }
        feed_plain(cut, plain, length);
        data += length;
        size -= length;
    }
}

static void feed(cutter *cut, const unsigned char *data, size_t size)
{
    while (size && cut->is_tls) {
        size_t length = (cut->tls_left < size) ? cut->tls_left : size;

        if (length) {
            feed_record(cut, data, length);
            cut->tls_left -= length;
        }
        else {
            length = 1;
            cut->tls_header[cut->tls_header_bytes++] = STANDINS_TLS_OCTET(*data);
            if (cut->tls_header_bytes == 2) {
                cut->tls_left = (size_t)cut->tls_header[0] << 8 | cut->tls_header[1];
                cut->tls_header_bytes = 0;
            }
        }
        data += length;
        size -= length;
    }
    feed_plain(cut, data, size);
}

/* For who looks into a failure: FUZZ_TRACE in the environment. */
static void trace(const char *from, const unsigned char *frame, size_t payload)
{
    size_t i;

    if (!fuzz_is_traced()) {
        return;
    }
    fprintf(stderr, "%s: type %d flags 0x%x stream %u length %lu:", from, frame[3], frame[4],
            number_at(frame + 5), (unsigned long)payload);
    for (i = 0; i < payload && i < 24; ++i) {
        fprintf(stderr, " %02x", frame[9 + i]);
    }
    fputc('\n', stderr);
}

/* ---- from the client: what allows the server more -------------------------------------------- */

static void note_settings(const unsigned char *entry, size_t length)
{
    for (; length >= 6; entry += 6, length -= 6) {
        unsigned id = (unsigned)entry[0] << 8 | entry[1], value = number_at(entry + 2);

        if (id == NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE && value > wire.initial_window) {
            wire.initial_window = value;
        }
        if (id == NGHTTP2_SETTINGS_MAX_FRAME_SIZE && value > wire.frame_max) {
            wire.frame_max = value;
        }
    }
}

static void on_client_frame(const unsigned char *frame, size_t payload)
{
    unsigned id = number_at(frame + 5) & 0x7fffffff;

    trace("client", frame, payload);
    if (frame[3] == NGHTTP2_WINDOW_UPDATE && payload == 4) {
        unsigned more = number_at(frame + 9) & 0x7fffffff;

        if (id) {
            stream_of(id)->credit += more;
        }
        else {
            wire.credit += more;
        }
    }
    else if (frame[3] == NGHTTP2_SETTINGS && !(frame[4] & NGHTTP2_FLAG_ACK)) {
        note_settings(frame + 9, payload);
    }
}

void wire_received(const void *data, size_t size)
{
    feed(&wire.in, data, size);
}

/* ---- from the server ------------------------------------------------------------------------- */

static void end_stream(unsigned id)
{
    stream_of(id)->is_ended = 1;
}

/* Padding, and what it leaves: *pdata, *psize. */
static void strip_padding(const unsigned char *frame, const unsigned char **pdata, size_t *psize)
{
    if (frame[4] & NGHTTP2_FLAG_PADDED) {
        unsigned padding;

        FUZZ_CHECK(*psize > 0);
        padding = **pdata;
        FUZZ_CHECK(padding + 1 <= *psize);
        ++*pdata;
        *psize -= padding + 1;
    }
}

static void check_data(const unsigned char *frame, size_t payload, unsigned id)
{
    wire_stream *stream = stream_of(id);
    const unsigned char *data = frame + 9;
    size_t size = payload;

    FUZZ_CHECK(id && stream->has_head + (id >= STREAMS_MAX));
    FUZZ_CHECK(!stream->is_ended && !stream->is_reset);
    strip_padding(frame, &data, &size);
    FUZZ_CHECK(id >= STREAMS_MAX || !memcmp(data, wire_body(stream->body, size), size));
    stream->body += size;
    stream->data += payload;
    wire.data += payload;
    FUZZ_CHECK(wire.data <= 65535 + wire.credit);
    FUZZ_CHECK(stream->data <= wire.initial_window + stream->credit);
    if (frame[4] & NGHTTP2_FLAG_END_STREAM) {
        end_stream(id);
    }
}

/* A part of a field block, which must be what an encoder with the default table writes. */
static void inflate(const unsigned char *data, size_t size, int is_last)
{
    for (;;) {
        int flags = 0;
        nghttp2_nv nv;
        ssize_t used = nghttp2_hd_inflate_hd2(wire.inflater, &nv, &flags, data, size, is_last);

        FUZZ_CHECK(used >= 0);
        data += used;
        size -= (size_t)used;
        if (flags & NGHTTP2_HD_INFLATE_EMIT) {
            size_t i;

            wire.has_status |= nv.namelen == 7 && !memcmp(nv.name, ":status", 7);
            for (i = 0; i < nv.valuelen; ++i) {
                FUZZ_CHECK(nv.value[i] != '\0' && nv.value[i] != '\r' && nv.value[i] != '\n');
            }
        }
        if (flags & NGHTTP2_HD_INFLATE_FINAL) {
            nghttp2_hd_inflate_end_headers(wire.inflater);
            return;
        }
        if (!size && !(flags & NGHTTP2_HD_INFLATE_EMIT)) {
            FUZZ_CHECK(!is_last);
            return;
        }
    }
}

static void end_block(unsigned id)
{
    wire_stream *stream = stream_of(id);

    if (wire.block_type == NGHTTP2_HEADERS) {
        /* Heads have a status, trailers have none and are the end. */
        FUZZ_CHECK(wire.has_status || (stream->has_head + (id >= STREAMS_MAX) && wire.block_ends));
        stream->has_head |= wire.has_status;
        if (wire.block_ends) {
            end_stream(id);
        }
    }
    wire.block_id = 0;
}

static void check_block(const unsigned char *frame, const unsigned char *data, size_t size,
                        unsigned id)
{
    int is_last = (frame[4] & NGHTTP2_FLAG_END_HEADERS) != 0;

    inflate(data, size, is_last);
    wire.block_id = id;
    if (is_last) {
        end_block(id);
    }
}

static void check_headers(const unsigned char *frame, size_t payload, unsigned id)
{
    const unsigned char *data = frame + 9;
    const wire_stream *stream = stream_of(id);

    FUZZ_CHECK(id && (id % 2 || id >= STREAMS_MAX || stream->is_promised));
    FUZZ_CHECK(!stream->is_ended && !stream->is_reset);
    FUZZ_CHECK(!(frame[4] & NGHTTP2_FLAG_PRIORITY));
    strip_padding(frame, &data, &payload);
    wire.block_type = NGHTTP2_HEADERS;
    wire.block_ends = frame[4] & NGHTTP2_FLAG_END_STREAM;
    wire.has_status = 0;
    check_block(frame, data, payload, id);
}

static void check_promise(const unsigned char *frame, size_t payload, unsigned id)
{
    const unsigned char *data = frame + 9;
    unsigned promised;

    FUZZ_CHECK(id % 2 && !stream_of(id)->is_ended && !stream_of(id)->is_reset);
    strip_padding(frame, &data, &payload);
    FUZZ_CHECK(payload >= 4);
    promised = number_at(data);
    FUZZ_CHECK(promised % 2 == 0 && promised > wire.last_promise);
    wire.last_promise = promised;
    stream_of(promised)->is_promised = 1;
    wire.block_type = NGHTTP2_PUSH_PROMISE;
    wire.has_status = 0;
    check_block(frame, data + 4, payload - 4, id);
}

static void check_goaway(const unsigned char *frame, size_t payload)
{
    unsigned last;

    FUZZ_CHECK(payload >= 8);
    last = number_at(frame + 9);
    FUZZ_CHECK(last <= wire.last_goaway_id);
    FUZZ_CHECK(number_at(frame + 13) <= ERROR_CODE_MAX);
    wire.last_goaway_id = last;
}

static void on_server_frame(const unsigned char *frame, size_t payload)
{
    unsigned id = number_at(frame + 5);

    trace("server", frame, payload);
    FUZZ_CHECK(payload <= wire.frame_max);
    FUZZ_CHECK(wire.has_settings || (frame[3] == NGHTTP2_SETTINGS && frame[4] == 0));
    FUZZ_CHECK(!wire.block_id || (frame[3] == NGHTTP2_CONTINUATION && id == wire.block_id));
    switch (frame[3]) {
    case NGHTTP2_DATA:
        check_data(frame, payload, id);
        break;
    case NGHTTP2_HEADERS:
        check_headers(frame, payload, id);
        break;
    case NGHTTP2_CONTINUATION:
        FUZZ_CHECK(wire.block_id);
        check_block(frame, frame + 9, payload, id);
        break;
    case NGHTTP2_PUSH_PROMISE:
        check_promise(frame, payload, id);
        break;
    case NGHTTP2_RST_STREAM:
        FUZZ_CHECK(id && payload == 4 && number_at(frame + 9) <= ERROR_CODE_MAX);
        stream_of(id)->is_reset = 1;
        break;
    case NGHTTP2_SETTINGS:
        FUZZ_CHECK(!id && payload % 6 == 0 && (!(frame[4] & NGHTTP2_FLAG_ACK) || !payload));
        wire.has_settings = 1;
        break;
    case NGHTTP2_PING:
        FUZZ_CHECK(!id && payload == 8);
        break;
    case NGHTTP2_GOAWAY:
        FUZZ_CHECK(!id);
        check_goaway(frame, payload);
        break;
    case NGHTTP2_WINDOW_UPDATE:
        FUZZ_CHECK(payload == 4 && number_at(frame + 9) - 1 < 0x7fffffff);
        break;
    default:
        FUZZ_CHECK(!"a frame of an unknown type");
    }
}

void wire_sent(const void *data, size_t size)
{
    feed(&wire.out, data, size);
}

void wire_begin(const machine_setup *setup)
{
    memset(&wire, 0, sizeof(wire));
    wire.in.is_tls = wire.out.is_tls = setup->is_tls;
    wire.in.skip = H2_PREFACE_BYTES;
    wire.in.on_frame = on_client_frame;
    wire.out.on_frame = on_server_frame;
    wire.initial_window = 65535;
    wire.frame_max = 16384;
    wire.last_goaway_id = 0x7fffffff;
    note_settings(setup->settings, setup->settings_length);
    nghttp2_hd_inflate_new(&wire.inflater);
}

void wire_end(void)
{
    nghttp2_hd_inflate_del(wire.inflater);
    free(wire.in.frame);
    free(wire.out.frame);
    memset(&wire, 0, sizeof(wire));
}

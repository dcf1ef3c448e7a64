# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""RFC 9113, 4 and 6: each type of frame, where it may stand and what it may say."""

import struct

import pytest

import environment as env
from h2client import (ACK, CANCEL, CONTINUATION, DATA, ENABLE_PUSH,
                      END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY,
                      HEADER_TABLE_SIZE, HEADERS, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS,
                      MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, MAX_WINDOW, NO_ERROR,
                      PADDED, PING, PRIORITY, PRIORITY_FLAG,
                      PRIORITY_UPDATE, PROTOCOL_ERROR, PUSH_PROMISE, RST_STREAM, SETTINGS,
                      WINDOW_UPDATE, frame_bytes, settings_payload)
from rules import RFC_FRAME, SMALL, Answer, Goaway, Ignored, Reset, is_alive

ALTSVC, ORIGIN, UNKNOWN = 0x0a, 0x0c, 0xbb
RESERVED_BIT = 1 << 31
WINDOW_FRAMES = struct.pack(">I", 1)
UPLOAD = "/h2test/read"
BLOCK_TYPES = {DATA: "DATA", HEADERS: "HEADERS", PRIORITY: "PRIORITY", RST_STREAM: "RST_STREAM",
               SETTINGS: "SETTINGS", PUSH_PROMISE: "PUSH_PROMISE", PING: "PING", GOAWAY: "GOAWAY",
               WINDOW_UPDATE: "WINDOW_UPDATE", CONTINUATION: "CONTINUATION",
               PRIORITY_UPDATE: "PRIORITY_UPDATE", UNKNOWN: "an unknown type"}
GOOD_PAYLOADS = {PRIORITY: bytes(4) + b"\x0f", RST_STREAM: bytes(4), WINDOW_UPDATE: WINDOW_FRAMES,
                 PING: bytes(8), GOAWAY: bytes(8), PRIORITY_UPDATE: struct.pack(">I", 1) + b"u=1"}


def upload(client):
    """A request whose body is still to come."""
    return client.request("POST", UPLOAD, end=False)


def get_block(client, path=SMALL, more=()):
    return client.encoder.encode(client.request_fields(path=path, headers=more))


def frame(type, flags, stream_id, payload=b"", length=None):
    """Does nothing but to send that frame."""
    return lambda client: client.send_raw(frame_bytes(type, flags, stream_id, payload, length))


def on_upload(type, flags=0, payload=b"", length=None):
    """Sends that frame on a request whose body is still to come, and returns the request."""
    def act(client):
        stream = upload(client)
        client.send_raw(frame_bytes(type, flags, stream.id, payload, length))
        return stream
    return act


def settings(*pairs):
    return lambda client: client.send_settings(list(pairs)) if not pairs else client.send_frame(
        SETTINGS, 0, 0, settings_payload(pairs))


def head(flags, prefix=b"", suffix=b"", end=END_STREAM):
    """A request in one HEADERS frame, with something before and after its block."""
    def act(client):
        stream = client.open()
        client.send_frame(HEADERS, flags | END_HEADERS | end, stream.id,
                          prefix + get_block(client) + suffix)
        return stream
    return act


def then(*acts):
    """One after another; the last stream counts."""
    def act(client):
        stream = None
        for one in acts:
            stream = one(client) or stream
        return stream
    return act


def run(cases):
    return pytest.mark.parametrize(
        "act, outcome", [pytest.param(act, outcome, id=name) for name, act, outcome in cases])


def finish(client, stream):
    """The request's body comes, and its response."""
    client.send_frame(DATA, END_STREAM, stream.id, b"body")
    return client.wait(stream)


# -- 4.1 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("type", [
    pytest.param(type, id="4.1 type %#04x is ignored" % type)
    for type in (ALTSVC, 0x0b, ORIGIN, 0x0d, 0x0f, 0x16, 0x21, 0x40, 0xf0, 0xff)])
def test_unknown_types_on_the_connection(h2, type):
    for payload in (b"", b"some bytes", bytes(RFC_FRAME)):
        h2.send_frame(type, 0xff, 0, payload)
    Ignored().check(h2)


UNKNOWN_FRAME = dict(flags=0xff, payload=b"whatever")


@run([
    ("4.1 an unknown type on an idle stream is ignored", frame(UNKNOWN, 0xff, 7, b"what"),
     Ignored()),
    ("4.1 an unknown type on a stream of even id is ignored", frame(UNKNOWN, 0, 2, b"x"),
     Ignored()),
    ("4.1 an unknown type opens no stream", then(frame(UNKNOWN, 5, 1, b"x"), head(0)), Answer()),
    ("4.1 an unknown type with the reserved bit is ignored",
     frame(UNKNOWN, 0, RESERVED_BIT | 1, b"x"), Ignored()),
    ("4.1 an unknown type after END_STREAM is ignored",
     lambda client: (client.get(SMALL), frame(UNKNOWN, 0xff, 1, b"x")(client))[0], Answer()),
])
def test_unknown_types_on_streams(h2, act, outcome):
    outcome.check(h2, act(h2))


def test_4_1_an_unknown_type_within_a_body_is_ignored(h2):
    stream = on_upload(UNKNOWN, **UNKNOWN_FRAME)(h2)
    assert finish(h2, stream).text == "read 4\n"


@pytest.mark.parametrize("type, flags", [
    pytest.param(type, 0xff & ~known, id="4.1 unused flags of %s are ignored" % BLOCK_TYPES[type])
    for type, known in ((DATA, END_STREAM | PADDED), (PRIORITY, 0), (SETTINGS, ACK), (PING, ACK),
                        (WINDOW_UPDATE, 0))])
def test_unused_flags(h2, type, flags):
    stream = upload(h2)
    is_on_stream = type in (DATA, PRIORITY, WINDOW_UPDATE)
    h2.send_frame(type, flags, stream.id if is_on_stream else 0, GOOD_PAYLOADS.get(type, b""))
    assert finish(h2, stream).text == "read 4\n"
    is_alive(h2)


def test_4_1_unused_flags_of_headers_are_ignored(h2):
    stream = head(0xff & ~(PADDED | PRIORITY_FLAG))(h2)
    Answer().check(h2, stream)


def test_4_1_unused_flags_of_continuation_are_ignored(h2):
    stream, block = h2.open(), get_block(h2)
    h2.send_frame(HEADERS, END_STREAM, stream.id, block[:5])
    h2.send_frame(CONTINUATION, 0xff & ~END_HEADERS, stream.id, block[5:9])
    h2.send_frame(CONTINUATION, END_HEADERS, stream.id, block[9:])
    Answer().check(h2, stream)


def test_4_1_unused_flags_of_rst_stream_are_ignored(h2):
    stream = upload(h2)
    h2.send_frame(RST_STREAM, 0xff, stream.id, struct.pack(">I", CANCEL))
    Ignored().check(h2)


def test_4_1_unused_flags_of_goaway_are_ignored(h2):
    stream = upload(h2)
    h2.send_frame(GOAWAY, 0xff, 0, bytes(8))
    assert finish(h2, stream).text == "read 4\n"


@run([
    ("4.1 the reserved bit of HEADERS is ignored", lambda client: (
        stream := client.open(), client.send_frame(
            HEADERS, END_HEADERS | END_STREAM, RESERVED_BIT | stream.id, get_block(client)))[0],
     Answer()),
    ("4.1 the reserved bit of PING is ignored", frame(PING, 0, RESERVED_BIT, bytes(8)), Ignored()),
    ("4.1 the reserved bit of SETTINGS is ignored", frame(SETTINGS, 0, RESERVED_BIT), Ignored()),
    ("4.1 the reserved bit of WINDOW_UPDATE is ignored",
     frame(WINDOW_UPDATE, 0, RESERVED_BIT, WINDOW_FRAMES), Ignored()),
])
def test_reserved_bits(h2, act, outcome):
    outcome.check(h2, act(h2))


def test_4_1_the_reserved_bit_of_data_is_ignored(h2):
    stream = upload(h2)
    h2.send_frame(DATA, END_STREAM, RESERVED_BIT | stream.id, b"body")
    assert h2.wait(stream).text == "read 4\n"


# -- 4.2 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("type", [
    pytest.param(type, id="4.2 %s beyond the maximum is a FRAME_SIZE_ERROR" % name)
    for type, name in BLOCK_TYPES.items() if type != CONTINUATION])
def test_frames_beyond_the_maximum(h2, type):
    is_on_stream = type in (DATA, HEADERS, PRIORITY, RST_STREAM, PUSH_PROMISE)
    stream_id = upload(h2).id if is_on_stream else 0
    # its head is enough: nobody waits for what is too long
    h2.send_raw(frame_bytes(type, 0, stream_id, length=RFC_FRAME + 1))
    Goaway(FRAME_SIZE_ERROR).check(h2)


def test_4_2_continuation_beyond_the_maximum_is_a_frame_size_error(h2):
    stream = h2.open()
    h2.send_frame(HEADERS, END_STREAM, stream.id, get_block(h2))
    h2.send_raw(frame_bytes(CONTINUATION, END_HEADERS, stream.id, length=RFC_FRAME + 1))
    Goaway(FRAME_SIZE_ERROR).check(h2)


def test_4_2_the_longest_possible_frame_is_a_frame_size_error(h2):
    h2.send_raw(frame_bytes(DATA, 0, upload(h2).id, length=2 ** 24 - 1))
    Goaway(FRAME_SIZE_ERROR).check(h2)


def test_4_2_data_of_16384_bytes_is_taken(h2):
    stream = upload(h2)
    h2.send_frame(DATA, END_STREAM, stream.id, bytes(RFC_FRAME))
    assert h2.wait(stream).text == "read 16384\n"


def test_4_2_headers_of_16384_bytes_are_taken(h2):
    """That such a field is too long for httpd is another matter: the block is understood."""
    stream = h2.open()
    block = get_block(h2)
    # literals of a few bytes without indexing, and one that fills up
    filler = b"\x00\x01a\x7f" + b"\x81\x3e" + b"b" * (127 + 0x3e * 128 + 1)
    rest = RFC_FRAME - len(block) - len(filler)
    filler += b"\x00\x01c\x7f" + struct.pack("BB", 128 | (rest - 6 - 127) % 128,
                                            (rest - 6 - 127) // 128) + b"d" * (rest - 6)
    assert len(block + filler) == RFC_FRAME
    h2.send_frame(HEADERS, END_HEADERS | END_STREAM, stream.id, block + filler)
    Answer(431).check(h2, stream)


@pytest.mark.parametrize("limit", [
    pytest.param(limit, id="4.2 no frame to a client is longer than %d" % limit)
    for limit in (16384, 20000, 2 ** 24 - 1)])
def test_the_clients_maximum(connect, limit):
    client = connect(settings={MAX_FRAME_SIZE: limit, INITIAL_WINDOW_SIZE: 1 << 24},
                     window=1 << 24)
    stream = client.get("/files/1048576.bin")
    assert stream.complete and stream.received == 1 << 20
    assert max(f.length for f in client.received(DATA)) <= limit


# -- 4.3, 6.2, 6.10 -------------------------------------------------------------------------------


@pytest.mark.parametrize("type, on", [
    pytest.param(type, on, id="4.3 %s on %s within a field block is a PROTOCOL_ERROR" % (name, on))
    for type, name in BLOCK_TYPES.items() for on in ("its stream", "another")
    if not (type == CONTINUATION and on == "its stream")
    and not (type in (SETTINGS, PING, GOAWAY, PRIORITY_UPDATE) and on == "another")])
def test_frames_within_a_field_block(h2, type, on):
    other = upload(h2)
    stream = h2.open()
    block = get_block(h2)
    h2.send_frame(HEADERS, END_STREAM, stream.id, block[:10])
    stream_id = {SETTINGS: 0, PING: 0, GOAWAY: 0, PRIORITY_UPDATE: 0}.get(
        type, stream.id if on == "its stream" else other.id)
    h2.send_frame(type, END_HEADERS if type == CONTINUATION else 0, stream_id,
                  GOOD_PAYLOADS.get(type, b""))
    Goaway(PROTOCOL_ERROR).check(h2)


def test_4_3_window_update_of_the_connection_within_a_field_block_is_a_protocol_error(h2):
    stream = h2.open()
    h2.send_frame(HEADERS, END_STREAM, stream.id, get_block(h2)[:10])
    h2.send_window_update(0, 1)
    Goaway(PROTOCOL_ERROR).check(h2)


def test_4_3_frames_within_a_block_of_trailers_are_a_protocol_error(h2):
    stream = upload(h2)
    h2.send_frame(HEADERS, END_STREAM, stream.id, h2.encoder.encode([("x", "y")])[:1])
    h2.send_ping()
    Goaway(PROTOCOL_ERROR).check(h2)


@pytest.mark.parametrize("sizes", [
    pytest.param(sizes, id="4.3 a block in pieces of %s bytes is one" % name)
    for sizes, name in (((1, 1, 1), "one"), ((0,), "no"), ((0, 0, 3, 0), "no and some"),
                        ((10, 0), "some and no"))])
def test_blocks_in_pieces(h2, sizes):
    stream, rest, type, flags = h2.open(), get_block(h2), HEADERS, END_STREAM
    for size in sizes:
        h2.send_frame(type, flags, stream.id, rest[:size])
        rest, type, flags = rest[size:], CONTINUATION, 0
    h2.send_frame(CONTINUATION, END_HEADERS, stream.id, rest)
    Answer().check(h2, stream)


def test_4_3_an_empty_last_piece_ends_a_block(h2):
    stream = h2.open()
    h2.send_frame(HEADERS, END_STREAM, stream.id, get_block(h2))
    h2.send_frame(CONTINUATION, END_HEADERS, stream.id, b"")
    Answer().check(h2, stream)


def test_4_3_trailers_in_pieces_are_one_block(h2):
    stream = h2.request("POST", UPLOAD + "?trailers=all", end=False)
    block = h2.encoder.encode([("x-trailer", "its value")])
    h2.send_frame(HEADERS, END_STREAM, stream.id, block[:3])
    h2.send_frame(CONTINUATION, 0, stream.id, block[3:6])
    h2.send_frame(CONTINUATION, END_HEADERS, stream.id, block[6:])
    assert h2.wait(stream).text == "x-trailer: its value\nread 0\n"


def continuation_after(*before):
    """CONTINUATION behind other frames, on the stream of the last one."""
    def act(client):
        stream = client.open()
        for type, flags, payload in before:
            client.send_frame(type, flags, stream.id, payload or get_block(client))
        client.send_frame(CONTINUATION, END_HEADERS, stream.id, b"")
    return act


WHOLE = (HEADERS, END_HEADERS, None)

SECTION_6_10 = [
    ("6.10 CONTINUATION on an idle stream is a PROTOCOL_ERROR",
     frame(CONTINUATION, END_HEADERS, 1), Goaway(PROTOCOL_ERROR)),
    ("6.10 CONTINUATION on the connection is a PROTOCOL_ERROR",
     frame(CONTINUATION, END_HEADERS, 0), Goaway(PROTOCOL_ERROR)),
    ("6.10 CONTINUATION after END_HEADERS is a PROTOCOL_ERROR",
     continuation_after(WHOLE), Goaway(PROTOCOL_ERROR)),
    ("6.10 CONTINUATION after END_HEADERS and END_STREAM is a PROTOCOL_ERROR",
     continuation_after((HEADERS, END_HEADERS | END_STREAM, None)), Goaway(PROTOCOL_ERROR)),
    ("6.10 CONTINUATION after the last CONTINUATION is a PROTOCOL_ERROR",
     continuation_after((HEADERS, END_STREAM, None),
                        (CONTINUATION, END_HEADERS, b"\x00\x01x\x01y")),
     Goaway(PROTOCOL_ERROR)),
    ("6.10 CONTINUATION after DATA is a PROTOCOL_ERROR",
     continuation_after(WHOLE, (DATA, 0, b"x")), Goaway(PROTOCOL_ERROR)),
    ("6.10 CONTINUATION after PRIORITY is a PROTOCOL_ERROR",
     continuation_after((PRIORITY, 0, GOOD_PAYLOADS[PRIORITY])), Goaway(PROTOCOL_ERROR)),
    ("6.10 CONTINUATION on the connection within a block is a PROTOCOL_ERROR", lambda client: (
        client.send_frame(HEADERS, END_STREAM, 1, get_block(client)[:5]),
        client.send_frame(CONTINUATION, END_HEADERS, 0, b""))[1], Goaway(PROTOCOL_ERROR)),
]


@run(SECTION_6_10)
def test_continuation(h2, act, outcome):
    outcome.check(h2, act(h2))


# -- 6.1 DATA -------------------------------------------------------------------------------------

SECTION_6_1 = [
    ("6.1 DATA on the connection is a PROTOCOL_ERROR", frame(DATA, 0, 0, b"x"),
     Goaway(PROTOCOL_ERROR)),
    ("6.1 empty DATA on the connection is a PROTOCOL_ERROR", frame(DATA, END_STREAM, 0),
     Goaway(PROTOCOL_ERROR)),
    ("6.1 padding as long as the payload is a PROTOCOL_ERROR",
     on_upload(DATA, PADDED, b"\x06bytes"), Goaway(PROTOCOL_ERROR)),
    ("6.1 padding longer than the payload is a PROTOCOL_ERROR",
     on_upload(DATA, PADDED, b"\xffbytes"), Goaway(PROTOCOL_ERROR)),
    ("6.1 padding longer than the payload by one is a PROTOCOL_ERROR",
     on_upload(DATA, PADDED, b"\x07bytes"), Goaway(PROTOCOL_ERROR)),
    ("6.1 padding with nothing but its length wrong is a PROTOCOL_ERROR",
     on_upload(DATA, PADDED, b"\x01"), Goaway(PROTOCOL_ERROR)),
    ("6.1 PADDED without a length is a PROTOCOL_ERROR",
     on_upload(DATA, PADDED, b""), Goaway(PROTOCOL_ERROR)),
]


@run(SECTION_6_1)
def test_data(h2, act, outcome):
    outcome.check(h2, act(h2))


@pytest.mark.parametrize("payload, size", [
    pytest.param(b"\x00body", 4, id="6.1 padding of no bytes is none"),
    pytest.param(b"\x03body\x00\x00\x00", 4, id="6.1 padding is no part of the body"),
    pytest.param(b"\xff" + bytes(255), 0, id="6.1 a frame may be nothing but padding"),
    pytest.param(b"\x00", 0, id="6.1 a frame may be nothing but the padding's length"),
    pytest.param(b"\x64" + bytes(16283) + bytes(100), 16283,
                 id="6.1 a frame of 16384 with padding"),
])
def test_padding(h2, payload, size):
    stream = upload(h2)
    h2.send_frame(DATA, PADDED | END_STREAM, stream.id, payload)
    assert h2.wait(stream).text == "read %d\n" % size
    is_alive(h2)


def test_6_1_padding_counts_for_the_windows_and_is_given_back(h2):
    """40 frames of 255 bytes of padding and the connection's window many times over."""
    stream = upload(h2)
    sent = 0
    for _ in range(800):
        h2.wait_for(lambda: min(h2.send_window, stream.send_window) >= 257, "credit for padding")
        h2.send_frame(DATA, PADDED, stream.id, b"\xffx" + bytes(255))
        h2.send_window -= 257
        stream.send_window -= 257
        sent += 1
    h2.send_frame(DATA, END_STREAM, stream.id)
    assert h2.wait(stream).text == "read %d\n" % sent


def test_6_1_empty_data_with_end_stream_ends_a_body(h2):
    stream = upload(h2)
    h2.send_frame(DATA, 0, stream.id, b"four")
    h2.send_frame(DATA, END_STREAM, stream.id)
    assert h2.wait(stream).text == "read 4\n"


# -- 6.2 HEADERS ----------------------------------------------------------------------------------

DEPENDS_ON_NOTHING = struct.pack(">IB", 0, 15)

SECTION_6_2 = [
    ("6.2 HEADERS on the connection are a PROTOCOL_ERROR", lambda client: client.send_frame(
        HEADERS, END_HEADERS | END_STREAM, 0, get_block(client)), Goaway(PROTOCOL_ERROR)),
    ("6.2 padding as long as the payload is a PROTOCOL_ERROR",
     lambda client: client.send_frame(HEADERS, PADDED | END_HEADERS | END_STREAM, 1,
                                      b"\x05" + bytes(4)), Goaway(PROTOCOL_ERROR)),
    ("6.2 padding longer than the payload is a PROTOCOL_ERROR",
     head(PADDED, b"\xff"), Goaway(PROTOCOL_ERROR)),
    ("6.2 PADDED without a length is a PROTOCOL_ERROR",
     frame(HEADERS, PADDED | END_HEADERS | END_STREAM, 1), Goaway(PROTOCOL_ERROR)),
    ("6.2 PRIORITY of 4 bytes is a FRAME_SIZE_ERROR",
     frame(HEADERS, PRIORITY_FLAG | END_HEADERS | END_STREAM, 1, bytes(4)),
     Goaway(FRAME_SIZE_ERROR)),
    ("6.2 PRIORITY without its bytes is a FRAME_SIZE_ERROR",
     frame(HEADERS, PRIORITY_FLAG | END_HEADERS | END_STREAM, 1), Goaway(FRAME_SIZE_ERROR)),
    ("6.2 PADDED and PRIORITY with padding over the priority are a PROTOCOL_ERROR",
     frame(HEADERS, PADDED | PRIORITY_FLAG | END_HEADERS | END_STREAM, 1, b"\x05" + bytes(6)),
     Goaway(PROTOCOL_ERROR)),
    ("6.2 padding is no part of the block", head(PADDED, b"\x09", bytes(9)), Answer()),
    ("6.2 padding of no bytes is none", head(PADDED, b"\x00"), Answer()),
    ("6.2 a priority is no part of the block", head(PRIORITY_FLAG, DEPENDS_ON_NOTHING), Answer()),
    ("6.2 padding and a priority may be there", head(
        PADDED | PRIORITY_FLAG, b"\x02" + DEPENDS_ON_NOTHING, b"\0\0"), Answer()),
    ("6.2 a priority may name an idle stream", head(
        PRIORITY_FLAG, struct.pack(">IB", RESERVED_BIT | 99, 255)), Answer()),
]


@run(SECTION_6_2)
def test_headers(h2, act, outcome):
    outcome.check(h2, act(h2))


def test_6_2_end_stream_counts_from_the_block_s_end_on(h2, counter):
    stream, block = h2.open(), get_block(h2, "/h2test/write?n=1&tag=%s" % counter)
    h2.send_frame(HEADERS, END_STREAM, stream.id, block[:5])
    h2.send_frame(CONTINUATION, END_HEADERS, stream.id, block[5:])
    Answer().check(h2, stream)
    assert counter.started == 1


def test_6_2_padding_in_trailers_is_no_part_of_the_block(h2):
    stream = h2.request("POST", UPLOAD + "?trailers=all", end=False)
    block = h2.encoder.encode([("x-trailer", "yes")])
    h2.send_frame(HEADERS, END_STREAM | END_HEADERS | PADDED, stream.id, b"\x03" + block + bytes(3))
    assert h2.wait(stream).text == "x-trailer: yes\nread 0\n"


# -- 6.3 PRIORITY ---------------------------------------------------------------------------------

SECTION_6_3 = [
    ("6.3 PRIORITY on the connection is a PROTOCOL_ERROR", frame(PRIORITY, 0, 0, bytes(5)),
     Goaway(PROTOCOL_ERROR)),
    *[("6.3 PRIORITY of %d bytes is a FRAME_SIZE_ERROR" % n, on_upload(PRIORITY, 0, bytes(n)),
       Goaway(FRAME_SIZE_ERROR)) for n in (0, 4, 6)],
    ("6.3 PRIORITY of 4 bytes on an idle stream is a FRAME_SIZE_ERROR",
     frame(PRIORITY, 0, 9, bytes(4)), Goaway(FRAME_SIZE_ERROR)),
    ("6.3 PRIORITY on an idle stream is allowed",
     frame(PRIORITY, 0, 9, struct.pack(">IB", 0, 1)), Ignored()),
    ("6.3 PRIORITY on a stream of even id is allowed",
     frame(PRIORITY, 0, 10, struct.pack(">IB", 0, 1)), Ignored()),
    ("6.3 PRIORITY that is exclusive is allowed",
     frame(PRIORITY, 0, 9, struct.pack(">IB", RESERVED_BIT | 7, 1)), Ignored()),
    ("5.3.1 PRIORITY of itself is a PROTOCOL_ERROR",
     frame(PRIORITY, 0, 9, struct.pack(">IB", 9, 1)), Goaway(PROTOCOL_ERROR)),
    ("5.3.1 HEADERS with a dependency on itself are a PROTOCOL_ERROR",
     head(PRIORITY_FLAG, struct.pack(">IB", 1, 1)), Goaway(PROTOCOL_ERROR)),
]


@run(SECTION_6_3)
def test_priority(h2, act, outcome):
    outcome.check(h2, act(h2))


# -- 6.4 RST_STREAM -------------------------------------------------------------------------------

SECTION_6_4 = [
    ("6.4 RST_STREAM on the connection is a PROTOCOL_ERROR", frame(RST_STREAM, 0, 0, bytes(4)),
     Goaway(PROTOCOL_ERROR)),
    ("6.4 RST_STREAM on an idle stream is a PROTOCOL_ERROR", frame(RST_STREAM, 0, 1, bytes(4)),
     Goaway(PROTOCOL_ERROR)),
    *[("6.4 RST_STREAM of %d bytes is a FRAME_SIZE_ERROR" % n, on_upload(RST_STREAM, 0, bytes(n)),
       Goaway(FRAME_SIZE_ERROR)) for n in (0, 3, 5, 8)],
]


@run(SECTION_6_4)
def test_rst_stream(h2, act, outcome):
    outcome.check(h2, act(h2))


def test_6_4_nothing_more_is_sent_on_a_stream_that_is_reset(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 1000})
    client.wait_settings()
    stream = client.request("GET", "/h2test/endless")
    client.wait_bytes(stream, 1000)
    client.auto_window = False
    client.send_reset(stream)
    client.ping()
    received = stream.received
    client.send_window_update(stream.id, 1 << 20)
    is_alive(client)
    assert stream.received == received and stream.reset is None and not stream.ended


def test_6_4_a_reset_is_not_answered_by_one(h2, counter):
    stream = h2.request("GET", "/h2test/gate?gate=%s&tag=%s" % (counter.gate(), counter))
    h2.send_reset(stream)
    counter.open()
    is_alive(h2)
    assert stream.reset is None and not h2.received(RST_STREAM)


# -- 6.5 SETTINGS ---------------------------------------------------------------------------------

SECTION_6_5 = [
    *[("6.5 SETTINGS of %d bytes are a FRAME_SIZE_ERROR" % n, frame(SETTINGS, 0, 0, bytes(n)),
       Goaway(FRAME_SIZE_ERROR)) for n in (1, 5, 7, 13)],
    *[("6.5 an ACK of %d bytes is a FRAME_SIZE_ERROR" % n, frame(SETTINGS, ACK, 0, bytes(n)),
       Goaway(FRAME_SIZE_ERROR)) for n in (1, 6)],
    ("6.5 SETTINGS on an idle stream are a PROTOCOL_ERROR", frame(SETTINGS, 0, 1),
     Goaway(PROTOCOL_ERROR)),
    ("6.5 SETTINGS on an open stream are a PROTOCOL_ERROR",
     on_upload(SETTINGS, 0, settings_payload({ENABLE_PUSH: 0})), Goaway(PROTOCOL_ERROR)),
    ("6.5 an ACK on a stream is a PROTOCOL_ERROR", on_upload(SETTINGS, ACK),
     Goaway(PROTOCOL_ERROR)),
    ("6.5 SETTINGS without any are fine", frame(SETTINGS, 0, 0), Ignored()),
    ("6.5.3 an ACK that nobody waits for is a PROTOCOL_ERROR", frame(SETTINGS, ACK, 0),
     Goaway(PROTOCOL_ERROR)),
]

TOO_LARGE = 2 ** 32 - 1
SECTION_6_5_2 = [
    *[("6.5.2 ENABLE_PUSH of %d is a PROTOCOL_ERROR" % n, settings((ENABLE_PUSH, n)),
       Goaway(PROTOCOL_ERROR)) for n in (2, TOO_LARGE)],
    *[("6.5.2 ENABLE_PUSH of %d is allowed" % n, settings((ENABLE_PUSH, n)), Ignored())
      for n in (0, 1)],
    *[("6.5.2 INITIAL_WINDOW_SIZE of %d is a FLOW_CONTROL_ERROR" % n,
       settings((INITIAL_WINDOW_SIZE, n)), Goaway(FLOW_CONTROL_ERROR))
      for n in (2 ** 31, TOO_LARGE)],
    ("6.5.2 INITIAL_WINDOW_SIZE of 2147483647 is allowed",
     settings((INITIAL_WINDOW_SIZE, MAX_WINDOW)), Ignored()),
    *[("6.5.2 MAX_FRAME_SIZE of %d is a PROTOCOL_ERROR" % n, settings((MAX_FRAME_SIZE, n)),
       Goaway(PROTOCOL_ERROR)) for n in (0, 1, 16383, 2 ** 24, TOO_LARGE)],
    *[("6.5.2 MAX_FRAME_SIZE of %d is allowed" % n, settings((MAX_FRAME_SIZE, n)), Ignored())
      for n in (16384, 2 ** 24 - 1)],
    *[("6.5.2 MAX_CONCURRENT_STREAMS of %d is allowed" % n,
       settings((MAX_CONCURRENT_STREAMS, n)), Ignored()) for n in (0, 1, TOO_LARGE)],
    *[("6.5.2 HEADER_TABLE_SIZE of %d is allowed" % n, settings((HEADER_TABLE_SIZE, n)), Ignored())
      for n in (65536, TOO_LARGE)],
    *[("6.5.2 MAX_HEADER_LIST_SIZE of %d is allowed" % n,
       settings((MAX_HEADER_LIST_SIZE, n)), Ignored()) for n in (16384, TOO_LARGE)],
    *[("6.5.2 the unknown setting %#x is ignored" % key, settings((key, TOO_LARGE)), Ignored())
      for key in (0, 7, 0x0a, 0xff, 0xffff)],
    ("6.5.3 of one setting twice the last one counts",
     settings((MAX_FRAME_SIZE, 16384), (INITIAL_WINDOW_SIZE, 0), (INITIAL_WINDOW_SIZE, 65535)),
     Ignored()),
    ("6.5.3 each of one setting twice must be right",
     settings((ENABLE_PUSH, 2), (ENABLE_PUSH, 0)), Goaway(PROTOCOL_ERROR)),
    ("6.5.3 what stands behind a wrong one does not help",
     settings((MAX_FRAME_SIZE, 1), (MAX_FRAME_SIZE, 16384)), Goaway(PROTOCOL_ERROR)),
]


@run(SECTION_6_5 + SECTION_6_5_2)
def test_settings(h2, act, outcome):
    outcome.check(h2, act(h2))


@pytest.mark.parametrize("key, value, outcome", [
    pytest.param(INITIAL_WINDOW_SIZE, 2 ** 31, Goaway(FLOW_CONTROL_ERROR),
                 id="6.5.2 a first INITIAL_WINDOW_SIZE too large is a FLOW_CONTROL_ERROR"),
    pytest.param(MAX_FRAME_SIZE, 16383, Goaway(PROTOCOL_ERROR),
                 id="6.5.2 a first MAX_FRAME_SIZE too small is a PROTOCOL_ERROR"),
    pytest.param(ENABLE_PUSH, 2, Goaway(PROTOCOL_ERROR),
                 id="6.5.2 a first ENABLE_PUSH of 2 is a PROTOCOL_ERROR"),
    pytest.param(0xabcd, 1, Ignored(), id="6.5.2 an unknown setting in the first ones is ignored"),
])
def test_first_settings(connect, key, value, outcome):
    outcome.check(connect(settings={key: value}))


def test_6_5_3_each_settings_frame_is_acknowledged_once(h2):
    acks = h2.settings_acks
    for n in range(5):
        h2.send_settings({INITIAL_WINDOW_SIZE: 60000 + n})
    h2.wait_for(lambda: h2.settings_acks == acks + 5, "the ACKs")
    is_alive(h2)
    assert h2.settings_acks == acks + 5
    assert all(f.length == 0 for f in h2.received(SETTINGS) if f.flags & ACK)


def test_6_5_3_an_ack_comes_before_what_is_answered_by_the_new_values(h2):
    """Frames of more than 16384 bytes only behind the ACK of the SETTINGS that allow them."""
    acks = h2.settings_acks
    with h2.cork():
        h2.send_settings({MAX_FRAME_SIZE: 40000})
        h2.send_window_update(0, 1 << 20)
        stream = h2.request("GET", "/files/65536.bin")
    h2.wait(stream)
    frames = h2.received()
    ack = [i for i, f in enumerate(frames) if f.type == SETTINGS and f.flags & ACK][acks]
    assert all(f.length <= RFC_FRAME for f in frames[:ack])


def test_6_5_3_values_hold_in_the_order_of_the_frame(connect):
    client = connect(handshake=False)
    client.handshake()
    client.wait_settings()
    client.send_frame(SETTINGS, 0, 0, settings_payload(
        [(INITIAL_WINDOW_SIZE, 0), (INITIAL_WINDOW_SIZE, 7)]))
    stream = client.request("GET", "/files/1000.bin")
    client.wait_bytes(stream, 7)
    client.ping()
    assert stream.received == 7


# -- 6.6 PUSH_PROMISE -----------------------------------------------------------------------------


def promise(stream_id, promised_id):
    return lambda client: client.send_frame(
        PUSH_PROMISE, END_HEADERS, stream_id(client) if callable(stream_id) else stream_id,
        struct.pack(">I", promised_id) + get_block(client))


SECTION_6_6 = [
    ("6.6 PUSH_PROMISE on an open stream is a PROTOCOL_ERROR",
     promise(lambda client: upload(client).id, 2), Goaway(PROTOCOL_ERROR)),
    ("6.6 PUSH_PROMISE on an idle stream is a PROTOCOL_ERROR", promise(1, 2),
     Goaway(PROTOCOL_ERROR)),
    ("6.6 PUSH_PROMISE on the connection is a PROTOCOL_ERROR", promise(0, 2),
     Goaway(PROTOCOL_ERROR)),
    ("6.6 PUSH_PROMISE of an odd id is a PROTOCOL_ERROR",
     promise(lambda client: upload(client).id, 9), Goaway(PROTOCOL_ERROR)),
    ("6.6 PUSH_PROMISE on a stream that has ended is a PROTOCOL_ERROR",
     promise(lambda client: client.get(SMALL).id, 2), Goaway(PROTOCOL_ERROR)),
]


@run(SECTION_6_6)
def test_push_promise(h2, act, outcome):
    outcome.check(h2, act(h2))


def test_6_6_nothing_is_promised_to_who_does_not_want_it(connect):
    client = connect(settings={ENABLE_PUSH: 0})
    client.wait_settings()
    assert client.get("/pushing/write?n=1").complete
    client.ping()
    assert not client.pushed


def test_6_6_promises_have_even_ids_that_grow_and_come_before_the_response_s_end(h2):
    streams = [h2.get("/pushing/write?n=1"), h2.get("/pushing/write?n=2")]
    h2.wait(*h2.pushed)
    ids = [pushed.id for pushed in h2.pushed]
    assert ids and ids == sorted(set(ids)) and all(n % 2 == 0 for n in ids)
    assert all(pushed.pushed_on in [s.id for s in streams] for pushed in h2.pushed)


# -- 6.7 PING -------------------------------------------------------------------------------------

SECTION_6_7 = [
    ("6.7 PING on an idle stream is a PROTOCOL_ERROR", frame(PING, 0, 1, bytes(8)),
     Goaway(PROTOCOL_ERROR)),
    ("6.7 PING on an open stream is a PROTOCOL_ERROR", on_upload(PING, 0, bytes(8)),
     Goaway(PROTOCOL_ERROR)),
    ("6.7 an ACK on a stream is a PROTOCOL_ERROR", on_upload(PING, ACK, bytes(8)),
     Goaway(PROTOCOL_ERROR)),
    *[("6.7 PING of %d bytes is a FRAME_SIZE_ERROR" % n, frame(PING, 0, 0, bytes(n)),
       Goaway(FRAME_SIZE_ERROR)) for n in (0, 7, 9)],
    ("6.7 an ACK of 7 bytes is a FRAME_SIZE_ERROR", frame(PING, ACK, 0, bytes(7)),
     Goaway(FRAME_SIZE_ERROR)),
]


@run(SECTION_6_7)
def test_ping(h2, act, outcome):
    outcome.check(h2, act(h2))


def test_6_7_the_answer_has_the_same_bytes(h2):
    payloads = [b"\x00\xff\x80\x7f....", bytes(8), b"\xff" * 8]
    for payload in payloads:
        h2.send_ping(payload)
    h2.wait_for(lambda: len(h2.pings) == 3, "three answers")
    assert [ping.payload for ping in h2.pings] == payloads


def test_6_7_an_answer_is_not_answered(h2):
    h2.send_frame(PING, ACK, 0, b"unasked.")
    is_alive(h2)
    assert b"unasked." not in [ping.payload for ping in h2.received(PING)]


def test_6_7_a_ping_is_answered_while_nothing_else_may_be_sent(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 0})
    client.wait_settings()
    stream = client.request("GET", "/files/1000.bin")
    client.wait_head(stream)
    client.ping()
    assert stream.received == 0


# -- 6.8 GOAWAY -----------------------------------------------------------------------------------

SECTION_6_8 = [
    ("6.8 GOAWAY on an idle stream is a PROTOCOL_ERROR", frame(GOAWAY, 0, 1, bytes(8)),
     Goaway(PROTOCOL_ERROR)),
    ("6.8 GOAWAY on an open stream is a PROTOCOL_ERROR", on_upload(GOAWAY, 0, bytes(8)),
     Goaway(PROTOCOL_ERROR)),
    *[("6.8 GOAWAY of %d bytes is a FRAME_SIZE_ERROR" % n, frame(GOAWAY, 0, 0, bytes(n)),
       Goaway(FRAME_SIZE_ERROR)) for n in (0, 7)],
]


@run(SECTION_6_8)
def test_goaway(h2, act, outcome):
    outcome.check(h2, act(h2))


@pytest.mark.parametrize("last, code, debug", [
    pytest.param(0, NO_ERROR, b"", id="6.8 streams go on after GOAWAY"),
    pytest.param(MAX_WINDOW, NO_ERROR, b"", id="6.8 streams go on after GOAWAY of the highest id"),
    pytest.param(0, NO_ERROR, b"why" * 1000, id="6.8 debug data may be there"),
    pytest.param(0, 0xdeadbeef, b"", id="7 an unknown code of GOAWAY means no harm"),
    pytest.param(RESERVED_BIT, NO_ERROR, b"", id="6.8 the reserved bit of the id is ignored"),
])
def test_after_goaway(h2, last, code, debug):
    stream = upload(h2)
    h2.send_goaway(last, code, debug)
    assert finish(h2, stream).text == "read 4\n"
    h2.wait_closed()
    assert [f.error_code for f in h2.goaways] in ([], [NO_ERROR])


def test_6_8_a_second_goaway_changes_nothing(h2):
    stream = upload(h2)
    h2.send_goaway(MAX_WINDOW - 1)
    h2.send_goaway(0)
    assert finish(h2, stream).text == "read 4\n"
    h2.wait_closed()


def test_6_8_a_ping_after_goaway_is_answered(h2):
    stream = upload(h2)
    h2.send_goaway()
    h2.ping()
    assert finish(h2, stream).text == "read 4\n"


def test_6_8_the_servers_goaway_names_the_last_request_that_it_has_taken(h2):
    for _ in range(3):
        assert h2.get(SMALL).complete
    h2.send_frame(PING, 0, 0, b"short")
    Goaway(FRAME_SIZE_ERROR).check(h2)
    assert h2.goaways[0].last_stream_id == 5


# -- 6.9 WINDOW_UPDATE ----------------------------------------------------------------------------


def grow(increment, on_stream):
    """WINDOW_UPDATE for the connection or for a request that is open."""
    def act(client):
        stream = upload(client)
        client.send_window_update(stream.id if on_stream else 0, increment)
        return stream
    return act


# RFC 9113, 5.4.1: an error of a stream may be taken for one of the connection. nghttp2 1.64 resets
# the stream, 1.70 ends the connection.
OVERFLOW_OF_STREAM = (Goaway if env.nghttp2_version() > (1, 64, 0) else Reset)(FLOW_CONTROL_ERROR)

SECTION_6_9 = [
    # an error of the stream may always be treated as one of the connection, 5.4.1
    ("6.9 an increment of 0 on a stream is a PROTOCOL_ERROR", grow(0, True),
     Goaway(PROTOCOL_ERROR)),
    ("6.9 an increment of 0 on the connection is a PROTOCOL_ERROR", grow(0, False),
     Goaway(PROTOCOL_ERROR)),
    ("6.9 an increment of 0 beside the reserved bit is a PROTOCOL_ERROR",
     frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", RESERVED_BIT)), Goaway(PROTOCOL_ERROR)),
    ("6.9 the reserved bit of the increment is ignored",
     frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", RESERVED_BIT | 1)), Ignored()),
    *[("6.9 WINDOW_UPDATE of %d bytes is a FRAME_SIZE_ERROR" % n,
       frame(WINDOW_UPDATE, 0, 0, bytes(n)), Goaway(FRAME_SIZE_ERROR)) for n in (0, 3, 5)],
    ("6.9 WINDOW_UPDATE of 3 bytes on a stream is a FRAME_SIZE_ERROR",
     on_upload(WINDOW_UPDATE, 0, bytes(3)), Goaway(FRAME_SIZE_ERROR)),
    ("6.9 WINDOW_UPDATE on an idle stream is a PROTOCOL_ERROR",
     frame(WINDOW_UPDATE, 0, 1, WINDOW_FRAMES), Goaway(PROTOCOL_ERROR)),
    ("6.9.1 a window of the stream beyond 2147483647 is a FLOW_CONTROL_ERROR of the stream",
     grow(MAX_WINDOW - 65535 + 1, True), OVERFLOW_OF_STREAM),
    ("6.9.1 a window of the connection beyond 2147483647 is a FLOW_CONTROL_ERROR",
     grow(MAX_WINDOW - 65535 + 1, False), Goaway(FLOW_CONTROL_ERROR)),
    ("6.9.1 the largest increment on the connection is a FLOW_CONTROL_ERROR",
     grow(MAX_WINDOW, False), Goaway(FLOW_CONTROL_ERROR)),
    ("6.9.1 a window of the connection of 2147483647 is allowed",
     frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", MAX_WINDOW - 65535)), Ignored()),
    ("6.9.2 INITIAL_WINDOW_SIZE that brings a window beyond 2147483647 is a FLOW_CONTROL_ERROR",
     then(grow(100000, True), settings((INITIAL_WINDOW_SIZE, MAX_WINDOW))),
     Goaway(FLOW_CONTROL_ERROR)),
]


@run(SECTION_6_9)
def test_window_update(h2, act, outcome):
    outcome.check(h2, act(h2))


def test_6_9_1_a_window_of_the_stream_of_2147483647_is_allowed(h2):
    stream = grow(MAX_WINDOW - 65535, True)(h2)
    assert finish(h2, stream).text == "read 4\n"


def test_6_9_1_growing_beyond_2147483647_in_two_steps_is_an_error_of_the_stream(h2):
    stream = grow(MAX_WINDOW - 65535, True)(h2)
    h2.send_window_update(stream.id, 1)
    OVERFLOW_OF_STREAM.check(h2, stream)


def test_6_9_1_data_beyond_the_stream_s_window_is_a_flow_control_error_of_the_stream(h2, counter):
    stream = h2.request("POST", UPLOAD + "?gate=%s&tag=%s" % (counter.gate(), counter), end=False)
    for _ in range(4):
        h2.send_frame(DATA, 0, stream.id, bytes(RFC_FRAME))
    h2.send_frame(DATA, 0, stream.id, b"x")
    if isinstance(OVERFLOW_OF_STREAM, Reset):
        h2.ping()  # nobody reads before all of it has come
    counter.open()
    OVERFLOW_OF_STREAM.check(h2, stream)


def test_6_9_1_data_up_to_the_window_is_taken(h2, counter):
    stream = h2.request("POST", UPLOAD + "?gate=%s&tag=%s" % (counter.gate(), counter), end=False)
    for size in (16384, 16384, 16384, 16383):
        h2.send_frame(DATA, 0, stream.id, bytes(size))
    h2.ping()
    assert stream.reset is None
    counter.open()
    h2.send_frame(DATA, END_STREAM, stream.id)
    assert h2.wait(stream).text == "read 65535\n"


def test_6_9_1_each_stream_may_fill_its_window(connect, counter):
    client = connect("_few")
    client.wait_settings()
    client.ping()
    streams = [client.request("POST", UPLOAD + "?gate=%s&tag=%s" % (counter.gate(), counter),
                              end=False) for _ in range(3)]
    left = client.send_window
    for stream in streams:
        for size in (16384, 16384, 16384, 16383):
            client.send_frame(DATA, 0, stream.id, bytes(size))
            left -= size
    client.ping()
    counter.open()
    assert left >= 0 and not client.goaways and all(s.reset is None for s in streams)


def test_6_9_1_data_beyond_the_connection_s_window_is_a_flow_control_error(connect, counter):
    """It is as wide as the only stream's here."""
    client = connect("_one")
    client.wait_settings()
    stream = client.request("POST", UPLOAD + "?gate=%s&tag=%s" % (counter.gate(), counter),
                            end=False)
    for size in (16384, 16384, 16384, 16383):
        client.send_frame(DATA, 0, stream.id, bytes(size))
    client.ping()
    assert not client.goaways and stream.reset is None
    client.send_frame(DATA, 0, stream.id, b"x")
    Goaway(FLOW_CONTROL_ERROR).check(client)


@pytest.mark.parametrize("window", [
    pytest.param(window, id="6.9.1 of a stream s window of %d no more is used" % window)
    for window in (0, 1, 10, 999)])
def test_windows_are_respected(connect, window):
    client = connect(settings={INITIAL_WINDOW_SIZE: window}, auto_window=False)
    client.wait_settings()
    stream = client.request("GET", "/files/1000.bin")
    client.wait_head(stream)
    client.wait_bytes(stream, window)
    client.ping()
    assert stream.received == window and not stream.ended
    client.send_window_update(stream.id, 1000 - window)
    assert client.wait(stream).complete and stream.received == 1000


def test_6_9_1_of_the_connection_s_window_no_more_is_used(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 1 << 20}, auto_window=False)
    client.wait_settings()
    stream = client.request("GET", "/files/65537.bin")
    client.wait_bytes(stream, 65535)
    client.ping()
    assert stream.received == 65535
    client.send_window_update(0, 1)
    client.wait_bytes(stream, 65536)
    client.ping()
    assert stream.received == 65536
    client.send_window_update(0, 100)
    assert client.wait(stream).complete


def test_6_9_1_an_empty_response_needs_no_window(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 0}, auto_window=False)
    client.wait_settings()
    assert client.get("/files/0.bin").complete


def test_6_9_2_a_larger_initial_window_counts_for_open_streams(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 10}, auto_window=False)
    client.wait_settings()
    stream = client.request("GET", "/files/1000.bin")
    client.wait_bytes(stream, 10)
    client.ping()
    assert stream.received == 10
    client.send_settings({INITIAL_WINDOW_SIZE: 100})
    client.wait_bytes(stream, 100)
    client.ping()
    assert stream.received == 100
    client.send_window_update(stream.id, 900)
    assert client.wait(stream).complete


def test_6_9_2_initial_window_does_not_change_the_connection_s(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 1 << 20}, auto_window=False)
    client.wait_settings()
    client.send_settings({INITIAL_WINDOW_SIZE: 1 << 24})
    stream = client.request("GET", "/files/1048576.bin")
    client.wait_bytes(stream, 65535)
    client.ping()
    assert stream.received == 65535


def test_6_9_3_a_window_may_become_negative_and_must_be_positive_again(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 500}, auto_window=False)
    client.wait_settings()
    stream = client.request("GET", "/files/1000.bin")
    client.wait_bytes(stream, 500)
    client.send_settings({INITIAL_WINDOW_SIZE: 100})
    client.send_window_update(stream.id, 400)       # exactly none again
    client.ping()
    assert stream.received == 500
    client.send_window_update(stream.id, 1)
    client.wait_bytes(stream, 501)
    client.ping()
    assert stream.received == 501
    client.send_window_update(stream.id, 499)
    assert client.wait(stream).complete

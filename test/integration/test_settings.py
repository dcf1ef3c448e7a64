# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""What our SETTINGS announce is what holds, from a client's first bytes on.

Before a client has acknowledged them it may not know them (RFC 9113, 6.5.3): a smaller window holds
for it from then on, and larger frames and windows may be used from then on.
"""

import random
import string
import struct

import pytest

import environment as env
from conftest import open_client
from h2client import (COMPRESSION_ERROR, DATA, ENHANCE_YOUR_CALM, FLOW_CONTROL_ERROR,
                      FRAME_SIZE_ERROR, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE,
                      MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE, MAX_HEADER_LIST_SIZE, PING,
                      REFUSED_STREAM, SETTINGS, WINDOW_UPDATE, frame_bytes)
from servers import SITE

STREAMS, WINDOW, FRAME, LIST = 3, 70000, 20000, 10000
NARROW, LONG_LIST, LARGEST = 5000, 1 << 20, 2 ** 24 - 1
RFC_WINDOW, RFC_FRAME = 65535, 16384
UNKNOWN_TYPE = 0xbb

CONFIG = SITE + """
H2MaxSessionStreams %d
H2WindowSize %d
H2MaxFrameSize %d
H2MaxHeaderListSize %d
""" % (STREAMS, WINDOW, FRAME, LIST) + "".join("""
<VirtualHost *:{port_tls%s}>
    ServerName a.test
    Protocols h2 http/1.1
    %s
    {tls}
</VirtualHost>
<VirtualHost *:{port_clear%s}>
    ServerName a.test
    Protocols h2c http/1.1
    %s
</VirtualHost>
""" % (name, lines, name, lines) for name, lines in (
    ("", ""),
    ("_narrow", "H2WindowSize %d" % NARROW),
    ("_long",
     "H2MaxHeaderListSize %d\nLimitRequestFields 0\nH2MaxFrameSize %d" % (LONG_LIST, RFC_FRAME)),
    ("_large", "H2MaxFrameSize %d\nH2WindowSize %d" % (LARGEST, 2 * LARGEST))))


@pytest.fixture
def server(servers, mpm):
    return servers.get("settings", mpm, CONFIG, threads=16, ports=[
        scheme + name for name in ("", "_narrow", "_long", "_large") for scheme in ("tls", "clear")])


@pytest.fixture
def connect(server, transport):
    def connect(name="", is_acknowledged=True, **options):
        client = open_client(server, transport, port=transport + name, auto_ack=is_acknowledged,
                             **options)
        if is_acknowledged:
            client.wait_settings()
            client.ping()       # it has arrived before this one
        return client
    return connect


@pytest.fixture(params=[True, False], ids=["acknowledged", "before the ACK"])
def is_acknowledged(request):
    return request.param


def fill_exactly(client, stream, size):
    """Body frames of so many bytes together, whatever the client knows of windows."""
    for begin in range(0, size, RFC_FRAME):
        client.send_frame(DATA, 0, stream.id, bytes(min(RFC_FRAME, size - begin)))


def list_of(fields, size):
    """These and more, so many bytes together as RFC 9113, 6.5.2 counts them; they do not pack."""
    source = random.Random(size)
    fields = list(fields)
    left = size - sum(len(name) + len(value) + 32 for name, value in fields)
    while left:
        name = "x-%05d" % len(fields)
        room = left - len(name) - 32
        length = room if room <= 4000 else min(3000, room - 100)
        fields.append((name, "".join(source.choices(string.ascii_letters, k=length))))
        left -= len(name) + length + 32
    return fields


# -- what is announced ----------------------------------------------------------------------------


@pytest.mark.parametrize("name, changed", [
    ("", {}), ("_narrow", {INITIAL_WINDOW_SIZE: NARROW}),
    ("_long", {MAX_HEADER_LIST_SIZE: LONG_LIST, MAX_FRAME_SIZE: RFC_FRAME}),
    ("_large", {MAX_FRAME_SIZE: LARGEST, INITIAL_WINDOW_SIZE: 2 * LARGEST})])
def test_the_first_frame_announces_what_is_configured(connect, name, changed):
    client = connect(name)
    first = client.received()[0]
    assert first.type == SETTINGS and not first.flags
    announced = dict(struct.iter_unpack(">HI", first.payload))
    expected = {MAX_CONCURRENT_STREAMS: STREAMS, INITIAL_WINDOW_SIZE: WINDOW,
                MAX_FRAME_SIZE: FRAME, MAX_HEADER_LIST_SIZE: LIST, **changed}
    assert {key: announced.get(key) for key in expected} == expected
    assert len(client.received(SETTINGS)) == 2, "nothing follows but the ACK"


# -- streams --------------------------------------------------------------------------------------


def test_a_stream_too_many_is_refused(connect, is_acknowledged, counter):
    client = connect(is_acknowledged=is_acknowledged)
    held = [client.request("GET", "/h2test/gate?gate=%s&tag=%s" % (counter.gate(), counter))
            for _ in range(STREAMS)]
    beyond = client.request("GET", "/files/1.bin")
    assert client.wait_reset(beyond).reset == REFUSED_STREAM
    counter.open()
    client.wait(*held)
    assert all(stream.complete for stream in held) and not client.goaways
    assert client.get("/files/1.bin").complete


# -- windows --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, is_acknowledged, window", [
    ("", True, WINDOW), ("_narrow", True, NARROW),
    ("", False, RFC_WINDOW), ("_narrow", False, RFC_WINDOW)])
def test_a_byte_beyond_the_window_is_a_flow_control_error(connect, counter, name, is_acknowledged,
                                                          window):
    client = connect(name, is_acknowledged)
    stream = client.request("POST", "/h2test/read?gate=%s&tag=%s" % (counter.gate(), counter),
                            end=False)
    fill_exactly(client, stream, window)
    client.ping()
    assert stream.reset is None and not client.goaways
    client.send_frame(DATA, 0, stream.id, b"1")
    client.wait_for(lambda: stream.reset is not None or client.goaways, "an error")
    # of the connection where its window is no larger
    errors = [stream.reset] if stream.reset is not None else [client.goaways[0].error_code]
    assert errors == [FLOW_CONTROL_ERROR]
    counter.open()


def test_a_body_of_exactly_the_window_is_read(connect, counter):
    client = connect()
    stream = client.request("POST", "/h2test/read", end=False)
    fill_exactly(client, stream, WINDOW)
    client.send_frame(DATA, 1, stream.id, b"")
    assert client.wait(stream).text == "read %d\n" % WINDOW


# -- frames ---------------------------------------------------------------------------------------


def frame_limit(is_acknowledged):
    """Nobody may send more before knowing that it is allowed."""
    return FRAME if is_acknowledged else RFC_FRAME


def test_a_frame_of_just_the_limit_is_taken(connect, is_acknowledged):
    client = connect(is_acknowledged=is_acknowledged)
    size = frame_limit(is_acknowledged)
    stream = client.request("POST", "/h2test/read", end=False)
    client.send_frame(DATA, 1, stream.id, bytes(size))
    assert client.wait(stream).text == "read %d\n" % size
    client.send_frame(UNKNOWN_TYPE, 0, 0, bytes(size))
    assert client.get("/files/1.bin").complete


@pytest.mark.parametrize("type", [DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE,
                                  UNKNOWN_TYPE])
def test_a_byte_more_is_a_frame_size_error(connect, is_acknowledged, type):
    client = connect(is_acknowledged=is_acknowledged)
    stream_id = client.request("POST", "/h2test/read", end=False).id \
        if type in (DATA, HEADERS) else 0
    # its head is enough: nobody waits for what is too long
    client.send_raw(frame_bytes(type, 0, stream_id, length=frame_limit(is_acknowledged) + 1))
    assert client.wait_goaway().error_code == FRAME_SIZE_ERROR
    client.wait_closed()


def test_a_field_block_in_large_frames_is_read(connect):
    client = connect("_large")
    stream = client.open()
    client.send_headers(stream.id, list_of(client.request_fields(path="/h2test/info"), LIST))
    assert client.wait(stream).status == 200 and stream.complete


def test_the_largest_frame_needs_no_memory_of_its_size(server, connect):
    client = connect("_large")
    client.fetch("POST", "/h2test/read", body=bytes(RFC_FRAME))
    before = server.resident_kib()
    stream = client.request("POST", "/h2test/read", end=False)
    client.send_raw(frame_bytes(DATA, 1, stream.id, length=LARGEST))
    most, piece = 0, bytes(1 << 18)
    for sent in range(0, LARGEST, len(piece)):
        client.send_raw(piece[:LARGEST - sent])
        if sent % (1 << 21) == 0:
            most = max(most, server.resident_kib() - before)
    assert client.wait(stream).text == "read %d\n" % LARGEST
    assert env.sanitizer or most < 4096, "%d KiB" % most


def test_the_largest_frame_of_an_unknown_type_is_skipped(server, connect):
    client = connect("_large")
    assert client.get("/files/1.bin").complete
    before = server.resident_kib()
    client.send_raw(frame_bytes(UNKNOWN_TYPE, 0, 0, length=LARGEST))
    client.send_raw(bytes(LARGEST))
    assert client.get("/files/1.bin").complete
    assert env.sanitizer or server.resident_kib() - before < 4096


def test_a_large_goaway_is_not_kept_in_memory(connect):
    client = connect("_large")
    client.send_raw(frame_bytes(GOAWAY, 0, 0, bytes(8), length=LARGEST))
    assert client.wait_goaway().error_code == ENHANCE_YOUR_CALM
    client.wait_closed()


def test_a_usual_goaway_is_taken_where_frames_may_be_large(connect):
    client = connect("_large")
    stream = client.request("POST", "/h2test/read", end=False)
    client.send_goaway(debug=bytes(RFC_FRAME - 8))
    client.send_data(stream, b"some", end=True)
    assert client.wait(stream).text == "read 4\n"
    client.wait_closed()
    assert all(frame.error_code == 0 for frame in client.goaways)


# -- field lists ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name, limit", [("", LIST), ("_long", LONG_LIST)])
def test_a_field_list_of_just_the_limit_is_taken(connect, is_acknowledged, name, limit):
    client = connect(name, is_acknowledged)
    stream = client.open()
    client.send_headers(stream.id, list_of(client.request_fields(path="/h2test/info"), limit))
    assert client.wait(stream).status == 200 and stream.complete


@pytest.mark.parametrize("name, limit", [("", LIST), ("_long", LONG_LIST)])
def test_a_byte_more_resets_the_stream(connect, is_acknowledged, name, limit):
    client = connect(name, is_acknowledged)
    stream = client.open()
    client.send_headers(stream.id, list_of(client.request_fields(path="/h2test/info"), limit + 1))
    assert client.wait_reset(stream).reset == ENHANCE_YOUR_CALM
    assert client.get("/files/1.bin").complete and not client.goaways


def test_a_single_field_has_a_limit_of_its_own(connect):
    """nghttp2's, whatever else is allowed: 64 KiB as it is encoded."""
    client = connect("_long")
    fields = client.request_fields(path="/h2test/info")
    stream = client.open()
    client.send_headers(stream.id, [*fields, ("x-long", "{" * 30000)])  # 15 bits each
    assert client.wait(stream).status == 431    # LimitRequestFieldSize
    client.send_headers(client.open().id, [*fields, ("x-long", "{" * 65537)])
    assert client.wait_goaway().error_code == COMPRESSION_ERROR


@pytest.mark.parametrize("beyond", [0, 1])
def test_the_limit_holds_for_trailers(connect, beyond):
    client = connect()
    stream = client.request("POST", "/h2test/read", end=False)
    client.send_headers(stream.id, list_of([], LIST + beyond), end=True)
    client.wait(stream)
    assert stream.complete if not beyond else stream.reset == ENHANCE_YOUR_CALM
    assert client.get("/files/1.bin").complete

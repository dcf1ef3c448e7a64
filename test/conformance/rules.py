# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""What may follow from what a client does, exactly one thing each time, and what must hold for each
frame that the server sends.

    Goaway(code)    the connection ends, with this code
    Reset(code)     the stream ends, with this code; the connection goes on
    Answer(status)  the stream has a complete response; the connection goes on
    Ignored()       nothing follows; the connection goes on
"""

from h2client import (ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS,
                      HTTP_1_1_REQUIRED, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, MAX_WINDOW, PADDED,
                      PING, PUSH_PROMISE, RST_STREAM, SETTINGS, WINDOW_UPDATE)

SMALL = "/files/1.bin"
RFC_WINDOW, RFC_FRAME = 65535, 16384


# -- outcomes -------------------------------------------------------------------------------------


def is_alive(client):
    """The connection serves requests, and has told of no error of its own."""
    client.ping()
    stream = client.get(SMALL)
    assert stream.status == 200 and stream.complete and stream.received == 1
    assert not client.goaways, client.tail()


class Goaway:
    def __init__(self, code):
        self.code = code

    def check(self, client, stream=None, asks=False):
        """`asks`: by a PING, so that a server that goes on is known at once."""
        if asks:
            client.send_ping(b"go away?")
            client.wait_for(lambda: client.goaways or client.pings
                            and client.pings[-1].payload == b"go away?", "GOAWAY")
        assert not asks or client.goaways, client.tail()
        client.wait_goaway(timeout=3)
        client.wait_closed()
        assert [frame.error_code for frame in client.goaways] == [self.code], client.tail()


class Reset:
    def __init__(self, code):
        self.code = code

    def check(self, client, stream):
        client.wait_for(lambda: stream.done or client.goaways, "an end")
        assert stream.reset == self.code and stream.status is None, client.tail()
        is_alive(client)
        assert not others_reset(client, stream), client.tail()


class Answer:
    def __init__(self, status=200):
        self.status = status

    def check(self, client, stream):
        client.wait_for(lambda: stream.done or client.goaways, "an end")
        assert stream.status == self.status and stream.complete, client.tail()
        is_alive(client)
        assert not others_reset(client, stream), client.tail()


class Ignored:
    def check(self, client, stream=None):
        before = len(client.received(RST_STREAM))
        is_alive(client)
        assert len(client.received(RST_STREAM)) == before, client.tail()


def others_reset(client, stream):
    return [frame for frame in client.received(RST_STREAM) if frame.stream_id != stream.id]


# -- what the server sends ------------------------------------------------------------------------

FLAGS = {DATA: END_STREAM | PADDED, HEADERS: END_STREAM | END_HEADERS | PADDED, SETTINGS: ACK,
         PUSH_PROMISE: END_HEADERS | PADDED, PING: ACK, CONTINUATION: END_HEADERS}
ON_CONNECTION = (SETTINGS, PING, GOAWAY)
ON_STREAM = (DATA, HEADERS, RST_STREAM, PUSH_PROMISE, CONTINUATION)
LENGTHS = {RST_STREAM: 4, PING: 8, WINDOW_UPDATE: 4}
CONNECTION_FIELDS = ("connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade")


class Watch:
    """Follows the frames of a connection in their order."""

    def __init__(self, client):
        self.client = client
        self.frame_limit = client.settings.get(MAX_FRAME_SIZE, RFC_FRAME)
        self.initial_window = RFC_WINDOW
        self.credit = {0: RFC_WINDOW}       # for the server: id -> bytes
        self.sent_bytes = {}
        self.asked_whole = set()            # streams whose request had its end in HEADERS
        self.ended, self.reset, self.promised = set(), set(), set()
        self.in_block = None
        self.last_id = MAX_WINDOW

    def on_sent(self, frame):
        if frame.type == HEADERS and frame.flags & END_STREAM:
            self.asked_whole.add(frame.stream_id)
        elif frame.type == WINDOW_UPDATE and len(frame.payload) == 4:
            increment = int.from_bytes(frame.payload, "big") & MAX_WINDOW
            self.credit[frame.stream_id] = self.credit.get(frame.stream_id, 0) + increment
        elif frame.type == SETTINGS:
            self.on_sent_settings(frame.payload)

    def on_sent_settings(self, payload):
        for offset in range(0, len(payload) - 5, 6):
            key = int.from_bytes(payload[offset:offset + 2], "big")
            value = int.from_bytes(payload[offset + 2:offset + 6], "big")
            if key == MAX_FRAME_SIZE:
                self.frame_limit = max(self.frame_limit, value)
            elif key == INITIAL_WINDOW_SIZE:
                # the larger one counts: when the server comes to know of it is its own business
                self.initial_window = max(self.initial_window, value)

    def on_received(self, frame):
        assert frame.length <= self.frame_limit, "4.2"
        assert not frame.flags & ~FLAGS.get(frame.type, 0), "4.1: flags"
        assert not (frame.type in ON_CONNECTION and frame.stream_id), "6: not on a stream"
        assert not (frame.type in ON_STREAM and not frame.stream_id), "6: only on a stream"
        assert frame.length == LENGTHS.get(frame.type, frame.length), "6: length"
        if self.in_block:
            assert frame.type == CONTINUATION and frame.stream_id == self.in_block, "4.3"
        else:
            assert frame.type != CONTINUATION, "6.10"
        if frame.type in (HEADERS, PUSH_PROMISE, CONTINUATION):
            self.in_block = None if frame.flags & END_HEADERS else frame.stream_id
        if frame.type == GOAWAY:
            assert frame.last_stream_id <= self.last_id, "6.8: never a higher one"
            self.last_id = frame.last_stream_id
        if frame.type in (GOAWAY, RST_STREAM):
            assert frame.error_code <= HTTP_1_1_REQUIRED, "7: %d" % frame.error_code
        if frame.stream_id:
            self.on_received_on_stream(frame)

    def on_received_on_stream(self, frame):
        stream_id = frame.stream_id
        if frame.type == PUSH_PROMISE:
            self.promised.add(int.from_bytes(frame.payload[:4], "big"))
        else:
            assert stream_id % 2 or stream_id in self.promised, "5.1.1"
        assert stream_id not in self.reset, "5.1: after RST_STREAM"
        if stream_id in self.ended:
            assert frame.type in (RST_STREAM, WINDOW_UPDATE), "5.1: after END_STREAM"
            assert stream_id not in self.asked_whole, "5.1: closed"
        if frame.type == DATA:
            self.spend(0, RFC_WINDOW, frame.length)
            self.spend(stream_id, self.initial_window, frame.length)
        if frame.type == RST_STREAM:
            self.reset.add(stream_id)
        if frame.type in (DATA, HEADERS) and frame.flags & END_STREAM:
            self.ended.add(stream_id)

    def spend(self, stream_id, initial, length):
        self.sent_bytes[stream_id] = self.sent_bytes.get(stream_id, 0) + length
        credit = self.credit.get(stream_id, 0) + (0 if stream_id == 0 else initial)
        assert self.sent_bytes[stream_id] <= credit, "5.2.1: more than the window"


def check_fields(fields):
    for name, value in fields:
        assert name == name.lower() and not name.startswith(":"), "8.2, 8.3: " + name
        assert name not in CONNECTION_FIELDS, "8.2.2: " + name
        assert not set(value) & set("\0\r\n") and value == value.strip(" \t"), "8.2.1: " + name


def check_what_the_server_sent(client):
    """Holds for every connection, whatever its client did."""
    received = client.received()
    assert not received or (received[0].type == SETTINGS and not received[0].flags), "3.4"
    watch = Watch(client)
    for frame in client.frames:
        try:
            (watch.on_sent if frame.sent else watch.on_received)(frame)
        except AssertionError as error:
            raise AssertionError("%s: %r\n%s" % (error, frame, client.tail(30))) from None
    for stream in client.streams.values():
        check_fields(stream.fields)
        check_fields(stream.trailers or ())
        for status, fields in stream.interim:
            assert status != 101, "8.6"
            check_fields(fields)

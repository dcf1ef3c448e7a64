# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""What a client does wrong on purpose, so that we reset streams or answer for them."""

import struct
import time

import pytest

import environment as env
from rawclient import (ACK, ALTSVC, CALM, CONTINUATION, DATA, END_HEADERS, END_STREAM,
                       FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, GOAWAY, HEADERS, INITIAL_WINDOW_SIZE,
                       MAX_FRAME_SIZE, MAX_WINDOW, ENABLE_PUSH, PADDED, PING, PRIORITY,
                       PRIORITY_UPDATE, PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM, RST_STREAM,
                       SETTINGS, STREAM_CLOSED, WINDOW_UPDATE, block, field, frame, head, headers, priority,
                       reset, settings, window_update)

BURST = 200             # of H2MaxClientErrors
RATE = 10
SESSION_STREAMS = 100   # H2MaxSessionStreams
BAD = 8                 # H2MaxStreamErrors: so often a client may break flow control


def stream_id(i):
    return 2 * i + 1


def assert_bounded(client, seconds):
    """By the burst, its rate, and useful work. A stream counts when its RST_STREAM goes out: as many
    as may be open are under way. Those beyond are refused and count a tenth."""
    refused = list(client.resets.values()).count(REFUSED_STREAM)
    bad = BURST + RATE * seconds + len(client.ended) + SESSION_STREAMS
    assert client.last_stream_id <= stream_id(bad + refused) and refused <= 10 * bad


# -- row 14: made you reset -------------------------------------------------------------------------

# name: what follows the HEADERS of a POST (is_open) or of a GET, the allowed codes of the end
MADE_YOU_RESET = {
    "window-update-of-0": (False, lambda i: window_update(i, 0), {CALM, PROTOCOL_ERROR}),
    "window-overflow": (False, lambda i: window_update(i, MAX_WINDOW),
                        {CALM, PROTOCOL_ERROR, FLOW_CONTROL_ERROR}),
    "headers-after-the-end": (False, lambda i: headers(i, [("x-late", "1")]),
                              {CALM, STREAM_CLOSED}),
    "data-after-the-end": (False, lambda i: frame(DATA, 0, i, b"late"), {CALM, STREAM_CLOSED}),
    "priority-of-bad-length": (False, lambda i: frame(PRIORITY, 0, i, b"1234"),
                               {CALM, FRAME_SIZE_ERROR}),
    "headers-that-depend-on-themselves": (None, None, {CALM, PROTOCOL_ERROR}),
    "trailers-without-an-end": (True, lambda i: headers(i, [("x-late", "1")], end=False), {CALM}),
    "malformed": (False, lambda i: b"", {CALM}),
    "body-longer-than-announced": (True, lambda i: frame(DATA, 0, i, b"123456"), {CALM}),
}


def request_of(kind, i, path):
    is_open, follow, _ = MADE_YOU_RESET[kind]
    if follow is None:
        payload = struct.pack(">IB", i, 15) + block(head(path))
        return frame(HEADERS, END_HEADERS | END_STREAM | 0x20, i, payload)
    extra = [("content-length", "5")] if is_open else []
    extra += [("connection", "close")] if kind == "malformed" else []
    fields = head(path, method="POST" if is_open else "GET", extra=extra)
    return headers(i, fields, end=not is_open) + follow(i)


@pytest.mark.row(14)
@pytest.mark.parametrize("kind", MADE_YOU_RESET)
def test_who_makes_us_reset_streams_comes_to_an_end(attack, kind):
    client = attack.connect()
    client.flood(*[request_of(kind, stream_id(i), attack.path("sleep", "ms=20"))
                   for i in range(2000)])
    attack.ends(client, *MADE_YOU_RESET[kind][2])
    assert_bounded(client, time.monotonic() - client.born)


@pytest.mark.row(14)
def test_a_priority_of_itself_costs_what_any_priority_costs(attack):
    client = attack.connect()
    stream = client.request(attack.gate())
    client.flood(*[priority(stream, stream)] * 20000)
    attack.ends(client, CALM, PROTOCOL_ERROR)


@pytest.mark.row(14, 15)
def test_all_of_them_are_in_one_budget(attack):
    kinds = ["trailers-without-an-end", "body-longer-than-announced", "malformed"]
    client = attack.connect()
    for i in range(2000):
        if not client.send(request_of(kinds[i % 3], stream_id(i), attack.path("sleep", "ms=20"))):
            break
    attack.ends(client, CALM)
    assert_bounded(client, time.monotonic() - client.born)


@pytest.mark.row(14)
def test_an_overflow_amid_a_response_ends_it_and_at_last_the_connection(attack):
    client = attack.connect(own_settings=[(INITIAL_WINDOW_SIZE, 1000)])
    for i in range(300):
        if client.closed or client.goaways:
            break
        stream = client.request("/files/1048576.bin")
        assert client.wait(lambda: client.bodies[stream] or client.goaways)
        client.send(window_update(stream, MAX_WINDOW) * 2)
        assert client.wait(lambda: stream in client.resets or client.goaways), "%r" % client
    attack.ends(client, CALM, PROTOCOL_ERROR, FLOW_CONTROL_ERROR)
    if env.nghttp2_version() <= (1, 64, 0):     # 1.70 ends the connection for the first one
        assert {FLOW_CONTROL_ERROR} == set(client.resets.values())


@pytest.mark.row(14)
def test_some_mistakes_are_forgiven(attack):
    client = attack.connect()
    for _ in range(50):
        assert client.get(extra=[("connection", "close")]) == "RST PROTOCOL_ERROR"
    attack.lives(client)


# -- row 15: bodies that are not as long as announced -----------------------------------------------


@pytest.mark.row(15)
@pytest.mark.parametrize("length, body", [("5", b"123"), ("5", b"1234567"), ("5", b"")],
                         ids=["shorter", "longer", "none"])
def test_lengths_that_do_not_match_end_the_connection_at_last(attack, length, body):
    client = attack.connect()
    for _ in range(500 * env.SLOWER):  # more than the rate allows in the time that they take
        stream = client.next_id
        client.next_id += 2
        fields = head(attack.path("read"), method="POST", scheme=client.scheme,
                      extra=[("content-length", length)])
        if not client.send(headers(stream, fields, end=not body)
                           + (frame(DATA, END_STREAM, stream, body) if body else b"")):
            break
    attack.ends(client, CALM)
    assert set(client.resets.values()) <= {PROTOCOL_ERROR, REFUSED_STREAM}
    assert_bounded(client, time.monotonic() - client.born)
    assert not client.statuses or set(client.statuses.values()) == {400}


# -- row 24 in numbers: each bad request counts -----------------------------------------------------


@pytest.mark.row(24)
def test_malformed_requests_end_the_connection_at_last(attack):
    client = attack.connect()
    client.flood(*[headers(stream_id(i), head(extra=[("connection", "close")]))
                   for i in range(2000)])
    attack.ends(client, CALM)
    assert client.last_stream_id <= stream_id(BURST + 50 * env.SLOWER)


# -- row 29: more streams than are allowed ----------------------------------------------------------


@pytest.mark.row(29)
@pytest.mark.parametrize("when", ["in-the-first-bytes", "after-settings"])
def test_the_limit_of_streams_holds(attack, when):
    client = attack.connect()
    if when == "after-settings":
        client.ping()
        client.read_for(0.1)
    path = attack.gate()
    client.next_id = 301
    client.send(b"".join(headers(stream_id(i), head(path, scheme=client.scheme))
                         for i in range(150)))
    client.ping()
    assert set(client.resets) == {stream_id(i) for i in range(100, 150)}
    assert set(client.resets.values()) == {REFUSED_STREAM}
    attack.counter.open("")
    assert client.wait(lambda: all(stream_id(i) in client.ended for i in range(100)))
    attack.lives(client)


@pytest.mark.row(29)
def test_a_flood_of_streams_beyond_the_limit_ends_the_connection(attack):
    client = attack.connect()
    path = attack.gate()
    client.flood(*[headers(stream_id(i), head(path)) for i in range(20000)])
    attack.ends(client, CALM)


# -- row 30: errors that end the connection ---------------------------------------------------------


def padded(kind, flags, stream, pad, payload=b"x"):
    return frame(kind, flags | PADDED, stream, bytes((pad,)) + payload)


GET = headers(1, head())
POST = headers(1, head("/h2test/read", method="POST"), end=False)
CONNECTION_ERRORS = {
    "push-promise": (POST + frame(PUSH_PROMISE, END_HEADERS, 1,
                                  struct.pack(">I", 2) + block(head())), {PROTOCOL_ERROR}),
    "even-id": (headers(2, head()), {PROTOCOL_ERROR}),
    "headers-on-stream-0": (headers(0, head()), {PROTOCOL_ERROR}),
    "data-on-stream-0": (frame(DATA, 0, 0, b"x"), {PROTOCOL_ERROR}),
    "reset-of-stream-0": (reset(0), {PROTOCOL_ERROR}),
    "priority-of-stream-0": (priority(0), {PROTOCOL_ERROR}),
    "continuation-on-stream-0": (frame(CONTINUATION, END_HEADERS, 0), {PROTOCOL_ERROR}),
    "settings-on-a-stream": (frame(SETTINGS, 0, 1), {PROTOCOL_ERROR}),
    "ping-on-a-stream": (frame(PING, 0, 1, bytes(8)), {PROTOCOL_ERROR}),
    "goaway-on-a-stream": (frame(GOAWAY, 0, 1, bytes(8)), {PROTOCOL_ERROR}),
    "data-too-long": (POST + frame(DATA, 0, 1, bytes(16385)), {FRAME_SIZE_ERROR}),
    "headers-too-long": (frame(HEADERS, END_HEADERS, 1, bytes(16385)), {FRAME_SIZE_ERROR}),
    "settings-too-long": (frame(SETTINGS, 0, 0, bytes(16386)), {FRAME_SIZE_ERROR}),
    "unknown-too-long": (frame(0x77, 0, 0, bytes(16385)), {FRAME_SIZE_ERROR}),
    "settings-of-5-bytes": (frame(SETTINGS, 0, 0, bytes(5)), {FRAME_SIZE_ERROR}),
    "settings-ack-with-payload": (frame(SETTINGS, ACK, 0, bytes(6)), {FRAME_SIZE_ERROR}),
    "ping-of-7-bytes": (frame(PING, 0, 0, bytes(7)), {FRAME_SIZE_ERROR}),
    "window-update-of-3-bytes": (frame(WINDOW_UPDATE, 0, 0, bytes(3)), {FRAME_SIZE_ERROR}),
    "goaway-of-7-bytes": (frame(GOAWAY, 0, 0, bytes(7)), {FRAME_SIZE_ERROR}),
    "reset-of-3-bytes": (GET + frame(RST_STREAM, 0, 1, bytes(3)), {FRAME_SIZE_ERROR}),
    "enable-push-of-2": (settings((ENABLE_PUSH, 2)), {PROTOCOL_ERROR}),
    "initial-window-too-large": (settings((INITIAL_WINDOW_SIZE, 1 << 31)), {FLOW_CONTROL_ERROR}),
    "max-frame-size-too-small": (settings((MAX_FRAME_SIZE, 16383)), {PROTOCOL_ERROR}),
    "max-frame-size-too-large": (settings((MAX_FRAME_SIZE, 1 << 24)), {PROTOCOL_ERROR}),
    "initial-window-that-overflows-a-stream": (
        headers(1, head("/h2test/gate?max=1000")) + window_update(1, MAX_WINDOW - 65535)
        + settings((INITIAL_WINDOW_SIZE, 65536)), {FLOW_CONTROL_ERROR}),
    "window-overflow-of-the-connection": (window_update(0, MAX_WINDOW), {FLOW_CONTROL_ERROR}),
    "window-update-of-0": (window_update(0, 0), {PROTOCOL_ERROR}),
    "reset-of-an-idle-stream": (reset(1), {PROTOCOL_ERROR}),
    "window-update-of-an-idle-stream": (window_update(1, 1), {PROTOCOL_ERROR}),
    "data-on-an-idle-stream": (frame(DATA, 0, 1, b"x"), {PROTOCOL_ERROR}),
    "data-padded-too-long": (POST + padded(DATA, 0, 1, 200), {PROTOCOL_ERROR}),
    "data-padded-without-length": (POST + frame(DATA, PADDED, 1), {PROTOCOL_ERROR,
                                                                   FRAME_SIZE_ERROR}),
    "headers-padded-too-long": (padded(HEADERS, END_HEADERS | END_STREAM, 1, 200),
                                {PROTOCOL_ERROR}),
    "continuation-alone": (frame(CONTINUATION, END_HEADERS, 1), {PROTOCOL_ERROR}),
    "ping-within-a-block": (frame(HEADERS, END_STREAM, 1, block(head()))
                            + frame(PING, 0, 0, bytes(8)), {PROTOCOL_ERROR}),
    "other-stream-within-a-block": (frame(HEADERS, END_STREAM, 1, block(head()))
                                    + frame(CONTINUATION, END_HEADERS, 3), {PROTOCOL_ERROR}),
    "unknown-within-a-block": (frame(HEADERS, END_STREAM, 1, block(head()))
                               + frame(0x77, 0, 0), {PROTOCOL_ERROR}),
}


def settle(failures):
    assert not failures, "\n".join("%s: %s" % pair for pair in failures.items())


@pytest.mark.row(30)
def test_errors_of_the_protocol_end_the_connection_within_a_second(attack):
    failures = {}
    for name, (data, codes) in CONNECTION_ERRORS.items():
        client = attack.connect(is_wide=False)
        client.send(data)
        try:
            attack.ends(client, *codes, timeout=1)
        except AssertionError as error:
            failures[name] = error
        client.close()
    settle(failures)


# -- row 31: frames that nobody asked for -----------------------------------------------------------


@pytest.mark.row(31)
def test_settings_acks_that_nobody_waits_for_end_the_connection(attack):
    client = attack.connect()
    client.flood(*[frame(SETTINGS, ACK)] * 1000)
    attack.ends(client, CALM, PROTOCOL_ERROR)


@pytest.mark.row(31)
@pytest.mark.parametrize("kind", [ALTSVC, 0xb, 0xc, 0x77, 0xff])
@pytest.mark.parametrize("stream", [0, 1])
def test_types_that_are_not_for_a_server_are_ignored(attack, kind, stream):
    client = attack.connect()
    for payload in (b"", b"x", bytes(100), bytes(16384)):
        client.send(frame(kind, 0xff, stream, payload))
    attack.lives(client)
    for payload in (b"", b"x", bytes(16384)):
        client.send(frame(kind, 0, stream, payload))
    attack.lives(client)


@pytest.mark.row(31)
def test_a_flood_of_unknown_types_ends_the_connection(attack):
    client = attack.connect()
    client.flood(*[frame(0x77, 0, 0, b"x") * 100] * 200)
    attack.ends(client, CALM)


@pytest.mark.row(31)
@pytest.mark.parametrize("payload", [b"", b"\0\0\0"])
def test_a_priority_update_that_is_too_short_is_a_frame_size_error(attack, payload):
    client = attack.connect()
    client.send(frame(PRIORITY_UPDATE, 0, 0, payload))
    attack.ends(client, FRAME_SIZE_ERROR)


@pytest.mark.row(31)
@pytest.mark.parametrize("stream, target", [(1, 1), (0, 0)])
def test_a_priority_update_for_no_request_or_on_a_stream_is_a_protocol_error(
        attack, stream, target):
    client = attack.connect()
    client.send(frame(PRIORITY_UPDATE, 0, stream, struct.pack(">I", target) + b"u=1"))
    attack.ends(client, PROTOCOL_ERROR)


# -- row 42: frames on streams that are not open ----------------------------------------------------

GA, IGNORED = "GA", "ignored"
FRAMES = {
    "DATA": lambda i: frame(DATA, 0, i, bytes(100)),
    "HEADERS": lambda i: headers(i, [("x-late", "1")]),
    "RST_STREAM": reset,
    "WINDOW_UPDATE": lambda i: window_update(i, 100),
    "PRIORITY": lambda i: priority(i),
    "unknown": lambda i: frame(0x77, 0, i, b"x"),
}
# state: (what is sent before, the stream, the code of the GOAWAY for each frame; else it is ignored)
STATES = {
    "idle": dict(DATA=PROTOCOL_ERROR, RST_STREAM=PROTOCOL_ERROR, WINDOW_UPDATE=PROTOCOL_ERROR),
    "idle-even": dict(DATA=PROTOCOL_ERROR, HEADERS=PROTOCOL_ERROR, RST_STREAM=PROTOCOL_ERROR,
                      WINDOW_UPDATE=PROTOCOL_ERROR),
    "skipped": dict(DATA=STREAM_CLOSED, HEADERS=PROTOCOL_ERROR),
    "ended-by-the-client": dict(DATA=STREAM_CLOSED, HEADERS=STREAM_CLOSED),
    "ended-by-trailers": dict(DATA=STREAM_CLOSED, HEADERS=STREAM_CLOSED),
    "ended-by-the-client-and-reset-by-us": dict(DATA=STREAM_CLOSED, HEADERS=STREAM_CLOSED),
    "reset-by-the-client": dict(DATA=STREAM_CLOSED, HEADERS=STREAM_CLOSED),
    "reset-by-us": dict(),
}
FIRST = 5       # the stream in question; 1 and 3 are used up or skipped


def reset_by_us(client, stream):
    if env.nghttp2_version() > (1, 64, 0):
        pytest.skip("1.70 ends the connection where it has reset the stream before")
    client.send(window_update(stream, MAX_WINDOW) * 2)
    assert client.wait(lambda: stream in client.resets), "%r" % client
    return stream


def come_to(client, attack, state, is_answered):
    """Brings stream FIRST to the state; with its response out or still to come."""
    path = "/files/1.bin" if is_answered else attack.gate()
    post = head("/h2test/read" if is_answered else attack.gate(), method="POST",
                scheme=client.scheme)
    get = head(path, scheme=client.scheme)
    if state == "idle":
        return 7
    if state == "idle-even":
        return 6
    if state == "skipped":
        client.send(headers(FIRST, get))
        return 3
    if state == "ended-by-the-client":
        client.send(headers(FIRST, get))
    elif state == "ended-by-trailers":
        client.send(headers(FIRST, post, end=False) + frame(DATA, 0, FIRST, b"x")
                    + headers(FIRST, [("x-sum", "1")]))
    elif state == "ended-by-the-client-and-reset-by-us":
        # answered: as much of it as the window takes
        client.send(headers(FIRST, head("/files/1048576.bin" if is_answered else attack.gate(),
                                        scheme=client.scheme)))
        if is_answered:
            assert client.wait(lambda: client.bodies[FIRST])
        return reset_by_us(client, FIRST)
    elif state == "reset-by-the-client":
        client.send(headers(FIRST, post, end=False) + reset(FIRST))
        return FIRST
    elif state == "reset-by-us":
        client.send(headers(FIRST, post, end=False))
        return reset_by_us(client, FIRST)
    if is_answered:
        assert client.wait_response(FIRST) == 200, "%r" % client
        client.ping()
    return FIRST


@pytest.mark.row(42)
@pytest.mark.parametrize("is_answered", [True, False], ids=["answered", "unanswered"])
@pytest.mark.parametrize("state", STATES)
def test_what_comes_on_a_stream_that_is_not_open_is_treated_by_the_table(
        attack, state, is_answered):
    failures = {}
    for name, make in FRAMES.items():
        if state == "idle" and name == "HEADERS":
            continue            # opens it
        for _ in range(3):      # alike each time
            client = attack.connect()
            stream = come_to(client, attack, state, is_answered)
            resets = dict(client.resets)
            client.send(make(stream))
            code = STATES[state].get(name)
            try:
                if code is not None:
                    attack.ends(client, code)
                else:
                    client.next_id = 11
                    attack.lives(client)
                    assert client.resets == resets, "a reset in reply: %r" % client
            except AssertionError as error:
                failures[name] = error
            client.close()
            attack.clients.clear()
    attack.note = "by the table"
    settle(failures)


@pytest.mark.row(42)
def test_data_that_is_discarded_gives_the_connections_window_back(attack):
    client = attack.connect("_free")
    for _ in range(BAD):
        stream = client.request("/h2test/read", method="POST", end=False)
        reset_by_us(client, stream)
        client.send(frame(DATA, 0, stream, bytes(16384)) * 3)
    attack.lives(client)
    sent = BAD * 3 * 16384
    assert client.credit.get(0, 0) >= sent - 3 * 16384, "the window shrinks: %s" % client.credit


@pytest.mark.row(42)
def test_ids_that_go_down_are_a_protocol_error(attack):
    for _ in range(5):
        client = attack.connect()
        client.send(headers(5, head("/files/1.bin")) + headers(3, head("/files/1.bin")))
        attack.ends(client, PROTOCOL_ERROR)


@pytest.mark.row(42)
def test_a_block_that_is_discarded_is_decoded(attack):
    """Else the tables of the two sides differ from then on."""
    client = attack.connect()
    stream = client.request("/h2test/read", method="POST", end=False)
    reset_by_us(client, stream)
    client.send(headers(stream, field("x-sum", "1") + field("x-kept", "yes", 0x40)))
    client.send(headers(11, block(head("/cgi/env", scheme=client.scheme)) + b"\xbe"))
    assert client.wait_response(11) == 200
    assert b"HTTP_X_KEPT=yes" in client.bodies[11]

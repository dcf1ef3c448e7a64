# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""RFC 9113, 5.1: frames on streams that are not open.

What a frame means does not depend on when it comes: at once behind the one that has closed the
stream, in the same segment; when its response is there; when a hundred others have been served
since.
Nor on whether its request still runs. What a client has sent before it knew that the stream was
reset is never an error of its own.
"""

import struct

import pytest

from environment import wait_until
from h2client import (CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS,
                      INITIAL_WINDOW_SIZE, MAX_WINDOW, NO_ERROR, PRIORITY, PROTOCOL_ERROR,
                      REFUSED_STREAM, RST_STREAM, STREAM_CLOSED, WINDOW_UPDATE)
from rules import RFC_FRAME, SMALL, Goaway, Ignored, is_alive

UNKNOWN = 0xbb
LATE_FIELD = ("x-late", "its value")
LATER_REQUESTS = 100        # as many as the server keeps nothing of by then

FRAMES = {
    "DATA": (DATA, 0, b"late"),
    "DATA with END_STREAM": (DATA, END_STREAM, b"late"),
    "HEADERS": (HEADERS, END_HEADERS | END_STREAM, None),      # trailers, as they may be in flight
    "RST_STREAM": (RST_STREAM, 0, struct.pack(">I", CANCEL)),
    "WINDOW_UPDATE": (WINDOW_UPDATE, 0, struct.pack(">I", 1000)),
    "PRIORITY": (PRIORITY, 0, struct.pack(">IB", 0, 15)),
    "an unknown type": (UNKNOWN, 0xff, b"whatever"),
    "CONTINUATION": (CONTINUATION, END_HEADERS, b""),
}


def send(client, name, stream_id):
    type, flags, payload = FRAMES[name]
    if payload is None:
        payload = client.encoder.encode([LATE_FIELD])
    client.send_frame(type, flags, stream_id, payload)


def params(table):
    """(frame, state, outcome) of each place in the table."""
    return [(name, state, outcome, "5.1 %s on %s is %s" % (name, state, says))
            for state, row in table.items() for name, (outcome, says) in row.items()]


def run(cases):
    """(frame, state, outcome, name, when)"""
    return pytest.mark.parametrize("name, state, outcome, when", [
        pytest.param(name, state, outcome, when, id="%s %s" % (says, when))
        for name, state, outcome, says, when in cases])


def ga(code, name):
    return Goaway(code), "a " + name


A_PROTOCOL_ERROR = ga(PROTOCOL_ERROR, "PROTOCOL_ERROR")
A_STREAM_CLOSED = ga(STREAM_CLOSED, "STREAM_CLOSED error")
IGNORED = Ignored(), "ignored"


# -- streams that have never been open ------------------------------------------------------------

IDLE = {
    "DATA": A_PROTOCOL_ERROR, "DATA with END_STREAM": A_PROTOCOL_ERROR,
    "RST_STREAM": A_PROTOCOL_ERROR, "WINDOW_UPDATE": A_PROTOCOL_ERROR,
    "CONTINUATION": A_PROTOCOL_ERROR, "PRIORITY": IGNORED, "an unknown type": IGNORED,
}
NEVER_OPEN = {
    "an idle stream": IDLE,
    "a stream of even id": {**IDLE, "HEADERS": A_PROTOCOL_ERROR},
    "a stream that was skipped": {
        "DATA": A_STREAM_CLOSED, "DATA with END_STREAM": A_STREAM_CLOSED,
        "HEADERS": A_PROTOCOL_ERROR, "RST_STREAM": IGNORED, "WINDOW_UPDATE": IGNORED,
        "CONTINUATION": A_PROTOCOL_ERROR, "PRIORITY": IGNORED, "an unknown type": IGNORED},
}


@run([(*case, when) for case in params(NEVER_OPEN) for when in ("soon", "after many requests")])
def test_streams_that_were_never_open(h2, name, state, outcome, when):
    h2.get(SMALL)
    if state == "a stream that was skipped":
        h2.next_id = 11
    h2.get(SMALL)
    if when == "after many requests":
        h2.wait(*[h2.request("GET", SMALL) for _ in range(LATER_REQUESTS)])
    send(h2, name, {"an idle stream": h2.next_id + 100, "a stream of even id": 2,
                    "a stream that was skipped": 5}[state])
    check(h2, None, outcome, None)


# -- streams that have been open ------------------------------------------------------------------
# Each of these closes a stream in its way; `hold` is the path of a request that runs until its gate
# opens, or None where it may be over soon; pause() lets it begin.

UPLOAD = "/h2test/read"     # it does not answer before the body has ended


def ended_by_headers(client, hold, pause):
    return client.request("GET", hold or "/h2test/write?n=7")


def ended_by_data(client, hold, pause):
    stream = client.request("POST", hold or UPLOAD, end=False)
    client.send_frame(DATA, END_STREAM, stream.id, b"body")
    return stream


def ended_by_trailers(client, hold, pause):
    stream = client.request("POST", hold or UPLOAD, end=False)
    client.send_headers(stream.id, [("x-trailer", "yes")])
    return stream


def ended_and_reset_by_client(client, hold, pause):
    stream = client.request("GET", hold or SMALL)
    pause()
    client.send_reset(stream)
    return stream


def reset_by_client(client, hold, pause):
    stream = client.request("POST", hold or UPLOAD, end=False)
    pause()
    client.send_reset(stream)
    return stream


def malformed_and_ended(client, hold, pause):
    return client.request("GET", SMALL, headers=[("connection", "close")])


def malformed(client, hold, pause):
    return client.request("POST", SMALL, headers=[("connection", "close")], end=False)


def reset_by_server(client, hold, pause):
    """For its content, which is longer than it has said."""
    stream = client.request("POST", hold or UPLOAD, end=False, headers=[("content-length", "3")])
    pause()
    client.send_frame(DATA, 0, stream.id, b"body")
    return stream


def answered_early(client, hold, pause):
    """Reset with NO_ERROR: the response is complete, the request is not."""
    return client.request("POST", "/h2test/noread?n=7", end=False)


CLOSED_BY_CLIENT = {
    "DATA": A_STREAM_CLOSED, "DATA with END_STREAM": A_STREAM_CLOSED, "HEADERS": A_STREAM_CLOSED,
    "RST_STREAM": IGNORED, "WINDOW_UPDATE": IGNORED, "PRIORITY": IGNORED,
    "an unknown type": IGNORED, "CONTINUATION": A_PROTOCOL_ERROR}
CLOSED_BY_SERVER = {
    **CLOSED_BY_CLIENT, "DATA": IGNORED, "DATA with END_STREAM": IGNORED, "HEADERS": IGNORED}
# how it is closed, does its request run then, what follows, the code of the server's own reset
CLOSED = {
    "a stream that HEADERS have ended": (ended_by_headers, True, CLOSED_BY_CLIENT, None),
    "a stream that DATA has ended": (ended_by_data, True, CLOSED_BY_CLIENT, None),
    "a stream that trailers have ended": (ended_by_trailers, True, CLOSED_BY_CLIENT, None),
    "a stream that the client has ended and reset": (ended_and_reset_by_client, True,
                                                     CLOSED_BY_CLIENT, None),
    "a stream that the client has reset": (reset_by_client, True, CLOSED_BY_CLIENT, None),
    "a malformed stream that has ended": (malformed_and_ended, False, CLOSED_BY_CLIENT,
                                          PROTOCOL_ERROR),
    "a malformed stream": (malformed, False, CLOSED_BY_SERVER, PROTOCOL_ERROR),
    "a stream that the server has reset": (reset_by_server, True, CLOSED_BY_SERVER, PROTOCOL_ERROR),
    "a stream with an early response": (answered_early, False, CLOSED_BY_SERVER, NO_ERROR),
}
AT_ONCE, RUNNING, AFTER, LONG_AFTER = ("at once", "while its request runs", "after its response",
                                       "after many requests")


@run([(*case, when) for case in params({state: row[2] for state, row in CLOSED.items()})
      for when in (AT_ONCE, RUNNING, AFTER, LONG_AFTER) if when != RUNNING or CLOSED[case[1]][1]])
def test_streams_that_have_been_open(h2, counter, name, state, outcome, when):
    close, _, _, code = CLOSED[state]
    hold = "/h2test/gate?n=7&gate=%s&tag=%s" % (counter.gate(), counter)
    if when == AT_ONCE:
        with h2.cork():
            stream = close(h2, hold, lambda: None)
            send(h2, name, stream.id)
    else:
        def begin():
            if when == RUNNING:
                wait_until(lambda: counter.started == 1, "its request to run")
        stream = close(h2, hold if when == RUNNING else None, begin)
        begin()
        wait_for(h2, stream, when, code)
        send(h2, name, stream.id)
    check(h2, stream, outcome, code)


def wait_for(client, stream, when, code):
    """Until the moment has come; the client has read what there is to be read."""
    if code is not None:
        client.wait_reset(stream)
    elif when != RUNNING and not has_reset(client, stream):
        client.wait(stream)
    client.ping()
    if when == LONG_AFTER:
        client.wait(*[client.request("GET", SMALL) for _ in range(LATER_REQUESTS)])


def has_reset(client, stream):
    return any(f.sent and f.type == RST_STREAM and f.stream_id == stream.id for f in client.frames)


def check(client, stream, outcome, code):
    """Also that the server sends no other reset than the one that it may have sent anyway, and that
    both sides still have the same table of fields."""
    if isinstance(outcome, Goaway):
        outcome.check(client, asks=True)
        return
    is_alive(client)
    assert client.get(SMALL, headers=[LATE_FIELD]).complete
    resets = [(f.stream_id, f.error_code) for f in client.received(RST_STREAM)]
    assert resets in ([], [(stream and stream.id, code)]), client.tail()


# -- what else a closed stream means --------------------------------------------------------------


def test_5_1_what_is_discarded_is_given_back_to_the_connection_s_window(connect):
    client = connect("_few")
    client.wait_settings()
    client.ping()
    stream = malformed(client, None, None)
    client.wait_reset(stream)
    begun = client.send_window
    for _ in range(2 * begun // RFC_FRAME):
        client.wait_for(lambda: client.send_window >= RFC_FRAME, "credit of the connection")
        client.send_frame(DATA, 0, stream.id, bytes(RFC_FRAME))
        client.send_window -= RFC_FRAME
    is_alive(client)
    assert len(client.received(RST_STREAM)) == 1


def test_5_1_padding_of_what_is_discarded_is_given_back_too(connect):
    client = connect("_few")
    client.wait_settings()
    client.ping()
    stream = malformed(client, None, None)
    client.wait_reset(stream)
    frame = b"\xff" + bytes(RFC_FRAME - 1)
    for _ in range(2 * client.send_window // RFC_FRAME):
        client.wait_for(lambda: client.send_window >= RFC_FRAME, "credit of the connection")
        client.send_frame(DATA, 0x8, stream.id, frame)
        client.send_window -= RFC_FRAME
    is_alive(client)


def test_5_1_window_update_after_end_stream_lets_a_response_go_on(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 0}, auto_window=False)
    client.wait_settings()
    stream = client.request("GET", "/files/1000.bin")
    client.wait_head(stream)
    client.send_window_update(stream.id, 1000)
    assert client.wait(stream).complete and stream.received == 1000


def test_5_1_a_stream_of_a_push_may_be_reset_by_the_client_late(h2):
    assert h2.get("/pushing/write?n=1").complete
    h2.wait(*h2.pushed)
    for stream in h2.pushed:
        h2.send_reset(stream)
        h2.send_window_update(stream.id, 1)
    is_alive(h2)


@run([(*case, "after its response") for case in params({"a promised stream": {
    "DATA": A_STREAM_CLOSED, "HEADERS": A_STREAM_CLOSED, "PRIORITY": IGNORED}})])
def test_promised_streams(h2, name, state, outcome, when):
    """The client has no side of them."""
    h2.get("/pushing/write?n=1")
    h2.wait(*h2.pushed)
    send(h2, name, h2.pushed[0].id)
    check(h2, None, outcome, None)


# -- 5.1.1 ----------------------------------------------------------------------------------------


def get(client, stream_id, fields=None):
    client.next_id = stream_id
    return client.request("GET", SMALL)


def test_5_1_1_an_even_id_is_a_protocol_error(h2):
    get(h2, 2)
    Goaway(PROTOCOL_ERROR).check(h2)


def test_5_1_1_an_even_id_after_requests_is_a_protocol_error(h2):
    h2.get(SMALL)
    get(h2, 4)
    Goaway(PROTOCOL_ERROR).check(h2)


def test_5_1_1_an_id_below_the_last_one_is_a_protocol_error(h2):
    h2.wait(get(h2, 9))
    get(h2, 7)
    Goaway(PROTOCOL_ERROR).check(h2)


def test_5_1_1_an_id_below_an_open_one_is_a_protocol_error(h2):
    with h2.cork():
        get(h2, 9)
        get(h2, 3)
    Goaway(PROTOCOL_ERROR).check(h2)


def test_5_1_1_ids_need_not_be_next_to_each_other(h2):
    for stream_id in (3, 5, 1001, 1 << 20):
        stream = get(h2, stream_id | 1)
        assert h2.wait(stream).complete
    is_alive(h2)


def test_5_1_1_the_highest_id_is_served(h2):
    stream = get(h2, MAX_WINDOW)
    assert h2.wait(stream).complete and not h2.goaways
    h2.ping()


def test_5_1_1_after_the_highest_id_another_one_is_an_error(h2):
    h2.wait(get(h2, MAX_WINDOW))
    get(h2, 1)
    Goaway(PROTOCOL_ERROR).check(h2)


# -- 5.1.2 ----------------------------------------------------------------------------------------


@pytest.fixture
def few(connect):
    """Three streams may be open."""
    client = connect("_few")
    client.wait_settings()
    return client


def hold(client, counter, count=3):
    return [client.request("GET", "/h2test/gate?n=1&gate=%s&tag=%s" % (counter.gate(), counter))
            for _ in range(count)]


def test_5_1_2_a_stream_too_many_is_refused(few, counter):
    held = hold(few, counter)
    beyond = few.request("GET", SMALL)
    assert few.wait_reset(beyond).reset == REFUSED_STREAM
    counter.open()
    few.wait(*held)
    assert all(stream.complete for stream in held)
    is_alive(few)


def test_5_1_2_a_request_that_is_open_for_its_body_counts(few, counter):
    held = hold(few, counter, 2)
    upload = few.request("POST", UPLOAD, end=False)
    beyond = few.request("GET", SMALL)
    assert few.wait_reset(beyond).reset == REFUSED_STREAM
    few.send_data(upload, b"body", end=True)
    assert few.wait(upload).complete
    is_alive(few)
    counter.open()
    few.wait(*held)


def test_5_1_2_one_that_has_ended_makes_room(few, counter):
    held = hold(few, counter, 2)
    for _ in range(5):
        assert few.get(SMALL).complete
    counter.open()
    few.wait(*held)


def test_5_1_2_the_fields_of_a_refused_stream_are_decoded(few, counter):
    held = hold(few, counter)
    beyond = few.request("GET", SMALL, headers=[LATE_FIELD])
    few.wait_reset(beyond)
    counter.open()
    few.wait(*held)
    assert few.get(SMALL, headers=[LATE_FIELD]).complete
    is_alive(few)


def test_5_1_2_the_limit_holds_before_it_is_acknowledged(connect, counter):
    client = connect("_few", auto_ack=False)
    held = hold(client, counter)
    beyond = client.request("GET", SMALL)
    assert client.wait_reset(beyond).reset == REFUSED_STREAM
    counter.open()
    client.wait(*held)
    assert not client.goaways


def test_5_1_2_data_for_a_refused_stream_is_discarded(few, counter):
    held = hold(few, counter)
    with few.cork():
        beyond = few.request("POST", SMALL, end=False)
        few.send_frame(DATA, END_STREAM, beyond.id, b"body")
    assert few.wait_reset(beyond).reset == REFUSED_STREAM
    counter.open()
    few.wait(*held)
    is_alive(few)


# -- 5.4 ------------------------------------------------------------------------------------------


def test_5_4_1_streams_below_the_last_id_of_goaway_are_those_that_were_taken(h2):
    stream = h2.get(SMALL)
    with h2.cork():
        h2.send_frame(DATA, 0, 0, b"x")
        h2.request("GET", SMALL)
    Goaway(PROTOCOL_ERROR).check(h2)
    assert h2.goaways[0].last_stream_id == stream.id


def test_5_4_1_after_an_error_nothing_more_is_served(h2, counter):
    with h2.cork():
        h2.send_frame(WINDOW_UPDATE, 0, 0, bytes(4))
        h2.request("GET", "/h2test/write?tag=%s" % counter)
    Goaway(PROTOCOL_ERROR).check(h2)
    assert counter.started == 0


@pytest.mark.parametrize("mpm", ["event", "worker"])
def test_5_4_1_the_connection_is_closed_while_a_handler_is_stuck(h2, counter):
    hold(h2, counter, 2)
    wait_until(lambda: counter.running == 2, "the handlers to run")
    h2.send_frame(DATA, 0, 0, b"x")
    Goaway(PROTOCOL_ERROR).check(h2)
    assert counter.running == 2


def test_5_4_1_the_client_can_read_what_the_error_was_whatever_it_has_still_sent(h2):
    """A close with unread bytes would have the client's system throw GOAWAY away."""
    stream = h2.request("POST", UPLOAD, end=False)
    with h2.cork():
        h2.send_frame(DATA, 0, 0, b"x")
        for _ in range(60):
            h2.send_frame(DATA, 0, stream.id, bytes(1000))
    Goaway(PROTOCOL_ERROR).check(h2)


def test_5_4_2_an_error_of_one_stream_leaves_the_others(h2, counter):
    held = hold(h2, counter, 2)
    stream = malformed(h2, None, None)
    assert h2.wait_reset(stream).reset == PROTOCOL_ERROR
    counter.open()
    h2.wait(*held)
    assert all(stream.complete for stream in held)


def test_5_4_2_a_reset_in_reply_to_ours_is_not_answered(h2):
    stream = malformed(h2, None, None)
    h2.wait_reset(stream)
    h2.send_reset(stream, PROTOCOL_ERROR)
    is_alive(h2)
    assert len(h2.received(RST_STREAM)) == 1


def test_5_5_an_unknown_frame_within_a_field_block_is_a_protocol_error(h2):
    stream = h2.open()
    h2.send_frame(HEADERS, END_STREAM, stream.id, b"\x82")
    h2.send_frame(UNKNOWN, 0, 0, b"x")
    Goaway(PROTOCOL_ERROR).check(h2)


@pytest.mark.parametrize("code", [
    pytest.param(code, id="7 the code %#x of RST_STREAM means no harm" % code)
    for code in (0, 7, 0xd, 0xe, 0xffffffff)])
def test_codes_of_resets(h2, counter, code):
    stream = hold(h2, counter, 1)[0]
    h2.send_reset(stream, code)
    Ignored().check(h2)

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""RFC 8441: extended CONNECT. That WebSockets work is in test/integration/test_websockets.py."""

import pytest

from h2client import ENABLE_CONNECT_PROTOCOL, PROTOCOL_ERROR, SETTINGS, settings_payload
from rules import SMALL, Answer, Goaway, Ignored, Reset, is_alive

M, PROTOCOL, S, A, P = ":method", ":protocol", ":scheme", ":authority", ":path"
MALFORMED = Reset(PROTOCOL_ERROR)


@pytest.fixture
def sockets(connect):
    client = connect("_sockets")
    client.wait_settings()
    return client


def connect_with(*names, more=(), **changed):
    """A CONNECT with these pseudo-fields."""
    def act(client):
        values = {M: "CONNECT", PROTOCOL: "websocket", S: client.scheme, A: client.authority,
                  P: SMALL, **{":" + name: value for name, value in changed.items()}}
        stream = client.open()
        client.send_headers(stream.id, [(n, values.get(n, "x")) for n in names] + list(more),
                            end=False)
        return stream
    return act


ALL = (M, PROTOCOL, S, A, P)


def test_3_the_setting_is_announced_where_websockets_are_on(sockets):
    assert sockets.peer_settings[ENABLE_CONNECT_PROTOCOL] == 1


def test_3_the_setting_is_not_announced_where_they_are_off(h2):
    assert ENABLE_CONNECT_PROTOCOL not in h2.peer_settings


@pytest.mark.parametrize("value, outcome", [
    pytest.param(0, Ignored(), id="3 the setting of a client of 0 is ignored"),
    pytest.param(1, Ignored(), id="3 the setting of a client of 1 is ignored"),
    pytest.param(2, Goaway(PROTOCOL_ERROR),
                 id="3 the setting of a client of 2 is a PROTOCOL_ERROR")])
def test_setting(h2, value, outcome):
    h2.send_frame(SETTINGS, 0, 0, settings_payload({ENABLE_CONNECT_PROTOCOL: value}))
    outcome.check(h2)


def test_3_protocol_is_malformed_where_it_was_not_announced(h2):
    MALFORMED.check(h2, connect_with(*ALL)(h2))


@pytest.mark.parametrize("act, outcome", [
    pytest.param(act, outcome, id=name) for name, act, outcome in (
        ("4 without :scheme it is malformed", connect_with(M, PROTOCOL, A, P), MALFORMED),
        ("4 without :path it is malformed", connect_with(M, PROTOCOL, S, A), MALFORMED),
        ("4 without :authority it is malformed", connect_with(M, PROTOCOL, S, P), MALFORMED),
        ("4 without :scheme and :path it is malformed", connect_with(M, PROTOCOL, A), MALFORMED),
        ("4 :protocol without a method is malformed", connect_with(PROTOCOL, S, A, P), MALFORMED),
        ("4 :protocol twice is malformed", connect_with(M, PROTOCOL, PROTOCOL, S, A, P), MALFORMED),
        ("4 :protocol behind a field is malformed", connect_with(M, S, A, P, "x", PROTOCOL),
         MALFORMED),
        ("4 :protocol with GET is malformed", connect_with(*ALL, method="GET"), MALFORMED),
        ("4 :protocol with POST is malformed", connect_with(*ALL, method="POST"), MALFORMED),
        ("4 an empty :protocol is malformed", connect_with(*ALL, protocol=""), MALFORMED),
        ("4 an empty :path is malformed", connect_with(*ALL, path=""), MALFORMED),
        ("4 the field upgrade is malformed", connect_with(*ALL, more=[("upgrade", "websocket")]),
         MALFORMED),
        ("4 the field connection is malformed",
         connect_with(*ALL, more=[("connection", "upgrade")]), MALFORMED),
        ("4 CONNECT without :protocol has no :path", connect_with(M, S, A, P), MALFORMED))])
def test_handshakes(sockets, act, outcome):
    outcome.check(sockets, act(sockets))


@pytest.mark.parametrize("path, protocol, status", [
    pytest.param(SMALL, "connect-udp", 501, id="4 an unknown protocol is not implemented"),
    pytest.param(SMALL, "websocket", 501, id="5 a place that knows no WebSockets says 501"),
    pytest.param("/nothing/there", "websocket", 404, id="5 a place that is not there says 404")])
def test_what_is_no_socket(sockets, path, protocol, status):
    stream = connect_with(*ALL, path=path, protocol=protocol,
                          more=[("sec-websocket-version", "13")])(sockets)
    sockets.wait_for(lambda: stream.done, "an end")
    assert stream.status == status and stream.ended and stream.reset in (None, 0)
    is_alive(sockets)


def test_4_protocol_in_trailers_is_malformed(sockets):
    stream = sockets.request("POST", "/h2test/read", end=False)
    sockets.send_headers(stream.id, [(PROTOCOL, "websocket")])
    MALFORMED.check(sockets, stream)


def test_4_requests_are_as_ever_where_websockets_are_on(sockets):
    Answer().check(sockets, sockets.request("GET", SMALL))

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Requests that two servers might read in two ways: they come to no handler."""

import pytest

from rawclient import DATA, END_STREAM, frame, head, headers

REFUSED = ("RST PROTOCOL_ERROR", 400)


def fields_of(attack, **changes):
    """Of a request to a counted handler."""
    path = changes.pop("path", attack.path("write", "n=10"))
    return head(path, **changes)


def outcome_of(client, data, body=None):
    """data: fields, or a block of bytes."""
    stream = client.next_id
    client.next_id += 2
    client.send(headers(stream, data, end=body is None)
                + (frame(DATA, END_STREAM, stream, body) if body is not None else b""))
    return client.wait_response(stream)


def settle(attack, outcomes, allowed=REFUSED):
    """Each is one of the allowed ones, no handler ran, and the connection lives."""
    wrong = {name: outcome for name, outcome in outcomes.items() if outcome not in allowed}
    assert not wrong, "\n".join("%s: %s" % pair for pair in wrong.items())
    attack.note = "/".join(sorted({str(o) for o in outcomes.values()}))
    assert attack.counter.started == 0
    attack.lives(attack.clients[0])


# -- row 23: characters -----------------------------------------------------------------------------


@pytest.mark.row(23)
@pytest.mark.parametrize("where", ["method", "path", "authority", "scheme"])
def test_blanks_and_controls_in_pseudo_fields_are_refused_before_any_handler(attack, where):
    client = attack.connect()
    usual = dict(method="GET", path=attack.path("write", "n=10"), authority="a.test",
                 scheme=client.scheme)
    outcomes = {}
    for char in " \t\r\n\0\x01\x7f":
        for text in (char + usual[where], usual[where] + char,
                     usual[where][:2] + char + usual[where][2:]):
            if (where, char) == ("path", "\x7f"):
                continue        # httpd takes it, over HTTP/1.1 too
            outcomes[repr(text)] = outcome_of(client, head(**{**usual, where: text}))
    outcomes["a request within"] = outcome_of(client, head(**{
        **usual, where: usual[where] + " HTTP/1.1\r\nx: "}))
    settle(attack, outcomes)


@pytest.mark.row(23)
def test_controls_in_names_and_values_are_refused_before_any_handler(attack):
    client = attack.connect()
    outcomes = {}
    for char in "\r\n\0":
        for name, value in (("x-a", char + "b"), ("x-a", "b" + char), ("x-a", "b" + char + "c"),
                            ("x" + char + "a", "b"), (char + "x", "b"), ("x" + char, "b"),
                            ("cookie", "a" + char + "b"), ("host", "a.test" + char)):
            outcomes[repr((name, value))] = outcome_of(client, fields_of(
                attack, scheme=client.scheme, extra=[(name, value)]))
    for char in " \t\x01\x7f\xe9\"(),/;<=>?@[]{}\\":
        outcomes[repr("x%sa" % char)] = outcome_of(client, fields_of(
            attack, scheme=client.scheme, extra=[("x%sa" % char, "b")]))
    outcomes["lines"] = outcome_of(client, fields_of(
        attack, extra=[("x-a", "b\r\ntransfer-encoding: chunked\r\n\r\nGET / HTTP/1.1")]))
    settle(attack, outcomes)


@pytest.mark.row(23)
def test_blanks_around_a_value_are_stripped(attack):
    client = attack.connect()
    stream = client.request("/cgi/env", extra=[("x-blanks", " \t padded \t ")])
    assert client.wait_response(stream) == 200
    assert b"HTTP_X_BLANKS=padded\n" in client.bodies[stream]
    attack.lives(client)


# -- row 24: fields that HTTP/2 does not have -------------------------------------------------------

BAD_FIELDS = {
    "transfer-encoding": [("transfer-encoding", "chunked")],
    "transfer-encoding-identity": [("transfer-encoding", "identity")],
    "connection": [("connection", "close")],
    "connection-names-a-field": [("connection", "x-a"), ("x-a", "b")],
    "keep-alive": [("keep-alive", "timeout=5")],
    "proxy-connection": [("proxy-connection", "keep-alive")],
    "upgrade": [("upgrade", "h2c")],
    "te": [("te", "gzip")],
    "te-list": [("te", "trailers, deflate")],
    "upper-case": [("X-Upper", "1")],
    "upper-case-within": [("x-uPper", "1")],
    "upper-case-host": [("Host", "a.test")],
    "empty-name": [("", "1")],
    "colon-name": [(":", "1")],
    "colon-within": [("x:a", "1")],
    "unknown-pseudo": [(":unknown", "1")],
    "status-pseudo": [(":status", "200")],
    "protocol-pseudo": [(":protocol", "websocket")],
    "two-lengths": [("content-length", "0"), ("content-length", "5")],
    "two-equal-lengths": [("content-length", "0"), ("content-length", "0")],
    "length-list": [("content-length", "0, 0")],
    "negative-length": [("content-length", "-1")],
    "length-with-sign": [("content-length", "+0")],
    "length-in-hex": [("content-length", "0x0")],
    "huge-length": [("content-length", "99999999999999999999999999")],
    "no-length": [("content-length", "")],
    "length-with-more": [("content-length", "0 x")],
}


@pytest.mark.row(24)
def test_fields_that_http_2_does_not_have_are_refused(attack):
    client = attack.connect()
    settle(attack, {name: outcome_of(client, fields_of(attack, scheme=client.scheme, extra=extra))
                    for name, extra in BAD_FIELDS.items()})


@pytest.mark.row(24)
def test_lengths_that_are_none_are_refused_with_a_body_too(attack):
    client = attack.connect()
    settle(attack, {name: outcome_of(client, fields_of(
        attack, method="POST", scheme=client.scheme, extra=extra), body=b"GET /h2test/write")
        for name, extra in BAD_FIELDS.items() if "length" in name or "transfer" in name})


@pytest.mark.row(24)
def test_pseudo_fields_that_are_missing_twice_or_late_are_refused(attack):
    client = attack.connect()
    usual = dict(fields_of(attack, scheme=client.scheme))
    cases = {}
    for name in (":method", ":scheme", ":path"):
        cases["without " + name] = [(n, v) for n, v in usual.items() if n != name]
        cases["empty " + name] = [(n, "" if n == name else v) for n, v in usual.items()]
    for name in usual:
        cases["two " + name] = [*usual.items(), (name, usual[name])]
        cases["late " + name] = [*[(n, v) for n, v in usual.items() if n != name], ("x-a", "b"),
                                 (name, usual[name])]
    cases["none"] = [("x-a", "b")]
    cases["no field at all"] = []
    cases["path without slash"] = [(n, "h2test/write" if n == ":path" else v)
                                   for n, v in usual.items()]
    cases["asterisk for GET"] = [(n, "*" if n == ":path" else v) for n, v in usual.items()]
    cases["connect with path"] = [(":method", "CONNECT"), *list(usual.items())[1:]]
    settle(attack, {name: outcome_of(client, fields) for name, fields in cases.items()},
           (*REFUSED, 404, 405))


@pytest.mark.row(24)
def test_te_trailers_and_a_length_that_is_right_are_taken(attack):
    client = attack.connect()
    assert outcome_of(client, fields_of(attack, method="POST", scheme=client.scheme, extra=[
        ("te", "trailers"), ("content-length", "4")]), body=b"body") == 200
    attack.lives(client)


# -- row 25: who is asked ---------------------------------------------------------------------------


@pytest.mark.row(25)
def test_a_request_without_authority_and_host_is_refused(attack):
    client = attack.connect()
    settle(attack, {
        "neither": outcome_of(client, fields_of(attack, authority=None, scheme=client.scheme)),
        "empty authority": outcome_of(client, fields_of(attack, authority="",
                                                        scheme=client.scheme)),
        "empty host": outcome_of(client, fields_of(attack, authority=None, scheme=client.scheme,
                                                   extra=[("host", "")])),
        "user": outcome_of(client, fields_of(attack, authority="user@a.test",
                                             scheme=client.scheme)),
        "two hosts": outcome_of(client, fields_of(attack, authority=None, scheme=client.scheme,
                                                  extra=[("host", "a.test"), ("host", "b")])),
        "path": outcome_of(client, fields_of(attack, authority="a.test/x",
                                             scheme=client.scheme)),
    })


@pytest.mark.row(25)
def test_authority_wins_over_host_everywhere(attack):
    """Both vhosts are on the port; the connection was made for the first."""
    client = attack.connect()
    stream = client.request("/cgi/env", authority="localhost", extra=[("host", "a.test")])
    assert client.wait_response(stream) == 200
    seen = dict(line.split("=", 1) for line in client.bodies[stream].decode().splitlines()
                if "=" in line)
    assert seen["SERVER_NAME"] == "localhost" and seen["HTTP_HOST"] == "localhost"
    assert seen["H2_ORIGINAL_HOST"] == "a.test"
    stream = client.request("/h2test/info", authority="localhost", extra=[("host", "a.test")])
    assert client.wait_response(stream) == 200
    assert b"\nhostname=localhost\n" in client.bodies[stream]
    assert b"\nserver=localhost\n" in client.bodies[stream]
    attack.lives(client)


@pytest.mark.row(25)
def test_host_alone_is_enough(attack):
    client = attack.connect()
    stream = client.request("/cgi/env", authority=None, extra=[("host", "localhost")])
    assert client.wait_response(stream) == 200
    assert b"\nSERVER_NAME=localhost\n" in b"\n" + client.bodies[stream]
    assert b"H2_ORIGINAL_HOST" not in client.bodies[stream]


# -- row 26: the scheme -----------------------------------------------------------------------------


@pytest.mark.row(26)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_access_is_decided_by_the_connection_and_never_by_the_scheme(attack, scheme):
    client = attack.connect()
    is_tls = attack.transport == "tls"
    stream = client.request("/cgi/env", scheme=scheme)
    assert client.wait_response(stream) == 200
    seen = dict(line.split("=", 1) for line in client.bodies[stream].decode().splitlines()
                if "=" in line)
    assert seen["REQUEST_SCHEME"] == ("https" if is_tls else "http")
    assert seen.get("HTTPS") == ("on" if is_tls else None)
    assert client.get("/only-https/write?n=1", scheme=scheme) == (200 if is_tls else 403)
    assert client.get("/only-http/write?n=1", scheme=scheme) == (403 if is_tls else 200)
    attack.lives(client)


@pytest.mark.row(26)
@pytest.mark.parametrize("scheme", ["ftp", "HTTP2", "file", "ws", "httpss", "htt", "h2c"])
def test_other_schemes_are_refused(attack, scheme):
    client = attack.connect()
    settle(attack, {scheme: outcome_of(client, fields_of(attack, scheme=scheme))}, (400,))

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""RFC 9113, 8: requests that are none, bodies and trailers, responses."""

import pytest

import environment as env
from h2client import (CANCEL, DATA, END_STREAM, HEADERS, MAX_CONCURRENT_STREAMS, NO_ERROR,
                      PROTOCOL_ERROR, RST_STREAM)
from rules import SMALL, Answer, Reset, is_alive

INFO, UPLOAD = "/h2test/info", "/h2test/read"


def fields_of(client, method="GET", path=INFO, more=(), without=(), **changed):
    """The fields of a request, some left out or with another value (scheme, authority)."""
    fields = [(":method", method), (":scheme", client.scheme), (":authority", client.authority),
              (":path", path)]
    fields = [(name, changed.get(name[1:], value)) for name, value in fields
              if name[1:] not in without]
    return fields + list(more)


def send(client, fields, end=True):
    stream = client.open()
    client.send_headers(stream.id, fields, end=end)
    return stream


def request(*more, **changed):
    """A GET with more fields, or with other ones."""
    return lambda client: send(client, fields_of(client, more=more, **changed))


def ordered(*names):
    """The pseudo-fields of a GET in this order; other names are fields."""
    def act(client):
        values = dict(fields_of(client))
        return send(client, [(name, values.get(name, "x")) for name in names])
    return act


def body(length, size, *, is_split=False):
    """A POST of so many bytes that says to be of another length."""
    def act(client):
        stream = send(client, fields_of(client, "POST", UPLOAD, [("content-length", length)]),
                      end=size is None)
        if size is not None:
            first = size // 2 if is_split else size
            if is_split:
                client.send_frame(DATA, 0, stream.id, bytes(first))
            client.send_frame(DATA, END_STREAM, stream.id,
                              bytes(size - first if is_split else size))
        return stream
    return act


def trailers(*fields, end=True, query=""):
    def act(client):
        stream = send(client, fields_of(client, "POST", UPLOAD + query), end=False)
        client.send_frame(DATA, 0, stream.id, b"body")
        client.send_headers(stream.id, fields, end=end)
        return stream
    return act


def run(cases):
    return pytest.mark.parametrize(
        "act, outcome", [pytest.param(act, outcome, id=name) for name, act, outcome in cases])


MALFORMED = Reset(PROTOCOL_ERROR)


# -- 8.1 ------------------------------------------------------------------------------------------

SECTION_8_1 = [
    ("8.1 trailers without END_STREAM are malformed", trailers(("x", "y"), end=False), MALFORMED),
    ("8.1 trailers with a pseudo-field are malformed", trailers((":path", "/")), MALFORMED),
    ("8.1 trailers with :status are malformed", trailers((":status", "200")), MALFORMED),
    ("8.1 trailers with an upper-case name are malformed", trailers(("X-Upper", "y")), MALFORMED),
    ("8.1 trailers with a connection-specific field are malformed",
     trailers(("connection", "close")), MALFORMED),
    ("8.1 trailers with transfer-encoding are malformed",
     trailers(("transfer-encoding", "chunked")), MALFORMED),
    ("8.1 trailers with NUL in a value are malformed", trailers((b"x", b"a\0b")), MALFORMED),
    ("8.1 trailers may be there", trailers(("x-trailer", "y")), Answer()),
    ("8.1 trailers of no fields end a request", trailers(), Answer()),
]


@run(SECTION_8_1)
def test_messages(h2, act, outcome):
    outcome.check(h2, act(h2))


def test_8_1_trailers_reach_who_reads_the_body(h2):
    stream = trailers(("x-a", "1"), ("x-b", "2"), query="?trailers=all")(h2)
    assert h2.wait(stream).text == "x-a: 1\nx-b: 2\nread 4\n"


def test_8_1_trailers_may_follow_the_head_at_once(h2):
    stream = send(h2, fields_of(h2, "POST", UPLOAD + "?trailers=all"), end=False)
    h2.send_headers(stream.id, [("x-a", "1")])
    assert h2.wait(stream).text == "x-a: 1\nread 0\n"


def test_8_1_a_response_that_is_complete_before_the_request_is_followed_by_reset_no_error(h2):
    stream = send(h2, fields_of(h2, "POST", "/h2test/noread?n=100"), end=False)
    h2.wait_for(lambda: stream.ended and stream.reset is not None, "the end and RST_STREAM")
    assert stream.received == 100 and stream.reset == NO_ERROR
    on_stream = [f.type for f in h2.received(stream=stream.id)]
    assert on_stream[-1] == RST_STREAM and on_stream.count(RST_STREAM) == 1
    is_alive(h2)


def test_8_1_a_request_that_is_complete_is_never_reset_after_its_response(h2):
    for _ in range(20):
        assert h2.get(SMALL).complete
    h2.ping()
    assert not h2.received(RST_STREAM)


def test_8_1_interim_responses_stand_before_the_final_one_and_end_nothing(connect):
    h2 = connect("_hints")
    stream = h2.get("/h2test/interim")
    assert [status for status, _ in stream.interim] == [103] and stream.status == 200
    heads = h2.received(HEADERS, stream)
    assert len(heads) == 2 and not heads[0].flags & END_STREAM


def test_8_1_a_response_s_trailers_end_it(h2):
    stream = h2.get("/h2test/write?n=10&set_trailers=x-last:yes")
    assert stream.complete and stream.trailers == [("x-last", "yes")]
    assert h2.received(HEADERS, stream)[-1].flags & END_STREAM


# -- 8.1.1 ----------------------------------------------------------------------------------------

SECTION_8_1_1 = [
    ("8.1.1 content-length of more than there is makes a request malformed", body("5", 4),
     MALFORMED),
    ("8.1.1 content-length of less than there is makes a request malformed", body("3", 4),
     MALFORMED),
    ("8.1.1 content-length of 0 with a body makes a request malformed", body("0", 1), MALFORMED),
    ("8.1.1 content-length of less than two frames have makes a request malformed",
     body("7", 8, is_split=True), MALFORMED),
    ("8.1.1 content-length of more than two frames have makes a request malformed",
     body("9", 8, is_split=True), MALFORMED),
    ("8.1.1 content-length without any DATA makes a request malformed", body("1", None), MALFORMED),
    ("8.1.1 content-length with empty DATA makes a request malformed", body("1", 0), MALFORMED),
    ("8.1.1 content-length that matches is right", body("4", 4), Answer()),
    ("8.1.1 content-length that matches two frames is right", body("8", 8, is_split=True),
     Answer()),
    ("8.1.1 content-length of 0 without DATA is right", body("0", None), Answer()),
    ("8.1.1 content-length of 0 with empty DATA is right", body("0", 0), Answer()),
    ("8.1.1 content-length with leading zeros is a number", body("0004", 4), Answer()),
    *[("8.1.1 content-length of %s makes a request malformed" % name, body(value, 4), MALFORMED)
      for value, name in (("-4", "-4"), ("+4", "+4"), ("4.0", "4.0"), ("0x4", "0x4"),
                          ("", "nothing"),
                          ("4 4", "4 4"), ("4,4", "a list"), ("four", "a word"),
                          ("18446744073709551620", "2^64 and 4"),
                          ("9223372036854775808", "2^63"), ("1" * 100, "100 digits"))],
    ("8.1.1 content-length twice makes a request malformed",
     request(("content-length", "0"), ("content-length", "0")), MALFORMED),
    ("8.1.1 content-length twice with two values makes a request malformed",
     request(("content-length", "0"), ("content-length", "1")), MALFORMED),
    ("8.1.1 content-length that trailers end too early makes a request malformed", lambda client: (
        lambda stream: (client.send_frame(DATA, 0, stream.id, b"abc"),
                        client.send_headers(stream.id, [("x", "y")]), stream)[2])(
        send(client, fields_of(client, "POST", UPLOAD, [("content-length", "4")]), end=False)),
     MALFORMED),
]


@run(SECTION_8_1_1)
def test_lengths(h2, act, outcome):
    outcome.check(h2, act(h2))


def test_8_1_1_a_malformed_request_reaches_no_handler(h2, counter):
    stream = request(("connection", "close"), path=INFO + "?tag=%s" % counter)(h2)
    MALFORMED.check(h2, stream)
    assert counter.started == 0


def test_8_1_1_padding_does_not_count_for_content_length(h2):
    stream = send(h2, fields_of(h2, "POST", UPLOAD, [("content-length", "4")]), end=False)
    h2.send_frame(DATA, 0x8 | END_STREAM, stream.id, b"\x03body\0\0\0")
    assert h2.wait(stream).text == "read 4\n"


@pytest.mark.parametrize("method, path, status", [
    pytest.param("HEAD", "/files/1000.bin", 200, id="8.1.1 a response to HEAD has no DATA"),
    pytest.param("GET", "/h2test/write?status=304", 304, id="8.1.1 a response of 304 has no DATA"),
    pytest.param("GET", "/h2test/write?status=204", 204, id="8.1.1 a response of 204 has no DATA"),
])
def test_without_content(h2, method, path, status):
    stream = h2.fetch(method, path)
    assert stream.status == status and stream.complete and stream.received == 0
    assert not h2.received(DATA, stream) or h2.received(DATA, stream)[0].length == 0


def test_8_1_1_content_length_of_a_response_is_what_it_has(h2):
    for path in ("/files/0.bin", "/files/1000.bin", "/files/65537.bin",
                 "/h2test/write?n=7&length=7"):
        stream = h2.get(path)
        assert stream.complete and int(stream.headers["content-length"]) == stream.received


def test_8_1_1_a_response_shorter_than_its_content_length_is_no_complete_one(h2):
    stream = h2.get("/h2test/fail?n=5&length=10&how=short")
    assert not stream.complete
    is_alive(h2)


# -- 8.2 ------------------------------------------------------------------------------------------

SECTION_8_2 = [
    *[("8.2 a name with upper case %s is malformed" % name, request((value, b"x")), MALFORMED)
      for value, name in ((b"X-Upper", "at its start"), (b"x-uPper", "within"),
                          (b"x-uppeR", "at its end"), (b"HOST", "all through"))],
    *[("8.2.1 a name with %s is malformed" % name, request((b"x" + value + b"y", b"z")), MALFORMED)
      for value, name in ((b"\0", "NUL"), (b"\n", "LF"), (b"\r", "CR"), (b" ", "a blank"),
                          (b"\t", "HTAB"), (b"\x1f", "0x1f"), (b"\x7f", "DEL"), (b"\x80", "0x80"),
                          (b"\xff", "0xff"), (b":", "a colon within"))],
    ("8.2.1 a name with a colon at its end is malformed", request((b"host:", b"x")), MALFORMED),
    ("8.2.1 a name with a leading blank is malformed", request((b" x", b"y")), MALFORMED),
    ("8.2.1 a name of no bytes is malformed", request((b"", b"x")), MALFORMED),
    ("8.2.1 a name of nothing but a colon is malformed", request((b":", b"x")), MALFORMED),
    *[("8.2.1 a value with %s %s is malformed" % (name, where),
       request((b"x-value", before + value + after)), MALFORMED)
      for value, name in ((b"\0", "NUL"), (b"\n", "LF"), (b"\r", "CR"))
      for before, after, where in ((b"", b"b", "at its start"), (b"a", b"b", "within"),
                                   (b"a", b"", "at its end"))],
    ("8.2.1 a value with CR LF and a line is malformed",
     request((b"x-value", b"a\r\nx-injected: b")), MALFORMED),
    *[("8.2.1 %s is no problem" % name, request((b"x-value", value)), Answer())
      for value, name in ((b"", "an empty value"), (b"\x80\xff", "a value with octets above 0x7f"),
                          (b"a\tb", "a value with HTAB within"))],
]


@run(SECTION_8_2)
def test_fields(h2, act, outcome):
    outcome.check(h2, act(h2))


@pytest.mark.parametrize("value", [
    pytest.param(value, id="8.2.1 %s are stripped from a value" % name)
    for value, name in ((b"  close", "leading blanks"), (b"close\t ", "trailing blanks"))])
def test_blanks_around_values(h2, value):
    """The RFC allows to refuse them, too; httpd strips them over HTTP/1.1."""
    stream = send(h2, fields_of(h2, path="/cgi/env", more=[(b"x-blanks", value)]))
    assert h2.wait(stream).status == 200
    assert "HTTP_X_BLANKS=close\n" in stream.text


SECTION_8_2_2 = [
    *[("8.2.2 %s of %s is malformed" % (name, value), request((name, value)), MALFORMED)
      for name, value in (("connection", "close"), ("connection", "keep-alive"),
                          ("proxy-connection", "keep-alive"), ("keep-alive", "timeout=5"),
                          ("transfer-encoding", "chunked"), ("transfer-encoding", "identity"),
                          ("upgrade", "websocket"), ("te", "gzip"), ("te", "trailers, gzip"),
                          ("te", "trailers;q=0.5"), ("te", "chunked"))],
    ("8.2.2 te of trailers is allowed", request(("te", "trailers")), Answer()),
    ("8.2.2 http2-settings is no problem", request(("http2-settings", "AAMAAABk")), Answer()),
]


@run(SECTION_8_2_2)
def test_connection_specific_fields(h2, act, outcome):
    outcome.check(h2, act(h2))


def test_8_2_2_no_response_has_connection_specific_fields(connect, counter):
    """Neither an interim one whose handler sets them; rules.py looks at the fields."""
    client = connect("_hints")
    gate = counter.gate()
    counter.open_all()
    stream = client.get("/h2test/interims?gate=%s" % gate)
    assert stream.complete and len(stream.interim) > 1


def test_8_2_3_cookies_in_several_fields_are_one(h2):
    stream = send(h2, fields_of(h2, path="/cgi/env", more=[
        ("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("cookie", "c=3")]))
    assert h2.wait(stream).status == 200
    assert "HTTP_COOKIE=a=1; b=2; c=3\n" in stream.text


# -- 8.3 ------------------------------------------------------------------------------------------

M, S, A, P = ":method", ":scheme", ":authority", ":path"

SECTION_8_3 = [
    ("8.3 an unknown pseudo-field is malformed", request((":unknown", "x")), MALFORMED),
    ("8.3 an empty unknown pseudo-field is malformed", request((":x", "")), MALFORMED),
    ("8.3 :status in a request is malformed", request((":status", "200")), MALFORMED),
    ("8.3 a pseudo-field behind a field is malformed", ordered(M, S, "x", A, P), MALFORMED),
    ("8.3 :path behind a field is malformed", ordered(M, S, A, "x", P), MALFORMED),
    ("8.3 :method behind a field is malformed", ordered(S, A, P, "x", M), MALFORMED),
    *[("8.3 %s twice is malformed" % name, ordered(M, S, A, P, name), MALFORMED)
      for name in (M, S, A, P)],
    ("8.3 pseudo-fields may have any order", ordered(P, A, S, M), Answer()),
    *[("8.3.1 a request without %s is malformed" % name, request(without=(name[1:],)), MALFORMED)
      for name in (M, S, P)],
    ("8.3.1 a request without any pseudo-field is malformed", ordered("x"), MALFORMED),
    ("8.3.1 a request without any field is malformed", ordered(), MALFORMED),
    ("8.3.1 an empty :path is malformed", request(path=""), MALFORMED),
    ("8.3.1 :path without a slash is malformed", request(path="files/1.bin"), MALFORMED),
    ("8.3.1 :path of a whole URI is malformed", request(path="http://a.test/files/1.bin"),
     MALFORMED),
    ("8.3.1 :path of * is malformed for GET", request(path="*"), MALFORMED),
    ("8.3.1 :path of * is right for OPTIONS", request(method="OPTIONS", path="*"), Answer()),
    ("8.3.1 host without :authority is right", request(("host", "a.test"), without=("authority",)),
     Answer()),
    ("8.3.1 neither :authority nor host is malformed", request(without=("authority",)), MALFORMED),
    ("8.3.1 an empty :authority without host is malformed", request(authority=""), MALFORMED),
    ("8.3.1 host and :authority may say the same", request(("host", "a.test")), Answer()),
    ("8.3.1 :authority with a user is a bad request", request(authority="user@a.test"),
     MALFORMED if env.nghttp2_version() > (1, 52, 0) else Answer(400)),   # nghttp2 1.64 looks, too
    ("8.3.1 an unknown scheme is a bad request", request(scheme="ftp"), Answer(400)),
    ("8.3.1 a scheme that is none is malformed", request(scheme="1://"), MALFORMED),
    ("8.3.1 an empty :method is malformed", request(method=""), MALFORMED),
    ("8.3.1 :method with a blank is malformed", request(method="GE T"), MALFORMED),
    ("8.3.1 an unknown method is not implemented", request(method="FROB", path=SMALL), Answer(501)),
    ("8.3.1 :path with a blank is malformed", request(path="/a b"), MALFORMED),
    ("8.3.1 :path with NUL is malformed", request(path=b"/a\0b"), MALFORMED),
    ("8.3.1 :path with CR and LF is malformed", request(path=b"/ HTTP/1.1\r\nx: y"), MALFORMED),
    ("8.3.1 :authority with a blank is malformed", request(authority="a b.test"), MALFORMED),
    ("8.3.1 :authority with a slash is malformed", request(authority="a.test/x"), MALFORMED),
    ("8.5 CONNECT with :path is malformed", request(method="CONNECT", without=("scheme",)),
     MALFORMED),
    ("8.5 CONNECT with :scheme is malformed", request(method="CONNECT", without=("path",)),
     MALFORMED),
    ("8.5 CONNECT with :scheme and :path is malformed", request(method="CONNECT"), MALFORMED),
    ("8.5 CONNECT without :authority is malformed", lambda client: send(
        client, [(":method", "CONNECT")]), MALFORMED),
]


@run(SECTION_8_3)
def test_pseudo_fields(h2, act, outcome):
    outcome.check(h2, act(h2))


def test_8_3_1_where_host_and_authority_differ_authority_counts(h2):
    stream = send(h2, fields_of(h2, more=[("host", "other.test")]))
    assert "hostname=a.test\n" in h2.wait(stream).text


def test_8_3_1_the_scheme_is_the_connection_s_whatever_the_request_says(h2):
    other = "http" if h2.scheme == "https" else "https"
    stream = send(h2, fields_of(h2, scheme=other))
    assert "scheme=%s\n" % h2.scheme in h2.wait(stream).text


@pytest.mark.parametrize("path, status", [
    pytest.param(path, status,
                 id="8.3.2 a response of %d has one status, which is the first" % status)
    for path, status in ((SMALL, 200), ("/nothing/there", 404), ("/h2test/write?status=500", 500),
                         ("/files", 301))])
def test_status(h2, path, status):
    stream = h2.get(path)
    assert stream.status == status and stream.complete


def test_8_5_a_tunnel_that_is_not_offered_is_refused(h2):
    stream = send(h2, [(":method", "CONNECT"), (":authority", "a.test:443")], end=False)
    h2.wait_for(lambda: stream.status is not None or stream.reset is not None, "an answer")
    assert stream.status == 405 or stream.status == 400, h2.tail()
    is_alive(h2)


# -- 8.4 ------------------------------------------------------------------------------------------


def test_8_4_what_is_promised_is_a_get_of_the_same_authority_without_body(h2):
    assert h2.get("/pushing/write?n=1").complete
    h2.wait(*h2.pushed)
    assert h2.pushed
    for stream in h2.pushed:
        fields = dict(stream.promise)
        assert fields[":method"] == "GET" and fields[":authority"] == "a.test"
        assert fields[":scheme"] == h2.scheme and fields[":path"].startswith("/")
        assert "content-length" not in fields and stream.complete


def test_8_4_a_client_may_refuse_what_is_promised(h2):
    stream = h2.request("GET", "/pushing/write?n=1")
    h2.wait_for(lambda: h2.pushed, "a promise")
    h2.send_reset(h2.pushed[0], CANCEL)
    assert h2.wait(stream).complete
    is_alive(h2)


def test_8_4_nothing_is_promised_beyond_what_the_client_lets_be_open(connect):
    client = connect(settings={MAX_CONCURRENT_STREAMS: 0})
    client.wait_settings()
    assert client.get("/pushing/write?n=1").complete
    client.ping()
    assert not [f for f in client.received(HEADERS) if f.stream_id % 2 == 0]
    is_alive(client)


# -- 8.6, 8.7 -------------------------------------------------------------------------------------


def test_8_6_no_response_is_101(h2):
    """To a handler that asks for it, either."""
    stream = h2.get("/h2test/interim?interim=101")
    assert 101 not in [status for status, _ in stream.interim]
    is_alive(h2)


def test_8_7_a_stream_that_is_refused_has_reached_no_handler(connect, counter):
    client = connect("_few")
    client.wait_settings()
    held = [client.request("GET", "/h2test/gate?gate=%s" % counter.gate()) for _ in range(3)]
    refused = client.request("GET", "/h2test/write?n=1&tag=%s" % counter)
    client.wait_reset(refused)
    counter.open()
    client.wait(*held)
    is_alive(client)
    assert counter.started == 0 and refused.reset == 7

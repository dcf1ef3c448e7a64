# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Trailers: of responses and of requests, from and to modules and back ends."""

import json
from urllib.parse import quote

import pytest

from conftest import open_client
from demosite import pattern
from h2client import DATA, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, PROTOCOL_ERROR
from servers import SITE, VHOSTS

CONFIG = SITE + """
Timeout 20
ProxyPass /back/ h2c://127.0.0.1:{port_clear}/
ProxyPass /merged/ http://127.0.0.1:{backend}/
<Location /h2test/announced/>
    Header set Trailer "x-sum"
</Location>
""" + VHOSTS + """
<VirtualHost *:{port_merge}>
    ServerName a.test
    Protocols h2c
    MergeTrailers on
</VirtualHost>
"""

CONNECTION_SPECIFIC = ["connection", "keep-alive", "proxy-connection", "transfer-encoding",
                       "upgrade"]
# RFC 9110, 6.5.1: framing, routing, authentication, modifiers, controls, content format
HEAD_ONLY = ["age", "authorization", "cache-control", "content-encoding", "content-length",
             "content-range", "content-type", "cookie", "date", "expect", "expires", "host",
             "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since",
             "location", "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization",
             "range", "retry-after", "set-cookie", "te", "trailer", "vary", "www-authenticate"]
ALLOWED = [("etag", '"1"'), ("server-timing", "db;dur=5"), ("digest", "x"), ("grpc-status", "0"),
           ("authentication-info", "x"), ("accept-ranges", "bytes"), ("x-date", "today")]


@pytest.fixture
def httpd(servers, mpm):
    return servers.get("trailers", mpm, CONFIG, threads=64, modules=["proxy_http2"],
                       ports=("tls", "clear", "merge"))


@pytest.fixture(params=["direct", "http/2"])
def path(request):
    """To handlers of mod_h2test: in this server, and in one behind it."""
    return "/h2test/" if request.param == "direct" else "/back/h2test/"


def encoded(trailers):
    return "|".join(quote("%s:%s" % pair, safe="") for pair in trailers)


def sent_trailers(client, stream):
    """Frames of a stream, as (name, whether it ends the stream)."""
    return [(frame.type, bool(frame.flags & END_STREAM)) for frame in client.frames
            if frame.stream_id == stream.id and not frame.sent]


# -- responses --------------------------------------------------------------------------------------


def test_all_trailers_of_a_module_are_sent_in_their_order(h2, path):
    trailers = [("x-one", "1"), ("x-two", "a b"), ("x-one", "2"), ("x-empty", ""), *ALLOWED]
    r = h2.get(path + "write?n=10&set_trailers=" + encoded(trailers))
    assert r.complete and r.body == pattern(10)
    assert r.trailers == trailers


def test_what_may_not_be_a_trailer_is_left_out_and_the_rest_is_sent(httpd, h2):
    trailers = [(name, "1") for name in HEAD_ONLY + CONNECTION_SPECIFIC]
    trailers[5:5] = [("X-Sum", "5")]
    position = len(httpd.errors())
    r = h2.get("/h2test/write?n=10&set_trailers=" + encoded([*trailers, ("x-last", "6")]))
    assert r.complete and r.received == 10
    assert r.trailers == [("x-sum", "5"), ("x-last", "6")]
    lines = [line for line in httpd.errors()[position:].splitlines() if "left out" in line]
    assert len(lines) == len(trailers) - 1
    for name in HEAD_ONLY + CONNECTION_SPECIFIC:
        assert sum("trailer '%s' cannot be sent" % name in line for line in lines) == 1
    assert all("[http2:warn]" in line for line in lines)


@pytest.mark.parametrize("name, value", [
    (":status", "200"), (":x", "1"), ("no name", "1"), ("x\x01", "1"), ("x-a", "\x01"),
    ("x-a", "one\r\nx-b: two"), ("x-a", "one\nx-b: two"), ("x-a", "\x7f")])
def test_what_is_no_field_is_left_out_and_the_rest_is_sent(h2, name, value):
    trailers = [("x-first", "1"), (name, value), ("x-last", "2")]
    r = h2.get("/h2test/write?n=10&set_trailers=" + encoded(trailers))
    assert r.complete and r.received == 10
    assert r.trailers == [("x-first", "1"), ("x-last", "2")]


@pytest.mark.parametrize("size", [0, 10])
def test_a_response_whose_trailers_are_all_left_out_has_none(h2, size):
    r = h2.get("/h2test/write?n=%d&set_trailers=content-length:5" % size)
    assert r.complete and r.received == size and r.trailers is None


@pytest.mark.parametrize("method, status", [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_a_response_that_ends_with_its_head_has_no_trailers(h2, path, method, status):
    """RFC 9110, 15.3.5 and 15.4.5; for HEAD as over HTTP/1.1."""
    r = h2.fetch(method, path + "write?n=10&status=%d&trailer=no" % status)
    assert r.status == status and r.complete and not r.received and r.trailers is None


def test_a_partial_or_failed_response_has_its_trailers(h2):
    for status in (206, 404, 500):
        r = h2.get("/h2test/write?n=10&status=%d&trailer=yes" % status)
        assert r.status == status and r.complete and r.trailers == [("x-trailer", "yes")]


def test_trailers_follow_an_empty_body(h2):
    r = h2.get("/h2test/write?trailer=yes")
    assert r.complete and not r.received and r.trailers == [("x-trailer", "yes")]
    found = sent_trailers(h2, r)
    assert found[0] == (HEADERS, False) and found[-1] == (HEADERS, True)


def test_trailers_need_no_window(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 0})
    r = client.get("/h2test/write?trailer=yes")
    assert r.complete and r.trailers == [("x-trailer", "yes")]
    stream = client.request("GET", "/h2test/write?n=10&flush=1&trailer=yes")
    client.wait_head(stream)
    client.send_window_update(stream.id, 10)
    assert client.wait(stream).complete and stream.body == pattern(10)
    assert stream.trailers == [("x-trailer", "yes")]


def test_many_trailers_are_sent(h2):
    trailers = [("x-%d" % i, "v" * 50) for i in range(60)]
    r = h2.get("/h2test/write?n=10&set_trailers=" + encoded(trailers))
    assert r.complete and r.trailers == trailers


def test_a_response_that_breaks_has_no_trailers(h2):
    r = h2.get("/h2test/fail?n=10&how=error&trailer=no")
    assert r.reset is not None and r.trailers is None


def test_the_response_field_trailer_is_passed_on(h2):
    r = h2.get("/h2test/announced/write?n=10&set_trailers=x-sum:1")
    assert r.headers["trailer"] == "x-sum" and r.trailers == [("x-sum", "1")]


# -- back ends --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 10, 100000])
@pytest.mark.parametrize("port", ["clear", "merge"])
def test_trailers_of_an_http_1_1_back_end_are_passed_on(httpd, port, size):
    """With and without MergeTrailers, which is about requests."""
    client = open_client(httpd, "clear", port=port)
    r = client.get("/proxy/trailers/%d" % size)
    assert r.complete and r.body == pattern(size)
    assert r.trailers == [("x-sum", "12"), ("x-two", "a, b")]
    assert "x-sum" not in r.headers and r.headers.get("content-length", "0") == "0"
    assert "trailer" not in r.headers       # mod_proxy takes it away


def test_trailers_behind_a_head_without_a_body_become_part_of_it(h2):
    """mod_proxy_http2 asks for a body before it takes what comes for trailers. The response is
    then one frame, as gRPC has it."""
    r = h2.get("/back/h2test/write?n=0&trailer=yes")
    assert r.complete and r.headers["x-trailer"] == "yes" and r.trailers is None
    assert sent_trailers(h2, r) == [(HEADERS, True)]


def test_a_response_without_a_body_is_one_frame(h2):
    for path in ("/back/files/0.bin", "/files/0.bin"):
        r = h2.get(path)
        assert r.complete and sent_trailers(h2, r) == [(HEADERS, True)]


# -- requests ---------------------------------------------------------------------------------------


def post(client, path, trailers, body=b"content", fields=()):
    stream = client.request("POST", path, list(fields), end=False)
    if body:
        client.send_data(stream, body)
    client.send_headers(stream.id, trailers, end=True)
    return client.wait(stream)


@pytest.mark.parametrize("body", [b"", b"content", pattern(100000)])
def test_trailers_of_a_request_are_in_trailers_in(h2, path, body):
    r = post(h2, path + "read?trailers=all",
             [("x-one", "1"), ("x-two", "2"), ("x-one", "3"), *ALLOWED], body)
    lines = r.text.lower().splitlines()
    assert r.complete and lines.pop() == "read %d" % len(body)
    assert sorted(lines) == sorted(["x-one: 1, 3", "x-two: 2", *map("%s: %s".__mod__, ALLOWED)])


def test_a_request_may_have_trailers_only_behind_its_head(h2, path):
    stream = h2.request("POST", path + "read?trailers=all", end=False)
    h2.send_headers(stream.id, [("x-sum", "1")], end=True)
    assert h2.wait(stream).text.lower() == "x-sum: 1\nread 0\n"


def test_what_may_not_be_a_trailer_is_not_shown_to_modules(httpd, h2):
    values = {name: "1" for name in HEAD_ONLY}
    values.update({"content-length": "7", "te": "trailers"})
    position = len(httpd.errors())
    r = post(h2, "/h2test/read?trailers=all",
             [("x-first", "1"), *values.items(), ("x-last", "2")])
    assert r.complete and r.text == "x-first: 1\nx-last: 2\nread 7\n"
    lines = httpd.errors()[position:].splitlines()
    for name in values:
        assert sum("'%s' may not be a trailer" % name in line for line in lines) == 1


@pytest.mark.parametrize("field", [
    (":path", "/"), (":status", "200"), (":x", "1"), *((name, "1") for name in CONNECTION_SPECIFIC)])
def test_fields_that_no_message_has_reset_the_stream(h2, field):
    stream = post(h2, "/h2test/read?trailers=all", [("x-first", "1"), field])
    assert stream.reset == PROTOCOL_ERROR
    assert h2.get("/files/1.bin").complete


def test_a_wrong_length_in_trailers_resets_the_stream(h2):
    assert post(h2, "/h2test/read", [("content-length", "3")]).reset == PROTOCOL_ERROR


def test_trailers_that_do_not_end_the_stream_are_an_error(h2):
    stream = h2.request("POST", "/h2test/read", end=False)
    h2.send_data(stream, b"content")
    h2.send_headers(stream.id, [("x-sum", "1")], end=False)
    h2.wait_for(lambda: stream.reset is not None or h2.goaways, "an error")
    assert stream.reset == PROTOCOL_ERROR or h2.goaways[0].error_code == PROTOCOL_ERROR


def test_an_http_1_1_back_end_gets_no_trailers(h2):
    """mod_proxy_http ends its chunks without."""
    r = post(h2, "/proxy/echo", [("x-sum", "1")])
    assert r.complete and r.body == b"content" and r.headers["x-trailers"] == "0"


# -- TE and Trailer of requests ---------------------------------------------------------------------


def environment(response):
    return dict(line.split("=", 1) for line in response.text.splitlines() if "=" in line)


def test_te_and_trailer_reach_scripts_and_back_ends_of_http_2(h2):
    fields = {"te": "trailers", "trailer": "x-sum"}
    for path in ("/cgi/env", "/back/cgi/env"):
        seen = environment(h2.get(path, fields))
        assert seen["HTTP_TE"] == "trailers" and seen["HTTP_TRAILER"] == "x-sum"
    assert "HTTP_TE" not in environment(h2.get("/cgi/env"))


def test_a_back_end_of_http_2_always_sees_te(h2):
    """mod_proxy_http2 says for itself that it takes trailers."""
    assert environment(h2.get("/back/cgi/env"))["HTTP_TE"] == "trailers"


def test_a_back_end_of_http_1_1_sees_neither(h2):
    seen = json.loads(h2.get("/proxy/headers", {"te": "trailers", "trailer": "x-sum"}).text)
    assert not {"te", "trailer"} & {name.lower() for name in seen}


@pytest.mark.parametrize("te", ["gzip", "trailers, deflate", "trailers;q=1", ""])
def test_another_te_is_an_error(h2, te):
    stream = h2.fetch("GET", "/files/1.bin", {"te": te})
    assert stream.reset == PROTOCOL_ERROR
    assert h2.get("/files/1.bin", {"te": "trailers"}).complete

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Methods, each as an application and as httpd itself answer it."""

import pytest

from h1client import Http1
from h2client import CONNECT_ERROR, Tls


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"])
def test_a_handler_sees_the_method(h2, method):
    r = h2.fetch(method, "/h2test/info")
    assert r.status == 200 and r.complete
    assert "method=%s\n" % method in r.text
    assert "the_request=%s /h2test/info HTTP/2.0\n" % method in r.text


def test_an_unknown_method_is_treated_as_in_http_1_1(httpd, h2):
    with Http1(httpd.address("clear")) as old:
        expected = old.request("FROBNICATE", "/text.txt").status
    r = h2.fetch("FROBNICATE", "/text.txt")
    assert r.status == expected and r.complete
    assert h2.get("/files/1.bin").complete


def test_head_is_answered_like_get_without_a_body(h2):
    get, head = h2.get("/text.txt"), h2.fetch("HEAD", "/text.txt")
    assert head.status == 200 and head.complete and not head.received

    def fields(stream):
        return {n: v for n, v in stream.fields if n != "date"}
    assert fields(head) == fields(get)


def test_head_of_a_generated_response_has_no_body(h2):
    r = h2.fetch("HEAD", "/h2test/write?n=100000")
    assert r.status == 200 and r.complete and not r.received


def test_head_of_a_missing_file_is_404_without_a_body(h2):
    r = h2.fetch("HEAD", "/missing")
    assert r.status == 404 and r.complete and not r.received


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("size", [0, 1, 16384, 100000])
def test_a_body_reaches_the_handler(h2, method, size):
    r = h2.fetch(method, "/h2test/echo", body=bytes(size))
    assert r.status == 200 and r.complete and r.body == bytes(size)


def test_a_get_with_a_body_is_served(h2):
    r = h2.fetch("GET", "/h2test/echo", body=b"unusual")
    assert r.complete and r.body == b"unusual"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_static_file_refuses_other_methods(h2, method):
    r = h2.fetch(method, "/files/1.bin", body=b"content")
    assert r.status == (405 if method != "POST" else r.status) and r.complete
    assert h2.get("/files/1.bin").complete


def test_post_to_a_static_file_is_answered_as_in_http_1_1(httpd, h2):
    with Http1(httpd.address("clear")) as old:
        expected = old.request("POST", "/text.txt", body=b"content").status
    assert h2.fetch("POST", "/text.txt", body=b"content").status == expected


def test_options_of_a_file_lists_its_methods(h2):
    r = h2.fetch("OPTIONS", "/text.txt")
    assert r.status == 200 and r.complete
    assert {"GET", "HEAD", "POST", "OPTIONS"} <= set(r.headers["allow"].replace(" ", "").split(","))


def test_options_of_the_server_is_answered(httpd, transport, h2):
    tls = Tls(alpn=("http/1.1",)) if transport == "tls" else None
    with Http1(httpd.address(transport), tls) as old:
        expected = old.request("OPTIONS", "*")
    r = h2.fetch("OPTIONS", "*")
    assert r.status == expected.status and r.complete
    assert r.headers.get("allow") == expected.headers.get("allow")
    assert h2.get("/files/1.bin").complete


def test_connect_is_refused_and_the_connection_lives(h2):
    stream = h2.open()
    h2.send_headers(stream.id, [(":method", "CONNECT"), (":authority", "other.test:443")], end=False)
    h2.wait_for(lambda: stream.done, "the refusal")
    if stream.reset is None:
        assert stream.status in (400, 403, 405, 501)
    else:
        assert stream.status in (None, 400, 403, 405, 501)
        assert stream.reset in (0, 1, 7, CONNECT_ERROR)
    assert not h2.goaways
    assert h2.get("/files/1.bin").complete


def test_trace_does_not_echo_more_than_in_http_1_1(httpd, h2):
    with Http1(httpd.address("clear")) as old:
        expected = old.request("TRACE", "/text.txt").status
    r = h2.fetch("TRACE", "/text.txt", {"x-test": "echoed"})
    assert r.status == expected and r.complete
    if r.status == 200:
        assert "echoed" in r.text and "HTTP/2.0" in r.text

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""H2SerializeHeaders: a request that httpd reads itself, as HTTP/1.1, is no other than one that we
have made. Each request is sent both ways, and what comes back compared."""

import re

import pytest

from conftest import open_client
from demosite import pattern
from h2client import PROTOCOL_ERROR
from servers import MAIN, PLAIN

LIMITS = "LimitRequestLine 300\nLimitRequestFields 20\nLimitRequestFieldSize 200\n"

# What differs from request to request.
CHANGING = re.compile(r"^(H2_STREAM_\w+|REMOTE_PORT|UNIQUE_ID|REQUEST_TIME|id|pid|SSL_SESSION\w*|"
                      r"SERVER_PORT|SSL_.*RESUMED|port)=.*$", re.M)
CASES = {
    "file": ("GET", "/text.txt", []),
    "query": ("GET", "/cgi/env?a=b&c=%20d", []),
    "fields": ("GET", "/cgi/env", [("x-one", "1"), ("x-many", "a"), ("x-many", "b"),
                                   ("accept-language", "de"), ("x-empty", "")]),
    "cookies": ("GET", "/cgi/env", [("cookie", "a=1"), ("x-other", "x"), ("cookie", "b=2")]),
    "blanks": ("GET", "/cgi/env", [("x-blanks", "  a  b  ")]),
    "octets": ("GET", "/cgi/env", [("x-octets", "\x80\xff")]),
    "other-host": ("GET", "/cgi/env", [("host", "b.test")]),
    "info": ("GET", "/h2test/info", []),
    "head": ("HEAD", "/text.txt", []),
    "range": ("GET", "/text.txt", [("range", "bytes=10-19")]),
    "conditional": ("GET", "/text.txt", [("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT")]),
    "options": ("OPTIONS", "/text.txt", []),
    "asterisk": ("OPTIONS", "*", []),
    "unknown-method": ("FROBNICATE", "/text.txt", []),
    "missing": ("GET", "/none", []),
    "encoded": ("GET", "/%74ext.txt", []),
    "forbidden-path": ("GET", "/../etc", []),
    "bad-escape": ("GET", "/%zz", []),
    "bad-host": ("GET", "/text.txt", [], {"authority": "a b"}),
    "long-line": ("GET", "/text.txt?" + "x" * 400, []),
    "long-field": ("GET", "/text.txt", [("x-long", "x" * 400)]),
    "many-fields": ("GET", "/text.txt", [("x-%d" % i, "x") for i in range(40)]),
    "expectation": ("GET", "/text.txt", [("expect", "the-unexpected")]),
    "redirect": ("GET", "/cgi/redirect", []),
    "auth": ("GET", "/auth/secret.txt", [("authorization", "Basic dXNlcjpzZWNyZXQ=")]),
    "no-auth": ("GET", "/auth/secret.txt", []),
    "post": ("POST", "/cgi/cat", [("content-type", "text/plain")], {"body": b"a body"}),
    "post-length": ("POST", "/cgi/cat", [("content-length", "6")], {"body": b"a body"}),
    "post-large": ("POST", "/cgi/digest", [], {"body": pattern(300000)}),
    "post-unread": ("POST", "/text.txt", [], {"body": b"nobody reads it"}),
    "post-continue": ("POST", "/cgi/cat", [("expect", "100-continue")], {"body": b"a body"}),
    "post-proxy": ("POST", "/proxy/echo", [], {"body": pattern(100000)}),
    "limited": ("POST", "/h2test/limited/read", [("x-long", "x" * 150)], {"body": b"x" * 900}),
    "limited-no-body": ("GET", "/h2test/limited/read",
                        [("x-long", "x" * 150), ("x-more", "x" * 150)]),
    "over-limit": ("POST", "/h2test/limited/read", [], {"body": b"x" * 1100}),
    "post-redirected": ("POST", "/h2test/redirect?to=/h2test/read", [], {"body": b"a body"}),
    "post-long-field": ("POST", "/cgi/cat", [("x-long", "x" * 400)], {"body": b"a body"}),
}


@pytest.fixture
def both(servers, mpm, transport):
    """Clients of two servers that differ in nothing else."""
    def client(name, setting):
        config = LIMITS + "H2SerializeHeaders %s\n" % setting + MAIN
        return open_client(servers.get(name, mpm, config,
                                       ports=("tls", "clear", "plain", "banner", "nodirect")),
                           transport)
    return client("serialized", "on"), client("made", "off")


def answer(client, method, path, headers, options=None):
    options = dict(options or {})
    stream = client.fetch(method, path, headers, **options)
    fields = sorted((n, sorted(v.split(",")) if n == "allow" else v) for n, v in stream.fields
                    if n not in ("date", "content-length"))
    text = "\n".join(sorted(CHANGING.sub("", stream.text).splitlines()))
    status = 400 if stream.status == 431 else stream.status     # what httpd's reader says
    return status, stream.complete, stream.interim, fields, "" if status == 400 else text


@pytest.mark.parametrize("name", CASES)
def test_a_request_that_httpd_reads_is_the_same(both, name):
    read, made = (answer(client, *CASES[name]) for client in both)
    assert read == made
    for client in both:
        assert client.get("/text.txt").complete, "the connection goes on"


def test_trailers_of_a_request_arrive(both):
    for client in both:
        stream = client.open()
        client.send_headers(stream.id, client.request_fields("POST", "/h2test/read?trailers=1"),
                            end=False)
        client.send_data(stream, b"body")
        client.send_headers(stream.id, [("x-trailer", "yes")])
        assert client.wait(stream).text == "1 trailers, read 4\n"


def test_network_filters_see_the_text(servers, mpm, transport):
    """What the directive is for: mod_dumpio, as an example, logs what is read."""
    config = "LogLevel dumpio:trace7\nDumpIOInput On\nH2SerializeHeaders on\n" + PLAIN
    server = servers.get("dumped", mpm, config, modules=("dumpio",))
    client = open_client(server, transport)
    assert client.get("/text.txt", [("x-seen", "in the log")]).complete
    assert "GET /text.txt HTTP/2.0" in server.errors()
    assert "x-seen: in the log" in server.errors()


def test_no_request_can_be_smuggled_in_the_text(both):
    for client in both:
        stream = client.open()
        block = client.encoder.encode(client.request_fields("GET", "/text.txt"))
        block += b"\x00\x06x-evil\x10a\r\nx-injected: b"
        client.send_frame(1, 0x5, stream.id, block)
        client.wait(stream)
        assert stream.reset == PROTOCOL_ERROR
        stream = client.fetch("GET", "/text.txt HTTP/1.1\tx")
        assert stream.status in (None, 400)

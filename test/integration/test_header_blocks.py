# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Heads of responses, large ones and bad ones, and how many errors of a client are tolerated."""

import pytest

from conftest import open_client
from h2client import FLOW_CONTROL_ERROR, INTERNAL_ERROR, PROTOCOL_ERROR
from servers import SITE

FIELD = 7900    # bytes of one field's value


def _fields(directive, count):
    return "".join("    %s X-Big-%d %s\n" % (directive, i, "x" * FIELD) for i in range(count))


CONFIG = SITE + "".join("<Location /big/%d/>\n    SetHandler h2test\n%s</Location>\n"
                        % (n, _fields("Header set", n)) for n in (1, 3, 7, 9, 40)) + """
<Location /control/>
    SetHandler h2test
    Header set X-Bad "a\x01b"
</Location>
<Location /blanks/>
    SetHandler h2test
    Header set X-Blanks "  \t padded  "
</Location>
<Location /hints/>
    SetHandler h2test
    H2EarlyHints on
%s</Location>
""" % _fields("H2EarlyHint", 9) + "".join("""
<VirtualHost *:{port_tls}>
    ServerName %s.test
    Protocols h2 http/1.1
    %s
    {tls}
</VirtualHost>
""" % v for v in (("a", ""), ("small", "H2MaxHeaderBlockLen 10000\nH2MaxStreamErrors 2"),
                  ("large", "H2MaxHeaderBlockLen 1000000\nH2MaxStreamErrors 0")))


@pytest.fixture
def server(servers, mpm):
    return servers.get("header-blocks", mpm, CONFIG, ports=("tls",))


def client_of(server, vhost="a", **options):
    client = open_client(server, sni=vhost + ".test", **options)
    client.decoder.max_header_list_size = 1 << 24
    return client


@pytest.mark.parametrize("vhost, count, is_sent", [
    ("a", 1, True), ("a", 7, True), ("a", 9, False), ("a", 40, False),
    ("small", 1, True), ("small", 3, False),
    ("large", 9, True), ("large", 40, True)])
def test_the_fields_of_a_response_are_limited(server, vhost, count, is_sent):
    client = client_of(server, vhost)
    stream = client.fetch("GET", "/big/%d/write?n=1000" % count)
    if is_sent:
        assert stream.complete and stream.received == 1000
        assert sum(len(v) for n, v in stream.fields if n.startswith("x-big")) == count * FIELD
    else:
        assert stream.status is None and stream.reset == INTERNAL_ERROR
        assert "larger than H2MaxHeaderBlockLen" in server.errors()
    assert client.get("/files/65537.bin").complete


def test_a_control_character_in_a_field_resets_the_stream(server):
    client = client_of(server)
    stream = client.fetch("GET", "/control/write?n=10")
    assert stream.status is None and stream.reset == INTERNAL_ERROR
    assert "response field 'X-Bad' cannot be sent" in server.errors()
    assert client.get("/files/1.bin").complete


def test_blanks_around_a_field_are_stripped(server):
    stream = client_of(server).get("/blanks/write?n=10")
    assert stream.complete and stream.headers["x-blanks"] == "padded"


def test_many_large_heads_at_once(server):
    client = client_of(server, "large")
    streams = [client.request("GET", "/big/40/write?n=1000&i=%d" % i) for i in range(20)]
    client.wait(*streams)
    assert all(s.complete and len(s.fields) > 40 for s in streams)


def test_hints_that_are_too_large_are_left_out(server):
    client = client_of(server)
    stream = client.fetch("GET", "/hints/write?n=10")
    assert stream.complete and not stream.interim


def test_large_trailers_follow_a_body(server):
    client = client_of(server, "large")
    stream = client.fetch("GET", "/h2test/write?n=100000&trailer_bytes=200000")
    assert stream.complete and stream.received == 100000
    assert len(dict(stream.trailers)["x-large"]) == 200000


def exceed_window(client):
    with client.cork():     # a handler that is through before would have the stream reset for that
        stream = client.request("POST", "/h2test/gate?max=100", end=False)
        for _ in range(5):
            client.send_frame(0, 0, stream.id, bytes(16384))
    client.wait_for(lambda: stream.reset is not None or client.goaways, "a reaction")
    return stream


@pytest.mark.parametrize("vhost, tolerated", [("a", 8), ("small", 2)])
def test_errors_in_flow_control_are_counted(server, vhost, tolerated):
    client = client_of(server, vhost)
    for _ in range(tolerated):
        assert exceed_window(client).reset == FLOW_CONTROL_ERROR
    assert client.get("/files/1.bin").complete and not client.goaways
    exceed_window(client)
    client.wait_closed()
    assert client.goaways[-1].error_code == PROTOCOL_ERROR
    assert "more errors than H2MaxStreamErrors" in server.errors()


def test_any_number_of_errors_may_be_allowed(server):
    client = client_of(server, "large")
    for _ in range(30):
        assert exceed_window(client).reset == FLOW_CONTROL_ERROR
    assert client.get("/files/1.bin").complete and not client.goaways

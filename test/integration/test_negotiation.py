# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""How a connection comes to HTTP/2: ALPN, prior knowledge, Upgrade; and how it does not."""

import ssl

import pytest

from conftest import open_client
from h1client import Http1
from h2client import INITIAL_WINDOW_SIZE, PREFACE, PROTOCOL_ERROR, SETTINGS, Tls, Wire, frame_bytes
from servers import PLAIN

UPGRADE = (b"GET %s HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\n"
           b"Upgrade: h2c\r\nHTTP2-Settings: %%SETTINGS%%\r\n\r\n")


def negotiated(httpd, sni, alpn, **options):
    wire = Wire(httpd.address("tls"), Tls(sni=sni, alpn=alpn, **options))
    wire.close()
    return wire.alpn


@pytest.fixture
def upgrade(httpd):
    def upgrade(path="/", port="clear", **options):
        return open_client(httpd, "clear", port=port, upgrade=UPGRADE % path.encode(), **options)
    return upgrade


# -- ALPN ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("sni, offered, chosen", [
    ("a.test", ("h2", "http/1.1"), "h2"),
    ("a.test", ("http/1.1", "h2"), "h2"),
    ("a.test", ("h2",), "h2"),
    ("a.test", ("http/1.1",), "http/1.1"),
    ("a.test", ("spdy/3", "h2"), "h2"),
    ("h2only.test", ("h2", "http/1.1"), "h2"),
    ("first-h1.test", ("h2", "http/1.1"), "http/1.1"),
    ("first-h1.test", ("h2",), "h2"),
    ("client-order.test", ("h2", "http/1.1"), "h2"),
    ("client-order.test", ("http/1.1", "h2"), "http/1.1"),
    ("h1.test", ("h2", "http/1.1"), "http/1.1"),
    ("unknown.test", ("h2", "http/1.1"), "h2"),
])
def test_alpn_follows_the_vhosts_protocols(httpd, sni, offered, chosen):
    assert negotiated(httpd, sni, offered) == chosen


def test_h2_is_never_chosen_for_a_vhost_without_it(httpd):
    try:
        assert negotiated(httpd, "h1.test", ("h2",)) != "h2"
    except ssl.SSLError:
        pass        # httpd chooses http/1.1, which was not offered, and the client gives up


@pytest.mark.parametrize("sni", ["a.test", "h2only.test", "first-h1.test", "client-order.test"])
def test_a_vhost_that_negotiated_h2_serves_it(httpd, sni):
    client = open_client(httpd, sni=sni)
    r = client.get("/h2test/info")
    assert r.complete and "server=%s\n" % sni in r.text and "is_h2=1\n" in r.text


@pytest.mark.parametrize("sni", ["a.test", "h1.test", "first-h1.test"])
def test_http_1_1_is_served_beside_h2_over_tls(httpd, sni):
    with Http1(httpd.address("tls"), Tls(sni=sni, alpn=("http/1.1",)), host=sni) as client:
        for _ in range(3):
            r = client.get("/h2test/info")
            assert r.status == 200
            assert "protocol=HTTP/1.1\n" in r.text and "is_h2=0\n" in r.text
            assert "has_master=0\n" in r.text


def test_a_client_without_alpn_gets_http_1_1(httpd):
    with Http1(httpd.address("tls"), Tls(alpn=())) as client:
        assert client.wire.alpn is None
        assert client.get("/text.txt").status == 200


def test_the_preface_over_tls_without_alpn_h2_starts_no_h2(httpd):
    with Http1(httpd.address("tls"), Tls(alpn=("http/1.1",))) as client:
        client.send(PREFACE + frame_bytes(SETTINGS, 0, 0))
        assert client.read_to_end().startswith(b"HTTP/1.1 400")


def test_the_preface_over_tls_starts_h2_where_direct_is_on(servers, mpm):
    server = servers.get("direct", mpm, PLAIN + "\nH2Direct on\n")
    for alpn in ((), ("http/1.1",)):
        client = open_client(server, "tls", tls=Tls(alpn=alpn))
        assert client.get("/text.txt").status == 200
        with Http1(server.address("tls"), Tls(alpn=alpn)) as old:
            old.send(b"GET / HTTP/1.0\r\n\r\n")
            assert old.read_to_end().startswith(b"HTTP/1.1 ")


def test_old_ciphers_get_no_h2_where_modern_tls_is_asked_for(httpd):
    for cipher in ("AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA256"):
        options = dict(max_version=ssl.TLSVersion.TLSv1_2, ciphers=cipher)
        assert negotiated(httpd, "a.test", ("h2", "http/1.1"), **options) == "http/1.1"
        with Http1(httpd.address("tls"), Tls(alpn=("h2", "http/1.1"), **options)) as client:
            assert client.get("/text.txt").status == 200


def test_old_ciphers_get_h2_where_modern_tls_is_switched_off(httpd):
    tls = Tls(sni="old-tls.test", max_version=ssl.TLSVersion.TLSv1_2, ciphers="AES128-GCM-SHA256")
    assert open_client(httpd, tls=tls, sni="old-tls.test").get("/text.txt").status == 200


def test_tls_1_2_with_a_modern_cipher_gets_h2(httpd):
    tls = Tls(max_version=ssl.TLSVersion.TLSv1_2, ciphers="ECDHE-RSA-AES128-GCM-SHA256")
    assert open_client(httpd, tls=tls).get("/text.txt").status == 200


# -- prior knowledge ------------------------------------------------------------------------------


def test_h2c_by_prior_knowledge_is_served(httpd):
    client = open_client(httpd, "clear")
    r = client.get("/h2test/info")
    assert r.complete and "protocol=HTTP/2.0\n" in r.text and "is_h2=1\n" in r.text


def test_the_first_frame_of_the_server_is_settings(h2):
    h2.wait_settings()
    first = h2.received()[0]
    assert first.type == SETTINGS and not first.flags


@pytest.mark.parametrize("cut", [1, 3, 14, 16, 23, 24, 30])
def test_a_preface_in_two_pieces_is_understood(connect, cut):
    client = connect(handshake=False)
    start = PREFACE + frame_bytes(SETTINGS, 0, 0)
    client.send_raw(start[:cut])
    client.poll()
    client.send_raw(start[cut:])
    client.started()
    assert client.get("/text.txt").status == 200


def test_a_preface_byte_by_byte_is_understood(connect):
    client = connect(handshake=False)
    for byte in PREFACE + frame_bytes(SETTINGS, 0, 0):
        client.send_raw(bytes([byte]))
    client.started()
    assert client.get("/text.txt").status == 200


def test_a_request_in_the_same_segment_as_the_preface_is_answered(connect):
    client = connect(handshake=False)
    with client.cork():
        client.handshake()
        stream = client.request("GET", "/text.txt")
    assert client.wait(stream).complete


def test_http_1_1_is_served_beside_h2c(httpd):
    with Http1(httpd.address("clear")) as client:
        for _ in range(3):
            r = client.get("/h2test/info")
            assert r.status == 200 and "protocol=HTTP/1.1\n" in r.text


@pytest.mark.parametrize("start", [b"G", b"P", b"PR", b"PRI", b"PRI * HTTP/1.1\r"])
def test_a_slow_first_line_on_an_h2c_port_is_http_1_1(httpd, start):
    """Its first bytes may be those of the preface, and come alone."""
    rest = {b"G": b"ET /text.txt HTTP/1.1", b"P": b"OST /h2test/echo HTTP/1.1",
            b"PR": b"OPFIND / HTTP/1.1", b"PRI": b"X / HTTP/1.1"}.get(start, b"")
    expected = {b"G": 200, b"P": 200}.get(start)
    with Http1(httpd.address("clear")) as client:
        client.send(start)
        client.wire.step(0.05)
        client.send(rest + b"\r\nHost: a.test\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        answer = client.read_to_end()
    assert answer.startswith(b"HTTP/1.1 ")
    if expected:
        assert answer.startswith(b"HTTP/1.1 %d" % expected)


def test_a_wrong_preface_does_not_start_h2(httpd):
    with Http1(httpd.address("clear")) as client:
        client.send(PREFACE.replace(b"SM", b"SX") + frame_bytes(SETTINGS, 0, 0))
        answer = client.read_to_end()
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400") or \
        b"\x00\x00\x08\x07" in answer       # GOAWAY


def test_the_preface_over_tls_must_be_right(httpd):
    client = open_client(httpd, handshake=False)
    client.send_raw(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    client.wait_closed()
    assert all(f.error_code == PROTOCOL_ERROR for f in client.goaways)
    assert not client.received(1)


# -- vhosts that do not have it -------------------------------------------------------------------


def test_a_vhost_without_h2c_treats_the_preface_as_http_1_1(httpd):
    with Http1(httpd.address("plain")) as client:
        client.send(PREFACE + frame_bytes(SETTINGS, 0, 0))
        assert client.read_to_end().startswith(b"HTTP/1.1 400")


def test_a_vhost_with_direct_off_treats_the_preface_as_http_1_1(httpd):
    with Http1(httpd.address("nodirect")) as client:
        client.send(PREFACE + frame_bytes(SETTINGS, 0, 0))
        assert client.read_to_end().startswith(b"HTTP/1.1 400")


def test_a_vhost_without_h2c_is_never_inspected(httpd):
    """A protocol module behind ours speaks first: the client sends nothing before."""
    with Http1(httpd.address("banner")) as client:
        assert client.read_until(b"\r\n", timeout=5) == b"220 speaks first\r\n"


@pytest.mark.parametrize("start", [b"P", b"PRI * HTTP/2.0\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n"])
def test_partial_bytes_of_a_preface_do_not_hold_up_a_vhost_without_h2c(httpd, start):
    with Http1(httpd.address("banner")) as client:
        client.send(start)
        assert client.read_until(b"\r\n", timeout=5) == b"220 speaks first\r\n"


def test_upgrade_is_ignored_by_a_vhost_without_h2c(httpd):
    for port, host in (("plain", "a.test"), ("clear", "h1.test")):
        with Http1(httpd.address(port), host=host) as client:
            r = client.get("/text.txt", [("Connection", "Upgrade, HTTP2-Settings"),
                                         ("Upgrade", "h2c"), ("HTTP2-Settings", "")])
            assert r.status == 200 and b"quick brown" in r.body


# -- Upgrade --------------------------------------------------------------------------------------


def test_upgrade_answers_the_request_as_stream_1(upgrade):
    client = upgrade("/text.txt")
    assert b"Upgrade: h2c\r\n" in client.upgrade_response
    r = client.wait(client.streams[1])
    assert r.status == 200 and r.complete and b"quick brown" in r.body


def test_upgraded_requests_are_http_2(upgrade):
    client = upgrade("/h2test/info")
    r = client.wait(client.streams[1])
    assert "protocol=HTTP/2.0\n" in r.text and "is_h2=1\n" in r.text
    assert "hostname=a.test\n" in r.text


def test_requests_go_on_after_an_upgrade(upgrade):
    client = upgrade("/text.txt")
    streams = [client.request("GET", "/files/65537.bin") for _ in range(5)]
    client.wait(client.streams[1], *streams)
    assert all(s.complete and s.received == 65537 for s in streams)


def test_the_settings_of_an_upgrade_count(upgrade):
    client = upgrade("/files/65537.bin", settings={INITIAL_WINDOW_SIZE: 1000}, auto_window=False,
                     handshake=False)
    # Before the client's preface the server may send nothing or the head, never more than 1000.
    client.handshake()
    stream = client.streams[1]
    client.wait_bytes(stream, 1000)
    client.ping()
    assert stream.received == 1000
    client.send_window_update(1, 70000)
    client.send_window_update(0, 70000)
    assert client.wait(stream).received == 65537


def test_a_head_request_can_upgrade(httpd):
    request = (UPGRADE % b"/text.txt").replace(b"GET", b"HEAD")
    client = open_client(httpd, "clear", upgrade=request)
    r = client.wait(client.streams[1])
    assert r.status == 200 and r.complete and not r.received


def test_a_request_with_a_body_does_not_upgrade(httpd):
    with Http1(httpd.address("clear")) as client:
        r = client.request("POST", "/h2test/echo", [("Connection", "Upgrade, HTTP2-Settings"),
                                                    ("Upgrade", "h2c"), ("HTTP2-Settings", "")],
                           b"body")
        assert r.status == 200 and r.body == b"body"
        assert client.get("/text.txt").status == 200


@pytest.mark.parametrize("fields", [
    [("Connection", "Upgrade"), ("Upgrade", "h2c")],
    [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"), ("HTTP2-Settings", "!!!!")],
    [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2"), ("HTTP2-Settings", "")],
    [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "other/1"), ("HTTP2-Settings", "")],
    [("Upgrade", "h2c"), ("HTTP2-Settings", "")],
], ids=["no-settings", "bad-settings", "h2-in-clear", "other-protocol", "no-connection"])
def test_an_incomplete_upgrade_is_answered_in_http_1_1(httpd, fields):
    with Http1(httpd.address("clear")) as client:
        r = client.get("/text.txt", fields)
        assert r.status in (200, 400)
        if r.status == 200:
            assert b"quick brown" in r.body


def test_upgrade_on_a_later_request_of_the_connection_is_ignored(httpd):
    with Http1(httpd.address("clear")) as client:
        assert client.get("/text.txt").status == 200
        r = client.get("/text.txt", [("Connection", "Upgrade, HTTP2-Settings"),
                                     ("Upgrade", "h2c"), ("HTTP2-Settings", "")])
        assert r.status == 200
        assert client.get("/text.txt").status == 200


def test_upgrade_off_leaves_http_1_1(httpd):
    with Http1(httpd.address("clear"), host="no-upgrade.test") as client:
        r = client.get("/text.txt", [("Connection", "Upgrade, HTTP2-Settings"),
                                     ("Upgrade", "h2c"), ("HTTP2-Settings", "")])
        assert r.status == 200 and b"quick brown" in r.body


def test_the_first_response_over_h2c_offers_nothing_odd(httpd):
    """Over clear text httpd advertises h2c by Upgrade in HTTP/1.1, never inside HTTP/2."""
    client = open_client(httpd, "clear")
    r = client.get("/text.txt")
    assert "upgrade" not in r.headers and "connection" not in r.headers

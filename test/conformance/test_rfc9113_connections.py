# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""RFC 9113, 3, 9 and 10: how HTTP/2 begins, TLS, and what a client may not make the server do."""

import ssl
import struct

import pytest

from conftest import open_client
from h1client import Http1
from h2client import (ACK, DATA, ENHANCE_YOUR_CALM, FRAME_SIZE_ERROR, GOAWAY, HEADERS,
                      INITIAL_WINDOW_SIZE, PING, PREFACE, PRIORITY, PROTOCOL_ERROR, RST_STREAM,
                      SETTINGS, SETTINGS_TIMEOUT, WINDOW_UPDATE, Tls, frame_bytes, settings_payload)
from rules import SMALL, Goaway, is_alive

EMPTY_SETTINGS = frame_bytes(SETTINGS, 0, 0)


@pytest.fixture
def silent(connect):
    """A connection on which nothing has been sent."""
    return connect(handshake=False)


def begin(client, *parts):
    """These bytes, each in a write of its own; the client's own frames follow them."""
    for part in parts:
        client.send_raw(part)
    client.started()


# -- 3 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offered, chosen", [
    pytest.param(("h2",), "h2", id="3.2 h2 is chosen by ALPN"),
    pytest.param(("http/1.1", "h2"), "h2", id="3.2 h2 is chosen beside http/1.1"),
    pytest.param(("h2c", "http/1.1"), "http/1.1", id="3.1 h2c is not chosen beside http/1.1"),
    pytest.param(("h2-14", "http/1.1"), "http/1.1", id="3.1 a draft of h2 is not chosen")])
def test_alpn(httpd, offered, chosen):
    with Http1(httpd.address("tls"), tls=Tls(alpn=offered)) as client:
        assert client.wire.alpn == chosen


def test_3_3_h2c_begins_by_prior_knowledge(httpd):
    is_alive(open_client(httpd, "clear"))


def test_3_3_h2_over_tls_does_not_begin_without_alpn(httpd):
    with Http1(httpd.address("tls"), tls=Tls(alpn=())) as client:
        client.send(PREFACE + EMPTY_SETTINGS)
        assert client.read_to_end().startswith(b"HTTP/1.1 400")


def test_3_4_the_servers_first_frame_is_settings_and_waits_for_none_of_the_client(silent):
    silent.send_raw(PREFACE)
    silent.wait_for(lambda: silent.peer_settings_frames, "SETTINGS")
    first = silent.received()[0]
    assert first.type == SETTINGS and not first.flags
    begin(silent, EMPTY_SETTINGS)
    is_alive(silent)


def test_3_4_requests_need_not_wait_for_the_servers_settings(silent):
    with silent.cork():
        silent.handshake()
        streams = [silent.request("GET", SMALL) for _ in range(5)]
    silent.wait(*streams)
    assert all(stream.complete for stream in streams)
    is_alive(silent)


def test_3_4_settings_of_the_preface_are_acknowledged(silent):
    begin(silent, PREFACE + EMPTY_SETTINGS)
    silent.wait_settings()
    assert silent.settings_acks == 1


@pytest.mark.parametrize("cuts", [
    pytest.param(cuts, id="3.4 a preface in pieces that end at %s is one" % (cuts,))
    for cuts in ((1,), (16,), (18,), (23,), (24,), (25,), (3, 14, 24, 30))])
def test_a_preface_in_pieces(silent, cuts):
    data, at = PREFACE + EMPTY_SETTINGS, 0
    parts = []
    for cut in (*cuts, len(data)):
        parts.append(data[at:cut])
        at = cut
    begin(silent, *parts)
    is_alive(silent)


def test_3_4_a_preface_byte_by_byte_is_one(silent):
    begin(silent, *[bytes([byte]) for byte in PREFACE + EMPTY_SETTINGS])
    is_alive(silent)


@pytest.mark.parametrize("frame", [
    pytest.param(frame, id="3.4 %s in the place of the first SETTINGS is a PROTOCOL_ERROR" % name)
    for name, frame in (
        ("DATA", frame_bytes(DATA, 0, 1, b"x")), ("HEADERS", frame_bytes(HEADERS, 5, 1, b"\x82")),
        ("PRIORITY", frame_bytes(PRIORITY, 0, 1, bytes(5))),
        ("RST_STREAM", frame_bytes(RST_STREAM, 0, 1, bytes(4))),
        ("PING", frame_bytes(PING, 0, 0, bytes(8))),
        ("GOAWAY", frame_bytes(GOAWAY, 0, 0, bytes(8))),
        ("WINDOW_UPDATE", frame_bytes(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1))),
        ("an ACK", frame_bytes(SETTINGS, ACK, 0)),
        ("an unknown type", frame_bytes(0xbb, 0, 0, b"x")))])
def test_another_first_frame(silent, frame):
    begin(silent, PREFACE + frame)
    Goaway(PROTOCOL_ERROR).check(silent)


@pytest.mark.parametrize("frame, outcome", [
    pytest.param(frame_bytes(SETTINGS, 0, 0, bytes(5)), Goaway(FRAME_SIZE_ERROR),
                 id="3.4 first SETTINGS of 5 bytes are a FRAME_SIZE_ERROR"),
    pytest.param(frame_bytes(SETTINGS, 0, 1), Goaway(PROTOCOL_ERROR),
                 id="3.4 first SETTINGS on a stream are a PROTOCOL_ERROR"),
    pytest.param(frame_bytes(SETTINGS, 0, 0, length=16385), Goaway(FRAME_SIZE_ERROR),
                 id="3.4 first SETTINGS beyond the maximum are a FRAME_SIZE_ERROR"),
    pytest.param(PREFACE, Goaway(PROTOCOL_ERROR),
                 id="3.4 a second preface in the place of the first SETTINGS is a PROTOCOL_ERROR")])
def test_wrong_first_settings(silent, frame, outcome):
    begin(silent, PREFACE + frame)
    outcome.check(silent)


def test_3_4_another_preface_in_the_connection_is_a_frame_size_error(connect):
    client = connect()
    is_alive(client)
    client.send_raw(PREFACE)
    Goaway(FRAME_SIZE_ERROR).check(client)


@pytest.mark.parametrize("start", [
    pytest.param(start, id="3.4 %s over TLS is no preface: closed" % name)
    for start, name in ((b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "a request of HTTP/1.1"),
                        (PREFACE.replace(b"SM", b"SX") + EMPTY_SETTINGS,
                         "a preface with a wrong byte"),
                        (PREFACE.lower() + EMPTY_SETTINGS, "a preface in lower case"),
                        (bytes(24) + EMPTY_SETTINGS, "a row of zeros"))])
def test_no_preface(httpd, start):
    client = open_client(httpd, handshake=False)
    client.send_raw(start)
    client.wait_closed()
    assert [f.error_code for f in client.goaways] == [PROTOCOL_ERROR]
    assert not client.received(HEADERS)


@pytest.mark.parametrize("wrong", [
    pytest.param(wrong, id="3.4 %s in clear text is no preface: HTTP/1.1" % name)
    for wrong, name in ((PREFACE.replace(b"SM", b"SX"), "a preface with a wrong byte"),
                        (PREFACE.replace(b"2.0", b"2.1"), "a preface of HTTP/2.1"))])
def test_no_preface_in_clear_text(httpd, wrong):
    with Http1(httpd.address("clear")) as client:
        client.send(wrong + EMPTY_SETTINGS)
        assert client.read_to_end().startswith(b"HTTP/1.1 400")


# -- 5.2, 5.3 -------------------------------------------------------------------------------------


def test_5_2_1_flow_control_is_for_data_alone(connect):
    """With shut windows all else goes on: heads, resets, PING, SETTINGS."""
    client = connect(settings={INITIAL_WINDOW_SIZE: 0}, auto_window=False)
    client.wait_settings()
    streams = [client.request("GET", "/files/1000.bin") for _ in range(5)]
    for stream in streams:
        assert client.wait_head(stream).status == 200
    client.ping()
    acks = client.settings_acks
    client.send_settings({INITIAL_WINDOW_SIZE: 1000})
    client.wait_for(lambda: client.settings_acks > acks, "the ACK")
    client.wait(*streams)
    assert all(stream.complete for stream in streams)


def test_5_2_2_the_connection_s_window_is_given_back_as_bodies_are_read(connect):
    client = connect("_few")
    client.wait_settings()
    client.ping()
    total = 2 * client.send_window
    stream = client.fetch("POST", "/h2test/read", body=bytes(total))
    assert stream.text == "read %d\n" % total


@pytest.mark.parametrize("weight", [
    pytest.param(weight, id="5.3.2 a weight of %d is taken" % (weight + 1)) for weight in (0, 255)])
def test_weights(connect, weight):
    client = connect()
    stream = client.open()
    block = client.encoder.encode(client.request_fields(path=SMALL))
    client.send_frame(HEADERS, 0x25, stream.id, struct.pack(">IB", 0, weight) + block)
    assert client.wait(stream).complete
    is_alive(client)


# -- 6.5.3 ----------------------------------------------------------------------------------------


def test_6_5_3_settings_that_are_never_acknowledged_are_a_settings_timeout(connect):
    client = connect("_hasty", auto_ack=False)
    client.request("GET", "/h2test/sleep?ms=5000")
    Goaway(SETTINGS_TIMEOUT).check(client)


# -- 9 --------------------------------------------------------------------------------------------


def test_9_1_1_a_request_for_another_site_of_the_server_is_answered_or_misdirected(httpd, connect):
    """Over TLS httpd says 421 where the other site would have another TLS; here it has not."""
    client = connect()
    assert client.get(SMALL, authority="other.test").status == 200
    is_alive(client)


def test_9_2_tls_1_3_is_used(httpd):
    client = open_client(httpd)
    assert client.wire.ssl.version() == "TLSv1.3"
    is_alive(client)


def test_9_2_tls_1_2_with_a_good_cipher_is_enough(httpd):
    client = open_client(httpd, tls=Tls(max_version=ssl.TLSVersion.TLSv1_2,
                                        ciphers="ECDHE-RSA-AES128-GCM-SHA256"))
    assert client.wire.ssl.version() == "TLSv1.2"
    is_alive(client)


@pytest.mark.parametrize("cipher", [
    pytest.param(cipher, id="9.2.2 the cipher %s is not used with h2" % cipher)
    for cipher in ("AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "AES256-SHA",
                   "ECDHE-RSA-AES256-SHA384")])
def test_forbidden_ciphers(httpd, cipher):
    tls = Tls(max_version=ssl.TLSVersion.TLSv1_2, ciphers=cipher, alpn=("h2", "http/1.1"))
    with Http1(httpd.address("tls"), tls=tls) as client:
        assert client.wire.alpn == "http/1.1"


def test_9_2_1_tls_is_not_compressed(httpd):
    client = open_client(httpd, tls=Tls(max_version=ssl.TLSVersion.TLSv1_2))
    assert client.wire.ssl.compression() is None


# -- 10 -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields, status", [
    pytest.param([("x-long", "x" * 9000)], 431,
                 id="10.5.1 a field of 9000 bytes is answered by 431"),
    pytest.param([("x-%d" % i, "x") for i in range(120)], 431,
                 id="10.5.1 120 fields are answered by 431")])
def test_large_heads(h2, fields, status):
    stream = h2.get(SMALL, headers=fields)
    assert stream.status == status and stream.complete
    is_alive(h2)


def test_10_5_1_a_path_of_9000_bytes_is_answered_by_414(h2):
    assert h2.get("/" + "x" * 9000).status == 414
    is_alive(h2)


def test_10_5_1_a_list_beyond_what_is_announced_resets_its_stream(h2):
    stream = h2.request("GET", SMALL, headers=[("x-%d" % i, "%d" % i * 1000) for i in range(40)])
    assert h2.wait_reset(stream).reset == ENHANCE_YOUR_CALM
    is_alive(h2)


def test_10_5_settings_of_33_entries_are_too_many(h2):
    h2.send_frame(SETTINGS, 0, 0, settings_payload([(0xabc, 1)] * 33))
    Goaway(ENHANCE_YOUR_CALM).check(h2)


def test_10_5_settings_of_32_entries_are_not_too_many(h2):
    h2.send_frame(SETTINGS, 0, 0, settings_payload([(0xabc, 1)] * 32))
    is_alive(h2)


def test_10_5_a_flood_of_pings_ends_the_connection(h2):
    with h2.cork():
        for _ in range(3000):
            h2.send_ping()
    Goaway(ENHANCE_YOUR_CALM).check(h2)


def test_10_5_a_hundred_pings_at_once_are_answered(h2):
    with h2.cork():
        for _ in range(100):
            h2.send_ping()
    h2.wait_for(lambda: len(h2.pings) == 100, "the ACKs")
    is_alive(h2)


def test_10_5_1_a_block_in_very_many_frames_ends_the_connection(h2):
    with h2.cork():
        h2.send_frame(HEADERS, 1, 1, b"\x82")
        for _ in range(100):
            h2.send_frame(9, 0, 1, b"\x00\x01a\x01b")
    Goaway(ENHANCE_YOUR_CALM).check(h2)


def test_10_5_1_eight_pieces_of_a_block_that_come_byte_by_byte_are_not_too_many(h2):
    """Pieces of frames are no frames."""
    stream = h2.open()
    block = h2.encoder.encode(h2.request_fields(path=SMALL))
    h2.send_frame(HEADERS, 1, stream.id, block[:1])
    for at in range(1, 8):
        piece = frame_bytes(9, 4 if at == 7 else 0, stream.id, block[at:] if at == 7 else
                            block[at:at + 1])
        for byte in piece:
            h2.send_raw(bytes([byte]))
    assert h2.wait(stream).complete
    is_alive(h2)

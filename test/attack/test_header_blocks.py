# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Field blocks that are long, endless, slow, or large only once they are decoded."""

import time

import pytest

import environment as env
from attacking import GROWTH_KIB
from rawclient import (CALM, COMPRESSION_ERROR, CONTINUATION, END_HEADERS, END_STREAM, HEADERS,
                       PROTOCOL_ERROR, REFUSED_STREAM, block, field, frame, head, headers, number)

REFUSED = (431, "RST CALM")


def literals(count, size):
    """Fields of so many bytes of a block."""
    return b"".join(field("x-%d" % i, "v" * (size // count)) for i in range(count))


# -- row 10: CONTINUATION ---------------------------------------------------------------------------


@pytest.mark.row(10)
@pytest.mark.parametrize("payload", [literals(2, 16000), b"", b"\x00"],
                         ids=["large", "empty", "a-byte-each"])
def test_a_continuation_flood_ends_the_connection(attack, payload):
    client = attack.connect()
    stream = 1
    client.send(frame(HEADERS, END_STREAM, stream, block(head())))
    data = payload or b""
    if data == b"\x00":         # a field whose value comes byte by byte
        client.send(frame(CONTINUATION, 0, stream, b"\x00" + b"\x01x" + number(60000, 7)))
        data = b"v"
    client.flood(*[frame(CONTINUATION, 0, stream, data) * 10] * 2000)
    attack.ends(client, CALM, PROTOCOL_ERROR)


@pytest.mark.row(10)
def test_a_block_may_have_some_continuations(attack):
    client = attack.connect()
    data = block(head(extra=[("x-filler", "v" * 100)]))
    size = -(-len(data) // 7)
    parts = [data[i:i + size] for i in range(0, len(data), size)]
    client.send(frame(HEADERS, END_STREAM, 1, parts[0])
                + b"".join(frame(CONTINUATION, 0, 1, part) for part in parts[1:-1])
                + frame(CONTINUATION, END_HEADERS, 1, parts[-1]))
    client.next_id = 3
    assert client.wait_response(1) == 200
    attack.lives(client)


@pytest.mark.row(10)
def test_a_block_of_more_continuations_than_are_allowed_ends_the_connection(attack):
    client = attack.connect()
    client.send(frame(HEADERS, END_STREAM, 1, block(head())) + frame(CONTINUATION, 0, 1) * 9
                + frame(CONTINUATION, END_HEADERS, 1))
    attack.ends(client, CALM)


@pytest.mark.row(10)
@pytest.mark.parametrize("what", ["continuation", "frame"])
def test_a_block_that_comes_slowly_ends_the_connection_in_time(attack, what):
    """H2MaxHeaderTime is 1 s there: a block in CONTINUATION frames, or a frame byte by byte."""
    client = attack.connect("_slow", ack=False)     # no other frame may come between
    begun = time.monotonic()
    if what == "continuation":
        client.send(frame(HEADERS, END_STREAM, 1, block(head())))
        pieces = [frame(CONTINUATION, 0, 1, field("x", "y"))] * 6
    else:
        whole = headers(1, head())
        client.send(whole[:10])
        pieces = [whole[i:i + 1] for i in range(10, 16)]
    for piece in pieces:
        client.send(piece)
        client.wait(lambda: client.goaways, 0.4)
    attack.ends(client, CALM)
    assert 0.9 <= client.seconds_to_reaction and time.monotonic() - begun <= 2 + 2 * env.SLOWER


# -- row 11, 12, 13: what they are once they are decoded --------------------------------------------


@pytest.mark.row(11)
def test_fields_without_a_name_reset_their_streams_and_end_the_connection_at_last(attack):
    client = attack.connect()
    data = block(head()) + field("", "value") * 20
    client.flood(*[headers(2 * i + 1, data) for i in range(1000)])
    attack.ends(client, CALM)
    # beyond the 100 that may be open until their RST_STREAM is out, they are refused
    assert set(client.resets.values()) <= {PROTOCOL_ERROR, REFUSED_STREAM}
    assert list(client.resets.values())[:100] == [PROTOCOL_ERROR] * 100
    assert client.last_stream_id <= 2 * 300


@pytest.mark.row(12)
@pytest.mark.parametrize("references", [100, 16000, 100000])
def test_an_index_bomb_resets_its_stream_and_takes_no_memory(attack, references):
    """A field of 4000 bytes in the dynamic table, and references to it of one byte each."""
    client = attack.connect()
    before = attack.server.resident_kib()
    client.send(headers(1, block(head()) + field("bomb", "v" * 4000, 0x40)))
    assert client.wait_response(1) == 200
    client.next_id = 3
    peak = 0
    for _ in range(20 if references < 65536 else 1):
        stream = client.next_id
        client.next_id += 2
        client.send(headers(stream, block(head()) + b"\xbe" * references))
        outcome = client.wait_response(stream)
        assert outcome in REFUSED, "%s, %r" % (outcome, client)
        peak = max(peak, attack.server.resident_kib())
    assert peak <= before + GROWTH_KIB or env.sanitizer
    attack.lives(client)


@pytest.mark.row(12)
def test_an_index_bomb_that_comes_again_and_again_ends_the_connection(attack):
    client = attack.connect()
    client.send(headers(1, block(head()) + field("bomb", "v" * 4000, 0x40)))
    bomb = block(head()) + b"\xbe" * 16000
    client.flood(*[headers(2 * i + 3, bomb) for i in range(1000)])
    attack.ends(client, CALM)
    assert client.last_stream_id <= 2 * 300


@pytest.mark.row(13)
@pytest.mark.parametrize("extra, is_refused", [
    ([("cookie", "a")] * 5000, True), ([("cookie", "a")] * 2000, True),
    ([("cookie", "a=b")] * 80, False),
    ([("x-same", "a")] * 1000, True), ([("x-same", "a")] * 5000, True),
], ids=["5000-crumbs", "2000-crumbs", "80-crumbs", "1000-of-a-name", "5000-of-a-name"])
def test_each_crumb_of_a_cookie_and_each_field_counts(attack, extra, is_refused):
    client = attack.connect()
    for _ in range(5):
        outcome = client.get(extra=extra)
        assert outcome in (REFUSED if is_refused else (200,)), "%s, %r" % (outcome, client)
    attack.lives(client)


# -- row 27: httpd's own limits ---------------------------------------------------------------------


@pytest.mark.row(27)
@pytest.mark.parametrize("how, status", [
    (dict(extra=[("x-long", "v" * 9000)]), 431),
    (dict(extra=[("x-%d" % i, "v") for i in range(120)]), 431),
    (dict(path="/" + "p" * 9000), 414),
], ids=["field-of-9000-bytes", "120-fields", "path-of-9000-bytes"])
def test_what_is_beyond_the_limits_of_httpd_is_refused_and_the_connection_lives(
        attack, how, status):
    client = attack.connect()
    for _ in range(5):
        assert client.get(**how) == status
    attack.lives(client)


# -- row 28: trailers -------------------------------------------------------------------------------

BODY = frame(0, 0, 1, b"body")


def post_with_trailers(client, trailers, end=True):
    """The outcome."""
    fields = head("/h2test/read", method="POST", scheme=client.scheme)
    client.send(headers(1, fields, end=False) + BODY + headers(1, trailers, end))
    client.next_id = 3
    return client.wait_response(1)


@pytest.mark.row(28)
@pytest.mark.parametrize("name", [":path", ":status", ":method", ":unknown"])
def test_trailers_with_a_pseudo_field_reset_the_stream(attack, name):
    client = attack.connect()
    assert post_with_trailers(client, [("x-sum", "1"), (name, "/")]) == "RST PROTOCOL_ERROR"
    attack.lives(client)


@pytest.mark.row(28)
def test_trailers_that_do_not_end_the_stream_reset_it(attack):
    client = attack.connect()
    assert post_with_trailers(client, [("x-sum", "1")], end=False) == "RST PROTOCOL_ERROR"
    attack.lives(client)


@pytest.mark.row(28)
@pytest.mark.parametrize("count, size", [(300, 1), (5000, 1), (16, 8000)])
def test_trailers_that_are_too_many_are_refused(attack, count, size):
    client = attack.connect()
    outcome = post_with_trailers(client, [("x-%d" % i, "v" * size) for i in range(count)])
    assert outcome in REFUSED, "%s, %r" % (outcome, client)
    attack.lives(client)


@pytest.mark.row(28)
def test_trailers_are_taken(attack):
    client = attack.connect()
    assert post_with_trailers(client, [("x-sum", "1")]) == 200
    attack.lives(client)


# -- row 40: the dynamic table ----------------------------------------------------------------------


@pytest.mark.row(40)
@pytest.mark.parametrize("size, is_allowed", [(4096, True), (4097, False), (1 << 30, False)])
def test_a_table_larger_than_announced_is_a_compression_error(attack, size, is_allowed):
    client = attack.connect()
    client.send(headers(1, number(size, 5, 0x20) + block(head(scheme=client.scheme))))
    client.next_id = 3
    if is_allowed:
        assert client.wait_response(1) == 200
        attack.lives(client)
    else:
        attack.ends(client, COMPRESSION_ERROR)


@pytest.mark.row(40)
@pytest.mark.parametrize("data", [b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\xfe", b"\x80",
                                  b"\x00\x7f\xff\xff\xff\xff\xff\x7f", b"\x40\x85\x00"],
                         ids=["endless-number", "index-that-is-not-there", "index-0",
                              "endless-length", "cut-off"])
def test_a_block_that_cannot_be_decoded_is_a_compression_error(attack, data):
    client = attack.connect()
    client.send(headers(1, block(head()) + data))
    attack.ends(client, COMPRESSION_ERROR)

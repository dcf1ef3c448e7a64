# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Whose turn it is to send, read off the wire.

The client lets the connection's window run out, asks for several responses, waits until the heads
of all are there (which need no window), and then opens the window step by step."""

import pytest

from h2client import DATA, MAX_WINDOW

MIB = 1 << 20
STEP = 32768
FILE = "/files/1048576.bin"


def without_window(client):
    """No response of it may send any data, until step() lets it."""
    stream = client.request("GET", FILE)
    client.wait_for(lambda: total(client) >= 65535, "the first window")
    client.send_reset(stream)
    client.ping()
    return client


def total(client):
    return sum(f.length for f in client.received(DATA))


def step(client, *streams, size=STEP):
    """What each stream gets of so much window."""
    before = [s.received for s in streams]
    expected = total(client) + size
    client.send_window_update(0, size)
    client.wait_for(lambda: total(client) >= expected, "%d bytes" % size)
    return [s.received - b for s, b in zip(streams, before)]


def order_of_ends(client, *streams):
    """The order in which the streams' last bytes come, and that nobody sends between."""
    begun = len(client.frames)
    client.send_window_update(0, MAX_WINDOW // 2)
    client.wait(*streams)
    assert all(s.complete and s.received == MIB for s in streams)
    ids = [f.stream_id for f in client.frames[begun:] if f.type == DATA and not f.sent]
    turns = [i for n, i in enumerate(ids) if n == 0 or ids[n - 1] != i]
    ends = sorted({s.id for s in streams}, key=lambda i: max(
        n for n, each in enumerate(ids) if each == i))
    assert len(turns) == len(streams), "they share: %s" % turns
    by_id = {s.id: s for s in streams}
    return [streams.index(by_id[i]) for i in ends]


def assert_shares(client, streams, parts, steps=24):
    sums = [0] * len(streams)
    for _ in range(steps):
        sums = [a + b for a, b in zip(sums, step(client, *streams))]
    whole = sum(sums)
    for got, part in zip(sums, parts):
        assert got == pytest.approx(whole * part / sum(parts), rel=0.15, abs=1), sums

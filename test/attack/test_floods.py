# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Floods: many frames of a kind that cost the client nothing."""

import os
import struct
import time

import pytest

import environment as env
from attacking import GROWTH_KIB
from rawclient import (CALM, DATA, HEADER_TABLE_SIZE,
                       INITIAL_WINDOW_SIZE, MAX_WINDOW, PING, PRIORITY_UPDATE, REFUSED_STREAM,
                       SETTINGS, frame, head, headers, priority, reset, settings, window_update)

COUNT = 20000
MANY = 1000         # frames in one call
BLOCKED = "/files/1048576.bin"      # waits for its window


def in_parts(make, count=COUNT):
    """make(0) … make(count - 1), MANY to a part."""
    return [b"".join(make(i) for i in range(at, min(at + MANY, count)))
            for at in range(0, count, MANY)]


def stream_id(i):
    return 2 * i + 1


def open_and_reset(i, path="/files/1000.bin"):
    return headers(stream_id(i), head(path)) + reset(stream_id(i))


# -- row 1, 2, 3: rapid reset -----------------------------------------------------------------------


@pytest.mark.row(1)
@pytest.mark.parametrize("port, burst, rate", [("", 200, 20), ("_few", 20, 5)])
def test_rapid_resets_end_the_connection_after_the_burst(attack, port, burst, rate):
    client = attack.connect(port)
    client.flood(*in_parts(open_and_reset))
    attack.ends(client, CALM)
    seconds = time.monotonic() - client.born
    # What was answered before its reset came is useful work. Those beyond H2MaxSessionStreams, as long
    # as the ones that were reset are cleaned up, are refused and count a tenth.
    useful, refused = len(client.ended), list(client.resets.values()).count(REFUSED_STREAM)
    if env.nghttp2_version() > (1, 64, 0):   # 1.70 says nothing of it to who has reset the stream
        refused = max(0, client.last_stream_id // 2 - int(burst + rate * seconds) - useful)
    assert client.last_stream_id <= stream_id(burst + rate * seconds + useful + refused + 5)
    assert refused <= 10 * (burst + rate * seconds)


@pytest.mark.row(1)
def test_rapid_resets_start_no_handler_once_they_have_come(attack):
    client = attack.connect()
    client.flood(*in_parts(lambda i: open_and_reset(i, attack.path("sleep", "ms=100"))))
    attack.ends(client, CALM)
    assert attack.counter.started <= 2


@pytest.mark.row(1)
def test_a_browser_that_leaves_two_pages_at_once_keeps_its_connection(attack):
    client = attack.connect()
    for _ in range(2):
        ids = [client.request(attack.gate()) for _ in range(100)]
        client.send(b"".join(map(reset, ids)))
        attack.counter.open("")
    attack.lives(client)


@pytest.mark.row(1)
def test_who_completes_requests_may_reset_as_many(attack):
    client = attack.connect()
    for _ in range(50):
        ids = [client.request("/files/1000.bin") for _ in range(12)]
        assert client.wait(lambda: all(i in client.ended for i in ids), 10 * env.SLOWER)
        ids = [client.request(attack.gate()) for _ in range(10)]
        client.send(b"".join(map(reset, ids)))
    attack.lives(client)


@pytest.mark.row(2)
def test_a_hundred_resets_a_second_end_the_connection_within_3_s(attack):
    client = attack.connect()
    i = 0
    while not client.goaways and i < 1000:
        client.send(open_and_reset(i, attack.gate()))
        i += 1
        client.read_for(max(0, client.born + 0.01 * i - time.monotonic()))
    attack.ends(client, CALM)
    assert client.seconds_to_reaction <= 3 * env.SLOWER


@pytest.mark.row(3)
def test_resets_below_the_limits_take_no_memory(attack):
    """A connection's pool lives a second longer than it: so the memory is to be the same from then
    on, and after the end as it was before."""
    total = 1000000 if os.environ.get("H2_ATTACK_FULL") else 300000
    of_one = 190
    everything = b"".join(map(open_and_reset, range(of_one)))
    peaks = [0, 0, 0]           # of each third
    for i in range(total // of_one + 1):
        client = attack.connect()
        assert client.send(everything) and client.ping(), "%r" % client
        assert not client.goaways
        client.close()
        attack.clients.clear()
        if i % 50 == 0:
            third = i * of_one * 3 // total
            peaks[third] = max(peaks[third], attack.server.resident_kib())
    attack.note = "%d resets" % total
    assert peaks[2] <= peaks[1] + GROWTH_KIB or env.sanitizer, peaks


# -- row 4 to 9: frames that cost nothing -----------------------------------------------------------


@pytest.mark.row(4)
def test_a_ping_flood_ends_the_connection(attack):
    client = attack.connect()
    client.flood(*in_parts(lambda i: frame(PING, payload=struct.pack(">Q", i))))
    attack.ends(client, CALM)


@pytest.mark.row(4)
def test_a_ping_flood_that_is_not_read_ends_the_connection(attack):
    client = attack.connect(receive_buffer=4096)
    client.flood(*in_parts(lambda i: frame(PING, payload=struct.pack(">Q", i))), reading=False)
    attack.ends(client, CALM)


@pytest.mark.row(4)
def test_a_limit_of_control_frames_can_be_set(attack):
    few, free = attack.connect("_few"), attack.connect("_free")
    pings = frame(PING, payload=bytes(8)) * 2000
    few.send(pings)
    free.send(pings)
    attack.ends(few, CALM)
    attack.lives(free)


@pytest.mark.row(4)
def test_what_comes_behind_more_pings_than_are_answered_at_once_is_read(attack):
    """The server reads no more while its answers pile up, and goes on when they are out."""
    for _ in range(40):
        client = attack.connect("_free")
        client.send(frame(PING, payload=bytes(8)) * 2000)
        attack.lives(client)
        client.close()
        attack.clients.clear()
    attack.note = "200"


@pytest.mark.row(5)
def test_a_settings_flood_ends_the_connection(attack):
    client = attack.connect()
    client.flood(*in_parts(lambda i: frame(SETTINGS)))
    attack.ends(client, CALM)


@pytest.mark.row(5)
def test_a_settings_flood_that_is_not_read_takes_bounded_memory(attack):
    before = attack.server.resident_kib()
    client = attack.connect(receive_buffer=4096)
    client.flood(*in_parts(lambda i: frame(SETTINGS)), reading=False)
    assert attack.server.resident_kib() <= before + GROWTH_KIB or env.sanitizer
    attack.ends(client, CALM)


@pytest.mark.row(6)
@pytest.mark.parametrize("count, is_too_many", [(32, False), (40, True), (2000, True)])
def test_settings_with_too_many_entries_end_the_connection(attack, count, is_too_many):
    client = attack.connect()
    client.send(settings(*[(INITIAL_WINDOW_SIZE, 65535)] * count))
    if is_too_many:
        attack.ends(client, CALM)
    else:
        attack.lives(client)


@pytest.mark.row(7)
@pytest.mark.parametrize("kind", ["idle-streams", "one-idle-stream", "open-stream", "update"])
def test_a_priority_flood_ends_the_connection(attack, kind):
    client = attack.connect()
    stream = client.request(BLOCKED) if kind in ("open-stream", "update") else 0
    make = {
        "idle-streams": lambda i: priority(stream_id(i + 10), stream_id(i + 9)),
        "one-idle-stream": lambda i: priority(101, 0, i % 256 + 1),
        "open-stream": lambda i: priority(stream, 0, i % 256 + 1),
        "update": lambda i: frame(PRIORITY_UPDATE, payload=struct.pack(">I", stream)
                                  + b"u=%d" % (i % 8)),
    }[kind]
    client.flood(*in_parts(make))
    attack.ends(client, CALM)


@pytest.mark.row(8)
@pytest.mark.parametrize("where", ["connection", "stream"])
def test_a_window_update_flood_ends_the_connection(attack, where):
    client = attack.connect()
    stream = client.request(BLOCKED) if where == "stream" else 0
    client.flood(*in_parts(lambda i: window_update(stream, 1)))
    attack.ends(client, CALM)


@pytest.mark.row(8)
def test_a_download_may_open_its_window_in_small_steps(attack):
    """As some clients do: with each DATA frame a WINDOW_UPDATE for stream and connection."""
    client = attack.connect(is_wide=False)
    for _ in range(3):
        stream, seen = client.request("/files/1048576.bin"), 0
        while stream not in client.ended and client.wait(
                lambda: len(client.bodies[stream]) > seen or stream in client.ended):
            fresh = len(client.bodies[stream]) - seen
            while fresh > 0:
                step = min(fresh, 1000)
                client.send(window_update(0, step) + window_update(stream, step))
                seen, fresh = seen + step, fresh - step
        assert client.wait_response(stream) == 200 and len(client.bodies[stream]) == 1 << 20
    attack.lives(client)


@pytest.mark.row(9)
def test_an_empty_data_flood_ends_the_connection(attack):
    client = attack.connect()
    stream = client.request(attack.path("read"), method="POST", end=False)
    client.flood(*in_parts(lambda i: frame(DATA, 0, stream)))
    attack.ends(client, CALM)


@pytest.mark.row(9)
def test_an_empty_data_flood_on_a_stream_that_the_server_reset_ends_the_connection(attack):
    if env.nghttp2_version() > (1, 64, 0):
        pytest.skip("1.70 ends the connection where it has reset the stream before")
    client = attack.connect()
    stream = client.request(attack.path("read"), method="POST", end=False)
    client.send(window_update(stream, MAX_WINDOW))
    assert client.wait(lambda: stream in client.resets)
    client.flood(*in_parts(lambda i: frame(DATA, 0, stream)))
    attack.ends(client, CALM)


@pytest.mark.row(9)
def test_a_body_may_end_with_empty_data_and_begin_with_it(attack):
    client = attack.connect()
    for _ in range(30):
        stream = client.request(attack.path("read"), method="POST", end=False)
        client.send(frame(DATA, 0, stream) + frame(DATA, 0, stream, b"body") + frame(DATA, 1, stream))
        assert client.wait_response(stream) == 200
    attack.lives(client)


# -- row 16: settings that cost the server something ------------------------------------------------


@pytest.mark.row(16)
@pytest.mark.parametrize("key, values", [(INITIAL_WINDOW_SIZE, (0, MAX_WINDOW)),
                                         (HEADER_TABLE_SIZE, (0, 4096))],
                         ids=["initial-window", "table-size"])
def test_settings_that_are_toggled_end_the_connection(attack, key, values):
    client = attack.connect()
    for _ in range(90):
        client.request(BLOCKED)
    client.flood(*in_parts(lambda i: settings((key, values[i % 2]))))
    attack.ends(client, CALM)


# -- an account for each connection and cause, and a line in the log --------------------------------


@pytest.mark.row(1, 4)
def test_the_end_is_logged_once_with_its_cause(attack):
    for parts in (in_parts(open_and_reset), in_parts(lambda i: frame(PING, payload=bytes(8)))):
        client = attack.connect()
        client.flood(*parts)
        attack.ends(client, CALM)
    env.wait_until(lambda: "more PING frames" in attack.log(), "the line in the log")
    assert attack.log().count("more RST_STREAM frames than H2MaxResets") == 1
    assert attack.log().count("more PING frames than H2MaxControlFrames") == 1

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Clients that take, send or do next to nothing, and hold on to what that costs."""

import time

import pytest

import environment as env
from attacking import GROWTH_KIB
from rawclient import (CALM, CANCEL, DATA, END_STREAM, INITIAL_WINDOW_SIZE, MAX_WINDOW, NO_ERROR,
                       PING, PREFACE, SETTINGS_TIMEOUT, frame, settings, window_update)

TIMEOUT = 2             # of the ports "_slow"
KEEPALIVE = 1
LATE = 2 * env.SLOWER   # how much later than its limit a thing may happen
BIG = "/files/1048576.bin"


def pings_until(client, condition, seconds, interval=0.25):
    """A PING every now and then; whether the condition came."""
    end = time.monotonic() + seconds
    while not condition() and not client.closed and time.monotonic() < end:
        client.send(frame(PING, payload=b"are you?"), reading=False)
        client.wait(condition, interval)
    return condition()


# -- row 17: data dribble ---------------------------------------------------------------------------


@pytest.mark.row(17)
def test_credit_of_a_byte_each_is_not_answered_byte_by_byte(attack):
    client = attack.connect(own_settings=[(INITIAL_WINDOW_SIZE, 1)])
    stream = client.request(BIG)
    client.wait(lambda: client.bodies[stream])
    client.flood(*[window_update(stream, 1)] * 20000)
    client.wait(lambda: client.goaways or stream in client.resets, 2)
    assert client.counts[DATA] <= 1500, "%r" % client
    assert client.goaway_code in (None, CALM)
    assert client.goaways or stream in client.resets or client.counts[DATA] <= 100


@pytest.mark.row(17)
def test_small_credit_is_waited_for_until_it_is_useful(attack):
    client = attack.connect("_free", own_settings=[(INITIAL_WINDOW_SIZE, 1)])
    stream = client.request(BIG)
    client.wait(lambda: client.bodies[stream])
    begun = time.monotonic()
    for _ in range(500):
        client.send(window_update(stream, 1))
        client.read_for(0.001)
    # 16 of a byte each, and then one each 200 ms
    most = 20 + 5 * (time.monotonic() - begun) + 2
    assert client.counts[DATA] <= most, "%r" % client
    client.send(window_update(stream, 1 << 20))
    assert client.wait_response(stream) == 200 and len(client.bodies[stream]) == 1 << 20


@pytest.mark.row(17)
@pytest.mark.parametrize("path", [BIG, "/h2test/endless"], ids=["file", "handler"])
def test_a_client_that_takes_a_byte_each_half_second_is_reset(attack, path):
    client = attack.connect("_slow", own_settings=[(INITIAL_WINDOW_SIZE, 1)])
    stream = client.request(path + "?tag=%s" % attack.counter)
    begun = time.monotonic()
    while stream not in client.resets and not client.closed and time.monotonic() < begun + 15:
        client.wait(lambda: stream in client.resets, 0.5)
        client.send(window_update(stream, 1), reading=False)
    assert client.resets.get(stream) == CANCEL, "%r" % client
    assert TIMEOUT * 0.8 <= time.monotonic() - begun <= 2 * TIMEOUT + LATE


# -- row 18: many blocked streams -------------------------------------------------------------------


@pytest.mark.row(18)
@pytest.mark.parametrize("path", [BIG, "/h2test/write?n=60000", "/files/1000.bin"],
                         ids=["large-file", "handler", "small-file"])
def test_900_streams_without_a_window_take_little_memory(attack, path):
    client = attack.connect("_many", own_settings=[(INITIAL_WINDOW_SIZE, 0)])
    client.ping()
    before = attack.server.resident_kib()
    ids = [client.request(path) for _ in range(900)]
    client.wait(lambda: len(client.statuses) == 900 or client.closed, 5)
    grown = attack.server.resident_kib() - before
    attack.note = "+%.1f MiB, %d heads" % (grown / 1024, len(client.statuses))
    assert not client.goaways and not client.resets
    assert grown <= GROWTH_KIB or env.sanitizer, "%d KiB" % grown
    awaited = ids[:1] if path == BIG else ids       # a gigabyte would take its time
    client.send(b"".join(window_update(i, 1 << 21) for i in awaited[:500]))
    client.send(b"".join(window_update(i, 1 << 21) for i in awaited[500:]))
    assert client.wait(lambda: all(i in client.ended for i in awaited), 30 * env.SLOWER)


# -- row 19: a window of 0 that is held -------------------------------------------------------------


@pytest.mark.row(19)
@pytest.mark.parametrize("has_pings", [False, True], ids=["silent", "with-pings"])
@pytest.mark.parametrize("path", [BIG, "/h2test/endless"], ids=["file", "handler"])
def test_a_window_of_0_that_is_held_ends_in_time(attack, path, has_pings):
    client = attack.connect("_slow", own_settings=[(INITIAL_WINDOW_SIZE, 0)])
    begun = time.monotonic()
    stream = client.request(path + "?tag=%s" % attack.counter)
    interval = 0.25 if has_pings else 30

    def is_over():
        return stream in client.resets or client.goaways or client.closed
    assert (pings_until(client, is_over, 10 * env.SLOWER) if has_pings
            else client.wait(is_over, 10 * env.SLOWER)), "%r" % client
    assert TIMEOUT * 0.8 <= time.monotonic() - begun <= TIMEOUT + LATE
    closing = time.monotonic()
    if has_pings:
        pings_until(client, lambda: client.closed, 10 * env.SLOWER, interval)
    assert client.wait_closed(10 * env.SLOWER), "%r" % client
    assert time.monotonic() - closing <= KEEPALIVE + LATE


# -- row 20: bodies that do not come ----------------------------------------------------------------


@pytest.mark.row(20)
def test_1800_bodies_that_never_come_harm_nobody(attack):
    ids = []
    for _ in range(18):
        client = attack.connect("_slow")
        for _ in range(100):
            ids.append((client, client.request(attack.path("read"), method="POST", end=False)))
    others = [attack.connect("_slow") for _ in range(2)]
    for _ in range(10):
        assert [client.get() for client in others] == [200, 200]
    # they end, one connection's share of threads after the other
    assert attack.clients[0].wait(lambda: attack.clients[0].resets or attack.clients[0].statuses
                                  or attack.clients[0].closed, TIMEOUT + LATE)
    assert attack.counter.running_max <= 64
    attack.note = "%d at a time" % attack.counter.running_max
    for client in attack.clients:
        client.abort()
    env.wait_until(lambda: attack.counter.running == 0, "all handlers to end", 5)


def post_to_who_does_not_read(attack, *, length=None, port=""):
    client = attack.connect(port)
    extra = [("content-length", str(length))] if length else []
    stream = client.request(attack.path("noread", "n=10"), method="POST", end=False, extra=extra)
    client.send(frame(DATA, 0, stream, bytes(100)))
    assert client.wait(lambda: stream in client.ended), "%r" % client
    assert len(client.bodies[stream]) == 10 and client.statuses[stream] == 200
    return client, stream


@pytest.mark.row(20)
def test_a_body_that_its_handler_does_not_read_is_cut_off_once_the_reply_is_out(attack):
    client, stream = post_to_who_does_not_read(attack)
    begun = time.monotonic()
    assert client.wait(lambda: stream in client.resets, 1 * env.SLOWER), "%r" % client
    assert client.resets[stream] == NO_ERROR and time.monotonic() - begun < 0.4 * env.SLOWER
    client.send(frame(DATA, 0, stream, bytes(1000)) * 5)
    attack.lives(client)


@pytest.mark.row(20)
def test_an_upload_that_is_nearly_through_may_end(attack):
    client, stream = post_to_who_does_not_read(attack, length=1000)
    client.read_for(0.1)
    assert stream not in client.resets
    client.send(frame(DATA, END_STREAM, stream, bytes(900)))
    attack.lives(client)
    assert stream not in client.resets


@pytest.mark.row(20)
def test_an_upload_that_was_nearly_through_and_stops_is_cut_off(attack):
    client, stream = post_to_who_does_not_read(attack, length=1000)
    begun = time.monotonic()
    assert client.wait(lambda: stream in client.resets, 3 * env.SLOWER), "%r" % client
    assert client.resets[stream] == NO_ERROR
    assert 0.3 <= time.monotonic() - begun <= 1.5 * env.SLOWER
    attack.lives(client)


@pytest.mark.row(20)
def test_an_upload_with_more_than_its_window_is_cut_off_at_once(attack):
    client, stream = post_to_who_does_not_read(attack, length=100 << 20)
    begun = time.monotonic()
    assert client.wait(lambda: stream in client.resets, 1 * env.SLOWER), "%r" % client
    assert client.resets[stream] == NO_ERROR and time.monotonic() - begun < 0.4 * env.SLOWER
    attack.lives(client)


@pytest.mark.row(20)
def test_a_body_of_a_byte_now_and_then_ends_in_time(attack):
    client = attack.connect("_slow")
    stream = client.request(attack.path("read"), method="POST", end=False)
    begun = time.monotonic()

    def is_over():
        return stream in client.resets or stream in client.ended or client.closed
    while not is_over() and time.monotonic() < begun + 15:
        client.send(frame(DATA, 0, stream, b"x"), reading=False)
        client.wait(is_over, 0.25)
    assert is_over(), "%r" % client
    assert client.statuses.get(stream) in (None, 400, 408)
    assert TIMEOUT * 0.8 <= time.monotonic() - begun <= 2 * TIMEOUT + LATE
    env.wait_until(lambda: attack.counter.running == 0, "the handler to end", 2)


# -- row 21: connections that do not begin ----------------------------------------------------------


@pytest.mark.row(21)
@pytest.mark.parametrize("start", [b"", PREFACE[:10], PREFACE, PREFACE + settings()],
                         ids=["nothing", "half-a-preface", "preface", "settings"])
def test_who_asks_for_nothing_is_closed_in_time(attack, start):
    client = attack.connect("_slow", begin=False, ack=False)
    client.send(start)
    assert client.wait_closed(TIMEOUT + LATE), "%r" % client
    assert client.closed_at - client.born <= TIMEOUT + LATE / 2


@pytest.mark.row(21)
@pytest.mark.parametrize("start", [b"", PREFACE[:10]], ids=["nothing", "half-a-preface"])
def test_mod_reqtimeout_is_honoured_before_a_connection_begins(attack, start):
    """Over TLS that is for its handshake; once h2 is negotiated, Timeout counts."""
    if attack.transport == "tls":
        client = attack.connect("_reading", transport="tls", is_tls=False, begin=False)
    else:
        client = attack.connect("_reading", begin=False)
    client.send(start if attack.transport == "clear" else b"\x16\x03\x01"[:len(start)])
    assert client.wait_closed(1 + LATE), "%r" % client
    assert 0.5 <= client.closed_at - client.born <= 1 + LATE / 2


@pytest.mark.row(21)
@pytest.mark.parametrize("has_one", [False, True], ids=["with-many-requests", "with-one-that-runs"])
def test_settings_that_are_never_acknowledged_end_the_connection(attack, has_one):
    client = attack.connect("_slow", ack=False)
    begun = time.monotonic()
    if has_one:
        client.request(attack.gate())
    while not client.goaways and not client.closed and time.monotonic() < begun + 10:
        if has_one:
            client.send(frame(PING, payload=bytes(8)))
        else:
            client.get()
        client.wait(lambda: client.goaways, 0.1)
    assert client.goaway_code == SETTINGS_TIMEOUT, "%r" % client
    assert TIMEOUT * 0.8 <= time.monotonic() - begun <= TIMEOUT + LATE
    assert client.wait_closed(1 * env.SLOWER)


# -- row 22: TCP that is not read -------------------------------------------------------------------


@pytest.mark.row(22)
@pytest.mark.parametrize("path", [BIG, "/h2test/endless"], ids=["file", "handler"])
def test_output_that_is_not_read_is_bounded_and_the_connection_closed(attack, path):
    before = attack.server.resident_kib()
    client = attack.connect("_slow", receive_buffer=4096,
                            own_settings=[(INITIAL_WINDOW_SIZE, MAX_WINDOW)])
    begun = time.monotonic()
    for _ in range(90):
        client.request(path + "?tag=%s" % attack.counter, reading=False)
    peak, port = 0, client.sock.getsockname()[1]
    while is_connected(attack.server, port) and time.monotonic() < begun + 15 * env.SLOWER:
        peak = max(peak, attack.server.resident_kib())
        time.sleep(0.05)
    assert not is_connected(attack.server, port), "still open after %.1f s" % (
        time.monotonic() - begun)
    attack.note = "closed after %.1f s, peak +%.1f MiB" % (time.monotonic() - begun,
                                                           (peak - before) / 1024)
    assert time.monotonic() - begun <= 2 * TIMEOUT + 2 * LATE
    assert peak <= before + 2 * GROWTH_KIB or env.sanitizer
    env.wait_until(lambda: attack.counter.running == 0, "the handlers to end", 2)


def is_connected(server, port):
    """Has the server's side of the connection from that local port a process?"""
    wanted = ":%04X" % port
    with open("/proc/net/tcp") as table:
        for line in table:
            words = line.split()
            if len(words) > 9 and words[2].endswith(wanted):
                return words[9] != "0"      # an inode: somebody has it open
    return False

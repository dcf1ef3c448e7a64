# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""What an application flushes is on the wire at once: the next part is written only after the
client has seen the last one, so that a held-back part stops everything."""

import zlib

import pytest

from environment import wait_until
from h2client import INITIAL_WINDOW_SIZE

EVENTS = [b"data: %d\n\n" % i for i in range(6)]


def assert_events_come_one_by_one(client, stream, open_gate):
    for i in range(len(EVENTS)):
        expected = b"".join(EVENTS[:i + 1])
        client.wait_bytes(stream, len(expected), timeout=5)
        assert stream.body == expected and not stream.ended
        open_gate(i)
    assert client.wait(stream).complete
    assert stream.status == 200 and stream.headers["content-type"] == "text/event-stream"


def test_each_flush_of_a_module_is_sent_at_once(h2, counter):
    stream = h2.request("GET", "/h2test/events?n=%d&gate=%s" % (len(EVENTS), counter.gate()))
    assert_events_come_one_by_one(h2, stream, lambda i: counter.open("-%d" % i))


def test_each_event_of_a_cgi_script_is_sent_at_once(h2, servers, counter):
    path = "/cgi/events?%d%s/%s" % (len(EVENTS), servers.counters.folder, counter.gate())
    assert_events_come_one_by_one(h2, h2.request("GET", path), lambda i: counter.open("-%d" % i))


def test_a_script_with_a_trusted_length_is_sent_as_it_writes(h2, servers, counter):
    stream = h2.request("GET", "/cgi/halves?%s/%s" % (servers.counters.folder, counter.gate()))
    h2.wait_bytes(stream, 6, timeout=5)
    assert stream.body == b"first " and stream.headers["content-length"] == "12"
    counter.open()
    assert h2.wait(stream).complete and stream.body == b"first second"


def test_each_event_of_a_back_end_is_sent_at_once(h2, servers, counter):
    gates = servers.backend.new_gates(counter.name, len(EVENTS))
    stream = h2.request("GET", "/proxy/events/" + counter.name)
    assert_events_come_one_by_one(h2, stream, lambda i: gates[i].set())


def test_each_flush_passes_a_compressing_filter(h2, counter):
    stream = h2.request("GET", "/h2test/deflated/events?n=%d&gate=%s"
                        % (len(EVENTS), counter.gate()), {"accept-encoding": "gzip"})
    decoder, taken, text = zlib.decompressobj(31), 0, b""
    for i in range(len(EVENTS)):
        while text != b"".join(EVENTS[:i + 1]):
            h2.wait_bytes(stream, taken + 1, timeout=5)
            text += decoder.decompress(bytes(stream.body[taken:]))
            taken = stream.received
        counter.open("-%d" % i)
    assert h2.wait(stream).complete


def test_many_event_streams_at_once_are_all_live(h2, counter):
    streams = [h2.request("GET", "/h2test/events?n=3&gate=%s" % counter.gate()) for _ in range(5)]
    for i in range(3):
        for stream in streams:
            h2.wait_bytes(stream, (i + 1) * len(EVENTS[0]), timeout=5)
        counter.open("-%d" % i)
    h2.wait(*streams)
    assert all(s.complete and s.body == b"".join(EVENTS[:3]) for s in streams)


def test_events_are_sent_beside_a_large_download(connect, counter):
    client = connect(window=1 << 20)
    download = client.request("GET", "/files/big.bin", keep_body=False)
    stream = client.request("GET", "/h2test/events?n=%d&gate=%s" % (len(EVENTS), counter.gate()))
    for i in range(len(EVENTS)):
        client.wait_bytes(stream, len(EVENTS[0]) * (i + 1), timeout=5)
        counter.open("-%d" % i)
    assert client.wait(stream).complete
    client.send_reset(download)


def test_a_flushed_head_arrives_before_the_body_exists(h2, counter):
    stream = h2.request("GET", "/h2test/gate?flush=1&gate=%s" % counter.gate())
    h2.wait_head(stream, timeout=5)
    assert stream.status == 200 and not stream.received and not stream.ended
    counter.open()
    assert h2.wait(stream).complete


def test_request_and_response_stream_in_both_directions(h2, counter):
    stream = h2.request("POST", "/h2test/echo?flush=1&tag=%s" % counter, end=False)
    for i in range(1, 21):
        h2.send_data(stream, b"message")
        h2.wait_bytes(stream, 7 * i, timeout=5)
    assert counter.running == 1
    h2.send_data(stream, b"", end=True)
    assert h2.wait(stream).body == b"message" * 20


def test_a_flush_against_a_closed_window_waits_for_it(connect, counter):
    client = connect(settings={INITIAL_WINDOW_SIZE: 0}, auto_window=False)
    stream = client.request("GET", "/h2test/events?n=1&gate=%s&tag=%s" % (counter.gate(), counter))
    client.wait_head(stream)
    client.send_window_update(stream.id, 3)
    client.wait_bytes(stream, 3)
    client.send_window_update(stream.id, 100)
    client.wait_bytes(stream, len(EVENTS[0]))
    counter.open("-0")
    assert client.wait(stream).complete


@pytest.mark.parametrize("chunk", [1, 100, 1300, 9000])
def test_flushed_chunks_of_any_size_are_joined_to_the_whole(h2, chunk):
    r = h2.get("/h2test/write?n=%d&chunk=%d&flush=1" % (chunk * 50, chunk))
    assert r.complete and r.received == chunk * 50


def test_a_client_that_leaves_ends_the_events(connect, counter):
    client = connect()
    stream = client.request("GET", "/h2test/events?n=1000000&max=1&tag=%s" % counter)
    client.wait_bytes(stream, 50)
    client.abort()
    wait_until(lambda: counter.running == 0, "the handler to end", timeout=2)

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Many streams, many connections, flow control, and clients that go away at any moment."""

import contextlib

import pytest

from conftest import open_client
from demosite import pattern
from environment import wait_until
from h2client import (CANCEL, DATA, END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, NO_ERROR,
                      PREFACE, REFUSED_STREAM, SETTINGS, Tls, Wire, frame_bytes, wait_all)


# -- many at once ---------------------------------------------------------------------------------


def test_100_streams_on_a_connection_are_all_answered(h2):
    with h2.cork():
        streams = [h2.request("GET", "/files/1000.bin") for _ in range(100)]
    h2.wait(*streams)
    assert all(s.status == 200 and s.complete and s.body == pattern(1000) for s in streams)


def test_100_downloads_are_open_at_the_same_time(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 500}, auto_window=False)
    client.wait_settings()
    streams = [client.request("GET", "/files/65537.bin") for _ in range(100)]
    for stream in streams:
        client.wait_bytes(stream, 500)
    assert [s.received for s in streams] == [500] * 100
    for stream in reversed(streams):
        client.send_window_update(stream.id, 70000)
    client.auto_window = True
    client.send_window_update(0, 1 << 24)
    client.wait(*streams)
    assert all(s.complete and s.body == pattern(65537) for s in streams)


def test_hundreds_of_requests_at_once_are_answered_or_refused_and_the_connection_lives(h2):
    """As a proxy has them, which does not wait for SETTINGS: bodies of refused ones are on their
    way."""
    with h2.cork():
        held = [h2.request("POST", "/h2test/read", end=False) for _ in range(100)]
        late = []
        for _ in range(300):
            late.append(h2.request("POST", "/h2test/read", end=False))
            h2.request("GET", "/files/1.bin")
        for stream in late + held:
            h2.send_frame(DATA, END_STREAM, stream.id, b"late")
    h2.wait(*h2.streams.values())
    assert all(s.complete and s.text == "read 4\n" for s in held)
    assert all(s.reset == REFUSED_STREAM for s in late)
    assert h2.get("/files/1.bin").complete and not h2.goaways


def test_many_more_than_100_requests_follow_one_another(h2):
    for _ in range(5):
        streams = [h2.request("GET", "/files/1.bin") for _ in range(100)]
        h2.wait(*streams)
        assert all(s.complete and s.received == 1 for s in streams)
    assert not h2.goaways


def test_200_connections_with_5_streams_each_are_all_answered(connect):
    clients = [connect() for _ in range(200)]
    requests = [[c.request("GET", "/files/1000.bin") for _ in range(5)] for c in clients]
    wait_all(clients, lambda c: all(s.done for s in c.streams.values()), timeout=30)
    assert all(s.status == 200 and s.complete and s.received == 1000
               for streams in requests for s in streams)


def test_responses_come_in_the_order_in_which_they_are_ready(h2, counter):
    slow = h2.request("GET", "/h2test/gate?gate=%s&tag=%s" % (counter.gate(), counter))
    wait_until(lambda: counter.running == 1, "the slow one to run")
    quick = [h2.request("GET", "/files/1.bin") for _ in range(20)]
    h2.wait(*quick)
    assert not slow.done and all(s.complete for s in quick)
    counter.open()
    assert h2.wait(slow).complete


def test_uploads_and_downloads_at_once_do_not_disturb_each_other(h2):
    body = pattern(300000)
    downloads = [h2.request("GET", "/files/1048576.bin") for _ in range(3)]
    uploads = [h2.request("POST", "/h2test/echo", end=False) for _ in range(3)]
    for start in range(0, len(body), 50000):
        for stream in uploads:
            h2.send_data(stream, body[start:start + 50000], end=start + 50000 == len(body))
    h2.wait(*uploads, *downloads)
    assert all(s.complete and s.body == body for s in uploads)
    assert all(s.complete and s.body == pattern(1 << 20) for s in downloads)


# -- flow control, server to client ---------------------------------------------------------------


def test_with_a_window_of_0_the_head_comes_and_no_data(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 0}, auto_window=False)
    stream = client.wait_head(client.request("GET", "/files/65537.bin"))
    client.ping()
    assert stream.status == 200 and stream.received == 0
    client.send_window_update(stream.id, 10)
    client.wait_bytes(stream, 10)
    client.ping()
    assert stream.received == 10
    client.send_settings({INITIAL_WINDOW_SIZE: 1000})
    client.wait_bytes(stream, 1010)
    client.ping()
    assert stream.received == 1010
    client.send_window_update(stream.id, 65000)
    client.wait_bytes(stream, 65535)
    client.ping()
    assert stream.received == 65535      # all that the connection's window allows
    client.send_window_update(0, 65535)
    assert client.wait(stream).complete and stream.body == pattern(65537)


def test_an_empty_response_needs_no_window(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 0}, auto_window=False)
    assert client.get("/files/0.bin").complete
    assert client.fetch("HEAD", "/files/1048576.bin").complete


def test_the_connections_window_bounds_all_streams_together(connect):
    client = connect(auto_window=False)
    streams = [client.request("GET", "/files/65536.bin") for _ in range(4)]
    client.wait_for(lambda: sum(s.received for s in streams) >= 65535)
    client.ping()
    assert sum(s.received for s in streams) == 65535
    client.auto_window = True
    client.send_window_update(0, 1 << 20)
    client.wait(*streams)
    assert all(s.complete and s.body == pattern(65536) for s in streams)


def test_a_smaller_initial_window_makes_windows_negative(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 30000}, auto_window=False, window=1 << 20)
    stream = client.request("GET", "/files/65537.bin")
    client.wait_bytes(stream, 30000)
    client.send_settings({INITIAL_WINDOW_SIZE: 10000})      # the window is -20000 now
    client.send_window_update(stream.id, 20000)             # 0
    client.ping()
    assert stream.received == 30000
    client.send_window_update(stream.id, 5)
    client.wait_bytes(stream, 30005)
    client.ping()
    assert stream.received == 30005
    client.send_window_update(stream.id, 70000)
    assert client.wait(stream).body == pattern(65537)


def test_a_blocked_stream_does_not_block_others(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 1000}, auto_window=False, window=1 << 20)
    blocked = [client.request("GET", "/files/1048576.bin") for _ in range(10)]
    for stream in blocked:
        client.wait_bytes(stream, 1000)
    for _ in range(10):
        assert client.get("/files/1000.bin").complete
    assert all(s.received == 1000 for s in blocked)


def test_generated_responses_are_flow_controlled_too(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 0}, auto_window=False, window=1 << 24)
    stream = client.request("GET", "/h2test/write?n=1000000")
    client.wait_head(stream)
    for total in (1, 1000, 40000, 40001, 1000000):
        client.send_window_update(stream.id, total - stream.received)
        client.wait_bytes(stream, total)
        assert stream.received == total
    assert client.wait(stream).complete and stream.body == pattern(1000000)


# -- flow control, client to server ---------------------------------------------------------------


def test_an_upload_that_nobody_reads_gets_no_more_than_a_window(h2, counter):
    stream = h2.request("POST", "/h2test/read?gate=%s&tag=%s" % (counter.gate(), counter),
                        end=False)
    wait_until(lambda: counter.running == 1, "the handler")
    sent = h2.send_data(stream, bytes(stream.send_window))
    h2.ping()
    assert sent >= 65535
    # the server may announce a larger window by WINDOW_UPDATE, but not without bound
    assert stream.send_window <= 65535
    counter.open()
    sent += h2.send_data(stream, bytes(500000), end=True)
    assert h2.wait(stream).text == "read %d\n" % sent


def test_an_unread_upload_does_not_block_another_one(h2, counter):
    held = h2.request("POST", "/h2test/read?gate=%s&tag=%s" % (counter.gate(), counter), end=False)
    h2.send_data(held, bytes(held.send_window))
    other = h2.request("POST", "/h2test/read", body=bytes(1000000))
    assert h2.wait(other).text == "read 1000000\n"
    counter.open()
    h2.send_data(held, b"", end=True)
    assert h2.wait(held).complete


# -- cancelled streams ----------------------------------------------------------------------------


def running_ends(counter):
    wait_until(lambda: counter.running == 0, "the handler to end")


def test_a_stream_cancelled_in_the_same_segment_does_no_harm(h2):
    with h2.cork():
        for _ in range(10):
            h2.send_reset(h2.request("GET", "/files/65537.bin"))
    assert h2.get("/files/1.bin").complete


def test_a_stream_cancelled_while_its_handler_works_does_no_harm(h2, counter):
    stream = h2.request("GET", "/h2test/gate?gate=%s&tag=%s" % (counter.gate(), counter))
    wait_until(lambda: counter.running == 1, "the handler")
    h2.send_reset(stream)
    h2.ping()
    counter.open()
    running_ends(counter)
    assert h2.get("/files/1.bin").complete
    assert stream.status is None and not h2.received(HEADERS, stream)


def test_a_stream_cancelled_after_its_head_sends_nothing_more(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 0}, auto_window=False)
    stream = client.wait_head(client.request("GET", "/files/65537.bin"))
    client.send_reset(stream)
    client.ping()
    client.send_settings({INITIAL_WINDOW_SIZE: 65535})
    client.send_window_update(0, 1 << 20)
    assert client.get("/files/1.bin").complete
    assert stream.received == 0


def test_a_download_cancelled_in_mid_body_ends_soon(connect, counter):
    client = connect(settings={INITIAL_WINDOW_SIZE: 20000}, window=1 << 24)
    stream = client.request("GET", "/h2test/endless?tag=%s" % counter, keep_body=False)
    client.wait_bytes(stream, 200000)
    client.send_reset(stream)
    running_ends(counter)
    client.ping()
    received = stream.received
    client.ping()
    assert stream.received == received
    assert client.get("/files/1.bin").complete


def test_a_blocked_download_that_is_cancelled_ends_at_once(connect, counter):
    client = connect(settings={INITIAL_WINDOW_SIZE: 0}, auto_window=False)
    stream = client.wait_head(client.request("GET", "/h2test/endless?tag=%s" % counter))
    client.send_reset(stream)
    wait_until(lambda: counter.running == 0, "the blocked handler to end", timeout=1)
    assert counter.failed == 1


def test_an_upload_that_is_cancelled_ends_its_handler_at_once(h2, counter):
    stream = h2.request("POST", "/h2test/read?tag=%s" % counter, end=False)
    h2.send_data(stream, b"some")
    wait_until(lambda: counter.bytes_read == 4, "the handler to read")
    h2.send_reset(stream)
    wait_until(lambda: counter.running == 0, "the reading handler to end", timeout=1)
    assert counter.failed == 1
    assert h2.get("/files/1.bin").complete


def test_a_reset_after_the_response_does_no_harm(h2):
    stream = h2.get("/files/1.bin")
    h2.send_reset(stream)
    h2.send_reset(stream, NO_ERROR)
    assert h2.get("/files/1.bin").complete


def test_cancelling_all_streams_of_a_page_does_not_end_the_connection(h2):
    """What a browser does when the user leaves a page."""
    streams = [h2.request("GET", "/files/1048576.bin", keep_body=False) for _ in range(100)]
    for stream in streams:
        h2.send_reset(stream)
    h2.ping()
    assert not h2.goaways
    assert h2.get("/files/1000.bin").complete


# -- clients that go away -------------------------------------------------------------------------


def leave_after_the_tcp_connection(httpd, transport):
    return Wire(httpd.address(transport))


def leave_after_half_a_preface(httpd, transport):
    wire = Wire(httpd.address(transport), Tls() if transport == "tls" else None)
    wire.queue(PREFACE[:10])
    wire.step(0, reading=False)
    return wire


def leave_after_the_preface(httpd, transport):
    return open_client(httpd, transport).wire


def leave_inside_a_frame(httpd, transport):
    client = open_client(httpd, transport)
    client.send_raw(frame_bytes(SETTINGS, 0, 0, bytes(6))[:12])
    return client.wire


def leave_between_headers_and_continuation(httpd, transport):
    client = open_client(httpd, transport)
    client.wait_settings()
    client.send_frame(HEADERS, END_STREAM, 1, client.encoder.encode(client.request_fields()))
    return client.wire


def leave_right_after_the_request(httpd, transport):
    client = open_client(httpd, transport)
    client.request("GET", "/files/1048576.bin")
    return client.wire


def leave_in_a_download(httpd, transport):
    client = open_client(httpd, transport)
    client.wait_bytes(client.request("GET", "/files/big.bin", keep_body=False), 100000)
    return client.wire


def leave_in_a_download_that_is_blocked(httpd, transport):
    client = open_client(httpd, transport, auto_window=False)
    client.wait_bytes(client.request("GET", "/files/big.bin"), 65535)
    return client.wire


def leave_in_an_upload(httpd, transport):
    client = open_client(httpd, transport)
    stream = client.request("POST", "/h2test/read", end=False)
    client.send_data(stream, bytes(100000))
    client.send_raw(frame_bytes(DATA, 0, stream.id, bytes(100), length=1000))
    return client.wire


def leave_after_goaway(httpd, transport):
    client = open_client(httpd, transport)
    client.get("/files/1.bin")
    client.send_goaway()
    return client.wire


STAGES = [leave_after_the_tcp_connection, leave_after_half_a_preface, leave_after_the_preface,
          leave_inside_a_frame, leave_between_headers_and_continuation,
          leave_right_after_the_request, leave_in_a_download, leave_in_a_download_that_is_blocked,
          leave_in_an_upload, leave_after_goaway]


@pytest.mark.parametrize("how", ["close", "abort"])
@pytest.mark.parametrize("stage", STAGES, ids=lambda f: f.__name__[6:])
def test_a_client_may_leave_at_any_stage(httpd, transport, stage, how):
    open_files = httpd.descriptors()
    for _ in range(5):
        wire = stage(httpd, transport)
        getattr(wire, how)()
    wait_until(lambda: httpd.descriptors() <= open_files + 2, "the connections to be closed")
    assert open_client(httpd, transport).get("/files/1.bin").complete


@pytest.mark.parametrize("what", ["endless", "read", "gate"])
def test_handlers_end_when_their_client_leaves(connect, counter, what):
    client = connect(auto_window=False)
    for _ in range(5):
        gate = "&gate=" + counter.gate("x") if what == "gate" else ""
        client.request("POST", "/h2test/%s?tag=%s%s" % (what, counter, gate), end=False)
    wait_until(lambda: counter.started == 5, "the handlers")
    client.abort()
    if what == "gate":
        counter.open("x")       # a handler that waits elsewhere cannot be woken
    wait_until(lambda: counter.running == 0, "the handlers to end", timeout=2)


def test_a_half_closed_client_gets_its_responses(httpd):
    """It shuts down its sending side after the requests."""
    client = open_client(httpd, "clear")
    client.wait_settings()
    streams = [client.request("GET", "/files/1000.bin") for _ in range(10)]
    client.wire.sock.shutdown(1)
    with contextlib.suppress(AssertionError):
        client.wait(*streams)
    # Whatever the server decides about the requests: none is half a success.
    assert all(s.complete and s.received == 1000 for s in streams if s.ended)


# -- GOAWAY by the client -------------------------------------------------------------------------


def test_requests_in_the_same_segment_as_goaway_are_answered(h2):
    h2.wait_settings()
    with h2.cork():
        streams = [h2.request("GET", "/files/1000.bin") for _ in range(10)]
        h2.send_goaway()
    h2.wait(*streams)
    assert all(s.complete and s.body == pattern(1000) for s in streams)
    h2.wait_closed()


def test_requests_in_the_first_segment_together_with_goaway_are_answered(connect):
    client = connect(handshake=False)
    with client.cork():
        client.handshake()
        streams = [client.request("GET", "/files/1000.bin") for _ in range(10)]
        client.send_goaway()
    client.wait(*streams)
    assert all(s.complete for s in streams)


def test_running_requests_are_answered_after_goaway_of_the_client(h2, counter):
    stream = h2.request("GET", "/h2test/gate?gate=%s&tag=%s" % (counter.gate(), counter))
    upload = h2.request("POST", "/h2test/echo", end=False)
    wait_until(lambda: counter.running == 1, "the handler")
    h2.send_goaway()
    counter.open()
    h2.send_data(upload, b"still sent", end=True)
    h2.wait(stream, upload)
    assert stream.complete and upload.complete and upload.body == b"still sent"
    h2.wait_closed()


def test_an_idle_connection_ends_after_goaway_of_the_client(h2):
    h2.get("/files/1.bin")
    h2.send_goaway()
    h2.wait_closed(timeout=5)


# -- slow readers ---------------------------------------------------------------------------------


def test_a_client_that_does_not_read_its_socket_gets_everything_later(connect):
    slow = connect(receive_buffer=4096, window=1 << 24,
                   settings={INITIAL_WINDOW_SIZE: 1 << 24})
    streams = [slow.request("GET", "/files/1048576.bin") for _ in range(4)]
    others = connect()
    for _ in range(20):
        assert others.get("/files/65537.bin").complete
    slow.wait(*streams, timeout=30)
    assert all(s.complete and s.body == pattern(1 << 20) for s in streams)


def test_requests_are_taken_while_the_client_does_not_read_and_answered_later(connect):
    slow = connect(receive_buffer=4096, window=1 << 24,
                   settings={INITIAL_WINDOW_SIZE: 1 << 24})
    slow.wait_settings()
    slow.reading = False
    streams = [slow.request("GET", "/files/65537.bin") for _ in range(50)]
    assert connect().get("/files/1.bin").complete
    slow.reading = True
    slow.wait(*streams, timeout=30)
    assert all(s.complete and s.received == 65537 for s in streams)


def test_a_cancelled_request_in_a_batch_leaves_the_others_whole(h2):
    streams = [h2.request("GET", "/files/65537.bin") for _ in range(30)]
    for stream in streams[::3]:
        h2.send_reset(stream, CANCEL)
    kept = [s for i, s in enumerate(streams) if i % 3]
    h2.wait(*kept)
    assert all(s.complete and s.body == pattern(65537) for s in kept)


def test_an_unfinished_header_block_does_not_reach_a_handler(h2, counter):
    fields = h2.request_fields(path="/h2test/write?n=1&tag=%s" % counter)
    block = h2.encoder.encode(fields)
    h2.wait_settings()      # nothing of the client's own comes between
    h2.open()
    h2.send_frame(HEADERS, END_STREAM, 1, block[:5])
    h2.poll()
    assert counter.started == 0
    h2.send_frame(9, END_HEADERS, 1, block[5:])
    assert h2.wait(h2.streams[1]).complete
    assert counter.started == 1

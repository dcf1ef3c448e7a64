# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Request bodies: any size, with and without a length, read, unread and wrong."""

import json
import os
import subprocess

import pytest

import environment as env
from conftest import open_client
from demosite import GIB, pattern
from environment import wait_until
from h2client import (DATA, END_STREAM, HEADERS, NO_ERROR, PADDED, PROTOCOL_ERROR, RST_STREAM)

MIB = 1 << 20


# -- sizes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length", [True, False], ids=["length", "no-length"])
@pytest.mark.parametrize("size", [0, 1, 16383, 16384, 16385, 65535, 65536, 1000000])
def test_a_body_of_any_size_is_read_whole(h2, size, length):
    fields = {"content-length": str(size)} if length else {}
    r = h2.fetch("POST", "/h2test/read", fields, body=bytes(size))
    assert r.status == 200 and r.complete and r.text == "read %d\n" % size


@pytest.mark.parametrize("size", [1, 16385, 3 * MIB])
def test_a_body_is_handed_back_unchanged_while_it_is_sent(h2, size):
    r = h2.fetch("POST", "/h2test/echo", body=pattern(size), timeout=30)
    assert r.complete and r.body == pattern(size)


def grown_kib(httpd, before, stream, client, total, step=8 * MIB):
    """Sends total bytes; the most by which the children's memory grew meanwhile."""
    block, most = bytes(step), 0
    for start in range(0, total, step):
        client.send_data(stream, block, end=start + step == total, timeout=60)
        most = max(most, httpd.resident_kib() - before)
    return most


def assert_bounded(grown, limit):
    """Sanitizers keep what was freed; with them memory tells nothing."""
    assert env.sanitizer or grown < limit, "%d KiB" % grown


def test_100_mib_are_uploaded_with_bounded_memory(httpd, connect):
    client = connect()
    client.fetch("POST", "/h2test/read", body=bytes(MIB))
    before = httpd.resident_kib()
    stream = client.request("POST", "/h2test/read", end=False)
    grown = grown_kib(httpd, before, stream, client, 96 * MIB)
    assert client.wait(stream).text == "read %d\n" % (96 * MIB)
    assert_bounded(grown, 8192)


def test_1_gib_is_uploaded_with_bounded_memory(servers, tmp_path):
    httpd = servers.main("event")
    with open(tmp_path / "sparse", "wb") as file:
        os.truncate(file.fileno(), GIB)
    before = httpd.resident_kib()
    upload = subprocess.Popen(
        ["curl", "-sS", "--http2-prior-knowledge", "-T", str(tmp_path / "sparse"),
         httpd.url("/h2test/read", "clear")], stdout=subprocess.PIPE)
    most = 0
    while upload.poll() is None:
        most = max(most, httpd.resident_kib() - before)
        try:
            upload.wait(0.1)
        except subprocess.TimeoutExpired:
            pass
    assert upload.stdout.read() == b"read %d\n" % GIB and upload.returncode == 0
    assert_bounded(most, 8192)


def widest_windows(client, streams, wanted, at_least=30, at_most=300):
    """Sends all that the windows allow, again and again, until the widest window of each stream
    together with the others' reaches `wanted`, and some times more; their sum."""
    widest = {stream: stream.send_window for stream in streams}
    rounds = 0
    while rounds < at_most and (sum(widest.values()) < wanted or rounds < at_least):
        rounds += 1
        for stream in streams:
            client.send_data(stream, bytes(min(stream.send_window, client.send_window)))
        client.wait_for(lambda: all(s.send_window > 0 for s in streams), "windows")
        client.ping()
        for stream in streams:
            widest[stream] = max(widest[stream], stream.send_window)
    return sum(widest.values())


def test_the_window_of_an_upload_widens_as_long_as_its_handler_keeps_up(h2):
    h2.wait_settings()
    stream = h2.request("POST", "/h2test/read", end=False)
    assert stream.send_window == 65535
    assert 2.5 * MIB < widest_windows(h2, [stream], 2.5 * MIB, at_least=10) <= 4 * MIB
    h2.send_data(stream, b"", end=True)
    assert h2.wait(stream).complete
    other = h2.request("POST", "/h2test/read", end=False)
    assert other.send_window == 65535   # it begins anew for each
    h2.send_data(other, b"", end=True)
    h2.wait(other)


def test_the_windows_of_all_uploads_of_a_connection_have_a_bound(h2):
    h2.wait_settings()
    h2.ping()
    # wide windows take nothing from what the other streams may have
    assert h2.send_window == 100 * 65535 + 4 * MIB
    for _ in range(2):      # what was granted comes back when a stream ends
        streams = [h2.request("POST", "/h2test/read", end=False) for _ in range(8)]
        assert MIB < widest_windows(h2, streams, 1.5 * MIB) <= 4 * MIB + 8 * 65535
        for stream in streams:
            h2.send_data(stream, b"", end=True)
        h2.wait(*streams)
        assert all(s.complete for s in streams)


def test_the_windows_of_all_uploads_of_a_child_have_a_bound(servers):
    httpd = servers.main("event")
    for _ in range(2):
        clients = [open_client(httpd, "clear") for _ in range(26)]
        widest = 0
        streams = []
        for client in clients:
            stream = client.request("POST", "/h2test/read", end=False)
            streams.append(stream)
            widest += widest_windows(client, [stream], 2.5 * MIB, at_least=0, at_most=20)
        assert 40 * MIB < widest <= 64 * MIB + 26 * 65535
        for client, stream in zip(clients, streams):  # what was granted comes back
            client.send_data(stream, b"", end=True)
            assert client.wait(stream).complete


def test_a_slow_handler_bounds_what_is_buffered_of_an_upload(httpd, connect, counter):
    client = connect()
    client.fetch("POST", "/h2test/read", body=bytes(MIB))
    before = httpd.resident_kib()
    streams = [client.request("POST", "/h2test/read?gate=%s&tag=%s" % (counter.gate(), counter),
                              end=False) for _ in range(10)]
    for stream in streams:
        client.wait_for(lambda: stream.send_window > 0 and client.send_window > 0, "a window")
        client.send_data(stream, bytes(min(stream.send_window, client.send_window)))
    client.ping()
    assert_bounded(httpd.resident_kib() - before, 10 * 256 + 2048)
    counter.open()
    for stream in streams:
        client.send_data(stream, b"", end=True)
    client.wait(*streams)
    assert all(s.complete for s in streams)


# -- pieces -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"some bytes"])
def test_who_reads_past_the_end_of_a_body_reads_the_end_again(h2, body):
    r = h2.fetch("POST", "/h2test/read?again=1", body=body)
    assert r.complete and r.text == "read %d\n" % len(body)


def test_who_reads_past_the_end_of_a_body_gets_its_trailers_once(h2):
    for again in (0, 1):
        stream = h2.request("POST", "/h2test/read?trailers=1&again=%d" % again, end=False)
        h2.send_data(stream, b"content")
        h2.send_headers(stream.id, [("x-sum", "1"), ("x-more", "2")], end=True)
        assert h2.wait(stream).text == "2 trailers, read 7\n"


def test_a_body_in_frames_of_one_byte_arrives(h2):
    stream = h2.request("POST", "/h2test/echo", end=False)
    with h2.cork():
        for i in range(500):
            h2.send_data(stream, bytes([i % 251]), end=i == 499)
    assert h2.wait(stream).body == pattern(500)


def test_a_body_ended_by_an_empty_frame_arrives(h2):
    stream = h2.request("POST", "/h2test/echo", end=False)
    h2.send_data(stream, b"content")
    h2.send_data(stream, b"", end=True)
    assert h2.wait(stream).body == b"content"


def test_each_piece_reaches_the_handler_before_the_next_is_sent(h2, counter):
    stream = h2.request("POST", "/h2test/read?tag=%s" % counter, end=False)
    for i in range(1, 6):
        h2.send_data(stream, b"12345")
        wait_until(lambda: counter.bytes_read == 5 * i, "the handler to read")
    h2.send_data(stream, b"", end=True)
    assert h2.wait(stream).text == "read 25\n"


def test_padding_is_not_part_of_a_body(h2):
    stream = h2.request("POST", "/h2test/echo", end=False)
    h2.send_frame(DATA, PADDED, stream.id, bytes([10]) + b"abc" + bytes(10))
    h2.send_frame(DATA, PADDED | END_STREAM, stream.id, bytes([255]) + b"def" + bytes(255))
    assert h2.wait(stream).body == b"abcdef"


def test_padding_is_given_back_as_credit(h2):
    """More padding than any window: it must come back although no handler reads it."""
    stream = h2.request("POST", "/h2test/read", end=False)
    for i in range(1000):
        h2.wait_for(lambda: min(stream.send_window, h2.send_window) >= 257, "credit")
        h2.send_frame(DATA, PADDED, stream.id, bytes([255]) + b"x" + bytes(255))
        stream.send_window -= 257
        h2.send_window -= 257
    h2.send_data(stream, b"", end=True)
    assert h2.wait(stream).text == "read 1000\n"


def test_a_body_with_trailers_ends_with_them(h2):
    stream = h2.request("POST", "/h2test/echo", {"trailer": "x-sum"}, end=False)
    h2.send_data(stream, b"content")
    h2.send_headers(stream.id, [("x-sum", "1")], end=True)
    r = h2.wait(stream)
    assert r.status == 200 and r.complete and r.body == b"content"


def test_100_uploads_at_once_are_read(h2):
    streams = [h2.request("POST", "/h2test/read", end=False) for _ in range(100)]
    for _ in range(3):
        for stream in streams:
            h2.send_data(stream, bytes(5000))
    for stream in streams:
        h2.send_data(stream, b"", end=True)
    h2.wait(*streams)
    assert all(s.text == "read 15000\n" for s in streams)


def test_a_back_end_gets_a_body_with_and_without_a_length(h2):
    seen = h2.fetch("POST", "/proxy/echo", {"content-length": "5"}, body=b"12345").headers
    assert (seen["x-length"], seen["x-encoding"]) in (("5", "None"), ("None", "chunked"))
    assert h2.fetch("POST", "/proxy/echo", body=bytes(200000)).body == bytes(200000)


def test_a_back_end_gets_100_mib_unchanged(servers):
    httpd = servers.main("event")
    out = subprocess.run("head -c 104857600 /dev/zero | curl -sS --http2-prior-knowledge -T - "
                         "-X POST " + httpd.url("/proxy/hash", "clear"), shell=True,
                         capture_output=True, text=True).stdout.split()
    assert out[:1] == ["104857600"]
    assert out[1] == "20492a4d0d84f8beb1767f6616229f85d44c2827b64bdbfb260ee12fa1109e0e"


# -- Expect: 100-continue ---------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [{}, {"content-length": "7"}], ids=["no-length", "length"])
def test_expect_100_is_answered_once_the_handler_reads(h2, fields):
    stream = h2.request("POST", "/h2test/echo", {"expect": "100-continue", **fields}, end=False)
    h2.wait_for(lambda: stream.interim or stream.done, "100")
    assert [status for status, _ in stream.interim] == [100] and stream.status is None
    h2.send_data(stream, b"content", end=True)
    r = h2.wait(stream)
    assert r.status == 200 and r.complete and r.body == b"content"
    assert len(r.interim) == 1


def test_expect_100_is_not_answered_when_the_request_is_refused(h2):
    stream = h2.request("POST", "/missing", {"expect": "100-continue", "content-length": "7"},
                        end=False)
    h2.wait(stream)
    assert stream.status == 404 and not stream.interim and stream.complete


def test_a_client_need_not_wait_for_100(h2):
    r = h2.fetch("POST", "/h2test/echo", {"expect": "100-continue"}, body=b"content")
    assert r.status == 200 and r.complete and r.body == b"content"


def test_expect_100_works_towards_a_back_end(h2):
    stream = h2.request("POST", "/proxy/echo", {"expect": "100-continue", "content-length": "7"},
                        end=False)
    h2.wait_for(lambda: stream.interim or stream.done, "100")
    h2.send_data(stream, b"content", end=True)
    assert h2.wait(stream).body == b"content"


def test_curl_waits_for_100_and_gets_it(httpd):
    out = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-H", "Expect: 100-continue",
                          "--expect100-timeout", "5", "-w", " %{time_total}", "-d", "content",
                          httpd.url("/h2test/echo", "clear")], capture_output=True, text=True).stdout
    body, seconds = out.split()
    assert body == "content" and float(seconds) < 3


# -- early responses --------------------------------------------------------------------------------


def assert_early(client, stream):
    """A whole response, then RST_STREAM with NO_ERROR, nothing after it."""
    client.wait_for(lambda: stream.ended or stream.reset is not None, "the response")
    assert stream.ended, "not complete: %r" % stream
    client.wait_reset(stream)
    assert stream.reset == NO_ERROR
    frames = client.received(stream=stream)
    assert frames[-1].type == RST_STREAM and frames[-2].flags & END_STREAM


@pytest.mark.parametrize("path, status, size", [
    ("/h2test/noread?n=100", 200, 100), ("/h2test/noread?n=0", 200, 0), ("/missing", 404, None),
    ("/h2test/noread?n=1000000", 200, 1000000), ("/h2test/noread?n=10&status=403", 403, 10),
    ("/auth/secret.txt", 401, None), ("/h2test/read?limit=1", 200, None)])
def test_an_unread_upload_gets_the_whole_response_then_a_reset(h2, path, status, size):
    stream = h2.request("POST", path, {"content-length": str(10 * MIB)}, end=False)
    h2.send_data(stream, bytes(1000))
    assert_early(h2, stream)
    assert stream.status == status
    assert size is None or stream.body == pattern(size)
    assert h2.get("/files/1.bin").complete


def test_an_early_response_comes_although_the_client_goes_on_sending(h2):
    stream = h2.request("POST", "/h2test/noread?n=100", {"content-length": str(100 * MIB)},
                        end=False)
    sent = h2.send_data(stream, bytes(100 * MIB))       # stops at the reset
    assert_early(h2, stream)
    assert sent < 10 * MIB
    assert h2.get("/files/1.bin").complete


def test_an_upload_that_was_sent_whole_gets_no_reset(h2):
    stream = h2.request("POST", "/h2test/noread?n=100", body=bytes(1000))
    h2.wait(stream)
    h2.ping()
    assert stream.complete and stream.reset in (None, NO_ERROR)


def test_the_credit_of_unread_bodies_comes_back_to_the_connection(h2):
    """Many uploads are refused; their bytes must not use up the connection's window."""
    for _ in range(30):
        stream = h2.request("POST", "/missing", end=False)
        h2.send_data(stream, bytes(60000), end=True)
        h2.wait(stream)
        assert stream.status == 404
    assert h2.fetch("POST", "/h2test/read", body=bytes(200000)).text == "read 200000\n"


def test_the_credit_of_cancelled_uploads_comes_back_to_the_connection(h2, counter):
    for i in range(30):
        stream = h2.request("POST", "/h2test/read?gate=%s&tag=%s" % (counter.gate(), counter),
                            end=False)
        h2.wait_for(lambda: h2.send_window > 0, "a window")
        h2.send_data(stream, bytes(min(60000, h2.send_window)))
        h2.send_reset(stream)
    counter.open()
    assert h2.fetch("POST", "/h2test/read", body=bytes(200000)).text == "read 200000\n"


# -- wrong lengths ----------------------------------------------------------------------------------


def assert_protocol_error(client, stream):
    client.wait_for(lambda: stream.done, "the reset")
    assert stream.reset == PROTOCOL_ERROR or stream.status == 400, repr(stream)
    assert client.get("/files/1.bin").complete


@pytest.mark.parametrize("announced, sent", [(10, 5), (10, 0), (5, 10), (0, 1)])
@pytest.mark.parametrize("handler", ["read", "noread?n=10"])
def test_a_body_of_another_length_than_announced_is_a_protocol_error(h2, handler, announced, sent):
    stream = h2.request("POST", "/h2test/" + handler, {"content-length": str(announced)}, end=False)
    h2.send_frame(DATA, END_STREAM, stream.id, bytes(sent))
    h2.wait_for(lambda: stream.done, "the end")
    if "noread" in handler and stream.ended:
        h2.ping()           # the response may have been on its way before the end of the body
    else:
        assert_protocol_error(h2, stream)


def test_a_length_without_a_body_is_a_protocol_error(h2):
    assert_protocol_error(h2, h2.request("POST", "/h2test/read", {"content-length": "10"}))


@pytest.mark.parametrize("value", ["-1", "abc", "1x", "", "18446744073709551617", "+5", "1,2"])
def test_a_length_that_is_no_number_is_a_protocol_error(h2, value):
    stream = h2.request("POST", "/h2test/read", {"content-length": value}, end=False)
    assert_protocol_error(h2, stream)


def test_too_long_a_body_never_reaches_the_handler_whole(h2, counter):
    stream = h2.request("POST", "/h2test/read?tag=%s" % counter, {"content-length": "10"},
                        end=False)
    h2.send_frame(DATA, END_STREAM, stream.id, bytes(20))
    h2.wait_for(lambda: stream.done, "the end")
    wait_until(lambda: counter.running == 0, "the handler to end")
    assert counter.bytes_read <= 10
    assert stream.reset == PROTOCOL_ERROR and stream.status is None


@pytest.mark.parametrize("fields", [{}, {"content-length": "2000"}], ids=["no-length", "length"])
def test_limit_request_body_is_enforced(h2, fields):
    assert h2.fetch("POST", "/h2test/limited/read", body=bytes(1000)).text == "read 1000\n"
    stream = h2.request("POST", "/h2test/limited/read", fields, body=bytes(2000))
    h2.wait(stream)
    assert stream.status == 413


def test_a_request_without_a_body_has_none(h2):
    assert h2.get("/h2test/read").text == "read 0\n"
    seen = json.loads(h2.get("/proxy/headers").text)
    assert "Transfer-Encoding" not in seen and seen.get("Content-Length", "0") == "0"


def test_data_on_a_stream_without_a_body_is_refused(h2):
    """DATA after END_STREAM is an error of the stream or the connection, never a body."""
    stream = h2.request("GET", "/h2test/sleep?ms=50")
    h2.send_frame(DATA, END_STREAM, stream.id, b"late")
    h2.wait_for(lambda: stream.done or h2.goaways or h2.closed, "the error")
    assert len(h2.received(HEADERS)) <= 1

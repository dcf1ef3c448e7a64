# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Handlers that fail: a response is whole or it is reset; it is never half a success and never
hangs."""

import socket
import struct
import time

import pytest

from demosite import pattern
import environment as env
from environment import wait_until
from h2client import INITIAL_WINDOW_SIZE, NO_ERROR

BEFORE = ["return", "filter", "error", "eoc", "aborted"]
WITHIN = ["return", "filter", "error", "eoc", "aborted"]


def fetch_failing(h2, path):
    stream = h2.get(path)
    assert h2.get("/files/1000.bin").complete, "the connection must live"
    return stream


@pytest.mark.parametrize("how", BEFORE)
def test_a_failure_before_the_body_is_an_error_response_or_a_reset(h2, how):
    r = fetch_failing(h2, "/h2test/fail?how=" + how + "&flush=0")
    if r.complete:
        assert r.status >= 500, "a success: %r" % r
    else:
        assert r.reset not in (None, NO_ERROR) and not r.ended


def test_an_error_status_of_a_handler_is_answered(h2):
    r = fetch_failing(h2, "/h2test/fail?how=return")
    assert r.status == 500 and r.complete and r.received


def test_an_error_bucket_before_the_body_is_answered(h2):
    r = fetch_failing(h2, "/h2test/fail?how=error&flush=0")
    assert r.status == 502 and r.complete and "Bad Gateway" in r.text


@pytest.mark.parametrize("how", WITHIN)
@pytest.mark.parametrize("size", [1, 1000, 100000])
def test_a_failure_in_the_body_resets_the_stream(h2, how, size):
    r = fetch_failing(h2, "/h2test/fail?n=%d&how=%s" % (size, how))
    assert not r.ended and r.reset not in (None, NO_ERROR), repr(r)
    assert r.body == pattern(r.received)


@pytest.mark.parametrize("how", WITHIN + ["short"])
def test_a_failure_before_the_announced_length_resets_the_stream(h2, how):
    r = fetch_failing(h2, "/h2test/fail?n=1000&length=2000&how=" + how)
    assert not r.ended and r.reset not in (None, NO_ERROR), repr(r)


@pytest.mark.parametrize("how", WITHIN)
def test_a_failure_in_a_body_that_was_not_flushed_is_no_success(h2, how):
    r = fetch_failing(h2, "/h2test/fail?n=1000&flush=0&how=" + how)
    assert r.status is None or r.status >= 500 or not r.ended, repr(r)


@pytest.mark.parametrize("how", WITHIN)
def test_a_failure_after_the_whole_body_does_not_hang(h2, how):
    r = fetch_failing(h2, "/h2test/fail?n=1000&length=1000&how=" + how)
    if r.ended:
        assert r.body == pattern(1000)
    else:
        assert r.reset not in (None, NO_ERROR)


def test_a_failure_after_the_end_of_the_response_does_no_harm(h2):
    r = fetch_failing(h2, "/h2test/fail?n=1000&how=after-eos")
    assert r.status == 200 and r.complete and r.body == pattern(1000)


@pytest.mark.parametrize("how", WITHIN)
def test_a_failure_behind_a_full_window_resets_the_stream(connect, how):
    client = connect(settings={INITIAL_WINDOW_SIZE: 100}, auto_window=False)
    stream = client.request("GET", "/h2test/fail?n=1000&how=" + how)
    client.wait_bytes(stream, 100)
    client.send_window_update(stream.id, 100000)
    client.wait(stream)
    assert not stream.ended and stream.reset not in (None, NO_ERROR)


@pytest.mark.parametrize("how", WITHIN)
def test_head_of_a_failing_handler_does_not_hang(h2, how):
    r = h2.fetch("HEAD", "/h2test/fail?n=1000&how=" + how)
    assert r.done and not r.received
    assert h2.get("/files/1.bin").complete


def test_failing_streams_do_not_touch_the_others(h2):
    bad, good = [], []
    for i in range(40):
        bad.append(h2.request("GET", "/h2test/fail?n=1000&how=" + WITHIN[i % len(WITHIN)]))
        good.append(h2.request("GET", "/files/65537.bin"))
    h2.wait(*good, *bad)
    assert all(s.complete and s.body == pattern(65537) for s in good)
    assert not [s for s in bad if s.complete]


@pytest.mark.parametrize("sent", [1, 500])
def test_a_back_end_that_goes_away_in_the_body_resets_the_stream(h2, sent):
    r = fetch_failing(h2, "/proxy/die/%d/1000" % sent)
    assert not r.complete or r.status == 502, repr(r)


def test_a_back_end_that_goes_away_before_the_body_is_no_success(h2):
    r = fetch_failing(h2, "/proxy/die/0/1000")
    assert not r.complete or r.status == 502


def test_a_script_that_ends_before_its_announced_length_resets_the_stream(h2):
    r = fetch_failing(h2, "/cgi/short")
    assert not r.ended and r.reset not in (None, NO_ERROR)


def test_a_short_response_after_an_internal_redirect_resets_the_stream(h2):
    assert not h2.get("/h2test/redirect?to=/h2test/fail%3Fhow=short%26n=10%26length=100").complete


def test_a_handler_that_fails_on_a_cancelled_upload_ends(h2, counter):
    stream = h2.request("POST", "/h2test/echo?tag=%s" % counter, end=False)
    h2.send_data(stream, b"some")
    wait_until(lambda: counter.bytes_read == 4, "the handler")
    h2.send_reset(stream)
    wait_until(lambda: counter.running == 0, "the handler to end", timeout=2)
    assert counter.failed == 1


@pytest.mark.parametrize("has_ended", [True, False])
def test_a_connection_that_breaks_while_a_request_runs_costs_nothing(httpd, connect, counter,
                                                                     has_ended):
    """Its socket is ready for ever, and nothing more can be done with it until the request ends."""
    client = connect()
    client.request("GET", "/h2test/gate?gate=%s&tag=%s" % (counter.gate(), counter))
    client.ping()
    env.wait_until(lambda: counter.running == 1, "the handler")
    sock = client.wire.sock
    if has_ended:
        sock.shutdown(socket.SHUT_WR)
        time.sleep(0.1)         # so that the end is seen before the reset
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.wire.close()
    time.sleep(0.1)             # nothing tells that it is seen; what that costs once does not count
    before = httpd.cpu_seconds()
    time.sleep(1)               # the time over which is measured
    assert httpd.cpu_seconds() - before < 0.5
    counter.open()
    env.wait_until(lambda: counter.running == 0, "the end of the handler")

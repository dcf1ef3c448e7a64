# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Time limits and rates: what an administrator sets for HTTP/1.1 means the same here."""

import time

import pytest

import environment as env
from conftest import open_client
from demosite import pattern
from h1client import Http1
from h2client import (INITIAL_WINDOW_SIZE, NO_ERROR, PREFACE, SETTINGS, Tls, Wire, frame_bytes)
from servers import SITE, VHOSTS

TIMEOUT = 1
LATE = 3 * env.SLOWER           # how much later than its limit a thing may happen

LIMITS = SITE + """
Timeout %d
KeepAliveTimeout 500ms
MaxKeepAliveRequests 3
Alias /limited/ "{docroot}/"
<Location /limited/>
    SetOutputFilter RATE_LIMIT
    SetEnv rate-limit 64
</Location>
<VirtualHost *:{port_off}>
    ServerName a.test
    Protocols h2c http/1.1
    KeepAlive off
    KeepAliveTimeout 10
</VirtualHost>
<VirtualHost *:{port_reading}>
    ServerName a.test
    Protocols h2c http/1.1
    Timeout 20
    KeepAliveTimeout 20
    RequestReadTimeout handshake=1 header=1 body=1
</VirtualHost>
""" % TIMEOUT + VHOSTS


# Time is what these tests take: two of the four combinations are enough.
@pytest.fixture(params=["event-tls", "worker-clear"])
def mpm_and_transport(request):
    return request.param.split("-")


@pytest.fixture
def server(servers, mpm_and_transport):
    return servers.get("limits", mpm_and_transport[0], LIMITS, modules=["ratelimit"],
                       ports=("tls", "clear", "off", "reading"), threads=32)


@pytest.fixture
def transport(mpm_and_transport):
    return mpm_and_transport[1]


@pytest.fixture
def connect(server, transport):
    return lambda **options: open_client(server, transport, **options)


def seconds_until_closed(client):
    started = time.monotonic()
    client.wait_closed(timeout=10)
    return time.monotonic() - started


# -- KeepAliveTimeout -------------------------------------------------------------------------------


def test_an_idle_connection_is_closed_after_keepalive_timeout(connect):
    client = connect()
    assert client.get("/files/1.bin").complete
    assert 0.4 <= seconds_until_closed(client) <= 0.5 + LATE
    assert client.goaways and client.goaways[-1].error_code == NO_ERROR
    assert client.goaways[-1].last_stream_id == 1


def test_keepalive_timeout_starts_anew_with_each_request(connect):
    client = connect()
    for _ in range(6):
        assert client.get("/files/1.bin").complete
        time.sleep(0.25)
    assert not client.goaways


def test_keepalive_timeout_does_not_end_a_running_request(connect, counter):
    client = connect()
    stream = client.request("GET", "/h2test/sleep?ms=1200")
    assert client.wait(stream).complete and not client.goaways


def test_pings_do_not_keep_an_idle_connection(connect):
    client = connect()
    client.get("/files/1.bin")
    started = time.monotonic()
    while not client.closed and time.monotonic() - started < 10:
        client.send_ping()
        client.poll()
        time.sleep(0.1)
    assert client.closed and time.monotonic() - started <= 0.5 + LATE


@pytest.mark.parametrize("port", ["clear", "off"])
def test_neither_max_keepalive_requests_nor_keepalive_off_apply(server, port):
    client = open_client(server, "clear", port=port)
    for _ in range(10):
        assert client.get("/files/1.bin").complete
    assert not client.goaways


def test_max_keepalive_requests_still_applies_to_http_1_1(server):
    with Http1(server.address("clear")) as client:
        fields = [client.get("/files/1.bin").headers.get("connection") for _ in range(4)]
    assert fields[-1] == "close"


# -- Timeout ----------------------------------------------------------------------------------------


def test_a_download_that_the_client_does_not_take_ends_after_timeout(connect):
    client = connect(auto_window=False)
    stream = client.request("GET", "/files/1048576.bin")
    client.wait_bytes(stream, 65535)
    started = time.monotonic()
    client.wait_for(lambda: stream.done or client.closed or client.goaways, "the end", timeout=10)
    assert not stream.ended
    assert TIMEOUT * 0.8 <= time.monotonic() - started <= TIMEOUT + LATE


def test_a_generated_response_that_the_client_does_not_take_ends_after_timeout(connect, counter):
    client = connect(settings={INITIAL_WINDOW_SIZE: 0}, auto_window=False)
    stream = client.request("GET", "/h2test/endless?tag=%s" % counter)
    started = time.monotonic()
    client.wait_for(lambda: stream.done or client.closed or client.goaways, "the end", timeout=10)
    assert not stream.ended and time.monotonic() - started <= TIMEOUT + LATE
    env.wait_until(lambda: counter.running == 0, "the handler to end", timeout=3)


def test_a_client_that_does_not_read_its_socket_is_closed_after_timeout(server, connect, counter):
    client = connect(receive_buffer=4096, window=1 << 30,
                     settings={INITIAL_WINDOW_SIZE: 1 << 30})
    client.wait_settings()
    open_files = server.descriptors()
    client.request("GET", "/h2test/endless?tag=%s" % counter, keep_body=False)
    started = time.monotonic()
    env.wait_until(lambda: counter.started == 1 and counter.running == 0, "the handler to end")
    env.wait_until(lambda: server.descriptors() < open_files, "the connection to be closed")
    assert time.monotonic() - started <= TIMEOUT + 2 * LATE


def test_an_upload_that_stops_ends_after_timeout(connect, counter):
    client = connect()
    stream = client.request("POST", "/h2test/read?tag=%s" % counter, end=False)
    client.send_data(stream, b"the beginning")
    started = time.monotonic()
    client.wait_for(lambda: stream.done or client.closed, "the end", timeout=10)
    assert TIMEOUT * 0.8 <= time.monotonic() - started <= TIMEOUT + LATE
    assert stream.status in (None, 400, 408)
    env.wait_until(lambda: counter.running == 0, "the handler to end")
    assert counter.failed == 1


def test_a_slow_download_goes_on_as_long_as_something_moves(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 10000}, auto_window=False, window=1 << 20)
    stream = client.request("GET", "/files/65537.bin")
    for i in range(1, 7):
        client.wait_bytes(stream, 10000 * i)
        time.sleep(TIMEOUT * 0.5)
        client.send_window_update(stream.id, 10000)
    assert client.wait(stream).complete and stream.body == pattern(65537)


def test_a_slow_upload_goes_on_as_long_as_something_moves(connect):
    client = connect()
    stream = client.request("POST", "/h2test/read", end=False)
    for i in range(6):
        client.send_data(stream, b"content", end=i == 5)
        time.sleep(TIMEOUT * 0.5)
    assert client.wait(stream).text == "read 42\n"


def test_a_handler_may_work_longer_than_timeout(connect):
    client = connect()
    assert client.get("/h2test/sleep?ms=%d" % (TIMEOUT * 2000)).complete


def test_a_stalled_stream_does_not_end_its_connection(connect):
    """Others on the connection go on while it waits, and afterwards."""
    client = connect(settings={INITIAL_WINDOW_SIZE: 1000}, auto_window=False, window=1 << 20)
    stalled = client.request("GET", "/files/65537.bin")
    started = time.monotonic()
    while time.monotonic() - started < TIMEOUT * 2.5:
        assert client.get("/files/1.bin").complete
        time.sleep(0.1)
    assert not client.goaways and not stalled.ended
    client.wait_reset(stalled, timeout=LATE)


@pytest.mark.parametrize("start", [b"", PREFACE[:10], PREFACE, PREFACE + frame_bytes(SETTINGS, 0, 0)],
                         ids=["nothing", "half-a-preface", "preface", "settings"])
def test_a_client_that_asks_for_nothing_is_closed_in_time(server, transport, start):
    wire = Wire(server.address(transport), Tls() if transport == "tls" else None)
    wire.queue(start)
    started = time.monotonic()
    while not wire.eof and time.monotonic() - started < 10:
        wire.step(0.1)
    wire.close()
    assert wire.eof and time.monotonic() - started <= TIMEOUT + LATE


# -- mod_reqtimeout ---------------------------------------------------------------------------------


@pytest.mark.parametrize("start", [b"", b"GET / HT", PREFACE[:10]],
                         ids=["nothing", "half-a-request", "half-a-preface"])
def test_reqtimeout_closes_what_does_not_come_to_a_request(server, start):
    wire = Wire(server.address("reading"))
    wire.queue(start)
    started = time.monotonic()
    while not wire.eof and time.monotonic() - started < 15:
        wire.step(0.1)
    wire.close()
    assert wire.eof and 0.5 <= time.monotonic() - started <= 1 + LATE


def test_reqtimeout_does_not_end_a_connection_that_has_begun(server):
    client = open_client(server, "clear", port="reading")
    assert client.get("/files/1.bin").complete
    time.sleep(1.5)
    assert client.get("/files/1.bin").complete
    assert client.get("/h2test/sleep?ms=1500").complete
    assert not client.goaways


def test_reqtimeout_does_not_end_an_upload_that_moves(server):
    client = open_client(server, "clear", port="reading")
    stream = client.request("POST", "/h2test/read", end=False)
    for i in range(5):
        client.send_data(stream, bytes(1000), end=i == 4)
        time.sleep(0.3)
    r = client.wait(stream)
    assert r.status == 200 and r.text == "read 5000\n"


# -- mod_ratelimit ----------------------------------------------------------------------------------


def test_a_rate_limit_is_kept_and_holds_up_nobody_else(connect):
    client = connect()
    client.get("/files/1.bin")
    started = time.monotonic()
    limited = client.request("GET", "/limited/files/65537.bin")
    while not limited.done:
        before = time.monotonic()
        assert client.get("/files/1000.bin").complete
        assert time.monotonic() - before < 0.5 * env.SLOWER
        time.sleep(0.1)
    assert limited.complete and limited.body == pattern(65537)
    assert 0.6 <= time.monotonic() - started <= 5 * env.SLOWER

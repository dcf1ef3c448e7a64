# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Time limits and rates: what an administrator sets for HTTP/1.1 means the same here."""

import contextlib
import time

import pytest

import environment as env
from conftest import open_client
from demosite import pattern
from h1client import Http1
from h2client import (CANCEL, CONTINUATION, DATA, END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM,
                      HEADERS, INITIAL_WINDOW_SIZE, NO_ERROR, PING, PREFACE, SETTINGS,
                      PRIORITY, SETTINGS_TIMEOUT, WINDOW_UPDATE, Tls, Wire, WireClosed, frame_bytes)
from servers import PLAIN, SITE, VHOSTS

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
<VirtualHost *:{port_patient}>
    ServerName a.test
    Protocols h2c http/1.1
    H2MinRequestRate 0
    H2MinResponseRate 0
</VirtualHost>
<VirtualHost *:{port_impatient}>
    ServerName a.test
    Protocols h2c http/1.1
    Timeout 20
    H2MaxHeaderTime 500ms
</VirtualHost>
<VirtualHost *:{port_short}>
    ServerName a.test
    Protocols h2c http/1.1
    H2MaxConnectionRequests 5
</VirtualHost>
<VirtualHost *:{port_brief}>
    ServerName a.test
    Protocols h2c http/1.1
    H2MaxConnectionTime 1s
</VirtualHost>
<VirtualHost *:{port_wide}>
    ServerName a.test
    Protocols h2c http/1.1
    H2MaxSessionStreams 250
    H2StreamTimeout 0
</VirtualHost>
<VirtualHost *:{port_free}>
    ServerName a.test
    Protocols h2c http/1.1
    H2MaxResets 0
    H2MaxClientErrors 0
    H2MaxControlFrames 0
</VirtualHost>
""" % TIMEOUT + VHOSTS


# Time is what these tests take: two of the four combinations are enough.
@pytest.fixture(params=["event-tls", "worker-clear"])
def mpm_and_transport(request):
    return request.param.split("-")


@pytest.fixture
def server(servers, mpm_and_transport):
    return servers.get("limits", mpm_and_transport[0], LIMITS, modules=["ratelimit"],
                       ports=("tls", "clear", "off", "reading", "patient", "impatient",
                              "short", "brief", "wide", "free"), threads=32)


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


def test_who_takes_so_little_that_requests_have_to_wait_is_closed_after_timeout(server):
    client = open_client(server, "clear", port="wide", settings={INITIAL_WINDOW_SIZE: 0})
    with client.cork():
        streams = [client.request("GET", "/files/1048576.bin") for _ in range(249)]
    client.wait_head(streams[100])
    seconds_until_closed(client)
    assert any(not s.status for s in streams), "none has had to wait"


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


def test_a_slow_upload_goes_on_as_long_as_enough_moves(connect):
    client = connect()
    stream = client.request("POST", "/h2test/read", end=False)
    for i in range(6):
        client.send_data(stream, b"content!" * 8, end=i == 5)   # 128 bytes a second
        time.sleep(TIMEOUT * 0.5)
    assert client.wait(stream).text == "read 384\n"


def test_a_slower_upload_goes_on_where_there_is_no_minimum(server):
    client = open_client(server, "clear", port="patient")
    stream = client.request("POST", "/h2test/read", end=False)
    for i in range(6):
        client.send_data(stream, b"content", end=i == 5)
        time.sleep(TIMEOUT * 0.5)
    assert client.wait(stream).text == "read 42\n"


def dribble(client, stream, until, seconds=12):
    """A byte each quarter of a second until the test has seen what it waits for."""
    started = time.monotonic()
    while not until() and time.monotonic() - started < seconds:
        client.send_data(stream, b"x")
        client.poll()
        time.sleep(0.25)
    assert until()
    return time.monotonic() - started


def test_an_upload_below_the_minimum_rate_ends(server, connect, counter):
    client = connect()
    stream = client.request("POST", "/h2test/read?tag=%s" % counter, end=False)
    took = dribble(client, stream, lambda: stream.done or stream.status is not None)
    assert took <= 2 * TIMEOUT + LATE
    env.wait_until(lambda: counter.running == 0, "the handler to end")
    assert not client.goaways and client.get("/files/1.bin").complete
    assert "slower than H2MinRequestRate" in server.error_log.read_text()


def test_a_client_that_takes_a_byte_at_a_time_loses_its_stream(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 1}, auto_window=False, window=1 << 20)
    stream = client.request("GET", "/files/65537.bin")
    started = time.monotonic()
    while not stream.done and time.monotonic() - started < 12:
        client.send_window_update(stream.id, 1)
        client.poll()
        time.sleep(0.25)
    assert stream.reset == CANCEL and time.monotonic() - started <= 2 * TIMEOUT + LATE
    assert not client.goaways and client.get("/files/1.bin").complete


def test_a_client_that_takes_a_byte_at_a_time_may_where_there_is_no_minimum(server):
    client = open_client(server, "clear", port="patient", settings={INITIAL_WINDOW_SIZE: 1},
                         auto_window=False, window=1 << 20)
    stream = client.request("GET", "/files/65537.bin")
    started = time.monotonic()
    while time.monotonic() - started < TIMEOUT * 3:
        client.send_window_update(stream.id, 1)
        client.poll()
        time.sleep(0.25)
    assert not stream.done and not client.goaways


def test_credit_byte_by_byte_is_not_answered_by_a_frame_for_each(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 0}, auto_window=False, window=1 << 20)
    stream = client.request("GET", "/files/65537.bin")
    client.wait_for(lambda: stream.status, "the head")
    started = time.monotonic()
    for _ in range(250):            # less than what is worth a frame of its own
        client.send_window_update(stream.id, 1)
        client.ping()               # each is seen alone
    took = time.monotonic() - started
    client.send_window_update(stream.id, 65537)
    assert client.wait(stream).body == pattern(65537)
    small = [f for f in client.frames if f.type == DATA and not f.sent and f.length < 64]
    assert 16 <= len(small) <= 16 + took * 5 + 2


def test_all_that_is_left_is_no_small_credit(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 1}, auto_window=False, window=1 << 20)
    for _ in range(30):
        stream = client.request("GET", "/files/1.bin")
        assert client.wait(stream).body == pattern(1)


# -- H2MaxHeaderTime, SETTINGS_TIMEOUT ------------------------------------------------------------


BEGUN = {
    "the-head-of-a-frame": frame_bytes(PING, 0, 0, b"x" * 8)[:5],
    "a-ping": frame_bytes(PING, 0, 0, b"x" * 8)[:-1],
    "a-field-block": frame_bytes(HEADERS, END_STREAM, 1, b"\x82\x84"),
    "headers": frame_bytes(HEADERS, END_STREAM | END_HEADERS, 1, b"\x82", length=400),
}


@pytest.mark.parametrize("what", BEGUN)
def test_what_has_begun_is_to_end_in_time(server, what):
    client = open_client(server, "clear", port="impatient")
    client.wait_settings()
    started = time.monotonic()
    client.send_raw(BEGUN[what])
    client.wait_closed(timeout=10)
    assert 0.4 <= time.monotonic() - started <= 0.5 + LATE
    assert client.goaways[-1].error_code == ENHANCE_YOUR_CALM


def test_a_field_block_byte_by_byte_has_no_more_time(server):
    client = open_client(server, "clear", port="impatient")
    client.wait_settings()
    client.send_raw(frame_bytes(HEADERS, END_STREAM, 1, b"\x82"))
    started = time.monotonic()
    while not client.goaways and time.monotonic() - started < 10:
        client.send_raw(frame_bytes(CONTINUATION, 0, 1, b""))
        client.poll()
        time.sleep(0.2)
    assert client.goaways[-1].error_code == ENHANCE_YOUR_CALM
    assert time.monotonic() - started <= 0.5 + LATE


def test_many_frames_in_pieces_have_their_time_each(server):
    client = open_client(server, "clear", port="impatient")
    client.wait_settings()
    ping = frame_bytes(PING, 0, 0, b"12345678")
    for _ in range(10):             # 1.5 s altogether
        client.send_raw(ping[-7:] + ping[:-7] if _ else ping[:-7])
        client.poll()
        time.sleep(0.15)
    client.send_raw(ping[-7:])
    assert client.get("/files/1.bin").complete and not client.goaways


def test_settings_are_to_be_acknowledged_in_time(connect):
    client = connect(auto_ack=False)
    started = time.monotonic()
    with contextlib.suppress(WireClosed):
        while not client.goaways and time.monotonic() - started < 10:
            client.get("/files/1.bin")
            time.sleep(0.05)
    assert client.goaways[-1].error_code == SETTINGS_TIMEOUT
    assert TIMEOUT * 0.8 <= time.monotonic() - started <= TIMEOUT + LATE


# -- H2MaxResets, H2MaxClientErrors, H2MaxControlFrames; test/attack has all the ways there are ------


def cancel_one(client):
    stream = client.request("POST", "/h2test/read", end=False)
    client.send_reset(stream)


def make_us_reset(client):
    client.request("GET", "/", [("connection", "close")])


def assert_calmed_down(server, client, act, limit, count):
    for _ in range(count * 2 * env.SLOWER):  # time gives some of them back
        act(client)
        client.poll()
        if client.goaways:
            break
    client.wait_closed(timeout=5)
    assert [g.error_code for g in client.goaways] == [ENHANCE_YOUR_CALM]
    said = [line for line in server.error_log.read_text().splitlines()
            if "than " + limit in line and ":info]" in line
            and ":%d]" % client.wire.sock.getsockname()[1] in line]
    assert len(said) == 1


def test_a_client_that_resets_too_much_is_told_to_calm_down(server, connect):
    assert_calmed_down(server, connect(), cancel_one, "H2MaxResets", 200)


def test_a_client_that_makes_us_reset_too_much_is_told_to_calm_down(server, connect):
    assert_calmed_down(server, connect(), make_us_reset, "H2MaxClientErrors", 200)


FLOODS = {
    "PING": frame_bytes(PING, 0, 0, b"12345678"),
    "PRIORITY": frame_bytes(PRIORITY, 0, 1, bytes(4) + b"\x10"),
    "SETTINGS": frame_bytes(SETTINGS, 0, 0),
    "WINDOW_UPDATE": frame_bytes(WINDOW_UPDATE, 0, 0, b"\0\0\0\1"),
    "an unknown type": frame_bytes(0x77, 0, 0, b"?"),
}


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_of_frames_is_told_to_calm_down(server, connect, kind):
    def act(client):
        client.send_raw(FLOODS[kind] * 50)
    assert_calmed_down(server, connect(), act, "H2MaxControlFrames", 30)


# What newer versions of nghttp2 would count themselves; more than any of their limits.
@pytest.mark.parametrize("kind", ["PRIORITY", "SETTINGS", "an unknown type"])
def test_nothing_is_counted_where_the_limit_is_off(server, kind):
    with open_client(server, "free") as client:
        for _ in range(60):
            client.send_raw(FLOODS[kind] * 250)
            client.ping()
        assert client.get("/files/1.bin").complete and not client.goaways


@pytest.mark.parametrize("act", [cancel_one, make_us_reset])
def test_no_reset_is_counted_where_the_limit_is_off(server, act):
    with open_client(server, "free") as client:
        for _ in range(40):
            for _ in range(50):
                act(client)
            client.ping()
        assert client.get("/files/1.bin").complete and not client.goaways


def test_all_streams_of_a_connection_may_be_cancelled_at_once(connect, counter):
    """Twice, as the next page may be left at once, too."""
    client = connect()
    client.wait_settings()
    for _ in range(2):
        streams = [client.request("POST", "/h2test/read?tag=%s" % counter, end=False)
                   for _ in range(100)]
        for stream in streams:
            client.send_reset(stream)
    client.ping()
    env.wait_until(lambda: counter.running == 0, "the end of what had begun")
    assert client.get("/files/1.bin").complete and not client.goaways


def test_resets_may_go_on_as_long_as_requests_are_answered(connect):
    client = connect()
    for _ in range(600):
        cancel_one(client)
        assert client.get("/files/1.bin").complete
    assert not client.goaways


def test_window_updates_for_each_frame_of_a_long_download_are_no_flood(connect):
    """As a client sends them that gives credit back at once."""
    client = connect(settings={INITIAL_WINDOW_SIZE: 5000}, window=1 << 20)
    streams = [client.request("GET", "/files/1048576.bin", keep_body=False) for _ in range(12)]
    client.wait(*streams, timeout=30)
    assert all(s.complete for s in streams) and not client.goaways
    assert sum(f.type == WINDOW_UPDATE and f.sent for f in client.frames) > 2000


# -- the life of a connection ---------------------------------------------------------------------


def test_a_connection_ends_gracefully_after_its_requests(server):
    client = open_client(server, "clear", port="short")
    streams = [client.request("GET", "/files/1.bin") for _ in range(5)]
    client.wait(*streams)
    assert all(s.complete for s in streams)
    client.wait_closed(timeout=5)
    assert [g.error_code for g in client.goaways] == [NO_ERROR, NO_ERROR]
    assert client.goaways[-1].last_stream_id == 9


def is_answered_or_disowned(client, stream):
    """A client that reads late has more of the two GOAWAYs behind it than it knows."""
    try:
        return client.wait(stream).complete
    except WireClosed:
        return stream.id > client.goaways[-1].last_stream_id


def test_a_connection_ends_gracefully_after_its_time(server):
    client = open_client(server, "clear", port="brief")
    started = time.monotonic()
    while not client.goaways and time.monotonic() - started < 10:
        assert is_answered_or_disowned(client, client.request("GET", "/files/1.bin"))
    assert 0.8 <= time.monotonic() - started <= 1 + LATE
    assert client.goaways[0].error_code == NO_ERROR
    if not client.closed:
        stream = client.request("GET", "/files/1.bin")  # on its way already
        assert is_answered_or_disowned(client, stream)


# -- the rest of a request that is answered ---------------------------------------------------------


def test_a_client_that_could_send_the_rest_at_once_has_time_for_it(connect):
    """It would lose the response by a reset that is on its way."""
    client = connect()
    stream = client.request("POST", "/missing", [("content-length", "1000")], end=False)
    client.wait_for(lambda: stream.ended, "the response")
    assert stream.reset is None
    client.send_data(stream, b"x" * 1000, end=True)
    client.ping()
    assert stream.complete and stream.reset is None


def test_the_time_for_the_rest_is_short(connect):
    client = connect()
    stream = client.request("POST", "/missing", [("content-length", "1000")], end=False)
    started = time.monotonic()
    client.wait_for(lambda: stream.reset is not None, "the reset")
    assert stream.ended and stream.reset == NO_ERROR
    assert 0.4 <= time.monotonic() - started <= 0.5 + LATE


def test_who_would_have_to_wait_for_credit_has_no_time(connect):
    client = connect()
    stream = client.request("POST", "/missing", [("content-length", "10000000")], end=False)
    started = time.monotonic()
    client.wait_for(lambda: stream.reset is not None, "the reset")
    assert stream.ended and stream.reset == NO_ERROR
    assert time.monotonic() - started < 0.4


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


@pytest.mark.parametrize("start", [b"", PREFACE[:10]], ids=["nothing", "half-a-preface"])
def test_a_client_that_says_nothing_is_not_waited_for_twice(server, start):
    """Neither by us, who look for the preface, and then by HTTP/1.1."""
    wire = Wire(server.address("clear"))
    wire.queue(start)
    started = time.monotonic()
    while not wire.eof and time.monotonic() - started < 10:
        wire.step(0.1)
    wire.close()
    assert wire.eof and TIMEOUT * 0.8 <= time.monotonic() - started <= TIMEOUT + 0.7 * env.SLOWER


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


def test_a_limit_of_time_may_be_as_long_as_can_be_written(servers):
    config = "".join("%s 9223372036854\n" % name for name in (
        "H2MaxHeaderTime", "H2MaxConnectionTime", "H2StreamTimeout")) + PLAIN
    client = open_client(servers.get("patient", "event", config), "clear")
    client.wait_settings()      # else its acknowledgement may come in the middle of the PING
    stream = client.request("POST", "/h2test/read", end=False)
    client.send_raw(frame_bytes(PING, 0, 0, b"8 bytes.")[:12])
    time.sleep(0.6)     # timers look every 250 ms
    client.send_raw(b"ytes.")
    client.send_data(stream, b"late", end=True)
    assert client.wait(stream).complete and not client.goaways

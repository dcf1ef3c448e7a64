# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""The engine's promises: who waits costs a thread at most where nothing else is possible, and
nobody else waits with him."""

import os
import time

import pytest

import environment as env
from conftest import open_client
from environment import wait_until
from h1client import Http1
from h2client import INITIAL_WINDOW_SIZE, WireTimeout, wait_all
from servers import PLAIN

WORKERS = 8
QUICK = 0.5 * env.SLOWER        # a quick request, with a machine that has other work

SMALL = PLAIN + """
H2MinWorkers 4
H2MaxWorkers %d
H2MaxWorkerIdleSeconds 1
Timeout 60
KeepAliveTimeout 60
<VirtualHost *:{port_status}>
    ServerName a.test
    Protocols http/1.1
</VirtualHost>
""" % WORKERS


@pytest.fixture
def small(servers, mpm):
    """A server with few workers; on the event MPM with few threads, too."""
    return servers.get("engine", mpm, SMALL, ports=("tls", "clear", "status"),
                       threads=6 if mpm == "event" else 64, async_factor=500, nofile=8192)


@pytest.fixture
def event(servers):
    return servers.get("engine", "event", SMALL, ports=("tls", "clear", "status"), threads=6,
                       async_factor=500, nofile=8192)


def status(server):
    with Http1(server.address("status"), timeout=5 * env.SLOWER) as client:
        lines = client.get("/server-status?auto").text.splitlines()
    return dict(line.split(": ", 1) for line in lines if ": " in line)


def busy_threads(server):
    """MPM threads that are busy, without the one that tells."""
    board = status(server)["Scoreboard"][:server.settings["threads"]]
    return sum(slot not in "_." for slot in board) - 1


def assert_served_promptly(server, transport="clear", count=10, path="/h2test/write?n=1000"):
    client = open_client(server, transport)
    client.get("/files/1.bin")
    for _ in range(count):
        started = time.monotonic()
        assert client.get(path).complete
        assert time.monotonic() - started < QUICK
    client.close()


# -- one connection ---------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["ms", "fixup_ms"])
def test_ten_sleeping_requests_do_not_hold_up_a_hundred_quick_ones(connect, where):
    client = connect()
    for _ in range(3):
        client.get("/files/1000.bin")
    sleepers = [client.request("GET", "/h2test/sleep?%s=2000" % where) for _ in range(10)]
    started = time.monotonic()
    quick = []
    for _ in range(10):
        quick += [client.request("GET", "/files/1000.bin") for _ in range(10)]
        client.wait(*quick)
    seconds = time.monotonic() - started
    assert all(s.complete for s in quick) and not any(s.done for s in sleepers)
    assert seconds < QUICK, "%.3f s for the quick ones" % seconds
    client.wait(*sleepers)
    assert all(s.complete for s in sleepers)
    assert time.monotonic() - started < 2 + 2 * env.SLOWER


def test_sleepers_and_quick_requests_of_one_segment_do_not_wait_for_one_another(connect, counter):
    client = connect()
    client.get("/files/1000.bin")
    sleepers, quick = [], []
    with client.cork():
        for _ in range(10):
            sleepers.append(client.request(
                "GET", "/h2test/gate?gate=%s&tag=%s" % (counter.gate(), counter)))
            quick += [client.request("GET", "/files/1000.bin") for _ in range(9)]
    started = time.monotonic()
    client.wait(*quick)
    assert time.monotonic() - started < QUICK
    assert not any(s.done for s in sleepers)
    wait_until(lambda: counter.running == 10, "all sleepers to run at once", timeout=3)
    counter.open()
    client.wait(*sleepers)
    assert all(s.complete for s in sleepers)


def test_hooks_that_sleep_do_not_hold_up_others(connect, counter):
    client = connect()
    sleepers = [client.request("GET", "/h2test/write?n=1&fixup_gate=%s&tag=%s"
                               % (counter.gate(), counter)) for _ in range(10)]
    started = time.monotonic()
    quick = [client.request("GET", "/files/1000.bin") for _ in range(50)]
    client.wait(*quick)
    assert time.monotonic() - started < QUICK and not any(s.done for s in sleepers)
    wait_until(lambda: counter.running == 10, "all sleepers to run at once", timeout=3)
    counter.open()
    client.wait(*sleepers)
    assert all(s.complete for s in sleepers)


def test_the_end_of_a_request_does_not_hold_up_others(connect, counter):
    """What its modules have registered to be done at its end may wait, as mod_cgi does for a
    script that ignores SIGTERM."""
    clients = [connect() for _ in range(3)]
    path = "/h2test/write?n=10&end_gate=%s&tag=%s" % (counter.gate(), counter)
    for client in clients:
        assert client.get(path).complete
    wait_until(lambda: counter.finished == 3 and counter.running == 3, "the three ends")
    started = time.monotonic()
    for client in clients + [connect()]:
        for _ in range(5):
            assert client.get("/files/1000.bin").complete
    assert time.monotonic() - started < QUICK
    clients[0].close()
    assert counter.running == 3
    counter.open()
    wait_until(lambda: counter.running == 0, "the ends of the requests")


def test_requests_are_answered_however_the_time_of_their_like_changes(connect):
    """The same path is quick now and slow then, on many connections at once: each time some of
    its requests wait for another thread than it had been thought before."""
    clients = [connect() for _ in range(10)]
    for round in range(5):
        for i, client in enumerate(clients):
            for n in range(20):
                client.request("GET", "/h2test/sleep?ms=%d" % (4 if (i + n + round) % 7 == 0 else 0))
        wait_all(clients, lambda c: all(s.done for s in c.streams.values()), timeout=10)
    assert all(s.complete for c in clients for s in c.streams.values())


def test_a_slow_request_does_not_hold_up_other_connections(connect, counter):
    slow = [connect() for _ in range(5)]
    for client in slow:
        for _ in range(2):
            client.request("GET", "/h2test/gate?gate=%s&tag=%s" % (counter.gate(), counter))
    others = [connect() for _ in range(5)]
    started = time.monotonic()
    for client in others:
        assert client.get("/h2test/write?n=100").complete
    assert time.monotonic() - started < QUICK + 0.1
    wait_until(lambda: counter.running == 10, "all slow ones to run", timeout=3)
    counter.open()
    for client in slow:
        client.wait(*client.streams.values())


# -- the share of a connection ----------------------------------------------------------------------


def test_one_connection_never_holds_all_workers(small, transport, counter, servers):
    greedy = open_client(small, transport)
    streams = [greedy.request("GET", "/h2test/gate?gate=%s&tag=%s" % (counter.gate(), counter))
               for _ in range(30)]
    wait_until(lambda: counter.running >= 2, "the greedy one's handlers")
    modest, theirs = open_client(small, transport), servers.counters.new()
    stream = modest.request("GET", "/h2test/gate?gate=%s&tag=%s" % (theirs.gate(), theirs))
    wait_until(lambda: theirs.running == 1, "the modest one's handler", timeout=2)
    assert counter.running_max < WORKERS
    assert_served_promptly(small, transport)
    theirs.open()
    assert modest.wait(stream).complete
    counter.open()
    greedy.wait(*streams)
    assert all(s.complete for s in streams)
    assert counter.running_max < WORKERS and counter.started == 30


def test_quick_requests_pass_those_of_their_connection_that_wait_for_a_thread(small, transport,
                                                                              counter):
    client = open_client(small, transport)
    for _ in range(3):
        client.get("/files/1000.bin")
    uploads = []
    for _ in range(20):     # more than its share: all but a few wait
        uploads.append(client.request("POST", "/h2test/read?tag=%s" % counter, end=False))
    wait_until(lambda: counter.running >= 2, "some uploads to run")
    started = time.monotonic()
    for _ in range(10):
        assert client.get("/files/1000.bin").complete
    assert time.monotonic() - started < QUICK
    for stream in uploads:
        client.send_data(stream, b"all of it", end=True)
    client.wait(*uploads)
    assert all(s.complete for s in uploads) and counter.running_max < WORKERS


def test_the_share_of_a_connection_comes_back(small, transport, counter):
    """Requests that were reset while they ran do not count for ever."""
    client = open_client(small, transport)
    for _ in range(10):
        streams = [client.request("GET", "/h2test/gate?gate=%s&tag=%s" % (counter.gate(), counter))
                   for _ in range(3)]
        for stream in streams:
            client.send_reset(stream)
    counter.open()
    wait_until(lambda: counter.running == 0, "the handlers to end")
    assert client.get("/h2test/write?n=10").complete


# -- waiting costs nothing (event MPM) --------------------------------------------------------------


def test_2000_idle_connections_hold_no_thread(event):
    wait_until(lambda: event.threads() >= idle_threads(event), "the child to be complete",
               timeout=10)
    threads = event.threads()
    clients = [open_client(event, "clear", timeout=30) for _ in range(2000)]
    for client in clients:
        client.request("GET", "/files/1.bin")
    wait_all(clients, lambda c: c.streams[1].complete, timeout=30)
    wait_until(lambda: busy_threads(event) == 0, "the MPM's threads to be idle", timeout=5)
    assert event.threads() <= threads + WORKERS
    assert_served_promptly(event)
    assert all(c.get("/files/1.bin").complete for c in clients[::100])


def test_200_idle_connections_over_tls_hold_no_thread(event):
    clients = [open_client(event, "tls") for _ in range(200)]
    for client in clients:
        assert client.get("/files/1.bin").complete
    wait_until(lambda: busy_threads(event) == 0, "the MPM's threads to be idle", timeout=5)
    assert_served_promptly(event, "tls")


@pytest.mark.parametrize("by", ["window", "socket"])
def test_200_blocked_downloads_of_files_hold_no_thread(event, transport, by):
    if by == "window":
        options = dict(auto_window=False)
    else:
        options = dict(receive_buffer=4096, window=1 << 30, settings={INITIAL_WINDOW_SIZE: 1 << 30})
    clients = [open_client(event, transport, **options) for _ in range(200)]
    for client in clients:
        client.wait_settings()
        client.request("GET", "/files/big.bin", keep_body=False)
    if by == "window":
        wait_all(clients, lambda c: c.streams[1].received == 65535, timeout=30)
    wait_until(lambda: busy_threads(event) == 0, "the MPM's threads to be idle", timeout=5)
    assert_served_promptly(event, transport)
    assert_served_promptly(event, transport, count=3, path="/cgi/hello")
    for client in clients[::20]:
        if by == "window":
            client.send_window_update(0, 100000)
            client.send_window_update(1, 100000)
        client.wait_bytes(client.streams[1], 160000)


def test_a_small_response_does_not_wait_behind_what_the_kernel_has_of_a_large_one(connect):
    client = connect(receive_buffer=4096, window=1 << 30, settings={INITIAL_WINDOW_SIZE: 1 << 30})
    large = client.request("GET", "/files/big.bin", keep_body=False)
    client.wait_bytes(large, 4 << 20)       # the server is far ahead of a client that slow
    small = client.request("GET", "/files/1.bin")
    before = large.received
    client.wait(small)
    assert small.complete
    assert large.received - before < 1 << 20


# -- workers that are stuck -------------------------------------------------------------------------


def stuck_uploads(server, transport, counter):
    clients = [open_client(server, transport) for _ in range(WORKERS)]
    for client in clients:
        stream = client.request("POST", "/h2test/read?tag=%s" % counter, end=False)
        client.send_data(stream, b"the beginning")
    return clients


def stuck_downloads(server, transport, counter):
    clients = [open_client(server, transport, auto_window=False) for _ in range(WORKERS)]
    for client in clients:
        client.request("GET", "/h2test/endless?tag=%s" % counter)
    return clients


@pytest.mark.parametrize("stick", [stuck_uploads, stuck_downloads], ids=["uploads", "responses"])
def test_quick_requests_are_answered_while_every_worker_is_stuck(small, transport, counter, stick):
    clients = stick(small, transport, counter)
    wait_until(lambda: counter.running >= WORKERS - 1, "the stuck handlers")
    assert_served_promptly(small, transport)
    assert_served_promptly(small, transport, path="/files/1000.bin")
    if small.mpm == "event":
        assert busy_threads(small) == 0
    for client in clients:
        client.send_reset(1)
    wait_until(lambda: counter.running == 0, "the handlers to end", timeout=2)
    for client in clients:
        client.send_window_update(0, 100000)  # what was sent on stream 1 has taken it all
        assert client.get("/files/1.bin").complete


def test_the_first_requests_of_a_child_do_not_take_the_threads_for_quick_ones(servers, transport,
                                                                              mpm, counter):
    """Those that run beside the leaders never take a leader's or a standby's place, not even when
    no standby was needed yet."""
    httpd = servers.get("fresh-" + transport, mpm, SMALL.replace("H2MaxWorkers %d" % WORKERS,
                                                                 "H2MaxWorkers 4"),
                        ports=("tls", "clear", "status"), threads=16)
    uploads = []
    for _ in range(4):
        client = open_client(httpd, transport)
        for _ in range(2):
            stream = client.request("POST", "/h2test/read?tag=%s" % counter, end=False)
            uploads.append((client, stream))
    wait_until(lambda: counter.running == 4, "as many uploads to run as there are workers")
    assert_served_promptly(httpd, transport)
    assert counter.running_max == 4
    for client, stream in uploads:      # the leaders run those that are here whole
        client.send_data(stream, b"all of it", end=True)
    for client, stream in uploads:
        assert client.wait(stream).complete
    assert counter.started == 8


def test_a_request_may_wait_for_a_thread_longer_than_timeout(servers, transport, mpm, counter):
    """It is not its client that it waits for."""
    config = PLAIN + "Timeout 1\nH2StreamTimeout 60\nH2MinWorkers 1\nH2MaxWorkers 2\n"
    httpd = servers.get("scarce-" + transport, mpm, config, threads=16)
    path = "/h2test/read?tag=%s" % counter
    clients = [open_client(httpd, transport) for _ in range(3)]
    for client in clients:
        client.ping()               # SETTINGS are acknowledged, for which there is Timeout
    uploads = [client.request("POST", path, end=False) for client in clients[:2]]
    wait_until(lambda: counter.running == 2, "both workers to be stuck")
    last = clients[2].request("POST", path, end=False)
    with pytest.raises(WireTimeout):
        clients[2].wait(last, timeout=2.5)
    assert counter.running == 2 and not clients[2].goaways
    for client, stream in zip(clients, [*uploads, last]):
        client.send_data(stream, b"content", end=True)
        assert client.wait(stream).complete


@pytest.mark.parametrize("stick", [stuck_uploads, stuck_downloads], ids=["uploads", "responses"])
def test_a_stuck_request_holds_one_thread_at_most(small, transport, counter, stick):
    wait_until(lambda: small.threads() >= idle_threads(small), "the child to be complete",
               timeout=10)
    before = small.threads()
    stick(small, transport, counter)
    wait_until(lambda: counter.running >= WORKERS - 1, "the stuck handlers")
    # one more may lead, and another be spare
    assert small.threads() <= before + WORKERS + 2


@pytest.mark.parametrize("stick", [stuck_uploads, stuck_downloads], ids=["uploads", "responses"])
def test_a_cancelled_request_frees_its_worker_at_once(small, transport, counter, stick):
    clients = stick(small, transport, counter)
    wait_until(lambda: counter.running >= WORKERS - 1, "the stuck handlers")
    for client in clients:
        client.send_reset(1)
    wait_until(lambda: counter.running == 0, "the handlers to end", timeout=1)


def test_a_stream_that_is_reset_before_it_starts_never_starts(small, transport, counter, servers):
    greedy = open_client(small, transport)
    running = [greedy.request("GET", "/h2test/gate?gate=%s&tag=%s" % (counter.gate(), counter))
               for _ in range(20)]
    wait_until(lambda: counter.running >= 1, "the handlers")
    waiting = servers.counters.new()
    with greedy.cork():
        for _ in range(20):
            greedy.send_reset(greedy.request("GET", "/h2test/write?n=1&tag=%s" % waiting))
    greedy.ping()
    counter.open()
    greedy.wait(*running)
    assert waiting.started == 0


# -- threads come and go ----------------------------------------------------------------------------


def test_threads_grow_with_need_and_shrink_to_the_minimum(small, transport, counter):
    least = idle_threads(small)
    wait_until(lambda: small.threads() == least, "the minimum", timeout=10)
    clients = [open_client(small, transport) for _ in range(WORKERS)]
    for client in clients:
        client.request("GET", "/h2test/gate?gate=%s&tag=%s" % (counter.gate(), counter))
    # one worker may have to lead
    wait_until(lambda: counter.running >= WORKERS - 1, "as many handlers as workers", timeout=3)
    assert small.threads() > least
    counter.open()
    for client in clients:
        client.wait(*client.streams.values())
    wait_until(lambda: small.threads() <= least, "the number of threads to go back", timeout=10)


def idle_threads(server, min_workers=4):
    """What a child has at least: MPM threads, their listener and the main thread, H2MinWorkers or
    two for each core that it may use, the watchdog; and two of ThreadSanitizer's own."""
    cores = len(server.cores or os.sched_getaffinity(0))
    return (server.settings["threads"] + 2 + max(min_workers, 2 * min(cores, 16)) + 1
            + (2 if env.sanitizer == "tsan" else 0))


def test_a_child_has_a_loop_for_each_core_that_it_may_use(servers):
    cores = sorted(os.sched_getaffinity(0))
    for count in {1, len(cores)}:
        server = servers.get("cores%d" % count, "event", PLAIN + "H2MinWorkers 1",
                             ports=("tls", "clear"), threads=4, cores=set(cores[:count]))
        wait_until(lambda: server.threads() == idle_threads(server, 1), "the threads", timeout=10)


def test_other_modules_are_told_the_number_of_workers(small, transport):
    text = open_client(small, transport).get("/h2test/info").text
    numbers = dict(line.split("=", 1) for line in text.splitlines())
    assert 1 <= int(numbers["min_workers"]) <= int(numbers["max_workers"])
    assert int(numbers["max_workers"]) >= WORKERS

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""What the system may do to a server: no descriptors, no threads, no room on the disk, a clock that
is set, back ends and clients that break off, a child that dies. What cannot be done is said to be
so, everything else goes on, and when it has passed, nothing is left of it."""

import contextlib
import os
import re
import signal
import socket
import ssl
import struct
import time

import pytest

import environment as env
from conftest import open_client
from demosite import pattern
from environment import wait_until
from faults import Faults
from h2client import INITIAL_WINDOW_SIZE, NO_ERROR, WireClosed, WireTimeout
from scripted import Scripted
from servers import SITE, VHOSTS

HOUR = 3600 * 1000000

CONFIG = SITE + """
Timeout 30
KeepAliveTimeout 30
ProxyPass /scripted/ http://127.0.0.1:{scripted}/ timeout=2 retry=0 disablereuse=on
EnableMMAP on
""" + VHOSTS + """
<VirtualHost *:{port_short}>
    ServerName a.test
    Protocols h2c http/1.1
    Timeout 2
    KeepAliveTimeout 2
    H2StreamTimeout 2
</VirtualHost>
"""


@pytest.fixture(scope="module")
def scripted():
    scripted = Scripted()
    yield scripted
    scripted.close()


@pytest.fixture(scope="module")
def new_server(servers, scripted):
    """Makes a server of this module, not yet started."""
    config = CONFIG.replace("{scripted}", str(scripted.port))

    def new(name, mpm, **options):
        options.setdefault("ports", ("tls", "clear", "short"))
        return servers.new(name, mpm, config + options.pop("more", ""), **options)
    return new


@pytest.fixture(scope="module")
def all_faults():
    return {mpm: Faults(env.scratch_dir() / ("faults-" + mpm)) for mpm in ("event", "worker")}


@pytest.fixture
def faults(all_faults, mpm):
    yield all_faults[mpm]
    all_faults[mpm].clear()


@pytest.fixture
def faulty(new_server, servers, faults, mpm):
    """A server whose processes meet what is in `faults`; kept for the tests of this module."""
    name = "faulty"
    if (name, mpm) not in servers._running:
        servers._running[name, mpm] = new_server(name, mpm, environment=faults.environment).start()
    return servers._running[name, mpm]


@contextlib.contextmanager
def running(server):
    """A server of its own, of whose children some may die."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


def outcome(stream):
    """What a client makes of it: a status with a whole body, or None for a reset."""
    assert stream.done, repr(stream)
    assert stream.reset in (None, NO_ERROR) or not stream.ended, repr(stream)
    return stream.status if stream.ended else None


def assert_serves(server, transport="clear", **options):
    client = open_client(server, transport, **options)
    assert client.get("/files/65537.bin").body == pattern(65537)
    assert client.fetch("POST", "/h2test/echo", body=pattern(100000)).body == pattern(100000)
    return client


# -- descriptors ------------------------------------------------------------------------------------


# Room for httpd itself and for not many connections and files.
FEW = 100

# What httpd answers, with each protocol, where it cannot open a file; None: a reset.
CANNOT_OPEN = {403, 500, 503, None}


def test_without_descriptors_requests_fail_or_wait_and_all_is_well_afterwards(new_server, mpm,
                                                                              transport, counter):
    options = dict(nofile=FEW, is_stable=False, threads=16, servers=1)
    with running(new_server("few-descriptors", mpm, **options)) as server:
        # Files that are being sent, with windows that are shut, and uploads, up to the limit.
        client = open_client(server, transport, auto_window=False,
                             settings={INITIAL_WINDOW_SIZE: 10})
        honest = open_client(server, transport)
        client.wait_settings()
        assert honest.get("/files/1000.bin").complete
        uploads = [honest.request("POST", "/h2test/echo?tag=%s" % counter, end=False)
                   for _ in range(3)]
        for stream in uploads:
            honest.send_data(stream, b"begun ")
        wait_until(lambda: counter.running == 3, "the uploads")
        downloads = [client.request("GET", "/files/1048576.bin") for _ in range(99)]
        client.wait_for(lambda: all(s.received or s.done for s in downloads), "each download")
        refused = [s for s in downloads if s.status != 200]
        assert refused, "the limit was not reached"
        assert {s.status for s in refused} <= CANNOT_OPEN
        assert outcome(honest.get("/files/1000.bin")) in CANNOT_OPEN
        # What needs no descriptor goes on.
        assert honest.get("/h2test/write?n=1000").complete
        for stream in uploads:
            honest.send_data(stream, b"ended", end=True)
        honest.wait(*uploads)
        assert all(s.complete and s.body == b"begun ended" for s in uploads)
        for stream in downloads[::2]:
            client.send_reset(stream)
        client.ping()
        wait_until(lambda: honest.get("/files/65537.bin").complete, "descriptors")
        # Those that had begun are served to their end.
        client.auto_window = True
        client.send_window_update(0, 2 ** 30)
        for stream in downloads[1::2]:
            if not stream.done:
                client.send_window_update(stream.id, 2 ** 21)
        client.wait(*downloads[1::2])
        assert all(outcome(s) in CANNOT_OPEN for s in refused if s in downloads[1::2])
        begun = [s for s in downloads[1::2] if s not in refused]
        assert begun and all(s.complete and s.body == pattern(1 << 20) for s in begun)
        client.close()
        assert_serves(server, transport)
        assert not server.health_problems()


def test_without_descriptors_for_connections_those_that_are_there_go_on(new_server, mpm):
    options = dict(nofile=FEW, is_stable=False, threads=16, servers=1, server_limit=4,
                   max_workers=64)
    with running(new_server("no-connections", mpm, **options)) as server:
        client = open_client(server, "clear")
        assert client.get("/files/1.bin").complete
        stream = client.request("POST", "/h2test/echo", end=False)
        idle = []
        for _ in range(3 * FEW):
            idle.append(socket.create_connection(server.address("clear")))
        client.send_data(stream, pattern(100000), end=True)
        client.wait(stream, timeout=20)
        assert stream.complete and stream.body == pattern(100000)
        for sock in idle:
            sock.close()
        # httpd may replace a child that could not accept.
        wait_until(lambda: serves(server), "the server to serve again", timeout=20, interval=0.2)
        assert not server.health_problems()


def serves(server):
    try:
        with contextlib.closing(open_client(server, "clear", timeout=3)) as client:
            return client.get("/files/65537.bin").body == pattern(65537)
    except (WireClosed, WireTimeout, OSError):
        return False


# -- threads ----------------------------------------------------------------------------------------


def test_requests_wait_for_threads_that_cannot_be_made_and_are_answered_then(new_server, faults, mpm,
                                                                             counter):
    more = "H2MinWorkers 1\nH2MaxWorkers 32\n"
    server = new_server("growth", mpm, environment=faults.environment, more=more)
    with running(server):
        clients = [open_client(server, "clear") for _ in range(4)]
        assert all(c.get("/files/1.bin").complete for c in clients)
        faults.thread_all = 1
        path = "/h2test/gate?gate=%s&tag=%s&max=60000" % (counter.gate(), counter)
        slow = [c.request("GET", path) for c in clients for _ in range(5)]
        wait_until(lambda: faults.thread_failed > 0, "a thread that cannot be made")
        for client in clients:
            client.ping()           # no loop hangs
        assert counter.running < len(slow)
        faults.thread_all = 0
        for client in clients:
            wait_until(lambda: client.get("/files/65537.bin", timeout=5).complete, "an answer")
        counter.open()
        for client, streams in zip(clients, (slow[i:i + 5] for i in range(0, 20, 5))):
            client.wait(*streams)
        assert all(s.complete for s in slow) and counter.finished == len(slow)
        assert not server.health_problems()


def test_a_child_that_cannot_make_its_threads_serves_http_1_and_says_so(new_server, faults, mpm):
    # A child's first thread is our watchdog; ThreadSanitizer begins two of its own before it.
    faults.thread_first = 3 if env.sanitizer == "tsan" else 1
    with running(new_server("first-threads", mpm, environment=faults.environment)) as server:
        assert "this child serves no HTTP/2" in server.errors()
        with pytest.raises(AssertionError):
            open_client(server, "clear", timeout=3).get("/files/1.bin")
        with contextlib.closing(socket.create_connection(server.address("clear"))) as sock:
            sock.sendall(b"GET /files/1.bin HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
            assert sock.makefile("rb").read().startswith(b"HTTP/1.1 200 ")
        faults.thread_first = 0
        server.graceful()
        wait_until(lambda: serves(server), "the next child to serve HTTP/2", interval=0.1)


def total_accesses(server):
    with contextlib.closing(socket.create_connection(server.address("clear"))) as sock:
        sock.sendall(b"GET /server-status?auto HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n")
        text = sock.makefile("rb").read().decode()
    return int(re.search(r"^Total Accesses: (\d+)$", text, re.M).group(1))


def test_requests_are_counted_by_threads_that_are_older_than_their_childs_row(new_server, faults, mpm):
    faults.fork_usec = 200000  # the parent enters a child in the scoreboard so late
    with running(new_server("late-row", mpm, environment=faults.environment)) as server:
        wait_until(lambda: serves(server), "HTTP/2")
        time.sleep(0.3)  # nothing tells when the parent has entered its child
        before = total_accesses(server)
        clients = [open_client(server, "clear") for _ in range(4)]
        for _ in range(5):
            assert all(client.get("/files/1.bin").complete for client in clients)
        # The two questions, over HTTP/1.1, may be counted a moment later.
        assert total_accesses(server) - before in (20, 21, 22)


# -- the disk ---------------------------------------------------------------------------------------


def test_logs_that_cannot_be_written_hold_up_no_request(faulty, faults, transport):
    faults.disk_full = 1
    clients = [assert_serves(faulty, transport) for _ in range(5)]
    for client in clients:
        client.request("GET", "/files/1048576.bin")
        client.request("GET", "/h2test/fail?n=100&how=error")       # writes to the error log
        client.close()
    assert_serves(faulty, transport)
    assert faults.disk_failed
    faults.disk_full = 0
    before = len(faulty.access_lines())
    assert_serves(faulty, transport)
    wait_until(lambda: len(faulty.access_lines()) > before, "lines in the log")


def test_an_upload_to_a_full_disk_is_no_success_and_the_next_one_is(faulty, faults, servers,
                                                                    transport, counter):
    stored = servers.counters.folder / "stored"
    stored.mkdir(exist_ok=True)
    stored.chmod(0o777)
    client = open_client(faulty, transport)
    path, body = "/h2test/store?file=%s" % counter, pattern(300000)
    faults.disk_full = 1
    others = [client.request("GET", "/files/65537.bin") for _ in range(10)]
    failed = client.fetch("PUT", path, body=body)
    assert outcome(failed) in (507, None)
    client.wait(*others)
    assert all(s.complete for s in others)
    faults.disk_full = 0
    assert client.fetch("PUT", path, body=body).complete
    assert (stored / str(counter)).read_bytes() == body


def test_files_that_cannot_be_mapped_are_read(faulty, faults, transport):
    faults.no_mmap = 1
    client = open_client(faulty, transport)
    streams = [client.request("GET", "/files/%d.bin" % n) for n in (16384, 65536, 65537, 1 << 20)]
    client.wait(*streams)
    assert [len(s.body) for s in streams] == [16384, 65536, 65537, 1 << 20]
    assert all(s.complete and s.body == pattern(len(s.body)) for s in streams)


# -- the clock --------------------------------------------------------------------------------------


class Conversations:
    """Requests of all kinds that wait for their client, or for something else."""

    def __init__(self, server, transport, counter):
        self.counter = counter
        self.idle = open_client(server, transport)
        assert self.idle.get("/files/1.bin").complete
        self.client = client = open_client(server, transport, auto_window=False)
        self.upload = client.request("POST", "/h2test/echo?tag=%s" % counter, end=False)
        client.send_data(self.upload, pattern(1000))
        self.slow = client.request("GET", "/h2test/gate?gate=%s&tag=%s&max=60000"
                                   % (counter.gate(), counter))
        self.download = client.request("GET", "/files/1048576.bin")
        self.written = client.request("GET", "/h2test/write?n=1000000")
        client.wait_for(lambda: self.download.received + self.written.received == 65535, "a window")
        wait_until(lambda: counter.running == 2 and counter.bytes_read == 1000, "the handlers")

    def go_on(self):
        """Nothing has been closed; a little more of each."""
        for client in (self.idle, self.client):
            client.ping()
            assert not client.goaways
        assert not any(s.done for s in (self.upload, self.slow, self.download, self.written))
        self.client.send_data(self.upload, b"")
        assert self.idle.get("/files/65537.bin").complete

    def end(self):
        self.client.auto_window = True
        for stream_id in (0, self.download.id, self.written.id):
            self.client.send_window_update(stream_id, 1 << 21)
        self.client.send_data(self.upload, pattern(9000, 1000), end=True)
        self.counter.open()
        self.client.wait(self.upload, self.slow, self.download, self.written)
        assert self.upload.body == pattern(10000) and self.slow.complete
        assert self.download.body == pattern(1 << 20) and self.written.body == pattern(1000000)


@pytest.mark.parametrize("hours", [1, -1])
def test_a_clock_that_is_set_ends_nothing_that_runs(faulty, faults, transport, counter, hours):
    conversations = Conversations(faulty, transport, counter)
    for step in (hours, 25 * hours, 0):
        faults.clock_usec = step * HOUR
        time.sleep(0.6 * env.SLOWER)     # two looks at the timers, in which nothing is to happen
        conversations.go_on()
    conversations.end()


@pytest.mark.skipif(env.sanitizer == "tsan", reason="ThreadSanitizer's condition variables ask the "
                    "system for its clock, and not the library of faults")
@pytest.mark.parametrize("hours", [1, -1])
def test_timeouts_still_come_when_the_clock_has_been_set(faulty, faults, counter, hours):
    """In time, neither by an hour too early nor too late."""
    idle = open_client(faulty, "clear", port="short")
    assert idle.get("/files/1.bin").complete
    uploading = open_client(faulty, "clear", port="short")
    upload = uploading.request("POST", "/h2test/read?tag=%s" % counter, end=False)
    blocked = open_client(faulty, "clear", port="short", auto_window=False)
    download = blocked.request("GET", "/h2test/write?n=1000000&tag=%s" % counter)
    blocked.wait_bytes(download, 65535)
    uploading.wait_settings()           # which it acknowledges, as nobody reads for it later
    wait_until(lambda: counter.running == 2, "the handlers")
    begun = time.monotonic()
    faults.clock_usec = hours * HOUR
    idle.wait_closed(timeout=8)
    assert time.monotonic() - begun > 1.5, "at once"
    uploading.wait(upload, timeout=8)
    blocked.wait_reset(download, timeout=8)
    wait_until(lambda: counter.running == 0, "the handlers to end")


def test_a_slow_request_holds_up_no_other_when_the_clock_has_been_set_back(faulty, faults,
                                                                           counter):
    """The watchdog has to see it."""
    client = open_client(faulty, "clear")
    assert client.get("/files/1.bin").complete
    faults.clock_usec = -HOUR
    for number in range(4):
        gate = counter.gate(number)
        slow = client.request("GET", "/h2test/slow%d/gate?fixup_gate=%s&gate=%s&tag=%s"
                              % (number, gate, gate, counter))
        begun = time.monotonic()
        assert client.get("/files/1000.bin", timeout=5).complete
        assert time.monotonic() - begun < 1 * env.SLOWER and not slow.done
        counter.open(number)
        client.wait(slow)


# -- back ends --------------------------------------------------------------------------------------


def reset(exchange):
    exchange.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def back_end_that(how):
    def script(exchange):
        if how == "hangs":
            exchange.watch(timeout=10)
        elif how == "hangs in the body":
            exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")
            exchange.watch(timeout=10)
        elif how == "resets":
            reset(exchange)
        elif how == "resets in the body":
            exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")
            time.sleep(0.05)
            reset(exchange)
        elif how == "sends garbage":
            exchange.send(bytes(range(256)) * 64)
        elif how == "sends garbage for chunks":
            exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloZZ\r\n!")
        elif how == "closes in the head":
            exchange.send("HTTP/1.1 200 OK\r\nContent-Le")
        elif how == "closes in the chunks":
            exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n100\r\nhello")
        return False
    return script


BACK_ENDS = ["hangs", "hangs in the body", "resets", "resets in the body", "sends garbage",
             "sends garbage for chunks", "closes in the head", "closes in the chunks"]


def test_back_ends_that_fail_in_all_ways_at_once_harm_no_other_stream(faulty, scripted, transport):
    client = open_client(faulty, transport)
    streams = {}
    for number, how in enumerate(BACK_ENDS):
        scripted.scripts["/%d" % number] = back_end_that(how)
        streams[how] = [client.request("GET", "/scripted/%d" % number),
                        client.request("POST", "/scripted/%d" % number, body=pattern(50000))]
        streams[how].append(client.request("GET", "/proxy/size/10000"))
    good = [pair.pop() for pair in streams.values()]
    client.wait(*good, timeout=20)
    assert all(s.complete and s.body == pattern(10000) for s in good)
    for how, pair in streams.items():
        client.wait(*pair, timeout=20)
        for stream in pair:
            assert outcome(stream) in (None, 502, 503, 504), (how, stream)
    assert not client.goaways


# -- TLS --------------------------------------------------------------------------------------------


def tls_client(server):
    client = open_client(server, "tls")
    client.wait_settings()
    return client


def send_on_the_wire(client, data):
    """Bytes that are not what the client's TLS makes."""
    client.ping()
    client.wire.sock.setblocking(True)
    client.wire.sock.sendall(data)
    client.wire.sock.setblocking(False)


def test_a_corrupt_record_ends_its_connection_and_no_other(faulty, counter):
    other, client = tls_client(faulty), tls_client(faulty)
    running_ = other.request("POST", "/h2test/echo?tag=%s" % counter, end=False)
    mine = client.request("POST", "/h2test/read?tag=%s" % counter, end=False)
    client.send_data(mine, pattern(100))
    wait_until(lambda: counter.running == 2 and counter.bytes_read == 100, "the handlers")
    send_on_the_wire(client, b"\x17\x03\x03\x00\x40" + bytes(64))
    wait_until(lambda: counter.running == 1, "the handler to end", timeout=5)
    with contextlib.suppress(ssl.SSLError):
        client.wait_closed(timeout=5)
    other.send_data(running_, pattern(1000), end=True)
    assert other.wait(running_).body == pattern(1000)


@pytest.mark.parametrize("how", ["end", "reset"])
def test_a_client_that_leaves_in_the_middle_of_a_record_ends_its_requests(faulty, counter, how):
    client = tls_client(faulty)
    upload = client.request("POST", "/h2test/read?tag=%s" % counter, end=False)
    client.send_data(upload, pattern(100))
    wait_until(lambda: counter.bytes_read == 100, "the handler")
    send_on_the_wire(client, b"\x17\x03\x03\x04\x00" + bytes(100))
    if how == "reset":
        client.wire.abort()
    else:
        client.wire.sock.shutdown(socket.SHUT_WR)
    wait_until(lambda: counter.running == 0, "the handler to end", timeout=5)


def test_a_client_that_says_close_notify_and_nothing_more_is_closed(faulty, counter):
    client = tls_client(faulty)
    done = client.get("/files/1000.bin")
    upload = client.request("POST", "/h2test/read?tag=%s" % counter, end=False)
    client.send_data(upload, pattern(100))
    wait_until(lambda: counter.bytes_read == 100, "the handler")
    client.ping()
    with contextlib.suppress(ssl.SSLError):
        client.wire.ssl.unwrap()
    client.wire.sock.setblocking(True)
    client.wire.sock.sendall(client.wire._outgoing.read())
    client.wire.sock.settimeout(8 * env.SLOWER)
    while client.wire.sock.recv(65536):
        pass
    wait_until(lambda: counter.running == 0, "the handler to end", timeout=5)
    assert done.complete


# -- a child that dies ------------------------------------------------------------------------------


def pid_of(client):
    text = client.get("/h2test/info").text
    return int(text.split("pid=")[1].split()[0])


def test_a_handler_that_crashes_costs_its_child_alone(new_server, mpm, transport, counter):
    options = dict(servers=2, server_limit=4, threads=8, max_workers=16, is_stable=False)
    with running(new_server("crash", mpm, **options)) as server:
        victim = open_client(server, transport)
        pid = pid_of(victim)
        other = None
        others = []
        while other is None:
            assert len(others) < 100, "all in one child"
            others.append(open_client(server, transport))
            other = others[-1] if pid_of(others[-1]) != pid else None
        upload = other.request("POST", "/h2test/echo?tag=%s" % counter, end=False)
        other.send_data(upload, pattern(1000))
        wait_until(lambda: counter.bytes_read == 1000, "the upload")
        path = "/h2test/write?n=1000&tag=%s" % counter
        answered = [victim.fetch("GET", path) for _ in range(20)]
        lost = [victim.request("GET", "/h2test/crash")]
        victim.wait_closed(timeout=10)
        assert all(s.complete for s in answered) and not lost[0].done
        more = [other.request("GET", path) for _ in range(50)]
        other.send_data(upload, pattern(9000, 1000), end=True)
        other.wait(upload, *more)
        assert upload.body == pattern(10000) and all(s.complete for s in more)
        wait_until(lambda: pid not in server.children() and len(server.children()) >= 2,
                   "another child")
        for _ in range(10):
            client = open_client(server, transport)
            more.append(client.get(path))
            assert more[-1].complete and pid_of(client) != pid
        assert counter.finished == len(answered) + len(more) + 1    # each of them once
        problems = server.health_problems()
        assert len(problems) == 1 and "exit signal" in problems[0], problems

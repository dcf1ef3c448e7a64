# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Restarts and stops: GOAWAY in two steps, running requests finish, nothing announced is lost."""

import contextlib
import re
import time

import pytest

import environment as env
from conftest import open_client
from demosite import pattern
from environment import wait_until
from h2client import (ACK, INITIAL_WINDOW_SIZE, MAX_WINDOW, NO_ERROR, PING, REFUSED_STREAM,
                      WireClosed)
from servers import PLAIN

# One child at a time, with room for several that are about to end.
ONE_CHILD = dict(threads=16, servers=1, server_limit=20, max_workers=16, is_stable=False)


@pytest.fixture
def server(servers, mpm):
    """Restarted by several tests."""
    return servers.get("restarted", mpm, PLAIN, **ONE_CHILD)


@pytest.fixture
def stopped(servers, mpm, transport):
    """A server that its test stops, with a function that makes connections to it."""
    server = servers.add(servers.new("stopped", mpm, PLAIN, **ONE_CHILD).start())
    server.connect = lambda **options: open_client(server, transport, **options)
    yield server
    problems = servers.stop(keep=("main", "restarted", "short-lived"))
    assert not problems, "\n".join(problems)


@pytest.fixture
def connect(server, transport):
    return lambda **options: open_client(server, transport, **options)


def gate_request(client, counter):
    stream = client.request("GET", "/h2test/gate?n=1000&gate=%s&tag=%s" % (counter.gate(), counter))
    wait_until(lambda: counter.running >= 1, "the handler to run")
    return stream


# -- graceful restart -------------------------------------------------------------------------------


def test_an_idle_connection_gets_goaway_in_two_steps_at_a_graceful_restart(server, connect):
    client = connect()
    for _ in range(3):
        assert client.get("/files/1.bin").complete
    server.graceful()
    client.wait_closed(timeout=10)
    assert [f.error_code for f in client.goaways] == [NO_ERROR] * 2
    assert [f.last_stream_id for f in client.goaways] == [MAX_WINDOW, 5]


def test_what_is_on_its_way_for_longer_is_served_at_a_graceful_restart(server, connect):
    """The path of this client takes 600 ms: it knows of the end as late as that, and the answer to
    the PING that came with it is as late."""
    client = connect()
    client.ping()
    client.auto_ack = False
    server.graceful()
    client.wait_goaway(timeout=5)
    client.wait_for(lambda: [f for f in client.frames if f.type == PING and not f.flags & ACK], "PING")
    time.sleep(0.6)                   # longer than without such an answer's being waited for
    stream = client.request("GET", "/files/1000.bin")
    ping = [f for f in client.frames if f.type == PING and not f.flags & ACK][-1]
    client.send_frame(PING, ACK, 0, ping.payload)
    assert client.wait(stream).complete
    client.wait_closed(timeout=5)
    assert [f.last_stream_id for f in client.goaways] == [MAX_WINDOW, stream.id]


def test_who_does_not_answer_holds_up_a_graceful_restart_for_two_seconds_at_most(server, connect):
    client = connect()
    client.ping()
    client.auto_ack = False
    server.graceful()
    client.wait_goaway(timeout=5)
    started = time.monotonic()
    client.wait_closed(timeout=10)
    assert 1.5 <= time.monotonic() - started <= 2 + 3 * env.SLOWER
    assert [f.last_stream_id for f in client.goaways] == [MAX_WINDOW, 0]


def test_a_new_connection_is_served_by_the_new_generation(server, connect, counter):
    old = connect()
    running = gate_request(old, counter)
    pids = server.children()
    server.graceful()

    def served_by():
        r = connect().get("/h2test/info")
        assert r.complete
        return int(re.search(r"pid=(\d+)", r.text).group(1))
    # the old child may have taken one from the queue at the last moment
    wait_until(lambda: served_by() not in pids, "the new generation")
    assert not running.done
    counter.open()
    assert old.wait(running).complete


def test_a_running_request_finishes_at_a_graceful_restart(server, connect, counter):
    client = connect()
    stream = gate_request(client, counter)
    server.graceful()
    client.wait_goaway(timeout=5)
    assert not stream.done
    counter.open()
    r = client.wait(stream)
    assert r.status == 200 and r.complete and r.body == pattern(1000)
    client.wait_closed(timeout=5)
    assert client.goaways[-1].last_stream_id == stream.id
    assert all(f.error_code == NO_ERROR for f in client.goaways)


def test_a_request_sent_after_the_first_goaway_is_answered(server, connect, counter):
    """The first GOAWAY only warns: it names the highest possible stream."""
    client = connect()
    stream = gate_request(client, counter)
    server.graceful()
    first = client.wait_goaway(timeout=5)
    assert first.last_stream_id == MAX_WINDOW
    late = client.request("GET", "/files/1000.bin")
    client.wait_goaway(count=2, timeout=5)
    counter.open()
    client.wait(stream)
    assert stream.complete
    if late.id <= client.goaways[-1].last_stream_id:
        assert client.wait(late).complete


def test_a_download_finishes_at_a_graceful_restart(server, connect):
    client = connect(auto_window=False)
    stream = client.request("GET", "/files/1048576.bin")
    client.wait_bytes(stream, 65535)
    server.graceful()
    client.wait_goaway(timeout=5)
    client.auto_window = True
    client.send_window_update(0, 1 << 20)
    client.send_window_update(stream.id, 1 << 20)
    assert client.wait(stream).complete and stream.body == pattern(1 << 20)
    client.wait_closed(timeout=5)


def test_an_upload_finishes_at_a_graceful_restart(server, connect, counter):
    client = connect()
    stream = client.request("POST", "/h2test/echo?tag=%s" % counter, end=False)
    client.send_data(stream, pattern(1000))
    wait_until(lambda: counter.bytes_read == 1000, "the handler to read")
    server.graceful()
    client.wait_goaway(timeout=5)
    client.send_data(stream, pattern(300000 - 1000, 1000), end=True)
    assert client.wait(stream).complete and stream.body == pattern(300000)
    client.wait_closed(timeout=5)


def keep_asking(client, until, path="/h2test/write?n=100"):
    """Keeps some requests open until `until()` holds or the connection ends; all of them."""
    streams, running = [], []
    end = time.monotonic() + 15 * env.SLOWER
    try:
        while not until() and not client.closed:
            assert time.monotonic() < end, "still asking; " + client.tail()
            running = [s for s in running if not s.done]
            while len(running) < 10:
                running.append(client.request("GET", path))
                streams.append(running[-1])
            client.wait_for(lambda: any(s.done for s in running) or until(), "an answer")
    except WireClosed:
        pass
    return streams


def assert_nothing_is_lost(client, streams):
    """Each request up to the last announced stream is answered, each one above was not run."""
    last = client.goaways[-1].last_stream_id
    lost = [s for s in streams if s.id <= last and not s.complete]
    assert not lost, "announced %d, lost %r" % (last, lost[:5])
    assert all(s.status is None and s.reset in (None, REFUSED_STREAM)
               for s in streams if s.id > last)


def test_nothing_is_lost_under_load_at_a_graceful_restart(server, connect, counter):
    client = connect()
    path = "/h2test/write?n=100&tag=%s" % counter
    streams = keep_asking(client, lambda: counter.finished > 50, path)
    server.graceful()
    streams += keep_asking(client, lambda: len(client.goaways) >= 2, path)
    client.wait_closed(timeout=10)
    assert client.goaways
    assert_nothing_is_lost(client, streams)
    assert counter.started == sum(s.complete for s in streams)


def test_nothing_is_lost_on_many_connections_at_a_graceful_restart(server, connect):
    clients = [connect() for _ in range(8)]
    for client in clients:
        client.wait_settings()
    streams = {c: [c.request("GET", "/files/65537.bin") for _ in range(30)] for c in clients}
    server.graceful()
    for client in clients:
        client.wait_closed(timeout=20)
        assert client.goaways
        assert_nothing_is_lost(client, streams[client])


def test_the_old_child_ends_after_its_last_connection(server, connect, counter):
    client = connect()
    old = server.children()
    stream = gate_request(client, counter)
    server.graceful()
    assert set(old) <= set(server.children())
    counter.open()
    client.wait(stream)
    client.wait_closed(timeout=10)
    wait_until(lambda: not set(old) & set(server.children()), "the old child to end", timeout=15)


def test_an_idle_old_child_ends_soon(server, connect):
    client = connect()
    client.get("/files/1.bin")
    old = server.children()
    server.graceful()
    wait_until(lambda: not set(old) & set(server.children()), "the old child to end", timeout=10)


# -- graceful stop ----------------------------------------------------------------------------------


def test_graceful_stop_waits_for_running_requests_and_ends(stopped, counter):
    client, idle = stopped.connect(), stopped.connect()
    idle.get("/files/1.bin")
    stream = gate_request(client, counter)
    stopped.graceful_stop()
    idle.wait_closed(timeout=10)
    assert idle.goaways and idle.goaways[-1].last_stream_id == 1
    client.wait_goaway(timeout=5)
    assert stopped.process.poll() is None and not stream.done
    counter.open()
    assert client.wait(stream).complete and stream.body == pattern(1000)
    client.wait_closed(timeout=5)
    wait_until(lambda: stopped.process.poll() is not None, "httpd to end", timeout=15)


def test_graceful_stop_of_an_idle_server_is_quick(stopped):
    stopped.connect().get("/files/1.bin")
    stopped.graceful_stop()
    wait_until(lambda: stopped.process.poll() is not None, "httpd to end", timeout=10)


# -- stop -------------------------------------------------------------------------------------------


def test_stop_ends_within_seconds_whatever_the_connections_do(stopped, counter):
    clients = [stopped.connect(auto_window=False) for _ in range(6)]
    clients[0].get("/files/1.bin")                                        # idle
    clients[1].wait_bytes(clients[1].request("GET", "/files/big.bin"), 65535)
    clients[2].request("GET", "/h2test/endless?tag=%s" % counter)
    clients[3].request("POST", "/h2test/read?tag=%s" % counter, end=False)
    clients[4].request("GET", "/cgi/large?10000000")
    clients[5].send_raw(b"\0")
    wait_until(lambda: counter.running == 2, "the handlers")
    seconds = stopped.stop()
    assert seconds < 8 * env.SLOWER
    for client in clients:
        client.wait_closed(timeout=5)


def test_stop_ends_soon_after_the_last_handler_that_sleeps(stopped, counter):
    """Nobody can wake it; httpd would kill a child with one that sleeps longer."""
    client = stopped.connect()
    client.request("GET", "/h2test/gate?max=3000&gate=%s&tag=%s" % (counter.gate(), counter))
    wait_until(lambda: counter.running == 1, "the handler")
    assert stopped.stop() < 8 * env.SLOWER


def test_stop_does_not_wait_for_a_handler_that_does_not_end(stopped, counter):
    """Nor for what httpd does at the end of one: mod_cgid may look for its daemon for long."""
    client = stopped.connect()
    client.request("GET", "/h2test/gate?max=60000&gate=%s&tag=%s" % (counter.gate(), counter))
    wait_until(lambda: counter.running == 1, "the handler")
    assert stopped.stop() < 8 * env.SLOWER


def test_a_restart_serves_again_at_once(server, connect):
    connect().get("/files/1.bin")
    count = server.errors().count("resuming normal operations")
    server.process.send_signal(1)
    wait_until(lambda: server.errors().count("resuming normal operations") > count, "the restart",
               timeout=15)
    assert connect().get("/files/1.bin").complete


# -- MaxConnectionsPerChild -------------------------------------------------------------------------


EVENT_ONLY = pytest.mark.parametrize("mpm", ["event"])  # worker counts a connection when it ends


@pytest.fixture
def short_lived(servers, mpm):
    """A server whose children end after 3 connections, and may so at any time."""
    return servers.get("short-lived", mpm, PLAIN, max_connections=3, **ONE_CHILD)


def test_a_child_that_has_served_its_connections_loses_no_request(short_lived, transport):
    complete = 0
    for _ in range(12):
        client = open_client(short_lived, transport)
        streams = [client.request("GET", "/files/65537.bin") for _ in range(10)]
        try:
            client.wait(*streams)
        except WireClosed:
            assert client.goaways, "closed without GOAWAY"
            assert_nothing_is_lost(client, streams)
        complete += sum(s.complete for s in streams)
        client.close()
    # a connection that arrives as the last one of a child is served all the same
    assert complete >= 100


def use_up(server, transport, client):
    """Connections that come and go until `client` is told that its child must end. The event MPM
    counts them when they come, the worker MPM when they have gone and another one comes."""
    for _ in range(20):
        # nobody may be there to accept or to answer it any more
        with contextlib.suppress(AssertionError, OSError):
            with contextlib.closing(open_client(server, transport, timeout=2)) as other:
                other.get("/files/1.bin", timeout=0.5)
        with contextlib.suppress(AssertionError):
            client.wait_goaway(timeout=0.1)
            return


def test_a_running_request_finishes_when_its_child_must_end(short_lived, transport, counter):
    client = open_client(short_lived, transport)
    stream = gate_request(client, counter)
    use_up(short_lived, transport, client)
    client.wait_goaway(timeout=10)
    assert not stream.done
    counter.open()
    assert client.wait(stream).complete and stream.body == pattern(1000)
    client.wait_closed(timeout=5)


def test_an_idle_connection_gets_goaway_when_its_child_must_end(short_lived, transport):
    client = open_client(short_lived, transport)
    assert client.get("/files/1.bin").complete
    use_up(short_lived, transport, client)
    client.wait_closed(timeout=10)
    assert client.goaways and client.goaways[-1].error_code == NO_ERROR
    assert client.goaways[-1].last_stream_id == 1


def test_nothing_is_lost_under_load_when_its_child_must_end(short_lived, transport):
    client = open_client(short_lived, transport)
    streams = keep_asking(client, lambda: len(client.streams) > 20)
    use_up(short_lived, transport, client)
    streams += keep_asking(client, lambda: len(client.goaways) >= 2)
    client.wait_closed(timeout=10)
    assert client.goaways
    assert_nothing_is_lost(client, streams)


def test_a_blocked_download_survives_the_end_of_its_childs_life(short_lived, transport):
    client = open_client(short_lived, transport, settings={INITIAL_WINDOW_SIZE: 1000},
                         auto_window=False)
    stream = client.request("GET", "/files/65537.bin")
    client.wait_bytes(stream, 1000)
    use_up(short_lived, transport, client)
    client.wait_goaway(timeout=10)
    client.send_window_update(0, 70000)
    client.send_window_update(stream.id, 70000)
    assert client.wait(stream).complete and stream.body == pattern(65537)
    client.wait_closed(timeout=5)

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""The prefork MPM: one thread for everything, one request after another."""

import pytest

from conftest import open_client
from demosite import pattern
from environment import wait_until
from h1client import Http1
from h2client import (ENABLE_CONNECT_PROTOCOL, INITIAL_WINDOW_SIZE, MAX_WINDOW, NO_ERROR,
                      PROTOCOL_ERROR, wait_all)
from servers import MAIN, PLAIN

PORTS = ("tls", "clear", "plain", "banner", "nodirect")


@pytest.fixture
def mpm():
    return "prefork"


@pytest.fixture
def httpd(servers):
    return servers.get("prefork", "prefork", MAIN, servers=6, ports=PORTS, cgi="cgi")


def test_a_warning_says_what_it_means(httpd):
    assert "the MPM has no threads: each child serves one HTTP/2 connection" in httpd.errors()


@pytest.mark.parametrize("path, status", [
    ("/text.txt", 200), ("/files/1048576.bin", 200), ("/cgi/env", 200), ("/missing", 404),
    ("/proxy/size/1000", 200), ("/ssi/page.shtml", 200), ("/listing/", 200), ("/deflate/text.txt", 200),
    ("/htaccess/internal", 200), ("/h2test/write?n=5000&flush=1", 200), ("/h2test/subrequest", 200)])
def test_requests_are_served(h2, path, status):
    stream = h2.get(path)
    assert stream.status == status and stream.complete


def test_http_1_1_is_served_beside_it(httpd):
    with Http1(httpd.address("plain")) as client:
        assert client.get("/text.txt").status == 200


def test_many_requests_at_once_are_all_answered(h2):
    streams = [h2.request("GET", "/files/%d.bin" % n) for n in (1, 1000, 65537) for _ in range(30)]
    h2.wait(*streams)
    assert all(s.complete and s.body == pattern(s.received) for s in streams)


def test_one_runs_after_another(h2, counter):
    streams = [h2.request("GET", "/h2test/sleep?ms=20&tag=%s" % counter) for _ in range(10)]
    h2.wait(*streams)
    assert all(s.complete for s in streams) and counter.running_max == 1


# mod_cgi reads nothing of a script before it has written all of the body to it.
@pytest.mark.parametrize("path, size", [(path, size) for size in (0, 1000, 300000)
                                        for path in ("/h2test/echo", "/cgi/cat", "/proxy/echo")
                                        if path != "/cgi/cat" or size < 65536])
def test_bodies_go_both_ways(h2, path, size):
    stream = h2.fetch("POST", path, body=pattern(size))
    assert stream.complete and stream.body == pattern(size)


def test_a_body_may_come_late(h2, counter):
    stream = h2.request("POST", "/h2test/read?tag=%s" % counter, end=False)
    wait_until(lambda: counter.running == 1, "the handler")
    h2.ping()       # answered while the handler waits
    other = h2.request("GET", "/text.txt")
    h2.send_data(stream, b"late", end=True)
    assert h2.wait(stream).text == "read 4\n"
    assert h2.wait(other).complete


def test_a_body_in_pieces_reaches_a_back_end_of_http_2(servers, transport):
    """mod_proxy_http2 asks for more again and again, and never waits for it."""
    back = servers.main("event").ports["clear"]
    config = PLAIN + "ProxyPass /back/ h2c://127.0.0.1:%d/\n" % back
    client = open_client(servers.get("prefork-back", "prefork", config, servers=3, cgi="cgi",
                                     modules=["proxy_http2"]), transport)
    stream = client.request("POST", "/back/h2test/echo?flush=1", end=False)
    for i in range(1, 6):
        client.send_data(stream, b"12345")
        client.wait_bytes(stream, 5 * i)
    client.send_data(stream, b"", end=True)
    assert client.wait(stream).complete and stream.body == b"12345" * 5


def test_a_slow_reader_gets_all_of_a_generated_response(httpd, transport):
    client = open_client(httpd, transport, settings={INITIAL_WINDOW_SIZE: 1000},
                         auto_window=False)
    stream = client.request("GET", "/h2test/write?n=300000")
    client.wait_bytes(stream, 1000)
    client.ping()
    client.send_window_update(0, MAX_WINDOW - 65535)
    while not stream.done:
        client.send_window_update(stream.id, 50000)
        client.wait_for(lambda: stream.done or stream.received % 50000 == 1000, "more")
    assert stream.complete and stream.body == pattern(300000)


def test_a_reset_ends_a_request_that_waits(h2, counter):
    stream = h2.request("POST", "/h2test/read?tag=%s" % counter, end=False)
    wait_until(lambda: counter.running == 1, "the handler")
    h2.send_reset(stream)
    wait_until(lambda: counter.running == 0, "the handler to end")
    assert h2.get("/text.txt").complete


def test_a_client_that_goes_away_frees_its_child(httpd, transport, counter):
    client = open_client(httpd, transport)
    client.request("POST", "/h2test/read?tag=%s" % counter, end=False)
    wait_until(lambda: counter.running == 1, "the handler")
    client.abort()
    wait_until(lambda: counter.running == 0, "the handler to end")


def test_pushes_work(servers, transport):
    config = PLAIN + '<Location /text.txt>\nHeader add Link "</files/1.bin>; rel=preload"\n</Location>\n'
    client = open_client(servers.get("prefork-push", "prefork", config, servers=3, cgi="cgi"),
                         transport)
    assert client.get("/text.txt").complete
    client.wait(*client.pushed)
    assert [s.path for s in client.pushed] == ["/files/1.bin"]


def test_each_connection_has_a_child(httpd, transport):
    clients = [open_client(httpd, transport) for _ in range(4)]
    streams = [client.request("GET", "/text.txt") for client in clients]
    wait_all(clients, lambda client: client.streams[1].done, "the responses")
    assert all(s.complete for s in streams)


def test_a_stream_that_waits_too_long_is_ended(servers, transport):
    config = "H2StreamTimeout 1\n" + PLAIN
    client = open_client(servers.get("prefork-timeout", "prefork", config, servers=3, cgi="cgi"),
                         transport)
    stream = client.request("POST", "/h2test/read", end=False)
    client.wait(stream, timeout=5)
    assert stream.status == 408 or stream.reset is not None
    assert client.get("/text.txt").complete


def test_an_idle_connection_is_closed_after_keep_alive_timeout(servers, transport):
    config = "KeepAliveTimeout 1\n" + PLAIN
    client = open_client(servers.get("prefork-idle", "prefork", config, servers=3, cgi="cgi"),
                         transport)
    client.get("/text.txt")
    client.wait_closed(timeout=5)
    assert client.goaways[-1].error_code == NO_ERROR


@pytest.fixture
def stoppable(servers):
    server = servers.get("prefork-stop", "prefork", PLAIN, servers=4, cgi="cgi", is_stable=False)
    yield server
    servers.stop(keep=("prefork",))


def test_a_graceful_restart_lets_requests_finish(stoppable, transport, counter):
    client = open_client(stoppable, transport)
    stream = client.request("GET", "/h2test/gate?n=1000&gate=%s&tag=%s" % (counter.gate(), counter))
    wait_until(lambda: counter.running == 1, "the handler")
    stoppable.graceful()
    counter.open()
    assert client.wait(stream).complete and stream.received == 1000
    client.wait_closed(timeout=10)
    assert client.goaways[-1].error_code == NO_ERROR
    assert open_client(stoppable, transport).get("/text.txt").complete


def test_stop_ends_at_once(stoppable, transport, counter):
    client = open_client(stoppable, transport)
    client.request("POST", "/h2test/read?tag=%s" % counter, end=False)
    wait_until(lambda: counter.running == 1, "the handler")
    assert stoppable.stop() < 8


@pytest.mark.parametrize("transport", ["tls", "clear"])
def test_there_are_no_websockets(servers, transport):
    """The one thread would poll for them and could not read what comes."""
    server = servers.get("sockets", "prefork", PLAIN + "H2WebSockets on\n", servers=3, cgi="cgi")
    assert "H2WebSockets has no effect: the MPM has no threads" in server.errors()
    client = open_client(server, transport)
    assert ENABLE_CONNECT_PROTOCOL not in client.wait_settings()
    stream = client.extended_connect("/ws")
    assert client.wait_reset(stream).reset == PROTOCOL_ERROR
    assert client.get("/text.txt").complete

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""WebSockets over HTTP/2 (RFC 8441): extended CONNECT, mod_proxy's tunnels, a real server behind
them, Chromium before them; how they end, and what they leave for others."""

import base64
import hashlib
import json
import os
import select
import socket
import struct
import threading
import time
from types import SimpleNamespace

import pytest

import environment as env
from conftest import open_client
from demosite import pattern
from environment import wait_until
from h1client import Http1
from h2client import (CANCEL, DATA, ENABLE_CONNECT_PROTOCOL, INITIAL_WINDOW_SIZE,
                      NO_ERROR, PRIORITY_UPDATE, PROTOCOL_ERROR, Tls)
from servers import SITE, VHOSTS
from test_clients import load_page, tool
from websocket import VERSION, Backend, RawBackend, WebSocket, accept_of, switch

MAX_WORKERS = 16        # half of it is a connection's share, of which sockets get three quarters:
OF_CONNECTION, OF_CHILD = 6, 12
TIMEOUT = 20
KEY = "dGhlIHNhbXBsZSBub25jZQ=="

PROXY = """
ProxyPass /ws/ http://127.0.0.1:{ws}/ upgrade=websocket retry=0
ProxyPass /wstunnel/ ws://127.0.0.1:{ws}/ retry=0
<Location /own/>
    ProxyWebsocketFallbackToProxyHttp off
    ProxyPass ws://127.0.0.1:{ws}/ retry=0
</Location>
<Location /raw-own/>
    ProxyWebsocketFallbackToProxyHttp off
    ProxyPass ws://127.0.0.1:{raw}/ retry=0
</Location>
ProxyPass /raw/ http://127.0.0.1:{raw}/ upgrade=websocket retry=0
RewriteOptions InheritDown
RewriteCond %{HTTP:Upgrade} =websocket [NC]
RewriteRule "^/rewritten/(.*)" "ws://127.0.0.1:{ws}/$1" [P]
ProxyPass /none/ http://127.0.0.1:1/ upgrade=websocket retry=0
"""

CONFIG = SITE + PROXY + """
Timeout %d
KeepAliveTimeout 20
H2MaxWorkers %d
H2WebSockets on
Alias /page-of-sockets.html "{page}"
LogFormat "%%H %%{Upgrade}i %%{HTTP2}e %%{H2_STREAM_ID}e %%m %%>s %%U" sockets
CustomLog "{root}/sockets.log" sockets
""" % (TIMEOUT, MAX_WORKERS) + VHOSTS.replace("Protocols", "RewriteEngine on\n    Protocols") + """
<VirtualHost *:{port_tls}>
    ServerName off.test
    Protocols h2 http/1.1
    H2WebSockets off
    {tls}
</VirtualHost>
<VirtualHost *:{port_clear}>
    ServerName off.test
    Protocols h2c http/1.1
    H2WebSockets off
</VirtualHost>
<VirtualHost *:{port_tls}>
    ServerName serial.test
    Protocols h2 http/1.1
    H2SerializeHeaders on
    {tls}
</VirtualHost>
<VirtualHost *:{port_off}>
    ServerName off.test
    Protocols h2c http/1.1
    H2WebSockets off
</VirtualHost>
<VirtualHost *:{port_serial}>
    ServerName serial.test
    Protocols h2c http/1.1
    H2SerializeHeaders on
</VirtualHost>
"""

# The image comes when the fetch is there, and until then the page is not loaded.
PAGE = """<!doctype html><title>sockets</title><p id="out">waiting</p><img src="/raw/hold"><script>
const out = document.getElementById("out"), got = [];
const socket = new WebSocket("wss://" + location.host + "/ws/echo");
socket.binaryType = "arraybuffer";
socket.onopen = () => { socket.send("hello"); socket.send(new Uint8Array(100000).fill(7)); };
socket.onmessage = (event) => {
    got.push(typeof event.data === "string" ? event.data
             : "bytes:" + event.data.byteLength + ":" + new Uint8Array(event.data)[99999]);
    if (got.length == 2) { socket.close(4000, "enough"); }
};
socket.onclose = (event) => {
    got.push("closed:" + event.code + ":" + event.wasClean);
    out.textContent = got.join(" ");
    fetch("/raw/done");
};
socket.onerror = () => got.push("error");
</script>"""


# -- servers ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def backend():
    """python3-websockets."""
    backend = Backend()
    yield backend
    backend.close()


@pytest.fixture(scope="module")
def raw():
    """A back end that behaves as a test says: `raw.serve = f(sock, fields, path)`."""
    raw = SimpleNamespace(serve=None)
    server = RawBackend(lambda *args: raw.serve(*args))
    raw.port = server.port
    yield raw
    server.close()


@pytest.fixture(scope="module")
def start(servers, backend, raw, tmp_path_factory):
    """Starts a server with these back ends: start(name, mpm, config, **settings)."""
    page = env.scratch_dir() / "page-of-sockets.html"
    page.write_text(PAGE)

    def start(name, mpm, config, **settings):
        for key, value in (("ws", backend.port), ("raw", raw.port), ("page", page)):
            config = config.replace("{%s}" % key, str(value))
        modules = ["proxy_wstunnel", *settings.pop("modules", ())]
        return servers.get(name, mpm, config, modules=modules, **settings)
    return start


@pytest.fixture
def httpd(start, mpm):
    return start("sockets", mpm, CONFIG, ports=("tls", "clear", "off", "serial"), threads=48)


@pytest.fixture
def ws(h2):
    return WebSocket(h2, "/ws/echo")


def sockets_log(httpd):
    path = httpd.root / "sockets.log"
    return path.read_text().splitlines() if path.exists() else []


def wait_gone(backend, timeout=10):
    wait_until(lambda: not backend.open, "the back end's sockets to be closed", timeout)


# -- settings ---------------------------------------------------------------------------------------


def connect_to(httpd, transport, name):
    """A connection to the vhost off.test or serial.test."""
    if transport == "tls":
        return open_client(httpd, "tls", sni=name)
    return open_client(httpd, "clear", port=name.split(".")[0], sni=name)


def test_extended_connect_is_announced_where_websockets_are_on(httpd, transport, h2):
    assert h2.wait_settings()[ENABLE_CONNECT_PROTOCOL] == 1
    assert ENABLE_CONNECT_PROTOCOL not in connect_to(httpd, transport, "off.test").wait_settings()


def test_an_extended_connect_is_reset_where_they_are_off(httpd, transport):
    client = connect_to(httpd, transport, "off.test")
    client.wait_settings()
    stream = client.extended_connect("/ws/echo")
    assert client.wait_reset(stream).reset == PROTOCOL_ERROR and stream.status is None
    assert client.get("/text.txt").complete


def test_another_vhosts_off_holds_on_a_connection_that_has_them(h2, ws):
    stream = h2.extended_connect("/ws/echo", authority="off.test")
    h2.wait(stream)
    assert stream.status == 501 and not stream.reset
    assert ws.ask("still here") == "still here"


# -- the opening handshake --------------------------------------------------------------------------


@pytest.fixture(params=["/ws/", "/wstunnel/", "/rewritten/", "/own/"])
def tunnel(request):
    """mod_proxy_http's tunnel, mod_proxy_wstunnel's by it, asked for by mod_rewrite, and
    mod_proxy_wstunnel's own one."""
    return request.param


def fields_at_back_end(ws):
    return {name.lower(): value for name, value in json.loads(ws.receive())}


def test_the_back_end_sees_the_handshake_of_http_1_1(h2, tunnel):
    ws = WebSocket(h2, tunnel + "fields", [
        VERSION, ("origin", "https://a.test"), ("cookie", "a=1"), ("cookie", "b=2"),
        ("user-agent", "test"), ("content-length", "0")])
    fields = fields_at_back_end(ws)
    assert fields["upgrade"].lower() == "websocket" and fields["connection"] == "Upgrade"
    assert len(base64.b64decode(fields["sec-websocket-key"], validate=True)) == 16
    assert fields["sec-websocket-version"] == "13" and fields["origin"] == "https://a.test"
    assert fields["cookie"] == "a=1; b=2" and fields["user-agent"] == "test"
    assert not {"content-length", "transfer-encoding", "expect"} & set(fields)


def test_each_socket_has_a_key_of_its_own_unless_the_client_has_one(h2):
    keys = [fields_at_back_end(WebSocket(h2, "/ws/fields", [VERSION, *extra]))["sec-websocket-key"]
            for extra in ([], [], [("sec-websocket-key", KEY)])]
    assert len(set(keys)) == 3 and keys[2] == KEY


def test_the_client_sees_200_and_no_fields_of_http_1_1(h2, tunnel):
    ws = WebSocket(h2, tunnel + "echo", [VERSION, ("sec-websocket-protocol", "chat.v1, chat.v2")])
    fields = ws.stream.headers
    assert fields["sec-websocket-protocol"] == "chat.v2" and "websockets" in fields["server"]
    assert not {"upgrade", "connection", "sec-websocket-accept", "content-length",
                "transfer-encoding"} & set(fields)
    assert not ws.stream.interim and ws.ask("hello") == "hello"


def test_extensions_pass(h2, raw):
    seen = []

    def serve(sock, fields, path):
        seen.append(fields["sec-websocket-extensions"])
        switch(sock, fields, extra="Sec-WebSocket-Extensions: permessage-deflate\r\n")
        sock.recv(1)
    raw.serve = serve
    stream = WebSocket(h2, "/raw/", [("sec-websocket-extensions", "permessage-deflate; x=1")]).stream
    assert stream.headers["sec-websocket-extensions"] == "permessage-deflate"
    assert seen == ["permessage-deflate; x=1"]


@pytest.mark.parametrize("update", [False, True])
def test_messages_do_not_wait_for_a_download(httpd, transport, update):
    """Of a client with priorities; responses of the download's kind go one after another."""
    client = open_client(httpd, transport, receive_buffer=4096, window=1 << 30,
                         settings={INITIAL_WINDOW_SIZE: 1 << 30})
    large = client.request("GET", "/files/big.bin", [("priority", "u=3")], keep_body=False)
    client.wait_bytes(large, 1 << 20)
    ws = WebSocket(client, "/ws/echo")
    if update:
        client.send_frame(PRIORITY_UPDATE, 0, 0, struct.pack(">I", ws.stream.id) + b"u=3, i=?0")
    before = large.received
    assert ws.ask("in between") == "in between"
    assert large.received - before < 4 << 20 and not large.done


@pytest.mark.parametrize("accept", ["", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="])
def test_a_back_end_that_does_not_answer_our_key_is_a_bad_gateway(httpd, h2, raw, accept):
    def serve(sock, fields, path):
        switch(sock, fields, accept, extra="X-Raw: yes\r\n")
        sock.sendall(b"\x81\x02no")
        while sock.recv(1000):
            pass
    raw.serve = serve
    stream = h2.extended_connect("/raw/", [("x-id", "wrong-key-%s" % accept[:1])])
    assert h2.wait(stream).status == 502 and stream.ended and not stream.received
    assert "x-raw" not in stream.headers
    wait_until(lambda: httpd.access_lines("wrong-key-%s" % accept[:1]), "the log")
    assert " 502 HTTP/2.0 " in httpd.access_lines("wrong-key-%s" % accept[:1])[-1]


def test_the_answer_to_a_clients_own_key_is_the_clients_business(h2, raw):
    raw.serve = lambda sock, fields, path: (switch(sock, fields, "something"), sock.recv(1))
    ws = WebSocket(h2, "/raw/", [("sec-websocket-key", KEY)])
    assert ws.stream.status == 200


def test_bytes_behind_the_answer_are_the_sockets_first(h2, raw):
    """Both in one segment."""
    def serve(sock, fields, path):
        sock.sendall(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade"
                      "\r\nSec-WebSocket-Accept: %s\r\n\r\n" % accept_of(fields["sec-websocket-key"]))
                     .encode() + b"\x81\x05hello")
        sock.recv(1)
    raw.serve = serve
    assert WebSocket(h2, "/raw/").receive() == "hello"


@pytest.mark.parametrize("place", ["/raw/", "/raw-own/"])
def test_what_the_client_sends_before_the_answer_reaches_the_back_end_behind_it(h2, raw, place):
    gate, early = [], []

    def serve(sock, fields, path):
        wait_until(lambda: gate, "the client to have sent")
        early.extend(select.select([sock], [], [], 0.02)[0])
        switch(sock, fields)
        sock.sendall(b"\x82\x04" + sock.recv(4, socket.MSG_WAITALL))
    raw.serve = serve
    ws = WebSocket(h2, place, is_open=False)
    h2.send_data(ws.stream, b"soon")
    h2.ping()
    gate.append(1)
    assert ws.receive() == b"soon" and ws.stream.status == 200 and not early


def test_the_log_has_a_get_and_the_back_ends_101(httpd, h2):
    tag = "logged-%s-%d" % (h2.scheme, h2.wire.sock.getsockname()[1])
    ws = WebSocket(h2, "/ws/echo?query", [VERSION, ("x-id", tag)])
    assert ws.ask(bytes(5000)) == bytes(5000)
    ws.close(1000)
    h2.wait(ws.stream)
    h2.send_data(ws.stream, end=True)
    wait_until(lambda: httpd.access_lines(tag), "the log")
    _, bytes_in, bytes_out, _, _, status, protocol, *line = httpd.access_lines(tag)[0].split()
    assert (status, protocol, line) == ("101", "HTTP/2.0", ['"GET', "/ws/echo?query", 'HTTP/2.0"'])
    assert 5000 < int(bytes_in) < 5500 and 5000 < int(bytes_out) < 5500
    assert "HTTP/2.0 websocket on %d GET 101 /ws/echo" % ws.stream.id in sockets_log(httpd)


def test_httpd_may_read_the_handshake_itself(httpd, transport):
    client = connect_to(httpd, transport, "serial.test")
    fields = fields_at_back_end(WebSocket(client, "/ws/fields", [("content-length", "0"), VERSION]))
    assert len(fields["sec-websocket-key"]) == 24 and "content-length" not in fields
    assert WebSocket(client, "/ws/echo").ask("read") == "read"
    own = WebSocket(client, "/ws/fields", [("sec-websocket-key", KEY), VERSION])
    assert fields_at_back_end(own)["sec-websocket-key"] == KEY
    unknown = client.extended_connect("/ws/echo", protocol="connect-udp")
    assert client.wait(unknown).status == 501


# -- messages ---------------------------------------------------------------------------------------


def test_messages_go_both_ways(h2, tunnel):
    ws = WebSocket(h2, tunnel + "echo")
    for size in (0, 1, 125, 126, 8192, 16384, 65535, 65536, 200000):
        assert ws.ask(pattern(size)) == pattern(size)
    assert ws.ask("") == "" and ws.ask("hällo \U0001f600" * 1000) == "hällo \U0001f600" * 1000


def test_a_fragmented_message_arrives_whole(h2, ws):
    ws.protocol.send_text(b"one ", fin=False)
    ws.flush()
    ws.protocol.send_continuation(b"two ", fin=False)
    ws.ping(b"between")
    ws.protocol.send_continuation(b"three", fin=True)
    ws.flush()
    assert ws.receive() == "one two three" and ws.pongs == [b"between"]


def test_each_message_passes_at_once(ws):
    began = time.monotonic()
    for i in range(300):
        assert ws.ask("message %d" % i) == "message %d" % i
    # ten times what it takes; one wait of 40 ms for each would be far above
    assert time.monotonic() - began < 300 * 0.01 * env.SLOWER


def test_pings_and_pongs_go_both_ways(h2, ws):
    ws.ping(b"from the client")
    ws.wait(lambda: ws.pongs == [b"from the client"], "the pong")
    asked = WebSocket(h2, "/ws/ping?abc")
    assert asked.receive() == "pong" and asked.pings == [b"abc"]


SIZE = 16 << 20


@pytest.mark.parametrize("settings", [{}, {INITIAL_WINDOW_SIZE: 20000}], ids=["default", "small"])
def test_16_mib_come_in_one_message(connect, settings):
    client = connect(settings=settings)
    ws = WebSocket(client, "/ws/send?%d" % SIZE)
    assert ws.receive(timeout=30) == bytes(SIZE)


def test_16_mib_go_in_one_message(h2):
    ws = WebSocket(h2, "/ws/measure")
    data = os.urandom(1 << 20) * (SIZE >> 20)
    ws.protocol.send_binary(data)
    for part in ws.protocol.data_to_send():
        h2.send_data(ws.stream, part, timeout=30)
    assert ws.receive(timeout=30) == "%d %s" % (SIZE, hashlib.sha256(data).hexdigest())


def test_much_goes_both_ways_at_once(h2, ws):
    data = pattern(300000)
    for _ in range(10):
        ws.protocol.send_binary(data)
        ws.flush()              # takes in what comes meanwhile, and gives credit
    assert [ws.receive() for _ in range(10)] == [data] * 10


def test_a_tiny_window_lets_it_through_in_tiny_pieces(connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 0})
    client.auto_window = False
    ws = WebSocket(client, "/ws/echo")
    ws.send(b"0123456789")
    for count in range(12):         # two bytes of it are the frame's header
        client.send_window_update(ws.stream.id, 1)
        client.wait_bytes(ws.stream, count + 1)
    assert ws.receive() == b"0123456789"
    assert {f.length for f in client.received(DATA, ws.stream)} == {1}


def test_who_reads_nothing_may_still_send(connect, raw):
    """The two ways do not wait for each other, as with HTTP/1.1."""
    received, size = [], 3000000

    def serve(sock, fields, path):
        switch(sock, fields)
        writer = threading.Thread(target=lambda: sock.sendall(pattern(size)), daemon=True)
        writer.start()
        while data := sock.recv(65536):
            received.append(data)
        writer.join(10)
    raw.serve = serve
    client = connect(settings={INITIAL_WINDOW_SIZE: 30000})
    client.auto_window = False
    stream = WebSocket(client, "/raw/").stream
    client.wait_bytes(stream, 30000)
    for i in range(20):
        client.send_data(stream, pattern(10000))
        wait_until(lambda: sum(map(len, received)) == 10000 * (i + 1), "what was sent")
    assert stream.received == 30000
    client.auto_window = True
    client.send_window_update(stream.id, 30000)
    client.wait_bytes(stream, size)
    assert stream.body == pattern(size)
    client.send_data(stream, end=True)
    client.wait(stream)


# -- the end ----------------------------------------------------------------------------------------


def test_the_clients_code_reaches_the_back_end(h2, ws, backend):
    backend.codes.clear()
    ws.close(4001, "enough")
    ws.wait(lambda: ws.code == 4001, "the answer to Close")
    assert h2.wait(ws.stream).ended and not ws.stream.reset
    h2.send_data(ws.stream, end=True)
    wait_until(lambda: backend.codes == [4001], "the back end's end")
    assert h2.get("/text.txt").complete


def test_the_back_ends_code_reaches_the_client(h2, tunnel, backend):
    ws = WebSocket(h2, tunnel + "close?4002")
    ws.wait(lambda: ws.code == 4002, "Close")
    assert h2.wait(ws.stream).ended and ws.stream.reset in (None, NO_ERROR)
    h2.send_data(ws.stream, end=True)
    wait_gone(backend)


def test_a_back_end_that_goes_away_ends_the_stream(h2, raw):
    raw.serve = lambda sock, fields, path: switch(sock, fields)
    stream = WebSocket(h2, "/raw/").stream
    began = time.monotonic()
    assert h2.wait(stream).ended
    assert time.monotonic() - began < TIMEOUT / 4


def test_a_back_end_that_crashes_ends_the_stream(h2, raw):
    def serve(sock, fields, path):
        switch(sock, fields)
        sock.recv(1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    raw.serve = serve
    stream = WebSocket(h2, "/raw/").stream
    h2.send_data(stream, b"x" * 1000)
    assert h2.wait(stream).done


def test_the_back_end_may_end_its_side_first(h2, raw):
    """And still reads all that the client sends, also what comes together with its end."""
    received = []

    def serve(sock, fields, path):
        switch(sock, fields)
        sock.sendall(b"bye")
        sock.shutdown(socket.SHUT_WR)
        while data := sock.recv(65536):
            received.append(data)
        received.append(None)
    raw.serve = serve
    stream = WebSocket(h2, "/raw/").stream
    h2.wait_for(lambda: stream.ended, "END_STREAM")
    assert stream.body == b"bye" and stream.reset is None
    h2.send_data(stream, pattern(30000))
    h2.ping()
    assert stream.reset is None
    with h2.cork():
        h2.send_data(stream, pattern(30000), end=True)
    wait_until(lambda: received and received[-1] is None, "the client's end")
    assert b"".join(received[:-1]) == pattern(30000) * 2
    h2.ping()
    assert stream.reset is None and h2.get("/text.txt").complete


def test_the_client_may_end_its_side_first(h2, raw):
    def serve(sock, fields, path):
        switch(sock, fields)
        data = b""
        while part := sock.recv(65536):
            data += part
        sock.sendall(b"%d bytes" % len(data))
        time.sleep(0.05)        # two parts
        sock.sendall(b", then the end")
    raw.serve = serve
    stream = WebSocket(h2, "/raw/").stream
    h2.send_data(stream, pattern(50000), end=True)
    assert h2.wait(stream).body == b"50000 bytes, then the end" and stream.complete


@pytest.mark.parametrize("how", ["reset", "close", "abort"])
def test_the_back_end_learns_that_the_client_is_gone(h2, tunnel, backend, how):
    wait_gone(backend)
    ws = WebSocket(h2, tunnel + "echo")
    ws.ask("hello")
    assert len(backend.open) == 1
    if how == "reset":
        h2.send_reset(ws.stream, CANCEL)
    else:
        getattr(h2, how)()
    wait_gone(backend, timeout=TIMEOUT / 4)


def test_a_reset_before_the_back_end_has_answered_is_learned_after_it(h2, raw):
    began, ended, answer = [], [], []

    def serve(sock, fields, path):
        began.append(1)
        wait_until(lambda: answer, "the reset")
        switch(sock, fields)
        ended.append(sock.recv(1))
    raw.serve = serve
    ws = WebSocket(h2, "/raw/", is_open=False)
    wait_until(lambda: began, "the handshake")
    h2.send_reset(ws.stream, CANCEL)
    h2.ping()
    answer.append(1)
    wait_until(lambda: ended == [b""], "the back end's socket to be closed")


def test_a_client_that_reads_nothing_is_given_up(start, mpm, transport, backend):
    server = start("impatient", mpm, IMPATIENT)
    client = open_client(server, transport, settings={INITIAL_WINDOW_SIZE: 0})
    ws = WebSocket(client, "/shorter/send?1000000")
    assert client.wait_reset(ws.stream, timeout=8).reset == CANCEL
    wait_gone(backend, timeout=5)


def test_a_connection_that_reads_nothing_is_given_up(start, mpm, transport, backend):
    """Its tunnel is so as well, and what it has left in memory is gone with the connection."""
    server = start("impatient", mpm, IMPATIENT)
    client = open_client(server, transport, settings={INITIAL_WINDOW_SIZE: 0})
    WebSocket(client, "/ws/send?1000000")
    client.wait_closed(timeout=8)
    wait_gone(backend, timeout=5)


# -- time -------------------------------------------------------------------------------------------

IMPATIENT = SITE + PROXY + """
Timeout 1
KeepAliveTimeout 1
H2WebSockets on
ProxyPass /longer/ http://127.0.0.1:{ws}/ upgrade=websocket retry=0
<Location /longer/>
    H2StreamTimeout 3
</Location>
ProxyPass /shorter/ http://127.0.0.1:{ws}/ upgrade=websocket retry=0
<Location /shorter/>
    H2StreamTimeout 100ms
</Location>
ProxyPass /endless/ http://127.0.0.1:{ws}/ upgrade=websocket retry=0
<Location /endless/>
    H2StreamTimeout 0
</Location>
""" + VHOSTS

UPGRADE = (b"GET /ws/echo HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")


def test_an_idle_socket_lives_as_long_as_over_http_1_1_and_longer_where_that_is_said(start, backend):
    server = start("impatient", "event", IMPATIENT)
    wait_gone(backend)
    with Http1(server.address("clear")) as old:
        old.send(UPGRADE)
        old.read_until(b"\r\n\r\n")
        clients = [open_client(server, transport) for transport in ("tls", "clear")]
        began = time.monotonic()
        sockets = {name: [WebSocket(client, "/%s/echo" % name) for client in clients]
                   for name in ("ws", "shorter", "longer", "endless")}
        lived = {}
        for name in ("ws", "shorter", "longer"):
            for client, ws in zip(clients, sockets[name]):
                client.wait(ws.stream)
            lived[name] = time.monotonic() - began
            if name == "ws":
                old.read_to_end()
                lived["old"] = time.monotonic() - began
    assert 0.9 < lived["ws"] < 2.5 and 0.9 < lived["shorter"] < 2.5 and 0.9 < lived["old"] < 2.5
    assert 2.9 < lived["longer"] < 5
    assert all(ws.ask("still") == "still" for ws in sockets["endless"])
    for client in clients:
        client.close()
    wait_gone(backend)


def test_a_client_that_does_not_end_its_side_is_reset_in_time(start, mpm, transport, raw):
    server = start("impatient", mpm, IMPATIENT)
    client = open_client(server, transport)
    raw.serve = lambda sock, fields, path: switch(sock, fields)
    stream = WebSocket(client, "/raw/").stream
    client.wait_for(lambda: stream.ended, "END_STREAM", timeout=0.5)
    assert stream.reset is None
    assert client.wait_reset(stream, timeout=3).reset == NO_ERROR


def test_a_socket_with_an_occasional_message_lives_on(start):
    server = start("impatient", "event", IMPATIENT)
    ws = WebSocket(open_client(server), "/ws/echo")
    for _ in range(4):
        time.sleep(0.5)         # nothing passes meanwhile: how long it may be idle is what is tried
        assert ws.ask("there?") == "there?"


# -- what is no WebSocket ---------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["connect-udp", "h2c", "websocket2", "x" * 3000])
def test_an_unknown_protocol_is_not_implemented(h2, protocol):
    stream = h2.extended_connect("/ws/echo", protocol=protocol)
    assert h2.wait(stream).status == 501


def test_the_protocols_case_does_not_count(h2):
    assert WebSocket(h2, "/ws/echo", protocol="WebSocket").ask("hello") == "hello"


CONNECT, PROTOCOL = (":method", "CONNECT"), (":protocol", "websocket")
AUTHORITY, PATH = (":authority", "a.test"), (":path", "/ws/echo")


@pytest.mark.parametrize("fields", [
    [CONNECT, PROTOCOL, "scheme", AUTHORITY],
    [CONNECT, PROTOCOL, AUTHORITY, PATH],
    [CONNECT, PROTOCOL, "scheme", PATH],
    [CONNECT, PROTOCOL, "scheme", PATH, ("host", "a.test")],
    [CONNECT, PROTOCOL, AUTHORITY],
    [CONNECT, PROTOCOL],
    [PROTOCOL, "scheme", AUTHORITY, PATH],
    [CONNECT, PROTOCOL, PROTOCOL, "scheme", AUTHORITY, PATH],
    [CONNECT, PROTOCOL, PATH, "scheme", AUTHORITY, PATH],
    [(":method", "GET"), PROTOCOL, "scheme", AUTHORITY, PATH],
    [(":method", "POST"), PROTOCOL, "scheme", AUTHORITY, PATH],
    [CONNECT, "scheme", AUTHORITY, PATH],
    [CONNECT, (":protocol", ""), "scheme", AUTHORITY, PATH],
    [CONNECT, PROTOCOL, "scheme", AUTHORITY, (":path", "")],
    [CONNECT, PROTOCOL, "scheme", AUTHORITY, (":path", "*")],
    [CONNECT, PROTOCOL, "scheme", AUTHORITY, PATH, (":status", "200")],
    [CONNECT, "scheme", AUTHORITY, PATH, ("x", "y"), PROTOCOL],
    [CONNECT, PROTOCOL, "scheme", AUTHORITY, PATH, ("upgrade", "websocket")],
    [CONNECT, PROTOCOL, "scheme", AUTHORITY, PATH, ("connection", "upgrade")],
    [CONNECT, PROTOCOL, "scheme", AUTHORITY, PATH, ("transfer-encoding", "chunked")],
], ids=lambda fields: " ".join(f if isinstance(f, str) else f[0] for f in fields))
def test_a_malformed_handshake_is_reset(h2, fields):
    stream = h2.open()
    h2.send_headers(stream.id, [(":scheme", h2.scheme) if f == "scheme" else f for f in fields],
                    end=False)
    assert h2.wait_reset(stream).reset == PROTOCOL_ERROR and stream.status is None
    assert h2.get("/text.txt").complete


def test_a_protocol_in_trailers_is_an_error(h2):
    stream = h2.request("POST", "/h2test/echo", body=b"x", end=False)
    h2.send_headers(stream.id, [("x", "y"), PROTOCOL])
    assert h2.wait_reset(stream).reset == PROTOCOL_ERROR


@pytest.mark.parametrize("path, status", [
    ("/ws/refuse", 403), ("/wstunnel/refuse", 403), ("/own/refuse", 403),   # by the back end
    ("/none/echo", 503),                                # there is none: as over HTTP/1.1
    ("/no/such/place", 404),                            # by httpd
    ("/cgi/../../x", 400),
    ("/text.txt", 501), ("/h2test/write?n=10", 501), ("/cgi/env", 501),     # not for WebSockets
    ("/proxy/size/10", 501),
    ("/files", 301)])
def test_what_is_no_success_passes_as_it_is(h2, path, status):
    stream = h2.wait(h2.extended_connect(path, [VERSION]))
    assert stream.status == status and stream.complete
    if status == 403:
        assert stream.body == b"not today\n" and stream.headers["x-why"] == "closed"
    assert h2.get("/text.txt").complete


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno",
    b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
    b"no HTTP at all\r\n\r\n"])
def test_what_the_own_tunnel_of_mod_proxy_wstunnel_passes_unread_is_a_bad_gateway(h2, raw, answer):
    raw.serve = lambda sock, fields, path: sock.sendall(answer)
    stream = h2.extended_connect("/raw-own/", [VERSION])
    assert h2.wait(stream).status == 502 and stream.complete and not stream.received


def test_a_back_end_that_stays_after_an_answer_that_is_no_101_holds_nothing(h2, raw):
    left = []

    def serve(sock, fields, path):
        h2_has_asked.wait(10)       # mod_proxy has seen that the client has nothing to say
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")
        left.append(sock.recv(1))
    raw.serve = serve
    h2_has_asked = threading.Event()
    stream = h2.extended_connect("/raw-own/", [VERSION])
    h2.ping()
    h2_has_asked.set()
    assert h2.wait(stream, timeout=5).status == 502 and stream.complete
    wait_until(lambda: left == [b""], "the back end's connection to be closed")


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"


def test_a_back_end_that_refuses_gets_none_of_the_clients_bytes(h2, raw):
    """Neither those before its answer nor those behind it, on a connection that it keeps."""
    got = []

    def serve(sock, fields, path):
        wait_until(lambda: sent, "the client to have sent")
        sock.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")
        while data := sock.recv(1000):
            got.append(data)
        got.append(b"")
    raw.serve = serve
    sent = []
    stream = h2.extended_connect("/raw-own/", [VERSION])
    h2.send_data(stream, SMUGGLED)
    h2.ping()
    sent.append(1)
    assert h2.wait_head(stream).status == 403
    h2.send_data(stream, SMUGGLED, end=True)
    assert h2.wait(stream).body == b"no"
    wait_until(lambda: got and got[-1] == b"", "the back end's connection to be closed")
    assert got == [b""]


def test_an_error_page_of_a_place_without_websockets_is_no_success(start, mpm, transport):
    server = start("impatient", mpm, IMPATIENT)
    client = open_client(server, transport)
    stream = client.wait(client.extended_connect("/text.txt"))
    assert stream.status == 501 and b"501" in stream.body


ERROR_PAGES = SITE + PROXY + """
Timeout 20
H2MaxWorkers %d
H2WebSockets on
LimitRequestFields 20
ScriptAlias /pages/ "{pages}/"
ErrorDocument 400 /ws/echo
ErrorDocument 431 /ws/echo
ErrorDocument 501 /pages/nph-switch
ErrorDocument 503 /ws/echo
<Directory "{pages}">
    Require all granted
</Directory>
""" % MAX_WORKERS + VHOSTS + """
<VirtualHost *:{port_clear}>
    ServerName serial.test
    Protocols h2c http/1.1
    H2SerializeHeaders on
</VirtualHost>
"""
SWITCH = """#!/bin/sh
printf 'HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\nbytes'
"""


@pytest.fixture
def pages(start, mpm):
    """A server whose error pages come from places of WebSockets."""
    folder = env.scratch_dir() / "pages"
    folder.mkdir(exist_ok=True)
    script = folder / "nph-switch"
    script.write_text(SWITCH)
    script.chmod(0o755)
    return start("pages", mpm, ERROR_PAGES.replace("{pages}", str(folder)), threads=48)


def test_the_error_page_of_a_refused_handshake_opens_no_socket(pages, transport):
    client = open_client(pages, transport)
    many = [VERSION] + [("x-%d" % i, "y") for i in range(30)]
    refused = [client.extended_connect("/ws/echo", [VERSION], end=True),
               client.extended_connect("/ws/echo", many)]
    client.wait(*refused)
    # What the back end has to say to a GET for it, or httpd to that.
    assert all(s.status >= 400 and s.complete for s in refused), refused
    sockets = [WebSocket(client, "/ws/echo") for _ in range(OF_CONNECTION)]
    refused = client.wait(client.extended_connect("/ws/echo", [VERSION]))
    assert refused.status >= 400 and refused.complete
    assert all(ws.ask("still there") == "still there" for ws in sockets)


@pytest.mark.parametrize("name", ["a.test", "serial.test"])
def test_a_script_that_answers_101_to_a_refused_handshake_opens_no_socket(pages, name):
    client = open_client(pages, "clear", sni=name)
    headers = [VERSION, ("sec-websocket-key", KEY)]
    stream = client.wait(client.extended_connect("/ws/echo", headers, protocol="connect-udp"))
    assert stream.status == 502 and stream.complete and not stream.received
    assert "an error page is none" in pages.errors()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_plain_request_for_a_websockets_place_is_answered_by_the_back_end(h2, method):
    stream = h2.fetch(method, "/ws/echo")
    assert stream.status in (400, 405, 426) and stream.complete or stream.status == 502


def test_a_plain_connect_is_no_websocket(h2):
    stream = h2.fetch("CONNECT", authority="a.test:443")
    assert stream.status in (400, 403, 405)


@pytest.mark.parametrize("scheme", ["ws", "wss", "ftp"])
def test_another_scheme_is_a_bad_request(h2, scheme):
    assert h2.wait(h2.extended_connect("/ws/echo", scheme=scheme)).status == 400


def test_a_handshake_with_the_clients_end_is_a_bad_request(h2):
    stream = h2.extended_connect("/ws/echo", end=True)
    assert h2.wait(stream).status == 400


# -- many, and what they leave ----------------------------------------------------------------------


def test_many_sockets_on_one_connection_carry_their_own_bytes(h2):
    sockets = [WebSocket(h2, "/ws/echo") for _ in range(OF_CONNECTION)]
    for round in range(20):
        for i, ws in enumerate(sockets):
            ws.send("%d of %d" % (round, i) * 100)
        for i, ws in enumerate(sockets):
            assert ws.receive() == "%d of %d" % (round, i) * 100


def test_one_more_than_fits_on_a_connection_is_told_so_at_once(httpd, h2, backend):
    wait_gone(backend)
    sockets = [WebSocket(h2, "/ws/echo") for _ in range(OF_CONNECTION)]
    refused = h2.extended_connect("/ws/echo")
    assert h2.wait(refused, timeout=2).status == 503
    assert "no thread for one more WebSocket" in httpd.errors()
    sockets[0].close()
    h2.wait(sockets[0].stream)
    h2.send_data(sockets[0].stream, end=True)

    def fits_again():
        stream = h2.extended_connect("/ws/echo", [VERSION])
        return h2.wait_head(stream).status == 200
    wait_until(fits_again, "room for one")


def test_ordinary_requests_are_answered_while_sockets_have_all_that_they_may(
        httpd, transport, connect, backend, counter):
    wait_gone(backend)
    clients = [connect() for _ in range(OF_CHILD // OF_CONNECTION)]
    sockets = [WebSocket(client, "/ws/echo") for client in clients for _ in range(OF_CONNECTION)]
    other = connect()
    assert other.wait(other.extended_connect("/ws/echo")).status == 503
    for client in [*clients, other]:
        quick = [client.request("GET", "/files/%d.bin" % n) for n in (1, 1000, 65537) for _ in range(5)]
        client.wait(*quick, timeout=5)
        assert all(s.complete and s.status == 200 for s in quick)
        upload = client.request("POST", "/h2test/echo", end=False)      # needs a thread of its own
        client.send_data(upload, b"first ")
        client.ping()
        client.send_data(upload, b"last", end=True)
        assert client.wait(upload, timeout=5).body == b"first last"
        slow = [client.request("GET", "/h2test/sleep?ms=100&tag=%s" % counter) for _ in range(3)]
        client.wait(*slow, timeout=5)
        assert all(s.complete for s in slow)
        assert client.get("/proxy/size/1000").received == 1000
    assert all(ws.ask("still there") == "still there" for ws in sockets)


def test_a_socket_is_served_beside_a_download(h2, ws):
    big = h2.request("GET", "/h2test/write?n=30000000", keep_body=False)
    h2.wait_bytes(big, 100000)
    for i in range(10):
        assert ws.ask("message %d" % i) == "message %d" % i
    assert h2.wait(big, timeout=30).complete and big.received == 30000000


def test_more_threads_mean_more_sockets(start, transport):
    """Of 200, one connection has 75 sockets and all together 150."""
    server = start("roomy", "event", CONFIG.replace("H2MaxWorkers %d" % MAX_WORKERS,
                                                    "H2MaxWorkers 200"),
                   ports=("tls", "clear", "off", "serial"), threads=64, nofile=4096)
    clients = [open_client(server, transport) for _ in range(2)]
    sockets = [WebSocket(client, "/ws/echo") for client in clients for _ in range(75)]
    for client in clients:
        assert client.wait(client.extended_connect("/ws/echo")).status == 503
    for ws in sockets:
        ws.send("to all")
    assert all(ws.receive() == "to all" for ws in sockets)
    assert clients[0].get("/text.txt").complete
    assert len(server.children()) == 1


def test_sockets_that_come_and_go_leave_no_descriptors(httpd, transport, backend):
    client = open_client(httpd, transport)
    WebSocket(client, "/ws/echo").ask("first")
    client.close()
    wait_gone(backend)
    before = httpd.descriptors()
    for _ in range(5):
        client = open_client(httpd, transport)
        for how in ("end", "reset", "leave"):
            ws = WebSocket(client, "/ws/echo")
            assert ws.ask("hello") == "hello"
            if how == "end":
                client.send_data(ws.stream, end=True)
                client.wait(ws.stream)
            elif how == "reset":
                client.send_reset(ws.stream)
        client.close()
    wait_gone(backend)
    wait_until(lambda: httpd.descriptors() <= before + 2, "descriptors to be closed")


FAILING = ["/ws/refuse", "/own/refuse", "/none/echo", "/no/such/place", "/text.txt", "/files",
           "/raw/bad", "/raw/nothing", "/raw-own/nothing", "/raw-own/bad"]


def all_fit(client):
    """Those that were reset may take a moment to end."""
    streams = [client.extended_connect("/ws/echo", [VERSION]) for _ in range(OF_CONNECTION)]
    for stream in streams:
        client.wait_head(stream)
        if not stream.done:
            client.send_reset(stream)
    client.ping()
    return all(stream.status == 200 for stream in streams)


def test_handshakes_that_fail_leave_nothing(httpd, transport, backend, raw):
    """In each way, with bytes behind them, ended or reset at once or not."""
    def serve(sock, fields, path):
        if path == "/bad":
            switch(sock, fields, "wrong")
    raw.serve = serve
    client = open_client(httpd, transport)
    WebSocket(client, "/ws/echo").ask("first")
    client.close()
    wait_gone(backend)
    before = httpd.descriptors()
    for _ in range(2):
        client = open_client(httpd, transport)
        for how in ("end", "data", "data and end", "reset", "data and reset", "nothing"):
            for path in FAILING:
                protocol = "websocket" if path != "/files" else "connect-udp"
                stream = client.extended_connect(path, [VERSION], protocol=protocol, end=how == "end")
                if "data" in how:
                    client.send_data(stream, b"some bytes", end="end" in how)
                if "reset" in how:
                    client.send_reset(stream)
                else:
                    client.wait(stream)
                    assert stream.status >= 300, stream
        wait_until(lambda: all_fit(client), "room for all")
        client.close()
    wait_gone(backend)
    wait_until(lambda: httpd.descriptors() <= before + 2, "descriptors to be closed")


# -- the server's end -------------------------------------------------------------------------------


@pytest.fixture
def server(start, mpm):
    return start("ending", mpm, SITE + PROXY + "H2WebSockets on\nTimeout 20\n" + VHOSTS, threads=16,
                 servers=1, server_limit=20, max_workers=16, is_stable=False)


def test_a_socket_goes_on_at_a_graceful_restart(server, transport, backend):
    client = open_client(server, transport)
    ws = WebSocket(client, "/ws/echo")
    assert ws.ask("before") == "before"
    server.graceful()
    client.wait_goaway(count=2)
    assert [f.error_code for f in client.goaways] == [NO_ERROR] * 2
    assert ws.ask("after") == "after"
    late = client.extended_connect("/ws/echo", [VERSION])
    assert ws.ask("and on") == "and on" and late.status is None
    ws.close(1000)
    client.wait(ws.stream)
    client.send_data(ws.stream, end=True)
    client.wait_closed(timeout=10)


def test_a_stop_does_not_wait_for_sockets(start, servers, mpm, transport, backend):
    wait_gone(backend)
    server = start("stopped-%s" % transport, mpm, SITE + PROXY + "H2WebSockets on\n" + VHOSTS,
                   is_stable=False)
    client = open_client(server, transport)
    sockets = [WebSocket(client, "/ws/echo") for _ in range(3)]
    assert all(ws.ask("open") == "open" for ws in sockets)
    assert server.stop() < 6 * env.SLOWER
    client.wait_closed()
    wait_gone(backend)


# -- Chromium ---------------------------------------------------------------------------------------


def test_chromium_opens_a_websocket_on_its_h2_connection(start, backend, raw):
    done = threading.Event()

    def serve(sock, fields, path):
        if path == "/done":
            done.set()
        wait_until(done.is_set, "the page's word")
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    raw.serve = serve
    server = start("sockets", "event", CONFIG, ports=("tls", "clear", "off", "serial"), threads=48)
    backend.codes.clear()
    before = len(sockets_log(server))
    page = load_page(tool("chromium", "chromium-browser", "google-chrome"),
                     server.url("/page-of-sockets.html", "tls"), "--timeout=20000")
    assert "hello bytes:100000:7 closed:4000:true" in page, page
    assert backend.codes == [4000]
    wait_until(lambda: any("websocket" in line for line in sockets_log(server)[before:]), "the log")
    line = next(line for line in sockets_log(server)[before:] if "websocket" in line)
    # Over HTTP/2 only an extended CONNECT can be that.
    assert line.startswith("HTTP/2.0 websocket on ") and line.endswith(" GET 101 /ws/echo")

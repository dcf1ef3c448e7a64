# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""What the error log says of clients: of each that is thrown out one line, with who, why and how much
it was; nothing at warn for what is a client's doing; frames only where they are asked for."""

import re
import struct
import time
import uuid
from pathlib import Path

import pytest

import environment as env
from conftest import open_client
from environment import wait_until
from h2client import (DATA, END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE,
                      MAX_FRAME_SIZE, MAX_WINDOW, PRIORITY, PRIORITY_FLAG, WINDOW_UPDATE,
                      frame_bytes)
from servers import SITE, VHOSTS

CONFIG = SITE + """
Timeout 1
KeepAliveTimeout 1
<VirtualHost *:{port_floods}>
    ServerName a.test
    Protocols h2c
    Timeout 20
    KeepAliveTimeout 20
    H2MaxResets 1 10
    H2MaxClientErrors 1 10
    H2MaxControlFrames 1 10
    H2MaxStreamErrors 2
    H2MaxHeaderTime 500ms
    H2MaxHeaderListSize 4096
    H2MaxConnectionRequests 30
</VirtualHost>
<VirtualHost *:{port_patient}>
    ServerName a.test
    Protocols h2c
    H2StreamTimeout 0
</VirtualHost>
<VirtualHost *:{port_brief}>
    ServerName a.test
    Protocols h2c
    H2MaxConnectionTime 500ms
</VirtualHost>
<VirtualHost *:{port_hasty}>
    ServerName a.test
    Protocols h2c
    Timeout 20
    KeepAliveTimeout 20
    H2StreamTimeout 500ms
</VirtualHost>
""" + VHOSTS
PORTS = ("tls", "clear", "floods", "patient", "brief", "hasty")

LINE = re.compile(r"\[http2:(\w+)\] \[pid \d+:tid \d+\] (?:\([^)]*\)[^[]*)?(?:[\w./-]+\(\d+\): )?"
                  r"\[client 127\.0\.0\.1:(\d+)\] (AH\d+: )?h2\((\d+)-(\d+)\): (.*)")
END = re.compile(r"(.*), shutdown, remote\.emitted=(\d+), answered=(\d+), resets\.client=(\d+), "
                 r"resets\.server=(\d+), seconds=(\d+\.\d{3}), error=(\w+)$")


class Line:
    def __init__(self, match):
        self.level, port, self.number, self.connection, stream, self.text = match.groups()
        self.port, self.stream = int(port), int(stream)


@pytest.fixture
def httpd(servers):
    return servers.get("error-log", "event", CONFIG, ports=PORTS)


class Log:
    """What has been written since it was made."""

    def __init__(self, httpd):
        self.httpd = httpd
        self.position = len(httpd.errors())

    def text(self):
        return self.httpd.errors()[self.position:]

    def of(self, client, *levels):
        port = client.wire.sock.getsockname()[1]
        found = [Line(m) for m in map(LINE.search, self.text().splitlines()) if m]
        return [line for line in found if line.port == port and (not levels or line.level in levels)]

    def the_line(self, client):
        """The one at info."""
        wait_until(lambda: self.of(client, "info"), "a line at info")
        found = self.of(client, "info")
        assert len(found) == 1, [line.text for line in found]
        return found[0]

    def the_end(self, client, reason, error, emitted, answered, by_client=0, by_server=0):
        """The line of a client that was thrown out, and nothing else."""
        client.wait_closed()
        line = self.the_line(client)
        assert line.number == "AH03401: " and line.stream == 0
        match = END.match(line.text)
        assert match, line.text
        assert match.group(1) == reason and match.group(7) == error
        assert tuple(map(int, match.group(2, 3, 4, 5))) == (emitted, answered, by_client, by_server)
        assert not re.search(r":(warn|error|crit|alert|emerg)\]", self.text()), self.text()
        return float(match.group(6))


@pytest.fixture
def log(httpd):
    return Log(httpd)


@pytest.fixture
def client(log):
    """One that the small limits are for, with three requests that were answered."""
    client = open_client(log.httpd, "clear", port="floods")
    for _ in range(3):
        assert client.get("/files/1.bin").complete
    return client


# -- accounts ---------------------------------------------------------------------------------------

LIMIT = " (1 a second, 10 at once)"


def test_who_resets_too_much(log, client):
    with client.cork():
        for _ in range(20):
            client.send_reset(client.request("POST", "/h2test/read", end=False))
    log.the_end(client, "more RST_STREAM frames than H2MaxResets" + LIMIT, "ENHANCE_YOUR_CALM",
                emitted=3 + 11, answered=3, by_client=11)


def test_who_makes_us_reset_too_much(log, client):
    with client.cork():
        for _ in range(20):
            client.request("GET", "/files/1.bin", {"Upper": "case"})
    log.the_end(client, "more bad streams than H2MaxClientErrors" + LIMIT, "ENHANCE_YOUR_CALM",
                emitted=3 + 20, answered=3, by_server=11)


@pytest.mark.parametrize("name, frame, count", [
    ("PING", (6, 0, 0, b"8 bytes."), 11), ("PRIORITY", (PRIORITY, 0, 99, b"\0\0\0\0\0"), 11),
    ("WINDOW_UPDATE", (WINDOW_UPDATE, 0, 0, b"\0\0\0\1"), 11), ("frames of no use", (99, 0, 0, b""), 11)])
def test_who_sends_too_many_frames(httpd, log, name, frame, count):
    client = open_client(httpd, "clear", port="floods")
    client.ping()
    with client.cork():
        for _ in range(count + 5):
            client.send_frame(*frame)
    what = name if " " in name else name + " frames"
    client.wait_closed()
    log.the_end(client, "more %s than H2MaxControlFrames" % what + LIMIT, "ENHANCE_YOUR_CALM", emitted=0, answered=0)


def test_who_breaks_flow_control_too_often(log, client):
    for _ in range(3):
        stream = client.request("POST", "/h2test/read", end=False)
        client.send_window_update(stream.id, MAX_WINDOW)
    log.the_end(client, "more errors than H2MaxStreamErrors (2) in flow control", "PROTOCOL_ERROR",
                emitted=6, answered=3, by_server=3)


# -- time -------------------------------------------------------------------------------------------


def test_who_does_not_end_what_has_begun(log, client):
    client.send_raw(frame_bytes(HEADERS, END_STREAM, client.next_id, b"\x82", length=100))
    seconds = log.the_end(client, "a frame or field block took longer than H2MaxHeaderTime (500 ms)",
                          "ENHANCE_YOUR_CALM", emitted=4, answered=3)      # the stream has begun
    assert 0.5 <= seconds < 0.5 + 3 * env.SLOWER


def test_who_does_not_acknowledge_settings(httpd, log):
    client = open_client(httpd, "clear", auto_ack=False)
    assert client.get("/files/1.bin").complete
    stream = client.request("POST", "/h2test/read", end=False)
    for _ in range(2):
        time.sleep(0.3)
        client.send_data(stream, b"x" * 200)
    log.the_end(client, "the client has not acknowledged our SETTINGS within Timeout (1000 ms)",
                "SETTINGS_TIMEOUT", emitted=2, answered=1)


def test_who_lets_a_connection_wait(httpd, log):
    client = open_client(httpd, "clear", port="patient", settings={INITIAL_WINDOW_SIZE: 0})
    client.request("GET", "/files/1.bin")
    seconds = log.the_end(client, "requests are open, and nothing has come or gone within Timeout "
                          "(1000 ms)", "NO_ERROR", emitted=1, answered=0)
    assert seconds >= 1


def test_who_does_not_read_its_socket(httpd, log, counter):
    client = open_client(httpd, "clear", receive_buffer=4096, window=1 << 30,
                         settings={INITIAL_WINDOW_SIZE: 1 << 30})
    client.wait_settings()
    client.request("GET", "/h2test/endless?tag=%s" % counter, keep_body=False)
    client.reading = False
    line = log.the_line(client)
    assert END.match(line.text).group(1) == (
        "the client's TCP has taken less than H2MinResponseRate (100 bytes a second) within Timeout "
        "(1000 ms)")


# -- errors of the protocol -------------------------------------------------------------------------


@pytest.mark.parametrize("sent, reason, error", [
    (frame_bytes(DATA, 0, 0, b"x"), "protocol error of the client: DATA: ", "PROTOCOL_ERROR"),
    (frame_bytes(HEADERS, END_STREAM | END_HEADERS, 7, b"\xff\xff\xff\xff\xff\xff"),
     "protocol error of the client", "COMPRESSION_ERROR"),
    (frame_bytes(DATA, 0, 5, b"x"), "a frame on a stream that the client has ended", "STREAM_CLOSED"),
    (frame_bytes(DATA, 0, 99, b"x"), "a frame on a stream that was never opened", "PROTOCOL_ERROR"),
    (frame_bytes(HEADERS, 0, 7, b"\x82") + frame_bytes(DATA, 0, 7, b"x"),
     "protocol error of the client", "PROTOCOL_ERROR")])
def test_who_breaks_the_protocol(log, client, sent, reason, error):
    client.send_raw(sent)
    client.wait_closed()
    line = log.the_line(client)
    match = END.match(line.text)
    assert match.group(1).startswith(reason) and match.group(7) == error, line.text
    assert "(null)" not in line.text
    assert client.goaways[-1].error_code == {"PROTOCOL_ERROR": 1, "STREAM_CLOSED": 5,
                                             "COMPRESSION_ERROR": 9}[error]
    assert int(match.group(3)) == 3
    assert not re.search(r":(warn|error|crit|alert|emerg)\]", log.text())


def test_who_sends_settings_that_are_none(httpd, log):
    client = open_client(httpd, "tls")
    client.send_settings({MAX_FRAME_SIZE: 1})
    log.the_end(client, "SETTINGS with a value that is not allowed", "PROTOCOL_ERROR", 0, 0)


def test_text_instead_of_frames(log, client):
    client.send_raw(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n")
    client.wait_closed()
    log.the_line(client)


@pytest.mark.parametrize("mpm", ["event", "worker", "prefork"])
def test_httpd_names_the_client(servers, mpm, transport):
    httpd = servers.get("error-log", mpm, CONFIG, ports=PORTS, cgi="cgi" if mpm == "prefork" else "cgid",
                        servers=1 if mpm != "prefork" else 4)
    log = Log(httpd)
    client = open_client(httpd, transport)
    client.get("/files/1.bin")
    client.get("/h2test/sleep?ms=20")
    client.send_raw(frame_bytes(DATA, 0, 0, b"x"))
    client.wait_closed()
    line = log.the_line(client)
    assert line.text.startswith("protocol error of the client")
    assert "[remote" not in log.text() and log.text().count("[client 127.0.0.1") == 1


def test_the_documented_pattern_finds_who_was_thrown_out(httpd, log):
    page = (Path(__file__).resolve().parents[2] / "docs" / "observability.md").read_text()
    pattern = re.search(r"^(AH03401: h2.*)$", page, re.M).group(1)
    client = open_client(httpd, "clear", port="floods")
    with client.cork():
        for _ in range(20):
            client.send_ping()
    client.wait_closed()
    log.the_line(client)
    assert len(re.findall(pattern, log.text(), re.M)) == 1


def test_lines_of_a_connection_have_one_log_id(servers):
    httpd = servers.get("error-log-id", "event", CONFIG + 'ErrorLogFormat "%{c}L [%l] [%a] %M"\n',
                        ports=PORTS, more_levels="http2:debug")
    clients = [open_client(httpd, transport) for transport in ("clear", "tls")]
    for client in clients:
        client.get("/files/1.bin")
        client.get("/h2test/sleep?ms=20")
    lines = [line.split()[:3] for line in httpd.errors().splitlines() if "AH03066" in line]
    assert len({id for id, _, _ in lines}) == 2 and not any(id == "-" for id, _, _ in lines)
    for client in clients:
        port = client.wire.sock.getsockname()[1]
        assert len({id for id, _, address in lines if address.endswith(":%d]" % port)}) == 1


# -- a stream, and not its connection ---------------------------------------------------------------


@pytest.mark.parametrize("path", ["/h2test/endless", "/files/1048576.bin", "/cgi/large?1000000"])
def test_a_response_that_is_not_taken(httpd, log, path):
    client = open_client(httpd, "clear", port="hasty", auto_window=False)
    stream = client.request("GET", path)
    client.wait_bytes(stream, 65535)
    client.wait_reset(stream)
    client.ping()
    line = log.the_line(client)
    assert line.stream == stream.id and line.text == (
        "the client takes less of the response than H2MinResponseRate (100 bytes a second) within "
        "H2StreamTimeout (500 ms): the stream is reset")


def test_a_body_that_does_not_come(httpd, log):
    client = open_client(httpd, "clear")
    stream = client.request("POST", "/h2test/read", end=False)
    client.send_data(stream, b"x")
    client.wait_for(lambda: stream.done or client.closed, "the end")
    line = log.the_line(client)
    assert line.stream == stream.id and line.text == (
        "nothing of the request's body has come within H2StreamTimeout (1000 ms): reading it fails")


def test_a_body_that_comes_slowly(httpd, log):
    client = open_client(httpd, "clear")
    stream = client.request("POST", "/h2test/read", end=False)
    started = time.monotonic()
    while not stream.done and time.monotonic() - started < 10 * env.SLOWER:
        client.send_data(stream, b"x")
        client.ping()
        time.sleep(0.1)
    line = log.the_line(client)
    assert line.stream == stream.id and line.text == (
        "the request's body comes slower than H2MinRequestRate (100 bytes a second) within "
        "H2StreamTimeout (1000 ms): reading it fails")


def test_fields_that_are_too_long_are_told_of_once(log, client):
    streams = [client.get("/files/1.bin", {"x-long": "x" * 5000}) for _ in range(3)]
    assert all(s.reset is not None for s in streams)
    line = log.the_line(client)
    assert line.stream == streams[0].id
    assert line.text == "fields of more than H2MaxHeaderListSize (4096): the stream is reset"
    assert client.get("/files/1.bin").complete


def test_a_connection_that_has_had_its_requests(log, client):
    for _ in range(27):
        assert client.get("/files/1.bin").complete
    client.wait_closed()
    line = log.the_line(client)
    assert line.text == ("H2MaxConnectionRequests (30) have come: the connection ends when they are "
                         "answered") and line.stream == client.next_id - 2


def test_a_connection_that_has_had_its_time(httpd, log):
    client = open_client(httpd, "clear", port="brief")
    assert client.get("/files/1.bin").complete
    client.wait_closed()
    assert log.the_line(client).text == ("H2MaxConnectionTime (500 ms) is over: the connection ends "
                                         "when what it has asked for is answered")


# -- nothing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/files/1048576.bin", "/h2test/endless",
                                  "/h2test/write?n=1000000&length=1000000", "/cgi/large?1000000",
                                  "/proxy/size/1000000", "/deflate/files/1048576.bin"])
@pytest.mark.parametrize("how", ["reset", "leave", "goaway"])
def test_who_gives_a_download_up_is_not_mentioned(httpd, log, path, how):
    client = open_client(httpd, "clear", auto_window=False)
    name = uuid.uuid4().hex
    stream = client.request("GET", path, {"x-id": name})
    client.wait_head(stream)
    if how == "reset":
        client.send_reset(stream)
        assert client.get("/files/0.bin").complete
    elif how == "leave":
        client.abort()
    else:
        client.send_goaway()
        client.wire.sock.shutdown(1)
        client.wait_closed()
    wait_until(lambda: httpd.access_lines(name), "the request's end")
    assert "h2(" not in log.text() and not re.search(r"http2:(info|warn|error)\]", log.text())


def test_ordinary_use_is_not_mentioned(httpd, log):
    client = open_client(httpd, "tls")
    client.get("/files/1.bin")
    client.get("/missing")
    client.fetch("POST", "/h2test/echo", body=b"content")
    client.wait_closed()        # by KeepAliveTimeout
    assert not log.of(client) and "h2(" not in log.text()


# -- levels below info ------------------------------------------------------------------------------


def talk(servers, level):
    httpd = servers.get("error-log-" + level, "event", CONFIG, ports=PORTS,
                        more_levels="http2:" + level)
    log = Log(httpd)
    client = open_client(httpd, "clear", window=100000)
    block = client.encoder.encode(client.request_fields("GET", "/files/1000.bin"))
    stream = client.open()
    client.send_frame(HEADERS, END_STREAM | END_HEADERS | PRIORITY_FLAG, stream.id,
                      struct.pack(">IB", 0, 41) + block)
    client.wait(stream)
    cancelled = client.request("POST", "/h2test/read", end=False)
    client.send_reset(cancelled)
    client.ping()
    client.send_raw(frame_bytes(DATA, 0, 0, b"x"))
    client.wait_closed()
    wait_until(lambda: log.of(client, "info"), "the end")
    return log, client, stream.id, cancelled.id


def test_frames_are_at_debug_without_what_is_in_them(servers):
    log, client, first, second = talk(servers, "debug")
    frames = [line for line in log.of(client, "debug") if line.number == "AH03066: "]
    seen = [f for f in client.frames if f.type != DATA or not f.sent]
    assert len(frames) >= len(seen) - 1
    assert {line.stream for line in frames} == {0, first, second}
    assert not log.of(client, "trace1", "trace2", "trace3")
    assert any(line.text == "stream reset with error 8 (CANCEL) by the client"
               for line in log.of(client, "debug"))


def test_what_is_in_frames_is_at_trace2(servers):
    log, client, first, second = talk(servers, "trace2")
    texts = {(line.stream, line.text) for line in log.of(client, "trace2")}
    assert (0, "sent SETTINGS: 0x4 is 65535") in texts
    assert (0, "recv WINDOW_UPDATE: 34465 more") in texts
    assert (first, "recv HEADERS: depends on 0, weight 42") in texts
    assert (second, "recv RST_STREAM: CANCEL") in texts
    assert (0, "sent GOAWAY: PROTOCOL_ERROR") in texts
    sizes = [re.match(r"(recv|sent) HEADERS: fields of (\d+) bytes(, the end)?$", text)
             for stream, text in texts if stream == first]
    sizes = {m.group(1): int(m.group(2)) for m in sizes if m}
    assert 150 < sizes["recv"] < 400 and 200 < sizes["sent"] < 600

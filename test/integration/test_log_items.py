# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""%{NAME}^H2 in a LogFormat: each figure of a stream, for streams of which the test knows it."""

import re
import struct
import time
import uuid
from pathlib import Path

import pytest

import environment as env
from conftest import open_client
from environment import wait_until
from h1client import Http1
from h2client import (CANCEL, END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, INTERNAL_ERROR,
                      MAX_WINDOW, PRIORITY, PRIORITY_FLAG, PRIORITY_UPDATE, STREAM_CLOSED, frame_bytes)
from servers import PLAIN

NAMES = ("stream", "tag", "weight", "depends-on", "urgency", "incremental", "pushed", "requests",
         "frames-in", "frames-out", "wait", "run", "first-byte", "blocked", "reset", "nothing-known",
         "Stream")
LATE = 0.5 * env.SLOWER         # seconds by which figures and what the test measures may differ

CONFIG = """
LogFormat "%{x-id}i %>s %U """ + " ".join("%s=%%{%s}^H2" % (n, n) for n in NAMES) + """ bare=%^H2" h2
CustomLog "{root}/items.log" h2
CustomLog "{root}/waited.log" "%{x-id}i" "expr=%{H2_REQUESTS} -eq 2"
H2MinWorkers 1
H2MaxWorkers 1
<Location /h2test/pushes/>
    Header add Link "</files/1000.bin>; rel=preload"
</Location>
Alias /told/ "{docroot}/"
<Location /told/>
    Header set X-Told "expr=%{H2_STREAM_TAG} %{H2_REQUESTS} %{H2_WAIT} %{h2_stream_weight} %{H2_PUSHED}."
</Location>
<Location /errors/>
    ErrorDocument 404 /cgi/env
</Location>
""" + PLAIN + """
<VirtualHost *:{port_text}>
    ServerName a.test
    Protocols h2c
    H2SerializeHeaders on
    LimitRequestFieldSize 1000
</VirtualHost>
"""
PORTS = ("tls", "clear", "text")


@pytest.fixture
def httpd(servers, mpm):
    return servers.get("log-items", mpm, CONFIG, ports=PORTS, cores={0})


@pytest.fixture
def name():
    return uuid.uuid4().hex


def items(httpd, name):
    """The figures of the one line that has the name: {NAME: text}, and the status."""
    def lines():
        text = (httpd.root / "items.log").read_text()
        return [line for line in text.splitlines() if line.startswith(name + " ")
                and " 101 " not in line]    # that was the connection's, in HTTP/1.1
    wait_until(lines, "the line in the log")
    assert len(lines()) == 1, lines()
    words = lines()[0].split(" ")
    found = dict(word.split("=", 1) for word in words[3:])
    assert set(found) == set(NAMES) | {"bare"}
    return {**found, "status": int(words[1])}


def seconds(found, *names):
    values = [int(found[name]) / 1e6 for name in names]
    return values if len(values) > 1 else values[0]


def on_wire(client, stream_id, sent):
    """Frames of the stream; those of one field block count as one, as trailers and head do not come
    in pieces here."""
    return len([f for f in client.frames if f.stream_id == stream_id and f.sent == sent])


# -- who it was -------------------------------------------------------------------------------------


def test_a_quick_request_has_its_figures(httpd, h2, name):
    h2.get("/files/1.bin")
    started = time.monotonic()
    stream = h2.get("/files/1000.bin", {"x-id": name})
    took = time.monotonic() - started
    found = items(httpd, name)
    connection, dash, stream_id = found["tag"].partition("-")
    assert found["stream"] == stream_id == "3" == str(stream.id) and int(connection) > 0 and dash
    assert found["requests"] == "2" and found["pushed"] == found["reset"] == "-"
    assert (found["weight"], found["depends-on"]) == ("16", "0")
    assert (found["urgency"], found["incremental"]) == ("3", "off")
    assert found["blocked"] == "0"
    wait, run, first_byte = seconds(found, "wait", "run", "first-byte")
    assert 0 <= wait and 0 < run and first_byte <= took
    assert int(found["wait"]) + int(found["run"]) <= int(found["first-byte"])
    assert found["frames-in"] == str(on_wire(h2, stream.id, True))
    assert found["frames-out"] == str(on_wire(h2, stream.id, False))


def test_the_tag_is_that_of_the_error_log_and_of_the_environment(httpd, h2, name):
    position = len(httpd.errors())
    stream = h2.get("/cgi/env", {"x-id": name})
    said = dict(line.split("=", 1) for line in stream.text.splitlines() if "=" in line)
    tag = items(httpd, name)["tag"]
    assert said["H2_STREAM_TAG"] == tag
    if env.log_level == "debug" or "trace" in env.log_level:
        assert "h2(%s): recv FRAME[HEADERS" % tag in httpd.errors()[position:]


def test_what_has_no_such_name_is_a_dash(httpd, h2, name):
    h2.get("/files/1.bin", {"x-id": name})
    found = items(httpd, name)
    assert found["nothing-known"] == found["Stream"] == found["bare"] == "-"


@pytest.mark.parametrize("tls", [True, False], ids=["TLS", "clear"])
def test_requests_in_http_1_1_have_none(servers, name, tls):
    from h2client import Tls
    httpd = servers.get("log-items", "event", CONFIG, ports=PORTS, cores={0})
    with Http1(httpd.address("tls" if tls else "clear"), Tls(alpn=()) if tls else None) as client:
        client.get("/files/1.bin", {"x-id": name})
    found = items(httpd, name)
    assert found.pop("status") == 200 and set(found.values()) == {"-"}


def test_the_request_of_an_upgrade_is_stream_1(servers, name):
    httpd = servers.get("log-items", "event", CONFIG, ports=PORTS, cores={0})
    request = ("GET /files/1.bin HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\n"
               "Upgrade: h2c\r\nHTTP2-Settings: %%SETTINGS%%\r\nX-Id: %s\r\n\r\n" % name)
    client = open_client(httpd, "clear", upgrade=request.encode())
    client.wait(client.streams[1])
    client.get("/files/1.bin", {"x-id": name + "2"})
    found, next_one = items(httpd, name), items(httpd, name + "2")
    assert (found["stream"], found["requests"], found["frames-in"]) == ("1", "1", "0")
    assert (next_one["stream"], next_one["requests"]) == ("3", "2")


def test_requests_are_counted_and_not_ids(httpd, h2, name):
    h2.get("/files/1.bin")
    h2.next_id = 101
    h2.get("/files/1.bin", {"x-id": name})
    found = items(httpd, name)
    assert found["stream"] == "101" and found["requests"] == "2"
    wait_until(lambda: name in (httpd.root / "waited.log").read_text(), "the other log")


# -- variables --------------------------------------------------------------------------------------


def test_expressions_know_what_the_log_does(httpd, h2, name):
    h2.get("/files/1.bin")
    told = h2.get("/told/files/1.bin", {"x-id": name}).headers["x-told"]
    found = items(httpd, name)
    assert told == "%s 2 %s 16 ." % (found["tag"], found["wait"])


def test_expressions_know_nothing_of_http_1_1(httpd):
    with Http1(httpd.address("clear")) as client:
        assert client.get("/told/files/1.bin").headers["x-told"].split() == ["."]


def test_other_modules_can_ask_for_them(httpd, h2):
    def ask(name, client=h2):
        return client.get("/h2test/lookup?name=" + name).text
    assert ask("H2_REQUESTS") == "1" and ask("H2_REQUESTS") == "2"
    assert int(ask("H2_WAIT")) >= 0 and ask("H2_STREAM_ID") == "7"
    assert ask("H2_NOTHING") == "" and ask("HTTP2") == "on"
    with Http1(httpd.address("clear")) as client:
        assert ask("H2_WAIT", client) == ask("H2_REQUESTS", client) == ""
        assert ask("HTTP2", client) == "off"


def test_the_environment_has_them_not(h2):
    text = h2.get("/cgi/env").text
    assert "H2_STREAM_ID=1\n" in text and "H2_WAIT" not in text and "H2_REQUESTS" not in text


# -- priorities -------------------------------------------------------------------------------------


def test_weight_and_dependency_are_what_the_client_said_last(httpd, h2, name):
    held = h2.request("POST", "/h2test/read", end=False)
    fields = h2.request_fields("GET", "/files/1.bin", [("x-id", name)])
    stream = h2.open()
    payload = struct.pack(">IB", held.id, 41) + h2.encoder.encode(fields)
    h2.send_raw(frame_bytes(HEADERS, END_STREAM | END_HEADERS | PRIORITY_FLAG, stream.id, payload))
    h2.wait(stream)
    late = h2.request("POST", "/h2test/read", {"x-id": name + "2"}, end=False)
    h2.send_frame(PRIORITY, 0, late.id, struct.pack(">IB", 0, 255))
    h2.send_data(held, b"", end=True)
    h2.send_data(late, b"", end=True)
    h2.wait(held, late)
    found, changed = items(httpd, name), items(httpd, name + "2")
    assert (found["weight"], found["depends-on"]) == ("42", str(held.id))
    assert (changed["weight"], changed["depends-on"]) == ("256", "0")


def test_urgency_is_what_the_client_said_last(httpd, h2, name):
    h2.get("/files/1.bin", {"x-id": name, "priority": "u=1, i"})
    late = h2.request("POST", "/h2test/read", {"x-id": name + "2", "priority": "u=5"}, end=False)
    h2.send_frame(PRIORITY_UPDATE, 0, 0, struct.pack(">I", late.id) + b"u=0,i")
    h2.send_data(late, b"content", end=True)
    h2.wait(late)
    found, changed = items(httpd, name), items(httpd, name + "2")
    assert (found["urgency"], found["incremental"]) == ("1", "on")
    assert (changed["urgency"], changed["incremental"]) == ("0", "on")


# -- push -------------------------------------------------------------------------------------------


def test_a_pushed_stream_names_the_one_it_was_pushed_for(httpd, connect):
    client = connect(settings={INITIAL_WINDOW_SIZE: 65535, 2: 1})
    client.get("/files/1.bin")
    main = client.get("/h2test/pushes/write?n=10")
    client.wait_for(lambda: len(client.pushed) == 1, "the promise")
    client.wait(client.pushed[0])

    def pushed():
        text = (httpd.root / "items.log").read_text()
        return [line for line in text.splitlines() if "stream=2 " in line
                and "pushed=%d " % main.id in line]
    wait_until(pushed, "the pushed request in the log")
    line = pushed()[-1]
    assert " 200 /files/1000.bin " in line and " requests=2 " in line
    assert " frames-in=0 frames-out=2 " in line     # its PUSH_PROMISE is one of the other stream


def test_a_promise_is_a_frame_of_the_stream_that_it_comes_on(httpd, connect, name):
    client = connect(settings={2: 1})
    main = client.get("/h2test/pushes/write?n=10", {"x-id": name})
    client.wait_for(lambda: len(client.pushed) == 1, "the promise")
    client.wait(client.pushed[0])
    assert items(httpd, name)["frames-out"] == str(on_wire(client, main.id, False)) == "3"


# -- frames -----------------------------------------------------------------------------------------


def test_frames_are_counted_as_they_are_on_the_wire(httpd, h2, name):
    stream = h2.request("POST", "/h2test/echo", {"x-id": name}, end=False)
    for _ in range(7):
        h2.send_data(stream, b"content", end=False)
        h2.send_window_update(stream.id, 10)
    h2.send_headers(stream.id, [("x-trailer", "yes")])
    h2.wait(stream)
    assert stream.complete
    found = items(httpd, name)
    assert found["frames-in"] == str(on_wire(h2, stream.id, True)) == "16"
    assert found["frames-out"] == str(on_wire(h2, stream.id, False))


def test_interim_responses_are_frames_and_no_first_byte(httpd, h2, name):
    stream = h2.request("POST", "/h2test/read", {"x-id": name, "expect": "100-continue"}, end=False)
    h2.wait_for(lambda: stream.interim, "100")
    time.sleep(0.2)
    h2.send_data(stream, b"content", end=True)
    h2.wait(stream)
    found = items(httpd, name)
    assert found["frames-out"] == str(on_wire(h2, stream.id, False))
    assert seconds(found, "first-byte") >= 0.2


def test_a_download_has_its_frames(httpd, connect, name):
    client = connect(window=1 << 20, settings={INITIAL_WINDOW_SIZE: 1 << 20})
    stream = client.get("/files/1048576.bin", {"x-id": name})
    found = items(httpd, name)
    assert found["frames-out"] == str(on_wire(client, stream.id, False))
    assert int(found["frames-out"]) >= 65


# -- times ------------------------------------------------------------------------------------------


def test_the_time_of_a_handler_is_its_run(httpd, h2, name):
    h2.get("/h2test/sleep?ms=150", {"x-id": name})
    found = items(httpd, name)
    run = seconds(found, "run")
    assert 0.15 <= run <= 0.15 + LATE
    assert int(found["first-byte"]) >= int(found["wait"]) + int(found["run"])


def test_a_request_waits_for_a_worker(httpd, h2, name):
    """With one thread for such: each has a body that is still to come."""
    first = h2.request("POST", "/h2test/read", end=False)
    h2.ping()
    second = h2.request("POST", "/h2test/read", {"x-id": name}, end=False)
    h2.ping()
    started = time.monotonic()
    time.sleep(0.3)
    waited = time.monotonic() - started
    h2.send_data(first, b"content", end=True)
    h2.wait(first)
    h2.send_data(second, b"content", end=True)
    h2.wait(second)
    took = time.monotonic() - started
    wait = seconds(items(httpd, name), "wait")
    assert waited <= wait <= took + LATE


@pytest.mark.parametrize("of_connection", [False, True], ids=["its window", "the connection's"])
def test_a_window_that_stays_shut_is_measured(httpd, connect, name, of_connection):
    size = 1 << 20 if of_connection else 1000
    client = connect(auto_window=False, settings={INITIAL_WINDOW_SIZE: size})
    stream = client.request("GET", "/files/1048576.bin", {"x-id": name})
    client.wait_bytes(stream, 65535 if of_connection else 1000)
    shut = time.monotonic()
    time.sleep(0.25)
    at_least = time.monotonic() - shut
    client.send_window_update(0, MAX_WINDOW - 65535)
    if not of_connection:
        client.send_window_update(stream.id, 1 << 20)
    client.wait(stream)
    at_most = time.monotonic() - shut
    assert stream.complete
    blocked = seconds(items(httpd, name), "blocked")
    assert at_least - 0.01 <= blocked <= at_most + LATE


def test_times_that_it_is_shut_add_up(httpd, connect, name):
    client = connect(auto_window=False, settings={INITIAL_WINDOW_SIZE: 1000})
    stream = client.request("GET", "/files/65537.bin", {"x-id": name})
    at_least = 0
    for received in (1000, 31000):
        client.wait_bytes(stream, received)
        shut = time.monotonic()
        time.sleep(0.15)
        at_least += time.monotonic() - shut
        client.send_window_update(stream.id, 30000 if received == 1000 else 1 << 20)
        client.send_window_update(0, 30000 if received == 1000 else 1 << 20)
    client.wait(stream)
    assert at_least - 0.02 <= seconds(items(httpd, name), "blocked") <= at_least + LATE


# -- resets -----------------------------------------------------------------------------------------


def test_a_reset_by_the_client(httpd, connect, name):
    client = connect(auto_window=False)
    stream = client.request("GET", "/files/1048576.bin", {"x-id": name})
    client.wait_bytes(stream, 65535)
    client.send_reset(stream, CANCEL)
    client.ping()
    found = items(httpd, name)
    assert found["reset"] == "CANCEL/client"
    assert found["frames-in"] == str(on_wire(client, stream.id, True)) == "2"


def test_another_code_of_the_client(httpd, connect, name):
    client = connect(auto_window=False)
    for code, text in ((STREAM_CLOSED, "STREAM_CLOSED/client"), (99, "unknown/client")):
        stream = client.request("GET", "/files/1048576.bin", {"x-id": name + text[0]})
        client.wait_head(stream)
        client.send_reset(stream, code)
        client.ping()
        assert items(httpd, name + text[0])["reset"] == text


def test_a_reset_by_the_server(httpd, h2, name):
    stream = h2.get("/h2test/fail?n=10&how=error", {"x-id": name})
    assert stream.reset == INTERNAL_ERROR
    assert items(httpd, name)["reset"] == "INTERNAL_ERROR/server"


def test_a_stream_that_ends_with_its_connection(httpd, connect, name):
    client = connect(auto_window=False)
    client.wait_bytes(client.request("GET", "/files/1048576.bin", {"x-id": name}), 65535)
    client.abort()
    assert items(httpd, name)["reset"] == "CANCEL/connection"


def test_a_body_that_is_not_read_ends_with_no_error(httpd, h2, name):
    stream = h2.request("POST", "/h2test/noread?n=10", {"x-id": name}, end=False)
    h2.wait_reset(stream)
    assert items(httpd, name)["reset"] == "NO_ERROR/server"


# -- other ways to a line ---------------------------------------------------------------------------


@pytest.mark.parametrize("path, status", [
    ("/h2test/redirect?to=/files/1000.bin", 200), ("/errors/missing", 404), ("/missing", 404)])
def test_internal_redirects_and_error_pages_are_logged_with_their_stream(httpd, h2, name, path, status):
    h2.get("/files/1.bin")
    stream = h2.get(path, {"x-id": name})
    found = items(httpd, name)
    assert found["status"] == stream.status == status and found["stream"] == str(stream.id) == "3"
    assert found["frames-out"] == str(on_wire(h2, stream.id, False))
    assert seconds(found, "first-byte") > 0


def test_an_error_before_any_handler_has_them_too(httpd, h2, name):
    stream = h2.get("/files/1.bin", {"x-id": name, "x-long": "x" * 9000})
    found = items(httpd, name)
    assert found["status"] == stream.status == 431 and found["stream"] == str(stream.id)
    assert found["requests"] == "1" and seconds(found, "run") > 0


def test_what_httpd_has_refused_to_read_has_them_too(httpd):
    client = open_client(httpd, "clear", port="text")
    before = (httpd.root / "items.log").read_text().count("\n")
    stream = client.get("/files/1.bin", {"x-long": "x" * 3000})
    assert stream.status == 400
    wait_until(lambda: (httpd.root / "items.log").read_text().count("\n") > before, "the line")
    line = (httpd.root / "items.log").read_text().splitlines()[-1]
    assert " 400 " in line and " stream=%d " % stream.id in line
    assert " frames-out=2 " in line and " requests=1 " in line


# -- prefork ----------------------------------------------------------------------------------------


@pytest.fixture
def prefork(servers):
    return servers.get("log-items", "prefork", CONFIG, ports=PORTS, cgi="cgi", servers=4)


def test_prefork_has_the_same_figures(prefork, transport, name):
    client = open_client(prefork, transport)
    with client.cork():
        first = client.request("GET", "/h2test/sleep?ms=100", {"x-id": name})
        second = client.request("GET", "/files/1.bin", {"x-id": name + "2"})
    client.wait(first, second)
    found, behind = items(prefork, name), items(prefork, name + "2")
    assert found["stream"] == "1" and behind["stream"] == "3" and behind["requests"] == "2"
    assert seconds(found, "run") >= 0.1 <= seconds(behind, "wait")
    assert behind["frames-out"] == str(on_wire(client, second.id, False))


# -- documentation ----------------------------------------------------------------------------------


def test_the_documented_format_is_one(servers):
    page = (Path(__file__).resolve().parents[2] / "docs" / "observability.md").read_text()
    lines = re.findall(r"^((?:LogFormat|CustomLog) .*)", page, re.M)
    assert len(lines) == 3
    for name in re.findall(r"%{([a-z-]+)}\^H2", page):
        assert name in NAMES
    for name in NAMES[:-2]:
        assert "`%s`" % name in page, name
    server = servers.new("documented-log", "event", PLAIN)
    code, output = server.check("Define APACHE_LOG_DIR %s\n%s\n" % (server.root, "\n".join(lines)))
    assert code == 0, output

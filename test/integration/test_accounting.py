# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""What the logs and server-status say about requests, and what requests know of themselves."""

import re
import time
import uuid

import pytest

from conftest import open_client
from environment import wait_until
from h1client import Http1
from h2client import INITIAL_WINDOW_SIZE, Tls


class Line:
    """A line of the access log."""

    def __init__(self, text):
        words = text.split(" ", 7)
        self.id = words[0]
        self.bytes_in, self.bytes_out, self.body, self.usec, self.status = map(int, words[1:6])
        self.protocol = words[6]
        self.request = words[7].strip('"')


@pytest.fixture
def name():
    return uuid.uuid4().hex


def lines(httpd, name, count=1):
    wait_until(lambda: len(httpd.access_lines(name)) >= count, "%d lines in the access log" % count)
    found = httpd.access_lines(name)
    assert len(found) == count, found
    return [Line(text) for text in found]


def ask(client):
    found = client.get("/server-status?auto").text.splitlines()
    return dict(text.split(": ", 1) for text in found if ": " in text)


def status_of(httpd):
    with Http1(httpd.address("plain")) as client:
        return ask(client)


def total_accesses(httpd):
    return int(status_of(httpd)["Total Accesses"])


class Accesses:
    """Those that are not questions of ours, which all use one connection: a question over HTTP/1.1
    may be counted a moment after its answer has been read, but before the next one is."""

    def __init__(self, httpd):
        self.client = Http1(httpd.address("plain"))
        self.questions = 0

    def count(self):
        last = None
        for _ in range(100):
            found = int(ask(self.client)["Total Accesses"])
            self.questions += 1
            if found - 1 == last:
                return found - (self.questions - 1)
            last = found
        raise AssertionError("requests are counted all the time")


# -- access log -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 1000, 65537, 1 << 20])
def test_a_download_is_logged_with_its_bytes(httpd, h2, name, size):
    h2.get("/files/%d.bin" % size, {"x-id": name})
    line = lines(httpd, name)[0]
    assert line.request == "GET /files/%d.bin HTTP/2.0" % size and line.protocol == "HTTP/2.0"
    assert line.status == 200 and line.body == size
    assert size < line.bytes_out <= size + 1000 + size // 100
    assert 0 < line.bytes_in < 500


@pytest.mark.parametrize("size", [0, 1, 1000, 65537, 1 << 20])
def test_an_upload_is_logged_with_its_bytes(httpd, h2, name, size):
    h2.fetch("POST", "/h2test/read", {"x-id": name}, body=bytes(size))
    line = lines(httpd, name)[0]
    assert line.request == "POST /h2test/read HTTP/2.0" and line.status == 200
    assert size < line.bytes_in <= size + 1000 + size // 100
    assert line.body == len("read %d\n" % size)


@pytest.mark.parametrize("path", ["/h2test/write?n=50000", "/cgi/large?50000",
                                  "/proxy/size/50000", "/proxy/size/50000?chunked"])
def test_a_generated_response_is_logged_with_its_bytes(httpd, h2, name, path):
    h2.get(path, {"x-id": name})
    line = lines(httpd, name)[0]
    assert line.body == 50000 and 50000 < line.bytes_out < 52000


@pytest.mark.parametrize("method, path, status", [
    ("HEAD", "/files/1000.bin", 200), ("GET", "/missing", 404), ("GET", "/auth/secret.txt", 401),
    ("GET", "/htaccess/external", 302), ("GET", "/h2test/fail?how=return", 500),
    ("OPTIONS", "/text.txt", 200), ("GET", "/h2test/redirect?to=/text.txt", 200),
    ("GET", "/ssi/page.shtml", 200), ("GET", "/errors/with-cgi/missing", 404)])
def test_each_request_is_logged_once(httpd, h2, name, method, path, status):
    h2.fetch(method, path, {"x-id": name})
    h2.get("/files/1.bin")
    line = lines(httpd, name)[0]
    assert line.status == status and line.request == "%s %s HTTP/2.0" % (method, path)
    if method == "HEAD":
        assert line.body == 0 and line.bytes_out < 1000


def test_a_304_is_logged_without_a_body(httpd, h2, name):
    etag = h2.get("/files/1000.bin").headers["etag"]
    h2.get("/files/1000.bin", {"x-id": name, "if-none-match": etag})
    line = lines(httpd, name)[0]
    assert line.status == 304 and line.body == 0


def test_a_hundred_requests_make_a_hundred_lines(httpd, h2, name):
    h2.wait(*[h2.request("GET", "/files/1000.bin?%d" % i, {"x-id": name}) for i in range(100)])
    found = lines(httpd, name, 100)
    assert len({line.request for line in found}) == 100
    assert all(line.body == 1000 and line.status == 200 for line in found)


def test_a_line_is_written_when_the_response_has_been_sent_whole(httpd, connect, name):
    client = connect(auto_window=False, settings={INITIAL_WINDOW_SIZE: 500})
    started = time.monotonic()
    stream = client.request("GET", "/files/1000.bin", {"x-id": name})
    client.wait_bytes(stream, 500)
    client.ping()
    assert not httpd.access_lines(name)
    time.sleep(0.3)
    client.send_window_update(stream.id, 1000)
    client.wait(stream)
    line = lines(httpd, name)[0]
    assert 300000 <= line.usec <= (time.monotonic() - started) * 1e6


def test_the_time_of_a_handler_is_logged(httpd, h2, name):
    h2.get("/h2test/sleep?ms=100", {"x-id": name})
    assert 100000 <= lines(httpd, name)[0].usec < 5000000


def test_a_cancelled_download_is_logged_once_with_what_was_sent(httpd, connect, name):
    client = connect(auto_window=False)
    stream = client.request("GET", "/files/1048576.bin", {"x-id": name})
    client.wait_bytes(stream, 65535)
    client.send_reset(stream)
    client.get("/files/0.bin")
    line = lines(httpd, name)[0]
    assert 65535 <= line.bytes_out < 200000


def test_a_download_whose_client_leaves_is_logged_once(httpd, connect, name):
    client = connect(auto_window=False)
    client.wait_bytes(client.request("GET", "/files/1048576.bin", {"x-id": name}), 65535)
    client.abort()
    assert lines(httpd, name)[0].bytes_out < 200000


def test_the_handler_and_the_log_hook_run_once_for_each_request(h2, counter):
    for path in ("write?n=10&tag=%s", "fail?how=return&tag=%s", "fail?n=10&how=error&tag=%s"):
        h2.get("/h2test/" + path % counter)
    wait_until(lambda: counter.logged == 3, "the log hook")
    h2.ping()
    assert counter.started == counter.finished == counter.logged == 3


# -- error log --------------------------------------------------------------------------------------


def test_errors_are_logged_with_the_client(httpd, h2):
    position = len(httpd.errors())
    h2.get("/cgi/nothing")
    port = h2.wire.sock.getsockname()[1]
    wait_until(lambda: "End of script output before headers" in httpd.errors()[position:],
               "the error log")
    line = [text for text in httpd.errors()[position:].splitlines() if "End of script" in text][0]
    assert re.search(r"\[client 127\.0\.0\.1(:%d)?\]" % port, line)


@pytest.mark.parametrize("what", [b"\0\0\1\0\0\0\0\0\0x", b"no frame at all, but text"],
                         ids=["DATA on stream 0", "text"])
def test_why_a_connection_was_ended_is_logged(httpd, h2, what):
    h2.get("/files/1.bin")
    position = len(httpd.errors())
    h2.send_raw(what)
    h2.wait_closed()
    wait_until(lambda: "AH03401" in httpd.errors()[position:], "the error log")


def test_ordinary_requests_write_nothing_to_the_error_log(httpd, connect):
    position = len(httpd.errors())
    client = connect()
    client.get("/files/1.bin")
    client.fetch("POST", "/h2test/echo", body=b"content")
    client.send_goaway()
    client.wait_closed()
    assert not [text for text in httpd.errors()[position:].splitlines()
                if re.search(r":(warn|error|crit|alert|emerg)\]", text)]


# -- server-status ----------------------------------------------------------------------------------


def test_each_request_is_counted_exactly_once_and_at_once(httpd, h2):
    h2.get("/files/1.bin")
    accesses = Accesses(httpd)
    for count in (1, 2, 10):
        before = accesses.count()
        h2.wait(*[h2.request("GET", "/files/1000.bin") for _ in range(count)])
        assert accesses.count() - before == count


@pytest.mark.parametrize("path", ["/missing", "/cgi/hello", "/h2test/redirect?to=/text.txt",
                                  "/ssi/page.shtml", "/h2test/fail?n=10&how=error"])
def test_other_requests_are_counted_once_too(httpd, h2, path):
    before = total_accesses(httpd)
    h2.get(path)
    wait_until(lambda: total_accesses(httpd) - before >= 2, "the count")
    # a question is counted after its answer has been read: one may come a moment late
    wait_until(lambda: -total_accesses(httpd) + total_accesses(httpd) == 1,
               "nothing to be counted but the questions themselves")


def test_cancelled_requests_are_counted_once(httpd, connect):
    client = connect(auto_window=False)
    before = total_accesses(httpd)
    for _ in range(5):
        stream = client.request("GET", "/files/1048576.bin")
        client.wait_head(stream)
        client.send_reset(stream)
    client.ping()
    questions = [1]

    def counted():
        value = total_accesses(httpd) - before - questions[0]
        questions[0] += 1
        return value == 5
    wait_until(counted, "the count")


def test_server_status_shows_the_running_request(httpd, h2, counter):
    stream = h2.request("GET", "/h2test/gate?gate=%s&tag=%s" % (counter.gate(), counter))
    wait_until(lambda: counter.running == 1, "the handler")
    with Http1(httpd.address("plain")) as client:
        page = client.get("/server-status").text
    counter.open()
    assert h2.wait(stream).complete
    assert "GET /h2test/gate?gate=%s" % counter.gate() in page.replace("&amp;", "&")


# -- variables --------------------------------------------------------------------------------------


def info(client):
    text = client.get("/h2test/info").text
    return dict(line.split("=", 1) for line in text.splitlines())


def test_a_request_knows_its_protocol_and_client(httpd, h2, transport):
    seen = info(h2)
    assert seen["protocol"] == "HTTP/2.0" and seen["proto_num"] == "2000"
    assert seen["the_request"] == "GET /h2test/info HTTP/2.0"
    assert seen["client_ip"] == seen["useragent_ip"] == "127.0.0.1"
    assert seen["scheme"] == ("https" if transport == "tls" else "http")
    assert seen["hostname"] == "a.test" and seen["is_h2"] == "1"
    assert seen["has_master"] == "1"


def test_tls_variables_are_those_of_the_streams_connection(httpd):
    """Two connections with other parameters, asked in turn."""
    import ssl
    old = open_client(httpd, tls=Tls(max_version=ssl.TLSVersion.TLSv1_2,
                                     ciphers="ECDHE-RSA-AES128-GCM-SHA256"))
    new = open_client(httpd)

    def variables(client):
        return dict(line.split("=", 1) for line in client.get("/cgi/env").text.splitlines()
                    if "=" in line)
    for _ in range(2):
        seen = variables(old)
        assert seen["SSL_PROTOCOL"] == "TLSv1.2" and seen["HTTPS"] == "on"
        assert seen["SSL_CIPHER"] == "ECDHE-RSA-AES128-GCM-SHA256"
        assert variables(new)["SSL_PROTOCOL"] == "TLSv1.3"


def test_the_original_host_is_known_where_authority_is_another(h2):
    def host(fields):
        lines = h2.get("/cgi/env", fields).text.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line).get("H2_ORIGINAL_HOST")
    assert host({"host": "other.test"}) == "other.test"
    assert host({"host": h2.authority}) is None and host({}) is None


def test_ids_of_requests_are_unique_over_all_children(h2):
    """mod_cgid knows the scripts of all children by them, others by their low 32 bits."""
    seen = [info(h2) for _ in range(20)]
    assert len({int(s["id"]) & 0xffffffff for s in seen}) == 20
    assert all(int(s["id"]) >> 32 == int(s["pid"]) for s in seen)


def test_streams_of_one_connection_do_not_share_variables(h2):
    streams = [h2.request("GET", "/cgi/env?n=%d" % i, {"x-number": str(i)}) for i in range(10)]
    h2.wait(*streams)
    for i, stream in enumerate(streams):
        assert "QUERY_STRING=n=%d\n" % i in stream.text
        assert "HTTP_X_NUMBER=%d\n" % i in stream.text


def test_http_1_1_beside_it_is_logged_as_such(httpd, name):
    with Http1(httpd.address("clear")) as client:
        client.get("/files/1000.bin", {"x-id": name})
    line = lines(httpd, name)[0]
    assert line.protocol == "HTTP/1.1" and line.body == 1000
    assert line.request == "GET /files/1000.bin HTTP/1.1"

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""http2-status: what real clients have done is what is shown, to the last request."""

import contextlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import time
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import pytest

import environment as env
from connections import open_client
from environment import wait_until
from h1client import Http1
from h2client import (CANCEL, ENHANCE_YOUR_CALM, INITIAL_WINDOW_SIZE, NO_ERROR,
                      PROTOCOL_ERROR, PUSH_PROMISE, REFUSED_STREAM, SETTINGS_TIMEOUT, Tls)
from servers import SITE, VHOSTS

STATUS = "/http2-status"
GATE = "/h2test/gate?gate=%s"
CONFIG = SITE + """
Timeout 20
KeepAliveTimeout 20
H2MaxSessionStreams 20
<Location /http2-status>
    SetHandler http2-status
</Location>
<Location /linked/>
    SetHandler h2test
    Header add Link "</files/1.bin>; rel=preload"
</Location>
<Location /linked/large/>
    Header set Link "</files/1048576.bin>; rel=preload"
</Location>
<Location /hinted/>
    SetHandler h2test
    H2Push off
    H2EarlyHints on
    H2EarlyHint X-Hint yes
</Location>
Redirect 503 /unavailable
Redirect 302 /moved http://a.test/
""" + VHOSTS.replace("Protocols h2 http/1.1", "Protocols h2 http/1.1\n    H2Direct on")


def json_of(httpd, query="?json"):
    with Http1(httpd.address("clear")) as client:
        answer = client.get(STATUS + query)
        assert answer.status == 200, answer.text
        return json.loads(answer.text)


def page_of(httpd, query=""):
    with Http1(httpd.address("clear")) as client:
        answer = client.get(STATUS + query)
        assert answer.status == 200, answer.text
        return answer


def flat(counts):
    """Each count by its name, or "name.label"."""
    found = {}
    for name, value in counts.items():
        if isinstance(value, dict):
            found.update({"%s.%s" % (name, label): n for label, n in value.items()})
        else:
            found[name] = value
    return found


class Figures:
    """What is counted from now on."""

    def __init__(self, httpd):
        self.httpd = httpd
        wait_until(lambda: json_of(httpd)["gauges"]["open_sessions"] == 0, "an idle server")
        first = json_of(httpd)
        self.before, self.begun = flat(first["counts"]), first["now"]

    def now(self):
        after = flat(json_of(self.httpd)["counts"])
        return {name: after[name] - self.before[name] for name in after}

    def expect(self, **expected):
        """Waits until all are so, "__" standing for "."."""
        expected = {name.replace("__", "."): n for name, n in expected.items()}

        def differ():
            now = self.now()
            return {name: (now[name], n) for name, n in expected.items() if now[name] != n}
        try:
            wait_until(lambda: not differ(), "figures", timeout=5, interval=0.05)
        except AssertionError:
            raise AssertionError("is, should be: %s" % differ()) from None
        return self.now()

    def sessions(self):
        """Those that began since: a list may be a second old."""
        return [s for s in json_of(self.httpd)["sessions"] if s["begun"] > self.begun]

    def expect_rest_zero(self, *names):
        """Of these families all members but those that were expected are 0."""
        now = self.now()
        return {n: v for n, v in now.items() if v and n.split(".")[0] in names}


def gauges(httpd, **expected):
    """Waits until the gauges are so."""
    def are():
        now = json_of(httpd)["gauges"]
        return all(now[name] == n for name, n in expected.items())
    try:
        wait_until(are, "gauges", timeout=5, interval=0.05)
    except AssertionError:
        raise AssertionError("%s instead of %s" % (json_of(httpd)["gauges"], expected)) from None


def tool(name):
    path = shutil.which(name)
    if not path:
        pytest.skip("%s is not installed" % name)
    return path


def run(*command):
    result = subprocess.run(command, capture_output=True, text=True, timeout=60 * env.SLOWER)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return result.stdout


@pytest.fixture(params=["event", "worker", "prefork"])
def mpm(request):
    return request.param


@pytest.fixture
def httpd(servers, mpm):
    if mpm == "prefork":
        return servers.get("status", "prefork", CONFIG, servers=6, cgi="cgi")
    return servers.get("status", mpm, CONFIG)


@pytest.fixture
def event(servers):
    return servers.get("status", "event", CONFIG)


# -- counts -----------------------------------------------------------------------------------------


def test_requests_of_many_clients_are_all_counted(httpd):
    figures = Figures(httpd)
    client = open_client(httpd, "tls")
    for _ in range(10):
        assert client.get("/text.txt").status == 200
    for path, status in (("/missing", 404), ("/moved", 302), ("/unavailable", 503)):
        assert client.get(path).status == status
    stream = client.fetch("POST", "/h2test/echo", body=bytes(30000))
    assert stream.received == 30000
    client.close()
    for _ in range(3):
        run(tool("curl"), "-sk", "--http2", httpd.url("/files/1000.bin", "tls"), "-o", "/dev/null")
    run(tool("curl"), "-s", "--http2", httpd.url("/files/1000.bin", "clear"), "-o", "/dev/null")
    for _ in range(2):
        run(tool("nghttp"), "-n", httpd.url("/files/1000.bin", "clear"))
    client = open_client(httpd, "tls", tls=Tls(alpn=()))
    assert client.get("/files/1000.bin").status == 200
    client.close()
    figures.expect(sessions__alpn=4, sessions__preface_tls=1, sessions__preface=2,
                   sessions__upgrade=1, sessions_ended=8, streams=21, requests=21, completed=21,
                   responses__1xx=0, responses__2xx=18, responses__3xx=1, responses__4xx=1,
                   responses__5xx=1, received_body_bytes=30000, streams_refused=0, tunnels=0,
                   received_frames__headers=20, sent_frames__headers=21)
    now = json_of(httpd)
    assert not figures.expect_rest_zero("resets_sent", "resets_received", "floods", "limits")
    assert now["times"]["total"]["count"] == now["counts"]["completed"]
    # the request of an Upgrade has no priority
    assert sum(now["counts"]["urgencies"].values()) == \
        now["counts"]["streams"] - now["counts"]["sessions"]["upgrade"]


def test_bytes_of_bodies_are_those_on_the_wire(event):
    figures = Figures(event)
    client = open_client(event, "clear")
    received = sum(client.get("/files/%d.bin" % n).received for n in (1, 1000, 65537, 1048576))
    client.fetch("POST", "/h2test/read", body=bytes(123456))
    client.ping()
    bytes_in, bytes_out = client.wire.bytes_out, client.wire.bytes_in
    received += client.streams[max(client.streams)].received
    client.close()
    figures.expect(sent_body_bytes=received, received_body_bytes=123456, received_bytes=bytes_in,
                   sent_bytes=bytes_out, sessions_ended=1)


def test_field_blocks_are_measured(event):
    figures = Figures(event)
    client = open_client(event, "clear")
    for _ in range(3):
        client.get("/text.txt", headers=[("x-some", "value of it")])
    sent = sum(len(f.payload) for f in client.frames if f.sent and f.type == 1)
    received = sum(len(f.payload) for f in client.received(1))
    fields = sum(len(n) + len(v) + 32 for n, v in client.request_fields(
        "GET", "/text.txt", [("x-some", "value of it")])) * 3
    client.close()
    figures.expect(received_block_bytes=sent, sent_block_bytes=received,
                   received_field_bytes=fields)


def test_resets_are_counted_by_error_and_side(event, counter):
    figures = Figures(event)
    client = open_client(event, "tls")
    for code in (CANCEL, CANCEL, NO_ERROR, 99):
        stream = client.request("GET", GATE % counter.gate())
        client.send_reset(stream, code)
    bad = client.request("GET", "/text.txt", headers=[("Upper", "case")])
    assert client.wait_reset(bad).reset == PROTOCOL_ERROR
    client.close()
    figures.expect(resets_received__cancel=2, resets_received__no_error=1,
                   resets_received__other=1, resets_sent__protocol_error=1)
    assert figures.expect_rest_zero("resets_sent", "resets_received").keys() == {
        "resets_received.cancel", "resets_received.no_error", "resets_received.other",
        "resets_sent.protocol_error"}


def test_streams_that_are_refused_are_counted(event):
    figures = Figures(event)
    client = open_client(event, "tls")
    client.wait_settings()
    streams = [client.request("GET", "/h2test/sleep?ms=300") for _ in range(25)]
    client.wait(*streams)
    refused = [s for s in streams if s.reset == REFUSED_STREAM]
    assert len(refused) == 5
    client.close()
    figures.expect(streams=25, streams_refused=5, resets_sent__refused_stream=5, requests=20)


def test_goaways_are_counted_by_error_and_side(event):
    figures = Figures(event)
    client = open_client(event, "tls")
    client.get("/text.txt")
    client.send_goaway()
    client.wait_closed()
    client = open_client(event, "tls")
    client.get("/text.txt")
    client.send_frame(0, 0, 0, b"DATA on no stream")
    assert client.wait_goaway().error_code == PROTOCOL_ERROR
    client.wait_closed()
    figures.expect(goaways_received__no_error=1, goaways_sent__protocol_error=1, sessions_ended=2)


@pytest.mark.parametrize("cause, frame", [
    ("ping", (6, 0, 0, b"12345678")),
    ("priority", (2, 0, 1001, struct.pack(">IB", 0, 1))),
    ("other_frames", (0x55, 0, 0, b"")),
])
def test_who_is_thrown_out_is_counted_by_cause(event, cause, frame):
    figures = Figures(event)
    client = open_client(event, "tls")
    client.get("/text.txt")
    with client.cork():
        for _ in range(1100):
            client.send_frame(*frame)
    assert client.wait_goaway().error_code == ENHANCE_YOUR_CALM
    client.close()
    figures.expect(**{"floods__" + cause: 1, "goaways_sent__enhance_your_calm": 1,
                      "sessions_ended": 1})
    assert figures.expect_rest_zero("floods") == {"floods." + cause: 1}


def test_pushes_are_counted_as_sent_cancelled_and_spared(event):
    figures = Figures(event)
    client = open_client(event, "tls")
    client.get("/linked/write?n=10")
    client.wait_for(lambda: client.pushed, "a push")
    client.wait(*client.pushed)
    client.get("/linked/write?n=10")
    figures.expect(pushes=1, pushes_spared=1, pushes_cancelled=0)
    client.close()
    client = open_client(event, "tls", auto_window=False)
    client.get("/linked/large/write?n=10")
    client.wait_for(lambda: client.received(PUSH_PROMISE), "a promise")
    client.send_reset(client.pushed[-1])
    client.ping()
    client.close()
    figures.expect(pushes=2 + len(client.received(PUSH_PROMISE)) - 1, pushes_cancelled=1)


def test_early_hints_are_counted(event):
    figures = Figures(event)
    client = open_client(event, "tls")
    stream = client.get("/hinted/write?n=10")
    assert [status for status, _ in stream.interim] == [103]
    client.close()
    figures.expect(early_hints=1, responses__1xx=1, responses__2xx=1)


def test_stalls_and_the_time_in_them_are_counted(event):
    figures = Figures(event)
    client = open_client(event, "tls", auto_window=False, settings={INITIAL_WINDOW_SIZE: 1000})
    stream = client.request("GET", "/files/65537.bin")
    client.wait_bytes(stream, 1000)
    client.ping()
    json_of(event)                              # takes its time
    client.send_window_update(0, 100000)
    client.send_window_update(stream.id, 100000)
    client.wait(stream)
    client.close()
    now = figures.expect(stalls=1, completed=1)
    assert 0 < now["stall_seconds"] < 60
    assert json_of(event)["times"]["client"]["count"] >= 1


# -- restarts and crashes ---------------------------------------------------------------------------


@pytest.fixture
def own(servers, mpm):
    """A server whose children may come and go."""
    options = dict(servers=2, cgi="cgi") if mpm == "prefork" else {}
    server = servers.new("status-own", mpm, CONFIG, is_stable=False, **options).start()
    yield server
    server.stop()


def fetch(httpd, count):
    client = open_client(httpd, "tls")
    for _ in range(count):
        assert client.get("/text.txt").status == 200
    return client


def test_counts_go_on_over_graceful_restarts(own):
    total = 0
    since = json_of(own)["since"]
    for generation in range(3):
        fetch(own, 5).close()
        total += 5
        wait_until(lambda: json_of(own)["counts"]["completed"] == total, "the requests")
        assert json_of(own)["counts"]["requests"] == total
        own.graceful()
    wait_until(lambda: json_of(own)["server"]["generation"] == 3, "the new generation")
    assert json_of(own)["since"] == since
    gauges(own, open_sessions=0, open_streams=0, running_requests=0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_child_that_dies_leaves_its_counts_and_no_gauges(own, counter, number):
    client = fetch(own, 7)
    client.request("GET", GATE % counter.gate())
    if own.mpm != "prefork":
        client.ping()
    if own.mpm == "prefork":                    # the status is that of the other child
        wait_until(lambda: json_of(own)["gauges"]["open_sessions"] == 1, "the session")
    else:
        gauges(own, open_sessions=1, open_streams=1, running_requests=1)
        wait_until(lambda: json_of(own)["workers"]["requests"], "the request")
    victim = next(child["pid"] for child in json_of(own)["children"] if child["open_sessions"])
    os.kill(victim, number)
    client.wait_closed()
    wait_until(lambda: victim not in [c["pid"] for c in json_of(own)["children"]], "its end")
    fetch(own, 3).close()
    gauges(own, open_sessions=0, idle_sessions=0, parked_sessions=0, open_streams=0, waiting_requests=0,
           running_requests=0, open_tunnels=0)
    now = json_of(own)
    assert now["counts"]["requests"] == 11 and now["workers"]["requests"] == []
    assert all(0 <= n < 1e12 for n in flat(now["counts"]).values())
    assert now["sessions"] == []
    assert now["workers"]["spare_workers"] <= now["workers"]["workers"]
    assert "h2_session" not in page_of(own).text


def test_who_is_timed_out_is_counted_once(servers, counter):
    """Also while a handler of his still runs, for which the connection waits."""
    server = servers.get("status-short", "event", CONFIG + "Timeout 1\n")
    figures = Figures(server)
    client = open_client(server, "clear", auto_ack=False)
    client.request("GET", GATE % counter.gate())
    client.wait_for(lambda: client.goaways, "GOAWAY")
    assert client.goaways[-1].error_code == SETTINGS_TIMEOUT
    time.sleep(1.2)  # so often are timers looked at four times
    counter.open()
    figures.expect(limits__settings_timeout=1)


# -- sessions, threads, connections -----------------------------------------------------------------


def test_sessions_are_listed_with_their_clients_and_streams(event, counter):
    figures = Figures(event)
    busy, idle = open_client(event, "tls"), open_client(event, "clear")
    idle.get("/text.txt")
    busy.get("/text.txt")
    busy.request("GET", GATE % counter.gate() + "&who=busy")
    busy.ping()

    def both():
        """As they are, when the list is new enough."""
        found = {s["by"]: s for s in figures.sessions()}
        first, second = found.get("alpn"), found.get("preface")
        return first and second and (
            first["streams"], first["open_streams"], first["running_requests"], first["idle_seconds"],
            second["streams"], second["open_streams"], second["idle_seconds"] > 0) == (
                2, 1, 1, 0, 1, 0, True) and (first, second)
    first, _ = wait_until(both, "both")
    assert first["client"] == "127.0.0.1" and first["server"] == "a.test"
    gauges(event, open_sessions=2, idle_sessions=1, parked_sessions=1, open_streams=1,
           running_requests=1)
    requests = json_of(event)["workers"]["requests"]
    assert [r["request"] for r in requests] == ["GET %s&who=busy HTTP/2.0" % (GATE % counter.gate())]
    assert 0 <= requests[0]["seconds"] < 60 and requests[0]["client"] == "127.0.0.1"
    text = page_of(event).text
    assert "?connection=%d" % first["id"] in text and "who=busy" in text


def test_when_a_connection_began_is_the_same_whenever_it_is_asked_for(event):
    """By the order of that, lists are sorted."""
    figures = Figures(event)
    clients = [open_client(event, "clear") for _ in range(3)]
    for client in clients:
        client.get("/text.txt")
    wait_until(lambda: len(figures.sessions()) == 3, "all")
    lists = [{s["id"]: s["begun"] for s in figures.sessions()}]
    for _ in range(3):                        # a list is at most a second and a half old
        before = {s["id"]: s["idle_seconds"] for s in figures.sessions()}

        def is_newer():
            return all(s["idle_seconds"] > before[s["id"]] for s in figures.sessions())
        wait_until(is_newer, "a new list")
        lists.append({s["id"]: s["begun"] for s in figures.sessions()})
    assert all(found == lists[0] for found in lists)
    assert len(set(lists[0].values())) == 3


def connection_of(figures):
    return wait_until(figures.sessions, "the session")[0]["id"]


def test_a_connection_is_shown_with_its_settings_windows_and_streams_in_order(event):
    figures = Figures(event)
    client = open_client(event, "tls", auto_window=False,
                         settings={INITIAL_WINDOW_SIZE: 70000, 5: 20000})
    for urgency in (5, 1, 3, 7):
        client.request("GET", "/files/1048576.bin", headers=[("priority", "u=%d" % urgency)])
    client.wait_for(lambda: sum(f.length for f in client.received(0)) >= 65535, "all of the window")
    client.ping()
    query = "?json&connection=%d" % connection_of(figures)

    def look():
        found = json_of(event, query)["connection"]
        return found if all(s["status"] for s in found["in_order"]) and \
            len(found["in_order"]) == 4 else None
    found = wait_until(look, "the heads")
    assert [s["urgency"] for s in found["in_order"]] == [1, 3, 5, 7]
    assert [s["id"] for s in found["in_order"]] == [3, 5, 1, 7]
    sent = {s.id: s.received for s in client.streams.values()}
    assert {s["id"]: 70000 - s["window"] for s in found["in_order"]} == sent
    assert found["windows"]["send"] == 0 and found["windows"]["receive"] > 0
    assert found["settings"]["client"]["initial_window_size"] == 70000
    assert found["settings"]["client"]["max_frame_size"] == 20000
    assert found["settings"]["ours"]["max_concurrent_streams"] == 20
    assert found["settings"]["ours"]["no_rfc7540_priorities"] == 0
    assert found["settings"]["is_acknowledged"] is True
    assert all(s["is_shut"] and not s["is_sending"] for s in found["in_order"])
    assert found["in_order"][0]["request"] == "GET /files/1048576.bin"
    text = page_of(event, "?connection=%d" % connection_of(figures)).text
    assert text.count("no window") == 4 and "u=7" in text and "70,000" in text


def test_a_connection_that_has_ended_is_not_found(event):
    figures = Figures(event)
    client = open_client(event, "tls")
    client.get("/text.txt")
    query = "?connection=%d" % connection_of(figures)
    client.close()
    gauges(event, open_sessions=0)
    with Http1(event.address("clear")) as asking:
        wait_until(lambda: asking.get(STATUS + query).status == 404, "404", interval=0.2)


# -- the handler ------------------------------------------------------------------------------------


@pytest.mark.parametrize("query, status, words", [
    ("?nothing", 400, "The query may have"), ("?json=1", 400, "The query may have"),
    ("?connection=", 400, "number of a connection"), ("?connection=-1", 400, "number of a conn"),
    ("?connection=1x", 400, "number"), ("?connection=99999999999999999999", 400, "number"),
    ("?connection=123", 404, "no such connection"), ("?json&connection=123", 404, "no such"),
    ("?refresh=0", 400, "seconds"), ("?refresh=4000", 400, "seconds"),
    ("?metrics&json", 400, "metrics"), ("?%3Cscript%3E", 400, "The query may have")])
def test_a_bad_query_is_refused_with_a_sentence(event, query, status, words):
    with Http1(event.address("clear")) as client:
        answer = client.get(STATUS + query)
        assert answer.status == status and words in answer.text
        assert dict(answer.fields)["content-type"].startswith("text/plain")


@pytest.mark.parametrize("version", [1, 2])
def test_only_get_and_head_are_taken(httpd, version):
    client = Http1(httpd.address("clear")) if version == 1 else open_client(httpd, "tls")
    for method, status in (("GET", 200), ("HEAD", 200), ("POST", 405), ("DELETE", 405)):
        if version == 1:
            answer = client.request(method, STATUS)
        else:
            answer = client.fetch(method, STATUS)
        assert answer.status == status
        fields = dict(answer.fields)
        assert status != 405 or set(fields["allow"].split(",")) <= {"GET", "HEAD", "TRACE"}
        assert status != 200 or fields["cache-control"] == "no-store"
    client.close()


class Balanced(HTMLParser):
    """Each element is closed by its own end tag, but for those that have none; and each row of a
    table has as many cells as its head."""
    VOID = {"meta", "link", "br", "hr", "img"}

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.count, self.scripts, self.ids = [], 0, 0, []
        self.heads = self.cells = 0

    def handle_starttag(self, tag, attributes):
        self.count += 1
        names = [name for name, _ in attributes]
        assert len(names) == len(set(names))
        assert not any(name.startswith("on") or name == "style" for name in names)
        assert all(not (value or "").strip().lower().startswith(("http", "//", "javascript"))
                   for name, value in attributes if name in ("href", "src"))
        self.ids += [value for name, value in attributes if name == "id"]
        self.scripts += tag == "script"
        self.heads = 0 if tag == "table" else self.heads + (tag == "th")
        self.cells = 0 if tag == "tr" else self.cells + (tag == "td")
        if "colspan" in names:
            self.cells = self.heads  # the only one
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, (tag, self.open, self.getpos())
        assert tag != "tr" or self.cells in (0, self.heads), self.getpos()
        self.open.pop()


def check_html(text):
    parser = Balanced()
    parser.feed(text)
    parser.close()
    assert not parser.open and parser.count > 50 and parser.scripts == 1
    assert len(parser.ids) == len(set(parser.ids))
    assert "\x00" not in text and text.startswith("<!DOCTYPE html>")


def test_the_pages_are_well_formed_and_need_nothing_from_elsewhere(event, counter):
    figures = Figures(event)
    client = open_client(event, "tls")
    client.get("/missing")
    client.request("GET", GATE % counter.gate())
    client.ping()
    for query in ("", "?refresh=7", "?connection=%d" % connection_of(figures)):
        answer = page_of(event, query)
        check_html(answer.text)
        policy = dict(answer.fields)["content-security-policy"]
        nonce = re.search("script-src 'nonce-([^']+)'", policy).group(1)
        assert policy.startswith("default-src 'none';") and "unsafe" not in policy
        assert '<script nonce="%s">' % nonce in answer.text
        assert '<style nonce="%s">' % nonce in answer.text
        assert ('http-equiv="refresh" content="7"' in answer.text) == (query == "?refresh=7")
    assert nonce not in page_of(event).text


HOSTILE = GATE + '&"><script>a(1)</script>\'&amp;\\'


def test_what_clients_send_stays_text(event, counter):
    figures = Figures(event)
    client = open_client(event, "tls")
    client.request("GET", HOSTILE % counter.gate())
    client.ping()
    found = wait_until(lambda: json_of(event)["workers"]["requests"], "the request")
    assert found[0]["request"].startswith("GET " + (HOSTILE % counter.gate())[:50])
    for query in ("", "?connection=%d" % connection_of(figures)):
        text = page_of(event, query).text
        check_html(text)
        assert "<script>a(" not in text and "&lt;script&gt;" in text


def test_a_hostile_host_stays_text(event):
    with Http1(event.address("clear"), host='a"<b>') as client:
        answer = client.get(STATUS)
        if answer.status == 200:
            check_html(answer.text)
            assert "<b>a" not in answer.text and 'a"<b>' not in answer.text


def test_bytes_that_are_no_utf_8_are_shown_as_unknown(event, counter):
    Figures(event)
    client = open_client(event, "tls")
    stream = client.open()
    path = (GATE % counter.gate()).encode() + b"&\xff\xc3x\xe2\x82\xac"
    client.send_frame(1, 5, stream.id, b"".join(
        b"\x00" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in (
            (b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a.test"),
            (b":path", path))))
    client.ping()
    found = wait_until(lambda: json_of(event)["workers"]["requests"], "the request")
    assert found[0]["request"].endswith("&\ufffd\ufffdx\u20ac HTTP/2.0")
    text = page_of(event).text
    check_html(text)
    assert "&amp;\ufffd\ufffdx\u20ac" in text


def test_without_extended_status_there_are_no_addresses_and_no_urls(servers, counter):
    config = CONFIG.replace("ExtendedStatus On", "ExtendedStatus Off")
    server = servers.get("status-off", "event", config)
    client = open_client(server, "tls")
    client.request("GET", GATE % counter.gate() + "&secret=1")
    client.ping()
    gauges(server, running_requests=1)
    found = wait_until(lambda: [x for x in [json_of(server)] if x["sessions"]
                                and x["workers"]["requests"]], "the request")[0]
    query = "connection=%d" % found["sessions"][0]["id"]
    texts = [json.dumps(found), json.dumps(json_of(server, "?json&" + query)),
             page_of(server).text.replace("<h1>127.0.0.1", "").replace("127.0.0.1 &#183;", ""),
             page_of(server, "?" + query).text.replace("<h1>127.0.0.1", "")]
    for text in texts:
        assert "secret" not in text and "/h2test" not in text and "127.0.0.1" not in text
    assert found["server"]["extended_status"] is False and "client" not in found["sessions"][0]


def test_without_rows_in_the_scoreboard_threads_are_numbers_only(servers, counter):
    server = servers.get("status-rows", "event", CONFIG + "\nThreadLimit 32\n", threads=32)
    client = open_client(server, "tls")
    client.request("GET", GATE % counter.gate())
    client.ping()
    gauges(server, running_requests=1)
    workers = json_of(server)["workers"]
    assert workers["has_requests"] is False and workers["requests"] == [] and workers["workers"] > 0
    assert "ThreadLimit above ThreadsPerChild" in page_of(server).text


def test_the_documentation_has_each_member_of_the_json(event):
    text = (env.CHECKOUT / "docs" / "observability.md").read_text()
    now = json_of(event)
    for name, value in now["counts"].items():
        row = re.search(r"^\| `%s` \|(.*)$" % name, text, re.M)
        assert row, name
        if isinstance(value, dict) and "error codes" not in row.group(1):
            assert re.findall("`([^`]+)`", row.group(1).split("|")[0]) == list(value)
    for part in ("times", "gauges", "workers", "streams", "memory", "hpack", "history", "server"):
        for name in now[part]:
            assert "`%s`" % name in text, (part, name)
    assert all("`%s`" % name in text for name in now)


def test_the_history_has_what_happened_in_its_seconds(event):
    figures = Figures(event)
    client = open_client(event, "tls")
    before = sum(json_of(event)["history"]["requests"])
    for _ in range(30):
        client.get("/text.txt")
    figures.expect(requests=30)
    wait_until(lambda: sum(json_of(event)["history"]["requests"]) == before + 30, "the history",
               timeout=5, interval=0.2)
    history = json_of(event)["history"]
    assert all(len(column) == 299 for column in history.values() if isinstance(column, list))
    assert history["open_sessions"][-1] == 1 and history["workers"][-1] > 0


# -- mod_status -------------------------------------------------------------------------------------


def test_server_status_has_our_part(httpd):
    with Http1(httpd.address("clear")) as client:
        auto = dict(line.split(": ", 1) for line in client.get("/server-status?auto").text.splitlines()
                    if ": " in line)
        counts = json_of(httpd)["counts"]
        assert int(auto["H2Requests"]) == counts["requests"]
        assert int(auto["H2Responses2xx"]) == counts["responses"]["2xx"]
        assert int(auto["H2Responses"]) == sum(counts["responses"].values())
        assert float(auto["H2TimeFirstByteP99"]) >= 0 and "H2OpenSessions" in auto
        page = client.get("/server-status").text
        assert "<h2>HTTP/2</h2>" in page and page.rstrip().endswith("</html>")
        plain = client.get("/server-status?notable").text
        assert "<dt>Requests: %d" % counts["requests"] in plain.replace(",", "")
        assert "<table" not in plain.partition("<h2>HTTP/2")[2]


# -- Chromium ---------------------------------------------------------------------------------------


# What Chromium remembers of a reader who has switched scripts off.
NO_SCRIPT = {"profile": {"default_content_setting_values": {"javascript": 2}}}


def command_of(folder, preferences):
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    if preferences:
        Path(folder, "Default").mkdir()
        Path(folder, "Default", "Preferences").write_text(json.dumps(preferences))
    return ["env", "HOME=%s" % folder, path, "--headless", "--no-sandbox", "--disable-gpu",
            "--disable-dev-shm-usage", "--ignore-certificate-errors", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
            "--user-data-dir=%s" % folder]


def chromium(url, *options, preferences=None):
    with tempfile.TemporaryDirectory() as folder:
        return run(*command_of(folder, preferences), *options, url)


@contextlib.contextmanager
def browsing(url, folder, preferences):
    """A browser that stays on the page."""
    process = subprocess.Popen([*command_of(folder, preferences), "--remote-debugging-port=0", url],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_the_script_reads_the_page_again(event):
    text = chromium(event.url(STATUS, "tls"), "--dump-dom", "--virtual-time-budget=15000")
    assert re.search('<html[^>]* data-refreshed="[1-9]', text), text[:300]
    assert '<button id="pause" type="button">Pause' in text


def first_pixel(path):
    """Red, green, blue at the top left of a PNG, whichever filter its first row has."""
    import zlib
    data, position, packed = path.read_bytes(), 8, b""
    while position < len(data):
        length, kind = struct.unpack(">I4s", data[position:position + 8])
        if kind == b"IDAT":
            packed += data[position + 8:position + 8 + length]
        position += 12 + length
    return tuple(zlib.decompress(packed)[1:4])


@pytest.mark.parametrize("options, preferences, color", [
    ([], None, (244, 246, 249)), ([], NO_SCRIPT, (244, 246, 249)),
    (["--blink-settings=preferredColorScheme=0"], None, (12, 17, 27))],
    ids=["light", "without script", "dark"])
def test_the_page_is_drawn(event, tmp_path, options, preferences, color):
    fetch(event, 3)
    picture = tmp_path / "page.png"
    chromium(event.url(STATUS, "clear"), "--screenshot=" + str(picture), "--window-size=1000,900",
             *options, preferences=preferences)
    assert first_pixel(picture) == color
    assert picture.stat().st_size > 20000       # there is something on it


def test_without_script_the_page_is_read_again_when_asked_to(event, tmp_path):
    """Which a page does that is all there, as its own script does nothing."""
    before = len(event.access_lines())
    with browsing(event.url(STATUS + "?refresh=1", "clear"), tmp_path, NO_SCRIPT):
        wait_until(lambda: len(event.access_lines()) >= before + 2, "the second look", timeout=40)

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""H2ServerTiming: what a response says of its own time, and who sees it."""

import json
import re
import subprocess
import time

import pytest

import environment as env
from conftest import open_client
from h1client import Http1
from h2client import INITIAL_WINDOW_SIZE, MAX_WINDOW
from servers import SITE, VHOSTS
from test_clients import chromium, load_page  # noqa: F401 (a fixture)

LATE = 500 * env.SLOWER         # milliseconds
TE = {"te": "trailers"}

CONFIG = SITE + """
H2MinWorkers 1
H2MaxWorkers 1
H2ServerTiming on
<Directory "{docroot}/htaccess">
    AllowOverride FileInfo
</Directory>
<Location /off/>
    H2ServerTiming off
</Location>
Alias /off/ "{docroot}/"
<Location /said/>
    Header set Server-Timing "db;dur=53, cache;desc=\\"hit\\""
</Location>
Alias /said/ "{docroot}/"
<Location /always/>
    Header always set Server-Timing "db;dur=53"
</Location>
Alias /always/ "{docroot}/"
<Location /h2test/pushes/>
    Header add Link "</files/1000.bin>; rel=preload"
</Location>
<Location /h2test/trailed/>
    Header set Trailer "x-end"
</Location>
ErrorDocument 404 /text.txt
<VirtualHost *:{port_without}>
    ServerName a.test
    Protocols h2c http/1.1
    H2ServerTiming off
    <Directory "{docroot}/files">
        H2ServerTiming on
    </Directory>
</VirtualHost>
""" + VHOSTS


@pytest.fixture
def httpd(servers, mpm):
    return servers.get("timing", mpm, CONFIG, ports=("tls", "clear", "without"), cores={0})


MEMBER = re.compile(r'([a-z0-9-]+);dur=(\d+\.\d{3})(?:;desc="[^"]*")?$')


def members(text):
    """Of ours, {name: milliseconds}."""
    found = [MEMBER.match(member) for member in text.split(", ")]
    return {m.group(1): float(m.group(2)) for m in found if m}


def timing(stream):
    return members(stream.headers.get("server-timing", ""))


def at_the_end(stream):
    return members(dict(stream.trailers or []).get("server-timing", ""))


def test_a_response_says_how_long_it_waited_and_ran(h2):
    started = time.monotonic()
    stream = h2.get("/h2test/sleep?ms=120")
    took = (time.monotonic() - started) * 1000
    found = timing(stream)
    assert stream.complete and set(found) == {"h2-wait", "h2-run"}
    assert 120 <= found["h2-run"] <= 120 + LATE and found["h2-wait"] + found["h2-run"] <= took
    assert stream.trailers is None and "trailer" not in stream.headers


def test_a_request_that_has_waited_for_a_thread_says_so(h2):
    first = h2.request("POST", "/h2test/read", end=False)
    h2.ping()
    second = h2.request("POST", "/h2test/read", end=False)
    h2.ping()
    time.sleep(0.25)
    h2.send_data(first, b"content", end=True)
    h2.send_data(second, b"content", end=True)
    h2.wait(first, second)
    assert 250 <= timing(second)["h2-wait"] <= 250 + LATE


@pytest.mark.parametrize("path, is_on", [
    ("/text.txt", True), ("/off/text.txt", False), ("/missing", True), ("/cgi/env", True),
    ("/proxy/size/100", True), ("/h2test/redirect?to=/text.txt", True),
    ("/h2test/redirect?to=/off/text.txt", False), ("/h2test/fail?how=return", True)])
def test_where_it_is_on(h2, path, is_on):
    assert bool(timing(h2.get(path))) is is_on


def test_a_vhost_and_a_directory_decide(httpd):
    client = open_client(httpd, "clear", port="without")
    assert not timing(client.get("/text.txt")) and timing(client.get("/files/1.bin"))


def test_a_htaccess_file_decides(servers, httpd, h2):
    folder = servers.docroot / "htaccess" / "timing"
    folder.mkdir(exist_ok=True)
    (folder / "page.txt").write_text("page\n")
    (folder / ".htaccess").write_text("H2ServerTiming off\n")
    assert not timing(h2.get("/htaccess/timing/page.txt"))
    (folder / ".htaccess").write_text("H2ServerTiming on\n")
    assert timing(h2.get("/htaccess/timing/page.txt"))


def test_errors_before_a_handler_have_it(h2):
    stream = h2.get("/text.txt", {"x-long": "x" * 9000})
    assert stream.status == 431 and timing(stream)


def test_interim_responses_have_none(h2):
    stream = h2.request("POST", "/h2test/read", {"expect": "100-continue"}, end=False)
    h2.wait_for(lambda: stream.interim, "100")
    h2.send_data(stream, b"content", end=True)
    h2.wait(stream)
    assert stream.interim == [(100, [])] and timing(stream)


def test_pushed_responses_have_it(connect):
    client = connect(settings={2: 1})
    main = client.get("/h2test/pushes/write?n=10", TE)
    client.wait_for(lambda: client.pushed, "the promise")
    pushed = client.wait(client.pushed[0])
    assert timing(main) and timing(pushed) and pushed.trailers is None and main.trailers


def test_http_1_1_has_none(httpd):
    with Http1(httpd.address("clear")) as client:
        assert "server-timing" not in {n.lower() for n, _ in client.get("/text.txt").fields}


# -- other fields of that name ----------------------------------------------------------------------


@pytest.mark.parametrize("place, theirs", [("/said/", 'db;dur=53, cache;desc="hit"'),
                                           ("/always/", "db;dur=53")])
def test_what_the_application_says_comes_first_and_stays(h2, place, theirs):
    stream = h2.get(place + "text.txt")
    fields = [value for name, value in stream.fields if name == "server-timing"]
    assert len(fields) == 1 and fields[0].startswith(theirs + ", h2-wait;dur=")
    assert {"h2-wait", "h2-run"} <= set(timing(stream))


def test_where_it_is_off_the_field_of_the_application_is_all(h2):
    stream = h2.get("/off/text.txt")
    assert "server-timing" not in stream.headers


# -- trailers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/files/1000.bin", "/files/65537.bin", "/h2test/sleep?ms=60",
                                  "/h2test/write?n=50000&flush=1", "/cgi/env", "/proxy/size/100"])
def test_trailers_say_the_rest_where_the_client_takes_them(connect, path):
    client = connect(window=1 << 20, settings={INITIAL_WINDOW_SIZE: 1 << 20})
    started = time.monotonic()
    stream = client.get(path, TE)
    took = (time.monotonic() - started) * 1000
    assert stream.complete and [n for n, _ in stream.trailers] == ["server-timing"]
    found = at_the_end(stream)
    assert set(found) == {"h2-total", "h2-blocked", "h2-run"}
    assert found["h2-run"] <= found["h2-total"] <= took and found["h2-blocked"] == 0
    assert timing(stream)["h2-run"] <= found["h2-run"]


def test_they_are_announced_where_a_body_is_there(h2):
    assert h2.get("/files/1000.bin", TE).headers["trailer"] == "Server-Timing"
    assert h2.get("/h2test/trailed/write?n=10", TE).headers["trailer"] == "x-end, Server-Timing"


@pytest.mark.parametrize("method, path", [
    ("HEAD", "/files/1000.bin"), ("GET", "/files/0.bin"), ("GET", "/h2test/write?n=0"),
    ("GET", "/htaccess")])
def test_a_response_without_a_body_has_none_and_promises_none(h2, method, path):
    stream = h2.fetch(method, path, TE)
    assert stream.complete and timing(stream)
    assert (stream.trailers is None) == (stream.received == 0)
    assert ("trailer" in stream.headers) == (stream.received > 0)


def test_a_304_has_none(h2):
    etag = h2.get("/files/1000.bin").headers["etag"]
    stream = h2.get("/files/1000.bin", {**TE, "if-none-match": etag})
    assert stream.status == 304 and stream.complete and stream.trailers is None
    assert timing(stream) and "trailer" not in stream.headers


def test_those_of_the_application_stay(h2):
    stream = h2.get("/h2test/write?n=10&set_trailers=x-end:yes", TE)
    assert stream.trailers[0] == ("x-end", "yes") and at_the_end(stream)
    assert h2.get("/h2test/write?n=10&set_trailers=x-end:yes").trailers == [("x-end", "yes")]


def test_trailers_of_the_application_need_no_body(h2):
    stream = h2.get("/h2test/write?n=0&set_trailers=x-end:yes", TE)
    assert stream.complete and [n for n, _ in stream.trailers][0] == "x-end"


def test_time_blocked_is_known_at_the_end(connect):
    client = connect(auto_window=False, settings={INITIAL_WINDOW_SIZE: 1000})
    stream = client.request("GET", "/files/65537.bin", TE)
    client.wait_bytes(stream, 1000)
    shut = time.monotonic()
    time.sleep(0.2)
    at_least = (time.monotonic() - shut) * 1000
    client.send_window_update(0, MAX_WINDOW - 65535)
    client.send_window_update(stream.id, 1 << 20)
    client.wait(stream)
    found = at_the_end(stream)
    assert stream.complete and at_least - 10 <= found["h2-blocked"] <= at_least + LATE
    assert found["h2-run"] < found["h2-blocked"] <= found["h2-total"]


def test_an_end_that_has_no_window_says_it_too(connect):
    """The body is gone with the last byte of the window: then the handler ends it."""
    client = connect(auto_window=False, settings={INITIAL_WINDOW_SIZE: 1000})
    stream = client.request("GET", "/h2test/sleep?ms=50&n=1000", TE)
    client.wait(stream)
    assert stream.complete and stream.received == 1000 and at_the_end(stream)["h2-run"] >= 50


def test_a_response_that_breaks_off_has_no_trailers(h2):
    stream = h2.get("/h2test/fail?n=10&how=error", TE)
    assert stream.reset is not None and stream.trailers is None


# -- clients ----------------------------------------------------------------------------------------


def test_curl_shows_the_field(servers):
    httpd = servers.get("timing", "event", CONFIG, ports=("tls", "clear", "without"), cores={0})
    head = subprocess.run(["curl", "-sk", "--http2", "-H", "TE: trailers", "-D", "-", "-o",
                           "/dev/null", httpd.url("/text.txt")], capture_output=True, text=True)
    assert "server-timing: h2-wait;dur=" in head.stdout and "trailer: Server-Timing" in head.stdout


def test_nghttp_sees_field_and_trailer(servers):
    httpd = servers.get("timing", "event", CONFIG, ports=("tls", "clear", "without"), cores={0})
    out = subprocess.run(["nghttp", "-nv", "--no-dep", "-H", "te: trailers",
                          httpd.url("/text.txt", "clear")], capture_output=True, text=True).stdout
    assert re.search(r"server-timing: h2-wait;dur=\d", out), out
    assert re.search(r"server-timing: h2-total;dur=\d", out), out


PAGE = """<!DOCTYPE html><title>timing</title><body><pre id=out></pre><script>
fetch('/h2test/sleep?ms=80').then(r => r.text()).then(() => {
    const of = (type, part) => performance.getEntriesByType(type)
        .filter(e => e.name.includes(part))[0].serverTiming.map(t => [t.name, t.duration, t.description]);
    document.getElementById('out').textContent = 'RESULT' + JSON.stringify({
        page: of('navigation', 'timing.html'), resource: of('resource', 'sleep')}) + 'END';
});
</script>"""


def test_chromiums_developer_tools_have_it(servers, chromium):  # noqa: F811
    httpd = servers.get("timing", "event", CONFIG, ports=("tls", "clear", "without"), cores={0})
    (servers.docroot / "timing.html").write_text(PAGE)
    out = load_page(chromium, httpd.url("/timing.html"))
    found = json.loads(re.search("RESULT(.*)END", out).group(1).replace("&quot;", '"'))
    page = {name: (duration, text) for name, duration, text in found["page"]}
    resource = {name: (duration, text) for name, duration, text in found["resource"]}
    assert set(page) == set(resource) == {"h2-wait", "h2-run"}
    assert resource["h2-run"][0] >= 80 and resource["h2-run"][1] == "ran until the head"
    assert page["h2-wait"][1] == "waited for a thread"

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""What reaches a back end and what comes back, through mod_proxy_http, mod_proxy_http2,
mod_proxy_fcgi and mod_proxy_uwsgi: the same as for a client of HTTP/1.1, or better."""

import itertools
import json
import shutil
import socket
import threading

import pytest

import environment as env
from appservers import gunicorn, uwsgi
from conftest import open_client
from demosite import pattern
from environment import TEST_DIR, wait_until
from h1client import Http1
from h2client import INTERNAL_ERROR
from scripted import END_REQUEST, Scripted, ScriptedFastCgi, ScriptedUwsgi, record
from servers import SITE, VHOSTS

_numbers = itertools.count(1)

CONFIG = SITE + """
Timeout 20
KeepAliveTimeout 20
ProxyPass /back/ http://127.0.0.1:{http}/ retry=0 disablereuse=on
ProxyPass /quick/ http://localhost:{http}/ retry=0 timeout=1
ProxyPass /refused/ http://127.0.0.1:{nobody}/ retry=0
ProxyPass /refused-fcgi/ fcgi://127.0.0.1:{nobody}/ retry=0
ProxyPass /refused-uwsgi/ uwsgi://127.0.0.1:{nobody}/ retry=0
ProxyPass /refused-h2c/ h2c://127.0.0.1:{nobody}/ retry=0
ProxyPass /fcgi-raw/ fcgi://127.0.0.1:{raw}/ retry=0 timeout=1
ProxyPass /uwsgi-raw/ uwsgi://127.0.0.1:{raw_uwsgi}/ retry=0 timeout=1
ProxyPass /h2c/ h2c://127.0.0.1:{port_clear}/back/ retry=0
ProxyPass /gunicorn/ http://127.0.0.1:{gunicorn}/ retry=0
ProxyPass /fcgi/ fcgi://127.0.0.1:{fastcgi}/ retry=0
ProxyPass /uwsgi/ uwsgi://127.0.0.1:{uwsgi}/ retry=0
ProxyPass /preserved/ http://127.0.0.1:{http}/ retry=0
<Location /preserved/>
    ProxyPreserveHost on
</Location>
<Location /gunicorn/>
    ProxyPreserveHost on
    RequestHeader set X-Forwarded-Proto https
</Location>
ProxyPass /own-100/ http://127.0.0.1:{http}/ retry=0
<Location /own-100/>
    Proxy100Continue off
</Location>
""" + VHOSTS


@pytest.fixture(scope="module")
def back():
    scripted = Scripted()
    yield scripted
    scripted.close()


@pytest.fixture(scope="module")
def fastcgi():
    scripted = ScriptedFastCgi()
    yield scripted
    scripted.close()


@pytest.fixture(scope="module")
def raw_uwsgi():
    scripted = ScriptedUwsgi()
    yield scripted
    scripted.close()


@pytest.fixture(scope="module")
def apps():
    folder = env.scratch_dir() / "forwarding"
    folder.mkdir()
    shutil.copy(TEST_DIR / "lib" / "forward_app.py", folder)
    first, second = uwsgi(folder, folder / "forward_app.py"), gunicorn(folder, "forward_app")
    yield {**first.ports, "gunicorn": second.ports["http"]}
    first.close()
    second.close()


@pytest.fixture(scope="module")
def nobody():
    """A port that nobody listens at, and that nobody else gets meanwhile."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        yield s.getsockname()[1]


def start(servers, mpm, **ports):
    config = CONFIG
    for key, value in ports.items():
        config = config.replace("{%s}" % key, str(value))
    return servers.get("forwarding", mpm, config, threads=32 if mpm == "event" else 64,
                       modules=["proxy_fcgi", "proxy_uwsgi", "proxy_http2"])


@pytest.fixture(scope="module")
def ports(back, fastcgi, raw_uwsgi, apps, nobody):
    return {"http": back.port, "raw": fastcgi.port, "raw_uwsgi": raw_uwsgi.port, "nobody": nobody,
            **apps}


@pytest.fixture
def server(servers, mpm, ports):
    return start(servers, mpm, **ports)


@pytest.fixture
def client(server, transport):
    return open_client(server, transport)


@pytest.fixture
def event(servers, ports):
    return start(servers, "event", **ports)


@pytest.fixture
def clear(event):
    return open_client(event, "clear")


@pytest.fixture
def script(back):
    """Makes the back end answer with what is given; the path to ask for."""
    path = "/script%d" % next(_numbers)

    def script(answer):
        back.scripts[path] = answer if callable(answer) else lambda e: e.send(answer)
        back.seen.pop(path, None)
        return path[1:]
    return script


def accept(exchange):
    exchange.body = exchange.read_body()
    exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    return True


def http1(server, timeout=10):
    return Http1(server.address("clear"), timeout=timeout)


# -- requests ---------------------------------------------------------------------------------------

REQUESTS = {
    "plain": ("GET", [], None),
    "order": ("GET", [("x-b", "1"), ("x-a", "2"), ("accept", "*/*"), ("x-c", "3")], None),
    "repeated": ("GET", [("x-a", "1"), ("x-b", "2"), ("x-a", "3"), ("accept", "a/b"),
                         ("accept", "c/d")], None),
    "empty-value": ("GET", [("x-empty", ""), ("x-a", "1")], None),
    "octets": ("GET", [("x-a", "\xe4\xf6\xfc"), ("x-b", "a\tb  c")], None),
    "cookie": ("GET", [("cookie", "a=1; b=2"), ("x-a", "1")], None),
    "forwarded": ("GET", [("x-forwarded-for", "10.0.0.1"), ("x-forwarded-host", "first.test"),
                          ("via", "1.1 first.test"), ("forwarded", "for=10.0.0.1")], None),
    "conditional": ("GET", [("if-none-match", '"x"'), ("if-range", '"y"'),
                            ("if-modified-since", "Fri, 01 Jan 2100 00:00:00 GMT")], None),
    "head": ("HEAD", [("x-a", "1")], None),
    "options": ("OPTIONS", [], None),
    "delete": ("DELETE", [("x-a", "1")], None),
    "unknown-method": ("FROBNICATE", [], None),
    "post-nothing": ("POST", [("content-length", "0")], None),
    "post": ("POST", [("content-type", "text/plain"), ("content-length", "5")], b"12345"),
    "put-large": ("PUT", [("content-length", "100000")], pattern(100000)),
    "get-with-body": ("GET", [("content-length", "3")], b"abc"),
    "authorization": ("GET", [("authorization", "Basic YTpi"), ("x-a", "1")], None),
    "te": ("GET", [("te", "trailers")], None),
}


def seen_by_http1(event, back, path, method, fields, body):
    with http1(event) as h1:
        h1.send("".join(["%s /back/%s HTTP/1.1\r\nHost: a.test\r\n" % (method, path)] +
                        ["%s: %s\r\n" % f for f in fields] + ["\r\n"]).encode()
                + (body or b""))
        assert h1.response(head_only=method == "HEAD").status == 200
    return back.wait("/" + path)


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_the_same_as_one_of_http_1_1(clear, event, back, script, name):
    method, fields, body = REQUESTS[name]
    path = script(accept)
    r = clear.fetch(method, "/back/" + path, headers=fields, body=body)
    assert r.complete and r.status == 200
    new = back.wait("/" + path)
    old = seen_by_http1(event, back, path, method, fields, body)
    assert new.request_line == old.request_line == "%s /%s HTTP/1.1" % (method, path)
    assert new.fields == old.fields and new.body == old.body == (body or b"")


def test_crumbs_of_a_cookie_are_one_field_again(client, back, script):
    path = script(accept)
    assert client.get("/back/" + path, headers=[("cookie", "a=1"), ("x-a", "x"), ("cookie", "b=2"),
                                                ("cookie", "c=3")]).complete
    assert back.wait("/" + path).all("cookie") == ["a=1; b=2; c=3"]


@pytest.mark.parametrize("authority, host", [("a.test", None), ("a.test:8080", None),
                                             ("a.test", "b.test")])
@pytest.mark.parametrize("place", ["back", "preserved"])
def test_the_back_end_gets_the_host_that_is_configured(clear, back, script, place, authority, host):
    path = script(accept)
    fields = [("host", host)] if host else []
    assert clear.get("/%s/%s" % (place, path), headers=fields, authority=authority).complete
    seen = back.wait("/" + path)
    own = "127.0.0.1:%d" % back.port
    assert seen.all("host") == [authority if place == "preserved" else own]
    assert seen.all("x-forwarded-host") == [authority]      # :authority counts more than Host
    assert seen.all("x-forwarded-for") == ["127.0.0.1"]
    assert seen.all("x-forwarded-server") == ["a.test"]
    assert not [n for n, _ in seen.fields if n.startswith(":")]


@pytest.mark.parametrize("size", [1, 16384, 300000])
def test_a_body_without_a_length_is_chunked_to_the_back_end(client, back, script, size):
    path = script(accept)
    stream = client.request("POST", "/back/" + path, end=False)
    client.send_data(stream, pattern(size)[:size // 2])
    client.ping()
    client.send_data(stream, pattern(size)[size // 2:], end=True)
    assert client.wait(stream).complete
    seen = back.wait("/" + path)
    assert seen.body == pattern(size)
    # what is there as a whole before the request is sent gets a length instead
    assert seen.all("transfer-encoding") + seen.all("content-length") in (["chunked"], [str(size)])


def test_an_empty_body_has_length_0(client, back, script):
    path = script(accept)
    assert client.fetch("POST", "/back/" + path, body=b"").complete
    seen = back.wait("/" + path)
    assert seen.all("content-length") in ([], ["0"]) and not seen.all("transfer-encoding")


def test_a_body_that_takes_its_time_is_passed_on_as_it_comes(client, back, script):
    arrived, go = threading.Event(), threading.Event()

    def run(exchange):
        size = int(exchange.read_line(), 16)
        exchange.first = exchange.read_exactly(size)
        exchange.read_line()
        arrived.set()
        go.wait(10)
        exchange.rest_of_body = exchange.read_body()
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    path = script(run)
    stream = client.request("POST", "/back/" + path, end=False)
    client.send_data(stream, b"x" * 70000)      # more than is read ahead
    wait_until(lambda: client.poll() or arrived.is_set(), "the first piece at the back end")
    assert back.wait("/" + path).all("transfer-encoding") == ["chunked"]
    go.set()
    client.send_data(stream, b"y" * 1000, end=True)
    assert client.wait(stream).complete
    seen = back.wait("/" + path)
    assert seen.first + seen.rest_of_body == b"x" * 70000 + b"y" * 1000


def expects(status, fields="Connection: close\r\n"):
    def run(exchange):
        if status == 100:
            exchange.send("HTTP/1.1 100 Continue\r\n\r\n")
            return accept(exchange)
        exchange.send("HTTP/1.1 %d x\r\nContent-Length: 2\r\n%s\r\nno" % (status, fields))
        return False
    return run


@pytest.mark.parametrize("status", [100, 403, 417])
def test_an_expectation_is_the_back_ends_to_meet(client, back, script, status):
    path = script(expects(status))
    stream = client.request("POST", "/back/" + path, headers=[
        ("expect", "100-continue"), ("content-length", "4")], end=False)
    client.wait_for(lambda: stream.interim or stream.status, "the answer")
    assert back.wait("/" + path).get("expect").lower() == "100-continue"
    if status == 100:
        assert stream.interim == [(100, [])] and stream.status is None
        client.send_data(stream, b"body", end=True)
        assert client.wait(stream).complete and back.wait("/" + path).body == b"body"
    else:
        client.wait(stream)
        assert stream.ended and stream.status == status and stream.text == "no"
        assert not stream.interim


def test_a_refused_body_is_not_asked_for_although_the_back_end_would_read_on(clear, event, script):
    path = script(expects(403, ""))
    stream = clear.request("POST", "/quick/" + path, headers=[
        ("expect", "100-continue"), ("content-length", "4")], end=False)
    clear.wait_for(lambda: stream.done, "the answer")
    assert not stream.interim and stream.ended
    with http1(event) as h1:
        h1.send(("POST /quick/%s HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\n"
                 "Content-Length: 4\r\n\r\n" % path).encode())
        assert h1.response().status == stream.status


@pytest.mark.parametrize("place", ["h2c", "fcgi", "uwsgi", "gunicorn"])
def test_an_expectation_is_met_whatever_speaks_to_the_back_end(client, back, script, place):
    path = script(expects(100)) if place == "h2c" else "echo"
    stream = client.request("POST", "/%s/%s" % (place, path), headers=[
        ("expect", "100-continue"), ("content-length", "4")], end=False)
    client.wait_for(lambda: stream.interim or stream.status, "100")
    assert stream.interim == [(100, [])] and stream.status is None
    client.send_data(stream, b"body", end=True)
    assert client.wait(stream).complete and stream.text in ("ok", "body")
    assert len(stream.interim) == 1


def test_httpd_meets_it_itself_where_it_is_told_to(client, back, script):
    path = script(accept)
    stream = client.request("POST", "/own-100/" + path, headers=[
        ("expect", "100-continue"), ("content-length", "4")], end=False)
    client.wait_for(lambda: stream.interim, "100")
    client.send_data(stream, b"body", end=True)
    assert client.wait(stream).complete and stream.interim == [(100, [])]
    assert back.wait("/" + path).all("expect") == []


# -- responses --------------------------------------------------------------------------------------

RESPONSES = {
    "no-reason": "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
    "299": "HTTP/1.1 299 x\r\nContent-Length: 2\r\n\r\nok",
    "418": "HTTP/1.1 418 I'm a teapot\r\nContent-Length: 2\r\n\r\nok",
    "451": "HTTP/1.1 451\r\nContent-Length: 2\r\n\r\nok",
    "599": "HTTP/1.1 599 x\r\nContent-Length: 2\r\n\r\nok",
    "empty": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "empty-chunked": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "204": "HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n",
    "205": "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
    "304": 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nX-A: 1\r\nCache-Control: private\r\n\r\n',
    "304-length": 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 10\r\n\r\n',
    "206": "HTTP/1.1 206 x\r\nContent-Range: bytes 0-1/5\r\nContent-Length: 2\r\n\r\nok",
    "302": "HTTP/1.1 302 Found\r\nLocation: http://other.test/\r\nContent-Length: 2\r\n\r\nok",
    "401": 'HTTP/1.1 401 x\r\nWWW-Authenticate: Basic realm="a"\r\nContent-Length: 2\r\n\r\nno',
    "order": "HTTP/1.1 200 OK\r\nX-B: 1\r\nX-A: 2\r\nContent-Length: 2\r\nX-C: 3\r\n\r\nok",
    "repeated": "HTTP/1.1 200 OK\r\nX-A: 1\r\nX-B: 2\r\nX-A: 3\r\nSet-Cookie: a=1\r\n"
                "Set-Cookie: b=2; Path=/\r\nLink: <a>\r\nLink: <b>\r\nContent-Length: 2\r\n\r\nok",
    "octets": "HTTP/1.1 200 OK\r\nX-A: \xe4\xf6\r\nX-Empty:\r\nContent-Length: 2\r\n\r\nok",
    "date-server": "HTTP/1.1 200 OK\r\nDate: Fri, 01 Jan 2021 00:00:00 GMT\r\nServer: own\r\n"
                   "Content-Length: 2\r\n\r\nok",
    "hop-by-hop": "HTTP/1.1 200 OK\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\nKeep-Alive: max=5\r\n"
                  "Proxy-Connection: x\r\nUpgrade: foo\r\nContent-Length: 2\r\n\r\nok",
    "to-the-end": "HTTP/1.0 200 OK\r\nX-A: 1\r\n\r\nok",
    "garbage": "this is no head\r\n\r\n",       # to mod_proxy_http that is HTTP/0.9
}
# of a connection of HTTP/1.1; and what is different for another reason each time
NOT_COMPARED = ("connection", "keep-alive", "transfer-encoding", "upgrade", "proxy-connection")


def essence(r):
    """Fields in their order, but httpd's own Date."""
    return [(n.lower(), "" if n.lower() == "date" and "2021" not in v else v)
            for n, v in r.fields if n.lower() not in NOT_COMPARED and not n.startswith(":")]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("name", RESPONSES)
def test_a_response_is_the_same_as_over_http_1_1(clear, event, script, name, method):
    head, _, body = RESPONSES[name].partition("\r\n\r\n")

    def run(exchange):
        exchange.send(head + "\r\n\r\n" + (body if method == "GET" else ""))

    path = script(run)
    new = clear.fetch(method, "/back/" + path)
    with http1(event) as h1:
        old = h1.request(method, "/back/" + path)
    assert new.complete and new.status == old.status and new.body == old.body
    assert sorted(essence(new)) == sorted(essence(old))
    for field in ("x-a", "x-b", "set-cookie", "link"):
        assert [v for n, v in essence(new) if n == field] == [v for n, v in essence(old)
                                                              if n == field]
    assert not [n for n, _ in new.fields if n in NOT_COMPARED or n == "x-hop"]


def test_fields_keep_their_order(clear, script):
    r = clear.get("/back/" + script(RESPONSES["order"]))
    assert [n for n, _ in r.fields if n in ("x-a", "x-b", "x-c", "content-length")] == [
        "x-b", "x-a", "content-length", "x-c"]


# -- failures ---------------------------------------------------------------------------------------

BEFORE_THE_HEAD = {
    "/refused/": 503, "/refused-fcgi/": 503, "/refused-uwsgi/": 503, "/refused-h2c/": 503,
}


@pytest.mark.parametrize("place", BEFORE_THE_HEAD)
def test_a_back_end_that_is_not_there_is_an_error(client, event, place):
    r = client.get(place)
    assert r.complete and r.status == BEFORE_THE_HEAD[place]
    with http1(event) as h1:
        assert h1.get(place).status == r.status


@pytest.mark.parametrize("place", ["/back/", "/h2c/"])
@pytest.mark.parametrize("answer", [
    "", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\nX-A: 1\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"], ids=range(4))
def test_a_back_end_without_a_proper_head_is_an_error(clear, event, script, place, answer):
    path = place + script(answer)
    r = clear.get(path)
    with http1(event) as h1:
        old = h1.get(path)
    assert r.done and r.status == old.status and r.complete
    assert r.status == 502 or "X-A" in answer       # half a head is a whole one to mod_proxy_http


@pytest.mark.parametrize("place, status", [
    ("quick", 502),         # mod_proxy_http makes no difference
    ("fcgi-raw", 504), ("uwsgi-raw", 500)])
def test_a_back_end_that_says_nothing_is_an_error_after_the_timeout(
        clear, event, script, fastcgi, raw_uwsgi, place, status):
    end = threading.Event()
    path = script(lambda e: end.wait(10) and False)
    fastcgi.scripts["/" + path] = raw_uwsgi.scripts["/" + path] = lambda e: end.wait(10)
    r = clear.get("/%s/%s" % (place, path))
    assert r.complete and r.status == status
    with http1(event) as h1:
        assert h1.get("/%s/%s" % (place, path)).status == status
    end.set()


TRUNCATED = {
    "length": "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + "x" * 50000,
    "short": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
    "chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc",
    "between-chunks": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "bad-chunk": "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nxyz\r\n",
}


def assert_broken(stream):
    """No truncated success: an error status, or a reset."""
    assert stream.done and not stream.ended or stream.status in (500, 502, 503, 504)
    if not stream.ended:
        assert stream.reset == INTERNAL_ERROR


@pytest.mark.parametrize("place", ["/back/", "/h2c/"])
@pytest.mark.parametrize("name", TRUNCATED)
def test_a_body_that_breaks_off_is_none(client, script, place, name):
    assert_broken(client.get(place + script(TRUNCATED[name])))


@pytest.mark.parametrize("kind", ["Content-Length: 100", "Transfer-Encoding: chunked", "X-A: 1"])
def test_a_body_that_stops_coming_is_reset_after_the_timeout(clear, script, kind):
    end = threading.Event()

    def run(exchange):
        exchange.send("HTTP/1.1 200 OK\r\n%s\r\n\r\n3\r\nabc\r\n" % kind)
        end.wait(10)

    r = clear.get("/quick/" + script(run))
    assert_broken(r)
    assert r.status == 200 and r.reset == INTERNAL_ERROR
    end.set()


FASTCGI = {
    "nothing": b"",
    "half-a-head": record(b"Content-Type: text/plain\r\n"),
    "head-only": record(b"Content-Type: text/plain\r\n\r\n"),
    "half-a-body": record(b"Content-Type: text/plain\r\n\r\nhalf a body"),
    "two-records": record(b"Content-Type: text/plain\r\n\r\n") + record(b"half a body"),
    "half-a-record": record(b"Content-Type: text/plain\r\n\r\n") + record(b"half a body")[:12],
}


@pytest.mark.parametrize("how", ["closes", "hangs"])
@pytest.mark.parametrize("name", FASTCGI)
def test_a_fastcgi_response_that_breaks_off_is_none(clear, fastcgi, name, how):
    end = threading.Event()

    def run(exchange):
        exchange.send(FASTCGI[name])
        if how == "hangs":
            end.wait(10)

    fastcgi.scripts["/%s-%s" % (name, how)] = run
    r = clear.get("/fcgi-raw/%s-%s" % (name, how))
    end.set()
    assert_broken(r)
    if b"half" in FASTCGI[name]:
        assert r.status == 200 and r.reset == INTERNAL_ERROR
    else:
        assert r.complete and r.status == (503 if how == "closes" else 504)


@pytest.mark.parametrize("how", ["closes", "hangs"])
@pytest.mark.parametrize("name", ["nothing", "half-a-head", "short", "length"])
def test_a_uwsgi_response_that_breaks_off_is_none(clear, raw_uwsgi, name, how):
    end = threading.Event()

    def run(exchange):
        exchange.send({"nothing": "", "half-a-head": "HTTP/1.1 200 OK\r\nX-A: 1\r\n",
                       **TRUNCATED}[name])
        if how == "hangs":
            end.wait(10)

    raw_uwsgi.scripts["/%s-%s" % (name, how)] = run
    r = clear.get("/uwsgi-raw/%s-%s" % (name, how))
    end.set()
    assert_broken(r)


def test_a_fastcgi_response_that_ends_is_one(clear, fastcgi):
    fastcgi.scripts["/complete"] = lambda e: e.send(
        record(b"Content-Type: text/plain\r\n\r\nthe body") + record(b"") + END_REQUEST)
    r = clear.get("/fcgi-raw/complete")
    assert r.complete and r.status == 200 and r.text == "the body"


# -- clients that go away ---------------------------------------------------------------------------


def test_a_reset_while_the_back_end_sends_closes_its_connection(client, back, script):
    def run(exchange):
        exchange.send("HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                exchange.send(b"x" * 10000)
        except OSError:
            exchange.closed.set()

    path = script(run)
    stream = client.request("GET", "/back/" + path)
    client.wait_bytes(stream, 20000)
    client.send_reset(stream)
    client.flush()
    assert back.wait("/" + path).closed.wait(5)


def test_a_reset_in_a_pause_of_the_body_closes_it_with_the_next_piece(client, back, script):
    go = threading.Event()

    def run(exchange):
        exchange.send("HTTP/1.1 200 OK\r\n\r\nfirst")
        go.wait(10)
        exchange.send("second")
        exchange.watch()

    path = script(run)
    stream = client.request("GET", "/back/" + path)
    client.wait_bytes(stream, 5)
    client.send_reset(stream)
    client.ping()
    go.set()
    assert back.wait("/" + path).closed.wait(5)


def test_a_reset_before_the_head_closes_it_with_the_head(client, back, script):
    go = threading.Event()

    def run(exchange):
        go.wait(10)
        exchange.send("HTTP/1.1 200 OK\r\n\r\nfirst")
        exchange.watch()

    path = script(run)
    stream = client.request("GET", "/back/" + path)
    back.wait("/" + path)
    client.send_reset(stream)
    client.ping()
    go.set()
    assert back.wait("/" + path).closed.wait(5)
    assert client.get("/text.txt").complete


def test_a_reset_while_the_client_uploads_closes_it_at_once(client, back, script):
    path = script(lambda e: e.watch())
    stream = client.request("POST", "/back/" + path, end=False)
    client.send_data(stream, b"x" * 65535)
    back.wait("/" + path)
    client.send_reset(stream)
    client.ping()
    assert back.wait("/" + path).closed.wait(5)


def test_an_upload_that_stops_ends_as_a_short_one_for_nobody(clear, event, back, script):
    """The connection closes instead: the back end does not get a whole body."""
    def run(exchange):
        try:
            exchange.body = exchange.read_body()
        except (AssertionError, OSError):
            exchange.closed.set()

    path = script(run)
    stream = clear.request("POST", "/back/" + path, end=False)
    clear.send_data(stream, b"x" * 65535)
    exchange = back.wait("/" + path)
    clear.abort()
    assert exchange.closed.wait(5) and not hasattr(exchange, "body")


# -- application servers ----------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["gunicorn", "fcgi", "uwsgi"])
def test_an_application_knows_its_request(client, place):
    r = client.get("/%s/env?a=b&c=%%20" % place, headers=[
        ("cookie", "a=1"), ("x-one", "1"), ("cookie", "b=2"), ("x-one", "2")])
    assert r.complete and r.status == 200
    said = json.loads(r.text)
    assert said["REQUEST_METHOD"] == "GET" and said["QUERY_STRING"] == "a=b&c=%20"
    assert said["HTTP_HOST"] == "a.test" and said["HTTP_COOKIE"] == "a=1; b=2"
    assert said["HTTP_X_ONE"].replace(" ", "") == "1,2"
    assert said.get("CONTENT_LENGTH", "") == ""
    if place == "gunicorn":
        assert said["wsgi.url_scheme"] == "https" and said["HTTP_X_FORWARDED_FOR"] == "127.0.0.1"
    else:
        assert said["SERVER_PROTOCOL"] == "HTTP/2.0" and said["REMOTE_ADDR"] == "127.0.0.1"
        assert said["HTTP2"] == "on"


@pytest.mark.parametrize("place, has_length", [
    ("gunicorn", True), ("gunicorn", False), ("fcgi", True), ("uwsgi", True)])
@pytest.mark.parametrize("size", [1, 65536, 1000000])
def test_an_application_hands_a_body_back(client, place, has_length, size):
    fields = [("content-length", str(size))] if has_length else []
    r = client.fetch("POST", "/%s/echo" % place, headers=fields, body=pattern(size))
    assert r.complete and r.status == 200 and r.body == pattern(size)


@pytest.mark.parametrize("place", ["gunicorn", "fcgi", "uwsgi"])
def test_an_applications_response_comes_as_it_made_it(client, place):
    r = client.get("/%s/stream" % place)
    assert r.complete and r.text == "".join("%d\n" % i for i in range(1000))
    r = client.get("/%s/cookies" % place)
    assert r.complete and r.status == 418 and not r.body
    assert [v for n, v in r.fields if n == "set-cookie"] == ["a=1", "b=2"]
    assert r.headers["x-one"] == "1"

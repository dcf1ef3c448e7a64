# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Interim responses (103, 102, 100) of every kind of application: behind mod_proxy_http,
mod_proxy_http2, mod_proxy_fcgi, mod_proxy_scgi and mod_proxy_uwsgi, of CGI and nph scripts, and of
modules in C."""

import itertools
import re
import shutil

import pytest

import environment as env
import hint_app
from appservers import uwsgi
from conftest import open_client
from environment import TEST_DIR
from h1client import Http1
from h2client import Tls
from hint_app import LINK_A, LINK_B, head_bytes, hint_items
from scripted import Scripted
from servers import SITE, VHOSTS

SCRIPTS = ("cgi", "fcgi", "scgi", "uwsgi")      # what httpd hears as scripts
WAYS = SCRIPTS + ("http", "h2c")
A, B = ("link", LINK_A[1]), ("link", LINK_B[1])
BODY = "the body"
_numbers = itertools.count(1)

CONFIG = SITE + """
Timeout 20
KeepAliveTimeout 20
H2Push off
H2EarlyHints on
ScriptAlias /script/ "{work}/cgi/"
ScriptAlias /script-off/ "{work}/cgi/"
<Location /script-off/>
    H2EarlyHints off
</Location>
<Directory "{work}/cgi">
    Options +ExecCGI
</Directory>
ScriptAliasMatch ^/hint-cgi/(.*) "{work}/hint_app.py/$1"
<Directory "{work}">
    Options +ExecCGI
</Directory>
ProxyPass /fcgi/ fcgi://127.0.0.1:{fastcgi}/ retry=0
ProxyPass /scgi/ scgi://127.0.0.1:{scgi}/ retry=0
ProxyPass /uwsgi/ uwsgi://127.0.0.1:{uwsgi}/ retry=0
ProxyPass /http/ http://127.0.0.1:{http}/ retry=0
ProxyPass /h2c/ h2c://127.0.0.1:{port_clear}/hint-cgi/ retry=0
<Proxy balancer://scripts>
    BalancerMember fcgi://127.0.0.1:{fastcgi} retry=0
</Proxy>
ProxyPass /balancer/ balancer://scripts/
<Location /handler/>
    SetHandler "proxy:fcgi://127.0.0.1:{fastcgi}"
</Location>
<Location /http/suppressed/>
    SetEnv proxy-interim-response Suppress
</Location>
<Location /http/rfc/>
    SetEnv proxy-interim-response RFC
</Location>
<Location /http/no-hints/>
    H2EarlyHints off
</Location>
<Location /http/no-hints/pushed/>
    H2Push on
</Location>
<LocationMatch ^/(hint-cgi|fcgi|scgi|uwsgi)/plain-off>
    H2EarlyHints off
</LocationMatch>
<LocationMatch /deflated>
    SetOutputFilter DEFLATE
</LocationMatch>
# of the final head only
Header set X-By-Mod-Headers "expr=%{resp:ETag}"
<LocationMatch /errors/>
    ErrorDocument 404 /hint-cgi/told
    ErrorDocument 502 "this went wrong"
</LocationMatch>
<IfModule cgid_module>
    <LocationMatch /stuck>
        CGIDScriptTimeout 1
    </LocationMatch>
</IfModule>
Alias /ssi/ "{work}/ssi/"
<Directory "{work}/ssi">
    Options +Includes
    AddType text/html .shtml
    AddOutputFilter INCLUDES .shtml
</Directory>
""" + VHOSTS

# Scripts in sh; those of a name that begins so write their heads themselves.
SHELL = {
    "nph-good": r'''printf 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n'
while [ ! -e "$gate" ]; do sleep 0.01; done
printf '%s 201 x\r\nContent-Type: text/plain\r\nConnection: close\r\nX-Nph: yes\r\n\r\n' \
    "$SERVER_PROTOCOL"
printf 'first\n'
while [ ! -e "$gate-2" ]; do sleep 0.01; done
printf 'second\n'
''',
    "nph-lf": r'''printf '%s 200 OK\nContent-Type: text/plain\nX-Nph: yes\n\nthe body' "$SERVER_PROTOCOL"
''',
    "nph-empty": r'''printf 'HTTP/1.0 204 x\r\nX-Nph: yes\r\n\r\nno body is allowed'
''',
    "nph-chunked": r'''printf 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n'
''',
    "nph-garbage": r'''printf 'this is no head\r\n\r\n'
''',
    "nph-nothing": "true\n",
    "nph-half": r'''printf 'HTTP/1.1 200 OK\r\nContent-Ty'
''',
    "nph-hints": r'''printf 'HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n'
''',
    "nph-endless": r'''for n in $(seq 40); do printf 'HTTP/1.1 103 x\r\nX-A: b\r\n\r\n'; done
printf 'HTTP/1.1 200 OK\r\n\r\n'
''',
    "nph-short": r'''printf 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthe body'
''',
    "nph-long": r'''printf 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nthe body'
''',
    "nph-exact": r'''printf 'HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nthe body'
''',
    "nph-two": r'''printf 'HTTP/1.1 200 OK\r\nContent-Length: 8\r\nContent-Length: 7\r\n\r\nthe body'
''',
    "status-100": r'''printf 'Status: 100 x\r\n\r\nthe body'
''',
    "status-101": r'''printf 'Status: 101 x\r\n\r\nthe body'
''',
    "status-103": r'''printf 'Status: 103 x\r\n\r\nthe body'
''',
    "status-104": r'''printf 'Status: 104 x\r\n\r\nthe body'
''',
    "status-000": r'''printf 'Status: 000 x\r\n\r\nthe body'
''',
    "blank-lines": r'''printf 'Status: 103 x\r\n\r\n'
yes ''
''',
}


def http_script(name):
    """hint_app's cases as a back end of HTTP/1.1 has them."""
    def run(exchange):
        query = exchange.request_line.split(" ")[1].partition("?")[2]
        items = hint_items(name, query, {})
        length = sum(len(i) for i in items if isinstance(i, bytes))
        for item in items:
            if callable(item):
                item()
                continue
            if isinstance(item, tuple):
                status, fields = item[0] or 200, list(item[1])
                if status >= 200:
                    fields.append(("Content-Length", str(length)))
                item = head_bytes(status, fields, "HTTP/1.1")
            exchange.send(item)
    return run


@pytest.fixture(scope="module")
def work():
    folder = env.scratch_dir() / "early-hints"
    for path in (folder, folder / "gates", folder / "cgi", folder / "ssi"):
        path.mkdir()
        path.chmod(0o755)
    shutil.copy(TEST_DIR / "lib" / "hint_app.py", folder)
    (folder / "hint_app.py").chmod(0o755)
    for name, text in SHELL.items():
        path = folder / "cgi" / name
        path.write_text('#!/bin/sh\ngate="%s/gates/$QUERY_STRING"\n%s' % (folder, text))
        path.chmod(0o755)
    (folder / "ssi" / "page.shtml").write_text(
        'before <!--#include virtual="/hint-cgi/plain" --> after')
    return folder


@pytest.fixture(scope="module")
def apps(work):
    server = uwsgi(work, work / "hint_app.py")
    yield server
    server.close()


@pytest.fixture(scope="module")
def back(work):
    hint_app.GATES = str(work / "gates")
    scripted = Scripted()
    for name in ("several", "plain", "told", "fields", "bad", "long", "large", "missing",
                 "endless", "nothing", "garbage"):
        for folder in ("", "suppressed/", "rfc/", "no-hints/", "no-hints/pushed/", "deflated/"):
            scripted.scripts["/%s%s" % (folder, name)] = http_script(name)
    yield scripted
    scripted.close()


def start(servers, name, mpm, work, apps, back, **settings):
    config = CONFIG
    for key, value in {**apps.ports, "http": back.port, "work": work}.items():
        config = config.replace("{%s}" % key, str(value))
    return servers.get(name, mpm, config,
                       modules=["proxy_fcgi", "proxy_scgi", "proxy_uwsgi", "proxy_http2",
                                "proxy_balancer", "slotmem_shm", "lbmethod_byrequests"],
                       threads=32 if mpm == "event" else 64, **settings)


@pytest.fixture
def server(servers, mpm, work, apps, back):
    return start(servers, "hints", mpm, work, apps, back)


@pytest.fixture
def client(server, transport):
    return open_client(server, transport)


@pytest.fixture
def event(servers, work, apps, back):
    """The server with the event MPM."""
    return start(servers, "hints", "event", work, apps, back)


@pytest.fixture
def clear(event):
    return open_client(event, "clear")


@pytest.fixture
def gate(work):
    """Makes gates of a name that no other test has."""
    name = "gate%d-" % next(_numbers)

    class Gate:
        def __str__(self):
            return name

        def open(self, suffix=""):
            (work / "gates" / (name + str(suffix))).touch()

    yield Gate()


def path(way, name):
    return {"cgi": "/hint-cgi/"}.get(way, "/%s/" % way) + name


def by_http1(server, target, version="1.1", fields=()):
    """(interim heads, final head, body) of a request on a connection of its own."""
    with Http1(server.address("clear")) as h1:
        h1.send(("GET %s HTTP/%s\r\nHost: a.test\r\n%sConnection: close\r\n\r\n" % (
            target, version, "".join("%s: %s\r\n" % f for f in fields))).encode())
        heads, data = [], h1.read_to_end()
        while True:
            head, _, data = data.partition(b"\r\n\r\n")
            heads.append(head.decode("latin-1").split("\r\n"))
            if heads[-1][0].split()[1][0] != "1":
                return heads[:-1], heads[-1], data


# -- as they come -----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_each_comes_when_the_application_sends_it(client, way, gate):
    stream = client.request("GET", path(way, "several?%s" % gate))
    client.wait_for(lambda: len(stream.interim) == 1, "the first 103")
    gate.open(1)
    client.wait_for(lambda: len(stream.interim) == 2, "the second 103")
    assert stream.status is None
    gate.open(2)
    client.wait_for(lambda: len(stream.interim) == 3, "102")
    assert stream.status is None
    gate.open(3)
    assert client.wait(stream).complete and stream.status == 200 and stream.text == BODY
    assert [status for status, _ in stream.interim] == [103, 103, 102]
    assert stream.interim[0][1] == [A] and stream.interim[1][1] == [B, ("x-two", "2")]
    assert stream.interim[2][1] == [] and stream.headers["x-final"] == "yes"


def test_a_module_sends_several_of_them_from_a_detached_thread(client, counter):
    stream = client.request("GET", "/h2test/interims?gate=%s&tag=%s" % (counter.gate(), counter))
    client.wait_for(lambda: stream.interim, "102")
    assert client.get("/text.txt").complete     # the handler holds up nobody
    counter.open("-0")
    client.wait_for(lambda: len(stream.interim) == 2, "103")
    counter.open("-1")
    assert client.wait(stream).complete and stream.status == 200
    assert stream.interim == [(102, []), (103, [A, ("x-good", "yes")]),
                              (103, [("x-last", "yes")])]


def test_a_module_sends_100_to_who_waits_for_it(clear, counter):
    counter.open_all()
    counter.open("-0")
    counter.open("-1")
    stream = clear.request("POST", "/h2test/interims?gate=%s&tag=%s" % (counter.gate(), counter),
                           headers=[("expect", "100-continue"), ("content-length", "2")], end=False)
    clear.wait_for(lambda: stream.interim, "100")
    assert stream.interim[0] == (100, [])
    clear.send_data(stream, b"ab", end=True)
    assert clear.wait(stream).status == 200
    assert [status for status, _ in stream.interim] == [100, 102, 103, 103]


@pytest.mark.parametrize("way", SCRIPTS)
def test_they_come_over_http_1_1_too(event, way, gate):
    for suffix in (1, 2, 3):
        gate.open(suffix)
    interim, final, body = by_http1(event, path(way, "several?%s" % gate))
    assert [head[0] for head in interim] == [
        "HTTP/1.1 103 Early Hints", "HTTP/1.1 103 Early Hints", "HTTP/1.1 102 Processing"]
    assert interim[0][1:] == ["Link: " + A[1]]
    assert final[0].startswith("HTTP/1.1 200 ") and "X-Final: yes" in final and BODY in body.decode()


@pytest.mark.parametrize("way", SCRIPTS + ("http",))
def test_clients_of_http_1_0_get_none(event, way, gate):
    for suffix in (1, 2, 3):
        gate.open(suffix)
    interim, final, body = by_http1(event, path(way, "several?%s" % gate), "1.0")
    assert not interim and final[0].split()[1] == "200" and BODY in body.decode()


@pytest.mark.parametrize("how", ["bytes", "once"])
def test_the_pieces_of_a_scripts_heads_may_have_any_size(clear, how, gate):
    for suffix in (1, 2, 3):
        gate.open(suffix)
    # the query is the gates' name, too
    r = clear.get("/hint-cgi/told?%s" % how)
    assert r.complete and r.interim == [(103, [A])] and r.status == 200 and r.text == "on"


@pytest.mark.parametrize("way", SCRIPTS)
def test_a_large_body_follows_them(clear, way):
    r = clear.get(path(way, "large"))
    assert r.complete and len(r.interim) == 1 and len(r.body) == 1 << 20
    assert all(r.body[i * 8192] == 65 + i % 26 for i in range(128))


@pytest.mark.parametrize("folder", ["/balancer/", "/handler/"])
def test_it_does_not_matter_how_the_back_end_is_configured(clear, folder):
    r = clear.get(folder + "fields")
    assert r.complete and r.interim[0][0] == 103 and A in r.interim[0][1] and r.status == 200


@pytest.mark.parametrize("way", WAYS)
def test_a_response_to_head_has_them_as_well(clear, way):
    r = clear.fetch("HEAD", path(way, "fields"))
    assert r.complete and r.status == 200 and not r.body and len(r.interim) == 1


def test_with_mod_cgi_it_is_the_same(servers, work, apps, back, gate):
    server = start(servers, "hints-cgi", "event", work, apps, back, cgi="cgi")
    client = open_client(server, "clear")
    stream = client.request("GET", "/hint-cgi/several?%s" % gate)
    client.wait_for(lambda: len(stream.interim) == 1, "the first 103")
    for suffix in (1, 2, 3):
        gate.open(suffix)
    assert client.wait(stream).complete and len(stream.interim) == 3 and stream.text == BODY


# -- fields -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", WAYS)
def test_the_final_response_has_its_own_fields_only(clear, way):
    r = clear.get(path(way, "fields"))
    assert r.complete and r.status == 200 and r.text == BODY
    (status, fields), = r.interim
    assert status == 103 and sorted(fields) == sorted(
        [A, ("set-cookie", "a=b"), ("etag", '"1"'), ("x-only", "interim")])
    assert "link" not in r.headers and "x-only" not in r.headers
    assert r.headers["etag"] == '"2"' and r.headers["content-type"].startswith("text/html")
    assert [v for n, v in r.fields if n == "set-cookie"] == ["c=d", "e=f"]
    # mod_headers has seen the final head, and no other
    assert [v for n, v in r.fields if n == "x-by-mod-headers"] == ['"2"']


@pytest.mark.parametrize("way, name", [(way, "bad") for way in SCRIPTS] + [("cgi", "names")])
def test_a_field_that_cannot_be_sent_is_left_out_and_logged(clear, event, way, name):
    event.new_errors()
    r = clear.get(path(way, name))
    if way == "uwsgi":      # mod_proxy_uwsgi itself refuses a response with control characters
        assert r.status == 502
        return
    assert r.complete and r.status == 200 and r.text == BODY
    (status, fields), = r.interim
    assert status == 103
    # httpd makes one field of those of one name
    assert fields == [("link", "%s, %s" % (A[1], B[1])) if name == "bad" else A]
    assert re.search("field '(X-Control|Bad Name)' of an interim response cannot be sent",
                     event.new_errors())


def test_a_modules_bad_fields_are_left_out_and_logged(client, server, counter):
    counter.open_all()
    server.new_errors()
    gate = counter.gate()
    for suffix in ("-0", "-1"):
        counter.open(suffix)
    r = client.get("/h2test/interims?gate=%s&tag=%s" % (gate, counter))
    assert r.complete and r.interim[1] == (103, [A, ("x-good", "yes")])
    assert "response 103: 6 of its fields cannot be sent and are left out, the first is 'Bad'" \
        in server.new_errors()


@pytest.mark.parametrize("way", ["http", "h2c"])
def test_bad_fields_of_a_back_end_do_not_end_the_response(clear, way):
    r = clear.get(path(way, "bad"))
    assert r.complete and r.text == BODY
    (status, fields), = r.interim
    assert status == 103 and [n for n, _ in fields] == ["link"] * (2 if way == "http" else 1)


@pytest.mark.parametrize("way", WAYS)
def test_fields_may_be_long(clear, way):
    r = clear.get(path(way, "long"))
    assert r.complete and r.status == 200 and len(r.interim) == 1
    assert A in r.interim[0][1] and ("x-long", "v" * 7000) in r.interim[0][1]


def test_a_field_that_is_too_long_is_left_out_and_logged(clear, event):
    event.new_errors()
    r = clear.get("/hint-cgi/merged")
    assert r.complete and r.status == 200 and r.interim == [(103, [A])]
    assert "response 103: 1 of its fields cannot be sent and are left out, the first is 'X-Many'" \
        in event.new_errors()


# -- who gets them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", SCRIPTS)
def test_an_application_is_told_where_it_may_send_them(event, clear, way):
    uwsgi_leaves_it = way in ("fcgi", "scgi", "uwsgi")
    assert clear.get(path(way, "plain")).text == "on"
    assert clear.get(path(way, "plain-off")).status == 404 if uwsgi_leaves_it else True
    _, _, body = by_http1(event, path(way, "plain"))
    assert "on" in body.decode()
    _, _, body = by_http1(event, path(way, "plain"), "1.0")
    assert "not said" in body.decode()


@pytest.mark.parametrize("way", ["http", "h2c"])
def test_a_back_end_of_http_needs_not_be_told(clear, way):
    assert clear.get(path(way, "plain")).text == ("not said" if way == "http" else "on")


@pytest.mark.parametrize("folder, statuses", [
    ("no-hints/", [102]), ("suppressed/", []), ("rfc/", [103, 103, 102])])
def test_the_configuration_decides_which_of_a_back_end_pass(clear, folder, statuses, gate):
    for suffix in (1, 2, 3):
        gate.open(suffix)
    r = clear.get("/http/%sseveral?%s" % (folder, gate))
    assert r.complete and [status for status, _ in r.interim] == statuses and r.text == BODY


def test_what_a_back_ends_hints_name_is_pushed_where_they_are_not_passed_on(clear, gate):
    stream = clear.request("GET", "/http/no-hints/pushed/several?%s" % gate)
    clear.wait_for(lambda: clear.pushed, "the push")
    assert not stream.done and not stream.interim
    for suffix in (1, 2, 3):
        gate.open(suffix)
    assert clear.wait(stream).complete
    assert [s.path for s in clear.pushed] == ["/a.css", "/b.css"]


def test_a_page_that_includes_an_application_does_not_tell_it_so(clear):
    assert clear.get("/ssi/page.shtml").text == "before not said after"


# -- what the other parts of httpd make of them -----------------------------------------------------


@pytest.mark.parametrize("way", ["fcgi", "http"])
def test_filters_work_on_the_final_response_only(clear, way):
    r = clear.get("/%s/deflated/large" % way, headers=[("accept-encoding", "gzip")])
    assert r.complete and len(r.interim) == 1
    assert r.headers["content-encoding"] == "gzip" and r.body[:2] == b"\x1f\x8b"


@pytest.mark.parametrize("way", WAYS)
def test_the_final_status_may_be_an_error(clear, way):
    r = clear.get(path(way, "missing"))
    assert r.complete and r.status == 404 and r.text == "not here" and len(r.interim) == 1


def test_an_error_document_may_have_them(clear):
    r = clear.get("/errors/nothing-of-that-name")
    assert r.complete and r.status == 404 and r.interim == [(103, [A])] and r.text == "on"


def test_a_script_may_redirect_afterwards(clear):
    r = clear.get("/hint-cgi/away")
    assert r.complete and r.status == 302 and len(r.interim) == 1
    assert r.headers["location"] == "http://elsewhere.test/x" and "elsewhere.test" in r.text


@pytest.mark.parametrize("way", ["cgi", "scgi"])
def test_a_script_may_refer_to_another_resource_here(clear, way):
    r = clear.get(path(way, "local"))
    assert r.complete and r.status == 200 and r.text == "on" and len(r.interim) == 1


@pytest.mark.parametrize("way", ["cgi", "fcgi", "scgi"])
def test_conditions_of_the_request_are_held_against_the_final_head(clear, way):
    r = clear.get(path(way, "tagged"), headers=[("if-none-match", '"the tag"')])
    assert r.complete and r.status == 304 and not r.body and len(r.interim) == 1
    r = clear.get(path(way, "tagged"), headers=[("if-match", '"another"')])
    assert r.complete and r.status == 412 and len(r.interim) == 1


# -- what goes wrong --------------------------------------------------------------------------------


@pytest.mark.parametrize("way, name", [
    (way, name) for way in WAYS for name in ("nothing", "garbage", "endless")
    if (way, name) != ("http", "garbage")])      # to mod_proxy_http that is HTTP/0.9
def test_without_a_final_response_it_is_an_error(clear, event, way, name):
    r = clear.get(path(way, name))
    assert r.complete and r.status in (500, 502, 503) and BODY not in r.text
    assert clear.get(path(way, "told") if way != "http" else "/text.txt").complete
    interim, final, _ = by_http1(event, path(way, name))
    assert final[0].split()[1] == str(r.status) and interim


def test_a_script_that_hangs_afterwards_is_a_gateway_timeout(clear):
    r = clear.get("/hint-cgi/stuck?%s" % "none-")
    assert r.complete and r.status == 504 and len(r.interim) == 1


def test_a_script_whose_client_has_gone_is_ended(clear, event, gate):
    stream = clear.request("GET", "/fcgi/several?%s" % gate)
    clear.wait_for(lambda: stream.interim, "the hints")
    clear.send_reset(stream)
    for suffix in (1, 2, 3):
        gate.open(suffix)
    assert clear.get("/text.txt").complete


@pytest.mark.parametrize("folder", ["/script/", "/script-off/"])
@pytest.mark.parametrize("name", ["status-%s" % n for n in ("100", "101", "103", "104", "000")])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_script_without_a_final_status_is_an_error(clear, folder, name, method):
    """httpd takes any status for a final one; HTTP/2 has no end of a response of 1xx."""
    r = clear.fetch(method, folder + name)
    assert r.complete and r.status == 500 and BODY not in r.text
    if method == "GET" and "content-length" in r.headers:
        assert int(r.headers["content-length"]) == len(r.body)


def test_a_script_that_writes_empty_lines_for_ever_is_ended(clear):
    r = clear.get("/script/blank-lines")
    assert r.complete and r.status == 500


# -- nph scripts ------------------------------------------------------------------------------------


def test_an_nph_script_writes_its_heads_itself(client, gate):
    stream = client.request("GET", "/script/nph-good?%s" % gate)
    client.wait_for(lambda: stream.interim, "103")
    assert stream.interim == [(103, [A])] and stream.status is None
    gate.open()
    client.wait_bytes(stream, len("first\n"))
    assert stream.status == 201 and stream.fields == [
        ("content-type", "text/plain"), ("x-nph", "yes")]
    gate.open("-2")
    assert client.wait(stream).complete and stream.text == "first\nsecond\n"


def test_an_nph_scripts_lines_may_end_with_lf(clear):
    r = clear.get("/script/nph-lf")
    assert r.complete and r.status == 200 and r.text == BODY and r.headers["x-nph"] == "yes"


@pytest.mark.parametrize("method, name, status", [
    ("HEAD", "nph-lf", 200), ("GET", "nph-empty", 204)])
def test_a_body_where_none_is_allowed_is_left_out(clear, method, name, status):
    r = clear.fetch(method, "/script/" + name)
    assert r.complete and r.status == status and not r.body and r.headers["x-nph"] == "yes"


@pytest.mark.parametrize("name, message", [
    ("nph-chunked", "an nph script must not encode its body for HTTP/1.1"),
    ("nph-garbage", "output before the head is no interim response"),
    ("nph-nothing", "the response ends before its head"),
    ("nph-half", "the response ends before its head"),
    ("nph-hints", "the response ends before its head"),
    ("nph-endless", "more than 32 interim responses"),
    ("nph-two", "Content-Length of an nph script is no number: '8,7'")])
def test_an_nph_script_that_cannot_be_understood_is_reset_and_logged(clear, event, name, message):
    event.new_errors()
    stream = clear.request("GET", "/script/" + name)
    clear.wait_reset(stream)
    assert stream.status is None
    env.wait_until(lambda: message in event.new_errors(), message)


@pytest.mark.parametrize("name", ["nph-short", "nph-long"])
def test_an_nph_scripts_body_that_is_not_as_long_as_it_said_is_reset(clear, event, name):
    event.new_errors()
    stream = clear.request("GET", "/script/" + name)
    clear.wait_reset(stream)
    assert stream.status == 200 and not stream.ended
    env.wait_until(lambda: "an nph script's response of 8 bytes" in event.new_errors(), "a line")


@pytest.mark.parametrize("method, body", [("GET", BODY), ("HEAD", "")])
def test_an_nph_script_may_say_how_long_its_body_is(clear, method, body):
    r = clear.fetch(method, "/script/nph-exact")
    assert r.complete and r.status == 200 and r.headers["content-length"] == "8"
    assert r.text == body

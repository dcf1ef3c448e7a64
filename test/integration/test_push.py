# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Server push: what is pushed, to whom, once, and that it runs like any other request."""

import hashlib
import socket
from base64 import urlsafe_b64encode

import pytest

from conftest import open_client
from demosite import pattern
from environment import wait_until
from h2client import CANCEL, ENABLE_PUSH, HEADERS, MAX_CONCURRENT_STREAMS, PUSH_PROMISE
from servers import SITE, VHOSTS

# A folder for each case; the fields are those of its responses.
LINKS = {
    "plain": ["</files/1.bin>; rel=preload"],
    "quoted": ['</files/1.bin>; rel="preload"'],
    "relations": ['</files/1.bin>; rel="stylesheet preload next"'],
    "upper": ["</files/1.bin>; REL=PreLoad"],
    "several": ["</files/1.bin>; rel=preload, </text.txt>;rel=preload;as=style"],
    "fields": ["</files/1.bin>; rel=preload", "</text.txt>; rel=preload"],
    "twice": ["</files/1.bin>; rel=preload", "</files/1.bin>; rel=preload, "
              "</files/../files/1.bin>; rel=preload"],
    "nopush": ["</files/1.bin>; rel=preload; nopush"],
    "mixed": ["</files/1.bin>; nopush; rel=preload, </text.txt>; rel=preload"],
    "other-relation": ["</files/1.bin>; rel=prefetch"],
    "anchor": ['</files/1.bin>; rel=preload; anchor="/elsewhere"'],
    "relative": ["<../../files/1.bin>; rel=preload"],
    "query": ["</text.txt?a=b>; rel=preload"],
    "fragment": ["</text.txt#part>; rel=preload"],
    "above": ["<../../../files/1.bin>; rel=preload"],
    "other-host": ["<//b.test/files/1.bin>; rel=preload"],
    "other-scheme": ["<ftp://a.test/files/1.bin>; rel=preload"],
    "other-port": ["<//a.test:1/files/1.bin>; rel=preload"],
    "network-path": ["<//a.test/files/1.bin>; rel=preload"],
    "with-user": ["<//user@a.test/files/1.bin>; rel=preload"],
    "blank": ["</files/1 .bin>; rel=preload"],
    "broken": ["</files/1.bin; rel=preload"],
    "off": ["</files/1.bin>; rel=preload"],
    "itself": ["<write?n=10>; rel=preload"],
    "many": ["</h2test/write?n=10&i=%d>; rel=preload" % i for i in range(40)],
    "cgi-env": ["</cgi/env>; rel=preload"],
    "style": ["</cgi/env>; rel=preload; as=style"],
    "missing": ["</files/none>; rel=preload"],
}
ONE = ["/files/1.bin"]
EXPECTED = {
    "plain": ONE, "quoted": ONE, "relations": ONE, "upper": ONE, "twice": ONE, "relative": ONE,
    "network-path": ONE, "several": ["/files/1.bin", "/text.txt"],
    "fields": ["/files/1.bin", "/text.txt"], "nopush": [], "mixed": ["/text.txt"],
    "other-relation": [], "anchor": [], "query": ["/text.txt?a=b"], "fragment": ["/text.txt"],
    "above": [], "other-host": [], "other-scheme": [], "other-port": [], "with-user": [],
    "blank": [], "broken": [], "off": [], "itself": [],
}


def _location(name, fields):
    lines = ["Header add Link '%s'" % f for f in fields]
    return "<Location /links/%s/>\nSetHandler h2test\n%s\n</Location>\n" % (name, "\n".join(lines))


CONFIG = SITE + "".join(_location(n, f) for n, f in LINKS.items()) + """
<Location /links/asked/>
    SetHandler h2test
    Header set Link "expr=%{req:X-Link}"
</Location>
<Location /links/off/>
    H2Push off
</Location>
<Location /resources/>
    SetHandler h2test
    H2PushResource /files/1.bin
    H2PushResource add /text.txt critical
</Location>
<Location /resources/inner/>
    H2PushResource relative.txt
</Location>
<Location /resources/hinted/>
    H2EarlyHints on
    H2EarlyHint X-Hint yes
</Location>
<Location /error/>
    SetHandler h2test
    Header always add Link "</files/1.bin>; rel=preload"
</Location>
""" + VHOSTS + """<VirtualHost *:{port_tls}>
    ServerName never.test
    Protocols h2 http/1.1
    H2Push off
    {tls}
</VirtualHost>
<VirtualHost *:{port_tls}>
    ServerName narrow.test
    Protocols h2 http/1.1
    H2MaxHeaderBlockLen 1500
    {tls}
</VirtualHost>
<VirtualHost *:{port_tls}>
    ServerName renamed.test
    Protocols h2 http/1.1
    RequestHeader set Host internal.test
    {tls}
</VirtualHost>
<VirtualHost *:{port_tls}>
    ServerName small.test
    Protocols h2 http/1.1
    H2PushDiarySize 2
    {tls}
</VirtualHost>
<VirtualHost *:{port_tls}>
    ServerName forgetful.test
    Protocols h2 http/1.1
    H2PushDiarySize 0
    {tls}
</VirtualHost>
CustomLog push.log "%U%q %{H2_PUSHED}e %{H2_PUSHED_ON}e %{H2PUSH}e %{H2_PUSH}e %>s %H"
"""


@pytest.fixture
def server(servers, mpm):
    return servers.get("push", mpm, CONFIG, ports=("tls", "clear"))


@pytest.fixture
def client(server, transport):
    return open_client(server, transport)


def pushed_with(client, path, headers=(), **options):
    """The paths pushed on a request; all of them are waited for."""
    before = len(client.pushed)
    stream = client.fetch("GET", path, headers, **options)
    assert stream.complete
    pushed = client.pushed[before:]
    client.wait(*pushed)
    assert all(s.pushed_on == stream.id for s in pushed)
    return [s.path for s in pushed]


# -- what is pushed ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXPECTED)
def test_links_are_pushed(client, name):
    assert pushed_with(client, "/links/%s/write?n=10" % name) == EXPECTED[name]
    assert all(s.complete and s.status == 200 for s in client.pushed)


def test_a_promise_comes_before_the_response_that_names_it(client):
    stream = client.get("/links/plain/write?n=10")
    client.wait(*client.pushed)
    kinds = [f.type for f in client.received() if f.stream_id == stream.id]
    assert kinds[:2] == [PUSH_PROMISE, HEADERS]
    assert client.pushed[0].body == pattern(1)


def test_a_promise_is_the_request_of_a_browser(client):
    client.get("/links/style/write?n=10", [
        ("user-agent", "a browser"), ("accept", "text/html"), ("accept-language", "de"),
        ("accept-encoding", "gzip, br"), ("cookie", "a=1"), ("cookie", "b=2"),
        ("if-none-match", '"x"'), ("range", "bytes=0-1"), ("x-other", "no")])
    client.wait(*client.pushed)
    pushed, = client.pushed
    scheme = client.scheme
    assert pushed.promise[:4] == [(":method", "GET"), (":scheme", scheme),
                                  (":authority", "a.test"), (":path", "/cgi/env")]
    assert sorted(pushed.promise[4:]) == [
        ("accept", "text/css,*/*;q=0.1"), ("accept-encoding", "gzip, br"),
        ("accept-language", "de"), ("cookie", "a=1"), ("cookie", "b=2"),
        ("referer", "%s://a.test/links/style/write?n=10" % scheme), ("user-agent", "a browser")]
    assert "HTTP_COOKIE=a=1; b=2" in pushed.text


def test_a_pushed_request_knows_what_it_is(client):
    stream = client.get("/links/cgi-env/write?n=10")
    client.wait(*client.pushed)
    lines = client.pushed[0].text.splitlines()
    assert "H2_PUSHED=PUSHED" in lines and "H2_PUSHED_ON=%d" % stream.id in lines
    assert "HTTP2=on" in lines and "SERVER_PROTOCOL=HTTP/2.0" in lines
    assert "H2PUSH=off" in lines  # nothing can be pushed on a pushed stream


def test_a_request_knows_whether_it_can_push(client):
    lines = client.get("/cgi/env").text.splitlines()
    assert "H2PUSH=on" in lines and "H2_PUSH=on" in lines
    assert not any(line.startswith("H2_PUSHED") for line in lines)


def test_pushed_requests_are_logged(server, client):
    stream = client.get("/links/query/write?n=10&tag=logged-%d" % id(client))
    client.wait(*client.pushed)
    log = server.root / "push.log"
    line = "/text.txt?a=b PUSHED %d off off 200 HTTP/2.0" % stream.id
    client.ping()
    assert line in log.read_text().splitlines()


def test_an_error_of_a_pushed_request_is_pushed_too(client):
    assert pushed_with(client, "/links/missing/write?n=10") == ["/files/none"]
    assert client.pushed[0].status == 404


def test_an_error_page_pushes_nothing(client):
    assert pushed_with(client, "/error/write?n=10&status=404") == []
    assert pushed_with(client, "/error/write?n=10&status=200") == ONE


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_other_methods_push_nothing(client, method):
    client.fetch(method, "/links/plain/write?n=10")
    client.ping()
    assert not client.pushed


def test_hints_of_a_handler_are_pushed_also_where_they_are_not_passed_on(client):
    stream = client.get("/h2test/interim")
    assert stream.complete and not stream.interim
    assert [s.path for s in client.pushed] == ["/a.css"]


# -- H2PushResource ---------------------------------------------------------------------------------


def test_resources_of_a_location_are_pushed(client):
    assert pushed_with(client, "/resources/write?n=10") == ["/files/1.bin", "/text.txt"]


def test_those_of_an_inner_location_add_up(client):
    assert pushed_with(client, "/resources/inner/write?n=10") == ["/files/1.bin", "/text.txt",
                                                         "/resources/inner/relative.txt"]


def test_resources_are_pushed_with_get_only(client):
    stream = client.fetch("POST", "/resources/write?n=10", body=b"x")
    client.ping()
    assert stream.complete and not client.pushed


def test_resources_are_pushed_before_the_handler_ends(client, counter):
    stream = client.request("GET", "/resources/gate?gate=%s&tag=%s" % (counter.gate(), counter))
    client.wait_for(lambda: len(client.pushed) == 2 and all(s.done for s in client.pushed),
                    "the pushed responses")
    assert not stream.done
    counter.open()
    assert client.wait(stream).complete


@pytest.mark.parametrize("takes_pushes", [0, 1])
def test_resources_are_announced_where_hints_are_on(server, transport, takes_pushes):
    client = open_client(server, transport, settings={ENABLE_PUSH: takes_pushes})
    assert client.get("/resources/write?n=10").interim == []
    (status, fields), = client.get("/resources/hinted/write?n=10").interim
    assert status == 103 and fields == [
        ("x-hint", "yes"), ("link", "</files/1.bin>; rel=preload"),
        ("link", "</text.txt>; rel=preload")]


# -- to whom ----------------------------------------------------------------------------------------


def test_not_to_a_client_that_has_switched_it_off(server, transport):
    client = open_client(server, transport, settings={ENABLE_PUSH: 0})
    assert pushed_with(client, "/links/plain/write?n=10") == []
    assert "H2PUSH=off" in client.get("/cgi/env").text.splitlines()


def test_not_when_it_is_switched_off_later(client):
    assert pushed_with(client, "/links/plain/write?n=10") == ONE
    client.send_settings({ENABLE_PUSH: 0})
    assert pushed_with(client, "/links/query/write?n=10") == []


def test_not_more_than_the_client_allows(server, transport):
    client = open_client(server, transport, settings={MAX_CONCURRENT_STREAMS: 3})
    assert len(pushed_with(client, "/links/many/write?n=10")) == 3


def test_not_to_a_client_that_allows_no_streams(server, transport):
    client = open_client(server, transport, settings={MAX_CONCURRENT_STREAMS: 0})
    assert pushed_with(client, "/links/plain/write?n=10") == []


def test_many_are_pushed_to_who_takes_them(client):
    assert len(pushed_with(client, "/links/many/write?n=10")) == 40
    assert all(s.complete and s.received == 10 for s in client.pushed)


def test_pushed_streams_do_not_count_as_the_clients_own(server, transport):
    client = open_client(server, transport, settings={MAX_CONCURRENT_STREAMS: 200})
    streams = [client.request("GET", "/links/many/write?n=10&i=%d" % i) for i in range(100)]
    client.wait(*streams)
    assert all(s.complete for s in streams)


def test_not_where_the_vhost_has_it_off(server):
    client = open_client(server, sni="never.test")
    assert pushed_with(client, "/links/plain/write?n=10") == []
    assert "H2PUSH=off" in client.get("/cgi/env").text.splitlines()


def test_not_after_the_client_has_said_goaway(client, counter):
    stream = client.request("GET", "/links/plain/gate?gate=%s&tag=%s" % (counter.gate(), counter))
    client.send_goaway(0)
    client.ping()
    counter.open()
    assert client.wait(stream).complete and not client.pushed


@pytest.mark.parametrize("policy, pushed, method", [
    ("none", False, None), ("default", True, "GET"), ("head", True, "HEAD"),
    ("fast-load", True, "GET"), ("head;q=1", True, "HEAD"), ("HEAD", True, "HEAD"),
    ("unheard-of", True, "GET")])
def test_the_push_policy_of_the_client_holds(client, policy, pushed, method):
    assert pushed_with(client, "/links/plain/write?n=10", [("accept-push-policy", policy)]) == \
        (ONE if pushed else [])
    for stream in client.pushed:
        assert stream.promise[0] == (":method", method)
        assert (stream.received == 0) == (method == "HEAD")
    stream = client.streams[1]
    expected = policy.split(";")[0].lower()
    assert stream.headers.get("push-policy") == (None if policy == "unheard-of" else expected)


def test_a_promise_names_the_authority_that_the_client_knows(server):
    client = open_client(server, sni="renamed.test")
    assert pushed_with(client, "/links/plain/write?n=10") == ONE
    assert dict(client.pushed[0].promise)[":authority"] == "renamed.test"


def test_a_promise_that_is_too_large_is_left_out(server):
    client = open_client(server, sni="narrow.test")
    assert pushed_with(client, "/links/plain/write?n=10", [("cookie", "x" * 2000)]) == []
    for _ in range(5):
        assert client.get("/files/1.bin").complete
        assert open_client(server, sni="narrow.test").get("/files/1.bin").complete
    assert pushed_with(client, "/links/query/write?n=10") == ["/text.txt?a=b"]


@pytest.fixture
def held_back(server, counter):
    """A client that allows one pushed stream when two are promised, whose responses are there."""
    links = ", ".join("</h2test/gate?n=1000&i=%d&gate=%s&tag=%s>; rel=preload" % (
        i, counter.gate(), counter) for i in (1, 2))
    client = open_client(server, "clear")
    client.get("/links/asked/write?n=10", [("x-link", links)])
    client.wait_for(lambda: len(client.pushed) == 2, "the promises")
    client.send_settings({MAX_CONCURRENT_STREAMS: 1})
    client.ping()
    counter.open()
    return client


def test_pushed_responses_wait_until_the_client_allows_them(held_back):
    held_back.wait(*held_back.pushed)
    assert all(s.complete and s.body == pattern(1000) for s in held_back.pushed)
    frames = [f.stream_id for f in held_back.received() if f.stream_id in (2, 4)]
    assert frames == sorted(frames, key=frames.index), "one after the other"


def test_a_pushed_response_that_waits_keeps_no_other_one_from_sending(server, servers):
    one, other = servers.counters.new(), servers.counters.new()
    links = ", ".join("</h2test/gate?n=%d&gate=%s&tag=%s>; rel=preload" % (n, c.gate(), c)
                      for n, c in ((1000, one), (200000, other)))
    client = open_client(server, "clear", auto_window=False)
    client.get("/links/asked/write?n=10", [("x-link", links), ("priority", "u=3")])
    client.wait_for(lambda: len(client.pushed) == 2, "the promises")
    client.send_settings({MAX_CONCURRENT_STREAMS: 1})
    client.ping()
    first, second = client.pushed
    other.open()
    client.wait_for(lambda: second.received > 60000, "the first window")
    one.open()
    wait_until(lambda: one.finished == 1, "the one that would be sent first")
    client.ping()
    client.send_window_update(0, 1000000)
    client.send_window_update(second.id, 1000000)
    client.wait(second)
    assert second.complete
    client.wait(first)
    assert first.complete


def test_a_client_may_leave_while_pushed_responses_wait(held_back):
    held_back.wire.sock.shutdown(socket.SHUT_WR)
    held_back.wait_closed()


def test_after_an_upgrade_the_first_response_pushes(server):
    request = (b"GET /links/plain/write?n=10 HTTP/1.1\r\nHost: a.test\r\n"
               b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
               b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n")
    client = open_client(server, "clear", upgrade=request)
    client.wait(client.streams[1])
    client.wait(*client.pushed)
    assert [s.path for s in client.pushed] == ONE


# -- refusals by the client -------------------------------------------------------------------------


def test_a_client_may_refuse_a_pushed_stream(client, counter):
    stream = client.request("GET", "/resources/gate?gate=%s&tag=%s" % (counter.gate(), counter))
    client.wait_for(lambda: client.pushed, "a promise")
    client.send_reset(client.pushed[0], CANCEL)
    counter.open()
    assert client.wait(stream).complete
    assert client.get("/files/1.bin").complete
    assert not client.goaways


def test_the_main_request_may_be_cancelled_before_its_pushes(client, counter):
    stream = client.request("GET", "/resources/gate?gate=%s&tag=%s" % (counter.gate(), counter))
    client.wait_for(lambda: len(client.pushed) == 2, "the promises")
    client.send_reset(stream, CANCEL)
    client.wait(*client.pushed)
    assert all(s.complete for s in client.pushed)
    counter.open()


# -- the diary --------------------------------------------------------------------------------------


def test_nothing_is_pushed_twice_on_a_connection(server, transport):
    client = open_client(server, transport)
    assert pushed_with(client, "/links/plain/write?n=10") == ONE
    assert pushed_with(client, "/links/several/write?n=10") == ["/text.txt"]
    assert pushed_with(client, "/resources/write?n=10") == []
    assert pushed_with(open_client(server, transport), "/links/plain/write?n=10") == ONE


def test_the_oldest_entry_is_replaced(server):
    client = open_client(server, sni="small.test")
    assert pushed_with(client, "/links/several/write?n=10") == ["/files/1.bin", "/text.txt"]
    assert pushed_with(client, "/links/query/write?n=10") == ["/text.txt?a=b"]  # instead of /files/1.bin
    assert pushed_with(client, "/links/mixed/write?n=10") == []
    assert pushed_with(client, "/links/plain/write?n=10") == ONE


def test_without_a_diary_all_is_pushed_again(server):
    client = open_client(server, sni="forgetful.test")
    for _ in range(3):
        assert pushed_with(client, "/links/plain/write?n=10") == ONE


def digest(urls, log_n=7, log_p=7):
    """A digest of draft-ietf-httpbis-cache-digest-02, 2.1.2, in base64url."""
    hashes = sorted({int.from_bytes(hashlib.sha256(u.encode()).digest(), "big")
                     >> (256 - log_n - log_p) for u in urls})
    bits, last = "{:05b}{:05b}".format(log_n, log_p), -1
    for value in hashes:
        quotient, rest = divmod(value - last - 1, 1 << log_p)
        bits += "0" * quotient + "1" + ("{:0%db}" % log_p).format(rest)
        last = value
    bits += "0" * (-len(bits) % 8)
    data = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def url(client, path):
    return client.scheme + "://a.test" + path


def test_what_the_client_says_to_have_is_not_pushed(client):
    value = digest([url(client, "/files/1.bin")])
    assert pushed_with(client, "/links/several/write?n=10", [("cache-digest", value)]) == ["/text.txt"]
    assert pushed_with(client, "/links/plain/write?n=10") == []


def test_a_digest_may_come_with_a_request_that_pushes_nothing(client):
    client.get("/text.txt", [("cache-digest", digest([url(client, "/files/1.bin")]) + "; complete")])
    assert pushed_with(client, "/links/plain/write?n=10") == []


def test_a_digest_with_reset_voids_the_diary(client):
    assert pushed_with(client, "/links/plain/write?n=10") == ONE
    value = digest([url(client, "/text.txt")]) + "; reset"
    assert pushed_with(client, "/links/several/write?n=10", [("cache-digest", value)]) == ONE


@pytest.mark.parametrize("value", [
    "", "!!!", "AAAA", "A", "__________", "=", ",,;,", "reset", "a" * 4000], ids=range(9))
def test_a_malformed_digest_is_ignored(client, value):
    assert pushed_with(client, "/links/plain/write?n=10", [("cache-digest", value)]) == ONE

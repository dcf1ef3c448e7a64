# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""H2ProxyRequests: httpd as the forward proxy of HTTP/2 clients."""

import pytest

from conftest import open_client
from demosite import pattern
from servers import SITE

CONFIG = SITE + "".join("""
<VirtualHost *:{port_%(port)s}>
    ServerName a.test:{port_%(port)s}
    Protocols %(protocol)s http/1.1
    ProxyRequests %(proxy)s
    H2ProxyRequests %(h2)s
    <Proxy "*">
        Require all granted
    </Proxy>
    %(tls)s
</VirtualHost>
""" % {"port": port, "protocol": protocol, "tls": tls, "proxy": proxy, "h2": h2}
    for port, protocol, tls, proxy, h2 in (
        ("tls", "h2", "{tls}", "On", "on"), ("clear", "h2c", "", "On", "on"),
        ("closed", "h2c", "", "Off", "on"), ("off", "h2c", "", "On", "off")))


@pytest.fixture
def server(servers, mpm):
    return servers.get("forward-proxy", mpm, CONFIG, ports=("tls", "clear", "closed", "off"))


def ask_for(client, servers, path, **options):
    return client.fetch("GET", path, authority="127.0.0.1:%d" % servers.backend.port,
                        scheme="http", **options)


def test_requests_go_to_the_host_that_they_name(server, servers, transport):
    client = open_client(server, transport)
    for size in (0, 10, 100000):
        stream = ask_for(client, servers, "/size/%d" % size)
        assert stream.complete and stream.body == pattern(size)
        assert stream.headers["x-back-end"] == "yes"


def test_bodies_go_there_too(server, servers, transport):
    client = open_client(server, transport)
    stream = client.fetch("POST", "/echo", authority="127.0.0.1:%d" % servers.backend.port,
                          scheme="http", body=pattern(100000))
    assert stream.complete and stream.body == pattern(100000)


def test_a_host_that_is_not_there_is_a_bad_gateway(server, transport):
    stream = open_client(server, transport).fetch("GET", "/", authority="127.0.0.1:1",
                                                  scheme="http")
    assert stream.status in (502, 503) and stream.complete


def test_requests_for_the_proxy_itself_are_answered_by_it(server, transport):
    client = open_client(server, transport)
    stream = client.fetch("GET", "/text.txt", scheme="https" if transport == "tls" else "http",
                          authority="a.test:%d" % server.address(transport)[1])
    assert stream.complete and "quick brown fox" in stream.text


def test_options_of_the_server_is_answered(server, transport):
    assert open_client(server, transport).fetch("OPTIONS", "*").status == 200


@pytest.mark.parametrize("port", ["closed", "off"])
def test_nothing_is_passed_on_unless_both_are_on(server, servers, port):
    stream = ask_for(open_client(server, "clear", port=port), servers, "/size/10")
    assert stream.complete and stream.status == 404
    assert "x-back-end" not in stream.headers

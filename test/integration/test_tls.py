# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""What is negotiated once for a connection and not for each request: its TLS."""

import ssl

import pytest

from conftest import open_client
from environment import wait_until
from h2client import HTTP_1_1_REQUIRED, Tls
from servers import PLAIN

VHOST = """
<VirtualHost *:{port_tls}>
    ServerName %s
    Protocols h2 http/1.1
    {tls}
    %s
</VirtualHost>
"""

CONFIG = PLAIN + """
<Location /certificate/>
    SSLVerifyClient require
</Location>
<Location /ciphers/>
    SSLCipherSuite ECDHE-RSA-CHACHA20-POLY1305
</Location>
Alias /certificate/ "{docroot}/"
Alias /ciphers/ "{docroot}/"
""" + "".join(VHOST % (name, line) for name, line in (
    ("client-order.test", ""),
    ("h1.test", 'SSLVerifyClient require\n    SSLCACertificateFile "{certs}/cert.pem"'),
    ("h2only.test", "SSLCipherSuite ECDHE-RSA-AES256-GCM-SHA384"),
    ("old-tls.test", "SSLProtocol TLSv1.2"),
))


@pytest.fixture
def tls(servers, mpm):
    return servers.get("tls", mpm, CONFIG)


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def version(request):
    return getattr(ssl.TLSVersion, request.param)


def connect(server, version=None, sni="a.test"):
    return open_client(server, tls=Tls(sni=sni, max_version=version), sni=sni)


def test_a_client_certificate_for_a_folder_needs_http_1_1(tls, version):
    client = connect(tls, version)
    assert client.get("/text.txt").complete
    position = len(tls.errors())
    r = client.get("/certificate/text.txt")
    assert r.reset == HTTP_1_1_REQUIRED and r.status is None
    wait_until(lambda: "(verify-client), which needs HTTP/1.1" in tls.errors()[position:],
               "the error log")
    assert client.get("/text.txt").complete


def test_other_ciphers_for_a_folder_need_http_1_1(tls):
    client = connect(tls, ssl.TLSVersion.TLSv1_2)
    r = client.get("/ciphers/text.txt")
    assert r.reset == HTTP_1_1_REQUIRED and r.status is None
    assert client.get("/text.txt").complete


def test_requests_beside_one_that_needs_http_1_1_are_answered(tls, version):
    client = connect(tls, version)
    streams = [client.request("GET", path) for path in ("/text.txt", "/certificate/text.txt") * 10]
    client.wait(*streams)
    assert all(s.complete for s in streams[::2])
    assert all(s.reset == HTTP_1_1_REQUIRED for s in streams[1::2])


def test_a_vhost_with_the_same_tls_is_served_on_the_same_connection(tls, version):
    client = connect(tls, version)
    r = client.fetch("GET", "/h2test/info", authority="client-order.test")
    assert r.complete and "server=client-order.test" in r.text


@pytest.mark.parametrize("host", ["h1.test", "h2only.test", "old-tls.test"])
def test_a_vhost_with_other_tls_is_a_misdirected_request(tls, version, host):
    client = connect(tls, version)
    r = client.fetch("GET", "/text.txt", authority=host)
    assert r.status == 421
    assert client.get("/text.txt").complete

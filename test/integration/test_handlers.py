# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""httpd's own modules, each doing over HTTP/2 what it does over HTTP/1.1."""

import base64
import hashlib
import json
import re
import subprocess
import zlib

import pytest

import environment as env
from conftest import open_client
from demosite import pattern
from h1client import Http1
from h2client import INITIAL_WINDOW_SIZE, Tls
from servers import PLAIN

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "date"}


def auth(user, password):
    return {"authorization": "Basic " + base64.b64encode(
        ("%s:%s" % (user, password)).encode()).decode()}


# -- the same as HTTP/1.1 ---------------------------------------------------------------------------


@pytest.mark.parametrize("path, headers", [
    ("/text.txt", {}), ("/", {}), ("/missing", {}), ("/listing", {}), ("/listing/", {}),
    ("/negotiated/page", {"accept-language": "de"}), ("/ssi/part.txt", {}),
    ("/cgi/hello", {}), ("/cgi/status", {}), ("/cgi/redirect", {}), ("/cgi/nothing", {}),
    ("/proxy/size/1000", {}), ("/proxy/size/1000?chunked", {}), ("/proxy/missing", {}),
    ("/deflate/text.txt", {"accept-encoding": "gzip"}), ("/htaccess/internal", {}),
    ("/htaccess/external", {}), ("/htaccess/forbidden", {}), ("/htaccess/which", {}),
    ("/auth/secret.txt", {}), ("/auth/secret.txt", auth("user", "secret")),
    ("/errors/with-document/missing", {}), ("/errors/with-text/missing", {}),
    ("/headers/page.txt", {}), ("/h2test/redirect?to=/text.txt", {}),
    ("/h2test/subrequest?uri=/ssi/part.txt", {}), ("/h2test/write?n=100&status=404", {}),
    ("/h2test/write?n=0&status=204", {}), ("/h2test/fail?how=return", {}),
    ("/files/1000.bin", {"range": "bytes=10-19"}), ("/files/1000.bin", {"range": "bytes=5000-"}),
    ("/text.txt?query=%20x", {}), ("/%74ext.txt", {}), ("//text.txt", {}),
    ("/files/../text.txt", {}), ("/cgi/../../../../etc/passwd", {}), ("/a%2fb", {}), ("/%00", {}),
], ids=str)
def test_status_fields_and_body_are_those_of_http_1_1(httpd, transport, h2, path, headers):
    tls = Tls(alpn=("http/1.1",)) if transport == "tls" else None
    with Http1(httpd.address(transport), tls) as old:
        expected = old.get(path, headers)
    r = h2.get(path, headers)
    assert r.complete and r.status == expected.status

    def fields(response):
        return sorted((n, v.replace(":%d" % httpd.ports[transport], "")) for n, v in
                      response.fields if n not in HOP_BY_HOP | {"content-length", "accept-ranges"})
    assert fields(r) == fields(expected)
    if "content-length" in expected.headers:
        assert r.headers.get("content-length", str(r.received)) == expected.headers["content-length"]
    assert bytes(r.body) == expected.body


# -- SSI, subrequests, redirects --------------------------------------------------------------------


def test_ssi_includes_files_and_cgi_and_knows_the_protocol(h2):
    r = h2.get("/ssi/page.shtml")
    assert r.complete
    assert r.text == "start\nincluded\nhello from CGI\nHTTP/2.0\nend\n"


def test_a_subrequest_runs_inside_its_parent(h2):
    r = h2.get("/h2test/subrequest?uri=/ssi/part.txt")
    assert r.complete and r.text == "before\nincluded\nafter\n"


def test_an_internal_redirect_answers_with_the_other_resource(h2):
    assert h2.get("/h2test/redirect?to=/ssi/part.txt").text == "included\n"
    assert h2.get("/cgi/redirect").body == h2.get("/text.txt").body


def test_a_redirect_to_a_loop_ends_with_an_error(h2):
    r = h2.get("/h2test/redirect?to=/h2test/redirect?to=/h2test/redirect")
    assert r.done
    assert h2.get("/files/1.bin").complete


# -- CGI --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/h2test/write", "/h2test/redirect"])
@pytest.mark.parametrize("size", [0, 10, 20000, 65000, 97000, 98304, 200000])
def test_a_response_ends_with_the_trailers_of_its_handler(connect, path, size):
    client = connect(window=1 << 20, settings={INITIAL_WINDOW_SIZE: 1 << 20})
    value = "v" * 6000      # so that they seldom fit behind the last DATA
    to = "/h2test/write?n=%d%%26trailer=%s" % (size, value)
    query = ("?n=%d&trailer=%s" % (size, value) if path == "/h2test/write"
             else "?to=" + to.replace("?", "%3F"))
    r = client.get(path + query)
    assert r.complete and r.received == size
    assert r.trailers == [("x-trailer", value)]
    assert client.get("/files/1.bin").complete


@pytest.fixture(params=["cgid", "cgi"])
def cgi_client(request, servers, mpm, transport):
    """A connection to a server with mod_cgid or mod_cgi."""
    if request.param == "cgid":
        httpd = servers.main(mpm)
    else:
        httpd = servers.get("cgi", mpm, PLAIN, cgi="cgi", threads=8)
    return open_client(httpd, transport)


def test_cgi_answers(cgi_client):
    r = cgi_client.get("/cgi/hello")
    assert r.status == 200 and r.complete and r.text == "hello from CGI\n"
    assert r.headers["content-type"] == "text/plain"


def test_cgi_gets_its_environment(cgi_client, transport):
    r = cgi_client.get("/cgi/env?a=1&b=2", {"x-test": "value", "accept": "text/x", "cookie": "a=b"})
    seen = dict(line.split("=", 1) for line in r.text.splitlines() if "=" in line)
    assert seen["SERVER_PROTOCOL"] == "HTTP/2.0"
    assert seen["REQUEST_METHOD"] == "GET" and seen["QUERY_STRING"] == "a=1&b=2"
    assert seen["REQUEST_URI"] == "/cgi/env?a=1&b=2" and seen["SCRIPT_NAME"] == "/cgi/env"
    assert seen["HTTP_X_TEST"] == "value" and seen["HTTP_ACCEPT"] == "text/x"
    assert seen["HTTP_COOKIE"] == "a=b" and seen["HTTP_HOST"] == "a.test"
    assert seen["REMOTE_ADDR"] == "127.0.0.1" and seen["REMOTE_PORT"].isdigit()
    assert seen["REQUEST_SCHEME"] == ("https" if transport == "tls" else "http")
    assert seen.get("HTTPS") == ("on" if transport == "tls" else None)


def test_cgi_gets_the_tls_variables(cgi_client, transport):
    seen = dict(line.split("=", 1) for line in cgi_client.get("/cgi/env").text.splitlines()
                if "=" in line)
    if transport == "tls":
        assert seen["SSL_PROTOCOL"].startswith("TLSv1.") and seen["SSL_CIPHER"]
        assert seen["SSL_TLS_SNI"] == "a.test" and seen["SSL_SERVER_S_DN_CN"] == "a.test"
    else:
        assert not [name for name in seen if name.startswith("SSL_")]


def test_cgi_sets_status_and_fields(cgi_client):
    r = cgi_client.get("/cgi/status")
    assert r.status == 418 and r.complete
    assert r.headers["x-kind"] == "pot" and r.text == "short and stout\n"


@pytest.mark.parametrize("size", [0, 1, 70000, 1000000])
def test_cgi_reads_the_body(cgi_client, size):
    r = cgi_client.fetch("POST", "/cgi/digest", {"content-length": str(size)}, body=pattern(size))
    assert r.complete and r.text.split()[0] == hashlib.sha256(pattern(size)).hexdigest()
    assert r.headers["x-length"] == str(size)


def test_cgi_reads_a_body_without_a_length(cgi_client):
    r = cgi_client.fetch("POST", "/cgi/digest", body=pattern(1000000))
    assert r.complete and r.text.split()[0] == hashlib.sha256(pattern(1000000)).hexdigest()
    assert cgi_client.fetch("POST", "/cgi/cat", body=b"returned").body == b"returned"


def test_cgi_that_does_not_read_the_body_is_answered(cgi_client):
    stream = cgi_client.request("POST", "/cgi/noread", end=False)
    cgi_client.send_data(stream, bytes(100000), end=True)
    cgi_client.wait(stream)
    # 500 or a reset where the script's end meets mod_cgid's writing to its socket or its
    # reading from it; a response that mod_cgid could not read to its end is no clean one
    assert stream.reset or (stream.complete and stream.status in (200, 500))
    assert cgi_client.get("/cgi/hello").complete


def test_cgi_writes_a_large_response(cgi_client):
    r = cgi_client.get("/cgi/large?3000000")
    assert r.complete and r.body == bytes(3000000)


def test_cgi_without_any_output_is_500(cgi_client):
    r = cgi_client.get("/cgi/nothing")
    assert r.status == 500 and r.complete
    assert cgi_client.get("/cgi/hello").complete


def test_many_cgi_requests_run_at_once(cgi_client):
    streams = [cgi_client.request("GET", "/cgi/hello") for _ in range(30)]
    cgi_client.wait(*streams, timeout=30)
    assert all(s.complete and s.text == "hello from CGI\n" for s in streams)


# -- mod_proxy_http ---------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["", "?chunked"])
@pytest.mark.parametrize("size", [0, 1, 65537, 1000000])
def test_a_back_ends_response_is_passed_on(h2, size, how):
    r = h2.get("/proxy/size/%d%s" % (size, how))
    assert r.status == 200 and r.complete and r.body == pattern(size)
    assert how or r.headers["x-back-end"] == "yes"
    assert "transfer-encoding" not in r.headers and "connection" not in r.headers


def test_a_back_end_sees_a_proper_http_1_1_request(h2):
    seen = {n.lower(): v for n, v in json.loads(
        h2.get("/proxy/headers", {"x-test": "value", "te": "trailers"}).text).items()}
    assert seen["x-test"] == "value" and seen["x-request"] == "from mod_headers"
    assert seen["x-forwarded-for"] == "127.0.0.1" and seen["x-forwarded-host"] == "a.test"
    assert not [name for name in seen if name.startswith(":")]


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("size", [0, 1, 16384, 300000])
def test_a_body_is_passed_to_the_back_end(h2, size, length):
    fields = {"content-length": str(size)} if length else {}
    r = h2.fetch("POST", "/proxy/echo", fields, body=pattern(size))
    assert r.status == 200 and r.complete and r.body == pattern(size)


def test_a_back_end_that_refuses_a_body_is_heard(h2):
    stream = h2.request("POST", "/proxy/refuse", {"content-length": "100000"}, end=False)
    h2.send_data(stream, bytes(100000), end=True)
    h2.wait(stream)
    assert stream.done and stream.status in (403, 502)


def test_a_back_ends_status_is_passed_on(h2):
    for status in (201, 301, 404, 500, 503):
        r = h2.get("/proxy/status/%d" % status)
        assert r.status == status and r.complete


def test_requests_to_a_back_end_run_at_once(h2):
    streams = [h2.request("GET", "/proxy/size/65537") for _ in range(40)]
    h2.wait(*streams)
    assert all(s.complete and s.body == pattern(65537) for s in streams)


# -- compression ------------------------------------------------------------------------------------


def test_deflate_compresses(h2):
    plain = h2.get("/text.txt").body
    r = h2.get("/deflate/text.txt", {"accept-encoding": "gzip"})
    assert r.complete and r.headers["content-encoding"] == "gzip"
    assert len(r.body) < len(plain) and zlib.decompress(bytes(r.body), 31) == plain
    assert h2.get("/deflate/text.txt").body == plain


def test_deflate_compresses_what_a_back_end_sends(h2):
    r = h2.get("/deflate/files/1048576.bin", {"accept-encoding": "gzip"})
    assert r.complete and zlib.decompress(bytes(r.body), 31) == pattern(1 << 20)


@pytest.mark.skipif(not env.has_module("brotli"), reason="this httpd has no mod_brotli")
def test_brotli_compresses(httpd):
    plain = open_client(httpd).get("/text.txt").body
    url = httpd.url("/brotli/text.txt", "tls")
    head = subprocess.run(["curl", "-skI", "--http2", "-H", "accept-encoding: br", url],
                          capture_output=True, text=True, check=True).stdout
    assert "content-encoding: br" in head.lower()
    body = subprocess.run(["curl", "-sk", "--http2", "--compressed", url], capture_output=True,
                          check=True).stdout
    assert body == bytes(plain)


# -- mod_rewrite, .htaccess, mod_headers ------------------------------------------------------------


def test_rewrite_rules_of_an_htaccess_file_work(h2, transport):
    assert h2.get("/htaccess/internal").text == "target\n"
    r = h2.get("/htaccess/external")
    assert r.status == 302 and r.headers["location"].endswith("/htaccess/target.txt")
    assert r.headers["location"].startswith("https:" if transport == "tls" else "http:")
    assert h2.get("/htaccess/forbidden").status == 403
    assert h2.get("/htaccess/target.txt").headers["x-from-htaccess"] == "yes"


def test_rewrite_conditions_see_https(h2, transport):
    assert h2.get("/htaccess/which").text == ("over https\n" if transport == "tls"
                                              else "over http\n")


def test_mod_headers_changes_response_fields(h2):
    r = h2.get("/headers/page.txt")
    assert "last-modified" not in r.headers
    assert [v for n, v in r.fields if n == "x-many"] in (["one", "two"], ["one, two"])


def test_field_names_are_in_lower_case(h2):
    for path in ("/headers/page.txt", "/cgi/status", "/proxy/size/1", "/missing"):
        assert all(name == name.lower() for name, _ in h2.get(path).fields)


# -- Basic auth, error documents --------------------------------------------------------------------


def test_basic_auth_protects_and_lets_in(h2):
    r = h2.get("/auth/secret.txt")
    assert r.status == 401 and r.complete
    assert r.headers["www-authenticate"] == 'Basic realm="the realm"'
    assert h2.get("/auth/secret.txt", auth("user", "wrong")).status == 401
    r = h2.get("/auth/secret.txt", auth("user", "secret"))
    assert r.status == 200 and r.text == "the secret\n"


def test_error_documents_are_local_files_texts_and_cgi(h2):
    r = h2.get("/errors/with-document/missing")
    assert r.status == 404 and r.complete and r.text == "<p>local error page</p>\n"
    r = h2.get("/errors/with-text/missing")
    assert r.status == 404 and r.complete and r.text == "nothing of that name"
    r = h2.get("/errors/with-cgi/missing")
    assert r.status == 404 and r.complete and "REDIRECT_STATUS=404" in r.text


def test_an_error_document_answers_a_post_whose_body_is_unread(h2):
    stream = h2.request("POST", "/errors/with-document/missing", end=False)
    h2.send_data(stream, bytes(1000), end=True)
    h2.wait(stream)
    assert stream.status == 404 and "local error page" in stream.text


def test_error_documents_of_failed_handlers_are_whole(h2):
    r = h2.get("/h2test/fail?how=return")
    assert r.status == 500 and r.complete and re.search("Internal Server Error", r.text)


# -- interim responses ------------------------------------------------------------------------------


def test_an_interim_response_of_a_module_comes_before_the_final_one(h2):
    r = h2.get("/h2test/interim?interim=102")
    assert r.status == 200 and r.complete and r.body == pattern(10)
    assert [status for status, _ in r.interim] == [102]

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""httpd's modules that know of HTTP/2 or meet it on their way: mod_proxy_http2, mod_proxy's pools
and WebSocket tunnels, mod_md, expressions; and many others in one server beside ours."""

import contextlib
import hashlib
import re
import shutil
import subprocess
import uuid
import zlib

import pytest

import environment as env
from conftest import open_client
from demosite import pattern
from environment import wait_until
from h1client import Http1
from h2client import INITIAL_WINDOW_SIZE, PREFACE, SETTINGS, Tls, Wire, frame_bytes
from servers import SITE

MODULES = ["proxy_http2", "proxy_wstunnel", "cache", "cache_disk", "cache_socache", "dav", "dav_fs",
           "ext_filter", "substitute", "auth_digest", "session", "session_cookie", "unique_id",
           "info", "expires"]
OPTIONAL = ["md", "lua", "dumpio", "brotli", "log_forensic"]        # Debian has them, other builds may not
# The worker MPM needs a thread for each connection, also for those that wait in mod_proxy's pools.
THREADS, MAX_WORKERS = {"event": 32, "worker": 128}, 40

CONFIG = SITE + """
Timeout 20
KeepAliveTimeout 20
H2MaxWorkers %(workers)d
H2WindowSize 50000
AddType text/html .shtml
Header set X-Unique %%{UNIQUE_ID}e
<IfModule log_forensic_module>
ForensicLog "{root}/forensic.log"
</IfModule>
LogFormat "%%{x-id}i %%H %%{HTTP2}e %%{H2_STREAM_ID}e %%{H2_STREAM_TAG}e %%{H2_ORIGINAL_HOST}e" vars
CustomLog "{root}/vars.log" vars
Alias /scratch/ "{work}/"
ScriptAlias /script/ "{work}/cgi/"
<Location /server-info>
    SetHandler server-info
</Location>

# mod_proxy_http2, its back end is this server
SSLProxyEngine on
SSLProxyVerify none
SSLProxyCheckPeerName off
ProxyPass /back-clear/ h2c://127.0.0.1:{port_clear}/
ProxyPass /back-tls/ h2://127.0.0.1:{port_tls}/
ProxyPass /back-none/ h2c://127.0.0.1:1/ retry=0
ProxyPass /back-http1/ h2c://127.0.0.1:{backend}/ retry=0

# WebSockets
ProxyPass /tunnel/ ws://127.0.0.1:{backend}/ws/ retry=0
ProxyPass /tunnel-http/ http://localhost:{backend}/ws/ upgrade=websocket retry=0
<Location /tunnel-old/>
    ProxyWebsocketFallbackToProxyHttp off
    ProxyPass ws://127.0.0.1:{backend}/ws/old/ retry=0
</Location>

# variables
Alias /only-h2/ "{work}/"
<Location /only-h2/>
    Require expr "%%{HTTP2} == 'on'"
</Location>
<Location /scratch/vars.shtml>
    Options +Includes
    SetOutputFilter INCLUDES
</Location>
SetEnvIfExpr "%%{HTTP2} == 'on'" over_http2=yes
<Location /scratch/>
    Header set X-Env %%{HTTP2}e env=HTTP2
    Header set X-Expr "expr=%%{HTTP2}"
    Header set X-Condition yes "expr=%%{HTTP2} == 'on'"
    Header set X-SetEnvIf %%{over_http2}e env=over_http2
    <If "%%{HTTP2} == 'on'">
        Header set X-If yes
    </If>
</Location>

# caches
CacheRoot "{root}/run"
CacheSocache shmcb
CacheHeader on
CacheEnable disk /cached-disk/
CacheEnable socache /cached-memory/
ScriptAlias /cached-disk/cgi/ "{work}/cgi/"
ScriptAlias /cached-memory/cgi/ "{work}/cgi/"
Alias /cached-disk/ "{docroot}/"
Alias /cached-memory/ "{docroot}/"
<LocationMatch ^/cached-(disk|memory)/files/>
    ExpiresActive on
    ExpiresDefault "access plus 1 hour"
</LocationMatch>

# mod_dav, mod_lua, filters
DavLockDB "{root}/run/locks"
<Directory "{work}/dav">
    Dav on
</Directory>
<IfModule lua_module>
    LuaMapHandler ^/lua$ "{work}/handler.lua"
</IfModule>
ExtFilterDefine upper mode=output cmd="/usr/bin/tr a-z A-Z"
Alias /upper/ "{docroot}/"
<Location /upper/>
    SetOutputFilter upper
</Location>
Alias /substitute/ "{docroot}/"
<Location /substitute/>
    SetOutputFilter SUBSTITUTE
    Substitute "s/quick brown/slow red/"
</Location>

# mod_auth_digest, mod_session
Alias /digest/ "{docroot}/"
<Location /digest/>
    AuthType Digest
    AuthName realm
    AuthDigestDomain /digest/
    AuthUserFile "{work}/digest"
    Require valid-user
</Location>
<Location /script/session>
    Session on
    SessionCookieName session path=/
    SessionHeader X-Replace-Session
    SessionEnv on
</Location>

<VirtualHost *:{port_tls}>
    ServerName a.test
    Protocols h2 http/1.1
    {tls}
</VirtualHost>
<VirtualHost *:{port_clear}>
    ServerName a.test
    Protocols h2c http/1.1
</VirtualHost>

# mod_md: a domain whose certificate is in a file; other vhosts' are mod_ssl's as ever
<IfModule md_module>
MDStoreDir "{work}/md-{name}"
MDStapling off
<MDomain md.test>
    MDRenewMode manual
    MDCertificateFile "{certs}/cert.pem"
    MDCertificateKeyFile "{certs}/key.pem"
</MDomain>
<VirtualHost *:{port_tls}>
    ServerName md.test
    Protocols h2 http/1.1 acme-tls/1
    SSLEngine on
    SSLCipherSuite ALL
    SSLHonorCipherOrder off
</VirtualHost>
</IfModule>

# mod_dumpio
<VirtualHost *:{port_dump}>
    ServerName a.test
    Protocols h2c http/1.1
    <IfModule dumpio_module>
        LogLevel dumpio:trace7
        DumpIOInput on
        DumpIOOutput on
    </IfModule>
</VirtualHost>
<VirtualHost *:{port_tlsdump}>
    ServerName a.test
    Protocols h2 http/1.1
    {tls}
    <IfModule dumpio_module>
        LogLevel dumpio:trace7
        DumpIOInput on
        DumpIOOutput on
    </IfModule>
</VirtualHost>
""" % {"workers": MAX_WORKERS}

# Vhosts that share connections, each with settings of its own.
VHOSTS = {
    "links.test": 'Header add Link "</one.css>; rel=preload; as=style"\n'
                  'Header add Link "</two.js>; rel=preload; as=script"',
    "deflate.test": "SetOutputFilter DEFLATE",
    "brotli.test": "SetOutputFilter BROTLI_COMPRESS",
    "rewrite.test": """RewriteEngine on
        RewriteRule ^/to-file$ /text.txt [L]
        RewriteRule ^/to-back-end/(.*)$ h2c://127.0.0.1:{port_clear}/$1 [P]
        RewriteRule ^/to-other$ http://other.test/ [R=303,L]
        RewriteCond expr "%{HTTP2} == 'on'"
        RewriteRule ^/by-expr$ /files/1.bin [L]
        RewriteCond %{SERVER_PROTOCOL} =HTTP/2.0
        RewriteRule ^/by-protocol$ /files/1.bin [L]
        RewriteCond %{LA-U:ENV:HTTP2} =on
        RewriteRule ^/by-env$ /files/1.bin [L]
        RewriteRule ^/by- /files/0.bin [L]""",
}
for _name, _lines in VHOSTS.items():
    for _port, _protocols, _tls in (("tls", "h2 http/1.1", "{tls}"), ("clear", "h2c http/1.1", "")):
        CONFIG += """<VirtualHost *:{port_%s}>
    ServerName %s
    Protocols %s
    %s
    %s
</VirtualHost>
""" % (_port, _name, _protocols, _tls, _lines)

SCRIPTS = {
    "redirect": "#!/bin/sh\nprintf 'Location: /cgi/env\\r\\n\\r\\n'\n",
    # another body each time
    "now": "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\nCache-Control: max-age=600\\r\\n"
           "\\r\\n'\ndate +%N\n",
    "session": "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\nX-Replace-Session: user=%s\\r\\n"
               "\\r\\n%s\\n' \"$QUERY_STRING\" \"$HTTP_SESSION\"\n",
}
LUA = """
function handle(r)
    r.content_type = "text/plain"
    r.headers_out["X-Lua"] = "yes"
    r:puts(r.method, " ", r.protocol, " ", r.subprocess_env["HTTP2"] or "none", "\\n")
    if r.method == "POST" then
        r:puts((r:requestbody()))
    end
    return apache2.OK
end
"""


@pytest.fixture(scope="module")
def work(servers):
    """A folder for what the configuration needs beside the site."""
    folder = env.scratch_dir() / "neighbours"
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("", "cgi", "dav"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    for name, text in SCRIPTS.items():
        (folder / "cgi" / name).write_text(text)
        (folder / "cgi" / name).chmod(0o755)
    (folder / "vars.shtml").write_text(
        '<!--#echo var="HTTP2" --> <!--#echo var="H2_STREAM_ID" -->\n'
        '<!--#echo var="H2_STREAM_TAG" -->\n')
    (folder / "handler.lua").write_text(LUA)
    (folder / "digest").write_text("user:realm:%s\n" % md5("user:realm:secret"))
    for file in ("vars.shtml", "handler.lua", "digest"):
        (folder / file).chmod(0o644)
    return folder


def md5(text):
    return hashlib.md5(text.encode()).hexdigest()


@pytest.fixture
def httpd(servers, mpm, work):
    """The server of this file, with all these modules."""
    config = CONFIG.replace("{work}", str(work)).replace("{name}", "neighbours-" + mpm)
    return servers.get("neighbours", mpm, config, threads=THREADS[mpm],
                       modules=MODULES + [name for name in OPTIONAL if env.has_module(name)],
                       ports=("tls", "clear", "dump", "tlsdump"), more_levels="proxy:debug")


def over_http1(httpd, transport, host="a.test", port=None):
    """A connection of the same kind, in HTTP/1.1."""
    tls = Tls(sni=host, alpn=("http/1.1",)) if transport == "tls" else None
    return contextlib.closing(Http1(httpd.address(port or transport), tls, host=host))


def variables(response):
    return dict(line.split("=", 1) for line in response.text.splitlines() if "=" in line)


def needs(module):
    return pytest.mark.skipif(not env.has_module(module), reason="this httpd has no mod_" + module)


# -- mod_proxy_http2 --------------------------------------------------------------------------------


@pytest.fixture(params=["clear", "tls"])
def back(request):
    """The path of a back end that speaks HTTP/2."""
    return "/back-%s/" % request.param


def test_a_back_end_is_asked_in_http_2(h2, back):
    seen = variables(h2.get(back + "h2test/info"))
    assert seen["protocol"] == "HTTP/2.0" and seen["is_h2"] == "1"
    assert seen["scheme"] == ("https" if "tls" in back else "http")


def test_a_client_of_http_1_1_has_a_back_end_of_http_2(httpd, transport, back):
    with over_http1(httpd, transport) as old:
        for _ in range(3):
            assert variables(old.get(back + "h2test/info"))["protocol"] == "HTTP/2.0"
        r = old.request("POST", back + "h2test/echo", body=pattern(300000))
        assert r.status == 200 and r.body == pattern(300000)
        assert old.get(back + "files/1048576.bin").body == pattern(1 << 20)


@pytest.mark.parametrize("size", [0, 1, 16384, 65537, 1 << 20])
def test_a_file_comes_through_a_back_end_of_http_2(h2, back, size):
    r = h2.get(back + "files/%d.bin" % size)
    assert r.status == 200 and r.complete and r.body == pattern(size)


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("size", [0, 1, 50001, 300000])
def test_a_body_comes_through_a_back_end_of_http_2(h2, back, size, length):
    fields = {"content-length": str(size)} if length else {}
    r = h2.fetch("POST", back + "h2test/echo", fields, body=pattern(size))
    assert r.status == 200 and r.complete and r.body == pattern(size)


def test_a_large_file_comes_through_a_back_end_of_http_2(connect, back):
    client = connect(window=1 << 20, settings={INITIAL_WINDOW_SIZE: 1 << 19})
    r = client.get(back + "h2test/write?n=20000000", keep_body=False)
    assert r.complete and r.received == 20000000


def test_two_hundred_requests_in_turn_share_a_connection_to_the_back_end(h2, back):
    tags = []
    for i in range(200):
        r = h2.get(back + "scratch/vars.shtml?%d" % i)
        assert r.complete and r.text.startswith("on ")
        tags.append(r.text.split()[2])
    assert len(set(tags)) == 200
    assert len({tag.rpartition("-")[0] for tag in tags}) <= 2


def test_requests_run_at_once_through_a_back_end_of_http_2(h2, back, counter):
    streams = [h2.request("GET", back + "h2test/gate?gate=%s&tag=%s" % (counter.gate(), counter))
               for _ in range(10)]
    wait_until(lambda: counter.running == 10, "ten handlers of the back end")
    counter.open()
    h2.wait(*streams)
    assert all(s.complete and s.status == 200 for s in streams)
    streams = [h2.request("GET", back + "files/65537.bin?%d" % i) for i in range(60)]
    h2.wait(*streams)
    assert all(s.complete and s.body == pattern(65537) for s in streams)


def test_events_pass_a_back_end_of_http_2_as_they_come(h2, back, counter):
    stream = h2.request("GET", back + "h2test/events?n=3&gate=%s" % counter.gate())
    for i in range(3):
        h2.wait_bytes(stream, len(b"data: 0\n\n") * (i + 1))
        counter.open("-%d" % i)
    assert h2.wait(stream).complete


def test_interim_responses_and_trailers_come_from_a_back_end_of_http_2(h2, back):
    r = h2.get(back + "h2test/interim?interim=102")
    assert r.complete and [status for status, _ in r.interim] == [102]
    r = h2.get(back + "h2test/write?n=10&trailer=hello")
    assert r.complete and r.trailers == [("x-trailer", "hello")]


@pytest.mark.parametrize("path, status", [
    ("h2test/write?n=10&status=201", 201), ("missing", 404), ("h2test/fail?how=return", 500),
    ("h2test/fail?how=error", 502)])
def test_the_status_of_a_back_end_of_http_2_is_passed_on(httpd, transport, h2, back, path, status):
    r = h2.get(back + path)
    assert r.status == status and r.complete
    with over_http1(httpd, transport) as old:
        assert old.get(back + path).status == status
    assert h2.get(back + "text.txt").complete


def test_a_response_that_breaks_off_at_the_back_end_is_none(h2, back):
    """A client of HTTP/1.1 has it as a whole one: mod_proxy_http2 marks it in no other way."""
    for _ in range(5):
        r = h2.get(back + "h2test/fail?how=error&n=100000")
        assert r.done and not (r.complete and r.status == 200)
    assert h2.get(back + "text.txt").complete


def test_a_back_end_that_is_not_there_or_speaks_http_1_1_is_503(httpd, transport, h2):
    for path in ("/back-none/", "/back-http1/size/10"):
        r = h2.get(path)
        assert r.status == 503 and r.complete
        with over_http1(httpd, transport) as old:
            assert old.get(path).status == 503
    assert h2.get("/files/1.bin").complete


def test_a_download_through_a_back_end_can_be_cancelled(connect, back, counter):
    client = connect(auto_window=False, window=1 << 20)
    stream = client.request("GET", back + "h2test/endless?tag=%s" % counter)
    client.wait_bytes(stream, 65535)
    client.send_reset(stream)
    wait_until(lambda: counter.finished == 1, "the end of the back end's handler")
    assert client.get(back + "files/1.bin", timeout=5).status == 200


# -- mod_proxy's pools ------------------------------------------------------------------------------


def test_mod_proxy_makes_its_pools_large_enough_for_our_threads(httpd):
    """By http2_get_num_workers: the MPM's threads but one, and all that serve HTTP/2."""
    sizes = re.findall(r"AH00930: initialized pool in child \d+ for \((.*?):\d+\) "
                       r"min=\d+ max=(\d+)", httpd.errors())
    ours = int(variables(open_client(httpd).get("/h2test/info"))["max_workers"])
    assert ours >= MAX_WORKERS
    assert sizes and {int(size) for _, size in sizes} == {THREADS[httpd.mpm] - 1 + ours}


# -- WebSockets over HTTP/1.1 -----------------------------------------------------------------------


UPGRADE = ("GET %s HTTP/1.1\r\nHost: a.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")


@pytest.fixture(params=["/tunnel/chat", "/tunnel-http/chat", "/tunnel-old/chat"])
def tunnel(request, httpd, transport):
    """A WebSocket through mod_proxy_wstunnel, mod_proxy_http, mod_proxy_wstunnel's own way."""
    with over_http1(httpd, transport) as old:
        old.send((UPGRADE % request.param).encode())
        head = old.read_until(b"\r\n\r\n").lower()
        assert head.startswith(b"http/1.1 101 ") and b"\r\nupgrade: websocket\r\n" in head
        # of the key, RFC 6455, 1.3
        assert b"\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n" in head
        yield old


def test_a_websocket_carries_bytes_both_ways(tunnel):
    for size in (1, 2, 125, 126, 8000, 16384, 40000):
        tunnel.send(pattern(size))
        assert tunnel.read_bytes(size) == pattern(size)


def test_a_websocket_carries_much(tunnel):
    for i in range(40):
        tunnel.send(pattern(50000, offset=i * 50000))
        assert tunnel.read_bytes(50000) == pattern(50000, offset=i * 50000)


def test_a_websocket_carries_the_prefaces_bytes(tunnel):
    """They are none of ours: this connection is a tunnel."""
    data = PREFACE + frame_bytes(SETTINGS, 0, 0)
    tunnel.send(data)
    assert tunnel.read_bytes(len(data)) == data


def test_a_websocket_ends_when_the_back_end_ends_it(tunnel):
    tunnel.send(b"bye")         # the back end's word for it
    assert tunnel.read_to_end() == b"bye"


def test_websockets_stay_beside_http_2_on_the_same_port(tunnel, h2):
    streams = [h2.request("GET", "/files/65537.bin") for _ in range(20)]
    tunnel.send(b"hello")
    assert tunnel.read_bytes(5) == b"hello"
    h2.wait(*streams)
    assert all(s.complete for s in streams)


def test_a_websockets_path_without_an_upgrade_is_answered_by_the_back_end(httpd, transport, h2):
    for path in ("/tunnel/chat", "/tunnel-http/chat"):
        with over_http1(httpd, transport) as old:
            assert old.get(path).status == 426
        r = h2.get(path)
        assert r.status == 426 and r.complete and "upgrade" not in r.headers


# -- mod_md -----------------------------------------------------------------------------------------


@pytest.fixture
def challenge(httpd, work):
    """The certificate that mod_md is to show to a CA, as its ACME part would have left it."""
    folder = work / ("md-neighbours-" + httpd.mpm) / "challenges" / "md.test"
    folder.mkdir(exist_ok=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=challenge", "-keyout", str(folder / "acme-tls-alpn-01-privkey.pem"),
         "-out", str(folder / "acme-tls-alpn-01-pubcert.pem")], check=True, capture_output=True)
    for path in (folder.parent, folder, *folder.iterdir()):
        path.chmod(0o755)
    yield
    shutil.rmtree(folder)


def certificate(wire):
    return wire.ssl.getpeercert(binary_form=True)


@needs("md")
def test_a_managed_domain_is_served_over_http_2(httpd):
    client = open_client(httpd, sni="md.test", alpn=("h2", "http/1.1"))
    r = client.get("/h2test/info")
    assert r.complete and "server=md.test\n" in r.text and "protocol=HTTP/2.0\n" in r.text
    with over_http1(httpd, "tls", host="md.test") as old:
        assert "protocol=HTTP/1.1\n" in old.get("/h2test/info").text


@needs("md")
def test_a_ca_that_offers_acme_tls_1_gets_the_challenges_certificate(httpd, challenge):
    usual = certificate(open_client(httpd, sni="md.test").wire)
    for _ in range(3):
        wire = Wire(httpd.address("tls"), Tls(sni="md.test", alpn=("acme-tls/1",)))
        assert wire.alpn == "acme-tls/1"
        assert b"challenge" in certificate(wire) and certificate(wire) != usual
        wire.close()
    again = open_client(httpd, sni="md.test")
    assert certificate(again.wire) == usual and again.get("/text.txt").complete


@needs("md")
def test_acme_tls_1_is_never_taken_for_http_2(httpd, challenge):
    for data in (PREFACE + frame_bytes(SETTINGS, 0, 0), b"GET / HTTP/1.1\r\n\r\n"):
        with contextlib.closing(Http1(httpd.address("tls"),
                                      Tls(sni="md.test", alpn=("acme-tls/1",)))) as ca:
            ca.send(data)
            # httpd takes it for HTTP/1.1, and neither is a good request in that
            assert ca.read_to_end().startswith(b"HTTP/1.1 400 ")
    assert open_client(httpd, sni="md.test").get("/text.txt").complete


@needs("md")
@pytest.mark.parametrize("sni", ["md.test", "a.test"])
def test_a_client_that_knows_both_gets_http_2(httpd, challenge, sni):
    usual = certificate(open_client(httpd, sni="a.test").wire)
    for alpn in (("h2", "acme-tls/1"), ("acme-tls/1", "h2")):
        client = open_client(httpd, sni=sni, alpn=alpn)
        assert client.wire.alpn == "h2" and certificate(client.wire) == usual
        assert client.get("/text.txt").complete


# -- variables --------------------------------------------------------------------------------------


OURS = ("HTTP2", "H2_STREAM_ID", "H2_STREAM_TAG", "H2_ORIGINAL_HOST")


def test_cgi_scripts_know_their_stream(h2, connect):
    seen = []
    for i in range(3):
        stream = h2.get("/cgi/env", {"host": "other.test"} if i else {})
        found = variables(stream)
        assert found["HTTP2"] == "on" and found["H2_STREAM_ID"] == str(stream.id)
        assert found["H2_STREAM_TAG"].endswith("-%d" % stream.id)
        assert found.get("H2_ORIGINAL_HOST") == ("other.test" if i else None)
        seen.append(found["H2_STREAM_TAG"].rpartition("-")[0])
    assert len(set(seen)) == 1
    other = variables(connect().get("/cgi/env"))["H2_STREAM_TAG"]
    assert other.endswith("-1") and other.rpartition("-")[0] != seen[0]


def test_cgi_scripts_over_http_1_1_know_of_no_stream(httpd, transport):
    with over_http1(httpd, transport) as old:
        found = variables(old.get("/cgi/env"))
    assert found["SERVER_PROTOCOL"] == "HTTP/1.1"
    assert not [name for name in OURS if name in found]


def test_the_request_that_upgraded_has_the_variables(httpd):
    client = open_client(httpd, "clear", upgrade=(
        b"GET /cgi/env HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: %SETTINGS%\r\n\r\n"))
    found = variables(client.wait(client.streams[1]))
    assert found["HTTP2"] == "on" and found["H2_STREAM_ID"] == "1"


def test_pages_with_ssi_know_their_stream(httpd, transport, h2):
    h2.get("/files/1.bin")
    r = h2.get("/scratch/vars.shtml")
    assert r.complete and re.fullmatch(r"on 3\n[\d-]+-3\n", r.text)
    with over_http1(httpd, transport) as old:
        assert old.get("/scratch/vars.shtml").text == "(none) (none)\n(none)\n"


def test_error_documents_and_redirects_know_what_was_before_them(h2):
    found = variables(h2.get("/script/redirect"))
    assert found["HTTP2"] == found["REDIRECT_HTTP2"] == "on"
    assert found["H2_STREAM_ID"] == found["REDIRECT_H2_STREAM_ID"] == "1"


def test_the_log_knows_the_stream(httpd, transport, h2):
    name = uuid.uuid4().hex
    stream = h2.get("/files/1.bin", {"x-id": name, "host": "other.test"})
    with over_http1(httpd, transport) as old:
        old.get("/files/1.bin", {"x-id": name})

    def lines():
        path = httpd.root / "vars.log"
        return [line.split(" ")[1:] for line in path.read_text().splitlines()
                if line.startswith(name + " ")]
    wait_until(lambda: len(lines()) == 2, "two lines in the log")
    (new, old_line) = sorted(lines(), reverse=True)
    assert new[:3] == ["HTTP/2.0", "on", str(stream.id)] and new[4] == "other.test"
    assert new[3].endswith("-%d" % stream.id)
    assert old_line == ["HTTP/1.1", "-", "-", "-", "-"]


def test_expressions_and_headers_know_http_2(httpd, transport, h2):
    names = ("x-env", "x-expr", "x-condition", "x-setenvif", "x-if")
    found = h2.get("/scratch/digest").headers
    assert [found.get(name) for name in names] == ["on", "on", "yes", "yes", "yes"]
    with over_http1(httpd, transport) as old:
        found = old.get("/scratch/digest").headers
    assert [found.get(name) for name in names] == [None, "off", None, None, None]


def test_require_expr_knows_http_2(httpd, transport, h2):
    r = h2.get("/only-h2/handler.lua")
    assert r.status == 200 and r.text == LUA
    with over_http1(httpd, transport) as old:
        assert old.get("/only-h2/handler.lua").status == 403


@pytest.mark.parametrize("path", ["/by-expr", "/by-protocol", "/by-env"])
def test_mod_rewrite_knows_http_2(httpd, transport, connect, path):
    client = connect(sni="rewrite.test")
    assert client.get(path).body == pattern(1)
    with over_http1(httpd, transport, host="rewrite.test") as old:
        assert old.get(path).body == b""


# -- many modules on one connection -----------------------------------------------------------------


@needs("brotli")
def test_each_vhost_of_a_connection_has_its_own_modules(httpd, transport, h2):
    """links, deflate, brotli and rewrite.test share the connection of a.test."""
    plain = h2.get("/text.txt").body
    accept = {"accept-encoding": "gzip, br"}
    for _ in range(2):
        streams = {name: h2.request("GET", "/text.txt", accept, authority=name)
                   for name in ("a.test", *VHOSTS)}
        h2.wait(*streams.values())
        for name, stream in streams.items():
            assert stream.complete and stream.status == 200
            encoding = {"deflate.test": "gzip", "brotli.test": "br"}.get(name)
            assert stream.headers.get("content-encoding") == encoding
            if encoding == "gzip":
                assert zlib.decompress(bytes(stream.body), 31) == plain
            assert (stream.body == plain) == (not encoding)
            links = [value for field, value in stream.fields if field == "link"]
            assert len(links) == (2 if name == "links.test" else 0)
            with over_http1(httpd, transport, host=name) as old:
                assert old.get("/text.txt", accept).body == stream.body


def test_rewrite_rules_lead_to_files_back_ends_and_other_places(h2):
    plain = h2.get("/text.txt").body
    for path in ("/to-file", "/to-back-end/text.txt"):
        r = h2.get(path, authority="rewrite.test")
        assert r.complete and r.body == plain
    r = h2.get("/to-other", authority="rewrite.test")
    assert r.status == 303 and r.headers["location"] == "http://other.test/"
    assert h2.get("/to-file").status == 404


# -- caches -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["disk/cgi/now", "disk/files/65537.bin", "disk/files/1.bin",
                                  "memory/files/16385.bin", "memory/files/1.bin"])
def test_a_second_request_is_served_from_the_cache(httpd, transport, h2, path):
    path = "/cached-%s?%s" % (path, uuid.uuid4().hex)
    first = h2.get(path)
    assert first.status == 200 and first.complete
    assert first.headers["x-cache"].startswith("MISS") and "age" not in first.headers
    second = h2.get(path)
    assert second.complete and second.headers["x-cache"].startswith("HIT")
    assert int(second.headers["age"]) >= 0 and second.body == first.body
    with over_http1(httpd, transport) as old:
        r = old.get(path)
        assert r.headers["x-cache"].startswith("HIT") and r.body == first.body
    head = h2.fetch("HEAD", path)
    assert head.complete and head.status == 200 and not head.received


def test_what_http_1_1_stored_is_served_to_http_2(httpd, transport, h2):
    path = "/cached-disk/cgi/now?" + uuid.uuid4().hex
    with over_http1(httpd, transport) as old:
        stored = old.get(path)
    r = h2.get(path)
    assert r.complete and r.headers["x-cache"].startswith("HIT") and r.body == stored.body


def test_a_cache_answers_conditional_and_range_requests(h2):
    path = "/cached-disk/files/65537.bin?" + uuid.uuid4().hex
    etag = h2.get(path).headers["etag"]
    r = h2.get(path, {"if-none-match": etag})
    assert r.status == 304 and r.complete and not r.received
    r = h2.get(path, {"range": "bytes=10-19"})
    assert r.status == 206 and r.body == pattern(10, 10)


def test_many_requests_at_once_are_served_from_the_cache(h2):
    path = "/cached-disk/files/65537.bin?" + uuid.uuid4().hex
    assert h2.get(path).complete
    streams = [h2.request("GET", path) for _ in range(50)]
    h2.wait(*streams)
    assert all(s.complete and s.body == pattern(65537) for s in streams)
    assert all(s.headers["x-cache"].startswith("HIT") for s in streams)


# -- mod_dav ----------------------------------------------------------------------------------------


@pytest.fixture
def dav(work):
    """The path of a WebDAV folder of this test's own."""
    folder = work / "dav" / uuid.uuid4().hex
    folder.mkdir()
    folder.chmod(0o777)
    yield "/scratch/dav/%s/" % folder.name
    shutil.rmtree(folder)


@pytest.mark.parametrize("size", [0, 1, 300000])
def test_dav_stores_and_deletes_files(h2, work, dav, size):
    path = dav + "file.bin"
    assert h2.fetch("PUT", path, body=pattern(size)).status == 201
    assert (work / path[len("/scratch/"):]).read_bytes() == pattern(size)
    assert h2.fetch("PUT", path, {"content-length": "3"}, body=b"new").status == 204
    assert h2.get(path).body == b"new"
    assert h2.fetch("DELETE", path).status == 204 and h2.get(path).status == 404


def test_dav_lists_folders(h2, dav):
    assert h2.fetch("MKCOL", dav + "sub/").status == 201
    h2.fetch("PUT", dav + "sub/one.txt", body=b"one")
    for depth, count in (("0", 1), ("1", 2)):
        r = h2.fetch("PROPFIND", dav, {"depth": depth})
        assert r.status == 207 and r.complete and r.text.count("<D:response ") == count
    r = h2.fetch("PROPFIND", dav, {"depth": "infinity"})
    assert r.status == 403 and r.complete       # DavDepthInfinity is off
    body = b'<?xml version="1.0"?><propfind xmlns="DAV:"><prop><getcontentlength/></prop></propfind>'
    r = h2.fetch("PROPFIND", dav + "sub/one.txt", {"depth": "0"}, body=body)
    assert r.status == 207 and "getcontentlength>3<" in r.text
    r = h2.fetch("OPTIONS", dav)
    assert r.status == 200 and "1,2" in r.headers["dav"] and "PROPFIND" in r.headers["allow"]


def test_dav_copies_moves_and_locks(httpd, transport, h2, dav):
    authority = "a.test:%d" % httpd.ports[transport]
    h2.fetch("PUT", dav + "a.txt", body=b"content")
    for method, target in (("COPY", "b.txt"), ("MOVE", "c.txt")):
        to = "%s://%s%s" % (h2.scheme, authority, dav + target)
        r = h2.fetch(method, dav + "a.txt", {"destination": to}, authority=authority)
        assert r.status == 201 and r.complete
        assert h2.get(dav + target).body == b"content"
    assert h2.get(dav + "a.txt").status == 404
    lock = (b'<?xml version="1.0"?><lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope>'
            b'<locktype><write/></locktype></lockinfo>')
    r = h2.fetch("LOCK", dav + "b.txt", {"timeout": "Second-60"}, body=lock)
    assert r.status == 200 and r.complete
    token = r.headers["lock-token"]
    assert h2.fetch("PUT", dav + "b.txt", body=b"other").status == 423
    assert h2.fetch("PUT", dav + "b.txt", {"if": "(%s)" % token}, body=b"other").status == 204
    assert h2.fetch("UNLOCK", dav + "b.txt", {"lock-token": token}).status == 204
    assert h2.fetch("DELETE", dav + "b.txt").status == 204


def test_many_files_are_stored_at_once(h2, dav):
    streams = [h2.request("PUT", dav + "%d.bin" % i, body=pattern(5000, i)) for i in range(30)]
    h2.wait(*streams)
    assert all(s.complete and s.status == 201 for s in streams)
    for i in range(30):
        assert h2.get(dav + "%d.bin" % i).body == pattern(5000, i)


# -- mod_lua, mod_ext_filter, mod_substitute --------------------------------------------------------


@needs("lua")
def test_lua_handlers_answer(httpd, transport, h2):
    r = h2.get("/lua")
    assert r.complete and r.headers["x-lua"] == "yes" and r.text == "GET HTTP/2.0 on\n"
    with over_http1(httpd, transport) as old:
        assert old.get("/lua").body == b"GET HTTP/1.1 none\n"


@needs("lua")
@pytest.mark.parametrize("size", [1, 50001, 200000])
def test_lua_handlers_read_a_body(h2, size):
    body = pattern(size).hex()[:size]       # r:puts() ends at a byte of 0
    r = h2.fetch("POST", "/lua", {"content-length": str(size)}, body=body.encode())
    assert r.complete and r.text == "POST HTTP/2.0 on\n" + body


@needs("lua")
def test_lua_handlers_run_at_once(h2):
    streams = [h2.request("GET", "/lua") for _ in range(50)]
    h2.wait(*streams)
    assert all(s.complete and s.text == "GET HTTP/2.0 on\n" for s in streams)


def test_external_filters_and_substitutions_change_a_response(httpd, transport, h2):
    plain = h2.get("/text.txt").text
    for path, text in (("/upper/text.txt", plain.upper()),
                       ("/substitute/text.txt", plain.replace("quick brown", "slow red"))):
        streams = [h2.request("GET", path) for _ in range(5)]
        h2.wait(*streams)
        assert all(s.complete and s.text == text for s in streams)
        with over_http1(httpd, transport) as old:
            assert old.get(path).text == text


# -- mod_auth_digest, mod_session -------------------------------------------------------------------


def digest(challenge, count, password="secret", path="/digest/text.txt"):
    given = dict(re.findall(r'(\w+)="?([^",]+)', challenge))
    response = md5(":".join((md5("user:realm:" + password), given["nonce"], "%08x" % count,
                             "c0ffee", "auth", md5("GET:" + path))))
    return {"authorization": 'Digest username="user", realm="realm", nonce="%s", uri="%s", '
                             'qop=auth, nc=%08x, cnonce="c0ffee", response="%s", algorithm=MD5'
                             % (given["nonce"], path, count, response)}


def test_digest_auth_lets_in_on_this_and_other_connections(connect, h2):
    r = h2.get("/digest/text.txt")
    assert r.status == 401 and r.complete
    challenge = r.headers["www-authenticate"]
    for count in range(1, 4):
        r = h2.get("/digest/text.txt", digest(challenge, count))
        assert r.status == 200 and r.complete and "rspauth=" in r.headers["authentication-info"]
    assert connect().get("/digest/text.txt", digest(challenge, 4)).status == 200
    assert h2.get("/digest/text.txt", digest(challenge, 5, password="wrong")).status == 401
    assert h2.get("/digest/0", digest(challenge, 6)).status in (400, 401)


def test_a_session_is_kept_in_its_cookie(connect, h2):
    r = h2.get("/script/session?alice")
    assert r.complete and r.headers["set-cookie"] == "session=user=alice;path=/" and r.text == "\n"
    assert "x-replace-session" not in r.headers
    for client in (h2, connect()):
        r = client.get("/script/session?bob", {"cookie": "session=user=alice"})
        assert r.complete and r.text == "user=alice\n"
        assert r.headers["set-cookie"] == "session=user=bob;path=/"
    # as a client may split it, RFC 9113, 8.2.3
    r = h2.get("/script/session?bob", [("cookie", "a=b"), ("cookie", "session=user=carol")])
    assert r.text == "user=carol\n"


# -- mod_unique_id, mod_log_forensic, mod_dumpio, mod_info, mod_status ------------------------------


def test_each_request_of_a_connection_has_an_id_of_its_own(connect):
    ids = set()
    for client in (connect(), connect()):
        for _ in range(2):
            streams = [client.request("GET", "/files/1.bin") for _ in range(50)]
            client.wait(*streams)
            ids.update(s.headers["x-unique"] for s in streams)
    assert len(ids) == 200 and "(null)" not in ids


@needs("log_forensic")
def test_each_line_of_the_forensic_log_has_its_counterpart(httpd, transport, connect):
    log = httpd.root / "forensic.log"
    before = len(log.read_text().splitlines())
    client = connect(auto_window=False, window=1 << 20)
    endless = client.request("GET", "/h2test/endless")
    client.wait_bytes(endless, 65535)
    client.send_reset(endless)
    streams = [client.request("GET", path) for path in 10 * (
        "/files/0.bin", "/missing", "/cgi/redirect", "/scratch/vars.shtml", "/h2test/fail?how=error")]
    client.wait(*streams)
    with over_http1(httpd, transport) as old:
        old.get("/files/1.bin")

    def lines():
        return log.read_text().splitlines()[before:]

    def ids(sign):
        return sorted(line[1:].split("|")[0] for line in lines() if line[0] == sign)
    wait_until(lambda: len(ids("-")) >= 52 and ids("+") == ids("-"), "the log's last lines")
    assert len(set(ids("+"))) == len(ids("+")) == 52
    assert sum("|GET /missing HTTP/2.0|" in line for line in lines()) == 10


@needs("dumpio")
@pytest.mark.parametrize("port", ["dump", "tlsdump"])
def test_mod_dumpio_sees_all_bytes_and_changes_none(httpd, port):
    client = open_client(httpd, "tls" if port == "tlsdump" else "clear", port=port)
    position = len(httpd.errors())
    streams = [client.request("GET", "/files/1000.bin") for _ in range(5)]
    streams += [client.request("POST", "/h2test/echo", body=pattern(10000))]
    client.wait(*streams)
    assert all(s.complete and s.status == 200 for s in streams)
    assert all(s.body == pattern(1000) for s in streams[:5]) and streams[5].body == pattern(10000)
    lines = [line for line in httpd.errors()[position:].splitlines() if "[dumpio:trace" in line]
    assert [line for line in lines if "dumpio_in" in line]
    assert [line for line in lines if "dumpio_out" in line]


def test_server_info_shows_our_module_and_its_directives(h2):
    r = h2.get("/server-info?mod_http2.c")
    assert r.status == 200 and r.complete
    text = re.sub(r"<[^>]+>", "", r.text)
    assert "Module Name: mod_http2.c" in text
    for directive in ("H2MaxSessionStreams", "H2WindowSize", "H2Direct", "H2EarlyHints"):
        assert "%s - " % directive in text
    assert "H2MaxWorkers %d" % MAX_WORKERS in text and "H2WindowSize 50000" in text
    everything = h2.get("/server-info")
    assert everything.complete and "mod_http2.c" in everything.text


def test_server_status_is_the_same_over_http_2(httpd, transport, h2):
    def names(text):
        return [line.partition(":")[0] for line in text.splitlines() if ":" in line]
    with over_http1(httpd, transport) as old:
        old.get("/files/1000.bin")
        # It has more lines once a request is counted, and HTTP/1.1 counts after the answer.
        wait_until(lambda: "BytesPerReq" in old.get("/server-status?auto").text, "a counted request")
        r = h2.get("/server-status?auto")
        assert names(r.text) == names(old.get("/server-status?auto").text)
    assert r.status == 200 and r.complete
    assert {"Total Accesses", "BusyWorkers", "Scoreboard"} <= set(names(r.text))
    page = h2.get("/server-status")
    assert page.complete and "Apache Server Status for a.test" in page.text

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""The lines that docs/troubleshooting.md quotes are those that httpd, or curl, writes: each test makes
what its part of the page is about, and looks for the lines that stand below its name there. Figures
may be others, "..." is anything."""

import re
import shutil
import subprocess
import time

import pytest

import environment as env
from connections import close_all, open_client
from environment import wait_until
from h2client import (CONTINUATION, DATA, END_STREAM, HEADERS, HTTP_1_1_REQUIRED,
                      INITIAL_WINDOW_SIZE, Tls, WireTimeout, frame_bytes)
from servers import PLAIN, SITE

PAGE = (env.CHECKOUT / "docs" / "troubleshooting.md").read_text()

CONFIG = SITE + """
Timeout 20
KeepAliveTimeout 20
H2MaxWorkers 4
H2EarlyHints on
ProxyPass /fail/ http://127.0.0.1:{backend}/
Alias /certificate/ "{docroot}/"
<Location /certificate/>
    SSLVerifyClient require
</Location>
<Location /h2test/limited/>
    LimitRequestBody 1000
</Location>
<Location /control/>
    SetHandler h2test
    Header always set X-Bad "a\x01b"
</Location>
<VirtualHost *:{port_tls}>
    ServerName www.example.org
    Protocols h2 http/1.1
    H2Direct on
    {tls}
</VirtualHost>
<VirtualHost *:{port_tls}>
    ServerName shop.example.org
    Protocols h2 http/1.1
    SSLProtocol TLSv1.2
    {tls}
</VirtualHost>
<VirtualHost *:{port_clear}>
    ServerName www.example.org
    Protocols h2c http/1.1
    H2WebSockets on
</VirtualHost>
<VirtualHost *:{port_floods}>
    Protocols h2c
    H2MaxResets 1 10
    H2MaxControlFrames 1 10
    H2MaxHeaderListSize 4096
    H2MaxConnectionRequests 5
</VirtualHost>
<VirtualHost *:{port_brief}>
    Protocols h2c
    H2MaxConnectionTime 500ms
    Timeout 1
    H2StreamTimeout 0
</VirtualHost>
<VirtualHost *:{port_hasty}>
    Protocols h2c
    H2StreamTimeout 500ms
</VirtualHost>
<VirtualHost *:{port_second}>
    Protocols h2c
    Timeout 1
</VirtualHost>
<VirtualHost *:{port_plain}>
    Protocols http/1.1
</VirtualHost>
"""
PORTS = ("tls", "clear", "floods", "brief", "hasty", "second", "plain")


def quoted(test, language):
    """The lines of the blocks of that language that the page gives to a test."""
    blocks = re.findall(r"<!-- run: by \S+::%s -->\n```%s\n(.*?)```" % (test, language), PAGE, re.S)
    assert blocks, "the page has no %s of %s" % (language, test)
    return [line for block in blocks for line in block.splitlines()]


def as_pattern(line):
    """Of what is quoted: figures stand for any figures, but not in names as AH03401 or H2Push."""
    pattern = "".join(
        ".*" if part == "..." else r"\d[\d.]*" if re.fullmatch(r"\d[\d.]*", part) else re.escape(part)
        for part in re.split(r"(\.\.\.|(?<![A-Za-z0-9_])\d[\d.]*\b)", line) if part)
    return pattern.replace(re.escape("www.example.org"), "[a-z.]+").replace(
        re.escape("shop.example.org"), "[a-z.]+")


@pytest.fixture
def said(request):
    """said(server): waits until its log has each line that the page quotes for this test."""
    name = request.node.originalname

    def said(server, position=0, lines=None):
        for line in lines or quoted(name, "log"):
            wait_until(lambda: re.search(as_pattern(line), server.errors()[position:]),
                       "the log to have: %s\nbut it has: %s" % (line, server.errors()[position:]))
    return said


@pytest.fixture
def server(servers):
    found = servers.get("trouble", "event", CONFIG, ports=PORTS, modules=["proxy_wstunnel"],
                        is_stable=False)
    found.position = len(found.errors())
    return found


@pytest.fixture
def connect(server):
    def connect(port="clear", **options):
        return open_client(server, "clear", port=port, authority="www.example.org", **options)
    return connect


def curl(server, path, *options):
    """(exit code, what is printed) of curl, asking www.example.org."""
    if not shutil.which("curl"):
        pytest.skip("no curl")
    where = ":443:127.0.0.1:%d" % server.ports["tls"]
    result = subprocess.run(["curl", "-sSk", "--connect-to", "www.example.org" + where, "-o", "/dev/null",
                             *options, "https://www.example.org" + path], capture_output=True, text=True)
    return result.returncode, (result.stdout + result.stderr).strip()


def test_each_quoted_line_has_a_test():
    here = set(re.findall(r"^def (test_\w+)", open(__file__).read(), re.M))
    named = re.findall(r"<!-- run: by test/docs/test_troubleshooting.py::(\w+) -->", PAGE)
    assert set(named) <= here and len(named) > 20
    for block in re.finditer(r"(.*)\n```(log|text)\n", PAGE):
        assert block.group(1).startswith("<!-- run: by "), block.group(0)


def test_each_link_within_the_page_leads_somewhere():
    heads = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-")
             for head in re.findall(r"^#+ (.*)$", PAGE, re.M)}
    assert set(re.findall(r"\]\(#([^)]*)\)", PAGE)) <= heads


def test_no_line_of_the_page_is_too_long():
    outside = re.sub(r"```.*?```", "", PAGE, flags=re.S).splitlines()
    assert [line for line in outside if len(line) > 100 and not line.startswith("|")] == []


# ---- what is loaded -----------------------------------------------------------------------------


def test_what_is_loaded(servers, server, said):
    code, output = servers.new("trouble-dump", "event", PLAIN).run("-t", "-D", "DUMP_H2")
    shown = [line for line in quoted("test_what_is_loaded", "console") if not line.startswith("$")]
    assert code == 0
    for line in shown:
        assert re.search("^" + as_pattern(line), output, re.M), output
    said(server)


def test_wrong_directives(servers):
    unknown, wrong = quoted("test_wrong_directives", "log")
    server = servers.new("trouble-wrong", "event", PLAIN)
    code, output = server.check("H2WindowSize abc")
    assert code != 0 and re.search(as_pattern(wrong), output), output
    server.write_config("H2MaxResets 1")
    config = server.config_file.read_text()
    server.config_file.write_text(re.sub("LoadModule http2.*| http2:[a-z0-9]+", "", config))
    output = subprocess.run(server._command("-t"), capture_output=True, text=True).stderr
    assert re.search(as_pattern(unknown), output), output


def test_loaded_twice(servers):
    server = servers.new("trouble-twice", "event", PLAIN)
    code, output = server.check("LoadModule http2_module %s" % env.module_so())
    assert code == 0 and re.search(as_pattern(quoted("test_loaded_twice", "log")[0]), output), output


def test_warnings_at_the_start(servers):
    server = servers.new("trouble-warnings", "event", PLAIN)
    extra = "H2MinWorkers 30\nH2MaxWorkers 20\n<VirtualHost *:1>\nH2MaxWorkers 5\n</VirtualHost>\n"
    code, output = server.check(extra)
    assert code == 0
    for line in quoted("test_warnings_at_the_start", "log"):
        assert re.search(as_pattern(line), output + server.errors()), output + server.errors()


def test_http_1_1(server):
    assert curl(server, "/files/1.bin", "-w", "%{http_version}") == (0, "2")
    # 3. of the page: TLS that is too old
    weak = ("--tls-max", "1.2", "--ciphers", "AES128-SHA")
    assert curl(server, "/files/1.bin", "-w", "%{http_version}", *weak) == (0, "1.1")
    # 1.: a vhost without h2
    code = subprocess.run(["curl", "-s", "--http2", "-o", "/dev/null", "-w", "%{http_version}",
                           server.url("/files/1.bin", "plain")], capture_output=True, text=True)
    assert code.stdout == "1.1"


def test_misdirected(server, said):
    code, output = curl(server, "/files/1.bin", "-H", "Host: shop.example.org", "-w", "%{http_code}")
    assert (code, output) == (0, "421")
    said(server, server.position)


# ---- streams that are reset ---------------------------------------------------------------------


def test_a_broken_response(server, said):
    line, = quoted("test_a_broken_response", "text")
    for path in ("/cgi/short", "/fail/die/500/5000"):
        code, output = curl(server, path)
        assert code == 92 and output == line
    said(server, server.position)


def test_bad_response_heads(servers, server, connect, said):
    fields, no_head = quoted("test_bad_response_heads", "log")
    script = servers.docroot.parent / "cgi" / "nph-docs-silent"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    client = connect()
    assert client.get("/control/write?n=10").reset is not None
    said(server, server.position, [fields])
    assert client.get("/cgi/nph-docs-silent").reset is not None
    said(server, server.position, [no_head])


def test_an_upload_that_nobody_reads(server, tmp_path):
    (tmp_path / "file").write_bytes(b"x" * 10000000)
    upload = ("--data-binary", "@%s" % (tmp_path / "file"), "-H", "Expect:")
    line, = quoted("test_an_upload_that_nobody_reads", "text")
    code, output = curl(server, "/nothing", *upload)
    version = subprocess.run(["curl", "--version"], capture_output=True, text=True).stdout.split()[1]
    if version.startswith("7.88"):
        assert code in (0, 92) and (code == 0 or output == line)
    assert curl(server, "/nothing", *upload[:2], "--http1.1", "-w", "%{http_code}") == (0, "404")
    wait_until(lambda: any(" 404 " in line for line in server.access_lines()), "the access log")


def test_a_body_that_is_too_large(server, connect, said):
    client = connect()
    stream = client.fetch("POST", "/h2test/limited/read", body=b"x" * 5000)
    assert stream.status == 413
    said(server, server.position)


def test_a_crash(servers, said):
    server = servers.new("trouble-crash", "event", CONFIG, ports=PORTS, modules=["proxy_wstunnel"],
                         is_stable=False).start()
    try:
        code, output = curl(server, "/h2test/crash")
        assert code in (18, 56, 16)
        said(server)
    finally:
        server.stop()


def clear_curl(url, *options):
    if not shutil.which("curl"):
        pytest.skip("no curl")
    result = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-o", "/dev/null", *options,
                             url], capture_output=True, text=True)
    return result.stderr.strip()


def test_curl_18(server):
    lines = quoted("test_curl_18", "text")
    url = server.url("/", "clear").replace(str(server.ports["clear"]), str(server.ports["tls"]))
    assert clear_curl(url) in lines


def test_curl_52(server):
    assert clear_curl(server.url("/", "plain")) == quoted("test_curl_52", "text")[0]


def test_curl_56(server):
    fields = [option for i in range(11) for option in ("-H", "x-%d: %s" % (i, "x" * 8000))]
    assert clear_curl(server.url("/files/1.bin", "clear"), *fields) == \
        quoted("test_curl_56", "text")[0]


# ---- connections that end -----------------------------------------------------------------------


def test_floods(server, connect, said):
    client = connect("floods")
    for _ in range(3):
        assert client.get("/files/1.bin").complete
    with client.cork():
        for _ in range(20):
            client.send_reset(client.request("POST", "/h2test/read", end=False))
    client.wait_closed()
    client = connect("floods")
    with client.cork():
        for _ in range(20):
            client.send_ping()
    client.wait_closed()
    client = connect("floods")
    client.send_raw(frame_bytes(HEADERS, END_STREAM, 1, b"\x82")
                    + 20 * frame_bytes(CONTINUATION, 0, 1, b"\x84"))
    client.wait_closed()
    said(server, server.position)


def test_long_fields(server, connect, said):
    assert connect("floods").get("/files/1.bin", {"cookie": "x" * 5000}).reset is not None
    said(server, server.position)


def test_ends(server, connect, said):
    client = connect()
    client.send_raw(frame_bytes(DATA, 0, 0, b"x"))
    client.wait_closed()
    client = connect("brief", settings={INITIAL_WINDOW_SIZE: 0})
    client.request("GET", "/files/1.bin")
    client.wait_closed()
    said(server, server.position)


def test_connections_that_end(server, connect, said):
    client = connect("floods")
    for _ in range(5):
        assert client.get("/files/1.bin").complete
    client.wait_closed()
    client = connect("brief")
    assert client.get("/files/1.bin").complete
    client.wait_closed()
    said(server, server.position)


# ---- too slow -----------------------------------------------------------------------------------


def test_no_more_connections(servers, said):
    server = servers.new("trouble-full", "event", PLAIN, threads=4, async_factor=1).start()
    try:
        with pytest.raises(WireTimeout):
            for _ in range(12):
                open_client(server, "clear").wait_settings(timeout=1.5)
        said(server)
    finally:
        close_all()
        server.stop()


def test_uploads_that_hang(server, connect, said):
    client = connect("second")
    stream = client.request("POST", "/h2test/read", end=False)
    client.send_data(stream, b"x")
    client.wait_for(lambda: stream.done or client.closed, "the end")
    client = connect("second")
    stream = client.request("POST", "/h2test/read", end=False)
    ends = time.monotonic() + 10 * env.SLOWER
    while not stream.done and time.monotonic() < ends:
        client.send_data(stream, b"x")
        client.ping()
        time.sleep(0.1)
    said(server, server.position)


def test_downloads_that_hang(server, connect, counter, said):
    client = connect("hasty", auto_window=False)
    stream = client.request("GET", "/files/1048576.bin")
    client.wait_reset(stream)
    client = connect("second", receive_buffer=4096, window=1 << 30,
                     settings={INITIAL_WINDOW_SIZE: 1 << 30})
    client.wait_settings()
    client.request("GET", "/h2test/endless?tag=%s" % counter, keep_body=False)
    client.reading = False
    said(server, server.position)


# ---- parts --------------------------------------------------------------------------------------


def test_websockets(server, connect, said):
    client = connect()
    client.wait_settings()
    streams = [client.extended_connect("/proxy/ws") for _ in range(4)]
    assert 503 in [client.wait_head(stream).status for stream in streams]
    assert client.wait_head(client.extended_connect("/ws", protocol="foo")).status == 501
    said(server, server.position)


def test_shared_workers(servers):
    server = servers.new("trouble-shared", "event", PLAIN, modules=["proxy_wstunnel"])
    extra = ("ProxyPass /a/ http://127.0.0.1:8000/\n"
             "ProxyPass /chat/ http://127.0.0.1:8000/chat/ upgrade=websocket\n")
    code, output = server.check(extra)
    assert code == 0
    line, = quoted("test_shared_workers", "log")
    assert re.search(as_pattern(line), output + server.errors()), output + server.errors()


def test_hints_that_cannot_be_sent(server, connect, counter, said):
    for suffix in ("-0", "-1"):
        counter.open(suffix)
    assert connect().get("/h2test/interims?gate=%s" % counter.gate()).complete
    said(server, server.position)


def test_a_client_certificate(server, said):
    client = open_client(server, "tls", tls=Tls(sni="www.example.org"), authority="www.example.org")
    assert client.get("/certificate/text.txt").reset == HTTP_1_1_REQUIRED
    said(server, server.position)


def test_prefork(servers, said):
    server = servers.get("trouble-prefork", "prefork", "H2WebSockets on\n" + PLAIN, servers=2, cgi="cgi")
    said(server)

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Other people's clients: curl, nghttp, h2load, Python h2, Node.js, Chromium."""

import re
import socket
from pathlib import Path

import pytest

import environment as env
from demosite import pattern
from environment import wait_until
from h2client import Tls
from programs import load_page, run, tool
from servers import SITE, VHOSTS

CLIENTS = Path(__file__).resolve().parent / "clients"


# -- curl -------------------------------------------------------------------------------------------


def curl_options(transport):
    return ["--http2", "-k"] if transport == "tls" else ["--http2-prior-knowledge"]


def test_curl_gets_http_2(httpd, transport):
    out = run(tool("curl"), "-sS", *curl_options(transport), "-o", "/dev/null", "-w",
              "%{http_version} %{http_code} %{size_download}",
              httpd.url("/files/65537.bin", transport))
    assert out == "2 200 65537"


def test_curl_upgrades_from_http_1_1(httpd):
    out = run(tool("curl"), "-sS", "--http2", "-o", "/dev/null", "-w",
              "%{http_version} %{http_code}", httpd.url("/text.txt", "clear"))
    assert out == "2 200"


def test_curl_posts_and_gets_back(httpd, transport, tmp_path):
    body = tmp_path / "body"
    body.write_bytes(pattern(1000000))
    run(tool("curl"), "-sS", *curl_options(transport), "--data-binary", "@" + str(body),
        "-o", str(tmp_path / "answer"), httpd.url("/h2test/echo", transport))
    assert (tmp_path / "answer").read_bytes() == pattern(1000000)


def test_curl_runs_many_transfers_on_one_connection(httpd, tmp_path):
    """Over TLS only: in clear text this fails in curl 7.88 itself."""
    out = run(tool("curl"), "-sS", "--http2", "-k", "-Z", "--parallel-max", "50",
              "-o", str(tmp_path / "#1"), "-w", "%{http_version} %{http_code} %{num_connects}\n",
              httpd.url("/page/asset[0-199].js", "tls"))
    lines = [line.split() for line in out.splitlines()]
    assert len(lines) == 200 and all(line[:2] == ["2", "200"] for line in lines)
    assert sum(int(line[2]) for line in lines) <= 50


# -- nghttp and h2load ------------------------------------------------------------------------------


def test_nghttp_gets_a_page_with_its_assets(httpd, transport):
    out = run(tool("nghttp"), "-nvas", "--no-dep", httpd.url("/files/65537.bin", transport))
    assert "recv GOAWAY" not in out
    assert re.search(r"\b200\b.*65537\.bin|65537\.bin", out)


def test_nghttps_tree_of_streams_is_understood(httpd, transport):
    """It makes five groups by PRIORITY frames, whose streams it never opens, and depends on one."""
    out = run(tool("nghttp"), "--weight", "99", httpd.url("/cgi/env", transport))
    assert "H2_STREAM_WEIGHT=99\n" in out
    assert re.search("H2_STREAM_DEPENDS_ON=(3|5|7|9|11)\n", out)


def test_nghttp_uploads(httpd, transport, tmp_path):
    (tmp_path / "body").write_bytes(bytes(100000))
    out = run(tool("nghttp"), "-d", str(tmp_path / "body"), httpd.url("/h2test/read", transport))
    assert out == "read 100000\n"


def test_nghttp_upgrades(httpd):
    out = run(tool("nghttp"), "-u", httpd.url("/ssi/part.txt", "clear"))
    assert out == "included\n"


@pytest.mark.parametrize("clients, streams", [(1, 1), (8, 1), (8, 100), (64, 10)])
def test_h2load_counts_every_request_as_succeeded(httpd, transport, clients, streams):
    count = 2000
    out = run(tool("h2load"), "-n", str(count), "-c", str(clients), "-m", str(streams),
              httpd.url("/files/1000.bin", transport))
    assert "%d total, %d started, %d done, %d succeeded, 0 failed, 0 errored, 0 timeout" % (
        (count,) * 4) in out
    assert "%d 2xx" % count in out


def test_h2load_uploads(httpd, transport, tmp_path):
    (tmp_path / "body").write_bytes(bytes(50000))
    out = run(tool("h2load"), "-n", "500", "-c", "4", "-m", "10", "-d", str(tmp_path / "body"),
              httpd.url("/h2test/read", transport))
    assert "500 succeeded, 0 failed" in out


# -- Python h2 --------------------------------------------------------------------------------------


def test_python_h2_gets_and_posts(httpd, transport):
    import h2.config
    import h2.connection
    import h2.events
    sock = socket.create_connection(httpd.address(transport), timeout=10 * env.SLOWER)
    if transport == "tls":
        sock = Tls().context().wrap_socket(sock, server_hostname="a.test")
    connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    connection.initiate_connection()
    fields = [(":authority", "a.test"), (":scheme", "https" if transport == "tls" else "http")]
    connection.send_headers(1, [(":method", "GET"), (":path", "/files/65537.bin")] + fields,
                            end_stream=True)
    connection.send_headers(3, [(":method", "POST"), (":path", "/h2test/echo")] + fields)
    connection.send_data(3, b"content", end_stream=True)
    bodies, ended = {1: b"", 3: b""}, set()
    while ended != {1, 3}:
        sock.sendall(connection.data_to_send())
        for event in connection.receive_data(sock.recv(65536)):
            if isinstance(event, h2.events.DataReceived):
                bodies[event.stream_id] += event.data
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                ended.add(event.stream_id)
            assert not isinstance(event, (h2.events.StreamReset, h2.events.ConnectionTerminated))
    connection.close_connection()
    sock.sendall(connection.data_to_send())
    sock.close()
    assert bodies == {1: pattern(65537), 3: b"content"}


# -- Node.js ----------------------------------------------------------------------------------------


def test_node_runs_its_checks(httpd, transport):
    out = run(tool("node", "nodejs"), str(CLIENTS / "node_client.js"), httpd.url("", transport))
    assert out.splitlines()[-1] == "all checks passed"


# -- Chromium ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium():
    return tool("chromium", "chromium-browser", "google-chrome")


def test_chromium_loads_a_page_with_200_assets_over_h2(httpd, chromium):
    out = load_page(chromium, httpd.url("/page/index.html", "tls"))
    assert "loaded=200" in out, out[-2000:]
    assert '{"h2":200}' in out.replace("&quot;", '"'), out[-2000:]


def test_chromiums_priorities_are_understood(servers, chromium):
    server = servers.get("chromium", "event", SITE + VHOSTS + """
CustomLog priorities.log "%U %{H2_PRIORITY_URGENCY}e %{H2_PRIORITY_INCREMENTAL}e"
""", ports=("tls", "clear"))
    load_page(chromium, server.url("/page/signals.html", "tls"))
    log = server.root / "priorities.log"
    wait_until(lambda: log.read_text().count("/page/") >= 4, "the log")
    said = {path: (int(urgency), incremental) for path, urgency, incremental in map(
        str.split, log.read_text().splitlines()) if path.startswith("/page/")}
    page, style = said["/page/signals.html"], said["/page/style.css"]
    image, script = said["/page/image.png"], said["/page/asset1.js"]
    assert page == (0, "on") and style[0] <= 1 and style[1] == "off"
    assert style < script and style < image, said

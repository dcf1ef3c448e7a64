# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""What an attack takes from the whole child: descriptors, memory, threads; and who is let in."""

import random
import subprocess
import time

import pytest

import environment as env
from attacking import CONFIG, MPM, PORTS, SERVER, connect
from rawclient import (DATA, END_STREAM, INITIAL_WINDOW_SIZE, PING, frame, goaway, head, headers,
                       priority, reset, settings, window_update)
from servers import PLAIN


# -- row 33: no descriptors -------------------------------------------------------------------------


NOFILE = 110


@pytest.fixture
def poor_server(servers):
    """One whose descriptors come to an end."""
    server = servers.add(servers.new("poor", MPM, PLAIN, threads=24, nofile=NOFILE, server_limit=4,
                                     max_workers=24, is_stable=False).start())
    yield server
    problems = servers.stop(keep=("main", "attack"))
    assert not problems, "\n".join(problems)


def up_and_down(attack, server, count=4):
    """Connections with an upload and a download each that go on: (client, upload, download)."""
    found = []
    for _ in range(count):
        client = connect(server, attack.transport, own_settings=[(INITIAL_WINDOW_SIZE, 1000)])
        assert client.get("/h2test/write?n=10") == 200
        found.append((client, client.request("/h2test/read", method="POST", end=False),
                      client.request("/files/1048576.bin")))
    return found


def finish(running):
    """The outcomes of those."""
    outcomes = []
    for client, upload, download in running:
        client.goaways.clear()          # or it would send nothing
        client.send(frame(DATA, END_STREAM, upload, b"body") + window_update(download, 1 << 20))
        for stream in (upload, download):
            client.wait(lambda: stream in client.ended or stream in client.resets, 5 * env.SLOWER)
            outcomes.append(client.outcome(stream))
        client.close()
    return outcomes


def is_well(attack, server):
    client = connect(server, attack.transport)
    found = [client.get(p) for p in ("/files/1000.bin", "/cgi/hello", "/proxy/size/10")]
    client.close()
    return found == [200, 200, 200]


@pytest.mark.row(33)
def test_without_descriptors_requests_fail_and_the_rest_goes_on(attack, poor_server):
    running = up_and_down(attack, poor_server)
    asking = connect(poor_server, attack.transport)
    assert asking.get("/files/1000.bin") == 200
    idle = []
    while poor_server.descriptors() < NOFILE:       # until there is none left, but none too many
        before = poor_server.descriptors()
        idle.append(connect(poor_server, attack.transport))
        env.wait_until(lambda: poor_server.descriptors() > before, "the connection to be accepted")
        assert asking.get("/h2test/write?n=10") == 200  # else it is idle too long on a slow server
    child = poor_server.children()
    outcomes = []
    for _ in range(5):
        for path in ("/files/1000.bin", "/cgi/hello", "/proxy/size/10", "/files/65536.bin",
                     "/h2test/write?n=10"):
            outcomes.append(asking.get(path, timeout=5 * env.SLOWER))
    for client in idle:
        client.close()
    env.wait_until(lambda: poor_server.descriptors() < NOFILE - 10, "descriptors to be freed")
    attack.note = "/".join(sorted(set(map(str, outcomes))))
    assert all(outcome in (403, 404, 500, 502, 503, 200) or str(outcome).startswith("RST")
               for outcome in outcomes), outcomes
    assert 503 in outcomes and outcomes.count(200) <= 2 * 5
    assert finish(running) == [200] * 8
    assert asking.get("/files/1000.bin") == asking.get("/cgi/hello") == 200
    asking.close()
    assert is_well(attack, poor_server) and poor_server.children() == child


@pytest.mark.row(33)
def test_connections_that_take_all_descriptors_end_no_running_request(attack, poor_server):
    """httpd replaces a child that can accept no more (AH02179); that one finishes what it has."""
    running = up_and_down(attack, poor_server)
    clients = []
    for _ in range(150):
        try:
            clients.append(connect(poor_server, attack.transport, timeout=1 * env.SLOWER))
        except OSError:
            break
    env.wait_until(lambda: "AH02179" in poor_server.errors(), "the descriptors to come to an end")
    assert finish(running) == [200] * 8
    for client in clients:
        client.close()
    attack.note = "200, child replaced"
    env.wait_until(lambda: is_well(attack, poor_server), "the server to recover", 10, 0.2)


# -- row 34: a type without a body ------------------------------------------------------------------


@pytest.mark.row(34)
@pytest.mark.parametrize("path", ["/h2test/read", "/cgi/cat", "/proxy/echo", "/h2test/echo",
                                  "/files/1.bin"])
def test_a_post_with_a_type_and_no_body_is_served(attack, path):
    clients = [attack.connect() for _ in range(4)]
    for _ in range(10):
        streams = [(client, client.request(path, method="POST", extra=[
            ("content-type", "application/x-www-form-urlencoded")]))
            for client in clients for _ in range(4)]
        for client, stream in streams:
            assert client.wait_response(stream, 20 * env.SLOWER) == 200, "%r" % client
    for client in clients:
        attack.lives(client)


# -- row 37: all at once, and away ------------------------------------------------------------------


@pytest.fixture
def talking_server(servers):
    """One that logs all it can."""
    return servers.get("talking", MPM, CONFIG, more_levels="http2:trace8 ssl:info", **SERVER)


def some_of_everything(client, attack, generator):
    """Bytes of an honest client's connection in full use, cut off somewhere."""
    tag = "?tag=%s" % attack.counter
    paths = ["/files/1048576.bin", "/files/1000.bin", "/h2test/endless" + tag,
             "/h2test/write%s&n=100000&flush=1" % tag, "/h2test/sleep%s&ms=30" % tag,
             "/cgi/large?100000", "/cgi/hello", "/proxy/size/100000", "/h2test/interim" + tag,
             "/h2test/write%s&n=10000&trailer=x" % tag]
    data = b""
    for i in range(30):
        stream = 2 * i + 1
        if generator.random() < 0.4:
            path = generator.choice(["/h2test/read" + tag, "/h2test/echo" + tag, "/cgi/cat",
                                     "/proxy/hash", "/h2test/noread%s&n=10" % tag])
            data += headers(stream, head(path, method="POST", scheme=client.scheme), end=False)
            data += frame(DATA, 0, stream, bytes(generator.randrange(16000)))
            if generator.random() < 0.5:
                data += frame(DATA, END_STREAM, stream, b"end")
        else:
            data += headers(stream, head(generator.choice(paths), scheme=client.scheme))
        data += generator.choice([b"", b"", reset(stream), window_update(stream, 100000),
                                  frame(PING, payload=bytes(8)), priority(stream, 0, 200),
                                  settings((INITIAL_WINDOW_SIZE, 30000))])
    if generator.random() < 0.2:
        data += goaway()
    return data[:len(data) - generator.randrange(60)]


@pytest.mark.row(37)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_mass_disconnect_amid_everything_is_survived(attack, talking_server, seed):
    generator = random.Random(seed)
    for _ in range(4):
        clients = []
        for _ in range(25):
            client = connect(talking_server, attack.transport, own_settings=[
                (INITIAL_WINDOW_SIZE, generator.choice([0, 1000, 65535, 1 << 20]))])
            clients.append(client)
            client.send(some_of_everything(client, attack, generator),
                        reading=generator.random() < 0.7, timeout=1)
        generator.shuffle(clients)
        time.sleep(generator.random() * 0.1)
        for client in clients:
            if generator.random() < 0.7:
                client.abort()
            else:
                client.close()
    attack.note = "100 connections"
    env.wait_until(lambda: attack.counter.running == 0, "all handlers to end", 10)
    client = connect(talking_server, attack.transport)
    assert client.get("/files/1000.bin") == 200
    client.close()


@pytest.mark.row(37)
def test_a_mass_disconnect_leaves_nothing_behind(attack):
    """The same with the server that has its memory and its threads looked at."""
    generator = random.Random(37)
    before = attack.server.descriptors()
    for _ in range(100):
        client = attack.connect()
        client.send(some_of_everything(client, attack, generator), timeout=1)
        client.abort()
    env.wait_until(lambda: attack.counter.running == 0, "all handlers to end", 10)
    attack.clients.clear()
    attack.note = "100 connections"
    env.wait_until(lambda: attack.server.descriptors() <= before + 8, "descriptors to be freed", 10)


# -- row 38: a certificate for one location ---------------------------------------------------------


@pytest.fixture(scope="session")
def client_certificate(servers):
    """An authority's certificate, and one of a client: (authority, (certificate, key))."""
    folder = env.scratch_dir() / "client-certs"
    folder.mkdir(exist_ok=True)

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=folder, check=True, capture_output=True)
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
            "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=client", "-keyout", "client.key",
            "-out", "client.csr")
    openssl("x509", "-req", "-in", "client.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "30", "-out", "client.pem")
    return folder / "ca.pem", (str(folder / "client.pem"), str(folder / "client.key"))


@pytest.fixture
def certificate_server(servers, client_certificate):
    """Where a location, or the whole vhost, wants a client's certificate."""
    authority = "SSLCACertificateFile \"%s\"" % client_certificate[0]
    config = CONFIG + """
<Location /verified/>
    SetHandler h2test
    Require expr "%{SSL_CLIENT_VERIFY} == 'SUCCESS'"
</Location>
""" + "".join("""
<VirtualHost *:{port_tls_%s}>
    ServerName a.test
    Protocols h2 http/1.1
    {tls}
    %s
    SSLVerifyClient %s
</VirtualHost>
""" % (word, authority, word) for word in ("optional", "require"))
    config = config.replace("<VirtualHost *:{port_tls}>", "<VirtualHost *:{port_tls}>\n" + authority)
    return servers.get("certificate", MPM, config, **{**SERVER, "ports": [*PORTS, "tls_optional",
                                                                          "tls_require"]})


REFUSED = (403, 421, "RST HTTP_1_1_REQUIRED")


@pytest.mark.row(38)
@pytest.mark.parametrize("has_certificate", [False, True], ids=["without", "with-one-to-show"])
def test_what_needs_a_certificate_later_is_never_served(
        attack, certificate_server, client_certificate, has_certificate):
    """HTTP/2 knows no second handshake: RFC 9113, 9.2.1 and 9.2.3."""
    certificate = client_certificate[1] if has_certificate else None
    path = attack.path("write", "n=10").replace("/h2test/", "/with-certificate/")
    ports = ("", "_optional") if attack.transport == "tls" else ("",)
    for port in ports:
        client = connect(certificate_server, attack.transport, port, certificate=certificate)
        attack.clients.append(client)
        for scheme in ("https", "http"):
            assert client.get(path, scheme=scheme) in REFUSED, "%r" % client
        assert client.get() == 200, "%r" % client
    assert attack.counter.started == 0


@pytest.mark.row(38)
@pytest.mark.parametrize("transport", ["tls"])
@pytest.mark.parametrize("port, path, is_enough", [
    ("_optional", "/verified/", {True: 200, False: 403}),
    ("_require", "/h2test/", {True: 200}), ("_require", "/with-certificate/", {True: 200})],
    ids=["by-an-expression", "by-the-vhost", "by-vhost-and-location"])
@pytest.mark.parametrize("has_certificate", [False, True], ids=["without", "with"])
def test_what_needs_a_certificate_is_served_to_who_has_shown_it_in_the_handshake(
        attack, certificate_server, client_certificate, has_certificate, port, path, is_enough):
    certificate = client_certificate[1] if has_certificate else None
    try:
        client = connect(certificate_server, "tls", port, certificate=certificate)
        attack.clients.append(client)
        outcome = client.get(attack.path("write", "n=10").replace("/h2test/", path))
    except OSError as error:            # the handshake
        outcome = error
    if has_certificate in is_enough:
        assert outcome == is_enough[has_certificate]
    else:
        assert outcome == "closed" or isinstance(outcome, OSError), outcome
    assert attack.counter.started == int(outcome == 200)

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Two machines behind HAProxy, with HTTP/2 on both sides of it: one of them is drained, stopped,
restarted, and comes back, while clients go on; TLS tickets of the other machine. What
docs/howto/several-machines.md says."""

import contextlib
import os
import re
import socket
import subprocess
import threading

import pytest

import environment as env
from appservers import AppServer
from connections import open_client
from demosite import pattern
from environment import wait_until
from h2client import NO_ERROR, REFUSED_STREAM, Client, Tls
from servers import PLAIN, SITE, TLS

MACHINES = ("web1", "web2")
ONE_CHILD = dict(threads=16, servers=1, server_limit=20, max_workers=16, is_stable=False,
                 modules=["headers"])
BODY = pattern(3000)

CONFIG = PLAIN + """
Header always set X-Machine "%s"
"""

# As in the page, but for ports, and that checks after a failed one are more often. A check may take as
# long as `inter`.
BALANCER = """
global
    stats socket {folder}/admin.sock mode 600 level admin
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend www
    bind 127.0.0.1:{tls} ssl crt {folder}/site.pem alpn h2,http/1.1
    default_backend machines
backend machines
    balance roundrobin
    option httpchk
    http-check connect {check}
    http-check send meth GET uri /text.txt ver HTTP/2 hdr host a.test
    http-check expect status 200
    option redispatch
    retries 3
    default-server {options} check inter 2s fastinter 100ms downinter 100ms fall 2 rise 2
    server web1 127.0.0.1:{web1}
    server web2 127.0.0.1:{web2}
listen passed
    mode tcp
    bind 127.0.0.1:{passed}
    balance roundrobin
    server web1 127.0.0.1:{web1_tls} check inter 2s fastinter 100ms downinter 100ms
    server web2 127.0.0.1:{web2_tls} check inter 2s fastinter 100ms downinter 100ms
"""
WAYS = {
    "tls": dict(check="ssl alpn h2 sni a.test", options="ssl verify required ca-file {certs}/cert.pem "
                "sni str(a.test) alpn h2 proto h2"),
    "clear": dict(check="proto h2", options="proto h2"),
}


class Balancer:
    def __init__(self, folder, machines, way):
        folder.mkdir(exist_ok=True)
        self._admin = folder / "admin.sock"
        certs = machines[0].certs
        (folder / "site.pem").write_text((certs / "cert.pem").read_text()
                                         + (certs / "key.pem").read_text())
        settings = {name: text.format(certs=certs) for name, text in WAYS[way].items()}
        for machine, name in zip(machines, MACHINES):
            settings.update({name: machine.ports[way], name + "_tls": machine.ports["tls"]})

        def arguments(ports):
            (folder / "haproxy.cfg").write_text(BALANCER.format(folder=folder, **ports, **settings))
            return ["-db", "-f", str(folder / "haproxy.cfg")]
        self._process = AppServer("haproxy", folder, ("tls", "passed"), arguments)
        wait_until(self._is_up, "HAProxy's socket")

    def _is_up(self):
        with contextlib.suppress(OSError):
            return self.tell("show info")

    def address(self, port):
        return ("127.0.0.1", self._process.ports[port])

    def tell(self, line):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self._admin))
            sock.sendall(line.encode() + b"\n")
            return sock.makefile().read()

    def state(self, machine):
        """UP, DOWN, DRAIN, and others."""
        found = re.search("^machines,%s,(.*)" % machine, self.tell("show stat"), re.M)
        return found.group(1).split(",")[15].split()[0]

    def close(self):
        self._process.close()


class Load(threading.Thread):
    """A client that keeps some requests open on its connection to the balancer."""

    def __init__(self, address, tag):
        super().__init__()
        self.client = Client(address, tls=Tls(), authority="a.test", time_factor=env.SLOWER)
        self.path = "?n=2000&tag=%s" % tag
        self.streams = []
        self.error = None
        self._end = threading.Event()

    def _ask(self):
        if len(self.streams) % 2:
            return self.client.request("POST", "/h2test/read" + self.path, body=BODY)
        return self.client.request("GET", "/h2test/write" + self.path)

    def run(self):
        try:
            running = []
            while not self._end.is_set():
                running = [s for s in running if not s.done]
                while len(running) < 5:
                    running.append(self._ask())
                    self.streams.append(running[-1])
                self.client.wait_for(lambda: any(s.done for s in running), "an answer", timeout=20)
            self.client.wait(*running, timeout=20)
        except AssertionError as error:
            self.error = error

    def finish(self):
        self._end.set()
        self.join()
        self.client.close()
        if self.error:
            raise self.error


class Loads:
    """Several of them; afterwards each request must have been answered, and have run once. HAProxy may
    refuse one that no machine has seen, seldom and under load, so that its client asks again: RFC 9113,
    8.7."""

    def __init__(self, balancer, counter):
        self._counter = counter
        self._loads = [Load(balancer.address("tls"), counter) for _ in range(4)]
        for load in self._loads:
            load.start()

    def answered(self):
        return sum(len(load.streams) for load in self._loads) - 5 * len(self._loads)

    def answered_by(self, machine):
        return sum(s.headers.get("x-machine") == machine
                   for load in self._loads for s in list(load.streams) if s.done)

    def wait_more(self, count, machine=None):
        """Waits until `count` requests more were answered (by this machine)."""
        def asked():
            return self.answered_by(machine) if machine else self.answered()
        before = asked()
        wait_until(lambda: asked() >= before + count or not all(x.is_alive() for x in self._loads),
                   "answers", timeout=20)

    def finish(self):
        for load in self._loads:
            load.finish()
        streams = [s for load in self._loads for s in load.streams]
        answered = sum(s.complete and s.status == 200 for s in streams)
        others = [s for s in streams if not (s.complete and s.status == 200)]
        lost = [s for s in others if s.status is not None or s.reset != REFUSED_STREAM]
        assert not lost, "%d of %d lost: %r" % (len(lost), len(streams), lost[:5])
        assert len(others) <= len(streams) // 500
        assert self._counter.started == self._counter.finished == answered


@pytest.fixture
def two(servers, transport, tmp_path):
    """start(extra configuration) -> balancer; .web1 and .web2 are its machines."""
    with contextlib.ExitStack() as stack:
        def start(extra=""):
            machines = [servers.add(servers.new(name, "event", CONFIG % name + extra,
                                                **ONE_CHILD).start()) for name in MACHINES]
            balancer = Balancer(tmp_path, machines, transport)
            stack.callback(balancer.close)
            balancer.web1, balancer.web2 = machines
            wait_until(lambda: {balancer.state(name) for name in MACHINES} == {"UP"}, "both to be up")
            return balancer
        yield start
    problems = servers.stop()
    assert not problems, "\n".join(problems)


def stop_gracefully(machine):
    machine.graceful_stop()
    wait_until(lambda: machine.process.poll() is not None, "httpd to end", timeout=20)


def test_a_machine_that_is_drained_and_stopped_loses_no_request(two, counter):
    balancer = two()
    loads = Loads(balancer, counter)
    loads.wait_more(50, "web1")
    assert not balancer.tell("set server machines/web1 state drain").strip()
    stop_gracefully(balancer.web1)
    loads.wait_more(100)
    balancer.web1.start()
    balancer.tell("set server machines/web1 state ready")
    wait_until(lambda: balancer.state("web1") == "UP", "it to be up again")
    loads.wait_more(50, "web1")
    loads.finish()


def test_a_machine_that_stops_gracefully_without_notice_loses_no_request(two, counter):
    balancer = two()
    loads = Loads(balancer, counter)
    loads.wait_more(50, "web1")
    stop_gracefully(balancer.web1)
    wait_until(lambda: balancer.state("web1") == "DOWN", "the check to see it")
    loads.wait_more(100)
    loads.finish()


def test_a_graceful_restart_loses_no_request(two, counter):
    balancer = two()
    loads = Loads(balancer, counter)
    loads.wait_more(50, "web1")
    balancer.web1.graceful()
    loads.wait_more(50, "web1")
    loads.finish()


def test_connections_to_the_machines_are_renewed_without_a_loss(two, counter):
    balancer = two("H2MaxConnectionRequests 20\nLogLevel http2:info\n")
    loads = Loads(balancer, counter)
    loads.wait_more(200, "web1")
    loads.wait_more(200, "web2")
    loads.finish()
    assert balancer.web1.errors().count("H2MaxConnectionRequests (20) have come") > 5


@pytest.mark.parametrize("transport", ["tls"])
def test_connections_with_an_end_find_a_machine_that_came_back(two):
    """A balancer that passes TCP chooses once for a connection."""
    balancer = two("H2MaxConnectionTime 1\n")
    stop_gracefully(balancer.web1)
    wait_until(lambda: ",DOWN," in re.search("^passed,web1,.*", balancer.tell("show stat"),
                                             re.M).group(0), "the check")
    clients = [open_client(balancer, port="passed") for _ in range(4)]
    assert {c.get("/text.txt").headers["x-machine"] for c in clients} == {"web2"}
    balancer.web1.start()
    wait_until(lambda: ",UP," in re.search("^passed,web1,.*", balancer.tell("show stat"),
                                           re.M).group(0), "the check")
    for client in clients:
        client.wait_closed(timeout=10)
        assert client.goaways[-1].error_code == NO_ERROR
    again = [open_client(balancer, port="passed") for _ in range(4)]
    assert {c.get("/text.txt").headers["x-machine"] for c in again} == {"web1", "web2"}


# -- TLS tickets ------------------------------------------------------------------------------------

TICKETS = SITE + """
SSLSessionTickets on
<VirtualHost *:{port_tls}>
    ServerName %s
    Protocols h2 http/1.1
    SSLSessionTicketKeyFile "%s"
    %s
</VirtualHost>
"""


def s_client(machine, version, *options):
    """What openssl says of a connection; it stays until the ticket is there."""
    with subprocess.Popen(
            ["openssl", "s_client", "-connect", "%s:%d" % machine.address("tls"), "-servername",
             "a.test", "-" + version, *map(str, options)], stdin=subprocess.PIPE, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True) as process:
        # the answer comes behind the tickets of TLS 1.3
        process.stdin.write("GET / HTTP/1.0\r\nHost: a.test\r\n\r\n")
        process.stdin.flush()
        timer = threading.Timer(10 * env.SLOWER, process.kill)
        timer.start()
        text = process.stdout.read()
        timer.cancel()
    return text


@pytest.fixture
def ticket_machine(servers, tmp_path):
    def start(name, key, server_name="a.test"):
        path = tmp_path / ("%s.key" % name)
        path.write_bytes(key)
        return servers.add(servers.new(name, "event", TICKETS % (server_name, path, TLS),
                                       ports=["tls"]).start())
    yield start
    problems = servers.stop()
    assert not problems, "\n".join(problems)


KEY, NEW_KEY = os.urandom(48), os.urandom(48)


@pytest.mark.parametrize("version", ["tls1_2", "tls1_3"])
def test_a_ticket_of_the_other_machine_is_good_where_both_have_its_key(
        ticket_machine, tmp_path, version):
    issuer, same = ticket_machine("issuer", KEY), ticket_machine("same", KEY)
    other = ticket_machine("other", NEW_KEY)
    renamed = ticket_machine("renamed", KEY, server_name="b.test")
    ticket = tmp_path / "ticket"
    assert "\nNew, " in s_client(issuer, version, "-sess_out", ticket)
    assert "\nReused, " in s_client(issuer, version, "-sess_in", ticket)
    assert "\nReused, " in s_client(same, version, "-sess_in", ticket)
    assert "\nNew, " in s_client(other, version, "-sess_in", ticket)
    # a session belongs to the ServerName of the first vhost of the address
    assert "\nNew, " in s_client(renamed, version, "-sess_in", ticket)

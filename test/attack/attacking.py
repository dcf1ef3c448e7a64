# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""The server that is attacked, the honest client beside it, and what a test does to both."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import environment as env
from h1client import Http1
from rawclient import HTTP_1_1_REQUIRED, RawClient, tls_context
from servers import SITE

MPM = os.environ.get("H2_ATTACK_MPM", "event")
HONEST_P99_MS = 50 * env.SLOWER
GROWTH_KIB = 8192
# The sanitizers' own memory (shadow, quarantine, history of each thread) is no leak of ours.
GROWTH_MEASURED = not env.sanitizer

# What each port is for; "" are tls and clear themselves.
VHOSTS = {
    "": "Timeout 20\nKeepAliveTimeout 20",
    # where things take their time
    "_slow": """Timeout 2
KeepAliveTimeout 1
RequestReadTimeout handshake=0 header=0 body=0
<IfDirective H2MaxHeaderTime>
    H2MaxHeaderTime 1
</IfDirective>""",
    "_many": "Timeout 20\nKeepAliveTimeout 20\nH2MaxSessionStreams 1000",
    "_few": """Timeout 20
KeepAliveTimeout 20
<IfDirective H2MaxResets>
    H2MaxResets 5 20
    H2MaxClientErrors 5 20
    H2MaxControlFrames 10 50
</IfDirective>""",
    "_free": """Timeout 20
KeepAliveTimeout 20
<IfDirective H2MaxResets>
    H2MaxResets 0
    H2MaxClientErrors 0
    H2MaxControlFrames 0
</IfDirective>""",
    "_reading": "Timeout 20\nKeepAliveTimeout 20\nRequestReadTimeout handshake=1 header=1",
    "_sockets": "Timeout 20\nKeepAliveTimeout 20\nH2WebSockets on",
}
PORTS = [kind + port for port in VHOSTS for kind in ("tls", "clear")]
SERVER = dict(ports=PORTS, modules=["proxy_wstunnel"], threads=32 if MPM == "event" else 160)

VHOST = """
<VirtualHost *:{port_%(kind)s%(port)s}>
    ServerName %(name)s.test
    Protocols %(protocol)s http/1.1
    Header always set X-Vhost %(name)s
    %(lines)s
    %(tls)s
</VirtualHost>
"""


def vhost(kind, port, name, lines):
    return VHOST % dict(kind=kind, port=port, name=name, lines=lines,
                        protocol="h2" if kind == "tls" else "h2c",
                        tls="{tls}" if kind == "tls" else "")


CONFIG = SITE + """
ProxyPass /ws/ ws://127.0.0.1:{backend}/ws/
<Location /only-https/>
    SetHandler h2test
    Require expr "%{HTTPS} == 'on'"
</Location>
<Location /only-http/>
    SetHandler h2test
    Require expr "%{REQUEST_SCHEME} == 'http'"
</Location>
<Location /with-certificate/>
    SetHandler h2test
    SSLRequireSSL
    SSLVerifyClient require
</Location>
""" + "".join(vhost(kind, port, name, lines) for port, lines in VHOSTS.items()
              for kind in ("tls", "clear") for name in ("a", "localhost"))
CONFIG = CONFIG.replace("localhost.test", "localhost")


# -- connections ------------------------------------------------------------------------------------


def connect(server, transport, port="", certificate=None, is_tls=True, **options):
    """is_tls false: in clear text to a port for TLS."""
    tls = tls_context(certificate) if transport == "tls" and is_tls else None
    return RawClient(server.address(transport + port), tls, **options)


def warm_up(server):
    """Uses what a child keeps for later, so that it does not count as an attack's leak. Once."""
    if getattr(server, "is_warm", False):
        return
    server.is_warm = True
    for transport in ("tls", "clear"):
        clients = [connect(server, transport, port) for port in ("", "_many") for _ in range(4)]
        for client in clients:
            ids = [client.request("/h2test/write?n=500") for _ in range(100)]
            assert client.wait(lambda: all(i in client.ended for i in ids), 30)
            client.close()


# -- the honest client ------------------------------------------------------------------------------


class Honest:
    """The process of honest.py."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("honest.py"))], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1)

    def begin(self, server, transport):
        self.process.stdin.write("%s %d %s\n" % (*server.address(transport), transport))

    def end(self):
        self.process.stdin.write("end\n")
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)


def p99(values):
    return sorted(values)[max(0, -(-len(values) * 99 // 100) - 1)] if values else None


# -- an attack --------------------------------------------------------------------------------------


class Attack:
    """What a test does to the server, and what it finds out about it."""

    def __init__(self, server, transport, counter):
        self.server = server
        self.transport = transport
        self.counter = counter      # for `tag=` of handlers
        self.clients = []
        self.note = None            # the reaction in the table, where connections do not tell it
        self.log_begin = len(server.errors())

    def connect(self, port="", transport=None, **options):
        """A raw connection to the port of that kind, see VHOSTS."""
        self.clients.append(connect(self.server, transport or self.transport, port, **options))
        return self.clients[-1]

    def path(self, what, query=""):
        """Of a handler of mod_h2test that is counted."""
        return "/h2test/%s?tag=%s%s" % (what, self.counter, query and "&" + query)

    def gate(self, query=""):
        """Of one that waits until the test ends."""
        return self.path("gate", "gate=%s%s" % (self.counter.gate(), query and "&" + query))

    def log(self):
        """What the error log got from this test."""
        return self.server.errors()[self.log_begin:]

    def ends(self, client, *codes, timeout=4.0):
        """The connection ends with a GOAWAY that has one of the codes: the client can read it, and
        is not kept waiting for the end."""
        code = client.wait_goaway(timeout * env.SLOWER)
        assert code is not None, "no GOAWAY: %r" % client
        assert code in codes, "%r" % client
        said = time.monotonic()
        assert client.wait_closed(2 * env.SLOWER), "not closed after GOAWAY: %r" % client
        assert client.closed_at - said <= 1 * env.SLOWER, "closed late: %r" % client
        return code

    def lives(self, client):
        """The connection serves."""
        assert client.get("/files/1000.bin", timeout=10 * env.SLOWER) == 200, "%r" % client
        assert not client.goaways and not client.closed, "%r" % client

    @property
    def reaction(self):
        return self.note or next((c.reaction for c in self.clients if c.goaways),
                                 self.clients[0].reaction if self.clients else "-")

    @property
    def seconds(self):
        return next((c.seconds_to_reaction for c in self.clients if c.goaways),
                    self.clients[0].seconds_to_reaction if self.clients else None)


def busy_workers(server):
    """Threads that httpd shows as busy, without the one that tells."""
    with Http1(server.address("clear"), timeout=10 * env.SLOWER) as client:
        page = client.get("/server-status?auto").body.decode()
    board = re.search(r"^Scoreboard: (.*)$", page, re.M).group(1)
    return sum(slot not in "_.K" for slot in board) - 1


def settled(value, is_good, seconds):
    """The value once it is good, or the last one."""
    deadline = time.monotonic() + seconds * env.SLOWER
    while True:
        found = value()
        if is_good(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.02)


def set_nice(value):
    if os.geteuid() == 0:       # without the right to it, nobody comes back from it
        os.setpriority(os.PRIO_PROCESS, 0, value)


class Judge:
    """How the server was before an attack, and what is wrong with it after it."""

    def __init__(self, attack):
        self.attack = attack
        self.before_kib = attack.server.resident_kib()

    def look(self, seen, rows, name):
        """The line of the table; seen: what the honest client has."""
        server, attack = self.attack.server, self.attack
        self.seen = seen
        self.p99 = p99(seen["milliseconds"])
        self.busy = settled(lambda: busy_workers(server), lambda n: n <= 0, 1)
        self.after_kib = settled(server.resident_kib, lambda n: n <= self.before_kib + GROWTH_KIB, 3)
        return dict(
            rows=rows, test=name, transport=attack.transport, reaction=attack.reaction,
            seconds=attack.seconds, honest_p99_ms=self.p99,
            honest_requests=len(seen["milliseconds"]), honest_failures=len(seen["failures"]),
            rss_before_kib=self.before_kib, rss_after_kib=self.after_kib, busy_after=self.busy)

    def problems(self):
        found = ["error code %#x on the wire" % code for client in self.attack.clients
                 for code in client.codes if code > HTTP_1_1_REQUIRED]
        found += ["honest client: " + failure for failure in self.seen["failures"]]
        if self.p99 is None or self.p99 > HONEST_P99_MS:
            found.append("honest client: p99 of %s ms in %d requests, the slowest %s; in the last of "
                         "these it waited %.1f ms for the CPU itself" % (
                             self.p99, len(self.seen["milliseconds"]),
                             sorted(self.seen["milliseconds"])[-5:], self.seen["slowest_wait"]))
        if self.busy > 0:
            found.append("%d threads are busy a second after the end" % self.busy)
        if GROWTH_MEASURED and self.after_kib > self.before_kib + GROWTH_KIB:
            found.append("resident memory grew by %d KiB" % (self.after_kib - self.before_kib))
        return found

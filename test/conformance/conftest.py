# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Fixtures of the conformance tests; those that are not here are in test/conftest.py.

Each test is a case of one section of an RFC, which its name or its id begins with. All of them run
against one httpd, over TLS and in clear text, each on a connection of its own; what the server has
sent on it is looked at when the test has ended (rules.check_what_the_server_sent).

    --sections      prints the number of cases for each section, and runs none
    --load          keeps the server busy meanwhile
"""

import collections
import re
import subprocess
import sys
from pathlib import Path

import pytest

from connections import open_client
from rules import check_what_the_server_sent
from servers import SITE

EXTRA = {
    "": "",
    "_few": "H2MaxSessionStreams 3",
    "_one": "H2MaxSessionStreams 1\nH2WindowSize 65535",
    "_hasty": "Timeout 1\nH2StreamTimeout 20",
    "_sockets": "H2WebSockets on",
    "_hints": "H2EarlyHints on",
}
CONFIG = SITE + """
Timeout 20
KeepAliveTimeout 20
<Location /pushing/>
    SetHandler h2test
    Header add Link "</files/1.bin>; rel=preload"
</Location>
""" + "".join("""
<VirtualHost *:{port_tls%s}>
    ServerName a.test
    Protocols h2 http/1.1
    %s
    {tls}
</VirtualHost>
<VirtualHost *:{port_clear%s}>
    ServerName a.test
    Protocols h2c http/1.1
    %s
</VirtualHost>
""" % (name, lines, name, lines) for name, lines in EXTRA.items())
PORTS = [scheme + name for name in EXTRA for scheme in ("tls", "clear")]


def pytest_addoption(parser):
    parser.addoption("--sections", action="store_true", help="print the cases of each section")
    parser.addoption("--load", action="store_true", help="keep the server busy meanwhile")


# -- servers and connections ----------------------------------------------------------------------


@pytest.fixture
def mpm():
    """Frames do not depend on it; test_worker.py has some cases for the other one."""
    return "event"


@pytest.fixture
def httpd(servers, mpm, request):
    server = servers.get("conformance", mpm, CONFIG, ports=PORTS, threads=64)
    if request.config.getoption("--load"):
        request.getfixturevalue("load").keep_up(server.address("clear"))
    return server


class Load:
    """Two clients that ask and cancel all the time; each ends by itself some time after us."""
    COUNT = 2

    def __init__(self):
        self.address = None
        self.processes = []

    def keep_up(self, address):
        if address == self.address and all(p.poll() is None for p in self.processes):
            return
        self.stop()
        self.address = address
        self.processes = [subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("load.py")), str(address[1])])
            for _ in range(self.COUNT)]

    def stop(self):
        for process in self.processes:
            process.terminate()
            process.wait()
        self.processes = []


@pytest.fixture(scope="session")
def load():
    load = Load()
    yield load
    load.stop()


@pytest.fixture
def connect(httpd, transport):
    clients = []

    def connect(name="", **options):
        client = open_client(httpd, transport, port=transport + name, **options)
        clients.append(client)
        return client
    yield connect
    for client in clients:
        client.poll()
        check_what_the_server_sent(client)


@pytest.fixture
def h2(connect):
    """A connection whose SETTINGS both sides know."""
    client = connect()
    client.wait_settings()
    return client


# -- the table of sections ------------------------------------------------------------------------

SECTION = re.compile(r"^(?:test_)?(\d+(?:[._]\d+)*)[ _]")


def section_of(item):
    """("RFC 9113", "6.5.2") of test_rfc9113_frames.py::test_case[6.5.2 what must hold-tls]."""
    rfc = "RFC " + re.search(r"rfc(\d+)", item.nodeid).group(1)
    callspec = getattr(item, "callspec", None)
    case = re.sub(r"^(tls|clear)-", "", callspec.id) if callspec else ""
    match = SECTION.match(case) or SECTION.match(item.originalname)
    return rfc, match.group(1).replace("_", ".")


def case_of(item):
    """The test's id without what it runs over."""
    return re.sub(r"-?\b(tls|clear|event|worker)\b", "", item.nodeid)


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--sections"):
        return
    cases = {case_of(item): section_of(item) for item in items}
    counts = collections.Counter(cases.values())
    for (rfc, section), count in sorted(
            counts.items(), key=lambda e: (e[0][0], [int(n) for n in e[0][1].split(".")])):
        print("%s, %-8s %3d" % (rfc, section, count))
    pytest.exit("%d cases, %d tests" % (len(cases), len(items)), returncode=0)


__all__ = ["open_client"]     # for the tests

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Fixtures of the tests against a real httpd.

    httpd       the server with the rich configuration (once for each MPM)
    connect     makes HTTP/2 connections to it (over TLS and in clear text)
    h2          one such connection
    counter     a new counter and gate for handlers of mod_h2test

With H2_STACKS=1 the report of a failed test has the stacks of the servers' threads (by gdb).
"""

import os
import resource
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent / "lib"))

import pytest  # noqa: E402

import connections  # noqa: E402
import environment as env  # noqa: E402
from connections import open_client  # noqa: E402
from servers import Servers  # noqa: E402

MPMS = ("event", "worker")
KEPT_SERVERS = ("main", "conformance")      # for the next module, too
_servers = None


def pytest_configure(config):
    try:
        env.module_so()
        env.httpd_binary()
    except RuntimeError as error:
        pytest.exit(str(error), returncode=2)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))


def pytest_report_header(config):
    return "module: %s\nhttpd: %s %s" % (env.module_so(), env.httpd_binary(),
                                         ".".join(map(str, env.httpd_version())))


def pytest_sessionfinish(exitstatus):
    """After a failure the servers' files stay, to be looked at."""
    if exitstatus == 0:
        env.remove_scratch_dir()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for client in connections.opened[:6]:
            report.sections.append(("connection", client.tail(40)))
        for server in _servers.running if _servers else []:
            tail = "\n".join(server.errors().splitlines()[-15:])
            report.sections.append(("error log of " + server.name, tail))
            if os.environ.get("H2_STACKS"):
                report.sections.append(("stacks of " + server.name, server.stacks()))
        item.has_failed = True


@pytest.fixture(scope="session")
def servers():
    global _servers
    _servers = Servers()
    yield _servers
    problems = _servers.close()
    assert not problems, "\n".join(problems)


@pytest.fixture(scope="module", autouse=True)
def _stop_servers_of_module(servers):
    """Only servers that each test may use are kept for the next module."""
    yield
    problems = servers.stop(keep=KEPT_SERVERS)
    assert not problems, "\n".join(problems)


@pytest.fixture(autouse=True)
def _servers_stay_healthy(servers, request):
    yield
    servers.counters.release()
    connections.close_all()
    problems = servers.health_problems()
    if problems or getattr(request.node, "has_failed", False):
        servers.after_failure()
    assert not problems, "\n".join(problems)


@pytest.fixture(params=MPMS)
def mpm(request):
    return request.param


@pytest.fixture(params=["tls", "clear"])
def transport(request):
    return request.param


@pytest.fixture
def httpd(mpm, servers):
    return servers.main(mpm)


@pytest.fixture
def connect(httpd, transport):
    def connect(**options):
        return open_client(httpd, transport, **options)
    return connect


@pytest.fixture
def h2(connect):
    return connect()


@pytest.fixture
def counter(servers):
    return servers.counters.new()

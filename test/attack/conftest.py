# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""The attack suite: each row of README.md against a real httpd, beside an honest client.

    attack      one attack: makes raw connections, and looks after it whether the server is as before
    server      the server that is attacked
    transport   tls and clear

H2_ATTACK_MPM chooses another MPM than event, H2_ATTACK_FULL=1 the whole volume of what is shortened.
The run ends with a table, which is also written to attack.json in the build folder.
"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pytest  # noqa: E402

import attacking  # noqa: E402
import environment as env  # noqa: E402
from attacking import MPM, Attack, Honest, Judge, set_nice  # noqa: E402

_results = []


# -- the run ----------------------------------------------------------------------------------------


def pytest_configure(config):
    config.addinivalue_line("markers", "row(*numbers): the rows of README.md that the test proves")


def pytest_sessionfinish(exitstatus):
    if _results:
        path = env.build_dir() / ("attack%s.json" % (env.sanitizer and "-" + env.sanitizer))
        path.write_text(json.dumps(_results, indent=1) + "\n")


def pytest_terminal_summary(terminalreporter):
    if not _results:
        return
    terminalreporter.section("attacks")
    terminalreporter.line(
        "row    transport  reaction                        after s  honest p99 ms (of)  "
        "RSS MiB  grew KiB  busy")
    for it in sorted(_results, key=lambda r: (r["rows"], r["transport"])):
        terminalreporter.line("%-6s %-10s %-31s %8s %10s %7d %9.1f %9d %5s  %s" % (
            ",".join(map(str, it["rows"])), it["transport"], it["reaction"][:31],
            "-" if it["seconds"] is None else "%.3f" % it["seconds"],
            "-" if it["honest_p99_ms"] is None else "%.1f" % it["honest_p99_ms"],
            it["honest_requests"], it["rss_before_kib"] / 1024,
            it["rss_after_kib"] - it["rss_before_kib"], it["busy_after"], it["test"]))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    attack = getattr(item, "funcargs", {}).get("attack")
    if report.failed and attack:
        report.sections.append(("raw connections", "\n".join(map(repr, attack.clients[:6]))))


# -- the server and who asks it ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def _stop_servers_of_module():
    """All of these tests have one server; those of a test's own are stopped by it."""


@pytest.fixture
def server(servers):
    server = servers.get("attack", MPM, attacking.CONFIG, **attacking.SERVER)
    attacking.warm_up(server)
    return server


@pytest.fixture(scope="session")
def honest():
    honest = Honest()
    yield honest
    honest.close()


@pytest.fixture
def attack(server, transport, counter, honest, servers, request):
    attack = Attack(server, transport, counter)
    judge = Judge(attack)
    mark = request.node.get_closest_marker("row")
    honest.begin(server, transport)
    set_nice(10)
    try:
        yield attack
    finally:
        set_nice(0)
        seen = honest.end()
        for client in attack.clients:
            client.close()
        servers.counters.release()
    env.wait_until(lambda: counter.running == 0, "handlers that waited at a gate", 5)
    _results.append(judge.look(seen, list(mark.args), request.node.name))
    problems = judge.problems() + servers.health_problems()
    if problems:
        servers.after_failure()
    assert not problems, "\n".join(problems)

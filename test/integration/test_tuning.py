# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""H2TuningProfile: what each profile sets, who decides where several may, and how it is seen; and
H2MaxHeaderListSize where it is not given."""

import os
import re
from types import SimpleNamespace

import pytest

from conftest import open_client
from h2client import (INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE,
                      MAX_HEADER_LIST_SIZE)
from servers import PLAIN, SITE

PROFILES = {
    "conservative": SimpleNamespace(streams=100, window=65535, frame=16384, memory=65536,
                                    min_workers=4, max_workers=32),
    "balanced": SimpleNamespace(streams=128, window=262144, frame=16384, memory=131072,
                                min_workers=8, max_workers=64),
    "high-concurrency": SimpleNamespace(streams=256, window=1048576, frame=32768, memory=262144,
                                        min_workers=32, max_workers=256),
}
ROWS = {"streams": "H2MaxSessionStreams", "window": "H2WindowSize", "frame": "H2MaxFrameSize",
        "memory": "H2StreamMaxMemSize", "min_workers": "H2MinWorkers",
        "max_workers": "H2MaxWorkers"}
DERIVED = "LimitRequestFields, LimitRequestFieldSize"


# -- the values that hold, as httpd -t -D DUMP_H2 prints them -----------------------------------------


@pytest.fixture(scope="module")
def checked(servers):
    return servers.new("dump", "event", SITE)


def dump(server, text):
    """By server ("" is the main one) and directive: value and origin."""
    code, output = server.run("-t", "-D", "DUMP_H2", extra=text)
    assert code == 0 and "Syntax OK" in output, output
    found, rows = {}, None
    for line in output.splitlines():
        head = re.fullmatch(r"(?:main server \S+|vhost (\S+) .+:\d+ \(.+:\d+\))", line)
        if head:
            rows = found.setdefault(head[1] or "", {})
        elif line.startswith("    "):
            row = re.fullmatch(r"    (\w+(?: at once)?) +(\S.*?) {2,}(\S.*)", line)
            name, value, origin = row.groups()
            rows[name] = (value, origin)
    return found


def vhost(name, *lines, address="*:1"):
    return "<VirtualHost %s>\nServerName %s\n%s\n</VirtualHost>\n" % (address, name,
                                                                    "\n".join(lines))


def test_without_a_profile_all_are_defaults(checked):
    shown = dump(checked, vhost("v"))
    main = shown[""]
    assert {origin for _, origin in main.values()} == {"default"}
    assert main["H2MaxSessionStreams"][0] == "100" and main["H2WindowSize"][0] == "65535"
    assert main["H2MaxFrameSize"][0] == "16384" and main["H2MaxHeaderListSize"][0] == "65536"
    assert main["H2MaxWorkers"][0] == "1.5 x ThreadsPerChild"
    assert shown["v"] == {name: row for name, row in main.items() if "Worker" not in name}


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_sets_what_is_documented(checked, name):
    main = dump(checked, "H2TuningProfile %s\n" % name)[""]
    for field, row in ROWS.items():
        assert main[row] == (str(getattr(PROFILES[name], field)), "profile " + name)
    assert all(origin == "default" for row, (_, origin) in main.items()
               if row not in ROWS.values())


@pytest.mark.parametrize("lines", [("H2TuningProfile balanced", "H2WindowSize 7000"),
                                   ("H2WindowSize 7000", "H2TuningProfile balanced")])
def test_a_directive_wins_in_whatever_order(checked, lines):
    main = dump(checked, "\n".join(lines) + "\n")[""]
    assert main["H2WindowSize"] == ("7000", "directive")
    assert main["H2MaxSessionStreams"] == ("128", "profile balanced")


def test_the_last_profile_of_a_server_holds(checked):
    main = dump(checked, "H2TuningProfile balanced\nH2TuningProfile conservative\n")[""]
    assert main["H2WindowSize"] == ("65535", "profile conservative")


@pytest.mark.parametrize("main, inner, expected", [
    # directive of the vhost, of the main server, profile of the vhost, of the main server, default
    (("H2TuningProfile balanced", "H2WindowSize 5000"),
     ("H2TuningProfile high-concurrency", "H2WindowSize 6000"), ("6000", "directive")),
    (("H2TuningProfile balanced", "H2WindowSize 5000"), ("H2TuningProfile high-concurrency",),
     ("5000", "directive of the main server")),
    (("H2TuningProfile balanced",), ("H2TuningProfile high-concurrency",),
     ("1048576", "profile high-concurrency")),
    (("H2TuningProfile balanced",), (), ("262144", "profile balanced")),
    ((), (), ("65535", "default")),
])
def test_who_decides_for_a_vhost(checked, main, inner, expected):
    for order in (lambda *texts: texts, lambda *texts: reversed(texts)):
        text = "\n".join(order("\n".join(main), vhost("v", *inner))) + "\n"
        assert dump(checked, text)["v"]["H2WindowSize"] == expected


def test_a_profile_of_a_vhost_is_for_that_vhost_only(checked):
    shown = dump(checked, vhost("a", "H2TuningProfile high-concurrency") + vhost("b"))
    assert shown["a"]["H2MaxSessionStreams"] == ("256", "profile high-concurrency")
    assert shown["b"]["H2MaxSessionStreams"] == ("100", "default")
    assert shown[""]["H2MaxSessionStreams"] == ("100", "default")
    assert shown[""]["H2MinWorkers"] == ("2 for each loop", "default")


@pytest.mark.parametrize("line, workers", [
    ("H2MaxWorkers 3", {"H2MinWorkers": ("3", "profile balanced"),
                        "H2MaxWorkers": ("3", "directive")}),
    ("H2MinWorkers 99", {"H2MinWorkers": ("99", "directive"),
                         "H2MaxWorkers": ("99", "profile balanced")})])
def test_a_profiles_workers_give_way_without_a_warning(checked, line, workers):
    text = "H2TuningProfile balanced\n%s\n" % line
    assert ("H2MaxWorkers is below" in checked.check(text)[1]) is False
    main = dump(checked, text)[""]
    assert {name: main[name] for name in workers} == workers


def test_nothing_is_printed_unless_it_is_asked_for(checked):
    assert checked.check("H2TuningProfile balanced\n")[1] == "Syntax OK\n"


def test_values_of_each_kind_are_printed(checked):
    main = dump(checked, "H2TLSCoolDownSecs 3\nH2StreamTimeout 500ms\nH2Direct off\n"
                         "H2MaxWorkerIdleSeconds 2mi\nH2SerializeHeaders on\n")[""]
    assert main["H2TLSCoolDownSecs"] == ("3s", "directive")
    assert main["H2StreamTimeout"] == ("500ms", "directive")
    assert main["H2MaxWorkerIdleSeconds"] == ("120s", "directive")
    assert main["H2Direct"] == ("off", "directive")
    assert main["H2SerializeHeaders"] == ("on", "directive")
    assert main["H2Upgrade"] == ("on in clear text", "default")


# -- the field list where it is not given -----------------------------------------------------------


@pytest.mark.parametrize("lines, expected", [
    (("LimitRequestFields 100", "LimitRequestFieldSize 8190"), ("65536", "default")),
    (("LimitRequestFields 10", "LimitRequestFieldSize 100"), ("65536", "default")),
    (("LimitRequestFields 200", "LimitRequestFieldSize 100"), ("65536", "default")),
    (("LimitRequestFields 1000", "LimitRequestFieldSize 100"), ("132000", DERIVED)),
    (("LimitRequestFields 10", "LimitRequestFieldSize 16380"), ("164120", DERIVED)),
    (("LimitRequestFieldSize 16380",), ("262144", DERIVED)),
    (("LimitRequestFields 0",), ("262144", DERIVED)),
    (("LimitRequestFields 0", "H2MaxHeaderListSize 70000"), ("70000", "directive")),
])
def test_a_field_list_may_be_as_long_as_raised_limits_allow(checked, lines, expected):
    text = "\n".join(lines) + "\n"
    assert dump(checked, text)[""]["H2MaxHeaderListSize"] == expected
    assert dump(checked, vhost("v", *lines))["v"]["H2MaxHeaderListSize"] == expected
    assert dump(checked, text + vhost("v"))["v"]["H2MaxHeaderListSize"][0] == expected[0]


def test_all_vhosts_of_an_address_count(checked):
    raised = ("LimitRequestFields 1000", "LimitRequestFieldSize 100")
    shown = dump(checked, vhost("a") + vhost("b", *raised)
                 + vhost("c", "H2MaxHeaderListSize 5000")
                 + vhost("other-port", address="*:2")
                 + vhost("other-address", address="127.0.0.1:1")
                 + vhost("two", address="127.0.0.1:1 *:1"))
    sizes = {name: rows["H2MaxHeaderListSize"][0] for name, rows in shown.items()}
    assert sizes == {"": "65536", "a": "132000", "b": "132000", "c": "5000",
                     "other-port": "65536", "other-address": "65536", "two": "132000"}


# -- on the wire ------------------------------------------------------------------------------------

RAISED = "LimitRequestFields 1000\nLimitRequestFieldSize 100"
CONFIG = "H2TuningProfile balanced\nLimitRequestFieldSize 8190\n" + PLAIN + "".join("""
<VirtualHost *:{port_tls}>
    ServerName %s.test
    Protocols h2 http/1.1
    H2TuningProfile %s
    {tls}
</VirtualHost>
<VirtualHost *:{port_%s}>
    ServerName a.test
    Protocols h2c http/1.1
    H2TuningProfile %s
</VirtualHost>
""" % (name, name, name.replace("-", "_"), name) for name in PROFILES) + "".join("""
<VirtualHost *:{port_%s_first}>
    ServerName %s.test
    Protocols h2 http/1.1
    %s
    {tls}
</VirtualHost>
""" % (first, name, lines) for first, name, lines in (
    ("plain", "a", ""), ("plain", "raised", RAISED),
    ("raised", "raised", RAISED), ("raised", "a", "")))


@pytest.fixture
def tuned(servers, mpm):
    return servers.get("tuned", mpm, CONFIG, threads=16, ports=[
        "tls", "clear", "plain_first", "raised_first", *(name.replace("-", "_") for name in PROFILES)])


@pytest.mark.parametrize("name", PROFILES)
def test_the_values_of_a_vhosts_profile_are_announced(tuned, transport, name):
    client = open_client(tuned, transport, sni=name + ".test") if transport == "tls" \
        else open_client(tuned, "clear", port=name.replace("-", "_"))
    seen, profile = client.wait_settings(), PROFILES[name]
    client.ping()
    assert (seen[MAX_CONCURRENT_STREAMS], seen[INITIAL_WINDOW_SIZE], seen[MAX_FRAME_SIZE]) == \
        (profile.streams, profile.window, profile.frame)
    assert client.send_window == profile.window * profile.streams, "of the whole connection"


def test_a_vhost_without_a_profile_has_the_main_servers(tuned, transport):
    seen = open_client(tuned, transport).wait_settings()
    assert seen[MAX_CONCURRENT_STREAMS] == 128 and seen[INITIAL_WINDOW_SIZE] == 262144


@pytest.mark.parametrize("name", ["conservative", "balanced"])
def test_the_window_of_a_profile_is_never_widened(tuned, name):
    client = open_client(tuned, "clear", port=name)
    client.wait_settings()
    stream = client.request("POST", "/h2test/read", end=False)
    window = PROFILES[name].window
    for _ in range(20):
        client.send_data(stream, bytes(min(stream.send_window, client.send_window)))
        client.wait_for(lambda: stream.send_window > 0, "a window")
        client.ping()
        assert stream.send_window <= window
    client.send_data(stream, b"", end=True)
    assert client.wait(stream).complete


def test_workers_are_those_of_the_main_servers_profile(tuned):
    text = open_client(tuned, sni="high-concurrency.test").get("/h2test/info").text
    cores = min(len(os.sched_getaffinity(0)), 16)
    assert re.search(r"(?m)^min_workers=8$", text), text
    assert re.search(r"(?m)^max_workers=%d$" % (64 + cores), text), text


def test_profiles_in_use_are_in_the_log(tuned):
    lines = re.findall(r"\[http2:info\] .*(H2TuningProfile .*)", tuned.errors())
    assert lines[0] == "H2TuningProfile balanced is in use"
    assert all(re.fullmatch(r"H2TuningProfile (conservative|high-concurrency) is in use for "
                            r"[a-z.-]+ \(.*httpd\.conf:\d+\)", line) for line in lines[1:])
    assert len(lines) == 5, "those of vhosts whose profile is another one"


@pytest.mark.parametrize("sni", ["raised.test", "a.test"])
@pytest.mark.parametrize("port, status", [("raised_first", 200), ("plain_first", 431)])
def test_each_vhost_of_the_address_announces_the_longest_list_of_all(tuned, port, status, sni):
    """LimitRequestFields is that of the first vhost, as with HTTP/1.1."""
    client = open_client(tuned, port=port, sni=sni)
    assert client.wait_settings()[MAX_HEADER_LIST_SIZE] == 132000
    assert client.get("/h2test/info", [("x-%d" % i, "v" * 90) for i in range(990)]).status == status


def test_a_vhost_of_another_address_announces_its_own(tuned):
    assert open_client(tuned).wait_settings()[MAX_HEADER_LIST_SIZE] == 65536

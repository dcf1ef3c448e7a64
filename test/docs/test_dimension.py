# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""scripts/dimension is right: what it says of threads and connections is what a server has, and no
server that is driven to it takes more memory than it says, nor far less."""

import contextlib
import functools
import io
import json
import os
import re
import shutil
import subprocess
import time
import urllib.request

import pytest

import environment as env
from connections import close_all, open_client
from environment import wait_until
from h2client import CONTINUATION, END_HEADERS, HEADERS, INITIAL_WINDOW_SIZE, WireTimeout
from servers import PLAIN

PROGRAM = env.CHECKOUT / "scripts" / "dimension"
MODULE = env.CHECKOUT / "mod_h2"
CONFIG = """
Timeout 300
KeepAliveTimeout 300
<Location /http2-status>
    SetHandler http2-status
</Location>
%s
""" + PLAIN
KIB = 1024


@functools.lru_cache(None)
def program():
    """What is in it: to start it would take longer than it runs."""
    space = {"__name__": "dimension", "__doc__": ""}
    exec(compile(PROGRAM.read_text(), str(PROGRAM), "exec"), space)
    return space


def run(*args):
    """(exit code, output, errors)"""
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            code = program()["main"](list(args))
        except SystemExit as end:
            code = end.code
    return code, output.getvalue(), errors.getvalue()


def ask(*args):
    code, output, errors = run("--json", *args)
    assert code == 0, errors
    return json.loads(output)


def of(server, *args):
    """What is said of a server's configuration."""
    return ask("--config", str(server.config_file), "--httpd", str(env.httpd_binary()),
               "--clear-text", *args)


def status(server):
    with urllib.request.urlopen(server.url("/http2-status?json", "clear")) as answer:
        return json.load(answer)


def running(server):
    return status(server)["gauges"]["running_requests"]


@pytest.fixture
def start(servers):
    def start(name, directives="", mpm="event", **settings):
        settings.setdefault("threads", 16)
        settings.setdefault("async_factor", 20)
        return servers.add(servers.new("dimension-" + name, mpm, CONFIG % directives,
                                       **settings).start())
    yield start
    servers.counters.release()
    close_all()
    problems = servers.stop(keep=("main", "conformance"))
    assert not problems, "\n".join(problems)


def connections(server, count, **options):
    found = [open_client(server, "clear", **options) for _ in range(count)]
    for client in found:
        client.wait_settings()
    return found


# ---- its constants ------------------------------------------------------------------------------


DEFINED = {  # of the program: what the sources have
    "LOOPS_MAX": "H2_CHILD_LOOPS_MAX", "LOOP_BLOCKS": "H2_BLOCKS_KEPT_BYTES",
    "PACK": "H2_SESSION_PACK_BYTES", "BODY_TAKEN": "H2_BODY_TAKE_BYTES",
    "WIDENED_CONNECTION": "H2_WIDENED_MAX", "SHUT_STREAMS": "H2_SHUT_STREAMS",
    "SHUT_BYTES": "H2_SHUT_BYTES"}


def defined(name):
    for file in MODULE.rglob("*.[ch]"):
        match = re.search(r"#define %s\s+(.*?)(?:/\*|$)" % name, file.read_text(), re.M)
        if match:
            return eval(match.group(1).replace("(apr_size_t)", ""))     # numbers, "*" and "+"
    raise AssertionError("no " + name)


def test_its_constants_are_those_of_the_sources():
    has = program()
    for name, macro in DEFINED.items():
        assert has[name] == defined(macro), name
    assert has["LOOP_SCRATCH"] == 2 * defined("H2_LOOP_SCRATCH_BYTES")
    assert has["LOOP_CONTEXTS"] == (defined("H2_CONTEXT_SPARE_MAX")
                                    * defined("H2_CONTEXT_KEPT_BYTES"))
    assert has["WIDENED_CHILD"] == KIB * defined("H2_WIDENED_CHILD_MAX_KIB")
    assert has["QUICK_MS"] * 1000 == defined("H2_TURN_USEC")


@pytest.mark.parametrize("profile", ["conservative", "balanced", "high-concurrency"])
def test_it_knows_the_profiles(servers, profile):
    server = servers.new("dimension-profile", "event", CONFIG % ("H2TuningProfile " + profile))
    assert server.check()[0] == 0
    said, set_ = of(server)["values"], ask("--set", "H2TuningProfile=" + profile)["values"]
    for name in ("H2MaxSessionStreams", "H2WindowSize", "H2StreamMaxMemSize", "H2MaxWorkers",
                 "H2WindowSize widens"):
        assert said[name] == set_[name], name


# ---- threads, connections -----------------------------------------------------------------------


@pytest.mark.parametrize("directives, cores", [("", None), ("H2MinWorkers 9\nH2MaxWorkers 12", {0})])
def test_a_child_has_the_threads_that_are_said(start, counter, directives, cores):
    server = start("threads", directives, cores=cores)
    said = of(server, "--cores", str(len(cores or os.sched_getaffinity(0))))["threads"]
    wait_until(lambda: server.threads() == said["child_idle"], "the threads of the beginning")
    workers = status(server)["workers"]
    assert workers["min_workers"] == said["h2workers_least"]
    assert workers["max_workers"] == said["h2workers_most"]
    for client in connections(server, 6):
        for _ in range(said["detached_most"]):
            client.request("GET", "/h2test/gate?gate=%s" % counter.gate())
    wait_until(lambda: running(server) >= said["detached_most"], "as many requests as may run")
    most = server.threads()
    assert said["child_most"] - said["standbys"] <= most <= said["child_most"]


@pytest.mark.parametrize("mpm, threads, factor", [("event", 5, 2), ("worker", 6, 0)])
def test_a_child_takes_the_connections_that_are_said(start, mpm, threads, factor):
    server = start("connections", mpm=mpm, threads=threads, async_factor=factor or 2)
    said = of(server)["connections"]["child"]
    found = []
    with pytest.raises(WireTimeout):
        while len(found) <= said:
            found.append(open_client(server, "clear"))
            found[-1].wait_settings(timeout=0.8)
    # One that is accepted keeps a thread of the MPM busy for a moment: that may be the last but one.
    assert said - factor <= len(found) - 1 <= said


def test_one_connection_runs_what_is_said(start, counter):
    server = start("share", "H2MaxWorkers 10")
    said = of(server)["threads"]["connection_running"]
    client = connections(server, 1)[0]
    for _ in range(20):
        client.request("GET", "/h2test/gate?gate=%s" % counter.gate())
    wait_until(lambda: running(server) >= said - 1, "its share")    # one more only on the leader
    client.get("/files/1.bin")
    assert said - 1 <= running(server) <= said


def test_there_are_as_many_websockets_as_are_said(start, servers):
    server = start("websockets", "H2WebSockets on\nH2MaxWorkers 12\nProxyPass /ws/ "
                   "http://127.0.0.1:%d/ws/ upgrade=websocket" % servers.backend.port,
                   modules=["proxy_wstunnel"])
    said = of(server)
    before = server.descriptors()
    clients = connections(server, 4)
    open_ = []
    for client in clients:
        streams = [client.extended_connect("/ws/", headers=[("sec-websocket-version", "13")])
                   for _ in range(said["websockets"]["connection"] + 1)]
        statuses = [client.wait_head(stream).status for stream in streams]
        assert statuses.count(200) <= said["websockets"]["connection"]
        open_ += [s for s in streams if s.status == 200]
    assert len(open_) == said["websockets"]["child"]
    assert server.descriptors() - before == len(clients) + 4 * len(open_)


def test_requests_over_http_2_start_no_children(start, counter):
    """Which is why it counts only those that stay."""
    server = start("children", "MinSpareThreads 10\nMaxSpareThreads 30\nH2MaxWorkers 6", threads=10,
                   servers=2, server_limit=5, is_stable=False)
    said = of(server)["processes"]
    assert said == {"stay": 2, "most": 5}
    for client in connections(server, 6):
        for _ in range(20):
            client.request("GET", "/h2test/gate?gate=%s" % counter.gate())
    wait_until(lambda: status(server)["gauges"]["waiting_requests"] > 50, "requests that wait")
    ends = time.monotonic() + 2.5       # the MPM looks once a second
    while time.monotonic() < ends:
        assert len(server.children()) == said["stay"]
        time.sleep(0.2)


# ---- memory -----------------------------------------------------------------------------------


def number(value, bits):
    """An integer of HPACK, RFC 7541, 5.1, in so many bits of its first byte."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([value])
    out, value = bytearray([limit]), value - limit
    while value > 127:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + bytes([value]))


def post_with_long_fields(client, path):
    """60 KB of them, made by hand: a real encoder would take most of the test's time."""
    fields = [(":method", "POST"), (":scheme", "http"), (":authority", "a.test"), (":path", path)]
    fields += [("x-%d" % i, "y" * 3000) for i in range(20)]
    block = b"".join(b"\0" + number(len(name), 7) + name.encode() + number(len(value), 7)
                     + value.encode() for name, value in fields)
    stream = client.open()
    parts = [block[i:i + 16384] for i in range(0, len(block), 16384)]
    with client.cork():
        for i, part in enumerate(parts):
            client.send_frame(CONTINUATION if i else HEADERS,
                              END_HEADERS if i == len(parts) - 1 else 0, stream.id, part)
    return stream


@pytest.fixture
def memory(start):
    """A server that has allocated what it needs once; and what it has taken since."""
    if env.sanitizer:
        pytest.skip("a sanitizer's memory is not httpd's")

    class Memory:
        def __init__(self, name, directives=""):
            self.server = start(name, directives)
            for transport in ("clear", "tls"):
                client = open_client(self.server, transport)
                for _ in range(50):
                    client.get("/files/1000.bin")
                client.close()
            self.said = of(self.server)["memory"]
            self.mark()

        def mark(self):
            self.before = self.server.resident_kib() * KIB

        @property
        def taken(self):
            return self.server.resident_kib() * KIB - self.before

        def assert_within(self, bound, least):
            """Below the bound, and not below that part of it."""
            wait_until(lambda: self.taken > least * bound, "memory to be taken")
            assert self.taken < bound, (self.taken, bound)

    return Memory


@pytest.mark.parametrize("transport", ["tls", "clear"])
def test_idle_connections_take_less_than_is_said_and_more_than_half(memory, transport):
    memory = memory("idle")
    clients = [open_client(memory.server, transport) for _ in range(150)]
    for client in clients:
        client.get("/files/1.bin")
    each = program()["IDLE"][transport]
    memory.assert_within(len(clients) * each, 0.5)


def test_streams_that_wait_take_less_than_is_said_and_more_than_half(memory, counter):
    window = 262144
    memory = memory("wait", "H2MaxWorkers 4\nH2WindowSize %d" % window)
    clients = connections(memory.server, 2)
    for client in clients:
        for _ in range(4):
            client.request("GET", "/h2test/gate?gate=%s" % counter.gate())
    wait_until(lambda: running(memory.server) >= 4, "busy threads")
    memory.mark()
    for client in clients:
        for _ in range(20):
            client.send_data(post_with_long_fields(client, "/h2test/read"), b"x" * window)
    memory.assert_within(2 * 20 * memory.said["stream_waiting"], 0.5)
    assert memory.taken < 2 * memory.said["connection_worst"]


@pytest.mark.parametrize("directives", ["", "H2StreamMaxMemSize 200000\nH2MaxWorkers 100"])
def test_responses_that_are_not_taken_take_less_than_is_said_and_a_third(memory, directives):
    memory = memory("stalled", directives)
    clients = connections(memory.server, 10, settings={INITIAL_WINDOW_SIZE: 0})
    memory.mark()
    for client in clients:
        for _ in range(8):
            client.request("GET", "/h2test/endless", keep_body=False)
    wait_until(lambda: running(memory.server) > 20, "responses")
    count = running(memory.server)
    memory.assert_within(count * memory.said["stream_running"], 0.12)


def test_a_child_at_its_worst_stays_below_what_is_said(memory, counter):
    """Heads, bodies, responses, threads: all at the same time."""
    memory = memory("worst", "H2MaxWorkers 8\nH2MaxSessionStreams 16\nH2WindowSize 1048576\n"
                    "H2MaxHeaderListSize 65536")
    clients = connections(memory.server, 4, settings={INITIAL_WINDOW_SIZE: 0})
    said = of(memory.server)
    path = "/h2test/read?gate=%s" % counter.gate()
    for client in clients:
        client.request("GET", "/h2test/endless", keep_body=False)
        for _ in range(14):
            client.send_data(post_with_long_fields(client, path), b"x" * 1048576, timeout=30)
    dims = program()
    conf = dims["read_configuration"](str(memory.server.config_file), str(env.httpd_binary()))
    bound = dims["Dimensions"](conf, len(os.sched_getaffinity(0)), None, False).child_worst(4)
    assert bound < said["memory"]["child_worst"]
    memory.before = 0
    memory.assert_within(bound, 0.3)


def test_a_load_takes_less_than_is_said_of_it_and_a_third(memory, counter):
    memory = memory("load", "H2MaxWorkers 60")
    idle = connections(memory.server, 150)
    for client in idle[:10]:
        for _ in range(4):
            client.request("GET", "/h2test/gate?gate=%s" % counter.gate())
    readers = connections(memory.server, 10, settings={INITIAL_WINDOW_SIZE: 0})
    streams = [(client, client.request("GET", "/files/1048576.bin"))
               for client in readers for _ in range(10)]
    for client, stream in streams:
        client.wait_head(stream)
    wait_until(lambda: running(memory.server) >= 40, "requests that hold threads")
    said = of(memory.server, "--clients", "160", "--requests-per-second", "40", "--request-ms", "1000",
              "--downloads", "100")["load"]
    assert said["threads_held"] == 40 and said["children"] == 1
    memory.before = 0
    memory.assert_within(said["memory"], 0.33)


# ---- a load -------------------------------------------------------------------------------------


SITE = ["--cores", "4", "--set", "StartServers=2", "--set", "MinSpareThreads=25", "--set",
        "MaxSpareThreads=75", "--set", "MaxRequestWorkers=150"]


@pytest.mark.parametrize("load, first", [
    ("--clients 5000", "connections"),
    ("--clients 400 --requests-per-second 3000 --request-ms 100", "threads for requests"),
    ("--clients 2 --requests-per-second 500 --request-ms 100", "threads of one connection"),
    ("--clients 300 --websockets 170", "WebSockets"),
    ("--clients 3 --websockets 45", "WebSockets of one connection"),
    ("--clients 2 --downloads 300", "streams of one connection"),
    ("--clients 100 --downloads 400 --descriptors 100", "descriptors of a child"),
    ("--clients 440 --requests-per-second 100 --request-ms 100 --memory 60M", "memory, MiB"),
    ("--clients 10 --uploads 5 --upload-mbit 500 --round-trip-ms 100", "upload window, KiB")])
def test_the_limit_that_is_hit_first_is_named_and_what_is_suggested_mends_it(load, first):
    found = ask(*SITE, *load.split())["load"]
    assert found["first"] == first and not found["fits"]
    lines = [line for hint in found["suggestions"] for line in hint["write"].split("\n")]
    if first == "memory, MiB":
        assert any("KeepAliveTimeout" in line for line in lines)
        return
    values = [re.match(r"(\w+) (\d+)$", line) for line in lines]
    args = [a for m in values if m for a in ("--set", "=".join(m.groups()))]
    if first.startswith("descriptors"):
        args += ["--descriptors", re.search(r"LimitNOFILE=(\d+)", " ".join(lines)).group(1)]
    assert ask(*SITE, *load.split(), *args)["load"]["fits"], lines


def test_a_script_can_ask_whether_a_load_fits():
    for count, code in (("50", 0), ("500000", 1), ("many", 2)):
        result = subprocess.run([str(PROGRAM), "--clients", count, "--check"], capture_output=True)
        assert result.returncode == code


def test_what_fits_needs_no_change():
    found = ask("--clients", "100", "--requests-per-second", "50", "--request-ms", "20", "--set",
                "ThreadLimit=256")["load"]
    assert found["fits"] and found["suggestions"] == []


def test_the_text_has_the_figures_of_the_json():
    args = SITE + ["--clients", "5000", "--requests-per-second", "2000", "--request-ms", "40"]
    found, (code, text, _) = ask(*args), run(*args)
    assert code == 0
    for figure in ("%d in a child, %d in all" % (found["connections"]["child"],
                                                 found["connections"]["all"]),
                   "%d to %d" % (found["threads"]["child_idle"], found["threads"]["child_most"]),
                   "Too much, and first of all: connections", "AsyncRequestWorkerFactor"):
        assert figure in text, figure
    assert all(len(line) <= 100 for line in text.splitlines())


# ---- the page -----------------------------------------------------------------------------------


PAGE = env.CHECKOUT / "docs" / "dimensioning.md"


def shown(test):
    """(arguments, output) of each command of the page that the comment before it gives to a test."""
    found = []
    for block in re.findall(r"<!-- run: by [^ ]*::%s -->\n```console\n(.*?)```" % test,
                            PAGE.read_text(), re.S):
        command, output = re.fullmatch(r"[$#] scripts/dimension ((?:[^\n]*\\\n)*[^\n]*\n)(.*)",
                                       block, re.S).groups()
        found.append((command.replace("\\\n", " ").split(), output))
    return found


def as_pattern(output):
    """"..." is anything in a line, a line of it any lines."""
    lines = [r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\n"
             for line in output.splitlines()]
    return "".join(lines) + r"\Z"


@pytest.mark.parametrize("args, output", shown("test_the_page_shows_what_it_prints"),
                         ids=lambda value: value[-1] if isinstance(value, list) else "")
def test_the_page_shows_what_it_prints(args, output):
    code, text, _ = run(*args)
    assert code == 0 and re.match(as_pattern(output), text), text


def test_it_reads_debians_folder(tmp_path):
    if not os.path.isfile("/etc/apache2/mods-available/mpm_event.conf"):
        pytest.skip("not a Debian")
    folder = tmp_path / "apache2"
    shutil.copytree("/etc/apache2", folder, symlinks=True)
    for file in (folder / "mods-enabled").glob("http2.*"):
        file.unlink()
    for old in [*(folder / "sites-enabled").iterdir(), *(folder / "mods-enabled").glob("mpm_*")]:
        old.unlink()
    for name in ("mpm_event.conf", "mpm_event.load"):
        (folder / "mods-enabled" / name).symlink_to("../mods-available/" + name)
    (folder / "mods-enabled" / "http2.load").write_text("LoadModule http2_module %s\n"
                                                        % env.module_so())
    conf = folder / "apache2.conf"
    conf.write_text("ServerRoot %s\n" % folder + conf.read_text())
    (args, output), = shown("test_it_reads_debians_folder")
    args[args.index("/etc/apache2")] = str(folder)
    code, text, errors = run(*args, "--httpd", str(env.httpd_binary()))
    assert code == 0, errors
    assert re.match(as_pattern(output.replace("/etc/apache2", str(folder))), text), text


# ---- what is wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("args, text", [
    (["--set", "H2MaxWorkers=many"], "H2MaxWorkers many: not a number"),
    (["--set", "H2WindowSize=3"], "H2WindowSize 3: not from 1024 to 2147483647"),
    (["--set", "Timeout=3"], "not one of AsyncRequestWorkerFactor"),
    (["--set", "H2MaxWorkers"], "write NAME=VALUE"),
    (["--set", "H2TuningProfile=fast"], "one of conservative, balanced, high-concurrency"),
    (["--set", "ThreadsPerChild=100"], "more than ThreadLimit 64"),
    (["--config", "/nowhere"], "there is no /nowhere"),
    (["--vhost", "www.example.org"], "there is none of that name"),
    (["--config", __file__, "--httpd", "/nowhere/httpd"], "no httpd program /nowhere/httpd"),
    (["--config", __file__, "--httpd", str(env.httpd_binary())], "httpd does not take"),
    (["--clients", "-1"], "--clients"), (["--memory", "3X"], "is not a size")])
def test_what_is_wrong_with_a_question_is_said(args, text):
    code, output, errors = run(*args)
    assert code == 2 and text in errors and "Traceback" not in errors and not output


def test_a_server_without_this_module_is_told_of(tmp_path):
    file = tmp_path / "httpd.conf"
    lines = ["ServerRoot %s" % tmp_path, "ErrorLog %s/error.log" % tmp_path, "Listen 127.0.0.1:1"]
    for name in ("mpm_event", "authz_core"):
        if not env.is_static(name):
            lines.append("LoadModule %s_module %s/mod_%s.so" % (name, env.modules_dir(), name))
    file.write_text("\n".join(lines) + "\n")
    code, _, errors = run("--config", str(file), "--httpd", str(env.httpd_binary()))
    assert code == 2 and "is this module loaded" in errors

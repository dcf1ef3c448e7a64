# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Probes for tracers: that the module has them, and that a tracer sees by them what happens."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import environment as env
from connections import open_client
from environment import wait_until
from h2client import CANCEL
from servers import PLAIN

# Each probe's arguments, as docs/observability/probes.md names them.
PROBES = {
    "session_begin": ["connection", "origin"],
    "session_end": ["connection", "streams", "usec"],
    "stream_open": ["connection", "stream", "pushed_on"],
    "hand_over": ["connection", "stream", "usec"],
    "first_byte": ["connection", "stream", "usec"],
    "stream_reset": ["connection", "stream", "error", "by"],
    "stream_end": ["connection", "stream", "bytes", "usec", "error"],
}
PAGE = env.CHECKOUT / "docs" / "observability" / "probes.md"
FORMATS = {name: " ".join([name] + ["%d"] * len(words)) for name, words in PROBES.items()}


@pytest.fixture(scope="module")
def notes():
    """[(name, number of arguments)] of the built module."""
    if not shutil.which("readelf"):
        pytest.skip("no readelf: scripts/install-deps test")
    text = subprocess.run(["readelf", "-nW", str(env.module_so())], capture_output=True, text=True,
                          check=True).stdout
    found = re.findall(r"Provider: mod_h2\s+Name: (\w+)\s+Location:.*\s+Arguments: (.*)", text)
    if not found and not Path("/usr/include/sys/sdt.h").exists():
        pytest.skip("built without sys/sdt.h: scripts/install-deps build")
    return [(name, len(arguments.split())) for name, arguments in found]


def test_the_module_has_its_probes_with_their_arguments(notes):
    assert {name: count for name, count in notes} == {
        name: len(words) for name, words in PROBES.items()}
    for name, count in notes:       # the same at each place
        assert count == len(PROBES[name])


def test_the_page_names_the_probes_with_their_arguments():
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", PAGE.read_text(), re.M))
    assert {name: re.findall(r"`(\w+)`", words) for name, words in rows.items()} == PROBES


def bpftrace(*args, stdout=subprocess.PIPE):
    if os.geteuid():
        pytest.skip("only root may trace")
    if not shutil.which("bpftrace", path=env.SYSTEM_PATH):
        pytest.skip("no bpftrace: scripts/install-deps test")
    return subprocess.Popen([shutil.which("bpftrace", path=env.SYSTEM_PATH), *args],
                            stdout=stdout, stderr=subprocess.STDOUT, text=True,
                            cwd=env.scratch_dir())


@pytest.fixture(scope="module")
def kernel_lets_trace(notes):
    process = bpftrace("-e", "BEGIN { exit(); }")
    output = process.communicate(timeout=60 * env.SLOWER)[0]
    if process.returncode:
        pytest.skip("this kernel does not let bpftrace work: " + output.strip()[-200:])


class Tracer:
    """bpftrace, which writes a line for each event of the server's children."""

    def __init__(self, server):
        pids = " || ".join("pid == %d" % pid for pid in server.children())
        program = "\n".join(
            'usdt:%s:mod_h2:%s /%s/ { printf("%s\\n", %s); }' % (
                env.module_so(), name, pids, FORMATS[name],
                ", ".join("arg%d" % i for i in range(len(words))))
            for name, words in PROBES.items())
        self.log = env.scratch_dir() / "bpftrace.out"
        with open(self.log, "w") as log:
            self.process = bpftrace("-B", "line", "-e", program, stdout=log)

    def events(self):
        """Each as its name and its arguments by name. A line that is being written is not there."""
        lines = [line.split() for line in self.log.read_text().splitlines(keepends=True)
                 if line.endswith("\n")]
        return [(line[0], dict(zip(PROBES[line[0]], map(int, line[1:]))))
                for line in lines if line and line[0] in PROBES]

    def is_attached(self):
        assert self.process.poll() is None, self.log.read_text()
        return bool(self.events())

    def close(self):
        self.process.terminate()
        self.process.wait(30)


@pytest.mark.skipif(env.sanitizer != "", reason="the sanitizers' memory is too much for a tracer")
def test_a_tracer_sees_what_becomes_of_streams(servers, mpm, transport, kernel_lets_trace):
    server = servers.get("probes", mpm, PLAIN)
    tracer = Tracer(server)
    try:
        def is_seen():
            with open_client(server, transport) as client:
                client.get("/files/0.bin")
            return tracer.is_attached()
        wait_until(is_seen, "the tracer", timeout=30, interval=0.2)
        with open_client(server, transport) as client:
            client.get("/files/1000.bin")
            upload = client.request("POST", "/h2test/read", end=False)
            client.ping()
            client.send_data(upload, bytes(10), end=True)
            client.wait(upload)
            slow = client.request("GET", "/h2test/sleep?ms=200")
            client.ping()
            client.send_reset(slow, CANCEL)
            client.ping()
        assert_events(wait_until(lambda: last_connection(tracer.events()), "the connection's end"))
    finally:
        tracer.close()


def last_connection(events):
    """Its events, once it has had three streams and its end; else none."""
    ends = [fields for name, fields in events if name == "session_end" and fields["streams"] == 3]
    return ends and [(name, fields) for name, fields in events
                     if fields["connection"] == ends[0]["connection"]
                     and (fields.get("stream") or name.startswith("session"))]


def assert_events(events):
    """Those of its last session: an id may have been another connection's before."""
    begins = [i for i, (name, _) in enumerate(events) if name == "session_begin"]
    events = events[begins[-1]:]
    names = [name for name, _ in events]
    assert names[0] == "session_begin" and names[-1] == "session_end"
    assert names.count("stream_open") == names.count("stream_end") == 3

    def of(name, stream):
        found = [fields for other, fields in events if (other, fields.get("stream")) == (name, stream)]
        assert len(found) <= 1, found
        return found[0] if found else None

    first = of("stream_end", 1)
    assert first["bytes"] > 1000 and first["error"] == 0
    assert 0 <= of("first_byte", 1)["usec"] <= first["usec"] < 10 ** 7 * env.SLOWER
    assert of("stream_open", 1)["pushed_on"] == 0
    assert of("hand_over", 1) is None and of("hand_over", 3)
    assert of("stream_reset", 5)["error"] == CANCEL and of("stream_reset", 5)["by"] == 1
    assert of("stream_end", 5)["error"] == CANCEL and of("first_byte", 5) is None


def one_liners():
    return re.findall(r"^# bpftrace -e '([^']*)'", PAGE.read_text(), re.M)


@pytest.mark.parametrize("number", range(8))
def test_the_one_liners_of_the_page_can_be_run(number, kernel_lets_trace):
    programs = one_liners()
    assert len(programs) == 8
    program = programs[number].replace("/usr/lib/apache2/modules/mod_http2.so",
                                       str(env.module_so()))
    assert str(env.module_so()) in program
    process = bpftrace("-e", program + " interval:ms:100 { exit(); } END { printf(\"its end\"); }")
    output = process.communicate(timeout=30 * env.SLOWER)[0]
    assert process.returncode == 0 and "its end" in output, output

"""How the cost of a request grows with the cores: locks that a thread had to wait for, counted by
strace while 64 connections are served by as many loops as that many cores would have; and atomic
operations, counted by callgrind. The machine may have fewer cores than it pretends to have."""

import os
import re
import signal
import subprocess
from collections import Counter, defaultdict

from counters import children
from servers import Failed, Server, which

CORES = (1, 2, 4, 8, 16)
_REQUESTS = 20000
_LIMIT_SECONDS = 60
# glibc's mutexes wait so, and nothing else does: condition variables have their own operation.
_CONTENDED = re.compile(r"FUTEX_WAIT_PRIVATE, 2, NULL")
_LOCKED = re.compile(r"\s*([0-9a-f]+):\s+(?:lock\s|xchg\s.*\()")
_PRETEND = """
#define _GNU_SOURCE
#include <sched.h>
int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
    (void)pid;
    CPU_ZERO_S(size, set);
    for (int i = 0; i < CORES; ++i) {
        CPU_SET_S(i, size, set);
    }
    return 0;
}
"""


def _preload(site, cores):
    """A library that makes a process believe in so many cores."""
    source, library = site.path("cores.c"), site.path(f"cores{cores}.so")
    with open(source, "w") as f:
        f.write(_PRETEND)
    subprocess.run(["cc", "-shared", "-fPIC", f"-DCORES={cores}", "-o", library, source],
                   check=True)
    return library


def _load(server, requests, *options):
    done = subprocess.run(
        [which("h2load"), "-t1", f"-n{requests}", *options,
         f"http://127.0.0.1:{server.ports['clear']}/1k.txt"],
        capture_output=True, text=True, timeout=_LIMIT_SECONDS)
    if f"{requests} succeeded" not in done.stdout:
        raise Failed("h2load: " + " ".join(done.stdout.split()[-40:]))


def _contended(fleet, name, cores):
    library = _preload(fleet.site, cores)
    server = Server(fleet.site, fleet.tools, name, prefix=[
        which("strace"), "-f", "--seccomp-bpf", "-e", "trace=futex", "-o", "futex.out",
        "-E", f"LD_PRELOAD={library}"])
    server.start()
    try:
        _load(server, _REQUESTS // 10, "-c64", "-m10")
        with open(os.path.join(server.home, "futex.out")) as f:
            f.seek(0, os.SEEK_END)
            _load(server, _REQUESTS, "-c64", "-m10")
            return 1000 * sum(1 for line in f if _CONTENDED.search(line)) / _REQUESTS
    finally:
        for pid in children(server.pid):  # strace itself does not end before they do
            os.kill(pid, signal.SIGTERM)
        server.stop()


def _executed(fleet, name, requests):
    """{(object, address): how often} of one run of callgrind."""
    server = Server(fleet.site, fleet.tools, name, options=["-X"], unprivileged=True, prefix=[
        which("valgrind"), "--tool=callgrind", "-q", "--vgdb=no", "--dump-instr=yes",
        "--compress-pos=no", "--compress-strings=no", "--callgrind-out-file=callgrind.out"])
    server.start()
    try:
        _load(server, requests, "-c1", "-m100", *(["--h1"] if name == "h1" else []))
    finally:
        server.stop()
    counts, obj, is_call = defaultdict(int), "", False
    with open(os.path.join(server.home, "callgrind.out"), errors="replace") as f:
        for line in f:
            if line.startswith("ob="):
                obj = line[3:].strip()
            elif line.startswith("calls="):
                is_call = True  # the next line has what was called, too
            elif line.startswith("0x"):
                if not is_call:
                    address, _line, count = line.split()[:3]
                    counts[obj, int(address, 16)] += int(count)
                is_call = False
    return counts


def _atomics(fleet, name):
    few, many = 500, 2500
    before, after = _executed(fleet, name, few), _executed(fleet, name, many)
    found = Counter()
    for obj in {obj for obj, _address in after if obj.startswith("/")}:
        listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", obj],
                                 capture_output=True, text=True).stdout
        for match in map(_LOCKED.match, listing.splitlines()):
            if match:
                place = obj, int(match.group(1), 16)
                found[name] += after.get(place, 0) - before.get(place, 0)
    return found[name] / (many - few)


def measure_scaling(fleet, say):
    """{row: {server name: {"count": n} or {"error": text}}}"""
    for program in ("strace", "valgrind", "objdump", "cc"):
        if not which(program):
            raise SystemExit(f"bench: --scaling needs {program}")
    rows = {}

    def add(row, name, count):
        say(f"scaling: {row}, {name}")
        try:
            found = {"count": count()}
        except (Failed, subprocess.TimeoutExpired) as failed:
            found = {"error": str(failed)}
        rows.setdefault(row, {})[name] = found

    if "ours" in fleet.names:  # mod_http2 has no loops, and under strace takes minutes
        for cores in CORES:
            add(f"contended locks of 1000 requests, {cores} cores", "ours",
                lambda cores=cores: _contended(fleet, "ours", cores))
    for name in (each for each in fleet.names if each in ("ours", "mod_http2", "h1")):
        add("atomic operations of a request", name, lambda name=name: _atomics(fleet, name))
    return rows

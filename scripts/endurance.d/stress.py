# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Started by scripts/stress, which has the options; MOD_H2_SO, MOD_H2_BUILD and H2_HTTPD are set."""

import argparse
import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter

import samples
from honest import FAILURES_KEPT
from kinds import Clients

import environment as env
from servers import PLAIN, Servers

CHILDREN = 2
MANY_WORKERS = 24
SAMPLE_SECONDS = 0.5
# The last child is to have had its share of the load before the load ends.
CALM_SECONDS = 3
END_SECONDS = 45                # old children, and threads that idle, have so long to go
MIB_KIB = 1024
# httpd itself keeps some KiB at each restart (it loads all modules anew); OpenSSL's first ones more.
PARENT_RISE_KIB = 2 * MIB_KIB
PARENT_RISE_OF_RESTART_KIB = 16
# No child lives long enough to warm up: 50 streams that wait for windows on six connections, twice.
CHILD_MAX_KIB = 64 * MIB_KIB
CHILD_RISE_KIB = 8 * MIB_KIB
LONG_SECONDS = 30

RULE = """The verdict: no honest request is lost (a request may be repeated where GOAWAY's last stream is below
it, REFUSED_STREAM answers it, or the connection ends before SETTINGS come; every other one has its
whole and right answer); no mark of a crash or of a sanitizer in the log; after the load the old
children end, and the others have the threads of an idle child, H2MinWorkers among them. Without a
sanitizer also memory: the parent's last quarter is at most 2 MiB and 16 KiB for each restart above its
first; no child has more than 64 MiB, and over the second half of the restarts (if they last for 30 s) the
least-squares line through the largest child's rises by no more than 8 MiB."""

CONFIG = PLAIN + """
Timeout 5
KeepAliveTimeout 3
H2MaxWorkers 48
H2MaxWorkerIdleSeconds 2
H2MinWorkers %d
"""

COLUMNS = (("mpm", 6), ("min", 3), ("restarts", 8), ("children", 8), ("answered", 8),
           ("repeated", 8), ("refused", 7), ("lost", 4), ("attacks", 7), ("h2load", 14),
           ("parent MiB", 11), ("child MiB", 11), ("threads", 9), ("verdict", 7))


class H2load(threading.Thread):
    """Runs of h2load until the end. It knows no GOAWAY: what it misses is only counted."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.url = url
        self.ended = threading.Event()
        self.done = self.missed = 0
        self.process = None

    def run(self):
        while not self.ended.is_set():
            self.process = subprocess.Popen(
                ["h2load", "-t1", "-c10", "-m10", "-n1000", "--rps=50", "-T3s", "-N3s", self.url],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            try:
                output = self.process.communicate(timeout=20 * env.SLOWER)[0]
            except subprocess.TimeoutExpired:
                self.process.kill()
                output = self.process.communicate()[0]
            found = re.search(r"(\d+) total, .* (\d+) succeeded", output)
            if found:
                total, done = map(int, found.groups())
                self.done += done
                self.missed += total - done
            self.ended.wait(0.1)

    def end(self):
        self.ended.set()
        if self.process and self.process.poll() is None:
            self.process.kill()
        self.join(10)


class Phase:
    """One server with its load."""

    def __init__(self, servers, mpm, min_workers, seconds, restart_seconds):
        self.servers = servers
        self.mpm = mpm
        self.min_workers = min_workers
        self.seconds = seconds
        self.restart_seconds = restart_seconds
        self.problems = []
        self.clients, self.h2loads = [], []
        self.restarts = 0
        self.seen = set()               # pids of children
        self.parent, self.of_children, self.largest = [], [], []     # [(second, KiB)]

    def run(self):
        self.start()
        try:
            self.load()
            self.end_load()
            self.wait_for_quiet()
        finally:
            for process in self.clients:
                process.kill()
            for load in self.h2loads:
                load.end()
            try:
                self.httpd.stop()
            except AssertionError as error:
                self.problems.append(str(error))
            self.look_at_health()
        self.judge()

    def start(self):
        self.httpd = self.servers.new(
            "stress-%d" % self.min_workers, self.mpm, CONFIG % self.min_workers, servers=CHILDREN,
            # The worker MPM needs a thread for each connection; old children need their slots.
            threads=32 if self.mpm == "event" else 128, server_limit=50,
            max_workers=CHILDREN * (32 if self.mpm == "event" else 128), is_stable=False).start()
        self.before = self.idle_samples()
        for seed, (side, port) in enumerate((side, port) for side in ("honest", "hostile")
                                            for port in ("tls", "clear")):
            self.clients.append(Clients(
                "crowd.py", address=self.httpd.address(port), tls=port == "tls", side=side,
                seed=seed, rate=1 / env.SLOWER, time_factor=env.SLOWER))
        if shutil.which("h2load"):
            self.h2loads = [H2load(self.httpd.url("/files/1000.bin", port))
                            for port in ("tls", "clear")]
        for load in self.h2loads:
            load.start()

    def idle_samples(self):
        """Of the children, once they have all their threads."""
        last, found = None, {}
        while not found or last != [each and each["threads"] for each in found.values()]:
            last = [each and each["threads"] for each in found.values()]
            time.sleep(0.5 * env.SLOWER)
            found = {pid: samples.sample(pid) for pid in self.httpd.children()}
        return found

    def load(self):
        begin = restarted = time.monotonic()
        old = set()                     # the children of the generation before
        while (now := time.monotonic()) < begin + self.seconds:
            self.take(now - begin)
            # A restart that comes before the last one's children would leave none to accept.
            if now - restarted >= self.restart_seconds and \
                    now < begin + self.seconds - CALM_SECONDS and \
                    set(self.httpd.children()) - old:
                restarted, old = now, set(self.httpd.children())
                self.restart()
            self.look_at_health()
            if self.httpd.process.poll() is not None:
                self.problems.append("httpd has ended")
                return
            time.sleep(max(0.0, SAMPLE_SECONDS - (time.monotonic() - now)))

    def restart(self):
        try:
            self.httpd.graceful()
            self.restarts += 1
        except AssertionError as error:
            self.problems.append(str(error))

    def take(self, second):
        children = self.httpd.children()
        self.seen.update(children)
        found = samples.sample(self.httpd.pid)
        if found:
            self.parent.append((second, found["anon_kib"]))
        memory = [s["anon_kib"] for s in map(samples.sample, children) if s]
        if memory:
            self.of_children.append((second, sum(memory) / len(memory)))
            self.largest.append((second, max(memory)))

    def look_at_health(self):
        self.problems += self.httpd.health_problems()

    def end_load(self):
        for process in self.clients:
            self.problems += process.end()
        for load in self.h2loads:
            load.end()

    def allowed_threads(self):
        return max(found["threads"] for found in self.before.values() if found)

    def wait_for_quiet(self):
        """The old children end, and the threads that the others needed go."""
        def is_quiet():
            self.after = {pid: samples.sample(pid) for pid in self.httpd.children()}
            return len(self.after) <= CHILDREN and all(
                found and found["threads"] <= self.allowed_threads()
                for found in self.after.values())
        deadline = time.monotonic() + END_SECONDS * env.SLOWER
        while not is_quiet() and self.httpd.process.poll() is None:
            if time.monotonic() > deadline:
                self.problems.append(
                    "after the load there are children with so many threads: %s; allowed %d with %d"
                    % ({pid: found and found["threads"] for pid, found in self.after.items()},
                       CHILDREN, self.allowed_threads()))
                self.problems.append(self.httpd.stacks())
                return
            time.sleep(0.2)

    # -- the verdict --------------------------------------------------------------------------

    @property
    def counts(self):
        total = Counter()
        for process in self.clients:
            total.update(process.last["counts"])
        return total

    def judge(self):
        counts = self.counts
        if counts["failed"]:
            self.problems.append("%d honest requests or connections failed" % counts["failed"])
        if not counts["requests"] or not self.restarts:
            self.problems.append("no request or no restart")
        if env.sanitizer or len(self.parent) < 8:
            return
        first, last = samples.quarters(self.parent)
        if last > first + PARENT_RISE_KIB + PARENT_RISE_OF_RESTART_KIB * self.restarts:
            self.problems.append("the parent had %.0f KiB first and %.0f at last" % (first, last))
        most = max(value for _, value in self.largest)
        if most > CHILD_MAX_KIB:
            self.problems.append("a child had %.0f KiB" % most)
        half = [p for p in self.largest if self.seconds / 2 < p[0] < self.seconds - CALM_SECONDS]
        if self.seconds >= LONG_SECONDS and samples.rise(half) > CHILD_RISE_KIB:
            self.problems.append("the largest child rises by %.0f KiB" % samples.rise(half))

    def row(self):
        counts = self.counts
        done = sum(load.done for load in self.h2loads)
        missed = sum(load.missed for load in self.h2loads)

        def spans(points):
            if not points:
                return "-"
            return "%.1f-%.1f" % tuple(value / MIB_KIB for value in samples.quarters(points))
        threads = "%d-%d" % (max(f["threads"] for f in self.before.values() if f),
                             max([f["threads"] for f in self.after.values() if f], default=0))
        return dict(zip((name for name, _ in COLUMNS), (
            self.mpm, self.min_workers, self.restarts, len(self.seen), counts["requests"],
            counts["repeated"], counts["refused"], counts["failed"], counts["attacks"],
            "%d/%d" % (done, missed), spans(self.parent), spans(self.of_children), threads,
            "no" if self.problems else "yes")))

    def failures(self):
        return [text for process in self.clients for text in process.last["failures"]]


def say(text):
    print(text, flush=True)


def _line(values):
    return " ".join(str(value).rjust(width) for value, (_, width) in zip(values, COLUMNS))


def _arguments():
    parser = argparse.ArgumentParser(prog="stress", description=__doc__)
    parser.add_argument("seconds", type=float)
    parser.add_argument("--mpm", choices=("event", "worker"))
    parser.add_argument("--min-workers", type=int)
    return parser.parse_args()


def _stop(_signal, _frame):
    raise KeyboardInterrupt


def main():
    arguments = _arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
    plan = [(mpm, workers)
            for mpm in ([arguments.mpm] if arguments.mpm else ["event", "worker"])
            for workers in ([arguments.min_workers] if arguments.min_workers else
                            [1, MANY_WORKERS])]
    seconds = arguments.seconds / len(plan)
    restart_seconds = {"": 1, "asan": 1, "tsan": 2}[env.sanitizer]
    servers = Servers()
    servers.backend.server.handle_error = lambda *_: None   # it would print that clients vanish
    folder = env.build_dir() / "stress"
    folder.mkdir(exist_ok=True)
    say("%g s each; h2load: done/missed; memory and threads: first-last; a restart each %d s"
        % (seconds, restart_seconds))
    say(_line(name for name, _ in COLUMNS))
    phases, is_good = [], True
    try:
        for mpm, workers in plan:
            phase = Phase(servers, mpm, workers, seconds, restart_seconds)
            phase.run()
            phases.append(phase)
            say(_line(phase.row().values()))
            for text in phase.problems[:FAILURES_KEPT]:
                say("PROBLEM " + text)
            for text in phase.failures():
                say("FAILED " + text)
            for name in ("error.log", "stderr.log"):
                shutil.copy(phase.httpd.root / name, folder / ("%s-%d-%s" % (mpm, workers, name)))
            is_good = is_good and not phase.problems
    except KeyboardInterrupt:
        say("interrupted")
        is_good = False
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        servers.close()
    (folder / "result.json").write_text(json.dumps([dict(
        phase.row(), problems=phase.problems, failures=phase.failures(), parent_kib=phase.parent,
        children_kib=phase.of_children, largest_kib=phase.largest) for phase in phases],
        indent=1) + "\n")
    say(RULE)
    say("written: result.json and the logs in %s" % folder)
    say("verdict: " + ("yes, nothing is lost" if is_good else "no"))
    env.remove_scratch_dir()
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())

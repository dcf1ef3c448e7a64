# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Started by scripts/soak, which has the options; MOD_H2_SO, MOD_H2_BUILD and H2_HTTPD are set."""

import argparse
import csv
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections import Counter

import samples
from honest import FAILURES_KEPT
from kinds import Clients

import environment as env
from grpc_server import GrpcServer
from servers import SITE, VHOSTS, Servers
from websocket import Backend as WebSocketBackend

SAMPLE_SECONDS = 5
WARM_UP_SECONDS = 5 * 60        # of a run of at least SHORT_SECONDS; a quarter of a shorter one
SHORT_SECONDS = 8 * 60
MIB_KIB = 1024
SHORT_RISE_KIB = 4 * MIB_KIB
QUIET_SECONDS = 60

RULE = """The verdict looks at the samples from minute %g on. For each child:
 - memory (RssAnon): the least-squares line rises by no more than 1 MiB an hour, and in less than an
   hour by no more than 1 MiB; 4 MiB in a run of less than 8 minutes, which has hardly warmed up
 - descriptors: the median of the last quarter is at most 8 above that of the first quarter
 - threads: the same with 4; and a minute after the load none are left above those of an idle child
and the children stay the same, no honest request fails, the error log has no mark of a crash."""

GRPC = """
<VirtualHost *:{port_%s}>
    ServerName a.test
    Protocols h2 h2c
    %s
    ProxyPass / h2c://127.0.0.1:{grpc}/
</VirtualHost>
"""

CONFIG = SITE + """
Timeout 20
KeepAliveTimeout 8
H2MaxWorkers 48
H2MaxWorkerIdleSeconds 20
H2WebSockets on
ProxyPass /ws/ http://127.0.0.1:{ws}/ upgrade=websocket retry=0
Alias /pushing/ "{docroot}/pushing/"
<Location /pushing/>
    H2PushResource /files/1000.bin
    H2PushResource /files/65536.bin
    H2PushResource /cgi/hello
    H2PushResource /proxy/size/3000
</Location>
""" + VHOSTS


class Soak:
    def __init__(self, arguments):
        self.seconds = arguments.minutes * 60
        self.arguments = arguments
        self.folder = env.build_dir() / "soak"
        self.folder.mkdir(exist_ok=True)
        self.httpd = None
        self.children = []
        self.before, self.after = {}, {}    # samples of the children, without load
        self.rows = []                  # of the CSV
        self.minutes = []
        self.problems = []
        self.traffic = []
        self.servers = Servers()
        # Its handlers fail when clients vanish, and would print that.
        self.servers.backend.server.handle_error = lambda *_: None
        self.ws = WebSocketBackend()
        self.grpc = GrpcServer(self.servers.certs) if _has_grpc() else None
        pushing = self.servers.docroot / "pushing"
        pushing.mkdir()
        for page in range(3):
            (pushing / ("%d.html" % page)).write_text("<html><body>pushes</body></html>\n")
        pushing.chmod(0o755)

    # -- the way ------------------------------------------------------------------------------

    def run(self):
        self.start_server()
        self.before = {pid: samples.sample(pid) for pid in self.children}
        self.start_traffic()
        self.say("%7s %9s %7s %7s  %-22s %-13s %-12s %s" % (
            "minute", "requests", "failed", "repeat", "memory MiB (RssAnon)", "descriptors",
            "threads", "CPU % (httpd, clients)"))
        is_whole = self.watch()
        for process in self.traffic:
            self.problems += process.end()
        self.look_at_health()
        if is_whole:
            self.judge_quiet()
        return is_whole

    def start_server(self):
        config, ports, modules = CONFIG.replace("{ws}", str(self.ws.port)), ("tls", "clear"), []
        modules += ["proxy_wstunnel"] if env.has_module("proxy_wstunnel") else []
        if self.grpc:
            config += GRPC % ("tlsgrpc", "{tls}") + GRPC % ("grpc", "")
            config = config.replace("{grpc}", str(self.grpc.port))
            ports, modules = (*ports, "tlsgrpc", "grpc"), [*modules, "proxy_http2"]
        self.httpd = self.servers.new(
            "soak", self.arguments.mpm, config, modules=modules, ports=ports, servers=2,
            # The worker MPM needs a thread for each connection.
            threads=25 if self.arguments.mpm == "event" else 80).start()
        self.servers.add(self.httpd)
        self.children = self.httpd.children()

    def start_traffic(self):
        settings = dict(rate=self.arguments.rate, time_factor=env.SLOWER, grpc=None,
                        cert=str(self.servers.certs / "cert.pem"))
        for seed, port in enumerate(("tls", "clear")):
            self.traffic.append(Clients("traffic.py", address=self.httpd.address(port), tls=port == "tls",
                                        seed=seed, **settings))
        if self.grpc:
            for seed, port in enumerate(("tlsgrpc", "grpc")):
                self.traffic.append(Clients(
                    "traffic.py", **dict(settings, address=self.httpd.address(port), tls=port == "tlsgrpc",
                           seed=seed + 2, grpc=self.httpd.ports[port])))
        else:
            self.say("python3-grpcio is not there: no gRPC")

    def watch(self):
        """Samples until the time is over; false if something has ended before."""
        begin = time.monotonic()
        used = self.cpu()
        for number in range(1, int(self.seconds / SAMPLE_SECONDS) + 1):
            time.sleep(max(0.0, begin + number * SAMPLE_SECONDS - time.monotonic()))
            self.take(number * SAMPLE_SECONDS)
            if number * SAMPLE_SECONDS % 60 == 0:
                self.look_at_health()
                now = self.cpu()
                self.show_minute(number * SAMPLE_SECONDS // 60,
                                 [100 * (b - a) / 60 for a, b in zip(used, now)])
                used = now
            if self.httpd.process.poll() is not None or set(
                    self.httpd.children()) != set(self.children) or any(
                    process.process.poll() is not None for process in self.traffic):
                self.problems.append("httpd, a child or a process of clients ended in second %d"
                                     % (number * SAMPLE_SECONDS))
                return False
        return True

    def cpu(self):
        """Seconds of httpd with its CGIs, and of the clients with the back ends."""
        return (samples.cpu_seconds(self.httpd.pid) + sum(map(samples.cpu_seconds, self.everything())),
                sum(samples.cpu_seconds(p.process.pid) for p in self.traffic)
                + samples.cpu_seconds(os.getpid())
                + (samples.cpu_seconds(self.grpc.process.pid) if self.grpc else 0))

    def everything(self):
        """httpd's children, with the CGI daemon."""
        with open("/proc/%d/task/%d/children" % (self.httpd.pid, self.httpd.pid)) as file:
            return list(map(int, file.read().split()))

    def take(self, second):
        counts = self.counts()
        for pid in [self.httpd.pid, *self.children]:
            found = samples.sample(pid)
            if found:
                self.rows.append(dict(second=second, pid=pid,
                                      requests=counts["requests"], failed=counts["failed"], **found))

    def counts(self):
        total = Counter()
        for process in self.traffic:
            total.update(process.last["counts"])
        return total

    def show_minute(self, minute, cpu):
        recent = [row for row in self.rows if row["second"] > (minute - 1) * 60]
        def spans(field, factor=1.0, form="%g-%g"):
            texts = []
            for pid in self.children:
                values = [row[field] / factor for row in recent if row["pid"] == pid]
                texts.append(form % (min(values), max(values)) if values else "-")
            return " ".join(texts)
        counts = self.counts()
        line = "%7d %9d %7d %7d  %-22s %-13s %-12s %.0f, %.0f" % (
            minute, counts["requests"], counts["failed"], counts["repeated"],
            spans("anon_kib", MIB_KIB, "%.1f-%.1f"), spans("descriptors"), spans("threads"), *cpu)
        self.minutes.append(line)
        self.say(line)

    def look_at_health(self):
        self.problems += self.httpd.health_problems()

    # -- the verdict --------------------------------------------------------------------------

    @property
    def warm_up(self):
        return WARM_UP_SECONDS if self.seconds >= SHORT_SECONDS else self.seconds / 4

    def points(self, pid, field):
        return [(row["second"], row[field]) for row in self.rows
                if row["pid"] == pid and row["second"] >= self.warm_up]

    def judge(self):
        for pid in self.children:
            memory = self.points(pid, "anon_kib")
            if len(memory) < 4:
                self.problems.append("child %d: too few samples" % pid)
                continue
            rise = samples.rise(memory)
            allowed = MIB_KIB * max(1.0, (memory[-1][0] - memory[0][0]) / 3600)
            if self.seconds < SHORT_SECONDS:
                allowed = SHORT_RISE_KIB
            if rise > allowed:
                self.problems.append("child %d: memory rises by %.0f KiB, %.0f are allowed"
                                     % (pid, rise, allowed))
            for field, slack in (("descriptors", 8), ("threads", 4)):
                first, last = samples.quarters(self.points(pid, field))
                if last > first + slack:
                    self.problems.append("child %d: %g %s first, %g at last"
                                         % (pid, first, field, last))
        counts = self.counts()
        if counts["failed"]:
            self.problems.append("%d honest requests or connections failed" % counts["failed"])
        if not counts["requests"]:
            self.problems.append("no request was answered")

    def judge_quiet(self):
        """After the load the threads go; the descriptors that stay are pooled connections to back
        ends."""
        # an idle child has those of the start, or of H2MinWorkers
        def is_quiet():
            return all(found and found["threads"] <= self.before[pid]["threads"] + 1
                       for pid, found in self.now().items())
        deadline = time.monotonic() + QUIET_SECONDS * env.SLOWER
        while not is_quiet() and time.monotonic() < deadline:
            time.sleep(1)
        self.after = self.now()
        for pid in self.children:
            before, after = self.before[pid], self.after[pid]
            self.say("child %d before and after the load: %s" % (pid, ", ".join(
                "%s %s to %s" % (field, before[field], after[field]) for field in samples.FIELDS)))
        if not is_quiet():
            self.problems.append("threads stay after the load")

    def now(self):
        return {pid: samples.sample(pid) for pid in self.children}

    # -- output -------------------------------------------------------------------------------

    def report(self):
        counts = self.counts()
        self.say("")
        for pid in self.children:
            memory = self.points(pid, "anon_kib")
            values = [row["anon_kib"] for row in self.rows if row["pid"] == pid]
            if not memory:
                continue
            self.say("child %d, memory %.1f to %.1f MiB, line from minute %g on: %+.0f KiB"
                     % (pid, min(values) / MIB_KIB, max(values) / MIB_KIB, self.warm_up / 60,
                        samples.rise(memory)))
            for field in ("anon_kib", "descriptors", "threads"):
                self.say("    %-12s %s" % (field, samples.sparkline(
                    [row[field] for row in self.rows if row["pid"] == pid])))
        self.say(", ".join("%s %d" % item for item in sorted(counts.items())
                           if not item[0].startswith("steps")))
        self.say(RULE % (self.warm_up / 60))
        for problem in self.problems[:FAILURES_KEPT]:
            self.say("PROBLEM " + problem)
        for text in self.failures():
            self.say("FAILED " + text)
        self.write_files(counts)
        self.say("verdict: " + ("no" if self.problems else "yes, flat and without failures"))

    def failures(self):
        return [text for process in self.traffic for text in process.last["failures"]]

    def write_files(self, counts):
        with open(self.folder / "samples.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, ["second", "pid", "requests", "failed", *samples.FIELDS])
            writer.writeheader()
            writer.writerows(self.rows)
        result = dict(
            minutes=self.arguments.minutes, mpm=self.arguments.mpm, rate=self.arguments.rate,
            judged_from_second=self.warm_up, counts=counts, problems=self.problems,
            failures=self.failures(), parent=self.httpd.pid, children={
                pid: {"before": self.before.get(pid), "after": self.after.get(pid),
                      "rise_kib": samples.rise(self.points(pid, "anon_kib"))}
                for pid in self.children}, lines=self.minutes)
        (self.folder / "result.json").write_text(json.dumps(result, indent=1) + "\n")
        if self.httpd.error_log.exists():
            (self.folder / "error.log").write_text(self.httpd.errors())
        self.say("written: samples.csv, result.json, error.log in %s" % self.folder)

    @staticmethod
    def say(text):
        print(text, flush=True)

    def close(self):
        for process in self.traffic:
            process.kill()
        self.problems += self.servers.close()
        self.ws.close()
        if self.grpc:
            self.grpc.close()


def _has_grpc():
    return env.has_module("proxy_http2") and subprocess.run(
        [sys.executable, "-c", "import grpc.aio"], capture_output=True).returncode == 0


def _arguments():
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("minutes", type=float)
    parser.add_argument("--mpm", choices=("event", "worker"), default="event")
    parser.add_argument("--rate", type=float, default=1.0)
    arguments = parser.parse_args()
    if arguments.minutes * 60 < 6 * SAMPLE_SECONDS or arguments.rate <= 0:
        parser.error("half a minute at least, and a rate above 0")
    return arguments


def _stop(_signal, _frame):
    raise KeyboardInterrupt


def main():
    arguments = _arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
    soak = Soak(arguments)
    try:
        soak.run()
    except KeyboardInterrupt:
        soak.problems.append("interrupted")
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)   # all is to be stopped in any case
        soak.close()
    if soak.httpd is None:
        return 1
    soak.judge()
    soak.report()
    env.remove_scratch_dir()
    return 1 if soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())

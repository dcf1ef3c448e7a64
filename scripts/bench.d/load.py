"""One measurement: load on one server for one case."""

import os
import re
import resource
import subprocess
import sys
import time

import configs
from counters import Sample, connections
from events import measure_events
from placement import placed
from servers import Failed, which

# The window of measurement begins and ends this much inside the load.
_MARGIN_SECONDS = 0.1
_COUNTED_LIMIT_SECONDS = 90
_REQUESTS = re.compile(
    r"^requests: (\d+) total, (\d+) started, (\d+) done, (\d+) succeeded, (\d+) failed, "
    r"(\d+) errored, (\d+) timeout", re.M)
_STATUS = re.compile(r"^status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", re.M)
_HERE = os.path.dirname(os.path.abspath(__file__))


def _h2load(case, name, site, port, log, limits):
    scheme = "https" if case.tls else "http"
    base = f"{scheme}://127.0.0.1:{port}"
    command = [which("h2load"), "-t1", f"-c{case.clients}", f"-m{case.streams}",
               f"--tls13-ciphers={configs.TLS13_CIPHER}", "--groups=X25519",
               f"--log-file={log}", *limits]
    # Without a list of its own h2load takes HTTP/1.1 where the server refuses h2.
    command.append("--h1" if name == "h1" else "--npn-list=h2")
    for header in case.headers:
        command += ["-H", header]
    if case.upload:
        command += ["-d", site.upload_file(case.body_bytes)]
    if case.kind == "mix":
        return command + [f"{base}{case.path}"] * 9 + [f"{base}/slow"]
    return command + [f"{base}{case.path}"]


def _failures(output, case, name):
    """What h2load says went wrong, '' if nothing did."""
    protocol = "http/1.1" if name == "h1" else "h2" if case.tls else "h2c"
    if f"Application protocol: {protocol}\n" not in output:
        return f"not by {protocol}: " + " ".join(output.split()[-30:])
    if case.tls and f"Cipher: {configs.TLS13_CIPHER}\n" not in output:
        return f"not with {configs.TLS13_CIPHER}"
    requests, status = _REQUESTS.search(output), _STATUS.search(output)
    if not requests or not status:
        return "h2load: " + " ".join(output.split()[-30:])
    total, _started, done, _succeeded, failed, errored, timed_out = map(int, requests.groups())
    _ok, moved, client_error, server_error = map(int, status.groups())
    found = {"failed": failed, "errored": errored, "timed out": timed_out,
             "not done": total - done, "3xx": moved, "4xx": client_error, "5xx": server_error}
    # A failed one is also counted as errored: each word has its own number, none is a sum.
    words = [f"{count} {word}" for word, count in found.items() if count]
    return f"{', '.join(words)} of {total} requests" if words else ""


def _read_log(log):
    """[(end in s since the epoch, seconds it took, status)], in order of the ends."""
    rows = []
    try:
        with open(log) as f:
            for line in f:
                fields = line.split()
                start, status, took = int(fields[0]), int(fields[1]), int(fields[2])
                rows.append(((start + took) / 1e6, took / 1e6, status))
    except FileNotFoundError:
        pass
    return rows


def _percentile(ordered, percent):
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def _overlap(row, begin, end):
    """Which part of the request lies in the window: 0 to 1."""
    finish, took, _status = row
    start = finish - took
    if begin <= start and finish <= end:
        return 1.0
    inside = min(finish, end) - max(start, begin)
    return max(inside, 0.0) / took if took > 0 else 0.0


def _result(case, before, after, rows, begin, end, client_cpu, client_seconds):
    requests = sum(_overlap(row, begin, end) for row in rows)
    if requests <= 0:
        raise Failed("no request was answered in the time of the measurement")
    quick = [row for row in rows if case.kind != "mix" or row[2] == 200]
    times = sorted(took for finish, took, _status in quick if begin <= finish <= end)
    if not times:
        raise Failed("no request ended in the time of the measurement")
    units = requests * case.units_per_request
    cpu = after.cpu - before.cpu
    elapsed = end - begin
    client_share = client_cpu / client_seconds
    # What neither the server nor the client used (their own back ends and CGIs included).
    others = after.machine_busy - before.machine_busy - cpu - client_share * elapsed
    result = {
        "cpu_us": 1e6 * cpu / units,
        "rate": units / elapsed,
        # Those that ended: the same, but for requests that take longer than the measurement.
        "ended_rate": len(times) * case.units_per_request / elapsed,
        "p50_ms": 1e3 * _percentile(times, 50),
        "p99_ms": 1e3 * _percentile(times, 99),
        "switches": after.switches_since(before) / units,
        "requests": requests,
        "seconds": elapsed,
        "client_busy": client_share,
        "others_busy": max(0.0, others / elapsed),
        "in_flight": sum(took * _overlap(row, begin, end)
                         for row in rows for took in [row[1]]) / elapsed,
    }
    if before.pids != after.pids:
        result["error"] = f"processes changed from {before.pids} to {after.pids} (crash?)"
    return result


class _Client:
    """h2load as a process of ours that never outlives the measurement."""

    def __init__(self, command, cores=None):
        self._usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        self.started = time.time()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        preexec_fn=cores and (
                                            lambda: os.sched_setaffinity(0, cores)))

    def finish(self, limit):
        """(output, its CPU seconds, its wall seconds)"""
        try:
            output, _ = self.process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise Failed(f"not finished after {limit:.0f} s") from None
        finally:
            self.kill()
        seconds = time.time() - self.started
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = (usage.ru_utime + usage.ru_stime - self._usage.ru_utime - self._usage.ru_stime)
        return output, cpu, seconds

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def _sleep_until(moment):
    time.sleep(max(0.0, moment - time.time()))


def _measure_timed(case, server, site, seconds, cores):
    log = site.path("h2load.log")
    limits = ["-D", f"{int(seconds * 1000)}ms", "--warm-up-time",
              f"{int(case.warm_up_seconds * 1000)}ms"]
    client = _Client(_h2load(case, server.name, site, server.port(case), log, limits), cores)
    try:
        _sleep_until(client.started + case.warm_up_seconds + _MARGIN_SECONDS)
        before = Sample.take(server.pid)
        _sleep_until(client.started + case.warm_up_seconds + seconds - _MARGIN_SECONDS)
        after = Sample.take(server.pid)
        connected = connections(server.port(case))
        if time.time() > client.started + case.warm_up_seconds + seconds:
            connected = case.clients  # too late to tell: the load may be over
        output, cpu, wall = client.finish(seconds + 15)
    finally:
        client.kill()
    rows = _read_log(log)
    os.unlink(log)
    failures = _failures(output, case, server.name)
    if not rows:
        raise Failed(failures or "no request was answered")
    result = _result(case, before, after, rows, before.at, after.at, cpu, wall)
    if failures:
        result["error"] = failures
    elif connected < case.clients:
        # h2load says nothing of a connection that is closed in the warm-up.
        result["error"] = f"only {connected} of {case.clients} connections were left"
    else:
        stalled = _stall(result, case.clients * case.streams, after.at - rows[-1][0])
        if stalled:
            result["error"] = stalled
    return result


def _stall(result, wanted, silence):
    """h2load does not count requests that are unanswered when its time is over: what tells of
    them, '' if nothing does. wanted: how many it keeps under way; silence: seconds from the last
    answer to the end of the window."""
    p99 = 1e-3 * result["p99_ms"]
    if silence > max(0.2 * result["seconds"], 3 * p99):
        return f"no answer in the last {silence:.2f} s"
    # The log lacks what was under way at the end, and the time that the client takes for itself.
    expected = wanted * max(0.0, 1 - p99 / result["seconds"])
    quiet = result["client_busy"] < 0.7 and result["others_busy"] < 0.15
    if result["in_flight"] < (0.6 if quiet else 0.4) * expected:
        return (f"only {result['in_flight']:.1f} of {wanted} requests under way: "
                "some are never answered")
    return ""


def _measure_counted(case, server, site):
    log = site.path("h2load.log")
    port = server.port(case)
    relay = None
    if case.rtt_ms:
        relay, port = _start_relay(port, case.rtt_ms)
    client = None
    try:
        before = Sample.take(server.pid)
        client = _Client(_h2load(case, server.name, site, port, log, [f"-n{case.count}"]))
        output, cpu, wall = client.finish(_COUNTED_LIMIT_SECONDS)
        after = Sample.take(server.pid)
    finally:
        if client:
            client.kill()
        if relay:
            relay.kill()
            relay.wait()
    rows = _read_log(log)
    os.unlink(log)
    failures = _failures(output, case, server.name)
    if not rows:
        raise Failed(failures or "no request was answered")
    begin = min(finish - took for finish, took, _status in rows)
    if not case.upload:
        begin = client.started  # the handshakes are what is measured
    result = _result(case, before, after, rows, begin, rows[-1][0] + 1e-6, cpu, wall)
    if failures:
        result["error"] = failures
    return result


def _start_relay(port, rtt_ms):
    relay = subprocess.Popen([sys.executable, os.path.join(_HERE, "relay.py"), str(port),
                              str(rtt_ms / 2)], stdout=subprocess.PIPE, text=True)
    return relay, int(relay.stdout.readline())


def measure(case, server, site, seconds, first):
    """One measurement as a dict of figures; what went wrong is its "error". Raises Failed.
    first: nothing has been measured for this case on this server yet."""
    if case.kind == "events":
        figures = measure_events(case, server)
    elif case.kind == "counted":
        if first and not case.rtt_ms:
            _measure_counted(case, server, site)  # its warm-up
        figures = _measure_counted(case, server, site)
    else:
        with placed(case, server) as cores:
            figures = _measure_timed(case, server, site, seconds, cores)
    if not server.running():
        raise Failed(f"the server has ended: {server.log_tail(1)}")
    return figures

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""A real httpd of its own for the tests: started in the foreground, watched, stopped by its pid."""

import contextlib
import ctypes
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import environment as env
from environment import wait_until

BAD_LOG_MARKS = re.compile(
    r"AH00051|AH00052|AddressSanitizer|ThreadSanitizer|LeakSanitizer|runtime error:|core:crit"
    r"|exit signal|Assertion .* failed|AH00046|AH00047")

MPM_SETTINGS = """
StartServers {servers}
ServerLimit {server_limit}
<IfModule !mpm_prefork_module>
ThreadLimit {thread_limit}
ThreadsPerChild {threads}
MinSpareThreads 1
MaxSpareThreads {max_workers}
MaxRequestWorkers {max_workers}
</IfModule>
<IfModule mpm_prefork_module>
MinSpareServers {servers}
MaxSpareServers {servers}
MaxRequestWorkers {server_limit}
</IfModule>
MaxConnectionsPerChild {max_connections}
ListenBackLog 1024
<IfModule mpm_event_module>
AsyncRequestWorkerFactor {async_factor}
</IfModule>
"""

BASE = """
ServerName a.test
ServerRoot "{root}"
DefaultRuntimeDir "{root}/run"
PidFile "{root}/run/httpd.pid"
ErrorLog "{root}/error.log"
LogLevel info http2:{log_level} ssl:warn {more_levels}
DocumentRoot "{docroot}"
TypesConfig "{root}/mime.types"
CoreDumpDirectory "{root}"
GracefulShutdownTimeout 30
# The kernel is not to hold back connections without data: some tests send none.
AcceptFilter http none
AcceptFilter https none
{user}
LogFormat "%{{x-id}}i %I %O %B %D %>s %H \\"%r\\"" test
CustomLog "{root}/access.log" test
<Directory />
    Require all granted
    Options FollowSymLinks
    AllowOverride None
</Directory>
"""

BASE_MODULES = ["authz_core", "authz_host", "mime", "dir", "ssl", "log_config", "logio", "unixd"]
MIME_TYPES = """text/html html
text/plain txt
text/css css
text/javascript js
image/png png
application/octet-stream bin
text/event-stream sse
"""


def free_ports(count):
    """So many different ones."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


def _child_setup(nofile, cores):
    def setup():
        if cores:
            os.sched_setaffinity(0, cores)
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)      # PR_SET_PDEATHSIG: never outlive the tests
        if nofile:
            _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(nofile, hard), hard))
    return setup


class Httpd:
    """One server below the scratch folder.

    config      text with {root}, {docroot}, {certs} and {port_NAME} for each name in `ports`
    modules     names such as "rewrite" beyond the base ones; "http2" is always loaded
    """

    def __init__(self, name, mpm, config, docroot, modules=(), ports=("tls", "clear"), threads=32,
                 servers=1, server_limit=None, max_workers=None, nofile=None, more_levels="",
                 certs=None, async_factor=20, max_connections=0, is_stable=True, cores=None,
                 environment=None):
        self.name = name
        self.mpm = mpm
        self.root = env.scratch_dir() / name
        self.docroot = Path(docroot)
        self.certs = certs
        self.ports = dict(zip(ports, free_ports(len(ports))))
        self.modules = list(dict.fromkeys(["mpm_" + mpm, *BASE_MODULES, *modules]))
        self.nofile = nofile
        self.cores = cores              # that it may use; None: all
        self.environment = environment or {}
        self.process = None
        self.is_stable = is_stable      # its children are to stay the same
        self._known_children = None
        self._log_positions = {}
        self._stderr = None
        self.settings = dict(
            root=self.root, docroot=self.docroot, certs=certs, servers=servers, threads=threads,
            # room in the scoreboard for the H2Workers beside the MPM's threads
            thread_limit=threads + 32,
            async_factor=async_factor, max_connections=max_connections,
            server_limit=server_limit or servers, log_level=env.log_level, more_levels=more_levels,
            max_workers=max_workers or threads * (server_limit or servers),
            user="User www-data\nGroup www-data" if os.geteuid() == 0 else "",
            **{"port_" + k: v for k, v in self.ports.items()})
        self.config = config

    # -- files --------------------------------------------------------------------------------

    @property
    def config_file(self):
        return self.root / "httpd.conf"

    @property
    def error_log(self):
        return self.root / "error.log"

    @property
    def access_log(self):
        return self.root / "access.log"

    def write_config(self, extra=""):
        shutil.rmtree(self.root, ignore_errors=True)
        (self.root / "run").mkdir(parents=True)
        self.root.chmod(0o755)
        (self.root / "run").chmod(0o777)
        (self.root / "mime.types").write_text(MIME_TYPES)
        self.config_file.write_text(self._config_text() + extra)

    def _config_text(self):
        lines = []
        for name in self.modules:
            if not env.is_static(name):
                lines.append('LoadModule %s_module "%s"' % (
                    name, env.modules_dir() / ("mod_%s.so" % name)))
        lines.append('LoadModule http2_module "%s"' % env.module_so())
        lines += ["Listen 127.0.0.1:%d" % port for port in self.ports.values()]
        return "\n".join(lines) + (MPM_SETTINGS + BASE).format(**self.settings) + \
            expand(self.config, self.settings)

    def run(self, *args, extra=""):
        """httpd with these options and `extra` at the end of the configuration, until it ends:
        (exit code, output)."""
        self.write_config(extra)
        result = subprocess.run(self._command(*args), capture_output=True, text=True,
                                env=self._environment(), timeout=60)
        return result.returncode, result.stdout + result.stderr

    def check(self, extra=""):
        return self.run("-t", extra=extra)

    # -- process ------------------------------------------------------------------------------

    def _command(self, *args):
        return [str(env.httpd_binary()), "-d", str(self.root), "-f", str(self.config_file), *args]

    def _environment(self):
        return {**os.environ, **env.sanitizer_env(), "LC_ALL": "C", **self.environment}

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        for attempt in range(3):
            self.write_config()
            self._stderr = open(self.root / "stderr.log", "w+")
            self.process = subprocess.Popen(
                self._command("-DFOREGROUND"), stdin=subprocess.DEVNULL, stdout=self._stderr,
                stderr=self._stderr, env=self._environment(), start_new_session=True,
                preexec_fn=_child_setup(self.nofile, self.cores))
            wait_until(lambda: self.process.poll() is not None or self._is_up(), "httpd to start",
                       timeout=30)
            if self.process.poll() is None:
                break
            # a port that was free is another's now: take others
            if "could not bind" in self.stderr_text() and attempt < 2:
                self.ports = dict(zip(self.ports, free_ports(len(self.ports))))
                self.settings.update({"port_" + k: v for k, v in self.ports.items()})
                continue
            raise AssertionError("httpd did not start:\n" + self.stderr_text() + self.errors())
        self._known_children = self.children()
        return self

    def _is_up(self):
        # The ports are bound before; a try to connect would count as a connection.
        return "resuming normal operations" in self.errors() and \
            len(self.children()) >= self.settings["servers"]

    def stop(self, timeout=20):
        """Stops it the quick way; the seconds that this took."""
        started = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self._wait_end(timeout)
        self._stderr.close()
        return time.monotonic() - started

    def _wait_end(self, timeout):
        try:
            self.process.wait(timeout * env.SLOWER)
        except subprocess.TimeoutExpired:
            stacks = self.stacks()
            for pid in self.children() + [self.pid]:
                os.kill(pid, signal.SIGKILL)
            self.process.wait(10)
            raise AssertionError("httpd did not end in %d s\n%s" % (timeout, stacks))

    def stacks(self):
        """The children's stacks, where gdb is there."""
        if not shutil.which("gdb"):
            return ""
        out = ""
        for pid in self.children():
            out += subprocess.run(["gdb", "-p", str(pid), "-batch", "-ex", "thread apply all bt 12"],
                                  capture_output=True, text=True).stdout
        return out[-20000:]

    def graceful(self):
        """Graceful restart; returns when the new generation is there."""
        count = self.errors().count("resuming normal operations")
        self.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: self.errors().count("resuming normal operations") > count,
                   "the graceful restart")

    def graceful_stop(self):
        self.process.send_signal(signal.SIGWINCH)

    def children(self):
        """The pids of the server's children that serve connections. CGI daemons do not: they have
        one thread, or two with ThreadSanitizer's."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                after_name = Path("/proc", name, "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            state, parent, threads = after_name[0], int(after_name[1]), int(after_name[17])
            if parent == self.process.pid and state != "Z" and (
                    threads > 2 or self.mpm == "prefork"):
                found.append(int(name))
        return sorted(found)

    # -- what can be asked -----------------------------------------------------------------------

    def address(self, port="tls"):
        return ("127.0.0.1", self.ports[port])

    def url(self, path="/", port="tls", host=None):
        return "%s://%s:%d%s" % ("https" if port.startswith("tls") else "http",
                                 host or "127.0.0.1", self.ports[port], path)

    def errors(self):
        try:
            return self.error_log.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def new_errors(self):
        """What the error log and stderr got since the last call."""
        new = ""
        for path in (self.error_log, self.root / "stderr.log"):
            with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:
                file.seek(self._log_positions.get(path, 0))
                data = file.read()
                self._log_positions[path] = file.tell()
                new += data.decode("utf-8", "replace")
        return new

    def stderr_text(self):
        return (self.root / "stderr.log").read_text(errors="replace")

    def access_lines(self, request_id=None):
        """Lines of the access log, those with `x-id: request_id` if given."""
        try:
            lines = self.access_log.read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return []
        if request_id is None:
            return lines
        return [line for line in lines if line.startswith(request_id + " ")]

    def threads(self):
        """Number of threads of all children."""
        return sum(len(os.listdir("/proc/%d/task" % pid)) for pid in self.children())

    def resident_kib(self):
        """Resident memory of all children, without pages that are a file's."""
        total = 0
        for pid in self.children():
            status = Path("/proc/%d/status" % pid).read_text()
            total += int(re.search(r"RssAnon:\s+(\d+)", status).group(1))
        return total

    def cpu_seconds(self):
        """What all children have used of the processor."""
        total = 0
        for pid in self.children():
            fields = Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def descriptors(self):
        return sum(len(os.listdir("/proc/%d/fd" % pid)) for pid in self.children())

    # -- health ----------------------------------------------------------------------------------

    def health_problems(self):
        """What is wrong since the last call: marks in the log, children that came and went."""
        problems = [line for line in self.new_errors().splitlines() if BAD_LOG_MARKS.search(line)]
        if self.process.poll() is None:
            if self.is_stable and self.children() != self._known_children:
                problems.append("children changed from %s to %s"
                                % (self._known_children, self.children()))
                self._known_children = self.children()
        elif self.process.returncode != 0:
            problems.append("httpd ended with %s\n%s" % (self.process.returncode,
                                                         self.stderr_text()[-4000:]))
        return problems


def expand(text, settings):
    """Replaces {name} for the names in settings; other braces stay."""
    return re.sub(r"\{(\w+)\}", lambda m: str(settings.get(m.group(1), m.group(0))), text)

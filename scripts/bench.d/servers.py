"""Starting and stopping: each server is a process of ours, known by its pid."""

import atexit
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field

import configs
from counters import session_members
from scratch import free_ports

NAMES = ("ours", "mod_http2", "nginx", "h2o", "h1")
HTTPD_NAMES = ("ours", "mod_http2", "h1")
PACKAGES = {"httpd": "apache2", "nginx": "nginx", "h2o": "h2o"}
_PR_SET_PDEATHSIG = 1
_START_SECONDS = 20
_STOP_SECONDS = 8
_CRASH = re.compile(r"AH0005[12]|AH00060|AddressSanitizer|runtime error:|ThreadSanitizer|"
                    r"exited on signal")
_libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A server or a load that did not do what it should; the text says why."""


def which(*names):
    for name in names:
        found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if found:
            return found
    return None


@dataclass
class Tools:
    """What this machine has."""
    httpd: str
    modules_dir: str
    ours: str
    reference: str
    nginx: str = field(default_factory=lambda: which("nginx"))
    h2o: str = field(default_factory=lambda: which("h2o"))
    directives: list = field(default_factory=list)
    ours_directives: list = field(default_factory=list)

    def http2_module(self, name):
        """What an httpd of this name loads; None: nothing."""
        return {"ours": self.ours, "mod_http2": self.reference}.get(name)

    def missing(self):
        """{server name: why it cannot be measured}"""
        found = {}
        if not os.path.exists(self.ours):
            found["ours"] = f"no file {self.ours} (build it, or name it by --module)"
        if not os.path.exists(self.reference):
            found["mod_http2"] = f"no file {self.reference} (--reference names it)"
        for name in ("nginx", "h2o"):
            if not getattr(self, name):
                found[name] = f"not installed (apt-get install {PACKAGES[name]})"
        return found


def _apxs(variable):
    program = os.environ.get("APXS") or which("apxs", "apxs2")
    if not program:
        return ""
    return subprocess.run([program, "-q", variable], capture_output=True,
                          text=True).stdout.strip()


def add_tool_options(group, checkout):
    """The options that say where httpd and both modules are."""
    group.add_argument("--module", default=os.environ.get("MOD_H2_SO") or os.path.join(
        checkout, "build", "mod_http2.so"),
        help="our module; default $MOD_H2_SO, then build/mod_http2.so of this checkout")
    group.add_argument("--httpd", help="the httpd program; default from apxs, then PATH")
    group.add_argument("--modules-dir", help="httpd's modules; default from apxs")
    group.add_argument("--reference", help="httpd's own mod_http2.so; default in --modules-dir")


def find_tools(arguments, **directives):
    """Tools, from those options."""
    httpd = arguments.httpd or which(
        os.path.join(_apxs("SBINDIR"), _apxs("PROGNAME") or "apache2"), "apache2", "httpd")
    if not httpd:
        raise SystemExit("no httpd found (apt-get install apache2, or --httpd)")
    modules_dir = arguments.modules_dir or _apxs("LIBEXECDIR") or "/usr/lib/apache2/modules"
    return Tools(httpd=httpd, modules_dir=modules_dir, ours=os.path.abspath(arguments.module),
                 reference=arguments.reference or os.path.join(modules_dir, "mod_http2.so"),
                 **directives)


def version_line(command):
    """The first line that a program says; None: it says nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
        return (done.stdout + done.stderr).strip().splitlines()[0]
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return None


def _stop_with_parent():
    """Runs in the new process: should bench be killed, its servers end as well."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Server:
    """One running server. profile: see configs.py; other servers than httpd have only one."""

    def __init__(self, site, tools, name, profile="static", backend=0, prefix=(), options=(),
                 unprivileged=False):
        self.name = name
        self.profile = profile
        self.home = site.path(f"{name}-{profile}-{time.monotonic_ns()}")
        self._site = site
        self._tools = tools
        self._prefix = list(prefix)
        self._options = list(options)
        # Start as the server's user already, not only its children.
        self._user = site.user if unprivileged else None
        self._process = None
        os.makedirs(self.home)
        if site.user:
            os.chown(self.home, site.user.pw_uid, site.user.pw_gid)
        clear, tls, wide = free_ports(3)
        self.ports = {"clear": clear, "tls": tls}
        if name in HTTPD_NAMES:
            self.ports["wide"] = wide
        self._backend = backend

    @property
    def pid(self):
        return self._process.pid

    def port(self, case):
        return self.ports["tls" if case.tls else "wide" if case.wide_window else "clear"]

    def _configuration(self):
        """The text of the server's configuration."""
        site, tools, home = self._site, self._tools, self.home
        if self.name in HTTPD_NAMES:
            module = tools.http2_module(self.name)
            directives = [each for each in tools.directives
                          if module or not each.lower().startswith("h2")]
            if self.name == "ours":
                directives += tools.ours_directives
            return configs.httpd(site, home, self.profile, self.ports, tools.modules_dir, module,
                                 self._backend, directives)
        if self.name == "nginx":
            return configs.nginx(site, home, self.ports, self._backend)
        if self.name == "backend":
            # The first port is the only one.
            self.ports = {"clear": self.ports["clear"]}
            return configs.nginx_backend(site, home, self.ports["clear"])
        return configs.h2o(site, home, self.ports, self._backend)

    def _command(self):
        tools, home = self._tools, self.home
        conf = os.path.join(home, "server.conf")
        with open(conf, "w") as f:
            f.write(self._configuration())
        if self.name in HTTPD_NAMES:
            command = [tools.httpd, "-f", conf, "-d", home, *(self._options or ["-DFOREGROUND"])]
        elif self.name == "h2o":
            command = [tools.h2o, "-m", "worker", "-c", conf]
        else:
            command = [tools.nginx, "-p", home, "-e", f"{home}/error_log", "-c", conf]
        return self._prefix + command

    def start(self):
        with open(os.path.join(self.home, "output"), "wb") as output:
            self._process = subprocess.Popen(
                self._command(), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, preexec_fn=_stop_with_parent, cwd=self.home,
                user=self._user.pw_uid if self._user else None,
                group=self._user.pw_gid if self._user else None,
                extra_groups=[] if self._user else None)
        _running.append(self)
        deadline = time.monotonic() + _START_SECONDS * (10 if self._prefix else 1)
        for port in self.ports.values():
            while not self._accepts(port):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise Failed(f"{self.name} did not start: {self.log_tail()}")
                time.sleep(0.05)
        return self

    @staticmethod
    def _accepts(port):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def running(self):
        return self._process is not None and self._process.poll() is None

    def stop(self):
        if self in _running:
            _running.remove(self)
        if self.running():
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS * (10 if self._prefix else 1))
            except subprocess.TimeoutExpired:
                pass
        # What is left is stuck, or its parent has crashed.
        for pid in session_members(self.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self._process.wait()

    def log_tail(self, lines=3):
        """The last lines that the server said about itself."""
        said = []
        for name in ("output", "error_log"):
            try:
                with open(os.path.join(self.home, name), errors="replace") as f:
                    said += f.read().splitlines()[-lines:]
            except OSError:
                pass
        return " | ".join(said) or "it said nothing"

    def crashes(self):
        """Lines of the error log that tell of a dead child or a sanitizer's finding."""
        found = []
        for name in ("output", "error_log"):
            try:
                with open(os.path.join(self.home, name), errors="replace") as f:
                    found += [line.strip() for line in f if _CRASH.search(line)]
            except FileNotFoundError:
                pass
        return found


_running = []


@atexit.register
def stop_all():
    for server in list(_running):
        server.stop()


class Fleet:
    """The servers of a run, started when first needed."""

    def __init__(self, site, tools, wanted=NAMES):
        self.site = site
        self.tools = tools
        self.skipped = {name: why for name, why in tools.missing().items() if name in wanted}
        self.names = [name for name in NAMES if name in wanted and name not in self.skipped]
        self._servers = {}
        self._crashes = []

    def get(self, name, profile):
        if name in ("nginx", "h2o"):
            profile = "static"
        server = self._servers.get((name, profile))
        if server and not server.running():
            # The next measurement gets a new one.
            del self._servers[(name, profile)]
            server.stop()
            self._crashes += _crashes_of(server)
            raise Failed(f"{name} has ended: {server.log_tail(1)}")
        if not server:
            backend = self.backend_port() if name in ("nginx", "h2o") or profile == "apps" else 0
            server = Server(self.site, self.tools, name, profile, backend)
            self._servers[(name, profile)] = server.start()
        return server

    def backend_port(self):
        """A small fast HTTP/1.1 server behind the proxies: nginx, else a plain httpd."""
        if ("backend", "") not in self._servers:
            if self.tools.nginx:
                server = Server(self.site, self.tools, "backend")
            else:
                server = Server(self.site, self.tools, "h1", "apps", backend=9)
            self._servers[("backend", "")] = server.start()
        return self._servers[("backend", "")].ports["clear"]

    def crashes(self):
        """What all the servers' logs say of crashes."""
        return self._crashes + [line for server in self._servers.values()
                                for line in _crashes_of(server)]


def _crashes_of(server):
    return [f"{server.name}: {line}" for line in server.crashes()]

"""A server that is looked at: how it is started, spoken to, and told to begin anew."""

import os
import re
import signal
import time

import configurations
import servers
from backends import Backends
from scratch import free_ports
from wire import h2

TITLES = {"ours": "this module", "mod_http2": "httpd's own", "nginx": "nginx", "h2o": "h2o"}
NAMES = tuple(TITLES)
PORTS = ("clear", "tls", "hasty")
# What begins a graceful restart, or is its half that concerns open connections.
_RESTART_SIGNALS = {"ours": signal.SIGUSR1, "mod_http2": signal.SIGUSR1, "nginx": signal.SIGHUP,
                    "h2o": signal.SIGTERM}


class _Server(servers.Server):
    """With a configuration of ours instead of that for measuring."""

    def __init__(self, site, tools, name, backends):
        super().__init__(site, tools, name, "compare")
        self.ports = dict(zip(PORTS, free_ports(len(PORTS))))
        self._backends = backends

    def _configuration(self):
        if self.name == "nginx":
            return configurations.nginx(self._site, self.home, self.ports, self._backends)
        if self.name == "h2o":
            return configurations.h2o(self._site, self.home, self.ports, self._backends)
        return configurations.httpd(self._site, self.home, self.ports, self._tools, self.name,
                                    self._backends)


class Subject:
    def __init__(self, site, tools, name):
        self.name = name
        self.tools = tools
        self.backends = Backends(site)
        self._server = _Server(site, tools, name, self.backends)

    def start(self):
        self._server.start()

    def stop(self):
        if self._server.running():
            self._server.stop()
        self.backends.close()

    def restart_gracefully(self):
        os.kill(self._server.pid, _RESTART_SIGNALS[self.name])

    def address(self, port="clear"):
        return "127.0.0.1", self._server.ports[port]

    def client(self, port="clear", **options):
        tls = h2.Tls(sni="localhost") if port == "tls" else None
        options.setdefault("timeout", 5.0)
        return h2.Client(self.address(port), tls=tls, authority="localhost", **options)

    def log_line(self, path, timeout=3.0):
        """The access log's line for a path, as {name: value}; {}: there is none."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            for line in self._read("access_log").splitlines():
                if line.startswith(path + " "):
                    return dict(re.findall(r"(\w+)=(\S+)", line))
            time.sleep(0.05)
        return {}

    def _read(self, name):
        try:
            with open(os.path.join(self._server.home, name), errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def version(self):
        """The module's, or the server's."""
        if self.name in ("ours", "mod_http2"):
            found = re.search(r"mod_http2 \(v([^,)]+)", self._read("error_log"))
            return found.group(1) if found else "?"
        command = [self.tools.nginx, "-v"] if self.name == "nginx" else [self.tools.h2o, "-v"]
        found = re.search(r"\d[\w.]*", (servers.version_line(command) or "").replace("h2o", ""))
        return found.group() if found else "?"

    def crashes(self):
        return self._server.crashes()

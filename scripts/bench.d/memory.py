"""Memory of idle connections, and of streams that the client blocks, in a fresh server."""

import time

import configs
from counters import memory_kb, server_pids
from h2client import HEADERS, INITIAL_WINDOW_SIZE, Client, ConnectionLost, Http1Client
from servers import Failed, Server

CONNECTIONS = 1000
BLOCKED_CONNECTIONS = 20
BLOCKED_STREAMS = 50
# A new HTTP/1.1 connection without a request holds a thread of the MPM: fewer than there are.
_FRESH_HTTP1_CONNECTIONS = configs.THREADS - 16
_WARM_UP_REQUESTS = 200
_SETTLE_SECONDS = 1.5


class _Measurement:
    """Memory of the server above what it had before."""

    def __init__(self, server):
        self._server = server
        self._pids = server_pids(server.pid)
        self._before = self._now()

    def _now(self):
        time.sleep(_SETTLE_SECONDS)
        return memory_kb(self._pids)

    def per_item_kb(self, items):
        if server_pids(self._server.pid) != self._pids:
            raise Failed("processes changed (crash?)")
        rss, pss = self._now()
        return {"rss_kb": (rss - self._before[0]) / items,
                "pss_kb": (pss - self._before[1]) / items, "items": items}


def _warm_up(make_client):
    """What a server allocates once, at its first connections and requests, is no one's cost."""
    clients = [make_client() for _ in range(8)]
    for i in range(_WARM_UP_REQUESTS):
        clients[i % len(clients)].get("/1k.txt")
    for client in clients:
        client.close()


def _open(clients, make_client, count):
    while len(clients) < count:
        clients.append(make_client())


def _check_all(clients):
    lost = 0
    for client in clients:
        try:
            client.check_alive()
        except (ConnectionLost, OSError):
            lost += 1
    if lost:
        raise Failed(f"{lost} of {len(clients)} connections were closed by the server")


def _idle(server, tls, clients):
    """{"fresh": figures, "after a request": figures}"""
    http1 = server.name == "h1"

    def make_client():
        return (Http1Client if http1 else Client)(server.ports["tls" if tls else "clear"], tls)

    _warm_up(make_client)
    measurement = _Measurement(server)
    _open(clients, make_client, _FRESH_HTTP1_CONNECTIONS if http1 else CONNECTIONS)
    found = {}
    # A clear-text listener of httpd does not even accept before the first byte.
    if tls or not http1:
        found["fresh"] = measurement.per_item_kb(len(clients))
    for client in clients:
        client.get("/1k.txt")
    while len(clients) < CONNECTIONS:
        clients.append(make_client())
        clients[-1].get("/1k.txt")
    found["after a request"] = measurement.per_item_kb(len(clients))
    _check_all(clients)
    return found


def _blocked(server, tls, clients):
    """Streams whose response waits for the client's window."""
    port = server.ports["tls" if tls else "clear"]
    _warm_up(lambda: Client(port, tls))
    _open(clients, lambda: Client(port, tls, {INITIAL_WINDOW_SIZE: 0}), BLOCKED_CONNECTIONS)
    measurement = _Measurement(server)
    heads = 0
    for client in clients:
        client.send_requests("/10m.bin", BLOCKED_STREAMS)
    deadline = time.monotonic() + 5
    expected = BLOCKED_CONNECTIONS * BLOCKED_STREAMS
    while heads < expected and time.monotonic() < deadline:
        time.sleep(0.1)
        heads += sum(1 for client in clients
                     for kind, *_rest in client.receive() if kind == HEADERS)
    found = measurement.per_item_kb(expected)
    _check_all(clients)
    if heads < expected:
        found["note"] = f"only {heads} of {expected} responses had begun"
    return {"blocked stream": found}


_STATES = {_idle: ("fresh", "after a request"), _blocked: ("blocked stream",)}


def _measure_one(fleet, name, tls, how):
    clients = []
    backend = fleet.backend_port() if name in ("nginx", "h2o") else 0
    server = Server(fleet.site, fleet.tools, name, backend=backend)
    try:
        server.start()
        found = how(server, tls, clients)
        crashes = server.crashes()
        if crashes:
            raise Failed(crashes[0])
        return found
    except (ConnectionLost, OSError) as error:
        raise Failed(f"{error} (with {len(clients)} connections open)") from None
    finally:
        for client in clients:
            client.close()
        server.stop()


def measure_memory(fleet, say):
    """{row: {server name: figures or {"error": text}}}"""
    rows = {}
    for tls in (False, True):
        text = "TLS" if tls else "clear text"
        for name in fleet.names:
            for how in (_idle, _blocked):
                if how is _blocked and name == "h1":
                    continue
                say(f"memory: {text}, {name}, {how.__name__.strip('_')}")
                try:
                    for state, figures in _measure_one(fleet, name, tls, how).items():
                        rows.setdefault(f"{text}, {state}", {})[name] = figures
                except Failed as failed:
                    for state in _STATES[how]:
                        rows.setdefault(f"{text}, {state}", {})[name] = {"error": str(failed)}
    return rows

"""Server-sent events: many streams that each bring a few bytes a second."""

import select
import time

from counters import Sample
from h2client import DATA, Client, ConnectionLost
from servers import Failed

_SETTLE_SECONDS = 1.5
_MEASURE_SECONDS = 5.0


def _drain(clients, seconds):
    """Reads for so long; returns how many events came."""
    events = 0
    poll = select.poll()
    by_fd = {client.fileno(): client for client in clients}
    for fd in by_fd:
        poll.register(fd, select.POLLIN)
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        for fd, _event in poll.poll(left * 1000):
            events += sum(1 for kind, _flags, _stream, payload in by_fd[fd].receive()
                          if kind == DATA and payload)
    return events


def measure_events(case, server):
    clients = []
    try:
        for _ in range(case.clients):
            clients.append(Client(server.port(case), case.tls))
            clients[-1].send_requests(case.path, case.streams)
        _drain(clients, _SETTLE_SECONDS)
        before = Sample.take(server.pid)
        events = _drain(clients, _MEASURE_SECONDS)
        after = Sample.take(server.pid)
    except (ConnectionLost, OSError) as error:
        raise Failed(str(error)) from None
    finally:
        for client in clients:
            client.close()
    if not events:
        raise Failed("no event came")
    result = {"cpu_us": 1e6 * (after.cpu - before.cpu) / events,
              "rate": events / _MEASURE_SECONDS,
              "switches": after.switches_since(before) / events}
    expected = case.clients * case.streams * _MEASURE_SECONDS
    if events < 0.9 * expected:
        result["error"] = f"{events} of {expected:.0f} events came"
    return result

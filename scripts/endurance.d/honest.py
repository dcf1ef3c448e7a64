# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""A client that keeps to the rules, and checks every byte of each answer."""

import socket
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test" / "lib"))

from h2client import (INITIAL_WINDOW_SIZE, NO_ERROR, REFUSED_STREAM, Client, Tls,  # noqa: E402
                      WireClosed, WireTimeout)

FAILURES_KEPT = 20


class Failed(Exception):
    """An answer that is not what was asked for."""


class Tally:
    """What the threads of a process count, and the first failures as text."""

    def __init__(self):
        self._lock = threading.Lock()
        self.counts = Counter()
        self.failures = []

    def add(self, name, count=1):
        with self._lock:
            self.counts[name] += count

    def fail(self, text):
        with self._lock:
            self.counts["failed"] += 1
            if len(self.failures) < FAILURES_KEPT:
                self.failures.append("%s %s" % (time.strftime("%H:%M:%S"), text))

    def as_dict(self):
        with self._lock:
            return {"counts": dict(self.counts), "failures": list(self.failures)}


def check(stream, body=None, size=None, status=200):
    """Raises Failed if the answer is another one, or none."""
    if not stream.complete or stream.status != status:
        raise Failed("%r" % stream)
    if body is not None and stream.body != body:
        raise Failed("other content on %r" % stream)
    if size is not None and stream.received != size:
        raise Failed("%d bytes expected on %r" % (size, stream))


class Connection:
    """Connections one after the other: each is used for some requests and then closed.

    A request that the server has said not to have looked at, by GOAWAY or REFUSED_STREAM, is sent
    again on a new connection, as any browser does."""

    def __init__(self, address, is_tls, tally, time_factor=1, uses=200, **options):
        self._address = address
        self._tls = Tls() if is_tls else None
        self._tally = tally
        self._time_factor = time_factor
        self._uses = uses
        self._left = 0
        self._options = options
        self._client = None

    def open(self, **options):
        """A connection of the caller's own."""
        settings = dict(self._options, timeout=30.0, time_factor=self._time_factor, **options)
        return Client(self._address, tls=self._tls, **settings)

    def client(self):
        if self._client is not None:
            self._client.poll()
            if self._left <= 0 or self._client.closed or self._client.goaways:
                self.close()
        if self._client is None:
            self._client = self.open(window=1 << 20, settings={INITIAL_WINDOW_SIZE: 1 << 18})
            self._left = self._uses
            self._tally.add("connections")
        return self._client

    def close(self):
        if self._client is not None:
            self._client.close()
            self._client = None

    def answers(self, requests):
        """requests: (arguments of Client.request, function that checks the stream). All are sent
        at once; returns when each has its answer."""
        for _ in range(5):
            client = self.client()
            streams = [(client.request(**arguments), arguments, verify)
                       for arguments, verify in requests]
            self._left -= len(streams)
            try:
                client.wait(*(stream for stream, _, _ in streams))
            except WireClosed:
                pass                    # each stream is looked at below
            requests = []
            for stream, arguments, verify in streams:
                if may_repeat(client, stream):
                    requests.append((arguments, verify))
                    self._tally.add("repeated")
                else:
                    verify(stream)
                    self._tally.add("requests")
            if client.closed or client.goaways or requests:
                self.close()
            else:
                forget(client)
            if not requests:
                return
        raise Failed("refused again and again: %r" % (requests[0][0],))


def may_repeat(client, stream):
    """Has the server said that it did not, and will not, look at this request? (RFC 9113, 8.7)"""
    if stream.reset == REFUSED_STREAM:
        return True
    return bool(client.goaways) and not stream.ended and \
        stream.id > client.goaways[-1].last_stream_id


def forget(client):
    """Drops the history of a connection that has nothing open."""
    client.frames.clear()
    client.streams.clear()
    client.pushed.clear()
    client.pings.clear()


PROBLEMS = (Failed, AssertionError, OSError, socket.timeout, WireClosed, WireTimeout)
__all__ = ["Client", "Connection", "Failed", "NO_ERROR", "PROBLEMS", "Tally", "Tls", "check",
           "forget", "may_repeat"]

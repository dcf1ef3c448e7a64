# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""A client that keeps to the rules, and checks every byte of each answer."""

import contextlib
import sys
import threading
import time
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "test" / "lib"))

from h2client import (INITIAL_WINDOW_SIZE, REFUSED_STREAM, Client, Tls,  # noqa: E402
                      WireClosed)

FAILURES_KEPT = 20
TRIES = 50


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

    What the server has said not to have looked at, by GOAWAY or REFUSED_STREAM, is sent again on a
    new connection, as any browser does. With `is_restarted` the server may also refuse connections,
    or close them before its SETTINGS came."""

    def __init__(self, address, is_tls, tally, time_factor=1, uses=200, is_restarted=False):
        self._address = address
        self._tls = Tls() if is_tls else None
        self._tally = tally
        self._time_factor = time_factor
        self._uses = uses
        self._left = 0
        self._is_restarted = is_restarted
        self._client = None

    def open(self, **options):
        """A connection of the caller's own."""
        return Client(self._address, tls=self._tls, timeout=30.0, time_factor=self._time_factor,
                      **options)

    def client(self):
        if self._client is not None:
            self._client.poll()
            if self._left <= 0 or self._client.closed or self._client.goaways:
                self.close()
        if self._client is None:
            self._client = self._open_in_the_end()
            self._left = self._uses
            self._tally.add("connections")
        return self._client

    def _open_in_the_end(self):
        for _ in range(TRIES):
            try:
                return self.open(window=1 << 20, settings={INITIAL_WINDOW_SIZE: 1 << 18})
            except (OSError, WireClosed):
                if not self._is_restarted:
                    raise
                self._tally.add("refused")
                time.sleep(0.05)
        raise Failed("no connection in %d tries" % TRIES)

    def close(self):
        if self._client is not None:
            self._client.close()
            self._client = None

    def answers(self, requests):
        """requests: (arguments of Client.request, function that checks the stream). All are sent
        at once; returns when each has its answer."""
        for _ in range(TRIES):
            client = self.client()
            sent = [(self._send(client, arguments), arguments, verify)
                    for arguments, verify in requests]
            self._left -= len(sent)
            with contextlib.suppress(WireClosed):       # each stream is looked at below
                client.wait(*(stream for stream, _, _ in sent))
            requests = []
            for stream, arguments, verify in sent:
                if self._may_repeat(client, stream):
                    requests.append((arguments, verify))
                    self._tally.add("repeated")
                elif not stream.done:
                    raise Failed("no answer on %r; %s" % (stream, client.tail(20)))
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

    @staticmethod
    def _send(client, arguments):
        arguments = dict(arguments)
        body = arguments.pop("body")
        stream = client.request(end=body is None, **arguments)
        if body is not None:
            with contextlib.suppress(WireClosed):
                client.send_data(stream, body, end=True)
        return stream

    def _may_repeat(self, client, stream):
        """Has the server said that it did not, and will not, look at this request? (RFC 9113, 8.7)"""
        if stream.reset == REFUSED_STREAM:
            return True
        if stream.done:
            return False
        if client.goaways:
            return stream.id > client.goaways[-1].last_stream_id
        return self._is_restarted and client.closed and not client.peer_settings_frames


def forget(client):
    """Drops the history of a connection that has nothing open."""
    client.frames.clear()
    client.streams.clear()
    client.pushed.clear()
    client.pings.clear()


# What goes wrong on a connection; WireClosed and WireTimeout are among them.
PROBLEMS = (Failed, AssertionError, OSError)

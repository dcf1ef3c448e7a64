# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""A process of clients: a thread for each kind, each at a rate of its own.

    python3 PROGRAM JSON        {"address": [HOST, PORT], "tls": bool, "rate": FACTOR, "seed": N,
                                "time_factor": N} and what the program's kinds ask for

Writes a line of JSON with what it has counted each second; ends with its stdin. The other side of
that, in the process that starts it, is Clients."""

import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

from honest import PROBLEMS, Connection, Tally, check

import environment as env


class Clients:
    """A process of clients, and what it has counted last."""

    def __init__(self, program, **settings):
        self.last = {"counts": {}, "failures": []}
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name(program)), json.dumps(settings)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.last = json.loads(line)

    def end(self):
        """Lets it end what it does; what went wrong in that."""
        self.process.stdin.close()
        try:
            code = self.process.wait(120 * env.SLOWER)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return ["clients did not end"]
        self._reader.join(5)
        return ["clients ended with exit code %d" % code] if code else []

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


class Kind:
    """One sort of clients. `seconds` between two steps, when the rate is 1."""
    seconds = 1.0

    def __init__(self, settings, tally, number):
        self.address = tuple(settings["address"])
        self.is_tls = settings["tls"]
        self.settings = settings
        self.tally = tally
        self.random = random.Random(settings["seed"] * 100 + number)
        self.connection = Connection(self.address, self.is_tls, tally, settings["time_factor"],
                                     uses=self.random.randint(50, 300))

    def step(self):
        raise NotImplementedError

    def answer(self, path, method="GET", headers=(), data=None, **expected):
        self.answers([self.request(path, method, headers, data, **expected)])

    def answers(self, requests):
        self.connection.answers(requests)

    @staticmethod
    def request(path, method="GET", headers=(), data=None, **expected):
        return (dict(method=method, path=path, headers=headers, body=data),
                lambda stream: check(stream, **expected))

    def reset(self):
        """After a failure."""
        self.connection.close()


def run(kind, rate, ended):
    """Steps at its rate until the end. What could not be done in time is left out, not made up."""
    name = type(kind).__name__
    ended.wait(kind.random.random() * kind.seconds)
    while not ended.is_set():
        begin = time.monotonic()
        try:
            kind.step()
        except Exception as error:      # of any sort: gRPC has its own
            if not isinstance(error, PROBLEMS) and "grpc" not in type(error).__module__:
                kind.tally.fail("%s: %s %s" % (name, type(error).__name__, error))
                raise
            kind.tally.fail("%s: %s %s" % (name, type(error).__name__, str(error)[:1500]))
            kind.reset()
        kind.tally.add("steps of " + name)
        ended.wait(max(0.0, kind.random.uniform(0.5, 1.5) * kind.seconds / rate
                       - (time.monotonic() - begin)))


def main(choose_kinds):
    """Runs the kinds of clients that choose_kinds(settings) gives, until stdin ends."""
    settings = json.loads(sys.argv[1])
    tally, ended = Tally(), threading.Event()
    kinds = choose_kinds(settings)
    threads = [threading.Thread(target=run, daemon=True, args=(
        kind(settings, tally, number), settings["rate"], ended)) for number, kind in
        enumerate(kinds)]
    for thread in threads:
        thread.start()
    end = threading.Thread(target=sys.stdin.read, daemon=True)
    end.start()
    while end.is_alive():
        end.join(1)
        dead = [t for t in threads if not t.is_alive()]
        if dead:
            tally.fail("a thread of clients has ended")
            break
        print(json.dumps(tally.as_dict()), flush=True)
    ended.set()
    for thread in threads:
        thread.join(60 * settings["time_factor"])
        if thread.is_alive():
            tally.fail("a client did not end")
    print(json.dumps(tally.as_dict()), flush=True)


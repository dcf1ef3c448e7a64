# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""The honest client: asks for a small file and for a quick handler in turn, 200 times a second.

It is a process of its own, so that the attacker's Python does not slow it. Each line on its
standard input, "HOST PORT tls|clear", begins; the next line ends, and is answered by a line of JSON
with the requests that failed and the milliseconds that each took.
"""

import json
import os
import select
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from h2client import Client, Tls  # noqa: E402

PATHS = ("/files/1000.bin", "/h2test/write?n=100")
SIZES = (1000, 100)
REQUESTS_OF_A_CONNECTION = 100
LEAST = 101         # requests, however short the attack is: the slowest one is beyond the p99
PAUSE = 0.005


# Without a buffer: a line that waits in one is not seen by select().
commands = open(0, "rb", buffering=0)


def has_input():
    return bool(select.select([commands], [], [], 0)[0])


def attempt(client, i):
    """What was wrong with it; None: nothing."""
    stream = client.get(PATHS[i % 2])
    if stream.complete and stream.status == 200 and stream.received == SIZES[i % 2]:
        return None
    return "%s: %r" % (PATHS[i % 2], stream)


def waited_for_cpu():
    """Seconds that this thread was ready to run and did not."""
    with open("/proc/thread-self/schedstat") as file:
        return int(file.read().split()[1]) / 1e9


def connect(host, port, transport):
    client = Client((host, port), tls=Tls() if transport == "tls" else None)
    client.wait_settings()
    return client


def run(host, port, transport):
    milliseconds, failures, slowest_wait = [], [], 0
    client, left = None, 0          # requests that this connection is for
    while len(milliseconds) < LEAST or not has_input():
        try:
            if not left:
                if client:
                    client.close()
                client, left = connect(host, port, transport), REQUESTS_OF_A_CONNECTION
            waited, begun = waited_for_cpu(), time.perf_counter()
            problem = attempt(client, left)
            took = 1000 * (time.perf_counter() - begun)
            if took > max(milliseconds, default=0):
                slowest_wait = 1000 * (waited_for_cpu() - waited)
            milliseconds.append(took)
            left -= 1
        except (OSError, AssertionError) as error:
            problem, left = "%s: %s" % (type(error).__name__, error), 0
        if problem:
            failures.append(problem[:2000])
            if len(failures) > 5:
                break
        time.sleep(PAUSE)
    if client:
        client.close()
    commands.readline()
    return dict(failures=failures, milliseconds=milliseconds, slowest_wait=slowest_wait)


def main():
    if os.geteuid() == 0:       # what is measured is the server, not who gets the CPU here
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    for line in iter(commands.readline, b""):
        host, port, transport = line.decode().split()
        print(json.dumps(run(host, int(port), transport)), flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/python3
# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Keeps a server busy: load.py PORT (h2c on 127.0.0.1). Ends when the server does, or after
ten minutes, or with the process that has started it."""

import os
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))

from h2client import Client  # noqa: E402

PATHS = ("/files/1.bin", "/files/65537.bin", "/h2test/write?n=100000", "/h2test/sleep?ms=5")
LONGEST = 600


def visit(port, number):
    """A page's requests at once; each fifth of them is cancelled."""
    with Client(("127.0.0.1", port), window=1 << 24) as client:
        for _ in range(10):
            streams = [client.request("GET", PATHS[i % len(PATHS)], keep_body=False)
                       for i in range(20)]
            for stream in streams[number % 5::5]:
                client.send_reset(stream)
            client.wait(*[s for i, s in enumerate(streams) if i % 5 != number % 5])


def main():
    port, parent = int(sys.argv[1]), os.getppid()
    number, end = 0, time.monotonic() + LONGEST
    while os.getppid() == parent and time.monotonic() < end:
        try:
            visit(port, number)
        except ConnectionRefusedError:
            return
        except (AssertionError, OSError):
            pass
        number += 1


if __name__ == "__main__":
    main()

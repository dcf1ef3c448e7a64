# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Counters and gates that tests share with the handlers of mod_h2test."""

import itertools
import mmap
import shutil
import struct
from pathlib import Path

import environment as env

ENTRIES = 1024
NAME_SIZE = 32
FIELDS = ("running", "running_max", "started", "finished", "failed", "bytes_read",
          "bytes_written", "logged")
ENTRY_SIZE = NAME_SIZE + 8 * len(FIELDS)


class Counters:
    """The file `counters` and the gates in a folder (H2TestDir)."""

    def __init__(self, folder):
        self.folder = Path(folder)
        shutil.rmtree(self.folder, ignore_errors=True)      # gates of an earlier run
        self.folder.mkdir(parents=True)
        self.folder.chmod(0o755)
        path = self.folder / "counters"
        path.write_bytes(bytes(ENTRIES * ENTRY_SIZE))
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 0)
        self._numbers = itertools.count()
        self._in_use = []

    def new(self):
        number = next(self._numbers)
        assert number < ENTRIES, "too many counters"
        name = "t%d" % number
        offset = number * ENTRY_SIZE
        self.map[offset:offset + len(name)] = name.encode()
        self._in_use.append(Counter(self, name, offset))
        return self._in_use[-1]

    def release(self):
        """Opens all gates, so that no handler waits on after its test."""
        while self._in_use:
            self._in_use.pop().open_all()


class Counter:
    """What handlers with `tag=NAME` do: running, running_max, started, finished, failed (after an
    error on reading or writing), bytes_read, bytes_written, logged."""

    def __init__(self, counters, name, offset):
        self.name = name
        self._counters = counters
        self._offset = offset
        self._gates = {""}

    def __str__(self):
        return self.name

    def __getattr__(self, field):
        if field not in FIELDS:
            raise AttributeError(field)
        return struct.unpack_from(env.byte_order + "q", self._counters.map, self._offset + NAME_SIZE
                                  + 8 * FIELDS.index(field))[0]

    def __repr__(self):
        return "%s(%s)" % (self.name, ", ".join("%s=%d" % (f, getattr(self, f)) for f in FIELDS))

    def gate(self, suffix=""):
        """The name of a gate of this counter's own; a handler with several adds -0, -1, ..."""
        self._gates.add(str(suffix))
        return self.name + str(suffix)

    def open(self, suffix=""):
        (self._counters.folder / (self.name + str(suffix) + ".gate")).touch()

    def open_all(self):
        for gate in self._gates:
            self.open(gate)
            for number in range(10):
                self.open("%s-%d" % (gate, number))

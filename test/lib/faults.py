# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Faults of the system that a test lets a server meet: see test/modules/faults.c."""

import mmap
import struct

import environment as env

FIELDS = ("thread_first", "thread_all", "disk_full", "no_mmap", "clock_usec", "fork_usec",
          "thread_failed", "disk_failed", "mmap_failed")


class Faults:
    """The attributes in FIELDS are what the library in a server's processes looks at; the last
    three say how often a call has failed by it."""

    def __init__(self, path):
        path.write_bytes(bytes(8 * len(FIELDS)))
        with open(path, "r+b") as file:
            object.__setattr__(self, "map", mmap.mmap(file.fileno(), 0))
        object.__setattr__(self, "path", path)

    def __getattr__(self, field):
        if field not in FIELDS:
            raise AttributeError(field)
        return struct.unpack_from("=q", self.map, 8 * FIELDS.index(field))[0]

    def __setattr__(self, field, value):
        struct.pack_into("=q", self.map, 8 * FIELDS.index(field), int(value))

    def clear(self):
        for field in FIELDS:
            setattr(self, field, 0)

    @property
    def environment(self):
        """For a server whose processes are to have the library; a sanitizer's comes before it."""
        libraries = [env.sanitizer_library(), str(env.test_library("faults"))]
        return {"LD_PRELOAD": " ".join(filter(None, libraries)), "H2_FAULTS": str(self.path)}

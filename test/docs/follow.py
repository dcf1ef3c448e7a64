#!/usr/bin/python3
# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Follows a page in a room and shows all that comes, with the time that it took: for writing pages.

Usage: MOD_H2_SO=.../mod_http2.so test/docs/follow.py PAGE.md"""

import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(HERE), str(HERE.parent / "lib")]

import environment as env  # noqa: E402
import furniture  # noqa: E402
import page as pages  # noqa: E402
from follower import Follower, Wrong  # noqa: E402
from room import Room, TookTooLong  # noqa: E402


class Shown:
    """A room that shows what is done in it."""

    def __init__(self, room):
        self.room = room

    def __getattr__(self, name):
        return getattr(self.room, name)

    def run(self, command, user="root", timeout=20):
        began = time.monotonic()
        try:
            status, output = self.room.run(command, user, timeout)
        except TookTooLong as error:
            status, output = None, str(error)
            raise
        finally:
            print("%s %s\n%s    [%s, %.1f s]" % ("#" if user == "root" else "$", command, output,
                                               status, time.monotonic() - began), flush=True)
        return status, output


def main(path):
    text = Path(path).read_text()
    with tempfile.TemporaryDirectory() as folder:
        furniture.prepare(Path(folder, "prepared"), env.module_so(), [text])
        with Room(Path(folder, "prepared"), Path(folder, "room")) as room:
            Follower(Shown(room), path).follow(pages.blocks_of(text))


if len(sys.argv) != 2:
    sys.exit(__doc__)
try:
    main(sys.argv[1])
except (Wrong, pages.BadPage) as error:
    sys.exit("---- WRONG ----\n%s" % error)

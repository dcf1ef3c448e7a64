"""Which cores a server and its client run on."""

import contextlib
import os

from counters import server_pids


def _place(pid, cores):
    for tid in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(tid), cores)


@contextlib.contextmanager
def placed(case, server):
    """The cores for the client of this case, None: any; meanwhile the server keeps to the others.

    One stream is one thread at either end, and whether the kernel puts these on one core or on
    two halves or doubles every figure, as it likes. So the client of a single stream gets a core
    of its own, as if it were another machine."""
    cores = os.sched_getaffinity(0)
    if case.clients * case.streams > 1 or case.kind != "timed" or len(cores) < 2:
        yield None
        return
    pids = server_pids(server.pid)
    client = {max(cores)}
    try:
        for pid in pids:
            _place(pid, cores - client)
        yield client
    finally:
        for pid in pids:
            with contextlib.suppress(FileNotFoundError):
                _place(pid, cores)

"""What the kernel counts for a server's processes: CPU time, context switches, memory."""

import os
import re
import time
from dataclasses import dataclass

_SWITCHES = re.compile(rb"^voluntary_ctxt_switches:\s+(\d+)", re.M)
_CPUCLOCK_SCHED = 2


_PPID, _SESSION = 1, 3


def children(pid):
    """The pids whose parent is pid."""
    return _processes_with(_PPID, pid)


def session_members(pid):
    """The pids of the session that pid leads, or has led: its children also when it is dead."""
    return _processes_with(_SESSION, pid)


def _processes_with(index, value):
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as f:
                # The name in parentheses may hold anything; state, ppid, group, session follow.
                if int(f.read().rpartition(b")")[2].split()[index]) == value:
                    found.append(int(entry))
        except OSError:
            pass
    return found


def server_pids(pid):
    """The server: its first process and that one's children. CGI programs are children of
    mod_cgid's process, one level further down, and are nobody's cost here."""
    return sorted([pid, *children(pid)])


def cpu_seconds(pid):
    """User and system time of all threads of a process, those that have ended included, in
    nanosecond steps: the process's CPU clock (clock_getcpuclockid(3)); /proc/PID/stat has 10 ms."""
    try:
        return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)
    except OSError:
        pass
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            fields = f.read().rpartition(b")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0


def _switches(pid):
    """Voluntary context switches of each thread."""
    found = {}
    try:
        tids = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for tid in tids:
        try:
            with open(f"/proc/{pid}/task/{tid}/status", "rb") as f:
                match = _SWITCHES.search(f.read())
                found[tid] = int(match.group(1)) if match else 0
        except OSError:
            pass
    return found


def _machine_busy_seconds():
    with open("/proc/stat") as f:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(
            int, f.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def connections(port):
    """How many established connections a server on this port of 127.0.0.1 has."""
    local = f"0100007F:{port:04X}"
    with open("/proc/net/tcp") as f:
        return sum(1 for line in f if line.split()[1] == local and line.split()[3] == "01")


@dataclass
class Sample:
    at: float  # seconds since the epoch
    pids: list
    cpu: float
    switches: dict
    machine_busy: float

    @classmethod
    def take(cls, pid):
        pids = server_pids(pid)
        switches = {}
        for each in pids:
            switches.update(_switches(each))
        return cls(switches=switches, pids=pids, machine_busy=_machine_busy_seconds(),
                   cpu=sum(cpu_seconds(each) for each in pids), at=time.time())

    def switches_since(self, earlier):
        """A thread that ended in between is missing: its last count is gone with it."""
        return sum(count - earlier.switches.get(tid, 0) for tid, count in self.switches.items())


def memory_kb(pids):
    """(RSS, PSS) of the processes together."""
    rss = pss = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup") as f:
            for line in f:
                if line.startswith("Rss:"):
                    rss += int(line.split()[1])
                elif line.startswith("Pss:"):
                    pss += int(line.split()[1])
    return rss, pss

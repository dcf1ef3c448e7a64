"""What the profiles of H2TuningProfile cost and bring: requests, times and memory with 100, 1000
and 2000 clients, by three loads that lean on what the profiles set."""

import os
from dataclasses import replace

from cases import MIB, Case
from counters import children
from load import measure
from servers import Failed, Server

PROFILES = ("none", "conservative", "balanced", "high-concurrency")
CLIENTS = (100, 1000, 2000)
LOADS = {
    # what they set does not matter: the price of having it
    "files": Case("files", "1 KiB file, 10 streams each", streams=10),
    # a thread for each request that runs: H2MaxWorkers
    "slow": Case("slow", "handler that sleeps for 50 ms, 1 stream each", path="/slow",
                 profile="apps"),
    # what a client may send ahead: H2WindowSize
    "upload": Case("upload", "256 KiB to a back end, 1 stream each", path="/be/sink", upload=True,
                   body_bytes=MIB // 4, profile="apps"),
}


def _peak_kb(server):
    """The most resident memory that the server's largest process has had."""
    most = 0
    for pid in children(server.pid):
        with open(f"/proc/{pid}/status") as f:
            most = max(most, *(int(line.split()[1]) for line in f if line.startswith("VmHWM:")))
    return most


def _measure_one(fleet, case, name, seconds):
    directives = [] if name == "none" else [f"H2TuningProfile {name}"]
    tools = replace(fleet.tools, ours_directives=[*fleet.tools.ours_directives, *directives])
    backend = fleet.backend_port() if case.profile == "apps" else 0
    server = Server(fleet.site, tools, "ours", case.profile, backend)
    try:
        server.start()
        # The connections are to be there before the measurement.
        ready = replace(case, warm_up_seconds=0.5 + case.clients / 1000)
        figures = measure(ready, server, fleet.site, seconds, first=True)
        figures["peak_mb"] = _peak_kb(server) / 1024
        crashes = server.crashes()
        if crashes:
            raise Failed(crashes[0])
        return figures
    finally:
        server.stop()


def measure_profiles(fleet, seconds, say):
    """{"load, profile": {clients: figures or {"error": text}}}"""
    rows = {}
    if "ours" not in fleet.names:
        return rows
    for load, case in LOADS.items():
        if case.path == "/slow" and not os.path.exists(f"{fleet.tools.modules_dir}/mod_lua.so"):
            say("profiles: no mod_lua, so no slow handler")
            continue
        for name in PROFILES:
            found = rows.setdefault(f"{load}, {name}", {})
            for clients in CLIENTS:
                say(f"profiles: {load}, {name}, {clients} clients")
                try:
                    found[str(clients)] = _measure_one(fleet, replace(case, clients=clients), name,
                                                       seconds)
                except Failed as failed:
                    found[str(clients)] = {"error": str(failed)}
    return rows

"""What it costs that somebody looks: instructions per request with the status page in use."""

import contextlib
import os
import re
import socket
import subprocess
import time
import urllib.request
from dataclasses import replace

from instructions import FEW, MANY, TOTALS, command_of, server_of
from servers import Failed, Server, which

# How often the page reads itself again, and how many readings are measured.
PAGE_SECONDS = 2
READINGS = 8
# A client that says nothing after its empty SETTINGS.
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_RATE = re.compile(r"([\d.]+) req/s")
_DIRECTIVES = ["ExtendedStatus On", '<Location "/http2-status">', "    SetHandler http2-status",
               "</Location>"]


def _fleet_tools(fleet):
    return replace(fleet.tools, ours_directives=[*fleet.tools.ours_directives, *_DIRECTIVES])


def _count(server, requests, path, readings):
    """callgrind's count for so many requests, and for so many readings of a page afterwards, while a
    connection is open, as loops report only what they have."""
    out = os.path.join(server.home, "callgrind.out")
    port = server.ports["clear"]
    server.start()
    try:
        done = subprocess.run(command_of("ours", server, False, 100, requests),
                              capture_output=True, text=True, timeout=240)
        if f"{requests} succeeded" not in done.stdout:
            raise Failed("h2load: " + " ".join(done.stdout.split()[-40:]))
        with contextlib.closing(socket.create_connection(("127.0.0.1", port))) as client:
            client.sendall(_PREFACE)
            for _ in range(readings):
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60).read()
                time.sleep(1)  # what a loop reports once a second belongs to it
    finally:
        server.stop()
    with open(out) as f:
        return int(TOTALS.findall(f.read())[-1])


def _rate(fleet, tools):
    """Requests per second of the same server without callgrind, one connection."""
    server = Server(fleet.site, tools, "ours")
    server.start()
    try:
        done = subprocess.run(command_of("ours", server, False, 100, 100000),
                              capture_output=True, text=True, timeout=240)
        return float(_RATE.search(done.stdout).group(1))
    except AttributeError:
        raise Failed("h2load: " + " ".join(done.stdout.split()[-40:])) from None
    finally:
        server.stop()


def measure_status(fleet, say):
    """{row: {"page": instructions, "request": instructions, "rate": requests a second}}"""
    if not which("valgrind"):
        raise SystemExit("bench: --status needs valgrind (apt-get install valgrind)")
    tools = _fleet_tools(fleet)
    rows = {}
    say("status: requests a second")
    rate = _rate(fleet, tools)
    say("status: instructions of requests")
    few, many = (_count(server_of(fleet.site, tools, "ours"), n, "", 0) for n in (FEW, MANY))
    for row, path in (("page", "/http2-status"), ("JSON", "/http2-status?json"),
                      ("metrics", "/http2-status?metrics")):
        say(f"status: instructions of the {row}")
        read = _count(server_of(fleet.site, tools, "ours"), FEW, path, READINGS)
        rows[row] = {"page": (read - few) / READINGS, "request": (many - few) / (MANY - FEW),
                     "rate": rate}
    return rows

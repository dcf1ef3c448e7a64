"""Instructions per request: callgrind's count for many requests less that for few."""

import os
import re
import subprocess

import configs
from servers import Failed, Server, which

FEW, MANY = 500, 2500
_LIMIT_SECONDS = 240
TOTALS = re.compile(r"^(?:totals|summary): (\d+)", re.M)


def server_of(site, tools, name):
    """A server under callgrind, which writes its file when the server, no longer root, ends."""
    return Server(site, tools, name, options=["-X"], unprivileged=True,
                  prefix=[which("valgrind"), "--tool=callgrind", "-q", "--vgdb=no",
                          "--callgrind-out-file=callgrind.out"])


def command_of(name, server, tls, streams, requests):
    """h2load with so many requests on one connection."""
    scheme = "https" if tls else "http"
    port = server.ports["tls" if tls else "clear"]
    command = [which("h2load"), "-t1", "-c1", f"-m{streams}", f"-n{requests}",
               f"--tls13-ciphers={configs.TLS13_CIPHER}", "--groups=X25519",
               f"{scheme}://127.0.0.1:{port}/1k.txt"]
    return command + ["--h1"] if name == "h1" else command


def _run(fleet, name, tls, streams, requests):
    server = server_of(fleet.site, fleet.tools, name)
    out = os.path.join(server.home, "callgrind.out")
    server.start()
    try:
        done = subprocess.run(command_of(name, server, tls, streams, requests),
                              capture_output=True, text=True, timeout=_LIMIT_SECONDS)
        if f"{requests} succeeded" not in done.stdout:
            raise Failed("h2load: " + " ".join(done.stdout.split()[-40:]))
    except subprocess.TimeoutExpired:
        raise Failed(f"h2load was not done after {_LIMIT_SECONDS} s") from None
    finally:
        server.stop()
    if not os.path.exists(out):
        raise Failed(f"callgrind wrote no file: {server.log_tail()}")
    with open(out) as f:
        counts = TOTALS.findall(f.read())
    if not counts:
        raise Failed("callgrind's file has no totals")
    return int(counts[-1])


def measure_instructions(fleet, say):
    """{row: {server name: {"instructions": n} or {"error": text}}}"""
    if not which("valgrind"):
        raise SystemExit("bench: --instructions needs valgrind (apt-get install valgrind)")
    rows = {}
    for tls in (False, True):
        for streams in (100, 1):
            row = f"{'TLS' if tls else 'clear text'}, m{streams}"
            for name in fleet.names:
                if name in ("nginx", "h2o"):
                    continue
                say(f"instructions: {row}, {name}")
                try:
                    few, many = (_run(fleet, name, tls, streams, n) for n in (FEW, MANY))
                    found = {"instructions": (many - few) / (MANY - FEW)}
                except Failed as failed:
                    found = {"error": str(failed)}
                rows.setdefault(row, {})[name] = found
    return rows

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""The example applications of docs/examples do what they are there to show."""

import subprocess
import sys

import pytest

import environment as env
from servers import SITE, VHOSTS

SHOWCASE = env.CHECKOUT / "docs" / "examples" / "showcase"

CONFIG = SITE + """
Define APP_SOCKET "%(socket)s"
Include "%(showcase)s/app.conf"
""" + VHOSTS.replace("%", "%%")


@pytest.fixture(scope="module")
def application():
    """The path of the socket where it listens."""
    socket = env.scratch_dir() / "showcase.socket"
    process = subprocess.Popen([sys.executable, str(SHOWCASE / "app.py"), "--unix", str(socket)])
    try:
        env.wait_until(lambda: process.poll() is not None or socket.exists(), "the application")
        yield socket
    finally:
        process.terminate()
        process.wait(10)


def test_the_showcase_passes_its_checks(servers, application, mpm, transport):
    server = servers.get("examples", mpm, CONFIG % {"socket": application, "showcase": SHOWCASE},
                         ports=("tls", "clear"))
    result = subprocess.run(
        [sys.executable, str(SHOWCASE / "check.py"), server.url("/app/", transport)],
        capture_output=True, text=True, timeout=120 * env.SLOWER)
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.endswith("7 passed, 0 failed\n")

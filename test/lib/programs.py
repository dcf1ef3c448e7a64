# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Other people's programs as clients: where they are, and how a test runs them."""

import os
import shutil
import subprocess
import tempfile

import pytest

import environment as env


def tool(*names):
    """The path of a program; where it is missing the test is skipped, but not in CI."""
    for name in names:
        path = shutil.which(name, path=env.SYSTEM_PATH)
        if path:
            return path
    if os.environ.get("CI"):
        pytest.fail("%s is not installed" % names[0])
    pytest.skip("%s is not installed" % names[0])


def run(*command, timeout=60, **options):
    result = subprocess.run(command, capture_output=True, text=True, timeout=timeout * env.SLOWER,
                            **options)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    return result.stdout


def load_page(chromium, url, *options):
    """The page's content when all is loaded. Unless there are options,
    Chromium's clock stands still while it waits for the network, and runs fast otherwise."""
    # A folder of its own: where the build folder's path is long, Chromium's sockets do not fit.
    with tempfile.TemporaryDirectory() as folder:
        return run(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
                   "--disable-dev-shm-usage", "--ignore-certificate-errors", "--no-first-run",
                   "--disable-background-networking", "--disable-component-update",
                   "--user-data-dir=" + folder, *(options or ["--virtual-time-budget=20000"]), url,
                   env={**os.environ, "HOME": folder})

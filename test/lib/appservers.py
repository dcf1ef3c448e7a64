# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Application servers that Debian has, as processes of the tests: uwsgi and gunicorn."""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess

import pytest

import environment as env
from httpd import free_ports


def end_with_us():
    """For Popen's preexec_fn: the process ends when the tests do, in whatever way."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)      # PR_SET_PDEATHSIG


def _is_listening(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class AppServer:
    """A command that listens at `ports`, a dictionary by name."""

    def __init__(self, program, folder, port_names, arguments):
        path = shutil.which(program, path=env.SYSTEM_PATH)
        if not path:
            pytest.skip("%s is not installed" % program)
        self.ports = dict(zip(port_names, free_ports(len(port_names))))
        self.log = folder / (program + ".log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([path, *arguments(self.ports)], cwd=folder, stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL,
                                            preexec_fn=end_with_us,
                                            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
        env.wait_until(lambda: all(map(_is_listening, self.ports.values())), program)

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def uwsgi(folder, application):
    """Runs the file `application` for the protocols fastcgi, scgi and uwsgi."""
    return AppServer("uwsgi-core", folder, ("fastcgi", "scgi", "uwsgi"), lambda ports: [
        "--plugin", "python3", "--die-on-term", "--need-app", "--threads", "16",
        *[word for name, port in ports.items()
          for word in ("--%s-socket" % name, "127.0.0.1:%d" % port)],
        "--wsgi-file", str(application)])


def gunicorn(folder, application, arguments=()):
    """Runs MODULE:NAME of the folder."""
    return AppServer("gunicorn", folder, ("http",), lambda ports: [
        "--bind", "127.0.0.1:%d" % ports["http"], "--worker-class", "gthread", "--threads", "8",
        "--no-sendfile", *arguments, application])

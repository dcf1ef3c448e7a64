# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""scripts/h2top shows what the server's status says, and goes on whatever becomes of the server."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

import pytest

import environment as env
from connections import open_client
from environment import wait_until
from h2client import CANCEL
from httpd import free_ports
from servers import SITE, VHOSTS

H2TOP = env.CHECKOUT / "scripts" / "h2top"
CONFIG = SITE + """
<Location /h2-status>
    SetHandler http2-status
</Location>
<Location /forbidden>
    SetHandler http2-status
    Require all denied
</Location>
<Location /guarded>
    SetHandler http2-status
    AuthType Basic
    AuthName "status"
    AuthUserFile "{docroot}/auth.passwd"
    Require valid-user
</Location>
""" + VHOSTS


@pytest.fixture
def server(servers, mpm):
    return servers.get("h2top", mpm, CONFIG, ports=("tls", "clear"))


def h2top(*args, **environment):
    """(exit code, output, errors)"""
    result = subprocess.run([str(H2TOP), *args], capture_output=True, text=True,
                            env={**os.environ, **environment}, timeout=60 * env.SLOWER)
    assert "Traceback" not in result.stderr, result.stderr
    return result.returncode, result.stdout, result.stderr


def once(server, *args, port="clear"):
    code, output, errors = h2top("--once", server.url("/h2-status", port), *args)
    assert code == 0 and not errors, errors
    return output


def number(pattern, output):
    return int(re.search(pattern, output).group(1))


def test_once_shows_what_was_asked_for(server, transport):
    before = once(server)
    with open_client(server, transport) as client:
        client.wait(*[client.request("GET", "/files/1000.bin") for _ in range(30)])
        client.get("/missing")
        stream = client.request("GET", "/h2test/sleep?ms=300")
        client.ping()
        client.send_reset(stream, CANCEL)
        client.ping()
        output = wait_for_line(server, r"\d+ +open +%s +0 +0 +0 +32 +[\d.]+ KiB +0 B .* 127\.0\.0\.1" % (
            "alpn" if transport == "tls" else "preface"))
    for pattern, change in ((r"Requests +\S+ +total (\d+)", 32), (r" 2xx (\d+)", 30),
                            (r" 4xx (\d+)", 1), (r"Connections +open (\d+)", 1)):
        assert number(pattern, output) == number(pattern, before) + change
    assert re.search(r"^Resets by clients +cancel \d+$", output, re.M)
    assert re.search(r"^first byte +[\d.]+ [mu]?s +[\d.]+ [mu]?s ", output, re.M)
    assert "MPM %s," % server.mpm in output


def wait_for_line(server, pattern, *args):
    """The output once it has such a line: connections are described about once a second."""
    return wait_until(lambda: re.search("^" + pattern, text := once(server, *args), re.M) and text,
                      pattern)


def test_once_shows_the_requests_that_run(server, transport):
    with open_client(server, transport) as client:
        stream = client.request("GET", "/h2test/sleep?ms=2000")
        client.ping()
        output = wait_until(lambda: "GET /h2test/sleep" in (text := once(server)) and text,
                            "the request")
        assert re.search(r"^\d+ +\d+ +[\d.]+ m?s +127\.0\.0\.1.*GET /h2test/sleep", output, re.M)
        client.wait(stream)


def test_connections_are_sorted_by_what_is_chosen(server):
    for requests in (3, 9, 6):
        client = open_client(server, "clear")
        client.ping()                                 # its session has begun
        client.wait(*[client.request("GET", "/files/0.bin") for _ in range(requests)])
    for args, order in ((("streams",), [9, 6, 3]), (("streams", "--reverse"), [3, 6, 9]),
                        (("age",), [3, 9, 6]), (("id",), None)):
        three = r"(?:\d+ +open +preface +0 +0 +0 +[369][^\n]*\n){3}"  # the list may be a second old
        output = wait_for_line(server, three, "--sort", *args)
        rows = re.findall(r"^(\d+) +open +preface +\d +\d +\d +([369]) ", output, re.M)
        if order:
            assert [int(streams) for _, streams in rows] == order
        else:
            assert [int(id) for id, _ in rows] == sorted(int(id) for id, _ in rows)


def test_lines_are_cut_to_the_width(server):
    lines = once(server, "--width", "40").splitlines()
    assert max(map(len, lines)) == 40


def test_a_certificate_of_ones_own_is_taken_where_that_is_said(server):
    url = server.url("/h2-status", "tls")
    code, output, errors = h2top("--once", url)
    assert code == 1 and not output and "--insecure" in errors
    assert "MPM " in once(server, "--insecure", port="tls")


def test_a_password_is_given(server):
    url = server.url("/guarded", "clear")
    code, _, errors = h2top("--once", url)
    assert code == 1 and "--user" in errors
    code, output, errors = h2top("--once", "--user", "user", url, H2TOP_PASSWORD="secret")
    assert (code, errors) == (0, "") and "Requests" in output


@pytest.mark.parametrize("path, what", [
    ("/missing", "SetHandler http2-status"), ("/forbidden", "Require"),
    ("/text.txt", "not that of SetHandler http2-status")])
def test_what_is_wrong_is_said_in_a_sentence(server, path, what):
    code, output, errors = h2top("--once", server.url(path, "clear"))
    assert code == 1 and not output and what in errors and errors.count("\n") == 1


def test_who_does_not_answer_is_told_of(server):
    assert "nobody listens" in h2top("--once", "http://127.0.0.1:%d/" % free_ports(1)[0])[2]
    assert "no URL" in h2top("--once", "ftp://127.0.0.1/")[2]
    assert "--user" in h2top("--once", "http://me:secret@127.0.0.1/")[2]
    assert "--once" in h2top(server.url("/h2-status", "clear"))[2]     # no terminal


class Terminal:
    """h2top in a terminal of that size."""

    def __init__(self, url, *args, size=(40, 150)):
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.environ["TERM"] = "xterm"
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
            os.execv(str(H2TOP), [str(H2TOP), *args, url])
        self.output = ""
        self.status = None
        self.rows = 40

    def read(self, seconds=0.05):
        deadline = time.monotonic() + seconds
        while self.status is None and time.monotonic() < deadline:
            if not select.select([self.fd], [], [], deadline - time.monotonic())[0]:
                break
            try:
                self.output += os.read(self.fd, 65536).decode("utf-8", "replace")
            except OSError:
                self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.output

    def wait_for(self, text):
        wait_until(lambda: text in self.read() or self.status is not None, text, timeout=20)
        assert text in self.output, self.output[-2000:]

    def press(self, keys):
        os.write(self.fd, keys.encode())

    def resize(self, *size):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        os.kill(self.pid, signal.SIGWINCH)

    def shows(self, text):
        """Is it on the screen, which is drawn anew for another size?"""
        self.rows = 81 - self.rows
        self.forget()
        self.resize(self.rows, 150)
        return text in self.read(0.3)

    def end(self):
        self.press("q")
        wait_until(lambda: self.read() and self.status is not None, "the end", timeout=20)
        os.close(self.fd)
        assert "Traceback" not in self.output, self.output[-3000:]
        return self.status

    def forget(self):
        self.read()
        self.output = ""


def test_keys_change_what_is_shown(server):
    terminal = Terminal(server.url("/h2-status", "clear"), "-i", "0.5")
    terminal.wait_for("CONNECTION")
    for keys, text in (("s", "sorted by running requests"), ("r", "turned"), ("-", "every 1 s"),
                       ("h", "Keys:"), ("h", "CONNECTION")):
        terminal.forget()
        terminal.press(keys)
        # curses draws only what has changed
        wait_until(lambda: any(word in terminal.read() for word in text.split()), text)
    terminal.press("S\t kj\033[5~\033[6~+")
    assert terminal.end() == 0


@pytest.mark.parametrize("size", [(1, 1), (2, 10), (5, 20), (24, 80)])
def test_a_small_terminal_is_no_trouble(server, size):
    terminal = Terminal(server.url("/h2-status", "clear"), "-i", "0.2", size=size)
    deadline = time.monotonic() + 0.7
    while time.monotonic() < deadline:
        terminal.read()
        terminal.press("js\th")
    terminal.resize(3, 7)
    terminal.read(0.3)
    terminal.resize(50, 200)
    terminal.read(0.3)
    assert terminal.end() == 0


def test_it_goes_on_when_the_server_is_started_anew(servers, mpm):
    server = servers.new("h2top-restarted", mpm, CONFIG, ports=("tls", "clear")).start()
    terminal = Terminal(server.url("/h2-status", "clear"), "-i", "0.2")
    try:
        terminal.wait_for("CONNECTION")
        ports = dict(server.ports)
        server.stop()
        terminal.forget()
        terminal.wait_for("nobody listens there")
        assert not server.health_problems()
        server.start()
        assert server.ports == ports
        wait_until(lambda: terminal.shows("Connections  open"), "a screen")
        assert terminal.end() == 0
    finally:
        server.stop()

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""A back end that sends, byte for byte, what a test tells it, and remembers what it got."""

import socket
import struct
import threading


class Exchange:
    """A request as it came, on the back end's side of a connection."""

    def __init__(self, sock, rest):
        self.sock = sock
        self.rest = rest            # read, and not yet used
        self.head = b""
        self.closed = threading.Event()     # the other side has closed, see watch()

    def read_head(self):
        """False: the connection has ended instead."""
        while b"\r\n\r\n" not in self.rest:
            data = self.sock.recv(65536)
            if not data:
                return False
            self.rest += data
        self.head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        return True

    @property
    def request_line(self):
        return self.head.split(b"\r\n")[0].decode("latin-1")

    @property
    def path(self):
        return self.request_line.split(" ")[1].partition("?")[0]

    @property
    def fields(self):
        """In their order, as they were written."""
        return [tuple(line.split(": ", 1)) for line in
                self.head.decode("latin-1").split("\r\n")[1:]]

    def all(self, name):
        return [value for n, value in self.fields if n.lower() == name]

    def get(self, name):
        return self.all(name)[0] if self.all(name) else None

    def read_exactly(self, count):
        while len(self.rest) < count:
            data = self.sock.recv(65536)
            assert data, "the body ends early"
            self.rest += data
        data, self.rest = self.rest[:count], self.rest[count:]
        return data

    def read_line(self):
        line = b""
        while not line.endswith(b"\r\n"):
            line += self.read_exactly(1)
        return line

    def read_body(self):
        if self.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                size = int(self.read_line(), 16)
                body += self.read_exactly(size)
                self.read_line()
                if not size:
                    return body
        return self.read_exactly(int(self.get("content-length") or 0))

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def watch(self, timeout=20):
        """Reads until the other side closes, and says so in `closed`."""
        self.sock.settimeout(timeout)
        try:
            while self.sock.recv(65536):
                pass
        except TimeoutError:
            return
        except OSError:
            pass
        self.closed.set()


class Scripted:
    """Listens at `port`; scripts[path] is called with the Exchange of a request for that path, on
    a thread of its own. If it returns True, the connection is kept for another request."""

    def __init__(self):
        self.scripts = {}
        self.seen = {}              # path: its exchanges
        self.arrived = threading.Condition()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        """A connection of HTTP."""
        rest = b""
        with sock:
            try:
                while True:
                    exchange = Exchange(sock, rest)
                    if not exchange.read_head():
                        return
                    with self.arrived:
                        self.seen.setdefault(exchange.path, []).append(exchange)
                        self.arrived.notify_all()
                    script = self.scripts.get(exchange.path)
                    if not script:
                        exchange.send("HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n")
                        return
                    if not script(exchange):
                        return
                    rest = exchange.rest
            except OSError:
                return

    def wait(self, path, timeout=10):
        """The last request for path, when there is one."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: self.seen.get(path), timeout), "no request"
            return self.seen[path][-1]

    def close(self):
        self.listener.close()


class ScriptedVariables(Scripted):
    """The same for protocols that carry variables: a script is found by its path being in them."""

    def _read_variables(self, exchange):
        raise NotImplementedError

    def _serve(self, sock):
        exchange = Exchange(sock, b"")
        with sock:
            try:
                variables = self._read_variables(exchange)
                for path, script in self.scripts.items():
                    if path.encode() in variables:
                        script(exchange)
            except (OSError, AssertionError):
                return


class ScriptedUwsgi(ScriptedVariables):
    """A script sends text as in HTTP/1.1, up to the end of the connection."""

    def _read_variables(self, exchange):
        return exchange.read_exactly(struct.unpack("<BHB", exchange.read_exactly(4))[1])


class ScriptedFastCgi(ScriptedVariables):
    """A script sends records; without END_REQUEST the response breaks off."""

    def _read_variables(self, exchange):
        variables = b""
        while True:
            _, kind, _, length, padding = struct.unpack("!BBHHB", exchange.read_exactly(8)[:7])
            content = exchange.read_exactly(length + padding)[:length]
            if kind == 4 and not content:           # the end of FCGI_PARAMS
                return variables
            variables += content if kind == 4 else b""


class ScriptedHttp2(Scripted):
    """`script` is called with the Exchange and each frame that comes: its type and its stream."""

    def __init__(self, script):
        self.script = script
        super().__init__()

    def _serve(self, sock):
        exchange = Exchange(sock, b"")
        with sock:
            try:
                exchange.read_exactly(24)           # the preface
                exchange.send(bytes((0, 0, 0, 4, 0, 0, 0, 0, 0)))
                while True:
                    head = exchange.read_exactly(9)
                    exchange.read_exactly(int.from_bytes(head[:3], "big"))
                    self.script(exchange, head[3], int.from_bytes(head[5:], "big"))
            except (OSError, AssertionError):
                return


def record(data, kind=6):
    """An FCGI_STDOUT record of request 1; kind 3: FCGI_END_REQUEST."""
    return struct.pack("!BBHHBB", 1, kind, 1, len(data), 0, 0) + data


END_REQUEST = record(bytes(8), 3)

"""The back ends behind a server: one of HTTP/1.1, one of HTTP/2, one of gRPC."""

import base64
import hashlib
import importlib.util
import subprocess
import sys
import threading

from wire import GRPC_SERVER, h2, scripted

PUSHED = "/1k.txt"
_LINK = f"Link: <{PUSHED}>; rel=preload; as=style\r\n"
PATIENCE = 15
_STALLED = 4 << 20
_EMPTY_200 = bytes((0, 0, 1, h2.HEADERS, h2.END_HEADERS | h2.END_STREAM)) + b"%s\x88"


class Backends:
    """Ports of all three; `gate(name)` is what /be/gate/NAME and others wait for."""

    def __init__(self, site):
        self._gates = {}
        self._lock = threading.Lock()
        self.http1 = scripted.Scripted()
        self.http1.scripts = _ByPrefix(self)
        self.trailers_seen = threading.Event()
        self.http2 = scripted.ScriptedHttp2(self._on_frame)
        self._headers = {}
        self.grpc = None
        self.grpc_port = 1          # nobody listens there
        self._start_grpc(site)

    def _start_grpc(self, site):
        if not importlib.util.find_spec("grpc"):
            return
        self.grpc = subprocess.Popen(
            [sys.executable, GRPC_SERVER, site.certificate, site.key],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.grpc_port = int(self.grpc.stdout.readline().split()[0])

    def gate(self, name):
        with self._lock:
            return self._gates.setdefault(name, threading.Event())

    def wait_for(self, path, count):
        """Until so many requests for a path have arrived; for PATIENCE at most."""
        back_end = self.http1
        with back_end.arrived:
            back_end.arrived.wait_for(lambda: len(back_end.seen.get(path, ())) >= count, PATIENCE)

    def _on_frame(self, exchange, kind, stream_id):
        """A request has two field blocks where it has trailers; then it is answered."""
        if kind != h2.HEADERS:
            return
        seen = self._headers[exchange] = self._headers.get(exchange, 0) + 1
        if seen == 2:
            self.trailers_seen.set()
            exchange.send(_EMPTY_200 % stream_id.to_bytes(4, "big"))

    def close(self):
        for gate in self._gates.values():
            gate.set()
        self.http1.close()
        self.http2.close()
        if self.grpc:
            self.grpc.stdin.close()
            self.grpc.stdout.close()
            self.grpc.wait(10)


def _answer(exchange, body=b"answered\n", fields=""):
    exchange.send(f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}"
                  f"\r\nConnection: close\r\n{fields}\r\n")
    exchange.send(body)


class _ByPrefix:
    """Scripts by the second word of a path: /be/gate/one is `gate`."""

    def __init__(self, backends):
        self._backends = backends

    def get(self, path):
        words = path.strip("/").split("/")
        if len(words) < 2 or words[0] != "be":
            return None
        script = getattr(self, words[1], None)
        return script and (lambda exchange: script(exchange, words[-1]))

    def gate(self, exchange, name):
        self._backends.gate(name).wait(PATIENCE)
        _answer(exchange)

    def hint(self, exchange, name):
        """103 at once, the response when the gate is open."""
        exchange.send("HTTP/1.1 103 Early Hints\r\n" + _LINK + "\r\n")
        self.gate(exchange, name)

    def links(self, exchange, _name):
        _answer(exchange, fields=_LINK)

    def trailers(self, exchange, _name):
        exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n"
                      "Connection: close\r\n\r\n4\r\nbody\r\n0\r\nX-Sum: 12\r\n\r\n")

    def short(self, exchange, _name):
        """Announces more than it sends."""
        exchange.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")

    def cut(self, exchange, _name):
        """Chunks without the last one."""
        exchange.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\n")

    def large(self, exchange, _name):
        _answer(exchange, bytes(_STALLED))

    def never(self, exchange, _name):
        exchange.watch(PATIENCE)

    def ws(self, exchange, _name):
        """A WebSocket that sends back each byte, without looking at frames."""
        if (exchange.get("upgrade") or "").lower() != "websocket":
            exchange.send("HTTP/1.1 426 x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        exchange.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      "Connection: Upgrade\r\nSec-WebSocket-Accept: "
                      f"{_accept(exchange.get('sec-websocket-key'))}\r\n\r\n")
        data = exchange.rest
        while True:
            exchange.send(data)
            data = exchange.sock.recv(65536)
            if not data:
                return


def _accept(key):
    text = (key or "") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1(text.encode()).digest()).decode()

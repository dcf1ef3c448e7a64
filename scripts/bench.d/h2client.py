"""A small HTTP/2 client for measurements that hold many connections: raw sockets, one request
form, no HPACK decoding."""

import select
import socket
import ssl
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, END_HEADERS, ACK = 1, 4, 1
INITIAL_WINDOW_SIZE = 4
_TIMEOUT_SECONDS = 20


class ConnectionLost(Exception):
    """The server closed the connection, or said that it will (GOAWAY)."""


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def request(stream, path, tls):
    """GET as one HEADERS frame; the fields' numbers are those of HPACK's static table."""
    def literal(index, value):
        return bytes([index, len(value)]) + value.encode()
    block = bytes([0x82, 0x87 if tls else 0x86]) + literal(4, path) + literal(1, "localhost")
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, block)


def _tls_context(protocol):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    return context


def open_socket(port, tls, protocol):
    """A connected socket; protocol is the one for ALPN."""
    sock = socket.create_connection(("127.0.0.1", port), _TIMEOUT_SECONDS)
    if tls:
        sock = _contexts[protocol].wrap_socket(sock)
        if sock.selected_alpn_protocol() not in (protocol, None):
            raise ConnectionLost(f"ALPN chose {sock.selected_alpn_protocol()}")
    sock.settimeout(_TIMEOUT_SECONDS)
    return sock


_contexts = {protocol: _tls_context(protocol) for protocol in ("h2", "http/1.1")}


class Client:
    """One HTTP/2 connection; its settings have been exchanged and acknowledged both ways."""

    def __init__(self, port, tls, settings=None):
        self._tls = tls
        self._buffer = b""
        self._next_stream = 1
        self._sock = open_socket(port, tls, "h2")
        payload = b"".join(struct.pack(">HI", *item) for item in (settings or {}).items())
        self._sock.sendall(PREFACE + frame(SETTINGS, 0, 0, payload))
        theirs = acknowledged = False
        while not (theirs and acknowledged):
            kind, flags, _stream, _payload = self.read_frame()
            if kind == SETTINGS:
                theirs, acknowledged = theirs or not flags & ACK, acknowledged or flags & ACK

    def fileno(self):
        return self._sock.fileno()

    def close(self):
        self._sock.close()

    def read_frame(self):
        """The next frame (kind, flags, stream, payload); SETTINGS and PING are answered."""
        while True:
            parsed = self.buffered_frame()
            if parsed:
                return parsed
            data = self._sock.recv(65536)
            if not data:
                raise ConnectionLost("closed by the server")
            self._buffer += data

    def buffered_frame(self):
        """The next frame if it is here already, else None."""
        if len(self._buffer) < 9:
            return None
        length = int.from_bytes(self._buffer[:3], "big")
        if len(self._buffer) < 9 + length:
            return None
        kind, flags, stream = struct.unpack(">BBI", self._buffer[3:9])
        payload, self._buffer = self._buffer[9:9 + length], self._buffer[9 + length:]
        if kind in (SETTINGS, PING) and not flags & ACK:
            self._sock.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))
        if kind == GOAWAY:
            raise ConnectionLost(f"GOAWAY, error {int.from_bytes(payload[4:8], 'big')}")
        return kind, flags, stream, payload

    def receive(self):
        """Takes what the socket has; returns the frames that are complete."""
        self._sock.settimeout(0)
        try:
            while True:
                data = self._sock.recv(65536)
                if not data:
                    raise ConnectionLost("closed by the server")
                self._buffer += data
        except (BlockingIOError, ssl.SSLWantReadError):
            pass
        finally:
            self._sock.settimeout(_TIMEOUT_SECONDS)
        return list(iter(self.buffered_frame, None))

    def send_requests(self, path, count=1):
        data = b""
        for _ in range(count):
            data += request(self._next_stream, path, self._tls)
            self._next_stream += 2
        self._sock.sendall(data)

    def get(self, path):
        """One request and its whole answer."""
        stream = self._next_stream
        self.send_requests(path)
        while True:
            kind, flags, on, payload = self.read_frame()
            if on == stream and kind == RST_STREAM:
                raise ConnectionLost(f"RST_STREAM, error {int.from_bytes(payload, 'big')}")
            if on == stream and kind in (DATA, HEADERS) and flags & END_STREAM:
                return

    def check_alive(self):
        """Raises ConnectionLost when the server has ended this connection."""
        if select.select([self], [], [], 0)[0]:
            self.receive()


class Http1Client:
    """The same for HTTP/1.1 keep-alive: nothing is sent before the first request."""

    def __init__(self, port, tls):
        self._sock = open_socket(port, tls, "http/1.1")

    def fileno(self):
        return self._sock.fileno()

    def close(self):
        self._sock.close()

    def get(self, path):
        self._sock.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive()
        head, _, body = data.partition(b"\r\n\r\n")
        length = [int(line.split(b":")[1]) for line in head.split(b"\r\n")
                  if line.lower().startswith(b"content-length:")]
        while len(body) < length[0]:
            body += self._receive()

    def _receive(self):
        data = self._sock.recv(65536)
        if not data:
            raise ConnectionLost("closed by the server")
        return data

    def check_alive(self):
        if not select.select([self], [], [], 0)[0]:
            return
        self._sock.settimeout(0)
        try:
            self._receive()
        except (BlockingIOError, ssl.SSLWantReadError):
            pass  # TLS session tickets
        finally:
            self._sock.settimeout(_TIMEOUT_SECONDS)

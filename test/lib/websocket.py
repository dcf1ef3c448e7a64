# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""WebSockets for tests: a client's, over a stream of HTTP/2 (RFC 8441), and two back ends.

    socket = WebSocket(client, "/ws/echo")
    socket.send("hello")
    assert socket.receive() == "hello"
"""

import asyncio
import base64
import contextlib
import hashlib
import http
import json
import socket
import threading

import websockets
from websockets.connection import CLIENT, Connection
from websockets.frames import OP_BINARY, OP_CLOSE, OP_CONT, OP_PING, OP_PONG, OP_TEXT

VERSION = ("sec-websocket-version", "13")
MAX_SIZE = 1 << 26
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_of(key):
    """RFC 6455, 4.2.2."""
    return base64.b64encode(hashlib.sha1((key + GUID).encode()).digest()).decode()


class WebSocket:
    """A WebSocket on a stream of an h2client.Client. Its frames are python3-websockets' business,
    ours are the stream and what is received."""

    def __init__(self, client, path, headers=(VERSION,), is_open=True, **options):
        self.client = client
        self.protocol = Connection(CLIENT, max_size=MAX_SIZE)
        self.messages = []      # str or bytes, not yet given by receive()
        self.pongs = []
        self.pings = []
        self.code = None        # of the Close frame that came
        self._parts = []
        self.stream = client.extended_connect(path, headers, **options)
        if is_open:
            client.wait_head(self.stream)
            assert self.stream.status == 200, self.stream

    def send(self, data, wait=True):
        """A message; with `wait` false it stays queued where the windows are shut."""
        if isinstance(data, str):
            self.protocol.send_text(data.encode())
        else:
            self.protocol.send_binary(data)
        self.flush()

    def ping(self, data=b""):
        self.protocol.send_ping(data)
        self.flush()

    def close(self, code=1000, reason=""):
        self.protocol.send_close(code, reason)
        self.flush()

    def flush(self):
        for data in self.protocol.data_to_send():
            self.client.send_data(self.stream, data)

    def take(self):
        """Works on what has arrived."""
        if self.stream.body:
            self.protocol.receive_data(bytes(self.stream.body))
            self.stream.body.clear()
            if self.protocol.parser_exc:
                raise AssertionError("the server's frames are broken") from self.protocol.parser_exc
        for frame in self.protocol.events_received():
            self._take_frame(frame)
        with contextlib.suppress(AssertionError):
            self.flush()        # a pong, or the answer to Close

    def _take_frame(self, frame):
        if frame.opcode in (OP_TEXT, OP_BINARY, OP_CONT):
            if frame.opcode != OP_CONT:
                self._is_text = frame.opcode == OP_TEXT
            self._parts.append(frame.data)
            if frame.fin:
                data, self._parts = b"".join(self._parts), []
                self.messages.append(data.decode() if self._is_text else data)
        elif frame.opcode == OP_PONG:
            self.pongs.append(frame.data)
        elif frame.opcode == OP_PING:
            self.pings.append(frame.data)
        elif frame.opcode == OP_CLOSE:
            self.code = int.from_bytes(frame.data[:2], "big") if frame.data else 1005

    def wait(self, condition, what, timeout=None):
        def is_there():
            self.take()
            return condition()
        self.client.wait_for(is_there, what, timeout)

    def receive(self, timeout=None):
        self.wait(lambda: self.messages, "a message", timeout)
        return self.messages.pop(0)

    def ask(self, data, timeout=None):
        self.send(data)
        return self.receive(timeout)


async def _serve(ws, path=None):
    """What the back end does, by the last part of the path."""
    what, _, argument = ws.path.rpartition("/")[2].partition("?")
    if what == "echo":
        async for message in ws:
            await ws.send(message)
    elif what == "fields":          # those of the handshake, as JSON
        await ws.send(json.dumps([list(item) for item in ws.request_headers.raw_items()]))
        await ws.wait_closed()
    elif what == "send":            # one message of so many bytes
        await ws.send(bytes(int(argument)))
        await ws.wait_closed()
    elif what == "measure":         # takes one message, says how long it is and its digest
        message = await ws.recv()
        await ws.send("%d %s" % (len(message), hashlib.sha256(message).hexdigest()))
    elif what == "ping":            # pings, and says when the pong is there
        await (await ws.ping(argument.encode()))
        await ws.send("pong")
        await ws.wait_closed()
    elif what == "close":           # with that code
        await ws.close(int(argument), "that is all")


class Backend:
    """python3-websockets as a server on `port`, in a thread of its own. `open` are the sockets that
    it has, `codes` those with which sockets were closed."""

    def __init__(self):
        self.open = set()
        self.codes = []
        self._loop = asyncio.new_event_loop()
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        ready.wait(10)

    def _run(self, ready):
        asyncio.set_event_loop(self._loop)
        self._server = self._loop.run_until_complete(websockets.serve(
            self._handle, "127.0.0.1", 0, max_size=MAX_SIZE, ping_interval=None, compression=None,
            subprotocols=["chat.v2"], process_request=self._refuse, close_timeout=2))
        self.port = self._server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()

    async def _refuse(self, path, headers):
        if path.endswith("/refuse"):
            return http.HTTPStatus.FORBIDDEN, [("Content-Type", "text/plain"), ("X-Why", "closed")], b"not today\n"
        return None

    async def _handle(self, ws, path=None):
        self.open.add(ws)
        try:
            await _serve(ws)
        except websockets.ConnectionClosed:
            pass
        finally:
            await ws.wait_closed()
            self.codes.append(ws.close_code)
            self.open.discard(ws)

    def close(self):
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)


class RawBackend:
    """Answers the handshake by hand, on `port`, and then lets the test have the socket: `serve(sock,
    head)` runs in a thread of its own for each connection."""

    def __init__(self, serve):
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock):
        with sock, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                data = sock.recv(65536)
                if not data:
                    return
                head += data
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
            self._serve(sock, {name.lower(): value for name, value in fields.items()},
                        head.decode().split(" ")[1])

    def close(self):
        # close() alone would leave the thread in accept()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def switch(sock, fields, accept=None, extra=""):
    """The 101 of a handshake."""
    accept = accept_of(fields["sec-websocket-key"]) if accept is None else accept
    sock.sendall(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  "Sec-WebSocket-Accept: %s\r\n%s\r\n" % (accept, extra)).encode())

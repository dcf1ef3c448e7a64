# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""A small HTTP/1.1 back end for mod_proxy_http, in threads of the test process."""

import base64
import hashlib
import http.server
import json
import threading

from demosite import pattern


class Handler(http.server.BaseHTTPRequestHandler):
    """GET /size/N (chunked with ?chunked), /trailers/N, /headers, /gate/N, /die/N/M; POST /echo, /hash, /refuse.
    GET /ws/... becomes a WebSocket that sends back each byte, without frames; "bye" ends it."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def _body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                if size == 0:
                    self.trailers = list(iter(self.rfile.readline, b"\r\n"))
                    return
                data = self.rfile.read(size)
                self.rfile.readline()
                yield data
        left = int(self.headers.get("Content-Length", 0))
        while left:
            data = self.rfile.read(min(left, 65536))
            if not data:
                return
            left -= len(data)
            yield data

    def _answer(self, body, status=200, **fields):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        words = path.strip("/").split("/")
        if words[0] == "size" and "chunked" in query:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            body = pattern(int(words[1]))
            for i in range(0, len(body), 10000):
                part = body[i:i + 10000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
        elif words[0] == "trailers":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.send_header("Trailer", "x-sum")
            self.end_headers()
            body = pattern(int(words[1]))
            self.wfile.write((b"%x\r\n%s\r\n" % (len(body), body) if body else b"") + b"0\r\n"
                             b"X-Sum: 12\r\nx-two: a\r\nX-Two: b\r\nContent-Length: 3\r\n\r\n")
        elif words[0] == "size":
            self._answer(pattern(int(words[1])), X_Back_End="yes")
        elif words[0] == "headers":
            self._answer(json.dumps(dict(self.headers.items())).encode())
        elif words[0] == "die":         # announces M bytes, sends N, goes away
            self.send_response(200)
            self.send_header("Content-Length", words[2])
            self.end_headers()
            self.wfile.write(pattern(int(words[1])))
            self.wfile.flush()
            self.close_connection = True
        elif words[0] == "ws":
            self._tunnel()
        elif words[0] == "status":
            self._answer(b"status\n", int(words[1]))
        elif words[0] == "events":      # sends an event for each Event in server.gates
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for i, gate in enumerate(self.server.gates[words[1]]):
                event = b"data: %d\n\n" % i
                self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
                self.wfile.flush()
                gate.wait(20)
            self.wfile.write(b"0\r\n\r\n")
        else:
            self._answer(b"not here\n", 404)

    def _tunnel(self):
        if self.headers.get("Upgrade", "").lower() != "websocket":
            self._answer(b"this is a WebSocket\n", 426, Upgrade="websocket", Connection="Upgrade")
            return
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(
            hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        while data := self.rfile.read1(65536):
            self.wfile.write(data)
            if data == b"bye":
                break
        self.close_connection = True

    do_HEAD = do_GET

    def do_POST(self):
        if self.path == "/refuse":      # answers without reading the body
            self._answer(b"no, thank you\n", 403)
            self.close_connection = True
            return
        body, digest, total = b"", hashlib.sha256(), 0
        for data in self._body():
            digest.update(data)
            total += len(data)
            if self.path == "/echo":
                body += data
        if self.path == "/echo":
            self._answer(body, X_Encoding=str(self.headers.get("Transfer-Encoding")),
                         X_Trailers=str(len(getattr(self, "trailers", []))),
                         X_Length=str(self.headers.get("Content-Length")))
        else:
            self._answer(b"%d %s\n" % (total, digest.hexdigest().encode()))

    do_PUT = do_POST
    do_DELETE = do_POST


class Backend:
    """The back end at `port`; `gates[name]` is a list of threading.Event for /events/NAME."""

    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.gates = self.server.gates = {}
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def new_gates(self, name, count):
        self.gates[name] = [threading.Event() for _ in range(count)]
        return self.gates[name]

    def close(self):
        self.server.shutdown()
        self.server.server_close()

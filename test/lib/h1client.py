# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""A small HTTP/1.1 client for tests that compare, negotiate and misbehave."""

import time

from h2client import Message, Wire, WireClosed, WireTimeout


class Response(Message):
    def __init__(self, status, fields, body):
        self.status = status
        self.fields = fields
        self.body = body


class Http1:
    """An HTTP/1.1 connection."""

    def __init__(self, address, tls=None, host="a.test", timeout=10.0):
        self.timeout = timeout
        self.host = host
        self.wire = Wire(address, tls, timeout=timeout)
        self._in = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.wire.close()

    def send(self, data):
        self.wire.queue(data)
        deadline = time.monotonic() + self.timeout
        while self.wire.out and not self.wire.eof:
            self.wire.step(deadline - time.monotonic(), reading=False)
            if time.monotonic() > deadline:
                raise WireTimeout("the server does not read")

    def _more(self, deadline, what):
        data = self.wire.step(max(0, deadline - time.monotonic()))
        if data:
            self._in += data
        elif self.wire.eof:
            raise WireClosed("closed, waited for %s; got %r" % (what, bytes(self._in[:500])))
        elif time.monotonic() > deadline:
            raise WireTimeout("waited for %s; got %r" % (what, bytes(self._in[:500])))

    def read_until(self, mark, timeout=None):
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        while mark not in self._in:
            self._more(deadline, mark)
        end = self._in.index(mark) + len(mark)
        data = bytes(self._in[:end])
        del self._in[:end]
        return data

    def read_bytes(self, count):
        deadline = time.monotonic() + self.timeout
        while len(self._in) < count:
            self._more(deadline, "%d bytes" % count)
        data = bytes(self._in[:count])
        del self._in[:count]
        return data

    def read_to_end(self, timeout=None):
        """All bytes until the server closes."""
        deadline = time.monotonic() + (self.timeout if timeout is None else timeout)
        try:
            while True:
                self._more(deadline, "the end of the connection")
        except WireClosed:
            data = bytes(self._in)
            self._in.clear()
            return data

    def response(self, head_only=False):
        head = self.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(head[0].split()[1])
        fields = [(line.partition(":")[0].lower(), line.partition(":")[2].strip())
                  for line in head[1:] if line]
        headers = dict(fields)
        if head_only or status in (204, 304) or status < 200:
            body = b""
        elif "chunked" in headers.get("transfer-encoding", ""):
            body = self._chunks()
        elif "content-length" in headers:
            body = self.read_bytes(int(headers["content-length"]))
        else:
            body = self.read_to_end()
        return Response(status, fields, body)

    def _chunks(self):
        body = bytearray()
        while True:
            size = int(self.read_until(b"\r\n").split(b";")[0], 16)
            body += self.read_bytes(size)
            self.read_until(b"\r\n")
            if size == 0:
                return bytes(body)

    def request(self, method="GET", path="/", headers=(), body=b""):
        fields = [("Host", self.host), *(headers.items() if isinstance(headers, dict) else headers)]
        if body:
            fields.append(("Content-Length", str(len(body))))
        head = "%s %s HTTP/1.1\r\n" % (method, path) + "".join("%s: %s\r\n" % f for f in fields)
        self.send(head.encode("latin-1") + b"\r\n" + body)
        return self.response(head_only=method == "HEAD")

    def get(self, path="/", headers=()):
        return self.request("GET", path, headers)

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""The clients of scripts/soak, as kinds.py runs them. Settings: "grpc", a port or null, for which
there is a process of its own, and "cert", the file that it trusts."""

import hashlib
import time

from honest import Failed, check, forget
from kinds import Kind, main

from demosite import FILE_SIZES, pattern
from h1client import Http1
from h2client import (CANCEL, ENABLE_PUSH, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, PREFACE,
                      Tls)
from websocket import WebSocket

SMALL_SIZES = [size for size in FILE_SIZES if size <= 65537]
MIB = 1 << 20


class Files(Kind):
    """Small and middle ones, up to twelve at once."""
    seconds = 0.12

    def step(self):
        sizes = [self.random.choice(SMALL_SIZES) for _ in range(self.random.randint(1, 12))]
        self.answers([self.request("/files/%d.bin" % size, body=pattern(size)) for size in sizes])


class LargeFiles(Kind):
    """A MiB for each stream, and 8 MiB of a file that is larger than memory's share."""
    seconds = 1.5

    def step(self):
        if self.random.random() < 0.5:
            self.answers([self.request("/files/%d.bin" % MIB, body=pattern(MIB))] * 3)
        else:
            self.answer("/files/big.bin", headers=[("range", "bytes=0-%d" % (8 * MIB - 1))],
                        size=8 * MIB, status=206)


class Scripts(Kind):
    """CGI."""
    seconds = 0.2

    def step(self):
        size = self.random.randint(1, 300000)
        data = self.random.randbytes(self.random.randint(0, 20000))
        self.answers(self.random.sample([
            self.request("/cgi/hello", body=b"hello from CGI\n"),
            self.request("/cgi/status", status=418, body=b"short and stout\n"),
            self.request("/cgi/large?%d" % size, body=bytes(size)),
            self.request("/cgi/cat", "POST", [("content-length", str(len(data)))], data,
                         body=data)], 2))


class Proxied(Kind):
    """Through mod_proxy_http to an HTTP/1.1 back end, which dies amid a response at times."""
    seconds = 0.12

    def step(self):
        size = self.random.randint(0, 100000)
        choice = self.random.random()
        if choice < 0.05:
            self.broken()
        elif choice < 0.5:
            self.answers([self.request("/proxy/size/%d" % size, body=pattern(size))] * 3)
        else:
            self.answers([self.request("/proxy/size/%d?chunked" % size, body=pattern(size)),
                          self.request("/proxy/trailers/%d" % size, body=pattern(size)),
                          self.request("/proxy/nothing", status=404)])

    def broken(self):
        client = self.connection.client()
        stream = client.wait(client.request("GET", "/proxy/die/1000/5000"))
        if stream.complete and stream.status == 200:
            raise Failed("half a response that looks whole: %r" % stream)
        self.tally.add("broken responses")


class Pushes(Kind):
    """A page with four resources that come by themselves."""
    seconds = 0.5

    def step(self):
        with self.connection.open(settings={ENABLE_PUSH: 1, MAX_CONCURRENT_STREAMS: 100},
                                  window=MIB) as client:
            for page in range(3):
                check(client.wait(client.request("GET", "/pushing/%d.html" % page)), size=33)
            client.wait(*client.pushed)
            for stream in client.pushed:
                check(stream)
            if len(client.pushed) != 4:     # once on a connection
                raise Failed("%d instead of 4 were pushed" % len(client.pushed))
            self.tally.add("requests", 3)
            self.tally.add("pushes", 4)
            self.tally.add("connections")


class Uploads(Kind):
    """To a CGI and through the proxy, with a stated length and without."""
    seconds = 0.3

    def step(self):
        data = self.random.randbytes(self.random.choice((10, 1000, 70000, 400000)))
        fields = [("content-length", str(len(data)))] if self.random.random() < 0.5 else []
        digest = hashlib.sha256(data).hexdigest()
        if self.random.random() < 0.4:
            self.answer("/cgi/digest", "POST", fields, data, body=b"%s  -\n" % digest.encode())
        else:
            self.answer("/proxy/hash", "POST", fields, data,
                        body=b"%d %s\n" % (len(data), digest.encode()))


class WebSockets(Kind):
    """Several on a connection; closed in order, reset, or gone with the connection."""
    seconds = 0.6

    def step(self):
        with self.connection.open(window=MIB) as client:
            client.wait_settings()
            sockets = [WebSocket(client, "/ws/echo") for _ in range(self.random.randint(1, 3))]
            for socket in sockets * 2:
                text = "x" * self.random.randint(0, 30000)
                if socket.ask(text) != text:
                    raise Failed("another message came back")
            for socket in sockets:
                self.end(client, socket)
            self.tally.add("requests", len(sockets))
            self.tally.add("websockets", len(sockets))

    def end(self, client, socket):
        choice = self.random.random()
        if choice < 0.5:
            socket.close()
            socket.wait(lambda: socket.code == 1000 and socket.stream.done, "the end of a socket")
        elif choice < 0.8:
            client.send_reset(socket.stream)


class Cancels(Kind):
    """RST_STREAM at any moment of a response; what comes after on the connection is served."""
    seconds = 0.2
    PATHS = ("/files/%d.bin" % MIB, "/files/1000.bin", "/cgi/large?3000000", "/files/big.bin",
             "/proxy/size/500000", "/cgi/hello", "/h2test/write?n=2000000")

    def step(self):
        client = self.connection.client()
        streams = [client.request("GET", self.random.choice(self.PATHS), keep_body=False)
                   for _ in range(self.random.randint(1, 5))]
        for stream in streams:
            choice = self.random.random()
            if choice < 0.4:
                client.wait_head(stream)
            elif choice < 0.7:
                client.wait_bytes(stream, 1)
            if not stream.done:
                client.send_reset(stream, CANCEL)
                self.tally.add("cancels")
        self.cancel_upload(client)
        client.ping()
        forget(client)
        self.answer("/files/1000.bin", body=pattern(1000))

    def cancel_upload(self, client):
        path = self.random.choice(("/cgi/digest", "/proxy/hash"))
        stream = client.request("POST", path, end=False)
        client.send_data(stream, bytes(self.random.randint(0, 30000)))
        if not stream.done:
            client.send_reset(stream)
            self.tally.add("cancels")


class Aborts(Kind):
    """TCP resets, and connections that end without a word, at any moment."""
    seconds = 0.3

    def step(self):
        self.random.choice((self.early, self.amid_downloads, self.amid_upload, self.of_socket))()
        self.tally.add("aborted connections")

    def early(self):
        client = self.connection.open(handshake=False)
        client.send_raw(PREFACE[:self.random.randint(0, len(PREFACE))])
        self.end(client)

    def amid_downloads(self):
        client = self.connection.open(settings={INITIAL_WINDOW_SIZE: 1 << 18}, window=MIB)
        streams = [client.request("GET", self.random.choice(Cancels.PATHS), keep_body=False)
                   for _ in range(self.random.randint(1, 8))]
        if self.random.random() < 0.7:
            client.wait_head(streams[0])
        self.end(client)

    def amid_upload(self):
        client = self.connection.open()
        stream = client.request("POST", "/proxy/hash", end=False)
        client.send_data(stream, bytes(self.random.randint(0, 60000)))
        self.end(client)

    def of_socket(self):
        client = self.connection.open()
        client.wait_settings()
        WebSocket(client, "/ws/echo").send("x" * 1000)
        self.end(client)

    def end(self, client):
        if self.random.random() < 0.7:
            client.abort()
        else:
            client.close()


class Idle(Kind):
    """Connections that wait after a request until the server ends them."""
    seconds = 1.2

    def __init__(self, *args):
        super().__init__(*args)
        self.waiting = []

    def step(self):
        client = self.connection.open()
        self.waiting.append(client)
        check(client.get("/files/1.bin"), body=pattern(1))
        self.tally.add("requests")
        while len(self.waiting) > 12:
            client = self.waiting.pop(0)
            client.wait_closed()
            if not client.goaways or client.goaways[-1].error_code:
                raise Failed("an idle connection ended without GOAWAY NO_ERROR")
            client.close()
            self.tally.add("idle connections")

    def reset(self):
        for client in self.waiting:
            client.close()
        self.waiting.clear()


class Others(Kind):
    """HTTP/1.1 on the same ports; in clear text Upgrade too."""
    seconds = 0.6
    UPGRADE = (b"GET /files/1000.bin HTTP/1.1\r\nHost: a.test\r\n"
               b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
               b"HTTP2-Settings: %SETTINGS%\r\n\r\n")

    def step(self):
        tls = Tls(alpn=("http/1.1",)) if self.is_tls else None
        with Http1(self.address, tls, timeout=30.0 * self.settings["time_factor"]) as client:
            for size in (1000, 65536):
                response = client.get("/files/%d.bin" % size)
                if response.status != 200 or response.body != pattern(size):
                    raise Failed("HTTP/1.1: status %d" % response.status)
                self.tally.add("requests")
        if not self.is_tls:
            with self.connection.open(upgrade=self.UPGRADE,
                                      settings={INITIAL_WINDOW_SIZE: MIB}) as client:
                check(client.wait(client.streams[1]), body=pattern(1000))
                self.tally.add("requests")


class Grpc(Kind):
    """Calls of each sort through mod_proxy_http2, some cancelled."""
    seconds = 0.2

    def __init__(self, *args):
        super().__init__(*args)
        self.channel, self.calls_left = None, 0

    def step(self):
        self._channel()
        size = self.random.randint(0, 50000)
        choice = self.random.random()
        if choice < 0.5:
            data = self.random.randbytes(size)
            ok = self._call("unary_unary", "echo", data) == data
        elif choice < 0.65:
            ok = len(list(self._call("unary_stream", "count", b"20 %d" % (size // 10 + 10)))) == 20
        elif choice < 0.8:
            parts = [self.random.randbytes(2000) for _ in range(10)]
            digest = hashlib.sha256(b"".join(parts)).hexdigest().encode()
            ok = digest in self._call("stream_unary", "hash", iter(parts))
        elif choice < 0.9:
            parts = [b"%d" % i for i in range(10)]
            ok = list(self._call("stream_stream", "chat", iter(parts))) == parts
        else:
            self._cancel()
            ok = True
        if not ok:
            raise Failed("gRPC: another answer")
        self.tally.add("requests")
        self.tally.add("gRPC calls")

    def _channel(self):
        import grpc
        if self.calls_left <= 0:
            self.reset()
            to = "127.0.0.1:%d" % self.settings["grpc"]
            options = [("grpc.use_local_subchannel_pool", 1)]
            if self.is_tls:
                with open(self.settings["cert"], "rb") as file:
                    credentials = grpc.ssl_channel_credentials(file.read())
                self.channel = grpc.secure_channel(
                    to, credentials, [*options, ("grpc.ssl_target_name_override", "a.test")])
            else:
                self.channel = grpc.insecure_channel(to, options)
            self.calls_left = self.random.randint(20, 100)
        self.calls_left -= 1

    def _call(self, kind, name, request):
        return getattr(self.channel, kind)("/calls/" + name)(
            request, timeout=30 * self.settings["time_factor"])

    def _cancel(self):
        call = self.channel.unary_unary("/calls/wait").future(
            b"", metadata=(("call", "soak"),), timeout=30 * self.settings["time_factor"])
        time.sleep(0.02)
        call.cancel()
        self.tally.add("cancels")

    def reset(self):
        if self.channel is not None:
            self.channel.close()
        self.channel, self.calls_left = None, 0


KINDS = (Files, LargeFiles, Scripts, Proxied, Pushes, Uploads, WebSockets, Cancels, Aborts, Idle,
         Others)


def choose_kinds(settings):
    return [Grpc] if settings["grpc"] else KINDS


if __name__ == "__main__":
    main(choose_kinds)

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""The clients of scripts/stress, as kinds.py runs them. Setting "side": "honest" clients check each
answer and repeat only what they may; "hostile" ones send what must not harm these."""

import contextlib
import hashlib
import time

from honest import PROBLEMS, Connection
from kinds import Kind, main

from demosite import FILE_SIZES, pattern
from h2client import CONTINUATION, INITIAL_WINDOW_SIZE, PING, PREFACE, SETTINGS, frame_bytes, \
    settings_payload
from h2client import Wire

SIZES = [size for size in FILE_SIZES if size <= 65537]
MIB = 1 << 20
HALF_OPEN_MAX = 30


class Honest(Kind):
    def __init__(self, settings, tally, number):
        super().__init__(settings, tally, number)
        self.connection = Connection(self.address, self.is_tls, tally, settings["time_factor"],
                                     uses=self.random.randint(50, 300), is_restarted=True)


class Batches(Honest):
    """Many streams at once on a connection that is kept."""
    seconds = 0.1

    def step(self):
        sizes = [self.random.choice(SIZES) for _ in range(self.random.randint(1, 30))]
        self.answers([self.request("/files/%d.bin" % size, body=pattern(size)) for size in sizes])


class Single(Honest):
    """A connection for each request."""
    seconds = 0.1

    def step(self):
        self.connection.close()
        size = self.random.choice(SIZES)
        self.answer("/files/%d.bin" % size, body=pattern(size))


class Slow(Honest):
    """Requests that take longer than what comes between two restarts at times."""
    seconds = 0.2

    def step(self):
        waits = [self.random.choice((50, 200, 600, 1300)) for _ in range(self.random.randint(1, 4))]
        self.answers([self.request("/h2test/write?n=20000&fixup_ms=%d" % wait, body=pattern(20000))
                      for wait in waits])


class Large(Honest):
    """Downloads. No CGI: while the daemon of mod_cgid restarts, it answers 503 over any protocol."""
    seconds = 0.3

    def step(self):
        self.answers([self.request("/files/%d.bin" % MIB, body=pattern(MIB)),
                      self.request("/h2test/write?n=200000", body=pattern(200000)),
                      self.request("/proxy/size/70000", body=pattern(70000))])


class Uploads(Honest):
    seconds = 0.2

    def step(self):
        data = self.random.randbytes(self.random.choice((10, 60000, 300000)))
        digest = hashlib.sha256(data).hexdigest().encode()
        self.answers([
            self.request("/h2test/echo", "POST", data=data, body=data),
            self.request("/proxy/hash", "POST", data=data, body=b"%d %s\n" % (len(data), digest))])


class Hostile(Kind):
    """Nothing that happens to it matters; it is only counted."""

    def step(self):
        with contextlib.suppress(*PROBLEMS):
            self.attack()
        self.tally.add("attacks")

    def attack(self):
        raise NotImplementedError

    def begin(self, **options):
        return self.connection.open(**options)

    def end(self, client):
        if self.random.random() < 0.5:
            client.abort()
        else:
            client.close()


class RapidResets(Hostile):
    """Far more than is allowed."""
    seconds = 0.2

    def attack(self):
        client = self.begin()
        for _ in range(self.random.randint(1, 8)):
            with client.cork():
                for _ in range(100):
                    path = self.random.choice(("/files/1048576.bin", "/cgi/hello",
                                               "/h2test/write?n=1000&fixup_ms=20"))
                    client.send_reset(client.request("GET", path, keep_body=False))
            client.streams.clear()
            client.frames.clear()
            if client.closed:
                break
        self.end(client)


class Floods(Hostile):
    """Control frames by the thousand."""
    seconds = 0.2

    def attack(self):
        client = self.begin(auto_ack=False)
        frame = self.random.choice((
            frame_bytes(PING, 0, 0, b"8 bytes."),
            frame_bytes(SETTINGS, 0, 0, settings_payload({INITIAL_WINDOW_SIZE: 65535})),
            frame_bytes(2, 0, 1, bytes(5)), frame_bytes(0xbe, 0, 0, b"x")))
        for _ in range(5):
            client.send_raw(frame * 500)
            client.frames.clear()
        self.end(client)


class EndlessBlocks(Hostile):
    """A field block that goes on and on."""
    seconds = 0.5

    def attack(self):
        client = self.begin()
        client.send_headers(1, client.request_fields(), end=True)
        client.send_raw(frame_bytes(1, 0, 3, client.encoder.encode(client.request_fields())))
        for _ in range(12):
            client.send_raw(frame_bytes(CONTINUATION, 0, 3, b"\x00\x01a\x01b" * 100))
        self.end(client)


class ShutWindows(Hostile):
    """Asks for much, takes nothing, and vanishes."""
    seconds = 0.3

    def __init__(self, *args):
        super().__init__(*args)
        self.waiting = []

    def attack(self):
        client = self.begin(settings={INITIAL_WINDOW_SIZE: 0})
        self.waiting.append(client)
        for _ in range(50):
            client.request("GET", self.random.choice(("/files/1048576.bin", "/cgi/large?100000")))
        if len(self.waiting) > 5:
            self.end(self.waiting.pop(0))


class HalfOpen(Hostile):
    """Connections that stop in the middle of their first bytes, kept for some seconds."""
    seconds = 0.1

    def __init__(self, *args):
        super().__init__(*args)
        self.waiting = []

    def attack(self):
        wire = Wire(self.address)
        self.waiting.append(wire)
        # to a port of TLS, the beginning of a ClientHello
        whole = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" if self.is_tls else \
            PREFACE + frame_bytes(SETTINGS, 0, 0) + frame_bytes(1, 4, 1, b"\x82")[:-1]
        wire.queue(whole[:self.random.randint(0, len(whole))])
        wire.step(0, reading=False)
        if len(self.waiting) > HALF_OPEN_MAX:
            self.end(self.waiting.pop(0))


class ConnectAndGo(Hostile):
    """Many connections that end at once, some after a request or in its body."""
    seconds = 0.2

    def attack(self):
        for _ in range(10):
            self.end(Wire(self.address))
        for _ in range(3):
            client = self.begin()
            stream = client.request("POST", "/h2test/echo", end=False)
            client.send_data(stream, bytes(self.random.randint(0, 20000)))
            client.request("GET", "/h2test/write?n=3000000", keep_body=False)
            time.sleep(self.random.random() * 0.02)
            self.end(client)


SIDES = {"honest": (Batches, Batches, Single, Slow, Slow, Large, Uploads),
         "hostile": (RapidResets, Floods, EndlessBlocks, ShutWindows, HalfOpen, ConnectAndGo)}


def choose_kinds(settings):
    return SIDES[settings["side"]]


if __name__ == "__main__":
    main(choose_kinds)

#!/usr/bin/python3
"""Writes the seed inputs of the fuzz targets into test/fuzz/corpus/TARGET/.

Usage: test/fuzz/make_corpus.py [FOLDER]

Each is small, and shows one thing that a client, a handler or a configuration may do. The formats
are those of the targets; client.h says what the events of the machine are. Files that are named
failed-... are inputs that once made a target fail, and are not written here.
"""
import pathlib
import struct
import sys

FOLDER = pathlib.Path(__file__).parent / "corpus"
WRITTEN = {}


def seed(target, name, *parts):
    """One input; parts are bytes or text."""
    data = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    assert (target, name) not in WRITTEN, name
    WRITTEN[target, name] = data


# ---- the machine's events, client.h ---------------------------------------------------------------
(BYTES, FRAME, REQUEST, DATA, SETTINGS, WINDOW, PRIORITY, UPDATE, RESET, PING, GOAWAY, CLOCK, ROOM,
 RUN, END, THREADS) = range(16)
MORE = 0x80

# Flags of a request, and its first choice: method and path.
ENDS, PARENT, PADDED, CUT, TRAILER = 1, 2, 4, 8, 16
GET, POST, HEAD, CONNECT, OPTIONS, LOWER, EMPTY, PUT = range(8)
HTTPS, NO_AUTHORITY = 64, 128

NEW = 0      # an id: the next one
LAST = 1     # the last one that was opened, 2: the one before that ...
ZERO = 32
PROMISED = 33
BEYOND = 35

# Fields by their number in client.c.
OWN, AGENT, COOKIE_A, COOKIE_B, PRIORITY_OWN, PRIORITY_I, PRIORITY_7, DIGEST_OWN, DIGEST, \
    DIGEST_RESET, LENGTH_OWN, LENGTH_5, TE, TE_GZIP, CONNECTION, HOST, WEBSOCKET = range(17)
BLANKS, UPPER, EXPECT, CR = 23, 25, 26, 27


def event(kind, *body):
    """One event; numbers are octets."""
    data = b"".join(bytes([part]) if isinstance(part, int) else
                    part.encode() if isinstance(part, str) else part for part in body)
    return bytes([kind]) + struct.pack(">H", len(data)) + data


def request(flags=ENDS, what=GET, fields=(), more=False, stream=NEW, between=()):
    return event(REQUEST | (MORE if more else 0), flags, stream, *between, what, *fields)


def text(value):
    return bytes([len(value)]) + value.encode()


def setup(mpm="event", tls=False, preface=True, padding=False, frames=False, websockets=True,
          window=None, streams=0, lists=0, diary=None, memory=False, more=0, plan=(0,)):
    flags = {"event": 0, "worker": 1, "prefork": 3}[mpm] | tls << 2 | (not preface) << 3
    flags |= padding << 4 | frames << 5 | (not websockets) << 6 | (window is not None) << 7
    limits = streams | lists << 4 | (diary is not None) << 6 | memory << 7
    more |= (window or 0) | (diary or 0)
    plan = (list(plan) * 16)[:16]
    return bytes([flags, limits, more] + plan)


def run_all(count=4):
    return event(RUN) * count


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(
        ">I", stream) + payload


def setting(name, value):
    return struct.pack(">HI", name, value)


def session_seeds():
    def put(name, *parts):
        seed("session", name, *parts)

    for number in range(16):
        put(f"plan-{number}", setup(plan=[number | size << 4 for size in (2, 5, 11, 15, 7)]),
            request() * 3, event(CLOCK, 20), request(ENDS, POST), request(ENDS, HEAD),
            event(WINDOW, ZERO, 20, 0), event(WINDOW, LAST, 20, 0), run_all())
        put(f"body-{number}", setup(plan=[number | 0x50, number | 0xa0], window=number),
            request(0, POST, [LENGTH_OWN, text("5000")]), event(RUN),
            event(DATA, LAST, 0, 0, 200), event(DATA, LAST, 8, 0, 100), event(RUN),
            event(DATA, LAST, 0, 0x20, 0), event(DATA, LAST, 1, 0, 9), run_all())
    for mpm in ("event", "worker", "prefork"):
        for tls in (False, True):
            put(f"{mpm}-{'tls' if tls else 'clear'}",
                setup(mpm, tls, plan=[0x20, 0x53, 0xb2, 0x46, 0x58, 0x6b]),
                request(fields=[AGENT, COOKIE_A, COOKIE_B], more=True), request(),
                request(0, POST, [EXPECT]), run_all(2), event(DATA, LAST, 1, 1, 0),
                event(WINDOW, ZERO, 18, 0), request() * 3, event(CLOCK, 22), event(CLOCK, 24),
                request(), event(END, 0))
    put("padded", setup(padding=True, more=7, plan=[0x32, 0x52]), request(ENDS | PADDED, GET, [],
        between=[9]) * 2, event(DATA, LAST, 9, 0, 40), event(PING, 0), event(PING, 1))
    put("continuation", setup(lists=1), request(ENDS | CUT, GET, [OWN, text("n" * 40),
        text("v" * 250)]), request(ENDS | CUT, GET, [OWN, text("a"), b"\xff"]))
    put("trailers", setup(plan=[0x53, 0x58]), request(0, POST, [TE]), event(DATA, LAST, 0, 0, 60),
        request(ENDS | TRAILER, stream=LAST, what=OWN, fields=[text("x"), text("y")]), run_all())
    put("push", setup(diary=8, plan=[0x56, 0xc6, 0x1e, 0x3c, 0x6f]), request() * 4, run_all(),
        event(UPDATE, PROMISED, "u=1"), event(RESET, PROMISED, 8), event(PRIORITY, PROMISED, LAST,
        200, 0), event(WINDOW, ZERO, 21, 0))
    put("push-limits", setup(streams=3, plan=[0x56]), event(SETTINGS, 0, setting(3, 1)),
        request(), event(SETTINGS, 0, setting(3, 0)), request(), event(SETTINGS, 0, setting(2, 0)),
        request(), event(SETTINGS, 0, setting(3, 100)), request(fields=[DIGEST]), run_all())
    put("digest", setup(diary=31, plan=[0x16]), request(fields=[DIGEST]), request(
        fields=[DIGEST_RESET]), request(fields=[DIGEST_OWN, text("CkyIeWZSrA")]))
    put("websocket", setup(plan=[0x20]), request(0, CONNECT, [WEBSOCKET]), run_all(1), event(DATA,
        LAST, 0, 0, 9), event(DATA, LAST, 0, 1, 0), event(DATA, LAST, 1, 0, 3), run_all())
    put("websocket-ends", setup(plan=[0x40]), request(0, CONNECT, [WEBSOCKET]) * 6, run_all(6),
        event(RESET, LAST, 8), event(DATA, 2, 1, 1, 0), event(END, 0))
    put("windows", setup(plan=[0xf0, 0xc2]), event(SETTINGS, 0, setting(4, 0)), request() * 3,
        event(WINDOW, LAST, 10, 0), event(WINDOW, ZERO, 30, 0), event(SETTINGS, 0,
        setting(4, 100000)), event(CLOCK, 25), event(CLOCK, 26), run_all())
    put("window-errors", setup(), request(0), event(WINDOW, LAST, 31, 0), request(0), event(
        FRAME, 8, 0, LAST, b"\0\0\0\0"), event(WINDOW, ZERO, 31, 0), event(WINDOW, ZERO, 30, 255))
    put("urgencies", setup(plan=[0xf0, 0x7c, 0xd2]), event(SETTINGS, 0, setting(9, 1)), request(
        fields=[PRIORITY_I]), request(fields=[PRIORITY_7]), event(UPDATE, LAST, "u=0, i"), event(
        UPDATE, 37, "u=2"), request(), request(fields=[PRIORITY_OWN, text("u=1;a=b, i=?0")]),
        event(WINDOW, ZERO, 22, 0))
    put("tree", setup(plan=[0xf0, 0xb2], websockets=False), event(PRIORITY, 37, ZERO, 100, 0),
        event(PRIORITY, 38, 37, 1, 1), request(ENDS | PARENT, GET, [], between=[BEYOND, 15]),
        request(ENDS | PARENT, between=[LAST, 255]), request(ENDS | PARENT, between=[2, 9]),
        event(PRIORITY, 2, LAST, 7, 1), event(PRIORITY, LAST, LAST, 7, 0), event(WINDOW, ZERO, 22,
        0), event(RESET, 2, 0))
    put("resets", setup(plan=[0x23, 0x52], streams=4), (request(0, more=True) + event(
        RESET, LAST, 8)) * 6, request() * 8, run_all(6))
    put("rooms", setup(plan=[0xf0, 0xa2], tls=True), event(ROOM, 0, 1), request() * 2, event(
        ROOM, 0, 99), event(ROOM, 1, 0), event(CLOCK, 20), event(ROOM, 0x10, 0), event(
        ROOM, 0, 0), event(WINDOW, ZERO, 22, 0))
    put("slow", setup(plan=[0xf0]), event(ROOM, 0, 1), request(), event(CLOCK, 26), event(
        CLOCK, 26), event(CLOCK, 28))
    put("threads", setup(plan=[0x5b, 0x53]), event(THREADS, 1), request(0) * 5, run_all(2), event(
        THREADS, 0), request() * 2, event(THREADS, 5), run_all())
    put("goaway", setup(plan=[0xf2]), request(), event(GOAWAY, 0, "bye"), request(), event(
        WINDOW, ZERO, 22, 0), event(WINDOW, LAST, 22, 0))
    for name, how in (("eof", 0), ("reset", 1), ("drain", 2), ("stop", 3), ("preface", 4)):
        put(f"end-{name}", setup(plan=[0x53, 0xf2, 0x6b]), request(0), request() * 3, event(RUN),
            event(END, how), request(), event(CLOCK, 19), event(CLOCK, 22), request())
    put("bad-fields", setup(), *(request(fields=[field]) for field in (CONNECTION, UPPER, CR,
        TE_GZIP, HOST, BLANKS, LENGTH_5)), request(ENDS, EMPTY), request(ENDS, LOWER | 2 << 3),
        request(ENDS, GET | 3 << 3), request(ENDS, OPTIONS | 2 << 3))
    put("bytes", setup(preface=False), event(BYTES, PREFACE, frame(4, 0, 0, setting(3, 100)
        + setting(4, 65535)), frame(1, 5, 1, b"\x82\x84\x86\x41\x01a")), event(BYTES, frame(
        8, 0, 0, b"\0\1\0\0"), frame(3, 0, 1, b"\0\0\0\x08"), frame(0xa, 0, 0, b"alt-svc")))
    put("http1", setup(preface=False), event(BYTES, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
    put("in-pieces", setup(preface=False), *(event(BYTES, bytes([octet])) for octet in PREFACE
        + frame(4, 0, 0) + frame(1, 0x25, 1, b"\0\0\0\0\x0f\x82\x84\x86\x41\x01a")))
    put("frames", setup(frames=True), *(event(FRAME, kind, 0, stream, b"\0" * 8)
                                        for kind in (2, 6, 10, 0x10, 0xff) for stream in (ZERO, LAST)))
    put("large-frame", setup(frames=True), request(0), event(FRAME, 0, 0, LAST, b"x" * 1500),
        event(GOAWAY, 0, b"x" * 1500))
    put("heads", setup(plan=[0xfa, 0x0a], memory=True, more=0x85), request() * 4, event(
        WINDOW, ZERO, 22, 0))


session_seeds()


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for (target, name), data in WRITTEN.items():
        path = folder / target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    print(f"{len(WRITTEN)} inputs, {sum(map(len, WRITTEN.values()))} bytes")


if __name__ == "__main__":
    main()

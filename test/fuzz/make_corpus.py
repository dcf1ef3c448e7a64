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
 RUN, END, THREADS, MEMORY) = range(17)
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
          window=None, streams=0, lists=0, diary=None, memory=False, more=0, patience=0, plan=(0,)):
    flags = {"event": 0, "worker": 1, "prefork": 3}[mpm] | tls << 2 | (not preface) << 3
    flags |= padding << 4 | frames << 5 | (not websockets) << 6 | (window is not None) << 7
    limits = streams | lists << 4 | (diary is not None) << 6 | memory << 7
    more |= (window or 0) | (diary or 0)
    plan = (list(plan) * 16)[:16]
    return bytes([flags, limits, more, patience] + plan)


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
    put("two-goaways", setup(plan=[0xf2]), request(), event(ROOM, 0, 1), request(), event(END, 2), event(
        CLOCK, 19), event(CLOCK, 19), request(), event(WINDOW, ZERO, 30, 0) * 2, event(ROOM, 0, 0))
    put("ended-while-draining", setup(plan=[0x53]), request(0), event(END, 2), event(WINDOW, 37, 5, 0),
        event(CLOCK, 19), event(CLOCK, 19), *[event(DATA, LAST, 0, 0, 0)] * 4, run_all())
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
    for number, what in enumerate((event(RESET, LAST, 8), event(PING, 0), event(SETTINGS, 0), event(
            PRIORITY, LAST, 2, 9, 0), event(UPDATE, 37, "u=1"), event(WINDOW, ZERO, 1, 0), event(
            DATA, LAST, 0, 0, 0), event(FRAME, 0xfa, 0, ZERO), event(RESET, 2, 8), event(DATA, 3, 0,
            0, 9), request(fields=[CONNECTION]))):
        for patience in (1, 2):
            put(f"flood-{number}-{patience}", setup(patience=patience, streams=3, plan=[0x53]),
                request(0) * 3, event(RESET, 3, 8), what * 24, request(), event(CLOCK, 23), what * 2)
    put("patience", setup(patience=0x74, plan=[0xf0, 0x20]), event(BYTES, b"\0\0\x09"), event(
        CLOCK, 20), event(CLOCK, 21))
    put("fast-upload", setup(plan=[0x53]), request(0, POST) * 2, event(RUN), *(event(
        DATA, stream, 0, 0x40, 0) for stream in (1, 2) * 14), event(RUN), event(DATA, LAST, 0, 0x3f, 0),
        event(DATA, LAST, 1, 0, 1), event(CLOCK, 24), event(DATA, 2, 0, 0x40, 0), event(END, 0))
    put("slow-upload", setup(plan=[0x53]), request(0, POST), event(RUN), *(event(DATA, LAST, 0, 0x20, 0)
        + event(CLOCK, 21) for _ in range(6)), event(RESET, LAST, 8))
    put("wall", setup(plan=[0x53, 0xf0]), request(0), event(RUN), event(CLOCK, 1, 0x9f), event(CLOCK, 20,
        0x1f), request(), event(CLOCK, 22, 0x96), event(DATA, LAST, 1, 0, 9), event(CLOCK, 26))
    for count in (0, 3, 9, 20, 40, 80):
        put(f"memory-{count}", setup(plan=[0x53, 0x56, 0x58]), event(MEMORY, count, 0), request(0, POST,
            [OWN, text("a" * 90), text("b" * 200)]), event(DATA, LAST, 1, 16, 0), request() * 3, event(
            PRIORITY, 41, LAST, 9, 0), event(UPDATE, 43, "u=1"), request(fields=[DIGEST]), run_all())
    put("requests", setup(patience=0x10), request() * 5)
    put("time", setup(patience=0x20, plan=[0xf0]), request(), event(CLOCK, 22), request())
    put("small-credit", setup(plan=[0xf0]), event(SETTINGS, 0, setting(4, 0)), request(), event(
        WINDOW, LAST, 3, 0) * 24, event(CLOCK, 18), event(WINDOW, LAST, 3, 0) * 3, event(
        WINDOW, LAST, 12, 0), event(CLOCK, 26), event(CLOCK, 26))
    put("past", setup(patience=1, plan=[0x20]), request(), request(stream=36), *(event(
        FRAME, kind, 0, stream, b"\0\0\0\1") for kind in (0, 3, 8, 0xfa) for stream in (1, 2, 3)))
    put("grace", setup(plan=[0x20]), request(0, POST, [LENGTH_5]), event(CLOCK, 17), event(
        DATA, LAST, 1, 0, 5), request(0, POST, [LENGTH_5]), event(CLOCK, 20), request(0, POST))
    put("settings-values", setup(), *(event(SETTINGS, 0, setting(name, value)) for name, value in (
        (4, 70000), (3, 5), (5, 20000), (1, 0), (6, 9), (8, 0), (2, 0), (4, 0x80000000))))
    put("heads", setup(plan=[0xfa, 0x0a], memory=True, more=0x85), request() * 4, event(
        WINDOW, ZERO, 22, 0))


def list_seeds(target, prefix, values):
    for number, value in enumerate(values, 1):
        seed(target, f"{number}", prefix, value)


def field_value_seeds():
    list_seeds("link", b"", [
        "</a.css>; rel=preload; as=style", "</a>;rel=\"x preload\";nopush, </b>;rel=preload;critical",
        "<//h/\u00e4>; REL = preload ; as=\"sc\\\"ript\" ,, <x>;rel=next", "</a>;title=\"<,>\";rel=preload",
        "</a>; rel=preload; anchor=\"/b\"", "</open; rel=preload, \"x", ";;;</a>;=;rel", "",
    ])
    list_seeds("priority", b"", [
        "u=0", "u=7, i", "u=3;a=b;c, i=?0, x=\"y\\\"z\\\\\", z=(1 2.5 :YQ==: tok);q", "i=?1,u=-1",
        "*a_.-=12.345, u=999999999999999", "  u=1 \t,\t i  ", "u=8", "u=1.0", "u=,", "(", "",
    ])
    list_seeds("cache_digest", b"\x20", [
        "AfdA", "AfdA; complete", "CkyIeWZSrA;reset", "EcXkE2e-k_Q , AeQA;validators", "AAAA", "BHw=",
        "////;stale", "\"x\"", ";;,", "CEhI8CQS;reset,AfdA;reset",
    ])


def frames_seeds():
    magic = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    settings = frame(4, 0, 0)
    place = b"\x80\0\0\x03\x0f"
    list_seeds("frames", b"\x03", [
        magic + settings + frame(2, 0, 5, place) + frame(1, 0x24, 7, place + b"\x82")
        + frame(1, 0x2c, 9, b"\1" + place + b"\x82\0"),
        settings + frame(0, 0, 1, b"x" * 20) + frame(1, 1, 3, b"\x82") + frame(9, 4, 3, b"\x84"),
        frame(5, 0, 1, b"\0\0\0\2\x82") + frame(9, 4, 1) + frame(2, 0, 0, place),
        magic + frame(2, 0, 1, b"\0" * 4) + frame(1, 0x20, 1, b"\0") + frame(0x10, 0, 0, place) * 2,
        magic + frame(1, 5, 0x7fffffff, b"\x82") + frame(1, 5, 1, b"\x82") + frame(4, 0, 0, setting(4,
              0x80000000)), b"\x0c" + setting(2, 2) + setting(5, 1), magic + frame(1, 1, 1) + frame(
              9, 0, 1) + frame(0, 0, 1, b"x") + b"\0\0",
        magic + frame(2, 0, 3, place + b"more") + frame(2, 0, 0, place) + frame(2, 0, 5, place),
    ])


def head_seeds():
    def value(text_of):
        return bytes([len(text_of)]) + text_of.encode()

    plain = [b"\x01", value("a.example"), b"\x02", value("https"), b"\x03", value("/x?y=z")]
    cookies = [b"\x04", value("a=1"), b"\x04", value("b=2"), b"\x00", value("x"), value("1"), b"\x00",
               value("x"), value(" 2\t")]
    for flags in (0, 1, 2, 3, 4, 8, 16, 0x40):
        seed("head", f"flags-{flags}", bytes([flags, 0x70]), *plain, *cookies)
    seed("head", "limits", b"\0\x93", *plain, *cookies, b"\x0b", value("n" * 60))
    seed("head", "host", b"\1\x70", b"\x03", value("*"), b"\x05", value("b.example"), b"\x06",
         value("5"), b"\x07", value("100-continue"), b"\x08", value("u=1"))
    seed("head", "long", b"\0\0", b"\x03\xf3/" + b"p" * 2099, b"\x00", value("n" * 200), value(""))
    seed("response", "usual", b"\0\x64", *(bytes([name]) + value("text") for name in range(1, 16)))
    seed("response", "own", b"\0\x68\0", value("X-Own"), value(" \t v \t"), b"\0", value("bad name"),
         value("v"), b"\0", value(":x"), value("v"))
    seed("response", "large", b"\0\x64\0", value("n"), b"\xff", b"v" * 3000)
    seed("response", "control", b"\0\x64\x01", value("a\rb"), b"\x02", value("a\x7fb"))


def head_text_seeds():
    texts = [
        "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nx:y\r\n\r\nHTTP/1.1 103 x\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.0 200 OK\nContent-Length: 5\nX:  y \n\nhello",
        "HTTP/2.0 404 no\r\nContent-Length: x\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n"
        "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "HTTP/1.1 102\r\nbad name: x\r\n"
        "Content-Length: 1\r\nno colon\r\n: empty\r\n\r\n", "HTTP/1.1 204 x\r\n"
        "Transfer-Encoding: chunked\r\n\r\n", "no head at all", "HTTP/1.1 999 x\r\n\r\n",
        "HTTP/1.1 103 x\r\n" + "a:b\r\n" * 110 + "\r\n", "HTTP/1.1 103 x\r\na: b\nc: d\r\n\r\n",
        "HTTP/1.1 103 x\r\n\r\n" * 40, "HTTP/1.1 103 x\r\na: " + "b" * 8300 + "\r\n\r\n",
    ]
    for number, value in enumerate(texts, 1):
        for flags in (0, 1, 2, 5, 9) if len(value) < 400 else (0, 1):
            seed("head_text", f"{number}-{flags}", bytes([flags, 0 if flags else 7]), value)


def upgrade_seeds():
    def value(text_of):
        return bytes([len(text_of)]) + text_of.encode()

    def put(name, settings, target="", flags=0, fields=(), events=b""):
        seed("upgrade", name, setup(diary=8, plan=[0x36, 0xf0]), value(settings), value(target),
             bytes([flags | len(fields)]), *(value(a) + value(b) for a, b in fields), events)

    put("empty", "")
    put("usual", "AAMAAABkAAQCAAAAAAIAAAAA", "x?y=z", 0, [("Cookie", "a=b"), ("User-Agent", "c")],
        event(WINDOW, ZERO, 20, 0) + request())
    put("padded", "AAMAAABkAARAAAAAAAIAAAAA==", events=request())
    put("no-window", "AAQAAAAA", events=event(WINDOW, 1, 20, 0) + event(END, 0))
    put("bad-window", "AAT_____")
    put("odd-length", "AAMAAABkAA")
    put("no-base64", "AAM+/ABk")
    put("head-request", "AAMAAABk", "a", 0x40)
    put("options", "AAMAAABk", "", 0x80)
    put("rfc9218", "AAkAAAAB", "a", 0, [("Priority", "u=1"), ("Cache-Digest", "AfdA;reset")],
        event(UPDATE, LAST, "u=0") + request())
    put("body", "AAMAAABk", "a", 0, [("Content-Length", "5")])
    put("fields", "AAMAAABk", "a", 0, [("TE", "x"), (":path", "/y"), ("bad name", ""), ("Host", "b")])


def priorities_seeds():
    # The types of events are those of fuzz_priorities.c.
    ask, update, place, own, window, reset, settings = range(7)
    shut = event(settings, 0, setting(4, 0))
    four = event(ask | MORE, ENDS, NEW, GET) * 4
    seed("priorities", "updates", b"\0", shut, four, event(update, 1, "u=0"), event(update, 2, "u=5, i"),
         event(update, 37, "u=1"), event(ask, ENDS, NEW, GET), event(update, 3, "u=x"), event(
         window, 1, 14, 0), event(window, 2, 16, 0))
    seed("priorities", "early", b"\x40", *(event(update, number, "i") for number in (41, 43, 45, 47)),
         four)
    seed("priorities", "updates-of-nothing", b"\1", four, event(update, ZERO, "u=1"), event(
         update, PROMISED, "u=2"), event(update, 34, "u=2"))
    seed("priorities", "short", b"\0", four, event(own, 0, 0, 0, b"\0\0\1"))
    seed("priorities", "long", b"\0", four, event(own, 0, 0, ZERO, b"\0\0\0\1u=1;a=" + b"b" * 300))
    seed("priorities", "on-a-stream", b"\0", four, event(own, 0, 0, 1, b"\0\0\0\1u=1"))
    seed("priorities", "tree", b"\2", shut, event(place, 37, ZERO, 200, 0), event(place, 38, 37, 1, 1),
         event(ask, ENDS | PARENT, NEW, 38, 7, GET), event(ask, ENDS | PARENT, NEW, LAST, 255, GET),
         event(place, 2, LAST, 3, 1), event(place, LAST, LAST, 3, 0), event(own, 1, 0, ZERO, b"\0" * 5),
         event(window, 1, 16, 0), event(window, 2, 16, 0), event(reset, 1, 8), event(window, ZERO, 20, 0))
    seed("priorities", "fields", b"\0", event(ask, ENDS, NEW, GET, PRIORITY_OWN, text("u=1, i=?0")),
         event(ask, ENDS, NEW, GET, PRIORITY_I, PRIORITY_7), event(ask, ENDS, NEW, GET), event(
         settings, 0, setting(9, 1)), event(window, ZERO, 22, 0), event(window, 1, 18, 0))
    seed("priorities", "groups", b"\0", *(event(place, number, ZERO, 9, 0)
         for number in range(41, 121, 2)), four)


def small_seeds():
    def step(*numbers):
        return bytes(numbers)

    seed("push_rule", "some", b"\4", *(bytes([place, order, 9, len(kind)]) + kind.encode()
         for place, order, kind in ((0, 0, "*"), (1, 1, "text/css"), (0, 2, "TEXT/css"),
         (1, 0, "text/css"))), b"\2", b"\2/a\1\0\2/a\0\1", b"\x0btext/css; x\4text\0")
    seed("push_rule", "none", b"\0\0", b"\x09text/html")
    seed("chunks", "all", *(step(kind | side, 0x11, 0x80, 1) for kind in range(8)
         for side in (0, 0x80)), step(5, 0x30, 0, 0), step(0x85, 1, 0, 0), step(6, 0, 0, 0))
    seed("chunks", "files", step(3, 0x10, 0, 0) * 3, step(4, 0x28, 0x10, 0), step(1, 0, 9, 0), step(
         7, 0, 0, 1), step(0x87, 0, 0, 1), step(0x84, 0xff, 0xff, 0), step(7, 0, 0, 2))
    for limits in (b"\0", b"\1\x05\x05\x05\x05\x05\x05", b"\2"):
        seed("flood", f"limits-{limits[0]}", limits, *(step(5, cause, 255) for cause in range(12)),
             step(0, 22, 0), step(1, 0, 3), step(2, 0, 3), *(step(6, cause, 255) for cause in range(
                 12)), *(step(3, number, number) + step(4, number, 1) for number in range(9)), step(
                 0, 35, 0), step(7, 0, 255))
    for name, kinds in (("joins", (0, 1, 4, 11)), ("pushed", (0, 2, 8, 20, 32, 4, 11, 3)),
                        ("priorities", (0, 9, 4, 11, 6)), ("groups", (10, 0, 7, 4, 11, 10, 3))):
        seed("scheduler", name, *(step(kind, number * 7, number * 3, number * 40 % 256)
             for number in range(12) for kind in kinds))


session_seeds()
field_value_seeds()
frames_seeds()
head_seeds()
head_text_seeds()
upgrade_seeds()
priorities_seeds()
small_seeds()


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    for (target, name), data in WRITTEN.items():
        path = folder / target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    print(f"{len(WRITTEN)} inputs, {sum(map(len, WRITTEN.values()))} bytes")


if __name__ == "__main__":
    main()

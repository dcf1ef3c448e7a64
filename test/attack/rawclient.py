# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""A client that misbehaves: raw frames of HTTP/2, as fast as they go, with the standard library only.

It knows none of the tests' other client on purpose: what both get wrong in the same way would not be
seen. Its requests are literals without compression. What comes back is read while it sends.

    client = RawClient(("127.0.0.1", 8000))
    client.flood(frame(PING, payload=bytes(8)) * 20000)
    client.wait_goaway()
"""

import collections
import select
import socket
import ssl
import struct
import time

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MAX_WINDOW = 2 ** 31 - 1

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION, ALTSVC = range(11)
PRIORITY_UPDATE = 0x10
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, \
    MAX_HEADER_LIST_SIZE = range(1, 7)

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, \
    FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, CALM, \
    INADEQUATE_SECURITY, HTTP_1_1_REQUIRED = range(14)
CODE_NAMES = ("NO_ERROR PROTOCOL_ERROR INTERNAL_ERROR FLOW_CONTROL_ERROR SETTINGS_TIMEOUT "
              "STREAM_CLOSED FRAME_SIZE_ERROR REFUSED_STREAM CANCEL COMPRESSION_ERROR CONNECT_ERROR "
              "CALM INADEQUATE_SECURITY HTTP_1_1_REQUIRED").split()


def code_name(code):
    return CODE_NAMES[code] if code < len(CODE_NAMES) else "code %#x" % code


# -- bytes ------------------------------------------------------------------------------------------


def frame(type, flags=0, stream=0, payload=b"", length=None):
    """`length`: another one than the payload has."""
    length = len(payload) if length is None else length
    return struct.pack(">BHBBI", length >> 16, length & 0xffff, type, flags, stream) + payload


def settings(*pairs):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", *pair) for pair in pairs))


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def reset(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def priority(stream, parent=0, weight=16):
    return frame(PRIORITY, 0, stream, struct.pack(">IB", parent, weight - 1))


def goaway(last=0, code=NO_ERROR):
    return frame(GOAWAY, payload=struct.pack(">II", last, code))


def number(value, bits, first=0):
    """An integer of HPACK with `bits` of the first byte for it (RFC 7541, 5.1)."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((first | value,))
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + [value])


def text(value):
    value = value if isinstance(value, bytes) else value.encode("latin-1")
    return number(len(value), 7) + value


def field(name, value, first=0x00):
    """A literal with a literal name; `first` 0x40 puts it into the dynamic table."""
    return bytes((first,)) + text(name) + text(value)


def block(fields):
    return b"".join(field(name, value) for name, value in fields)


def head(path="/files/1.bin", method="GET", scheme="http", authority="a.test", extra=()):
    """The fields of a request; what is None is left out."""
    pairs = ((":method", method), (":scheme", scheme), (":authority", authority), (":path", path))
    return [pair for pair in pairs if pair[1] is not None] + list(extra)


def headers(stream, fields, end=True):
    """HEADERS, with CONTINUATION where one frame is too small. `fields` may be bytes of HPACK."""
    data = fields if isinstance(fields, bytes) else block(fields)
    parts = [data[i:i + 16384] for i in range(0, len(data), 16384)] or [b""]
    out = b""
    for i, part in enumerate(parts):
        flags = END_STREAM if end and i == 0 else 0
        flags |= END_HEADERS if i == len(parts) - 1 else 0
        out += frame(CONTINUATION if i else HEADERS, flags, stream, part)
    return out


# -- the status of a response, of which only digits need Huffman's code -----------------------------

STATIC_STATUS = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
STATUS_NAMES = range(8, 15)
DIGITS = {(5, 0): "0", (5, 1): "1", (5, 2): "2", **{(6, 0x19 + i): str(3 + i) for i in range(7)}}


def digits_of(data):
    bits = "".join("{:08b}".format(byte) for byte in data)
    found = ""
    while len(found) < 3:
        size = 5 if (5, int(bits[:5], 2)) in DIGITS else 6
        found += DIGITS[(size, int(bits[:size], 2))]
        bits = bits[size:]
    return int(found)


def status_of(data):
    """The first field of a response, without a dynamic table; None if that is no :status."""
    while data and data[0] & 0xe0 == 0x20:          # changes of the table's size
        data = data[1:] if data[0] & 0x1f < 0x1f else data[3:]
    if not data:
        return None
    if data[0] & 0x80:
        return STATIC_STATUS.get(data[0] & 0x7f)
    index = data[0] & (0x3f if data[0] & 0x40 else 0x0f)
    if index not in STATUS_NAMES:
        return None
    size = data[1] & 0x7f
    return digits_of(data[2:2 + size]) if data[1] & 0x80 else int(data[2:2 + size])


# -- the client -------------------------------------------------------------------------------------

Frame = collections.namedtuple("Frame", "type flags stream payload at")


def tls_context(certificate=None, alpn="h2"):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([alpn])
    if certificate:
        context.load_cert_chain(*certificate)
    return context


class RawClient:
    """A connection, whose own window is wide. `closed` is true once the server has ended it;
    `broke` if by a TCP RST."""
    CHUNK = 65536

    def __init__(self, address, tls=None, sni="a.test", receive_buffer=None, begin=True, ack=True,
                 scheme=None, own_settings=(), is_wide=True, timeout=20):
        self.scheme = scheme or ("https" if tls else "http")
        self.acks = ack             # does it acknowledge SETTINGS and PING?
        self.frames = []            # but for those that are only counted
        self.counts = collections.Counter()     # of types
        self.goaways, self.resets, self.statuses, self.ended = [], {}, {}, set()
        self.bodies = collections.defaultdict(bytearray)
        self.peer_settings = {}
        self.credit = {}            # what the server has given: stream: bytes
        self.closed = self.broke = False
        self.closed_at = None
        self.next_id = 1
        self._in = bytearray()
        self._replies = bytearray() # to be sent where no frame is cut in two
        self._is_within = False     # has a send() ended in the midst of its bytes?
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(timeout)        # of connecting
        self.sock.connect(address)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname=sni)
        self.sock.setblocking(False)
        self.born = time.monotonic()
        if begin:       # without a dynamic table, so that each status can be understood
            self.send(PREFACE + settings((HEADER_TABLE_SIZE, 0), *own_settings)
                      + (window_update(0, 1 << 30) if is_wide else b""))

    # -- sending ------------------------------------------------------------------------------

    def send(self, data, reading=True, timeout=30.0):
        """True when all of it is sent; false once the server has said GOAWAY, or has closed, or
        takes nothing for `timeout`."""
        view = memoryview(bytes(self._replies) + data)
        self._replies.clear()
        deadline = time.monotonic() + timeout
        while view and not self.closed and not (reading and self.goaways):
            sent = self._write(view[:self.CHUNK])
            view = view[sent:]
            if reading:
                self._read_all()
            if sent:
                deadline = time.monotonic() + timeout
            elif time.monotonic() > deadline:
                return False
            else:
                self._poll(0.05, select.POLLOUT | (select.POLLIN if reading else 0))
        self._is_within = bool(view)
        return not view

    def flood(self, *parts, reading=True):
        """Sends each of the parts until the server has had enough; how many went out."""
        for i, part in enumerate(parts):
            if not self.send(part, reading):
                return i
        return len(parts)

    def request(self, path="/files/1.bin", end=True, extra=(), reading=True, **how):
        """Sends one; the id of its stream."""
        stream = self.next_id
        self.next_id += 2
        how.setdefault("scheme", self.scheme)
        self.send(headers(stream, head(path, extra=extra, **how), end), reading)
        return stream

    def _write(self, view):
        try:
            return self.sock.send(view)
        except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
            return 0
        except (OSError, ssl.SSLError):
            self._read_all()            # what came before the end
            self._end(True)
            return 0

    # -- receiving ----------------------------------------------------------------------------

    def _poll(self, seconds, events=select.POLLIN):
        poll = select.poll()
        poll.register(self.sock, events)
        return poll.poll(max(0, seconds) * 1000)

    def _end(self, broke):
        if not self.closed:
            self.closed, self.broke, self.closed_at = True, broke, time.monotonic()

    def _read_all(self):
        while not self.closed:
            try:
                data = self.sock.recv(262144)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except ssl.SSLEOFError:
                data = b""
            except (OSError, ssl.SSLError):
                self._end(True)
                break
            if not data:
                self._end(False)
                break
            self._in += data
        self._take_frames()

    def _take_frames(self):
        start, size, now = 0, len(self._in), time.monotonic()
        while size - start >= 9:
            high, low, type, flags, stream = struct.unpack_from(">BHBBI", self._in, start)
            end = start + 9 + (high << 16 | low)
            if end > size:
                break
            self._take(Frame(type, flags, stream & MAX_WINDOW, bytes(self._in[start + 9:end]), now))
            start = end
        del self._in[:start]

    def _take(self, it):
        self.counts[it.type] += 1
        if it.type == DATA:
            self.bodies[it.stream] += it.payload
        elif it.type in (HEADERS, CONTINUATION):
            self._take_block(it)
        elif it.type == RST_STREAM:
            self.resets[it.stream] = struct.unpack(">I", it.payload)[0]
        elif it.type == GOAWAY:
            self.goaways.append(it)
        elif it.type == WINDOW_UPDATE:
            self.credit[it.stream] = self.credit.get(it.stream, 0) + struct.unpack(
                ">I", it.payload)[0]
        elif it.type == SETTINGS and not it.flags & ACK:
            for at in range(0, len(it.payload), 6):
                key, value = struct.unpack_from(">HI", it.payload, at)
                self.peer_settings[key] = value
            if self.acks:
                self._replies += frame(SETTINGS, ACK)
        elif it.type == PING and not it.flags & ACK and self.acks:
            self._replies += frame(PING, ACK, 0, it.payload)
        if it.type in (DATA, HEADERS) and it.flags & END_STREAM:
            self.ended.add(it.stream)
        if it.type not in (DATA, WINDOW_UPDATE) and not (it.type in (PING, SETTINGS)
                                                         and it.flags & ACK):
            self.frames.append(it)

    def _take_block(self, it):
        if it.type == HEADERS:
            data = it.payload
            if it.flags & PADDED:
                data = data[1:len(data) - data[0]]
            status = status_of(data[5:] if it.flags & WITH_PRIORITY else data)
            if status and status >= 200:
                self.statuses[it.stream] = status

    def wait(self, condition, timeout=10.0):
        """Reads until the condition holds, or the server closes: whether it holds."""
        deadline = time.monotonic() + timeout
        while not condition():
            left = deadline - time.monotonic()
            if self.closed or left <= 0:
                return bool(condition())
            if self._poll(min(left, 1)):
                self._read_all()
            if self._replies and not self._is_within:
                self.send(b"", reading=False, timeout=1)
        return True

    def read_for(self, seconds):
        self.wait(lambda: False, seconds)

    def wait_response(self, stream, timeout=10.0):
        """The status of a whole response; or "RST CODE", "GA CODE", "closed", "nothing"."""
        self.wait(lambda: stream in self.ended or stream in self.resets or self.goaways, timeout)
        return self.outcome(stream)

    def outcome(self, stream):
        if stream in self.ended and self.resets.get(stream, NO_ERROR) == NO_ERROR:
            return self.statuses.get(stream)
        if stream in self.resets:
            return "RST " + code_name(self.resets[stream])
        if self.goaways:
            return "GA " + code_name(self.goaway_code)
        return "closed" if self.closed else "nothing"

    def get(self, path="/files/1.bin", timeout=10.0, **how):
        return self.wait_response(self.request(path, **how), timeout)

    def ping(self, timeout=10.0):
        """The server has worked on all that was sent before; false if it does not answer."""
        before = self.counts[PING]
        self.send(frame(PING, payload=b"question"))
        return self.wait(lambda: self.counts[PING] > before, timeout)

    @property
    def goaway_code(self):
        return struct.unpack_from(">I", self.goaways[-1].payload, 4)[0] if self.goaways else None

    @property
    def codes(self):
        """All that came."""
        return list(self.resets.values()) + [
            struct.unpack_from(">I", it.payload, 4)[0] for it in self.goaways]

    @property
    def last_stream_id(self):
        return struct.unpack_from(">I", self.goaways[-1].payload)[0] & MAX_WINDOW

    def wait_goaway(self, timeout=10.0):
        """Its code, or None."""
        self.wait(lambda: self.goaways, timeout)
        return self.goaway_code

    def wait_closed(self, timeout=10.0):
        return self.wait(lambda: self.closed, timeout)

    @property
    def reaction(self):
        """A word for what the server has done with the connection."""
        if self.goaways:
            return "GA " + code_name(self.goaway_code)
        if self.resets:
            codes = sorted({code_name(code) for code in self.resets.values()})
            return "RST " + "/".join(codes)
        statuses = sorted(set(self.statuses.values()))
        return "/".join(map(str, statuses)) if statuses else "closed" if self.closed else "-"

    @property
    def seconds_to_reaction(self):
        for it in self.frames:
            if it.type in (GOAWAY, RST_STREAM):
                return it.at - self.born
        return self.closed_at - self.born if self.closed_at else None

    def __repr__(self):
        return "<%s, %s%s; frames %s>" % (
            self.reaction, "broken" if self.broke else "closed" if self.closed else "open",
            " (%d GOAWAY)" % len(self.goaways), dict(self.counts))

    # -- the end ------------------------------------------------------------------------------

    def close(self):
        self.closed = True
        self.sock.close()

    def abort(self):
        """Closes with a TCP RST."""
        self.closed = True
        raw = socket.socket(fileno=self.sock.detach())
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raw.close()

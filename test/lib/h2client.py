# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""A frame-level HTTP/2 client for tests.

Nothing happens behind the test's back: every frame that arrives is kept in `Client.frames`, and what
the client does by itself (acknowledging SETTINGS and PING, opening windows) can be switched off.
The client is single-threaded: it reads and writes only inside its own calls, each with a time limit.

    with Client(("127.0.0.1", 8443), tls=Tls(sni="a.test")) as c:
        r = c.get("/index.html")
        assert r.status == 200 and r.complete
"""

import contextlib
import select
import socket
import ssl
import struct
import time
from base64 import urlsafe_b64encode

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MAX_WINDOW = 2 ** 31 - 1

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, \
    CONTINUATION = range(10)
PRIORITY_UPDATE = 0x10
FRAME_NAMES = {DATA: "DATA", HEADERS: "HEADERS", PRIORITY: "PRIORITY", RST_STREAM: "RST_STREAM",
               SETTINGS: "SETTINGS", PUSH_PROMISE: "PUSH_PROMISE", PING: "PING", GOAWAY: "GOAWAY",
               WINDOW_UPDATE: "WINDOW_UPDATE", CONTINUATION: "CONTINUATION",
               PRIORITY_UPDATE: "PRIORITY_UPDATE"}

END_STREAM, ACK, END_HEADERS, PADDED, PRIORITY_FLAG = 0x1, 0x1, 0x4, 0x8, 0x20

HEADER_TABLE_SIZE, ENABLE_PUSH, MAX_CONCURRENT_STREAMS, INITIAL_WINDOW_SIZE, MAX_FRAME_SIZE, \
    MAX_HEADER_LIST_SIZE = range(1, 7)
ENABLE_CONNECT_PROTOCOL, NO_RFC7540_PRIORITIES = 8, 9

NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, \
    FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, \
    ENHANCE_YOUR_CALM, INADEQUATE_SECURITY, HTTP_1_1_REQUIRED = range(14)


class WireTimeout(AssertionError):
    """What a test waited for did not come in time."""


class WireClosed(AssertionError):
    """The server closed the connection before what a test waited for."""


class Frame:
    """One frame. The payload of a received DATA frame is not kept; its length is."""
    __slots__ = ("type", "flags", "stream_id", "payload", "length", "time", "sent")

    def __init__(self, type, flags, stream_id, payload=b"", length=None, sent=False):
        self.type = type
        self.flags = flags
        self.stream_id = stream_id
        self.payload = payload
        self.length = len(payload) if length is None else length
        self.time = time.monotonic()
        self.sent = sent

    @property
    def error_code(self):
        offset = 4 if self.type == GOAWAY else 0
        return struct.unpack_from(">I", self.payload, offset)[0]

    @property
    def last_stream_id(self):
        return struct.unpack_from(">I", self.payload)[0] & MAX_WINDOW

    def __repr__(self):
        name = FRAME_NAMES.get(self.type, "type %d" % self.type)
        text = "%s %s stream=%d flags=%#x length=%d" % (
            ">" if self.sent else "<", name, self.stream_id, self.flags, self.length)
        if self.type == GOAWAY and len(self.payload) >= 8:
            text += " last=%d code=%d %r" % (self.last_stream_id, self.error_code, self.payload[8:])
        elif self.type == RST_STREAM and len(self.payload) == 4:
            text += " code=%d" % self.error_code
        elif self.type in (SETTINGS, WINDOW_UPDATE, PRIORITY):
            text += " " + self.payload.hex()
        return text


def frame_bytes(type, flags, stream_id, payload=b"", length=None):
    """The bytes of a frame; `length` states another length than the payload has."""
    length = len(payload) if length is None else length
    return struct.pack(">BHBBI", length >> 16, length & 0xffff, type, flags,
                       stream_id) + bytes(payload)


def settings_payload(settings):
    pairs = settings.items() if isinstance(settings, dict) else settings
    return b"".join(struct.pack(">HI", key, value) for key, value in pairs)


class Tls:
    """What the client offers in a TLS handshake."""
    _contexts = {}

    def __init__(self, sni="a.test", alpn=("h2",), max_version=None, ciphers=None):
        self.sni = sni
        self.alpn = tuple(alpn)
        self.max_version = max_version
        self.ciphers = ciphers

    def context(self):
        key = (self.alpn, self.max_version, self.ciphers)
        if key not in self._contexts:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            if self.max_version:
                context.maximum_version = self.max_version
            if self.ciphers:
                context.set_ciphers(self.ciphers)
            if self.alpn:
                context.set_alpn_protocols(list(self.alpn))
            self._contexts[key] = context
        return self._contexts[key]


class Wire:
    """Bytes to and from a server, clear text or TLS, never blocking but in `step`."""
    CHUNK = 256 * 1024

    def __init__(self, address, tls=None, receive_buffer=None, timeout=10.0, max_segment=None):
        self.eof = False
        self.was_reset = False
        self.out = bytearray()
        self.bytes_in = 0
        self.bytes_out = 0
        self.tls_records = []       # payload sizes of the TLS records received
        self._record_tail = b""
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if max_segment:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, max_segment)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(timeout)
        self.sock.connect(address)
        self.sock.setblocking(False)
        self.ssl = None
        if tls:
            self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.ssl = tls.context().wrap_bio(self._incoming, self._outgoing,
                                              server_hostname=tls.sni)
            self._handshake(timeout)

    @property
    def alpn(self):
        return self.ssl.selected_alpn_protocol() if self.ssl else None

    def _handshake(self, timeout):
        deadline = time.monotonic() + timeout
        while True:
            try:
                self.ssl.do_handshake()
                self.out += self._outgoing.read()
                return
            except ssl.SSLWantReadError:
                self.out += self._outgoing.read()
            if not self._poll(deadline - time.monotonic(), True):
                raise WireTimeout("TLS handshake not finished")
            data = self._receive()
            if self.eof:
                raise WireClosed("closed during the TLS handshake")
            if data:
                self._incoming.write(data)

    def queue(self, data):
        """Takes data for sending; nothing is sent before the next step."""
        if self.ssl:
            view = memoryview(data)
            while view:
                view = view[self.ssl.write(view):]
            self.out += self._outgoing.read()
        else:
            self.out += data

    def _poll(self, timeout, reading):
        """Sends what the socket takes; true if there is something to read (or to have been sent)."""
        events = (select.POLLIN if reading else 0) | (select.POLLOUT if self.out else 0)
        if not events:
            return False
        poll = select.poll()
        poll.register(self.sock, events)
        ready = poll.poll(max(0, timeout) * 1000)
        if not ready:
            return False
        if ready[0][1] & (select.POLLOUT | select.POLLERR | select.POLLHUP) and self.out:
            self._send()
        return True

    def _send(self):
        try:
            n = self.sock.send(self.out)
            self.bytes_out += n
            del self.out[:n]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self.was_reset = True
            self.out.clear()

    def _receive(self):
        try:
            data = self.sock.recv(self.CHUNK)
        except BlockingIOError:
            return b""
        except ConnectionResetError:
            self.was_reset = True
            data = b""
            self.eof = True
            return data
        if not data:
            self.eof = True
        self.bytes_in += len(data)
        return data

    def step(self, timeout, reading=True):
        """Waits at most `timeout` for the socket; returns received plain bytes, maybe none.
        None: nothing happened at all in that time."""
        if self.ssl and reading:
            data = self._decrypt()
            if data:
                return data
        if self.eof:
            self.out.clear()
            return b""
        if not self._poll(timeout, reading):
            return None
        if not reading:
            return b""
        data = self._receive()
        if self.ssl and data:
            self._note_records(data)
            self._incoming.write(data)
            return self._decrypt()
        return data

    def _decrypt(self):
        parts = []
        try:
            while True:
                part = self.ssl.read(self.CHUNK)
                if not part:
                    self.eof = True
                    break
                parts.append(part)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.eof = True
        answer = self._outgoing.read()
        if answer:
            self.out += answer
        return b"".join(parts)

    def _note_records(self, data):
        data = self._record_tail + data
        pos = 0
        while len(data) - pos >= 5:
            size = struct.unpack_from(">H", data, pos + 3)[0]
            if len(data) - pos < 5 + size:
                break
            self.tls_records.append(size)
            pos += 5 + size
        self._record_tail = data[pos:]

    def close(self):
        self.sock.close()

    def abort(self):
        """Closes with a TCP RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Message:
    """What has fields and a body."""

    @property
    def headers(self):
        found = {}
        for name, value in self.fields:
            found[name] = found[name] + ", " + value if name in found else value
        return found

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")


class Stream(Message):
    """A request and what came back for it."""

    def __init__(self, client, stream_id, keep_body=True):
        self.client = client
        self.id = stream_id
        self.status = None
        self.fields = []            # of the final response, in order
        self.interim = []           # (status, fields) of each 1xx
        self.trailers = None
        self.body = bytearray()
        self.keep_body = keep_body
        self.received = 0           # body bytes, kept or not
        self.ended = False          # END_STREAM seen
        self.reset = None           # code of RST_STREAM
        self.send_window = client.peer_settings[INITIAL_WINDOW_SIZE]
        self.unacknowledged = 0
        self.promise = None         # of a pushed one: the fields of its request, in order
        self.pushed_on = None       # and the stream that it was promised on

    @property
    def path(self):
        """Of a pushed request."""
        return dict(self.promise)[":path"]

    @property
    def done(self):
        return self.ended or self.reset is not None

    @property
    def complete(self):
        """A whole response: ended by END_STREAM and not reset with an error."""
        return self.ended and self.reset in (None, NO_ERROR)

    def __repr__(self):
        return "<stream %d: status %s, %d bytes, ended=%s, reset=%s>" % (
            self.id, self.status, self.received, self.ended, self.reset)


class Client:
    """One HTTP/2 connection.

    settings        the content of the first SETTINGS frame
    window          credit of the whole connection, sent beside SETTINGS (default: RFC's 65535)
    auto_window     give credit back as bytes arrive
    auto_ack        acknowledge SETTINGS and PING
    upgrade         bytes of an HTTP/1.1 request that asks for h2c; its response is stream 1
    handshake       send preface and SETTINGS at once
    timeout         seconds that each wait may last where its caller says nothing else
    time_factor     by which all these times are multiplied
    max_segment     the largest TCP segment that is taken: 64 KiB on loopback, 1460 on an Ethernet
    """

    def __init__(self, address, tls=None, settings=None, window=65535, auto_window=True,
                 auto_ack=True, upgrade=None, handshake=True, authority="a.test",
                 receive_buffer=None, timeout=10.0, time_factor=1, max_segment=None):
        self.timeout = timeout
        self.time_factor = time_factor
        self.authority = authority
        self.scheme = "https" if tls else "http"
        self.auto_window = auto_window
        self.auto_ack = auto_ack
        self.reading = True
        self.frames = []
        self.streams = {}
        self.pings = []
        self.pushed = []            # streams that the server has promised
        self.goaways = []
        self.settings_acks = 0
        self.peer_settings = {INITIAL_WINDOW_SIZE: 65535, MAX_FRAME_SIZE: 16384,
                              HEADER_TABLE_SIZE: 4096, ENABLE_PUSH: 1}
        self.peer_settings_frames = 0
        self.settings = dict(settings or {})
        self.window = window
        self.send_window = 65535
        self.unacknowledged = 0
        self.next_id = 1
        self.encoder = hpack.Encoder()
        self.decoder = hpack.Decoder(max_header_list_size=1 << 20)
        self._in = bytearray()
        self._block = None          # (stream id, flags, fragments) of an unfinished header block
        self._corked = None
        self._held = []             # frames that must not overtake the preface
        self.wire = Wire(address, tls, receive_buffer, timeout * time_factor, max_segment)
        if tls and "h2" in tls.alpn:
            assert self.wire.alpn == "h2", "h2 was not negotiated, but %r" % self.wire.alpn
        if upgrade:
            self._upgrade(upgrade)
        if handshake:
            self.handshake()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    # -- connection ---------------------------------------------------------------------------

    def handshake(self):
        with self.cork():
            self.send_raw(PREFACE)
            self.send_settings(self.settings)
            self.started()
            if self.window > 65535:
                self.send_window_update(0, self.window - 65535)

    def started(self):
        """The preface is sent: what waited for it may follow. For tests that send their own."""
        held, self._held = self._held, None
        for frame in held or ():
            self.send_frame(*frame)

    def _upgrade(self, request):
        encoded = urlsafe_b64encode(settings_payload(self.settings)).rstrip(b"=")
        self.reading = False        # what comes first is no frame
        self.send_raw(request.replace(b"%SETTINGS%", encoded))
        self.reading = True
        deadline = self._deadline()
        head = bytearray()
        while b"\r\n\r\n" not in head:
            data = self.wire.step(deadline - time.monotonic())
            if data is None:
                raise WireTimeout("no response to Upgrade")
            if self.wire.eof:
                raise WireClosed("closed after Upgrade")
            head += data
        end = head.index(b"\r\n\r\n") + 4
        self.upgrade_response = bytes(head[:end])
        assert self.upgrade_response.startswith(b"HTTP/1.1 101"), self.upgrade_response
        self.streams[1] = Stream(self, 1)
        self.next_id = 3
        self._feed(head[end:])

    def _deadline(self, timeout=None):
        return time.monotonic() + self.time_factor * (self.timeout if timeout is None else timeout)

    @property
    def closed(self):
        return self.wire.eof

    def close(self):
        self.wire.close()

    def abort(self):
        self.wire.abort()

    # -- sending ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def cork(self):
        """All that is sent inside leaves in one write."""
        if self._corked is not None:
            yield
            return
        self._corked = bytearray()
        try:
            yield
        finally:
            data, self._corked = self._corked, None
        self.send_raw(data)

    def send_raw(self, data):
        if self._corked is not None:
            self._corked += data
            return
        self.wire.queue(data)
        self.flush()

    def flush(self, timeout=None):
        """Sends all that is queued, reading meanwhile so that neither side blocks the other."""
        deadline = self._deadline(timeout)
        while self.wire.out and not self.wire.eof:
            data = self.wire.step(deadline - time.monotonic(), self.reading)
            if data is None and time.monotonic() >= deadline:
                raise WireTimeout("the server does not read")
            if data:
                self._feed(data)

    def send_frame(self, type, flags=0, stream_id=0, payload=b"", length=None):
        frame = Frame(type, flags, stream_id, b"" if type == DATA else payload,
                      len(payload), sent=True)
        self.frames.append(frame)
        self.send_raw(frame_bytes(type, flags, stream_id, payload, length))

    def send_settings(self, settings=None, ack=False):
        self.send_frame(SETTINGS, ACK if ack else 0, 0, settings_payload(settings or {}))
        if settings and not ack:
            self.settings.update(settings)

    def send_window_update(self, stream_id, increment):
        self.send_frame(WINDOW_UPDATE, 0, stream_id, struct.pack(">I", increment))

    def send_reset(self, stream, code=CANCEL):
        stream_id = stream if isinstance(stream, int) else stream.id
        self.send_frame(RST_STREAM, 0, stream_id, struct.pack(">I", code))

    def send_ping(self, payload=b"8 bytes."):
        self.send_frame(PING, 0, 0, payload)

    def send_goaway(self, last_stream_id=0, code=NO_ERROR, debug=b""):
        self.send_frame(GOAWAY, 0, 0, struct.pack(">II", last_stream_id, code) + debug)

    def request_fields(self, method="GET", path="/", headers=(), authority=None, scheme=None):
        fields = [(":method", method), (":scheme", scheme or self.scheme),
                  (":authority", authority or self.authority), (":path", path)]
        if method == "CONNECT":
            fields = [fields[0], fields[2]]
        extra = headers.items() if isinstance(headers, dict) else headers
        return fields + list(extra)

    def send_headers(self, stream_id, fields, end=True, flags=0):
        """A HEADERS frame, with CONTINUATION frames where one is too small."""
        block = self.encoder.encode(fields)
        size = self.peer_settings[MAX_FRAME_SIZE]
        parts = [block[i:i + size] for i in range(0, len(block), size)] or [b""]
        flags |= END_STREAM if end else 0
        with self.cork():       # nothing that is sent by itself may come between
            for i, part in enumerate(parts):
                last = END_HEADERS if i == len(parts) - 1 else 0
                self.send_frame(HEADERS if i == 0 else CONTINUATION,
                                last | (flags if i == 0 else 0), stream_id, part)

    def open(self, keep_body=True):
        """A stream with the next id, without sending anything."""
        stream = Stream(self, self.next_id, keep_body)
        self.streams[stream.id] = stream
        self.next_id += 2
        return stream

    def request(self, method="GET", path="/", headers=(), body=None, end=True, authority=None,
                scheme=None, keep_body=True):
        """Sends a request, without waiting for the response. With `end` false the body goes on."""
        stream = self.open(keep_body)
        fields = self.request_fields(method, path, headers, authority, scheme)
        self.send_headers(stream.id, fields, end=end and body is None)
        if body is not None:
            self.send_data(stream, body, end=end)
        return stream

    def extended_connect(self, path="/", headers=(), protocol="websocket", authority=None,
                         scheme=None, end=False):
        """A CONNECT of RFC 8441, without waiting for the response."""
        stream = self.open()
        fields = [(":method", "CONNECT"), (":protocol", protocol),
                  (":scheme", scheme or self.scheme), (":authority", authority or self.authority),
                  (":path", path)]
        self.send_headers(stream.id, fields + list(headers), end=end)
        return stream

    def send_data(self, stream, data=b"", end=False, timeout=None):
        """Sends a body as the server's windows allow; stops when the stream is reset.
        Returns the number of bytes sent."""
        deadline = self._deadline(timeout)
        view = memoryview(data)
        sent = 0
        while True:
            size = min(len(view) - sent, self.peer_settings[MAX_FRAME_SIZE],
                       max(0, self.send_window), max(0, stream.send_window))
            if stream.reset is not None or self.closed:
                return sent
            if size == 0 and sent < len(view):
                self._step(deadline, "window to send %d more bytes on stream %d"
                           % (len(view) - sent, stream.id))
                continue
            last = sent + size == len(view)
            self.send_frame(DATA, END_STREAM if last and end else 0, stream.id,
                            view[sent:sent + size])
            self.send_window -= size
            stream.send_window -= size
            sent += size
            if last:
                return sent

    # -- receiving ----------------------------------------------------------------------------

    def _step(self, deadline, what):
        left = deadline - time.monotonic()
        data = self.wire.step(max(0, left))
        if data:
            self._feed(data)
        elif self.wire.eof:
            raise WireClosed("connection closed, waited for %s; %s" % (what, self.tail()))
        elif data is None and left <= 0:
            raise WireTimeout("waited for %s; %s" % (what, self.tail()))

    def poll(self):
        """Takes in what has arrived, without waiting."""
        while True:
            data = self.wire.step(0)
            if not data:
                return
            self._feed(data)

    def wait_for(self, condition, what="a condition", timeout=None):
        deadline = self._deadline(timeout)
        while not condition():
            self._step(deadline, what)

    def wait(self, *streams, timeout=None):
        """Waits until each stream has ended or was reset; returns the (first) stream."""
        for stream in streams:
            self.wait_for(lambda: stream.done, "the end of %r" % stream, timeout)
        return streams[0] if streams else None

    def wait_head(self, stream, timeout=None):
        self.wait_for(lambda: stream.status is not None or stream.done,
                      "the head of %r" % stream, timeout)
        return stream

    def wait_reset(self, stream, timeout=None):
        self.wait_for(lambda: stream.reset is not None, "RST_STREAM on %r" % stream, timeout)
        return stream

    def wait_bytes(self, stream, n, timeout=None):
        self.wait_for(lambda: stream.received >= n or stream.done,
                      "%d bytes on %r" % (n, stream), timeout)
        return stream

    def wait_goaway(self, timeout=None, count=1):
        self.wait_for(lambda: len(self.goaways) >= count, "GOAWAY", timeout)
        return self.goaways[count - 1]

    def wait_closed(self, timeout=None):
        with contextlib.suppress(WireClosed):
            self.wait_for(lambda: False, "the end of the connection", timeout)

    def wait_settings(self, timeout=None):
        """The server's SETTINGS arrived, and ours were acknowledged."""
        self.wait_for(lambda: self.peer_settings_frames and self.settings_acks,
                      "SETTINGS and its ACK", timeout)
        return self.peer_settings

    def ping(self, timeout=None):
        """A round trip: the server has read all that was sent before."""
        count = len(self.pings)
        self.send_ping(struct.pack(">Q", count + 1))
        self.wait_for(lambda: len(self.pings) > count, "the ACK of PING", timeout)

    def fetch(self, *args, timeout=None, **kwargs):
        return self.wait(self.request(*args, **kwargs), timeout=timeout)

    def get(self, path="/", headers=(), **kwargs):
        return self.fetch("GET", path, headers, **kwargs)

    def received(self, type=None, stream=None):
        """The frames that arrived, of a type and stream."""
        stream_id = stream.id if isinstance(stream, Stream) else stream
        return [f for f in self.frames if not f.sent and (type is None or f.type == type)
                and (stream_id is None or f.stream_id == stream_id)]

    def tail(self, count=12):
        return "last frames:\n  " + "\n  ".join(repr(f) for f in self.frames[-count:])

    def _feed(self, data):
        self._in += data
        start, size = 0, len(self._in)
        while size - start >= 9:
            high, low, type, flags, stream_id = struct.unpack_from(">BHBBI", self._in, start)
            length = (high << 16) | low
            if size - start - 9 < length:
                break
            begin = start + 9
            start = begin + length
            if type == DATA:
                with memoryview(self._in) as view:
                    self._on_data(flags, stream_id & MAX_WINDOW, view[begin:start])
            else:
                self._on_frame(Frame(type, flags, stream_id & MAX_WINDOW,
                                     bytes(self._in[begin:start])))
        del self._in[:start]
        if self.auto_window and not self.closed:
            self._give_credit()
        if self._corked is None and self.wire.out and not self.wire.eof:
            self.wire.step(0, reading=False)

    def _queue_frame(self, type, flags=0, stream_id=0, payload=b""):
        if self._held is not None:
            self._held.append((type, flags, stream_id, payload))
            return
        self.frames.append(Frame(type, flags, stream_id, payload, sent=True))
        self.wire.queue(frame_bytes(type, flags, stream_id, payload))

    def _give_credit(self):
        if self.unacknowledged >= self.window // 2:
            self._queue_frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", self.unacknowledged))
            self.unacknowledged = 0
        limit = self.settings.get(INITIAL_WINDOW_SIZE, 65535) // 2
        for stream in [s for s in self.streams.values() if s.unacknowledged > limit]:
            if not stream.done:
                self._queue_frame(WINDOW_UPDATE, 0, stream.id,
                                  struct.pack(">I", stream.unacknowledged))
            stream.unacknowledged = 0

    def _on_data(self, flags, stream_id, payload):
        self.frames.append(Frame(DATA, flags, stream_id, b"", len(payload)))
        self.unacknowledged += len(payload)
        stream = self.streams.get(stream_id)
        if stream is None:
            return
        stream.unacknowledged += len(payload)
        if flags & PADDED:
            payload = payload[1:len(payload) - payload[0]]
        stream.received += len(payload)
        if stream.keep_body:
            stream.body += payload
        if flags & END_STREAM:
            stream.ended = True

    def _on_frame(self, frame):
        self.frames.append(frame)
        if frame.type in (HEADERS, CONTINUATION, PUSH_PROMISE):
            self._on_block(frame)
        elif frame.type == RST_STREAM:
            stream = self.streams.get(frame.stream_id)
            if stream is not None:
                stream.reset = frame.error_code
        elif frame.type == SETTINGS:
            self._on_settings(frame)
        elif frame.type == PING:
            if frame.flags & ACK:
                self.pings.append(frame)
            elif self.auto_ack:
                self._queue_frame(PING, ACK, 0, frame.payload)
        elif frame.type == GOAWAY:
            self.goaways.append(frame)
        elif frame.type == WINDOW_UPDATE:
            increment = struct.unpack(">I", frame.payload)[0]
            if frame.stream_id == 0:
                self.send_window += increment
            elif frame.stream_id in self.streams:
                self.streams[frame.stream_id].send_window += increment

    def _on_settings(self, frame):
        if frame.flags & ACK:
            self.settings_acks += 1
            return
        for offset in range(0, len(frame.payload), 6):
            key, value = struct.unpack_from(">HI", frame.payload, offset)
            if key == INITIAL_WINDOW_SIZE:
                for stream in self.streams.values():
                    stream.send_window += value - self.peer_settings[key]
            self.peer_settings[key] = value
        self.peer_settings_frames += 1
        if self.auto_ack:
            self._queue_frame(SETTINGS, ACK)

    def _on_block(self, frame):
        payload = frame.payload
        if frame.type != CONTINUATION:
            promised_id = None
            if frame.flags & PADDED:
                payload = payload[1:len(payload) - payload[0]]
            if frame.type == PUSH_PROMISE:
                promised_id = struct.unpack_from(">I", payload)[0]
                payload = payload[4:]
            elif frame.flags & PRIORITY_FLAG:
                payload = payload[5:]
            self._block = (frame.stream_id, promised_id, frame.flags, [payload])
        else:
            self._block[3].append(payload)
        if not frame.flags & END_HEADERS:
            return
        stream_id, promised_id, flags, parts = self._block
        self._block = None
        fields = [(_text(n), _text(v)) for n, v in self.decoder.decode(b"".join(parts), raw=True)]
        if promised_id is not None:
            self._on_promise(stream_id, promised_id, fields)
            return
        stream = self.streams.get(stream_id)
        if stream is None:
            return
        if fields and fields[0][0] == ":status":
            status = int(fields[0][1])
            if status < 200:
                stream.interim.append((status, fields[1:]))
            else:
                assert stream.status is None, "second final response on %r" % stream
                stream.status, stream.fields = status, fields[1:]
        else:
            stream.trailers = fields
        if flags & END_STREAM:
            stream.ended = True


    def _on_promise(self, stream_id, promised_id, fields):
        assert promised_id % 2 == 0 and promised_id not in self.streams
        stream = self.streams[promised_id] = Stream(self, promised_id)
        stream.promise, stream.pushed_on = fields, stream_id
        self.pushed.append(stream)


def _text(value):
    return value.decode("latin-1") if isinstance(value, bytes) else value


def wait_all(clients, condition, what="all connections", timeout=10.0):
    """Reads from many connections until `condition(client)` holds for each."""
    deadline = time.monotonic() + timeout * clients[0].time_factor
    waiting = {c.wire.sock.fileno(): c for c in clients}
    poll = select.poll()
    for fd, client in list(waiting.items()):
        client.poll()
        if condition(client):
            del waiting[fd]
        else:
            poll.register(fd, select.POLLIN)
    while waiting:
        left = deadline - time.monotonic()
        if left <= 0:
            raise WireTimeout("waited for %s: %d are not there" % (what, len(waiting)))
        for fd, _ in poll.poll(left * 1000):
            client = waiting[fd]
            client.poll()
            if condition(client):
                del waiting[fd]
                poll.unregister(fd)
            elif client.closed:
                raise WireClosed("a connection closed, waited for %s; %s" % (what, client.tail()))

"""Clients that mean no good, or do not go on."""

import contextlib
import struct
import time

import configurations
from cells import LARGE, NO, PART, SMALL, SOON, YES, Cell, feature
from wire import h2

ROWS = []
STALLED = 40


def _stall(subject, path, count):
    """Connections each of which takes a window of a large response, and no more."""
    clients = [subject.client(auto_window=False) for _ in range(count)]
    streams = [client.request(path=path, keep_body=False) for client in clients]
    deadline = time.monotonic() + SOON
    for client, stream in zip(clients, streams):
        left = deadline - time.monotonic()
        with contextlib.suppress(h2.WireTimeout, h2.WireClosed):
            client.wait_bytes(stream, 65535, timeout=max(0.01, left))
    return clients, sum(stream.received >= 65535 for stream in streams)


def _stalled_cell(subject, path, next_path):
    clients, served = _stall(subject, path, STALLED)
    try:
        try:
            with subject.client(timeout=SOON) as client:
                good = client.get(next_path).status == 200
        except (h2.WireTimeout, h2.WireClosed):
            good = False
        return Cell(YES if good and served == STALLED else NO,
                    f"{served} of {STALLED} had their window full, the next is answered: {good}",
                    "" if good else f"{served} of {STALLED} are served until their window is full, "
                    "then no other is")
    finally:
        for client in clients:
            client.abort()


@feature(ROWS)
def stalled_files(subject):
    """Stalled downloads of files hold no thread

    40 clients each leave a file's download lying when their window is full; a server with 16
    threads (httpd) has served them all so far, and answers the next one.
    """
    return _stalled_cell(subject, LARGE, SMALL)


@feature(ROWS)
def stalled_back_end(subject):
    """Stalled downloads from a back end hold no thread

    The same with responses of 4 MiB of a back end; the next one wants something of it, too.
    """
    return _stalled_cell(subject, "/be/large/1", "/be/links/1")


def _ended(client):
    return client.closed or any(frame.error_code != h2.NO_ERROR for frame in client.goaways)


def _flood(client, pieces):
    """Sends them until the server has had enough; how many that were, None: it took all."""
    sent = 0
    for piece in pieces:
        try:
            client.send_raw(piece)
            client.poll()
        except (h2.WireTimeout, h2.WireClosed, OSError):
            return sent
        sent += 1
        if _ended(client):
            return sent
    # without a PING, which may not come within a field block
    with contextlib.suppress(h2.WireTimeout, h2.WireClosed):
        client.wait_for(lambda: _ended(client), timeout=1.5)
    return sent if _ended(client) else None


def _resets(client, count, at_once=20):
    """Requests for what a back end never answers, each reset at once."""
    for _ in range(count // at_once):
        piece = b""
        for _ in range(at_once):
            block = client.encoder.encode(client.request_fields(path="/be/never/1"))
            piece += h2.frame_bytes(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, client.next_id,
                                    block)
            piece += h2.frame_bytes(h2.RST_STREAM, 0, client.next_id,
                                    struct.pack(">I", h2.CANCEL))
            client.next_id += 2
        yield piece


@feature(ROWS)
def rapid_reset(subject):
    """Rapid Reset ends the connection

    3000 requests, each reset at once, as fast as they can be sent; the connection is ended, and not
    only as it would be after as many requests that were answered.
    """
    with subject.client() as client:
        client.wait_settings()
        pieces = _flood(client, _resets(client, 3000))
        if pieces is not None:
            return Cell(YES, f"ended after at most {20 * pieces} resets: {client.goaways}")
    with subject.client("tls") as client:
        client.wait_settings()
        _flood(client, _resets(client, 3000))
        if client.goaways or client.closed:
            return Cell(PART, f"{client.goaways}, closed {client.closed}", "after as many requests "
                        "as a connection may have (`keepalive_requests`, 1000), reset or not")
    return Cell(NO, "3000 resets were taken")


@feature(ROWS)
def continuation_flood(subject):
    """A flood of CONTINUATION frames ends the connection

    A field block without end, in 4 MiB of fields and in 10000 empty frames.
    """
    field = b"\x00\x01a\x64" + b"x" * 100
    floods = {"full": (field * 9, 4300), "empty": (b"", 10000)}
    seen = {}
    for how, (content, count) in floods.items():
        with subject.client() as client:
            client.wait_settings()
            block = client.encoder.encode(client.request_fields())
            client.send_raw(h2.frame_bytes(h2.HEADERS, h2.END_STREAM, 1, block))
            piece = h2.frame_bytes(h2.CONTINUATION, 0, 1, content) * 10
            pieces = _flood(client, [piece] * (count // 10))
            seen[how] = None if pieces is None else 10 * pieces
    text = f"ended after at most so many frames: {seen}"
    if None not in seen.values():
        return Cell(YES, text)
    if set(seen.values()) != {None}:
        return Cell(PART, text, "full frames are limited, empty ones not" if seen["full"] else
                    "empty frames are limited, full ones not")
    return Cell(NO, text)


def _trickle(client, data):
    """Sends it byte by byte until the connection ends; how long that took."""
    began = time.monotonic()
    for byte in data:
        try:
            client.send_raw(bytes([byte]))
            client.wait_for(lambda: client.closed or client.goaways, timeout=0.2)
            break
        except h2.WireTimeout:
            pass
        except (h2.WireClosed, OSError):
            break
        if time.monotonic() - began > 3 * configurations.HASTE:
            return None
    return time.monotonic() - began


def _wait_end(client, data):
    """Sends it and no more; how long the connection is still there."""
    began = time.monotonic()
    client.send_raw(data)
    try:
        client.wait_for(lambda: client.closed or client.goaways, timeout=3 * configurations.HASTE)
    except h2.WireClosed:
        pass
    except h2.WireTimeout:
        return None
    return time.monotonic() - began


@feature(ROWS)
def slow_fields(subject):
    """A field block has to come in time

    Byte by byte, five a second: the connection ends when the time is over that can be set, 2 s.
    Where it does not, half a block is sent and nothing more.
    """
    took = []
    for how in (_trickle, _wait_end):
        with subject.client("hasty") as client:
            client.wait_settings()
            block = client.encoder.encode(client.request_fields(headers=[("x-a", "x" * 200)]))
            data = h2.frame_bytes(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, 1, block)
            took.append(how(client, data[:-20]))
            if took[0]:
                return Cell(YES, f"ended after {took[0]:.1f} s")
    if took[1]:
        return Cell(PART, f"byte by byte goes on, silence was ended after {took[1]:.1f} s",
                    "only where nothing at all comes for that time")
    return Cell(NO, "neither is ended")

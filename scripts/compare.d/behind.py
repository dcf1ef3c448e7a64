"""What back ends say and are told."""

import contextlib
import struct

from backends import PUSHED
from cells import NO, PART, SOON, YES, Cell, feature, yes_if
from wire import h2

ROWS = []


def _hint_cell(subject, path, gate):
    """103 while the back end still holds the response back, or only with it."""
    with subject.client("tls") as client:
        stream = client.request(path=path)
        with contextlib.suppress(h2.WireTimeout):
            client.wait_for(lambda: stream.interim or stream.done, "103", timeout=SOON)
        early, pushed = list(stream.interim), list(client.pushed)
        subject.backends.gate(gate).set()
        with contextlib.suppress(h2.WireTimeout):
            client.wait(stream)
        seen = f"1xx before: {early}, at all: {stream.interim}, then {stream}, pushed before: " \
               f"{pushed}"
        if early and early[0][0] == 103 and stream.status == 200:
            return Cell(YES, seen)
        if stream.interim:
            if stream.status is None:
                return Cell(NO, seen, "a back end's 103 is passed on as if it were the response, "
                            "which never comes")
            return Cell(PART, seen, "comes with the response only")
        if pushed:
            return Cell(PART, seen, "no 103; what a back end's 103 names is pushed at once")
        return Cell(NO, seen)


@feature(ROWS)
def early_hints(subject):
    """103 Early Hints of a back end, at once

    A back end sends 103 and holds the response back until the client has the 103.
    """
    return _hint_cell(subject, "/be/hint/hint", "hint")


@feature(ROWS)
def configured_hints(subject):
    """103 Early Hints from the configuration

    A directive says what to hint; the client has the 103 before the back end answers.
    """
    return _hint_cell(subject, "/be/gate/hinted", "hinted")


@feature(ROWS)
def push(subject):
    """Server push of `Link: rel=preload`

    A back end's response has the Link field; what it names is promised and sent.
    """
    with subject.client("tls") as client:
        client.get("/be/links/1")
        client.ping()
        pushed = [client.wait(stream) for stream in client.pushed]
        return yes_if(any(each.path == PUSHED and each.status == 200 for each in pushed), pushed)


@feature(ROWS)
def push_once(subject):
    """What was pushed is not pushed again

    A second request of the connection, with the cookies that the first one got, names the same
    resource; it is not promised again.
    """
    with subject.client("tls") as client:
        first = client.get("/be/links/1")
        client.ping()
        count = len(client.pushed)
        cookies = [value.split(";")[0] for stream in [first, *client.pushed]
                   for name, value in client.wait(stream).fields if name == "set-cookie"]
        client.get("/be/links/2", [("cookie", each) for each in cookies])
        client.ping()
        again = len(client.pushed) - count
        return yes_if(count and not again, f"pushed {count}, then {again}, cookies {cookies}")


@feature(ROWS)
def response_trailers(subject):
    """Trailers of an HTTP/1.1 back end's response

    Those that follow its last chunk reach the client.
    """
    with subject.client() as client:
        stream = client.get("/be/trailers/1", [("te", "trailers")])
        return yes_if(("x-sum", "12") in (stream.trailers or []), f"{stream} {stream.trailers}")


@feature(ROWS)
def request_trailers(subject):
    """Trailers of a request, to an HTTP/2 back end

    A POST that ends with a field block; the back end gets one, too.
    """
    with subject.client() as client:
        stream = client.request("POST", "/h2be/x", [("te", "trailers")], body=b"body", end=False)
        client.send_headers(stream.id, [("x-sum", "12")])
        arrived = subject.backends.trailers_seen.wait(SOON)
        return yes_if(arrived, f"the back end has seen trailers: {arrived}")


@feature(ROWS)
def grpc(subject):
    """gRPC

    A unary call to a gRPC server behind it: message and `grpc-status: 0` come back.
    """
    if not subject.backends.grpc:
        raise LookupError("python3-grpcio is not installed")
    message = b"\0" + struct.pack(">I", 5) + b"hello"
    with subject.client() as client:
        stream = client.fetch("POST", "/calls/echo", [
            ("content-type", "application/grpc"), ("te", "trailers")], body=message)
        good = stream.body == message and ("grpc-status", "0") in (stream.trailers or [])
        return yes_if(good, f"{stream} {stream.trailers}")


@feature(ROWS)
def websockets(subject):
    """WebSockets over HTTP/2 (RFC 8441)

    Extended CONNECT is announced, answered with 200, and a message comes back from the back end.
    """
    frame = b"\x81\x85\0\0\0\0hello"
    with subject.client() as client:
        if not client.wait_settings().get(h2.ENABLE_CONNECT_PROTOCOL):
            return Cell(NO, f"not announced: {client.peer_settings}")
        stream = client.extended_connect("/be/ws/1", [("sec-websocket-version", "13")])
        client.wait_head(stream)
        client.send_data(stream, frame)
        client.wait_bytes(stream, len(frame))
        return yes_if(stream.status == 200 and stream.body == frame, stream)


@feature(ROWS)
def broken_off(subject):
    """A response that breaks off is a reset

    A back end goes away in the middle, of a response with a length and of one in chunks: the
    stream is reset, or the response a 502, and does not end as if it were whole.
    """
    seen = {}
    for how in ("short", "cut"):
        with subject.client() as client:
            stream = client.get(f"/be/{how}/1")
            seen[how] = stream.reset not in (None, h2.NO_ERROR) or stream.status == 502
    if all(seen.values()):
        return Cell(YES, str(seen))
    if any(seen.values()):
        return Cell(PART, str(seen), "a response with a length that breaks off ends as if it were "
                    "whole" if seen["cut"] else "chunks without the last one end as if they were "
                    "whole")
    return Cell(NO, str(seen))

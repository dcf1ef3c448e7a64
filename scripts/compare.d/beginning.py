"""How a connection begins."""

import time

from cells import NO, SMALL, SOON, Cell, feature, yes_if
from wire import h2

ROWS = []


@feature(ROWS)
def alpn(subject):
    """HTTP/2 over TLS, by ALPN

    A client that offers h2 alone gets it, and a file.
    """
    with subject.client("tls") as client:
        stream = client.get(SMALL)
        return yes_if(client.wire.alpn == "h2" and stream.status == 200, stream)


@feature(ROWS)
def prior_knowledge(subject):
    """HTTP/2 in clear text, by prior knowledge

    A client begins with the preface and gets a file.
    """
    with subject.client() as client:
        stream = client.get(SMALL)
        return yes_if(stream.status == 200 and stream.complete, stream)


@feature(ROWS)
def upgrade(subject):
    """HTTP/2 in clear text, by Upgrade

    A GET in HTTP/1.1 with `Upgrade: h2c` is answered with 101, and on stream 1.
    """
    request = (f"GET {SMALL} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings"
               "\r\nUpgrade: h2c\r\nHTTP2-Settings: %SETTINGS%\r\n\r\n").encode()
    try:
        with subject.client(upgrade=request) as client:
            stream = client.wait(client.streams[1])
            return yes_if(stream.status == 200, stream)
    except h2.WireTimeout:
        raise
    except AssertionError as refused:
        return Cell(NO, f"{refused!s:.100}")


@feature(ROWS)
def one_port(subject):
    """HTTP/1.1 beside it on the same port

    The clear-text port that speaks HTTP/2 answers a GET in HTTP/1.1, too.
    """
    wire = h2.Wire(subject.address())
    wire.queue(f"GET {SMALL} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    answer, deadline = b"", time.monotonic() + SOON
    while not wire.eof and time.monotonic() < deadline:
        answer += wire.step(0.2) or b""
    wire.close()
    return yes_if(answer.startswith(b"HTTP/1.1 200"), answer[:40])

"""Who is sent first, and in what pieces."""

import struct
import time

from cells import LARGE, NO, PART, WIDE, YES, Cell, feature, yes_if
from wire import h2

ROWS = []


def _shares(subject, ask, between=None, count=1 << 20):
    """Two large files are asked for by `ask(client, index)`, and the connection's window shuts;
    `between` may change their order; the bytes of both when it opens for `count` more."""
    with subject.client(settings={**WIDE, h2.NO_RFC7540_PRIORITIES: 0 if between is None else 1},
                        auto_window=False) as client:
        streams = [ask(client, index) for index in (0, 1)]
        client.wait_for(lambda: sum(s.received for s in streams) >= 65535, "a full window")
        if between:
            between(client, streams)
        client.ping()
        before = [stream.received for stream in streams]
        client.send_window_update(0, count)
        client.wait_for(lambda: sum(s.received for s in streams) >= 65535 + count, "the next one")
        return [stream.received - b for stream, b in zip(streams, before)]


def _shares_of_tcp(subject, ask):
    """The same where the windows are wide and the client does not read for a while. The first 5 MiB
    are not counted: they may have been in the kernel before the second request was there."""
    with subject.client(settings=WIDE, window=64 << 20, receive_buffer=65536) as client:
        client.wait_settings()
        with client.cork():
            streams = [ask(client, index) for index in (0, 1)]
        time.sleep(0.3)
        counts = []
        for total in (5 << 20, 11 << 20):
            client.wait_for(lambda: sum(s.received for s in streams) >= total, "the next bytes")
            counts.append([stream.received for stream in streams])
        return [after - before for before, after in zip(*counts)]


def _are_in_proportion(shares):
    return 2.5 <= shares[0] / max(1, shares[1]) <= 6.5


def _best_of(tries, measure):
    """The first measurement that is in proportion, or the last one."""
    for _ in range(tries):
        shares = measure()
        if _are_in_proportion(shares):
            break
    return shares


def _get(client, priority=None):
    return client.request(path=LARGE, headers=[("priority", priority)] if priority else [],
                          keep_body=False)


def _mostly(shares, index):
    return shares[index] >= 0.85 * sum(shares)


def _order_cell(urgent, patient):
    """The second of two is to come first when it is urgent, and last when it is not."""
    return yes_if(_mostly(urgent, 1) and _mostly(patient, 0),
                   f"bytes where the second is urgent: {urgent}, where it is not: {patient}")


@feature(ROWS)
def urgency(subject):
    """An urgent response overtakes (RFC 9218)

    Of two large files the second is sent first where its field Priority is u=0, and last where it
    is u=7.
    """
    def nothing(_client, _streams):
        pass
    return _order_cell(
        _shares(subject, lambda c, i: _get(c, ("u=4", "u=0")[i]), nothing),
        _shares(subject, lambda c, i: _get(c, ("u=4", "u=7")[i]), nothing))


@feature(ROWS)
def priority_update(subject):
    """PRIORITY_UPDATE changes the order (RFC 9218)

    As before, but the client changes its mind about the second when both are on their way.
    """
    def says(text):
        def update(client, streams):
            client.send_frame(h2.PRIORITY_UPDATE, 0, 0,
                              struct.pack(">I", streams[1].id) + text.encode())
        return update
    return _order_cell(_shares(subject, lambda c, i: _get(c, "u=4"), says("u=0")),
                       _shares(subject, lambda c, i: _get(c, "u=4"), says("u=7")))


@feature(ROWS)
def weights(subject):
    """Weights share in proportion (RFC 7540)

    Two large files with the weights 200 and 50 get 4 : 1 (2.5 to 6.5) of 4 MiB for which the window
    of the connection opens, and of 6 MiB that the client reads of a connection that is full; each
    has four tries.
    """
    def ask(client, index):
        stream = client.open(keep_body=False)
        block = client.encoder.encode(client.request_fields(path=LARGE))
        client.send_frame(h2.HEADERS, h2.END_STREAM | h2.END_HEADERS | h2.PRIORITY_FLAG,
                          stream.id, struct.pack(">IB", 0, (199, 49)[index]) + block)
        return stream
    by_window = _best_of(4, lambda: _shares(subject, ask, count=4 << 20))
    by_tcp = _best_of(4, lambda: _shares_of_tcp(subject, ask))
    seen = f"bytes: {by_window} of a window, {by_tcp} of a slow connection"
    good = {"what its client's TCP takes": _are_in_proportion(by_tcp),
            "what the window of the connection allows": _are_in_proportion(by_window)}
    if all(good.values()):
        return Cell(YES, seen)
    if any(good.values()):
        is_shared, is_not = sorted(good, key=good.get, reverse=True)
        return Cell(PART, seen, f"{is_shared}, not {is_not}")
    return Cell(NO, seen)


@feature(ROWS)
def tls_records(subject):
    """TLS records are small first, large later

    A file of 10 MiB to a client whose TCP segments have 1460 bytes: the first ten records with
    content have at most 1500, later ones more than 8000.
    """
    with subject.client("tls", settings=WIDE, window=64 << 20, max_segment=1460) as client:
        client.wait_settings()
        del client.wire.tls_records[:]
        client.get(LARGE, keep_body=False)
        sizes = client.wire.tls_records
        first, later = [each for each in sizes if each > 200][:10], max(sizes[-20:])
        small = sum(each <= 1500 for each in first)
        seen = f"first {first}, later {later}"
        if small >= 8 and later > 8000:
            return Cell(YES, seen) if small == 10 else Cell(
                PART, seen, "but for the very first one, which has 8 KiB")
        return Cell(NO, seen)

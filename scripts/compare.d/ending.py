"""The end of a server. It is the last row: nothing can be tried afterwards."""

import contextlib
import time

from cells import NO, PART, SMALL, SOON, YES, Cell, feature
from wire import h2

ROWS = []


@feature(ROWS)
def restart(subject):
    """A graceful restart loses no request, GOAWAY in two steps

    While a request waits for its back end, others are sent until GOAWAY comes, and one that crosses
    it. The first GOAWAY names no last stream, all is answered, and a second one names it.
    """
    with subject.client("tls") as client:
        waiting = client.request(path="/be/gate/restart")
        client.get(SMALL)
        subject.restart_gracefully()
        streams = _send_until_goaway(client)
        if client.goaways and client.goaways[0].last_stream_id == h2.MAX_WINDOW:
            with contextlib.suppress(h2.WireClosed, OSError):
                streams += [client.request(path=SMALL)]
        subject.backends.gate("restart").set()
        client.wait_closed(timeout=SOON) if not client.closed else None
        return _restart_cell(client, [waiting, *streams])


def _send_until_goaway(client):
    streams = []
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not client.goaways and not client.closed:
        with contextlib.suppress(h2.WireTimeout, h2.WireClosed, OSError):
            streams.append(client.request(path=SMALL))
            client.wait_for(lambda: client.goaways, timeout=0.02)
    return streams


def _restart_cell(client, streams):
    last = client.goaways[-1].last_stream_id if client.goaways else h2.MAX_WINDOW
    lost = [stream for stream in streams if stream.id <= last and not stream.complete]
    late = [stream for stream in streams if stream.id > last]
    seen = f"GOAWAY {[frame.last_stream_id for frame in client.goaways]}, lost {lost}, " \
           f"to be asked for anew {late}, {len(streams)} requests"
    if lost:
        broken = any(frame.error_code for frame in client.goaways)
        return Cell(NO, seen, "a request that crosses the first GOAWAY ends the connection with an "
                    "error, and all that is open with it" if broken else "")
    steps = [frame.last_stream_id for frame in client.goaways]
    if len(steps) >= 2 and steps[0] == h2.MAX_WINDOW > steps[-1] and not late:
        return Cell(YES, seen)
    if not client.goaways:
        return Cell(PART, seen, "nothing is lost, but the connection goes on without GOAWAY")
    return Cell(PART, seen, "one GOAWAY that names the last stream; what crosses it has to be "
                "asked for anew")

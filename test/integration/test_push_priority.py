# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""H2PushPriority: the order of a pushed response and the one that it was pushed for, byte by byte.

The client opens the connection's window step by step, so that the server always has more to send
than it may, and reads who got how much of each step."""

import struct

import pytest

from conftest import open_client
from environment import wait_until
from h2client import DATA, HEADERS, INITIAL_WINDOW_SIZE, MAX_WINDOW, PRIORITY_FLAG
from servers import SITE, VHOSTS

MIB = 1 << 20
STEP = 32768
KINDS = {"after": "after", "weak": "after 8", "strong": "24", "before": "Before",
         "equal": "interleaved", "half": "Interleaved 128", "double": "interleaved 512",
         "tiny": "interleaved 1"}


def _main(path, *pushed):
    links = "".join("    Header add Link '<%s>; rel=preload%s'\n" % (
        "/as/" + p.rstrip("!") + "/1048576.bin", "; critical" if p.endswith("!") else "")
        for p in pushed)
    return "<Location /main/%s/>\n%s</Location>\n" % (path, links)


CONFIG = SITE + "".join(
    "H2PushPriority test/%s %s\n<Location /as/%s/>\n    ForceType test/%s\n</Location>\n"
    % (kind, rule, kind, kind) for kind, rule in KINDS.items()) + """
AliasMatch ^/(main|as)/[^/]*/(.*) "{docroot}/files/$2"
<Location /as/late/>
    SetHandler h2test
    ForceType test/before
</Location>
<Location /main/late/>
    Header add Link "expr=<%{req:X-Link}>; rel=preload"
</Location>
""" + "".join(_main(kind, kind) for kind in [*KINDS, "default"]) + _main("both", "weak", "strong") \
    + _main("critical", "after!") + _main("chain", "before", "before2") + """
<Location /as/before2/>
    ForceType "test/before; charset=x"
</Location>
""" + VHOSTS + """<VirtualHost *:{port_tls}>
    ServerName other.test
    Protocols h2 http/1.1
    H2PushPriority test/after before
    H2PushPriority * interleaved
    {tls}
</VirtualHost>
"""


@pytest.fixture
def server(servers, mpm):
    return servers.get("push-priority", mpm, CONFIG, ports=("tls", "clear"))


def slow_client(server, transport="tls", **options):
    return open_client(server, transport, settings={INITIAL_WINDOW_SIZE: 8 * MIB},
                       auto_window=False, **options)


@pytest.fixture
def client(server, transport):
    return slow_client(server, transport)


def total(client):
    return sum(f.length for f in client.received(DATA))


def step(client, size=STEP):
    """More of the window; what comes in it."""
    before = len(client.frames)
    expected = total(client) + size
    client.send_window_update(0, size)
    client.wait_for(lambda: total(client) >= expected or all(
        s.done for s in client.streams.values()), "%d bytes" % size)
    return [f for f in client.frames[before:] if f.type == DATA and not f.sent]


def ask(client, name, pushes=1):
    """The stream of the request and those pushed with it, when all have begun."""
    stream = client.request("GET", "/main/%s/1048576.bin" % name)
    while not (len(client.pushed) == pushes and all(
            s.status for s in client.pushed) and stream.status and total(client) >= 65535):
        client.wait_for(lambda: total(client) >= 65535, "the first window")
        if len(client.pushed) < pushes or not all(s.status for s in client.pushed):
            step(client, 1000)
    return stream, *client.pushed


def shares(client, *streams, steps=20):
    """What each stream gets of so many steps, while none of them ends."""
    before = [s.received for s in streams]
    for _ in range(steps):
        step(client)
    assert not any(s.done for s in streams)
    return [s.received - b for s, b in zip(streams, before)]


def finish(client):
    client.send_window_update(0, MAX_WINDOW // 2)
    client.wait(*client.streams.values())
    assert all(s.complete and s.received == MIB for s in client.streams.values())


def order_of_ends(client):
    return [f.stream_id for f in client.received(DATA) if f.flags & 1]


# -- after and before -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["after", "default"])
def test_after_gets_nothing_before_the_main_response_has_ended(client, kind):
    main = client.request("GET", "/main/%s/1048576.bin" % kind)
    while not main.done:
        step(client)
        for pushed in client.pushed:
            assert pushed.received == 0 or main.done
    pushed, = client.pushed
    step(client)
    assert pushed.received > 0
    finish(client)


def test_after_uses_what_the_main_response_leaves(client, counter):
    """Nothing is wasted: the main one waits for its own window."""
    main = client.request("GET", "/main/after/1048576.bin")
    client.wait_for(lambda: total(client) == 65535, "the first window")
    client.send_settings({INITIAL_WINDOW_SIZE: 65535})   # shuts the main stream's window
    client.ping()
    client.wait_for(lambda: client.pushed, "the promise")
    for _ in range(3):
        if main.received >= 65535:
            break
        step(client, 1000)
    received = main.received
    client.send_window_update(client.pushed[0].id, MIB)
    step(client)
    assert client.pushed[0].received > 0 and main.received == received


@pytest.mark.parametrize("kind", ["before", "critical"])
def test_before_stalls_the_main_response_until_it_is_done(client, kind):
    main, pushed = ask(client, kind)
    received = main.received
    while not pushed.done:
        step(client)
        assert main.received == received or pushed.done
    finish(client)
    assert order_of_ends(client) == [pushed.id, main.id]


def test_several_before_go_one_after_another(client):
    main, first, second = ask(client, "chain", pushes=2)
    finish(client)
    assert order_of_ends(client) in ([first.id, second.id, main.id], [second.id, first.id, main.id])
    # the one that ended first had all of the bandwidth
    ends = order_of_ends(client)
    frames = client.received(DATA)
    end = next(i for i, f in enumerate(frames) if f.stream_id == ends[0] and f.flags & 1)
    begin = next(i for i, f in enumerate(frames) if f.stream_id == ends[0])
    others = [f for f in frames[begin:end] if f.stream_id != ends[0]]
    assert sum(f.length for f in others) <= 65535 + 16384


def test_the_main_response_goes_on_while_one_before_it_has_nothing(client, counter):
    link = "/as/late/gate?n=30000&flush=1&gate=%s&tag=%s" % (counter.gate(), counter)
    main = client.request("GET", "/main/late/1048576.bin", [("x-link", link)])
    client.wait_for(lambda: client.pushed and client.pushed[0].status and total(client) >= 65535,
                    "the pushed head")
    pushed = client.pushed[0]
    got, = shares(client, main, steps=5)
    assert got == 5 * STEP and pushed.received == 0
    counter.open()
    wait_until(lambda: counter.finished == 1, "the handler")
    step(client)
    assert pushed.done and not main.done
    client.send_window_update(0, MIB)
    client.wait(main)


# -- interleaved ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, ratio", [("equal", 1), ("half", 0.5), ("double", 2)])
def test_interleaved_shares_by_weight(client, kind, ratio):
    main, pushed = ask(client, kind)
    of_main, of_pushed = shares(client, main, pushed)
    assert of_main + of_pushed == 20 * STEP
    assert of_pushed / of_main == pytest.approx(ratio, rel=0.1)
    finish(client)


def test_the_least_weight_still_gets_something(client):
    main, pushed = ask(client, "tiny")
    of_main, of_pushed = shares(client, main, pushed)
    assert 0 < of_pushed <= of_main / 10
    finish(client)


def with_weight(client, path, weight):
    """A request with a weight of RFC 7540, 5.3.2."""
    stream = client.open()
    block = struct.pack(">IB", 0, weight - 1) + client.encoder.encode(
        client.request_fields("GET", path))
    client.send_frame(HEADERS, 0x1 | 0x4 | PRIORITY_FLAG, stream.id, block)
    return stream


@pytest.mark.parametrize("weight, kind, ratio", [
    (256, "double", 1),      # 512 would be too much
    (128, "double", 2), (200, "half", 0.5), (2, "equal", 1)])
def test_the_clients_weight_counts(client, weight, kind, ratio):
    main = with_weight(client, "/main/%s/1048576.bin" % kind, weight)
    client.wait_for(lambda: total(client) >= 65535, "the first window")
    while not client.pushed or not client.pushed[0].status:
        step(client, 1000)
    of_main, of_pushed = shares(client, main, client.pushed[0])
    assert of_pushed / of_main == pytest.approx(ratio, rel=0.1)
    finish(client)


def test_requests_of_the_client_share_by_their_weights(client):
    one = with_weight(client, "/files/1048576.bin", 200)
    other = with_weight(client, "/files/1048576.bin", 100)
    client.wait_for(lambda: total(client) >= 65535 and one.status and other.status, "the heads")
    of_one, of_other = shares(client, one, other)
    assert of_one / of_other == pytest.approx(2, rel=0.1)
    finish(client)


def test_two_after_share_what_comes_after(client):
    main, *pushed = ask(client, "both", pushes=2)
    while not main.done:
        step(client)
    of_weak, of_strong = shares(client, *sorted(pushed, key=lambda s: "strong" in s.path))
    assert of_strong / of_weak == pytest.approx(3, rel=0.1)
    finish(client)


# -- by vhost ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, expected", [("after", "before"), ("half", "half"),
                                            ("default", "equal")])
def test_a_vhosts_rules_replace_those_of_the_server(server, kind, expected):
    client = slow_client(server, sni="other.test")
    main, pushed = ask(client, kind)
    if expected == "before":
        finish(client)
        assert order_of_ends(client) == [pushed.id, main.id]
        return
    of_main, of_pushed = shares(client, main, pushed)
    assert of_pushed / of_main == pytest.approx(0.5 if expected == "half" else 1, rel=0.1)

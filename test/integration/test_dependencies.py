# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""RFC 7540, 5.3: clients that do not speak of priorities as RFC 9218 does make a tree of their
streams, by HEADERS and PRIORITY frames: who depends on whom, and with which weight."""

import json
import struct

import pytest

import environment as env
from conftest import open_client
from h1client import Http1
from h2client import (END_HEADERS, END_STREAM, HEADERS, INITIAL_WINDOW_SIZE, PADDED, PRIORITY,
                      PRIORITY_FLAG, PROTOCOL_ERROR, frame_bytes)
from servers import SITE, VHOSTS
from turns import FILE, MIB, STEP, assert_shares, order_of_ends, step, without_window

CONFIG = SITE + """
Alias /says/ "{docroot}/files/"
<Location /says/>
    Header set Priority "u=0"
</Location>
ProxyPass /told/ http://127.0.0.1:{backend}/
<LocationMatch "^/(told|cgi)/">
    H2PriorityHeaders on
</LocationMatch>
LogFormat "%%{x-id}i %%{H2_STREAM_WEIGHT}e %%{H2_STREAM_DEPENDS_ON}e" weights
CustomLog "{root}/weights.log" weights
""".replace("%%", "%") + VHOSTS


@pytest.fixture
def server(servers, mpm):
    return servers.get("dependencies", mpm, CONFIG, ports=("tls", "clear"))


@pytest.fixture
def client(server, transport):
    return without_window(open_client(server, transport, auto_window=False,
                                      settings={INITIAL_WINDOW_SIZE: 8 * MIB}))


def spec(parent, weight=16, exclusive=False):
    return struct.pack(">IB", parent | (exclusive << 31), weight - 1)


def id_of(stream):
    return getattr(stream, "id", stream)


def headers_frame(client, stream, parent, weight, exclusive, path=FILE, padding=None, fields=()):
    block = client.encoder.encode(client.request_fields("GET", path, list(fields)))
    payload = spec(id_of(parent), weight, exclusive) + block
    flags = END_STREAM | END_HEADERS | PRIORITY_FLAG
    if padding is not None:
        payload = bytes([padding]) + payload + bytes(padding)
        flags |= PADDED
    return frame_bytes(HEADERS, flags, stream.id, payload)


def ask(client, parent=0, weight=16, exclusive=False, **options):
    """A request whose HEADERS name its place; its head has come."""
    stream = client.open()
    client.send_raw(headers_frame(client, stream, parent, weight, exclusive, **options))
    client.wait_for(lambda: stream.status, "the head")
    return stream


def prioritize(client, stream, parent=0, weight=16, exclusive=False):
    client.send_frame(PRIORITY, 0, id_of(stream), spec(id_of(parent), weight, exclusive))


# -- HEADERS ----------------------------------------------------------------------------------------


def test_streams_share_by_weight(client):
    streams = [ask(client, weight=w) for w in (32, 64, 160)]
    assert_shares(client, streams, [32, 64, 160], steps=40)


@pytest.mark.parametrize("padding", [None, 0, 1, 255])
def test_who_depends_on_another_one_is_sent_after_it(client, padding):
    first = ask(client)
    last = ask(client, first, padding=padding)
    second = ask(client, first, exclusive=True)     # last depends on this one now
    assert order_of_ends(client, last, second, first) == [2, 1, 0]


def test_who_depends_on_one_shares_by_weight(client):
    top = ask(client)
    streams = [ask(client, top, weight=w) for w in (200, 50)]
    assert step(client, top, *streams) == [STEP, 0, 0]
    client.send_window_update(0, MIB - top.received)
    client.wait(top)
    assert_shares(client, streams, [200, 50], steps=16)


def test_who_depends_on_a_blocked_stream_has_its_share(client):
    one = ask(client, weight=10)
    top = ask(client, weight=30, path="/files/1048576.bin")
    below = ask(client, top)
    client.send_settings({INITIAL_WINDOW_SIZE: 0})
    client.send_window_update(one.id, 4 * MIB)
    client.send_window_update(below.id, 4 * MIB)
    client.ping()
    assert_shares(client, [one, top, below], [10, 0, 30])


def test_an_exclusive_one_goes_before_all_others_of_its_parent(client):
    others = [ask(client), ask(client)]
    first = ask(client, exclusive=True)
    assert step(client, first, *others) == [STEP, 0, 0]
    client.send_window_update(0, MIB)
    client.wait(first)
    assert_shares(client, others, [1, 1], steps=16)


def test_the_end_of_a_stream_passes_its_share_to_those_that_depend_on_it(client):
    top = ask(client, weight=90, path="/files/0.bin")
    below = [ask(client, top, weight=40), ask(client, top, weight=20)]
    client.wait(top)                        # depended on too late: that stream has ended
    other = ask(client, weight=60)
    assert_shares(client, [*below, other], [16, 16, 60])   # both have the default
    parent = ask(client, weight=90)
    children = [ask(client, parent, weight=2), ask(client, parent, weight=1)]
    client.send_reset(parent)
    client.ping()
    assert_shares(client, [*children, other], [60, 30, 60], steps=30)


@pytest.mark.parametrize("parent", [2, 8, 1001, 0x7fffffff])
def test_who_depends_on_an_unknown_stream_has_the_default(client, parent):
    usual, heavy = ask(client), ask(client, parent, weight=256)
    assert_shares(client, [usual, heavy], [1, 1], steps=16)


# -- PRIORITY ---------------------------------------------------------------------------------------


def test_a_frame_changes_the_weight(client):
    one, other = ask(client), ask(client)
    assert_shares(client, [one, other], [1, 1], steps=8)
    prioritize(client, other, weight=48)
    assert_shares(client, [one, other], [16, 48], steps=16)


def test_a_frame_moves_a_stream_with_all_that_depend_on_it(client):
    one, other = ask(client), ask(client)
    below = ask(client, other)
    prioritize(client, other, one)
    assert order_of_ends(client, one, other, below) == [0, 1, 2]


def test_a_stream_can_be_made_to_depend_on_one_that_depends_on_it(client):
    one = ask(client)
    middle = ask(client, one)
    last = ask(client, middle)
    prioritize(client, one, last)       # last goes to where one was, and one below it
    assert order_of_ends(client, one, middle, last) == [2, 0, 1]


def test_an_exclusive_frame_takes_the_others_below(client):
    one, two, three = ask(client), ask(client), ask(client)
    prioritize(client, three, exclusive=True)
    prioritize(client, two, three, exclusive=True)      # one depends on two now
    assert order_of_ends(client, one, two, three) == [2, 1, 0]


def test_streams_that_never_open_are_groups(client):
    """The tree that Firefox makes: its streams depend on ones that it never opens."""
    first = client.open().id + 2
    leaders, unblocked, background, followers = range(first, first + 8, 2)
    client.next_id = first + 8
    prioritize(client, leaders, weight=201)
    prioritize(client, unblocked, weight=101)
    prioritize(client, background, weight=1)
    prioritize(client, followers, leaders, weight=8)
    style, image, script, late = (ask(client, leaders), ask(client, followers),
                                  ask(client, unblocked), ask(client, background))
    # style and followers depend on leaders: 16 to 8
    assert_shares(client, [style, image, script], [201 * 16 / 24, 201 * 8 / 24, 101], steps=40)
    assert late.received <= 2 * 16384


def test_a_place_may_be_named_before_the_request(client):
    other = ask(client)
    next_id = client.next_id
    prioritize(client, next_id, weight=64)
    stream, = [client.request("GET", FILE)]
    assert stream.id == next_id
    client.wait_for(lambda: stream.status, "the head")
    assert_shares(client, [other, stream], [16, 64])


def test_who_depends_on_a_group_depends_on_its_stream_when_that_opens(client):
    group = client.next_id
    client.next_id += 2
    prioritize(client, group, weight=32)
    below = client.open()
    prioritize(client, below, group)
    client.next_id = group
    client.streams.pop(below.id)
    top = ask(client, weight=32)
    assert top.id == group
    last = ask(client, 0, weight=16)
    assert last.id == below.id
    prioritize(client, last, top)
    assert order_of_ends(client, last, top) == [1, 0]


def test_more_groups_than_are_kept_do_no_harm(client):
    first = client.next_id
    for n in range(500):
        parent = first + 2 * (n - 1) if n % 3 else 0
        prioritize(client, first + 2 * n, parent, weight=1 + n % 256, exclusive=n % 5 == 0)
    client.next_id = first + 2000
    streams = [ask(client, first + 2 * 499, weight=30), ask(client, first, weight=30)]
    client.ping()
    client.send_window_update(0, 4 * MIB)
    client.wait(*streams)
    assert all(s.complete and s.received == MIB for s in streams)


def test_a_frame_for_the_connection_ends_it_and_does_no_harm(client):
    prioritize(client, client.next_id + 2, weight=9)  # a group: there are some, and places for more
    client.send_raw(frame_bytes(PRIORITY, 0, 0, spec(0, 9)) + frame_bytes(PRIORITY, 0, 0, spec(0)))
    assert client.wait_goaway().error_code == PROTOCOL_ERROR
    client.wait_closed()


def test_a_frame_for_what_has_ended_or_for_a_promise_that_was_not_made_changes_nothing(client):
    one, other = ask(client), ask(client)
    done = ask(client, path="/files/0.bin")
    client.wait(done)
    for stream_id in (1, done.id, 2, 4, 2000):
        prioritize(client, stream_id, weight=256, exclusive=True)
    assert_shares(client, [one, other], [1, 1], steps=16)


def test_frames_may_come_in_pieces(server):
    client = without_window(open_client(server, "clear", auto_window=False,
                                        settings={INITIAL_WINDOW_SIZE: 8 * MIB}))
    top, below = ask(client), client.open()
    data = (headers_frame(client, below, 0, 256, False, padding=3)
            + frame_bytes(PRIORITY, 0, below.id, spec(top.id)))
    for byte in data:
        client.send_raw(bytes([byte]))
    client.wait_for(lambda: below.status, "the head")
    assert step(client, top, below) == [STEP, 0]


def test_many_frames_in_one_piece_are_all_seen(client):
    streams = [client.open() for _ in range(20)]
    data = b"".join(headers_frame(client, stream, streams[n - 1] if n else 0, 16, False)
                    for n, stream in enumerate(streams))
    moved = frame_bytes(PRIORITY, 0, streams[0].id, spec(streams[-1].id))
    client.send_raw(data + moved)
    client.wait_for(lambda: all(s.status for s in streams), "the heads")
    assert step(client, streams[0], streams[-1]) == [0, STEP]


# -- beside RFC 9218 --------------------------------------------------------------------------------


def test_dependencies_do_not_count_once_the_client_speaks_of_priorities(client):
    top = ask(client)
    below = ask(client, top, weight=256)
    group = client.next_id + 100
    prioritize(client, group, top)
    third, = [client.request("GET", FILE, [("priority", "u=2, i")])]
    client.wait_for(lambda: third.status, "the head")
    assert step(client, top, below, third) == [0, 0, STEP]
    prioritize(client, third, top)
    prioritize(client, group, exclusive=True)
    fourth = ask(client, group, fields=[("priority", "u=2, i")])
    assert_shares(client, [top, below, third, fourth], [0, 0, 1, 1], steps=16)


def test_what_the_application_says_counts_more(client):
    one = ask(client)
    urgent = ask(client, one, path="/says/1048576.bin")
    prioritize(client, urgent, one)
    assert step(client, one, urgent) == [0, STEP]


# -- shown to the application -----------------------------------------------------------------------


@pytest.mark.parametrize("weight, parent", [(1, 0), (16, 0), (256, 0), (16, 3), (77, 101)])
def test_the_application_sees_weight_and_parent(server, transport, weight, parent):
    client = open_client(server, transport)
    stream = ask(client, parent, weight, exclusive=parent != 0, path="/cgi/env",
                 fields=[("x-id", "seen-%d-%d" % (weight, parent))])
    text = client.wait(stream).text
    assert "H2_STREAM_WEIGHT=%d\n" % weight in text
    assert "H2_STREAM_DEPENDS_ON=%d\n" % parent in text
    line = "seen-%d-%d %d %d" % (weight, parent, weight, parent)
    log = server.root / "weights.log"
    env.wait_until(lambda: line in log.read_text(), "the log's line")


def test_the_application_sees_the_default_where_the_client_says_nothing(server, transport):
    text = open_client(server, transport).get("/cgi/env").text
    assert "H2_STREAM_WEIGHT=16\n" in text and "H2_STREAM_DEPENDS_ON=0\n" in text


def test_the_application_sees_a_frame_that_came_before_the_request(server, transport):
    client = open_client(server, transport)
    prioritize(client, client.next_id, 0, weight=99)
    text = client.get("/cgi/env").text
    assert "H2_STREAM_WEIGHT=99\n" in text and "H2_STREAM_DEPENDS_ON=0\n" in text


FORGED = [("H2-Stream-Weight", "200"), ("H2-Priority-Urgency", "0"), ("h2-stream-depends-on", "7"),
          ("h2-priority-incremental", "on"), ("H2-Stream-Weight", "3")]


def told(text):
    """The fields of these names that a back end (in JSON) or a script has got."""
    if text.startswith("{"):
        fields = json.loads(text).items()
    else:
        fields = [(name[5:].replace("_", "-"), value) for name, _, value in
                  (line.partition("=") for line in text.splitlines()) if name.startswith("HTTP_")]
    return {name.lower(): value for name, value in fields if name.lower().startswith("h2-")}


@pytest.mark.parametrize("path", ["/told/headers", "/cgi/env"])
def test_back_ends_see_the_place_of_a_stream_in_fields(server, transport, path):
    client = open_client(server, transport)
    stream = client.wait(ask(client, 101, 77, path=path, fields=lower(FORGED)))
    assert told(stream.text) == {"h2-stream-weight": "77", "h2-stream-depends-on": "101"}
    stream = client.get(path, [("priority", "u=1, i"), *lower(FORGED)])
    assert told(stream.text) == {
        "h2-stream-weight": "16", "h2-stream-depends-on": "0",
        "h2-priority-urgency": "1", "h2-priority-incremental": "on"}


def lower(fields):
    return [(name.lower(), value) for name, value in fields]


@pytest.mark.parametrize("path", ["/told/headers", "/cgi/env"])
def test_what_the_client_says_in_such_fields_is_removed(server, path):
    with Http1(server.address("clear")) as client:
        assert told(client.get(path, FORGED).text) == {}


def test_where_it_is_off_such_fields_are_like_any_other(server, transport):
    client = open_client(server, transport)
    fields = lower(FORGED[1:4])
    assert told(client.get("/proxy/headers", fields).text) == dict(fields)
    assert told(client.get("/proxy/headers").text) == {}

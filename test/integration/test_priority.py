# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""RFC 9218: who sends first, by what client and application say, read byte by byte off the wire."""

import struct
import time

import pytest

from conftest import open_client
from h2client import (FRAME_SIZE_ERROR, HEADERS, INITIAL_WINDOW_SIZE, MAX_WINDOW, PRIORITY_FLAG,
                      PROTOCOL_ERROR)
from servers import SITE, VHOSTS
from turns import FILE, MIB, STEP, assert_shares, order_of_ends, step, without_window

PRIORITY_UPDATE = 0x10
NO_RFC7540_PRIORITIES = 9
STREAMS = 100       # H2MaxSessionStreams

CONFIG = SITE + """
AliasMatch ^/(says/[^/]*|hints)/(.*) "{docroot}/files/$2"
<Location /hints/>
    H2EarlyHints on
    H2EarlyHint Link "</style.css>; rel=preload"
</Location>
<Location /h2test/>
    H2StreamTimeout 1
</Location>
<Location /says/u0/>
    Header set Priority "u=0"
</Location>
<Location /says/i/>
    Header set Priority i
</Location>
<Location /says/u7-i/>
    Header set priority "u=7, i"
</Location>
<Location /says/nonsense/>
    Header set Priority "u=0,,"
</Location>
""" + VHOSTS


@pytest.fixture
def server(servers, mpm):
    return servers.get("priority", mpm, CONFIG, ports=("tls", "clear"))


@pytest.fixture
def client(server, transport):
    return without_window(open_client(server, transport, auto_window=False,
                                      settings={INITIAL_WINDOW_SIZE: 8 * MIB}))


def ask(client, *priorities, path=FILE):
    """A stream for each value of a priority field; None: without the field."""
    streams = [client.request("GET", path, [("priority", p)] if p is not None else [])
               for p in priorities]
    client.wait_for(lambda: all(s.status for s in streams), "the heads")
    return streams


def update(client, stream_id, value, on=0):
    client.send_frame(PRIORITY_UPDATE, 0, on, struct.pack(">I", stream_id) + value.encode())


# -- the request's field ----------------------------------------------------------------------------


def test_the_more_urgent_ones_go_first(client):
    streams = ask(client, "u=5", "u=1", "u=7", None, "u=0", "u=3")
    assert order_of_ends(client, *streams) == [4, 1, 3, 5, 0, 2]


def test_equally_urgent_ones_go_one_after_another_as_they_were_asked_for(client):
    streams = ask(client, "u=2", "u=2", "u=2", "u=2")
    assert order_of_ends(client, *streams) == [0, 1, 2, 3]


def test_incremental_ones_share(client):
    streams = ask(client, "i", "u=3, i", "i;x=1")
    assert_shares(client, streams, [1, 1, 1])


def test_those_that_are_not_incremental_have_one_share_together(client):
    streams = ask(client, "i", "u=3", "u=3", "i=?1")
    assert_shares(client, streams, [1, 1, 0, 1])


def test_a_more_urgent_one_that_comes_later_goes_first(client):
    first, = ask(client, "u=3, i")
    assert step(client, first) == [STEP]
    second, = ask(client, "u=2")
    assert step(client, first, second) == [0, STEP]
    client.send_window_update(0, MAX_WINDOW // 2)
    client.wait(first, second)


def test_the_less_urgent_one_goes_on_while_the_other_one_has_no_window(client):
    first, second = ask(client, "u=0", "u=6")
    client.send_settings({INITIAL_WINDOW_SIZE: 0})  # takes the window of both away
    client.send_window_update(second.id, 2 * MIB)
    client.ping()
    client.ping()
    got = step(client, first, second, size=100000)
    assert got == [0, 100000]


def test_several_fields_are_one_dictionary(client):
    one = client.request("GET", FILE, [("priority", "u=1"), ("priority", "u=9")])   # u=9: no u
    other = client.request("GET", FILE, [("priority", "u=1"), ("priority", "i,,")])  # is none
    third, = ask(client, "u=2")
    client.wait_for(lambda: one.status and other.status, "the heads")
    assert order_of_ends(client, one, other, third) == [2, 0, 1]


@pytest.mark.parametrize("value", ["", "u=8", "u=a", "x", "u=3", "u=0,", "U=0", "\u00e4"])
def test_a_field_that_says_nothing_means_the_default(client, value):
    streams = ask(client, "u=4", value, "u=2")
    assert order_of_ends(client, *streams) == [2, 1, 0]


def test_several_fields_are_one(client):
    one = client.request("GET", FILE, [("priority", "i"), ("priority", "u=1")])
    other, = ask(client, "u=2")
    assert order_of_ends(client, one, other) == [0, 1]


def test_without_any_sign_streams_share(client):
    streams = ask(client, None, None)
    assert_shares(client, streams, [1, 1])


def test_from_the_first_sign_on_all_streams_have_a_priority(client):
    streams = ask(client, None, None)
    assert_shares(client, streams, [1, 1], steps=8)
    streams += ask(client, "u=4")
    assert step(client, *streams) == [STEP, 0, 0]


def test_weights_do_not_count_any_more(client):
    other, = ask(client, "i")
    heavy = client.open()
    block = struct.pack(">IB", 0, 255) + client.encoder.encode(
        client.request_fields("GET", FILE, [("priority", "i")]))
    client.send_frame(HEADERS, 0x1 | 0x4 | PRIORITY_FLAG, heavy.id, block)
    client.wait_for(lambda: heavy.status, "its head")
    assert_shares(client, [heavy, other], [1, 1])


def test_who_waits_for_its_turn_is_not_timed_out(client, counter):
    urgent, = ask(client, "u=1")
    other, = ask(client, "u=2", path="/h2test/write?n=200000&tag=%s" % counter)
    for _ in range(50):
        step(client, urgent, size=4096)
        time.sleep(0.05)    # longer than H2StreamTimeout in all: time is the input here
    assert not other.done
    client.send_window_update(0, MAX_WINDOW // 2)
    client.wait(urgent, other)
    assert urgent.complete and other.complete and other.received == 200000


def test_interim_responses_wait_for_nobody(server, transport):
    client = open_client(server, transport, receive_buffer=4096, window=1 << 30,
                         settings={INITIAL_WINDOW_SIZE: 1 << 30})
    large = client.request("GET", "/files/big.bin", [("priority", "u=0")], keep_body=False)
    client.wait_bytes(large, MIB)
    hinted = client.request("GET", "/hints/1.bin", [("priority", "u=7")])
    before = large.received
    client.wait_for(lambda: hinted.interim, "the hints")
    assert large.received - before < MIB and not hinted.status


# -- SETTINGS ---------------------------------------------------------------------------------------


def test_a_client_that_wants_no_weights_has_none(server, transport):
    client = without_window(open_client(
        server, transport, auto_window=False,
        settings={INITIAL_WINDOW_SIZE: 8 * MIB, NO_RFC7540_PRIORITIES: 1}))
    streams = ask(client, None, None)
    assert order_of_ends(client, *streams) == [0, 1]


def test_we_do_not_say_that_we_want_none(client):
    assert NO_RFC7540_PRIORITIES not in client.peer_settings


# -- PRIORITY_UPDATE --------------------------------------------------------------------------------


def test_an_update_changes_the_order_while_a_response_is_sent(client):
    one, other = ask(client, "u=3", "u=3")
    assert step(client, one, other) == [STEP, 0]
    update(client, other.id, "u=2")
    assert step(client, one, other) == [0, STEP]
    update(client, one.id, "u=2, i")
    update(client, other.id, "i, u=2")
    assert_shares(client, [one, other], [1, 1], steps=16)


def test_an_update_replaces_all_that_was_said_before(client):
    one, other = ask(client, "u=1", "u=2")
    update(client, one.id, "i")     # urgency is 3 now
    assert step(client, one, other) == [0, STEP]


def test_an_update_may_come_before_its_request_and_counts_more_than_the_field(client):
    next_id = client.open().id + 2
    update(client, next_id + 2, "u=6")
    update(client, next_id + 2, "u=0")
    update(client, next_id + 4, "u=7")
    streams = ask(client, "u=3", "u=5", "u=1")
    assert streams[1].id == next_id + 2
    assert order_of_ends(client, *streams) == [1, 0, 2]


def test_an_update_for_what_has_ended_changes_nothing(client):
    done, = ask(client, "u=1", path="/files/0.bin")
    assert done.complete
    update(client, done.id, "u=0")
    update(client, 1, "u=0")        # was reset
    streams = ask(client, "u=2", "u=1")
    assert order_of_ends(client, *streams) == [1, 0]


@pytest.mark.parametrize("value", ["u=0,", "u=0;", "\x00", "u=0" + " " * 300 + "!"])
def test_an_update_that_is_not_understood_is_ignored(client, value):
    one, other = ask(client, "u=3", "u=3")
    update(client, other.id, value)
    assert step(client, one, other) == [STEP, 0]


def test_updates_may_come_for_as_many_streams_as_may_be_open(client):
    first = client.open().id + 2
    for _ in range(10):
        for n in range(STREAMS):
            update(client, first + 2 * n, "u=%d" % (n % 8))
    client.ping()
    streams = ask(client, *["u=0"] * 4)
    assert order_of_ends(client, *reversed(streams)) == [3, 2, 1, 0]    # u=0 to u=3
    for n in range(STREAMS, STREAMS + 4):
        update(client, first + 2 * n, "u=1")
    client.ping()


@pytest.mark.parametrize("opened", [0, 3])
def test_updates_for_more_streams_than_may_be_open_end_the_connection(client, opened):
    ask(client, *["u=0"] * opened)
    first = client.open().id + 2
    for n in range(STREAMS - opened):
        update(client, first + 2 * n, "u=1")
    client.ping()
    update(client, first + 2 * STREAMS, "u=1")
    assert client.wait_goaway().error_code == PROTOCOL_ERROR
    client.wait_closed()


@pytest.mark.parametrize("on, payload, error", [
    (1, b"\0\0\0\x03u=1", PROTOCOL_ERROR),
    (0, b"\0\0\0\0u=1", PROTOCOL_ERROR),
    (0, b"\0\0\0\x02u=1", PROTOCOL_ERROR),      # was never promised
    (0, b"\0\0\0", FRAME_SIZE_ERROR),
    (0, b"", FRAME_SIZE_ERROR)])
def test_an_update_that_is_wrong_ends_the_connection(server, transport, on, payload, error):
    client = open_client(server, transport)
    client.get("/files/1.bin")
    client.send_frame(PRIORITY_UPDATE, 0, on, payload)
    client.wait_closed()
    assert client.wait_goaway().error_code == error


# -- the application --------------------------------------------------------------------------------


@pytest.mark.parametrize("says, asked, order", [
    ("u0", ("u=4", "u=5"), [1, 0]),
    ("u7-i", ("u=4", "u=1"), [0, 1]),
    ("nonsense", ("u=1", "u=2"), [0, 1])])
def test_the_response_overrides_what_the_client_says(client, says, asked, order):
    one, = ask(client, asked[0])
    other, = ask(client, asked[1], path="/says/%s/1048576.bin" % says)
    assert order_of_ends(client, one, other) == order


def test_the_response_changes_only_what_it_names(client):
    one, = ask(client, "u=2")
    other, = ask(client, "u=1", path="/says/i/1048576.bin")
    third, = ask(client, "u=1, i")
    assert_shares(client, [one, other, third], [0, 1, 1])


def test_an_update_does_not_undo_what_the_response_says(client):
    one, = ask(client, "u=4")
    other, = ask(client, "u=5", path="/says/u0/1048576.bin")
    update(client, other.id, "u=7, i")
    assert step(client, one, other) == [0, STEP]


@pytest.mark.parametrize("fields, expected", [
    ([("priority", "u=0")], ("0", "off")), ([("priority", "i")], ("3", "on")),
    ([("priority", "u=6, i")], ("6", "on")), ([("priority", "u=,")], ("3", "off"))])
def test_the_application_sees_the_priority(server, transport, fields, expected):
    environment = open_client(server, transport).get("/cgi/env", fields).text
    assert "H2_PRIORITY_URGENCY=%s\n" % expected[0] in environment
    assert "H2_PRIORITY_INCREMENTAL=%s\n" % expected[1] in environment


def test_the_application_sees_none_where_the_client_says_nothing_of_priorities(server, transport):
    client = open_client(server, transport)
    assert "H2_PRIORITY" not in client.get("/cgi/env").text
    client.get("/files/1.bin", [("priority", "u=1")])
    assert "H2_PRIORITY_URGENCY=3\n" in client.get("/cgi/env").text


def test_the_application_sees_an_update_that_came_before_the_request(server, transport):
    client = open_client(server, transport)
    update(client, client.open().id + 2, "u=2, i")
    environment = client.get("/cgi/env").text
    assert "H2_PRIORITY_URGENCY=2\n" in environment
    assert "H2_PRIORITY_INCREMENTAL=on\n" in environment

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""RFC 9218: what a client may say of priorities. What becomes of it is in
test/integration/test_priority.py."""

import struct

import pytest

from h2client import (FRAME_SIZE_ERROR, NO_RFC7540_PRIORITIES, PRIORITY, PRIORITY_UPDATE,
                      PROTOCOL_ERROR, SETTINGS, settings_payload)
from rules import SMALL, Goaway, Ignored, is_alive


def update(stream_id, value, on=0):
    return lambda client: client.send_frame(PRIORITY_UPDATE, 0, on,
                                            struct.pack(">I", stream_id) + value)


def raw(payload):
    return lambda client: client.send_frame(PRIORITY_UPDATE, 0, 0, payload)


def setting(value):
    return lambda client: client.send_frame(SETTINGS, 0, 0,
                                            settings_payload({NO_RFC7540_PRIORITIES: value}))


BAD = Goaway(PROTOCOL_ERROR)
CASES = [
    ("2.1 NO_RFC7540_PRIORITIES of 0 is allowed", setting(0), Ignored()),
    ("2.1 NO_RFC7540_PRIORITIES of 2 is a PROTOCOL_ERROR", setting(2), BAD),
    ("7.1 PRIORITY_UPDATE on an open stream is a PROTOCOL_ERROR", lambda client: update(
        1, b"u=1", on=client.request("POST", "/h2test/read", end=False).id)(client), BAD),
    ("7.1 PRIORITY_UPDATE on an idle stream is a PROTOCOL_ERROR", update(1, b"u=1", on=1), BAD),
    ("7.1 PRIORITY_UPDATE for the connection is a PROTOCOL_ERROR", update(0, b"u=1"), BAD),
    ("7.1 PRIORITY_UPDATE for a push that is not promised is a PROTOCOL_ERROR", update(2, b"u=1"),
     BAD),
    *[("7.1 PRIORITY_UPDATE of %d bytes is a FRAME_SIZE_ERROR" % n, raw(bytes(n)),
       Goaway(FRAME_SIZE_ERROR)) for n in (0, 1, 3)],
    ("7.1 PRIORITY_UPDATE for an idle stream is remembered", update(1, b"u=1"), Ignored()),
    ("7.1 PRIORITY_UPDATE with the reserved bit is taken", update(0x80000001, b"u=1"), Ignored()),
    ("7.1 PRIORITY_UPDATE of no value means the default", update(1, b""), Ignored()),
    ("7.1 PRIORITY_UPDATE for a stream that has ended is ignored", lambda client: update(
        client.get(SMALL).id, b"u=1")(client), Ignored()),
    ("7.1 PRIORITY_UPDATE for a stream that was reset is ignored", lambda client: (
        client.send_reset(client.request("POST", "/h2test/read", end=False)),
        update(1, b"u=1")(client))[1], Ignored()),
    *[("4 PRIORITY_UPDATE of %r is ignored" % value.decode("latin-1"), update(1, value), Ignored())
      for value in (b"u=8", b"u=-1", b"u=x", b"u=1.5", b"u=1, , i", b"\xff\xfe", b"=", b"i=?2",
                    b"x=1;y", b"u=1\0")],
]


@pytest.mark.parametrize("act, outcome", [pytest.param(act, outcome, id=name)
                                          for name, act, outcome in CASES])
def test_case(h2, act, outcome):
    outcome.check(h2, act(h2))


def test_2_1_a_first_setting_of_1_is_allowed_and_priority_frames_are_then_ignored(connect):
    client = connect(settings={NO_RFC7540_PRIORITIES: 1})
    client.send_frame(PRIORITY, 0, 5, struct.pack(">IB", 3, 200))
    is_alive(client)


def test_2_1_a_client_may_not_change_its_mind(connect):
    """The RFC allows an error; it is one, always."""
    client = connect(settings={NO_RFC7540_PRIORITIES: 1})
    client.wait_settings()
    setting(0)(client)
    BAD.check(client)


@pytest.mark.parametrize("value", [
    pytest.param(value, id="4 a priority field of %r does no harm" % value)
    for value in ("u=0", "u=7, i", "u=9", "u=x", "i=?0", "", ",", "u=1,,", "unknown=(1 2);a",
                  "u=2;x=y", "u" * 1000)])
def test_fields(h2, value):
    assert h2.get(SMALL, headers=[("priority", value)]).complete
    is_alive(h2)


def test_5_several_fields_are_one_dictionary_and_do_no_harm(h2):
    assert h2.get(SMALL, headers=[("priority", "u=1"), ("priority", "i")]).complete
    is_alive(h2)


def test_7_1_updates_for_more_streams_than_may_be_open_are_a_protocol_error(connect):
    client = connect("_few")
    client.wait_settings()
    for stream_id in (1, 3, 5):
        update(stream_id, b"u=1")(client)
    client.ping()
    assert not client.goaways
    update(7, b"u=1")(client)
    BAD.check(client)

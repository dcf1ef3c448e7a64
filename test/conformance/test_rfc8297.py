# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""RFC 8297: interim responses of 103. What is hinted is in test/integration/test_early_hints.py."""

import pytest

from h2client import DATA, ENABLE_PUSH, END_STREAM, HEADERS
from rules import is_alive


@pytest.fixture
def hints(connect):
    client = connect("_hints", settings={ENABLE_PUSH: 0})
    client.wait_settings()
    return client


def test_2_a_103_comes_before_the_final_response_and_is_no_part_of_it(hints):
    stream = hints.get("/h2test/interim")
    (status, fields), = stream.interim
    assert status == 103 and ("link", "</a.css>; rel=preload; as=style") in fields
    assert stream.status == 200 and stream.complete and stream.received == 10
    is_alive(hints)


def test_2_a_103_is_a_head_without_end_and_without_data(hints):
    stream = hints.get("/h2test/interim")
    types = [f.type for f in hints.received(stream=stream.id)]
    assert types[:2] == [HEADERS, HEADERS] and set(types[2:]) == {DATA}
    assert not hints.received(HEADERS, stream)[0].flags & END_STREAM


def test_2_there_may_be_several(hints, counter):
    gate = counter.gate()
    counter.open_all()
    stream = hints.get("/h2test/interims?gate=%s" % gate)
    assert [status for status, _ in stream.interim].count(103) == 2
    assert stream.status == 200 and stream.complete


def test_2_a_103_has_no_fields_that_are_about_the_connection_or_the_body(hints, counter):
    gate = counter.gate()
    counter.open_all()
    stream = hints.get("/h2test/interims?gate=%s" % gate)
    for _, fields in stream.interim:
        assert not {name for name, _ in fields} & {"connection", "transfer-encoding",
                                                   "content-length"}


def test_2_a_103_to_head_is_followed_by_a_response_without_data(hints):
    stream = hints.fetch("HEAD", "/h2test/interim")
    assert [status for status, _ in stream.interim] == [103]
    assert stream.status == 200 and stream.complete and not stream.received


def test_3_none_is_sent_where_it_is_not_asked_for(h2):
    stream = h2.get("/h2test/interim")
    assert not stream.interim and stream.complete

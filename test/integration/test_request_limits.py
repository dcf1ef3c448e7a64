# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""The limits of httpd's core on a request hold for HTTP/2 as they do for HTTP/1.1."""

import pytest

from conftest import open_client
from h2client import ENHANCE_YOUR_CALM
from servers import PLAIN

LINE, FIELDS, SIZE = 200, 10, 100
TOO_LARGE = 431

CONFIG = """
LimitRequestLine %d
LimitRequestFields %d
LimitRequestFieldSize %d
""" % (LINE, FIELDS, SIZE) + PLAIN


@pytest.fixture
def h2(servers, mpm, transport):
    return open_client(servers.get("request-limits", mpm, CONFIG), transport)


def path_of(length):
    """For a request line of that length: GET PATH HTTP/2.0."""
    path = "/h2test/info?"
    return path + "x" * (length - len("GET  HTTP/2.0") - len(path))


def status(client, fields):
    status = client.get("/h2test/info", fields).status
    assert client.get("/h2test/info").complete, "the connection goes on"
    return status


@pytest.mark.parametrize("length, expected", [(LINE, 200), (LINE + 1, 414), (5000, 414)])
def test_limit_request_line_is_enforced(h2, length, expected):
    assert h2.get(path_of(length)).status == expected
    assert h2.get("/h2test/info").complete


@pytest.mark.parametrize("count, expected", [(FIELDS, 200), (FIELDS + 1, TOO_LARGE),
                                             (200, TOO_LARGE)])
@pytest.mark.parametrize("name", ["x-%d", "x-same"])
def test_limit_request_fields_counts_each_field(h2, name, count, expected):
    fields = [(name % i if "%" in name else name, "v") for i in range(count)]
    if name == "x-same" and count > 20:
        fields = fields[:20]        # merged they would be too large as well
    assert status(h2, fields) == expected


@pytest.mark.parametrize("length, expected", [(SIZE, 200), (SIZE + 1, TOO_LARGE),
                                              (5000, TOO_LARGE)])
def test_limit_request_field_size_is_enforced(h2, length, expected):
    assert status(h2, [("x-long", "v" * (length - len("x-long: ")))]) == expected


@pytest.mark.parametrize("length, is_too_large", [(SIZE, False), (SIZE + 1, True), (5000, True)])
def test_limit_request_field_size_holds_for_the_authority_as_for_host(h2, length, is_too_large):
    response = h2.get("/h2test/info", authority="a" * length)
    assert (response.status == TOO_LARGE) == is_too_large, response
    assert response.complete and h2.get("/h2test/info").complete


@pytest.mark.parametrize("name, separator", [("x-same", ", "), ("cookie", "; ")])
@pytest.mark.parametrize("count, expected", [(3, 200), (4, TOO_LARGE)])
def test_fields_of_one_name_are_measured_merged(h2, name, separator, count, expected):
    value = "v" * (SIZE // 4)
    assert count * len(value) + (count - 1) * len(separator) > SIZE or expected == 200
    assert status(h2, [(name, value)] * count) == expected


@pytest.mark.parametrize("path", ["/h2test/read", "/h2test/echo", "/cgi/digest"])
@pytest.mark.parametrize("trailers", [
    [("x-%d" % i, "v") for i in range(FIELDS + 1)],
    [("x-long", "v" * SIZE)],
], ids=["too many", "too long"])
def test_the_limits_hold_for_trailers(h2, path, trailers):
    stream = h2.request("POST", path, end=False)
    h2.send_data(stream, b"the body")
    h2.send_headers(stream.id, trailers, end=True)
    h2.wait(stream)
    assert stream.status == TOO_LARGE or stream.reset is not None, stream
    assert h2.get("/h2test/info").complete


@pytest.mark.parametrize("path", ["/h2test/read", "/cgi/digest"])
def test_trailers_within_the_limits_do_no_harm(h2, path):
    stream = h2.request("POST", path, end=False)
    h2.send_data(stream, b"the body")
    h2.send_headers(stream.id, [("x-%d" % i, "v" * 50) for i in range(FIELDS)], end=True)
    assert h2.wait(stream).complete and stream.status == 200


@pytest.mark.parametrize("part", ["head", "trailers"])
def test_a_flood_of_fields_resets_the_stream_and_not_the_connection(h2, part):
    fields = [("x-same", "v" * 100)] * 1000     # a byte each when they are packed
    if part == "head":
        stream = h2.request("GET", "/h2test/info", fields)
    else:
        stream = h2.request("POST", "/h2test/read", end=False)
        h2.send_headers(stream.id, fields, end=True)
    h2.wait(stream)
    assert stream.reset == ENHANCE_YOUR_CALM
    assert h2.get("/h2test/info").complete

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""http2_get_pollfd_from_conn: a handler that polls for the body of its request."""

from demosite import pattern
from environment import wait_until
from h1client import Http1


def test_a_handler_is_woken_by_each_piece_of_the_body(h2):
    stream = h2.request("POST", "/h2test/polled", end=False)
    for number in range(5):
        h2.send_data(stream, b"piece %d," % number)
        h2.wait_bytes(stream, 8 * (number + 1))
        assert bytes(stream.body[-8:]) == b"piece %d," % number
    h2.send_data(stream, b"", end=True)
    assert h2.wait(stream).complete
    assert b"polls, timeout 20000000)" in stream.body


def test_a_large_body_is_read_by_polling(h2):
    stream = h2.fetch("POST", "/h2test/polled", body=pattern(300000))
    assert stream.complete and bytes(stream.body).startswith(pattern(300000))


def test_what_was_there_before_the_poll_is_seen(h2, counter):
    stream = h2.request("POST", "/h2test/polled?fixup_gate=%s&tag=%s" % (counter.gate(), counter),
                        body=b"early")
    h2.ping()
    counter.open()
    assert h2.wait(stream).complete and stream.body.startswith(b"early")


def test_without_a_body_there_is_nothing_to_poll(h2):
    stream = h2.get("/h2test/polled")
    assert stream.complete and b"(0 polls" in stream.body


def test_a_reset_wakes_who_polls(h2, counter):
    stream = h2.request("POST", "/h2test/polled?tag=%s" % counter, body=b"some", end=False)
    h2.wait_bytes(stream, 4)
    h2.send_reset(stream)
    wait_until(lambda: counter.running == 0, "the handler to end")


def test_it_is_not_for_http_1_1(httpd):
    with Http1(httpd.address("plain")) as client:
        assert client.get("/h2test/polled").status == 501

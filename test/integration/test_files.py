# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Static files: sizes, ranges, conditional requests, listings, negotiation."""

import re
import subprocess
from email.utils import formatdate

import pytest

import environment as env
from demosite import BIG_MARKS, FILE_SIZES, GIB, pattern
from h2client import DATA, END_STREAM, INITIAL_WINDOW_SIZE


@pytest.mark.parametrize("size", FILE_SIZES)
def test_a_file_of_any_size_arrives_whole(h2, size):
    r = h2.get("/files/%d.bin" % size)
    assert r.status == 200 and r.complete
    assert r.headers["content-length"] == str(size)
    assert r.body == pattern(size)


@pytest.mark.parametrize("size", FILE_SIZES)
def test_head_gives_the_length_and_no_body(h2, size):
    r = h2.fetch("HEAD", "/files/%d.bin" % size)
    assert r.status == 200 and r.complete
    # httpd leaves out a zero in the response to HEAD
    assert r.headers.get("content-length", "0") == str(size)
    assert r.body == b""


def test_all_files_at_once_on_one_connection_arrive_whole(h2):
    streams = [(size, h2.request("GET", "/files/%d.bin" % size)) for size in FILE_SIZES * 3]
    for size, stream in streams:
        h2.wait(stream)
        assert stream.complete and stream.body == pattern(size)


def test_an_empty_file_ends_without_superfluous_frames(h2):
    r = h2.get("/files/0.bin")
    assert r.complete
    assert sum(f.length for f in h2.received(DATA, r)) == 0
    assert len(h2.received(DATA, r)) <= 1


def test_data_frames_are_not_larger_than_the_client_allows(h2):
    r = h2.get("/files/1048576.bin")
    sizes = [f.length for f in h2.received(DATA, r)]
    assert r.body == pattern(1 << 20)
    assert max(sizes) <= 16384
    assert len(sizes) <= 100, "small frames: %s" % sizes


def test_a_file_of_1_gib_arrives_whole_over_clear_text(servers):
    httpd = servers.main("event")
    tail = subprocess.Popen(
        ["curl", "-sSf", "--http2-prior-knowledge", httpd.url("/files/big.bin", "clear")],
        stdout=subprocess.PIPE)
    marks, total = dict(BIG_MARKS), 0
    while True:
        data = tail.stdout.read(1 << 20)
        if not data:
            break
        for offset, mark in list(marks.items()):
            if total <= offset and offset + len(mark) <= total + len(data):
                assert data[offset - total:offset - total + len(mark)] == mark
                del marks[offset]
        total += len(data)
    assert tail.wait(10) == 0
    assert total == GIB and not marks


def test_the_end_of_a_file_of_1_gib_can_be_asked_for(h2):
    r = h2.get("/files/big.bin", {"range": "bytes=-4"})
    assert r.status == 206 and r.body == b"last"
    assert r.headers["content-range"] == "bytes %d-%d/%d" % (GIB - 4, GIB - 1, GIB)


def test_a_large_file_does_not_fill_the_memory_when_the_client_takes_nothing(httpd, connect):
    client = connect(auto_window=False, settings={INITIAL_WINDOW_SIZE: 1 << 20})
    client.get("/files/1.bin")
    before = httpd.resident_kib()
    stream = client.request("GET", "/files/big.bin")
    client.wait_bytes(stream, 65534)
    client.ping()
    assert env.sanitizer or httpd.resident_kib() - before < 4096


@pytest.mark.parametrize("asked, first, last", [
    ("bytes=0-0", 0, 0), ("bytes=0-16384", 0, 16384), ("bytes=65500-65536", 65500, 65536),
    ("bytes=65000-", 65000, 65536), ("bytes=-1", 65536, 65536), ("bytes=-70000", 0, 65536)])
def test_a_range_gives_exactly_those_bytes(h2, asked, first, last):
    r = h2.get("/files/65537.bin", {"range": asked})
    assert r.complete
    if (first, last) == (0, 65536) and r.status == 200:
        assert r.body == pattern(65537)
        return
    assert r.status == 206
    assert r.headers["content-range"] == "bytes %d-%d/65537" % (first, last)
    assert r.body == pattern(last - first + 1, first)


def test_several_ranges_come_as_multipart(h2):
    r = h2.get("/files/65537.bin", {"range": "bytes=0-9,100-109,65000-65009"})
    assert r.status == 206 and r.complete
    boundary = re.match(r"multipart/byteranges; boundary=(\S+)", r.headers["content-type"]).group(1)
    parts = bytes(r.body).split(b"--" + boundary.encode())
    assert len(parts) == 5 and parts[4].startswith(b"--")
    for part, first in zip(parts[1:4], (0, 100, 65000)):
        head, _, content = part.partition(b"\r\n\r\n")
        assert b"bytes %d-%d/65537" % (first, first + 9) in head
        assert content == pattern(10, first) + b"\r\n"
    assert int(r.headers["content-length"]) == len(r.body)


def test_a_range_beyond_the_file_is_416(h2):
    r = h2.get("/files/1000.bin", {"range": "bytes=2000-3000"})
    assert r.status == 416 and r.complete
    assert h2.get("/files/1.bin").status == 200


def test_if_range_with_another_etag_gives_the_whole_file(h2):
    r = h2.get("/files/1000.bin", {"range": "bytes=0-9", "if-range": '"other"'})
    assert r.status == 200 and r.body == pattern(1000)


def test_if_none_match_with_the_same_etag_is_304_without_a_body(h2):
    etag = h2.get("/files/1000.bin").headers["etag"]
    r = h2.get("/files/1000.bin", {"if-none-match": etag})
    assert r.status == 304 and r.complete and r.body == b""
    assert r.headers["etag"] == etag
    frames = h2.received(stream=r)
    assert len([f for f in frames if f.flags & END_STREAM]) == 1
    assert h2.get("/files/1000.bin", {"if-none-match": '"other"'}).body == pattern(1000)


def test_if_modified_since_is_honoured(h2):
    date = h2.get("/files/1000.bin").headers["last-modified"]
    assert h2.get("/files/1000.bin", {"if-modified-since": date}).status == 304
    r = h2.get("/files/1000.bin", {"if-modified-since": formatdate(1e9, usegmt=True)})
    assert r.status == 200 and r.body == pattern(1000)


def test_if_match_with_another_etag_is_412(h2):
    r = h2.get("/files/1000.bin", {"if-match": '"other"'})
    assert r.status == 412 and r.complete


def test_a_missing_file_is_404_and_the_connection_lives(h2):
    r = h2.get("/files/missing")
    assert r.status == 404 and r.complete and b"Not Found" in r.body
    assert h2.get("/files/1.bin").status == 200


def test_a_folder_without_slash_is_redirected(h2, transport):
    r = h2.get("/listing")
    assert r.status == 301 and r.complete
    assert r.headers["location"] == ("https" if transport == "tls" else "http") + \
        "://a.test/listing/"


def test_a_folder_gives_its_index_page(h2):
    r = h2.get("/")
    assert r.status == 200 and "welcome" in r.text
    assert r.headers["content-type"] == "text/html"


def test_a_folder_without_index_page_is_listed(h2):
    r = h2.get("/listing/")
    assert r.status == 200 and r.complete
    assert "one.txt" in r.text and "two.txt" in r.text


@pytest.mark.parametrize("asked, found", [("de", "Deutsch"), ("en", "English"), ("fr", "English")])
def test_the_language_is_negotiated(h2, asked, found):
    r = h2.get("/negotiated/page", {"accept-language": asked})
    assert r.status == 200 and found in r.text
    assert "accept-language" in r.headers["vary"].lower()


def test_responses_carry_date_and_server(h2):
    r = h2.get("/files/1.bin")
    assert "Apache" in r.headers["server"]
    assert re.match(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$", r.headers["date"])
    assert "connection" not in r.headers and "transfer-encoding" not in r.headers

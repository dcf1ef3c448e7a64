#!/usr/bin/python3 -SE
# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""An application that answers with interim responses: as a CGI script, and for uwsgi, which runs it
for FastCGI, SCGI and its own protocol; hint_items() is also for a back end of HTTP.

The last part of the path says what comes. A gate is a file GATES/NAME that the test makes."""

import os
import sys
import time

GATES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gates")
LINK_A, LINK_B = ("Link", "</a.css>; rel=preload"), ("Link", "</b.css>; rel=preload")
TEXT = ("Content-Type", "text/plain")
HINTS = (103, [LINK_A])
OK_HEAD = (200, [TEXT, ("X-Final", "yes")])


def hint_items(name, query, env):
    """Heads as (status, fields), bytes, and callables to be called between them."""
    def gate(n):
        path = os.path.join(GATES, query + n)
        limit = time.monotonic() + 20
        while not os.path.exists(path) and time.monotonic() < limit:
            time.sleep(0.005)

    if name == "several":
        return [HINTS, lambda: gate("1"), (103, [LINK_B, ("X-Two", "2")]), lambda: gate("2"),
                (102, []), lambda: gate("3"), OK_HEAD, b"the body"]
    if name == "plain":
        return [OK_HEAD, env.get("H2_EARLY_HINTS", "not said").encode()]
    if name == "told":
        return [HINTS, (None, [TEXT]), env.get("H2_EARLY_HINTS", "not said").encode()]
    if name == "fields":    # those of the interim response are not those of the final one
        return [(103, [LINK_A, ("Set-Cookie", "a=b"), ("ETag", '"1"'), ("X-Only", "interim")]),
                (200, [("Content-Type", "text/html"), ("ETag", '"2"'), ("Set-Cookie", "c=d"),
                       ("Set-Cookie", "e=f")]), b"the body"]
    if name == "bad":
        return [(103, [LINK_A, ("Content-Length", "5"), ("Connection", "close"),
                       ("X-Control", "a\x01b"), ("Keep-Alive", "max=3"), LINK_B,
                       ("Transfer-Encoding", "chunked")]), OK_HEAD, b"the body"]
    if name == "names":     # httpd takes such a head from CGI scripts only
        return [(103, [("Bad Name", "1"), LINK_A, ("(x)", "2")]), OK_HEAD, b"the body"]
    if name == "long":
        return [(103, [("X-Long", "v" * 7000), LINK_A]), OK_HEAD, b"the body"]
    if name == "merged":    # by httpd, into one field, and then too long
        return [(103, [("X-Many", "v" * 7000), ("X-Many", "v" * 7000), LINK_A]), OK_HEAD,
                b"the body"]
    if name == "large":
        return [HINTS, OK_HEAD, *[bytes([65 + i % 26]) * 8192 for i in range(128)]]
    if name == "missing":
        return [(103, [LINK_A]), (404, [TEXT]), b"not here"]
    if name == "endless":
        return [HINTS] * 40 + [OK_HEAD]
    if name == "nothing":
        return [HINTS]
    if name == "garbage":
        return [HINTS, b"this is no head\r\n\r\n"]
    if name == "stuck":
        return [HINTS, lambda: gate("never")]
    if name == "local":
        return [HINTS, (None, [("Location", "/hint-cgi/plain")])]
    if name == "away":
        return [HINTS, (None, [("Location", "http://elsewhere.test/x")])]
    if name == "tagged":
        return [HINTS, (None, [TEXT, ("ETag", '"the tag"')]), b"the body"]
    return [(404, [TEXT]), b"no such case"]


def head_bytes(status, fields, start="Status:"):
    """start "" leaves the first line to who calls."""
    lines = ["%s: %s" % field for field in fields]
    if status and start:
        lines.insert(0, "%s %d x" % (start, status))
    return "".join(line + "\r\n" for line in lines).encode("latin-1") + b"\r\n"


def application(env, start_response):
    """For uwsgi: only the first head is its own; what follows is a body to it."""
    uri, _, query = env["REQUEST_URI"].partition("?")
    way, name = uri.strip("/").split("/")[0], uri.rsplit("/", 1)[1]
    start = "HTTP/1.1" if way == "uwsgi" else "Status:"
    is_first = True
    for item in hint_items(name, query, env):
        if callable(item):
            item()
        elif isinstance(item, bytes):
            yield item
        elif is_first:
            start_response("%d x" % item[0], item[1])
            # Without a byte behind it uwsgi does not send a head, nor mod_proxy_fcgi hear it.
            yield b"\r\n" if item[0] < 200 else b""
        else:
            status = item[0] or (200 if way == "uwsgi" else None)
            yield head_bytes(status, item[1], start) + (b"\r\n" if (status or 200) < 200 else b"")
        is_first = False


def main():
    """As a CGI script; ?bytes&... writes single bytes, ?once&... all at once."""
    out = sys.stdout.buffer
    query = os.environ.get("QUERY_STRING", "")
    for item in hint_items(os.environ["PATH_INFO"].strip("/"), query, os.environ):
        if callable(item):
            item()
            continue
        data = item if isinstance(item, bytes) else head_bytes(*item)
        if query.startswith("bytes"):
            for i in range(len(data)):
                out.write(data[i:i + 1])
                out.flush()
        else:
            out.write(data)
            if not query.startswith("once"):
                out.flush()


if __name__ == "__main__":
    main()

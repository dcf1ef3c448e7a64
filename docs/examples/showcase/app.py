#!/usr/bin/python3
# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""An application behind httpd that uses what HTTP/2 offers, with nothing but Python's standard
library. It speaks HTTP/1.1 to httpd; httpd and mod_h2 speak HTTP/2 to the client.

    app.py --unix PATH      listen on a Unix socket
    app.py --port N         listen on 127.0.0.1

    /               a page that shows all of it in a browser
    /page           103 Early Hints, twice, before the page itself
    /seen           what httpd tells of the request's place among the others, as JSON
    /data?bytes=N   N bytes; with &priority=VALUE the application overrides the client's priority
    /trailers       a body whose digest and time follow as trailers
    /upload?id=ID   POST: reads the body as it comes, answers with its length and digest
    /progress?id=ID how far that upload has come
    /events?id=ID   server-sent events, each when the one before has been seen (or soon after)
    /open?id=ID     the client has seen an event, or the hints of a page

A client that names no id is not waited for.
"""

import argparse
import base64
import hashlib
import http.server
import json
import os
import socket
import threading
import time
import urllib.parse
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAUSE = 0.4         # seconds between two events for those who do not say what they have seen
PATIENCE = 10       # seconds to wait for those who do
EVENTS = 5
FILES = {"index.html": "text/html; charset=utf-8", "style.css": "text/css",
         "script.js": "text/javascript"}

_changed = threading.Condition()
_opened = {}        # by id: how often /open was asked for
_received = {}      # by id: the bytes of an upload


def wait_opened(name, times):
    """Until the client has seen so many things; without a name, for a moment."""
    if not name:
        time.sleep(PAUSE)
        return True
    with _changed:
        return _changed.wait_for(lambda: _opened.get(name, 0) >= times, PATIENCE)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "showcase"

    def log_message(self, *_):
        pass

    def address_string(self):
        return "httpd"      # a Unix socket has no other name

    # -- pieces ------------------------------------------------------------------------------------

    def hint(self, *links):
        """An interim response: httpd passes it on at once."""
        self.send_response_only(103)
        for link in links:
            self.send_header("Link", link)
        self.end_headers()
        self.wfile.flush()

    def answer(self, body, kind="text/plain; charset=utf-8", **fields):
        body = body.encode() if isinstance(body, str) else body
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def begin_chunks(self, kind, **fields):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in fields.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def end_chunks(self, trailers=()):
        lines = "".join("%s: %s\r\n" % field for field in trailers)
        self.wfile.write(("0\r\n%s\r\n" % lines).encode())

    def body(self):
        """The pieces of the request's body, as they come."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while True:
                left = int(self.rfile.readline().split(b";")[0], 16)
                yield from self._pieces(left)
                self.rfile.readline()
                if left == 0:
                    return
        yield from self._pieces(int(self.headers.get("Content-Length", 0)))

    def _pieces(self, left):
        while left:
            piece = self.rfile.read1(min(left, 65536))
            if not piece:
                raise ConnectionError("the request ends early")
            left -= len(piece)
            yield piece

    # -- what there is -----------------------------------------------------------------------------

    def do_GET(self):
        path, _, query = self.path.partition("?")
        asked = dict(urllib.parse.parse_qsl(query))
        name = path.rpartition("/")[2] or "index.html"
        show = getattr(self, "show_" + name, None)
        if name in FILES:
            self.answer((HERE / name).read_bytes(), FILES[name], Cache_Control="max-age=60")
        elif show and (name == "upload") == (self.command == "POST"):
            show(asked)
        else:
            self.send_error(404)

    do_HEAD = do_POST = do_GET

    def show_page(self, asked):
        self.hint("<style.css>; rel=preload; as=style")
        wait_opened(asked.get("id"), 1)
        self.hint("<script.js>; rel=preload; as=script", "<https://example.org>; rel=preconnect")
        seen = wait_opened(asked.get("id"), 2)
        self.answer("<!DOCTYPE html><title>Early hints</title><link rel=stylesheet href=style.css>"
                    "<p>How this page's parts were fetched:<pre id=hints></pre>"
                    "<script src=script.js></script>\n", FILES["index.html"],
                    X_Hints_Seen="yes" if seen else "no")

    def show_seen(self, _):
        names = ("Priority", "H2-Priority-Urgency", "H2-Priority-Incremental", "H2-Stream-Weight",
                 "H2-Stream-Depends-On", "Host", "X-Forwarded-For", "X-Forwarded-Proto")
        self.answer(json.dumps({name: self.headers[name] for name in names if name in self.headers},
                               indent=1) + "\n", "application/json", Cache_Control="no-store")

    def show_data(self, asked):
        fields = {"Priority": asked["priority"]} if "priority" in asked else {}
        self.answer(bytes(min(int(asked.get("bytes", 1000)), 1 << 26)), "application/octet-stream",
                    **fields)

    def show_trailers(self, _):
        begun = time.monotonic()
        digest = hashlib.sha256()
        self.begin_chunks("text/plain", Trailer="Content-Digest, Server-Timing")
        for number in range(1, 1001):
            line = b"line %d\n" % number
            digest.update(line)
            self.chunk(line)
        self.end_chunks([
            ("Content-Digest", "sha-256=:%s:" % base64.b64encode(digest.digest()).decode()),
            ("Server-Timing", "total;dur=%.1f" % ((time.monotonic() - begun) * 1000))])

    def show_upload(self, asked):
        name = asked.get("id", "")
        digest, count = hashlib.sha256(), 0
        for piece in self.body():
            digest.update(piece)
            count += len(piece)
            with _changed:
                _received[name] = count
                _changed.notify_all()
        self.answer("%d bytes, sha-256 %s\n" % (count, digest.hexdigest()))

    def show_progress(self, asked):
        """Answers when at least so many bytes have come, or after a while."""
        name, wanted = asked.get("id", ""), int(asked.get("bytes", 0))
        with _changed:
            _changed.wait_for(lambda: _received.get(name, 0) >= wanted, PATIENCE)
            self.answer("%d\n" % _received.get(name, 0), Cache_Control="no-store")

    def show_events(self, asked):
        # The first events are as urgent as the page, and of use one by one.
        self.begin_chunks("text/event-stream", Cache_Control="no-store", Priority="u=2, i")
        for number in range(1, EVENTS + 1):
            self.chunk(b"id: %d\ndata: event %d\n\n" % (number, number))
            wait_opened(asked.get("id"), number)
        self.end_chunks()

    def show_open(self, asked):
        name = asked.get("id", "")
        with _changed:
            _opened[name] = _opened.get(name, 0) + 1
            _changed.notify_all()
        self.answer("open\n", Cache_Control="no-store")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class UnixServer(Server):
    address_family = socket.AF_UNIX

    def server_bind(self):
        Path(self.server_address).unlink(missing_ok=True)
        self.socket.bind(self.server_address)
        os.chmod(self.server_address, 0o666)     # httpd's user connects
        self.server_name, self.server_port = "localhost", 0


def main():
    parser = argparse.ArgumentParser(description="The showcase application.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--unix", metavar="PATH")
    where.add_argument("--port", type=int, metavar="N")
    options = parser.parse_args()
    if options.unix:
        server = UnixServer(options.unix, Handler)
    else:
        server = Server(("127.0.0.1", options.port), Handler)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()

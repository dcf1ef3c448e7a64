#!/usr/bin/python3
# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Tries out the showcase application over HTTP/2, with the library h2 (Debian: python3-h2).

    check.py URL        such as https://localhost:8443/app/ or http://localhost:8080/app/

A line for each check, then their count. Certificates are not verified."""

import base64
import hashlib
import json
import socket
import ssl
import sys
import time
import urllib.parse
import uuid

import h2.config
import h2.connection
import h2.events
import h2.settings

PATIENCE = 20           # seconds that anything may take
MIB = 1 << 20


class Stream:
    """A request and what has come of its response."""

    def __init__(self, number):
        self.id = number
        self.hints = []         # the fields of each 103, as dictionaries
        self.fields = {}
        self.body = b""
        self.trailers = {}
        self.ended = 0          # 1 for the first stream of the connection that has ended, and so on
        self.was_reset = False


class Client:
    """An HTTP/2 connection. Everything happens in its calls; none of them waits without end."""

    def __init__(self, url, is_slow=False):
        """is_slow: it takes data only where the caller opens the connection's window."""
        self.is_slow = is_slow
        self.url = urllib.parse.urlsplit(url)
        is_tls = self.url.scheme == "https"
        self.sock = socket.create_connection(
            (self.url.hostname, self.url.port or (443 if is_tls else 80)), timeout=PATIENCE)
        if is_tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(["h2"])
            self.sock = context.wrap_socket(self.sock, server_hostname=self.url.hostname)
            assert self.sock.selected_alpn_protocol() == "h2", "the server does not offer h2"
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.local_settings = h2.settings.Settings(
            client=True, initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: MIB})
        self.h2.initiate_connection()
        self.streams = {}
        self.ended = 0
        self.received = 0       # bytes of all bodies
        self.flush()

    def close(self):
        self.sock.close()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def request(self, path, method="GET", fields=(), end=True):
        number = self.h2.get_next_available_stream_id()
        self.h2.send_headers(number, [
            (":method", method), (":scheme", self.url.scheme), (":authority", self.url.netloc),
            (":path", self.url.path + path), *fields], end_stream=end)
        self.flush()
        stream = self.streams[number] = Stream(number)
        return stream

    def send(self, stream, data, end=False):
        """Body of a request, as fast as the server gives window."""
        while data:
            room = min(self.h2.local_flow_control_window(stream.id), self.h2.max_outbound_frame_size)
            if room:
                self.h2.send_data(stream.id, data[:room])
                data = data[room:]
                self.flush()
            else:
                self.receive()
        if end:
            self.h2.end_stream(stream.id)
            self.flush()

    def receive(self):
        data = self.sock.recv(65536)
        assert data, "the connection was closed"
        for event in self.h2.receive_data(data):
            stream = self.streams.get(getattr(event, "stream_id", None))
            if stream:
                self.note(stream, event)
        self.flush()

    def note(self, stream, event):
        if isinstance(event, h2.events.InformationalResponseReceived):
            stream.hints.append(dict(event.headers))
        elif isinstance(event, h2.events.ResponseReceived):
            stream.fields = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            stream.body += event.data
            self.received += len(event.data)
            if not self.is_slow:
                self.h2.acknowledge_received_data(event.flow_controlled_length, stream.id)
        elif isinstance(event, h2.events.TrailersReceived):
            stream.trailers = dict(event.headers)
        elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
            stream.was_reset = isinstance(event, h2.events.StreamReset)
            self.ended += 1
            stream.ended = self.ended

    def wait(self, is_true):
        until = time.monotonic() + PATIENCE
        while not is_true():
            assert time.monotonic() < until, "waited in vain"
            self.receive()

    def get(self, path, fields=()):
        stream = self.request(path, fields=fields)
        self.wait(lambda: stream.ended)
        return stream


# -- the checks: each returns what is wrong, or nothing ------------------------------------------------


def early_hints_come_before_the_response(client):
    name = uuid.uuid4().hex
    page = client.request("page?id=" + name)
    for number in (1, 2):       # the application goes on when it hears that the hints were seen
        client.wait(lambda: len(page.hints) >= number or page.ended)
        if page.fields:
            return "the response came before hint %d" % number
        client.get("open?id=" + name)
    client.wait(lambda: page.ended)
    if page.fields[":status"] != "200" or page.fields.get("x-hints-seen") != "yes":
        return "no page: %s" % page.fields
    if "rel=preload" not in page.hints[0].get("link", ""):
        return "no link: %s" % page.hints


def the_application_sees_priorities(client):
    seen = json.loads(client.get("seen", [("priority", "u=1, i")]).body)
    if (seen.get("H2-Priority-Urgency"), seen.get("H2-Priority-Incremental")) != ("1", "on"):
        return "it has seen %s" % seen


def order(url, *asked):
    """The order in which responses end that all have more to send than the client takes."""
    client = Client(url, is_slow=True)
    streams = [client.request("data?bytes=%d%s" % (MIB // 2, more), fields=[("priority", priority)])
               for more, priority in asked]
    client.wait(lambda: all(stream.fields for stream in streams))
    whole = len(streams) * MIB // 2
    while client.received < whole:
        wanted = min(client.received + 16384, whole)
        client.h2.increment_flow_control_window(16384)
        client.flush()
        client.wait(lambda: client.received >= wanted)
    client.wait(lambda: all(stream.ended for stream in streams))
    client.close()
    return sorted(range(len(streams)), key=lambda n: streams[n].ended)


def urgent_responses_come_first(client):
    found = order(client.url.geturl(), ("", "u=6"), ("", "u=4"), ("", "u=2"))
    if found != [2, 1, 0]:
        return "they ended in the order %s" % found


def the_application_overrides_the_client(client):
    found = order(client.url.geturl(), ("", "u=2"), ("&priority=u%3D0", "u=6"))
    if found != [1, 0]:
        return "they ended in the order %s" % found


def trailers_follow_the_body(client):
    stream = client.get("trailers", [("te", "trailers")])
    digest = base64.b64encode(hashlib.sha256(stream.body).digest()).decode()
    if stream.trailers.get("content-digest") != "sha-256=:%s:" % digest:
        return "trailers are %s" % stream.trailers
    if "server-timing" not in stream.trailers or not stream.body.endswith(b"line 1000\n"):
        return "something is missing"


def an_upload_is_read_as_it_comes(client):
    name, digest = uuid.uuid4().hex, hashlib.sha256()
    stream = client.request("upload?id=" + name, "POST", end=False)
    for number in range(1, 5):
        piece = bytes([number]) * 300000
        digest.update(piece)
        client.send(stream, piece)
        read = client.get("progress?id=%s&bytes=%d" % (name, number * 300000)).body
        if int(read) != number * 300000:
            return "the application has read %s of %d bytes" % (read.decode(), number * 300000)
    client.send(stream, b"", end=True)
    client.wait(lambda: stream.ended)
    if stream.body.decode() != "1200000 bytes, sha-256 %s\n" % digest.hexdigest():
        return "the answer is %s" % stream.body


def events_come_one_by_one(client):
    name = uuid.uuid4().hex
    stream = client.request("events?id=" + name)
    for number in range(1, 6):
        client.wait(lambda: b"data: event %d\n\n" % number in stream.body or stream.ended)
        if b"data: event %d\n" % (number + 1) in stream.body:
            return "event %d came before event %d was seen" % (number + 1, number)
        client.get("open?id=" + name)
    client.wait(lambda: stream.ended)
    if stream.body.count(b"data: ") != 5 or stream.was_reset:
        return "the stream was %s" % stream.body


CHECKS = [early_hints_come_before_the_response, the_application_sees_priorities,
          urgent_responses_come_first, the_application_overrides_the_client,
          trailers_follow_the_body, an_upload_is_read_as_it_comes, events_come_one_by_one]


def main():
    if len(sys.argv) != 2 or "://" not in sys.argv[1]:
        sys.exit(__doc__)
    client, failed = Client(sys.argv[1]), 0
    for check in CHECKS:
        try:
            wrong = check(client)
        except Exception as error:  # whatever it is, the next one may work
            wrong = "%s: %s" % (type(error).__name__, error)
            client = Client(sys.argv[1])
        failed += bool(wrong)
        print("%s %s%s" % ("FAIL " if wrong else "ok   ", check.__name__.replace("_", " "),
                           ": " + wrong if wrong else ""))
    print("%d passed, %d failed" % (len(CHECKS) - failed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()

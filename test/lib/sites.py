# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""What the tests with real sites share: the server, and the comparison of HTTP/1.1 with HTTP/2."""

import os
import re
import shutil
import subprocess

import environment as env
from connections import open_client
from h1client import Http1
from h2client import Tls
from servers import TLS

# The two vhosts of a site: HTTP/1.1 and HTTP/2 over TLS and in clear text, %s being the site.
VHOSTS = """
SSLSessionCache none
<VirtualHost *:{port_tls}>
    ServerName a.test
    Protocols h2 http/1.1
    {tls}
%s
</VirtualHost>
<VirtualHost *:{port_clear}>
    ServerName a.test
    Protocols h2c http/1.1
%s
</VirtualHost>
"""

# Response fields that are not compared, each with the reason.
NOT_COMPARED = {
    "date": "the time",
    "connection": "of HTTP/1.1's connection",
    "keep-alive": "of HTTP/1.1's connection",
    "upgrade": "of HTTP/1.1's connection: offers h2 and h2c",
    "transfer-encoding": "HTTP/2 has frames for it",
}


def both_vhosts(config):
    return VHOSTS.replace("{tls}", TLS) % (config, config)


def folder(name):
    """A new folder for a site's own files, which httpd's children may write."""
    path = env.scratch_dir() / ("site-" + name)
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    path.chmod(0o755)
    return path


def give_to_httpd(path):
    """Makes all below `path` the files of the user that httpd's children run as."""
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "www-data:www-data", str(path)], check=True)


class Protocols:
    """Of the requests in an access log since this was made: which were made by which protocol."""

    def __init__(self, httpd):
        self.httpd = httpd
        self.start = len(httpd.access_lines())

    def requests(self):
        """(protocol, status, method, target) of each."""
        found = []
        for line in self.httpd.access_lines()[self.start:]:
            match = re.search(r' (\d+|-) (HTTP/\S+) "(\S+) (.*) \S+"$', line)
            if match:
                found.append((match.group(2), match.group(1), match.group(3), match.group(4)))
        return found

    def wait_for(self, count):
        env.wait_until(lambda: len(self.requests()) >= count, "%d lines in the log" % count)
        return self.requests()

    def seen(self):
        return {request[0] for request in self.requests()}


class Asker:
    """Requests by one protocol, "h1" or "h2", each with the same call."""

    def __init__(self, httpd, transport, protocol, timeout=30):
        self.httpd, self.transport, self.protocol = httpd, transport, protocol
        self.timeout = timeout
        self.client = None
        self.origin = ("https" if transport == "tls" else "http") + "://a.test"

    def __call__(self, method="GET", path="/", headers=(), body=b""):
        fields = [(name.lower(), value) for name, value in
                  (headers.items() if isinstance(headers, dict) else headers)]
        if self.protocol == "h1":
            return self._ask_http1(method, path, fields, body)
        if self.client is None or self.client.closed or self.client.goaways:
            self.client = open_client(self.httpd, self.transport, window=1 << 24,
                                      settings={4: 1 << 20}, timeout=self.timeout)
        if body:
            fields.append(("content-length", str(len(body))))
        stream = self.client.fetch(method, path, fields, body=body or None)
        assert stream.complete, "%s %s: %r" % (method, path, stream)
        return stream

    def _ask_http1(self, method, path, fields, body):
        tls = Tls(alpn=("http/1.1",)) if self.transport == "tls" else None
        with Http1(self.httpd.address(self.transport), tls=tls,
                   timeout=self.timeout * env.SLOWER) as client:
            response = client.request(method, path, fields, body)
            while response.status < 200:
                response = client.response(head_only=method == "HEAD")
            return response


def asker(httpd, transport, protocol, **options):
    return Asker(httpd, transport, protocol, **options)


def compared_fields(response, but=(), static=False):
    """A response's fields, in no order, without those that need not be the same.

    Content-Length is among them for `static` ones. For others has_right_length alone looks at it:
    httpd adds it to what a script or an application makes where the end has come when the head is
    sent, which is a matter of time, by both protocols."""
    left_out = {*NOT_COMPARED, *but, *(() if static else ("content-length",))}
    return sorted((name, value) for name, value in response.fields if name not in left_out)


def has_right_length(response, method):
    given = [value for name, value in response.fields if name == "content-length"]
    return len(given) <= 1 and (not given or method == "HEAD" or response.status == 304 or
                                int(given[0]) == len(response.body))


def assert_same(one, two, what="", but=(), mask=None, static=False):
    """Both responses have the same status, fields and bytes. `but` names further fields that are
    left out; `mask` is a function for what is new each time in fields and bodies."""
    assert one.status == two.status, "%s: %s and %s" % (what, one.status, two.status)
    method = what.partition(" ")[0]
    assert has_right_length(one, method) and has_right_length(two, method), what
    mask = mask or (lambda content: content)
    fields = [sorted((name, mask(value.encode("latin-1"))) for name, value in
                     compared_fields(response, but, static)) for response in (one, two)]
    assert fields[0] == fields[1], "%s: %s" % (what, [
        field for field in fields[0] + fields[1] if (field in fields[0]) != (field in fields[1])])
    bodies = [mask(bytes(response.body)) for response in (one, two)]
    assert bodies[0] == bodies[1], "%s: %s" % (what, first_difference(*bodies))


def first_difference(one, two):
    at = next((i for i, (a, b) in enumerate(zip(one, two)) if a != b), min(len(one), len(two)))
    return "%d and %d bytes, different from %d on: %r and %r" % (
        len(one), len(two), at, one[max(0, at - 60):at + 60], two[max(0, at - 60):at + 60])


def compare(httpd, transport, requests, **options):
    """Makes each (method, path, headers, body) by HTTP/1.1 and by HTTP/2; both must be the same.
    Returns the responses."""
    first, second = asker(httpd, transport, "h1"), asker(httpd, transport, "h2")
    found = []
    for request in requests:
        one, two = first(*request), second(*request)
        assert_same(one, two, "%s %s" % request[:2], **options)
        found.append(two)
    return found


def tree(path):
    """Every file and folder below `path`, with its content."""
    found = {}
    for base, folders, names in os.walk(path):
        for name in folders:
            found[os.path.relpath(os.path.join(base, name), path)] = None
        for name in names:
            whole = os.path.join(base, name)
            with open(whole, "rb") as file:
                found[os.path.relpath(whole, path)] = file.read()
    return found


class Visitor:
    """Somebody with cookies; keeps every response."""

    def __init__(self, ask):
        self.ask, self.cookies, self.said = ask, {}, []

    def __call__(self, method, path, headers=(), body=b""):
        fields = list(headers)
        if self.cookies:
            fields.append(("cookie", "; ".join("%s=%s" % item for item in self.cookies.items())))
        response = self.ask(method, path, fields, body)
        for name, value in response.fields:
            if name == "set-cookie":
                cookie, _, content = value.partition(";")[0].partition("=")
                self.cookies[cookie] = content
        self.said.append(("%s %s" % (method, path), response))
        return response

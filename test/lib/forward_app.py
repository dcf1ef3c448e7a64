# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""A WSGI application for gunicorn and uwsgi: says what it got, hands bodies back."""

import json


def application(env, start_response):
    path = (env.get("REQUEST_URI") or env["RAW_URI"]).partition("?")[0].rsplit("/", 1)[1]
    if path == "echo":
        body, piece = b"", b"x"
        while piece:
            piece = env["wsgi.input"].read(65536)
            body += piece
        start_response("200 OK", [("Content-Type", "text/plain"),
                                  ("Content-Length", str(len(body)))])
        return [body]
    if path == "stream":
        start_response("200 OK", [("Content-Type", "text/plain")])
        return (b"%d\n" % i for i in range(1000))
    if path == "cookies":
        start_response("418 I'm a teapot", [("Set-Cookie", "a=1"), ("X-One", "1"),
                                            ("Set-Cookie", "b=2"), ("Content-Length", "0")])
        return []
    said = {name: value for name, value in env.items() if isinstance(value, str)}
    body = json.dumps(said).encode()
    start_response("200 OK", [("Content-Type", "application/json"),
                              ("Content-Length", str(len(body)))])
    return [body]

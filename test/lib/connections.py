# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""The connections of the running test: opened by it, closed for it."""

import environment as env
from h2client import Client, Tls

opened = []


def open_client(httpd, transport="tls", port=None, sni="a.test", alpn=("h2",), tls=None, **options):
    """An HTTP/2 connection; the running test's end closes it."""
    if transport == "tls":
        tls = tls or Tls(sni=sni, alpn=alpn)
    options.setdefault("authority", sni)
    options.setdefault("time_factor", env.SLOWER)
    client = Client(httpd.address(port or transport), tls=tls, **options)
    opened.append(client)
    return client


def close_all():
    while opened:
        opened.pop().close()

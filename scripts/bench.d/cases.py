"""What is measured: one Case for each row of the tables."""

from dataclasses import dataclass, replace

MIB = 1 << 20

ALL = ("ours", "mod_http2", "nginx", "h2o")
HTTPD = ("ours", "mod_http2")


@dataclass(frozen=True)
class Case:
    name: str
    what: str
    clients: int = 1
    streams: int = 1
    tls: bool = False
    path: str = "/1k.txt"
    # The names of servers.py; "h1" is the same httpd without an HTTP/2 module, over HTTP/1.1.
    servers: tuple = ALL
    # Which set of modules and which directives an httpd gets; see httpd_conf.py.
    profile: str = "static"
    # timed: a load of some seconds, measured in the middle; counted: `count` requests, measured as
    # a whole; mix: timed, and only the quick requests count; events: server-sent events.
    kind: str = "timed"
    count: int = 0
    # A request that moves this many bytes is accounted for per MiB.
    body_bytes: int = 0
    upload: bool = False
    # Delay of the path between client and server, both ways together.
    rtt_ms: int = 0
    # Use the port where H2WindowSize is 1 MiB.
    wide_window: bool = False
    headers: tuple = ()
    # Of load before the measurement, for a timed one.
    warm_up_seconds: float = 0.3
    in_default: bool = True
    in_quick: bool = False
    in_full: bool = True

    @property
    def unit(self):
        return "MiB" if self.body_bytes else "req"

    @property
    def units_per_request(self):
        return self.body_bytes / MIB if self.body_bytes else 1.0


def _small_files():
    quick = {"h2c-c8-m1", "h2c-c8-m10", "h2c-c8-m100", "tls-c1-m1", "tls-c8-m1", "tls-c8-m100"}
    for tls in (False, True):
        for clients in (1, 8, 64):
            for streams in (1, 10, 100):
                name = f"{'tls' if tls else 'h2c'}-c{clients}-m{streams}"
                yield Case(name, f"1 KiB file, {'TLS' if tls else 'clear text'}, "
                           f"{clients} connections x {streams} streams",
                           clients, streams, tls,
                           servers=ALL + ("h1",) if streams == 1 else ALL,
                           in_quick=name in quick)


def _large_files():
    base = Case("", "", 4, 1, path="/10m.bin", body_bytes=10 * MIB, servers=ALL + ("h1",))
    yield replace(base, name="h2c-10m", what="10 MiB file, clear text, 4 connections")
    yield replace(base, name="tls-10m", what="10 MiB file, TLS, 4 connections", tls=True,
                  in_quick=True)


def _applications():
    yield Case("cgi", "CGI (mod_cgid), clear text, 8 connections x 10 streams", 8, 10,
               path="/cgi/hello", servers=HTTPD, profile="apps")
    yield Case("proxy", "1 KiB from an HTTP/1.1 back end, clear text, 8 connections x 10 streams",
               8, 10, path="/be/1k.txt", profile="apps", in_quick=True)
    upload = Case("", "", upload=True, kind="counted", count=3, body_bytes=100 * MIB,
                  path="/cgi/sink", servers=HTTPD + ("h1",), profile="apps")
    yield replace(upload, name="upload", what="100 MiB upload to a CGI that discards, clear text")
    yield replace(upload, name="upload-tls", what="the same over TLS", tls=True)
    extra = replace(upload, in_default=False)
    yield replace(extra, name="upload-win1m", wide_window=True,
                  what="100 MiB upload to a CGI, H2WindowSize 1 MiB")
    yield replace(extra, name="upload-proxy", path="/be/sink",
                  what="100 MiB upload to a proxied back end that discards")
    yield replace(extra, name="upload-rtt40", rtt_ms=40, count=1, body_bytes=8 * MIB,
                  what="8 MiB upload to a CGI, 40 ms of round trip, H2WindowSize unset")
    yield replace(extra, name="upload-rtt40-win1m", rtt_ms=40, count=1, body_bytes=32 * MIB,
                  wide_window=True,
                  what="32 MiB upload to a CGI, 40 ms of round trip, H2WindowSize 1 MiB")


def _usual_sites():
    """Access log, AllowOverride All, mod_deflate, mod_headers, mod_rewrite and Debian's modules."""
    base = Case("", "", 8, 10, path="/1k.png", servers=HTTPD, profile="usual", in_default=False)
    yield replace(base, name="usual-h2c", what="usual site: 1 KiB image, clear text, c8 x m10")
    yield replace(base, name="usual-tls", what="usual site: 1 KiB image, TLS, c8 x m10", tls=True)
    yield replace(base, name="usual-gzip", what="usual site: 1 KiB page, compressed, TLS, c8 x m10",
                  tls=True, path="/page.html", headers=("accept-encoding: gzip",))


def _others():
    yield Case("mix", "9 quick files to 1 handler of 50 ms, c8 x m20; the quick ones' times",
               8, 20, servers=HTTPD, profile="apps", kind="mix", in_default=False)
    yield Case("handshake-tls", "a TLS connection and one request each", 300, 1, True,
               servers=ALL + ("h1",), kind="counted", count=300, in_default=False)
    yield Case("handshake-h2c", "a clear-text connection and one request each", 300, 1, False,
               servers=ALL + ("h1",), kind="counted", count=300, in_default=False)
    yield Case("events", "server-sent events: 50 connections x 2 streams, 1 event/s each; "
               "all per event", 50, 2, path="/sse", servers=HTTPD, profile="apps", kind="events",
               in_default=False)


CASES = [*_small_files(), *_large_files(), *_applications(), *_usual_sites(), *_others()]


def select(names, quick, full):
    if names:
        known = {case.name: case for case in CASES}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise SystemExit(f"bench: no case {', '.join(unknown)}; --list shows them")
        return [known[name] for name in names]
    if quick:
        return [case for case in CASES if case.in_quick]
    return [case for case in CASES if (case.in_full if full else case.in_default)]

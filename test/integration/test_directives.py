# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Each directive: what it accepts and where, how it refuses, and what it does."""

import os
import re
import time

import pytest

from conftest import open_client
from demosite import pattern
from environment import wait_until
from h1client import Http1
from h2client import (DATA, HEADERS, INITIAL_WINDOW_SIZE, MAX_CONCURRENT_STREAMS, MAX_FRAME_SIZE,
                      MAX_HEADER_LIST_SIZE, PADDED, REFUSED_STREAM)
from servers import PLAIN, SITE

INT_MAX = 2 ** 31 - 1

# name: (good values, bad values, smallest and largest value that a message must name)
NUMBERS = {
    "H2MaxSessionStreams": (("1", "100", str(INT_MAX)), ("0", "-1", "abc", "1x", "99999999999"),
                            ("1", str(INT_MAX))),
    "H2WindowSize": (("1024", "65535", str(INT_MAX)), ("0", "1023", "-1", "x", str(INT_MAX + 1)),
                     ("1024", str(INT_MAX))),
    "H2MaxFrameSize": (("16384", "32768", "16777215"), ("0", "16383", "16777216", "-1", "64k"),
                       ("16384", "16777215")),
    "H2MaxHeaderListSize": (("4096", "65536", "16777216"), ("0", "4095", "16777217", "-1", "x"),
                            ("4096", "16777216")),
    "H2StreamMaxMemSize": (("1024", "65536"), ("0", "1023", "-1", "x"), ("1024", None)),
    "H2MinWorkers": (("1", "64"), ("0", "-1", "many"), ("1", None)),
    "H2MaxWorkers": (("1", "512"), ("0", "-1", "many"), ("1", None)),
    "H2MaxWorkerIdleSeconds": (("1", "600", "10mi"), ("0", "-1", "x"), (None, None)),
    "H2TLSWarmUpSize": (("0", "1048576"), ("-1", "x"), ("0", None)),
    "H2TLSCoolDownSecs": (("0", "1", "3600"), ("-1", "x"), ("0", None)),
    "H2SessionExtraFiles": (("0", "5"), ("-1", "x"), ("0", None)),
    "H2MaxDataFrameLen": (("0", "1000", "16384"), ("-1", "x", "16777216"), ("0", None)),
    "H2MaxHeaderBlockLen": (("0", "1000", str(INT_MAX)), ("-1", "x"), ("0", str(INT_MAX))),
    "H2MaxStreamErrors": (("0", "8", str(INT_MAX)), ("-1", "x"), ("0", str(INT_MAX))),
    "H2MaxResets": (("0", "20", "20 200", "1 1"), ("-1", "x"), ("0", str(INT_MAX))),
    "H2MaxClientErrors": (("0", "10 100"), ("-1", "x"), ("0", str(INT_MAX))),
    "H2MaxControlFrames": (("0", "100 1000"), ("-1", "x"), ("0", str(INT_MAX))),
    "H2MinRequestRate": (("0", "500"), ("-1", "x"), ("0", str(INT_MAX))),
    "H2MinResponseRate": (("0", "500"), ("-1", "x"), ("0", str(INT_MAX))),
    "H2MaxConnectionRequests": (("0", "1000"), ("-1", "x"), ("0", str(INT_MAX))),
    "H2PushDiarySize": (("0", "1", "256", "32768"), ("-1", "x", "3", "255", "65536"),
                        ("0", "32768")),
}
FLAGS = ("H2Direct", "H2Upgrade", "H2ModernTLSOnly", "H2OutputBuffering", "H2EarlyHints",
         "H2CopyFiles", "H2Push", "H2ProxyRequests", "H2SerializeHeaders", "H2WebSockets",
         "H2ServerTiming")
TWO_VALUES = ("H2MaxResets", "H2MaxClientErrors", "H2MaxControlFrames")
GLOBAL = ("H2MinWorkers", "H2MaxWorkers", "H2MaxWorkerIdleSeconds")
IN_DIRECTORY = ("H2Upgrade", "H2OutputBuffering", "H2StreamTimeout", "H2EarlyHints", "H2CopyFiles",
                "H2Push", "H2ProxyRequests", "H2ServerTiming")

GOOD = [(name, value) for name, (good, _, _) in NUMBERS.items() for value in good] + \
    [(name, value) for name in FLAGS for value in ("on", "off", "On", "OFF")] + \
    [("H2StreamTimeout", value) for value in ("0", "1", "30", "5s", "500ms")]
BAD = [(name, value) for name, (_, bad, _) in NUMBERS.items() for value in bad] + \
    [(name, value) for name in FLAGS for value in ("maybe", "1", "yes")] + \
    [("H2StreamTimeout", value) for value in ("-1", "soon", "5x")]


@pytest.fixture(scope="module")
def checked(servers):
    """A server that is only checked, never started."""
    return servers.new("check", "event", PLAIN)


# -- what is accepted -------------------------------------------------------------------------------


@pytest.mark.parametrize("name, value", GOOD)
def test_a_good_value_is_accepted(checked, name, value):
    code, output = checked.check("%s %s\n" % (name, value))
    assert code == 0 and "Syntax OK" in output, output


@pytest.mark.parametrize("name, value", BAD)
def test_a_bad_value_is_an_error_that_names_directive_value_and_range(checked, name, value):
    code, output = checked.check("%s %s\n" % (name, value))
    assert code != 0 and "Syntax OK" not in output
    message = [line for line in output.splitlines() if name in line]
    assert message, output
    text = message[-1].replace(name, "", 1)
    assert value in text
    if name in NUMBERS:
        for bound in NUMBERS[name][2]:
            assert bound is None or bound in text, "no %s in: %s" % (bound, text)
    elif name in FLAGS:
        assert "on" in text.lower() and "off" in text.lower()


@pytest.mark.parametrize("name", [*NUMBERS, *FLAGS, "H2StreamTimeout"])
def test_a_directive_without_a_value_or_with_too_many_is_an_error(checked, name):
    for line in (name, name + (" 1 2 3" if name in TWO_VALUES else " 1 2")):
        code, output = checked.check(line + "\n")
        assert code != 0 and name in output


@pytest.mark.parametrize("name", [*NUMBERS, *FLAGS, "H2StreamTimeout"])
def test_a_directive_is_accepted_in_its_contexts_only(checked, name):
    value = NUMBERS[name][0][1] if name in NUMBERS else "5" if name == "H2StreamTimeout" else "on"
    text = "%s %s\n" % (name, value)
    code, output = checked.check("<VirtualHost *:1>\n%s</VirtualHost>\n" % text)
    assert code == 0 and (name + " has no effect in <VirtualHost>" in output) == (name in GLOBAL)
    code, output = checked.check('<Directory "/">\n%s</Directory>\n' % text)
    assert (code == 0) == (name in IN_DIRECTORY), output
    if code:
        assert name in output


def test_a_directive_without_effect_is_accepted_with_a_warning(checked):
    code, output = checked.check("H2SessionExtraFiles 5\n")
    assert code == 0 and "H2SessionExtraFiles has no effect" in output


def test_the_order_of_min_and_max_workers_does_not_matter(checked):
    for text in ("H2MinWorkers 100\nH2MaxWorkers 200\n", "H2MaxWorkers 200\nH2MinWorkers 100\n"):
        assert checked.check(text)[0] == 0


def test_the_module_names_itself_as_configurations_expect(checked):
    code, output = checked.check("<IfModule !http2_module>\nNonsense\n</IfModule>\n"
                                 "<IfModule !mod_http2.c>\nNonsense\n</IfModule>\n"
                                 "LogLevel http2:trace1\n")
    assert code == 0, output


# -- what they do -----------------------------------------------------------------------------------

EFFECTS = SITE + """
Timeout 20
KeepAliveTimeout 20
H2MinWorkers 3
H2MaxWorkers 12
H2MaxSessionStreams 7
H2WindowSize 100000
H2StreamMaxMemSize 20000
H2MaxDataFrameLen 1000
H2StreamTimeout 1
H2OutputBuffering off
<VirtualHost *:{port_tls}>
    ServerName a.test
    Protocols h2 http/1.1
    H2TLSWarmUpSize 100000
    H2TLSCoolDownSecs 1
    H2MaxDataFrameLen 0
    {tls}
</VirtualHost>
<VirtualHost *:{port_tls}>
    ServerName client-order.test
    Protocols h2 http/1.1
    H2TLSWarmUpSize 0
    H2MaxDataFrameLen 0
    {tls}
</VirtualHost>
<VirtualHost *:{port_tls}>
    ServerName md.test
    Protocols h2 http/1.1
    H2TLSWarmUpSize 100000
    H2TLSCoolDownSecs 0
    H2MaxDataFrameLen 0
    {tls}
</VirtualHost>
<VirtualHost *:{port_clear}>
    ServerName a.test
    Protocols h2c http/1.1
</VirtualHost>
<VirtualHost *:{port_other}>
    ServerName a.test
    Protocols h2c http/1.1
    H2MaxSessionStreams 50
    H2WindowSize 5000
    H2MaxDataFrameLen 0
    H2StreamMaxMemSize 300000
    H2StreamTimeout 20
    H2OutputBuffering on
    H2Upgrade off
    <Location /h2test/quick/>
        H2StreamTimeout 1
    </Location>
    <Location /ssi/>
        H2Upgrade on
    </Location>
    H2EarlyHint Link "</a.css>; rel=preload; as=style"
    <Location /h2test/>
        H2EarlyHints on
    </Location>
    <Location /h2test/quick/>
        H2EarlyHint Link "</b.js>; rel=preload; as=script"
    </Location>
    <Location /h2test/silent/>
        H2EarlyHints off
    </Location>
    <Location /h2test/copied/>
        H2CopyFiles on
    </Location>
</VirtualHost>
<Directory "{docroot}/listing">
    H2Upgrade off
</Directory>
"""


@pytest.fixture
def effects(servers, mpm):
    return servers.get("effects", mpm, EFFECTS, ports=("tls", "clear", "other"), threads=16)


@pytest.fixture
def clear(effects):
    """Where the main server's values hold."""
    return open_client(effects, "clear")


@pytest.fixture
def other(effects):
    """Where a vhost has its own values."""
    return open_client(effects, "clear", port="other")


def test_max_session_streams_is_announced_for_each_vhost(clear, other):
    assert clear.wait_settings()[MAX_CONCURRENT_STREAMS] == 7
    assert other.wait_settings()[MAX_CONCURRENT_STREAMS] == 50


def test_the_defaults_are_announced(httpd):
    seen = open_client(httpd).wait_settings()
    assert seen[MAX_CONCURRENT_STREAMS] == 100
    assert seen[INITIAL_WINDOW_SIZE] == 65535
    assert seen[MAX_FRAME_SIZE] == 16384
    assert seen[MAX_HEADER_LIST_SIZE] == 65536


def test_a_stream_beyond_max_session_streams_is_refused(clear, counter):
    clear.wait_settings()
    held = [clear.request("GET", "/h2test/gate?gate=%s&tag=%s" % (counter.gate(), counter))
            for _ in range(7)]
    beyond = clear.request("GET", "/files/1.bin")
    clear.wait_reset(beyond)
    assert beyond.reset == REFUSED_STREAM
    counter.open()
    clear.wait(*held)
    assert all(s.complete for s in held)
    assert clear.get("/files/1.bin").complete


def test_window_size_is_what_a_client_may_send_ahead(clear, other, counter):
    for client, size in ((clear, 100000), (other, 5000)):
        client.wait_settings()
        stream = client.request("POST", "/h2test/read?gate=%s&tag=%s" % (counter.gate(), counter),
                                end=False)
        client.ping()
        assert stream.send_window == size
        client.send_data(stream, bytes(min(size, client.send_window)))
    counter.open()


def test_a_window_size_that_was_given_is_never_widened(clear):
    clear.wait_settings()
    stream = clear.request("POST", "/h2test/read", end=False)
    for _ in range(40):
        clear.send_data(stream, bytes(min(stream.send_window, clear.send_window)))
        clear.wait_for(lambda: stream.send_window > 0, "a window")
        clear.ping()
        assert stream.send_window <= 100000
    clear.send_data(stream, b"", end=True)
    assert clear.wait(stream).complete


def test_a_handler_that_waits_has_given_the_window_back(clear, counter):
    """Else a client with a long way has two thirds of its window only."""
    stream = clear.request("POST", "/h2test/read?tag=%s" % counter, end=False)
    clear.wait_settings()
    for _ in range(5):
        size = min(stream.send_window, clear.send_window)
        clear.send_data(stream, bytes(size))
        clear.wait_for(lambda: stream.send_window > 75000, "three quarters of the window")
    clear.send_data(stream, b"", end=True)
    assert clear.wait(stream).complete


def test_stream_max_mem_size_bounds_what_a_handler_may_write_ahead(effects, clear, other, counter,
                                                                   servers):
    for port, size in (("clear", 20000), ("other", 300000)):
        seen = servers.counters.new()
        client = open_client(effects, "clear", port=port, settings={INITIAL_WINDOW_SIZE: 0},
                             auto_window=False)
        stream = client.request("GET", "/h2test/endless?chunk=1000&tag=%s" % seen)
        wait_until(lambda: seen.bytes_written >= size * 0.5, "the handler to write")
        client.ping()
        client.ping()
        assert seen.bytes_written <= size + 20000
        client.send_reset(stream)


def test_max_data_frame_len_bounds_frames(clear, other):
    small, large = clear.get("/files/65537.bin"), other.get("/files/65537.bin")
    assert small.body == large.body == pattern(65537)
    assert max(f.length for f in clear.received(DATA)) <= 1000
    assert max(f.length for f in other.received(DATA)) > 4000


@pytest.fixture
def padded(servers, mpm, transport):
    """Where frames are padded and logged."""
    server = servers.get("padded", mpm, "H2Padding 8\n" + PLAIN, more_levels="http2:debug")
    return server, open_client(server, transport)


def test_frames_are_padded_at_random(padded):
    client = padded[1]
    streams = [client.get("/files/1000.bin") for _ in range(20)]
    assert all(s.complete and s.body == pattern(1000) for s in streams)
    frames = [f for f in client.received() if f.type in (HEADERS, DATA)]
    assert sum(1 for f in frames if f.flags & PADDED) > len(frames) * 3 // 4
    lengths = [f.length for f in client.received(DATA)]
    assert all(1000 <= n <= 1256 for n in lengths) and len(set(lengths)) > 5
    assert client.get("/files/65537.bin").body == pattern(65537)    # no room in full frames


def test_by_default_nothing_is_padded(h2):
    assert h2.get("/files/65537.bin").complete
    assert not any(f.flags & PADDED for f in h2.received() if f.type in (HEADERS, DATA))


def test_frames_are_logged_as_log_tools_know_it(padded):
    server, client = padded
    assert client.get("/text.txt").complete
    client.send_goaway()
    client.wait_closed()
    wait_until(lambda: re.search(r"AH03066: .*GOAWAY.*remote.emitted=1\b", server.errors()),
               "the line of the GOAWAY")
    for kind in ("HEADERS", "DATA", "SETTINGS"):
        assert re.search(r"\[http2:debug\].* AH03066: h2\(\d+-\d+\): .*FRAME\[%s\b" % kind,
                         server.errors()), kind


def test_stream_timeout_ends_a_stalled_stream_and_not_its_connection(effects):
    for port, path, ends in (("clear", "/h2test/write?n=200000", True),
                             ("other", "/h2test/write?n=200000", False),
                             ("other", "/h2test/quick/write?n=200000", True)):
        client = open_client(effects, "clear", port=port, settings={INITIAL_WINDOW_SIZE: 1000},
                             auto_window=False, window=1 << 20)
        stalled = client.request("GET", path)
        client.wait_bytes(stalled, 1000)
        started = time.monotonic()
        while not stalled.done and time.monotonic() - started < 3:
            assert client.get("/files/1.bin").complete
            time.sleep(0.1)
        assert (stalled.reset is not None) == ends and not stalled.ended, (port, path)
        assert not client.goaways


def test_without_output_buffering_small_writes_are_sent_at_once(clear, counter):
    stream = clear.request("GET", "/h2test/events?n=3&noflush=1&gate=%s" % counter.gate())
    for i in range(3):
        clear.wait_bytes(stream, len(b"data: 0\n\n") * (i + 1), timeout=3)
        counter.open("-%d" % i)
    assert clear.wait(stream).complete


def upgrade_status(server, port, path):
    with Http1(server.address(port)) as client:
        return client.get(path, [("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", "h2c"),
                                 ("HTTP2-Settings", "")]).status


CSS, JS = ("link", "</a.css>; rel=preload; as=style"), ("link", "</b.js>; rel=preload; as=script")


@pytest.mark.parametrize("path, interim", [
    ("/h2test/write?n=1", [(103, [CSS])]),
    ("/h2test/quick/write?n=1", [(103, [CSS, JS])]),
    ("/h2test/silent/write?n=1", []),
    ("/files/1.bin", []),
    ("/h2test/interim", [(103, [CSS]), (103, [CSS])]),          # its own hint is the same
    ("/h2test/silent/interim", []),
    ("/h2test/silent/interim?interim=102", [(102, [CSS])]),
])
def test_early_hints_come_where_they_are_switched_on(other, path, interim):
    r = other.get(path)
    assert r.complete and r.interim == interim


def test_early_hints_come_before_the_request_is_handled(other, counter):
    stream = other.request("GET", "/h2test/gate?gate=%s&tag=%s" % (counter.gate(), counter))
    other.wait_for(lambda: stream.interim, "the hints")
    assert stream.status is None
    counter.open()
    assert other.wait(stream).complete and len(stream.interim) == 1


def test_early_hints_are_off_unless_asked_for(clear, effects):
    assert clear.get("/h2test/interim").interim == []
    with Http1(effects.address("other")) as client:
        assert client.get("/h2test/write?n=1").status == 200


@pytest.mark.parametrize("line", ["H2EarlyHint", "H2EarlyHint Link", "H2EarlyHint Link </a> more",
                                  'H2EarlyHint "Li nk" </a>', 'H2EarlyHint "" </a>'])
def test_a_bad_early_hint_is_an_error(checked, line):
    code, output = checked.check(line + "\n")
    assert code != 0 and "H2EarlyHint" in output


@pytest.mark.parametrize("size", [1000, 65537, 1 << 20])
def test_files_that_a_module_closes_are_sent_whole_where_they_are_copied(other, size):
    streams = [other.request("GET", "/h2test/copied/closed?file=%d.bin" % size) for _ in range(5)]
    other.wait(*streams)
    assert all(s.complete and s.body == pattern(size) for s in streams)


def test_upgrade_can_be_set_for_vhosts_and_directories(effects):
    assert upgrade_status(effects, "clear", "/text.txt") == 101
    assert upgrade_status(effects, "clear", "/listing/one.txt") == 200
    assert upgrade_status(effects, "other", "/text.txt") == 200
    assert upgrade_status(effects, "other", "/ssi/part.txt") in (101, 200)


# -- TLS record sizes -------------------------------------------------------------------------------

SMALL_RECORD = 1500         # what fits into a packet on the way to a client


def records_of(client, path):
    """Sizes of the TLS records that a download of 1 MiB takes."""
    client.wait_settings()
    client.ping()
    start = len(client.wire.tls_records)
    assert client.get(path).complete
    return client.wire.tls_records[start:]


def download(effects, sni):
    return open_client(effects, "tls", sni=sni, window=1 << 24,
                       settings={INITIAL_WINDOW_SIZE: 1 << 24})


def split(sizes, limit):
    """The records that begin before `limit` bytes were sent, and the others without the last."""
    total, first = 0, 0
    while first < len(sizes) and total < limit:
        total += sizes[first]
        first += 1
    return sizes[:first], sizes[first:-1]


def test_tls_records_are_small_until_warm_and_large_then(effects):
    records = records_of(download(effects, "a.test"), "/files/1048576.bin")
    early, late = split(records, 90000)
    assert max(early) <= SMALL_RECORD
    assert sum(late[len(late) // 4:]) / len(late[len(late) // 4:]) > 8000


def test_without_warm_up_tls_records_are_large_from_the_beginning(effects):
    records = records_of(download(effects, "client-order.test"), "/files/1048576.bin")
    assert len(records) < (1 << 20) / 8000


def test_by_default_the_first_mib_is_sent_in_small_tls_records(httpd):
    records = records_of(download(httpd, "a.test"), "/files/1048576.bin")
    assert max(split(records, 900000)[0]) <= SMALL_RECORD


def test_tls_records_are_small_again_after_a_pause(effects):
    client = download(effects, "a.test")
    records_of(client, "/files/1048576.bin")
    warm = records_of(client, "/files/65537.bin")
    assert len(warm) < 65537 / 4000
    time.sleep(1.3)
    assert max(split(records_of(client, "/files/65537.bin"), 60000)[0]) <= SMALL_RECORD


def test_without_cool_down_tls_records_stay_large(effects):
    client = download(effects, "md.test")
    records_of(client, "/files/1048576.bin")
    time.sleep(1.3)
    assert len(records_of(client, "/files/65537.bin")) < 65537 / 4000


def test_the_start_up_line_is_the_one_that_log_tools_know(httpd):
    line = [text for text in httpd.errors().splitlines() if "AH03090" in text][0]
    assert "[http2:info]" in line and "AH03090: mod_http2 (v" in line and "nghttp2 1." in line
    assert line.endswith("initializing...")



# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Files by WebDAV: mod_dav with cadaver, davfs2, rclone and curl, and uploads in chunks as
Nextcloud's clients make them."""

import contextlib
import hashlib
import os
import random
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.parse

import pytest

import sites
from connections import open_client
from demosite import pattern
from environment import wait_until
from programs import run, tool

MEGABYTES = 100         # of the large upload

CONFIG = """
    DocumentRoot "WWW"
    <Directory "WWW">
        Dav On
        DirectoryIndex disabled
        Options None
        LimitRequestBody 0
        LimitXMLRequestBody 0
        DavDepthInfinity on
    </Directory>
"""
LOCKS = 'DavLockDB "%s/locks/db"\n'

# What is new each time: lock tokens, and the times of new files with what is made of them.
NEW_EACH_TIME = [(re.compile(pattern), b"(new)") for pattern in (
    rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    rb"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    rb'(W/)?"[0-9a-f]+-[0-9a-f]+"', rb"Second-\d+")]


def masked(content):
    for pattern_, text in NEW_EACH_TIME:
        content = pattern_.sub(text, content)
    return content


def without_order(content):
    """mod_dav's lists of properties and name spaces have no order."""
    return b"\n".join(sorted(re.split(rb"[\s>]+", masked(content))))


class Shares:
    def __init__(self):
        self.folder = sites.folder("webdav")
        (self.folder / "locks").mkdir()
        self.www = self.folder / "www"
        self.empty()

    def empty(self):
        shutil.rmtree(self.www, ignore_errors=True)
        self.www.mkdir()
        sites.give_to_httpd(self.folder)

    def size(self, name):
        path = self.www / name
        return path.stat().st_size if path.exists() else None

    def files(self):
        """Without mod_dav_fs's folders of properties, which are compared by what PROPFIND says."""
        return {name: content for name, content in sites.tree(self.www).items()
                if ".DAV" not in name}


@pytest.fixture(scope="module")
def share():
    return Shares()


@pytest.fixture
def server(servers, share):
    config = CONFIG.replace("WWW", str(share.www))
    share.empty()
    return servers.get("webdav", "event", LOCKS % share.folder + sites.both_vhosts(config),
                       modules=["dav", "dav_fs"])


XML = [("content-type", "application/xml")]
LOCK = b"""<?xml version="1.0" encoding="utf-8"?>
<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>
<D:locktype><D:write/></D:locktype><D:owner>me</D:owner></D:lockinfo>"""
PATCH = b"""<?xml version="1.0" encoding="utf-8"?>
<D:propertyupdate xmlns:D="DAV:" xmlns:x="urn:x"><D:set><D:prop><x:colour>blue</x:colour>
<x:long>%s</x:long></D:prop></D:set></D:propertyupdate>""" % (b"a" * 3000)
FIND = b"""<?xml version="1.0" encoding="utf-8"?>
<D:propfind xmlns:D="DAV:" xmlns:x="urn:x"><D:prop><D:getcontentlength/><D:resourcetype/>
<x:colour/><D:lockdiscovery/></D:prop></D:propfind>"""


def tell_story(ask):
    """Every method of mod_dav, with what is right and what is not."""
    said = []

    def do(method, path, headers=(), body=b""):
        response = ask(method, path, list(headers), body)
        said.append(("%s %s" % (method, path), response))
        return response

    do("OPTIONS", "/")
    do("MKCOL", "/a/")
    do("MKCOL", "/a/")
    do("MKCOL", "/none/b/")
    do("PUT", "/a/one.txt", (), b"one")
    do("PUT", "/a/one.txt", (), pattern(200000))
    do("PUT", "/a/empty.txt", [("content-length", "0")])
    do("PUT", "/none/x.txt", (), b"x")
    do("PUT", "/a/%C3%A4%20b.txt", (), b"umlaut")
    do("GET", "/a/one.txt")
    do("GET", "/a/one.txt", [("range", "bytes=100-299")])
    do("HEAD", "/a/one.txt")
    do("PROPPATCH", "/a/one.txt", XML, PATCH)
    do("PROPFIND", "/a/", [*XML, ("depth", "1")], FIND)
    do("PROPFIND", "/", [("depth", "infinity")])
    do("PROPFIND", "/a/one.txt", [*XML, ("depth", "0")], b"<no xml")
    do("PROPFIND", "/none", [("depth", "0")])
    answer = do("LOCK", "/a/one.txt", [*XML, ("timeout", "Second-600")], LOCK)
    token = answer.headers["lock-token"]
    do("LOCK", "/a/one.txt", XML, LOCK)
    do("PUT", "/a/one.txt", (), b"locked")
    do("PUT", "/a/one.txt", [("if", "(%s)" % token)], b"mine")
    do("DELETE", "/a/one.txt")
    do("LOCK", "/a/one.txt", [("if", "(%s)" % token), ("timeout", "Second-300")])
    do("PROPFIND", "/a/one.txt", [*XML, ("depth", "0")], FIND)
    do("UNLOCK", "/a/one.txt", [("lock-token", token)])
    do("UNLOCK", "/a/one.txt", [("lock-token", token)])
    do("COPY", "/a/one.txt", [("destination", ask.origin + "/a/two.txt")])
    do("COPY", "/a/one.txt", [("destination", ask.origin + "/a/two.txt"), ("overwrite", "F")])
    do("COPY", "/a/", [("destination", ask.origin + "/b/")])
    do("MOVE", "/b/two.txt", [("destination", ask.origin + "/b/three.txt")])
    do("MOVE", "/b/two.txt", [("destination", ask.origin + "/b/four.txt")])
    do("PROPFIND", "/b/", [("depth", "infinity")])
    do("PUT", "/b/three.txt", [("if-none-match", "*")], b"there")
    do("PUT", "/b/new.txt", [("content-range", "bytes 0-3/4")], b"part")
    do("REPORT", "/b/", XML, b"<a/>")
    do("PATCH", "/b/three.txt", (), b"x")
    do("DELETE", "/a/empty.txt")
    do("DELETE", "/b/")
    do("DELETE", "/b/")
    do("GET", "/a/")
    return said


def test_every_method_is_answered_the_same(server, share, transport):
    said, files = {}, {}
    for protocol in ("h1", "h2"):
        share.empty()
        said[protocol] = tell_story(sites.asker(server, transport, protocol))
        files[protocol] = share.files()
    assert len(said["h1"]) == len(said["h2"])
    for (what, one), (_, two) in zip(said["h1"], said["h2"]):
        sites.assert_same(one, two, what, mask=without_order)
    assert files["h1"] == files["h2"] and set(files["h2"]) == {
        "a", "a/one.txt", "a/two.txt", "a/\u00e4 b.txt"}
    statuses = [response.status for _, response in said["h2"]]
    for status in (200, 201, 204, 206, 207, 404, 405, 409, 412, 423):
        assert status in statuses


# -- cadaver: HTTP/1.1, with its requests replayed over HTTP/2 -------------------------------------

CADAVER = """
mkcol papers
cd papers
put {source}/first.bin
lcd {source}/many
mput a.txt b.txt
propset first.bin colour green
propget first.bin
lock first.bin
put {source}/second.bin first.bin
discover first.bin
unlock first.bin
copy first.bin copied.bin
move copied.bin moved.bin
mkcol below
copy a.txt below
ls
get first.bin {target}/first.bin
get moved.bin {target}/moved.bin
delete b.txt
cd ..
copy papers/ papers2/
rmcol papers/
quit
"""


class Recorder:
    """Passes an HTTP/1.1 client's connections on to a server, and keeps what the client sends."""

    def __init__(self, address):
        self.address = address
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sent = []              # of each connection, the bytes
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                server = socket.create_connection(self.address)
                record = bytearray()
                self.sent.append(record)
                for pair in ((client, server, record), (server, client, bytearray())):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, source, target, record):
        with contextlib.suppress(OSError):
            while True:
                data = source.recv(65536)
                if not data:
                    break
                record += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    def requests(self):
        """(method, target, fields, body) of each; fields of the connection are left out."""
        found = []
        for data in map(bytes, self.sent):
            while data:
                head, _, data = data.partition(b"\r\n\r\n")
                first, *lines = head.decode("latin-1").split("\r\n")
                fields = [(name.lower(), value.strip()) for name, _, value in
                          (line.partition(":") for line in lines)]
                length = int(dict(fields).get("content-length", 0))
                assert "transfer-encoding" not in dict(fields)
                found.append((*first.split()[:2], [
                    field for field in fields if field[0] not in (
                        "host", "connection", "te", "keep-alive", "content-length")],
                    data[:length]))
                data = data[length:]
        return found

    def close(self):
        self.listener.close()


def replay(server, requests, authority):
    """Makes recorded requests by h2c on one connection. A lock has a new token each time."""
    client = open_client(server, "clear", window=1 << 20, authority=authority)
    old = new = None
    for method, target, fields, body in requests:
        for name, value in fields:
            if name in ("if", "lock-token") and new:
                old = old or re.search("opaquelocktoken:[-0-9a-f]+", value).group()
        fields = [(name, value.replace(old, new) if old else value) for name, value in fields]
        stream = client.fetch(method, target, fields, body=body or None)
        assert stream.complete
        if method == "LOCK" and stream.status == 200:
            new = new or re.search("opaquelocktoken:[-0-9a-f]+", stream.headers["lock-token"]).group()


def test_cadavers_session_is_the_same_by_h2(server, share, tmp_path):
    """cadaver knows HTTP/1.1 alone: what it asked for is then asked for by HTTP/2."""
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "many").mkdir(parents=True)
    target.mkdir()
    (source / "first.bin").write_bytes(pattern(300000))
    (source / "second.bin").write_bytes(pattern(500000, 7))
    for name in "ab":
        (source / "many" / (name + ".txt")).write_text("file " + name)
    log = sites.Protocols(server)
    recorder = Recorder(server.address("clear"))
    out = run(tool("cadaver"), "http://127.0.0.1:%d/" % recorder.port,
              input=CADAVER.format(source=source, target=target), env={
                  "HOME": str(tmp_path), "PATH": os.environ["PATH"], "TERM": "dumb",
                  "LC_ALL": "C.UTF-8"})
    recorder.close()
    assert "failed" not in out, out
    assert (target / "first.bin").read_bytes() == pattern(500000, 7)
    assert (target / "moved.bin").read_bytes() == pattern(500000, 7)
    by_cadaver = share.files()
    assert set(by_cadaver) >= {"papers2", "papers2/first.bin", "papers2/moved.bin", "papers2/a.txt",
                               "papers2/below/a.txt"} and "papers" not in by_cadaver
    recorded = recorder.requests()
    logged = log.wait_for(len(recorded))
    assert {request[0] for request in logged} == {"HTTP/1.1"}
    assert {request[2] for request in logged} >= {
        "MKCOL", "PUT", "PROPPATCH", "PROPFIND", "LOCK", "UNLOCK", "COPY", "MOVE", "GET", "DELETE"}

    share.empty()
    log = sites.Protocols(server)
    replay(server, recorded, "127.0.0.1:%d" % recorder.port)
    assert share.files() == by_cadaver
    # a line is written after the response, maybe later than that of the next request
    assert sorted(log.wait_for(len(recorded))) == sorted(
        ("HTTP/2.0", *request[1:]) for request in logged)


# -- rclone: a WebDAV client with HTTP/2 -----------------------------------------------------------


def rclone(server, *arguments, version="h2", **options):
    switch = [] if version == "h2" else ["--disable-http2"]
    return run(tool("rclone"), *switch, "--config", "/dev/null", "--no-check-certificate",
               "--webdav-url", server.url("/", "tls"), "--webdav-vendor", "other", "--retries", "1",
               "--low-level-retries", "1", *map(str, arguments), timeout=120, **options)


def make_tree(path, files=100):
    """Folders with so many files, most of them small."""
    numbers = random.Random(5)
    for number in range(files):
        folder = path / ("folder %d" % (number % 12)) / ("below%d" % (number % 5))
        folder.mkdir(parents=True, exist_ok=True)
        size = 3000000 if number % 100 == 0 else numbers.randrange(20000)
        file = folder / ("file \u00e9%d.bin" % number)
        file.write_bytes(numbers.randbytes(size))
        os.utime(file, (1700000000, 1700000000))    # an ETag is weak for a second


@pytest.mark.parametrize("version, protocol", [("h1", "HTTP/1.1"), ("h2", "HTTP/2.0")])
def test_rclone_brings_a_tree_there_and_back(server, share, version, protocol, tmp_path):
    make_tree(tmp_path / "source")
    log = sites.Protocols(server)
    rclone(server, "copy", "--transfers", "16", tmp_path / "source", ":webdav:tree",
           version=version)
    assert sites.tree(tmp_path / "source") == sites.tree(share.www / "tree")
    rclone(server, "copyto", ":webdav:tree", tmp_path / "copy", "--transfers", "16",
           version=version)
    assert sites.tree(tmp_path / "source") == sites.tree(tmp_path / "copy")
    rclone(server, "move", ":webdav:tree", ":webdav:moved", version=version)
    assert sites.tree(tmp_path / "source") == sites.tree(share.www / "moved")
    rclone(server, "purge", ":webdav:moved", version=version)
    assert share.files() == {} or set(share.files()) == {"tree"}
    assert log.seen() == {protocol}


# -- file systems ----------------------------------------------------------------------------------


@contextlib.contextmanager
def mounted(folder, *command, **options):
    """A file system by WebDAV; what cannot be mounted here is skipped."""
    if not os.path.exists("/dev/fuse"):
        pytest.skip("there is no /dev/fuse")
    folder.mkdir()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               stdin=subprocess.PIPE, **options)
    process.stdin.write(b"user\nsecret\ny\n")
    process.stdin.close()
    try:
        wait_until(lambda: os.path.ismount(folder) or process.poll() not in (None, 0), "the mount",
                   20)
        if not os.path.ismount(folder):
            pytest.skip("cannot be mounted here: %s" % process.stderr.read().decode()[-300:])
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], capture_output=True)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stderr.close()


def short(files):
    """For messages: the sizes and digests of files."""
    return {name: content and (len(content), hashlib.sha256(content).hexdigest()[:8])
            for name, content in files.items()}


def work_in(folder, has_come=lambda name: True):
    """What somebody does with files, once those of before have come to the server."""
    (folder / "letters").mkdir()
    for number in range(20):
        (folder / "letters" / ("%d.txt" % number)).write_bytes(pattern(5000, number))
    wait_until(lambda: all(has_come("letters/%d.txt" % number) for number in range(20)),
               "the files at the server", 30)
    (folder / "letters/3.txt").rename(folder / "letters/three.txt")
    (folder / "letters/4.txt").unlink()
    shutil.copy(folder / "letters/5.txt", folder / "five.txt")
    with open(folder / "letters/6.txt", "ab") as file:
        file.write(b"more")
    (folder / "large.bin").write_bytes(pattern(20000000))


@pytest.fixture
def expected(tmp_path):
    (tmp_path / "expected").mkdir()
    work_in(tmp_path / "expected")
    return sites.tree(tmp_path / "expected")


@pytest.mark.parametrize("version, protocol", [("h1", "HTTP/1.1"), ("h2", "HTTP/2.0")])
def test_work_in_a_folder_mounted_by_rclone(server, share, expected, version, protocol, tmp_path):
    log = sites.Protocols(server)
    switch = [] if version == "h2" else ["--disable-http2"]
    with mounted(tmp_path / "mount", tool("rclone"), "mount", *switch, "--config", "/dev/null",
                 "--no-check-certificate", "--webdav-url", server.url("/", "tls"),
                 "--webdav-vendor", "other", "--vfs-cache-mode", "full", "--vfs-write-back", "0s",
                 "--cache-dir", str(tmp_path / "cache"), ":webdav:", str(tmp_path / "mount")) as folder:
        work_in(folder, has_come=lambda name: share.size(name) == 5000)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: share.files() == expected, "the files at the server", 15)
        assert short(share.files()) == short(expected)
        assert sites.tree(folder) == expected
    assert log.seen() == {protocol}


def test_work_in_a_folder_mounted_by_davfs(server, share, expected, tmp_path):
    """HTTP/1.1 at a server that has h2c switched on; over h2 the files are the same.

    davfs2 writes with If-Match, which a weak ETag never fulfils: httpd's are weak in a file's first
    second."""
    if os.geteuid() != 0:
        pytest.skip("root alone may mount")
    davfs = sites.folder("davfs")
    config = davfs / "davfs2.conf"
    (davfs / "cache").mkdir()
    (davfs / "cache").chmod(0o1777)
    (davfs / "secrets").touch(0o600)
    config.write_text("ask_auth 0\ncache_dir %s\nsecrets %s\ndelay_upload 0\n" % (
        davfs / "cache", davfs / "secrets"))
    log = sites.Protocols(server)
    with mounted(tmp_path / "mount", tool("mount.davfs"), server.url("/", "clear"),
                 str(tmp_path / "mount"), "-o", "conf=%s" % config) as folder:
        work_in(folder, has_come=lambda name: share.size(name) == 5000 and
                time.time() - (share.www / name).stat().st_mtime > 2)
    with contextlib.suppress(AssertionError):
        wait_until(lambda: share.files() == expected, "the files at the server", 15)
    assert short(share.files()) == short(expected)
    assert log.seen() == {"HTTP/1.1"}
    ask = sites.asker(server, "clear", "h2")
    for name, content in expected.items():
        if content is not None:
            assert ask("GET", "/" + urllib.parse.quote(name)).body == content


# -- large, many, deep -----------------------------------------------------------------------------


@pytest.mark.parametrize("options, protocol", [(["--http1.1"], "HTTP/1.1"),
                                               (["--http2"], "HTTP/2.0")])
def test_a_large_upload_by_curl(server, share, options, protocol, tmp_path):
    """By curl -T, from a file, without a length from a pipe, and in two parts."""
    large = tmp_path / "large.bin"
    large.write_bytes(random.Random(3).randbytes(MEGABYTES << 20))
    log = sites.Protocols(server)
    curl = [tool("curl"), "-sS", "-f", "-k", *options]
    run(*curl, "-T", str(large), server.url("/large.bin", "tls"))
    with open(large, "rb") as file:
        run(*curl, "-T", "-", server.url("/piped.bin", "tls"), stdin=file)
    # an upload that was cut off goes on: a PUT with Content-Range
    half = tmp_path / "half.bin"
    half.write_bytes(large.read_bytes()[:MEGABYTES << 19])
    run(*curl, "-T", str(half), server.url("/resumed.bin", "tls"))
    run(*curl, "-C", str(MEGABYTES << 19), "-T", str(large), server.url("/resumed.bin", "tls"))
    digest = hashlib.sha256(large.read_bytes()).digest()
    for name in ("large.bin", "piped.bin", "resumed.bin"):
        assert hashlib.sha256((share.www / name).read_bytes()).digest() == digest
    # the download that was cut off goes on
    part = tmp_path / "part.bin"
    part.write_bytes(large.read_bytes()[:12345678])
    run(*curl, "-C", "-", "-o", str(part), server.url("/large.bin", "tls"))
    assert hashlib.sha256(part.read_bytes()).digest() == digest
    assert log.seen() == {protocol}


def upload_in_chunks(ask, content, size):
    """As Nextcloud's clients do: a folder, its chunks, and a MOVE. mod_dav does not put chunks
    together, so it is the folder that moves."""
    ask("MKCOL", "/uploads/")
    ask("MKCOL", "/uploads/web-123/")
    statuses = [ask("PUT", "/uploads/web-123/%015d" % start,
                    [("oc-total-length", str(len(content)))], content[start:start + size]).status
                for start in range(0, len(content), size)]
    found = ask("PROPFIND", "/uploads/web-123/", [("depth", "1")])
    moved = ask("MOVE", "/uploads/web-123/", [("destination", ask.origin + "/done"),
                                              ("overwrite", "T")])
    return statuses, found, moved


def test_an_upload_in_chunks_is_the_same(server, share, transport):
    content = random.Random(4).randbytes(20000000)
    said, files = {}, {}
    for protocol in ("h1", "h2"):
        share.empty()
        said[protocol] = upload_in_chunks(sites.asker(server, transport, protocol), content, 1 << 20)
        files[protocol] = share.files()
    assert said["h1"][0] == said["h2"][0] == [201] * 20
    assert said["h1"][1].status == said["h2"][1].status == 207
    assert masked(bytes(said["h1"][1].body)) == masked(bytes(said["h2"][1].body))
    assert said["h1"][2].status == said["h2"][2].status == 201
    assert files["h1"] == files["h2"]
    assert b"".join(content for name, content in sorted(files["h2"].items()) if content) == content


def test_many_small_files_at_a_time_on_one_connection(server, share, transport):
    client = open_client(server, transport, window=1 << 20)
    client.wait_settings()
    assert client.fetch("MKCOL", "/small/").status == 201
    for first in range(0, 600, 60):
        streams = [client.request("PUT", "/small/%d" % number, body=pattern(700, number))
                   for number in range(first, first + 60)]
        client.wait(*streams)
        assert [stream.status for stream in streams] == [201] * 60
    assert {name: content for name, content in sites.tree(share.www / "small").items()} == {
        str(number): pattern(700, number) for number in range(600)}
    streams = [client.request("DELETE", "/small/%d" % number) for number in range(60)]
    client.wait(*streams)
    assert [stream.status for stream in streams] == [204] * 60


def test_a_large_tree_is_listed_the_same(server, share, transport):
    make_tree(share.www / "tree", 3000)
    sites.give_to_httpd(share.www)
    answers = sites.compare(server, transport, [
        ("PROPFIND", "/", [("depth", "infinity")]),
        ("PROPFIND", "/", [*XML, ("depth", "infinity")], FIND),
        ("PROPFIND", "/tree/", [("depth", "1")])], mask=without_order)
    assert [answer.status for answer in answers] == [207] * 3
    assert answers[0].body.count(b"<D:response") >= 3000

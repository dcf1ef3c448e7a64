# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""A mirror of Debian packages: apt, which knows HTTP/1.1 alone, and mirroring clients by HTTP/2."""

import os
import random
import re
import subprocess

import pytest

import sites
from connections import open_client
from programs import run, tool

PACKAGES = 120
LARGE = 30 << 20        # bytes of one of them

CONFIG = """
    DocumentRoot "WWW"
    AddType application/vnd.debian.binary-package .deb
    AddType application/x-xz .xz
    AddType application/gzip .gz
    <Directory "WWW">
        Options Indexes
        IndexOptions FancyIndexing
        IndexIgnore ..
    </Directory>
"""


def make_package(folder, number):
    root = folder / "root"
    (root / "DEBIAN").mkdir(parents=True)
    needs = "Depends: h2site%d\n" % (number - 1) if number % 10 else ""
    (root / "DEBIAN/control").write_text(
        "Package: h2site%d\nVersion: 1.%d\nArchitecture: all\nMaintainer: A <a@a.test>\n%s"
        "Description: for a test\n" % (number, number, needs))
    (root / "usr").mkdir()
    content = random.Random(number).randbytes(LARGE if number == 7 else 1000 + 300 * number)
    (root / "usr" / ("file%d" % number)).write_bytes(content)
    run(tool("dpkg-deb"), "-Zgzip", "-z1", "--root-owner-group", "-b", str(root),
        str(folder / ("h2site%d_1.%d_all.deb" % (number, number))))
    run("rm", "-r", str(root))


class Mirror:
    def __init__(self):
        self.folder = sites.folder("apt")
        self.www = self.folder / "www"
        self.pool = self.www / "debian/pool/main"
        self.pool.mkdir(parents=True)
        for number in range(PACKAGES):
            make_package(self.pool, number)
        self.index()

    def index(self):
        debian = self.www / "debian"
        lists = debian / "dists/stable/main/binary-amd64"
        lists.mkdir(parents=True, exist_ok=True)
        archive = tool("apt-ftparchive")
        packages = run(archive, "packages", "pool", cwd=str(debian))
        (lists / "Packages").write_text(packages)
        run("xz", "-kf", str(lists / "Packages"))
        run("gzip", "-nkf", str(lists / "Packages"))
        release = run(archive, "-o", "APT::FTPArchive::Release::Suite=stable", "-o",
                      "APT::FTPArchive::Release::Architectures=amd64", "-o",
                      "APT::FTPArchive::Release::Components=main", "release", "dists/stable",
                      cwd=str(debian))
        (debian / "dists/stable/Release").write_text(release)
        for base, folders, names in os.walk(self.www):
            for name in folders + names:
                os.utime(os.path.join(base, name), (1700000000, 1700000000))

    def packages(self):
        return {path.name: path.read_bytes() for path in self.pool.iterdir()}


@pytest.fixture(scope="module")
def mirror():
    tool("apt-get")
    return Mirror()


@pytest.fixture
def server(servers, mirror):
    return servers.get("apt", "event", sites.both_vhosts(CONFIG.replace("WWW", str(mirror.www))))


class Apt:
    """apt with folders of its own; it installs nothing."""

    def __init__(self, folder, url):
        for name in ("lists/partial", "archives/partial", "etc/apt.conf.d", "etc/preferences.d",
                     "etc/trusted.gpg.d"):
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text("deb [trusted=yes arch=amd64] %s stable main\n" % url)
        self.folder = folder
        self.environ = {**os.environ, "APT_CONFIG": str(folder / "apt.conf"), "LC_ALL": "C"}
        (folder / "apt.conf").write_text("\n".join('%s "%s";' % item for item in {
            "Dir::State::lists": folder / "lists", "Dir::State::status": folder / "status",
            "Dir::Cache": folder, "Dir::Cache::archives": folder / "archives",
            "Dir::Etc": folder / "etc", "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::sourceparts": "-", "APT::Sandbox::User": "root", "APT::Architecture": "amd64",
            "Acquire::https::Verify-Peer": "false", "Acquire::https::Verify-Host": "false",
            "Acquire::Languages": "none", "Acquire::Retries": "0", "Dir::Log": folder}.items()))

    def __call__(self, *arguments):
        return run(tool("apt-get"), "-q", "-y", *arguments, env=self.environ, timeout=120)

    def archives(self):
        return {path.name: path.read_bytes() for path in (self.folder / "archives").iterdir()
                if path.suffix == ".deb"}


def test_apt_gets_all_packages_where_h2_is_on(server, mirror, transport, tmp_path):
    """By HTTP/1.1, pipelined; in clear text without being upgraded."""
    log = sites.Protocols(server)
    apt = Apt(tmp_path, server.url("/debian", transport))
    assert "Packages" in apt("update")
    assert "Err:" not in apt("update")
    # one that was cut off goes on
    name = "h2site7_1.7_all.deb"
    whole = mirror.packages()[name]
    part = tmp_path / "archives/partial" / name
    part.write_bytes(whole[:9999999])
    os.utime(part, (1700000000, 1700000000))        # If-Range
    apt("install", "--download-only", *("h2site%d" % n for n in range(PACKAGES)))
    assert apt.archives() == mirror.packages()
    assert log.seen() == {"HTTP/1.1"}
    assert ("206", "/debian/pool/main/" + name) in {
        (status, target) for _, status, _, target in log.requests()}
    assert "304" in {status for _, status, _, target in log.requests() if "Release" in target}


@pytest.mark.parametrize("options, protocol", [(["--http2=off"], "HTTP/1.1"), ([], "HTTP/2.0")])
def test_wget2_mirrors_the_folders(server, mirror, options, protocol, tmp_path):
    """It follows the listings, with several requests at a time."""
    log = sites.Protocols(server)
    wget = [tool("wget2"), "-q", "--mirror", "--no-parent", "--no-check-certificate", "--no-robots",
            "--no-host-directories", "--reject-regex", "[?]C=", "--max-threads=5",
            "--http2-request-window=30", *options, server.url("/debian/", "tls")]
    subprocess.run(wget, cwd=tmp_path, timeout=120, check=True, capture_output=True)
    source = {name: content for name, content in sites.tree(mirror.www).items()
              if content is not None}
    copied = {name: content for name, content in sites.tree(tmp_path).items()
              if content is not None and not name.endswith("index.html")}
    assert copied == source
    first = len(log.requests())
    subprocess.run(wget, cwd=tmp_path, timeout=120, check=True, capture_output=True)
    again = log.requests()[first:]
    assert len(again) > PACKAGES
    assert {status for _, status, _, target in again if target.endswith(".deb")} == {"304"}
    assert log.seen() == {protocol}


@pytest.mark.parametrize("options, protocol", [(["--http1.1"], "HTTP/1.1"),
                                               (["--http2"], "HTTP/2.0")])
def test_curl_gets_all_packages_at_the_same_time(server, mirror, options, protocol, tmp_path):
    log = sites.Protocols(server)
    names = sorted(mirror.packages())
    run(tool("curl"), "-sS", "-f", "-k", *options, "-Z", "--parallel-max", "30",
        *[word for name in names for word in (
            "-o", str(tmp_path / name), server.url("/debian/pool/main/" + name, "tls"))])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == mirror.packages()
    assert log.seen() == {protocol}


def test_files_are_the_same_byte_for_byte(server, mirror, transport):
    lists = "/debian/dists/stable/main/binary-amd64/"
    large = "/debian/pool/main/h2site7_1.7_all.deb"
    small = "/debian/pool/main/h2site3_1.3_all.deb"
    first, asked, *_ = sites.compare(server, transport, [
        ("GET", large), ("HEAD", small), ("GET", lists + "Packages"), ("GET", lists + "Packages.xz"),
        ("GET", lists + "Packages.gz"), ("GET", "/debian/dists/stable/Release"),
        ("HEAD", lists + "Packages")], static=True)
    assert first.body == mirror.packages()["h2site7_1.7_all.deb"]
    tag, time = (dict(asked.fields)[name] for name in ("etag", "last-modified"))
    before = "Mon, 01 Jan 2001 00:00:00 GMT"
    requests = [[("if-none-match", tag)], [("if-none-match", '"other"')], [("if-none-match", "*")],
                [("if-modified-since", time)], [("if-modified-since", before)],
                [("if-match", '"other"')], [("if-unmodified-since", before)],
                [("range", "bytes=0-0")], [("range", "bytes=1200-")], [("range", "bytes=-1000")],
                [("range", "bytes=100000000-")], [("range", "bytes=5-4")], [("range", "lines=1-2")],
                [("range", "bytes=0-9,1000-1999,-5")], [("range", "bytes=0-99,50-149")],
                [("range", "bytes=1000-"), ("if-range", tag)],
                [("range", "bytes=1000-"), ("if-range", time)],
                [("range", "bytes=1000-"), ("if-range", '"other"')],
                [("range", "bytes=1000-"), ("if-range", before)]]
    answers = sites.compare(server, transport, [("GET", small, fields) for fields in requests] + [
        ("HEAD", small, [("range", "bytes=0-99")]), ("POST", small, [], b"a"), ("GET", "/debian"),
        ("GET", "/debian/nothing.deb"), ("GET", "/debian/../../etc/passwd"), ("TRACE", small)],
        static=True, mask=lambda content: re.sub(rb"\b[0-9a-f]{16}\b", b"(boundary)", re.sub(
            rb"(GET|TRACE) \S+ HTTP/\S+\r\n|Host: \S+\r\n|\S+: \r\n", b"", content)))
    assert [answer.status for answer in answers[:len(requests)]] == [
        304, 200, 304, 304, 200, 412, 412, 206, 206, 206, 416, 200, 200, 206, 206, 206, 206, 200, 200]


def test_listings_are_the_same_byte_for_byte(server, transport):
    sites.compare(server, transport, [("GET", path) for path in (
        "/", "/debian/", "/debian/pool/main/", "/debian/pool/main/?C=S;O=D",
        "/debian/dists/stable/main/binary-amd64/")])


def test_a_file_in_a_thousand_ranges_is_whole(server, mirror, transport):
    """As a client that gets differences: each range is a stream, a hundred at a time."""
    client = open_client(server, transport, window=1 << 24)
    client.wait_settings()
    whole = mirror.packages()["h2site7_1.7_all.deb"]
    size, parts = len(whole) // 1000 + 1, []
    for first in range(0, 1000, 100):
        streams = [client.request("GET", "/debian/pool/main/h2site7_1.7_all.deb", [
            ("range", "bytes=%d-%d" % (number * size, (number + 1) * size - 1))])
            for number in range(first, min(first + 100, (len(whole) + size - 1) // size))]
        client.wait(*streams)
        assert {stream.status for stream in streams} == {206}
        parts += [bytes(stream.body) for stream in streams]
    assert b"".join(parts) == whole

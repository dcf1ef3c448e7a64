# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""A git server: git's own git-http-backend as a CGI script, git as the client."""

import os
import random
import subprocess

import pytest

import environment as env
import sites
from programs import tool

COMMITS = 20000
BLOB_SIZES = [64 << 20] + [5 << 20] * 28    # beside the commits: 204 MiB that do not compress
BACKEND = "/usr/lib/git-core/git-http-backend"

CONFIG = """
    ScriptAlias /git/ %s/
    SetEnv GIT_PROJECT_ROOT "REPOSITORIES"
    SetEnv GIT_HTTP_EXPORT_ALL 1
    Alias /plain/ "REPOSITORIES/"
    <Directory "/usr/lib/git-core">
        Options +ExecCGI
        Require all granted
    </Directory>
    <Location /git/>
        LimitRequestBody 0
        Require all granted
    </Location>
    <LocationMatch "^/git/.*/git-receive-pack$">
        AuthType Basic
        AuthName "to push"
        AuthUserFile "{docroot}/auth.passwd"
        Require valid-user
    </LocationMatch>
    CustomLog "{root}/access.log" test
    CustomLog git.log "%%H %%m %%U %%{Content-Encoding}i"
""" % BACKEND


def git(*arguments, timeout=120, version=None, **options):
    """Runs git with a configuration of its own; `version` is HTTP/1.1 or HTTP/2."""
    settings = ["-c", "http.sslVerify=false", "-c", "protocol.version=2", "-c", "gc.auto=0",
                "-c", "user.name=A", "-c", "user.email=a@a.test", "-c", "safe.directory=*"]
    if version:
        settings += ["-c", "http.version=" + version]
    result = subprocess.run(
        ["git", *settings, *map(str, arguments)], capture_output=True,
        timeout=timeout * env.SLOWER, env={
            "PATH": os.environ["PATH"], "LC_ALL": "C", "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0", "HOME": "/nonexistent", **options.pop("environ", {})},
        **options)
    assert result.returncode == 0, result.stderr.decode(errors="replace")[-3000:]
    return result.stdout


def import_stream():
    """For git fast-import: so many commits to ten files, and the blobs."""
    random.seed(8)
    out = []
    for number in range(COMMITS):
        text = b"".join(b"%d %d\n" % (number, random.getrandbits(60)) for _ in range(8))
        out.append(b"commit refs/heads/main\nmark :%d\ncommitter A <a@a.test> %d +0000\n"
                   b"data %d\nchange %d\nM 644 inline folder%d/file%d\ndata %d\n%s\n" % (
                       number + 1, 1700000000 + number, len(b"change %d" % number), number,
                       number % 7, number % 10, len(text), text))
        if number % 1000 == 999:
            out.append(b"reset refs/tags/v%d\nfrom :%d\n\n" % (number // 1000, number + 1))
    out.append(b"commit refs/heads/main\ncommitter A <a@a.test> 1800000000 +0000\n"
               b"data 5\nblobs\n")
    for number, size in enumerate(BLOB_SIZES):
        out.append(b"M 644 inline blobs/%d.bin\ndata %d\n" % (number, size))
        out += random.randbytes(size), b"\n"
    return b"".join(out)


@pytest.fixture(scope="module")
def repositories():
    tool("git")
    if not os.path.exists(BACKEND):
        pytest.skip(BACKEND + " is not there")
    folder = sites.folder("git")
    big = folder / "big.git"
    git("init", "--bare", "-b", "main", big)
    git("-C", big, "-c", "core.compression=0", "fast-import", "--quiet", "--max-pack-size=1g",
        input=import_stream())
    for key, value in (("uploadpack.allowFilter", "true"), ("pack.threads", "1"),
                       ("uploadpack.allowAnySHA1InWant", "true")):
        git("-C", big, "config", key, value)
    git("-C", big, "update-server-info")
    sites.give_to_httpd(folder)
    return folder


@pytest.fixture
def server(servers, repositories):
    config = sites.both_vhosts(CONFIG.replace("REPOSITORIES", str(repositories)))
    return servers.get("git", "event", config, modules=["authn_file"])


@pytest.fixture(params=["HTTP/1.1", "HTTP/2"])
def version(request):
    return request.param


def protocol_of(version):
    return {"HTTP/1.1": "HTTP/1.1", "HTTP/2": "HTTP/2.0"}[version]


def objects(folder):
    """The ids, types and sizes of all objects, in order."""
    return git("-C", folder, "cat-file", "--batch-all-objects", "--batch-check").splitlines()


def references(folder, prefix):
    lines = git("-C", folder, "for-each-ref", "--format=%(objectname) %(refname)",
                prefix).decode().splitlines()
    return sorted(line.replace(prefix, "", 1) for line in lines)


def empty_repository(repositories, name):
    path = repositories / (name + ".git")
    git("init", "--bare", "-b", "main", path)
    git("-C", path, "config", "http.receivepack", "true")
    sites.give_to_httpd(path)
    return path


def test_a_clone_has_every_object(server, repositories, version, tmp_path):
    log = sites.Protocols(server)
    git("clone", "-q", "--mirror", server.url("/git/big.git", "tls"), tmp_path / "copy",
        version=version)
    git("-C", tmp_path / "copy", "fsck", "--full", "--strict")
    assert objects(tmp_path / "copy") == objects(repositories / "big.git")
    assert references(tmp_path / "copy", "refs/") == references(repositories / "big.git", "refs/")
    assert log.seen() == {protocol_of(version)}


def test_a_clone_in_clear_text_upgrades_to_h2c(server, repositories, tmp_path):
    log = sites.Protocols(server)
    git("clone", "-q", "--mirror", server.url("/git/big.git", "clear"), tmp_path / "copy",
        version="HTTP/2")
    git("-C", tmp_path / "copy", "fsck", "--full")
    assert objects(tmp_path / "copy") == objects(repositories / "big.git")
    first, *others = log.requests()
    assert first[:2] == ("HTTP/1.1", "101")
    assert len(others) >= 3 and {request[0] for request in others} == {"HTTP/2.0"}


def test_the_answers_are_the_same_byte_for_byte(server, repositories, transport):
    main = git("-C", repositories / "big.git", "rev-parse", "main~1").strip()
    want = b"want " + main + b" ofs-delta no-progress\n"
    request = b"%04x" % (len(want) + 4) + want + b"00000009done\n"
    post = [("content-type", "application/x-git-upload-pack-request")]
    answers = sites.compare(server, transport, [
        ("GET", "/git/big.git/info/refs?service=git-upload-pack"),
        ("GET", "/git/big.git/info/refs?service=git-upload-pack", [("git-protocol", "version=2")]),
        ("GET", "/git/big.git/HEAD"),
        ("GET", "/git/big.git/nothing"),
        ("GET", "/git/nothing.git/info/refs?service=git-upload-pack"),
        ("POST", "/git/big.git/git-upload-pack", post, request),
        ("POST", "/git/big.git/git-receive-pack", post, request),
        ("GET", "/plain/big.git/objects/info/packs"),
    ])
    assert [answer.status for answer in answers] == [200, 200, 200, 404, 404, 200, 401, 200]
    assert answers[5].body.count(b"PACK") >= 1 and len(answers[5].body) > 1000000


def test_a_push_larger_than_the_post_buffer(server, repositories, version, tmp_path):
    """1 MiB is http.postBuffer's default: what is larger is sent without a length. The request
    that finds out whether a login is needed comes before it."""
    name = "pushed-" + version[-1]
    target = empty_repository(repositories, name)
    log = sites.Protocols(server)
    url = server.url("/git/%s.git" % name, "tls").replace("//", "//user:secret@")
    git("-C", repositories / "big.git", "push", "-q", "--mirror", url, version=version)
    git("-C", target, "fsck", "--full")
    assert objects(target) == objects(repositories / "big.git")
    assert references(target, "refs/") == references(repositories / "big.git", "refs/")
    assert log.seen() == {protocol_of(version)}
    statuses = [status for _, status, method, target in log.requests()
                if target.endswith("/git-receive-pack") and method == "POST"]
    assert statuses == ["401", "200", "200"]


def test_commits_go_both_ways_between_two_clones(server, repositories, version, tmp_path):
    """The answers to "have" make the fetch's request bodies long: git compresses them."""
    name = "shared-" + version[-1]
    target = empty_repository(repositories, name)
    url = server.url("/git/%s.git" % name, "tls").replace("//", "//user:secret@")
    for clone in ("one", "two"):
        git("clone", "-q", "--single-branch", "-b", "v3", server.url("/git/big.git", "tls"),
            tmp_path / clone, version=version)
        git("-C", tmp_path / clone, "checkout", "-q", "-b", "work")
        for number in range(60):
            git("-C", tmp_path / clone, "commit", "-q", "--allow-empty", "-m",
                "%s %d" % (clone, number))
    git("-C", tmp_path / "one", "push", "-q", url, "work:work", version=version)
    log = sites.Protocols(server)
    git("-C", tmp_path / "two", "fetch", "-q", url, "work:theirs", version=version)
    git("-C", tmp_path / "two", "push", "-q", url, "work:mine", version=version)
    git("-C", target, "fsck", "--full")
    assert git("-C", target, "rev-parse", "mine", "work") == \
        git("-C", tmp_path / "two", "rev-parse", "work", "theirs")
    assert log.seen() == {protocol_of(version)}
    fields = [line.split() for line in (server.root / "git.log").read_text().splitlines()]
    packed = [line for line in fields if line[3] == "gzip" and name in line[2]]
    assert packed and {line[0] for line in packed} == {protocol_of(version)}


def test_a_shallow_clone_is_deepened(server, version, tmp_path):
    log = sites.Protocols(server)
    copy = tmp_path / "copy"
    git("clone", "-q", "--depth", "3", "-b", "v5", server.url("/git/big.git", "tls"), copy,
        version=version)
    assert git("-C", copy, "rev-list", "--count", "HEAD").strip() == b"3"
    git("-C", copy, "fetch", "-q", "--depth", "500", "origin", "tag", "v5", version=version)
    assert git("-C", copy, "rev-list", "--count", "HEAD").strip() == b"500"
    git("-C", copy, "fsck", "--full")
    assert log.seen() == {protocol_of(version)}


def test_a_partial_clone_gets_its_blobs_when_they_are_needed(server, repositories, version,
                                                             tmp_path):
    log = sites.Protocols(server)
    copy = tmp_path / "copy"
    git("clone", "-q", "--filter=blob:none", "--no-checkout", server.url("/git/big.git", "tls"),
        copy, version=version)
    before = len(log.requests())
    git("-C", copy, "checkout", "-q", "v19", version=version)
    assert len(log.requests()) > before
    for number in range(3):
        path = "main:blobs/%d.bin" % number
        assert git("-C", copy, "show", path, version=version) == \
            git("-C", repositories / "big.git", "show", path)
    assert log.seen() == {protocol_of(version)}


def test_clones_at_the_same_time(server, repositories, version, tmp_path):
    log = sites.Protocols(server)
    command = ["git", "-c", "http.sslVerify=false", "-c", "http.version=" + version, "clone", "-q",
               "--bare", "--single-branch", "-b", "v19", server.url("/git/big.git", "tls")]
    clones = [subprocess.Popen([*command, str(tmp_path / str(number))], stderr=subprocess.PIPE)
              for number in range(8)]
    for clone in clones:
        _, errors = clone.communicate(timeout=120 * env.SLOWER)
        assert clone.returncode == 0, errors
    expected = objects(tmp_path / "0")
    assert len(expected) >= 3 * COMMITS
    assert all(objects(tmp_path / str(number)) == expected for number in range(1, 8))
    assert log.seen() == {protocol_of(version)}


def test_a_clone_of_static_files(server, repositories, version, tmp_path):
    """git's older way: no script, each file by a request of its own, several at a time."""
    source = repositories / ("static-%s.git" % version[-1])
    git("init", "-q", "--bare", "-b", "main", source)
    git("-C", source, "config", "receive.unpackLimit", "10000")
    work = tmp_path / "work"
    git("init", "-q", "-b", "main", work)
    for number in range(40):
        (work / ("file%d" % number)).write_bytes(os.urandom(3000))
        git("-C", work, "add", ".")
        git("-C", work, "commit", "-q", "-m", str(number))
    git("-C", work, "push", "-q", source, "main")
    git("-C", source, "update-server-info")
    sites.give_to_httpd(source)
    log = sites.Protocols(server)
    git("clone", "-q", "--bare", server.url("/plain/" + source.name, "tls"), tmp_path / "copy",
        version=version, environ={"GIT_SMART_HTTP": "0"})
    assert objects(tmp_path / "copy") == objects(source)
    assert log.seen() == {protocol_of(version)}
    assert len([r for r in log.requests() if "/objects/" in r[3] and r[1] == "200"]) >= 120


def test_a_clone_goes_on_over_a_graceful_restart(server, repositories, tmp_path):
    """What runs is ended by the old generation."""
    copy = tmp_path / "copy"
    clone = subprocess.Popen(
        ["git", "-c", "http.sslVerify=false", "-c", "http.version=HTTP/2", "clone", "-q",
         "--mirror", server.url("/git/big.git", "tls"), str(copy)], stderr=subprocess.PIPE)
    env.wait_until(lambda: any(pack.stat().st_size > 1 << 20 for pack in
                               (copy / "objects/pack").glob("tmp_pack*")) or
                   clone.poll() is not None, "a part of the pack", 60, interval=0.001)
    assert clone.poll() is None
    server.is_stable = False
    server.graceful()
    _, errors = clone.communicate(timeout=120 * env.SLOWER)
    assert clone.returncode == 0, errors
    assert objects(copy) == objects(repositories / "big.git")

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""A folder of video by HLS, with ffmpeg, GStreamer and Chromium as players."""

import hashlib
import os
import re
import subprocess
import time

import pytest

import browser
import sites
from connections import open_client
from h2client import Client, Tls
from programs import run, tool

SECONDS = 12
VARIANTS = {"low": ("320x180", "200k"), "high": ("640x360", "1500k")}

CONFIG = """
    DocumentRoot "WWW"
    AddType application/vnd.apple.mpegurl .m3u8
    AddType video/mp2t .ts
    AddType video/mp4 .mp4 .m4s
    AddType video/iso.segment .seg
    <FilesMatch "\\.m3u8$">
        Header set Cache-Control no-cache
        SetOutputFilter DEFLATE
    </FilesMatch>
"""

PLAYER = """<!doctype html><title>loading</title><video id=video muted></video><script>
// Plays a playlist of fragmented MP4 by MediaSource; stalls in the middle.
const video = document.getElementById('video'), said = {segments: 0};
const text = url => fetch(url).then(answer => answer.text());
const bytes = url => fetch(url).then(answer => answer.arrayBuffer());
const until = (target, name) => new Promise(done => target.addEventListener(name, done,
                                                                            {once: true}));
(async () => {
    const source = new MediaSource();
    video.src = URL.createObjectURL(source);
    await until(source, 'sourceopen');
    const buffer = source.addSourceBuffer('video/mp4; codecs="avc1.42c01e,mp4a.40.2"');
    const append = async data => { buffer.appendBuffer(data); await until(buffer, 'updateend'); };
    const list = (await text('/fmp4/index.m3u8')).split('\\n');
    const parts = [list.join('\\n').match(/EXT-X-MAP:URI="([^"]*)"/)[1],
                   ...list.filter(line => line && !line.startsWith('#'))];
    const all = [];
    for (const part of parts) {
        const data = await bytes('/fmp4/' + part);
        all.push(...new Uint8Array(data));
        await append(data);
        said.segments++;
        if (said.segments == 3) {
            video.playbackRate = 8;
            await video.play();
        }
        if (said.segments == 6) {
            video.pause();
            await new Promise(done => setTimeout(done, 2000));
            await video.play();
        }
    }
    source.endOfStream();
    if (!video.ended)
        await until(video, 'ended');
    said.seconds = Math.round(video.duration);
    said.width = video.videoWidth;
    const digest = await crypto.subtle.digest('SHA-256', new Uint8Array(all));
    said.digest = [...new Uint8Array(digest)].map(b => b.toString(16).padStart(2, 0)).join('');
    document.title = 'done';
})().catch(error => { said.failed = String(error); document.title = 'done'; });
</script>"""

OWN_PLAYER = """<!doctype html><title>loading</title><video id=video muted></video><script>
// Chromium's own player of playlists.
const video = document.getElementById('video'), said = {};
const end = text => { said.end = text; document.title = 'done'; };
said.can = video.canPlayType('application/vnd.apple.mpegurl');
video.onended = () => { said.seconds = Math.round(video.duration); end('whole'); };
video.onerror = () => end(video.error.message);
video.src = '/master.m3u8';
video.playbackRate = 4;
video.play().catch(error => end(String(error)));
</script>"""


def make_videos(www):
    """Two variants in MPEG-TS, one in fragmented MP4, and one in a single file with byte ranges."""
    ffmpeg = [tool("ffmpeg"), "-hide_banner", "-loglevel", "error", "-nostdin"]
    master = ["#EXTM3U"]
    for name, (size, rate) in VARIANTS.items():
        source = str(www / (name + ".mp4"))
        run(*ffmpeg, "-f", "lavfi", "-i", "testsrc2=size=%s:rate=25:duration=%d" % (size, SECONDS),
            "-f", "lavfi", "-i", "sine=frequency=440:duration=%d" % SECONDS, "-pix_fmt", "yuv420p",
            "-c:v", "libx264", "-preset", "ultrafast", "-profile:v", "baseline", "-level", "3.0",
            "-b:v", rate, "-g", "25", "-c:a", "aac", "-b:a", "64k", source)
        (www / name).mkdir()
        run(*ffmpeg, "-i", source, "-c", "copy", "-f", "hls", "-hls_time", "1", "-hls_list_size",
            "0", "-hls_segment_filename", str(www / name / "%d.ts"), str(www / name / "index.m3u8"))
        master += ["#EXT-X-STREAM-INF:BANDWIDTH=%s000,RESOLUTION=%s" % (rate[:-1], size),
                   name + "/index.m3u8"]
    (www / "master.m3u8").write_text("\n".join(master) + "\n")
    for name, options in (
            ("fmp4", ["-hls_segment_type", "fmp4", "-hls_segment_filename", "%d.m4s"]),
            ("ranges", ["-hls_flags", "single_file", "-hls_segment_filename", "all.ts"])):
        (www / name).mkdir()
        run(*ffmpeg, "-i", str(www / "low.mp4"), "-c", "copy", "-f", "hls", "-hls_time", "1",
            "-hls_list_size", "0", *options, "index.m3u8", cwd=str(www / name))


@pytest.fixture(scope="module")
def videos():
    www = sites.folder("hls")
    make_videos(www)
    (www / "player.html").write_text(PLAYER)
    (www / "own.html").write_text(OWN_PLAYER)
    for base, _, names in os.walk(www):
        for name in names:
            os.utime(os.path.join(base, name), (1700000000, 1700000000))
    return www


@pytest.fixture
def server(servers, videos):
    return servers.get("hls", "event", sites.both_vhosts(CONFIG.replace("WWW", str(videos))))


def segments(videos, name):
    """The files that a playlist names, in order."""
    lines = (videos / name / "index.m3u8").read_text().splitlines()
    return ["%s/%s" % (name, line) for line in lines if line and not line.startswith("#")]


def test_files_are_the_same_byte_for_byte(server, videos, transport):
    paths = ["/" + name for name, content in sites.tree(videos).items() if content is not None]
    assert len(paths) > 3 * SECONDS
    sites.compare(server, transport, [("GET", path) for path in paths], static=True)
    # those that are compressed on their way have no length
    sites.compare(server, transport, [
        ("GET", path, [("accept-encoding", "gzip")]) for path in paths if path.endswith(".m3u8")])
    lines = (videos / "ranges/index.m3u8").read_text().splitlines()
    ranges = [tuple(map(int, line.split(":")[1].split("@"))) for line in lines
              if line.startswith("#EXT-X-BYTERANGE")]
    answers = sites.compare(server, transport, [
        ("GET", "/ranges/all.ts", [("range", "bytes=%d-%d" % (start, start + length - 1))])
        for length, start in ranges], static=True)
    assert {answer.status for answer in answers} == {206} and len(answers) >= SECONDS
    assert b"".join(bytes(answer.body) for answer in answers) == \
        (videos / "ranges/all.ts").read_bytes()


@pytest.mark.parametrize("path", ["low/index.m3u8", "fmp4/index.m3u8", "ranges/index.m3u8"])
def test_ffmpeg_plays_where_h2_is_on(server, videos, transport, path):
    """ffmpeg knows HTTP/1.1 alone."""
    log = sites.Protocols(server)
    command = [tool("ffmpeg"), "-hide_banner", "-loglevel", "error", "-nostdin"]
    copy = ["-c", "copy", "-f", "md5", "-"]
    trust = ["-tls_verify", "0"] if transport == "tls" else []
    by_http = run(*command, *trust, "-i", server.url("/" + path, transport), *copy)
    assert by_http == run(*command, "-i", str(videos / path), *copy)
    assert log.seen() == {"HTTP/1.1"}


def trusting(servers, command):
    """A command that trusts the servers' certificate, in a name space of its own for mounts."""
    check = subprocess.run(["unshare", "-m", "true"], capture_output=True)
    if check.returncode:
        pytest.skip("no mount name space here: " + check.stderr.decode())
    script = 'mount --bind "$1" /etc/ssl/certs/ca-certificates.crt && shift && exec "$@"'
    return ["unshare", "-m", "sh", "-c", script, "sh", str(servers.certs / "cert.pem"), *command]


@pytest.mark.parametrize("name", ["low", "ranges"])
@pytest.mark.parametrize("force, protocol", [({"SOUP_FORCE_HTTP1": "1"}, "HTTP/1.1"),
                                             ({}, "HTTP/2.0")])
def test_gstreamer_gets_the_whole_video(servers, server, videos, name, force, protocol, tmp_path):
    """Its source by libsoup negotiates h2."""
    log = sites.Protocols(server)
    out = tmp_path / "out.ts"
    run(*trusting(servers, [
        tool("gst-launch-1.0"), "-q", "souphttpsrc",
        "location=" + server.url("/%s/index.m3u8" % name, "tls"), "!", "hlsdemux", "!", "filesink",
        "location=%s" % out]), env={**os.environ, **force, "HOME": str(tmp_path),
                                    "GST_REGISTRY": str(tmp_path / "registry")}, timeout=120)
    if name == "low":
        whole = b"".join((videos / part).read_bytes() for part in segments(videos, "low"))
    else:
        whole = (videos / "ranges/all.ts").read_bytes()
    assert out.read_bytes() == whole
    assert log.seen() == {protocol}


def test_chromium_plays_and_stalls_the_same_by_both_protocols(server, videos):
    seen = {}
    for name, options in (("h2", []), ("http/1.1", ["--disable-http2"])):
        loaded = browser.load(server.url("/player.html", "tls"), options=options, bodies=False,
                              until="document.title == 'done' && said")
        assert loaded.failures == [] and loaded.protocols() == {name}
        seen[name] = loaded.value
    names = ["fmp4/init.mp4", *segments(videos, "fmp4")]
    whole = b"".join((videos / part).read_bytes() for part in names)
    assert seen["h2"] == seen["http/1.1"] == {
        "segments": len(names), "seconds": SECONDS, "width": 320,
        "digest": hashlib.sha256(whole).hexdigest()}


@pytest.mark.parametrize("options, protocol", [(["--disable-http2"], "http/1.1"), ([], "h2")])
def test_chromiums_own_player_plays_to_the_end(server, videos, options, protocol):
    """It chooses the variant itself."""
    loaded = browser.load(server.url("/own.html", "tls"), options=options, bodies=False,
                          until="document.title == 'done' && said")
    if not loaded.value["can"]:
        pytest.skip("this Chromium plays no playlists by itself")
    assert (loaded.value["end"], loaded.value["seconds"]) == ("whole", SECONDS)
    assert loaded.failures == [] and loaded.protocols() == {protocol}
    numbers = {int(number) for number in re.findall(r"/(\d+)\.ts\b", "\n".join(loaded.responses))}
    assert numbers == set(range(len(segments(videos, "low"))))


def test_many_viewers_at_the_same_time(server, videos, transport):
    """Each on a connection of its own, the next segment asked for before the last has come."""
    parts = segments(videos, "high")
    expected = [(videos / part).read_bytes() for part in parts]
    clients = [open_client(server, transport, window=1 << 20, timeout=60) for _ in range(24)]
    streams = [[client.request("GET", "/" + part) for part in parts[:2]] for client in clients]
    for number in range(len(parts)):
        for client, its in zip(clients, streams):
            client.wait(its[number])
            if len(its) < len(parts):
                its.append(client.request("GET", "/" + parts[len(its)]))
    for its in streams:
        assert [bytes(stream.body) for stream in its] == expected


def test_a_viewer_that_stalls_goes_on_and_others_do_not_wait(server, videos, transport):
    """It reads nothing for some seconds, as a paused player does: neither from the connection."""
    parts = segments(videos, "high")
    tls = Tls() if transport == "tls" else None
    with Client(server.address(transport), tls=tls, settings={4: 1 << 20}, auto_window=False,
                receive_buffer=65536, timeout=30) as paused:
        streams = [paused.request("GET", "/" + part) for part in parts]
        paused.wait_for(lambda: sum(stream.received for stream in streams) == 65535,
                        "a full window")
        started = time.monotonic()
        other = open_client(server, transport, window=1 << 20)
        while time.monotonic() - started < 3:
            for part in parts:
                assert other.get("/" + part).body == (videos / part).read_bytes()
        paused.auto_window = True
        paused.send_window_update(0, 1 << 20)
        paused.wait(*streams)
        assert [bytes(stream.body) for stream in streams] == [
            (videos / part).read_bytes() for part in parts]


def test_a_playlist_overtakes_segments(server, videos, transport):
    """A player that changes to another variant: what is urgent comes first, and the segments that
    it has given up end early."""
    client = open_client(server, transport, window=200000, settings={4: 100000000},
                         auto_window=False)
    streams = [client.request("GET", "/high.mp4", [("priority", "u=5")]) for _ in range(3)]
    client.wait_for(lambda: sum(stream.received for stream in streams) >= 200000, "a full window")
    playlist = client.request("GET", "/low/index.m3u8", [("priority", "u=0")])
    first = client.request("GET", "/low/0.ts", [("priority", "u=1")])
    client.wait_head(playlist)
    client.wait_head(first)
    client.auto_window = True
    client.send_window_update(0, 200000)
    client.wait(playlist, first)
    assert not any(stream.done for stream in streams)
    assert playlist.body == (videos / "low/index.m3u8").read_bytes()
    assert first.body == (videos / "low/0.ts").read_bytes()
    for stream in streams:
        client.send_reset(stream)
    assert client.get("/low/1.ts").body == (videos / "low/1.ts").read_bytes()

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""WordPress: Debian's package, php-fpm, and a MariaDB of its own on a socket."""

import contextlib
import json
import os
import re
import shutil
import struct
import subprocess
import urllib.parse
import zlib

import pytest

import appservers
import browser
import sites
from environment import wait_until
from programs import run, tool

SOURCE = "/usr/share/wordpress"
ASSETS = 200

CONFIG = """
    DocumentRoot "WWW"
    DirectoryIndex index.php index.html
    AddType text/css .css
    AddType text/javascript .js
    AddType image/svg+xml .svg
    AddType font/woff2 .woff2
    AddType image/jpeg .jpg
    <Directory "WWW">
        AllowOverride All
        Options FollowSymLinks
    </Directory>
    <FilesMatch "\\.php$">
        SetHandler "proxy:unix:SOCKET|fcgi://localhost"
    </FilesMatch>
    AddOutputFilterByType DEFLATE text/html text/css text/javascript application/json
"""

WP_CONFIG = """<?php
define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:%(database)s');
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
foreach (array('AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE') as $name) {
    define($name . '_KEY', $name . ' key');
    define($name . '_SALT', $name . ' salt');
}
define('WP_HOME', (empty($_SERVER['HTTPS']) ? 'http://' : 'https://') . $_SERVER['HTTP_HOST']);
define('WP_SITEURL', WP_HOME);
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('DISABLE_WP_CRON', true);
define('FS_METHOD', 'direct');
$table_prefix = 'wp_';
if (!defined('ABSPATH')) define('ABSPATH', __DIR__ . '/');
require_once ABSPATH . 'wp-settings.php';
"""

FPM = """
[global]
error_log = %(folder)s/fpm.log
daemonize = no
[www]
%(user)s
listen = %(socket)s
pm = static
pm.max_children = 6
catch_workers_output = yes
php_admin_value[sendmail_path] = /bin/true
php_admin_value[upload_max_filesize] = 64M
php_admin_value[post_max_size] = 64M
php_admin_value[error_log] = %(folder)s/php.log
php_admin_flag[log_errors] = on
"""

# What is new each time a site is made: (pattern, what stands for it).
NEW_EACH_TIME = [(re.compile(pattern), b"(" + name + b")") for pattern, name in (
    (rb"\$P\$B[./0-9A-Za-z]{30}", b"password"),
    (rb"admin(\||%7C)\d+(\||%7C)\w{43}(\||%7C)[0-9a-f]{64}", b"session"),
    (rb'data-pw="[^"]*"', b"password"),
    (rb"\d\.gravatar\.com", b"gravatar"),
    (rb"\b[0-9a-f]{64}\b", b"token"),
    (rb"moderation-hash=[0-9a-f]{32}", b"hash"),
    (rb"\b[0-9a-f]{10}\b", b"nonce"),
    (rb'"[0-9a-f]{32}"', b"etag"),
    (rb"\w{3}, \d\d[ -]\w{3}[ -]\d{4} \d\d:\d\d:\d\d (GMT|\+0000)", b"time"),
    (rb"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d", b"time"),
    (rb"\b1[789]\d{8}(000|\.\d+)?\b", b"time"),
    (rb"\b\d{1,2}:\d\d (am|pm)\b", b"time"),
)]


def masked(content):
    # WordPress hides addresses: each character of them may be written as a number
    content = re.sub(rb"&#0*(\d{2,3});", lambda match: bytes([int(match.group(1)) % 256]), content)
    for pattern, name in NEW_EACH_TIME:
        content = pattern.sub(name, content)
    return content


def picture(width=900, height=700):
    """A PNG that compresses badly enough to be some hundred KiB."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            rows += bytes(((x * y) >> 3 & 255, (x ^ y) & 255, (x * 3 + y) & 255))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(
            ">I", zlib.crc32(kind + data))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(
        b"IDAT", zlib.compress(bytes(rows), 1)) + chunk(b"IEND", b"")


class WordPress:
    """The files, the database and PHP."""

    def __init__(self):
        if not os.path.isdir(SOURCE):
            tool("wordpress")
        self.folder = sites.folder("wordpress")
        self.www = self.folder / "www"
        self.php_socket = self.folder / "php.sock"
        self.database_socket = self.folder / "db.sock"
        self.processes = []

    def make(self):
        run("cp", "-rL", SOURCE, str(self.www))
        uploads = self.www / "wp-content/uploads"
        shutil.rmtree(uploads, ignore_errors=True)
        uploads.mkdir()
        (self.www / ".htaccess").unlink(missing_ok=True)
        (self.www / "wp-config.php").write_text(WP_CONFIG % {"database": self.database_socket})
        sites.give_to_httpd(self.folder)
        self._start_database()
        self._start_php()

    def _start_database(self):
        user = ["--user=root"] if os.geteuid() == 0 else []
        data = self.folder / "db"
        run(tool("mariadb-install-db"), "--no-defaults", "--datadir=%s" % data, *user,
            "--skip-test-db", "--auth-root-authentication-method=normal")
        self._start([tool("mariadbd"), "--no-defaults", "--datadir=%s" % data, *user,
                     "--socket=%s" % self.database_socket, "--skip-networking",
                     "--skip-grant-tables", "--innodb-flush-log-at-trx-commit=0",
                     "--skip-log-bin", "--pid-file=%s/db.pid" % self.folder], "db.log")
        wait_until(self._database_answers, "the database", 30)

    def _start_php(self):
        user = "user = www-data\ngroup = www-data\nlisten.owner = www-data" \
            if os.geteuid() == 0 else ""
        (self.folder / "fpm.conf").write_text(FPM % {
            "folder": self.folder, "socket": self.php_socket, "user": user})
        self._start([tool("php-fpm8.2", "php-fpm"), "-F", "-y", str(self.folder / "fpm.conf")],
                    "fpm.out")
        wait_until(self.php_socket.exists, "php-fpm", 30)

    def _start(self, command, log):
        with open(self.folder / log, "wb") as file:
            self.processes.append(subprocess.Popen(
                command, stdout=file, stderr=file, stdin=subprocess.DEVNULL,
                preexec_fn=appservers.end_with_us))

    def _database_answers(self):
        with contextlib.suppress(AssertionError):
            self.sql("select 1", database="mysql")
            return True
        return False

    def sql(self, statement, database="wordpress"):
        return run(tool("mariadb"), "--no-defaults", "--socket=%s" % self.database_socket, "-N", "-B",
                   "-e", statement, database)

    def reset(self):
        """As it was before the installer."""
        self.sql("drop database if exists wordpress; create database wordpress", "mysql")
        (self.www / ".htaccess").unlink(missing_ok=True)
        uploads = self.www / "wp-content/uploads"
        shutil.rmtree(uploads, ignore_errors=True)
        uploads.mkdir()
        sites.give_to_httpd(uploads)

    def rows(self):
        """The whole database, without what is new each time."""
        text = run(tool("mariadb-dump"), "--no-defaults", "--socket=%s" % self.database_socket,
                   "--skip-extended-insert", "--compact", "wordpress")
        # the list of what is to be done when has its times as keys
        return [line for line in masked(text.encode()).splitlines() if b"'cron'" not in line]

    def files(self):
        found = sites.tree(self.www / "wp-content/uploads")
        found[".htaccess"] = (self.www / ".htaccess").read_bytes()
        return found

    def stop(self):
        for process in reversed(self.processes):
            process.terminate()
            process.wait(30)


@pytest.fixture(scope="module")
def wordpress():
    site = WordPress()
    try:
        site.make()
        yield site
    finally:
        site.stop()


@pytest.fixture
def server(servers, wordpress):
    config = CONFIG.replace("WWW", str(wordpress.www)).replace("SOCKET", str(wordpress.php_socket))
    return servers.get("wordpress", "event", sites.both_vhosts(config), modules=["proxy_fcgi"])


class Visitor(sites.Visitor):
    def get(self, path, status=200):
        response = self("GET", path)
        assert response.status == status, (path, response.status, response.text[-2000:])
        return response

    def post(self, path, form, status=302):
        body = urllib.parse.urlencode(form).encode()
        response = self("POST", path, [("content-type", "application/x-www-form-urlencoded")], body)
        assert response.status == status, (path, response.status, response.text[-2000:])
        return response

    def rest(self, path, value, nonce, status):
        response = self("POST", "/wp-json/wp/v2/" + path, [
            ("content-type", "application/json"), ("x-wp-nonce", nonce)],
            json.dumps(value).encode())
        assert response.status == status, response.text[:2000]
        return json.loads(response.text)


def field(response, name):
    """The value of an input field of a form."""
    match = re.search(r'name="%s"[^>]*? value="([^"]*)"' % re.escape(name), response.text)
    assert match, response.text
    return match.group(1)


def multipart(fields, name, filename, content):
    out = b""
    for key, value in fields.items():
        out += b'--limit\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (
            key.encode(), value.encode())
    out += b'--limit\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\n' \
        b"Content-Type: image/png\r\n\r\n%s\r\n--limit--\r\n" % (
            name.encode(), filename.encode(), content)
    return [("content-type", "multipart/form-data; boundary=limit")], out


def tell_story(ask):
    """From the installer to a site with a post, a picture and comments. All that was answered."""
    admin = Visitor(ask)
    admin.get("/wp-admin/install.php")
    admin.post("/wp-admin/install.php?step=2", {
        "weblog_title": "Ein Blog", "user_name": "admin", "admin_password": "secret", "pw_weak": "on",
        "admin_password2": "secret", "admin_email": "a@a.test", "Submit": "Install WordPress",
        "language": ""}, 200)
    admin.get("/wp-login.php")
    admin.post("/wp-login.php", {"log": "admin", "pwd": "wrong", "wp-submit": "Log In"}, 200)
    admin.post("/wp-login.php", {"log": "admin", "pwd": "secret", "wp-submit": "Log In",
                                 "redirect_to": "/wp-admin/", "testcookie": "1"})
    admin.get("/wp-admin/")
    page = admin.get("/wp-admin/options-permalink.php")
    admin.post("/wp-admin/options-permalink.php", {
        "_wpnonce": field(page, "_wpnonce"), "selection": "/%postname%/", "submit": "Save",
        "permalink_structure": "/%postname%/", "_wp_http_referer": "/wp-admin/"})
    admin.get("/wp-admin/options-permalink.php?settings-updated=true")      # writes .htaccess
    page = admin.get("/wp-admin/media-new.php")
    headers, body = multipart({"name": "picture.png", "action": "upload-attachment",
                               "_wpnonce": field(page, "_wpnonce")}, "async-upload", "picture.png",
                              picture())
    answer = admin("POST", "/wp-admin/async-upload.php", headers, body)
    assert answer.status == 200, answer.text
    media = json.loads(answer.text)["data"]
    nonce = admin.get("/wp-admin/admin-ajax.php?action=rest-nonce").text
    post = admin.rest("posts", {"title": "Ein Bericht", "status": "publish", "content":
                                '<p>Text</p><img src="%s">' % urllib.parse.urlsplit(media["url"]).path,
                                "featured_media": media["id"]}, nonce, 201)
    many = "".join('<img src="/wp-content/uploads/assets/%d.png">' % n for n in range(ASSETS))
    admin.rest("pages", {"title": "Many", "status": "publish", "content": many}, nonce, 201)
    guest = Visitor(ask)
    guest.said = admin.said
    guest.get("/ein-bericht/")
    guest.post("/wp-comments-post.php", {"comment": "Good \u2013 it is!", "author": "Guest",
                                         "email": "g@a.test", "comment_post_ID": str(post["id"]),
                                         "comment_parent": "0", "submit": "Post Comment"})
    guest.post("/wp-comments-post.php", {"comment": ""}, 200)
    held = admin("GET", "/wp-json/wp/v2/comments?status=hold", [("x-wp-nonce", nonce)])
    comment, = json.loads(held.text)
    admin.rest("comments/%d" % comment["id"], {"status": "approved"}, nonce, 200)
    admin.get("/wp-admin/edit-comments.php")
    admin.get("/wp-admin/post-new.php")
    assert "it is!" in Visitor(ask).get("/ein-bericht/").text
    admin.get("/wp-login.php?action=logout&_wpnonce=" + re.search(
        r"action=logout&#0?38;_wpnonce=(\w+)|action=logout&amp;_wpnonce=(\w+)",
        admin.get("/wp-admin/profile.php").text).group(1), 302)
    return admin.said


def add_assets(wordpress):
    folder = wordpress.www / "wp-content/uploads/assets"
    folder.mkdir(exist_ok=True)
    for number in range(ASSETS):
        (folder / ("%d.png" % number)).write_bytes(picture(10 + number, 10))


@pytest.fixture
def installed(server, wordpress):
    """A site with its story told."""
    if "Ein Bericht" not in _titles(wordpress):
        wordpress.reset()
        tell_story(sites.asker(server, "tls", "h2"))
    add_assets(wordpress)
    return wordpress


def _titles(wordpress):
    with contextlib.suppress(AssertionError):
        return wordpress.sql("select post_title from wp_posts")
    return ""


def test_the_site_is_made_the_same_by_both_protocols(server, wordpress, transport):
    """The installer, a login, a post with a picture, comments: each answer, the database and the
    files."""
    said, rows, files, log = {}, {}, {}, sites.Protocols(server)
    for protocol in ("h1", "h2"):
        wordpress.reset()
        said[protocol] = tell_story(sites.asker(server, transport, protocol))
        rows[protocol], files[protocol] = wordpress.rows(), wordpress.files()
    assert len(said["h1"]) == len(said["h2"]) > 20
    for (what, one), (_, two) in zip(said["h1"], said["h2"]):
        sites.assert_same(one, two, what, mask=masked)
    assert rows["h1"] == rows["h2"] and len(rows["h1"]) > 200
    assert files["h1"] == files["h2"]
    assert sum(name.endswith(".png") for name in files["h2"]) >= 4
    assert log.seen() == {"HTTP/1.1", "HTTP/2.0"}


PAGES = ["/", "/ein-bericht/", "/many/", "/feed/", "/comments/feed/", "/wp-json/",
         "/wp-json/wp/v2/posts", "/wp-json/wp/v2/media", "/?s=bericht", "/wp-sitemap.xml",
         "/robots.txt", "/nothing-here", "/wp-login.php", "/wp-admin/", "/?feed=atom",
         "/category/uncategorized/", "/wp-json/nothing", "/?p=1", "/xmlrpc.php"]
STATIC = ["/wp-includes/js/jquery/jquery.min.js", "/wp-includes/css/dist/block-library/style.min.css",
          "/wp-includes/images/blank.gif", "/wp-admin/css/login.min.css",
          "/wp-content/uploads/assets/7.png"]


def test_pages_are_the_same_byte_for_byte(server, installed, transport):
    answers = sites.compare(server, transport, [("GET", page) for page in PAGES])
    assert [answer.status for answer in answers[:12]] == [200] * 11 + [404]
    sites.compare(server, transport, [("HEAD", page) for page in PAGES[:6]])
    sites.compare(server, transport, [("GET", page, [("accept-encoding", "gzip")])
                                      for page in PAGES[:6]])
    rpc = b"<?xml version='1.0'?><methodCall><methodName>system.listMethods</methodName>" \
        b"<params/></methodCall>"
    answer, = sites.compare(server, transport, [("POST", "/xmlrpc.php", [
        ("content-type", "text/xml")], rpc)])
    assert b"wp.getPosts" in answer.body


def test_static_files_are_the_same_byte_for_byte(server, installed, transport):
    first, *_ = sites.compare(server, transport, [("GET", path) for path in STATIC], static=True)
    known = [("if-none-match", dict(first.fields)["etag"])]
    answers = sites.compare(server, transport, [
        ("GET", STATIC[0], known), ("HEAD", STATIC[0]), ("GET", STATIC[0], [("range", "bytes=5-99")]),
        ("GET", STATIC[0], [("range", "bytes=0-9,50-59"), ("accept-encoding", "identity")]),
        ("GET", STATIC[0], [("range", "bytes=99999999-")])], static=True,
        mask=lambda content: re.sub(rb"\b[0-9a-f]{16,}\b", b"(boundary)", content))
    assert [answer.status for answer in answers] == [304, 200, 206, 206, 416]


def test_a_picture_and_its_sizes_come_as_they_are_on_the_disk(server, installed, transport):
    ask = sites.asker(server, transport, "h2")
    files = {name: content for name, content in installed.files().items()
             if name.endswith(".png") and "assets" not in name}
    assert len(files) >= 4
    for name, content in files.items():
        assert ask("GET", "/wp-content/uploads/" + name).body == content


def test_many_assets_at_the_same_time_on_one_connection(server, installed, transport):
    from connections import open_client
    client = open_client(server, transport, window=1 << 24)
    client.wait_settings()
    streams = [client.request("GET", "/wp-content/uploads/assets/%d.png" % number)
               for number in range(100)]
    client.wait(*streams)
    streams += [client.request("GET", "/wp-content/uploads/assets/%d.png" % number)
                for number in range(100, ASSETS)]
    client.wait(*streams)
    for number, stream in enumerate(streams):
        assert stream.status == 200 and stream.complete
        assert stream.body == (installed.www / ("wp-content/uploads/assets/%d.png" % number)
                               ).read_bytes()


@pytest.mark.parametrize("page", ["/", "/ein-bericht/", "/many/", "/wp-login.php"])
def test_chromium_shows_the_same_by_both_protocols(server, installed, page):
    pages = {name: browser.load(server.url(page, "tls"), options=options)
             for name, options in (("h2", []), ("http/1.1", ["--disable-http2"]))}
    for name, loaded in pages.items():
        assert loaded.failures == [] and loaded.protocols() == {name}
    one, two = ({url: (status, body) for url, (status, _, body) in loaded.responses.items()}
                for loaded in pages.values())
    assert one == two and len(one) >= (ASSETS if page == "/many/" else 3)
    assert all(status == 200 for status, _ in one.values())
    assert pages["h2"].dom == pages["http/1.1"].dom

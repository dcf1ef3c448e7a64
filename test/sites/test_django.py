# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""A Django site under gunicorn behind mod_proxy: forms, sessions, admin, uploads, streams."""

import hashlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

import appservers
import browser
import sites
from connections import open_client
from demosite import pattern
from programs import run, tool

HERE = Path(__file__).resolve().parent
STATIC = "/usr/lib/python3/dist-packages/django/contrib/admin/static/"

CONFIG = """
    Alias /static/ "%s"
    Alias /browser/ "FOLDER/pages/"
    <Directory "%s">
        Require all granted
    </Directory>
    AddType text/css .css
    AddType text/javascript .js
    AddType image/svg+xml .svg
    ProxyPreserveHost On
    RequestHeader set X-Forwarded-Proto "expr=%%{REQUEST_SCHEME}"
    RequestHeader unset X-Forwarded-For
    ProxyPass /static/ !
    ProxyPass /browser/ !
    # gunicorn 20 answers HEAD with a body, which would spoil the next response on its connection.
    ProxyPass /stream http://127.0.0.1:PORT/stream disablereuse=on
    ProxyPass / http://127.0.0.1:PORT/
    <LocationMatch "^/digest">
        SetEnvIf X-With-Length yes proxy-sendcl
    </LocationMatch>
""" % (STATIC, STATIC.rstrip("/"))

NEW_EACH_TIME = [(re.compile(pattern_), b"(" + name + b")") for pattern_, name in (
    (rb"csrftoken=\w{64}", b"csrftoken"), (rb'"csrfmiddlewaretoken" value="\w{64}"', b"csrf"),
    (rb"sessionid=\w{32}", b"session"), (rb"messages=[^;]{20,}", b"messages"),
    (rb'"token": "\w{64}"', b"token"),
    (rb"\w{3}, \d\d[ -]\w{3}[ -]\d{4} \d\d:\d\d:\d\d GMT", b"time"),
    (rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?", b"time"),
    (rb"p_\w{7}\.bin", b"the second file of a name"))]

SCRIPT = """<!doctype html><title>loading</title><pre id=out></pre><script>
(async () => {
    const said = [];
    const {token} = await (await fetch('/token')).json();
    for (let i = 0; i < 20; i++) {
        const form = new FormData();
        form.append('name', 'from a browser ' + i);
        form.append('price', i);
        form.append('picture', new Blob([new Uint8Array(100000 * (i % 4) + 1).fill(i)]), 'p.bin');
        const answer = await fetch('/', {method: 'POST', body: form,
                                         headers: {'X-CSRFToken': token}});
        said.push(answer.status + ' ' + answer.redirected + ' ' + await answer.text());
    }
    const streamed = await (await fetch('/stream')).arrayBuffer();
    said.push(streamed.byteLength);
    const many = await Promise.all([...Array(100).keys()].map(
        i => fetch('/fields?' + i).then(answer => answer.status)));
    said.push(many.join());
    const wrong = await fetch('/', {method: 'POST', body: 'name=a'});
    said.push(wrong.status);
    document.getElementById('out').textContent = said.join('\\n');
    document.title = 'done';
})().catch(error => { document.getElementById('out').textContent = 'failed: ' + error;
                      document.title = 'done'; });
</script>"""


def masked(content):
    for pattern_, name in NEW_EACH_TIME:
        content = pattern_.sub(name, content)
    return content


class Shop:
    def __init__(self):
        self.folder = sites.folder("django")
        self.uploads = self.folder / "uploads"
        self.database = self.folder / "shop.sqlite"
        (self.folder / "pages").mkdir()
        (self.folder / "pages/index.html").write_text(SCRIPT)
        os.environ["SHOP_FOLDER"] = str(self.folder)        # gunicorn and Django's own command
        self._manage("migrate", "--run-syncdb", "-v", "0")
        self._manage("createsuperuser", "--noinput", "--username", "admin", "--email", "a@a.test",
                     DJANGO_SUPERUSER_PASSWORD="secret")
        shutil.copy(self.database, self.folder / "new.sqlite")
        self.reset()
        self.server = appservers.gunicorn(self.folder, "django.core.wsgi:get_wsgi_application()", [
            "--pythonpath", str(HERE), "--env", "DJANGO_SETTINGS_MODULE=shop.settings"])

    def _manage(self, *arguments, **environ):
        run("/usr/bin/python3", "-m", "django", *arguments, cwd=str(HERE), env={
            **os.environ, "DJANGO_SETTINGS_MODULE": "shop.settings", "PYTHONPATH": str(HERE),
            "PYTHONDONTWRITEBYTECODE": "1", **environ})

    def reset(self):
        shutil.copy(self.folder / "new.sqlite", self.database)
        shutil.rmtree(self.uploads, ignore_errors=True)
        self.uploads.mkdir()

    def rows(self):
        """All but the sessions, which are random, without the times."""
        with sqlite3.connect(self.database) as database:
            return [masked(line.encode()) for line in database.iterdump()
                    if 'INTO "django_session"' not in line]

    def files(self):
        return sites.tree(self.uploads)


@pytest.fixture(scope="module")
def shop():
    if subprocess.run(["/usr/bin/python3", "-c", "import django"], capture_output=True).returncode:
        tool("django")
    shop = Shop()
    yield shop
    shop.server.close()


@pytest.fixture
def server(servers, shop):
    shop.reset()
    config = CONFIG.replace("PORT", str(shop.server.ports["http"])).replace(
        "FOLDER", str(shop.folder))
    return servers.get("django", "event", sites.both_vhosts(config))


def multipart(fields, content=None):
    body = b"".join(b'--limit\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (
        name.encode(), str(value).encode()) for name, value in fields.items())
    if content is not None:
        body += b'--limit\r\nContent-Disposition: form-data; name="picture"; filename="p.bin"\r\n' \
            b"Content-Type: application/octet-stream\r\n\r\n%s\r\n" % content
    return [("content-type", "multipart/form-data; boundary=limit")], body + b"--limit--\r\n"


class User(sites.Visitor):
    def __call__(self, method, path, headers=(), body=b"", status=200):
        fields = [*headers, ("referer", self.ask.origin + path)]
        response = super().__call__(method, path, fields, body)
        assert response.status == status, (method, path, response.status, response.text[:2000])
        return response

    def post(self, path, fields, content=None, status=302):
        """The form of the page at `path`."""
        page = self("GET", path)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text).group(1)
        return self("POST", path, *multipart({"csrfmiddlewaretoken": token, **fields}, content),
                    status=status)


def tell_story(ask):
    user = User(ask)
    user("GET", "/")
    user("POST", "/", *multipart({"name": "no token", "price": 1}), status=403)
    user.post("/", {"name": "no number", "price": "x"}, status=400)
    for number in range(3):
        answer = user.post("/", {"name": "Artikel \u00e4 %d" % number, "price": number},
                           pattern(700000 * number, number) if number else None)
        user("GET", answer.headers["location"])
    assert user("GET", "/picture/2").body == pattern(700000, 1)
    tag = user("GET", "/article/1").headers["etag"]
    user("GET", "/article/1", [("if-none-match", tag)], status=304)
    user("PUT", "/article/1", [("if-match", '"another"')], b"7", status=412)
    user("PUT", "/article/1", [("if-match", tag)], b"7")
    assert "visits: 7" in user("GET", "/").text
    user("GET", "/admin/", status=302)
    user.post("/admin/login/", {"username": "admin", "password": "wrong"}, status=200)
    user.post("/admin/login/", {"username": "admin", "password": "secret", "next": "/admin/"})
    user("GET", "/admin/")
    user.post("/admin/shop/article/add/", {"name": "By admin", "price": 9}, pattern(10))
    user.post("/admin/shop/article/1/change/", {"name": "Changed", "price": 10})
    user("GET", "/admin/shop/article/")
    user.post("/admin/shop/article/2/delete/", {"post": "yes"})
    user("GET", "/admin/logout/")
    return user.said


def test_the_site_is_filled_the_same_by_both_protocols(server, shop, transport):
    said, rows, files = {}, {}, {}
    for protocol in ("h1", "h2"):
        shop.reset()
        said[protocol] = tell_story(sites.asker(server, transport, protocol))
        rows[protocol], files[protocol] = shop.rows(), shop.files()
    assert len(said["h1"]) == len(said["h2"]) > 30
    for (what, one), (_, two) in zip(said["h1"], said["h2"]):
        sites.assert_same(one, two, what, mask=masked)
    assert rows["h1"] == rows["h2"]
    assert sorted(files["h1"].values()) == sorted(files["h2"].values())
    assert sorted(map(len, files["h2"].values())) == [10, 700000, 1400000]


def test_responses_are_the_same_byte_for_byte(server, transport):
    many = [("x-long", "a" * 6000), ("cookie", "a=1; b=2"), ("accept-language", "de, en;q=0.5"),
            ("x-twice", "one"), ("x-twice", "two")]
    answers = sites.compare(server, transport, [
        ("GET", "/stream"), ("HEAD", "/stream"), ("GET", "/packed"),
        ("GET", "/packed", [("accept-encoding", "gzip")]), ("GET", "/cookies", many),
        ("GET", "/fields?a=%20b&c=/../", many), ("GET", "/failure"), ("GET", "/nothing"),
        ("GET", "/picture/99"), ("GET", "/status/204"), ("GET", "/status/205"),
        ("GET", "/status/418"), ("GET", "/status/599"), ("OPTIONS", "/digest"), ("GET", "/digest"),
        ("DELETE", "/digest"), ("POST", "/digest", [], pattern(2000000)),
        ("POST", "/digest", [("expect", "100-continue")], pattern(30000)),
        ("GET", "/static/admin/css/base.css"), ("GET", "/admin")],
        mask=masked)
    assert [answer.status for answer in answers] == [
        200, 200, 200, 200, 200, 200, 500, 404, 404, 204, 205, 418, 599, 405, 405, 405, 200, 200, 200,
        301]
    assert len(answers[0].body) > 1000000 and len(answers[3].body) < 1000
    assert json.loads(answers[16].text)["length"] == 2000000


def without_length(server, transport, protocol, headers):
    """A request body whose length is not stated: in chunks, or HTTP/2's frames."""
    content = pattern(500000)
    if protocol == "h2":
        client = open_client(server, transport, window=1 << 20)
        return client.fetch("POST", "/digest", headers, body=content)
    fields = [("-H", "%s: %s" % field) for field in headers]
    return run(tool("curl"), "-sS", "-k", "--http1.1", *[word for pair in fields for word in pair],
               "-H", "Transfer-Encoding: chunked", "--data-binary", "@-",
               server.url("/digest", transport), input=content.decode("latin-1"),
               encoding="latin-1")


def test_a_body_without_a_length_is_treated_alike(server, transport):
    """Django reads none; with httpd's proxy-sendcl, mod_proxy states the length."""
    for headers, length in (([], 0), ([("x-with-length", "yes")], 500000)):
        one = without_length(server, transport, "h1", headers)
        two = without_length(server, transport, "h2", headers)
        assert json.loads(one) == json.loads(two.text)
        assert json.loads(one)["length"] == length


def test_a_hundred_forms_at_the_same_time(server, shop, transport):
    client = open_client(server, transport, window=1 << 20, timeout=30)
    page = client.get("/")
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text).group(1)
    cookies = "; ".join(value.partition(";")[0] for name, value in page.fields
                        if name == "set-cookie")
    origin = "%s://a.test" % ("https" if transport == "tls" else "http")
    streams = []
    for number in range(100):
        headers, body = multipart({"csrfmiddlewaretoken": token, "name": "number %d" % number,
                                   "price": number}, pattern(20000, number))
        streams.append(client.request("POST", "/", [
            *headers, ("cookie", cookies), ("referer", origin + "/"),
            ("content-length", str(len(body)))], body))
    client.wait(*streams, timeout=60)
    assert [stream.status for stream in streams] == [302] * 100
    with sqlite3.connect(shop.database) as database:
        assert sorted(database.execute("select price from shop_article")) == [
            (number,) for number in range(100)]
    assert sorted(shop.files().values()) == sorted(pattern(20000, n) for n in range(100))


def test_chromium_fills_the_site_the_same_by_both_protocols(server, shop):
    seen = {}
    for name, options in (("h2", []), ("http/1.1", ["--disable-http2"])):
        shop.reset()
        loaded = browser.load(server.url("/browser/index.html", "tls"), options=options,
                              until="document.title == 'done' && document.body.innerText",
                              bodies=False)
        assert loaded.failures == [] and loaded.protocols() == {name}
        text = masked(loaded.value.encode()).decode()
        assert "failed" not in text and text.count("200 true") == 20, text[-3000:]
        seen[name] = (text, sorted(hashlib.sha256(content).hexdigest()
                                   for content in shop.files().values()),
                      shop.rows())
    assert seen["h2"] == seen["http/1.1"]


def test_chromium_shows_the_admin_pages_the_same(server):
    one, two = (browser.load(server.url("/admin/login/?next=/admin/", "tls"), options=options)
                for options in ([], ["--disable-http2"]))
    assert one.failures == two.failures == []
    assert one.protocols() == {"h2"} and two.protocols() == {"http/1.1"}
    contents = [{url: (status, masked(body)) for url, (status, _, body) in page.responses.items()}
                for page in (one, two)]
    assert contents[0] == contents[1] and len(contents[0]) >= 4

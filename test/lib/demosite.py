# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""The files that the tests' servers serve, their certificate and the back end behind them."""

import os
import shutil
import stat
import subprocess
from pathlib import Path

GIB = 1 << 30
FILE_SIZES = (0, 1, 1000, 16383, 16384, 16385, 65535, 65536, 65537, 1 << 20)
# Marks in the sparse file of 1 GiB: offset and text.
BIG_MARKS = ((0, b"first"), (16384 * 3 - 2, b"edge"), (GIB // 2, b"middle"), (GIB - 4, b"last"))
HOSTS = ("a.test", "h1.test", "h2only.test", "first-h1.test", "client-order.test", "old-tls.test",
         "md.test", "localhost")

_CYCLE = bytes(range(251))


def pattern(size, offset=0):
    """Bytes whose value is `offset % 251`, as mod_h2test writes them."""
    start = offset % 251
    return (_CYCLE * ((start + size) // 251 + 1))[start:start + size]


def make_certificate(folder):
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
         "-subj", "/CN=a.test", "-keyout", str(folder / "key.pem"),
         "-out", str(folder / "cert.pem"), "-addext", "basicConstraints=CA:FALSE", "-addext",
         "subjectAltName=IP:127.0.0.1," + ",".join("DNS:" + host for host in HOSTS)],
        check=True, capture_output=True)
    return folder


def make_site(root):
    """Everything below DocumentRoot, and the CGI scripts beside it."""
    docroot = root / "docroot"
    shutil.rmtree(root, ignore_errors=True)
    files = docroot / "files"
    files.mkdir(parents=True)
    for folder in (root, docroot, files):
        folder.chmod(0o755)
    for size in FILE_SIZES:
        (files / ("%d.bin" % size)).write_bytes(pattern(size))
    with open(files / "big.bin", "wb") as file:
        for offset, mark in BIG_MARKS:
            file.seek(offset)
            file.write(mark)
    for path, text in TEXTS.items():
        _write(docroot / path, text)
    for name, text in SCRIPTS.items():
        _write(root / "cgi" / name, text).chmod(0o755)
    for number in range(200):
        _write(docroot / "page" / ("asset%d.js" % number), "window.loaded = (window.loaded||0)+1;\n")
    # SHA-1 of "secret", so that no tool is needed to make it
    _write(docroot / "auth.passwd", "user:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n")
    for folder, names, _ in os.walk(root):
        for name in names:
            path = Path(folder) / name
            path.chmod(path.stat().st_mode | stat.S_IRWXU | 0o055)
    return docroot


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


TEXTS = {
    "index.html": "<html><body>welcome</body></html>\n",
    "text.txt": "The quick brown fox jumps over the lazy dog.\n" * 200,
    "listing/one.txt": "one\n",
    "listing/two.txt": "two\n",
    "negotiated/page.html.en": "<p>English</p>\n",
    "negotiated/page.html.de": "<p>Deutsch</p>\n",
    "ssi/page.shtml": "start\n<!--#include virtual=\"part.txt\" -->"
                      "<!--#include virtual=\"/cgi/hello\" -->"
                      "<!--#echo var=\"SERVER_PROTOCOL\" -->\nend\n",
    "ssi/part.txt": "included\n",
    "htaccess/.htaccess": "Header set X-From-Htaccess yes\nRewriteEngine on\n"
                          "RewriteRule ^internal$ target.txt [L]\n"
                          "RewriteRule ^external$ /htaccess/target.txt [R=302,L]\n"
                          "RewriteRule ^forbidden$ - [F]\n"
                          "RewriteCond %{HTTPS} on\nRewriteRule ^which$ https.txt [L]\n"
                          "RewriteRule ^which$ http.txt [L]\n",
    "htaccess/target.txt": "target\n",
    "htaccess/https.txt": "over https\n",
    "htaccess/http.txt": "over http\n",
    "auth/secret.txt": "the secret\n",
    "errors/404.html": "<p>local error page</p>\n",
    "errors/with-document/exists.txt": "exists\n",
    "errors/with-text/exists.txt": "exists\n",
    "errors/with-cgi/exists.txt": "exists\n",
    "headers/page.txt": "headers\n",
    "page/signals.html": "<!doctype html><link rel=stylesheet href=style.css>"
                         "<img src=image.png><script async src=asset1.js></script>\n",
    "page/index.html": "<html><head></head><body><script>\n"
                       "window.loaded = 0;\n"
                       "for (let i = 0; i < 200; i++) {\n"
                       "  const s = document.createElement('script');\n"
                       "  s.src = 'asset' + i + '.js'; document.head.appendChild(s);\n"
                       "}\n"
                       "window.addEventListener('load', () => {\n"
                       "  const seen = {};\n"
                       "  for (const e of performance.getEntriesByType('resource'))\n"
                       "    if (/asset/.test(e.name))\n"
                       "      seen[e.nextHopProtocol] = (seen[e.nextHopProtocol] || 0) + 1;\n"
                       "  document.body.textContent = 'loaded=' + window.loaded + ' protocols='"
                       " + JSON.stringify(seen);\n"
                       "});\n</script></body></html>\n",
}

SCRIPTS = {
    "hello": "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\nhello from CGI\\n'\n",
    "env": "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nenv\n",
    "status": "#!/bin/sh\nprintf 'Status: 418 Teapot\\r\\nX-Kind: pot\\r\\n"
              "Content-Type: text/plain\\r\\n\\r\\nshort and stout\\n'\n",
    "redirect": "#!/bin/sh\nprintf 'Location: /text.txt\\r\\n\\r\\n'\n",
    "cat": "#!/bin/sh\nprintf 'Content-Type: application/octet-stream\\r\\n"
           "X-Length: %s\\r\\n\\r\\n' \"$CONTENT_LENGTH\"\nexec cat\n",
    "digest": "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\nX-Length: %s\\r\\n\\r\\n' "
              "\"$CONTENT_LENGTH\"\nexec sha256sum\n",
    "noread": "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\nenough\\n'\n",
    "nothing": "#!/bin/sh\nexit 1\n",
    "short": "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\nContent-Length: 100\\r\\n\\r\\n'\n"
             "printf 'only this'\n",
    # QUERY_STRING: PATH; the second half waits for the file PATH.gate
    "halves": "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\nContent-Length: 12\\r\\n\\r\\n'\n"
              "printf 'first '; tries=0\n"
              "while [ ! -e \"$QUERY_STRING.gate\" ] && [ $tries -lt 1000 ]; do\n"
              "  sleep 0.02; tries=$((tries + 1))\n"
              "done\n"
              "printf 'second'\n",
    "large": "#!/bin/sh\nprintf 'Content-Type: application/octet-stream\\r\\n\\r\\n'\n"
             "exec head -c \"${QUERY_STRING:-1000000}\" /dev/zero\n",
    # QUERY_STRING: N/PATH: N events, after event i it waits for the file PATH-i.gate
    "events": "#!/bin/sh\nprintf 'Content-Type: text/event-stream\\r\\n\\r\\n'\n"
              "n=${QUERY_STRING%%/*}; gate=/${QUERY_STRING#*/}; i=0; tries=0\n"
              "while [ $i -lt $n ]; do\n"
              "  printf 'data: %d\\n\\n' $i\n"
              "  while [ ! -e \"$gate-$i.gate\" ] && [ $tries -lt 1000 ]; do\n"
              "    sleep 0.02; tries=$((tries + 1))\n"
              "  done\n"
              "  i=$((i + 1))\n"
              "done\n",
}

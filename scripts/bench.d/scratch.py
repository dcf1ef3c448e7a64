"""The scratch folder: files to serve, CGI programs, certificate, free ports."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile

from cases import MIB

_HELLO = """#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\nhello\\n'
"""
_SINK = """#!/bin/sh
cat >/dev/null
printf 'Content-Type: text/plain\\r\\n\\r\\ntaken\\n'
"""
# 201 tells the slow answers from the quick ones in h2load's log.
_SLOW = """
function handle(r)
    r.usleep(50000)
    r.status = 201
    r.content_type = "text/plain"
    r:puts("slow\\n")
    return apache2.OK
end
"""
_SSE = """
function handle(r)
    r.content_type = "text/event-stream"
    for i = 1, 60 do
        r:puts("data: tick\\n\\n")
        if r:flush() == false then break end
        r.usleep(1000000)
    end
    return apache2.OK
end
"""
# What many applications ship: pretty addresses through one front controller, and some headers.
_HTACCESS = """
RewriteEngine On
RewriteBase /
RewriteCond %{HTTP_HOST} ^www\\.(.+)$ [NC]
RewriteRule ^ http://%1%{REQUEST_URI} [R=301,L]
RewriteRule (^|/)\\.(?!well-known) - [F]
RewriteRule ^index\\.html$ - [L]
RewriteCond %{REQUEST_FILENAME} !-f
RewriteCond %{REQUEST_FILENAME} !-d
RewriteRule . /index.html [L]
<IfModule mod_headers.c>
Header set X-Content-Type-Options nosniff
Header set Referrer-Policy no-referrer
</IfModule>
"""


class Site:
    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="mod_h2-bench-")
        # The server's user, another than root, has to reach the files.
        os.chmod(self.dir, 0o755)
        self.docroot = self.path("htdocs")
        self.user = self._server_user()
        self.certificate = self.path("cert.pem")
        self.key = self.path("key.pem")
        self._write_files()
        self._make_certificate()

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)

    def upload_file(self, size):
        """A file of zeros (a hole: no disk, no page cache to speak of)."""
        name = self.path(f"upload-{size}")
        if not os.path.exists(name):
            with open(name, "wb") as f:
                f.truncate(size)
        return name

    @staticmethod
    def _server_user():
        """None: the servers run as whoever called; root must name somebody else."""
        if os.geteuid() != 0:
            return None
        for name in ("www-data", "apache", "nobody"):
            try:
                return pwd.getpwnam(name)
            except KeyError:
                pass
        raise SystemExit("bench: no user www-data, apache or nobody to run the servers as")

    def _write(self, name, content, mode=0o644):
        name = self.path(name)
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name, "wb") as f:
            f.write(content.encode() if isinstance(content, str) else content)
        os.chmod(name, mode)

    def _write_files(self):
        os.umask(0o022)
        line = "0123456789abcdef" * 4
        page = ("<!doctype html><title>bench</title>\n" + f"<p>{line}\n" * 20)[:1024]
        block = os.urandom(MIB)
        self._write("htdocs/1k.txt", (line[:63] + "\n") * 16)
        self._write("htdocs/index.html", page)
        self._write("htdocs/10m.bin", block * 10)
        self._write("usual/1k.txt", (line[:63] + "\n") * 16)
        self._write("usual/page.html", page)
        self._write("usual/index.html", page)
        self._write("usual/1k.png", block[:1024])
        self._write("usual/.htaccess", _HTACCESS)
        self._write("cgi/hello", _HELLO, 0o755)
        self._write("cgi/sink", _SINK, 0o755)
        self._write("lua/slow.lua", _SLOW)
        self._write("lua/sse.lua", _SSE)
        self._write("mime.types", "text/html html\ntext/plain txt\nimage/png png\n"
                    "application/octet-stream bin\n")

    def _make_certificate(self):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
             "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-addext", "basicConstraints=critical,CA:FALSE",
             "-keyout", self.key, "-out", self.certificate],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if self.user:
            os.chown(self.key, self.user.pw_uid, self.user.pw_gid)


def free_ports(count):
    """Ports of the loopback address that nobody uses; all are held until all are known."""
    holders = [socket.socket() for _ in range(count)]
    try:
        for holder in holders:
            holder.bind(("127.0.0.1", 0))
        return [holder.getsockname()[1] for holder in holders]
    finally:
        for holder in holders:
            holder.close()

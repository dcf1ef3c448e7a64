# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""What is laid over the machine's files in a room: Debian's apache2 as it is after installation with
our module in it, certificates of an authority that clients trust, names, and stand-ins for what a
room does not have (README.md)."""

import grp
import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

from room import USER

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
UID = 31000
BUNDLE = "etc/ssl/certs/ca-certificates.crt"

# What the scripts of Debian's package enable.
ENABLED = {
    "mods": "access_compat alias auth_basic authn_core authn_file authz_core authz_host authz_user "
            "autoindex deflate dir env filter mime mpm_event negotiation reqtimeout setenvif status",
    "conf": "charset localized-error-pages other-vhosts-access-log security serve-cgi-bin",
    "sites": "000-default",
}


class NoFurniture(Exception):
    """This machine has not what the pages are written for."""


def prepare(folder, module, pages):
    """Makes the folder. `pages` are the texts in which names of sites occur."""
    if os.geteuid() != 0:
        raise NoFurniture("only root may make rooms")
    if not Path("/usr/sbin/a2enmod").is_file():
        raise NoFurniture("no Debian with the package apache2")
    shutil.rmtree(folder, ignore_errors=True)
    put_apache2(folder)
    put_package(folder, module)
    put_names(folder, pages)
    put_certificates(folder, pages)
    put_standins(folder)


def put_apache2(folder):
    source = untouched_etc(folder)
    etc = folder / "etc/apache2"
    etc.parent.mkdir(parents=True)
    shutil.copytree(source, etc, symlinks=True)
    for kind, names in ENABLED.items():
        enabled = etc / (kind + "-enabled")
        shutil.rmtree(enabled, ignore_errors=True)
        enabled.mkdir()
        for name in names.split():
            for ending in (".load", ".conf"):
                if (etc / (kind + "-available") / (name + ending)).is_file():
                    link = enabled / (name + ending)
                    link.symlink_to("../%s-available/%s%s" % (kind, name, ending))
    html = folder / "var/www/html"
    html.mkdir(parents=True)
    shutil.copy("/usr/share/apache2/default-site/index.html", html)
    logs = folder / "var/log/apache2"
    logs.mkdir(parents=True)
    os.chown(logs, 0, grp.getgrnam("adm").gr_gid)
    logs.chmod(0o750)


def put_package(folder, module):
    """What the room installs, or the page: the Debian package, of the same scripts as that of
    scripts/package, with the module that is tested."""
    tree = folder.with_name(folder.name + "-package")
    shutil.rmtree(tree, ignore_errors=True)
    for name, source in (("usr/lib/apache2/modules/mod_http2.so", module),
                         ("usr/bin/h2top", CHECKOUT / "scripts/h2top")):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tree / name)
    shutil.copytree(tree, folder / "usr/share/room/package")
    scripts = CHECKOUT / "scripts/package.d/debian"
    if not scripts.is_dir():
        return
    (tree / "DEBIAN").mkdir()
    version = re.search(r"AC_INIT\(\[mod_h2\], \[(.*)\]\)", (CHECKOUT / "configure.ac").read_text())[1]
    machine = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True,
                             check=True).stdout.strip()
    (tree / "DEBIAN/control").write_text(
        "Package: libapache2-mod-h2\nVersion: %s-1\nArchitecture: %s\nMaintainer: nobody <n@x.invalid>\n"
        "Depends: apache2-bin\nDescription: HTTP/2 for Apache httpd\n" % (version, machine))
    for name in ("preinst", "postinst", "postrm"):
        script = (scripts / ("libapache2-mod-h2." + name)).read_text()
        script = script.replace("@RESTART@", (scripts / "restart.sh").read_text())
        (tree / "DEBIAN" / name).write_text(script.replace("#DEBHELPER#", ""))
        (tree / "DEBIAN" / name).chmod(0o755)
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", str(tree),
                    str(folder / "usr/share/room")], check=True, capture_output=True)


def untouched_etc(folder):
    """/etc/apache2 as the package has it: the machine's, or from the package."""
    changed = subprocess.run(["dpkg", "-V", "apache2"], capture_output=True, text=True).stdout
    if "/etc/apache2/" not in changed:
        return Path("/etc/apache2")
    unpacked = folder.with_name(folder.name + "-apache2")
    shutil.rmtree(unpacked, ignore_errors=True)
    unpacked.mkdir(parents=True)
    result = subprocess.run(
        "apt-get -q -o APT::Sandbox::User=root download apache2 && dpkg-deb -x apache2_*.deb .",
        shell=True, cwd=unpacked, capture_output=True, text=True)
    if result.returncode:
        raise NoFurniture("/etc/apache2 is changed, and: " + result.stderr.strip())
    return unpacked / "etc/apache2"


def names_of(pages):
    """The sites of the pages, *.example.org and the like."""
    found = re.findall(r"(?<![\w.*-])(?:[a-z0-9-]+\.)*example\.(?:org|net|com)\b", "\n".join(pages))
    return sorted({"www.example.org", "example.org", *found})


def put_names(folder, pages):
    etc = folder / "etc"
    (etc / "hosts").write_text("127.0.0.1 localhost\n::1 localhost ip6-localhost\n"
                               + "".join("127.0.0.1 %s\n" % name for name in names_of(pages))
                               + "127.0.1.1 server.example.org server\n")
    (etc / "hostname").write_text("server\n")
    for name, line in (("passwd", "%s:x:%d:%d::/home/%s:/bin/bash" % (USER, UID, UID, USER)),
                       ("group", "%s:x:%d:" % (USER, UID))):
        (etc / name).write_text(Path("/etc", name).read_text().rstrip("\n") + "\n" + line + "\n")


# ---- certificates -----------------------------------------------------------------------------
def openssl(*words, **options):
    result = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, **options)
    if result.returncode:
        raise RuntimeError("openssl: " + result.stderr)
    return result.stdout


def put_certificates(folder, pages):
    """An authority that is trusted, and for each NAME.pem below /etc/ssl that a page has one of it
    for NAME; that for example.org is for *.example.org, too."""
    certs, keys = folder / "etc/ssl/certs", folder / "etc/ssl/private"
    for path in (certs, keys):
        path.mkdir(parents=True)
    keys.chmod(0o710)
    authority = folder.with_name(folder.name + "-authority")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "30", "-subj", "/CN=Authority of the room", "-keyout", "%s.key" % authority,
            "-out", "%s.pem" % authority)
    trust(folder, Path("%s.pem" % authority))
    named = set(re.findall(r"/etc/ssl/certs/([\w.-]*example\.\w+)\.pem", "\n".join(pages)))
    for name in sorted(named | {"www.example.org", "example.org"}):
        others = ",DNS:*.example.org" if name == "example.org" else ""
        make_certificate(name, "DNS:" + name + others, authority, certs, keys)
    if not Path("/etc/ssl/certs/ssl-cert-snakeoil.pem").is_file():
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=server",
                "-keyout", keys / "ssl-cert-snakeoil.key", "-out", certs / "ssl-cert-snakeoil.pem")
    for key in keys.iterdir():
        key.chmod(0o640)


def trust(folder, certificate):
    """As update-ca-certificates does it."""
    text = certificate.read_text()
    (folder / BUNDLE).write_text(Path("/", BUNDLE).read_text() + text
                                 if Path("/", BUNDLE).is_file() else text)
    hashed = openssl("x509", "-hash", "-noout", "-in", certificate).strip()
    (folder / "etc/ssl/certs" / (hashed + ".0")).write_text(text)


def make_certificate(name, names, authority, certs, keys):
    key, request = keys / (name + ".key"), "%s.csr" % authority
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=" + name, "-addext", "subjectAltName=" + names, "-keyout", key,
            "-out", request)
    openssl("x509", "-req", "-in", request, "-copy_extensions", "copy", "-days", "30", "-CA",
            "%s.pem" % authority, "-CAkey", "%s.key" % authority, "-CAcreateserial",
            "-out", certs / (name + ".pem"))


def put_standins(folder):
    """The programs of standins/, in the places of those that need systemd or the network."""
    for name in ("systemctl", "journalctl", "apt"):
        target = folder / "usr/bin" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "standins" / name, target)
        target.chmod(target.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)

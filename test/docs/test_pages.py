# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""What the pages of the documentation tell to type works, and shows what they say that it shows.

Each page is followed from top to bottom in a room of its own (room.py); README.md in this folder has
the conventions."""

import ast
import json
import re
import textwrap
from pathlib import Path

import pytest

import environment as env
import furniture
import page as pages
from room import USER, NoRoom, Room, TookTooLong

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
PAGES = sorted([*CHECKOUT.glob("docs/**/*.md"), CHECKOUT / "README.md", CHECKOUT / "SECURITY.md"])
NAMES = [str(path.relative_to(CHECKOUT)) for path in PAGES]
MOST_SKIPS = 12
CONFIG = "/run/room/check.conf"

# Modules that exclude one another, or are none for servers.
LEFT_OUT = r"mpm_|cgi\.load|data\.|dumpio|bucketeer|case_filter|echo|file_cache|imagemap|lua|suexec|" \
    r"authnz_ldap|ldap\.|xml2enc|proxy_html|dbd|heart|privileges"


@pytest.fixture(scope="session")
def furnished():
    """What rooms are furnished with, and where they are made."""
    folder = env.scratch_dir() / "docs"
    try:
        furniture.prepare(folder / "prepared", env.module_so(), [p.read_text() for p in PAGES])
    except furniture.NoFurniture as error:
        pytest.skip(str(error))
    return folder / "prepared", folder / "room"


@pytest.fixture
def room(furnished):
    try:
        opened = Room(*furnished)
    except NoRoom as error:
        pytest.skip("this machine makes no rooms: %s" % error)
    with opened:
        yield opened


class Follower:
    """Does what a page says, in a room."""

    def __init__(self, room, name):
        self.room = room
        self.name = name

    def follow(self, blocks):
        if any(block.language == "console" for block in blocks):
            self.room.run("systemctl start apache2")
        for block in blocks:
            if "skip" not in block.instructions:
                self.take(block)

    def take(self, block):
        if block.file:
            self.room.write(block.file, block.text,
                            "root" if block.file.startswith("/") else USER)
        elif block.language == "console":
            self.type(block)
        elif block.language == "apache":
            self.check_fragment(block)
        elif block.language == "python":
            ast.parse(textwrap.dedent(block.text))
        elif block.language == "json":
            json.loads(block.text)

    def type(self, block):
        limit = int(block.instructions.get("timeout", 20))
        for command in block.commands():
            user = "root" if command.user == "root" else USER
            if "background" in block.instructions:
                self.leave_running(command, user, limit)
                continue
            try:
                status, output = self.room.run(command.text, user, limit)
            except TookTooLong as error:
                self.fail(command.line, "not ended after %d s: %s\n%s"
                          % (limit, command.text, error))
            self.judge(command, status, output, "fails" in block.instructions)

    def judge(self, command, status, output, may_fail):
        """The output decides where the page has it, else the status."""
        if command.expected and not pages.matches(command.expected, output):
            self.fail(command.line, "%s\n---- the page shows:\n%s\n---- it printed (status %d):\n%s" % (
                command.text, "\n".join(command.expected), status, output))
        if bool(status) != may_fail and not command.expected:
            self.fail(command.line, "%s\n---- status %d, and it printed:\n%s"
                      % (command.text, status, output))

    def leave_running(self, command, user, limit):
        """Waits until it has printed what the page shows, or else until it listens somewhere new."""
        before = self.listeners()
        path = self.room.start(command.text, user)
        shown = pages.matches if command.expected else lambda *_: self.listeners() != before
        env.wait_until(lambda: shown(command.expected, self.room.read(path)),
                       "%s:%d: %s" % (self.name, command.line, command.text), timeout=limit)

    def listeners(self):
        return self.room.run("ss -Hlnxt | awk '{print $1, $5}' | sort")[1]

    def check_fragment(self, block):
        """In a vhost, or else in the server or a directory, whatever takes it."""
        in_vhost = ("<VirtualHost *:443>\nServerName www.example.org\nSSLEngine on\n"
                    "SSLCertificateFile /etc/ssl/certs/www.example.org.pem\n"
                    "SSLCertificateKeyFile /etc/ssl/private/www.example.org.key\n%s</VirtualHost>\n")
        errors = []
        for place in (in_vhost, "%s", "<Directory />\n%s</Directory>\n"):
            self.room.write(CONFIG, self.modules() + place % block.text)
            status, output = self.room.run(". /etc/apache2/envvars; apache2 -t -f " + CONFIG)
            if status == 0:
                return
            errors.append(output)
        self.fail(block.line, "httpd does not take this in a vhost, nor elsewhere:\n%s---- %s"
                  % (block.text, "---- ".join(errors)))

    def modules(self):
        _, files = self.room.run("ls /etc/apache2/mods-available/*.load")
        wanted = [f for f in files.split() if not re.match(LEFT_OUT, f.rsplit("/", 1)[1])]
        return ("ServerName www\nDocumentRoot /var/www/html\nErrorLog /dev/null\n"
                "Include /etc/apache2/mods-available/mpm_event.load\n"
                + "".join("Include %s\n" % name for name in sorted(wanted)))

    def fail(self, line, why):
        log = self.room.run("tail -n 12 /var/log/apache2/error.log")[1]
        pytest.fail("%s:%d: %s\n---- end of the error log:\n%s" % (self.name, line, why, log),
                    pytrace=False)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_page_says_works(name, request):
    blocks = pages.blocks_of((CHECKOUT / name).read_text())
    if any(b.language in ("console", "apache", "python", "json") or b.file for b in blocks):
        Follower(request.getfixturevalue("room"), name).follow(blocks)


@pytest.mark.parametrize("name", NAMES)
def test_each_block_of_a_page_is_fenced_and_names_its_language(name):
    text = (CHECKOUT / name).read_text()
    assert not pages.indented_blocks(text), "indented blocks in these lines"
    assert not [b.line for b in pages.blocks_of(text) if not b.language]


def test_what_is_skipped_is_little_and_listed():
    """README.md of this folder has each with its page and its reason."""
    skips = sorted("| %s | %s |" % (name, block.instructions["skip"])
                   for name in NAMES for block in pages.blocks_of((CHECKOUT / name).read_text())
                   if "skip" in block.instructions)
    listed = re.findall(r"^\| (?:docs/|README|SECURITY).*\|$", (HERE / "README.md").read_text(), re.M)
    assert skips == sorted(listed)
    assert len(skips) <= MOST_SKIPS
    assert all(len(line.split("|")[2].strip()) > 10 for line in skips), "a skip without a reason"

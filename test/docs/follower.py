# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Who follows a page in a room: does what each block says and looks whether it comes as the page has
it."""

import ast
import json
import re
import textwrap
import time
from pathlib import Path

import environment as env
import page as pages
from room import USER, TookTooLong

CONFIG = "/run/room/check.conf"
LATE = 3        # seconds

# Modules that exclude one another, or are none for servers.
LEFT_OUT = r"mpm_|cgi\.load|data\.|dumpio|bucketeer|case_filter|echo|file_cache|imagemap|lua|suexec|" \
    r"authnz_ldap|ldap\.|xml2enc|proxy_html|dbd|heart|privileges"


class Wrong(Exception):
    """It is not as the page says."""


class Follower:
    """Does what a page says, in a room, in which our module is installed, or its package lies where a
    page that installs it finds it."""

    def __init__(self, room, name):
        self.room = room
        self.name = name

    def follow(self, blocks):
        is_fresh = any("fresh" in block.instructions for block in blocks)
        self.room.run("cp /usr/share/room/*.deb /root" if is_fresh
                      else "cp -r /usr/share/room/package/* /")
        if any(block.language == "console" for block in blocks):
            self.room.run("systemctl start apache2")
        for block in blocks:
            if not block.instructions.keys() & {"skip", "by"}:
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
            status, output = self.run(command, user, limit)
            self.judge(command, status, output, "fails" in block.instructions)

    def run(self, command, user, limit):
        """What looks at a log is run again for some seconds, as a line may come after what it is of."""
        end = time.monotonic() + LATE
        while True:
            try:
                status, output = self.room.run(command.text, user, limit)
            except TookTooLong as error:
                self.fail(command.line, "not ended after %d s: %s\n%s"
                          % (limit, command.text, error))
            if "/var/log/" not in command.text or not command.expected or time.monotonic() > end \
                    or pages.matches(command.expected, output):
                return status, output
            time.sleep(0.1)

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

    @staticmethod
    def modules():
        wanted = [path for path in sorted(Path("/etc/apache2/mods-available").glob("*.load"))
                  if not re.match(LEFT_OUT, path.name)]
        return ("ServerName www\nDocumentRoot /var/www/html\nErrorLog /dev/null\n"
                "Include /etc/apache2/mods-available/mpm_event.load\n"
                + "".join("Include %s\n" % path for path in wanted))

    def fail(self, line, why):
        log = self.room.run("tail -n 12 /var/log/apache2/error.log")[1]
        raise Wrong("%s:%d: %s\n---- end of the error log:\n%s" % (self.name, line, why, log))

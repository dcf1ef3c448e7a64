# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Whoever follows the pages finds what is wrong with one, and leaves nothing behind."""

from pathlib import Path

import pytest

import page as pages
from follower import Follower, Wrong


def follow(room, text):
    Follower(room, "page").follow(pages.blocks_of(text))


@pytest.mark.parametrize("text, why", [
    ("```console\n$ false\n```\n", "status 1"),
    ("```console\n$ echo one\ntwo\n```\n", "the page shows"),
    ("```console\n$ sleep 60\n```\n", "not ended after 1 s"),
    ("```apache\nH2WindowSize 1\n```\n", "httpd does not take this"),
    ("```console\n# apt install no-such-package\n```\n", "not on this machine"),
], ids=["status", "output", "time", "fragment", "package"])
def test_what_does_not_work_is_found(room, text, why):
    text = "<!-- run: timeout 1 -->\n" + text if "sleep" in text else text
    with pytest.raises(Wrong, match=why):
        follow(room, text)


def test_a_page_that_works_is_followed_by_both_users(room):
    follow(room, """
`/etc/greeting`:

```text
hello
world
```

`who`:

```sh
#!/bin/sh
id -un
```

```console
$ cat \\
    /etc/greeting
h...
...
$ cd /etc
$ pwd; ~/who
/etc
alice
# pwd
/root
```
""")


def test_nothing_is_left_of_a_room(furnished, room):
    before = sorted(Path("/etc/apache2").rglob("*"))
    follow(room, "```console\n# a2enmod ssl\n# touch /etc/x\n# (sleep 300 &) &\n```\n")
    process = room.process.pid
    children = Path("/proc/%d/task/%d/children" % (process, process)).read_text().split()
    room.close()
    assert children and not any(Path("/proc", pid).exists() for pid in children)
    assert not Path("/etc/x").exists()
    assert sorted(Path("/etc/apache2").rglob("*")) == before
    assert not list(furnished[1].iterdir())


@pytest.mark.parametrize("expected, output, same", [
    ("a\n...\nb", "a\nb\n", True), ("a\n...\nb", "a\nx\ny\nb\n", True), ("a...c", "abc\n", True),
    ("a...c", "a\nc\n", False), ("a", "a\nb\n", False), ("...\nb", "a\n", False),
])
def test_output_is_compared_with_what_is_shown(expected, output, same):
    assert pages.matches(expected.splitlines(), output) is same

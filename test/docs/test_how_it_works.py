# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""docs/how-it-works.md: the figures that it explains are on the status page and in its JSON."""

import json
import re
import urllib.request

import environment as env
from servers import PLAIN

PAGE = (env.CHECKOUT / "docs" / "how-it-works.md").read_text()
CONFIG = "<Location /http2-status>\nSetHandler http2-status\n</Location>\n" + PLAIN


def members(value):
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from members(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from members(inner)


def test_each_figure_is_there(servers):
    server = servers.get("how-it-works", "event", CONFIG)
    with urllib.request.urlopen(server.url("/http2-status?json", "clear")) as answer:
        names = set(members(json.load(answer)))
    with urllib.request.urlopen(server.url("/http2-status", "clear")) as answer:
        page = answer.read().decode()
    table = re.search(r"\| on the status page .*?\n\n", PAGE, re.S).group(0).splitlines()[2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in table if row]
    assert len(cells) > 12
    for shown, members_, *_ in cells:
        named = [name for text in re.findall("`([^`]*)`", members_) for name in text.split(".")]
        assert named and set(named) <= names, members_
        for text in re.split(r"[:,] ", shown.replace("*", "")):
            assert text in page, text

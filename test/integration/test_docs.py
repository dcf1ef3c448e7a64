# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""What the documentation says of the module is so: its directives, and tests that it names."""

import re
from pathlib import Path

import pytest

from servers import PLAIN

DOCS = Path(__file__).resolve().parents[2] / "docs"
TESTS = Path(__file__).resolve().parent
REFUSED = {"H2AltSvc", "H2AltSvcMaxAge", "H2Engine", "H2KeepAliveTimeout", "H2Timeout"}


@pytest.mark.parametrize("name", ["directives.md", "features.md"])
def test_the_tests_that_a_page_names_exist(name):
    named = re.findall(r"`(test_\w+\.py)(?:::(test_\w+))?`", (DOCS / name).read_text())
    assert len(named) > 20
    for file, test in named:
        text = (TESTS / file).read_text()
        assert not test or re.search(r"^def %s\(" % test, text, re.M), "%s::%s" % (file, test)


def test_each_directive_has_its_section_and_each_section_its_directive(servers):
    sections = re.findall(r"^### (H2\w+)$", (DOCS / "directives.md").read_text(), re.M)
    assert sections == sorted(set(sections))
    code, output = servers.new("listed", "event", PLAIN).run("-L")
    assert code == 0
    assert set(re.findall(r"^(H2\w+) \(mod_http2\.c\)", output, re.M)) - REFUSED == set(sections)


def test_the_drawing_has_all_folders():
    drawn = set(re.findall(r'class="t"[^>]*>(\w+)/<', (DOCS / "architecture.svg").read_text()))
    layers = re.findall(r"^(\w+):", (DOCS / "layers.txt").read_text(), re.M)
    assert drawn == set(layers)


@pytest.mark.parametrize("page", sorted(p.name for p in DOCS.glob("*.md")))
def test_links_between_pages_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (DOCS / page).read_text()):
        assert (DOCS / target).exists(), target

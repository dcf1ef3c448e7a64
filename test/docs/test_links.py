# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Each link of the documentation leads somewhere. What is on other hosts is not fetched."""

import re
from urllib.parse import urlsplit

import pytest

from prose import ROOT, SPAN, Page, pages

# Where a link may lead to outside of the project: what has been there for decades.
HOSTS = {"www.rfc-editor.org", "www.w3.org", "httpd.apache.org", "nghttp2.org", "www.openssl.org",
         "html.spec.whatwg.org", "fetch.spec.whatwg.org", "developer.mozilla.org", "prometheus.io",
         "grafana.com", "github.com"}
# Stand for somebody's own server.
EXAMPLES = re.compile(r"(?:[\w-]+\.)*example\.(?:org|com|net)|localhost|127\.0\.0\.1|\[::1\]|"
                      r"192\.0\.2\.\d+")
# Files and folders of ours that a page names; a word in capitals in one stands for any.
OURS = re.compile(r"(?<![\w/.~-])(?:docs|mod_h2|scripts|test|\.ci)/[\w./-]*\w")


@pytest.mark.parametrize("name", pages())
def test_each_link_leads_somewhere(name):
    page = Page(name)
    faults = {target: fault_of(page, target) for target in page.links()}
    assert {target: fault for target, fault in faults.items() if fault} == {}


def fault_of(page, target):
    """What is wrong with a link, or nothing."""
    parts = urlsplit(target)
    if parts.scheme:
        return fault_of_address(parts)
    if parts.netloc or parts.query:
        return "neither a path nor an address"
    path = ((page.path.parent / parts.path) if parts.path else page.path).resolve()
    if not path.is_relative_to(ROOT) or not path.exists():
        return "not there"
    if parts.fragment and parts.fragment not in Page(str(path.relative_to(ROOT))).anchors():
        return "no such heading"
    return None


def fault_of_address(parts):
    if parts.scheme == "mailto":
        return None if re.fullmatch(r"[\w.+-]+@[\w.-]+", parts.path) else "no address of mail"
    if parts.scheme not in ("http", "https") or not re.fullmatch(r"[!-~]+", parts.geturl()):
        return "malformed"
    if parts.port == 0 or not parts.hostname:
        return "malformed"
    if EXAMPLES.fullmatch(parts.hostname) or parts.scheme == "https" and parts.hostname in HOSTS:
        return None
    return "a host that is not in the list of test_links.py"


@pytest.mark.parametrize("name", pages())
def test_files_of_ours_that_a_page_names_are_there(name):
    page = Page(name)
    text = page.prose()
    spans = SPAN.findall(page.without_blocks()) if page.is_markdown else []
    for path in OURS.findall(text) + [path for _, span in spans for path in OURS.findall(span)]:
        path = re.sub(r"/(?:\w+_)?(?!README)[A-Z]{3,}\b.*", "", path.split("::")[0])
        assert (ROOT / path).exists() or (page.path.parent / path).exists(), "%s: %s" % (name, path)


@pytest.mark.parametrize("name", ["docs/architecture.md", "docs/contributing.md",
                                  "docs/glossary.md", "docs/threads.md"])
def test_functions_that_a_page_for_developers_names_are_there(name):
    """Ours, or httpd's and APR's that we call."""
    sources = [path for folder in ("mod_h2", "test") for path in (ROOT / folder).rglob("*.[ch]")]
    scripts = (ROOT / "test").rglob("*.py")
    known = set(re.findall(r"\w+", " ".join(p.read_text() for p in [*sources, *scripts])))
    named = {span[:-2] for _, span in SPAN.findall(Page(name).without_blocks())
             if re.fullmatch(r"\w+\(\)", span)}
    assert sorted(named - known) == []


def test_each_page_can_be_reached_from_readme():
    """By links, not by knowing its name."""
    seen, to_see = set(), ["README.md"]
    while to_see:
        name = to_see.pop()
        if name in seen or not (ROOT / name).is_file() or not name.endswith(".md"):
            continue
        seen.add(name)
        page = Page(name)
        for target in page.links():
            parts = urlsplit(target)
            if not parts.scheme and parts.path:
                to_see.append(str((page.path.parent / parts.path).resolve().relative_to(ROOT)))
    missing = [name for name in pages() if name.startswith("docs/") and name not in seen]
    assert not missing

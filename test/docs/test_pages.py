# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""What the pages of the documentation tell to type works, and shows what they say that it shows.

Each page is followed from top to bottom in a room of its own (room.py); README.md in this folder has
the conventions."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import page as pages
from follower import Follower, Wrong
from room import NoRoom, Room

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
PAGES = sorted([*CHECKOUT.glob("docs/**/*.md"), CHECKOUT / "README.md", CHECKOUT / "SECURITY.md"])
NAMES = [str(path.relative_to(CHECKOUT)) for path in PAGES]
MOST_SKIPS = 12
AT_A_TIME = 6
def follow(furnished, name):
    """Returns what is wrong with the page."""
    blocks = pages.blocks_of((CHECKOUT / name).read_text())
    if any(b.language in ("console", "apache", "python", "json") or b.file for b in blocks):
        try:
            with Room(*furnished) as room:
                Follower(room, name).follow(blocks)
        except Wrong as error:
            return str(error)
    return ""


@pytest.fixture(scope="session")
def followed(furnished, request):
    """What is wrong with a page: all that are tested are followed some at a time, as a page waits more
    than it works."""
    names = [item.callspec.params["name"] for item in request.session.items
             if getattr(item, "originalname", "") == "test_what_a_page_says_works"]
    executor = ThreadPoolExecutor(AT_A_TIME)
    yield {name: executor.submit(follow, furnished, name) for name in names}
    executor.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", NAMES)
def test_what_a_page_says_works(name, followed):
    try:
        wrong = followed[name].result()
    except NoRoom as error:
        pytest.skip("this machine makes no rooms: %s" % error)
    if wrong:
        pytest.fail(wrong, pytrace=False)


@pytest.mark.parametrize("name", NAMES)
def test_each_block_of_a_page_is_fenced_and_names_its_language(name):
    text = (CHECKOUT / name).read_text()
    assert not pages.indented_blocks(text), "indented blocks in these lines"
    assert not [b.line for b in pages.blocks_of(text) if not b.language]


def test_the_tests_that_run_blocks_of_pages_exist():
    for name in NAMES:
        for block in pages.blocks_of((CHECKOUT / name).read_text()):
            if "by" in block.instructions:
                file, _, test = block.instructions["by"].partition("::")
                text = (CHECKOUT / file).read_text()
                assert not test or re.search(r"^def %s\(" % test, text, re.M), (name, block.line)


def test_what_is_skipped_is_little_and_listed():
    """README.md of this folder has each with its page and its reason."""
    table = (HERE / "README.md").read_text().partition("## What is skipped")[2]
    listed = [row for row in re.findall(r"^\| `(.+?)` \| (.+) \|$", table, re.M)
              if (CHECKOUT / row[0]).exists()]
    skips = [(name, block.instructions["skip"])
             for name in NAMES for block in pages.blocks_of((CHECKOUT / name).read_text())
             if "skip" in block.instructions]
    assert sorted(skips) == sorted(listed)
    assert len(skips) <= MOST_SKIPS
    assert all(len(reason) > 10 for _, reason in skips), "a skip without a reason"

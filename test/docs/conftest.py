# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""Fixtures of the tests of the documentation: a room for each test that asks for one."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pytest  # noqa: E402

import environment as env  # noqa: E402
import furniture  # noqa: E402
from room import NoRoom, Room  # noqa: E402

CHECKOUT = Path(__file__).resolve().parents[2]
PAGES = sorted([*CHECKOUT.glob("docs/**/*.md"), CHECKOUT / "README.md", CHECKOUT / "SECURITY.md"])


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

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""docs/contributing.md: the files that it names exist, and its example of a directive still fits."""

import re
import shutil
import subprocess

import pytest

import environment as env
from connections import open_client
from servers import PLAIN

PAGE = (env.CHECKOUT / "docs" / "contributing.md").read_text()


def test_the_files_that_are_named_exist():
    folders = ("scripts", "test", "mod_h2", "docs")
    named = re.findall(r"`((?:%s)/[\w/.-]+)`" % "|".join(folders), PAGE)
    named += ["mod_h2/" + name for name in re.findall(r"`((?:config|session|request|conn|stats|base)/"
                                                      r"\w+\.[ch])`", PAGE)]
    named = [name for name in named if not re.search("[A-Z]{4}", name)]     # NAME, FOLDER
    assert len(named) > 15
    assert [name for name in named if not (env.CHECKOUT / name).exists()] == []


def test_the_tests_that_are_named_exist():
    for name in re.findall(r"scripts/test --(?:integration|attack) (\w+)", PAGE):
        assert [*(env.CHECKOUT / "test").glob("*/test_%s.py" % name)], name
    for name in re.findall(r"test/unit/[a-z]+/test_[a-z]\w+", PAGE):
        assert (env.CHECKOUT / (name + ".c")).exists(), name


def test_the_example_of_a_directive_applies(tmp_path):
    if not shutil.which("patch"):
        pytest.skip("no patch")
    diff = re.search(r"```diff\n(.*?)```", PAGE, re.S).group(1)
    shutil.copytree(env.CHECKOUT / "mod_h2", tmp_path / "mod_h2")
    result = subprocess.run(["patch", "-p1", "-d", str(tmp_path)], input=diff, capture_output=True,
                            text=True)
    assert result.returncode == 0, result.stdout


def test_the_example_of_a_test_passes(servers, mpm, transport):
    httpd = servers.get("example", mpm, "H2MaxSessionStreams 5\n" + PLAIN)
    client = open_client(httpd, transport)
    assert client.wait_settings()[3] == 5
    assert "assert client.wait_settings()[3] == 5" in PAGE

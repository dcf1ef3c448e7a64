# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""scripts/compare and the table of docs/comparison.md: what they say of our module is so."""

import json
import re
import subprocess
import sys

import pytest

import environment as env

COMPARE = env.CHECKOUT / "scripts" / "compare"
PAGE = env.CHECKOUT / "docs" / "comparison.md"
# What is not (wholly) there: the page says so, and why.
SHORTCOMINGS = {"stalled-back-end": "no"}

pytestmark = pytest.mark.skipif(bool(env.sanitizer), reason="a matter of seconds")


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """What scripts/compare --json says of our module and httpd's own, if that is there."""
    report = tmp_path_factory.mktemp("compare") / "report.json"
    servers = ["ours"] + ["mod_http2"] * (env.modules_dir() / "mod_http2.so").is_file()
    result = subprocess.run(
        [sys.executable, str(COMPARE), "--json", str(report), "--module", str(env.module_so()),
         "--httpd", str(env.httpd_binary()), "--modules-dir", str(env.modules_dir()),
         *(word for name in servers for word in ("--server", name))],
        capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(report.read_text())


def verdicts(compared, server):
    return {row["name"]: row["cells"][server]["verdict"] for row in compared["rows"]}


def test_every_row_is_a_yes_for_our_module_but_what_is_known(compared):
    expected = {row["name"]: SHORTCOMINGS.get(row["name"], "yes") for row in compared["rows"]}
    assert verdicts(compared, "ours") == expected, [
        row["cells"]["ours"] for row in compared["rows"]]


def test_httpds_own_module_is_tried_in_every_row(compared):
    if "mod_http2" not in compared["servers"]:
        pytest.skip("httpd's own module is not installed")
    assert set(verdicts(compared, "mod_http2").values()) <= {"yes", "part", "no"}
    assert verdicts(compared, "mod_http2")["alpn"] == "yes"


def test_the_documented_table_says_the_same_of_our_module(compared):
    table = PAGE.read_text().partition("## The table")[2].partition("## ")[0]
    documented = dict(re.findall(r"^\| (.*?) \| (yes|part|no)\b", table, re.M))
    assert documented == {row["title"]: row["cells"]["ours"]["verdict"]
                          for row in compared["rows"]}

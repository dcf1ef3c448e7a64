# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""README.md names for each of the 42 rows the tests that have its number in their mark."""

import ast
import re
from pathlib import Path

ROWS = 42


def rows_of(function):
    """The numbers in its mark."""
    return [number.value for mark in function.decorator_list
            if ast.unparse(mark).startswith("pytest.mark.row(") for number in mark.args]


def marked_tests():
    """row: the tests with its mark, as FILE::NAME, in their order."""
    found = {row: [] for row in range(1, ROWS + 1)}
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                for row in rows_of(node):
                    found[row].append("%s::%s" % (path.name, node.name))
    return found


def table():
    """row: the tests that README.md names."""
    text = Path(__file__).with_name("README.md").read_text()
    return {int(row): re.findall(r"`(test_\w+\.py::test_\w+)`", cells)
            for row, cells in re.findall(r"^\| (\d+) \|(.*)\|$", text, re.M)}


def test_each_row_has_a_test():
    assert not [row for row, tests in marked_tests().items() if not tests]


def test_the_table_names_what_is_marked():
    assert table() == marked_tests()

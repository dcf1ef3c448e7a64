# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""docs/directives.md as data: the section of each directive, and what its syntax allows."""

import itertools
import re
from dataclasses import dataclass

from prose import ROOT

PAGE = ROOT / "docs" / "directives.md"
ROWS = ("Description", "Syntax", "Default", "Context", "Override", "Range", "Compatibility")
LEADS = ("*When to change it:*", "*With others:*", "*Example:*", "*Shown by:*")

# What stands for a word in italics.
SAMPLES = {"n": "256", "bytes": "65536", "bits": "4", "rate": "50", "burst": "500",
           "interval": "10s", "name": "Link", "value": '"</a.css>; rel=preload"',
           "type": "text/css", "path": "/a.css", "weight": "16"}


@dataclass
class Section:
    name: str
    text: str

    def __post_init__(self):
        cells = re.findall(r"(?m)^\| (\w+) \| (.*) \|$", self.text)
        self.row_names = [name for name, _ in cells]
        self.rows = {name: value.replace("\\|", "|") for name, value in cells}

    def words(self, row):
        """Of a row, without marks for italics and code."""
        return re.sub(r"[`*](?! )|(?<! )[`*]", "", self.rows[row])

    @property
    def contexts(self):
        return re.sub(r" \(.*", "", self.rows["Context"]).split(", ")

    @property
    def is_accepted_everywhere(self):
        return "accepted in directory" in self.rows["Context"]

    @property
    def overrides(self):
        return self.rows["Override"].split(", ") if "Override" in self.rows else []

    @property
    def example(self):
        return re.search(r"(?ms)^```apache\n(.*?)^```$", self.text)[1]

    @property
    def ranges(self):
        """Of numbers: pairs of the lowest and the highest one."""
        found = re.findall(r"(\d+)(?: \([^)]*\))? to (\d+)", self.rows.get("Range", ""))
        return [(int(low), int(high)) for low, high in found]

    def lines(self):
        """Each form that the syntax allows, with sample values."""
        syntax = self.rows["Syntax"].replace("`[", "[`").replace("]`", "`]")
        name, *parts = re.sub(r"`(H2\w+) ", r"`\1` `", syntax).split()
        assert name == "`%s`" % self.name
        choices = []
        for part in parts:
            inner = part.strip("[]")
            words = [word.strip("`*") for word in inner.split("|")]
            values = [word if "`" in inner else SAMPLES[word] for word in words]
            choices.append(values + [""] if part.startswith("[") else values)
        return [" ".join([self.name, *filter(None, values)])
                for values in itertools.product(*choices)]


def sections():
    text = PAGE.read_text()
    each = text[text.index("## Each directive\n"):]
    each = each[:re.search(r"(?m)^## (?!Each)", each).start()]
    parts = re.split(r"(?m)^### (.+)\n", each)
    return [Section(name, body) for name, body in zip(parts[1::2], parts[2::2])]

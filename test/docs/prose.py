# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""The pages that people read: their words, headings and links, without what is code."""

import re
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^\s*(```+|~~~+)")
HEADING = re.compile(r"^(#{1,6})\s+(.+?)\s*#*$")
LIST_ITEM = re.compile(r"([-*+]|\d+[.)])\s")
SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.S)
INLINE = re.compile(r"!?\[((?:[^\[\]]|\[[^\]]*\])*)\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^\s{0,3}\[([^\]]+)\]:\s*<?(\S+?)>?(?:\s+\"[^\"]*\")?$", re.M)
BARE = re.compile(r"\bhttps?://[^\s<>)\]\"'`]+[^\s<>)\]\"'`.,;:]")
ANCHOR = re.compile(r"<\w+ [^>]*?\b(?:id|name)=\"([^\"]+)\"")


def pages():
    """All of them; a page's name is its path."""
    found = sorted((ROOT / "docs").rglob("*.md")) + sorted((ROOT / "test").rglob("README.md"))
    found += [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "NEWS"]
    return [str(path.relative_to(ROOT)) for path in found]


class Page:
    def __init__(self, name, folder=ROOT):
        self.name = name
        self.path = folder / name
        self.text = self.path.read_text()
        self.is_markdown = self.path.suffix == ".md"

    def without_blocks(self):
        """The text, with an empty line for each line of a block of code; in NEWS there are none."""
        lines, end, is_in_list = [], None, False
        for line in self.text.splitlines() if self.is_markdown else []:
            fence = FENCE.match(line)
            is_in_list = is_in_list if line[:1] in ("", " ") else bool(LIST_ITEM.match(line))
            if end is None and fence:
                end, line = fence[1], ""
            elif end is not None:
                if fence and fence[1].startswith(end) and line.strip() == fence[1]:
                    end = None
                line = ""
            elif line.startswith("    ") and not is_in_list:
                line = ""
            lines.append(line)
        assert end is None, "%s: a block of code has no end" % self.name
        return "\n".join(lines) if self.is_markdown else self.text

    def prose(self):
        """Without code and comments. Lines keep their numbers."""
        text = re.sub(r"<!--.*?-->", keep_lines, self.without_blocks(), flags=re.S)
        return SPAN.sub(keep_lines, text) if self.is_markdown else text

    def anchors(self):
        """What a link to a place in the page can name: headings as GitHub writes them, and ids."""
        found = set(ANCHOR.findall(self.without_blocks()))
        for line in self.without_blocks().splitlines():
            heading = HEADING.match(line) if self.is_markdown else None
            if heading:
                name = slug(heading[2])
                again = 1
                while name in found:
                    name = "%s-%d" % (slug(heading[2]), again)
                    again += 1
                found.add(name)
        return found

    def links(self):
        """The targets of all links, as they are written."""
        text = self.prose()
        inline = [target for _, target in INLINE.findall(text)]
        inline += [target for words, _ in INLINE.findall(text)         # a picture in a link
                   for _, target in INLINE.findall(words)]
        inline += [target for _, target in REFERENCE.findall(text)]
        inline += re.findall(r"<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)=\"([^\"]+)\"", text)
        rest = REFERENCE.sub("", INLINE.sub("", text))
        return [unquote(target) for target in inline] + BARE.findall(rest)

    def words(self):
        """Pairs of a line's number and a word of it. Names that are spelled like code, with digits,
        underscores or capitals within, are none."""
        text = REFERENCE.sub(keep_lines, self.prose())
        text = re.sub(r"\]\([^)]*\)", lambda m: "]" + keep_lines(m), text)
        text = BARE.sub(" ", re.sub(r"<[^<>]+>", keep_lines, text))
        for number, line in enumerate(text.splitlines(), 1):
            for token in re.findall(r"[^\s()\[\]{}|\"“”„*#>,;:!?=…–—]+", line):
                if re.search(r"[\d_@\\/^~$%&+]", token.strip("_")) or re.search(r"\.\w", token):
                    continue
                for word in re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", token):
                    if not re.search(r".[A-Z]", word):
                        yield number, word.replace("’", "'")


def keep_lines(match):
    return "\n" * match[0].count("\n") or " "


def slug(heading):
    """As GitHub makes it: of code and links only the words, no punctuation, hyphens for blanks."""
    text = INLINE.sub(lambda m: m[1], heading).replace("`", "")
    text = re.sub(r"[*]|(?<!\w)_|_(?!\w)", "", text)
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")

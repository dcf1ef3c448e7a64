# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""A page of the documentation as steps: its fenced blocks in order, with the file that a block is and
the instructions of the comments before it. README.md has the conventions."""

import re
import shlex
from dataclasses import dataclass, field


class BadPage(Exception):
    """The page does not keep to the conventions."""


@dataclass
class Command:
    user: str                       # "root" or "user"
    text: str
    expected: list                  # lines
    line: int


@dataclass
class Block:
    language: str
    lines: list
    line: int                       # of the fence
    file: str = ""
    instructions: dict = field(default_factory=dict)        # name to the rest of the comment

    @property
    def text(self):
        return "".join(line + "\n" for line in self.lines)

    def commands(self):
        """Of a console block."""
        found = []
        continued = False
        for number, line in enumerate(self.lines, self.line + 1):
            if continued:
                found[-1].text += "\n" + re.sub(r"^> ?", "", line)
            elif line[:2] in ("$ ", "# "):
                found.append(Command("root" if line[0] == "#" else "user", line[2:], [], number))
            elif not found:
                raise BadPage("line %d: output before the first command" % number)
            else:
                found[-1].expected.append(line)
            continued = not found[-1].expected and is_unfinished(found[-1].text)
        for command in found:
            while command.expected and not command.expected[-1].strip():
                command.expected.pop()
        return found


FENCE = re.compile(r"^( *)(```+|~~~+)\s*([\w+-]*)")
FILE = re.compile(r"^\s*(?:[-*\d.]+ )?`([^`]+)`:$")
COMMENT = re.compile(r"^\s*<!-- run: ([\w-]+) ?(.*?) *-->$")
KNOWN = {"fresh", "skip", "by", "background", "timeout", "fails"}


def is_unfinished(command):
    """Does it go on in the next line? It ends with a backslash, in the middle of a quoted text, or
    before the end of a loop."""
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        return True
    return command.endswith("\\") or words.count("do") > words.count("done")


def blocks_of(text):
    """The fenced blocks of a page, in order."""
    blocks, before, block, fence = [], [], None, None
    for number, line in enumerate(text.splitlines(), 1):
        match = FENCE.match(line)
        if block is None and match:
            block = Block(match[3], [], number)
            fence = match
            describe(block, before)
            before = []
        elif block is None:
            before.append(line)
        elif match and match[2] == fence[2] and not match[3]:
            blocks.append(block)
            block = None
        else:
            block.lines.append(line[len(fence[1]):] if line.startswith(fence[1]) else line)
    if block is not None:
        raise BadPage("line %d: the block has no end" % block.line)
    return blocks


def describe(block, before):
    """Takes the file's name and the instructions from the lines before the block."""
    for line in reversed(before):
        comment, name = COMMENT.match(line), FILE.match(line)
        if comment:
            if comment[1] not in KNOWN:
                raise BadPage("line %d: unknown instruction: %s" % (block.line, comment[1]))
            block.instructions[comment[1]] = comment[2]
        elif name and not block.file:
            block.file = name[1]
        elif line.strip():
            return


def indented_blocks(text):
    """Line numbers of blocks of code that are indented and not fenced."""
    found, in_fence, previous, in_list = [], False, "", False
    for number, line in enumerate(text.splitlines(), 1):
        if FENCE.match(line) or in_fence and re.match(r"\s*(```|~~~)", line):
            in_fence = not in_fence
        elif not in_fence and line.strip():
            if not line.startswith(" "):
                in_list = bool(re.match(r"([-*]|\d+\.) ", line))
            elif line.startswith("    ") and not previous.strip() and not in_list:
                found.append(number)
        previous = line
    return found


def matches(expected, output):
    """Is `output` what the page shows? "..." in a line is anything, a line of it any lines."""
    parts = []
    for line in expected:
        if line.strip() in ("...", "…"):
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            words = re.split(r"\.\.\.|…", line.rstrip())
            parts.append(r"[^\n]*?".join(map(re.escape, words)) + r"[ \t]*\n")
    text = output if output.endswith("\n") or not output else output + "\n"
    return re.fullmatch("".join(parts), text) is not None

# Licensed under the Apache License, Version 2.0 (see LICENSE).
"""The documentation is spelled as aspell knows English; docs/words.txt has our terms and names."""

import re
import shutil
import subprocess

import pytest

from prose import ROOT, Page, pages

WORDS = ROOT / "docs" / "words.txt"


def own_words():
    return [line for line in WORDS.read_text().splitlines() if line and not line.startswith("#")]


def unknown_to_aspell(words):
    if not shutil.which("aspell"):
        pytest.skip("aspell is not there: scripts/install-deps test")
    run = subprocess.run(["aspell", "--lang=en", "--encoding=utf-8", "--mode=none", "--ignore=1",
                          "--dont-validate-words", "list"],
                         input="\n".join(sorted(words)) + "\n", stdout=subprocess.PIPE, text=True,
                         check=True)
    return set(run.stdout.split())


def base(word):
    """Of a genitive the word."""
    return re.sub(r"'s$|(?<=s)'$", "", word)


@pytest.fixture(scope="module")
def misspelled():
    """What aspell does not know: word to its places."""
    places = {}
    for name in pages():
        for number, word in Page(name).words():
            places.setdefault(base(word), []).append("%s:%d" % (name, number))
    unknown = unknown_to_aspell(places)
    return {word: where for word, where in places.items() if word in unknown}


def test_words_are_spelled_right_or_are_terms_of_ours(misspelled):
    known = set(own_words())
    wrong = {word: where for word, where in misspelled.items()
             if word not in known and word.lower() not in known}
    assert not wrong, "misspelled, or terms for docs/words.txt:\n" + "\n".join(
        "%s: %s" % (word, ", ".join(where[:4])) for word, where in sorted(wrong.items()))


def test_each_word_of_the_list_is_used_and_unknown_to_aspell(misspelled):
    used = set(misspelled) | {word.lower() for word in misspelled}
    assert [word for word in own_words() if word not in used] == []


def test_the_list_is_sorted_and_without_doubles():
    words = own_words()
    assert words == sorted(set(words), key=lambda word: (word.lower(), word))


@pytest.mark.parametrize("name", pages())
def test_no_word_is_there_twice_in_a_row(name):
    doubles = []
    text = Page(name).prose()
    for match in re.finditer(r"(?<![\w`-])([^\W\d_]{2,})(?: |\n +|\n)\1(?![\w`-])", text):
        if match[1] not in ("that", "had", "is", "at"):
            doubles.append("line %d: %s" % (text[:match.start()].count("\n") + 1, match[0]))
    assert not doubles

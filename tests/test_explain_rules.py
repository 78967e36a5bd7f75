"""A fault in refusals.toml or remarks.toml is told in a sentence, with the file and the entry."""

from __future__ import annotations

import pytest

from labsetup.errors import LabError
from labsetup.explaining.rules import refusals, remarks

GOOD = "[short]\npattern = 'too short'\nwrong = 'it is short'\nmend = 'make it longer'\n"
PARTS = "[plain]\n[undeclared]\n[telling]\n"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("[short]", "[short"), "refusals.toml is no TOML: Expected ']'"),
        (("wrong", "wrogn"), "refusals.toml, short: there is no key wrogn; there are name, "),
        (("'too short'", "5"), "refusals.toml, short, pattern: it is to be a text in quotes"),
        (("too short", "too (short"), "refusals.toml, short, pattern: it is no regular expression"),
        (("is short", "has {size}"), "refusals.toml, short: a sentence names {size}, and the"),
        (("is short", "{beyond}"), "refusals.toml, short: a sentence names {beyond}, and the"),
        (("longer", "{ longer"), "a brace that is meant is written twice"),
        (("pattern", "of = 'long' # "), "refusals.toml, short, of: it is to be a list"),
        (("pattern", "of = ['short'] # "), "refusals.toml, short: with of there is to be a sign"),
        (("pattern", "of = ['long'] # "), "refusals.toml, short: there is no entry long"),
        (
            ("longer'", "longer'\n[shrot]"),
            "refusals.toml, shrot: it has neither wrong nor mend",
        ),
        (("[short]", "[[short]]"), "refusals.toml, short: an entry begins with its name"),
        (
            ("longer'", "longer'\n[[short.examples]]\nlog = 'too short'"),
            "refusals.toml, short, example 1: it has no says",
        ),
        (
            ("longer'", "longer'\n[[short.examples]]\nsays = 'longer'"),
            "refusals.toml, short, example 1: it has neither a body, nor a program, nor a log",
        ),
    ],
)
def test_a_refusal_that_is_malformed(tmp_path, change, sentence):
    path = tmp_path / "refusals.toml"
    path.write_text(GOOD)
    assert list(refusals(path)) == ["short"]
    refusals.cache_clear()
    old, new = change
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(LabError) as caught:
        refusals(path)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[plain]\n", "remarks.toml: its parts are plain, undeclared, telling, and it has plain"),
        (f"{PARTS}[telling.x]\n", "remarks.toml, telling.x: it has no pattern"),
        (f"{PARTS}[plain.x]\npattern = 'y'\n", "remarks.toml, plain.x: it has no plain"),
    ],
)
def test_a_remark_that_is_malformed(tmp_path, text, sentence):
    path = tmp_path / "remarks.toml"
    path.write_text(text)
    with pytest.raises(LabError) as caught:
        remarks(path)
    assert sentence in str(caught.value)


def test_several_patterns_are_one(tmp_path):
    path = tmp_path / "refusals.toml"
    path.write_text(GOOD.replace("'too short'", "['too short', 'too brief']"))
    pattern = refusals(path)["short"].pattern
    assert pattern is not None
    assert pattern.search("it is too brief")

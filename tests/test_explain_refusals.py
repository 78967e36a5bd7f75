"""Each example of refusals.toml is refused, at its line, with its words, by its own entry."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.examples import missing, named, place_of, source_of

from labsetup.explaining import access, verifier
from labsetup.explaining.listing import Listing
from labsetup.explaining.rules import refusals
from labsetup.programs.build import BuildError
from labsetup.programs.program import Program

EXAMPLES = named({rule.name: rule.examples for rule in refusals().values()})
SAID = {name: given for name, given in EXAMPLES.items() if given[1].log}
COMPILED = {name: given for name, given in EXAMPLES.items() if not given[1].log}


@pytest.fixture
def reasons(monkeypatch):
    """By which entries refusals were explained, in their order."""
    seen: list[str] = []

    def watched(function):
        def call(*arguments):
            reason = function(*arguments)
            seen.append(reason.rule)
            return reason

        return call

    for name in ("reason_of", "by_its_words"):
        monkeypatch.setattr(verifier, name, watched(getattr(verifier, name)))
    monkeypatch.setattr("labsetup.explaining.clang.by_its_words", verifier.by_its_words)
    return seen


FINE_ELSEWHERE = {
    "cut-off: a function that is not inline": "this BCC loads functions of one's own as well",
    "compares-texts: bytes compared": "this clang has instructions for that",
}


@pytest.mark.parametrize("name", COMPILED)
def test_a_program_that_is_refused(name, reasons, monkeypatch):
    rule, example = COMPILED[name]
    if rule == "endless":
        monkeypatch.setattr("labsetup.compiling.bcc.PATIENCE", 1.0)
        monkeypatch.setattr("labsetup.apart.crowding", lambda: 1.0)  # else it may come to an end
    source = source_of(example)
    with pytest.raises(BuildError) as caught:
        Program("bad", source)
        if why := FINE_ELSEWHERE.get(name):
            pytest.skip(why)
    message = str(caught.value)
    assert reasons[-1:] == [rule], f"another entry, or none, explained it: {message}"
    assert message.startswith(("the verifier refused bad", "bad does not compile"))
    assert place_of(source) in message
    assert missing(example, message) == [], message
    shown = "\n".join(caught.value._render_traceback_())
    assert not re.search(r"R\d+=|processed", shown), shown


@pytest.mark.parametrize("name", SAID)
def test_what_another_kernel_says(name):
    rule, example = SAID[name]
    asked = Listing(source_of(example), "bad", ""), example.log, True, example.warned
    assert verifier.reason_of(*asked).rule == rule
    _, told = verifier.explain(*asked)
    assert missing(example, told) == [], told


@pytest.mark.parametrize("rule", refusals())
def test_an_entry_has_an_example_and_says_something(rule):
    entry = refusals()[rule]
    assert entry.examples
    code = "".join(Path(str(one.__file__)).read_text() for one in (verifier, access))
    found = any(f'"{name}"' in code for name in (rule, rule.removesuffix("-in-a-loop")))
    assert entry.pattern or entry.of or found, "nothing finds it"


@pytest.mark.parametrize("step", ["call bpf_xdp_adjust_head#44", "(18) r1 = 0x0"])
def test_a_log_of_many_steps_is_read_at_once(step):
    log = "\n".join([f"7: (85) {step}"] * 60_000) + "\nBPF program is too large.\n"
    assert verifier.by_its_words(log).rule == "too-many-steps"


def test_the_code_names_only_entries_that_there_are():
    code = Path(verifier.__file__).read_text()
    named = re.findall(r'\.by\("([\w-]+)"|\brule\b(?:, at)? ==? "([\w-]+)"', code)
    named += re.findall(r'rule = ()"([\w-]+)"', Path(access.__file__).read_text())
    assert {a or b for a, b in named} <= refusals().keys()

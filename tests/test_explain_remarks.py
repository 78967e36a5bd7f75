"""Each example of remarks.toml is remarked on, at its line, with its words, by its own entry."""

from __future__ import annotations

import re

import pytest
from support.examples import missing, named, place_of, source_of

from labsetup.explaining import clang
from labsetup.explaining.clang import Remark
from labsetup.explaining.listing import Place
from labsetup.explaining.rules import Example, Telling, remarks
from labsetup.programs.build import BuildError
from labsetup.programs.program import Program

PLAIN, UNDECLARED, TELLING = (
    named({rule.name: rule.examples for rule in part.values()})
    for part in (remarks().plain, remarks().undeclared, remarks().telling)
)


@pytest.fixture
def seen(monkeypatch):
    """The remarks that clang made, in their order."""
    seen: list[Remark] = []
    made = Remark.__init__

    def watched(self, *arguments):
        made(self, *arguments)
        seen.append(self)

    monkeypatch.setattr(Remark, "__init__", watched)
    return seen


def told(example: Example, language: str = "") -> str:
    """All that the reader is told, whether the program is refused or only warned of."""
    if example.log:
        remark = Remark("error", Place(9, example.at), example.log, language or "BCC")
        return clang.undeclared([remark]) or str(remark)
    source = source_of(example)
    try:
        lines = Program("bad", source).warnings
    except BuildError as error:
        lines = [*error.warnings, str(error)]
    assert any(place_of(source) in line for line in lines), lines
    assert not any("0x" in line for line in lines)
    return "\n".join(lines)


@pytest.mark.parametrize("name", PLAIN)
def test_plainer_words(name, seen):
    rule, example = PLAIN[name]
    words = told(example, remarks().plain[rule].language)
    assert missing(example, words) == [], words
    assert rule in {remark.rule for remark in seen}


@pytest.mark.parametrize("name", UNDECLARED)
def test_a_function_that_nothing_declares(name, seen):
    rule, example = UNDECLARED[name]
    words = told(example)
    assert missing(example, words) == [], words
    assert "which nothing declares; " in words
    (function,) = {call[1] for one in seen if (call := clang.UNDECLARED.search(one.words))}
    language = remarks().undeclared[rule].language or "BCC"
    assert clang.mend_of(function, language)[0] == rule


@pytest.mark.parametrize("name", TELLING)
def test_a_warning_that_tells_what_is_wrong(name, seen):
    rule, example = TELLING[name]
    words = told(example)
    assert missing(example, words) == [], words
    assert rule in {by(one.words) for one in seen if one.kind == "warning"}


HEADERS = {
    "BCC": '#include "parse.h"\n#include <uapi/linux/tcp.h>\n',
    "libbpf": "".join(
        f"#include <{name}>\n"
        for name in ("linux/bpf.h", "bpf/bpf_helpers.h", "linux/if_ether.h", "linux/ip.h")
    )
    + "".join(f"#include <linux/{name}.h>\n" for name in ("ipv6", "tcp", "udp", "icmp")),
}
MEMBERS = [
    (language, name.removeprefix("members-of-"))
    for name, rule in remarks().plain.items()
    if name.startswith("members-of-")
    for language in HEADERS
    if rule.is_of(language)
]


@pytest.mark.parametrize(("language", "struct"), MEMBERS)
def test_the_members_that_are_named_are_there(language, struct):
    words = remarks().plain[f"members-of-{struct}"].plain.partition("; it has ")[2]
    members = re.findall(r"[\w.]+", words.partition(":")[0].replace(" and ", ", "))
    assert len(members) > 1
    takes = "".join(f"\t(void)one->{member};\n" for member in members)
    section = 'SEC("xdp")\n' if language == "libbpf" else ""
    Program(
        "takes",
        f"{HEADERS[language]}{section}int takes(struct xdp_md *ctx)\n{{\n"
        f"\tstruct {struct} *one = (void *)ctx;\n{takes}\treturn XDP_PASS;\n}}\n",
    )


def by(words: str) -> str:
    """The entry by which a warning is telling."""
    rules: list[Telling] = list(remarks().telling.values())
    return next((rule.name for rule in rules if rule.pattern.search(words)), "")


@pytest.mark.parametrize("part", ["plain", "undeclared", "telling"])
def test_every_entry_has_an_example(part):
    assert [name for name, rule in getattr(remarks(), part).items() if not rule.examples] == []

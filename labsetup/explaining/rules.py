"""refusals.toml and remarks.toml, read and checked.

What an entry may have is what the classes here have; what each means is said at the top of the
files themselves.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any

from ..errors import LabError

FOLDER = Path(__file__).parent

# What the sentences of an entry that code finds may name: access.py.
BY_CODE = {"offset", "size", "proved", "end", "before", "helper", "line", "name"}
PATTERNS = {"pattern", "sign", "line"}


@dataclass(frozen=True)
class Example:
    """What is refused, or remarked on, and words that are then told."""

    says: list[str]
    what: str = ""
    before: str = ""
    body: str = ""
    program: str = ""
    log: str = ""
    at: str = ""
    warned: bool = False


@dataclass(frozen=True)
class Refusal:
    """How the verifier says it, what is wrong, what mends it."""

    name: str
    examples: list[Example]
    wrong: str = ""
    mend: str = ""
    pattern: re.Pattern[str] | None = None
    of: list[str] | None = None
    sign: re.Pattern[str] | None = None
    line: re.Pattern[str] | None = None


@dataclass(frozen=True)
class Plainer:
    """How clang says it, and what would help more."""

    name: str
    examples: list[Example]
    pattern: re.Pattern[str]
    plain: str
    line: re.Pattern[str] | None = None
    language: str = ""

    def is_of(self, language: str) -> bool:
        """Whether it is said of C in this language, BCC's or libbpf's."""
        return self.language in ("", language)


@dataclass(frozen=True)
class Undeclared:
    """The name of a function that nothing declares, and what mends it."""

    name: str
    examples: list[Example]
    mend: str
    pattern: re.Pattern[str] | None = None
    language: str = ""


@dataclass(frozen=True)
class Telling:
    """A warning of what changes what a program does."""

    name: str
    examples: list[Example]
    pattern: re.Pattern[str]


@dataclass(frozen=True)
class Remarks:
    """The three parts of remarks.toml, each by the names of its entries."""

    plain: Mapping[str, Plainer]
    undeclared: Mapping[str, Undeclared]
    telling: Mapping[str, Telling]


@cache
def refusals(path: Path = FOLDER / "refusals.toml") -> Mapping[str, Refusal]:
    """The verifier's refusals by name, in the order in which they are tried.

    Raises:
        LabError: names the file, the entry and what is wrong with it.
    """
    rules = _entries(f"{path.name}, ", Refusal, _read(path))
    for rule in rules.values():
        if unknown := set(rule.of or []) - rules.keys():
            raise LabError(f"{path.name}, {rule.name}: there is no entry {min(unknown)}, as in of")
        if not (rule.wrong or rule.mend or rule.of):
            raise LabError(f"{path.name}, {rule.name}: it has neither wrong nor mend")
        if rule.of and not (rule.sign or rule.line):
            raise LabError(f"{path.name}, {rule.name}: with of there is to be a sign or a line")
    return rules


@cache
def remarks(path: Path = FOLDER / "remarks.toml") -> Remarks:
    """What is known of clang's remarks.

    Raises:
        LabError: names the file, the entry and what is wrong with it.
    """
    given = _read(path)
    parts = {"plain": Plainer, "undeclared": Undeclared, "telling": Telling}
    if given.keys() != parts.keys():
        has = ", ".join(given)
        raise LabError(f"{path.name}: its parts are {', '.join(parts)}, and it has {has}")
    return Remarks(
        **{
            part: _entries(f"{path.name}, {part}.", kind, given[part])
            for part, kind in parts.items()
        }
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise LabError(f"{path.name} is no TOML: {error}") from None


def _entries(where: str, kind: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _entry(f"{where}{name}", kind, name, entry) for name, entry in given.items()}


def _entry(where: str, kind: type[Any], name: str, given: Any) -> Any:
    if not isinstance(given, dict):
        raise LabError(f"{where}: an entry begins with its name in brackets, as in [{name}]")
    examples = [
        _example(f"{where}, example {number}", example)
        for number, example in enumerate(given.get("examples", []), 1)
    ]
    rule = _made(where, kind, {**given, "name": name, "examples": examples})
    known = _known(rule)
    for sentence in (getattr(rule, key, "") for key in ("wrong", "mend", "plain")):
        if unknown := set(_asked(where, sentence)) - known:
            raise LabError(
                f"{where}: a sentence names {{{min(unknown)}}}, and the pattern has no group of "
                f"that name; write (?P<{min(unknown)}>…) in it"
            )
    return rule


def _known(rule: Any) -> set[str]:
    """What its sentences may name: the groups of its pattern, and what code puts in."""
    known = set(rule.pattern.groupindex if rule.pattern else ())
    if {"offset", "size", "proved"} <= known:
        known.add("beyond")
    if {"offset", "size"} <= known:
        known.add("end")
    if getattr(rule, "sign", None):
        known |= {"line", "name"}
    if isinstance(rule, Refusal) and not (rule.pattern or rule.of):
        known |= BY_CODE
    if isinstance(rule, Plainer):
        known |= {name.upper() for name in known}
    if isinstance(rule, Undeclared):
        known |= {"name", "header"}
    return known


def _example(where: str, given: Any) -> Example:
    if not isinstance(given, dict):
        raise LabError(f"{where}: an example begins with [[…examples]], in two brackets")
    says = given.get("says")
    example: Example = _made(
        where, Example, given | {"says": [says]} if isinstance(says, str) else given
    )
    if not (example.body or example.program or example.log):
        raise LabError(f"{where}: it has neither a body, nor a program, nor a log")
    return example


def _made(where: str, kind: type[Any], given: dict[str, Any]) -> Any:
    """An object of this kind from what the file has for it."""
    keys = {one.name: one for one in fields(kind)}
    if unknown := given.keys() - keys.keys():
        raise LabError(f"{where}: there is no key {min(unknown)}; there are {', '.join(keys)}")
    needed = {name for name, one in keys.items() if one.default is MISSING}
    if missing := needed - given.keys():
        raise LabError(f"{where}: it has no {min(missing)}")
    values = {key: _value(f"{where}, {key}", key, value) for key, value in given.items()}
    return kind(**values)


def _value(where: str, key: str, value: Any) -> Any:
    if key in {"warned", "examples"}:
        return value
    if key in {"says", "of"}:
        if not (isinstance(value, list) and all(isinstance(one, str) for one in value)):
            raise LabError(f"{where}: it is to be a list of texts, in [ and ]")
        return value
    if key in PATTERNS and isinstance(value, list):
        value = "|".join(map(str, value))
    if not isinstance(value, str):
        raise LabError(f"{where}: it is to be a text in quotes")
    if key not in PATTERNS:
        return value
    try:
        return re.compile(value, re.DOTALL)
    except re.error as error:
        raise LabError(f"{where}: it is no regular expression: {error}") from None


def _asked(where: str, sentence: str) -> Iterator[str]:
    """The names in braces in a sentence."""
    try:
        for _, name, _, _ in Formatter().parse(sentence):
            if name is not None:
                yield name
    except ValueError as error:
        raise LabError(f"{where}: {error}; a brace that is meant is written twice") from None

"""What may stand at a place in a cell of C: clang knows, since it reads the cell and its headers.

Source: ``clang -cc1 -help``, -code-completion-at; how it writes a name is what
clang/lib/Sema/CodeCompleteConsumer.cpp prints.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ..compiling.clang import folders, is_libbpfs
from ..programs.sources import SOURCES

SECONDS = 2.0  # to wait for clang, which takes some 40 ms
PRELUDE = Path(__file__).with_name("bcc.h")
WORDS = Path(__file__).with_name("words.toml")

_OFFERED = re.compile(r"COMPLETION: (\w+)(?: \(.*?\))?(?: : (.*))?$", re.MULTILINE)
_METHOD = re.compile(r"(.*?) ?\(\*\)(\(.*\))$")  # a map's: a pointer to a function, in C's words


class Word(NamedTuple):
    """A name that may stand somewhere.

    Attributes:
        kind: ``function``, ``property`` and so on, for which JupyterLab has icons.
        declared: as C declares it; empty for a keyword or a macro without arguments.
        meaning: a sentence, or empty.
    """

    name: str
    kind: str
    declared: str = ""
    meaning: str = ""


@cache
def meanings() -> dict[str, str]:
    """A sentence for each name that XDP's C often has."""
    parts = tomllib.loads(WORDS.read_text())
    return {name: words for part in parts.values() for name, words in part.items()}


def words_at(source: str, line: int, column: int) -> list[Word]:
    """The names that may stand at a place; none when clang takes too long.

    Args:
        source: the C of a cell.
        line: counted from 1.
        column: of the name's first letter, in bytes, counted from 1.
    """
    bccs = ("-include", f"{SOURCES}/xdp.h", "-include", str(PRELUDE))
    command = [
        *("clang", "-x", "c", "-w", "-fsyntax-only", "-target", "bpf"),
        *(folders(source) if is_libbpfs(source) else (f"-I{SOURCES}", *bccs)),
        *("-Xclang", f"-code-completion-at=-:{line}:{column}", "-Xclang"),
        *("-code-completion-macros", "-"),
    ]
    try:
        ran = subprocess.run(
            command, input=source.encode(), capture_output=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return []
    offered = _OFFERED.findall(ran.stdout.decode(errors="replace"))
    return [_word(name, pattern) for name, pattern in offered if name != "Pattern"]


def _word(name: str, pattern: str) -> Word:
    """A name, and what clang writes of it: ``[#type#]name(<#parameter#>)``."""
    kind, _, rest = pattern.removeprefix("[#").rpartition("#]")
    plain = re.sub(r"\{#.*?#\}|<#|#>", "", rest)
    meaning = meanings().get(name, "")
    if method := _METHOD.match(kind):
        return Word(name, "function", _joined(method[1], name + method[2]), meaning)
    if "(" in plain:
        return Word(name, "function", _joined(kind, plain), meaning)
    if kind:
        return Word(name, "property", _joined(kind, name), meaning)
    return Word(name, "constant" if name.isupper() else "keyword", "", meaning)


def _joined(kind: str, name: str) -> str:
    return f"{kind}{'' if kind.endswith('*') or not kind else ' '}{name}"

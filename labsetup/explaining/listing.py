"""Which line of the reader's C an instruction, or a line of the rewritten C, comes from."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from . import SOURCES

# BCC's DEBUG_PREPROCESSOR and DEBUG_SOURCE: it prints the C as it rewrote it, and then each
# instruction under the line that it comes from.
TELL_ALL = 0x4 | 0x8

REMARK_OR_TEXT = re.compile(
    r"""/\*.*?\*/|//(?:\\\n|[^\n])*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL
)
FUNCTION = re.compile(
    r"\b(?!(?:if|for|while|switch)\b)(\w+)\s*\([^;{}()]*(?:\([^()]*\)[^;{}()]*)*\)\s*\{"
)
LOOP = re.compile(r"\b(?:for|while)\s*\(|\bdo\s*\{")
LOOP_HEAD = re.compile(r"\w+\s*\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)")


@dataclass(frozen=True)
class Place:
    """A line of C, as the reader would find it.

    Attributes:
        line: its number, from 1; 0 where that is not known.
        text: what stands there, without the space around it.
        file: a header's name; empty for the reader's own C.
    """

    line: int
    text: str
    file: str = ""

    def __str__(self) -> str:
        number = f"line {self.line}, " if self.line else ""
        return f"{self.file and self.file + ', '}{number}«{self.text}»"


def bare(source: str) -> str:
    """C with spaces for its remarks and texts, so that a word in them passes for nothing."""
    return REMARK_OR_TEXT.sub(lambda found: re.sub(r"\S", " ", found[0]), source)


def block_end(code: str, begin: int) -> int:
    """Behind the braces that are open there."""
    depth = 1
    for brace in re.finditer(r"[{}]", code[begin:]):
        depth += 1 if brace[0] == "{" else -1
        if not depth:
            return begin + brace.end()
    return len(code)


class Listing:
    """Where each instruction comes from, read out of what BCC prints with TELL_ALL.

    BCC rewrites C before it compiles it, and everybody after it counts lines of the result.

    Attributes:
        code: the reader's C without its remarks.
        headers: what it includes of the lab's headers, by name.
        before: what was said before the rewritten C: clang's remarks on the original.
        after: what was said behind it: the remarks on the rewritten C, and LLVM's.
        language: whose C it is.
    """

    language = "BCC"

    def __init__(self, source: str, function: str, told: str) -> None:
        """Read it.

        Args:
            source: the reader's C.
            function: the name of its program.
            told: what BCC printed; empty where it is not known, and then there are only the lines
                that the verifier quotes.
        """
        self.source, self.code = source, bare(source)
        self._lines, self._bare = source.splitlines(), self.code.splitlines()
        self.headers, self._function = _headers(source), function
        text, _, self.after = told.partition("#include <bcc/footer.h>")
        self.before, begin, text = text.partition("#if defined(BPF_LICENSE)")
        self._rewritten = (begin + text).splitlines()
        self._at: dict[int, tuple[int, str]] = {}  # instruction: line of the rewritten C, quoted
        self._loops: list[range] = []  # the instructions of each
        self._nowhere: list[tuple[int, str]] = []  # lines that call what the program has not
        _, _, code = told.partition(f"Disassembly of function {function}\n")
        self._read(code.partition("Disassembly of function")[0])

    def _read(self, code: str) -> None:
        here = None
        for line in code.splitlines():
            if found := re.match(r"; (.*?)\s*// Line\s+(\d+)", line):
                here = int(found[2]), found[1].strip()
            elif (found := re.match(r"\s*(\d+):\s.*?(?:goto (-\d+))?$", line)) and here:
                number = int(found[1])
                self._at[number] = here
                if line.endswith("call -1"):
                    self._nowhere.append(here)
                if found[2]:
                    self._loops.append(range(number + 1 + int(found[2]), number + 1))

    def original(self, line: int) -> int:
        """The number of a line of the rewritten C in the reader's; 0 if it is none of theirs."""
        strip = str.strip
        matcher = SequenceMatcher(
            None, [*map(strip, self._lines)], [*map(strip, self._rewritten)], autojunk=False
        )
        for _, i1, i2, j1, j2 in matcher.get_opcodes():
            if j1 <= line - 1 < j2 and i2 > i1:
                return min(i1 + line - j1, i2)
        return 0

    def text(self, line: int) -> str:
        """A line of the reader's C."""
        return self._lines[line - 1].strip() if 0 < line <= len(self._lines) else ""

    def of_code(self, at: int) -> Place:
        """The line of a character of *code*."""
        line = self.code.count("\n", 0, at) + 1
        return Place(line, self.text(line))

    def of_refusal(self, log: str, loop: bool) -> Place | None:
        """The line whose instruction the verifier refused.

        Args:
            log: the verifier's; empty where it does not count.
            loop: it is the number of a loop's turns that was refused: then the loop's line.
        """
        named = re.findall(r"(?:at|unreachable|from) insn (\d+)", log)
        walked = re.findall(r"^(\d+): \([0-9a-f]{2}\)", log, re.MULTILINE)
        last = int((named or walked or [-1])[-1])
        around = [one for one in self._loops if last in one]
        if loop or not (named or walked):
            loops = [n for n, line in enumerate(self._bare, 1) if LOOP.search(line)]
            if len(loops) == 1:
                return Place(loops[0], self.text(loops[0]))
            if self._loops:
                return self._loop((around or self._loops)[-1])
        found = self._at.get(last)
        return self.place(*found) if found else self.quoted(log)

    def _loop(self, loop: range) -> Place | None:
        """Where the reader's C has a loop; not every line of it has an instruction of its own."""
        places = [self.place(*self._at[number]) for number in loop if number in self._at]
        own = [place.line for place in places if place.line and not place.file]
        for line in range(min(own, default=0), 0, -1):
            if line <= len(self._bare) and LOOP.search(self._bare[line - 1]):
                return Place(line, self.text(line))
        return places[0] if places else None

    def call_to_nowhere(self) -> Place | None:
        """The line that calls a function which is declared somewhere, and not in the program."""
        return self.place(*self._nowhere[0]) if self._nowhere else None

    def only(self, sign: str | re.Pattern[str]) -> Place | None:
        """The line of this sign, a regular expression, or of its group, if there is one such."""
        starts = [one.start(one.lastindex or 0) for one in re.finditer(sign, self.code, re.M)]
        found = list({self.of_code(start) for start in starts})
        return found[0] if len(found) == 1 else None

    def at(self, instruction: int) -> Place | None:
        """The line that an instruction comes from."""
        found = self._at.get(instruction)
        return self.place(*found) if found else None

    def comparing(self, instructions: list[int], sign: str) -> Place | None:
        """The line of the last of these comparisons with the packet's end, if clang tells it."""
        *others, here = map(self.at, instructions)
        here = None if here in others else here
        whole = (
            rf"{sign}[^;{{}}]*\bend\b|\b(?:\w+->)?(?:data_)?end\s*{sign}|{sign}[^;{{}}]*data_end"
        )
        if here and not here.file and re.search(whole, here.text) and not LOOP.match(here.text):
            return here
        return self.only(whole)

    def recursion(self) -> tuple[str, Place] | None:
        """A function that calls itself, at once or by others, and a line on which it does so."""
        bodies = {}
        for head in FUNCTION.finditer(self.code):
            bodies[head[1]] = range(head.end(), block_end(self.code, head.end()))
        calls = {
            name: {
                other: found.start()
                for other in bodies
                for found in re.finditer(rf"\b{other}\s*\(", self.code)
                if found.start() in body
            }
            for name, body in bodies.items()
        }

        def reached(name: str) -> set[str]:
            found, waiting = set[str](), [name]
            while waiting:
                new = calls.get(waiting.pop(), {}).keys() - found
                found |= new
                waiting += new
            return found

        for name in sorted(reached(self._function) | {self._function}):
            if name in reached(name):
                return name, self.of_code(min(calls[name].values()))
        return None

    def declared(self, name: str, above: int) -> Place | None:
        """The last line above another one that declares a variable of this name."""
        kind = r"(?:struct\s+)?(?!return\b)\w+"
        sign = re.compile(rf"(?:^|[;{{}}])\s*{kind}\s+{name}\s*(?:[=,].*)?;")
        found = [n for n, line in enumerate(self._bare[:above], 1) if sign.search(line)]
        return Place(found[-1], self.text(found[-1])) if found else None

    def in_a_loop(self, place: Place | None) -> bool:
        """Whether that line lies in a loop of the reader's C, or may do so."""
        if place is None or not place.line or place.file:
            return LOOP.search(self.code) is not None
        above = "\n".join(self._bare[: place.line])
        return any(
            above.count("{", one.start()) > above.count("}", one.start())
            or ";" not in LOOP_HEAD.sub("", above[one.start() :], count=1).rstrip(" ;")
            for one in LOOP.finditer(above)
        )

    def place(self, line: int, quoted: str) -> Place:
        """A line of the rewritten C, as the reader would find it."""
        there = self._rewritten[line - 1].strip() if line <= len(self._rewritten) else ""
        if there != quoted:  # then it is a line of a header
            for path in sorted(SOURCES.glob("*.h")):
                lines = path.read_text().splitlines()
                if line <= len(lines) and lines[line - 1].strip() == quoted:
                    return Place(line, quoted, path.name)
            return Place(0, quoted)
        number = self.original(line)
        return Place(number, self.text(number) or quoted)

    def quoted(self, log: str) -> Place | None:
        """By what the verifier itself quotes, for a log without instructions to go by."""
        quoted = re.findall(r"^; (.*?)(?: @ .*)?$", log, re.MULTILINE)
        if not quoted:
            return None
        text = quoted[-1].strip()
        sources = {"": self._lines}
        sources |= {name: header.splitlines() for name, header in self.headers.items()}
        found = [
            Place(number, text, file)
            for file, lines in sources.items()
            for number, line in enumerate(lines, 1)
            if line.strip() == text
        ]
        return found[0] if len(found) == 1 else Place(0, text)


def _headers(text: str) -> dict[str, str]:
    """The headers of bpf/ that C includes, and those that they include, by name."""
    found: dict[str, str] = {}
    waiting = [text]
    while waiting:
        for name in re.findall(r'^\s*#\s*include "([\w.]+)"', waiting.pop(), re.MULTILINE):
            if name not in found and (SOURCES / name).is_file():
                found[name] = (SOURCES / name).read_text()
                waiting.append(found[name])
    return found

"""Answers that are kept as what they change: the files mistakes.diff and also_right.diff.

Such a file has a block for each answer, in a form that editors colour as a diff:

    # the bit in host byte order => its flags 0x0080
    -	if (dns->flags & htons(0x8000))
    +	if (dns->flags & 0x8000)

Behind ``=>`` stand words that the check's reply to this answer must have; an answer that is right
has none.  The lines are whole lines of the solution, with as much context as they need to stand in
it once; ``@@`` separates two places.  A line ``from starter.c`` below the ``#`` says that the block
begins with another file than the solution: one of the exercise's folder, or of the lab's ``bpf/``.
Without a diff below it, that file is the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import LabError

REPOSITORY = Path(__file__).parents[2]

Line = tuple[str, str]  # its sign, one of "-", "+" and " ", and the line itself


@dataclass
class Hunk:
    """Lines that change in one place.

    Attributes:
        number: of its first line in the file.
        lines: with their signs.
    """

    number: int
    lines: list[Line] = field(default_factory=list)

    def before(self) -> list[str]:
        """What stands in the file that it changes."""
        return [line for sign, line in self.lines if sign != "+"]

    def after(self) -> list[str]:
        """What is to stand there."""
        return [line for sign, line in self.lines if sign != "-"]


@dataclass
class Block:
    """One answer, as the file has it.

    Attributes:
        number: of its first line in the file.
        kind: what it does otherwise, in words.
        says: words of the check's reply.
        base: the file that it begins with; the solution, if empty.
        hunks: what it changes there.
    """

    number: int
    kind: str
    says: str
    base: str = ""
    hunks: list[Hunk] = field(default_factory=list)


def malformed(path: Path, number: int, what: str) -> LabError:
    """An error in a file that belongs to an exercise.

    Args:
        path: of the file.
        number: of the line; 0, if it is about the file as a whole.
        what: is wrong, and what to do about it.
    """
    shown = path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path
    return LabError(f"{shown}{f', line {number}' if number else ''}: {what}")


def blocks(path: Path, replies: bool) -> list[Block]:
    """Read a file of answers.

    Args:
        path: of the file.
        replies: whether each has words of the check's reply.

    Raises:
        LabError: naming the line that is not as it should be.
    """
    found: list[Block] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("# "):
            found.append(_begun(path, number, line, replies))
            if found[-1].kind in {block.kind for block in found[:-1]}:
                raise malformed(path, number, "there is an answer of this name already; rename one")
        elif line and not found:
            raise malformed(path, number, 'a block begins with "# ", and a name for the answer')
        elif found:
            _add(path, number, line, found[-1])
    for block in found:
        for hunk in block.hunks:
            while hunk.lines and hunk.lines[0] == (" ", ""):  # what separates two blocks
                del hunk.lines[0]
                hunk.number += 1
            while hunk.lines and hunk.lines[-1] == (" ", ""):
                del hunk.lines[-1]
        block.hunks = [hunk for hunk in block.hunks if hunk.lines]
    return found


def _begun(path: Path, number: int, line: str, replies: bool) -> Block:
    kind, arrow, says = (part.strip() for part in line[2:].partition("=>"))
    if replies and not says:
        what = "the words of the reply are missing; write «# what is wrong => words»"
        raise malformed(path, number, what)
    if arrow and not replies:
        raise malformed(
            path, number, "an answer that is right has no reply; leave out what => adds"
        )
    return Block(number, kind, says)


def _add(path: Path, number: int, line: str, block: Block) -> None:
    """Take a line below the first of a block."""
    if line.startswith("from ") and not block.hunks:
        block.base = line[5:].strip()
    elif line.startswith("@@"):
        block.hunks.append(Hunk(number + 1))
    elif not line or line[0] in "-+ ":  # editors take the one space of an empty line away
        if not block.hunks:
            block.hunks.append(Hunk(number))
        block.hunks[-1].lines.append((line[:1] or " ", line[1:]))
    else:
        what = 'a line begins with "# ", "-", "+", a space, or "@@"; or it is «from FILE»'
        raise malformed(path, number, what)


def answers(path: Path, solution: Path, replies: bool) -> Iterator[tuple[str, str, str]]:
    """The answers of a file in full.

    Args:
        path: of the file.
        solution: the file that most of them change.
        replies: whether each has words of the check's reply.

    Yields:
        for each its kind, its text, and the words of the reply.

    Raises:
        LabError: naming the line that is not as it should be.
    """
    for block in blocks(path, replies):
        base = _base(path, block) if block.base else solution
        if not (block.hunks or block.base):
            raise malformed(path, block.number, "it changes nothing; give its - and + lines")
        yield block.kind, applied(path, block, base), block.says


def _base(path: Path, block: Block) -> Path:
    folder = REPOSITORY if block.base.startswith("bpf/") else path.parent
    if not (base := folder / block.base).is_file():
        raise malformed(path, block.number + 1, f"there is no file {block.base}; check its name")
    return base


def applied(path: Path, block: Block, base: Path) -> str:
    """A file as a block changes it."""
    old = base.read_text().splitlines()
    new: list[str] = []
    done = 0
    for hunk in block.hunks:
        place = _place(path, hunk, old, base)
        if place < done:
            raise malformed(path, hunk.number, f"put its places in the order of {base.name}")
        before = hunk.before()
        new += old[done:place] + hunk.after()
        done = place + len(before)
    return "".join(f"{line}\n" for line in new + old[done:])


def _place(path: Path, hunk: Hunk, old: list[str], base: Path) -> int:
    """The number of the line, from 0, at which a hunk's lines stand."""
    before = hunk.before()
    if not before:
        what = f"nothing says where; add a line of {base.name} above it or below it"
        raise malformed(path, hunk.number, what)
    ends = len(old) - len(before) + 1
    places = [at for at in range(ends) if old[at : at + len(before)] == before]
    if not places:
        what = (
            f"{base.name} has no such lines; copy them from there, without those that begin with +"
        )
        raise malformed(path, hunk.number, what)
    if len(places) > 1:
        what = f"{base.name} has these lines {len(places)} times; add one above or below them"
        raise malformed(path, hunk.number, what)
    return places[0]

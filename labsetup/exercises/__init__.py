"""The exercises, one file each, and the few words in which their checks are written.

A file ``ex_2_1.py`` holds the exercise 2.1 as plain data and one function:

    TITLE, TEXT     what the notebook says
    NAME            what the answer is called: a program, or a Python function
    STARTER         what the reader begins with, C or Python
    STARTER_SAYS    words with which the check refuses the starter
    HINTS           three, from a nudge to nearly the answer
    SOLUTION        one right answer
    COMPARE         what to look at when one's own answer works and this one is there
    NEXT            what is worth trying then
    NEAR_MISSES     honest mistakes: what is wrong: (the answer, words of the check's reply);
                    the answer whole, or as replacements (old, new) in the solution
    ALTERNATIVES    other right answers, in the same two forms
    check(answer)   returns when the answer is right, raises Wrong when it is not

A check looks at what an answer does, never at how it is written. It runs in a process with a
sandbox of its own: it may make a network, and need not clean up. Its first packet should be the one
that most wrong answers get right, and the packet on which a known mistake shows comes before those
that it merely breaks, so that the thought fits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from scapy.packet import Packet

from ..hosts import cpus
from ..museum import HALLS, exhibit
from ..packets import Ether, Field, compare, frame
from ..program import VERDICTS, Program, Run
from ..sandbox import LabError

LESSONS = {
    1: "Pass", 2: "Drop", 3: "Count ICMP", 4: "Look inside", 5: "Send it back",
    6: "Consistent hashing", 7: "Load balancer", 8: "Without a load balancer",
}  # fmt: skip

Edits = Sequence[tuple[str, str]]
Case = tuple[str, Packet | bytes, str, str]  # a packet in words, itself, its verdict, a thought

ABORTED, DROP, PASS, TX, REDIRECT = VERDICTS

ROUND = 300_000  # longer than a CPU gives its time to one, so that two do meet
LOST = "Some additions are lost: the CPUs share one number."
WRITTEN = (
    "Your program has written into a packet that is to go on as it came. Does it write before all "
    "questions are asked? Or does a question itself write, with = where == is meant?"
)


@dataclass
class Wrong(Exception):
    """Where an answer differs from what was asked.

    Raised from an error of the reader's Python, it is told with that error and its line.

    Attributes:
        sent: what the answer was tried with.
        expected: what should have come of it.
        happened: what did.
        think: one thought to follow; never the solution.
        differs: header fields, as expected and as they came.
    """

    sent: str
    expected: str
    happened: str
    think: str
    differs: Sequence[Field] = field(default_factory=tuple)


def expect(
    program: Program,
    what: str,
    packet: Packet | bytes,
    verdict: str,
    think: str,
    after: Packet | bytes | None = None,
) -> Run:
    """Run a program on a packet.

    Args:
        program: the reader's.
        what: the packet in words.
        packet: what goes in.
        verdict: what must come out, such as ``"XDP_DROP"``.
        think: the thought for those whose program does something else.
        after: the frame that must come out with it; the same one, if None.
    """
    run = program.run(packet)
    sent = f"{what} ({len(run.before)} bytes)"
    if run.verdict != verdict:
        raise Wrong(sent, verdict, run.verdict, think)
    wanted = run.before if after is None else frame(after)
    if verdict not in (DROP, ABORTED) and run.after != wanted:
        differs = [one for one in compare(wanted, run.after) if one.changed and not _alike(one)]
        told = [
            f"{verdict}, {len(raw)} bytes: {Ether(raw).summary()}" for raw in (wanted, run.after)
        ]
        raise Wrong(sent, *told, WRITTEN if after is None else think, differs)
    return run


def _alike(field: Field) -> bool:
    """Whether a checksum is what it should be, and wrong only since another field is."""
    return field.before.partition(" (")[0] == field.after.partition(" (")[0]


def expect_each(program: Program, cases: Sequence[Case]) -> None:
    """Run a program on one packet after another; the first that goes wrong is told."""
    for case in cases:
        expect(program, *case)


def equal(sent: str, what: str, expected: object, happened: object, think: str) -> None:
    """Compare two values, such as a count in a map."""
    if expected != happened:
        raise Wrong(sent, f"{what} {expected}", f"{what} {happened}", think)


def summed(one: Any) -> int:
    """A map's value as one number: of a per-CPU value the sum of its copies."""
    return int(getattr(one, "sum", one))


def at_once(program: Program, what: str, packet: Packet | bytes) -> tuple[str, int]:
    """Run a program on several CPUs at the same time; one CPU alone loses no addition.

    Returns:
        what was sent, in words, and how many times.
    """
    together = cpus()[:4]
    program.run(packet, repeat=ROUND, cpus=together)
    words = f"{what}, {ROUND:,} times on each of {len(together)} CPUs at once"
    return words, ROUND * len(together)


def diagnosed(number: str, diagnoses: Any) -> None:
    """Compare what a reader says of a hall's rooms with what is in them.

    Args:
        number: of the exercise, which is the hall's as well.
        diagnoses: a name of a failure for each room.
    """
    hall = HALLS[number]
    first, *_, last = hall.rooms
    offered = ", ".join(f"«{one.name}»" for one in hall.failures)
    named = {_plain(one.name): one for one in hall.failures}
    if not isinstance(diagnoses, dict):
        think = "Does your function return what it found?"
        raise Wrong("your function", "a dict of rooms and diagnoses", repr(diagnoses), think)
    if not set(hall.rooms) & set(diagnoses):
        think = "A room is a number, without quotation marks."
        raise Wrong("your function", f"keys from {first} to {last}", f"{list(diagnoses)}", think)
    for room, right in hall.rooms.items():
        said = diagnoses.get(room)
        suspect = named.get(_plain(said))
        if suspect and suspect.name == right:
            continue
        if suspect is None:
            think = f"exhibit({room}) builds it. Look round there before you judge."
            raise Wrong(f"room {room}", f"one of {offered}", f"{said!r}", think)
        seen = suspect.look(exhibit(room))
        think = "So it is not that. What do you see in its place, and which failure leaves that?"
        raise Wrong(f"room {room}: «{suspect.name}»", suspect.shows, seen, think)


def _plain(said: object) -> str:
    """A diagnosis in lower case and without needless spaces."""
    return " ".join(str(said).split()).casefold()


@dataclass(frozen=True)
class Exercise:
    """One of them, as the machinery sees it."""

    id: str
    module: ModuleType

    def __getattr__(self, name: str) -> Any:  # title, text, starter: as the file has them
        return getattr(self.module, name.upper())

    @property
    def lesson(self) -> int:
        """The notebook that it belongs to."""
        return int(self.id.partition(".")[0])

    @property
    def suffix(self) -> str:
        """``".py"`` where the answer is a Python function, else ``".c"``."""
        return ".py" if f"def {self.name}(" in self.solution else ".c"

    @property
    def markdown(self) -> str:
        """What the notebook says, as one cell of text."""
        return f'### {self.id} {self.title}\n\n{self.text.strip()} (Stuck? `hint("{self.id}")`.)'

    @property
    def cell(self) -> str:
        """What the reader begins with, as one cell of code that checks itself."""
        magic = f"%%xdp {self.name} --check {self.id}\n" if self.suffix == ".c" else ""
        return magic + self.starter.rstrip()

    @property
    def check(self) -> Callable[[Any], None]:
        """What tells right from wrong."""
        return self.module.check

    def answer(self, given: str | Edits) -> str:
        """A near-miss or an alternative in full."""
        if isinstance(given, str):
            return given
        text = self.solution
        for old, new in given:
            if text.count(old) != 1:
                raise ValueError(f"{self.id}: {old!r} is {text.count(old)} times in the solution")
            text = text.replace(old, new)
        return text


@cache
def every() -> dict[str, Exercise]:
    """All exercises by their number, in the order of the course."""
    names = [path.stem for path in Path(__file__).parent.glob("ex_*.py")]
    numbers = sorted(tuple(map(int, name.split("_")[1:])) for name in names)
    return {
        f"{lesson}.{number}": Exercise(
            f"{lesson}.{number}", import_module(f"{__name__}.ex_{lesson}_{number}")
        )
        for lesson, number in numbers
    }


def find(number: str) -> Exercise:
    """The exercise with this number.

    Raises:
        LabError: naming those that there are.
    """
    exercises = every()
    if str(number) in exercises:
        return exercises[str(number)]
    lesson = str(number).partition(".")[0]
    near = [i for i in exercises if i.startswith(f"{lesson}.")]
    if near:
        raise LabError(f"there is no exercise {number}; lesson {lesson} has {', '.join(near)}")
    first, *_, last = exercises
    raise LabError(f"there is no exercise {number}; they have numbers from {first} to {last}")

"""What a check says."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from ..packets.fields import Field


def printable(text: str) -> str:
    """A text without what would act on a terminal: control characters are named."""
    kept = (c if c.isprintable() or c.isspace() else ascii(c)[1:-1] for c in text)
    return "".join(" " if c.isspace() else c for c in kept)


@dataclass(frozen=True)
class Reply:
    """What a check says.

    Attributes:
        exercise: its number.
        title: its name.
        ok: whether the answer is right.
        rows: what was sent, expected, and what happened, by those names.
        differs: header fields, as expected and as they came.
        think: one thought to follow, or what to try next.
        hints: those that were opened before; they stay in sight until the answer is right.
    """

    exercise: str
    title: str
    ok: bool
    rows: tuple[tuple[str, str], ...] = ()
    differs: Sequence[Field] = ()
    think: str = ""
    hints: Sequence[str] = ()

    @property
    def headline(self) -> str:
        """The exercise and the judgement."""
        return f"{self.exercise} {self.title}: {'right' if self.ok else 'not yet'}"

    @property
    def lines(self) -> list[tuple[str, str]]:
        """All there is to say, a word for the margin and a text each."""
        fields = [
            ("differs", f"{one.layer} {one.name}: {one.after}, expected {one.before}")
            for one in self.differs
        ]
        last = [("try" if self.ok else "think", self.think)] if self.think else []
        told = [(f"hint {number}", text) for number, text in enumerate(self.hints, 1)]
        return [*self.rows, *fields, *last, *told]

    @property
    def message(self) -> str:
        """The same in one line, without the thought."""
        rows = [
            f"{word}: {text}" for word, text in self.lines[: len(self.rows) + len(self.differs)]
        ]
        return "; ".join([self.headline, *rows])

    def as_json(self) -> str:
        """All of it, for another process."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Reply:
        """The same, as it came from there."""
        # What an answer raises may hold halves of characters, which nobody can print.
        kept = json.loads(json.dumps(json.loads(text), ensure_ascii=False).encode(errors="replace"))
        return cls(
            exercise=str(kept["exercise"]),
            title=str(kept["title"]),
            ok=kept["ok"] is True,
            rows=tuple((str(word), printable(str(said))) for word, said in kept["rows"]),
            differs=tuple(Field(**field) for field in kept["differs"]),
            think=printable(str(kept["think"])),
        )

    def __repr__(self) -> str:
        wrapped = [
            textwrap.fill(text, 96, initial_indent=f"  {word:9} ", subsequent_indent=" " * 12)
            for word, text in self.lines
        ]
        return "\n".join([self.headline, *wrapped])

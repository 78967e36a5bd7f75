"""What a kernel did: the table in which the steps of all its guests come together."""

from __future__ import annotations

from dataclasses import dataclass, field

from .inside import STEPS

WORDS = {True: "ok", False: "FAILED", None: "skipped"}
ORDER = {step.name: number for number, step in enumerate(STEPS)}


@dataclass
class Outcome:
    """What a kernel did.

    Attributes:
        release: as uname -r has it.
        how: whether the processor was emulated.
        guests: how many have run side by side.
        steps: of each step its name, whether all was well, or None where it was left out, seconds,
            and a line on it.
    """

    release: str
    how: str = ""
    guests: int = 1
    steps: list[tuple[str, bool | None, float, str]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether every step was well, or could be left out."""
        return len(self.steps) == len(STEPS) and all(step[1] is not False for step in self.steps)

    def __repr__(self) -> str:
        lines = [f"Linux {self.release}, {self.how}"]
        if self.guests > 1:
            lines.append(f"  {self.guests} guests ran side by side, each with steps of its own")
        width = max(map(len, ORDER))
        for name, ok, seconds, said in sorted(self.steps, key=lambda step: ORDER.get(step[0], -1)):
            lines.append(f"  {WORDS[ok]:7}  {name:{width}}  {seconds:5.0f} s  {said}")
        return "\n".join(lines)

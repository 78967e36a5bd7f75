"""The reader commits to an answer before a cell shows it, and is not held up without one."""

from __future__ import annotations

import re
from typing import Any

from ..arguments import checked
from ..errors import LabError
from ..plots.live import live


class Revealed:
    """A prediction beside what happened."""

    def __init__(self, words: str) -> None:
        self._words = words

    def __repr__(self) -> str:
        return self._words


class Prediction:
    """A question, with buttons for its answers or a box for a number.

    Attributes:
        question: as it was asked.
        choices: the answers to choose from; none where a number is asked for.
        unit: of the number, such as ``"%"``.
    """

    def __init__(self, question: str, choices: tuple[str, ...], unit: str) -> None:
        # Imported here: only notebooks that ask something wait for it.
        import ipywidgets

        self.question, self.choices, self.unit = question, choices, unit
        label = ipywidgets.Label(question)
        if choices:
            self._box = ipywidgets.ToggleButtons(options=choices, value=None)
            parts = [label, self._box]
        else:
            self._box = ipywidgets.Text(placeholder="a number", layout={"width": "120px"})
            parts = [label, ipywidgets.HBox([self._box, ipywidgets.Label(unit)])]
        live(ipywidgets.VBox(parts), {"text/plain": repr(self)})

    @property
    def value(self) -> str | float | None:
        """What was predicted so far."""
        if self.choices or not self._box.value:
            return self._box.value or None
        # 1,000 is a thousand and 0,5 a half; words such as "about" or "percent" may stand by.
        plain = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", self._box.value).replace(",", ".")
        numbers = re.findall(r"-?\d+(?:\.\d+)?", plain)
        return float(numbers[0]) if len(numbers) == 1 else self._box.value

    def _words(self, value: Any) -> str:
        number = isinstance(value, (int, float))
        return f"{value:g}{' ' if self.unit else ''}{self.unit}" if number else str(value)

    def reveal(self, value: Any) -> Revealed:
        """What was predicted and what happened."""
        if self.choices and value not in self.choices:
            raise LabError(
                f"«{self.question}» has no answer {value!r}: run the cell with the predict() that "
                "belongs to this one first"
            )
        is_so, guess = self._words(value), self.value
        if guess is None:
            return Revealed(f"the answer: {is_so}; you made no prediction")
        if guess == value:
            return Revealed(f"you predicted {is_so}, and so it is")
        return Revealed(f"you predicted {self._words(guess)}; the answer: {is_so}")

    def __repr__(self) -> str:
        answers = " / ".join(self.choices) or f"a number{f', in {self.unit}' if self.unit else ''}"
        return f"{self.question}\n  {answers}"


@checked
def predict(question: str, *choices: str, unit: str = "") -> Prediction:
    """Ask the reader for a prediction; `reveal` it after the cell that shows the answer.

    Args:
        question: what will happen?
        choices: the answers to choose from; without them, a number is asked for.
        unit: of the number, such as ``"%"``.
    """
    if len(choices) == 1 or not all(isinstance(one, str) for one in choices):
        raise LabError("predict() takes a question and at least two answers, or no answers")
    return Prediction(question, choices, unit)

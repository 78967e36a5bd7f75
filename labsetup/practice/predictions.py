"""The reader commits to an answer before a cell shows it, and is not held up without one."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

from ..arguments import checked
from ..errors import LabError
from ..network.session import current
from ..plots.live import live


class Revealed:
    """A prediction beside what happened."""

    def __init__(self, words: str) -> None:
        self._words = words

    def __repr__(self) -> str:
        return self._words


class _Kept(dict[str, Any]):
    """What was predicted and not yet revealed, by question: a cell that runs again keeps it."""


class _Choice:
    """A button for each answer.

    Attributes:
        value: the answer that was chosen; None as long as there is none.
    """

    def __init__(self, choices: tuple[str, ...], chosen: Callable[[Any], None]) -> None:
        # Imported here: only notebooks that ask something wait for it.
        import ipywidgets

        self.value: str | None = None
        self._chosen = chosen
        self._buttons = {
            one: ipywidgets.Button(description=one, layout={"width": "auto"}) for one in choices
        }
        for answer, button in self._buttons.items():
            button.add_class("xdp-lab-answer")  # JupyterLab then goes on to the next cell
            button.on_click(lambda _, answer=answer: self.choose(answer))
        self.widget = ipywidgets.HBox(list(self._buttons.values()), layout={"flex_flow": "wrap"})

    def choose(self, answer: str) -> None:
        """Press a button."""
        self.value = answer
        for one, button in self._buttons.items():
            button.button_style = "info" if one == answer else ""
        self._chosen(answer)

    def judge(self, answer: str) -> None:
        """Show which one is right."""
        if self.value not in (None, answer):
            self._buttons[str(self.value)].button_style = "warning"
        self._buttons[answer].button_style = "success"
        for button in self._buttons.values():
            button.disabled = True


class _Number:
    """A box for a number.

    Attributes:
        value: the number; what was typed, where it is none; None as long as it is empty.
    """

    def __init__(self, unit: str, chosen: Callable[[Any], None]) -> None:
        import ipywidgets

        self._box = ipywidgets.Text(placeholder="a number", layout={"width": "120px"})
        self._box.add_class("xdp-lab-number")  # likewise, when it is entered
        self._box.observe(lambda _: chosen(self.value), names="value")
        self.widget = ipywidgets.HBox([self._box, ipywidgets.Label(unit)])

    @property
    def value(self) -> str | float | None:
        # 1,000 is a thousand and 0,5 a half; words such as "about" or "percent" may stand by.
        plain = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", self._box.value).replace(",", ".")
        numbers = re.findall(r"-?\d+(?:\.\d+)?", plain)
        return float(numbers[0]) if len(numbers) == 1 else self._box.value or None

    def choose(self, answer: str | float) -> None:
        """Type something."""
        self._box.value = f"{answer:g}" if isinstance(answer, float) else answer

    def judge(self, answer: object) -> None:
        """Take no more."""
        self._box.disabled = True


class Prediction:
    """A question, with buttons for its answers or a box for a number.

    Attributes:
        question: as it was asked.
        choices: the answers to choose from; none where a number is asked for.
        unit: of the number, such as ``"%"``.
    """

    def __init__(self, question: str, choices: tuple[str, ...], unit: str) -> None:
        import ipywidgets

        self.question, self.choices, self.unit = question, choices, unit
        self._note = ipywidgets.HTML()
        self._box = _Choice(choices, self._noted) if choices else _Number(unit, self._noted)
        kept = current().one(_Kept).get(question)
        if kept is not None and (kept in choices or not choices):
            self._box.choose(kept)
        parts = [ipywidgets.Label(question), self._box.widget, self._note]
        live(ipywidgets.VBox(parts), {"text/plain": repr(self)})

    def _noted(self, value: str | float | None) -> None:
        current().one(_Kept)[self.question] = value
        number = self.choices or isinstance(value, float)
        if value is None:
            self._note.value = ""
        elif number:
            self._note.value = f"noted: {html.escape(self._words(value))}; go on to the next cell"
        else:
            self._note.value = "this is no number yet"

    @property
    def value(self) -> str | float | None:
        """What was predicted so far."""
        return self._box.value

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
        said = self._judged(value)
        current().one(_Kept).pop(self.question, None)
        self._box.judge(value)
        colour = "#007a5a" if self.value == value else "inherit"
        self._note.value = f'<b style="color:{colour}">{html.escape(said)}</b>'
        return Revealed(said)

    def _judged(self, value: Any) -> str:
        is_so, guess = self._words(value), self.value
        if guess is None:
            return f"the answer: {is_so}; you made no prediction"
        if guess == value:
            return f"you predicted {is_so}, and so it is"
        return f"you predicted {self._words(guess)}; the answer: {is_so}"

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

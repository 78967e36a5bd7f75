"""The reader predicts, and is told what happened."""

from __future__ import annotations

import pytest

from labsetup import LabError
from labsetup.practice.predictions import _Choice, predict

TYPED = {
    "20": "you predicted 20 %; the answer: 80 %",
    "2,5 %": "you predicted 2.5 %; the answer",
    "80 %": "you predicted 80 %, and so it is",
    "about 80 percent": "you predicted 80 %, and so it is",
    "1,000": "you predicted 1000 %; the answer",
    "2 or 3": "you predicted 2 or 3; the answer",
    "lots": "you predicted lots; the answer",
}


def test_a_prediction_is_asked_and_revealed():
    guess = predict("How many of 3 pings arrive?", "none", "all three")
    assert repr(guess) == "How many of 3 pings arrive?\n  none / all three"
    assert repr(guess.reveal("none")) == "the answer: none; you made no prediction"
    guess._box.choose("all three")
    assert repr(guess.reveal("none")) == "you predicted all three; the answer: none"
    assert repr(guess.reveal("all three")) == "you predicted all three, and so it is"
    share = predict("How many move?", unit="%")
    assert repr(share.reveal(80)) == "the answer: 80 %; you made no prediction"
    for typed, words in TYPED.items():
        share = predict("How many move?", unit="%")
        share._box.choose(typed)
        assert words in repr(share.reveal(80))
    with pytest.raises(LabError, match="run the cell with the predict"):
        guess.reveal("two")
    with pytest.raises(LabError, match="at least two answers"):
        predict("?", "only one")


def test_a_prediction_stays_when_its_cell_runs_again():
    first = predict("How many come back?", "none", "half")
    first._box.choose("half")
    assert "noted: half" in first._note.value
    again = predict("How many come back?", "none", "half")
    assert again.value == "half" and "noted" in again._note.value
    assert "you predicted half" in repr(again.reveal("none"))
    assert isinstance(again._box, _Choice)
    styles = {name: button.button_style for name, button in again._box._buttons.items()}
    assert styles == {"none": "success", "half": "warning"}
    assert predict("How many come back?", "none", "half").value is None  # it was revealed
    changed = predict("How many are lost?", "none", "half")
    changed._box.choose("half")
    assert predict("How many are lost?", "none", "all").value is None  # no answer any more


def test_a_number_stays_too_and_words_are_told_apart():
    share = predict("How many go?", unit="%")
    share._box.choose("twenty")
    assert "no number yet" in share._note.value
    share._box.choose("20 %")
    assert "noted: 20 %" in share._note.value
    again = predict("How many go?", unit="%")
    assert again.value == 20
    again.reveal(20)
    assert "and so it is" in again._note.value
    assert predict("How many go?", unit="%").value is None

"""The reader predicts, and is told what happened."""

from __future__ import annotations

import pytest

from labsetup import LabError
from labsetup.practice.predictions import predict

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
    guess._box.value = "all three"
    assert repr(guess.reveal("none")) == "you predicted all three; the answer: none"
    assert repr(guess.reveal("all three")) == "you predicted all three, and so it is"
    share = predict("How many move?", unit="%")
    assert repr(share.reveal(80)) == "the answer: 80 %; you made no prediction"
    for typed, words in TYPED.items():
        share._box.value = typed
        assert words in repr(share.reveal(80))
    with pytest.raises(LabError, match="run the cell with the predict"):
        guess.reveal("two")
    with pytest.raises(LabError, match="at least two answers"):
        predict("?", "only one")

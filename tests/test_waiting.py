"""A wait for clang says to a person what it is for; what compares outputs sees nothing of it."""

from __future__ import annotations

import types
from typing import Any

import pytest

from labsetup.compiling import bcc as compiling
from labsetup.compiling import waiting
from labsetup.compiling.waiting import saying, why_long
from labsetup.programs.build import build

SOURCE = '#include "xdp.h"\n\nint still(struct xdp_md *ctx)\n{\n\treturn XDP_PASS;\n}\n'


class Shown:
    """Stands for IPython's display(), and keeps what it was given."""

    def __init__(self) -> None:
        self.kernel = types.SimpleNamespace(_allow_stdin=True)
        self.texts: list[str] = []

    def __call__(self, data: dict[str, str], **options: Any) -> Shown:
        assert options["raw"]
        self.update(data, raw=True)
        return self

    def update(self, data: dict[str, str], raw: bool) -> None:
        assert raw
        self.texts.append(data["text/plain"])


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, by a kernel that could ask a person."""
    display = Shown()
    monkeypatch.setattr(waiting, "display", display)
    monkeypatch.setattr(waiting, "get_ipython", lambda: display)
    return display


def test_it_names_the_header_that_takes_so_long():
    words = why_long("mine", "#include <uapi/linux/ip.h>\n  # include <linux/ip.h>\n")
    assert words.startswith("clang reads <linux/ip.h> for mine")
    assert "<uapi/linux/…> take a second" in words
    assert why_long("mine", "#include <uapi/linux/ip.h>\n") == "clang is still at work on mine"


def test_the_line_comes_and_goes(shown, monkeypatch):
    monkeypatch.setattr(compiling, "SILENCE", 0.0)
    build("still", SOURCE, "still")
    assert shown.texts[:2] == ["clang is still at work on still", ""]
    assert shown.texts[-1] == ""


def test_a_short_wait_is_silent(shown, monkeypatch):
    monkeypatch.setattr(compiling, "SILENCE", 30.0)
    build("still", SOURCE, "still")
    assert shown.texts == []


def test_what_compares_outputs_sees_nothing(shown):
    shown.kernel._allow_stdin = False
    with saying("it takes long"):
        pass
    assert shown.texts == []


def test_it_goes_when_the_wait_is_broken_off(shown):
    with pytest.raises(KeyboardInterrupt), saying("it takes long"):
        raise KeyboardInterrupt
    assert shown.texts == ["it takes long", ""]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_in_a_terminal(is_terminal, monkeypatch, capsys):
    monkeypatch.setattr(waiting, "get_ipython", lambda: None)
    monkeypatch.setattr("sys.stderr.isatty", lambda: is_terminal)
    with saying("it takes long"):
        pass
    assert capsys.readouterr().err == ("it takes long\r\x1b[K" if is_terminal else "")

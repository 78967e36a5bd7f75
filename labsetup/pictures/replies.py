"""What a check says, a hint, and how far one is."""

from __future__ import annotations

import html

from ..plots.style import FAINT, INK, LINE, XDP
from ..practice.exercise import LESSONS, file_of, find
from ..practice.hints import Hint
from ..practice.progress import Progress
from ..practice.reply import Reply
from .code import code_html

RIGHT = "#009e73"


def reply_html(reply: Reply) -> str:
    """A reply with a bar in colour, and a sign besides."""
    rows = "".join(
        f'<div style="display:flex"><div style="flex:0 0 80px;color:{FAINT}">{word}</div>'
        f"<div>{html.escape(text)}</div></div>"
        for word, text in reply.lines
    )
    bar = RIGHT if reply.ok else XDP
    head = f"<b>{'✓' if reply.ok else '✗'} {html.escape(reply.headline)}</b>"
    return (
        f'<div style="border-left:4px solid {bar};padding:2px 10px;color:{INK}">{head}{rows}</div>'
    )


def hint_html(hint: Hint) -> str:
    """A hint; with the solution, its code in colours."""
    code = code_html(hint.code) if hint.code else ""
    return (
        f'<div style="border-left:4px solid {LINE};padding:2px 10px;color:{INK}">'
        f"<b>{html.escape(hint.title)}</b>{code}<div>{html.escape(hint.text)}</div></div>"
    )


def progress_html(progress: Progress) -> str:
    """A table: a row a lesson, a sign an exercise; both lead there."""
    rows = "".join(
        f'<tr><td style="text-align:left">{_lesson(lesson)}</td>'
        + "".join(f"<td>{_exercise(progress, number)}</td>" for number in numbers)
        + "</tr>"
        for lesson, numbers in progress.rows.items()
    )
    return f"<table>{rows}</table><p>{progress.legend}</p>"


def _lesson(number: int) -> str:
    return _link(file_of(number), f"{number:02} {LESSONS[number]}")


def _exercise(progress: Progress, number: str) -> str:
    one = find(number)
    place = f"{file_of(one.lesson)}#{one.anchor}"
    return f"{progress.sign(number)} {_link(place, number, one.title)}"


def _link(place: str, words: str, title: str = "") -> str:
    told = f' title="{html.escape(title)}"' if title else ""
    return f'<a href="{html.escape(place)}"{told}>{html.escape(words)}</a>'

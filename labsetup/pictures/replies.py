"""What a check says, a hint, and how far one is."""

from __future__ import annotations

import html
import re

from ..plots.style import FAINT, INK, LINE, XDP
from ..practice.exercise import LESSONS, file_of, find
from ..practice.hints import Hint
from ..practice.progress import Progress
from ..practice.reply import Reply
from .code import code_html

RIGHT = "#009e73"
# A name, and what leads on from it: a field, a call with brackets inside, an index.
_CODE = re.compile(
    r"`([^`]+)`|(?<![\w.])"
    r"([A-Za-z_]\w*(?:->[A-Za-z_]\w*|\.[A-Za-z_]\w*|\((?:[^()]|\([^()]*\))*\)|\[[^][]*\])*)"
)


def words_html(text: str) -> str:
    """A sentence in which code looks like code: `…`, and names with _, ->, (…) or […]."""

    def drawn(found: re.Match[str]) -> str:
        code = found[1] or (found[2] if re.search(r"\w_\w|->|[(\[]", found[2]) else "")
        return f"<code>{code}</code>" if code else found[0]

    return _CODE.sub(drawn, html.escape(text, quote=False).replace("-&gt;", "->"))


def reply_html(reply: Reply) -> str:
    """A reply with a bar in colour, and a sign besides."""
    rows = "".join(
        f'<div style="display:flex"><div style="flex:0 0 80px;color:{FAINT}">{word}</div>'
        f"<div>{words_html(text)}</div></div>"
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
        f"<b>{html.escape(hint.title)}</b>{code}<div>{words_html(hint.text)}</div></div>"
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

"""Answers in files: what is said of each, on the screen and in a table."""

from __future__ import annotations

import contextlib
import csv
import errno
import io
import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import LabError
from ..practice.judge import judge
from ..practice.reply import Reply, printable
from ..programs.sources import decoded
from ..streams import Printing
from .collected import Entry, Submission

LARGEST = 2**20  # bytes of an answer
FORMULA = ("=", "+", "-", "@")  # how a spreadsheet's formula begins
COLUMNS = ("student", "exercise", "ok", "message", "hint", "file")
HEADS = {COLUMNS, COLUMNS[:-1]}  # the second is that of tables before there was a file in them


def as_dict(reply: Reply) -> dict[str, Any]:
    """What programs want to know of a reply."""
    return {
        "exercise": reply.exercise,
        "ok": reply.ok,
        "message": reply.message,
        "hint": "" if reply.ok else reply.think,  # else it is what to try next
    }


def text_of(path: Path, links: bool = False) -> str:
    """An answer's text.

    Args:
        path: of the file.
        links: whether the path may lead elsewhere, and to a pipe; a student's would lead to
            another's answer, and a pipe's end would be waited for.

    Raises:
        LabError: when it is no file with an answer.
    """
    flags = os.O_RDONLY | os.O_NOCTTY
    if not (links and path.is_fifo()):
        flags |= os.O_NONBLOCK
    try:
        file = os.open(path, flags if links else flags | os.O_NOFOLLOW)
    except OSError as error:
        what = "a link" if error.errno == errno.ELOOP else f"not to be read ({error.strerror})"
        raise LabError(f"it is {what}; hand in a file") from None
    try:
        state = os.fstat(file)
        if not stat.S_ISREG(state.st_mode) and not (links and stat.S_ISFIFO(state.st_mode)):
            raise LabError("it is no file; hand in one")
        with open(file, "rb", closefd=False) as opened:
            text = opened.read(LARGEST + 1)
        if len(text) > LARGEST:
            size = f"{max(state.st_size, len(text)):,}"
            raise LabError(f"it has {size} bytes; hand in at most {LARGEST:,}")
        return decoded(text)
    except OSError as error:
        raise LabError(f"it is not to be read ({error.strerror}); hand in a file") from None
    finally:
        os.close(file)


def text_of_named(path: Path) -> str:
    """The text of a file that whoever typed the command has named.

    Raises:
        LabError: when there is none, or it is none with an answer.
    """
    if path.is_dir():
        raise LabError(f"{path} is a folder; name a file, or mark a class's folder with --all")
    try:
        path.stat()
    except FileNotFoundError:
        raise LabError(f"there is no file {path}; check the path") from None
    except OSError as error:
        raise LabError(f"{path} cannot be read: {error.strerror}") from None
    try:
        return text_of(path, links=True)
    except LabError as error:
        raise LabError(f"{path}: {error}") from None


def named(text: str) -> str:
    """A name in one line; two that differ are still two."""
    # A backslash would look like the beginning of what is named so.
    kept = (c if c.isprintable() else ascii(c)[1:-1] for c in text.replace("\\", "\\\\"))
    return "".join(kept)


def cell(text: str) -> str:
    """A text as a cell of a table, which no spreadsheet takes for a formula."""
    text = printable(text)
    # A mark that is in front already gets another: two names that differ are still two.
    return f"'{text}" if text.lstrip(" '").startswith(FORMULA) else text


def refuse_to_lose(table: Path, folder: Path, entries: Sequence[Entry]) -> None:
    """See that writing a table takes nothing away but a table.

    Args:
        table: where it is to be written.
        folder: the class's.
        entries: what is in it.

    Raises:
        LabError: when the table would lie in that folder, or over something else.
    """
    if table.resolve().is_relative_to(folder.resolve()):
        raise LabError(f"{table} is in the class's folder; give --csv a name outside of it")
    with contextlib.suppress(FileNotFoundError):  # what is new takes nothing away
        try:
            state = table.stat()
            if not stat.S_ISREG(state.st_mode):
                return  # a pipe, or a device
            for one in entries:
                if one.path.exists() and os.path.samestat(one.path.stat(), state):
                    raise LabError(f"{table} is {one.path}; give --csv another name")
            if os.path.samestat(os.fstat(1), state):
                raise LabError(f"{table} is what stdout goes to; give --csv another name")
            with table.open(encoding="utf-8", errors="replace", newline="") as file:
                head = file.readline(LARGEST)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise LabError(f"{table} cannot be written: {error.strerror}") from None
        if state.st_size and tuple(head.rstrip("\r\n").split(",")) not in HEADS:
            raise LabError(
                f"{table} is there, and is no table that lab check has written; "
                "give --csv another name, or delete that file"
            )


def remarks(entries: Sequence[Entry]) -> list[str]:
    """A sentence on each that is not marked, and on those of a student that answer one exercise."""
    told = dict[str, None]()
    for one in entries:
        if not isinstance(one, Submission):
            told[f"skipped {named(str(one.path))}: {printable(one.why)}"] = None
        elif one.remark:
            told[f"{named(one.student)}: each is {one.remark}; all are marked"] = None
    return list(told)


class _Screen:
    """Prints what is marked, as lines or as a JSON document."""

    def __init__(self, printing: Printing, is_json: bool) -> None:
        self._print, self._is_json, self._rows = printing, is_json, 0

    def show(self, row: dict[str, Any], state: str) -> None:
        if self._is_json:
            before = ",\n" if self._rows else "[\n"
            self._print(before + json.dumps(row, indent=2), end="")
        else:
            self._print(f"{named(row['student']):20} {row['exercise']:5} {state}")
        self._rows += 1

    def end(self, sentence: str) -> None:
        if self._is_json:
            self._print("\n]" if self._rows else "[]")
        else:
            self._print(sentence)


def mark(entries: Sequence[Entry], table: Path | None, is_json: bool = False) -> bool:
    """Check them all, print a line each, and write a table; True when all are right.

    A row is written as soon as its answer is judged: what comes later cannot lose it.

    Args:
        entries: the answers, and what is not marked, which has a row as well.
        table: where the rows go as CSV; None for nowhere.
        is_json: whether a JSON document is printed, and no lines.

    Raises:
        LabError: when the table cannot be written.
        StdoutBroken: when stdout cannot; the table is there.
    """
    right = unmarked = 0
    printing = Printing(goes_on=table is not None)
    screen = _Screen(printing, is_json)
    try:
        with table.open("w", newline="", encoding="utf-8") if table else io.StringIO() as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            file.flush()  # one that cannot be written is told before the first is judged
            for one in entries:
                row = _row(one)
                right += row["ok"] is True
                unmarked += row["ok"] is None
                texts = {name: "" if said is None else str(said) for name, said in row.items()}
                names = {name: named(texts[name]) for name in ("student", "file")}
                writer.writerow({name: cell(text) for name, text in (texts | names).items()})
                file.flush()
                screen.show(row, {True: "right", False: "not yet", None: "not marked"}[row["ok"]])
    except OSError as error:
        raise LabError(f"{table} cannot be written: {error.strerror}") from None
    also = f", {unmarked} not marked" if unmarked else ""
    screen.end(f"{right} of {len(entries) - unmarked} right{also}")
    printing.finish()
    return right == len(entries)


def _row(one: Entry) -> dict[str, Any]:
    if isinstance(one, Submission):
        row = {"student": one.student, **as_dict(_judged(one)), "file": one.file}
        if one.remark:
            row["message"] += f"; {one.remark}"
        return row
    told = {"exercise": one.exercise, "ok": None, "message": f"not marked: {one.why}", "hint": ""}
    return {"student": one.student, **told, "file": one.file}


def _judged(one: Submission) -> Reply:
    """What the check says; whatever an answer does to it, the next one's turn comes."""
    try:
        return judge(one.exercise, text_of(one.path), strangers=True)
    except LabError as error:
        said = str(error)
    except Exception as error:
        said = f"its check broke off: {type(error).__name__}: {error}"
    return Reply(one.exercise.id, one.exercise.title, False, (("happened", said),))

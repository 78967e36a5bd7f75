"""How far each reader is, out of their volumes.

A volume's content is a stranger's: root in a container may have written anything there.  So the
engine hands out one file of a bounded size, from a container that is never started and sees the
volumes read-only; no link on the way to it is followed; and of what is in it only the course's own
numbers and words are taken.  Source: docker's Engine API on GET /containers/{id}/archive.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..practice import exercise as exercises
from ..practice.diary import DONE, TRIED, UNREADABLE
from .engine import GONE, refusal
from .settings import NAME, READER

FOLDERS, FILE = ("", "/.state", "/.state/xdp-lab"), "/.state/xdp-lab/progress.json"
LARGEST = 64 * 1024  # bytes; a file in which everything is done has 3 KiB
HEADS = 10 * 1024  # of an archive, around its file
SYMLINK, FOLDER, NOT_REGULAR = 1 << 27, 1 << 31, 0x8F280000  # in Go's fs.FileMode


class Odd(Exception):
    """What is in a volume is not as the lab writes it; says how, for the teacher."""


@dataclass(frozen=True)
class Reader:
    """One of the room.

    Attributes:
        name: as they log in.
        runs: whether their server does.
        states: of each exercise that they touched, whether it is done or tried.
        notice: what is odd about their progress, in words; empty if nothing is.
    """

    name: str
    runs: bool
    states: dict[str, str]
    notice: str = ""


def room(client: Any, image: str) -> list[Reader]:
    """Everybody who has a volume, by name.

    Args:
        client: of docker's library, on docker's socket or podman's.
        image: any image that is there; nothing of it is run.
    """
    names = sorted(_names(one["Name"] for one in client.volumes()["Volumes"] or ()))
    if not names:
        return []
    running = set(_names(one for each in client.containers() for one in each["Names"]))
    binds = {f"{READER}-{name}": {"bind": _place(name), "mode": "ro"} for name in names}
    config = client.create_host_config(binds=binds, network_mode="none")
    options: dict[str, Any] = {"host_config": config, "volumes": [_place(name) for name in names]}
    container = client.create_container(image, ["doctor"], **options)["Id"]
    try:
        return [_reader(client, container, name, name in running) for name in names]
    finally:
        client.remove_container(container, v=True, force=True)


def _names(of_engine: Iterable[str]) -> Iterator[str]:
    """Readers' names out of the engine's names of containers or volumes."""
    for one in of_engine:
        if found := re.fullmatch(rf"/?{READER}-({NAME})", one):
            yield found[1]


def _place(name: str) -> str:
    return f"/readers/{name}"


def _reader(client: Any, container: str, name: str, runs: bool) -> Reader:
    try:
        found = _file(client, container, _place(name))
        return Reader(name, runs, understood(found) if found else {})
    except Odd as odd:
        return Reader(name, runs, {}, str(odd))


def _file(client: Any, container: str, place: str) -> bytes:
    """The file of progress; nothing where there is none yet."""
    try:
        for folder in FOLDERS:
            chunks, stat = client.get_archive(container, place + folder)
            chunks.close()
            if stat["mode"] & SYMLINK or not stat["mode"] & FOLDER:
                raise Odd("a link stands in the way to the file of progress")
        chunks, stat = client.get_archive(container, place + FILE)
    except Odd:
        raise
    except Exception as error:
        if refusal(error) == GONE:
            return b""
        if refusal(error):
            raise Odd(f"the engine does not read the file of progress: {error}") from None
        raise
    try:
        if stat["mode"] & NOT_REGULAR:
            raise Odd("what is in the place of the file of progress is no file")
        return unpacked(chunks)
    finally:
        chunks.close()


def unpacked(chunks: Iterable[bytes]) -> bytes:
    """The content of the one file in an archive, of which no more is read than need be.

    Raises:
        Odd: if it is no file, or too large.
    """
    archive = b""
    for chunk in chunks:
        archive += chunk
        if len(archive) > LARGEST + HEADS:
            break
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
            entry = tar.next()
            if entry is None or not entry.isreg():
                raise Odd("what is in the place of the file of progress is no file")
            if entry.size > LARGEST:
                raise Odd(f"the file of progress is larger than {LARGEST // 1024} KiB")
            content = tar.extractfile(entry)
            assert content  # a regular file has one
            return content.read(LARGEST)
    except (tarfile.TarError, OSError, *UNREADABLE):
        raise Odd("the engine gave no archive with the file of progress") from None


def understood(content: bytes) -> dict[str, str]:
    """The state of each exercise that the course has.

    Raises:
        Odd: if the file is not as the lab writes it.
    """
    try:
        kept = json.loads(content)["exercises"]
        states = {number: kept[number]["state"] for number in exercises.every() if number in kept}
    except UNREADABLE:
        raise Odd("the file of progress could not be understood") from None
    if not all(isinstance(one, str) and one in ("", TRIED, DONE) for one in states.values()):
        raise Odd("the file of progress has words that the lab does not write")
    return {number: state for number, state in states.items() if state}

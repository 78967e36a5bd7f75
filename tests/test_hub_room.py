"""The teacher's page: what a reader's volume may hold, and what is shown of it."""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest
from support.hub_engine import Refused

from labsetup.hub.readers import LARGEST, Odd, Reader, room, understood, unpacked
from labsetup.hub.room import page
from labsetup.hub.settings import READER
from labsetup.practice import exercise as exercises


def progress(**states: str) -> bytes:
    written = {
        number.replace("_", ".")[1:]: {"state": s, "hints": 0} for number, s in states.items()
    }
    return json.dumps({"version": 1, "exercises": written}).encode()


def test_of_a_file_the_courses_own_numbers_and_words_are_taken():
    content = progress(_1_1="done", _2_1="tried", _3_1="", _99_1="<script>")
    assert understood(content) == {"1.1": "done", "2.1": "tried"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"exercises": 1}',
        b'{"exercises": {"1.1": 7}}',
        b'{"exercises": {"1.1": {"state": ["done"]}}}',
        b'{"exercises": {"1.1": {"state": "<script>"}}}',
        b'{"exercises": {"1.1": {"state": ' + b"9" * 9999 + b"}}}",
        b"[" * 60_000,
    ],
)
def test_a_file_that_is_not_the_labs_is_told(content):
    with pytest.raises(Odd, match="file of progress"):
        understood(content)


def archive(content: bytes = b"", **fields: Any) -> bytes:
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w") as tar:
        entry = tarfile.TarInfo("progress.json")
        entry.size = len(content)
        for name, value in fields.items():
            setattr(entry, name, value)
        tar.addfile(entry, io.BytesIO(content))
    return into.getvalue()


def test_one_file_is_unpacked():
    assert unpacked(iter([archive(b"x" * LARGEST)])) == b"x" * LARGEST


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (archive(type=tarfile.SYMTYPE, linkname="/etc/shadow"), "is no file"),
        (archive(type=tarfile.LNKTYPE, linkname="/etc/shadow"), "is no file"),
        (archive(type=tarfile.FIFOTYPE), "is no file"),
        (archive(type=tarfile.CHRTYPE), "is no file"),
        (archive(type=tarfile.DIRTYPE), "is no file"),
        (archive(b"x" * (LARGEST + 1)), "larger than 64 KiB"),
        (b"", "no archive"),
        (b"x" * 5000, "no archive"),
    ],
)
def test_what_is_no_file_of_bounded_size_is_told(given, says):
    with pytest.raises(Odd, match=says):
        unpacked(iter([given]))


def test_no_more_is_read_than_need_be():
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield archive(b"")[:512].replace(b"00000000000\x00", b"77777777777\x00", 1)
        while True:
            taken += 4096
            yield b"x" * 4096

    with pytest.raises(Odd):
        unpacked(endless())
    assert taken < 2 * LARGEST


class Chunks:
    """What docker's library gives for an archive."""

    def __init__(self, content: bytes) -> None:
        self._content, self.closed = content, False

    def __iter__(self) -> Iterator[bytes]:
        return iter([self._content])

    def close(self) -> None:
        self.closed = True


class Volumes:
    """Docker's API as far as volumes go: readers' files by path, and what stands there."""

    FOLDER, LINK, FILE, PIPE = 1 << 31, 1 << 27, 0o600, 1 << 25

    def __init__(self, **files: dict[str, tuple[int, bytes]]) -> None:
        self.files, self.containers_left = files, 0

    def volumes(self) -> dict[str, Any]:
        names = [
            *(f"{READER}-{name}" for name in self.files),
            "other",
            f"{READER}-X",
            "xdp-lab-hub",
        ]
        return {"Volumes": [{"Name": name} for name in names]}

    def containers(self) -> list[dict[str, Any]]:
        return [{"Names": [f"/{READER}-ada"]}, {"Names": ["/xdp-lab-hub"]}]

    def create_host_config(self, binds: dict[str, dict[str, str]], network_mode: str) -> object:
        assert network_mode == "none"
        assert {one["mode"] for one in binds.values()} == {"ro"}
        return binds

    def create_container(self, image: str, command: object, **options: Any) -> dict[str, str]:
        self.containers_left += 1
        return {"Id": "shelf"}

    def remove_container(self, name: str, v: bool, force: bool) -> None:
        assert v
        assert force
        self.containers_left -= 1

    def get_archive(self, container: str, path: str) -> tuple[Chunks, dict[str, int]]:
        _, _, name, *rest = path.split("/")
        mode, content = self.files[name].get("/".join(rest), (0, b""))
        if not mode:
            raise Refused(404)
        return Chunks(content), {"mode": mode}


def volume(file: tuple[int, bytes], **others: int) -> dict[str, tuple[int, bytes]]:
    modes = {"": Volumes.FOLDER, ".state": Volumes.FOLDER, ".state/xdp-lab": Volumes.FOLDER}
    modes |= {name.replace("_", "/"): mode for name, mode in others.items()}
    return {**{at: (mode, b"") for at, mode in modes.items()}, ".state/xdp-lab/progress.json": file}


def test_the_room_is_read_out_of_volumes():
    good = Volumes.FILE, archive(progress(_1_1="done"))
    engine = Volumes(
        ada=volume(good),
        grace={"": (Volumes.FOLDER, b"")},
        mallory={**volume(good), ".state": (Volumes.LINK | 0o777, b"")},
        oscar=volume((Volumes.PIPE | 0o600, archive(b""))),
        trudy=volume((Volumes.LINK | 0o777, archive(b""))),
    )
    ada, grace, mallory, oscar, trudy = room(engine, "image")
    assert ada == Reader("ada", True, {"1.1": "done"})
    assert grace == Reader("grace", False, {})
    assert (mallory.states, mallory.notice) == (
        {},
        "a link stands in the way to the file of progress",
    )
    assert "is no file" in oscar.notice
    assert "is no file" in trudy.notice
    assert engine.containers_left == 0


def test_nobody_costs_no_container():
    engine = Volumes()
    engine.create_container = None  # type: ignore[assignment, method-assign]
    assert room(engine, "image") == []


def test_the_page_counts_and_shows():
    readers = [
        Reader("ada", True, {"1.1": "done", "2.1": "tried"}),
        Reader("grace", False, {"1.1": "done"}),
        Reader("oscar", True, {}, "the file of progress could not be understood"),
    ]
    html = str(page(readers))
    assert "3 readers, 2 of them at work" in html
    title = exercises.every()["1.1"].title
    assert f"<tr><th>1.1</th><td class=words>{title}</td><td>2</td><td>0</td></tr>" in html
    assert re.search(r"<th>2.1</th><td class=words>[^<]+</td><td>0</td><td>1</td>", html)
    assert re.search(r"<th>ada</th><td>▶</td><td>●○○</td><td>◐○○</td>", html)
    assert "<p>oscar: the file of progress could not be understood.</p>" in html
    assert "Nobody has come yet" in str(page([]))
    assert "Nobody has checked an exercise yet" in str(page([Reader("ada", True, {})]))


def test_nothing_that_a_reader_wrote_is_html():
    bad = "<script>alert(1)</script>"
    html = str(page([Reader(bad, True, {bad: bad}, f'"{bad}')]))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 3  # in the table, and both in the notice


def test_the_services_page_is_for_admins():
    pytest.importorskip("jupyterhub", reason="JupyterHub is in the image alone")
    from labsetup.hub.room import HEADERS, Rooms, application

    served = application("/services/room/", Rooms(list))
    (handler, _) = [rule.target for rule in served.wildcard_router.rules]
    assert "HubOAuthenticated" in [one.__name__ for one in handler.__mro__]
    assert "default-src 'none'" in HEADERS["Content-Security-Policy"]

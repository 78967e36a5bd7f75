"""What the reader has done so far, kept in a small file."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import json
import os
import pwd
import tempfile
from collections.abc import Iterator
from pathlib import Path

TRIED, DONE = "tried", "done"

# Whatever is raised by JSON that is not as the lab writes it.
UNREADABLE = ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError


def _owner() -> pwd.struct_passwd | None:
    """Who typed sudo; under JupyterLab started with it, too."""
    with contextlib.suppress(KeyError):
        if os.geteuid() == 0 and os.environ.get("SUDO_USER", "root") != "root":
            return pwd.getpwnam(os.environ["SUDO_USER"])
    return None


def kept_in() -> Path:
    """The file: in the reader's home also when sudo made them root."""
    owner = _owner()
    home = Path(owner.pw_dir) if owner else Path.home()
    state = os.environ.get("XDG_STATE_HOME") or home / ".local" / "state"
    return Path(state) / "xdp-lab" / "progress.json"


class Diary:
    """The file's content: for each exercise whether it was tried or done, and the hints opened.

    Attributes:
        notice: what the reader should know of the file; empty when all is well.
    """

    def __init__(self, path: Path) -> None:
        self._path, self.notice = path, ""
        self._exercises: dict[str, dict[str, object]] = {}
        try:
            kept = json.loads(path.read_text())["exercises"]
            self._exercises = {str(n): _understood(e) for n, e in kept.items()}
        except FileNotFoundError:
            pass
        except OSError as error:
            self.notice = f"your progress cannot be read from {path}: {error.strerror}"
        except UNREADABLE:
            aside = _unused(path)
            with contextlib.suppress(OSError):
                path.rename(aside)
            self.notice = (
                f"your progress could not be understood: it is kept in {aside}, and begins anew"
            )
        self._before = json.dumps(self._exercises)

    @classmethod
    @contextlib.contextmanager
    def changing(cls) -> Iterator[Diary]:
        """Read it, and write it back when the block ends; one notebook at a time."""
        path = kept_in()
        with contextlib.ExitStack() as stack:
            failed = ""
            try:
                _make_folder(path.parent)
                folder = os.open(path.parent, os.O_RDONLY)
                stack.callback(os.close, folder)
                fcntl.flock(folder, fcntl.LOCK_EX)
            except OSError as error:
                failed = f"your progress cannot be kept in {path.parent}: {error.strerror}"
            diary = cls(path)
            diary.notice = diary.notice or failed
            yield diary
            if not failed and json.dumps(diary._exercises) != diary._before:
                try:
                    diary._write()
                except OSError as error:  # a full disk must not stop a lesson
                    say(
                        f"your progress could not be written to {path}: {error.strerror}; mend "
                        "that, and check the exercise again"
                    )

    def _write(self) -> None:
        """All or nothing: a new file takes the old one's place."""
        file, name = tempfile.mkstemp(dir=self._path.parent, prefix=".progress-")
        try:
            if owner := _owner():
                os.fchown(file, owner.pw_uid, owner.pw_gid)
            with os.fdopen(file, "w") as out:
                json.dump({"version": 1, "exercises": self._exercises}, out, indent=1)
                out.flush()
                os.fsync(out.fileno())
            os.replace(name, self._path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise

    def _of(self, exercise: str) -> dict[str, object]:
        return self._exercises.get(exercise, {"state": "", "hints": 0})

    def state(self, exercise: str) -> str:
        """``"done"``, ``"tried"`` or nothing."""
        return str(self._of(exercise)["state"])

    def hints(self, exercise: str) -> int:
        """How many hints were opened."""
        return int(str(self._of(exercise)["hints"]))

    def tried(self, exercise: str, ok: bool) -> None:
        """Note a check; what is done stays done."""
        state = DONE if ok or self.state(exercise) == DONE else TRIED
        self._exercises[exercise] = {**self._of(exercise), "state": state}

    def open_hint(self, exercise: str) -> None:
        """Note that one more hint was read, which is a try."""
        more = {"state": self.state(exercise) or TRIED, "hints": self.hints(exercise) + 1}
        self._exercises[exercise] = more

    def clear(self) -> None:
        """Forget everything."""
        self._exercises = {}


def _make_folder(folder: Path) -> None:
    """Make it with what is missing above it, for the one whose home it is in."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        if owner := _owner():
            os.chown(path, owner.pw_uid, owner.pw_gid)


def _unused(path: Path) -> Path:
    names = (path.with_name(f"progress.unreadable-{number}.json") for number in itertools.count(1))
    return next(name for name in names if not name.exists())


def _understood(kept: dict[str, object]) -> dict[str, object]:
    """What the file has of one exercise, if it is as the lab writes it."""
    state, hints = kept["state"], kept["hints"]
    if state not in ("", TRIED, DONE) or not isinstance(hints, int):
        raise ValueError
    return {"state": state, "hints": hints}


def say(notice: str) -> None:
    """Print what the reader should know of the file, if there is something."""
    if notice:
        print(notice)

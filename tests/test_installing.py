"""The installation: ended and begun again, moved, copied, and while others use apt."""

from __future__ import annotations

import fcntl
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import sysconfig
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.host import REPO

from labsetup.installing import apt, environment, steps
from labsetup.installing.environment import Environment
from labsetup.installing.steps import Broken, Steps

FAKES = {
    "dpkg": "sleep 0.1",
    "dpkg-query": "exit 0",
    "apt-cache": "echo '  Candidate: (none)'",
    # As the real one: it starts others, which do the work.
    "apt-get": "(sleep 0.2; sleep 0.1) | cat",
}
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL]


def copy_of_the_lab(place: Path) -> Path:
    """A clone without an environment, that needs no package of PyPI's but those that are here."""
    ignored = shutil.ignore_patterns("__pycache__", ".ipynb*")
    for folder in ("labsetup", "notebooks", "bpf"):
        shutil.copytree(REPO / folder, place / folder, ignore=ignored)
    (place / "labsetup/requirements.txt").write_text("")
    return place


class Lab:
    """labsetup/lab of such a clone, with fakes of apt."""

    def __init__(self, place: Path, fakes: Path, temporary: Path) -> None:
        self.place, self.temporary = place, temporary
        self.environment = {
            "PATH": f"{fakes}:/usr/bin:/bin",
            "HOME": str(temporary.parent),
            "TMPDIR": str(temporary),
            "PYTHONPATH": sysconfig.get_path("purelib"),
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(self.place / "labsetup/lab"), *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def says(self, *words: str) -> str:
        process = self.start(*words)
        said = process.communicate(timeout=120)[0]
        assert process.returncode == 0, said
        return said

    def left(self) -> list[str]:
        """What there is of it: processes with its environment, temporary files."""
        mark, found = f"TMPDIR={self.temporary}", [path.name for path in self.temporary.iterdir()]
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark.encode() in (folder / "environ").read_bytes():
                    found.append((folder / "cmdline").read_text())
            except OSError:
                continue
        return found


@pytest.fixture
def fakes(tmp_path: Path) -> Path:
    folder = tmp_path / "fakes"
    folder.mkdir()
    for name, script in FAKES.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def lab(tmp_path: Path, fakes: Path) -> Lab:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    return Lab(copy_of_the_lab(tmp_path / "a clone"), fakes, temporary)


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
def test_it_can_be_ended_at_any_moment(lab: Lab, number: signal.Signals) -> None:
    for _ in range(4):
        process = lab.start("sync", "--check")
        time.sleep(random.uniform(0, 6))
        process.send_signal(number)
        begun = time.monotonic()
        said = process.communicate(timeout=60)[0]
        assert time.monotonic() - begun < 3, said
        assert process.returncode in (0, 128 + number, -number), said
        if process.returncode == 128 + number:
            assert "type the same command again" in said or "nothing of it is left" in said
        while number == signal.SIGKILL and lab.left()[1:] and time.monotonic() < begun + 3:
            time.sleep(0.05)  # polls: of a kill -9 nobody tells
        if number == signal.SIGKILL:
            for path in lab.temporary.iterdir():  # the log, which it would have taken away
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        assert not lab.left()
    assert "the notebooks are as the exercises say" in lab.says("sync", "--check")
    assert "installs" not in lab.says("sync", "--check")
    assert not lab.left()


def test_a_clone_that_is_renamed_or_copied_works(lab: Lab, tmp_path: Path) -> None:
    lab.says("sync", "--check")
    kernel = ".venv/share/jupyter/kernels/xdp-lab/kernel.json"
    before, original = (lab.place / kernel).read_text(), lab.place
    lab.place = tmp_path / "une copie à part"
    shutil.copytree(original, lab.place, symlinks=True)
    said = lab.says("sync", "--check")
    assert f"This clone was at {original}; what names that place is mended." in said
    argv = json.loads((lab.place / kernel).read_text())["argv"]
    assert argv[0] == str(lab.place / ".venv/bin/python")
    for path in (lab.place / ".venv/bin").iterdir():
        assert str(original) not in path.read_text(errors="replace") or path.is_symlink()
    pip = subprocess.check_output([lab.place / ".venv/bin/pip", "--version"], text=True)
    assert str(lab.place) in pip
    assert (original / kernel).read_text() == before, "the original is left alone"
    shutil.rmtree(lab.place)
    lab.place = original
    assert "was at" not in lab.says("sync", "--check")
    lab.place = original.rename(tmp_path / "renamed")
    assert f"This clone was at {original}" in lab.says("sync", "--check")


@pytest.mark.parametrize("name", ['a "quoted" one', "a:b", "it's", "two\\one", "$HOME"])
def test_a_path_that_some_tool_misreads_is_refused(tmp_path: Path, name: str) -> None:
    place = tmp_path / name / "labsetup"
    place.mkdir(parents=True)
    shutil.copy(REPO / "labsetup/lab", place)
    said = subprocess.run([place / "lab", "start"], capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "no part of the clone's path may have a colon, a quote" in said.stderr


def test_a_clone_of_somebody_stays_theirs(lab: Lab) -> None:
    for folder, folders, files in os.walk(lab.place):
        for name in (*folders, *files, "."):
            os.chown(Path(folder, name), 4321, 4321, follow_symlinks=False)
    five = next((lab.place / "labsetup/lessons").glob("lesson_05_*"))
    new = ("new", "exercise", f"5.{len(list(five.glob('ex_5_*'))) + 1}", "mine")
    # Interrupted, and to the end; then what makes files.
    for end, words in ((2.0, ("sync", "--check")), (None, ("sync", "--check")), (None, new)):
        process = lab.start(*words)
        if end:
            time.sleep(end)
            process.terminate()
        process.wait(60)
        process.communicate()
        owners = {
            Path(folder, name).lstat().st_uid
            for folder, folders, files in os.walk(lab.place)
            for name in (*folders, *files)
        }
        assert owners == {4321}
    assert next(five.glob("ex_5_*_mine")).is_dir()


def test_without_sbin_in_path_nothing_is_missing(lab: Lab) -> None:
    assert "/sbin" not in lab.environment["PATH"]
    assert "the notebooks are" in lab.says("sync", "--check")


@pytest.fixture
def busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A dpkg folder, whose lock another process has for three seconds; its number."""
    folder = tmp_path / "dpkg"
    for name in ("info", "updates"):
        (folder / name).mkdir(parents=True)
    for name in ("status", "lock", "lock-frontend"):
        (folder / name).touch()
    monkeypatch.setenv("DPKG_ADMINDIR", str(folder))
    hold = f"""
        import fcntl, time
        file = open("{folder}/lock-frontend", "w")
        fcntl.lockf(file, fcntl.LOCK_EX)
        print("held", flush=True)
        time.sleep(3)
    """
    words = [sys.executable, "-c", textwrap.dedent(hold)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        yield holder.pid


def test_dpkg_waits_for_who_has_its_lock(busy: int, capfd: pytest.CaptureFixture[str]) -> None:
    done = Steps()
    done.step("distribution packages", lambda: apt.patiently("dpkg", "--configure", "-a"))
    done.close()
    told = f"python3 (process {busy}) is using apt; the lab waits for its end, 15 minutes at most\n"
    assert told in capfd.readouterr().err.replace("python (", "python3 (")


def test_it_does_not_wait_for_ever(busy: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "BUSY", 0.0)
    done = Steps()
    with pytest.raises(Broken, match=rf"process {busy}\) has used apt for 0 minutes"):
        done.step("distribution packages", lambda: apt.patiently("dpkg", "--configure", "-a"))
    done.close()


@pytest.mark.parametrize(
    "said",
    [
        "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1 (unattended)",
        "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)",
        "E: Unable to lock directory /var/lib/apt/lists/",
        "dpkg: error: dpkg frontend lock was locked by another process with pid 1",
        "dpkg: error: dpkg database lock was locked by another process with pid 1",
        "dpkg: error: dpkg status database is locked by another process",
    ],
)
def test_each_way_to_say_that_apt_is_busy(said: str) -> None:
    assert apt.IN_USE.search(said)
    assert (apt._holder(said) == "another program") == (" 1" not in said)


def test_a_failure_that_is_no_lock_is_not_waited_for(fakes: Path) -> None:
    done = Steps()
    with pytest.raises(Broken, match="the whole story is in"):
        done.step("it", lambda: apt.patiently("false"))
    assert done.log.exists()
    done.log.unlink()


def test_headers_are_there_at_every_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another installation makes what notebooks compile with: beside it, and then at once."""
    lab = Environment(tmp_path, tmp_path / ".venv")
    old, new = (lab.parts / f"kernel-headers-{number}" for number in (1, 2))
    for place in (old, new):
        with environment.fresh_folder(place) as folder:
            (folder / "include").mkdir()
    link = lab.parts / "kernel-headers"
    link.mkdir()  # as an older lab made it
    environment.swap(link, old)
    missed: list[int] = []
    watcher = os.fork()
    if watcher == 0:
        end = time.monotonic() + 1
        while time.monotonic() < end:
            if not (link / "include").is_dir():
                os._exit(1)
        os._exit(0)
    for number in range(1000):
        environment.swap(link, (old, new)[number % 2])
    environment.forget_others(new, "kernel-headers")
    environment.swap(link, new)
    assert os.waitstatus_to_exitcode(os.waitpid(watcher, 0)[1]) == 0, missed
    assert not old.exists()
    assert not list(lab.parts.glob(".*"))


def test_two_installations_of_a_clone_wait_for_each_other(lab: Lab) -> None:
    with open(lab.place / "labsetup/lab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        process = lab.start("sync", "--check")
        time.sleep(1.5)
        process.terminate()
        said = process.communicate(timeout=3)[0]
    assert "another lab is installing this clone" in said
    assert process.returncode == 128 + signal.SIGTERM
    assert steps.ENDING < 3

"""Installs what the lab needs, and then becomes the verb that was typed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NoReturn

from . import others
from .apt import distribution_packages
from .environment import Environment
from .steps import Broken, Steps, give_back, say


class Interrupted(BaseException):
    """A signal wants it to end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def one_at_a_time(repo: Path) -> Iterator[bool]:
    """Wait while another process installs the same clone; tells whether one did.

    Raises:
        Broken: after half an hour.
    """
    with open(repo / "labsetup" / "lab") as file:
        deadline, told = time.monotonic() + 1800, False
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if not told:
                say("another lab is installing this clone; this one waits for its end")
                told = True
            if time.monotonic() > deadline:
                raise Broken("lab: another lab has been installing for half an hour; end it first.")
            time.sleep(0.2)  # paces the look; what it waits for tells nobody
        yield told


def install(environment: Environment, stamp: str) -> None:
    """Do all steps that are needed, and write down that they are done.

    Raises:
        Broken: if one failed.
    """
    written = environment.folder / "xdp-lab.stamp"
    with one_at_a_time(environment.repo) as waited:
        if waited and written.exists() and written.read_text().strip() == stamp:
            return  # that other one did it
        begun, steps = time.monotonic(), Steps()
        try:
            if before := environment.moved_from():
                say(f"This clone was at {before}; what names that place is mended.")
            else:
                say("The lab installs what it needs; this happens once.")
            if shutil.which("apt-get"):
                steps.step("distribution packages", distribution_packages)
            elif told := others.missing():
                raise Broken(told)
            steps.step("virtual environment", environment.make)
            steps.step("daemons", environment.daemons)
            steps.step("kernel headers", environment.headers)
            steps.step("Python packages", environment.packages)
            steps.step("Jupyter kernel", environment.jupyter)
            written.write_text(f"{stamp}\n")
        except Broken:
            steps.keep_log = True
            raise
        finally:
            steps.close()
            for folder in {environment.repo, environment.folder}:
                if folder.exists():
                    give_back(folder)
        say(f"Ready after {time.monotonic() - begun:.0f} s.")


def main() -> NoReturn:
    """Install, then become the verb that was typed."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        for other in ending:
            signal.signal(other, signal.SIG_IGN)
        raise Interrupted(number)

    ending = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # nohup(1)
        ending.remove(signal.SIGHUP)
    repo = Path(__file__).resolve().parents[2]
    folder, stamp, *verb = sys.argv[1:]
    environment = Environment(repo, Path(folder))
    try:
        for number in ending:
            signal.signal(number, end)
        if environment.is_own and not os.access(repo, os.W_OK):
            raise Broken(f"lab: {repo} is read-only, and the lab installs itself there; copy it.")
        install(environment, stamp)
        for number in ending:
            signal.signal(number, signal.SIG_DFL)
    except Interrupted as interrupted:
        say("\nlab: interrupted; type the same command again, and it goes on from here.")
        os._exit(128 + interrupted.number)
    except (Broken, OSError) as error:
        say(str(error) if isinstance(error, Broken) else f"lab: {error}")
        sys.exit(1)
    os.environ["PATH"] = f"{environment.folder}/bin:{os.environ['PATH']}"
    os.execv(environment.python, [str(environment.python), "-P", "-m", "labsetup.command", *verb])

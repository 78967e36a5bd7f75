"""What a person on Fedora, on Arch or elsewhere is told to install; nothing is done for them."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.host import REPO

from labsetup.installing import environment, others
from labsetup.tools import PACKAGE_OF, install, installation

# Each distribution's own way to get a package.
MANAGER = {"fedora": "dnf", "arch": "pacman"}
LIBRARIES = ("libbpf-dev", "libseccomp2", "linux-libc-dev", "python3-bpfcc")


@pytest.mark.parametrize("system", MANAGER)
def test_what_a_sentence_says_to_type_is_in_the_list_and_by_its_name(
    system: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name if name == MANAGER[system] else None)
    typed = others.TYPE[system].split()
    for package in (*PACKAGE_OF.values(), *LIBRARIES):
        *command, name = install(package).split()
        assert name in typed
        assert typed[: len(command)] == command


@pytest.mark.parametrize(
    ("manager", "typed"),
    [
        ("apt-get", "apt-get install bird2 && systemctl disable --now bird"),
        ("dnf", "dnf install bird && systemctl disable --now bird"),
        ("pacman", "pacman -S --needed bird && systemctl disable --now bird"),
        ("zypper", "apt-get install bird2 && systemctl disable --now bird"),
    ],
)
def test_a_command_comes_by_the_distributions_own_way(
    manager: str, typed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name if name == manager else None)
    assert installation("bird") == typed
    assert installation("emacs") == ""


@pytest.mark.parametrize(
    ("release", "words"),
    [
        ({"ID": "fedora"}, "dnf install bind-utils"),
        ({"ID": "rocky", "ID_LIKE": "rhel centos fedora"}, "python3-bcc"),
        ({"ID": "manjaro", "ID_LIKE": "arch"}, "pacman -S --needed bind"),
        ({"ID": "nixos"}, "the equivalents of: ca-certificates clang"),
        ({}, "then type the same again"),
    ],
)
def test_what_is_missing_is_told_by_its_name(
    release: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "freedesktop_os_release", lambda: release)
    assert not others.missing()
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "clang" else name)
    assert words in others.missing()


def test_without_bcc_it_is_told_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment, "LIBRARIES", tmp_path)
    assert "type the same again" in others.missing() or "and then the same" in others.missing()


@pytest.mark.parametrize("place", ["python3/dist-packages", "python3.14/site-packages"])
def test_bcc_is_found_where_a_distribution_has_it(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(environment, "LIBRARIES", tmp_path)
    (tmp_path / place / "bcc").mkdir(parents=True)
    assert environment.bcc() == tmp_path / place / "bcc"


def test_an_image_is_installed_for_any_kernel() -> None:
    """Its stamp holds on another kernel, and its headers are the lab's own on each."""
    look = (
        "from labsetup.installing import apt, environment, steps; "
        "print(apt.KERNEL, environment.KERNEL)"
    )
    as_here = {name: value for name, value in os.environ.items() if name != "XDP_LAB_KERNEL"}
    told = [
        subprocess.check_output(
            [sys.executable, "-c", look], cwd=REPO, env=as_here | more, text=True
        ).split()
        for more in ({}, {"XDP_LAB_KERNEL": "any"})
    ]
    assert told == [[os.uname().release] * 2, ["any"] * 2]
    assert not Path("/lib/modules/any").exists()

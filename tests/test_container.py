"""The image: what its container needs of the machine, shows, keeps and leaves."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import podman as engine
from support.host import NOTEBOOKS, REPO
from support.podman import Podman, capabilities, granted, status_of

FOLDER = REPO / "labsetup" / "container"
CONTAINERFILE = (FOLDER / "Containerfile").read_text()
# All notebooks with the smallest set, and that none of it can go: a quarter of an hour.
LONG = "XDP_LAB_LONG" in os.environ
at_length = pytest.mark.skipif(not LONG, reason="takes 15 minutes; set XDP_LAB_LONG=1")


def devcontainer() -> dict:
    text = (REPO / ".devcontainer" / "devcontainer.json").read_text()
    return json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))


def test_the_editors_container_is_the_same_image():
    settings = devcontainer()
    place = REPO / ".devcontainer" / settings["build"]["dockerfile"]
    assert place.resolve() == FOLDER / "Containerfile"
    (volume,) = re.findall(r"^VOLUME (\S+)$", CONTAINERFILE, re.MULTILINE)
    assert settings["mounts"] == [f"source=xdp-lab,target={volume},type=volume"]
    assert f"EXPOSE {settings['forwardPorts'][0]}\n" in CONTAINERFILE
    for command in ("postStartCommand", "postAttachCommand"):
        path = settings[command].split()[0]
        assert (REPO / Path(path).relative_to("/xdp-lab")).exists()


def test_all_that_the_lab_is_gets_into_the_image():
    copied = {
        word
        for line in re.findall(r"^COPY (.*) \S+$", CONTAINERFILE, re.MULTILINE)
        for word in line.split()
    }
    outside = {".ci"}
    if not (REPO / ".git").exists():
        pytest.skip("no clone here, which knows what belongs to the repository")
    tracked = subprocess.check_output(["git", "ls-files"], cwd=REPO, text=True).split()
    assert {name.partition("/")[0] for name in tracked} - outside == copied


def begin(*before: str) -> subprocess.CompletedProcess[str]:
    """The container's first process in a container that is not one, and lacks something."""
    script = (FOLDER / "begin").read_text()  # which an ordinary user may not be able to read
    return subprocess.run(
        [*before, "sh", "-s"],
        input=script,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_container_of_an_ordinary_user_is_told_so():
    ran = begin(
        *("setpriv", "--reuid=65534", "--clear-groups"), *("unshare", "--user", "--map-root-user")
    )
    assert ran.returncode == 1
    assert "to whom the\n    kernel lends no XDP; start it as root: sudo podman" in ran.stderr


@pytest.mark.parametrize("name", ["sys_admin", "net_admin", "net_raw", "perfmon", "bpf"])
def test_a_container_without_power_is_told_what_it_lacks(name):
    ran = begin("setpriv", f"--bounding-set=-{name}", f"--inh-caps=-{name}")
    assert ran.returncode == 1
    assert "lacks a capability that the lab needs; start it with --privileged" in ran.stderr


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Podman]:
    if reason := engine.reason_without():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("podman")
    with engine.mounts() as hold:
        made = Podman(folder, hold)
        ran = made.run(["--privileged"], "--help")
        if "status 0" not in ran:
            pytest.skip(f"podman starts no container here: {ran.strip()}")
        yield made
        made("rm", "--all", "--force", "--time=0")
        made("volume", "prune", "--force")


# As the page says to type it, and with that alone.
SMALLEST = [*(f"--cap-add={one}" for one in capabilities()), "--security-opt=apparmor=unconfined"]


def with_nothing_but(names: list[str]) -> list[str]:
    little = "--ulimit=memlock=65536:65536"  # as a laptop's engine may have it
    return ["--cap-drop=ALL", *(f"--cap-add={one}" for one in names), SMALLEST[-1], little]


def test_the_page_is_there_for_its_token_alone_and_work_outlives_the_container(podman):
    volume = "--volume=work:/xdp-lab/my-lab"
    address = podman.start("first", *SMALLEST, volume, "--publish=127.0.0.1:8888:8888")
    assert address.startswith("http://127.0.0.1:8888/lab?token=")
    assert status_of(address) == 200
    assert status_of("http://127.0.0.1:8888/api/contents") == 403
    note = "/xdp-lab/my-lab/02-drop.ipynb"
    assert not podman("exec", "first", "sh", "-c", f"echo mine > {note}").returncode
    begun = time.monotonic()
    assert not podman("stop", "--time=20", "first").returncode
    assert time.monotonic() - begun < 10, "it ends when it is asked, not when it is killed"
    assert "ended by SIGTERM; nothing of it is left" in podman("logs", "first").stderr
    podman.start("second", *SMALLEST, volume)
    assert podman("exec", "second", "cat", note).stdout == "mine\n"


def test_it_installs_nothing_and_asks_nobody(podman):
    said = podman.run([*SMALLEST, "--network=none"], "doctor")
    assert "installs" not in said
    assert "This machine is ready" in said
    assert "status 0" in said


def test_notebook_02_passes_with_the_smallest_set(podman):
    options = with_nothing_but([*capabilities(), *granted()])
    assert "1 of 1 notebooks ok" in podman.run(options, "run", "02", timeout=120)


@at_length
def test_every_notebook_passes_with_the_smallest_set(podman):
    options = with_nothing_but([*capabilities(), *granted()])
    said = podman.run(options, "run", "all", timeout=1200)
    assert f"{len(NOTEBOOKS)} of {len(NOTEBOOKS)} notebooks ok" in said


@at_length
@pytest.mark.parametrize("left_out", [*capabilities(), *granted()])
def test_nothing_of_the_smallest_set_can_go(podman, left_out):
    options = with_nothing_but([one for one in [*capabilities(), *granted()] if one != left_out])
    for number in ("01", "02", "04", "08"):
        if "1 of 1 notebooks ok" not in podman.run(options, "run", number, timeout=300):
            return
    pytest.fail(f"four notebooks pass without {left_out}")

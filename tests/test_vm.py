"""Stock kernels in a virtual machine: all but the boot itself, which `lab test --vm` does."""

from __future__ import annotations

import json
import lzma
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from support.host import REPO

from labsetup.errors import LabError
from labsetup.machines import guest as guests
from labsetup.machines import inside, packages, trial
from labsetup.machines.boot import Job, initramfs, memory, needed
from labsetup.machines.division import divide
from labsetup.machines.guest import line
from labsetup.machines.inside import STEPS, Step, attempt
from labsetup.machines.outcome import Outcome
from labsetup.machines.packages import NEWEST, Stock, Tools, choose

NAMES = [
    "linux-image-6.1.0-9-amd64",
    "linux-image-6.1.0-56-amd64",
    "linux-image-6.1.0-57-amd64-unsigned",
    "linux-image-6.1.0-58-rt-amd64",
    "linux-image-6.1.0-58-cloud-amd64",
    "linux-image-6.12-amd64",
    "linux-image-6.12.107+deb12-amd64",
    "linux-image-6.12.117+deb12-amd64",
    "linux-image-6.12.118+deb12-rt-amd64",
    "linux-image-6.12.118+deb12-amd64-dbg",
    "linux-image-6.11.9-arm64",
    "linux-image-6.8.0-49-generic",
    "linux-image-amd64",
    "linux-image-generic",
]


@pytest.mark.parametrize(
    ("wanted", "kind", "name"),
    [
        ("6.1", "amd64", "linux-image-6.1.0-56-amd64"),
        (NEWEST, "amd64", "linux-image-6.12.117+deb12-amd64"),
        ("6.12", "amd64", "linux-image-6.12.117+deb12-amd64"),
        ("6.12.107", "amd64", "linux-image-6.12.107+deb12-amd64"),
        ("6.8", "amd64", "linux-image-6.8.0-49-generic"),
        ("6", "arm64", "linux-image-6.11.9-arm64"),
        (NEWEST, "arm64", ""),  # 6.11 is older than what counts as new
        ("5.10", "amd64", ""),
    ],
)
def test_a_kernel_is_chosen_by_its_number(wanted, kind, name):
    assert choose(NAMES, wanted, kind) == name


@pytest.fixture
def stock(tmp_path: Path) -> Stock:
    """A kernel of three modules, one of them packed, one built in."""
    one = Stock("6.99.1-test", tmp_path / "a kernel")
    kernel = one.modules / "kernel"
    kernel.mkdir(parents=True)
    (kernel / "virtio.ko").write_bytes(b"virtio")
    (kernel / "virtio_pci.ko.xz").write_bytes(lzma.compress(b"virtio_pci"))
    (kernel / "overlay.ko").write_bytes(b"overlay")
    (one.modules / "modules.dep").write_text(
        "kernel/overlay.ko:\nkernel/virtio.ko:\nkernel/virtio_pci.ko.xz: kernel/virtio.ko\n"
    )
    return one


def test_modules_come_after_those_that_they_need(stock):
    names = [path.name for path in needed(stock, ("virtio_pci", "9p", "overlay"))]
    assert names == ["virtio.ko", "virtio_pci.ko.xz", "overlay.ko"]


def tools(folder: Path, qemu: str) -> Tools:
    """qemu, busybox and kmod, as shell scripts."""
    (folder / "bin").mkdir(parents=True)
    for name, text in {
        "busybox": "cat >/dev/null; echo archive",
        "kmod": "",
        packages.HARDWARE[platform.machine()].program: qemu,
    }.items():
        (folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / "bin" / name).chmod(0o755)
    return Tools(folder)


def test_the_guest_begins_with_unpacked_modules_and_a_script_for_any_path(stock, tmp_path):
    job = Job(Path("/a repo/it's here"), ["python", "-c", "print('a b')"])
    folder = tmp_path / "made"
    folder.mkdir()
    made = initramfs(stock, tools(tmp_path / "tools", ""), job, folder)
    assert made.read_text() == "archive\n"
    root = folder / "initramfs"
    packed = {path.name: path.read_bytes() for path in (root / "modules").iterdir()}
    assert packed["01-virtio_pci.ko"] == b"virtio_pci"
    script = (root / "begin").read_text()
    assert subprocess.run(["sh", "-n", root / "begin"], check=False).returncode == 0
    assert """cd '/a repo/it'"'"'s here'""" in script
    for name in ("init", "begin"):
        assert "{" not in (root / name).read_text().replace("${", "")


HELLO = json.dumps({"hello": "6.99.1-test", "cpus": 1})
ENDS = f"echo '{json.dumps({'end': True})}'; exec sleep 600"


def told_of(steps: list[Step], ok: bool = True) -> str:
    """A shell's commands that tell of steps."""
    told: list[dict[str, object]] = []
    for step in steps:
        told += [{"begins": step.name, "limit": 9}, {"step": step.name, "ok": ok, "said": "well"}]
    return "cat <<'END'\n" + "\n".join(map(json.dumps, told)) + "\nEND"


def script_of(steps: int, ok: bool = True) -> str:
    """A guest that comes up and tells of so many steps."""
    return f"echo no JSON; echo '{HELLO}'; {told_of([*STEPS[:steps]], ok)}"


def tried(qemu: str, stock: Stock, folder: Path, monkeypatch, cpus: int, seconds: float) -> Outcome:
    """What comes of guests that a shell script plays, on a machine of so many CPUs."""
    monkeypatch.setattr(guests, "HELLO", {True: 1, False: 1})
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(cpus))
    monkeypatch.setattr(trial, "memory", lambda guests=1: 1500)
    until = time.monotonic() + seconds
    unpacked = tools(folder / "tools", qemu)
    outcome = trial._run(stock, unpacked, platform.machine(), until, kvm=False)
    assert time.monotonic() < until + 17
    return outcome


@pytest.mark.parametrize(
    ("guest", "ok", "last"),
    [
        (f"{script_of(len(STEPS))}; {ENDS}", True, "well"),
        (f"{script_of(len(STEPS), ok=False)}; {ENDS}", False, "well"),
        (f"{script_of(3)}; echo a panic >&2", False, "not begun"),
        (f"{script_of(3)}; exec sleep 600", False, "not begun"),
        ("echo no such machine >&2", False, "no such machine"),
        ("exec sleep 600", False, "it did not come up; at last it said: nothing"),
    ],
    ids=["well", "failed", "ended", "too late", "no qemu", "silent"],
)
def test_what_a_guest_tells_becomes_a_table(guest, ok, last, stock, tmp_path, monkeypatch):
    outcome = tried(guest, stock, tmp_path, monkeypatch, cpus=1, seconds=3)
    assert outcome.ok is ok and last in outcome.steps[-1][3], outcome
    assert f"{outcome!r}".count("\n") == len(outcome.steps)
    assert "side by side" not in f"{outcome!r}"


def test_where_time_is_short_what_is_further_is_left_out(stock, tmp_path, monkeypatch):
    due = [step for step in STEPS if not step.further]
    begun = json.dumps({"begins": STEPS[len(due)].name, "limit": 9})
    qemu = f"echo '{HELLO}'; {told_of(due)}\necho '{begun}'; exec sleep 600"
    outcome = tried(qemu, stock, tmp_path, monkeypatch, cpus=1, seconds=3)
    assert outcome.ok
    left = [name for name, ok, *_ in outcome.steps if ok is None]
    assert left == [step.name for step in STEPS if step.further]
    assert f"{outcome!r}".count("skipped") == len(left)
    assert "no time was left" in f"{outcome!r}"


SHARES = divide(STEPS, 2)


def played(first: str, second: str) -> str:
    """A qemu that is the first guest or the second one, by the folder of its initramfs."""
    return f"""case "$*" in */1/initramfs.cpio*) {first} ;; *) {second} ;; esac"""


UP = f"echo '{HELLO}'"


@pytest.mark.parametrize(
    ("second", "ok", "its_first", "its_rest"),
    [
        (f"{UP}; {told_of(SHARES[1])}\n{ENDS}", True, "well", "well"),
        (
            f"{UP}; echo a panic >&2",
            False,
            "the guest ended; at last it said: a panic",
            "not begun",
        ),
        ("exec sleep 600", False, "it did not come up; at last it said: nothing", "not begun"),
        (f"{UP}; exec sleep 600", False, "no time was left; --minutes gives more", "not begun"),
    ],
    ids=["well", "ended", "silent", "too late"],
)
def test_what_two_guests_tell_becomes_one_table(
    second, ok, its_first, its_rest, stock, tmp_path, monkeypatch, capsys
):
    qemu = played(f"{UP}; {told_of(SHARES[0])}\n{ENDS}", second)
    outcome = tried(qemu, stock, tmp_path, monkeypatch, cpus=2, seconds=4)
    assert outcome.ok is ok
    title, two, *rows = f"{outcome!r}".splitlines()
    assert title.startswith("Linux 6.99.1-test") and "2 guests ran side by side" in two
    said = dict.fromkeys([step.name for step in STEPS], "well")
    said |= dict.fromkeys([step.name for step in SHARES[1]], its_rest)
    said[SHARES[1][0].name] = its_first
    assert [row[11:].partition("  ")[0] for row in rows] == [*said]
    assert [row.rpartition(" s  ")[2] for row in rows] == [*said.values()]
    log = capsys.readouterr().err
    assert f"6.99.1-test, guest 2: {SHARES[1][0].name}: {'ok' if ok else 'FAILED'}" in log


def test_the_other_guest_goes_on_where_the_first_one_ends(stock, tmp_path, monkeypatch):
    qemu = played(f"{UP}; echo a panic >&2", f"{UP}; {told_of(SHARES[1])}\n{ENDS}")
    outcome = tried(qemu, stock, tmp_path, monkeypatch, cpus=2, seconds=10)
    well = {name for name, ok, *_ in outcome.steps if ok}
    assert well == {step.name for step in SHARES[1]} and len(outcome.steps) == len(STEPS)


@pytest.mark.parametrize("guest", ["exec sleep 600", "echo no such machine >&2"])
def test_no_second_guest_boots_where_the_first_does_not(guest, stock, tmp_path, monkeypatch):
    outcome = tried(guest, stock, tmp_path, monkeypatch, cpus=2, seconds=10)
    assert outcome.guests == 1
    assert [name for name, *_ in outcome.steps] == ["boot"]


def test_the_steps_are_divided_evenly_and_the_short_ones_come_first():
    assert sorted(map(STEPS.index, [*SHARES[0], *SHARES[1]])) == [*range(len(STEPS))]
    assert SHARES[0][0] is STEPS[0]
    first, second = (sum(step.takes for step in share) for share in SHARES)
    assert abs(first - second) < 0.1 * (first + second)
    assert all([*map(STEPS.index, share)] == sorted(map(STEPS.index, share)) for share in SHARES)
    assert divide(STEPS, 1) == [[*STEPS]]


@pytest.mark.parametrize(
    ("kvm", "cpus", "free", "megabytes", "said"),
    [
        (False, 2, 9000, [3072, 3072], ""),
        (False, 2, 5000, [2000, 2000], ""),
        (False, 2, 3999, [3072], "3999 MB of memory are free; 2 virtual machines take 4000"),
        (False, 1, 9000, [3072], ""),
        (True, 2, 9000, [3072], ""),
    ],
)
def test_two_guests_take_two_cpus_and_memory(kvm, cpus, free, megabytes, said, monkeypatch, capsys):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(cpus))
    monkeypatch.setattr("pathlib.Path.read_text", lambda _: f"MemAvailable: {free * 1024} kB")
    assert trial.side_by_side(kvm) == (len(megabytes), megabytes[0])
    assert said in capsys.readouterr().err


def test_a_guest_does_the_steps_that_it_is_told(monkeypatch, capsys):
    monkeypatch.setattr(inside, "attempt", lambda step, limit: (True, f"{limit:.0f} s"))
    assert inside.main(["steps", "600", "4", STEPS[3].name, STEPS[0].name]) == 0
    hello, *told, end = map(json.loads, capsys.readouterr().out.splitlines())
    assert "hello" in hello and end == {"end": True}
    names = [news["step"] for news in told if "step" in news]
    assert names == [STEPS[0].name, STEPS[3].name]


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_what_both_guests_are_about_is_one_line(columns):
    doing = [(1, "xdpdump on a program that drops", "12 s"), (2, "notebook 07", "525 s")]
    shown = line("6.12.117+deb12-amd64", doing, columns)
    assert len(shown) < columns
    assert columns < 80 or ("2: notebook 07 525 s" in shown and "1: xdpdump" in shown)
    assert line("6.1", doing[1:], 80) == "6.1: notebook 07 525 s"


def test_an_interruption_ends_both_guests(stock, tmp_path, monkeypatch):
    started = []

    def noted(self, machine, *others) -> None:
        started.append(machine._process)
        begin(self, machine, *others)

    def hear(self, news, shown) -> None:
        self.up = True
        if self.number == 2:
            raise KeyboardInterrupt

    begin = guests.Guest.__init__
    monkeypatch.setattr(guests.Guest, "__init__", noted)
    monkeypatch.setattr(guests.Guest, "hear", hear)
    with pytest.raises(KeyboardInterrupt):
        tried(f"{UP}; exec sleep 600", stock, tmp_path, monkeypatch, cpus=2, seconds=10)
    assert [process.returncode for process in started] == [-9, -9]


def test_kvm_that_does_not_work_is_left_for_all_kernels(stock, tmp_path, monkeypatch, capsys):
    tried = []

    def run(stock, _tools, _machine, _until, kvm):
        tried.append((stock.release, kvm))
        outcome = Outcome(stock.release)
        if not kvm:
            outcome.steps += [(step.name, True, 1.0, "") for step in STEPS]
        return outcome

    kernels = [replace(stock, release=release) for release in ("6.98", "6.99")]
    monkeypatch.setattr("os.access", lambda *_: True)
    monkeypatch.setattr(trial, "fetch", lambda *_: (Tools(tmp_path), kernels, []))
    monkeypatch.setattr(trial, "_run", run)
    assert trial.trial([]) == 0
    assert tried == [("6.98", True), ("6.98", False), ("6.99", False)]
    assert "is emulated, which is slow" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("machine", "which", "why"),
    [
        ("riscv64", shutil.which, "this is riscv64"),
        ("x86_64", lambda _: None, "apt-get"),
    ],
)
def test_it_is_skipped_with_the_reason(machine, which, why, monkeypatch, capsys):
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("shutil.which", which)
    assert trial.trial([]) == trial.SKIPPED
    said = capsys.readouterr().err
    assert said.startswith("lab: skipped: ") and why in said


@pytest.mark.parametrize(
    ("code", "ok", "said"),
    [
        ("print('\"fine\"')", True, "fine"),
        ("import sys; print('\"not so\"'); sys.exit(1)", False, "not so"),
        ("raise ValueError('oh')", False, "ValueError: oh"),
        ("import time; time.sleep(60)", False, "no end after 1 s; it said nothing"),
    ],
)
def test_a_step_ends_and_tells_a_line(code, ok, said, monkeypatch):
    monkeypatch.setattr(inside, "PYTHON", [sys.executable, "-c"])
    assert attempt(Step("a step", [code], 1, 1), 1) == (ok, said)


def test_little_memory_is_told(monkeypatch):
    monkeypatch.setattr("pathlib.Path.read_text", lambda _: "MemAvailable: 900000 kB")
    with pytest.raises(LabError, match="878 MB of memory are free"):
        memory()


def test_lima_and_cloud_init_start_the_lab_alike():
    folder = REPO / "labsetup" / "vm"
    user_data = yaml.safe_load((folder / "user-data.yaml").read_text())
    (file,) = user_data["write_files"]
    lima = yaml.safe_load((folder / "lima.yaml").read_text())
    script = lima["provision"][0]["script"]
    unit = script.partition("<<'UNIT'\n")[2].partition("UNIT\n")[0]
    assert unit == file["content"]
    assert file["path"] in script


def test_the_disk_gets_that_unit_too():
    script = (REPO / "labsetup" / "vm" / "image").read_text()
    (line,) = [line for line in script.splitlines() if line.startswith("sed -n '/content")]
    command = line.replace('"$repo', f'"{REPO}').partition(' >"$unit"')[0]
    made = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
    user_data = yaml.safe_load((REPO / "labsetup" / "vm" / "user-data.yaml").read_text())
    assert made == user_data["write_files"][0]["content"]

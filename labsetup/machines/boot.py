"""A virtual machine that has this machine's files, another kernel and no network card.

What the guest writes goes to its own memory: it sees `/` read-only, by 9p, below an overlay.
Sources: qemu(1); Documentation/filesystems/overlayfs.rst, 9p.rst.
"""

from __future__ import annotations

import contextlib
import json
import lzma
import os
import shlex
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import LabError
from .packages import HARDWARE, Stock, Tools

MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
PORT = "org.xdp-lab.results"
MEGABYTES = 3072
LEAST = 1500
HELLO = {True: 45.0, False: 240.0}  # seconds from the start to the first word; emulated is slow

# The clock of an emulated guest goes by what it executes, a nanosecond an instruction, and as ours
# while it waits: so no limit of the lab's passes only because the emulation is slow.  qemu brings
# up one CPU in this way; a second never comes.
BY_INSTRUCTIONS = ("-icount", "shift=0,sleep=on")

# Nehalem leaks what PTI hides, so a kernel would empty the TLB at each system call, twice: nearly a
# third of an emulated guest's time.  Source: Documentation/arch/x86/pti.rst.
FOR_SPEED = "nopti"

INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
for module in /modules/*.ko; do insmod $module; done
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=524288 host /host || echo no 9p
mount -t tmpfs -o size=75% tmp /written; mkdir /written/files /written/work
mount -t overlay -o lowerdir=/host,upperdir=/written/files,workdir=/written/work root /root
mount --move /proc /root/proc; mount --move /sys /root/sys; mount --move /dev /root/dev
mkdir -p /root/dev/shm /root/dev/pts
mount -t tmpfs shm /root/dev/shm; mount -t devpts pts /root/dev/pts; mount -t tmpfs run /root/run
mkdir /root/run/lab && cp /begin /root/run/lab
exec switch_root /root /bin/sh /run/lab/begin
"""

# As root's login would have it.  The kernel calls modprobe by itself, when it wants a module.
BEGIN = """\
export PATH={path} HOME=/root LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={repo}
mkdir -p {lib}/{release}
for part in {modules}/*; do
    [ -e {lib}/{release}/${{part##*/}} ] || ln -s $part {lib}/{release}
done
for part in build source; do
    [ -e {lib}/{release}/$part ] || [ ! -e {lib}/{host}/$part ] ||
        ln -s {lib}/{host}/$part {lib}/{release}/$part
done
ln -s {kmod} /run/lab/modprobe
echo /run/lab/modprobe >/proc/sys/kernel/modprobe
ip link set lo up
cd {repo}
for port in /sys/class/virtio-ports/*; do
    [ "$(cat $port/name)" = {port} ] && {command} >/dev/${{port##*/}}
done
echo o >/proc/sysrq-trigger
sleep 60
"""


@dataclass(frozen=True)
class Job:
    """What a guest does once it is up: a command of the lab's Python, in the repository."""

    repo: Path
    command: list[str]


def initramfs(stock: Stock, tools: Tools, job: Job, folder: Path) -> Path:
    """Make what the kernel starts with: busybox, the few modules, and the scripts above.

    Args:
        stock: the kernel.
        tools: from where busybox comes.
        job: what the guest does.
        folder: where to make it; the root of the guest, as seen from here, is ``/``.
    """
    root = folder / "initramfs"
    for name in ("bin", "modules", "proc", "sys", "dev", "host", "written", "root"):
        (root / name).mkdir(parents=True)
    shutil.copy(tools.find("busybox"), root / "bin")
    for number, module in enumerate(needed(stock, MODULES)):
        data = module.read_bytes()
        if module.suffix == ".xz":
            data = lzma.decompress(data)
        bare = module.name.partition(".ko")[0]
        (root / "modules" / f"{number:02}-{bare}.ko").write_bytes(data)
    (root / "init").write_text(INIT)
    (root / "init").chmod(0o755)
    fields: dict[str, object] = {
        "path": os.environ["PATH"],
        "repo": job.repo,
        "release": stock.release,
        "host": os.uname().release,
        "modules": stock.modules,
        "kmod": tools.find("kmod"),
    }
    quoted = {name: shlex.quote(str(value)) for name, value in fields.items()}
    quoted |= {"lib": "/lib/modules", "port": PORT, "command": shlex.join(job.command)}
    (root / "begin").write_text(BEGIN.format(**quoted))
    names = sorted(str(path.relative_to(root)) for path in root.rglob("*"))
    archive = folder / "initramfs.cpio"
    with open(archive, "wb") as out:
        subprocess.run(
            [tools.find("busybox"), "cpio", "-o", "-H", "newc"],
            input="\n".join(names).encode(),
            stdout=out,
            stderr=subprocess.DEVNULL,
            cwd=root,
            check=True,
        )
    return archive


def needed(stock: Stock, names: tuple[str, ...]) -> list[Path]:
    """The files of modules and of those that they need, first what the others need.

    One that is not listed is built into the kernel.  Source: modules.dep(5).
    """
    before: dict[str, list[str]] = {}
    for line in (stock.modules / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        before[path] = others.split()
    named = {Path(path).name.partition(".ko")[0].replace("-", "_"): path for path in before}
    order: list[str] = []
    for name in names:
        if name in named:
            order += [*reversed(before[named[name]]), named[name]]
    return [stock.modules / path for path in dict.fromkeys(order)]


def memory(guests: int = 1) -> int:
    """Megabytes that a guest may have here.

    Args:
        guests: how many are to run side by side.

    Raises:
        LabError: where that is too little.
    """
    facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(facts["MemAvailable"].split()[0]) // 1024
    if free < (LEAST + 500) * guests:
        who = "a virtual machine takes" if guests == 1 else f"{guests} virtual machines take"
        raise LabError(f"{free} MB of memory are free; {who} {(LEAST + 500) * guests}")
    return min(MEGABYTES, free // guests - 500)


class Machine:
    """A guest at work; it ends with the block, whatever happens, and with the lab's process."""

    def __init__(
        self,
        stock: Stock,
        tools: Tools,
        job: Job,
        folder: Path,
        *,
        kvm: bool,
        machine: str,
        megabytes: int,
    ) -> None:
        self.kvm, self._console, self._rest = kvm, folder / "console", b""
        hardware = HARDWARE[machine]
        cpus = min(4, len(os.sched_getaffinity(0))) if kvm else 1
        accelerated = ["-accel", "kvm", "-cpu", "host"]
        words = "" if kvm else f" {FOR_SPEED}"
        emulated = ["-accel", "tcg,tb-size=512", "-cpu", hardware.emulated, *BY_INSTRUCTIONS]
        self._process = subprocess.Popen(
            [
                *(f"{tools.find(hardware.program)}", *tools.firmware(), *hardware.machine),
                *(accelerated if kvm else emulated),
                *("-smp", f"{cpus}", "-m", f"{megabytes}"),
                *("-nodefaults", "-display", "none", "-no-reboot", "-nic", "none"),
                *("-kernel", f"{stock.image}"),
                *("-initrd", f"{initramfs(stock, tools, job, folder)}"),
                *("-append", f"console={hardware.console} quiet panic=-1{words}"),
                *("-serial", f"file:{self._console}"),
                # Not stdio: at the end of its stdin qemu would hang up.
                *("-chardev", "file,id=results,path=/dev/stdout", "-device", "virtio-serial-pci"),
                *("-device", f"virtserialport,chardev=results,name={PORT}"),
                "-fsdev",
                "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
                *("-device", "virtio-9p-pci,fsdev=host,mount_tag=host"),
            ],
            env=tools.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C is for the lab, which ends it
        )

    def fileno(self) -> int:
        """What select(2) waits for: something to read, or the end."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def read(self) -> list[dict[str, Any]] | None:
        """What the guest has told since, a document a line; None once it has ended."""
        if not (data := os.read(self.fileno(), 65536)):
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        told = []
        for line in lines:
            # What is printed there by others is no result.
            with contextlib.suppress(json.JSONDecodeError):
                told.append(json.loads(line))
        return told

    @property
    def last_words(self) -> str:
        """What qemu or the guest's kernel said at last."""
        said = self._console.read_text(errors="replace") if self._console.exists() else ""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)  # it may be just ending
        if self._process.returncode is not None and self._process.stderr:
            said += self._process.stderr.read().decode(errors="replace")
        lines = ["".join(filter(str.isprintable, line)).strip() for line in said.splitlines()]
        return next((line[:200] for line in reversed(lines) if line), "nothing")

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End it; a second time does nothing."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream:
                stream.close()

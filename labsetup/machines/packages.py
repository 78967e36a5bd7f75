"""qemu and stock kernels from the distribution, unpacked beside the lab and never installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import LabError
from ..installing.apt import candidate
from ..installing.environment import forget_others, fresh_folder
from ..installing.steps import Broken, Steps, run

PLACE = Path(sys.prefix) / "share" / "xdp-lab" / "machines"
NEWEST = "newest"
MODERN = (6, 12)  # what counts as a new kernel: the one of Debian 13


@dataclass(frozen=True)
class Hardware:
    """How a machine of one kind is called, and what qemu gives it.

    Attributes:
        debian: the distribution's name for it.
        package: what has its qemu.
        program: its qemu.
        machine: qemu's options for it.
        emulated: the processor where it is emulated.  One without AVX: emulating that is slow.
        console: the device on which its kernel speaks.
    """

    debian: str
    package: str
    program: str
    machine: tuple[str, ...]
    emulated: str
    console: str


HARDWARE = {
    "x86_64": Hardware(
        "amd64", "qemu-system-x86", "qemu-system-x86_64", ("-machine", "q35"), "Nehalem", "ttyS0"
    ),
    "aarch64": Hardware(
        *("arm64", "qemu-system-arm", "qemu-system-aarch64", ("-machine", "virt")),
        *("cortex-a72", "ttyAMA0"),
    ),
}


@dataclass(frozen=True)
class Stock:
    """A kernel of the distribution.

    Attributes:
        release: as uname -r has it, such as 6.1.0-56-amd64.
        folder: where it is unpacked, with boot/ and lib/modules/.
    """

    release: str
    folder: Path

    @property
    def image(self) -> Path:
        """What a machine boots."""
        return self.folder / "boot" / f"vmlinuz-{self.release}"

    @property
    def modules(self) -> Path:
        """Its modules."""
        return self.folder / "lib" / "modules" / self.release


@dataclass(frozen=True)
class Tools:
    """qemu, busybox and kmod, of this machine or unpacked."""

    folder: Path

    def find(self, name: str) -> Path:
        """A program.

        Raises:
            LabError: where it is not among them.
        """
        for part in ("usr/bin", "bin", "usr/sbin", "sbin"):
            if (path := self.folder / part / name).is_file():
                return path
        if own := shutil.which(name):
            return Path(own)
        raise LabError(f"{name} is not among what was unpacked; delete {PLACE} and try again")

    def environment(self) -> dict[str, str]:
        """The environment in which they find their libraries."""
        folders = [
            path for part in ("usr/lib", "lib") for path in (self.folder / part).glob("*-gnu")
        ]
        return os.environ | {"LD_LIBRARY_PATH": ":".join(map(str, folders))}

    def firmware(self) -> list[str]:
        """qemu's options for its files."""
        parts = (self.folder / "usr" / part for part in ("share/qemu", "share/seabios"))
        extra = (self.folder / "usr/lib/ipxe/qemu", self.folder / "usr/share/qemu-efi-aarch64")
        return [word for path in (*parts, *extra) if path.is_dir() for word in ("-L", str(path))]


def _number(name: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", name)))


def choose(names: list[str], wanted: str, kind: str) -> str:
    """The package of a kernel; empty if none fits.

    Args:
        names: of all packages that begin with ``linux-image-``.
        wanted: a version, or the beginning of one, such as 6.1; or ``newest``, 6.12 or later.
        kind: the machine, as in the names: amd64, arm64.
    """
    plain = re.compile(
        rf"linux-image-(\d+\.\d+\.\S*?)-(?:{kind}|generic)"
    )  # no rt, cloud, unsigned
    known = {name: found[1] for name in names if (found := plain.fullmatch(name))}
    known = {
        name: text for name, text in known.items() if not re.search(r"[a-z]{2}-|rt|cloud", text)
    }
    if wanted == NEWEST:
        fit = [name for name, text in known.items() if _number(text)[:2] >= MODERN]
    else:
        wants = _number(wanted)
        fit = [
            name
            for name, text in known.items()
            if _number(text)[: len(wants)] == wants or name == wanted
        ]
    return max(fit, key=lambda name: _number(known[name]), default="")


def offered(wanted: str, kind: str) -> str:
    """The package of a kernel that this machine's sources offer; empty if none fits."""
    names = run("apt-cache", "pkgnames", "linux-image-", quiet=True).split()
    while name := choose(names, wanted, kind):
        if candidate(name):
            return name
        names.remove(name)  # known by name alone: a dependency of something
    return ""


def fetch(wanted: list[str], machine: str) -> tuple[Tools, list[Stock], list[str]]:
    """Get what a virtual machine takes, from the cache or from the distribution.

    Args:
        wanted: the kernels, see `choose`.
        machine: as uname -m has it.

    Returns:
        the tools, the kernels, and what was not found, a sentence each.

    Raises:
        LabError: why there can be no virtual machine here.
    """
    if not shutil.which("apt-get"):
        raise LabError("the distribution's packages come by apt-get, which is not here")
    if machine not in HARDWARE:
        raise LabError(f"qemu is set up for {' and '.join(HARDWARE)}, and this is {machine}")
    hardware = HARDWARE[machine]
    if not candidate(hardware.package):
        raise LabError(f"apt offers no {hardware.package}; type: apt-get update")
    names = {one: offered(one, hardware.debian) for one in wanted}
    told = [
        f"no kernel {'6.12 or later' if one == NEWEST else one} in this machine's package sources"
        for one, name in names.items()
        if not name
    ]
    if not any(names.values()):
        raise LabError("; ".join(told))
    tools = PLACE / f"tools-{hardware.debian}-{candidate(hardware.package).replace(':', '_')}"
    steps = Steps()
    try:
        if not tools.exists():
            need = [hardware.package, "busybox-static", "kmod"]
            steps.step("qemu, unpacked", lambda: _unpack(tools, _missing(need)))
            forget_others(tools, f"tools-{hardware.debian}")
        kernels = []
        for name in dict.fromkeys(filter(None, names.values())):
            release = name.removeprefix("linux-image-")
            place = PLACE / f"kernel-{release}_{candidate(name)}"
            if not place.exists():
                steps.step(f"kernel {release}, unpacked", _kernel(place, name, Tools(tools)))
                forget_others(place, f"kernel-{release}_")
            kernels.append(Stock(release, place))
    except Broken as error:
        steps.keep_log = True
        raise LabError(f"{error}".removeprefix("lab: ")) from None
    finally:
        steps.close()
    return Tools(tools), kernels, told


def _missing(packages: list[str]) -> list[str]:
    """These, and what they depend on, without what this machine has."""
    command = ("apt-get", "--simulate", "--no-install-recommends", "install", *packages)
    said = run("env", "LC_ALL=C", *command, quiet=True)
    return re.findall(r"^Inst (\S+)", said, re.MULTILINE)


def _unpack(place: Path, packages: list[str]) -> None:
    with fresh_folder(place) as folder:
        if packages:
            os.chdir(folder)
            run("apt-get", "-q", "download", *packages)
        for file in folder.glob("*.deb"):
            run("dpkg-deb", "--extract", file, folder)
            file.unlink()


def _kernel(place: Path, name: str, tools: Tools) -> Callable[[], None]:
    def work() -> None:
        filling = place.with_name(f"{place.name}-half")
        # Ubuntu's modules are a package of their own.
        said = run("env", "LC_ALL=C", "apt-cache", "depends", name, quiet=True)
        more = re.findall(r"Depends: (linux-modules-\S+)", said)
        _unpack(filling, [name, *more])
        release = name.removeprefix("linux-image-")
        modules = next(filling.glob(f"**/modules/{release}"))
        if not (filling / "lib").exists():  # where /lib is /usr/lib already
            (filling / "lib").symlink_to(modules.relative_to(filling).parts[0] + "/lib")
        depmod = "/sbin/depmod"
        words = ["-b", str(filling), release]
        subprocess.run([depmod, *words], executable=tools.find("kmod"), check=True)
        filling.replace(place)

    return work

"""What this machine can and cannot do for the lessons, and the command that mends it.

A check never guesses from a version number where it can try the thing itself.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import LabError
from ..network import sandbox
from ..network.process import Background
from ..tools import install, installation
from .doctors import gather, ready, table
from .verbs import Verbs


def add(verbs: Verbs) -> None:
    """Declare the verb."""
    text = "what this machine can and cannot do, and the command that mends it"
    added = verbs.add("doctor", doctor, text)
    added.add_argument("--json", action="store_true", help="print one JSON document")
    added.add_argument(
        "reports",
        metavar="FILE",
        nargs="*",
        help="what doctor --json printed on other machines, for a table of them instead",
    )


@dataclass(frozen=True)
class Finding:
    """One thing that lessons build on.

    Attributes:
        name: what is looked at.
        ok: whether this machine has it.
        needed: whether the lab as a whole needs it.
        detail: what was found, in plain words; the lessons that miss it, if only some do.
        mend: the command to type, or an empty string.
    """

    name: str
    ok: bool
    needed: bool
    detail: str
    mend: str = ""


class _Missing(Exception):
    """A check failed; the message is its detail, `mend` the command to type."""

    def __init__(self, detail: str, mend: str = "") -> None:
        super().__init__(detail)
        self.mend = mend


def _root() -> str:
    if os.geteuid() != 0:
        raise _Missing("network namespaces need root", "sudo labsetup/lab doctor")
    return "this is root"


def _kernel() -> str:
    release = platform.release()
    major, minor = (int(part) for part in release.split(".")[:2])
    if (major, minor) < (5, 15):
        raise _Missing(f"Linux {release}; the lessons need 5.15", "apt-get dist-upgrade; reboot")
    return f"Linux {release} on {platform.machine()}"


def _private_network() -> str:
    sandbox.enter()
    return "namespaces for network, mounts and processes"


def _btf() -> str:
    if not Path("/sys/kernel/btf/vmlinux").exists():
        raise _Missing("the kernel was built without BTF")
    return "the kernel describes its own types"


def _bcc() -> str:
    try:
        import bcc
    except (ImportError, OSError) as error:
        raise _Missing(f"BCC does not load: {error}", install("python3-bpfcc")) from None
    return f"BCC {bcc.__version__}"


def _headers() -> str:
    from ..compiling.bcc import HEADERS

    own = Path("/lib/modules", platform.release(), "build")
    if own.exists():
        return f"this kernel's own, in {own}"
    if (HEADERS / "include/linux/kconfig.h").exists():  # a link, which may lead nowhere
        return "the distribution's: this kernel has none of its own, and XDP needs only the UAPI"
    raise _Missing("none are there; the lab installs them", "sudo labsetup/lab doctor")


def _compile() -> str:
    from ..programs.program import Program

    for name in ("xdp_pass", "echo_reply"):  # the smallest, and one that reads headers
        if Program(name).run(b"\0" * 64).verdict != "XDP_PASS":
            raise _Missing(f"{name} did not let a packet of zeros pass")
    return "compiled, verified and run on one packet"


# What says whether libbpf and its headers are there.
_OBJECT = """#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("xdp") int passes(struct xdp_md *ctx) { return XDP_PASS; }
"""


def _libbpf() -> str:
    from ..programs.program import Program

    try:
        Program("passes", _OBJECT).run(b"\0" * 64)
    except LabError as error:
        said = str(error).splitlines()[0]
        packages = install("clang", "libbpf-dev", "linux-libc-dev")
        raise _Missing(f"{said} (lesson 09)", packages) from None
    return "C for libbpf is compiled by clang alone, and loaded"


def _jit() -> str:
    from ..programs.program import Program

    if Program("xdp_pass").size.jited_bytes == 0:
        raise _Missing(
            "BPF is interpreted: all works, the measured times do not compare",
            "echo 1 > /proc/sys/net/core/bpf_jit_enable",
        )
    return "programs run as machine code"


def _native() -> str:
    from ..network.topologies import two_hosts
    from ..programs.program import Program

    net = two_hosts()
    Program("xdp_drop").attach(net.server.eth0)
    ping = net.client.ping(net.server, count=1, wait=0.2)
    dropped = net.server.eth0.counters["xdp_drops"]
    net.close()
    if ping.received or not dropped:
        raise _Missing("a program was attached to a veth interface and dropped nothing")
    return "a real packet was dropped before the stack saw it"


def _trace() -> str:
    if not Path("/sys/kernel/tracing/events/xdp/xdp_exception").exists():
        raise _Missing("the tracepoint xdp:xdp_exception is not there (lesson 02)")
    return "the tracepoint xdp:xdp_exception"


def _fentry() -> str:
    from ..network.topologies import two_hosts
    from ..programs.program import Program

    if not shutil.which("xdpdump"):
        raise _Missing("xdpdump is not installed (lesson 04)", installation("xdpdump"))
    net = two_hosts()
    try:
        Program("xdp_pass").attach(net.server.eth0)
        with net.server.start("xdpdump -i eth0 --rx-capture entry") as dump, _told_by(dump):
            dump.wait_for("listening on", timeout=5)
    finally:
        net.close()
    return "xdpdump can watch a program at work"


@contextlib.contextmanager
def _told_by(dump: Background) -> Iterator[None]:
    """Say in one line what xdpdump said, where it did not begin."""
    try:
        yield
    except LabError:
        said = [line for line in dump.output.splitlines() if "error" in line.lower()]
        why = f" ({said[-1].removeprefix('ERROR: ')})" if said else ""
        raise _Missing(
            f"xdpdump cannot watch a program here{why}; lesson 04 brings a capture of its own"
        ) from None


def _tool(command: str, lessons: str = "") -> Callable[[], str]:
    def check() -> str:
        path = shutil.which(command)
        if not path:
            missing = f"not installed ({lessons})" if lessons else "not installed"
            raise _Missing(missing, installation(command))
        return "unpacked for the lab" if Path(path).is_relative_to(sys.prefix) else path

    return check


def _memory() -> str:
    facts = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(facts["MemAvailable"].split()[0]) // 1024
    if free < 700:
        raise _Missing(f"{free} MB free; JupyterLab and one lesson take about 700")
    return f"{free:,} MB free"


def _disk() -> str:
    free = shutil.disk_usage(sys.prefix).free // 2**20
    if free < 200:
        raise _Missing(f"{free} MB free beside the lab")
    return f"{free:,} MB free"


# Name, needed, and the check itself: ordered so that the first failure explains the later ones.
_CHECKS: tuple[tuple[str, bool, Callable[[], str]], ...] = (
    ("root", True, _root),
    ("kernel", True, _kernel),
    ("private network", True, _private_network),
    ("BCC", True, _bcc),
    ("kernel headers", True, _headers),
    ("compile and verify", True, _compile),
    ("libbpf", False, _libbpf),
    ("JIT compiler", False, _jit),
    ("native XDP on veth", True, _native),
    ("XDP tracepoint", False, _trace),
    ("BTF", False, _btf),
    ("ping", True, _tool("ping")),
    ("tcpdump", True, _tool("tcpdump")),
    ("clang", False, _tool("clang", "lesson 01")),
    ("llvm-objdump", False, _tool("llvm-objdump", "lesson 01")),
    ("xdp-loader", False, _tool("xdp-loader", "lesson 01")),
    ("fentry", False, _fentry),
    ("bpftool", False, _tool("bpftool", "lessons 01 and 03")),
    ("dnsmasq", False, _tool("dnsmasq", "lesson 04")),
    ("dig", False, _tool("dig", "lesson 04")),
    ("make", False, _tool("make", "lesson 09")),
    ("bird", False, _tool("bird", "lesson 08")),
    ("nft", False, _tool("nft", "lessons 07 and 08")),
    ("haproxy", False, _tool("haproxy", "lesson 07")),
    ("memory", False, _memory),
    ("disk", False, _disk),
)


# What lessons run as it is; for the others they have another way, or leave a part out.
_CELLS_NEED = {"clang", "libbpf", "make", "llvm-objdump", "bpftool", "dnsmasq", "dig"}


def examine() -> Iterator[Finding]:
    """Run the checks one after the other; a check that breaks says so and stops no other."""
    for name, needed, look in _CHECKS:
        try:
            yield Finding(name, True, needed, look())
        except _Missing as missing:
            yield Finding(name, False, needed, str(missing), missing.mend)
        except Exception as error:
            yield Finding(name, False, needed, f"{error}" or type(error).__name__)


class Report(list[Finding]):
    """All checks; `ok` is False only if something is missing that every lesson needs."""

    @property
    def ok(self) -> bool:
        """Whether the lessons can begin."""
        return all(check.ok for check in self if check.needed)

    def as_dict(self) -> dict[str, object]:
        """The report for a program to read."""
        return {"ok": self.ok, "checks": [asdict(check) for check in self]}

    def __repr__(self) -> str:
        width = max((len(check.name) for check in self), default=0)
        lines = []
        for check in self:
            state = "ok     " if check.ok else "MISSING" if check.needed else "without"
            lines.append(f"{state}  {check.name:{width}}  {check.detail}")
            if check.mend:
                lines.append(f"{'':9}{'':{width}}  type: {check.mend}")
        return "\n".join([*lines, "", self.verdict])

    @property
    def verdict(self) -> str:
        """One sentence."""
        if not self.ok:
            return "This machine cannot run the lessons yet; mend the first thing that is MISSING."
        without = [check.name for check in self if not check.ok]
        cells = ", ".join(name for name in without if name in _CELLS_NEED)
        rest = ", ".join(name for name in without if name not in _CELLS_NEED)
        told = [f"A cell of a lesson fails without each of: {cells}."] if cells else []
        told += [f"Some lessons take another way without: {rest}."] if rest else []
        return " ".join(["This machine is ready" + ("." if told else " for every lesson."), *told])


def checkup() -> Report:
    """Look at this machine from a process apart, so that the notebook's network stays as it is."""
    command = [sys.executable, "-m", "labsetup.command", "doctor", "--json"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    try:
        return Report(Finding(**fields) for fields in json.loads(ran.stdout)["checks"])
    except json.JSONDecodeError:
        said = ran.stderr.strip() or f"it said nothing, and its status was {ran.returncode}"
        raise LabError(f"the check-up broke off: {said}") from None


def doctor(arguments: argparse.Namespace) -> int:
    """Say what this machine can do, or lay side by side what others said of theirs."""
    if arguments.reports:
        gathered = gather(arguments.reports)
        print(json.dumps(gathered, indent=2) if arguments.json else table(gathered))
        return 0 if ready(gathered) else 1
    with contextlib.redirect_stdout(sys.stderr), _stdout_kept():
        report = Report(examine())
    print(json.dumps(report.as_dict(), indent=2) if arguments.json else report)
    return 0 if report.ok else 1


@contextlib.contextmanager
def _stdout_kept() -> Iterator[None]:
    """Libraries print where they like: in the meantime all of it goes to stderr."""
    sys.stdout.flush()
    ours = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        os.dup2(ours, 1)
        os.close(ours)

"""C compiled by clang alone, as everybody else's tools do it, where a stranger's C can do no harm.

Source: clang(1); https://docs.kernel.org/bpf/libbpf/libbpf_build.html.
"""

from __future__ import annotations

import contextlib
import os
import re
import resource
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from .. import jail
from ..apart import MOST_BYTES, Child, Parent
from ..errors import LabError
from ..explaining import SOURCES
from ..explaining.clang import AS_OLDER, WARNINGS
from ..explaining.listing import bare
from ..network.session import current

# C is libbpf's if it has one of these...
SIGNS = re.compile(
    r'SEC\s*\(\s*"\.maps"|'
    r'^[ \t]*#[ \t]*include[ \t]*(?:<bpf/bpf_\w+\.h>|["<](?:bpf_helpers|vmlinux)\.h[">])',
    re.MULTILINE,
)
# ...or makes SEC() itself, and none of BCC's maps.
SECTIONS = re.compile(r"^[ \t]*#[ \t]*define[ \t]+SEC\(", re.MULTILINE)
BCCS = re.compile(r"^[ \t]*BPF_[A-Z_]+\s*\(", re.MULTILINE)
KERNELS_TYPES = Path("/sys/kernel/btf/vmlinux")
VMLINUX = re.compile(r'^[ \t]*#[ \t]*include[ \t]*["<]vmlinux\.h[">]', re.MULTILINE)
PLACE = Path("/virtual/main.c")  # what clang, and then the verifier, call the reader's C
MEMORY = 2 * 2**30  # bytes; the largest honest program takes 0.1
SECONDS = 60  # of a CPU's time
STARTING = 10.0  # seconds until it can be given its C, which takes a few thousandths
LIMITS = {
    resource.RLIMIT_AS: MEMORY,
    resource.RLIMIT_CPU: SECONDS,
    resource.RLIMIT_FSIZE: MOST_BYTES,
    resource.RLIMIT_CORE: 0,
}
# Behind the reader's C: clang describes what functions take, and so the records of a ring buffer.
TYPES = """
#pragma clang diagnostic ignored "-Wvisibility"
static __attribute__((used)) void xdp_lab_types({})
{{
}}
"""
STRUCT = re.compile(r"^(?:typedef\s+)?struct\s+(\w+)\s*\{", re.MULTILINE)


def is_libbpfs(source: str) -> bool:
    """Whether C is written for libbpf: its maps stand in .maps, or it includes libbpf's headers."""
    plain = without_remarks(source)
    makes = SECTIONS.search(plain) and not BCCS.search(plain)
    return bool(SIGNS.search(plain) or makes)


def structs(source: str) -> list[str]:
    """The structs that C describes at its outermost level."""
    return list(dict.fromkeys(STRUCT.findall(bare(source))))


def record_of(source: str, ring: str) -> str:
    """The struct that C puts into a ring buffer; empty where that cannot be seen.

    Args:
        source: the C.
        ring: the map's name.
    """
    plain = bare(source)
    call = rf"bpf_ringbuf_(?:reserve|output)\s*\(\s*&\s*{re.escape(ring)}\s*,[^;]*?sizeof\s*\("
    for found in re.finditer(rf"{call}\s*(?:struct\s+(\w+)|\*?\s*(\w+))\s*\)", plain):
        if found[1]:
            return str(found[1])
        declared = re.findall(rf"struct\s+(\w+)\s*\*?\s*{found[2]}\b", plain[: found.start()])
        if declared:
            return str(declared[-1])
    return ""


def folders(source: str) -> list[str]:
    """Where clang looks for what C for libbpf includes.

    Raises:
        LabError: where a header that it wants cannot be made.
    """
    kernels = [f"-I{kernels_types().parent}"] if VMLINUX.search(without_remarks(source)) else []
    return [f"-I{SOURCES}", *kernels, *machines()]


def machines() -> list[str]:
    """What clang is told of this machine, of which -target bpf knows nothing.

    <linux/types.h> wants <asm/types.h>, which lies in a folder named for the machine;
    <linux/icmp.h> and <stdint.h> want <gnu/stubs-32.h> where they see no machine of 64 bits.
    """
    machine = os.uname().machine
    sees = ["-D__x86_64__"] if machine == "x86_64" else []
    return ["-idirafter", f"/usr/include/{machine}-linux-gnu", *sees]


def without_remarks(source: str) -> str:
    """C without its remarks; what it includes still stands there."""
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", source, flags=re.DOTALL)


def kernels_types() -> Path:
    """vmlinux.h: every type of the kernel that runs here; made by bpftool when it is first wanted.

    Raises:
        LabError: where the kernel does not tell its types, or bpftool is missing.
    """
    folder = Path(sys.prefix) / "share" / "xdp-lab" / f"types-{os.uname().release}"
    path = folder / "vmlinux.h"
    if path.exists():
        return path
    if not KERNELS_TYPES.exists():
        raise LabError(
            "this kernel does not tell its types (CONFIG_DEBUG_INFO_BTF), so there is no "
            "vmlinux.h; include <linux/bpf.h>, <linux/if_ether.h> and the like instead"
        )
    dump = ["bpftool", "btf", "dump", "file", str(KERNELS_TYPES), "format", "c"]
    try:
        made = subprocess.run(dump, capture_output=True, timeout=60, check=True).stdout
        folder.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(f".{os.getpid()}")
        new.write_bytes(made)
        new.rename(path)
    except (OSError, subprocess.SubprocessError) as error:
        raise LabError(
            f"vmlinux.h could not be made by bpftool ({error}); type: labsetup/lab doctor"
        ) from None
    return path


def of_program(source: str, named: Sequence[Path]) -> Clang:
    """clang at work on a program.

    Args:
        source: the C.
        named: headers by their whole paths that may be read, with those beside them.

    Raises:
        LabError: where a header that it wants cannot be made.
    """
    text = source
    if described := structs(source):
        text += TYPES.format(", ".join(f"struct {name} *{name}" for name in described))
    options = ["-O2", "-g", *folders(source), *WARNINGS, *AS_OLDER]
    shown = [SOURCES, *(one.parent for one in named)]
    if VMLINUX.search(without_remarks(source)):
        shown.append(kernels_types().parent)
    return Clang(text, options, shown)


class Clang:
    """clang at work on a piece of C, in a process without any power.

    Use it as a context manager.
    """

    def __init__(self, text: str, options: Sequence[str], shown: Sequence[Path] = ()) -> None:
        """Begin.

        Args:
            text: the C, which clang calls `PLACE`.
            options: more than that it is to compile this for BPF.
            shown: folders that it may look into, beside the distribution's own.
        """
        self._spare = current().one(Spare)
        self._process = self._spare.take(options, shown)
        self._process.give(text)

    def has_ended(self, seconds: float) -> bool:
        """Whether it ends within so many seconds."""
        return self._process.child.has_told(seconds)

    def result(self, seconds: float) -> tuple[bytes, str, bool]:
        """The object file, what clang said, and whether it was ended before it could say all.

        The object file is empty where the C does not compile.

        Raises:
            TimeoutError: when it is still at work after so many seconds.
        """
        return self._process.result(seconds)

    def __enter__(self) -> Clang:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.end()
        self._spare.prepare()


class _Process:
    """clang, which waits for C on its stdin."""

    def __init__(self, options: Sequence[str], shown: Sequence[Path]) -> None:
        self.key = tuple(options), tuple(shown)
        words = [
            *("clang", "-target", "bpf", "-x", "c", "-c", "-", "-o", "-", *options),
            *("-fno-caret-diagnostics", "-fno-color-diagnostics"),
        ]
        self._object = os.memfd_create("object")
        source, self._source = os.pipe()
        output = self._object

        def work(parent: Parent) -> None:
            try:
                user = jail.user_for([SOURCES / "xdp.h", *shown])
                file = jail.see_only([*jail.system(), *shown], made=PLACE)
                parent.tell("", [file])
                os.close(file)
                jail.renounce(user, jail.RUNNING, LIMITS)
                parent.become(words, source, output)
            except (LabError, OSError) as error:
                print(f"LLVM ERROR: {error}", flush=True)

        self.child = Child(work, inherits=False, kept=[source, output])
        os.close(source)

    @property
    def is_over(self) -> bool:
        """Whether it has ended without C, as when the thread has ended that started it."""
        try:
            ended = os.waitid(os.P_PID, self.child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        except ChildProcessError:
            return True
        return ended is not None

    def give(self, text: str) -> None:
        """Hand it C, in a file as well: there clang looks for the lines that it quotes."""
        message = self.child.listen(STARTING)
        for file in message.files if message else ():
            with os.fdopen(file, "w", encoding="utf-8") as place:
                place.write(text)
        with contextlib.suppress(BrokenPipeError), os.fdopen(self._source, "w") as source:
            self._source = -1
            source.write(f'# 1 "{PLACE}"\n{text}')

    def result(self, seconds: float) -> tuple[bytes, str, bool]:
        """As of `Clang`."""
        self.child.listen(seconds)
        status = self.child.status()
        made = os.pread(self._object, os.fstat(self._object).st_size, 0)
        return (made if status == 0 else b""), self.child.printed(), status < 0

    def end(self) -> None:
        """End it."""
        self.child.__exit__()
        os.close(self._object)
        if self._source >= 0:
            os.close(self._source)


class Spare:
    """A clang that was started before anybody needs it; one a session.

    Starting it takes longer than compiling: it is linked against a hundred megabytes of library.
    """

    def __init__(self) -> None:
        self._waiting: _Process | None = None
        self._last: tuple[Sequence[str], Sequence[Path]] | None = None
        self._uses = 0
        self._lock = threading.Lock()

    def take(self, options: Sequence[str], shown: Sequence[Path]) -> _Process:
        """One that waits for C, or a new one."""
        with self._lock:
            found, self._waiting = self._waiting, None
            self._last, self._uses = (options, shown), self._uses + 1
        if found and (found.key != (tuple(options), tuple(shown)) or found.is_over):
            found.end()
            found = None
        return found or _Process(options, shown)

    def prepare(self) -> None:
        """Start the next one, where a second program makes a third one likely."""
        with self._lock:
            if self._waiting is None and self._last and self._uses > 1:
                self._waiting = _Process(*self._last)

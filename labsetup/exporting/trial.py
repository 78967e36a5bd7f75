"""Exported C built by clang alone, in a place without power: a stranger may have written it.

Source: clang(1).  Nothing is kept; it is to be known that it compiles.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from ..compiling.clang import PLACE, SECONDS, VMLINUX, Clang, kernels_types, without_remarks
from ..errors import LabError
from ..tools import install, installation

# The same in the Makefile, see folder.py.
FLAGS = ("-O2", "-g", "-Wall", "-target", "bpf")
KNOWN = ("linux/", "bpf/", "asm/", "stdbool.h", "stddef.h", "vmlinux.h")
# Headers of the kernel that include <sys/socket.h>.
SOCKETS = {"linux/icmp.h", "linux/if.h", "linux/if_arp.h", "linux/if_tunnel.h", "linux/route.h"}
CLANG = Path("/usr/bin/clang")
HEADERS = Path("/usr/include/bpf/bpf_helpers.h")


class Built(NamedTuple):
    """What clang made.

    Attributes:
        code: the object file; empty where the C does not compile.
        said: what clang said, in its words.
    """

    code: bytes
    said: str


def built(text: str, name: str) -> Built:
    """Have clang compile C that stands alone.

    Args:
        name: what clang's words call it.

    Raises:
        LabError: where clang or libbpf's headers are missing, or it is not done in a minute.
    """
    for needed, words in (
        (CLANG, f"clang is missing; type: {installation('clang')}"),
        (HEADERS, f"libbpf's headers are missing; type: {install('libbpf-dev')}"),
    ):
        if not needed.exists():
            raise LabError(f"{name} is written, and not tried: {words}")
    types = [kernels_types().parent] if wants_types(text) else []
    with Clang(text, [*flags(text), *(f"-I{one}" for one in types)], types) as clang:
        try:
            code, said, _ = clang.result(SECONDS)
        except TimeoutError:
            raise LabError(
                f"clang was stopped after {SECONDS} s over {name}; look for a loop that it "
                "unrolls, or a macro that grows with each use"
            ) from None
    return Built(code, said.replace(str(PLACE), name).strip())


def wants_types(text: str) -> bool:
    """Whether C includes vmlinux.h, which bpftool makes of the kernel that runs."""
    return bool(VMLINUX.search(without_remarks(text)))


def flags(text: str) -> list[str]:
    """What clang is told; the same stands in the Makefile, see words.py."""
    machine = os.uname().machine
    named = [f"-D__{machine}__"] if wants_machine(text) else []
    return [*FLAGS, f"-I/usr/include/{machine}-linux-gnu", *named]


def wants_machine(text: str) -> bool:
    """Whether C includes headers that bring the C library's, which asks which machine it is on."""
    included = re.findall(r"^[ \t]*#[ \t]*include[ \t]*<([^>\n]+)>", text, re.MULTILINE)
    return any(one in SOCKETS or not one.startswith(KNOWN) for one in included)

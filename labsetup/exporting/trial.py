"""Exported C built by clang alone, in a place without power: a stranger may have written it.

Source: clang(1).  Nothing is kept; it is to be known that it compiles.
"""

from __future__ import annotations

import json
import os
import re
import resource
from pathlib import Path
from typing import NamedTuple

from ..apart import MOST_BYTES, Child, Parent
from ..errors import LabError
from ..network import jail
from ..tools import installation

# The same in the Makefile, see folder.py.
FLAGS = ("-O2", "-g", "-Wall", "-target", "bpf")
# Headers of the kernel that include <sys/socket.h>.
SOCKETS = {"linux/icmp.h", "linux/if.h", "linux/if_arp.h", "linux/if_tunnel.h", "linux/route.h"}
SECONDS = 60.0
MEMORY = 2 * 2**30
CALLS = f"{jail.COMPILING} arch_prctl execve ioctl readahead"
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
        (HEADERS, "libbpf's headers are missing; type: apt-get install libbpf-dev"),
    ):
        if not needed.exists():
            raise LabError(f"{name} is written, and not tried: {words}")
    given, made = os.memfd_create("source"), os.memfd_create("object")
    try:
        os.pwrite(given, text.encode(), 0)
        with Child(lambda parent: _work(parent, text, given, made)) as child:
            try:
                message = child.listen(SECONDS)
            except TimeoutError:
                raise LabError(
                    f"clang was stopped after {SECONDS:g} s over {name}; look for a loop that it "
                    "unrolls, or a macro that grows with each use"
                ) from None
        status = json.loads(message.text) if message else {"status": -1}
        said = message.printed if message else "the process of clang has ended"
        code = os.pread(made, os.fstat(made).st_size, 0) if status["status"] == 0 else b""
        return Built(code, said.replace("<stdin>", name).strip())
    finally:
        os.close(given)
        os.close(made)


def _work(parent: Parent, text: str, given: int, made: int) -> None:
    """In the child: be the parent of clang, which has no power."""
    pid = os.fork()
    if pid == 0:
        try:
            _become(text, given, made)
        except (LabError, OSError) as error:
            print(f"clang cannot be started: {error}", flush=True)
        os._exit(127)
    _, status = os.waitpid(pid, 0)
    parent.tell(json.dumps({"status": os.waitstatus_to_exitcode(status)}))


def _become(text: str, given: int, made: int) -> None:
    os.dup2(given, 0)
    os.dup2(made, 1)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    jail.see_only(jail.system())
    limits = {
        resource.RLIMIT_AS: MEMORY,
        resource.RLIMIT_CPU: int(SECONDS),
        resource.RLIMIT_FSIZE: MOST_BYTES,
        resource.RLIMIT_CORE: 0,
    }
    jail.renounce(jail.NOBODY, CALLS, limits)
    words = [*flags(text), "-fno-color-diagnostics", "-x", "c", "-c", "-"]
    os.execve(CLANG, [str(CLANG), *words, "-o", "-"], {"PATH": "/usr/bin:/bin", "LC_ALL": "C"})


def flags(text: str) -> list[str]:
    """What clang is told; the same stands in the Makefile, see words.py."""
    machine = os.uname().machine
    named = [f"-D__{machine}__"] if wants_machine(text) else []
    return [*FLAGS, f"-I/usr/include/{machine}-linux-gnu", *named]


def wants_machine(text: str) -> bool:
    """Whether C includes headers that bring the C library's, which asks which machine it is on."""
    included = re.findall(r"^[ \t]*#[ \t]*include[ \t]*<([^>\n]+)>", text, re.MULTILINE)
    return any(
        one in SOCKETS or not one.startswith(("linux/", "bpf/", "asm/", "stdbool.h", "stddef.h"))
        for one in included
    )

"""The C of a program: where it lies, which of its functions is the program, what goes around it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from ..errors import LabError

SOURCES = Path(__file__).parent.parent.parent / "bpf"

# Prepared by labsetup/lab for a kernel that has none of its own.
HEADERS = Path(sys.prefix) / "share" / "xdp-lab" / "kernel-headers"


def find(name: str | Path) -> Path:
    """The file of a program of ``bpf/``, or of the reader's.

    Args:
        name: such as ``"xdp_drop"``, or the path of a ``.c`` file.

    Raises:
        LabError: naming the programs that there are.
    """
    path = Path(name)
    if path.suffix == ".c" or len(path.parts) > 1:
        if path.is_file():
            return path
        raise LabError(f"there is no file {path}; check the path")
    path = SOURCES / f"{name}.c"
    if path.is_file():
        return path
    is_xdp = [one for one in SOURCES.glob("*.c") if "struct xdp_md" in one.read_text()]
    has = ", ".join(sorted(source.stem for source in is_xdp))
    raise LabError(f"bpf/ has no program {name!r}; it has: {has}")


def read(path: Path) -> str:
    """A file's text: UTF-8, with a byte-order mark or without, or else Latin-1."""
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return raw.decode("latin-1").replace("\r\n", "\n")


def entry_of(name: str, source: str) -> str:
    """The function that is the program: the only one that takes a ctx, or the one called *name*.

    Raises:
        LabError: when there are several, and none has the name.
    """
    names = entries(source)
    if name in names or not names:
        return name
    if len(names) == 1:
        return names[0]
    raise LabError(f"{name} has the functions {', '.join(names)}; call the one to attach {name}")


def entries(source: str) -> list[str]:
    """The functions that the kernel could be given: they take a ctx, and are not static."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*|^[ \t]*#[^\n]*", " ", source, flags=re.DOTALL | re.MULTILINE)
    found = re.finditer(r"([^;{}]*)\bint\s+(\w+)\s*\(\s*(?:const\s+)?struct\s+xdp_md\b", text)
    names = [one[2] for one in found if not re.search(r"\b(static|__always_inline)\b", one[1])]
    return list(dict.fromkeys(names))


def with_capture(source: str, entry: str) -> str:
    """A program's C with ``bpf/capture.c`` behind it, which calls it as an inline function."""
    head = rf"\bint(?=\s+{entry}\s*\(\s*(?:const\s+)?struct\s+xdp_md\b)"
    inline = re.sub(head, "static __always_inline int", source)
    return f"{inline}\n#define CAPTURED {entry}\n{(SOURCES / 'capture.c').read_text()}"


def without_licence(source: str) -> str:
    """C without the comment that names its licence."""
    return re.sub(r"^// SPDX-.*\n", "", source.strip())

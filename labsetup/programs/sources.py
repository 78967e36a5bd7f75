"""The C of a program: where it lies, which of its functions is the program, what goes around it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from .. import explaining
from ..compiling.clang import is_libbpfs
from ..errors import LabError
from ..explaining.listing import Place, bare
from ..exporting.translate import to_libbpf

SOURCES = explaining.SOURCES

TYPES = "typedef __u64 u64;\ntypedef __u32 u32;\n"  # as BCC's C calls them
# The head of a function that is given a ctx.
SECTION = re.compile(r"\bSEC\s*\([^)]*\)")
HEAD = re.compile(r"\bint\s+(?P<name>\w+)\s*\(\s*(?:const\s+)?struct\s+xdp_md\b")
# That of one that is given something else; programs of other kinds have sections of their own.
OTHER_HEAD = (
    r"(?P<section>\bSEC\s*\([^;{{}}()]*\)[^;{{}}()]*)?"
    r"\b{name}\s*\(\s*(?:const\s+)?struct\s+(?P<kind>\w+)\s*\*[^;{{}}]*\{{"
)


def find(name: str | Path) -> Path:
    """The file of a program of ``bpf/``, or of the reader's.

    Args:
        name: such as ``"xdp_drop"``, or the path of a ``.c`` file.

    Raises:
        LabError: naming the programs that there are.
    """
    path = Path(name)
    if path.suffix == ".c" or len(path.parts) > 1:
        if path.is_file() or path.is_fifo():
            return path
        if path.is_dir():
            raise LabError(f"{path} is a folder; name a file in it")
        if path.exists():
            raise LabError(f"{path} is no file with C; name one, or a pipe that brings it")
        ours = path.suffix == ".c" and (SOURCES / path.name).is_file()
        mend = f'Program("{path.stem}") is the one of bpf/' if ours else "check the path"
        raise LabError(f"there is no file {path}; {mend}")
    path = SOURCES / f"{name}.c"
    if path.is_file():
        return path
    is_xdp = [one for one in SOURCES.glob("*.c") if "struct xdp_md" in one.read_text()]
    has = ", ".join(sorted(source.stem for source in is_xdp))
    raise LabError(f"bpf/ has no program {name!r}; it has: {has}")


def read(path: Path) -> str:
    """A file's text: UTF-8, with a byte-order mark or without, or else Latin-1."""
    return decoded(path.read_bytes())


def decoded(raw: bytes) -> str:
    """The text that a file's bytes stand for."""
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return raw.decode("latin-1").replace("\r\n", "\n")


def origin(path: Path | None) -> str:
    """Where a program's C came from, in words."""
    if path is None:
        return "the C that it was given"
    # Of a name that is no UTF-8, the bytes that are none as Python writes them.
    name = path.name.encode("utf-8", "backslashreplace").decode()
    return f"`bpf/{name}`" if path.parent == SOURCES else f"`{name}`"


def entry_of(name: str, source: str) -> str:
    """The function that is the program: the only one that takes a ctx, or the one called *name*.

    Raises:
        LabError: when there are several, and none has the name; when the one of that name takes
            what XDP does not give.
    """
    names = entries(source)
    if not names:
        _check_what_it_takes(name, source)
    if name in names or not names:
        return name
    if len(names) == 1:
        return names[0]
    raise LabError(f"{name} has the functions {', '.join(names)}; call the one to attach {name}")


def _check_what_it_takes(name: str, source: str) -> None:
    """Find fault with a program that takes another context, such as a struct __sk_buff.

    A struct of the reader's own, and a name that they define, are left alone.
    """
    code = bare(source)
    head = re.search(OTHER_HEAD.format(name=re.escape(name)), code)
    if head is None or not re.match(r"$|SEC\s*\(\s*\"xdp", source[slice(*head.span("section"))]):
        return
    kind = head["kind"]
    if kind == "xdp_md" or re.search(
        rf"\bstruct\s+{kind}\s*\{{|^[ \t]*#\s*define\s+{kind}\b", code, re.MULTILINE
    ):
        return
    line = code.count("\n", 0, head.start("kind")) + 1
    place = Place(line, source.splitlines()[line - 1].strip())
    raise LabError(
        f"{name} takes a struct {kind} at {place}, and XDP gives it a struct xdp_md, with other "
        f"fields: write int {name}(struct xdp_md *ctx)"
    )


def entries(source: str) -> list[str]:
    """The functions that the kernel could be given: they take a ctx, and are not static."""
    return list(dict.fromkeys(name for _, name in _heads(source)))


def _heads(source: str) -> Iterator[tuple[int, str]]:
    """Where such a function begins, and its name; one that is declared first comes twice.

    Where functions have sections, one without is called by others.
    """
    found = list(_all_heads(source))
    has_sections = any(section for *_, section in found)
    for begin, name, section in found:
        if section or not has_sections:
            yield begin, name


def _all_heads(source: str) -> Iterator[tuple[int, str, bool]]:
    plain = re.sub(r"^[ \t]*#[^\n]*", lambda found: " " * len(found[0]), bare(source), flags=re.M)
    for part in re.finditer(r"[^;{}]+", plain):
        head = HEAD.search(part[0])
        if head and not re.search(r"\b(?:static|__always_inline)\b", part[0][: head.start()]):
            begin = part.start() + head.start()
            yield begin, head["name"], SECTION.search(part[0][: head.start()]) is not None


def with_capture(source: str, entry: str) -> str:
    """A program's C with ``bpf/capture.c`` around it."""
    return around(source, entry, (SOURCES / "capture.c").read_text())


def around(source: str, entry: str, outer: str) -> str:
    """A program's C with another behind it, which calls it as an inline function, CAPTURED.

    Args:
        source: the program's C, BCC's or libbpf's.
        entry: its function.
        outer: the other's C, which is BCC's.
    """
    parts, at = list[str](), 0
    for begin, name in _heads(source):
        if name == entry:
            # It is a part of the other one from now on, and no program with a section of its own.
            sections = [*SECTION.finditer(source, at, begin)]
            end = sections[-1].start() if sections and is_libbpfs(source) else begin
            parts += [source[at:end], "static __always_inline "]
            at = begin
    inline = "".join([*parts, source[at:]])
    if is_libbpfs(source):
        outer = f"{TYPES}{to_libbpf(outer)}"
    return f"{inline}\n#define CAPTURED {entry}\n{outer}"


def without_licence(source: str) -> str:
    """C without the comment that names its licence."""
    return re.sub(r"^// SPDX-.*\n", "", source.strip())

"""What the README of an exported program says of its variables."""

from __future__ import annotations

from ..compiling.btf import Btf, size_of
from ..compiling.elf import Elf
from ..compiling.variables import placed

SECTIONS = (".data", ".bss")
TEXT = """
## Variables

They lie in maps of one value each, which libbpf makes, whoever has it load the program.

| variable | map | bytes | begin with |
|---|---|---|---|
{rows}

An update writes all bytes of a value: change those of your variable, the lowest first.

```
{commands}
```
"""


def variables(name: str, code: bytes) -> str:
    """Where they lie, and how one is read and set; empty where there are none.

    Args:
        name: of the files, without .bpf.c.
        code: the object file; empty where there is none.
    """
    if not code:
        return ""
    try:
        file = Elf(code)
        types = Btf(file.section(".BTF"))
    except ValueError:
        return ""
    rows, commands = list[str](), list[str]()
    for section in SECTIONS:
        data, of = file.section(section), _map(name, section)
        here = list(placed(section, file, types))
        for variable, at, kind in here:
            end = at + size_of(kind)
            begin = data[at:end].hex(" ") if end - at <= 16 else f"{data[at : at + 8].hex(' ')} …"
            rows.append(f"| `{variable}` | `{of}` | {at} to {end - 1} | {begin} |")
        if here:
            commands.append(f"sudo bpftool map dump name {of}")
            if len(data) <= 64:
                value = f"key hex 00 00 00 00 value hex {data.hex(' ')}"
                commands.append(f"sudo bpftool map update name {of} {value}")
    fixed = [variable for variable, *_ in placed(".rodata", file, types)]
    text = TEXT.format(rows="\n".join(rows), commands="\n".join(commands)) if rows else ""
    if fixed:
        names = ", ".join(f"`{one}`" for one in fixed)
        head = "" if rows else "\n## Variables\n"
        text += (
            f"{head}\n{names}: fixed as soon as the program is loaded, and none of these loaders "
            f"sets it. Change `{name}.bpf.c`, and type `make`.\n"
        )
    return text


def _map(name: str, section: str) -> str:
    """What libbpf calls the map of a section's variables: bpf_object__init_internal_map()."""
    return f"{name.partition('.')[0][:8]}{section}"

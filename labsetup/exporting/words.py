"""The README and the Makefile of an exported program."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from .declared import Declared
from .flatten import Flat
from .trial import wants_machine, wants_types

CONTENTS = Path(__file__).with_name("contents.toml")
_PINNED = re.compile(r'struct\s*\{[^}]*\bLIBBPF_PIN_BY_NAME\b[^}]*\}\s*(\w+)\s+SEC\(\s*"\.maps"')
_MAPS = '".maps"'
BALANCER = {"settings", "servers"}  # the maps of a program that hands packets to servers

MAKEFILE = """\
# Builds {name}.bpf.o.  Debian and Ubuntu: apt-get install clang make libbpf-dev
CLANG ?= clang

# <linux/types.h> wants <asm/types.h>, which Debian and Ubuntu have in a folder named for the
# machine, where -target bpf does not look.  -g: libbpf reads the types of the maps there.
CFLAGS := -O2 -g -Wall -target bpf -I/usr/include/$(shell uname -m)-linux-gnu
{machine}
{name}.bpf.o: {name}.bpf.c{types}
\t$(CLANG) $(CFLAGS) -c $< -o $@

{rule}clean:
\trm -f {name}.bpf.o{types}

.PHONY: clean
"""

README = """\
# {name}

{about}

`{name}.bpf.c` is all of it, in libbpf's C; clang alone builds it. XDP Lab wrote it from {origin}.

## Build

```
sudo apt-get install clang make libbpf-dev xdp-tools bpftool iproute2
make
```

On Ubuntu, `linux-tools-common` and `linux-tools-$(uname -r)` bring bpftool.

## Load

Put the name of your interface in `eth0`'s place. What reaches the machine by it meets the program
from then on, your own connection to the machine too. Each way stands for itself: take one off
before you try the next.

With xdp-loader, which looks after several programs on one interface where the kernel lets it:

```
sudo xdp-loader load eth0 {name}.bpf.o{which_loader}
sudo xdp-loader status eth0
sudo xdp-loader unload eth0 --all
```

`-m skb` behind `load` takes any driver; without it the driver must know XDP.

With bpftool, which keeps what it loads as files below `/sys/fs/bpf` (`sudo mount -t bpf bpf
/sys/fs/bpf`, where nothing is mounted there); the last two lines take it all away again:

```
sudo bpftool prog load{all} {name}.bpf.o /sys/fs/bpf/{name}{type}{pinmaps}
sudo bpftool net attach xdp pinned {pinned} dev eth0
sudo bpftool prog show pinned {pinned}
{read}sudo bpftool net detach xdp dev eth0
sudo rm -r /sys/fs/bpf/{name}{pinned_maps}
```

With ip:

```
sudo ip link set dev eth0 xdp obj {name}.bpf.o sec {section}
ip link show dev eth0
sudo ip link set dev eth0 xdp off
```

## Maps

{maps}
{variables}"""


@cache
def _contents() -> dict[str, dict[str, Any]]:
    return tomllib.loads(CONTENTS.read_text())


RULE = """\
# Every type of the kernel that runs here.
vmlinux.h:
\tbpftool btf dump file /sys/kernel/btf/vmlinux format c > $@

"""
MACHINE = """\
# A header that it includes brings the C library's, which asks which machine this is.
CFLAGS += -D__$(shell uname -m)__
"""


def makefile(name: str, flat: Flat) -> str:
    machine = MACHINE if wants_machine(flat.text) else ""
    types, rule = (" vmlinux.h", RULE) if wants_types(flat.text) else ("", "")
    return MAKEFILE.format(name=name, machine=machine, types=types, rule=rule)


def readme(name: str, flat: Flat, origin: str, variables: str = "") -> str:
    """What a person reads who finds the folder.

    Args:
        name: of the files, without .bpf.c.
        flat: the program.
        origin: where its C came from.
        variables: what is said of them.
    """
    several = len(flat.entries) > 1
    by_name = _PINNED.findall(flat.text)  # libbpf does it; bpftool does not do it again
    has_maps = (bool(flat.maps) or _MAPS in flat.text) and not by_name
    left = [f"{name}_maps"] if has_maps else by_name
    pinned = f"/sys/fs/bpf/{name}" + f"/{flat.entries[0]}" * several
    section = section_of(flat)
    return README.format(
        name=name,
        about=_plain(flat.about) or f"`{flat.entries[0]}()` runs for each packet that comes in.",
        origin=origin,
        which_loader=f" -n {flat.entries[0]}" if several else "",
        all="all" if several else "",
        pinned=pinned,
        pinmaps=f" pinmaps /sys/fs/bpf/{name}_maps" if has_maps else "",
        pinned_maps="".join(f" /sys/fs/bpf/{one}" for one in left),
        section=section,
        # Another name tells libbpf nothing.
        type="" if re.fullmatch(r"xdp([./].*)?", section) else " type xdp",
        maps=_maps(name, flat),
        variables=variables,
        read=_read(name, flat, by_name),
    )


def section_of(flat: Flat) -> str:
    """The section of the first program."""
    sign = rf'SEC\s*\(\s*"([^"]*)"\s*\)[^;{{}}]*?\b{flat.entries[0]}\s*\('
    found = re.findall(sign, flat.text)
    return str(found[-1]) if found else "xdp"


def _plain(remark: str) -> str:
    """What a remark says, in lines of its own."""
    words = re.sub(r"^\s*/\*+|\*+/\s*$", "", remark)
    return "\n".join(re.sub(r"^\s*(?:\*|//) ?", "", one) for one in words.splitlines()).strip()


def _maps(name: str, flat: Flat) -> str:
    if not flat.maps:
        if by_name := _PINNED.findall(flat.text):
            first = by_name[0]
            return (
                f"`{first}` and what else is pinned by name stays when the program goes, and the "
                f"next version takes it over: by bpftool as above, in `/sys/fs/bpf/{first}`, by "
                "xdp-loader with `-p /sys/fs/bpf` behind `load`; `ip` has a folder of its own for "
                "that. To upgrade, load the new version beside the old one, and put it in its "
                f"place with `sudo bpftool net attach xdp pinned /sys/fs/bpf/{name}-2 dev eth0 "
                "overwrite`."
            )
        if _MAPS in flat.text:
            return "`bpftool map show` lists them, with their names and numbers."
        return "It has none."
    lines = ["| map | what it is | what stands in it |", "|---|---|---|"]
    lines += [f"| `{one.name}` | {_kind(one)} | {_content(one)} |" for one in flat.maps]
    words = [
        "\n".join(lines),
        "They start empty each time that the program is loaded, an array with zeros. Loaded by "
        f"bpftool as above, one is read like this:\n\n```\n{_example(name, flat)}\n```\n\n"
        "and `bpftool map update` writes an entry byte by byte, see bpftool-map(8).",
    ]
    names = {one.name for one in flat.maps}
    if names >= BALANCER:
        words.append(
            "What fills them in the lab is its control plane, `Balancer` or `Peers` "
            "(`labsetup/balancing/`): it hashes names to seeds, makes the rows, and writes "
            f"{', '.join(f'`{one.name}`' for one in flat.maps if _is_filled(one))}. Here a "
            "program of yours does, by libbpf's `bpf_map_update_elem()`; the structs in "
            f"`{name}.bpf.c` say byte by byte what it writes."
        )
    return "\n\n".join(words)


def _read(name: str, flat: Flat, by_name: list[str]) -> str:
    """What reads a map while the program runs; empty where there is none to read."""
    if by_name:
        return f"sudo bpftool map dump pinned /sys/fs/bpf/{by_name[0]}\n"
    return f"{_example(name, flat)}\n" if flat.maps and _example(name, flat) else ""


def _is_filled(one: Declared) -> bool:
    return bool(_contents().get(one.name, {}).get("written"))


def _kind(one: Declared) -> str:
    kind = one.kind.lower().replace("_", " ")
    unit = "entry" if one.entries == "1" else "entries"
    sizes = f", {one.entries} {unit}" if one.entries and one.kind != "RINGBUF" else ""
    types = " of ".join(f"`{part}`" for part in (one.value, one.key) if part)
    arrow = f": `{one.key}` to `{one.value}`" if one.key and one.value else f": {types}"
    return f"{kind}{arrow if types else ''}{sizes}".replace("|", "\\|")


def _content(one: Declared) -> str:
    if found := _contents().get(one.name):
        return f"{found['value']}."
    return {
        "DEVMAP": "for each place the number of an interface; you write it.",
        "CPUMAP": "for each CPU how many packets may wait for it; you write it.",
        "XSKMAP": "AF_XDP sockets; the program that opens them writes it.",
        "PROG_ARRAY": "programs to go on with; you write it.",
        "ARRAY_OF_MAPS": f"maps like `{one.inner}`; you write it.",
        "HASH_OF_MAPS": f"maps like `{one.inner}`; you write it.",
        "PERF_EVENT_ARRAY": "a ring for each CPU, which the program writes to and you read.",
        "RINGBUF": "a ring, which the program writes to and you read.",
    }.get(one.kind, f"`{one.name}` in the C tells who writes it.")


def _example(name: str, flat: Flat) -> str:
    first = flat.maps[0].name
    path = f"/sys/fs/bpf/{name}_maps/{first}"
    return f"sudo bpftool map dump pinned {path}"

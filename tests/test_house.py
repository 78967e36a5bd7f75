"""The house keeps its plan: rooms that import one way, files that one reads in one sitting."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from support.host import REPO

LAB = REPO / "labsetup"

# Lowest first: a room uses what stands before it, and nothing behind it.
ROOMS = [
    "errors",
    "installing",
    "streams",
    "arguments",
    "tools",
    "apart",
    "libbpf",
    "explaining",
    "network",
    "jail",
    "terminals",
    "packets",
    "maps",
    "compiling",
    "exporting",
    "programs",
    "strangers",
    "observing",
    "plots",
    "balancing",
    "routing",
    "rivals",
    "practice",
    "lessons",
    "marking",
    "pages",
    "machines",
    "hub",
    "service",
    "command",
    "pictures",
    "editor",
    "__init__",
    "kernel",
]
ALONE = "service"  # copied elsewhere it works there: of the lab it imports nothing, nor the lab it
ANSWERS = {"starter.py", "solution.py"}  # the reader's, as the folders mistakes/ and also_right/
LONGEST_FILE, LARGEST_ROOM = 350, 2_000  # lines

# What a module may do when it is imported is to define: none of these.
ACTS = {"socket.__new__", "os.putenv", "os.fork", "subprocess.Popen", "os.mkdir", "signal.signal"}
IMPORT_ALL = """
import importlib, sys
import bcc, IPython, ipykernel.kernelapp, ipywidgets, jupyter_server.base.handlers
import matplotlib.figure, numpy.random
import pygments.lexers
import pyroute2, pyroute2.ethtool.ioctl, scapy.layers.dns, scapy.layers.inet6, scapy.utils
import asyncio, csv, http, prometheus_client, tempfile, pwd

def watch(event, arguments):
    acts, outside = {acts!r}, ("/boot", "/proc", "/sys", "/run", "/dev")
    if event in acts or (event == "open" and str(arguments[0]).startswith(outside)):
        print(module, event, *arguments[:1])

sys.path.append({alone!r})
modules = {modules!r}
module = ""
sys.addaudithook(watch)
for module in modules:
    importlib.import_module(module)
"""


def output_of(*words: str) -> str:
    """What Python prints when it is started like this in the repository."""
    command = [sys.executable, *words]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=REPO, check=False)
    return ran.stdout + ran.stderr


@cache
def files() -> list[Path]:
    """The lab's own Python."""
    every = [path for path in LAB.rglob("*.py") if path.name not in ANSWERS]
    return [p for p in every if not {"mistakes", "also_right", "template"} & set(p.parts)]


def name_of(path: Path) -> str:
    """A module's name within labsetup."""
    return ".".join(path.relative_to(LAB).with_suffix("").parts)


@cache
def door() -> dict[str, str]:
    """The module that each public name comes from."""
    tree = ast.parse((LAB / "__init__.pyi").read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def imported(path: Path) -> set[str]:
    """The modules of labsetup that a file imports, wherever in the file it does so."""
    found: set[str] = set()
    folder = ("labsetup", *path.relative_to(LAB).parent.parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = tuple((node.module or "").split("."))
        if node.level:
            module = (*folder[: len(folder) - node.level + 1], *filter(None, module))
        if module[0] != "labsetup":
            continue
        inside = ".".join(module[1:])
        for alias in node.names:
            if not inside and alias.name in door():
                found.add(door()[alias.name])
                continue
            path_of = LAB / Path(*module[1:], alias.name)
            is_module = path_of.with_suffix(".py").exists() or path_of.is_dir()
            found.add(f"{inside}.{alias.name}".strip(".") if is_module else inside)
    return found - {"", name_of(path)}


def test_rooms_import_one_way():
    upwards = [
        f"{name_of(path)} imports {other}"
        for path in files()
        for other in imported(path)
        if ROOMS.index(other.split(".")[0]) > ROOMS.index(name_of(path).split(".")[0])
    ]
    assert not upwards


def test_what_is_copied_elsewhere_needs_no_lab():
    for path in files():
        if path.parent.name == ALONE:
            assert not imported(path) and "labsetup" not in path.read_text()
        else:
            assert not {other for other in imported(path) if other.startswith(ALONE)}


def test_there_is_no_circle():
    order = TopologicalSorter({name_of(path): imported(path) for path in files()})
    assert list(order.static_order())


def test_what_is_private_stays_in_its_file():
    taken = [
        f"{name_of(path)} imports {alias.name}"
        for path in files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.level or str(node.module) == "labsetup")
        for alias in node.names
        if alias.name.startswith("_")
    ]
    assert not taken


def test_files_and_rooms_are_small():
    lines = {path: path.read_text().count("\n") for path in files()}
    assert not {name_of(path): n for path, n in lines.items() if n > LONGEST_FILE}
    rooms: Counter[str] = Counter()
    for path, number in lines.items():
        parts = path.relative_to(LAB).parts
        rooms["/".join(parts[: 2 if parts[0] == "lessons" else 1])] += number
    assert not {room: n for room, n in rooms.items() if n > LARGEST_ROOM}


def test_nothing_is_exempt_from_the_formatter():
    code = [*files(), *(REPO / "tests").rglob("*.py")]
    marks = sum(path.read_text().count("# fmt: " + "skip") for path in code)
    assert marks < 10


def test_importing_a_module_does_nothing_but_define():
    modules = ["labsetup", *(f"labsetup.{name_of(path)}" for path in files())]
    modules = [name.removesuffix(".__init__") for name in modules if not name.endswith("__main__")]
    modules = [name.removeprefix(f"labsetup.{ALONE}.") for name in modules]
    script = IMPORT_ALL.format(acts=ACTS, modules=modules, alone=str(LAB / ALONE))
    assert not output_of("-c", script)


@pytest.mark.parametrize("name", ["nonsense", "Programm"])
def test_tools_know_which_names_there_are(name, tmp_path):
    source = tmp_path / "reader.py"
    names = f"from labsetup import Program, two_hosts, {name}\n"
    source.write_text(f"{names}reveal_type(two_hosts())\n")
    said = output_of("-m", "mypy", "--no-incremental", str(source))
    assert f'Module "labsetup" has no attribute "{name}"' in said
    assert 'Revealed type is "labsetup.network.network.Network"' in said
    assert 'no attribute "Program"' not in said.replace('"Programm"', "")


def test_every_public_name_can_be_had():
    import labsetup

    assert sorted(door()) == sorted(dir(labsetup))
    for name in door():
        assert getattr(labsetup, name) is not None

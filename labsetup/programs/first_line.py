"""What is said of the first line of a cell of C, %%xdp NAME, where it cannot be read."""

from __future__ import annotations

import re

NUMBER = re.compile(r"\d+\.\d+")  # of an exercise


def no_name(name: str, options: list[str]) -> str:
    """What is wrong with a program's name, as the end of a sentence; empty if nothing is."""
    if name.isidentifier():
        return ""
    if not name or name.startswith("-"):
        rest = " ".join(["NAME", name, *options]).strip()
        return f"and here the name is missing: type %%xdp {rest}, NAME being what to call it"
    words = re.sub(r"\W+", "_", name).strip("_")
    other = words if words.isidentifier() else f"my_{words}"
    return f"and {name} is no name in Python; call it {other}"


def no_options(name: str, options: list[str], likely: str) -> str:
    """What is wrong with what follows the name, likewise; *likely* is the number that is meant."""
    if not options or (options[0] == "--check" and len(options) == 2):
        return ""
    option, *rest = options
    right = f"%%xdp {name} --check {rest[0] if rest else likely}"
    if option == "--check":
        wants = "after the number nothing follows; type" if rest else "--check wants a number:"
        return f"and {wants} {right}"
    if NUMBER.fullmatch(option):
        return f"and --check stands before the number: %%xdp {name} --check {option}"
    if option.isidentifier() and not rest:
        return f"and a name is one word: {name}_{option}"
    if option.startswith("--check="):
        right = f"%%xdp {name} --check {option.partition('=')[2] or likely}"
    return f"and {option} is no option; the only one is --check: {right}"

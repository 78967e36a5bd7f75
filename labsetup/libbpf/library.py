"""BCC's library, which is linked against the system's libbpf: one handle finds both.

Sources: linux/bpf.h, <bpf/bpf.h>.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from typing import Any

from bcc.libbcc import lib as _bccs_own

from ..errors import LabError

NAMES = ("libbpf.so.1", "libbpf.so.0")

# A handle of our own on BCC's library: newer BCCs declare some of these functions themselves,
# for types of theirs.
lib = ctypes.CDLL(_bccs_own._name, use_errno=True)
_libc = ctypes.CDLL(None)
for _of_a_module, _gives in {
    "bpf_num_functions": ctypes.c_size_t,
    "bpf_function_name": ctypes.c_char_p,
    "bpf_module_license": ctypes.c_char_p,
    "bpf_num_tables": ctypes.c_size_t,
    "bpf_table_name": ctypes.c_char_p,
    "bpf_table_fd_id": ctypes.c_int,
    "bpf_table_type_id": ctypes.c_int,
    "bpf_table_flags_id": ctypes.c_int,
    "bpf_table_max_entries_id": ctypes.c_size_t,
    "bpf_table_key_desc_id": ctypes.c_char_p,
    "bpf_table_leaf_desc_id": ctypes.c_char_p,
    "bpf_table_key_size_id": ctypes.c_size_t,
    "bpf_table_leaf_size_id": ctypes.c_size_t,
}.items():
    _function = getattr(lib, _of_a_module)
    _function.restype = _gives
    _is_of_an_element = not _of_a_module.startswith(("bpf_num", "bpf_module"))
    _function.argtypes = [ctypes.c_void_p, ctypes.c_size_t][: 1 + _is_of_an_element]


@cache
def libbpf() -> Any:
    """A handle on libbpf itself, which need not be the one that BCC has within.

    Raises:
        LabError: where it is not installed.
    """
    for name in NAMES:
        try:
            library = ctypes.CDLL(name, use_errno=True)
        except OSError:
            continue
        for function in (
            "bpf_object__open_mem",
            "bpf_object__next_program",
            "bpf_program__next",
            "bpf_object__next_map",
            "bpf_map__next",
            "bpf_program__insns",
            "ring_buffer__new",
        ):
            if hasattr(library, function):
                getattr(library, function).restype = ctypes.c_void_p
        for function in ("bpf_program__name", "bpf_program__section_name", "bpf_map__name"):
            getattr(library, function).restype = ctypes.c_char_p
        return library
    raise LabError("libbpf is missing; type: labsetup/lab doctor")


_ITS_WORDS = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
WARNING = 0  # enum libbpf_print_level


def _warn(level: int, words: int, values: int) -> int:
    """Print what libbpf warns of; a va_list is handed over by its address on amd64 and arm64."""
    where, text = 2, ctypes.c_void_p(words)
    if level != WARNING:
        return 0
    return int(_libc.vdprintf(where, text, ctypes.c_void_p(values)))


_WARN = _ITS_WORDS(_warn)


@contextlib.contextmanager
def outspoken(library: ctypes.CDLL = lib) -> Iterator[None]:
    """Have libbpf say what it warns of, also when BCC has made it silent, as BPF() does.

    Args:
        library: BCC's, or libbpf itself.
    """
    if not hasattr(library, "libbpf_set_print"):
        yield
        return
    library.libbpf_set_print.restype = ctypes.c_void_p
    before = library.libbpf_set_print(_WARN)
    try:
        yield
    finally:
        library.libbpf_set_print(ctypes.c_void_p(before))


@contextlib.contextmanager
def captured_stderr() -> Iterator[list[str]]:
    """Collect what C libraries write to file descriptor 2; filled when the block ends.

    clang and the verifier speak there, and under nbval nobody would hear them.
    """
    said: list[str] = []
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield said
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            file.seek(0)
            said.append(file.read().decode(errors="replace"))

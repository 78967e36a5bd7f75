"""Perf rings: what a program writes for us, CPU by CPU.  Source: perf_event_open(2).

BCC's library maps them and reads their records; opened through a descriptor of the map, they need
nothing else of BCC.
"""

from __future__ import annotations

import ctypes
import sys
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import LabError
from ..libbpf.library import lib
from ..libbpf.maps import Elements

_TAKE = ctypes.CFUNCTYPE(None, ctypes.py_object, ctypes.c_void_p, ctypes.c_int)
_LOSE = ctypes.CFUNCTYPE(None, ctypes.py_object, ctypes.c_uint64)

lib.bpf_open_perf_buffer.restype = ctypes.c_void_p
lib.bpf_open_perf_buffer.argtypes = [_TAKE, _LOSE, ctypes.py_object, *[ctypes.c_int] * 3]
lib.perf_reader_fd.argtypes = lib.perf_reader_free.argtypes = [ctypes.c_void_p]
lib.perf_reader_poll.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_void_p), ctypes.c_int]


class Rings:
    """A ring for each CPU that is on; freed when nobody holds them any more."""

    def __init__(self, map_fd: int, pages: int, take: Callable[[int, bytes], None]) -> None:
        """Open them.

        Args:
            map_fd: of the map BPF_PERF_OUTPUT.
            pages: of each ring, 4,096 bytes each; a power of two.
            take: called with the number of the CPU and a record; not from another thread, but when
                `read` is called.

        Raises:
            LabError: when the kernel has no room for them.
        """
        self._callbacks: list[object] = []  # C has their addresses
        readers: list[int] = []
        elements = Elements(map_fd, 4, 4, len(_online()))
        for cpu in _online():

            def taken(_: object, data: int, size: int, cpu: int = cpu) -> None:
                take(cpu, ctypes.string_at(data, size))

            callbacks = _TAKE(taken), _LOSE(_lose)
            reader = lib.bpf_open_perf_buffer(*callbacks, None, -1, cpu, pages)
            if not reader:
                _free(readers)
                raise LabError(
                    f"the kernel has no room for a ring of {pages} pages on CPU {cpu}; close "
                    "other notebooks"
                )
            readers.append(reader)
            self._callbacks.append(callbacks)
            file = lib.perf_reader_fd(reader)
            elements.put(*(one.to_bytes(4, sys.byteorder) for one in (cpu, file)))
        self._readers = (ctypes.c_void_p * len(readers))(*readers)
        weakref.finalize(self, _free, readers).atexit = False  # the kernel closes them first

    def read(self) -> None:
        """Take what is in them now."""
        lib.perf_reader_poll(len(self._readers), self._readers, 0)


def _lose(*lost: object) -> None:
    """The program counts for itself: the kernel tells of a loss only with the next record."""


def _free(readers: Sequence[int]) -> None:
    for reader in readers:
        lib.perf_reader_free(reader)


def _online() -> list[int]:
    found: list[int] = []
    for part in Path("/sys/devices/system/cpu/online").read_text().strip().split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found

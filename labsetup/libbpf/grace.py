"""Waiting until no program uses any more what it looked up."""

from __future__ import annotations

import ctypes
import os

from .library import lib
from .maps import MapTypes, create_map

ARRAY, ARRAY_OF_MAPS = 2, 12  # enum bpf_map_type, linux/bpf.h
NO_TYPES = MapTypes(0, 0, 0)


def wait_for_programs() -> None:
    """Return when every run of an XDP program that had begun by now has ended.

    A run takes microseconds, but nobody sees where in it a CPU stands still.  Who takes away what a
    program may have looked up first makes it unreachable, then waits here, then takes it away.

    The kernel waits for its programs when a map in a map is replaced: bpf(2) has the call, and
    maybe_wait_bpf_programs() in kernel/bpf/syscall.c the promise.  It takes some milliseconds.

    Raises:
        OSError: with the kernel's error number.
    """
    inner = create_map(ARRAY, "grace_inner", (4, 4), 1, 0, NO_TYPES)
    try:
        outer = create_map(ARRAY_OF_MAPS, "grace", (4, 4), 1, 0, NO_TYPES, inner)
        try:
            fd = ctypes.c_uint32(inner)
            first = bytes(4)
            if lib.bpf_update_elem(outer, first, ctypes.byref(fd), ctypes.c_uint64(0)) < 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        finally:
            os.close(outer)
    finally:
        os.close(inner)

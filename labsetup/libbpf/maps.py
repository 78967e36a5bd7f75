"""Maps and their elements, as bytes."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

from .library import lib


def map_id(fd: int) -> int:
    """A map's id, by which bpftool finds it."""
    info = (ctypes.c_uint32 * 32)()  # struct bpf_map_info begins with type and id
    size = ctypes.c_uint32(ctypes.sizeof(info))
    if lib.bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size)) != 0:
        raise OSError(ctypes.get_errno(), "bpf_obj_get_info_by_fd")
    return info[1]


def create_map(kind: int, name: str, sizes: tuple[int, int], entries: int, flags: int) -> int:
    """Make a map, and return its descriptor.

    Args:
        kind: enum bpf_map_type, linux/bpf.h.
        name: the kernel keeps 15 characters of it.
        sizes: bytes of a key, and of a value.
        entries: how many it has room for.
        flags: as the C asks for them.

    Raises:
        OSError: with the kernel's error number.
    """
    fd = lib.bcc_create_map(kind, name.encode()[:15], *sizes, entries, flags)
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(fd)


class Elements:
    """A map's elements, as bytes; one bpf(2) call each."""

    def __init__(self, fd: int, key_size: int, value_size: int) -> None:
        """Look at a map.

        Args:
            fd: its descriptor, which stays the caller's.
            key_size: bytes of a key.
            value_size: bytes of a value; of a per-CPU map those of all copies.
        """
        self._fd, self._key_size, self._value_size = fd, key_size, value_size

    def get(self, key: bytes) -> bytes | None:
        """A value, or None where there is none."""
        value = ctypes.create_string_buffer(self._value_size)
        return None if lib.bpf_lookup_elem(self._fd, key, value) < 0 else value.raw

    def put(self, key: bytes, value: bytes) -> None:
        """Write a value.

        Raises:
            OSError: with the kernel's error number.
        """
        if lib.bpf_update_elem(self._fd, key, value, ctypes.c_uint64(0)) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def remove(self, key: bytes) -> bool:
        """Take an element out; False where there was none."""
        return int(lib.bpf_delete_elem(self._fd, key)) == 0

    def keys(self) -> Iterator[bytes]:
        """Every key, in the kernel's order; what changes meanwhile may come or not."""
        key = ctypes.create_string_buffer(self._key_size)
        following = ctypes.create_string_buffer(self._key_size)
        if lib.bpf_get_first_key(self._fd, key, ctypes.c_size_t(self._key_size)) < 0:
            return
        while True:
            yield key.raw
            if lib.bpf_get_next_key(self._fd, key, following) < 0:
                return
            key, following = following, key


def possible_cpus() -> int:
    """How many CPUs the kernel keeps a copy for: those that may yet be plugged in, too."""
    last = Path("/sys/devices/system/cpu/possible").read_text().strip().rpartition(",")[2]
    return int(last.rpartition("-")[2]) + 1

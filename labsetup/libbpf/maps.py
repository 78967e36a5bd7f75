"""Maps and their elements, as bytes."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from .library import lib


class MapTypes(NamedTuple):
    """The kernel's numbers for the types of a map's keys and values, and for the BTF that has them.

    By them bpftool shows fields by their names.  All are 0 where a map came without.
    """

    btf: int
    key: int
    value: int


class _MapAttributes(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        *((name, ctypes.c_uint32) for name in ("kind", "flags", "key_size", "value_size")),
        *((name, ctypes.c_uint32) for name in ("entries", "numa_node", "btf_fd")),
        *((name, ctypes.c_uint32) for name in ("key_type", "value_type", "interface", "inner")),
    ]


def _info(fd: int) -> Sequence[int]:
    """What the kernel says of a map: struct bpf_map_info, in units of 32 bits."""
    info = (ctypes.c_uint32 * 32)()
    size = ctypes.c_uint32(ctypes.sizeof(info))
    if lib.bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size)) != 0:
        raise OSError(ctypes.get_errno(), "bpf_obj_get_info_by_fd")
    return list(info)


def map_id(fd: int) -> int:
    """A map's id, by which bpftool finds it."""
    return _info(fd)[1]


class Layout(NamedTuple):
    """What libbpf compares before it takes a pinned map for the one that the C describes."""

    kind: int
    key_size: int
    value_size: int
    entries: int
    flags: int


def layout_of(fd: int) -> Layout:
    """A map's kind, its sizes, and its flags, as the kernel has them."""
    kind, _, *rest = _info(fd)[:6]
    return Layout(kind, *rest)


def types_of(fd: int) -> MapTypes:
    """The types of a map's keys and values."""
    return MapTypes(*_info(fd)[16:19])


def create_map(
    kind: int,
    name: str,
    sizes: tuple[int, int],
    entries: int,
    flags: int,
    types: MapTypes,
    inner: int = 0,
) -> int:
    """Make a map, and return its descriptor.

    Args:
        kind: enum bpf_map_type, linux/bpf.h.
        name: the kernel keeps 15 characters of it.
        sizes: bytes of a key, and of a value.
        entries: how many it has room for.
        flags: as the C asks for them.
        types: those of its keys and values; without them, if their BTF is gone.
        inner: of a map of maps, the descriptor of one like those that it will have.

    Raises:
        OSError: with the kernel's error number.
    """
    attributes = _MapAttributes(name.encode()[:15], kind, flags, *sizes, entries, inner=inner)
    btf = lib.bpf_btf_get_fd_by_id(ctypes.c_uint32(types.btf)) if types.btf else -1
    if btf >= 0:
        attributes.btf_fd = btf
        attributes.key_type, attributes.value_type = types.key, types.value
    try:
        fd = lib.bcc_create_map_xattr(ctypes.byref(attributes), ctypes.c_bool(True))
        error = ctypes.get_errno()
    finally:
        if btf >= 0:
            os.close(btf)
    if fd < 0:
        raise OSError(error, os.strerror(error))
    return int(fd)


class Elements:
    """A map's elements, as bytes; one bpf(2) call each.  A queue's have no keys, but None."""

    def __init__(self, fd: int, key_size: int, value_size: int, entries: int) -> None:
        """Look at a map.

        Args:
            fd: its descriptor, which stays the caller's.
            key_size: bytes of a key.
            value_size: bytes of a value; of a per-CPU map those of all copies.
            entries: how many there can be at a time.
        """
        self._fd, self._key_size, self._value_size = fd, key_size, value_size
        self._entries = entries

    def get(self, key: bytes | None) -> bytes | None:
        """A value, or None where there is none."""
        value = ctypes.create_string_buffer(self._value_size)
        return None if lib.bpf_lookup_elem(self._fd, key, value) < 0 else value.raw

    def take(self) -> bytes | None:
        """A value, which is taken out; None where there is none."""
        value = ctypes.create_string_buffer(self._value_size)
        took = lib.bpf_map_lookup_and_delete_elem(self._fd, None, value)
        return None if took < 0 else value.raw

    def put(self, key: bytes | None, value: bytes) -> None:
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
        """Every key, in the kernel's order; what changes meanwhile may come or not.

        The kernel begins anew after a key that has gone: those that come again are left out, and
        the whole ends where a map that fills as fast as it is read would have no end.
        """
        key = ctypes.create_string_buffer(self._key_size)
        following = ctypes.create_string_buffer(self._key_size)
        seen: set[bytes] = set()
        if lib.bpf_get_first_key(self._fd, key, ctypes.c_size_t(self._key_size)) < 0:
            return
        for _ in range(2 * self._entries):
            if key.raw not in seen:
                seen.add(key.raw)
                yield key.raw
            if lib.bpf_get_next_key(self._fd, key, following) < 0:
                return
            key, following = following, key


def possible_cpus() -> int:
    """How many CPUs the kernel keeps a copy for: those that may yet be plugged in, too."""
    last = Path("/sys/devices/system/cpu/possible").read_text().strip().rpartition(",")[2]
    return int(last.rpartition("-")[2]) + 1

"""Maps and their elements, as bytes."""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Iterator, Sequence
from functools import cache
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


class MapFacts(NamedTuple):
    """What the kernel says of a map."""

    name: str  # cut to 15 characters
    kind: int  # enum bpf_map_type, linux/bpf.h
    key_size: int  # bytes
    value_size: int  # bytes, of a per-CPU map of one copy
    entries: int
    flags: int
    types: MapTypes


def facts_of(fd: int) -> MapFacts:
    """What the kernel says of a map.

    Raises:
        OSError: if it is none.
    """
    if "bpf-map" not in os.readlink(f"/proc/self/fd/{fd}"):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    kind, _, key, value, entries, flags, *name = _info(fd)[:10]
    text = b"".join(one.to_bytes(4, sys.byteorder) for one in name).partition(b"\0")[0]
    return MapFacts(text.decode(), kind, key, value, entries, flags, types_of(fd))


def pinned_file(path: str) -> int:
    """A descriptor of what is pinned there.

    Raises:
        OSError: with the kernel's error number.
    """
    fd = int(lib.bpf_obj_get(path.encode()))
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd


class _BtfInfo(ctypes.Structure):  # struct bpf_btf_info
    _fields_ = [("data", ctypes.c_uint64), ("size", ctypes.c_uint32), ("id", ctypes.c_uint32)]


def btf_of(number: int) -> bytes:
    """The types that the kernel keeps under a number.

    Raises:
        OSError: with the kernel's error number.
    """
    fd = lib.bpf_btf_get_fd_by_id(ctypes.c_uint32(number))
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    try:
        info = _BtfInfo()
        for _ in range(2):  # first how large it is, then itself
            room = ctypes.create_string_buffer(info.size)
            info = _BtfInfo(ctypes.addressof(room), info.size)
            size = ctypes.c_uint32(ctypes.sizeof(info))
            if lib.bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size)) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return room.raw
    finally:
        os.close(fd)


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


@cache
def possible_cpus() -> int:
    """How many CPUs the kernel keeps a copy for: those that may yet be plugged in, too."""
    last = Path("/sys/devices/system/cpu/possible").read_text().strip().rpartition(",")[2]
    return int(last.rpartition("-")[2]) + 1

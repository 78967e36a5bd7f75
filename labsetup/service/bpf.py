"""bpf(2), as far as a balancer needs it, by way of libbpf: <bpf/bpf.h> and <bpf/libbpf.h>."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator

HASH, XDP = 1, 37  # BPF_MAP_TYPE_HASH and BPF_XDP, linux/bpf.h

_lib = ctypes.CDLL("libbpf.so.1", use_errno=True)
_OBJECT = ctypes.c_void_p
for _name in ("bpf_object__open_file", "bpf_object__find_program_by_name"):
    getattr(_lib, _name).restype = _OBJECT


class _OpenOpts(ctypes.Structure):
    _fields_ = [
        ("sz", ctypes.c_size_t),
        ("object_name", ctypes.c_char_p),
        ("relaxed_maps", ctypes.c_bool),
        ("pin_root_path", ctypes.c_char_p),
    ]


def _done(result: int | None, what: str) -> int:
    """What a call gave; a failure becomes an OSError that names what was tried."""
    if result is None or result < 0:
        code = ctypes.get_errno()
        words = ctypes.create_string_buffer(128)
        _lib.libbpf_strerror(code, words, len(words))  # it has numbers of its own, too
        raise OSError(code, words.value.decode(), what)
    return result


def load(file: str, program: str, pins: str) -> int:
    """Load a program, and return its descriptor; bpf_object__open_file, bpf_object__load.

    Maps that are pinned in the folder are used as they are; others are made, and pinned there.
    """
    opts = _OpenOpts(sz=ctypes.sizeof(_OpenOpts), pin_root_path=pins.encode())
    opened = _done(_lib.bpf_object__open_file(file.encode(), ctypes.byref(opts)), file)
    loaded = _OBJECT(opened)
    try:
        _done(_lib.bpf_object__load(loaded), file)
        found = _lib.bpf_object__find_program_by_name(loaded, program.encode())
        return os.dup(_done(_lib.bpf_program__fd(_OBJECT(_done(found, program))), program))
    finally:
        _lib.bpf_object__close(loaded)


def pinned(path: str) -> int:
    """A descriptor of what is pinned there; BPF_OBJ_GET."""
    return _done(_lib.bpf_obj_get(path.encode()), path)


def attach(program: int, interface: int, path: str) -> None:
    """Put a program on an interface by a link, and pin it; BPF_LINK_CREATE, BPF_OBJ_PIN.

    What is pinned outlives this process; before it is pinned, the link ends with its descriptor.
    """
    link = _done(_lib.bpf_link_create(program, interface, XDP, None), "the interface")
    try:
        _done(_lib.bpf_obj_pin(link, path.encode()), path)
    finally:
        os.close(link)


def exchange(link: int, program: int) -> None:
    """Put another program in the place of a link's, between two packets; BPF_LINK_UPDATE."""
    _done(_lib.bpf_link_update(link, program, None), "the link")


def detach(link: int) -> None:
    """Take a link's program off its interface, whoever else holds the link; BPF_LINK_DETACH."""
    _done(_lib.bpf_link_detach(link), "the link")


def interface_of(link: int) -> int:
    """The number of a link's interface, 0 once that is gone; BPF_OBJ_GET_INFO_BY_FD."""
    info, size = ctypes.create_string_buffer(64), ctypes.c_uint32(64)
    _done(_lib.bpf_obj_get_info_by_fd(link, info, ctypes.byref(size)), "the link")
    return int(struct.unpack_from("=16xI", info.raw)[0])  # struct bpf_link_info


def make_hash(name: str, key_size: int, value_size: int, entries: int) -> int:
    """Make a hash, and return its descriptor; BPF_MAP_CREATE."""
    return _done(
        _lib.bpf_map_create(HASH, name.encode(), key_size, value_size, entries, None), name
    )


def put(fd: int, key: bytes, value: bytes) -> None:
    """Write an element; BPF_MAP_UPDATE_ELEM.  Of a map of maps the value is a descriptor.

    In a map of maps the kernel then waits until no program uses the map that was there before.
    """
    _done(_lib.bpf_map_update_elem(fd, key, value, ctypes.c_uint64(0)), "a map")


def get(fd: int, key: bytes, size: int) -> bytes | None:
    """An element of so many bytes, or None; BPF_MAP_LOOKUP_ELEM."""
    value = ctypes.create_string_buffer(size)
    return None if _lib.bpf_map_lookup_elem(fd, key, value) < 0 else value.raw


def remove(fd: int, key: bytes) -> None:
    """Take an element out, if it is there; BPF_MAP_DELETE_ELEM."""
    _lib.bpf_map_delete_elem(fd, key)


def keys(fd: int, size: int) -> Iterator[bytes]:
    """Every key of so many bytes; nobody else may change the map; BPF_MAP_GET_NEXT_KEY."""
    key, following = None, ctypes.create_string_buffer(size)
    while _lib.bpf_map_get_next_key(fd, key, following) == 0:
        key = following.raw
        yield key

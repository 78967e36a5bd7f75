"""What programs have put into a ring buffer, taken out record by record.

Source: <bpf/libbpf.h>, ring_buffer__new(); Documentation/bpf/ringbuf.rst.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import LabError
from ..libbpf.library import libbpf
from .described import described
from .values import plain

_TAKE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)


def taken(fd: int) -> list[bytes]:
    """All records that are in it now, oldest first; they are gone from it then.

    Args:
        fd: of the map.

    Raises:
        LabError: where this process has no room for it.
    """
    found: list[bytes] = []

    def take(_: int, data: int, size: int) -> int:
        found.append(ctypes.string_at(data, size))
        return 0

    library, callback = libbpf(), _TAKE(take)
    ring = library.ring_buffer__new(fd, callback, None, None)
    if not ring or ring > 2**64 - 4096:
        raise LabError(f"the ring buffer cannot be read: {os.strerror(ctypes.get_errno())}")
    try:
        library.ring_buffer__consume(ctypes.c_void_p(ring))
    finally:
        library.ring_buffer__free(ctypes.c_void_p(ring))
    return found


def read_as(records: Sequence[bytes], structs: Mapping[str, Any], struct: str) -> list[Any]:
    """Records as structs of the C; bytes where it is not clear of which.

    Args:
        records: what was taken.
        structs: those of the C, by name, described.
        struct: the name of the one that it is, or empty: the only one of a record's size.

    Raises:
        LabError: if there is no such struct, or a record is shorter than it.
    """
    if struct and struct not in structs:
        has = ", ".join(structs) or "none"
        raise LabError(f"the C has no struct {struct!r}; it has: {has}")
    kinds = {name: described(one) for name, one in structs.items()}
    return [_read(one, kinds, struct) for one in records]


def _read(record: bytes, kinds: Mapping[str, Any], struct: str) -> Any:
    if struct:
        if ctypes.sizeof(kinds[struct]) > len(record):
            raise LabError(
                f"a record of {len(record)} bytes is no struct {struct}, which has "
                f"{ctypes.sizeof(kinds[struct])}"
            )
        return plain(kinds[struct].from_buffer_copy(record))
    fits = [kind for kind in kinds.values() if ctypes.sizeof(kind) == len(record)]
    return plain(fits[0].from_buffer_copy(record)) if len(fits) == 1 else record

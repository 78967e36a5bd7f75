"""Programs put on interfaces, and at a tracepoint."""

from __future__ import annotations

import ctypes
import os

from .library import captured_stderr, lib, outspoken

FLAG_UPDATE_IF_NOEXIST = 1
FLAG_MODE = {"generic": 2, "native": 4}


class _XdpQueryOpts(ctypes.Structure):
    _fields_ = [
        ("sz", ctypes.c_size_t),
        ("prog_id", ctypes.c_uint32),
        ("drv_prog_id", ctypes.c_uint32),
        ("hw_prog_id", ctypes.c_uint32),
        ("skb_prog_id", ctypes.c_uint32),
        ("attach_mode", ctypes.c_uint8),
    ]


def attach_xdp(interface: str, fd: int, flags: int) -> None:
    """Attach a program to an interface of the calling thread's namespace; -1 detaches.

    Raises:
        OSError: with the kernel's error number, and its own words where it gave some.
    """
    with captured_stderr() as said, outspoken():
        failed = lib.bpf_attach_xdp(interface.encode(), fd, flags) < 0
        code = ctypes.get_errno()
    if failed:
        words = [line.partition("message: ")[2] for line in said[0].splitlines()]
        raise OSError(code, next(filter(None, words), os.strerror(code)))


def attached(index: int) -> tuple[str, int] | None:
    """Mode and id of the XDP program on an interface of the calling thread's namespace.

    Args:
        index: the interface's number there.

    Raises:
        OSError: with the kernel's error number.
    """
    found = _XdpQueryOpts(sz=ctypes.sizeof(_XdpQueryOpts))
    if hasattr(lib, "bpf_xdp_query"):
        failed = lib.bpf_xdp_query(index, 0, ctypes.byref(found))
    else:  # libbpf before 0.7; what it fills begins with the same fields, but for the size
        info = ctypes.byref(found, _XdpQueryOpts.prog_id.offset)
        failed = lib.bpf_get_link_xdp_info(index, info, 20, 0)
    if failed:
        raise OSError(-failed, os.strerror(-failed))
    mode = {1: "native", 2: "generic"}.get(found.attach_mode)  # enum in linux/if_link.h
    program = found.drv_prog_id if mode == "native" else found.skb_prog_id
    return (mode, program or found.prog_id) if mode else None


def attach_tracepoint(fd: int, category: str, event: str) -> int:
    """Run a program at a tracepoint of this machine; returns a descriptor, to close it by.

    It is negative where the kernel has no such tracepoint.
    """
    with captured_stderr():
        return int(lib.bpf_attach_tracepoint(fd, category.encode(), event.encode()))

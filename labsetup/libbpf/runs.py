"""A program run on one frame without an interface, or on many live ones.

Source: Documentation/bpf/bpf_prog_run.rst.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re

from ..errors import LabError
from .library import lib

FLAG_LIVE_FRAMES = 2  # BPF_F_TEST_XDP_LIVE_FRAMES


class _TestRunOpts(ctypes.Structure):
    _fields_ = [
        ("sz", ctypes.c_size_t),
        ("data_in", ctypes.c_void_p),
        ("data_out", ctypes.c_void_p),
        ("data_size_in", ctypes.c_uint32),
        ("data_size_out", ctypes.c_uint32),
        ("ctx_in", ctypes.c_void_p),
        ("ctx_out", ctypes.c_void_p),
        ("ctx_size_in", ctypes.c_uint32),
        ("ctx_size_out", ctypes.c_uint32),
        ("retval", ctypes.c_uint32),
        ("repeat", ctypes.c_int),
        ("duration", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("cpu", ctypes.c_uint32),
        ("batch_size", ctypes.c_uint32),
    ]


class _XdpMd(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_uint32),
        ("data_end", ctypes.c_uint32),
        ("data_meta", ctypes.c_uint32),
        ("ingress_ifindex", ctypes.c_uint32),
        ("rx_queue_index", ctypes.c_uint32),
        ("egress_ifindex", ctypes.c_uint32),
    ]


def run_frame(fd: int, frame: bytes, repeat: int = 1) -> tuple[int, bytes, int]:
    """Run a program on one frame without an interface (BPF_PROG_TEST_RUN).

    Args:
        fd: the loaded program.
        frame: the packet from its Ethernet header on.
        repeat: how often to run it; the kernel times the whole and divides.

    Returns:
        The verdict's number, the frame as the program left it, nanoseconds a run.

    Raises:
        OSError: EINVAL for a frame that the kernel does not take, shorter than an
            Ethernet header or longer than a page has room for.
    """
    out = ctypes.create_string_buffer(len(frame) + 512)  # room for a head that grew
    data = ctypes.create_string_buffer(frame, len(frame))
    opts = _TestRunOpts(
        sz=ctypes.sizeof(_TestRunOpts),
        data_in=ctypes.addressof(data),
        data_size_in=len(frame),
        data_out=ctypes.addressof(out),
        data_size_out=len(out),
        repeat=repeat,
    )
    if lib.bpf_prog_test_run_opts(fd, ctypes.byref(opts)) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return opts.retval, out.raw[: opts.data_size_out], opts.duration


def run_live(fd: int, frame: bytes, interface: int, count: int, batch: int = 64) -> int:
    """Run a program on live frames, as if they arrived at an interface; what it sends is sent.

    The kernel takes a frame back when the network is done with it, and gives it to the program
    again as the network left it.

    Args:
        fd: the loaded program.
        frame: what each frame holds at first.
        interface: its number in the calling thread's namespace.
        count: how many runs.
        batch: frames that are on their way at the same time, at most 256.

    Returns:
        Nanoseconds a run by the kernel's clock, all that became of the frame included.

    Raises:
        LabError: when the kernel is older than 5.18.
        OSError: when it refuses for another reason.
    """
    data = ctypes.create_string_buffer(frame, len(frame))
    context = _XdpMd(data_end=len(frame), ingress_ifindex=interface)
    opts = _TestRunOpts(
        sz=ctypes.sizeof(_TestRunOpts),
        data_in=ctypes.addressof(data),
        data_size_in=len(frame),
        ctx_in=ctypes.addressof(context),
        ctx_size_in=ctypes.sizeof(context),
        repeat=count,
        flags=FLAG_LIVE_FRAMES,
        batch_size=batch,
    )
    if lib.bpf_prog_test_run_opts(fd, ctypes.byref(opts)) != 0:
        code = ctypes.get_errno()
        release = os.uname().release
        if code == errno.EINVAL and tuple(map(int, re.findall(r"\d+", release)[:2])) < (5, 18):
            raise LabError(f"live frames need Linux 5.18; this is {release}")
        raise OSError(code, os.strerror(code))
    return int(opts.duration)

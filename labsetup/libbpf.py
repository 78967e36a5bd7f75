"""The calls to libbpf and libbcc that BCC's own Python does not make.

BCC's library is linked against the system's libbpf, so one handle finds both.
Sources: linux/bpf.h, <bpf/bpf.h>, Documentation/bpf/bpf_prog_run.rst.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass

from bcc.libbcc import lib as _bccs_own

from .sandbox import LabError

# A handle of our own on BCC's library: newer BCCs declare some of these functions themselves,
# for types of theirs.
lib = ctypes.CDLL(_bccs_own._name, use_errno=True)
lib.bpf_num_tables.argtypes = lib.bpf_num_functions.argtypes = [ctypes.c_void_p]
lib.bpf_function_name.restype = ctypes.c_char_p
lib.bpf_function_name.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
lib.bpf_table_name.restype = ctypes.c_char_p
lib.bpf_table_name.argtypes = [ctypes.c_void_p, ctypes.c_size_t]

PROG_TYPE_XDP = 6
FLAG_UPDATE_IF_NOEXIST = 1
FLAG_MODE = {"generic": 2, "native": 4}
FLAG_LIVE_FRAMES = 2  # BPF_F_TEST_XDP_LIVE_FRAMES

# r0 = 2 (XDP_PASS); exit.  Eight bytes an instruction, in the machine's own byte order.
PASS = b"".join(
    opcode + registers + b"\0\0" + value.to_bytes(4, sys.byteorder)
    for opcode, registers, value in ((b"\xb7", b"\0", 2), (b"\x95", b"\0", 0))
)


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


class _ProgInfo(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_uint32),
        ("id", ctypes.c_uint32),
        ("tag", ctypes.c_uint8 * 8),
        ("jited_prog_len", ctypes.c_uint32),
        ("xlated_prog_len", ctypes.c_uint32),
        ("jited_prog_insns", ctypes.c_uint64),
        ("xlated_prog_insns", ctypes.c_uint64),
        ("load_time", ctypes.c_uint64),
        ("created_by_uid", ctypes.c_uint32),
        ("nr_map_ids", ctypes.c_uint32),
        ("map_ids", ctypes.c_uint64),
        ("name", ctypes.c_char * 16),
    ]


@dataclass(frozen=True)
class Facts:
    """What the kernel says of a loaded program."""

    name: str  # cut to 15 characters by the kernel (BPF_OBJ_NAME_LEN)
    id: int  # the kernel's number for it
    instructions: int  # as the verifier left them, 8 bytes each
    jited_bytes: int  # machine code; 0 without a JIT compiler


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


def load_pass() -> int:
    """Load the smallest program, which only returns XDP_PASS, and return its descriptor."""
    fd = lib.bcc_prog_load(PROG_TYPE_XDP, b"xdp_pass", PASS, len(PASS), b"GPL", 0, 0, None, 0)
    if fd < 0:
        raise LabError(
            f"the kernel refused the smallest XDP program ({os.strerror(ctypes.get_errno())}); "
            "type: labsetup/lab doctor"
        )
    return fd


def attach(interface: str, fd: int, flags: int) -> None:
    """Attach a program to an interface of the calling thread's namespace; -1 detaches.

    Raises:
        OSError: with the kernel's error number, and its own words where it gave some.
    """
    with captured_stderr() as said:
        failed = lib.bpf_attach_xdp(interface.encode(), fd, flags) < 0
        code = ctypes.get_errno()
    if failed:
        words = [line.partition("message: ")[2] for line in said[0].splitlines()]
        raise OSError(code, next(filter(None, words), os.strerror(code)))


def facts(fd: int) -> Facts:
    """Name and size of a loaded program."""
    info = _ProgInfo()
    size = ctypes.c_uint32(ctypes.sizeof(info))
    if lib.bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size)) != 0:
        raise OSError(ctypes.get_errno(), "bpf_obj_get_info_by_fd")
    return Facts(info.name.decode(), info.id, info.xlated_prog_len // 8, info.jited_prog_len)


def name_of(program_id: int) -> str:
    """The name of the loaded program with this id, whoever loaded it."""
    fd = lib.bpf_prog_get_fd_by_id(ctypes.c_uint32(program_id))
    if fd < 0:
        return f"program {program_id}"
    try:
        return facts(fd).name
    finally:
        os.close(fd)


def map_id(fd: int) -> int:
    """A map's id, by which bpftool finds it."""
    info = (ctypes.c_uint32 * 32)()  # struct bpf_map_info begins with type and id
    size = ctypes.c_uint32(ctypes.sizeof(info))
    if lib.bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(size)) != 0:
        raise OSError(ctypes.get_errno(), "bpf_obj_get_info_by_fd")
    return info[1]


def function_names(module: int) -> list[str]:
    """The functions in a module that BCC compiled which the kernel could be given."""
    return [lib.bpf_function_name(module, i).decode() for i in range(lib.bpf_num_functions(module))]


def table_names(module: int) -> list[str]:
    """The names of the maps in a module that BCC compiled."""
    return [lib.bpf_table_name(module, i).decode() for i in range(lib.bpf_num_tables(module))]


def test_run(fd: int, frame: bytes, repeat: int = 1) -> tuple[int, bytes, int]:
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
    return opts.duration

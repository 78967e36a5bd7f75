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
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bcc.libbcc import lib as _bccs_own

from .errors import LabError

# A handle of our own on BCC's library: newer BCCs declare some of these functions themselves,
# for types of theirs.
lib = ctypes.CDLL(_bccs_own._name, use_errno=True)
for _of_a_module, _gives in {
    "bpf_num_functions": ctypes.c_size_t,
    "bpf_function_name": ctypes.c_char_p,
    "bpf_module_license": ctypes.c_char_p,
    "bpf_num_tables": ctypes.c_size_t,
    "bpf_table_name": ctypes.c_char_p,
    "bpf_table_fd_id": ctypes.c_int,
    "bpf_table_type_id": ctypes.c_int,
    "bpf_table_flags_id": ctypes.c_int,
    "bpf_table_max_entries_id": ctypes.c_size_t,
    "bpf_table_key_desc_id": ctypes.c_char_p,
    "bpf_table_leaf_desc_id": ctypes.c_char_p,
    "bpf_table_key_size_id": ctypes.c_size_t,
    "bpf_table_leaf_size_id": ctypes.c_size_t,
}.items():
    _function = getattr(lib, _of_a_module)
    _function.restype = _gives
    _is_of_an_element = not _of_a_module.startswith(("bpf_num", "bpf_module"))
    _function.argtypes = [ctypes.c_void_p, ctypes.c_size_t][: 1 + _is_of_an_element]

PROG_TYPE_TRACEPOINT, PROG_TYPE_XDP = 5, 6
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


class _XdpQueryOpts(ctypes.Structure):
    _fields_ = [
        ("sz", ctypes.c_size_t),
        ("prog_id", ctypes.c_uint32),
        ("drv_prog_id", ctypes.c_uint32),
        ("hw_prog_id", ctypes.c_uint32),
        ("skb_prog_id", ctypes.c_uint32),
        ("attach_mode", ctypes.c_uint8),
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
    return int(fd)


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


# struct bpf_insn, linux/bpf.h: code, registers, offset, immediate.  A 64-bit load whose source is
# BPF_PSEUDO_MAP_FD takes the map with that descriptor.
INSTRUCTION = struct.Struct("=BBhi")
LOAD_64, PSEUDO_MAP_FD = 0x18, 1


def with_maps(code: bytes, other: Callable[[int], int]) -> bytes:
    """A program's code with another number in each place where it names a map."""
    made = bytearray(code)
    for at in range(0, len(made), INSTRUCTION.size):
        opcode, registers, offset, number = INSTRUCTION.unpack_from(made, at)
        source = registers >> 4 if sys.byteorder == "little" else registers & 15
        if opcode == LOAD_64 and source == PSEUDO_MAP_FD:
            INSTRUCTION.pack_into(made, at, opcode, registers, offset, other(number))
    return bytes(made)


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


def load(name: str, code: bytes, licence: bytes) -> int:
    """Load an XDP program whose maps are there, and return its descriptor.

    Raises:
        OSError: with the kernel's error number.
    """
    with captured_stderr():
        fd = lib.bcc_prog_load(
            PROG_TYPE_XDP, name.encode()[:15], code, len(code), licence, 0, 0, None, 0
        )
        error = ctypes.get_errno()
    if fd < 0:
        raise OSError(error, os.strerror(error))
    return int(fd)


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
    return int(opts.duration)

"""Loaded programs: what the kernel says of one, and one that is loaded once more."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import LabError
from .library import captured_stderr, lib

PROG_TYPE_TRACEPOINT, PROG_TYPE_XDP = 5, 6


# r0 = 2 (XDP_PASS); exit.  Eight bytes an instruction, in the machine's own byte order.
PASS = b"".join(
    opcode + registers + b"\0\0" + value.to_bytes(4, sys.byteorder)
    for opcode, registers, value in ((b"\xb7", b"\0", 2), (b"\x95", b"\0", 0))
)


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


def load_pass() -> int:
    """Load the smallest program, which only returns XDP_PASS, and return its descriptor."""
    fd = lib.bcc_prog_load(PROG_TYPE_XDP, b"xdp_pass", PASS, len(PASS), b"GPL", 0, 0, None, 0)
    if fd < 0:
        raise LabError(
            f"the kernel refused the smallest XDP program ({os.strerror(ctypes.get_errno())}); "
            "type: labsetup/lab doctor"
        )
    return int(fd)


def load_xdp(name: str, code: bytes, licence: bytes) -> int:
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


def refusal_of(code: bytes, licence: bytes) -> str:
    """What the verifier says against an XDP program; empty where it takes it."""
    log = ctypes.create_string_buffer(1 << 20)
    given = code, len(code), licence, 0, 1, log, len(log)
    fd = lib.bcc_prog_load(PROG_TYPE_XDP, b"looked_at", *given)
    if fd < 0:
        return log.value.decode(errors="replace") or "refused"
    os.close(fd)
    return ""


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


def function_names(module: int) -> list[str]:
    """The functions in a module that BCC compiled which the kernel could be given."""
    return [lib.bpf_function_name(module, i).decode() for i in range(lib.bpf_num_functions(module))]


# struct bpf_insn, linux/bpf.h: code, registers, offset, immediate.  A 64-bit load whose source is
# BPF_PSEUDO_MAP_FD takes the map with that descriptor.
INSTRUCTION = struct.Struct("=BBhi")

LOAD_64, PSEUDO_MAP_FD = 0x18, 1
CALL, PSEUDO_CALL = 0x85, 1  # the latter of a function of the program's own


def unpacked(registers: int) -> tuple[int, int]:
    """The destination and the source that an instruction's second byte names."""
    low, high = registers & 15, registers >> 4
    return (low, high) if sys.byteorder == "little" else (high, low)


def packed(destination: int, source: int) -> int:
    """An instruction's second byte."""
    return unpacked(destination | source << 4)[0] | unpacked(destination | source << 4)[1] << 4


def with_maps(code: bytes, other: Callable[[int], int]) -> bytes:
    """A program's code with another number in each place where it names a map."""
    made = bytearray(code)
    for at in range(0, len(made), INSTRUCTION.size):
        opcode, registers, offset, number = INSTRUCTION.unpack_from(made, at)
        _, source = unpacked(registers)
        if opcode == LOAD_64 and source == PSEUDO_MAP_FD:
            INSTRUCTION.pack_into(made, at, opcode, registers, offset, other(number))
    return bytes(made)


BY_TYPE = 1 << 32  # what stands for a call by BTF number: BPF_PSEUDO_KFUNC_CALL, linux/bpf.h
MAY_GOTO, MAY_GOTO_JUMP = 1 << 33, 0xE5  # and for a jump that only a count of 8 million ends


def helpers_of(code: bytes) -> set[int]:
    """The kernel's functions that a program's code calls, by their number in linux/bpf.h."""
    found = set()
    for opcode, registers, _, number in INSTRUCTION.iter_unpack(code):
        source = registers >> 4 if sys.byteorder == "little" else registers & 15
        if opcode == CALL and source != PSEUDO_CALL:
            found.add(number if source == 0 else BY_TYPE)
        if opcode == MAY_GOTO_JUMP:
            found.add(MAY_GOTO)
    return found

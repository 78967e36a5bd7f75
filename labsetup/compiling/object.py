"""libbpf's calls on object files, whichever version the distribution has: 0.5 to 1.5.

Source: <bpf/libbpf.h>.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from typing import Any

from ..libbpf.library import libbpf, outspoken
from ..libbpf.maps import Layout, layout_of

_ERRORS = 2**64 - 4096  # what stands for a pointer that is an error's number, before libbpf 1.0
MAPPED = 1 << 10  # BPF_F_MMAPABLE, linux/bpf.h
XDP = 6  # enum bpf_prog_type, linux/bpf.h
Pointer = ctypes.c_void_p


class _OpenOptions(ctypes.Structure):
    _fields_ = [
        ("sz", ctypes.c_size_t),
        ("object_name", ctypes.c_char_p),
        ("more", ctypes.c_uint64),
    ]


class Object:
    """An object file that libbpf has opened; it is closed with the process that opened it."""

    def __init__(self, data: bytes) -> None:
        """Open it.

        Raises:
            OSError: with libbpf's error number; what it says goes to stderr.
        """
        self._lib = libbpf()
        self._data = data  # libbpf reads in it
        options = _OpenOptions(ctypes.sizeof(_OpenOptions), b"lab")
        with outspoken(self._lib):
            opened = self._lib.bpf_object__open_mem(
                data, ctypes.c_size_t(len(data)), ctypes.byref(options)
            )
        if not opened or opened > _ERRORS:
            code = ctypes.get_errno() if not opened else 2**64 - opened
            raise OSError(code, os.strerror(code))
        self._object = Pointer(opened)

    def programs(self) -> Iterator[ObjectProgram]:
        """Its programs."""
        for one in self._each("bpf_object__next_program", "bpf_program__next"):
            yield ObjectProgram(self._lib, one)

    def maps(self) -> Iterator[ObjectMap]:
        """Its maps, those of its variables among them."""
        for one in self._each("bpf_object__next_map", "bpf_map__next"):
            yield ObjectMap(self._lib, one)

    def _each(self, new: str, old: str) -> Iterator[ctypes.c_void_p]:
        here = None
        while True:
            if hasattr(self._lib, new):
                here = getattr(self._lib, new)(self._object, Pointer(here))
            else:
                here = getattr(self._lib, old)(Pointer(here), self._object)
            if not here:
                return
            yield Pointer(here)

    def load(self) -> None:
        """Have the kernel make its maps and look at its programs.

        Raises:
            OSError: with libbpf's error number; what it and the verifier say goes to stderr.
        """
        for one in self.maps():
            one.let_python_write()
        with outspoken(self._lib):
            failed = self._lib.bpf_object__load(self._object)
        if failed:
            raise OSError(-failed, os.strerror(-failed))


class ObjectProgram:
    """A function of an object file that has a section of its own."""

    def __init__(self, library: Any, pointer: ctypes.c_void_p) -> None:
        self._lib, self._pointer = library, pointer
        self.name: str = library.bpf_program__name(pointer).decode()
        self.section: str = library.bpf_program__section_name(pointer).decode()

    @property
    def is_xdp(self) -> bool:
        """Whether it is an XDP program by its section's name."""
        of = getattr(self._lib, "bpf_program__type", None) or self._lib.bpf_program__get_type
        return int(of(self._pointer)) == XDP

    def make_xdp(self) -> None:
        """Have it be an XDP program; older tools looked at no more of the name than "xdp"."""
        self._lib.bpf_program__set_type(self._pointer, XDP)

    def leave_out(self) -> None:
        """Do not load it."""
        self._lib.bpf_program__set_autoload(self._pointer, ctypes.c_bool(False))

    @property
    def fd(self) -> int:
        """Its descriptor, once it is loaded."""
        return int(self._lib.bpf_program__fd(self._pointer))

    def code(self) -> bytes:
        """Its instructions; once it is loaded, those of what it calls stand behind them."""
        if not hasattr(self._lib, "bpf_program__insns"):  # before libbpf 0.6
            return b""
        self._lib.bpf_program__insn_cnt.restype = ctypes.c_size_t
        count = self._lib.bpf_program__insn_cnt(self._pointer)
        return ctypes.string_at(self._lib.bpf_program__insns(self._pointer), 8 * count)


class ObjectMap:
    """A map of an object file."""

    def __init__(self, library: Any, pointer: ctypes.c_void_p) -> None:
        self._lib, self._pointer = library, pointer
        self.name: str = library.bpf_map__name(pointer).decode()

    def _number(self, what: str) -> int:
        function = getattr(self._lib, f"bpf_map__{what}")
        function.restype = ctypes.c_uint32
        return int(function(self._pointer))

    @property
    def is_of_variables(self) -> bool:
        """Whether libbpf made it, for a section of variables."""
        self._lib.bpf_map__is_internal.restype = ctypes.c_bool
        return bool(self._lib.bpf_map__is_internal(self._pointer))

    @property
    def kind(self) -> int:
        """Which of enum bpf_map_type it is."""
        return self._number("type")

    @property
    def sizes(self) -> tuple[int, int]:
        """Bytes of a key, and of a value."""
        return self._number("key_size"), self._number("value_size")

    @property
    def entries(self) -> int:
        """How many it has room for."""
        return self._number("max_entries")

    @property
    def flags(self) -> int:
        """As the C asks for them."""
        return self._number("map_flags")

    @property
    def types(self) -> tuple[int, int]:
        """The numbers of its key's and its value's type in the file; 0 where the C tells none."""
        return self._number("btf_key_type_id"), self._number("btf_value_type_id")

    @property
    def pinned(self) -> Layout | None:
        """What lies where the C pins it; None where nothing does."""
        self._lib.bpf_map__pin_path.restype = ctypes.c_char_p
        path = self._lib.bpf_map__pin_path(self._pointer)
        fd = self._lib.bpf_obj_get(path) if path else -1
        if fd < 0:
            return None
        try:
            return layout_of(fd)
        finally:
            os.close(fd)

    def let_python_write(self) -> None:
        """Have its memory be mapped, if variables are in it: libbpf forgets that for static ones.

        Source: map_is_mmapable() in libbpf.c; mmap(2) changes a variable and none beside it.
        """
        if self.is_of_variables and ".rodata" not in self.name:
            self._lib.bpf_map__set_map_flags(self._pointer, self.flags | MAPPED)

    def begin_with(self, data: bytes) -> None:
        """Set what the variables are before the program is loaded."""
        size = ctypes.c_size_t(len(data))
        failed = self._lib.bpf_map__set_initial_value(self._pointer, data, size)
        if failed:
            raise OSError(-failed, os.strerror(-failed))

    @property
    def fd(self) -> int:
        """Its descriptor, once it is made."""
        return int(self._lib.bpf_map__fd(self._pointer))

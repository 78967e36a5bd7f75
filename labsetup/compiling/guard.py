"""What a program's maps may take, seen before the kernel makes them.

BCC makes them while it compiles, and libbpf makes inner maps that it tells nobody of: who counted
them afterwards could say that they are too large, but the memory would be gone by then.

Source: union bpf_attr of linux/bpf.h, what BPF_MAP_CREATE is given.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterable

from ..errors import LabError
from ..libbpf.maps import MapTypes, possible_cpus
from ..maps import limits
from ..maps.plan import MapPlan

# Type, bytes of a key and of a value, entries, flags; inner map and NUMA node; name.
ATTRIBUTES = struct.Struct("=5I8x16s")
NAMED = 15  # letters; BPF_OBJ_NAME_LEN


class Guard:
    """The maps that a process has asked for, of which it forgets none.

    One that is asked for again counts twice, as BCC does where the kernel takes no types of it; of
    those only a map of stack traces takes memory at once.

    Attributes:
        refused: what is wrong with the first that was one too many.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Begin.

        Args:
            names: of maps, whole; the kernel is told 15 letters.
        """
        # Read where they can still be seen.
        limits.memory()
        possible_cpus()
        self.refused: LabError | None = None
        self._plans: list[MapPlan] = []
        self._names = {name[:NAMED]: name for name in reversed([*names])}

    def may_create(self, address: int, size: int) -> bool:
        """Whether there is room for one more.

        Args:
            address: of what the kernel is given.
            size: how long that is; the kernel takes what is missing for 0.
        """
        whole = ATTRIBUTES.size
        given = ctypes.string_at(address, min(size & 0xFFFFFFFF, whole)).ljust(whole, b"\0")
        kind, key, value, entries, flags, name = ATTRIBUTES.unpack(given)
        none = MapTypes(0, 0, 0)
        text = name.partition(b"\0")[0].decode(errors="replace")
        text = self._names.get(text, text)
        plan = MapPlan(text, kind, "", "", key, value, entries, flags, none)
        try:
            limits.check([*self._plans, plan])
        except LabError as error:
            self.refused = self.refused or error
            return False
        self._plans.append(plan)
        return True

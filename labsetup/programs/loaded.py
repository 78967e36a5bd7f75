"""A program in the kernel: its descriptor, and one for each of its maps."""

from __future__ import annotations

import os
import weakref
from collections.abc import Sequence

from ..compiling.objects import load_again
from ..compiling.outcome import Built, BuiltObject
from ..errors import LabError
from ..libbpf.maps import create_map
from ..libbpf.programs import load_xdp, with_maps


class Loaded:
    """What the kernel has of a program; it lets go of it when nobody holds this any more.

    An interface that runs the program keeps it alive by itself.

    Attributes:
        fd: the program's descriptor.
        maps: descriptors of its maps, in the order of `Built.maps`.
        others: those of other functions of the same object file, in the order of
            `BuiltObject.others`.
    """

    def __init__(self, files: Sequence[int], maps: int) -> None:
        """Take over descriptors.

        Args:
            files: of the program, of its maps, and of other functions.
            maps: how many of them are maps.
        """
        self.fd = files[0]
        self.maps, self.others = list(files[1 : 1 + maps]), list(files[1 + maps :])
        weakref.finalize(self, _let_go, tuple(files), os.getpid())


def _let_go(files: Sequence[int], pid: int) -> None:
    """In a process that was forked since, these numbers may be other files, or none."""
    if os.getpid() == pid:
        _close(files)


def _close(files: Sequence[int]) -> None:
    for file in files:
        os.close(file)


def load(built: Built) -> Loaded:
    """Load a program once more, with empty maps; the verifier has accepted it before.

    Raises:
        LabError: when the kernel has no room for it.
    """
    files: list[int] = []
    try:
        if isinstance(built, BuiltObject):
            return Loaded(load_again(built), len(built.maps))
        for plan in built.maps:
            sizes = plan.key_size, plan.leaf_size
            known = plan.entries, plan.flags, plan.types
            files.append(create_map(plan.kind, plan.name, sizes, *known))
        code = with_maps(built.instructions, files.__getitem__)
        return Loaded([load_xdp(built.function, code, built.licence), *files], len(files))
    except OSError as error:
        _close(files)
        raise LabError(
            f"the kernel did not load {built.function} once more: {error.strerror}; "
            "restart the notebook's kernel, which frees what it has loaded"
        ) from None

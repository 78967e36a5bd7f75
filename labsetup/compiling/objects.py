"""C for libbpf made into a program and its maps: clang in one process, libbpf in another."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..apart import Message
from ..errors import LabError
from ..explaining import loading
from ..explaining.unwritten import Unwritten
from ..libbpf.maps import MapTypes
from ..maps.plan import MapPlan
from ..network.session import current
from .bcc import COMPILING, NAMED, PATIENCE, SILENCE, Whose
from .clang import of_program
from .loader import Loader
from .outcome import BuiltObject, Code, Compiled, Variable, Verified
from .waiting import saying


class ObjectCompilation:
    """A piece of C on its way into the kernel, in child processes.

    Use it as a context manager: `compiled`, then `verified`.
    """

    def __init__(self, text: str, function: str, constants: Mapping[str, Any]) -> None:
        """Begin.

        Args:
            text: the C.
            function: the one that is to run.
            constants: variables of .rodata that are set before it is loaded, by name.
        """
        self._function, self._constants = function, constants
        own = [] if current().one(Whose).strangers else [Path(one) for one in NAMED.findall(text)]
        self._clang = of_program(text, own)
        self._loader = Loader(function, constants)  # which gets ready while clang is at work
        self._child = self._loader.child
        self._data = b""

    def compiled(self) -> Compiled:
        """Wait for clang.

        Raises:
            LabError: when it takes longer than a minute, or libbpf too long over what it made.
        """
        try:
            if not self._clang.has_ended(SILENCE):
                with saying(f"clang is still at work on {self._function}"):
                    self._clang.has_ended(COMPILING)
            self._data, told, ended = self._clang.result(COMPILING)
        except TimeoutError:
            raise LabError(
                f"clang was stopped after {COMPILING:g} s over {self._function}; look for a loop "
                "that it unrolls, or a macro that grows with each use, and make it smaller"
            ) from None
        if ended or not self._data:
            return Compiled(told, None, ended=ended)
        self._loader.give(self._data)
        try:
            message = self._child.listen(PATIENCE)
        except TimeoutError:
            raise LabError(
                f"libbpf was stopped after {PATIENCE:g} s over the object file of "
                f"{self._function}; make the program smaller"
            ) from None
        if message is None:
            return Compiled(told, None, trouble=self._child.printed() or "libbpf's process ended")
        found = json.loads(message.text)
        if "trouble" in found:
            trouble = message.printed + found["trouble"]
            return Compiled(told, None, trouble=trouble, undefined=found["undefined"])
        code = {name: Code(**one) for name, one in found.pop("code").items()}
        plans = [_plan_of(one) for one in found.pop("maps")]
        return Compiled(told, code=code, maps=plans, **found)

    def verified(self) -> Verified:
        """Wait for the verifier.

        Raises:
            LabError: for a constant that is not there, or maps that are too large.
        """
        try:
            if not self._child.has_told(SILENCE):
                with saying(f"the verifier is still at work on {self._function}"):
                    message = self._child.listen(PATIENCE)
            else:
                message = self._child.listen(PATIENCE)
        except TimeoutError:
            return Verified((), in_time=False)
        if message is None:
            return Verified((), log=self._child.printed() or "the process that loaded it has ended")
        return _verified(message, self._data, self._constants)

    def __enter__(self) -> ObjectCompilation:
        return self

    def __exit__(self, *error: object) -> None:
        self._loader.end()
        self._clang.__exit__(*error)


def load_again(built: BuiltObject) -> Sequence[int]:
    """Load an object file once more; the verifier has accepted it before.

    Returns:
        descriptors: of the program, of its maps, of the other functions.

    Raises:
        OSError: when the kernel has no room for it.
        LabError: when a map is pinned where it pins another.
    """
    loader = Loader(built.function, built.constants)
    try:
        loader.give(built.data)
        loader.child.listen(PATIENCE)
        message = loader.child.listen(PATIENCE)
        if message is None:
            raise OSError(0, "libbpf's process has ended")
        if (found := json.loads(message.text))["trouble"]:
            if why := loading.why(message.printed, built.maps, found["pinned"]):
                raise LabError(f"{built.function} cannot be loaded once more: {why}")
            raise OSError(0, found["trouble"])
        return message.files
    finally:
        loader.end()


def _plan_of(told: Mapping[str, Any]) -> MapPlan:
    return MapPlan(**{**told, "types": MapTypes(*told["types"])})


def _verified(message: Message, data: bytes, constants: Mapping[str, Any]) -> Verified:
    found = json.loads(message.text)
    if found["trouble"]:
        if found["is_ours"]:
            raise LabError(found["trouble"])
        log = message.printed + found["trouble"]
        return Verified((), log=log, pinned=found["pinned"])
    built = BuiltObject(
        found["function"],
        b"",
        tuple(_plan_of(one) for one in found["maps"]),
        found["licence"].encode(),
        data,
        tuple(found["others"]),
        frozenset(found["hidden"]),
        {name: Variable(*one) for name, one in found["variables"].items()},
        found["structs"],
        constants,
    )
    return Verified(message.files, built, unwritten=[Unwritten(**x) for x in found["unwritten"]])

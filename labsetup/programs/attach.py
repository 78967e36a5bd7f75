"""Programs put on interfaces, and the xdp_pass that helps at the other end of a wire."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from ..errors import LabError
from ..libbpf.links import FLAG_MODE, FLAG_UPDATE_IF_NOEXIST, attach_xdp
from ..libbpf.programs import facts, load_pass
from ..network.interface import Interface


@dataclass(frozen=True)
class Attachment:
    """What the lab has put on an interface.

    Attributes:
        program: a Program; None for the xdp_pass that helps the other end.
        mode: ``"native"`` or ``"generic"``.
        id: the kernel's number for the loaded program.
        wants_helper: whether the other end is to run XDP as well.
    """

    program: Any
    mode: str
    id: int
    wants_helper: bool

    def __repr__(self) -> str:
        return f"{self.program.name if self.program else 'xdp_pass'}, {self.mode} mode"


def put(interface: Interface, fd: int, attachment: Attachment) -> None:
    """Put a program on an interface, in the place of ours if one is there.

    Raises:
        LabError: with the kernel's reason, when it refuses.
    """
    flags = FLAG_MODE[attachment.mode]
    flags |= 0 if interface.ours else FLAG_UPDATE_IF_NOEXIST
    _set(interface, fd, flags, attachment.program.name if attachment.program else "xdp_pass")
    interface.attachment = attachment
    interface.programs.add(attachment.id)


def take_off(interface: Interface) -> None:
    """Take off what the lab has put on an interface."""
    if interface.attachment is None:
        return
    _set(interface, -1, FLAG_MODE[interface.attachment.mode], "the removal of XDP")
    interface.attachment = None


def mend_helpers(interface: Interface) -> None:
    """See that xdp_pass helps at either end of a link if the other end wants it, and only then."""
    for end in (interface, interface.peer):
        wanted = end.peer.ours is not None and end.peer.ours.wants_helper
        if end.is_helper and not wanted:
            take_off(end)
        elif wanted and end.xdp is None:
            fd = load_pass()
            try:
                put(end, fd, Attachment(None, "native", facts(fd).id, False))
            finally:
                os.close(fd)


def _set(interface: Interface, fd: int, flags: int, what: str) -> None:
    with interface.host.inside():
        try:
            attach_xdp(interface.name, fd, flags)
        except OSError as error:
            where = f"{interface.host.name} {interface.name}"
            raise LabError(f"the kernel refused {what} on {where}: {error.strerror}") from None

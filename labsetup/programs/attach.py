"""Programs put on interfaces, and the xdp_pass that helps at the other end of a wire."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from typing import Any, cast

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


def replace(interface: Interface, fd: int, attachment: Attachment) -> None:
    """Put a program on an interface, in either mode, with the helper that it wants.

    Raises:
        LabError: with the kernel's reason, when it refuses either; what ran there runs on.
    """
    before = interface.ours
    try:
        if attachment.wants_helper and interface.peer.xdp is None:
            _help(interface.peer)
        if before is not None and before.mode != attachment.mode:
            take_off(interface)  # an interface runs XDP in one mode at a time
        try:
            put(interface, fd, attachment)
        except LabError:
            if before is not None and before.program is not None and interface.xdp is None:
                put(interface, before.program.fd, cast(Attachment, before))
            raise
    finally:
        mend_helpers(interface)


def take_off(interface: Interface) -> None:
    """Take off what the lab has put on an interface."""
    if interface.attachment is None:
        return
    if interface.ours:
        _set(interface, -1, FLAG_MODE[interface.attachment.mode], "to take off XDP")
    interface.attachment = None


def mend_helpers(interface: Interface) -> None:
    """See that xdp_pass helps at either end of a link if the other end wants it, and only then."""
    for end in (interface, interface.peer):
        wanted = end.peer.ours is not None and end.peer.ours.wants_helper
        if end.is_helper and not wanted:
            take_off(end)
        elif wanted and end.xdp is None:
            _help(end)


def _help(end: Interface) -> None:
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
            mend = _mend(interface, error)
            raise LabError(
                f"the kernel refused {what} on {where}: {error.strerror}{mend}"
            ) from None


def _mend(interface: Interface, error: OSError) -> str:
    """What to do about a refusal: linux/drivers/net/veth.c, veth_xdp_set(); net/core/dev.c."""
    here, there = interface, interface.peer
    reason, generic = str(error.strerror), 'attach with mode="generic", which copies the frame'
    if error.errno == errno.ERANGE or "MTU" in reason:
        return (
            f"; {there.host.name} {there.name} sends up to {there.mtu} bytes, more than native XDP "
            f"has room for (about 3,500): type !ip -n {there.host.name} link set {there.name} mtu "
            f"1500, or {generic}"
        )
    if "queues" in reason:
        return (
            f"; {here.host.name} {here.name} must receive on as many queues as the other end sends "
            f"on: type !ip netns exec {there.host.name} ethtool -L {there.name} tx 1"
        )
    if "already attached" in reason or error.errno == errno.EBUSY:
        return (
            f"; somebody put another program there meanwhile, take it off: "
            f"!ip -n {here.host.name} link set {here.name} xdp off"
        )
    return f"; {generic}" if error.errno == errno.EOPNOTSUPP else ""

"""Frames that were redirected and went nowhere, and why: two of the kernel's tracepoints.

Sources: linux/net/core/filter.c, xdp_do_redirect(); linux/include/linux/filter.h,
xdp_ok_fwd_dev(); linux/kernel/bpf/devmap.c, __xdp_enqueue() and bq_xmit_all();
linux/drivers/net/veth.c, veth_xdp_xmit(); linux/net/xdp/xsk.c, xsk_rcv_check().
"""

from __future__ import annotations

import errno
import socket
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from ..arguments import checked
from ..errors import LabError
from ..network import sandbox
from ..network.interface import Interface
from ..network.session import current
from .tracepoint import Tracer

INSTEAD = "the counters `drops` and `xdp_xmit_errors` still count the frames, without a reason"

# As the kernel calls them: Python has another name for the second.
NAMES = {**errno.errorcode, 0: "no errno", errno.EOPNOTSUPP: "EOPNOTSUPP"}

# What the kernel refuses before a driver hears of the frame.
QUEUING = {
    errno.ENETDOWN: "it is down",
    errno.EMSGSIZE: "the frame is larger than its MTU",
    errno.EOPNOTSUPP: "it takes no frames from XDP; veth does once its other end has a program or "
    "GRO",
    errno.EINVAL: "there is no such interface, or no such AF_XDP socket at this RX queue",
    errno.ENXIO: "the AF_XDP socket is not bound",
    errno.ENOSPC: "the other CPU's queue is full, or the frame too large for the AF_XDP socket",
    errno.ENOBUFS: "the queue of the AF_XDP socket is full",
    errno.EOVERFLOW: "no room is left in front of the frame for what the kernel notes there",
    errno.ENOMEM: "the kernel had no memory for it",
    errno.EBADRQC: "no map of this kind can be redirected to",
}

# What the driver says: of veth, and of cards.
SENDING = {
    errno.ENXIO: "its driver has no queue for XDP; veth gets one once its other end is up, with a "
    "program or GRO",
    errno.ENETDOWN: "its driver says that it is down",
    errno.EINVAL: "its driver took none",
    0: "its driver did not take them; on veth they are larger than the other end's MTU, or its "
    "queue is full",
}


def _queuing() -> Tracer:
    return Tracer("redirect_err", "xdp_redirect_err", INSTEAD)


def _sending() -> Tracer:
    return Tracer("devmap_xmit", "xdp_devmap_xmit", INSTEAD)


@dataclass(frozen=True)
class _Cause:
    """Why a frame went nowhere.

    Attributes:
        program: the id of the one that redirected it; None where a driver did not take it.
        came, to: the numbers of the interfaces that it came in by, and was to leave by.
        error: an errno, or 0.
    """

    program: int | None
    came: int
    to: int
    error: int

    @property
    def words(self) -> str:
        """The errno's name, and what it means here."""
        said = (SENDING if self.program is None else QUEUING).get(self.error)
        name = NAMES.get(self.error) or f"errno {self.error}"
        return f"{name}: {said or 'linux/net/core/filter.c has more'}"


@dataclass(frozen=True)
class Reasons:
    """Frames that an interface's programs redirected, and that went nowhere.

    Attributes:
        rows: how many, the name of the interface that they were to leave by, and why.
    """

    rows: tuple[tuple[int, str, str], ...]

    @property
    def total(self) -> int:
        """How many frames in all."""
        return sum(number for number, _, _ in self.rows)

    def __repr__(self) -> str:
        each = [f"{number} to {where}, {why}" for number, where, why in self.rows]
        return "\n".join(each) or "none went nowhere"


NOT_YET = "not counting yet: with RedirectErrors() as lost: begins"


class RedirectErrors:
    """Counts frames that were redirected and went nowhere, while its block runs, and tells why.

    Two tracepoints give the reason: xdp:xdp_redirect_err where the kernel itself refuses, and
    xdp:xdp_devmap_xmit where the driver does. (xdp:xdp_redirect_map_err is not used any more, and
    newer kernels do not have it.) Both belong to the whole machine; `of` gives those of one
    interface. The second one names interfaces only, by their numbers, and each host counts its own:
    where two hosts redirect between the same numbers at the same time, both get the sum.
    """

    @checked
    def __init__(self) -> None:
        sandbox.require()
        self._start: Mapping[_Cause, int] = {}
        self._end: Mapping[_Cause, int] | None = None
        self._begun = False

    def __enter__(self) -> RedirectErrors:
        current().one(_queuing), current().one(_sending)
        self._begun = True
        self._start, self._end = _counts(), None
        return self

    def __exit__(self, *error: object) -> None:
        self._end = _counts()

    def _counted(self) -> Counter[_Cause]:
        if not self._begun:
            return Counter()
        now = _counts() if self._end is None else self._end
        return Counter(now) - Counter(self._start)

    def __repr__(self) -> str:
        if not self._begun:
            return NOT_YET
        total = self._counted().total()
        return f"{total} frames were redirected and went nowhere; of(INTERFACE) tells why"

    @checked
    def of(self, interface: Interface) -> Reasons:
        """Those that came in at an interface, under the programs that it has had.

        Raises:
            LabError: where nothing was counted yet.
        """
        if not self._begun:
            raise LabError(NOT_YET)
        attached = interface.xdp
        programs = interface.programs | ({attached[2]} if attached else set())
        rows: Counter[tuple[str, str]] = Counter()
        with interface.inside() as index:
            for cause, number in self._counted().items():
                where = _name(cause.to)
                theirs = cause.program not in programs if cause.program else not where
                if programs and cause.came == index and not theirs:
                    rows[where or "no interface", cause.words] += number
        return Reasons(tuple((rows[one], *one) for one in sorted(rows)))


def _counts() -> dict[_Cause, int]:
    found = {}
    for kind in (_queuing, _sending):
        for key, number in current().one(kind).counts.items():
            cause = _Cause(key.get("program"), key["from"], key["to"], -key["error"])
            found[cause] = number
    return found


def _name(index: int) -> str:
    """An interface of the calling thread's namespace; empty if it has none of this number."""
    try:
        return socket.if_indextoname(index)
    except OSError:
        return ""

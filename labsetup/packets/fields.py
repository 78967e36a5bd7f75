"""Two frames side by side, field by field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from scapy.fields import ConditionalField
from scapy.layers.inet import ICMP, IP, TCP, UDP, in4_chksum
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Packet
from scapy.utils import checksum

CHECKSUMS = {"chksum", "cksum"}
LINK_LAYERS = (Ether, Dot1Q)  # an IP header behind one of these is no quoted one


@dataclass(frozen=True)
class Field:
    """A header field of a frame, and what it became.

    Attributes:
        layer: the header, by scapy's name.
        name: the field, likewise.
        before: its value in words.
        after: its value in the later frame; the same where nothing changed.
    """

    layer: str
    name: str
    before: str
    after: str

    @property
    def changed(self) -> bool:
        """Whether the two frames differ here."""
        return self.before != self.after

    def __repr__(self) -> str:
        return f"{self.layer} {self.name}: {self.before} → {self.after}"


def fields_of(before: bytes, after: bytes) -> list[Field]:
    """Two frames, field by field; where their headers are not the same ones, as a whole.

    A checksum is followed by whether it is right; one that cannot be checked (of a fragment, or
    in a frame that was cut off) is not.
    """
    old, new = Ether(before), Ether(after)
    if old.layers() != new.layers():
        return [Field("frame", "headers", *(_names(p.layers()) for p in (old, new)))]
    fields = []
    for number, layer in enumerate(old.layers()):
        one = _layer(old, number)
        for field in one.fields_desc:
            if isinstance(field, ConditionalField) and not field._evalcond(one):
                continue
            shown = [_words(whole, number, field) for whole in (old, new)]
            if shown not in (["", ""], ["[]", "[]"]):  # flags not set, no options
                fields.append(Field(layer.__name__, field.name, *shown))
    if before != after and not any(field.changed for field in fields):
        fields.append(Field("frame", "bytes", before.hex(), after.hex()))
    return fields


def changes_of(before: bytes, after: bytes) -> list[Field]:
    """The fields that differ; scapy, which is slow, looks at no more than it must."""
    if before[12:] == after[12:]:
        before, after = before[:14], after[:14]  # another MAC address is the commonest change
    return [] if before == after else [one for one in fields_of(before, after) if one.changed]


def layers_in_words(fields: Sequence[Field]) -> list[str]:
    """A line a header, with what each of its fields is, and what it became."""
    lines = []
    for layer, members in groupby(fields, key=lambda field: field.layer):
        shown = [
            f"{f.name}={f.before} → {f.after}" if f.changed else f"{f.name}={f.before}"
            for f in members
        ]
        lines.append(f"  {layer:6} {'  '.join(shown)}")
    return lines


def _layer(whole: Packet, number: int) -> Packet:
    """A header by its place; scapy's own getlayer() counts each IP option as one."""
    for _ in range(number):
        whole = whole.payload
    return whole


def _words(whole: Packet, number: int, field: Any) -> str:
    layer = _layer(whole, number)
    value = layer.getfieldval(field.name)
    words = value.hex() if isinstance(value, bytes) else str(field.i2repr(layer, value)).strip("'")
    if field.name in CHECKSUMS and value is not None:
        words += {True: " (right)", False: " (wrong)", None: ""}[
            _is_right(whole, number, field.name)
        ]
    return words


def _is_right(whole: Packet, number: int, name: str) -> bool | None:
    """Whether a checksum is what scapy computes; None where it cannot be known."""
    layer = _layer(whole, number)
    if not isinstance(layer, IP):
        ip = whole.getlayer(IP)
        fragment = (ip is not None and (ip.frag or ip.flags.MF)) or IPv6ExtHdrFragment in whole
        length = ip.len if ip is not None else whole[IPv6].plen + 40 if IPv6 in whole else 0
        network = ip if ip is not None else whole.getlayer(IPv6)
        if network is None or fragment or len(bytes(network)) < length:
            return None
        if isinstance(layer, UDP) and layer.chksum == 0:
            return None  # the sender made none
    if (sums := _sums_up(layer)) is not None:
        return sums
    fresh = whole.copy()
    setattr(_layer(fresh, number), name, None)
    again = _layer(Ether(bytes(fresh)), number)
    return isinstance(again, type(layer)) and again.getfieldval(name) == layer.getfieldval(name)


def _sums_up(layer: Packet) -> bool | None:
    """Whether the words that a checksum covers give the sum that they should (RFC 1071).

    None where scapy must make it anew: it knows the odd cases, and takes a hundred times as long.
    """
    below, begin = layer.underlayer, bytes(layer.original)
    if isinstance(layer, IP):
        return bool(checksum(begin[: 4 * layer.ihl]) == 0)
    if not isinstance(below, IP) or type(below.underlayer) not in LINK_LAYERS:
        return None
    if not isinstance(layer, (ICMP, TCP, UDP)):
        return None
    segment = begin[: below.len - 4 * below.ihl]
    if isinstance(layer, UDP) and layer.len != len(segment):
        return None
    return bool(
        (checksum(segment) if isinstance(layer, ICMP) else in4_chksum(below.proto, below, segment))
        == 0
    )


def _names(layers: Sequence[type[Packet]]) -> str:
    return " / ".join(layer.__name__ for layer in layers)

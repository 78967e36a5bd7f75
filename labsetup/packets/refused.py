"""What scapy refuses, in a sentence: a field, a value or a header that there is not."""

from __future__ import annotations

import difflib
import re
import socket
import struct
import traceback
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any

from scapy.fields import Field, _EnumField
from scapy.packet import NoPayload, Packet

from ..arguments import shown

LAYER = re.compile(r"Layer \[(.+)\] not found")
KINDS = (AttributeError, LookupError, TypeError, ValueError, OSError, struct.error)
MOST = 12  # names in a sentence


def in_words(error: BaseException, trace: TracebackType | None) -> str:
    """What was wrong with a packet; empty where scapy is not the one that complains.

    Args:
        error: what was raised, one of `KINDS`.
        trace: the way that it came.
    """
    way = [frame for frame, _ in traceback.walk_tb(trace)]
    theirs = [frame for frame in way if str(frame.f_globals.get("__name__")).startswith("scapy.")]
    resolving = isinstance(error, socket.gaierror)
    if not theirs or not (resolving or way[-1] is theirs[-1]):
        return ""
    if resolving:
        name = shown(theirs[-1].f_locals.get("name", error))
        return f"{name} is no address, and nothing resolves names here; write one as 192.0.2.2"
    if theirs[-1].f_code.co_name == "__div__":
        other = shown(theirs[-1].f_locals.get("other"))
        return f"behind / stands a header such as IP(), or bytes, not {other}"
    return _of_a_header(error, theirs)


def _of_a_header(error: BaseException, way: Sequence[FrameType]) -> str:
    packets = [frame for frame in way if _packet(frame)]
    packet = _packet(packets[0]) if packets else None
    if found := LAYER.search(str(error)):
        return f"this packet has no {found[1]}; it is {_headers(packet)}"
    if isinstance(error, AttributeError) and packet:
        return _no_field(packet, str(error).strip("'"))
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if field := next(filter(None, map(_field, reversed(way))), None):
        return _no_value(field, way[way.index(packets[-1]) if packets else 0 :], said)
    return f"scapy makes no packet of this: {said}"


def _packet(frame: FrameType) -> Packet | None:
    one = frame.f_locals.get("self")
    return one if isinstance(one, Packet) and not isinstance(one, NoPayload) else None


def _field(frame: FrameType) -> Field[Any, Any] | None:
    for name in ("self", "f"):
        if isinstance(one := frame.f_locals.get(name), Field):
            return one
    return None


def _headers(packet: Packet | None) -> str:
    return " / ".join(layer.__name__ for layer in packet.layers()) if packet else "none"


def _no_field(packet: Packet, name: str) -> str:
    has = [field.name for layer in packet.layers() for field in packet[layer].fields_desc]
    return f"{_headers(packet)} has no field {name}; {_mend(name, has)}"


def _no_value(field: Field[Any, Any], way: Sequence[FrameType], said: str) -> str:
    """A value that a field does not take: which it was, and which there are.

    Args:
        field: the one.
        way: from the header that has it to who refused.
        said: what scapy says.
    """
    packet = _packet(way[0])
    what = f"the field {field.name}{f' of {packet.__class__.__name__}' if packet else ''}"
    values = [
        frame.f_locals[name]
        for frame in way
        for name in ("value", "val", "x")
        if name in frame.f_locals
    ]
    if not values:
        return f"{what} cannot be read: {said}"
    refusal = f"{what} does not take {shown(values[0])}"
    if isinstance(field, _EnumField) and isinstance(values[0], str):
        return (
            f"{refusal}; {_mend(values[0], [str(name) for name in field.s2i or ()])}, or a number"
        )
    if letters := getattr(field, "names", None):
        return f"{refusal}; its flags are {', '.join(letters)}"
    if "IP address" in said:
        return f"{refusal}; it takes an address such as 192.0.2.1"
    if field.sz in (1, 2, 4, 8):
        return f"{refusal}; it is a number from 0 to {256**field.sz - 1:,}"
    return refusal


def _mend(name: str, there: list[str]) -> str:
    near = difflib.get_close_matches(name, there, 1)
    if near:
        return f"type {near[0]}"
    more = f" and {len(there) - MOST} more" if len(there) > MOST else ""
    return f"it has {', '.join(there[:MOST])}{more}"

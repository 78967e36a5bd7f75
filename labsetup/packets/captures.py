"""Packets out of a capture file, as Ethernet frames, and into one.

scapy reads pcap, pcapng, both compressed.  What a notebook kept is taken by its place here, too.

Link types: https://www.tcpdump.org/linktypes.html
"""

from __future__ import annotations

import contextlib
import logging
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from scapy.error import Scapy_Exception
from scapy.packet import Packet
from scapy.utils import RawPcapNgReader, RawPcapReader, RawPcapWriter, wrpcap

from ..errors import LabError, NoSuchPlace

T = TypeVar("T")

ETHERNET = 1
IP4, IP6 = b"\x08\x00", b"\x86\xdd"  # EtherTypes
HAS_CHECKSUM = 0x04000000  # the frames end with their check sequence, of so many words of 16 bits:
WORDS_OF_CHECKSUM = 28  # from this bit on
LARGEST = 2**18  # bytes of a packet; none is so large, but for a file that is damaged
SIX = {10, 24, 28, 30}  # AF_INET6 of Linux and the BSDs
PACKERS = {".bz2": "bzip2", ".xz": "xz", ".zst": "zstd", ".lz4": "lz4"}  # which scapy does not read


class Captured(NamedTuple):
    """A packet of a capture file.

    Attributes:
        number: from 1, as Wireshark counts.
        frame: from its Ethernet header on; None where it cannot have one.
        length: bytes that it had on the wire; more than the frame has if the capture cut it.
        size: bytes that the file has of it.
        time: nanoseconds since 1970.
    """

    number: int
    frame: bytes | None
    length: int
    size: int
    time: int


class Link(NamedTuple):
    """What stands before the IP header in a capture that has no Ethernet headers.

    Attributes:
        words: the link type.
        parts: gives EtherType, source address and what follows; None for a packet without them.
    """

    words: str
    parts: Callable[[bytes], tuple[bytes, bytes, bytes] | None]


def _of_version(packet: bytes) -> tuple[bytes, bytes, bytes] | None:
    kind = {4: IP4, 6: IP6}.get(packet[0] >> 4) if packet else None
    return (kind, bytes(6), packet) if kind else None


def _of_family(data: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Four bytes before it, an address family in the byte order of whoever captured it."""
    family = {int.from_bytes(data[:4], "little"), int.from_bytes(data[:4], "big")}
    if 2 in family or family & SIX:
        return IP4 if 2 in family else IP6, bytes(6), data[4:]
    return None


def _cooked(data: bytes) -> tuple[bytes, bytes, bytes] | None:
    kind = data[14:16]
    return (kind, data[6:12], data[16:]) if kind >= b"\x06\x00" and len(data) >= 16 else None


def _cooked_2(data: bytes) -> tuple[bytes, bytes, bytes] | None:
    kind = data[:2]
    return (kind, data[12:18], data[20:]) if kind >= b"\x06\x00" and len(data) >= 20 else None


LINKS = {
    **dict.fromkeys((12, 14, 101, 228, 229), Link("raw IP", _of_version)),
    **dict.fromkeys((0, 108), Link("a loopback interface of BSD or macOS", _of_family)),
    113: Link("Linux's «any» interface (cooked, SLL)", _cooked),
    276: Link("Linux's «any» interface (cooked, SLL2)", _cooked_2),
}
OTHERS = {105: "802.11", 127: "802.11 with radiotap", 192: "PPI", 9: "PPP", 249: "USB", 220: "USB"}


def frames(path: Path, remark: Callable[[str], None]) -> Iterator[Captured]:
    """Read packets, one after the other, as they come.

    Args:
        path: of a capture file, or of a pipe.
        remark: is told in a sentence what was made of packets that are no plain Ethernet.

    Raises:
        LabError: when the file is no capture, at once; or where it breaks off.
    """
    logger = logging.getLogger("scapy.runtime")
    level = logger.level
    logger.setLevel(logging.ERROR)  # what it warns of is told below, in a sentence
    try:
        with _opened(path) as reader:
            yield from _packets(path, reader, remark)
    finally:
        logger.setLevel(level)


class _Watched:
    """A file that remembers whether it had all that was asked of it.

    Attributes:
        at_end: whether nothing was left when it was asked first.
        is_short: whether it ever gave less than was asked.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self.begin()

    def begin(self) -> None:
        """Forget what was asked so far."""
        self._asked, self.at_end, self.is_short = False, False, False

    def read(self, size: int) -> bytes:
        try:
            data: bytes = self._file.read(size)
        except (OSError, EOFError, zlib.error):  # a compressed file that was cut
            self._asked = self.is_short = True
            raise
        if len(data) < size:
            self.at_end, self.is_short = not self._asked and not data, True
        self._asked = True
        return data

    def close(self) -> None:
        self._file.close()


def _opened(path: Path) -> Any:
    try:
        reader: Any = RawPcapReader(str(path))
    except (OSError, EOFError, zlib.error, Scapy_Exception) as error:
        raise LabError(f"{path} cannot be read as a pcap file: {_why(path, error)}") from None
    reader.f = _Watched(reader.f)
    if isinstance(reader, RawPcapNgReader):
        _heed_sections(reader)
    return reader


def _why(path: Path, error: Exception) -> str:
    if packer := PACKERS.get(path.suffix):
        return f"it is packed, and of that only gzip is read; type: {packer} -d {path}"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}; check the path"
    return f"{error}; give one that tcpdump or Wireshark wrote"


def _heed_sections(reader: Any) -> None:
    """See that a section of pcapng has interfaces of its own, as where two files were joined.

    scapy goes on with those of the sections before, and passes over the packets of an interface
    that it does not know.
    """
    begin = reader._read_block_shb

    def begin_section() -> None:
        reader.interfaces.clear()
        begin()

    def check(number: int) -> bool:
        if number >= len(reader.interfaces):
            raise _Damaged
        return True

    reader._read_block_shb, reader._check_interface_id = begin_section, check


class _Damaged(Exception):
    """A packet of an interface that its section does not describe."""


def _packets(path: Path, reader: Any, remark: Callable[[str], None]) -> Iterator[Captured]:
    number, remarks = 0, set[str]()
    # Of pcapng a block at a time, which may have no packet.
    read = reader._read_block if isinstance(reader, RawPcapNgReader) else reader._read_packet
    while True:
        reader.f.begin()
        try:
            found = read(size=LARGEST)
        except (OSError, EOFError, zlib.error, Scapy_Exception):
            if reader.f.at_end:
                return
            break
        except _Damaged:
            raise LabError(
                f"{path} is damaged: behind packet {number} it has one of an interface that it "
                "does not describe; capture anew, or go on with what there is"
            ) from None
        if found is None:
            continue
        if reader.f.is_short:
            break
        number += 1
        data, about = found
        frame, words = _as_ethernet(path, data, getattr(about, "linktype", None), reader)
        if words and words not in remarks:
            remarks.add(words)
            remark(words)
        size = getattr(about, "caplen", len(data))
        yield Captured(number, frame, about.wirelen, size, _time_of(about, reader))
    raise LabError(
        f"{path} breaks off after packet {number}: the file was cut, or is still being written; "
        "copy it again, or go on with what there is"
    )


def _time_of(about: Any, reader: Any) -> int:
    """When a packet was captured; 0 where its block does not tell."""
    if isinstance(reader, RawPcapNgReader):
        ticks = (about.tshigh or 0) << 32 | (about.tslow or 0)
        return int(ticks * 10**9 // about.tsresol)
    return int(about.sec * 10**9 + about.usec * (1 if reader.nano else 1000))


def _as_ethernet(path: Path, data: bytes, link: int | None, reader: Any) -> tuple[Any, str]:
    """A packet's frame, and what is to be said of it."""
    given = reader.linktype if link is None else link
    kind, extra = given & 0xFFFF, 0
    if given & HAS_CHECKSUM:
        extra = 2 * (given >> WORDS_OF_CHECKSUM)
    if kind == ETHERNET:
        said = f"{path} has frames with their check sequence: those {extra} bytes were taken off"
        return (data[:-extra], said) if extra else (data, "")
    if kind not in LINKS:
        words = f" ({OTHERS[kind]})" if kind in OTHERS else ""
        raise LabError(
            f"{path} has packets of link type {kind}{words}, and XDP runs on Ethernet frames; "
            "capture on an Ethernet interface, as in tcpdump -i eth0 -w FILE"
        )
    said = (
        f"{path} was captured on {LINKS[kind].words} and has no Ethernet headers: each packet got "
        "one, with zeros for the addresses that it does not tell"
    )
    parts = LINKS[kind].parts(data)
    return (bytes(6) + parts[1] + parts[0] + parts[2] if parts else None), said


@contextlib.contextmanager
def writing(out: Path | None, source: Path) -> Iterator[Callable[[bytes, Captured], None]]:
    """What writes a frame to a capture file, and of which packet it was made.

    The time is that packet's; and what was cut off it is missing still.

    Args:
        out: that file; None for nowhere.
        source: what is being read in the meantime.

    Raises:
        LabError: when it cannot be written, or is what is being read.
    """
    if out is None:
        yield lambda frame, before: None
        return
    if out.exists() and out.samefile(source):
        raise LabError(f"{out} is what is being read; give --out another name")
    try:
        with contextlib.closing(RawPcapWriter(str(out), linktype=ETHERNET, nano=True)) as writer:
            writer.write_header(None)

            def write(frame: bytes, before: Captured) -> None:
                seconds, rest = divmod(before.time, 10**9)
                length = len(frame) + max(0, before.length - before.size)
                writer.write_packet(frame, sec=seconds, usec=rest, wirelen=length)

            yield write
    except OSError as error:
        raise LabError(f"{out} cannot be written: {error.strerror}") from None
    except KeyboardInterrupt:  # or another signal that ends it: half a file is none
        if out.is_file():
            out.unlink()
        raise


def at(kept: list[T], index: int, what: Sequence[T]) -> T:
    """One of what was kept.

    Args:
        kept: in order.
        index: as Python counts, from 0, or back from -1.
        what: what kept it, which says in its repr why it is empty.

    Raises:
        NoSuchPlace: where there is none.
    """
    try:
        return kept[index]
    except IndexError:
        pass
    if not kept:
        said = f"{what!r}; send packets within its block, and look at it below"
    else:
        each = "one packet, [0]" if len(kept) == 1 else f"packets [0] to [{len(kept) - 1}]"
        said = f"there are {each}" if len(kept) > 1 else f"there is {each}"
    raise NoSuchPlace(f"there is no packet [{index}]: {said}")


def write(path: str | Path, packets: Sequence[Packet]) -> None:
    """Write packets to a pcap file, with the times that they have.

    Raises:
        LabError: where it cannot be written.
    """
    try:
        wrpcap(str(path), packets)
    except OSError as error:
        raise LabError(f"{path} cannot be written: {error.strerror}") from None

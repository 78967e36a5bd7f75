"""The few words in which the checks of the exercises are written.

A packet that names no address goes from 192.0.2.1 (02:00:00:00:01:00) to 192.0.2.2
(02:00:00:00:02:00): where bytes of an address are compared, name some that differ in each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scapy.packet import Packet

from ..compiling.clang import is_libbpfs
from ..maps.values import PerCPU
from ..network.host import cpus
from ..packets.craft import Ether, frame
from ..packets.fields import Field, fields_of
from ..programs.program import Program
from ..programs.run import VERDICTS, Run
from ..programs.sources import around, entry_of
from .museum import exhibit, halls, numbers

Case = tuple[str, Packet | bytes, str, str]  # a packet in words, itself, its verdict, a thought

ABORTED, DROP, PASS, TX, REDIRECT = VERDICTS

ROUND = 1_000_000  # longer than a CPU gives its time to one, so that two do meet
AGAIN = """
BPF_PERCPU_ARRAY(lab_verdicts, u64, 8);

int runs_again(struct xdp_md *ctx) /* each run meets the frame as it came, its MAC addresses, too */
{
	struct ethhdr *eth = (void *)(long)ctx->data, before;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	before = *eth;
	int verdict = CAPTURED(ctx), key = verdict & 7;
	u64 *count = lab_verdicts.lookup(&key);

	if (count)
		*count += 1;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) <= (void *)(long)ctx->data_end)
		*eth = before;
	return verdict;
}
"""
LOST = "Some additions are lost: the CPUs share one number."
WRITTEN = (
    "Your program has written into a packet that is to go on as it came. Does it write before all "
    "questions are asked? Or does a question itself write, with = where == is meant?"
)


@dataclass
class Wrong(Exception):
    """Where an answer differs from what was asked.

    Raised from an error of the reader's Python, it is told with that error and its line.

    Attributes:
        sent: what the answer was tried with.
        expected: what should have come of it.
        happened: what did.
        think: one thought to follow; never the solution.
        differs: header fields, as expected and as they came.
    """

    sent: str
    expected: str
    happened: str
    think: str
    differs: Sequence[Field] = field(default_factory=tuple)


def expect(
    program: Program,
    what: str,
    packet: Packet | bytes,
    verdict: str,
    think: str,
    after: Packet | bytes | None = None,
) -> Run:
    """Run a program on a packet.

    Args:
        program: the reader's.
        what: the packet in words.
        packet: what goes in.
        verdict: what must come out, such as ``"XDP_DROP"``.
        think: the thought for those whose program does something else.
        after: the frame that must come out with it; the same one, if None.

    Raises:
        Wrong: if another verdict comes out, or another frame.
    """
    run = program.run(packet)
    sent = f"{what} ({len(run.before)} bytes)"
    if run.verdict != verdict:
        raise Wrong(sent, verdict, run.verdict, think)
    wanted = run.before if after is None else frame(after)
    if verdict not in (DROP, ABORTED) and run.after != wanted:
        differs = [
            field for field in fields_of(wanted, run.after) if field.changed and not _alike(field)
        ]
        expected, happened = (
            f"{verdict}, {len(raw)} bytes: {Ether(raw).summary()}" for raw in (wanted, run.after)
        )
        raise Wrong(sent, expected, happened, WRITTEN if after is None else think, differs)
    return run


def _alike(field: Field) -> bool:
    """Whether a checksum is what it should be, and wrong only since another field is."""
    return field.before.partition(" (")[0] == field.after.partition(" (")[0]


def expect_each(program: Program, cases: Sequence[Case]) -> None:
    """Run a program on one packet after another; the first that goes wrong is told.

    Raises:
        Wrong: as `expect` does.
    """
    for what, packet, verdict, think in cases:
        expect(program, what, packet, verdict, think)


def equal(sent: str, what: str, expected: object, happened: object, think: str) -> None:
    """Compare two values, such as a count in a map.

    Raises:
        Wrong: if they differ.
    """
    if expected != happened:
        raise Wrong(sent, f"{what} {expected}", f"{what} {happened}", think)


def summed(value: int | PerCPU) -> int:
    """A map's value as one number: of a per-CPU value the sum of its copies."""
    return value.sum if isinstance(value, PerCPU) else int(value)


def at_once(
    program: Program, what: str, packet: Packet | bytes, times: int = ROUND
) -> tuple[str, int]:
    """Run a program on several CPUs at the same time; one CPU alone loses no addition.

    Args:
        program: the reader's.
        what: the packet in words.
        packet: what goes in.
        times: how often on each CPU; fewer where CPUs wait for each other.

    Returns:
        what was sent, in words, and how many times.
    """
    together = cpus()[:4]
    program.run(packet, repeat=times, cpus=together)
    words = f"{what}, {times:,} times on each of {len(together)} CPUs at once"
    return words, times * len(together)


def running_again(program: Program, beside: str = "") -> Program:
    """A program, its maps empty, that can be run on a frame which it changes, again and again.

    Its map lab_verdicts counts its verdicts.

    Args:
        program: the reader's.
        beside: C of another function, which uses the same variables; libbpf's C can have one.
    """
    text = around(program.source, entry_of(program.name, program.source), AGAIN + beside)
    return Program("runs_again", text)


def in_libbpfs_c(program: Program, think: str) -> None:
    """See that a program is written in libbpf's C, where that is what is asked for.

    Raises:
        Wrong: if it is BCC's.
    """
    if not is_libbpfs(program.source):
        raise Wrong("your C", "C that libbpf takes, as its headers have it", "BCC's C", think)


def diagnosed(number: str, diagnoses: object) -> None:
    """Compare what a reader says of a hall's rooms with what is in them.

    Args:
        number: of the exercise, which is the hall's as well.
        diagnoses: what the reader's function returned: a name of a failure for each room.

    Raises:
        Wrong: on the first room whose diagnosis is another.
    """
    hall = halls()[number]
    offered = ", ".join(f"«{failure.name}»" for failure in hall.failures)
    named = {_plain(failure.name): failure for failure in hall.failures}
    if not isinstance(diagnoses, Mapping):
        think = "Does your function return what it found?"
        raise Wrong("your function", "a dict of rooms and diagnoses", repr(diagnoses), think)
    if not set(hall.rooms) & set(diagnoses):
        think = "A room is a number, without quotation marks."
        raise Wrong(
            "your function", f"keys from {numbers(hall.rooms)}", f"{list(diagnoses)}", think
        )
    for room, right in hall.rooms.items():
        said = diagnoses.get(room)
        suspect = named.get(_plain(said))
        if suspect and suspect.name == right:
            continue
        if suspect is None:
            think = f"exhibit({room}) builds it. Look round there before you judge."
            raise Wrong(f"room {room}", f"one of {offered}", f"{said!r}", think)
        seen = suspect.look(exhibit(room))
        think = "So it is not that. What do you see in its place, and which failure leaves that?"
        raise Wrong(f"room {room}: «{suspect.name}»", suspect.shows, seen, think)


def _plain(said: object) -> str:
    """A diagnosis in lower case and without needless spaces."""
    return " ".join(str(said).split()).casefold()

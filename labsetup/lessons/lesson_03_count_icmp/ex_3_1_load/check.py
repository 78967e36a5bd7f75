"""A sum that outlives the packet.

The sum is compared after each frame, so what was added for one tells the mistake. Then comes a sum
beyond 32 bits, and at the end several CPUs at once.
"""

from __future__ import annotations

from labsetup import ARP, ICMP, IP, TCP, Ether, IPv6, Program, Raw
from labsetup.practice.checking import LOST, PASS, at_once, equal, expect, summed

FRAMES = {
    "a ping": Ether() / IP() / ICMP(),
    "a large ping": Ether() / IP() / ICMP() / Raw(bytes(1000)),
    "TCP": Ether() / IP() / TCP(),
    "ARP": Ether() / ARP(),
    "IPv6": Ether() / IPv6() / Raw(bytes(100)),
    "something unknown": Ether(type=0x88B5) / b"experiment",
}
WIDTH = "How large a number does your variable hold?"


def check(program: Program) -> None:
    total = 0
    for number, (what, packet) in enumerate(FRAMES.items(), 1):
        run = expect(program, what, packet, PASS, "Counting is all; every packet goes on.")
        before, total = total, total + len(run.before)
        found = summed(program["frame_bytes"][0])
        think = f"It adds {found - before} for this frame. Of what is that the size?"
        if found == number:
            think = "It counts packets. What is added for each?"
        elif found == before:
            think = "This one was not added. All frames count, whatever they carry."
        # Each CPU's copy may hold another one's length: then it is less than there was before.
        elif found == len(run.before) or (found < before and (total - found) % 256):
            think = "The map holds only the last one's length."
        elif found in (total - 14 * number, before + len(run.before) - 14):
            think = (
                "14 bytes are missing for each: is the Ethernet header part of the frame? If a "
                "field gave you the length: from where on does it count?"
            )
        elif found < total and (total - found) % 256 == 0:
            think = WIDTH
        elif found - before == 8 * len(run.before):
            think = "Are bits what is asked for, or bytes?"
        elif found > total:
            think = (
                "That is more than the frame has. If a field gave you the length: in which order "
                "do its bytes stand in the packet?"
            )
        sent = f"{what} of {len(run.before)} bytes, {total} bytes in all so far"
        if found == 0:
            think = (
                "Nothing has come into frame_bytes[0]. With which key do you look it up, and when "
                "is the addition done? To what do you add: to the pointer, or to what it points "
                "to, as *count in icmp_count?"
            )
        elif (found + total) % 2**32 == 0:
            think = "So large is what falls below 0: which of the two ends is the larger?"
        equal(sent, "frame_bytes", total, found, think)
    before = 2**32 - 10
    program["frame_bytes"][0] = before  # of each CPU's copy, where each has one
    before = summed(program["frame_bytes"][0])
    run = program.run(FRAMES["a ping"])
    grown = summed(program["frame_bytes"][0]) - before
    sent = f"a ping of {len(run.before)} bytes, when {2**32 - 10:,} bytes have come"
    equal(sent, "frame_bytes grows by", len(run.before), grown, WIDTH)
    # Where CPUs share a sum, a tenth of it is lost: five rounds without a loss are no luck.
    for _ in range(5):
        program["frame_bytes"].clear()
        sent, times = at_once(program, f"a ping of {len(run.before)} bytes", FRAMES["a ping"])
        total, found = len(run.before) * times, summed(program["frame_bytes"][0])
        equal(sent, "frame_bytes", total, found, f"{LOST} Which two cures did you see?")

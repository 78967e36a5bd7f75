"""Many odd packets out of a few: each cut at every length, and changed by chance.

XDP_LAB_SEED repeats a run that failed; XDP_LAB_PACKETS sets how many packets each program gets.
"""

from __future__ import annotations

import os
import random
import secrets

FIXED = 20240204
NUMBER = int(os.environ.get("XDP_LAB_PACKETS", "200000"))
SEEDS = [FIXED, secrets.randbits(32)]
if "XDP_LAB_SEED" in os.environ:
    SEEDS = [int(os.environ["XDP_LAB_SEED"])]

# Values at which a field changes its meaning.
TELLING = bytes.fromhex(
    "00 01 02 05 06 08 0f 11 1f 20 2b 2c 2f 33 35 3a 3b 3c 3f 40 41 44 45 46 4f 54 5a 5b 60 61 7a"
    "7f 80 81 86 88 a8 a9 c0 dd e0 ef f0 f7 f8 fe ff"
)

_PAIRS = bytes.fromhex(
    "0000 0001 0035 00ff 0100 0800 0806 1fff 2000 4000 8000 8100 86dd 88a8 c00c f7fe f7ff f800"
    "feff ff00 fffe ffff"
)
TELLING_PAIRS = [_PAIRS[at : at + 2] for at in range(0, len(_PAIRS), 2)]


def cuts(frames: list[bytes]) -> list[bytes]:
    """Each frame at every length that the kernel takes; of most long ones headers and end only."""
    return [
        whole[:size]
        for whole in frames
        for size in range(14, len(whole))
        if size < 150 or size > len(whole) - 10 or len(whole) > 1430
    ]


def mutants(frames: list[bytes], seed: int, number: int) -> list[bytes]:
    """Frames with a few bits or bytes changed, or made of two."""
    chance = random.Random(seed)
    roll = chance.random
    small = [one for one in frames if len(one) < 200]
    made: list[bytes] = []
    while len(made) < number:
        one = bytearray(chance.choice(small if roll() < 0.95 else frames))
        for _ in range(1 + int(roll() * 3)):
            reach = min(len(one), 90)
            at, how = int(roll() * reach), roll()
            if how < 0.35:
                one[at] ^= 1 << int(roll() * 8)
            elif how < 0.65:
                one[at] = chance.choice(TELLING)
            elif how < 0.75:
                one[at] = int(roll() * 256)
            elif how < 0.85:
                one[at & ~1 : (at & ~1) + 2] = chance.choice(TELLING_PAIRS)
            elif how < 0.9:
                other = chance.choice(small)
                one[at:] = other[int(roll() * len(other)) :] if roll() < 0.5 else other[at:]
            elif how < 0.95:
                del one[14 + int(roll() * len(one)) :]
            else:
                one += bytes(int(roll() * 20))
            if len(one) < 14:
                one += bytes(14 - len(one))
        made.append(bytes(one[:1500]))
    return made


def parts(base: list[bytes]) -> list[tuple[int | str, list[bytes]]]:
    parts: list[tuple[int | str, list[bytes]]] = [("any", base + cuts(base))]
    share = max(1, (NUMBER - len(parts[0][1])) // len(SEEDS) + 1)
    return parts + [(seed, mutants(base, seed, share)) for seed in SEEDS]

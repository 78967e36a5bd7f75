"""What hashing.py does to many numbers, done to one: Python is quicker with one than numpy."""

from __future__ import annotations

import functools

ALL_BITS = 2**64 - 1


def mixed(x: int) -> int:
    """A number from 0 to 2^64 - 1, stirred; MurmurHash3's finalizer (Appleby)."""
    x = (x ^ x >> 33) * 0xFF51AFD7ED558CCD & ALL_BITS
    x = (x ^ x >> 33) * 0xC4CEB9FE1A85EC53 & ALL_BITS
    return x ^ x >> 33


@functools.lru_cache(4096)
def seed_of(server: str) -> int:
    """A server's own number: its name stirred in, letter by letter."""
    number = 0
    for letter in server.encode():
        number = mixed(number ^ (letter + 1))
    return number

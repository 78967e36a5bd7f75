"""ARP must pass, and IPv6 must not."""

from labsetup import ARP, TCP, IPv6
from labsetup.practice.checking import DROP, PASS, expect_each

CASES = [("ARP", ARP(), PASS, "Only IPv6."), ("IPv6", IPv6() / TCP(), DROP, "Which field?")]


def check(program):
    expect_each(program, CASES)

"""A slip in a packet ends in one sentence, and not in scapy's own code."""

from __future__ import annotations

import re

import pytest
from support.kernels import Kernel

from labsetup import *  # noqa: F403  # the names that a notebook has
from labsetup.packets.refused import in_words

WRONG = {
    "bytes(Ether() / IP(ttl=300) / ICMP())": (
        "the field ttl of IP does not take 300; it is a number from 0 to 255"
    ),
    "bytes(TCP(dport=70_000))": (
        "the field dport of TCP does not take 70000; it is a number from 0 to 65,535"
    ),
    "UDP(len=-1).build()": (
        "the field len of UDP does not take -1; it is a number from 0 to 65,535"
    ),
    "IP(ttl='x').build()": "the field ttl of IP does not take 'x'; it is a number from 0 to 255",
    "IP(src=net.client).build()": (
        "the field src of IP does not take a Host; it takes an address such as 192.0.2.1"
    ),
    "IP(dst='300.1.1.1')": (
        "'300.1.1.1' is no address, and nothing resolves names here; write one as 192.0.2.2"
    ),
    "IPv6(dst='fe80::zz')": (
        "'fe80::zz' is no address, and nothing resolves names here; write one as 192.0.2.2"
    ),
    "IP(tl=3)": "IP has no field tl; type ttl",
    "(Ether() / IP()).tlt": "Ether / IP has no field tlt; type ttl",
    "Dot1Q().zzz": "Dot1Q has no field zzz; it has prio, dei, vlan, type",
    "TCP(dport='htttp')": "the field dport of TCP does not take 'htttp'; type http, or a number",
    "ARP(op='who')": "the field op of ARP does not take 'who'; type who-has, or a number",
    "TCP(flags='Q')": (
        "the field flags of TCP does not take 'Q'; its flags are F, S, R, P, A, U, E, C, N"
    ),
    "(Ether() / IP())[TCP]": "this packet has no TCP; it is Ether / IP",
    "IP() / 5": "behind / stands a header such as IP(), or bytes, not 5",
    "IP() / Ether": "behind / stands a header such as IP(), or bytes, not the class Ether",
    "Ether('text')": "the field dst of Ether cannot be read: a bytes-like object is required",
}


@pytest.mark.parametrize("code", WRONG)
def test_it_says_what_is_wrong(net, code):
    with pytest.raises(Exception) as caught:
        eval(code, {**globals(), "net": net})
    assert in_words(caught.value, caught.tb).startswith(WRONG[code])


@pytest.mark.parametrize("code", ["{}['k']", "[][1]", "int('x')", "None.ttl", "open('/no/file')"])
def test_of_what_is_not_scapys_it_says_nothing(code):
    with pytest.raises(Exception) as caught:
        eval(code)
    assert not in_words(caught.value, caught.tb)


def test_a_cell_shows_the_sentence_and_its_line():
    kernel = Kernel()
    try:
        kernel.run("from labsetup import *; net = two_hosts()")
        said = kernel.run("packet = IP(ttl=300)\nsend(net.client.eth0, packet)")
        assert re.fullmatch(
            r"LabError: the field ttl of IP does not take 300; it is a number from 0 to 255"
            r"line 2: send\(net.client.eth0, packet\)",
            said,
        )
        assert "Traceback" in kernel.run("{}['k']")
    finally:
        kernel.close()

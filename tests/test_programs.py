"""Every program of bpf/: that it builds, what it decides, what it counts."""

from __future__ import annotations

import re
import statistics
import subprocess
import time
from pathlib import Path

import pytest
from bcc import BPF
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from support.models_balance import VIP, VIP6
from support.pictures import drawn

from labsetup import ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether, Exceptions, IPv6, LabError, Program, Raw
from labsetup.packets.craft import frame
from labsetup.programs.build import BuildError
from labsetup.programs.compile import name_headers
from labsetup.programs.sources import SOURCES

PASS, DROP, ABORTED = "XDP_PASS", "XDP_DROP", "XDP_ABORTED"
TX, REDIRECT = "XDP_TX", "XDP_REDIRECT"

FAR, FAR6 = "198.51.100.1", "2001:db8:5::1"  # next_hops has both, see models.py
QUERY = UDP(sport=4242, dport=53) / DNS(qd=DNSQR(qname="Blocked.EXAMPLE"))
PING6 = ICMPv6EchoRequest(id=1)
WAY6 = IPv6ExtHdrRouting(addresses=["2001:db8::9"])
TOO_BIG = ICMP(type=3, code=4) / IP(src=VIP, dst="203.0.113.7") / TCP(sport=443, dport=40000)

# What a wire may bring.
PACKETS = {
    "ping": Ether() / IP() / ICMP(),
    "echo reply": Ether() / IP() / ICMP(type=0),
    "large ping": Ether() / IP() / ICMP() / Raw(b"x" * 1400),
    "ping with IP options": Ether() / IP(options=b"\x94\x04\0\0") / ICMP(),
    "first fragment of a ping": Ether() / IP(flags="MF") / ICMP() / Raw(b"x" * 8),
    "later fragment of a ping": Ether() / IP(frag=64, proto=1) / Raw(b"x" * 8),
    "IPv4 header and no more": Ether() / IP(proto=1),
    "IP header that lies about its length": Ether() / IP(ihl=15, proto=1) / Raw(b""),
    "ping to far away": Ether() / IP(dst=FAR) / ICMP(),
    "ping to all hosts": Ether() / IP(dst="224.0.0.1") / ICMP(),
    "ping to everyone's MAC address": Ether(dst="ff:ff:ff:ff:ff:ff") / IP(dst=FAR) / ICMP(),
    "ping at the end of its life": Ether() / IP(dst=FAR, ttl=1) / ICMP(),
    "ping cut short, padded by Ethernet": Ether() / IP(dst=FAR, len=27) / ICMP() / Raw(bytes(18)),
    "VLAN-tagged ping": Ether() / Dot1Q(vlan=5) / IP(dst=FAR) / ICMP(),
    "ping with two tags": Ether(type=0x88A8) / Dot1Q(vlan=5) / Dot1Q(vlan=6) / IP() / ICMP(),
    "ping with three tags": Ether() / Dot1Q() / Dot1Q() / Dot1Q() / IP() / ICMP(),
    "TCP": Ether() / IP() / TCP(),
    "TCP to far away": Ether() / IP(dst=FAR) / TCP(),
    "fragment to far away": Ether() / IP(dst=FAR, frag=64, proto=17) / Raw(b"x" * 8),
    "options to far away": Ether() / IP(dst=FAR, options=b"\x94\x04\0\0") / TCP(),
    "UDP": Ether() / IP() / UDP() / DNS(qd=DNSQR(qname="example.org")),
    "blocked query": Ether() / IP() / QUERY,
    "blocked query with IP options": Ether() / IP(options=b"\x01" * 4) / QUERY,
    "blocked query, VLAN-tagged": Ether() / Dot1Q(vlan=5) / IP() / QUERY,
    "blocked query's first fragment": Ether() / IP(flags="MF") / QUERY,
    "blocked query's later fragment": Ether() / IP(frag=9) / QUERY,
    "answer for a blocked name": Ether() / IP() / UDP(dport=53) / DNS(qr=1, qd=QUERY[DNS].qd),
    "blocked query over IPv6": Ether() / IPv6() / QUERY,
    "blocked query behind extensions": Ether() / IPv6() / IPv6ExtHdrHopByHop() / WAY6 / QUERY,
    "ARP": Ether() / ARP(),
    "ping over IPv6": Ether() / IPv6() / PING6,
    "VLAN-tagged ping over IPv6": Ether() / Dot1Q(vlan=5) / IPv6() / PING6,
    "first fragment over IPv6": Ether() / IPv6() / IPv6ExtHdrFragment(m=1) / PING6,
    "ping with a route over IPv6": Ether() / IPv6(dst=FAR6) / WAY6 / PING6,
    "ping to all nodes": Ether() / IPv6(dst="ff02::1") / PING6,
    "IPv6 with an extension": Ether() / IPv6(dst=FAR6) / IPv6ExtHdrHopByHop() / UDP(),
    "IPv6 to far away": Ether() / IPv6(dst=FAR6) / UDP(),
    "IPv6 from this link to far away": Ether() / IPv6(src="fe80::1", dst=FAR6) / UDP(),
    "IPv4 inside IPv6's EtherType": Ether(type=0x86DD) / IP() / ICMP(),
    "TCP to the VIP": Ether() / IP(dst=VIP) / TCP(sport=40001),
    "TCP to the VIP, for another MAC address": Ether(dst="02:00:00:00:02:01") / IP(dst=VIP) / TCP(),
    "TCP to the VIP, VLAN-tagged": Ether() / Dot1Q(vlan=5) / IP(dst=VIP) / TCP(sport=40001),
    "UDP to the VIP over IPv6": Ether() / IPv6(dst=VIP6) / UDP() / Raw(b"x" * 8),
    "fragment to the VIP": Ether() / IP(dst=VIP, frag=9, proto=17) / Raw(b"x" * 8),
    "error about a packet of the VIP": Ether() / IP(dst=VIP) / TOO_BIG,
    "Ethernet header alone": frame(Ether(type=0x0800))[:14],
    "one byte short of an IPv4 header": frame(Ether() / IP(proto=1))[:33],
    "zeros": b"\0" * 64,
    "ones": b"\xff" * 64,
}  # fmt: skip

ICMP_PACKETS = {
    "ping", "echo reply", "large ping", "ping with IP options", "first fragment of a ping",
    "later fragment of a ping", "IPv4 header and no more", "IP header that lies about its length",
    "ping to far away", "ping to all hosts", "ping to everyone's MAC address",
    "ping at the end of its life", "ping cut short, padded by Ethernet",
    "error about a packet of the VIP",
}  # fmt: skip

VIP_PACKETS = {
    "TCP to the VIP", "TCP to the VIP, VLAN-tagged", "UDP to the VIP over IPv6",
    "fragment to the VIP", "error about a packet of the VIP",
}  # fmt: skip

# Of each program: the verdict for the kinds named, and that for all others.
VERDICTS = {
    "xdp_pass": (PASS, set(), PASS),
    "xdp_drop": (DROP, set(), DROP),
    "xdp_aborted": (ABORTED, set(), ABORTED),
    "drop_icmp": (DROP, ICMP_PACKETS, PASS),
    "icmp_count": (PASS, set(), PASS),
    "count_shared": (PASS, set(), PASS),
    "count_atomic": (PASS, set(), PASS),
    "count_percpu": (PASS, set(), PASS),
    "capture": (PASS, set(), PASS),
    "flow_hash": (PASS, set(), PASS),
    "mac_swap": (TX, set(PACKETS), PASS),
    # Whatever has room for its headers; tests/test_rivals.py looks at what it makes.
    "flood": (TX, {kind for kind, packet in PACKETS.items() if len(frame(packet)) >= 42}, PASS),
    "echo_reply": (TX, {
        "ping", "large ping", "ping to far away", "ping at the end of its life", "VLAN-tagged ping",
        "ping with two tags", "ping over IPv6", "VLAN-tagged ping over IPv6",
    }, PASS),
    "redirect": (REDIRECT, {
        "ping to far away", "ping cut short, padded by Ethernet", "TCP to far away",
        "fragment to far away", "IPv6 to far away", "ping with a route over IPv6",
    }, PASS),
    "dns_block": (DROP, {
        "blocked query", "blocked query with IP options", "blocked query, VLAN-tagged",
        "blocked query's first fragment", "blocked query over IPv6",
        "blocked query behind extensions",
    }, PASS),
    **{
        f"lb_{way}": (TX, VIP_PACKETS, PASS)
        for way in ("random", "modulo", "xor", "rendezvous", "table", "memory")
    },
    "to_owner": (TX, VIP_PACKETS, PASS),
    "second_chance": (TX, VIP_PACKETS, PASS),
}  # fmt: skip
NO_XDP = {"exceptions"}
XDP_SOURCES = sorted(path for path in SOURCES.glob("*.c") if path.stem not in NO_XDP)


def test_every_program_has_its_verdicts_here():
    assert {path.stem for path in XDP_SOURCES} == set(VERDICTS)


@pytest.mark.parametrize("name", VERDICTS)
@pytest.mark.parametrize("kind", PACKETS)
def test_verdict(loaded, name, kind):
    verdict, kinds, otherwise = VERDICTS[name]
    run = loaded[name].run(PACKETS[kind])
    assert run.verdict == (verdict if kind in kinds else otherwise)
    if run.verdict not in (TX, REDIRECT):
        assert run.after == run.before


@pytest.mark.parametrize("kind", PACKETS)
def test_icmp_count_counts_icmp_and_nothing_else(loaded, kind):
    counter = loaded["icmp_count"]["icmp_packets"]
    before = counter[0].sum
    loaded["icmp_count"].run(PACKETS[kind], repeat=5)
    assert counter[0].sum - before == (5 if kind in ICMP_PACKETS else 0)


# A packet, the length of the shortest part of it that its IP header allows, and the verdict then.
CUTS = {
    "drop_icmp": (Ether() / IP() / ICMP() / Raw(b"x" * 20), 34, DROP),
    "mac_swap": (Ether() / IP() / ICMP(), 14, TX),
    "echo_reply": (Ether() / Dot1Q() / IP() / ICMP() / Raw(b"x" * 20), 66, TX),
    "redirect": (Ether() / IPv6(dst=FAR6) / WAY6 / PING6, 86, REDIRECT),
    "dns_block": (Ether() / Dot1Q() / IPv6() / IPv6ExtHdrHopByHop() / WAY6 / QUERY, 131, DROP),
    "lb_table": (Ether() / Dot1Q() / IPv6(dst=VIP6) / IPv6ExtHdrHopByHop() / TCP(), 86, TX),
    "second_chance": (Ether() / Dot1Q() / IPv6(dst=VIP6) / IPv6ExtHdrHopByHop() / TCP(), 86, TX),
}


@pytest.mark.parametrize("name", CUTS)
def test_a_packet_cut_at_every_length_never_misleads(loaded, name):
    packet, enough, verdict = CUTS[name]
    whole = frame(packet)
    for length in range(14, len(whole) + 1):
        expected = verdict if length >= enough else PASS
        assert loaded[name].run(whole[:length]).verdict == expected, length


def test_what_an_answer_changes(loaded):
    run = loaded["echo_reply"].run(Ether() / IP(ttl=9) / ICMP(id=1))
    assert [repr(change) for change in run.changes] == [
        "Ether dst: 02:00:00:00:02:00 → 02:00:00:00:01:00",
        "Ether src: 02:00:00:00:01:00 → 02:00:00:00:02:00",
        "IP ttl: 9 → 64",
        "IP chksum: 0x2ddd (right) → 0xf6dc (right)",
        "IP src: 192.0.2.1 → 192.0.2.2",
        "IP dst: 192.0.2.2 → 192.0.2.1",
        "ICMP type: echo-request → echo-reply",
        "ICMP chksum: 0xf7fe (right) → 0xfffe (right)",
    ]


def test_what_a_router_changes(loaded):
    run = loaded["redirect"].run(Ether() / IPv6(dst=FAR6) / UDP())
    assert [repr(change) for change in run.changes] == [
        "Ether dst: 02:00:00:00:02:00 → 02:00:00:00:0a:01",
        "Ether src: 02:00:00:00:01:00 → 02:00:00:00:0a:02",
        "IPv6 hlim: 64 → 63",
    ]


def test_dns_block_counts_what_it_drops(loaded):
    blocked, key = loaded["dns_block"]["blocked"], {"text": b"\7blocked\7example"}
    before = blocked[key]
    loaded["dns_block"].run(PACKETS["blocked query"], repeat=5)
    assert blocked[key] - before == 5


@pytest.mark.parametrize(
    "path", [p for p in XDP_SOURCES if "BPF_" not in p.read_text()], ids=lambda p: p.stem
)
def test_a_program_without_maps_needs_clang_alone(path, tmp_path):
    command = ["clang", "-O2", "-g", "-Wall", "-Werror", "-target", "bpf", "-c", path, "-o"]
    built = subprocess.run([*command, tmp_path / "o"], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    pin = Path("/sys/fs/bpf/clang_alone")  # the sandbox's own
    load = ["bpftool", "prog", "load", tmp_path / "o", pin, "type", "xdp"]
    loading = subprocess.run(load, capture_output=True, text=True, check=False)
    assert loading.returncode == 0, loading.stderr
    pin.unlink()


@pytest.mark.parametrize("path", sorted(SOURCES.glob("*.[ch]")), ids=lambda p: p.name)
def test_a_source_is_short_and_says_what_it_does(path):
    text = path.read_text()
    assert re.match(r"(//|/\*) SPDX-License-Identifier: GPL-2.0-or-later", text)
    comment = re.search(r"/\*.*?\*/", text.partition("\n")[2], re.DOTALL)
    assert comment is not None
    assert comment[0].count("\n") < 5
    assert text.count("\n") <= 80


@pytest.mark.alone
def test_from_source_to_attached(net):
    """The loop a reader waits for: at most 0.8 s, and near the floor that BCC sets."""
    name_headers()
    ours, floor = [], []
    for _ in range(9):
        begun = time.perf_counter()
        Program("icmp_count").attach(net.server.eth0)
        ours.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        bare = BPF(text=b"int bare(struct xdp_md *ctx) { return XDP_PASS; }")
        bare.load_func(b"bare", BPF.XDP)
        floor.append(time.perf_counter() - begun)
        bare.cleanup()
    assert statistics.median(ours) <= 0.8
    assert statistics.median(ours) <= 1.6 * statistics.median(floor)


def test_native_and_generic_mode(net):
    program = Program("xdp_drop")
    program.attach(net.server.eth0, mode="generic")
    assert net.server.eth0.xdp[1] == "generic"
    assert net.client.eth0.xdp is None
    assert net.client.ping(net.server, count=1, wait=0.2).received == 0
    program.attach(net.server.eth0)
    assert net.server.eth0.xdp[1] == "native"
    assert net.client.eth0.xdp[0] == "xdp_pass"
    program.detach()
    assert net.server.eth0.xdp is None
    assert net.client.eth0.xdp is None
    assert net.client.ping(net.server).received == 3


def test_one_program_replaces_another_without_a_gap(net):
    Program("xdp_drop").attach(net.server.eth0)
    drop, later = Program("xdp_drop"), Program("xdp_pass")
    drop.attach(net.server.eth0)
    later.attach(net.server.eth0)
    assert net.server.eth0.xdp[0] == "xdp_pass"
    with pytest.raises(LabError, match="not attached"):
        drop.detach(net.server.eth0)
    assert "not attached" in drop.summary
    assert "attached to server eth0 (native)" in later.summary


def test_a_program_at_both_ends_is_nobodys_helper(net):
    one, other = Program("xdp_pass"), Program("xdp_pass")
    one.attach(net.server.eth0)
    assert net.client.eth0.is_helper
    other.attach(net.client.eth0)
    assert not net.client.eth0.is_helper
    one.detach()
    assert net.client.eth0.xdp is not None
    other.detach()
    assert net.client.eth0.xdp is None
    assert net.server.eth0.xdp is None


@pytest.fixture
def by_hand(tmp_path):
    """Load xdp_drop on an interface as a reader does in a terminal."""

    def load(interface, mode="xdpdrv", force=""):
        path, host = tmp_path / "xdp_drop.o", interface.host
        host.run(f"clang -O2 -g -target bpf -c {SOURCES}/xdp_drop.c -o {path}")
        link = f"ip {force} link set dev {interface.name} {mode}"
        said = host.run(f"{link} object {path} section xdp")
        assert said.status == 0, said

    return load


def test_a_program_loaded_by_hand_is_not_replaced(net, by_hand):
    by_hand(net.server.eth0)
    with pytest.raises(LabError, match="ip -n server link set eth0 xdp off"):
        Program("xdp_pass").attach(net.server.eth0)
    net.server.run("ip link set eth0 xdp off")
    Program("xdp_pass").attach(net.server.eth0)


def test_a_program_loaded_by_hand_over_ours_is_not_replaced(net, by_hand):
    ours = Program("xdp_pass")
    ours.attach(net.server.eth0)
    for interface in (net.server.eth0, net.client.eth0):  # the second one is the lab's helper
        by_hand(interface, force="-force")
        for _ in range(2):
            with pytest.raises(LabError, match="did not attach"):
                ours.attach(interface)
    assert "not attached" in ours.summary


def test_generic_mode_takes_the_place_of_a_helper(net):
    one, other = Program("xdp_pass"), Program("xdp_pass")
    one.attach(net.client.eth0)
    other.attach(net.server.eth0, mode="generic")
    assert net.server.eth0.xdp[1] == "generic"
    assert not net.server.eth0.is_helper


def test_no_helper_where_none_is_wanted(net):
    program = Program("xdp_pass")
    program.attach(net.server.eth0, helper=False)
    assert net.client.eth0.xdp is None
    Program("xdp_pass").attach(net.client.eth0)
    program.detach()
    assert net.server.eth0.is_helper


def test_the_tracepoint_counts_our_aborted_packets_only(net):
    net.client.ping(net.server, count=1)  # so that no ARP request comes in between
    Program("xdp_aborted").attach(net.server.eth0)
    net.client.ping(net.server, count=1, wait=0.2)
    with Exceptions() as traced:
        net.client.ping(net.server, count=2, wait=0.2)
    assert net.server.eth0.counters["xdp_drops"] == 3
    assert traced.of(net.server.eth0) == 2
    assert traced.of(net.client.eth0) == 0


def test_c_without_a_function_for_xdp():
    with pytest.raises(BuildError, match="has no function that XDP can call"):
        Program("bad", "static int bad(struct xdp_md *ctx) { return XDP_PASS; }")


def test_a_program_is_found_by_name_or_path(tmp_path):
    path = tmp_path / "mine.c"
    path.write_text("int mine(struct xdp_md *ctx) { return XDP_TX; }")
    assert Program(path).run(b"\0" * 64).verdict == "XDP_TX"
    with pytest.raises(LabError, match=r"bpf/ has no program 'xdp_dorp'; it has: .*xdp_drop"):
        Program("xdp_dorp")
    with pytest.raises(LabError, match="there is no file"):
        Program(tmp_path / "other.c")
    with pytest.raises(LabError, match="has no map 'x'; its maps: none"):
        Program("xdp_pass")["x"]


@pytest.mark.parametrize("size", [0, 13, 100_000])
def test_a_frame_that_the_kernel_does_not_take(loaded, size):
    with pytest.raises(LabError, match=f"a frame of {size} bytes"):
        loaded["xdp_pass"].run(b"\0" * size)


def test_cpus_and_repeats_that_there_are_not(loaded):
    with pytest.raises(LabError, match="there is no CPU 4096"):
        loaded["xdp_pass"].run(b"\0" * 64, cpus=[4096])
    with pytest.raises(LabError, match="a whole number"):
        loaded["xdp_pass"].run(b"\0" * 64, repeat=1e6)


def test_a_verdict_that_is_none():
    seven = Program("seven", "int seven(struct xdp_md *ctx) { return 7; }")
    assert seven.run(b"\0" * 64).verdict.startswith("7, which is no verdict: the kernel treats")


def test_changes_are_named_by_field():
    source = """
    int ttl(struct xdp_md *ctx) {
        unsigned char *p = (void *)(long)ctx->data;
        if ((void *)(p + 34) > (void *)(long)ctx->data_end) return XDP_PASS;
        p[22]--;
        return XDP_TX;
    }"""
    run = Program("ttl", source).run(Ether() / IP(ttl=64) / ICMP())
    assert [repr(field) for field in run.changes] == [
        "IP ttl: 64 → 63",
        "IP chksum: 0xf6dc (right) → 0xf6dc (wrong)",
    ]
    for words in (
        "ttl: XDP_TX, 42 bytes\n",
        "ttl=64 → 63",
        "chksum=0xf6dc (right) → 0xf6dc (wrong)",
    ):
        assert words in repr(run)
    assert "<b>63</b>" in drawn(run)["text/html"]


def test_size_is_what_the_kernel_says(loaded):
    assert loaded["xdp_pass"].size.instructions == 2
    assert loaded["icmp_count"].size.instructions > 20

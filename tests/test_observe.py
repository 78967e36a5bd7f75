"""What becomes of packets at XDP programs: recorded, followed, balanced."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
from scapy.layers.inet6 import IPv6ExtHdrHopByHop
from scapy.utils import rdpcap
from support.pictures import drawn, svg

from labsetup import (
    ICMP,
    IP,
    UDP,
    Dot1Q,
    Ether,
    IPv6,
    LabError,
    Program,
    Raw,
    account,
    capture,
    journey,
    record,
    send,
    three_hosts,
)
from labsetup.maps.values import PerCPU
from labsetup.packets.craft import frame
from labsetup.packets.fields import fields_of

TEXT: Any = "text"  # where no text belongs


SWAP = """#include "xdp.h"
int swap(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	unsigned char mac[ETH_ALEN];
	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
	return XDP_TX;
}
"""


def balances(law, where):
    return next(row for row in law.balances if row.where == where)


def test_a_record_sees_what_tcpdump_does_not(net, tmp_path):
    net.client.ping(net.server, count=1)
    drop = Program("xdp_drop", capture=True)
    drop.attach(net.server.eth0)
    with net.server.tcpdump() as dump, record(drop) as seen:
        for size in (0, 1, 500, 1400):
            send(net.client.eth0, IP() / UDP(sport=4000, dport=4001) / Raw(b"x" * size))
    assert "0 packets captured" in dump.output
    assert [fate.verdict for fate in seen] == ["XDP_DROP"] * 4
    assert [len(fate.packet[UDP].payload) for fate in seen] == [0, 1, 500, 1400]
    path = tmp_path / "seen.pcap"
    seen.save(path)
    assert [bytes(p) for p in rdpcap(str(path))] == [fate.before for fate in seen]
    said = subprocess.run(["tcpdump", "-nr", path], capture_output=True, text=True, check=True)
    lengths = [line.rpartition("length ")[2] for line in said.stdout.splitlines()]
    assert lengths == ["0", "1", "500", "1400"]
    assert seen.lost == 0


def test_a_record_holds_what_the_program_changed(net):
    swap = Program("swap", SWAP, capture=True)
    swap.attach(net.server.eth0)
    with record(swap) as seen:
        send(net.client.eth0, IP() / ICMP(type=0))
        assert repr(seen).startswith("still recording")
    assert seen[0].verdict == "XDP_TX"
    assert seen[0].after[:6] == seen[0].before[6:12]
    with record(swap) as later:
        pass
    assert list(later) == []
    assert repr(later) == "no packet met the program"


def test_a_packet_that_was_not_recorded_is_named(net):
    drop = Program("xdp_drop", capture=True)
    with (
        record(drop) as seen,
        capture(net) as passed,
        pytest.raises(LabError, match=r"no packet \[0\]: still capturing; .* within its block"),
    ):
        passed[0]
    with pytest.raises(IndexError, match=r"\[0\]: no packet met .* it is attached nowhere; send"):
        seen[0]
    with pytest.raises(LabError, match=r"no packet \[-1\]: nothing was seen; send packets within"):
        passed[-1]
    assert seen[:1] == passed[:1] == []
    drop.attach(net.server.eth0)
    with record(drop) as seen, capture(net.client) as passed:
        send(net.client.eth0, IP(dst="192.0.2.2") / ICMP(), count=2)
    with pytest.raises(LabError, match=r"no packet \[2\]: there are packets \[0\] to \[1\]$"):
        seen[2]
    assert list(reversed(seen)) == [seen[-1], seen[-2]]
    assert passed[-1] == passed[len(passed) - 1]


def test_a_capture_is_saved_as_a_record_is(net, tmp_path):
    path = tmp_path / "seen.pcap"
    with capture(net.client) as seen:
        with pytest.raises(LabError, match="still goes on; save it below its block"):
            seen.save(path)
        net.client.ping(net.server, count=2)
    seen.save(path)
    packets = rdpcap(str(path))
    assert [bytes(one) for one in packets] == [bytes(one.packet) for one in seen]
    assert [float(one.time) for one in packets] == pytest.approx([one.time for one in seen])
    with pytest.raises(LabError, match="cannot be written: Is a directory"):
        seen.save(tmp_path)
    with pytest.raises(LabError, match=r"save\(\) takes a text or a path as path, not 1"):
        seen.save(int("1"))  # type: ignore[arg-type]  # that is the question


def test_an_account_says_that_it_has_no_block(net):
    with pytest.raises(LabError, match=r"needs no with: type law = account\(net\)"), account(net):
        pass


def test_a_program_with_capture_decides_as_without():
    for name in ("xdp_pass", "drop_icmp", "icmp_count"):
        for packet in (Ether() / IP() / ICMP(), Ether() / IP() / UDP(), Ether() / Dot1Q() / IP()):
            assert (
                Program(name, capture=True).run(packet).verdict == Program(name).run(packet).verdict
            )


def test_a_record_that_was_not_begun_claims_nothing(tmp_path):
    seen = record(Program("swap", SWAP, capture=True))
    assert "with record(program) as seen:" in repr(seen)
    with pytest.raises(LabError, match=re.escape("with record(program) as seen:")):
        seen.save(tmp_path / "nothing.pcap")
    assert not (tmp_path / "nothing.pcap").exists()


def test_a_record_needs_a_program_that_captures():
    with pytest.raises(LabError, match=r"type: Program\('xdp_pass', capture=True\)"):
        record(Program("xdp_pass"))


def test_a_journey_there_and_back(net):
    swap = Program("swap", SWAP, capture=True)
    swap.attach(net.server.eth0)
    way = journey(net, net.client.eth0, IP() / ICMP(type=0))
    assert [hop.title for hop in way.hops] == [
        "client eth0: leaves the host",
        "server eth0: swap, XDP_TX",
        "client eth0: reaches the stack",
    ]
    assert [field.name for field in way.hops[1].fields if field.changed] == ["dst", "src"]
    bundle = drawn(way)
    for words in ("swap, XDP_TX", "02:00:00:00:02:00 → ", "as before"):
        assert words in bundle["text/plain"]
        assert words in svg(bundle)
    assert "bytes bytes" not in svg(bundle)


def test_checksums_are_judged():
    good = frame(Ether() / IP() / UDP() / Raw(b"abc"))
    bad = frame(Ether() / IP() / UDP(chksum=1) / Raw(b"abc"))
    (change,) = [one for one in fields_of(good, bad) if one.changed]
    assert change.name == "chksum"
    assert change.before.endswith("(right)")
    assert change.after == "0x1 (wrong)"
    fragment = fields_of(*[frame(Ether() / IP(flags="MF") / UDP(chksum=1))] * 2)
    assert [f.before for f in fragment if (f.layer, f.name) == ("UDP", "chksum")] == ["0x1"]


@pytest.mark.parametrize(
    "network",
    [
        IP(options=b"\x01" * 4),
        IP(options=b"\x94\x04\0\0"),
        IPv6() / IPv6ExtHdrHopByHop(),
        IP(),
    ],
    ids=["no-operation", "router alert", "hop by hop", "none"],
)
def test_headers_behind_options_are_told_by_their_own_names(network):
    first, second = (frame(network / UDP(sport=p, dport=7) / b"hello") for p in (4242, 4243))
    changed = {(one.layer, one.name) for one in fields_of(first, second) if one.changed}
    assert changed == {("UDP", "sport"), ("UDP", "chksum")}
    told = [one.after for one in fields_of(first, second) if (one.layer, one.name) in changed]
    assert told[1].endswith("(right)")


def test_options_that_come_from_a_mistake():
    good = frame(IP() / UDP(sport=4242, dport=7) / b"hello")
    bad = good[:14] + b"\x46" + good[15:]  # a header of 24 bytes, it says
    assert any(one.name == "ihl" and one.changed for one in fields_of(good, bad))
    assert fields_of(good, bytes(14) + b"\x02\0" + good[16:])


@pytest.mark.parametrize(
    ("name", "fate"),
    [("xdp_pass", "passed"), ("xdp_drop", "dropped"), ("xdp_aborted", "aborted")],
)
def test_every_packet_has_one_fate(net, name, fate):
    Program(name).attach(net.server.eth0)
    law = account(net)
    send(net.client.eth0, IP() / ICMP(type=0), count=1000)
    row = balances(law, "server eth0")
    assert (row.received, getattr(row, fate), row.missing) == (1000, 1000, 0)
    law.check()


def test_packets_sent_back_are_accounted_for_at_both_ends(net):
    Program("swap", SWAP).attach(net.server.eth0)
    law = account(net)
    send(net.client.eth0, IP() / ICMP(type=0), count=10)
    assert balances(law, "server eth0").sent_back == 10
    assert balances(law, "client eth0").passed == 10
    law.check()


def test_a_packet_without_a_fate_is_found(net):
    lose = Program("lose", "int lose(struct xdp_md *ctx) { return XDP_REDIRECT; }")
    lose.attach(net.server.eth0)
    law = account(net)
    send(net.client.eth0, IP() / ICMP(), count=5)
    with pytest.raises(LabError, match="received 5 packets, and 5 of them have no"):
        law.check()
    assert repr(law).splitlines()[2].split()[-1] == "5"


def test_a_run_tells_what_it_changed_in_maps():
    run = Program("icmp_count").run(Ether() / IP() / ICMP())
    ((entry, (before, after)),) = run.maps.items()
    assert isinstance(before, PerCPU) and isinstance(after, PerCPU)
    assert entry == "icmp_packets[0]"
    assert (before.sum, after.sum) == (0, 1)


def test_a_record_says_what_it_had_no_room_for(net):
    drop = Program("xdp_drop", capture=True)
    drop.attach(net.server.eth0)
    with record(drop) as seen:
        send(net.client.eth0, IP() / UDP() / Raw(b"x" * 1400), count=3000)
    assert len(seen) + seen.lost == 3000
    assert seen.lost > 0
    assert f"and {seen.lost} packets for which the ring had no room" in repr(seen)


def test_two_records_of_one_program_do_not_take_from_each_other(net):
    drop = Program("xdp_drop", capture=True)
    drop.attach(net.server.eth0)
    with record(drop) as outer:
        send(net.client.eth0, IP() / ICMP())
        with record(drop) as inner:
            send(net.client.eth0, IP() / ICMP())
    assert (len(outer), len(inner), outer.lost, inner.lost) == (2, 1, 0, 0)


def test_a_journey_names_the_interface_of_each_hop():
    net = three_hosts()
    both = Program("xdp_pass", capture=True)
    both.attach(net.middle.eth0)
    both.attach(net.middle.eth1)
    net.client.ping(net.server, count=1)
    for start, where in ((net.client.eth0, "eth0"), (net.server.eth0, "eth1")):
        way = journey(net, start, IP(dst="203.0.113.1") / ICMP(type=0))
        assert f"middle {where}: xdp_pass, XDP_PASS" in [hop.title for hop in way.hops]


def test_an_account_remembers_programs_that_were_replaced(net):
    Program("xdp_aborted").attach(net.server.eth0)
    law = account(net)
    send(net.client.eth0, IP() / ICMP(), count=3)
    Program("xdp_drop").attach(net.server.eth0)
    send(net.client.eth0, IP() / ICMP(), count=2)
    row = balances(law, "server eth0")
    assert (row.aborted, row.dropped, row.missing) == (3, 2, 0)


def test_an_account_does_not_judge_generic_mode(net):
    law = account(net)
    Program("xdp_drop").attach(net.server.eth0, mode="generic")
    with pytest.raises(LabError, match="needs native mode"):
        law.check()


@pytest.mark.parametrize("act", [lambda: record(TEXT), lambda: account(TEXT)])
def test_what_cannot_be_observed_is_named(act):
    with pytest.raises(LabError, match="takes a"):
        act()

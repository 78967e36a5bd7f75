"""Maps of every kind: what they say of themselves, and the bytes between the fields of a struct."""

from __future__ import annotations

import copy
import json
import os
import re

import pytest
from scapy.utils import wrpcap
from support.host import LAB, on_host

from labsetup import IP, UDP, Ether, LabError, Program
from labsetup.errors import NoSuchEntry
from labsetup.maps import limits
from labsetup.maps.plan import KINDS, PER_CPU
from labsetup.programs.build import BuildError

# A key whose fields are set one by one, and whose holes are what the first bytes of the packet are.
HOLES = """
#include "xdp.h"

struct seen { u8 protocol; u32 source; u16 port; };
struct tally { u8 last; u64 packets; };
BPF_HASH(talkers, struct seen, struct tally, 64);

int talkers_seen(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	u8 *bytes = data;
	if (data + 34 > data_end)
		return XDP_PASS;
	struct seen key;
	__builtin_memset(&key, bytes[0], sizeof(key));
	key.protocol = bytes[23];
	key.source = 7;
	key.port = 9;
	struct tally first;
	__builtin_memset(&first, bytes[1], sizeof(first));
	first.last = 1;
	first.packets = 1;
	struct tally *old = talkers.lookup(&key);
	if (old)
		old->packets++;
	else
		talkers.update(&key, &first);
	return XDP_PASS;
}
"""
PLAIN = {"protocol": 17, "source": 7, "port": 9}


def packet(hole, protocol=17):
    return bytes([hole, hole, *bytes(21), protocol, *bytes(40)])


@pytest.fixture(scope="module")
def talkers():
    return Program("talkers_seen", HOLES)


def test_an_entry_is_found_by_the_key_that_was_listed(talkers):
    seen = talkers["talkers"]
    seen.clear()
    for hole in (0x5A, 0x5A, 0xA5, 0):
        run = talkers.run(packet(hole))
        ((entry, (before, after)),) = run.maps.items()
        assert entry.startswith("talkers[{'protocol': 17, 'source': 7, 'port': 9}")
        assert (before is None) == (after["packets"] == 1)
    assert [seen[key]["packets"] for key in seen] == [value["packets"] for value in seen.values()]
    assert sorted(value["packets"] for value in seen.values()) == [1, 1, 2]
    assert len(seen) == len(dict(seen)) == 3
    assert all(key == PLAIN for key in seen)
    with_holes = [key for key in seen if key.holes]
    assert len(with_holes) == 2
    assert with_holes[0] != with_holes[1]
    assert with_holes[0].holes == {at: with_holes[0].holes[1] for at in (1, 2, 3, 10, 11)}
    shown = repr(seen)
    assert "with 0x5a at byte 1, 0x5a at byte 2" in shown
    assert "0xa5 at byte 1" in shown
    key = copy.deepcopy(with_holes[0])
    seen[key] = seen[key]
    assert len(seen) == 3
    assert seen[key].holes
    del seen[key]
    assert key not in seen
    assert len(seen) == 2


def test_a_dict_has_zeros_between_its_fields(talkers):
    seen = talkers["talkers"]
    seen.clear()
    talkers.run(packet(0xEE))
    with pytest.raises(NoSuchEntry, match="has one with other bytes there; take the key from"):
        seen[PLAIN]
    assert PLAIN not in seen
    seen[PLAIN] = {"last": 0, "packets": 70}
    talkers.run(packet(0))
    assert seen[PLAIN] == {"last": 0, "packets": 71}
    assert seen[17, 7, 9]["packets"] == 71
    assert len(seen) == 2
    (other,) = (key for key in seen if key.holes)
    seen[other | {"port": 10}] = seen[PLAIN]
    assert seen[17, 7, 10]["packets"] == 71
    with pytest.raises(NoSuchEntry, match=r"no entry \(17, 7, 11\)$"):
        seen[17, 7, 11]


def test_holes_end_no_display(talkers, tmp_path):
    pcap, source = tmp_path / "in.pcap", tmp_path / "talkers_seen.c"
    wrpcap(str(pcap), [Ether(packet(0x11)), Ether(packet(0x22))])
    source.write_text(HOLES)
    said = on_host(LAB, "packet", source, "--pcap", pcap)
    assert said.returncode == 0, said.stderr
    assert said.stdout.count("XDP_PASS") == 2
    assert "0x11 at byte 1" in said.stdout
    report = json.loads(on_host(LAB, "packet", source, "--pcap", pcap, "--json").stdout)
    assert len(report["maps"]["talkers"]) == 2


MANY = """
struct prefix { u32 length; u32 address; };
struct prefix6 { u32 length; u8 address[16]; };
struct odd { u32 length; u8 name[3]; };
struct bits { u32 low : 3; u32 high : 7; u8 rest; };
struct rows { u8 cell[2][3]; u32 number; };
struct small { s8 degrees; _Bool on; };
struct counted { u64 by_size[2]; u8 mac[6]; };
typedef u32 quad[4];
BPF_LPM_TRIE(nets, struct prefix, u64, 8);
BPF_LPM_TRIE(nets6, struct prefix6, u64, 8);
BPF_LPM_TRIE(names, struct odd, u64, 8);
BPF_QUEUE(line, u32, 2);
BPF_STACK(pile, struct prefix, 2);
BPF_RINGBUF_OUTPUT(ring, 8);
BPF_PERF_OUTPUT(events);
BPF_PROG_ARRAY(jumps, 3);
BPF_CPUMAP(cpus, 2);
BPF_DEVMAP(ports, 2);
BPF_XSKMAP(sockets, 2);
BPF_STACK_TRACE(traces, 4);
BPF_CGROUP_ARRAY(groups, 2);
BPF_SOCKMAP(socks, 2);
BPF_SOCKHASH(sockhash, u32, 2);
BPF_ARRAY(inner, u64, 4);
BPF_ARRAY_OF_MAPS(outer, "inner", 2);
BPF_HASH_OF_MAPS(by_name, u32, "inner", 2);
BPF_HASH(bitten, u32, struct bits, 2);
BPF_HASH(tabled, quad, struct rows, 2);
BPF_HASH(cold, u32, struct small, 2);
BPF_PERCPU_ARRAY(sums, struct counted, 1);
BPF_ARRAY(huge, u64, 2000000);
BPF_TABLE("lru_hash", u32, u64, recent, 4);
int kinds(struct xdp_md *ctx)
{
	u32 one = 1;
	line.push(&one, 0);
	return XDP_PASS;
}
"""
NOT_READ = ("ring", "events", "sockets", "traces", "groups", "socks", "sockhash", "line", "pile")


@pytest.fixture(scope="module")
def kinds():
    return Program("kinds", MANY)


def test_every_map_says_what_it_is(kinds):
    for name, one in kinds.maps.items():
        said = repr(one)
        assert said.startswith(f"{name}\n  "), said
        kind = KINDS[one._plan.kind]
        assert kind.reads != (name in NOT_READ)
        if kind.use:
            assert kind.words in said
            assert kind.use in said
    assert repr(kinds["ring"]).startswith("ring\n  (a ring buffer of 32,768 bytes; read() takes")
    assert repr(kinds["jumps"]).startswith(
        "jumps\n  (an array of programs with room for 3; a place takes a Program)"
    )


@pytest.mark.parametrize("name", NOT_READ)
def test_what_cannot_be_read_says_so(kinds, name):
    one = kinds[name]
    acts = (len, list, bool, dict, lambda m: m[0], lambda m: 0 in m, lambda m: m.popitem())
    for act in (*acts, lambda m: m.__delitem__(0)):
        with pytest.raises(LabError, match=f"{name} has no entries that can be read: it is an? "):
            act(one)
    with pytest.raises(LabError, match=f"{name} has no entries that can be set|refused {name}"):
        one[0] = 0 if name != "sockets" else 5000


def test_a_queue_and_a_stack(kinds):
    line, pile = kinds["line"], kinds["pile"]
    line.clear()
    kinds.run(Ether() / IP() / UDP())
    line.push(7)
    with pytest.raises(LabError, match="line is full: it has 2 values"):
        line.push(8)
    assert line.peek() == 1
    assert (line.pop(), line.pop()) == (1, 7)
    with pytest.raises(NoSuchEntry, match="line is empty"):
        line.pop()
    with pytest.raises(NoSuchEntry, match="line is empty"):
        line.peek()
    pile.push((1, 2))
    pile.push((3, 4))
    assert pile.pop() == {"length": 3, "address": 4}
    pile.clear()
    with pytest.raises(LabError, match="a value of map line is a number of 4 bytes, not 'x'"):
        line.push("x")
    for act in (lambda m: m.push(1), lambda m: m.peek()):
        with pytest.raises(LabError, match="recent is no queue and no stack: it is an LRU hash"):
            act(kinds["recent"])


def test_networks_as_keys(kinds):
    nets, nets6, names = kinds["nets"], kinds["nets6"], kinds["names"]
    nets["192.0.2.0/24"] = 24
    nets["0.0.0.0/0"] = 0
    assert nets["192.0.2.77"] == nets["192.0.2.128/25"] == 24
    assert nets["198.51.100.1"] == 0
    assert nets[bytes([24, 0, 0, 0, 192, 0, 2, 0])] == 24
    assert "\n  192.0.2.0/24: 24" in repr(nets)
    assert {key["length"] for key in nets} == {0, 24}
    nets[next(key for key in nets if key["length"] == 24)] = 25
    assert nets["192.0.2.1"] == 25
    del nets["0.0.0.0/0"]
    assert "198.51.100.1" not in nets
    for wrong in ("192.0.2.1/24", "192.0.2.0/33", "2001:db8::/32", "here", ""):
        with pytest.raises(LabError, match="no key of nets"):
            nets[wrong] = 1
    nets6["2001:db8::/32"] = 6
    assert nets6["2001:db8::9"] == 6
    assert "2001:db8::/32: 6" in repr(nets6)
    names[{"length": 8, "name": b"abc"}] = 3
    assert names[24, b"axx"] == 3
    with pytest.raises(LabError, match=r"refused nets.*Invalid argument"):
        nets[{"length": 33, "address": 1}] = 1


def test_programs_and_maps_and_numbers_of_queues(kinds):
    jumps, cpus, outer = kinds["jumps"], kinds["cpus"], kinds["outer"]
    jumps[1] = Program("xdp_drop")
    assert len(jumps) == 1
    assert "  1: xdp_drop, program " in repr(jumps)
    del jumps[1]
    assert len(jumps) == 0
    with pytest.raises(LabError, match=r"refused jumps\[0\]: .*; a place takes a Program"):
        jumps[0] = 999
    with pytest.raises(LabError, match=r"map jumps is a .*, not -1; a place takes a Program"):
        jumps[0] = -1
    with pytest.raises(LabError, match="a value of map jumps is a number of 4 bytes, not 'x'"):
        jumps[0] = "x"
    cpus[0] = 192
    assert dict(cpus) == {0: 192}
    with pytest.raises(NoSuchEntry, match="cpus has no entry 1"):
        cpus[1]
    outer[0] = kinds["inner"]
    assert outer[0] == kinds["inner"].id
    kinds["by_name"][5] = kinds["inner"]
    assert kinds["by_name"][5] == kinds["inner"].id
    with pytest.raises(LabError, match=r"refused outer.*takes a map like its inner one"):
        outer[1] = kinds["nets"]
    assert Program(kinds)["outer"] is not None


def test_types_that_ctypes_lays_out_otherwise(kinds):
    kinds["bitten"][1] = b"\x0f\x01\x02\x03"
    assert kinds["bitten"][1] == b"\x0f\x01\x02\x03"
    tabled = kinds["tabled"]
    tabled[1, 2, 3, 4] = bytes(range(12))
    assert dict(tabled) == {(1, 2, 3, 4): bytes(range(12))}
    kinds["cold"][1] = {"degrees": -5, "on": 1}
    assert kinds["cold"][1] == {"degrees": -5, "on": True}
    with pytest.raises(LabError, match="a value of map cold"):
        kinds["cold"][1] = {"degrees": 700, "on": 1}
    copies = len(kinds["sums"][0])
    kinds["sums"][0] = {"by_size": [1, 2], "mac": b"\2\0\0\0\0\1"}
    assert kinds["sums"][0].sum == {"by_size": [copies, 2 * copies], "mac": b"\2\0\0\0\0\1"}
    assert "by_size" in repr(kinds["sums"])


def test_a_number_that_does_not_fit_is_refused(kinds):
    with pytest.raises(LabError, match="a value of map recent is a number of 8 bytes"):
        kinds["recent"][1] = 2**64
    kinds["recent"][1] = 2**64 - 1
    assert kinds["recent"][1] == 2**64 - 1
    with pytest.raises(LabError, match="a key of map recent is a number of 4 bytes"):
        kinds["recent"][2**32] = 1
    for act, says in (
        (lambda: kinds["recent"].update({1: -1}), "-1 is outside its range, 0 to 18,446,744,073"),
        (lambda: kinds["recent"].get(-1), "a key of map recent .* range, 0 to 4,294,967,295$"),
        (lambda: kinds["line"].push(-1), "map line is .* range, 0 to 4,294,967,295$"),
        (lambda: kinds["pile"].push((1, 2**32)), "not .*; 4294967296 is outside its range, 0 to"),
        (lambda: kinds["nets"].get({"length": -8, "address": 1}), "; -8 is outside its range, 0"),
    ):
        with pytest.raises(LabError, match=says):
            act()


def test_a_signed_number_has_its_own_range(kinds):
    kinds["cold"][1] = {"degrees": -128, "on": 0}
    for degrees in (128, 255, -129):
        with pytest.raises(LabError, match=rf"; {degrees} is outside its range, -128 to 127$"):
            kinds["cold"][1] = {"degrees": degrees, "on": 0}
    with pytest.raises(LabError, match=r"; 2 is outside its range, 0 to 1$"):
        kinds["cold"][1] = {"degrees": 1, "on": 2}


@pytest.mark.parametrize("key", [4, 99999, -1, 2**32])
@pytest.mark.parametrize("name", ["jumps", "cpus", "ports", "outer", "sums", "inner"])
def test_a_place_that_an_array_does_not_have(kinds, name, key):
    one = kinds[name]
    value = kinds["inner"] if name == "outer" else next(iter(one.values()), 1)
    for act in (lambda: one.update({key: value}), lambda: one[key], lambda: one.pop(key)):
        with pytest.raises(LabError, match=rf"{key}\]?: .* has (the|one) place"):
            act()


def test_a_map_that_is_full(kinds):
    kinds["cold"].clear()
    kinds["nets"].clear()
    kinds["cold"].update({n: (0, 0) for n in range(2)})
    kinds["nets"].update({f"192.0.2.{n}/32": n for n in range(8)})
    for name, key, value in (("cold", 2, (0, 0)), ("nets", "192.0.2.8/32", 1)):
        with pytest.raises(LabError, match=rf"^{name} is full: it has room for [28] entries; take"):
            kinds[name][key] = value
        kinds[name].popitem()
        kinds[name][key] = value


def test_a_listing_reads_a_bounded_number(kinds):
    said = repr(kinds["huge"])
    assert "100000 entries of 0" in said
    assert "the first 100,000 entries; the others were not read" in said
    assert len(kinds["huge"]) == 2_000_000


@pytest.mark.parametrize(
    ("declaration", "says"),
    [
        ("BPF_ARRAY(m, u64, 0);", "room for 0 entries"),
        ("#define NONE 0\nBPF_HASH(m, u32, u64, NONE);", "room for 0 entries"),
        ("BPF_DEVMAP(m, 0);", "room for 0 entries"),
        ("BPF_QUEUE(m, u32, 0);", "room for 0 entries"),
        ('BPF_TABLE("array", u64, u32, m, 4);', "make it a u32 or an int"),
        ('BPF_TABLE("percpu_array", u16, u32, m, 4);', "make it a u32 or an int"),
        ("BPF_RINGBUF_OUTPUT(m, 5);", "power of two"),
        ("BPF_RINGBUF_OUTPUT(m, 0);", "power of two"),
        ("BPF_RINGBUF_OUTPUT(m, 1 << 20);", "power of two"),
        ("struct v { u8 b[40000]; }; BPF_PERCPU_ARRAY(m, struct v, 1);", "per-CPU map 32 kB"),
        ("struct v { u8 b[9000000]; }; BPF_HASH(m, u32, struct v, 1);", "may have 4 MB"),
        ("BPF_LPM_TRIE(m, u32, u64, 8);", "first a u32, how many bits count"),
    ],
)
def test_a_map_that_the_kernel_refuses(declaration, says):
    with pytest.raises(BuildError, match=r"the kernel refused its map m «BPF_.*»: ") as caught:
        Program("it", f"{declaration}\nint it(struct xdp_md *ctx) {{ return XDP_PASS; }}\n")
    assert says in str(caught.value)
    assert "doctor" not in str(caught.value)


@pytest.mark.parametrize(
    "declaration",
    [
        "BPF_HASH(m, u64, u64, 4000000000);",
        "#define MILLION 1000000\nBPF_ARRAY(m, u64, (4000 * MILLION));",
        "BPF_PERCPU_HASH(m, u32, u64, 1 << 31);",
        'BPF_TABLE("lru_hash", u32, u64, m, 0xffffffff);',
        "BPF_RINGBUF_OUTPUT(m, 1 << 19);"
        if limits.memory() < 2**33
        else "BPF_HIST(m, int, 1<<31);",
        "struct v { u8 b[1000000]; }; BPF_ARRAY(m, struct v, 4000);"
        if limits.memory() < 2**34
        else "BPF_QUEUE(m, u64, 1 << 31);",
    ],
)
def test_a_map_leaves_room_for_everything_else(declaration):
    with pytest.raises(
        LabError, match=r"map m is too large: .* a quarter of this machine's memory"
    ):
        Program("it", f"{declaration}\nint it(struct xdp_md *ctx) {{ return XDP_PASS; }}\n")


def test_what_a_map_takes(kinds):
    """Against the kernel's own account, which is exact since Linux 6.4."""
    if tuple(map(int, re.findall(r"\d+", os.uname().release)[:2])) < (6, 4):
        pytest.skip("this kernel tells less")
    program = Program(
        "m",
        "struct v { u32 n[5]; };\nBPF_HASH(hash, u64, u64, 100000);\n"
        "BPF_ARRAY(array, struct v, 100000);\nBPF_PERCPU_ARRAY(copies, u64, 100000);\n"
        "BPF_PERCPU_HASH(spread, u32, u32, 50000);\nBPF_QUEUE(queue, u64, 100000);\n"
        "BPF_RINGBUF_OUTPUT(ring, 256);\nBPF_DEVMAP(ports, 10000);\n"
        "BPF_STACK_TRACE(traces, 1000);\n"
        "int m(struct xdp_md *ctx) { return XDP_PASS; }\n",
    )
    for name, one in program.maps.items():
        with open(f"/proc/self/fdinfo/{one.fd}") as told:
            (kernel,) = (int(line.split()[1]) for line in told if line.startswith("memlock"))
        plan = one._plan
        if plan.kind in PER_CPU:  # whose owners it leaves out
            kernel += 2 * plan.entries * 8
        assert limits.taken(plan) == pytest.approx(kernel, rel=0.25), name


def test_a_trie_takes_its_memory_later():
    program = Program(
        "m",
        "struct key { u32 bits, address; };\nBPF_LPM_TRIE(trie, struct key, u64, 1000000);\n"
        "int m(struct xdp_md *ctx) { return XDP_PASS; }\n",
    )
    plan = program["trie"]._plan
    assert limits.taken(plan) == 0
    assert limits.taken(plan, when_full=True) > 10**8

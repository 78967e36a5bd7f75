"""Maps as Python mappings."""

from __future__ import annotations

import copy
import re
import socket
import sys

import numpy as np
import pytest

from labsetup import ICMP, IP, Ether, LabError, Program, cpus
from labsetup.maps.values import PerCPU

SOURCE = """
struct flow { u32 address; u16 port; };
BPF_ARRAY(numbers, u32, 4);
BPF_HASH(flows, struct flow, u64);
BPF_PERCPU_HASH(copies, u32, u64);
BPF_PERCPU_ARRAY(many, u64, 256);
BPF_HASH(by_port, u16, struct flow);
struct station { u8 mac[6]; char name[8]; };
BPF_HASH(stations, struct station, u32);
struct table { u8 rows[131072]; };
BPF_ARRAY(tables, struct table, 2);
struct either { union { u8 byte[4]; u32 word; } as; u32 number; };
BPF_ARRAY(both, struct either, 1);
int maps(struct xdp_md *ctx) {
    int key = 1;
    u32 *n = numbers.lookup(&key);
    if (n) *n += 1;
    return XDP_PASS;
}
"""


@pytest.fixture
def maps():
    return Program("maps", SOURCE)


def test_an_array(maps):
    numbers = maps["numbers"]
    maps.run(Ether() / IP() / ICMP(), repeat=3)
    assert dict(numbers) == {0: 0, 1: 3, 2: 0, 3: 0}
    numbers[2] = 9
    assert numbers[2] == 9
    assert len(numbers) == 4
    numbers.clear()
    assert numbers[2] == 0
    assert repr(numbers).startswith("numbers\n  0: 0\n")


def test_a_hash_of_structs(maps):
    flows = maps["flows"]
    flows[{"address": 1, "port": 80}] = 5
    assert flows[{"address": 1, "port": 80}] == 5
    assert flows[1, 80] == 5
    assert [key["port"] for key in flows] == [80]
    del flows[1, 80]
    assert len(flows) == 0
    assert repr(flows) == "flows\n  (empty)"
    with pytest.raises(KeyError):
        flows[1, 80]
    with pytest.raises(KeyError):
        del flows[1, 80]
    maps["by_port"][7] = {"address": 3, "port": 7}
    assert maps["by_port"][7] == {"address": 3, "port": 7}


def test_bytes_in_structs(maps):
    stations = maps["stations"]
    station = {"mac": b"\x02\0\0\0\0\1", "name": b"client"}
    stations[station] = 3
    ((key, value),) = stations.items()
    assert (key["mac"], value) == (station["mac"], 3)
    assert key["name"].rstrip(b"\0") == b"client"
    assert dict(stations)[key] == stations[key] == 3
    with pytest.raises(LabError, match="'mac': 6 bytes, 'name': 8 bytes"):
        stations[{"mac": b"much too long"}]
    with pytest.raises(LabError, match="a key of map stations is"):
        stations[{"mca": b""}]
    with pytest.raises(LabError, match="a key of map stations is"):
        stations[b"client"]


@pytest.mark.parametrize("mac", [b"\x02\0\0\1", b"02:00:00:00:00:01", b"", [2, 0, 0, 1]])
def test_only_text_may_be_shorter_than_its_place(maps, mac):
    with pytest.raises(LabError, match=r"a key of map stations is \{'mac': 6 bytes, .* not"):
        maps["stations"][{"mac": mac, "name": b"client"}] = 3
    assert len(maps["stations"]) == 0


def test_a_value_as_the_bytes_it_has_in_memory(maps):
    tables, rows = maps["tables"], np.arange(65_536, dtype="<u2")
    tables[1] = rows
    assert (np.frombuffer(tables[1]["rows"], "<u2") == rows).all()
    assert tables[0]["rows"] == bytes(131_072)
    tables[0] = rows.tobytes()
    assert tables[0] == tables[1]
    assert len(repr(tables)) < 1000
    with pytest.raises(LabError, match=r"a value of map tables is .*, 131072 bytes, not 10 bytes"):
        tables[0] = rows[:5]
    with pytest.raises(LabError, match=r"a value of map tables is .* not 7"):
        tables[0] = 7
    flows = maps["flows"]
    flows[bytes([1, 0, 0, 0, 80, 0, 0, 0])] = bytes([5]) + bytes(7)
    assert flows[1, 80] == 5
    flows[1, np.uint16(81)] = np.int64(6)
    assert flows[1, 81] == 6
    maps["both"][0] = {"as": b"\1\0\0\2", "number": b"\7\0\0\0"}
    assert maps["both"][0] == {"as": b"\1\0\0\2", "number": 7}
    with pytest.raises(LabError, match="'as': 4 bytes"):
        maps["both"][0] = {"as": b"\1"}


def test_maps_that_take_long_to_read_are_not_read_at_each_run(maps):
    assert {name for name, one in maps.maps.items() if not one.is_small} >= {"tables", "flows"}
    run = maps.run(Ether() / IP() / ICMP())
    assert set(run.maps) == {"numbers[1]"}
    assert Program("icmp_count")["icmp_packets"].is_small


def test_per_cpu_copies(maps):
    copies = maps["copies"]
    copies[7] = 2
    assert copies[7].sum == 2 * len(copies[7])
    copies[7] = [1] + [0] * (len(copies[7]) - 1)
    assert copies[7].sum == 1


def test_a_per_cpu_count_is_spread_over_the_cpus_that_ran():
    program = Program("icmp_count")
    program.run(Ether() / IP() / ICMP(), repeat=1000, cpus=cpus())
    copies = program["icmp_packets"][0]
    assert [copies[cpu] for cpu in cpus()] == [1000] * len(cpus())
    assert copies.sum == 1000 * len(cpus())


def test_how_copies_show_themselves():
    assert repr(PerCPU([3, 0, 4])) == "CPU 0: 3, CPU 2: 4, the other copies: 0; sum 7"
    assert repr(PerCPU([0, 0])) == "every copy: 0; sum 0"
    assert repr(PerCPU([5])) == "CPU 0: 5; sum 5"


def test_a_key_of_the_wrong_type_is_named(maps):
    with pytest.raises(LabError, match="a key of map numbers is a number of 4 bytes, not 'one'"):
        maps["numbers"]["one"]
    with pytest.raises(LabError, match="a value of map numbers is a number of 4 bytes, not 'one'"):
        maps["numbers"][0] = "one"
    with pytest.raises(LabError, match="numbers has no entry 4"):
        maps["numbers"][4]


def test_an_ipv4_address_for_a_number_is_answered_with_how_to_write_it(maps):
    with pytest.raises(LabError) as caught:
        maps["copies"]["192.0.2.1"]
    how = str(caught.value).partition("as a program reads it: ")[2]
    assert eval(how, {"socket": socket, "sys": sys}) == int.from_bytes(
        bytes([192, 0, 2, 1]), sys.byteorder
    )
    with pytest.raises(LabError, match=r"not '192\.0\.2'$"):
        maps["copies"]["192.0.2"]


def test_a_field_of_an_entry_cannot_be_set(maps):
    by_port = maps["by_port"]
    by_port[7] = {"address": 3, "port": 7}
    with pytest.raises(LabError, match=r"assign the whole entry: .*\| {'address': …}"):
        by_port[7]["address"] = 4
    with pytest.raises(LabError, match=r"\{'port': …\}"):
        by_port[7].update(port=4)
    by_port[7] |= {"address": 4}
    by_port[7] = by_port[7] | {"port": 8}
    assert by_port[7] == {"address": 4, "port": 8}
    assert copy.deepcopy(dict(by_port)) == dict(by_port)


def test_of_many_entries_those_of_zero_are_not_listed(maps):
    many = maps["many"]
    assert repr(many) == "many\n  (256 entries of 0)"
    many[6] = 2
    assert re.fullmatch(r"many\n  6: CPU 0: 2.*\n  \(and 255 entries of 0\)", repr(many))


def test_copies_of_any_size():
    """The kernel keeps them at multiples of 8 bytes, whatever they are."""
    source = """
struct tally { u64 packets; u32 bytes; };
BPF_PERCPU_ARRAY(small, u16, 1);
BPF_PERCPU_HASH(tallies, u32, struct tally);
int a(struct xdp_md *ctx)
{
	int key = 0;
	u16 *count = small.lookup(&key);
	if (count)
		*count += 1;
	return XDP_PASS;
}
"""
    program = Program("a", source)
    program.run(Ether() / IP() / ICMP(), repeat=300)
    assert program["small"][0].sum == 300
    copies = len(program["small"][0])
    program["small"][0] = 7
    assert program["small"][0] == (7,) * copies
    tallies = program["tallies"]
    tallies[5] = {"packets": 2, "bytes": 3}
    assert tallies[5].sum == {"packets": 2 * copies, "bytes": 3 * copies}
    assert "CPU 0: {'packets': 2, 'bytes': 3}" in repr(tallies)
    with pytest.raises(LabError, match=f"a value of map small is a list of {copies} numbers"):
        program["small"][0] = [1] * (copies + 1)


def test_a_field_that_is_left_out_is_not_zero(maps):
    with pytest.raises(LabError, match="a value of map by_port is"):
        maps["by_port"][1] = {"address": 7}
    with pytest.raises(LabError, match="a key of map flows is"):
        maps["flows"][{"port": 7}] = 1

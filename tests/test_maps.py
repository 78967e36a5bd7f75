"""Maps as Python mappings."""

from __future__ import annotations

import pytest

from labsetup import ICMP, IP, Ether, LabError, Program, cpus
from labsetup.maps import PerCPU

SOURCE = """
struct flow { u32 address; u16 port; };
BPF_ARRAY(numbers, u32, 4);
BPF_HASH(flows, struct flow, u64);
BPF_PERCPU_HASH(copies, u32, u64);
BPF_HASH(by_port, u16, struct flow);
struct station { u8 mac[6]; char name[8]; };
BPF_HASH(stations, struct station, u32);
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
    with pytest.raises(LabError, match="map stations has keys"):
        stations[{"mca": b""}]
    with pytest.raises(LabError, match="map stations has keys"):
        stations[b"client"]


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
    with pytest.raises(LabError, match="map numbers has keys of type c_int"):
        maps["numbers"]["one"]
    with pytest.raises(LabError, match="map numbers has values of type c_uint"):
        maps["numbers"][0] = "one"
    with pytest.raises(LabError, match="numbers has no entry 4"):
        maps["numbers"][4]

"""lab packet on captures as they come: of other links, cut, compressed, with odd frames in them."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import signal
import struct
import subprocess
import time

import pytest
from scapy.utils import RawPcapNgWriter, rdpcap
from support.host import LAB, REPO, on_host

from labsetup import ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether, IPv6, Raw
from labsetup.errors import LabError
from labsetup.packets import fields
from labsetup.packets.captures import frames
from labsetup.packets.craft import frame

PING, QUERY = frame(IP() / ICMP()), frame(IP() / UDP(sport=9, dport=53))
SIX = frame(IPv6() / UDP(sport=9, dport=53))


def pcap(packets, link=1, order="<", magic=0xA1B2C3D4, lengths=None):
    """A capture, byte by byte: what scapy writes is what it reads."""
    text = struct.pack(order + "IHHIIII", magic, 2, 4, 0, 0, 65_535, link)
    for number, data in enumerate(packets):
        length = (lengths or {}).get(number, len(data))
        text += struct.pack(order + "IIII", number, 0, len(data), length) + data
    return text


def lab_packet(tmp_path, text, *more, program="drop_icmp", name="in.pcap"):
    path = tmp_path / name
    path.write_bytes(text)
    return on_host(LAB, "packet", program, "--pcap", path, *more)


def read(tmp_path, text):
    path = tmp_path / "in.pcap"
    said: list[str] = []
    path.write_bytes(text)
    return list(frames(path, said.append)), said


def cooked(packet):
    return b"\0\0\0\1\0\6" + packet[6:12] + b"\0\0" + packet[12:]


def cooked_2(packet):
    return packet[12:14] + b"\0\0\0\0\0\2\0\1\0\6" + packet[6:12] + b"\0\0" + packet[14:]


@pytest.mark.parametrize("kind", ["little", "big", "nano", "big nano", "gz", "pcapng", "pcapng gz"])
def test_every_form_of_file(tmp_path, kind):
    packets = [PING, QUERY, SIX]
    order = ">" if "big" in kind else "<"
    text = pcap(packets, order=order, magic=0xA1B23C4D if "nano" in kind else 0xA1B2C3D4)
    if "pcapng" in kind:
        path = tmp_path / "made"
        with RawPcapNgWriter(str(path)) as writer:
            writer.linktype = 1
            for one in packets:
                writer.write(one)
        text = path.read_bytes()
    text = gzip.compress(text) if "gz" in kind else text
    found, said = read(tmp_path, text)
    assert [one.frame for one in found] == packets
    assert [one.number for one in found] == [1, 2, 3]
    assert not said


@pytest.mark.parametrize(
    ("link", "before", "words"),
    [
        (101, lambda one: one[14:], "raw IP"),
        (12, lambda one: one[14:], "raw IP"),
        (228, lambda one: one[14:], "raw IP"),
        (0, lambda one: struct.pack("<I", 2 if one[12] == 8 else 30) + one[14:], "loopback"),
        (0, lambda one: struct.pack(">I", 2 if one[12] == 8 else 28) + one[14:], "loopback"),
        (108, lambda one: struct.pack(">I", 2 if one[12] == 8 else 24) + one[14:], "loopback"),
        (113, cooked, "SLL"),
        (276, cooked_2, "SLL2"),
    ],
)
def test_packets_without_an_ethernet_header_get_one(tmp_path, link, before, words):
    found, said = read(tmp_path, pcap([before(one) for one in (PING, QUERY, SIX)], link))
    assert [one.frame[12:] for one in found] == [one[12:] for one in (PING, QUERY, SIX)]
    if link in (113, 276):
        assert all(one.frame[6:12] == PING[6:12] for one in found)
    (sentence,) = said
    assert words in sentence
    assert "has no Ethernet headers: each packet got one" in sentence
    ran = lab_packet(tmp_path, pcap([before(one) for one in (PING, QUERY)], link))
    assert [row.split()[1] for row in ran.stdout.splitlines()] == ["XDP_DROP", "XDP_PASS"]
    assert words in ran.stderr
    assert ran.returncode == 0


@pytest.mark.parametrize("link", [105, 127, 192, 9, 195, 220, 147, 65_000])
def test_other_links_are_refused(tmp_path, link):
    said = lab_packet(tmp_path, pcap([PING], link))
    assert said.returncode == 1
    assert f"packets of link type {link}" in said.stderr
    assert "tcpdump -i eth0 -w FILE" in said.stderr
    assert said.stdout == ""


def test_a_check_sequence_is_taken_off(tmp_path):
    found, said = read(tmp_path, pcap([PING + b"\1\2\3\4"], 1 | 0x04000000 | 2 << 28))
    assert [one.frame for one in found] == [PING]
    assert "those 4 bytes were taken off" in said[0]


def test_what_is_no_packet_of_ip_is_told_and_the_rest_goes_on(tmp_path):
    said = lab_packet(tmp_path, pcap([PING[14:], b"", b"\x99" * 30, QUERY[14:]], 101))
    verdicts = [row[6:18].strip() for row in said.stdout.splitlines()]
    assert verdicts == ["XDP_DROP", "not run", "not run", "XDP_PASS"]


def test_frames_that_cannot_be_run_are_told_by_their_number(tmp_path):
    packets = [PING, b"", PING[:13], PING[:14], bytes(200_000), bytes(1514), QUERY[:60], QUERY]
    text, out = pcap(packets, lengths={6: 900}), tmp_path / "out.pcap"
    said = lab_packet(tmp_path, text, "--out", out)
    assert said.returncode == 1
    assert said.stderr.endswith("3 packets were not run; the rows of those say why\n")
    rows = said.stdout.splitlines()
    assert [int(row.split()[0]) for row in rows] == list(range(1, 9))
    not_run = [row[6:18].strip() == "not run" for row in rows]
    assert not_run == [False, True, True, False, True, False, False, False]
    assert "a frame of 13 bytes; it takes 14" in rows[2]
    assert f"{len(QUERY[:60])} of its 900 bytes are in the file" in rows[6]
    assert len(rdpcap(str(out))) == 5
    as_json = lab_packet(tmp_path, text, "--json")
    assert as_json.returncode == 1
    report = json.loads(as_json.stdout)
    assert [one["verdict"] is None for one in report["packets"]] == [
        row[6:13] == "not run" for row in rows
    ]
    assert "13 bytes" in report["packets"][2]["trouble"]


@pytest.mark.parametrize("left", [3, 16, 20, 16 + 41])
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_file_that_was_cut(tmp_path, left, more):
    text = pcap([PING, QUERY, PING])
    said = lab_packet(tmp_path, text[: len(text) - (16 + len(PING)) + left], *more)
    assert said.returncode == 1
    assert "in.pcap breaks off after packet 2: the file was cut" in said.stderr
    assert "Traceback" not in said.stderr
    if more:
        report = json.loads(said.stdout)
        assert [one["verdict"] for one in report["packets"]] == ["XDP_DROP", "XDP_PASS"]
        assert "breaks off after packet 2" in report["trouble"]
    else:
        assert [row.split()[1] for row in said.stdout.splitlines()] == ["XDP_DROP", "XDP_PASS"]


@pytest.mark.parametrize("kind", ["pcapng", "gz", "pcapng gz"])
def test_other_forms_that_were_cut(tmp_path, kind):
    text = pcap([PING] * 400)
    if "pcapng" in kind:
        with RawPcapNgWriter(str(tmp_path / "made")) as writer:
            writer.linktype = 1
            for _ in range(400):
                writer.write(PING)
        text = (tmp_path / "made").read_bytes()
    text = gzip.compress(text) if "gz" in kind else text
    with pytest.raises(LabError, match=r"breaks off after packet \d+"):
        read(tmp_path, text[: len(text) - 21])


def block(kind, body):
    body += bytes(-len(body) % 4)
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def section(link, *packets, interface=0, ticks=0):
    """A section of pcapng with one interface, of nanoseconds."""
    start = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    described = struct.pack("<HHI", link, 0, 65_535) + struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)
    text = block(0x0A0D0D0A, start) + block(1, described)
    for data in packets:
        head = (interface, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
        text += block(6, struct.pack("<5I", *head) + data)
    return text


def test_each_section_has_interfaces_of_its_own(tmp_path):
    """As in what cat makes of two files: the second was captured elsewhere."""
    found, said = read(tmp_path, section(1, PING) + section(101, PING[14:]) + section(1, QUERY))
    assert [one.frame[12:] for one in found] == [PING[12:], PING[12:], QUERY[12:]]
    assert "captured on raw IP" in said[0]


@pytest.mark.parametrize("before", [(), (PING,)])
def test_a_packet_of_no_interface_is_not_passed_over(tmp_path, before):
    text = section(1, *before) + section(1, QUERY, interface=7)
    said = lab_packet(tmp_path, text)
    assert said.returncode == 1
    assert f"is damaged: behind packet {len(before)} it has one of an interface" in said.stderr
    assert said.stdout.count("XDP_DROP") == len(before)


@pytest.mark.parametrize("kind", ["micro", "nano", "pcapng"])
def test_what_is_written_keeps_times_and_what_was_cut(tmp_path, kind):
    out, when = tmp_path / "out.pcap", 1_700_000_000_123_456_000 + 789 * (kind != "micro")
    head = when // 10**9, when % 10**9 // (1000 if kind == "micro" else 1), len(QUERY), 900
    text = pcap([], magic=0xA1B2C3D4 if kind == "micro" else 0xA1B23C4D)
    text += struct.pack("<4I", *head) + QUERY
    if kind == "pcapng":
        text = section(1, QUERY, ticks=when)
    said = lab_packet(tmp_path, text, "--out", out, "--json")
    assert said.returncode == 0, said.stderr
    (one,) = read(tmp_path, out.read_bytes())[0]
    assert (one.frame, one.time) == (QUERY, when)
    assert one.length == (len(QUERY) if kind == "pcapng" else 900)
    missing = json.loads(said.stdout)["packets"][0].get("missing", 0)
    assert missing == one.length - len(QUERY)


def test_what_cannot_be_opened_says_what_to_do(tmp_path):
    for path, words in (
        (tmp_path / "none", "none cannot be read as a pcap file: No such file or directory; check"),
        (tmp_path, "Is a directory; check the path"),
    ):
        said = on_host(LAB, "packet", "drop_icmp", "--pcap", path)
        assert said.returncode == 1
        assert words in said.stderr
        assert "Errno" not in said.stderr
    said = lab_packet(tmp_path, lzma.compress(pcap([PING])), name="in.pcap.xz")
    assert f"only gzip is read; type: xz -d {tmp_path}/in.pcap.xz" in said.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "cannot be read as a pcap file"),
        (b"\xd4\xc3\xb2\xa1\2\0", "cannot be read as a pcap file"),
        (b"GET / HTTP/1.1\r\n" * 9, "cannot be read as a pcap file"),
        (gzip.compress(b"no capture, but compressed", mtime=0), "cannot be read as a pcap file"),
    ],
)
def test_what_is_no_capture(tmp_path, text, words):
    said = lab_packet(tmp_path, text)
    assert (said.returncode, said.stdout) == (1, "")
    assert words in said.stderr
    assert "Traceback" not in said.stderr


def test_a_capture_of_nothing(tmp_path):
    said = lab_packet(tmp_path, pcap([]))
    assert (said.returncode, said.stdout) == (0, "")
    assert "in.pcap has no packets" in said.stderr
    assert json.loads(lab_packet(tmp_path, pcap([]), "--json").stdout)["packets"] == []


def test_it_does_not_write_over_what_it_reads(tmp_path):
    path = tmp_path / "in.pcap"
    said = lab_packet(tmp_path, pcap([PING]), "--out", path)
    assert said.returncode == 1
    assert "is what is being read; give --out another name" in said.stderr
    assert path.read_bytes() == pcap([PING])
    said = lab_packet(tmp_path, pcap([PING]), "--out", tmp_path / "no" / "out.pcap")
    assert (said.returncode, said.stdout) == (1, "")
    assert "cannot be written" in said.stderr


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_rows_come_as_they_are_made(tmp_path, more):
    """The file is a pipe into which nothing more is written: what was there has been told."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = [LAB, "packet", "drop_icmp", "--pcap", pipe, *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPO) as running:
        with pipe.open("wb", buffering=0) as feed:
            feed.write(pcap([PING] * 400))
            assert running.stdout is not None
            seen = ""
            limit = time.monotonic() + 60
            while seen.count("XDP_DROP") < 100 and time.monotonic() < limit:
                seen += running.stdout.readline()
        assert seen.count("XDP_DROP") == 100
        running.stdout.read()
    assert running.returncode == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_half_a_file_is_not_left(tmp_path, number):
    pipe, out = tmp_path / "pipe", tmp_path / "out.pcap"
    os.mkfifo(pipe)
    command = [LAB, "packet", "drop_icmp", "--pcap", pipe, "--out", out]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPO) as running,
        pipe.open("wb", buffering=0) as feed,
    ):
        feed.write(pcap([PING] * 400))
        assert running.stdout is not None
        assert "XDP_DROP" in running.stdout.readline()
        assert out.exists()
        running.send_signal(number)
        running.stdout.read()
        running.wait()
    assert running.returncode == 128 + number and not out.exists()


PACKETS = [
    Ether() / IP(src="192.0.2.7") / TCP(options=[("MSS", 3)]) / b"x",
    Ether() / Dot1Q(vlan=4) / IP() / UDP(sport=4) / bytes(77),
    Ether() / IP(options=b"\x94\x04\0\0") / ICMP(type=3, code=4) / IP() / UDP() / b"abcd",
    Ether() / IPv6() / TCP(),
    Ether() / IP(flags="MF") / UDP() / b"hello",
    Ether() / IP() / UDP(chksum=0) / b"hello",
    Ether() / ARP(),
]


@pytest.mark.parametrize("number", range(len(PACKETS)))
def test_checksums_are_what_scapy_makes_them(number, monkeypatch):
    raw = bytes(PACKETS[number]) + bytes(5 * (number % 2))
    for at in range(14, len(raw) - 2, 3):
        if 47 <= at < 60 and number == 0:
            continue  # scapy writes a broken TCP option as another one
        bad = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        quick = [repr(one) for one in fields.fields_of(raw, bad)]
        with monkeypatch.context() as patched:
            patched.setattr(fields, "_sums_up", lambda layer: None)
            assert quick == [repr(one) for one in fields.fields_of(raw, bad)]
        found = [repr(one) for one in fields.changes_of(raw, bad)]
        assert found == [repr(one) for one in fields.fields_of(raw, bad) if one.changed]


def test_changes_of_the_addresses_alone():
    raw = frame(Ether() / IP() / Raw(b"x"))
    turned = raw[6:12] + raw[:6] + raw[12:]
    assert [one.name for one in fields.changes_of(raw, turned)] == ["dst", "src"]
    assert fields.changes_of(raw, raw) == []
    assert fields.changes_of(raw[:14], turned[:14])

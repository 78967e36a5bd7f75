"""The balancer that runs without the lab: its file, its unit, its table, and its own C."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from support.service import FOLDER

GOOD = """
interface = "eth0"
[[service]]
vip = "198.51.100.10"
port = 80
[service.servers]
s1 = { address = "192.0.2.11" }
"""
WRONG = {
    "": "has no service; add service = …",
    "interface = 1": "is no TOML: Cannot overwrite",
    'interfaces = "eth0"': "'interfaces', which means nothing here",
    "interval = 0.001": "interval in .* is from 0.05 to 3600, and not 0.001",
    "interval = true": "interval in .* is a number, and not True",
    "panic = 2": "panic in .* is from 0 to 1, and not 2",
    'metrics = "9435"': "metrics in .* is ADDRESS:PORT, and not '9435'",
}
CHANGED = {
    ("port = 80", "port = 70000"): "port in service 1 of .* is from 1 to 65535, and not 70000",
    ("port = 80", 'port = "80"'): "port in service 1 of .* is a whole number, and not '80'",
    ("port = 80", 'port = 80\nprotocol = "sctp"'): '"tcp" or "udp", and not \'sctp\'',
    ("port = 80", 'port = 80\nprobe = "ping"'): '"http:80/path" or "none": not \'ping\'',
    ("198.51.100.10", "example.org"): "vip in service 1 of .* is an IP address, and not 'exam",
    ("198.51.100.10", "224.0.0.1"): "vip in .* is an address that packets come to: not '224",
    ("198.51.100.10", "0.0.0.0"): "vip in .* is an address that packets come to: not '0.0",
    ("192.0.2.11", "127.0.0.1"): "address in .* is an address that packets come to: not '127",
    ("192.0.2.11", "192.0.2.256"): "address in server s1 of service 1 of .* is an IP address",
    ('"192.0.2.11"', '"192.0.2.11", weight = -1'): "weight in server s1 .* is from 0 to 1e",
    ('"192.0.2.11"', '"192.0.2.11", mac = "02:00"'): "mac in server s1 .* not '02:00'",
    ('"192.0.2.11"', '"2001:db8::11"'): "server s1 .* has an IPv6 address, so add mac = …",
    ('"192.0.2.11"', '"192.0.2.11", wieght = 1'): "server s1 .* has 'wieght', which means nothing",
    ("s1 = {", 's2 = { address = "192.0.2.11" }\ns1 = {'): "each with an address of its own",
    ("[[service]]", GOOD.partition('"eth0"')[2] + "[[service]]"): "at most 63 services, each once",
}


@pytest.fixture(scope="module")
def settings() -> Iterator[ModuleType]:
    sys.path.append(str(FOLDER))
    import settings

    yield settings
    sys.path.remove(str(FOLDER))


@pytest.mark.parametrize("added, said", WRONG.items())
def test_what_the_file_may_not_say(
    settings: ModuleType, tmp_path: Path, added: str, said: str
) -> None:
    file = tmp_path / "balancer.toml"
    file.write_text(added + GOOD if added else 'interface = "eth0"')
    with pytest.raises(settings.Mistake, match=said):
        settings.read(str(file))


@pytest.mark.parametrize("change, said", CHANGED.items())
def test_what_a_service_may_not_say(
    settings: ModuleType, tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    file = tmp_path / "balancer.toml"
    file.write_text(GOOD)
    settings.read(str(file))
    file.write_text(GOOD.replace(*change))
    with pytest.raises(settings.Mistake, match=said):
        settings.read(str(file))


def test_the_example_is_right_and_another_file_is_not_there(settings: ModuleType) -> None:
    found = settings.read(str(FOLDER / "balancer.toml"))
    assert [one.name for one in found.services] == ["198.51.100.10:80/tcp"]
    with pytest.raises(settings.Mistake, match="cannot be read: No such file"):
        settings.read("/nowhere/balancer.toml")


def test_what_libbpf_refuses_is_told_in_words(
    settings: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    balancer, bpf = importlib.import_module("balancer"), importlib.import_module("bpf")
    file = tmp_path / "balancer.bpf.o"
    file.write_text("no object")
    monkeypatch.setattr(balancer, "OBJECT", str(file))
    with pytest.raises(OSError) as refused:
        bpf.load(str(file), "balancer", str(tmp_path))
    words = f"{file}: BPF object format invalid; type: make -B -C {tmp_path}"
    assert balancer.sentence(refused.value) == words
    with pytest.raises(OSError) as refused:
        bpf.pinned(f"{tmp_path}/none")
    assert balancer.sentence(refused.value) == f"{tmp_path}/none: No such file or directory"


def test_shares_are_weights_and_rows_move_only_where_they_must(settings: ModuleType) -> None:
    from plane import ROWS, rows

    alike = tuple((place, bytes([place]) * 16, 1.0) for place in range(1, 6))
    before = rows(alike)
    assert len(before) == ROWS and set(before) == {1, 2, 3, 4, 5}
    assert all(abs(before.count(place) / ROWS - 1 / 5) < 0.015 for place in range(1, 6))
    heavier = rows((*alike[:4], (5, alike[4][1], 4.0)))
    assert abs(heavier.count(5) / ROWS - 1 / 2) < 0.015
    assert {now for was, now in zip(before, heavier, strict=True) if was != now} == {5}
    without = rows(alike[:4])
    assert {was for was, now in zip(before, without, strict=True) if was != now} == {5}
    assert rows(()) == bytes(ROWS)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "xdp-balancer.service"
    text = (FOLDER / "xdp-balancer.service").read_text()
    for mistake in (False, True):
        unit.write_text(text.replace("RestrictRealtime", "RestrictUnreal") if mistake else text)
        run = subprocess.run(
            ["systemd-analyze", "verify", str(unit)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        said = [line for line in run.stderr.splitlines() if str(unit) in line]
        assert bool(said) == mistake, said
    words = dict(line.split("=", 1) for line in text.splitlines() if "Capabilit" in line)
    assert set(words.values()) == {"CAP_BPF CAP_NET_ADMIN"} and len(words) == 2


def test_the_same_numbers_stand_in_c_and_python(settings: ModuleType) -> None:
    import plane

    text = (FOLDER / "maps.h").read_text()
    for name in ("ROWS", "SERVERS"):
        assert f"#define {name} {getattr(plane, name)} " in text

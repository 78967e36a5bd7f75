"""labsetup/lab: what it prints, writes and returns."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import tomllib
from itertools import islice

import nbformat
import pytest
from scapy.utils import rdpcap, wrpcap
from support.host import LAB, REPO, on_host
from support.kernels import Kernel, processes_of

from labsetup import ARP, ICMP, IP, TCP, Ether, LabError
from labsetup.command import main, notebooks, testing
from labsetup.command.doctor import Report, examine
from labsetup.packets.craft import frame
from labsetup.terminals.running import running


def lab(*arguments):
    return on_host(LAB, *arguments)


def test_without_a_verb_it_says_what_there_is():
    said = lab()
    assert said.returncode == 0
    for verb in ("start", "test", "run", "shell", "packet", "export", "check", "site", "doctor"):
        assert re.search(rf"^  {verb}\b", said.stdout, re.MULTILINE)
        helped = lab(verb, "--help")
        assert helped.returncode == 0
        assert helped.stdout.startswith(f"usage: labsetup/lab {verb}"), helped


@pytest.mark.parametrize(("which", "names"), [("0", ["00"]), ("4", ["04"]), ("02-d", ["02"])])
def test_run_takes_one_number_for_one_notebook(which, names, monkeypatch):
    ran = []

    def run(path, *_):
        ran.append(path.name[:2])
        return {"ok": True, "seconds": 0}

    monkeypatch.setattr(notebooks, "_run_notebook", run)
    monkeypatch.setenv("XDG_STATE_HOME", "")  # which run sets
    assert notebooks.run(argparse.Namespace(which=which, store=False, json=False)) == 0
    assert ran == names


def test_who_is_not_root_is_told_what_to_type(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 65534)
    monkeypatch.setattr("labsetup.network.lifetime.end_at_signals", lambda: None)
    with pytest.raises(LabError, match=r"type: sudo labsetup/lab export 'my prog.c' out$"):
        main._do(["export", "my prog.c", "out"])


def test_an_unknown_verb_fails():
    said = lab("strat")
    assert said.returncode == 1
    assert "there is no verb strat" in said.stderr
    assert said.stdout == ""


@pytest.mark.parametrize("killed", ["not alone", "alone"])
def test_tests_that_were_killed_are_no_success(monkeypatch, killed):
    def run(command, check):
        status = -9 if "-m" in command and killed in command else 0
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr("labsetup.command.testing.subprocess.run", run)
    assert testing.run_tests([]) == 1


def test_doctor():
    said = lab("doctor", "--json")
    report = json.loads(said.stdout)
    assert said.returncode == 0
    assert report["ok"] is True
    assert {"name", "ok", "needed", "detail", "mend"} == set(report["checks"][0])
    names = {check["name"] for check in report["checks"]}
    assert {"root", "BCC", "kernel headers", "native XDP on veth", "fentry", "memory"} <= names
    assert all(check["ok"] for check in report["checks"] if check["needed"])
    assert "This machine is ready" in lab("doctor").stdout


def test_doctor_without_root_says_so(monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    report = Report(islice(examine(), 2))
    assert not report.ok
    assert "MISSING  root" in repr(report)
    assert "type: sudo labsetup/lab doctor" in repr(report)


def test_packet(tmp_path):
    capture = tmp_path / "in.pcap"
    wrpcap(str(capture), [Ether(frame(p)) for p in (IP() / ICMP(), ARP(), IP() / TCP())])
    out = tmp_path / "out.pcap"
    said = lab("packet", "icmp_count", "--pcap", capture, "--out", out, "--json")
    report = json.loads(said.stdout)
    assert said.returncode == 0
    assert [packet["verdict"] for packet in report["packets"]] == ["XDP_PASS"] * 3
    assert bytes.fromhex(report["packets"][0]["out"]) == frame(IP() / ICMP())
    copies = report["maps"]["icmp_packets"]["0"]
    assert copies["sum"] == sum(copies["copies"]) == 1
    assert [bytes(p) for p in rdpcap(str(out))] == [bytes(p) for p in rdpcap(str(capture))]
    read_back = subprocess.run(["tcpdump", "-nr", out], capture_output=True, text=True, check=True)
    assert "ICMP echo request" in read_back.stdout
    plain = lab("packet", "drop_icmp", "--pcap", capture)
    verdicts = [line.split()[1] for line in plain.stdout.splitlines()]
    assert verdicts == ["XDP_DROP", "XDP_PASS", "XDP_PASS"]
    shown = lab("packet", "icmp_count", "--pcap", capture, "--map", "icmp_packets").stdout
    assert "icmp_packets\n  0: CPU" in shown


@pytest.mark.parametrize("name", ["capture", "dns_block", "echo_reply", "mac_swap", "redirect"])
def test_packet_runs_every_kind_of_program(tmp_path, name):
    packets, out = tmp_path / "in.pcap", tmp_path / "out.pcap"
    wrpcap(str(packets), [Ether(frame(IP() / ICMP(id=7) / b"hello"))])
    report = json.loads(lab("packet", name, "--pcap", packets, "--out", out, "--json").stdout)
    (after,) = rdpcap(str(out))
    assert bytes(after).hex() == report["packets"][0]["out"]
    assert (after[Ether].dst == "02:00:00:00:01:00") is (name in ("mac_swap", "echo_reply"))


def test_packet_takes_a_file_of_the_reader(tmp_path):
    capture, program = tmp_path / "in.pcap", tmp_path / "tx.c"
    wrpcap(str(capture), [Ether(frame(IP() / ICMP()))])
    program.write_text("int tx(struct xdp_md *ctx) { return XDP_TX; }")
    report = json.loads(lab("packet", program, "--pcap", capture, "--json").stdout)
    assert report["packets"][0]["verdict"] == "XDP_TX"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("packet", "xdp_pass", "--pcap", "a", "--pcap", "b"), "--pcap is given twice"),
        (("packet", "xdp_pass", "--pcap", "a", "--", "b"), "packet takes nothing behind --"),
        (("doctor", "--", "--json"), "doctor takes nothing behind --; leave out: -- --json"),
        (("test", "--minutes", "5"), "--minutes is for --vm"),
        (("test", "--vm", "--", "-x"), "--vm takes no options of pytest's"),
    ],
)
def test_what_contradicts_itself_is_refused(arguments, sentence):
    said = lab(*arguments)
    assert (said.returncode, said.stdout) == (2, "")
    assert sentence in said.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("packet", "nonsense", "--pcap", "x"), "bpf/ has no program 'nonsense'"),
        (("packet", "xdp_pass", "--pcap", "nowhere.pcap"), "cannot be read as a pcap file"),
        (("packet", "xdp_pass", "--pcap", "README.md"), "cannot be read as a pcap file"),
        (("packet", "xdp_pass", "--pcap", "x", "--map", "m"), "has no map 'm'"),
        (("run", "99"), "no notebook begins with '99'; there are: 00-start-here"),
        pytest.param(
            ("shell", "client"), "no notebook of the lab is running", marks=pytest.mark.alone
        ),
    ],
)
def test_each_mistake_gets_a_sentence_and_a_status(arguments, sentence):
    said = lab(*arguments)
    assert said.returncode == 1
    assert sentence in said.stderr
    assert "Traceback" not in said.stderr
    assert said.stdout == ""


def test_run():
    said = lab("run", "00", "--json")
    report = json.loads(said.stdout)
    assert said.returncode == 0
    (notebook,) = report["notebooks"]
    assert notebook["name"] == "00-start-here"
    assert notebook["ok"] is True
    assert notebook["failed"] == []
    assert notebook["cells"] > 3


def test_run_stores_outputs_when_all_is_well(tmp_path):
    path, cells = tmp_path / "99-mine.ipynb", nbformat.v4.new_code_cell
    slider = "import ipywidgets, IPython.display\nIPython.display.display(ipywidgets.IntSlider())"
    lines = "for line in range(3): print(line, flush=True)"
    mine = nbformat.v4.new_notebook(cells=[cells("6 * 7"), cells(slider), cells(lines)])
    nbformat.write(mine, path)
    (tmp_path / "copy").mkdir()
    assert notebooks._run_notebook(path, tmp_path / "copy", store=True)["ok"]
    stored = nbformat.read(path, as_version=4)
    (number,), (widget,), (printed,) = [cell.outputs for cell in stored.cells]
    assert [cell.execution_count for cell in stored.cells] == [1, 2, 3]
    assert (number.data, list(widget.data)) == ({"text/plain": "42"}, ["text/plain"])
    assert printed.text == "0\n1\n2\n"
    assert stored.metadata == mine.metadata
    stored.cells[0].source = "6 * nobody"
    nbformat.write(stored, path)
    before = path.read_text()
    assert not notebooks._run_notebook(path, tmp_path / "copy", store=True)["ok"]
    assert path.read_text() == before


def test_shell():
    kernel = Kernel()
    (program,) = [one.pid for one in running() if one.pid in processes_of(kernel.pid)]

    def shell(*arguments, **options):
        return on_host(LAB, "shell", "--notebook", str(program), *arguments, **options)

    try:
        assert "has no host client; its hosts: none yet" in shell("client").stderr
        kernel.run("from labsetup import *; net = two_hosts()")
        said = shell("client", "--", "ip", "-brief", "address", "show", "eth0")
        assert said.returncode == 0
        assert "192.0.2.1/24" in said.stdout
        assert shell("--", "ip", "netns", "list").stdout.split() == ["server", "client"]
        assert shell("client", "--", "false").returncode == 1
        assert "cannot be run: No such file" in shell("client", "--", "fasle").stderr
        assert "its hosts: client, server" in shell("clinet").stderr
        typed = shell("server", input="hostname -I; pwd; exit 3\n")
        assert typed.returncode == 3
        assert "192.0.2.2" in typed.stdout
        assert str(REPO) in typed.stdout
        other = Kernel()
        try:
            other.run("from labsetup import *; net = two_hosts()")
            assert "say which with --notebook" in lab("shell", "client", "--", "true").stderr
        finally:
            other.close()
    finally:
        kernel.close()


def test_one_list_of_pinned_dependencies():
    lines = (REPO / "labsetup" / "requirements.txt").read_text().replace("\\\n", "").splitlines()
    pinned = {}
    for line in lines:
        if line.startswith("#"):
            continue
        pin, hashes = (
            r"([a-z0-9_.-]+)(?:\[[a-z,-]+\])?==([\w.]+)",
            r"( +--hash=sha256:[0-9a-f]{64})",
        )
        found = re.fullmatch(rf"{pin}(?: ; \S.*?)?({hashes}+)", line)
        assert found, line
        pinned[found[1]] = found[3].split()
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    assert {one.partition("<")[0] for one in project["dependencies"]} <= pinned.keys()
    assert "bcc" not in pinned
    assert len(pinned["numpy"]) > 20  # of each Python and each machine
    # Conda gets the same from labsetup/lab, as every environment does.
    assert "dependencies: [python=3.12, pip]" in (REPO / "environment.yml").read_text()

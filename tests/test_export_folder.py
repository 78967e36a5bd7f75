"""What export writes, where, and what it refuses: the folder and the command."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from support.host import LAB, REPO, on_host

from labsetup import LabError, Program
from labsetup.exporting import trial
from labsetup.exporting.folder import export

BPF = REPO / "bpf"
PROGRAMS = sorted(one.stem for one in BPF.glob("*.c") if "struct xdp_md" in one.read_text())


def test_nothing_is_overwritten(tmp_path):
    folder = tmp_path / "out"
    program = Program("xdp_pass")
    assert "next: make -C" in repr(program.export(folder))
    assert program.export(str(folder)).ok  # the same once more does no harm
    (folder / "Makefile").write_text("mine\n")
    for other in ("xdp_pass", "xdp_drop"):
        with pytest.raises(LabError, match="says something else; nothing was written: name anoth"):
            Program(other).export(folder)
    assert (folder / "Makefile").read_text() == "mine\n"
    assert not (folder / "xdp_drop.bpf.c").exists()
    for nowhere in ("/proc/nowhere", "/dev/null", f"{folder}/Makefile/below"):
        with pytest.raises(LabError, match=r"cannot be written: .*; name another folder"):
            program.export(nowhere)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "README.md").symlink_to(tmp_path / "target")
    with pytest.raises(LabError, match="is there already"):
        program.export(tmp_path / "linked")
    assert not (tmp_path / "target").exists()


def test_of_what_cannot_be_written_nothing_is_left(tmp_path):
    """Else the next attempt finds half a file that says something else."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "none", tmp_path], check=True)
    try:
        with pytest.raises(LabError, match="No space left on device; name another folder"):
            Program("lb_table").export(tmp_path / "a" / "b")
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", tmp_path], check=True)


def test_a_name_that_is_no_text_and_a_pipe(tmp_path):
    source = "int f(struct xdp_md *ctx) { return XDP_DROP; }\n"
    odd = os.fsencode(tmp_path) + b"/\xff.c"
    Path(os.fsdecode(odd)).write_text(source)
    said = on_host(LAB, "export", os.fsdecode(odd), tmp_path / "out")
    assert said.returncode == 0, said.stderr
    assert r"\udcff.c" in (tmp_path / "out" / "README.md").read_text()
    said = on_host(LAB, "export", "/dev/stdin", tmp_path / "piped", input=source)
    assert said.returncode == 0, said.stderr
    assert "return XDP_DROP" in (tmp_path / "piped" / "stdin.bpf.c").read_text()
    said = on_host(LAB, "export", "/dev/null", tmp_path / "nothing")
    assert "/dev/null is no file with C; name one" in said.stderr


def test_a_tilde_is_the_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    Program("xdp_pass").export("~/mine")
    assert (tmp_path / "mine" / "xdp_pass.bpf.c").exists()


def test_what_root_writes_in_a_users_folder_is_theirs(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    Program("xdp_pass").export(home / "a" / "b")
    every = [one for one in home.rglob("*")]
    assert len(every) == 5
    assert {one.stat().st_uid for one in every} == {65534}


@pytest.mark.parametrize(("what", "package"), [("CLANG", "clang"), ("HEADERS", "libbpf-dev")])
def test_where_nothing_can_be_tried_it_is_written_all_the_same(
    what, package, tmp_path, monkeypatch
):
    monkeypatch.setattr(trial, what, tmp_path / "none")
    with pytest.raises(LabError, match=rf"is written, and not tried: .*apt-get install {package}$"):
        Program("xdp_pass").export(tmp_path / "out")
    assert (tmp_path / "out" / "xdp_pass.bpf.c").exists()


def test_the_command(tmp_path):
    said = on_host(LAB, "export", "lb_table", tmp_path / "lb")
    assert said.returncode == 0, said.stderr
    assert said.stdout == (
        f"lb_table.bpf.c, Makefile, README.md in {tmp_path}/lb; clang alone compiles it.\n"
        f"next: make -C {tmp_path}/lb\n"
    )
    odd = tmp_path / "my prog;1.c"
    odd.write_text("int count(struct xdp_md *ctx) { return XDP_DROP; }\n")
    said = on_host(LAB, "export", odd, tmp_path / "odd folder")
    assert said.returncode == 0, said.stderr
    assert f"next: make -C '{tmp_path}/odd folder'" in said.stdout
    assert (tmp_path / "odd folder" / "count.bpf.c").exists()


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (None, "there is no file"),
        ("int x;", "none has no function that XDP can call; write one that begins int none("),
        ("int f(struct xdp_md *ctx) { return y; }", "error: use of undeclared identifier 'y'"),
        ("BPF_STACK_TRACE(t, 1);", "line 1, «BPF_STACK_TRACE(t, 1);», cannot be exported"),
    ],
)
def test_what_the_command_cannot_do(source, sentence, tmp_path):
    path = tmp_path / "none.c"
    if source is not None:
        path.write_text(source)
    said = on_host(LAB, "export", path, tmp_path / "out")
    assert said.returncode == 1
    assert sentence in said.stdout + said.stderr
    assert "Traceback" not in said.stderr


def test_the_commands_usage(tmp_path):
    assert on_host(LAB, "export").returncode == 2
    said = on_host(LAB, "export", "nonsense", tmp_path)
    assert said.returncode == 1
    assert "bpf/ has no program 'nonsense'; it has: " in said.stderr
    for name in ("exceptions", "redirect_err", "devmap_xmit", "printed"):
        said = on_host(LAB, "export", name, tmp_path)
        assert "at a tracepoint and not on a packet" in said.stderr
    said = on_host(LAB, "export", "xdp_pass", "/proc/x")
    assert "/proc/x cannot be written" in said.stderr


def test_strangers_c_reads_nothing(tmp_path):
    source = '#define THAT "/etc/passwd"\n#include THAT\nint f(struct xdp_md *ctx) { return 1; }\n'
    made = export("f", source, Path(tmp_path))
    assert not made.ok
    assert "'/etc/passwd' file not found" in made.said


def test_variables_are_told_and_the_commands_that_set_them_work(tmp_path):
    source = """#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
const volatile __u32 longest = 1000;
int limit = 5, other = 7;
__u64 seen;
SEC("xdp")
int kept(struct xdp_md *ctx)
{
	seen += ctx->data_end - ctx->data > longest;
	return limit > 4 && other ? XDP_PASS : XDP_DROP;
}
char LICENSE[] SEC("license") = "GPL";
"""
    made = export("kept", source, tmp_path / "kept")
    text = (tmp_path / "kept" / "README.md").read_text()
    assert "| `limit` | `kept.data` |" in text and "| `seen` | `kept.bss` |" in text
    assert "`longest`: fixed as soon as the program is loaded" in text
    subprocess.run(["make", "-sC", made.folder], check=True)
    pin = "/sys/fs/bpf/kept-here"
    subprocess.run(["bpftool", "prog", "load", made.folder / "kept.bpf.o", pin], check=True)
    try:
        (update,) = (
            line.removeprefix("sudo ")
            for line in text.splitlines()
            if "map update name kept.data" in line
        )
        subprocess.run(update.replace(" 05 00 00 00", " 09 00 00 00", 1).split(), check=True)
        dump = ["bpftool", "map", "dump", "name", "kept.data"]
        shown = subprocess.run(dump, capture_output=True, text=True, check=True).stdout
        assert '"limit": 9' in shown and '"other": 7' in shown
    finally:
        Path(pin).unlink()

"""C that would act on more than packets: it is refused in words, and nothing of it is loaded."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import pytest
from support.host import REPO, Host, on_host
from support.replies import said

from labsetup import ICMP, IP, Ether, Program, jail
from labsetup.compiling.bcc import Whose
from labsetup.network.session import current
from labsetup.practice.exercise import find
from labsetup.practice.judge import judge
from labsetup.programs.build import BuildError, VerifierError

BODY = "int mine(struct xdp_md *ctx) { return XDP_PASS; }\n"
PROBES = {
    "a raw tracepoint": "RAW_TRACEPOINT_PROBE(sys_enter) { bpf_send_signal(9); return 0; }",
    "a tracepoint": "TRACEPOINT_PROBE(xdp, xdp_exception) { return 0; }",
    "a kprobe": "int kprobe__do_nanosleep(void *ctx) { bpf_send_signal(9); return 0; }",
    "a kretprobe": "int kretprobe__do_nanosleep(void *ctx) { return 0; }",
    "a kfunc": "KFUNC_PROBE(do_nanosleep) { return 0; }",
    "a security hook": "LSM_PROBE(bpf, int cmd) { return -1; }",
    "one by its name": "int raw_tracepoint__sys_enter(void *ctx) { return 0; }",
}
CALLS = {
    "a signal": "bpf_send_signal(9)",
    "a signal to a thread": "bpf_send_signal_thread(9)",
    "memory of a process": 'bpf_probe_write_user((void *)8, "x", 1)',
    "a function's result": "bpf_override_return((void *)ctx, 0)",
    "a signal by its number": "((long (*)(int))109)(9)",
    "a system call": "((long (*)(int, void *, int))166)(0, ctx, 0)",
    "a descriptor closed": "((long (*)(int))168)(3)",
    "who is running": "bpf_get_current_pid_tgid()",
    "whose it is": "bpf_get_current_uid_gid()",
    "its task": "bpf_get_current_task()",
    "its task, with types": "((long (*)(void))158)()",
    "its registers": "((long (*)(void *))175)(ctx)",
    "its group": "bpf_get_current_cgroup_id()",
    "its name": "({ char name[16] = {}; bpf_get_current_comm(name, 16); name[0]; })",
    "kernel memory": "({ u64 x = 0; bpf_probe_read_kernel(&x, 8, (void *)8); x; })",
    "kernel text": "({ u64 x = 0; bpf_probe_read_kernel_str(&x, 8, (void *)8); x; })",
    "user memory": "({ u64 x = 0; bpf_probe_read_user(&x, 8, (void *)8); x; })",
    "user text": "({ u64 x = 0; bpf_probe_read_user_str(&x, 8, (void *)8); x; })",
    "either": "({ u64 x = 0; bpf_probe_read(&x, 8, (void *)8); x; })",
    "a symbol's address": '({ u64 x; ((long (*)(void *, int, int, void *))179)("a", 2, 0, &x); })',
    "the kernel's types": '((long (*)(void *, int, int, int))167)("a", 2, 4, 0)',
    "a loop of millions": "((long (*)(u32, void *, void *, u64))181)(1 << 23, 0, 0, 0)",
    "a timer": "((long (*)(void *, u64, u64))171)(ctx, 1, 0)",
    "a macro that hides it": "GLUE(bpf_send, _signal)(9)",
    "an instruction": '({ asm volatile("r1 = 9\\ncall 109"); 1; })',
    "bytes of an instruction": '({ asm volatile(".8byte 0x6d00000085"); 1; })',
    "a kernel function by its type": '({ asm volatile(".8byte 0x100002085"); 1; })',
    "a number that none has": "((long (*)(int))999)(9)",
}
REACHES = {  # what clang may be asked to read; the words of its reply
    "the passwords": '#include "/etc/passwd"',
    "the shadow file": "#include </etc/shadow>",
    "this process": '#include "/proc/self/environ"',
    "a device without end": '#include "/dev/zero"',
    "a terminal": '#include "/dev/tty"',
    "the solution": '#include "../labsetup/lessons/lesson_02_drop/ex_2_1_no_arp/solution.c"',
    "the solution by its path": f'#include "{REPO}/labsetup/lessons/lesson_02_drop"',
    "a notebook": f'#include "{REPO}/notebooks/02-drop.ipynb"',
    "the next one": "#include_next </etc/passwd>",
    "a macro's file": '#define THAT "/etc/passwd"\n#include THAT',
    "by the assembler": 'asm(".incbin \\"/etc/passwd\\"");',
    "by the assembler, as text": 'asm(".include \\"/etc/passwd\\"");',
    "a module": "#pragma clang module import passwd\n#error none",
}
SEES = ["/etc/shadow", "/etc/hostname", "/proc/version", "/root/.profile", "/dev/null", "/run",
        f"{REPO}/README.md", f"{REPO}/labsetup/lessons/offload.py"]  # fmt: skip
CRASHES = {
    "clang's own crash": "#pragma clang __debug crash",
    "a fatal error of LLVM's": "#pragma clang __debug llvm_fatal_error",
    "a crash of its parser": "#pragma clang __debug parser_crash",
    "memory without end": (
        "#define A(x) x x x x x x x x x x\n"
        "int grow(void) { int i = 0; A(A(A(A(A(A(A(A(A(i++;))))))))) return i; }"
    ),
    "an array of everything": "char all[1ull << 62];",
    "a type without end": "struct s { struct s s; };",
    "a thousand brackets": f"int deep = {'(' * 1_000}0{')' * 1_000};",
    "itself": '#include "/virtual/main.c"',
    "counting up": "#define __COUNT(x) x\n#include __FILE__",
}
HARMLESS = {  # right with or without it
    "a probe by its section": '__attribute__((section("kprobe/do_nanosleep"))) int p(void *c);',
    "a constructor": "__attribute__((constructor)) void before(void) { *(volatile int *)8 = 1; }",
    "an ifunc": "__attribute__((used)) static int mine_too(void) { return 0; }",
    "a public map": 'BPF_TABLE_PUBLIC("array", u32, u64, shared_by_all, 1);',
    "a shared map": 'BPF_TABLE_SHARED("array", u32, u64, shared_by_some, 1);',
    "a pinned map": 'BPF_TABLE_PINNED("array", u32, u64, kept, 1, "/sys/fs/bpf/kept");',
    "stack traces": "BPF_STACK_TRACE(traces, 16);",
    "counters of the CPU": "BPF_PERF_ARRAY(counters, 4);",
    "programs to call": "BPF_PROG_ARRAY(others, 4);",
    "interfaces to send to": "BPF_DEVMAP(ports, 4);",
    "CPUs to send to": "BPF_CPUMAP(cpus, 4);",
    "sockets": "BPF_XSKMAP(sockets, 4);",
    "a licence of its own": "#define BPF_LICENSE Mine\n",
    "another name for a line": '#line 1 "/etc/shadow"',
    "a weak symbol": "__attribute__((weak)) int bpf_send(void);",
    "a pragma": "#pragma GCC poison nothing",
}


@pytest.mark.parametrize("kind", PROBES)
def test_a_probe_is_refused(kind):
    with pytest.raises(BuildError) as caught:
        Program("mine", f"{PROBES[kind]}\n{BODY}")
    # Where this kernel lacks the tracepoint or its format, clang stops before that.
    assert "a probe of the whole machine" in str(caught.value) or "compile" in str(caught.value)


def test_the_sentence_about_a_probe():
    with pytest.raises(
        BuildError, match=r"raw_tracepoint__sys_enter at line 1, .*; the lab loads one"
    ):
        Program("mine", f"{PROBES['a raw tracepoint']}\n{BODY}")


def test_a_helper_in_a_function_behind_is_refused():
    """Not inlined, it is another function of the program; only some BCCs load those at all."""
    source = """
static __attribute__((noinline)) int kill(void) { return bpf_send_signal(9); }
int mine(struct xdp_md *ctx) { return kill() ? XDP_DROP : XDP_PASS; }
"""
    with pytest.raises((BuildError, VerifierError)):
        Program("mine", source)


def test_an_answer_with_a_probe_beside_it_kills_nobody():
    """It was "right", and a process of the host was dead."""
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    before = on_host("bpftool", "prog", "show").stdout.count("raw_tracepoint")
    try:
        source = f"{PROBES['a raw tracepoint']}\n{find('2.1').solution}"
        reply = judge(find("2.1"), source)
        assert not reply.ok
        assert "a probe of the whole machine" in reply.message
        os.kill(bystander.pid, 0)
        time.sleep(0.1)  # for a signal to arrive, if one was sent
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
    assert on_host("bpftool", "prog", "show").stdout.count("raw_tracepoint") == before


def test_a_pinned_map_stays_in_the_sandbox():
    pinned = 'BPF_TABLE_PINNED("array", u32, u64, kept, 1, "/sys/fs/bpf/kept");\n'
    assert Program("mine", pinned + BODY).run(Ether() / IP() / ICMP()).verdict == "XDP_PASS"
    assert "kept" not in on_host("find", "/sys/fs/bpf").stdout


@pytest.fixture
def strangers():
    """What this process compiles is not its own, as where answers are judged."""
    current().one(Whose).strangers = True
    yield
    current().one(Whose).strangers = False


@pytest.mark.parametrize("kind", REACHES)
def test_clang_reads_no_file_but_headers(kind, strangers):
    with pytest.raises(BuildError) as caught:
        Program("mine", f"{REACHES[kind]}\n{BODY}")
    told = f"{caught.value} {caught.value.log}"
    assert "root:" not in told
    assert re.search("file not found|ould not find inc|none|not find include", told)


@pytest.mark.parametrize("path", SEES)
def test_clang_does_not_see_whether_there_is_a_file(path, strangers):
    Program("mine", f'#if __has_include("{path}")\n#error seen\n#endif\n{BODY}')


def test_a_reader_names_a_header_of_their_own(tmp_path):
    header = tmp_path / "mine.h"
    header.write_text("#define VERDICT XDP_TX\n")
    source = f'#include "{header}"\n{BODY}'.replace("XDP_PASS", "VERDICT")
    assert Program("mine", source).run(Ether() / IP() / ICMP()).verdict == "XDP_TX"


@pytest.mark.parametrize("kind", CRASHES)
def test_what_ends_clang_ends_it_alone(kind):
    reply = judge(find("1.1"), f"{CRASHES[kind]}\n{find('1.1').solution}", strangers=True)
    assert not reply.ok
    assert "refused" in repr(reply) or "no end after" in repr(reply)


def test_much_memory_is_told():
    with pytest.raises(
        BuildError, match="wants more than 2 GiB of memory; look for a macro that grows"
    ):
        Program("mine", f"{CRASHES['memory without end']}\n{BODY}")


def test_where_power_cannot_be_given_up_nothing_is_compiled(monkeypatch):
    def fails(*_, **__):
        raise OSError(1, "unshare: Operation not permitted")

    monkeypatch.setattr(jail, "see_only", fails)
    with pytest.raises(BuildError, match=r"unshare: Operation not permitted; type: labsetup/lab"):
        Program("mine", BODY)
    reply = said(judge(find("3.2"), find("3.2").solution, strangers=True))
    assert "no place without power can be made for an answer" in reply


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_is_beside_a_right_answer_does_nothing(kind, host_is_well):
    reply = judge(find("1.1"), f"{HARMLESS[kind]}\n{find('1.1').solution}", strangers=True)
    assert reply.ok, reply


@pytest.mark.parametrize("kind", CALLS)
def test_a_call_that_reaches_beyond_packets_is_refused(kind, host_is_well):
    call = f"#define GLUE(a, b) a##b\nint closed(struct xdp_md *ctx)\n{{\n\tif ({CALLS[kind]})"
    source = f"{call}\n\t\treturn XDP_PASS;\n\treturn XDP_DROP;\n}}\n"
    reply = said(judge(find("1.1"), source, strangers=True))
    assert "not yet refused closed calls" in reply
    assert "packets and maps alone: take that out" in reply
    if CALLS[kind].startswith("bpf_"):
        assert " at line 4, «if (bpf_" in reply


@pytest.mark.parametrize("kind", PROBES)
def test_a_stranger_s_probe_is_refused(kind, host_is_well):
    reply = judge(find("1.1"), f"{find('1.1').solution}\n{PROBES[kind]}", strangers=True)
    assert not reply.ok, reply
    assert "refused" in repr(reply)


@pytest.fixture(scope="module")
def bystander(tmp_path_factory):
    host = Host(tmp_path_factory.mktemp("class"))
    yield host
    host.end()


@pytest.fixture
def host_is_well(bystander):
    yield
    assert bystander.is_well()

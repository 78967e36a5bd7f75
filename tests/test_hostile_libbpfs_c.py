"""C for libbpf that would act on more than packets: it is refused in words, and not loaded."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from support.host import on_host
from test_hostile_c import CALLS, CRASHES, REACHES

from labsetup import ICMP, IP, Ether, LabError, Program
from labsetup.compiling.bcc import Whose
from labsetup.network.session import current

HEAD = """#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>
typedef __u32 u32;
typedef __u64 u64;
#define GLUE(a, b) GLUED(a, b)
#define GLUED(a, b) a##b
"""
TAIL = 'char LICENSE[] SEC("license") = "GPL";\n'
PASSES = 'SEC("xdp") int mine(struct xdp_md *ctx) { return XDP_PASS; }\n'
KINDS = """
kprobe/do_nanosleep kretprobe/do_nanosleep kprobe.multi/do_* uprobe//bin/true:main
tracepoint/syscalls/sys_enter_openat tp/sched/sched_switch raw_tp/sys_enter
raw_tracepoint/sys_enter tp_btf/sys_enter fentry/do_nanosleep fexit/do_nanosleep
fmod_ret/bpf_modify_return_test lsm/file_open iter/task perf_event syscall tc classifier action
socket cgroup_skb/ingress cgroup/connect4 cgroup/dev sockops sk_skb/stream_parser sk_msg
sk_lookup flow_dissector freplace/it lwt_xmit lirc_mode2 struct_ops/x sk_reuseport
""".split()  # noqa: SIM905
PING = Ether() / IP() / ICMP()


@pytest.fixture(autouse=True)
def strangers(monkeypatch):
    """All of it is somebody else's."""
    monkeypatch.setattr(current().one(Whose), "strangers", True)


def taken(source: str) -> str:
    """What is said of C; empty where it is loaded, which harms nobody as long as it runs right."""
    try:
        program = Program("mine", source)
    except LabError as error:
        return str(error)
    assert program.run(PING).verdict in {"XDP_PASS", "XDP_DROP"}
    return ""


@pytest.mark.parametrize("section", KINDS)
def test_a_program_of_another_kind_is_refused(section):
    source = f'{HEAD}SEC("{section}") int other(void *ctx) {{ return 0; }}\n{PASSES}{TAIL}'
    assert "take that out" in taken(source) or "no kind of program" in taken(source)


@pytest.mark.parametrize("what", CALLS)
def test_a_call_that_reaches_further_is_refused(what):
    body = f'SEC("xdp") int mine(struct xdp_md *ctx) {{ return {CALLS[what]} ? 1 : 2; }}\n'
    assert taken(HEAD + body + TAIL), "it was loaded"


@pytest.mark.parametrize("what", ["a signal", "memory of a process", "a system call"])
def test_it_is_refused_in_a_function_behind_as_well(what):
    behind = "static __attribute__((noinline)) int behind(struct xdp_md *ctx)\n"
    behind += f"{{ return {CALLS[what]} ? 1 : 0; }}\n"
    body = 'SEC("xdp") int mine(struct xdp_md *ctx) { return behind(ctx) ? 1 : 2; }\n'
    assert "act on packets and maps alone" in taken(HEAD + behind + body + TAIL)


@pytest.mark.parametrize("what", REACHES)
def test_clang_reads_nobodys_files(what):
    said = taken(f"{HEAD}{REACHES[what]}\n{PASSES}{TAIL}")
    assert said and "root:" not in said and "PATH=" not in said


@pytest.mark.parametrize("what", CRASHES)
def test_what_ends_clang_ends_nothing_else(what):
    before = len(os.listdir("/proc/self/fd"))
    begun = time.monotonic()
    said = taken(f"{HEAD}{CRASHES[what]}\n{PASSES}{TAIL}")
    assert "Traceback" not in said and time.monotonic() - begun < 90
    assert len(os.listdir("/proc/self/fd")) <= before + 4


def test_an_object_that_lies_about_itself_harms_nobody():
    """What clang makes can be written by hand: sections, symbols and types that are none."""
    lies = (
        'asm(".section .BTF,\\"\\"\\n.byte 0x9f,0xeb,1,0\\n.long 24,0,0xfffffff0,0,8");',
        'asm(".section .BTF.ext,\\"\\"\\n.byte 0x9f,0xeb,1,0\\n.long 24,0,0x7fffffff,8,8");',
        'asm(".section .maps,\\"aw\\"\\n.zero 64");',
        'asm(".section license,\\"aw\\"\\n.fill 4096,1,0xff");',
        'asm(".section xdp,\\"ax\\"\\n.zero 8000");',
        'char huge[1 << 28] SEC(".rodata.huge") = { 1 };',
    )
    for lie in lies:
        said = taken(f"{HEAD}{lie}\n{PASSES}{TAIL}")
        assert "Traceback" not in said


def test_an_answer_with_a_probe_beside_it_kills_nobody():
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    before = on_host("bpftool", "prog", "show").stdout.count("raw_tracepoint")
    try:
        probe = 'SEC("raw_tp/sys_enter") int kill(void *ctx) { bpf_send_signal(9); return 0; }\n'
        assert "a probe of the whole machine" in taken(HEAD + probe + PASSES + TAIL)
        assert on_host("bpftool", "prog", "show").stdout.count("raw_tracepoint") == before
        time.sleep(0.1)  # for a signal to arrive, if one was sent
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def nested(kind: str, extra: str = "", turns: int = 20_000) -> str:
    """Functions of which each calls the next in a loop."""
    head = f"__attribute__((noinline)) {kind}int"
    spend = '{ for (int i = 0; i < 20000; i++) asm volatile("" : "+r"(x)); return x; }'
    loop = f"{{ for (int i = 0; i < {turns}; i++) x += spends(x); return x; }}"
    return f"""{HEAD}{extra}
{head} spends(int x) {spend}
{head} calls(int x) {loop}
SEC("xdp") int mine(struct xdp_md *ctx)
{{
	return calls(ctx->rx_queue_index) == 77 ? XDP_DROP : XDP_PASS;
}}
{TAIL}"""


def test_functions_that_multiply_their_turns_are_refused():
    begun = time.monotonic()
    assert "mine has calls call spends so often" in taken(nested(""))
    assert "clang could not compile" in taken(nested("", 'asm(".local spends");'))
    assert time.monotonic() - begun < 30


def test_what_is_static_or_hidden_the_verifier_counts_together():
    for kind in ("static ", '__attribute__((visibility("hidden"))) '):
        assert "too many steps" in taken(nested(kind))
        assert taken(nested(kind, turns=2)) == ""


def test_a_short_function_may_be_called_in_a_loop():
    adds = "__attribute__((noinline)) int adds(int x) { return x * 3 + 1; }\n"
    loop = "int x = 0; for (int i = 0; i < 1000; i++) x += adds(x);"
    mine = f'SEC("xdp") int mine(struct xdp_md *ctx) {{ {loop} return x == 7 ? 1 : 2; }}\n'
    assert taken(HEAD + adds + mine + TAIL) == ""


def test_calls_one_after_the_other_count_too():
    kind = "__attribute__((noinline)) int"
    levels = [
        f"{kind} f{n + 1}(int x) {{ {f'x += f{n}(x); ' * 40} return x; }}\n" for n in range(5)
    ]
    first = f'{kind} f0(int x) {{ asm volatile("" : "+r"(x)); return x; }}\n'
    mine = 'SEC("xdp") int mine(struct xdp_md *ctx) { return f5(ctx->rx_queue_index) & 1; }\n'
    assert "so often that both together" in taken(HEAD + first + "".join(levels) + mine + TAIL)


def test_static_functions_that_call_each_other_often_are_reckoned_at_once():
    kind = "static __attribute__((noinline)) int"
    first = f'{kind} f0(int x) {{ asm volatile("" : "+r"(x)); return x; }}\n'
    levels = [
        f"{kind} f{n + 1}(int x) {{ {f'x += f{n}(x); ' * 40} return x; }}\n" for n in range(6)
    ]
    mine = 'SEC("xdp") int mine(struct xdp_md *ctx) { return f6(ctx->rx_queue_index) & 1; }\n'
    assert "the verifier refused" in taken(HEAD + first + "".join(levels) + mine + TAIL)


def test_may_goto_is_refused():
    jump = ".byte 0xe5; .byte 0; .short 1; .long 0; goto %l[over]"
    mine = f"""SEC("xdp") int mine(struct xdp_md *ctx)
{{
	for (;;) {{
		asm volatile goto("{jump}" : : : : over);
	}}
over:
	return XDP_PASS;
}}
"""
    assert "calls may_goto, which can keep a CPU for hours" in taken(HEAD + mine + TAIL)


LATER = """struct { __uint(type, %s); __uint(map_flags, 1); __uint(max_entries, 3000000);
	__type(key, __u64); __type(value, char[3900]); } m SEC(".maps");
"""


@pytest.mark.parametrize("kind", ["BPF_MAP_TYPE_HASH", "BPF_MAP_TYPE_LPM_TRIE"])
def test_a_map_that_takes_its_memory_later_is_too_large_too(kind):
    assert "map m is too large" in taken(HEAD + LATER % kind + PASSES + TAIL)

"""C that would act on more than packets: it is refused in words, and nothing of it is loaded."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from support.host import on_host

from labsetup import ICMP, IP, Ether, Program
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
HELPERS = {
    "a signal": "bpf_send_signal(9)",
    "a signal to a thread": "bpf_send_signal_thread(9)",
    "memory of a process": 'bpf_probe_write_user((void *)8, "x", 1)',
    "a function's result": "bpf_override_return((void *)ctx, 0)",
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


@pytest.mark.parametrize("kind", HELPERS)
def test_a_helper_that_acts_on_processes_is_refused(kind):
    source = BODY.replace("return", f"if ({HELPERS[kind]}) return XDP_DROP; return")
    with pytest.raises(BuildError, match="acts on whatever process is running"):
        Program("mine", source)


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

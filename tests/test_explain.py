"""How refusals and remarks come to their lines; their words have tests made of their own files."""

from __future__ import annotations

import signal
import time

import pytest
from support.examples import place_of, source_of
from support.verdicts import VERDICTS

from labsetup.explaining.clang import Remark, gave_up
from labsetup.explaining.listing import Listing, Place
from labsetup.explaining.rules import Example
from labsetup.explaining.verifier import by_its_words, explain, last_words
from labsetup.practice.exercise import find
from labsetup.programs.build import BuildError, VerifierError
from labsetup.programs.program import Program
from labsetup.programs.sources import SOURCES


def source(body: str, before: str = "") -> str:
    """A whole program of a function's body."""
    return source_of(Example([], before=before, body=body))


GOOD = source("return XDP_PASS;\n")


@pytest.mark.parametrize(
    ("before", "body", "words"),
    [
        ("", "\nretrun XDP_PASS; // here\n", "undeclared identifier 'retrun'"),
        (
            "lookup",
            'bpf_trace_printk("one\\n");\n'
            'bpf_trace_printk("two\\n", there); // here\n'
            "return XDP_PASS;\n",
            "undeclared identifier 'there'",
        ),
        ("ethernet", "return eth->proto; // here\n", "no member named 'proto'"),
        ("", "return !m.lookup(0); // here\n", "undeclared identifier 'm'"),
    ],
    ids=["a word", "behind what BCC rewrites", "a field", "a map"],
)
def test_what_has_no_plainer_words_keeps_those_of_clang(before, body, words):
    text = source(body, before)
    with pytest.raises(BuildError) as caught:
        Program("bad", text)
    assert place_of(text) in str(caught.value)
    assert words in str(caught.value)


def test_an_error_in_a_header_names_the_line_that_includes_it():
    with pytest.raises(BuildError) as caught:
        Program("bad", f'#include "xdp.h"\n#include <linux/udp.h>\n{GOOD}')
    assert "line 2, «#include <linux/udp.h>», brings it in" in str(caught.value)


def test_what_clang_warned_of_stands_by_a_refusal():
    body = "if (eth->h_proto = 8)\n\treturn XDP_DROP;\nreturn XDP_PASS;\n"
    with pytest.raises(VerifierError) as caught:
        Program("bad", source(body, "packet"))
    shown = "\n".join(caught.value._render_traceback_())
    assert "warning: line" in shown
    assert "assignment as a condition" in shown


def test_where_llvm_gives_up():
    """Which calls it has no instruction for depends on its version."""
    listing = Listing(GOOD, "bad", "#include <bcc/footer.h>\nLLVM ERROR: Cannot select: t1")
    assert gave_up(listing, []) == ": LLVM gave up: Cannot select: t1"
    warned = Remark("warning", Place(9, "if (a = b)"), "using … assignment as a condition")
    assert gave_up(listing, [warned]) == ": clang gave it up; begin with what it warns of"
    listing = Listing(GOOD, "bad", "")
    assert gave_up(listing, []) == ": LLVM gave up: it gave no reason"


def test_a_loop_that_takes_the_verifier_minutes(monkeypatch):
    monkeypatch.setattr("labsetup.compiling.bcc.PATIENCE", 1.0)
    walk = """	while ((void *)(byte + 3) <= pkt.end) { // here
		if (*byte == 0)
			return byte[2] == 255 ? XDP_DROP : XDP_PASS;
		byte++;
	}
"""
    text = find("4.3").starter.replace("	/* your code */\n", walk)
    before = signal.getsignal(signal.SIGALRM)
    begun = time.monotonic()
    with pytest.raises(VerifierError) as caught:
        Program("not_any", text)
    assert time.monotonic() - begun < 8
    assert "was stopped when its time was up; give the loop a constant bound" in str(caught.value)
    assert place_of(text) in str(caught.value)
    assert not last_words(caught.value.log)
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert Program("good", GOOD).fd > 0


def test_what_helps_in_a_loop():
    """Which loops clang breaks depends on its version; what it leads to does not."""
    text = source("for (int i = 0; i < 64; i++) {}\nreturn XDP_PASS;\n", "parse")
    log = "5: (71) r1 = *(u8 *)(r3 +298)\ninvalid access to packet, off=298 size=1, R3(id=514,"
    _, words = explain(Listing(text, "bad", ""), f"{log}off=298,r=0)", True, False)
    assert "begin each turn with barrier_var(pointer)" in words
    assert "mask" not in words
    # With a barrier and a proof, only too little is proved; that is no fault of clang's.
    text = text.replace("{}", "{ barrier_var(byte); }")
    _, words = explain(Listing(text, "bad", ""), f"{log}off=296,r=298)", True, False)
    assert "it reads 1, or more, beyond the bytes proved to be there" in words
    assert "barrier" not in words


def test_the_line_among_equals():
    """The same line three times; the second is refused."""
    body = (
        "int sum = 0;\n"
        "if ((void *)(eth + 1) <= data_end)\nsum += eth->h_proto;\n"
        "if (ctx->rx_queue_index == 7)\nsum += eth->h_proto;\n"
        "if ((void *)(eth + 1) <= data_end)\nsum += eth->h_proto;\n"
        "return sum & 1 ? XDP_DROP : XDP_PASS;\n"
    )
    text = source(body, "packet")
    with pytest.raises(VerifierError) as caught:
        Program("bad", text)
    lines = [n for n, line in enumerate(text.splitlines(), 1) if line == "sum += eth->h_proto;"]
    assert f"line {lines[1]}, " in str(caught.value)


def test_the_line_of_a_header(tmp_path):
    """parse.h without one of its comparisons."""
    broken = (SOURCES / "parse.h").read_text()
    check = "	if (next > pkt->end)\n		return;\n	pkt->eth = eth;"
    assert check in broken
    (tmp_path / "broken.h").write_text(broken.replace(check, "	pkt->eth = eth;"))
    text = f"""
#include "{tmp_path}/broken.h"
int bad(struct xdp_md *ctx)
{{
	struct packet pkt;
	parse(ctx, &pkt);
	return pkt.ip ? XDP_DROP : XDP_PASS;
}}"""
    with pytest.raises(VerifierError) as caught:
        Program("bad", text)
    assert "at «__be16 type = eth->h_proto;»" in str(caught.value)


def test_a_program_without_fault_has_no_warnings(loaded):
    assert {name: loaded[name].warnings for name in VERDICTS if loaded[name].warnings} == {}


def test_what_the_log_names_in_passing_is_not_what_is_wrong():
    """Behind a jump the verifier may list all that it knows; data_end may be among it."""
    log = """33: (15) if r2 == 0x81 goto pc+13 47: R0=0 R2=129 R10=fp0 fp-48=pkt_end()
41: (61) r1 = *(u32 *)(r0 +12)
invalid access to map value, value_size=12 off=12 size=4
R0 min value is outside of the allowed memory range
"""
    assert by_its_words(log).rule == "value-passed"


def test_what_nobody_knows_keeps_the_words_of_the_verifier():
    _, words = explain(Listing(GOOD, "bad", ""), "0: (95) exit\nno such thing", True, False)
    assert words == " with these words: no such thing"


def test_the_last_words_are_those_that_say_what_is_wrong():
    log = (
        "0: R1=ctx() R10=fp0\n0: (85) call bpf_ktime_get_ns#5\ninfinite loop detected at insn 1\n"
        "cur state: R0=scalar() R10=fp0\nold state: R0=scalar() R10=fp0\nprocessed 10 insns"
    )
    assert last_words(log) == ["infinite loop detected at insn 1"]

"""Bytes that a program hands over and never wrote are told at the line, and only those."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.verdicts import NO_XDP

from labsetup.explaining.unwritten import unwritten
from labsetup.practice.exercise import every
from labsetup.programs.build import VerifierError, build
from labsetup.programs.program import Program
from labsetup.programs.sources import SOURCES

WHOLE = """
#include "headers.h"

struct visit { u16 port; u64 when; u8 ttl; };
struct ends { u32 from, to; u8 kind; u16 port; };
struct total { u64 frames; u16 last; };
struct within { struct ends ends; u8 mac[6]; };
BPF_HASH(visits, struct visit, u64);
BPF_HASH(seen, struct ends, struct total);
BPF_HASH(nested, struct within, u32);
BPF_HASH(totals, u32, struct total);
BPF_HASH(plain, u32, u64);
BPF_QUEUE(waiting, struct total, 8);
BPF_RINGBUF_OUTPUT(ring, 8);
BPF_PERF_OUTPUT(events);

int walk(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct udphdr *udp = (void *)(ip + 1);
	if ((void *)(udp + 1) > data_end)
		return XDP_PASS;
	u32 zero = 0;
	u64 one = 1, *count;
	struct total *total, first = {};
BODY
	return XDP_PASS;
}
"""
DECLARED = "struct visit v;"
FIELDS = "v.port = udp->dest;\nv.when = bpf_ktime_get_ns();\nv.ttl = ip->ttl;\n"
HOLES = "6 bytes of hole between port and when and 7 bytes of hole behind ttl"
ENDS = "e.from = ip->saddr;\ne.to = ip->daddr;\ne.kind = ip->protocol;\n"

# What is written, what it is told of, and a mend as the sentence gives it.
TOLD = {
    "a key with holes": (
        f"{DECLARED}\n{FIELDS}visits.update(&v, &one); // here",
        f"the key for visits is handed over with {HOLES} never written",
        (DECLARED, "struct visit v = {};"),
    ),
    "a key with holes, looked up": (
        f"{DECLARED}\n{FIELDS}count = visits.lookup(&v); // here\nif (count)\n*count += 1;\n"
        "else\nvisits.update(&v, &one);",
        f"the key for visits is handed over with {HOLES} never written",
        (DECLARED, "struct visit v = {};"),
    ),
    "a key taken out": (
        f"{DECLARED}\n{FIELDS}visits.delete(&v); // here",
        f"the key for visits is handed over with {HOLES} never written",
        (DECLARED, "struct visit v = {};"),
    ),
    "a key counted": (
        f"{DECLARED}\n{FIELDS}visits.increment(v); // here",
        "write struct visit v = {}; in line",
        (DECLARED, "struct visit v = {};"),
    ),
    "a key made when it is missing": (
        f"{DECLARED}\n{FIELDS}count = visits.lookup_or_try_init(&v, &one); // here\n"
        "if (count)\n*count += 1;",
        f"the key for visits is handed over with {HOLES} never written",
        (DECLARED, "struct visit v = {};"),
    ),
    "a key initialised by its fields": (
        "struct visit v = {.port = udp->dest, .when = 5, .ttl = ip->ttl};\n"
        "visits.update(&v, &one); // here",
        "a field of its own in the place of a hole does as well",
        (
            "struct visit { u16 port; u64 when; u8 ttl; }",
            "struct visit { u16 port, gap[3]; u64 when; u8 ttl, rest[7]; }",
        ),
    ),
    "a field that is never set": (
        f"struct ends e;\n__builtin_memset((char *)&e + 8, 0, 2);\n{ENDS}"
        "seen.update(&e, &first); // here",
        "the key for seen is handed over with port never written; what lay there before makes "
        "different keys of the same one: write struct ends e = {}; in line",
        ("struct ends e;", "struct ends e = {};"),
    ),
    "a field that is set on one path": (
        f"struct ends e;\n__builtin_memset((char *)&e + 8, 0, 2);\n{ENDS}"
        "if (ip->protocol == IPPROTO_UDP)\ne.port = udp->dest;\nseen.update(&e, &first); // here",
        "the key for seen is handed over with port never written on one path",
        ("struct ends e;", "struct ends e = {};"),
    ),
    "a struct within a struct": (
        "struct within w;\nw.ends.from = 1;\nw.ends.to = 2;\nw.ends.kind = 3;\nw.ends.port = 4;\n"
        "__builtin_memcpy(w.mac, eth->h_source, 6);\nnested.update(&w, &zero); // here",
        "with 1 byte of hole between ends.kind and ends.port and 2 bytes of hole behind mac",
        ("struct within w;", "struct within w = {};"),
    ),
    "a value with a hole": (
        "struct total t;\nt.frames = 1;\nt.last = udp->dest;\ntotals.update(&zero, &t); // here",
        "the value for totals is handed over with 6 bytes of hole behind last never written; the "
        "map keeps what lay there before: write struct total t = {}; in line",
        ("struct total t;", "struct total t = {};"),
    ),
    "a value's field": (
        "struct total t;\nt.last = udp->dest;\ntotals.insert(&zero, &t); // here",
        "the value for totals is handed over with frames and 6 bytes of hole behind last never",
        ("struct total t;", "struct total t = {};"),
    ),
    "a number on one path": (
        "u64 since;\nif (ip->ttl == 1)\nsince = bpf_ktime_get_ns();\n"
        "plain.update(&zero, &since); // here",
        "the value for plain is handed over never written on one path; the map keeps what lay "
        "there before: write u64 since = 0; in line",
        ("u64 since;", "u64 since = 0;"),
    ),
    "an element of a queue": (
        "struct total t;\nt.frames = 1;\nt.last = 2;\nwaiting.push(&t, 0); // here",
        "the value for waiting is handed over with 6 bytes of hole behind last never written",
        ("struct total t;", "struct total t = {};"),
    ),
    "an event": (
        f"{DECLARED}\n{FIELDS}ring.ringbuf_output(&v, sizeof(v), 0); // here",
        f"the record is handed over with {HOLES} never written; what lay there before goes with it",
        (DECLARED, "struct visit v = {};"),
    ),
    "an event of the older kind": (
        f"{DECLARED}\n{FIELDS}events.perf_submit(ctx, &v, sizeof(v)); // here",
        f"the record is handed over with {HOLES} never written; what lay there before goes with it",
        (DECLARED, "struct visit v = {};"),
    ),
    "a record of the ring": (
        "struct visit *r = ring.ringbuf_reserve(sizeof(*r));\nif (!r)\nreturn XDP_DROP;\n"
        "r->port = udp->dest;\nr->when = 1;\nr->ttl = 2;\nring.ringbuf_submit(r, 0); // here",
        "the record is handed over with bytes 2 to 7 and 17 to 23 of 24 never written",
        ("r->port = ", "__builtin_memset(r, 0, sizeof(*r));\nr->port = "),
    ),
    "a question to the routing table": (
        "struct bpf_fib_lookup fib;\nfib.family = 2;\nfib.ipv4_dst = ip->daddr;\nfib.ifindex = 1;\n"
        "return bpf_fib_lookup(ctx, &fib, sizeof(fib), 0) ? XDP_PASS : XDP_DROP; // here",
        "write struct bpf_fib_lookup fib = {}; in line",
        ("struct bpf_fib_lookup fib;", "struct bpf_fib_lookup fib = {};"),
    ),
}

# What may look like it.
SILENT = {
    "written on the only path that leads there": (
        "struct ends e;\nu64 knows = 0;\n__builtin_memset((char *)&e + 8, 0, 4);\n"
        f"if (ip->protocol == IPPROTO_UDP) {{\n{ENDS}e.port = udp->dest;\nknows = 1;\n}}\n"
        "barrier_var(knows);\nif (knows != 1)\nreturn XDP_DROP;\nseen.update(&e, &first);"
    ),
    "a struct without holes": (
        "struct total t;\n__builtin_memset(&t, 0, sizeof(t));\nt.frames = 1;\n"
        "totals.update(&zero, &t);"
    ),
    "written by the kernel": (
        "struct ends e;\nif (bpf_xdp_load_bytes(ctx, 14, &e, sizeof(e)))\nreturn XDP_DROP;\n"
        "seen.update(&e, &first);"
    ),
    "written in a loop": (
        "struct within w;\nfor (int i = 0; i < sizeof(w); i++)\n((char *)&w)[i] = ip->ttl + i;\n"
        "nested.update(&w, &zero);"
    ),
    "written at a place that depends on the packet": (
        "struct within w = {};\nu64 at = ip->ttl & 3;\nbarrier_var(at);\nw.mac[at] = 1;\n"
        "nested.update(&w, &zero);"
    ),
    "a record without holes": (
        "struct total *r = ring.ringbuf_reserve(sizeof(*r));\nif (!r)\nreturn XDP_DROP;\n"
        "__builtin_memset(r, 0, sizeof(*r));\nr->last = 3;\nring.ringbuf_submit(r, 0);"
    ),
    "a record that is not handed over": (
        "struct total *r = ring.ringbuf_reserve(sizeof(*r));\nif (!r)\nreturn XDP_DROP;\n"
        "r->last = 3;\nring.ringbuf_discard(r, 0);"
    ),
}


def told(body: str, whole: str = WHOLE) -> list[str]:
    """What is said of a program; one that an older kernel refuses for it is told likewise."""
    try:
        _, _, warnings = build("walk", whole.replace("BODY", body), "walk")
        return warnings
    except VerifierError as error:
        assert "never given a value" in str(error)
        pytest.skip("this kernel refuses such a program by itself")


@pytest.mark.parametrize("name", TOLD)
def test_what_is_handed_over_unwritten(name):
    body, words, (before, after) = TOLD[name]
    [one] = told(body)
    assert words in one
    line = next(line for line in body.splitlines() if "// here" in line)
    assert f"«{line}»" in one
    if named := re.search(r"in line (\d+)", one):
        declared = before if before in body else "struct visit v ="
        assert declared in WHOLE.replace("BODY", body).splitlines()[int(named[1]) - 1]
    mended = WHOLE.replace("BODY", body).replace(before, after)
    assert mended != WHOLE.replace("BODY", body)
    assert told("", mended) == []


@pytest.mark.parametrize("name", SILENT)
def test_what_may_look_like_it(name):
    assert told(SILENT[name]) == []


def test_nothing_is_said_of_right_programs():
    """Those of bpf/, alone and recorded, every solution and every other right answer."""
    answers = {
        f"{x.id} {name}": text
        for x in every().values()
        if x.suffix == ".c"
        for name, text in {"solution": x.solution, **x.alternatives}.items()
    }
    names = [path.stem for path in SOURCES.glob("*.c") if path.stem not in NO_XDP | {"capture"}]

    def warned(given: tuple[str, str | None, bool]) -> list[str]:
        return Program(*given).warnings

    asked = [(name, None, True) for name in names] + [("x", one, False) for one in answers.values()]
    assert len(asked) > 90
    with ThreadPoolExecutor(2) as threads:
        found = dict(zip([*names, *answers], threads.map(warned, asked), strict=True))
    assert {name: words for name, words in found.items() if words} == {}


def test_what_cannot_be_followed_is_left_alone():
    """A call of another function of the program's: code, registers, offset, number."""
    call = bytes([0x85, 0x10, 0, 0, 1, 0, 0, 0])
    assert unwritten(call + bytes([0x95] + [0] * 7), {}, lambda _: True) == []

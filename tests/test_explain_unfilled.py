"""A struct that is read and that nothing fills is told at the line, and no other is."""

from __future__ import annotations

import re

import pytest
from support.elsewhere import FOLDER
from support.examples import HERE

from labsetup.explaining.listing import Listing
from labsetup.explaining.unfilled import warnings
from labsetup.practice.exercise import every
from labsetup.programs.build import VerifierError, build
from labsetup.programs.sources import SOURCES

WHOLE = """#include "HEADER.h"

struct visit { u16 port; u64 when; u8 mac[6]; void *next; struct { u32 low; } in; };
struct outer { struct visit visit; };
struct far { struct in6_addr at; };
union both { u32 whole; u8 part[4]; };
BPF_HASH(visits, u32, struct visit);
#define SET(what, value) what = value
#define EMPTY hidden = (struct visit){}

static __always_inline void fill(struct visit *visit)
{
	__builtin_memset(visit, 0, sizeof(*visit));
}

int walk(struct xdp_md *ctx)
{
	u32 key = ctx->rx_queue_index;
	BODY
	return XDP_PASS;
}
"""
PARSED = "return pkt.end && pkt.ip ? XDP_DROP : XDP_PASS; // here"

# What is written, what it is told, and a mend as the sentence gives it.
TOLD = {
    "a packet": (
        f"struct packet pkt;\n{PARSED}",
        "pkt is read, and nothing has filled it; parse(ctx, &pkt) does",
        ("struct packet pkt;", "struct packet pkt;\nparse(ctx, &pkt);"),
    ),
    "what a member points to": (
        "struct packet pkt;\nif (!pkt.eth || (void *)(pkt.eth + 1) > pkt.end) // here\n"
        "return XDP_PASS;\npkt.eth->h_proto = 0;",
        "parse(ctx, &pkt) does",
        ("struct packet pkt;", "struct packet pkt;\nparse(ctx, &pkt);"),
    ),
    "a struct of one's own": (
        "struct visit v;\nif (v.port == 7) // here\nreturn XDP_DROP;",
        "v is read, and nothing has filled it: set its fields, or write struct visit v = {};",
        ("struct visit v;", "struct visit v = {};"),
    ),
    "one of two": (
        "struct visit v, w;\nfill(&v);\nreturn v.port == w.port ? XDP_DROP : XDP_PASS; // here",
        "w is read",
        ("fill(&v);", "fill(&v);\nfill(&w);"),
    ),
    "a member of a member": (
        "struct visit v;\nu64 size = sizeof(v);\nreturn v.in.low + size; // here",
        "v is read",
        ("struct visit v;", "struct visit v = {};"),
    ),
    "in a block": (
        "if (key) {\nstruct visit v;\nif (v.when) // here\nreturn XDP_DROP;\n}",
        "v is read",
        ("struct visit v;", "struct visit v = {};"),
    ),
    "one of its name elsewhere": (
        "if (key) {\nstruct visit v = {};\nkey = v.port;\n}\nstruct visit v;\n"
        "return v.port | key; // here",
        "v is read",
        ("struct visit v;", "struct visit v = {};"),
    ),
    "a header of the kernel's": (
        "struct ethhdr eth;\nreturn eth.h_proto == 8 ? XDP_DROP : XDP_PASS; // here",
        "write struct ethhdr eth = {};",
        ("struct ethhdr eth;", "struct ethhdr eth = {};"),
    ),
    "a union": (
        "union both b;\nreturn b.whole & 1; // here",
        "write union both b = {};",
        ("union both b;", "union both b = {};"),
    ),
}

# What fills it, or may.
SILENT = {
    "handed over": "struct packet pkt;\nparse(ctx, &pkt);\nreturn pkt.ip ? XDP_DROP : XDP_PASS;",
    "a field set": "struct visit v;\nv.port = 7;\nreturn v.port;",
    "a field within set": "struct visit v;\nv.in.low = key;\nreturn v.in.low;",
    "an element set": "struct visit v;\nv.mac[key & 3] = 1;\nreturn v.mac[0];",
    "assigned whole": "struct visit v;\nv = (struct visit){.port = 7};\nreturn v.port;",
    "initialised": "struct visit v = {}, w = v;\nreturn w.port;",
    "the bytes of an array": "struct visit v;\n__builtin_memset(v.mac, 0, 6);\nreturn v.mac[0];",
    "an array kept": "struct visit v;\nu8 *mac = v.mac;\nmac[0] = 1;\nreturn v.mac[0];",
    "an array of the kernel's": "struct far f;\nbpf_xdp_load_bytes(ctx, 26, f.at.s6_addr, 16);\n"
    "return f.at.s6_addr[0];",
    "an array cast": "struct visit v;\n((u16 *)v.mac)[0] = 1;\nreturn v.mac[0];",
    "a field's address": "struct visit v;\nu64 *when = &(v.when);\n*when = 1;\nreturn v.when;",
    "by a macro": "struct visit v;\nSET(v.port, 7);\nreturn v.port;",
    "by a macro that knows it": "struct visit hidden;\nEMPTY;\nreturn hidden.port;",
    "in brackets": "struct visit v;\n(v).port = 7;\nreturn v.port;",
    "stepped on": "struct visit v;\n__builtin_memset(&v, 0, sizeof(v));\n++v.when;\nreturn v.port;",
    "never read": "struct visit v;\nreturn sizeof(v) + sizeof(v.mac);",
    "of another variable": "struct outer o = {}, *p = &o;\nstruct visit visit;\n"
    "return o.visit.port + p->visit.port;",
    "a member": "struct { struct visit visit; } o = {};\nreturn o.visit.port;",
    "what lasts": "static struct visit kept;\nreturn kept.port == 5 ? XDP_DROP : XDP_PASS;",
    "in a remark": "struct visit v = {}; /* ; struct visit w; w.port */\nreturn v.port;",
    "a pointer": "struct visit *v = visits.lookup(&key);\nreturn v ? v->port : 0;",
    "in a loop, later": "struct visit v;\nfor (int i = 0; i < 2; i++) {\nif (i && v.port)\n"
    "return XDP_DROP;\nfill(&v);\n}",
}


def of(body: str) -> str:
    return WHOLE.replace("HEADER", "parse").replace("BODY", body)


def told(source: str) -> list[str]:
    return [str(one) for one in warnings(Listing(source, "walk", ""))]


@pytest.mark.parametrize("name", TOLD)
def test_what_is_read_and_never_filled(name):
    body, words, (before, after) = TOLD[name]
    _, _, found = build("walk", of(body), "walk")
    [one] = [one for one in found if "filled" in one]
    assert words in one
    line = next(n for n, text in enumerate(of(body).splitlines(), 1) if HERE in text)
    assert one.startswith(f"line {line}, «")
    if " in line " in one:
        number = int(one.rpartition(" in line ")[2])
        name = one.partition(" is read")[0].rpartition(" ")[2]
        declares = rf"(?:struct|union) \w+ (?:\w+, )*{name}\b"
        assert re.search(declares, of(body).splitlines()[number - 1])
    assert told(of(body.replace(before, after))) == []
    build("walk", of(body.replace(before, after)), "walk")


@pytest.mark.parametrize("name", SILENT)
def test_what_may_be_filled(name):
    assert told(of(SILENT[name])) == []


def test_the_header_is_named_where_it_is_missing():
    source = of(f"struct packet pkt;\n{PARSED}").replace("parse.h", "packet.h")
    [one] = told(source)
    assert "parse(ctx, &pkt) of parse.h does" in one


LIBBPFS = """#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <linux/if_ether.h>

SEC("xdp")
int walk(struct xdp_md *ctx)
{
	struct ethhdr eth;
	return eth.h_proto == 8 ? XDP_DROP : XDP_PASS; // here
}
"""


def test_it_is_said_of_libbpfs_c():
    _, _, found = build("walk", LIBBPFS, "walk")
    assert "eth is read, and nothing has filled it" in "".join(found)


def test_it_is_said_beside_a_refusal():
    body = f"u8 *byte = (void *)(long)ctx->data;\nif (*byte)\nreturn XDP_DROP;\n{PARSED}"
    with pytest.raises(VerifierError) as caught:
        build("walk", of(f"struct packet pkt;\n{body}"), "walk")
    assert "pkt is read" in "".join(caught.value.warnings)


def test_nothing_is_said_of_right_c():
    """Of what bpf/ has, headers among it, of every exercise, and of C from elsewhere."""
    paths = [*SOURCES.glob("*.[ch]"), *FOLDER.glob("*.c")]
    right = {path.name: path.read_text() for path in paths}
    for exercise in every().values():
        if exercise.suffix == ".c":
            right |= {f"{exercise.id} starter": exercise.starter}
            right |= {f"{exercise.id} {n}": text for n, text in exercise.alternatives.items()}
            right |= {f"{exercise.id} solution": exercise.solution}
    assert len(right) > 150
    assert {name: words for name, text in right.items() if (words := told(text))} == {}

"""What a map's functions do not do is told where they are called, with code that does it."""

from __future__ import annotations

import re

import pytest

from labsetup import ICMP, IP, Ether, Program

WHOLE = """
#include "xdp.h"

MAP

int counted(struct xdp_md *ctx)
{
	u32 key = 3;
	u64 *value, zero = 0;
	BODY
	return XDP_PASS;
}
"""
PING = Ether() / IP() / ICMP()
HASHES = {
    "per-CPU hash": "BPF_PERCPU_HASH(seen, u32, u64);",
    "LRU hash": 'BPF_TABLE("lru_hash", u32, u64, seen, 64);',
    "per-CPU LRU hash": 'BPF_TABLE("lru_percpu_hash", u32, u64, seen, 64);',
}

ARRAYS = ["BPF_ARRAY(seen, u64, 4);", "BPF_PERCPU_ARRAY(seen, u64, 4);"]


def made(declared: str, body: str) -> Program:
    return Program("counted", WHOLE.replace("MAP", declared).replace("BODY", body))


def count_of(program: Program) -> int:
    for _ in range(4):
        program.run(PING)
    found = program["seen"].get(3, 0)
    return int(getattr(found, "sum", found))


@pytest.mark.parametrize("function", ["increment", "atomic_increment"])
@pytest.mark.parametrize("kind", HASHES)
def test_what_makes_no_entry(kind, function):
    program = made(HASHES[kind], f"seen.{function}(key);")
    [one] = program.warnings
    assert f"«seen.{function}(key);»: {function}() makes no entry in a" in one
    assert kind in one
    assert count_of(program) == 0
    code = (
        one.partition("; write ")[2].replace("zero = 0, ", "none = 0, ").replace("&zero", "&none")
    )
    mended = made(HASHES[kind], code)
    assert mended.warnings == []
    assert count_of(mended) == 4


def test_the_type_of_what_is_counted():
    [one] = made("BPF_PERCPU_HASH(seen, u32, u32);", "seen.increment(key);").warnings
    assert "write u32 zero = 0, *n = seen.lookup_or_try_init(&key, &zero);" in one


@pytest.mark.parametrize(
    ("declared", "body"),
    [
        ("BPF_HASH(seen, u32, u64);", "seen.increment(key);"),
        ("BPF_ARRAY(seen, u64, 4);", "seen.increment(key);"),
        ("BPF_PERCPU_ARRAY(seen, u64, 4);", "seen.atomic_increment(key);"),
        (
            "BPF_PERCPU_HASH(seen, u32, u64);",
            "value = seen.lookup(&key);\n\tif (!value)\n\t\tseen.update(&key, &zero);\n"
            "\tseen.increment(key);",
        ),
    ],
)
def test_what_counts_is_left_alone(declared, body):
    program = made(declared, body)
    assert program.warnings == []
    assert count_of(program) == 4


@pytest.mark.parametrize(
    "declared", ["BPF_ARRAY(seen, u64, 4);", "BPF_PERCPU_ARRAY(seen, u64, 4);"]
)
@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("seen.delete(&key);", r"write seen\.update\(&key, &zero\)"),
        ("seen.insert(&key, &zero);", r"insert\(\) does nothing in an? .*write (seen\.)?update\("),
    ],
)
def test_what_does_nothing_in_an_array(declared, body, words):
    [one] = made(declared, body).warnings
    assert re.search(words, one)


def test_what_ends_the_program():
    body = "value = seen.lookup_or_init(&key, &zero);\n\t*value += 1;"
    program = made("BPF_ARRAY(seen, u64, 2);", body)
    [one] = program.warnings
    assert "lookup_or_init() ends the program with XDP_ABORTED" in one
    assert program.run(PING).verdict == "XDP_ABORTED"
    body = "value = seen.lookup_or_try_init(&key, &zero);\n\tif (value)\n\t\t*value += 1;"
    assert made("BPF_ARRAY(seen, u64, 2);", body).run(PING).verdict == "XDP_PASS"


def test_a_call_in_a_remark_is_none():
    body = '/* seen.increment(key); */ // seen.delete(&key)\n\tbpf_trace_printk("seen.delete(x)");'
    assert made("BPF_PERCPU_HASH(seen, u32, u64);", body).warnings == []

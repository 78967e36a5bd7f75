"""Why the kernel makes no map of libbpf's C is told by what that map is, and the mend works."""

from __future__ import annotations

import pytest

from labsetup import LabError, Program

WHOLE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct prefix { __u32 length; __u32 address; };

struct {
	MAP
} made SEC(".maps");

SEC("xdp")
int making(struct xdp_md *ctx)
{
	return XDP_PASS;
}
"""
PREFIX = "__type(key, struct prefix); "
KEY, NUMBER, WIDE = "__type(key, __u32); ", "__type(value, __u32); ", "__type(value, __u64); "
INNER = (
    "__array(values, struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); "
    "__type(key, __u32); __type(value, __u64); });"
)
LATER = "__uint(map_flags, BPF_F_NO_PREALLOC); "
# A kind, what it is given, what is told, and what it is given when that is followed.
REFUSED = [
    (
        "LPM_TRIE",
        PREFIX + WIDE,
        "write __uint(map_flags, BPF_F_NO_PREALLOC)",
        PREFIX + WIDE + LATER,
    ),
    ("LPM_TRIE", KEY + WIDE + LATER, "first a __u32, how many bits count", PREFIX + WIDE + LATER),
    ("LRU_HASH", KEY + WIDE + LATER, "leave BPF_F_NO_PREALLOC out", KEY + WIDE),
    ("HASH_OF_MAPS", KEY + NUMBER, "write __array(values, struct {", KEY + INNER),
    ("ARRAY_OF_MAPS", KEY + NUMBER, "what kind of map lies in it", KEY + INNER),
    ("QUEUE", KEY + WIDE, "leave __type(key, …) out", WIDE),
    ("BLOOM_FILTER", KEY + WIDE, "leave __type(key, …) out", WIDE),
    ("XSKMAP", KEY + WIDE, "write __type(value, __u32)", KEY + NUMBER),
    ("RINGBUF", KEY + WIDE, "a ring has neither keys nor values", ""),
    ("ARRAY", WIDE + "__type(key, __u64);", "write __type(key, __u32)", KEY + WIDE),
    ("ARRAY", KEY + WIDE + LATER, "may not know all that is in __uint(map_flags, …)", KEY + WIDE),
]


def made(kind: str, given: str) -> Program:
    head = f"__uint(type, BPF_MAP_TYPE_{kind}); __uint(max_entries, 4096); "
    return Program("making", WHOLE.replace("MAP", head + given))


@pytest.mark.parametrize(("kind", "given", "told", "mended"), REFUSED)
def test_a_map_that_is_not_made(kind, given, told, mended):
    with pytest.raises(LabError, match="the kernel refused its map made: ") as raised:
        made(kind, given)
    assert told in str(raised.value)
    assert "512" not in str(raised.value)
    assert [*made(kind, mended).maps] == ["made"]

"""Maps that libbpf's C pins by name: who takes them over, and what is said to who cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from labsetup import ICMP, IP, Ether, LabError, Program
from labsetup.programs.build import BuildError

PING = Ether() / IP() / ICMP()
PINNED = Path("/sys/fs/bpf/lab_pinned")
C = """#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct datarec {
	__u64 packets, bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, struct datarec);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} lab_pinned SEC(".maps");

SEC("xdp")
int it(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct datarec *rec = bpf_map_lookup_elem(&lab_pinned, &key);

	if (rec)
		rec->packets++;
	return XDP_PASS;
}
"""


@pytest.fixture(autouse=True)
def _taken_away():
    yield
    PINNED.unlink(missing_ok=True)


def test_who_comes_later_takes_it_over_and_each_counts_on():
    first = Program("it", C)
    first.run(PING)
    second = Program("it", C.replace("XDP_PASS", "XDP_DROP"))
    assert second["lab_pinned"].id == first["lab_pinned"].id
    assert second.run(PING).verdict == "XDP_DROP"
    assert Program(first)["lab_pinned"][0]["packets"] == 2
    del first, second
    assert Program("it", C)["lab_pinned"][0]["packets"] == 2
    PINNED.unlink()
    assert Program("it", C)["lab_pinned"][0]["packets"] == 0


OTHERS = {
    "larger values": (
        "packets, bytes;",
        "packets, bytes, more;",
        "values of 16 bytes where yours has 24",
    ),
    "more entries": ("max_entries, 8", "max_entries, 9000", "room for 8 entries .* has 9,000"),
    "another kind": ("TYPE_ARRAY", "TYPE_PERCPU_ARRAY", r"another kind, __uint\(type, …\)"),
    "other flags": (
        "__uint(max_entries, 8);",
        "__uint(max_entries, 8);\n\t__uint(map_flags, BPF_F_MMAPABLE);",
        r"other flags, __uint\(map_flags, …\)",
    ),
    "two differences": (
        "TYPE_ARRAY);\n\t__uint(max_entries, 8);\n\t__type(key, __u32)",
        "TYPE_HASH);\n\t__uint(max_entries, 8);\n\t__type(key, __u64)",
        r"another kind, .* and keys of 4 bytes where yours has 8",
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_a_map_of_another_layout_is_told_what_differs(what):
    old, new, words = OTHERS[what]
    other = C.replace(old, new).replace("__u32 key", "__u64 key")
    assert other != C
    kept = Program("it", C)
    with pytest.raises(BuildError, match=f"it cannot be loaded: a map lab_pinned .* {words}; give"):
        Program("it", other)
    PINNED.unlink()
    differs = Program("it", other)  # alone it may be so
    PINNED.unlink()
    kept = Program(kept)
    with pytest.raises(LabError, match=f"it cannot be loaded once more: .* {words}; give .*!rm /"):
        Program(differs)


def test_fields_that_change_places_are_nobody_s_difference():
    """libbpf compares sizes: what the bytes mean is between the two programs."""
    first = Program("it", C)
    first.run(PING)
    second = Program("it", C.replace("packets, bytes;", "bytes, packets;"))
    assert second["lab_pinned"][0] == {"bytes": 1, "packets": 0}

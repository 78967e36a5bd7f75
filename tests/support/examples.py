"""The examples of refusals.toml and remarks.toml as whole programs."""

from __future__ import annotations

from labsetup.errors import LabError
from labsetup.explaining.rules import Example

HERE = "// here"  # behind the line that is to be named

GLOBALS = """
struct name { u8 byte[16]; };
BPF_HASH(counts, u32, u64);
BPF_HASH(names, u32, struct name);
BPF_DEVMAP(ports, 4);
"""

LIBBPFS = """#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

SEC("xdp")
int bad(struct xdp_md *ctx)
"""

# What an example's `before` may name: the includes, and how the function's body begins.
PACKET = """	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
"""
BEFORE = {
    "packet": PACKET,
    "ethernet": f"""{PACKET}	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;
""",
    "lookup": """	u32 key = 0;
	u64 *count = counts.lookup(&key);
""",
    "parse": """	struct packet pkt;
	parse(ctx, &pkt);
""",
    "libbpf": "",
}


def source_of(example: Example) -> str:
    """Its C, whole; empty where it has none."""
    if example.program or not (example.body or example.before):
        return example.program
    before = example.before.split()
    if unknown := set(before) - BEFORE.keys():
        raise LabError(f"before has no {min(unknown)}; it may have {', '.join(BEFORE)}")
    header = "parse.h" if "parse" in before else "xdp.h"
    begin = "".join(BEFORE[name] for name in before)
    if "libbpf" in before:
        return f"{LIBBPFS}{{\n{begin}{example.body}}}\n"
    head = f'#include "{header}"\n{GLOBALS}\nint bad(struct xdp_md *ctx)\n'
    return f"{head}{{\n{begin}{example.body}}}\n"


def place_of(source: str) -> str:
    """The marked line, as a message is to name it; empty where none is marked."""
    lines = enumerate(source.splitlines(), 1)
    return next((f"line {n}, «{text.strip()}»" for n, text in lines if HERE in text), "")


def missing(example: Example, told: str) -> list[str]:
    """The words that the reader should be told, and is not."""
    return [words for words in example.says if words not in told]


def named(rules: dict[str, list[Example]]) -> dict[str, tuple[str, Example]]:
    """Every example with its entry, under a name for its test."""
    return {
        f"{rule}: {example.what or number}": (rule, example)
        for rule, examples in rules.items()
        for number, example in enumerate(examples, 1)
    }

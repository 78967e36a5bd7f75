"""A sentence's advice leads to a program that loads: refused, told, mended as told, accepted."""

from __future__ import annotations

import pytest

from labsetup.programs.build import BuildError, build
from labsetup.programs.sources import entry_of, with_capture

WHOLE = """#include "headers.h"

struct record { int size; u16 port; u8 rest[10]; };
BPF_RINGBUF_OUTPUT(notes, 8);

int looks(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > data_end)
		return XDP_PASS;
	struct record *one = (void *)(eth + 1);
	if ((void *)(one + 1) > data_end)
		return XDP_PASS;
	u8 copy[64] = {};
	u8 *byte;
	BODY
	return XDP_PASS;
}
"""
READ = """
	if ((void *)(byte + 1) > data_end)
		return XDP_PASS;
	return *byte == 9 ? XDP_DROP : XDP_PASS;"""
SUM = """u16 *word = data;
	u32 sum = 0;
	for (int i = 0; i < 750; i++) {
		barrier_var(word);
		if ((void *)(word + 1) > data_end)
			break;
		sum += *word++;
	}
	return sum & 1 ? XDP_DROP : XDP_PASS;"""
TURNS = """byte = data;
	for (int i = 0; i < 64; i++) {
		%s
		if (*byte++ == 9)
			return XDP_DROP;
	}"""
LOADED = "if (bpf_xdp_load_bytes(ctx, 0, copy, n))\n\t\treturn XDP_PASS;\n\treturn copy[60];"

# What is refused, words of the sentence, and the same mended as it says.
MENDED = {
    "a signed number, one bound": (
        f"int n = one->size;\n\tif (n > 900)\n\t\treturn XDP_PASS;\n\tbyte = data + n;{READ}",
        "bound the number before it is added",
        "int n = one->size;\n\tif (n < 0 || n > 900)\n\t\treturn XDP_PASS;\n"
        f"\tbyte = data + n;{READ}",
    ),
    "a signed number, masked": (
        f"byte = data + one->size;{READ}",
        "mask it, as in n & 0x7ff",
        f"byte = data + (one->size & 0x7ff);{READ}",
    ),
    "16 bits as they are": (
        f"byte = data + one->port;{READ}",
        "mask it, as in n & 0x7ff",
        f"byte = data + (one->port & 0x7ff);{READ}",
    ),
    "16 bits turned round": (
        f"byte = data + ntohs(one->port);{READ}",
        "or leave where it is too large, as in if (n > 1500)",
        "u64 n = ntohs(one->port);\n\tif (n > 1500)\n\t\treturn XDP_PASS;\n"
        f"\tbyte = data + n;{READ}",
    ),
    "too little proved": (
        "return *(u64 *)(data + 24) ? XDP_DROP : XDP_PASS;",
        "up to 24 + 8 = 32, and has proved that 30 bytes are there",
        "if (data + 32 > data_end)\n\t\treturn XDP_PASS;\n"
        "\treturn *(u64 *)(data + 24) ? XDP_DROP : XDP_PASS;",
    ),
    "the last byte": (
        "u64 n = data_end - data;\n\tif (n > 1500)\n\t\treturn XDP_PASS;\n"
        f"\tbyte = data + n - 1;{READ}",
        "barrier_var(n); n = (n - 1) & 0x7ff;",
        "u64 n = data_end - data;\n\tif (n > 1500)\n\t\treturn XDP_PASS;\n"
        f"\tbarrier_var(n);\n\tn = (n - 1) & 0x7ff;\n\tbyte = data + n;{READ}",
    ),
    "the last byte, nothing asked": (
        "u64 n = data_end - data;\n\tbyte = data + n - 1;\n\treturn *byte ? XDP_DROP : XDP_PASS;",
        "barrier_var(n); n = (n - 1) & 0x7ff;",
        "u64 n = data_end - data;\n\tbarrier_var(n);\n\tn = (n - 1) & 0x7ff;\n"
        f"\tbyte = data + n;{READ}",
    ),
    "the wrong side": (
        "if (data + 60 > data_end)\n\t\treturn ((u8 *)data)[59] ? XDP_DROP : XDP_PASS;",
        "turn that comparison round",
        "if (data + 60 <= data_end)\n\t\treturn ((u8 *)data)[59] ? XDP_DROP : XDP_PASS;",
    ),
    "equal to the end": (
        "if (data + 60 == data_end)\n\t\treturn ((u8 *)data)[59] ? XDP_DROP : XDP_PASS;",
        "compares with data_end by == or !=",
        "if (data + 60 > data_end)\n\t\treturn XDP_PASS;\n"
        "\treturn ((u8 *)data)[59] ? XDP_DROP : XDP_PASS;",
    ),
    "a loop that ends at the end": (
        TURNS % "if ((void *)byte == data_end)\n\t\t\tbreak;",
        "begin each one with barrier_var(pointer)",
        TURNS % "barrier_var(byte);\n\t\tif ((void *)(byte + 1) > data_end)\n\t\t\tbreak;",
    ),
    "a loop while it is not the end": (
        "byte = data;\n\twhile ((void *)byte != data_end)\n\t\tif (*byte++ == 9)\n"
        "\t\t\treturn XDP_DROP;",
        "begin each one with barrier_var(pointer)",
        TURNS % "barrier_var(byte);\n\t\tif ((void *)(byte + 1) > data_end)\n\t\t\tbreak;",
    ),
    "a checksum over all": (
        "u32 n = data_end - data;\n\treturn bpf_csum_diff(0, 0, data, n & ~3, 0) & 1;",
        "add the words in a loop",
        SUM,
    ),
    "a checksum over as much as is there, masked": (
        "u64 n = (data_end - data) & 0x1fc;\n\tif (data + n > data_end)\n\t\treturn XDP_PASS;\n"
        "\treturn bpf_csum_diff(0, 0, data, n, 0) & 1;",
        "add the words in a loop",
        SUM,
    ),
    "a checksum over a fixed length": (
        "return bpf_csum_diff(0, 0, data, 40, 0) & 1;",
        "up to 0 + 40 = 40, and has proved that 30 bytes are there",
        "if (data + 40 > data_end)\n\t\treturn XDP_PASS;\n"
        "\treturn bpf_csum_diff(0, 0, data, 40, 0) & 1;",
    ),
    "a copy of unknown length": (
        f"u32 n = data_end - data;\n\tif (n > 64)\n\t\tn = 64;\n\t{LOADED}",
        "barrier_var(n); n &= 63; if (n == 0) return XDP_PASS;",
        f"u64 n = data_end - data;\n\tif (n > 63)\n\t\tn = 63;\n\tbarrier_var(n);\n\tn &= 63;\n"
        f"\tif (n == 0)\n\t\treturn XDP_PASS;\n\t{LOADED}",
    ),
    "a copy that may be empty": (
        f"u64 n = (data_end - data) & 31;\n\t{LOADED}",
        "if (n == 0) return XDP_PASS;",
        f"u64 n = data_end - data;\n\tbarrier_var(n);\n\tn &= 31;\n\tif (n == 0)\n"
        f"\t\treturn XDP_PASS;\n\t{LOADED}",
    ),
    "a record of unknown length": (
        "void *note = notes.ringbuf_reserve(data_end - data);\n\tif (note)\n"
        "\t\tnotes.ringbuf_discard(note, 0);",
        "ringbuf_reserve(64)",
        "void *note = notes.ringbuf_reserve(64);\n\tif (note)\n\t\tnotes.ringbuf_discard(note, 0);",
    ),
    "an index by or": (
        "copy[one->rest[0] & 3] = 1;\n\tbpf_trace_printk(\"%d\", copy[2]);",
        "barrier_var(at); behind its mask",
        "u64 at = one->rest[0] & 3;\n\tbarrier_var(at);\n\tcopy[at] = 1;\n"
        "\tbpf_trace_printk(\"%d\", copy[2]);",
    ),
    "bytes compared": (
        'return __builtin_memcmp(one->rest, "GET / HTTP", 10) ? XDP_PASS : XDP_DROP;',
        "text[0] == 'G' && text[1] == 'E'",
        "return one->rest[0] == 'G' && one->rest[1] == 'E' ? XDP_DROP : XDP_PASS;",
    ),
    "an incomplete struct": (
        "struct tcphdr *tcp = data;\n\tif ((void *)(tcp + 1) > data_end)\n\t\treturn XDP_PASS;\n"
        "\treturn tcp->syn ? XDP_DROP : XDP_PASS;",
        "#include <uapi/linux/tcp.h> has struct tcphdr",
        "#include <uapi/linux/tcp.h>",
    ),
    "printed by C": (
        'printf("%d", one->size);',
        'bpf_printk("%d", number) of xdp.h prints a line',
        'bpf_printk("%d", one->size);',
    ),
}  # fmt: skip


def source_of(body: str) -> str:
    return WHOLE.replace("BODY", body)


@pytest.mark.parametrize("name", MENDED)
def test_the_mend_of_what_is_refused(name):
    body, words, mend = MENDED[name]
    with pytest.raises(BuildError) as caught:
        build("looks", source_of(body), "looks")
        if name == "bytes compared":
            pytest.skip("this clang has instructions for that")
    assert words in str(caught.value)
    mended = f"{mend}\n{source_of(body)}" if mend.startswith("#") else source_of(mend)
    if mend.startswith("#"):
        mended = source_of(body).replace('"headers.h"', f'"headers.h"\n{mend}')
    build("looks", mended, "looks")


def test_words_in_remarks_and_texts_change_nothing():
    """The same refusal with and without words that might pass for C."""
    body, words, _ = MENDED["16 bits as they are"]
    chatter = (
        '/* ntohs, data_end - x, == data_end, while (1) { */\n\tbpf_trace_printk("ntoh end - 1");'
    )
    said = set()
    for text in (source_of(body), source_of(f"{chatter}\n\t{body}")):
        with pytest.raises(BuildError) as caught:
            build("looks", text, "looks")
        said.add(str(caught.value).partition("»")[2])
    assert len(said) == 1
    assert words in said.pop()


def test_a_function_that_calls_itself_by_another():
    text = (
        '#include "xdp.h"\nstatic int odd(int n);\n'
        "static int even(int n)\n{\n\treturn n < 1 ? 1 : odd(n - 1);\n}\n"
        "static int odd(int n)\n{\n\treturn n < 1 ? 0 : even(n - 1);\n}\n"
        "int looks(struct xdp_md *ctx)\n{\n\treturn even(ctx->rx_queue_index);\n}\n"
    )
    with pytest.raises(BuildError) as caught:
        build("looks", text, "looks")
    assert "() calls itself" in str(caught.value)


@pytest.mark.parametrize(
    "head",
    ['SEC("xdp") int walks(', "int\nwalks(", "int  walks ( ", "/* static */ int walks("],
)
def test_the_program_among_functions(head):
    source = (
        '#include "xdp.h"\n/* int not_me(struct xdp_md *ctx) */\n'
        "static __always_inline int part(struct xdp_md *ctx)\n{\n\treturn XDP_PASS;\n}\n"
        f"{head}struct xdp_md *ctx)\n{{\n\treturn part(ctx);\n}}\n"
    )
    assert entry_of("mine", source) == "walks"
    build("walks", source, "walks")
    build("walks", with_capture(source, "walks"), "capture")

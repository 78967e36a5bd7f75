"""Which function of a file is the program, however it is written."""

from __future__ import annotations

import re

import pytest

from labsetup import ICMP, IP, Ether, LabError, Program, record
from labsetup.programs.sources import entries, entry_of

BODY = "{ return XDP_DROP; }"
HELPER = "static __always_inline int help(struct xdp_md *ctx) { return XDP_DROP; }\n"
WAYS = {
    "at the line's start": f"int drops(struct xdp_md *ctx) {BODY}",
    "behind spaces": f"\t  int drops(struct xdp_md *ctx) {BODY}",
    "on two lines": f"int\ndrops(struct xdp_md *ctx)\n{BODY}",
    "with odd spaces": f"int  drops ( struct  xdp_md  * ctx ) {BODY}",
    "behind a struct": f"struct one {{ int number; }}; int drops(struct xdp_md *ctx) {BODY}",
    "behind a helper": f"{HELPER}int drops(struct xdp_md *ctx) {{ return help(ctx); }}",
    "with an attribute": f"__attribute__((unused))\nint drops(struct xdp_md *context) {BODY}",
    "beside a comment": f"/* int not_me(struct xdp_md *x) */\nint drops(struct xdp_md *ctx) {BODY}",
    "beside a line": f"// int not_me(struct xdp_md *x)\nint drops(struct xdp_md *ctx) {BODY}",
    "beside a macro": f"#define W int no(struct xdp_md *x)\nint drops(struct xdp_md *ctx) {BODY}",
    "declared first": f"int drops(struct xdp_md *ctx);\nint drops(struct xdp_md *ctx) {BODY}",
}


@pytest.mark.parametrize("way", WAYS)
def test_the_function_is_found(way, tmp_path):
    assert entries(WAYS[way]) == ["drops"]
    path = tmp_path / "called-otherwise.c"
    path.write_text(WAYS[way])
    assert Program(path).run(Ether() / IP()).verdict == "XDP_DROP"


@pytest.mark.parametrize("way", ["behind spaces", "on two lines", "behind a helper"])
def test_a_capture_finds_it_too(net, way):
    program = Program("mine", WAYS[way], capture=True)
    program.attach(net.server.eth0)
    with record(program) as seen:
        net.client.ping(net.server, count=1, wait=0.2)
    assert {fate.verdict for fate in seen} == {"XDP_DROP"}


def test_of_several_the_name_says_which():
    two = f"int one(struct xdp_md *ctx) {BODY}\n  int two(struct xdp_md *ctx) {BODY}"
    assert entry_of("two", two) == "two"
    with pytest.raises(LabError, match="mine has the functions one, two"):
        entry_of("mine", two)


LIBBPFS = "#include <linux/bpf.h>\n#include <bpf/bpf_helpers.h>\n"
OTHERS = {
    "tc's": "#include <linux/bpf.h>\nint drops(struct __sk_buff *skb) { return skb->protocol; }",
    "a probe's": f"int drops(struct pt_regs *ctx, int number) {BODY}",
    "of a socket": f"int\ndrops ( const struct bpf_sock_ops * ctx )\n{BODY}",
    "of BCC's example": "int drops(struct CTXTYPE *ctx) { return ctx->data ? 1 : 2; }",
    "misspelt": f"int drops(struct xdp_mdd *ctx) {BODY}",
    "in libbpf's C": f'{LIBBPFS}SEC("xdp")\nint drops(struct __sk_buff *skb) {BODY}',
}


@pytest.mark.parametrize("capture", [False, True])
@pytest.mark.parametrize("which", OTHERS)
def test_another_context_is_refused(which, capture):
    with pytest.raises(LabError) as caught:
        Program("drops", OTHERS[which], capture=capture)
    assert re.match(r"drops takes a struct \w+ at line \d+, «.*drops", str(caught.value))
    assert str(caught.value).endswith("write int drops(struct xdp_md *ctx)")


SIMILAR = {
    "a helper's": f"{HELPER}static int more(struct ethhdr *eth) {BODY}\n"
    "int drops(struct xdp_md *ctx) { return more((void *)(long)ctx->data); }",
    "beside tc's": f"int other(struct __sk_buff *skb) {BODY}\nint drops(struct xdp_md *ctx) {BODY}",
    "put there": f"#define CTXTYPE xdp_md\nint drops(struct CTXTYPE *ctx) {BODY}",
    "a struct of one's own": f"struct own {{ u32 data; }};\nint drops(struct own *ctx) {BODY}",
    "anything": f"int drops(void *ctx) {BODY}",
    "in a remark": f"/* int drops(struct pt_regs *ctx) {{ */\nint drops(void *ctx) {BODY}",
    "another's, in libbpf's C": f"{LIBBPFS}__noinline int more(struct iphdr *ip) {BODY}\n"
    f'SEC("xdp") int drops(void *ctx) {BODY}',
}


@pytest.mark.parametrize("which", SIMILAR)
def test_what_may_look_like_another_context(which):
    begin = "" if "SEC" in SIMILAR[which] else '#include "xdp.h"\n'
    assert Program("drops", begin + SIMILAR[which]).run(Ether() / IP()).verdict == "XDP_DROP"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_kind_of_bytes_is_a_packet(net, kind):
    raw = kind(bytes(Ether() / IP() / ICMP()))
    assert Program("xdp_drop").run(raw).verdict == "XDP_DROP"
    net.client.eth0.peer  # noqa: B018
    from labsetup import journey, send

    send(net.client.eth0, raw)
    send(net.client.eth0, [raw, raw])
    assert "reaches the stack" in repr(journey(net, net.client.eth0, raw))

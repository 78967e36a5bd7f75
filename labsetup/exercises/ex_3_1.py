"""A sum that outlives the packet."""

from ..hosts import cpus
from ..packets import ARP, ICMP, IP, TCP, Ether, IPv6, Raw
from . import LOST, PASS, at_once, equal, expect, summed

TITLE = "Count bytes"
TEXT = """
Packets are counted; now the load. **Add up the bytes of all frames**, whatever they carry, in the
one element of `frame_bytes`. A frame is `ctx->data_end - ctx->data` bytes
long; take this difference by itself. Every packet goes on.
"""
NAME = "load"
STARTER = """#include "xdp.h"

BPF_PERCPU_ARRAY(frame_bytes, u64, 1);

int load(struct xdp_md *ctx)
{
	/* your code */
	return XDP_PASS;
}
"""
STARTER_SAYS = "frame_bytes 0"
HINTS = (
    "icmp_count has the steps at its end: a key, a lookup, a check, an addition.",
    "The map holds u64, so lookup() gives a u64 *, a pointer. What do you add to what it points "
    "to, instead of one?",
    "int key = 0; u64 *bytes = frame_bytes.lookup(&key); and if (bytes), *bytes += the difference "
    "of ctx->data_end and ctx->data.",
)
SOLUTION = STARTER.replace(
    "	/* your code */\n",
    """	int key = 0;
	u64 *bytes = frame_bytes.lookup(&key);
	if (bytes)
		*bytes += ctx->data_end - ctx->data;

""",
)
COMPARE = (
    "No header is read here, so nothing has to be compared with data_end. Does yours read one?"
)
NEXT = (
    "Attach it, and send ten pings. How many bytes is a ping's frame, and does the sum fit? "
    "The answers leave without being counted. Then counter.attach(net.server.eth0), and the "
    "lesson's own counter is back in its place."
)

LENGTH = "ctx->data_end - ctx->data"
CLAIMED = """#include "xdp.h"

BPF_PERCPU_ARRAY(frame_bytes, u64, 1);

int load(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	struct iphdr *ip = data + 14;
	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;

	int key = 0;
	u64 *bytes = frame_bytes.lookup(&key);
	if (bytes)
		*bytes += ntohs(ip->tot_len);
	return XDP_PASS;
}
"""
NEAR_MISSES = {
    "packets, not bytes": ([(LENGTH, "1")], "counts packets"),
    "the last one's length": ([("+=", "=")], "only the last"),
    "without the Ethernet header": ([(LENGTH, f"{LENGTH} - 14")], "Ethernet header"),
    "dropped once counted": ([("return XDP_PASS", "return XDP_DROP")], "XDP_DROP"),
    "in a variable of its own": (
        [("*bytes += ctx", "{ u64 sum = *bytes; sum += ctx"), ("data;", "data; }")],
        "frame_bytes 0",
    ),
    "another element": ([("int key = 0", "int key = 1")], "With which key"),
    "added where there is nothing": (
        [("if (bytes)", "if (!bytes)")], "when is the addition done",
    ),
    "added to the pointer": ([("*bytes +=", "bytes +=")], "to the pointer, or to what"),
    "a length one byte wide": (
        [(f"*bytes += {LENGTH};", f"{{ u8 length = {LENGTH}; *bytes += length; }}")],
        "frame_bytes 60 think How large a number",
    ),
    "a sum two bytes wide": (
        [(f"*bytes += {LENGTH};", f"{{ u16 sum = *bytes + ({LENGTH}); *bytes = sum; }}")],
        "How large a number",
    ),
    "the end from the beginning": (
        [(LENGTH, "ctx->data - ctx->data_end")], "which of the two ends is the larger",
    ),
    "IPv4 only": (
        """#include "xdp.h"

BPF_PERCPU_ARRAY(frame_bytes, u64, 1);

int load(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *data_end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	if ((void *)(eth + 1) > data_end || eth->h_proto != htons(ETH_P_IP))
		return XDP_PASS;

	int key = 0;
	u64 *bytes = frame_bytes.lookup(&key);
	if (bytes)
		*bytes += data_end - data;
	return XDP_PASS;
}
""",
        "whatever they carry",
    ),
    "the length that IPv4 claims": (CLAIMED, "from where on does it count"),
    "the same, in the order of the wire": (
        CLAIMED.replace("ntohs(ip->tot_len)", "ip->tot_len"), "in which order do its bytes stand",
    ),
    "the size of a pointer": ([(LENGTH, "sizeof(ctx)")], "It adds 8 for this frame"),
    "the size of a header": ([(LENGTH, "sizeof(struct ethhdr)")], "It adds 14 for this frame"),
    "bits, not bytes": ([(LENGTH, f"({LENGTH}) * 8")], "Are bits what is asked for"),
}  # fmt: skip
if len(cpus()) > 1:  # with one CPU there is no difference
    NEAR_MISSES["one counter for all CPUs"] = ([("PERCPU_ARRAY", "ARRAY")], LOST)
ALTERNATIVES = {
    "with BCC's own word for it": [
        ("	int key = 0;\n	u64 *bytes = frame_bytes.lookup(&key);\n	if (bytes)\n", ""),
        (f"		*bytes += {LENGTH};", f"	frame_bytes.increment(0, {LENGTH});"),
    ],
    "one counter for all CPUs, atomically": [
        ("PERCPU_ARRAY", "ARRAY"),
        (f"*bytes += {LENGTH}", f"__sync_fetch_and_add(bytes, {LENGTH})"),
    ],
    "out early": [
        (
            "	if (bytes)\n		*bytes",
            "	if (!bytes)\n		return XDP_PASS;\n\n	*bytes",
        ),
    ],
}

FRAMES = {
    "a ping": Ether() / IP() / ICMP(),
    "a large ping": Ether() / IP() / ICMP() / Raw(bytes(1000)),
    "TCP": Ether() / IP() / TCP(),
    "ARP": Ether() / ARP(),
    "IPv6": Ether() / IPv6() / Raw(bytes(100)),
    "something unknown": Ether(type=0x88B5) / b"experiment",
}
WIDTH = "How large a number does your variable hold?"


def check(program):
    total = 0
    for number, (what, packet) in enumerate(FRAMES.items(), 1):
        run = expect(program, what, packet, PASS, "Counting is all; every packet goes on.")
        before, total = total, total + len(run.before)
        found = summed(program["frame_bytes"][0])
        think = f"It adds {found - before} for this frame. Of what is that the size?"
        if found == number:
            think = "It counts packets. What is added for each?"
        elif found == before:
            think = "This one was not added. All frames count, whatever they carry."
        elif found == len(run.before):
            think = "The map holds only the last one's length."
        elif found in (total - 14 * number, before + len(run.before) - 14):
            think = (
                "14 bytes are missing for each: is the Ethernet header part of the frame? If a "
                "field gave you the length: from where on does it count?"
            )
        elif found < total and (total - found) % 256 == 0:
            think = WIDTH
        elif found - before == 8 * len(run.before):
            think = "Are bits what is asked for, or bytes?"
        elif found > total:
            think = (
                "That is more than the frame has. If a field gave you the length: in which order "
                "do its bytes stand in the packet?"
            )
        sent = f"{what} of {len(run.before)} bytes, {total} bytes in all so far"
        if found == 0:
            think = (
                "Nothing has come into frame_bytes[0]. With which key do you look it up, and when "
                "is the addition done? To what do you add: to the pointer, or to what it points "
                "to, as *count in icmp_count?"
            )
        elif (found + total) % 2**32 == 0:
            think = "So large is what falls below 0: which of the two ends is the larger?"
        equal(sent, "frame_bytes", total, found, think)
    before = 2**32 - 10
    program["frame_bytes"][0] = before  # of each CPU's copy, where each has one
    before = summed(program["frame_bytes"][0])
    run = program.run(FRAMES["a ping"])
    grown = summed(program["frame_bytes"][0]) - before
    sent = f"a ping of {len(run.before)} bytes, when {2**32 - 10:,} bytes have come"
    equal(sent, "frame_bytes grows by", len(run.before), grown, WIDTH)
    # Where CPUs share a sum, a tenth of it is lost: five rounds without a loss are no luck.
    for _ in range(5):
        program["frame_bytes"].clear()
        sent, times = at_once(program, f"a ping of {len(run.before)} bytes", FRAMES["a ping"])
        total, found = len(run.before) * times, summed(program["frame_bytes"][0])
        equal(sent, "frame_bytes", total, found, f"{LOST} Which two cures did you see?")

"""An answer by exchange alone: a sum does not mind the order."""

import socket

from ..packets import ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether, IPv6, frame
from ..topologies import two_hosts
from . import PASS, TX, Wrong, expect, expect_each

TITLE = "Echo"
TEXT = """
The echo service of 1983 (RFC 862) sends each datagram back as it came. **Send UDP to port 7 back
from XDP**, over IPv4: sender and receiver change places in all three headers, Ethernet, IP and UDP,
and nothing else changes.

What comes *from* port 7 goes on to the stack, or two such servers would never stop talking. So does
all else, and unchanged.

No checksum has to be mended. Why not?
"""
NAME = "echo"
STARTER = """#include "parse.h"

int echo(struct xdp_md *ctx)
{
	struct packet pkt;
	parse(ctx, &pkt);
	struct udphdr *udp = pkt.l4;
	if (!pkt.ip || !udp || (void *)(udp + 1) > pkt.end || pkt.protocol != IPPROTO_UDP)
		return XDP_PASS;

	/* your code */
	return XDP_PASS;
}
"""
STARTER_SAYS = "UDP to port 7"
HINTS = (
    "Ask for the ports first. Then three exchanges: mac_swap has the first, echo_reply the "
    "second; the third is like the second, with 16 bits.",
    "An exchange needs a third place: what is overwritten first must be kept. Use "
    "u8 mac[ETH_ALEN], a __be32 and a __be16.",
    "pkt.eth->h_dest with h_source, pkt.ip->saddr with daddr, udp->source with dest; then XDP_TX.",
)
SOLUTION = STARTER.replace(
    "	/* your code */\n	return XDP_PASS;\n",
    """	if (udp->dest != htons(7) || udp->source == htons(7))
		return XDP_PASS;

	struct ethhdr *eth = pkt.eth;
	u8 mac[ETH_ALEN];
	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);

	__be32 address = pkt.ip->saddr;
	pkt.ip->saddr = pkt.ip->daddr;
	pkt.ip->daddr = address;

	__be16 port = udp->source;
	udp->source = udp->dest;
	udp->dest = port;
	return XDP_TX;
""",
)
COMPARE = (
    "Both checksums are sums, and yours has only changed the order of what they add up: the "
    "addresses are in both, the ports in UDP's."
)
NEXT = (
    "Why was no checksum to be mended? Each is a sum, and you changed only the order of what it "
    "adds up. Now follow one: net = two_hosts(); Program(echo, capture=True).attach("
    "net.server.eth0); journey(net, net.client.eth0, IP() / UDP(sport=4242, dport=7) / b'hello'). "
    "Nobody at the client has port 4242, so an ICMP error comes last. What would happen to a "
    "datagram to the broadcast address?"
)

SWAP_MACS = """	__builtin_memcpy(mac, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, mac, ETH_ALEN);
"""
SWAP_ADDRESSES = """	pkt.ip->saddr = pkt.ip->daddr;
	pkt.ip->daddr = address;
"""
SWAP_PORTS = """	udp->source = udp->dest;
	udp->dest = port;
"""
ASK = """	if (udp->dest != htons(7) || udp->source == htons(7))
		return XDP_PASS;
"""
ASK_LATE = """	if (udp->source != htons(7) || udp->dest == htons(7))
		return XDP_PASS;
"""
NEAR_MISSES = {
    "MACs not swapped": ([(SWAP_MACS, "")], "Ether dst"),
    "addresses not swapped": ([(SWAP_ADDRESSES, "")], "IP src"),
    "ports not swapped": ([(SWAP_PORTS, "")], "UDP sport"),
    "sent back as it came": (
        [(SWAP_MACS, ""), (SWAP_ADDRESSES, ""), (SWAP_PORTS, "")], "Ether dst",
    ),
    "nothing but the verdict": (
        STARTER.replace("/* your code */\n	return XDP_PASS;", "return XDP_TX;"), "Ether dst",
    ),
    "only the MACs": (
        STARTER.replace(
            "/* your code */\n	return XDP_PASS;",
            f"u8 mac[ETH_ALEN];\n	struct ethhdr *eth = pkt.eth;\n{SWAP_MACS}	return XDP_TX;",
        ),
        "IP src",
    ),
    "no third place, and nothing asked": (
        [(ASK, ""), ("pkt.ip->daddr = address", "pkt.ip->daddr = pkt.ip->saddr")], "IP dst",
    ),
    "no third place": (
        [("pkt.ip->daddr = address", "pkt.ip->daddr = pkt.ip->saddr")], "overwritten first is lost",
    ),
    "no third place for the ports": ([("udp->dest = port", "udp->dest = udp->source")], "is lost"),
    "no third place for the MACs": (
        [(SWAP_MACS, SWAP_MACS.replace("source, mac", "source, eth->h_dest"))], "is lost",
    ),
    "a pointer as the third place": (
        [("	u8 mac[ETH_ALEN];\n", ""),
         (SWAP_MACS, SWAP_MACS.replace("__builtin_memcpy(mac, eth->h_dest, ETH_ALEN)",
                                       "u8 *mac = eth->h_dest"))],
        "a pointer keeps no copy",
    ),
    "a pointer to the header as the third place": (
        [("	u8 mac[ETH_ALEN];\n", "	struct ethhdr *old = pkt.eth;\n"),
         (SWAP_MACS, """	__builtin_memcpy(eth->h_dest, old->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, old->h_dest, ETH_ALEN);
""")],
        "a pointer keeps no copy",
    ),
    "the port in host byte order": (
        [("udp->dest != htons(7) ||", "udp->dest != 7 ||")],
        "1792",
    ),
    "two servers that never stop": ([(" || udp->source == htons(7)", "")], "from port 7"),
    "all of UDP": ([(ASK, "")], "UDP to another port"),
    "swapped before it is asked": (
        [(ASK, ""), ("	return XDP_TX", ASK_LATE + "	return XDP_TX")],
        "before all questions are asked",
    ),
    "a checksum mended that was right": (
        [('#include "parse.h"', '#include "checksum.h"\n#include "parse.h"'),
         ("	return XDP_TX", "	udp->check = mended(udp->check, udp->dest, udp->source);\n"
          "	return XDP_TX")],
        "UDP chksum",
    ),
    "UDP at a fixed place": ([("*udp = pkt.l4;", "*udp = (void *)(pkt.ip + 1);")], "IP options"),
    "let through after all": ([("return XDP_TX", "return XDP_PASS")], "XDP_PASS"),
}  # fmt: skip
ALTERNATIVES = {
    "with the compiler's own copies": [
        (f"	u8 mac[ETH_ALEN];\n{SWAP_MACS}", """	struct ethhdr old = *eth;
	__builtin_memcpy(eth->h_dest, old.h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, old.h_dest, ETH_ALEN);
"""),
    ],
    "exchanged without a third place": [
        ("	__be32 address = pkt.ip->saddr;\n" + SWAP_ADDRESSES,
         "	pkt.ip->saddr ^= pkt.ip->daddr;\n	pkt.ip->daddr ^= pkt.ip->saddr;\n"
         "	pkt.ip->saddr ^= pkt.ip->daddr;\n"),
    ],
    "mended, though nothing changes": [
        ('#include "parse.h"', '#include "checksum.h"\n#include "parse.h"'),
        ("	return XDP_TX", "	if (udp->check)\n		udp->check = mended(mended(udp->check, "
         "udp->source, udp->dest), udp->dest, udp->source);\n	return XDP_TX"),
    ],
}  # fmt: skip


def datagram(sport=4242, dport=7, **ip):
    return Ether() / IP(**ip) / UDP(sport=sport, dport=dport) / b"are you there?"


def turned(packet):
    """The same frame with sender and receiver exchanged, its checksums as they were."""
    whole = Ether(frame(packet))
    for layer, *names in ((Ether, "src", "dst"), (IP, "src", "dst"), (UDP, "sport", "dport")):
        one, other = names
        header = whole[layer]
        first, second = header.getfieldval(one), header.getfieldval(other)
        header.setfieldval(one, second)
        header.setfieldval(other, first)
    return bytes(whole)


ELSE = "All else goes on unchanged. Is the question asked before anything is written?"
SWAPPED = "1792 is 7 with its two bytes in the other order."
FOREVER = "An answer comes from port 7. If that is answered, too, when does it end?"
BEHIND = "With options UDP lies further back: parse() has found it."
WHERE = "Who sends the answer, and to whom, in each of the three headers? And what stays?"
LOST = "What was overwritten first is lost: a pointer keeps no copy."
ENDS = ((0, 6), (26, 4), (34, 2))  # where a header's two ends stand side by side, and their size

OTHERS = [
    ("UDP to another port", datagram(dport=53), PASS, ELSE),
    ("UDP to port 1792", datagram(dport=1792), PASS, SWAPPED),
    ("UDP from port 7, an answer", datagram(sport=7, dport=4242), PASS, ELSE),
    ("UDP from port 7 to port 7", datagram(sport=7), PASS, FOREVER),
    ("TCP to port 7", IP() / TCP(dport=7), PASS, ELSE),
    ("a ping", IP() / ICMP(), PASS, ELSE),
    ("UDP to port 7 over IPv6", IPv6() / UDP(sport=4242, dport=7) / b"hello", PASS,
     "Only IPv4 is asked for here."),
    ("ARP", ARP(), PASS, ELSE),
]  # fmt: skip
MINE = {
    "UDP to port 7": datagram(),
    "UDP to port 7 without a checksum": Ether() / IP() / UDP(sport=4242, dport=7, chksum=0) / b"x",
    "UDP to port 7 with IP options": datagram(options=b"\x01" * 8),
    "UDP to port 7 with a TTL of 1": datagram(ttl=1),
    "UDP to port 7 with a VLAN tag": Ether() / Dot1Q(vlan=7) / IP() / UDP(sport=9, dport=7) / b"x",
}


def check(program):
    what, packet = next(iter(MINE.items()))
    run = program.run(packet)
    if run.verdict == TX:  # then it is known which field of it is wrong
        same = [at for at, n in ENDS if run.after[at : at + n] == run.after[at + n : at + 2 * n]]
        expect(program, what, packet, TX, LOST if same else WHERE, turned(packet))
    expect_each(program, OTHERS)
    for what, packet in MINE.items():
        think = (
            "With options UDP lies further back: parse() has found it." if "IP" in what else WHERE
        )
        expect(program, what, packet, TX, think, turned(packet))
    net = two_hosts()
    program.attach(net.server.eth0)
    for size in (0, 1, 14, 1400):
        said = bytes(size)
        if ask(net, said) != said:
            sent = f"a datagram of {size} bytes over a network"
            think = "On single packets all is well. Follow its journey."
            raise Wrong(sent, "it comes back", "it does not", think)


def ask(net, said):
    with net.client.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        ours.settimeout(0.5)
        ours.connect(("192.0.2.2", 7))
        try:
            ours.send(said)
            return ours.recv(2000)
        except OSError:
            return None

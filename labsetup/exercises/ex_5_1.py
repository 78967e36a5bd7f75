"""An answer by exchange alone: a sum does not mind the order."""

import socket

from ..packets import ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether, Field, IPv6, frame
from ..topologies import two_hosts
from . import DROP, PASS, TX, Wrong, expect

TITLE = "Echo"
TEXT = """
The echo service of 1983 (RFC 862) sends each datagram back as it came. **Send UDP to port 7 back
from XDP**, over IPv4: sender and receiver change places in all three headers, Ethernet, IP and UDP,
and nothing else changes; a VLAN tag stays. A packet with IP options may go to the stack instead.

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
BY_BYTE = """	for (int i = {}; i {}; i++) {{
		mac[0] = eth->h_dest[i];
		eth->h_dest[i] = eth->h_source[i];
		eth->h_source[i] = mac[0];
	}}
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
    "memcpy from what it is to fill": (
        [(SWAP_MACS, """	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
"""), ("u8 mac[ETH_ALEN];", "u8 mac[ETH_ALEN] = {};")],
        "to, from, and how many bytes",
    ),
    "all but the last byte": ([(SWAP_MACS, BY_BYTE.format("0", "< 5"))], "How many has it"),
    "all but the first byte": (
        [(SWAP_MACS, BY_BYTE.format("1", "< ETH_ALEN"))], "How many has it",
    ),
    "one byte too many": ([(SWAP_MACS, BY_BYTE.format("0", "<= ETH_ALEN"))], "Ether type: "),
    "half of the address": (
        [("	__be32 address = pkt.ip->saddr;\n" + SWAP_ADDRESSES,
          "	__be16 *one = (void *)&pkt.ip->saddr, *other = (void *)&pkt.ip->daddr, half = *one;\n"
          "	*one = *other;\n	*other = half;\n")],
        "How many has it",
    ),
    "the port in host byte order": (
        [("udp->dest != htons(7) ||", "udp->dest != 7 ||")],
        "1792 is 7",
    ),
    "a port written in host byte order": (
        [(SWAP_PORTS, "	udp->source = 7;\n	udp->dest = port;\n")], "1792 is 7",
    ),
    "half of the port it goes to": (
        [("udp->dest != htons(7) ||", "(u8)ntohs(udp->dest) != 7 ||")], "263 is 256",
    ),
    "half of the port it comes from": (
        [("udp->source == htons(7)", "(u8)ntohs(udp->source) == 7")], "263 is 256",
    ),
    "two servers that never stop": ([(" || udp->source == htons(7)", "")], "from port 7"),
    "all of UDP": ([(ASK, "")], "UDP to another port"),
    "one question where two are meant": (
        [(ASK, ASK.replace("||", "&&"))],
        "Which packets does your condition let through",
    ),
    "all but answers": (
        [("udp->dest != htons(7) || udp->source", "udp->source")],
        "Which packets does your condition let through",
    ),
    "answers dropped": (
        [(ASK, "	if (udp->source == htons(7))\n		return XDP_DROP;\n" + ASK)],
        "Which verdict lets a packet go on",
    ),
    "any protocol": (
        [(" || pkt.protocol != IPPROTO_UDP", "")], "Which packets does your condition let through",
    ),
    "redirected, and nowhere to": (
        [("return XDP_TX", "return XDP_REDIRECT")], "leave where it came in",
    ),
    "a condition that is never true": (
        [("udp->dest != htons(7) ||", "udp->dest != htons(7) || udp->source != htons(7) ||")],
        "come as far as the exchange",
    ),
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
    "asked at the right place, written at a fixed one": (
        [("	__be16 port", "	udp = (void *)(pkt.ip + 1);\n	if ((void *)(udp + 1) > pkt.end)\n"
          "		return XDP_PASS;\n	__be16 port")], "IP options",
    ),
    "with options passed on, and written into": (
        [("	__be16 port = ", "	if (pkt.options)\n		return XDP_PASS;\n	__be16 port = ")],
        "before all questions are asked",
    ),
    "with options dropped": (
        [(ASK, ASK + "	if (pkt.options)\n		return XDP_DROP;\n")],
        "Which verdict lets a packet go on",
    ),
    "let through after all": (
        [("return XDP_TX", "return XDP_PASS")], "leave where it came in",
    ),
}  # fmt: skip
ALTERNATIVES = {
    "with options passed on, as echo_reply does": [
        (ASK, ASK + "	if (pkt.options)\n		return XDP_PASS;\n"),
    ],
    "byte by byte": [(SWAP_MACS, BY_BYTE.format("0", "< ETH_ALEN"))],
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


# No byte of one end is in the same place of the other.
ENDS = {"src": "02:11:22:33:44:55", "dst": "06:aa:bb:cc:dd:ee"}
ADDRESSES = {"src": "198.51.100.7", "dst": "192.0.2.2"}


def datagram(sport=4242, dport=7, tag=None, **ip):
    ip = IP(**ADDRESSES, **ip) / UDP(sport=sport, dport=dport) / b"are you there?"
    return Ether(**ENDS) / (tag / ip if tag else ip)


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


ELSE = "All else goes on. Which packets does your condition let through to the exchange?"
GOES_ON = "All else goes on to the stack. Which verdict lets a packet go on?"
SWAPPED = "1792 is 7 with its two bytes in the other order."
HALF = "263 is 256 + 7. How many bytes has a port?"
FOREVER = "An answer comes from port 7. If that is answered, too, when does it end?"
BEHIND = "With options UDP lies further back: parse() has found it."
WHERE = "Who sends the answer, and to whom, in each of the three headers? And what stays?"
ASKED = "It came out as it went in. Does your program come as far as the exchange?"
LEAVES = "Which verdict lets a frame leave where it came in?"
LOST = "What was overwritten first is lost: a pointer keeps no copy."
COPIED = LOST + " And memcpy takes three things: to, from, and how many bytes."
PART = "Some bytes of a field changed places, and some did not. How many has it?"
BEYOND = "Ethernet's type lies behind the two addresses. How far does your program write?"

PLACES = ((0, 6), (26, 4), (34, 2))  # where a header's ends stand side by side, and their size

OTHERS = [
    ("UDP to another port", datagram(dport=53), ELSE),
    ("UDP to port 1792", datagram(dport=1792), SWAPPED),
    ("UDP to port 263", datagram(dport=263), HALF),
    ("UDP from port 7, an answer", datagram(sport=7, dport=4242), ELSE),
    ("UDP from port 7 to port 7", datagram(sport=7), FOREVER),
    ("TCP to port 7", IP() / TCP(dport=7), ELSE),
    ("a ping", IP() / ICMP(), ELSE),
    ("UDP to port 7 over IPv6", IPv6() / UDP(sport=4242, dport=7) / b"hello",
     "Only IPv4 is asked for here."),
    ("UDP to port 53, with IP options that look like ports",
     datagram(dport=53, options=b"\x01\x01\0\7" + b"\x01" * 4), BEHIND),
    ("ARP", ARP(), ELSE),
]  # fmt: skip
FIRST = ("UDP to port 7", datagram())
MINE = [
    ("UDP to port 7, from port 263", datagram(sport=263), HALF),
    ("UDP to port 7 without a checksum",
     Ether() / IP() / UDP(sport=4242, dport=7, chksum=0) / b"x", WHERE),
    ("UDP to port 7 with a TTL of 1", datagram(ttl=1), WHERE),
    ("UDP to port 7 with a VLAN tag", datagram(tag=Dot1Q(vlan=7)), WHERE),
]  # fmt: skip
OPTIONS = ("UDP to port 7 with IP options", datagram(options=b"\x01" * 8), BEHIND)


def thought(run):
    """On what became of the first datagram, which is to be sent back."""
    if run.verdict != TX:
        return ASKED if run.after == run.before else LEAVES
    if run.after[34:36] == b"\7\0":
        return SWAPPED
    for at, size in PLACES:
        old, new = (
            [raw[at : at + size], raw[at + size : at + 2 * size]] for raw in (run.before, run.after)
        )
        if new[0] == new[1]:
            return LOST if at else COPIED
        moved = [new[0][i : i + 1] == old[1][i : i + 1] for i in range(size)]
        if any(moved) and not all(moved):
            return PART
    return WHERE


def goes_on(program, what, packet, think):
    """What is not asked for reaches the stack as it came."""
    expect(program, what, packet, PASS, GOES_ON if program.run(packet).verdict == DROP else think)


def comes_back(program, what, packet, think):
    """What is asked for is turned round, and nothing else of it is changed."""
    expect(program, what, packet, TX, think, turned(packet))


def check(program):
    what, packet = FIRST
    run = program.run(packet)
    type_before, type_after = (int.from_bytes(raw[12:14]) for raw in (run.before, run.after))
    if type_before != type_after:  # all that lies behind it would be told as something else
        differs = [Field("Ether", "type", f"{type_before:#06x}", f"{type_after:#06x}")]
        sent = f"{what} ({len(run.before)} bytes)"
        raise Wrong(sent, "the same EtherType", "another one", BEYOND, differs)
    if run.verdict == TX:  # then it is known which field of it is wrong
        comes_back(program, what, packet, thought(run))
    for case in OTHERS:
        goes_on(program, *case)
    comes_back(program, what, packet, thought(run))
    for case in MINE:
        comes_back(program, *case)
    stays = program.run(OPTIONS[1]).verdict in {PASS, DROP}  # a reply must copy no source route
    (goes_on if stays else comes_back)(program, *OPTIONS)
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
        ours.settimeout(2)  # an answer is there at once, if the machine is not busy
        ours.connect(("192.0.2.2", 7))
        try:
            ours.send(said)
            return ours.recv(2000)
        except OSError:
            return None

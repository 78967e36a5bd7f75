"""XDP sees what arrives at an interface, not what leaves it."""

from ..hosts import Interface
from ..packets import ICMP, IP, send
from ..program import Program
from ..topologies import three_hosts
from . import Wrong

TITLE = "The right end"
TEXT = """
Three hosts in a row this time: the client, `middle`, and the server. You want a program to meet
what the **client sends to middle**, and nothing that middle sends to the client.

**Say at which interface** it must be attached. `net` has `net.client.eth0`, `net.middle.eth0`,
`net.middle.eth1` and `net.server.eth0`; client and `middle` are linked by their `eth0`.
"""
NAME = "place"
STARTER = """def place(net):
    return net.client.eth0  # your interface


check("1.3")
"""
STARTER_SAYS = "what leaves"
HINTS = (
    "What does the colleague's program see, in the notebook above, at the client's end?",
    "XDP runs where a frame comes in. Where does a frame that the client sends come in first?",
    "At the other end of the client's wire. Whose interface is that?",
)
SOLUTION = """def place(net):
    return net.middle.eth0
"""
COMPARE = (
    "Yours may name it, or go there over the wire: net.client.eth0.peer is the same interface."
)
NEXT = "Which interface would you take for what the server sends to middle?"
NETWORK = True

NEAR_MISSES = {
    "where it leaves": ([("net.middle.eth0", "net.client.eth0")], "what leaves"),
    "the far side of middle": ([("net.middle.eth0", "net.middle.eth1")], "another wire"),
    "where it ends": ([("net.middle.eth0", "net.server.eth0")], "another wire"),
    "its name": ([("net.middle.eth0", '"eth0"')], "not an interface"),
    "the host": ([("net.middle.eth0", "net.middle")], "not an interface"),
    "printed, not returned": ([("return net.middle.eth0", "print(net.middle.eth0)")], "return"),
}
ALTERNATIVES = {
    "over the wire": [("net.middle.eth0", "net.client.eth0.peer")],
    "by a search": """def place(net):
    for interface in net.middle.interfaces.values():
        if interface.peer.host is net.client:
            return interface
""",
}


def check(place):
    net = three_hosts()
    sent = "10 frames from the client to middle, and 10 back"
    expected = "the program meets the first ten and no other"
    chosen = place(net)
    if chosen is None:
        raise Wrong(sent, "an interface", "None", "Does your function return what it found?")
    if not isinstance(chosen, Interface):
        raise Wrong(sent, "an interface", f"{chosen!r}".splitlines()[0],
                    "That is not an interface; net.server.eth0 is one.")  # fmt: skip
    Program("xdp_pass").attach(chosen)
    met = []
    for out in (net.client.eth0, net.middle.eth0):
        before = chosen.counters
        send(out, IP() / ICMP(type=0), count=10)
        met.append((chosen.counters - before).get("xdp_packets", 0))
    where = f"{chosen.host.name} {chosen.name}"
    happened = f"at {where} it met {met[0]} of them, and {met[1]} of those that went back"
    if met == [0, 10]:
        raise Wrong(sent, expected, happened,
                    "XDP sees what arrives, not what leaves: these frames leave here.")  # fmt: skip
    if met != [10, 0]:
        raise Wrong(sent, expected, happened,
                    "Those frames never come by here: this is another wire.")  # fmt: skip

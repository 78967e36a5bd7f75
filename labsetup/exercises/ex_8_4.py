"""Failures that sleep until the router moves something."""

from . import diagnosed

TITLE = "The museum, rooms 7 to 9"
TEXT = """
Four servers with `to_owner`, nobody in front: rooms 7, 8 and 9. In some of them connections open
and live, until the router has its next hops in another order:
`ecmp(net, ["s4", "s3", "s2", "s1"])`.

**Find out what is wrong in each.** It is one of

- `"another key"`: one server hashes with a key of its own
- `"a server left out"`: of one server's table
- `"no program"`: at one server
- `"checksum offload"`: on at every interface

Your function returns a diagnosis for each room.
"""
NAME = "causes"
STARTER = """def causes():
    return {
        7: "your diagnosis",
        8: "your diagnosis",
        9: "your diagnosis",
    }


check("8.4")
"""
STARTER_SAYS = "room 7"
HINTS = (
    "First in each room: connections = Connections(net, 200, wait=0.5), then the other order, then "
    "connections.check(). What breaks at once, and what later?",
    "Servers that agree send a packet to the same owner, whoever gets it first. So give one packet "
    "to each: net.s1.eth0.ours.program.run(), for s1's MAC address. Who disagrees?",
    "Compare settings[0]['key'] of the four programs, and for 300 flows how often the one that "
    "disagrees does so: for nearly all, or for one server's?",
)
SOLUTION = """def causes():
    return {
        7: "a server left out",
        8: "checksum offload",
        9: "another key",
    }
"""
COMPARE = (
    "Two of these sleep until something moves. What could watch for them all the time, without "
    "waiting for a change?"
)
NEXT = (
    "Mend room 9 with one line, net.s2.eth0.ours.program['settings'][0] = …, and prove that the "
    "order of the next hops no longer matters."
)

NEAR_MISSES = {
    "7 and 9 confused": (
        [
            ('7: "a server left out"', '7: "another key"'),
            ('9: "another key"', '9: "a server left out"'),
        ],
        "settings: 1",
    ),
    "what breaks must be the key": (
        [('8: "checksum offload"', '8: "another key"')],
        "settings: 1",
    ),
    "what disagrees must have no program": (
        [('7: "a server left out"', '7: "no program"')],
        "XDP runs at s1, s2, s3, s4",
    ),
    "the same everywhere": (
        [("checksum offload", "a server left out"), ("another key", "a server left out")],
        "4 at s1, 4 at s2, 4 at s3, 4 at s4",
    ),
    "the offload again": (
        [('9: "another key"', '9: "checksum offload"')],
        "TcpInCsumErrors grew by 0",
    ),
    "the router blamed": ([('7: "a server left out"', '7: "hash policy 1"')], "one of «another"),
    "a list of them": (
        """def causes():
    return ["a server left out", "checksum offload", "another key"]
""",
        "a dict of rooms",
    ),
}
ALTERNATIVES = {
    "by exclusion": """def causes():
    found = dict.fromkeys(range(7, 10), "a server left out")
    found[8], found[9] = "checksum offload", "another key"
    return found
""",
    "by a doctor, who asks every server about the same flows": """from labsetup import *


def causes():
    net, odd = exhibit(9), 0
    for sport in range(60):
        owners = set()
        for name in net.vip_hosts:
            eth0 = net.hosts[name].eth0
            packet = Ether(dst=eth0.mac) / IP(dst=VIP) / TCP(sport=sport, dport=80)
            run = eth0.ours.program.run(packet)
            owners.add(eth0.mac if run.verdict == "XDP_PASS" else Ether(run.after).dst)
        odd += len(owners) > 1
    some, nearly_all = "a server left out", "another key"
    last, first = (nearly_all, some) if odd > 30 else (some, nearly_all)
    return {7: first, 8: "checksum offload", 9: last}
""",
}


def check(causes):
    diagnosed("8.4", causes())

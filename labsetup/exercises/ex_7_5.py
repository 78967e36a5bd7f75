"""A balancer's failures: some kill connections, one kills none and is the worst."""

from . import diagnosed

TITLE = "The museum, rooms 4 to 6"
TEXT = """
Five servers behind `lb`, which runs `lb_table`: `net = exhibit(4)` takes you into the first room,
5 and 6 are next door. `net.lb.eth0.ours.program` is the program there.

**Find out what is wrong in each.** It is one of

- `"ARP flux"`: servers answer for the VIP
- `"per-packet hashing"`: by a program that looks like `lb_table`
- `"wrong MAC address"`: of s3, in the map `servers`
- `"a server without the VIP"`
- `"checksum offload"`: on at every interface

Your function returns a diagnosis for each room.
"""
NAME = "findings"
STARTER = """def findings():
    return {
        4: "your diagnosis",
        5: "your diagnosis",
        6: "your diagnosis",
    }


check("7.5")
"""
STARTER_SAYS = "room 4"
HINTS = (
    "First in each room: before = net.lb.eth0.counters, then Connections(net, 100, wait=0.5), then "
    "the counters less those of before. How many break, and did lb see them?",
    "All break, or those of one server, or none? Reset, or timed out? A reset comes from a server "
    "that does not know the connection; silence comes from nobody.",
    "Whose MAC address is the VIP's, for the client (ip neigh)? Does a packet reach the silent "
    "server (tcpdump there)? Does net.lb.eth0.ours.program.run() say the same twice?",
)
SOLUTION = """def findings():
    return {
        4: "per-packet hashing",
        5: "a server without the VIP",
        6: "ARP flux",
    }
"""
COMPARE = (
    "In which of the rooms would your monitoring have been green? And which two numbers tell you "
    "all the same?"
)
NEXT = (
    "Mend them. Room 4: Balancer(net). Room 5: ip address add. Room 6: arp_ignore, then the "
    "client's neighbours. Prove each with Connections and lb's counters."
)

NEAR_MISSES = {
    "4 and 6 confused": (
        [
            ('4: "per-packet hashing"', '4: "ARP flux"'),
            ('6: "ARP flux"', '6: "per-packet hashing"'),
        ],
        "sends packets for the VIP to lb",
    ),
    "what is silent must be unknown": (
        [('5: "a server without the VIP"', '5: "wrong MAC address"')],
        "0 are for a MAC address",
    ),
    "what breaks must be the checksum": (
        [('4: "per-packet hashing"', '4: "checksum offload"')],
        "TcpInCsumErrors grew by 0",
    ),
    "what is uneven must be the VIP": (
        [('6: "ARP flux"', '6: "a server without the VIP"')],
        "s1, s2, s3, s4, s5 have 198.51.100.10",
    ),
    "the same everywhere": (
        [("a server without the VIP", "per-packet hashing"), ("ARP flux", "per-packet hashing")],
        "one connection went to: 1",
    ),
    "green, so nothing is wrong": ([('6: "ARP flux"', '6: "nothing"')], "one of «ARP flux»"),
    "room 6 never entered": ([('        6: "ARP flux",\n', "")], "room 6"),
    "printed, not returned": (
        [("return {", "print({"), ("    }\n", "    })\n")],
        "a dict of rooms",
    ),
}
ALTERNATIVES = {
    "by exclusion": """def findings():
    found = dict.fromkeys((4, 5, 6), "a server without the VIP")
    return found | {4: "per-packet hashing", 6: "ARP flux"}
""",
    "by a doctor, who looks for himself": """from labsetup import *


def findings():
    found = {}
    for room in (4, 5, 6):
        net = exhibit(room)
        before = net.lb.eth0.counters
        connections = Connections(net, 100, wait=0.3).check()
        if not (net.lb.eth0.counters - before)["xdp_tx"]:
            found[room] = "ARP flux"
        elif any(one.reset for one in connections.tallies):
            found[room] = "per-packet hashing"
        else:
            found[room] = "a server without the VIP"
    return found
""",
}


def check(findings):
    diagnosed("7.5", findings())

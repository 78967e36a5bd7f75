"""Packets go missing in three ways, and each leaves other traces."""

from . import diagnosed

TITLE = "The museum of failures"
TEXT = """
Three rooms, a network in each: `middle` forwards with the room's own `redirect`,
`net.middle.eth0.ours.program`, and a moment ago all was well. `net = exhibit(1)` builds the first;
then come 2 and 3 (4 to 9 belong to later lessons). **Find out what is wrong in each**. The choice:

- `"checksum offload"`: on at client and server
- `"no program at the peer"`: no XDP at the server's end
- `"wrong MAC address"`: in `next_hops`
- `"TTL too small"`: at the client

A wrong diagnosis is answered with what speaks against it.
"""
NAME = "diagnoses"
STARTER = """def diagnoses():
    return {
        1: "your diagnosis",
        2: "your diagnosis",
        3: "your diagnosis",
    }


check("5.4")
"""
STARTER_SAYS = "room 1"
HINTS = (
    "First in each room: net.client.ping(net.server) and net.client.connect(net.server). Do both "
    "fail, or one of them?",
    "law = account(net), then ten frames to 192.0.2.66, then law: where is the last interface that "
    "knows of them? If it is the server's, who says no there?",
    "Frames that are missing at middle, TcpInCsumErrors at the server, and what "
    "net.server.tcpdump('eth0', '-e icmp') says of MAC addresses: each of the three gives one room "
    "away.",
)
SOLUTION = """def diagnoses():
    return {
        1: "no program at the peer",
        2: "checksum offload",
        3: "wrong MAC address",
    }
"""
COMPARE = (
    "Which single look, taken first, would have told the three apart the soonest? The "
    "lab's picture of net shows two of them; elsewhere ip link and ethtool -k do."
)
NEXT = (
    "Mend each room, and prove it with a ping and a connection. Room 1: Program('xdp_pass'). Room "
    "2: ethtool. Room 3: net.middle.eth0.ours.program['next_hops']."
)

NEAR_MISSES = {
    "1 and 2 confused": (
        [
            ('1: "no program at the peer"', '1: "checksum offload"'),
            ('2: "checksum offload"', '2: "no program at the peer"'),
        ],
        "TcpInCsumErrors grew by 0",
    ),
    "2 and 3 confused": (
        [
            ('2: "checksum offload"', '2: "wrong MAC address"'),
            ('3: "wrong MAC address"', '3: "checksum offload"'),
        ],
        "10 of ten frames reached the server, 0 of them",
    ),
    "the same everywhere": (
        [
            ("checksum offload", "no program at the peer"),
            ("wrong MAC address", "no program at the peer"),
        ],
        "middle eth0 counts 0 drops",
    ),
    "what says nothing must be the TTL": (
        [("wrong MAC address", "TTL too small")],
        "«Time to live exceeded» does not come back",
    ),
    "the same everywhere, with a capital": (
        [
            ("no program at the peer", "No program at the peer"),
            ("checksum offload", "No program at the peer"),
        ],
        "middle eth0 counts 0 drops",
    ),
    "room 1 never entered": ([('1: "no program at the peer"', '1: "?"')], "one of «checksum"),
    "in words of one's own": (
        [("checksum offload", "the checksums are wrong")],
        "one of «checksum offload»",
    ),
    "rooms in quotation marks": (
        [(f"        {room}:", f'        "{room}":') for room in (1, 2, 3)],
        "keys from 1 to 3",
    ),
    "printed, not returned": (
        [("return {", "print({"), ("    }\n", "    })\n")],
        "a dict of rooms",
    ),
}
ALTERNATIVES = {
    "assembled": """def diagnoses():
    found = dict.fromkeys((1, 2, 3), "wrong MAC address")
    found[1] = "no program at the peer"
    found[2] = "checksum offload"
    return found
""",
    "spelled otherwise": [
        ("no program at the peer", "No program at the peer"),
        ("checksum offload", " checksum offload "),
        ("wrong MAC address", "wrong mac address"),
    ],
    "by a doctor, who looks for himself": """from labsetup import *


def diagnoses():
    found = {}
    for room in (1, 2, 3):
        net = exhibit(room)
        law = account(net)
        pinged = net.client.ping(net.server, wait=0.3).received
        if any(row.missing for row in law.balances):
            found[room] = "no program at the peer"
        else:
            found[room] = "checksum offload" if pinged else "wrong MAC address"
    return found
""",
}


def check(diagnoses):
    diagnosed("5.4", diagnoses())

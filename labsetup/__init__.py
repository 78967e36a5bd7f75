"""What a notebook may use: ``from labsetup import *``.

Names are looked up on first use (PEP 562), so that the command line does not wait for scapy and
the kernel enters its sandbox before anything else is imported.
"""

from importlib import import_module

_NAMES = {
    "balancer": ["Balancer", "HealthChecks", "Peers"],
    "bgp": ["Bgp"],
    "costs": ["Flood", "breaks", "compare", "requests"],
    "doctor": ["checkup"],
    "flows": ["Connections", "services"],
    "hashing": [
        "collateral", "flow_hash", "jump", "maglev", "mixed", "modulo", "moved", "random_flows",
        "rendezvous", "ring", "seed_of", "table", "unevenness",
    ],
    "hosts": ["cpus"],
    "museum": ["exhibit"],
    "observe": ["Exceptions", "account", "journey", "record"],
    "packets": [
        "ARP", "DNS", "DNSQR", "ICMP", "IP", "TCP", "UDP", "Dot1Q", "Ether",
        "ICMPv6EchoRequest", "IPv6", "Raw", "capture", "segments", "send",
    ],
    "practice": ["check", "hint", "progress"],
    "predictions": ["predict"],
    "program": ["Program"],
    "rivals": ["Direct", "HAProxy", "NftDnat", "NftIngress", "NftMasquerade", "Xdp"],
    "routing": ["ecmp", "next_hops"],
    "sandbox": ["LabError"],
    "show": ["MARKS", "SERIES", "explore", "plot", "watch"],
    "topologies": [
        "VIP", "VIP6", "balanced", "no_balancer", "silent_hosts", "three_hosts", "two_hosts",
    ],
}  # fmt: skip
_HOME = {name: module for module, names in _NAMES.items() for name in names}

__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"labsetup has no {name}; it has: {', '.join(__all__)}")
    return getattr(import_module(f"labsetup.{_HOME[name]}"), name)

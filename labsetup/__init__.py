"""What a notebook may use: ``from labsetup import *``.

Names are looked up on first use (PEP 562), so that the command line does not wait for scapy and
the kernel enters its sandbox before anything else is imported.
"""

from importlib import import_module

_HOME = {
    "ARP": "packets", "Dot1Q": "packets", "Ether": "packets", "ICMP": "packets", "IP": "packets",
    "IPv6": "packets", "Raw": "packets", "TCP": "packets", "UDP": "packets",
    "LabError": "sandbox",
    "Program": "program", "Exceptions": "observe",
    "account": "observe", "journey": "observe", "record": "observe",
    "capture": "packets", "send": "packets",
    "cpus": "hosts",
    "checkup": "doctor",
    "no_balancer": "topologies", "silent_hosts": "topologies", "two_hosts": "topologies",
    "watch": "show",
}  # fmt: skip

__all__ = list(_HOME)


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"labsetup has no {name}; it has: {', '.join(__all__)}")
    return getattr(import_module(f"labsetup.{_HOME[name]}"), name)

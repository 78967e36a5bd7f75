"""The kernel's settings that the lab makes on each host, so that wires are quiet.

A reader who watches a wire sees what a lesson sends, and nothing else.
Source: Documentation/networking/ip-sysctl.rst.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

# Quiet wires: a reader who watches them sees what a lesson sends, and nothing else.
# What ARP and neighbour discovery found stays found; the default asks again after 5 s.
NEIGHBOUR_SYSCTLS = {"delay_first_probe_time": 3600, "base_reachable_time_ms": 3_600_000}
SYSCTLS = {
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv6/conf/default/accept_ra": 0,
    # MLDv1 reports a group at once, and again within this time: ten days, so not again.
    "net/ipv6/conf/default/force_mld_version": 1,
    "net/ipv6/conf/default/mldv1_unsolicited_report_interval": 864_000_000,
}
# A host answers ARP for any of its addresses at any interface, unless it is told not to; and it
# asks in the name of whatever address a packet comes from.
QUIET_ARP = {"net/ipv4/conf/all/arp_ignore": 1, "net/ipv4/conf/all/arp_announce": 2}


def set_sysctls(values: Mapping[str, int]) -> None:
    """Write to /proc/sys of the namespace that the calling thread is in."""
    for key, value in values.items():
        path = Path("/proc/sys") / key
        if path.exists():  # a kernel without IPv6 lacks its part
            path.write_text(f"{value}")

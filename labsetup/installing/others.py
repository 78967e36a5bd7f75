"""What to type on a distribution that is no Debian; there the lab installs nothing by itself.

The names are those of the distributions' own package pages.
"""

from __future__ import annotations

import contextlib
import platform
import shutil

from .apt import NEEDED, WANTED
from .environment import bcc

COMMANDS = ("clang", "ip", "ping", "tcpdump")  # by which another distribution is judged
TYPE = {
    "fedora": "dnf install bind-utils bird bpftool clang dnsmasq ethtool haproxy iproute iputils "
    "kernel-devel-$(uname -r) kernel-headers libbpf-devel libseccomp llvm make nftables procps-ng "
    "python3 python3-bcc tcpdump util-linux xdp-tools",
    "arch": "pacman -S --needed bind bird bpf clang dnsmasq ethtool haproxy iproute2 iputils "
    "libbpf libseccomp linux-api-headers linux-headers llvm make nftables procps-ng python "
    "python-bcc tcpdump util-linux xdp-tools",
}


def missing() -> str:
    """What a person has to do first, in one sentence; empty if nothing."""
    if all(map(shutil.which, COMMANDS)) and bcc():
        return ""
    system = dict[str, str]()
    with contextlib.suppress(OSError):
        system = platform.freedesktop_os_release()
    for name in (system.get("ID", ""), *system.get("ID_LIKE", "").split()):
        if name in TYPE:
            return f"lab: this is no Debian; type: {TYPE[name]}\nand then the same again."
    return (
        f"lab: this is not a Debian or an Ubuntu. Install the equivalents of: {NEEDED} {WANTED} "
        "bird2 haproxy, and the kernel's headers; then type the same again."
    )

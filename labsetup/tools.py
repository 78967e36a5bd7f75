"""Which package of the distribution brings a command that the lessons use."""

from __future__ import annotations

PACKAGE_OF = {
    "bird": "bird2",
    "birdc": "bird2",
    "bpftool": "bpftool",
    "clang": "clang",
    "dig": "bind9-dnsutils",
    "dnsmasq": "dnsmasq-base",
    "ethtool": "ethtool",
    "haproxy": "haproxy",
    "ip": "iproute2",
    "make": "make",
    "nft": "nftables",
    "nstat": "iproute2",
    "llvm-objdump": "llvm",
    "nsenter": "util-linux",
    "ping": "iputils-ping",
    "ps": "procps",
    "setpriv": "util-linux",
    "ss": "iproute2",
    "sysctl": "procps",
    "taskset": "util-linux",
    "tcpdump": "tcpdump",
    "xdp-loader": "xdp-tools",
    "xdpdump": "xdp-tools",
}

# As a package each of these is a service of the machine too, from the moment it is installed.
SERVICES = {"bird", "haproxy"}


def installation(command: str) -> str:
    """What to type to get a command; empty for one that no lesson uses."""
    if command not in PACKAGE_OF:
        return ""
    disabled = f" && systemctl disable --now {command}" if command in SERVICES else ""
    return f"apt-get install {PACKAGE_OF[command]}{disabled}"

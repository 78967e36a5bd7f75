"""Which package of the distribution brings a command that the lessons use."""

from __future__ import annotations

import shutil

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


# What gets a package, and the names that differ from Debian's, as the distributions' own package
# pages have them.
MANAGERS: dict[str, tuple[str, dict[str, str]]] = {
    "apt-get": ("apt-get install", {}),
    "dnf": (
        "dnf install",
        {
            "bind9-dnsutils": "bind-utils",
            "bird2": "bird",
            "dnsmasq-base": "dnsmasq",
            "iproute2": "iproute",
            "iputils-ping": "iputils",
            "libbpf-dev": "libbpf-devel",
            "libseccomp2": "libseccomp",
            "linux-libc-dev": "kernel-headers",
            "procps": "procps-ng",
            "python3-bpfcc": "python3-bcc",
        },
    ),
    "pacman": (
        "pacman -S --needed",
        {
            "bind9-dnsutils": "bind",
            "bird2": "bird",
            "bpftool": "bpf",
            "dnsmasq-base": "dnsmasq",
            "iputils-ping": "iputils",
            "libbpf-dev": "libbpf",
            "libseccomp2": "libseccomp",
            "linux-libc-dev": "linux-api-headers",
            "procps": "procps-ng",
            "python3-bpfcc": "python-bcc",
        },
    ),
}


def installation(command: str) -> str:
    """What to type to get a command; empty for one that no lesson uses."""
    if command not in PACKAGE_OF:
        return ""
    disabled = f" && systemctl disable --now {command}" if command in SERVICES else ""
    return f"{install(PACKAGE_OF[command])}{disabled}"


def install(*packages: str) -> str:
    """What to type to get packages here.

    Args:
        packages: as Debian names them.
    """
    here = next(filter(shutil.which, MANAGERS), "apt-get")
    typed, names = MANAGERS[here]
    return " ".join([typed, *(names.get(name, name) for name in packages)])

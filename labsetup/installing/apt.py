"""What the distribution brings, by apt, which one program at a time may use."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from .steps import KERNEL, Broken, run, say, works

# netbase: the names of protocols, which scapy prints.
NEEDED = (
    "ca-certificates clang ethtool iproute2 iputils-ping libbpf-dev libseccomp2 linux-libc-dev "
    "llvm make netbase procps python3-bpfcc python3-venv tcpdump util-linux"
)
# Not everywhere to be had; the doctor names the lessons that miss them.
WANTED = "bpftool xdp-tools dnsmasq-base bind9-dnsutils nftables"
BUSY = 900.0  # seconds for others who use apt: a machine updates itself after it was started
IN_USE = re.compile(r"(?i)could not get lock|unable to (?:acquire|lock)|lock was locked|is locked")
WHO = re.compile(r"process (?:with pid )?(\d+)")


def patiently(*words: str) -> None:
    """Run apt or dpkg; while another one has its lock, say who, and wait.

    Raises:
        Broken: when that takes too long.
        subprocess.CalledProcessError: if it failed for another reason.
    """
    deadline, told = time.monotonic() + BUSY, ""
    plain = os.environ | {"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    while True:
        begun = os.fstat(1).st_size
        status = subprocess.run(words, env=plain, check=False).returncode
        if status == 0:
            return
        with open("/proc/self/fd/1", "rb") as log:
            log.seek(begun)
            said = log.read().decode(errors="replace")
        if not IN_USE.search(said):
            raise subprocess.CalledProcessError(status, words)
        who = _holder(said)
        if time.monotonic() > deadline:
            raise Broken(f"{who} has used apt for {BUSY / 60:.0f} minutes; wait for its end.")
        if who != told:
            told = who
            text = f"{who} is using apt; the lab waits for its end, {BUSY / 60:.0f} minutes at most"
            say(f"\r\033[K{text}" if sys.stderr.isatty() else text)
        time.sleep(2)  # apt has nothing to wait for


def _holder(said: str) -> str:
    """Who has the lock, as apt and dpkg tell it."""
    found = WHO.search(said)
    if not found:
        return "another program"
    with contextlib.suppress(OSError):
        name = Path(f"/proc/{found[1]}/comm").read_text().strip()
        return f"{name} (process {found[1]})"
    return f"process {found[1]}"


def apt(*words: str) -> None:
    # A pty would put dpkg in a session of its own.
    patiently("apt-get", "-q", "-y", "-o", "Dpkg::Use-Pty=0", *words)


def candidate(package: str) -> str:
    """The version that apt would install; empty if it knows none."""
    said = run("env", "LC_ALL=C", "apt-cache", "policy", package, quiet=True)
    found = re.search(r"Candidate: ([^(\s]\S*)", said)
    return found[1] if found else ""


def distribution_packages() -> None:
    patiently("dpkg", "--configure", "-a")  # after an installation that was interrupted
    states = "dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n"
    known = set(run(*states, quiet=True).splitlines())
    own = Path("/lib/modules", KERNEL, "build").exists()
    headers = own or any(Path("/usr/src").glob("linux-headers-*/include/generated/autoconf.h"))
    if headers and all(f"{one} installed" in known for one in f"{NEEDED} {WANTED}".split()):
        return  # no look-up outside
    apt("update")
    apt("install", "--no-install-recommends", *NEEDED.split())
    for package in filter(candidate, WANTED.split()):
        apt("install", "--no-install-recommends", package)
    if not works("bpftool", "version") and candidate("linux-tools-common"):  # Ubuntu's place for it
        apt("install", "--no-install-recommends", "linux-tools-common", "linux-tools-generic")
    if not own:
        # BCC compiles against kernel headers, and XDP needs only their stable part, the UAPI: a
        # kernel without its own (WSL 2, a custom one) does well with those of the distribution.
        particular, generic = f"linux-headers-{KERNEL}", "linux-headers-generic"
        best = particular if candidate(particular) else generic
        apt("install", "--no-install-recommends", best)

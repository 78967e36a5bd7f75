"""A private network for this process: nothing in it is visible outside, nothing of it remains.

The sandbox is a network namespace, a mount namespace and, around both, a PID namespace.
The first hides the host's interfaces, the second gives the lab its own ``/run/netns``, ``/sys``
and bpffs, and the third (`lifetime`) makes every descendant die with the process that started it,
whatever it died of.  Sources: namespaces(7), network_namespaces(7), pid_namespaces(7), mount(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import logging
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from ..errors import LabError
from . import session

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
SIOCSIFFLAGS = 0x8914
IFF_UP = 1

NETNS = Path("/run/netns")
CHANGING = 0o700  # its mode while hosts come and go

REFUSED = (
    "this machine refuses the lab a private network ({}); inside a container, start that container "
    "with --privileged"
)

_libc = ctypes.CDLL(None, use_errno=True)


def call(function: str, *args: object) -> None:
    """Call a function of libc that returns 0 when all is well.

    Raises:
        OSError: as errno says.
    """
    if getattr(_libc, function)(*args) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{function}: {os.strerror(code)}")


def mount(source: str | None, target: str, kind: str | None, flags: int = 0) -> None:
    """mount(2), without data."""

    def raw(text: str | None) -> bytes | None:
        return None if text is None else text.encode()

    call("mount", raw(source), raw(target), raw(kind), ctypes.c_ulong(flags), None)


def inside() -> bool:
    """True when this process has entered the lab's private network."""
    return session.current().entered


def require() -> None:
    """Raise LabError unless this process is in the lab's private network."""
    if not inside():
        raise LabError(
            "this Python is not in the lab's private network, so nothing was touched; "
            "in JupyterLab choose the kernel «XDP Lab», in a script call "
            "labsetup.network.sandbox.enter() first"
        )


def enter() -> None:
    """Move the calling thread, and every thread and child it starts later, into a sandbox.

    Threads and sockets that exist already stay where they are; a Jupyter kernel so keeps
    talking to its server.  Entering twice is harmless.

    Raises:
        LabError: without root, or where the machine refuses namespaces or mounts.
    """
    if inside():
        return
    if os.geteuid() != 0:
        raise LabError("the lab needs root to make its private network; start it with sudo")
    # The mount point is shared with `ip netns`, which makes it in the same way.
    NETNS.mkdir(parents=True, exist_ok=True)
    try:
        call("unshare", CLONE_NEWNET | CLONE_NEWNS)
        make_mounts_private()
        mount("tmpfs", str(NETNS), "tmpfs")
        # /sys shows the network namespace it was mounted in, so the host's would show its NICs.
        mount("sysfs", "/sys", "sysfs")
        mount("bpffs", "/sys/fs/bpf", "bpf")
    except OSError as error:
        raise LabError(REFUSED.format(error)) from error
    _loopback_up()
    with contextlib.suppress(OSError):  # a kernel without tracing: only XDP_ABORTED's trace is lost
        mount("tracefs", "/sys/kernel/tracing", "tracefs")
    # Scapy warns of the host's routes, which no packet of ours ever takes.
    logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
    session.current().entered = True


def enter_anew() -> None:
    """In a child process: move from the parent's sandbox, if it has one, into one of its own."""
    session.begin()
    enter()


def make_mounts_private() -> None:
    """Keep what is mounted from here on out of the namespace that we came from."""
    try:
        mount(None, "/", None, MS_REC | MS_PRIVATE)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        # In a chroot / is no mount point; then each mount that is visible there, one by one.
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            point = line.split()[4].encode().decode("unicode_escape")
            with contextlib.suppress(OSError):  # one that lies hidden under a later mount
                mount(None, point, None, MS_PRIVATE)


def _loopback_up() -> None:
    """Jupyter's debugger, and kernels that a test starts in here, talk over 127.0.0.1."""
    request = struct.pack("16sh14x", b"lo", IFF_UP)  # struct ifreq, netdevice(7)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, request)


class _PrivateFolders(set[Path]):
    """Those that this sandbox has made."""


def private_folder(path: Path) -> None:
    """Make an empty folder that only this sandbox sees, and that goes with it."""
    require()
    folders = session.current().one(_PrivateFolders)
    if path not in folders:
        path.mkdir(parents=True, exist_ok=True)
        mount("tmpfs", str(path), "tmpfs")
        folders.add(path)


@contextlib.contextmanager
def changing_hosts() -> Iterator[None]:
    """Within it some hosts are there and others not yet; a terminal, outside, waits for the end."""
    NETNS.chmod(CHANGING)  # seen from outside, and it goes with the sandbox
    try:
        yield
    finally:
        NETNS.chmod(0o755)


def new_namespace(name: str) -> None:
    """Make a network namespace that ``ip netns`` lists as *name*, as ip-netns(8) does."""
    require()
    path = NETNS / name
    path.touch(exist_ok=False)
    with _staying_here():
        call("unshare", CLONE_NEWNET)
        mount("/proc/thread-self/ns/net", str(path), None, MS_BIND)


def delete_namespace(name: str) -> None:
    """Let go of a namespace; the kernel frees its interfaces and programs with it."""
    require()
    path = NETNS / name
    if path.exists():
        with contextlib.suppress(OSError):  # never mounted: an interrupted new_namespace()
            call("umount2", str(path).encode(), 2)  # 2: MNT_DETACH, for a busy one
        path.unlink()


@contextlib.contextmanager
def _staying_here() -> Iterator[None]:
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        call("setns", here, CLONE_NEWNET)
        os.close(here)


@contextlib.contextmanager
def in_namespace(name: str) -> Iterator[None]:
    """Run the block with the calling thread in namespace *name*: sockets and children too.

    Never ``await`` inside the block: other tasks of the thread would move along.
    """
    require()
    try:
        target = os.open(NETNS / name, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise LabError(f"host {name} is gone; run the cell that makes the network again") from None
    try:
        with _staying_here():
            call("setns", target, CLONE_NEWNET)
            yield
    finally:
        os.close(target)

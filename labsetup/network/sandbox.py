"""A private network for this process: nothing in it is visible outside, nothing of it remains.

The sandbox is a network namespace, a mount namespace and, around both, a PID namespace.
The first hides the host's interfaces, the second gives the lab its own ``/run/netns``, ``/sys``
and bpffs, and the third makes every descendant die with the process that started it, whatever
it died of.  Sources: namespaces(7), network_namespaces(7), pid_namespaces(7), mount(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import logging
import os
import shutil
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from ..errors import LabError
from . import session

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
PR_SET_PDEATHSIG = 1
SIOCSIFFLAGS = 0x8914
IFF_UP = 1

NETNS = Path("/run/netns")


_libc = ctypes.CDLL(None, use_errno=True)


def _call(function: str, *args: object) -> None:
    if getattr(_libc, function)(*args) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{function}: {os.strerror(code)}")


def _mount(source: str | None, target: str, kind: str | None, flags: int = 0) -> None:
    def raw(text: str | None) -> bytes | None:
        return None if text is None else text.encode()

    _call("mount", raw(source), raw(target), raw(kind), ctypes.c_ulong(flags), None)


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
        _call("unshare", CLONE_NEWNET | CLONE_NEWNS)
        _make_mounts_private()
        _mount("tmpfs", str(NETNS), "tmpfs")
        # /sys shows the network namespace it was mounted in, so the host's would show its NICs.
        _mount("sysfs", "/sys", "sysfs")
        _mount("bpffs", "/sys/fs/bpf", "bpf")
    except OSError as error:
        raise LabError(
            f"this machine refuses the lab a private network ({error}); inside a container, "
            "start that container with --privileged"
        ) from error
    _loopback_up()
    with contextlib.suppress(OSError):  # a kernel without tracing: only XDP_ABORTED's trace is lost
        _mount("tracefs", "/sys/kernel/tracing", "tracefs")
    # Scapy warns of the host's routes, which no packet of ours ever takes.
    logging.getLogger("scapy.runtime").setLevel(logging.ERROR)
    session.current().entered = True


def enter_anew() -> None:
    """In a child process: move from the parent's sandbox, if it has one, into one of its own."""
    session.begin()
    enter()


def _make_mounts_private() -> None:
    """Keep what is mounted from here on out of the namespace that we came from."""
    try:
        _mount(None, "/", None, MS_REC | MS_PRIVATE)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        # In a chroot / is no mount point; then each mount that is visible there, one by one.
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            point = line.split()[4].encode().decode("unicode_escape")
            with contextlib.suppress(OSError):  # one that lies hidden under a later mount
                _mount(None, point, None, MS_PRIVATE)


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
        _mount("tmpfs", str(path), "tmpfs")
        folders.add(path)


def new_namespace(name: str) -> None:
    """Make a network namespace that ``ip netns`` lists as *name*, as ip-netns(8) does."""
    require()
    path = NETNS / name
    path.touch(exist_ok=False)
    with _staying_here():
        _call("unshare", CLONE_NEWNET)
        _mount("/proc/thread-self/ns/net", str(path), None, MS_BIND)


def delete_namespace(name: str) -> None:
    """Let go of a namespace; the kernel frees its interfaces and programs with it."""
    require()
    path = NETNS / name
    if path.exists():
        with contextlib.suppress(OSError):  # never mounted: an interrupted new_namespace()
            _call("umount2", str(path).encode(), 2)  # 2: MNT_DETACH, for a busy one
        path.unlink()


@contextlib.contextmanager
def _staying_here() -> Iterator[None]:
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield
    finally:
        _call("setns", here, CLONE_NEWNET)
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
            _call("setns", target, CLONE_NEWNET)
            yield
    finally:
        os.close(target)


def become_init() -> None:
    """Start this program over as PID 1 of a PID namespace, unless it is that already.

    When PID 1 ends, the kernel kills every process of its namespace.  `unshare` dies with
    whoever started it (PR_SET_PDEATHSIG, prctl(2)) and takes PID 1 along.
    """
    if os.getpid() == 1 and "XDP_LAB_INIT" in os.environ:
        return
    parent = os.getppid()
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent died before the line above
        sys.exit(1)
    unshare = shutil.which("unshare", path=os.environ.get("PATH", os.defpath) + ":/usr/bin:/bin")
    if unshare is None:
        raise LabError("the command unshare is missing; type: apt-get install util-linux")
    os.environ["XDP_LAB_INIT"] = "1"
    # Only /proc is mounted here, and unshare makes it private; the rest is for enter().
    options = ["--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "unchanged"]
    os.execv(unshare, [unshare, *options, "--", sys.executable, *sys.orig_argv[1:]])

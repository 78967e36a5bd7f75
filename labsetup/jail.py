"""A process that has let go of all power to harm, before it touches what a stranger sent.

It sees a few folders and cannot write to them, has no capability but those named, calls only what
is named of the kernel, and has little memory and time.  One way for two kinds of strangers' work:
Python is run in a program of its own, and C is compiled in a fork that keeps BPF.  Own code, as
bwrap(1) starts a program and cannot hold a fork.

Sources: capabilities(7), chroot(2), mount_setattr(2), seccomp(2), seccomp_rule_add(3),
seccomp_unotify(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import resource
import signal
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .errors import LabError
from .network import sandbox
from .tools import install

NOBODY = 65534
CAP_NET_ADMIN, CAP_PERFMON, CAP_BPF = 12, 38, 39

CLONE_NEWNS, CLONE_THREAD = 0x00020000, 0x00010000
NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000
MS_NOSUID, MS_NODEV, MS_BIND, MS_REC = 2, 4, 4096, 16384
READ_ONLY = 1 | 2 | 4  # MOUNT_ATTR_RDONLY, _NOSUID, _NODEV
AT_FDCWD, AT_RECURSIVE, MOUNT_SETATTR = -100, 0x8000, 442  # the number is every machine's
PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 8, 24, 38
CAPABILITY_VERSION = 0x20080522

ALLOWED, REFUSED, UNKNOWN = 0x7FFF0000, 0x00050001, 0x00050026  # EPERM, ENOSYS
ASKED = 0x7FC00000  # SECCOMP_RET_USER_NOTIF
DIFFERS, EQUAL, MASKED_EQUAL = 1, 4, 7  # enum scmp_compare

# A call that is asked about, struct seccomp_notif: its number in the middle, and its arguments.
CALL = struct.Struct("=QIIiIQ6Q")
REPLY = struct.Struct("=QqiI")  # struct seccomp_notif_resp
RECEIVE, SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV, _SEND
CONTINUE = 1  # SECCOMP_USER_NOTIF_FLAG_CONTINUE
BPF_MAP_CREATE = 0

# What Python needs to compute: its files, its memory, the clock.  No process, no socket.
COMPUTING = (
    "access brk clock_getres clock_gettime clock_nanosleep close dup dup2 dup3 exit exit_group "
    "faccessat faccessat2 fcntl fstat fstatfs futex getcwd getdents64 getegid geteuid getgid "
    "getpid getppid getrandom getrlimit getrusage gettid gettimeofday getuid lseek lstat "
    "madvise mmap mprotect mremap munmap nanosleep newfstatat open openat poll ppoll pread64 "
    "prlimit64 pselect6 read readlink readlinkat readv restart_syscall rseq rt_sigaction "
    "rt_sigprocmask rt_sigreturn sched_getaffinity sched_yield select set_robust_list "
    "sigaltstack stat statfs statx sysinfo tgkill time times uname write writev"
)
# What clang and BCC need beside that; of clone, what makes a thread.
COMPILING = f"{COMPUTING} bpf chdir fchdir sendmsg sendto set_tid_address"
# What libbpf needs that loads, and perhaps pins.
LOADING = f"{COMPILING} mkdir mkdirat"
# What a program needs that takes this process's place.
RUNNING = f"{COMPUTING} arch_prctl execve ioctl readahead set_tid_address"

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


class _Comparison(ctypes.Structure):  # struct scmp_arg_cmp
    _fields_ = [
        ("argument", ctypes.c_uint),
        ("how", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    ]


def _call(function: str, *arguments: object) -> None:
    if getattr(_libc, function)(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{function}: {os.strerror(code)}")


def _mount(source: str, target: Path, kind: str | None, flags: int, options: str = "") -> None:
    encoded = kind.encode() if kind else None
    number = ctypes.c_ulong(flags)
    _call("mount", source.encode(), os.fsencode(target), encoded, number, options.encode())


def new_namespaces() -> None:
    """Leave network, IPC, host name and cgroups behind; children have process numbers of their own.

    Raises:
        OSError: with the kernel's error number.
    """
    _call("unshare", NAMESPACES)


def see_only(
    shown: Iterable[Path],
    hidden: Iterable[Path] = (),
    kept: Path | None = None,
    made: Path | None = None,
) -> int:
    """Leave this process a few folders, to be read, and nothing else of the machine's files.

    Args:
        shown: files and folders, each at its place; those that are not there are left out.
        hidden: folders within them of which nothing is seen but what is shown by itself.
        kept: one more folder, which can be written to.
        made: a file that is not there otherwise, in a folder of its own; it is empty.

    Returns:
        a descriptor by which that file can be written, by whoever holds it; -1 without one.

    Raises:
        OSError: with the kernel's error number.
    """
    sandbox.require()  # whose mounts are private already
    os.umask(0o022)  # through these folders goes who is not root, wherever they were made
    _call("unshare", CLONE_NEWNS)
    root = sandbox.NETNS
    _mount("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m")
    every = {one for path in shown if path.exists() for one in (path, path.resolve())}
    hidden = {one for path in hidden if path.exists() for one in (path, path.resolve())}
    first = [one for one in every if not every.intersection(one.parents)]
    for path in first:
        _show(path, _below(root, path))
    for path in hidden:
        if (there := _below(root, path)).is_dir():
            _mount("tmpfs", there, "tmpfs", 0, "mode=755,size=1m")
    for path in every.difference(first):
        if hidden.intersection(path.parents):
            _show(path, _below(root, path))
    writable = _below(root, kept) if kept else None
    if writable:
        writable.mkdir(parents=True, exist_ok=True)
    if made:
        _below(root, made).parent.mkdir(parents=True)
    wanted = (ctypes.c_uint64 * 4)(READ_ONLY)  # struct mount_attr
    _call(
        "syscall",
        ctypes.c_long(MOUNT_SETATTR),
        ctypes.c_int(AT_FDCWD),
        os.fsencode(root),
        ctypes.c_uint(AT_RECURSIVE),
        ctypes.byref(wanted),
        ctypes.c_size_t(ctypes.sizeof(wanted)),
    )
    if kept and writable:
        _mount(str(kept), writable, None, MS_BIND)
    file = -1
    if made:  # in a file system that is not read-only, where nobody but root may write
        there = _below(root, made)
        _mount("tmpfs", there.parent, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=64m")
        file = os.open(there, os.O_WRONLY | os.O_CREAT, 0o644)
    # Not pivot_root(2): who is in a chroot can make no user namespace, user_namespaces(7).
    os.chroot(root)
    os.chdir("/")
    return file


def _below(root: Path, path: Path) -> Path:
    return root / path.relative_to("/")


def _show(path: Path, there: Path) -> None:
    there.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink() and path.parent == Path("/"):  # /lib is usr/lib
        there.symlink_to(path.readlink())
        return
    if path.is_dir():
        there.mkdir(exist_ok=True)
    else:
        there.touch()
    _mount(str(path), there, None, MS_BIND | MS_REC)


def system() -> list[Path]:
    """The distribution's programs, libraries and headers: nothing of anybody's."""
    return [Path("/usr"), *(Path("/", name) for name in ("bin", "lib", "lib64", "sbin"))]


def user_for(files: Iterable[Path]) -> int:
    """Who may read these: nobody, or where a umask keeps others out, their owner."""
    states = [path.stat() for path in files if path.exists()]
    closed = [state for state in states if not state.st_mode & 0o004]
    return closed[0].st_uid if closed else NOBODY


def renounce(
    user: int,
    calls: str,
    limits: Mapping[int, int],
    kept: Iterable[int] = (),
    may_create: Callable[[int, int], bool] | None = None,
) -> None:
    """Give up everything but these; there is no way back.

    Args:
        user: whom to be from now on.
        calls: names of system calls, with a space between two.
        limits: in the units of setrlimit(2), by the kernel's number.
        kept: capabilities that stay; with them a thread can be made, and without none.
        may_create: is asked in a thread before the kernel makes a BPF map, with address and
            length of what it is given; where the kernel cannot have it asked, it never is.

    Raises:
        LabError: where the library that writes the filter is missing.
        OSError: with the kernel's error number.
    """
    kept = list(kept)
    library = _seccomp()
    names = calls.split()
    plain = _filter(library, names, threads=bool(kept))
    # Prepared as well, since there is no making it once the first has been tried.
    asking = _filter(library, names, threads=True, asking=True) if may_create else None
    os.setgroups([])
    _libc.prctl(PR_SET_KEEPCAPS, int(bool(kept)), 0, 0, 0)
    capability = 0
    while _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    for which, most in limits.items():
        resource.setrlimit(which, (most, most))
    mask = sum(1 << one for one in kept)
    low, high = mask & 0xFFFFFFFF, mask >> 32
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)  # effective, permitted, inheritable
    _call("capset", ctypes.byref(header), ctypes.byref(sets))
    # Forgotten by the change of user, so set once more: prctl(2).
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if may_create and asking and library.seccomp_load(asking) == 0:
        arguments = library.seccomp_notify_fd(ctypes.c_void_p(asking)), may_create
        try:
            threading.Thread(target=_answer, args=arguments, daemon=True).start()
        except RuntimeError as error:  # no room for one
            raise OSError(errno.EAGAIN, str(error)) from None
    elif failed := library.seccomp_load(plain):
        raise OSError(-failed, f"seccomp_load: {os.strerror(-failed)}")


def _answer(listener: int, may_create: Callable[[int, int], bool]) -> None:
    """Say of each BPF map whether the kernel is to make it, as long as this process lives.

    This thread can do no more than the others. Whoever asks is one of them, within libbcc or
    libbpf, for which it has let go of Python's lock. So there is nothing to hand to the parent, and
    no other process's memory to read, for which a container would need CAP_SYS_PTRACE. What was
    looked at could be changed before the kernel reads it, but here runs no code of the stranger's:
    clang and BPF's libraries alone, which write it on their stack and wait.
    """
    try:
        while True:
            asked = bytearray(CALL.size)
            # Who asked may have been ended, or been called away by a signal: it asks again.
            with contextlib.suppress(FileNotFoundError, InterruptedError):
                fcntl.ioctl(listener, RECEIVE, asked)
                number, *_, address, size, _, _, _ = CALL.unpack(asked)
                if may_create(address, size):
                    reply = REPLY.pack(number, 0, 0, CONTINUE)
                else:
                    reply = REPLY.pack(number, 0, -errno.ENOMEM, 0)
                fcntl.ioctl(listener, SEND, reply)
    finally:
        os.close(listener)  # whoever waits, or asks from now on, is told ENOSYS


def _seccomp() -> Any:
    """The library that writes filters."""
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError:
        raise LabError(
            "libseccomp is missing, and without it no stranger's work is touched; "
            f"type: {install('libseccomp2')}"
        ) from None
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    library.seccomp_rule_add_array.argtypes = [
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p),
    ]
    return library


def _filter(library: Any, names: list[str], threads: bool, asking: bool = False) -> int | None:
    """A filter; it is made before anything is in force, as the making needs other calls.

    Returns:
        where it is; None where this kernel or its library, before 2.5, cannot ask.
    """
    rules = library.seccomp_init(ctypes.c_uint32(REFUSED))
    thread = _Comparison(0, MASKED_EQUAL, CLONE_THREAD, CLONE_THREAD)
    # The C library takes clone for a clone3 that is not there; only clone's flags can be seen.
    wanted: list[tuple[str, int, _Comparison | None]] = [("clone3", UNKNOWN, None)]
    wanted += [(name, ALLOWED, None) for name in names if not (asking and name == "bpf")]
    wanted += [("clone", ALLOWED, thread)] * threads
    if asking:
        wanted += [
            ("bpf", ASKED, _Comparison(0, EQUAL, BPF_MAP_CREATE)),
            ("bpf", ALLOWED, _Comparison(0, DIFFERS, BPF_MAP_CREATE)),
            ("ioctl", ALLOWED, _Comparison(1, MASKED_EQUAL, 0xFFFFFFFF, RECEIVE)),
            ("ioctl", ALLOWED, _Comparison(1, MASKED_EQUAL, 0xFFFFFFFF, SEND)),
        ]
    for name, action, comparison in wanted:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # else this machine, or this library, knows none of this name
            compared = ctypes.byref(comparison) if comparison else None
            count = int(comparison is not None)
            failed = library.seccomp_rule_add_array(rules, action, number, count, compared)
            if failed and action == ASKED:
                return None
    return int(rules)

"""What a Python answer may try that is none of its business."""

from __future__ import annotations

# Each of these must raise: an answer that gets through one of them counts packets wrong.
HARM = {
    "read the passwords": "open('/etc/passwd')",
    "read the shadow file": "open('/etc/shadow')",
    "read root's home": "os.listdir('/root')",
    "read the homes": "os.listdir('/home')",
    "read another one's answer": "open('../grace/3.2.py')",
    "read a file of the host": "open(CANARY)",
    "write a file of the host": "open(CANARY, 'w')",
    "remove a file of the host": "os.remove(CANARY)",
    "rename a file of the host": "os.rename(CANARY, CANARY + '.gone')",
    "look at what lies beside it": "os.listdir(os.path.dirname(CANARY))",
    "make a folder": "os.mkdir('/tmp/mine')",
    "a temporary file": "tempfile.TemporaryFile()",
    "a link that others follow": "os.symlink('/etc/shadow', '/usr/share/harmless')",
    "a hard link": "os.link(os.__file__, '/usr/lib/mine.py')",
    "a device": "os.mknod('/usr/disk', 0o60600, 2048)",
    "change the lab": "open(labsetup.__file__, 'a')",
    "change the lab's mode": "os.chmod(labsetup.__file__, 0o777)",
    "own the lab": "os.chown(labsetup.__file__, 65534, 65534)",
    "remove the lab": "os.unlink(labsetup.__file__)",
    "change Python's library": "open(os.__file__, 'r+')",
    "truncate Python's library": "os.truncate(os.__file__, 0)",
    "change the times of a file": "os.utime(os.__file__, (0, 0))",
    "an attribute of a file": "os.setxattr(os.__file__, 'user.mine', b'x')",
    "find the solutions": "next(pathlib.Path(labsetup.__file__).parent.glob('lessons/**/sol*'))",
    "find the checks": "next(pathlib.Path(labsetup.__file__).parent.glob('lessons/**/check.py'))",
    "find the tests": "next(pathlib.Path(labsetup.__file__).parents[1].glob('tests/*'))",
    "find the history": "next(pathlib.Path(labsetup.__file__).parents[1].glob('.git/*'))",
    "import the check": "import labsetup.lessons.lesson_03_count_icmp.ex_3_2_packets.check",
    "ask for the solution": "from labsetup.practice.exercise import find; find('3.2').solution",
    "a notebook of the lab": "open(labsetup.__file__.replace('labsetup/__init__.py', 'README.md'))",
    "the disk": "open('/dev/sda', 'rb')",
    "the kernel's log": "open('/dev/kmsg')",
    "the machine's memory": "open('/dev/mem', 'rb')",
    "its own memory": "open('/proc/self/mem', 'r+b')",
    "the first process": "open('/proc/1/environ')",
    "the kernel's settings": "open('/proc/sys/kernel/panic', 'w')",
    "the machine's devices": "os.listdir('/sys/class/net')",
    "pinned programs": "os.listdir('/sys/fs/bpf')",
    "the lab's namespaces": "os.listdir('/run/netns')",
    "another root": "os.chroot('/usr')",
    "another folder": "os.chdir('/usr')",
    "a pipe with a name": "os.mkfifo('/usr/pipe')",
    "a child": "os.fork()",
    "a terminal's child": "os.forkpty()",
    "many children": "[os.fork() for _ in range(10_000)]",
    "a thread": "threading.Thread(target=print).start()",
    "a command": "subprocess.run(['true'])",
    "a shell": "if os.system('true') != 0: raise OSError",
    "a spawned program": "os.posix_spawn('/usr/bin/true', ['true'], {})",
    "another program": "os.execv('/usr/bin/true', ['true'])",
    "a program from memory": "os.memfd_create('mine')",
    "a pool of processes": "multiprocessing.get_context('fork').Process(target=print).start()",
    "a bystander": "os.kill(BYSTANDER, 9)",
    "everybody": "os.kill(-1, 9)",
    "its parent": "os.kill(os.getppid(), 9)",
    "its group": "os.killpg(0, 9)",
    "a session of its own": "os.setsid()",
    "a handle on a process": "os.pidfd_open(1)",
    "root again": "os.setuid(0)",
    "a group of root's": "os.setgid(0)",
    "more groups": "os.setgroups([0])",
    "to come first": "os.nice(-5)",
    "priority for good": "os.setpriority(os.PRIO_PROCESS, 0, -5)",
    "real-time": "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
    "one CPU alone": "os.sched_setaffinity(0, [0])",
    "more processes": "resource.setrlimit(resource.RLIMIT_NPROC, (9, 9))",
    "more memory": "resource.setrlimit(resource.RLIMIT_AS, (2**40, 2**40))",
    "larger files": "resource.setrlimit(resource.RLIMIT_FSIZE, (2**40, 2**40))",
    "an alarm": "signal.setitimer(signal.ITIMER_REAL, 1)",
    "the internet": "socket.create_connection(('192.0.2.1', 80), 1)",
    "UDP": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "the neighbour's D-Bus": "socket.socket(socket.AF_UNIX)",
    "netlink": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
    "raw frames": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)",
    "the hypervisor": "socket.socket(40, socket.SOCK_STREAM)",
    "the kernel's ciphers": "socket.socket(38, socket.SOCK_SEQPACKET)",
    "a pair of sockets": "socket.socketpair()",
    "a page": "urllib.request.urlopen('http://192.0.2.1/', timeout=1)",
    "the lab's sandbox": "from labsetup.network import sandbox; sandbox.enter()",
    "a host of the lab": "from labsetup import two_hosts; two_hosts()",
    "a program of the lab": "from labsetup import Program; Program('xdp_drop')",
    "BCC by hand": "import bcc; bcc.BPF(text='int f(void *c) { return 0; }')",
    "the clock": "time.clock_settime(time.CLOCK_REALTIME, 0)",
    "the name of the machine": "socket.sethostname('mine')",
    **{
        f"the system call {name}": f"system_call({number!r})"
        for name, number in {
            "bpf": (321, 280),
            "perf_event_open": (298, 241),
            "io_uring_setup": (425, 425),
            "userfaultfd": (323, 282),
            "keyctl": (250, 219),
            "add_key": (248, 217),
            "ptrace": (101, 117),
            "process_vm_readv": (310, 270),
            "unshare": (272, 97),
            "setns": (308, 268),
            "mount": (165, 40),
            "mount_setattr": (442, 442),
            "pivot_root": (155, 41),
            "open_by_handle_at": (304, 265),
            "name_to_handle_at": (303, 264),
            "clone3": (435, 435),
            "seccomp": (317, 277),
            "prctl": (157, 167),
            "capset": (126, 91),
            "init_module": (175, 105),
            "kexec_load": (246, 104),
            "reboot": (169, 142),
            "swapon": (167, 224),
            "quotactl": (179, 60),
            "syslog": (103, 116),
            "personality": (135, 92),
            "shmget": (29, 194),
            "msgget": (68, 186),
            "mq_open": (240, 180),
            "fanotify_init": (300, 262),
            "inotify_init1": (294, 26),
            "settimeofday": (164, 170),
        }.items()
    },
}
MODULES = ["ctypes", "labsetup", "multiprocessing", "os", "pathlib", "platform", "resource"]
MODULES += ["signal", "socket", "subprocess", "tempfile", "threading", "time", "urllib.request"]
BEFORE = """\
def system_call(numbers):
    libc = ctypes.CDLL(None, use_errno=True)
    number = numbers[platform.machine() != "x86_64"]
    if libc.syscall(number, 0, 0, 0, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), "system call")

def attempt():
    CODE

def packets(counters):
    try:
        attempt()
    except (AttributeError, NameError, SyntaxError, TypeError):
        return -2  # what is tried here was never tried
    except Exception:
        return sum(map(sum, counters.values()))
    return -1
"""


def attempt(code: str) -> str:
    """An answer that is right, if what it tries first fails."""
    whole = BEFORE.replace("CODE", code)
    if "system_call" not in code:
        whole = whole[whole.index("def attempt") :]
    used = [one for one in MODULES if f"{one}." in whole]
    return f"import {', '.join(used)}\n{whole}" if used else whole

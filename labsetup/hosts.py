"""Hosts and the links between them: network namespaces and veth pairs.

A host is a namespace in the sandbox's own /run/netns, so `ip netns exec NAME` finds it from any
shell in the sandbox.  Sources: veth(4), ip-netns(8), Documentation/networking/ip-sysctl.rst.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pyroute2 import IPRoute
from pyroute2.ethtool.ioctl import IoctlEthtool
from pyroute2.netlink.exceptions import NetlinkError

from . import libbpf, sandbox, show
from .sandbox import LabError

T = TypeVar("T")

SHELL_SIGNS = {"|", "||", "&", "&&", "<", ">", ">>", "2>&1"}

# Which distribution package brings a command that the lessons use.
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
    "nft": "nftables",
    "nstat": "iproute2",
    "llvm-objdump": "llvm",
    "ping": "iputils-ping",
    "tcpdump": "tcpdump",
    "xdp-loader": "xdp-tools",
    "xdpdump": "xdp-tools",
}

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


def _set_sysctls(values: Mapping[str, int]) -> None:
    """Write to /proc/sys of the namespace that the calling thread is in."""
    for key, value in values.items():
        path = Path("/proc/sys") / key
        if path.exists():  # a kernel without IPv6 lacks its part
            path.write_text(f"{value}")


def _apart(work: Callable[..., T], *args: object) -> T:
    """Do netlink work in a thread of its own, in the caller's namespace.

    pyroute2's blocking calls run an event loop, and asyncio allows none in a thread that is
    running one already, as the thread of a Jupyter kernel is.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work, *args).result()


class Result:
    """What a command printed and how it ended.

    Attributes:
        command: the same command for a terminal inside the notebook's network.
        output: what it wrote to stdout and stderr, in order.
        status: its exit status; 0 when all went well.
    """

    def __init__(self, command: str, output: str, status: int) -> None:
        self.command, self.output, self.status = command, output, status

    def __repr__(self) -> str:
        ending = "" if self.status == 0 else f"\n(exit status {self.status})"
        return f"$ {self.command}\n{self.output.rstrip()}{ending}"

    def __contains__(self, text: str) -> bool:
        return text in self.output


@dataclass(frozen=True)
class Ping:
    """What became of some echo requests."""

    sent: int
    received: int
    command: str

    def __repr__(self) -> str:
        return f"{self.sent} sent, {self.received} received\n$ {self.command}"


@dataclass(frozen=True)
class Connection:
    """What became of a TCP connection."""

    ok: bool
    to: str
    error: str

    def __repr__(self) -> str:
        return f"TCP to {self.to}: {'all bytes came back' if self.ok else self.error}"


class Counters(dict[str, int]):
    """Counters by name; the difference of two readings is what happened in between."""

    def __missing__(self, name: str) -> int:
        raise NoSuchEntry(f"there is no counter {name}; there are: {', '.join(self)}")

    def __sub__(self, earlier: Counters) -> Counters:
        return Counters({name: value - earlier.get(name, 0) for name, value in self.items()})

    def __repr__(self) -> str:
        rows = [(name, value) for name, value in self.items() if value]
        if not rows:
            return "all counters at 0"
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:{width}}  {value}" for name, value in rows)


class Background:
    """A command that runs beside the notebook until it is stopped, such as tcpdump.

    Use it as a context manager, or call `stop()`.  It ends with the notebook in any case.
    """

    def __init__(self, command: str, process: subprocess.Popen[str]) -> None:
        self.command = command
        self._process = process
        self._lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._news:
                self._lines.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    @property
    def pid(self) -> int:
        """The number of its process."""
        return self._process.pid

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return "".join(self._lines)

    def wait_for(self, text: str, timeout: float = 10) -> None:
        """Return once it has printed *text*.

        Raises:
            LabError: when it ends, or *timeout* seconds pass, without it.
        """
        with self._news:
            self._news.wait_for(lambda: text in self.output or self._ended, timeout)
        if text not in self.output:
            what = (
                "ended without printing" if self._ended else f"within {timeout:g} s did not print"
            )
            said = self.output.strip() or "nothing"
            raise LabError(f"«{self.command}» {what} {text!r}; it said: {said}")

    def stop(self, quiet: float = 0.1, timeout: float = 5) -> Result:
        """Interrupt it as Ctrl-C does, and return what it printed.

        Args:
            quiet: first wait until it has printed nothing for this many seconds,
            timeout: but for no longer than this; and so long again for its end.
        """
        deadline = time.monotonic() + timeout
        with self._news:
            while not self._ended and self._news.wait(quiet) and time.monotonic() < deadline:
                pass
        if self.running:
            self._process.send_signal(signal.SIGINT)
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._reader.join(timeout)
        return Result(self.command, self.output, status)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it as a crash does: at once, and without a word."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Background:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        state = "\n(still running)" if self.running else ""
        return f"$ {self.command}\n{self.output.rstrip()}{state}"


class Interface:
    """One end of a link.

    Attributes:
        host: the host that it belongs to.
        name: as `ip link` shows it.
        mac: its Ethernet address.
        addresses: its IP addresses with prefix length.
        peer: the interface at the other end of the wire.
    """

    def __init__(self, host: Host, name: str, mac: str, addresses: Sequence[str]) -> None:
        self.host, self.name, self.mac = host, name, mac
        self.addresses = tuple(ipaddress.ip_interface(address) for address in addresses)
        self.peer: Interface = self  # until the link is made
        self.attachment: Any = None  # what Program.attach() put here last
        self.programs: set[int] = set()  # ids of all that it ever put here

    def _link(self) -> Any:
        def ask() -> Any:
            with IPRoute() as netlink:
                return next(iter(netlink.get_links(ifname=self.name)), None)

        try:
            with self.host.inside():
                link = _apart(ask)
        except NetlinkError:
            link = None
        if link is None:
            raise LabError(
                f"{self.host.name} {self.name} is gone; run the cell that makes the network again"
            )
        return link

    @property
    def index(self) -> int:
        """Its number in its host's namespace, as `ip link` shows it."""
        return self._link()["index"]

    @property
    def xdp(self) -> tuple[str, str, int] | None:
        """Name, mode and id of the XDP program that the kernel has on this interface."""
        attached = self._link().get_attr("IFLA_XDP")
        program = attached.get_attr("IFLA_XDP_PROG_ID") if attached else None
        if not program:
            return None
        mode = "generic" if attached.get_attr("IFLA_XDP_ATTACHED") == "xdpgeneric" else "native"
        return libbpf.name_of(program), mode, program

    @property
    def ours(self) -> Any:
        """What the lab attached here, if that is what the kernel runs here now."""
        found = self.xdp
        mine = self.attachment
        return mine if found and mine and found[2] == mine.id else None

    @property
    def is_helper(self) -> bool:
        """Whether the program here is the xdp_pass that only helps the other end of the wire."""
        return self.ours is not None and self.ours.program is None

    @property
    def leaves_checksums(self) -> bool:
        """Whether the stack leaves checksums to this interface (TX checksum offload)."""
        with self.host.inside(), contextlib.closing(IoctlEthtool(self.name)) as ethtool:
            return bool(ethtool.get_offload_flags()["tx-checksumming"])

    @property
    def counters(self) -> Counters:
        """The driver's XDP counters, RX queues summed (`ethtool -S`), and the link's own.

        What veth counts: linux/drivers/net/veth.c.  PASS has no counter of its own; `drops` are
        frames lost in the driver, not by the verdict XDP_DROP.
        """
        stats = self._link().get_attr("IFLA_STATS64")
        counters = Counters(
            {name: stats[name] for name in ("rx_packets", "rx_dropped", "tx_packets", "tx_dropped")}
        )
        with self.host.inside(), contextlib.closing(IoctlEthtool(self.name)) as ethtool:
            for name, value in ethtool.get_statistics():
                found = re.fullmatch(r"[rt]x_queue_\d+_(xdp_\w+|drops)", name)
                if found and found[1] != "xdp_bytes":
                    counters[found[1]] = counters.get(found[1], 0) + value
        return counters

    def __repr__(self) -> str:
        addresses = " ".join(map(str, self.addresses))
        return f"{self.host.name} {self.name} {self.mac} {addresses}"


class Host:
    """A machine of the lesson's network: a network namespace with interfaces.

    Its interfaces are attributes: ``net.server.eth0``.
    """

    def __init__(self, name: str, sysctls: Mapping[str, int]) -> None:
        self.name = name
        self.interfaces: dict[str, Interface] = {}
        self.open = True  # until the network is closed
        self._children: list[subprocess.Popen[str]] = []
        self._started: dict[str, Background] = {}
        self._to_close: list[Callable[[], object]] = []
        sandbox.new_namespace(name)
        with self.inside():
            _set_sysctls(sysctls)

    def __getattr__(self, name: str) -> Interface:
        interfaces = self.__dict__.get("interfaces", {})
        if name in interfaces:
            return interfaces[name]
        if name.startswith("_"):  # Python and IPython probe for such names
            raise AttributeError(name)
        has = ", ".join(interfaces) or "none yet"
        # AttributeError, so that hasattr() and completion go on working.
        raise NoSuchName(f"{self.name} has no interface or method {name}; its interfaces: {has}")

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *self.interfaces]

    def inside(self):
        """A context in which this thread's sockets and children belong to the host."""
        if not self.open:
            raise LabError(
                f"{self.name} is gone: its network was built anew or closed; take the host from "
                "the new network"
            )
        return sandbox.in_namespace(self.name)

    def _popen(self, command: str | Sequence[str]) -> tuple[str, subprocess.Popen[str]]:
        try:
            words = shlex.split(command) if isinstance(command, str) else [str(w) for w in command]
        except ValueError as error:
            raise LabError(f"the command {command} cannot be read: {error}") from None
        if not words:
            raise LabError(f"{self.name} was given an empty command; name a program to run")
        if isinstance(command, str) and (signs := SHELL_SIGNS.intersection(words)):
            raise LabError(
                f"commands run without a shell, and {min(signs)} is the shell's; write "
                f'"sh -c {shlex.quote(command)}", or give the words as a list'
            )
        if shutil.which(words[0]) is None:
            package = PACKAGE_OF.get(words[0])
            mend = f"type: apt-get install {package}" if package else "check its spelling"
            raise LabError(f"{self.name} has no command {words[0]}; {mend}")
        with self.inside():
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,  # an interrupted cell must not end what runs beside it
            )
        self._children = [child for child in self._children if child.poll() is None] + [process]
        return f"ip netns exec {self.name} {shlex.join(words)}", process

    def run(self, command: str | Sequence[str], timeout: float = 20) -> Result:
        """Run a command on this host, without a shell, and wait for it.

        Args:
            command: the words of the command, or one string that is split as a shell splits.
            timeout: seconds, after which it is ended.

        Raises:
            LabError: when the command does not exist, or does not end in time.
        """
        shown, process = self._popen(command)
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            output, _ = process.communicate()
            raise LabError(
                f"«{shown}» was ended after {timeout:g} s; bound it with an option of its own, "
                "or give run() a longer timeout. At last it said: "
                f"{output.strip()[-200:] or 'nothing'}"
            ) from None
        except KeyboardInterrupt:
            process.kill()
            process.wait()
            raise LabError(f"«{shown}» was interrupted") from None
        except BaseException:
            process.kill()
            raise
        return Result(shown, output, process.returncode)

    @property
    def pids(self) -> list[int]:
        """The processes that were started here and go on."""
        return [child.pid for child in self._children if child.poll() is None]

    def has(self, command: str) -> bool:
        """Whether a command is installed."""
        return shutil.which(command) is not None

    def start(self, command: str | Sequence[str]) -> Background:
        """Run a command on this host beside the notebook.

        The same command again ends the first one, as when a cell is run twice.
        """
        shown, process = self._popen(command)
        if shown in self._started:
            process.kill()
            process.wait()
            self._started.pop(shown).stop(quiet=0)
            shown, process = self._popen(command)
        self._started[shown] = Background(shown, process)
        return self._started[shown]

    def tcpdump(self, interface: str = "eth0", options: str = "") -> Background:
        """Start tcpdump on an interface, and return once it listens.

        Args:
            interface: name of one of this host's interfaces.
            options: more options, or a filter such as ``icmp``.
        """
        dump = self.start(f"tcpdump -tnl --immediate-mode -i {interface} {options}")
        try:
            dump.wait_for("listening on")
        except LabError:
            dump.stop()
            raise
        return dump

    def ping(
        self,
        target: Host | Interface | str,
        count: int = 3,
        interval: float = 0.05,
        wait: float = 1,
        size: int = 56,
        cpu: int | None = None,
    ) -> Ping:
        """Send ICMP echo requests and count the replies.

        Args:
            target: a host, an interface, or an address.
            count: number of requests.
            interval: seconds between two requests.
            wait: seconds to wait for the last reply.
            size: bytes of payload in each.
            cpu: the CPU that sends; any, when None.
        """
        address = target if isinstance(target, str) else self._address_of(target)
        if cpu is not None and cpu not in cpus():
            raise LabError(f"there is no CPU {cpu}; cpus() lists those there are")
        if not isinstance(count, int) or count < 1:
            raise LabError(f"ping() takes a whole number as its count, not {count!r}")
        payload = "" if size == 56 else f"-s {size} "
        command = f"ping -c {count} -i {interval:g} -W {wait:g} {payload}{address}"
        if cpu is not None:
            command = f"taskset -c {cpu} {command}"
        result = self.run(command, timeout=count * max(interval, 0.01) + wait + 10)
        found = re.search(r"(\d+) packets transmitted, (\d+) received", result.output)
        if not found:
            raise LabError(f"«{result.command}» failed: {result.output.strip()}")
        return Ping(int(found[1]), int(found[2]), result.command)

    def connect(self, target: Host, port: int = 80, wait: float = 0.5) -> Connection:
        """Open a TCP connection to a host, send a few bytes there and have them back.

        Args:
            target: the host, which listens just for this.
            port: its port.
            wait: seconds to wait for each step.
        """
        if not isinstance(target, Host):
            raise LabError(
                f"connect() takes a host such as net.server, not {type(target).__name__}"
            )
        if not (isinstance(port, int) and 0 < port < 65536 and wait > 0):
            raise LabError(f"connect() takes a port from 1 to 65535 and a time, not {port}, {wait}")
        address, words = self._address_of(target), b"are you there?"
        with contextlib.ExitStack() as stack:
            try:
                with target.inside():
                    listener = stack.enter_context(socket.create_server((address, port)))
            except OSError as error:
                raise LabError(
                    f"{target.name} cannot listen on port {port} ({error.strerror}); take another"
                ) from None
            with self.inside():
                ours = stack.enter_context(socket.socket())
            listener.settimeout(wait)
            ours.settimeout(wait)
            try:
                ours.connect((address, port))
                theirs = stack.enter_context(listener.accept()[0])
                theirs.settimeout(wait)
                ours.sendall(words)
                theirs.sendall(theirs.recv(100))
                return Connection(ours.recv(100) == words, f"{address}:{port}", "")
            except OSError as error:
                return Connection(False, f"{address}:{port}", str(error))

    def _address_of(self, target: Host | Interface) -> str:
        """The target's IPv4 address nearest to this host: on a shared link, if there is one."""
        if isinstance(target, Host):
            interfaces = list(target.interfaces.values())
        elif isinstance(target, Interface):
            interfaces = [target]
        else:
            raise LabError(f"a {type(target).__name__} is no host and no address")
        theirs = [a for i in interfaces for a in i.addresses if a.version == 4]
        mine = [a for i in self.interfaces.values() for a in i.addresses]
        if not theirs:
            raise LabError(f"{target!r} has no IPv4 address")
        shared = [a for a in theirs if any(a.ip in m.network for m in mine)]
        return str((shared or theirs)[0].ip)

    def at_close(self, end: Callable[[], object]) -> None:
        """Have a function called before the host goes: an open socket would keep it alive."""
        self._to_close.append(end)

    def close(self) -> None:
        """End what runs on this host and give its namespace back."""
        while self._to_close:
            self._to_close.pop()()
        for child in self._children:
            if child.poll() is None:
                child.kill()
                child.wait()
        self.open = False
        sandbox.delete_namespace(self.name)

    def __repr__(self) -> str:
        return "\n".join([self.name, *(f"  {i!r}" for i in self.interfaces.values())])


class NoSuchEntry(LabError, KeyError):
    """A counter or a map entry that is not there."""

    __str__ = LabError.__str__  # KeyError would quote the sentence


class NoSuchName(LabError, AttributeError):
    """A host or an interface that the network does not have."""


class Network:
    """Some hosts and the links between them.

    Its hosts are attributes: ``net.client``.  As the last line of a cell it draws itself.
    """

    _open: Network | None = None  # one lesson has one network: a new one replaces it

    def __init__(
        self,
        links: Sequence[tuple[str, str]],
        vip: tuple[str, Sequence[str]] | None = None,
        routers: Mapping[str, str] | None = None,
        switches: Sequence[str] = (),
        queues: int = 1,
    ) -> None:
        """Build it.

        Args:
            links: a pair of ends for each link, an end being
                ``"HOST INTERFACE ADDRESS/PREFIX ..."``.
            vip: virtual addresses with prefix, and the hosts that have them on their loopback
                and keep quiet about it: ARP for them is for whoever has them on the link.
            routers: for each host that sends beyond its own links, the router that it sends to.
                A router forwards, and is reached by its address in a network of that host.
            switches: hosts whose interfaces are the ports of a bridge.
            queues: RX and TX queues of every interface; one queue is served by one CPU at a time.

        IPv6 is off where no address asks for it: it announces itself on every wire.
        """
        sandbox.require()
        if Network._open is not None:
            Network._open.close()
        for leftover in list(sandbox.NETNS.iterdir()):  # of a build that was interrupted
            sandbox.delete_namespace(leftover.name)
        Network._open = self
        self.hosts: dict[str, Host] = {}
        self.links: list[tuple[Interface, Interface]] = []
        self.vip, self.vip_hosts = vip or ("", ())
        self.routers, self.switches = routers or {}, switches
        ipv6 = ":" in str(links) + self.vip
        self._sysctls = SYSCTLS | {
            "net/ipv6/conf/default/disable_ipv6": int(not ipv6),
            # No link-local addresses, which announce themselves; but a router cannot do without,
            # nor can who answers from a loopback address ask for a neighbour.
            "net/ipv6/conf/default/addr_gen_mode": int(not (self.routers or vip)),
        }
        _apart(self._build, links, queues)

    def _build(self, links: Sequence[tuple[str, str]], queues: int) -> None:
        with IPRoute() as netlink:
            for ends in links:
                a, b = (self._interface(end) for end in ends)
                a.peer, b.peer = b, a
                self.links.append((a, b))
                self._make_link(netlink, a, b, queues)
        # All links first: an address on a link that is up is announced at once, and then no more.
        for host in self.hosts.values():
            self._bring_up(host)
        for host in self.hosts.values():
            self._give_addresses(host)

    def _interface(self, end: str) -> Interface:
        name, interface, *addresses = end.split()
        if name not in self.hosts:
            quiet = {"net/ipv6/conf/default/disable_ipv6": 1} if name in self.switches else {}
            self.hosts[name] = Host(name, self._sysctls | quiet)
        host = self.hosts[name]
        # Locally administered, and the same at each run: host number, interface number.
        mac = f"02:00:00:00:{len(self.hosts):02x}:{len(host.interfaces):02x}"
        host.interfaces[interface] = Interface(host, interface, mac, addresses)
        return host.interfaces[interface]

    @staticmethod
    def _make_link(netlink: IPRoute, a: Interface, b: Interface, queues: int) -> None:
        files = [os.open(sandbox.NETNS / end.host.name, os.O_RDONLY) for end in (a, b)]
        first, second = (
            {
                "ifname": end.name,
                "address": end.mac,
                "net_ns_fd": file,
                "num_tx_queues": queues,
                "num_rx_queues": queues,
            }
            for end, file in zip((a, b), files, strict=True)
        )
        try:
            netlink.link("add", kind="veth", peer=second, **first)
        finally:
            for file in files:
                os.close(file)

    def _bring_up(self, host: Host) -> None:
        with host.inside(), IPRoute() as netlink:
            netlink.link("set", index=1, state="up")
            bridge = self._bridge(netlink) if host.name in self.switches else None
            for interface in host.interfaces.values():
                # With it on, the sender's stack leaves checksums to hardware that veth does not
                # have, and a frame that XDP sends on carries a wrong one.
                with contextlib.closing(IoctlEthtool(interface.name)) as ethtool:
                    ethtool.set_offload_flag("tx-checksumming", 0)
                for version in ("ipv4", "ipv6"):
                    folder = f"net/{version}/neigh/{interface.name}"
                    _set_sysctls({f"{folder}/{k}": v for k, v in NEIGHBOUR_SYSCTLS.items()})
                index = netlink.link_lookup(ifname=interface.name)[0]
                port = {} if bridge is None else {"master": bridge}
                netlink.link("set", index=index, state="up", **port)

    @staticmethod
    def _bridge(netlink: IPRoute) -> int:
        # Without multicast snooping it says nothing of its own.
        netlink.link("add", ifname="br0", kind="bridge", br_mcast_snooping=0)
        index = netlink.link_lookup(ifname="br0")[0]
        netlink.link("set", index=index, state="up")
        return index

    def _give_addresses(self, host: Host) -> None:
        with host.inside(), IPRoute() as netlink:
            if self.vip and host.name in self.vip_hosts:
                for one in self.vip.split():
                    address, _, prefix = one.partition("/")
                    netlink.addr("add", index=1, address=address, prefixlen=int(prefix))
                _set_sysctls(QUIET_ARP)
            for interface in host.interfaces.values():
                index = netlink.link_lookup(ifname=interface.name)[0]
                for address in interface.addresses:
                    netlink.addr(
                        "add",
                        index=index,
                        address=str(address.ip),
                        prefixlen=address.network.prefixlen,
                    )
            if host.name in self.routers:
                self._give_routes(netlink, host)
            if host.name in self.routers.values():
                _set_sysctls({"net/ipv4/ip_forward": 1, "net/ipv6/conf/all/forwarding": 1})

    def _give_routes(self, netlink: IPRoute, host: Host) -> None:
        near = [a.network for i in host.interfaces.values() for a in i.addresses]
        for interface in self.hosts[self.routers[host.name]].interfaces.values():
            for address in interface.addresses:
                if address.network in near:
                    everything = "::/0" if address.version == 6 else "0.0.0.0/0"
                    netlink.route("add", dst=everything, gateway=str(address.ip))

    def __getattr__(self, name: str) -> Host:
        hosts = self.__dict__.get("hosts", {})
        if name in hosts:
            return hosts[name]
        if name.startswith("_"):
            raise AttributeError(name)
        raise NoSuchName(f"this network has no host {name}; it has: {', '.join(hosts)}")

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *self.hosts]

    def __iter__(self) -> Iterator[Host]:
        return iter(self.hosts.values())

    @classmethod
    def forget(cls) -> None:
        """In a child process: leave the parent's network to the parent."""
        cls._open = None

    def close(self) -> None:
        """End what runs on its hosts and give their namespaces back."""
        for host in self.hosts.values():
            host.close()
        if Network._open is self:
            Network._open = None

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"text/html": show.network_html(self), "text/plain": show.network_text(self)}

    def __repr__(self) -> str:
        return show.network_text(self)


def cpus() -> list[int]:
    """The CPUs that this notebook may use, by number."""
    return sorted(os.sched_getaffinity(0))

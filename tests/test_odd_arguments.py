"""Every public name, called with what a slip of the hand gives it: one sentence, or sense."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import io
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import labsetup
from labsetup import LabError

LIMIT = 20  # seconds for one call

# For each name what a right call takes, as Python; "…" stands for what belongs to no argument.
GOOD: dict[str, dict[str, str]] = {
    "Balancer": {
        "net": "many()",
        "program": "loaded('lb_table')",
        "key": "(1, 2)",
        "servers": "['s1']",
    },
    "Bgp": {"net": "routed()", "servers": "['s1']", "policy": "3"},
    "Connections": {"net": "many()", "number": "3", "port": "80", "wait": "0.3"},
    "Direct": {"net": "many()"},
    "Exceptions": {},
    "RedirectErrors": {},
    "Flood": {"net": "many()"},
    "HAProxy": {"net": "many()"},
    "HealthChecks": {
        "balancer": "Balancer(many(), loaded('lb_table'))",
        "interval": "0.25",
        "threshold": "2",
    }
    | {"port": "80", "send": "b''", "expect": "b''", "panic": "0.5", "routes": "None"},
    "IpvsMaglev": {"net": "many()"},
    "IpvsSource": {"net": "many()"},
    "NftDnat": {"net": "many()"},
    "NftIngress": {"net": "many()", "rows": "64"},
    "NftMasquerade": {"net": "many()"},
    "Neighbours": {"net": "routed()"},
    "Peers": {"net": "many()", "program": "'to_owner'", "key": "(1, 2)"},
    "Program": {"name": "'xdp_pass'", "source": "None", "constants": "None"},
    "Scoreboard": {"ways": "['a', 'b']", "events": "['c']", "of": "5"},
    "StandAlone": {"net": "many()"},
    "Site": {"net": "routed()", "way": "'to_owner'", "key": "(1, 2)"},
    "Xdp": {"net": "many()", "program": "'lb_table'"},
    "XdpMemory": {"net": "many()"},
    "XdpNat": {"net": "many()"},
    "account": {"net": "two()"},
    "balanced": {"servers": "2", "ipv6": "False"},
    "bgp_or_by_hand": {"net": "routed()"},
    "breaks": {"way": "Direct(many())", "connections": "2"},
    "capture": {"where": "two()"},
    "check": {"number": "'2.1'", "answer": "loaded('xdp_drop')"},
    "claim": {"holds": "False", "what": "'it is so'", "why": "'it is busy'"},
    "collateral": {"before": "np.array(['a', 'b'])", "after": "np.array(['b', 'b'])"},
    "compare": {"net": "many()", "rounds": "1", "number": "4", "frames": "0", "connections": "0"}
    | {"ways": "[Direct]"},
    "churn": {"net": "routed()", "key": "(1, 2)", "seconds": "10", "ways": "['neighbours']"},
    "counted_at": {"net": "routed()", "counter": "'IpInReceives'", "packets": "IP()/ICMP()"},
    "cpus": {},
    "datagrams": {"net": "many()", "at": "'0.0.0.0'", "pktinfo": "False", "questions": "2"},
    "detours": {"net": "routed()", "peers": "Peers(routed())", "rounds": "1", "number": "4"},
    "ecmp": {"net": "routed()", "servers": "['s1']", "resilient": "False", "policy": "3"}
    | {"idle": "120"},
    "exhibit": {"room": "1"},
    "explore": {"picture": "lambda x: plot(lambda a: None, 'x')", "x": "(1, 3)"},
    "flow_hash": {"flows": "random_flows(5)", "key": "(1, 2)"},
    "hint": {"number": "'2.1'"},
    "journey": {"net": "two()", "interface": "two().client.eth0", "packet": "IP()/ICMP()"},
    "jump": {"hashes": "hashes()", "servers": "['a', 'b']"},
    "latency": {"net": "many()", "rounds": "1", "number": "4", "ways": "[Direct]"},
    "maglev": {"hashes": "hashes()", "servers": "['a', 'b']", "rows": "251"},
    "mixed": {"x": "hashes()"},
    "modulo": {"hashes": "hashes()", "servers": "['a', 'b']"},
    "moved": {"before": "np.array(['a', 'b'])", "after": "np.array(['b', 'b'])"},
    "next_hops": {"net": "routed()", "flows": "[('192.0.2.1', 5000)]"},
    "no_balancer": {"servers": "2", "ipv6": "False"},
    "pinned": {"path": "pin()"},
    "plot": {"draw": "lambda axes: None", "words": "'nothing'"},
    "predict": {"question": "'why?'", "choices": "'a', 'b'", "unit": "''"},
    "progress": {"unknown": "", "clear": "False"},
    "random_flows": {"number": "5", "seed": "1", "ipv6": "False", "clients": "'192.0.2.0/24'"},
    "record": {"program": "loaded('xdp_pass', True)"},
    "rendezvous": {"hashes": "hashes()", "servers": "['a', 'b']", "weights": "[1, 2]"},
    "replies": {"net": "many()", "sizes": "[9]", "rounds": "1", "number": "4", "mbits": "0"}
    | {"ways": "[Direct]"},
    "requests": {"net": "many()", "number": "4", "seconds": "1"},
    "ring": {"hashes": "hashes()", "servers": "['a', 'b']", "points": "10"},
    "seed_of": {"server": "'s1'"},
    "segments": {"flows": "random_flows(3)", "leaving": "two().client.eth0"}
    | {"to": "two().server.eth0", "flags": "'S'"},
    "send": {"interface": "two().client.eth0", "packet": "IP()/ICMP()", "count": "1"},
    "services": {"net": "many()", "port": "80"},
    "silent_hosts": {},
    "table": {"hashes": "hashes()", "servers": "['a', 'b']", "rows": "100"},
    "three_hosts": {},
    "two_hosts": {"queues": "1", "ipv6": "False"},
    "unevenness": {"choice": "np.array(['a', 'b'])", "servers": "['a', 'b']"},
    "upload": {"sender": "two().client", "receiver": "two().server", "megabytes": "1"},
    "watch": {"sources": "{'x': lambda: 1}", "seconds": "0.2", "every": "0.1"},
}
METHODS = {
    "two().client.ping": {"target": "two().server", "count": "1", "interval": "0.05", "wait": "0.2"}
    | {"size": "56", "cpu": "None"},
    "two().client.connect": {"target": "two().server", "port": "80", "wait": "0.2"},
    "two().client.run": {"command": "'true'", "timeout": "2"},
    "two().client.start": {"command": "'true'"},
    "two().client.tcpdump": {"interface": "'eth0'", "options": "'icmp'"},
    "loaded('xdp_pass').attach": {"interface": "two().server.eth0", "mode": "'native'"},
    "loaded('xdp_pass').detach": {"interface": "None"},
    "loaded('xdp_pass').run": {"packet": "IP()/ICMP()", "repeat": "1", "cpus": "None"},
    "loaded('xdp_pass').export": {"folder": "'exported'"},
    "loaded('icmp_count')['icmp_packets'].__setitem__": {"key": "0", "value": "1"},
    "Exceptions().of": {"interface": "two().server.eth0"},
    "RedirectErrors().of": {"interface": "two().server.eth0"},
    "Balancer(many(), loaded('lb_table')).use": {"servers": "'s1'"},
    "Balancer(many(), loaded('lb_table')).share": {"server": "'s1'"},
    "Peers(many()).use": {"servers": "'s1'", "gone": "['s2']"},
    "Neighbours(routed()).use": {"servers": "'s1'", "gone": "['s2']"},
}
# They have sentences of their own, and Python's about a wrong number of arguments.
PYTHONS = {name for name in METHODS if "__setitem__" in name or name.startswith("Balancer")}
ODD = ["None", "'x'", "''", "0", "-1", "10**30", "2.5", "float('nan')", "[]", "[None]", "b'x'"]
ODD += ["object()", "{}", "closed()", "np.arange(3.0)", "['s1', 's1']", "'192.0.2.300'"]
# Not ours, or without arguments: scapy's layers, constants, what a program is made with.
OTHERS = {"ARP", "DNS", "DNSQR", "Dot1Q", "Ether", "ICMP", "ICMPv6EchoRequest", "IP", "IPv6", "Raw"}
OTHERS |= {"TCP", "UDP", "LabError", "MARKS", "SERIES", "VIP", "VIP6", "checkup"}


class _Nets:
    """Networks that are made when they are first asked for, or a call has closed them."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def get(self, kind: str) -> Any:
        net = self._made.get(kind)
        if net is None or not next(iter(net)).open:
            makers = {"two": "two_hosts", "many": "balanced", "routed": "no_balancer"}
            sizes = {} if kind == "two" else {"servers": 2}
            net = self._made[kind] = getattr(labsetup, makers[kind])(**sizes)
        return net


def pin() -> str:
    """The path of a map that is pinned."""
    path = Path("/sys/fs/bpf/odd")
    if not path.exists():
        program = labsetup.Program("icmp_count")  # which holds its map
        number = str(program["icmp_packets"].id)
        subprocess.run(["bpftool", "map", "pin", "id", number, path], check=True)
    return str(path)


@pytest.fixture(scope="module")
def space() -> dict[str, Any]:
    nets, names = _Nets(), {name: getattr(labsetup, name) for name in dir(labsetup)}
    gone = labsetup.two_hosts()
    gone.close()
    names |= {"two": lambda: nets.get("two"), "many": lambda: nets.get("many"), "np": np}
    names |= {"routed": lambda: nets.get("routed"), "closed": lambda: gone, "pin": pin}
    names["loaded"] = functools.cache(
        lambda name, capture=False: labsetup.Program(name, capture=capture)
    )
    return names | {"hashes": lambda: labsetup.flow_hash(labsetup.random_flows(50))}


def test_every_name_is_tried():
    assert {*GOOD, *OTHERS} == set(dir(labsetup))


class _Late(BaseException):
    """A call that did not end in time."""


@contextlib.contextmanager
def limited():
    def late(*_):
        raise _Late

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(LIMIT)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


async def _tried(call: str, space: dict[str, Any]) -> Any:
    """In a loop, as in a notebook: a plot that moves asks for one."""
    made = eval(call, space)
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    return made


def outcome(call: str, space: dict[str, Any]) -> str:
    """The sentence; empty for a result that can be shown."""
    with limited(), contextlib.redirect_stdout(io.StringIO()):
        try:
            made = asyncio.run(_tried(call, space))
            repr(made)
            for end in ("stop", "close", "detach"):
                if made is not None and not inspect.ismodule(made) and hasattr(made, end):
                    with contextlib.suppress(TypeError, LabError):
                        getattr(made, end)()
        except LabError as error:
            return str(error)
    return ""


def calls(name: str, good: dict[str, str]) -> list[str]:
    """The name with one odd argument at a time, with none, and with one too many."""
    found = [f"{name}(*[1] * 12)", f"{name}(no_such_argument=1)"] if name not in PYTHONS else []
    for odd_one in good:
        for odd in ODD:
            found.append(call_of(name, good | {odd_one: odd}))
    return found


def call_of(name: str, arguments: dict[str, str]) -> str:
    """The call; what comes before *several is given by its place."""
    by_place = {"where", "choices", "unknown", "question", "servers"[: 7 * name.endswith(".use")]}
    words = [value if key in by_place else f"{key}={value}" for key, value in arguments.items()]
    return f"{name}({', '.join(one for one in words if one)})"


@pytest.mark.parametrize("name", [*GOOD, *METHODS])
def test_odd_arguments_end_in_a_sentence(
    name: str, space: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where a name that is given may be written
    good = GOOD.get(name, METHODS.get(name, {}))
    wrong = []
    for call in calls(name, good):
        try:
            said = outcome(call, space)
        except _Late:
            wrong.append(f"{call}: no end in {LIMIT} s")
        except BaseException as error:
            wrong.append(f"{call}: {type(error).__name__}: {error}")
        else:
            if len(said) > 600 or "Traceback" in said:
                wrong.append(f"{call}: no sentence: {said[:200]}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", [name for name in GOOD if GOOD[name]])
def test_the_right_arguments_are_right(name: str, space: dict[str, Any]) -> None:
    """What is tried with one odd argument is right but for that."""
    if name in ("check", "exhibit", "next_hops", "detours", "Bgp", "watch", "explore"):
        pytest.skip("tried by tests of its own")
    assert outcome(call_of(name, GOOD[name]), space) == ""

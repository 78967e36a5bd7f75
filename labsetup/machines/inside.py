"""What a guest tries, step by step; each tells in a line of JSON how it went.

A step is a process of its own, with a limit.  Those that are no verb of the lab are functions here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import LabError
from ..network import sandbox

PYTHON = [sys.executable, "-P", "-m"]
NO_TIME = "no time was left; --minutes gives more"
SLOW = 4  # times as long as with KVM, by the guest's own clock


@dataclass(frozen=True)
class Step:
    """One thing to try.

    Attributes:
        name: in the table.
        command: arguments of Python's -m.
        seconds: after which it is ended, where the processor is not emulated.
        takes: seconds where it is emulated, on one machine: by these the steps are divided.
        read: makes a line of the JSON that the command printed, where it prints some.
        further: whether it is left out where no time is left, and the kernel is well without.
    """

    name: str
    command: list[str]
    seconds: float
    takes: float
    read: Callable[[Any], str] = str
    further: bool = False


def _doctor(report: Any) -> str:
    without = [check["name"] for check in report["checks"] if not check["ok"]]
    return f"without {', '.join(without)}" if without else "ready for every lesson"


def _notebook(report: Any) -> str:
    (ran,) = report["notebooks"]
    failed = [f"cell {one['cell']}: {one['error']}" for one in ran["failed"]]
    return "; ".join(failed) or f"{ran['cells']} cells"


def _function(
    name: str, function: str, seconds: float, takes: float, further: bool = False
) -> Step:
    command = ["labsetup.machines.inside", function]
    return Step(name, command, seconds, takes, further=further)


def _notebook_step(number: str, takes: float, seconds: float = 90, further: bool = False) -> Step:
    command = ["labsetup.command", "run", number, "--json"]
    return Step(f"notebook {number}", command, seconds, takes, _notebook, further)


# What takes longest comes last, where time may run out; and after it what is further.
STEPS = (
    Step("doctor", ["labsetup.command", "doctor", "--json"], 60, 30, _doctor),
    _function("xdpdump on a program that drops", "dump", 30, 14),
    _function("xdp-loader with two programs", "dispatch", 30, 8),
    _function("IPVS balances", "ipvs", 60, 23),
    _notebook_step("01", 56),
    _notebook_step("04", 85),
    _notebook_step("05", 137),
    _function("every exercise's solution", "solutions", 120, 226),
    _notebook_step("08", 582, seconds=400),
    _notebook_step("07", 775, seconds=300),
    _notebook_step("09", 95, further=True),
    _function("veth, with GRO and without", "veth", 90, 110, further=True),
)


def dump() -> str:
    """See with xdpdump what a program drops."""
    from ..network.topologies import two_hosts
    from ..programs.program import Program

    net = two_hosts()
    net.client.ping(net.server, count=1)  # and the client knows where to send what is dropped
    Program("xdp_drop").attach(net.server.eth0)
    with net.server.start("xdpdump -i eth0 --rx-capture entry,exit") as watcher:
        watcher.wait_for("listening on", timeout=60)
        sent = net.client.ping(net.server, count=3, wait=0.2)
    # It prints to a pipe when it ends.
    shown = watcher.output.count("[DROP]")
    if sent.received or shown < 3:
        raise LabError(f"xdpdump shows {shown} of 3 dropped; {sent.received} pings came back")
    return f"it shows {shown} packets with XDP_DROP"


def dispatch() -> str:
    """Have xdp-loader put its dispatcher in front of two programs."""
    from ..network.topologies import two_hosts

    net = two_hosts()
    source = Path(__file__).parents[2] / "bpf"
    with tempfile.TemporaryDirectory(prefix="xdp-lab-") as folder:
        objects = []
        for name in ("xdp_pass", "xdp_drop"):
            objects.append(f"{folder}/{name}.o")
            net.server.run(f"clang -O2 -g -target bpf -c {source}/{name}.c -o {objects[-1]}")
        net.server.run(f"xdp-loader load --mode native eth0 {' '.join(objects)}", timeout=120)
        status = net.server.run("xdp-loader status eth0", timeout=60).output
        missing = [one for one in ("xdp_dispatcher", "xdp_pass", "xdp_drop") if one not in status]
        if missing:
            raise LabError(f"xdp-loader's status has no {', '.join(missing)}: {status}")
        lost = net.client.ping(net.server, count=2, wait=0.2)
        net.server.run("xdp-loader unload eth0 --all", timeout=60)
        back = net.client.ping(net.server, count=2)
    if lost.received or not back.received:
        raise LabError(f"{lost.received} pings with the programs, {back.received} after them")
    return "xdp_dispatcher calls xdp_pass and xdp_drop"


def ipvs() -> str:
    """Balance with both of IPVS's schedulers."""
    from ..network.topologies import balanced
    from ..rivals.ipvs import IpvsMaglev, IpvsSource
    from ..rivals.requests import requests

    net, told = balanced(), []
    for kind in (IpvsMaglev, IpvsSource):
        way = kind(net)
        if way.missing:
            raise LabError(way.missing)
        with way:
            requests(net, 4)  # a guest's files come slowly: what answers is in memory now
            asked = requests(net, 60, seconds=60)
        if asked.number != 60:
            raise LabError(f"{way.name}: {asked!r}")
        told.append(f"{way.name}: {len(asked.servers)} servers")
    return "; ".join(told)


def veth() -> str:
    """Run the tests of what lesson 05 says of veth, and of why a redirect goes nowhere."""
    repo = Path(__file__).parents[2]
    tests = [f"{repo / 'tests' / name}.py" for name in ("test_veth", "test_redirect_errors")]
    command = [*PYTHON, "pytest", "-p", "no:cacheprovider", "-q", "-rf", "--tb=line", *tests]
    ran = subprocess.run(command, check=False, cwd=repo, capture_output=True, text=True)
    lines = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if ran.returncode:
        raise LabError("; ".join(lines) or f"pytest: {(ran.stderr or ran.stdout)[-500:]}")
    return ran.stdout.strip().splitlines()[-1]


def solutions() -> str:
    """Have each exercise's check judge its solution."""
    from ..practice.exercise import every
    from ..practice.judge import judge

    wrong, exercises = [], every().values()
    for exercise in exercises:
        reply = judge(exercise, exercise.solution, seconds=240)
        if not reply.ok:
            wrong.append(f"{exercise.id}: {' '.join(repr(reply).split())[:300]}")
    if wrong:
        raise LabError("; ".join(wrong))
    return f"{len(exercises)} judged right"


FUNCTIONS = {one.__name__: one for one in (dump, dispatch, ipvs, veth, solutions)}


def tell(**fields: Any) -> None:
    """Write a line, which the host reads."""
    print(json.dumps(fields), flush=True)


def attempt(step: Step, limit: float) -> tuple[bool, str]:
    """Do a step.

    Args:
        step: which one.
        limit: seconds, after which it is ended.

    Returns:
        whether all was well, and a line on it.
    """
    # In a session of its own: all of it is ended, as the lab's own process sees to at its SIGTERM.
    process = subprocess.Popen(
        [*PYTHON, *step.command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        out, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        process.terminate()
        try:
            out, errors = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            out, errors = "", ""
        said = (errors or out).strip().splitlines()
        return False, f"no end after {limit:.0f} s; {said[-1] if said else 'it said nothing'}"
    with_words = errors.strip().splitlines()
    try:
        line = step.read(json.loads(out))
    except ValueError:
        line = with_words[-1] if with_words else f"it said nothing, status {process.returncode}"
    return process.returncode == 0, line[:2000]


def main(words: list[str]) -> int:
    """Do one function, or steps, for at most LIMIT seconds: ``steps LIMIT SLOW NAME ...``."""
    if words[0] in FUNCTIONS:
        sandbox.enter()
        try:
            print(json.dumps(FUNCTIONS[words[0]]()))
        except LabError as error:
            print(json.dumps(" ".join(f"{error}".split())))
            return 1
        return 0
    until, slow = time.monotonic() + float(words[1]), float(words[2])
    tell(hello=os.uname().release, cpus=os.cpu_count())
    for step in (step for step in STEPS if step.name in words[3:]):
        limit = min(step.seconds * slow, until - time.monotonic())
        if limit <= 5:
            tell(step=step.name, ok=None if step.further else False, said=f"not begun: {NO_TIME}")
            continue
        tell(begins=step.name, limit=round(limit))
        ok: bool | None
        ok, line = attempt(step, limit)
        if not ok and step.further and time.monotonic() >= until:
            ok, line = None, NO_TIME
        tell(step=step.name, ok=ok, said=line)
    tell(end=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

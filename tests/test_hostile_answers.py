"""Python answers of strangers that mean harm or to cheat: nothing of the host is touched."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from support.cheats import CHEATS, ENDS
from support.host import Host
from support.hostile import HARM, attempt
from support.replies import said

from labsetup import cpus
from labsetup.practice.exercise import find
from labsetup.practice.judge import judge
from labsetup.practice.reply import Reply


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    there = Host(tmp_path_factory.mktemp("class"))
    yield there
    there.end()


@pytest.fixture(scope="module")
def replies(host: Host) -> Iterator[dict[str, Future[Reply]]]:
    """What is said to every one of them, several tried at a time."""
    names = f"CANARY, BYSTANDER = {str(host.canary)!r}, {host.pid}\n"
    sources = {kind: names + attempt(code) for kind, code in HARM.items()}
    sources |= {kind: source for kind, (source, _) in ENDS.items()} | CHEATS
    with ThreadPoolExecutor(2 * len(cpus())) as threads:
        yield {
            kind: threads.submit(judge, find("3.2"), source, _seconds(kind), strangers=True)
            for kind, source in sources.items()
        }


def _seconds(kind: str) -> float:
    return 2 if kind in ENDS and "no end" in ENDS[kind][1] else 20


@pytest.mark.parametrize("kind", HARM)
def test_nothing_of_the_host_is_in_reach(kind, host, replies):
    reply = replies[kind].result()
    assert reply.ok, reply  # each attempt raised, or it would count wrong
    assert host.is_well()


@pytest.mark.parametrize("kind", ENDS)
def test_what_ends_or_does_not_end_has_its_reply(kind, host, replies):
    reply = replies[kind].result()
    assert not reply.ok
    assert ENDS[kind][1] in said(reply)
    assert host.is_well()


@pytest.mark.parametrize("kind", CHEATS)
def test_a_cheat_is_not_right(kind, host, replies):
    reply = replies[kind].result()
    assert not reply.ok, reply
    assert said(reply).isprintable()
    assert host.is_well()

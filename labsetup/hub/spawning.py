"""A reader's container: what it may, what bounds it, and the network that it alone is in.

The network has three addresses: the engine's end, the hub, the reader.  It leads nowhere else, and
no other reader is in it.  Sources: DockerSpawner's reference on hooks and host configuration,
docker's Engine API on networks, podman-network-create(1) on isolate.
"""

from __future__ import annotations

import contextlib
import ipaddress
import time
from collections.abc import Iterable
from typing import Any

from ..errors import LabError
from .engine import GONE, refusal
from .settings import READER

# Those of labsetup/container/README.md, and no other that an engine grants without a word.
CAPABILITIES = [
    *("SYS_ADMIN", "NET_ADMIN", "NET_RAW", "BPF", "PERFMON", "IPC_LOCK"),
    *("SYS_CHROOT", "SETUID", "SETGID", "NET_BIND_SERVICE", "KILL"),
]
PROCESSES = 2048  # and threads, in one reader's container
# Limits that every engine may set: podman's own, asked by docker's API, are above many a machine's.
FILES, TASKS = (1024, 16_384), (16_384, 16_384)  # usually, and if a process asks for more
PATIENCE = 10.0  # seconds that the engine has to let go of a network
TRIES = 64  # of subnets that the engine refuses
EIGHT = 29  # the prefix of a network of eight addresses
HUBS = 2  # which of them the hub has


def host_config() -> dict[str, Any]:
    """What docker's API is told of a reader's container beside its memory and its CPUs."""
    return {
        "cap_drop": ["ALL"],
        "cap_add": CAPABILITIES,
        "security_opt": ["apparmor=unconfined", "label=disable"],
        "pids_limit": PROCESSES,
        "ulimits": [
            {"Name": name, "Soft": soft, "Hard": hard}
            for name, (soft, hard) in (("nofile", FILES), ("nproc", TASKS))
        ],
    }


def free(taken: Iterable[str], pool: ipaddress.IPv4Network) -> ipaddress.IPv4Network:
    """The first eight addresses of the pool that are in no network of these.

    Raises:
        LabError: if there are none.
    """
    networks = [ipaddress.ip_network(one, strict=False) for one in taken]
    others = [one for one in networks if isinstance(one, ipaddress.IPv4Network)]
    for subnet in pool.subnets(new_prefix=EIGHT):
        if not any(subnet.overlaps(other) for other in others):
            return subnet
    raise LabError(
        f"all addresses of {pool} are taken; give the hub a larger pool with XDP_LAB_POOL, or "
        "remove networks that nobody needs"
    )


def subnets(networks: Iterable[dict[str, Any]]) -> list[str]:
    """The addresses of networks, as the engine lists them."""
    configs = [one for network in networks for one in _addresses(network)]
    return [one["Subnet"] for one in configs if one.get("Subnet")]


def _addresses(network: dict[str, Any]) -> list[dict[str, str]]:
    return (network.get("IPAM") or {}).get("Config") or []


def network(name: str, subnet: ipaddress.IPv4Network, is_podman: bool) -> dict[str, Any]:
    """What docker's API is told of a reader's network.

    Docker keeps its bridges apart by itself, podman where it is asked to; neither leads a packet of
    an internal one to the world.
    """
    return {
        "name": name,
        "driver": "bridge",
        "internal": True,
        "ipam": {
            "Driver": "default",
            "Config": [{"Subnet": str(subnet), "Gateway": str(subnet[1])}],
        },
        "options": {"isolate": "true"} if is_podman else {},
        "labels": {READER: name.removeprefix(f"{READER}-")},
    }


def prepare(engine: Any, name: str, hub: str, pool: ipaddress.IPv4Network) -> str:
    """Before a container is made: its network, with the hub in it; gives the hub's address there.

    Args:
        engine: docker's client, on docker's socket or podman's.
        name: of the container, and of the network.
        hub: the name or the number of the hub's own container.
        pool: where addresses come from.

    Raises:
        LabError: if no addresses are left.
    """
    networks = engine.networks()
    mine = next((one for one in networks if one["Name"] == name), None)
    if mine is None:
        subnet = _made(engine, name, subnets(networks), pool)
    else:  # the engine had not let go of it when the reader last stopped
        subnet = ipaddress.IPv4Network(_addresses(mine)[0]["Subnet"])
    return _joined(engine, name, hub, subnet)


def _made(
    engine: Any, name: str, taken: list[str], pool: ipaddress.IPv4Network
) -> ipaddress.IPv4Network:
    """Make a network; the engine refuses what only it sees that the machine uses already."""
    components = engine.version().get("Components") or ()
    is_podman = any("podman" in one.get("Name", "").lower() for one in components)
    for tries in range(TRIES):
        subnet = free(taken, pool)
        try:
            engine.create_network(**network(name, subnet, is_podman))
            break
        except Exception as error:
            if not refusal(error) or tries == TRIES - 1:
                raise
            taken = [*taken, str(subnet)]
    return subnet


def _joined(engine: Any, name: str, hub: str, subnet: ipaddress.IPv4Network) -> str:
    """Have the hub in a network, at the address that an earlier hub had, if that can be had."""

    def own() -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = engine.inspect_container(hub)["NetworkSettings"][
            "Networks"
        ]
        return found

    if name not in own():
        try:
            engine.connect_container_to_network(hub, name, ipv4_address=str(subnet[HUBS]))
        except Exception as error:  # podman 4 may hold an address for a container that is gone
            if not refusal(error):
                raise
            with contextlib.suppress(Exception):  # it may have it half connected, or not at all
                engine.disconnect_container_from_network(hub, name)
            engine.connect_container_to_network(hub, name)
    return own()[name]["IPAddress"]


def put_away(engine: Any, name: str, hub: str) -> None:
    """After a container has ended: its network; one that the engine still holds is used again.

    Where the hub itself is being stopped they stay for the next one: podman 4 would forget such a
    network, and leave its bridge to the machine.
    """
    if engine.inspect_container(hub)["State"]["Status"] != "running":
        return
    deadline = time.monotonic() + PATIENCE
    for act, words in (
        (engine.disconnect_container_from_network, (hub, name)),
        (engine.remove_network, (name,)),
    ):
        while True:
            try:
                act(*words)
                break
            except Exception as error:  # whatever it is, it must not keep the reader's server
                if refusal(error) == GONE or time.monotonic() > deadline:
                    break
            time.sleep(0.2)  # polls: a container is removed in its own time


def rejoin(engine: Any, hub: str) -> list[str]:
    """Go back into the networks of readers who outlived an earlier hub.

    Gives the names of those where the engine refuses, or gives the hub another address than their
    servers know: these readers have to start their servers anew.
    """
    lost = []
    for one in engine.networks(filters={"label": READER}):
        if not (addresses := _addresses(one)):
            continue
        subnet = ipaddress.IPv4Network(addresses[0]["Subnet"])
        try:
            if _joined(engine, one["Name"], hub, subnet) == str(subnet[HUBS]):
                continue
        except Exception as error:
            if not refusal(error):
                raise
        lost.append(one["Name"])
    return lost

"""A reader's container: what it may, what bounds it, and the network that it alone is in.

The network has three addresses: the engine's end, the hub, the reader.  It leads nowhere else, and
no other reader is in it.  Sources: DockerSpawner's reference on hooks and host configuration,
docker's Engine API on networks, podman-network-create(1) on isolate.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable
from typing import Any, Protocol

from ..errors import LabError
from .engine import GONE, refusal
from .settings import HUB_PORT, READER

# Those of labsetup/container/README.md, and no other that an engine grants without a word.
CAPABILITIES = [
    *("SYS_ADMIN", "NET_ADMIN", "NET_RAW", "BPF", "PERFMON", "IPC_LOCK"),
    *("SYS_CHROOT", "SETUID", "SETGID", "NET_BIND_SERVICE", "KILL"),
]
PROCESSES = 2048  # and threads, in one reader's container
# Limits that every engine may set: podman's own, asked by docker's API, are above many a machine's.
FILES, TASKS = (1024, 16_384), (16_384, 16_384)  # usually, and if a process asks for more
PATIENCE = 10.0  # seconds that the engine has to let go of a network
EIGHT = 29  # the prefix of a network of eight addresses
HUBS, READERS = 2, 3  # which of them the hub has, and the reader

_one_at_a_time = asyncio.Lock()  # between looking for free addresses and taking them


class Spawner(Protocol):
    """What is used of DockerSpawner here."""

    container_name: str
    network_name: str
    hub_connect_url: str | None

    def docker(self, method: str, *words: Any, **options: Any) -> Any:
        """Call the engine in another thread."""


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


async def prepare(spawner: Spawner, hub: str, pool: ipaddress.IPv4Network) -> None:
    """Before a container is made: its network, with the hub in it.

    Args:
        spawner: of the reader.
        hub: the name or the number of the hub's own container.
        pool: where addresses come from.

    Raises:
        LabError: if no addresses are left.
    """
    name = spawner.container_name
    async with _one_at_a_time:
        networks = await spawner.docker("networks")
        mine = next((one for one in networks if one["Name"] == name), None)
        if mine is None:
            subnet = free(subnets(networks), pool)
            podman = _is_podman(await spawner.docker("version"))
            await spawner.docker("create_network", **network(name, subnet, podman))
        else:  # the engine had not let go of it when the reader last stopped
            subnet = ipaddress.IPv4Network(_addresses(mine)[0]["Subnet"])
        own = await spawner.docker("inspect_container", hub)
        if name not in own["NetworkSettings"]["Networks"]:
            address = str(subnet[HUBS])
            await spawner.docker("connect_container_to_network", hub, name, ipv4_address=address)
    spawner.network_name = name
    spawner.hub_connect_url = f"http://{subnet[HUBS]}:{HUB_PORT}"


def _is_podman(version: dict[str, Any]) -> bool:
    return any("podman" in one.get("Name", "").lower() for one in version.get("Components") or ())


async def put_away(spawner: Spawner, hub: str) -> None:
    """After a container has ended: its network; one that the engine still holds is used again."""
    name = spawner.container_name
    deadline = asyncio.get_running_loop().time() + PATIENCE
    for method, words in (
        ("disconnect_container_from_network", (hub, name)),
        ("remove_network", (name,)),
    ):
        while True:
            try:
                await spawner.docker(method, *words)
                break
            except Exception as error:  # whatever it is, it must not keep the reader's server
                if refusal(error) == GONE or asyncio.get_running_loop().time() > deadline:
                    break
            await asyncio.sleep(0.2)  # polls: a container is removed in its own time


def rejoin(client: Any, hub: str) -> None:
    """Go back into the networks of readers who outlived an earlier hub."""
    own = client.inspect_container(hub)["NetworkSettings"]["Networks"]
    for one in client.networks(filters={"label": READER}):
        if one["Name"] not in own and _addresses(one):
            address = str(ipaddress.IPv4Network(_addresses(one)[0]["Subnet"])[HUBS])
            client.connect_container_to_network(hub, one["Name"], ipv4_address=address)

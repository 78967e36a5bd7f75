"""JupyterHub's configuration for a class: who comes in, what each gets, who sees the room.

JupyterHub reads this file with `get_config` among its names; who imports it has `configure`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any

from labsetup.hub import spawning
from labsetup.hub.settings import HUB_PORT, KEEPS, MINE, NAME, READER, ROOM_PORT, Settings, settings


def configure(
    c: Any, has: Settings, hub: str, authenticator: type[Any], engine: Callable[[], Any]
) -> None:
    """Set it all.

    Args:
        c: JupyterHub's configuration.
        has: what the teacher has set.
        hub: the name or the number of the hub's container.
        authenticator: the class that asks for passwords.
        engine: gives a client of docker's library.
    """
    c.JupyterHub.bind_url = "https://:8000" if has.certificate else "http://:8000"
    c.JupyterHub.ssl_cert, c.JupyterHub.ssl_key = has.certificate, has.key
    c.JupyterHub.hub_bind_url = f"http://:{HUB_PORT}"  # readers come by networks of their own
    c.JupyterHub.hub_connect_ip = "127.0.0.1"  # and what the hub itself has started, by this
    c.JupyterHub.cookie_secret_file = f"{KEEPS}/cookies"
    c.JupyterHub.db_url = f"sqlite:///{KEEPS}/jupyterhub.sqlite"
    c.JupyterHub.authenticator_class = authenticator
    c.Authenticator.username_pattern = NAME
    c.Authenticator.admin_users = {has.teacher}
    c.Authenticator.allow_all = True  # each who has a name with its password

    c.JupyterHub.spawner_class = "dockerspawner.DockerSpawner"
    c.DockerSpawner.image = has.image
    c.DockerSpawner.pull_policy = "never"  # it is built here
    c.DockerSpawner.cmd = ["start"]  # the image's lab, which sees whose it is
    c.DockerSpawner.prefix = READER
    c.DockerSpawner.name_template = "{prefix}-{username}"
    c.DockerSpawner.volumes = {f"{READER}-{{username}}": MINE}
    c.DockerSpawner.remove = True
    c.DockerSpawner.use_internal_ip = True
    c.DockerSpawner.mem_limit = has.memory
    c.DockerSpawner.cpu_limit = has.cpus
    c.DockerSpawner.extra_host_config = spawning.host_config()
    c.Spawner.default_url = "/lab"
    c.Spawner.start_timeout = 300  # forty at once wait for each other
    c.Spawner.http_timeout = 120

    one_at_a_time = asyncio.Lock()  # between looking for free addresses and taking them

    async def prepare(spawner: Any) -> None:
        name = spawner.container_name
        async with one_at_a_time:
            at = await asyncio.to_thread(spawning.prepare, engine(), name, hub, has.pool)
        spawner.network_name, spawner.hub_connect_url = name, f"http://{at}:{HUB_PORT}"

    async def put_away(spawner: Any) -> None:
        await asyncio.to_thread(spawning.put_away, engine(), spawner.container_name, hub)

    c.Spawner.pre_spawn_hook, c.Spawner.post_stop_hook = prepare, put_away

    def first_page(handler: Any) -> str:
        user = handler.current_user
        return "/services/room/" if user and user.admin else ""  # a reader's is their server

    c.JupyterHub.default_url = first_page
    c.JupyterHub.services = [
        {
            "name": "room",
            "url": f"http://127.0.0.1:{ROOM_PORT}",
            "command": [sys.executable, "-P", "-m", "labsetup.hub.room"],
            "environment": {"XDP_LAB_IMAGE": has.image},
            "oauth_no_confirm": True,
        }
    ]


if "get_config" in globals():
    import socket

    from docker import APIClient

    from labsetup.hub.passwords import authenticator

    own = os.environ.get("XDP_LAB_HUB") or socket.gethostname()
    for name in spawning.rejoin(APIClient(), own):
        print(f"{name} outlived an earlier hub, which it cannot find: stop it on the page Servers")
    configure(globals()["get_config"](), settings(os.environ), own, authenticator(), APIClient)

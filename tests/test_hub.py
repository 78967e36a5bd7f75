"""The hub without a hub: what its engine is asked for, who may come in."""

from __future__ import annotations

import asyncio
import importlib.util
import re
import stat
from ipaddress import IPv4Network
from types import SimpleNamespace
from typing import Any

import pytest
from support.host import REPO
from support.hub_engine import Refused
from support.podman import capabilities, granted
from traitlets.config import Config

from labsetup.command import start
from labsetup.errors import LabError
from labsetup.hub import passwords, spawning
from labsetup.hub.jupyterhub_config import configure
from labsetup.hub.settings import MINE, NAME, READER, settings

FOLDER = REPO / "labsetup" / "hub"
POOL = IPv4Network("10.213.0.0/16")


class Engine:
    """Docker's API as far as networks go, in memory."""

    def __init__(self, name: str = "Podman Engine") -> None:
        self.name = name
        self.nets: dict[str, dict[str, Any]] = {}
        self.hubs: dict[str, str] = {}
        self.refusals: list[int] = []
        self.used: list[str] = []
        self.held: list[str] = []
        self.status = "running"

    def networks(self, filters: object = None) -> list[dict[str, Any]]:
        return [{"Name": "host", "IPAM": None}, *self.nets.values()]

    def version(self) -> dict[str, Any]:
        return {"Components": [{"Name": self.name}]}

    def create_network(self, name: str, ipam: dict[str, Any], **options: Any) -> None:
        assert name not in self.nets
        if ipam["Config"][0]["Subnet"] in self.used:
            raise Refused(500)
        self.nets[name] = {"Name": name, "IPAM": ipam, **options}

    def inspect_container(self, name: str) -> dict[str, Any]:
        networks = {name: {"IPAddress": address} for name, address in self.hubs.items()}
        return {"NetworkSettings": {"Networks": networks}, "State": {"Status": self.status}}

    def connect_container_to_network(self, hub: str, name: str, ipv4_address: str = "") -> None:
        assert name not in self.hubs
        self.hubs[name] = ipv4_address or "10.213.0.6"
        if ipv4_address in self.held:
            raise Refused(500)  # and leaves it half connected, as podman 4.3 does

    def disconnect_container_from_network(self, hub: str, name: str) -> None:
        if name not in self.hubs:
            raise Refused(404)
        del self.hubs[name]

    def remove_network(self, name: str) -> None:
        if self.refusals:
            raise Refused(self.refusals.pop())
        del self.nets[name]


def prepared(engine: Engine, *names: str) -> list[Any]:
    """What JupyterHub has done for readers who come at the same time: their spawners."""
    config = configured(engine)

    async def all_at_once() -> list[Any]:
        spawners = [SimpleNamespace(container_name=f"{READER}-{name}") for name in names]
        await asyncio.gather(*(config.Spawner.pre_spawn_hook(one) for one in spawners))
        return spawners

    return asyncio.run(all_at_once())


def configured(engine: Engine | None = None, **environ: str) -> Config:
    config = Config()
    configure(config, settings(environ), "hub", object, lambda: engine)
    return config


def test_a_reader_has_the_smallest_set_of_capabilities_and_no_device():
    config = spawning.host_config()
    assert config["cap_drop"] == ["ALL"]
    assert config["cap_add"] == [*capabilities(), *granted()]
    assert not {"privileged", "devices", "binds", "pid_mode", "ipc_mode"} & config.keys()
    assert config["pids_limit"] > 0


def test_each_reader_is_in_a_network_of_their_own_with_the_hub():
    engine = Engine()
    ada, grace = prepared(engine, "ada", "grace")
    assert [ada.network_name, grace.network_name] == [f"{READER}-ada", f"{READER}-grace"]
    ours = [IPv4Network(one) for one in spawning.subnets(engine.nets.values())]
    assert not ours[0].overlaps(ours[1])
    assert all(one.subnet_of(POOL) for one in ours)
    assert set(engine.hubs.values()) == {str(one[2]) for one in ours}
    assert ada.hub_connect_url == f"http://{engine.hubs[ada.network_name]}:8081"


@pytest.mark.parametrize(
    ("engine", "options"), [("Podman Engine", {"isolate": "true"}), ("Engine", {})]
)
def test_a_readers_network_leads_nowhere(engine, options):
    made = Engine(engine)
    prepared(made, "ada")
    (network,) = made.nets.values()
    assert network["internal"]
    assert network["options"] == options


def test_a_network_that_the_engine_still_holds_is_used_again():
    engine = Engine()
    (first,) = prepared(engine, "ada")
    (second,) = prepared(engine, "ada")
    assert first.hub_connect_url == second.hub_connect_url
    assert len(engine.nets) == 1


def test_a_network_goes_when_its_reader_has_stopped():
    engine = Engine()
    (ada,) = prepared(engine, "ada")
    engine.refusals = [403]  # while the container is still there
    asyncio.run(configured(engine).Spawner.post_stop_hook(ada))
    assert not engine.nets
    assert not engine.hubs


def test_a_hub_that_is_being_stopped_leaves_networks_to_the_next():
    engine = Engine()
    (ada,) = prepared(engine, "ada")
    engine.status = "stopping"
    asyncio.run(configured(engine).Spawner.post_stop_hook(ada))
    assert engine.nets
    assert engine.hubs


def test_an_engine_that_lets_go_of_nothing_does_not_keep_a_reader(monkeypatch):
    monkeypatch.setattr(spawning, "PATIENCE", 0.5)
    engine = Engine()
    (ada,) = prepared(engine, "ada")
    engine.refusals = [403] * 1000
    asyncio.run(asyncio.wait_for(configured(engine).Spawner.post_stop_hook(ada), 10))
    assert engine.nets


def test_a_new_hub_goes_back_to_readers_who_are_still_there():
    engine = Engine()
    (ada,) = prepared(engine, "ada")
    before = dict(engine.hubs)
    engine.hubs.clear()
    engine.nets["other"] = {"Name": "other", "IPAM": {"Config": []}}
    assert not spawning.rejoin(engine, "hub")
    assert engine.hubs == before
    assert ada.network_name in before


def test_a_new_hub_says_whose_server_cannot_find_it():
    engine = Engine()
    ada, grace = prepared(engine, "ada", "grace")
    before = dict(engine.hubs)
    engine.hubs.clear()
    engine.held = [before[ada.network_name]]
    assert spawning.rejoin(engine, "hub") == [ada.network_name]
    assert engine.hubs[grace.network_name] == before[grace.network_name]


def test_an_address_that_the_engine_holds_for_nobody_is_not_waited_for():
    engine = Engine()
    engine.held = ["10.213.0.2"]
    (ada,) = prepared(engine, "ada")
    assert ada.hub_connect_url == "http://10.213.0.6:8081"


def test_addresses_that_anything_has_are_left_alone():
    taken = ["10.213.0.0/30", "10.213.0.8/29", "fd00::/64", "10.213.0.20/32"]
    assert str(spawning.free(taken, POOL)) == "10.213.0.24/29"


def test_addresses_that_only_the_engine_sees_in_use_are_left_alone():
    engine = Engine()
    engine.used = ["10.213.0.0/29", "10.213.0.8/29"]
    (ada,) = prepared(engine, "ada")
    assert engine.hubs[ada.network_name] == "10.213.0.18"
    engine.used = [str(one) for one in POOL.subnets(new_prefix=29)]
    with pytest.raises(Refused):
        prepared(engine, "grace")


def test_a_pool_that_is_empty_is_told():
    with pytest.raises(LabError, match="give the hub a larger pool with XDP_LAB_POOL"):
        spawning.free(["10.213.0.0/16"], POOL)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("XDP_LAB_TEACHER", "Ms. X"),
        ("XDP_LAB_MEMORY", "much"),
        ("XDP_LAB_MEMORY", "0G"),
        ("XDP_LAB_CPUS", "0"),
        ("XDP_LAB_CPUS", "nan"),
        ("XDP_LAB_POOL", "10.213.0.1/16"),
        ("XDP_LAB_POOL", "10.213.0.0/30"),
        ("XDP_LAB_CERT", "/only/one"),
    ],
)
def test_a_setting_that_is_wrong_is_named(variable, value):
    with pytest.raises(LabError, match=variable):
        settings({variable: value})


def test_the_hub_is_told_who_may_what():
    config = configured(XDP_LAB_TEACHER="grace", XDP_LAB_MEMORY="3G", XDP_LAB_CPUS="1.5")
    assert config.Authenticator.admin_users == {"grace"}
    assert config.DockerSpawner.mem_limit == "3G"
    assert config.DockerSpawner.cpu_limit == 1.5
    assert config.DockerSpawner.volumes == {f"{READER}-{{username}}": MINE}
    assert config.DockerSpawner.remove
    # No scope for anybody beyond those that JupyterHub gives: readers their own server, no service.
    assert "load_roles" not in config.JupyterHub
    assert "allow_named_servers" not in config.JupyterHub
    (service,) = config.JupyterHub.services
    assert not {"admin", "api_token"} & service.keys()
    assert service["url"].startswith("http://127.0.0.1:")


def test_the_teacher_comes_to_the_room_and_readers_to_their_servers():
    first = configured().JupyterHub.default_url
    for user, page in (
        (None, ""),  # who has not logged in is asked to, and comes back
        (SimpleNamespace(admin=False), ""),
        (SimpleNamespace(admin=True), "/services/room/"),
    ):
        assert first(SimpleNamespace(current_user=user)) == page


def test_names_need_no_escape_anywhere():
    assert configured().Authenticator.username_pattern == NAME
    for name in ("", "Ada", "a/b", "../hub", "a-b", "1a", "ada\n", "a" * 33, "ä"):
        assert not re.fullmatch(NAME, name)


def test_a_password_is_of_its_name_and_its_hub_alone():
    secret, other = b"1" * 32, b"2" * 32
    right = passwords.password("ada", secret)
    assert re.fullmatch(r"[a-z2-7]{4}-[a-z2-7]{4}-[a-z2-7]{4}", right)
    assert passwords.is_right("ada", f" {right.upper()} ", secret)
    for name, given, of in (
        ("grace", right, secret),
        ("ada", right, other),
        ("ada", "", secret),
        ("ada", "ä", secret),
        ("../ada", passwords.password("../ada", secret), secret),
    ):
        assert not passwords.is_right(name, given, of)


def test_the_secret_is_made_once_for_nobodys_eyes(tmp_path):
    path = tmp_path / "secret"
    made = passwords.kept(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert passwords.kept(path) == made
    path.write_bytes(b"")
    with pytest.raises(LabError, match="damaged: delete it"):
        passwords.kept(path)
    with pytest.raises(LabError, match="cannot be kept in"):
        passwords.kept(tmp_path / "nowhere" / "secret")


def test_a_name_that_is_none_gets_no_password(capsys):
    assert passwords.main(["ada", "Grace Hopper"]) == 2
    assert passwords.main([]) == 2
    said = capsys.readouterr()
    assert "Grace Hopper: give names of at most 32 small letters" in said.err
    assert not said.out


def test_the_lab_asks_a_hub_only_under_one(monkeypatch):
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    assert start._server() == "jupyterlab"
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    assert start._server() == "jupyterhub.singleuser"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(LabError, match="installed without JupyterHub; build the image anew"):
        start._server()


def pins(path: str) -> dict[str, str]:
    text = (REPO / path).read_text().replace("\\\n", "")
    lines = [one for one in text.splitlines() if not one.startswith("#")]
    assert all("--hash=sha256:" in one for one in lines)
    found = [re.match(r"([a-z0-9_.-]+)(?:\[[a-z,-]+\])?==([\w.]+)", one) for one in lines]
    return {one[1]: one[2] for one in found if one}


def test_what_the_hub_needs_fits_the_labs_own_pins():
    lab, hub = pins("labsetup/requirements.txt"), pins("labsetup/hub/requirements.txt")
    assert {"jupyterhub", "dockerspawner", "docker"} <= hub.keys() - lab.keys()
    common = lab.keys() & hub.keys()
    assert {name: lab[name] for name in common} == {name: hub[name] for name in common}
    text = (REPO / "labsetup/container/Containerfile").read_text()
    assert "--require-hashes -r labsetup/hub/requirements.txt" in text


def test_the_hubs_image_is_the_labs():
    text = (FOLDER / "Containerfile").read_text()
    assert re.search(r"^ARG LAB=localhost/xdp-lab\nFROM \$LAB$", text, re.MULTILINE)
    (entry,) = re.findall(r'^ENTRYPOINT \["/xdp-lab/(.+)"\]$', text, re.MULTILINE)
    assert (REPO / entry).stat().st_mode & stat.S_IXUSR
    assert settings({}).image == "localhost/xdp-lab"

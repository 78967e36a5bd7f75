"""The hub under load, and attacked by one of its readers; for minutes, so only where asked for.

XDP_LAB_READERS says how many come at once (2 if it does not); -s shows seconds and MiB.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from support import hub_running
from support import podman as engine
from support.hub import Visitor, text_of
from support.hub_running import ADDRESS, NAME, PYTHON, Hub
from support.podman import Podman

from labsetup.practice.exercise import find

READERS = int(os.environ.get("XDP_LAB_READERS", "2"))

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(
        "XDP_LAB_LONG" not in os.environ, reason="takes minutes; set XDP_LAB_LONG=1"
    ),
]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    if reason := engine.reason_without() or hub_running.reason_without():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("podman")
    with engine.mounts() as hold:
        podman = Podman(folder, hold)
        if "status 0" not in (said := podman.run(["--privileged"], "--help")):
            pytest.skip(f"podman starts no container here: {said.strip()}")
        with podman.serving() as socket:
            try:
                yield Hub(podman, socket)
            finally:
                podman("rm", "--all", "--force", "--time=0", timeout=300)
                podman("volume", "prune", "--force")


@pytest.fixture(scope="module")
def pair(hub: Hub) -> tuple[Visitor, Visitor]:
    """Two readers at work: one who learns, and one who would rather look at the other's."""
    ada, mallory = hub.visitor("ada"), hub.visitor("mallory")
    ada.start()
    mallory.start()
    return ada, mallory


def test_a_room_runs_notebook_02(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    def at_once(act: Callable[[Visitor], float]) -> list[float]:
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(act, visitors))

    visitors = [hub.visitor(f"reader{number}") for number in range(READERS)]
    pages = at_once(Visitor.start)
    opened = [hub.used(f"xdp-lab-reader-{one.name}") for one in visitors]
    runs = at_once(lambda one: one.run_notebook()[0])
    after = [hub.used(f"xdp-lab-reader-{one.name}") for one in visitors]
    # Each has its own copy, and nobody's cells ran in another's container.
    names = {text_of(one.run("import socket; print(socket.gethostname())")) for one in visitors}
    assert len(names) == READERS
    typical = statistics.median
    with capsys.disabled():
        print(
            f"\n{READERS} readers: page {typical(pages):.1f} s (slowest {max(pages):.1f}), "
            f"notebook 02 {typical(runs):.1f} s (slowest {max(runs):.1f}); CPU a reader "
            f"{typical(one.cpu for one in opened):.1f} s for the page, "
            f"{typical(b.cpu - a.cpu for a, b in zip(opened, after, strict=True)):.1f} for the "
            f"notebook; memory a reader {typical(one.memory for one in after):.0f} MiB (most "
            f"{max(one.memory for one in after):.0f}), without cached files "
            f"{typical(one.own for one in after):.0f}; hub {hub.used(NAME)}; "
            f"{os.getloadavg()[0]:.0f} processes wanted the machine"
        )
    for one in visitors:
        one.stop()


def test_another_readers_server_is_shut(pair: tuple[Visitor, Visitor]) -> None:
    _, mallory = pair
    for path in ("lab", "api/contents", "api/kernels", "xdp-lab/course"):
        assert mallory.get(f"/user/ada/{path}").status_code == 403
    for path in ("users", "users/ada", "services", "proxy"):
        assert mallory.get(f"/hub/api/{path}").status_code in (403, 404)
    assert mallory.ask("DELETE", "/hub/api/users/ada/server").status_code in (403, 404)
    assert mallory.ask("POST", "/hub/api/users/ada/tokens", json={}).status_code in (403, 404)


ASK_WITH_OWN_TOKEN = """
import json, sys, urllib.error, urllib.request
words = open("/proc/1/environ").read().split(chr(0))
env = dict(word.split("=", 1) for word in words if "=" in word)
hub = env["JUPYTERHUB_API_URL"].removesuffix(":8081/hub/api")
head = {"Authorization": "token " + env["JUPYTERHUB_API_TOKEN"]}
said = {}
for path in sys.argv[1:]:
    try:
        with urllib.request.urlopen(urllib.request.Request(hub + path, headers=head)) as page:
            said[path] = page.status
    except urllib.error.HTTPError as error:
        said[path] = error.code
print(json.dumps(said))
"""


def test_a_servers_own_token_opens_nothing_else(hub: Hub, pair: tuple[Visitor, Visitor]) -> None:
    own, others = (
        ":8081/hub/api/user",
        [
            ":8081/hub/api/users",
            ":8081/hub/api/users/ada",
            ":8000/user/ada/api/contents",
            ":8000/services/room/",
        ],
    )
    said = json.loads(hub.within("mallory", PYTHON, "-c", ASK_WITH_OWN_TOKEN, own, *others))
    assert said.pop(own) == 200
    assert set(said.values()) <= {403, 404}


CONNECT = """
import socket, sys
for one in sys.argv[1:]:
    host, _, port = one.rpartition(":")
    try:
        socket.create_connection((host, int(port)), 2).close()
        print(one)
    except OSError:
        pass
"""


def test_no_way_leads_into_another_readers_network(hub: Hub, pair: tuple[Visitor, Visitor]) -> None:
    ada, gateway = f"{hub.address('ada')}:8888", hub.address("mallory").rpartition(".")
    first = int(gateway[2]) // 8 * 8
    ends = [f"{gateway[0]}.{first + one}" for one in (1, 2)]  # the engine's, and the hub's
    assert hub.within("ada", PYTHON, "-c", CONNECT, ada).strip() == ada  # it listens
    assert not hub.within("mallory", PYTHON, "-c", CONNECT, ada)
    for end in ends:  # root there may say what the way is
        assert not hub.within("mallory", "ip", "route", "replace", "default", "via", end)
        assert not hub.within("mallory", PYTHON, "-c", CONNECT, ada)
    hub.within("mallory", "ip", "route", "del", "default")
    # Of the hub only what asks for a password or a token listens there.
    ports = [f"{ends[1]}:{port}" for port in (22, 8000, 8001, 8081, 9000)]
    found = hub.within("mallory", PYTHON, "-c", CONNECT, *ports).split()
    assert found == [f"{ends[1]}:8000", f"{ends[1]}:8081"]


def test_no_file_of_anothers_and_no_device_is_there(
    hub: Hub, pair: tuple[Visitor, Visitor]
) -> None:
    hub.within("ada", "sh", "-c", "echo ada-was-here > /xdp-lab/my-lab/note")
    assert "ada" not in hub.within("mallory", "sh", "-c", "cat /xdp-lab/my-lab/note")
    assert "Operation not permitted" in hub.within("mallory", "mknod", "/tmp/disk", "b", "254", "0")
    assert not hub.within("mallory", "find", "/dev", "-type", "b")
    assert "No such file" in hub.within("mallory", "ls", "/var/run/docker.sock")


def test_memory_and_processes_are_bounded(hub: Hub, pair: tuple[Visitor, Visitor]) -> None:
    form = "{{.HostConfig.Memory}} {{.HostConfig.PidsLimit}} {{.HostConfig.Privileged}}"
    said = hub.podman("inspect", "xdp-lab-reader-ada", "--format", form).stdout.split()
    assert said == [str(2 * 2**30), "2048", "false"]
    hungry = "held = b'x' * (3 << 30); print('had it')"
    assert "had it" not in hub.within("mallory", PYTHON, "-c", hungry)
    assert hub.within("mallory", "echo", "alive").strip() == "alive"


def _seen(teacher: Visitor, words: str) -> requests.Response:
    """The room's page with these words: what it shows may be some seconds old."""
    deadline = time.monotonic() + 60
    while True:
        page = teacher.get("/services/room/")
        assert page.status_code == 200, page.text
        if words in page.text:
            return page
        assert time.monotonic() < deadline, page.text
        time.sleep(1)


def test_the_room_is_the_teachers(hub: Hub, pair: tuple[Visitor, Visitor]) -> None:
    ada, mallory = pair
    exercise = find("2.1")
    cell = f"from labsetup import *\n%%xdp {exercise.name} --check 2.1\n{exercise.solution}"
    imports, _, check = cell.partition("\n")
    kernel = ada.kernel()
    ada.run(imports, kernel)
    ada.run(check, kernel)
    teacher = hub.visitor("teacher")
    assert teacher.landed == "/services/room/"
    for name in ("oscar", "trudy", "victor"):
        hub.visitor(name).start()
    folder = "/xdp-lab/my-lab/.state/xdp-lab"
    hub.within("oscar", "sh", "-c", f"mkdir -p {folder}; echo '<script>' > {folder}/progress.json")
    elsewhere = f"mkdir -p {folder}; ln -s /readers/ada{folder[15:]}/progress.json {folder}/"
    hub.within("trudy", "sh", "-c", elsewhere)
    much = f"mkdir -p {folder}; truncate -s 4G {folder}/progress.json"
    hub.within("victor", "sh", "-c", much)
    page = _seen(teacher, "oscar: ")
    assert re.search(r"<th>2.1</th><td class=words>[^<]+</td><td>1</td><td>0</td>", page.text)
    assert re.search(r"<th>ada</th><td>▶</td><td>○○○</td><td>●○○</td>", page.text)
    assert "oscar: the file of progress could not be understood." in page.text
    # Docker tells of the link; podman finds nothing behind it.  Neither follows it.
    assert re.search(r"<th>trudy</th><td>▶</td><td>○○○</td><td>○○○</td>", page.text)
    assert "victor: the file of progress is larger than 64 KiB." in page.text
    assert "<script" not in page.text
    assert mallory.get("/services/room/").status_code == 403
    assert requests.get(f"{ADDRESS}/services/room/", timeout=10, allow_redirects=False).is_redirect
    # What another reader's page asks in the teacher's browser.
    headers = {
        "Sec-Fetch-Mode": "cors",
        "Sec-Fetch-Site": "same-origin",
        "Referer": f"{ADDRESS}/user/mallory/lab",
    }
    asked = teacher.get("/services/room/", headers=headers, allow_redirects=False)
    assert asked.status_code != 200


def test_work_outlives_the_container_and_its_network_does_not(
    hub: Hub, pair: tuple[Visitor, Visitor]
) -> None:
    ada, _ = pair
    hub.within("ada", "sh", "-c", "echo mine > /xdp-lab/my-lab/kept")
    ada.stop()
    deadline = time.monotonic() + 60
    while "reader-ada" in (there := hub.podman("network", "ls").stdout):
        assert time.monotonic() < deadline, there
        time.sleep(0.5)  # polls: the hub answers before the engine is done
    ada.start()
    assert hub.within("ada", "cat", "/xdp-lab/my-lab/kept") == "mine\n"

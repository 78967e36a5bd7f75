"""A reader before the hub: what a browser does, without one.

Sources: JupyterHub's REST API, Jupyter Server's REST API, "Messaging in Jupyter" on websockets.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any
from urllib.parse import urlsplit

import requests
import websocket

LIMIT = 900.0  # seconds that a step may take when many wait for two CPUs
NOTEBOOK = "my-lab/02-drop.ipynb"


class Visitor:
    """Somebody with a name, a password and a browser's cookies."""

    def __init__(self, hub: str, name: str, password: str = "") -> None:
        self.hub, self.name, self.password = hub, name, password
        self.session = requests.Session()
        self.landed = ""  # where the login led

    def get(self, path: str, **options: Any) -> requests.Response:
        """What a browser gets at a path; redirects are followed, as it does."""
        return self.session.get(f"{self.hub}{path}", timeout=LIMIT, **options)

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """The same as a page's own script asks, with the token that the page has."""
        headers = {"X-XSRFToken": self._xsrf(path), **options.pop("headers", {})}
        url = f"{self.hub}{path}"
        return self.session.request(method, url, headers=headers, timeout=LIMIT, **options)

    def _xsrf(self, path: str) -> str:
        """The cookie of the longest path that is above this one."""
        found = [(c.path, c.value) for c in self.session.cookies if c.name == "_xsrf"]
        fits = [(len(at), value) for at, value in found if path.startswith(at)]
        return str(max(fits)[1]) if fits else ""

    def log_in(self) -> int:
        """Fill in the form, coming from the front; the status of what comes then."""
        asked = self.get("/")
        form = {"username": self.name, "password": self.password, "_xsrf": self._xsrf("/hub/login")}
        came = self.session.post(asked.url, data=form, timeout=LIMIT)
        self.landed = urlsplit(came.url).path
        return came.status_code

    def start(self) -> float:
        """Start the server, and wait for JupyterLab's page; gives the seconds.

        Raises:
            AssertionError: if it does not come.
        """
        begun = time.monotonic()
        asked = self.get("/hub/spawn")
        assert asked.status_code == 200, (asked.status_code, asked.url)
        while not (server := self.server()).get("ready"):
            assert time.monotonic() - begun < LIMIT, f"{self.name}'s server does not start"
            assert server, f"{self.name}'s server ended before it was there"
            time.sleep(0.5)  # polls, as the hub's own page does
        page = self.get(f"/user/{self.name}/lab")
        assert page.status_code == 200, (page.status_code, page.url)
        assert "jupyter-config-data" in page.text
        return time.monotonic() - begun

    def server(self) -> dict[str, Any]:
        """What the hub says of one's server; nothing where there is none."""
        found = self.ask("GET", f"/hub/api/users/{self.name}")
        assert found.status_code == 200, found.text
        return dict(found.json()["servers"].get("", {}))

    def stop(self) -> None:
        """Stop the server."""
        stopped = self.ask("DELETE", f"/hub/api/users/{self.name}/server")
        assert stopped.status_code in (202, 204), stopped.text

    def run(self, code: str, kernel: str = "") -> list[dict[str, Any]]:
        """Run code in a kernel of one's own; what it published."""
        with_kernel = kernel or self.kernel()
        socket = self._channels(with_kernel)
        try:
            return _execute(socket, code)
        finally:
            socket.close()

    def kernel(self) -> str:
        """A kernel for the notebook, as JupyterLab asks for one."""
        wanted = {
            "path": NOTEBOOK,
            "name": "02-drop.ipynb",
            "type": "notebook",
            "kernel": {"name": "xdp-lab"},
        }
        made = self.ask("POST", f"/user/{self.name}/api/sessions", json=wanted)
        assert made.status_code == 201, made.text
        return str(made.json()["kernel"]["id"])

    def _channels(self, kernel: str) -> websocket.WebSocket:
        path = f"/user/{self.name}/api/kernels/{kernel}/channels"
        pairs = [f"{c.name}={c.value}" for c in self.session.cookies if path.startswith(c.path)]
        at = urlsplit(self.hub)
        return websocket.create_connection(
            f"ws://{at.netloc}{path}",
            cookie="; ".join(pairs),
            origin=self.hub,
            timeout=LIMIT,
        )

    def run_notebook(self) -> tuple[float, int]:
        """Run all cells of notebook 02, one after the other; the seconds, and how many cells.

        Raises:
            AssertionError: naming the cell that fails.
        """
        found = self.ask("GET", f"/user/{self.name}/api/contents/{NOTEBOOK}")
        assert found.status_code == 200, found.text
        cells = [one for one in found.json()["content"]["cells"] if one["cell_type"] == "code"]
        begun = time.monotonic()
        socket = self._channels(self.kernel())
        try:
            for cell in cells:
                said = _execute(socket, cell["source"])
                wrong = [one["content"] for one in said if one["msg_type"] == "error"]
                may = "raises-exception" in cell["metadata"].get("tags", ())
                assert may or not wrong, (cell["source"], wrong)
        finally:
            socket.close()
        return time.monotonic() - begun, len(cells)


def _execute(socket: websocket.WebSocket, code: str) -> list[dict[str, Any]]:
    """Send code, and wait until the kernel is idle again and has replied; what it published."""
    number = uuid.uuid4().hex
    head = {"msg_id": number, "msg_type": "execute_request", "username": "", "session": number}
    content = {
        "code": code,
        "silent": False,
        "store_history": True,
        "user_expressions": {},
        "allow_stdin": False,
        "stop_on_error": True,
    }
    message = {
        "header": {**head, "version": "5.3", "date": ""},
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": "shell",
        "buffers": [],
    }
    socket.send(json.dumps(message))
    said, open_ends = list[dict[str, Any]](), {"execute_reply", "idle"}
    while open_ends:
        got = json.loads(socket.recv())
        if got["parent_header"].get("msg_id") != number:
            continue
        said.append(got)
        open_ends -= {got["msg_type"], got["content"].get("execution_state", "")}
    return said


def text_of(said: list[dict[str, Any]]) -> str:
    """What code printed."""
    return "".join(one["content"]["text"] for one in said if one["msg_type"] == "stream")

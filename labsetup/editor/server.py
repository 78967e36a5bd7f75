"""JupyterLab's server hands out the course's first page, and says once where the lab is.

An extension of Jupyter Server, named by `lab start`; its documentation is at
jupyter-server.readthedocs.io, "Server Extensions".
"""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado.web import authenticated

from ..command.copies import MINE, Copies
from ..command.places import NOTEBOOKS, can_keep, say
from .course import course


class CourseHandler(APIHandler):
    """GET gives the course as it is now."""

    folder: Path

    def initialize(self, folder: Path) -> None:
        """Take the folder in which the reader works."""
        self.folder = folder

    @authenticated
    def get(self) -> None:
        """The lessons, the reader's progress, what is next, and which server says so."""
        found = course(Copies() if self.folder == MINE else None)
        self.finish(json.dumps({**found, "folder": self.folder.name, "server": os.getpid()}))


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: Any) -> None:
    folder = MINE if can_keep() else NOTEBOOKS
    path = url_path_join(app.base_url, "xdp-lab", "course")
    app.web_app.add_handlers(".*$", [(path, CourseHandler, {"folder": folder})])
    if app.identity_provider.token_generated and not app.sock:
        app.identity_provider.token_generated = False  # at that it prints addresses in its own way
        app.web_app.settings["xdp_lab_says_where"] = True


async def _start_jupyter_server_extension(app: Any) -> None:
    """Say where it is, now that it has its port."""
    if not app.web_app.settings.get("xdp_lab_says_where"):
        return
    app.identity_provider.token_generated = True  # or its address comes without the token
    here = app.ip in ("localhost", "127.0.0.1")
    urls = [app.local_url] if here else dict.fromkeys(app.connect_url.split())
    say("The lab is at  " + "\n    ".join(urls))
    if here and not app.open_browser:
        forward = f"{app.port}:127.0.0.1:{app.port}"
        say(
            f"On a machine without a screen, type on your own:  ssh -L {forward} "
            f"{socket.gethostname()}  and open the address there."
        )
    say("Ctrl-C ends it, with all notebooks.")

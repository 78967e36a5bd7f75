"""HAProxy at lb: a proxy where the others pass packets on.

Source: HAProxy's configuration.txt and management.txt, -sf.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from ..errors import LabError
from ..network import sandbox
from ..network.process import Background
from .ways import FOLDER, PORT, Way

CONFIGURATION = """\
defaults
    mode tcp
    timeout connect 2s
    timeout client 1m
    timeout server 1m
listen vip
    bind {vip}:{port}
    balance roundrobin
{servers}"""


class HAProxy(Way):
    """A proxy: it ends each connection and opens another to a server, byte by byte between."""

    name, tool, forwards = "HAProxy", "haproxy", False

    def _begin(self) -> None:
        sandbox.private_folder(FOLDER)
        self._running: list[Background] = []
        self._undo.append(self._end)

    def _use(self, *servers: str) -> None:
        """Start a new one, to which the old one hands the port; it keeps what it has open."""
        path = FOLDER / f"haproxy{len(self._running)}.cfg"
        text = CONFIGURATION.format(
            vip=self.vip,
            port=PORT,
            servers="".join(f"    server {s} {self._address(s)}:{PORT}\n" for s in servers),
        )
        path.write_text(text)
        self.commands.append(f"cat >{path} <<END\n{text}END")
        self._command = ["haproxy", "-db", "-f", f"{path}"]
        old = [one for one in self._running if one.running][-1:]
        self._start([f"-sf {one.pid}" for one in old])
        for one in old:
            one.wait_for("stopped")

    def _start(self, options: Sequence[str] = ()) -> None:
        new = self.net.lb.start([*self._command, *" ".join(options).split()])
        self._running.append(new)
        self.commands.append(new.command)
        limit = time.monotonic() + 5
        while f":{PORT}" not in self.net.lb.run(f"ss -Htln sport = {PORT}").output:
            if time.monotonic() > limit or not new.running:
                raise LabError(f"HAProxy does not listen: {new!r}")

    def lose_state(self) -> None:
        for one in self._running:
            one.kill()
        self._start()

    def _end(self) -> None:
        for one in self._running:
            one.stop(quiet=0)

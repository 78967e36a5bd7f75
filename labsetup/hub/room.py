"""The teacher's page: how far the room is with each exercise, and who has got where.

A service of JupyterHub's, which starts it, asks it for nothing, and lets only those in who may
access services: its admins.  Source: JupyterHub's reference on services and HubOAuth.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from markupsafe import Markup

from ..practice import exercise as exercises
from ..practice.diary import DONE, TRIED
from ..practice.exercise import LESSONS
from ..practice.progress import SIGNS
from .readers import Reader, room
from .settings import ROOM_PORT

FRESH = 20.0  # seconds for which what was read is shown again
ENGINES = 30.0  # seconds that the engine has for an answer
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_PAGE = Markup("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>The room</title>
<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="30">
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ margin: 1rem 2rem }}
table {{ border-collapse: collapse; margin: 1rem 0 }}
th, td {{ padding: .15rem .5rem; text-align: center; border-bottom: 1px solid #8886 }}
th:first-child, td:first-child, .words {{ text-align: left }}
.scroll {{ overflow-x: auto }}
</style></head><body>
<h1>The room</h1>
<p>{summary} <a href="/hub/admin">Servers</a>, <a href="/hub/spawn">your own lab</a></p>
{parts}
<p>{legend}; ▶ server runs. This page reads anew every half minute.</p>
</body></html>
""")


def page(readers: Sequence[Reader]) -> Markup:
    """All of it, as HTML; whatever a reader wrote is escaped."""
    at_work = sum(one.runs for one in readers)
    summary = f"{len(readers)} readers, {at_work} of them at work."
    if not readers:
        summary = "Nobody has come yet: the first login makes a reader's place."
    legend = ", ".join(f"{SIGNS[state]} {word}" for state, word in _WORDS.items())
    parts = [_by_exercise(readers), _by_reader(readers), _notices(readers)] if readers else []
    return _PAGE.format(summary=summary, parts=Markup("").join(parts), legend=legend)


_WORDS = {DONE: "done", TRIED: "tried", "": "not yet"}


def _by_exercise(readers: Sequence[Reader]) -> Markup:
    """A row an exercise that anybody touched: how many have it."""
    rows = []
    for number, one in exercises.every().items():
        states = [reader.states.get(number, "") for reader in readers]
        done, tried = states.count(DONE), states.count(TRIED)
        if done or tried:
            row = Markup("<tr><th>{}</th><td class=words>{}</td><td>{}</td><td>{}</td></tr>")
            rows.append(row.format(number, one.title, done, tried))
    if not rows:
        return Markup("<p>Nobody has checked an exercise yet.</p>")
    head = Markup(
        "<tr><th>exercise</th><th class=words></th><th>{} done</th><th>{} tried</th></tr>"
    )
    return _table([head.format(SIGNS[DONE], SIGNS[TRIED]), *rows])


def _by_reader(readers: Sequence[Reader]) -> Markup:
    """A row a reader, a column a lesson with a sign for each exercise."""
    lessons: dict[int, list[str]] = {}
    for one in exercises.every().values():
        lessons.setdefault(one.lesson, []).append(one.id)
    heads = Markup("").join(
        Markup('<th title="{}">{:02}</th>').format(LESSONS[lesson], lesson) for lesson in lessons
    )
    rows = [Markup("<tr><th>reader</th><th></th>{}</tr>").format(heads)]
    for reader in readers:
        cells = Markup("").join(
            Markup("<td>{}</td>").format(
                "".join(SIGNS[reader.states.get(number, "")] for number in numbers)
            )
            for numbers in lessons.values()
        )
        runs = "▶" if reader.runs else ""
        row = Markup("<tr><th>{}</th><td>{}</td>{}</tr>")
        rows.append(row.format(reader.name, runs, cells))
    return _table(rows)


def _notices(readers: Sequence[Reader]) -> Markup:
    odd = [reader for reader in readers if reader.notice]
    return Markup("").join(Markup("<p>{}: {}.</p>").format(one.name, one.notice) for one in odd)


def _table(rows: Sequence[Markup]) -> Markup:
    return Markup("<div class=scroll><table>{}</table></div>").format(Markup("\n").join(rows))


class Rooms:
    """What was read last, so that a page that is asked for often costs the engine little."""

    def __init__(self, read: Callable[[], Sequence[Reader]]) -> None:
        self._read, self._lock = read, asyncio.Lock()
        self._at, self._last = -FRESH, list[Reader]()

    async def now(self) -> list[Reader]:
        """The readers, as they were at most `FRESH` seconds ago."""
        async with self._lock:
            if time.monotonic() - self._at >= FRESH:
                self._last = list(await asyncio.to_thread(self._read))
                self._at = time.monotonic()
            return self._last


def application(prefix: str, rooms: Rooms) -> Any:
    """The service, below a prefix of the hub's addresses."""
    from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated
    from tornado.web import Application, RequestHandler, authenticated

    class Room(HubOAuthenticated, RequestHandler):  # type: ignore[misc]
        """GET gives the page to an admin."""

        def set_default_headers(self) -> None:
            """For each answer, one that refuses too."""
            for name, value in HEADERS.items():
                self.set_header(name, value)

        @authenticated
        async def get(self) -> None:
            """The page; the hub has let in whoever may access this service."""
            if not self.current_user.get("admin"):
                self.set_status(403)
                self.finish("The room's page is the teacher's.")
                return
            try:
                self.finish(str(page(await rooms.now())))
            except Exception as error:  # whatever docker's library has, the teacher gets a sentence
                self.set_status(503)
                said = Markup("<p>The engine does not say how far the room is: {}</p>")
                self.finish(str(said.format(error)))

    routes = [(prefix, Room), (f"{prefix}oauth_callback", HubOAuthCallbackHandler)]
    return Application(routes, cookie_secret=os.urandom(32))


async def _serve() -> None:
    import docker

    client = docker.APIClient(timeout=ENGINES)
    image = os.environ["XDP_LAB_IMAGE"]
    rooms = Rooms(lambda: room(client, image))
    prefix = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
    application(prefix, rooms).listen(ROOM_PORT, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())

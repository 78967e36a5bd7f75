"""Pictures: networks, programs, live counters.  Nothing here changes anything.

The functions read attributes of what they are given and import none of the modules that make it,
so every object can draw itself.  Colours follow the theme of the page (JupyterLab's variables,
with a fallback elsewhere); no meaning rests on colour alone.  There are no ids in the output: the
same network gives the same text, which is what a strict comparison needs.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import html
import io
import re
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from pygments.lexers import CLexer
from pygments.token import Comment, Keyword, Number, Operator, String, Token

from .sandbox import LabError

INK = "var(--jp-ui-font-color1, currentColor)"
FAINT = "var(--jp-ui-font-color2, gray)"
LINE = "var(--jp-border-color1, #9e9e9e)"
CODE = "var(--jp-code-font-family, monospace)"
CODE_SIZE = "var(--jp-code-font-size, 13px)"
XDP = "#d17a00"  # an orange that stands out from both a white and a black page
SERIES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9")  # Okabe and Ito, colour-blind safe
MARKS = ("o", "s", "^", "D", "v")
SIGNS = "●■▲◆▼"  # the marks, in text

# Sizes of the network picture, in pixels.
STACK, GAP, MARGIN, HEAD, SLOT, SWITCH = 128, 96, 8, 34, 126, 70


def network_text(net: Any) -> str:
    """A network in plain text: its links, the XDP programs on them, what the lab has set."""
    width = max(len(_end(a)) for a, _ in net.links)
    lines = [f"{_end(a):>{width}} ── {_end(b, mirrored=True)}" for a, b in net.links]
    for interface in (end for link in net.links for end in link):
        if found := interface.xdp:
            where = f"{interface.host.name} {interface.name}"
            name = _program_name(interface, found)
            lines.append(f"XDP on {where}: {name}, {found[1]} mode{_note(interface)}")
    if net.vip:
        lines.append(f"VIP {net.vip} for {', '.join(net.vip_hosts)}")
    return "\n".join([*lines, _settings(net)])


def _settings(net: Any) -> str:
    interfaces = [end for link in net.links for end in link]
    on = [f"{i.host.name} {i.name}" for i in interfaces if i.leaves_checksums]
    rings = any(i.host.name in net.switches and i.xdp for i in interfaces)
    return (
        f"TX checksum offload is {'on at ' + ', '.join(on) if on else 'off on every interface'}"
        + "; a ring: xdp_pass at the switch, put there by the lab" * rings
    )


def _end(interface: Any, mirrored: bool = False) -> str:
    parts = [interface.host.name, interface.name, *(str(a) for a in interface.addresses)]
    return " ".join(reversed(parts) if mirrored else parts)


def _note(interface: Any) -> str:
    """Say so where the lab itself put the program."""
    return " (put there by the lab, for the other end)" if interface.is_helper else ""


def _program_name(interface: Any, found: tuple[str, str, int]) -> str:
    """The kernel's name for the program, which is cut short; ours by the name that it has here."""
    ours = interface.ours
    return ours.program.name if ours and ours.program else found[0]


def _columns(net: Any) -> list[list[Any]]:
    """Hosts by their distance from the first one: the picture's columns, left to right."""
    first = next(iter(net.hosts.values()))
    columns, seen = [[first]], {first.name}
    while columns[-1]:
        near = [i.peer.host for host in columns[-1] for i in host.interfaces.values()]
        fresh = [host for host in dict.fromkeys(near) if host.name not in seen]
        seen |= {host.name for host in fresh}
        columns.append(fresh)
    return columns[:-1]


def network_html(net: Any) -> str:
    """A network as SVG: a box a host, and at each interface the place where XDP sits.

    That place lies between the wire and the stack, always, whether a program is there or not.
    """
    columns = _columns(net)
    column_of = {host.name: x for x, hosts in enumerate(columns) for host in hosts}
    sides_of = {host.name: _sides(host, column_of) for host in net}
    rows = {host.name: _row(host) for host in net}
    heights = {
        name: HEAD + rows[name] * (1 if name in net.switches else max(1, *map(len, sides)))
        for name, sides in sides_of.items()
    }
    total = max(sum(heights[h.name] + MARGIN for h in hosts) for hosts in columns) + MARGIN
    parts: list[str] = []
    ports: dict[Any, tuple[float, float]] = {}
    left: float = MARGIN
    for hosts in columns:
        slots = 1 + any(all(sides_of[h.name]) for h in hosts)
        is_switch = hosts[0].name in net.switches
        width = SWITCH if is_switch else STACK + (SLOT + 8) * slots
        top = (total - sum(heights[h.name] + MARGIN for h in hosts) + MARGIN) / 2
        for host in hosts:
            height, sides = heights[host.name], sides_of[host.name]
            if is_switch:
                parts += _switch(host, sides, left, top, width, height, ports)
                continue
            colour = _server_colour(net, host)
            parts += [
                _rect(left, top, width, height, colour or LINE, rx=8, fill=bool(colour)),
                _text(left + width / 2, top + 21, _title(net, host), INK, 15, bold=True),
            ]
            edges = [8 + (SLOT + 8) * bool(side) for side in sides]
            middle = left + edges[0] + (width - sum(edges)) / 2
            parts += [
                _rect(left + edges[0], top + HEAD, width - sum(edges), height - HEAD - 10, LINE),
                _text(middle, top + (HEAD + height) / 2 - 7, "network", FAINT, 12),
                _text(middle, top + (HEAD + height) / 2 + 9, "stack", FAINT, 12),
            ]
            for interfaces, slot, edge in zip(
                sides, (left + 8, left + width - SLOT - 8), (left, left + width), strict=True
            ):
                for row, interface in enumerate(interfaces):
                    y = top + HEAD + row * rows[host.name]
                    parts.append(_slot(interface, slot, y))
                    ports[interface] = (edge, y + 13)
            top += height + MARGIN
        left += width + GAP
    width = left - GAP + MARGIN
    for a, b in net.links:
        (x1, y1), (x2, y2) = ports[a], ports[b]
        parts.append(
            f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" '
            f'style="stroke:{INK};stroke-width:2"/>'
        )
        parts += [_plug(net, end, *ports[end]) for end in (a, b)]
    parts.append(_text(MARGIN, total + 12, _settings(net), FAINT, 11, anchor="start"))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {total + 20:g}" '
        f'role="img" style="width:100%;max-width:{width:g}px;'
        f'font-family:var(--jp-ui-font-family, sans-serif)">'
        f"<title>{html.escape(network_text(net))}</title>{''.join(parts)}</svg>"
    )


def _plug(net: Any, interface: Any, x: float, y: float) -> str:
    """The end of a wire; at a switch, which has no slots, a ring stands for an XDP program."""
    if interface.host.name in net.switches and interface.xdp:
        return (
            f'<circle cx="{x:g}" cy="{y:g}" r="6" '
            f'style="fill:var(--jp-layout-color0, white);stroke:{XDP};stroke-width:3"/>'
        )
    return f'<circle cx="{x:g}" cy="{y:g}" r="4" style="fill:{INK}"/>'


def _switch(
    host: Any,
    sides: Sequence[Sequence[Any]],
    left: float,
    top: float,
    width: float,
    height: float,
    ports: dict[Any, tuple[float, float]],
) -> list[str]:
    """A switch: a narrow box; its ports are spread over its sides and noted in *ports*."""
    for interfaces, edge in zip(sides, (left, left + width), strict=True):
        for row, interface in enumerate(interfaces):
            ports[interface] = (edge, top + height * (row + 0.5) / len(interfaces))
    return [
        _rect(left, top, width, height, LINE, rx=8),
        _text(left + width / 2, top + height / 2 + 5, host.name, INK, 15, bold=True),
    ]


def _server_colour(net: Any, host: Any) -> str:
    if host.name not in net.vip_hosts:
        return ""
    return SERIES[list(net.vip_hosts).index(host.name) % len(SERIES)]


def _title(net: Any, host: Any) -> str:
    """A host's name; a server's with its mark and the address that it shares."""
    if host.name not in net.vip_hosts:
        return host.name
    sign = SIGNS[list(net.vip_hosts).index(host.name) % len(SIGNS)]
    return f"{sign} {host.name}   {net.vip.partition('/')[0]}"


def _sides(host: Any, column_of: Mapping[str, int]) -> tuple[list[Any], list[Any]]:
    """A host's interfaces that face left, and those that face right."""
    left, right = [], []
    for interface in host.interfaces.values():
        nearer = column_of[interface.peer.host.name] < column_of[host.name]
        (left if nearer else right).append(interface)
    return left, right


def _slot(interface: Any, x: float, y: float) -> str:
    """Where XDP sits at an interface: the program there, or an empty place; the address below."""
    found = interface.xdp
    parts = [
        _rect(x, y, SLOT, 26, XDP if found else LINE, rx=4, fill=bool(found), dashed=not found),
        _text(
            x + SLOT / 2,
            y + 17,
            _program_name(interface, found) if found else "no XDP program",
            INK if found else FAINT,
            12,
            code=bool(found),
        ),
    ]
    parts += [
        _text(x + SLOT / 2, y + 39 + 13 * row, text, INK if text[0].isdigit() else FAINT, 11)
        for row, text in enumerate(_below(interface, found))
    ]
    return "".join(parts)


def _below(interface: Any, found: tuple[str, str, int] | None) -> list[str]:
    """What stands below an interface's slot."""
    lines = [interface.name + (f", {found[1]} mode" if found else "")]
    if found and interface.is_helper:
        lines.append("put there by the lab")
    return lines + [str(address) for address in interface.addresses]


def _row(host: Any) -> int:
    """How much height each of a host's interfaces needs."""
    return 36 + 13 * max(3, *(1 + len(_below(i, None)) for i in host.interfaces.values()), 3)


def _rect(
    x: float,
    y: float,
    width: float,
    height: float,
    stroke: str,
    rx: float = 4,
    fill: bool = False,
    dashed: bool = False,
) -> str:
    style = f"stroke:{stroke};fill:{stroke if fill else 'none'}"
    style += ";fill-opacity:0.22" if fill else ""
    style += ";stroke-dasharray:4 3" if dashed else ""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{rx:g}" '
        f'style="{style}"/>'
    )


def _text(
    x: float,
    y: float,
    text: str,
    fill: str,
    size: int,
    bold: bool = False,
    code: bool = False,
    anchor: str = "middle",
) -> str:
    style = f"fill:{fill};font-size:{size}px;text-anchor:{anchor}"
    style += ";font-weight:600" if bold else ""
    style += f";font-family:{CODE}" if code else ""
    return f'<text x="{x:g}" y="{y:g}" style="{style}">{html.escape(text)}</text>'


# JupyterLab's own colours for code, so that a shown file looks like a cell in either theme.
_CODE_COLOURS = (
    (Comment.Preproc, "var(--jp-mirror-editor-meta-color, #a0522d)"),
    (Comment, "var(--jp-mirror-editor-comment-color, #408080)"),
    (Keyword, "var(--jp-mirror-editor-keyword-color, #008000)"),
    (String, "var(--jp-mirror-editor-string-color, #ba2121)"),
    (Number, "var(--jp-mirror-editor-number-color, #008800)"),
    (Operator, "var(--jp-mirror-editor-operator-color, #7800c2)"),
    (Token, None),
)


def without_licence(source: str) -> str:
    """C without the comment that names its licence."""
    return re.sub(r"^// SPDX-.*\n", "", source.strip())


def code_html(source: str) -> str:
    """C with its keywords and comments coloured."""
    parts = []
    for kind, text in CLexer(stripnl=False).get_tokens(without_licence(source)):
        colour = next(colour for token, colour in _CODE_COLOURS if kind in token)
        safe = html.escape(text, quote=False)
        parts.append(f'<span style="color:{colour}">{safe}</span>' if colour else safe)
    return (
        f'<pre style="font-family:{CODE};font-size:{CODE_SIZE};'
        f'line-height:1.35;tab-size:4;margin:0 0 8px;padding:0;overflow-x:auto">'
        f"{''.join(parts).rstrip()}</pre>"
    )


def program_html(program: Any) -> str:
    """A program: its C, its size, where it is attached."""
    style = f"color:{FAINT};font-size:{CODE_SIZE};margin:0"
    summary = html.escape(program.summary)
    return f'{code_html(program.source)}<p style="{style}">{summary}</p>'


def run_text(run: Any) -> str:
    """What became of one packet: the verdict, each header with its fields, the map entries."""
    same = "" if run.changes else ", unchanged"
    lines = [f"{run.program}: {run.verdict}, {len(run.after)} bytes{same}"]
    lines += _layers_text(run.fields)
    lines += [f"  {entry}: {before} → {after}" for entry, (before, after) in run.maps.items()]
    return "\n".join(lines)


def _layers_text(fields: Sequence[Any]) -> list[str]:
    lines = []
    for layer, members in groupby(fields, key=lambda field: field.layer):
        shown = [
            f"{f.name}={f.before} → {f.after}" if f.changed else f"{f.name}={f.before}"
            for f in members
        ]
        lines.append(f"  {layer:6} {'  '.join(shown)}")
    return lines


def run_html(run: Any) -> str:
    """The same as a picture: a row a header, a box a field, what changed in colour and bold."""
    size = f"{len(run.after)} bytes{'' if run.changes else ', unchanged'}"
    return _hop_html(f"{run.program}: {run.verdict}", size, run.fields, run.maps)


def _hop_html(
    title: str,
    size: str,
    fields: Sequence[Any],
    maps: Mapping[str, tuple[object, object]],
) -> str:
    rows = [f'<div><b style="font-family:{CODE}">{html.escape(title)}</b>, {size}</div>']
    for layer, members in groupby(fields, key=lambda field: field.layer):
        boxes = "".join(_field_html(field) for field in members)
        rows.append(
            '<div style="display:flex;align-items:stretch;margin-top:3px">'
            f'<div style="flex:0 0 72px;font-weight:600;padding-top:2px">{html.escape(layer)}</div>'
            f'<div style="display:flex;flex-wrap:wrap;gap:3px">{boxes}</div></div>'
        )
    rows += [
        f'<div style="margin-top:3px;font-family:{CODE}">{html.escape(entry)}: '
        f"{html.escape(str(before))} → <b>{html.escape(str(after))}</b></div>"
        for entry, (before, after) in maps.items()
    ]
    return f'<div style="color:{INK};font-size:12px;line-height:1.35">{"".join(rows)}</div>'


def _field_html(field: Any) -> str:
    value = html.escape(field.before)
    style = f"border:1px solid {LINE};border-radius:3px;padding:1px 5px"
    if field.changed:
        value = f"{value} → <b>{html.escape(field.after)}</b>"
        style += f";border-color:{XDP};background:{XDP}38"
    return (
        f'<div style="{style}"><div style="color:{FAINT};font-size:10px">{html.escape(field.name)}'
        f'</div><div style="font-family:{CODE}">{value or "&nbsp;"}</div></div>'
    )


def _hops(journey: Any) -> Iterator[tuple[Any, str, list[Any]]]:
    """Each hop, its size in words, and its fields: at first all, then those that changed."""
    for number, hop in enumerate(journey.hops):
        shown = [field for field in hop.fields if field.changed or number == 0]
        yield hop, f"{len(hop.after)} bytes{'' if shown else ', as before'}", shown


def journey_text(journey: Any) -> str:
    """A packet's way through a network, a paragraph a hop."""
    lines = []
    for hop, size, fields in _hops(journey):
        lines += [f"{hop.title}, {size}", *_layers_text(fields)]
    return "\n".join(lines) or "the packet was not seen anywhere"


def journey_html(journey: Any) -> str:
    """The same with a box a field; a hop at an XDP program has a bar in colour."""
    parts = [
        f'<div style="border-left:4px solid {XDP if hop.is_xdp else LINE};padding:4px 10px">'
        f"{_hop_html(hop.title, size, fields, {})}</div>"
        for hop, size, fields in _hops(journey)
    ]
    return "".join(parts) or "<p>the packet was not seen anywhere</p>"


def account_text(balances: Sequence[Any]) -> str:
    """A table of what came in and what became of it, an interface a row."""
    kinds = ("received", "passed", "dropped", "aborted", "sent_back", "redirected", "missing")
    width = max(len(row.where) for row in balances)
    lines = [" " * width + "".join(f"{kind.replace('_', ' '):>12}" for kind in kinds)]
    lines += [
        f"{row.where:{width}}" + "".join(f"{getattr(row, kind):>12}" for kind in kinds)
        for row in balances
    ]
    return "\n".join(lines)


def connections_text(tallies: Sequence[Any]) -> str:
    """A table of connections, a server a row: how many it had, and what became of them."""
    lines = [f"{'':9} {'connections':>12} {'alive':>7} {'reset':>7} {'timed out':>10}"]
    for place, row in enumerate(tallies):
        sign = "" if row.server == "nobody" else SIGNS[place % len(SIGNS)]
        lines.append(
            f"{sign:1} {row.server:7} {row.all:>12} {row.alive:>7} {row.reset:>7}"
            f" {row.timed_out:>10}"
        )
    total = [sum(getattr(t, k) for t in tallies) for k in ("all", "alive", "reset", "timed_out")]
    lines.append(f"{'':9} {total[0]:>12} {total[1]:>7} {total[2]:>7} {total[3]:>10}")
    return "\n".join(lines)


def connections_html(tallies: Sequence[Any]) -> str:
    """The same as bars: full where connections are alive, hatched where they broke."""
    longest = max([1, *(row.all for row in tallies)])
    rows = []
    for place, row in enumerate(tallies):
        nobody = row.server == "nobody"
        colour = FAINT if nobody else SERIES[place % len(SERIES)]
        sign = "" if nobody else SIGNS[place % len(SIGNS)]
        broken = row.reset + row.timed_out
        counts = {"alive": row.alive, "reset": row.reset, "timed out": row.timed_out}
        words = [f"{count} {word}" for word, count in counts.items() if count] or ["none"]
        hatched = f"repeating-linear-gradient(135deg,transparent 0 3px,{colour} 3px 5px)"
        rows.append(
            '<div style="display:flex;align-items:center;margin:3px 0">'
            f'<div style="flex:0 0 76px;font-weight:600"><span style="color:{colour}">{sign}</span>'
            f" {html.escape(row.server)}</div>"
            '<div style="flex:0 0 420px;display:flex;height:16px">'
            f'<div style="width:{420 * row.alive / longest:.0f}px;background:{colour}"></div>'
            f'<div style="width:{420 * broken / longest:.0f}px;background:{hatched};'
            f'box-shadow:inset 0 0 0 1px {colour}"></div></div>'
            f'<div style="padding-left:8px">{", ".join(words)}</div></div>'
        )
    lost = sum(row.reset + row.timed_out for row in tallies)
    rows.append(
        f"<div>{sum(row.all for row in tallies):,} connections, "
        f"{f'<b>{lost} broken</b> (hatched)' if lost else 'none broken'}</div>"
    )
    return f'<div style="color:{INK};font-size:13px">{"".join(rows)}</div>'


def live(widget: Any, otherwise: Mapping[str, str]) -> None:
    """Show a widget, or *otherwise* where a page has no kernel, by MIME type."""
    from IPython.display import display

    display(widget._repr_mimebundle_() | otherwise, raw=True)


@contextlib.contextmanager
def progress(total: int, what: str, wanted: bool = True) -> Iterator[Callable[[int], None]]:
    """A bar that fills while the block runs, in a notebook and where *wanted*; else nothing.

    Gives a function that takes how many of *total* are done.
    """
    from IPython import get_ipython

    if get_ipython() is None or not wanted:
        yield lambda done: None
        return
    import ipywidgets

    bar = ipywidgets.IntProgress(max=total, description="")
    live(ipywidgets.HBox([bar, ipywidgets.Label(what)]), {"text/plain": what})

    def shown(done: int) -> None:
        bar.value = done

    yield shown
    bar.value = total


# A figure without a ground of its own, in a grey that is readable on white and on black.
_GREY = "#808080"
STYLE = {
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
    "axes.edgecolor": _GREY, "axes.labelcolor": _GREY, "axes.titlecolor": _GREY,
    "text.color": _GREY, "xtick.color": _GREY, "ytick.color": _GREY, "grid.color": _GREY,
    "grid.alpha": 0.25, "axes.grid": True, "axes.spines.top": False, "axes.spines.right": False,
    "figure.figsize": (7, 3), "figure.dpi": 100, "font.size": 10,
}  # fmt: skip


class Picture:
    """A finished plot, and what it shows in words."""

    def __init__(self, png: bytes, words: str) -> None:
        self.png, self._words = png, words

    def _repr_mimebundle_(self, include=None, exclude=None) -> dict[str, str]:
        return {"image/png": base64.b64encode(self.png).decode(), "text/plain": self._words}


def plot(draw: Callable[[Any], None], words: str) -> Picture:
    """A plot that is readable on a white and on a black page.

    Args:
        draw: draws on the matplotlib axes that it is given.
        words: what the plot shows, for those who do not see it.
    """
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure(layout="constrained")
        draw(figure.subplots())
        file = io.BytesIO()
        figure.savefig(file, format="png")
    return Picture(file.getvalue(), f"plot: {words}")


class Watch:
    """Values that are read again and again while the notebook goes on.

    Shown, it is a plot that moves; awaited, it waits for the last reading and gives the figure.

    Attributes:
        times: seconds since the start, one a reading.
        values: a list of readings for each name.
    """

    def __init__(
        self, sources: Mapping[str, Callable[[], float]], seconds: float, every: float
    ) -> None:
        # Imported here: only notebooks that watch something wait for them.
        import ipywidgets

        for name, read in sources.items():
            if not callable(read):
                raise LabError(f"watch() reads {name} again and again: give it a lambda: ...")
        self._sources = dict(sources)
        self.times: list[float] = []
        self.values: dict[str, list[float]] = {name: [] for name in sources}
        self._image = ipywidgets.Image(format="png", layout={"max_width": "700px"})
        self._caption = ipywidgets.HTML()
        words = f"{', '.join(sources)}: a plot that moves while other cells run"
        live(ipywidgets.VBox([self._image, self._caption]), {"text/plain": words})
        self._task = asyncio.ensure_future(self._run(seconds, every))

    async def _run(self, seconds: float, every: float) -> None:
        start = time.monotonic()
        while (now := time.monotonic() - start) <= seconds:
            self.times.append(now)
            for name, read in self._sources.items():
                self.values[name].append(read())
            self._image.value = self.picture().png
            self._caption.value = ", ".join(
                f"{html.escape(name)}: {round(values[-1], 1):,g}"
                for name, values in self.values.items()
            )
            await asyncio.sleep(every)

    def _draw(self, axes: Any) -> None:
        for (name, values), colour, mark in zip(self.values.items(), SERIES, MARKS, strict=False):
            axes.plot(self.times, values, color=colour, marker=mark, markersize=4, label=name)
        axes.set_xlabel("seconds")
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))

    def picture(self) -> Picture:
        """The readings so far."""
        return plot(self._draw, f"{', '.join(self.values)} over time")

    def __await__(self) -> Generator[Any, None, Picture]:
        try:
            yield from self._task.__await__()
        except asyncio.CancelledError:  # the reader interrupted the cell
            raise LabError("the plot was stopped; run the cell with watch() again") from None
        return self.picture()


def watch(
    sources: Mapping[str, Callable[[], float]], seconds: float = 5, every: float = 0.25
) -> Watch:
    """Plot values live, for a bounded time, while traffic runs.

    Args:
        sources: a function without arguments for each name, called at every reading.
        seconds: how long to go on, at most 60.
        every: seconds between readings, at least 0.1.
    """
    if not isinstance(sources, Mapping):
        raise LabError("watch() takes a dict: a name, and a function that reads its value")
    if not (0 < seconds <= 60 and every >= 0.1):
        raise LabError("watch() takes at most 60 seconds, and a reading every 0.1 s at most")
    return Watch(sources, seconds, every)


def explore(picture: Callable[..., Picture], **choices: tuple[int, int] | Sequence[Any]) -> None:
    """Show a picture with a slider for each of its arguments, drawn again at every move.

    Args:
        picture: makes the picture from the values of the sliders.
        choices: for each argument the values it may take, first the one to begin with; a tuple of
            two numbers stands for all whole numbers between them.
    """
    import ipywidgets

    sliders = {
        name: ipywidgets.IntSlider(min=values[0], max=values[1], description=name)
        if isinstance(values, tuple)
        else ipywidgets.SelectionSlider(options=sorted(values), value=values[0], description=name)
        for name, values in choices.items()
    }

    def drawn() -> Picture:
        return picture(**{name: slider.value for name, slider in sliders.items()})

    first = drawn()
    image = ipywidgets.Image(value=first.png, format="png", layout={"max_width": "700px"})
    for slider in sliders.values():
        slider.observe(lambda _: setattr(image, "value", drawn().png), names="value")
    live(ipywidgets.VBox([*sliders.values(), image]), first._repr_mimebundle_())

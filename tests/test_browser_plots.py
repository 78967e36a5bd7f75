"""Plots, live plots, sliders and bars, as a person meets them in JupyterLab."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator
from typing import Any

import pytest
from support.browser import CHROMIUM, MISSING, Reader, reader, served

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)

CELL = ".jp-Cell.jp-mod-active"

# Called with the selected cell, many times a second: what a person would see change.
FOLLOW = """() => {
    const cell = document.querySelector('.jp-Cell.jp-mod-active');
    const area = cell.querySelector('.jp-OutputArea');
    const seen = window.seen = {heights: new Set(), ticks: new Set(), broken: 0, plots: 0};
    const look = () => {
        const plot = area.querySelector('svg[role="img"]');
        if (plot) {
            seen.heights.add(Math.round(area.getBoundingClientRect().height));
            const ticks = [...plot.querySelectorAll('text')].map(one => one.textContent);
            // The last is the value that was read.
            if (ticks.length) seen.ticks.add(ticks.slice(0, -1).join(' '));
            seen.plots = Math.max(seen.plots, area.querySelectorAll('svg[role="img"]').length);
        }
        seen.broken += [...area.querySelectorAll('img')].filter(
            one => one.complete && !one.naturalWidth).length;
        seen.timer = requestAnimationFrame(look);
    };
    look();
}"""
SEEN = """() => {
    cancelAnimationFrame(window.seen.timer);
    const {heights, ticks, broken, plots} = window.seen;
    return {heights: [...heights], ticks: [...ticks], broken, plots};
}"""

# Remember when a key or the mouse moved a slider, and when another picture stood there.
STOPWATCH = """() => {
    const view = document.querySelector(
        '.jp-Cell.jp-mod-active svg[role="img"]').closest('.widget-html-content, .widget-html');
    window.moves = [];
    const moved = () => { window.moved = performance.now(); };
    for (const kind of ['keydown', 'pointermove']) document.addEventListener(kind, moved, true);
    new MutationObserver(() => requestAnimationFrame(
        () => window.moves.push(performance.now() - window.moved))
    ).observe(view, {childList: true, subtree: true, characterData: true});
}"""

SLIDERS = """
def lines(size, other):
    def draw(left, right):
        left.set(xlim=(0, 100), ylim=(0, 100))
        left.plot([0, size], [0, size])
        right.set(xlim=(0, 10), ylim=(0, 10))
        right.plot([0, other], [0, other])
    return plot(draw, f"lines to {size} and {other}", panels=2)

explore(lines, size=(5, 100), other=[1, 2, 4, 8])
"""
COUNTING = """
import itertools, time
count = itertools.count(1)
begun = time.monotonic()
view = watch({"packets": lambda: next(count)}, seconds=SECONDS, every=0.1, up_to=100)
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("reader")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        with served(folder) as address, reader(address) as someone:
            someone.open("01-pass.ipynb")
            someone.run("from labsetup import *")
            yield someone


def show(lab: Reader, code: str, wait: bool = True) -> Any:
    """Run a new cell; gives its place in the page."""
    lab.command("notebook:insert-cell-below")
    lab.page.evaluate(
        "code => jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel"
        ".setSource(code)",
        code.strip(),
    )
    lab.command("notebook:run-cell", wait=wait)
    return lab.page.locator(CELL)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_a_plot_is_a_sharp_image_with_words_and_follows_the_theme(lab, theme):
    lab.command("apputils:change-theme", theme=theme)
    cell = show(lab, 'plot(lambda axes: axes.bar(["a", "b"], [1, 2]), "a 1, b 2")')
    image = cell.locator(".jp-OutputArea img")
    image.wait_for()
    assert image.get_attribute("alt") == "plot: a 1, b 2"
    assert (image.get_attribute("src") or "").startswith("data:image/svg+xml;base64,")
    scheme = image.evaluate("one => getComputedStyle(one).colorScheme")
    assert scheme == ("dark" if "Dark" in theme else "light")


@pytest.mark.parametrize("width", [1920, 1280, 1024, 683, 560], ids=lambda width: f"{width} px")
def test_a_plot_that_is_too_wide_scrolls_by_itself(lab, width):
    """683: a window of 1,024 at 150 %."""
    lab.page.set_viewport_size({"width": width, "height": 800})
    cell = show(lab, 'display(plot(lambda axes: axes.bar(["a"], [1]), "one"))' + SLIDERS)
    cell.locator("svg[role='img']").wait_for()
    for picture in (cell.locator("img"), cell.locator("svg[role='img']")):
        assert picture.bounding_box()["width"] >= 540  # readable still
        room, more = picture.evaluate(
            "({parentNode: one}) => [one.clientWidth, one.scrollWidth - one.clientWidth]"
        )
        assert (more > 1) == (room < 544)
        assert width < 1024 or room >= 544
    outside = lab.page.evaluate(
        """() => {
            const cell = document.querySelector('.jp-Cell.jp-mod-active');
            const right = cell.getBoundingClientRect().right;
            return [...cell.querySelectorAll('.jp-OutputArea-output')].map(one =>
                [one.scrollWidth - one.clientWidth, one.getBoundingClientRect().right - right])
                .filter(([more, beyond]) => more > 1 || beyond > 1);
        }"""
    )
    lab.page.set_viewport_size({"width": 1280, "height": 1000})
    assert not outside


@pytest.mark.alone
def test_a_live_plot_keeps_its_place_and_both_axes(lab):
    cell = show(lab, COUNTING.replace("SECONDS", "4"), wait=False)
    cell.locator("svg[role='img']").wait_for()
    lab.page.evaluate(FOLLOW)
    lab.page.wait_for_function(
        "document.querySelector('.jp-Cell.jp-mod-active .jp-OutputArea').innerText"
        ".includes('in 4.0 s')",
        timeout=10_000,
    )
    seen = lab.page.evaluate(SEEN)
    assert len(seen["heights"]) == 1, seen["heights"]
    assert len(seen["ticks"]) == 1, seen["ticks"]
    assert seen["plots"] == 1 and not seen["broken"]
    told = cell.locator(".jp-OutputArea").inner_text()
    readings = int(re.findall(r"(\d+) readings", told)[0])
    assert 0.8 * 41 <= readings <= 1.2 * 41, "of 41: as promised"
    print(f"{readings} readings of 41")


def test_its_figure_stands_once_when_it_is_done(lab):
    cell = show(lab, COUNTING.replace("SECONDS", "1") + "await view")
    cell.locator("img").wait_for()
    lab.page.wait_for_function(
        "!document.querySelector('.jp-Cell.jp-mod-active svg[role=\"img\"]')", timeout=5_000
    )
    assert cell.locator("img").count() == 1
    assert "over time" in cell.locator("img").get_attribute("alt")


def test_a_live_plot_survives_the_closing_of_its_tab(lab):
    lab.command("notebook:clear-all-cell-outputs")
    show(lab, COUNTING.replace("SECONDS", "20"))
    lab.command("docmanager:save")
    lab.page.evaluate("jupyterapp.shell.currentWidget.close()")
    lab.page.wait_for_timeout(500)
    lab.command("docmanager:open", wait=False, path="my-lab/01-pass.ipynb")
    lab.page.wait_for_selector("svg[role='img'] text", timeout=20_000, state="attached")
    count = (
        "Math.max(...[...document.querySelectorAll('.widget-html:has(svg[role=\"img\"])')]"
        ".map(one => Number(/([0-9]+) readings? in/.exec(one.innerText)?.[1] ?? 0)))"
    )
    before = lab.page.evaluate(count)
    lab.page.wait_for_function(f"{count} > {before}", timeout=5_000)
    lab.page.wait_for_function(
        "jupyterapp.shell.currentWidget.sessionContext?.session?.kernel?.status === 'idle'"
    )
    lab.find("from labsetup import *")
    show(lab, "view.stop()")


@pytest.mark.alone
def test_a_picture_follows_the_slider(lab):
    cell = show(lab, SLIDERS)
    plot = cell.locator("svg[role='img']")
    plot.wait_for()
    ticks = "all => all.map(one => one.textContent).join(' ')"
    before = plot.locator("text").evaluate_all(ticks)
    lab.page.evaluate(STOPWATCH)
    handle = cell.locator(".noUi-handle").first
    handle.focus()
    took = []
    for number in range(20):
        lab.page.keyboard.press("ArrowRight")
        lab.page.wait_for_function(f"window.moves.length > {number}", timeout=5_000)
        took.append(lab.page.evaluate("window.moves.at(-1)"))
        lab.page.evaluate(f"window.moves.length = {number + 1}")
    print(f"by key: median {statistics.median(took):.0f} ms, worst {max(took):.0f}")
    assert "lines to 25 and 1" in plot.get_attribute("aria-label")
    assert plot.locator("text").evaluate_all(ticks) == before  # the axes stay
    assert statistics.median(sorted(took)[:10]) <= 200  # the others may be a busy machine's

    box = handle.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    drawn = lab.page.evaluate("window.moves.length")
    for step in range(1, 41):  # faster than anything is drawn
        lab.page.mouse.move(x + step, y)
    lab.page.wait_for_function(
        """() => {
            const cell = document.querySelector('.jp-Cell.jp-mod-active');
            const size = cell.querySelector('.widget-readout').innerText;
            const words = cell.querySelector('svg[role="img"]').getAttribute('aria-label');
            return words.includes(`lines to ${size} and`);
        }""",
        timeout=5_000,
    )
    lab.page.wait_for_timeout(500)
    lab.page.mouse.up()
    late = lab.page.evaluate("window.moves.at(-1)")
    pictures = lab.page.evaluate("window.moves.length") - drawn
    print(
        f"by mouse: 40 moves, {pictures} pictures, the last one {late:.0f} ms after the last move"
    )
    assert "lines to 25 and" not in plot.get_attribute("aria-label")
    assert late < 1_000 and pictures < 40, "what lies between is left out"


def test_a_bar_is_gone_when_its_work_is_done(lab):
    code = "import time\nfrom labsetup.plots.live import progress_bar\n"
    code += "with progress_bar(3, 'counting') as shown:\n"
    code += "    for done in range(4):\n        shown(done)\n        time.sleep(0.5)"
    cell = show(lab, code, wait=False)
    cell.get_by_text("counting: 2 of 3").wait_for()
    assert cell.locator(".widget-hprogress").is_visible()
    cell.locator(".widget-hprogress").wait_for(state="hidden")
    assert not cell.locator(".jp-OutputArea").inner_text().strip()
    assert cell.locator(".jp-OutputArea").bounding_box()["height"] <= 24

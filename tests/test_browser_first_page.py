"""The page that opens first, the terminal below it, and the way into the lessons and back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.browser import CHROMIUM, MISSING, Reader, reader, served

from labsetup.practice.diary import DONE, Diary

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)

TERMINAL = "() => [...jupyterapp.shell.widgets('down')][0]?.content._term?.buffer.active"
LINES = f"""() => {{
    const screen = ({TERMINAL})();
    return screen ? Array.from({{length: screen.length}},
        (_, at) => screen.getLine(at)?.translateToString(true)).join('\\n') : '';
}}"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("reader")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        with served(folder) as address, reader(address) as someone:
            someone.page.goto(f"{address}&reset")
            someone.page.wait_for_selector(".xdp-lab-course a.next", timeout=60_000)
            someone.page.wait_for_selector(".jp-Terminal", timeout=20_000)
            yield someone


@pytest.fixture
def course(lab: Reader) -> Reader:
    """The page in front."""
    lab.command("xdp-lab:course")
    lab.page.wait_for_selector(".xdp-lab-course a.next")
    return lab


def shows(lab: Reader, words: str) -> None:
    """Wait until the terminal does."""
    from playwright.sync_api import TimeoutError as Late

    try:
        lab.page.wait_for_function(
            f"words => ({LINES})().includes(words)", arg=words, timeout=60_000
        )
    except Late:
        raise AssertionError(f"no {words!r} in:\n{lab.page.evaluate(LINES).strip()}") from None


def in_front(lab: Reader) -> str:
    return str(lab.page.evaluate("jupyterapp.shell.currentWidget.title.label"))


def test_the_course_opens_first_with_a_terminal_below(lab):
    assert in_front(lab) == "The course"
    page = lab.page.locator(".xdp-lab-course")
    said = page.inner_text()
    assert "10 min, 15 with exercises" in said and "20 min, 45 with exercises" in said
    assert "35 not yet" in said
    assert page.locator("a.next").inner_text() == "Begin with 00 Start here"
    assert lab.page.evaluate("document.activeElement.className") == "next"
    shows(lab, "no notebook has a network")
    assert not lab.complaints


def test_by_keyboard_into_a_lesson_whose_network_the_terminal_enters_and_back(course):
    keys = course.page.keyboard
    keys.press("Enter")
    course.page.wait_for_selector(".jp-Notebook:visible .jp-Cell")
    course.page.wait_for_function(
        "jupyterapp.shell.currentWidget.sessionContext?.session?.kernel?.status === 'idle'",
        timeout=30_000,
    )
    assert in_front(course) == "00-start-here.ipynb"
    course.run("from labsetup import *")
    course.run("net = two_hosts()")
    shows(course, "you are in the network of 00-start-here; hosts: client, server")
    course.page.locator(".xterm-helper-textarea").focus()
    keys.type("lab shell client\n")
    shows(course, "00-start-here:client#")
    course.run("net = two_hosts()")
    shows(course, "was made anew; you are on the new client")
    course.command("docmanager:save")
    course.page.locator(".jp-Toolbar").get_by_text("Course").click()
    course.page.wait_for_selector("a.next:has-text('Go on with 01 Pass')")


def test_what_is_solved_is_there_when_one_comes_back(course, monkeypatch):
    course.open("02-drop.ipynb")
    with Diary.changing() as diary:
        diary.tried("1.1", ok=True)
        diary.tried("1.2", ok=False)
    course.command("xdp-lab:course")
    course.page.wait_for_selector("a.next:has-text('Go on with 1.2 Too long')")
    names = course.page.locator(".xdp-lab-course li.lesson ul a")
    told = [names.nth(at).get_attribute("aria-label") for at in range(3)]
    assert told == ["1.1 Closed: done", "1.2 Too long: tried", "1.3 The right end: not yet"]
    assert DONE in told[0]


def test_by_keyboard_alone_to_an_exercise(course):
    for _ in range(60):  # from link to link
        course.page.keyboard.press("Tab")
        if course.page.evaluate("document.activeElement.textContent") == "2.2 The missing check":
            break
    course.page.keyboard.press("Enter")
    course.page.wait_for_function(
        "jupyterapp.shell.currentWidget.content?.activeCell?.model.sharedModel.getSource()"
        ".startsWith('### 2.2')"
    )
    course.stands_at(lambda source: source.startswith("### 2.2"))


def test_the_map_in_a_notebook_leads_on(lab):
    lab.open("01-pass.ipynb")
    lab.find("from labsetup import *")
    lab.new_cell(["from labsetup import progress; progress()"])
    lab.command("notebook:run-cell")
    lab.page.locator(".jp-Cell.jp-mod-active .jp-OutputArea a", has_text="3.2").click()
    lab.page.wait_for_function(
        "jupyterapp.shell.currentWidget.title.label === '03-count-icmp.ipynb'"
    )


def test_a_terminal_that_was_closed_comes_only_when_one_asks(course):
    with course.page.expect_request(lambda one: "api/workspaces" in one.url, timeout=20_000):
        course.page.evaluate("[...jupyterapp.shell.widgets('down')].forEach(one => one.close())")
    course.page.wait_for_timeout(500)  # until that request is answered
    course.page.goto(course.page.url.replace("reset", ""))
    course.page.wait_for_selector(".xdp-lab-course:visible", timeout=60_000)
    course.page.evaluate("jupyterapp.shell.restored")
    course.page.wait_for_timeout(2000)  # within which one would come
    assert course.page.locator(".jp-Terminal").count() == 0
    assert in_front(course) == "The course"
    course.command("xdp-lab:terminal")
    course.page.wait_for_selector(".jp-Terminal:visible")
    shows(course, "lab shell")
    course.page.locator(".xterm-viewport").evaluate("one => one.focus()")
    course.page.keyboard.type("echo typed $((6 * 7))\n")
    shows(course, "typed 42")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
@pytest.mark.parametrize("width", [700, 1024, 1280, 1920])
def test_nothing_is_cut_off_and_all_can_be_read(course, theme, width):
    course.command("apputils:change-theme", theme=theme)
    course.page.set_viewport_size({"width": width, "height": 1000})
    page = course.page.locator(".xdp-lab-course")
    page.evaluate("one => new Promise(done => requestAnimationFrame(done))")
    assert page.evaluate("one => one.scrollWidth <= one.clientWidth")
    assert page.locator("h1").evaluate("one => getComputedStyle(one).color") != page.evaluate(
        "one => getComputedStyle(one).backgroundColor"
    )


def test_prose_has_lines_that_one_can_follow(lab):
    lab.page.set_viewport_size({"width": 1920, "height": 1000})
    lab.open("00-start-here.ipynb")
    widest = lab.page.evaluate(
        "Math.max(...[...document.querySelectorAll('.jp-RenderedMarkdown > p')]"
        ".map(one => one.clientWidth / parseFloat(getComputedStyle(one).fontSize)))"
    )
    assert 30 < widest < 56  # a letter is about half as wide as the font is large


# Pieces of code in the text that are in two lines, or whose comma begins the next one.
BROKEN = """() => [...document.querySelectorAll('.jp-RenderedMarkdown :is(p, li) code')]
    .filter(code => {
        const next = code.nextSibling, places = code.getClientRects(), mark = new Range();
        if (places.length > 1) return true;
        if (next?.nodeType !== Node.TEXT_NODE || !/^[,.;:)?]/.test(next.data)) return false;
        mark.setStart(next, 0);
        mark.setEnd(next, 1);
        return mark.getBoundingClientRect().top > places[0].bottom - 2;
    }).map(code => code.textContent)"""


@pytest.mark.parametrize("width", [950, 1280])
def test_code_in_the_text_stays_in_one_piece_and_keeps_its_comma(lab, width):
    lab.page.set_viewport_size({"width": width, "height": 1000})
    for lesson in ("02-drop.ipynb", "03-count-icmp.ipynb"):
        lab.open(lesson)
        lab.page.wait_for_timeout(300)
        assert lab.page.evaluate(BROKEN) == []
        lab.leave()

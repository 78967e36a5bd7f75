"""What a person meets in JupyterLab, by clicks and keys: cells of C, answers, exercises, themes."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.browser import CHROMIUM, MISSING, Reader, reader, served

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    with (
        pytest.MonkeyPatch.context() as patch,
        served(_fresh(tmp_path_factory.mktemp("reader"), patch)) as address,
        reader(address) as someone,
    ):
        yield someone


def _fresh(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    patch.setenv("XDG_STATE_HOME", str(folder / "state"))
    return folder


@pytest.fixture(scope="module")
def drop(lab: Reader) -> Reader:
    """Lesson 02, in front, with the lab's names."""
    lab.open("02-drop.ipynb")
    lab.run("from labsetup import *")
    return lab


def test_the_copy_has_no_outputs_and_opens_unchanged(drop):
    """Opened anew, since the fixture has run a cell."""
    drop.open("01-pass.ipynb")
    state = drop.state()
    assert state["cells"] > 10 and state["outputs"] == state["ran"] == 0
    assert drop.page.evaluate("jupyterapp.shell.currentWidget.context.model.dirty") is False
    drop.open("02-drop.ipynb")
    assert not drop.complaints


def test_a_cell_of_c_is_indented_coloured_and_numbered(drop):
    drop.find("from labsetup import *")
    drop.new_cell(
        [
            "%%xdp mine",
            "int mine(struct xdp_md *ctx)",
            "{",
            "if (ctx->rx_queue_index) {",
            "return XDP_DROP;",
            "}",
            "return XDP_PASS;",
            "}",
        ]
    )
    assert drop.source() == (
        "%%xdp mine\nint mine(struct xdp_md *ctx)\n{\n\tif (ctx->rx_queue_index) {\n"
        "\t\treturn XDP_DROP;\n\t}\n\treturn XDP_PASS;\n}"
    )
    cell = drop.page.locator(".jp-Cell.jp-mod-active")
    assert cell.locator(".cm-lineNumbers").inner_text().split()[-1] == "8"
    keyword = cell.locator(".cm-line span", has_text=re.compile("^return$")).first
    plain = cell.locator(".cm-line", has_text="XDP_PASS")
    colour = "one => getComputedStyle(one).color"
    assert keyword.evaluate(colour) != plain.evaluate(colour)


def test_tab_offers_fields_and_shift_tab_tells_what_a_name_means(drop):
    drop.find("from labsetup import *")
    drop.new_cell(["%%xdp other", "int other(struct xdp_md *ctx)", "{", "ctx->"])
    waited = []
    for _ in range(5):
        begun = time.perf_counter()
        drop.page.keyboard.press("Tab")
        drop.page.wait_for_selector(".jp-Completer-item", timeout=5_000)
        waited.append(time.perf_counter() - begun)
        offered = drop.page.locator(".jp-Completer").inner_text()
        drop.page.keyboard.press("Escape")
        drop.page.wait_for_timeout(150)
    assert "data_end" in offered and "rx_queue_index" in offered and "print" not in offered
    print(f"names after {1000 * sorted(waited)[2]:.0f} ms")
    drop.page.keyboard.type("data_end")
    drop.page.keyboard.press("Shift+Tab")
    assert "One past the packet's last byte" in drop.page.locator(".jp-Tooltip").inner_text()
    drop.page.keyboard.press("Escape")


def test_a_prediction_by_mouse_stays_and_is_judged(drop):
    drop.run("predict(")
    drop.page.locator(".xdp-lab-answer").first.click()
    drop.page.wait_for_selector("text=noted:")
    assert "predict(" not in drop.source()  # the next cell is the one that Shift+Enter runs
    drop.run("predict(")  # as who goes back and runs the cell again
    assert drop.page.locator("text=noted:").count() == 1
    drop.run("reveal(")
    drop.page.wait_for_selector(".xdp-lab-answer.mod-success")
    assert "you predicted" in drop.page.locator(".jp-Cell.jp-mod-active").inner_text()


@pytest.mark.parametrize("key", ["Enter", "Shift+Enter"])
def test_a_prediction_by_keyboard(drop, key):
    drop.run("predict(")
    before = drop.page.locator(".jp-Cell.jp-mod-active .jp-InputPrompt").inner_text()
    drop.page.locator(".xdp-lab-answer").first.focus()
    drop.page.keyboard.press("Tab")
    drop.page.keyboard.press(key)
    drop.page.wait_for_selector("text=noted:")
    assert drop.page.locator(".xdp-lab-answer.mod-info").count() == 1
    drop.stands_at(lambda source: "predict(" not in source)
    drop.find("predict(")
    assert drop.page.locator(".jp-Cell.jp-mod-active .jp-InputPrompt").inner_text() == before


@pytest.mark.parametrize("key", ["Enter", "Shift+Enter"])
def test_a_number_by_keyboard(drop, key):
    drop.find("from labsetup import *")
    drop.new_cell([f"guess = predict('How many by {key}', unit='%')"])
    drop.command("notebook:run-cell")
    box = drop.page.locator(".jp-Cell.jp-mod-active .xdp-lab-number input")
    box.focus()
    drop.page.keyboard.press("Enter")
    empty = "document.activeElement.validationMessage"
    assert "Type a number first" in drop.page.evaluate(empty)
    drop.page.keyboard.type("17")
    assert not drop.page.evaluate(empty)
    drop.page.keyboard.press(key)
    drop.page.wait_for_selector("text=noted: 17")
    drop.stands_at(lambda source: "How many" not in source)
    drop.find("How many")
    drop.command("notebook:delete-cell")  # which nothing below needs


def test_an_exercise_by_its_buttons(drop):
    words = "--check 2.1"
    drop.run(words)
    cell = drop.page.locator(".jp-Cell.jp-mod-active")
    assert "not yet" in cell.inner_text()
    row = drop.page.locator('.xdp-lab-buttons[data-exercise="2.1"]')
    row.get_by_text("Hint").click()
    drop.page.wait_for_selector("text=2.1 No ARP, hint 1 of 3")
    drop.page.evaluate("""() => {
        const model = jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel;
        const source = model.getSource().replace(
            '/* your code */', 'if (eth->h_proto == htons(ETH_P_ARP))\\n\\t\\treturn XDP_DROP;');
        model.setSource(source);
    }""")
    drop.run(words)
    assert "2.1 No ARP: right" in cell.inner_text()
    row.get_by_text("Start over").click()
    drop.page.locator(".jp-Dialog").get_by_text("Cancel").click()
    assert "your code" not in drop.source()
    row.get_by_text("Start over").click()
    drop.page.locator(".jp-Dialog button").get_by_text("Start over").click()
    drop.stands_at(lambda source: "your code" in source)
    assert "right" not in cell.inner_text()
    row.get_by_text("Next exercise").click()
    drop.stands_at(lambda source: "--check 2.2" in source)


def test_an_exercise_by_keyboard_alone(drop):
    drop.find("--check 2.1")
    drop.page.keyboard.press("Control+Shift+C")
    drop.page.keyboard.type("Next exercise")
    drop.page.keyboard.press("Enter")
    drop.stands_at(lambda source: "--check 2.2" in source)
    drop.find("### 2.3 ")  # whose text this is
    drop.page.keyboard.press("Control+Shift+C")
    drop.page.keyboard.type("hint")
    drop.page.keyboard.press("Enter")
    drop.page.wait_for_selector("text=, hint 1 of")
    drop.stands_at(lambda source: "--check 2.3" in source)
    row = drop.page.locator('.xdp-lab-buttons[data-exercise="2.2"]')
    row.get_by_text("Hint").focus()
    drop.page.keyboard.press("Enter")
    drop.page.wait_for_selector("text=2.2 The missing check, hint 1 of 3")
    drop.page.keyboard.press("Escape")
    drop.stands_at(lambda source: "--check 2.2" in source)


def test_an_endless_cell_is_interrupted_and_the_kernel_restarts(drop):
    drop.find("from labsetup import *")
    drop.new_cell(["while True:", "pass"])
    drop.command("notebook:run-cell", wait=False)
    drop.page.wait_for_timeout(500)
    drop.command("notebook:interrupt-kernel")
    drop.page.wait_for_function(
        "jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle'",
        timeout=5_000,
    )
    drop.page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    drop.page.wait_for_timeout(500)
    drop.run("from labsetup import *")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
@pytest.mark.parametrize("width", [1280, 1024])
def test_no_picture_is_wider_than_its_place_and_each_has_words(drop, theme, width):
    drop.command("apputils:change-theme", theme=theme)
    drop.page.set_viewport_size({"width": width, "height": 1000})
    drop.run("net = silent_hosts()")
    drop.new_cell(["net"])
    drop.command("notebook:run-cell")
    picture = drop.page.locator(".jp-Cell.jp-mod-active .jp-OutputArea img")
    picture.wait_for()
    assert "client" in (picture.get_attribute("alt") or "")
    scheme = picture.evaluate("one => getComputedStyle(one).colorScheme")
    assert scheme == ("dark" if "Dark" in theme else "light")
    too_wide = drop.page.evaluate(
        "() => [...document.querySelectorAll('.jp-OutputArea-output')]"
        ".filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.innerText)"
    )
    assert not too_wide


def test_the_question_that_is_run_waits_for_an_answer_and_lets_one_pass(lab):
    lab.open("04-look-inside.ipynb")
    lab.run("from labsetup import *")
    lab.find("from labsetup import *")
    lab.new_cell(["guess = predict('What now', 'this', 'that', 'nothing')"])
    lab.page.keyboard.press("Escape")
    lab.page.keyboard.press("Shift+Enter")
    lab.page.wait_for_function("document.activeElement.textContent === 'this'")
    lab.page.keyboard.press("Shift+Enter")
    lab.stands_at(lambda source: "What now" not in source)
    assert lab.page.locator("text=noted:").count() == 0
    lab.find("What now")
    lab.page.locator(".jp-Cell.jp-mod-active").focus()
    lab.page.keyboard.press("Shift+Enter")
    lab.page.wait_for_function("document.activeElement.textContent === 'this'")
    lab.page.keyboard.press("ArrowRight")
    lab.page.keyboard.press("Shift+Enter")
    lab.page.wait_for_selector("text=noted: that")
    lab.stands_at(lambda source: "What now" not in source)


def test_a_lesson_that_has_not_begun_says_so(lab):
    lab.open("05-send-back.ipynb")
    lab.find("--check 5.1")
    lab.new_cell(["net"])
    lab.command("notebook:run-cell")
    assert (
        "run the cells from the first one on"
        in lab.page.locator(".jp-Cell.jp-mod-active .jp-OutputArea").inner_text()
    )
    lab.find("--check 5.1")
    lab.page.keyboard.press("Control+Shift+C")
    lab.page.keyboard.type("hint")
    lab.page.keyboard.press("Enter")
    lab.page.wait_for_selector("text=hint 1 of")
    lab.page.keyboard.press("Control+Shift+C")
    lab.page.keyboard.type("terminal below")
    lab.page.keyboard.press("Enter")
    lab.page.wait_for_function("document.activeElement.classList.contains('xterm-helper-textarea')")

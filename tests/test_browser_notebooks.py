"""Each notebook in JupyterLab, from a copy without outputs: all cells run, none shows an error.

What it shows then fits, light and dark, wide and narrow, and axe-core finds nothing in it that
somebody could not see, reach or understand.  What is JupyterLab's own is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from support.browser import CHROMIUM, MISSING, Reader, reader, served

from labsetup.command.places import NOTEBOOKS

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)

NAMES = sorted(one.name for one in NOTEBOOKS.glob("[0-9]*.ipynb"))

LOOKS = (("JupyterLab Light", 1280), ("JupyterLab Dark", 1024))  # themes, and pixels
OURS = [[".jp-OutputArea"], [".jp-MarkdownOutput"], [".xdp-lab-buttons"]]
ALL_AT_ONCE = """
const shown = jupyterapp.shell.currentWidget.content;
shown.notebookConfig = {...shown.notebookConfig, windowingMode: 'none'};
"""
# JupyterLab's body has no height, and axe takes all text in it for hidden.
HIGH = "body { height: 100vh }"
TOO_WIDE = """() => [...document.querySelectorAll('.jp-OutputArea-output, .jp-MarkdownOutput')]
    .filter(one => one.scrollWidth > one.clientWidth + 1).map(one => one.innerText)"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("reader")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        with served(folder) as address, reader(address) as someone:
            yield someone


@pytest.fixture
def lesson(lab: Reader, request: pytest.FixtureRequest) -> Iterator[Reader]:
    lab.turn_to(request.param)
    yield lab
    lab.leave()


@pytest.mark.parametrize("lesson", NAMES, indirect=True)
def test_it_runs(lesson):
    lab = lesson
    before = lab.state()
    assert before["ran"] == before["outputs"] == 0
    after = lab.run_all(seconds=240)
    assert after["ran"] == after["cells"] == before["cells"]
    assert not after["errors"]
    assert not lab.complaints
    lab.page.evaluate(ALL_AT_ONCE)
    lab.page.add_style_tag(content=HIGH)
    for theme, width in LOOKS:
        lab.command("apputils:change-theme", theme=theme)
        lab.page.set_viewport_size({"width": width, "height": 1000})
        lab.page.wait_for_function(
            f"document.body.dataset.jpThemeLight === '{str('Light' in theme).lower()}'"
        )
        assert not lab.page.evaluate(TOO_WIDE)
        found = Axe().run(lab.page, {"include": OURS})
        assert found.violations_count == 0, found.generate_report()

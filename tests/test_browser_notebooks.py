"""Each notebook in JupyterLab, from a copy without outputs: all cells run, none shows an error."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.browser import CHROMIUM, MISSING, Reader, reader, served

from labsetup.command.places import NOTEBOOKS

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)

NAMES = sorted(one.name for one in NOTEBOOKS.glob("[0-9]*.ipynb"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    folder = tmp_path_factory.mktemp("reader")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "state"))
        with served(folder) as address, reader(address) as someone:
            yield someone


@pytest.mark.parametrize("name", NAMES)
def test_it_runs(lab, name):
    lab.turn_to(name)
    before = lab.state()
    assert before["ran"] == before["outputs"] == 0
    after = lab.run_all(seconds=90)
    assert after["ran"] == after["cells"] == before["cells"]
    assert not after["errors"]
    assert not lab.complaints
    lab.leave()

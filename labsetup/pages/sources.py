"""What the pages are made of: the texts and the stored notebooks of the repository."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from ..errors import LabError

_FIRST_OF_THE_REST = "\n## The command\n"  # what stands above it in the README is the first page
_ROW = re.compile(r"^\| (\d\d) \| \[(.+?)\]\(notebooks/(.+?)\) \| (.+?) \| (\d+ \| \d+) \|$", re.M)
_HEADS = (  # a column less: what one can do stands below the question
    "| | notebook | you can | minutes | with exercises |\n|---|---|---|---|---|",
    "| | lesson | minutes | with exercises |\n|---|---|---|---|",
)
_QUESTION = re.compile(r"^\*(.+)\* · \d+ minutes", re.M)


def lay_out(repository: Path, folder: Path) -> None:
    """Write them into a folder as Sphinx wants them.

    Args:
        repository: whose README, notebooks and texts they are.
        folder: which is made, or empty.

    Raises:
        LabError: when one of them has not the shape that the pages are made from.
    """
    (folder / "notebooks").mkdir(parents=True)
    notebooks = sorted((repository / "notebooks").glob("[0-9]*.ipynb"))
    first_cells = {path.name: _lay_out(path, folder / "notebooks") for path in notebooks}
    lessons = {path.name[:2]: path.name for path in notebooks}
    glossary = re.sub(
        r"Lesson (\d\d)\.$",
        lambda found: f"[{found[0][:-1]}]({lessons.get(found[1], found[1])}).",
        (repository / "notebooks" / "glossary.md").read_text(),
        flags=re.M,
    )
    (folder / "notebooks" / "glossary.md").write_text(glossary)
    texts = {
        f"notebooks/{name}": (repository / "notebooks" / f"{name}.md").read_text()
        for name in ("words-elsewhere", "where-it-stands", "for-the-teacher")
    }
    shutil.copy(repository / "LICENSE", folder)
    front, _, rest = (repository / "README.md").read_text().partition(_FIRST_OF_THE_REST)
    course = [
        *(f"notebooks/{path.stem}" for path in notebooks),
        "notebooks/glossary",
        *texts,
    ]
    # Of a way in there is more to say than the README's row.
    ways = [way.removesuffix(".md") for way in re.findall(r"\]\((labsetup/\S+\.md)\)", front)]
    pages = {
        "index": _map(front, first_cells)
        + _contents("The course", course)
        + _contents("The lab", ["on-your-machine", *ways, "CONTRIBUTING"]),
        "on-your-machine": f"# On your machine\n{_FIRST_OF_THE_REST}{rest}",
        **texts,
        "CONTRIBUTING": (repository / "CONTRIBUTING.md").read_text(),
        **{way: (repository / f"{way}.md").read_text() for way in ways},
    }
    picture = Path("labsetup", "pages", "static", "scoreboard.svg")
    (folder / picture).parent.mkdir(parents=True)
    shutil.copy(repository / picture, folder / picture)
    for name, text in pages.items():
        page = folder / f"{name}.md"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(re.sub(r"\]\(((?:\.\./)*)README\.md\)", r"](\1index.md)", text))


def _map(front: str, first_cells: dict[str, str]) -> str:
    """The README's table of the lessons, with the question of each."""

    def row(found: re.Match[str]) -> str:
        number, title, name, able, minutes = found.groups()
        asked = _QUESTION.search(first_cells.pop(name, ""))
        if not asked:
            raise LabError(
                f"the README's table names {name}, and no notebook of that name begins with its "
                "question; mend one of them"
            )
        lesson = f"**[{title}](notebooks/{name})**<br>*{asked[1]}*<br>You can {able}."
        return f"| {number} | {lesson} | {minutes} |"

    drawn = _ROW.sub(row, front.replace(*_HEADS))
    if first_cells:
        raise LabError(f"the README's table does not name {', '.join(first_cells)}; add a row")
    return drawn


def _contents(caption: str, names: list[str]) -> str:
    lines = ["", "```{toctree}", ":hidden:", f":caption: {caption}", *names, "```", ""]
    return "\n".join(lines)


def _lay_out(path: Path, folder: Path) -> str:
    """Write a notebook with one way to show each output; gives its first cell."""
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        first = str(notebook.cells[0].source)
    except (ValueError, KeyError, IndexError, AttributeError, nbformat.ValidationError):
        raise LabError(
            f"{path.name} is no notebook that can be read; type: git checkout {path}"
        ) from None
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if "data" in output:
                output["data"] = _shown(output["data"])
    nbformat.write(notebook, folder / path.name)
    return first


def _shown(data: dict[str, Any]) -> dict[str, Any]:
    """HTML or text; not a widget, which a page cannot work."""
    if "text/html" in data:
        return {"text/html": data["text/html"]}
    return {"text/plain": "".join(data.get("text/plain", ""))}

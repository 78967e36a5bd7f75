"""lab site: the pages as a reader has them, opened in Chromium."""

from __future__ import annotations

import functools
import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString
from nbformat.v4 import new_markdown_cell, new_notebook
from support.browser import CHROMIUM, MISSING
from support.host import NOTEBOOKS, REPO
from support.looks import FAINT, STICKS_OUT

from labsetup import LabError
from labsetup.command import site as verb
from labsetup.pages import sources
from labsetup.pages.words import XdpLexer
from labsetup.pictures import svg

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=MISSING)

LESSONS = [f"notebooks/{path.stem}" for path in NOTEBOOKS]
TEXTS = [
    "notebooks/glossary",
    "notebooks/words-elsewhere",
    "notebooks/where-it-stands",
    "notebooks/for-the-teacher",
    "on-your-machine",
    "CONTRIBUTING",
    "labsetup/container/README",
    "labsetup/vm/README",
    "labsetup/hub/README",
    "labsetup/service/README",
]
PAGES = ["index", *LESSONS, *TEXTS, "search"]
WIDTHS = (700, 1280)  # pixels


def make(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "labsetup.command", "site", str(folder)]
    return subprocess.run(
        command,
        env={**os.environ, **environment},
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "pages"
    made = make(folder, SUDO_UID="65534", SUDO_GID="65534", PYTHONHASHSEED="1")
    assert made.returncode == 0, made.stderr
    assert made.stdout == f"{len(PAGES)} pages are made; open {folder}/index.html in a browser.\n"
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page that may neither complain nor ask another host."""
    page = browser.new_page(color_scheme="light")
    complaints, asked = list[str](), list[str]()
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    page.close()
    assert not complaints
    assert not [url for url in asked if not re.match(r"file:|data:|http://127\.0\.0\.1:", url)]


@functools.cache
def parsed(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(), "html.parser")


@pytest.mark.parametrize("name", PAGES)
def test_it_can_be_read_in_light_and_dark_wide_and_narrow(page, pages, name):
    page.goto((pages / f"{name}.html").as_uri())
    assert re.search(r"\w.* - XDP Lab$|^XDP Lab$", page.title())
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 1000})
            assert not page.evaluate(STICKS_OUT), (scheme, width)
            assert not page.evaluate(FAINT), (scheme, width)
    assert len(set(grounds)) == 2
    images = "[...document.images].map(one => [one.alt.trim(), one.naturalWidth > 0])"
    assert all(alt and drawn for alt, drawn in page.evaluate(images))


@functools.cache
def places(path: Path) -> set[str]:
    return {str(one["id"]) for one in parsed(path).find_all(id=True)}


def test_pictures_follow_the_switch(page, pages):
    picture = svg.image(svg.document(80, 80, []), "a ground")
    page.goto((pages / "notebooks/02-drop.html").as_uri())
    page.evaluate("html => document.querySelector('article').innerHTML = html", picture)
    seen = {}
    for _ in range(3):
        page.locator(".content-icon-container .theme-toggle").click()
        theme = page.evaluate("document.body.dataset.theme")
        seen[theme] = page.locator("article img").screenshot()
    assert seen.keys() == {"auto", "light", "dark"}
    assert seen["auto"] == seen["light"] != seen["dark"]


@pytest.mark.parametrize("served", [False, True])
def test_a_search_finds(page, pages, served):
    handler = functools.partial(Quiet, directory=pages)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        root = f"http://127.0.0.1:{server.server_port}" if served else pages.as_uri()
        page.goto(f"{root}/index.html")
        page.locator(".sidebar-search").fill("rendezvous")
        page.keyboard.press("Enter")
        results = page.locator("#search-results li a")
        results.first.wait_for()
        found = " ".join(results.all_text_contents())
        assert "06 Consistent hashing" in found and "Glossary" in found
        if served:
            page.locator("#search-results p.context").first.wait_for()
        results.first.click()
        page.wait_for_selector("article h1")
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


def test_every_link_leads_somewhere(pages):
    broken = []
    for path in pages.rglob("*.html"):
        for one in parsed(path).find_all(["a", "link", "script", "img"]):
            address, place = urldefrag(str(one.get("href") or one.get("src") or ""))
            if re.match(r"https?:", address):
                assert one.name == "a", f"{path.name} takes {address} from another host"
            elif not address.startswith("data:"):
                target = (path.parent / unquote(address.partition("?")[0])) if address else path
                there = target.is_file() and (not place or place in places(target.resolve()))
                broken += [] if there else [f"{path.name}: {address}#{place}"]
    assert not broken


def glossary() -> dict[str, str]:
    """By word, those that stand at the head of its entry."""
    text = (REPO / "notebooks" / "glossary.md").read_text()
    heads = re.findall(r"^\*\*(.+)\.\*\*", text, re.MULTILINE)
    assert len(heads) == text.count("\n\n") > 40
    return {word: head for head in heads for word in head.split(", ")}


def prose(page: BeautifulSoup) -> Iterator[tuple[str, str]]:
    """Text of a page outside code, headings and outputs, with where it leads."""
    article = page.find("article")
    assert isinstance(article, Tag)
    for text in article.find_all(string=True):
        above = {parent.name for parent in text.parents} & {"h1", "h2", "h3", "code", "pre"}
        cell = text.find_parent(class_="cell")
        link = text.find_parent("a")
        if type(text) is NavigableString and not above and not cell:
            yield str(text), str(link["href"]) if link else ""


@pytest.mark.parametrize("name", ["index", *LESSONS])
def test_the_first_use_of_each_word_leads_to_its_entry(pages, name):
    heads, seen = glossary(), set[str]()
    for text, link in prose(parsed(pages / f"{name}.html")):
        rest = text
        for word in sorted(heads, key=len, reverse=True):
            first = f"[{word[0]}{word[0].upper()}]" if word.islower() else word[0]
            spelled = first + re.escape(word[1:]).replace(r"\ ", r"\s+")
            for _ in re.findall(rf"(?<![\w-]){spelled}(?:s|es)?(?![\w-])", rest):
                if "#word-" in link:
                    assert heads[word] not in seen, f"{word} leads there twice"
                    seen.add(heads[word])
                    entry = parsed(pages / "notebooks/glossary.html").find(id=link.split("#")[1])
                    assert entry and entry.get_text().startswith(f"{heads[word]}.")
                else:
                    assert heads[word] in seen or link, f"{word} does not lead there: {text}"
            rest = re.sub(spelled, " ", rest)
    assert seen


@pytest.mark.parametrize("name", LESSONS)
def test_a_lead_says_its_entry_in_plain_words(pages, name):
    leads = parsed(pages / f"{name}.html").select("a.word")
    assert leads
    assert not [one["title"] for one in leads if re.search(r"`|\]\(", str(one["title"]))]


def test_entries_lead_to_each_other_and_to_lessons(pages):
    page = parsed(pages / "notebooks/glossary.html")
    assert len(page.select("p.entry")) == len(set(glossary().values()))
    arp = page.find(id="word-arp-flux")
    assert arp
    links = {str(one["href"]): one.get_text() for one in arp.select("a")}
    assert links == {"#word-vip": "VIP", "07-load-balancer.html": "Lesson 07"}


def test_the_first_page_is_the_map(pages):
    rows = parsed(pages / "index.html").select("tbody tr:has(a[href^='notebooks/0'])")
    assert [str(row.find("a")["href"]) for row in rows] == [f"{one}.html" for one in LESSONS]  # type: ignore[index]
    number, lesson, *minutes = (cell.get_text() for cell in rows[3].select("td"))
    assert number == "03" and "How many pings came in?" in lesson
    assert "You can keep state in maps" in lesson and minutes == ["25", "60"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_page_has_what_is_stored(pages, path):
    page = parsed(pages / "notebooks" / f"{path.stem}.html")
    text = " ".join(page.get_text().split())
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] == "code":
            assert " ".join("".join(cell["source"]).split()) in text
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if not {"text/html", "image/png"} & data.keys():
                lines = "\n".join(output.get("traceback", []))
                said = output.get("text") or lines or data["text/plain"]
                assert " ".join("".join(said).split()) in text
    for block in page.select(".cell_input"):
        if block.get_text().lstrip().startswith("%%xdp") and "\nint " in block.get_text():
            assert {"int", "return"} <= {one.get_text() for one in block.select(".k, .kt")}


def test_a_cell_of_c_is_all_there():
    source = '%%xdp tx --check 5.1\n#include "xdp.h"\n\nint tx(struct xdp_md *ctx)\n{}\n'
    assert "".join(text for _, _, text in XdpLexer().get_tokens_unprocessed(source)) == source


def test_made_again_it_is_the_same(pages):
    def content() -> dict[str, bytes]:
        files = [one for one in pages.rglob("*") if one.is_file()]
        return {str(one.relative_to(pages)): one.read_bytes() for one in files}

    before = content()
    assert {one.stat().st_uid for one in (pages, *pages.rglob("*"))} == {65534}
    (pages / "of-before.html").touch()
    assert make(pages, PYTHONHASHSEED="2").returncode == 0
    assert content() == before
    assert list(pages.parent.iterdir()) == [pages]


def test_what_is_somebody_elses_stays(tmp_path):
    (tmp_path / "mine.txt").touch()
    said = make(tmp_path)
    assert said.returncode == 1 and "has something else in it" in said.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["mine.txt"]
    said = make(tmp_path / "mine.txt")
    assert said.returncode == 1 and "name another folder" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.fixture
def course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course that may be changed: of each notebook the first cell."""
    repository = tmp_path / "course"
    folder = repository / "notebooks"
    folder.mkdir(parents=True)
    for part in ("pages", "container", "vm", "hub", "service"):
        shutil.copytree(REPO / "labsetup" / part, repository / "labsetup" / part)
    for name in ("README.md", "CONTRIBUTING.md", "LICENSE"):
        shutil.copy(REPO / name, repository)
    for name in ("glossary", "words-elsewhere", "where-it-stands", "for-the-teacher"):
        shutil.copy(REPO / "notebooks" / f"{name}.md", folder)
    for path in NOTEBOOKS:
        notebook = json.loads(path.read_text())
        (folder / path.name).write_text(json.dumps(notebook | {"cells": notebook["cells"][:1]}))
    monkeypatch.setattr(verb, "REPO", repository)
    return folder


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")  # MyST's, of Sphinx
def test_a_link_that_leads_nowhere_is_told(course, tmp_path):
    (tmp_path / "pages").mkdir()
    with (course / "glossary.md").open("a") as file:
        file.write("\n**new.** See [this](nowhere.md). Lesson 99.\n")
    told = r"(?s)mend this: notebooks/glossary\.md:\d+: WARNING.*nowhere.*'99'"
    with pytest.raises(LabError, match=told):
        verb.build(tmp_path / "pages")
    assert not any((tmp_path / "pages").iterdir())


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"cells": [{}], "nbformat": 4}'])
def test_a_damaged_notebook_is_told(course, tmp_path, content):
    (course / "02-drop.ipynb").write_text(content)
    with pytest.raises(
        LabError, match=r"02-drop\.ipynb is no notebook that can be read; type: git"
    ):
        sources.lay_out(course.parent, tmp_path / "sources")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "02-drop.ipynb",
            "names 02-drop.ipynb, and no notebook of that name begins with its quest",
        ),
        ("09-new.ipynb", "does not name 09-new.ipynb; add a row"),
    ],
)
def test_a_lesson_that_has_no_place_in_the_map_is_told(course, tmp_path, name, sentence):
    without = new_notebook(cells=[new_markdown_cell("# It has no question")])
    nbformat.write(without, course / name)
    with pytest.raises(LabError, match=sentence):
        sources.lay_out(course.parent, tmp_path / "sources")
